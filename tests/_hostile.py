"""Hostile input: arrays nobody should pass, and the rules for what may come of them."""

import linecache
import math
import sys
import tempfile
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import sklearn
from hypothesis import strategies as st
from scipy import sparse
from sklearn.exceptions import NotFittedError, UndefinedMetricWarning

import sksim

# ----- what may come of a call ------------------------------------------------

_OURS = tuple(
    str(Path(package.__file__).parent) for package in (sksim, sklearn)
)  # packages that may raise and warn
_PLAIN_ERRORS = (ValueError, TypeError, NotFittedError)


@dataclass(frozen=True)
class Refused:
    """A ValueError or TypeError that says what is wrong in our words."""

    message: str


class NotOurs(AssertionError):
    """An error or a warning that comes from inside another library."""


def outcome_of(call):
    """What a call returns, or `Refused`; anything else is an AssertionError.

    Returns
    -------
    outcome : object
    undefined : bool
        Whether an UndefinedMetricWarning was given.
    """
    seen = []

    def show(message, category, filename, lineno, file=None, line=None):
        seen.append((category, str(message), traceback.extract_stack()[:-2]))

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = show
        try:
            value = call()
        except Exception as error:
            _check_error(error)
            value = Refused(str(error))
    for category, message, stack in seen:
        by_hand = stack[-1].line.startswith("warnings.warn(")
        if not (by_hand and _is_ours(stack[-1].filename)):
            ours = [f for f in stack if _is_ours(f.filename)][-1]
            raise NotOurs(
                f"{category.__name__}: {message} ({ours.filename}:{ours.lineno})"
            )
    return value, any(issubclass(w[0], UndefinedMetricWarning) for w in seen)


def _is_ours(filename):
    return filename.startswith(_OURS)


