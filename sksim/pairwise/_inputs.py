"""What two arrays, or two models, offer to a measure."""

from dataclasses import dataclass
from functools import cached_property, wraps
from inspect import isclass

import numpy as np
import pandas as pd

from sksim._sklearn_compat import num_samples
from sksim.arrays._namespace import get_namespace_and_device, is_numpy
from sksim.base import BaseFunctionalSimilarity
from sksim.base._class_names import column_names, order_of_grades
from sksim.base._readable import (
    as_values,
    is_list,
    is_masked_array,
    is_text,
    missing_entries,
    refuse_foreign,
    refuse_missing,
    refuse_unreadable,
)
from sksim.base._row_names import first_row_names
from sksim.base._tags import tags_of
from sksim.base._validation import (
    SIMPLEX_TOLERANCE,
    as_label_array,
    half_precision_unit,
    refuse_mixed_kinds,
    takes_fractions,
)
from sksim.models._adapters import said
from sksim.models._answers import (
    answered,
    is_network,
    kind_of_each,
    labels_of_rows,
    refuse_unknown_labels,
    rows_of,
)
from sksim.models._batches import number_of_rows, random_sampler_of
from sksim.models._inside import check_estimator
from sksim.models._last_layers import last_layers
from sksim.models._layer import NoRepresentation
from sksim.models._one_pass import OnePass
from sksim.models._torch import is_torch_module


class NotApplicable(ValueError):
    """A measure takes something else than what is at hand."""


class Missing(NotApplicable):
    """A measure takes no missing values, and there are some."""


@dataclass(frozen=True)
class Inputs:
    """What a measure compares, what it is called, and what is known of the rows."""

    description: str
    x: object
    y: object
    metadata: dict


def _known_of(tags, y_true, metadata):
    """Keywords of ``fit``: what is known of the rows, for the measures that use it."""
    given = {"y_true": y_true, **(metadata or {})}
    known = {name: given.get(name) for name in tags.view_keywords if name in given}
    known = {name: value for name, value in known.items() if value is not None}
    if "y_true" in tags.requires and "y_true" not in known:
        raise NotApplicable("it needs the true labels, y_true.")
    return known


class ArrayPair:
    """Two arrays of the same rows, and what they can be taken for.

    Parameters
    ----------
    a, b : array-like
    y_true : array-like or None
    metadata : dict or None
        What else is known of the rows.
    **names : object
        What measures of outputs are to know of the columns' names.
    """

    # arrays are for the measures that take them, of which the others say nothing
    tells_why = False

    def __init__(self, a, b, y_true=None, metadata=None, **names):
        self.names = names
        for name, array in (("a", a), ("b", b)):
            if hasattr(array, "fit") or hasattr(array, "named_modules"):
                raise ValueError(
                    f"{name} is a model ({type(array).__name__}): pass data as well, "
                    "the rows that both models are applied to."
                )
        a, b = _as_array(a, "a"), _as_array(b, "b")
        if num_samples(a) != num_samples(b):
            raise ValueError(
                f"a has {num_samples(a)} rows and b has {num_samples(b)}: both must "
                "describe the same inputs, in the same order."
            )
        _refuse_uncomputable(a, b)
        self.missing = _missing_labels(a=a, b=b)
        if a.ndim == b.ndim == 1 and _is_labels(a) and _is_labels(b):
            known = [_known(array) for array in (a, b)]
            if all(map(len, known)):
                refuse_mixed_kinds(known, ["a", "b"])
        self.y_true = self.labels = y_true
        self.metadata = metadata
        self.arrays = a, b
        are_named = bool(names) or None not in (column_names(a), column_names(b))
        self.offers = _offers(a, b, are_named=are_named)

    def serve(self, measures):
        """Arrays are at hand for all measures."""

    @property
    def n_samples(self):
        """Number of rows."""
        return num_samples(self.arrays[0])

    @property
    def row_names(self):
        """Names of the rows, or None."""
        return first_row_names(*self.arrays, self.y_true)

    def replicates_for(self, measure, of_a, of_b):
        """What a measure compares of a, of b, and of replicates of them."""
        inputs, replicates = self.inputs_of(measure), [*of_a, *of_b]
        if tags_of(measure).inputs == "representation":
            replicates = [_as_columns(_as_array(r, "replicates")) for r in replicates]
        return [inputs.x, inputs.y, *replicates], inputs.metadata

    def inputs_of(self, measure):
        """Inputs of one measure; NotApplicable says why there are none."""
        tags = tags_of(measure)
        keywords = _known_of(tags, self.y_true, self.metadata)
        wanted = {tags.inputs, *({"probabilities", "outputs"} & set(tags.requires))}
        # vectors of numbers are grades to measures that take fractions
        are_grades = "outputs" in self.offers and self.arrays[0].ndim == 1
        if are_grades and takes_fractions(measure):
            wanted = wanted - {"labels"}
        if not wanted <= self.offers:
            raise NotApplicable(
                f"it compares {tags.inputs}, and the arrays can be taken for "
                f"{', '.join(sorted(self.offers))} only."
            )
        if self.missing is not None and not tags.missing:
            raise Missing(str(self.missing))
        x, y = self.arrays
        if tags.inputs in ("probabilities", "outputs"):
            keywords = {**keywords, **self.names}
        if tags.inputs == "representation" and not tags.precomputed:
            x, y = _as_columns(x), _as_columns(y)
        plural = "representations" if tags.inputs == "representation" else tags.inputs
        return Inputs(plural, x, y, keywords)


