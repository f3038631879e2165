"""Representation topology divergence."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from sksim._optional import import_extra
from sksim._progress import tracked
from sksim._sklearn_compat import Interval, StrOptions
from sksim.arrays._views import View
from sksim.base import BaseSimilarity
from sksim.base._tags import SimilarityTags
from sksim.topology._distances import normalized_distances, plain_rows


@dataclass(frozen=True)
class SubsampledRows(View):
    """Centred rows, and the subsets of them that are compared."""

    rows: np.ndarray
    subsets: tuple

    _row_fields = ("rows",)


def holes_that_differ(r, other):
    """Total length of the bars of holes that appear in ``r``, but not in the union.

    The points are doubled. The copies are joined by ``r`` and, among the second copies,
    by the smaller of the two distances; the first copies are one point. Edges between
    copy i and original j < i are left out, which changes no bar and halves the work.
    """
    rips = import_extra(
        "gudhi.sklearn.rips_persistence", extra="topology", needed_by="RTD"
    )
    n = len(r)
    joined = np.where(np.tri(n, k=-1, dtype=bool), np.inf, r)
    doubled = np.zeros((2 * n, 2 * n))
    doubled[n:, :n], doubled[:n, n:] = joined, joined.T
    doubled[n:, n:] = np.minimum(r, other)
    persistence = rips.RipsPersistence(
        1,
        input_type="full distance matrix",
        num_collapses=0,  # collapsing edges costs more than it saves here
        homology_coeff_field=2,
    )
    bars = persistence.fit_transform([doubled])[0]
    return float(np.sum(bars[:, 1] - bars[:, 0]))


class RTD(BaseSimilarity):
    r"""Representation topology divergence.

    With the distance matrices :math:`r, r'` of the same rows, each divided by its own
    0.9 quantile, take the filtration of the doubled points

    .. math:: \begin{pmatrix} 0 & r^\top \\ r & \min(r, r') \end{pmatrix}

    and add up the lengths of its bars of dimension 1: a bar is born where the smaller
    of both distances joins two clusters (or fills a hole) and dies where r does too.
    The divergence is the mean of this sum and the one with r and r' exchanged.

    A distance in [0, inf), 0 if both have the same distances. Invariant to orthogonal
    maps, isotropic scaling and translation. Grows with the number of rows.

    Parameters
    ----------
    n_subsets : int, default=10
        Number of random subsets of rows that are averaged over.
    subset_size : int, default=500
        Rows in a subset. With no more rows than this there is one evaluation, on all.
    distance_scale : {"quantile", "median", "mean"}, default="quantile"
        What the distances are divided by: their 0.9 quantile, median or mean, over
        all entries of the matrix.
    random_state : int, RandomState instance or None, default=None
        Draws the subsets.
    n_jobs : int, default=None
        Number of threads for subsets and directions.
    verbose : int, default=0
        Whether ``fit`` and ``score`` show progress on standard error.

    Attributes
    ----------
    statistic_, distance_ : float
        Divergence, averaged over subsets and directions.
    score_ : float
        Minus the divergence.
    x_to_y_, y_to_x_ : float
        Both directions: the bars that X's distances end, and those that y's end.
    subset_values_ : array of shape (n_evaluations, 2)
        Both directions for each subset.
    standard_error_ : float
        Of the mean over subsets; 0 if all rows were used.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ImportError
        If gudhi is not installed: ``pip install sksim[topology]``.
    ValueError
        If a representation is constant, or so many rows coincide that the quantile of
        the distances is 0.

    See Also
    --------
    RTDLite : From spanning trees, in quadratic time.

    Notes
    -----
    The cost of a barcode grows faster than the cube of the subset's size: 0.4 s at 500
    rows, a few seconds at 1000. A permutation test takes two barcodes for each
    permutation: lower ``subset_size`` for it. Blind to holes of dimension 2 and more.
    Not a metric.

    References
    ----------
    S. Barannikov, I. Trofimov, N. Balabin, E. Burnaev. Representation topology
    divergence: a method for comparing neural network representations. ICML, 2022,
    arXiv:2201.00058.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.topology import RTD
    >>> rng = np.random.default_rng(0)
    >>> clusters = rng.normal(size=(60, 2)) + np.repeat([[0, 0], [9, 0], [0, 9]], 20, 0)
    >>> RTD().fit(clusters, 3 * clusters[:, ::-1]).distance_ < 1e-9
    True
    >>> blob = rng.normal(size=(60, 2))
    >>> measure = RTD().fit(clusters, blob)
    >>> measure.x_to_y_ < measure.y_to_x_
    True
    """

    _parameter_constraints: dict = {
        "n_subsets": [Interval(Integral, 1, None, closed="left")],
        "subset_size": [Interval(Integral, 2, None, closed="left")],
        "distance_scale": [StrOptions({"quantile", "median", "mean"})],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_subsets=10,
        *,
        subset_size=500,
        distance_scale="quantile",
        random_state=None,
        n_jobs=None,
        verbose=0,
    ):
        self.n_subsets = n_subsets
        self.subset_size = subset_size
        self.distance_scale = distance_scale
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _view(self, X, xp, role, seed):
        rows = plain_rows(X, role, xp=xp)
        n_samples = len(rows)
        if n_samples <= self.subset_size:
            return SubsampledRows(rows, (np.arange(n_samples),))
        rng = np.random.default_rng(seed)
        subsets = tuple(
            rng.permutation(n_samples)[: self.subset_size]
            for _ in range(self.n_subsets)
        )
        return SubsampledRows(rows, subsets)

    def _compare(self, view_x, view_y, xp):
        tasks = []
        for subset in view_x.subsets:
            r, s = (
                normalized_distances(view.rows[subset], self.distance_scale, role)
                for view, role in ((view_x, "x"), (view_y, "y"))
            )
            tasks += [delayed(holes_that_differ)(r, s)]
            tasks += [delayed(holes_that_differ)(s, r)]
        # gudhi leaves Python's lock alone while it computes
        workers = Parallel(n_jobs=self.n_jobs, prefer="threads")
        values = workers(tracked(tasks, "barcodes"))
        values = np.reshape(values, (-1, 2))
        means = values.mean(axis=1)
        n_subsets = len(means)
        spread = float(means.std(ddof=1)) if n_subsets > 1 else 0.0
        x_to_y, y_to_x = values.mean(axis=0)
        return (x_to_y + y_to_x) / 2, {
            "x_to_y_": float(x_to_y),
            "y_to_x_": float(y_to_x),
            "subset_values_": values,
            "standard_error_": spread / n_subsets**0.5,
        }

    def _similarity_tags(self):
        return SimilarityTags(
            family="topology",
            orientation="distance",
            bounds=(0, float("inf")),
            invariances={"PT", "OT", "IS", "TR"},
            view_keywords=("role", "seed"),
            intervals=(),
            deterministic=False,
            array_api=False,
            complexity="b s^3 for b subsets of s rows",
            extra="topology",
            reference="Barannikov et al. 2022",
        )
