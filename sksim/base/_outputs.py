"""Measures on what models answer: two models' outputs, or many models'."""

from abc import abstractmethod

from sklearn.utils.validation import check_is_fitted

from sksim.base._similarity import BaseSimilarity
from sksim.models._outputs import model_outputs
from sksim.utils._array_api import namespace_of
from sksim.utils._sklearn_compat import fit_context
from sksim.utils._validation import (
    check_labels,
    check_output_group,
    check_output_pair,
)
from sksim.utils._views import take_rows


class LabelsMixin:
    """Mixin for measures that use the true labels, as routed metadata ``y_true``."""

    __metadata_request__fit = {"y_true": True}
    __metadata_request__score = {"y_true": True}

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, y_true=None):
        """Compare the views of two models on the same rows.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or (n_samples, n_columns)
            What the first model makes of each row.
        y : array-like of shape (n_samples,) or (n_samples, n_columns)
            What the second model makes of the same rows.
        y_true : array-like of shape (n_samples,), default=None
            True labels, for measures that use them.

        Returns
        -------
        self : object
            The fitted measure: the result is in ``statistic_`` and ``score_``.
        """
        return self._fit(X, y, y_true)

    def score(self, X=None, y=None, y_true=None):
        """Similarity, oriented so that greater means more similar.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
            What the first model makes of new rows.
        y : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
            What the second model makes of the same new rows.
        y_true : array-like of shape (n_samples,), default=None
            True labels of the new rows, for measures that use them.

        Returns
        -------
        score : float
            Without data the fitted pair's ``score_``, with data the measure on the
            new rows.
        """
        return self._score(X, y, y_true)


class _OutputsMixin(LabelsMixin):
    """What measures on the outputs of models share, two or many."""

    def _validate_pair(self, X, y, *, reset):
        return check_output_pair(self, X, y, reset=reset)

    def _subset(self, view, rows, xp):
        return take_rows(view, rows, xp=xp)

    def _outputs_of(self, estimators, X, response_method):
        """Outputs of fitted estimators in the form that the measure takes."""
        inputs = self._similarity_tags().inputs
        return model_outputs(
            estimators, X, inputs=inputs, response_method=response_method
        )


class BaseFunctionalSimilarity(_OutputsMixin, BaseSimilarity):
    """A measure on the outputs of two models: labels, probabilities or scores."""

    @classmethod
    def from_estimators(cls, a, b, X, y_true=None, *, response_method=None, **params):
        """Measure on the outputs of two fitted estimators.

        Parameters
        ----------
        a, b : fitted estimators
            The two models. Where both are classifiers their ``classes_`` are aligned:
            a class that one of them never saw is a column of zeros.
        X : array-like of shape (n_samples, n_features)
            The rows that both models are applied to.
        y_true : array-like of shape (n_samples,), default=None
            True labels, for measures that use them.
        response_method : {"predict", "predict_proba", "decision_function"}, \
                default=None
            Where the outputs come from. By default labels come from ``predict`` and
            probabilities from ``predict_proba``. With "predict_proba", labels are the
            classes of largest probability, which may differ from ``predict``.
        **params : dict
            Parameters of the measure.

        Returns
        -------
        measure : object
            The fitted measure.
        """
        measure = cls(**params)
        outputs = measure._outputs_of((a, b), X, response_method)
        return measure.fit(*outputs.arrays, y_true=y_true)


