"""Layers by layers of two models, batch by batch, as centred kernel matrices.

A layer's rows in one batch become one n x n matrix at once, so that no rows need to be
kept. All pairs of layers are then one product of flattened matrices, of which
`BatchSums` keeps sums.
"""

from contextlib import ExitStack
from dataclasses import dataclass

import array_api_compat
import numpy as np
from scipy.linalg.blas import dsyrk, ssyrk

from sksim.arrays._accumulator import LayerAccumulator, as_rows
from sksim.arrays._batch_sums import (
    FEWEST_ROWS,
    BatchSums,
    max_step_down,
    sums_of_cubes,
)
from sksim.arrays._kernels import (
    kernel_matrix,
    median_distance,
    refuse_zero_bandwidth,
    u_center,
)
from sksim.arrays._linalg import centered, power_of_two_scale, safe_range, unit_rows
from sksim.arrays._namespace import (
    as_float64,
    inner,
    is_numpy,
    namespace_of,
    row_slices,
    to_numpy,
)
from sksim.arrays._pairs import of_squares
from sksim.arrays._picking import permuted_products, stacked_upper_blocks
from sksim.arrays._slices import slices

# Columns that are centred and multiplied at a time: a copy of 50 rows of them (800 KB)
# stays in the cache, and the product of rows takes 1.4 times what it takes without
# centring, instead of 2.5. Without it a product in single precision is off by 1.6e-7 of
# what the mean adds to it: by 1e-4 of the centred matrix's norm in residual networks
# with random weights, whose maps have a mean of up to 125 times the rest, and by 6e-5
# in CKA of wide rows of full rank with a mean of 16 times the rest. With it 4e-7 of the
# norm are left in both.
_COLUMNS = 4096

# What is subtracted is the mean of so many rows, which is near enough: what is left of
# the mean adds an eighth of the trace, and n / 8 of it at most.
_ROWS_OF_MEAN = 8


@dataclass(frozen=True)
class LayerGram:
    """U-centred kernel matrix of a layer's rows in one batch, of norm 1.

    Attributes
    ----------
    matrix : array of shape (n_samples, n_samples), in double precision
        Zeros for a layer that is constant in the batch.
    size : float
        Norm of the matrix before it was divided by it; 0 for a constant layer.
    cubes : tuple of two 0-d arrays
        `sums_of_cubes` of the matrix.
    """

    matrix: object
    size: float
    cubes: tuple

    @property
    def n_samples(self):
        """Number of rows."""
        return self.matrix.shape[0]


@dataclass(frozen=True)
class WaitingRows:
    """Rows of a layer that are too few for a batch."""

    rows: object

    @property
    def n_samples(self):
        """Number of rows."""
        return self.rows.shape[0]


