"""Scores by scikit-learn's scorers, or an error that says what does not fit."""

import math


def judge(scorer, model, X, y_true, *, what, hint):
    """Score of a model by a scorer; ValueError where there is none.

    Parameters
    ----------
    scorer : callable
        Takes the model, its input and the true values.
    model : estimator
    X, y_true : array
    what : str
        What is judged, for error messages.
    hint : str
        What to do if the scorer does not fit it.

    Returns
    -------
    score : float
        May be nan for a single row, of which scikit-learn warns.
    """
    try:
        score = float(scorer(model, X, y_true))
    except (AttributeError, OverflowError, TypeError, ValueError) as error:
        reason = str(error).rstrip(".")
        raise ValueError(
            f"{scorer} can't judge {what} by this y_true: {reason}. {hint}"
        ) from error
    if math.isnan(score) and len(y_true) > 1:
        raise ValueError(
            f"{scorer} gives nan for {what}: numbers are too large, or y_true does "
            "not allow it. Rescale the data, or choose another scoring."
        )
    return score
