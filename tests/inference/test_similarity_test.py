"""Permutation tests of similarity: numbers, ties, groups, refusals, containers."""

import itertools
import math

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.decomposition import PCA

from sksim.alignment import OrthogonalProcrustes
from sksim.base import BaseSimilarity
from sksim.base._tags import SimilarityTags
from sksim.cca import PWCCA, SVCCA, MeanCCA, MeanSquaredCCA
from sksim.inference import permutations, similarity_test
from sksim.rsm import CKA

MEASURES = [
    CKA(),
    CKA(debias="rows"),
    CKA(kernel="rbf"),
    MeanCCA(),
    MeanSquaredCCA(),
    SVCCA(),
    PWCCA(),
    OrthogonalProcrustes(),
]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 5))
    return X, X[:, :4] + 2 * rng.normal(size=(40, 4))


class FirstColumnAgreement(BaseSimilarity):
    """Share of rows whose first entries agree: discrete, so that ties abound."""

    def _view(self, X, xp):
        return X[:, 0]

    def _compare(self, view_x, view_y, xp):
        return float(np.mean(view_x == view_y))

    def _similarity_tags(self):
        return SimilarityTags(
            family="rsm", orientation="similarity", bounds=(0, 1), complexity="n"
        )


class MeanDifference(BaseSimilarity):
    """Compares the representations as wholes."""

    def _view(self, X, xp):
        return xp.mean(X)

    def _compare(self, view_x, view_y, xp):
        return abs(float(view_x - view_y))

    def _similarity_tags(self):
        return SimilarityTags(
            family="statistics",
            orientation="distance",
            bounds=(0, math.inf),
            paired=False,
            complexity="n",
        )


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_null_is_the_measure_on_permuted_rows(measure, data):
    X, y = data
    result = similarity_test(measure, X, y, n_permutations=19, random_state=0)
    null = [
        clone(measure).fit(X, y[order]).score_
        for order in permutations(len(X), 19, random_state=0)
    ]
    np.testing.assert_allclose(result.null_distribution, null, rtol=1e-12, atol=1e-13)
    fitted = clone(measure).fit(X, y)
    assert result.statistic == pytest.approx(fitted.statistic_, rel=1e-14)
    assert result.score == pytest.approx(fitted.score_, rel=1e-14)
    b = np.count_nonzero(np.array(null) >= fitted.score_)
    assert result.pvalue == pytest.approx((b + 1) / 20)
    assert result.null_mean == pytest.approx(np.mean(null))
    assert result.null_std == pytest.approx(np.std(null, ddof=1))
    assert result.z_score == pytest.approx(
        (fitted.score_ - np.mean(null)) / np.std(null, ddof=1)
    )
    best = 0 if fitted.score_ < 0 and result.statistic > 0 else 1
    assert result.calibrated_score == pytest.approx(
        (fitted.score_ - np.mean(null)) / (best - np.mean(null))
    )
    assert (result.method, result.n_permutations) == ("permutation", 19)


def test_distances_test_for_similarity_too(data):
    X, _ = data
    rotated = X @ np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))[0]
    result = similarity_test(OrthogonalProcrustes(), X, rotated, random_state=0)
    assert result.pvalue == 0.001
    assert result.score > result.null_distribution.max()
    assert result.calibrated_score == pytest.approx(1, abs=1e-6)
    opposite = similarity_test(
        OrthogonalProcrustes(), X, rotated, alternative="less", random_state=0
    )
    assert opposite.pvalue == 1
    both = similarity_test(
        OrthogonalProcrustes(), X, rotated, alternative="two-sided", random_state=0
    )
    assert both.pvalue == 0.002


@pytest.mark.parametrize(("n_jobs", "batch_size"), [(1, 1), (1, 1000), (2, 7)])
def test_neither_jobs_nor_batches_matter(data, n_jobs, batch_size):
    usual = similarity_test(CKA(), *data, n_permutations=50, random_state=3)
    other = similarity_test(
        CKA(),
        *data,
        n_permutations=50,
        random_state=3,
        n_jobs=n_jobs,
        batch_size=batch_size,
    )
    np.testing.assert_array_equal(other.null_distribution, usual.null_distribution)
    assert other.pvalue == usual.pvalue


def test_progress_is_reported(data, capfd):
    similarity_test(CKA(), *data, n_permutations=100, random_state=0, verbose=10)
    assert "Done" in "".join(capfd.readouterr())


def test_few_rows_are_enumerated():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2, 5, 2))
    result = similarity_test(CKA(), X, y)
    null = [
        CKA().fit(X, y[list(order)]).score_
        for order in itertools.permutations(range(5))
    ]
    assert (result.method, result.n_permutations) == ("exact", 120)
    np.testing.assert_allclose(np.sort(result.null_distribution), np.sort(null))
    observed = CKA().fit(X, y).score_
    expected = np.mean(np.array(null) >= observed - 1e-12)
    assert result.pvalue == pytest.approx(expected)
    assert result.null_std == pytest.approx(np.std(null))
    drawn = similarity_test(CKA(), X, y, method="permutation", random_state=0)
    assert drawn.method == "permutation"
    assert abs(drawn.pvalue - expected) < 0.05


def test_too_many_orders_to_enumerate(data):
    with pytest.raises(ValueError, match="method='permutation'"):
        similarity_test(CKA(), *data, method="exact")


