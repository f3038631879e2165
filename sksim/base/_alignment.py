"""Measures that learn a map between the representations."""

from abc import abstractmethod
from functools import wraps

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from sksim.arrays._namespace import check_same_namespace, namespace_of
from sksim.base._comparison import parted
from sksim.base._readable import readable
from sksim.base._row_names import refuse_other_rows_of
from sksim.base._validation import (
    check_representation_pair,
    overflow_is_silent,
    refuse_infinite_rows,
)


class _LazyMaps:
    """Fitted maps, computed when they are first asked for."""

    def __init__(self, view_x, view_y):
        self.sources = (view_x.without_rows(), view_y.without_rows())
        self.maps = None


def maps_back(transform):
    """Decorator of an ``inverse_transform``: rows in are valid, rows out are finite."""

    @wraps(transform)
    @overflow_is_silent
    def inverse_transform(self, X):
        check_same_namespace(X, self, attribute="x_mean_", method="inverse_transform")
        X = self._validate_mapped(X)
        return refuse_infinite_rows(transform(self, X), self, xp=namespace_of(X))

    return inverse_transform


class AlignmentMixin(TransformerMixin):
    """Mixin for measures that learn a map between the representations.

    ``fit`` costs no more than the number: the maps are made of what the comparison
    left behind when they are first used. The measure's views have a field ``mean``;
    the measure writes ``_fit_maps``, ``_transform_x`` and ``_transform_y``, and says by
    ``_lands_in_y`` whether mapped rows are in the coordinates of y.
    """

    _lands_in_y = False

    @abstractmethod
    def _fit_maps(self, view_x, view_y, xp):
        """(x_rotations, y_rotations, singular_values), from views without rows."""

    @abstractmethod
    def _transform_x(self, X, xp):
        """Validated rows of the first representation, mapped."""

    @abstractmethod
    def _transform_y(self, y, xp):
        """Validated rows of the second representation, mapped."""

    def _keep_outcome(self, comparison):
        outcome = comparison.outcome()
        if hasattr(comparison, "view_x"):  # of a stream the measure has seen to it
            outcome = self._with_maps(outcome, comparison.view_x, comparison.view_y)
        self._store(outcome)

    @staticmethod
    def _with_maps(outcome, view_x, view_y):
        """Outcome of a comparison, and what the maps are to be made of."""
        statistic, details = parted(outcome)
        sources = {
            "x_mean_": view_x.mean,
            "y_mean_": view_y.mean,
            "_maps": _LazyMaps(view_x, view_y),
        }
        return statistic, details | sources

    @overflow_is_silent
    def _fitted_maps(self):
        check_is_fitted(self)
        if self._maps.maps is None:
            xp = namespace_of(self.x_mean_)
            self._maps.maps = self._fit_maps(*self._maps.sources, xp)
        return self._maps.maps

    @property
    def x_rotations_(self):
        """Array of shape (n_features, n_components): directions in X."""
        return self._fitted_maps()[0]

    @property
    def y_rotations_(self):
        """Array of shape (n_features_y, n_components): directions in y."""
        return self._fitted_maps()[1]

    @property
    def singular_values_(self):
        """Array of shape (n_components,): strength of each pair of directions."""
        return self._fitted_maps()[2]

    @overflow_is_silent
    def transform(self, X, y=None):
        """Apply the fitted map to new rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of the first representation.
        y : array-like of shape (n_samples, n_features_y), default=None
            Rows of the second representation.

        Returns
        -------
        X_transformed : array of shape (n_samples, n_components)
            Mapped rows; with y given, a tuple of both mapped representations.
        """
        check_is_fitted(self)
        check_same_namespace(X, self, attribute="x_mean_", method="transform")
        if y is None:
            X, _, xp = check_representation_pair(
                self, X, None, reset=False, min_samples=1, may_be_sparse=False
            )
            return refuse_infinite_rows(self._transform_x(X, xp), self, xp=xp)
        refuse_other_rows_of(self, X, y, {})
        X, y, xp = check_representation_pair(
            self, X, y, reset=False, min_samples=1, may_be_sparse=False
        )
        return (
            refuse_infinite_rows(self._transform_x(X, xp), self, xp=xp),
            refuse_infinite_rows(self._transform_y(y, xp), self, xp=xp),
        )

    def _validate_mapped(self, X):
        """Rows to be mapped back: as wide as what ``transform`` returns."""
        check_is_fitted(self)
        xp = namespace_of(self.x_mean_)
        with readable(X, "X"):
            dtypes = [xp.float64, xp.float32]
            X = check_array(X, dtype=dtypes, input_name="X", estimator=self)
        if X.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {X.shape[1]} features, but {type(self).__name__} maps to "
                f"{self._n_features_out} features, which inverse_transform expects."
            )
        return X

    def get_feature_names_out(self, input_features=None):
        """Names of the mapped features.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Not used: mapped features are combinations of the input's.

        Returns
        -------
        names : ndarray of str
            The names of y's features where mapped rows are in its coordinates and y
            had names; else the lower-case class name and a number.
        """
        check_is_fitted(self)
        if self._lands_in_y and hasattr(self, "feature_names_y_in_"):
            return self.feature_names_y_in_
        prefix = type(self).__name__.lower()
        names = [f"{prefix}{i}" for i in range(self._n_features_out)]
        return np.asarray(names, dtype=object)
