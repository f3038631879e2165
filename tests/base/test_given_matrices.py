"""Measures of given matrices: the numbers, tests and intervals that rows give."""

import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import pdist, squareform
from scipy.stats import spearmanr
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from sksim import all_measures
from sksim.base._given import KINDS
from sksim.base._tags import tags_of
from sksim.compose import DeconfoundedSimilarity
from sksim.inference import (
    CalibratedSimilarity,
    compare_similarities,
    similarity_interval,
    similarity_matrix_test,
    similarity_test,
)
from sksim.inference._moments import null_moments
from sksim.neighbors import (
    CKNNA,
    GraphBasedSimilarity,
    MutualKNN,
    NeighborJaccard,
    SecondOrderCosine,
)
from sksim.pairwise import compare, similarity_matrix
from sksim.rsm import (
    CKA,
    HSIC,
    RSA,
    DistanceCorrelation,
    PointwiseKernelAlignment,
    RSMNormDifference,
)
from sksim.statistics import Uniformity
from sksim.topology import RTDLite

GIVEN = "precomputed"


def distances(rows, metric="euclidean"):
    return squareform(pdist(rows, metric))


def products(rows):
    return rows @ rows.T


# how rows become matrices, and what the measure of these rows is called
OF_ROWS = {
    "given_kernels": ("linear", products),
    "given_similarities": ("linear", products),
    "given_distances": ("euclidean", distances),
    "given_cosine_distances": ("cosine", lambda rows: distances(rows, "cosine")),
    "given_dissimilarities": ("euclidean", distances),
    "given_matrices": ("euclidean", distances),
}


def takes_matrices(cls):
    """The parameter of a class that may be "precomputed", or None."""
    for name in ("kernel", "metric"):
        for constraint in cls._parameter_constraints.get(name, ()):
            if GIVEN in getattr(constraint, "options", ()):
                return name
    return None


# X holds several matrices, of which no measure of rows is the same
OF_SEVERAL = ["FeatureReweightedRSA"]
PARAMETERS = {
    cls: takes_matrices(cls)
    for name, cls in all_measures()
    if takes_matrices(cls) and name not in OF_SEVERAL
}
COMPARISONS = (
    "spearman",
    "rho_a",
    "pearson",
    "kendall",
    "cosine",
    "cosine_cov",
    "corr_cov",
)
OPTIONS = {
    "CKA": [{}, {"debias": "rows"}],
    "HSIC": [{}, {"debias": "rows"}],
    "DistanceCorrelation": [{}, {"debias": "rows"}, {"squared": True}],
    "RSA": [{"comparison": c} for c in COMPARISONS],
    "GraphBasedSimilarity": [{}, {"n_neighbors": 5}],
    "Uniformity": [{"normalize": False}],
    "RTD": [{"random_state": 0}, {"n_subsets": 2, "subset_size": 20}],
}


def pairs_of_measures():
    for cls, parameter in PARAMETERS.items():
        for options in OPTIONS.get(cls.__name__, [{}]):
            if "subset_size" in options:
                options = options | {"random_state": 0}
            given = cls(**options | {parameter: GIVEN})
            word = next(w for w in tags_of(given).requires if w in KINDS)
            of_rows, make = OF_ROWS[word]
            yield pytest.param(
                cls(**options | {parameter: of_rows}), given, make, id=repr(given)
            )


each_measure = pytest.mark.parametrize("measure,given,make", list(pairs_of_measures()))


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 5))
    y = np.tanh(X @ rng.normal(size=(5, 6))) + 0.3 * rng.normal(size=(40, 6))
    return X, y


def both(rows, make):
    return [make(array) for array in rows]


def test_all_are_found():
    names = {cls.__name__ for cls in PARAMETERS}
    assert names == {
        "CKA",
        "CKNNA",
        "CycleKNN",
        "DistanceCorrelation",
        "GraphBasedSimilarity",
        "HSIC",
        "JointRankJaccard",
        "ManifoldKernelAlignment",
        "MutualKNN",
        "NeighborJaccard",
        "PointwiseKernelAlignment",
        "QuadrupletAgreement",
        "RSA",
        "RSMNormDifference",
        "RTD",
        "RTDLite",
        "RankSimilarity",
        "SecondOrderCosine",
        "SharedNeighborSequence",
        "TripletAgreement",
        "Uniformity",
    }
    assert not tags_of(CKA()).precomputed


# ----- the same numbers ----------------


