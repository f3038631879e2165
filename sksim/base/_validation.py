"""Checks of what users pass: the argument, the problem and the way out, in one line."""

import warnings
from contextlib import contextmanager
from numbers import Real

import array_api_compat
import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_array, validate_data

from sksim._sklearn_compat import get_feature_names
from sksim.arrays._namespace import (
    get_namespace_and_device,
    is_numpy,
    move_to,
    row_sums,
    to_numpy,
)
from sksim.arrays._sparse_rows import SparseRows, is_sparse
from sksim.base._given import check_given, given_kind
from sksim.base._readable import (
    as_values,
    has_dtype,
    has_masked_entries,
    is_list,
    is_text,
    missing_named,
    readable,
    refuse_foreign,
    refuse_missing,
)
from sksim.base._tags import ROW_METADATA, tags_of

# Rows of probabilities from single-precision networks sum to one only this closely.
SIMPLEX_TOLERANCE = 1e-5


@contextmanager
def gradients_are_kept():
    """Context without warnings of what scikit-learn does to tensors with gradients.

    It looks at their values, which are checked, and not at what comes of them.
    """
    with warnings.catch_warnings():
        for message in ("Converting a tensor with req", "torch.asarray: unspec"):
            warnings.filterwarnings("ignore", message=message)
        yield


def check_representation_pair(
    measure, X, y, *, reset, min_samples=None, may_be_sparse=True
):
    """Validate two representations and bring them to one namespace and precision.

    Where the measure's tag ``precomputed`` says so, they are given matrices of all
    pairs of rows.

    Parameters
    ----------
    measure : BaseSimilarity
        The estimator that is fitted (``reset=True``) or applied.
    X, y : array-like
        The representations; ``y`` may be None when only X is transformed.
    reset : bool
        Whether to learn the numbers of features, or to check them.
    min_samples : int, default=None
        Fewest rows; None for as many as the measure needs.
    may_be_sparse : bool, default=True
        Whether sparse rows are taken, by measures that have the tag ``sparse``.

    Returns
    -------
    X, y : arrays of shape (n_samples, n_features) and (n_samples, n_features_y)
        In float64, or in float32 if both are; sparse ones as `SparseRows`.
    xp : module
        Array namespace of both.
    """
    xp, _, device = get_namespace_and_device(X)
    if min_samples is None:
        min_samples = measure._min_samples()
    options = {"min_samples": min_samples, "may_be_sparse": may_be_sparse}
    X = _check_matrix(measure, X, "X", reset=reset, **options)
    if y is None:
        if reset:
            refuse_missing_y(measure)
        return X, None, xp
    y = _check_matrix(measure, y, "y", reset=reset, **options)
    if is_sparse(X) or is_sparse(y):
        _refuse_tensors_beside(X, y)
    else:
        y = move_to(y, xp=xp, device=device)
    tags = tags_of(measure)
    if tags.paired or "y_true" in tags.view_keywords:
        check_same_length(X, y)
    if X.dtype != y.dtype:
        X, y = (xp.astype(array, xp.float64, copy=False) for array in (X, y))
    return X, y, xp


def refuse_missing_y(measure):
    """Raise about a second representation that was not passed."""
    raise ValueError(
        f"{type(measure).__name__} requires y to be passed, but the target y is None. "
        "y is the second representation."
    )


def refuse_other_kind(measure, other):
    """Raise unless ``other``, which is to be merged, is of the same class."""
    if type(other) is not type(measure):
        raise ValueError(
            f"other is {type(other).__name__}, but {type(measure).__name__} can only "
            "be merged with its own kind."
        )


def refuse_unlike(measure, other):
    """Raise unless two measures of one class have seen rows of the same kind."""
    name = type(measure).__name__
    own, others = (
        {k: repr(v) for k, v in m.get_params().items() if k != "random_state"}
        for m in (measure, other)
    )
    if own != others:
        raise ValueError(
            f"The parameters of both {name} must be the same to merge them, but they "
            f"are {measure!r} and {other!r}."
        )
    for attribute, which in (("n_features_in_", "X"), ("n_features_y_in_", "y")):
        own, others = (getattr(m, attribute, None) for m in (measure, other))
        if own != others:
            raise ValueError(
                f"{which} has {others} features in other, but {name} was fitted with "
                f"{own}: both must have seen rows of the same representations."
            )


