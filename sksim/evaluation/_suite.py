"""What measures are tried on: each task is a matrix of scores, and tests of it."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from sksim.evaluation._grouping import grouping
from sksim.evaluation._jackknife import Metric, summarised
from sksim.evaluation._layers import layer_identification
from sksim.evaluation._null_drift import drift_result
from sksim.evaluation._probing import (
    drawn_data,
    last_layer,
    probe_result,
    probed_layers,
    recovery_result,
)
from sksim.evaluation._protocols import (
    lineage,
    monotonicity,
    prediction_grounding,
    pruning_order,
)
from sksim.evaluation._result import ProtocolResult
from sksim.evaluation._scoring import KIND_OF_INPUTS

# Copies are found on few rows; on all of them nearly every measure finds all.
_LINEAGE_ROWS = 40
_RECOVERY_ROWS, _N_CANDIDATES = 200, 14
_GROUPED = ("labels", "shortcut", "augment", "family", "classical")
# Measures of models are slow, and tried where that matters most.
_OF_MODELS = ("family", "copies")
# Networks trained with settings of their own: what data may be made of.
_TRAINED = ("base", "labels", "shortcut", "augment", "quality", "family")


@dataclass(frozen=True)
class Task:
    """A matrix of scores, and what is asked of it.

    Attributes
    ----------
    name : str
        Of the matrix.
    tests : dict of str to str
        The main metric of each test.
    run : callable
        Takes the scores; returns the results of the tests and the matrix.
    """

    name: str
    tests: dict
    run: object

    def of(self, tests):
        """The task with those of its tests that are wanted."""
        return replace(self, tests={t: m for t, m in self.tests.items() if t in tests})


def tasks_of(zoo, kind, tests=None, *, n_repeats, n_draws):
    """Everything that measures of a kind are tried on.

    Parameters
    ----------
    zoo : ModelZoo
    kind : {"layers", "labels", "outputs", "models"}
    tests : list of str or None
        Those that are wanted; None for all.
    n_repeats, n_draws : int
        Of the null, and of data sets of a candidate.

    Returns
    -------
    tasks : list of Task
    """
    if kind not in KIND_OF_INPUTS.values():
        return [_not_judged(kind, tests)]
    of_kind = _Inputs(zoo, kind)
    parts = [p for p in _GROUPED if kind != "models" or p in _OF_MODELS]
    tasks = [_grouped(of_kind, part) for part in parts]
    tasks += [_copied(of_kind)]
    if kind != "models":
        tasks += [_quality(of_kind), _null(kind, n_repeats)]
    if kind == "layers":
        tasks += [_layers(zoo), *_recoveries(zoo, n_draws)]
        # probes take seconds
        tasks += [_probe(zoo)] if tests is None or "probe" in tests else []
    tasks = [task for task in tasks if task is not None]
    if tests is None:
        return tasks
    return [part for task in tasks for part in [task.of(tests)] if part.tests]


def _not_judged(kind, tests):
    message = f"The measure compares {kind}, of which a zoo has none."
    tests = dict.fromkeys(["all"] if tests is None else tests, "none")
    return Task(kind, tests, _Raises(message))


class _Inputs:
    """What measures of a kind compare, of the models of a zoo.

    Parameters
    ----------
    zoo : ModelZoo
    kind : {"layers", "labels", "outputs", "models"}
    """

    def __init__(self, zoo, kind):
        self.zoo, self.kind = zoo, kind

    def part(self, name):
        """Records of a part, without models that lack what is compared."""
        records = self.zoo.part(name)
        if self.kind == "layers" and name != "classical":
            has_layers = [bool(self.zoo.layers(m)) for m in records["model_id"]]
            records = records.loc[np.array(has_layers, dtype=bool)]
        return records.reset_index(drop=True)

    def of(self, names, n_rows=None, *, as_outputs=False):
        """Arrays or models by name, and what is known of their rows."""
        zoo, rows = self.zoo, slice(n_rows)
        y_true = zoo.y_true
        if self.kind == "models":
            if zoo.estimators is None:
                raise ValueError(
                    "The measure compares models, which the zoo has not kept: "
                    "make_model_zoo(keep_estimators=True) does."
                )
            known = {"data": zoo.X[rows], "y_true": y_true[rows]}
            return {name: zoo.estimators[name] for name in names}, known
        if self.kind == "layers" and not as_outputs:
            found = {name: last_layer(zoo, name)[rows] for name in names}
            if y_true is not None:
                y_true = y_true[zoo.layer_rows]
        elif self.kind == "labels":
            found = {name: zoo.labels(name)[rows] for name in names}
        else:
            found = {name: zoo.outputs(name)[rows] for name in names}
        return found, {} if y_true is None else {"y_true": y_true[rows]}


def _grouped(inputs, part):
    records = inputs.part(part)
    sizes = records.groupby("level")["model_id"].size()
    if len(sizes) < 2 or sizes.min() < 2:
        return None
    names, levels = records["model_id"].tolist(), records["level"].to_numpy()
    # classical models have no layers: their outputs stand for them
    compared = inputs.of if part != "classical" else partial(inputs.of, as_outputs=True)

    def run(scores, compared):
        found, known = compared
        matrix = scores.matrix(found, **known)
        return {part: grouping(matrix, levels)}, matrix

    return Task(part, {part: "auroc"}, _with(run, compared, names))


def _with(run, compared, names, **options):
    """A task's function, with what is compared taken when it is run, or an error."""
    try:
        found = compared(names, **options)
    except ValueError as error:
        return _Raises(str(error))
    return partial(run, compared=found)


