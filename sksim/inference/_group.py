"""Models against many subjects: means, ceilings, and which model is better."""

import itertools
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Integral, Real

import numpy as np
import pandas as pd
from scipy import special
from sklearn.base import clone

from sksim._results import ResultMixin
from sksim._sklearn_compat import Interval, StrOptions, validate_params
from sksim._typing import ArrayLike, Layers, Measure, Metadata, RandomState
from sksim.base._layers import named_errors, named_layers, named_models, open_layers
from sksim.base._tags import tags_of
from sksim.base._validation import row_metadata
from sksim.discovery import check_measure
from sksim.inference._interval import opened
from sksim.inference._noise_ceiling import NoiseCeilingResult, arrays_of, ceiling_of
from sksim.inference._pools import POOLS, NoMean, pool_for
from sksim.inference._resampling import Sample, check_method
from sksim.inference._step_down import holm
from sksim.inference._subjects import SubjectTest, chosen_test
from sksim.inference._two_factors import (
    drawn_stimuli,
    errors_of_subjects,
    without_stimuli,
)


@dataclass(frozen=True, kw_only=True)
class GroupSimilarityResult(ResultMixin):
    """Result of :func:`similarity_to_group`.

    All numbers are scores, of which greater means more similar.

    Attributes
    ----------
    values : DataFrame of shape (n_subjects, n_models)
        Score of each model with each subject.
    models : DataFrame
        One row for each model: the ``mean`` over subjects with its ``standard_error``,
        ``interval_low`` and ``interval_high``, what it would be by ``chance``, the
        ``pvalue`` of a mean no larger than that, and ``pvalue_adjusted``, corrected for
        the number of models.
    pairs : DataFrame
        One row for each pair of models, ``first`` and ``second``: the ``difference`` of
        their means with its standard error and limits, which hold for all pairs at
        once, ``pvalue``, ``pvalue_adjusted`` for the number of pairs, and whether they
        ``differ``. Empty for one model.
    ceiling : NoiseCeilingResult or None
        The best that a model can reach; None where there is no pool of subjects.
    over : {"subjects", "stimuli", "both"}
        What is taken to be a sample.
    method : {"sign_flip", "t"}
        Where p-values come from.
    n_resamples : int
        Draws of stimuli, or stimuli (or groups) that were left out.
    confidence_level : float
        Share of intervals that are to cover; models differ if their adjusted p-value is
        at most what is left.
    """

    values: pd.DataFrame = field(repr=False)
    models: pd.DataFrame = field(repr=False)
    pairs: pd.DataFrame = field(repr=False)
    ceiling: NoiseCeilingResult | None = field(repr=False)
    over: str
    method: str
    n_resamples: int
    confidence_level: float

    def to_frame(self) -> pd.DataFrame:
        """The models' table with the ceilings beside.

        Returns
        -------
        frame : DataFrame
            ``models`` with the columns ``lower_ceiling`` and ``upper_ceiling``, nan
            where there are none.
        """
        found = self.ceiling
        bounds = (math.nan, math.nan) if found is None else (found.lower, found.upper)
        columns = dict(zip(("lower_ceiling", "upper_ceiling"), bounds, strict=True))
        return self.models.assign(**columns)


