"""Base classes: what every measure shares, so that a measure is only its mathematics.

Data walks one way: validate -> view -> compare -> orient. A measure writes
``_view`` (all that depends on one representation alone) and ``_compare`` (two views
in, one number out); everything else follows from these two.
"""

import math
from abc import ABCMeta, abstractmethod
from dataclasses import fields

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_array, check_random_state, metadata_routing
from sklearn.utils.validation import check_is_fitted

from sksim.utils._array_api import check_same_namespace, namespace_of
from sksim.utils._outputs import model_outputs
from sksim.utils._sklearn_compat import fit_context
from sksim.utils._tags import MeasureTags, SimilarityTags
from sksim.utils._validation import (
    check_labels,
    check_output_group,
    check_output_pair,
    check_representation_pair,
)
from sksim.utils._views import exchange_rows, mirrored, take_rows, without_rows

__all__ = [
    "AlignmentMixin",
    "BaseFunctionalSimilarity",
    "BaseGroupSimilarity",
    "BaseModelSimilarity",
    "BaseSimilarity",
    "LabelsMixin",
    "SimilarityTags",
]


class BaseSimilarity(BaseEstimator, metaclass=ABCMeta):
    """A measure of how similar two representations of the same rows are.

    A measure writes three methods: ``_view``, ``_compare`` and ``_similarity_tags``.
    """

    _parameter_constraints: dict = {}

    # ----- what a measure writes ------------------------------------------------

    @abstractmethod
    def _view(self, X, xp):
        """All that the measure needs of one representation, computed once.

        Keywords that ``view_keywords`` names in the tags come in addition: ``role``
        ("x" or "y"), ``y_true`` (labels), ``seed`` (an integer, the same for both),
        ``data`` (the rows that models are applied to).
        """

    @abstractmethod
    def _compare(self, view_x, view_y, xp):
        """Statistic of two views, or (statistic, details).

        Details are a dict that ``fit`` stores as attributes. A kernel stores nothing.
        """

    @abstractmethod
    def _similarity_tags(self):
        """SimilarityTags of the measure with its present parameters."""

    # ----- what a measure may replace by something better -------------------------

    def _permute(self, view, order, xp):
        """View of the representation with its rows in another order."""
        return take_rows(view, order, xp=xp)

    def _prepare_permutations(self, view_x, view_y, xp):
        """Views in the form in which ``_compare_permuted`` is cheapest."""
        return view_x, view_y

    def _compare_permuted(self, view_x, view_y, order, xp):
        """Statistic of X and of y with its rows in another order."""
        return self._statistic(view_x, self._permute(view_y, order, xp), xp)

    def _compare_many(self, views_x, views_y, xp):
        """Statistics of many pairs, as rows: views_x by views_y.

        The same list passed twice asks for all pairs of one set; of a symmetric
        measure the lower half then need not be computed.
        """
        if views_x is views_y and self._similarity_tags().symmetric:
            return mirrored(
                [self._statistic(x, y, xp) for y in views_y[i:]]
                for i, x in enumerate(views_x)
            )
        return [[self._statistic(x, y, xp) for y in views_y] for x in views_x]

    def _exchange(self, view_x, view_y, mask, xp):
        """Both views with the rows in which ``mask`` holds swapped between them."""
        return exchange_rows(view_x, view_y, mask, xp=xp)

    def _exact_pvalue(self, view_x, view_y, xp):
        """P-value of an exact test of the tag's null, or None if there is none."""
        return

    def _check_views(self, view_x, view_y):
        """Warn or raise about a pair as a whole; called once, before comparing."""

    def _trace_form(self, view_x, view_y, xp):
        """Symmetric K and L, rows summing to 0, whose inner product is the statistic.

        Relabelling rows permutes L, which gives the null distribution's moments in
        closed form. None for a measure that is no such product.
        """
        return

    def _null_mean(self, view_x, view_y, xp):
        """Exact mean of the statistic over all orders of rows, or None."""
        return

    def _subset(self, view, rows, xp):
        """View of some of the rows, or None where it has to be made of the data."""
        return

    def _leave_one_out(self, view_x, view_y, xp):
        """Statistics without each row in turn, in closed form, or None."""
        return

    def _compare_weighted(self, view_x, view_y, weights, xp):
        """Statistic of rows that count several times, or not at all.

        Pairs of copies of one row are left out. None where that is undefined.
        """
        return

    def _evaluate(self, X, y, xp, y_true=None):
        """Outcome on new rows; measures with fitted maps apply them instead."""
        view_x, view_y = self._views(X, y, xp, y_true=y_true)
        self._check_views(view_x, view_y)
        return self._compare(view_x, view_y, xp)

    def _min_samples(self):
        """Fewest rows for which the statistic is defined."""
        return 2

    # ----- the protocol: what inference, matrices and pictures build on -----------

    def _validate_pair(self, X, y, *, reset):
        """Arrays of one namespace and precision, and that namespace."""
        return check_representation_pair(self, X, y, reset=reset)

    def _make_view(self, X, xp, *, role="x", y_true=None, seed=None, data=None):
        """View of one validated representation."""
        tags = self._similarity_tags()
        offered = {"role": role, "y_true": y_true, "seed": seed, "data": data}
        return self._view(X, xp, **{name: offered[name] for name in tags.view_keywords})

    def _views(self, X, y, xp, *, y_true=None, data=None):
        """Views of both validated representations."""
        shared = {"y_true": y_true, "seed": self._draw_seed(), "data": data}
        return (
            self._make_view(X, xp, role="x", **shared),
            self._make_view(y, xp, role="y", **shared),
        )

    def _draw_seed(self):
        """One integer for all views of one comparison, or None without randomness."""
        if "seed" not in self._similarity_tags().view_keywords:
            return None
        return int(
            check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        )

    def _statistic(self, view_x, view_y, xp):
        """Statistic of two views, without details."""
        return self._value_of(self._compare(view_x, view_y, xp))

    def _value_of(self, outcome):
        """Statistic of an outcome, without its details."""
        return outcome[0] if isinstance(outcome, tuple) else outcome

    def _orient(self, statistic):
        """Score of a statistic: greater means more similar."""
        return self._similarity_tags().orient(statistic)

    # ----- the estimator ----------------------------------------------------------

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Compare two representations of the same rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            First representation: one row per input.
        y : array-like of shape (n_samples, n_features_y)
            Second representation of the same inputs, in the same order.

        Returns
        -------
        self : object
            The fitted measure: the result is in ``statistic_`` and ``score_``.
        """
        return self._fit(X, y)

    def _fit(self, X, y, y_true=None):
        X, y, xp = self._validate_pair(X, y, reset=True)
        y_true = check_labels(self, y_true, n_samples=X.shape[0], xp=xp, like=X)
        self.n_samples_fit_ = X.shape[0]
        view_x, view_y = self._views(X, y, xp, y_true=y_true)
        self._check_views(view_x, view_y)
        self._fit_views(view_x, view_y, xp)
        return self

    def _fit_views(self, view_x, view_y, xp):
        """Compare two views and store the outcome."""
        self._store(self._compare(view_x, view_y, xp))

    def _store(self, outcome):
        """Keep an outcome as the fitted attributes."""
        statistic, details = outcome if isinstance(outcome, tuple) else (outcome, {})
        for name, value in details.items():
            setattr(self, name, value)
        tags = self._similarity_tags()
        self.statistic_ = self._as_number(statistic, tags)
        self.score_ = tags.orient(self.statistic_)
        setattr(self, f"{tags.orientation}_", self.statistic_)

    def _as_number(self, statistic, tags):
        """Statistic as a Python float; a representation must yield a finite one."""
        statistic = float(statistic)
        if tags.inputs == "representation" and not math.isfinite(statistic):
            raise ValueError(
                f"{type(self).__name__} cannot be computed on this input: the result "
                f"is {statistic}. Rescale the representations, for example to unit "
                "norm."
            )
        return tags.round_into_bounds(statistic)

    def score(self, X=None, y=None):
        """Similarity, oriented so that greater means more similar.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), default=None
            New rows of the first representation.
        y : array-like of shape (n_samples, n_features_y), default=None
            The same new rows of the second representation.

        Returns
        -------
        score : float
            Without data the fitted pair's ``score_``. With data the measure on the
            new rows: measures that learn a map in ``fit`` apply it.
        """
        return self._score(X, y)

    def _score(self, X, y, y_true=None):
        check_is_fitted(self)
        if X is None and y is None:
            return self.score_
        X, y, xp = self._validate_pair(X, y, reset=False)
        y_true = check_labels(self, y_true, n_samples=X.shape[0], xp=xp, like=X)
        return self._score_of(self._evaluate(X, y, xp, y_true=y_true))

    def _score_of(self, outcome):
        """Score of an outcome on new rows."""
        tags = self._similarity_tags()
        statistic = outcome[0] if isinstance(outcome, tuple) else outcome
        if tags.score_uses_fit:
            return tags.orient(float(statistic))
        return tags.orient(self._as_number(statistic, tags))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        own = self._similarity_tags()
        tags = MeasureTags(
            **{f.name: getattr(tags, f.name) for f in fields(tags)},
            similarity_tags=own,
        )
        tags.target_tags.required = own.arity == "pair"
        tags.target_tags.multi_output = True
        tags.array_api_support = own.array_api
        tags.non_deterministic = not own.deterministic
        return tags


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


class _LazyMaps:
    """Fitted maps, computed when they are first asked for."""

    def __init__(self, view_x, view_y):
        self.sources = (without_rows(view_x), without_rows(view_y))
        self.maps = None


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

    def _fit_views(self, view_x, view_y, xp):
        super()._fit_views(view_x, view_y, xp)
        self.x_mean_, self.y_mean_ = view_x.mean, view_y.mean
        self._maps = _LazyMaps(view_x, view_y)

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
                self, X, None, reset=False, min_samples=1
            )
            return self._transform_x(X, xp)
        X, y, xp = check_representation_pair(self, X, y, reset=False, min_samples=1)
        return self._transform_x(X, xp), self._transform_y(y, xp)

    def _validate_mapped(self, X):
        """Rows to be mapped back: as wide as what ``transform`` returns."""
        check_is_fitted(self)
        xp = namespace_of(self.x_mean_)
        X = check_array(
            X, dtype=[xp.float64, xp.float32], input_name="X", estimator=self
        )
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