class _Raises:
    """A task that can't be run."""

    def __init__(self, message):
        self.message = message

    def __call__(self, scores):
        raise ValueError(self.message)


def _quality(inputs):
    records = inputs.part("quality")
    if len(records) < 3:
        return None
    names, levels = records["model_id"].tolist(), records["level"].to_numpy()
    targets = {"quality_accuracy": records["accuracy"].to_numpy()}
    for test, outputs in (
        ("quality_disagreement", inputs.zoo.outputs),
        ("quality_shifted", inputs.zoo.outputs_shifted),
    ):
        try:
            labels = np.array([np.argmax(outputs(name), axis=1) for name in names])
        except ValueError:
            continue
        targets[test] = np.mean(labels[:, None] != labels, axis=2)

    def run(scores, compared):
        found, known = compared
        matrix = scores.matrix(found, **known)
        results = {
            test: prediction_grounding(matrix, target, strata=levels)
            for test, target in targets.items()
        }
        return results, matrix

    tests = dict.fromkeys(targets, "spearman")
    return Task("quality", tests, _with(run, inputs.of, names))


def _copied(inputs):
    copies = inputs.part("copies")
    copies = copies[copies["parent"].isin(inputs.zoo.records["model_id"])]
    parents = list(dict.fromkeys(copies["parent"]))
    if len(parents) < 2:
        return None
    levels = copies["level"].astype(str).to_numpy()
    amounts = _amounts(levels)
    own = copies["parent"].to_numpy()
    kinds = list(dict.fromkeys(levels))
    tests = {f"lineage_{kind}": "top1" for kind in kinds}
    has_order = len(set(amounts[~np.isnan(amounts)])) > 1
    if has_order:
        tests["pruning_order"] = "share"

    def run(scores, compared):
        found, known = compared
        Xs = {name: found[name] for name in copies["model_id"]}
        Ys = {name: found[name] for name in parents}
        matrix = scores.matrix(Xs, Ys, **known)
        results = {
            f"lineage_{kind}": lineage(matrix[levels == kind], own[levels == kind])
            for kind in kinds
        }
        if has_order:
            is_pruned = ~np.isnan(amounts)
            results["pruning_order"] = pruning_order(
                matrix[is_pruned], own[is_pruned], amounts[is_pruned]
            )
        return results, matrix

    names = [*copies["model_id"], *parents]
    n_rows = _LINEAGE_ROWS if inputs.kind == "layers" else None
    return Task("copies", tests, _with(run, inputs.of, names, n_rows=n_rows))


