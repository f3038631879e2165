"""What is kept of the layers of two models while the data pass by."""

import json
import os
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.base import clone

from sksim.arrays._joint_moments import JointMoments
from sksim.arrays._moments import without_rounding
from sksim.arrays._namespace import namespace_of
from sksim.arrays._sketches import SketchedRows
from sksim.base import MomentMixin
from sksim.base._comparison import MomentComparison
from sksim.base._layers import named_errors, open_layers
from sksim.base._readable import is_text
from sksim.base._tags import tags_of
from sksim.base._validation import rounding_of, row_metadata
from sksim.inference._cells import cells_of, null_of_layers
from sksim.pairwise._matrix import statistics_of
from sksim.pairwise._stream._row_store import RowStore

WORDS = ("auto", "grams", "moments", "rows")
# The unbiased estimator of HSIC divides by n - 3.
_FEWEST_OF_GRAMS = 4
# Orders of fewer rows have no third moment.
_FEWEST_OF_ORDERS = 3
# Neighbours and distances of sketches come out too low: the Jaccard index of ten
# neighbours by .06 at 256 columns, by .01 at 1024, of .645.
_FEWEST_COLUMNS = 1024


_OF_TOKENS = (
    "Tokens of one input depend on each other, and are no independent rows: "
    "reduce='mean'."
)
_OF_SKETCHES = (
    "The noise of sketches adds to that of the rows: keep='rows', or MinibatchCKA."
)
_WAY_OUT = "keep='rows' with n_permutations=999 draws orders of the rows."
_OF_MOMENTS = (
    "Second moments do not say how much {} varies between rows: keep='rows', or a "
    "directory."
)
_OF_OUTPUTS = (
    "Sums over outputs are kept: compare, with the same models, has intervals and "
    "p-values."
)


class OutputsKept:
    """Outputs of two models, and how a measure of outputs is computed from them.

    Parameters
    ----------
    measure : BaseSimilarity
    """

    kind = "outputs"
    fewest_rows = 1
    needs_random_batches = False

    def __init__(self, measure):
        self.measure = measure
        self.accumulator = None

    def expect(self, n_samples):
        """Outputs are few, however many rows are to come."""

    def update(self, models, rows, y_true):
        """Add the outputs to a batch of models that know them."""
        outputs = self.measure._outputs_of(models, rows, None)
        x, y = outputs.arrays
        if self.accumulator is None:
            self.accumulator = _sums_of_outputs()(self.measure, classes=outputs.classes)
        uses_labels = "y_true" in tags_of(self.measure).view_keywords
        self.accumulator.update(
            {"output": x}, {"output": y}, y_true=y_true if uses_labels else None
        )

    def merge(self, other):
        """Add what another part has kept; it stays as it is."""
        if self.accumulator is None:
            self.resume(other.state(), None)
        elif other.accumulator is not None:
            self.accumulator.merge(other.accumulator)

    def state(self):
        """All that was kept, as arrays."""
        if self.accumulator is None:
            return {"kept": np.array(self.kind)}
        return {"kept": np.array(self.kind), **self.accumulator.state()}

    def resume(self, state, seed):
        """Go on from a state."""
        if "settings" in state:
            classes = json.loads(str(state["settings"]))["classes"]
            self.accumulator = _sums_of_outputs().from_state(
                state, self.measure, classes=classes
            )

    def numbers(self, y_true=None, *, of_tokens=False):
        """The statistic of all rows, as a matrix of one pair."""
        statistic = self.accumulator.fitted().statistic_
        return np.array([[statistic]]), _nothing(_OF_OUTPUTS)


def _sums_of_outputs():
    # of a family, which measures of representations don't need
    from sksim.functional._output_sums import OutputSums

    return OutputSums


