"""What measures ask of their input, and the general checks that this rules out."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import pdist, squareform
from sklearn.base import BaseEstimator

from sksim.base._tags import tags_of


@dataclass(frozen=True)
class Requirement:
    """What a measure asks of its input, and the general checks that break it.

    Attributes
    ----------
    reason : str
        Why scikit-learn's checks can't apply as they are.
    checks : tuple of str
        Names of those checks; :mod:`sksim.testing` repeats what they ask on valid
        input.
    adapt : callable, default=None
        Function of a random generator, X and y that makes input valid or telling.
    """

    reason: str
    checks: tuple
    adapt: Callable | None = None


# scikit-learn's checks fit a matrix of real numbers and a column of labels; what a
# check of that kind asks (data types, pickling, names, ...) is asked again below.
_CHECKS_THAT_FIT_A_REAL_MATRIX = (
    "check_array_api_input",
    "check_array_api_mixed_inputs",
    "check_array_api_same_namespace",
    "check_complex_data",
    "check_dict_unchanged",
    "check_dont_overwrite_parameters",
    "check_dtype_object",
    "check_estimator_sparse_array",
    "check_estimator_sparse_matrix",
    "check_estimator_sparse_tag",
    "check_estimators_dtypes",
    "check_estimators_empty_data_messages",
    "check_estimators_fit_returns_self",
    "check_estimators_nan_inf",
    "check_estimators_overwrite_params",
    "check_estimators_pickle",
    "check_estimators_unfitted",
    "check_f_contiguous_array_estimator",
    "check_fit1d",
    "check_fit2d_1feature",
    "check_fit2d_1sample",
    "check_fit2d_predict1d",
    "check_fit_check_is_fitted",
    "check_fit_idempotent",
    "check_fit_score_takes_y",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_n_features_in",
    "check_n_features_in_after_fitting",
    "check_pipeline_consistency",
    "check_positive_only_tag_during_fit",
    "check_readonly_memmap_input",
    "check_requires_y_none",
    "check_supervised_y_2d",
    "check_supervised_y_no_nan",
    "check_dataframe_column_names_consistency",
)


def _bring_spans_together(rng, X, y):
    """Columns of y at graded distances from the span of X."""
    signal = X @ rng.normal(size=(X.shape[1], y.shape[1]))
    noise = rng.normal(size=y.shape) * np.geomspace(0.02, 1, y.shape[1])
    return X, signal + noise * np.std(signal, axis=0)


def _in_one_architecture(rng, X, y):
    """Make y a network like X, with its own weights and units in another order."""
    other = copy(X)
    order = rng.permutation(X.coefs_[0].shape[1])
    weights = [W + 0.3 * rng.normal(size=W.shape) for W in X.coefs_]
    other.coefs_ = [weights[0][:, order], weights[1][order], *weights[2:]]
    other.intercepts_ = [X.intercepts_[0][order], *X.intercepts_[1:]]
    return X, other


def _given(function, reason):
    """Requirement of matrices of all pairs of rows, made by a function of the rows."""

    def adapt(rng, X, y):
        return function(X), function(y)

    return Requirement(reason, _CHECKS_THAT_FIT_A_REAL_MATRIX, adapt)


def _products(rows):
    return rows @ rows.T


def _distances(rows):
    return squareform(pdist(rows))


def _cosine_distances(rows):
    return squareform(pdist(rows, "cosine"))


_SQUARE = "X and y are square, symmetric matrices of"

REQUIREMENTS = {
    "nonzero_rows": Requirement(
        "a row of zeros, or one at the mean, has no direction, and some checks fit one",
        _CHECKS_THAT_FIT_A_REAL_MATRIX
        + (
            "check_transformer_data_not_an_array",
            "check_transformer_general",
            "check_transformer_preserve_dtypes",
        ),
    ),
    "nonconstant_rows": Requirement(
        "a row with equal entries, such as any row of one column, correlates with "
        "nothing",
        _CHECKS_THAT_FIT_A_REAL_MATRIX,
    ),
    "shared_columns": Requirement(
        "a single column has no other to share anything with, and some checks fit one",
        _CHECKS_THAT_FIT_A_REAL_MATRIX,
    ),
    "labels": Requirement(
        "X and y hold one class label for each row, not a matrix",
        _CHECKS_THAT_FIT_A_REAL_MATRIX,
    ),
    "probabilities": Requirement(
        "rows of X and y must be probabilities that sum to 1",
        _CHECKS_THAT_FIT_A_REAL_MATRIX,
    ),
    "outputs": Requirement(
        "X and y must have the same columns: one for each class",
        _CHECKS_THAT_FIT_A_REAL_MATRIX,
    ),
    "label_sets": Requirement(
        "each column of X and y says whether a row has a label of its own",
        (),
    ),
    "y_true": Requirement(
        "fit needs the true labels, which scikit-learn's checks do not pass",
        _CHECKS_THAT_FIT_A_REAL_MATRIX,
    ),
    "close_spans": Requirement(
        "all spans that are not close to each other score the same",
        (),
        adapt=_bring_spans_together,
    ),
    "more_rows_than_neighbors": Requirement(
        "more rows are needed than neighbours; scikit-learn's checks pass few",
        _CHECKS_THAT_FIT_A_REAL_MATRIX,
    ),
    "distinct_rows": Requirement(
        "equal rows have arbitrary neighbours; scikit-learn's checks pass labels as y",
        _CHECKS_THAT_FIT_A_REAL_MATRIX,
    ),
    "given_kernels": _given(
        _products, f"{_SQUARE} the kernel of all pairs of rows, the diagonal included"
    ),
    "given_similarities": _given(
        _products, f"{_SQUARE} similarities of all pairs of rows"
    ),
    "given_distances": _given(
        _distances, f"{_SQUARE} distances of all pairs of rows, zero on the diagonal"
    ),
    "given_cosine_distances": _given(
        _cosine_distances, f"{_SQUARE} cosine distances of all pairs of rows, up to 2"
    ),
    "given_dissimilarities": _given(
        _distances, f"{_SQUARE} dissimilarities of all pairs of rows, or nan"
    ),
    "given_matrices": _given(
        _distances, f"{_SQUARE} distances, or of similarities, of all pairs of rows"
    ),
    "models": Requirement(
        "the inputs are models, not arrays",
        _CHECKS_THAT_FIT_A_REAL_MATRIX,
    ),
    "one_architecture": Requirement(
        "the two networks must have the same layers",
        (),
        adapt=_in_one_architecture,
    ),
    "data": Requirement(
        "fit needs the rows that the models are applied to",
        _CHECKS_THAT_FIT_A_REAL_MATRIX,
    ),
}


def expected_failed_checks(measure: BaseEstimator) -> dict[str, str]:
    """Those of scikit-learn's checks that a measure's requirements rule out.

    Parameters
    ----------
    measure : estimator
        The measure, not necessarily fitted.

    Returns
    -------
    checks : dict of str to str
        Name of the check and the reason.

    Examples
    --------
    >>> from sksim.rsm import CKA
    >>> from sksim.testing import expected_failed_checks
    >>> expected_failed_checks(CKA())
    {}
    """
    return {
        check: REQUIREMENTS[word].reason
        for word in tags_of(measure).requires
        for check in REQUIREMENTS[word].checks
    }
