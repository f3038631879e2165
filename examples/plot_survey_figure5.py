"""
Distances grow with the width: what a number means without its baseline
=======================================================================

A survey of similarity measures (Klabunde, Schumacher, Strohmaier and Lemmerich, 2025)
shows in its fifth figure why a distance can't be read by itself. A representation is
compared with a rotated and slightly noisy copy of itself, by the orthogonal Procrustes
distance, at many widths D. The distance grows with D, although the two are equally
alike at each of them. What tells near from far is the baseline: the same comparison
with the rows of one side shuffled.

Here the baseline is the null distribution of
:func:`~sksim.inference.similarity_test`: each pair is factored once, and each shuffle
only relabels the rows of one view.

The figure as drawn here takes seconds. Its full size, with widths up to 3000 and at
least 10 repetitions of 10 shuffles each, takes some minutes on two cores: run the
script with ``--full``.
"""

# %%
# One pair, with its baseline
# ---------------------------
#
# The distance is neither centred nor scaled, as in the survey. Scores of distances are
# negative: the baseline's distances are minus its scores.
import sys

import numpy as np
from joblib import Parallel, delayed

from sksim.alignment import OrthogonalProcrustes
from sksim.inference import similarity_test

FULL = "--full" in sys.argv
N_SAMPLES = 1000
NOISE_LEVELS = (0.1, 0.5, 1.0)
WIDTHS = (10, 30, 100, 300, 1000, 3000) if FULL else (10, 20, 50, 100, 200)


def n_repetitions(width):
    """Pairs at one width.

    The shuffles of one pair share its norms, so that ten of them say less than ten
    pairs do. Where pairs are cheap there are more of them.
    """
    if not FULL:
        return 3
    return 100 if width <= 100 else 10


def distances(width, noise, seed):
    """Distance of a noisy rotation, and of ten shuffles of it."""
    rng = np.random.default_rng((seed, width))  # the same pairs at each noise level
    X = rng.normal(size=(N_SAMPLES, width))
    rotation = np.linalg.qr(rng.normal(size=(width, width)))[0]
    y = X @ rotation + noise * rng.normal(size=X.shape)
    measure = OrthogonalProcrustes(center=False, scale=False)
    result = similarity_test(measure, X, y, n_permutations=10, random_state=seed)
    return result.statistic, -result.null_distribution


near, shuffled = distances(width=100, noise=0.1, seed=0)
print(f"distance {near:.1f}, with shuffled rows {shuffled.mean():.1f}")

# %%
# All widths and levels of noise
# ------------------------------
settings = [
    (width, noise, seed)
    for noise in NOISE_LEVELS
    for width in WIDTHS
    for seed in range(n_repetitions(width))
]
found = dict(
    zip(
        settings,
        Parallel(n_jobs=2)(delayed(distances)(*setting) for setting in settings),
        strict=True,
    )
)

print("kind      noise     D      mean      std  count  standard error")
curves = {}
for noise in NOISE_LEVELS:
    for width in WIDTHS:
        results = [found[width, noise, seed] for seed in range(n_repetitions(width))]
        kinds = {
            "aligned": np.array([[near] for near, _ in results]),
            "shuffled": np.stack([baseline for _, baseline in results]),
        }
        for kind, values in kinds.items():
            curves[kind, noise, width] = values
            # of the pairs' means: shuffles of one pair are not independent
            error = values.mean(axis=1).std(ddof=1) / len(values) ** 0.5
            print(
                f"{kind:9s} {noise:5.1f} {width:5d} {values.mean():9.4f} "
                f"{values.std(ddof=1):8.4f} {values.size:6d} {error:15.4f}"
            )

# %%
# Below N columns the distance follows a power law
# ------------------------------------------------
#
# The noise has N D entries, so that its norm grows with the square root of D; the more
# columns there are, the more of it the rotation takes up.
fits = {}
for noise in NOISE_LEVELS:
    narrow = [width for width in WIDTHS if width < N_SAMPLES]
    means = [curves["aligned", noise, width].mean() for width in narrow]
    exponent, logarithm = np.polyfit(np.log(narrow), np.log(means), 1)
    fits[noise] = exponent, np.exp(logarithm)
    print(f"noise {noise}: distance = {fits[noise][1]:.3f} D^{exponent:.3f} for D < N")

# %%
# The figure
# ----------
#
# Solid: a noisy rotation. Dashed: its baseline. Dotted: the power law. At D = 3000 and
# little noise the distance is larger than that of shuffled rows at D = 10.
import matplotlib.pyplot as plt

fig, axes = plt.subplots(1, 3, figsize=(10, 3.4), sharey=True, layout="constrained")
for ax, noise in zip(axes, NOISE_LEVELS, strict=True):
    for kind, style in (("aligned", "o-"), ("shuffled", "s--")):
        values = [curves[kind, noise, width] for width in WIDTHS]
        ax.errorbar(
            WIDTHS,
            [v.mean() for v in values],
            yerr=[v.std(ddof=1) for v in values],
            fmt=style,
            markersize=4,
            label="noisy rotation" if kind == "aligned" else "rows shuffled",
        )
    exponent, factor = fits[noise]
    narrow = np.array([width for width in WIDTHS if width < N_SAMPLES])
    ax.plot(narrow, factor * narrow**exponent, "k:", label=f"$D^{{{exponent:.2f}}}$")
    ax.set(xscale="log", yscale="log", xlabel="width D", title=f"noise {noise}")
    ax.legend()
axes[0].set_ylabel("Procrustes distance")
plt.show()
