import warnings
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge

import sksim
from sksim import all_measures
from sksim.base._tags import tags_of
from sksim.functional import Disagreement, ErrorConsistency, PerformanceDifference
from sksim.inference import similarity_test
from sksim.pairwise import compare
from sksim.pairwise._inputs import ArrayPair, NotApplicable
from sksim.pairwise._measures import statistic_of_two
from sksim.pairwise._work import evaluate
from sksim.rsm import CKA

FAST = {"n_permutations": 99, "confidence_level": None, "random_state": 0}


def classifiers(rng, n=200, n_classes=5, hard=0):
    """Outputs of two unrelated models, and the truth; rows of class 0 may be hard."""
    truth = rng.integers(n_classes, size=n)
    accuracy = np.where((truth == 0) & hard, 0.5, 0.95)
    wrong = (truth + rng.integers(1, n_classes, size=(2, n))) % n_classes
    return *np.where(rng.random((2, n)) < accuracy, truth, wrong), truth


def table_of(*arguments, **options):
    options = {"measures": "all", **FAST, **options}
    return compare(*arguments, **options).to_frame().set_index("measure")


# ----- what changes places ------------------------------------------------------------


def test_outputs_are_compared_within_classes():
    a, b, truth = classifiers(np.random.default_rng(0))
    table = table_of(a, b, y_true=truth)
    assert table.null["CochranQ"] == "McNemar"  # which it is, of two models
    # no row is wrong for both, so that no error is shared
    undefined = ["SameErrorRate", "GroupSameErrorRate"]
    assert table.value[undefined].isna().all()
    table = table.drop(["CochranQ", *undefined])
    assert set(table.null) == {"rows within classes"}
    seed = (
        compare(a, b, measures="Disagreement", **FAST).to_frame().attrs["random_state"]
    )
    expected = similarity_test(
        Disagreement(), a, b, strata=truth, n_permutations=99, random_state=seed
    )
    assert table.pvalue["Disagreement"] == expected.pvalue
    assert table.null_mean["Disagreement"] == expected.null_mean
    assert table.pvalue["Disagreement"] > 0.05
    free = table_of(a, b, y_true=truth, strata=None).drop(["CochranQ", *undefined])
    assert set(free.null) == {"rows"}
    assert free.pvalue["Disagreement"] == 0.01


def test_accurate_models_and_hard_classes_are_not_called_similar():
    # 60 pairs of unrelated models; the Monte Carlo error of .05 is .028
    measures = [Disagreement(), ErrorConsistency()]
    rejected = np.zeros(2)
    for seed in range(60):
        outputs = classifiers(np.random.default_rng(seed), hard=1)
        table = compare(
            *outputs[:2], y_true=outputs[2], measures=measures, **FAST
        ).to_frame()
        rejected += (table.pvalue <= 0.05).to_numpy()
    assert (rejected / 60 <= 0.12).all()


def test_representations_are_compared_by_rows():
    X, y = load_iris(return_X_y=True)
    models = LogisticRegression(max_iter=1000), LogisticRegression(C=0.01)
    models = [model.fit(X, y) for model in models]
    measures = ["CKA", "JensenShannonDivergence", "Disagreement"]
    table = table_of(*models, X, y, measures=[*measures, "PerformanceDifference"])
    assert list(table.null) == ["rows", *2 * ["rows within classes"], "McNemar"]


def test_regression_goes_by_rows_and_says_so():
    X, _ = load_iris(return_X_y=True)
    models = LinearRegression().fit(X[:, :3], X[:, 3]), Ridge(9).fit(X[:, :3], X[:, 3])
    measures = PerformanceDifference("r2")
    table = compare(*models, X[:, :3], X[:, 3], measures=measures, **FAST).to_frame()
    assert list(table.null) == ["models swapped"]
    scores = np.random.default_rng(0).integers(9, size=(2, 40))
    target = np.random.default_rng(0).normal(size=40)
    table = compare(*scores, y_true=target, measures="Disagreement", **FAST).to_frame()
    assert list(table.null) == ["rows (y_true is continuous)"]


@pytest.mark.parametrize(
    ("truth", "reason"),
    [
        (np.arange(30), "most rows are alone in their class"),
        (np.zeros((30, 2)), "y_true is not one class for each row"),
        ([None, *range(29)], "y_true is not one class for each row"),
    ],
)
def test_classes_that_can_not_be_used_are_named(truth, reason):
    a, b = np.random.default_rng(0).integers(3, size=(2, 30))
    table = compare(a, b, y_true=truth, measures="Disagreement", **FAST).to_frame()
    assert list(table.null) == [f"rows ({reason})"]
    assert np.isfinite(table.pvalue[0])