class Keeping:
    """An accumulator of layers, and how a measure is computed from what it has kept.

    Parameters
    ----------
    measure : BaseSimilarity
    keep : {"auto", "grams", "moments", "rows"} or path-like
    sketch : int or None
    is_one_set : bool
        Whether a model is compared with itself.
    n_permutations : int
    seed : int
    max_memory : float
    """

    def __init__(
        self, measure, keep, sketch, *, is_one_set, n_permutations, seed, max_memory
    ):
        self.measure = measure
        self.is_one_set = is_one_set
        self.max_memory = max_memory
        self.kind, directory = _kind_of(measure, keep, sketch)
        self._n_permutations, self._seed = n_permutations, seed
        self._may_become_moments = (
            keep == "auto" and _is_of_moments(measure) and not n_permutations
        )
        if n_permutations and not self._keeps_orders:
            raise ValueError(
                f"n_permutations={n_permutations} draws orders of rows, and of these "
                f"{self.kind} are kept alone: keep='rows', or use MinibatchCKA."
            )
        if self.kind == "grams":
            self._params = {"random_state": seed, "n_permutations": n_permutations}
        elif self.kind == "sketches":
            self._params = {"n_components": sketch, "random_state": seed}
        elif self.kind == "rows":
            self._params = {
                "directory": directory,
                "max_memory": np.inf if self._may_become_moments else max_memory,
            }
        else:
            self._params = self._of_moments()
        self.accumulator = self._begin()

    @property
    def _keeps_orders(self):
        """Whether what is kept can be put in other orders of the rows."""
        if self.kind == "sketches":
            return not _takes_sketches(self.measure)
        return self.kind in ("grams", "rows")

    def expect(self, n_samples):
        """So many rows are to come in all: too many are refused at once."""
        if self.kind == "rows":
            self._params["n_expected"] = self.accumulator.n_expected = n_samples

    @property
    def fewest_rows(self):
        """Rows that a batch must have."""
        return _FEWEST_OF_GRAMS if self.kind == "grams" else 1

    @property
    def needs_random_batches(self):
        """Whether it matters which rows come in one batch."""
        return self.kind == "grams"

    def finish(self, side, name, rows, *, device=None):
        """What is kept of a layer's rows, on a device."""
        if device is not None and hasattr(rows, "detach"):
            rows = rows.to(device)
        return self.accumulator.reduced(side, name, rows)

    def update(self, layers_a, layers_b):
        """Add a batch; None for the second where one model is compared with itself."""
        self.accumulator.update(layers_a, layers_b)
        if self._may_become_moments and self.kind == "rows":
            self._become_moments_if_smaller()
        self._refuse_large_moments()

    def _of_moments(self):
        needed = self.measure._moments_needed()
        return {
            "quartic": "quartic" in needed or self._has_moment_sums,
            "columns": "columns" in needed,
        }

    @property
    def _has_moment_sums(self):
        """Whether moments of rows are enough for those over all orders of rows."""
        return hasattr(self.measure, "_moment_sums")

    def _begin(self, state=None):
        if self.kind == "grams":
            return self.measure._sums_of_layers(state=state, **self._params)
        cls = {"sketches": SketchedRows, "rows": RowStore, "moments": JointMoments}
        cls = cls[self.kind]
        return (
            cls(**self._params)
            if state is None
            else cls.from_state(state, **self._params)
        )

    def _become_moments_if_smaller(self):
        store = self.accumulator
        if store.nbytes > min(JointMoments.nbytes(*store.widths), self.max_memory):
            self._become_moments()

    def _become_moments(self):
        store = self.accumulator
        self.kind, self._params = "moments", self._of_moments()
        self.accumulator = self._begin()
        for batch in store.batches():
            self.accumulator.update(*batch)

    def _refuse_large_moments(self):
        if self.kind != "moments":
            return
        needed = self.accumulator.nbytes(*self.accumulator.widths)
        if needed > self.max_memory:
            raise ValueError(
                f"Moments of layers with {sum(self.accumulator.widths[0])} and "
                f"{sum(self.accumulator.widths[1])} features take {needed / 1e9:.2g} "
                f"GB, more than max_memory, {self.max_memory:.2g} bytes. Pass fewer "
                "layers, reduce='mean', sketch=512, or MinibatchCKA, whose memory does "
                "not depend on their widths."
            )

    # ----- parts ----------------------------------------------------------------------

    def merge(self, other):
        """Add what another part has kept; it stays as it is."""
        if {self.kind, other.kind} == {"rows", "moments"}:
            for part in (self, other):
                if part.kind == "rows":
                    part._become_moments()
        if self.kind != other.kind:
            raise ValueError(
                f"These parts can't be merged: {self.kind} were kept here, and "
                f"{other.kind} there."
            )
        self.accumulator.merge(other.accumulator)

    def state(self):
        """All that was kept, as arrays."""
        return {"kept": np.array(self.kind), **self.accumulator.state()}

    def resume(self, state, seed):
        """Go on from a state, which was made with a seed."""
        if "random_state" in self._params:
            self._params["random_state"] = seed
        kind = str(state["kept"])
        if kind != self.kind and not (kind == "moments" and self._may_become_moments):
            raise ValueError(
                f"{kind} were kept in this state, and {self.kind} are to be kept now."
            )
        if kind != self.kind:
            self.kind, self._params = "moments", self._of_moments()
        self.accumulator = self._begin(state)

    # ----- numbers --------------------------------------------------------------------

    def numbers(self, y_true=None, *, of_tokens=False):
        """Statistics of all pairs, and a function that finds what else is known.

        Parameters
        ----------
        y_true : array, default=None
        of_tokens : bool, default=False
            Whether several rows may be of one input, and depend on each other.

        Returns
        -------
        statistics : array of shape (n_layers_x, n_layers_y)
        others : callable
            Gives two mappings: arrays of this shape named "standard_error", "z_scores",
            "pvalues", "log_pvalues" and "pvalues_corrected", as far as they are known,
            and why the others are not.
        """
        if self.kind == "grams":
            return self._of_grams(of_tokens)
        if self.kind == "moments":
            return self._of_all_moments(), self._known_by_moments(of_tokens)
        if self.kind == "sketches" and _takes_sketches(self.measure):
            return self.accumulator.scores, _nothing(_OF_SKETCHES)
        return self._of_rows(y_true, of_tokens)

    def _of_grams(self, of_tokens):
        accumulator = self.accumulator
        cells, missing = {"standard_error": accumulator.standard_errors}, {}
        if accumulator.n_batches == 1:
            missing["standard_error"] = "One batch has no spread between batches."
        if of_tokens:
            missing["pvalues"] = _OF_TOKENS
            return accumulator.scores, _known(cells, missing)
        cells |= {
            "z_scores": accumulator.z_scores,
            "pvalues": accumulator.pvalues,
            "log_pvalues": accumulator.log_pvalues,
        }
        if accumulator.n_permutations:
            cells["pvalues_corrected"] = accumulator.corrected_pvalues
        return accumulator.scores, _known(cells, missing)

    def _of_rows(self, y_true, of_tokens):
        if self.kind == "sketches":
            Xs = self.accumulator.layers(0)
            Ys = None if self.is_one_set else self.accumulator.layers(1)
        else:
            Xs, Ys = self.accumulator.layers()
        known = row_metadata(None, y_true=y_true)
        layers = open_layers(clone(self.measure), Xs, Ys, **known)
        statistics = statistics_of(layers)
        if of_tokens:
            return statistics, _nothing(_OF_TOKENS)
        settings = {
            "n_permutations": self._n_permutations,
            "seed": self._seed,
            "max_memory": self.max_memory,
        }
        return statistics, partial(cells_of, layers, statistics, known, **settings)

    def _known_by_moments(self, of_tokens):
        """What moments say of all cells beside the statistics."""
        name = type(self.measure).__name__
        if of_tokens:
            return _nothing(_OF_TOKENS)
        missing = {"standard_error": _OF_MOMENTS.format(name)}
        n_samples = self.accumulator.n_samples
        if not self._has_moment_sums or n_samples < _FEWEST_OF_ORDERS:
            return _known({}, missing | {"pvalues": _OF_MOMENTS.format(name)})
        xp = namespace_of(self.accumulator.pair(0, 0).x.mean)
        of_x, of_y = (
            [self._alone(side, place, xp) for place in range(len(names))]
            for side, names in enumerate(self.accumulator.names)
        )
        null = null_of_layers(of_x, of_y, lambda i, j: 1.0)
        products = np.empty((len(of_x), len(of_y)))
        for i, j in np.ndindex(products.shape):
            moments = without_rounding(self.accumulator.pair(i, j), xp=xp)
            products[i, j] = float(self.measure._kernel_products(moments, xp)[0])
        cells = null.cells(products)
        problem = null.problem(cells)
        if problem is not None:
            missing["pvalues"] = f"{problem} {_WAY_OUT}"
        return _known(cells, missing)

    def _alone(self, side, place, xp):
        moments = without_rounding(self.accumulator.alone(side, place), xp=xp)
        return self.measure._moment_sums(moments, xp)

    def _of_all_moments(self):
        accumulator, measure = self.accumulator, self.measure
        tags = tags_of(measure)
        names_x, names_y = accumulator.names
        values = np.empty((len(names_x), len(names_y)))
        for i, j in np.ndindex(values.shape):
            if self.is_one_set and tags.symmetric and j < i:
                values[i, j] = values[j, i]
                continue
            with named_errors(names_x[i], names_y[j]):
                moments = accumulator.pair(i, j)
                xp = namespace_of(moments.x.mean)
                comparison = MomentComparison(
                    moments=without_rounding(moments, xp=xp),
                    measure=measure._engine,
                    owner=measure,
                    xp=xp,
                    device=None,
                    n_samples=moments.n,
                    rounding=rounding_of("float64"),
                )
                value = comparison.value()
                values[i, j] = measure._engine._as_number(value, tags)
        return values


