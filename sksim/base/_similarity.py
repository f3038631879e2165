"""The measure: a view of each representation, and a comparison of two views."""

import math
from abc import ABCMeta, abstractmethod
from dataclasses import fields

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sksim._progress import progress_shown
from sksim._sklearn_compat import fit_context
from sksim.arrays._namespace import device_of, is_numpy, number
from sksim.base._comparison import Comparison, Rows, parted
from sksim.base._row_names import refuse_other_rows_of
from sksim.base._tags import PAIR_METADATA, ROW_METADATA, MeasureTags, tags_of
from sksim.base._validation import (
    check_metadata,
    check_representation_pair,
    gradients_are_kept,
    overflow_is_silent,
    rounding_of,
)


class BaseSimilarity(BaseEstimator, metaclass=ABCMeta):
    """A measure of how similar two representations of the same rows are.

    A measure writes ``_view``, ``_similarity_tags`` and ``_compare(view_x, view_y,
    xp)``: the statistic of two views, or (statistic, details) with a dict of what
    ``fit`` stores beside it. Its ``_kind`` may ask for something else than
    ``_compare``. None of these stores anything.
    """

    _parameter_constraints: dict = {}

    # How two views of this measure answer: see :mod:`sksim.base`.
    _kind = Comparison
    # Whether some rows of a view are the view of some rows.
    _views_are_row_wise = False

    # ----- what a measure writes ------------------------------------------------

    @abstractmethod
    def _view(self, X, xp):
        """All that the measure needs of one representation, computed once.

        Keywords that ``view_keywords`` names in the tags come in addition.
        """

    @abstractmethod
    def _similarity_tags(self):
        """SimilarityTags of the measure with its present parameters."""

    # ----- what a measure may write -------------------------------------------------

    def _validate_pair(self, X, y, *, reset):
        """Arrays of one namespace and precision, and that namespace."""
        return check_representation_pair(self, X, y, reset=reset)

    def _min_samples(self):
        """Fewest rows for which the statistic is defined."""
        return 2

    def _check_metadata(self, name, values, *, xp, like):
        """Metadata of the rows of ``like`` as views want them; values may be None."""
        return check_metadata(self, name, values, xp=xp, like=like)

    def _evaluate(self, X, y, xp, **metadata):
        """Outcome on new rows of a measure that applies its fitted maps to them."""
        raise NotImplementedError(
            f"{type(self).__name__} has the tag score_uses_fit and no _evaluate."
        )

    # ----- the door: what fit, tests, intervals and matrices go through --------------

    @property
    def _engine(self):
        """The measure that compares."""
        return self

    def _open(self, X, y=None, *, reset=True, **metadata):
        """Comparison of two representations: validated once, viewed once.

        Parameters
        ----------
        X, y : array-like
        reset : bool, default=True
            Whether to learn the numbers of features, or to check them.
        **metadata : dict
            What is known of the rows; what the measure does not name is dropped.

        Returns
        -------
        comparison : Comparison or GroupComparison
        """
        comparison = self._read(X, y, reset=reset, **metadata).compared()
        comparison.check()
        return comparison

    def _open_to_fit(self, X, y=None, **fit_params):
        """The same for ``fit``, whose parameters may be routed."""
        return self._open(X, y, **fit_params)

    def _read(self, X, y=None, *, reset=True, **metadata):
        """Validated rows, before they are viewed; their names must agree."""
        refuse_other_rows_of(self, X, y, metadata)
        return self._validated(X, y, reset=reset, **metadata)

    def _validated(self, X, y, *, reset, **metadata):
        """Rows of arrays, whose names are known to agree."""
        sides, metadata = self._by_names({"X": X, "y": y}, metadata, reset=reset)
        X, y, xp = self._validate_pair(*sides.values(), reset=reset)
        return self._rows((X, y), xp, metadata)

    def _by_names(self, sides, metadata, *, reset=False):
        """Arrays and metadata after what the names of columns and categories say."""
        return sides, metadata

    def _read_alone(self, X, *, like, role):
        """One of many representations, validated without a partner.

        ``like`` is one that all must agree with; returns the array and its namespace.
        """
        if tags_of(self).inputs in ("representation", "models"):
            # without a second array nothing is learnt: widths may differ
            X, _, xp = self._validate_pair(X, None, reset=False)
        else:
            _, X, xp = self._validate_pair(like, X, reset=True)
        return X, xp

    def _rows(self, arrays, xp, metadata):
        """Rows of validated arrays, with that of their metadata that views want."""
        like, tags, known = arrays[0], tags_of(self), {}
        for name in tags.view_keywords:
            value = metadata.get(name)
            if name in ROW_METADATA + PAIR_METADATA:
                value = self._check_metadata(name, value, xp=xp, like=like)
            if value is not None:
                known[name] = value
        device = None if is_numpy(xp) else device_of(like)
        rounding = rounding_of(str(like.dtype))
        return Rows(self, arrays, known, self._draw_seed(), xp, device, rounding)

    def _draw_seed(self):
        """One integer for all views of one comparison, or None without randomness."""
        if "seed" not in tags_of(self).view_keywords:
            return None
        return int(
            check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        )

    def _value_of(self, outcome):
        """Statistic of an outcome, without its details."""
        return parted(outcome)[0]

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
    def _fit(self, X, y, **metadata):
        with self._progress():
            return self._fit_to(self._open_to_fit(X, y, **metadata))

    @overflow_is_silent
    def _fit_to(self, comparison):
        """Become the measure of what it has opened."""
        self.n_samples_fit_ = comparison.n_samples
        self._keep_outcome(comparison)
        return self

    def _progress(self):
        """Context in which long loops show their progress, if ``verbose`` asks."""
        return progress_shown(getattr(self, "verbose", 0))

    def _keep_outcome(self, comparison):
        """Store what comes of a comparison."""
        self._store(comparison.outcome())

    def _store(self, outcome):
        """Keep an outcome as the fitted attributes."""
        statistic, details = parted(outcome)
        for name, value in details.items():
            setattr(self, name, value)
        tags = tags_of(self)
        self.statistic_ = self._as_number(statistic, tags)
        self.score_ = tags.orient(self.statistic_)
        setattr(self, f"{tags.orientation}_", self.statistic_)

    def _as_number(self, statistic, tags):
        """Statistic as a Python float; a representation must yield a finite one."""
        statistic = number(statistic)
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
    def _score(self, X, y, **metadata):
        check_is_fitted(self)
        if X is None and y is None:
            return self.score_
        if y is None and tags_of(self).arity == "pair":
            raise ValueError(
                f"{type(self).__name__}.score requires y to be passed with X: the new "
                "rows of both representations, or neither for the fitted score."
            )
        with self._progress():
            return self._score_of_new_rows(X, y, metadata)

    def _score_of_new_rows(self, X, y, metadata):
        tags = tags_of(self)
        if not tags.score_uses_fit:
            outcome = self._open(X, y, reset=False, **metadata).outcome()
            return tags.orient(self._as_number(parted(outcome)[0], tags))
        rows = self._read(X, y, reset=False, **metadata)
        outcome = self._evaluate(*rows.arrays, rows.xp, **rows.metadata)
        return tags.round_score(tags.orient(number(parted(outcome)[0])))

    def score_array(self, X, y, **metadata):
        """Score of two representations as a 0-d array, with its gradients.

        The measure need not be fitted, and stays as it is.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            First representation, an array of numpy or, with scikit-learn's
            ``array_api_dispatch``, of another library.
        y : array of shape (n_samples, n_features_y)
            Second representation of the same rows.
        **metadata : dict
            Metadata of the rows, such as ``y_true``, for measures that use them.

        Returns
        -------
        score : 0-d array
            Of the input's library. Its gradients are those of the score where the tag
            ``differentiable`` is set.

        Raises
        ------
        ValueError
            If the measure's gradients are not those of its score.
        """
        self._check_gradients()
        with gradients_are_kept():
            return tags_of(self).orient(clone(self)._open(X, y, **metadata).array())

    def _check_gradients(self, temperature=None):
        """Raise if ``score_array`` would not have the score's gradients."""
        if temperature is not None:
            raise ValueError(
                f"{type(self).__name__} has no form that depends on a temperature, as "
                "MutualKNN and NeighborJaccard have: leave temperature out."
            )
        if not tags_of(self).differentiable:
            raise ValueError(
                f"{type(self).__name__} has no gradients with these parameters. "
                "sksim.all_measures(differentiable=True) lists the measures that have."
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        own = tags_of(self)
        tags = MeasureTags(
            **{f.name: getattr(tags, f.name) for f in fields(tags)},
            similarity_tags=own,
        )
        tags.target_tags.required = own.arity == "pair"
        tags.target_tags.multi_output = True
        tags.array_api_support = own.array_api
        tags.input_tags.sparse = own.sparse
        tags.non_deterministic = not own.deterministic
        return tags
