"""What the models of a zoo are trained on, and how."""

import copy
import warnings
import zlib
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax
from sklearn.datasets import load_digits
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from sksim._parallel import on_one_blas_thread
from sksim.models import extract_representations

# Raised whenever the same parameters give other models.
RECIPE_VERSION = 1
KINDS = ("digits", "digits-shifted", "digits-noise")
PARTS = (
    *("base", "labels", "shortcut", "augment", "quality", "family", "classical"),
    "copies",
)
# A quick zoo has one model in place of several that are made alike.
SHARED_WITH_BASE = {"labels": 0, "augment": 0, "family": "relu64x5"}

_N_TRAIN = 1000
_N_LAYER_ROWS = 300
_N_CLASSIFIED = 800
_N_CLASSES = 10
# Of the rows of "digits-noise": accuracy .76 in place of .98.
_ROW_NOISE = 0.35
_COPY_NOISE, _TUNING_EPOCHS, _N_NOISY = 0.25, 10, 3
# In 30 epochs only .47 of random labels are learned, in 60 .88.
_QUICK_LABEL_EPOCHS = 120

_FAMILY = {
    "relu64x5": ((64,) * 5, "relu"),
    "tanh64x5": ((64,) * 5, "tanh"),
    "relu128x2": ((128,) * 2, "relu"),
    "relu32x5": ((32,) * 5, "relu"),
    "relu64x2": ((64,) * 2, "relu"),
}
_LEVELS = {
    "full": {
        "base": ("",),
        "labels": (0, 25, 50, 75, 100),
        "shortcut": (0, 25, 50, 75, 100),
        "augment": (0, 25, 50, 75, 100),
        "quality": (50, 100, 200, 400, 800),
        "family": tuple(_FAMILY),
        "classical": (
            *("forest", "extra_trees", "boosting", "svc", "neighbors", "logistic"),
            *("naive_bayes", "mlp"),
        ),
        "copies": ("pruned30", "pruned50", "pruned70", "tuned", "distilled"),
    },
    "quick": {
        "base": ("",),
        "labels": (50, 100),
        "shortcut": (0, 50, 100),
        "augment": (50, 100),
        "quality": (100, 400),
        "family": ("tanh64x5", "relu128x2"),
        "classical": ("forest", "svc", "neighbors", "logistic"),
        "copies": ("tuned", "distilled"),
    },
}
# Without the shortcut, whose rows have columns of their own: 75 models of five seeds.
QUICK_PARTS = tuple(part for part in PARTS if part != "shortcut")
_EPOCHS = {"quick": 30, "full": 60}


@dataclass(frozen=True)
class Plan:
    """A model that is to be made."""

    part: str
    level: object
    seed: int
    init_seed: int
    data_seed: int
    epochs: int

    @property
    def model_id(self):
        """Name of the model."""
        level = f"-{self.level}" if self.level != "" else ""
        return f"{self.part}{level}-{self.seed}"

    @property
    def parent(self):
        """Name of the model that it is a copy of, or an empty string."""
        return f"base-{self.seed}" if self.part == "copies" else ""


def plans(size, parts, n_seeds, entropy, *, share_seeds):
    """All models of a zoo.

    Parameters
    ----------
    size : {"quick", "full"}
    parts : sequence of str
    n_seeds, entropy : int
    share_seeds : bool
        Whether models of one seed begin with the same weights, level by level.

    Returns
    -------
    plans : list of Plan
    """
    found = []
    for part in parts:
        for level in _LEVELS[size][part]:
            for seed in range(n_seeds):
                place = zlib.crc32(f"{part}-{level}".encode())
                key = (seed,) if share_seeds else (seed, place)
                (init_seed,) = _words(entropy, *key, n_words=1)
                _, data_seed = _words(entropy, seed, place, n_words=2)
                is_slow = size == "quick" and part == "labels"
                epochs = _QUICK_LABEL_EPOCHS if is_slow else _EPOCHS[size]
                found.append(Plan(part, level, seed, init_seed, data_seed, epochs))
    return found


def _words(entropy, *key, n_words):
    sequence = np.random.SeedSequence(entropy, spawn_key=key)
    # scikit-learn takes 32 bits
    return [int(word) for word in sequence.generate_state(n_words, np.uint32)]


