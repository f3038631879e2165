"""Difference of two models' performance."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.stats import binom, binomtest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import check_scoring

from sksim._sklearn_compat import response_methods
from sksim.arrays._namespace import (
    device_of,
    get_namespace_and_device,
    move_to,
    to_numpy,
)
from sksim.arrays._views import View
from sksim.base import BaseFunctionalSimilarity, Comparison, RowSumComparison
from sksim.base._readable import as_values, has_dtype
from sksim.base._tags import SimilarityTags
from sksim.base._validation import (
    check_label_vector,
    check_output_pair,
    check_same_length,
    refuse_mixed_kinds,
)
from sksim.functional._abstentions import ABSTAIN_CONSTRAINT, PairedAnswersMixin
from sksim.functional._tags import INTERVALS, INTERVALS_OF_PAIRS, OF_ROW_SUMS
from sksim.models._judge import judge
from sksim.models._outputs import columns_of, model_outputs


class _ScoredOutputs:
    """A fitted model that is known by its outputs only: scorers get these as X."""

    def fit(self, X, y=None):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def predict(self, X):
        return X


class _Regressor(_ScoredOutputs, RegressorMixin, BaseEstimator):
    """Outputs are predictions of a regressor."""


class _Labels(_ScoredOutputs, ClassifierMixin, BaseEstimator):
    """Outputs are labels, or what a scorer wants of a decision function."""

    def __init__(self, classes=None):
        self.classes_ = classes

    def decision_function(self, X):
        return X


class _Probabilities(_ScoredOutputs, ClassifierMixin, BaseEstimator):
    """Outputs are probabilities; labels are the most probable classes."""

    def __init__(self, classes=None):
        self.classes_ = classes

    def predict(self, X):
        return self.classes_[np.argmax(X, axis=1)]

    def predict_proba(self, X):
        return X


@dataclass(frozen=True)
class JudgedOutputs(View):
    """Outputs with their truth, and a model that hands them to a scorer."""

    outputs: np.ndarray
    y_true: np.ndarray
    model: object
    scorer: object

    _row_fields = ("outputs", "y_true")

    @cached_property
    def performance(self):
        """Score of the outputs."""
        calls = " or ".join(response_methods(self.scorer))
        return judge(
            self.scorer,
            self.model,
            self.outputs,
            self.y_true,
            what=f"outputs of shape {self.outputs.shape}",
            hint=(
                f"It calls {calls}. Pass probabilities, with one column for each "
                "class, where a scorer needs these, and labels or predictions where "
                "it does not."
            ),
        )


@dataclass(frozen=True, kw_only=True)
class AccuracyComparison(RowSumComparison):
    """Two vectors of correct predictions."""

    @classmethod
    def of_sums(cls, measure, sums, n_samples):
        """(Statistic, details) with McNemar's p-value."""
        statistic, details = measure._of_sums(sums, n_samples)
        paired, _ = measure._paired(sums, n_samples)
        if not sum(paired):
            raise ValueError(
                "No row is answered by both models, so that there are no accuracies "
                f"to compare: each row has the label abstain={measure.abstain!r} of "
                "one of them."
            )
        _, only_x, only_y, _ = paired
        pvalue = mcnemar_pvalue(only_x, only_y, "two-sided", mid_p=measure.mid_p)
        return statistic, {**details, "mcnemar_pvalue_": pvalue}

    def outcome(self):
        """Statistic, and details."""
        return self.of_sums(self.measure, self.sums(), self.n_samples)

    def paired_counts(self):
        """Numbers of rows that both, only the first, the second or none get right."""
        return self.measure._paired(self.sums(), self.n_samples)[0]

    def exact_pvalue(self, alternative):
        """McNemar's exact p-value that both models are equally accurate.

        Of a signed difference "less" and "greater" are its two sides; without a sign
        "less" similar is what "two-sided" is, and "greater" has no such test.
        """
        if self.measure.signed:
            return self._mcnemar(alternative)
        return None if alternative == "greater" else self._mcnemar("two-sided")

    def _mcnemar(self, alternative):
        _, only_x, only_y, _ = self.paired_counts()
        return mcnemar_pvalue(only_x, only_y, alternative, mid_p=self.measure.mid_p)


def mcnemar_pvalue(only_x, only_y, alternative, *, mid_p=False):
    """McNemar's p-value, of the rows that one of two models alone gets right.

    The mid-p value counts the observed number half.
    """
    n = only_x + only_y
    if n == 0 or (alternative == "two-sided" and only_x == only_y):
        return 1.0
    pvalue = binomtest(only_x, n, alternative=alternative).pvalue
    if mid_p:
        n_sides = 2 if alternative == "two-sided" else 1
        pvalue -= n_sides * binom.pmf(only_x, n, 0.5) / 2
    return float(pvalue)


