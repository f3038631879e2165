"""What the p-values and intervals of predictions promise, by simulation.

Rates are of 100 samples (50 of 2000 rows), whose Monte Carlo error is .022 (.031) at
.95 and .05. Bounds are three errors away: one design in a thousand fails by chance.
"""

import warnings

import numpy as np
import pytest
from scipy.stats import norm

from sksim import compare_predictions

pytestmark = pytest.mark.slow

SIZES = [20, 200, 2000]
GROUPS = {"alone": None, "1 to 8": (1, 8)}
ACCURACIES = [
    (0.5, 0.5),
    (0.8, 0.8),
    (0.95, 0.95),
    (0.99, 0.99),
    (0.9, 0.8),
    (0.99, 0.95),
]


def n_samples(n):
    return 100 if n < 2000 else 50


def error_of(rate, n):
    return 3 * (rate * (1 - rate) / n_samples(n)) ** 0.5


def groups_of(n, sizes, rng):
    if sizes is None:
        return np.arange(n)
    drawn = rng.integers(sizes[0], sizes[1] + 1, size=n)
    return np.repeat(np.arange(n), drawn)[:n]


def latent(groups, rng):
    """Two models' standings on rows that are hard for both, in groups that are too."""
    n = len(groups)

    def mixed(shared, own):
        return 0.6**0.5 * shared + 0.4**0.5 * own

    def of_groups():
        return rng.normal(size=n)[groups]

    group, row = of_groups(), rng.normal(size=n)
    for _ in range(2):
        own = mixed(group, of_groups()), mixed(row, rng.normal(size=n))
        yield 0.3**0.5 * own[0] + 0.7**0.5 * own[1]


def answers(n, sizes, accuracies, rng):
    """Answers of two models of the given accuracies, and the groups of the rows."""
    groups = groups_of(n, sizes, rng)
    pair = [
        z < norm.ppf(accuracy)
        for z, accuracy in zip(latent(groups, rng), accuracies, strict=True)
    ]
    return *pair, None if sizes is None else groups


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("sizes", GROUPS)
@pytest.mark.parametrize("accuracies", ACCURACIES)
def test_level_and_coverage_of_right_and_wrong(n, sizes, accuracies):
    rng = np.random.default_rng(n)
    gap = accuracies[0] - accuracies[1]
    hits = {"difference": 0, "accuracy": 0, "pvalue": 0}
    for _ in range(n_samples(n)):
        a, b, groups = answers(n, GROUPS[sizes], accuracies, rng)
        found = compare_predictions(a, b, np.ones(n, dtype=bool), groups=groups)
        low, high = found.difference_interval
        hits["difference"] += low - 1e-12 <= gap <= high + 1e-12
        low, high = found.accuracy_a_interval
        hits["accuracy"] += low <= accuracies[0] <= high
        hits["pvalue"] += found.pvalue <= 0.05
    rates = {name: count / n_samples(n) for name, count in hits.items()}
    # Student's t of few and unequal groups covers a little less
    nominal = 0.95 if sizes == "alone" else 0.94
    assert rates["difference"] >= nominal - error_of(0.95, n), rates
    # Wilson's interval of 20 rows covers .92 at .95 in truth
    nominal = 0.92 if (sizes, n) == ("alone", 20) else 0.95
    assert rates["accuracy"] >= nominal - error_of(0.95, n), rates
    if gap == 0:
        assert rates["pvalue"] <= 0.05 + error_of(0.05, n), rates


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("sizes", GROUPS)
@pytest.mark.parametrize("rate", [0.5, 0.9, 0.99])
def test_coverage_of_disagreement(n, sizes, rate):
    rng = np.random.default_rng(n)
    n_covered = 0
    for _ in range(n_samples(n)):
        same, _, groups = answers(n, GROUPS[sizes], (rate, rate), rng)
        found = compare_predictions(same, np.ones(n, dtype=bool), groups=groups)
        low, high = found.disagreement_interval
        n_covered += low <= 1 - rate <= high
    assert n_covered / n_samples(n) >= 0.95 - error_of(0.95, n)


def points(z, kind):
    """Scores of a row, and their mean."""
    if kind == "thirds":  # many ties
        return np.digitize(norm.cdf(z), [0.1, 0.3, 0.8]) / 3, 0.6
    if kind == "rare":  # mostly full marks
        return 1 - (norm.cdf(z) < 0.1) * 0.5, 0.95
    return norm.cdf(z), 0.5


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("sizes", GROUPS)
@pytest.mark.parametrize("kind", ["thirds", "rare", "shares"])
def test_level_and_coverage_of_scores(n, sizes, kind):
    rng = np.random.default_rng(n)
    n_covered = n_rejected = n_mean = 0
    for seed in range(n_samples(n)):
        groups = groups_of(n, GROUPS[sizes], rng)
        (a, mean), (b, _) = (points(z, kind) for z in latent(groups, rng))
        found = compare_predictions(a, b, scores=True, groups=groups, random_state=seed)
        low, high = found.difference_interval
        n_covered += low - 1e-12 <= 0 <= high + 1e-12
        n_rejected += found.pvalue <= 0.05
        low, high = found.accuracy_a_interval
        n_mean += low <= mean <= high
    rate = n_covered / n_samples(n)
    assert rate >= 0.94 - error_of(0.95, n)
    assert n_rejected / n_samples(n) <= 0.05 + error_of(0.05, n)
    if kind != "rare":  # means of few rows near a bound are skewed
        assert n_mean / n_samples(n) >= 0.94 - error_of(0.95, n)


@pytest.mark.parametrize("n", [60, 200])
@pytest.mark.parametrize("sizes", GROUPS)
@pytest.mark.parametrize("accuracies", [(0.9, 0.8), (0.95, 0.9), (0.99, 0.95)])
def test_level_of_margins(n, sizes, accuracies):
    """Of models whose difference is the margin at most .05 are called alike."""
    rng = np.random.default_rng(n)
    n_alike = n_not_worse = 0
    margin = accuracies[0] - accuracies[1]
    for _ in range(n_samples(n)):
        a, b, groups = answers(n, GROUPS[sizes], accuracies, rng)
        truth = np.ones(n, dtype=bool)
        found = compare_predictions(a, b, truth, groups=groups, margin=margin)
        n_alike += found.is_equivalent
        n_not_worse += found.is_noninferior
    assert n_alike <= n_not_worse
    # of skewed differences .06 of true hypotheses are rejected
    nominal = 0.05 if sizes == "alone" else 0.06
    assert n_not_worse / n_samples(n) <= nominal + error_of(nominal, n)


@pytest.mark.parametrize("sizes", GROUPS)
def test_any_false_slice(sizes):
    rng = np.random.default_rng(0)
    n, n_false = 200, 0
    for _ in range(n_samples(n)):
        a, b, groups = answers(n, GROUPS[sizes], (0.7, 0.7), rng)
        slices = {"part": rng.integers(8, size=n), "half": rng.integers(2, size=n)}
        with warnings.catch_warnings(action="ignore", category=UserWarning):
            found = compare_predictions(
                a, b, np.ones(n, dtype=bool), groups=groups, slices=slices
            )
        n_false += (found.slices["pvalue_holm"] <= 0.05).any()
    assert n_false / n_samples(n) <= 0.05 + error_of(0.05, n)
