"""A gate: its three outcomes, its level, what it says, and what it refuses."""

import json
import math
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from sksim import compare_predictions, equivalence_test, release_gate


def outcomes(gate):
    return dict(zip(gate.criteria["criterion"], gate.criteria["outcome"], strict=True))


def changed_rows(n, n_changed):
    old = np.zeros(n, dtype=int)
    return old, np.where(np.arange(n) < n_changed, 1, 0)


# ----- three outcomes -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "n_changed", "outcome"),
    # 1 - .05^(1/149) = .0199, and of 148 rows .0200...: the rule of three
    [
        (149, 0, "pass"),
        (148, 0, "cannot say"),
        (1000, 12, "pass"),  # at most .0194
        (1000, 13, "cannot say"),  # .0206
        (1000, 28, "cannot say"),
        (1000, 29, "fail"),
    ],
)
def test_churn_by_the_bounds_of_clopper_and_pearson(n, n_changed, outcome):
    gate = release_gate(*changed_rows(n, n_changed), max_churn=0.02)
    (row,) = gate.criteria.itertuples()
    high = stats.beta.isf(0.05, n_changed + 1, n - n_changed)
    low = stats.beta.ppf(0.05, n_changed, n - n_changed + 1) if n_changed else 0.0
    assert (row.value, row.limit) == (n_changed / n, 0.02)
    assert row.low == pytest.approx(low, rel=1e-12)
    assert row.high == pytest.approx(high, rel=1e-12)
    assert row.outcome == outcome
    assert gate.passed == (outcome == "pass")
    turned = release_gate(*changed_rows(n, n_changed), min_agreement=0.98)
    assert outcomes(turned) == {"min_agreement": outcome}


def test_the_level_moves_the_bounds():
    rows = changed_rows(1000, 13)
    assert release_gate(*rows, max_churn=0.021).passed
    assert not release_gate(*rows, max_churn=0.021, confidence_level=0.99).passed


def test_outcomes_are_those_of_compare_predictions():
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=400)
    old = np.where(rng.random(400) < 0.9, truth, 0)
    new = np.where(rng.random(400) < 0.93, old, 1)
    groups = np.arange(400) // 3
    for design in ({}, {"groups": groups}):
        for margin in (0.01, 0.03, 0.05, 0.08):
            gate = release_gate(old, new, truth, noninferiority=margin, **design)
            found = compare_predictions(old, new, truth, margin=margin, **design)
            assert gate.passed == found.is_noninferior
            assert gate.comparison.noninferiority_pvalue == found.noninferiority_pvalue
            (row,) = gate.criteria.itertuples()
            assert row.value == found.difference
    both = compare_predictions(old, new, truth, confidence_level=0.9)
    gate = release_gate(old, new, truth, max_churn=0.1, noninferiority=0.1)
    bounds = gate.criteria[["low", "high"]].to_numpy()
    np.testing.assert_allclose(bounds[0], both.disagreement_interval, rtol=1e-12)
    np.testing.assert_allclose(bounds[1], both.difference_interval, rtol=1e-9)


def test_a_bound_that_is_shown_is_the_one_that_decides():
    """Of skewed scores Hall's p-value is beyond Student's limit."""
    rng = np.random.default_rng(1)
    old = rng.exponential(size=60)
    new = old - rng.exponential(size=60) ** 3 / 30
    first = release_gate(old, new, scores=True, noninferiority=1.0)
    bound = first.criteria["high"][0]
    found = compare_predictions(old, new, scores=True, margin=bound)
    assert found.noninferiority_pvalue == pytest.approx(0.05, rel=1e-4)
    student = compare_predictions(old, new, scores=True, confidence_level=0.9)
    assert bound > student.difference_interval.high * 1.001
    for limit, is_met in ((bound * 1.001, True), (bound * 0.999, False)):
        gate = release_gate(old, new, scores=True, noninferiority=limit)
        assert gate.passed == is_met


def test_negative_flips_are_a_share_of_rows():
    truth = np.zeros(500, dtype=int)
    old = np.where(np.arange(500) < 20, 1, 0)
    new = np.roll(old, 10)  # 10 rows became right, 10 wrong
    gate = release_gate(
        old, new, truth, max_negative_flips=0.04, max_churn=0.04, noninferiority=0.02
    )

    values = dict(zip(gate.criteria["criterion"], gate.criteria["value"], strict=True))
    assert values == {
        "max_churn": 0.04,
        "noninferiority": 0,
        "max_negative_flips": 0.02,
    }
    assert outcomes(gate) == {
        "max_churn": "cannot say",
        "noninferiority": "pass",
        "max_negative_flips": "pass",
    }