class GramSums(LayerAccumulator):
    """HSIC of all pairs of layers, from batches: `MinibatchCKA` of each pair.

    A batch of fewer than 4 rows waits for the next. What is kept is as large as the
    number of pairs of layers, whatever the number of rows.

    Parameters
    ----------
    kernel : str or callable, default="linear"
        As of `MinibatchCKA`. The RBF kernel takes its width from the first batch.
    bandwidth : float, default=0.5
    kernel_params : dict, default=None
    n_permutations : int, default=0
        How many orders of the rows within batches are drawn, for corrected p-values.
    random_state : int, default=0
        Their seed. Parts that are merged need different ones.

    Attributes
    ----------
    names : tuple of two lists of str
        Names of the layers of both models; empty before the first batch.
    n_samples, n_batches, n_waiting : int
        Rows and batches that count, and rows that wait.
    """

    def __init__(
        self,
        kernel="linear",
        *,
        bandwidth=0.5,
        kernel_params=None,
        n_permutations=0,
        random_state=0,
    ):
        super().__init__()
        self.kernel = kernel
        self.bandwidth = bandwidth
        self.kernel_params = kernel_params
        self.n_permutations = n_permutations
        self.random_state = random_state
        self._widths = ({}, {})
        self._waiting = ({}, {})
        self._is_one_set = False
        self._sums = None
        self._seeds = {random_state}

    # ----- batches --------------------------------------------------------------------

    _kept = (LayerGram, WaitingRows)

    def reduced(self, side, name, rows):
        """What is kept of a layer's rows until all layers of the batch are there.

        Parameters
        ----------
        side : {0, 1}
            Which model the layer is of.
        name : str
        rows : array of shape (n_samples, ...)
            Whatever follows the first axis is flattened. A tensor of torch on a GPU
            stays there.

        Returns
        -------
        reduced : LayerGram or WaitingRows
            It shares no memory with the rows.
        """
        rows = as_rows(rows)
        if (waiting := self._waiting[side].get(name)) is not None:
            rows = _joined(waiting, rows, name)
        if rows.shape[0] < FEWEST_ROWS:
            return WaitingRows(namespace_of(rows).asarray(rows, copy=True))
        xp = namespace_of(rows)
        try:
            with _full_precision(rows, xp):
                gram = self._gram(side, name, rows, xp)
        except ValueError as error:
            raise ValueError(f"Layer {name!r}: {error}") from error
        if not np.isfinite(gram.size):
            raise ValueError(
                f"Layer {name!r} has values that are nan, infinite or so large that "
                f"its kernel can't be summed, in batch {self.n_batches} (from 0). "
                "Leave the layer out, or rescale it."
            )
        return gram

    def update(self, reduced_a, reduced_b=None):
        """Add a batch.

        Parameters
        ----------
        reduced_a, reduced_b : dict of str to array, LayerGram or WaitingRows
            Rows of each layer, or what `reduced` made of them. The first batch names
            the layers. One dictionary for both, or None, is one model against itself.
        """
        *both, n_samples = self._both(reduced_a, reduced_b)
        self._is_one_set = both[0] is both[1]
        if n_samples < FEWEST_ROWS:
            self._waiting = tuple(
                {name: layer.rows for name, layer in layers.items()} for layers in both
            )
            return
        self._waiting = ({}, {})
        grams = [list(layers.values()) for layers in both]
        if self._is_one_set:
            grams[1] = grams[0]
        self._add(self._sums_of(grams, n_samples))

    def _gram(self, side, name, rows, xp):
        if self.kernel == "linear":
            K, unit = _centred_products(rows, xp)
            return _gram_of(K, rows.dtype, xp, unit=unit**2)
        if self.kernel == "rbf":
            return self._rbf_gram(side, name, rows, xp)
        rows = as_float64(rows, xp=xp)
        if self.kernel == "cosine":
            rows = unit_rows(rows, xp=xp)
            return _gram_of(rows @ rows.T, rows.dtype, xp)
        K = kernel_matrix(rows, self.kernel, self.kernel_params, xp=xp)
        return _gram_of(K, rows.dtype, xp)

    def _rbf_gram(self, side, name, rows, xp):
        K, unit = _centred_products(rows, xp)
        squares = xp.linalg.diagonal(K)
        distances = squares[:, None] + squares[None, :] - 2 * K
        # rounding leaves something negative of equal rows
        distances = xp.where(distances > 0, distances, xp.zeros_like(distances))
        width = self._widths[side].get(name)
        if width is None:
            median = median_distance(distances, xp=xp)
            refuse_zero_bandwidth(median, squares, "this layer", xp=xp)
            width = self.bandwidth * float(median) * unit
            self._widths[side][name] = width
        decay = 0.5 * (unit / width) ** 2
        return _gram_of(of_squares(distances, decay, xp=xp), rows.dtype, xp)

    def _sums_of(self, grams, n_samples):
        matrices = [[gram.matrix for gram in side] for side in _on_one_device(grams)]
        if grams[0] is grams[1]:
            matrices[1] = matrices[0]
        sizes = [np.array([gram.size for gram in side]) for side in grams]
        cubes = [
            np.array([[float(cube) for cube in gram.cubes] for gram in side])
            for side in grams
        ]
        return BatchSums.of_batch(
            n_samples,
            _cosines(*matrices),
            *sizes,
            cubes=cubes,
            draws=self._draws(matrices, n_samples) if self.n_permutations else None,
        )

    def _draws(self, matrices, n_samples):
        """Cosines for other orders of the rows of one side."""
        xp = namespace_of(matrices[0][0])
        first, second = ([to_numpy(m, xp=xp) for m in side] for side in matrices)
        orders = [
            np.random.default_rng(
                (self.random_state, self.n_batches, number)
            ).permutation(n_samples)
            for number in range(self.n_permutations)
        ]
        return permuted_products(stacked_upper_blocks(first), second, orders)

    def _add(self, sums):
        self._sums = sums if self._sums is None else self._sums.plus(sums)

    # ----- parts ----------------------------------------------------------------------

    def merge(self, other):
        """Add the batches of another part, and the rows that wait there.

        Parameters
        ----------
        other : GramSums
            With the same parameters, of the same layers. It stays as it is.

        Returns
        -------
        self : GramSums
        """
        self._refuse_other(other)
        if self.n_permutations and self._seeds & other._seeds:
            raise ValueError(
                "Both parts drew the same orders of rows, so that their sums over "
                "orders can't be merged. Give each part its own random_state."
            )
        for widths, others in zip(self._widths, other._widths, strict=True):
            if widths and others and widths != others:
                raise ValueError(
                    "The RBF kernels of these sums have other widths, each from its "
                    "own first batch. Start all parts with empty() of one that has "
                    "seen a batch."
                )
        self._widths = other._widths if not any(self._widths) else self._widths
        self.names = self.names if any(self.names) else other.names
        self._seeds = self._seeds | other._seeds
        if other._sums is not None:
            self._add(other._sums)
        self._is_one_set = other._is_one_set if other.n_batches else self._is_one_set
        if any(other._waiting):
            waiting_a, waiting_b = other._waiting
            self.update(waiting_a, None if other._is_one_set else waiting_b)
        return self

    def empty(self, random_state=None):
        """Sums of no batches, for another part: with the same widths of kernels.

        Parameters
        ----------
        random_state : int, default=None
            Seed of the part's orders.
        """
        part = GramSums(
            self.kernel,
            bandwidth=self.bandwidth,
            kernel_params=self.kernel_params,
            n_permutations=self.n_permutations,
            random_state=self.random_state if random_state is None else random_state,
        )
        part._widths = tuple(dict(widths) for widths in self._widths)
        return part

    def _settings(self):
        kernel = self.kernel
        if callable(kernel):
            kernel = getattr(kernel, "__qualname__", type(kernel).__qualname__)
        params = {k: repr(v) for k, v in sorted((self.kernel_params or {}).items())}
        return {
            "kernel": kernel,
            "bandwidth": float(self.bandwidth),
            "kernel_params": params,
            "n_permutations": int(self.n_permutations),
        }

    def state(self):
        """All that was accumulated, as a dictionary of arrays of numpy.

        Returns
        -------
        state : dict of str to array
            Without objects, so that ``numpy.savez`` writes it without pickles.
        """
        state = {
            **self._named_state(),
            "seeds": np.array(sorted(self._seeds)),
            "is_one_set": np.array(self._is_one_set),
        }
        for side, letter in enumerate("ab"):
            widths = self._widths[side]
            state[f"width_names_{letter}"] = np.array(list(widths), dtype=np.str_)
            state[f"widths_{letter}"] = np.array(list(widths.values()))
            for place, name in enumerate(self.names[side]):
                rows = self._waiting[side].get(name)
                if rows is not None:
                    rows = to_numpy(rows, xp=namespace_of(rows))
                    state[f"waiting_{letter}_{place}"] = rows
        if self._sums is not None:
            state.update(self._sums.state())
        return state

    @classmethod
    def from_state(cls, state, **params):
        """Go on from a state.

        Parameters
        ----------
        state : mapping of str to array
            What `state` gave.
        **params
            The parameters that the sums were made with.

        Returns
        -------
        sums : GramSums
        """
        sums = cls(**params)
        sums._take_names(state)
        sums._is_one_set = bool(state["is_one_set"])
        sums._seeds = {int(seed) for seed in state["seeds"]}
        for side, letter in enumerate("ab"):
            names, widths = state[f"width_names_{letter}"], state[f"widths_{letter}"]
            sums._widths[side].update(
                (str(name), float(width))
                for name, width in zip(names, widths, strict=True)
            )
            for place, name in enumerate(sums.names[side]):
                if (key := f"waiting_{letter}_{place}") in state:
                    sums._waiting[side][name] = state[key]
        sums._sums = BatchSums.from_state(state)
        return sums

    # ----- results --------------------------------------------------------------------

    @property
    def n_samples(self):
        """Number of rows in the batches."""
        return 0 if self._sums is None else self._sums.n_samples

    @property
    def n_batches(self):
        """Number of batches."""
        return 0 if self._sums is None else self._sums.n_batches

    @property
    def n_waiting(self):
        """Number of rows that are in no batch yet, 3 at most."""
        return next((rows.shape[0] for rows in self._waiting[0].values()), 0)

    @property
    def never_varied(self):
        """Names of the layers of each model that were constant in every batch."""
        return tuple(
            [name for name, s in zip(names, squares, strict=True) if not s > 0]
            for names, squares in zip(self.names, self.sums.squares, strict=True)
        )

    @property
    def sums(self):
        """The sums over batches; a ValueError if there is none."""
        if self._sums is None:
            raise ValueError(
                f"There are {self.n_waiting} rows, but a batch needs at least "
                f"{FEWEST_ROWS}. Pass more."
            )
        return self._sums

    @property
    def scores(self):
        """Alignments of layers by layers; nan for layers that never varied."""
        return self.sums.alignment()[0]

    @property
    def standard_errors(self):
        """Their standard errors; nan for one batch."""
        return self.sums.alignment()[1]

    @property
    def null_std(self):
        """Their standard deviations over all orders of rows within batches."""
        return self.sums.null_moments()[0]

    @property
    def null_skewness(self):
        """Their skewness over all orders of rows within batches."""
        return self.sums.null_moments()[1]

    @property
    def z_scores(self):
        """Alignments over their standard deviations; their mean is 0 by chance."""
        return self.scores / self.null_std

    @property
    def log_pvalues(self):
        """Logarithms of the p-values of all cells."""
        return self.sums.log_pvalues()

    @property
    def pvalues(self):
        """How probable an alignment at least as large is by chance, of each cell.

        Not below the smallest normal number, where only the logarithm says more.
        """
        return np.maximum(np.exp(self.log_pvalues), np.finfo(float).tiny)

    @property
    def corrected_pvalues(self):
        """The same corrected for the number of cells, by the orders that were drawn.

        Of one model against itself each pair counts once, and none with itself.
        """
        z = self.z_scores
        tested = np.isfinite(z)
        if self._is_one_set:
            tested &= np.triu(np.ones_like(tested), k=1)
        corrected = np.full(z.shape, np.nan)
        corrected[tested] = max_step_down(z[tested], self.null_z_scores[:, tested])
        if self._is_one_set:
            corrected = np.fmin(corrected, corrected.T)
        return corrected

    @property
    def null_z_scores(self):
        """z-scores for the orders that were drawn, of shape (n_permutations, ...)."""
        return self.sums.standardised_draws()


