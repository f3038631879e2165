"""Under the null hypothesis p-values are uniform, or too large: never too small."""

import numpy as np
import pytest
from scipy import stats
from scipy.signal import lfilter
from sklearn.base import clone
from sklearn.utils import get_tags

from sksim import all_measures
from sksim.alignment import LinearRegressionSimilarity, MaximumMatching
from sksim.cca import PWCCA, MeanCCA, MeanSquaredCCA
from sksim.functional import (
    CohenKappa,
    Disagreement,
    ErrorConsistency,
    JensenShannonDivergence,
    PerformanceDifference,
    QStatistic,
    SameErrorRate,
)
from sksim.inference import (
    compare_similarities,
    similarity_interval,
    similarity_test,
)
from sksim.neighbors import (
    CKNNA,
    GraphBasedSimilarity,
    JointRankJaccard,
    MutualKNN,
    NeighborJaccard,
    RankSimilarity,
    SecondOrderCosine,
)
from sksim.rsm import CKA, RSA, DistanceCorrelation

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*by construction.*"),
    pytest.mark.filterwarnings("ignore:Rows that follow each other"),
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
SHAPES = ((30, 2), (30, 40), (100, 16), (100, 256))


def _measures():
    for _, cls in all_measures(inputs="representation", paired=True, null="rows"):
        measure = cls()
        if "random_state" in measure.get_params():
            measure.set_params(random_state=0)
        tags = get_tags(measure).similarity_tags
        if "y_true" not in tags.requires and tags.arity == "pair":
            yield measure
    yield CKA(debias="rows")
    yield CKA(kernel="rbf")
    yield DistanceCorrelation(debias="rows")
    yield GraphBasedSimilarity(n_neighbors=5)
    yield RSA(comparison="pearson")
    yield RSA(metric="sqeuclidean", comparison="pearson")
    yield RSA(metric="sqeuclidean", comparison="corr_cov")


def _trace_type():
    """Measures that offer the two factors of a trace, and so Pearson III p-values."""
    X, y = np.random.default_rng(0).normal(size=(2, 20, 3))
    for measure in _measures():
        if clone(measure)._open(X, y).trace_form() is not None:
            yield measure


# With as many columns as rows all permutations have the same statistic.
SATURATED = (MeanCCA, MeanSquaredCCA, PWCCA, LinearRegressionSimilarity)


