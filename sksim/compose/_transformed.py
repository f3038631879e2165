"""Both representations through one preprocessing."""

from dataclasses import replace

from sklearn.base import clone
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sksim._sklearn_compat import (
    HasMethods,
    StrOptions,
    fit_context,
    is_routing_enabled,
)
from sksim.arrays._namespace import get_namespace_and_device
from sksim.base._readable import is_text
from sksim.base._row_names import refuse_other_rows_of
from sksim.base._tags import tags_of
from sksim.compose._wrapper import BaseWrapper


def _inner_can_transform(self):
    return hasattr(self._inner, "transform")


class TransformedViews(BaseWrapper):
    """A measure of transformed representations.

    Both representations go through a preprocessing of their own before they are
    compared. A :class:`sklearn.pipeline.Pipeline` in front of a measure transforms X
    only, and compares it with the untouched y: a silent trap.

    Parameters
    ----------
    measure : estimator
        Measure of the transformed representations.
    transformer : transformer or Pipeline
        Preprocessing of X. It is cloned, and fitted on X with y, the other
        representation, as its second argument.
    y_transformer : {"same"}, transformer, Pipeline or None, default="same"
        Preprocessing of y: a clone of ``transformer`` fitted on y, another one, or
        None for y as it is.

    Attributes
    ----------
    statistic_, score_ : float
        Outcome of the measure on the transformed representations.
    similarity_ or distance_ : float
        The one that the measure has.
    measure_ : estimator
        The fitted measure, with all its attributes.
    transformer_, y_transformer_ : transformers
        The fitted preprocessing of X and of y; None where there is none.
    n_samples_fit_ : int
        Number of rows.

    See Also
    --------
    sksim.preprocessing : Transformers made for representations.
    sklearn.pipeline.make_pipeline : Chains transformers.

    Notes
    -----
    Transformers may take arrays of more than two axes, such as feature maps.
    ``score(X, y)`` and ``transform(X)`` apply the fitted transformers to new rows.
    Rows must stay rows: a permutation test permutes rows that are already transformed.

    It is a metadata router: with scikit-learn's metadata routing, ``fit`` passes on
    what measure and transformer request. Without, all metadata goes to the measure.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.compose import TransformedViews
    >>> from sksim.preprocessing import SpatialPooling
    >>> from sksim.rsm import CKA
    >>> rng = np.random.default_rng(0)
    >>> maps = rng.normal(size=(50, 3, 4, 4))
    >>> shifted = np.roll(maps, 1, axis=3)
    >>> measure = TransformedViews(CKA(), SpatialPooling())
    >>> round(measure.fit(maps, shifted).score_, 12)
    1.0
    """

    _parameter_constraints: dict = {
        **BaseWrapper._parameter_constraints,
        "transformer": [HasMethods(["fit", "transform"])],
        "y_transformer": [
            StrOptions({"same"}),
            HasMethods(["fit", "transform"]),
            None,
        ],
    }

    def __init__(self, measure, transformer, *, y_transformer="same"):
        self.measure = measure
        self.transformer = transformer
        self.y_transformer = y_transformer

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, **params):
        """Transform both representations and compare them.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            First representation.
        y : array-like of shape (n_samples, ...)
            Second representation of the same inputs, in the same order.
        **params : dict
            Metadata, such as ``y_true``, for the measure and the transformers.

        Returns
        -------
        self : object
            The fitted measure.
        """
        return self._fit(X, y, **params)

    def _open_to_fit(self, X, y=None, **fit_params):
        routed = self._routed("fit", fit_params)
        metadata = routed["measure"].get("fit", {})
        of_transformer = routed["transformer"].get("fit", {})
        return self._open(X, y, of_transformer=of_transformer, **metadata)

    def _keep_outcome(self, comparison):
        self.measure_._fit_to(comparison)
        self._store_outcome()

    def score(self, X=None, y=None, **params):
        """Score of the measure on transformed new rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...), default=None
            New rows of the first representation.
        y : array-like of shape (n_samples, ...), default=None
            The same new rows of the second representation.
        **params : dict
            Metadata for the measure.

        Returns
        -------
        score : float
            Without data the fitted pair's ``score_``.
        """
        check_is_fitted(self)
        if X is None and y is None:
            return self.score_
        refuse_other_rows_of(self, X, y, params)
        routed = self._routed("score", params)
        X, y = self._apply_transformers(X, y)
        return self.measure_.score(X, y, **routed["measure"].get("score", {}))

    @available_if(_inner_can_transform)
    def transform(self, X, y=None):
        """Apply the fitted transformers, then the map that the measure has learned.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Rows of the first representation.
        y : array-like of shape (n_samples, ...), default=None
            Rows of the second representation.

        Returns
        -------
        X_transformed : array of shape (n_samples, n_components)
            Mapped rows, in the coordinates of the transformed y where the measure
            lands in those of y; with y given, a tuple of both.
        """
        check_is_fitted(self)
        refuse_other_rows_of(self, X, y, {})
        X, y = self._apply_transformers(X, y)
        return (
            self.measure_.transform(X) if y is None else self.measure_.transform(X, y)
        )

    def _similarity_tags(self):
        tags = super()._similarity_tags()
        return replace(tags, symmetric=tags.symmetric and self._is_same)

    def get_metadata_routing(self):
        """Metadata that the measure and the transformers request.

        Returns
        -------
        routing : MetadataRouter
            Routing of ``fit`` and ``score``.
        """
        to_measure = (
            MethodMapping()
            .add(caller="fit", callee="fit")
            .add(caller="score", callee="score")
        )
        to_transformer = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self)
        router.add(measure=self.measure, method_mapping=to_measure)
        router.add(transformer=self.transformer, method_mapping=to_transformer)
        return router

    def _routed(self, method, params):
        """Keywords of each part's methods."""
        if is_routing_enabled():
            return process_routing(self, method, **params)
        return {"measure": {method: params}, "transformer": {}}

    def _validated(self, X, y, *, reset, of_transformer=None, **metadata):
        """Transform what comes in; all that follows sees the outcome."""
        if reset:
            X, y = self._fit_transformers(X, y, of_transformer or {})
            self._reset_inner()
        else:
            X, y = self._apply_transformers(X, y)
        rows = self.measure_._read(X, y, reset=reset, **metadata)
        return replace(rows, viewer=self)

    def _rows(self, arrays, xp, metadata):
        return replace(self._inner._rows(arrays, xp, metadata), viewer=self)

    def _read_alone(self, X, *, like, role):
        """Each of many representations by a transformer that is fitted to it alone."""
        self._refuse_models()
        transformer = self.transformer if role == "x" else self._transformer_of_y()
        X = _as_columns(X)
        if transformer is not None:
            X = clone(transformer).fit(X).transform(X)
        return clone(self.measure)._read_alone(X, like=X, role=role)

    @property
    def _is_same(self):
        """Whether both views go through the same transformer."""
        return is_text(self.y_transformer)

    def _transformer_of_y(self):
        return self.transformer if self._is_same else self.y_transformer

    def _refuse_models(self):
        if tags_of(self.measure).inputs == "models":
            raise ValueError(
                f"TransformedViews transforms rows, and {type(self.measure).__name__} "
                "compares models. Put a transformer in front of a model with "
                "make_pipeline."
            )

    def _fit_transformers(self, X, y, params):
        self._refuse_models()
        if y is None and tags_of(self.measure).arity == "pair":
            raise ValueError(
                "TransformedViews requires y to be passed, but the target y is None. "
                "y is the second representation."
            )
        X, y = _as_columns(X), _as_columns(y)
        self.transformer_ = clone(self.transformer).fit(X, y, **params)
        of_y = self._transformer_of_y()
        if y is None or of_y is None:
            self.y_transformer_ = None
        elif self._is_same:
            self.y_transformer_ = clone(of_y).fit(y, X, **params)
        else:
            self.y_transformer_ = clone(of_y).fit(y, X)
        return self._apply_transformers(X, y)

    def _apply_transformers(self, X, y):
        X = self.transformer_.transform(_as_columns(X))
        if y is not None:
            y = _as_columns(y)
            if self.y_transformer_ is not None:
                y = self.y_transformer_.transform(y)
        return X, y


def _as_columns(array):
    """A vector as one column, anything else as it is."""
    if getattr(array, "ndim", 0) != 1:
        return array
    if hasattr(array, "to_frame"):
        return array.to_frame()
    xp = get_namespace_and_device(array)[0]
    return xp.reshape(array, (-1, 1))
