"""Layers by layers of two networks in one pass, beside pytorch-cka and torch_cka.

    python tests/benchmarks/bench_networks.py [--rows 1000] [--repeats 5] [--only NAME]

Times are CPU seconds on one thread: in one process all methods take turns, and the
median counts, beside that of the forward passes alone. Peaks are resident memory above
that of the process with models and data, each in a process of its own. Errors are
against our own numbers of the same networks in double precision. What must hold is
printed beside what was measured. The peers are installed by ``pip install
'.[benchmark]'``, transformers by ``'.[clients]'``; what is missing is left out.
"""

import argparse
import importlib.util
import json
import logging
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

import _networks
import _timing  # noqa: F401 (before numpy does: one BLAS thread)
import numpy as np
import torch

from sksim.pairwise import layer_similarity_matrix
from sksim.rsm import CKA, MinibatchCKA

_LIMIT = 3600  # seconds that a process may take


# ----- cases: name -> models, data and methods ----------------------------------------


def resnets(n_rows):
    """20 x 36 convolutions, flattened."""
    models = _networks.resnets()
    data = _networks.images(n_rows, 64)
    layers = [_networks.layers_of(model, torch.nn.Conv2d) for model in models]
    loader = torch.utils.data.DataLoader(data, batch_size=50)
    return {
        "forward": lambda: forward(models, loader),
        "MinibatchCKA": lambda: streamed(MinibatchCKA(), models, layers, loader),
        "pytorch-cka": lambda: pytorch_cka(models, layers, loader),
        "torch_cka": lambda: torch_cka(models, layers, loader),
        "CKA, mean": lambda: streamed(CKA(debias="rows"), models, layers, loader),
        "CKA, sketch 512": lambda: streamed(
            CKA(debias="rows"), models, layers, loader, reduce="flatten", sketch=512
        ),
    }


def berts(n_rows):
    """32 x 32 layers of two BERTs, of sentences with padding."""
    models = _networks.berts()
    data = _networks.sentences(n_rows)
    kinds = (torch.nn.Linear, torch.nn.LayerNorm)
    layers = [_networks.layers_of(model, kinds)[:32] for model in models]
    rows = [
        {name: values[row] for name, values in data.items()} for row in range(n_rows)
    ]
    rows = torch.utils.data.DataLoader(rows, batch_size=64)
    return {
        "forward": lambda: forward(models, rows),
        "CKA, masked mean": lambda: streamed(CKA(debias="rows"), models, layers, rows),
        "the same, p-values": lambda: streamed(
            CKA(debias="rows"), models, layers, rows, keep="rows", tests=True
        ),
        "MinibatchCKA, masked": lambda: streamed(MinibatchCKA(), models, layers, rows),
        "pytorch-cka": lambda: pytorch_cka(models, layers, rows),
    }


def stream(n_rows):
    """8 x 8 layers of two small networks, of images from a generator."""
    models = _networks.small_nets()
    layers = [[str(number) for number in range(8)]] * 2

    def batches():
        for _ in range(0, n_rows, 200):
            yield torch.randn(200, 1, 28, 28)

    return {
        "forward": lambda: forward(models, batches()),
        "MinibatchCKA": lambda: streamed(MinibatchCKA(), models, layers, batches()),
        "CKA, moments": lambda: streamed(
            CKA(debias="rows"), models, layers, batches(), keep="moments"
        ),
    }


CASES = {"resnets": resnets, "berts": berts, "stream": stream}


# ----- methods ------------------------------------------------------------------------


def forward(models, batches):
    with torch.no_grad():
        for batch in batches:
            for model in models:
                model(**batch) if isinstance(batch, dict) else model(batch)


def streamed(measure, models, layers, batches, *, tests=False, **params):
    result = layer_similarity_matrix(
        measure, *models, batches, layers=layers[0], layers_b=layers[1], **params
    )
    if tests:  # found when they are asked for
        result.to_frame()
    return result.scores.to_numpy()


def pytorch_cka(models, layers, batches):
    from cka import compute_cka

    (matrix,) = compute_cka(
        *models,
        batches,
        layers=layers[0],
        model2_layers=layers[1],
        device="cpu",
        progress=False,
    )
    return matrix.numpy()


def torch_cka(models, layers, loader):
    from torch_cka import CKA as TorchCKA

    data = torch.utils.data.TensorDataset(loader.dataset)  # it expects tuples
    loader = torch.utils.data.DataLoader(data, batch_size=loader.batch_size)
    peer = TorchCKA(
        *models,
        model1_name="a",
        model2_name="b",
        model1_layers=layers[0],
        model2_layers=layers[1],
    )
    with torch.no_grad():
        peer.compare(loader, loader)
    for model in models:  # it leaves its hooks in place
        for module in model.modules():
            module._forward_hooks.clear()
    return peer.export()["CKA"].numpy()


_MODULES = {"pytorch-cka": "cka", "torch_cka": "torch_cka"}


def there(methods):
    """The methods whose package is installed."""
    return {
        name: method
        for name, method in methods.items()
        if importlib.util.find_spec(_MODULES.get(name, "torch"))
    }


# ----- in the child processes ---------------------------------------------------------


def quiet():
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)


