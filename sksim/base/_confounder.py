"""A confounder that is a class of each row."""

import array_api_compat
import numpy as np

from sksim.base._readable import as_values, is_text, refuse_missing


def classes_of_confounder(z):
    """Class of each row as a number, or None where z holds numbers.

    Parameters
    ----------
    z : array-like
        Text, booleans, or categories of pandas or polars, one for each row.

    Returns
    -------
    codes : array of int of shape (n_samples,), or None
    """
    is_array = array_api_compat.is_array_api_obj(z)
    if z is None or (is_array and not array_api_compat.is_numpy_array(z)):
        return None  # tensors hold numbers
    values = as_values(z, "z")
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    is_category = type(getattr(z, "dtype", None)).__name__ in (
        "CategoricalDtype",
        "Categorical",
        "Enum",
    )
    if values.ndim != 1 or not (is_category or _are_words(values)):
        return None
    refuse_missing(z, "z")
    return np.unique(values.astype(str), return_inverse=True)[1]


def _are_words(values):
    if values.dtype.kind == "O":
        return any(map(is_text, values))
    return values.dtype.kind in "bUST"


def as_columns_of_classes(codes):
    """One column of zeros and ones for each class."""
    return np.eye(int(codes.max()) + 1)[codes]
