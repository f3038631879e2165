"""Bringing representations to one width."""

from numbers import Integral

from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils.validation import check_is_fitted

from sksim._sklearn_compat import Interval, StrOptions, fit_context
from sksim.arrays._linalg import centered, tall_svd
from sksim.arrays._namespace import (
    check_same_namespace,
    namespace_of,
    zeros,
)
from sksim.base._readable import as_values
from sksim.base._validation import (
    check_rows,
    overflow_is_silent,
    refuse_infinite_rows,
)


class WidthMatching(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Bring a representation to a given number of columns.

    Columns of zeros ("pad") change no inner product or distance of rows: the question
    stays the same, and only measures that insist on equal widths notice. Principal
    components ("pca") leave out the directions of least variance: the question becomes
    whether the strong directions agree. Most measures in sksim need neither.

    Parameters
    ----------
    width : int, default=None
        Number of columns. None for that of the other representation, given to ``fit``
        as y (as :class:`sksim.compose.TransformedViews` does): the larger of both to
        pad, the smaller for principal components.
    method : {"pad", "pca"}, default="pad"
        Add columns of zeros, or project on principal components.

    Attributes
    ----------
    width_ : int
        Number of columns that come out.
    mean_ : array of shape (n_features,)
        Column means, only for "pca".
    components_ : array of shape (width, n_features)
        Principal directions, only for "pca".
    n_features_in_ : int
        Number of columns that go in.

    Raises
    ------
    ValueError
        If padding would have to cut, or if there are too few rows or columns for the
        number of components.

    Examples
    --------
    >>> from sksim.preprocessing import WidthMatching
    >>> WidthMatching(width=3).fit_transform([[1.0, 2.0], [3.0, 4.0]]).tolist()
    [[1.0, 2.0, 0.0], [3.0, 4.0, 0.0]]
    """

    _parameter_constraints: dict = {
        "width": [Interval(Integral, 1, None, closed="left"), None],
        "method": [StrOptions({"pad", "pca"})],
    }

    def __init__(self, width=None, *, method="pad"):
        self.width = width
        self.method = method

    @overflow_is_silent
    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Find the width, and the principal components if they are wanted.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Representation.
        y : array-like of shape (n_samples, n_features_y), default=None
            The other representation, whose width counts if none is given.

        Returns
        -------
        self : object
            Fitted transformer.
        """
        X, xp = self._validate(X, reset=True)
        self.width_ = self._find_width(X, y)
        self._padding = zeros((max(0, self.width_ - X.shape[1]),), like=X, xp=xp)
        if self.method == "pca":
            rows, self.mean_, _, _ = centered(X, xp=xp)
            self.components_ = tall_svd(rows, xp=xp)[2][: self.width_, :]
        return self

    def _find_width(self, X, y):
        n_samples, own = X.shape
        choose = max if self.method == "pad" else min
        width = self.width
        if width is None:
            width = own if y is None else choose(own, _width_of(y))
        if self.method == "pad" and width < own:
            raise ValueError(
                f"X has {own} columns, more than width={width}: zero-padding can't "
                "remove any. Use method='pca', or a larger width."
            )
        if self.method == "pca" and width > min(n_samples, own):
            raise ValueError(
                f"{width} principal components need as many rows and columns, X has "
                f"{n_samples} and {own}. Use method='pad', or a smaller width."
            )
        return width

    @overflow_is_silent
    def transform(self, X):
        """Pad or project.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Representation.

        Returns
        -------
        X_transformed : array of shape (n_samples, width)
            Rows of the wanted width.
        """
        check_is_fitted(self)
        check_same_namespace(X, self, attribute="_padding", method="transform")
        X, xp = self._validate(X, reset=False)
        if self.method == "pca":
            mean = xp.astype(self.mean_, X.dtype, copy=False)
            components = xp.astype(self.components_, X.dtype, copy=False)
            mapped = (X - mean) @ components.T
            return refuse_infinite_rows(mapped, self, xp=xp)
        shape = X.shape[0], self._padding.shape[0]
        return xp.concat([X, zeros(shape, like=X, xp=xp)], axis=1)

    def _validate(self, X, *, reset):
        X = check_rows(self, X, reset=reset)
        return X, namespace_of(X)

    @property
    def _n_features_out(self):
        return self.width_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _width_of(y):
    is_array = hasattr(y, "shape") and not isinstance(y, type)
    shape = y.shape if is_array else as_values(y, "y").shape
    return shape[1] if len(shape) > 1 else 1
