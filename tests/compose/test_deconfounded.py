"""Similarity without what the inputs explain."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.distance import pdist
from scipy.stats import kendalltau, pearsonr, spearmanr
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from sksim.compose import DeconfoundedSimilarity
from sksim.inference import (
    CalibratedSimilarity,
    compare_similarities,
    permutations,
    similarity_interval,
    similarity_matrix_test,
    similarity_test,
)
from sksim.inference._moments import null_moments
from sksim.pairwise import compare, similarity_matrix
from sksim.rsm import CKA, HSIC, RSA, NormalizedBures


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(40, 4))
    X = np.hstack([z, rng.normal(size=(40, 3))])
    return X, z @ rng.normal(size=(4, 5)) + rng.normal(size=(40, 5)), z


def partial(xy, xz, yz):
    return (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))


@pytest.mark.parametrize(
    "measure",
    [
        CKA(),
        CKA(debias="rows"),
        CKA(kernel="rbf"),
        CKA(kernel="rbf", debias="rows"),
    ],
)
def test_partial_correlation_of_kernels(data, measure):
    X, y, z = data
    pairs = [(X, y), (X, z), (y, z)]
    expected = partial(*(measure.fit(*pair).score_ for pair in pairs))
    value = DeconfoundedSimilarity(measure).fit(X, y, z=z).score_
    assert_allclose(value, expected, rtol=1e-10)


def test_wide_views(data):
    X, y, z = data
    wide = np.hstack([X] * 10) + np.random.default_rng(1).normal(size=(40, 70))
    pairs = [(wide, y), (wide, z), (y, z)]
    expected = partial(*(CKA().fit(*pair).score_ for pair in pairs))
    value = DeconfoundedSimilarity(CKA()).fit(wide, y, z=z).score_
    assert_allclose(value, expected, rtol=1e-10)


def test_hsic_of_residual_kernels(data):
    X, y, z = data
    K, L, M = ((c := v - v.mean(axis=0)) @ c.T for v in data)
    K, L = (A - np.sum(A * M) / np.sum(M * M) * M for A in (K, L))
    value = DeconfoundedSimilarity(HSIC()).fit(X, y, z=z).statistic_
    assert_allclose(value, np.sum(K * L) / 39**2, rtol=1e-10)


CORRELATIONS = {
    "pearson": lambda a, b: pearsonr(a, b).statistic,
    "spearman": lambda a, b: spearmanr(a, b).statistic,
    "kendall": lambda a, b: kendalltau(a, b).statistic,
}


@pytest.mark.parametrize("comparison", CORRELATIONS)
@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean", "correlation"])
def test_rsa_of_residual_dissimilarities(data, comparison, metric):
    dissimilarities = [pdist(view, metric) for view in data]
    design = np.column_stack([np.ones(780), dissimilarities[2]])
    residuals = [
        d - design @ np.linalg.lstsq(design, d)[0] for d in dissimilarities[:2]
    ]
    expected = CORRELATIONS[comparison](*residuals)
    measure = DeconfoundedSimilarity(RSA(metric, comparison))
    assert_allclose(
        measure.fit(data[0], data[1], z=data[2]).score_, expected, rtol=1e-9
    )


def test_score_of_new_rows(data):
    X, y, z = data
    measure = DeconfoundedSimilarity(CKA()).fit(X[:20], y[:20], z=z[:20])
    again = DeconfoundedSimilarity(CKA()).fit(X[20:], y[20:], z=z[20:])
    assert_allclose(measure.score(X[20:], y[20:], z=z[20:]), again.score_)
    assert measure.score() == measure.score_
    assert (measure.n_features_in_, measure.n_features_z_in_) == (7, 4)


OF_RESIDUALS = [CKA(), CKA(debias="rows"), HSIC(), RSA("euclidean", "pearson")]


@pytest.mark.parametrize("measure", OF_RESIDUALS, ids=repr)
def test_residuals_are_permuted(data, measure):
    """The confounder goes with y's view, as in the partial Mantel test."""
    X, y, z = data
    measure = DeconfoundedSimilarity(measure)
    settings = {"n_permutations": 19, "random_state": 0}
    result = similarity_test(measure, X, y, metadata={"z": z}, **settings)
    comparison = clone(measure)._open(X, y, z=z)
    other = clone(measure)
    null = []
    for order in permutations(40, 19, random_state=0):
        moved = other._open(X, y[order], z=z[order])
        null.append(replace(comparison, view_y=moved.view_y).score())
    assert_allclose(result.null_distribution, null, rtol=1e-10, atol=1e-13)
    assert result.statistic == pytest.approx(measure.fit(X, y, z=z).statistic_)
    greater = np.sum(np.array(null) >= result.score - 1e-12)
    assert result.pvalue == (1 + greater) / 20