@each_measure
def test_values_are_those_of_rows(rows, measure, given, make):
    matrices = both(rows, make)
    before = [matrix.copy() for matrix in matrices]
    fitted, expected = given.fit(*matrices), measure.fit(*rows)
    assert_allclose(fitted.statistic_, expected.statistic_, rtol=1e-12)
    assert fitted.n_features_in_ == fitted.n_samples_fit_ == 40
    for matrix, copy in zip(matrices, before, strict=True):
        assert_array_equal(matrix, copy)
    for name in ("row_values_", "similarities_"):
        if hasattr(expected, name):
            found = getattr(fitted, name)
            assert_allclose(found, getattr(expected, name), rtol=1e-11)
    new = [array[:25] + 0.1 for array in rows]
    assert_allclose(given.score(*both(new, make)), measure.score(*new), rtol=1e-12)
    frames = [pd.DataFrame(matrix) for matrix in matrices]
    assert clone(given).fit(*frames).statistic_ == fitted.statistic_


@each_measure
def test_single_precision(rows, measure, given, make):
    matrices = [matrix.astype(np.float32) for matrix in both(rows, make)]
    value = given.fit(*matrices).statistic_
    exact = given.fit(*(matrix.astype(float) for matrix in matrices)).statistic_
    assert_allclose(value, exact, rtol=1e-5)
    assert_allclose(value, measure.fit(*rows).statistic_, rtol=1e-3)


@each_measure
def test_tests_are_those_of_rows(rows, measure, given, make):
    if not tags_of(given).paired:
        with pytest.raises(ValueError, match="paired"):
            similarity_test(given, *both(rows, make))
        return
    groups = np.repeat(np.arange(10), 4)
    for design in (
        {},
        {"groups": groups},
        {"strata": groups},
        {"permute": "shift"},
    ):
        setting = {"n_permutations": 19, "random_state": 0, **design}
        found = similarity_test(given, *both(rows, make), **setting)
        expected = similarity_test(measure, *rows, **setting)
        assert found.pvalue == expected.pvalue
        assert_allclose(
            found.null_distribution, expected.null_distribution, rtol=1e-9, atol=1e-12
        )


@each_measure
def test_intervals_are_those_of_rows(rows, measure, given, make):
    tags = tags_of(given)
    assert set(tags.intervals) == set(tags_of(measure).intervals)
    groups = np.repeat(np.arange(10), 4)
    designs = [(method, None) for method in tags.intervals]
    designs += [("jackknife", groups)] if "jackknife" in tags.intervals else []
    for method, design in designs:
        setting = {"method": method, "groups": design, "random_state": 0}
        if method != "jackknife":
            setting["n_resamples"] = 20
        found = similarity_interval(given, *both(rows, make), **setting)
        expected = similarity_interval(measure, *rows, **setting)
        assert_allclose(found.replicates, expected.replicates, rtol=1e-9, atol=1e-12)
        assert_allclose(found.standard_error, expected.standard_error, rtol=1e-6)


@each_measure
def test_matrices_are_those_of_rows(rows, measure, given, make):
    layers = {"a": rows[0], "b": rows[1], "c": np.abs(rows[0])}
    matrices = {name: make(array) for name, array in layers.items()}
    vectors = matrices
    if not KINDS[next(w for w in tags_of(given).requires if w in KINDS)].has_diagonal:
        vectors = {k: squareform(v, checks=False) for k, v in matrices.items()}
    expected = similarity_matrix(measure, layers).to_numpy()
    for given_layers in (matrices, vectors):
        found = similarity_matrix(given, given_layers).to_numpy()
        assert_allclose(found, expected, rtol=1e-11, atol=1e-11)
    if tags_of(given).paired:
        setting = {"n_permutations": 9, "random_state": 0}
        found = similarity_matrix_test(given, matrices, **setting)
        expected = similarity_matrix_test(measure, layers, **setting)
        assert_allclose(found.scores, expected.scores, rtol=1e-11, atol=1e-11)
        assert_array_equal(found.pvalues, expected.pvalues)


@each_measure
def test_compared_in_a_table(rows, measure, given, make):
    setting = {"n_permutations": 9, "random_state": 0}
    found = compare(*both(rows, make), measures=[given], **setting).to_frame()
    expected = compare(*rows, measures=[measure], **setting).to_frame()
    for column in ("value", "pvalue", "interval_low", "interval_high"):
        assert_allclose(
            found[column].astype(float),
            expected[column].astype(float),
            rtol=1e-7,
            err_msg=column,
        )


