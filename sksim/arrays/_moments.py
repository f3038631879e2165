"""Joint second moments of two representations: what a stream of rows is reduced to.

Sums are about the means, in double precision, and are merged by moving both parts to
their joint mean (Chan, Golub, LeVeque 1979). Sums about zero, corrected at the end,
would lose all digits at a large offset.
"""

from dataclasses import dataclass, replace
from functools import reduce

from sksim.arrays._linalg import (
    Basis,
    centered,
    refuse_constant,
    rescaled,
    role_name,
)
from sksim.arrays._matching import selection_matrix
from sksim.arrays._moebius import moebius_table, sums_over_distinct
from sksim.arrays._namespace import (
    as_float64,
    column_inner,
    column_sum_of_squares,
    inner,
    row_slices,
    row_sum_of_squares,
    take,
    to_numpy,
)

# Second moments hold the square of a condition number, and 1e-15 times 1e12 is what
# whitening by them may cost.
MAX_CONDITION = 1e6
# Rows of one slice hold at least this many entries.
_SLICE_ENTRIES = 2**21


@dataclass(frozen=True)
class Side:
    """Mean and spread of one representation, in units of ``scale``.

    Attributes
    ----------
    n : int
        Number of rows.
    mean : array of shape (n_features,)
        Mean, in the units of the representation.
    rest : array of shape (n_features,)
        What rounding left of the mean: ``mean + rest`` has twice the digits.
    squares : array of shape (n_features,)
        Sum of squares of each centred column.
    squared_norm : float
        Sum of all squares.
    scale : float
        Power of two; the centred rows are multiples of it.
    cubes, fourths : arrays of shape (n_features,), or None
        Sums of the third and fourth powers of each centred column.
    """

    n: int
    mean: object
    rest: object
    squares: object
    squared_norm: float
    scale: float
    cubes: object = None
    fourths: object = None


@dataclass(frozen=True)
class Products:
    r"""Sums over rows of products of two centred representations a and b.

    Attributes
    ----------
    matrix : array of shape (n_features_a, n_features_b)
        Sum of a b'.
    left, right : array, or None
        Sums of a \|b\|^2 and of b \|a\|^2.
    quartic : float, or None
        Sum of \|a\|^2 \|b\|^2.
    """

    matrix: object
    left: object = None
    right: object = None
    quartic: float | None = None


@dataclass(frozen=True)
class Moments:
    """Joint moments of two representations.

    Attributes
    ----------
    x, y : Side
        Means and spreads of X and of y.
    xx, yy, xy : Products, or None
        Products of X with itself, of y with itself, and of X with y.
    """

    x: Side
    y: Side
    xx: Products | None = None
    yy: Products | None = None
    xy: Products | None = None

    @property
    def n(self):
        """Number of rows of X."""
        return self.x.n


@dataclass(frozen=True)
class MomentSums:
    """What moments over all orders of rows need of a linear kernel, by moments of rows.

    Mean and variance are exact. Of third order it is what remains if all rows are of
    one length and cubes of products of two rows add to 0: what is left out is less by
    an order of the number of rows.

    Attributes
    ----------
    n_samples : int
    trace, size : float
        0 for a kernel whose diagonal is set aside; its norm.
    kurtosis : float
        Of the rows' squared lengths.
    invariants : dict of int to dict of graph to float
        Of second and third order, without trace.
    """

    n_samples: int
    trace: float
    size: float
    kurtosis: float
    invariants: dict

    @classmethod
    def of(cls, side, products, squared_norm, *, hollow, xp):
        """Sums of one layer.

        Parameters
        ----------
        side : Side
        products : Products
            Of the layer with itself, with those of fourth order.
        squared_norm : float
            Of the centred kernel, by its own estimator.
        hollow : bool
            Whether its diagonal is set aside.
        xp : module
        """
        n, total, squares = side.n, side.squared_norm, float(products.quartic)
        square = products.matrix @ products.matrix
        share = total / (n - 1)
        whole = float(inner(products.matrix, products.matrix, xp=xp))
        cube = float(inner(square, products.matrix, xp=xp))
        cube += share * (-3 * whole + 3 * share * total - share * share * (n - 1))
        # of the diagonal without trace, whose mean is 0
        spread = squares - total * total / n
        without_trace = squared_norm if hollow else squared_norm - total * share
        second = {
            ((0, 0), (0, 0)): 0.0 if hollow else spread,
            ((0, 1), (0, 1)): without_trace,
        }
        third = dict.fromkeys(moebius_table(3)[0], 0.0)
        third[(0, 1), (0, 2), (1, 2)] = cube
        return cls(
            n,
            0.0 if hollow else total,
            max(squared_norm, 0.0) ** 0.5,
            n * squares / total**2,
            {2: second, 3: third},
        )

    def sums(self, order):
        """Sums over distinct indices of products of entries, of each kind."""
        return sums_over_distinct(self.invariants[order], order)


