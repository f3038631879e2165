"""Models that differ in known ways, to judge measures by."""

import hashlib
import json
import os
from collections.abc import Hashable, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import sklearn
from sklearn.datasets import get_data_home
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed

from sksim._progress import ProgressBar
from sksim._sklearn_compat import Interval, StrOptions, validate_params
from sksim._typing import ArrayLike, Model, RandomState
from sksim.datasets._zoo_recipe import (
    KINDS,
    PARTS,
    QUICK_PARTS,
    RECIPE_VERSION,
    SHARED_WITH_BASE,
    make,
    plans,
    zoo_rows,
)

_COLUMNS = (
    *("model_id", "part", "level", "seed", "init_seed", "parent", "accuracy"),
    "train_accuracy",
)


class ModelZoo:
    """Models of known kinship: what they compute on common rows.

    Made by :func:`make_model_zoo`, or of one's own models by :meth:`from_arrays`.

    Parameters
    ----------
    records : DataFrame
        One row for each model: ``model_id``, ``part`` (what it was made for),
        ``level`` (what was done to it), ``seed``, ``init_seed`` (of its first weights),
        ``parent`` (the model that it is a copy of), ``accuracy`` and
        ``train_accuracy``.
    layers : dict of dict of str to ndarray
        What the method :meth:`layers` gives.
    outputs, outputs_shifted : dict of ndarray
        What the methods of the same names give.
    y_true : ndarray of shape (n_samples,) or None
        True labels of the rows.
    classes : ndarray of shape (n_classes,) or None
        Names of the columns of outputs.
    layer_rows : ndarray of int
        Which of the rows the layers are of.
    X : ndarray of shape (n_samples, n_features) or None
        The rows that the models were applied to; those of the part "shortcut" had the
        last columns filled with what says nothing.
    estimators : dict of str to estimator, or None
        The fitted models, where they were kept.
    recipe : dict
        What the models were made of, with versions, and its ``hash``.
    shared : dict
        Levels that the models of "base" stand in for, by part.
    name : str
        The kind of data.

    See Also
    --------
    make_model_zoo : Trains the models.
    sksim.evaluation.evaluate_measures : Judges measures by them.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.datasets import ModelZoo
    >>> rng = np.random.default_rng(0)
    >>> layers = {name: {"last": rng.normal(size=(20, 4))} for name in "abcd"}
    >>> records = {"model_id": list("abcd"), "part": "base", "level": [0, 0, 1, 1]}
    >>> zoo = ModelZoo.from_arrays(records, layers)
    >>> zoo
    ModelZoo('own', 4 models: 4 base)
    >>> zoo.layers("a")["last"].shape
    (20, 4)
    """

    def __init__(
        self,
        *,
        records,
        layers,
        outputs,
        outputs_shifted,
        y_true,
        classes,
        layer_rows,
        X,
        estimators,
        recipe,
        shared,
        name,
    ):
        self.records = records
        self.y_true, self.classes = y_true, classes
        self.layer_rows, self.X = layer_rows, X
        self.estimators = estimators
        self.recipe, self.name = recipe, name
        self._layers, self._shared = layers, shared
        self._outputs, self._outputs_shifted = outputs, outputs_shifted

    @classmethod
    def from_arrays(
        cls,
        records: pd.DataFrame | Mapping,
        layers: Mapping[Hashable, Mapping[str, ArrayLike]] | None = None,
        outputs: Mapping[Hashable, ArrayLike] | None = None,
        *,
        outputs_shifted: Mapping[Hashable, ArrayLike] | None = None,
        y_true: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        layer_rows: ArrayLike | None = None,
        estimators: Mapping[Hashable, Model] | None = None,
        name: str = "own",
    ) -> Self:
        """Zoo of models that were trained elsewhere.

        Parameters
        ----------
        records : DataFrame or dict
            One row for each model, with ``model_id``, ``part`` and ``level``; ``seed``,
            ``init_seed``, ``parent`` and ``train_accuracy`` if they are known.
            ``accuracy`` is computed where outputs and labels are given without it.
        layers : dict of dict of str to array, default=None
            For each model its layers, from the first to the last, each of shape
            (n_layer_rows, n_features_of_the_layer).
        outputs : dict of array of shape (n_samples, n_classes), default=None
            For each model its probabilities.
        outputs_shifted : dict of array of shape (n_samples, n_classes), default=None
            The same on rows that are somewhat out of place.
        y_true : array-like of shape (n_samples,), default=None
            True labels of the rows.
        classes : array-like of shape (n_classes,), default=None
            Names of the columns of outputs; None for the sorted labels of ``y_true``.
        layer_rows : array-like of int, default=None
            Which rows of outputs and labels the layers are of; None for all.
        estimators : dict of fitted models, default=None
            The models themselves, for measures that need them.
        name : str, default="own"
            What the data are called in tables.

        Returns
        -------
        zoo : ModelZoo
            With checked arrays.

        Raises
        ------
        ValueError
            If models have two records or none, or arrays do not fit each other.
        """
        records = _checked_records(records)
        known = records["model_id"].tolist()
        layers = {
            key: {name: np.asarray(layer) for name, layer in of_model.items()}
            for key, of_model in _of_known("layers", layers, known).items()
        }
        outputs = _arrays_of_known("outputs", outputs, known)
        shifted = _arrays_of_known("outputs_shifted", outputs_shifted, known)
        n_samples = _common_length("outputs", outputs)
        if y_true is not None:
            y_true = np.asarray(y_true)
            n_samples = len(y_true) if n_samples is None else n_samples
            if y_true.shape != (n_samples,):
                raise ValueError(
                    f"y_true must have one label for each of the {n_samples} rows of "
                    f"outputs, got the shape {y_true.shape}."
                )
        classes = _checked_classes(classes, y_true, outputs)
        layer_rows = _checked_layer_rows(layer_rows, layers, n_samples)
        if "accuracy" not in records and outputs and y_true is not None:
            if set(outputs) != set(known):
                raise ValueError(
                    "records needs the column 'accuracy' unless there are outputs of "
                    "every model."
                )
            predicted = [classes[np.argmax(outputs[key], axis=1)] for key in known]
            records["accuracy"] = [float(np.mean(p == y_true)) for p in predicted]
        others = [column for column in records if column not in _COLUMNS]
        return cls(
            records=records.reindex(columns=[*_COLUMNS, *others]),
            layers=layers,
            outputs=outputs,
            outputs_shifted=shifted,
            y_true=y_true,
            classes=classes,
            layer_rows=layer_rows,
            X=None,
            estimators=None if estimators is None else dict(estimators),
            recipe={},
            shared={},
            name=name,
        )

    def __repr__(self):
        counts = self.records["part"].value_counts(sort=False)
        parts = ", ".join(f"{n} {part}" for part, n in counts.items())
        return f"ModelZoo({self.name!r}, {len(self.records)} models: {parts})"

    def part(self, name: str) -> pd.DataFrame:
        """Records of the models that were made for one comparison.

        Parameters
        ----------
        name : str
            Such as "labels".

        Returns
        -------
        records : DataFrame
            Where a quick zoo has no models of a level that differ in nothing from those
            of "base", these stand in, with that level.
        """
        found = self.records[self.records["part"] == name]
        if name in self._shared and len(found):
            base = self.records[self.records["part"] == "base"]
            base = base.assign(part=name, level=self._shared[name])
            base["level"] = base["level"].astype(object)
            found = pd.concat([base, found])
        return found.reset_index(drop=True)

    def layers(self, model_id: Hashable) -> dict[str, np.ndarray]:
        """Hidden layers of a model on some of the rows.

        Parameters
        ----------
        model_id : str
            Name of the model.

        Returns
        -------
        layers : dict of str to ndarray
            From the first to the last; empty for models without layers.
        """
        self._refuse_unknown(model_id)
        return dict(self._layers.get(model_id, {}))

    def outputs(self, model_id: Hashable) -> np.ndarray:
        """Probabilities of a model on all rows.

        Parameters
        ----------
        model_id : str
            Name of the model.

        Returns
        -------
        outputs : ndarray of shape (n_samples, n_classes)
            Rows that sum to 1.
        """
        return self._one_of(self._outputs, model_id, "outputs")

    def outputs_shifted(self, model_id: Hashable) -> np.ndarray:
        """Probabilities of a model on rows that are somewhat out of place.

        Parameters
        ----------
        model_id : str
            Name of the model.

        Returns
        -------
        outputs : ndarray of shape (n_samples, n_classes)
            Rows that sum to 1.
        """
        return self._one_of(self._outputs_shifted, model_id, "outputs_shifted")

    def labels(self, model_id: Hashable) -> np.ndarray:
        """Predictions of a model on all rows.

        Parameters
        ----------
        model_id : str
            Name of the model.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            The class of the largest probability.
        """
        return self.classes[np.argmax(self.outputs(model_id), axis=1)]

    def _one_of(self, arrays, model_id, name):
        self._refuse_unknown(model_id)
        if model_id not in arrays:
            raise ValueError(
                f"The zoo has no {name} of model {model_id!r}. Pass {name}= to "
                "ModelZoo.from_arrays."
            )
        return arrays[model_id]

    def _refuse_unknown(self, model_id):
        if model_id not in set(self.records["model_id"]):
            raise ValueError(
                f"The zoo has no model {model_id!r}: its records name all models."
            )


