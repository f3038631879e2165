"""Orders of rows: what changes places, what stays, and what is refused."""

import itertools

import numpy as np
import pytest
from _reference import reference_arrays, reference_values

from sksim.inference import permutations, similarity_test
from sksim.inference._permutations import row_orders
from sksim.rsm import CKA

GROUPS = np.array(["b", "a", "c", "a", "b", "c", "c", "a", "b"])


def test_orders_are_permutations_from_one_seed():
    orders = list(permutations(30, 20, random_state=0))
    for order in orders:
        assert sorted(order.tolist()) == list(range(30))
    again = list(permutations(30, 50, random_state=0))
    np.testing.assert_array_equal(orders, again[:20])
    assert not np.array_equal(orders, list(permutations(30, 20, random_state=1)))


def test_all_orders_are_equally_likely():
    drawn = [tuple(order) for order in permutations(3, 6000, random_state=0)]
    for order in itertools.permutations(range(3)):
        assert abs(drawn.count(order) / 6000 - 1 / 6) < 0.02


def test_rows_stay_in_their_strata():
    moved = np.zeros(9, dtype=bool)
    for order in permutations(9, 50, strata=GROUPS, random_state=0):
        assert sorted(order.tolist()) == list(range(9))
        np.testing.assert_array_equal(GROUPS[order], GROUPS)
        moved |= order != np.arange(9)
    assert moved.all()


def test_strata_of_several_columns_are_what_they_have_in_common():
    both = np.stack([np.repeat(["x", "y"], 6), np.tile(["u", "v"], 6)], axis=1)
    joined = ["".join(pair) for pair in both]
    found = list(permutations(12, 5, strata=both, random_state=0))
    np.testing.assert_array_equal(
        found, list(permutations(12, 5, strata=joined, random_state=0))
    )


def test_groups_move_whole_and_keep_their_order():
    places = {g: np.flatnonzero(g == GROUPS) for g in "abc"}
    seen = set()
    for order in permutations(9, 100, groups=GROUPS, random_state=0):
        new = {g: GROUPS[order[rows]] for g, rows in places.items()}
        for rows in places.values():
            source = GROUPS[order[rows[0]]]
            np.testing.assert_array_equal(order[rows], places[source])
        seen.add(tuple(values[0] for values in new.values()))
    assert len(seen) == 6


def test_groups_move_whole_within_their_strata():
    groups = np.repeat(np.arange(6), 2)
    strata = np.repeat(["x", "y", "x", "y", "x", "y"], 2)
    seen = set()
    for order in permutations(12, 200, groups=groups, strata=strata, random_state=0):
        np.testing.assert_array_equal(strata[order], strata)
        assert (order.reshape(6, 2)[:, 1] == order.reshape(6, 2)[:, 0] + 1).all()
        seen.add(tuple(order))
    assert len(seen) == 36


def test_groups_change_places_with_groups_of_their_size():
    groups = np.array(list("aabbbccdddef"))
    sizes = {g: np.sum(groups == g) for g in "abcdef"}
    for order in permutations(12, 30, groups=groups, random_state=0):
        for g in sizes:
            came = groups[order[groups == g]]
            assert len(set(came)) == 1
            assert sizes[came[0]] == sizes[g]


def test_groups_that_cannot_move_are_counted():
    with pytest.warns(UserWarning, match="2 of 6 groups stay in their places"):
        orders = list(permutations(12, 20, groups=list("aabbccddeeef"), random_state=0))
    for order in orders:
        np.testing.assert_array_equal(order[8:], [8, 9, 10, 11])


def test_shifts_turn_rows_round():
    for order in permutations(7, 20, permute="shift", random_state=0):
        np.testing.assert_array_equal(order, np.roll(np.arange(7), order.argmin()))


def test_sequences_are_turned_by_themselves():
    groups = np.array(list("abababa"))
    shifts = set()
    for order in permutations(7, 100, groups=groups, permute="shift", random_state=0):
        np.testing.assert_array_equal(groups[order], groups)
        for name in "ab":
            rows = np.flatnonzero(groups == name)
            shift = list(order[rows]).index(rows[0])
            np.testing.assert_array_equal(order[rows], np.roll(rows, shift))
        shifts.add(tuple(order))
    assert len(shifts) == 12


@pytest.mark.parametrize(
    ("design", "count"),
    [
        ({}, 720),
        ({"strata": list("aabbba")}, 36),
        ({"groups": list("abcabc")}, 6),
        ({"groups": list("aabbcc"), "strata": list("xxxxyy")}, 2),
        ({"permute": "shift"}, 6),
        ({"groups": list("aabbbb"), "permute": "shift"}, 8),
    ],
)
@pytest.mark.filterwarnings("ignore:1 of 3 groups")
def test_enumeration_visits_each_order_once(design, count):
    orders = row_orders(6, random_state=0, **design)
    assert orders.n_distinct == count
    everything = [tuple(order) for order in orders.enumerate()]
    assert everything[0] == tuple(range(6))
    assert len(set(everything)) == len(everything) == count
    drawn = {tuple(orders.draw(i)) for i in range(20 * count)}
    assert drawn <= set(everything)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"groups": list("aaabbc")}, r"1 to 3 rows \(a: 3, b: 2, c: 1\)"),
        ({"groups": list("aaaaaa")}, "all rows belong to one group"),
        ({"strata": list("abcdef")}, "each row is alone in its stratum"),
        ({"groups": list("ab")}, "groups must hold one label for each of the 6 rows"),
        ({"strata": list("ab")}, "strata must hold one label for each of the 6 rows"),
        (
            {"groups": list("aabbcc"), "strata": list("xyxyxy")},
            "Group a has rows in se",
        ),
        ({"strata": list("xxxyyy"), "permute": "shift"}, "strata have no part"),
        ({"permute": "columns"}, "permute"),
        ({"permute": "within"}, "permute"),
    ],
)
def test_impossible_designs_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        permutations(6, 10, **options)


# ----- values of all orders -----------------------------------------------------------

DESIGNS = {
    name: {"permute": "shift"}
    for name in (
        "circular_ar1",
        "circular_independent",
        "circular_periodic",
        "float32_shift",
    )
}


@pytest.mark.parametrize("name", reference_values("designs"))
def test_all_orders_of_a_design(name):
    values, arrays = reference_values("designs")[name], reference_arrays("designs")
    design = DESIGNS.get(name, {})
    if name.startswith("blocks"):
        design = {k: arrays[f"{name}__{k}"] for k in ("blocks", "strata")}
        design["groups"] = design.pop("blocks")
    elif name.startswith("within"):
        design = {"strata": arrays[f"{name}__labels"]}
    X, y = (arrays[f"{name}__{side}"].astype(float) for side in "XY")
    measure = CKA(debias="rows")
    result = similarity_test(measure, X, y, method="exact", **design)
    assert result.n_permutations == values["n_orders"]
    np.testing.assert_allclose(result.score, values["observed"], rtol=1e-8)
    assert result.pvalue == pytest.approx(values["p_value"], rel=1e-12)
    np.testing.assert_allclose(result.null_mean, values["null_mean"], 1e-8, 1e-10)
    null = result.null_distribution
    if values.get("null_by_shift"):
        np.testing.assert_allclose(null, values["null_by_shift"], 1e-8, 1e-10)
    if values.get("null_sorted"):
        np.testing.assert_allclose(np.sort(null), values["null_sorted"], 1e-8, 1e-10)
