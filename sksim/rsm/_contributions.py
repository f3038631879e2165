"""What the cosine of two centred kernels is made of: parts that add up to it."""

import numpy as np

from sksim.arrays._namespace import to_numpy
from sksim.arrays._pairs import MATRIX_ROWS
from sksim.arrays._symmetric import BlockedMatrix

# Eigenvalues below this share of the largest are what rounding leaves of zero.
_NO_EIGENVALUE = 1e-13


def by_components(comparison):
    """Parts of all pairs of eigenvectors, as a DataFrame."""
    import pandas as pd

    values_x, vectors_x = _components(comparison.view_x, comparison.xp)
    values_y, vectors_y = _components(comparison.view_y, comparison.xp)
    parts = (vectors_x.T @ vectors_y) ** 2
    parts *= values_x[:, None] * values_y[None, :]
    parts /= _norms(comparison)
    n_x, n_y = parts.shape
    x = pd.RangeIndex(n_x, name="X component")
    return pd.DataFrame(parts, index=x, columns=pd.RangeIndex(n_y, name="y component"))


def by_rows(comparison):
    """Parts of the rows, and how the value changes without each, as a DataFrame."""
    import pandas as pd

    xp = comparison.xp
    x, y = comparison.view_x.settled(), comparison.view_y.settled()
    if type(x) is not type(y):
        x, y = (_whole(form, xp) for form in (x, y))
    parts = to_numpy(x.row_products(y, xp=xp), xp=xp) / _norms(comparison)
    table = pd.DataFrame({"part": parts}, index=pd.RangeIndex(len(parts), name="row"))
    without = comparison.without_each_row()
    if without is not None:
        table["influence"] = comparison.statistic() - without
    return table


def by_classes(comparison, y_true):
    """Parts of all pairs of classes, as a DataFrame."""
    import pandas as pd

    labels = np.asarray(y_true)
    if labels.shape != (comparison.n_samples,):
        raise ValueError(
            f"by='classes' needs y_true, one class for each of the "
            f"{comparison.n_samples} rows; got "
            f"{'none' if y_true is None else f'shape {labels.shape}'}."
        )
    classes, codes = np.unique(labels, return_inverse=True)
    xp, forms = comparison.xp, (comparison.view_x, comparison.view_y)
    if all(np.isfinite(f.width) and f.width and not f.hollow for f in forms):
        # entries of both kernels, summed over the rows of two classes, are products
        # of the classes' own cross-products
        rows = [to_numpy(form.centred, xp=xp).astype(np.float64) for form in forms]
        own = (codes == c for c in range(len(classes)))
        products = np.stack([(rows[0][i].T @ rows[1][i]).ravel() for i in own])
        parts = products @ products.T
    else:
        matrices = [to_numpy(_whole(f, xp).matrix, xp=xp) for f in forms]
        is_of = np.eye(len(classes))[codes]
        parts = is_of.T @ (matrices[0] * matrices[1]) @ is_of
    parts = parts / _norms(comparison)
    x, y = (pd.Index(classes, name=f"{name} class") for name in ("first", "second"))
    return pd.DataFrame(parts, index=x, columns=y)


def _norms(comparison):
    return float(comparison.view_x.norm) * float(comparison.view_y.norm)


def _components(form, xp):
    """Eigenvalues that are not zero, the largest magnitude first, and eigenvectors."""
    if not form.hollow and form.width and np.isfinite(form.width):
        rows = to_numpy(form.centred, xp=xp).astype(np.float64)
        vectors, scales, _ = np.linalg.svd(rows, full_matrices=False)
        values = scales**2
    else:
        matrix = to_numpy(_whole(form, xp).matrix, xp=xp).astype(np.float64)
        values, vectors = np.linalg.eigh(matrix)
    order = np.argsort(-np.abs(values), kind="stable")
    order = order[np.abs(values[order]) > _NO_EIGENVALUE * np.abs(values[order[0]])]
    return values[order], vectors[:, order]


def _whole(form, xp):
    """The n x n matrix, unless there are too many rows for one."""
    if isinstance(form, BlockedMatrix) or form.n_samples > MATRIX_ROWS:
        raise ValueError(
            f"{form.n_samples} rows are too many: these contributions need n x n "
            f"matrices. Pass at most {MATRIX_ROWS} of the rows, or use the linear "
            "kernel without debias."
        )
    return form.dense(xp=xp)