def test_mean_over_all_orders_of_residuals(data):
    X, y, z = (rows[:6] for rows in data)
    measure = DeconfoundedSimilarity(CKA())
    exact = similarity_test(measure, X, y, metadata={"z": z}, method="exact")
    comparison = measure._open(X, y, z=z)
    assert comparison.null_mean() == pytest.approx(exact.null_mean, rel=1e-10)
    moments = null_moments(comparison.trace_form())
    assert moments.mean == pytest.approx(exact.null_mean, rel=1e-10)
    assert moments.std == pytest.approx(exact.null_std, rel=1e-10)
    calibrated = CalibratedSimilarity(measure).fit(X, y, z=z)
    assert calibrated.null_mean_ == pytest.approx(exact.null_mean, rel=1e-10)
    assert calibrated.score(X, y, z=z) == pytest.approx(calibrated.score_)


@pytest.mark.filterwarnings("ignore:.* is biased at 40 rows")
@pytest.mark.parametrize("measure", OF_RESIDUALS, ids=repr)
def test_jackknife_leaves_rows_of_the_confounder_out(data, measure):
    X, y, z = data
    measure = DeconfoundedSimilarity(measure)
    result = similarity_interval(measure, X, y, metadata={"z": z})
    parts = [np.delete(np.arange(40), i) for i in range(40)]
    refits = [measure.fit(X[rows], y[rows], z=z[rows]).score_ for rows in parts]
    assert_allclose(result.replicates, refits, rtol=1e-10, atol=1e-13)
    both = compare_similarities(measure, X, y, X[:, :5], metadata={"z": z})
    assert_allclose(both.replicates[:, 0], refits, rtol=1e-10, atol=1e-13)
    assert both.scores[0] == pytest.approx(measure.fit(X, y, z=z).score_)


@pytest.mark.parametrize("measure", OF_RESIDUALS, ids=repr)
def test_matrices_take_the_confounder(data, measure):
    X, y, z = data
    measure = DeconfoundedSimilarity(measure)
    layers = {"a": X, "b": y, "c": X[:, 4:]}
    matrix = similarity_matrix(measure, layers, metadata={"z": z})
    for name, other in itertools.product(layers, repeat=2):
        expected = measure.fit(layers[name], layers[other], z=z).score_
        assert_allclose(matrix.loc[name, other], expected, rtol=1e-9, atol=1e-12)
    settings = {"metadata": {"z": z}, "n_permutations": 19, "random_state": 0}
    cells = similarity_matrix_test(measure, {"a": X}, {"b": y}, **settings)
    single = similarity_test(measure, X, y, **settings)
    assert cells.pvalues[0, 0] == single.pvalue
    assert cells.null_mean[0, 0] == pytest.approx(single.null_mean, rel=1e-9)


def test_confounder_is_routed(data):
    X, y, z = data
    with config_context(enable_metadata_routing=True):
        scores = cross_val_score(
            DeconfoundedSimilarity(CKA()), X, y, cv=2, params={"z": z}
        )
    assert np.all(np.isfinite(scores))


