"""Matching of some of the neurons by partial optimal transport."""

from dataclasses import dataclass
from numbers import Real

import numpy as np
from scipy.stats import t as student_t
from sklearn.model_selection import KFold

from sksim._sklearn_compat import Interval, StrOptions
from sksim.alignment._correlation_match import UnitColumns, unit_columns
from sksim.alignment._matched_units import (
    MatchedUnitsMixin,
    partners_of_plan,
    standardized,
)
from sksim.alignment._permutation import network_simplex
from sksim.arrays._matching import best_assignment
from sksim.arrays._namespace import as_float64, device_of, move_to, to_numpy
from sksim.arrays._sparse_rows import matched_products, on_cpu, some_columns
from sksim.arrays._views import some
from sksim.base import BaseSimilarity
from sksim.base._tags import SimilarityTags

# Masses of the curve whose corner is looked for.
_MASSES = np.linspace(0, 1, 21)
# Folds of the rows that a mass is chosen by.
_N_FOLDS = 5
# With one standard error in place of the t test, masses were .48, .63 and 1.0 where
# .25, .5 and 1 of 20 units had a counterpart (200 rows), instead of .32, .57 and 1.0
# (means of ten sets).
_CONFIDENCE = 0.95
# Mass below this share of a unit's own is rounding.
_NO_MASS = 1e-9


@dataclass(frozen=True)
class FoldedColumns(UnitColumns):
    """Unit columns, and the number of the fold of each place, which rows change."""

    folds: object


