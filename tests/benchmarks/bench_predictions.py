"""Two models' predictions of a million rows, and files of probabilities as streams.

Run with ``python tests/benchmarks/bench_predictions.py [n_rows folder]`` (1000000 and a
temporary folder by default; the two files take 400 MB there). CPU time, one thread.

The streams are of two files of 50,000 x 1,000 probabilities in float32, in blocks of
2048 rows of their memory maps. They are compared with reading both, ``np.load(f).sum()``
with the files in the page cache, and with a copy of the maps block by block, which is
the least that any pass needs.
"""

import sys
import tempfile
from pathlib import Path

from _timing import interleaved

import numpy as np  # isort: skip

from sksim import compare_predictions
from sksim.functional import (
    Hellinger,
    JensenShannonDivergence,
    KullbackLeibler,
    SoftPredictionDifference,
    SurrogateChurn,
    TotalVariation,
)

SHAPE = 50_000, 1000
BLOCK = 2048


def predictions(n_rows, n_slices=50):
    """Seconds of a comparison of answers and of scores, with slices."""
    rng = np.random.default_rng(0)
    truth = rng.integers(10, size=n_rows)
    answers = [np.where(rng.random(n_rows) < 0.9, truth, wrong) for wrong in (0, 1)]
    scores = rng.normal(size=(2, n_rows))
    slices = rng.integers(n_slices, size=n_rows)
    return interleaved(
        {
            "answers": lambda: compare_predictions(*answers, truth, slices=slices),
            "scores": lambda: compare_predictions(*scores, scores=True, slices=slices),
        },
        repeats=3,
    )


def write(paths):
    """Two files of probabilities of models that are much alike."""
    files = [
        np.lib.format.open_memmap(path, mode="w+", dtype="float32", shape=SHAPE)
        for path in paths
    ]
    rng = np.random.default_rng(0)
    for start in range(0, SHAPE[0], BLOCK):
        rows = slice(start, start + BLOCK)
        shared = 2 * rng.normal(size=files[0][rows].shape)
        for file in files:
            odds = np.exp(shared + 0.5 * rng.normal(size=shared.shape))
            file[rows] = odds / odds.sum(axis=1, keepdims=True)
    for file in files:
        file.flush()


def blocks(paths):
    """The same rows of both files, block by block."""
    maps = [np.load(path, mmap_mode="r") for path in paths]
    for start in range(0, SHAPE[0], BLOCK):
        yield [each[start : start + BLOCK] for each in maps]


def copy(paths):
    """Copy both files through one block of memory."""
    memory = np.empty((BLOCK, SHAPE[1]), dtype=np.float32)
    for pair in blocks(paths):
        for rows in pair:
            memory[: len(rows)] = rows


def stream(measure, paths):
    """The value of a measure after one pass over both files."""
    for pair in blocks(paths):
        measure.partial_fit(*pair)
    return measure.statistic_


def streams(paths):
    """Seconds of reading, of copying, and of a pass of each measure."""
    kinds = (
        *(TotalVariation, Hellinger, SoftPredictionDifference, SurrogateChurn),
        *(KullbackLeibler, JensenShannonDivergence),
    )
    passes = {kind.__name__: lambda kind=kind: stream(kind(), paths) for kind in kinds}
    return interleaved(
        {
            "read": lambda: [np.load(path).sum() for path in paths],
            "copy": lambda: copy(paths),
            **passes,
        },
        repeats=3,
    )


def main(n_rows=1_000_000, folder=None):
    """Print all times."""
    for name, seconds in predictions(n_rows).items():
        print(f"compare_predictions, {n_rows} {name}, 50 slices: {seconds:.2f} s")
    with tempfile.TemporaryDirectory(dir=folder) as name:
        paths = [Path(name) / "p.npy", Path(name) / "q.npy"]
        write(paths)
        found = streams(paths)
    for name, seconds in found.items():
        shares = (seconds / found[base] for base in ("read", "copy"))
        print("{:26s} {:6.3f} s, {:5.2f} reads, {:5.2f} copies".format(
            name, seconds, *shares
        ), flush=True)  # fmt: skip


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]), *sys.argv[2:3])
