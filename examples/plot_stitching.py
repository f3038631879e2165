"""
Stitching: can one network work with another's layers?
======================================================

Cut two trained networks, put a linear map between the head of one and the tail of the
other, and see whether the chimera still works. Unlike measures of representations,
:class:`~sksim.functional.ModelStitching` asks whether what the tail *needs* is there.
"""

# %%
# Two networks of handwritten digits
# ----------------------------------
# They differ in their seeds only; each has three hidden layers.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from sksim.functional import ModelStitching, stitching_layers
from sksim.pairwise import similarity_matrix

X, y = load_digits(return_X_y=True)
X_train, X_rest, y_train, y_rest = train_test_split(
    X / 16, y, test_size=0.5, random_state=0, stratify=y
)
first, second = (
    MLPClassifier((64, 48, 32), max_iter=500, random_state=seed).fit(X_train, y_train)
    for seed in (0, 1)
)
for name, model in (("first", first), ("second", second)):
    print(f"{name:6s} accuracy {model.score(X_rest, y_rest):.3f}")

# %%
# One stitched model
# ------------------
# A layer is named by a pair (model, layer). The rows are split inside: the stitch is
# never fitted on rows that it is scored on.

measure = ModelStitching().fit(
    (first, "hidden_2"), (second, "hidden_2"), X_rest, y_rest
)
print(f"second network alone {measure.end_score_:.3f}")
print(f"stitched             {measure.stitched_score_:.3f}")
print(f"without a stitch     {measure.identity_score_:.3f}")
print(f"with a random tail   {measure.random_tail_score_:.3f}")
print(f"parameters of the stitch: {measure.n_stitch_parameters_}")

# %%
# The controls belong to the result. Without a stitch the tail can't make sense of the
# other network's units, which stand in another order; with a tail that has learnt
# nothing, the stitch alone does not solve the task.
#
# The stitched model is a Pipeline that predicts:

print(measure.stitched_model_.predict(X_rest[:10]), y_rest[:10])

# %%
# All layers against all layers
# -----------------------------

matrix = similarity_matrix(
    ModelStitching(),
    stitching_layers(first),
    stitching_layers(second),
    data=X_rest,
    y_true=y_rest,
)
print(matrix.round(3))

# %%
# Four kinds of stitch
# --------------------
# How free is the map? An isometry may only turn and shift; least squares reproduces
# the activations as well as any linear map; the task loss looks at the labels only.
# With a random tail "task_loss" shows what the stitch learns all by itself.

kinds = ["procrustes", "ridge", "least_squares", "task_loss"]
scores = {}
for kind in kinds:
    fitted = ModelStitching(stitch=kind).fit(
        (first, "hidden_2"), (second, "hidden_2"), X_rest, y_rest
    )
    scores[kind] = fitted.stitched_score_, fitted.random_tail_score_

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
picture = left.imshow(matrix, cmap="viridis")
left.set_xticks(range(len(matrix.columns)), matrix.columns)
left.set_yticks(range(len(matrix.index)), matrix.index)
left.set(xlabel="tail of the second network", ylabel="head of the first network")
left.set_title("Relative accuracy after stitching")
for i, row in enumerate(matrix.to_numpy()):
    for j, value in enumerate(row):
        dark = value < matrix.to_numpy().mean()
        color = "white" if dark else "black"
        left.text(j, i, f"{value:.3f}", ha="center", va="center", color=color)
fig.colorbar(picture)

places = np.arange(len(kinds))
right.bar(places - 0.2, [scores[k][0] for k in kinds], 0.4, label="stitched")
right.bar(places + 0.2, [scores[k][1] for k in kinds], 0.4, label="random tail")
right.axhline(measure.end_score_, color="black", linestyle="--", label="second network")
right.set_xticks(places, kinds)
right.set(ylabel="accuracy", ylim=(0, 1.05), title="Kinds of stitches, hidden_2")
right.legend(loc="lower right")
plt.show()
