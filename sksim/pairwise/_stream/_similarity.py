"""Layers of two models, compared in one pass over the data."""

import hashlib
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from itertools import chain
from numbers import Integral, Real
from os import PathLike

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from sksim._progress import ProgressBar
from sksim._sklearn_compat import Interval, StrOptions, validate_params
from sksim._typing import Array, ArrayLike, Measure, Model, RandomState
from sksim.base._readable import is_list, is_text
from sksim.base._tags import tags_of
from sksim.discovery import check_measure
from sksim.models._answers import Asked
from sksim.models._batches import (
    batches_of,
    length_of,
    number_of_rows,
    random_sampler_of,
    without_small_batches,
)
from sksim.models._readers import reader_of, takes_tables
from sksim.models._reduce import Reduction
from sksim.models._torch import is_torch_module
from sksim.models._torch_extractor import without_rows
from sksim.pairwise._stream._checkpoint import Checkpoint
from sksim.pairwise._stream._keeping import Keeping, OutputsKept
from sksim.pairwise._stream._result import LayerSimilarityResult

_OUTPUTS = ("labels", "probabilities", "outputs")
_LABELS = ("labels", "label", "label_ids")


class LayerwiseSimilarity:
    """Similarity of all layers of two models, from batches that are passed one by one.

    Each batch goes through both models, and a layer is reduced where it is made: no
    activation outlives it. For loops of one's own, and for parts of the data in several
    processes; :func:`layer_similarity_matrix` does it all in one call.

    Parameters
    ----------
    measure : estimator, class or str
        A measure of representations, its class, or its name. Or one of outputs, which
        then are all that is compared.
    model_a : torch.nn.Module, fitted estimator or callable
        The model of the rows of the matrix. A callable, or the method ``layers_of`` of
        an object, makes a mapping of names to arrays of a batch.
    model_b : model, default=None
        The model of the columns; None, or the same object, compares the first with
        itself, and each batch goes through it once.
    layers : str or list of str, default=None
        Names or patterns of layers, see :func:`sksim.models.extract_representations`.
    layers_b : str or list of str, default=None
        Those of the second model; None for those of the first.
    reduce : str, transformer, callable or mapping, default=None
        What becomes of a layer: "mean", "flatten", "tokens", ..., see
        :func:`sksim.models.extract_representations`. None flattens for
        :class:`~sksim.rsm.MinibatchCKA`, and takes the mean for measures that keep
        rows or moments.
    mask : callable, default=None
        From a batch to an array of shape (n_samples, tokens), 1 where a token counts.
        None takes the key ``attention_mask`` of a batch that is a mapping.
    inputs : callable or pair of callables, default=None
        From a batch to what both models, or each of them, are called with, see
        :class:`sksim.models.TorchExtractor`.
    keep : {"auto", "grams", "moments", "rows"} or path-like, default="auto"
        What is kept of the layers. "grams": sums over batches of products of n x n
        matrices, for :class:`~sksim.rsm.MinibatchCKA`; memory of the order of the
        number of pairs. "rows": all rows, for any measure; in files that are read as
        memory maps if it is a directory. "moments": joint second moments, for measures
        that are functions of them (tag ``streaming``). "auto" takes the first that the
        measure allows, and turns rows into moments once these are smaller.
    sketch : int, default=None
        Number of columns of a folded sketch that is kept of wider rows: debiased linear
        CKA of sketches is corrected for their noise; other measures need 1024.
    outputs : {"logits", "probabilities", "labels", "predictions"}, default=None
        What networks return, for measures of outputs; or one word for each model. None
        is enough where they return an object with ``logits``. See
        :ref:`network_outputs`.
    classes : sequence, default=None
        Class of each column of networks' outputs, or one such sequence for each model.
    y_true : callable or array-like of shape (n_samples,), default=None
        True labels, for measures that use them: from a batch to its labels, or those of
        all rows in the order in which these pass. Measures of outputs take those that
        come with the batches, if it is None.
    n_permutations : int, default=0
        Orders of the rows that are drawn for p-values corrected for the number of
        cells: of all rows where these are kept, for any measure, and within batches for
        :class:`~sksim.rsm.MinibatchCKA`, where each costs as much as all products of a
        batch.
    output : {"score", "statistic"}, default="score"
        Scores, of which greater means more similar for every measure, or the measure's
        native numbers.
    random_state : int, RandomState instance or None, default=None
        Seed of the signs of sketches, and of random measures without a seed.
    device : str or torch.device, default=None
        Where layers are reduced to what is kept; None where they are made.
    max_memory : float, default=4e9
        Bytes that rows or moments may take; more are refused with the ways out.

    See Also
    --------
    layer_similarity_matrix : One call for all batches.
    similarity_matrix : Layers that are at hand as arrays.

    Examples
    --------
    >>> import torch
    >>> from sksim.pairwise import LayerwiseSimilarity
    >>> from sksim.rsm import MinibatchCKA
    >>> network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU())
    >>> streamed = LayerwiseSimilarity(MinibatchCKA(), network)
    >>> for batch in torch.randn(3, 20, 4):
    ...     streamed.update(batch)
    >>> result = streamed.result()
    >>> result.n_samples, result.scores.shape
    (60, (2, 2))
    """

    def __init__(
        self,
        measure: Measure,
        model_a: Model,
        model_b: Model | None = None,
        *,
        layers: str | Sequence[str] | None = None,
        layers_b: str | Sequence[str] | None = None,
        reduce: str | Callable | Mapping | object | None = None,
        mask: Callable | None = None,
        inputs: Callable | Sequence[Callable] | None = None,
        keep: str | PathLike = "auto",
        sketch: int | None = None,
        outputs: str | Sequence[str | None] | None = None,
        classes: Sequence | None = None,
        y_true: Callable | ArrayLike | None = None,
        n_permutations: int = 0,
        output: str = "score",
        random_state: RandomState | None = None,
        device: object | None = None,
        max_memory: float = 4e9,
    ):
        self.measure = check_measure(measure)
        if output not in ("score", "statistic"):
            raise ValueError(f"output must be 'score' or 'statistic', got {output!r}.")
        self.output = output
        self.y_true = y_true
        self._labels = []
        self._seen = _SeenLabels()
        seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
        self._name = repr(self.measure)
        self._draws = getattr(self.measure, "random_state", 0) is None
        self._set_seed(int(seed))
        self._asked, self._readers, self._way = None, [], reduce
        if tags_of(self.measure).inputs in _OUTPUTS:
            if tags_of(self.measure).arity != "pair":
                raise ValueError(
                    f"{type(self.measure).__name__} compares groups of models, not "
                    "pairs: pass their outputs to its fit."
                )
            given = {"layers": layers, "layers_b": layers_b, "reduce": reduce}
            given |= {"mask": mask, "inputs": inputs, "sketch": sketch}
            given |= {"keep": None if keep == "auto" else keep}
            given |= {"n_permutations": n_permutations or None}
            _refuse_of_layers(self.measure, **given)
            both = (model_a, model_a if model_b is None else model_b)
            self._asked = Asked(both, outputs=outputs, classes=classes)
            self._keeping = OutputsKept(self.measure)
            return
        if outputs is not None or classes is not None:
            raise ValueError(
                "outputs and classes are for measures of outputs, not for "
                f"{self._name}."
            )
        is_one_set = model_b is None or model_b is model_a
        is_one_set = is_one_set and (layers_b is None or layers_b == layers)
        self._keeping = Keeping(
            self.measure,
            keep,
            sketch,
            is_one_set=is_one_set,
            n_permutations=n_permutations,
            seed=self._seed,
            max_memory=max_memory,
        )
        if reduce is None:
            self._way = "flatten" if self._keeping.kind == "grams" else "mean"
        sides = [(model_a, layers)]
        if not is_one_set:
            model_b = model_a if model_b is None else model_b
            sides.append((model_b, layers if layers_b is None else layers_b))
        for side, (model, chosen) in enumerate(sides):
            self._readers.append(
                reader_of(
                    model,
                    chosen,
                    reduction=Reduction(self._way, mask),
                    inputs=_of_side(inputs, side),
                    finish=partial(self._finish, side, device),
                )
            )

    def _set_seed(self, seed):
        """Seed of all that is random, the measure too unless it has its own."""
        self._seed = seed
        if self._draws:
            self.measure.set_params(random_state=seed)

    def _finish(self, side, device, name, rows):
        return self._keeping.finish(side, name, rows, device=device)

    def update(self, batch: object) -> None:
        """Send a batch through both models.

        Parameters
        ----------
        batch : tensor, array, tuple or mapping
            What a loader gives: inputs, and what belongs to them. If an error or an
            interrupt comes in between, nothing of the batch counts, and no hook stays.
        """
        if self._asked is not None:
            models, rows, labels = self._asked.ask(batch)
            self._keeping.update(models, rows, self._labels_of_outputs(batch, labels))
            return
        layers = [reader.read(batch) for reader in self._readers]
        labels = self.y_true(batch) if callable(self.y_true) else None
        self._keeping.update(*layers, *[None] * (2 - len(layers)))
        if labels is not None:
            self._labels.append(np.asarray(labels))
        if self._keeping.needs_random_batches:
            self._seen.note(_labels_of(batch) if labels is None else labels)

    def _labels_of_outputs(self, batch, found):
        """True labels of a batch: those that are given, or that came with it."""
        if self.y_true is None:
            return found
        if callable(self.y_true):
            return self.y_true(batch)
        accumulator = self._keeping.accumulator
        start = 0 if accumulator is None else accumulator.n_samples
        return self.y_true[start : start + length_of(batch)]

    def merge(self, other: "LayerwiseSimilarity") -> "LayerwiseSimilarity":
        """Add the batches of another part of the data.

        Parameters
        ----------
        other : LayerwiseSimilarity
            With the same measure and parameters, of the same layers. It stays as it is.

        Returns
        -------
        self : LayerwiseSimilarity
            That of the batches of both.
        """
        if other._name != self._name:
            raise ValueError(
                f"Parts of one measure can be merged: this is of {self._name}, and "
                f"other of {other._name}."
            )
        self._keeping.merge(other._keeping)
        self._labels += other._labels
        return self

    def state(self) -> dict[str, Array]:
        """All that was kept, as arrays of numpy, to be sent or saved.

        Returns
        -------
        state : dict of str to array
            Without objects, so that ``numpy.savez`` writes it without pickles.
        """
        state = {"seed": np.array(self._seed), **self._keeping.state()}
        if self._labels:
            state["labels"] = np.concatenate(self._labels)
        return state

    def resume(self, state: Mapping[str, Array]) -> "LayerwiseSimilarity":
        """Go on from a state of one with the same parameters.

        Parameters
        ----------
        state : mapping of str to array
            What ``state`` has given, perhaps in another process.

        Returns
        -------
        self : LayerwiseSimilarity
        """
        state = dict(state)
        labels = state.pop("labels", None)
        self._labels = [] if labels is None else [labels]
        self._set_seed(int(state.pop("seed")))
        self._keeping.resume(state, self._seed)
        return self

    def result(self) -> LayerSimilarityResult:
        """Similarity of all layers in the batches so far.

        Returns
        -------
        result : LayerSimilarityResult
            Scores, and what is known of them.
        """
        accumulator = self._keeping.accumulator
        if accumulator is None or accumulator.n_samples + accumulator.n_waiting == 0:
            raise ValueError("No batch has passed yet: there is nothing to compare.")
        statistics, others = self._keeping.numbers(
            self._all_labels(), of_tokens=_is_of_tokens(self._way)
        )
        names = [list(side) for side in accumulator.names]
        for reader, called in zip(self._readers, names, strict=False):
            reader.refuse_uncalled(set(called))
            reader.warn()
        notes = self._notes(accumulator)
        for note in notes:
            warnings.warn(note, UserWarning, stacklevel=2)
        tags = tags_of(self.measure)
        is_score = self.output == "score"
        values = tags.orient(statistics) + 0.0 if is_score else statistics
        scores = pd.DataFrame(values, index=names[0], columns=names[1])
        scores.attrs = {
            "measure": self._name,
            "output": self.output,
            "orientation": "similarity" if is_score else tags.orientation,
            "is_negated_distance": is_score and tags.orientation == "distance",
        }
        others = cache(others)
        tables = {
            name: partial(_table_of, others, name, scores)
            for name in (
                "standard_error",
                "z_scores",
                "pvalues",
                "log_pvalues",
                "pvalues_corrected",
            )
        }
        return LayerSimilarityResult(
            scores=scores,
            **tables,
            missing=lambda: others()[1],
            n_samples=accumulator.n_samples,
            n_batches=accumulator.n_batches,
            kept=self._keeping.kind,
            left_out=self._left_out(),
            measure=self._name,
            notes=tuple(notes),
        )

    def _all_labels(self):
        if callable(self.y_true):
            return np.concatenate(self._labels) if self._labels else None
        return self.y_true

    def _left_out(self):
        return {
            name: reason
            for reader in self._readers
            for name, reason in getattr(reader, "left_out", {}).items()
        }

    def _notes(self, accumulator):
        notes = []
        if accumulator.n_waiting:
            notes.append(
                f"The last {accumulator.n_waiting} rows are in no batch: a batch needs "
                "at least 4, and these could not be joined with the one before."
            )
        if self._seen.are_sorted:
            notes.append(
                "All rows of a batch have one label, and other batches have another: "
                "data are sorted. Batches must be random for MinibatchCKA and its "
                "p-values; shuffle them (shuffle=True)."
            )
        constant = sorted({*chain(*getattr(accumulator, "never_varied", ()))})
        if constant:
            notes.append(
                f"Layers that never varied have no score: {', '.join(constant)}."
            )
        return notes

    def _settings(self):
        """What must be the same for a pass that goes on, as text."""
        if self._asked is None:
            models = [getattr(r, "model", r.name) for r in self._readers]
        else:
            models = self._asked.models
        models = [_fingerprint(model) for model in models]
        return {
            "measure": self._name,
            "models": " ".join(models),
            "reduce": _brief(self._way),
        }


