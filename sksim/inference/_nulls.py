"""What is exchangeable under the null hypothesis, and the statistics that follow.

Rows: row i of X has nothing to do with row i of y, so that y's rows may be relabelled.
Exchange: the two models are interchangeable, so that their outputs may be swapped row
by row. Features: those of a row of y may change places. Groups of models: no model's
rows have to do with another's, so that each model's rows are relabelled independently.
"""

import math
from itertools import islice

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed

from sksim._parallel import on_one_blas_thread, shared_by_jobs
from sksim.base._validation import check_groups
from sksim.inference._permutations import row_orders

# Orders that are evaluated together where all of them are gone through.
_ENUMERATED_TOGETHER = 64


class RowNull:
    """Rows of y in all orders."""

    def __init__(self, comparison, **design):
        self.comparison = comparison.for_permutations()
        self.orders = row_orders(comparison.n_samples, **design)
        self.n_distinct = self.orders.n_distinct

    def unmoved(self):
        """Statistic of the order that changes nothing."""
        return self.comparison.permuted([np.arange(self.comparison.n_samples)])[0]

    def draw(self, numbers):
        """Statistics of the random orders of given numbers."""
        return self.comparison.permuted([self.orders.draw(i) for i in numbers])

    def enumerate(self):
        """Statistics of all orders."""
        orders = self.orders.enumerate()
        while batch := list(islice(orders, _ENUMERATED_TOGETHER)):
            yield from self.comparison.permuted(batch)


class ExchangeNull:
    """The two models' outputs swapped row by row, or group of rows by group."""

    def __init__(self, comparison, *, groups=None, strata=None, permute="rows", **seed):
        _refuse_shift(comparison, permute)
        # swapped rows stay in their places, and so in their strata
        self.comparison = comparison.for_permutations()
        self.units = _Units(comparison.n_samples, groups, **seed)
        n_units = self.units.n_units
        self.n_distinct = 2**n_units if n_units <= 20 else math.inf

    def unmoved(self):
        """Statistic without a swap."""
        return self._exchanged([np.zeros(self.units.n_units, dtype=bool)])[0]

    def draw(self, numbers):
        """Statistics of the random swaps of given numbers."""
        generators = map(self.units.generator, numbers)
        n_units = self.units.n_units
        return self._exchanged([g.random(n_units) < 0.5 for g in generators])

    def enumerate(self):
        """Statistics of all swaps."""
        places = np.arange(self.units.n_units)
        for start in range(0, self.n_distinct, _ENUMERATED_TOGETHER):
            numbers = range(start, min(start + _ENUMERATED_TOGETHER, self.n_distinct))
            yield from self._exchanged([(i >> places) % 2 == 1 for i in numbers])

    def _exchanged(self, swaps):
        codes = self.units.codes
        return self.comparison.exchanged([units[codes] for units in swaps])


class GroupExchangeNull:
    """The models' outputs handed round, row by row or group of rows by group."""

    def __init__(self, comparison, *, groups=None, strata=None, permute="rows", **seed):
        _refuse_shift(comparison, permute)
        self.comparison = comparison.for_permutations()
        self.n_models = len(comparison.views)
        self.units = _Units(comparison.n_samples, groups, **seed)
        # ways to hand round are many more than those that make a difference
        self.n_distinct = math.inf

    def unmoved(self):
        """Statistic with all outputs where they are."""
        own = np.tile(np.arange(self.n_models), (len(self.units.codes), 1))
        return self.comparison.exchanged([own])[0]

    def draw(self, numbers):
        """Statistics of the random assignments of given numbers."""
        shape = (self.units.n_units, self.n_models)
        drawn = (self.units.generator(i).random(shape) for i in numbers)
        assigned = (np.argsort(places, axis=1)[self.units.codes] for places in drawn)
        return self.comparison.exchanged(assigned)


