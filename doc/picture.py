"""Draw the README's picture: ``python doc/picture.py`` writes _static/layers.svg.

Two networks of handwritten digits that differ in their seed, all layers against all
layers: what CKA gives, and what it gives once the rows are shuffled.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from sksim.inference import similarity_test
from sksim.models import extract_representations
from sksim.pairwise import similarity_matrix
from sksim.rsm import CKA

TARGET = Path(__file__).parent / "_static" / "layers.svg"


def matrices():
    """Scores of all pairs of layers, and their means under shuffled rows."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, _ = train_test_split(
        X / 16, y, test_size=100, stratify=y, random_state=0
    )
    layers = [
        extract_representations(
            MLPClassifier(
                (256, 128, 64, 32), max_iter=60, tol=0.01, random_state=seed
            ).fit(X_train, y_train),
            X_test,
        )
        for seed in (0, 1)
    ]
    scores = similarity_matrix(CKA(), *layers)
    chance = scores.copy()
    for i, a in layers[0].items():
        for j, b in layers[1].items():
            result = similarity_test(CKA(), a, b, n_permutations=99, random_state=0)
            chance.loc[i, j] = result.null_mean
    return scores, chance


def draw(scores, chance):
    """Both matrices side by side, on a ground of their own for dark pages."""
    style = {"svg.hashsalt": "sksim", "font.size": 9, "svg.fonttype": "path"}
    with plt.rc_context(style):
        fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.1), layout="constrained")
        titles = ("CKA of two networks, layer by layer", "the same, rows shuffled")
        names = [name.replace("hidden_", "hidden ") for name in scores.index]
        for ax, matrix, title in zip(axes, (scores, chance), titles, strict=True):
            image = ax.imshow(matrix, cmap="viridis", vmin=0, vmax=1)
            ax.set_title(title, fontsize=10)
            ax.set_xticks(range(len(names)), names, rotation=30, ha="right")
            ax.set_yticks(range(len(names)), names)
            ax.tick_params(length=0)
            for (i, j), value in np.ndenumerate(matrix.to_numpy()):
                ink = "black" if value > 0.6 else "white"
                ax.text(j, i, f"{value:.2f}", ha="center", va="center", color=ink)
        axes[0].set(xlabel="second network", ylabel="first network")
        axes[1].set(xlabel="second network")
        fig.colorbar(image, ax=axes, shrink=0.85)
        fig.savefig(TARGET, facecolor="white", metadata={"Date": None})


if __name__ == "__main__":
    draw(*matrices())