def test_closed_forms(rows):
    matrices = both(rows, products)
    for debias in (None, "rows"):
        given = CKA(kernel=GIVEN, debias=debias)
        moments = [
            null_moments(measure._open(*pair).trace_form())
            for measure, pair in ((given, matrices), (CKA(debias=debias), rows))
        ]
        assert_allclose(moments[0].std, moments[1].std, rtol=1e-10)
        assert_allclose(moments[0].mean, moments[1].mean, rtol=1e-9, atol=1e-14)
        calibrated = CalibratedSimilarity(given).fit(*matrices)
        expected = CalibratedSimilarity(CKA(debias=debias)).fit(*rows)
        assert_allclose(calibrated.score_, expected.score_, rtol=1e-10)
    y2 = rows[1] + 1e-1 * rows[0] @ np.ones((5, 6))
    given = CKA(kernel=GIVEN, debias="rows")
    found = compare_similarities(given, *matrices, products(y2))
    expected = compare_similarities(CKA(debias="rows"), *rows, y2)
    assert_allclose(found.pvalue, expected.pvalue, rtol=1e-7)


def test_gradients_of_given_kernels(rows):
    torch = pytest.importorskip("torch")
    with config_context(array_api_dispatch=True):
        leaves = [torch.tensor(array, requires_grad=True) for array in rows]
        given = CKA(kernel=GIVEN).score_array(*(leaf @ leaf.T for leaf in leaves))
        given.backward()
        others = [torch.tensor(array, requires_grad=True) for array in rows]
        CKA().score_array(*others).backward()
    for leaf, other in zip(leaves, others, strict=True):
        assert_allclose(leaf.grad, other.grad, rtol=1e-9, atol=1e-12)


# ----- the confounder ----------------


@pytest.mark.parametrize(
    "measure,given,make",
    [
        (CKA(), CKA(kernel=GIVEN), products),
        (CKA(debias="rows"), CKA(kernel=GIVEN, debias="rows"), products),
        (HSIC(), HSIC(kernel=GIVEN), products),
        (RSA("euclidean"), RSA(GIVEN), distances),
        (RSA("euclidean", "pearson"), RSA(GIVEN, "pearson"), distances),
    ],
)
def test_given_confounder(rows, measure, given, make):
    rng = np.random.default_rng(1)
    z = rows[0][:, :2] + rng.normal(size=(40, 2))
    of_rows = DeconfoundedSimilarity(measure), rows, z
    of_matrices = DeconfoundedSimilarity(given), both(rows, make), make(z)
    values, tests, intervals = [], [], []
    for wrapped, pair, confounder in (of_rows, of_matrices):
        values.append(wrapped.fit(*pair, z=confounder).score_)
        known = {"metadata": {"z": confounder}, "random_state": 0}
        tests.append(similarity_test(wrapped, *pair, n_permutations=19, **known))
        intervals.append(similarity_interval(wrapped, *pair, **known))
    assert_allclose(*values, rtol=1e-9)
    assert_allclose(*(t.null_distribution for t in tests), rtol=1e-7, atol=1e-10)
    assert_allclose(*(i.replicates for i in intervals), rtol=1e-8)
    with pytest.raises(ValueError, match="z has 40 rows and 39 columns"):
        of_matrices[0].fit(*of_matrices[1], z=make(z)[:, :-1])


# ----- what is refused ----------------


@pytest.mark.parametrize(
    "given,make",
    [
        (CKA(kernel=GIVEN), products),
        (RSA(GIVEN), distances),
        (MutualKNN(metric=GIVEN, n_neighbors=3), distances),
    ],
)
def test_splitters_are_refused(rows, given, make):
    matrices = both(rows, make)
    with pytest.raises(ValueError, match=r"cross_val_score.*similarity_interval\("):
        cross_val_score(given, *matrices, error_score="raise")
    # and so are condensed vectors, which are cut anywhere
    if make is distances:
        vectors = [squareform(matrix) for matrix in matrices]
        with pytest.raises(ValueError, match=r"cross_val_score.*similarity_interval\("):
            cross_val_score(given, *vectors, error_score="raise")


