"""Whether two networks were trained independently, by the order of their units."""

import math
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pandas as pd
from scipy.linalg import eigh
from scipy.special import betainc, betaln, gammaln, hyp2f1, logsumexp, xlogy
from scipy.stats import rankdata

from sksim._results import ResultMixin
from sksim._typing import Model
from sksim.arrays._matching import best_assignment
from sksim.models._weights import (
    FIXED,
    read_network,
    refuse_no_hidden_units,
    refuse_other_architecture,
)

# Up to here all orders are counted. At 10 units Student's t is off by up to 12 %
# of p-values above .05; at 5 units by 55 %.
_FEW_UNITS = 9
# A principal component below this share of the largest is rounding.
_NO_COMPONENT = 1e-10


@dataclass(frozen=True, kw_only=True)
class IndependenceTestResult(ResultMixin):
    """Result of :func:`independence_test`.

    Attributes
    ----------
    statistic : float
        Fisher's statistic, minus twice the sum of the layers' log p-values.
    dof : int
        Its degrees of freedom, twice the number of layers.
    pvalue, log_pvalue : float
        Probability of layers whose units agree as well or better if the networks were
        trained independently, and its natural logarithm. 0 and -inf where a layer's
        units all agree.
    table : DataFrame
        One row for each layer of hidden units: ``n_units``, those that were matched;
        ``spearman``, the rank correlation of their places; ``pvalue``; ``method``,
        "exact" or "t"; ``mean_cosine``, the mean cosine of matched units.
    matched : dict of str to int array
        For each layer the unit of the second network that is matched to unit i of the
        first by its incoming weights; -1 for units without weights.
    matched_by_outgoing : dict of str to int array or None
        The same by outgoing weights, for ``robust=True``.
    robust : bool
        Which of the two tests was made.
    """

    statistic: float
    dof: int
    pvalue: float
    log_pvalue: float
    table: pd.DataFrame = field(repr=False)
    matched: dict[str, np.ndarray] = field(repr=False)
    matched_by_outgoing: dict[str, np.ndarray] | None = field(repr=False)
    robust: bool

    def to_frame(self) -> pd.DataFrame:
        """The table of layers.

        Returns
        -------
        frame : pandas.DataFrame
        """
        return self.table


