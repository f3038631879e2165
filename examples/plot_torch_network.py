"""
Comparing a PyTorch network with another model
==============================================

Does a convolutional network see images as a fully connected one does? The layers of a
torch module come out by name, with their shape; how a map becomes a row is a choice to
make, and it decides the answer.
"""

# %%
# Three models of the same digits
# -------------------------------
# Two convolutional networks that differ in their seed, in PyTorch, and a multilayer
# perceptron of scikit-learn. (This example needs ``pip install sksim[torch]``.)

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from torch import nn

torch.set_num_threads(1)
X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    (X / 16).astype(np.float32), y, test_size=500, random_state=0, stratify=y
)


def as_images(rows):
    """Rows of pixels as images with one channel."""
    return torch.from_numpy(rows.reshape(-1, 1, 8, 8))


def train_cnn(seed):
    """A small convolutional network, ten rounds of training."""
    torch.manual_seed(seed)
    network = nn.Sequential()
    network.add_module("conv1", nn.Conv2d(1, 8, 3, padding=1))
    network.add_module("relu1", nn.ReLU())
    network.add_module("conv2", nn.Conv2d(8, 16, 3, padding=1))
    network.add_module("relu2", nn.ReLU())
    network.add_module("pool", nn.MaxPool2d(2))
    network.add_module("flatten", nn.Flatten())
    network.add_module("dense", nn.Linear(16 * 16, 64))
    network.add_module("relu3", nn.ReLU())
    network.add_module("head", nn.Linear(64, 10))
    images, labels = as_images(X_train), torch.from_numpy(y_train)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(10):
        for batch in torch.randperm(len(images)).split(64):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(network(images[batch]), labels[batch])
            loss.backward()
            optimizer.step()
    return network


cnn, other_cnn = train_cnn(0), train_cnn(1)
mlp = MLPClassifier((64, 64), max_iter=300, tol=1e-3, random_state=0)
mlp.fit(X_train, y_train)

# %%
# Layers by name
# --------------
# Submodules are asked for by name or pattern. The network is run in evaluation mode,
# without gradients, and left as it was.

from sksim.models import extract_outputs, extract_representations

wanted = ["relu*", "pool", "output"]
layers = extract_representations(cnn, as_images(X_test), layers=wanted)
for name, layer in layers.items():
    print(f"{name:7s} {tuple(layer.shape)}")
for name, network in {"CNN": cnn, "other CNN": other_cnn}.items():
    answers = extract_outputs(network, as_images(X_test))["outputs"].argmax(dim=1)
    print(f"{name:9s} accuracy {(answers.numpy() == y_test).mean():.3f}")
print(f"MLP       accuracy {mlp.score(X_test, y_test):.3f}")

# %%
# Flatten or pool
# ---------------
# A map of 16 channels at 8 x 8 places becomes one row in two ways. Flattened, it says
# what is where; pooled, only what there is. The networks have no other way to know
# where a stroke is, so pooling takes away most of what tells digits apart.

from sksim.pairwise import similarity_matrix
from sksim.preprocessing import Flatten, SpatialPooling
from sksim.rsm import CKA

measure = CKA(debias="rows")
mlp_layers = extract_representations(mlp, X_test)


def rows_of(network, how):
    """Layers of a convolutional network as matrices, in double precision."""
    found = extract_representations(network, as_images(X_test), layers=wanted)
    matrices = {}
    for name, layer in found.items():
        transform = how if layer.ndim == 4 else Flatten()
        matrices[name] = transform.fit_transform(layer.double().numpy())
    return matrices


ways = {"flattened": Flatten(), "pooled": SpatialPooling()}
matrices = {
    f"{title}, maps {way}": similarity_matrix(measure, rows_of(cnn, how), other)
    for way, how in ways.items()
    for title, other in {
        "CNN and MLP": mlp_layers,
        "two CNNs": rows_of(other_cnn, how),
    }.items()
}
for title, matrix in matrices.items():
    print(f"\n{title}\n{matrix.round(2).to_string()}")

# %%
# What it shows
# -------------
# In the last hidden layer, behind the maps, a convolutional network is nearly as close to
# the perceptron (.92) as to another of its kind (.96): three networks of one task, by two
# libraries. In the maps the choice decides. Flattened, the first of them and the
# perceptron's first layer agree by .89; pooled, by .14. The perceptron knows where each
# pixel is, and pooling throws just that away. The two convolutional networks stay alike
# pooled (.99), since what their channels find is the same; but their own dense layers are
# then as far from their maps as the perceptron is. (Each panel has a scale of its own.)

from sksim.plot import SimilarityMatrixDisplay

fig, axes = plt.subplots(2, 2, figsize=(9.5, 8), layout="constrained")
for ax, (title, matrix) in zip(axes.flat, matrices.items(), strict=True):
    SimilarityMatrixDisplay.from_matrix(matrix).plot(ax, title=title)
plt.show()

# %%
# The layers above went through numpy. With scikit-learn's array-API dispatch the tensors
# are compared where they are, on a GPU as well (set ``SCIPY_ARRAY_API=1`` before Python
# starts):
#
# .. code-block:: python
#
#     with sklearn.config_context(array_api_dispatch=True):
#         CKA().fit(layers["relu3"], other_layers["relu3"]).score_