def test_rows_that_are_alone_in_a_class_stay():
    a, b, truth = classifiers(np.random.default_rng(0))
    table = compare(
        a, b, y_true=np.r_[9, truth[1:]], measures="Disagreement", **FAST
    ).to_frame()
    assert list(table.null) == ["rows within classes"]


@pytest.mark.parametrize("make", [list, pd.Series, lambda v: pd.Series(v.astype(str))])
def test_classes_of_any_kind(make):
    a, b, truth = classifiers(np.random.default_rng(0))
    one, other = (
        table_of(a, b, y_true=y, measures="Disagreement") for y in (truth, make(truth))
    )
    assert one.pvalue.equals(other.pvalue)
    assert list(other.null) == ["rows within classes"]


@pytest.mark.parametrize(
    ("design", "name"),
    [
        ({"groups": np.arange(40) // 2}, "groups"),
        ({"strata": np.arange(40) % 2}, "rows within strata"),
        (
            {"groups": np.arange(40) // 2, "strata": np.arange(40) // 20},
            "groups within strata",
        ),
        ({"permute": "shift"}, "shifts"),
        ({"permute": "shift", "groups": np.arange(40) // 10}, "shifts of groups"),
        ({"strata": None}, "rows"),
    ],
)
def test_what_is_asked_for_is_obeyed(design, name):
    a, b, truth = classifiers(np.random.default_rng(0), n=40)
    table = compare(
        a, b, y_true=truth, measures="Disagreement", **design, **FAST
    ).to_frame()
    assert list(table.null) == [name]
    expected = similarity_test(
        Disagreement(),
        a,
        b,
        n_permutations=99,
        random_state=table.attrs["random_state"],
        **design,
    )
    assert table.pvalue[0] == expected.pvalue


def test_swaps_are_of_another_null_hypothesis():
    a, b, truth = classifiers(np.random.default_rng(0))
    a, b = np.eye(5)[a], np.eye(5)[b]
    options = {"measures": "PerformanceDifference", "y_true": truth, **FAST}
    assert list(compare(a, b, **options).to_frame().null) == ["McNemar"]
    groups = np.arange(200) // 2
    assert list(compare(a, b, groups=groups, **options).to_frame().null) == [
        "models swapped"
    ]


def test_a_word_is_no_strata():
    with pytest.raises(ValueError, match="strata must be one label for each row"):
        compare([0, 1], [1, 0], strata="classes", measures="all").to_frame()


# ----- one set of orders --------------------------------------------------------------


def test_measures_of_groups_see_the_orders_of_pairs():
    a, b, truth = classifiers(np.random.default_rng(3), n=60)
    table = table_of(a, b, y_true=truth, measures=["Disagreement", "Ambiguity"])
    columns = ["pvalue", "null_mean", "pvalue_adjusted"]
    assert table.loc["Disagreement", columns].equals(table.loc["Ambiguity", columns])
    few = [1, 2, 1, 2, 1], [1, 2, 2, 2, 1]  # all 120 orders
    table = compare(
        *few, measures=["Disagreement", "Ambiguity"], random_state=0
    ).to_frame()
    assert table.pvalue[0] == table.pvalue[1] == 0.3


def test_adjusted_pvalues_are_of_all_measures_of_a_null():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 4))
    y = X[:, :2] + 2 * rng.normal(size=(50, 2))
    measures = ["CKA", "RSA", "MutualKNN", "GULP", "RankSimilarity"]
    table = table_of(X, y, measures=measures)
    assert (table.pvalue_adjusted >= table.pvalue).all()
    assert (table.pvalue_adjusted > table.pvalue).any()
    alone = table_of(X, y, measures="RSA")
    assert alone.pvalue_adjusted["RSA"] == alone.pvalue["RSA"] == table.pvalue["RSA"]
    # by the definition, for the most extreme of two
    names = ["MutualKNN", "RSA"]
    table = table_of(X, y, measures=names)
    seed = compare(X, y, measures="RSA", **FAST).to_frame().attrs["random_state"]
    z = []
    for name in names:
        test = similarity_test(name, X, y, n_permutations=99, random_state=seed)
        both = np.r_[test.score, test.null_distribution]
        z.append((both - both.mean()) / both.std())
    largest = np.max(z, axis=0)
    top = int(z[1][0] > z[0][0])
    expected = np.mean(largest >= z[top][0])
    assert table.pvalue_adjusted[names[top]] == expected


def test_pvalues_without_orders_are_corrected_among_themselves():
    a, b, truth = classifiers(np.random.default_rng(0), n=60)
    b = np.where(np.arange(60) < 12, (truth + 1) % 5, b)
    measures = {
        "plain": PerformanceDifference(),
        "signed": PerformanceDifference(signed=True),
        "Hellinger": sksim.Hellinger(),
    }
    table = table_of(np.eye(5)[a], np.eye(5)[b], y_true=truth, measures=measures)
    assert list(table.null[:2]) == ["McNemar", "McNemar"]
    assert 0 < table.pvalue["plain"] < 0.05
    # the second model is not the better one, which the signed difference asks
    assert table.pvalue["signed"] > 0.99
    by_holm = [2 * table.pvalue["plain"], table.pvalue["signed"]]
    assert_allclose(table.pvalue_adjusted[:2], by_holm)
    assert table.pvalue_adjusted["Hellinger"] == table.pvalue["Hellinger"]


def test_default_is_999_orders():
    X, y = np.random.default_rng(0).normal(size=(2, 30, 2))
    table = compare(X, X + 0.1 * y, measures="CKA", confidence_level=None).to_frame()
    assert table.pvalue[0] == table.pvalue_adjusted[0] == 0.001


def test_no_permutations_leave_the_columns_empty():
    X, y = np.random.default_rng(0).normal(size=(2, 30, 2))
    table = compare(X, y, measures=["CKA", "RSA"], n_permutations=0).to_frame()
    assert table.pvalue_adjusted.isna().all()
    assert list(table.null) == list(table.same_as) == ["", ""]


# ----- one statistic in several units -------------------------------------------------


def random_pair(kind, rng):
    """Two models' outputs or representations, of one size for each kind."""
    n, n_classes = 40, 2 if kind == "binary" else 3
    truth = rng.integers(n_classes, size=n)
    if kind in ("labels", "binary"):
        is_right = rng.random((2, n)) < rng.uniform(0.2, 0.95, size=(2, 1))
        return *np.where(is_right, truth, rng.integers(n_classes, size=(2, n))), truth
    if kind == "probabilities":
        return *rng.dirichlet(np.full(3, rng.uniform(0.2, 3)), size=(2, n)), truth
    widths = (4, 4) if kind == "of one width" else (5, 4)
    X = rng.normal(size=(n, widths[0])) * rng.exponential(size=widths[0]) ** 2
    y = X @ rng.normal(size=widths) * rng.uniform(0, 2)
    return X, y + rng.normal(size=y.shape) * rng.exponential(size=widths[1]), truth


def values_on(kind, n_inputs=40):
    """Scores of all measures on random pairs, and what each is said to be."""
    scores, statistics = {}, {}
    for seed in range(n_inputs):
        a, b, truth = random_pair(kind, np.random.default_rng(seed))
        pair = ArrayPair(a, b, truth)
        for name, cls in all_measures():
            measure, tags = cls(), tags_of(cls())
            if not tags.paired or tags.family == "topology" or tags.null != "rows":
                continue
            try:
                inputs = pair.inputs_of(measure)
            except NotApplicable:
                continue
            if kind == "probabilities" and tags.family != "functional":
                continue
            comparison = measure._open(inputs.x, inputs.y, **inputs.metadata)
            score = tags.orient(float(comparison.value()))
            scores.setdefault(name, []).append(score)
            statistics[name] = statistic_of_two(
                measure,
                is_binary=kind == "binary",
                of_one_width=kind != "of other widths",
            )
    return scores, statistics


@pytest.mark.parametrize(
    "kind", ["labels", "binary", "probabilities", "of one width", "of other widths"]
)
def test_measures_are_one_statistic_where_it_is_said_and_nowhere_else(kind):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scores, statistics = values_on(kind)
    for one, other in combinations(scores, 2):
        x, y = (np.round(scores[name], 9) for name in (one, other))
        defined = np.isfinite(x) & np.isfinite(y)
        x, y = x[defined], y[defined]
        same_order = np.array_equal(
            np.sign(np.subtract.outer(x, x)), np.sign(np.subtract.outer(y, y))
        )
        assert same_order == (statistics[one] == statistics[other]), (one, other)


def test_seven_measures_of_labels_are_two_statistics_or_one():
    a, b, truth = classifiers(np.random.default_rng(0), n=60)
    table = table_of(a, b, y_true=truth)
    same = table.same_as[table.same_as != ""]
    assert dict(same) == {
        "Ambiguity": "Disagreement",
        "Discrepancy": "Disagreement",
        "LabelEntropy": "Disagreement",
        "EntropyDiversity": "OracleDisagreement",
        "KohaviWolpertVariance": "OracleDisagreement",
        "CoincidentFailureDiversity": "GeneralizedDiversity",
        "KrippendorffAlpha": "FleissKappa",
        "GroupSameErrorRate": "SameErrorRate",
    }
    first = table.loc[same]
    for column in ("pvalue", "pvalue_adjusted"):
        assert_allclose(table.loc[same.index, column], first[column])
    truth = truth % 2
    table = table_of(a % 2, b % 2, y_true=truth)
    names = [*[n for n, s in same.items() if "Dis" in s], "OracleDisagreement"]
    assert len(names) == 6
    assert set(table.same_as[names]) == {"Disagreement"}
    # of what is there: the first of the table lends its name
    few = table_of(a, b, measures=["LabelEntropy", "Discrepancy"])
    assert list(few.same_as) == ["", "LabelEntropy"]


def test_other_parameters_are_another_statistic():
    X, y = np.random.default_rng(0).normal(size=(2, 30, 3))
    measures = {
        "plain": CKA(),
        "again": CKA(),
        "debiased": CKA(debias="rows"),
        "free": sksim.OrthogonalProcrustes(scale=False),
        "angle": sksim.AngularShapeMetric(),
    }
    table = table_of(X, y, measures=measures)
    assert dict(table.same_as[table.same_as != ""]) == {"again": "plain"}


# ----- counted work -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("n", 10),
        ("n d^2 + d^3", 10 * 9 + 27),
        ("n^2 (d + log n)", 100 * (3 + np.log(11))),
        ("(n + 1) 2", 22),
    ],
)
def test_formulas(formula, value):
    assert evaluate(formula, {"n": 10, "d": 3}) == pytest.approx(value)


@pytest.mark.parametrize("formula", ["", "n d, and", "(n", "n +", "n)", "n ^ ^ d"])
def test_what_is_no_formula(formula):
    with pytest.raises(ValueError, match="formula|bracket"):
        evaluate(formula, {"n": 10, "d": 3})


@pytest.mark.parametrize("name", [name for name, _ in all_measures()])
def test_the_tag_complexity_can_be_counted(name):
    from sksim.pairwise._work import _EXPLANATION

    tags = tags_of(dict(all_measures())[name]())
    formula = _EXPLANATION.split(tags.complexity)[0]
    terms = dict.fromkeys(["n", "d", "c", "l", "b", "s", "k", "p", "w", "h"], 10)
    terms |= {"steps": 10, "rounds": 10}
    assert evaluate(formula, terms) >= 10


def test_what_is_too_dear_is_left_out_by_count():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2, 50, 4))
    measures = ["CKA", "RSA"]
    # 50 x 4 row operations of a comparison by CKA, and 50^2 or so by RSA
    options = {"measures": measures, "n_permutations": 99, "random_state": 0}
    table = (
        compare(X, y, cost_limit=99 * 200, **options).to_frame().set_index("measure")
    )
    assert np.isfinite(table.loc["CKA", ["pvalue", "interval_low"]].astype(float)).all()
    assert table.loc["RSA", ["pvalue", "interval_low"]].isna().all()
    note = table.loc["RSA", "note"]
    assert "no p-value: 99 permutations would take up to 4.9e+05 row" in note
    assert "similarity_test(RSA(), ...) makes them" in note
    assert "no interval: 50 comparisons would take" in note
    assert table.loc["RSA", "null"] == ""
    just_below = compare(X, y, cost_limit=99 * 200 - 1, **options).to_frame()
    assert just_below.pvalue.isna().all()
    without = compare(X, y, cost_limit=None, **options).to_frame()
    assert without.pvalue.notna().all()


