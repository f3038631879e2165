"""Canonical correlations of noise, and of directions without variance."""

import warnings

import matplotlib.pyplot as plt
import numpy as np

from sksim.cca import PWCCA, SVCCA, MeanCCA, MeanSquaredCCA

rng = np.random.default_rng(0)
n_samples = 200
widths = np.array([5, 10, 20, 40, 60, 80, 100, 120, 140, 160, 180, 199])
fitted, squared, held_out = [], [], []
for width in widths:
    X, y, X_new, y_new = rng.normal(size=(4, n_samples, width))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # this is what the figure shows
        measure = MeanCCA().fit(X, y)
        fitted.append(measure.score_)
        held_out.append(measure.score(X_new, y_new))
        squared.append(MeanSquaredCCA().fit(X, y).score_)

X = rng.normal(size=(500, 10)) * np.geomspace(10, 0.1, 10)
gains = np.geomspace(1, 1e4, 25)
measures = {"MeanCCA": MeanCCA(), "PWCCA": PWCCA(), "SVCCA": SVCCA()}
# the weakest direction gets an independent partner, and then ever more variance
y = X.copy()
y[:, -1] = 0.1 * rng.normal(size=len(X))
scores = {name: [] for name in measures}
for gain in gains:
    amplified = y * np.where(np.arange(10) == 9, gain, 1)
    for name, measure in measures.items():
        scores[name].append(measure.fit(amplified, X).score_)

fig, (left, right) = plt.subplots(1, 2, layout="constrained")
left.plot(widths, fitted, "o-", label="MeanCCA, fitted")
left.plot(widths, squared, "s-", label="MeanSquaredCCA, fitted")
left.plot(widths, widths / (n_samples - 1), "k:", label="r / (N − 1)")
left.plot(widths, held_out, "^-", label="MeanCCA, new rows")
left.set(xlabel="columns of both (200 rows)", ylabel="score", title="Unrelated noise")
left.set_ylim(-0.1, 1.35)
left.legend()
for name, values in scores.items():
    right.plot(gains, values, label=name)
right.set(
    xscale="log",
    xlabel="gain of the direction that is not shared",
    ylim=(-0.05, 1.05),
    title="9 of 10 directions shared",
)
right.legend()