@validate_params(
    {
        "kind": [StrOptions(set(KINDS))],
        "size": [StrOptions({"quick", "full"})],
        "n_seeds": [Interval(Integral, 1, None, closed="left")],
        "parts": ["array-like", None],
        "share_seeds": ["boolean"],
        "keep_estimators": ["boolean"],
        "random_state": ["random_state"],
        "n_jobs": [int, None],
        "data_home": [str, os.PathLike, None, StrOptions({""}), "boolean"],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def make_model_zoo(
    kind: str = "digits",
    size: str = "quick",
    n_seeds: int = 5,
    *,
    parts: Sequence[str] | None = None,
    share_seeds: bool = False,
    keep_estimators: bool = False,
    random_state: RandomState | None = 0,
    n_jobs: int | None = None,
    data_home: str | os.PathLike | bool | None = None,
    verbose: int = 0,
) -> ModelZoo:
    """Train models that differ in known ways, on the digits of scikit-learn.

    ===========  =====================================================================
    part         models, for each seed
    ===========  =====================================================================
    base         a network of five hidden layers of 64 units
    labels       0, 25, 50, 75 or 100 % of the training labels drawn anew
    shortcut     ten more columns name the class, rightly in 0 to 100 % of the training
                 rows; in the compared rows they say nothing
    augment      noise on the training rows, of a standard deviation of 0 to 100 % of
                 the range of a pixel
    quality      trained on 50, 100, 200, 400 or 800 rows
    family       networks of other activation, width or depth
    classical    forests, boosting, SVC, neighbours, logistic regression, naive Bayes
                 and a network, on 800 of the 1000 training rows
    copies       of the base: 30, 50 or 70 % of the weights pruned, tuned on noisy
                 rows, or distilled into a smaller network
    ===========  =====================================================================

    Every model starts from a seed of its own: if models of two levels began with the
    same weights, they would be more alike than models of one level.

    Parameters
    ----------
    kind : {"digits", "digits-shifted", "digits-noise"}, default="digits"
        The rows as they are (accuracy about .98), moved by up to a pixel (.83), or with
        noise (.80). The second and the third have more rows on which models differ.
    size : {"quick", "full"}, default="quick"
        "full": 39 models for each seed, 60 epochs. "quick": 15 for each seed, 30 epochs
        (the part labels 120): three levels, the base being the lowest of "labels" and
        "augment" and one of "family", and no shortcut unless ``parts`` names it.
    n_seeds : int, default=5
        How many models of each sort.
    parts : sequence of str, default=None
        Which parts; None for those of the size. "base" is always there.
    share_seeds : bool, default=False
        Whether models of one seed begin with the same weights, whatever their part and
        level: an experiment about what goes wrong then.
    keep_estimators : bool, default=False
        Whether to keep the fitted models; they are never stored.
    random_state : int, RandomState instance or None, default=0
        Seed of the rows and of the models.
    n_jobs : int, default=None
        Number of models that are trained at a time; changes no model.
    data_home : path, False or None, default=None
        Folder in which what the models compute is stored as arrays, under a name made
        of the recipe and the versions of numpy and scikit-learn, and found again; None
        for ``sksim`` in scikit-learn's, False for none. With a ``random_state`` that is
        no number nothing is stored.
    verbose : int, default=0
        Whether to show progress on standard error.

    Returns
    -------
    zoo : ModelZoo
        Layers are of 300 rows, outputs of 797, none of which a model was trained on.

    Raises
    ------
    ValueError
        If there is no such part, or a stored file is not readable.

    See Also
    --------
    sksim.evaluation.evaluate_measures : Judges measures by a zoo.

    Notes
    -----
    A quick zoo of five seeds takes half a minute of one core, a full one minutes. The
    same recipe gives the same numbers on one machine; on another one the sums of its
    linear algebra differ in their last digits, and so do the models.

    Examples
    --------
    >>> from sksim.datasets import make_model_zoo
    >>> zoo = make_model_zoo(n_seeds=2, parts=["quality"], data_home=False)
    >>> zoo
    ModelZoo('digits', 6 models: 2 base, 4 quality)
    >>> zoo.layers("quality-400-1")["hidden_5"].shape
    (300, 64)
    """
    parts = checked_parts(parts, size)
    is_reproducible = isinstance(random_state, Integral)
    entropy = random_state if is_reproducible else None
    if entropy is None:
        entropy = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    recipe = recipe_of(kind, size, parts, n_seeds, share_seeds, entropy)
    path = None
    if is_reproducible and data_home is not False:
        path = _folder(data_home) / f"zoo-{kind}-{size}-{recipe['hash']}.npz"
    rows = zoo_rows(kind, recipe["random_state"])
    shared = SHARED_WITH_BASE if size == "quick" else {}
    if path is not None and path.exists() and not keep_estimators:
        return _stored(path, rows, recipe, shared)
    todo = plans(size, parts, n_seeds, recipe["random_state"], share_seeds=share_seeds)
    made = _make_all(todo, rows, n_jobs, verbose, keep_estimators=keep_estimators)
    zoo = _zoo_of(made, rows, recipe, shared, keep_estimators=keep_estimators)
    if path is not None:
        _store(zoo, path)
    return zoo


def recipe_of(kind, size, parts, n_seeds, share_seeds, entropy):
    """What decides on the models, with the versions of what trains them, and a hash.

    Parameters
    ----------
    kind, size, parts, n_seeds, share_seeds : as of `make_model_zoo`
    entropy : int
        Seed.

    Returns
    -------
    recipe : dict
    """
    recipe = {
        "kind": kind,
        "size": size,
        "parts": checked_parts(parts, size),
        "n_seeds": int(n_seeds),
        "share_seeds": bool(share_seeds),
        "random_state": int(entropy),
        "version": RECIPE_VERSION,
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
    }
    text = json.dumps(recipe).encode()
    return {**recipe, "hash": hashlib.sha256(text).hexdigest()[:16]}


def checked_parts(parts, size):
    """Names of parts in the order of the recipe, with the base."""
    if parts is None:
        return list(PARTS if size == "full" else QUICK_PARTS)
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise ValueError(f"parts must be a list of names among {PARTS}, got {parts!r}.")
    return [part for part in PARTS if part == "base" or part in parts]


def _make_all(todo, rows, n_jobs, verbose, *, keep_estimators):
    """All models, in order: those that have parents after these."""
    made = {}
    with ProgressBar(len(todo), "models", enabled=verbose > 0) as bar:
        for of_copies in (False, True):
            chosen = [p for p in todo if (p.part == "copies") is of_copies]
            jobs = [
                delayed(make)(
                    plan,
                    rows,
                    made[plan.parent].estimator if plan.parent else None,
                    keep_estimators or plan.part == "base",
                )
                for plan in chosen
            ]
            for result in Parallel(n_jobs=n_jobs, return_as="generator")(jobs):
                made[result.plan.model_id] = result
                bar.step(result.plan.model_id)
    return [made[plan.model_id] for plan in todo]


def _zoo_of(made, rows, recipe, shared, *, keep_estimators):
    records = [
        {
            "model_id": m.plan.model_id,
            "part": m.plan.part,
            "level": m.plan.level,
            "seed": m.plan.seed,
            "init_seed": m.plan.init_seed,
            "parent": m.plan.parent,
            "accuracy": m.accuracy,
            "train_accuracy": m.train_accuracy,
        }
        for m in made
    ]
    arrays = {
        "layers": {m.plan.model_id: m.layers for m in made},
        "outputs": {m.plan.model_id: m.outputs for m in made},
        "outputs_shifted": {m.plan.model_id: m.outputs_shifted for m in made},
    }
    estimators = None
    if keep_estimators:
        estimators = {m.plan.model_id: m.estimator for m in made}
    return _assembled(records, arrays, rows, recipe, shared, estimators)


def _assembled(records, arrays, rows, recipe, shared, estimators=None):
    return ModelZoo(
        records=_frame(records),
        **arrays,
        y_true=rows.y_test,
        classes=np.unique(rows.y_test),
        layer_rows=rows.layer_rows,
        X=rows.X_test,
        estimators=estimators,
        recipe=recipe,
        shared=shared,
        name=recipe["kind"],
    )


def _frame(records):
    frame = pd.DataFrame(records, columns=list(_COLUMNS))
    return frame.astype({"level": object})


# ----- on disk ------------------------------------------------------------------------


def _folder(data_home):
    folder = Path(get_data_home(data_home)) / "sksim"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _store(zoo, path):
    """Write a zoo's arrays, and its records as text: nothing that is run when read."""
    arrays = {"records": np.array(json.dumps(zoo.records.to_dict("list")))}
    for number, model_id in enumerate(zoo.records["model_id"]):
        arrays[f"{number}/outputs"] = zoo.outputs(model_id)
        arrays[f"{number}/outputs_shifted"] = zoo.outputs_shifted(model_id)
        for name, layer in zoo.layers(model_id).items():
            arrays[f"{number}/layers/{name}"] = layer
    # another process may write the same file, or read it
    beside = path.with_name(f"{path.stem}-{os.getpid()}.npz")
    np.savez(beside, **arrays)
    os.replace(beside, path)


def _stored(path, rows, recipe, shared):
    try:
        with np.load(path, allow_pickle=False) as file:
            stored = {name: file[name] for name in file.files}
        records = _frame(json.loads(str(stored.pop("records"))))
    except Exception as error:
        raise ValueError(
            f"The stored models in {path} can't be read ({error}). Delete the file: "
            "they are then made again."
        ) from error
    names = records["model_id"].tolist()
    arrays = {
        "layers": {name: {} for name in names},
        "outputs": {},
        "outputs_shifted": {},
    }
    for key, array in stored.items():
        number, kind, *layer = key.split("/")
        of_kind, model_id = arrays[kind], names[int(number)]
        if layer:
            of_kind[model_id][layer[0]] = array
        else:
            of_kind[model_id] = array
    return _assembled(records, arrays, rows, recipe, shared)


# ----- arrays of others ---------------------------------------------------------------


def _checked_records(records):
    records = pd.DataFrame(records).reset_index(drop=True)
    missing = {"model_id", "part", "level"} - set(records.columns)
    if missing:
        raise ValueError(
            f"records lacks the columns {sorted(missing)}: each model needs a name "
            "(model_id), what it was made for (part), and what was done to it (level)."
        )
    twice = records["model_id"][records["model_id"].duplicated()]
    if len(twice):
        raise ValueError(f"records has two rows of model {twice.iloc[0]!r}.")
    if not len(records):
        raise ValueError("records is empty: there are no models.")
    return records


def _of_known(name, given, known):
    given = dict(given or {})
    unknown = [key for key in given if key not in set(known)]
    if unknown:
        raise ValueError(
            f"{name} has model {unknown[0]!r}, of which there is no record."
        )
    return given


def _arrays_of_known(name, given, known):
    given = _of_known(name, given, known)
    arrays = {key: np.asarray(array, dtype=float) for key, array in given.items()}
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) > 1 or any(len(shape) != 2 for shape in shapes):
        raise ValueError(
            f"{name} must be of one shape, (n_samples, n_classes), for all models, got "
            f"{sorted(shapes)}."
        )
    return arrays


def _common_length(name, arrays):
    return len(next(iter(arrays.values()))) if arrays else None


def _checked_classes(classes, y_true, outputs):
    if classes is None and y_true is not None:
        classes = np.unique(y_true)
    if classes is None or not outputs:
        return None if classes is None else np.asarray(classes)
    n_columns = next(iter(outputs.values())).shape[1]
    if len(classes) != n_columns:
        raise ValueError(
            f"outputs has {n_columns} columns, but there are {len(classes)} classes in "
            "y_true: pass classes=, the names of the columns."
        )
    return np.asarray(classes)


def _checked_layer_rows(layer_rows, layers, n_samples):
    """Numbers of the rows that layers are of; all layers have as many."""
    lengths = {
        len(layer) for of_model in layers.values() for layer in of_model.values()
    }
    if len(lengths) > 1:
        raise ValueError(
            f"layers have {sorted(lengths)} rows: all must be of the same rows."
        )
    n_rows = lengths.pop() if lengths else n_samples
    if layer_rows is None:
        if n_samples is not None and n_rows != n_samples:
            raise ValueError(
                f"layers have {n_rows} rows, outputs or labels {n_samples}: pass "
                "layer_rows=, the numbers of the rows that layers are of."
            )
        return np.arange(n_rows or 0)
    layer_rows = np.asarray(layer_rows)
    if layer_rows.shape != (n_rows,):
        raise ValueError(
            f"layer_rows must have one number for each of the {n_rows} rows of layers, "
            f"got the shape {layer_rows.shape}."
        )
    return layer_rows
