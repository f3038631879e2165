"""Pools of replicates: what is averaged, and the best that a model can reach."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist, squareform
from scipy.stats import rankdata
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import StandardScaler

from sksim import (
    CKA,
    HSIC,
    IMD,
    RSA,
    Disagreement,
    JensenShannonDivergence,
    LinearRegressionSimilarity,
    OrthogonalProcrustes,
    PermutationProcrustes,
    ShapeSpace,
    TransformedViews,
    noise_ceiling,
)

DATA = Path(__file__).parents[1] / "data" / "noise_ceilings.json"
REFERENCE = json.loads(DATA.read_text())
COMPARISONS = {
    "corr": "pearson",
    "cosine": "cosine",
    "spearman": "spearman",
    "tau-a": "kendall",
    "rho-a": "rho_a",
    "corr_cov": "corr_cov",
    "cosine_cov": "cosine_cov",
}
KNOWN = {
    name
    for constraint in RSA._parameter_constraints["comparison"]
    for name in constraint.options
}
COMPARISONS = {key: name for key, name in COMPARISONS.items() if name in KNOWN}


@pytest.fixture
def subjects():
    rng = np.random.default_rng(0)
    common = rng.normal(size=(20, 6))
    return [common + rng.normal(size=common.shape) for _ in range(5)]


@pytest.mark.parametrize("comparison", COMPARISONS)
@pytest.mark.parametrize("case", REFERENCE)
def test_ceilings_are_those_of_rsatoolbox(case, comparison):
    rdms = np.array(REFERENCE[case]["rdms"], dtype=REFERENCE[case]["dtype"])
    expected = REFERENCE[case]["values"][comparison]
    measure = RSA("precomputed", COMPARISONS[comparison])
    for ys in (list(rdms), [squareform(rdm) for rdm in rdms]):
        result = noise_ceiling(measure, ys)
        for name in ("lower", "upper"):
            assert getattr(result, name) == pytest.approx(expected[name], abs=1e-9)
            np.testing.assert_allclose(
                getattr(result, f"{name}_by_replicate"),
                expected[f"{name}_by_subject"],
                rtol=0,
                atol=1e-9,
            )
    assert result.pool == "dissimilarities"


@pytest.mark.parametrize(
    "metric", ["correlation", "euclidean", "sqeuclidean", "cosine"]
)
@pytest.mark.parametrize("comparison", COMPARISONS.values())
def test_representations_are_their_dissimilarities(metric, comparison, subjects):
    result = noise_ceiling(RSA(metric, comparison), subjects)
    given = [pdist(y, metric) for y in subjects]
    expected = noise_ceiling(RSA("precomputed", comparison), given)
    np.testing.assert_allclose(result.upper_by_replicate, expected.upper_by_replicate)
    np.testing.assert_allclose(result.lower_by_replicate, expected.lower_by_replicate)
    assert result.lower < result.upper


@pytest.mark.parametrize("comparison", sorted({"pearson", "cosine", "rho_a"} & KNOWN))
def test_nothing_lies_above_a_bound(comparison):
    """Rankings of the pairs of four rows, with ties, and lists near the pool."""
    rng = np.random.default_rng(0)
    measure = RSA("precomputed", comparison)
    subjects = list(rng.uniform(size=(3, 6)) + rng.uniform(size=6))
    result = noise_ceiling(measure, subjects)
    assert result.upper_is_bound
    models = [rng.integers(3, size=6) for _ in range(100)]
    models += [rng.permutation(6) for _ in range(100)]
    models += [np.mean(subjects, axis=0) + s * rng.normal(size=6) for s in (0.01, 0.1)]
    ranks = np.mean([rankdata(y) for y in subjects], axis=0)
    models += [ranks]
    for model in models:
        if np.ptp(model) > 0:
            model = np.asarray(model, dtype=float)
            found = [measure.fit(model, y).score_ for y in subjects]
            assert np.mean(found) <= result.upper + 1e-12


@pytest.mark.parametrize("comparison", sorted(KNOWN - {"pearson", "cosine", "rho_a"}))
def test_what_is_no_bound_does_not_say_so(comparison, subjects):
    assert not noise_ceiling(RSA(comparison=comparison), subjects).upper_is_bound


def test_pairs_that_are_missing_or_do_not_count(subjects):
    given = [pdist(y) for y in subjects]
    n_pairs = len(given[0])
    counted = np.random.default_rng(0).random(n_pairs) < 0.8
    measure = RSA("precomputed", "spearman", pairs=counted)
    result = noise_ceiling(measure, given)
    ranks = np.stack([rankdata(values[counted]) for values in given])
    for i, values in enumerate(given):
        rank = rankdata(values[counted])
        pool = rankdata(ranks.mean(axis=0))
        others = rankdata(np.delete(ranks, i, axis=0).mean(axis=0))
        assert result.upper_by_replicate[i] == pytest.approx(
            np.corrcoef(pool, rank)[0, 1]
        )
        assert result.lower_by_replicate[i] == pytest.approx(
            np.corrcoef(others, rank)[0, 1]
        )
    missing = [np.where(counted, values, np.nan) for values in given]
    with pytest.warns(UserWarning, match="pairs of rows are missing"):
        same = noise_ceiling(RSA("precomputed", "spearman"), missing)
    np.testing.assert_allclose(same.lower_by_replicate, result.lower_by_replicate)
    given[0] = missing[0]
    with pytest.warns(UserWarning, match="pairs of rows are missing"):
        one = noise_ceiling(RSA("precomputed", "pearson"), given)
    assert one.lower < one.upper < 1


# ----- other pools --------------------------------------------------------------------


def test_means_of_rows(subjects):
    measure = LinearRegressionSimilarity()
    result = noise_ceiling(measure, subjects, pool="rows")
    assert result.pool == "rows"
    pool = np.mean(subjects, axis=0)
    expected = [measure.fit(pool, y).score_ for y in subjects]
    np.testing.assert_allclose(result.upper_by_replicate, expected)
    others = [np.mean(np.delete(subjects, i, axis=0), axis=0) for i in range(5)]
    expected = [measure.fit(m, y).score_ for m, y in zip(others, subjects, strict=True)]
    np.testing.assert_allclose(result.lower_by_replicate, expected)
    assert noise_ceiling(PermutationProcrustes(), subjects).pool == "rows"
    probabilities = [
        np.random.default_rng(i).dirichlet([1, 1, 1], 20) for i in range(3)
    ]
    result = noise_ceiling(JensenShannonDivergence(), probabilities)
    assert result.lower < result.upper < 0


def test_means_of_rotated_rows():
    rng = np.random.default_rng(0)
    common = rng.normal(size=(20, 4))
    rotations = [np.linalg.qr(rng.normal(size=(4, 4)))[0] for _ in range(5)]
    subjects = [
        (1 + i) * (common + 0.3 * rng.normal(size=(20, 4))) @ Q + i
        for i, Q in enumerate(rotations)
    ]
    measure = OrthogonalProcrustes()
    result = noise_ceiling(measure, subjects)
    assert result.pool == "aligned"
    mean = ShapeSpace(scale=True).fit(subjects).mean_
    expected = [measure.fit(mean, y).score_ for y in subjects]
    np.testing.assert_allclose(result.upper_by_replicate, expected, rtol=1e-5)
    assert result.lower < result.upper
    # rows of rotated columns have nothing in common
    assert noise_ceiling(measure, subjects, pool="rows").lower < result.lower - 0.1
    unscaled = OrthogonalProcrustes(center=False, scale=False)
    mean = ShapeSpace(center=False).fit(subjects[1:]).mean_
    lower = noise_ceiling(unscaled, subjects).lower_by_replicate[0]
    assert lower == pytest.approx(unscaled.fit(mean, subjects[0]).score_, rel=1e-5)


def test_rotations_of_one_representation_are_their_mean():
    rng = np.random.default_rng(0)
    common = rng.normal(size=(20, 30))
    rotations = [np.linalg.qr(rng.normal(size=(30, 30)))[0] for _ in range(4)]
    result = noise_ceiling(OrthogonalProcrustes(), [common @ Q for Q in rotations])
    assert result.lower == pytest.approx(0, abs=1e-6)


def test_widths_may_differ_where_columns_do_not_matter(subjects):
    subjects[1] = np.hstack([subjects[1], np.zeros((20, 2))])
    procrustes = OrthogonalProcrustes()
    assert noise_ceiling(procrustes, subjects).pool == "aligned"
    assert np.isfinite(noise_ceiling(RSA(), subjects).lower)
    with pytest.raises(ValueError, match=r"\[6, 8\] columns.*pool='aligned'"):
        noise_ceiling(procrustes, subjects, pool="rows")


@pytest.mark.parametrize(
    "measure", [CKA(), CKA(debias="rows"), CKA("rbf"), CKA("rbf", debias="rows")]
)
def test_means_of_kernels(measure, subjects):
    result = noise_ceiling(measure, subjects)
    assert result.pool == "kernels"
    kernels = [rbf_kernel(y) if measure.kernel == "rbf" else y @ y.T for y in subjects]
    if measure.debias is None:
        centre = np.eye(20) - 1 / 20
        centred = [centre @ K @ centre for K in kernels]
        units = [K / np.linalg.norm(K) for K in centred]
        given = CKA("precomputed").fit(np.mean(units, axis=0), kernels[1])
        if measure.kernel == "linear":
            assert result.upper_by_replicate[1] == pytest.approx(given.score_)
    # nothing is nearer to all, not even what is near to the pool
    assert result.upper_is_bound
    rng = np.random.default_rng(0)
    mean = np.mean(subjects, axis=0)
    for noise in (0, 0.1, 1):
        model = mean + noise * rng.normal(size=mean.shape)
        found = np.mean([measure.fit(model, y).score_ for y in subjects])
        assert found < result.upper
    assert result.lower < result.upper
    aligned = noise_ceiling(measure, subjects, pool="aligned")
    assert aligned.upper < result.upper


@pytest.mark.parametrize("measure", [CKA(debias="both"), HSIC(debias="both")])
def test_columns_that_are_a_sample_have_no_mean(measure, subjects):
    with pytest.raises(ValueError, match="a sample of many.*debias='rows'"):
        noise_ceiling(measure, subjects)


def test_given_matrices_of_other_measures(subjects):
    kernels = [y @ y.T for y in subjects]
    result = noise_ceiling(CKA("precomputed"), kernels)
    assert result.pool == "kernels"
    of_rows = noise_ceiling(CKA(), subjects)
    assert result.upper == pytest.approx(of_rows.upper)
    entries = noise_ceiling(CKA("precomputed"), kernels, pool="rows")
    expected = CKA("precomputed").fit(np.mean(kernels, axis=0), kernels[2]).score_
    assert entries.upper_by_replicate[2] == pytest.approx(expected)


def test_a_function_is_a_pool():
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=30)
    labels = [np.where(rng.random(30) < 0.7, truth, 0) for _ in range(5)]

    def vote(replicates):
        counts = [np.sum([y == k for y in replicates], axis=0) for k in range(3)]
        return np.argmax(counts, axis=0)

    result = noise_ceiling(Disagreement(), labels, pool=vote)
    expected = [-np.mean(vote(labels) != y) for y in labels]
    np.testing.assert_allclose(result.upper_by_replicate, expected)
    assert result.pool == "function"
    with pytest.raises(ValueError, match=r"compares labels, of which.*a vote"):
        noise_ceiling(Disagreement(), labels)


def test_a_wrapper_pools_what_it_is_given(subjects):
    wrapped = TransformedViews(RSA(), StandardScaler(with_std=False))
    result = noise_ceiling(wrapped, subjects, pool="rows")
    expected = noise_ceiling(RSA(), [y - y.mean(axis=0) for y in subjects], pool="rows")
    assert result.upper == pytest.approx(expected.upper)


# ----- more replicates, and what is refused -------------------------------------------


def test_the_truth_lies_between(subjects):
    rng = np.random.default_rng(1)
    gaps = []
    for n_subjects in (3, 12):
        found = []
        for _ in range(20):
            common = rng.normal(size=(20, 6))
            ys = [common + rng.normal(size=common.shape) for _ in range(n_subjects)]
            ceiling = noise_ceiling(RSA("euclidean", "pearson"), ys)
            true = [RSA("euclidean", "pearson").fit(common, y).score_ for y in ys]
            found.append([ceiling.lower, np.mean(true), ceiling.upper])
        lower, true, upper = np.mean(found, axis=0)
        assert lower < true < upper
        gaps.append(upper - lower)
    assert gaps[1] < 0.4 * gaps[0]


def test_table_and_names(subjects):
    named = {f"subject {i}": y for i, y in enumerate(subjects)}
    result = noise_ceiling("RSA", named)
    frame = result.to_frame()
    assert list(frame.index) == list(named)
    assert frame["lower"].mean() == pytest.approx(result.lower)
    assert (frame["lower"] < frame["upper"]).all()
    single = [y.astype(np.float32) for y in subjects]
    assert noise_ceiling(RSA(), single).upper == pytest.approx(result.upper, abs=1e-3)
    tables = [pd.DataFrame(y).add_prefix("v") for y in subjects]
    assert noise_ceiling(RSA(), tables).upper == pytest.approx(result.upper)


def test_refusals(subjects):
    with pytest.raises(ValueError, match="ys holds one replicate"):
        noise_ceiling(RSA(), subjects[:1])
    with pytest.raises(ValueError, match="numbers of rows differ"):
        noise_ceiling(RSA(), [*subjects, subjects[0][:10]])
    with pytest.raises(ValueError, match=r"Layer 'b'.*NaN"):
        noise_ceiling(RSA(), {"a": subjects[0], "b": subjects[1] * np.nan})
    with pytest.raises(ValueError, match="pool='dissimilarities' is for RSA"):
        noise_ceiling(CKA(), subjects, pool="dissimilarities")
    with pytest.raises(ValueError, match="pool='kernels' is for CKA"):
        noise_ceiling(RSA(), subjects, pool="kernels")
    with pytest.raises(ValueError, match="pool='aligned' rotates"):
        noise_ceiling(CKA("precomputed"), subjects, pool="aligned")
    with pytest.raises(ValueError, match="as wholes"):
        noise_ceiling(IMD(), subjects)
    with pytest.raises(ValueError, match="'pool' parameter"):
        noise_ceiling(CKA(), subjects, pool="median")
    with pytest.raises(ValueError, match="compares models, of which there is no mean"):
        noise_ceiling("DecisionDistance", subjects)


def test_units_of_the_replicates_are_of_no_matter():
    rng = np.random.default_rng(0)
    first, *rest = (rng.normal(size=(20, 5)) for _ in range(3))
    expected = noise_ceiling(RSA(), [first, *rest])
    for unit in (1e-200, 1e200):
        found = noise_ceiling(RSA(), [unit * first, *rest])
        assert (found.lower, found.upper) == pytest.approx(
            (expected.lower, expected.upper)
        )