# scikit-learn's search for NaN sums entries, which may overflow; what overflows in a
# measure ends as a number or as rows that are not finite, which are refused by name
overflow_is_silent = np.errstate(over="ignore", invalid="ignore")


@overflow_is_silent
def _check_matrix(measure, array, name, **options):
    with readable(array, name, both_axes=tags_of(measure).precomputed):
        return _read_matrix(measure, array, name, **options)


def _read_matrix(measure, array, name, *, reset, min_samples, may_be_sparse=False):
    if sparse.issparse(array):
        return _read_sparse(
            measure,
            array,
            name,
            reset=reset,
            min_samples=min_samples,
            may_be_sparse=may_be_sparse,
        )
    names = get_feature_names(array) if name == "y" and reset else None
    xp = get_namespace_and_device(array)[0]
    is_half = half_precision_unit(array) is not None
    dtypes = [xp.float32] if is_half else [xp.float64, xp.float32]
    if tags_of(measure).precomputed:
        return _check_given(
            measure, array, name, dtypes=dtypes, reset=reset, min_samples=min_samples
        )
    if name == "X":
        return validate_data(
            measure, array, reset=reset, dtype=dtypes, ensure_min_samples=min_samples
        )
    array = check_array(
        array,
        dtype=dtypes,
        ensure_2d=False,
        ensure_min_samples=min_samples,
        input_name="y",
        estimator=measure,
    )
    if array.ndim == 1:
        array = xp.reshape(array, (-1, 1))
    _check_n_features_y(measure, array, reset=reset)
    if names is not None:
        measure.feature_names_y_in_ = names
    elif reset and hasattr(measure, "feature_names_y_in_"):
        del measure.feature_names_y_in_
    return array


def _read_sparse(measure, array, name, *, reset, min_samples, may_be_sparse):
    """Sparse rows, for measures that take them."""
    kind = type(measure).__name__
    if not tags_of(measure).sparse:
        raise TypeError(
            f"{name} is sparse, but dense data is required: {kind} would fill it in. "
            f"Fill it in yourself where memory allows, by {name}.toarray(); sparse "
            "rows are compared by the measures of sksim.all_measures(sparse=True)."
        )
    if not may_be_sparse:
        raise TypeError(
            f"{name} is sparse, but dense data is required: {kind} takes sparse rows "
            f"in fit, score and matched_units only. Pass {name}.toarray(), of some "
            "rows at a time."
        )
    if array.ndim != 2:
        raise ValueError(
            f"{name} is a sparse array of {array.ndim} dimension(s): pass a matrix, "
            f"{name}.reshape((-1, 1)) for one column."
        )
    options = {
        "accept_sparse": "csr",
        "dtype": np.float64,
        "ensure_min_samples": min_samples,
    }
    if name == "X":
        array = validate_data(measure, array, reset=reset, **options)
    else:
        array = check_array(array, input_name="y", estimator=measure, **options)
        _check_n_features_y(measure, array, reset=reset)
    if array.has_canonical_format:
        return SparseRows(sparse.csr_array(array))
    array = sparse.csr_array(array, copy=True)  # the caller's entries stay in place
    array.sum_duplicates()
    return SparseRows(array)


def _refuse_tensors_beside(X, y):
    """Raise unless what stands beside sparse rows is numpy's."""
    for name, array in (("X", X), ("y", y)):
        if not is_sparse(array) and not isinstance(array, np.ndarray):
            other = "y" if name == "X" else "X"
            raise TypeError(
                f"{other} is sparse and {name} a {type(array).__name__}: beside sparse "
                "rows of scipy there may be arrays of numpy only."
            )


def _check_given(measure, array, name, *, dtypes, reset, min_samples):
    """Given matrix of all pairs of rows; new rows may be any number of them."""
    columns = get_feature_names(array)
    kind = given_kind(tags_of(measure))
    matrix = check_given(
        measure, array, name, kind, dtypes=dtypes, min_samples=min_samples
    )
    if reset:
        suffix = "" if name == "X" else "_y"
        setattr(measure, f"n_features{suffix}_in_", matrix.shape[1])
        names = f"feature_names{suffix}_in_"
        if columns is not None:
            setattr(measure, names, columns)
        elif hasattr(measure, names):
            delattr(measure, names)
    return matrix


