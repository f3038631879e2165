"""Measures on two models' predicted labels."""

from dataclasses import dataclass

import numpy as np

from sksim.base import BaseFunctionalSimilarity
from sksim.functional._labels import coded, common_codes, kappa
from sksim.functional._tags import correctness_tags, label_tags
from sksim.functional._undefined import UndefinedMixin, replacement_constraint
from sksim.utils._array_api import count_unequal, encode, joint_counts, to_numpy
from sksim.utils._sklearn_compat import StrOptions
from sksim.utils._views import View


class Disagreement(BaseFunctionalSimilarity):
    r"""Share of rows on which two models predict different labels, or churn.

    .. math:: m(f, f') = \frac{1}{N} \sum_i 1[\hat y_i \ne \hat y_i']

    A distance in [0, 1] and a metric. Two models with error rates e, e' disagree on
    at least \|e - e'\| and at most min(e + e', 1) of the rows. It is blind to
    confidence, and to which of two models is right where they differ.

    Attributes
    ----------
    statistic_, distance_ : float
        Share of rows with different labels.
    score_ : float
        Minus the share.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If the labels are of different kinds (text and numbers) or fractions.

    See Also
    --------
    MinMaxNormalizedDisagreement : Relates it to what the error rates allow.
    JensenShannonDivergence : Compares predicted probabilities.

    References
    ----------
    O. Madani, D. Pennock, G. Flake. Co-validation: using model disagreement on
    unlabeled data to validate classification algorithms. NeurIPS, 2004.

    M. Milani Fard et al. Launch and iterate: reducing prediction churn. NeurIPS,
    2016.

    Examples
    --------
    >>> from sksim.functional import Disagreement
    >>> Disagreement().fit(["cat", "dog", "dog", "cat"], ["cat", "dog", "cat", "dog"]
    ...     ).distance_
    0.5

    From two fitted models:

    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> linear = LogisticRegression(max_iter=1000).fit(X, y)
    >>> tree = DecisionTreeClassifier(random_state=0).fit(X, y)
    >>> round(Disagreement.from_estimators(linear, tree, X).distance_, 3)
    0.027
    """

    def _view(self, X, xp):
        return X

    def _compare(self, view_x, view_y, xp):
        return count_unequal(view_x, view_y, xp=xp) / view_x.shape[0]

    def _min_samples(self):
        return 1

    def _similarity_tags(self):
        return label_tags(
            orientation="distance",
            bounds=(0, 1),
            metric=True,
            reference="Madani et al. 2004",
        )


@dataclass(frozen=True)
class JudgedLabels(View):
    """Labels, the true ones, and the classes seen in either."""

    labels: object
    y_true: object
    classes: np.ndarray

    _row_fields = ("labels", "y_true")


class _JudgedDisagreement(UndefinedMixin, BaseFunctionalSimilarity):
    """Disagreement related to what the models' errors allow.

    Both models are judged by the first view's truth: under a permutation, too, rows
    then have one truth, without which the disagreement leaves its bounds.
    """

    def _view(self, X, xp, y_true):
        classes = [to_numpy(encode(a, xp=xp)[1], xp=xp) for a in (X, y_true)]
        return JudgedLabels(X, y_true, np.union1d(*classes))

    def _compare(self, view_x, view_y, xp):
        differing = count_unequal(view_x.labels, view_y.labels, xp=xp)
        errors = [
            count_unequal(view.labels, view_x.y_true, xp=xp)
            for view in (view_x, view_y)
        ]
        n_classes = len(np.union1d(view_x.classes, view_y.classes))
        return self._relate(differing, *errors, view_x.labels.shape[0], n_classes)

    def _min_samples(self):
        return 1


class ErrorCorrectedDisagreement(_JudgedDisagreement):
    r"""Disagreement relative to one model's error rate.

    With the share of different labels Dis and the error rate e of the first model,

    .. math:: m(f, f') = \mathrm{Dis}(f, f') / e .

    A distance in [0, inf): 0 for equal predictions, 1 if the second model is perfect;
    independent errors of two equally good models give 2 (1 - e) for two classes. It is
    not symmetric, since one model's errors set the scale.

    Parameters
    ----------
    normalize_by : {"first", "second"}, default="first"
        The model whose error rate divides.
    replace_undefined_by : np.nan or float >= 0, default=np.nan
        Value where that model makes no error, which raises an
        :class:`~sklearn.exceptions.UndefinedMetricWarning`.

    Attributes
    ----------
    statistic_, distance_ : float
        Disagreement over error rate.
    score_ : float
        Minus the distance.
    disagreement_ : float
        Share of rows with different labels.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        Without ``y_true``, or if labels are of different kinds or fractions.

    See Also
    --------
    MinMaxNormalizedDisagreement : Uses both models' error rates.

    References
    ----------
    S. Fort, H. Hu, B. Lakshminarayanan. Deep ensembles: a loss landscape perspective.
    arXiv:1912.02757, 2019.

    Examples
    --------
    >>> from sksim.functional import ErrorCorrectedDisagreement
    >>> first, second, truth = [0, 1, 1, 0], [0, 1, 0, 1], [0, 1, 1, 1]
    >>> ErrorCorrectedDisagreement().fit(first, second, y_true=truth).distance_
    2.0
    """

    _parameter_constraints: dict = {
        "normalize_by": [StrOptions({"first", "second"})],
        "replace_undefined_by": replacement_constraint(0, None),
    }
    _undefined_when = "The model whose errors set the scale makes none"

    def __init__(self, normalize_by="first", replace_undefined_by=np.nan):
        self.normalize_by = normalize_by
        self.replace_undefined_by = replace_undefined_by

    def _relate(self, differing, errors_x, errors_y, n_samples, n_classes):
        errors = errors_x if self.normalize_by == "first" else errors_y
        ratio = differing / errors if errors else float("nan")
        return ratio, {"disagreement_": differing / n_samples}

    def _similarity_tags(self):
        return correctness_tags(
            orientation="distance",
            bounds=(0, float("inf")),
            symmetric=False,
            reference="Fort et al. 2019",
        )


