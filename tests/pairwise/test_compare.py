import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import LinearSVC

from sksim import all_measures
from sksim.alignment import OrthogonalProcrustes
from sksim.cca import MeanSquaredCCA
from sksim.functional import (
    Disagreement,
    JensenShannonDivergence,
    PerformanceDifference,
)
from sksim.inference import similarity_interval, similarity_test
from sksim.neighbors import NeighborJaccard
from sksim.pairwise import compare
from sksim.rsm import CKA
from sksim.topology import RTDLite


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 4))
    return X, np.tanh(X @ rng.normal(size=(4, 6))) + 0.1 * rng.normal(size=(50, 6))


@pytest.fixture(scope="module")
def models():
    X, y = load_iris(return_X_y=True)
    mlp = MLPClassifier((6, 4), max_iter=3000, random_state=0).fit(X, y)
    return LogisticRegression(max_iter=1000).fit(X, y), mlp, X, y


def test_numbers_are_those_of_the_measure_and_its_test(pair):
    table = compare(
        *pair, measures=[CKA(), OrthogonalProcrustes()], random_state=3
    ).to_frame()
    assert list(table.measure) == ["CKA", "OrthogonalProcrustes"]
    seed = table.attrs["random_state"]
    for row, measure in zip(
        table.itertuples(), (CKA(), OrthogonalProcrustes()), strict=True
    ):
        result = similarity_test(measure, *pair, random_state=seed)
        assert row.value == measure.fit(*pair).statistic_
        assert row.score == measure.score_
        assert row.null_mean == result.null_mean
        assert row.pvalue == result.pvalue
        assert row.calibrated_score == result.calibrated_score
        assert row.seconds > 0
        assert row.note == ""
    assert list(table.direction) == ["similarity", "distance"]
    assert list(table.family) == ["rsm", "alignment"]


def test_default_is_all_measures_that_apply(pair):
    table = compare(
        *pair, n_permutations=0, confidence_level=None, measures="all"
    ).to_frame()
    applicable = {
        name
        for name, cls in all_measures(inputs="representation")
        if "y_true" not in cls()._similarity_tags().requires
    }
    assert set(table.measure) == applicable
    assert table.pvalue.isna().all()
    assert table.interval_low.isna().all()
    computed = table[~table.note.str.startswith("not computed")]
    assert np.isfinite(computed.value).all()
    assert len(computed) >= 0.9 * len(table)


def test_same_seed_same_table(pair):
    columns = ["value", "null_mean", "pvalue", "interval_low", "interval_high"]
    first, second = (
        compare(
            *pair, measures=["CKA", "MeanCCA"], random_state=1, n_jobs=n_jobs
        ).to_frame()
        for n_jobs in (None, 2)
    )
    pd.testing.assert_frame_equal(first[columns], second[columns])


def test_names_families_and_labels_of_ones_own(pair):
    by_name = compare(*pair, measures=["cka", "cca"], n_permutations=0).to_frame()
    assert list(by_name.measure)[:2] == ["CKA", "MeanCCA"]
    assert set(by_name.family) == {"rsm", "cca"}
    variants = {"plain": CKA(), "debiased": CKA(debias="rows")}
    assert list(compare(*pair, measures=variants).to_frame().measure) == [
        "plain",
        "debiased",
    ]
    changed = compare(
        *pair, measures=[CKA(kernel="rbf"), CKA], n_permutations=0
    ).to_frame()
    assert list(changed.measure) == ["CKA(kernel='rbf')", "CKA"]


def test_labels_and_probabilities_choose_their_measures():
    rng = np.random.default_rng(0)
    P, Q = rng.dirichlet(np.ones(3), size=(2, 30))
    families = ["rsm", "functional"]
    table = compare(
        P, Q, measures=families, n_permutations=0, confidence_level=None
    ).to_frame()
    assert {"CKA", "JensenShannonDivergence"} <= set(table.measure)
    assert "Disagreement" not in set(table.measure)
    labels = compare(
        P.argmax(axis=1), Q.argmax(axis=1), n_permutations=19, measures="all"
    ).to_frame()
    assert "Disagreement" in set(labels.measure)
    assert "CKA" not in set(labels.measure)
    text = np.array(["cat", "dog"])[rng.integers(0, 2, size=(2, 30))]
    assert "Disagreement" in set(
        compare(*text, n_permutations=0, measures="all").to_frame().measure
    )


