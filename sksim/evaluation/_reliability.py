"""How much of a representation is there again in its other half."""

import math
from dataclasses import dataclass, field
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed

from sksim._parallel import on_one_blas_thread
from sksim._results import ResultMixin
from sksim._sklearn_compat import Interval, StrOptions, validate_params
from sksim._typing import ArrayLike, Measure, RandomState
from sksim.arrays._matching import index_array
from sksim.arrays._namespace import namespace_of, take
from sksim.base._tags import tags_of
from sksim.discovery import check_measure

# Two columns, or rows, for each half.
_FEWEST = 4


@dataclass(frozen=True, kw_only=True)
class ReliabilityResult(ResultMixin):
    """Result of :func:`reliability`.

    Parameters
    ----------
    over : {"columns", "rows"}
        What was halved.
    n_units : int
        Columns, or rows, of each half.
    split_half : float
        Mean score of one half against the other.
    reliability : float
        What Spearman and Brown's formula makes of it for all columns, or rows; nan for
        measures that are no similarities with 1 as their best.
    values : ndarray of shape (n_splits,)
        Score of each split.

    See Also
    --------
    reliability : Makes the result.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.evaluation import reliability
    >>> from sksim.rsm import CKA
    >>> X = np.random.default_rng(0).normal(size=(100, 30))
    >>> reliability(CKA(debias="rows"), X, random_state=0).to_frame().shape
    (1, 5)
    """

    over: str
    n_units: int
    split_half: float
    reliability: float
    values: np.ndarray = field(repr=False)

    def to_frame(self) -> pd.DataFrame:
        """The result as one row.

        Returns
        -------
        frame : pandas.DataFrame
            With the columns ``n_units``, ``split_half``, ``reliability``, and the
            smallest and largest score of a split, ``lowest`` and ``highest``.
        """
        row = {
            "n_units": self.n_units,
            "split_half": self.split_half,
            "reliability": self.reliability,
            "lowest": float(self.values.min()),
            "highest": float(self.values.max()),
        }
        return pd.DataFrame(row, index=pd.Index([self.over], name="over"))


@validate_params(
    {
        "over": [StrOptions({"columns", "rows"})],
        "n_splits": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    },
    prefer_skip_nested_validation=True,
)
def reliability(
    measure: Measure,
    X: ArrayLike,
    *,
    over: str = "columns",
    n_splits: int = 20,
    random_state: RandomState | None = None,
    n_jobs: int | None = None,
) -> ReliabilityResult:
    r"""Split-half reliability of a representation, as a measure sees it.

    Halves of the columns of one layer, or of the neurons of one area, describe the same
    rows. If they are not alike, another sample of columns would not be either, and no
    other model can be like them: a similarity to another model is bounded by what its
    columns say again. With the mean score r of random halves, Spearman and Brown's
    formula gives the reliability of all columns together,

    .. math:: \frac{2 r}{1 + r} .

    Parameters
    ----------
    measure : estimator, class or str
        The measure of two representations. A debiased one, such as
        ``CKA(debias="rows")``, does not call halves of noise alike.
    X : array-like of shape (n_samples, n_features)
        The representation.
    over : {"columns", "rows"}, default="columns"
        "columns": halves of the columns, compared by what they say of the rows.
        "rows": halves of the rows, centred, compared by what they say of the columns:
        their transposes, in which the columns of X are what the measure takes for rows.
    n_splits : int, default=20
        Number of random splits. Of an odd number of columns one is left out, another
        each time.
    random_state : int, RandomState instance or None, default=None
        Seed of the splits.
    n_jobs : int, default=None
        Number of parallel jobs.

    Returns
    -------
    result : ReliabilityResult
        With the attributes ``split_half``, ``reliability``, ``values`` and ``n_units``.

    Raises
    ------
    ValueError
        If there are fewer than four columns (rows), or the measure does not compare
        representations.

    See Also
    --------
    sksim.compose.CrossRepetition : Of repeated measurements of the same rows.
    sksim.rsm.CKA : ``debias="both"`` corrects for what this measures.

    Notes
    -----
    The formula is that of means of equally good halves with independent noise. It is
    exact, up to the bias of a ratio, for debiased CKA and for correlations of
    dissimilarities; of other similarities, such as shares of common neighbours, it is a
    rough guide.

    References
    ----------
    C. Spearman. Correlation calculated from faulty data. British Journal of Psychology,
    1910.

    W. Brown. Some experimental results in the correlation of mental abilities. British
    Journal of Psychology, 1910.

    Examples
    --------
    Forty neurons with noise of their own:

    >>> import numpy as np
    >>> from sksim.evaluation import reliability
    >>> from sksim.rsm import CKA
    >>> rng = np.random.default_rng(0)
    >>> signal = rng.normal(size=(200, 5)) @ rng.normal(size=(5, 40))
    >>> X = signal + 3 * rng.normal(size=(200, 40))
    >>> result = reliability(CKA(debias="rows"), X, random_state=0)
    >>> round(result.split_half, 2), round(result.reliability, 2)
    (0.3, 0.47)
    """
    measure = check_measure(measure, "find a reliability")
    tags = tags_of(measure)
    _refuse_other_inputs(measure, tags)
    if "random_state" in measure.get_params() and measure.random_state is None:
        measure.set_params(random_state=0)
    X, _ = clone(measure)._read_alone(X, like=X, role="x")
    n_units = X.shape[1 if over == "columns" else 0]
    if n_units < _FEWEST:
        raise ValueError(
            f"X has {n_units} {over}: halves of fewer than {_FEWEST} say nothing of "
            "each other."
        )
    seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    jobs = (
        delayed(_score_of_halves)(measure, X, over, np.random.default_rng((seed, k)))
        for k in range(n_splits)
    )
    values = np.array(Parallel(n_jobs=n_jobs)(jobs))
    split_half = float(np.mean(values))
    return ReliabilityResult(
        over=over,
        n_units=n_units // 2,
        split_half=split_half,
        reliability=_of_all(split_half) if tags.best == 1 else math.nan,
        values=values,
    )


def _of_all(split_half):
    """Spearman and Brown's formula."""
    return 2 * split_half / (1 + split_half) if split_half > -1 else math.nan


def _refuse_other_inputs(measure, tags):
    is_of_rows = tags.inputs == "representation" and tags.arity == "pair"
    if not is_of_rows or tags.precomputed or not tags.paired:
        raise ValueError(
            f"{measure!r} does not compare two representations row by row, so that "
            "halves of one can't be compared. Choose a measure such as "
            "CKA(debias='rows')."
        )


@on_one_blas_thread
def _score_of_halves(measure, X, over, rng):
    xp = namespace_of(X)
    axis = 1 if over == "columns" else 0
    half = X.shape[axis] // 2
    order = rng.permutation(X.shape[axis])
    halves = []
    for places in (order[:half], order[half : 2 * half]):
        index = index_array(np.sort(places), like=X, xp=xp)
        part = take(X, index, xp=xp, axis=axis)
        halves.append(part if axis else (part - xp.mean(part, axis=0)).T)
    return clone(measure)._open(*halves).score()
