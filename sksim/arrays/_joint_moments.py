r"""Joint second moments of all layers of two models, of which each pair is a part.

Sums are about the mean of the first batch, in double precision, and are moved to the
mean of all rows when a pair is asked for. One product of all layers side by side with
all others costs as much arithmetic as a product for each pair, and far less time.
"""

from dataclasses import dataclass

import numpy as np

from sksim.arrays._accumulator import LayerAccumulator, as_rows
from sksim.arrays._moments import Moments, Products, Side
from sksim.arrays._namespace import namespace_of, to_numpy


@dataclass(frozen=True)
class KeptRows:
    """Rows of a layer in one batch."""

    rows: object

    @property
    def n_samples(self):
        """Number of rows."""
        return self.rows.shape[0]


def kept_rows(name, rows):
    """Copy of a layer's rows on numpy; ValueError where a number is missing."""
    rows = as_rows(rows)
    rows = np.array(to_numpy(rows, xp=namespace_of(rows)))
    if not np.all(np.isfinite(rows)):
        row = int(np.argmin(np.all(np.isfinite(rows), axis=1)))
        raise ValueError(
            f"Layer {name!r} has values that are nan or infinite, first in row {row} "
            "of a batch (from 0). Leave the layer out, or find out where they come "
            "from."
        )
    return KeptRows(rows)


def refuse_other_widths(known, layers):
    """Raise unless layers are as wide as they were before.

    Parameters
    ----------
    known : dict of str to int
    layers : dict of str to KeptRows
    """
    for name, layer in layers.items():
        width = layer.rows.shape[1]
        if known.get(name, width) != width:
            raise ValueError(
                f"Layer {name!r} is {width} wide in this batch and was {known[name]} "
                "before, as flattened layers of batches that are padded to their own "
                "length are. Reduce it by 'mean', or pad all batches to one length."
            )


@dataclass(frozen=True)
class _Raw:
    """Sums over rows of two layers about some point.

    a and b are sums of the rows, aa and bb of their squared lengths, ab of their
    products; abb and baa sums of rows times the others' squared lengths, and aabb of
    products of squared lengths.
    """

    n: int
    a: object
    b: object
    aa: float
    bb: float
    ab: object
    abb: object
    baa: object
    aabb: float

    def moved(self, s, t):
        """Sums of a + s and b + t."""
        n, ss, tt = self.n, float(s @ s), float(t @ t)
        sa, tb = float(s @ self.a), float(t @ self.b)
        ab_t = self.ab @ t
        ab_s = self.ab.T @ s
        return _Raw(
            n,
            self.a + n * s,
            self.b + n * t,
            self.aa + 2 * sa + n * ss,
            self.bb + 2 * tb + n * tt,
            self.ab + np.outer(self.a, t) + np.outer(s, self.b + n * t),
            self.abb + 2 * ab_t + tt * self.a + s * (self.bb + 2 * tb + n * tt),
            self.baa + 2 * ab_s + ss * self.b + t * (self.aa + 2 * sa + n * ss),
            self.aabb
            + 2 * float(t @ self.baa)
            + 2 * float(s @ self.abb)
            + 4 * float(s @ ab_t)
            + tt * (self.aa + 2 * sa)
            + ss * (self.bb + 2 * tb)
            + n * ss * tt,
        )


class _Block:
    """Sums of products of all layers of one side with all of another."""

    def __init__(self, widths_a, widths_b):
        shape = sum(widths_a), sum(widths_b)
        self.ab = np.zeros(shape)
        self.abb = np.zeros((shape[0], len(widths_b)))
        self.baa = np.zeros((shape[1], len(widths_a)))
        self.aabb = np.zeros((len(widths_a), len(widths_b)))

    def add(self, A, B, with_lengths):
        """Add rows and, if these are wanted, their lengths' products."""
        self.ab += A.rows.T @ B.rows
        if with_lengths:
            self.abb += A.rows.T @ B.lengths
            self.baa += B.rows.T @ A.lengths
            self.aabb += A.lengths.T @ B.lengths

    def arrays(self):
        return {name: getattr(self, name) for name in ("ab", "abb", "baa", "aabb")}


