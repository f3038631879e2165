"""Rows in pieces, of arrays and of tables."""


def slices(n_rows, size):
    """Slices of ``size`` rows each, the last of what remains.

    Parameters
    ----------
    n_rows : int
    size : int
        At least 1.

    Returns
    -------
    slices : list of slice
    """
    return [slice(i, min(i + size, n_rows)) for i in range(0, n_rows, size)]


def take_slice(X, rows):
    """Some successive rows of an array, sparse array, tensor, list or data frame."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]
