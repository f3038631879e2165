"""Under the null hypothesis p-values are uniform, or too large: never too small."""

import numpy as np
import pytest
from scipy import stats
from sklearn.utils import get_tags

from sksim import all_measures
from sksim.inference import compare_similarities, similarity_test
from sksim.rsm import CKA

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*by construction.*"),
]


def _draw(kind, n, width, rng):
    if kind == "heavy":
        return rng.standard_t(2.5, size=(n, width))
    if kind == "power":
        return rng.normal(size=(n, width)) / np.arange(1, width + 1)
    if kind == "binary":
        X = (rng.random((n, width)) < 0.5).astype(float) + 1
        X[:, 0] += 0.5  # no row is constant
        return X
    return rng.normal(size=(n, width))


KINDS = ("normal", "heavy", "power", "binary")
SHAPES = ((30, 3), (30, 40), (100, 16), (100, 256))


def _measures():
    for _, cls in all_measures(inputs="representation", paired=True, null="rows"):
        measure = cls()
        tags = get_tags(measure).similarity_tags
        slow = tags.family == "topology"
        if not slow and "y_true" not in tags.requires and tags.arity == "pair":
            yield measure
    yield CKA(estimator="debiased")
    yield CKA(kernel="rbf")


def _pair(measure, kind, shape, rng):
    n, width = shape
    if get_tags(measure).similarity_tags.family in ("cca", "alignment"):
        # with as many columns as rows all their statistics are equal
        width = min(width, n // 4)
    return _draw(kind, n, width, rng), _draw(kind, n, max(2, width // 2), rng)


def _randomized(result, rng):
    """P-value with ties broken at random: uniform for discrete statistics too."""
    null, score = result.null_distribution, result.score
    tolerance = 1e-10 * max(abs(score), np.max(np.abs(null)))
    greater = np.sum(null > score + tolerance)
    tied = np.sum(np.abs(null - score) <= tolerance)
    return (greater + rng.random() * (tied + 1)) / (len(null) + 1)


@pytest.mark.parametrize("measure", list(_measures()), ids=repr)
def test_permutation_pvalues_are_uniform(measure):
    rng = np.random.default_rng(0)
    pvalues, randomized = [], []
    for kind in KINDS:
        for shape in SHAPES:
            for _ in range(4):
                X, y = _pair(measure, kind, shape, rng)
                result = similarity_test(
                    measure,
                    X,
                    y,
                    n_permutations=19,
                    random_state=rng.integers(2**31),
                )
                pvalues.append(result.pvalue)
                randomized.append(_randomized(result, rng))
    assert stats.kstest(randomized, "uniform").pvalue > 1e-3
    for level in (0.05, 0.1, 0.25, 0.5):
        error = np.sqrt(level * (1 - level) / len(pvalues))
        assert np.mean(np.array(pvalues) <= level) <= level + 3.3 * error


@pytest.mark.parametrize("kind", ["normal", "power", "binary", "heavy"])
@pytest.mark.parametrize("estimator", ["biased", "debiased"])
def test_pearson3_pvalues_are_uniform_where_the_gate_is_open(kind, estimator):
    rng = np.random.default_rng(0)
    pvalues, refused = [], 0
    for _ in range(300):
        X, y = (_draw(kind, 60, 24, rng) for _ in range(2))
        try:
            pvalues.append(
                similarity_test(
                    CKA(estimator=estimator), X, y, method="pearson3"
                ).pvalue
            )
        except ValueError:
            refused += 1
    if kind in ("normal", "binary"):
        assert refused == 0
    if len(pvalues) > 50:
        assert stats.kstest(pvalues, "uniform").pvalue > 1e-3
        error = np.sqrt(0.05 * 0.95 / len(pvalues))
        assert np.mean(np.array(pvalues) <= 0.05) <= 0.05 + 3.3 * error


def test_within_group_permutation_keeps_its_level():
    """Beyond what their groups have in common the rows are unrelated."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(12), 5)
    found = {"rows": [], "within": []}
    for _ in range(80):
        centres = 3 * rng.normal(size=(12, 4))[groups]
        X, y = (centres + rng.normal(size=(60, 4)) for _ in range(2))
        for permute, pvalues in found.items():
            result = similarity_test(
                CKA(),
                X,
                y,
                groups=groups,
                permute=permute,
                n_permutations=39,
                random_state=rng.integers(2**31),
            )
            pvalues.append(result.pvalue)
    assert np.mean(np.array(found["rows"]) <= 0.05) > 0.95
    # binomial(80, .05) exceeds 10 with probability .004
    assert np.sum(np.array(found["within"]) <= 0.05) <= 10


def test_comparisons_of_equals_keep_their_level():
    rng = np.random.default_rng(0)
    pvalues = []
    for _ in range(300):
        X = rng.normal(size=(100, 6))
        y1, y2 = (X + rng.normal(size=X.shape) for _ in range(2))
        measure = CKA(estimator="debiased")
        pvalues.append(compare_similarities(measure, X, y1, y2).pvalue)
    # binomial(300, .05) exceeds 26 with probability .003
    assert np.sum(np.array(pvalues) <= 0.05) <= 26
    assert np.mean(np.array(pvalues) <= 0.5) > 0.4