def _amounts(levels):
    """How much was pruned; nan of other copies."""
    pruned = pd.Series(levels).str.extract(r"^pruned(\d+)$", expand=False)
    return pruned.astype(float).to_numpy()


def _layers(zoo):
    base = [name for name in zoo.part("base")["model_id"] if zoo.layers(name)]
    names = {tuple(zoo.layers(name)) for name in base}
    if len(base) < 2 or len(names) > 1 or len(*names) < 2:
        return None
    layers = list(*names)
    found = {f"{m}/{key}": v for m in base for key, v in zoo.layers(m).items()}
    y_true = None if zoo.y_true is None else zoo.y_true[zoo.layer_rows]
    tests = {"identification": "accuracy"}
    if len(layers) > 2:
        tests["monotonicity"] = "conformity"

    def run(scores):
        matrix = scores.matrix(found, y_true=y_true)
        rows = np.repeat(base, len(layers))
        results = {"identification": _identified(matrix, rows, layers, base)}
        if len(layers) > 2:
            blocks = {m: matrix.loc[rows == m, rows == m] for m in base}
            results["monotonicity"] = monotonicity(blocks)
        return results, matrix

    return Task("layers", tests, run)


def _identified(matrix, rows, layers, networks):
    """Identification of layers in the form of all protocols."""
    found = layer_identification(matrix, rows, layers=layers, symmetrize=True)
    without = pd.DataFrame({"accuracy": found.leave_one_out.to_numpy()}, index=networks)
    about = {"accuracy": Metric(found.chance)}
    parts = summarised({"accuracy": found.value}, without, None, about)
    return ProtocolResult(*parts)


def _probe(zoo):
    try:
        layers = probed_layers(zoo, "base")
    except ValueError:
        return None

    def run(scores):
        result, matrix = probe_result(scores, layers)
        return {"probe": result}, matrix

    return Task("probe", {"probe": "spearman"}, run)


def _recoveries(zoo, n_draws):
    """Data of units and of mixtures, made of networks of all sorts."""
    records = zoo.records[zoo.records["part"].isin(_TRAINED)]
    has_layers = [bool(zoo.layers(name)) for name in records["model_id"]]
    records = records.loc[np.array(has_layers, dtype=bool)]
    # one of each sort before a second one of any
    order = records.groupby(["part", "level"], sort=False).cumcount()
    names = records["model_id"].iloc[np.argsort(order, kind="stable")]
    names = names[:_N_CANDIDATES].tolist()
    if len(names) < 3:
        return
    candidates = {name: last_layer(zoo, name)[:_RECOVERY_ROWS] for name in names}
    y_true = None
    if zoo.y_true is not None:
        y_true = zoo.y_true[zoo.layer_rows][:_RECOVERY_ROWS]
    for make_data in ("units", "mixed"):
        data = drawn_data(candidates, make_data, n_draws)
        test = f"recovery_{make_data}"
        run = partial(_recovered, test, candidates, data, y_true)
        yield Task(test, {test: "accuracy"}, run)


def _recovered(test, candidates, data, y_true, scores):
    result, matrix = recovery_result(scores, candidates, data, y_true)
    return {test: result}, matrix


def _null(kind, n_repeats):
    def run(scores):
        result, matrix = drift_result(scores, n_repeats=n_repeats)
        return {"null_drift": result}, matrix

    return Task("null_drift", {"null_drift": "drift"}, run)


def leave_one_outs_of(result):
    """Values without each model as a long table.

    Parameters
    ----------
    result : ProtocolResult

    Returns
    -------
    table : DataFrame
        With the columns ``metric``, ``model``, ``stratum`` and ``value``.
    """
    values = result.leave_one_outs
    n_models, n_metrics = values.shape
    return pd.DataFrame(
        {
            "metric": np.repeat(values.columns.to_numpy(), n_models),
            "model": np.tile(values.index.astype(str), n_metrics),
            "stratum": np.tile(result.strata.astype(str), n_metrics),
            "value": values.to_numpy().T.ravel(),
        }
    )
