"""How time and memory grow with rows and columns, for every measure.

The exponents are least-squares slopes of the logarithms: of CPU time on one BLAS
thread, and of the peak memory above the inputs as numpy reports it. With ``--large``
each measure is fitted on 50,000 rows instead, in a process of its own that may not
address more than 4 GB. Results are kept in a JSON file, so that the tables can be made
in several runs::

    python tests/benchmarks/bench_scaling.py [--only NAME ...] [--skip-done]
    python tests/benchmarks/bench_scaling.py --large [--only NAME ...]
    python tests/benchmarks/bench_scaling.py --rst
"""

import _timing  # noqa: F401  # isort: skip  (one BLAS thread, before numpy is imported)

import argparse
import json
import pathlib
import re
import resource
import subprocess
import sys
import time
import tracemalloc
import warnings

import numpy as np
from sklearn.neural_network import MLPClassifier
from sklearn.utils import get_tags

from sksim import all_measures
from sksim.rsm import CKA, RSA

ROOT = pathlib.Path(__file__).parents[2]
TABLES = ROOT / "doc" / "user_guide" / "_scaling_tables.rst"

# what takes minutes by default, whatever the number of rows
PARAMETERS = {
    "GeometryScore": {"n_draws": 50, "random_state": 0},
    "IMD": {"random_state": 0},
    "RTD": {"n_subsets": 2, "subset_size": 200, "random_state": 0},
    "RashomonCapacity": {"max_iter": 20},
}
# rows at a fixed width, and widths at a fixed number of rows, by what is compared;
# fewer rows where all pairs of them count
ALL_PAIRS = ((8500, 12000, 17000), 32, (64, 128, 256), 5000)
SIZES = {
    "representation": ((25000, 50000, 100_000), 32, (64, 128, 256), 5000),
    "labels": ((200_000, 400_000, 800_000), 1, (), 0),
    "probabilities": ((20000, 40000, 80000), 10, (10, 20, 40), 20000),
    "outputs": ((20000, 40000, 80000), 10, (10, 20, 40), 20000),
    "models": ((4000, 8000, 16000), 32, (32, 64, 128), 4000),
}
LARGE_ROWS, LARGE_WIDTH = 50_000, 64
LIMIT = 4 * 2**30


# ----- input -----------------------------------------------------------------------


def make_input(measure, n, width):
    """X, y and further keywords of ``fit``: two models that are related, not equal."""
    tags = get_tags(measure).similarity_tags
    rng = np.random.default_rng(0)
    truth = rng.integers(10, size=n)
    data = None
    if tags.inputs == "representation":
        X, y = _representations(rng, truth, width)
    elif tags.inputs == "models":
        data = rng.normal(size=(n, width))
        truth = (data[:, 0] > 0).astype(int) + (data[:, 1] > 0)
        X, y = (_network(data, truth, hidden) for hidden in (16, 24))
    else:
        make = _labels if tags.inputs == "labels" else _probabilities
        n_models = 3 if tags.arity == "group" else 2
        models = [make(rng, truth, width) for _ in range(n_models)]
        X, y = (np.stack(models, axis=1), None) if n_models == 3 else models
    offered = {"y_true": truth, "data": data}
    return X, y, {k: v for k, v in offered.items() if k in tags.view_keywords}


def _representations(rng, truth, width):
    X = rng.normal(size=(len(truth), width))
    X += rng.normal(size=(10, width))[truth]
    y = X @ rng.normal(size=(width, width)) / width**0.5
    y += rng.normal(size=y.shape) * np.geomspace(0.02, 1, width)
    return X, y


def _labels(rng, truth, width):
    wrong = rng.random(len(truth)) < 0.3
    return np.where(wrong, rng.integers(0, 10, len(truth)), truth)


def _probabilities(rng, truth, width):
    scores = rng.normal(size=(len(truth), width))
    scores[np.arange(len(truth)), truth] += 2
    scores = np.exp(scores)
    return scores / scores.sum(axis=1, keepdims=True)


def _network(data, truth, hidden):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = MLPClassifier((hidden,), max_iter=5, random_state=0)
        return network.fit(data[:1000], truth[:1000])


# ----- measuring -------------------------------------------------------------------


def fit(measure, X, y, params):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        measure.fit(X, y, **params)


