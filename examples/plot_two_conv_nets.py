"""
Two conv nets from a loader
===========================

All layers of two convolutional networks, compared while a loader is read once. A layer is
reduced where it is made, so that no more than one of them is ever in memory, and every
cell comes with a standard error and a p-value.
"""

# %%
# Two networks and a loader
# -------------------------
# A narrow and a wide network learn the same digits, and a third of the wide kind keeps
# its random weights. The loader shuffles, as loaders do. (This example needs ``pip
# install sksim[torch]``.)

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.set_num_threads(1)
X, y = load_digits(return_X_y=True)
images = torch.from_numpy((X / 16).astype(np.float32).reshape(-1, 1, 8, 8))
labels = torch.from_numpy(y)
train = DataLoader(TensorDataset(images[:1000], labels[:1000]), 64, shuffle=True)
loader = DataLoader(TensorDataset(images[1000:], labels[1000:]), 50, shuffle=True)


def network_of(width, seed):
    """A convolutional network of three maps and a dense layer."""
    torch.manual_seed(seed)
    network = nn.Sequential()
    for number, (before, after, stride) in enumerate(
        [(1, width, 1), (width, 2 * width, 2), (2 * width, 2 * width, 1)], start=1
    ):
        network.add_module(f"conv{number}", nn.Conv2d(before, after, 3, stride, 1))
        network.add_module(f"norm{number}", nn.BatchNorm2d(after))
        network.add_module(f"relu{number}", nn.ReLU(inplace=True))
    network.add_module("flatten", nn.Flatten())
    network.add_module("dense", nn.Linear(32 * width, 64))
    network.add_module("relu4", nn.ReLU(inplace=True))
    network.add_module("head", nn.Linear(64, 10))
    return network


def trained(network):
    """The network after four rounds of training."""
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(4):
        for batch, truth in train:
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(batch), truth).backward()
            optimizer.step()
    return network


narrow, wide = trained(network_of(8, seed=0)), trained(network_of(16, seed=1))
random = network_of(16, seed=2)

# %%
# One pass
# --------
# Each batch goes through both networks, so that it does not matter that the loader
# shuffles; its labels are left out. :class:`~sksim.rsm.MinibatchCKA` makes one 50 x 50
# matrix of each layer and batch, and needs no pooling however wide the maps are.

from sksim.pairwise import layer_similarity_matrix
from sksim.rsm import MinibatchCKA

wanted = ["conv*", "relu*", "head"]
torch.manual_seed(0)
result = layer_similarity_matrix(MinibatchCKA(), narrow, wide, loader, layers=wanted)
print(f"{result.n_samples} rows in {result.n_batches} batches")
print(result.scores.round(2).to_string())

# %%
# How sure, and by chance
# -----------------------
# The standard error is the spread between batches. z-scores and p-values are of the
# hypothesis that rows of a batch are exchangeable: exact moments, no permutations.
# In-place layers are no trap, since a layer is reduced before the next one overwrites it.

pairs = result.to_frame().sort_values("score", ascending=False)
print(pairs.drop(columns="pvalue").head(4).round(3).to_string(index=False))
print("largest p-value:", f"{result.pvalues.to_numpy().max():.1e}")

# %%
# Against random weights
# ----------------------
# All layers of two networks see the same images, so that even random weights are similar
# beyond chance: the first layers still hold the image. What was learnt shows in the last
# ones: the head of the narrow network is near that of the wide one, and far from that of
# the network with random weights.

torch.manual_seed(0)
against = layer_similarity_matrix(MinibatchCKA(), narrow, random, loader, layers=wanted)
for name, found in {"trained": result, "random weights": against}.items():
    score = found.scores.loc["head", "head"]
    error = found.standard_error.loc["head", "head"]
    print(f"head with head, {name:14s} {score:.2f} +- {error:.2f}")

fig, axes = plt.subplots(1, 2, figsize=(10, 4.5), layout="constrained")
for ax, (title, found) in zip(
    axes, {"narrow and wide": result, "narrow and random": against}.items(), strict=True
):
    found.plot(ax=ax, title=title)
plt.show()

# %%
# In several processes
# --------------------
# :class:`~sksim.pairwise.LayerwiseSimilarity` takes batches one by one, and parts that
# saw different batches are merged: the same numbers as in one pass, up to rounding.

from sksim.pairwise import LayerwiseSimilarity

parts = [LayerwiseSimilarity(MinibatchCKA(), narrow, wide, layers=wanted) for _ in "ab"]
whole = LayerwiseSimilarity(MinibatchCKA(), narrow, wide, layers=wanted)
for number, batch in enumerate(loader):
    parts[number % 2].update(batch)
    whole.update(batch)
merged = parts[0].merge(parts[1]).result()
difference = np.abs(merged.scores - whole.result().scores).to_numpy().max()
print(f"merged minus whole: {difference:.0e}")