# ----- made of rows -------------------------------------------------------------------


def moments_of(X, y, needs, *, xp):
    """Moments of some rows.

    Parameters
    ----------
    X, y : arrays of shape (n_samples, n_features) and (n_samples, n_features_y)
        Validated rows.
    needs : set of {"gram", "cross", "quartic", "columns"}
        What is wanted beside means and spreads: products of each representation with
        itself, of the two with each other, and the products' moments of third and
        fourth order, and those of each column by itself.
    xp : module
        Array namespace.

    Returns
    -------
    moments : Moments
    """
    if not needs:  # nothing joint: rows need not be paired
        x, y = (
            reduce(
                lambda a, b: _merged_sides(a, b, xp)[0],
                (
                    _Rows(A[rows, :], False, xp).side(None, xp)
                    for rows in _slices(A.shape)
                ),
            )
            for A in (X, y)
        )
        return Moments(x, y)
    width = max(X.shape[1], y.shape[1])
    parts = (
        _moments_of_slice(X[rows, :], y[rows, :], needs, xp)
        for rows in _slices((X.shape[0], width))
    )
    return reduce(lambda a, b: merged(a, b, xp=xp), parts)


def _slices(shape):
    """Slices with enough rows to make merging cheap beside the products."""
    n_rows, width = shape
    return row_slices(n_rows, width, max(_SLICE_ENTRIES, 2 * width * width))


class _Rows:
    """Centred rows of a slice, and their lengths if those are wanted."""

    def __init__(self, X, with_lengths, xp):
        X = as_float64(X, xp=xp)
        rows, mean, scale, squared_norm = centered(X, xp=xp)
        # what the mean has no digits for, left in all rows or taken from all
        left = xp.mean(rows, axis=0)
        rest = left * scale + ((X[0, :] - mean) - rows[0, :] * scale)
        missed = rows.shape[0] * float(inner(left, left, xp=xp))
        if missed > 1e-17 * squared_norm:
            rows = rows - left
            squared_norm = squared_norm - missed
        self.rows = rows
        self.known = mean, rest, squared_norm, scale
        self.lengths = None
        if with_lengths:
            self.lengths = row_sum_of_squares(self.rows, xp=xp)

    def side(self, gram, xp, with_powers=False):
        """Mean and spread; the squares are the diagonal of the Gram matrix, if any."""
        mean, rest, squared_norm, scale = self.known
        if gram is None:
            squares = column_sum_of_squares(self.rows, xp=xp)
        else:
            squares = xp.linalg.diagonal(gram.matrix)
        side = Side(self.rows.shape[0], mean, rest, squares, squared_norm, scale)
        if not with_powers:
            return side
        powers = self.rows * self.rows
        return replace(
            side,
            cubes=column_inner(powers, self.rows, xp=xp),
            fourths=column_sum_of_squares(powers, xp=xp),
        )

    def times(self, other, xp):
        """Products of these rows with others."""
        matrix = self.rows.T @ other.rows
        if self.lengths is None:
            return Products(matrix)
        return Products(
            matrix,
            self.rows.T @ other.lengths,
            other.rows.T @ self.lengths,
            float(inner(self.lengths, other.lengths, xp=xp)),
        )


def _moments_of_slice(X, y, needs, xp):
    x, y = (_Rows(rows, "quartic" in needs, xp) for rows in (X, y))
    xx, yy = (a.times(a, xp) if "gram" in needs else None for a in (x, y))
    sides = (a.side(aa, xp, "columns" in needs) for a, aa in ((x, xx), (y, yy)))
    return Moments(*sides, xx, yy, x.times(y, xp))


# ----- moved and merged ---------------------------------------------------------------


@dataclass(frozen=True)
class _Move:
    """How centred rows change: ``rows * factor + shift``, of which there are n."""

    factor: float
    shift: object
    n: int
    squared_norm: float  # of the rows in their old unit