def half_precision_unit(array):
    """Unit of rounding of an array of 16-bit numbers, else None."""
    dtype = str(getattr(array, "dtype", ""))
    if not dtype.endswith("float16"):
        return None
    return 2.0**-8 if dtype.endswith("bfloat16") else 2.0**-11


@overflow_is_silent
def check_rows(transformer, X, *, reset, allow_nd=False):
    """Rows of one representation for a transformer, in their own precision."""
    with readable(X, "X", allow_nd=allow_nd):
        return _read_rows(transformer, X, reset=reset, allow_nd=allow_nd)


def _read_rows(transformer, X, *, reset, allow_nd):
    xp = get_namespace_and_device(X)[0]
    dtypes = [xp.float64, xp.float32]
    if allow_nd and getattr(X, "ndim", 2) > 2:
        return check_array(X, dtype=dtypes, allow_nd=True, estimator=transformer)
    return validate_data(transformer, X, reset=reset, dtype=dtypes)


def refuse_infinite_rows(mapped, transformer, *, xp):
    """Mapped rows; ValueError where an entry has become too large for a number."""
    if not bool(xp.all(xp.isfinite(mapped))):
        raise ValueError(
            f"Some rows that {type(transformer).__name__} has mapped are not finite: "
            "their entries are too large, by themselves or for the rows that it was "
            "fitted with. Rescale them, for example to unit norm, and fit again."
        )
    return mapped


def _check_n_features_y(measure, y, *, reset):
    if reset:
        measure.n_features_y_in_ = y.shape[1]
    elif y.shape[1] != measure.n_features_y_in_:
        raise ValueError(
            f"y has {y.shape[1]} features, but {type(measure).__name__} was fitted "
            f"with {measure.n_features_y_in_} features in y."
        )


def check_same_length(X, y):
    """Raise unless X and y have the same number of rows."""
    if X.shape[0] != y.shape[0]:
        raise ValueError(
            f"X has {X.shape[0]} rows and y has {y.shape[0]}: both must describe the "
            "same inputs, in the same order. Found input variables with inconsistent "
            f"numbers of samples: {[X.shape[0], y.shape[0]]}."
        )


def check_output_pair(measure, X, y, *, reset):
    """Validate two models' outputs on the same rows, by the tag ``inputs``.

    Parameters
    ----------
    measure : BaseFunctionalSimilarity
        The estimator that is fitted or applied.
    X, y : array-like
        Labels of shape (n_samples,), or probabilities of shape (n_samples, n_classes).
    reset : bool
        Whether to learn the number of classes, or to check it.

    Returns
    -------
    X, y : arrays
        Of one namespace; probabilities in one precision.
    xp : module
        Array namespace of both.
    """
    if y is None:
        raise ValueError(
            f"{type(measure).__name__} requires y to be passed, but the target y is "
            "None. y is the second model's output."
        )
    inputs = tags_of(measure).inputs
    xp, _, device = get_namespace_and_device(X)
    if inputs == "labels":
        X, y = (
            check_label_vector(
                labels, name, measure, allow_fractions=takes_fractions(measure)
            )
            for name, labels in (("X", X), ("y", y))
        )
        y = move_to(y, xp=xp, device=device)
        check_same_length(X, y)
        refuse_mixed_kinds((X, y), ["X", "y"])
        return X, y, xp
    if inputs == "outputs":
        X = _as_column(X, "X")
    rounding = [half_precision_unit(array) for array in (X, y)]
    X, y, xp = check_representation_pair(measure, X, y, reset=reset)
    if X.shape[1] != y.shape[1]:
        raise ValueError(
            f"X has {X.shape[1]} columns and y has {y.shape[1]}: both need one column "
            "for each class, in the same order. Name the classes of both, by tables or "
            "classes=, with fill_missing_classes=True; from_estimators does so for two "
            "fitted models."
        )
    if inputs == "probabilities":
        X, y = check_probability_pair(X, y, rounding, xp=xp)
    return X, y, xp


