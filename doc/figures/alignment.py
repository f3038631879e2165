"""Rotations and permutations; alignments that are fitted to noise."""

import matplotlib.pyplot as plt
import numpy as np
from scipy.linalg import expm

from sksim.alignment import (
    CorrelationMatch,
    OrthogonalProcrustes,
    PermutationProcrustes,
)

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 12))
skew = rng.normal(size=(12, 12))
skew = (skew - skew.T) / np.linalg.norm(skew - skew.T)
angles = np.linspace(0, 6, 25)
turned = [X @ expm(angle * skew) for angle in angles]
measures = {
    "OrthogonalProcrustes": OrthogonalProcrustes(),
    "PermutationProcrustes": PermutationProcrustes(),
    "CorrelationMatch": CorrelationMatch(),
}

widths = (2, 5, 10, 20, 40, 60, 80, 100)
fitted, held_out = [], []
for width in widths:
    first, second, first_new, second_new = rng.normal(size=(4, 100, width))
    measure = OrthogonalProcrustes().fit(first, second)
    fitted.append(measure.distance_)
    held_out.append(-measure.score(first_new, second_new))

fig, (left, right) = plt.subplots(1, 2, layout="constrained")
for name, measure in measures.items():
    left.plot(angles, [measure.fit(X, y).score_ for y in turned], label=name)
left.set(xlabel="size of the rotation", ylabel="score", title="A rotated copy")
left.set_ylim(-2.2, 1.1)
left.legend()
right.plot(widths, fitted, "o-", label="fitted")
right.plot(widths, held_out, "s-", label="new rows")
right.axhline(np.sqrt(2), color="0.6", linestyle=":", label="nothing in common")
right.set(
    xlabel="columns of both (100 rows)",
    ylabel="Procrustes distance",
    title="Unrelated noise",
    ylim=(0.5, 1.6),
)
right.legend()
