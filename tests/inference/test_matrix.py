"""Matrices of tests: shared permutations, corrections, aggregates, frames."""

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone

from sksim.alignment import LinearRegressionSimilarity, OrthogonalProcrustes
from sksim.base._inner_product import PickedGrid
from sksim.base._layers import open_layers
from sksim.cca import MeanSquaredCCA
from sksim.functional import CohenKappa, Disagreement
from sksim.inference import permutations, similarity_matrix_test, similarity_test
from sksim.rsm import CKA, HSIC, RSA, DistanceCorrelation, MinibatchCKA


@pytest.fixture(scope="module")
def layers():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(50, 4))
    a = {
        "first": shared + rng.normal(size=(50, 4)),
        "second": rng.normal(size=(50, 6)),
        "third": rng.normal(size=(50, 30)),
    }
    b = {"one": rng.normal(size=(50, 5)), "two": shared @ rng.normal(size=(4, 7))}
    return a, b


def _null_matrices(measure, a, b, n_permutations, seed):
    return np.array(
        [
            [[clone(measure).fit(x, y[order]).score_ for y in b] for x in a]
            for order in permutations(50, n_permutations, random_state=seed)
        ]
    )


@pytest.mark.parametrize(
    "measure",
    [CKA(), CKA(kernel="rbf"), MeanSquaredCCA(), OrthogonalProcrustes()],
    ids=repr,
)
def test_all_cells_see_the_permutations_of_a_single_test(measure, layers):
    a, b = layers
    result = similarity_matrix_test(
        measure, a, b, n_permutations=39, random_state=0, batch_size=5
    )
    for i, x in enumerate(a.values()):
        for j, y in enumerate(b.values()):
            single = similarity_test(measure, x, y, n_permutations=39, random_state=0)
            assert result.scores[i, j] == pytest.approx(single.score)
            assert result.pvalues[i, j] == pytest.approx(single.pvalue)
            assert result.null_mean[i, j] == pytest.approx(single.null_mean)
            assert result.null_std[i, j] == pytest.approx(single.null_std)
            assert result.calibrated_scores[i, j] == pytest.approx(
                single.calibrated_score, rel=1e-6
            )
    assert (result.names_x, result.names_y) == (list(a), list(b))


PICKED = [
    CKA(),
    CKA(debias="rows"),
    CKA(kernel="rbf"),
    HSIC(),
    HSIC(debias="rows"),
    DistanceCorrelation(),
    DistanceCorrelation(debias="rows"),
    RSA(),
    RSA(metric="sqeuclidean", comparison="pearson"),
    RSA(comparison="kendall"),
    RSA(metric="sqeuclidean", comparison="corr_cov"),
    MeanSquaredCCA(denominator="geometric"),
    LinearRegressionSimilarity(),
    LinearRegressionSimilarity(ridge=2.0),
    MinibatchCKA(batch_size=20, random_state=0),
]


@pytest.mark.parametrize("dtype", [float, np.float32])
@pytest.mark.parametrize("picked", [True, False])
@pytest.mark.parametrize("measure", PICKED, ids=repr)
def test_null_of_all_cells_by_refitting(measure, picked, dtype, monkeypatch):
    if not picked:
        monkeypatch.setattr("sksim.base._inner_product._MOST_MEMORY", 0)
    rng = np.random.default_rng(0)
    a, b = (
        [rng.normal(size=(60, width)).astype(dtype) + 1 for width in widths]
        for widths in ((20, 25, 30), (22, 28))
    )
    prepared = open_layers(clone(measure), a, b).grid.for_permutations()
    never = isinstance(measure, MinibatchCKA) or "kendall" in repr(measure)
    assert isinstance(prepared, PickedGrid) == (picked and not never)
    orders = list(permutations(60, 3, random_state=0))
    found = prepared.permuted(orders)
    expected = [
        [[clone(measure).fit(x, y[order]).statistic_ for y in b] for x in a]
        for order in orders
    ]
    tolerance = 1e-11 if dtype is float else 1e-5
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("first", [0, 1])
def test_precisions_may_differ(first):
    rng = np.random.default_rng(0)
    X, y, z = rng.normal(size=(3, 60, 20)).astype(np.float32)
    sides = {"rough": [y, z.astype(float)], "fine": [y.astype(float), z.astype(float)]}
    means = {
        name: similarity_matrix_test(
            CKA(kernel="rbf"),
            [X],
            side[::-1] if first else side,
            n_permutations=19,
            random_state=0,
        ).null_mean
        for name, side in sides.items()
    }
    np.testing.assert_allclose(means["rough"], means["fine"], rtol=1e-6)


