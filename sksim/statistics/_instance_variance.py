"""How a row's value varies across models."""

from sklearn.base import clone

from sksim.arrays._namespace import get_namespace_and_device
from sksim.statistics._concentricity import Concentricity
from sksim.statistics._magnitude import Magnitude


def instance_variance(measure, Xs):
    """Variance across models of each row's own value.

    Parameters
    ----------
    measure : Magnitude or Concentricity
        What is taken of each row: its length, or its cosine with the mean row.
    Xs : sequence of array-like of shape (n_samples, n_features)
        Representations of the same rows by several models; widths may differ.

    Returns
    -------
    variances : array of shape (n_samples,)
        Mean squared deviation from the mean over models.

    Examples
    --------
    >>> from sksim.statistics import Magnitude, instance_variance
    >>> models = [[[3.0, 4.0], [1.0, 0.0]], [[5.0, 0.0], [3.0, 0.0]]]
    >>> instance_variance(Magnitude(), models)
    array([0., 1.])
    """
    Xs = list(Xs)
    if len(Xs) < 2:
        raise ValueError(
            f"A variance across models needs at least 2 representations, got {len(Xs)}."
        )
    if not isinstance(measure, Magnitude | Concentricity):
        raise ValueError(
            f"{type(measure).__name__} has no value for each row: measure must be "
            "Magnitude() or Concentricity()."
        )
    first = Xs[0]
    values = [clone(measure).fit(first, X).row_values_[1] for X in Xs]
    if any(len(v) != len(values[0]) for v in values):
        lengths = sorted({len(v) for v in values})
        raise ValueError(
            "All representations must describe the same rows, in the same order: got "
            f"{lengths} rows."
        )
    xp = get_namespace_and_device(values[0])[0]
    table = xp.stack(values)
    return xp.mean((table - xp.mean(table, axis=0)) ** 2, axis=0)
