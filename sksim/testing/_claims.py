"""Checks that each claim of the tags holds, and each missing one is refuted."""

import math

import numpy as np
from sklearn.base import clone

from sksim.base._tags import PAIR_METADATA
from sksim.testing._helpers import (
    assert_close,
    exchanged,
    fit,
    outcome_of,
    rows_of,
    statistic_of,
    tags_of,
    with_itself,
    with_unrelated,
)
from sksim.testing._inputs import make_inputs
from sksim.testing._requirements import REQUIREMENTS


def check_tags(measure):
    """Tags are complete and consistent."""
    tags = tags_of(measure)
    low, high = tags.bounds
    assert low < high
    worst, best = sorted((tags.orient(low), tags.orient(high)))
    assert tags.score_bounds[0] <= worst <= best <= tags.score_bounds[1], (
        f"scores of statistics in {tags.bounds} can leave {tags.score_bounds}"
    )
    assert tags.complexity, "the tag 'complexity' is empty"
    assert tags.reference or tags.family in ("cca",), "the tag 'reference' is empty"
    assert not tags.metric or (tags.orientation == "distance" and tags.symmetric), (
        "a metric is a symmetric distance"
    )


def check_requirements_are_known(measure):
    """Each word in ``requires`` stands in the table."""
    unknown = set(tags_of(measure).requires) - set(REQUIREMENTS)
    assert not unknown, f"add {sorted(unknown)} to sksim.testing.REQUIREMENTS"


def check_score_is_oriented(measure):
    """Score is the similarity itself, or minus the distance."""
    X, y, fit_params = make_inputs(measure)
    fitted = fit(measure, X, y, fit_params)
    tags = tags_of(measure)
    sign = 1 if tags.orientation == "similarity" else -1
    size = abs(fitted.statistic_) if tags.signed else fitted.statistic_
    assert fitted.score_ == sign * size
    assert fitted.score() == fitted.score_


def check_identity(measure):
    """A representation compared with itself gets the best value."""
    tags = tags_of(measure)
    X, _, fit_params = make_inputs(measure)
    if not math.isfinite(tags.best):
        return
    value = statistic_of(measure, *with_itself(measure, X), fit_params)
    if tags.identity:
        assert_close(value, tags.best, "statistic of X with itself", atol=1e-7)
        return
    misses = [abs(value - tags.best)]
    if misses[0] <= 1e-6 and tags.inputs == "representation":
        # Some measures lose the identity in the directions X does not have only.
        thin = np.hstack([X, X[:, :1]])
        value = statistic_of(measure, *with_itself(measure, thin), fit_params)
        misses.append(abs(value - tags.best))
    # nan, of a measure that is undefined there, is no best value either
    assert not max(misses) <= 1e-6, (
        "tagged identity=False, but X with itself gets the best value"
    )


def check_bounds(measure):
    """The statistic stays within its bounds, on related and unrelated input."""
    low, high = tags_of(measure).bounds
    for seed in range(3):
        X, y, fit_params = make_inputs(measure, random_state=seed)
        unrelated = with_unrelated(measure, X, y, seed + 10)
        for first, second in ((X, y), unrelated):
            value = statistic_of(measure, first, second, fit_params)
            assert low <= value <= high, f"{value} is not in [{low}, {high}]"


def check_symmetry(measure):
    """Exchanging X and y matters exactly where the tags say so."""
    symmetric = tags_of(measure).symmetric
    changes = []
    for seed in range(3):
        X, y, fit_params = make_inputs(measure, random_state=seed)
        forward = statistic_of(measure, X, y, fit_params)
        backward = statistic_of(measure, *exchanged(measure, X, y), fit_params)
        if symmetric:
            message = "statistic of (y, X), where symmetric=True is the default,"
            assert_close(backward, forward, message)
        changes.append(abs(forward - backward))
    assert symmetric or max(changes) > 1e-6, "tagged asymmetric, but it is symmetric"


