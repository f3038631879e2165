"""What protocols take: matrices of scores, and what is known of their models."""

import numpy as np
import pandas as pd
from scipy import stats

from sksim.base._row_names import quoted, refuse_other_rows


def read_scores(S, *, square=True, name="S"):
    """A matrix of scores with names; a square one is made symmetric.

    Parameters
    ----------
    S : DataFrame or array-like
        Scores: greater means more similar.
    square : bool, default=True
        Whether rows and columns are the same models.
    name : str, default="S"
        The argument's name, for messages.

    Returns
    -------
    scores : DataFrame
        (S + S') / 2 if it is square, with nan on its diagonal.
    """
    if not isinstance(S, pd.DataFrame):
        S = pd.DataFrame(np.asarray(S, dtype=float))
    if S.attrs.get("orientation") == "distance":
        raise ValueError(
            f"{name} holds distances, of which small means similar. Pass scores, of "
            "which greater means more similar: similarity_matrix(..., output='score')."
        )
    values = S.to_numpy(dtype=float, copy=True)
    if square:
        if values.shape[0] != values.shape[1]:
            raise ValueError(
                f"{name} must have one row and one column for each model, got the "
                f"shape {values.shape}."
            )
        with np.errstate(invalid="ignore"):  # inf and -inf have no mean
            values = (values + values.T) / 2
        np.fill_diagonal(values, np.nan)
    missing = np.isnan(values)
    if square:
        np.fill_diagonal(missing, False)
    if missing.any():
        i, j = np.argwhere(missing)[0]
        raise ValueError(
            f"{name} has no number for model {quoted(S.index[i])} against "
            f"{quoted(S.columns[j])}. Leave out models that the measure can't compare."
        )
    return pd.DataFrame(values, index=S.index, columns=S.columns)


def one_for_each(values, scores, name):
    """What is known of each model, in the order of the rows of scores.

    Parameters
    ----------
    values : array-like of shape (n_models,)
    scores : DataFrame
    name : str
        The argument's name, for messages.

    Returns
    -------
    values : ndarray of shape (n_models,)
    """
    refuse_other_rows(**{"S": scores, name: values})
    found = np.asarray(values)
    if found.shape != (len(scores),):
        raise ValueError(
            f"{name} must have one entry for each of the {len(scores)} models of S, "
            f"got the shape {found.shape}."
        )
    if pd.isna(found).any():
        first = scores.index[np.argmax(pd.isna(found))]
        raise ValueError(
            f"{name} has no entry for model {quoted(first)}. Leave out the models of "
            "which it is not known."
        )
    return found


def upper(matrix):
    """Entries above the diagonal."""
    return matrix[np.triu_indices(len(matrix), k=1)]


def spearman(a, b):
    """Rank correlation, ties by average ranks; nan where one of them is constant.

    Parameters
    ----------
    a, b : array of shape (n,)
        Numbers that may be infinite.
    """
    if len(a) < 2:
        return np.nan
    a, b = (stats.rankdata(v) - (len(v) + 1) / 2 for v in (a, b))
    scale = np.sqrt(np.sum(a**2) * np.sum(b**2))
    return float(np.sum(a * b) / scale) if scale > 0 else np.nan


def kendall(a, b):
    """Kendall's tau-b; nan where one of them is constant.

    Parameters
    ----------
    a, b : array of shape (n,)
        Numbers that may be infinite.
    """
    if len(a) < 2:
        return np.nan
    a, b = stats.rankdata(a), stats.rankdata(b)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan
    # the exact p-value that it would compute of few pairs is not used
    return float(stats.kendalltau(a, b, method="asymptotic").statistic)


def most_similar(scores):
    """1 in each row where the score is largest, shared between ties.

    Parameters
    ----------
    scores : array of shape (n_rows, n_columns)
    """
    largest = scores == np.max(scores, axis=1, keepdims=True)
    return largest / np.sum(largest, axis=1, keepdims=True)
