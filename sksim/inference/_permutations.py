"""Orders of rows that are equally likely if two representations are unrelated."""

import itertools
import math
from numbers import Integral

import array_api_compat
import numpy as np
from sklearn.utils import check_random_state

from sksim._sklearn_compat import Interval, StrOptions, validate_params
from sksim.arrays._namespace import to_numpy
from sksim.base._missing import refuse_missing

# Beyond this many rows no enumeration of all orders is worth its count.
_ENUMERABLE = 20


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "n_permutations": [Interval(Integral, 1, None, closed="left")],
        "groups": ["array-like", None],
        "permute": [StrOptions({"rows", "within", "blocks"}), None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def permutations(
    n_samples, n_permutations=999, *, groups=None, permute=None, random_state=None
):
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
        Group of each row: rows that belong together, such as patches of one image.
    permute : {"rows", "within", "blocks"}, default=None
        What changes places: all rows freely; rows within their group; or whole groups,
        each keeping the order of its rows. None is "blocks" where there are groups
        and "rows" where there are none.
    random_state : int, RandomState instance or None, default=None
        Seed of the orders.

    Returns
    -------
    orders : iterator of arrays of shape (n_samples,)
        Row ``order[i]`` moves to place i.

    Raises
    ------
    ValueError
        If groups differ in size and are to change places, or nothing can move.

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
    """
    orders = RowOrders(
        n_samples, groups=groups, permute=permute, random_state=random_state
    )
    return (orders.draw(i) for i in range(n_permutations))


class RowOrders:
    """Orders that a null hypothesis allows: drawn by number, or enumerated.

    Attributes
    ----------
    n_distinct : int or inf
        Number of different orders, the identity included; inf for more than can be
        enumerated.
    """

    def __init__(self, n_samples, *, groups=None, permute=None, random_state=None):
        self.n_samples = n_samples
        self.permute = permute or ("rows" if groups is None else "blocks")
        self.seed = int(
            check_random_state(random_state).randint(np.iinfo(np.int32).max)
        )
        self._codes = self._members = None
        if self.permute == "rows":
            self.n_distinct = _factorial(n_samples)
            return
        if groups is None:
            raise ValueError(
                f"permute={self.permute!r} needs groups=...: the group of each row, "
                "such as the image that a patch belongs to."
            )
        labels, self._codes = check_groups(groups, n_samples)
        sizes = np.bincount(self._codes)
        if self.permute == "within":
            self.n_distinct = math.prod(_factorial(int(size)) for size in sizes)
            if sizes.max() == 1:
                raise ValueError(
                    "permute='within' has nothing to permute: each of the "
                    f"{len(sizes)} groups has one row. Use permute='rows'."
                )
            return
        self._members = _equal_blocks(labels, self._codes, sizes)
        self.n_distinct = _factorial(len(sizes))

    def draw(self, number):
        """Order of a given number, from 0 on."""
        rng = np.random.default_rng((self.seed, number))
        if self.permute == "rows":
            return rng.permutation(self.n_samples)
        order = np.empty(self.n_samples, dtype=np.int64)
        if self.permute == "within":
            places = np.argsort(self._codes, kind="stable")
            order[places] = np.lexsort((rng.random(self.n_samples), self._codes))
        else:
            order[self._members] = self._members[rng.permutation(len(self._members))]
        return order

    def enumerate(self):
        """All orders, the identity first."""
        if self.permute == "rows":
            for order in itertools.permutations(range(self.n_samples)):
                yield np.asarray(order)
        elif self.permute == "blocks":
            for blocks in itertools.permutations(range(len(self._members))):
                order = np.empty(self.n_samples, dtype=np.int64)
                order[self._members] = self._members[list(blocks)]
                yield order
        else:
            places = [np.flatnonzero(self._codes == c) for c in np.unique(self._codes)]
            for rows in itertools.product(*map(itertools.permutations, places)):
                order = np.empty(self.n_samples, dtype=np.int64)
                for place, row in zip(places, rows, strict=True):
                    order[place] = row
                yield order


def check_groups(groups, n_samples):
    """Names of the groups, and the number of each row's group.

    Parameters
    ----------
    groups : array-like of shape (n_samples,)
    n_samples : int

    Returns
    -------
    labels : array of shape (n_groups,)
    codes : array of int of shape (n_samples,)
    """
    if array_api_compat.is_array_api_obj(groups):
        groups = to_numpy(groups, xp=array_api_compat.array_namespace(groups))
    refuse_missing(groups, "groups")
    groups = np.asarray(groups)
    if groups.shape != (n_samples,):
        raise ValueError(
            f"groups must hold one group for each of the {n_samples} rows, got an "
            f"array of shape {groups.shape}."
        )
    labels, codes = np.unique(groups, return_inverse=True)
    return labels, codes


def _equal_blocks(labels, codes, sizes):
    """Row numbers of each group, one group a row."""
    if len(sizes) == 1:
        raise ValueError(
            "permute='blocks' has nothing to permute: all rows belong to one group. "
            "Pass groups with at least two values."
        )
    if sizes.min() != sizes.max():
        shown = ", ".join(
            f"{label}: {size}" for label, size in zip(labels[:10], sizes, strict=False)
        )
        more = f" and {len(sizes) - 10} more" if len(sizes) > 10 else ""
        raise ValueError(
            "Only groups of equal size can change places, but the groups have "
            f"{sizes.min()} to {sizes.max()} rows ({shown}{more}). Drop rows until "
            "the groups are equal, average the rows of each group, or use "
            "permute='within'."
        )
    return np.argsort(codes, kind="stable").reshape(len(sizes), -1)


def _factorial(n):
    return math.factorial(n) if n <= _ENUMERABLE else math.inf