def times_of(case, n_rows, repeats):
    """Median CPU seconds of each method; they take turns."""
    small, methods = there(CASES[case](200)), there(CASES[case](n_rows))
    for method in small.values():
        method()
    times = {name: [] for name in methods}
    for repeat in range(repeats):
        for name, method in methods.items():
            if name == "torch_cka" and repeat:  # 5 to 10 times as slow
                continue
            start = time.process_time()
            method()
            times[name].append(time.process_time() - start)
    return {name: statistics.median(found) for name, found in times.items()}


def peak_of(case, n_rows, name):
    """Bytes of resident memory at the peak of one method, above models and data."""
    methods = CASES[case](n_rows)
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    methods[name]()
    return _resident("VmHWM") - before


def _resident(field):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return 1024 * int(line.split()[1])
    raise RuntimeError(f"the system does not tell {field}")


def errors_of(n_rows):
    """Largest and root mean square difference from double precision, residual nets."""
    models = _networks.resnets()
    data = _networks.images(n_rows, 64)
    layers = [_networks.layers_of(model, torch.nn.Conv2d) for model in models]
    batches = torch.utils.data.DataLoader(data, batch_size=50)
    methods = {
        "MinibatchCKA": lambda: streamed(MinibatchCKA(), models, layers, batches),
        "pytorch-cka": lambda: pytorch_cka(models, layers, batches),
    }
    found = {f"{name}, float32": method() for name, method in there(methods).items()}
    for model in models:
        model.double()
    batches = torch.utils.data.DataLoader(data.double(), batch_size=50)
    exact = streamed(MinibatchCKA(), models, layers, batches)
    if "pytorch-cka, float32" in found:
        found["pytorch-cka, float64"] = pytorch_cka(models, layers, batches)
    differences = {}
    for name, matrix in found.items():
        # the peer sets negative values to 0
        expected = np.maximum(exact, 0) if "pytorch" in name else exact
        difference = np.abs(matrix - expected)
        differences[name] = [
            float(difference.max()),
            float(np.mean(difference**2) ** 0.5),
        ]
    return differences


def run_child(arguments):
    what, *rest = arguments
    quiet()
    functions = {"times": times_of, "peak": peak_of, "errors": errors_of}
    rest = [int(value) if value.isdigit() else value for value in rest]
    print(json.dumps(functions[what](*rest)))


# ----- in the parent ------------------------------------------------------------------


def child(*arguments):
    """What a process of its own measures."""
    command = [sys.executable, __file__, "--child", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return json.loads(done.stdout.splitlines()[-1])


def compare(case, n_rows, repeats):
    """Times and peaks of a case as a table; returns both."""
    times = child("times", case, n_rows, repeats)
    peaks = {name: child("peak", case, n_rows, name) / 1e6 for name in times}
    print(f"\n{case}, {n_rows} rows: CPU s, of forward, peak MB")
    for name, seconds in times.items():
        share = seconds / times["forward"]
        print(f"  {name:22s} {seconds:8.2f} {share:6.2f} {peaks[name]:8.0f}")
    return times, peaks


def verdict(what, value, limit):
    """A line that says whether something holds."""
    held = "holds" if value <= limit else "MISSED"
    print(f"  {what:58s} {value:8.3g}  at most {limit:<6g} {held}", flush=True)


def run_resnets(n_rows, repeats):
    times, peaks = compare("resnets", n_rows, repeats)
    ours = times["MinibatchCKA"]
    verdict("MinibatchCKA, CPU over forward", ours / times["forward"], 1.2)
    verdict("mean, CPU over forward", times["CKA, mean"] / times["forward"], 1.2)
    if "pytorch-cka" in times:
        peak = peaks["MinibatchCKA"] / peaks["pytorch-cka"]
        verdict("MinibatchCKA, CPU over pytorch-cka", ours / times["pytorch-cka"], 1.1)
        verdict("MinibatchCKA, peak over pytorch-cka", peak, 0.65)


def run_berts(n_rows, repeats):
    if not importlib.util.find_spec("transformers"):
        print("\nberts: transformers is not installed")
        return
    times, _ = compare("berts", n_rows, repeats)
    mean = times["CKA, masked mean"]
    verdict("masked mean, CPU over forward", mean / times["forward"], 1.4)
    if "pytorch-cka" in times:
        verdict("masked mean, CPU over pytorch-cka", mean / times["pytorch-cka"], 1)


def run_stream(n_rows, repeats):
    few, many = 2 * n_rows, 20 * n_rows
    compare("stream", many, repeats)
    for name in ("MinibatchCKA", "CKA, moments"):
        peaks = [child("peak", "stream", n, name) for n in (few, many)]
        verdict(f"{name}, peak at {many} rows over {few}", peaks[1] / peaks[0], 1.2)


def run_errors(n_rows, repeats):
    found = child("errors", n_rows)
    print(
        f"\nresnets, {n_rows} rows: difference from double precision, largest and rms"
    )
    for name, (largest, rms) in found.items():
        print(f"  {name:22s} {largest:9.1e} {rms:9.1e}")
    verdict("MinibatchCKA, largest", found["MinibatchCKA, float32"][0], 1e-5)


RUNS = {
    "resnets": run_resnets,
    "berts": run_berts,
    "stream": run_stream,
    "errors": run_errors,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", choices=sorted(RUNS))
    parser.add_argument("--child", nargs="+")
    options = parser.parse_args()
    if options.child:
        run_child(options.child)
        return
    for name in [options.only] if options.only else RUNS:
        RUNS[name](options.rows, options.repeats)


if __name__ == "__main__":
    main()
