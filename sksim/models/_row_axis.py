"""Which axis of a layer are the inputs, and which the features, by a small pass.

A network is run on two of the rows before the first batch. The axis of a layer whose
length follows the number of rows is that of the inputs, wherever it stands: first, or
behind time (recurrent layers), or multiplied by windows or tokens.
"""

from dataclasses import dataclass, field
from math import prod

# Two passes of a network differ by the order of summation. Half precision leaves 1e-2
# of the largest entry, and other inputs differ by about as much as the entries are.
_TOLERANCE = 1e-2

_CHANNELS_FIRST = (
    "Conv",
    "BatchNorm",
    "InstanceNorm",
    "GroupNorm",
    "MaxPool",
    "AvgPool",
    "AdaptiveAvgPool",
    "AdaptiveMaxPool",
    "LPPool",
)
_FEATURES_LAST = (
    "Linear",
    "Bilinear",
    "Embedding",
    "LSTM",
    "GRU",
    "RNN",
    "MultiheadAttention",
    "Transformer",
)


class NoRows(ValueError):
    """A layer has no row for each input; the message is the reason."""


def _shape_for(tensor, n_rows):
    return f"its output has the shape {tuple(tensor.shape)} for {n_rows} inputs"


@dataclass(frozen=True)
class Place:
    """Where a layer has its rows and its features.

    Attributes
    ----------
    number : int
        Which of the tensors that the module returns.
    axis : int
        Axis of the inputs.
    rows_first : bool
        Whether what multiplies the inputs along that axis changes faster than they do.
    channels_first : bool
        Whether the features are the axis right after the inputs, not the last.
    """

    number: int = 0
    axis: int = 0
    rows_first: bool = True
    channels_first: bool = False

    def rows_of(self, tensors, n_rows):
        """Tensor whose first axis is the inputs, and its axis of features.

        Raises NoRows where the output is not like the one that the place was found by.
        """
        if self.number >= len(tensors):
            raise NoRows("it returned fewer tensors than before")
        tensor = tensors[self.number]
        if tensor.ndim <= self.axis or tensor.shape[self.axis] % n_rows:
            raise NoRows(_shape_for(tensor, n_rows))
        times = tensor.shape[self.axis] // n_rows
        tensor = tensor.movedim(self.axis, 0) if self.axis else tensor
        features = 1 if self.channels_first else tensor.ndim - 1
        if times == 1:
            return tensor, features
        if self.rows_first:
            tensor = tensor.reshape(n_rows, times, *tensor.shape[1:])
        else:
            tensor = tensor.reshape(times, n_rows, *tensor.shape[1:]).movedim(1, 0)
        return tensor, features + 1


