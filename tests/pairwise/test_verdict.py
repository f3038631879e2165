"""What a comparison says: its answers, its sentence, its sources."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge

from sksim import CKA, all_measures, compare
from sksim._bibliography import _entries, bibtex_of, key_of
from sksim.base._tags import tags_of
from sksim.pairwise._panels import TASKS, panel_of

FAST = {"n_permutations": 99, "random_state": 0}


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:300] / 16, y[:300], X[300:700] / 16, y[300:700]


@pytest.fixture(scope="module")
def classifiers(digits):
    X, y, _, _ = digits
    linear = LogisticRegression(max_iter=300).fit(X, y)
    forests = [RandomForestClassifier(20, random_state=s).fit(X, y) for s in range(4)]
    return linear, forests


def answers(result):
    return {answer.topic: answer.answer for answer in result.answers}


def random_rows(n, d, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def test_same_model_is_alike_in_everything(digits, classifiers):
    _, _, X, y = digits
    forest = classifiers[1][0]
    result = compare(forest, forest, X, y, margin=0.02, **FAST)
    found = answers(result)
    assert found["represent"] == found["answer"] == found["err"] == "yes"
    assert found["better"] == "no"
    assert found["replace"] == "yes"
    assert len(result.differing_rows) == 0


def test_unrelated_representations_are_not_called_alike():
    result = compare(random_rows(200, 8), random_rows(200, 8, seed=2), **FAST)
    assert answers(result) == {"represent": "no", "chance": "cannot say"}


def test_few_rows_say_nothing():
    result = compare(random_rows(6, 3), random_rows(6, 3, seed=1), **FAST)
    assert answers(result)["represent"] == "cannot say"


def test_rotated_representation_is_alike():
    X = random_rows(100, 5)
    rotation = np.linalg.qr(random_rows(5, 5, seed=1))[0]
    result = compare(X, X @ rotation, **FAST)
    assert answers(result) == {"represent": "yes", "chance": "yes"}


def test_measures_that_disagree_make_it_partly():
    """A little noise leaves CKA at one, and changes many neighbours."""
    X = random_rows(100, 5)
    y = X + 0.3 * random_rows(100, 5, seed=1)
    measures = [CKA(debias="rows"), "MutualKNN"]
    result = compare(X, y, measures=measures, **FAST)
    assert answers(result)["represent"] == "partly"
    (answer,) = [a for a in result.answers if a.topic == "represent"]
    assert "(MutualKNN)" in answer.text
    assert answers(compare(X, y, measures=measures[:1], **FAST))["represent"] == "yes"


def test_of_all_measures_the_panel_s_first_is_the_one_that_is_named():
    X = random_rows(40, 3)
    result = compare(
        X, X**3, measures="all", n_permutations=0, confidence_level=None, cost_limit=1e7
    )
    (answer,) = [a for a in result.answers if a.topic == "represent"]
    assert answer.measure == type(panel_of("same_architecture")[0][0]).__name__


def test_share_of_equal_answers_decides_by_its_interval():
    a = np.arange(400) % 5
    b = a.copy()
    b[::10] = (b[::10] + 1) % 5  # 90 %, interval below 95 %
    assert answers(compare(a, b, **FAST))["answer"] == "no"
    b = a.copy()
    b[:4] = (b[:4] + 1) % 5  # 99 %, interval above
    assert answers(compare(a, b, **FAST))["answer"] == "yes"
    b = a.copy()
    b[:20] = (b[:20] + 1) % 5  # 95 %, interval around it
    assert answers(compare(a, b, **FAST))["answer"] == "cannot say"


def test_worse_copy_may_not_replace():
    y = np.arange(500) % 4
    a, b = y.copy(), y.copy()
    b[:100] = (b[:100] + 1) % 4
    result = compare(a, b, y_true=y, margin=0.05, **FAST)
    assert answers(result)["better"] == "a"
    assert answers(result)["replace"] == "no"
    better = compare(b, a, y_true=y, margin=0.05, **FAST)
    assert answers(better)["better"] == "b"
    assert answers(better)["replace"] == "yes"
    few = compare(a[98:118], b[98:118], y_true=y[98:118], margin=0.05, **FAST)
    assert answers(few)["replace"] == "cannot say"


def test_margin_is_asked_for(digits, classifiers):
    linear, (forest, *_) = classifiers
    _, _, X, y = digits
    result = compare(linear, forest, X, y, **FAST)
    (answer,) = [a for a in result.answers if a.topic == "replace"]
    assert answer.answer == "cannot say"
    assert "margin=" in answer.text


def test_replicates_tell_seeds_from_kinds(digits, classifiers):
    linear, forests = classifiers
    _, _, X, y = digits
    others = [RandomForestClassifier(20, random_state=s) for s in range(4, 6)]
    others = [model.fit(*digits[:2]) for model in others]
    found = compare(
        forests[0],
        others[0],
        X,
        y,
        replicates={"a": forests[1:], "b": others[1:]},
        **FAST,
    )
    assert answers(found)["seeds"] == "cannot say"
    linears = [LogisticRegression(max_iter=300, C=c).fit(*digits[:2]) for c in (1, 2)]
    found = compare(
        forests[0], linear, X, y, replicates={"a": forests[1:], "b": linears}, **FAST
    )
    said = [a.answer for a in found.answers if a.topic == "seeds"]
    assert said[0] == "yes"  # of representations; answers of forests vary as much
    assert set(found.replicates) == {"represent", "answer"}


def test_replicates_of_arrays():
    X = random_rows(80, 5)
    noisy = [X + 0.2 * random_rows(80, 5, seed=s) for s in range(1, 9)]
    other = [random_rows(80, 5, seed=20) + n - X for n in noisy[4:]]
    result = compare(
        noisy[0], other[0], replicates={"a": noisy[1:4], "b": other[1:]}, **FAST
    )
    assert answers(result)["seeds"] == "yes"
    result = compare(noisy[0], noisy[4], replicates=noisy[1:4], **FAST)
    assert answers(result)["seeds"] == "cannot say"


@pytest.mark.parametrize(
    ("replicates", "match"),
    [([], "empty"), ({"c": [1]}, "keys 'a' and 'b'")],
)
def test_bad_replicates(replicates, match):
    X = random_rows(20, 3)
    with pytest.raises(ValueError, match=match):
        compare(X, X**3, replicates=replicates, **FAST)


def test_replicates_need_something_that_replicates_have():
    X = random_rows(20, 3)
    a = LogisticRegression().fit(X, np.arange(20) % 2)
    with pytest.raises(ValueError, match="replicates are for"):
        compare(a, a, X, measures="DecisionDistance", replicates=[a], **FAST)


def test_rows_that_differ_most_come_first(digits, classifiers):
    linear, (forest, *_) = classifiers
    _, _, X, y = digits
    rows = compare(linear, forest, X, y, **FAST).differing_rows
    assert rows["difference"].is_monotonic_decreasing
    first = rows.index[0]
    a, b = (model.predict_proba(X) for model in (linear, forest))
    assert rows["difference"].iloc[0] == np.abs(a - b).sum(axis=1).max() / 2
    assert rows.loc[first, "answer_a"] == linear.predict(X[[first]])[0]
    assert rows.loc[first, "truth"] == y[first]
    assert rows.loc[first, "confidence_b"] == pytest.approx(b[first].max())


def test_labels_that_differ_are_listed():
    a, b = np.array(list("abcab")), np.array(list("abbab"))
    rows = compare(a, b, **FAST).differing_rows
    assert rows.index.tolist() == [2]
    assert rows.loc[2].tolist() == ["c", "b"]


def test_regressors_are_compared_by_their_numbers(digits):
    X, y, X_new, y_new = digits
    models = [Ridge(alpha).fit(X, y) for alpha in (0.1, 10)]
    result = compare(*models, X_new, y_new, **FAST)
    assert result.predictions is None
    table = result.table.set_index("kind")
    assert {"Disagreement", "ErrorConsistency"}.isdisjoint(result.table["measure"])
    assert "RankCorrelation" in set(table.loc["outputs", "measure"])
    gap = np.abs(models[0].predict(X_new) - models[1].predict(X_new))
    assert result.differing_rows["difference"].iloc[0] == pytest.approx(gap.max())


def test_calibrated_limits_are_on_the_scale_of_the_calibrated_score():
    X = random_rows(100, 5)
    table = compare(X, X + random_rows(100, 5, seed=1), **FAST).table
    for row in table.itertuples():
        best = 1 if row.direction == "similarity" else 0
        scale = best - row.null_mean
        assert row.calibrated_score == pytest.approx(
            (row.score - row.null_mean) / scale, abs=1e-9
        )
        assert row.calibrated_low == pytest.approx(
            (row.interval_low - row.null_mean) / scale, abs=1e-6
        )
        assert row.calibrated_low < row.calibrated_score < row.calibrated_high


@pytest.mark.parametrize("task", TASKS)
def test_panels_are_small_and_say_more_than_one_thing(task):
    places = panel_of(task)
    assert len(places) <= 8
    kinds = [tags_of(place[0]).inputs for place in places]
    assert kinds.count("representation") <= 4
    assert sum(kind in ("labels", "probabilities", "outputs") for kind in kinds) <= 4


def test_unknown_task_is_refused():
    X = random_rows(20, 3)
    with pytest.raises(ValueError, match="task"):
        compare(X, X, task="pruned")


def test_one_measure_asks_nothing_else(classifiers, digits):
    linear, (forest, *_) = classifiers
    result = compare(linear, forest, digits[2], measures="CKA", **FAST)
    assert result.predictions is None
    assert set(answers(result)) == {"represent", "chance"}


def test_without_permutations_nothing_is_said_of_chance():
    X = random_rows(50, 3)
    result = compare(X, X**3, n_permutations=0, confidence_level=None)
    assert set(answers(result).values()) == {"cannot say"}


def test_sentence_names_all_that_the_number_depends_on():
    X = random_rows(60, 4)
    sentence = compare(X, X**3, measures="CKA", random_state=0).sentence()
    for part in ("60 rows", "CKA", "Kornblith et al. 2019", "95% interval", "rows"):
        assert part in sentence
    assert "p = 0.001" in sentence
    assert "999 permutations" in sentence


def test_sentence_of_a_distance_has_its_limits_in_order():
    X = random_rows(60, 4)
    result = compare(X, X**3, measures="OrthogonalProcrustes", random_state=0)
    row = result.table.iloc[0]
    limits = f"{-row['interval_high']:.3f} to {-row['interval_low']:.3f}"
    assert limits in result.sentence()
    assert -row["interval_high"] <= row["value"] <= -row["interval_low"]


def test_dict_is_strict_json(digits, classifiers):
    linear, (forest, *_) = classifiers
    result = compare(linear, forest, *digits[2:], margin=0.02, **FAST)
    record = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert record["verdict"] == result.verdict
    assert record["settings"]["n_permutations"] == 99
    assert record["predictions"]["agreement"] == result.predictions.agreement
    assert record["measures"]["CKA(debias='rows')"] == "CKA(debias='rows')"


def test_frame_is_a_copy():
    X = random_rows(20, 3)
    result = compare(X, X**3, measures="CKA", **FAST)
    frame = result.to_frame()
    frame["value"] = 0.0
    assert result.table["value"].iloc[0] > 0
    assert frame.attrs["call"] == result.table.attrs["call"]


def test_order_of_jobs_changes_nothing(digits, classifiers):
    linear, (forest, *_) = classifiers
    one, two = (
        compare(linear, forest, *digits[2:], n_jobs=n_jobs, **FAST)
        for n_jobs in (None, 2)
    )
    assert one.verdict == two.verdict


# ----- the door ---------------------------------------------------------------------


def test_rows_keep_their_names():
    names = [f"q{i}" for i in range(40)]
    truth = pd.Series(np.arange(40) % 3, index=names)
    a, b = truth.copy(), truth.copy()
    b[["q7", "q11"]] = (b[["q7", "q11"]] + 1) % 3
    result = compare(a, b, y_true=truth, **FAST)
    assert result.differing_rows.index.tolist() == ["q7", "q11"]
    assert result.predictions.flipped_rows.index.tolist() == ["q7", "q11"]


def test_rows_of_models_go_by_the_names_of_the_data(digits, classifiers):
    linear, (forest, *_) = classifiers
    _, _, X, y = digits
    data = pd.DataFrame(X, index=[f"image {i}" for i in range(len(X))])
    named = compare(linear, forest, data.to_numpy(), y, **FAST).differing_rows
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of names of columns
        rows = compare(linear, forest, data, y, **FAST).differing_rows
    assert rows.index.tolist() == [f"image {i}" for i in named.index]


def test_true_labels_without_a_name_go_by_the_order_of_the_columns():
    """As for every measure of probabilities: sorted, where they are as many."""
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=80)
    P, Q = 0.2 * rng.dirichlet(np.ones(3), (2, 80)) + 0.8 * np.eye(3)[truth]
    expected = compare(P, Q, y_true=truth, **FAST).predictions
    assert expected.accuracy_a > 0.9
    for other in (truth + 5, np.array(["x", "y", "z"])[truth]):
        found = compare(P, Q, y_true=other, **FAST).predictions
        assert found.accuracy_a == expected.accuracy_a
        assert found.difference == expected.difference
    with pytest.raises(ValueError, match=r"y_true has the classes.*classes=\[\.\.\.\]"):
        compare(P, Q, y_true=np.where(truth, 7, 9), **FAST)


def test_true_labels_of_other_rows_are_refused():
    a = np.arange(30) % 3
    with pytest.raises(ValueError, match="y_true has 29 labels and the models answer"):
        compare(a, a[::-1], y_true=a[:-1], **FAST)


@pytest.mark.parametrize(
    "pair",
    [(np.arange(30) % 3, np.arange(30) % 2), random_rows(60, 4).reshape(2, 30, 4)],
)
def test_a_margin_needs_accuracies(pair):
    with pytest.raises(ValueError, match="margin is for a difference of accuracies"):
        compare(*pair, margin=0.05, **FAST)


def test_what_can_not_be_computed_is_said():
    result = compare(np.ones((40, 3)), random_rows(40, 3), **FAST)
    (answer,) = result.answers
    assert (answer.topic, answer.answer) == ("represent", "cannot say")
    assert "was not computed" in answer.text


def test_replicates_are_read_as_the_model_that_they_replicate():
    """Each is run once, and as what its own kind of output says."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    X = torch.randn(60, 4)
    calls = []

    class Logits(torch.nn.Linear):
        def forward(self, rows):
            calls.append(self)
            return super().forward(rows)

    class Labels(Logits):
        def forward(self, rows):
            return super().forward(rows).argmax(axis=1)

    of_a, of_b = ([kind(4, 3) for _ in range(4)] for kind in (Logits, Labels))
    result = compare(
        of_a[0],
        of_b[0],
        X,
        measures="Disagreement",
        outputs=["logits", "labels"],
        replicates={"a": of_a[1:], "b": of_b[1:]},
        **FAST,
    )
    pairs = result.replicates["answer"].pairs
    labels = [m(X).argmax(axis=1) for m in of_a] + [m(X) for m in of_b]
    expected = [
        -float((labels[i] != labels[j]).float().mean())
        for i in range(4)
        for j in range(4, 8)
    ]
    between = pairs.loc[pairs["relation"] == "between", "value"]
    np.testing.assert_allclose(np.sort(between), np.sort(expected), atol=1e-6)
    assert all(calls.count(m) <= 3 for m in of_a + of_b)


