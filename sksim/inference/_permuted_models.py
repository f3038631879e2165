"""Tests that permute models: pairs of models are not independent of each other."""

import itertools

import numpy as np

from sksim.inference._permutations import row_orders

# All orders of six models, 720, are always worth going through.
_ALWAYS_ALL = 720
# Sums in another order differ by rounding: statistics this close are equal.
_ROUNDING = 1e-12


def are_all_counted(n_models, n_permutations):
    """Whether a p-value is of all orders of the models, and not of random ones."""
    n_distinct = row_orders(n_models, random_state=0).n_distinct
    return n_distinct <= max(n_permutations, _ALWAYS_ALL)


def permutation_pvalue(statistic, n_models, *, n_permutations, random_state, two_sided):
    """P-value of a statistic of an order of models, the given order being the first.

    Parameters
    ----------
    statistic : callable
        Takes the numbers of the models in an order.
    n_models : int
    n_permutations : int
        Random orders, unless there are no more than these, or than 720, in all.
    random_state : int, RandomState instance or None
    two_sided : bool
        Whether large negative values count too.

    Returns
    -------
    pvalue : float
        nan where the statistic of the given order is.
    """
    of_models = row_orders(n_models, random_state=random_state)
    if are_all_counted(n_models, n_permutations):
        orders = of_models.enumerate()
    else:
        drawn = (of_models.draw(i) for i in range(n_permutations))
        orders = itertools.chain([np.arange(n_models)], drawn)
    values = np.array([statistic(order) for order in orders])
    values = np.abs(values) if two_sided else values
    if np.isnan(values[0]):
        return float("nan")
    return float(np.mean(values >= values[0] - _ROUNDING))