def independence_test(
    model_a: Model, model_b: Model, *, robust: bool = False
) -> IndependenceTestResult:
    """Test whether two networks of one architecture were trained independently.

    Hidden units start at random, so that unit 5 of a network has nothing to do with
    unit 5 of another that started from other random numbers, whatever both were trained
    on. In a copy, a fine-tune or a merge it has. In each layer units are matched by the
    cosines of their incoming weights, without biases; the rank correlation of matched
    places is tested, and the layers' p-values are combined by Fisher's method.

    Parameters
    ----------
    model_a, model_b : MLPClassifier, MLPRegressor, torch module or list of weights
        Two networks of the same architecture, with hidden units.
    robust : bool, default=False
        Whether to find copies too whose units were put in another order. Units are then
        matched once by incoming and once by outgoing weights, and it is tested whether
        both matchings agree.

    Returns
    -------
    result : IndependenceTestResult
        Frozen; its attributes are ``statistic``, ``dof``, ``pvalue``, ``log_pvalue``,
        ``table``, ``matched``, ``matched_by_outgoing`` and ``robust``.

    Raises
    ------
    ValueError
        If a network has a layer whose units are not known, or no hidden units, or if
        the networks are of two architectures.

    See Also
    --------
    sksim.structural.WeightMatching : How far apart the weights are.

    Notes
    -----
    The p-value of ``robust=False`` holds for any training, on the same data too, if the
    weights that a network started from are alike in distribution for all units of a
    layer. It is two-sided, exact for layers of up to 9 units, of which all orders are
    counted, and by Student's t for wider ones; it is 0 where all units agree, which by
    chance they do in 2 of h! orders. The places alone are looked at: networks that are
    unrelated but for an order that both were sorted into are found dependent.

    The robust form matches units of the smallest distances, layer by layer from the
    input on, each by the weights to what is matched already, and once more from the
    output back. Units that have learnt the same from the same data have similar
    incoming *and* outgoing weights, in independent networks too; so the incoming
    weights are cleared of what a linear map of the outgoing ones explains, by at most
    half as many principal components as units. What is left are traces of the random
    start. The p-value is then close to what it should be, not exact: of pairs of
    networks trained from two seeds on the same data (iris, wine, digits, two made
    problems; 16 to 64 units) 3 to 6 % had p <= .05, of one problem 12 %, and without
    this step up to 36 %; of four other problems, with one hidden layer or two, 3 to 7 %
    (pairs of 24 networks each). Copies of networks of few inputs and outputs, whose
    units differ in few numbers, are found after a few epochs of training, not after
    many.

    References
    ----------
    S. Zhu, A. Ahmed, R. Kuditipudi, P. Liang. Independence tests for language models.
    ICML, 2025.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.inference import independence_test
    >>> rng = np.random.default_rng(0)
    >>> def network():
    ...     return [rng.normal(size=(8, 30)), rng.normal(size=(30, 5))]
    >>> first, unrelated = network(), network()
    >>> tuned = [W + 0.3 * rng.normal(size=W.shape) for W in first]
    >>> independence_test(first, unrelated).pvalue > 0.05
    True
    >>> independence_test(first, tuned).pvalue < 1e-10
    True
    >>> order = rng.permutation(30)
    >>> hidden = [tuned[0][:, order], tuned[1][order]]
    >>> independence_test(first, hidden).pvalue > 0.05
    True
    >>> independence_test(first, hidden, robust=True).pvalue < 1e-10
    True
    """
    first, second = read_network(model_a, "model_a"), read_network(model_b, "model_b")
    for network, name in ((first, "model_a"), (second, "model_b")):
        refuse_no_hidden_units(network, name)
    refuse_other_architecture(first, second)
    pairs = [
        (a, b)
        for a, b in zip(first.tensors, second.tensors, strict=True)
        if a.counts and a.values.ndim > 1
    ]
    names = [units.name for units in first.units]
    test = _robust if robust else _plain
    found = test(pairs, second.unmoved())
    if not found:
        raise ValueError(
            "No layer of the networks has units with both incoming and outgoing "
            "weights that could be matched: use robust=False."
        )
    rows = {names[space]: layer for space, layer in found.items()}
    table = pd.DataFrame.from_dict(
        {name: layer.row() for name, layer in rows.items()}, orient="index"
    )
    log_pvalues = [layer.log_pvalue for layer in rows.values()]
    statistic, dof = -2 * math.fsum(log_pvalues), 2 * len(rows)
    log_pvalue = _log_tail_of_chi2(statistic, dof)
    return IndependenceTestResult(
        statistic=statistic,
        dof=dof,
        pvalue=math.exp(log_pvalue),
        log_pvalue=log_pvalue,
        table=table,
        matched={name: layer.matched for name, layer in rows.items()},
        matched_by_outgoing={name: layer.outgoing for name, layer in rows.items()}
        if robust
        else None,
        robust=robust,
    )


# ----- one layer ----------------------------------------------------------------------


@dataclass(frozen=True)
class _Layer:
    """Agreement of one layer's places with the order they should have."""

    matched: np.ndarray
    cosine: float
    n_units: int
    spearman: float
    pvalue: float
    log_pvalue: float
    outgoing: np.ndarray | None = None

    def row(self):
        """Row of the table."""
        return {
            "n_units": self.n_units,
            "spearman": self.spearman,
            "pvalue": self.pvalue,
            "method": "exact" if self.n_units <= _FEW_UNITS else "t",
            "mean_cosine": self.cosine,
        }