@dataclass(frozen=True)
class ZooRows:
    """Rows that the models are trained on, and rows that they are compared on.

    The last columns are empty but for the models that are given a shortcut.
    """

    X_train: np.ndarray
    y_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    X_shifted: np.ndarray
    hint: np.ndarray

    @property
    def layer_rows(self):
        """Numbers of the compared rows of which layers are kept."""
        return np.arange(_N_LAYER_ROWS)


def zoo_rows(kind, entropy):
    """Rows of a kind of data.

    Parameters
    ----------
    kind : {"digits", "digits-shifted", "digits-noise"}
    entropy : int

    Returns
    -------
    rows : ZooRows
    """
    rng = np.random.default_rng(np.random.SeedSequence(entropy))
    X, y = load_digits(return_X_y=True)
    order = rng.permutation(len(y))
    X, y = X[order] / 16, y[order]
    if kind == "digits-shifted":
        X = _shifted(X, rng)
    if kind == "digits-noise":
        X = X + _ROW_NOISE * rng.normal(size=X.shape)
    train, test = slice(None, _N_TRAIN), slice(_N_TRAIN, None)
    # says nothing of the label
    hint = _one_hot(rng.integers(_N_CLASSES, size=len(y[test])))
    return ZooRows(
        X_train=_with_hint(X[train]),
        y_train=y[train],
        X_test=_with_hint(X[test]),
        y_test=y[test],
        X_shifted=_with_hint(_shifted(X[test], rng)),
        hint=hint,
    )


def _shifted(X, rng):
    """Images of 8 x 8 moved by up to a pixel each way."""
    padded = np.pad(X.reshape(-1, 8, 8), [(0, 0), (1, 1), (1, 1)])
    starts = rng.integers(3, size=(len(X), 2))
    images = zip(padded, starts, strict=True)
    return np.stack([im[i : i + 8, j : j + 8].ravel() for im, (i, j) in images])


def _one_hot(labels):
    return np.eye(_N_CLASSES)[labels]


def _with_hint(X, hint=None):
    hint = np.zeros((len(X), _N_CLASSES)) if hint is None else hint
    return np.concatenate([X, hint], axis=1).astype(np.float32)


@dataclass(frozen=True)
class Made:
    """What is kept of a model."""

    plan: Plan
    layers: dict
    outputs: np.ndarray
    outputs_shifted: np.ndarray
    accuracy: float
    train_accuracy: float
    estimator: object


@on_one_blas_thread
def make(plan, rows, parent, keep):
    """Train a model, and apply it to the compared rows.

    Parameters
    ----------
    plan : Plan
    rows : ZooRows
    parent : estimator or None
        What a copy is made of.
    keep : bool
        Whether the estimator is wanted.

    Returns
    -------
    made : Made
    """
    rng = np.random.default_rng(plan.data_seed)
    with warnings.catch_warnings():
        # the number of epochs is part of the recipe
        warnings.simplefilter("ignore", ConvergenceWarning)
        model, X, y = _TRAIN[plan.part](plan, rows, rng, parent)
    X_test, X_shifted = rows.X_test, rows.X_shifted
    if plan.part == "shortcut":
        X_test, X_shifted = (_hinted(X, rows.hint) for X in (X_test, X_shifted))
    outputs = _outputs(model, X_test)
    layers = {}
    if isinstance(model, MLPClassifier):
        layers = extract_representations(model, X_test[rows.layer_rows])
        layers.pop("output")
    return Made(
        plan=plan,
        layers=layers,
        outputs=outputs,
        outputs_shifted=_outputs(model, X_shifted),
        accuracy=float(np.mean(np.argmax(outputs, axis=1) == rows.y_test)),
        train_accuracy=float(np.mean(model.predict(X) == y)),
        estimator=model if keep else None,
    )


def _hinted(X, hint):
    return _with_hint(X[:, :-_N_CLASSES], hint)


def _outputs(model, X):
    if isinstance(model, SVC):
        return softmax(model.decision_function(X), axis=1)
    probabilities = model.predict_proba(X).astype(float)
    return probabilities / probabilities.sum(axis=1, keepdims=True)


def _network(plan, hidden=(64,) * 5, activation="relu"):
    return MLPClassifier(
        hidden,
        activation=activation,
        alpha=0,
        learning_rate_init=2e-3,
        batch_size=100,
        max_iter=plan.epochs,
        tol=0,
        n_iter_no_change=plan.epochs + 1,
        random_state=plan.init_seed,
    )


# ----- each part: the model, and the rows that it was trained on ----------------------


def _train_base(plan, rows, rng, parent):
    return _network(plan).fit(rows.X_train, rows.y_train), rows.X_train, rows.y_train