def _check_error(error):
    """Raise unless the error was written by hand, here or in scikit-learn."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    line = linecache.getline(last.filename, last.lineno).strip()
    known = type(error) in _PLAIN_ERRORS or _is_ours(
        getattr(sys.modules[type(error).__module__], "__file__", "") or ""
    )
    by_hand = _is_ours(last.filename) and line.startswith("raise")
    if not (known and isinstance(error, ValueError | TypeError) and by_hand):
        raise NotOurs(
            f"{type(error).__name__}: {error} ({last.filename}:{last.lineno})"
        ) from error
    if len(str(error)) < 15:
        raise NotOurs(f"a message that does not help: {error!r}") from error


def check_number(value, bounds, *, finite, undefined):
    """Raise unless a number is one that the tags document."""
    if isinstance(value, Refused):
        return
    assert isinstance(value, float), f"{value!r} is no float"
    if math.isnan(value):
        assert undefined, "nan without an UndefinedMetricWarning"
        return
    if finite:
        assert math.isfinite(value), f"{value} is not finite"
    low, high = bounds
    assert low <= value <= high, f"{value} is not in [{low}, {high}]"


# ----- matrices ---------------------------------------------------------------

N_ROWS = (0, 1, 2, 3, 4, 5, 7, 11, 12, 20, 23, 30, 30, 30, 45)
N_COLUMNS = (0, 1, 1, 2, 3, 5, 5, 8, 24, 50)
SCALES = (1.0,) * 12 + (
    *(1e-300, 1e-160, 1e-100, 1e-30, 1e-8, 1e8, 1e30, 1e100, 1e153, 1e155, 1e300),
    *(2.0**-1060, 2.0**1020),
)


def _constant(rng, n, d):
    return np.full((n, d), rng.choice([0.1, 7.0, -3.0, 1e9]))


def _duplicated_rows(rng, n, d):
    return rng.normal(size=(max(1, n // 3), d))[rng.integers(0, max(1, n // 3), n)]


def _few_duplicated_rows(rng, n, d):
    values = rng.normal(size=(n, d))
    if n > 2:
        values[1] = values[0]
    return values


def _duplicated_columns(rng, n, d):
    return rng.normal(size=(n, max(1, d // 3)))[:, rng.integers(0, max(1, d // 3), d)]


def _collinear(rng, n, d):
    rank = rng.integers(1, 3)
    return rng.normal(size=(n, rank)) @ rng.normal(size=(rank, d))


def _constant_columns(rng, n, d):
    values = rng.normal(size=(n, d))
    values[:, ::2] = rng.normal(size=values[:, ::2].shape[1])
    return values


def _zero_rows(rng, n, d):
    values = rng.normal(size=(n, d))
    values[::3] = 0
    return values


def _dead_units(rng, n, d):
    return np.maximum(rng.normal(size=(n, d)) - 1.5, 0)


def _one_hot(rng, n, d):
    return np.eye(max(d, 1))[rng.integers(0, max(d, 1), n)][:, :d]


def _single_entry(rng, n, d):
    values = np.zeros((n, d))
    values[: min(n, 1), : min(d, 1)] = 1
    return values


def _almost_constant(rng, n, d):
    return 1 + 1e-16 * rng.integers(0, 9, (n, d))


def _far_away(rng, n, d):
    return rng.normal(size=(n, d)) + rng.choice([1e4, -1e8, 1e14])


def _mixed_columns(rng, n, d):
    exponents = rng.choice([-300, -150, -20, -3, 0, 3, 20, 150, 300], d)
    return rng.normal(size=(n, d)) * 10.0**exponents


def _mixed_rows(rng, n, d):
    exponents = rng.choice([-300, -150, -20, -3, 0, 3, 20, 150, 300], (n, 1))
    return rng.normal(size=(n, d)) * 10.0**exponents


def _heavy_tails(rng, n, d):
    return rng.standard_cauchy(size=(n, d)) ** 3


def _graded(rng, n, d):
    return rng.normal(size=(n, d)) * np.logspace(0, -rng.integers(1, 18), d)


def _two_points(rng, n, d):
    return np.tile(rng.normal(size=(1, d)), (n, 1)) * rng.choice([-1, 1], (n, 1))


STRUCTURES = {
    "normal": lambda rng, n, d: rng.normal(size=(n, d)),
    "shifted": lambda rng, n, d: rng.normal(size=(n, d)) + 3,
    "positive": lambda rng, n, d: rng.random((n, d)),
    "small integers": lambda rng, n, d: rng.integers(-1, 2, (n, d)).astype(float),
    "zeros": lambda rng, n, d: np.zeros((n, d)),
    "equal steps": lambda rng, n, d: np.arange(float(n * d)).reshape(n, d),
    "constant": _constant,
    "duplicated rows": _duplicated_rows,
    "few duplicated rows": _few_duplicated_rows,
    "duplicated columns": _duplicated_columns,
    "collinear": _collinear,
    "constant columns": _constant_columns,
    "zero rows": _zero_rows,
    "dead units": _dead_units,
    "one-hot": _one_hot,
    "single entry": _single_entry,
    "almost constant": _almost_constant,
    "far away": _far_away,
    "mixed columns": _mixed_columns,
    "mixed rows": _mixed_rows,
    "heavy tails": _heavy_tails,
    "graded": _graded,
    "two points": _two_points,
}
POISONS = (None,) * 12 + (np.nan, np.inf, -np.inf, -0.0, 5e-324, 1.7e308)


@dataclass(frozen=True)
class MatrixRecipe:
    """How a matrix is made: small numbers and words, which hypothesis can simplify."""

    n_rows: int
    n_columns: int
    structure: str
    scale: float
    poison: float | None
    seed: int

    def make(self, n_rows=None):
        """The matrix, in double precision, with a number of rows of its own."""
        rng = np.random.default_rng(self.seed)
        n = self.n_rows if n_rows is None else n_rows
        with np.errstate(all="ignore"):
            values = STRUCTURES[self.structure](rng, n, self.n_columns) * self.scale
        # the poison is to be asked for, not a product of the scale
        values = np.nan_to_num(values, nan=0.0, posinf=1.7e308, neginf=-1.7e308)
        if self.poison is not None and values.size:
            values.flat[rng.integers(values.size)] = self.poison
        return values


matrix_recipes = st.builds(
    MatrixRecipe,
    n_rows=st.sampled_from(N_ROWS),
    n_columns=st.sampled_from(N_COLUMNS),
    structure=st.sampled_from(("normal",) * 6 + tuple(STRUCTURES)),
    scale=st.sampled_from(SCALES),
    poison=st.sampled_from(POISONS),
    seed=st.integers(0, 2**32 - 1),
)


# ----- containers: the same numbers, as something else ------------------------


def _memory_mapped(array):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "array.npy"
        np.save(path, array)
        return np.load(path, mmap_mode="r")


def _padded(array):
    wide = np.full((2 * array.shape[0], 3 * array.shape[1]), np.nan)
    wide[::2, ::3] = array
    return wide[::2, ::3]


def _read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def _frame(array):
    return pd.DataFrame(array, columns=[f"f{i}" for i in range(array.shape[1])])


def _polars(array):
    return pl.DataFrame({f"f{i}": column for i, column in enumerate(array.T)})


def _mixed_frame(array):
    frame = _frame(array)
    frame["word"] = "a"
    return frame


def _frame_of_kinds(array):
    """Columns of several numeric types, as files give them."""
    frame = _frame(array)
    for i, name in enumerate(frame.columns):
        if i % 3 == 1:
            frame[name] = frame[name].astype("Float64")
        if i % 3 == 2:
            frame[name] = frame[name].astype(np.float32)
    return frame


def _frame_with_gaps(array):
    frame = _frame(array).astype("Float64")
    if frame.size:
        frame.iloc[0, 0] = pd.NA
    return frame


def _categories(array):
    return _frame(array).astype("category")


def _structured(array):
    dtype = [(f"f{i}", float) for i in range(array.shape[1])]
    return np.array([tuple(row) for row in array], dtype=dtype)


def _object_with(value):
    def make(array):
        array = array.astype(object)
        if array.size:
            array.flat[0] = value
        return array

    return make


def _ragged(array):
    return [row[: 1 + i % 2] for i, row in enumerate(array.tolist())]


def _nested_strings(array):
    return [[str(value) for value in row] for row in array]


def _cast(dtype):
    def make(array):
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return array.astype(dtype)

    return make


# numbers that are the same as in the plain array, so the result must be so as well
SAME = {
    "plain": np.array,
    "column-major": np.asfortranarray,
    "strided": _padded,
    "reversed": lambda array: array[::-1, ::-1].copy()[::-1, ::-1],
    "read-only": _read_only,
    "memory-mapped": _memory_mapped,
    "big-endian": lambda array: array.astype(">f8"),
    "object": lambda array: array.astype(object),
    "unmasked": np.ma.array,
    "frame": _frame,
    "polars": _polars,
    "list": lambda array: array.tolist(),
    "tuple": lambda array: tuple(map(tuple, array.tolist())),
    "list of rows": list,
    "longdouble": _cast(np.longdouble),
}
OTHER = {
    "broadcast": lambda array: np.broadcast_to(array[:1], array.shape),
    "one column many times": lambda array: np.broadcast_to(array[:, :1], array.shape),
    "bool": _cast(bool),
    "int8": _cast(np.int8),
    "int64": _cast(np.int64),
    "uint64": _cast(np.uint64),
    "float16": _cast(np.float16),
    "float32": _cast(np.float32),
    "float32 big-endian": _cast(">f4"),
    "complex": _cast(complex),
    "clongdouble": _cast(np.clongdouble),
    "text": _cast(str),
    "bytes": _cast("S8"),
    "datetime": _cast("datetime64[s]"),
    "timedelta": _cast("timedelta64[s]"),
    "structured": _structured,
    "object with None": _object_with(None),
    "object with text": _object_with("a"),
    "object with numeric text": _object_with("1.5"),
    "object with list": _object_with([1.0]),
    "object with complex": _object_with(1j),
    "object with huge int": _object_with(10**400),
    "object with dict": _object_with({}),
    "masked": lambda array: np.ma.masked_where(array > 0, array),
    "all masked": lambda array: np.ma.masked_all(array.shape),
    "matrix": np.asmatrix,
    "mixed frame": _mixed_frame,
    "frame of kinds": _frame_of_kinds,
    "frame with gaps": _frame_with_gaps,
    "categories": _categories,
    "series": lambda array: pd.Series(array[:, 0] if array.shape[1] else []),
    "dates frame": lambda array: _frame(array).assign(day=pd.Timestamp("2020-01-01")),
    "polars of text": lambda array: pl.DataFrame({"a": ["x"] * len(array)}),
    "csr matrix": sparse.csr_matrix,
    "csr array": sparse.csr_array,
    "coo array": sparse.coo_array,
    "ragged": _ragged,
    "strings in lists": _nested_strings,
    "None": lambda array: None,
    "scalar": lambda array: 3.0,
    "text scalar": lambda array: "abc",
    "0-d": lambda array: np.array(1.0),
    "1-d": lambda array: array[:, 0] if array.shape[1] else array.ravel(),
    "3-d": lambda array: array[:, :, None],
    "lists 3-d": lambda array: array[:, :, None].tolist(),
    "4-d": lambda array: array[None, None],
    "dict": lambda array: {"a": array},
    "set": lambda array: {1.0, 2.0},
    "iterator": lambda array: iter(array.tolist()),
    "empty list": lambda array: [],
    "list of empty": lambda array: [[] for _ in array],
    "class": lambda array: np.ndarray,
    "function": lambda array: np.mean,
}
CONTAINERS = SAME | OTHER


def contained(array, container):
    """The array in a container."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of np.matrix, which nobody should use
        return CONTAINERS[container](array)


