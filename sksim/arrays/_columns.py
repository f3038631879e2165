"""Matrices of single columns: what a self term counts that two other columns don't.

Columns of a representation may be a sample of many. The product of its kernel with
itself then holds each column with itself, which is no estimate of anything that two
columns share (Chun et al. 2025). U_a is the outer product of a centred column a with
itself, bias-corrected: entries x_i x_j - e_i - e_j off the diagonal, zero on it.
"""

from sksim.arrays._namespace import (
    column_inner,
    column_sum_of_squares,
    device_of,
    row_sums,
)


def product_of_columns(squares, fourths, n, *, xp):
    """Sum over columns of <U_a, U_a>, from the columns' power sums.

    Parameters
    ----------
    squares, fourths : arrays of shape (n_features,)
        Sums of the second and fourth powers of each centred column.
    n : int
        Number of rows.
    """
    whole = 1 + 1 / ((n - 1) * (n - 2))
    return xp.sum(squares * squares) * whole - xp.sum(fourths) * (n / (n - 2))


def row_products_of_columns(columns, *, xp):
    """Row sums of the squared entries of all U_a, without an n x n matrix."""
    squares, effects = _effects(columns, xp=xp)
    own = row_sums(effects * effects, xp=xp)
    shared = column_inner(columns, effects, xp=xp)
    products = squares @ xp.sum(squares, axis=0) + columns.shape[0] * own + xp.sum(own)
    products = products - 2 * columns @ shared + 2 * effects @ xp.sum(effects, axis=0)
    diagonal = squares - 2 * effects
    return products - row_sums(diagonal * diagonal, xp=xp)


def pairs_of_columns(columns, *, xp):
    """Sum over columns of the squared entries of U_a, an n x n matrix."""
    squares, effects = _effects(columns, xp=xp)
    own = row_sums(effects * effects, xp=xp)
    mixed = (columns * effects) @ columns.T
    both = squares @ squares.T + 2 * effects @ effects.T - 2 * (mixed + mixed.T)
    return both + own[:, None] + own[None, :]


def squares_of_columns(columns, *, xp):
    """Sum over columns of the matrix products U_a U_a, an n x n matrix."""
    n = columns.shape[0]
    squares, effects = _effects(columns, xp=xp)
    diagonal = squares - 2 * effects
    # of x x' - e 1' - 1 e', whose x sum to 0
    whole = (columns * column_sum_of_squares(columns, xp=xp)) @ columns.T
    whole = whole + n * (effects @ effects.T) + xp.sum(effects * effects)
    of_rows = effects @ xp.sum(effects, axis=0)
    of_rows = of_rows - columns @ column_inner(columns, effects, xp=xp)
    mixed = (columns * diagonal) @ columns.T - diagonal @ effects.T
    mixed = mixed - row_sums(effects * diagonal, xp=xp)[:, None]
    square = whole + of_rows[:, None] + of_rows[None, :] - mixed - mixed.T
    own = xp.eye(n, dtype=columns.dtype, device=device_of(columns))
    return square + own * row_sums(diagonal * diagonal, xp=xp)[:, None]


def _effects(columns, *, xp):
    """Squares of the columns, and what bias correction subtracts for each row."""
    n = columns.shape[0]
    squares = columns * columns
    totals = column_sum_of_squares(columns, xp=xp)
    return squares, -squares / (n - 2) + totals / (2 * (n - 1) * (n - 2))
