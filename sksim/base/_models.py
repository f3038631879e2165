"""Measures whose inputs are models."""

from abc import abstractmethod

import numpy as np
from sklearn.utils import metadata_routing
from sklearn.utils.validation import check_is_fitted

from sksim.base._similarity import BaseSimilarity
from sksim.utils._sklearn_compat import fit_context
from sksim.utils._validation import overflow_is_silent


class BaseModelSimilarity(BaseSimilarity):
    """A measure whose inputs are models: fitted estimators, networks, their weights.

    Models stand where representations stand elsewhere, so that whatever is built on
    the protocol, such as a matrix over many models, works alike. A measure writes
    ``_check_model`` in addition; one that applies its models to rows names "data" (and
    "y_true") in ``view_keywords`` and checks them in ``_check_data``.
    """

    # models are no metadata to be routed
    __metadata_request__fit = {
        "model_x": metadata_routing.UNUSED,
        "model_y": metadata_routing.UNUSED,
        "data": metadata_routing.UNUSED,
    }
    __metadata_request__score = __metadata_request__fit

    @abstractmethod
    def _check_model(self, model, name):
        """What ``_view`` takes of one model; a ValueError that calls it ``name``."""

    def _check_data(self, data, y_true):
        """Rows and labels that the models are applied to, validated."""
        return data, y_true

    def _validate_pair(self, X, y, *, reset):
        if y is None and reset:
            raise ValueError(
                f"{type(self).__name__} requires model_y to be passed, but it is None. "
                "model_y is the second model."
            )
        if y is None:  # one of many, validated alone
            return self._check_model(X, "the model"), None, np
        return self._check_model(X, "model_x"), self._check_model(y, "model_y"), np

    @overflow_is_silent
    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, model_x, model_y=None, data=None, y_true=None):
        """Compare two models.

        Parameters
        ----------
        model_x : object
            First model, fitted.
        model_y : object
            Second model, fitted.
        data : array-like of shape (n_samples, n_features), default=None
            Rows that both models are applied to, for measures that do so.
        y_true : array-like of shape (n_samples,), default=None
            True labels of these rows, for measures that use them.

        Returns
        -------
        self : object
            The fitted measure: the result is in ``statistic_`` and ``score_``.
        """
        self._fit_views(*self._views_of_models(model_x, model_y, data, y_true))
        return self

    @overflow_is_silent
    def score(self, model_x=None, model_y=None, data=None, y_true=None):
        """Similarity, oriented so that greater means more similar.

        Parameters
        ----------
        model_x, model_y : object, default=None
            Two other models.
        data : array-like of shape (n_samples, n_features), default=None
            Rows that both models are applied to, for measures that do so.
        y_true : array-like of shape (n_samples,), default=None
            True labels of these rows, for measures that use them.

        Returns
        -------
        score : float
            Without models the fitted pair's ``score_``, else that of the given pair.
        """
        check_is_fitted(self)
        if model_x is None and model_y is None:
            return self.score_
        views = self._views_of_models(model_x, model_y, data, y_true)
        tags = self._similarity_tags()
        return tags.orient(self._as_number(self._statistic(*views), tags))

    def _views_of_models(self, model_x, model_y, data, y_true):
        """Both views and the namespace."""
        model_x, model_y, xp = self._validate_pair(model_x, model_y, reset=True)
        data, y_true = self._check_data(data, y_true)
        views = self._views(model_x, model_y, xp, y_true=y_true, data=data)
        self._check_views(*views)
        return *views, xp