def test_what_cannot_be_deconfounded(data):
    X, y, z = data
    with pytest.raises(ValueError, match="pass z="):
        DeconfoundedSimilarity(CKA()).fit(X, y)
    with pytest.raises(ValueError, match="metadata={'z': ...} to functions"):
        similarity_test(DeconfoundedSimilarity(CKA()), X, y)
    with pytest.raises(ValueError, match="one of z up to scale"):
        DeconfoundedSimilarity(CKA()).fit(2 * z, y, z=z)
    with pytest.raises(ValueError, match="one of z up to scale"):
        DeconfoundedSimilarity(RSA()).fit(2 * z, y, z=z)
    with pytest.raises(ValueError, match="39"):
        DeconfoundedSimilarity(CKA()).fit(X, y, z=z[:39])
    with pytest.raises(ValueError, match="measure"):
        DeconfoundedSimilarity(NormalizedBures()).fit(X, y, z=z)


# ----- a confounder that is a class of each row ---------------------------------------


LABELS = np.array(["cat", "dog", "eel", "fox"])


def of_classes(rng, n=60, n_classes=4):
    """Two unrelated functions of a class, with noise, and the class of each row."""
    codes = rng.integers(n_classes, size=n)
    X, y = (
        rng.normal(size=(n_classes, 8))[codes] + rng.normal(size=(n, 8)) for _ in "ab"
    )
    return X, y, LABELS[codes]


@pytest.mark.parametrize(
    "make",
    [
        list,
        lambda z: z,
        lambda z: z[:, None],
        pd.Series,
        lambda z: pd.Series(z).astype("category"),
        lambda z: pd.Series(np.searchsorted(LABELS, z)).astype("category"),
    ],
)
def test_classes_are_columns(make):
    X, y, z = of_classes(np.random.default_rng(0))
    columns = (z[:, None] == LABELS).astype(float)
    measure = DeconfoundedSimilarity(CKA())
    expected = measure.fit(X, y, z=columns).score_
    assert measure.fit(X, y, z=make(z)).score_ == pytest.approx(expected)
    assert measure.n_features_z_in_ == 4
    # numbers are numbers
    codes = np.searchsorted(LABELS, z)
    assert measure.fit(X, y, z=codes).score_ != pytest.approx(expected)
    assert measure.n_features_z_in_ == 1


def test_classes_of_two_kinds_are_columns_too():
    X, y, z = of_classes(np.random.default_rng(0), n_classes=2)
    measure = DeconfoundedSimilarity(CKA())
    expected = measure.fit(X, y, z=z).score_
    assert measure.fit(X, y, z=z == "cat").score_ == pytest.approx(expected)
    assert measure.fit(X, y, z=(z == "cat") * 1.0).score_ == pytest.approx(expected)


def test_a_class_that_is_missing_is_refused():
    X, y, z = of_classes(np.random.default_rng(0))
    z = [None, *z[1:]]
    with pytest.raises(ValueError, match=r"z contains NaN.* in 1 of 60 rows"):
        DeconfoundedSimilarity(CKA()).fit(X, y, z=z)


@pytest.mark.parametrize("measure", [CKA(), RSA("euclidean", "pearson")], ids=repr)
def test_within_classes_of_the_confounder_nothing_is_left(measure):
    """Level .05; the Monte Carlo error of 80 pairs is .024."""
    measure, rejected = DeconfoundedSimilarity(measure), np.zeros(2)
    for seed in range(80):
        X, y, z = of_classes(np.random.default_rng(seed))
        for i, strata in enumerate((z, None)):
            test = similarity_test(
                measure,
                X,
                y,
                metadata={"z": z},
                strata=strata,
                n_permutations=39,
                random_state=seed,
            )
            rejected[i] += test.pvalue <= 0.05
    assert rejected[0] / 80 <= 0.12
    # one multiple of the classes' matrix does not hold all that they explain
    assert rejected[1] > rejected[0]