# ----- rows ---------------------------------------------------------------------------


def _joined(waiting, rows, name):
    """Rows that waited, and those that came."""
    if waiting.shape[1] != rows.shape[1]:
        raise ValueError(
            f"Layer {name!r}: {waiting.shape[0]} rows wait for those of this batch, "
            f"but are {waiting.shape[1]} wide, and these {rows.shape[1]}. Use batches "
            f"of at least {FEWEST_ROWS} rows."
        )
    xp = namespace_of(rows)
    if is_numpy(xp):
        return np.concatenate([to_numpy(waiting, xp=namespace_of(waiting)), rows])
    return xp.concat([xp.asarray(waiting, device=rows.device), rows])


def _full_precision(rows, xp):
    """A context in which products are in the precision of their factors."""
    context = ExitStack()
    if array_api_compat.is_torch_namespace(xp):
        import torch

        context.enter_context(torch.autocast(rows.device.type, enabled=False))
        matmul = torch.backends.cuda.matmul
        context.callback(setattr, matmul, "allow_tf32", matmul.allow_tf32)
        matmul.allow_tf32 = False
    return context


def _centred_products(rows, xp):
    """Inner products of rows that are centred or nearly so, in double precision.

    Returns
    -------
    products : array of shape (n_samples, n_samples)
        Zeros for rows that are equal up to rounding.
    unit : float
        What centred rows were divided by before they were multiplied.
    """
    if not is_numpy(xp):
        rows, _, unit, _ = centered(rows, xp=xp)
        return as_float64(rows @ rows.T, xp=xp), float(unit)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        K, offset = _products_by_columns(rows)
        low, high = safe_range(xp, rows.dtype)
        if low < np.trace(K) < high:
            unit = 1.0
        else:
            unit = power_of_two_scale(rows, xp=xp)
            K, offset = _products_by_columns(rows, 1 / unit)
    rounding = 8 * float(np.finfo(rows.dtype).eps)
    if np.trace(K) <= rounding**2 * offset:
        return np.zeros_like(K), unit
    return K, unit


