"""
CKA is .7: of what?
===================

A score is one number of many rows and directions. Two networks that each learned one
question about handwritten digits have the same CKA, .69, with a network that tells all
ten apart. What they share with it is not the same, and the parts of the score say so.
"""

# %%
# Three networks with a hidden layer of 64 units: all ten digits; "is it a zero?"; "is it
# less than five?". They are compared on 300 digits that none was trained on.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from sksim.alignment import OrthogonalProcrustes
from sksim.models import extract_representations
from sksim.plot import ContributionsDisplay
from sksim.rsm import CKA

X, digit = load_digits(return_X_y=True)
X = X / 16
train, rest = slice(0, 1200), slice(1200, 1500)


def hidden_layer(labels, seed, n_epochs):
    """Hidden layer of a network that learned some labels, on the other digits."""
    model = MLPClassifier((64,), max_iter=n_epochs, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X[train], labels[train])
    return extract_representations(model, X[rest])["hidden_1"]


digits = hidden_layer(digit, seed=0, n_epochs=60)
questions = {
    "is it a zero?": hidden_layer(digit == 0, seed=1, n_epochs=20),
    "less than five?": hidden_layer(digit < 5, seed=1, n_epochs=20),
}
for question, layer in questions.items():
    print(f"{question:16s} CKA {CKA().fit(digits, layer).score_:.2f}")

# %%
# **By principal components.** Each cell is a pair of components, one of either layer, and
# all cells add up to CKA. The network of zeros shares the second component of the network
# of digits, which is its own first; the other shares the first, which is its own second.

_, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for ax, (question, layer) in zip(axes, questions.items(), strict=True):
    display = ContributionsDisplay.from_representations(CKA(), digits, layer)
    display.plot(ax, n_parts=5, name=f"{question} CKA")

# %%
# **By classes.** What pairs of images of two classes add. The zeros are a tenth of the
# images. They carry a third of the one score, and little of the other.

_, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for ax, (question, layer) in zip(axes, questions.items(), strict=True):
    display = ContributionsDisplay.from_representations(
        CKA(), digits, layer, by="classes", y_true=digit[rest]
    )
    display.plot(ax, name=f"{question} CKA")
    parts = display.table.to_numpy()
    share = parts[0].sum() / parts.sum()
    print(f"{question:16s} share of the zeros {share:.2f}")

# %%
# **By rows.** The part of a row is what it adds with all others; its influence is what
# the score would lose without it. No single image makes these scores.

_, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for ax, (question, layer) in zip(axes, questions.items(), strict=True):
    table = CKA().contributions(digits, layer, by="rows")
    ContributionsDisplay.from_table(table).plot(ax, n_parts=8, name=f"{question} CKA")
    images = table["influence"].abs().nlargest(3).index
    print(
        f"{question:16s} largest influence {table['influence'].abs().max():.4f}, of "
        f"images of {', '.join(map(str, digit[rest][images]))}"
    )

# %%
# **After a rotation** the overlap is a sum over rows, and what the rotation leaves of a
# class, its residual, says where the two representations differ.

for question, layer in questions.items():
    table = OrthogonalProcrustes().contributions(
        digits, layer, by="classes", y_true=digit[rest]
    )
    worst = table["residual"].nlargest(3).index
    print(
        f"{question:16s} overlap {table['part'].sum():.2f}, most is left of "
        f"{', '.join(map(str, worst))}"
    )
    assert np.isclose(table["residual"].sum(), 2 - 2 * table["part"].sum())
plt.show()
