"""
Streaming a million rows
========================

Rows that do not fit in memory, or that are made as they are needed, can be compared
block by block. The number is exactly that of all rows at once, and the memory is that of
a few D x D matrices. This example streams 40,000 rows, or, started as
``python plot_streaming.py --full``, a million.
"""

# %%
# Two random networks of one hidden layer look at the same inputs. Blocks of rows are made
# when they are asked for; a memory map, a data loader or a database would do as well.

import sys

import numpy as np

n_samples = 1_000_000 if "--full" in sys.argv else 40_000
n_inputs, width, block_size = 32, 128, 2_000

weights = np.random.default_rng(0).normal(size=(3, n_inputs, width))


def representations(block):
    """Hidden layers of both networks for the inputs of one block."""
    rng = np.random.default_rng([1, block])
    inputs = rng.normal(size=(block_size, n_inputs)) * np.geomspace(3, 0.3, n_inputs)
    first = np.maximum(inputs @ weights[0], 0)
    second = np.maximum(inputs @ (weights[1] + weights[0]), 0)
    return first, second


# %%
# ``partial_fit`` reduces a block to moments. The comparison waits until ``score_`` is
# asked for, here after each of the first blocks, then ever more rarely.

import tracemalloc

from sksim.rsm import CKA

measures = {
    "biased": CKA(),
    "debiased": CKA(debias="rows"),
}
n_blocks = n_samples // block_size
looks = np.unique(np.geomspace(1, n_blocks, 15).astype(int))
scores = {name: [] for name in measures}
peaks = []

tracemalloc.start()
for block in range(n_blocks):
    X, y = representations(block)
    for measure in measures.values():
        measure.partial_fit(X, y)
    if block + 1 in looks:
        for name, measure in measures.items():
            scores[name].append(measure.score_)
        peaks.append(tracemalloc.get_traced_memory()[1] / 1e6)
tracemalloc.stop()

# %%
# The first rows alone, in blocks of a few: what does the estimate do before it settles?
# Here the bias of the classical estimator shows.

early = {"biased": CKA(), "debiased": CKA(debias="rows")}
few = [4, 8, 16, 32, 64, 128, 256, 512, 1024, 2000]
early_scores = {name: [] for name in measures}
X, y = representations(0)
for start, stop in zip([0, *few[:-1]], few, strict=True):
    for name, measure in early.items():
        measure.partial_fit(X[start:stop], y[start:stop])
        early_scores[name].append(measure.score_)

# %%
# The value of all rows, by ``fit`` on one large array, as far as that can be made.

n_batch = min(n_blocks, 50)
X, y = map(
    np.concatenate,
    zip(*map(representations, range(n_batch)), strict=True),
)
batch_value = CKA().fit(X, y).score_
again = CKA()
for block in range(n_batch):
    again.partial_fit(*representations(block))
print(f"fit on {len(X)} rows: {batch_value:.12f}")
print(f"the same rows streamed:  {again.score_:.12f}")
print(f"relative difference:     {abs(again.score_ / batch_value - 1):.0e}")

# %%
# Left, the running estimates: the stream ends at the value of the batch. Right, the
# memory: it is that of one block and the moments, and does not grow. Keeping the rows
# would.

import matplotlib.pyplot as plt

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
rows_seen = looks * block_size
for name, color in (("biased", "C0"), ("debiased", "C1")):
    left.plot(
        [*few[:-1], *rows_seen],
        [*early_scores[name][:-1], *scores[name]],
        "o-",
        color=color,
        markersize=3,
        label=name,
    )
left.axhline(batch_value, color="0.5", linestyle="--", label="fit on all rows")
left.set(xscale="log", xlabel="rows seen", ylabel="CKA")
left.legend()
right.plot(rows_seen, peaks, "o-", markersize=3, label="stream")
right.plot(
    rows_seen, 2 * rows_seen * width * 8 / 1e6, "--", color="0.5", label="all rows"
)
right.set(xlabel="rows seen", ylabel="peak memory, MB")
right.legend()
plt.show()

# %%
# Parts of the rows may also be streamed by different processes: ``merge`` joins what they
# have seen, in any order (:ref:`streaming`).

halves = []
for blocks in (range(n_batch // 2), range(n_batch // 2, n_batch)):
    half = CKA()
    for block in blocks:
        half.partial_fit(*representations(block))
    halves.append(half)
merged = halves[1].merge(halves[0])
print(f"merged: {merged.score_:.12f} of {merged.n_samples_fit_} rows")