def test_models(models):
    linear, mlp, X, y = models
    families = ["rsm", "functional"]
    table = compare(
        linear, mlp, X, y, measures=families, n_permutations=0, confidence_level=None
    ).to_frame()
    table = table.set_index("measure")
    assert table.loc["CKA", "compared"] == "decision_function / hidden_2"
    hidden = np.maximum(X @ mlp.coefs_[0] + mlp.intercepts_[0], 0)
    hidden = np.maximum(hidden @ mlp.coefs_[1] + mlp.intercepts_[1], 0)
    expected = CKA().fit(linear.decision_function(X), hidden).score_
    assert table.loc["CKA", "value"] == pytest.approx(expected)
    by_estimators = Disagreement.from_estimators(linear, mlp, X).statistic_
    assert table.loc["Disagreement", "value"] == by_estimators
    by_estimators = JensenShannonDivergence.from_estimators(linear, mlp, X).statistic_
    assert table.loc["JensenShannonDivergence", "value"] == by_estimators


def test_model_that_never_saw_a_class(models):
    linear, _, X, y = models
    partial = KNeighborsClassifier().fit(X[y < 2], y[y < 2])
    table = compare(
        linear, partial, X, measures="JensenShannonDivergence", n_permutations=0
    ).to_frame()
    expected = JensenShannonDivergence.from_estimators(linear, partial, X).statistic_
    assert table.value[0] == expected


def test_models_without_probabilities_give_the_reason(models):
    linear, _, X, y = models
    svm = LinearSVC().fit(X, y)
    table = compare(
        linear, svm, X, measures="functional", n_permutations=0, confidence_level=None
    ).to_frame()
    table = table.set_index("measure")
    assert np.isfinite(table.loc["Disagreement", "value"])
    assert np.isnan(table.loc["JensenShannonDivergence", "value"])
    assert "no method predict_proba" in table.loc["JensenShannonDivergence", "note"]
    with pytest.raises(ValueError, match="LinearSVC has no method predict_proba"):
        compare(linear, svm, X, measures="JensenShannonDivergence").to_frame()


def test_families_leave_out_what_does_not_apply(pair):
    table = compare(*pair, measures=["cca", "functional"], n_permutations=0).to_frame()
    assert set(table.family) == {"cca"}
    constant = np.ones_like(pair[0])
    table = compare(pair[0], constant, measures="cca", n_permutations=0).to_frame()
    assert table.note.str.startswith("not computed: y is constant").all()


# ----- intervals ----------------------------------------------------------------------


def limits(table):
    return table[["interval_low", "interval_high"]].to_numpy()


def test_interval_of_few_rows_leaves_out_each(pair):
    measures = [CKA(debias="rows"), OrthogonalProcrustes(), NeighborJaccard()]
    table = compare(
        *pair, measures=measures, n_permutations=0, confidence_level=0.8
    ).to_frame()
    expected = [
        similarity_interval(m, *pair, confidence_level=0.8).confidence_interval
        for m in measures
    ]
    assert_allclose(limits(table), expected)
    assert (table.interval_low < table.score).all()
    assert (table.score < table.interval_high).all()
    assert table.attrs["confidence_level"] == 0.8


def test_interval_of_many_rows_leaves_out_parts():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(130, 4))
    y = X + rng.normal(size=X.shape)
    table = compare(
        X, y, measures="MeanSquaredCCA", n_permutations=0, random_state=3
    ).to_frame()
    order = np.random.default_rng(table.attrs["random_state"]).permutation(130)
    result = similarity_interval(MeanSquaredCCA(), X, y, groups=order % 50)
    assert len(result.replicates) == 50
    assert_allclose(limits(table)[0], result.confidence_interval)
    # parts of rows tell about the same as single rows
    by_rows = similarity_interval(MeanSquaredCCA(), X, y)
    widths = [np.diff(r.confidence_interval)[0] for r in (result, by_rows)]
    assert widths[0] == pytest.approx(widths[1], rel=0.25)


def test_intervals_leave_out_groups_of_rows():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 5)
    X, y = (rng.normal(size=(30, 3))[groups] for _ in range(2))
    y = y + X
    settings = {"measures": "CKA", "n_permutations": 0}
    free = compare(X, y, **settings).to_frame()
    blocks = compare(X, y, groups=groups, **settings).to_frame()
    expected = similarity_interval(CKA(), X, y, groups=groups).confidence_interval
    assert_allclose(limits(blocks)[0], expected)
    assert np.ptp(limits(blocks)) > 1.5 * np.ptp(limits(free))