@dataclass
class SmallPass:
    """What the layers returned for a few rows.

    Attributes
    ----------
    n_rows : int
        How many rows passed.
    seen : dict of str to list of (shape, values or None)
        Tensors of each call; values of those that may have no row in front.
    channels_first : dict of str to bool
        Whether the features of a layer come right after its inputs.
    """

    n_rows: int
    seen: dict = field(default_factory=dict)
    channels_first: dict = field(default_factory=dict)
    _known: tuple = (0, False)

    def note(self, key, module, tensors):
        """Remember the output of a module."""
        self.seen[key] = [
            (tuple(t.shape), None if self._is_in_front(t) else t.detach().clone())
            for t in tensors
        ]
        if tensors:
            self.channels_first[key] = self._has_channels_first(module, tensors[0])

    def _is_in_front(self, tensor):
        return tensor.ndim == 0 or len(tensor) == self.n_rows

    def place_of(self, key, tensors, n_rows):
        """Place of a layer; NoRows says why there is none.

        Parameters
        ----------
        key : str
            Name of the call.
        tensors : list of tensor
            What the module returned for all rows of the batch.
        n_rows : int
            How many these are.
        """
        problems = [NoRows("it returns no tensor")]
        for number, tensor in enumerate(tensors):
            known = self.seen.get(key, ())
            small = known[number] if number < len(known) else None
            try:
                axis, rows_first = self._axis_of(small, tensor, n_rows)
            except NoRows as problem:
                problems.append(problem)
                continue
            channels_first = axis == 0 and self.channels_first.get(key, False)
            return Place(number, axis, rows_first, channels_first)
        raise problems[1 if tensors else 0]

    def _axis_of(self, small, tensor, n_rows):
        """Axis of the inputs, and whether these change slower along it than others."""
        shape = tuple(tensor.shape)
        if small is None:  # another way through the network, or no small pass
            if shape[:1] == (n_rows,):
                return 0, True
            raise NoRows(_shape_for(tensor, n_rows))
        before, values = small
        candidates = []
        if len(before) == len(shape):
            candidates = [
                axis
                for axis, length in enumerate(before)
                if length % self.n_rows == 0
                and shape[axis] == length // self.n_rows * n_rows
                and shape[axis] != length
            ]
        if not candidates:
            raise NoRows(
                "no axis of its output follows the number of inputs: its shape is "
                f"{before} for {self.n_rows} inputs and {shape} for {n_rows}"
            )
        axis = candidates[0]
        if before[axis] == self.n_rows:
            return axis, True
        for rows_first in (True, False):
            if values is not None and self._agrees(values, tensor, axis, rows_first):
                return axis, rows_first
        raise NoRows(
            f"axis {axis} of its output is {before[axis] // self.n_rows} times as long "
            "as there are inputs, in an order that is not that of the inputs"
        )

    def _agrees(self, values, tensor, axis, rows_first):
        """Whether a tensor begins with what a few of its rows gave by themselves."""
        n_rows = tensor.shape[axis] // (values.shape[axis] // self.n_rows)
        place = Place(0, axis, rows_first)
        few, _ = place.rows_of([values], self.n_rows)
        all_rows, _ = place.rows_of([tensor], n_rows)
        n_common = min(n_rows, self.n_rows)
        few, same = few[:n_common].float(), all_rows[:n_common].float()
        if few.shape != same.shape or prod(few.shape) == 0:
            return False
        return float((few - same).abs().max()) <= _TOLERANCE * float(few.abs().max())

    def _has_channels_first(self, module, tensor):
        """Whether axis 1 is that of the features, and not the last one."""
        shape = tensor.shape
        if tensor.ndim < 3:
            return False
        is_first = _is_first_by_kind(module, shape)
        if is_first is None:
            is_first = self._is_first_by_shape(shape)
        else:
            self._known = shape[1] if is_first else shape[-1], is_first
        return is_first

    def _is_first_by_shape(self, shape):
        """Layout of a module that may have any: as before, or as shapes tell."""
        n_channels, is_first = self._known
        if n_channels and (shape[1] == n_channels) != (shape[-1] == n_channels):
            return shape[1] == n_channels
        if n_channels and shape[1] == n_channels:
            return is_first
        return has_channels_first(shape)


def has_channels_first(shape):
    """Whether maps of a shape look as if their features were axis 1."""
    if len(shape) <= 3:
        return False
    return shape[1] != shape[2] or shape[2] == shape[3]


def _is_first_by_kind(module, shape):
    """Whether features are axis 1, by the kind of module; None if it does not tell."""
    names = [cls.__name__ for cls in type(module).__mro__ if _is_of_torch(cls)]
    widths = getattr(module, "normalized_shape", None)
    ends = shape[1], shape[-1]
    if widths is not None and len(widths) == 1 and ends.count(widths[0]) == 1:
        return widths[0] == shape[1]
    if any(name.startswith(_CHANNELS_FIRST) for name in names):
        return True
    if any(name.startswith(_FEATURES_LAST) for name in names) or widths is not None:
        return False
    return None


def _is_of_torch(cls):
    return cls.__module__.startswith("torch.nn.modules")
