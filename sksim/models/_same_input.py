"""Representations that are nothing but the input, shifted and scaled."""

import warnings

import numpy as np
from scipy import sparse

# A column is another one, shifted and scaled, if the cosine of both is that close to 1.
# Scalers of single precision stay within 1e-13; of noise it takes a share of 1e-4.
_TOLERANCE = 1e-8


def warn_of_inputs(views, data):
    """Warn if two or more of several models' representations are the input itself.

    Parameters
    ----------
    views : sequence of arrays
    data : array-like
        The rows that the models were applied to.
    """
    if len(views) > 1 and sum(is_input(view, data) for view in views) > 1:
        warnings.warn(
            "The representations are the columns of data, shifted and scaled: two "
            "such views are the same input, and say nothing of what models learnt. "
            "Compare models that come after them, or name another layer.",
            UserWarning,
            stacklevel=2,
        )


def is_input(view, data):
    """Whether each column of a view is a column of the data, shifted and scaled.

    Parameters
    ----------
    view : array of shape (n_samples, n_columns)
    data : array-like
    """
    if sparse.issparse(data):
        if np.shape(view) != data.shape:
            return False  # dense it may be far wider than the view
        data = data.toarray()
    Z, X = _standardized(view), _standardized(data)
    # two points are always on a line
    if Z is None or X is None or len(Z) < 3 or 0 in (Z.shape[1], X.shape[1]):
        return False
    if Z.shape == X.shape and _are_one(np.einsum("ij,ij->j", Z, X)).all():
        return True
    if not _are_one(Z[:, 0] @ X).any():
        return False
    return bool(_are_one(Z.T @ X).any(axis=1).all())


def _are_one(cosines):
    return np.abs(cosines) > 1 - _TOLERANCE


def _standardized(array):
    """Columns that vary, with mean 0 and norm 1; None unless these are numbers."""
    try:
        array = np.asarray(array, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError):  # text, loaders, other devices
        return None
    if array.ndim != 2 or not np.isfinite(array).all():
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        rounding = 1e-13 * np.linalg.norm(array, axis=0)
        array = array - array.mean(axis=0)
        norms = np.linalg.norm(array, axis=0)
    varies = (norms > rounding) & np.isfinite(norms)
    return array[:, varies] / norms[varies]
