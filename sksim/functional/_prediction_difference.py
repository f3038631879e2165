"""Distance of a group's predictions from their mean."""

from dataclasses import dataclass
from numbers import Real

import numpy as np

from sksim._sklearn_compat import Interval
from sksim.arrays._namespace import (
    as_float64,
    device_of,
    number,
    row_norms,
    to_numpy,
)
from sksim.arrays._views import View
from sksim.base import BaseGroupSimilarity
from sksim.base._row_sums import GroupSumComparison
from sksim.functional._tags import probability_tags
from sksim.models._outputs import columns_of


@dataclass(frozen=True)
class TrueClassProbabilities(View):
    """Probability that a model gives to each row's true class, as one column."""

    rows: object

    _row_fields = ("rows",)


class PredictionDifference(BaseGroupSimilarity):
    r"""Mean distance of a group's predictions from their mean.

    With L models' rows :math:`O_i^f` of probabilities and their mean
    :math:`\bar O_i`,

    .. math:: m(G) = \frac{1}{N L} \sum_i \sum_f \Vert O_i^f - \bar O_i \Vert_p .

    A distance, 0 for a group of equal models. Its ``relative`` form looks at the true
    classes' probabilities only, and in units of their mean,

    .. math:: m(G) = \frac{1}{N L} \sum_i
        \sum_f \frac{|O_{i t_i}^f - \bar O_{i t_i}|}{\bar O_{i t_i}} .

    Parameters
    ----------
    p : float, default=1
        Order of the norm, at least 1.
    relative : bool, default=False
        Whether to compare the probabilities of the true classes, relative to their
        mean. It needs ``y_true``.
    labels : array-like of shape (n_classes,), default=None
        For ``relative``: class of each column. None takes the models' own with
        ``from_estimators``; else the sorted classes in ``y_true`` if they are as many
        as the columns, else 0, 1, ...

    Attributes
    ----------
    statistic_, distance_ : float
        Mean distance.
    score_ : float
        Minus the mean.
    row_values_ : array of shape (n_samples,)
        Value of each row.
    classes_ : ndarray of shape (n_classes,)
        Only with ``relative`` and after ``from_estimators``: class of each column.
    n_models_ : int
        Number of models.
    n_features_in_ : int
        The same, where X held all models.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If X holds fewer than two models or rows that are not probabilities, or if
        ``relative`` without ``y_true`` or where no model holds a true class possible.

    See Also
    --------
    SoftPredictionDifference : For two models.
    RashomonCapacity : In units of information.

    References
    ----------
    G. Shamir, L. Coviello. Anti-distillation: improving reproducibility of deep
    networks. arXiv:2010.09923, 2020.

    Examples
    --------
    >>> from sksim.functional import PredictionDifference
    >>> X = [[[1.0, 0.0], [0.5, 0.5]], [[0.2, 0.8], [0.2, 0.8]]]
    >>> PredictionDifference().fit(X).distance_
    0.25
    """

    _parameter_constraints: dict = {
        "p": [Interval(Real, 1, None, closed="both")],
        "relative": ["boolean"],
        "labels": ["array-like", None],
    }

    _kind = GroupSumComparison

    def __init__(self, p=1, *, relative=False, labels=None):
        self.p = p
        self.relative = relative
        self.labels = labels

    def _view(self, X, xp, y_true=None, classes=None):
        if not self.relative:
            return X
        labels = classes if self.labels is None else self.labels
        truth = (
            to_numpy(y_true, xp=xp) if not isinstance(y_true, np.ndarray) else y_true
        )
        columns = columns_of(truth, X.shape[1], labels)[0]
        columns = xp.asarray(columns, device=device_of(X))
        probabilities = xp.take_along_axis(X, columns[:, None], axis=1)
        return TrueClassProbabilities(probabilities)

    def _aggregate(self, views, xp):
        rows = [view.rows if self.relative else view for view in views]
        mean = sum(rows) / len(rows)
        values = sum(row_norms(row - mean, self.p, xp=xp) for row in rows) / len(rows)
        if self.relative:
            if bool(xp.any(mean == 0)):
                raise ValueError(
                    "X gives probability 0 to the true class in all models on "
                    f"{int(xp.count_nonzero(mean == 0))} rows, where a relative "
                    "difference has no unit. Drop these rows, or use relative=False."
                )
            values = values / mean[:, 0]
        return number(xp.sum(as_float64(values, xp=xp))), {"row_values_": values}

    def _of_sums(self, sums, n_samples):
        return sums / n_samples

    def _partial_fit(self, X, y, **metadata):
        if self.relative and self.labels is None:
            metadata = self._named_by_place(X, metadata)
        return super()._partial_fit(X, y, **metadata)

    def _similarity_tags(self):
        needed = ("y_true",) if self.relative else ()
        wanted = (*needed, "classes") if self.relative else ()
        return probability_tags(
            arity="group",
            orientation="distance",
            bounds=(0, float("inf")),
            requires=("probabilities", *needed),
            view_keywords=wanted,
            complexity="n l c",
            reference="Shamir & Coviello 2020",
        )
