"""Gradients of models' outputs with respect to their inputs.

Linear models and scikit-learn's networks, also behind scaling and linear steps, are
chains of simple maps that are differentiated exactly. Torch modules are differentiated
by autograd, other smooth models by finite differences.
"""

import math

import numpy as np
from scipy.special import logsumexp

from sksim._typing import ArrayLike, Model
from sksim.models._chains import exact_chain
from sksim.models._jumps import refuse_piecewise_constant
from sksim.models._torch import module_gradients
from sksim.models._wrapped import check_rows, columns_of_labels, wrap_model

OUTPUTS = ("score", "proba", "log_proba", "log_odds", "margin")

# rows that a model is asked about at once, for finite differences
_BLOCK = 2**15
# numbers of a row, for each of which a model is asked four times
_MOST_FEATURES = 4096
# rows on which an exact chain must agree with the model itself
_CHECKED_ROWS = 100


def input_gradients(
    model: Model, data: ArrayLike, y: ArrayLike | None = None, output: str = "score"
) -> np.ndarray:
    r"""Gradients of a model's output for one class with respect to its input.

    Parameters
    ----------
    model : fitted estimator, torch.nn.Module or CallableModel
        A classifier, a regressor or a Pipeline. The outputs of a torch module are
        taken for scores (logits); its classes are the numbers of its columns. Models
        that are known by their answers, such as :class:`CallableModel`, declare what
        these are.
    data : array-like of shape (n_samples, n_features)
        Rows at which the gradients are taken; for a torch module an array of any shape
        whose first axis is the rows.
    y : array-like of shape (n_samples,), default=None
        The class of each row whose output is differentiated; None for the one that the
        model predicts. For a regressor with several targets the number of the target;
        with one target None.
    output : {"score", "proba", "log_proba", "log_odds", "margin"}, default="score"
        Which output: the score :math:`s_c` (logit or decision function; where a model
        has neither, the logarithm of the probability), the probability :math:`p_c`, its
        logarithm (minus the cross-entropy loss), :math:`\log p_c / (1 - p_c)`, or the
        class's score minus the largest of the other classes. A binary model with a
        single score z has :math:`s = (-z, z)`.

    Returns
    -------
    gradients : array, shaped like data
        Row i is the gradient at row i.

    Raises
    ------
    ValueError
        If the model is piecewise constant (trees, boosting, nearest neighbours), has
        no such output, or never saw a class in y.

    See Also
    --------
    sksim.functional.SaliencySimilarity : Compares two models' gradients.
    sksim.functional.AdversarialTransferability : Uses them to change the models' minds.

    Notes
    -----
    Linear models and ``MLPClassifier`` or ``MLPRegressor`` are differentiated exactly,
    also behind StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler, PCA,
    TruncatedSVD and feature selection in a Pipeline, provided that the chain reproduces
    the model's own outputs on a hundred rows of data. Torch modules are
    differentiated by autograd, in evaluation mode, in their own precision, on their own
    device.

    Everything else takes 4 evaluations of the model for each feature: differences of
    fourth order, with steps of a thousandth of each column's spread. They are accurate
    to about 1e-10 of the output where it is smooth on that scale; what rounding alone
    can explain is set to zero. Steps are longer where a model answers in single
    precision: gradients of smooth networks are then right to about 1e-4.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sksim.models import input_gradients
    >>> X, y = [[-1.0, 0.0], [1.0, 0.5], [2.0, -1.0], [-2.0, 1.0]], [0, 1, 1, 0]
    >>> model = LogisticRegression().fit(X, y)
    >>> gradients = input_gradients(model, X, y)
    >>> (gradients[1] == model.coef_[0]).all(), (gradients[0] == -model.coef_[0]).all()
    (np.True_, np.True_)
    """
    return values_and_gradients(model, data, y, output)[1]