def takes_fractions(measure):
    """Whether labels of a measure may be fractions: grades that are named as such."""
    return getattr(measure, "_takes_fractions", False)


@overflow_is_silent
def check_label_vector(labels, name, measure, *, allow_fractions=False):
    """One label for each row, as a 1-D array of numbers, booleans or strings."""
    refuse_foreign(labels, name)
    with missing_named(labels, name):
        return _read_labels(labels, name, measure, allow_fractions=allow_fractions)


def _read_labels(labels, name, measure, *, allow_fractions):
    if not has_dtype(labels):
        labels = as_label_array(labels, name)
    if has_masked_entries(labels):
        raise ValueError(
            f"{name} is a masked array with masked labels. Drop the rows that contain "
            "them, from all arguments alike."
        )
    _refuse_other_objects(labels, name)
    labels = check_array(
        labels,
        ensure_2d=False,
        dtype=None,
        input_name=name,
        estimator=measure,
        ensure_min_samples=1,
    )
    xp = get_namespace_and_device(labels)[0]
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = xp.reshape(labels, (-1,))
    if labels.ndim != 1:
        raise ValueError(
            f"{name} must hold one label for each row, got an array of shape "
            f"{tuple(labels.shape)}. Take the class of the largest probability first, "
            "or use from_estimators; rows with any number of labels are compared by "
            "MultilabelAgreement, several outputs of regressors by "
            "RegressionDifference."
        )
    _check_label_values(labels, name, xp, allow_fractions=allow_fractions)
    return labels


def _refuse_other_objects(labels, name):
    """Raise on objects that are neither numbers nor text."""
    values = labels if has_dtype(labels) else as_values(labels, name)
    if getattr(values.dtype, "kind", None) != "O":
        return
    for value in np.asarray(values).ravel():
        if not (is_text(value) or isinstance(value, Real | np.bool_)):
            raise ValueError(
                f"{name} holds {value!r:.40} ({type(value).__name__}): labels must be "
                "numbers, booleans or text."
            )


def _check_label_values(labels, name, xp, *, allow_fractions=False):
    """Raise on values that are no class labels."""
    kind = getattr(labels.dtype, "kind", None)
    if kind is not None and kind not in "biufOSUT":
        raise ValueError(
            f"{name} has the dtype {labels.dtype}: labels must be numbers, booleans or "
            "text. Encode them, for example by numpy.unique(..., return_inverse=True)."
        )
    if kind == "O":
        are_text = set(map(is_text, labels.ravel()))
        if len(are_text) > 1:
            raise ValueError(
                f"{name} mixes text and other values, which can never agree. Encode "
                "all labels alike."
            )
    if allow_fractions:
        return
    is_float = (
        labels.dtype.kind == "f"
        if is_numpy(xp)
        else xp.isdtype(labels.dtype, "real floating")
    )
    if is_float and bool(xp.any(labels != xp.round(labels))):
        raise ValueError(
            f"{name} holds fractions, which are no class labels. For continuous "
            "outputs choose a measure for regression outputs or representations."
        )


def _as_column(array, name):
    """A vector of one output per row as a matrix of one column."""
    refuse_foreign(array, name)
    if not has_dtype(array) or hasattr(array, "iloc"):
        array = as_values(array, name)
    if getattr(array, "ndim", 2) != 1:
        return array
    return get_namespace_and_device(array)[0].reshape(array, (-1, 1))


def check_output_group(measure, X, y=None, *, reset):
    """Validate the outputs of a group of models on the same rows.

    Parameters
    ----------
    measure : BaseGroupSimilarity
        The estimator that is fitted or applied.
    X : array-like of shape (n_samples, n_models[, n_classes]), or list of arrays
        Labels or probabilities of all models, a list of arrays has one for each model;
        of one model if ``y`` is given.
    y : array-like, default=None
        The second model's output, if the group is a pair.
    reset : bool
        Whether to learn the number of models, or to check it.

    Returns
    -------
    models : list of arrays
        Output of each model, of shape (n_samples,) or (n_samples, n_classes).
    xp : module
        Array namespace.
    """
    refuse_foreign(X, "X")
    refuse_foreign(y, "y")
    if y is None and are_arrays(X):
        return _read_models(measure, X, reset=reset)
    with missing_named(X, "X"):
        return _read_group(measure, X, y, reset=reset)


