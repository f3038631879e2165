"""Bounds of divergences of which the most probable tokens are known."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import log_softmax, rel_entr

from sksim.functional import divergence_bounds
from tests._reference import newer_cases

SHARED = list(newer_cases("bounds_shared", "two_outputs"))
OWN = list(newer_cases("bounds_own_lists", "two_outputs"))
NAMES = {"kl": "kl_pq", "reverse_kl": "kl_qp", "js": "js", "tv": "tv"}


def dense(kind, p, q):
    middle = (p + q) / 2
    return {
        "kl": lambda: rel_entr(p, q).sum(-1),
        "reverse_kl": lambda: rel_entr(q, p).sum(-1),
        "js": lambda: (rel_entr(p, middle) + rel_entr(q, middle)).sum(-1) / 2,
        "tv": lambda: np.abs(p - q).sum(-1) / 2,
        "hellinger": lambda: np.sqrt(((np.sqrt(p) - np.sqrt(q)) ** 2).sum(-1) / 2),
    }[kind]()


def of_values(values, kind, side):
    return [float(row[NAMES[kind]][side]) for row in values["rows"]]


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("case, arrays, values", SHARED, ids=[c[0] for c in SHARED])
def test_one_list_for_both(case, arrays, values, kind):
    result = divergence_bounds(
        arrays["token_ids"],
        arrays["log_p"],
        None,
        arrays["log_q"],
        n_tokens=values["vocabulary_size"],
        kind=kind,
        floor=values["floor"],
        cap=(values["cap_p"], values["cap_q"]),
    )
    for side in ("lower", "upper"):
        expected = of_values(values, kind, side)
        assert_allclose(getattr(result, side), expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("case, arrays, values", OWN, ids=[c[0] for c in OWN])
def test_a_list_of_each(case, arrays, values, kind):
    result = divergence_bounds(
        arrays["token_ids_p"],
        arrays["log_p"],
        arrays["token_ids_q"],
        arrays["log_q"],
        n_tokens=values["vocabulary_size"],
        kind=kind,
        floor=values["floor"],
    )
    for side in ("lower", "upper"):
        expected = of_values(values, kind, side)
        assert_allclose(getattr(result, side), expected, rtol=0, atol=1e-8)


def distributions(rng, n_rows, n_tokens, floor=0.0, peak=1.5):
    both = []
    shared = rng.normal(size=(n_rows, n_tokens))
    for _ in range(2):
        logits = peak * (shared + rng.normal(size=shared.shape))
        p = np.exp(log_softmax(logits, axis=1))
        both.append(floor + (1 - n_tokens * floor) * p)
    return both


def tops(p, k):
    ids = np.argsort(-p, axis=1, kind="stable")[:, :k]
    return ids, np.log(np.take_along_axis(p, ids, axis=1))


@pytest.mark.parametrize("kind", [*NAMES, "hellinger"])
@pytest.mark.parametrize("floor", [0.0, 1e-3])
@pytest.mark.parametrize("k", [1, 4, 9, 12])
def test_what_is_not_listed_lies_between(kind, floor, k):
    p, q = distributions(np.random.default_rng(k), 300, 12, floor)
    truth = dense(kind, p, q)
    lists = (*tops(p, k), *tops(q, k))
    options = {"n_tokens": 12, "kind": kind, "floor": floor}
    own = divergence_bounds(*lists, **options)
    of_p = lists[0], lists[1], None, np.log(np.take_along_axis(q, lists[0], axis=1))
    shared = divergence_bounds(*of_p, cap=(True, False), **options)
    for result in (own, shared):
        assert (result.lower <= truth + 1e-12).all()
        assert (result.upper >= truth - 1e-12).all()
    uncapped = divergence_bounds(*lists, cap=False, **options)
    assert (uncapped.lower <= own.lower + 1e-12).all()
    assert (uncapped.upper >= own.upper - 1e-12).all()
    if k == 12:
        assert_allclose(own.lower, truth, atol=1e-12)
        assert_allclose(own.upper, truth, atol=1e-12)


def test_longer_lists_leave_less_open():
    p, q = distributions(np.random.default_rng(0), 50, 20)
    widths = []
    for k in (2, 5, 10, 18):
        result = divergence_bounds(*tops(p, k), *tops(q, k), n_tokens=20, kind="js")
        widths.append(result.upper - result.lower)
    assert (np.diff(widths, axis=0) <= 1e-12).all()


def test_by_hand():
    """Two unlisted tokens: the tails as one token, or on one token each."""
    logs = np.log([[0.6, 0.25]]), np.log([[0.5, 0.3]])
    result = divergence_bounds([[0, 1]], logs[0], None, logs[1], n_tokens=4, kind="tv")
    assert_allclose(result.lower, (0.1 + 0.05 + 0.05) / 2)
    assert_allclose(result.upper, (0.1 + 0.05 + 0.15 + 0.2) / 2)
    # a token that only p lists has no more of q than q's least
    result = divergence_bounds(
        [[0, 1]], logs[0], [[0, 2]], logs[1], n_tokens=3, kind="kl"
    )
    exact = 0.6 * np.log(0.6 / 0.5) + 0.25 * np.log(0.25 / 0.2) + 0.15 * np.log(0.5)
    assert_allclose([result.lower, result.upper], exact)


def test_ragged_padded_and_moved_rows_agree():
    p, q = distributions(np.random.default_rng(0), 6, 15)
    sizes = [3, 5, 1, 4, 2, 5]
    lists = [each for x in (p, q) for each in tops(x, 5)]
    ragged = [[row[:n] for row, n in zip(each, sizes, strict=True)] for each in lists]
    options = {"n_tokens": 15, "kind": "js"}
    result = divergence_bounds(*ragged, **options)
    outside = np.arange(5) >= np.array(sizes)[:, None]
    padded = [np.where(outside, -1, each) for each in lists]
    again = divergence_bounds(*padded, **options)
    for side in ("lower", "upper"):
        assert_allclose(getattr(again, side), getattr(result, side), rtol=1e-12)
    order = np.random.default_rng(1).permutation(5)
    moved = [padded[0][:, order], padded[1][:, order], *padded[2:]]
    again = divergence_bounds(*moved, **options)
    assert_allclose(again.lower, result.lower, rtol=1e-12)
    single = divergence_bounds(*[each[3:4] for each in ragged], **options)
    assert_allclose(single.upper[0], result.upper[3], rtol=1e-12)
    positions = [each.reshape(2, 3, 5) for each in padded]
    again = divergence_bounds(*positions, **options)
    assert_allclose(again.lower, result.lower.reshape(2, 3), rtol=1e-12)
    frame = again.to_frame()
    assert list(frame.columns) == ["lower", "upper"] and len(frame) == 6


def test_a_tail_that_rounding_has_lost():
    """1 less the listed probabilities says nothing of 1e-15, and the bounds say so."""
    tail = 2e-16
    p, q = np.array([0.9, 0.1, 1e-3]), np.array([0.5, 0.5, tail])
    p /= p.sum()
    truth = rel_entr(p, q).sum()
    lists = [[0, 1, 2]], [np.log(p)], [[0, 1]], [np.log(q[:2])]
    options = {"n_tokens": 3, "tail_p": [0.0]}
    found = divergence_bounds(*lists, **options)
    assert found.lower[0] < truth - 1e-3 and found.upper[0] == np.inf
    known = divergence_bounds(*lists, **options, tail_q=[tail])
    assert_allclose([known.lower[0], known.upper[0]], truth, rtol=1e-12)


def test_rounded_lists():
    """Log-probabilities of 16 bits leave more open, and may add up to more than 1."""
    p, q = distributions(np.random.default_rng(0), 200, 12, peak=4)
    lists = [*tops(p, 6), *tops(q, 6)]
    coarse = [each.astype(np.float16) for each in lists]
    with pytest.raises(ValueError, match="rounding=... if they were rounded"):
        divergence_bounds(*coarse, n_tokens=12)
    wide = divergence_bounds(*coarse, n_tokens=12, kind="js", rounding=2e-3)
    tails = [1 - np.exp(logs).sum(axis=1) for logs in (lists[1], lists[3])]
    known = {"tail_p": tails[0], "tail_q": tails[1], "cap": False}
    sharp = divergence_bounds(*coarse, n_tokens=12, kind="js", rounding=0, **known)
    free = divergence_bounds(*coarse, n_tokens=12, kind="js", rounding=2e-3, cap=False)
    assert (free.lower <= sharp.lower + 1e-5).all()
    assert (free.upper >= sharp.upper - 1e-5).all()
    assert np.mean(wide.upper - wide.lower) > 1e-3


def test_tokens_of_probability_zero():
    logs = np.array([[0.0, -np.inf]])
    result = divergence_bounds([[0, 1]], logs, [[0, 1]], logs, n_tokens=5)
    assert result.lower == 0
    result = divergence_bounds(
        [[0, 1]], np.log([[0.5, 0.5]]), [[0, 1]], logs, n_tokens=5
    )
    assert result.lower == result.upper == np.inf


GOOD = {
    "ids_p": [[0, 1]],
    "logp_p": np.log([[0.5, 0.3]]),
    "ids_q": [[1, 2]],
    "logp_q": np.log([[0.5, 0.3]]),
    "n_tokens": 9,
}


@pytest.mark.parametrize(
    "change, message",
    [
        ({"kind": "cosine"}, "kind must be one of kl, reverse_kl, js, tv"),
        ({"ids_p": [[0, 0]]}, "Row 0 of ids_p names the token 0 twice"),
        ({"ids_q": [[1, 9]]}, "ids_q names the token 9, and n_tokens is 9"),
        ({"ids_q": [[1, 2.5]]}, "ids_q must hold whole numbers"),
        ({"logp_q": [[2.0, -1]]}, "Row 0 of logp_q holds 2: .*log-softmax"),
        (
            {"logp_q": [[-0.1, -0.2]]},
            "Row 0 of q lists .* that add up to 1.72",
        ),
        ({"logp_p": [[-0.1, np.nan]]}, "Row 0 of logp_p holds nan"),
        ({"logp_p": [[-0.1]]}, r"ids_p has the shape \(1, 2\) and logp_p \(1, 1\)"),
        ({"ids_q": [[1, 2]] * 2, "logp_q": [[-2, -2]] * 2}, "one list for each of the"),
        ({"n_tokens": 2}, "ids_q names the token 2"),
        ({"n_tokens": 0}, "n_tokens must be 1 or more"),
        ({"ids_p": [0, 1], "logp_p": [-1, -1]}, "Put a single list into a list"),
        ({"ids_p": [["a", "b"]]}, "ids_p must hold numbers"),
        ({"floor": 0.2}, "floor must be between 0 and 1 / n_tokens"),
        ({"floor": 0.1}, "less than floor times their number"),
        ({"rounding": -1}, "rounding must be"),
        ({"tail_p": [1.5]}, "tail_p must hold one probability"),
        (
            {"logp_p": np.log([[0.5, 0.01]])},
            "leaves 0.49 to unlisted tokens, which have room for 0.07.*by cap",
        ),
    ],
)
def test_lists_that_can_not_be(change, message):
    with pytest.raises(ValueError, match=message):
        divergence_bounds(**{**GOOD, **change})
