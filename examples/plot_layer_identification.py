"""
Which measure finds the corresponding layer?
============================================

Train one network several times from different initial weights. Layer 3 of one network
should resemble layer 3 of another more than any other layer does. How often a measure
says so is a test of the measure, by Kornblith et al. (2019); Chen et al. (2021) propose
:class:`~sksim.neighbors.GraphBasedSimilarity` (GBS) and report that it passes more often
than :class:`~sksim.rsm.CKA`.
"""

# %%
# Five networks that differ only in their initial weights
# -------------------------------------------------------
# Five hidden layers each, on images of digits; all are about equally good.

import warnings
from itertools import permutations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from sksim.alignment import OrthogonalProcrustes
from sksim.cca import MeanSquaredCCA
from sksim.extract import extract_representations
from sksim.neighbors import (
    CKNNA,
    GraphBasedSimilarity,
    NeighborJaccard,
    SecondOrderCosine,
)
from sksim.pairwise import similarity_matrix
from sksim.rsm import CKA

N_NETWORKS, N_LAYERS, WIDTH = 5, 5, 64

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=600, random_state=0, stratify=y
)

networks = []
for seed in range(N_NETWORKS):
    network = MLPClassifier((WIDTH,) * N_LAYERS, max_iter=60, random_state=seed)
    with warnings.catch_warnings():
        # sixty rounds are enough here, though the loss still falls
        warnings.simplefilter("ignore", ConvergenceWarning)
        networks.append(network.fit(X_train, y_train))
accuracies = [network.score(X_test, y_test) for network in networks]
print("accuracies:", ", ".join(f"{a:.3f}" for a in accuracies))

# %%
# The hidden layers on rows that no network was trained on:

layers = []
for network in networks:
    found = extract_representations(network, X_test, layers="hidden_*")
    layers.append(found)
print({name: rows.shape for name, rows in layers[0].items()})

# %%
# Layer identification
# --------------------
# For each ordered pair of networks and each layer of the first: is the most similar
# layer of the second the one of the same depth? Chance is one in five.


all_layers = {
    f"network {i + 1}, {name}": rows
    for i, found in enumerate(layers)
    for name, rows in found.items()
}


def identification(measure):
    """Whether each layer is found, pair by pair of networks, and the mean scores."""
    # one matrix of all layers of all networks: each layer is viewed once
    scores = similarity_matrix(measure, all_layers).to_numpy()
    blocks = scores.reshape(N_NETWORKS, N_LAYERS, N_NETWORKS, N_LAYERS)
    matrices = [blocks[i, :, j] for i, j in permutations(range(N_NETWORKS), 2)]
    best = np.array([matrix.argmax(axis=1) for matrix in matrices])
    return best == np.arange(N_LAYERS), np.mean(matrices, axis=0)


measures = {
    "GBS": GraphBasedSimilarity(),
    "GBS, 10 strongest edges": GraphBasedSimilarity(n_neighbors=10),
    "CKA": CKA(),
    "CKA, RBF kernel": CKA(kernel="rbf"),
    "Procrustes": OrthogonalProcrustes(),
    "mean squared CCA": MeanSquaredCCA(),
    "second-order cosine": SecondOrderCosine(),
    "neighbour Jaccard": NeighborJaccard(),
    "CKNNA": CKNNA(),
}
shares, is_found, means = {}, {}, {}
for name, measure in measures.items():
    is_found[name], means[name] = identification(measure)
    by_depth = is_found[name].mean(axis=0)
    columns = {f"layer {i + 1}": share for i, share in enumerate(by_depth)}
    shares[name] = {**columns, "all": by_depth.mean()}
table = pd.DataFrame(shares).T.sort_values("all", ascending=False)
print(table.round(2).to_string())

# %%
# GBS finds the corresponding layer more often than linear CKA, as its authors report: both
# look at inner products of rows, but GBS gives each row the same weight, CKA lets rows of
# large norm decide. Still, on these networks Procrustes and CKA with an RBF kernel do
# better. Measures of near neighbours alone recognise the first layers only: the deeper a
# layer, the less two networks agree on who is nearest within a class, so that every layer
# seems most similar to an early one.
#
# Five networks are few, and their pairs are not independent: a lead of a tenth over all
# layers, as GBS has over linear CKA, is a hint and no proof. Pair by pair:

n_found = {name: found.sum(axis=1) for name, found in is_found.items()}
more = int(np.sum(n_found["GBS"] > n_found["CKA"]))
fewer = int(np.sum(n_found["GBS"] < n_found["CKA"]))
print(
    f"of {len(n_found['CKA'])} ordered pairs, more layers in {more}, fewer in {fewer}"
)

# %%
# The mean scores behind the table. A measure identifies a layer where the diagonal is the
# largest entry of its row; what the level of the scores is does not matter.

shown = ["GBS", "CKA", "Procrustes", "neighbour Jaccard"]
figure, axes = plt.subplots(1, len(shown), figsize=(12, 3.2), layout="constrained")
ticks = range(N_LAYERS), range(1, N_LAYERS + 1)
for name, ax in zip(shown, axes, strict=True):
    image = ax.imshow(means[name], cmap="viridis")
    figure.colorbar(image, ax=ax, shrink=0.8)
    ax.set_title(f"{name}: {table.loc[name, 'all']:.0%}")
    ax.set_xticks(*ticks)
    ax.set_yticks(*ticks)
    ax.set_xlabel("layer of one network")
axes[0].set_ylabel("layer of another")
plt.show()
