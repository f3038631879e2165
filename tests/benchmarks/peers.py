"""sksim against its peers, side by side: time, peak memory and values.

Install the peers by ``pip install '.[benchmark]'`` and run

    python tests/benchmarks/peers.py --rst doc/user_guide/_peers_table.rst

Each case runs in a process of its own, with one thread: there both sides take turns and
the median CPU time of each counts. Two further processes measure the peak of memory
above the data, one for each side. A peer that is not installed is skipped and named.

``--only TEXT ...`` runs the cases whose title or peer has one of the texts;
``--missing`` those that the file of results does not have yet. The file is updated
after each case, and the page of the documentation is written from all of it.
"""

import argparse
import contextlib
import importlib.metadata
import importlib.util
import json
import math
import os
import platform
import subprocess
import sys
import time
import warnings
from pathlib import Path

import _timing  # noqa: F401 (first: one BLAS thread)
import numpy as np
from _peers_cases import CASES

_LIBRARIES = [
    "numpy",
    "scipy",
    "scikit-learn",
    "hyppo",
    "dcor",
    "rsatoolbox",
    "pytorch-cka",
    "torch-cka",
    "scikit-dimension",
    "faiss-cpu",
    "POT",
    "statsmodels",
    "torch",
]
_LIMIT = 100  # seconds that a process may take


# ----- in the child processes ---------------------------------------------------------


def time_case(case):
    """Median CPU seconds of both sides, and how far their values are apart."""
    sides = case.sides(small=False)
    values = [np.asarray(side(), dtype=float) for side in sides]
    difference = np.max(np.abs(values[0] - values[1])) / np.max(np.abs(values[1]))
    times = []
    start = time.process_time()
    while len(times) < 3 or (len(times) < 25 and time.process_time() - start < 4):
        times.append([_seconds(side) for side in sides])
    ours, theirs = np.median(times, axis=0)
    return {
        "ours": float(ours),
        "theirs": float(theirs),
        "difference": float(difference),
        "repeats": len(times),
    }


def _seconds(function):
    start = time.process_time()
    function()
    return time.process_time() - start


def memory_of(case, side):
    """Bytes that one side takes at its peak, above the data."""
    small = case.sides(small=True)[side]
    small()  # imports and just-in-time compilation are no part of it
    function = case.sides(small=False)[side]
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    function()
    return max(_resident("VmHWM") - before, 0)


def _resident(field):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return 1024 * int(line.split()[1])
    raise RuntimeError(f"the system does not tell {field}")


def run_child(title, what):
    """One measurement, printed as JSON."""
    case = next(case for case in CASES if case.title == title)
    with contextlib.suppress(ImportError):
        import torch

        torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    if what == "time":
        result = time_case(case)
    else:
        result = {"bytes": memory_of(case, ("ours", "theirs").index(what))}
    print(json.dumps(result))


# ----- in the parent ------------------------------------------------------------------


def measure(case):
    """All measurements of a case, or why there are none."""
    if case.module is not None and importlib.util.find_spec(case.module) is None:
        return {"skipped": f"{case.peer} is not installed"}
    found = {}
    for what in ("time", "ours", "theirs"):
        command = [sys.executable, __file__, "--child", case.title, what]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_LIMIT
            )
        except subprocess.TimeoutExpired:
            return {"skipped": f"took more than {_LIMIT} s"}
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["no message"]
            return {"skipped": lines[-1]}
        result = json.loads(done.stdout.splitlines()[-1])
        found |= result if what == "time" else {f"memory_{what}": result["bytes"]}
    found["agrees"] = bool(found["difference"] <= case.tolerance)
    return found


def line_of(case, found):
    """A case as a line of text."""
    title = f"{case.title}, {case.size}"
    if "skipped" in found:
        return f"{title:60s} {case.peer:17s} skipped: {found['skipped']}"
    ours, theirs = 1e3 * found["ours"], 1e3 * found["theirs"]
    memory = "/".join(_megabytes(found[f"memory_{s}"]) for s in ("ours", "theirs"))
    verdict = "" if found["agrees"] else "  DISAGREES"
    return (
        f"{title:60s} {case.peer:17s} {ours:9.2f} {theirs:9.2f} ms  x "
        f"{theirs / ours:7.2f}   {memory:>11s} MB   {found['difference']:.0e}{verdict}"
    )


