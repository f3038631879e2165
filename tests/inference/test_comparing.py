"""Several candidates, shares of rows, biased measures."""

import numpy as np
import pytest
from scipy import stats

from sksim.functional import (
    CohenKappa,
    Disagreement,
    DoubleFault,
    JensenShannonDivergence,
)
from sksim.inference import compare_similarities, similarity_interval
from sksim.inference._comparing import _holm
from sksim.inference._proportions import PairedCounts
from sksim.rsm import CKA

DEBIASED = CKA(debias="rows")


@pytest.fixture(scope="module")
def candidates():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 6))
    noise = [2.0, 0.5, 0.5, 1.0]
    return X, [X + s * rng.normal(size=X.shape) for s in noise]


def test_ranking(candidates):
    X, ys = candidates
    result = compare_similarities(DEBIASED, X, *ys)
    scores = [similarity_interval(DEBIASED, X, y).score for y in ys]
    np.testing.assert_allclose(result.scores, scores)
    assert result.ranking.tolist() == np.argsort(scores)[::-1].tolist()
    np.testing.assert_allclose(
        result.differences, np.subtract.outer(scores, scores), atol=1e-12
    )
    assert result.replicates.shape == (80, 4)
    np.testing.assert_array_equal(result.pvalues, result.pvalues.T)
    np.testing.assert_array_equal(result.low, -result.high.T)
    frame = result.to_frame()
    assert len(frame) == 6
    assert frame["first"].iloc[0] == result.ranking[0] + 1
    assert (frame["difference"] >= 0).all()
    assert frame["differ"].tolist() == (frame["pvalue"] <= 0.05).tolist()
    near = {2, 3}
    of_near = [{row["first"], row["second"]} == near for _, row in frame.iterrows()]
    assert frame["differ"].tolist() == [not near for near in of_near]


def test_pvalues_are_corrected_for_the_number_of_pairs():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(80, 6))
    ys = [None, *(X + s * rng.normal(size=X.shape) for s in (0.9, 1, 1.1))]
    result = compare_similarities(DEBIASED, X, *ys[1:])
    pairs = [(0, 1), (0, 2), (1, 2)]
    alone = {
        (i, j): compare_similarities(DEBIASED, X, ys[i + 1], ys[j + 1])
        for i, j in pairs
    }
    assert 0.01 < min(each.pvalue for each in alone.values()) < 0.2
    order = sorted(pairs, key=lambda pair: alone[pair].pvalue)
    largest = 0.0
    for step, pair in enumerate(order):
        largest = max(largest, min(1.0, (3 - step) * alone[pair].pvalue))
        assert result.pvalues[pair] == pytest.approx(largest)
    for i, j in pairs:
        one = compare_similarities(
            DEBIASED, X, ys[i + 1], ys[j + 1], confidence_level=1 - 0.05 / 3
        )
        expected = pytest.approx(one.confidence_interval)
        assert (result.low[i, j], result.high[i, j]) == expected


def of_errors(n, *errors):
    """A model's answers, and candidates that differ on some of the rows."""
    X = np.arange(n) % 3
    return X, [np.where(np.isin(np.arange(n), rows), (X + 1) % 3, X) for rows in errors]


def test_shares_are_judged_by_the_rows_that_decide():
    X, (y1, y2) = of_errors(60, range(2), range(1, 9))
    result = compare_similarities(Disagreement(), X, y1, y2)
    assert result.method == "tango"
    # rows 2 to 8 differ for the second alone, row 0 for the first alone
    counts = PairedCounts(both=1, first=1, second=7, none=51)
    low, high = counts.limits("tango").interval(0.95)
    assert result.confidence_interval == pytest.approx((-high, -low))
    assert result.difference == pytest.approx(6 / 60)
    z = 6 / 8**0.5
    assert result.pvalue == pytest.approx(2 * stats.norm.sf(z))
    one_sided = compare_similarities(Disagreement(), X, y1, y2, alternative="greater")
    assert one_sided.pvalue == pytest.approx(stats.norm.sf(z))
    other = compare_similarities(Disagreement(), X, y1, y2, alternative="less")
    assert other.pvalue == pytest.approx(stats.norm.cdf(z))
    groups = np.arange(60) // 3
    by_group = compare_similarities(Disagreement(), X, y1, y2, groups=groups)
    assert by_group.method == "jackknife"


