"""Divergences grow with the rows; samples of one distribution are not at distance 0."""

import matplotlib.pyplot as plt
import numpy as np

from sksim.topology import IMD, RTDLite

rng = np.random.default_rng(0)
sizes = (50, 100, 200, 300, 400)
fig, (left, right) = plt.subplots(1, 2, layout="constrained")
for label, noise in (("noise .1", 0.1), ("noise .5", 0.5), ("unrelated", None)):
    distances = []
    for n_samples in sizes:
        X, other = rng.normal(size=(2, n_samples, 5))
        y = other if noise is None else X + noise * other
        distances.append(RTDLite().fit(X, y).distance_)
    left.plot(sizes, distances, "o-", label=label)
left.set(xlabel="rows", ylabel="RTDLite", title="The same pairs, more rows")
left.legend()


def distance_from_square(dimension, n_samples):
    """IMD of points in a square and in another cube."""
    X, y = rng.uniform(size=(n_samples, 2)), rng.uniform(size=(n_samples, dimension))
    return IMD().fit(X, y).distance_


for dimension, label in ((2, "another square"), (3, "a cube"), (1, "a line")):
    distances = [
        [distance_from_square(dimension, n_samples) for _ in range(5)]
        for n_samples in sizes
    ]
    right.plot(sizes, np.mean(distances, axis=1), "o-", label=label)
right.set(
    xlabel="rows of each",
    ylabel="IMD",
    title="Points in a square against",
    ylim=(0, 115),
)
right.legend()