def are_arrays(X):
    """Whether these are arrays or tables, one for each model, and not rows of one."""
    return (
        is_list(X)
        and len(X) > 0
        and all(len(getattr(model, "shape", ())) > 0 for model in X)
    )


def refuse_one_model(measure, models):
    """Raise unless a list holds two models' outputs or more."""
    if len(models) < 2:
        raise ValueError(
            f"{type(measure).__name__} compares a group: X holds one array, where one "
            "for each of two or more models is wanted."
        )


def refuse_other_shapes(models):
    """Raise unless all models' outputs are of one shape."""
    shapes = [tuple(model.shape) for model in models]
    if len(set(shapes)) > 1:
        raise ValueError(
            "All models' outputs must be of one shape, one row for each of the same "
            f"inputs in the same order; X holds arrays of the shapes {shapes}."
        )


def _read_models(measure, models, *, reset):
    """Outputs of a group that come as one array for each model."""
    refuse_one_model(measure, models)
    names = [f"X[{i}]" for i in range(len(models))]
    xp, _, device = get_namespace_and_device(models[0])
    pairs = zip(models, names, strict=True)
    if tags_of(measure).inputs == "labels":
        fractions = takes_fractions(measure)
        models = [
            check_label_vector(*pair, measure, allow_fractions=fractions)
            for pair in pairs
        ]
        refuse_mixed_kinds(models, names)
    else:
        models = [_read_numbers(measure, *pair) for pair in pairs]
    refuse_other_shapes(models)
    models = [move_to(model, xp=xp, device=device) for model in models]
    if len({model.dtype for model in models}) > 1 and models[0].ndim > 1:
        models = [xp.astype(model, xp.float64, copy=False) for model in models]
    if reset:
        measure.n_features_in_ = len(models)
        vars(measure).pop("feature_names_in_", None)
    elif len(models) != getattr(measure, "n_features_in_", len(models)):
        raise ValueError(
            f"X holds {len(models)} models, but {type(measure).__name__} was fitted "
            f"with {measure.n_features_in_}."
        )
    return models, xp


@overflow_is_silent
def _read_numbers(measure, array, name):
    with readable(array, name):
        xp = get_namespace_and_device(array)[0]
        rounding = half_precision_unit(array)
        floating = [xp.float64, xp.float32] if rounding is None else [xp.float32]
        array = check_array(array, dtype=floating, input_name=name, estimator=measure)
    if tags_of(measure).inputs != "probabilities":
        return array
    return check_probabilities(array, name, xp=xp, rounding=rounding)


def _warn_of_many_models(n_samples, n_models):
    if n_models > n_samples >= 2:  # the other way round they were two models or more
        warnings.warn(
            f"X is taken for the outputs of {n_models} models on {n_samples} rows: one "
            "row for each input, one column for each model. If it is the other way "
            "round, pass a list of arrays, one for each model.",
            UserWarning,
            stacklevel=2,
        )


def refuse_no_group(measure, X, y=None):
    """Raise unless an array holds several models' outputs, or with y one model's.

    Parameters
    ----------
    measure : BaseGroupSimilarity
    X : array
    y : object, default=None
    """
    axes = 2 if tags_of(measure).inputs == "labels" else 3
    if y is not None:
        if np.ndim(X) >= axes and np.shape(X)[1] != 1:
            raise ValueError(
                f"X already holds the outputs of {np.shape(X)[1]} models, so that "
                f"{type(measure).__name__} has no use for y. True labels are passed as "
                "y_true=..."
            )
        return
    shape = "(n_samples, n_models)" + ("" if axes == 2 else " with n_classes last")
    if np.ndim(X) != axes or np.shape(X)[1] < 2:
        raise ValueError(
            f"{type(measure).__name__} compares a group: X must hold the outputs of "
            f"two or more models and have {axes} axes, {shape}. Got an array of shape "
            f"{tuple(np.shape(X))}."
        )
    _warn_of_many_models(*np.shape(X)[:2])


