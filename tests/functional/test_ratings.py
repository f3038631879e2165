"""Ordered grades and missing ratings: weighted kappa and Krippendorff's alpha."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import UndefinedMetricWarning

from sksim.functional import CohenKappa, FleissKappa, KrippendorffAlpha
from sksim.inference import similarity_interval, similarity_test
from sksim.pairwise import compare, similarity_matrix
from tests._reference import reference_arrays, reference_values

KAPPAS = reference_values("ratings")["weighted_kappa"]
ALPHAS = reference_values("ratings")["krippendorff"]
GRADES = ["low", "mid", "high", "top"]
RNG = np.random.default_rng(0)
A = RNG.integers(0, 3, 60)
B = np.clip(A + RNG.integers(-1, 2, 60), 0, 2)


def kappa_input(case):
    """Grades of both raters, and their order."""
    arrays = reference_arrays("ratings")
    return [arrays[f"weighted_kappa__{case}__{name}"] for name in ("a", "b", "order")]


def text(codes):
    return np.array(GRADES, dtype=object)[codes]


# ----- ordered grades ---------------------------------------------------------------


@pytest.mark.parametrize("weights", [None, "linear", "quadratic"])
@pytest.mark.parametrize("case", KAPPAS)
def test_kappa_of_the_reference(case, weights):
    a, b, order = kappa_input(case)
    expected = KAPPAS[case][weights or "unweighted"]
    measure = CohenKappa(weights, labels=order).fit(a, b)
    assert measure.similarity_ == pytest.approx(expected, abs=1e-10)
    matrix = similarity_matrix(CohenKappa(weights, labels=order.tolist()), [a], [b])
    assert matrix.iloc[0, 0] == measure.similarity_


def categories(codes, library="pandas", grades=GRADES):
    """Grades as ordered categories of a library."""
    values = [GRADES[code] for code in codes]
    if library == "polars":
        pl = pytest.importorskip("polars")
        return pl.Series(values, dtype=pl.Enum(grades))
    if library == "arrow":
        pa = pytest.importorskip("pyarrow")
        order = pd.Categorical(values, categories=grades, ordered=True)
        return pa.Array.from_pandas(order)
    order = pd.Categorical(values, categories=grades, ordered=True)
    return order if library == "categorical" else pd.Series(order)


@pytest.mark.parametrize("library", ["pandas", "categorical", "polars", "arrow"])
@pytest.mark.parametrize("weights", ["linear", "quadratic"])
def test_order_of_categories(library, weights):
    expected = CohenKappa(weights, labels=range(4)).fit(A, B).similarity_
    x, y = (categories(codes, library) for codes in (A, B))
    measure = CohenKappa(weights)
    assert measure.fit(x, y).similarity_ == pytest.approx(expected)
    # of one side, and where a grade is not used
    assert measure.fit(x, text(B)).similarity_ == pytest.approx(expected)
    assert measure.score(text(A), y) == pytest.approx(expected)
    used_twice = CohenKappa(weights, labels=GRADES).fit(
        text(np.where(A == 1, 3, A)), text(np.where(B == 1, 3, B))
    )
    other = measure.fit(*(categories(np.where(v == 1, 3, v), library) for v in (A, B)))
    assert other.similarity_ == pytest.approx(used_twice.similarity_)


def test_order_of_categories_in_tests_matrices_and_compare():
    x, y = categories(A), categories(B)
    expected = CohenKappa("quadratic").fit(A, B).similarity_
    measure = CohenKappa("quadratic")
    test = similarity_test(measure, x, y, n_permutations=19, random_state=0)
    numbers = similarity_test(measure, A, B, n_permutations=19, random_state=0)
    assert test.score == pytest.approx(expected)
    np.testing.assert_allclose(test.null_distribution, numbers.null_distribution)
    matrix = similarity_matrix(measure, {"x": x, "y": y})
    assert matrix.loc["x", "y"] == pytest.approx(expected)
    table = compare(x, y, measures=measure, n_permutations=0).to_frame()
    assert table["value"][0] == pytest.approx(expected)
    interval = similarity_interval(measure, x, y)
    assert interval.standard_error > 0


def test_grades_without_an_order_are_refused():
    for x, y in ((text(A), text(B)), (pd.Series(text(A)).astype("category"), text(B))):
        with pytest.raises(ValueError, match=r"text has none: pass labels=\[...\]"):
            CohenKappa("linear").fit(x, y)
        CohenKappa().fit(x, y)
    with pytest.raises(ValueError, match="X and y order their grades differently"):
        CohenKappa("linear").fit(categories(A), categories(B, grades=GRADES[::-1]))
    with pytest.raises(ValueError, match=r"grades \['mid'\] are not among"):
        CohenKappa("linear", labels=["low", "high"]).fit(text(A), text(B))
    with pytest.raises(ValueError, match="twice"):
        CohenKappa("linear", labels=["low", "low"]).fit(text(A), text(B))
    with pytest.raises(ValueError, match="fractions"):
        CohenKappa("linear").fit(A / 2, B / 2)


def test_whole_floats_are_labels():
    expected = CohenKappa("linear").fit(A, B).similarity_
    assert CohenKappa("linear").fit(A.astype(float), B).similarity_ == expected
    table = compare(
        A.astype(float), B.astype(float), measures=["CohenKappa"], n_permutations=0
    ).to_frame()
    assert table["value"][0] == CohenKappa().fit(A, B).similarity_


# ----- missing ratings --------------------------------------------------------------


def ratings_of(case):
    """Units by raters."""
    return reference_arrays("ratings")[f"krippendorff__{case}__ratings"].T


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
@pytest.mark.parametrize("case", ALPHAS)
def test_alpha_of_the_reference(case, level):
    measure = KrippendorffAlpha(level).fit(ratings_of(case))
    assert measure.similarity_ == pytest.approx(ALPHAS[case][level], abs=1e-10)
    assert measure.n_pairable_ == pytest.approx(ALPHAS[case]["n_pairable"])
    assert measure.n_models_ == measure.n_features_in_ == ratings_of(case).shape[1]


DISTANCES = {
    "nominal": lambda a, b, n: float(a != b),
    "ordinal": lambda a, b, n: (
        sum(n[g] / (2 if g in (a, b) else 1) for g in n if min(a, b) <= g <= max(a, b))
        * (a != b)
    ),
    "interval": lambda a, b, n: a - b,
    "ratio": lambda a, b, n: (a - b) / (a + b) if a + b else 0.0,
}


def alpha_by_definition(ratings, level):
    """Pair by pair, as the docstring says."""
    units = [[r for r in unit if not math.isnan(r)] for unit in ratings.tolist()]
    units = [unit for unit in units if len(unit) > 1]
    pooled = [r for unit in units for r in unit]
    counts = {g: pooled.count(g) for g in set(pooled)}

    def total(values):
        pairs = itertools.permutations(values, 2)
        return sum(DISTANCES[level](a, b, counts) ** 2 for a, b in pairs)

    observed = sum(total(unit) / (len(unit) - 1) for unit in units) / len(pooled)
    expected = total(pooled) / (len(pooled) * (len(pooled) - 1))
    return 1 - observed / expected


@pytest.mark.parametrize("level", DISTANCES)
@pytest.mark.parametrize("seed", range(4))
def test_alpha_by_definition(level, seed):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 5, 30)[:, None]
    ratings = np.clip(truth + rng.integers(-1, 2, (30, 4)), 0, 5).astype(float)
    if seed % 2:
        ratings += rng.integers(0, 2, ratings.shape) / 4
    ratings[rng.random(ratings.shape) < 0.3] = np.nan
    found = KrippendorffAlpha(level).fit(ratings).similarity_
    assert found == pytest.approx(alpha_by_definition(ratings, level), abs=1e-12)


@pytest.mark.parametrize("level", ["interval", "ratio"])
@pytest.mark.parametrize("scale", [1e-300, 1e-8, 1e8, 2e307])
def test_alpha_at_any_scale(level, scale):
    ratings = np.abs(ratings_of("float_interval"))
    expected = KrippendorffAlpha(level).fit(ratings).similarity_
    found = KrippendorffAlpha(level).fit(ratings * scale).similarity_
    assert found == pytest.approx(expected, rel=1e-9)


CASE = "random_missing"


def as_text(ratings):
    names = np.array(["e", "d", "c", "b", "a"], dtype=object)
    named = names[np.nan_to_num(ratings, nan=1).astype(int) - 1]
    return np.where(np.isnan(ratings), None, named)


FORMS = {
    "lists": lambda r: r.tolist(),
    "lists with None": lambda r: np.where(np.isnan(r), None, r).tolist(),
    "objects": lambda r: np.where(np.isnan(r), None, r),
    "masked": np.ma.masked_invalid,
    "table": pd.DataFrame,
    "nullable": lambda r: pd.DataFrame(r).astype("Int64"),
    "polars": lambda r: pytest.importorskip("polars").DataFrame(r),
    "models": lambda r: list(r.T),
    "masked models": lambda r: [np.ma.masked_invalid(m) for m in r.T],
    "series": lambda r: [pd.Series(m).astype("Int64") for m in r.T],
    "torch": lambda r: pytest.importorskip("torch").tensor(r),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
def test_alpha_in_any_container(form, level):
    ratings = ratings_of(CASE)
    measure = KrippendorffAlpha(level).fit(form(ratings))
    assert measure.similarity_ == pytest.approx(ALPHAS[CASE][level], abs=1e-12)
    assert measure.score(form(ratings)) == measure.score_
    if isinstance(form(ratings), pd.DataFrame):
        named = form(ratings).add_prefix("rater ")
        names = measure.fit(named).feature_names_in_
        assert names.tolist() == [f"rater {i}" for i in range(ratings.shape[1])]


def test_alpha_of_text():
    ratings = as_text(ratings_of(CASE))
    found = KrippendorffAlpha().fit(ratings).similarity_
    assert found == pytest.approx(ALPHAS[CASE]["nominal"])
    order = list("edcba")
    ordinal = KrippendorffAlpha("ordinal", labels=order)
    assert ordinal.fit(ratings).similarity_ == pytest.approx(ALPHAS[CASE]["ordinal"])
    table = pd.DataFrame(ratings).astype(pd.CategoricalDtype(order, ordered=True))
    for form in (table, [table[column] for column in table]):
        found = KrippendorffAlpha("ordinal").fit(form).similarity_
        assert found == pytest.approx(ALPHAS[CASE]["ordinal"])
    pair = KrippendorffAlpha("ordinal", labels=order)
    assert pair.fit(ratings[:, 0], ratings[:, 1]).score_ == pytest.approx(
        KrippendorffAlpha("ordinal").fit(ratings_of(CASE)[:, :2]).score_
    )


def test_alpha_refusals():
    ratings = as_text(ratings_of(CASE))
    for measure, data, match in (
        (KrippendorffAlpha("ordinal"), ratings, "Ordinal ratings need the order"),
        (KrippendorffAlpha("interval"), ratings, "needs ratings that are numbers"),
        (KrippendorffAlpha("ratio"), [[-1, 2], [3, 4]], "not negative"),
        (KrippendorffAlpha(), [[1, "a"], [2, "b"]], "labels of different kinds"),
        (KrippendorffAlpha(), [[1, np.inf], [2, 3]], "infinity"),
        (KrippendorffAlpha(), [[1], [2]], "two or more models"),
        (KrippendorffAlpha(), [np.ones(3), np.ones(2)], "one shape"),
        (KrippendorffAlpha(level="rational"), [[1, 2]], "level"),
    ):
        with pytest.raises(ValueError, match=match):
            measure.fit(data)
    fitted = KrippendorffAlpha().fit(ratings)
    with pytest.raises(ValueError, match="expecting 4 features"):
        fitted.score(ratings[:, :3])
    with pytest.raises(ValueError, match="already holds"):
        fitted.fit(ratings, ratings[:, 0])


@pytest.mark.parametrize(
    "ratings",
    [
        [[1, 1], [1, 1], [np.nan, 1]],
        [[1, np.nan], [np.nan, 2]],
        [[np.nan, np.nan], [np.nan, np.nan]],
    ],
)
@pytest.mark.parametrize("level", DISTANCES)
def test_alpha_undefined(ratings, level):
    with pytest.warns(UndefinedMetricWarning, match="equal, or no unit has two"):
        assert math.isnan(KrippendorffAlpha(level).fit(ratings).score_)
    with pytest.warns(UndefinedMetricWarning, match="no unit has two"):
        measure = KrippendorffAlpha(level, replace_undefined_by=0).fit(ratings)
    assert measure.score_ == 0


@pytest.mark.parametrize("level", DISTANCES)
def test_alpha_of_unrelated_ratings_and_of_related(level):
    rng = np.random.default_rng(1)
    truth = rng.integers(1, 6, 50)[:, None]
    ratings = np.clip(truth + rng.integers(-1, 2, (50, 3)), 1, 5).astype(float)
    ratings[rng.random(ratings.shape) < 0.2] = np.nan
    measure = KrippendorffAlpha(level)
    test = similarity_test(measure, ratings, n_permutations=99, random_state=0)
    assert test.pvalue == 0.01
    assert abs(test.null_mean) < 0.05
    for method in ("bootstrap", "jackknife", "subsample"):
        interval = similarity_interval(
            measure, ratings, method=method, n_resamples=99, random_state=0
        )
        low, high = interval.confidence_interval
        assert low < interval.score < high


def test_others_point_out_the_missing():
    with pytest.raises(ValueError, match="X contains NaN.*drop these rows"):
        FleissKappa().fit(ratings_of(CASE))


def test_a_rater_without_ratings_counts_for_nothing():
    a, b = [1, 2, 1, 3], [1, 2, 2, 3]
    expected = KrippendorffAlpha().fit(a, b).similarity_
    ratings = [list(row) for row in zip(a, [None] * 4, b, strict=True)]
    assert KrippendorffAlpha().fit(ratings).similarity_ == pytest.approx(expected)
    with pytest.warns(UndefinedMetricWarning, match="no unit has two"):
        assert np.isnan(KrippendorffAlpha().fit([None] * 4, b).similarity_)


# ----- compare ------------------------------------------------------------------------


FAST = {"n_permutations": 19, "confidence_level": None, "random_state": 0}
WITH_GAPS = ["low", "mid", "high", None, "mid", "low", "high", "mid"]
OTHER = ["low", "high", "high", "mid", None, "low", "mid", "mid"]


def test_compare_takes_missing_ratings():
    expected = KrippendorffAlpha().fit(WITH_GAPS, OTHER).similarity_
    table = compare(WITH_GAPS, OTHER, measures="functional", **FAST).to_frame()
    table = table.set_index("measure")
    assert table.value["KrippendorffAlpha"] == pytest.approx(expected)
    assert 0 < table.pvalue["KrippendorffAlpha"] <= 1
    others = table.drop(index="KrippendorffAlpha")
    assert len(others) > 3
    assert others.value.isna().all()
    assert others.note.str.startswith("not computed: a contains NaN").all()
    test = similarity_test(
        KrippendorffAlpha(), WITH_GAPS, OTHER, n_permutations=19, random_state=0
    )
    assert test.score == pytest.approx(expected)


@pytest.mark.parametrize(
    "make",
    [
        lambda v: np.where(np.equal(v, None), np.nan, v).astype(float),
        lambda v: pd.Series(v, dtype="Int64"),
        lambda v: np.ma.masked_array([x or 0 for x in v], [x is None for x in v]),
        list,
    ],
)
def test_compare_takes_gaps_of_any_kind(make):
    a, b = [1, 2, None, 3, 2, 1], [1, 2, 2, 3, None, 2]
    expected = KrippendorffAlpha("interval").fit(a, b).similarity_
    measure = KrippendorffAlpha("interval")
    for one, other in ((make(a), make(b)), (make(a), b), (b, make(a))):
        table = compare(one, other, measures=measure, **FAST).to_frame()
        assert table.value[0] == pytest.approx(expected)


def test_compare_takes_fractions_as_grades():
    a, b = [1, 2, np.nan, 3.5, 2, 1], [1, 2, 2, 3, np.nan, 1.5]
    expected = KrippendorffAlpha("interval").fit(a, b).similarity_
    table = compare(a, b, measures=KrippendorffAlpha("interval"), **FAST).to_frame()
    assert table.value[0] == pytest.approx(expected)


def test_compare_refuses_gaps_where_nothing_takes_them():
    message = "a contains NaN, that is missing values, in 1 of 8 rows"
    for measures in ("Disagreement", ["KrippendorffAlpha", "Disagreement"]):
        with pytest.raises(ValueError, match=f"Disagreement can't be .*{message}"):
            compare(WITH_GAPS, OTHER, measures=measures, **FAST).to_frame()
    X = np.ones((4, 2))
    X[1, 1] = np.nan
    with pytest.raises(ValueError, match=r"b contains NaN.* in 1 of 4 rows"):
        compare(np.eye(4), X, **FAST).to_frame()
    with pytest.raises(ValueError, match=r"a contains NaN.* in 1 of 3 rows"):
        compare([0.5, np.nan, 2], [0.5, 1, 2], measures="rsm", **FAST).to_frame()
    with pytest.raises(ValueError, match="a and b hold labels of different kinds"):
        compare([1, 2, None], ["a", "b", "b"], measures="functional", **FAST).to_frame()


@pytest.mark.parametrize("library", ["pandas", "categorical", "polars", "arrow"])
def test_compare_keeps_the_order_of_categories(library):
    x, y = (categories(codes, library) for codes in (A, B))
    measures = {
        "linear": CohenKappa("linear"),
        "ordinal": KrippendorffAlpha("ordinal"),
        "plain": CohenKappa(),
    }
    found = compare(x, y, measures=measures, **FAST).to_frame()
    expected = [
        CohenKappa("linear", labels=range(4)).fit(A, B).similarity_,
        KrippendorffAlpha("ordinal").fit(A, B).similarity_,
        CohenKappa().fit(A, B).similarity_,
    ]
    np.testing.assert_allclose(found.value, expected)
    # text would be in another order: high, low, mid
    as_text = CohenKappa("linear", labels=sorted(GRADES)).fit(text(A), text(B))
    assert found.value[0] != pytest.approx(as_text.similarity_)
