"""Dimensions that are underestimated, and tolerance that follows class sizes."""

import matplotlib.pyplot as plt
import numpy as np

from sksim.statistics import IntrinsicDimension, Tolerance

rng = np.random.default_rng(0)
dimensions = np.array([1, 2, 5, 10, 20, 30, 40, 50])
fig, (left, right) = plt.subplots(1, 2, layout="constrained")
left.plot(dimensions, dimensions, "k:", label="true")
for n_samples in (200, 2000):
    found = []
    for dimension in dimensions:
        X = rng.normal(size=(n_samples, dimension))
        found.append(IntrinsicDimension().fit(X, X).statistics_[0])
    left.plot(dimensions, found, "o-", label=f"TwoNN, {n_samples} rows")
left.set(xlabel="dimension", ylabel="estimate", title="Gaussian rows")
left.legend()

shares = np.linspace(0.5, 0.95, 10)
values = []
for share in shares:
    labels = (np.arange(400) >= 400 * share).astype(int)
    centres = np.eye(2)[labels] * 10  # both classes as tight, always
    X = centres + 0.1 * rng.normal(size=(400, 2))
    values.append(Tolerance().fit(X, X, y_true=labels).statistics_[0])
right.plot(shares, values, "o-", label="tolerance")
right.plot(shares, shares**2 + (1 - shares) ** 2, "k:", label="largest possible")
right.set(
    xlabel="share of the larger class", ylabel="statistic", title="Two tight classes"
)
right.legend()