def _products_by_columns(rows, factor=None):
    """Products of rows that are nearly centred, and what was subtracted from the trace.

    Centring of the products does the rest.
    """
    n, width = rows.shape
    some = rows[:: max(1, n // _ROWS_OF_MEAN), :]
    # scipy's symmetric product leaves out one triangle: 5/6 of the time of numpy's
    product = ssyrk if rows.dtype == np.float32 else dsyrk
    share = np.full(len(some), 1 / len(some), dtype=rows.dtype)
    upper, offset, centred = np.zeros((n, n)), 0.0, None
    for columns in slices(width, _COLUMNS):
        part, mean = rows[:, columns], share @ some[:, columns]
        if factor is not None:
            part, mean = part * factor, mean * factor
        if centred is None or centred.shape != part.shape:
            centred = np.empty(part.shape, dtype=rows.dtype)
        np.subtract(part, mean, out=centred)
        upper += product(1.0, centred.T, trans=1)
        offset += n * float(mean @ mean)
    K = upper + upper.T
    K[np.diag_indices(n)] /= 2
    return K, offset


def _gram_of(K, dtype, xp, unit=1.0):
    """U-centred and of norm 1, or zero where rounding is all that is left."""
    K = as_float64(K, xp=xp)
    before = float(inner(K, K, xp=xp))
    U = u_center(K, xp=xp, overwrite=True)
    size = float(inner(U, U, xp=xp)) ** 0.5
    if size <= 64 * float(xp.finfo(dtype).eps) * before**0.5:
        size, U = 0.0, xp.zeros_like(U)
    else:
        U = U / size
    return LayerGram(U, size * unit, sums_of_cubes(U, xp=xp))


# ----- all layers ---------------------------------------------------------------------


def _on_one_device(grams):
    """The same with all matrices where the first is, if that is where all can be."""
    devices = {str(getattr(g.matrix, "device", "cpu")) for side in grams for g in side}
    if len(devices) == 1:
        return grams
    return [
        [
            LayerGram(to_numpy(g.matrix, xp=namespace_of(g.matrix)), g.size, g.cubes)
            for g in side
        ]
        for side in grams
    ]


def _cosines(first, second):
    """Inner products of all pairs of matrices, on numpy."""
    xp = namespace_of(first[0])
    n = first[0].shape[0]
    total = 0.0
    # 8 MB of all matrices at a time
    for rows in row_slices(n, n * (len(first) + len(second)), n_entries=2**20):
        left = _flat(first, rows, xp)
        right = left if first is second else _flat(second, rows, xp)
        total = total + left @ right.T
    return to_numpy(total, xp=xp)


def _flat(matrices, rows, xp):
    return xp.stack([xp.reshape(matrix[rows, :], (-1,)) for matrix in matrices])