def _refuse_uncomputable(a, b):
    """Raise where no measure could be computed, before the first of them is."""
    for name, array in (("a", a), ("b", b)):
        refuse_foreign(array, name)
        n_rows = num_samples(array)
        if n_rows < 2:
            raise ValueError(
                f"{name} has {'one row' if n_rows else 'no rows'}: a comparison needs "
                "two or more."
            )
        if array.ndim != 1:
            refuse_missing(array, name)
            refuse_unreadable(array, name)
        _refuse_infinite(array, name)
    if a.ndim != b.ndim:
        for name, array in (("a", a), ("b", b)):
            refuse_missing(array, name)
            refuse_unreadable(array, name)


def _missing_labels(**vectors):
    """What is to be said of missing values in vectors, or None."""
    for name, vector in vectors.items():
        try:
            refuse_missing(vector, name)
        except ValueError as error:
            return error
    return None


def _known(vector):
    """The entries of a vector that are not missing."""
    missing = missing_entries(vector)
    if missing is None or not missing.any():
        return vector
    values = np.ma.getdata(vector) if is_masked_array(vector) else np.asarray(vector)
    return values[~missing]


@np.errstate(invalid="ignore")
def _refuse_infinite(array, name):
    xp = get_namespace_and_device(array)[0]
    values = np.asarray(array) if is_numpy(xp) else array
    if getattr(values.dtype, "kind", "f") != "f":
        return
    if is_numpy(xp) or xp.isdtype(values.dtype, "real floating"):
        is_infinite = xp.isinf(values)
        if bool(xp.any(is_infinite)):
            by_row = xp.any(xp.reshape(is_infinite, (values.shape[0], -1)), axis=1)
            row = int(xp.argmax(xp.astype(by_row, xp.int8)))
            raise ValueError(
                f"{name} contains infinite values (infinity), first in row {row}: drop "
                "such rows from both sides, or find out where they come from."
            )


def _offers(a, b, *, are_named):
    """Kinds of input that two arrays can be taken for."""
    if a.ndim == 1 and b.ndim == 1:
        if _is_labels(a) and _is_labels(b):
            return {"labels"}
        numbers = {"representation", "outputs"}
        return numbers | {"labels"} if _is_whole(a) and _is_whole(b) else numbers
    of_one_width = are_named or a.shape == b.shape
    if _is_probabilities(a) and _is_probabilities(b) and of_one_width:
        return {"representation", "probabilities", "outputs"}
    return {"representation"}


def _as_array(array, name):
    """Lists become arrays; tables and tensors stay what they are."""
    is_array = hasattr(array, "shape") and hasattr(array, "ndim")
    if is_array and not isclass(array):
        return array
    grades = order_of_grades({name: array})
    if grades is not None:  # vectors of polars and arrow keep their order
        codes = array.to_list() if hasattr(array, "to_list") else array.to_pylist()
        return pd.Series(pd.Categorical(codes, categories=grades, ordered=True))
    names = column_names(array)
    values = as_values(array, name)
    if values.ndim == 1 and values.dtype.kind in "US":
        values = as_label_array(array, name)  # text may hide what is missing
    # tables of polars and arrow keep the names of their columns
    return values if names is None else pd.DataFrame(values, columns=names)


