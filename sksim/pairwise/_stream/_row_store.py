"""Rows of all layers of two models, in memory or in files that memory maps read."""

import json
from pathlib import Path

import numpy as np

from sksim.arrays._accumulator import LayerAccumulator
from sksim.arrays._joint_moments import KeptRows, kept_rows, refuse_other_widths

_INDEX = "layers.json"


class RowStore(LayerAccumulator):
    """Rows of all batches, for measures that need them all.

    Parameters
    ----------
    directory : path-like or None
        Where rows are written, one file of numpy for each layer; None keeps them in
        memory.
    max_memory : float, default=inf
        Bytes that rows in memory may take.
    n_expected : int, default=0
        Rows that are to come, as far as that is known, so that too many are refused
        before all have passed.

    Attributes
    ----------
    names : tuple of two lists of str
    n_samples, n_batches : int
    """

    _kept = KeptRows
    n_waiting = 0

    def __init__(self, directory=None, *, max_memory=np.inf, n_expected=0):
        super().__init__()
        self.directory = None if directory is None else Path(directory)
        self.max_memory = max_memory
        self.n_expected = n_expected
        self.is_one_set = False
        self._counts = []
        self._widths = ({}, {})
        self._parts = ({}, {})
        self._files = ({}, {})

    @property
    def n_batches(self):
        """Number of batches."""
        return len(self._counts)

    @property
    def n_samples(self):
        """Number of rows."""
        return sum(self._counts)

    def reduced(self, side, name, rows):
        """Copy of a layer's rows."""
        return kept_rows(name, rows)

    def update(self, reduced_a, reduced_b=None):
        """Add a batch; the same dictionary twice, or None, is one model by itself."""
        *both, n_samples = self._both(reduced_a, reduced_b)
        self.is_one_set = both[0] is both[1]
        self._add([both[0]] if self.is_one_set else both, [n_samples])

    def _add(self, sides, counts):
        for widths, layers in zip(self._widths, sides, strict=False):
            refuse_other_widths(widths, layers)
            widths.update({name: v.rows.shape[1] for name, v in layers.items()})
        self._refuse_too_large(sides, sum(counts))
        for side, layers in enumerate(sides):
            for name, layer in layers.items():
                if self.directory is None:
                    self._in_memory(side, name, layer.rows.dtype).append(layer.rows)
                else:
                    self._file(side, name, layer.rows.dtype).append(layer.rows)
        self._counts += counts

    # ----- memory ---------------------------------------------------------------------

    @property
    def nbytes(self):
        """Bytes of the rows in memory."""
        return sum(rows.nbytes for side in self._parts for rows in side.values())

    @property
    def widths(self):
        """Widths of the layers of both models."""
        last = 0 if self.is_one_set else 1
        return list(self._widths[0].values()), list(self._widths[last].values())

    def _refuse_too_large(self, sides, n_samples):
        if self.directory is not None:
            return
        new = sum(v.rows.nbytes for layers in sides for v in layers.values())
        n_rows = max(self.n_expected, self.n_samples + n_samples)
        needed = max(self.nbytes + new, n_rows * new / max(n_samples, 1))
        if needed > self.max_memory:
            raise ValueError(
                f"{n_rows} rows of {sum(map(len, self.widths))} layers take "
                f"{needed / 1e9:.2g} GB, more than max_memory, {self.max_memory:.2g} "
                "bytes. Pass keep='some/directory', where they are written and read "
                "as memory maps, or reduce the layers (reduce='mean'); MinibatchCKA "
                "keeps no rows at all."
            )

    def _in_memory(self, side, name, dtype, width=None):
        """Rows of a layer in memory."""
        known = self._parts[side]
        if name not in known:
            width = self._widths[side][name] if width is None else width
            known[name] = _MemoryRows(dtype, width, self.n_expected)
        return known[name]

    # ----- files ----------------------------------------------------------------------

    def _file(self, side, name, dtype):
        """File of a layer; the first one makes the directory."""
        files = self._files[side]
        if name not in files:
            if not any(self._files):
                self._make_directory()
            path = self.directory / f"{'ab'[side]}_{len(files):03d}.npy"
            files[name] = _RowFile(path, dtype, self._widths[side][name])
            index = [
                {layer: file.path.name for layer, file in side.items()}
                for side in self._files
            ]
            (self.directory / _INDEX).write_text(
                json.dumps(dict(zip("ab", index, strict=True)), indent=1),
                encoding="utf-8",
            )
        return files[name]

    def _make_directory(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        if any(self.directory.iterdir()):
            raise ValueError(
                f"The directory {str(self.directory)!r}, which rows are to be written "
                "to, is not empty. Pass another, or one that does not exist yet."
            )

    def layers(self):
        """Layers of both sides by name; the second is None for one model by itself.

        In files they are memory maps.
        """
        sides = []
        for side in range(1 if self.is_one_set else 2):
            if self.directory is not None:
                sides.append({n: file.rows() for n, file in self._files[side].items()})
                continue
            sides.append({n: rows.rows() for n, rows in self._parts[side].items()})
        return (*sides, None)[:2]

    def batches(self):
        """Batches as they came, from memory, with what `update` takes."""
        sides = [side for side in self.layers() if side is not None]
        stops = np.cumsum(self._counts)
        for start, stop in zip([0, *stops], stops, strict=False):
            cut = [
                {name: KeptRows(rows[start:stop]) for name, rows in side.items()}
                for side in sides
            ]
            yield (*cut, None)[:2]

    # ----- parts ----------------------------------------------------------------------

    def merge(self, other):
        """Add the rows of another part of the same layers, after those that are here.

        The other stays as it is.
        """
        self._refuse_other(other)
        if not other.n_batches:
            return self
        self.names, self.is_one_set = other.names, other.is_one_set
        sides = [
            {name: KeptRows(np.asarray(rows)) for name, rows in side.items()}
            for side in other.layers()
            if side is not None
        ]
        self._add(sides, other._counts)
        return self

    def _settings(self):
        return {}

    def state(self):
        """All that was accumulated, as arrays; of files only how much is in them."""
        state = {
            **self._named_state(),
            "counts": np.array(self._counts, dtype=np.int64),
            "is_one_set": np.array(self.is_one_set),
        }
        if self.directory is not None:
            for letter, files in zip("ab", self._files, strict=True):
                state[f"widths_{letter}"] = np.array([f.width for f in files.values()])
                state[f"dtypes_{letter}"] = np.array(
                    [str(f.dtype) for f in files.values()], dtype=np.str_
                )
            return state
        for letter, side in zip("ab", self.layers(), strict=True):
            for place, rows in enumerate((side or {}).values()):
                state[f"rows_{letter}_{place}"] = rows
        return state

    @classmethod
    def from_state(cls, state, **params):
        """Go on from a state; rows of files that came after it are cut off."""
        store = cls(**params)
        store._take_names(state)
        store._counts = state["counts"].tolist()
        store.is_one_set = bool(state["is_one_set"])
        for side, letter in enumerate("ab"):
            if side and store.is_one_set:
                break
            for place, name in enumerate(store.names[side]):
                if store.directory is None:
                    rows = state[f"rows_{letter}_{place}"]
                    store._in_memory(side, name, rows.dtype, rows.shape[1]).append(rows)
                    store._widths[side][name] = rows.shape[1]
                    continue
                width = int(state[f"widths_{letter}"][place])
                dtype = np.dtype(str(state[f"dtypes_{letter}"][place]))
                path = store.directory / f"{letter}_{place:03d}.npy"
                file = _RowFile(path, dtype, width, n_rows=store.n_samples)
                store._widths[side][name] = width
                store._files[side][name] = file
        return store


class _MemoryRows:
    """Rows in memory, in one array as far as their number was known.

    Arrays of many batches would lie between what the networks allocate and free, and
    keep that from being used again: of 1000 rows of two BERTs, which take 57 MB, they
    raised the peak by 300 MB, and one array raises it by 95.
    """

    def __init__(self, dtype, width, n_expected):
        self._whole = np.empty((n_expected, width), dtype=dtype)
        self._n_whole = 0
        self._more = []

    @property
    def nbytes(self):
        """Bytes of the rows that have come."""
        of_row = self._whole.itemsize * self._whole.shape[1]
        return self._n_whole * of_row + sum(rows.nbytes for rows in self._more)

    def append(self, rows):
        """Add rows after those that are here."""
        stop = self._n_whole + len(rows)
        if self._more or stop > len(self._whole) or rows.dtype != self._whole.dtype:
            self._more.append(rows)
            return
        self._whole[self._n_whole : stop] = rows
        self._n_whole = stop

    def rows(self):
        """All rows in one array."""
        if self._more:
            parts = [self._whole[: self._n_whole], *self._more]
            self._whole, self._more = np.concatenate(parts), []
            self._n_whole = len(self._whole)
        return self._whole[: self._n_whole]


class _RowFile:
    """A file of numpy that grows by rows.

    The header has room for any number of rows, and is written anew with each batch.
    """

    def __init__(self, path, dtype, width, n_rows=0):
        self.path, self.dtype, self.width = path, np.dtype(dtype), width
        self.n_rows = n_rows
        if n_rows:
            self._cut()
        else:
            with open(path, "xb") as file:
                self._write_header(file)

    def _write_header(self, file):
        file.seek(0)
        header = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (self.n_rows, self.width),
        }
        np.lib.format.write_array_header_1_0(file, header)
        return file.tell()

    def _cut(self):
        """Leave out rows that came after the state."""
        if not self.path.exists():
            raise ValueError(
                f"{self.path} is not there: the rows that the checkpoint goes on from "
                "were moved or deleted. Delete the checkpoint, too, to begin anew."
            )
        with open(self.path, "r+b") as file:
            start = self._write_header(file)
            end = start + self.n_rows * self.width * self.dtype.itemsize
            if file.seek(0, 2) < end:
                raise ValueError(
                    f"{self.path} has fewer rows than the checkpoint says. Delete both "
                    "to begin anew."
                )
            file.truncate(end)

    def append(self, rows):
        """Write rows at the end."""
        rows = np.ascontiguousarray(rows, dtype=self.dtype)
        with open(self.path, "r+b") as file:
            file.seek(0, 2)
            file.write(rows.data.cast("B") if rows.size else b"")
            self.n_rows += len(rows)
            self._write_header(file)

    def rows(self):
        """All rows, as a memory map that can't be written to."""
        return np.load(self.path, mmap_mode="r")
