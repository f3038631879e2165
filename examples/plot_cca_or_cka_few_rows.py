"""
More neurons than images: CCA or CKA?
=====================================

Which measures still say something when a layer has more neurons than there are images?
Kornblith et al. (2019) argue that no measure can that is invariant to all invertible
linear maps: with N rows and at least N columns, any full-rank representation is such a
map away from any other. This example puts numbers to the argument.
"""

# %%
# Two networks, related and not
# -----------------------------
# The representations are random ReLU layers of growing width, two for the same 200
# digits. For the unrelated pair the rows of the second are shuffled, so that each row is
# compared with that of another digit.

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits

from sksim.alignment import LinearRegressionSimilarity, OrthogonalProcrustes
from sksim.cca import PWCCA, MeanCCA, MeanSquaredCCA
from sksim.rsm import CKA

digits = load_digits().data[:200] / 16
digits = digits - digits.mean(axis=0)
n_samples = len(digits)
rng = np.random.default_rng(0)


def random_layer(X, width):
    """ReLU units with random weights."""
    return np.maximum(X @ rng.normal(size=(X.shape[1], width)), 0)


measures = {
    "mean CCA": MeanCCA(),
    "mean squared CCA": MeanSquaredCCA(),
    "PWCCA": PWCCA(),
    "regression R²": LinearRegressionSimilarity(),
    "CKA": CKA(),
    "CKA, debiased": CKA(debias="rows"),
    "Procrustes": OrthogonalProcrustes(),
}
widths = (10, 20, 50, 100, 150, 199, 300, 500, 1000)
rows = []
for width in widths:
    X, y = random_layer(digits, width), random_layer(digits, width)
    shuffled = y[rng.permutation(n_samples)]
    for name, measure in measures.items():
        with warnings.catch_warnings():
            # from 100 columns on the measures warn of what is shown here
            warnings.simplefilter("ignore", UserWarning)
            same = measure.fit(X, y).score_
            other = measure.fit(X, shuffled).score_
        rows.append((name, width, same, other))
scores = pd.DataFrame(rows, columns=["measure", "D", "same digits", "shuffled"])
scores["gap"] = scores["same digits"] - scores["shuffled"]
table = scores.pivot(index="measure", columns="D", values="gap").loc[list(measures)]
print("score of the related pair minus that of the unrelated one")
print(table.round(2).to_string())

# %%
# The four measures that whiten X tell the pairs apart best at 10 to 50 columns, and then
# lose it all: at D = 199 = N - 1 both pairs score 1, because the centred columns span the
# whole space that the rows leave. CKA and Procrustes weigh directions by their
# variance, and keep the pairs apart at any width. sksim does not let this pass silently:

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    MeanCCA().fit(random_layer(digits, 150), random_layer(digits, 150))
print(caught[0].message)

# %%
# Solid: the same digits. Dashed: shuffled rows. Where both meet, the measure is blind.

shown = ["mean CCA", "regression R²", "CKA", "Procrustes"]
fig, axes = plt.subplots(1, 4, figsize=(12, 3.2), layout="constrained")
for ax, name in zip(axes, shown, strict=True):
    part = scores[scores["measure"] == name]
    ax.plot(part["D"], part["same digits"], "o-", label="same digits")
    ax.plot(part["D"], part["shuffled"], "s--", label="shuffled")
    ax.axvline(n_samples - 1, color="0.6", linestyle=":", label="D = N - 1")
    ax.set(xscale="log", xlabel="columns", title=name)
axes[0].set_ylabel("score")
axes[0].legend()
plt.show()

# %%
# What to do about it
# -------------------
# More rows are the best remedy. Where there are no more, reduce first, and take what is
# left to new rows: the maps learned on half of the digits, applied to the other half,
# show what a fitted score of .9 is worth.

from sklearn.decomposition import PCA

from sksim.compose import TransformedViews

X, y = random_layer(digits, 500), random_layer(digits, 500)
shuffled = y[rng.permutation(n_samples)]
half = n_samples // 2
for n_components in (5, 10, 20, 40):
    measure = TransformedViews(MeanCCA(), PCA(n_components, random_state=0))
    line = f"{n_components:3d} components:"
    for label, other in (("same digits", y), ("shuffled", shuffled)):
        measure.fit(X[:half], other[:half])
        held_out = measure.score(X[half:], other[half:])
        line += f"  {label}: fitted {measure.score_:.2f}, new rows {held_out:5.2f}"
    print(line)

# %%
# The argument does not make CCA wrong. With many more rows than columns it answers a
# question that CKA does not: whether the same directions are there, however little
# variance they have.