def _as_columns(array):
    if array.ndim != 1:
        return array
    return array.to_frame() if hasattr(array, "to_frame") else array.reshape(-1, 1)


def _is_labels(array):
    kind = getattr(array.dtype, "kind", None)
    return kind in "biuOSUT" if kind else "int" in str(array.dtype)


def _is_whole(array):
    """Whether these are labels, or may be: numbers that were saved as floats."""
    if _is_labels(array):
        return True
    values = np.asarray(_known(array))
    return values.dtype.kind == "f" and bool(np.all(values == np.round(values)))


def _is_probabilities(array):
    if array.ndim != 2 or array.shape[1] < 2:
        return False
    values = np.asarray(array)
    if values.dtype.kind != "f" or not np.all(values >= 0):
        return False
    with np.errstate(over="ignore"):
        sums = values.sum(axis=1, dtype=np.promote_types(values.dtype, np.float32))
    unit = half_precision_unit(values) or 0
    return bool(np.all(np.abs(sums - 1) <= SIMPLEX_TOLERANCE + unit))


def refuse_order_of_its_own(data, **of_rows):
    """Raise where something is said of rows that come in a random order.

    Parameters
    ----------
    data : array-like or iterable of batches
    **of_rows : array-like or None
    """
    sampler = random_sampler_of(data)
    for name, value in of_rows.items():
        if sampler and value is not None and not is_text(value):
            raise ValueError(
                f"data is a {type(data).__name__} with a {sampler}, which draws an "
                f"order of its own, that {name} can't be in. Make it with "
                f"shuffle=False, or leave out {name}."
            )


def _once(method):
    """Method whose outcome, a value or what it can't be had for, is kept."""

    @wraps(method)
    def kept(self):
        outcomes = vars(self).setdefault("_outcomes", {})
        if method not in outcomes:
            try:
                outcomes[method] = method(self)
            except ValueError as error:
                outcomes[method] = NotApplicable(str(error))
        if isinstance(outcomes[method], NotApplicable):
            raise outcomes[method]
        return outcomes[method]

    return kept


