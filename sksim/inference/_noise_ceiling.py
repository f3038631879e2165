"""The best that a model of noisy replicates can reach."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import clone

from sksim._results import ResultMixin
from sksim._sklearn_compat import StrOptions, validate_params
from sksim._typing import ArrayLike, Layers, Measure, Metadata
from sksim.arrays._namespace import number, to_numpy
from sksim.base._layers import named_errors, named_layers, open_layers
from sksim.base._tags import tags_of
from sksim.base._validation import row_metadata
from sksim.discovery import check_measure
from sksim.inference._pools import POOLS, pool_for


@dataclass(frozen=True, kw_only=True)
class NoiseCeilingResult(ResultMixin):
    """Result of :func:`noise_ceiling`.

    Attributes
    ----------
    lower : float
        Mean score of each replicate with the pool of the others.
    upper : float
        Mean score of each replicate with the pool of all.
    lower_by_replicate, upper_by_replicate : ndarray of shape (n_replicates,)
        The scores themselves.
    names : list of str
        Names of the replicates.
    pool : {"dissimilarities", "kernels", "aligned", "rows", "function"}
        What was pooled.
    upper_is_bound : bool
        Whether ``upper`` is the largest mean score that anything can have with these
        replicates, by proof.
    """

    lower: float
    upper: float
    lower_by_replicate: np.ndarray = field(repr=False)
    upper_by_replicate: np.ndarray = field(repr=False)
    names: list[str] = field(repr=False)
    pool: str
    upper_is_bound: bool

    def to_frame(self) -> pd.DataFrame:
        """One row for each replicate.

        Returns
        -------
        frame : DataFrame
            ``lower`` and ``upper``, by the replicates' names.
        """
        columns = {"lower": self.lower_by_replicate, "upper": self.upper_by_replicate}
        return pd.DataFrame(columns, index=self.names)


@validate_params(
    {
        "pool": [StrOptions(set(POOLS)), callable],
        "metadata": [dict, None],
        "n_jobs": [Integral, None],
    },
    prefer_skip_nested_validation=True,
)
def noise_ceiling(
    measure: Measure,
    ys: Layers,
    *,
    pool: str | Callable[[list[np.ndarray]], np.ndarray] = "auto",
    y_true: ArrayLike | None = None,
    metadata: Metadata | None = None,
    n_jobs: int | None = None,
) -> NoiseCeilingResult:
    """How similar to noisy replicates the best of models can be.

    Of subjects who see the same stimuli, or seeds of one network, each replicate holds
    what all have in common and noise of its own. The mean score of the true model with
    them lies between two numbers:

    - ``lower``: each replicate against the pool of all others, which knows nothing of
      its noise and has some of its own;
    - ``upper``: each replicate against the pool of all, which knows part of its noise.

    A model between them is as good as these data can tell. They are far apart where
    there are few replicates, and near each other where there are many.

    Parameters
    ----------
    measure : estimator, class or str
        The measure, not necessarily fitted; it is cloned.
    ys : dict of str to array-like, or sequence of array-like
        Two replicates or more: arrays of shape (n_samples, n_features_of_the_replicate)
        of the same rows; with ``metric="precomputed"`` dissimilarities of shape
        (n_samples, n_samples) or condensed.
    pool : str or callable, default="auto"
        What is averaged over replicates.

        - "dissimilarities", for RSA: those of each replicate in the unit that its
          comparison compares: ranks, z-scores ("pearson", "corr_cov"), or values over
          their root mean square ("cosine", "cosine_cov");
        - "kernels", for CKA: centred kernel matrices of unit norm;
        - "aligned": representations after the best rotation of each, their Procrustes
          mean, for any widths; centred, and scaled, if the measure does not see that;
        - "rows": rows, or entries of given matrices, as they are: column j of all
          replicates must be the same;
        - a function of a list of arrays.

        "auto" is "dissimilarities" for RSA, "kernels" for CKA, "aligned" for other
        measures that any rotation of the columns leaves as they are (Procrustes, CCA),
        and "rows" for all others.
    y_true : array-like of shape (n_samples,), default=None
        True labels, for measures that use them.
    metadata : dict, default=None
        More that is known of the rows and that the measure uses, by name.
    n_jobs : int, default=None
        Number of parallel jobs that view the replicates.

    Returns
    -------
    result : NoiseCeilingResult
        With the attributes ``lower``, ``upper``, both by replicate, and the method
        ``to_frame``. All are scores: greater means more similar.

    Raises
    ------
    ValueError
        If there is one replicate, if they differ in their rows, or if there is no mean
        of what the measure compares.

    See Also
    --------
    similarity_to_group : Models beside the ceilings.
    replicate_test : Whether two kinds of replicates differ.

    Notes
    -----
    Of two replicates the lower number is the similarity of the two; it is meaningful
    from three on, where a pool is less noisy than a replicate.

    For RSA by Pearson's correlation or the cosine no list of dissimilarities has a
    larger mean score than the pool of all, by rho-a no ranking, and for CKA no kernel:
    ``upper`` is a strict bound (``upper_is_bound``), but for missing pairs. By
    Spearman's correlation it is one among lists without ties. By Kendall's tau and the
    whitened comparisons another list may be nearer to the replicates than the mean of
    their ranks or plain values, and ``upper`` is no strict bound; nor is it for other
    measures and pools. A model may then lie above it.

    The pool takes the model's place: it is X, and each replicate is y, which matters
    for measures that are not symmetric.

    References
    ----------
    H. Nili, C. Wingfield, A. Walther et al. A toolbox for representational similarity
    analysis. PLoS Computational Biology, 2014.

    H. H. Schütt, A. D. Kipnis, J. Diedrichsen, N. Kriegeskorte. Statistical inference
    on representational geometries. eLife, 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.inference import noise_ceiling
    >>> from sksim.rsm import RSA
    >>> rng = np.random.default_rng(0)
    >>> common = rng.normal(size=(30, 8))
    >>> subjects = [common + rng.normal(size=(30, 8)) for _ in range(6)]
    >>> result = noise_ceiling(RSA(), subjects)
    >>> round(result.lower, 2), round(result.upper, 2)
    (0.34, 0.58)
    >>> float(np.mean([RSA().fit(common, y).score_ for y in subjects]).round(2))
    0.47
    """
    measure = check_measure(measure, "find a noise ceiling")
    ys = named_layers(ys, "ys")
    if len(ys) < 2:
        raise ValueError(
            "ys holds one replicate, which has no others to be compared with. Pass two "
            "or more; three are the fewest of which a pool says anything."
        )
    known = row_metadata(metadata, y_true=y_true)
    way = pool_for(measure, pool)
    with warnings.catch_warnings():
        # each replicate is compared again, with the pools
        warnings.simplefilter("ignore")
        layers = open_layers(clone(measure), ys, n_jobs=n_jobs, **known)
    names = [str(name) for name in layers.names_x]
    return ceiling_of(way, names, arrays_of(layers, 0), known)


def arrays_of(layers, side):
    """Validated arrays of one side, on numpy.

    Parameters
    ----------
    layers : Layers
    side : {0, 1}
    """
    return [to_numpy(array, xp=layers.grid.xp) for array in layers.arrays[side]]


def ceiling_of(way, names, arrays, known):
    """Ceiling of replicates that are validated.

    Parameters
    ----------
    way : pool, as of `pool_for`
    names : list of str
    arrays : list of arrays
    known : dict
        What is known of the rows.

    Returns
    -------
    result : NoiseCeilingResult
    """
    inputs = way.inputs(arrays)
    everyone = list(range(len(inputs)))
    without = [[i for i in everyone if i != left_out] for left_out in everyone]
    pools = way.means(inputs, [everyone, *without])
    titles = ["pool of all", *(f"pool without {name}" for name in names)]
    layers = open_layers(
        clone(way.measure),
        dict(zip(titles, pools, strict=True)),
        dict(zip(names, inputs, strict=True)),
        **known,
    )

    def score(pool, replicate):
        with named_errors(titles[pool], names[replicate]):
            value = number(layers.grid.pair(pool, replicate).value())
            value = way.measure._engine._as_number(value, tags_of(way.measure))
        return tags_of(way.measure).orient(value) + 0.0

    upper = np.array([score(0, i) for i in everyone])
    lower = np.array([score(i + 1, i) for i in everyone])
    return NoiseCeilingResult(
        lower=float(lower.mean()),
        upper=float(upper.mean()),
        lower_by_replicate=lower,
        upper_by_replicate=upper,
        names=names,
        pool=way.name,
        upper_is_bound=way.is_bound,
    )
