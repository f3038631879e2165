"""The measure: a view of each representation, and a comparison of two views."""

import math
from abc import ABCMeta, abstractmethod
from dataclasses import fields

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sksim.utils._dask import fitted_to_chunks, is_dask
from sksim.utils._progress import progress_shown
from sksim.utils._sklearn_compat import fit_context
from sksim.utils._tags import MeasureTags
from sksim.utils._validation import (
    check_labels,
    check_representation_pair,
    overflow_is_silent,
)
from sksim.utils._views import exchange_rows, mirrored, take_rows


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

    def _compare_permuted(self, view_x, view_y, orders, xp):
        """Statistics of X and of y with its rows in each of several orders."""
        moved = (self._permute(view_y, order, xp) for order in orders)
        return [self._statistic(view_x, view, xp) for view in moved]

    def _prepare_many(self, views_x, views_y, xp):
        """Views in the form in which ``_compare_many_permuted`` is cheapest."""
        return views_x, views_y

    def _compare_many_permuted(self, views_x, views_y, orders, xp):
        """Statistics of many pairs with the rows of views_y in each of several orders.

        For each order rows of statistics, views_x by views_y.
        """
        return [
            self._compare_many(
                views_x, [self._permute(view, order, xp) for view in views_y], xp
            )
            for order in orders
        ]

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
        """`TraceForm` of the statistic, or None if it has no such form.

        Relabelling rows permutes one of the two matrices, which gives the null
        distribution's moments in closed form.
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

    @overflow_is_silent
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

    @overflow_is_silent
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
            First representation: one row per input. Measures with ``partial_fit`` take
            Dask arrays too, whose chunks are reduced where they are.
        y : array-like of shape (n_samples, n_features_y)
            Second representation of the same inputs, in the same order.

        Returns
        -------
        self : object
            The fitted measure: the result is in ``statistic_`` and ``score_``.
        """
        return self._fit(X, y)

    @overflow_is_silent
    def _fit(self, X, y, y_true=None):
        is_streaming = self._similarity_tags().streaming
        if is_streaming and (is_dask(X) or is_dask(y)):
            return self._become(fitted_to_chunks(self, X, y))
        X, y, xp = self._validate_pair(X, y, reset=True)
        y_true = check_labels(self, y_true, n_samples=X.shape[0], xp=xp, like=X)
        self.n_samples_fit_ = X.shape[0]
        with self._progress():
            view_x, view_y = self._views(X, y, xp, y_true=y_true)
            self._check_views(view_x, view_y)
            self._fit_views(view_x, view_y, xp)
        return self

    def _become(self, fitted):
        """Take over the state of another measure with the same parameters."""
        params = self.get_params(deep=False)
        vars(self).update({k: v for k, v in vars(fitted).items() if k not in params})
        return self

    def _progress(self):
        """Context in which long loops show their progress, if ``verbose`` asks."""
        return progress_shown(getattr(self, "verbose", 0))

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

    @overflow_is_silent
    def _score(self, X, y, y_true=None):
        check_is_fitted(self)
        if X is None and y is None:
            return self.score_
        if y is None:
            raise ValueError(
                f"{type(self).__name__}.score requires y to be passed with X: the new "
                "rows of both representations, or neither for the fitted score."
            )
        X, y, xp = self._validate_pair(X, y, reset=False)
        y_true = check_labels(self, y_true, n_samples=X.shape[0], xp=xp, like=X)
        with self._progress():
            return self._score_of(self._evaluate(X, y, xp, y_true=y_true))

    def _score_of(self, outcome):
        """Score of an outcome on new rows."""
        tags = self._similarity_tags()
        statistic = outcome[0] if isinstance(outcome, tuple) else outcome
        if tags.score_uses_fit:
            return tags.round_score(tags.orient(float(statistic)))
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
