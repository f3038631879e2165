"""
Where CKA misleads
==================

CKA is the measure that most papers report. Two ways in which it says the wrong thing are
well known (Davari et al., 2022; Ding et al., 2021): one row that is moved takes it from 1 to
near 0, although every answer stays the same; and it stays high when components are removed
that the answers hang on. Both can be seen coming.
"""

# %%
# A layer, and the answers that are read from it
# ----------------------------------------------
# The last hidden layer of a network for handwritten digits. The network's own last weights
# read the answers from it, from a changed copy too.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from sksim import CKA, RSA, MutualKNN, OrthogonalProcrustes, similarity_test
from sksim.models import extract_representations

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=500, stratify=y, random_state=0
)
network = MLPClassifier((64,), tol=1e-3, max_iter=300, random_state=0)
network.fit(X_train, y_train)
layer = extract_representations(network, X_test)["hidden_1"]
weights, bias = network.coefs_[-1], network.intercepts_[-1]


def answers(layer):
    return np.argmax(layer @ weights + bias, axis=1)


def accuracy(layer):
    return np.mean(answers(layer) == y_test)


measures = {
    "CKA": CKA(),
    "CKA, debiased": CKA(debias="rows"),
    "Procrustes": OrthogonalProcrustes(),
    "mutual neighbours": MutualKNN(),
    "RSA, ranks": RSA("euclidean"),
}


def calibrated(measure, changed):
    """0 by chance, 1 if the two are the same."""
    result = similarity_test(measure, layer, changed, n_permutations=49, random_state=0)
    return result.calibrated_score


print(f"accuracy {accuracy(layer):.3f}")

# %%
# One row
# -------
# One of 500 digits is moved, along the direction that its own answer is read by: the answer
# gets surer, and no other digit is touched. No answer changes, however far it goes.

row = np.flatnonzero(answers(layer) == y_test)[0]
direction = weights[:, y_test[row]] - weights.mean(axis=1)
direction /= np.linalg.norm(direction)
size = np.linalg.norm(layer - layer.mean(axis=0), axis=1).mean()
distances = np.array([0, 1, 3, 10, 30, 100])
moved = {name: [] for name in measures}
for distance in distances:
    changed = layer.copy()
    changed[row] += distance * size * direction
    assert np.array_equal(answers(changed), answers(layer))
    for name, measure in measures.items():
        moved[name].append(calibrated(measure, changed))
for name, scores in moved.items():
    print(f"{name:18s} {np.round(scores, 2)}")

# %%
# A row's share in CKA grows with the fourth power of its distance from the mean: from some
# distance on it *is* the second representation, and the first knows nothing of it. Procrustes
# follows, more slowly. Neighbours and ranks count a row once, wherever it is.
#
# Components
# ----------
# Now the principal components are removed, from the weakest up.

center = layer.mean(axis=0)
U, s, Vt = np.linalg.svd(layer - center, full_matrices=False)
kept = np.arange(1, 21)
removed = {name: [] for name in measures}
right = []
for n in kept:
    changed = center + (U[:, :n] * s[:n]) @ Vt[:n]
    right.append(accuracy(changed))
    for name, measure in measures.items():
        removed[name].append(calibrated(measure, changed))
for n in (3, 5, 8, 12):
    scores = ", ".join(f"{name} {removed[name][n - 1]:.2f}" for name in measures)
    print(f"{n:2d} kept: accuracy {right[n - 1]:.2f}; {scores}")

# %%
# CKA counts a component by the square of its variance, so that a few of the strongest are
# nearly all that it sees. What the answers need beyond these costs it next to nothing.

fig, axes = plt.subplots(1, 2, figsize=(9.5, 3.8), layout="constrained")
for name in measures:
    axes[0].plot(distances, moved[name], "o-", label=name)
    axes[1].plot(kept, removed[name], "-", label=name)
axes[0].axhline(1, color="k", linestyle=":", label="equal answers")
axes[0].set(
    xscale="symlog",
    xlabel="one row moves, in mean distances",
    ylabel="0 by chance, 1 identical",
    title="One of 500 rows",
)
axes[1].plot(kept, right, "k:", label="accuracy")
axes[1].set(xlabel="components that are kept", title="Weak components removed")
axes[1].legend(fontsize=8)
plt.show()

# %%
# What to do about it
# -------------------
# **Ask which rows a number is made of.** ``contributions`` splits CKA by rows, and says how
# much larger it is with each row than without: the row that was moved is seen at once.

changed = layer.copy()
changed[row] += 30 * size * direction
parts = CKA().contributions(layer, changed, by="rows")
print(parts.loc[parts["influence"].abs().nlargest(3).index].round(3).to_string())
print(f"the row that was moved: {row}")

# %%
# **Report a measure of another kind beside it**: of neighbours or ranks against outliers,
# Procrustes for what is weak, and always one of the answers. The default panel of
# :func:`~sksim.pairwise.compare` has one of each, and for copies Procrustes comes first.
