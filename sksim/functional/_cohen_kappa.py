"""Agreement above chance of two models' labels."""

import numpy as np

from sksim._sklearn_compat import StrOptions
from sksim.arrays._namespace import joint_counts, to_numpy
from sksim.base import BaseFunctionalSimilarity
from sksim.base._row_kinds import RowKinds
from sksim.functional._abstentions import (
    ABSTAIN_CONSTRAINT,
    answered,
    table_of_answers,
)
from sksim.functional._labels import (
    coded,
    common_codes,
    kappa,
    refuse_text_without_order,
    union_of_classes,
)
from sksim.functional._tags import INTERVALS_OF_KINDS, label_tags
from sksim.functional._undefined import UndefinedMixin, replacement_constraint

# labels of which pairs are tried as those of a row that was not seen
_N_EXTREME_LABELS = 6


class CohenKappa(UndefinedMixin, BaseFunctionalSimilarity):
    r"""Agreement of predicted labels above chance: Cohen's kappa.

    With the share :math:`p_o` of equal labels and the share :math:`p_e` that two
    independent models with the same frequencies of labels have,

    .. math:: m(f, f') = \frac{p_o - p_e}{1 - p_e} .

    A similarity in [-1, 1]: 1 for equal predictions, about 0 for independent ones. It
    depends on how often each label is predicted, so that pairs on differently
    balanced data are not comparable.

    Parameters
    ----------
    weights : {"linear", "quadratic"}, default=None
        For ordered classes, or grades: a disagreement counts by the distance of the
        places of the two labels in the order of the grades, or by its square. None
        counts all disagreements alike.
    labels : array-like of shape (n_grades,), default=None
        The grades in their order, lowest first. Those that no model gives keep their
        places. None takes the categories of ordered categoricals (of pandas, polars or
        arrow), or the sorted order of all labels seen where these are numbers; text
        has no order of its own.
    abstain : label, default=None
        A label by which models decline to answer: the rows that both answer count, and
        no others. None: it is a label like all others.
    replace_undefined_by : np.nan or float in [-1, 1], default=np.nan
        Value where both models predict one and the same label throughout, which
        raises an :class:`~sklearn.exceptions.UndefinedMetricWarning`.

    Attributes
    ----------
    statistic_, similarity_ : float
        Kappa.
    score_ : float
        Kappa.
    answered_counts_ : ndarray of shape (2, 2)
        Only with ``abstain``: number of rows [[answered by both, by the first alone],
        [by the second alone, by none]].
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If the labels are of different kinds (text and numbers), or fractions that
        ``labels`` does not name, or are to be weighted by an order that is not known.

    See Also
    --------
    FleissKappa : Agreement of a group of models.
    ErrorConsistency : Kappa of who is right, rather than of labels.
    sklearn.metrics.cohen_kappa_score : The same number of two label vectors.

    References
    ----------
    J. Cohen. A coefficient of agreement for nominal scales. Educational and
    Psychological Measurement, 1960.

    Examples
    --------
    >>> from sksim.functional import CohenKappa
    >>> first = ["negative", "positive", "negative", "neutral", "positive"]
    >>> second = ["negative", "positive", "negative", "neutral", "negative"]
    >>> CohenKappa().fit(first, second).similarity_
    0.6875

    Models that may decline to answer:

    >>> measure = CohenKappa(abstain="unsure")
    >>> measure.fit([*first, "unsure"], [*second, "neutral"]).similarity_
    0.6875

    Grades that are text need their order:

    >>> order = ["negative", "neutral", "positive"]
    >>> measure = CohenKappa(weights="linear", labels=order)
    >>> round(measure.fit(first, second).similarity_, 4)
    0.5833
    """

    _parameter_constraints: dict = {
        "weights": [StrOptions({"linear", "quadratic"}), None],
        "labels": ["array-like", None],
        "abstain": ABSTAIN_CONSTRAINT,
        "replace_undefined_by": replacement_constraint(-1, 1),
    }
    _undefined_when = "Both models predict one and the same label on all rows"

    def __init__(
        self, weights=None, *, labels=None, abstain=None, replace_undefined_by=np.nan
    ):
        self.weights = weights
        self.labels = labels
        self.abstain = abstain
        self.replace_undefined_by = replace_undefined_by

    @property
    def _takes_fractions(self):
        return self.labels is not None

    def _view(self, X, xp, classes=None):
        order = classes if self.labels is None else self.labels
        if self.weights is not None and order is None:
            refuse_text_without_order(X, "weights")
        if order is not None and self.abstain is not None:
            order = [label for label in order if label != self.abstain]
            order = [*order, self.abstain]  # it has no place among the grades
        return coded(X, xp=xp, order=order)

    def _compare(self, view_x, view_y, xp, times=None):
        codes, n_classes = common_codes([view_x, view_y], xp=xp)
        counts = joint_counts(*codes, n_classes, xp=xp, times=times)
        return self._of_table(counts, union_of_classes([view_x, view_y]))

    def _of_table(self, counts, classes):
        """Kappa of the rows that both answer, and how many these are."""
        if self.abstain is None:
            return self._of_counts(counts)
        is_answer = answered(classes, self.abstain, np)
        of_both = counts[is_answer][:, is_answer]
        only_x, only_y = counts[is_answer].sum(), counts[:, is_answer].sum()
        both, total = of_both.sum(), counts.sum()
        details = table_of_answers(both, only_x - both, only_y - both, total)
        return self._of_counts(of_both), details

    def _of_counts(self, counts):
        first, second = counts.sum(axis=1), counts.sum(axis=0)
        total = int(counts.sum())
        if self.weights is None:
            agreed, by_chance = int(np.trace(counts)), int(first @ second)
            return kappa(agreed * total, by_chance, total**2)
        places = np.arange(len(counts))
        apart = np.abs(np.subtract.outer(places, places))
        weights = apart if self.weights == "linear" else apart**2
        observed = total * float((weights * counts).sum())
        # in terms of disagreements: none is the total, those by chance the zero
        return kappa(-observed, -float(first @ weights @ second), 0)

    def _row_kinds(self, view_x, view_y, xp):
        """Kinds of rows are pairs of labels."""
        codes, n_classes = common_codes([view_x, view_y], xp=xp)
        codes_x, codes_y = (to_numpy(each, xp=xp) for each in codes)
        square, classes = (n_classes, n_classes), union_of_classes([view_x, view_y])
        n_given = np.bincount(np.concatenate([codes_x, codes_y]), minlength=n_classes)
        # the rarest labels and the most frequent one move kappa the most
        by_rank = np.argsort(n_given, kind="stable")
        some = np.unique(np.append(by_rank[:_N_EXTREME_LABELS], by_rank[-1]))
        return RowKinds(
            of_row=codes_x * n_classes + codes_y,
            value_of=lambda counts: self._value_of(
                self._of_table(counts.reshape(square), classes)
            ),
            extremes=np.add.outer(some * n_classes, some).reshape(-1),
            n_kinds=n_classes**2,
        )

    def _min_samples(self):
        return 1

    def _similarity_tags(self):
        return label_tags(
            view_keywords=("classes",),
            intervals=INTERVALS_OF_KINDS,
            orientation="similarity",
            bounds=(-1, 1),
            complexity="n + c^2",
            reference="Cohen 1960",
        )
