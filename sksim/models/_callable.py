"""Any function of a batch as a model."""

import copy
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext

import numpy as np

from sksim._progress import ProgressBar
from sksim._typing import ArrayLike
from sksim.models._batches import batches_of, length_of
from sksim.models._layer_names import names_matching

# What answers are, which the numbers don't say.
KINDS = ("logits", "probabilities", "labels", "predictions")

# rows that pass through a function at once
_BATCH = 256


class CallableModel:
    """A model that is given by functions of a batch, whatever library they use.

    It goes where fitted models go: into
    :func:`~sksim.models.extract_representations`,
    :func:`~sksim.models.extract_outputs`, ``from_estimators``,
    :func:`~sksim.pairwise.compare` and the displays. A function that needs no more
    words than these may be passed in its place.

    Parameters
    ----------
    outputs : callable, default=None
        From a batch to the model's answers, an array with one row for each input; or to
        a mapping that says what they are by one of the keys "logits", "probabilities",
        "labels" and "predictions" (:ref:`network_outputs`). None takes the entry
        "output" of the layers, or one of these keys.
    layers : callable, default=None
        From a batch to a mapping of names to arrays, each with one row for each input,
        from input to output. None: if ``outputs`` gives a mapping, its entries.
    classes : sequence, default=None
        Class of each column of the answers. None: 0, 1, ...

    Raises
    ------
    ValueError
        If neither function is given, or if one returns something else.

    See Also
    --------
    OnnxModel : Networks in ONNX's format, with their intermediate values.
    KerasModel : Networks of Keras 3, with all their layers.

    Notes
    -----
    A batch is what ``data`` holds: some rows of an array, table or tensor, or of a list
    of anything; a mapping with some rows of each array; or what a loader yields. Of a
    tuple or list of several arrays a function gets as many as it has parameters
    without defaults, so that labels that come last stay out.

    Arrays of any library are taken that numpy can read; tensors of torch are detached
    first, and half precision becomes single. The model has to be in evaluation mode.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.models import CallableModel, extract_outputs, extract_representations
    >>> W = np.array([[1.0, -1.0], [0.5, 2.0]])
    >>> model = CallableModel(
    ...     lambda X: {"logits": np.maximum(X @ W, 0)[:, ::-1]},
    ...     layers=lambda X: {"hidden": np.maximum(X @ W, 0)},
    ...     classes=["cat", "dog"],
    ... )
    >>> X = np.array([[2.0, 0.0], [0.0, 1.0]])
    >>> layers = extract_representations(model, X)
    >>> {name: layer.tolist() for name, layer in layers.items()}
    {'hidden': [[2.0, 0.0], [0.5, 2.0]], 'output': [[0.0, 2.0], [2.0, 0.5]]}
    >>> extract_outputs(model, X)["labels"]
    array(['dog', 'cat'], dtype='<U3')
    """

    def __init__(
        self,
        outputs: Callable | None = None,
        *,
        layers: Callable | None = None,
        classes: Sequence | None = None,
    ):
        for name, function in (("outputs", outputs), ("layers", layers)):
            if function is not None and not callable(function):
                raise ValueError(
                    f"{name} must be a function of a batch, got "
                    f"{type(function).__name__}."
                )
        if outputs is None and layers is None:
            raise ValueError("Pass outputs, layers or both: functions of a batch.")
        self.outputs = outputs
        self.layers = layers
        self.classes = classes

    # kind of the answers, where it is said and not declared
    _said = None
    # rows as they were given, where others like them are made
    _rows_like = None

    def _saying(self, kind):
        """The same model, of whose answers it is said what they are."""
        model = copy.copy(self)
        model._said = kind
        return model

    def __repr__(self):
        functions = {"outputs": self.outputs, "layers": self.layers}
        said = [
            f"{name}={getattr(f, '__name__', type(f).__name__)}"
            for name, f in functions.items()
            if f is not None
        ]
        return f"{type(self).__name__}({', '.join(said)})"

    def __call__(self, batch: ArrayLike | Mapping | Sequence) -> dict[str, np.ndarray]:
        """Layers of a batch, the answers last as "output".

        Parameters
        ----------
        batch : array-like, mapping or tuple
            See Notes.

        Returns
        -------
        layers : dict of str to array
        """
        n_rows = length_of(batch)
        found = self._layers_of(batch)
        if found is None:
            answer = self._call(self.outputs, batch)
            if not isinstance(answer, Mapping):
                return self._checked({"output": answer}, n_rows)
            return self._checked(_with_output(answer), n_rows)
        if self.outputs is None:
            return self._checked(_with_output(found), n_rows)
        if "output" in found:
            return self._checked(found, n_rows)
        output = _answer_in(self._call(self.outputs, batch), self)[0]
        return self._checked({**found, "output": output}, n_rows)

    # ----- what readers of models call ------------------------------------------------

    def _running(self):
        """Context in which batches are run."""
        return nullcontext()

    def _answer_to(self, batch):
        """Array, kind where it is declared, and number of the batch's items used."""
        function = self.layers if self.outputs is None else self.outputs
        values, kind = _answer_in(self._call(function, batch), self)
        values = self._checked({"output": values}, length_of(batch))["output"]
        return values, kind, self._count(function, batch)

    def extract(
        self,
        data: ArrayLike | Iterable,
        layers: str | Sequence[str] | None = None,
        *,
        batch_size: int | None = None,
        verbose: int = 0,
        reduce: str | Callable | Mapping | object | None = None,
        mask: Callable | None = None,
        inputs: Callable | None = None,
    ) -> dict[str, np.ndarray]:
        """Layers of all rows, as :func:`extract_representations` returns them.

        Parameters
        ----------
        data : array-like, mapping, list, or iterable of batches
            Rows, or batches of them.
        layers : str or list of str, default=None
            Names or patterns; None takes all.
        batch_size : int, default=None
            Rows of a batch; None is 256.
        verbose : int, default=0
            Whether to show progress on standard error.
        reduce : str, transformer, callable or mapping, default=None
            What becomes of a layer, batch by batch.
        mask : callable, default=None
            From a batch to which tokens count.
        inputs : callable, default=None
            From a batch to what the functions are called with.

        Returns
        -------
        layers : dict of str to array
        """
        # which need sksim.base, where measures need this file
        from sksim.models._readers import MappingReader
        from sksim.models._reduce import Reduction

        batches, total = batches_of(data, batch_size or _BATCH, as_arrays=False)
        of_batch = self._of_layers(layers)
        if layers in ("output", ["output"]) and self.outputs is not None:
            of_batch = self._output_alone

        def chosen(batch):
            found = of_batch(batch)
            names = names_matching(found, layers, type(self).__name__)
            return {name: found[name] for name in names}

        reader = MappingReader(
            self, chosen, reduction=Reduction(reduce, mask), inputs=inputs
        )
        parts = []
        with self._running(), ProgressBar(total, "batches", enabled=verbose > 0) as bar:
            for batch in batches:
                parts.append(reader.read(batch))
                bar.step()
        reader.warn()
        if not parts:
            raise ValueError(f"data ({type(data).__name__}) has no rows.")
        return _joined(parts)

    def _of_layers(self, layers):
        """The same model, which need not compute other layers than these."""
        return self

    def _with_last_hidden(self):
        """The same model, which need not compute but the last layer and the answer."""
        return self

    def _output_alone(self, batch):
        return {"output": self._answer_to(batch)[0]}

    # ----- functions of a batch -------------------------------------------------------

    def _layers_of(self, batch):
        if self.layers is None:
            return None
        found = self._call(self.layers, batch)
        if not isinstance(found, Mapping):
            raise ValueError(
                f"layers of {self} must return a mapping of names to arrays, got "
                f"{type(found).__name__}."
            )
        return found

    def _call(self, function, batch):
        count = self._count(function, batch)
        return function(*batch[:count]) if count else function(batch)

    def _count(self, function, batch):
        """How many items of a batch of several arrays a function gets; 0: the batch."""
        several = isinstance(batch, list | tuple) and len(batch) > 0
        if not several or not all(hasattr(item, "shape") for item in batch):
            return 0
        return min(max(1, _n_required(function)), len(batch))

    def _checked(self, layers, n_rows):
        """Layers as arrays, each with a row for each input."""
        found = {}
        for name, values in layers.items():
            array = as_array(values, f"The layer {name!r} of {self}")
            if array.ndim == 0 or len(array) != n_rows:
                raise ValueError(
                    f"The layer {name!r} of {self} has the shape {array.shape}, and "
                    f"no row for each of the {n_rows} inputs of the batch."
                )
            found[str(name)] = array
        return found


