"""Sketches of wide rows, and debiased CKA of layers by layers from them.

A folded sketch gives every feature a random sign and adds up every k-th of them, so
that no matrix is made and a row costs one addition for each feature. Inner products of
sketches are unbiased for those of the rows, however wide.

An inner product of two kernel matrices is unbiased, too, if their sketches are
independent, but the product of a matrix with itself is not: the sketch's own noise is
added to it. Each sketch therefore consists of two independent halves, whose product
takes its place.
"""

import zlib
from dataclasses import dataclass

import numpy as np

from sksim.arrays._accumulator import LayerAccumulator, as_rows
from sksim.arrays._kernels import product_of_tiles, tiles_are_cheaper
from sksim.arrays._linalg import centered
from sksim.arrays._namespace import (
    as_float64,
    is_numpy,
    move_to,
    namespace_of,
    row_sum_of_squares,
    to_numpy,
)
from sksim.arrays._symmetric import Factored


def folded(rows, n_components, seed):
    """Signed features, every ``n_components``-th of them added up.

    Parameters
    ----------
    rows : array of shape (n_samples, n_features)
        Wider than ``n_components``.
    n_components : int
    seed : int or tuple of int
        Of the signs. Features that are added on the right keep the others' signs.

    Returns
    -------
    sketch : array of shape (n_samples, n_components)
    """
    xp = namespace_of(rows)
    n_samples, width = rows.shape
    signs = _signs(width, seed).astype(str(rows.dtype).rpartition(".")[2])
    if not is_numpy(xp):
        signs = move_to(signs, xp=xp, device=rows.device)
    height = width // n_components
    whole = height * n_components
    shape = height, n_components
    blocks = xp.reshape(rows[:, :whole], (n_samples, *shape))
    of_blocks = xp.reshape(signs[:whole], shape)
    if is_numpy(xp):
        # no copy of the rows: a third of the time of a product that is then summed
        sketch = np.einsum("ngk,gk->nk", blocks, of_blocks)
    else:
        sketch = xp.sum(blocks * of_blocks, axis=1)
    rest = rows[:, whole:] * signs[whole:]
    sketch[:, : width - whole] += rest
    return sketch