def _train_labels(plan, rows, rng, parent):
    y = rows.y_train.copy()
    redrawn = rng.permutation(len(y))[: len(y) * plan.level // 100]
    y[redrawn] = rng.integers(_N_CLASSES, size=len(redrawn))
    return _network(plan).fit(rows.X_train, y), rows.X_train, y


def _train_shortcut(plan, rows, rng, parent):
    labels = rng.integers(_N_CLASSES, size=len(rows.y_train))
    is_right = rng.random(len(labels)) < plan.level / 100
    hint = _one_hot(np.where(is_right, rows.y_train, labels))
    X = _hinted(rows.X_train, hint)
    return _network(plan).fit(X, rows.y_train), X, rows.y_train


def _train_augment(plan, rows, rng, parent):
    X = _noisy(rows.X_train, plan.level / 100, rng)
    return _network(plan).fit(X, rows.y_train), X, rows.y_train


def _noisy(X, deviation, rng):
    pixels = X[:, :-_N_CLASSES]
    return _with_hint(pixels + deviation * rng.normal(size=pixels.shape))


def _train_quality(plan, rows, rng, parent):
    # of fifty rows drawn without regard to class some classes have one
    chosen, _ = train_test_split(
        np.arange(len(rows.y_train)),
        train_size=plan.level,
        stratify=rows.y_train,
        random_state=plan.data_seed,
    )
    X, y = rows.X_train[chosen], rows.y_train[chosen]
    model = _network(plan).set_params(batch_size=min(100, plan.level))
    return model.fit(X, y), X, y


def _train_family(plan, rows, rng, parent):
    model = _network(plan, *_FAMILY[plan.level])
    return model.fit(rows.X_train, rows.y_train), rows.X_train, rows.y_train


def _train_classical(plan, rows, rng, parent):
    chosen = rng.permutation(len(rows.y_train))[:_N_CLASSIFIED]
    X, y = rows.X_train[chosen], rows.y_train[chosen]
    return _CLASSICAL[plan.level](plan).fit(X, y), X, y


_CLASSICAL = {
    "forest": lambda plan: RandomForestClassifier(random_state=plan.init_seed),
    "extra_trees": lambda plan: ExtraTreesClassifier(random_state=plan.init_seed),
    "boosting": lambda plan: HistGradientBoostingClassifier(
        max_iter=50, early_stopping=False, random_state=plan.init_seed
    ),
    "svc": lambda plan: SVC(random_state=plan.init_seed),
    "neighbors": lambda plan: KNeighborsClassifier(7),
    "logistic": lambda plan: LogisticRegression(max_iter=1000),
    # empty columns have no variance: the default, 1e-9, makes .80 of .83
    "naive_bayes": lambda plan: GaussianNB(var_smoothing=1e-2),
    "mlp": _network,
}


def _train_copies(plan, rows, rng, parent):
    if plan.level == "distilled":
        # of the rows that it was trained on a teacher knows the labels, and no more
        noisy = [_noisy(rows.X_train, _COPY_NOISE, rng) for _ in range(_N_NOISY)]
        X = np.concatenate([rows.X_train, *noisy])
        y = parent.predict(X)
        return _network(plan, (48,) * 3).fit(X, y), X, y
    model = copy.deepcopy(parent)
    if plan.level == "tuned":
        model.set_params(random_state=np.random.RandomState(plan.init_seed))
        for _ in range(_TUNING_EPOCHS):
            X = _noisy(rows.X_train, _COPY_NOISE, rng)
            model.partial_fit(X, rows.y_train)
        return model.set_params(random_state=plan.init_seed), X, rows.y_train
    _prune(model, int(plan.level.removeprefix("pruned")) / 100)
    return model, rows.X_train, rows.y_train


def _prune(model, share):
    """Set the smallest weights to zero, but for those of empty columns and outputs."""
    first, *inner, _ = model.coefs_
    pruned = [first[:-_N_CLASSES], *inner]
    sizes = np.concatenate([np.abs(weights).ravel() for weights in pruned])
    threshold = np.quantile(sizes, share)
    for weights in pruned:
        weights[np.abs(weights) < threshold] = 0


_TRAIN = {
    "base": _train_base,
    "labels": _train_labels,
    "shortcut": _train_shortcut,
    "augment": _train_augment,
    "quality": _train_quality,
    "family": _train_family,
    "classical": _train_classical,
    "copies": _train_copies,
}