class BaseGroupSimilarity(_OutputsMixin, BaseSimilarity):
    """A measure of how alike a group of models behaves on the same rows.

    A measure writes ``_view`` (one model's output), ``_aggregate`` (the views of all
    models in, one number out) and ``_similarity_tags``. Two models are a group too, so
    the protocol of pairs works as well.
    """

    # ----- what a measure writes or may replace -----------------------------------

    @abstractmethod
    def _aggregate(self, views, xp):
        """Statistic of all models' views, or (statistic, details)."""

    def _aggregate_permuted(self, views, orders, xp):
        """Statistic with each model's rows in an order of its own.

        ``orders`` holds one order for each model; None leaves its rows in place.
        """
        return self._group_statistic(
            [
                view if order is None else self._permute(view, order, xp)
                for view, order in zip(views, orders, strict=True)
            ],
            xp,
        )

    def _min_samples(self):
        return 1

    # ----- the protocol -------------------------------------------------------------

    def _compare(self, view_x, view_y, xp):
        return self._aggregate([view_x, view_y], xp)

    def _validate_group(self, X, y=None, *, reset):
        """One validated array for each model, and the namespace of all."""
        return check_output_group(self, X, y, reset=reset)

    def _group_views(self, models, xp, *, y_true=None):
        """View of each model's validated output."""
        return [self._make_view(output, xp, y_true=y_true) for output in models]

    def _group_statistic(self, views, xp):
        """Statistic of the views, without details."""
        return self._value_of(self._aggregate(views, xp))

    def _aggregate_valid(self, X, y, y_true, *, reset):
        models, xp = self._validate_group(X, y, reset=reset)
        n_samples = models[0].shape[0]
        y_true = check_labels(self, y_true, n_samples=n_samples, xp=xp, like=models[0])
        if reset:
            self.n_samples_fit_ = n_samples
            self.n_models_ = len(models)
        return self._aggregate(self._group_views(models, xp, y_true=y_true), xp)

    # ----- the estimator ------------------------------------------------------------

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, y_true=None):
        """Measure how alike the models of a group behave.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_models) or \
                (n_samples, n_models, n_classes)
            Predicted labels, or predicted probabilities, of all models.
        y : array-like, default=None
            With one model's output as X, the other's: the group is then this pair.
        y_true : array-like of shape (n_samples,), default=None
            True labels, for measures that use them.

        Returns
        -------
        self : object
            The fitted measure: the result is in ``statistic_`` and ``score_``.
        """
        return self._fit(X, y, y_true)

    def _fit(self, X, y, y_true=None):
        self._store(self._aggregate_valid(X, y, y_true, reset=True))
        return self

    def score(self, X=None, y=None, y_true=None):
        """Similarity of the group, oriented so that greater means more similar.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_models) or \
                (n_samples, n_models, n_classes), default=None
            Outputs of all models on new rows.
        y : array-like, default=None
            With one model's output as X, the other's.
        y_true : array-like of shape (n_samples,), default=None
            True labels of the new rows, for measures that use them.

        Returns
        -------
        score : float
            Without data the fitted group's ``score_``, with data the measure on the
            new rows.
        """
        return self._score(X, y, y_true)

    def _score(self, X, y, y_true=None):
        check_is_fitted(self)
        if X is None and y is None:
            return self.score_
        return self._score_of(self._aggregate_valid(X, y, y_true, reset=False))

    @classmethod
    def from_estimators(
        cls, estimators, X, y_true=None, *, response_method=None, **params
    ):
        """Measure on the outputs of several fitted estimators.

        Parameters
        ----------
        estimators : sequence of fitted estimators
            The models. The ``classes_`` of classifiers are aligned: a class that one
            of them never saw is a column of zeros.
        X : array-like of shape (n_samples, n_features)
            The rows that all models are applied to.
        y_true : array-like of shape (n_samples,), default=None
            True labels, for measures that use them.
        response_method : {"predict", "predict_proba"}, default=None
            Where the outputs come from. By default labels come from ``predict`` and
            probabilities from ``predict_proba``. With "predict_proba", labels are the
            classes of largest probability, which may differ from ``predict``.
        **params : dict
            Parameters of the measure.

        Returns
        -------
        measure : object
            The fitted measure.
        """
        measure = cls(**params)
        outputs = measure._outputs_of(estimators, X, response_method)
        xp = namespace_of(outputs.arrays[0])
        return measure.fit(xp.stack(outputs.arrays, axis=1), y_true=y_true)