class PartialSoftMatching(MatchedUnitsMixin, BaseSimilarity):
    r"""Partial soft matching: correlation of the neurons that have a counterpart.

    With the correlations :math:`\rho_{ij}` of column i of R and column j of R', the
    mean over the best transport plan T that moves a mass m,

    .. math:: m(R, R') = 1 - \frac1m \min_T \sum_{ij} T_{ij} (1 - \rho_{ij}),

    where the rows of T sum to 1 / D at most, its columns to 1 / D' at most, and T to m.
    Units for which no counterpart is good enough stay unmatched. A similarity in
    [-1, 1]. Invariant to permutations of the columns, to translation, and to positive
    scaling, of each column by itself too; not to rotations.

    Parameters
    ----------
    mass : float, "corner" or "cv", default="corner"
        Share of the units that is matched, above 0. "corner": where the cost starts to
        rise, the point of largest curvature of the cost as a function of the mass that
        is left out, of the masses 0.05, 0.1, ..., 1. "cv": by cross-validation, the
        least of these masses that is as good on other rows as the best one (see Notes).
        With 1 all units are matched: the soft matching correlation.
    random_state : int, RandomState instance or None, default=None
        Which rows come into which fold, with ``mass="cv"``.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Mean correlation of what is matched.
    mass_ : float
        Mass that is matched.
    cost_ : float
        Cost of the plan. One minus it, which a code in use reports, tends to 1 for
        whatever representations as the mass tends to 0.
    transport_ : array of shape (n_features, n_features_y)
        The plan T.
    x_matched_, y_matched_ : array of shape (n_features,) and (n_features_y,)
        Share of each unit that is matched, from 0 to 1.
    masses_, costs_ : array of shape (20,)
        The curve; only with ``mass="corner"`` or ``"cv"``, where it is the mean cost on
        rows that the plans were not found on.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If a representation is constant, or if there are fewer than 10 rows and
        ``mass="cv"``.
    ImportError
        If POT is not installed and widths are unequal.

    See Also
    --------
    SoftMatching : Matches all units, by squared distances.
    CorrelationMatch : One partner for each unit.

    Notes
    -----
    Use it where some units are noise, dead, or of one model only; compare values of
    equal mass, since less mass is matched better. Constant columns correlate with
    nothing and count as 0. ``score(X, y)`` is the mean correlation of the fitted plan
    on new rows. Plans are found on the CPU, twenty times for the corner, a hundred
    times by cross-validation: by assignments of pairs of units where widths are equal,
    else by the network simplex of POT. ``fit``, ``score`` and ``matched_units`` take
    sparse rows of scipy without filling them in: of 20,000 x 4,000 with .5 % of the
    entries, and ``mass=0.5``, 556 MB at the peak, most of it for the plan, where one
    representation filled in is 610.

    A larger mass always costs more. ``mass="cv"`` therefore counts what is left out at
    1, the cost of two units that don't correlate: the total, the cost of a mass m plus
    1 - m, is least where all units that correlate on other rows are matched. Plans are
    found on four fifths of the rows, shuffled, and cost what they cost on the other
    fifth. Units that are matched by chance neither lower the total nor raise it, so
    that of all masses whose total over the five folds is not above the least one's by
    a paired t test (one-sided, 5 %) the least mass is taken. Of 20 units and 200 rows,
    where 5, 10 or all units had a counterpart that correlated by .96, it was .30, .58
    and 1.0 in the mean (the median was right), and the corner .25, .50 and .65. Take
    the corner where some units stand out, "cv" where all may have a counterpart.

    References
    ----------
    C. Kapoor, A. H. Williams, M. Khosla. Partial soft-matching distance for neural
    representational comparison with partial unit correspondence. ICLR, 2026,
    arXiv:2602.19331.

    Examples
    --------
    Half of the units of y are noise:

    >>> import numpy as np
    >>> from sksim.alignment import PartialSoftMatching
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 8))
    >>> y = np.hstack([X[:, :4], rng.normal(size=(100, 4))])
    >>> measure = PartialSoftMatching().fit(X, y)
    >>> round(measure.mass_, 2), round(measure.score_, 2)
    (0.5, 1.0)
    >>> measure.y_matched_.round(2).tolist()
    [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    """

    _parameter_constraints: dict = {
        "mass": [Interval(Real, 0, 1, closed="right"), StrOptions({"corner", "cv"})],
        "random_state": ["random_state"],
    }

    def __init__(self, mass="corner", *, random_state=None):
        self.mass = mass
        self.random_state = random_state

    def _min_samples(self):
        # two rows of each fold, for a correlation
        return 2 * _N_FOLDS if self.mass == "cv" else super()._min_samples()

    def _view(self, X, xp, role, seed=None):
        view = unit_columns(as_float64(X, xp=xp), xp=xp, role=role)
        if self.mass != "cv":
            return view
        folds = np.empty(X.shape[0], dtype=int)
        splits = KFold(_N_FOLDS, shuffle=True, random_state=seed).split(folds)
        for fold, (_, places) in enumerate(splits):
            folds[places] = fold
        return FoldedColumns(view.rows, view.mean, view.deviations, folds)

    def _compare(self, view_x, view_y, xp):
        correlations = view_x.rows.T @ view_y.rows
        costs = 1 - to_numpy(correlations, xp=xp)
        curve, mass = {}, self.mass
        if mass == "corner":
            curve = {"masses_": _MASSES[1:], "costs_": _curve(costs)}
            mass = _corner(curve["costs_"])
        elif mass == "cv":
            rows = (on_cpu(view.rows, xp=xp) for view in (view_x, view_y))
            held_out = _held_out_costs(*rows, view_x.folds)
            curve = {"masses_": _MASSES[1:], "costs_": held_out.mean(axis=0)}
            mass = _least_good_mass(held_out)
        i, j, moved = plan = _plan(costs, mass)
        cost = float(costs[i, j] @ moved)
        transport = np.zeros(costs.shape)
        transport[i, j] = moved
        arrays = {
            "transport_": transport,
            "x_matched_": _matched(transport.sum(axis=1)),
            "y_matched_": _matched(transport.sum(axis=0)),
            **curve,
        }
        device = device_of(correlations)
        details = {n: move_to(a, xp=xp, device=device) for n, a in arrays.items()}
        details |= {"mass_": float(mass), "cost_": cost, "_plan": plan}
        return 1 - cost / mass, details

    def _partners_of_x(self):
        return partners_of_plan(self._plan, self.n_features_in_)

    def _evaluate(self, X, y, xp):
        X, y = (as_float64(rows, xp=xp) for rows in (X, y))
        A, B = unit_columns(X, xp=xp, role="x"), unit_columns(y, xp=xp, role="y")
        i, j, moved = self._plan
        pairs = (
            some_columns(on_cpu(view.rows, xp=xp), index, xp=np)
            for view, index in ((A, i), (B, j))
        )
        return float(matched_products(*pairs, xp=np) @ moved) / self.mass_

    def _similarity_tags(self):
        is_split = self.mass == "cv"
        return SimilarityTags(
            family="alignment",
            orientation="similarity",
            bounds=(-1, 1),
            invariances={"PT", "IS", "TR"},
            view_keywords=("role", "seed") if is_split else ("role",),
            # other folds of each part of the rows: too much noise for a jackknife
            intervals=("subsample",) if is_split else ("jackknife", "subsample"),
            deterministic=not is_split,
            score_uses_fit=True,
            sparse=True,
            complexity="n d^2 + d^3",
            extra="transport",
            reference="Kapoor et al. 2026",
        )


