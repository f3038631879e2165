"""
Why debias CKA?
===============

How large is the CKA of two representations that share nothing? Not zero: it grows with
the width and falls with the number of rows, and a wide layer that shares nothing can
score above a narrow one that shares a lot. The debiased estimator takes that out.
"""

# %%
# What chance gives
# -----------------
# Independent Gaussian rows, more and more of them, at four widths. Of two such
# representations of width D, N rows give a CKA near D / (N + D): half, if there are as
# many columns as rows. The debiased estimator stays at zero.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from sksim.rsm import CKA

biased, debiased = CKA(), CKA(debias="rows")
rng = np.random.default_rng(0)
rows = []
for width in (16, 64, 256, 1024):
    for n_samples in (50, 100, 200, 400, 800):
        X, y = rng.normal(size=(2, n_samples, width))
        rows.append(
            {
                "D": width,
                "N": n_samples,
                "D / (N + D)": width / (n_samples + width),
                "CKA": biased.fit(X, y).score_,
                "debiased": debiased.fit(X, y).score_,
            }
        )
chance = pd.DataFrame(rows)
print(chance.round(2).to_string(index=False))

# %%
# Which layer is more alike?
# --------------------------
# Layer A has 512 columns and shares nothing with its partner. Layer B has 8 columns, of
# which half the variance is shared. CKA puts A first, by far with 100 images and still
# with 800; the order is right in the last two lines only. The debiased estimator has it
# right at once.


def pair(width, share, n_samples):
    """Two representations with a given share of their variance in common."""
    common, own_x, own_y = rng.normal(size=(3, n_samples, width))
    mix = np.sqrt(share) * common
    rest = np.sqrt(1 - share)
    return mix + rest * own_x, mix + rest * own_y


sizes = (50, 100, 200, 400, 800, 1600, 3200)
curves = {
    (label, name): [
        np.mean([measure.fit(*pair(*layer, n)).score_ for _ in range(5)]) for n in sizes
    ]
    for label, layer in {"A": (512, 0.0), "B": (8, 0.5)}.items()
    for name, measure in {"CKA": biased, "debiased CKA": debiased}.items()
}
print(pd.DataFrame(curves, index=pd.Index(sizes, name="N")).round(2).to_string())

# %%
# Left: CKA of unrelated pairs follows D / (N + D) (grey), whatever N and D. Right: the
# solid curves cross, the dashed ones do not.

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
ratios = np.geomspace(0.01, 30, 100)
left.plot(ratios, ratios / (1 + ratios), color="0.75", linewidth=5, label="D / (N + D)")
for width, part in chance.groupby("D"):
    left.plot(part["D"] / part["N"], part["CKA"], "o", label=f"CKA, D = {width}")
left.plot(chance["D"] / chance["N"], chance["debiased"], "k_", label="debiased")
left.set(xscale="log", xlabel="columns / rows", ylabel="score", title="Nothing shared")
left.legend()
for (label, name), scores in curves.items():
    right.plot(
        sizes,
        scores,
        "o-" if name == "CKA" else "o--",
        color={"A": "tab:red", "B": "tab:blue"}[label],
        label=f"{label}, {name}",
    )
right.set(xscale="log", xlabel="rows", title="A: 512 columns, unrelated. B: 8, related")
right.legend()
plt.show()

# %%
# What debiasing does not do
# --------------------------
# It makes the mean right, not the single number certain: over a thousand unrelated pairs
# the debiased score scatters around zero on both sides. Whether .05 is more than chance
# is a question for :func:`~sksim.inference.similarity_test`. The test does not need the
# debiased estimator, since it compares each score with a null of its own.

from sksim.inference import similarity_test

scores = [debiased.fit(*rng.normal(size=(2, 100, 8))).score_ for _ in range(1000)]
print(f"debiased, N = 100, D = 8: mean {np.mean(scores):.3f}, std {np.std(scores):.3f}")
X, y = pair(8, 0.3, 100)
for name, measure in {"CKA": biased, "debiased": debiased}.items():
    result = similarity_test(measure, X, y, n_permutations=499, random_state=0)
    print(
        f"{name:8s} score {result.score:.3f}, by chance {result.null_mean:.3f}, "
        f"p = {result.pvalue:.3f}"
    )