def test_z_scores_are_those_of_single_tests(layers):
    a, b = (list(side.values()) for side in layers)
    cells = similarity_matrix_test(CKA(), a, b, n_permutations=50, random_state=3)
    for (i, j), z_score in np.ndenumerate(cells.z_scores):
        single = similarity_test(
            CKA(), a[i], b[j], n_permutations=50, random_state=3, method="permutation"
        )
        assert z_score == pytest.approx(single.z_score, rel=1e-9)
        assert cells.null_mean[i, j] == pytest.approx(single.null_mean, rel=1e-9)


def test_undefined_cells_are_refused():
    constant, other = np.zeros(30, int), np.arange(30) % 2
    with pytest.raises(ValueError, match="Layer 'a' against 'a'.*undefined"):
        similarity_matrix_test(
            CohenKappa(), {"a": constant, "b": other}, {"a": constant}
        )


def _step_down_by_definition(z, z_null):
    """Adjusted p-values with one loop for each step."""
    remaining = list(range(len(z)))
    corrected, largest = np.empty(len(z)), 0.0
    while remaining:
        best = max(remaining, key=lambda cell: z[cell])
        maxima = z_null[:, remaining].max(axis=1)
        p = (1 + np.sum(maxima >= z[best] - 1e-9)) / (len(z_null) + 1)
        largest = max(largest, p)
        corrected[best] = largest
        remaining.remove(best)
    return corrected


def test_step_down_is_westfall_and_young(layers):
    a, b = (list(side.values()) for side in layers)
    result = similarity_matrix_test(CKA(), a, b, n_permutations=99, random_state=1)
    null = _null_matrices(CKA(), a, b, 99, 1).reshape(99, -1)
    both = np.vstack([result.scores.reshape(1, -1), null])
    z = (both - both.mean(axis=0)) / both.std(axis=0)
    by_hand = (result.scores - null.mean(axis=0).reshape(3, 2)) / result.null_std
    np.testing.assert_allclose(result.z_scores, by_hand)
    np.testing.assert_allclose(
        result.pvalues_corrected.ravel(), _step_down_by_definition(z[0], z[1:])
    )
    assert (result.pvalues_corrected >= result.pvalues).all()
    np.testing.assert_array_equal(
        result.significant, [[False, True], [False, False], [False, False]]
    )


