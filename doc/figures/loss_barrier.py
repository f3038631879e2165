"""Loss on the way between two networks, before and after matching."""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from sksim.plot import LossBarrierDisplay

X, y = load_digits(return_X_y=True)
networks = [MLPClassifier((32,), random_state=seed) for seed in (0, 1)]
for network in networks:
    for _ in range(20):
        network.partial_fit(X / 16, y, classes=range(10))
fig, ax = plt.subplots(figsize=(4.2, 2.8), layout="constrained")
ends = {"x": "seed 0", "y": "seed 1"}
LossBarrierDisplay.from_models(*networks, X / 16, y).plot(ax, ends=ends)
