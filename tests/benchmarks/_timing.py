"""Side-by-side CPU times, for the benchmark scripts.

Set one BLAS thread before numpy is imported: `import _timing` first.
"""

import os

for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import statistics
import time


def interleaved(functions, repeats=5):
    """Median CPU seconds of each function, called in turn after one warm-up.

    Parameters
    ----------
    functions : dict of str to callable
    repeats : int

    Returns
    -------
    seconds : dict of str to float
    """
    for function in functions.values():
        function()
    times = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            start = time.process_time()
            function()
            times[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def report(title, ours, other, repeats=5, calls=(1, 1)):
    """Print the time of both and how many times faster the first is.

    ``calls`` says how many times each does what is compared; times are of one.
    """
    seconds = interleaved({"ours": ours, "other": other}, repeats)
    seconds = {
        name: time / count
        for (name, time), count in zip(seconds.items(), calls, strict=True)
    }
    ratio = seconds["other"] / seconds["ours"]
    print(
        f"{title:58s} {1e3 * seconds['ours']:9.2f} ms {1e3 * seconds['other']:9.2f} ms"
        f"   x {ratio:6.2f}",
        flush=True,
    )
    return ratio
