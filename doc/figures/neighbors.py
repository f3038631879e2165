"""What k does, and what a common mean does to cosines."""

import matplotlib.pyplot as plt
import numpy as np

from sksim.neighbors import GraphBasedSimilarity, MutualKNN

rng = np.random.default_rng(0)
n_samples = 200
X = rng.normal(size=(n_samples, 20))
related = X + rng.normal(size=X.shape)
unrelated = rng.normal(size=X.shape)
counts = np.array([1, 2, 5, 10, 20, 50, 100, 150, 199])
shifts = np.linspace(0, 6, 20)
measures = {
    "GraphBasedSimilarity": GraphBasedSimilarity(),
    "MutualKNN, cosine": MutualKNN(),
    "MutualKNN, Euclidean": MutualKNN(metric="euclidean"),
}

fig, (left, right) = plt.subplots(1, 2, layout="constrained")
for label, y in (("related", related), ("unrelated", unrelated)):
    scores = [MutualKNN(n_neighbors=k).fit(X, y).score_ for k in counts]
    left.plot(counts, scores, "o-", label=label)
left.plot(counts, counts / (n_samples - 1), "k:", label="k / (N − 1)")
left.set(
    xscale="log", xlabel="neighbours k (200 rows)", ylabel="score", title="MutualKNN"
)
left.legend()
for name, measure in measures.items():
    scores = [measure.fit(X + shift, unrelated + shift).score_ for shift in shifts]
    right.plot(shifts, scores, label=name)
right.set(xlabel="mean of every column", title="Unrelated rows, shifted alike")
right.legend()