# ----- sources ------------------------------------------------------------------------


def test_each_source_of_a_measure_has_an_entry():
    unknown = {
        name: tags_of(cls()).reference
        for name, cls in all_measures()
        if key_of(tags_of(cls()).reference) not in _entries()
    }
    assert not unknown


def test_entries_have_what_bibtex_needs():
    entries = _entries()
    assert len(entries) > 80
    for key, entry in entries.items():
        for name in ("author", "title", "year"):
            assert f"  {name} = {{" in entry, (key, name)
        assert entry.count("{") == entry.count("}")


def test_entries_are_those_of_the_page(request):
    page = request.config.rootpath / "doc" / "references.rst"
    if not page.exists():
        pytest.skip("the documentation's sources are not here")
    words = " ".join(page.read_text(encoding="utf-8").split())
    for key, entry in _entries().items():
        title = entry.partition("title = {{")[2].partition("}}")[0]
        assert f"**{title}" in words, key


def test_each_source_once():
    from sksim import LinearRegressionSimilarity

    found = bibtex_of([CKA(), LinearRegressionSimilarity()])
    assert found.count("@misc{kornblith2019") == 1
    assert found.count("@software{sksim") == 1


@pytest.mark.parametrize(
    ("reference", "key"),
    [
        ("Bland & Altman 1986", "blandaltman1986"),
        ("Székely et al. 2007", "szekely2007"),
        ("Wang and Isola 2020", "wangisola2020"),
    ],
)
def test_keys(reference, key):
    assert key_of(reference) == key
