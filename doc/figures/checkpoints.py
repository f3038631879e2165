"""Twenty checkpoints of two runs: a map, and the way to the last one."""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from sksim import CKA, similarity_matrix
from sksim.models import extract_representations
from sksim.plot import ModelMapDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, _ = train_test_split(
    X / 16, y, test_size=300, stratify=y, random_state=0
)
layers = {}
for seed in ("a", "b"):
    network = MLPClassifier((32,), random_state=ord(seed))
    for epoch in range(1, 11):
        network.partial_fit(X_train, y_train, classes=range(10))
        layer = extract_representations(network, X_test)["hidden_1"]
        layers[f"{seed}{epoch}"] = layer
cka = similarity_matrix(CKA(debias="rows"), layers)
fig, axes = plt.subplots(1, 2, layout="constrained")
ModelMapDisplay.from_matrix(cka, n_clusters=2).plot(axes[0])
for seed in ("a", "b"):
    names = [f"{seed}{epoch}" for epoch in range(1, 11)]
    axes[1].plot(range(1, 11), cka.loc[names, names[-1]], "o-", label=f"run {seed}")
axes[1].set(xlabel="epoch", ylabel="CKA with the last")
axes[1].legend()