def _plain(pairs, unmoved):
    """Each space whose units have incoming weights, as they stand."""
    layers = {}
    for space in range(len(unmoved)):
        both = _weights_of(pairs, space, unmoved, None, incoming=True)
        if both is not None:
            matched, cosine = _matched(*both, by_cosine=True)
            layers[space] = _layer(matched, matched, cosine)
    return layers


def _robust(pairs, unmoved):
    """Each space whose units can be matched both from the input and the output."""
    forward = _matched_along(pairs, unmoved, incoming=True)
    backward = _matched_along(pairs, unmoved, incoming=False)
    layers = {}
    for space in range(len(unmoved)):
        incoming, outgoing = forward(space), backward(space)
        if incoming is None or outgoing is None:
            continue
        by_outgoing, _ = _matched(*outgoing)
        matched, cosine = _matched(*_cleared(incoming, outgoing))
        # place in the first network of the unit that goes where this one's match goes
        places = np.full(len(matched), -1)
        known = by_outgoing >= 0
        places[by_outgoing[known]] = np.flatnonzero(known)
        agreed = np.where(matched >= 0, places[matched], -1)
        layers[space] = _layer(matched, agreed, cosine, by_outgoing)
    return layers


def _matched_along(pairs, unmoved, *, incoming):
    """Match spaces one after the other, from the input on or from the output back.

    Returns
    -------
    weights_of : callable
        From a space to both networks' weights of its units, to those that were matched
        before it and stand in one order; None where there are none.
    """
    assignments, before = list(unmoved), {}
    waiting = list(range(len(unmoved)))[:: 1 if incoming else -1]

    def weights_of(space):
        placed = before.get(space)
        if placed is None:
            return None
        return _weights_of(pairs, space, assignments, placed, incoming=incoming)

    while waiting:
        for space in waiting:
            placed = frozenset(before)
            both = _weights_of(pairs, space, assignments, placed, incoming=incoming)
            if both is not None:
                break
        else:
            break
        waiting.remove(space)
        before[space] = placed
        matched, _ = _matched(*both)
        # units without weights take the places that are left
        left = np.setdiff1d(np.arange(len(matched)), matched)
        assignments[space] = matched.copy()
        assignments[space][matched < 0] = left
    return weights_of


def _weights_of(pairs, space, assignments, placed, *, incoming):
    """Incoming or outgoing weights of a space's units in both networks, as rows.

    Where ``placed`` is given, those to units of other spaces are left out; None if
    there are none at all.
    """
    parts = [], []
    for a, b in pairs:
        for axis, own in enumerate(a.axes):
            others = {s for i, s in enumerate(a.axes) if i != axis} - {FIXED}
            known = placed is None or others <= placed
            if own == space and known and (axis == a.writes) == incoming:
                parts[0].append(_rows(a.values, axis))
                parts[1].append(_rows(b.moved(assignments, axis), axis))
    if len(parts[0]) < 2:
        return tuple(part[0] for part in parts) if parts[0] else None
    return tuple(map(np.hstack, parts))


def _rows(values, axis):
    values = np.moveaxis(values, axis, 0)
    return values.reshape(len(values), -1)


def _matched(rows_a, rows_b, *, by_cosine=False):
    """Unit of b for each unit of a, and the mean cosine of such pairs.

    The sum of cosines is the largest, or of products, so that distances are smallest.
    Units without weights have no direction: their order would be that of their numbers.
    """
    norms = [np.linalg.norm(rows, axis=1) for rows in (rows_a, rows_b)]
    i, j = (np.flatnonzero(norm) for norm in norms)
    products = rows_a[i] @ rows_b[j].T
    lengths = norms[0][i, None] * norms[1][j]
    gains = products / lengths if by_cosine else products
    found_i, found_j = best_assignment(gains, xp=np)
    matched = np.full(len(rows_a), -1)
    matched[i[found_i]] = j[found_j]
    cosines = (products / lengths)[found_i, found_j]
    return matched, float(cosines.mean()) if len(cosines) else math.nan


