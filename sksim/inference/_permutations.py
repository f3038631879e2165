"""Orders of rows that are equally likely if two representations are unrelated."""

import itertools
import math
import warnings
from collections.abc import Iterator
from numbers import Integral

import array_api_compat
import numpy as np
from sklearn.utils import check_random_state

from sksim._sklearn_compat import Interval, StrOptions, validate_params
from sksim._typing import ArrayLike, RandomState
from sksim.arrays._namespace import namespace_of, to_numpy
from sksim.base._validation import check_groups

# Beyond this many things that change places no enumeration is worth its count.
_ENUMERABLE = 20


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "n_permutations": [Interval(Integral, 1, None, closed="left")],
        "groups": ["array-like", None],
        "strata": ["array-like", None],
        "permute": [StrOptions({"rows", "shift"})],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def permutations(
    n_samples: int,
    n_permutations: int = 999,
    *,
    groups: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    permute: str = "rows",
    random_state: RandomState | None = None,
) -> Iterator[np.ndarray]:
    """Random orders of rows: the null hypothesis as an iterator.

    Each order is drawn from the seed and its own number alone, so that the first
    hundred orders are the same whether a hundred or a thousand are asked for.

    Parameters
    ----------
    n_samples : int
        Number of rows.
    n_permutations : int, default=999
        Number of orders.
    groups : array-like of shape (n_samples,), default=None
        Group of each row: rows that belong together, such as patches of one image, and
        are never split. Whole groups change places with groups of as many rows, each
        keeping the order of its rows.
    strata : array-like of shape (n_samples,) or (n_samples, n_strata), default=None
        Sets within which rows, or whole groups, change places, such as classes; with
        several columns within what they have in common.
    permute : {"rows", "shift"}, default="rows"
        "shift" turns the rows round in a circle instead, for rows that follow each
        other in time; ``groups`` are then sequences, each of which is turned by itself.
    random_state : int, RandomState instance or None, default=None
        Seed of the orders.

    Returns
    -------
    orders : iterator of arrays of shape (n_samples,)
        Row ``order[i]`` moves to place i.

    Raises
    ------
    ValueError
        If nothing can move, if most rows are in groups without another of their size,
        or if a group is in several strata.

    Warns
    -----
    UserWarning
        If some groups can't move, for want of another of their size.

    See Also
    --------
    similarity_test : Uses them.

    Examples
    --------
    >>> from sksim.inference import permutations
    >>> groups = ["a", "a", "b", "b", "c", "c"]
    >>> for order in permutations(6, 2, groups=groups, random_state=2):
    ...     print(order.reshape(3, 2).tolist())
    [[4, 5], [2, 3], [0, 1]]
    [[4, 5], [0, 1], [2, 3]]
    >>> for order in permutations(5, 2, permute="shift", random_state=1):
    ...     print(order.tolist())
    [4, 0, 1, 2, 3]
    [3, 4, 0, 1, 2]
    """
    orders = row_orders(
        n_samples,
        groups=groups,
        strata=strata,
        permute=permute,
        random_state=random_state,
    )
    return (orders.draw(i) for i in range(n_permutations))


def row_orders(
    n_samples, *, groups=None, strata=None, permute="rows", random_state=None
):
    """Orders that a null hypothesis allows: drawn by number, or enumerated.

    Parameters
    ----------
    n_samples : int
    groups, strata, permute, random_state : as of `permutations`

    Returns
    -------
    orders : FreeOrders, UnitOrders or ShiftedOrders
        With ``draw(number)``, ``enumerate()``, the identity first, and ``n_distinct``:
        the number of different orders, inf for more than can be enumerated.
    """
    seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    if permute == "shift":
        return ShiftedOrders(_sequences(groups, strata, n_samples), seed)
    if groups is None and strata is None:
        return FreeOrders(n_samples, seed)
    return UnitOrders(_cells(groups, strata, n_samples), seed)


class FreeOrders:
    """All orders of all rows."""

    def __init__(self, n_samples, seed):
        self.n_samples, self.seed = n_samples, seed
        self.n_distinct = _factorial(n_samples)

    def draw(self, number):
        """Order of a given number, from 0 on."""
        return np.random.default_rng((self.seed, number)).permutation(self.n_samples)

    def enumerate(self):
        """All orders, the identity first."""
        return map(np.asarray, itertools.permutations(range(self.n_samples)))


class UnitOrders:
    """Orders of rows, or of groups of rows, that may take each other's places.

    Parameters
    ----------
    cells : list of int arrays of shape (n_units, n_rows_of_a_unit)
        Rows of the units that change places with each other; all rows are in one.
    seed : int
    """

    def __init__(self, cells, seed):
        self.cells, self.seed = cells, seed
        self.n_samples = sum(cell.size for cell in cells)
        self.n_distinct = math.prod(_factorial(len(cell)) for cell in cells)

    def draw(self, number):
        """Order of a given number, from 0 on."""
        rng = np.random.default_rng((self.seed, number))
        return self._order_of([rng.permutation(len(cell)) for cell in self.cells])

    def enumerate(self):
        """All orders, the identity first."""
        of_cells = (itertools.permutations(range(len(cell))) for cell in self.cells)
        for chosen in itertools.product(*of_cells):
            yield self._order_of([list(units) for units in chosen])

    def _order_of(self, units):
        order = np.empty(self.n_samples, dtype=np.int64)
        for cell, chosen in zip(self.cells, units, strict=True):
            order[cell] = cell[chosen]
        return order