def as_array(values, name):
    """Values of any library as an array of numpy, in single precision at least."""
    if hasattr(values, "detach"):
        values = values.detach()
        if "float16" in str(values.dtype):
            values = values.float()
        values = values.cpu()
    array = np.asarray(values)
    if "float16" in array.dtype.name:
        array = array.astype(np.float32)
    if array.dtype.kind not in "biufUS":
        raise ValueError(
            f"{name} holds {array.dtype.name} values: an array of numbers with one row "
            "for each input is needed."
        )
    return array


def _n_required(function):
    """Number of positional parameters without a default."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # of a function that is not Python's
        return 1
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in kinds and p.default is p.empty for p in parameters)


def _with_output(found):
    """Layers of a mapping, the declared answer last and under the name "output"."""
    kind = next((key for key in KINDS if key in found), None)
    if "output" in found or kind is None:
        return found
    layers = {name: values for name, values in found.items() if name != kind}
    return {**layers, "output": found[kind]}


def _answer_in(returned, model):
    """Array, and its kind where the mapping that holds it says so."""
    if not isinstance(returned, Mapping):
        return returned, None
    for key in KINDS:
        if key in returned:
            return returned[key], key
    if "output" in returned:
        return returned["output"], None
    raise ValueError(
        f"{model} gives {', '.join(map(str, returned))}, none of which is its answer: "
        f"name one of them 'output' or, to say what it is, one of {KINDS}."
    )


def _joined(parts):
    """Layers of all batches."""
    names = [name for name in parts[0] if all(name in part for part in parts)]
    for name in names:
        shapes = sorted({part[name].shape[1:] for part in parts})
        if len(shapes) > 1:
            raise ValueError(
                f"Rows of the layer {name!r} have other shapes from batch to batch "
                f"({shapes[0]} and {shapes[-1]}). Pass reduce='mean', or pad "
                "all to one length."
            )
    return {name: np.concatenate([part[name] for part in parts]) for name in names}
