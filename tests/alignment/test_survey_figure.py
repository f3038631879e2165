"""Procrustes distances of the survey's Figure 5, and their baseline."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sksim.alignment import OrthogonalProcrustes
from sksim.inference import similarity_test

N_SAMPLES, NOISE = 1000, 0.1


@pytest.fixture(scope="module")
def survey():
    path = Path(__file__).parents[1] / "data" / "survey_figure5.csv"
    return pd.read_csv(path).set_index(["dist", "D"])


@pytest.mark.parametrize(
    ("width", "n_pairs", "n_permutations"),
    # shuffles of one pair share its norms, which at few columns vary the most
    [(10, 100, 10), (100, 20, 10), pytest.param(1000, 6, 4, marks=pytest.mark.slow)],
)
def test_means_are_those_of_the_survey(width, n_pairs, n_permutations, survey):
    measure = OrthogonalProcrustes(center=False, scale=False)
    found = {"ortho_proc": [], "shuffled": []}
    for seed in range(n_pairs):
        rng = np.random.default_rng((seed, width))
        X = rng.normal(size=(N_SAMPLES, width))
        rotation = np.linalg.qr(rng.normal(size=(width, width)))[0]
        y = X @ rotation + NOISE * rng.normal(size=X.shape)
        result = similarity_test(
            measure, X, y, n_permutations=n_permutations, random_state=seed
        )
        found["ortho_proc"].append(result.statistic)
        found["shuffled"].append(-result.null_mean)
    for kind, means in found.items():
        expected = survey.loc[kind, width]
        errors = np.std(means, ddof=1) / n_pairs**0.5, expected["std"]
        errors = errors[0], errors[1] / expected["count"] ** 0.5
        assert abs(np.mean(means) - expected["mean"]) < 3 * np.hypot(*errors), kind
