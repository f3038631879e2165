"""
Which components a score sees first
===================================

A score is one number of many directions. To see which of them it counts, start from
random numbers and climb: which of a target's principal components does a matrix get, and
in which order, when its score is made larger by gradients? Linear CKA takes the largest
first and is content long before it has the small ones; measures that count directions by
their standard deviation, or not by their size at all, are not.
"""

# %%
# A target with five components whose standard deviations are 16, 8, 4, 2 and 1 to each
# other, and a matrix of random numbers that is to become similar to it.

import numpy as np
import torch

from sksim.alignment import AngularShapeMetric
from sksim.cca import MeanCCA
from sksim.rsm import CKA
from sksim.torch import SimilarityLoss

torch.set_num_threads(1)
torch.manual_seed(0)
n_samples, sizes = 100, torch.tensor([16.0, 8.0, 4.0, 2.0, 1.0])
components = torch.linalg.qr(torch.randn(n_samples, 6))[0]
components = components - components.mean(0)
components = torch.linalg.qr(components)[0][:, :5]
target = components * sizes
start = torch.randn(n_samples, 5)


def captured(X):
    """Share of each component that is a linear function of X: its R^2."""
    basis = torch.linalg.qr(X - X.mean(0))[0]
    return ((basis.T @ components) ** 2).sum(0)


def climb(measure, n_steps=400):
    """Shares of the components, and the score, at each step."""
    X = start.clone().requires_grad_()
    loss = SimilarityLoss(measure)
    optimizer = torch.optim.Adam([X], lr=0.02)
    shares, values = [], []
    for _ in range(n_steps):
        optimizer.zero_grad()
        value = loss(X, target)
        value.backward()
        shares.append(captured(X.detach()).numpy())
        values.append(float(value.detach()))
        optimizer.step()
    return np.array(shares), np.array(values)


measures = {
    "CKA": CKA(),
    "angular shape metric": AngularShapeMetric(),
    "mean CCA": MeanCCA(),
}
paths = {name: climb(measure) for name, measure in measures.items()}

# %%
# The step at which nine tenths of each component are there. A dash: not within 400 steps.

for name, (shares, values) in paths.items():
    steps = [np.flatnonzero(share > 0.9) for share in shares.T]
    steps = [f"{found[0]:4d}" if len(found) else "   -" for found in steps]
    print(
        f"{name:22s} loss {values[0]:.3f} to {values[-1]:.4f}, steps {' '.join(steps)}"
    )

# %%
# By CKA components come in the order of their size, and those of small variance not at
# all: CKA is then 1 but for a share that no one would look at. The root that the angular
# metric takes of variances brings them in the same order, but soon. Canonical correlation
# does not see how large components are: they come together, in an order of chance.

import matplotlib.pyplot as plt

_, axes = plt.subplots(1, 3, figsize=(10, 3), sharey=True, layout="constrained")
for ax, name in zip(axes, measures, strict=True):
    shares, _ = paths[name]
    for i, size in enumerate(sizes):
        ax.plot(shares[:, i], label=f"{size:.0f}", color=plt.cm.viridis(i / 5))
    ax.set(title=name, xlabel="step", ylim=(0, 1.02))
axes[0].set_ylabel("share of the component")
axes[0].legend(title="size", fontsize="small")
plt.show()