@pytest.mark.parametrize(
    "change,words",
    [
        (lambda D: D[:, :-1], "40 rows and 39 columns.*square"),
        (lambda D: squareform(D)[:-1], "779 entries.*for 40 rows it would be 780"),
        (lambda D: np.triu(D), r"not symmetric.*rows 9 and 16 .* rows 16 and 9 0\."),
        (lambda D: 1 - D, "diagonal of y is not zero.*row 0 from itself is 1"),
        (lambda D: -D, "y has negative entries"),
        (lambda D: D * np.where(D > 2, np.nan, 1), r"NaN.*X\[keep\]\[:, keep\]"),
        (lambda D: D[:1, :1], "relates 1 row"),
    ],
)
def test_messages(rows, change, words):
    X, y = both(rows, distances)
    with pytest.raises(ValueError, match=words):
        DistanceCorrelation(metric=GIVEN).fit(X, change(y))


def test_messages_of_kinds(rows):
    K, D = products(rows[0]), distances(rows[0])
    with pytest.raises(ValueError, match=r"up to .* cosine distance .* at most 2"):
        SecondOrderCosine(metric=GIVEN).fit(10 * D, D)
    with pytest.raises(ValueError, match="diagonal.*debias"):
        CKA(kernel=GIVEN).fit(squareform(D), squareform(D))
    with pytest.raises(ValueError, match="X has a diagonal of zeros.*similarities"):
        RSMNormDifference(GIVEN).fit(D, K)
    assert RSMNormDifference(GIVEN).fit(K, K).distance_ == 0
    with pytest.raises(ValueError, match="X has 40 rows and y has 30"):
        CKA(kernel=GIVEN).fit(K, K[:30, :30])
    with pytest.raises(ValueError, match="algorithm='exact'"):
        MutualKNN(metric=GIVEN, algorithm="approximate").fit(D, D)
    for given in (DistanceCorrelation(metric=GIVEN), MutualKNN(metric=GIVEN)):
        with pytest.raises(ValueError, match=r"constant|zero"):
            given.fit(0 * D, D)


def test_rounding_is_undone(rows):
    D, E = both(rows, distances)
    rng = np.random.default_rng(0)
    # as of the difference of large squared norms, in one triangle and on the diagonal
    noise = np.triu(rng.uniform(0, 1e-9, size=D.shape))
    noisy = DistanceCorrelation(metric=GIVEN).fit(D + noise, E).score_
    assert_allclose(noisy, DistanceCorrelation().fit(*rows).score_, rtol=1e-8)
    with pytest.raises(ValueError, match="not symmetric"):
        DistanceCorrelation(metric=GIVEN).fit(D + 1e4 * noise, E)


def test_unpaired_matrices_of_other_sizes(rows):
    X, y = rows[0], rows[1][:30]
    found = Uniformity(metric=GIVEN).fit(distances(X), distances(y)).distance_
    assert_allclose(found, Uniformity(normalize=False).fit(X, y).distance_, rtol=1e-12)


def test_graphs_of_given_weights():
    rng = np.random.default_rng(0)
    W, V = (np.abs(rng.normal(size=(12, 12))) for _ in range(2))
    W, V = (A + A.T for A in (W, V))
    for A in (W, V):
        A /= A.max()
        np.fill_diagonal(A, 0)
    cosines = (W * V).sum(axis=1) / np.linalg.norm(W, axis=1)
    expected = (cosines / np.linalg.norm(V, axis=1)).mean()
    given = [1 - A - np.eye(12) for A in (W, V)]
    value = GraphBasedSimilarity(metric=GIVEN).fit(*given).score_
    assert_allclose(value, expected, rtol=1e-12)


def test_kernels_that_are_not_definite():
    rng = np.random.default_rng(0)
    K = rng.normal(size=(2, 20, 20))
    K, L = K + K.transpose(0, 2, 1)
    assert CKA(kernel=GIVEN).fit(K, -K).score_ == pytest.approx(-1)
    assert -1 < CKA(kernel=GIVEN).fit(K, L).score_ < 1
    assert PointwiseKernelAlignment(kernel=GIVEN).fit(K, K).score_ == pytest.approx(1)


@pytest.mark.parametrize(
    "given",
    [
        MutualKNN(metric=GIVEN),
        CKNNA(metric=GIVEN),
        GraphBasedSimilarity(metric=GIVEN),
        RTDLite(metric="precomputed", distance_scale="mean"),
    ],
    ids=repr,
)
def test_no_copies_of_what_is_given(given):
    rng = np.random.default_rng(0)
    D, E = rng.uniform(0.5, 1, size=(2, 4000, 4000))
    for A in (D, E):
        A[:] = np.minimum(A, A.T)
        np.fill_diagonal(A, 0)
    tracemalloc.start()
    try:
        given.fit(D, E)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # RTDLite orders the distances of all pairs, half of a matrix
    assert peak < 1.1 * D.nbytes


