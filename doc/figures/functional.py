"""Accuracy limits disagreement, and temperature moves divergences."""

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import softmax

from sksim.functional import (
    Disagreement,
    ErrorConsistency,
    JensenShannonDivergence,
    RankCorrelation,
    TotalVariation,
)

rng = np.random.default_rng(0)
n_samples = 20_000
truth = rng.integers(0, 2, n_samples)
errors = np.array([0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5])
disagreement, consistency = [], []
for error in errors:
    models = [np.where(rng.random(n_samples) < error, 1 - truth, truth) for _ in "ab"]
    disagreement.append(Disagreement().fit(*models).distance_)
    consistency.append(ErrorConsistency().fit(*models, y_true=truth).similarity_)

scores = 3 * rng.normal(size=(2000, 5))
temperatures = np.geomspace(0.1, 10, 21)
measures = {
    "JensenShannonDivergence": JensenShannonDivergence(),
    "TotalVariation": TotalVariation(),
    "Disagreement": Disagreement(),
    "1 − RankCorrelation": RankCorrelation(),
}
distances = {name: [] for name in measures}
for temperature in temperatures:
    outputs = softmax(scores, axis=1), softmax(scores / temperature, axis=1)
    for name, measure in measures.items():
        if name == "Disagreement":
            labels = [output.argmax(axis=1) for output in outputs]
            distances[name].append(measure.fit(*labels).distance_)
        elif name.startswith("1"):
            distances[name].append(1 - measure.fit(*outputs).similarity_)
        else:
            distances[name].append(measure.fit(*outputs).distance_)

fig, (left, right) = plt.subplots(1, 2, layout="constrained")
left.fill_between(errors, 0, 2 * errors, color="0.9", label="possible disagreement")
left.plot(errors, disagreement, "o-", label="Disagreement")
left.plot(errors, consistency, "s-", label="ErrorConsistency")
left.set(
    xlabel="error rate of both models", ylabel="statistic", title="Independent errors"
)
left.legend()
for name, values in distances.items():
    right.plot(temperatures, values, label=name)
right.set(
    xscale="log",
    xlabel="temperature of the second model",
    title="The same labels, other confidence",
)
right.legend()
