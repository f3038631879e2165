"""Geometry score."""

import warnings
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.utils.parallel import Parallel, delayed

from sksim._optional import import_extra
from sksim._progress import tracked
from sksim._sklearn_compat import Interval
from sksim.arrays._views import View
from sksim.base import BaseSimilarity
from sksim.base._tags import SimilarityTags
from sksim.topology._distances import plain_rows

_DRAWS_IN_A_TASK = 20
# Of equal landmarks so many make the same holes as all of them: no simplex of up to
# three vertices uses the last copy, so that each further one can be moved onto another.
# All copies make a simplex of any three: 80 times the work at three distinct rows.
_MOST_COPIES = 4


@dataclass(frozen=True)
class LivingTimes(View):
    """Mean share of the filtration in which there are 0, 1, 2, ... holes.

    The last entry holds the share with ``i_max`` holes or more.
    """

    shares: np.ndarray


def witness_intervals(rows, landmarks, gamma):
    """(birth, death) of the holes of a witness complex, and where the filtration ends.

    The rows, which are all different, are the witnesses of the landmarks, which are
    some of them.
    """
    complexes = import_extra(
        "gudhi.witness_complex", extra="topology", needed_by="GeometryScore"
    )
    distances = cdist(rows, rows[_few_copies(landmarks)])
    order = np.argsort(distances, axis=1)
    table = np.dstack([order, np.take_along_axis(distances, order, axis=1)])
    end = gamma * float(distances.max())
    tree = complexes.WitnessComplex(table).create_simplex_tree(
        max_alpha_square=end, limit_dimension=2
    )
    tree.compute_persistence(homology_coeff_field=2)
    return tree.persistence_intervals_in_dimension(1).reshape(-1, 2), end


def _few_copies(landmarks):
    """Landmarks without the copies that make no difference."""
    landmarks = np.sort(landmarks)
    # how many before each are equal to it
    first = np.searchsorted(landmarks, landmarks)
    return landmarks[np.arange(len(landmarks)) - first < _MOST_COPIES]


def relative_living_times(intervals, end, i_max):
    """Share of [0, end] in which i intervals are alive, for i = 0, 1, ... >= i_max."""
    intervals = np.minimum(intervals, end)
    times = np.concatenate([[0.0], intervals[:, 0], intervals[:, 1], [end]])
    changes = np.repeat([0, 1, -1, 0], [1, len(intervals), len(intervals), 1])
    order = np.argsort(times, kind="stable")
    alive = np.cumsum(changes[order])[:-1]
    lengths = np.diff(times[order])
    shares = np.bincount(np.minimum(alive, i_max), lengths, minlength=i_max + 1)
    return shares / end


def _sum_of_living_times(rows, draws, gamma, i_max):
    """Sum over draws of landmarks of the relative living times."""
    total = np.zeros(i_max + 1)
    for landmarks in draws:
        total += relative_living_times(
            *witness_intervals(rows, landmarks, gamma), i_max
        )
    return total