# ----- pairs that do not count ----------------


@pytest.fixture
def runs():
    return np.repeat(np.arange(8), 5)


@pytest.mark.parametrize("comparison", ["spearman", "pearson", "kendall", "cosine"])
@pytest.mark.parametrize("metric", ["euclidean", "correlation", GIVEN])
def test_pairs_of_one_run_do_not_count(rows, runs, metric, comparison):
    data = both(rows, distances) if metric == GIVEN else rows
    mask = runs[:, None] != runs
    lists = [pdist(a, "euclidean" if metric == GIVEN else metric) for a in rows]
    x, y = (values[squareform(mask)] for values in lists)
    measure = RSA(metric, comparison, pairs=mask)
    expected = {
        "spearman": lambda: spearmanr(x, y).statistic,
        "pearson": lambda: np.corrcoef(x, y)[0, 1],
        "kendall": lambda: _kendall(x, y),
        "cosine": lambda: x @ y / np.linalg.norm(x) / np.linalg.norm(y),
    }[comparison]()
    assert_allclose(measure.fit(*data).score_, expected, rtol=1e-10)
    condensed = RSA(metric, comparison, pairs=squareform(mask))
    assert condensed.fit(*data).score_ == measure.score_
    assert clone(measure).fit(*data).score_ == measure.score_
    everything = RSA(metric, comparison, pairs=np.ones((40, 40), dtype=bool))
    plain = RSA(metric, comparison).fit(*data).score_
    assert_allclose(everything.fit(*data).score_, plain, rtol=1e-10)


def _kendall(x, y):
    above = np.triu_indices(len(x), 1)
    signs = [np.sign(v[:, None] - v)[above] for v in (x, y)]
    return (signs[0] * signs[1]).mean()


@pytest.mark.parametrize("comparison", ["spearman", "pearson"])
def test_inference_with_pairs(rows, runs, comparison):
    mask = runs[:, None] != runs
    vector = squareform(mask)
    measure = RSA("euclidean", comparison, pairs=mask)
    correlation = spearmanr if comparison == "spearman" else np.corrcoef

    def value(X, y, used):
        found = correlation(pdist(X)[used], pdist(y)[used])
        return found.statistic if comparison == "spearman" else found[0, 1]

    # the mask stays, and the rows of y move
    comparison_ = measure._open(*rows)
    rng = np.random.default_rng(0)
    orders = [rng.permutation(40) for _ in range(3)]
    expected = [value(rows[0], rows[1][order], vector) for order in orders]
    assert_allclose(comparison_.permuted(orders), expected, rtol=1e-9, atol=1e-12)
    prepared = comparison_.for_permutations()
    assert_allclose(prepared.permuted(orders), expected, rtol=1e-9, atol=1e-12)
    # without a row its pairs are gone, and the mask with it
    found = similarity_interval(measure, *rows).replicates
    kept = np.delete(np.arange(40), 7)
    cut = squareform(mask[np.ix_(kept, kept)])
    assert_allclose(found[7], value(rows[0][kept], rows[1][kept], cut), rtol=1e-10)
    # given matrices, a matrix of pairs, and a wrapper
    given = clone(measure).set_params(metric=GIVEN)
    matrices = both(rows, distances)
    again = similarity_interval(given, *matrices).replicates
    assert_allclose(again, found, rtol=1e-9)
    setting = {"n_permutations": 9, "random_state": 0}
    tests = [
        similarity_matrix_test(m, {"a": a}, {"b": b}, **setting)
        for m, (a, b) in ((measure, rows), (given, matrices))
    ]
    assert_allclose(tests[0].scores, value(*rows, vector), rtol=1e-10)
    assert_array_equal(tests[0].pvalues, tests[1].pvalues)
    z = rows[0][:, :2]
    wrapped = DeconfoundedSimilarity(measure).fit(*rows, z=z).score_
    residuals = []
    for array in rows:
        a, b = pdist(array)[vector], pdist(z)[vector]
        residuals.append(a - np.polyval(np.polyfit(b, a, 1), b))
    if comparison == "spearman":
        expected = spearmanr(*residuals).statistic
    else:
        expected = np.corrcoef(*residuals)[0, 1]
    assert_allclose(wrapped, expected, rtol=1e-8)


