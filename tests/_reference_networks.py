"""The small models whose gradients, attacks and stitches the originals computed."""

from functools import cache

import numpy as np
from _reference import reference_arrays
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import LabelBinarizer, StandardScaler

NAMES = ("logreg", "mlp0", "mlp1", "mlp_tanh2")


@cache
def breast_cancer():
    """Scaled rows and labels: those of fitting, then those of testing."""
    X, y = load_breast_cancer(return_X_y=True)
    split = train_test_split(X, y, test_size=0.5, random_state=0, stratify=y)
    scaler = StandardScaler().fit(split[0])
    return scaler.transform(split[0]), split[2], scaler.transform(split[1]), split[3]


@cache
def reference_model(name):
    """scikit-learn estimator with the stored weights, without having been fitted."""
    arrays = reference_arrays("gradients")
    weights, biases = [], []
    while f"{name}__W{len(weights)}" in arrays:
        weights.append(arrays[f"{name}__W{len(weights)}"])
        biases.append(arrays[f"{name}__b{len(biases)}"])
    if name == "logreg":
        model = LogisticRegression()
        model.coef_, model.intercept_ = weights[0].T, biases[0]
        model.classes_ = np.array([0, 1])
        model.n_features_in_ = weights[0].shape[0]
        return model
    activation = "tanh" if "tanh" in name else "relu"
    return network(weights, biases, activation)


def network(weights, biases, activation):
    """MLPClassifier of given weights; with one output a binary one."""
    sizes = tuple(W.shape[1] for W in weights[:-1])
    model = MLPClassifier(sizes, activation=activation)
    model.coefs_, model.intercepts_ = weights, biases
    model.n_layers_ = len(weights) + 1
    model.n_features_in_ = weights[0].shape[0]
    model.n_outputs_ = weights[-1].shape[1]
    n_classes = max(2, model.n_outputs_)
    model.out_activation_ = "logistic" if n_classes == 2 else "softmax"
    model.classes_ = np.arange(n_classes)
    model._label_binarizer = LabelBinarizer().fit(model.classes_)
    return model