def _pair(measure, kind, shape, rng):
    n, width = shape
    if isinstance(measure, SATURATED):
        width = min(width, n // 2)
    if isinstance(measure, MaximumMatching):
        width = min(width, 64)  # a round of assignments takes long beyond
    if get_tags(measure).similarity_tags.family == "topology":
        n = 20  # their work grows with the square or cube of n
    return _draw(kind, n, width, rng), _draw(kind, n, max(2, width // 2), rng)


def _randomized(result, rng):
    """P-value with ties broken at random: uniform for discrete statistics too."""
    null, score = result.null_distribution, result.score
    tolerance = 1e-10 * max(abs(score), np.max(np.abs(null)))
    greater = np.sum(null > score + tolerance)
    tied = np.sum(np.abs(null - score) <= tolerance)
    return (greater + rng.random() * (tied + 1)) / (len(null) + 1)


@pytest.mark.filterwarnings("ignore:.*in whatever order:UserWarning")
@pytest.mark.parametrize("measure", list(_measures()), ids=repr)
def test_permutation_pvalues_are_uniform(measure):
    rng = np.random.default_rng(0)
    pvalues, randomized = [], []
    for kind in KINDS:
        for shape in SHAPES:
            for _ in range(4):
                pair = _pair(measure, kind, shape, rng)
                result = _tested(measure, *pair, rng)
                pvalues.append(result.pvalue)
                randomized.append(_randomized(result, rng))
    assert stats.kstest(randomized, "uniform").pvalue > 1e-3
    _check_levels(pvalues)


def _tested(measure, X, y, rng, **truth):
    seed = rng.integers(2**31)
    return similarity_test(measure, X, y, n_permutations=19, random_state=seed, **truth)


def _check_levels(pvalues):
    """No level is exceeded by more than chance explains."""
    for level in (0.05, 0.1, 0.25, 0.5):
        error = np.sqrt(level * (1 - level) / len(pvalues))
        assert np.mean(np.array(pvalues) <= level) <= level + 3.3 * error


def _measures_of_outputs():
    for inputs in ("labels", "probabilities", "outputs"):
        for _, cls in all_measures(inputs=inputs, paired=True, null="rows"):
            tags = get_tags(cls()).similarity_tags
            if tags.arity == "pair" and "label_sets" not in tags.requires:
                yield cls()


def _answers(inputs, n, n_classes, rng):
    if inputs == "labels":
        return rng.integers(n_classes, size=n)
    return rng.dirichlet(np.ones(n_classes), size=n)


@pytest.mark.parametrize("measure", list(_measures_of_outputs()), ids=repr)
def test_permutation_pvalues_of_outputs_are_uniform(measure):
    """Models and truth that have nothing to do with each other."""
    rng = np.random.default_rng(0)
    tags = get_tags(measure).similarity_tags
    pvalues, randomized = [], []
    sizes = [(30, 2), (30, 5), (100, 2), (100, 10)]
    if isinstance(measure, SameErrorRate):
        # of two classes there is one wrong answer
        sizes = [(30, 3), (30, 5), (100, 4), (100, 10)]
    for n, n_classes in sizes:
        for _ in range(20):
            answers = (_answers(tags.inputs, n, n_classes, rng) for _ in range(2))
            truth = {}
            if "y_true" in tags.requires:
                truth["y_true"] = rng.integers(n_classes, size=n)
            result = _tested(measure, *answers, rng, **truth)
            pvalues.append(result.pvalue)
            randomized.append(_randomized(result, rng))
    assert stats.kstest(randomized, "uniform").pvalue > 1e-3
    _check_levels(pvalues)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("measure", list(_trace_type()), ids=repr)
def test_pearson3_pvalues_are_uniform_where_the_gate_is_open(measure, kind):
    rng = np.random.default_rng(0)
    pvalues, refused = [], 0
    for shape in (*SHAPES, (60, 24)):
        for _ in range(30):
            X, y = _pair(measure, kind, shape, rng)
            try:
                result = similarity_test(measure, X, y, method="pearson3")
            except ValueError as error:
                assert "method='permutation'" in str(error)
                refused += 1
            else:
                pvalues.append(result.pvalue)
    if kind in ("normal", "binary"):
        # the gate is closed only where a view has two or three columns
        assert refused <= (
            30 if _pair(measure, kind, SHAPES[1], rng)[1].shape[1] > 3 else 60
        )
    if len(pvalues) > 50:
        assert stats.kstest(pvalues, "uniform").pvalue > 1e-3
        error = np.sqrt(0.05 * 0.95 / len(pvalues))
        assert np.mean(np.array(pvalues) <= 0.05) <= 0.05 + 3.3 * error


EQUAL_ROWS = {
    "half silent": lambda rng: (
        np.maximum(rng.normal(size=(100, 8)), 0) * (rng.random((100, 1)) < 0.5) + 0.01
    ),
    "six distinct rows": lambda rng: rng.normal(size=(6, 5))[rng.integers(6, size=100)],
    "one-hot": lambda rng: np.eye(8)[rng.integers(8, size=100)],
    "rounded": lambda rng: np.round(rng.normal(size=(100, 3))) + 5,
    "normal": lambda rng: rng.normal(size=(100, 4)),
}


@pytest.mark.parametrize(
    "kinds", [*((kind, kind) for kind in EQUAL_ROWS), ("one-hot", "normal")]
)
@pytest.mark.parametrize(
    "measure",
    [
        *(
            cls(metric=metric)
            for cls in (MutualKNN, NeighborJaccard, JointRankJaccard, RankSimilarity)
            for metric in ("cosine", "euclidean")
        ),
        CKNNA(),
        SecondOrderCosine(),
        GraphBasedSimilarity(n_neighbors=10),
    ],
    ids=repr,
)
def test_tied_neighbours_keep_their_level(measure, kinds):
    """Unrelated views with equal rows; by the numbers of rows .9 and more reject."""
    pvalues = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        views = (EQUAL_ROWS[kind](rng) for kind in kinds)
        pvalues.append(_tested(measure, *views, rng).pvalue)
    # binomial(100, .05) exceeds 11 with probability .004
    assert np.sum(np.array(pvalues) <= 0.05) <= 11


def test_permutation_within_strata_keeps_its_level():
    """Beyond what their strata have in common the rows are unrelated."""
    rng = np.random.default_rng(0)
    strata = np.repeat(np.arange(12), 5)
    found = {"rows": [], "strata": []}
    for _ in range(80):
        centres = 3 * rng.normal(size=(12, 4))[strata]
        X, y = (centres + rng.normal(size=(60, 4)) for _ in range(2))
        for design, pvalues in found.items():
            result = similarity_test(
                CKA(),
                X,
                y,
                strata=strata if design == "strata" else None,
                n_permutations=39,
                random_state=rng.integers(2**31),
            )
            pvalues.append(result.pvalue)
    assert np.mean(np.array(found["rows"]) <= 0.05) > 0.95
    # binomial(80, .05) exceeds 10 with probability .004
    assert np.sum(np.array(found["strata"]) <= 0.05) <= 10


def test_groups_within_strata_keep_their_level():
    """Patches of images of classes: nothing is shared but the classes."""
    image = np.repeat(np.arange(30), 4)
    label = image % 3
    pvalues = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        X, y = (
            2 * rng.normal(size=(3, 8))[label]
            + rng.normal(size=(30, 8))[image]
            + 0.5 * rng.normal(size=(120, 8))
            for _ in range(2)
        )
        measure = CKA(debias="rows")
        design = {"groups": image, "strata": label, "n_permutations": 59}
        result = similarity_test(measure, X, y, random_state=seed, **design)
        pvalues.append(result.pvalue)
    # binomial(200, .05) is outside 3 to 18 with probability .01
    assert 3 <= np.sum(np.array(pvalues) <= 0.05) <= 18


def test_shifts_keep_the_level_of_series_that_remember_little():
    """Free permutation of series rejects nearly always."""
    found = {"rows": [], "shift": []}
    for seed in range(150):
        rng = np.random.default_rng(seed)
        noise = rng.normal(size=(2, 400, 5))
        X, y = lfilter([1], [1, -0.7], noise, axis=1)[:, 200:]
        for permute, pvalues in found.items():
            result = similarity_test(
                CKA(debias="rows"),
                X,
                y,
                permute=permute,
                n_permutations=99,
                random_state=seed,
            )
            pvalues.append(result.pvalue)
    assert np.mean(np.array(found["rows"]) <= 0.05) > 0.3
    # binomial(150, .05) exceeds 15 with probability .004
    assert np.sum(np.array(found["shift"]) <= 0.05) <= 15


# of two models of which one is always right nothing varies
@pytest.mark.filterwarnings("ignore:.*up to rounding")
def test_two_accurate_models_are_tested_within_classes():
    """By rows two unrelated models that both work are called similar."""
    found = {"rows": [], "classes": []}
    for seed in range(150):
        rng = np.random.default_rng(seed)
        truth = rng.integers(5, size=200)
        a, b = (
            np.where(rng.random(200) < 0.95, truth, rng.integers(5, size=200))
            for _ in range(2)
        )
        for design, pvalues in found.items():
            result = similarity_test(
                Disagreement(),
                a,
                b,
                strata=truth if design == "classes" else None,
                n_permutations=99,
                random_state=seed,
            )
            pvalues.append(result.pvalue)
    assert np.mean(np.array(found["rows"]) <= 0.05) == 1
    assert np.sum(np.array(found["classes"]) <= 0.05) <= 15


def test_comparisons_of_equals_keep_their_level():
    rng = np.random.default_rng(0)
    pvalues = []
    for _ in range(300):
        X = rng.normal(size=(100, 6))
        y1, y2 = (X + rng.normal(size=X.shape) for _ in range(2))
        measure = CKA(debias="rows")
        pvalues.append(compare_similarities(measure, X, y1, y2).pvalue)
    # binomial(300, .05) exceeds 26 with probability .003
    assert np.sum(np.array(pvalues) <= 0.05) <= 26
    assert np.mean(np.array(pvalues) <= 0.5) > 0.4


# ----- coverage of intervals ---------------------------------------------------------


def _kappa(p00, p01, p10, p11):
    first, second = p10 + p11, p01 + p11
    by_chance = first * second + (1 - first) * (1 - second)
    return (p00 + p11 - by_chance) / (1 - by_chance)


def _q(p00, p01, p10, p11):
    return (p00 * p11 - p01 * p10) / (p00 * p11 + p01 * p10)


OF_TABLES = {
    "kappa": (CohenKappa(), _kappa),
    "consistency": (ErrorConsistency(), _kappa),
    "Q": (QStatistic(), _q),
    "difference": (
        PerformanceDifference(signed=True),
        lambda p00, p01, p10, p11: p10 - p01,
    ),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.parametrize("n", [30, 100])
@pytest.mark.parametrize("share", [0.5, 0.95])
@pytest.mark.parametrize("differing", [0.002, 0.03])
@pytest.mark.parametrize("name", list(OF_TABLES))
def test_intervals_of_rare_differences_cover(name, differing, share, n):
    """Two answers of which one is given on this share of rows, and few differ.

    Of 200 tables the Monte Carlo error at .95 is .015. Nominal .95 intervals are to
    cover at least .93; the jackknife's cover .06 to .9 here.
    """
    measure, of_shares = OF_TABLES[name]
    shares = np.outer([1 - share, share], [1 - differing, differing])
    (p00, p01), (p11, p10) = shares
    true = of_shares(p00, p01, p10, p11)
    limits, covered = {}, []
    rng = np.random.default_rng(0)
    for table in rng.multinomial(n, [p00, p01, p10, p11], size=200):
        key = tuple(table.tolist())
        if key not in limits:
            limits[key] = _limits_of(measure, key, n)
        if limits[key] is not None:
            low, high = limits[key]
            assert -1 <= low < high <= 1
            covered.append(low - 1e-9 <= true <= high + 1e-9)
    # the same answers by both throughout have no kappa
    assert len(covered) > 30
    assert np.mean(covered) >= 0.93 - 2 * (0.95 * 0.05 / len(covered)) ** 0.5


def _limits_of(measure, table, n):
    """Interval of the answers of two models, or None where the measure is undefined."""
    a, b = np.repeat([0, 0, 1, 1], table), np.repeat([0, 1, 0, 1], table)
    known = {} if isinstance(measure, CohenKappa) else {"y_true": np.ones(n, int)}
    try:
        result = similarity_interval(measure, a, b, n_resamples=199, **known)
    except ValueError:
        return None
    return result.confidence_interval


@pytest.mark.parametrize("n", [30, 100, 500])
def test_intervals_of_a_divergence_cover_where_few_rows_differ(n):
    """Two rows in a hundred differ, and those much.

    Of 300 data sets the Monte Carlo error at .95 is .013.
    """

    def draw(rng, n):
        P = rng.dirichlet(np.ones(3), size=n)
        moved = rng.random(n) < 0.02
        return P, np.where(moved[:, None], P[:, [1, 2, 0]], P)

    measure = JensenShannonDivergence()
    true = measure.fit(*draw(np.random.default_rng(0), 200_000)).score_
    covered = 0
    for seed in range(1, 301):
        result = similarity_interval(measure, *draw(np.random.default_rng(seed), n))
        low, high = result.confidence_interval
        assert low < high <= 0
        covered += low <= true <= high
    assert covered / 300 >= 0.93 - 0.026


@pytest.mark.parametrize("method", ["jackknife", "bootstrap", "tango", "newcombe"])
def test_intervals_of_equally_good_models_have_zero(method):
    """Of 300 data sets the Monte Carlo error is .013."""
    covered = 0
    for seed in range(300):
        a, b = (np.random.default_rng(seed).random((2, 200)) < 0.8).astype(int)
        result = similarity_interval(
            PerformanceDifference(),
            a,
            b,
            y_true=np.ones(200, int),
            method=method,
            n_resamples=199,
            batch_size=199,
            random_state=seed,
        )
        covered += result.confidence_interval.high == 0
    assert 0.91 <= covered / 300 <= 0.98


@pytest.mark.parametrize("width", [2, 10, 1000])
@pytest.mark.parametrize("score", [0.1, 0.5, 0.9])
def test_intervals_of_debiased_cka_cover(score, width):
    """Correlated normal views of 30 rows: .93 to .97, with an error of .011.

    What they miss is not all on one side: of skewed estimates up to .095 would be.
    """
    above = below = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        X, noise = rng.normal(size=(2, 30, width))
        y = score**0.5 * X + (1 - score) ** 0.5 * noise
        measure = CKA(debias="rows")
        low, high = similarity_interval(measure, X, y).confidence_interval
        above += low > score
        below += high < score
    assert 0.93 - 0.022 <= 1 - (above + below) / 400 <= 0.97 + 0.022
    assert max(above, below) / 400 <= 0.035 + 0.018


def test_rankings_of_equals_find_no_difference():
    """Of four candidates that are alike any pair is called different in .05."""
    wrong = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(60, 6))
        candidates = [X + rng.normal(size=X.shape) for _ in range(4)]
        result = compare_similarities(CKA(debias="rows"), X, *candidates)
        wrong += result.to_frame()["differ"].any()
    # binomial(150, .05) exceeds 15 with probability .004
    assert wrong <= 15