def test_why_there_is_no_interval(pair):
    X, y = pair
    measures = {"same": CKA(), "topology": RTDLite()}
    table = (
        compare(X, X, measures=measures, n_permutations=0)
        .to_frame()
        .set_index("measure")
    )
    assert "the same whichever rows are left out" in table.loc["same", "note"]
    assert "none is valid" in table.loc["topology", "note"]
    assert table.interval_low.isna().all()
    few = compare(X[:5], y[:5], measures="MeanCCA", n_permutations=0).to_frame()
    assert "no interval: " in few.note[0]
    assert few.value[0] == 1


def test_intervals_of_outputs_with_labels(models):
    linear, mlp, X, y = models
    settings = {"measures": ["ErrorConsistency", "Disagreement"], "random_state": 0}
    table = compare(linear, mlp, X, y, n_permutations=0, **settings).to_frame()
    assert np.isfinite(limits(table)).all()
    p = Disagreement.from_estimators(linear, mlp, X).statistic_
    half = np.ptp(limits(table)[1]) / 2
    assert half == pytest.approx(1.96 * np.sqrt(p * (1 - p) / len(X)), rel=0.2)


@pytest.mark.parametrize("groups", [None, np.arange(150) // 3])
def test_intervals_are_those_of_similarity_interval(models, groups):
    linear, mlp, X, y = models
    P, Q = linear.predict_proba(X), mlp.predict_proba(X)
    measures = [PerformanceDifference(), JensenShannonDivergence()]
    table = compare(
        P,
        Q,
        y_true=y,
        measures=measures,
        n_permutations=0,
        groups=groups,
        random_state=0,
    ).to_frame()
    expected = [
        similarity_interval(
            m,
            P,
            Q,
            y_true=y,
            groups=groups,
            random_state=table.attrs["random_state"],
        ).confidence_interval
        for m in measures
    ]
    assert_allclose(limits(table), expected)


# ----- special cases ------------------------------------------------------------------


def test_difference_in_performance_exchanges_the_models(models):
    linear, mlp, X, y = models
    table = compare(linear, mlp, X, y, measures="PerformanceDifference").to_frame()
    assert table.value[0] == pytest.approx(abs(linear.score(X, y) - mlp.score(X, y)))
    assert "models are alike" in table.note[0]


def test_measures_of_groups_take_the_pair(models):
    linear, mlp, X, y = models
    table = compare(
        linear, mlp, X, y, measures=["Ambiguity", "PredictionDifference"]
    ).to_frame()
    assert table.value[0] == np.mean(linear.predict(X) != mlp.predict(X))
    assert np.isfinite(table.value).all()


def test_measures_of_models(models):
    _, mlp, X, y = models
    other = MLPClassifier((6, 4), max_iter=3000, random_state=1).fit(X, y)
    table = (
        compare(mlp, other, X, y, measures="structural").to_frame().set_index("measure")
    )
    assert table.loc["NetworkPersistence", "value"] > 0
    assert table.loc["NetworkPersistence", "compared"] == "models"


def test_why_a_number_is_missing_is_in_the_note(pair):
    X, _ = pair
    table = compare(X, np.ones_like(X), measures="rsm", n_permutations=0).to_frame()
    note = table.set_index("measure").loc["CKA", "note"]
    assert note.startswith("not computed: y is constant")
    with pytest.raises(ValueError, match="CKA: y is constant"):
        compare(X, np.ones_like(X), measures="CKA").to_frame()


def test_warnings_become_notes():
    X, y = np.random.default_rng(0).normal(size=(2, 12, 8))
    table = compare(X, y, measures="MeanCCA", n_permutations=0).to_frame()
    assert "1 by construction" in table.note[0]


def test_groups_reach_the_test():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 5)
    X, y = (rng.normal(size=(20, 3))[groups] for _ in range(2))
    free = compare(X, y, measures="CKA", random_state=0).to_frame()
    blocks = compare(X, y, measures="CKA", groups=groups, random_state=0).to_frame()
    assert blocks.null_mean[0] > 2 * free.null_mean[0]


@pytest.mark.parametrize(
    ("arguments", "keywords", "message"),
    [
        ((np.eye(3), np.eye(4)), {}, "a has 3 rows and b has 4"),
        ((np.eye(9), np.eye(9)), {"measures": "CKAA"}, "Did you mean CKA"),
        ((np.eye(9), np.eye(9)), {"measures": "zzzzzz"}, "Known families are"),
        ((np.eye(9), np.eye(9)), {"measures": []}, "measures is empty"),
        ((np.eye(9), np.eye(9)), {"n_permutations": -1}, "n_permutations"),
        ((np.eye(9), np.eye(9)), {"confidence_level": 1.0}, "confidence_level"),
        ((np.eye(9), np.eye(9)), {"measures": "Disagreement"}, "compares labels"),
        ((LogisticRegression(), np.eye(3)), {}, "pass data as well"),
    ],
)
def test_bad_input(arguments, keywords, message):
    with pytest.raises(ValueError, match=message):
        compare(*arguments, **keywords).to_frame()


def test_progress(pair, capsys):
    compare(*pair, measures=["CKA", "MeanCCA"], n_permutations=0, verbose=1).to_frame()
    captured = capsys.readouterr()
    assert "measures [" in captured.err
    assert captured.out == ""


# ----- data that can be gone through once ---------------------------------------------


def batches_and_networks():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    networks = [
        torch.nn.Sequential(
            torch.nn.Linear(6, width), torch.nn.Tanh(), torch.nn.Linear(width, 3)
        )
        for width in (8, 16)
    ]
    X, y = torch.randn(60, 6), torch.arange(60) % 3
    return [(X[i : i + 20], y[i : i + 20]) for i in (0, 20, 40)], networks


def test_a_generator_serves_all_measures():
    batches, networks = batches_and_networks()
    calls = []
    networks[0].register_forward_hook(lambda *call: calls.append(len(call[1][0])))
    options = {"outputs": "logits", "n_permutations": 9, "random_state": 0}
    measures = ["CKA", "Disagreement", "DoubleFault", "SaliencySimilarity"]
    for chosen in (measures, ["CKA"], ["Disagreement"], ["SaliencySimilarity"]):
        once = compare(*networks, iter(batches), measures=chosen, **options).to_frame()
        several = compare(*networks, batches, measures=chosen, **options).to_frame()
        columns = ["seconds"]
        pd.testing.assert_frame_equal(
            once.drop(columns=columns), several.drop(columns=columns)
        )
        assert once["value"].notna().all()
    calls.clear()
    compare(
        *networks, iter(batches), measures=["CKA", "DoubleFault"], **options
    ).to_frame()
    # rows of a batch for layers and for answers, and two to find the axis of the rows
    assert sorted(calls) == [2, 2, *[20] * 6]


def test_a_generator_beside_an_estimator():
    batches, networks = batches_and_networks()
    X = np.concatenate([inputs.numpy() for inputs, _ in batches])
    y = np.arange(60) % 3
    linear = LogisticRegression().fit(X, y)
    options = {"outputs": "logits", "n_permutations": 0, "confidence_level": None}
    options["measures"] = ["CKA", "DoubleFault"]
    once = compare(networks[0], linear, iter(batches), **options).to_frame()
    at_hand = compare(networks[0], linear, X, y, **options).to_frame()
    np.testing.assert_array_equal(once["value"], at_hand["value"])


def test_what_a_generator_can_not_give_does_not_spoil_the_rest():
    batches, networks = batches_and_networks()
    torch = pytest.importorskip("torch")

    class Named(torch.nn.Module):
        def __init__(self, network):
            super().__init__()
            self.network = network

        def forward(self, inputs):
            return self.network(inputs)

    named = [Named(network) for network in networks]
    mappings = ({"inputs": inputs} for inputs, _ in batches)
    table = (
        compare(
            *named,
            mappings,
            outputs="logits",
            n_permutations=0,
            confidence_level=None,
            measures="all",
        )
        .to_frame()
        .set_index("measure")
    )
    assert np.isfinite(table.loc[["CKA", "Disagreement"], "value"].astype(float)).all()
    assert "the batches are mappings" in table.loc["DecisionDistance", "note"]
    silent = compare(
        *networks, iter(batches), measures=["CKA"], n_permutations=0
    ).to_frame()
    assert np.isfinite(silent.loc[0, "value"])
    with pytest.raises(ValueError, match="its batches once"):
        compare(*networks, iter([]), measures=["CKA"], outputs="logits").to_frame()
