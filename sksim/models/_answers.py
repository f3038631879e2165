"""What networks answer, and what their answers are: logits, probabilities, labels.

A network that was run on some rows becomes an estimator that knows its answers to
them, so that measures treat all models alike.
"""

from collections.abc import Mapping
from contextlib import ExitStack, nullcontext

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator

from sksim.models._adapters import adapted, is_adaptable
from sksim.models._batches import batches_of, is_cut, random_sampler_of
from sksim.models._callable import KINDS
from sksim.models._torch import is_torch_module

# rows that pass through a network at once
_BATCH = 256
# keys of a mapping under which data sets keep the true labels
_LABEL_KEYS = ("labels", "label")

# Rounded to bfloat16, the softmax of 2 to 1000 normal logits, with deviations of .1 to
# 10, summed to 1 within 2.9e-3, and rounded to float16 within 4e-4.
_SUM_TOLERANCE = 4e-3


def is_network(model):
    """Whether a model's answers may be anything, so that their kind must be said."""
    if isinstance(model, BaseEstimator):
        return False
    return is_torch_module(model) or is_adaptable(model)


def answered(models, data, *, outputs=None, classes=None, batch_size=None):
    """Models whose answers can be asked for; networks have been run on the data.

    Parameters
    ----------
    models : sequence of fitted models
    data : array-like or iterable of batches
        Iterables are gone through once: each batch is given to every network.
    outputs : str, sequence of str or None
        Kind of the networks' answers: one of ``KINDS``, or one for each model.
    classes : sequence or None
        Class of each column, or one such sequence for each model.
    batch_size : int, default=None
        Rows that pass through the networks at once.

    Returns
    -------
    models : list
        Networks as estimators that know their answers, others as they were.
    y_true : array of shape (n_samples,) or None
        True labels that came with the batches.
    """
    models = list(models)
    kinds = kind_of_each(outputs, models)
    if not any(is_network(model) for model in models):
        return models, None
    asking = Asking(models, kinds, classes)
    others = [model for model in models if not is_network(model)]
    if others and not is_cut(data):
        raise ValueError(
            f"data is a {type(data).__name__}, whose batches {_names(others)} can't "
            "take: pass an array of all rows, which networks take as well."
        )
    batches, _ = batches_of(data, batch_size or _BATCH, as_arrays=False)
    for batch in batches:
        asking.add(batch)
    return asking.found(data)


class Asking:
    """Networks that are asked for their answers to one batch after the other.

    Parameters
    ----------
    models : list of fitted models
        Those that are no networks are left as they are.
    kinds : list of str or None
        Kind of each model's answers.
    classes : sequence or None
        Class of each column, or one such sequence for each model.
    """

    def __init__(self, models, kinds, classes=None):
        self.models, self.kinds = models, kinds
        networks = {id(model): model for model in models if is_network(model)}
        self._readers = {key: _reader(model) for key, model in networks.items()}
        readers = [self._readers.get(id(model)) for model in models]
        self._classes = _classes_of_each(classes, readers)
        self._answers = _Answers(self._readers)

    def add(self, batch):
        """Ask all networks for their answers to a batch."""
        self._answers.add(batch)

    def found(self, data):
        """Models that know their answers, and true labels; see `answered`."""
        answers, y_true = self._answers.found(data)
        found = [
            _as_estimator(model, answers[id(model)], kind, own)
            if id(model) in answers
            else model
            for model, kind, own in zip(
                self.models, self.kinds, self._classes, strict=True
            )
        ]
        return found, y_true


