"""
Which copy may be shipped?
==========================

A network for handwritten digits is to be replaced by a smaller copy: pruned, rounded to
8 bits, or distilled into a narrow one. All copies are about as accurate. Row by row they
are not alike: what changed, on which digits, and whether a copy is worse by no more than
was agreed on.
"""

# %%
# A network and three copies
# --------------------------

from copy import deepcopy

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from sksim import compare_predictions

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, train_size=700, stratify=y, random_state=0
)
network = MLPClassifier((64, 64), max_iter=400, random_state=0).fit(X_train, y_train)


def with_weights(change):
    """A copy of the network whose weights are changed, layer by layer."""
    copy = deepcopy(network)
    copy.coefs_ = [change(weights) for weights in copy.coefs_]
    return copy


def pruned(weights):
    """The 60 % smallest weights become zero."""
    return np.where(np.abs(weights) < np.quantile(np.abs(weights), 0.6), 0, weights)


def in_8_bits(weights):
    """255 steps between the largest weight and its negative."""
    step = np.abs(weights).max() / 127
    return np.round(weights / step) * step


teacher = network.predict(X_train)  # the narrow network learns what the wide one says
copies = {
    "8 bits": with_weights(in_8_bits),
    "pruned": with_weights(pruned),
    "distilled": MLPClassifier((12,), max_iter=2000, random_state=1).fit(
        X_train, teacher
    ),
}

# %%
# May it replace the network?
# ---------------------------
# Two points of accuracy would matter; that is said before we look. Slices are the true
# digits and how much ink a picture has: a copy that is as good on the whole may be worse
# where it counts.

rows = pd.DataFrame({"digit": y_test, "target": y_test})
rows["ink"] = pd.qcut(X_test.sum(axis=1), 3, labels=["thin", "medium", "thick"])
original = rows.assign(answer=network.predict(X_test))
results = {
    name: compare_predictions(
        original,
        rows.assign(answer=copy.predict(X_test)),
        slices=["digit", "ink"],
        margin=0.02,
    )
    for name, copy in copies.items()
}
for name, result in results.items():
    print(f"{name}: {result.sentence()}\n")

# %%
# In the sentences a is the network and b its copy. The question is not whether a copy
# differs significantly. The distilled one does, and may be shipped: it is sure to be worse
# by less than two points. A high p-value of a difference would not say that.

table = pd.DataFrame(
    {
        name: {
            "accuracy": result.accuracy_b,
            "answers that changed": result.churn,
            "became wrong": result.negative_flips,
            "became right": result.positive_flips,
            "p of not worse": result.noninferiority_pvalue,
            "may be shipped": result.is_noninferior,
        }
        for name, result in results.items()
    }
).T
print(table.to_string())

# %%
# By slice
# --------
# Each slice with its interval, in points: to the right of zero the network is better. A
# slice is drawn in colour where that is so after Holm's correction for all of them.

fig, axes = plt.subplots(1, 3, figsize=(10, 4.5), sharey=True, layout="constrained")
for ax, (name, result) in zip(axes, results.items(), strict=True):
    table = result.to_frame()
    places = np.arange(len(table))[::-1]
    differ = (table["pvalue_holm"].fillna(table["pvalue"]) < 0.05).to_numpy()
    for is_sure, color in ((False, "0.4"), (True, "tab:red")):
        chosen = differ == is_sure
        part = 100 * table.loc[chosen, ["low", "difference", "high"]]
        ax.hlines(places[chosen], part["low"], part["high"], color=color)
        ax.plot(part["difference"], places[chosen], "o", color=color)
    ax.axvline(0, color="0.8", zorder=0)
    ax.axvline(100 * result.margin, color="0.8", linestyle=":", zorder=0)
    ax.set(title=name, xlabel="network minus copy, points")
axes[0].set_yticks(places, table.index)
plt.show()

# %%
# Pruning makes the eights pay: the copy lost a sixth of them. The rows that became wrong
# are there by their numbers, to be looked at.

print(results["pruned"].flipped_rows.query("truth == 8").head().to_string())
