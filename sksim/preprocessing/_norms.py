"""Centring and normalising."""

from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sksim.arrays._linalg import centered, rescaled, unit_rows
from sksim.arrays._namespace import (
    check_same_namespace,
    namespace_of,
    zeros,
)
from sksim.base._validation import check_rows, overflow_is_silent, refuse_infinite_rows


class _RowsTransformer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """A transformer that keeps the columns as they are named.

    An empty array stands for the namespace and device of the training rows.
    """

    def _validate_again(self, X):
        check_is_fitted(self)
        check_same_namespace(X, self, attribute="_empty", method="transform")
        return self._validate(X, reset=False)

    def _validate(self, X, *, reset):
        X = check_rows(self, X, reset=reset)
        xp = namespace_of(X)
        if reset:
            self._empty = zeros((0,), like=X, xp=xp)
        return X, xp

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class Centering(_RowsTransformer):
    """Subtract the column means of the training rows.

    Asks about deviations from the mean activation: whether two networks have the same
    mean no longer counts. Most measures in sksim centre by themselves; those that do
    not (EigenspaceOverlap, RiemannianDistance, cosine measures) change their question.

    Attributes
    ----------
    mean_ : array of shape (n_features,)
        Column means.
    n_features_in_ : int
        Number of columns.

    See Also
    --------
    sklearn.preprocessing.StandardScaler : Can divide by standard deviations too.

    Examples
    --------
    >>> from sksim.preprocessing import Centering
    >>> Centering().fit_transform([[0.0], [2.0]]).tolist()
    [[-1.0], [1.0]]
    """

    @overflow_is_silent
    def fit(self, X, y=None):
        """Find the column means.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Representation.
        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted transformer.
        """
        X, xp = self._validate(X, reset=True)
        self.mean_ = centered(X, xp=xp).mean
        return self

    @overflow_is_silent
    def transform(self, X):
        """Subtract the means of the training rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Representation.

        Returns
        -------
        X_transformed : array of shape (n_samples, n_features)
            Centred rows.
        """
        X, xp = self._validate_again(X)
        mapped = X - xp.astype(self.mean_, X.dtype, copy=False)
        return refuse_infinite_rows(mapped, self, xp=xp)

    @overflow_is_silent
    def inverse_transform(self, X):
        """Add the means of the training rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Centred rows.

        Returns
        -------
        X_original : array of shape (n_samples, n_features)
            Rows of the representation.
        """
        X, xp = self._validate_again(X)
        mapped = X + xp.astype(self.mean_, X.dtype, copy=False)
        return refuse_infinite_rows(mapped, self, xp=xp)


class UnitFrobeniusNorm(_RowsTransformer):
    """Divide by the Frobenius norm of the training rows.

    Asks about the shape of a representation, not its size: distances of scaled
    representations are comparable between layers. Not centred: the norm includes the
    mean, so put :class:`Centering` first if it should not.

    Attributes
    ----------
    norm_ : float
        Frobenius norm of the training rows.
    n_features_in_ : int
        Number of columns.

    See Also
    --------
    UnitRows : Each row by itself.

    Examples
    --------
    >>> from sksim.preprocessing import UnitFrobeniusNorm
    >>> UnitFrobeniusNorm().fit_transform([[3.0], [4.0]]).round(6).tolist()
    [[0.6], [0.8]]
    """

    @overflow_is_silent
    def fit(self, X, y=None):
        """Find the norm.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Representation.
        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted transformer.
        """
        X, xp = self._validate(X, reset=True)
        _, scale, squared_norm = rescaled(X, xp=xp)
        if squared_norm == 0:
            raise ValueError(
                "X is zero everywhere, so that it can't be scaled to unit norm. Check "
                "that the right array was passed."
            )
        self._scale, self._scaled_norm = scale, squared_norm**0.5
        self.norm_ = self._scale * self._scaled_norm
        return self

    @overflow_is_silent
    def transform(self, X):
        """Divide by the norm of the training rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Representation.

        Returns
        -------
        X_transformed : array of shape (n_samples, n_features)
            Scaled rows.
        """
        X, xp = self._validate_again(X)
        # one factor after the other: their product may overflow
        mapped = X * (1 / self._scale) * (1 / self._scaled_norm)
        return refuse_infinite_rows(mapped, self, xp=xp)

    @overflow_is_silent
    def inverse_transform(self, X):
        """Multiply by the norm of the training rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Scaled rows.

        Returns
        -------
        X_original : array of shape (n_samples, n_features)
            Rows of the representation.
        """
        X, xp = self._validate_again(X)
        mapped = X * self._scaled_norm * self._scale
        return refuse_infinite_rows(mapped, self, xp=xp)


class UnitRows(_RowsTransformer):
    """Divide each row by its Euclidean norm.

    Asks about directions only: how strongly an input drives the network no longer
    counts. Euclidean measures of unit rows are cosine measures of the
    representation.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns.

    See Also
    --------
    sklearn.preprocessing.Normalizer : The same for other norms.

    Notes
    -----
    A row of zeros has no direction and stays as it is, so that measures that need one
    still see and refuse it.

    Examples
    --------
    >>> from sksim.preprocessing import UnitRows
    >>> UnitRows().fit_transform([[3.0, 4.0], [0.0, 2.0]]).tolist()
    [[0.6, 0.8], [0.0, 1.0]]
    """

    @overflow_is_silent
    def fit(self, X, y=None):
        """Check the input; there is nothing to learn.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Representation.
        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted transformer.
        """
        self._validate(X, reset=True)
        return self

    @overflow_is_silent
    def transform(self, X):
        """Divide each row by its norm.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Representation.

        Returns
        -------
        X_transformed : array of shape (n_samples, n_features)
            Rows of unit norm.
        """
        X, xp = self._validate_again(X)
        zero = xp.max(xp.abs(X), axis=1)[:, None] == 0
        directions = unit_rows(xp.where(zero, xp.ones_like(X), X), xp=xp)
        return xp.where(zero, X, directions)