class MinMaxNormalizedDisagreement(_JudgedDisagreement):
    r"""Disagreement between the least and the most that the error rates allow.

    With the share of different labels Dis and the error rates e, e',

    .. math:: m(f, f') = \frac{\mathrm{Dis} - D_{min}}{D_{max} - D_{min}}, \quad
        D_{min} = |e - e'|, \quad D_{max} = \min(e + e', 1) .

    A distance in [0, 1]: 0 if one model's errors contain the other's, with the same
    wrong labels; 1 if no row is got wrong by both. It compares pairs of models of
    different quality, which plain disagreement can't.

    Parameters
    ----------
    bound : {"survey", "exact"}, default="survey"
        The largest disagreement. With two classes both models' wrong labels agree, so
        that no more than min(e + e', 2 - e - e') can be attained: "exact" uses this
        where predictions and truth hold no more than two classes. The two differ only
        for models that are wrong on more than half of the rows together.
    replace_undefined_by : np.nan or float in [0, 1], default=np.nan
        Value where least and most coincide, as they do if either model is perfect.
        It raises an :class:`~sklearn.exceptions.UndefinedMetricWarning`.

    Attributes
    ----------
    statistic_, distance_ : float
        Normalised disagreement.
    score_ : float
        Minus the distance.
    disagreement_ : float
        Share of rows with different labels.
    disagreement_range_ : tuple of float
        Least and most disagreement that the error rates allow.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        Without ``y_true``, or if labels are of different kinds or fractions.

    See Also
    --------
    ErrorConsistency : Relates common errors to chance.

    References
    ----------
    M. Klabunde, F. Lemmerich. On the prediction instability of graph neural networks.
    ECML PKDD, 2022.

    Examples
    --------
    >>> from sksim.functional import MinMaxNormalizedDisagreement
    >>> first, second, truth = [0, 1, 1, 0, 2], [0, 1, 0, 2, 2], [0, 1, 1, 1, 2]
    >>> measure = MinMaxNormalizedDisagreement().fit(first, second, y_true=truth)
    >>> measure.disagreement_, round(measure.distance_, 4)
    (0.4, 0.5)
    """

    _parameter_constraints: dict = {
        "bound": [StrOptions({"survey", "exact"})],
        "replace_undefined_by": replacement_constraint(0, 1),
    }
    _undefined_when = "The models' error rates leave disagreement no room"

    def __init__(self, bound="survey", replace_undefined_by=np.nan):
        self.bound = bound
        self.replace_undefined_by = replace_undefined_by

    def _relate(self, differing, errors_x, errors_y, n_samples, n_classes):
        least, most = abs(errors_x - errors_y), min(errors_x + errors_y, n_samples)
        if self.bound == "exact" and n_classes <= 2:
            most = min(most, 2 * n_samples - errors_x - errors_y)
        share = (differing - least) / (most - least) if most > least else float("nan")
        return share, {
            "disagreement_": differing / n_samples,
            "disagreement_range_": (least / n_samples, most / n_samples),
        }

    def _similarity_tags(self):
        return correctness_tags(
            orientation="distance",
            bounds=(0, 1),
            reference="Klabunde & Lemmerich 2022",
        )


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
        For ordered classes: a disagreement counts by the distance of the two labels
        in the sorted order of all labels seen, or by its square. None counts all
        disagreements alike.
    replace_undefined_by : np.nan or float in [-1, 1], default=np.nan
        Value where both models predict one and the same label throughout, which
        raises an :class:`~sklearn.exceptions.UndefinedMetricWarning`.

    Attributes
    ----------
    statistic_, similarity_ : float
        Kappa.
    score_ : float
        Kappa.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If the labels are of different kinds (text and numbers) or fractions.

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
    """

    _parameter_constraints: dict = {
        "weights": [StrOptions({"linear", "quadratic"}), None],
        "replace_undefined_by": replacement_constraint(-1, 1),
    }
    _undefined_when = "Both models predict one and the same label on all rows"

    def __init__(self, weights=None, replace_undefined_by=np.nan):
        self.weights = weights
        self.replace_undefined_by = replace_undefined_by

    def _view(self, X, xp):
        return coded(X, xp=xp)

    def _compare(self, view_x, view_y, xp):
        (codes_x, codes_y), n_classes = common_codes([view_x, view_y], xp=xp)
        counts = joint_counts(codes_x, codes_y, n_classes, xp=xp)
        expected = np.outer(counts.sum(axis=1), counts.sum(axis=0))
        apart = np.abs(np.subtract.outer(np.arange(n_classes), np.arange(n_classes)))
        weights = {None: apart > 0, "linear": apart, "quadratic": apart**2}
        weights = weights[self.weights]
        observed = codes_x.shape[0] * float((weights * counts).sum())
        # in terms of disagreements: none is the total, those by chance the zero
        return kappa(-observed, -float((weights * expected).sum()), 0)

    def _min_samples(self):
        return 1

    def _similarity_tags(self):
        return label_tags(
            orientation="similarity",
            bounds=(-1, 1),
            complexity="n + c^2",
            reference="Cohen 1960",
        )
