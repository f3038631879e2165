"""Size dominates some representations of a barcode."""

import matplotlib.pyplot as plt
import numpy as np

from sksim.structural import NetworkPersistence

rng = np.random.default_rng(0)


def network(width):
    """Weights of an untrained network with one hidden layer."""
    return [
        (rng.normal(size=(20, width)) / 20**0.5, np.zeros(width)),
        (rng.normal(size=(width, 5)) / width**0.5, np.zeros(5)),
    ]


widths = (16, 32, 64, 128, 256)
first = network(16)
others = [network(width) for width in widths]
fig, ax = plt.subplots(figsize=(4.2, 2.8), layout="constrained")
for kind in ("silhouette", "landscape", "heat", "betti"):
    measure = NetworkPersistence(kind)
    ax.plot(widths, [measure.fit(first, y).distance_ for y in others], "o-", label=kind)
ax.set(
    xscale="log",
    yscale="log",
    xlabel="hidden units of the other network",
    ylabel="distance from 16 units",
    title="Untrained networks",
)
ax.set_xticks(widths, widths)
ax.minorticks_off()
ax.legend()