def network_outputs(model, data, *, outputs=None, classes=None, batch_size=None):
    """What a network returns, and what follows from its kind where that is known.

    See `answered` for the parameters.
    """
    (kind,) = kind_of_each(outputs, [model])
    reader = _reader(model)
    (classes,) = _classes_of_each(classes, [reader])
    answers, _ = _run({0: reader}, data, batch_size)
    values, declared = answers[0]
    found = {"outputs": values}
    if kind is None and declared is None:
        return found
    known = _as_estimator(model, answers[0], kind, classes)
    if isinstance(known, Labels | Probabilities):
        found["labels"] = known.predict()
    else:
        found["predictions"] = known.predict()
    if isinstance(known, Probabilities):
        found["probabilities"] = known.predict_proba()
    if isinstance(known, Logits):
        found["logits"] = known.values
    return found


def _names(models):
    return " and ".join(dict.fromkeys(type(model).__name__ for model in models))


def kind_of_each(outputs, models):
    """Kind of each model's answers, or None; a ValueError for words that say nothing.

    Parameters
    ----------
    outputs : str, sequence of str or None
    models : list of fitted models
    """
    if outputs is not None and not any(is_network(model) for model in models):
        raise ValueError(
            f"outputs={outputs!r} says what networks return, but the models are "
            f"{_names(models)}, which say it themselves, by their methods."
        )
    if outputs is None or isinstance(outputs, str):
        kinds = [outputs] * len(models)
    else:
        kinds = list(outputs)
        if len(kinds) != len(models):
            raise ValueError(
                f"outputs has {len(kinds)} entries for {len(models)} models: pass one "
                "kind for all, or one for each."
            )
    for kind in kinds:
        if kind is not None and kind not in KINDS:
            raise ValueError(f"outputs must be one of {KINDS}, got {kind!r}.")
    return kinds


def _classes_of_each(classes, readers):
    if classes is None:
        return [getattr(reader, "classes", None) for reader in readers]
    classes = list(classes)
    is_nested = not any(isinstance(c, str) or np.ndim(c) == 0 for c in classes)
    if is_nested and len(classes) != len(readers):
        raise ValueError(
            f"classes has {len(classes)} entries for {len(readers)} models: pass the "
            "class of each column, or one such list for each model."
        )
    return classes if is_nested else [classes] * len(readers)


# ----- running networks ---------------------------------------------------------------


class _TorchNetwork:
    """A torch module, one batch at a time."""

    def __init__(self, module):
        # which needs sksim.base, where measures need this file
        from sksim.models._layer_reader import TorchReader

        self.reader = TorchReader(module, "output")

    def _running(self):
        return nullcontext()

    def _answer_to(self, batch):
        """Array, kind where it is declared, and number of the batch's items used."""
        batch = np.asarray(batch) if hasattr(batch, "iloc") else batch
        values = self.reader.read(batch)["output"].cpu().numpy()
        is_tuple = isinstance(batch, list | tuple)
        return values, self.reader.kind, self.reader._count(batch) if is_tuple else 0


def _reader(model):
    return _TorchNetwork(model) if is_torch_module(model) else adapted(model)


def _run(readers, data, batch_size):
    """Answers of each network, as (array, kind), and the labels among the data."""
    batches, _ = batches_of(data, batch_size or _BATCH, as_arrays=False)
    answers = _Answers(readers)
    for batch in batches:
        answers.add(batch)
    return answers.found(data)


class _Answers:
    """Answers of networks to batches, and the labels that came with these."""

    def __init__(self, readers):
        self.readers = readers
        self._parts = {key: [] for key in readers}
        self._labels = []

    def add(self, batch):
        """Answers to one more batch."""
        for key, reader in self.readers.items():
            with reader._running():
                *answer, n_inputs = reader._answer_to(batch)
            self._parts[key].append(answer)
        self._labels.append(_labels_in(batch, n_inputs))

    def found(self, data):
        """Answers of each network, as (array, kind), and labels or None."""
        if not self._labels:
            raise ValueError(
                f"data ({type(data).__name__}) has no rows. A generator that was gone "
                "through has none left: pass list(data)."
            )
        answers = {
            key: (np.concatenate([values for values, _ in own]), own[0][1])
            for key, own in self._parts.items()
        }
        is_labelled = not any(part is None for part in self._labels)
        return answers, np.concatenate(self._labels) if is_labelled else None


