"""Why models are the units: simulations of errors and of tests."""

import numpy as np
import pytest
from scipy import stats

from sksim.evaluation import grouping, prediction_grounding

LEVELS = np.array([0, 25, 50, 75, 100])


def latent_models(rng, n_of_each, *, spread=0.35):
    """Scores of models that have a place of their own around that of their level."""
    levels = np.repeat(LEVELS, n_of_each)
    places = np.stack([levels / 100, np.zeros(len(levels))], axis=1)
    places = places + spread * rng.normal(size=places.shape)
    distances = np.linalg.norm(places[:, None] - places, axis=2)
    noise = 0.1 * rng.normal(size=distances.shape)
    return -(distances + np.triu(noise, 1) + np.triu(noise, 1).T), levels


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["auroc", "dose"])
def test_jackknife_against_the_true_spread(metric):
    """Ratio within .8 and 1.5 at five models of a level; the ratio's error is .05."""
    rng = np.random.default_rng(0)
    results = [grouping(*latent_models(rng, 5)) for _ in range(200)]
    values = [result.metrics.loc[metric, "value"] for result in results]
    errors = [result.metrics.loc[metric, "standard_error"] for result in results]
    ratio = np.sqrt(np.mean(np.square(errors))) / np.std(values, ddof=1)
    assert 0.8 < ratio < 1.5


def unrelated_models(rng, n_models):
    """Scores and accuracies that know nothing of each other; some models are odd."""
    places, accuracy = (
        rng.normal(size=n_models) * np.exp(rng.normal(size=n_models)) for _ in range(2)
    )
    return -np.abs(places[:, None] - places), accuracy


@pytest.mark.slow
@pytest.mark.parametrize("n_models", [5, 10, 20])
def test_type_one_error_of_permuted_models_and_of_pairs(n_models):
    """At most .07 of 1000 where .05 is right (its error is .007); pairs find more."""
    rng = np.random.default_rng(n_models)
    pairs = np.triu_indices(n_models, k=1)
    found = {"models": 0, "pairs": 0}
    for seed in range(1000):
        matrix, accuracy = unrelated_models(rng, n_models)
        result = prediction_grounding(
            matrix, accuracy, n_permutations=199, random_state=seed
        )
        found["models"] += result.pvalue <= 0.05
        difference = np.abs(accuracy[:, None] - accuracy)
        naive = stats.spearmanr(-matrix[pairs], difference[pairs])
        found["pairs"] += naive.pvalue <= 0.05
    assert 0.02 < found["models"] / 1000 <= 0.07
    if n_models >= 10:
        assert found["pairs"] / 1000 > 0.10
