"""
Do two models share their blind spots?
======================================

Two models may agree on every row they were tested on and still see different things.
An adversarial example, a row changed just enough to fool one model, tells: if it fools
the other model as well, the two rely on the same features.
:class:`~sksim.functional.AdversarialTransferability` counts how often that happens.

Networks and linear models are attacked along their gradients. Trees and nearest
neighbours have no useful gradient; they need an attack that only asks for decisions,
and any function may be plugged in. If the adversarial-robustness-toolbox is installed,
this example takes its HopSkipJump attack, else a small attack of its own.
"""

# %%
# Five models of one task
# -----------------------
# Tumours described by 30 features, scaled; all models are about equally good.

import importlib.util

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from sksim.functional import AdversarialTransferability, SaliencySimilarity
from sksim.pairwise import similarity_matrix

X, y = load_breast_cancer(return_X_y=True)
X = StandardScaler().fit_transform(X)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.5, random_state=0, stratify=y
)
smooth = {
    "logistic": LogisticRegression(),
    "MLP, seed 0": MLPClassifier((32,), alpha=1, max_iter=1000, random_state=0),
    "MLP, seed 1": MLPClassifier((32,), alpha=1, max_iter=1000, random_state=1),
}
others = {
    "forest": RandomForestClassifier(50, random_state=0),
    "neighbours": KNeighborsClassifier(),
}
models = smooth | others
for name, model in models.items():
    model.fit(X_train, y_train)
    print(f"{name:12s} accuracy {model.score(X_test, y_test):.3f}")

# %%
# Attacks along the gradient
# --------------------------
# One step of length .5 along the sign of the gradient (FGSM). The matrix holds the
# logarithm of the percentage of crossing errors; log 100 = 4.6 is the most.

fgsm = AdversarialTransferability(attack="fgsm", eps=0.5, data_range="data")
print(similarity_matrix(fgsm, smooth, data=X_test, y_true=y_test).round(2))

# %%
# The rates behind it: what fools the model itself, and what carries over.

fgsm.fit(smooth["logistic"], smooth["MLP, seed 0"], X_test, y_test)
print(f"errors of the attacked logistic regression: {fgsm.success_rate_x_:.2f}")
print(f"errors of the network on the same rows:     {fgsm.transfer_rate_y_:.2f}")

# %%
# The gradients themselves point in similar directions, which is why the attacks
# transfer:

saliency = SaliencySimilarity(absolute=False)
print(similarity_matrix(saliency, smooth, data=X_test, y_true=y_test).round(2))

# %%
# Attacks that only ask for decisions
# -----------------------------------
# A decision-based attack sees labels only, so that it works on every model. Ours goes
# from a row straight to the nearest row that the model puts into another class, and
# stops just behind the border: bisection, twenty questions for each row.


def walk_to_another_class(model, rows, labels):
    """Rows moved just over the border, towards the nearest row of another class."""
    predicted = model.predict(X_train)
    moved = rows.copy()
    for label in np.unique(labels):
        targets = X_train[predicted != label]
        own = np.flatnonzero(labels == label)
        distances = ((rows[own, None] - targets[None]) ** 2).sum(axis=2)
        ends = targets[distances.argmin(axis=1)]
        inside, outside = np.zeros(len(own)), np.ones(len(own))
        for _ in range(20):
            middle = (inside + outside) / 2
            there = rows[own] + middle[:, None] * (ends - rows[own])
            fooled = model.predict(there) != label
            outside = np.where(fooled, middle, outside)
            inside = np.where(fooled, inside, middle)
        moved[own] = rows[own] + outside[:, None] * (ends - rows[own])
    return moved


def hop_skip_jump(model, rows, labels):
    """HopSkipJump of the adversarial-robustness-toolbox, which asks for labels only."""
    from art.attacks.evasion import HopSkipJump
    from art.estimators.classification import BlackBoxClassifier

    n_classes = len(model.classes_)
    asked = BlackBoxClassifier(
        lambda x: np.eye(n_classes)[model.predict(x)],
        input_shape=rows.shape[1:],
        nb_classes=n_classes,
        clip_values=(X.min(), X.max()),
    )
    attack = HopSkipJump(asked, max_iter=5, max_eval=100, init_eval=10, verbose=False)
    return attack.generate(rows.astype(np.float32)).astype(float)


if importlib.util.find_spec("art") is None:
    print("adversarial-robustness-toolbox is not installed: bisection of our own.")
    attack = walk_to_another_class
else:
    print("HopSkipJump of the adversarial-robustness-toolbox.")
    attack = hop_skip_jump

decisions = AdversarialTransferability(attack=attack)
few = np.random.default_rng(0).choice(len(X_test), 40, replace=False)
matrix = similarity_matrix(decisions, models, data=X_test[few], y_true=y_test[few])
print(matrix.round(2))

# %%
# The examples of the bisection lie just behind the border of the model that they were
# made for. They transfer to another model only where its border is nearer still. Half
# of the rows (log 50 = 3.9) is what two models with the same idea of the task get.

fig, ax = plt.subplots(figsize=(5.5, 4.5), layout="constrained")
picture = ax.imshow(matrix, cmap="viridis")
ax.set_xticks(range(len(matrix)), matrix.columns, rotation=30, ha="right")
ax.set_yticks(range(len(matrix)), matrix.index)
for i, row in enumerate(matrix.to_numpy()):
    for j, value in enumerate(row):
        dark = value < matrix.to_numpy().mean()
        color = "white" if dark else "black"
        ax.text(j, i, f"{value:.1f}", ha="center", va="center", color=color)
ax.set_title("Transferability, decision-based attack")
fig.colorbar(picture, label="log of the percentage of crossing errors")
plt.show()