def _table_of(others, name, like):
    """Table of what else is known, with the names of another, or None."""
    values = others()[0].get(name)
    if values is None:
        return None
    return pd.DataFrame(values, index=like.index, columns=like.columns)


def _refuse_of_layers(measure, **given):
    """Raise where something is said of layers, and outputs are compared."""
    for name, value in given.items():
        if value is not None:
            raise ValueError(
                f"{name} is for measures of representations: {type(measure).__name__} "
                f"compares {tags_of(measure).inputs}, the outputs of both models."
            )


def _of_side(inputs, side):
    """What makes a model's inputs of a batch."""
    if inputs is None or callable(inputs):
        return inputs
    if len(inputs) != 2 or not all(one is None or callable(one) for one in inputs):
        raise ValueError(
            "inputs must be a callable of a batch, or a pair of them, one for each "
            "model."
        )
    return inputs[side]


def _fingerprint(model):
    """Name of a model, and of a module a hash of its weights."""
    if not is_torch_module(model):
        return model if is_text(model) else type(model).__name__
    found = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        found.update(f"{name}{tuple(tensor.shape)}".encode())
        values = tensor.detach().cpu().contiguous().flatten()
        found.update(
            values.view(_bytes_of_torch()).numpy().data if len(values) else b""
        )
    return f"{type(model).__name__} {found.hexdigest()[:16]}"