class ShiftedOrders:
    """Sequences of rows, each turned round in a circle by itself.

    Parameters
    ----------
    sequences : list of int arrays
        Rows of each sequence, in their order; all rows are in one.
    seed : int
    """

    def __init__(self, sequences, seed):
        self.sequences, self.seed = sequences, seed
        self.n_samples = sum(map(len, sequences))
        self.n_distinct = math.prod(map(len, sequences))

    def draw(self, number):
        """Order of a given number, from 0 on."""
        rng = np.random.default_rng((self.seed, number))
        return self._order_of([int(rng.integers(len(s))) for s in self.sequences])

    def enumerate(self):
        """All orders, the identity first."""
        lengths = (range(len(sequence)) for sequence in self.sequences)
        return map(self._order_of, itertools.product(*lengths))

    def _order_of(self, shifts):
        order = np.empty(self.n_samples, dtype=np.int64)
        for sequence, shift in zip(self.sequences, shifts, strict=True):
            order[sequence] = np.roll(sequence, shift)
        return order


def _sequences(groups, strata, n_samples):
    """Rows of each sequence, in their order."""
    if strata is not None:
        raise ValueError(
            "strata have no part in permute='shift', which turns whole sequences round "
            "in a circle. Leave them out, or use permute='rows'."
        )
    if groups is None:
        return [np.arange(n_samples)]
    codes = check_groups(groups, n_samples)[1]
    return [np.flatnonzero(codes == code) for code in range(codes.max() + 1)]


def _cells(groups, strata, n_samples):
    """Rows of the units that change places with each other."""
    labels, units = None, np.arange(n_samples)[:, None]
    if groups is not None:
        labels, codes = check_groups(groups, n_samples)
        if len(labels) == 1:
            raise ValueError(
                "There is nothing to permute: all rows belong to one group. Pass "
                "groups with at least two values."
            )
        ends = np.cumsum(np.bincount(codes))[:-1]
        units = np.split(np.argsort(codes, kind="stable"), ends)
    stratum_of = strata_of_units(units, strata, labels, n_samples)
    keys = [
        (stratum, len(rows)) for stratum, rows in zip(stratum_of, units, strict=True)
    ]
    places = {}
    for unit, key in enumerate(keys):
        places.setdefault(key, []).append(unit)
    cells = [np.array([units[unit] for unit in members]) for members in places.values()]
    _refuse_immovable(cells, labels, units, strata is not None)
    return cells


def own_strata(tags, strata, metadata):
    """The strata that are given, or those within which a measure's null permutes.

    Parameters
    ----------
    tags : SimilarityTags
    strata : array-like or None
    metadata : dict
        Of the rows.
    """
    if strata is not None or tags.exchangeable_within is None:
        return strata
    labels = metadata.get(tags.exchangeable_within)
    if array_api_compat.is_array_api_obj(labels):
        # orders are drawn on numpy, wherever the rows are
        return to_numpy(labels, xp=namespace_of(labels))
    return labels


def strata_of_units(units, strata, labels, n_samples):
    """Number of the stratum that each unit is in."""
    if strata is None:
        return np.zeros(len(units), dtype=int)
    strata = np.asarray(strata)
    columns = strata.T if strata.ndim == 2 else [strata]
    codes = [check_groups(column, n_samples, name="strata")[1] for column in columns]
    common = np.unique(np.stack(codes, axis=1), axis=0, return_inverse=True)[1]
    common = common.reshape(-1)
    for number, rows in enumerate(units):
        if len(set(common[rows].tolist())) > 1:
            raise ValueError(
                f"Group {labels[number]} has rows in several strata: groups are taken "
                "whole, within a stratum, so that each must be in one. Leave out "
                "groups or strata, or number the groups within each stratum."
            )
    return np.array([common[rows[0]] for rows in units])


def _refuse_immovable(cells, labels, units, has_strata):
    """Raise if most rows can't move, warn if some can't."""
    n_rows = sum(cell.size for cell in cells)
    alone = [cell for cell in cells if len(cell) == 1]
    n_fixed = sum(cell.size for cell in alone)
    where = " in its stratum" if has_strata else ""
    if labels is None and n_fixed == n_rows:
        raise ValueError(
            f"There is nothing to permute: each row is alone{where}. Use fewer strata."
        )
    if labels is not None and n_fixed > n_rows / 2:
        sizes = [len(rows) for rows in units]
        shown = ", ".join(f"{k}: {n}" for k, n in zip(labels[:10], sizes, strict=False))
        more = f" and {len(sizes) - 10} more" if len(sizes) > 10 else ""
        raise ValueError(
            f"Only groups of equal size can change places{where and ', and within'}"
            f"{where and ' a stratum'}, but the groups have {min(sizes)} to "
            f"{max(sizes)} rows ({shown}{more}), and {len(alone)} of {len(units)} have "
            f"no other of their size{where}. Drop rows until groups are equal, or "
            "average the rows of each group."
        )
    if labels is not None and alone:
        warnings.warn(
            f"{len(alone)} of {len(units)} groups stay in their places: there is no "
            f"other group of their size{where}.",
            UserWarning,
            stacklevel=2,
        )


def _factorial(n):
    return math.factorial(n) if n <= _ENUMERABLE else math.inf