def _megabytes(count):
    return f"{count / 1e6:.0f}" if count >= 1e6 else "<1"


def machine():
    """What the numbers depend on, as far as the machine tells in public."""
    model = "unknown"
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    libraries = {}
    for name in _LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            libraries[name] = importlib.metadata.version(name)
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "libraries": libraries,
    }


# ----- the page of the documentation --------------------------------------------------


def page(results):
    """The table in reStructuredText, with notes and the machine."""
    about = results["machine"]
    versions = ", ".join(f"{k} {v}" for k, v in about["libraries"].items())
    lines = [
        f"Measured on one thread of a machine with {about['cores']} cores "
        f"({about['processor']}), with Python {about['python']}, {versions}.",
        "",
        ".. list-table::",
        "   :header-rows: 1",
        "",
        "   * - What",
        "     - Size",
        "     - Peer",
        "     - Peer, ms",
        "     - sksim, ms",
        "     - Ratio",
        "     - Peer, MB",
        "     - sksim, MB",
        "     - Difference",
    ]
    notes, skipped = [], []
    for case in CASES:
        found = results["cases"].get(case.title)
        if found is None:
            continue
        if "skipped" in found:
            skipped.append(f"{case.title} ({case.peer}): {found['skipped']}")
            continue
        mark = ""
        if case.why:
            if case.why not in notes:
                notes.append(case.why)
            mark = f" [{notes.index(case.why) + 1}]"
        cells = [
            case.title + mark,
            case.size,
            case.peer,
            _milliseconds(found["theirs"]),
            _milliseconds(found["ours"]),
            _ratio(found["theirs"] / found["ours"]),
            _megabytes(found["memory_theirs"]),
            _megabytes(found["memory_ours"]),
            _difference(found["difference"]),
        ]
        lines += [f"   {'*' if i == 0 else ' '} - {c}" for i, c in enumerate(cells)]
    lines += [""]
    lines += [f"| [{number}] {note}" for number, note in enumerate(notes, start=1)]
    if skipped:
        lines += ["", "Not measured: " + "; ".join(skipped) + "."]
    return "\n".join(lines) + "\n"


def _milliseconds(seconds):
    value = 1e3 * seconds
    return (
        f"{value:.2f}"
        if value < 10
        else f"{value:.1f}"
        if value < 100
        else f"{value:.0f}"
    )


def _ratio(value):
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def _difference(value):
    return "0" if value == 0 else f"{value:.0e}"


# ----- the command --------------------------------------------------------------------


def main(argv=None):
    """Measure, print, and write what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", default=[""], metavar="TEXT")
    parser.add_argument("--missing", action="store_true")
    parser.add_argument("--results", metavar="FILE", type=Path)
    parser.add_argument("--rst", metavar="FILE", type=Path)
    parser.add_argument("--list", action="store_true", help="only name the cases")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.child:
        run_child(*options.child)
        return 0
    results = {"cases": {}}
    if options.results and options.results.exists():
        results = json.loads(options.results.read_text())
    for case in CASES:
        known = results["cases"].get(case.title, {"skipped": ""})
        named = f"{case.title} {case.peer}".lower()
        if not any(text.lower() in named for text in options.only):
            continue
        if options.list:
            print(f"{case.title}, {case.size}: {case.peer}")
            continue
        if options.missing and "skipped" not in known:
            continue
        found = measure(case)
        results["cases"][case.title] = found
        results["machine"] = machine()
        print(line_of(case, found), flush=True)
        if options.results:
            options.results.write_text(json.dumps(results, indent=1) + "\n")
    if options.rst and results["cases"]:
        options.rst.write_text(page(results))
    wrong = [
        title
        for title, found in results["cases"].items()
        if not math.isfinite(found.get("difference", 0.0)) or not found.get("agrees", 1)
    ]
    if wrong:
        print("Values disagree: " + ", ".join(wrong))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