def check_common_row_order(measure):
    """The same permutation of all rows leaves the statistic as it is."""
    X, y, fit_params = make_inputs(measure)
    if not hasattr(X, "shape") or not tags_of(measure).deterministic:
        return
    order = np.random.default_rng(1).permutation(len(X))
    moved = {name: rows_of(value, order) for name, value in fit_params.items()}
    if {"seed", *PAIR_METADATA} & set(tags_of(measure).view_keywords):
        return
    pair = [rows_of(array, order, measure) for array in (X, y)]
    assert_close(
        statistic_of(measure, *pair, moved),
        statistic_of(measure, X, y, fit_params),
        "statistic of reordered rows",
    )


def check_pairing(measure):
    """Permuting the rows of one side matters exactly for paired measures."""
    tags = tags_of(measure)
    X, y, fit_params = make_inputs(measure)
    if fit_params and not tags.paired:
        return
    orders = [np.random.default_rng(seed).permutation(len(X)) for seed in range(3)]
    if "seed" in tags.view_keywords and not tags.paired:
        _check_unpaired_by_seeds(measure, X, y, orders)
        return
    before = statistic_of(measure, X, y, fit_params)
    after = [
        statistic_of(measure, X, rows_of(y, order, measure), fit_params)
        for order in orders
    ]
    if tags.paired:
        changed = max(abs(value - before) for value in after)
        assert changed > 1e-6, "tagged paired, but the rows' order does not matter"
    else:
        for value in after:
            assert_close(value, before, "statistic of permuted rows")


def _check_unpaired_by_seeds(measure, X, y, orders):
    """A random measure of unpaired rows is moved by their order as by its seed."""

    def values_of(order):
        seeded = (clone(measure).set_params(random_state=seed) for seed in range(5))
        return [statistic_of(each, X, rows_of(y, order)) for each in seeded]

    before = np.array(values_of(np.arange(len(X))))
    after = np.concatenate([values_of(order) for order in orders])
    spread = max(before.std(ddof=1), after.std(ddof=1))
    shift = abs(before.mean() - after.mean())
    assert shift <= 3 * spread + 1e-7 * abs(before.mean()), (
        f"tagged paired=False, but another order of rows moves the statistic by "
        f"{shift:.3g}, and another seed by {spread:.3g}"
    )


def check_triangle_inequality(measure):
    """A metric's distances satisfy the triangle inequality."""
    for seed in range(5):
        X, y, fit_params = make_inputs(measure, random_state=seed)
        _, z, _ = make_inputs(measure, random_state=seed + 20)
        xy, yz, xz = (
            statistic_of(measure, a, b, fit_params) for a, b in ((X, y), (y, z), (X, z))
        )
        for longest, a, b in ((xy, yz, xz), (yz, xy, xz), (xz, xy, yz)):
            assert longest <= a + b + 1e-10, f"{longest} > {a} + {b}"


def check_invariance(measure, code):
    """A claimed invariance holds; one that is not claimed is refuted by data."""
    tags = tags_of(measure)
    for side, claimed in enumerate((tags.invariances, tags.invariances_y)):
        changes = []
        for seed in range(3):
            X, y, fit_params = make_inputs(measure, random_state=seed)
            before = statistic_of(measure, X, y, fit_params)
            pair = [X, y]
            pair[side] = _transformed(pair[side], code, random_state=seed)
            after = outcome_of(measure, *pair, fit_params)
            if isinstance(after, ValueError):
                # maps of rows make other than matrices of all pairs
                if code in claimed or not tags.precomputed:
                    raise after
                after = math.inf
            if code in claimed:
                message = f"{code} is claimed for {'Xy'[side]}, the statistic"
                assert_close(after, before, message)
            changes.append(abs(after - before))
        assert code in claimed or max(changes) > 1e-6, (
            f"{code} is not claimed for {'Xy'[side]}, but it seems to hold"
        )


def _transformed(X, code, random_state):
    rng = np.random.default_rng(100 + random_state)
    width = X.shape[1]
    rotation = np.linalg.qr(rng.normal(size=(width, width)))[0]
    mixing = rotation * np.geomspace(0.3, 5, width) @ rotation[::-1]
    shift = 3 * rng.normal(size=width)
    return {
        "PT": lambda: X[:, rng.permutation(width)],
        "OT": lambda: X @ rotation,
        "IS": lambda: 3.7 * X,
        "ILT": lambda: X @ mixing,
        "TR": lambda: X + shift,
        "AT": lambda: X @ mixing + shift,
    }[code]()
