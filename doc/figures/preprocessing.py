"""Flattening keeps position, pooling ignores it."""

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter

from sksim.compose import TransformedViews
from sksim.preprocessing import Flatten, SpatialPooling
from sksim.rsm import CKA

rng = np.random.default_rng(0)
maps = gaussian_filter(rng.normal(size=(200, 8, 12, 12)), (0, 0, 1, 1), mode="wrap")
shifts = np.arange(7)


def moved(largest):
    """The maps, each moved sideways by a random number of columns."""
    steps = rng.integers(0, largest + 1, len(maps))
    return np.stack([np.roll(m, s, axis=2) for m, s in zip(maps, steps, strict=True)])


versions = [moved(shift) for shift in shifts]
ways = {
    "flattened": Flatten(),
    "mean over places": SpatialPooling(),
    "largest over places": SpatialPooling(pool="max"),
}
fig, ax = plt.subplots(figsize=(4.2, 2.8), layout="constrained")
for name, transformer in ways.items():
    measure = TransformedViews(CKA(debias="rows"), transformer)
    scores = [measure.fit(maps, version).score_ for version in versions]
    ax.plot(shifts, scores, "o-", label=name)
ax.set(
    xlabel="largest shift of a map, in columns", ylabel="debiased CKA", xticks=shifts
)
ax.legend()
