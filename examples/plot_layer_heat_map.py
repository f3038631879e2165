"""
Layers against layers
=====================

Which layers of two networks compute the same? A matrix of all layers against all layers
answers at a glance, and layer identification turns the answer into a number.
"""

# %%
# Five small networks on digits, equal but for their seeds.

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=400, stratify=y, random_state=0
)
networks = [
    MLPClassifier((48, 48, 48, 48), max_iter=60, tol=0.01, random_state=seed).fit(
        X_train, y_train
    )
    for seed in range(5)
]

# %%
# Light is similar, for distances too. The frames mark corresponding layers. CKA finds
# neighbouring layers similar and the output apart; mean CCA, which ignores how much
# variance a direction has, sees less of a difference between any two layers.

import matplotlib.pyplot as plt

from sksim.alignment import OrthogonalProcrustes
from sksim.cca import MeanCCA
from sksim.plot import SimilarityMatrixDisplay
from sksim.rsm import CKA

fig, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
for ax, measure in zip(axes, (CKA(), MeanCCA(), OrthogonalProcrustes()), strict=True):
    display = SimilarityMatrixDisplay.from_estimators(
        measure, networks[0], networks[1], X_test
    )
    display.plot(ax, title=type(measure).__name__)

# %%
# Layer identification asks, for each pair of networks and each hidden layer, whether the
# corresponding layer is the most similar one. Guessing would give 1 / 4.

import pandas as pd

from sksim.cca import PWCCA, SVCCA, MeanSquaredCCA
from sksim.evaluation import layer_identification
from sksim.extract import extract_representations

layers = [extract_representations(model, X_test, "hidden_*") for model in networks]
measures = {
    "mean CCA": MeanCCA(),
    "mean squared CCA": MeanSquaredCCA(),
    "SVCCA": SVCCA(),
    "PWCCA": PWCCA(),
    "CKA, linear": CKA(),
    "CKA, RBF": CKA(kernel="rbf"),
    "Procrustes": OrthogonalProcrustes(),
}
accuracy = pd.DataFrame(
    {
        name: layer_identification(layers, measure).per_layer
        for name, measure in measures.items()
    }
).T
accuracy["all"] = accuracy.mean(axis=1)
accuracy.round(2)