def test_holm_and_benjamini_hochberg_by_hand():
    from sksim.inference._matrix import _benjamini_hochberg, _holm

    p = np.array([0.01, 0.04, 0.03, 0.005])
    np.testing.assert_allclose(_holm(p, None, None), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(
        _benjamini_hochberg(p, None, None), [0.02, 0.04, 0.04, 0.02]
    )
    np.testing.assert_allclose(_holm(np.array([0.9, 0.8]), None, None), [1, 1])


@pytest.mark.parametrize("correction", ["holm", "fdr_bh"])
def test_other_corrections(correction, layers):
    a, b = layers
    usual = similarity_matrix_test(CKA(), a, b, random_state=0, n_permutations=199)
    other = similarity_matrix_test(
        CKA(), a, b, random_state=0, n_permutations=199, correction=correction
    )
    np.testing.assert_array_equal(other.pvalues, usual.pvalues)
    assert other.significant[0, 1]
    assert other.correction == correction


def test_pairs_among_themselves(layers):
    a = layers[0]
    result = similarity_matrix_test(CKA(), a, n_permutations=19, random_state=0)
    assert np.isnan(result.pvalues).sum() == 6
    np.testing.assert_array_equal(
        ~np.isnan(result.pvalues_corrected), np.triu(np.ones((3, 3)), k=1) > 0
    )
    np.testing.assert_allclose(np.diag(result.scores), 1)
    assert not result.significant[np.tril_indices(3)].any()
    assert len(result.to_frame()) == 3


@pytest.mark.parametrize(
    ("aggregate", "function"),
    [
        ("max", np.max),
        ("mean", np.mean),
        ("best_per_row", lambda s: s.max(axis=1).mean()),
        (np.median, np.median),
    ],
)
def test_aggregates_have_their_own_null(aggregate, function, layers):
    a, b = (list(side.values()) for side in layers)
    result = similarity_matrix_test(
        CKA(), a, b, n_permutations=29, random_state=0, aggregate=aggregate
    )
    null = [function(matrix) for matrix in _null_matrices(CKA(), a, b, 29, 0)]
    whole = result.aggregate
    np.testing.assert_allclose(whole.null_distribution, null)
    assert whole.score == pytest.approx(function(result.scores))
    assert whole.pvalue == pytest.approx(
        (1 + np.sum(np.array(null) >= whole.score)) / 30
    )
    assert whole.calibrated_score == pytest.approx(
        (whole.score - np.mean(null)) / (1 - np.mean(null))
    )


@pytest.mark.parametrize("aggregate", ["max", "mean", "best_per_row"])
def test_aggregates_leave_the_diagonal_out(aggregate, layers):
    a = layers[0]
    result = similarity_matrix_test(
        CKA(), a, n_permutations=9, random_state=0, aggregate=aggregate
    )
    s = result.scores
    expected = {
        "max": max(s[0, 1], s[0, 2], s[1, 2]),
        "mean": np.mean([s[0, 1], s[0, 2], s[1, 2]]),
        "best_per_row": np.mean(
            [max(s[0, 1], s[0, 2]), max(s[0, 1], s[1, 2]), max(s[0, 2], s[1, 2])]
        ),
    }[aggregate]
    assert result.aggregate.score == pytest.approx(expected)


def test_the_best_of_many_unrelated_layers_is_not_significant():
    """The largest of 36 cells looks significant by its own p-value."""
    rng = np.random.default_rng(0)
    a, b = (list(rng.normal(size=(6, 40, 5))) for _ in range(2))
    result = similarity_matrix_test(
        CKA(), a, b, aggregate="max", n_permutations=199, random_state=0
    )
    assert result.pvalues.min() < 0.05
    assert result.pvalues_corrected.min() > 0.05
    assert result.aggregate.pvalue > 0.05
    assert abs(result.aggregate.calibrated_score) < 0.1


def test_frame(layers):
    a, b = layers
    frame = similarity_matrix_test(
        CKA(), a, b, n_permutations=99, random_state=0
    ).to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert frame.columns.tolist() == [
        "x",
        "y",
        "score",
        "calibrated_score",
        "null_mean",
        "null_std",
        "z_score",
        "pvalue",
        "pvalue_corrected",
        "significant",
    ]
    assert frame.loc[0, ["x", "y"]].tolist() == ["first", "two"]
    assert frame["pvalue_corrected"].is_monotonic_increasing


def test_neither_jobs_nor_batches_matter(layers):
    results = [
        similarity_matrix_test(
            CKA(), *layers, n_permutations=20, random_state=0, **options
        )
        for options in ({}, {"batch_size": 3}, {"n_jobs": 2, "batch_size": 4})
    ]
    for other in results[1:]:
        np.testing.assert_array_equal(other.pvalues, results[0].pvalues)
        np.testing.assert_array_equal(other.null_mean, results[0].null_mean)


def test_groups(layers):
    a, b = layers
    groups = np.repeat(np.arange(10), 5)
    result = similarity_matrix_test(
        CKA(), a, b, n_permutations=20, groups=groups, random_state=0
    )
    single = similarity_test(
        CKA(), a["first"], b["two"], n_permutations=20, groups=groups, random_state=0
    )
    assert result.null_mean[0, 1] == pytest.approx(single.null_mean)


@pytest.mark.parametrize("namespace", ["torch", "array_api_strict"])
def test_other_array_libraries(namespace, layers):
    xp = pytest.importorskip(namespace)
    a, b = layers
    usual = similarity_matrix_test(CKA(), a, b, n_permutations=9, random_state=0)
    with config_context(array_api_dispatch=True):
        moved = [{k: xp.asarray(v) for k, v in side.items()} for side in layers]
        there = similarity_matrix_test(CKA(), *moved, n_permutations=9, random_state=0)
    np.testing.assert_allclose(there.null_mean, usual.null_mean)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((CKA(), {}), "Xs is empty"),
        ((CKA(), np.ones((3, 4))), "Xs must be a dict"),
        ((CKA(), [np.eye(5)]), "makes no pair"),
        ((CKA(), {"a": np.eye(5)}, {"b": np.eye(4)}), "differ: {'a': 5, 'b': 4}"),
        ((CKA(), {"a": np.eye(5), "flat": np.ones((5, 2))}), "'flat'.*constant"),
        (("CKAA", [np.eye(5)] * 2), "Did you mean CKA"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        similarity_matrix_test(*arguments)


@pytest.mark.parametrize("measure", [CKA, "CKA"])
def test_the_measure_may_be_a_class_or_a_name(measure, layers):
    found, expected = (
        similarity_matrix_test(m, *layers, n_permutations=9, random_state=0)
        for m in (measure, CKA())
    )
    np.testing.assert_array_equal(found.null_mean, expected.null_mean)


def test_labels_are_tested_by_rows():
    rng = np.random.default_rng(0)
    outputs = list(rng.integers(0, 3, size=(3, 60)))
    result = similarity_matrix_test(
        Disagreement(), outputs, n_permutations=19, random_state=0
    )
    assert np.isfinite(result.pvalues[0, 1])


def _partial_signal(rng, n_layers=4, n=40):
    shared = rng.normal(size=(n, 4))
    a = [rng.normal(size=(n, 6)) for _ in range(n_layers)]
    b = [rng.normal(size=(n, 6)) for _ in range(n_layers)]
    for layers in (a, b):
        layers[0] = np.hstack([shared, rng.normal(size=(n, 4))])
        layers[1] = shared + rng.normal(size=(n, 4))
    return a, b


@pytest.mark.slow
def test_familywise_error_and_power():
    """Two of four layers share a signal: 4 true cells, 12 false ones."""
    truth = np.zeros((4, 4), dtype=bool)
    truth[:2, :2] = True
    false, found = 0, []
    for seed in range(60):
        a, b = _partial_signal(np.random.default_rng(seed))
        significant = similarity_matrix_test(
            CKA(debias="rows"), a, b, n_permutations=199, random_state=seed
        ).significant
        false += (significant & ~truth).any()
        found.append(significant[truth].mean())
    # binomial(60, .05) exceeds 8 with probability .004
    assert false <= 8
    assert np.mean(found) > 0.95


def test_holm_with_too_few_orders_warns_with_the_number_needed():
    rng = np.random.default_rng(0)
    layers = [rng.normal(size=(12, 2)) for _ in range(4)]
    options = {"correction": "holm", "random_state": 0}
    with pytest.warns(UserWarning, match="n_permutations=119 or more") as caught:
        similarity_matrix_test(CKA(), layers, n_permutations=118, **options)
    assert caught[0].filename == __file__
    # 6 cells: with 119 orders the smallest corrected p-value is .05, which is enough
    result = similarity_matrix_test(CKA(), layers, n_permutations=119, **options)
    assert result.pvalues_corrected[0, 1] >= 0.05
    with pytest.warns(UserWarning, match="n_permutations=599 or more"):
        similarity_matrix_test(CKA(), layers, n_permutations=119, alpha=0.01, **options)
