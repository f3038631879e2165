"""Centered kernel nearest-neighbour alignment."""

import math
from dataclasses import dataclass, replace

import numpy as np

from sksim._sklearn_compat import StrOptions
from sksim.arrays._linalg import (
    centered,
    role_name,
    unit_rows,
)
from sksim.arrays._namespace import (
    as_float64,
    device_of,
    move_to,
    row_sum_of_squares,
    take,
    to_numpy,
)
from sksim.arrays._neighbors import GivenPoints, products_with, shared_ranks
from sksim.arrays._shared_places import products_of_pairs
from sksim.arrays._slices import slices
from sksim.neighbors._base import BaseNeighborSimilarity, NeighborView
from sksim.neighbors._masked_kernels import masked_kernel, masked_product

# Entries of a block of the distance matrix.
_BLOCK_ELEMENTS = 2**20
# Estimators that cut the kernels down to neighbours before they centre them.
_CENTRED_LAST = ("hsic_unbiased", "hsic_biased", "masked_then_centred")


@dataclass(frozen=True)
class NeighborKernel(NeighborView):
    """Neighbour lists and the entries of the centred kernel matrix at them.

    ``values`` are divided by their norm; ``shared_values`` are those of all neighbours
    that share places, or None.
    """

    values: object
    shared_values: object = None

    _row_fields = ("neighbors", "values")

    def values_of_places(self, *, xp):
        """Value of each entry of the neighbours' places, on numpy."""
        if self.shared_values is not None:
            return self.shared_values
        return to_numpy(self.values, xp=xp).ravel()