def values_and_gradients(model, X, y=None, output="score"):
    """Values of the output of each row's class, and their gradients.

    See :func:`input_gradients` for the parameters.
    """
    if output not in OUTPUTS:
        raise ValueError(f"output must be one of {OUTPUTS}, got {output!r}.")
    model = wrap_model(model)
    rows = check_rows(X, model.model)
    model.check_width(rows)
    X = rows.values
    if y is not None and np.shape(y) != (len(X),):
        raise ValueError(
            f"y must hold one class for each of the {len(X)} rows, got shape "
            f"{np.shape(y)}."
        )
    if model.is_torch:
        return _torch_gradients(model, X, y, output)
    if model.is_adapted:
        return _of_answers(model, X, y, output)
    refuse_piecewise_constant(model)
    if X.ndim != 2:
        raise ValueError(f"{model} takes rows of features, got shape {X.shape}.")
    columns = _columns_of(model, X, y, output)
    chain = exact_chain(model, X[:: max(1, len(X) // _CHECKED_ROWS)], output)
    if chain is not None:
        return chain.values_and_gradients(X, columns, output)
    return _finite_differences(model, X, columns, output)


def _of_answers(model, X, y, output):
    """Differences of a model's answers, to rows of any shape."""
    n_features = math.prod(X.shape[1:])
    if n_features > _MOST_FEATURES:
        raise ValueError(
            f"{model} is known by its answers alone, of which differences would take "
            f"{4 * n_features} for each row of {n_features} numbers: at most "
            f"{4 * _MOST_FEATURES} are asked for. Pass the torch module that it was "
            "made of, or, to measures that perturb rows, attack=callable."
        )
    columns = _columns_of(model, X, y, output)
    flat = X.reshape(len(X), -1)
    values, gradients = _finite_differences(model, flat, columns, output, X.shape[1:])
    return values, gradients.reshape(X.shape)


def _columns_of(model, X, y, output):
    """Column of the output that each row is about."""
    if model.is_classifier:
        labels = model.labels(X) if y is None else y
        if model.classes is None:
            model.outputs(X[:1])  # which says that labels have no gradients
        return columns_of_labels(labels, model.classes, str(model))
    if output != "score":
        raise ValueError(
            f"{model} is a regressor: its only output is its prediction, "
            "output='score'."
        )
    n_targets = model.outputs(X[:1]).shape[1]
    if y is None and n_targets > 1:
        raise ValueError(
            f"{model} predicts {n_targets} targets: say by y which target's gradient "
            "to take."
        )
    if n_targets == 1:
        return np.zeros(len(X), dtype=int)
    return columns_of_labels(y, np.arange(n_targets), str(model))


# ----- torch --------------------------------------------------------------------------


def _torch_gradients(model, X, y, output):
    import torch

    columns = None if y is None else _numbers_of_columns(y, model)

    def value_of(scores, rows):
        scores = scores.reshape(-1, 1) if scores.ndim == 1 else scores
        if scores.ndim != 2:
            raise ValueError(
                f"{model} returns an array of shape {tuple(scores.shape)}: one row of "
                "scores for each input is needed. Pool the other axes."
            )
        if scores.shape[1] == 1:
            if columns is None and output == "score":
                return scores[:, 0]
            sides = (
                (-scores, scores)
                if output in ("score", "margin")
                else (
                    torch.zeros_like(scores),
                    scores,
                )
            )
            scores = torch.cat(sides, dim=1)
        if columns is None:
            chosen = scores.argmax(dim=1)
        else:
            _check_columns(columns, scores.shape[1], model)
            chosen = torch.as_tensor(columns[rows], device=scores.device)
        chosen = chosen[:, None]
        if output == "score":
            return scores.gather(1, chosen)[:, 0]
        if output in ("margin", "log_odds"):
            others = scores.scatter(1, chosen, -torch.inf)
            rivals = others.amax if output == "margin" else others.logsumexp
            return scores.gather(1, chosen)[:, 0] - rivals(dim=1)
        log_proba = torch.log_softmax(scores, dim=1).gather(1, chosen)[:, 0]
        return log_proba if output == "log_proba" else torch.exp(log_proba)

    return module_gradients(model.model, X, value_of)


def _numbers_of_columns(y, model):
    y = np.asarray(y)
    whole = y.dtype.kind in "iub" or (y.dtype.kind == "f" and (y == np.round(y)).all())
    if not whole:
        raise ValueError(
            f"The classes of {model} are the numbers of its output columns; y must "
            f"hold such numbers, got {y.dtype}."
        )
    return y.astype(np.int64)


def _check_columns(columns, n_columns, model):
    if columns.min() < 0 or columns.max() >= n_columns:
        wrong = columns.min() if columns.min() < 0 else columns.max()
        raise ValueError(
            f"{model} never saw the class {wrong}: its classes are the numbers of its "
            f"{n_columns} output columns, 0 to {n_columns - 1}."
        )


# ----- finite differences -------------------------------------------------------------


def _finite_differences(model, X, columns, output, shape=None):
    """Central differences of fourth order, some features at a time.

    ``shape`` is that of a row, where it is not flat.
    """
    shape = X.shape[1:] if shape is None else shape

    def asked(rows):
        return rows.reshape(len(rows), *shape)

    rivals = None
    if output == "margin":
        scores = model.outputs(asked(X), "score")
        scores[np.arange(len(X)), columns] = -np.inf
        rivals = scores.argmax(axis=1)

    def value_of(A, repeats=1):
        A = asked(A)
        if output in ("log_proba", "log_odds"):
            table = model.log_probabilities(A)
        else:
            table = model.outputs(A, "proba" if output == "proba" else "score")
        rows = np.arange(len(A))
        chosen = np.tile(columns, repeats)
        values = table[rows, chosen]
        if output == "log_odds":
            table[rows, chosen] = -np.inf
            values = values - logsumexp(table, axis=1)
        if rivals is not None:
            values = values - table[rows, np.tile(rivals, repeats)]
        return values

    steps = _difference_steps(X, model.precision)
    gradients = np.empty_like(X)
    n_at_once = max(1, _BLOCK // (4 * len(X)))
    for start in range(0, X.shape[1], n_at_once):
        features = np.arange(start, min(start + n_at_once, X.shape[1]))
        shifted = np.tile(X, (4 * len(features), 1, 1))
        for i, feature in enumerate(features):
            for j, factor in enumerate((-2, -1, 1, 2)):
                shifted[4 * i + j, :, feature] += factor * steps[feature]
        values = value_of(shifted.reshape(-1, X.shape[1]), 4 * len(features))
        values = values.reshape(len(features), 4, len(X))
        with np.errstate(invalid="ignore"):
            inner = 8 * (values[:, 2] - values[:, 1]) - (values[:, 3] - values[:, 0])
        noise = 32 * model.precision * np.max(np.abs(values), axis=1)
        inner = np.where(np.isfinite(inner) & (np.abs(inner) <= noise), 0, inner)
        gradients[:, features] = inner.T / (12 * steps[features])
    if not np.isfinite(gradients).all():
        raise ValueError(
            f"{model} has a probability of exactly 0, whose logarithm has no gradient. "
            "Use another output."
        )
    return value_of(X), gradients


def _difference_steps(X, precision):
    """Step of each feature, a power of 2 so that x + h - x is h.

    A thousandth of a feature's spread in double precision. Rounding and what is left
    out after four orders are in balance at steps as the fifth root of the precision.
    """
    share = 1e-3 * (precision / np.finfo(np.float64).eps) ** 0.2
    spread = X.std(axis=0)
    size = np.max(np.abs(X), axis=0)
    # one row, or a constant column: its size has to stand for its spread
    # a share of the smallest numbers would vanish
    least = 1e-290
    size = np.where(size > least, size, 1.0)
    spread = np.where(spread > np.maximum(1e-9 * size, least), spread, size)
    return 2.0 ** np.round(np.log2(share * spread))