class _Rows:
    """Centred rows of all layers side by side, and their squared lengths by layer."""

    def __init__(self, layers, center, starts):
        self.rows = np.concatenate(layers, axis=1, dtype=np.float64) - center
        self.squares = self.rows * self.rows
        self.lengths = np.add.reduceat(self.squares, starts, axis=1)


class JointMoments(LayerAccumulator):
    """Moments of all layers of two models, merged over batches.

    Parameters
    ----------
    quartic : bool, default=False
        Whether products of squared lengths are wanted, too.
    columns : bool, default=False
        Whether sums of the third and fourth powers of each column are wanted, too.

    Attributes
    ----------
    names : tuple of two lists of str
    n_samples, n_batches : int
    """

    _kept = KeptRows
    n_batches = 0
    n_samples = 0
    n_waiting = 0

    def __init__(self, *, quartic=False, columns=False):
        super().__init__()
        self.quartic = quartic
        self.columns = columns
        self.is_one_set = False
        self._widths = ({}, {})

    def reduced(self, side, name, rows):
        """Copy of a layer's rows."""
        return kept_rows(name, rows)

    def update(self, reduced_a, reduced_b=None):
        """Add a batch; the same dictionary twice, or None, is one model by itself."""
        layers_a, layers_b, n_samples = self._both(reduced_a, reduced_b)
        both = (layers_a, layers_b)
        for widths, layers in zip(self._widths, both, strict=True):
            refuse_other_widths(widths, layers)
        if not self.n_batches:
            self._start(both, layers_a is layers_b)
        sides = [
            _Rows([layer.rows for layer in layers.values()], center, starts)
            for layers, center, starts in zip(
                both[: self._n_sides], self._centers, self._starts, strict=False
            )
        ]
        for side, rows in enumerate(sides):
            self._sums[side] += rows.rows.sum(axis=0)
            self._squares[side] += rows.squares.sum(axis=0)
            if self.columns:
                self._cubes[side] += np.einsum("ij,ij->j", rows.squares, rows.rows)
                self._fourths[side] += np.einsum("ij,ij->j", rows.squares, rows.squares)
        self._across.add(sides[0], sides[-1], self.quartic)
        if not self.is_one_set:
            self._add_own(sides)
        self.n_samples += n_samples
        self.n_batches += 1

    @property
    def _n_sides(self):
        return 1 if self.is_one_set else 2

    def _start(self, both, is_one_set):
        self.is_one_set = is_one_set
        self._shape(
            [
                {name: layer.rows.shape[1] for name, layer in layers.items()}
                for layers in both
            ]
        )
        self._centers = [
            np.concatenate(
                [layer.rows.mean(axis=0, dtype=np.float64) for layer in side.values()]
            )
            for side in both
        ]

    def _shape(self, widths):
        """Make room for layers of these widths."""
        self._widths = tuple(widths)
        wide = [list(side.values()) for side in widths]
        self._starts = [np.cumsum([0, *side])[:-1] for side in wide]
        self._sums = [np.zeros(sum(side)) for side in wide]
        self._squares = [np.zeros(sum(side)) for side in wide]
        if self.columns:
            self._cubes = [np.zeros(sum(side)) for side in wide]
            self._fourths = [np.zeros(sum(side)) for side in wide]
        self._across = _Block(*wide)
        self._own = []
        if not self.is_one_set:
            self._own = [[_Block([d], [d]) for d in side] for side in wide]

    def _add_own(self, sides):
        for rows, starts, blocks in zip(sides, self._starts, self._own, strict=True):
            for place, block in enumerate(blocks):
                start, width = starts[place], block.ab.shape[0]
                own = _Part(rows, slice(start, start + width), place)
                block.add(own, own, self.quartic)

    @property
    def widths(self):
        """Widths of the layers of both models."""
        return tuple(list(widths.values()) for widths in self._widths)

    @staticmethod
    def nbytes(widths_a, widths_b):
        """Bytes of the moments of layers of these widths."""
        squares = sum(d * d for side in (widths_a, widths_b) for d in side)
        return 8 * (sum(widths_a) * sum(widths_b) + squares)

    # ----- pairs ----------------------------------------------------------------------

    def pair(self, i, j):
        """Moments of layer i of one model and layer j of the other.

        Returns
        -------
        moments : sksim.arrays._moments.Moments
        """
        raw = self._raw_pair(i, j)
        x, y = self._side(0, i), self._side(1, j)
        own = self._own_products
        return Moments(x, y, own(0, i), own(1, j), self._products(raw))

    def alone(self, side, place):
        """Moments of a layer as both sides of a pair."""
        moments, own = self._side(side, place), self._own_products(side, place)
        return Moments(moments, moments, own, own, own)

    def _products(self, raw):
        central = raw.moved(-raw.a / raw.n, -raw.b / raw.n)
        if not self.quartic:
            return Products(central.ab)
        return Products(central.ab, central.abb, central.baa, central.aabb)

    def _slice(self, side, place):
        start = self._starts[side][place]
        return slice(start, start + list(self._widths[side].values())[place])

    def _side(self, side, place):
        """Mean and spread of a layer."""
        side = 0 if self.is_one_set else side
        part = self._slice(side, place)
        center, shift = self._centers[side][part], self._sums[side][part]
        shift = shift / self.n_samples
        mean = center + shift
        squares = self._squares[side][part] - self.n_samples * shift**2
        squares = np.maximum(squares, 0.0)
        powers = self._powers_about(-shift, side, part) if self.columns else ()
        return Side(
            self.n_samples,
            mean,
            shift - (mean - center),
            squares,
            float(squares.sum()),
            1.0,
            *powers,
        )

    def _powers_about(self, s, side, part):
        """Sums of third and fourth powers of some columns after a shift by s."""
        n, sums = self.n_samples, self._sums[side][part]
        squares, cubes = self._squares[side][part], self._cubes[side][part]
        return (
            cubes + 3 * s * squares + 3 * s**2 * sums + n * s**3,
            self._fourths[side][part]
            + 4 * s * cubes
            + 6 * s**2 * squares
            + 4 * s**3 * sums
            + n * s**4,
        )

    def _own_products(self, side, place):
        """Products of a layer with itself."""
        if self.is_one_set:
            return self._products(self._raw_pair(place, place))
        part, block = self._slice(side, place), self._own[side][place]
        a, aa = self._sums[side][part], float(self._squares[side][part].sum())
        ab, abb, aabb = block.ab, block.abb[:, 0], float(block.aabb[0, 0])
        return self._products(_Raw(self.n_samples, a, a, aa, aa, ab, abb, abb, aabb))

    def _raw_pair(self, i, j):
        second = 0 if self.is_one_set else 1
        x, y = self._slice(0, i), self._slice(second, j)
        block = self._across
        return _Raw(
            self.n_samples,
            self._sums[0][x],
            self._sums[second][y],
            float(self._squares[0][x].sum()),
            float(self._squares[second][y].sum()),
            block.ab[x, y],
            block.abb[x, j],
            block.baa[y, i],
            float(block.aabb[i, j]),
        )

    # ----- parts ----------------------------------------------------------------------

    def merge(self, other):
        """Add the rows of another part, with the same parameters, of the same layers.

        The other stays as it is.
        """
        self._refuse_other(other)
        for known, widths in zip(self._widths, other._widths, strict=True):
            if known and widths and known != widths:
                raise ValueError(
                    "These moments are of layers of other widths, and can't be merged: "
                    f"{known} here, {widths} there."
                )
        if not other.n_batches:
            return self
        if not self.n_batches:
            return self._take_state(other.state())
        shifts = [
            theirs - ours
            for theirs, ours in zip(other._centers, self._centers, strict=True)
        ]
        self._add_moved(other, shifts)
        self.n_samples += other.n_samples
        self.n_batches += other.n_batches
        return self

    def _add_moved(self, other, shifts):
        """Add sums of another part after they were moved to this part's centres."""
        n_samples = other.n_samples
        last = 0 if self.is_one_set else 1
        for i in range(len(self._widths[0])):
            for j in range(len(self._widths[1])):
                x, y = self._slice(0, i), self._slice(last, j)
                raw = other._raw_pair(i, j).moved(shifts[0][x], shifts[last][y])
                block = self._across
                block.ab[x, y] += raw.ab
                block.abb[x, j] += raw.abb
                block.baa[y, i] += raw.baa
                block.aabb[i, j] += raw.aabb
        for side, blocks in enumerate(self._own):
            for place, block in enumerate(blocks):
                part, theirs = self._slice(side, place), other._own[side][place]
                s, a = shifts[side][part], other._sums[side][part]
                aa = float(other._squares[side][part].sum())
                abb, aabb = theirs.abb[:, 0], float(theirs.aabb[0, 0])
                raw = _Raw(n_samples, a, a, aa, aa, theirs.ab, abb, abb, aabb)
                raw = raw.moved(s, s)
                block.ab += raw.ab
                block.abb[:, 0] += raw.abb
                block.baa[:, 0] += raw.baa
                block.aabb += raw.aabb
        for side in range(self._n_sides):
            s, a = shifts[side], other._sums[side]
            if self.columns:
                cubes, fourths = other._powers_about(s, side, slice(None))
                self._cubes[side] += cubes
                self._fourths[side] += fourths
            self._squares[side] += other._squares[side] + 2 * s * a + n_samples * s * s
            self._sums[side] += a + n_samples * s

    def _settings(self):
        return {"quartic": bool(self.quartic), "columns": bool(self.columns)}

    def state(self):
        """All that was accumulated, as a dictionary of arrays of numpy."""
        state = {
            **self._named_state(),
            "n_samples": np.array(self.n_samples),
            "n_batches": np.array(self.n_batches),
            "is_one_set": np.array(self.is_one_set),
        }
        if not self.n_batches:
            return state
        for side, letter in enumerate("ab"):
            state[f"widths_{letter}"] = np.array(list(self._widths[side].values()))
            state[f"center_{letter}"] = self._centers[side]
            state[f"sums_{letter}"] = self._sums[side]
            state[f"squares_{letter}"] = self._squares[side]
            if self.columns:
                state[f"cubes_{letter}"] = self._cubes[side]
                state[f"fourths_{letter}"] = self._fourths[side]
        for name, block in self._blocks().items():
            state.update({f"{name}_{k}": v for k, v in block.arrays().items()})
        return {name: np.array(value) for name, value in state.items()}

    def _blocks(self):
        own = {
            f"own_{letter}_{place}": block
            for letter, blocks in zip("ab", self._own, strict=False)
            for place, block in enumerate(blocks)
        }
        return {"across": self._across, **own}

    @classmethod
    def from_state(cls, state, **params):
        """Go on from a state that was made with the same parameters."""
        return cls(**params)._take_state(state)

    def _take_state(self, state):
        self._take_names(state)
        self.n_samples, self.n_batches = (
            int(state["n_samples"]),
            int(state["n_batches"]),
        )
        self.is_one_set = bool(state["is_one_set"])
        if not self.n_batches:
            return self
        self._shape(
            [
                dict(zip(names, map(int, state[f"widths_{letter}"]), strict=True))
                for letter, names in zip("ab", self.names, strict=True)
            ]
        )
        self._centers = [np.array(state[f"center_{letter}"]) for letter in "ab"]
        self._sums = [np.array(state[f"sums_{letter}"]) for letter in "ab"]
        self._squares = [np.array(state[f"squares_{letter}"]) for letter in "ab"]
        if self.columns:
            self._cubes = [np.array(state[f"cubes_{letter}"]) for letter in "ab"]
            self._fourths = [np.array(state[f"fourths_{letter}"]) for letter in "ab"]
        for name, block in self._blocks().items():
            for key in block.arrays():
                setattr(block, key, np.array(state[f"{name}_{key}"]))
        return self


class _Part:
    """One layer of rows that stand side by side."""

    def __init__(self, rows, part, place):
        self.rows = rows.rows[:, part]
        self.lengths = rows.lengths[:, place : place + 1]