def fingerprint(value):
    """Bytes of all that a value holds, to see whether anything changed."""
    if isinstance(value, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(value)
        return value.filled(0).tobytes() + mask.tobytes()
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            return repr(value.tolist()).encode()
        base = value.base if isinstance(value.base, np.ndarray) else value
        return value.tobytes() + base.tobytes()
    if sparse.issparse(value):
        return value.toarray().tobytes()
    if isinstance(value, pl.DataFrame):
        return repr((value.rows(), value.schema)).encode()
    if isinstance(value, pd.DataFrame | pd.Series | pl.Series):
        return (
            repr(value.to_numpy().tolist()).encode()
            + str(getattr(value, "dtypes", "")).encode()
        )
    if isinstance(value, list | tuple | dict):
        return repr(value).encode()
    return b""


# ----- pairs ------------------------------------------------------------------


@dataclass(frozen=True)
class PairRecipe:
    """Two matrices, how they are related, and what they are passed as."""

    x: MatrixRecipe
    y: MatrixRecipe
    relation: str
    container_x: str
    container_y: str

    @property
    def is_free_of_ties(self):
        """Whether no two distances or angles are equal."""
        return all(
            matrix.structure in ("normal", "shifted", "positive")
            and matrix.n_columns > 2
            and matrix.poison is None
            for matrix in (self.x, self.y)
        )

    def matrices(self):
        """Both as plain arrays."""
        X, y = self.x.make(), self.y.make(self.x.n_rows)
        if self.relation == "other length":
            y = self.y.make()
        if self.relation == "equal":
            y = X.copy()
        if self.relation == "mapped" and X.size and np.all(np.isfinite(X)):
            mixing = np.random.default_rng(0).normal(size=(X.shape[1], y.shape[1]))
            with np.errstate(all="ignore"):
                y = np.nan_to_num(X / np.max(np.abs(X) + 1e-300) @ mixing)
        if self.relation == "negative":
            y = -X
        return X, y


pair_recipes = st.builds(
    PairRecipe,
    x=matrix_recipes,
    y=matrix_recipes,
    relation=st.sampled_from(
        ("unrelated",) * 6 + ("equal", "mapped", "negative", "other length")
    ),
    container_x=st.sampled_from(("plain",) * 60 + tuple(CONTAINERS)),
    container_y=st.sampled_from(("plain",) * 60 + tuple(CONTAINERS)),
)


# ----- labels -----------------------------------------------------------------


def named(labels):
    """Labels as text."""
    return np.array([f"class {i}" for i in labels.tolist()])


def _labels_with(value):
    def make(labels):
        labels = labels.astype(object)
        labels[:1] = value
        return labels

    return make


LABELS = {
    "int": lambda labels: labels,
    "text": lambda labels: named(labels).astype(str),
    "bytes": lambda labels: named(labels).astype("S"),
    "object text": lambda labels: named(labels).astype(object),
    "object int": lambda labels: labels.astype(object),
    "bool": lambda labels: labels % 2 == 0,
    "float": lambda labels: labels.astype(float),
    "float32": lambda labels: labels.astype(np.float32),
    "fractions": lambda labels: labels + 0.5,
    "negative": lambda labels: -labels - 1,
    "huge": lambda labels: labels + 2**62,
    "uint64": lambda labels: labels.astype(np.uint64) + np.uint64(2**63),
    "int8": lambda labels: labels.astype(np.int8),
    "big-endian": lambda labels: labels.astype(">i4"),
    "huge float": lambda labels: labels * 1e300,
    "list": lambda labels: labels.tolist(),
    "list of text": lambda labels: named(labels).tolist(),
    "tuple": lambda labels: tuple(labels.tolist()),
    "column": lambda labels: labels[:, None],
    "list of lists": lambda labels: labels[:, None].tolist(),
    "series": lambda labels: pd.Series(labels),
    "text series": lambda labels: pd.Series(named(labels)),
    "categories": lambda labels: pd.Series(named(labels)).astype("category"),
    "nullable": lambda labels: pd.Series(labels).astype("Int64"),
    "frame": lambda labels: pd.DataFrame({"label": labels}),
    "polars": lambda labels: pl.Series(labels),
    "polars text": lambda labels: pl.Series(named(labels).tolist(), dtype=pl.String),
    "strided": lambda labels: np.repeat(labels, 2)[::2],
    "reversed": lambda labels: labels[::-1].copy()[::-1],
    "read-only": _read_only,
    "unmasked": np.ma.array,
    "masked": lambda labels: np.ma.masked_where(labels > 0, labels),
    "with None": _labels_with(None),
    "with nan": _labels_with(float("nan")),
    "with text": _labels_with("a"),
    "with list": lambda labels: [[0], *labels.tolist()[1:]],
    "with gap": lambda labels: pd.Series(labels).astype("Int64").shift(),
    "nan": lambda labels: np.where(labels == 0, np.nan, labels),
    "inf": lambda labels: np.where(labels == 0, np.inf, labels),
    "complex": lambda labels: labels + 1j,
    "dates": lambda labels: labels.astype("datetime64[D]"),
    "structured": lambda labels: labels.astype([("label", int)]),
    "one-hot": lambda labels: np.eye(int(labels.max(initial=0)) + 1)[labels],
    "3-d": lambda labels: labels[:, None, None],
    "sparse": lambda labels: sparse.csr_array(labels[:, None]),
    "ragged": lambda labels: [list(range(1 + i % 2)) for i in labels],
    "None": lambda labels: None,
    "scalar": lambda labels: 1,
    "text scalar": lambda labels: "abc",
    "dict": lambda labels: dict(enumerate(labels.tolist())),
    "set": lambda labels: set(labels.tolist()),
    "empty": lambda labels: [],
    "longer": lambda labels: np.append(labels, 0),
}
_ORDINARY_LABELS = ("int",) * 50 + ("text",) * 10 + ("object text",) * 5


@dataclass(frozen=True)
class LabelsRecipe:
    """Predictions of some models and the true labels, each in a form of its own."""

    n_rows: int
    n_classes: int
    agreement: float
    kinds: tuple
    alike: bool
    seed: int

    def make(self, n_models):
        """Predictions of ``n_models`` models, and the true labels."""
        rng = np.random.default_rng(self.seed)
        truth = rng.integers(0, self.n_classes, self.n_rows)
        vectors = []
        for _ in range(n_models):
            other = rng.integers(0, self.n_classes, self.n_rows)
            vectors.append(
                np.where(rng.random(self.n_rows) < self.agreement, truth, other)
            )
        kinds = self.kinds[:1] * 3 if self.alike else self.kinds
        *made, y_true = (
            LABELS[kinds[min(i, 2)]](labels)
            for i, labels in enumerate([*vectors, truth])
        )
        return made, y_true

    def group(self, n_models):
        """The predictions as one array, and the true labels."""
        vectors, y_true = LabelsRecipe.make(self, n_models)
        try:
            group = np.stack([np.asarray(v) for v in vectors], axis=1)
        except (ValueError, TypeError):
            group = [list(row) if hasattr(row, "__iter__") else row for row in vectors]
        return group, y_true


label_recipes = st.builds(
    LabelsRecipe,
    n_rows=st.sampled_from((0, 1, 2, 3, 5, 10, 30, 30)),
    n_classes=st.sampled_from((1, 2, 2, 3, 3, 10)),
    agreement=st.sampled_from((0.0, 0.3, 0.7, 0.7, 0.95, 1.0)),
    kinds=st.tuples(*3 * [st.sampled_from(_ORDINARY_LABELS + tuple(LABELS))]),
    alike=st.sampled_from((True, True, False)),
    seed=st.integers(0, 2**32 - 1),
)


# ----- probabilities ----------------------------------------------------------


def _softmax(scores):
    scores = np.exp(scores - scores.max(axis=1, keepdims=True, initial=-np.inf))
    return scores / scores.sum(axis=1, keepdims=True)


PROBABILITIES = {
    "softmax": lambda rng, n, c: _softmax(rng.normal(size=(n, c))),
    "sharp": lambda rng, n, c: _softmax(30 * rng.normal(size=(n, c))),
    "sharpest": lambda rng, n, c: _softmax(800 * rng.normal(size=(n, c))),
    "one-hot": lambda rng, n, c: np.eye(max(c, 1))[rng.integers(0, max(c, 1), n)][
        :, :c
    ],
    "uniform": lambda rng, n, c: np.full((n, c), 1 / max(c, 1)),
    "equal rows": lambda rng, n, c: np.repeat(_softmax(rng.normal(size=(1, c))), n, 0),
    "single precision": lambda rng, n, c: _softmax(
        rng.normal(size=(n, c)).astype(np.float32)
    ),
    "zeros": lambda rng, n, c: np.zeros((n, c)),
    "logits": lambda rng, n, c: rng.normal(size=(n, c)),
    "nearly": lambda rng, n, c: _softmax(rng.normal(size=(n, c))) * (1 + 3e-6),
    "not quite": lambda rng, n, c: _softmax(rng.normal(size=(n, c))) * 1.01,
    "negative": lambda rng, n, c: (
        _softmax(rng.normal(size=(n, c))) + np.resize([-0.5, 0.5], c)
    ),
    "negative zero": lambda rng, n, c: np.where(
        np.eye(max(c, 1))[rng.integers(0, max(c, 1), n)][:, :c] > 0, 1, -0.0
    ),
    "tiny": lambda rng, n, c: np.where(np.arange(c) > 0, 5e-324, 1.0) * np.ones((n, 1)),
    "huge": lambda rng, n, c: rng.random((n, c)) * 1e308,
    "integers": lambda rng, n, c: np.eye(max(c, 1), dtype=int)[
        rng.integers(0, max(c, 1), n)
    ][:, :c],
}


@dataclass(frozen=True)
class ProbabilitiesRecipe:
    """Class probabilities of some models, and true labels."""

    n_rows: int
    n_classes: int
    kinds: tuple
    containers: tuple
    poison: float | None
    truth: str
    seed: int

    def arrays(self, n_models):
        """Probabilities of ``n_models`` models as plain arrays."""
        rng = np.random.default_rng(self.seed)
        with np.errstate(all="ignore"):
            made = [
                PROBABILITIES[self.kinds[min(i, 1)]](rng, self.n_rows, self.n_classes)
                for i in range(n_models)
            ]
        if self.poison is not None and made and made[0].size:
            made[0] = made[0].astype(float)
            made[0].flat[rng.integers(made[0].size)] = self.poison
        return made

    def labels(self):
        """True labels: column numbers, or what is none."""
        rng = np.random.default_rng(self.seed + 1)
        return LABELS[self.truth](rng.integers(0, max(1, self.n_classes), self.n_rows))


probability_recipes = st.builds(
    ProbabilitiesRecipe,
    n_rows=st.sampled_from((0, 1, 2, 3, 5, 10, 30, 30)),
    n_classes=st.sampled_from((0, 1, 2, 2, 3, 3, 10)),
    kinds=st.tuples(*2 * [st.sampled_from(("softmax",) * 10 + tuple(PROBABILITIES))]),
    containers=st.tuples(*2 * [st.sampled_from(("plain",) * 80 + tuple(CONTAINERS))]),
    poison=st.sampled_from((None,) * 20 + (np.nan, np.inf, -1.0, 2.0, 1e-320)),
    truth=st.sampled_from(("int",) * 60 + tuple(LABELS)),
    seed=st.integers(0, 2**31),
)