class CKNNA(BaseNeighborSimilarity):
    r"""Centered kernel nearest-neighbour alignment.

    CKA with both centred kernel matrices :math:`K, K'` restricted to the pairs of rows
    that are neighbours in both representations:

    .. math:: m(R, R') = \frac{\sum_{ij} \alpha_{ij} K_{ij} K'_{ij}}
        {\sqrt{\sum_{ij} 1[j \in N_k(i)] K_{ij}^2} \;
         \sqrt{\sum_{ij} 1[j \in N_k'(i)] K_{ij}'^2}}, \qquad
        \alpha_{ij} = 1[j \in N_k(i) \wedge j \in N_k'(i)] .

    A similarity in [-1, 1]. The kernel is the inner product of the centred rows; with
    the cosine metric rows are scaled to unit norm first, as in the paper. Invariant
    to orthogonal maps and isotropic scaling, with the Euclidean metric also to
    translation. Blind to everything beyond the k-th neighbour; with k = N - 1 it is
    CKA without the diagonal.

    Parameters
    ----------
    n_neighbors : int, default=10
        Number of neighbours, below the number of rows.
    metric : {"cosine", "euclidean", "precomputed"}, default="cosine"
        What is near, and whether rows are scaled to unit norm. "precomputed": X and y
        are matrices D of distances, of shape (n_samples, n_samples) or condensed, and
        the kernel is :math:`-\tfrac12 H D^2 H`, the inner product of the centred rows
        where distances are Euclidean (see :ref:`given_matrices`).
    estimator : str, default="double_centred"
        What is centred, and when; see the notes: "double_centred", "row_centred",
        "hsic_unbiased", "hsic_biased" or "masked_then_centred".
    algorithm : {"exact", "approximate"}, default="exact"
        "approximate" takes the neighbours that pynndescent finds, for very many rows.
    verbose : int, default=0
        Whether ``fit`` and ``score`` show progress on standard error.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Alignment.
    n_tied_ : tuple of int
        Number of rows of X and of y whose last neighbour is as near as one that was
        left out: such neighbours share their places (see :ref:`tied_neighbors`).
    algorithm_ : str
        The search that was used.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If there are no more rows than neighbours, if a representation is constant, if
        a row is zero with the cosine metric, or if the centred kernel is zero at all
        neighbours. If a given matrix is not one of distances.

    See Also
    --------
    MutualKNN : Counts the shared neighbours.
    sksim.rsm.CKA : All pairs.

    Notes
    -----
    Codes and papers differ by what they centre, and no form is "the" CKNNA: name the
    one you report. With the kernel K of inner products of the rows as they are, and the
    masks A of neighbours,

    * "double_centred" is the formula above, the paper's;
    * "row_centred" subtracts the row means of K only;
    * "hsic_unbiased" cuts K down to A K first and takes Song's unbiased estimator of
      both, with tr(KL) of matrices that are not symmetric, so that it depends on which
      representation comes first: what the paper's code returns;
    * "hsic_biased" does with tr(KHLH), a row being one of its own k neighbours: the
      same code with another option;
    * "masked_then_centred" takes the inner product of both after H A K H.

    The last three are not bounded by 1, since the cross term and the norms are of
    different masks. They and "row_centred" depend on where zero is, and can't be had of
    given distances.

    References
    ----------
    M. Huh, B. Cheung, T. Wang, P. Isola. The Platonic representation hypothesis. ICML,
    2024, arXiv:2405.07987.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.neighbors import CKNNA
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 5))
    >>> round(CKNNA().fit(X, 3 * X).score_, 6)
    1.0
    >>> round(CKNNA().fit(X, X + rng.normal(size=X.shape)).score_, 1)
    0.3
    """

    _parameter_constraints: dict = {
        **BaseNeighborSimilarity._parameter_constraints,
        "estimator": [StrOptions({"double_centred", "row_centred", *_CENTRED_LAST})],
    }

    def __init__(
        self,
        n_neighbors=10,
        *,
        metric="cosine",
        estimator="double_centred",
        algorithm="exact",
        verbose=0,
    ):
        super().__init__(
            n_neighbors, metric=metric, algorithm=algorithm, verbose=verbose
        )
        self.estimator = estimator

    def _validate_pair(self, X, y, *, reset):
        if self._is_given and self.estimator != "double_centred":
            raise ValueError(
                f"estimator={self.estimator!r} needs the rows themselves, of which "
                "given distances do not tell where zero is. Use "
                "estimator='double_centred' with metric='precomputed'."
            )
        return super()._validate_pair(X, y, reset=reset)

    def _min_samples(self):
        few = 4 if self.estimator == "hsic_unbiased" else 0
        return max(few, super()._min_samples())

    def _view(self, X, xp, role):
        if self.estimator in _CENTRED_LAST:
            return masked_kernel(X, self, xp=xp, role=role)
        neighbors = self._search(X, xp, role)
        shared, shared_values = neighbors.shared, None
        if self._is_given:
            kernel = _GivenKernel(X, xp=xp)
        else:
            kind = _Kernel if self.estimator == "double_centred" else _RowCentredKernel
            kernel = kind(X, self.metric, xp=xp, role=role)
        values = kernel.at(neighbors)
        squared_norm = float(xp.sum(row_sum_of_squares(values, xp=xp)))
        if shared is not None:
            shared_values = kernel.of_pairs(shared.rows, shared.columns)
            squared_norm = float(shared.shares @ shared_values**2)
        norm = squared_norm**0.5
        if norm <= 1e-12 * kernel.trace:
            raise ValueError(
                f"The centred kernel of {role_name(role)} is zero at all neighbours, "
                "so that nothing is left to compare. Choose more neighbours."
            )
        if shared is not None:
            shared_values = shared_values / norm
        return NeighborKernel(neighbors, values / norm, shared_values)

    def _compare(self, view_x, view_y, xp):
        if self.estimator in _CENTRED_LAST:
            own, theirs = view_x.places.shared_with(view_y.places)
            product = masked_product(view_x, view_y, own, theirs, self.estimator)
            return product / view_x.norm / view_y.norm, self._how(view_x, view_y)
        shares = self._shares(view_x.neighbors, view_y.neighbors, xp)
        if shares is not None:
            return self._shared_product(view_x, view_y, *shares, xp)
        ranks = shared_ranks(view_x.neighbors, view_y.neighbors, xp=xp)
        n_samples, k = ranks.shape
        own = xp.arange(n_samples, device=device_of(view_x.values))[:, None] * k
        # a rank of 0 stands for no shared neighbour, whatever it picks
        places = own + xp.astype(xp.where(ranks > 0, ranks - 1, ranks), own.dtype)
        picked = take(
            xp.reshape(view_x.values, (-1,)), xp.reshape(places, (-1,)), xp=xp
        )
        picked = xp.reshape(picked, ranks.shape)
        products = xp.where(ranks > 0, picked * view_y.values, xp.zeros_like(picked))
        return xp.sum(products), self._how(view_x.neighbors, view_y.neighbors)

    def _shared_product(self, view_x, view_y, places_x, places_y, xp):
        """The same where neighbours share places."""
        own, others = places_x.shared_with(places_y)
        shares = np.minimum(places_x.shares[own], places_y.shares[others])
        values = view_x.values_of_places(xp=xp)[own]
        values = values * view_y.values_of_places(xp=xp)[others]
        product = np.asarray(shares @ values)
        product = move_to(product, xp=xp, device=device_of(view_x.values))
        return product, self._how(view_x.neighbors, view_y.neighbors)

    def _similarity_tags(self):
        tags = super()._similarity_tags()
        limit = math.inf if self.estimator in _CENTRED_LAST else 1
        # only a kernel of centred rows does not see where zero is
        blind = frozenset() if self.estimator == "double_centred" else {"TR"}
        return replace(
            tags,
            bounds=(-limit, limit),
            score_bounds=None,
            symmetric=self.estimator != "hsic_unbiased",
            invariances=tags.invariances - blind,
            invariances_y=None,
            reference="Huh et al. 2024",
        )