def _cleared(incoming, outgoing):
    """Incoming weights without what a linear map of the outgoing ones explains.

    The map is that of both networks together.
    """
    rows, causes = np.vstack(incoming), np.vstack(outgoing)
    for matrix in (rows, causes):
        matrix -= matrix.mean(axis=0)
    n_units, width = len(incoming[0]), causes.shape[1]
    n_components = min(width, n_units // 2)
    if n_components:
        last = min(causes.shape) - 1
        some = [max(0, last + 1 - n_components), last]
        small = causes.T @ causes if width <= len(causes) else causes @ causes.T
        values, vectors = eigh(small, subset_by_index=some)
        vectors = vectors[:, values > _NO_COMPONENT * max(values[-1], 0)]
        if width <= len(causes):
            vectors, _ = np.linalg.qr(causes @ vectors)
        rows -= vectors @ (vectors.T @ rows)
    return rows[:n_units], rows[n_units:]


def _layer(matched, places, cosine, outgoing=None):
    """Rank correlation of places with the units' own order, and how likely it is."""
    kept = np.flatnonzero(places >= 0)
    ranks = rankdata(places[kept]).astype(int) - 1
    n = len(ranks)
    if n < 2:
        nothing = (n, math.nan, 1.0, 0.0)
        return _Layer(matched, cosine, *nothing, outgoing)
    differences = int(np.sum((ranks - np.arange(n)) ** 2))
    spearman = 1 - 6 * differences / (n * (n * n - 1))
    if n <= _FEW_UNITS:
        pvalue = _exact_pvalue(differences, n)
        log_pvalue = math.log(pvalue)
    else:
        log_pvalue = _log_pvalue_of_t(spearman, n)
        pvalue = math.exp(log_pvalue)
    return _Layer(matched, cosine, n, spearman, pvalue, log_pvalue, outgoing)


def _log_pvalue_of_t(spearman, n):
    """Two-sided, by Student's t with n - 2 degrees of freedom.

    That is the incomplete beta function of 1 - rho^2; where it is smaller than any
    number, its logarithm is that of the series in front of it.
    """
    x = (1 - spearman) * (1 + spearman)
    if x == 0:
        return -math.inf
    a, b = (n - 2) / 2, 0.5
    pvalue = betainc(a, b, x)
    if pvalue > 1e-290:
        return math.log(pvalue)
    series = hyp2f1(a + b, 1, a + 1, x)
    return a * math.log(x) + b * math.log1p(-x) + math.log(series / a) - betaln(a, b)


def _log_tail_of_chi2(statistic, dof):
    """Logarithm of the survival function, for an even number of degrees of freedom."""
    if math.isinf(statistic):
        return -math.inf
    half, terms = statistic / 2, np.arange(dof // 2)
    return float(logsumexp(xlogy(terms, half) - gammaln(terms + 1)) - half)


def _exact_pvalue(differences, n):
    """Share of all orders that are as far from chance: two-sided."""
    counts = _counts_of_all_orders(n)
    # twice the distance from the middle, since the middle may be a half
    middle = n * (n * n - 1) // 3
    distances = np.abs(2 * np.arange(len(counts)) - middle)
    return counts[distances >= abs(2 * differences - middle)].sum() / counts.sum()


@cache
def _counts_of_all_orders(n):
    """How many orders of n units have each sum of squared differences of places.

    Places are given to one unit after the other; what matters of those that came
    before is which places they took.
    """
    length = n * (n * n - 1) // 3 + 1
    counts = {0: np.eye(1, length, dtype=np.int64)[0]}
    for unit in range(n):
        following = {}
        for taken, count in counts.items():
            for place in range(n):
                if not taken >> place & 1:
                    square = (place - unit) ** 2
                    moved = np.zeros_like(count)
                    moved[square:] = count[: length - square]
                    key = taken | 1 << place
                    following[key] = following.get(key, 0) + moved
        counts = following
    return counts[2**n - 1]