def _matched(sums):
    """Sums of a plan as shares of what a unit has."""
    shares = sums * len(sums)
    return np.where(shares > _NO_MASS, np.minimum(shares, 1), 0)


def _plan(costs, mass):
    """Support (i, j) and mass of the cheapest plan that moves a mass."""
    width_x, width_y = costs.shape
    if width_x == width_y:
        return _plan_of_pairs(costs, mass * width_x)
    emd = network_simplex("PartialSoftMatching")
    # what stays unmatched goes to one more unit on the other side, at no cost
    rest = 1 - mass
    margins = [np.append(np.full(w, 1 / w), rest) for w in costs.shape]
    padded = np.zeros((width_x + 1, width_y + 1))
    padded[:-1, :-1] = costs
    padded[-1, -1] = 10.0
    if rest == 0:
        margins = [margin[:-1] for margin in margins]
        padded = np.ascontiguousarray(padded[:-1, :-1])
    plan = emd(*margins, padded, numItermax=10_000_000)[:width_x, :width_y]
    # without what rounding has moved
    i, j = np.nonzero(plan > _NO_MASS / max(costs.shape))
    moved = plan[i, j]
    return i, j, moved * (mass / moved.sum())


def _plan_of_pairs(costs, n_pairs):
    """The same of two sides of equal width, for a mass of so many pairs of units.

    Plans of whole numbers of pairs match one to one, and in between the least cost is
    linear: between the pairs of both numbers mass is shared.
    """
    width = len(costs)
    low = round(n_pairs)
    if abs(n_pairs - low) < _NO_MASS * width:
        i, j = _cheapest_pairs(costs, low)
        return i, j, np.full(low, 1 / width)
    low = int(n_pairs)
    plan = np.zeros(costs.shape)
    for count, share in ((low, low + 1 - n_pairs), (low + 1, n_pairs - low)):
        plan[_cheapest_pairs(costs, count)] += share / width
    i, j = np.nonzero(plan)
    return i, j, plan[i, j]


def _cheapest_pairs(costs, n_pairs):
    """So many pairs of units at the least cost in all."""
    width = len(costs)
    if n_pairs == 0:
        return np.zeros((2, 0), dtype=int)
    # the other rows go to columns of their own, at one cost for all. They fill these:
    # of the rows beside them at least one has no cheaper partner, or the number is
    # right. A cost that is far lower makes the search five times as long.
    level = np.partition(costs.min(axis=1), n_pairs - 1)[n_pairs - 1] - 1e-9
    padded = np.hstack([costs, np.full((width, width - n_pairs), level)])
    i, j = best_assignment(-padded, xp=np)
    is_pair = j < width
    return i[is_pair], j[is_pair]


def _curve(costs):
    """Cost of each mass, without that of 0."""
    plans = (_plan(costs, float(mass)) for mass in _MASSES[1:])
    return np.array([float(costs[i, j] @ moved) for i, j, moved in plans])


def _held_out_costs(A, B, folds):
    """Cost of each mass on each fold's rows, of plans found on the others' rows."""
    costs = np.empty((_N_FOLDS, len(_MASSES) - 1))
    for fold in range(_N_FOLDS):
        training, test = (
            1 - standardized(some(A, places)).T @ standardized(some(B, places))
            for places in map(np.flatnonzero, (folds != fold, folds == fold))
        )
        for place, mass in enumerate(_MASSES[1:]):
            i, j, moved = _plan(training, float(mass))
            costs[fold, place] = test[i, j] @ moved
    return costs


def _least_good_mass(costs):
    """Least mass whose total is not above the least one's by a paired t test."""
    totals = costs + (1 - _MASSES[1:])
    excess = totals - totals[:, [np.argmin(totals.mean(axis=0))]]
    errors = excess.std(axis=0, ddof=1) / _N_FOLDS**0.5
    limits = student_t(_N_FOLDS - 1).ppf(_CONFIDENCE) * errors
    return float(_MASSES[1 + np.argmax(excess.mean(axis=0) <= limits)])


def _corner(costs):
    """Mass at the largest curvature of the cost over the mass that is left out."""
    curvatures = _curvatures(1 - _MASSES, np.concatenate([[0.0], costs]))
    # a mass of 0 matches nothing
    return float(_MASSES[1 + np.argmax(curvatures[1:])])


def _curvatures(x, y):
    """Curvature of a curve at its points, by differences."""
    dx, dy = np.gradient(x), np.gradient(y)
    ddx, ddy = np.gradient(dx), np.gradient(dy)
    return np.abs(dx * ddy - ddx * dy) / (dx**2 + dy**2) ** 1.5