def test_classes_travel_with_the_rows():
    X, y, z = of_classes(np.random.default_rng(0))
    measure = DeconfoundedSimilarity(CKA())
    settings = {"metadata": {"z": z}, "random_state": 0}
    test = similarity_test(measure, X, y, strata=z, n_permutations=19, **settings)
    numbers = (z[:, None] == LABELS).astype(float)
    expected = similarity_test(
        measure,
        X,
        y,
        metadata={"z": numbers},
        strata=z,
        n_permutations=19,
        random_state=0,
    )
    assert_allclose(test.null_distribution, expected.null_distribution)
    matrix = similarity_matrix(measure, [X, y], metadata={"z": z})
    assert matrix.iloc[0, 1] == pytest.approx(test.score)
    cells = similarity_matrix_test(
        measure, [X], [y], strata=z, n_permutations=19, **settings
    )
    assert cells.pvalues[0, 0] == test.pvalue
    interval = similarity_interval(measure, X, y, **settings)
    assert interval.score == pytest.approx(test.score)
    calibrated = CalibratedSimilarity(measure, n_permutations=19, random_state=0)
    calibrated.fit(X, y, z=z, strata=z)
    assert calibrated.score_ == pytest.approx(test.calibrated_score)


# ----- compare ------------------------------------------------------------------------


OPTIONS = {"n_permutations": 19, "random_state": 0}


def test_compare_takes_a_confounder(data):
    X, y, z = data
    measures = {"plain": CKA(), "rest": DeconfoundedSimilarity(CKA())}
    table = compare(X, y, measures=measures, metadata={"z": z}, **OPTIONS).to_frame()
    table = table.set_index("measure")
    expected = measures["rest"].fit(X, y, z=z).score_
    assert table.value["rest"] == pytest.approx(expected)
    assert table.value["plain"] == pytest.approx(CKA().fit(X, y).score_)
    interval = similarity_interval(measures["rest"], X, y, metadata={"z": z})
    limits = table.loc["rest", ["interval_low", "interval_high"]].astype(float)
    assert_allclose(limits, interval.confidence_interval)
    assert list(table.null) == ["rows", "rows"]
    with pytest.raises(ValueError, match="needs the confounder: pass z="):
        compare(X, y, measures=measures, **OPTIONS).to_frame()
    with pytest.raises(ValueError, match=r"metadata knows .* got zz"):
        compare(X, y, measures=measures, metadata={"zz": z}, **OPTIONS).to_frame()


def test_compare_goes_by_the_classes_of_a_confounder():
    X, y, z = of_classes(np.random.default_rng(0))
    measures = {"plain": CKA(), "rest": DeconfoundedSimilarity(CKA())}
    table = compare(X, y, measures=measures, metadata={"z": z}, **OPTIONS).to_frame()
    assert list(table.null) == ["rows", "rows within z"]
    expected = similarity_test(
        measures["rest"],
        X,
        y,
        metadata={"z": z},
        strata=z,
        n_permutations=19,
        random_state=table.attrs["random_state"],
    )
    assert table.pvalue[1] == expected.pvalue
    free = compare(
        X, y, measures=measures, metadata={"z": z}, strata=None, **OPTIONS
    ).to_frame()
    assert list(free.null) == ["rows", "rows"]


def test_compare_joins_a_confounder(data):
    tables = [pd.DataFrame(v).rename(columns=str) for v in data]
    for table, shift in zip(tables, (0, 7, 3), strict=True):
        table.insert(0, "id", np.arange(40))
        table[:] = np.roll(table, shift, axis=0)
    measure = DeconfoundedSimilarity(CKA())
    a, b, z = tables
    table = compare(
        a, b, on="id", measures=measure, metadata={"z": z}, **OPTIONS
    ).to_frame()
    expected = measure.fit(data[0], data[1], z=data[2]).score_
    assert table.value[0] == pytest.approx(expected)
    # what has no ids belongs to the rows of a
    table = compare(
        a, b, on="id", measures=measure, metadata={"z": data[2]}, **OPTIONS
    ).to_frame()
    assert table.value[0] == pytest.approx(expected)