def _moved_products(products, left, right, xp):
    """Products after both representations have been moved."""
    if products is None:
        return None
    u, v = left.shift, right.shift
    n, f, g = left.n, left.factor, right.factor
    matrix = products.matrix if f * g == 1 else products.matrix * (f * g)
    moved = matrix + (n * u)[:, None] * v[None, :]
    if products.quartic is None:
        return Products(moved)
    uu, vv = (float(inner(w, w, xp=xp)) for w in (u, v))
    squares_left = left.squared_norm * f * f
    squares_right = right.squared_norm * g * g
    a_bb = products.left * (f * g * g)
    b_aa = products.right * (f * f * g)
    across = matrix @ v
    return Products(
        moved,
        a_bb + 2 * across + u * (squares_right + n * vv),
        b_aa + 2 * (matrix.T @ u) + v * (squares_left + n * uu),
        products.quartic * (f * f * g * g)
        + 2 * float(inner(v, b_aa, xp=xp) + inner(u, a_bb, xp=xp))
        + 4 * float(inner(u, across, xp=xp))
        + squares_left * vv
        + squares_right * uu
        + n * uu * vv,
    )


def _sum_of_products(a, b):
    if a is None:
        return None
    if a.quartic is None:
        return Products(a.matrix + b.matrix)
    return Products(
        a.matrix + b.matrix, a.left + b.left, a.right + b.right, a.quartic + b.quartic
    )


def _merged_sides(a, b, xp):
    """Side of all rows of two, and the move of each part's rows to the joint mean."""
    n = a.n + b.n
    # the leading parts cancel first: the digits that matter are in the difference
    delta = (b.mean - a.mean) + (b.rest - a.rest)
    step = delta * (b.n / n)
    mean = a.mean + step
    lost = (a.mean - (mean - (mean - a.mean))) + (step - (mean - a.mean))
    _, delta_scale, delta_norm = rescaled(
        (delta * (a.n / n * b.n) ** 0.5)[None, :], xp=xp
    )
    scales = [side.scale for side in (a, b) if side.squared_norm > 0]
    scale = max(scales + [delta_scale] * (delta_norm > 0), default=1.0)
    delta = delta / scale
    moves = _move(a, delta * (-b.n / n), scale), _move(b, delta * (a.n / n), scale)
    squares = _moved_squares(a, moves[0]) + _moved_squares(b, moves[1])
    norm = float(xp.sum(squares))
    powers = [
        None if of_a is None else of_a + of_b
        for of_a, of_b in zip(*map(_moved_powers, (a, b), moves), strict=True)
    ]
    return Side(n, mean, a.rest + lost, squares, norm, scale, *powers), moves


def _move(side, shift, scale):
    # without any spread there is no unit either, and the ratio could overflow
    factor = side.scale / scale if side.squared_norm > 0 else 0.0
    return _Move(factor, shift, side.n, side.squared_norm)


def _moved_squares(side, move):
    return side.squares * move.factor**2 + side.n * move.shift * move.shift


def _moved_powers(side, move):
    """Sums of third and fourth powers after a move."""
    if side.cubes is None:
        return None, None
    s, f = move.shift, move.factor
    squares, cubes = side.squares * f**2, side.cubes * f**3
    return (
        cubes + 3 * s * squares + side.n * s**3,
        side.fourths * f**4 + 4 * s * cubes + 6 * s**2 * squares + side.n * s**4,
    )


def merged(a, b, *, xp):
    """Moments of the rows of both."""
    x, (ax, bx) = _merged_sides(a.x, b.x, xp)
    y, (ay, by) = _merged_sides(a.y, b.y, xp)

    def total(name, of_a, of_b):
        return _sum_of_products(
            _moved_products(getattr(a, name), *of_a, xp),
            _moved_products(getattr(b, name), *of_b, xp),
        )

    return Moments(
        x,
        y,
        xx=total("xx", (ax, ax), (bx, bx)),
        yy=total("yy", (ay, ay), (by, by)),
        xy=total("xy", (ax, ay), (bx, by)),
    )


def about_zero(moments, *, xp):
    """The same moments about zero instead of the means."""
    sides, moves = [], []
    for side in (moments.x, moments.y):
        mean = side.mean + side.rest
        _, mean_scale, mean_norm = rescaled((mean * side.n**0.5)[None, :], xp=xp)
        scales = [side.scale] * (side.squared_norm > 0)
        scale = max(scales + [mean_scale] * (mean_norm > 0), default=1.0)
        move = _move(side, mean / scale, scale)
        squares = _moved_squares(side, move)
        zero = xp.zeros_like(mean)
        norm = float(xp.sum(squares))
        sides.append(Side(side.n, zero, zero, squares, norm, scale))
        moves.append(move)
    x, y = moves
    return Moments(
        *sides,
        xx=_moved_products(moments.xx, x, x, xp),
        yy=_moved_products(moments.yy, y, y, xp),
        xy=_moved_products(moments.xy, x, y, xp),
    )