class FeatureNull:
    """The features of each row in another order, the same for a group of rows.

    Of a group of models all but the first change theirs, each by itself.
    """

    def __init__(self, comparison, *, groups=None, strata=None, permute="rows", **seed):
        _refuse_shift(comparison, permute)
        # features stay in their rows, and so in their strata
        self.comparison = comparison.for_permutations()
        self.units = _Units(comparison.n_samples, groups, **seed)
        views = getattr(comparison, "views", None)
        self.n_moving = None if views is None else len(views) - 1
        some_view = comparison.view_y if views is None else views[-1]
        self.n_features = some_view.n_features
        self.n_distinct = math.inf

    def unmoved(self):
        """Statistic with all features in their places."""
        own = np.tile(np.arange(self.n_features), (len(self.units.codes), 1))
        orders = own if self.n_moving is None else [own] * self.n_moving
        return self.comparison.rearranged([orders])[0]

    def draw(self, numbers):
        """Statistics of the random orders of given numbers."""
        return self.comparison.rearranged(map(self._orders, numbers))

    def _orders(self, number):
        rng = self.units.generator(number)
        if self.n_moving is None:
            return self._order(rng)
        return [self._order(rng) for _ in range(self.n_moving)]

    def _order(self, rng):
        places = rng.random((self.units.n_units, self.n_features))
        return np.argsort(places, axis=1)[self.units.codes]


class _Units:
    """What is exchanged as a whole, and generators by number."""

    def __init__(self, n_samples, groups, random_state=None):
        self.codes = np.arange(n_samples)
        if groups is not None:
            self.codes = check_groups(groups, n_samples)[1]
        self.n_units = int(self.codes.max()) + 1
        self.seed = int(
            check_random_state(random_state).randint(np.iinfo(np.int32).max)
        )

    def generator(self, number):
        return np.random.default_rng((self.seed, number))


def _refuse_shift(comparison, permute):
    if permute == "shift":
        raise ValueError(
            f"{type(comparison.owner).__name__} is tested by swapping the models' "
            "outputs, or features within rows, which permute='shift' does not say how "
            "to do. Leave permute out; groups are moved whole."
        )


class GroupNull:
    """Each model's rows in an order of its own; the first model's stay.

    The second model's orders are those of `RowNull` with the same seed, so that
    measures of pairs and of groups of two share them.
    """

    def __init__(self, comparison, *, random_state=None, **design):
        self.comparison = comparison.for_permutations()
        rng = check_random_state(random_state)
        self.orders = [
            row_orders(comparison.n_samples, random_state=rng, **design)
            for _ in comparison.views[1:]
        ]
        # orders of several models are not worth enumerating
        is_pair = len(self.orders) == 1
        self.n_distinct = self.orders[0].n_distinct if is_pair else math.inf

    def unmoved(self):
        """Statistic with all rows in their places."""
        return self.comparison.permuted([[None] * (len(self.orders) + 1)])[0]

    def draw(self, numbers):
        """Statistics of the random orders of given numbers."""
        return self.comparison.permuted(
            [[None, *(orders.draw(i) for orders in self.orders)] for i in numbers]
        )

    def enumerate(self):
        """Statistics of all orders of the second of two models."""
        orders = self.orders[0].enumerate()
        while batch := list(islice(orders, _ENUMERATED_TOGETHER)):
            yield from self.comparison.permuted([[None, order] for order in batch])


def null_statistics(null, n_permutations, *, n_jobs, verbose, batch_size):
    """Statistics under the null hypothesis.

    Parameters
    ----------
    null : RowNull, ExchangeNull or GroupNull
    n_permutations : int or None
        Number of random draws; None for all that there are.
    n_jobs, verbose, batch_size : int
        How the work is shared out; the result does not depend on them.

    Returns
    -------
    statistics : ndarray
    """
    if n_permutations is None:
        return _all_of(null)
    # one null object for all jobs: its arrays are mapped into memory or sent once
    jobs = (
        delayed(_batch)(null, range(start, min(start + batch_size, n_permutations)))
        for start in range(0, n_permutations, batch_size)
    )
    with shared_by_jobs(null):
        return np.concatenate(Parallel(n_jobs=n_jobs, verbose=verbose)(jobs))


@on_one_blas_thread
def _all_of(null):
    return np.array(list(null.enumerate()))


@on_one_blas_thread
def _batch(null, numbers):
    return np.array(null.draw(numbers))
