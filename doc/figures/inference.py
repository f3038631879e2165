"""One number, two nulls."""

import matplotlib.pyplot as plt
import numpy as np

from sksim.inference import similarity_test
from sksim.rsm import CKA

rng = np.random.default_rng(3)
X, unrelated = rng.normal(size=(2, 100, 256))
related = X[:, :20] + rng.normal(size=(100, 20))
fig, axes = plt.subplots(1, 2, sharex=True, layout="constrained")
pairs = {"256 and 256 columns, unrelated": unrelated, "256 and 20, related": related}
for ax, (title, y) in zip(axes, pairs.items(), strict=True):
    result = similarity_test(CKA(), X, y, n_permutations=499, random_state=0)
    ax.hist(result.null_distribution, bins=25, color="0.7", label="rows shuffled")
    label = f"the data, p = {result.pvalue:.3f}"
    ax.axvline(result.score, color="tab:red", label=label)
    ax.set(xlabel="CKA", title=title)
    ax.legend(loc="upper left" if title.endswith("unrelated") else "upper right")
axes[0].set_ylabel("permutations")