class GeometryScore(BaseSimilarity):
    r"""Geometry score: how differently two sets of rows have holes.

    Landmarks are drawn at random from the rows, and the witness complex of all rows on
    them is grown up to a share gamma of the largest distance. The relative living time
    RLT(i) is the share of this filtration in which there are exactly i holes of
    dimension 1, MRLT(i) its mean over draws, and

    .. math:: m(R, R') = \sum_i (MRLT(i) - MRLT'(i))^2 .

    A distance in [0, 2]. The rows are not paired: the sets may differ in size and
    order. Invariant to orthogonal maps, isotropic scaling and translation.

    Parameters
    ----------
    n_draws : int, default=1000
        Number of draws of landmarks.
    n_landmarks : int, default=64
        Landmarks in a draw, drawn with replacement as in the original.
    gamma : float, default=None
        End of the filtration, relative to the largest distance between a row and a
        landmark; None for n_samples / (128 * 5000) of each representation.
    i_max : int, default=100
        Numbers of holes from here on count as one; a warning says how often that
        happened.
    random_state : int, RandomState instance or None, default=None
        Draws the landmarks, the same rows of both representations if these are equally
        many.
    n_jobs : int, default=None
        Number of processes.
    verbose : int, default=0
        Whether ``fit`` and ``score`` show progress on standard error.

    Attributes
    ----------
    statistic_, distance_ : float
        Geometry score.
    score_ : float
        Minus the geometry score.
    mrlt_x_, mrlt_y_ : array of shape (i_max + 1,)
        Mean relative living times; the last entry is the share with ``i_max`` holes or
        more. They sum to 1.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows of X.

    Raises
    ------
    ImportError
        If gudhi is not installed: ``pip install sksim[topology]``.
    ValueError
        If a representation is constant.

    See Also
    --------
    IMD : Compares the heat on neighbour graphs; exact, and without landmarks.

    Notes
    -----
    Two samples of one distribution do not score 0, and two fits with different seeds
    differ: compare with the score of two halves of X. On few rows the default gamma
    is so small that hundreds of holes are alive at all times; choose a larger gamma or
    i_max then. Blind to components and to holes of dimension 2 and more.

    References
    ----------
    V. Khrulkov, I. Oseledets. Geometry score: a method for comparing generative
    adversarial networks. ICML, 2018, arXiv:1802.02664.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.topology import GeometryScore
    >>> rng = np.random.default_rng(0)
    >>> angle = rng.uniform(0, 2 * np.pi, size=(2, 200, 1))
    >>> circle, other = np.concatenate([np.cos(angle), np.sin(angle)], axis=2)
    >>> disc = circle * np.sqrt(rng.uniform(size=(200, 1)))
    >>> measure = GeometryScore(n_draws=20, n_landmarks=32, gamma=1 / 8, random_state=0)
    >>> same, different = (measure.fit(circle, y).distance_ for y in (other, disc))
    >>> same < 0.2 < different
    True
    """

    _parameter_constraints: dict = {
        "n_draws": [Interval(Integral, 1, None, closed="left")],
        "n_landmarks": [Interval(Integral, 2, None, closed="left")],
        "gamma": [Interval(Real, 0, None, closed="neither"), None],
        "i_max": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_draws=1000,
        *,
        n_landmarks=64,
        gamma=None,
        i_max=100,
        random_state=None,
        n_jobs=None,
        verbose=0,
    ):
        self.n_draws = n_draws
        self.n_landmarks = n_landmarks
        self.gamma = gamma
        self.i_max = i_max
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _view(self, X, xp, role, seed):
        rows = plain_rows(X, role, xp=xp)
        gamma = len(rows) / (128 * 5000) if self.gamma is None else self.gamma
        rng = np.random.default_rng(seed)
        draws = rng.integers(len(rows), size=(self.n_draws, self.n_landmarks))
        rows, row_of = np.unique(rows, axis=0, return_inverse=True)
        draws = row_of.reshape(-1)[draws]
        # sums of fixed blocks: the result does not depend on n_jobs
        starts = range(0, self.n_draws, _DRAWS_IN_A_TASK)
        sums = Parallel(n_jobs=self.n_jobs)(
            delayed(_sum_of_living_times)(
                rows, draws[i : i + _DRAWS_IN_A_TASK], gamma, self.i_max
            )
            for i in tracked(starts, "draws")
        )
        return LivingTimes(np.sum(sums, axis=0) / self.n_draws)

    def _check_views(self, view_x, view_y):
        shares = [float(view.shares[-1]) for view in (view_x, view_y)]
        if max(shares) > 0:
            warnings.warn(
                f"There are i_max={self.i_max} holes or more in {shares[0]:.1%} of the "
                f"filtration of X and {shares[1]:.1%} of that of y; these shares are "
                "compared as if the numbers of holes were equal. Raise i_max, or "
                "gamma, to tell them apart.",
                UserWarning,
                stacklevel=4,
            )

    def _compare(self, view_x, view_y, xp):
        difference = view_x.shares - view_y.shares
        return np.sum(difference**2), {
            "mrlt_x_": view_x.shares,
            "mrlt_y_": view_y.shares,
        }

    def _similarity_tags(self):
        return SimilarityTags(
            family="topology",
            orientation="distance",
            bounds=(0, 2),
            invariances={"PT", "OT", "IS", "TR"},
            view_keywords=("role", "seed"),
            paired=False,
            intervals=(),
            deterministic=False,
            array_api=False,
            complexity="b n l log l for b draws of l landmarks",
            extra="topology",
            reference="Khrulkov and Oseledets 2018",
        )
