"""Tables of probabilities are compared class by class, whatever their order."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.model_selection import cross_val_score

from sksim import all_measures
from sksim.base._tags import tags_of
from sksim.functional import (
    Disagreement,
    JensenShannonDivergence,
    KullbackLeibler,
    PerformanceDifference,
    PredictionDifference,
    RankCorrelation,
    SoftPredictionDifference,
)
from sksim.inference import similarity_test
from sksim.pairwise import compare, similarity_matrix

CLASSES = ["cat", "dog", "bird"]
RNG = np.random.default_rng(0)
P, Q, R = RNG.dirichlet([1, 1, 1], (3, 30))
TRUTH = np.array(CLASSES)[RNG.integers(0, 3, 30)]
EXPECTED = JensenShannonDivergence().fit(P, Q).distance_


def table(values, names=CLASSES, library="pandas"):
    """Probabilities as a table of a library."""
    frame = pd.DataFrame(values, columns=names)
    if library == "polars":
        return pytest.importorskip("polars").from_pandas(frame)
    if library == "arrow":
        return pytest.importorskip("pyarrow").Table.from_pandas(frame)
    return frame


def moved(values, library="pandas"):
    """The same table with its columns in another order."""
    return table(values[:, [2, 0, 1]], [CLASSES[i] for i in (2, 0, 1)], library)


@pytest.mark.parametrize("first", ["pandas", "polars", "arrow"])
@pytest.mark.parametrize("second", ["pandas", "polars", "arrow"])
def test_columns_are_put_into_one_order(first, second):
    x, y = table(P, library=first), moved(Q, second)
    measure = JensenShannonDivergence().fit(x, y)
    assert measure.distance_ == pytest.approx(EXPECTED)
    assert measure.score(x, y) == measure.score_
    assert measure.score(moved(P, first), y) == pytest.approx(measure.score_)
    test = similarity_test(
        JensenShannonDivergence(), x, y, n_permutations=9, random_state=0
    )
    assert test.statistic == pytest.approx(EXPECTED)
    options = {"n_permutations": 0, "confidence_level": None}
    found = compare(x, y, measures=["JensenShannonDivergence"], **options).to_frame()
    assert found["value"][0] == pytest.approx(EXPECTED)
    matrix = similarity_matrix(JensenShannonDivergence(), {"x": x, "y": y})
    assert -matrix.loc["x", "y"] == pytest.approx(EXPECTED)
    matrix = similarity_matrix(KullbackLeibler(), [x], [y], output="statistic")
    expected = KullbackLeibler().fit(P, Q).distance_
    assert matrix.iloc[0, 0] == pytest.approx(expected)


PAIRS = all_measures(inputs=["probabilities", "outputs"], arity="pair")


@pytest.mark.parametrize("name, cls", PAIRS)
def test_every_measure_of_columns(name, cls):
    needs = "y_true" in tags_of(cls()).requires
    known = {"y_true": TRUTH} if needs else {}
    by_columns = {**known, "classes": CLASSES} if needs else {}
    expected = cls().fit(P, Q, **by_columns).statistic_
    found = cls().fit(table(P), moved(Q), **known).statistic_
    assert found == pytest.approx(expected)


def test_groups():
    expected = PredictionDifference().fit(np.stack([P, Q, R], axis=1)).distance_
    measure = PredictionDifference().fit([table(P), moved(Q), moved(R)])
    assert measure.distance_ == pytest.approx(expected)
    relative = PredictionDifference(relative=True)
    relative.fit([table(P), moved(Q)], y_true=TRUTH)
    assert relative.classes_.tolist() == CLASSES
    expected = PredictionDifference(relative=True, labels=CLASSES).fit(
        np.stack([P, Q], axis=1), y_true=TRUTH
    )
    assert relative.distance_ == pytest.approx(expected.distance_)
    filled = PredictionDifference().fit(
        [table(P), table(Q[:, :2] / Q[:, :2].sum(1, keepdims=True), CLASSES[:2])],
        fill_missing_classes=True,
    )
    assert filled.distance_ > 0


def test_other_names_are_refused_unless_they_are_filled():
    two = P[:, :2] / P[:, :2].sum(axis=1, keepdims=True)
    x, y = table(two, ["cat", "fox"]), table(Q)
    match = r"'fox' is in X only, and 'dog', 'bird' are in y only.*fill_missing_classes"
    with pytest.raises(ValueError, match=match):
        JensenShannonDivergence().fit(x, y)
    full = np.zeros((30, 4))
    full[:, [0, 3]] = two
    expected = JensenShannonDivergence().fit(full, np.c_[Q, np.zeros(30)]).distance_
    measure = JensenShannonDivergence().fit(x, y, fill_missing_classes=True)
    assert measure.distance_ == pytest.approx(expected)
    found = measure.score(x, y, fill_missing_classes=True)
    assert found == pytest.approx(-expected)
    options = {
        "measures": ["JensenShannonDivergence"],
        "n_permutations": 0,
        "confidence_level": None,
    }
    with pytest.raises(ValueError, match="'fox' is in X only"):
        compare(x, y, **options).to_frame()
    found = compare(x, y, fill_missing_classes=True, **options).to_frame()
    assert found["value"][0] == pytest.approx(expected)
    assert "fill_missing_classes=True" in found.attrs["call"]
    with pytest.raises(ValueError, match="more than one column of the name 'cat'"):
        JensenShannonDivergence().fit(table(P, ["cat", "cat", "dog"]), y)


def test_classes_name_the_columns_of_plain_arrays():
    other = ["bird", "cat", "dog"]
    columns = [CLASSES.index(name) for name in other]
    measure = JensenShannonDivergence()
    for x, y, classes in (
        (table(P), Q, CLASSES),
        (moved(P), Q, CLASSES),
        (P, moved(Q), CLASSES),
        (P, Q[:, columns], [CLASSES, other]),
        (P.tolist(), Q[:, columns].tolist(), (CLASSES, other)),
        (table(P), Q[:, columns], other),
    ):
        assert measure.fit(x, y, classes=classes).distance_ == pytest.approx(EXPECTED)
        assert -measure.score(x, y, classes=classes) == pytest.approx(EXPECTED)
    # without names: by position
    assert measure.fit(table(P), Q).distance_ == pytest.approx(EXPECTED)
    two = Q[:, :2] / Q[:, :2].sum(axis=1, keepdims=True)
    filled = measure.fit(
        P, two, classes=[CLASSES, ["dog", "cat"]], fill_missing_classes=True
    ).distance_
    by_hand = np.c_[two[:, [1, 0]], np.zeros(30)]
    assert filled == pytest.approx(measure.fit(P, by_hand).distance_)
    with pytest.raises(ValueError, match="classes names 2 columns, and X has 3"):
        measure.fit(P, Q, classes=["cat", "dog"])
    with pytest.raises(ValueError, match="2 lists of names for 3 arrays"):
        PredictionDifference().fit([P, Q, R], classes=[CLASSES, CLASSES])
    found = compare(
        P,
        Q[:, columns],
        classes=[CLASSES, other],
        measures=measure,
        n_permutations=0,
        confidence_level=None,
    ).to_frame()
    assert found["value"][0] == pytest.approx(EXPECTED)


@pytest.mark.parametrize("namespace", ["torch", "array_api_strict"])
def test_classes_of_arrays_of_other_libraries(namespace):
    xp = pytest.importorskip(namespace)
    x, y = xp.asarray(P), xp.asarray(Q[:, [2, 0, 1]])
    names = [CLASSES, [CLASSES[i] for i in (2, 0, 1)]]
    with config_context(array_api_dispatch=True):
        measure = JensenShannonDivergence().fit(x, y, classes=names)
        assert measure.distance_ == pytest.approx(EXPECTED)
        measure.fit(x, y, classes=[CLASSES, ["a", "b", "c"]], fill_missing_classes=True)
        assert measure.distance_ == pytest.approx(np.log(2))


def test_truth_goes_by_the_names_of_the_columns():
    hits = np.array(CLASSES)[P.argmax(axis=1)] == TRUTH
    others = np.array(CLASSES)[Q.argmax(axis=1)] == TRUTH
    expected = abs(hits.mean() - others.mean())
    measure = PerformanceDifference()
    for x, y, known in (
        (table(P), moved(Q), {}),
        (P, Q, {"classes": CLASSES}),
        (table(P), Q, {}),
    ):
        measure.fit(x, y, y_true=TRUTH, **known)
        assert measure.distance_ == pytest.approx(expected)
        assert measure.classes_.tolist() == CLASSES
        assert measure.score(P, Q, y_true=TRUTH) == pytest.approx(-expected)
    # names that are no labels say nothing of the truth
    codes = RNG.integers(0, 3, 30)
    renamed = [table(v, ["p0", "p1", "p2"]) for v in (P, Q)]
    plain = PerformanceDifference().fit(P, Q, y_true=codes).distance_
    assert measure.fit(*renamed, y_true=codes).distance_ == plain
    assert not hasattr(measure, "classes_")


def test_names_that_are_no_classes():
    # columns of regression outputs, of which each model has its own names
    x, y = table(P, ["a1", "a2", "a3"]), table(Q, ["b1", "b2", "b3"])
    for measure in (RankCorrelation(), SoftPredictionDifference()):
        expected = type(measure)().fit(P, Q).statistic_
        if measure._similarity_tags().inputs == "outputs":
            assert measure.fit(x, y).statistic_ == expected
    one = pd.DataFrame({"pred_a": P[:, 0]}), pd.DataFrame({"pred_b": Q[:, 0]})
    assert RankCorrelation().fit(*one).score_ == pytest.approx(
        RankCorrelation().fit(P[:, 0], Q[:, 0]).score_
    )
    votes = pd.DataFrame({"model a": TRUTH, "model b": TRUTH[::-1]})
    Disagreement().fit(votes["model a"], votes["model b"])


def test_classes_that_are_counted():
    for dtype in (int, str):
        x = table(P, [dtype(i) for i in range(3)])
        y = table(Q[:, [2, 0, 1]], [dtype(i) for i in (2, 0, 1)])
        for pair in ((x, y), (y, x)):
            found = JensenShannonDivergence().fit(*pair).distance_
            assert found == pytest.approx(EXPECTED)


def test_representations_keep_their_columns():
    found = compare(
        table(P), moved(Q), measures=["RSMNormDifference"], n_permutations=0
    ).to_frame()
    expected = compare(
        P, Q, measures=["RSMNormDifference"], n_permutations=0
    ).to_frame()
    assert_allclose(found["value"], expected["value"])


def test_cross_validation_and_routing():
    scores = cross_val_score(JensenShannonDivergence(), table(P), moved(Q), cv=3)
    assert_allclose(scores, cross_val_score(JensenShannonDivergence(), P, Q, cv=3))
    with config_context(enable_metadata_routing=True):
        scores = cross_val_score(
            PerformanceDifference(),
            P,
            Q,
            cv=3,
            params={"y_true": TRUTH, "classes": CLASSES},
        )
    assert len(scores) == 3