def _read_group(measure, X, y, *, reset):
    inputs = tags_of(measure).inputs
    X = as_label_array(X, "X")
    refuse_no_group(measure, X, y)
    if y is not None:
        X, y, xp = check_output_pair(measure, X, y, reset=reset)
        return [X, y], xp
    xp = get_namespace_and_device(X)[0]
    labels = inputs == "labels"
    rounding = half_precision_unit(X)
    floating = [xp.float64, xp.float32] if rounding is None else [xp.float32]
    if labels:
        _refuse_other_objects(X, "X")
    X = validate_data(
        measure,
        X,
        reset=reset,
        dtype=None if labels else floating,
        allow_nd=not labels,
    )
    if inputs == "probabilities":
        X = check_probabilities(X, "X", xp=xp, rounding=rounding)
    models = [X[:, i, ...] for i in range(X.shape[1])]
    if labels:
        refuse_mixed_kinds(models, [f"X[:, {i}]" for i in range(len(models))])
        _check_label_values(X, "X", xp, allow_fractions=takes_fractions(measure))
    return models, xp


def as_label_array(values, name):
    """Nested lists as an array in which numbers beside text stay numbers."""
    if has_dtype(values) or hasattr(values, "dtypes"):  # tables keep their names
        return values
    array = as_values(values, name)
    if array.dtype.kind in "US":
        objects = np.asarray(values, dtype=object)
        if not all(map(is_text, objects.ravel())):
            return objects
    return array


def _are_text(labels):
    return _kind_of(labels) != "numbers"


def _kind_of(labels):
    """What labels are, in words."""
    kind = getattr(getattr(labels, "dtype", None), "kind", None)
    if kind == "S":
        return "bytes"
    if kind == "O":
        for type_, word in ((str, "text"), (bytes, "bytes")):
            if any(isinstance(value, type_) for value in labels):
                return word
    return "text" if kind in ("U", "T") else "numbers"


def refuse_mixed_kinds(vectors, names):
    """Raise if some of several label vectors hold text and others numbers or bytes."""
    first, *others = map(_kind_of, vectors)
    for kind, name in zip(others, names[1:], strict=True):
        if kind != first:
            raise ValueError(
                f"{names[0]} and {name} hold labels of different kinds ({first} and "
                f"{kind}), which can never agree. Encode both alike."
            )


def check_probabilities(array, name, *, xp, rounding=None):
    """Rows that are probability distributions; ValueError if one isn't.

    What was rounded to 16 bits, with ``rounding`` as the unit, sums to 1 only that
    closely: there the sum is restored.
    """
    if 0 in array.shape:
        raise ValueError(
            f"{name} is empty, of shape {tuple(array.shape)}: each row must hold the "
            "probabilities of one or more classes."
        )
    lowest, highest = float(xp.min(array)), float(xp.max(array))
    if array.shape[-1] == 1:
        _refuse_one_class(name, lowest, highest)
    tolerance = SIMPLEX_TOLERANCE + (rounding or 0)
    sums = row_sums(array, xp=xp)
    if lowest < 0:
        _refuse_negative(name, lowest, float(xp.max(xp.abs(sums - 1))))
    worst = float(xp.max(xp.abs(sums - 1)))
    if worst > tolerance:
        least, most = float(xp.min(sums)), float(xp.max(sums))
        _refuse_other_sums(name, worst, least, most, highest)
    return array if rounding is None else array / sums[..., None]


# Rows that were rounded to two digits sum to 1 within this.
_ROUNDED = 0.0101
# Entries that should be 0 are below it by this at most, in single precision.
_JUST_BELOW = 1e-6


def _refuse_one_class(name, lowest, highest):
    """Raise about one column, which can't hold the probabilities of two classes."""
    if lowest == highest == 1:
        raise ValueError(
            f"{name} has one column, of one class, and 1 in every row, as a "
            "softmax over "
            "one column gives: take a sigmoid of the score instead, p, and pass "
            "[1 - p, p], numpy.column_stack([1 - p, p])."
        )
    first = "" if lowest >= 0 and highest <= 1 else "apply a sigmoid for p, and "
    raise ValueError(
        f"{name} has one column, of one class: if it holds the probability p of the "
        f"positive class, {first}pass [1 - p, p], numpy.column_stack([1 - p, p])."
    )


