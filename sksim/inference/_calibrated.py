"""Null-corrected measures, for Pipelines and grids."""

import math
from inspect import isclass
from numbers import Integral, Real

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.validation import check_is_fitted

from sksim._sklearn_compat import (
    HasMethods,
    Interval,
    StrOptions,
    fit_context,
)
from sksim.arrays._namespace import number
from sksim.arrays._views import moved
from sksim.base._comparison import parted
from sksim.base._row_names import refuse_other_groups
from sksim.base._tags import tags_of
from sksim.discovery import check_measure
from sksim.inference._checks import refuse_unpaired
from sksim.inference._correction import (
    above_critical,
    best_score,
    corrected_score,
    critical_value,
    is_constant,
    warn_of_constant,
)
from sksim.inference._moments import null_moments
from sksim.inference._nulls import RowNull, null_statistics
from sksim.inference._permutations import own_strata, row_orders
from sksim.inference._result import standardized
from sksim.inference._rounding import rounding_of
from sksim.inference._test import is_free

# Scores by fitted maps are told apart by so much: those of one map differed by 3e-15.
_OF_MAPS = 1e-9


class CalibratedSimilarity(MetaEstimatorMixin, BaseEstimator):
    r"""A measure whose score is corrected for chance.

    .. math:: \frac{s - E_0}{s_{max} - E_0}

    with the measure's score :math:`s`, its best score :math:`s_{max}` (0 for distances,
    whose score is negative) and the mean :math:`E_0` of the score over all orders of
    y's rows. 0 by chance, 1 at best, negative below chance: representations of
    different widths and numbers of rows become comparable. With ``zero="critical"``
    the critical value of a test takes the place of :math:`E_0`, and what does not
    reach it is 0.

    Parameters
    ----------
    measure : estimator
        The measure; it is cloned.
    null : {"auto", "exact", "permutation"}, default="auto"
        Where the null mean comes from: a closed form, or random permutations. "auto"
        takes the closed form where the measure has one.
    n_permutations : int, default=199
        Number of random permutations.
    zero : {"mean", "critical"}, default="mean"
        Which score counts as 0: the null mean, or the critical value at ``level``,
        below which all scores are 0.
    level : float, default=0.05
        Level of the critical value: with r = ceil((1 - level) (n_permutations + 1))
        it is the r-th smallest of the score and those of the permuted rows.
    permute : {"rows", "shift"}, default="rows"
        What changes places: see :func:`similarity_test`.
    random_state : int, RandomState instance or None, default=None
        Seed of the permutations.

    Attributes
    ----------
    measure_ : estimator
        The fitted measure.
    statistic_ : float
        The measure's native number.
    score_ : float
        Null-corrected score.
    null_mean_, null_std_ : float
        Mean and standard deviation of the measure's score under the null hypothesis;
        the latter is nan where only the mean has a closed form.
    zero_, best_ : float
        The measure's scores that count as 0 and as 1.
    z_score_ : float
        The measure's score in standard deviations from its null mean.
    n_features_in_ : int
        Width of X.

    Raises
    ------
    ValueError
        If the measure has no best score (and ``zero="mean"``), is not paired, or has no
        closed form and ``null="exact"``.

    Warns
    -----
    UserWarning
        If all orders give the same score, up to rounding: the corrected one is nan.

    See Also
    --------
    similarity_test : Also gives a p-value.

    Notes
    -----
    On new rows, ``score`` takes the null mean of those rows; measures with fitted maps
    keep them and only the new rows of y are permuted. ``fit`` and ``score`` take
    ``groups`` and ``strata`` (see :func:`similarity_test`), and pass other metadata,
    such as ``y_true``, on to the measure.

    The best score is the measure's bound where a view compared with itself reaches it.
    Elsewhere it is the best that any order of the rows reaches: the share of rows that
    both models get wrong is at most that of the better one, and 1 for a model compared
    with itself. A measure without a best score, such as HSIC, has a score in its own
    unit with ``zero="critical"``: what it has above the critical value.

    References
    ----------
    F. Gröger et al. arXiv:2602.14486, 2026 (the critical value).

    L. Hubert, P. Arabie. Comparing partitions. Journal of Classification, 1985 (the
    same correction, of the Rand index).

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.inference import CalibratedSimilarity
    >>> from sksim.rsm import CKA
    >>> rng = np.random.default_rng(0)
    >>> X, unrelated = rng.normal(size=(2, 100, 256))
    >>> calibrated = CalibratedSimilarity(CKA())
    >>> bool(abs(calibrated.fit(X, unrelated).score_) < 0.05)
    True
    >>> calibrated.fit(X, X).score_
    1.0
    """

    _parameter_constraints: dict = {
        "measure": [HasMethods(["fit", "score"])],
        "null": [StrOptions({"auto", "exact", "permutation"})],
        "n_permutations": [Interval(Integral, 1, None, closed="left")],
        "zero": [StrOptions({"mean", "critical"})],
        "level": [Interval(Real, 0, 1, closed="neither")],
        "permute": [StrOptions({"rows", "shift"})],
        "random_state": ["random_state"],
    }
    # rows that belong together do so for the correction wherever they are given
    __metadata_request__fit = {"groups": True, "strata": True}
    __metadata_request__score = {"groups": True, "strata": True}

    def __init__(
        self,
        measure,
        *,
        null="auto",
        n_permutations=199,
        zero="mean",
        level=0.05,
        permute="rows",
        random_state=None,
    ):
        self.measure = measure
        self.null = null
        self.n_permutations = n_permutations
        self.zero = zero
        self.level = level
        self.permute = permute
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, groups=None, strata=None, **fit_params):
        """Compare two representations and correct the score for chance.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            First representation.
        y : array-like of shape (n_samples, n_features_y)
            Second representation of the same inputs.
        groups : array-like of shape (n_samples,), default=None
            Group of each row, where rows belong together.
        strata : array-like of shape (n_samples,), default=None
            Sets within which rows, or groups, change places.
        **fit_params : dict
            Metadata for the measure, such as ``y_true``.

        Returns
        -------
        self : object
            The fitted measure: the result is in ``score_``.
        """
        if isclass(self.measure):
            raise ValueError(
                f"measure is the class {self.measure.__name__}: pass an instance, "
                "whose parameters can be set."
            )
        measure = check_measure(self.measure, "correct it for chance")
        self._check(measure)
        strata = own_strata(tags_of(measure), strata, fit_params)
        if groups is not None or strata is not None:
            refuse_other_groups(measure, X, y, groups=groups, strata=strata)
        design = self._design(groups, strata)
        params = self._routed("fit", design, fit_params)
        comparison = measure._open_to_fit(X, y, **params)
        self.measure_ = measure._fit_to(comparison)
        self.statistic_ = measure.statistic_
        null = self._null_of(comparison, measure.score_, design)
        self.null_mean_, self.null_std_, self.zero_ = null
        self.best_ = best_score(comparison)
        rounding = _rounding_of(comparison, measure.statistic_)
        self.score_ = self._corrected(measure.score_, null, self.best_, rounding)
        mean, std, _ = null
        self.z_score_ = standardized(measure.score_, mean, std, rounding=rounding)
        return self

    def score(self, X=None, y=None, groups=None, strata=None, **score_params):
        """Null-corrected score: 0 by chance, 1 at best.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), default=None
            New rows of the first representation.
        y : array-like of shape (n_samples, n_features_y), default=None
            The same new rows of the second representation.
        groups : array-like of shape (n_samples,), default=None
            Group of each new row, where rows belong together.
        strata : array-like of shape (n_samples,), default=None
            Sets within which new rows, or groups, change places.
        **score_params : dict
            Metadata for the measure, such as ``y_true``.

        Returns
        -------
        score : float
            Without data the fitted pair's ``score_``.
        """
        check_is_fitted(self)
        if X is None and y is None:
            return self.score_
        measure = self.measure_
        strata = own_strata(tags_of(measure), strata, score_params)
        design = self._design(groups, strata)
        params = self._routed("score", design, score_params)
        if groups is not None or strata is not None:
            refuse_other_groups(measure, X, y, groups=groups, strata=strata)
        tags = tags_of(measure)
        if tags.score_uses_fit:
            score = measure.score(X, y, **params)
            scores = self._scores_by_fitted_maps(X, y, design, params)
            null = self._of_scores(score, scores)
            return self._corrected(score, null, tags.orient(tags.best), _OF_MAPS)
        comparison = measure._open(X, y, reset=False, **params)
        statistic = comparison.statistic()
        score = tags.orient(statistic)
        null = self._null_of(comparison, score, design)
        rounding = _rounding_of(comparison, statistic)
        return self._corrected(score, null, best_score(comparison), rounding)

    def _check(self, measure):
        tags = tags_of(measure)
        refuse_unpaired(measure, "a correction for chance")
        name = type(measure).__name__
        if tags.arity != "pair" or tags.null != "rows":
            raise ValueError(
                f"{name} is not tested by permuting rows, so that its null mean is not "
                "what unrelated representations would give."
            )
        if self.zero == "mean" and not math.isfinite(tags.best):
            raise ValueError(
                f"{name} has no best score to be scaled to 1: its range is "
                f"{tags.bounds}. Use a normalised measure, or zero='critical'."
            )

    def _null_of(self, comparison, score, design):
        """Null mean and standard deviation of the score, and what counts as 0."""
        tags = comparison.tags
        free = is_free(design)
        closed = None
        if self.null != "permutation" and free and self.zero == "mean":
            closed = _closed_form(comparison)
        if closed is not None:
            mean = tags.orient(closed[0])
            return mean, closed[1], mean
        if self.null == "exact":
            raise ValueError(
                f"{type(comparison.owner).__name__} has no closed form of its "
                f"{'null mean' if self.zero == 'mean' else 'critical value'}"
                f"{'' if free else ' for this design'}. Use null='permutation'."
            )
        null = RowNull(comparison, **design)
        scores = tags.orient(
            null_statistics(
                null, self.n_permutations, n_jobs=None, verbose=0, batch_size=64
            )
        )
        return self._of_scores(score, scores)

    def _of_scores(self, score, scores):
        mean = float(np.mean(scores))
        zero = mean
        if self.zero == "critical":
            zero = critical_value(score, scores, self.level)
        return mean, _std(scores), zero

    def _corrected(self, score, null, best, rounding):
        """Null-corrected score; a warning says why it is nan."""
        mean, std, zero = null
        if is_constant(score, mean, std, best, rounding=rounding):
            warn_of_constant(type(self.measure_).__name__, mean)
            return math.nan
        correct = above_critical if self.zero == "critical" else corrected_score
        return correct(score, zero, best)

    def _scores_by_fitted_maps(self, X, y, design, params):
        """Scores of the fitted maps on new rows, with those of y permuted."""
        measure = self.measure_
        rows = measure._read(X, y, reset=False, **params)
        X, y = rows.arrays
        orders = row_orders(rows.n_samples, **design)
        scores = []
        for i in range(self.n_permutations):
            moved_y = moved(y, orders.draw(i))
            outcome = measure._evaluate(X, moved_y, rows.xp, **rows.metadata)
            scores.append(tags_of(measure).orient(number(parted(outcome)[0])))
        return np.array(scores)

    def _design(self, groups, strata):
        return {
            "groups": groups,
            "strata": strata,
            "permute": self.permute,
            "random_state": self.random_state,
        }

    def _routed(self, method, design, params):
        if not get_config()["enable_metadata_routing"]:
            return params
        own = {name: design[name] for name in ("groups", "strata")}
        routed = process_routing(self, method, **own, **params)
        return routed["measure"][method]

    def get_metadata_routing(self):
        """Requests of this estimator and of its measure.

        Returns
        -------
        routing : MetadataRouter
            What is passed on to the measure.
        """
        mapping = MethodMapping()
        for method in ("fit", "score"):
            mapping.add(caller=method, callee=method)
        router = MetadataRouter(owner=type(self).__name__).add_self_request(self)
        return router.add(measure=self.measure, method_mapping=mapping)

    @property
    def n_features_in_(self):
        """Width of X."""
        check_is_fitted(self)
        return self.measure_.n_features_in_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.non_deterministic = self.random_state is None
        return tags


def _rounding_of(comparison, statistic):
    def unmoved():  # made in single precision only: it may hold n x n matrices
        return RowNull(comparison, random_state=0).unmoved()

    return float(rounding_of(comparison, statistic, unmoved))


def _closed_form(comparison):
    """Exact mean and standard deviation of the statistic, or None."""
    form = comparison.trace_form() if comparison.n_samples >= 3 else None
    if form is not None:
        moments = null_moments(form)
        return moments.mean, moments.std
    mean = comparison.null_mean()
    return None if mean is None else (mean, math.nan)


def _std(scores):
    return float(np.std(scores, ddof=min(1, len(scores) - 1)))
