"""Measures on what models answer: two models' outputs, or many models'."""

from abc import abstractmethod

import numpy as np

from sksim._sklearn_compat import fit_context
from sksim.base._class_names import in_one_order, order_of_grades
from sksim.base._comparison import GroupComparison
from sksim.base._output_streams import OutputStreamMixin
from sksim.base._readable import as_values, has_dtype
from sksim.base._row_names import refuse_other_rows
from sksim.base._similarity import BaseSimilarity
from sksim.base._tags import tags_of
from sksim.base._validation import (
    are_arrays,
    as_label_array,
    check_output_group,
    check_output_pair,
)
from sksim.models._answers import answered, labels_of_rows, refuse_unknown_labels
from sksim.models._outputs import as_list, model_outputs


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


class _OutputsMixin(OutputStreamMixin, LabelsMixin):
    """What measures on the outputs of models share, two or many."""

    _views_are_row_wise = True

    def _validate_pair(self, X, y, *, reset):
        return check_output_pair(self, X, y, reset=reset)

    __metadata_request__fit = {"classes": True, "fill_missing_classes": True}
    __metadata_request__score = {"classes": True, "fill_missing_classes": True}

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, y_true=None, *, classes=None, fill_missing_classes=False):
        """Compare the outputs of two models on the same rows.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or (n_samples, n_columns)
            What the first model answers to each row.
        y : array-like of shape (n_samples,) or (n_samples, n_columns)
            What the second model answers to the same rows.
        y_true : array-like of shape (n_samples,), default=None
            True labels, for measures that use them.
        classes : sequence, default=None
            Class of each column of arrays that have no names of columns; or one such
            sequence for each array. Tables are put into one order by their names.
        fill_missing_classes : bool, default=False
            Whether a class that one side has and the other lacks has probability 0
            there. Otherwise it is refused.

        Returns
        -------
        self : object
            The fitted measure: the result is in ``statistic_`` and ``score_``.
        """
        names = {"classes": classes, "fill_missing_classes": fill_missing_classes}
        return self._fit(X, y, y_true=y_true, **names)

    def score(
        self,
        X=None,
        y=None,
        y_true=None,
        *,
        classes=None,
        fill_missing_classes=False,
    ):
        """Similarity, oriented so that greater means more similar.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
            What the first model answers to new rows.
        y : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
            What the second model answers to the same new rows.
        y_true : array-like of shape (n_samples,), default=None
            True labels of the new rows, for measures that use them.
        classes : sequence, default=None
            Class of each column of arrays that have no names of columns; or one such
            sequence for each array. Tables are put into one order by their names.
        fill_missing_classes : bool, default=False
            Whether a class that one side has and the other lacks has probability 0
            there. Otherwise it is refused.

        Returns
        -------
        score : float
            Without data the fitted pair's ``score_``, with data the measure on the
            new rows.
        """
        names = {"classes": classes, "fill_missing_classes": fill_missing_classes}
        return self._score(X, y, y_true=y_true, **names)

    def _score(self, X, y, *, classes=None, **metadata):
        if classes is None:
            classes = getattr(self, "classes_", None)
        return super()._score(X, y, classes=classes, **metadata)

    def _by_names(self, sides, metadata, *, reset=False):
        tags = tags_of(self)
        if tags.inputs == "labels":
            order = None
            if "classes" in tags.view_keywords:
                order = order_of_grades(sides)
            return sides, {**metadata, "classes": order}
        classes = metadata.get("classes")
        sides, names = in_one_order(
            sides,
            classes=classes,
            first=None if reset else getattr(self, "feature_names_in_", None),
            fill=metadata.get("fill_missing_classes", False),
            are_classes=tags.inputs == "probabilities",
        )
        if classes is None and not _are_all_in(metadata.get("y_true"), names):
            names = None  # columns go by other names than labels
        if reset:
            vars(self).pop("classes_", None)
            if names is not None and "classes" in tags.view_keywords:
                self.classes_ = np.asarray(names)
        return sides, {**metadata, "classes": names}

    @classmethod
    def _from_models(cls, models, data, y_true, response_method, known, params):
        """Fresh measure, outputs of the models in its form, and true labels."""
        refuse_other_rows(data=data, y_true=y_true)
        measure = cls(**params)
        measure._validate_params()
        models, found = answered(models, data, **known)
        y_true = labels_of_rows(data, y_true, found)
        refuse_unknown_labels(models, y_true)
        return measure, measure._outputs_of(models, data, response_method), y_true

    def _outputs_of(self, estimators, data, response_method):
        """Outputs of fitted estimators in the form that the measure takes."""
        inputs = tags_of(self).inputs
        return model_outputs(
            estimators, data, inputs=inputs, response_method=response_method
        )


def _are_all_in(y_true, names):
    if y_true is None or names is None:
        return False
    labels = y_true.detach().cpu() if hasattr(y_true, "detach") else y_true
    labels = as_label_array(labels, "y_true")
    return set(np.asarray(labels).ravel().tolist()) <= set(names)


