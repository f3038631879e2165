"""Scores of predictions, target by target, and regressions of any library."""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.linalg import LinAlgError
from sklearn.base import clone
from sklearn.multioutput import MultiOutputRegressor
from sklearn.utils import get_tags

from sksim.arrays._linalg import centered, refuse_constant
from sksim.arrays._namespace import column_sum_of_squares, to_numpy
from sksim.arrays._views import View


@dataclass(frozen=True)
class GivenRows(View):
    """Rows as they are, for a regression that makes of them what it will."""

    rows: object
    mean: object

    _row_fields = ("rows",)


def given_rows(X, role, *, xp):
    """View of rows, which are brought to numpy; constant ones are refused."""
    _, mean, _, squared_norm = centered(X, xp=xp)
    refuse_constant(squared_norm, role)
    return GivenRows(to_numpy(X, xp=xp), mean)


def fitted_regressor(regressor, X, y):
    """Clone of a regressor, fitted to predict the columns of y."""
    regressor, name = clone(regressor), type(regressor).__name__
    if y.shape[1] == 1:
        y = y[:, 0]
    elif not get_tags(regressor).target_tags.multi_output:
        regressor = MultiOutputRegressor(regressor)
    try:
        return regressor.fit(X, y)
    except LinAlgError as error:
        raise ValueError(
            f"{name} could not be fitted ({error}): rescale X, for example to unit "
            "norm, and remove columns that are nearly the same."
        ) from error


def has_seed(regressor):
    """Whether all that a regressor may draw at random has a seed."""
    return not any(
        name.rpartition("__")[2] == "random_state" and value is None
        for name, value in regressor.get_params().items()
    )


def predictions(regressor, X):
    """Predicted columns, on numpy."""
    predicted = np.asarray(regressor.predict(X), dtype=np.float64)
    return predicted.reshape(len(X), -1)


def scores_of_predictions(y, predicted, *, correlation, xp):
    """Score of each target, and its sum of squares about its mean.

    A target that does not vary has a sum of squares of 0 and the score 0; a prediction
    that does not vary correlates 0 with any target.

    Parameters
    ----------
    y, predicted : arrays of shape (n_samples, n_targets)
    correlation : bool
        Whether the scores are Pearson's r, or R^2 against the targets' own means.
    xp : module
    """
    rows, _, scale, squared_norm = centered(y, xp=xp)
    refuse_constant(squared_norm, "y")
    squares = column_sum_of_squares(rows, xp=xp)
    if not correlation:
        residuals = column_sum_of_squares((y - predicted) * (1 / scale), xp=xp)
        return 1 - _ratio(residuals, squares, otherwise=1.0, xp=xp), squares
    predicted = centered(predicted, xp=xp)[0]
    norms = squares**0.5 * column_sum_of_squares(predicted, xp=xp) ** 0.5
    return _ratio(xp.sum(rows * predicted, axis=0), norms, xp=xp), squares


def scores_of_products(products, shares, squares, *, correlation, xp):
    """The same of what an orthonormal basis of X has in common with the targets.

    Parameters
    ----------
    products : array of shape (n_directions, n_targets)
    shares : array of shape (n_directions,) or None
        Of each direction that a ridge leaves; None for all of each.
    squares : array of shape (n_targets,)
        Of the targets about their means.
    correlation : bool
    xp : module
    """
    products = products * products
    if shares is None:
        explained = _ratio(xp.sum(products, axis=0), squares, xp=xp)
        return explained**0.5 if correlation else explained
    shares = shares[:, None]
    if not correlation:
        missed = 1 - shares
        explained = xp.sum(products * (1 - missed * missed), axis=0)
        return _ratio(explained, squares, xp=xp)
    norms = (squares * xp.sum(products * shares * shares, axis=0)) ** 0.5
    return _ratio(xp.sum(products * shares, axis=0), norms, xp=xp)


def _ratio(numerators, denominators, *, otherwise=0.0, xp):
    """Quotients, and another number where the denominator is 0."""
    is_there = denominators > 0
    safe = xp.where(is_there, denominators, xp.ones_like(denominators))
    missing = xp.full_like(denominators, otherwise)
    return xp.where(is_there, numerators / safe, missing)


def aggregated(scores, squares, aggregate, *, xp):
    """One number for the targets that vary."""
    if aggregate == "variance_weighted":
        return xp.sum(scores * squares) / xp.sum(squares)
    scores = scores[squares > 0]
    if aggregate == "mean":
        return xp.mean(scores)
    ascending, n = xp.sort(scores), scores.shape[0]
    return (ascending[(n - 1) // 2] + ascending[n // 2]) / 2


def with_nan(scores, squares, *, xp):
    """Scores, nan for targets that do not vary."""
    return xp.where(squares > 0, scores, xp.full_like(scores, xp.nan))


def warn_of_constant_targets(scores, *, xp):
    """Say how many targets have no score and are left out."""
    n_constant = int(xp.count_nonzero(xp.isnan(scores)))
    if n_constant:
        warnings.warn(
            f"{n_constant} of {scores.shape[0]} columns of y do not vary and are left "
            "out: there is nothing to predict.",
            UserWarning,
            stacklevel=3,
        )