class PerformanceDifference(PairedAnswersMixin, BaseFunctionalSimilarity):
    r"""Difference of two models' performance.

    With any score q of predictions against the truth,

    .. math:: m(f, f') = |q(f) - q(f')| .

    A distance that satisfies the triangle inequality, in [0, 1] for accuracy. It is
    blind to everything but the two scores: two models can be equally good and never
    agree where either is wrong.

    Parameters
    ----------
    scoring : str or callable, default="accuracy"
        Name of a scikit-learn scorer, or a scorer ``scorer(estimator, X, y_true)`` as
        :func:`sklearn.metrics.make_scorer` makes it. It is given the outputs as X.
    signed : bool, default=False
        Whether to keep the sign: positive if the first model scores higher. The
        similarity score is minus the absolute value either way. A test then asks for a
        direction: see the notes.
    mid_p : bool, default=False
        Whether McNemar's p-values count the observed table half, with which they are
        nearer to their level, and may exceed it a little. For accuracy only.
    labels : array-like of shape (n_classes,), default=None
        For outputs of several columns: class of each column. None takes the models'
        own with ``from_estimators``; else the sorted classes in ``y_true`` if they are
        as many as the columns, else 0, 1, ...
    abstain : label, default=None
        For accuracy, of labels: one by which models decline to answer. The rows that
        both answer count, and no others. None: a model that declines is not right.

    Attributes
    ----------
    statistic_, distance_ : float
        Difference of scores.
    score_ : float
        Minus the absolute difference.
    performance_x_, performance_y_ : float
        Score of each model.
    mcnemar_pvalue_ : float
        With ``scoring="accuracy"``, p-value of McNemar's exact test that both models
        are equally accurate (two-sided): among the rows that one model alone gets
        right, each model has half. 1 if there are none. None with other scores.
    classes_ : ndarray of shape (n_classes,)
        Only after ``from_estimators``: class of each column, where models know them.
    n_features_in_, n_features_y_in_ : int
        Only for outputs of several columns: their number.
    answered_counts_ : ndarray of shape (2, 2)
        Only with ``abstain``: number of rows [[answered by both, by the first alone],
        [by the second alone, by none]].
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        Without ``y_true``, or if the outputs are not what the scorer needs.

    See Also
    --------
    ErrorConsistency : Whether two models err on the same rows.

    Notes
    -----
    X and y hold labels or predictions of shape (n_samples,), decision scores of the
    same shape, or probabilities of shape (n_samples, n_classes), from which labels
    are the most probable classes.

    The null hypothesis is that the two models are interchangeable, so that their
    outputs can be swapped row by row. For accuracy this is McNemar's test. Permuting
    rows would ask whether the models are better than chance instead.

    :func:`sksim.inference.similarity_test` asks by default whether they differ, which
    is a two-sided question about their accuracies. With ``signed=True`` the
    alternatives are about the signed difference: "less", the default, asks whether the
    second model is better than the first, "greater" whether the first is, and
    "two-sided" whether they differ.

    References
    ----------
    Q. McNemar. Note on the sampling error of the difference between correlated
    proportions or percentages. Psychometrika, 1947.

    M. Klabunde, T. Schumacher, M. Strohmaier, F. Lemmerich. Similarity of neural
    network models: a survey of functional and representational measures. ACM
    Computing Surveys, 2025.

    Examples
    --------
    >>> from sksim.functional import PerformanceDifference
    >>> first, second, truth = [1, 1, 0, 0], [0, 1, 0, 1], [1, 1, 0, 1]
    >>> PerformanceDifference().fit(first, second, y_true=truth).distance_
    0.0

    Of two regressors, and of two fitted models:

    >>> measure = PerformanceDifference(scoring="neg_mean_absolute_error", signed=True)
    >>> measure.fit([1.0, 2.0], [1.5, 2.5], y_true=[1.0, 2.0]).statistic_
    0.5
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.naive_bayes import GaussianNB
    >>> X, y = load_iris(return_X_y=True)
    >>> models = LogisticRegression(max_iter=1000).fit(X, y), GaussianNB().fit(X, y)
    >>> round(PerformanceDifference.from_estimators(*models, X, y).distance_, 4)
    0.0133
    """

    _parameter_constraints: dict = {
        "scoring": [str, callable],
        "signed": ["boolean"],
        "mid_p": ["boolean"],
        "labels": ["array-like", None],
        "abstain": ABSTAIN_CONSTRAINT,
    }

    @property
    def _kind(self):
        return AccuracyComparison if self.scoring == "accuracy" else Comparison

    def __init__(
        self,
        scoring="accuracy",
        *,
        signed=False,
        mid_p=False,
        labels=None,
        abstain=None,
    ):
        self.scoring = scoring
        self.signed = signed
        self.mid_p = mid_p
        self.labels = labels
        self.abstain = abstain

    def _outputs_of(self, estimators, X, response_method):
        if response_method is None and self.scoring != "accuracy":
            response_method = next(
                (
                    method
                    for method in response_methods(check_scoring(scoring=self.scoring))
                    if all(hasattr(estimator, method) for estimator in estimators)
                ),
                "predict_proba",
            )
        return model_outputs(
            estimators,
            X,
            inputs="outputs",
            response_method=response_method or "predict",
        )

    def _validate_pair(self, X, y, *, reset):
        shape = X.shape if has_dtype(X) else as_values(X, "X").shape
        if len(shape) > 1 and shape[1] > 1:
            return check_output_pair(self, X, y, reset=reset)
        xp, _, device = get_namespace_and_device(X)
        X = check_label_vector(X, "X", self, allow_fractions=True)
        if y is None:
            raise ValueError(
                "PerformanceDifference requires y to be passed, but the target y is "
                "None. y is the second model's output."
            )
        y = check_label_vector(y, "y", self, allow_fractions=True)
        y = move_to(y, xp=xp, device=device)
        check_same_length(X, y)
        refuse_mixed_kinds((X, y), ["X", "y"])
        return X, y, xp

    def _view(self, X, xp, y_true, role, classes):
        labels = classes if self.labels is None else self.labels
        if self.scoring == "accuracy":
            name = "X" if role == "x" else "y"
            return self._correctness(X, xp, y_true, labels, name)
        if self.abstain is not None:
            raise ValueError(
                f"abstain is for scoring='accuracy', and scoring is {self.scoring!r}: "
                "what a score makes of rows without an answer is not defined. Drop the "
                "rows that either model declines."
            )
        outputs, truth = to_numpy(X, xp=xp), to_numpy(y_true, xp=xp)
        if outputs.ndim == 2:
            classes = columns_of(truth, outputs.shape[1], labels)[1]
            model = _Probabilities(classes)
        elif _has_fractions(truth):
            model = _Regressor()
        else:
            model = _Labels(np.unique(truth))
        scorer = check_scoring(model, scoring=self.scoring)
        return JudgedOutputs(outputs, truth, model, scorer)

    def _partial_fit(self, X, y, **metadata):
        if self.labels is None:
            metadata = self._named_by_place(X, metadata)
        return super()._partial_fit(X, y, **metadata)

    def _correctness(self, X, xp, y_true, labels, name):
        """Correct predictions: all that accuracy, and its exchange test, need."""
        if X.ndim == 1:
            return self._correct(check_label_vector(X, name, self), y_true, xp)
        truth = y_true if isinstance(y_true, np.ndarray) else to_numpy(y_true, xp=xp)
        columns = columns_of(truth, X.shape[1], labels)[0]
        return xp.argmax(X, axis=1) == xp.asarray(columns, device=device_of(X))

    def _compare(self, view_x, view_y, xp):
        performances = view_x.performance, view_y.performance
        difference = performances[0] - performances[1]
        return self._with_details(difference, *performances)

    # of accuracy, whose views are vectors of correct predictions

    def _of_sums(self, sums, n_samples):
        paired, answers = self._paired(sums, n_samples)
        both, only_x, only_y, _ = paired
        n_answered = sum(paired) or float("nan")
        # one division: equal counts give exactly zero
        difference = (only_x - only_y) / n_answered
        performances = ((both + only) / n_answered for only in (only_x, only_y))
        difference, details = self._with_details(difference, *performances)
        return difference, {**details, **answers}

    def _with_details(self, difference, performance_x, performance_y):
        return difference if self.signed else abs(difference), {
            "performance_x_": performance_x,
            "performance_y_": performance_y,
            "mcnemar_pvalue_": None,
        }

    def _min_samples(self):
        return 1

    def _similarity_tags(self):
        is_accuracy = self.scoring == "accuracy"
        largest = 1 if is_accuracy else float("inf")
        return SimilarityTags(
            family="functional",
            orientation="distance",
            bounds=(-largest if self.signed else 0, largest),
            metric=not self.signed and self.abstain is None,
            symmetric=not self.signed,
            signed=self.signed,
            inputs="outputs" if self.abstain is None else "labels",
            requires=("y_true",) if self.abstain is None else ("labels", "y_true"),
            view_keywords=("y_true", "role", "classes"),
            null="exchange",
            intervals=INTERVALS_OF_PAIRS if is_accuracy else INTERVALS,
            exact=OF_ROW_SUMS if is_accuracy else (),
            streaming=is_accuracy,
            array_api=is_accuracy,
            complexity="n",
            reference="Klabunde et al. 2025",
        )


def _has_fractions(values):
    return values.dtype.kind == "f" and bool(np.any(values != np.round(values)))
