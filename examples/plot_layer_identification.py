"""
Which measure finds the corresponding layer?
============================================

Train one network several times from different initial weights. Layer 3 of one network
should resemble layer 3 of another more than any other layer does. How often a measure
says so is a test of the measure, by Kornblith et al. (2019), who found large differences;
Chen et al. (2021) propose :class:`~sksim.neighbors.GraphBasedSimilarity` (GBS) and report
that it passes more often than :class:`~sksim.rsm.CKA`.
"""

# %%
# Ten networks that differ only in their initial weights
# ------------------------------------------------------
# Five hidden layers each, on images of digits; all are about equally good.

import warnings

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from sksim.alignment import LinearRegressionSimilarity, OrthogonalProcrustes
from sksim.cca import PWCCA, SVCCA, MeanCCA, MeanSquaredCCA
from sksim.evaluation import layer_identification
from sksim.models import extract_representations
from sksim.neighbors import GraphBasedSimilarity
from sksim.plot import SimilarityMatrixDisplay
from sksim.rsm import CKA

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=600, random_state=0, stratify=y
)

networks = []
for seed in range(10):
    network = MLPClassifier((64,) * 5, max_iter=30, random_state=seed)
    with warnings.catch_warnings():
        # thirty rounds are enough here, though the loss still falls
        warnings.simplefilter("ignore", ConvergenceWarning)
        networks.append(network.fit(X_train, y_train))
accuracies = [network.score(X_test, y_test) for network in networks]
print(f"accuracies from {min(accuracies):.3f} to {max(accuracies):.3f}")

# %%
# The hidden layers on rows that no network was trained on:

layers = [extract_representations(network, X_test, "hidden_*") for network in networks]
print({name: rows.shape for name, rows in layers[0].items()})

# %%
# Layer identification
# --------------------
# For each ordered pair of networks and each layer of the first: is the most similar
# layer of the second the one of the same depth? Chance is one in five.
# :func:`~sksim.evaluation.layer_identification` views each layer once and counts. The last
# column has what Kornblith et al. report in their table 2, for ten convolutional networks
# of eight layers (their CCA is the mean correlation, and the mean squared one below it).

measures = {
    "CCA": (MeanCCA(), 1.4),
    "CCA, squared": (MeanSquaredCCA(), 10.6),
    "SVCCA": (SVCCA(), 9.9),
    "PWCCA": (PWCCA(), 11.1),
    "linear regression": (LinearRegressionSimilarity(), 45.4),
    "CKA": (CKA(), 99.3),
    "CKA, RBF kernel": (CKA(kernel="rbf"), 99.1),
    "Procrustes": (OrthogonalProcrustes(), None),
    "GBS": (GraphBasedSimilarity(), None),
}
results, rows = {}, {}
with warnings.catch_warnings():
    # some layers have units that are always off, which correlate with nothing
    warnings.filterwarnings("ignore", message=".*constant column")
    for name, (measure, published) in measures.items():
        results[name] = layer_identification(measure, layers)
        rows[name] = {
            **(100 * results[name].per_layer),
            "all": 100 * results[name].accuracy,
            "published": published,
        }
table = pd.DataFrame(rows).T.astype(float)
print(table.round(1).to_string(na_rep="-"))

# %%
# What it shows. As in the paper, the measures that are invariant to any invertible linear
# map (all but the last four) mostly fail, and CKA does better, with an RBF kernel best of
# the two. Unlike in the paper, linear regression is no better than CCA here, and CKA is
# far from certain: in small fully connected networks of equal widths neighbouring layers
# are much alike, and the deeper, the more. Procrustes, which the paper does not have, finds
# more layers than CKA, and GBS more than linear CKA, as its authors report: both look at
# inner products of rows, but GBS gives each row the same weight, CKA lets rows of large
# norm decide.
#
# The networks' pairs are not independent, and the networks are of one kind: leads of a few
# per cent mean nothing.
#
# Where a measure looks for a layer
# ---------------------------------
# Row: a layer; column: how often which layer of the other network is the most similar. A
# measure that finds all has ones in the frames. SVCCA matches first layers with last ones:
# of few directions against many only the few count, and they are easily found among many.
# Linear regression points to a deeper layer than the one asked for, which varies in fewer
# directions and is the easier to predict. CKA and Procrustes err by one layer at most times.

shown = ["SVCCA", "linear regression", "CKA", "Procrustes"]
figure, axes = plt.subplots(2, 2, figsize=(8, 7), layout="constrained")
for name, ax in zip(shown, axes.flat, strict=True):
    display = SimilarityMatrixDisplay.from_matrix(results[name].found)
    display.plot(ax, title=f"{name}: {results[name].accuracy:.0%}", colorbar=False)
plt.show()
