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
least 10 repetitions of 10 shuffles each, takes two and a half minutes of CPU time,
which two processes share: run the script with ``--full``.
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
    return 100 if FULL and width <= 100 else 10


def distances(width, noise_levels, seed):
    """Distance of noisy rotations, and of ten shuffles of each."""
    rng = np.random.default_rng((seed, width))
    X = rng.normal(size=(N_SAMPLES, width))
    rotation = np.linalg.qr(rng.normal(size=(width, width)))[0]
    rotated, disturbance = X @ rotation, rng.normal(size=X.shape)
    measure = OrthogonalProcrustes(center=False, scale=False)
    found = []
    for noise in noise_levels:
        y = rotated + noise * disturbance
        result = similarity_test(measure, X, y, n_permutations=10, random_state=seed)
        found.append((result.statistic, -result.null_distribution))
    return found


((near, shuffled),) = distances(width=100, noise_levels=[0.1], seed=0)
print(f"distance {near:.1f}, with shuffled rows {shuffled.mean():.1f}")

# %%
# All widths and levels of noise
# ------------------------------
# The widest pairs first, so that no process is left with one at the end.
pairs = [(w, s) for w in reversed(WIDTHS) for s in range(n_repetitions(w))]
jobs = (delayed(distances)(width, NOISE_LEVELS, seed) for width, seed in pairs)
found = dict(zip(pairs, Parallel(n_jobs=2)(jobs), strict=True))

print("kind      noise     D      mean      std  count  standard error")
curves, errors = {}, {}
for i, noise in enumerate(NOISE_LEVELS):
    for width in WIDTHS:
        results = [found[width, seed][i] for seed in range(n_repetitions(width))]
        kinds = {
            "aligned": np.array([[near] for near, _ in results]),
            "shuffled": np.stack([baseline for _, baseline in results]),
        }
        for kind, values in kinds.items():
            # of the pairs' means: shuffles of one pair are not independent
            error = values.mean(axis=1).std(ddof=1) / len(values) ** 0.5
            curves[kind, noise, width] = values
            errors[kind, noise, width] = error
            print(
                f"{kind:9s} {noise:5.1f} {width:5d} {values.mean():9.4f} "
                f"{values.std(ddof=1):8.4f} {values.size:6d} {error:15.4f}"
            )

# %%
# The survey's numbers
# --------------------
#
# Means and their standard errors at noise 0.1, from the data behind the published
# figure (10 repetitions of 10 shuffles), and how many combined standard errors the
# means found here are away from them.
SURVEY = {
    ("aligned", 10): (9.96371, 0.0898276 / 10**0.5),
    ("aligned", 100): (30.8199, 0.0652054 / 10**0.5),
    ("aligned", 1000): (70.7164, 0.0534975 / 10**0.5),
    ("shuffled", 10): (135.788, 0.945191 / 100**0.5),
    ("shuffled", 100): (384.468, 1.06015 / 100**0.5),
    ("shuffled", 1000): (709.009, 0.64864 / 100**0.5),
}
for (kind, width), (mean, error) in SURVEY.items():
    if width in WIDTHS:
        own = curves[kind, 0.1, width].mean()
        z = (own - mean) / np.hypot(errors[kind, 0.1, width], error)
        print(f"{kind:9s} {width:5d} survey {mean:9.4f} here {own:9.4f} z = {z:5.2f}")

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
