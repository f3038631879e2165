"""Measures whose inputs are models."""

from abc import abstractmethod

import numpy as np
from sklearn.utils import metadata_routing
from sklearn.utils.validation import check_is_fitted

from sksim._sklearn_compat import fit_context
from sksim.base._comparison import Rows
from sksim.base._similarity import BaseSimilarity
from sksim.base._tags import tags_of
from sksim.base._validation import overflow_is_silent, rounding_of


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
        self._keep_outcome(self._open(model_x, model_y, data=data, y_true=y_true))
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
        known = {"data": data, "y_true": y_true}
        return self._score_of_new_rows(model_x, model_y, known)

    def _validated(self, X, y, *, reset, **metadata):
        model_x, model_y, xp = self._validate_pair(X, y, reset=True)
        return self._rows((model_x, model_y), xp, metadata)

    def _rows(self, arrays, xp, metadata):
        data, y_true = self._check_data(metadata.get("data"), metadata.get("y_true"))
        wanted = tags_of(self).view_keywords
        offered = {"data": data, "y_true": y_true}
        known = {k: v for k, v in offered.items() if k in wanted and v is not None}
        return Rows(self, arrays, known, self._draw_seed(), xp, None, rounding_of(""))