def answer_of(model, rows):
    """Estimator that knows a model's answers to rows, and the answers.

    Parameters
    ----------
    model : CallableModel
    rows : array-like
    """
    answers, _ = _run({0: model}, rows, None)
    values, declared = answers[0]
    known = _as_estimator(model, (values, declared), model._said, model.classes)
    return known, values


class Asked:
    """Models that are asked for their answers batch by batch.

    Parameters
    ----------
    models : sequence of fitted models
    outputs, classes : as of `answered`
    """

    def __init__(self, models, *, outputs=None, classes=None):
        self.models = list(models)
        self._kinds = kind_of_each(outputs, self.models)
        self._readers = {id(m): _reader(m) for m in self.models if is_network(m)}
        readers = [self._readers.get(id(model)) for model in self.models]
        self._classes = _classes_of_each(classes, readers)

    def ask(self, batch):
        """Answers to a batch.

        Returns
        -------
        models : list
            Networks as estimators that know their answers, others as they were.
        rows : object
            What the others are applied to.
        y_true : array of shape (n_samples,) or None
            True labels that came with the batch.
        """
        with ExitStack() as stack:
            for reader in self._readers.values():
                stack.enter_context(reader._running())
            answers = {
                k: reader._answer_to(batch) for k, reader in self._readers.items()
            }
        found = [
            _as_estimator(model, answers[id(model)][:2], kind, own)
            if id(model) in answers
            else model
            for model, kind, own in zip(
                self.models, self._kinds, self._classes, strict=True
            )
        ]
        n_inputs = max((answer[2] for answer in answers.values()), default=1)
        rows = batch[0] if isinstance(batch, list | tuple) else batch
        return found, rows, _labels_in(batch, n_inputs)


# ----- networks that know their answers -----------------------------------------------


class Predictions:
    """Numbers that a network predicts, under the names of scikit-learn's methods."""

    kind = "predictions"
    _estimator_type = "regressor"

    def __init__(self, values, name, classes=None):
        self.name = name
        self.values = values
        if self.values.ndim == 2 and self.values.shape[1] == 1:
            self.values = self.values[:, 0]

    def predict(self, data=None):
        """Predictions of the rows that the network was run on."""
        return self.values

    def refuse(self, method):
        """Raise since these answers can't give what a method returns."""
        wanted = "probabilities" if method == "predict_proba" else "scores"
        raise ValueError(
            f"The outputs of {self.name} are {self.kind}, which have no {wanted}: "
            "choose another measure, or a network that returns logits."
        )