def test_rows_needed_would_do():
    rows = changed_rows(100, 1)
    (row,) = release_gate(*rows, max_churn=0.02).criteria.itertuples()
    assert row.outcome == "cannot say"
    n = int(row.rows_needed)
    assert release_gate(*changed_rows(n, n // 100), max_churn=0.02).passed
    assert not release_gate(*changed_rows(n // 2, n // 200), max_churn=0.02).passed
    (met,) = release_gate(*changed_rows(1000, 1), max_churn=0.02).criteria.itertuples()
    assert met.rows_needed == 1000
    (past,) = release_gate(*changed_rows(100, 2), max_churn=0.02).criteria.itertuples()
    assert math.isnan(past.rows_needed)
    loss = release_gate(*changed_rows(100, 1), np.zeros(100, int), noninferiority=0.02)
    n = int(loss.criteria["rows_needed"][0])
    more = *changed_rows(n, n // 100), np.zeros(n, int)
    assert release_gate(*more, noninferiority=0.02).passed
    grouped = release_gate(*rows, max_churn=0.02, groups=np.arange(100) // 2)
    assert grouped.criteria["rows_needed"][0] >= row.rows_needed


# ----- probabilities ------------------------------------------------------------------


def probabilities(n=400, seed=0, noise=0.2, n_classes=3):
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n, n_classes))
    other = logits + noise * rng.normal(size=logits.shape)
    return special.softmax(logits, axis=1), special.softmax(other, axis=1)


def test_divergences_of_probabilities():
    P, Q = probabilities()
    gate = release_gate(P, Q, max_kl=0.5, max_js=0.01, max_churn=0.2)
    value, high = gate.criteria["value"], gate.criteria["high"]
    kl = np.sum(P * np.log(P / Q), axis=1)
    assert list(gate.criteria["criterion"]) == ["max_churn", "max_kl", "max_js"]
    assert value[0] == np.mean(P.argmax(1) != Q.argmax(1))
    assert value[1] == pytest.approx(kl.mean())
    js = equivalence_test("JensenShannonDivergence", P, Q, margin=0.01)
    assert high[2] == pytest.approx(-js.confidence_interval.low, rel=1e-9)
    # one unseen row of the largest divergence there can be has a share of 3 / n or so
    largest = -math.log(Q.min())
    assert kl.mean() + 2 * largest / 400 < high[1] < kl.mean() + 4 * largest / 400
    assert gate.passed
    for limit in (high[1] * 1.001, high[1] * 0.999):
        assert release_gate(P, Q, max_kl=limit).passed == (limit > high[1])


def test_probabilities_are_joined_by_ids_and_by_names_of_classes():
    P, Q = probabilities()
    names = [f"row{i}" for i in range(len(P))]
    old = pd.DataFrame(P, index=names, columns=["x", "y", "z"])
    new = pd.DataFrame(Q, index=names, columns=["x", "y", "z"])
    truth = pd.Series(np.array(["x", "y", "z"])[P.argmax(1)], index=names)
    plain = release_gate(
        P, Q, P.argmax(1), max_kl=0.5, max_churn=0.2, noninferiority=0.2
    )
    moved = new[["z", "x", "y"]].sample(frac=1, random_state=0)
    limits = {"max_kl": 0.5, "max_churn": 0.2, "noninferiority": 0.2}
    named = release_gate(old, moved, truth, **limits)
    in_columns = release_gate(
        old.assign(truth=truth, site=["hill", "lake"] * 200).rename_axis("photo"),
        moved.rename_axis("photo").reset_index(),
        on="photo",
        slices="site",
        **limits,
    )
    numeric = ["value", "low", "high", "limit"]
    expected = plain.criteria[numeric].to_numpy()
    np.testing.assert_allclose(named.criteria[numeric], expected, rtol=1e-9)
    np.testing.assert_allclose(in_columns.criteria[numeric][:3], expected, rtol=1e-9)
    assert len(in_columns.criteria) == 9
    rows = np.arange(400) % 2 == 1
    lake = release_gate(P[rows], Q[rows], P[rows].argmax(1), **limits)
    np.testing.assert_allclose(
        in_columns.criteria[numeric][6:], lake.criteria[numeric], rtol=1e-9
    )
    fewer = release_gate(old, moved[:-20], allow="unmatched", **limits, y_true=truth)
    kept = old.index.isin(moved.index[:-20])
    again = release_gate(P[kept], Q[kept], P[kept].argmax(1), **limits)
    np.testing.assert_allclose(fewer.criteria[numeric], again.criteria[numeric])


def test_a_class_that_new_excludes_breaks_the_limit_of_kl():
    P, Q = probabilities()
    Q = np.concatenate([[[0.0, 0.5, 0.5]], Q[1:]])
    gate = release_gate(P, Q, max_kl=0.5)
    (row,) = gate.criteria.itertuples()
    assert row.value == row.low == row.high == math.inf
    assert row.outcome == "fail"
    assert math.isnan(row.rows_needed)
    assert "infinite" in gate.sentence()
    assert json.loads(json.dumps(gate.to_dict(), allow_nan=False))
    assert release_gate(P, Q, max_js=0.1).passed


def test_columns_of_numbers_that_are_answers_are_no_probabilities():
    table = pd.DataFrame({"answer": [0, 1] * 20, "flag": [1, 0] * 20})
    assert release_gate(table, table, max_churn=0.1).passed
    counted = pd.DataFrame({0: range(40), 1: [0, 1] * 20})  # ids by a number
    assert release_gate(counted, counted, on=0, max_churn=0.1).passed


def test_messages_say_which_model_is_meant():
    table = pd.DataFrame({"answer": [0, 1] * 20, "id": range(40)})
    with pytest.raises(ValueError, match=r"5 in a and not in b.* a is old, and b is"):
        release_gate(table, table[5:], on="id", max_churn=0.1)
    with pytest.raises(ValueError, match="old is not|old has|old"):
        rounded = np.round(probabilities(50)[0], 2)
        release_gate(rounded, rounded, max_churn=0.1)


# ----- slices, groups, files ----------------------------------------------------------


def test_limits_hold_in_each_slice():
    old, new = changed_rows(1000, 10)
    site = np.where(np.arange(1000) < 200, "small", "large")
    gate = release_gate(old, new, max_churn=0.03, slices={"site": site})
    assert list(gate.criteria["slice"]) == ["all rows", "site=large", "site=small"]
    assert list(gate.criteria["outcome"]) == ["pass", "pass", "cannot say"]
    assert list(gate.criteria["n_rows"]) == [1000, 800, 200]
    assert not gate.passed
    assert "in site=small" in gate.sentence()


def test_files_are_read(tmp_path):
    P, Q = probabilities(40)
    np.save(tmp_path / "old.npy", P)
    np.save(tmp_path / "new.npy", Q)
    paths = tmp_path / "old.npy", tmp_path / "new.npy"
    expected = release_gate(P, Q, max_churn=0.5, max_js=0.5)
    found = release_gate(*paths, max_churn=0.5, max_js=0.5)
    pd.testing.assert_frame_equal(found.criteria, expected.criteria)
    table = pd.DataFrame({"answer": P.argmax(1), "target": Q.argmax(1)})
    table.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    path = str(tmp_path / "a.jsonl")
    assert release_gate(path, path, noninferiority=0.2, max_churn=0.1).passed


# ----- what is said -------------------------------------------------------------------


def hostile_gate():
    names = ["<b>a & b</b>|x", *(f"row{i}" for i in range(199))]
    old = pd.Series(["cat"] * 200, index=names)
    new = old.copy()
    new.iloc[[0, 5]] = ["`dog`\x07", "cow"]
    slices = {"<i>s|t</i>": np.arange(200) < 50}
    return release_gate(old, new, old, max_churn=0.05, slices=slices)


def test_rows_that_changed_with_the_worse_ones_first():
    truth = np.array([0, 1, 2, 0, 1, 2] * 20)
    old, new = truth.copy(), truth.copy()
    old[[3, 7]] = 2, 2  # of these the first became right, the second stays wrong
    new[7], new[60] = 0, 1
    gate = release_gate(old, new, truth, max_churn=0.5)
    assert list(gate.changed["change"]) == ["worse", "other", "better"]
    assert list(gate.changed.index) == [60, 7, 3]
    assert list(gate.changed["old"]) == [0, 2, 2]
    assert list(gate.changed["new"]) == [1, 0, 0]
    assert list(gate.changed["truth"]) == [0, 1, 0]
    assert "3 rows changed" in gate.sentence()
    plain = release_gate(old, new, max_churn=0.5).changed
    assert set(plain["change"]) == {"other"}
    scored = release_gate([1.0, 2, 3, 4], [1.0, 2, 2, 5], scores=True, max_churn=0.9)
    assert list(scored.changed["score_new"]) == [2, 5]


def test_sentence_of_each_outcome():
    gate = release_gate(*changed_rows(1000, 13), max_churn=0.025)
    assert gate.sentence().startswith(
        "The gate passes: 1 of 1 limit is shown to hold, with 0.95 confidence, on 1000 "
        "rows. Churn is 1.3%, at most 2.06% (limit 2.5%). 13 rows changed (13 other): "
        "0, 1, 2, 3, 4 and 8 more."
    )
    gate = release_gate(*changed_rows(100, 1), max_churn=0.02)
    assert "between 0.0513% and 4.66%" in gate.sentence()
    assert "can't be said from 100 rows; about " in gate.sentence()
    gate = release_gate(*changed_rows(100, 3), max_churn=0.02)
    assert "nor, with this value, from more." in gate.sentence()
    gate = release_gate(*changed_rows(100, 40), max_churn=0.02, min_agreement=0.9)
    assert "beyond the limit 2%" in gate.sentence()
    assert "at most 68.2%: beyond the limit 90%" in gate.sentence()
    gate = release_gate([0] * 90, [0] * 90, max_churn=0.5)
    assert gate.sentence().endswith("No answer changed.")
    truth = np.zeros(100, dtype=int)
    gate = release_gate(*changed_rows(100, 40), truth, noninferiority=0.01)
    assert "Loss (old minus new) of accuracy is 40 points" in gate.sentence()


def test_junit_is_xml_with_a_case_for_each_criterion():
    root = ElementTree.fromstring(hostile_gate().to_junit())
    (suite,) = root
    cases = suite.findall("testcase")
    assert suite.get("tests") == root.get("tests") == "2"
    assert suite.get("failures") == "1"
    assert [case.get("name") for case in cases] == [
        "max_churn 0.05 (all rows)",
        "max_churn 0.05 (<i>s|t</i>)",
    ]
    assert [len(case.findall("failure")) for case in cases] == [0, 1]
    assert cases[1].find("failure").get("type") == "cannot say"
    assert "2 rows changed" in suite.find("system-out").text
    assert "`dog`?" in suite.find("system-out").text
    short = hostile_gate().to_junit(max_rows=1)
    assert "... and 1 more" in short


def test_markdown_is_text_to_its_readers():
    text = hostile_gate().to_markdown()
    assert text.startswith("### The gate does not pass\n\n| criterion | slice |")
    assert "<b>" not in text
    assert "<i>" not in text
    assert r"\<i\>s\|t\</i\>" in text
    assert r"\`dog\`" in text
    table = [line for line in text.splitlines() if line.startswith("| max")]
    assert len(table) == 2
    assert all(len(line.replace(r"\|", "").split("|")) == 10 for line in table)
    assert "first 1 of 2" in hostile_gate().to_markdown(max_rows=1)
    assert "Rows that changed" not in hostile_gate().to_markdown(max_rows=0)


# ----- refusals -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "Give one limit or more: max_churn, min_agreement"),
        ({"max_churn": 2}, "'max_churn' parameter of release_gate must be"),
        ({"max_churn": 0}, "'max_churn'"),
        ({"noninferiority": -0.1}, "'noninferiority'"),
        ({"max_churn": 0.1, "confidence_level": 0.5}, "'confidence_level'"),
        ({"noninferiority": 0.1}, "noninferiority needs the true labels"),
        ({"max_negative_flips": 0.1}, "max_negative_flips needs the true labels"),
        ({"max_kl": 0.1}, "max_kl needs both models' probabilities"),
        ({"max_churn": 0.1, "slices": {"none": np.zeros(9, bool)}}, "'none' has none"),
        ({"max_churn": 0.1, "allow": "all"}, "allow='all' is not among"),
    ],
)
def test_refusals(settings, message):
    with pytest.raises(ValueError, match=message):
        release_gate([0, 1, 2] * 3, [0, 1, 1] * 3, **settings)


def test_refusals_of_probabilities():
    P, Q = probabilities(30)
    with pytest.raises(ValueError, match="old holds probabilities and new does not"):
        release_gate(P, Q.argmax(1), max_churn=0.1)
    with pytest.raises(ValueError, match="3 columns of probabilities and new has 2"):
        release_gate(P, Q[:, :2] / Q[:, :2].sum(1, keepdims=True), max_churn=0.1)
    with pytest.raises(ValueError, match="y_true holds 3, and the columns"):
        release_gate(P, Q, P.argmax(1) + 1, max_churn=0.1)
    with pytest.raises(ValueError, match="old"):
        release_gate(np.log(P), np.log(Q), max_churn=0.1)
    names = pd.DataFrame(P, columns=list("xyz")), pd.DataFrame(Q, columns=list("xyw"))
    with pytest.raises(ValueError, match="go by other names"):
        release_gate(*names, max_churn=0.1)


# ----- level --------------------------------------------------------------------------


def share_of_passes(draw, limits, n_runs, **settings):
    passes = 0
    for seed in range(n_runs):
        old, new, truth = draw(np.random.default_rng(seed))
        passes += release_gate(old, new, truth, **limits, **settings).passed
    return passes


def just_beyond(n, churn, loss):
    """Answers whose churn and loss of accuracy are just at the limits."""

    def draw(rng):
        u = rng.random(n)
        truth = np.zeros(n, dtype=int)
        # of changed rows some become wrong, some right, all others stay as they are
        old = np.where(u < (churn - loss) / 2, 1, 0)
        new = np.where((u >= (churn - loss) / 2) & (u < churn), 1, 0)
        return old, new, truth

    return draw


@pytest.mark.parametrize("limit", [{"max_churn": 0.06}, {"noninferiority": 0.03}])
def test_false_passes(limit):
    """At the limit at most one in twenty passes."""
    n_runs = 120
    passes = share_of_passes(just_beyond(300, 0.06, 0.03), limit, n_runs)
    assert 0 < passes <= stats.binom.isf(0.001, n_runs, 0.05)


@pytest.mark.slow
def test_false_passes_of_many_limits():
    """Of all of them together fewer do."""
    limits = {"max_churn": 0.06, "noninferiority": 0.03, "max_negative_flips": 0.045}
    passes = share_of_passes(just_beyond(300, 0.06, 0.03), limits, 300)
    assert passes <= stats.binom.isf(0.001, 300, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["max_churn", "noninferiority", "max_negative_flips"])
@pytest.mark.parametrize("size", [1, 4])
def test_false_passes_in_groups(limit, size):
    limits = {"max_churn": 0.06, "noninferiority": 0.03, "max_negative_flips": 0.045}
    draw = just_beyond(100, 0.06, 0.03)

    def in_groups(rng):  # rows of a group are all alike: the worst there is
        return tuple(np.repeat(each, size) for each in draw(rng))

    groups = np.repeat(np.arange(100), size)
    n_runs = 250
    passes = share_of_passes(
        in_groups, {limit: limits[limit]}, n_runs, groups=groups if size > 1 else None
    )
    # the one-sided test of skewed sums by Hall's transform rejects up to .06
    assert passes <= stats.binom.isf(0.001, n_runs, 0.06)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["even", "rare"])
@pytest.mark.parametrize("n", [50, 300])
def test_false_passes_of_divergences(kind, n):
    """Few rows may hold most of a divergence: Student's bound passes .2 of these."""

    def draw(rng, n=n):
        logits = 2 * rng.normal(size=(n, 3))
        noise = rng.normal(size=logits.shape)
        if kind == "rare":
            noise *= np.where(rng.random((n, 1)) < 0.03, 6.0, 0.1)
        return special.softmax(logits, 1), special.softmax(logits + noise / 3, 1), None

    P, Q, _ = draw(np.random.default_rng(10**6), 10**6)
    middle = (P + Q) / 2
    limits = {
        "max_kl": np.sum(P * np.log(P / Q), axis=1).mean(),
        "max_js": np.sum(P * np.log(P / middle) + Q * np.log(Q / middle), 1).mean() / 2,
    }
    for name, limit in limits.items():
        passes = share_of_passes(draw, {name: limit}, 60)
        assert passes <= stats.binom.isf(0.001, 60, 0.05), name