def test_shares_of_similarities_are_not_turned():
    truth = np.zeros(50, int)
    X = (np.arange(50) < 10).astype(int)
    y1, y2 = (np.arange(50) < 8).astype(int), (np.arange(50) < 3).astype(int)
    result = compare_similarities(DoubleFault(), X, y1, y2, y_true=truth)
    assert result.difference == pytest.approx(0.1)
    assert result.confidence_interval.low > 0


@pytest.mark.parametrize("measure", [Disagreement(), CohenKappa()], ids=repr)
def test_candidates_with_few_errors_are_no_copies(measure):
    """Two good models may give the same answers."""
    X, (y1, y2) = of_errors(60, [], [])
    result = compare_similarities(measure, X, y1, y2)
    assert result.difference == 0
    assert result.pvalue == 1
    low, high = result.confidence_interval
    assert -0.3 < low < 0 < high < 0.3
    X, (y1, y2) = of_errors(60, [4], [9])
    result = compare_similarities(measure, X, y1, y2)
    assert result.pvalue > 0.5


def test_divergences_of_the_same_answers():
    P = np.random.default_rng(0).dirichlet(np.ones(3), size=40)
    result = compare_similarities(JensenShannonDivergence(), P, P.copy(), P.copy())
    assert result.pvalue == 1
    assert result.confidence_interval.low < 0 < result.confidence_interval.high


@pytest.mark.parametrize("n", [40, 300])
def test_biased_measures_warn(n):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 10))
    narrow, wide = (X @ rng.normal(size=(10, d)) for d in (4, 60))
    narrow, wide = (Z + 3 * rng.normal(size=Z.shape) for Z in (narrow, wide))
    with pytest.warns(UserWarning, match=r"CKA\(\) is biased at .* rows.*debias"):
        compare_similarities(CKA(), X, narrow, wide)
    compare_similarities(DEBIASED, X, narrow, wide)


def test_columns_of_noise_warn_of_unequal_widths():
    """Each bias alone is below its standard error, their difference is not small."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 10))
    narrow = X + 2 * rng.normal(size=X.shape)
    wide = np.concatenate([narrow, 2 * rng.normal(size=(4000, 4))], axis=1)
    with pytest.warns(UserWarning, match="biased"):
        compare_similarities(CKA(), X, narrow, wide)


def test_many_rows_of_equal_widths_do_not_warn():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 5))
    y1, y2 = (X + rng.normal(size=X.shape) for _ in range(2))
    assert compare_similarities(CKA(), X, y1, y2).pvalue > 0.001


def test_refusals(candidates):
    X, ys = candidates
    with pytest.raises(ValueError, match="question about two candidates; got 3"):
        compare_similarities(DEBIASED, X, *ys[:3], alternative="greater")
    with pytest.raises(ValueError, match="y2 and y3 are not copies"):
        compare_similarities(DEBIASED, X, ys[0], ys[1], ys[1].copy())


def test_strata_of_candidates(candidates):
    X, ys = candidates
    strata = np.arange(80) % 2
    result = compare_similarities(DEBIASED, X, *ys[:2], strata=strata)
    values = result.replicates[:, 0] - result.replicates[:, 1]
    expected = sum(
        39 / 40 * np.sum((part - part.mean()) ** 2)
        for part in (values[::2], values[1::2])
    )
    assert result.standard_error == pytest.approx(expected**0.5)


def test_corrected_pvalues_never_fall():
    found = _holm([0.03, 0.01, 0.035, 0.9])
    np.testing.assert_allclose(found, [0.09, 0.04, 0.09, 0.9])