class Labels(Predictions):
    """Classes, or their numbers, that a network returns."""

    kind = "labels"
    _estimator_type = "classifier"

    def __init__(self, values, name, classes=None):
        super().__init__(values, name)
        labels = self.values
        is_whole = labels.dtype.kind in "biuSU" or np.array_equal(labels, labels // 1)
        if labels.ndim != 1 or not is_whole:
            raise ValueError(
                f"outputs='labels' of {name}: labels are one whole number for each "
                f"row, got shape {labels.shape} and {labels.dtype}. Rows of scores are "
                "outputs='logits'."
            )
        if labels.dtype.kind == "f":
            labels = labels.astype(np.int64)
        self.values = labels
        if classes is not None:
            self.classes_ = np.asarray(classes)
            n_classes = len(self.classes_)
            if len(labels) and not 0 <= labels.min() <= labels.max() < n_classes:
                raise ValueError(
                    f"{name} returns the labels {labels.min()} to {labels.max()}, but "
                    f"classes has {n_classes} entries: labels are their numbers."
                )
            self.values = self.classes_[labels]
        else:
            self.classes_ = np.unique(labels)


class Scores(Predictions):
    """A column for each class, of which the largest is the answer.

    So much is known of logits and of probabilities alike, and needs no word.
    """

    kind = "scores"
    _estimator_type = "classifier"

    def __init__(self, values, name, classes=None):
        values = values.astype(np.float64, copy=False)
        columns = values[:, None] if values.ndim == 1 else values
        if columns.ndim != 2:
            raise ValueError(
                f"{name} returns an array of shape {values.shape}: one row with a "
                f"column for each class is needed, as {self.kind} of an input. Pool "
                "the other axes, or return one row for each token or pixel, with "
                "sksim.models.CallableModel."
            )
        if not np.isfinite(columns).all():
            row = int(np.argmin(np.isfinite(columns).all(axis=1)))
            raise ValueError(
                f"{name} returns NaN or infinity in row {row}: it diverged in "
                "training, or the row holds such numbers."
            )
        self.name = name
        self.values = columns
        n_classes = max(2, columns.shape[1])
        self.are_numbered = classes is None
        self.classes_ = np.asarray(range(n_classes) if classes is None else classes)
        if len(self.classes_) != n_classes:
            raise ValueError(
                f"classes has {len(self.classes_)} entries, but {name} returns "
                f"{columns.shape[1]} columns, which are {n_classes} classes."
            )

    def predict(self, data=None):
        """Class of the largest entry of each row."""
        return self.classes_[self.values.argmax(axis=1)]

    def refuse(self, method):
        """Raise since it is not known what the scores are."""
        raise ValueError(_question(self.name))


class Probabilities(Scores):
    """Probabilities of the classes; a single column is that of the second."""

    kind = "probabilities"

    def __init__(self, values, name, classes=None):
        super().__init__(values, name, classes)
        self._check()

    def _check(self):
        is_wrong = (self.values < 0).any(axis=1) | (self.values > 1).any(axis=1)
        if self.values.shape[1] > 1:
            sums = self.values.sum(axis=1)
            is_wrong = is_wrong | (np.abs(sums - 1) > _SUM_TOLERANCE)
        if is_wrong.any():
            row = int(np.argmax(is_wrong))
            raise ValueError(
                f"outputs='probabilities' of {self.name}: row {row} holds "
                f"{np.round(self.values[row, :5], 3).tolist()}, which are no "
                "probabilities that sum to 1. Scores and log probabilities are "
                "outputs='logits'."
            )
        if self.values.shape[1] > 1:  # networks of 16 bits round them
            self.values = self.values / sums[:, None]

    def predict(self, data=None):
        """Class of the largest probability; of one column the second above one half."""
        if self.values.shape[1] > 1:
            return super().predict()
        return self.classes_[(self.predict_proba()[:, 1] > 0.5).astype(int)]

    def predict_proba(self, data=None):
        """Probabilities of the classes."""
        if self.values.shape[1] == 1:
            return np.hstack([1 - self.values, self.values])
        return self.values

    def refuse(self, method):
        """Raise since these answers can't give what a method returns."""
        Predictions.refuse(self, method)


class Logits(Probabilities):
    """Scores of the classes, of which the softmax makes probabilities."""

    kind = "logits"

    def _check(self):
        """Logits may be any numbers."""

    def predict_proba(self, data=None):
        """Softmax of the scores; of one column z the logistic of -z and z."""
        if self.values.shape[1] == 1:
            return np.hstack([expit(-self.values), expit(self.values)])
        return softmax(self.values, axis=1)

    def decision_function(self, data=None):
        """Scores; a single column as a vector."""
        return self.values[:, 0] if self.values.shape[1] == 1 else self.values


_ESTIMATORS = {cls.kind: cls for cls in (Logits, Probabilities, Labels, Predictions)}


def _as_estimator(model, answer, kind, classes):
    values, declared = answer
    name = type(model).__name__
    if kind is not None and declared is not None and kind != declared:
        raise ValueError(
            f"outputs={kind!r}, but {name} returns an object that declares "
            f"{declared}: leave outputs out, or say outputs={declared!r}."
        )
    kind = kind or declared
    if kind is not None:
        return _ESTIMATORS[kind](values, name, classes)
    if values.dtype.kind == "f" and values.ndim == 2 and values.shape[1] > 1:
        return Scores(values, name, classes)
    raise ValueError(_question(name))


def _question(name):
    return (
        f"{name} is a network, whose outputs may be logits, probabilities, labels or "
        "predictions: say which by outputs='logits', 'probabilities', 'labels' or "
        "'predictions' (of a regression)."
    )


def refuse_unknown_labels(models, y_true):
    """Raise where true labels can't be numbers of a network's columns.

    Parameters
    ----------
    models : sequence
        Estimators, some of which may be networks that know their answers.
    y_true : array-like of shape (n_samples,) or None
    """
    if y_true is None:
        return
    y_true = y_true.detach().cpu() if hasattr(y_true, "detach") else y_true
    seen = np.unique(np.asarray(y_true))
    for model in models:
        if not getattr(model, "are_numbered", False):
            continue
        if seen.dtype.kind not in "biuf" or not np.isin(seen, model.classes_).all():
            raise ValueError(
                f"y_true has the classes {seen.tolist()[:5]}, but the columns of "
                f"{model.name} are numbered 0 to {len(model.classes_) - 1}: pass "
                "classes=[...] with the class of each column."
            )


# ----- labels that come with the rows -------------------------------------------------


def _labels_in(batch, n_inputs):
    """True labels that come with a batch, or None.

    Parameters
    ----------
    batch : object
    n_inputs : int
        Number of items of a tuple that models take.
    """
    if isinstance(batch, Mapping):
        found = next((batch[key] for key in _LABEL_KEYS if key in batch), None)
    elif isinstance(batch, list | tuple) and len(batch) == n_inputs + 1 > 1:
        found = batch[-1]
    else:
        return None
    if np.ndim(found) != 1:
        return None
    return np.asarray(found.detach().cpu() if hasattr(found, "detach") else found)


def rows_of(data, y_true=None):
    """All rows as one array, and their labels, for what needs them together.

    Parameters
    ----------
    data : array-like, or iterable of batches
        Of batches that are tuples the first item is taken.
    y_true : array-like of shape (n_samples,) or None
        None takes those that come with the batches.
    """
    if isinstance(data, Mapping):
        raise ValueError(
            "it takes rows as one array, and data is a mapping. Wrap the models in "
            "modules that take one tensor."
        )
    if is_cut(data):
        return data, y_true
    parts, labels = [], []
    for batch in data:
        if isinstance(batch, Mapping):
            raise ValueError(
                "it takes rows as one array, and the batches are mappings. Wrap the "
                "models in modules that take one tensor."
            )
        labels.append(_labels_in(batch, 1))
        first = batch[0] if isinstance(batch, list | tuple) else batch
        parts.append(np.asarray(first.cpu() if hasattr(first, "cpu") else first))
    if not parts:
        raise ValueError(f"data ({type(data).__name__}) has no rows.")
    is_labelled = not any(part is None for part in labels)
    found = np.concatenate(labels) if is_labelled else None
    return np.concatenate(parts), labels_of_rows(data, y_true, found)


def labels_of_rows(data, y_true, found):
    """True labels: those that are given, else those that came with the batches.

    Parameters
    ----------
    data : array-like or iterable of batches
    y_true : array-like of shape (n_samples,) or None
    found : array of shape (n_samples,) or None
    """
    if y_true is None:
        return found
    sampler = random_sampler_of(data)
    if sampler:
        raise ValueError(
            f"data is a {type(data).__name__} with a {sampler}, which draws an order "
            "of its own, that y_true can't be in: leave y_true out, and let the "
            "batches bring their labels, or make it with shuffle=False."
        )
    return y_true