def _signs(width, seed):
    """Random signs, the same for any larger width."""
    bits = np.frombuffer(np.random.default_rng(seed).bytes(-(-width // 8)), np.uint8)
    return 2 * np.unpackbits(bits)[:width].astype(np.int8) - 1


@dataclass(frozen=True)
class Sketch:
    """Two halves of a folded sketch side by side, or narrow rows as they are.

    Attributes
    ----------
    rows : array of shape (n_samples, n_components)
        The halves over sqrt(2), so that inner products are the mean of both.
    is_exact : bool
        Whether these are the rows themselves.
    """

    rows: np.ndarray
    is_exact: bool

    @property
    def n_samples(self):
        """Number of rows."""
        return self.rows.shape[0]


class SketchedRows(LayerAccumulator):
    """Folded sketches of all rows of all layers, and debiased CKA of them.

    Layers no wider than a sketch are kept as they are.

    Parameters
    ----------
    n_components : int, default=512
        Columns of a sketch, an even number.
    random_state : int, default=0
        Seed of the signs. Parts that are merged have the same.

    Attributes
    ----------
    names : tuple of two lists of str
    n_samples, n_batches : int
    """

    _kept = Sketch
    n_batches = 0
    n_waiting = 0

    def __init__(self, n_components=512, *, random_state=0):
        super().__init__()
        if n_components < 2 or n_components % 2:
            raise ValueError(
                "A sketch has two halves, so that its number of columns must be even "
                f"and at least 2, got {n_components}."
            )
        self.n_components = n_components
        self.random_state = random_state
        self._is_one_set = False
        self._parts = ({}, {})

    def reduced(self, side, name, rows):
        """Sketch of a layer's rows.

        Parameters
        ----------
        side : {0, 1}
            Which model the layer is of.
        name : str
        rows : array of shape (n_samples, ...)
            Whatever follows the first axis is flattened.

        Returns
        -------
        sketch : Sketch
            On numpy; it shares no memory with the rows.
        """
        rows = as_rows(rows)
        xp = namespace_of(rows)
        if rows.shape[1] <= self.n_components:
            return Sketch(np.array(to_numpy(rows, xp=xp)), True)
        # the same signs for a layer in any order of layers and any process
        key = self.random_state, side, zlib.crc32(name.encode())
        half = self.n_components // 2
        halves = [folded(rows, half, (*key, number)) for number in (0, 1)]
        sketch = np.concatenate([to_numpy(h, xp=xp) for h in halves], axis=1)
        sketch *= 0.5**0.5
        return Sketch(sketch, False)

    def update(self, reduced_a, reduced_b=None):
        """Add a batch.

        Parameters
        ----------
        reduced_a, reduced_b : dict of str to array or Sketch
            Rows of each layer, or what `reduced` made of them. One dictionary for both,
            or None, is one model against itself.
        """
        *both, _ = self._both(reduced_a, reduced_b)
        self._is_one_set = both[0] is both[1]
        self._add(both)

    def _add(self, both):
        sides = list(zip(self._parts, both, strict=True))[
            : 1 if self._is_one_set else 2
        ]
        for parts, layers in sides:
            for name, sketch in layers.items():
                _refuse_other_width(parts.get(name, [sketch])[0], sketch, name)
        for parts, layers in sides:
            for name, sketch in layers.items():
                parts.setdefault(name, []).append(sketch)
        self.n_batches += 1

    # ----- parts ----------------------------------------------------------------------

    def merge(self, other):
        """Add the rows of another part, after those that are here.

        Parameters
        ----------
        other : SketchedRows
            With the same parameters, of the same layers. It stays as it is.

        Returns
        -------
        self : SketchedRows
        """
        self._refuse_other(other)
        if other.n_batches:
            self.names, self._is_one_set = other.names, other._is_one_set
            self._add(
                [
                    {name: _joined(parts) for name, parts in side.items()}
                    for side in other._parts
                ]
            )
            self.n_batches += other.n_batches - 1
        return self

    def _settings(self):
        return {
            "n_components": int(self.n_components),
            "random_state": int(self.random_state),
        }

    def state(self):
        """All that was accumulated, as a dictionary of arrays of numpy.

        Returns
        -------
        state : dict of str to array
            Without objects, so that ``numpy.savez`` writes it without pickles.
        """
        state = {**self._named_state(), "n_batches": np.array(self.n_batches)}
        state["is_one_set"] = np.array(self._is_one_set)
        for letter, side in zip("ab", self._parts, strict=True):
            for place, parts in enumerate(side.values()):
                layer = _joined(parts)
                kind = "rows" if layer.is_exact else "sketch"
                state[f"{kind}_{letter}_{place}"] = layer.rows
        return state

    @classmethod
    def from_state(cls, state, **params):
        """Go on from a state.

        Parameters
        ----------
        state : mapping of str to array
            What `state` gave.
        **params
            The parameters that the sketches were made with.

        Returns
        -------
        sketches : SketchedRows
        """
        sketches = cls(**params)
        sketches._take_names(state)
        sketches.n_batches = int(state["n_batches"])
        sketches._is_one_set = bool(state["is_one_set"])
        for letter, side, names in zip(
            "ab", sketches._parts, sketches.names, strict=True
        ):
            for place, name in enumerate(names):
                for kind in ("rows", "sketch"):
                    if (key := f"{kind}_{letter}_{place}") in state:
                        side[name] = [Sketch(state[key], kind == "rows")]
        return sketches

    # ----- results --------------------------------------------------------------------

    @property
    def n_samples(self):
        """Number of rows."""
        parts = next(iter(self._parts[0].values()), [])
        return sum(sketch.n_samples for sketch in parts)

    def layers(self, side):
        """Sketches of all rows of each layer, for any measure of inner products.

        Parameters
        ----------
        side : {0, 1}

        Returns
        -------
        layers : dict of str to array of shape (n_samples, n_components or fewer)
            Measures of neighbours and of distances come out too low on them: by .1 of a
            Jaccard index of .65 at 256 columns, by .01 at 1024.
        """
        parts = self._parts[0 if self._is_one_set else side]
        return {name: _joined(layer).rows for name, layer in parts.items()}

    @property
    def scores(self):
        """Debiased CKA of layers by layers, without the bias of sketches.

        nan for layers that are constant.
        """
        if self.n_samples < 4:
            raise ValueError(
                f"There are {self.n_samples} rows, but debiased CKA needs at least 4."
            )
        sides = [
            [_Kernel(_joined(parts), name) for name, parts in side.items()]
            for side in self._parts[: 1 if self._is_one_set else 2]
        ]
        first, second = sides[0], sides[-1]
        products = _products([k.form for k in first], [k.form for k in second])
        norms = [np.array([k.squared_norm for k in side]) ** 0.5 for side in sides]
        scores = products / norms[0][:, None] / norms[-1]
        if self._is_one_set:
            # with itself a layer's sketch is not independent
            np.fill_diagonal(scores, np.where(np.isnan(norms[0]), np.nan, 1.0))
        return scores


class _Kernel:
    """Linear kernel of a layer without its diagonal.

    Attributes
    ----------
    form : Factored
        Of the whole sketch.
    squared_norm : float
        Without the sketch's bias; nan for a constant layer.
    """

    def __init__(self, sketch, name):
        rows = sketch.rows
        centred = centered(as_float64(rows, xp=np), xp=np)
        self.form = _form(centred.rows)
        if centred.squared_norm == 0:
            self.squared_norm = np.nan
            return
        if sketch.is_exact:
            self.squared_norm = float(self.form.inner(self.form, xp=np))
            return
        half = centred.rows.shape[1] // 2
        halves = _form(centred.rows[:, :half]), _form(centred.rows[:, half:])
        # each over sqrt(2)
        self.squared_norm = 4 * float(halves[0].inner(halves[1], xp=np))
        if self.squared_norm <= 0:
            raise ValueError(
                f"Layer {name!r} has no norm that its sketch of {rows.shape[1]} "
                "columns could tell from noise. Use more columns, or more rows."
            )


def _form(rows):
    return Factored(rows, left_out=row_sum_of_squares(rows, xp=np))


def _products(forms_x, forms_y):
    """Inner products of all pairs of hollow matrices."""
    n = forms_x[0].n_samples
    widths = [[form.width for form in forms] for forms in (forms_x, forms_y)]
    if not tiles_are_cheaper(*widths, n):
        return np.array([[x.inner(y, xp=np) for y in forms_y] for x in forms_x])
    products = product_of_tiles(forms_x, forms_y, n, xp=np)
    return np.array(
        [
            [x.from_tiles(y, products[i, j], xp=np) for j, y in enumerate(forms_y)]
            for i, x in enumerate(forms_x)
        ]
    )


def _joined(parts):
    """Sketches of several batches as one."""
    if len(parts) == 1:
        return parts[0]
    return Sketch(np.concatenate([part.rows for part in parts]), parts[0].is_exact)


def _refuse_other_width(first, sketch, name):
    is_same = first.is_exact == sketch.is_exact
    if not is_same or first.rows.shape[1] != sketch.rows.shape[1]:
        raise ValueError(
            f"Layer {name!r} is {sketch.rows.shape[1]} wide in this batch, but was "
            f"{first.rows.shape[1]} before. A layer whose width changes between "
            "batches must be wider than its sketch in all of them: use fewer "
            "components, or pool it."
        )
