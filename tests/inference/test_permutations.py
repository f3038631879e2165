"""Orders of rows: what changes places, what stays, and what is refused."""

import itertools

import numpy as np
import pytest

from sksim.inference import permutations
from sksim.inference._permutations import RowOrders

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


def test_within_groups_rows_stay_in_their_group():
    moved = np.zeros(9, dtype=bool)
    for order in permutations(9, 50, groups=GROUPS, permute="within", random_state=0):
        assert sorted(order.tolist()) == list(range(9))
        np.testing.assert_array_equal(GROUPS[order], GROUPS)
        moved |= order != np.arange(9)
    assert moved.all()


def test_blocks_move_whole_and_keep_their_order():
    places = {g: np.flatnonzero(g == GROUPS) for g in "abc"}
    seen = set()
    for order in permutations(9, 100, groups=GROUPS, random_state=0):
        new = {g: GROUPS[order[rows]] for g, rows in places.items()}
        for rows in places.values():
            source = GROUPS[order[rows[0]]]
            np.testing.assert_array_equal(order[rows], places[source])
        seen.add(tuple(values[0] for values in new.values()))
    assert len(seen) == 6


def test_groups_are_blocks_unless_said_otherwise():
    blocks = list(permutations(9, 5, groups=GROUPS, random_state=0))
    named = list(permutations(9, 5, groups=GROUPS, permute="blocks", random_state=0))
    free = list(permutations(9, 5, groups=GROUPS, permute="rows", random_state=0))
    np.testing.assert_array_equal(blocks, named)
    np.testing.assert_array_equal(free, list(permutations(9, 5, random_state=0)))


@pytest.mark.parametrize(
    ("permute", "groups", "count"),
    [
        ("rows", None, 720),
        ("within", list("aabbba"), 36),
        ("blocks", list("abcabc"), 6),
    ],
)
def test_enumeration_visits_each_order_once(permute, groups, count):
    orders = RowOrders(6, groups=groups, permute=permute, random_state=0)
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
        ({"groups": list("abcdef"), "permute": "within"}, "has one row"),
        ({"permute": "within"}, "needs groups"),
        ({"permute": "blocks"}, "needs groups"),
        ({"groups": list("ab")}, "each of the 6 rows"),
        ({"permute": "columns"}, "permute"),
    ],
)
def test_impossible_designs_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        permutations(6, 10, **options)