def _bytes_of_torch():
    import torch

    return torch.uint8


def _is_of_tokens(way):
    """Whether a layer may have several rows for one input."""
    ways = way.values() if isinstance(way, Mapping) else [way]
    return any(is_text(each) and each == "tokens" for each in ways)


def _brief(way):
    """A way to reduce as text that is the same in every process."""
    if isinstance(way, Mapping):
        return str({name: _brief(value) for name, value in way.items()})
    if callable(way) and not hasattr(way, "transform"):
        return getattr(way, "__qualname__", type(way).__qualname__)
    return repr(way)


# ----- labels -------------------------------------------------------------------------


class _SeenLabels:
    """Whether the rows of each batch share a label that is not that of all batches."""

    def __init__(self):
        self._constants = set()
        self._is_mixed = False

    def note(self, labels):
        if labels is None or len(labels) < 4:
            return
        values = np.unique(np.asarray(labels))
        if len(values) == 1:
            self._constants.add(values[0].item())
        else:
            self._is_mixed = True

    @property
    def are_sorted(self):
        return len(self._constants) > 1


def _labels_of(batch):
    """Labels that come with a batch, as far as these can be told."""
    if isinstance(batch, Mapping):
        found = [batch[name] for name in _LABELS if batch.get(name) is not None]
    elif is_list(batch) and len(batch) > 1:
        found = [batch[-1]]
    else:
        found = []
    for labels in found:
        labels = labels.cpu() if hasattr(labels, "cpu") else labels
        labels = np.asarray(labels)
        if labels.ndim == 1 and labels.dtype.kind in "biuOSU":
            return labels
    return None


