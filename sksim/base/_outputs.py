"""Measures on what models answer: two models' outputs, or many models'."""

from abc import abstractmethod

from sksim._sklearn_compat import fit_context
from sksim.base._comparison import GroupComparison
from sksim.base._row_names import refuse_other_rows
from sksim.base._similarity import BaseSimilarity
from sksim.base._tags import tags_of
from sksim.base._validation import (
    as_values,
    check_output_group,
    check_output_pair,
    has_dtype,
)
from sksim.models._outputs import model_outputs


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
        return self._fit(X, y, y_true=y_true)

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
        return self._score(X, y, y_true=y_true)


class _OutputsMixin(LabelsMixin):
    """What measures on the outputs of models share, two or many."""

    _views_are_row_wise = True

    def _validate_pair(self, X, y, *, reset):
        return check_output_pair(self, X, y, reset=reset)

    def _fit(self, X, y, *, classes=None, **metadata):
        """Fit; ``classes`` names the columns, where the outputs' models know them."""
        vars(self).pop("classes_", None)
        if classes is not None and "classes" in tags_of(self).view_keywords:
            self.classes_ = classes
        return super()._fit(X, y, classes=classes, **metadata)

    def _score(self, X, y, **metadata):
        return super()._score(X, y, classes=getattr(self, "classes_", None), **metadata)

    def _outputs_of(self, estimators, data, response_method):
        """Outputs of fitted estimators in the form that the measure takes."""
        inputs = tags_of(self).inputs
        return model_outputs(
            estimators, data, inputs=inputs, response_method=response_method
        )


class BaseFunctionalSimilarity(_OutputsMixin, BaseSimilarity):
    """A measure on the outputs of two models: labels, probabilities or scores."""

    @classmethod
    def from_estimators(
        cls, a, b, data, y_true=None, *, response_method=None, **params
    ):
        """Measure on the outputs of two fitted estimators.

        Parameters
        ----------
        a, b : fitted estimators
            The two models. Where both are classifiers their ``classes_`` are aligned:
            a class that one of them never saw is a column of zeros.
        data : array-like of shape (n_samples, n_features)
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
        refuse_other_rows(data=data, y_true=y_true)
        measure = cls(**params)
        measure._validate_params()
        outputs = measure._outputs_of((a, b), data, response_method)
        return measure._fit(*outputs.arrays, y_true=y_true, classes=outputs.classes)


class BaseGroupSimilarity(_OutputsMixin, BaseSimilarity):
    """A measure of how alike a group of models behaves on the same rows.

    A measure writes ``_view`` (one model's output), ``_aggregate`` (the views of all
    models in, one number out) and ``_similarity_tags``. Two models are a group too, so
    the protocol of pairs works as well.
    """

    _kind = GroupComparison

    @abstractmethod
    def _aggregate(self, views, xp):
        """Statistic of all models' views, or (statistic, details)."""

    def _min_samples(self):
        return 1

    def _validate_group(self, X, y=None, *, reset):
        """One validated array for each model, and the namespace of all."""
        return check_output_group(self, X, y, reset=reset)

    def _validated(self, X, y, *, reset, **metadata):
        models, xp = self._validate_group(X, y, reset=reset)
        return self._rows(tuple(models), xp, metadata)

    def _keep_outcome(self, comparison):
        self.n_models_ = len(comparison.views)
        super()._keep_outcome(comparison)

    # ----- the estimator ------------------------------------------------------------

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, y_true=None):
        """Measure how alike the models of a group behave.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_models) or \
                (n_samples, n_models, n_classes), or list of arrays
            Predicted labels, or predicted probabilities, of all models. A list or
            tuple of arrays or tables holds one for each model.
        y : array-like, default=None
            With one model's output as X, the other's: the group is then this pair.
        y_true : array-like of shape (n_samples,), default=None
            True labels, for measures that use them.

        Returns
        -------
        self : object
            The fitted measure: the result is in ``statistic_`` and ``score_``.
        """
        return self._fit(X, y, y_true=y_true)

    def score(self, X=None, y=None, y_true=None):
        """Similarity of the group, oriented so that greater means more similar.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_models) or \
                (n_samples, n_models, n_classes), or list of arrays, default=None
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
        return self._score(X, y, y_true=y_true)

    @classmethod
    def from_estimators(
        cls, estimators, data, y_true=None, *, response_method=None, **params
    ):
        """Measure on the outputs of several fitted estimators.

        Parameters
        ----------
        estimators : sequence of fitted estimators
            The models. The ``classes_`` of classifiers are aligned: a class that one
            of them never saw is a column of zeros.
        data : array-like of shape (n_samples, n_features)
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
        refuse_other_rows(data=data, y_true=y_true)
        measure = cls(**params)
        measure._validate_params()
        outputs = measure._outputs_of(estimators, data, response_method)
        models = [
            output if has_dtype(output) else as_values(output, "a prediction")
            for output in outputs.arrays
        ]
        return measure._fit(models, None, y_true=y_true, classes=outputs.classes)