def test_wide_rows_count_as_the_factor_that_is_kept():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2, 20, 300))
    options = {"measures": "CKA", "n_permutations": 99, "confidence_level": None}
    # n d with d = n = 20
    assert np.isfinite(
        compare(X, y, cost_limit=99 * 400, **options).to_frame().pvalue[0]
    )
    assert np.isnan(
        compare(X, y, cost_limit=99 * 400 - 1, **options).to_frame().pvalue[0]
    )


def test_subsets_of_rows_count_by_their_size():
    X, y = np.random.default_rng(0).normal(size=(2, 100, 4))
    measure = sksim.RTD(n_subsets=2, subset_size=10)
    options = {"measures": measure, "n_permutations": 99, "confidence_level": None}
    table = compare(X, y, cost_limit=99 * 2 * 10**3 - 1, **options).to_frame()
    assert "up to 2.0e+05 row operations" in table.note[0]


def test_single_precision_of_wide_rows_is_corrected_by_its_own_rounding():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 20_000)).astype(np.float32)
    y = (X + rng.normal(size=X.shape)).astype(np.float32)
    table = table_of(X, y, measures=["CKA", "OrthogonalProcrustes"])
    assert list(table.pvalue) == list(table.pvalue_adjusted) == [0.01, 0.01]
    assert (table.calibrated_score > 0.25).all()
