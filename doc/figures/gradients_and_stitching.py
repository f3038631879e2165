"""Saliency of random gradients, and transfer that grows with the step."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from sksim.functional import AdversarialTransferability, SaliencySimilarity

rng = np.random.default_rng(0)
widths = (2, 5, 10, 20, 50, 100)
saliency = {"absolute values": [], "signed": []}
for width in widths:
    data = rng.normal(size=(300, width))
    labels = rng.integers(0, 2, 300)
    models = []
    for _ in range(20):
        random_labels = rng.normal(size=(300, width)) @ rng.normal(size=width) > 0
        models.append(LogisticRegression().fit(data, random_labels))
    for name, values in saliency.items():
        measure = SaliencySimilarity(absolute=name != "signed", target="predicted")
        pairs = zip(models[::2], models[1::2], strict=True)
        values.append(np.mean([measure.fit(*p, data, labels).score_ for p in pairs]))

X, y = load_breast_cancer(return_X_y=True)
X = StandardScaler().fit_transform(X)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
halves = np.array_split(np.arange(30), 2)


class Half(LogisticRegression):
    """A model that only sees the first, or the second, half of the features."""

    def __init__(self, half=0):
        super().__init__()
        self.half = half

    def fit(self, X, y):
        """Fit to the half, with coefficients of zero for the rest."""
        columns = halves[self.half]
        super().fit(X[:, columns], y)
        coefficients = np.zeros((1, X.shape[1]))
        coefficients[:, columns] = self.coef_
        self.coef_, self.n_features_in_ = coefficients, X.shape[1]
        return self


pairs = {
    "the same model": (LogisticRegression(), LogisticRegression()),
    "half of the rows each": (LogisticRegression(), LogisticRegression()),
    "half of the features each": (Half(0), Half(1)),
}
sizes = np.linspace(0.1, 3, 15)
fig, (left, right) = plt.subplots(1, 2, layout="constrained")
for name, values in saliency.items():
    left.plot(widths, values, "o-", label=name)
left.axhline(2 / np.pi, color="0.6", linestyle=":", label="2 / π")
left.set(
    xscale="log", xlabel="features", ylabel="saliency similarity", title="Random models"
)
left.legend()
middle = len(X_train) // 2
for name, (first, second) in pairs.items():
    if name == "half of the rows each":
        first.fit(X_train[:middle], y_train[:middle])
        second.fit(X_train[middle:], y_train[middle:])
    else:
        first.fit(X_train, y_train)
        second.fit(X_train, y_train)
    rates = [
        AdversarialTransferability(eps=eps)
        .fit(first, second, X_test, y_test)
        .transfer_rate_y_
        for eps in sizes
    ]
    right.plot(sizes, rates, label=name)
right.set(xlabel="eps", ylabel="share of rows that transfer", title="FGSM")
right.legend()
