"""Bias in wide spaces, and one row that decides alone."""

import matplotlib.pyplot as plt
import numpy as np

from sksim.rsm import CKA, RSA, DistanceCorrelation, PointwiseKernelAlignment

rng = np.random.default_rng(0)
widths = (2, 5, 10, 20, 50, 100, 200, 500, 1000)
measures = {
    "CKA": CKA(),
    "DistanceCorrelation": DistanceCorrelation(),
    "CKA, debiased": CKA(debias="rows"),
}
pairs = [rng.normal(size=(2, 100, width)) for width in widths]

X, y = rng.normal(size=(2, 100, 10))
gains = np.geomspace(1, 100, 20)
with_outlier = {
    "CKA": CKA(),
    "PointwiseKernelAlignment": PointwiseKernelAlignment(),
    "RSA (Spearman)": RSA(metric="euclidean"),
}

fig, (left, right) = plt.subplots(1, 2, layout="constrained")
for name, measure in measures.items():
    scores = [measure.fit(*pair).score_ for pair in pairs]
    left.plot(widths, scores, "o-", label=name)
left.set(
    xscale="log",
    xlabel="columns of both (100 rows)",
    ylabel="score",
    title="Unrelated noise",
)
left.legend()
for name, measure in with_outlier.items():
    scores = []
    for gain in gains:
        factor = np.where(np.arange(100) == 0, gain, 1)[:, None]
        scores.append(measure.fit(X * factor, y * factor).score_)
    right.plot(gains, scores, label=name)
right.set(xscale="log", xlabel="length of row 0 in both", title="One outlying row")
right.set_ylim(-0.1, 1.5)
right.legend()