def _refuse_negative(name, lowest, worst):
    if lowest >= -_JUST_BELOW and worst <= _ROUNDED:
        raise ValueError(
            f"{name} has entries just below 0 (negative entries from {lowest:.3g} on), "
            f"by rounding: clip at 0, {name}.clip(0), for rows must be probabilities."
        )
    raise ValueError(
        f"{name} has negative entries: rows must be probabilities, and these look like "
        "logits or scores. Apply a softmax or calibrate the scores first; sksim never "
        "does so unasked."
    )


def _refuse_other_sums(name, worst, least, most, highest):
    """Raise about rows that don't sum to 1, by what they look like."""
    over = f"{name} / {name}.sum(-1, keepdims=True)"
    if worst <= _ROUNDED:
        way = f"They look rounded: divide the rows by their sums, {over}."
    elif least >= 100 * (1 - _ROUNDED) and most <= 100 * (1 + _ROUNDED):
        exactly = "" if max(100 - least, most - 100) <= 100 * SIMPLEX_TOLERANCE else (
            f", and the rows by their sums then, {over}"
        )  # fmt: skip
        way = f"They look like percentages: divide by 100{exactly}."
    elif highest <= 1:
        way = (
            "If each entry is the probability of a label of its own (sigmoids), "
            "compare "
            "one label at a time, as [1 - p, p]; if the entries are weights, "
            "divide the "
            f"rows by their sums, {over}."
        )
    else:
        way = f"If they are counts or weights, divide the rows by their sums, {over}."
    raise ValueError(
        f"The rows of {name} must be probabilities that sum to 1; one is off by "
        f"{worst:.3g}. {way}"
    )


def check_probability_pair(X, y, rounding, *, xp):
    """X and y as rows of probabilities, each with its unit of rounding or None."""
    return tuple(
        check_probabilities(array, name, xp=xp, rounding=unit)
        for name, array, unit in zip("Xy", (X, y), rounding, strict=True)
    )


def check_metadata(measure, name, values, *, xp, like):
    """Validate metadata of the rows of ``like``, or return None where there are none.

    Parameters
    ----------
    measure : BaseSimilarity
    name : str
        One of ``ROW_METADATA``.
    values : array-like or None
    xp : module
        Array namespace of ``like``.
    like : array
        Validated rows.
    """
    tags = tags_of(measure)
    if values is None and name in tags.requires:
        raise ValueError(
            _MISSING.get(name, _MISSING_OTHER).format(
                measure=type(measure).__name__, name=name
            )
        )
    if values is None:
        return None
    if name == "y_true":
        return _check_true_labels(measure, values, tags, xp=xp, like=like)
    if name == "z":
        return check_confounder(measure, values, xp=xp, like=like)
    if name == "weights":
        return _check_weights(values, xp=xp, like=like)
    labels = check_label_vector(values, name, measure)
    _check_number_of_labels(labels, name, like)
    return labels


def row_metadata(metadata, **named):
    """What is known of the rows, by name; a misspelt name is refused.

    Parameters
    ----------
    metadata : dict or None
        What a function was passed by this name.
    **named : dict
        What it was passed by names of its own.
    """
    unknown = sorted(set(metadata or {}) - set(ROW_METADATA))
    if unknown:
        raise ValueError(
            f"metadata knows {', '.join(ROW_METADATA)}, got {', '.join(unknown)}."
        )
    return {**named, **(metadata or {})}


_MISSING_OTHER = (
    "{measure} needs {name}: pass {name}=..., with one entry for each row, to fit and "
    "score. Inside cross_val_score and Pipelines this needs scikit-learn's metadata "
    "routing (set_config(enable_metadata_routing=True)) and params={{'{name}': ...}}."
)
_MISSING = {
    "y_true": _MISSING_OTHER.replace(
        "needs {name}: pass {name}=..., with one entry for each row,",
        "needs the true labels: pass {name}=...",
    )
}