def seconds_and_bytes(measure, n, width):
    """CPU time of a fit, the best of some if it is short, and the memory it adds."""
    X, y, params = make_input(measure, n, width)
    tracemalloc.start()
    times = [_cpu_seconds(measure, X, y, params)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    while times[-1] < 1 and (len(times) < 4 or sum(times) < 0.4):
        times.append(_cpu_seconds(measure, X, y, params))
    return min(times), peak


def _cpu_seconds(measure, X, y, params):
    start = time.process_time()
    fit(measure, X, y, params)
    return time.process_time() - start


def slope(sizes, values):
    return float(np.polyfit(np.log(sizes), np.log(np.maximum(values, 1e-9)), 1)[0])


def exponents(measure):
    """Slopes of time and memory, over rows and over columns."""
    tags = get_tags(measure).similarity_tags
    is_quadratic = tags.complexity.startswith("n^2") or tags.family == "topology"
    rows, width, widths, n_rows = ALL_PAIRS if is_quadratic else SIZES[tags.inputs]
    found = {"complexity": tags.complexity, "family": tags.family}
    seconds_and_bytes(measure, 300, 10)  # what is imported or cached on first use
    for name, sizes in (("n", rows), ("d", widths)):
        if not sizes:
            continue
        pairs = [
            seconds_and_bytes(measure, *((s, width) if name == "n" else (n_rows, s)))
            for s in sizes
        ]
        times, peaks = zip(*pairs, strict=True)
        found[f"time_{name}"] = slope(sizes, times)
        found[f"memory_{name}"] = slope(sizes, peaks)
    return found


def beyond_the_tag(found):
    """Whether time grows faster with the rows than the tag ``complexity`` says."""
    powers = [int(p or 1) for p in re.findall(r"\bn(?:\^(\d))?", found["complexity"])]
    # what falls out of the caches along the way adds to the slope
    return "time_n" in found and found["time_n"] > max(powers, default=0) + 0.4


# ----- 50,000 rows -----------------------------------------------------------------


def large(name):
    """CPU time and memory of a fit on many rows, in a process with little memory."""
    command = [sys.executable, __file__, "--child", name]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        return {"error": run.stderr.strip().splitlines()[-1]}
    return json.loads(run.stdout.splitlines()[-1])


def all_of_them():
    """Name -> measure: all with their defaults, and those variants that differ in kind."""
    found = {name: cls(**PARAMETERS.get(name, {})) for name, cls in all_measures()}
    found["CKA, RBF kernel"] = CKA("rbf")
    found["RSA, Pearson, Euclidean"] = RSA("euclidean", "pearson")
    return found


def child(name):
    measure = all_of_them()[name]
    X, y, params = make_input(measure, LARGE_ROWS, LARGE_WIDTH)
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = _status("VmRSS")
    start = time.process_time()
    fit(measure, X, y, params)
    seconds = time.process_time() - start
    print(json.dumps({"seconds": seconds, "mb": (_status("VmHWM") - before) / 1e3}))


def _status(field):
    text = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+)", text)[1])


# ----- tables ----------------------------------------------------------------------


def rst(results):
    rows = ["family", "complexity", "time_n", "time_d", "memory_n", "memory_d"]
    titles = ["Measure", "Tag", "time, N", "time, D", "memory, N", "memory, D"]
    lines = [
        ".. Made by tests/benchmarks/bench_scaling.py --rst",
        "",
        *_table(
            "Exponents of N (rows) and D (columns, or classes)",
            [*titles[:1], *titles[1:]],
            [
                [name, found["complexity"]]
                + [f"{found[k]:.1f}" if k in found else "" for k in rows[2:]]
                for name, found in sorted(results["exponents"].items())
            ],
        ),
        "",
        *_table(
            f"{LARGE_ROWS:,} rows of {LARGE_WIDTH} columns",
            ["Measure", "CPU seconds", "MB above the inputs"],
            [
                [name, f"{found['seconds']:.1f}", f"{found['mb']:.0f}"]
                for name, found in sorted(results["large"].items())
                if "seconds" in found
            ],
        ),
    ]
    TABLES.write_text("\n".join(lines) + "\n")


def _table(title, header, rows):
    yield f".. list-table:: {title}"
    yield "   :header-rows: 1"
    yield ""
    for cells in (header, *rows):
        for i, cell in enumerate(cells):
            yield f"   {'*' if i == 0 else ' '} - {cell}".rstrip()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--skip-done", action="store_true")
    parser.add_argument("--rst", action="store_true")
    parser.add_argument("--child")
    parser.add_argument("--results", type=pathlib.Path, default="scaling.json")
    options = parser.parse_args()
    if options.child:
        child(options.child)
        return
    results = {"exponents": {}, "large": {}}
    if options.results.exists():
        results = json.loads(options.results.read_text())
    if options.rst:
        rst(results)
        return
    done = results["large" if options.large else "exponents"]
    for name, measure in all_of_them().items():
        if options.only and name not in options.only:
            continue
        inputs = get_tags(measure).similarity_tags.inputs
        if options.large and inputs != "representation":
            continue
        if options.skip_done and name in done:
            continue
        done[name] = found = large(name) if options.large else exponents(measure)
        options.results.write_text(json.dumps(results, indent=1))
        flag = (
            "  <- beyond its tag" if not options.large and beyond_the_tag(found) else ""
        )
        shown = {
            k: round(v, 2) if isinstance(v, float) else v for k, v in found.items()
        }
        print(f"{name:30s} {shown}{flag}", flush=True)


if __name__ == "__main__":
    main()