class ModelPair:
    """Two fitted models and the rows that both are applied to.

    Models are run when the first measure needs it, and once for all measures.

    Parameters
    ----------
    a, b : fitted models
    data : array-like of shape (n_samples, n_features), or iterable of batches
        Networks see each batch together, in whatever order batches come.
    y_true : array-like or None
    metadata : dict or None
        What else is known of the rows.
    **known : object
        What is said of the outputs of networks, see `sksim.models._answers.answered`.
    """

    # models could do more than they do: what they can't is worth a line
    tells_why = True

    def __init__(self, a, b, data, y_true=None, metadata=None, **known):
        for name, model in (("a", a), ("b", b)):
            _refuse_no_model(model, name)
        self.models = a, b
        self.data = data
        self.y_true = self.labels = y_true
        self.metadata = metadata
        self.known = known
        self._outputs = {}
        self.kinds = kind_of_each(known.get("outputs"), self.models)
        self._gone_through = None

    def serve(self, measures):
        """Go through data that can be gone through once, for all of the measures.

        Parameters
        ----------
        measures : iterable of BaseSimilarity
        """
        if not hasattr(self.data, "__next__"):
            return
        if not all(map(is_network, self.models)):
            # which take all rows at once, as networks do as well
            self.data, y_true = rows_of(self.data, self.y_true)
            self.y_true = self.labels = y_true
            return
        wanted = {tags_of(measure).inputs for measure in measures}
        self._gone_through = OnePass(self.models, self.data, wanted, **self.known)

    @cached_property
    def _representations(self):
        """Names of the layers that stand for the models, and their arrays."""
        try:
            (name_a, a), (name_b, b) = (
                last_layers(self.models, self.data)
                if self._gone_through is None
                else self._gone_through.layers()
            )
        except NoRepresentation as error:
            raise NotApplicable(str(error)) from error
        return name_a if name_a == name_b else f"{name_a} / {name_b}", a, b

    @property
    def n_samples(self):
        """Number of rows, as far as it is known, or matters for the labels; else 0."""
        known = number_of_rows(self.data)
        return known or (0 if self.labels is None else num_samples(self.labels))

    @_once
    def _answered(self):
        """Both models, ready to be asked, and the true labels of the rows."""
        models, found = (
            answered(self.models, self.data, **self.known)
            if self._gone_through is None
            else self._gone_through.answers()
        )
        self.labels = labels_of_rows(self.data, self.y_true, found)
        return models, self.labels

    @_once
    def _rows(self):
        """All rows in one array, and their true labels."""
        if self._gone_through is None:
            return rows_of(self.data, self.y_true)
        return self._gone_through.rows(self.y_true)

    @property
    def row_names(self):
        """Names of the rows, or None."""
        return first_row_names(self.data, self.y_true)

    def replicates_for(self, measure, of_a, of_b):
        """What a measure compares of a, of b, and of replicates of them."""
        sampler = random_sampler_of(self.data)
        if sampler or self._gone_through is not None or hasattr(self.data, "__next__"):
            raise ValueError(
                "replicates are read after a and b, and need the same rows again in "
                "the same order: pass data as an array, or a loader with shuffle=False."
            )
        inputs, replicates = self.inputs_of(measure), [*of_a, *of_b]
        if tags_of(measure).inputs == "representation":
            views = [view for _, view in last_layers(replicates, self.data)]
            return [inputs.x, inputs.y, *views], inputs.metadata
        kinds = [self.kinds[0]] * len(of_a) + [self.kinds[1]] * len(of_b)
        views = []
        for start in range(0, len(replicates), 2):  # two at a time, the last by itself
            places = [start, min(start + 1, len(replicates) - 1)]
            of_two = [kinds[place] for place in places]
            known = {**self.known, "outputs": of_two if any(of_two) else None}
            two = ModelPair(*(replicates[p] for p in places), self.data, **known)
            outputs = two.inputs_of(measure)
            views += [outputs.x, outputs.y][: len(set(places))]
        return [inputs.x, inputs.y, *views], inputs.metadata

    def _refuse_other_than_logits(self):
        kinds = zip(self.models, self.kinds, strict=True)
        if any(is_torch_module(m) and k not in (None, "logits") for m, k in kinds):
            raise NotApplicable(
                "it takes what a network returns for logits, and outputs="
                f"{self.known['outputs']!r} says that it returns something else."
            )

    def inputs_of(self, measure):
        """Inputs of one measure; NotApplicable says why there are none."""
        tags = tags_of(measure)
        if tags.inputs == "representation":
            keywords = _known_of(tags, self.y_true, self.metadata)
            return Inputs(*self._representations, keywords)
        if tags.inputs == "models":
            return self._models_for(tags)
        if not hasattr(measure, "_outputs_of"):
            raise NotApplicable(f"it compares {tags.inputs}, not models.")
        models, y_true = self._answered()
        keywords = _known_of(tags, y_true, self.metadata)
        try:
            if "y_true" in keywords:
                refuse_unknown_labels(models, y_true)
            outputs = self._outputs_for(measure, models)
        except ValueError as error:
            raise NotApplicable(str(error)) from error
        x, y = _pair_of(outputs.arrays)
        return Inputs(tags.inputs, x, y, {**keywords, "classes": outputs.classes})

    def _outputs_for(self, measure, models):
        """Outputs in a measure's form; models are asked once for all that take one."""
        if type(measure)._outputs_of is not BaseFunctionalSimilarity._outputs_of:
            return measure._outputs_of(models, self.data, None)
        form = tags_of(measure).inputs
        if form not in self._outputs:
            self._outputs[form] = measure._outputs_of(models, self.data, None)
        return self._outputs[form]

    def _models_for(self, tags):
        """The models themselves, and the rows that a measure applies them to."""
        if "data" not in tags.view_keywords:
            return Inputs("models", *self.models, {})
        self._refuse_other_than_logits()
        data, y_true = self._rows()
        _known_of(tags, y_true, self.metadata)
        # labels go along with the rows, whether or not they are required
        keywords = {"data": data, "y_true": y_true}
        models = map(said, self.models, self.kinds)
        return Inputs("models", *models, keywords)


def _refuse_no_model(model, name):
    """Raise where no measure could be computed, before the first of them is."""
    if is_network(model):
        return
    if isclass(model) or hasattr(model, "fit") or not hasattr(model, "predict"):
        check_estimator(model, name)


def _pair_of(arrays):
    """Both models' outputs; measures of groups get them stacked along axis 1."""
    if is_list(arrays):
        return arrays
    return arrays[:, 0], arrays[:, 1]
