"""Similarity of what repeated measurements have in common."""

from dataclasses import dataclass, replace
from dataclasses import fields as dataclass_fields

import numpy as np

from sksim._sklearn_compat import HasMethods, fit_context
from sksim.arrays._namespace import namespace_of, number, to_numpy
from sksim.arrays._repeats import Trials
from sksim.base._comparison import Comparison
from sksim.base._repeats import Halves, RepeatedRows, numbers_of_rows, root_of_signal
from sksim.base._tags import tags_of
from sksim.compose._wrapper import BaseWrapper


class CrossRepetition(BaseWrapper):
    r"""Similarity of representations whose rows were measured several times.

    A recording of a row is its signal plus noise, which differs from trial to trial. A
    measure of mean trials multiplies the noise that is left with itself, so that noisy
    representations look unlike, however similar their signals are. Here no trial meets
    itself: the result estimates the measure of the signals alone.

    Parameters
    ----------
    measure : estimator
        :class:`~sksim.rsm.CKA` and :class:`~sksim.rsm.HSIC` with the linear kernel and
        ``debias="rows"`` or "both"; :class:`~sksim.alignment.OrthogonalProcrustes` and
        :class:`~sksim.alignment.AngularShapeMetric`;
        :class:`~sksim.alignment.LinearRegressionSimilarity`; and, by halves of the
        trials, :class:`~sksim.rsm.RSA` and other symmetric similarities of
        ``sksim.rsm`` that are 1 at best.

    Attributes
    ----------
    statistic_, score_ : float
        Outcome of the measure.
    similarity_ or distance_ : float
        The one that the measure has.
    measure_ : estimator
        The measure, as it was used.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows that were repeated: of different labels in ``repeats``.

    Raises
    ------
    ValueError
        If a row has a single trial, or the trials of a representation have nothing in
        common. If the measure has no estimate of this kind.

    See Also
    --------
    sksim.rsm.CKA : ``debias="both"``, for noise of single columns, without repetitions.

    Notes
    -----
    ``repeats`` is routed metadata of ``fit`` and ``score``, and
    ``metadata={"repeats": labels}`` of tests, intervals and matrices. Trials of a row
    need neither be equally many nor stand together. What is tested, drawn and left out
    are rows, with all of their trials: ``groups`` and ``strata`` have one entry for
    each label, in sorted order. A model without noise has the same values in all
    trials.

    *CKA, HSIC.* The products between X and y are those of mean trials, whose noise is
    taken to be independent between X and y. In the self terms of CKA each product of
    two entries of the kernel is the mean over distinct trials of all rows that both
    share, an unbiased estimate whatever the noise's covariance of columns; with "both",
    of distinct columns too.

    *RSA and other similarities of rsm.* With two disjoint halves A, B of the trials,

    .. math:: \frac{\tfrac12 (m(R_A, R'_B) + m(R_B, R'_A))}
        {\sqrt{m(R_A, R_B) \, m(R'_A, R'_B)}} ,

    numerator and both factors averaged over up to 8 ways of halving, with as many
    trials of each row as the row with the fewest has. Right for products of squared
    distances (``RSA("sqeuclidean", comparison="pearson")``) where all rows are as
    noisy, and close for ranks.

    *Procrustes.* Singular vectors of halves are judged by the other halves: the nuclear
    norm is the sum of roots of singular value times product with the other half, with
    the product's sign. Norms are of distinct trials. Directions that are weaker than
    the noise of half of the trials are lost, which makes the distance too large.

    *Regression.* Noise in y is taken from both sides of R^2. Noise in X, the
    predictors, stays: each of its directions explains a share of 1 / n_samples by
    chance.

    Values may leave the bounds that the measure itself has.

    References
    ----------
    A. Walther, H. Nili, N. Ejaz, A. Alink, N. Kriegeskorte, J. Diedrichsen. Reliability
    of dissimilarity measures for multi-voxel pattern analysis. NeuroImage, 2016
    (products of distinct measurements).

    Examples
    --------
    Two noisy recordings, of four trials for each of 100 rows:

    >>> import numpy as np
    >>> from sksim.compose import CrossRepetition
    >>> from sksim.rsm import CKA
    >>> rng = np.random.default_rng(0)
    >>> signal = rng.normal(size=(100, 30))
    >>> repeats = np.tile(np.arange(100), 4)
    >>> X, y = (signal[repeats] + 3 * rng.normal(size=(400, 30)) for _ in range(2))
    >>> means = (trials.reshape(4, 100, 30).mean(axis=0) for trials in (X, y))
    >>> round(CKA(debias="rows").fit(*means).score_, 2)
    0.08
    >>> measure = CrossRepetition(CKA(debias="rows")).fit(X, y, repeats=repeats)
    >>> 0.8 < measure.score_ < 1.2
    True
    """

    __metadata_request__fit = {"repeats": True}
    __metadata_request__score = {"repeats": True}

    _parameter_constraints: dict = {"measure": [HasMethods(["fit", "score", "_view"])]}

    # trials of a row make one row of a view
    _views_are_row_wise = False

    def __init__(self, measure):
        self.measure = measure

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, repeats=None):
        """Compare what repeated measurements have in common.

        Parameters
        ----------
        X : array-like of shape (n_trials, n_features)
            Trials of the first representation.
        y : array-like of shape (n_trials, n_features_y)
            Trials of the second representation, of the same rows.
        repeats : array-like of shape (n_trials,)
            Which row each trial repeats: equal labels are trials of one row.

        Returns
        -------
        self : object
            The fitted measure.
        """
        return self._fit(X, y, repeats=repeats)

    def score(self, X=None, y=None, repeats=None):
        """Similarity of new rows.

        Parameters
        ----------
        X : array-like of shape (n_trials, n_features), default=None
            Trials of new rows of the first representation.
        y : array-like of shape (n_trials, n_features_y), default=None
            Trials of the same new rows of the second representation.
        repeats : array-like of shape (n_trials,), default=None
            Which row each trial repeats.

        Returns
        -------
        score : float
            Without data the fitted pair's ``score_``.
        """
        return self._score(X, y, repeats=repeats)

    @property
    def _has_closed_form(self):
        return getattr(type(self._inner), "_repeated_view", None) is not None

    @property
    def _kind(self):
        if not self._has_closed_form:
            return HalvesComparison
        has_own = hasattr(type(self._inner), "_compare_repeated")
        return RepeatedComparison if has_own else self._inner._kind

    def _validated(self, X, y, *, reset, **metadata):
        if reset:
            self._reset_inner()
        return super()._validated(X, y, reset=reset, **metadata)

    def _check_metadata(self, name, values, *, xp, like):
        labels = super()._check_metadata(name, values, xp=xp, like=like)
        if name != "repeats":
            return labels
        return numbers_of_rows(to_numpy(labels, xp=namespace_of(labels)))

    def _rows(self, arrays, xp, metadata):
        self._refuse_other_measures()
        rows = super()._rows(arrays, xp, metadata)
        rows = RepeatedRows(**{f.name: getattr(rows, f.name) for f in _FIELDS})
        fewest = self._inner._min_samples()
        if rows.n_samples < fewest:
            raise ValueError(
                f"repeats names {rows.n_samples} rows, but {self.measure!r} needs at "
                f"least {fewest}."
            )
        return rows

    def _refuse_other_measures(self):
        tags = tags_of(self.measure)
        is_plain = (
            tags.inputs == "representation"
            and not tags.precomputed
            and set(tags.view_keywords) <= {"role"}
        )
        is_cosine = tags.family == "rsm" and tags.symmetric and tags.best == 1
        if not (is_plain and (self._has_closed_form or is_cosine)):
            raise ValueError(
                f"There is no estimate of {self.measure!r} that leaves each repetition "
                "out of its own products. CKA and HSIC (linear, debiased), RSA, "
                "Procrustes, the angular shape metric and linear regression have one. "
                "Of others take the mean trials."
            )

    def _view(self, X, xp, role, repeats):
        trials = Trials.of(X, repeats, xp=xp)
        if self._has_closed_form:
            return self._inner._repeated_view(trials, xp, role)
        known = {"role": role} if "role" in tags_of(self._inner).view_keywords else {}
        pairs = tuple(
            tuple(self._inner._view(half, xp, **known) for half in pair)
            for pair in trials.halves(equal=True, xp=xp)
        )
        view = Halves(pairs, 1.0)
        setting = {"measure": self._inner._engine, "owner": self._inner, "xp": xp}
        setting |= {"device": None, "n_samples": trials.n_samples, "rounding": 0.0}
        within = HalvesComparison(view_x=view, view_y=view, **setting).between_halves()
        return replace(view, norm=root_of_signal(within, 1.0, role))

    def _similarity_tags(self):
        tags = super()._similarity_tags()
        is_linear = tags.exact >= {"jackknife", "null"} and self._has_closed_form
        low, high = (0.0, float("inf")), (-float("inf"), float("inf"))
        return replace(
            tags,
            bounds=high if tags.is_similarity else low,
            score_bounds=None,
            metric=False,
            identity=False,
            requires=(*tags.requires, "repeats"),
            view_keywords=(*tags.view_keywords, "repeats"),
            # without a row other trials are left, and the self terms are others
            exact=tags.exact & {"null", "null_mean"} if is_linear else frozenset(),
            intervals=("jackknife", "subsample"),
            score_uses_fit=False,
            complexity="n d^2",
        )


