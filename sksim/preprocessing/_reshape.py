"""From feature maps and token sequences to one vector for each row."""

import math

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils.validation import check_is_fitted

from sksim._sklearn_compat import StrOptions, fit_context
from sksim.arrays._namespace import (
    check_same_namespace,
    device_of,
    namespace_of,
    zeros,
)
from sksim.base._validation import check_rows, overflow_is_silent, refuse_infinite_rows


class _ReshapingTransformer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """A transformer of arrays with more than two axes; matrices stay as they are.

    Says by ``_count_features`` what must be the same in new rows, and by ``_reduce``
    what becomes of an array of more than two axes.
    """

    _parameter_constraints: dict = {}

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Check the input and remember its shape.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Representation.
        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted transformer.
        """
        X, xp = self._validate(X, reset=True)
        self._n_features_out = X.shape[1] if X.ndim == 2 else self.n_features_in_
        self._empty = zeros((0,), like=X, xp=xp)
        return self

    @overflow_is_silent
    def transform(self, X):
        """Make one vector of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Representation.

        Returns
        -------
        X_transformed : array of shape (n_samples, n_features_out)
            One vector for each row.
        """
        check_is_fitted(self)
        check_same_namespace(X, self, attribute="_empty", method="transform")
        X, xp = self._validate(X, reset=False)
        return refuse_infinite_rows(self._reduced(X, xp), self, xp=xp)

    def _reduced(self, X, xp):
        return X if X.ndim == 2 else self._reduce(X, xp)

    def _validate(self, X, *, reset):
        X = check_rows(self, X, reset=reset, allow_nd=True)
        xp = namespace_of(X)
        if X.ndim <= 2:
            return X, xp
        if 0 in X.shape:
            raise ValueError(
                f"X has the shape {tuple(X.shape)}: an axis without entries has "
                "nothing to flatten or pool. Check that the right array was passed."
            )
        count = self._count_features(X)
        if reset:
            self.n_features_in_ = count
        elif count != self.n_features_in_:
            raise ValueError(
                f"X has {count} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input."
            )
        return X, xp

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = True
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class Flatten(_ReshapingTransformer):
    """Put all axes but the first into one.

    Each unit at each place is a feature of its own. Asks whether the same thing is
    represented at the same place: a representation that is shifted by a pixel counts as
    different for measures that match columns, and widths grow with the resolution.

    Attributes
    ----------
    n_features_in_ : int
        Number of entries of a row.

    See Also
    --------
    SpatialPooling : One feature for each channel.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.preprocessing import Flatten
    >>> Flatten().fit_transform(np.ones((10, 3, 4, 4))).shape
    (10, 48)
    """

    def _count_features(self, X):
        return math.prod(X.shape[1:])

    def _reduce(self, X, xp):
        return xp.reshape(X, (X.shape[0], math.prod(X.shape[1:])))


class SpatialPooling(_ReshapingTransformer):
    """Average (or take the maximum of) each channel over all places.

    Asks what is represented, not where: maps of different sizes become comparable, and
    a channel is one feature. What differs between places within an image is lost.

    Parameters
    ----------
    pool : {"mean", "max"}, default="mean"
        What is taken of each channel.
    channels : {"first", "last"}, default="first"
        Place of the channel axis: (n_samples, channels, height, width), as in torch,
        or (n_samples, height, width, channels).

    Attributes
    ----------
    n_features_in_ : int
        Number of channels.

    See Also
    --------
    Flatten : Keeps the places apart.
    TokenPooling : For sequences.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.preprocessing import SpatialPooling
    >>> SpatialPooling().fit_transform(np.ones((10, 3, 4, 4))).shape
    (10, 3)
    """

    _parameter_constraints: dict = {
        "pool": [StrOptions({"mean", "max"})],
        "channels": [StrOptions({"first", "last"})],
    }

    def __init__(self, pool="mean", *, channels="first"):
        self.pool = pool
        self.channels = channels

    def _count_features(self, X):
        return X.shape[1 if self.channels == "first" else -1]

    def _reduce(self, X, xp):
        axes = range(2, X.ndim) if self.channels == "first" else range(1, X.ndim - 1)
        pool = xp.mean if self.pool == "mean" else xp.max
        return pool(X, axis=tuple(axes))


class TokenPooling(_ReshapingTransformer):
    """Make one vector of a sequence of token vectors.

    The mean asks about the whole sequence, "first" about a class token, "last" about
    the last token of a causal language model. Padding counts as tokens unless a mask
    says that it does not.

    Parameters
    ----------
    pool : {"mean", "max", "first", "last"}, default="mean"
        What is taken of (n_samples, tokens, features) along the tokens.
    mask : array-like of shape (n_samples, tokens), default=None
        1 where a token counts and 0 where it is padding, as tokenizers return it, for
        the rows that are transformed. Padding may be on either side: "first" and "last"
        are those that count. None counts all. As ``reduce`` of
        :func:`sksim.models.extract_representations` the transformer is given the mask
        of each batch.

    Attributes
    ----------
    n_features_in_ : int
        Number of features of a token.

    See Also
    --------
    Flatten : Compares token by token.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.preprocessing import TokenPooling
    >>> TokenPooling(pool="first").fit_transform(np.ones((10, 7, 16))).shape
    (10, 16)

    Two tokens and one of padding, which does not count:

    >>> X = np.array([[[1.0], [3.0], [50.0]]])
    >>> TokenPooling(mask=[[1, 1, 0]]).fit_transform(X)
    array([[2.]])
    """

    _parameter_constraints: dict = {
        "pool": [StrOptions({"mean", "max", "first", "last"})],
        "mask": ["array-like", None],
    }

    def __init__(self, pool="mean", *, mask=None):
        self.pool = pool
        self.mask = mask

    def _count_features(self, X):
        if X.ndim != 3:
            raise ValueError(
                f"X has {X.ndim} axes, but TokenPooling needs 3: (n_samples, tokens, "
                "features). Use SpatialPooling or Flatten for feature maps."
            )
        return X.shape[2]

    def _reduce(self, X, xp):
        if self.mask is not None:
            return self._reduce_counted(X, self._counts(X, xp), xp)
        if self.pool == "mean":
            return xp.mean(X, axis=1)
        if self.pool == "max":
            return xp.max(X, axis=1)
        return X[:, 0 if self.pool == "first" else -1, :]

    def _counts(self, X, xp):
        """Which tokens count, as an array of bool beside X."""
        mask = self.mask
        if hasattr(mask, "detach"):
            mask = mask.detach().cpu()
        mask = np.asarray(mask) != 0
        if mask.shape != tuple(X.shape[:2]):
            raise ValueError(
                f"mask has the shape {mask.shape}, but X has {X.shape[0]} rows of "
                f"{X.shape[1]} tokens: it must say of each token whether it counts."
            )
        empty = ~np.any(mask, axis=1)
        if np.any(empty):
            raise ValueError(
                f"Row {int(np.argmax(empty))} has no token that counts: its mask is 0 "
                "throughout. Leave out such rows."
            )
        return xp.asarray(mask, device=device_of(X))

    def _reduce_counted(self, X, counts, xp):
        if self.pool in ("first", "last"):
            places = xp.arange(X.shape[1], device=device_of(X))
            places = places if self.pool == "last" else -places
            lowest = xp.asarray(-X.shape[1], device=device_of(X))
            at = xp.argmax(xp.where(counts, places[None, :], lowest), axis=1)
            counts = xp.arange(X.shape[1], device=device_of(X))[None, :] == at[:, None]
        if self.pool == "max":
            lowest = xp.asarray(-xp.inf, dtype=X.dtype, device=device_of(X))
            return xp.max(xp.where(counts[:, :, None], X, lowest), axis=1)
        n_tokens = xp.astype(xp.sum(xp.astype(counts, xp.int64), axis=1), X.dtype)
        X = xp.where(counts[:, :, None], X, xp.zeros_like(X))
        return xp.sum(X, axis=1) / n_tokens[:, None]
