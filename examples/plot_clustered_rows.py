"""
Patches of one image are not independent rows
=============================================

Four patches of each of 60 images make 240 rows: may a permutation test treat them as 240
independent ones? It may not, and the price of doing so is that nearly everything
becomes significant.
"""

# %%
# Two representations with nothing to say about each other
# --------------------------------------------------------
# The first network sees the patches of 60 digits; the second sees the patches of 60
# *other* digits. Row i of the one is a patch of image i // 4, row i of the other a patch
# of an unrelated image. Each network is a random ReLU layer.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from sksim.inference import similarity_test
from sksim.rsm import CKA

images = load_digits().images / 16
n_images = 60
groups = np.repeat(np.arange(n_images), 4)


def patches(images):
    """The four quadrants of each image, one row for each."""
    return images.reshape(-1, 2, 4, 2, 4).transpose(0, 1, 3, 2, 4).reshape(-1, 16)


def random_network(X, rng):
    """Thirty ReLU units with random weights."""
    return np.maximum(X @ rng.normal(size=(16, 30)) + rng.normal(size=30), 0)


def unrelated_pair(seed):
    """Patches of 60 digits, and of 60 others."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(images), 2 * n_images, replace=False)
    first, second = images[chosen[:n_images]], images[chosen[n_images:]]
    return random_network(patches(first), rng), random_network(patches(second), rng)


X, y = unrelated_pair(0)
free = similarity_test(CKA(), X, y, n_permutations=199, random_state=0)
blocks = similarity_test(CKA(), X, y, groups=groups, n_permutations=199, random_state=0)
print(f"CKA {free.score:.2f}")
print(f"rows permuted freely: by chance {free.null_mean:.2f}, p = {free.pvalue:.3f}")
print(
    f"images permuted:      by chance {blocks.null_mean:.2f}, p = {blocks.pvalue:.3f}"
)

# %%
# The same number, two verdicts. Upper left patches resemble each other more than they
# resemble lower right ones, whichever digit they are of. Both networks see that, and it
# has nothing to do with the images. A free shuffle destroys it, so that its null is far
# too low. With ``groups=`` the four patches of an image stay together and in order: only
# images change partners, which is the question asked.

# %%
# How often is nothing called something?
# --------------------------------------
# A hundred such pairs, at the level of .05. If a test holds its level, its p-values are
# spread evenly, and about five of them are at most .05.

pvalues = {"rows permuted": [], "images permuted": []}
for seed in range(1, 101):
    X, y = unrelated_pair(seed)
    for label, kind in (("rows permuted", None), ("images permuted", groups)):
        result = similarity_test(
            CKA(), X, y, groups=kind, n_permutations=99, random_state=seed
        )
        pvalues[label].append(result.pvalue)
for label, values in pvalues.items():
    print(f"{label:16s} significant: {np.mean(np.array(values) <= 0.05):.0%} of pairs")

# %%
# Left: the pair from above, far from the one null and in the midst of the other. Right:
# the p-values of the hundred pairs; those of free permutations are all in the corner.

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
for result, label in ((free, "rows permuted"), (blocks, "images permuted")):
    left.hist(result.null_distribution, bins=20, alpha=0.6, label=label)
left.axvline(free.score, color="black", label="the data")
left.set(xlabel="CKA", ylabel="permutations", title="One unrelated pair: two nulls")
left.legend()
for label, values in pvalues.items():
    right.plot(np.sort(values), np.arange(1, 101) / 100, label=label)
right.plot([0, 1], [0, 1], color="0.6", linestyle=":", label="as it should be")
right.set(xlabel="p-value", ylabel="share of pairs", title="A hundred unrelated pairs")
right.legend()
plt.show()

# %%
# And where there is something?
# -----------------------------
# The honest test still has power: two different random networks on patches of the *same*
# images are told from chance.

chosen = np.random.default_rng(0).choice(len(images), n_images, replace=False)
rows = patches(images[chosen])
X, y = (random_network(rows, np.random.default_rng(seed)) for seed in (1, 2))
related = similarity_test(
    CKA(), X, y, groups=groups, n_permutations=199, random_state=0
)
print(
    f"same images: CKA {related.score:.2f}, by chance {related.null_mean:.2f}, "
    f"p = {related.pvalue:.3f}"
)

# %%
# ``strata=groups`` asks the third question: do the two agree on patches beyond what
# the patches of one image have in common? On the unrelated pairs it says yes as well, and
# is right: position within the image *is* something both networks see. Tokens of one
# text and frames of one film are the same case.

X, y = unrelated_pair(0)
within = similarity_test(CKA(), X, y, strata=groups, n_permutations=199, random_state=0)
print(f"within images: by chance {within.null_mean:.2f}, p = {within.pvalue:.3f}")
