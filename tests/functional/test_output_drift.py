"""How far outputs have moved, row by row."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import log_softmax, softmax

from sksim.functional import (
    Hellinger,
    JensenShannonDivergence,
    KullbackLeibler,
    RankBiasedOverlap,
    TopKOverlap,
    TotalVariation,
    divergence_bounds,
    output_drift,
)
from tests._reference import newer_cases

CASES = list(newer_cases("divergences", "two_outputs"))
NAMES = {
    "kl": "kl_pq",
    "reverse_kl": "kl_qp",
    "js": "js",
    "tv": "tv",
    "truth_change": "delta_p_truth",
}


@pytest.mark.parametrize("case, arrays, values", CASES, ids=[c[0] for c in CASES])
def test_values_in_sixty_digits(case, arrays, values):
    pair = arrays["logits_p"], arrays["logits_q"]
    result = output_drift(*pair, from_logits=True, y_true=arrays["truth"])
    rtol = 0 if case == "nearly_equal" else 1e-9
    for name, key in NAMES.items():
        expected = np.array(values[key], dtype=float)  # "inf" is text
        assert_allclose(result.rows[name], expected, rtol=rtol, atol=1e-12)
    table = result.to_frame()
    assert_allclose(table.loc["same_first", "mean"], values["top1_agreement"])
    for level, value in values["kl_pq_percentiles"].items():
        # of rows of which one is infinite the reference gives none
        if f"p{level}" in table and value is not None:
            found = table.loc["kl", f"p{level}"]
            assert_allclose(found, float(value), rtol=rtol, atol=1e-12)
    # the first axis may be two, and a softmax may be taken before
    longer = [np.stack([each, each[::-1]], axis=1) for each in pair]
    again = output_drift(*longer, from_logits=True)
    first = again.rows[again.rows["position"] == 0]
    assert_allclose(first["js"], result.rows["js"], rtol=1e-12, atol=1e-15)


@pytest.fixture
def logits():
    rng = np.random.default_rng(0)
    first = rng.normal(size=(6, 5, 12))
    return first, first + 0.3 * rng.normal(size=first.shape)


def test_numbers_are_those_of_the_measures(logits):
    p, q = (softmax(each, axis=2) for each in logits)
    result = output_drift(p, q, top_k=4, persistence=0.7)
    flat = p.reshape(30, 12), q.reshape(30, 12)
    of_measures = {
        "kl": KullbackLeibler(),
        "js": JensenShannonDivergence(),
        "tv": TotalVariation(),
        "hellinger": Hellinger(),
        "same_first": TopKOverlap(1),
        "top_k_overlap": TopKOverlap(4),
        "rank_biased_overlap": RankBiasedOverlap(4, p=0.7),
    }
    for name, measure in of_measures.items():
        expected = measure.fit(*flat).row_values_
        assert_allclose(result.rows[name], expected, rtol=1e-9, atol=1e-12)
    assert result.rows["row"].tolist() == np.repeat(np.arange(6), 5).tolist()
    by_logits = output_drift(*logits, from_logits=True, top_k=4, persistence=0.7)
    assert_allclose(by_logits.rows, result.rows, rtol=1e-9, atol=1e-12)


def test_parts_masks_and_summaries(logits):
    mask = np.ones((6, 5), dtype=bool)
    mask[:, 3:] = False
    mask[0, 2] = False
    groups = np.repeat(["code", "prose"], 3)
    result = output_drift(*logits, from_logits=True, mask=mask, groups=groups)
    assert len(result.rows) == 17
    everything = output_drift(*logits, from_logits=True)
    of_mask = everything.rows[mask.reshape(-1)]
    assert_allclose(result.rows["kl"], of_mask["kl"])
    table = result.to_frame()
    assert table.loc["kl", "n_rows"] == 17
    for name, function in {
        "mean": np.mean,
        "p50": np.median,
        "p99": lambda x: np.percentile(x, 99),
        "max": np.max,
        "min": np.min,
    }.items():
        assert_allclose(table.loc["kl", name], function(result.rows["kl"]))
    by_group = result.to_frame("group")
    code = result.rows[result.rows["group"] == "code"]
    assert_allclose(by_group.loc[("code", "tv"), "mean"], code["tv"].mean())
    by_position = result.to_frame("position")
    assert by_position.loc[(2, "js"), "n_rows"] == 5
    assert "max" in result._repr_html_()


def test_where_infinite_divergences_lie():
    p = np.full((200, 3), 1 / 3)
    q = p.copy()
    q[:3] = [0.5, 0.5, 0]
    table = output_drift(p, q).to_frame()
    assert table.loc["kl", "p90"] == 0
    assert table.loc["kl", "p99"] == table.loc["kl", "max"] == np.inf
    assert table.loc["reverse_kl", "max"] < np.inf


def test_lists_give_bounds(logits):
    p, q = (log_softmax(each.reshape(30, 12), axis=1) for each in logits)
    lists = []
    for each in (p, q):
        ids = np.argsort(-each, axis=1, kind="stable")[:, :5]
        lists.append((ids, np.take_along_axis(each, ids, axis=1)))
    truth = np.arange(30) % 12
    found = output_drift(*lists, n_tokens=12, y_true=truth, top_k=3).rows
    dense = output_drift(np.exp(p), np.exp(q), y_true=truth, top_k=3).rows
    for name in ("kl", "reverse_kl", "js", "tv", "hellinger", "truth_change"):
        assert (found[f"{name}_lower"] <= dense[name] + 1e-12).all()
        assert (found[f"{name}_upper"] >= dense[name] - 1e-12).all()
    for name in ("same_first", "top_k_overlap", "rank_biased_overlap"):
        assert_allclose(found[name], dense[name])
    flat = [each for pair in lists for each in pair]
    bounds = divergence_bounds(*flat, n_tokens=12, kind="js")
    assert_allclose(found["js_lower"], bounds.lower)
    is_listed = found["truth_change_lower"] == found["truth_change_upper"]
    assert 0 < is_listed.sum() < 30
    of_p = lists[0], (lists[0][0], np.take_along_axis(q, lists[0][0], axis=1))
    found = output_drift(*of_p, n_tokens=12, cap=(True, False)).rows
    assert "same_first" not in found  # the copy's first choice may not be listed
    assert (found["js_upper"] >= dense["js"] - 1e-12).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_tensors_of_any_precision(dtype, logits):
    torch = pytest.importorskip("torch")
    tensors = [
        torch.from_numpy(each).to(getattr(torch, dtype)).requires_grad_()
        for each in logits
    ]
    result = output_drift(*tensors, from_logits=True)
    exact = [each.detach().double().numpy() for each in tensors]
    expected = output_drift(*exact, from_logits=True)
    assert_allclose(result.rows, expected.rows, rtol=1e-12)


GOOD = np.full((4, 3), 1 / 3)


@pytest.mark.parametrize(
    "args, params, message",
    [
        ((GOOD, GOOD[:3]), {}, r"p has the shape \(4, 3\) and q \(3, 3\)"),
        ((GOOD, GOOD[0]), {}, "q must be of shape"),
        ((GOOD, 3 * GOOD), {}, "q must be prob.*passed with from_logits=True"),
        ((GOOD, np.where(GOOD > 0, np.nan, 0)), {}, "Row 0 of q holds nan"),
        (
            (GOOD, np.full((4, 3), -np.inf)),
            {"from_logits": True},
            "Row 0 of q has the largest logit -inf",
        ),
        ((GOOD, GOOD), {"y_true": [0, 1, 2, 3]}, "y_true must hold the number"),
        ((GOOD, GOOD), {"y_true": [0, 1, 2]}, r"y_true has the shape \(3,\)"),
        ((GOOD, GOOD), {"mask": np.zeros(4)}, "mask leaves no row"),
        ((GOOD, GOOD), {"mask": [0, 1, 2, 1]}, "mask must hold True"),
        ((GOOD, GOOD), {"top_k": 0}, "top_k must be"),
        ((GOOD, GOOD), {"persistence": 1}, "persistence must be"),
        ((GOOD, GOOD), {"n_tokens": 3}, "must be a tuple"),
        (
            (([[0]], [[-1.0]]), ([[0]], [[-1.0]])),
            {"n_tokens": 3, "from_logits": True},
            "Leave from_logits out",
        ),
    ],
)
def test_bad_input(args, params, message):
    with pytest.raises(ValueError, match=message):
        output_drift(*args, **params)


def test_parts_that_there_are_not():
    with pytest.raises(ValueError, match="by is 'group'"):
        output_drift(GOOD, GOOD).to_frame("group")
