"""Check that arrays of other libraries give numpy's number."""

import warnings

import numpy as np
from sklearn.base import BaseEstimator, clone

from sksim.arrays._namespace import get_namespace_and_device, move_to
from sksim.testing._helpers import assert_close, fit, seeded, tags_of
from sksim.testing._inputs import make_inputs


def check_array_api(
    measure: BaseEstimator, namespace: str, device: str | None = None
) -> None:
    """Arrays of another library give numpy's number, and stay where they are.

    Parameters
    ----------
    measure : estimator
        The measure.
    namespace : str
        Importable name of the library, such as "torch" or "array_api_strict".
    device : str, default=None
        Where its arrays live.

    Raises
    ------
    AssertionError
        If the number differs, or results have left the library.

    Examples
    --------
    scikit-learn asks for ``SCIPY_ARRAY_API=1`` in the environment before scipy is
    imported.

    >>> from sksim.rsm import CKA
    >>> from sksim.testing import check_array_api
    >>> check_array_api(CKA(), "numpy")
    """
    import importlib

    from sklearn import config_context

    module = importlib.import_module(namespace)
    measure = seeded(measure)
    X, y, fit_params = make_inputs(measure)
    fitted = fit(measure, X, y, fit_params)
    options = {} if device is None else {"device": device}
    with config_context(array_api_dispatch=True):
        moved = [
            None if array is None else module.asarray(array, **options)
            for array in (X, y)
        ]
        params = {
            name: module.asarray(value, **options) for name, value in fit_params.items()
        }
        there = fit(measure, *moved, params)
        assert_close(
            there.statistic_, fitted.statistic_, f"statistic on {namespace}", 1e-9
        )
        score = there.score(*moved, **params)
        assert_close(score, fitted.score_, f"score on {namespace}", 1e-9)
        if hasattr(fitted, "transform"):
            mapped = there.transform(moved[0])
            assert (
                get_namespace_and_device(mapped)[:1]
                == (get_namespace_and_device(moved[0])[:1])
            )
            np.testing.assert_allclose(
                move_to(mapped, xp=np, device="cpu"), fitted.transform(X), atol=1e-9
            )
        _check_permutations_there(clone(measure), moved, params, fitted)
        if tags_of(measure).streaming:
            _check_stream_there(clone(measure), moved, X, fitted, params)


def _check_stream_there(measure, moved, X, fitted, params):
    half = X.shape[0] // 2
    for rows in (slice(0, half), slice(half, X.shape[0])):
        known = {name: values[rows, ...] for name, values in params.items()}
        # groups have no y
        parts = (array if array is None else array[rows, ...] for array in moved)
        measure.partial_fit(*parts, **known)
    if tags_of(measure).streaming is True:
        assert_close(measure.statistic_, fitted.statistic_, "statistic of a stream")
    if hasattr(fitted, "transform"):
        mapped = measure.transform(moved[0])
        assert (
            get_namespace_and_device(mapped)[:1]
            == (get_namespace_and_device(moved[0])[:1])
        )
        np.testing.assert_allclose(
            move_to(mapped, xp=np, device="cpu"), fitted.transform(X), atol=1e-8
        )


def _check_permutations_there(measure, moved, params, fitted):
    tags = tags_of(measure)
    if not tags.paired or tags.arity == "group" or params or tags.null != "rows":
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        comparison = measure._open(*moved).for_permutations()
        value = comparison.permuted([np.arange(comparison.n_samples)])[0]
    if "seed" not in tags.view_keywords:
        assert_close(value, fitted.statistic_, "unpermuted view", 1e-9)