def without_rounding(moments, *, xp):
    """Moments in which columns that vary by no more than rounding are constant."""
    kept = []
    for side in (moments.x, moments.y):
        rounding = 8 * float(xp.finfo(side.mean.dtype).eps) / side.scale
        is_constant = side.squares <= side.n * (rounding * side.mean) ** 2
        kept.append(xp.astype(~is_constant, xp.float64))
    if all(bool(xp.all(k == 1)) for k in kept):
        return moments
    x, y = kept

    def masked(side, keep):
        squares = side.squares * keep
        side = replace(side, squares=squares, squared_norm=float(xp.sum(squares)))
        if side.cubes is None:
            return side
        return replace(side, cubes=side.cubes * keep, fourths=side.fourths * keep)

    def masked_products(products, left, right):
        if products is None:
            return None
        matrix = products.matrix * left[:, None] * right[None, :]
        return replace(products, matrix=matrix)

    return Moments(
        masked(moments.x, x),
        masked(moments.y, y),
        xx=masked_products(moments.xx, x, x),
        yy=masked_products(moments.yy, y, y),
        xy=masked_products(moments.xy, x, y),
    )


# ----- whitening ----------------------------------------------------------------------


@dataclass(frozen=True)
class BasisWeights(Basis):
    """Orthonormal basis of which only the weights are known.

    ``weights`` times the centred rows, in units of ``scale``, would give the basis.
    """

    weights: object

    def rotations(self, directions, *, xp):
        """Weights of the features that give ``basis @ directions``."""
        return self.weights @ directions * (1.0 / self.scale)


def basis_weights(side, gram, *, xp, role, center=True):
    """Orthonormal basis of the columns of a representation, from its moments.

    Columns without variance are left out, the others are brought to unit variance
    first, so that their units don't count as ill-conditioning. ``center=False`` is for
    moments about zero.
    """
    refuse_constant(side.squared_norm, role, centered=center)
    deviations = xp.sqrt(side.squares)
    divisors = xp.where(deviations == 0, xp.ones_like(deviations), deviations)
    correlations = gram / divisors[:, None] / divisors[None, :]
    eigenvalues, vectors = principal_axes(side, correlations, xp=xp)
    refuse_ill_conditioned(eigenvalues[0], eigenvalues[-1], side, role)
    roots = xp.sqrt(eigenvalues)
    weights = vectors / divisors[:, None] / roots
    coordinates = (vectors * roots).T * deviations
    mean = side.mean + side.rest
    return BasisWeights(None, coordinates, mean, side.scale, weights)


def principal_axes(side, gram, *, xp):
    """(eigenvalues, eigenvectors) of a Gram matrix, ascending.

    Columns without variance have none: they would add eigenvalues of zero.
    """
    width = side.squares.shape[0]
    alive = xp.nonzero(side.squares > 0)[0]
    if alive.shape[0] == width:
        return xp.linalg.eigh(gram)
    gram = take(take(gram, alive, xp=xp), alive, xp=xp, axis=1)
    eigenvalues, vectors = xp.linalg.eigh(gram)
    alive = to_numpy(alive, xp=xp)
    return eigenvalues, selection_matrix(alive, width, like=gram, xp=xp) @ vectors


def refuse_ill_conditioned(smallest, largest, side, role):
    """Raise unless whitening by second moments keeps enough digits.

    Parameters
    ----------
    smallest, largest : float
        Eigenvalues of the second-moment matrix that is to be inverted.
    side : Side
        The representation.
    role : str
        What to call it.
    """
    if float(smallest) * MAX_CONDITION**2 >= float(largest):
        return
    name, width = role_name(role), side.squares.shape[0]
    if side.n <= width:
        raise ValueError(
            f"{name} has {width} features but only {side.n} rows so far, too few to "
            "whiten it. Pass more rows to partial_fit; fit takes few rows, too."
        )
    # beyond 1e8 all that is known is that it is large
    condition = (float(largest) / max(float(smallest), 1e-16 * float(largest))) ** 0.5
    raise ValueError(
        f"{name} has a condition number of about {condition:.0e}, too much to "
        "whiten it by second moments, which hold the square: partial_fit allows up to "
        f"{MAX_CONDITION:.0e}. Use fit on all rows at once, leave out features that "
        "depend on others, or choose a measure that does not whiten, such as CKA."
    )