def test_ties_count_as_extreme():
    """Rounding must not decide between equal statistics."""
    X = np.repeat([[0.1], [0.7]], 10, axis=0)
    y = X * 3
    result = similarity_test(CKA(), X, y, random_state=0, n_permutations=2000)
    # C(20, 10) = 184756 labelings, two of which give 1: almost none is tied
    assert result.pvalue <= 3 / 2001
    small = similarity_test(CKA(), X[8:12], y[8:12])
    # 24 orders, of which 8 keep or exchange both halves
    assert small.pvalue == pytest.approx(8 / 24)
    labels = np.array([[0.0], [0], [1], [1], [1]])
    agreement = similarity_test(FirstColumnAgreement(), labels, labels)
    assert agreement.pvalue == pytest.approx(12 / 120)
    # with two zeros each, 1, 3 or 5 of the rows agree
    least = similarity_test(
        FirstColumnAgreement(), labels, labels[[2, 3, 4, 0, 1]], alternative="less"
    )
    assert least.score == pytest.approx(1 / 5)
    assert least.pvalue == pytest.approx(36 / 120)


def test_equal_scores_have_no_z_score():
    labels = np.zeros((30, 1))
    with pytest.warns(UserWarning, match="is 1 in whatever order the rows are"):
        result = similarity_test(FirstColumnAgreement(), labels, labels, random_state=0)
    assert result.pvalue == 1
    assert math.isnan(result.z_score)
    assert math.isnan(result.calibrated_score)


def _clustered(rng, n_groups=20, size=5, width=6):
    """Two unrelated representations whose groups of rows belong together."""
    groups = np.repeat(np.arange(n_groups), size)
    X, y = (
        rng.normal(size=(n_groups, width))[groups]
        + 0.2 * rng.normal(size=(n_groups * size, width))
        for _ in range(2)
    )
    return X, y, groups


@pytest.mark.filterwarnings("ignore:Rows that follow each other")
def test_groups_keep_the_level_where_free_permutation_does_not():
    rng = np.random.default_rng(0)
    pvalues = {"rows": [], "groups": []}
    for _ in range(60):
        X, y, groups = _clustered(rng)
        for design, found in pvalues.items():
            found.append(
                similarity_test(
                    CKA(debias="rows"),
                    X,
                    y,
                    groups=groups if design == "groups" else None,
                    n_permutations=99,
                    random_state=rng.integers(2**31),
                ).pvalue
            )
    # binomial(60, .05) exceeds 8 with probability .004
    assert np.sum(np.array(pvalues["groups"]) <= 0.05) <= 8
    assert np.mean(np.array(pvalues["rows"]) <= 0.05) > 0.3


@pytest.mark.filterwarnings("ignore:Rows that follow each other")
def test_within_strata_only_what_is_beyond_them_counts():
    rng = np.random.default_rng(0)
    strata = np.repeat(np.arange(20), 5)
    centres = 5 * rng.normal(size=(20, 4))[strata]
    X, y = (centres + rng.normal(size=(100, 4)) for _ in range(2))
    free = similarity_test(CKA(), X, y, random_state=0)
    within = similarity_test(CKA(), X, y, strata=strata, random_state=0)
    assert free.pvalue == 0.001
    assert within.pvalue > 0.05


@pytest.mark.parametrize("n_rows", [7, 30])
def test_unpaired_measures_are_refused(n_rows):
    X, y = np.random.default_rng(0).normal(size=(2, n_rows, 3))
    with pytest.raises(ValueError, match="MeanDifference compares the representations"):
        similarity_test(MeanDifference(), X, y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"measure": PCA}, "measure must be a similarity measure"),
        ({"measure": "CKAA"}, "Did you mean CKA"),
        ({"measure": CKA(kernel=3)}, "kernel"),
        ({"n_permutations": 0}, "n_permutations"),
        ({"alternative": "more"}, "alternative"),
        ({"method": "fast"}, "method"),
        ({"batch_size": 0}, "batch_size"),
        ({"groups": [1, 2]}, "each of the 40 rows"),
        ({"y": np.ones((3, 2))}, "40 rows and y has 3"),
        ({"y": None}, "y is None"),
        ({"y": np.full((40, 2), np.nan)}, "NaN"),
    ],
)
def test_bad_arguments(data, options, message):
    arguments = {"measure": CKA(), "X": data[0], "y": data[1]} | options
    with pytest.raises(ValueError, match=message):
        similarity_test(**arguments)


@pytest.mark.parametrize("measure", [CKA, "CKA", "cka"])
def test_the_measure_may_be_a_class_or_a_name(data, measure):
    result = similarity_test(measure, *data, n_permutations=9, random_state=0)
    expected = similarity_test(CKA(), *data, n_permutations=9, random_state=0)
    np.testing.assert_array_equal(result.null_distribution, expected.null_distribution)


def test_the_measure_stays_as_it_is(data):
    measure = CKA()
    before = dict(vars(measure))
    similarity_test(measure, *data, n_permutations=9)
    assert vars(measure) == before


def test_single_precision(data):
    X, y = (array.astype(np.float32) for array in data)
    double = similarity_test(CKA(), *data, n_permutations=99, random_state=0)
    single = similarity_test(CKA(), X, y, n_permutations=99, random_state=0)
    assert single.pvalue == double.pvalue
    np.testing.assert_allclose(
        single.null_distribution, double.null_distribution, rtol=1e-4
    )


@pytest.mark.parametrize("namespace", ["torch", "array_api_strict"])
@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_other_array_libraries(measure, namespace, data):
    xp = pytest.importorskip(namespace)
    usual = similarity_test(measure, *data, n_permutations=9, random_state=0)
    with config_context(array_api_dispatch=True):
        X, y = (xp.asarray(array) for array in data)
        groups = xp.asarray(np.repeat(np.arange(20), 2))
        there = similarity_test(measure, X, y, n_permutations=9, random_state=0)
        similarity_test(measure, X, y, groups=groups, n_permutations=3)
    np.testing.assert_allclose(there.null_distribution, usual.null_distribution)
    assert there.pvalue == usual.pvalue