def _check_number_of_labels(labels, name, like):
    if labels.shape[0] != like.shape[0]:
        raise ValueError(
            f"{name} has {labels.shape[0]} labels for {like.shape[0]} rows: it must "
            "hold one label for each row."
        )


def _check_true_labels(measure, y_true, tags, *, xp, like):
    y_true = check_label_vector(
        y_true, "y_true", measure, allow_fractions=tags.inputs == "outputs"
    )
    _check_number_of_labels(y_true, "y_true", like)
    if tags.inputs == "labels":
        refuse_mixed_kinds((like, y_true), ["The predictions", "y_true"])
    if _are_text(y_true):
        return y_true
    return move_to(y_true, xp=xp, device=get_namespace_and_device(like)[2])


@overflow_is_silent
def check_confounder(measure, z, *, xp, like):
    """Rows of a confounder, or its given matrix, where and as precise as ``like``."""
    with readable(z, "z", both_axes=tags_of(measure).precomputed):
        return _read_confounder(measure, z, xp=xp, like=like)


def _read_confounder(measure, z, *, xp, like):
    own = get_namespace_and_device(z)[0]
    dtypes, tags = [own.float64, own.float32], tags_of(measure)
    if tags.precomputed:
        z = check_given(measure, z, "z", given_kind(tags), dtypes=dtypes)
    else:
        z = check_array(
            z, dtype=dtypes, ensure_2d=False, input_name="z", estimator=measure
        )
    if z.ndim == 1:
        z = own.reshape(z, (-1, 1))
    if z.shape[0] != like.shape[0]:
        raise ValueError(
            f"z has {z.shape[0]} rows and X has {like.shape[0]}: z must describe the "
            "same inputs, in the same order."
        )
    z = move_to(z, xp=xp, device=get_namespace_and_device(like)[2])
    return xp.astype(z, like.dtype, copy=False)


def _check_weights(weights, *, xp, like):
    refuse_foreign(weights, "weights")
    with missing_named(weights, "weights"):
        weights = check_array(weights, ensure_2d=False, input_name="weights")
    if weights.shape != like.shape[:1] or bool((weights < 0).any()):
        raise ValueError(
            f"weights must hold one number, not below 0, for each of the "
            f"{like.shape[0]} rows; got an array of shape {tuple(weights.shape)}."
        )
    return move_to(weights, xp=xp, device=get_namespace_and_device(like)[2])


def rounding_of(dtype_name):
    """Relative difference below which two statistics of a precision are equal."""
    return 1e-4 if "float32" in dtype_name else 1e-11


def check_doubles(array, name, *, allow_nd=False):
    """Finite numbers in double precision, whose squares are in range too.

    Parameters
    ----------
    array : array-like
    name : str
        What messages call it.
    allow_nd : bool, default=False
        Whether there may be more than two axes.
    """
    with readable(array, name, allow_nd=allow_nd):
        array = check_array(array, dtype=np.float64, allow_nd=allow_nd, input_name=name)
    largest = np.abs(array).max()
    # sums of squares of up to 1e100 numbers, and of the digits of the smallest
    if largest != 0 and not 1e-100 < largest < 1e100:
        raise ValueError(
            f"{name} has numbers of up to {largest:.3g}, whose squares are out of "
            "range. Rescale it, for example to unit norm."
        )
    return array


def check_groups(groups, n_samples, name="groups"):
    """Names of the groups, and the number of each row's group.

    Parameters
    ----------
    groups : array-like of shape (n_samples,)
    n_samples : int
    name : str, default="groups"
        The argument's name, for messages.

    Returns
    -------
    labels : array of shape (n_groups,)
    codes : array of int of shape (n_samples,)
    """
    if array_api_compat.is_array_api_obj(groups):
        groups = to_numpy(groups, xp=array_api_compat.array_namespace(groups))
    refuse_missing(groups, name)
    groups = np.asarray(groups)
    if groups.shape != (n_samples,):
        raise ValueError(
            f"{name} must hold one label for each of the {n_samples} rows, got an "
            f"array of shape {groups.shape}."
        )
    labels, codes = np.unique(groups, return_inverse=True)
    return labels, codes