@pytest.mark.parametrize("comparison", ["spearman", "pearson", "kendall", "cosine"])
def test_missing_pairs_are_left_out(rows, comparison):
    X, y = both(rows, distances)
    rng = np.random.default_rng(0)
    for D, n_missing in ((X, 10), (y, 20)):
        i, j = np.array([rng.choice(40, 2, replace=False) for _ in range(n_missing)]).T
        D[i, j] = D[j, i] = np.nan
    present = squareform(~np.isnan(X) & ~np.isnan(y), checks=False)
    n_missing = int((~present).sum())
    with pytest.warns(UserWarning, match=f"{n_missing} of 780 pairs.*left out"):
        found = RSA(GIVEN, comparison).fit(X, y).score_
    # as if they did not count
    pairs = RSA("euclidean", comparison, pairs=present).fit(*rows).score_
    assert_allclose(found, pairs, rtol=1e-10)
    one_side = distances(rows[1])
    with pytest.warns(UserWarning, match="of 780 pairs"):
        found = RSA(GIVEN, comparison).fit(X, one_side).score_
    present = squareform(~np.isnan(X), checks=False)
    pairs = RSA("euclidean", comparison, pairs=present).fit(*rows).score_
    assert_allclose(found, pairs, rtol=1e-10)
    # what is missing of y moves with its rows
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        comparison_ = RSA(GIVEN, comparison)._open(X, y)
        order = rng.permutation(40)
        expected = RSA(GIVEN, comparison).fit(X, y[np.ix_(order, order)]).statistic_
        interval = similarity_interval(RSA(GIVEN, comparison), X, y)
    assert_allclose(comparison_.for_permutations().permuted([order])[0], expected)
    assert interval.standard_error > 0


def test_missing_pairs_in_a_table_of_layers(rows):
    X, y = both(rows, distances)
    y[0, 1] = y[1, 0] = np.nan
    with pytest.warns(UserWarning, match="1 of 780 pairs"):
        similarity_matrix(RSA(GIVEN), {"a": X}, {"b": y})
    X[np.diag_indices(40)] = np.nan  # the diagonal is not compared
    with pytest.warns(UserWarning, match="1 of 780 pairs"):
        RSA(GIVEN).fit(X, y)


def test_pairs_are_checked(rows):
    for pairs, words in (
        (np.ones((40, 40)), "mask of booleans"),
        (np.ones((39, 39), dtype=bool), r"shape \(39, 39\), but X has 40 rows"),
        (np.ones(780 - 1, dtype=bool), r"condensed one of shape \(780,\)"),
        (np.tri(40, dtype=bool), "not symmetric"),
        (np.zeros((40, 40), dtype=bool), "Only 0 pairs"),
    ):
        with pytest.raises(ValueError, match=words):
            RSA(pairs=pairs).fit(*rows)


def test_pairs_of_other_libraries(rows, runs):
    torch = pytest.importorskip("torch")
    mask = runs[:, None] != runs
    X, y = both(rows, distances)
    X[0, 1] = X[1, 0] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = RSA(GIVEN, pairs=mask).fit(X, y).score_
        with config_context(array_api_dispatch=True):
            measure = RSA(GIVEN, pairs=mask)
            tensors = torch.asarray(X), torch.asarray(y)
            assert_allclose(measure.fit(*tensors).score_, expected, rtol=1e-12)
            order = np.random.default_rng(0).permutation(40)
            found = measure._open(*tensors).for_permutations().permuted([order])[0]
        moved = y[np.ix_(order, order)]
        assert_allclose(found, RSA(GIVEN, pairs=mask).fit(X, moved).score_)


def test_dissimilarities_of_any_sign(rows):
    X, y = both(rows, distances)
    shifted = [D - 2 * (1 - np.eye(40)) for D in (X, y)]  # as cross-validated ones
    for comparison in ("spearman", "pearson", "kendall"):
        measure = RSA(GIVEN, comparison)
        assert_allclose(measure.fit(*shifted).score_, measure.fit(X, y).score_)


def test_neighbors_of_many_ties():
    D = np.ones((30, 30)) - np.eye(30)
    D[0, 1] = D[1, 0] = 0.5
    fitted = NeighborJaccard(3, metric=GIVEN).fit(D, D)
    assert fitted.score_ == 1
    assert fitted.n_tied_ == (30, 30)