class _Kernel:
    """Inner products of centred rows."""

    def __init__(self, X, metric, *, xp, role):
        X = as_float64(X, xp=xp)
        if metric == "cosine":
            X = unit_rows(X, xp=xp, role=role)
        self.xp = xp
        self.rows = centered(X, xp=xp).rows
        self.trace = float(xp.sum(row_sum_of_squares(self.rows, xp=xp)))

    def at(self, neighbors):
        """Entries of each row at its neighbours."""
        return products_with(self.rows, neighbors.indices, xp=self.xp)

    def of_pairs(self, first, second):
        """Entries of pairs of rows, on numpy."""
        return products_of_pairs(to_numpy(self.rows, xp=self.xp), first, second)


class _RowCentredKernel(_Kernel):
    """Inner products of the rows minus their row means."""

    def __init__(self, X, metric, *, xp, role):
        super().__init__(X, metric, xp=xp, role=role)
        X = as_float64(X, xp=xp)
        X = unit_rows(X, xp=xp, role=role) if metric == "cosine" else X
        # in the unit of the centred rows
        X = X / centered(X, xp=xp).scale
        self.shift = self.rows @ xp.mean(X, axis=0)

    def at(self, neighbors):
        """Entries of each row at its neighbours."""
        shift = take(self.shift, self.xp.reshape(neighbors.indices, (-1,)), xp=self.xp)
        shift = self.xp.reshape(shift, neighbors.indices.shape)
        return super().at(neighbors) + shift

    def of_pairs(self, first, second):
        """Entries of pairs of rows, on numpy."""
        shift = to_numpy(self.shift, xp=self.xp)[second]
        return super().of_pairs(first, second) + shift


class _GivenKernel:
    """Minus half the given squared distances, doubly centred."""

    def __init__(self, distances, *, xp):
        self.xp = xp
        self.points = points = GivenPoints(distances, xp=xp, role=None)
        blocks = slices(points.n_samples, max(16, _BLOCK_ELEMENTS // points.n_samples))
        self.means = xp.concat([xp.mean(points.squares(b), axis=1) for b in blocks])
        self.mean = xp.mean(self.means)
        self.trace = float(self.mean) * points.n_samples / 2

    def at(self, neighbors):
        """Entries of each row at its neighbours."""
        squares = neighbors.squared_distances
        columns = take(
            self.means, self.xp.reshape(neighbors.indices, (-1,)), xp=self.xp
        )
        columns = self.xp.reshape(columns, squares.shape)
        return (self.means[:, None] + columns - self.mean - squares) / 2

    def of_pairs(self, first, second):
        """Entries of pairs of rows, on numpy."""
        means = to_numpy(self.means, xp=self.xp)
        distances = to_numpy(self.points.X, xp=self.xp)[first, second]
        squares = (distances.astype(np.float64) / self.points.unit) ** 2
        return (means[first] + means[second] - float(self.mean) - squares) / 2
