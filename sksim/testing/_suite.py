"""All checks of a measure: as a list, as one call, as pytest's parameters."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from sklearn.base import BaseEstimator

from sksim.base._tags import ALL_INVARIANCES, tags_of
from sksim.testing._claims import (
    check_bounds,
    check_common_row_order,
    check_identity,
    check_invariance,
    check_pairing,
    check_requirements_are_known,
    check_score_is_oriented,
    check_symmetry,
    check_tags,
    check_triangle_inequality,
)
from sksim.testing._comparisons import (
    check_bootstrap_is_valid,
    check_columns,
    check_exact_tag,
    check_exchanged,
    check_gradients,
    check_jackknife,
    check_joined,
    check_kernels_store_nothing,
    check_many_pairs,
    check_null_moments,
    check_origin,
    check_permuted,
    check_rearranged,
    check_row_kinds,
    check_some_rows,
    check_transform_lands,
    check_weighted_rows,
    check_wrapped,
)
from sksim.testing._estimator import (
    check_clone,
    check_fitted_attributes,
    check_inputs_stay_as_they_are,
    check_labels_are_required,
    check_labels_of_wrong_length,
    check_memory_layouts,
    check_missing,
    check_missing_y,
    check_pickle,
    check_score_of_training_rows,
    check_unequal_lengths,
    check_unfitted,
)
from sksim.testing._given import (
    check_condensed_vectors,
    check_given_matrices_are_checked,
    check_given_rows,
    check_new_rows,
    check_rounding_of_given_matrices,
)
from sksim.testing._helpers import seeded
from sksim.testing._protocol import (
    check_fits_agree,
    check_group_of_two,
    check_group_permutations,
    check_lone_model,
    check_permutations,
)
from sksim.testing._representations import (
    check_bad_input,
    check_containers,
    check_hard_input,
    check_offset,
    check_scale,
    check_single_precision,
    check_sparse,
    check_transform,
)
from sksim.testing._streaming import (
    check_any_split,
    check_merge_refuses,
    check_partial_fit_goes_on,
    check_partial_fit_refuses,
    check_streaming_tag,
    check_streams_of_hard_input,
)


def similarity_checks(
    measure: BaseEstimator,
) -> Iterator[tuple[BaseEstimator, Callable]]:
    """All checks that apply to a measure.

    Parameters
    ----------
    measure : estimator
        The measure, not necessarily fitted.

    Yields
    ------
    measure, check : tuple
        A clone of the measure and a function of it that raises on failure.
    """
    tags = tags_of(measure)
    checks = [
        check_tags,
        check_requirements_are_known,
        check_fitted_attributes,
        check_score_is_oriented,
        check_score_of_training_rows,
        check_identity,
        check_bounds,
        check_symmetry,
        check_common_row_order,
        check_fits_agree,
        check_pickle,
        check_clone,
        check_inputs_stay_as_they_are,
        check_memory_layouts,
        check_unequal_lengths,
        check_missing,
        check_missing_y,
        check_unfitted,
        check_streaming_tag,
        check_origin,
        check_kernels_store_nothing,
        check_wrapped,
    ]
    if tags.inputs != "models":
        checks += [check_permuted, check_some_rows, check_exchanged, check_joined]
        checks += [check_rearranged]
        checks += [check_exact_tag, check_jackknife, check_columns]
        checks += [check_null_moments]
        checks += [check_weighted_rows, check_bootstrap_is_valid, check_row_kinds]
    if tags.arity == "pair" and tags.inputs != "models":
        checks += [check_pairing, check_permutations, check_many_pairs]
    if tags.arity == "group":
        checks += [check_group_of_two, check_group_permutations, check_lone_model]
    if "y_true" in tags.requires:
        checks += [check_labels_are_required]
    if "y_true" in tags.view_keywords:
        checks += [check_labels_of_wrong_length]
    if tags.metric:
        checks += [check_triangle_inequality]
    if tags.inputs == "representation":
        checks += [partial(check_invariance, code=c) for c in sorted(ALL_INVARIANCES)]
        checks += [
            check_containers,
            check_single_precision,
            check_scale,
            check_offset,
            check_hard_input,
            check_bad_input,
            check_gradients,
        ]
    if tags.sparse:
        checks += [check_sparse]
    if tags.precomputed:
        checks += [
            check_given_matrices_are_checked,
            check_condensed_vectors,
            check_rounding_of_given_matrices,
            check_given_rows,
            check_new_rows,
        ]
    if tags.inputs == "representation" and hasattr(measure, "transform"):
        checks += [check_transform, check_transform_lands]
    if tags.streaming:
        checks += [
            check_partial_fit_goes_on,
            check_partial_fit_refuses,
            check_merge_refuses,
        ]
    if tags.streaming is True:
        checks += [check_any_split]
        if tags.inputs == "representation":
            checks += [check_streams_of_hard_input]
    for check in checks:
        yield seeded(measure), check


def check_similarity(measure: BaseEstimator) -> None:
    """Run all checks on a measure.

    Parameters
    ----------
    measure : estimator
        A measure, such as one of your own.

    Raises
    ------
    AssertionError
        If a claim of the tags does not hold.

    Examples
    --------
    >>> from sksim.rsm import CKA
    >>> from sksim.testing import check_similarity
    >>> check_similarity(CKA())
    """
    for instance, check in similarity_checks(measure):
        check(instance)


def parametrize_with_similarity_checks(measures: Iterable[BaseEstimator]) -> Callable:
    """Pytest decorator: one test for each measure and check.

    Parameters
    ----------
    measures : iterable of estimators
        The measures to check.

    Returns
    -------
    decorator : MarkDecorator
        Supplies the arguments ``measure`` and ``check`` to the test function.
    """
    import pytest

    cases = [pair for measure in measures for pair in similarity_checks(measure)]
    return pytest.mark.parametrize("measure,check", cases, ids=_name_of_case)


def _name_of_case(argument):
    if isinstance(argument, partial):
        return f"{argument.func.__name__}({', '.join(argument.keywords.values())})"
    return argument.__name__ if callable(argument) else repr(argument)