@validate_params(
    {
        "over": [StrOptions({"subjects", "stimuli", "both"})],
        "method": [StrOptions({"auto", "sign_flip", "t"})],
        "chance": [StrOptions({"auto"}), Real, "array-like", None],
        "pool": [StrOptions(set(POOLS)), callable, None],
        "metadata": [dict, None],
        "groups": ["array-like", None],
        "strata": ["array-like", None],
        "n_permutations": [Interval(Integral, 1, None, closed="left")],
        "n_resamples": [Interval(Integral, 10, None, closed="left")],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def similarity_to_group(
    measure: Measure,
    X: ArrayLike | Layers,
    ys: Layers,
    *,
    over: str = "subjects",
    method: str = "auto",
    chance: str | float | ArrayLike | None = "auto",
    pool: str | Callable[[list[np.ndarray]], np.ndarray] | None = "auto",
    y_true: ArrayLike | None = None,
    metadata: Metadata | None = None,
    data: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    n_permutations: int = 9999,
    n_resamples: int = 1000,
    confidence_level: float = 0.95,
    random_state: RandomState | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> GroupSimilarityResult:
    r"""Compare one model, or several, with many subjects.

    Each model has a score with each subject, who saw the same stimuli. Their means over
    subjects are tested against chance and against each other, and stand beside the
    noise ceilings of the subjects, which say how good a model could be.

    Parameters
    ----------
    measure : estimator, class or str
        The measure, not necessarily fitted; it is cloned.
    X : array-like of shape (n_samples, n_features), or dict or list of these
        A model, or several candidates.
    ys : dict of str to array-like, or sequence of array-like
        The subjects: arrays of shape (n_samples, n_features_of_the_subject), a row for
        each stimulus, or what the measure compares otherwise, such as dissimilarities
        with ``metric="precomputed"``.
    over : {"subjects", "stimuli", "both"}, default="subjects"
        What would be others in another experiment, and so what intervals and tests are
        about: the subjects, by the spread between them; the stimuli, by leaving out
        each; or both. A model that is better for these stimuli need not be for others.
    method : {"auto", "sign_flip", "t"}, default="auto"
        Test over subjects. "sign_flip": any difference from chance, or between two
        models, could as well have had the other sign in each subject; all choices of
        signs are counted where they are few (up to 13 subjects). "t": Student's t.
        "auto" flips signs where these are enough for the level: at .05 from seven
        subjects on. Over stimuli, or both, it is "t".
    chance : "auto", float, array-like of shape (n_subjects,) or None, default="auto"
        Score of a model that has nothing to do with a subject. "auto": the exact mean
        over all orders of the stimuli where the measure knows it (0 for debiased CKA,
        and for RSA by correlations if no pairs are missing), else none, and p-values
        are nan. None: none.
    pool : str, callable or None, default="auto"
        How subjects are pooled for the ceilings, as in :func:`noise_ceiling`; None for
        no ceilings. With "auto" there are none where subjects have no mean, as labels.
    y_true : array-like of shape (n_samples,), default=None
        True labels, for measures that use them.
    metadata : dict, default=None
        More that is known of the stimuli and that the measure uses, by name.
    data : array-like of shape (n_samples, n_features), default=None
        Rows that models are applied to, for measures of models that do so.
    groups : array-like of shape (n_samples,), default=None
        Group of each stimulus, where stimuli belong together: whole groups are left out
        or drawn.
    strata : array-like of shape (n_samples,) or (n_samples, n_strata), default=None
        Sets of stimuli whose sizes are given: stimuli, or groups, vary within each.
    n_permutations : int, default=9999
        Number of random signs; where there are no more than one above it, all are
        counted.
    n_resamples : int, default=1000
        Number of draws for ``over="both"``.
    confidence_level : float, default=0.95
        Share of intervals that are to cover the truth.
    random_state : int, RandomState instance or None, default=None
        Seed of signs and draws.
    n_jobs : int, default=None
        Number of parallel jobs.
    verbose : int, default=0
        Progress messages.

    Returns
    -------
    result : GroupSimilarityResult
        With the tables ``values``, ``models`` and ``pairs``, the ``ceiling`` and the
        method ``to_frame``.

    Raises
    ------
    ValueError
        If subjects or stimuli are too few for what is asked, if they differ in their
        rows, or if the measure can't be resampled so.

    See Also
    --------
    noise_ceiling : The ceilings alone.
    compare_similarities : Two candidates, one subject.
    sksim.plot.GroupSimilarityDisplay : Bars, the ceilings and what differs.

    Notes
    -----
    Each view is made once. Over both, stimuli are drawn with replacement, and pairs of
    copies of one stimulus, whose dissimilarity is 0 whatever the model, are left out;
    what that makes of the mean over subjects, and of their spread, becomes

    .. math:: \sigma^2 = 2 (\sigma_s^2 + \sigma_c^2) - \sigma_{sc}^2

    of the variances by drawing subjects, stimuli and both, since what subjects and
    stimuli make together counts three times where both are drawn. Drawing subjects is
    summed over in closed form. The interval is by Student's t, with one degree of
    freedom less than there are subjects, or stimuli if these are fewer. Measures that
    can be weighted take part: RSA but for Kendall's tau, debiased CKA and HSIC, and
    shares of rows.

    P-values of models are one-sided, of pairs two-sided. Over subjects they are
    corrected by step-down (Westfall and Young 1993): all models, or pairs, take the
    same signs, or for "t" the same rotations of the subjects, so that their dependence
    is kept. Over stimuli or both it is Holm's correction. Limits of differences hold
    for all pairs at once (Bonferroni).

    Over subjects a p-value is about these stimuli. The subjects' common response to
    them correlates with any model a little by accident, which is no chance of another
    subject: that a model has nothing to do with subjects in general takes
    ``over="both"``, or :func:`similarity_test` for one subject.

    References
    ----------
    H. H. Schütt, A. D. Kipnis, J. Diedrichsen, N. Kriegeskorte. Statistical inference
    on representational geometries. eLife, 2023 (bootstrap of two factors, corrected).

    A. B. Owen. The pigeonhole bootstrap. Annals of Applied Statistics, 2007.

    Ø. Langsrud. Rotation tests. Statistics and Computing, 2005.

    P. Westfall, S. Young. Resampling-based multiple testing. Wiley, 1993.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.inference import similarity_to_group
    >>> from sksim.rsm import RSA
    >>> rng = np.random.default_rng(0)
    >>> common = rng.normal(size=(40, 8))
    >>> subjects = [common + 2 * rng.normal(size=(40, 8)) for _ in range(8)]
    >>> models = {"near": common, "half": common[:, :4], "other": common[::-1]}
    >>> result = similarity_to_group(RSA(), models, subjects, random_state=0)
    >>> result.to_frame()[["mean", "pvalue_adjusted", "lower_ceiling"]].round(3)
            mean  pvalue_adjusted  lower_ceiling
    near   0.168            0.004          0.059
    half   0.104            0.004          0.059
    other -0.009            0.785          0.059
    >>> result.pairs[["first", "second", "pvalue_adjusted", "differ"]].round(3)
      first second  pvalue_adjusted  differ
    0  near   half            0.031    True
    1  near  other            0.008    True
    2  half  other            0.008    True
    """
    measure = check_measure(measure, "compare with a group")
    models, subjects = named_models(X), named_layers(ys, "ys")
    _check_question(measure, len(subjects), over, groups, strata)
    if over != "subjects" and method == "sign_flip":
        raise ValueError(
            f"method='sign_flip' asks of other subjects, and over={over!r} of other "
            "stimuli too. Use method='auto', or over='subjects'."
        )
    known = row_metadata(metadata, y_true=y_true, data=data)
    beside = {"groups": groups, "strata": strata}
    layers = open_layers(
        clone(measure), models, subjects, n_jobs=n_jobs, beside=beside, **known
    )
    values = _scores(layers)
    at_chance = _chance(layers, chance)
    group = _Group(values, layers.grid.rounding * float(np.max(np.abs(values))))
    if over != "subjects":
        pairs = _samples(measure, models, subjects, known, over, groups, strata)
        shape = len(models), len(subjects)
        jobs = {"shape": shape, "n_jobs": n_jobs, "verbose": verbose}
        if over == "both":
            jobs |= {"n_resamples": n_resamples, "random_state": random_state}
            group.resampled = drawn_stimuli(pairs[0], layers.grid, **jobs)
        else:
            group.resampled = without_stimuli(pairs, layers.grid, **jobs)
    level = 1 - confidence_level
    way = "t"
    if over == "subjects":
        way = chosen_test(method, len(subjects), level)
        group.test = SubjectTest.of(way, len(subjects), n_permutations, random_state)
    names = [str(name) for name in models]
    n_resampled = 0 if group.resampled is None else len(group.resampled.values)
    return GroupSimilarityResult(
        values=pd.DataFrame(values, index=layers.names_y, columns=names),
        models=_table_of_models(group, over, at_chance, names, level, tags_of(measure)),
        pairs=_table_of_pairs(group, over, names, level),
        ceiling=_ceiling(measure, layers, pool, known),
        over=over,
        method=way,
        n_resamples=n_resampled,
        confidence_level=confidence_level,
    )


# ----- scores, chance and ceilings ----------------------------------------------------


def _check_question(measure, n_subjects, over, groups, strata):
    tags, name = tags_of(measure), type(measure).__name__
    if over != "stimuli" and n_subjects < 2:
        raise ValueError(
            f"ys holds one subject, of which over={over!r} tells no spread. Pass two "
            "or more, or over='stimuli'."
        )
    if over == "subjects":
        if groups is not None or strata is not None:
            raise ValueError(
                "groups and strata say how stimuli vary, and over='subjects' takes "
                "these stimuli as they are. Use over='both' or 'stimuli', or leave "
                "them out."
            )
        return
    if "signed" in measure.get_params():
        raise ValueError(
            f"{name} drops a sign that its values have, so that there is no interval "
            "of a mean over subjects. Use over='subjects'."
        )
    if over == "stimuli":
        check_method(measure, "jackknife")
    elif not {"masked_bootstrap", "bootstrap"} & tags.exact:
        raise ValueError(
            f"over='both' draws stimuli several times, and {name} with these "
            "parameters can't leave out the pairs of copies which that makes. Use "
            "over='subjects' or over='stimuli', or RSA, or a debiased CKA."
        )


def _scores(layers):
    """Oriented scores, of shape (n_subjects, n_models)."""
    statistics, tags = layers.grid.values(), layers.grid.tags
    engine = layers.grid.measure
    for i, j in np.ndindex(statistics.shape):
        with named_errors(layers.names_x[i], layers.names_y[j]):
            statistics[i, j] = engine._as_number(statistics[i, j], tags)
            if math.isnan(statistics[i, j]):
                raise ValueError(
                    f"{type(engine).__name__} is undefined (nan) on this input. Leave "
                    "such models or subjects out."
                )
    return tags.orient(statistics).T + 0.0


def _chance(layers, chance):
    """Score by chance of each subject with each model; nan where it is not known."""
    shape = len(layers.names_y), len(layers.names_x)
    if chance is None:
        return np.full(shape, np.nan)
    if np.ndim(chance) == 1 and np.shape(chance) != shape[:1]:
        raise ValueError(
            f"chance has {len(chance)} entries for {shape[0]} subjects: it must hold "
            "one for each, or be a number."
        )
    if np.ndim(chance) > 1:
        raise ValueError("chance must be a number, or hold one for each subject.")
    found = np.full(shape, np.nan)
    if np.asarray(chance).dtype.kind not in "US":
        found[:] = np.asarray(chance, dtype=float).reshape(-1, 1)
        return found
    for i, j in np.ndindex(shape):
        mean = layers.grid.pair(j, i).null_mean()
        if mean is not None:
            found[i, j] = layers.grid.tags.orient(mean)
    return found


def _ceiling(measure, layers, pool, known):
    """Noise ceiling of the subjects, or None."""
    if pool is None or len(layers.names_y) < 2:
        return None
    try:
        way = pool_for(measure, pool)
        with warnings.catch_warnings():
            # what is wrong with subjects has been said
            warnings.simplefilter("ignore")
            names = [str(name) for name in layers.names_y]
            return ceiling_of(way, names, arrays_of(layers, 1), known)
    except NoMean:
        if pool == "auto":
            return None
        raise


def _samples(measure, models, subjects, known, over, groups, strata):
    """Samples of stimuli: of all pairs where each must be refitted, else of one."""
    exact = tags_of(measure).exact
    is_weighted = over == "both" or {"jackknife", "masked_bootstrap"} <= exact
    pairs = list(itertools.product(models.values(), subjects.values()))
    return [
        Sample(opened(clone(measure), x, y, **known), groups, strata)
        for x, y in pairs[: 1 if is_weighted else None]
    ]


# ----- tables -------------------------------------------------------------------------


@dataclass
class _Group:
    """Scores of subjects, and what says how sure their means are."""

    values: np.ndarray
    rounding: float
    resampled: object = None
    test: object = None

    def errors(self, over, contrasts):
        """Standard errors of contrasts of models."""
        values = self.values @ contrasts.T
        if over == "subjects":
            return errors_of_subjects(values)
        if over == "stimuli":
            return self.resampled.errors_of_stimuli(contrasts)
        return self.resampled.errors_of_both(contrasts, values)

    def pvalues(self, values, errors, *, two_sided):
        """P-values of means of columns, and corrected for their number."""
        if self.test is not None:
            return self.test.pvalues(
                values, two_sided=two_sided, rounding=self.rounding
            )
        means = values.mean(axis=0)
        is_none = np.abs(means) <= self.rounding
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where(is_none, 0.0, means / errors.standard_errors)
        t = np.abs(t) if two_sided else t
        pvalues = special.stdtr(errors.degrees, -t) * (2 if two_sided else 1)
        return pvalues, holm(pvalues)


def _table_of_models(group, over, at_chance, names, level, tags):
    errors = group.errors(over, np.eye(len(names)))
    means = group.values.mean(axis=0)
    tested = np.isfinite(at_chance).all(axis=0)
    pvalues = np.full((2, len(names)), np.nan)
    if tested.any():
        above = (group.values - at_chance)[:, tested]
        chosen = type(errors)(errors.standard_errors[tested], errors.degrees)
        pvalues[:, tested] = group.pvalues(above, chosen, two_sided=False)
    width = errors.standard_errors * special.stdtrit(errors.degrees, 1 - level / 2)
    low, high = sorted(tags.orient(np.array(tags.bounds)))
    columns = {
        "mean": means,
        "standard_error": errors.standard_errors,
        "interval_low": np.clip(means - width, low, high),
        "interval_high": np.clip(means + width, low, high),
        "chance": at_chance.mean(axis=0),
        "pvalue": pvalues[0],
        "pvalue_adjusted": pvalues[1],
    }
    return pd.DataFrame(columns, index=names)


def _table_of_pairs(group, over, names, level):
    places = list(itertools.combinations(range(len(names)), 2))
    unit = np.eye(len(names))
    contrasts = np.array([unit[i] - unit[j] for i, j in places]).reshape(-1, len(names))
    table = pd.DataFrame(
        {
            "first": [names[i] for i, _ in places],
            "second": [names[j] for _, j in places],
        }
    )
    differences = group.values @ contrasts.T
    found = differences.mean(axis=0)
    errors = group.errors(over, contrasts)
    tail = level / 2 / max(len(places), 1)
    width = errors.standard_errors * special.stdtrit(errors.degrees, 1 - tail)
    pvalues = adjusted = np.empty(0)
    if places:
        pvalues, adjusted = group.pvalues(differences, errors, two_sided=True)
    return table.assign(
        difference=found,
        standard_error=errors.standard_errors,
        interval_low=found - width,
        interval_high=found + width,
        pvalue=pvalues,
        pvalue_adjusted=adjusted,
        # .05 is to be at most 1 - .95
        differ=adjusted <= level + 1e-12,
    )
