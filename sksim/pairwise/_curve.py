"""A measure of neighbours over their number and over the number of rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils import check_random_state

from sksim._results import ResultMixin
from sksim._typing import ArrayLike, Measure, RandomState
from sksim.discovery import check_measure

_NUMBERS = (1, 2, 5, 10, 20, 50, 100)


@dataclass(frozen=True)
class AlignmentCurveResult(ResultMixin):
    """Result of :func:`alignment_curve`.

    Parameters
    ----------
    table : DataFrame
        One row for each number of rows and of neighbours: ``n_samples``,
        ``n_neighbors``, ``score``, ``null_mean``, what chance gives (nan where it is
        not known in closed form), and ``deviation``, the standard deviation over
        subsamples (nan for one).

    See Also
    --------
    alignment_curve : Makes the result.
    sksim.plot.AlignmentCurveDisplay : Draws it.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.neighbors import MutualKNN
    >>> from sksim.pairwise import alignment_curve
    >>> X, y = np.random.default_rng(0).normal(size=(2, 101, 3))
    >>> curve = alignment_curve(MutualKNN(), X, y, n_neighbors=[5, 50])
    >>> curve.to_frame()["null_mean"].round(6).tolist()
    [0.05, 0.5]
    """

    table: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """The table.

        Returns
        -------
        frame : pandas.DataFrame
        """
        return self.table


def alignment_curve(
    measure: Measure,
    X: ArrayLike,
    y: ArrayLike,
    *,
    n_neighbors: Sequence[int] = _NUMBERS,
    n_samples: Sequence[int] | None = None,
    n_repeats: int = 5,
    random_state: RandomState | None = None,
) -> AlignmentCurveResult:
    """A measure of neighbours for several numbers of neighbours and of rows.

    A score of neighbours means little by itself: it grows with the number of
    neighbours, and it falls with the number of rows, since neighbours that were left
    out come between. What chance gives does so, too, and stands beside it.

    Parameters
    ----------
    measure : estimator, class or str
        A measure with a parameter ``n_neighbors``, its class, or its name.
    X : array-like of shape (n_samples, n_features)
        First representation.
    y : array-like of shape (n_samples, n_features_y)
        Second representation of the same rows.
    n_neighbors : sequence of int, default=(1, 2, 5, 10, 20, 50, 100)
        Numbers of neighbours. Those that a number of rows does not allow are left out.
    n_samples : sequence of int, default=None
        Numbers of rows, of which subsamples are drawn without replacement. None: all
        rows.
    n_repeats : int, default=5
        Subsamples of each number of rows, over which scores are averaged; all rows are
        taken once.
    random_state : int, RandomState instance or None, default=None
        Of the subsamples.

    Returns
    -------
    curve : AlignmentCurveResult
        With the table ``table``.

    Raises
    ------
    ValueError
        If the measure has no parameter ``n_neighbors``, if more rows are asked for than
        there are, or if no number of neighbours is below a number of rows.

    See Also
    --------
    sksim.plot.AlignmentCurveDisplay : Draws it.
    sksim.inference.similarity_test : P-value of one of the scores.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.neighbors import MutualKNN
    >>> from sksim.pairwise import alignment_curve
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 5))
    >>> y = X + 0.5 * rng.normal(size=X.shape)
    >>> setting = {"n_neighbors": [10], "n_samples": [50, 400], "random_state": 0}
    >>> curve = alignment_curve(MutualKNN(), X, y, **setting)
    >>> curve.table[["score", "null_mean"]].round(2).values.tolist()
    [[0.61, 0.2], [0.28, 0.03]]
    """
    measure = check_measure(measure, "draw a curve over n_neighbors")
    if "n_neighbors" not in measure.get_params(deep=False):
        raise ValueError(
            f"{type(measure).__name__} has no parameter n_neighbors. Take a measure of "
            "neighbours, such as MutualKNN."
        )
    rows = clone(measure).set_params(n_neighbors=1)._read(X, y)
    total = rows.n_samples
    sizes = [total] if n_samples is None else [int(n) for n in n_samples]
    if max(sizes) > total:
        raise ValueError(
            f"n_samples asks for {max(sizes)} rows, but there are {total}."
        )
    rng = check_random_state(random_state)
    table = []
    for size in sizes:
        numbers = [int(k) for k in n_neighbors if k < size]
        if not numbers:
            raise ValueError(
                f"No number of neighbours, of {tuple(n_neighbors)}, is below {size} "
                "rows."
            )
        parts = [
            np.sort(rng.choice(total, size, replace=False))
            for _ in range(1 if size == total else n_repeats)
        ]
        samples = [rows.some(part).arrays for part in parts]
        table += [_point(measure, samples, size, k) for k in numbers]
    return AlignmentCurveResult(pd.DataFrame(table))


def _point(measure, samples, size, k):
    """One row of the table: means over subsamples."""
    measure = clone(measure).set_params(n_neighbors=k)
    comparisons = [measure._open(*sample) for sample in samples]
    scores = [comparison.score() for comparison in comparisons]
    means = [comparison.null_mean() for comparison in comparisons]
    return {
        "n_samples": size,
        "n_neighbors": k,
        "score": float(np.mean(scores)),
        "null_mean": np.nan if None in means else float(np.mean(means)),
        "deviation": float(np.std(scores, ddof=1)) if len(scores) > 1 else np.nan,
    }
