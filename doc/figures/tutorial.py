"""A network and its pruned copy: layers, and what pruning does to both numbers."""

from copy import deepcopy

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from sksim import CKA, similarity_matrix
from sksim.models import extract_representations
from sksim.plot import SimilarityMatrixDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, _ = train_test_split(
    X / 16, y, test_size=400, stratify=y, random_state=0
)
network = MLPClassifier((64, 32), tol=0.01, n_iter_no_change=5, random_state=1)
network.fit(X_train, y_train)
before, answers = extract_representations(network, X_test), network.predict(X_test)


def pruned(share):
    copy = deepcopy(network)
    copy.coefs_ = [
        np.where(abs(w) < np.quantile(abs(w), share), 0, w) for w in network.coefs_
    ]
    return copy


fig, axes = plt.subplots(1, 2, layout="constrained")
after = extract_representations(pruned(0.6), X_test)
layers = similarity_matrix(CKA(debias="rows"), before, after)
SimilarityMatrixDisplay.from_matrix(layers).plot(axes[0])
axes[0].set_title("CKA of layers, 60 % pruned")
shares = np.linspace(0, 0.9, 19)
curves = {"CKA of hidden 2": [], "equal answers": []}
for share in shares:
    copy = pruned(share)
    layer = extract_representations(copy, X_test)["hidden_2"]
    score = CKA(debias="rows").fit(before["hidden_2"], layer).score_
    curves["CKA of hidden 2"].append(score)
    curves["equal answers"].append(np.mean(copy.predict(X_test) == answers))
for name, values in curves.items():
    axes[1].plot(shares, values, "o-", label=name)
axes[1].axvline(0.6, color="0.8", zorder=0)
axes[1].set(xlabel="share of weights that are pruned", ylim=(0, 1.03))
axes[1].legend(loc="lower left")