class BaseFunctionalSimilarity(_OutputsMixin, BaseSimilarity):
    """A measure on the outputs of two models: labels, probabilities or scores."""

    @classmethod
    def from_estimators(
        cls,
        a,
        b,
        data,
        y_true=None,
        *,
        response_method=None,
        outputs=None,
        classes=None,
        **params,
    ):
        """Measure on the outputs of two fitted models.

        Parameters
        ----------
        a, b : fitted estimators or networks
            The two models. Where both are classifiers their ``classes_`` are aligned:
            a class that one of them never saw is a column of zeros.
        data : array-like of shape (n_samples, n_features), or iterable of batches
            The rows that both models are applied to. A DataLoader is gone through
            once, and each batch given to both networks, so that it may shuffle.
        y_true : array-like of shape (n_samples,), default=None
            True labels, for measures that use them. None takes those that come with
            the batches, if any do.
        response_method : {"predict", "predict_proba", "decision_function"}, \
                default=None
            Where the outputs come from. By default labels come from ``predict`` and
            probabilities from ``predict_proba``. With "predict_proba", labels are the
            classes of largest probability, which may differ from ``predict``.
        outputs : {"logits", "probabilities", "labels", "predictions"} or one for each \
                model, default=None
            What networks return: logits become probabilities by the softmax (a single
            column z by the logistic function, as -z and z) and labels by the largest.
            None is enough where a network returns an object with ``logits``; anything
            else is asked for. See :ref:`network_outputs`.
        classes : sequence, or one for each model, default=None
            Class of each column of networks' outputs. None: 0, 1, ...
        **params : dict
            Parameters of the measure.

        Returns
        -------
        measure : object
            The fitted measure.
        """
        known = {"outputs": outputs, "classes": classes}
        measure, found, y_true = cls._from_models(
            (a, b), data, y_true, response_method, known, params
        )
        return measure._fit(*found.arrays, y_true=y_true, classes=found.classes)


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
        several = y is None and are_arrays(X)
        sides = {f"X[{i}]": model for i, model in enumerate(X)} if several else {"X": X}
        if y is not None:
            sides["y"] = y
        sides, metadata = self._by_names(sides, metadata, reset=reset)
        X, y = list(sides.values()) if several else sides["X"], sides.get("y")
        models, xp = self._validate_group(X, y, reset=reset)
        return self._rows(tuple(models), xp, metadata)

    def _keep_outcome(self, comparison):
        self.n_models_ = len(comparison.views)
        super()._keep_outcome(comparison)

    # ----- the estimator ------------------------------------------------------------

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, y_true=None, *, classes=None, fill_missing_classes=False):
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
        classes : sequence, default=None
            Class of each column of arrays that have no names of columns; or one such
            sequence for each array. Tables are put into one order by their names.
        fill_missing_classes : bool, default=False
            Whether a class that one side has and the other lacks has probability 0
            there. Otherwise it is refused.

        Returns
        -------
        self : object
            The fitted measure: the result is in ``statistic_`` and ``score_``.
        """
        names = {"classes": classes, "fill_missing_classes": fill_missing_classes}
        return self._fit(X, y, y_true=y_true, **names)

    def score(
        self,
        X=None,
        y=None,
        y_true=None,
        *,
        classes=None,
        fill_missing_classes=False,
    ):
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
        classes : sequence, default=None
            Class of each column of arrays that have no names of columns; or one such
            sequence for each array. Tables are put into one order by their names.
        fill_missing_classes : bool, default=False
            Whether a class that one side has and the other lacks has probability 0
            there. Otherwise it is refused.

        Returns
        -------
        score : float
            Without data the fitted group's ``score_``, with data the measure on the
            new rows.
        """
        names = {"classes": classes, "fill_missing_classes": fill_missing_classes}
        return self._score(X, y, y_true=y_true, **names)

    @classmethod
    def from_estimators(
        cls,
        estimators,
        data,
        y_true=None,
        *,
        response_method=None,
        outputs=None,
        classes=None,
        **params,
    ):
        """Measure on the outputs of several fitted models.

        Parameters
        ----------
        estimators : sequence of fitted estimators or networks
            The models. The ``classes_`` of classifiers are aligned: a class that one
            of them never saw is a column of zeros.
        data : array-like of shape (n_samples, n_features), or iterable of batches
            The rows that all models are applied to. A DataLoader is gone through
            once, and each batch given to all networks, so that it may shuffle.
        y_true : array-like of shape (n_samples,), default=None
            True labels, for measures that use them. None takes those that come with
            the batches, if any do.
        response_method : {"predict", "predict_proba"}, default=None
            Where the outputs come from. By default labels come from ``predict`` and
            probabilities from ``predict_proba``. With "predict_proba", labels are the
            classes of largest probability, which may differ from ``predict``.
        outputs : {"logits", "probabilities", "labels", "predictions"} or one for each \
                model, default=None
            What networks return: logits become probabilities by the softmax (a single
            column z by the logistic function, as -z and z) and labels by the largest.
            None is enough where a network returns an object with ``logits``; anything
            else is asked for. See :ref:`network_outputs`.
        classes : sequence, or one for each model, default=None
            Class of each column of networks' outputs. None: 0, 1, ...
        **params : dict
            Parameters of the measure.

        Returns
        -------
        measure : object
            The fitted measure.
        """
        known = {"outputs": outputs, "classes": classes}
        measure, found, y_true = cls._from_models(
            as_list(estimators), data, y_true, response_method, known, params
        )
        models = [
            output if has_dtype(output) else as_values(output, "a prediction")
            for output in found.arrays
        ]
        return measure._fit(models, None, y_true=y_true, classes=found.classes)
