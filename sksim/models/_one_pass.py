"""Data that can be gone through once: all that is wanted of two networks at once."""

from contextlib import contextmanager

from sksim.models._answers import Asking, kind_of_each, rows_of
from sksim.models._last_layers import LastLayers


class OnePass:
    """What batches that come once say of networks.

    What can't be had is an error where it is asked for, and does not keep the rest from
    being found.

    Parameters
    ----------
    models : sequence of networks
    data : iterator of batches
    wanted : set of str
        What measures take: "representation", "models" (and all rows), or outputs.
    outputs, classes : as of `sksim.models._answers.answered`
    """

    def __init__(self, models, data, wanted, *, outputs=None, classes=None):
        self.models, self.data = list(models), data
        kinds = kind_of_each(outputs, self.models)
        makers = {
            "representation": lambda: LastLayers(
                {(id(model), None): model for model in self.models}
            ),
            "outputs": lambda: Asking(self.models, kinds, classes),
            "models": _Batches,
        }
        others = wanted - {"representation", "models"}
        wanted = (wanted - others) | ({"outputs"} if others else set())
        self._errors, self._parts = {}, {}
        for name in wanted:
            with self._part_of(name):
                self._parts[name] = makers[name]()
        for batch in data:
            for name in [*self._parts]:
                with self._part_of(name):
                    self._parts[name].add(batch)

    @contextmanager
    def _part_of(self, name):
        """Context whose error ends one part: what it has kept is of no use."""
        try:
            yield
        except ValueError as error:
            self._errors[name] = error
            self._parts.pop(name, None)

    def _found(self, name):
        if name in self._errors:
            raise self._errors[name]
        return self._parts[name]

    def layers(self):
        """Name and array of the last layer before each model's answer."""
        found = self._found("representation").found(self.data)
        return [found[id(model), None] for model in self.models]

    def answers(self):
        """Models that know their answers, and labels that came with the batches."""
        return self._found("outputs").found(self.data)

    def rows(self, y_true):
        """All rows in one array, and their true labels."""
        return rows_of(self._found("models").found(), y_true)


class _Batches:
    """Inputs and labels of all batches."""

    def __init__(self):
        self._batches = []

    def add(self, batch):
        """Keep a batch, unless rows can't be taken together."""
        rows_of([batch])
        self._batches.append(batch)

    def found(self):
        """All batches."""
        return self._batches
