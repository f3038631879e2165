"""Cross-validated distances of conditions."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import pdist
from sklearn.covariance import ledoit_wolf

from sksim.rsm import RSA, crossnobis_distances

DATA = Path(__file__).parents[1] / "data"
ARRAYS = np.load(DATA / "recordings.npz")
VALUES = json.loads((DATA / "recordings.json").read_text())["crossnobis"]


def design(n_conditions=5, n_runs=3, n_repeats=1, n_columns=6, seed=0):
    rng = np.random.default_rng(seed)
    conditions = np.tile(np.arange(n_conditions), n_runs * n_repeats)
    runs = np.repeat(np.arange(n_runs), n_conditions * n_repeats)
    X = rng.normal(size=(n_conditions, n_columns))[conditions]
    return X + rng.normal(size=X.shape), conditions, runs


def by_definition(X, conditions, runs, P):
    """Loops over pairs of conditions and ordered pairs of runs."""
    names, values = np.unique(conditions), []

    def mean(name, run):
        rows = X[(conditions == name) & (runs == run)]
        return rows.mean(axis=0) if len(rows) else None

    for a, first in enumerate(names):
        for second in names[a + 1 :]:
            differences = [
                mean(first, run) - mean(second, run)
                for run in np.unique(runs)
                if mean(first, run) is not None and mean(second, run) is not None
            ]
            products = [
                d @ P @ e / X.shape[1]
                for i, d in enumerate(differences)
                for j, e in enumerate(differences)
                if i != j
            ]
            values.append(np.mean(products) if products else np.nan)
    return values


@pytest.mark.parametrize("case", VALUES)
def test_values_of_original_implementation(case):
    prefix = f"crossnobis/{case}/"
    given = {
        name.removeprefix(prefix): ARRAYS[name]
        for name in ARRAYS.files
        if name.startswith(prefix)
    }
    expected = VALUES[case]["crossnobis"]
    assert_allclose(crossnobis_distances(**given), expected, rtol=1e-9, atol=1e-12)


def test_by_hand():
    # differences of the two conditions: 1, 2 and -1 in three runs, of one column
    X = np.array([[1.0], [0.0], [5.0], [3.0], [0.0], [1.0]])
    found = crossnobis_distances(X, list("abab" + "ab"), [0, 0, 1, 1, 2, 2])
    assert_allclose(found, (1 * 2 + 1 * -1 + 2 * -1) / 3)


@pytest.mark.parametrize("noise_precision", [None, "diagonal", "full"])
def test_unbalanced_runs_by_definition(noise_precision):
    X, conditions, runs = design(n_runs=5, n_repeats=2)
    rng = np.random.default_rng(1)
    # rows in any order, other numbers of rows, and conditions that runs lack
    kept = rng.permutation(np.flatnonzero(~((conditions == 2) & (runs > 2))))[:-5]
    X, conditions, runs = X[kept], conditions[kept], runs[kept]
    A = rng.normal(size=(6, 9))
    given, P = {
        None: (None, np.eye(6)),
        "diagonal": (np.arange(1.0, 7), np.diag(np.arange(1.0, 7))),
        "full": (A @ A.T, A @ A.T),
    }[noise_precision]
    found = crossnobis_distances(X, conditions, runs, noise_precision=given)
    assert_allclose(found, by_definition(X, conditions, runs, P), rtol=1e-10)
    # what a run adds to all of its rows is in no difference
    moved = X + 1e6 * rng.normal(size=(5, 6))[runs]
    again = crossnobis_distances(moved, conditions, runs, noise_precision=given)
    assert_allclose(again, found, atol=1e-8)


def test_pairs_that_share_no_two_runs_are_missing():
    X, conditions, runs = design(n_conditions=4, n_runs=3)
    kept = ~((conditions == 3) & (runs > 0))
    with pytest.warns(UserWarning, match="3 of 6 pairs of conditions share fewer"):
        found = crossnobis_distances(X[kept], conditions[kept], runs[kept])
    expected = by_definition(X[kept], conditions[kept], runs[kept], np.eye(6))
    assert_allclose(found, expected, rtol=1e-10)
    assert_array_equal(np.isnan(found), [0, 0, 1, 0, 1, 1])
    with pytest.warns(UserWarning, match="3 of 6 pairs of rows are missing"):
        RSA("precomputed").fit(found, pdist(X[:4]))


@pytest.mark.parametrize("n_columns", [6, 60])
def test_shrunk_noise_of_residuals(n_columns):
    X, conditions, runs = design(n_repeats=3, n_columns=n_columns)
    # one cell of one row, which has no residual
    kept = np.flatnonzero(~((conditions == 1) & (runs == 0)))
    kept = np.append(kept, 1)
    X, conditions, runs = X[kept], conditions[kept], runs[kept]
    frame = pd.DataFrame(X)
    residuals = (X - frame.groupby([conditions, runs]).transform("mean")).to_numpy()
    residuals = residuals[:-1]
    assert len(residuals) == 42
    n_free = 42 - 14
    scaled = residuals * (42 / n_free) ** 0.5
    covariance = ledoit_wolf(scaled, assume_centered=True)[0]
    expected = by_definition(X, conditions, runs, np.linalg.inv(covariance))
    found = crossnobis_distances(X, conditions, runs, noise_precision="shrinkage")
    assert_allclose(found, expected, rtol=1e-9)


def test_order_and_names_of_conditions():
    X, conditions, runs = design()
    found = crossnobis_distances(X, conditions, runs)
    names = np.array(["pear", "apple", "fig", "plum", "kiwi"])
    by_name = crossnobis_distances(X, names[conditions], [f"run{r}" for r in runs])
    order = np.argsort(names)
    square = np.zeros((5, 5))
    square[np.triu_indices(5, 1)] = found
    square = (square + square.T)[np.ix_(order, order)]
    assert_allclose(by_name, square[np.triu_indices(5, 1)])
    frame = pd.DataFrame(X, index=[f"trial{i}" for i in range(len(X))])
    labels = pd.Series(names[conditions], index=frame.index)
    assert_allclose(crossnobis_distances(frame, labels, runs), by_name)
    with pytest.raises(ValueError, match="conditions"):
        crossnobis_distances(frame, labels[::-1], runs)


def test_unbiased_by_simulation():
    """Distances of equal conditions have mean 0, and others their true value."""
    rng = np.random.default_rng(0)
    patterns = rng.normal(size=(4, 8))
    patterns[1] = patterns[0]
    mixing = rng.normal(size=(8, 8))
    precision = np.linalg.inv(mixing @ mixing.T)
    conditions, runs = np.tile(np.arange(4), 6), np.repeat(np.arange(3), 8)
    truth = pdist(patterns, "sqeuclidean") / 8
    i, j = np.triu_indices(4, 1)
    whitened = [
        (patterns[a] - patterns[b]) @ precision @ (patterns[a] - patterns[b]) / 8
        for a, b in zip(i, j, strict=True)
    ]
    plain, known, biased = [], [], []
    for _ in range(800):
        X = patterns[conditions] + rng.normal(size=(24, 8)) @ mixing.T
        plain.append(crossnobis_distances(X, conditions, runs))
        known.append(
            crossnobis_distances(X, conditions, runs, noise_precision=precision)
        )
        means = np.stack([X[conditions == c].mean(axis=0) for c in range(4)])
        biased.append(pdist(means, "sqeuclidean") / 8)
    for found, expected in ((plain, truth), (known, whitened)):
        error = np.std(found, axis=0) / 800**0.5
        assert (np.abs(np.mean(found, axis=0) - expected) < 4 * error).all()
    # distances of means are larger by the noise, and equal conditions seem to differ
    error = np.std(biased, axis=0) / 800**0.5
    assert (np.mean(biased, axis=0) > truth + 10 * error).all()
    share = np.mean(np.array(plain)[:, 0] < 0)
    assert 0.4 < share < 0.65


def test_estimated_noise_leaves_equal_conditions_at_zero():
    rng = np.random.default_rng(0)
    conditions, runs = np.tile(np.arange(3), 9), np.repeat(np.arange(3), 9)
    mixing = rng.normal(size=(30, 30))
    found = [
        crossnobis_distances(
            rng.normal(size=(27, 30)) @ mixing,
            conditions,
            runs,
            noise_precision="shrinkage",
        )
        for _ in range(300)
    ]
    error = np.std(found, axis=0) / 300**0.5
    assert (np.abs(np.mean(found, axis=0)) < 4 * error).all()


@pytest.mark.parametrize(
    "comparison", ["spearman", "rho_a", "tau_a", "pearson", "cosine", "cosine_cov"]
)
def test_negative_distances_are_compared(comparison):
    rng = np.random.default_rng(0)
    X, conditions, runs = design(n_conditions=12, seed=3)
    X = X + 2 * rng.normal(size=X.shape)
    distances = crossnobis_distances(X, conditions, runs)
    assert distances.min() < 0
    model = rng.normal(size=(12, 4))
    score = RSA("precomputed", comparison).fit(pdist(model), distances).score_
    assert -1 < score < 1


def test_bad_designs_are_refused():
    X, conditions, runs = design()
    for change, message in (
        ({"runs": np.zeros(15)}, "runs has 1 value, .*two runs"),
        ({"conditions": np.zeros(15)}, "conditions has 1 value, .*two conditions"),
        ({"conditions": conditions[:9]}, "conditions must hold one label for each"),
        ({"runs": np.arange(15)}, "No two conditions were measured together"),
        ({"runs": np.where(runs == 1, np.nan, runs)}, "runs"),
        ({"X": np.where(X > 1, np.nan, X)}, "X"),
        ({"noise_precision": np.eye(5)}, r"shape \(5, 5\), but X has 6 columns"),
        ({"noise_precision": np.triu(np.ones((6, 6)))}, "columns 0 and 1 is 1, that"),
        ({"noise_precision": -np.eye(6)}, "is -1 for column 0"),
        ({"noise_precision": "shrinkage"}, "15 rows are in 15 cells of one condition"),
        ({"noise_precision": "ledoit"}, "shrinkage"),
    ):
        given = {"X": X, "conditions": conditions, "runs": runs, **change}
        with pytest.raises(ValueError, match=message):
            crossnobis_distances(**given)
    repeated = np.repeat(X, 2, axis=0)
    with pytest.raises(ValueError, match="differ too little within these"):
        crossnobis_distances(
            repeated,
            np.repeat(conditions, 2),
            np.repeat(runs, 2),
            noise_precision="shrinkage",
        )
