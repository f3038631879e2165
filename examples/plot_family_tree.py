"""
=======================
Family tree of networks
=======================

Which of these networks were made from which? Three networks are trained on digits from
three seeds. Of each there are fine-tunes, of these there are some more, and whoever
passed them on has put the hidden units of every single one in another order, so that
their weights can't be compared place by place.

:class:`~sksim.structural.WeightMatching` puts the units in one order before it takes the
distance of all weights, and the tree of these distances is the family's. No data are
needed for it: the weights are enough.
"""

from copy import deepcopy

import matplotlib.pyplot as plt
import numpy as np
from scipy.cluster.hierarchy import dendrogram, linkage
from scipy.spatial.distance import squareform
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from sksim import independence_test, similarity_matrix
from sksim.structural import WeightMatching

X, y = load_digits(return_X_y=True)
X = X / 16
rng = np.random.default_rng(0)

# %%
# A fine-tune sees some of the digits only, for eight epochs. Three families of four: a
# base, two fine-tunes, and a fine-tune of the first of these.


def tuned(network, digits, epochs=8):
    """The network, trained on for some epochs with some of the digits."""
    child = deepcopy(network)
    rows = np.isin(y, digits)
    for _ in range(epochs):
        child.partial_fit(X[rows], y[rows])
    return child


def reordered(network):
    """The same function, with hidden units in a random order."""
    other = deepcopy(network)
    order = rng.permutation(network.coefs_[0].shape[1])
    other.coefs_ = [network.coefs_[0][:, order], network.coefs_[1][order]]
    other.intercepts_ = [network.intercepts_[0][order], network.intercepts_[1]]
    return other


family = {}
for name, seed in zip("ABC", range(3), strict=True):
    base = MLPClassifier((48,), learning_rate_init=0.003, random_state=seed)
    for _ in range(25):
        base.partial_fit(X, y, classes=np.arange(10))
    low, high = tuned(base, range(5)), tuned(base, range(5, 10))
    family[name] = base
    family[f"{name} on 0-4"] = low
    family[f"{name} on 5-9"] = high
    family[f"{name} on 0-4, then 5-9"] = tuned(low, range(5, 10))
family = {name: reordered(network) for name, network in family.items()}

# %%
# Distances of all pairs, without and with matching. The statistic is the distance; the
# attribute ``unmatched_distance_`` of a single fit is the one before.

distances = similarity_matrix(WeightMatching(), family, output="statistic")
measure = WeightMatching()
before = [
    [measure.fit(a, b).unmatched_distance_ for b in family.values()]
    for a in family.values()
]

# %%
# Place by place all networks are about equally far from each other. With matched units
# the three families separate, and within each the grandchild joins last.

fig, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for ax, matrix, title in (
    (axes[0], np.array(before), "units as they are"),
    (axes[1], distances.to_numpy(), "units matched"),
):
    tree = linkage(squareform(matrix, checks=False), "average")
    dendrogram(tree, labels=list(family), orientation="left", ax=ax)
    ax.set(title=title, xlabel="distance of the weights")
plt.show()

# %%
# Is it more than chance? The robust form of
# :func:`~sksim.inference.independence_test` matches units twice, by what they are given
# and by what they give on, and tests whether both agree. Fine-tunes are told from
# networks of another family, although all have learnt the same task.

base = family["A"]
for name, network in family.items():
    pvalue = independence_test(base, network, robust=True).pvalue
    print(f"A and {name}: p = {pvalue:.2g}")