_FIELDS = dataclass_fields(RepeatedRows)


@dataclass(frozen=True, kw_only=True)
class RepeatedComparison(Comparison):
    """A comparison of trials by a measure that has one of its own for them."""

    def _outcome_of(self, view_x, view_y):
        return self.measure._compare_repeated(view_x, view_y, self.xp)


@dataclass(frozen=True, kw_only=True)
class HalvesComparison(Comparison):
    """Halves of one side's trials with the other halves of the other side's."""

    def _outcome_of(self, view_x, view_y):
        values = [
            self._value_of_views(*pair)
            for (a, b), (c, d) in zip(view_x.pairs, view_y.pairs, strict=True)
            for pair in ((a, d), (b, c))
        ]
        return float(np.mean(values)) / (view_x.norm * view_y.norm)

    def check(self):
        """Warn or raise about halves as the measure does about a pair."""
        self._pair(self.view_x.pairs[0][0], self.view_y.pairs[0][1]).check()

    def between_halves(self):
        """Mean value of the two halves of one side."""
        pairs = self.view_x.pairs
        return float(np.mean([self._value_of_views(*pair) for pair in pairs]))

    def _value_of_views(self, first, second):
        return number(self._pair(first, second).value())

    def _pair(self, first, second):
        names = ("measure", "owner", "xp", "device", "n_samples", "rounding")
        setting = {name: getattr(self, name) for name in names}
        return self.measure._kind.of(first, second, **setting)