def _known(cells, missing):
    """Function that gives what has been found already."""
    return lambda: (cells, missing)


def _nothing(reason):
    """Function that finds nothing, for a reason."""
    return _known({}, {"standard_error": reason, "pvalues": reason})


def _is_of_moments(measure):
    return isinstance(measure, MomentMixin) and tags_of(measure).streaming is True


def _takes_sketches(measure):
    return bool(getattr(measure, "_takes_sketches", False))


def _kind_of(measure, keep, sketch):
    """What is kept, and the directory that rows are written to or None."""
    tags = tags_of(measure)
    name = type(measure).__name__
    if tags.inputs != "representation" or tags.precomputed or tags.arity != "pair":
        raise ValueError(
            f"{name} compares {'matrices' if tags.precomputed else tags.inputs}, not "
            "pairs of layers. Choose a measure of representations, such as "
            "MinibatchCKA."
        )
    is_directory = isinstance(keep, Path | os.PathLike) or (
        is_text(keep) and (os.sep in keep or os.path.isdir(keep))
    )
    if not is_directory and keep not in WORDS:
        raise ValueError(
            f"keep must be one of {', '.join(map(repr, WORDS))} or a directory (with a "
            f"{os.sep!r} in it, if it does not exist yet), got {keep!r}."
        )
    if sketch is not None:
        _check_sketch(measure, keep, sketch)
        return "sketches", None
    has_batches = tags.streaming == "batches"
    if keep == "grams" and not has_batches:
        raise ValueError(
            f"keep='grams' is for measures that average over batches, not for {name}. "
            "MinibatchCKA() estimates CKA(debias='rows') from them."
        )
    if keep == "moments" and not _is_of_moments(measure):
        raise ValueError(
            f"keep='moments' is for measures that are functions of second moments, "
            f"which {measure!r} is not: keep='rows'."
        )
    if is_directory:
        return "rows", Path(keep)
    if keep == "auto":
        return ("grams" if has_batches else "rows"), None
    return keep, None


def _check_sketch(measure, keep, sketch):
    if keep != "auto":
        raise ValueError(f"sketch keeps sketches: leave out keep={keep!r}.")
    if tags_of(measure).streaming == "batches":
        raise ValueError(
            f"{type(measure).__name__} keeps no rows, and needs no sketch of them."
        )
    if not _takes_sketches(measure) and sketch < _FEWEST_COLUMNS:
        raise ValueError(
            f"A sketch of {sketch} columns makes {measure!r} too low, and there is no "
            f"correction: use at least {_FEWEST_COLUMNS}, or CKA(debias='rows'), which "
            "is corrected."
        )