# ----- one call -----------------------------------------------------------------------


@validate_params(
    {
        "keep": [str, PathLike],
        "sketch": [Interval(Integral, 2, None, closed="left"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "n_permutations": [Interval(Integral, 0, None, closed="left")],
        "output": [StrOptions({"score", "statistic"})],
        "random_state": ["random_state"],
        "max_memory": [Interval(Real, 0, None, closed="neither")],
        "checkpoint": [str, PathLike, None],
        "checkpoint_seconds": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def layer_similarity_matrix(
    measure: Measure,
    model_a: Model,
    model_b: Model | None,
    data: ArrayLike | Iterable,
    *,
    layers: str | Sequence[str] | None = None,
    layers_b: str | Sequence[str] | None = None,
    reduce: str | Callable | Mapping | object | None = None,
    mask: Callable | None = None,
    inputs: Callable | Sequence[Callable] | None = None,
    keep: str | PathLike = "auto",
    sketch: int | None = None,
    outputs: str | Sequence[str | None] | None = None,
    classes: Sequence | None = None,
    batch_size: int | None = None,
    y_true: Callable | ArrayLike | None = None,
    n_permutations: int = 0,
    output: str = "score",
    random_state: RandomState | None = None,
    device: object | None = None,
    max_memory: float = 4e9,
    checkpoint: str | PathLike | None = None,
    checkpoint_seconds: float = 300,
    verbose: int = 0,
) -> LayerSimilarityResult:
    """Compare all layers of two models in one pass over the data.

    Each batch goes through both models, and each layer is reduced in the moment in
    which it is made, so that memory depends neither on the number of rows nor, for
    :class:`~sksim.rsm.MinibatchCKA`, on the widths of the layers. Data are iterated
    once: loaders may shuffle, and generators will do.

    Parameters
    ----------
    measure : estimator, class or str
        A measure of representations, its class, or its name. With
        :class:`~sksim.rsm.MinibatchCKA` nothing needs to be pooled, and p-values come
        free of charge. Or a measure of outputs, which then are all that is compared.
    model_a, model_b : torch.nn.Module, fitted estimator or callable
        The models of the rows and of the columns. A callable, or the method
        ``layers_of`` of an object, makes a mapping of names to arrays of a batch. The
        same object twice, or None for the second, compares a model with itself, and
        each batch goes through it once.
    data : tensor, array-like, mapping, loader, list of batches or generator
        Rows, which are cut into batches, or an iterable of batches; as in
        :class:`sksim.models.TorchExtractor`.
    layers, layers_b : str or list of str, default=None
        Names or patterns of layers of both models, see
        :func:`sksim.models.extract_representations`; None for ``layers_b`` takes those
        of ``layers``.
    reduce : str, transformer, callable or mapping, default=None
        What becomes of a layer: "mean", "flatten", "tokens", ..., see
        :func:`sksim.models.extract_representations`. None flattens for MinibatchCKA,
        and takes the mean otherwise.
    mask : callable, default=None
        From a batch to an array of shape (n_samples, tokens), 1 where a token counts.
        None takes the key ``attention_mask`` of a batch that is a mapping.
    inputs : callable or pair of callables, default=None
        From a batch to what both models, or each of them, are called with.
    keep : {"auto", "grams", "moments", "rows"} or path-like, default="auto"
        What is kept of the layers; a directory for rows in files. See
        :class:`LayerwiseSimilarity`.
    sketch : int, default=None
        Number of columns of a folded sketch that is kept of wider rows.
    outputs : {"logits", "probabilities", "labels", "predictions"}, default=None
        What networks return, for measures of outputs; or one word for each model. None
        is enough where they return an object with ``logits``. See
        :ref:`network_outputs`.
    classes : sequence, default=None
        Class of each column of networks' outputs, or one such sequence for each model.
    batch_size : int, default=None
        Rows of a batch that is cut from an array or a mapping; None takes that of
        :class:`~sksim.rsm.MinibatchCKA`, or 256.
    y_true : callable or array-like of shape (n_samples,), default=None
        True labels, for measures that use them: from a batch to its labels, or those of
        all rows in the order in which these pass. Measures of outputs take those that
        come with the batches, if it is None.
    n_permutations : int, default=0
        Orders of the rows that are drawn for p-values corrected for the number of
        cells: of all rows where these are kept, for any measure, and within batches for
        :class:`~sksim.rsm.MinibatchCKA`, where each costs as much as all products of a
        batch.
    output : {"score", "statistic"}, default="score"
        Scores, of which greater means more similar for every measure, or the measure's
        native numbers.
    random_state : int, RandomState instance or None, default=None
        Which rows of an array come into which batch, for
        :class:`~sksim.rsm.MinibatchCKA` without a seed of its own, as in its ``fit``;
        and the signs of sketches, and the orders of ``n_permutations``. Batches of
        loaders are taken as they come.
    device : str or torch.device, default=None
        Where layers are reduced to what is kept; None where they are made.
    max_memory : float, default=4e9
        Bytes that rows or moments may take; more are refused with the ways out.
    checkpoint : path-like, default=None
        File that is written from time to time, and that the pass goes on from if it is
        there. Batches must be the same in the same order, which a hash of them tells;
        those that have been read do not pass through the models again. The result is
        that of an uninterrupted pass, bit by bit.
    checkpoint_seconds : float, default=300
        Time between two writings of the file, which is also written at the end.
    verbose : int, default=0
        Whether to show progress and the remaining time on standard error.

    Returns
    -------
    result : LayerSimilarityResult
        ``scores``, a DataFrame of layers by layers, and what is known of them.

    Raises
    ------
    ValueError
        If a layer that is named is not called or has no row for each input, if one is
        computed for some batches only, or if rows are too many for ``max_memory``.

    Warns
    -----
    UserWarning
        If layers are left out, with the reason; if batches seem to be sorted by their
        labels; if a mask does not apply.

    See Also
    --------
    LayerwiseSimilarity : For loops of one's own and for several processes.
    similarity_matrix : Layers that are at hand as arrays.
    compare : Many measures on one pair of layers.

    Notes
    -----
    Batches of fewer than 4 rows, of which MinibatchCKA can make nothing, are joined
    with the one before. Modules run in evaluation mode without gradients, and are left
    as they were after each batch, also by an interrupt.

    p-values are of the hypothesis that rows are exchangeable: all of them where rows or
    moments are kept, those of a batch where only sums over batches are. Sorted batches,
    and rows that depend on each other, make them invalid. They are those of the Pearson
    III distribution with the first three moments over all these orders of rows, each of
    its cell alone; with ``n_permutations`` there are step-down p-values corrected for
    the number of cells as well. The moments are exact for kernels such as CKA and HSIC,
    mean squared CCA and linear regression; where moments of rows are kept the third is
    right up to a share of 1 / n_samples. ``result.missing`` says what is not known, and
    why.

    References
    ----------
    T. Nguyen, M. Raghu, S. Kornblith. Do wide and deep networks learn the same things?
    Uncovering how neural network representations vary with width and depth. ICLR, 2021,
    arXiv:2010.15327.

    Examples
    --------
    >>> import torch
    >>> from sksim.pairwise import layer_similarity_matrix
    >>> from sksim.rsm import MinibatchCKA
    >>> _ = torch.manual_seed(0)
    >>> a, b = (
    ...     torch.nn.Sequential(torch.nn.Conv2d(3, width, 3), torch.nn.ReLU())
    ...     for width in (4, 8)
    ... )
    >>> images = torch.randn(200, 3, 8, 8)
    >>> loader = torch.utils.data.DataLoader(images, batch_size=50, shuffle=True)
    >>> result = layer_similarity_matrix(MinibatchCKA(), a, b, loader)
    >>> result.scores.shape, result.n_batches
    ((2, 2), 4)
    >>> bool((result.pvalues < 0.001).all(axis=None))
    True
    """
    streamed = LayerwiseSimilarity(
        measure,
        model_a,
        model_b,
        layers=layers,
        layers_b=layers_b,
        reduce=reduce,
        mask=mask,
        inputs=inputs,
        keep=keep,
        sketch=sketch,
        outputs=outputs,
        classes=classes,
        y_true=y_true,
        n_permutations=n_permutations,
        output=output,
        random_state=random_state,
        device=device,
        max_memory=max_memory,
    )
    _check_order(data, y_true)
    file = Checkpoint(
        checkpoint,
        checkpoint_seconds,
        {} if checkpoint is None else streamed._settings(),
    )
    state = file.load()
    if state is not None:
        streamed.resume(state)
    own_size = getattr(streamed.measure, "batch_size", None)
    keeping = streamed._keeping
    order = _random_order(streamed) if keeping.needs_random_batches else None
    keeps_tables = hasattr(data, "iloc") and all(map(takes_tables, (model_a, model_b)))
    batches, total = batches_of(
        data,
        batch_size or own_size or 256,
        order=order,
        as_arrays=not keeps_tables,
    )
    keeping.expect(number_of_rows(data))
    joined = without_small_batches(batches, keeping.fewest_rows)
    with ProgressBar(total or None, "batches", enabled=verbose > 0) as bar:
        for count in file.skip(joined):
            bar.step(n=count)
        for batch, count in joined:
            streamed.update(batch)
            file.add(batch)
            if file.is_due:
                file.write(streamed.state())
            bar.step(n=count)
    accumulator = keeping.accumulator
    if accumulator is None or accumulator.n_batches + accumulator.n_waiting == 0:
        raise ValueError(without_rows(data))
    if checkpoint is not None:
        file.write(streamed.state())
    return streamed.result()


def _check_order(data, y_true):
    """Labels of all rows must be in the order in which these pass."""
    sampler = random_sampler_of(data)
    if sampler and y_true is not None and not callable(y_true):
        raise ValueError(
            f"data is a {type(data).__name__} with a {sampler}, and y_true an array, "
            "whose labels would be those of other rows. Pass y_true=lambda batch: "
            "batch[1], or whatever gives the labels of a batch."
        )


def _random_order(streamed):
    """Order of the rows of an array, as `MinibatchCKA.fit` draws it."""
    seed = streamed.measure._draw_seed()
    return np.random.default_rng(seed).permutation
