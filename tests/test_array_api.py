"""Arrays of other libraries and of 16 bits, for all measures, found by discovery."""

import importlib
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.base import clone
from sklearn.utils import get_tags

from sksim import all_measures
from sksim.arrays._namespace import move_to
from sksim.functional import KullbackLeibler, PredictionDifference
from sksim.inference import similarity_test
from sksim.neighbors import NeighborJaccard
from sksim.pairwise import similarity_matrix
from sksim.rsm import CKA, RSA
from sksim.testing import make_inputs

torch = pytest.importorskip("torch")
pytest.importorskip("array_api_strict")
NAMESPACES = ["torch", "array_api_strict"]
QUICK = {"GeometryScore": {"n_draws": 5, "n_landmarks": 20, "gamma": 0.2}}


def make(name, cls):
    """A measure that is quick and always the same."""
    seed = {"random_state": 0} if "random_state" in cls().get_params() else {}
    return cls(**QUICK.get(name, {}), **seed)


DEFAULTS = [make(name, cls) for name, cls in all_measures()]
VARIANTS = [
    CKA("rbf", debias="rows"),
    CKA(debias="both"),
    RSA("euclidean", "pearson"),
    NeighborJaccard(metric="euclidean"),
    KullbackLeibler(clip=1e-3),
]


def tags_of(measure):
    return get_tags(measure).similarity_tags


ELSEWHERE = [m for m in DEFAULTS + VARIANTS if tags_of(m).array_api]
STREAMS = [m for m in ELSEWHERE if tags_of(m).streaming is True]
OF_NUMBERS = [
    m for m in DEFAULTS + VARIANTS if tags_of(m).inputs not in ("labels", "models")
]


def quietly(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


def inputs_elsewhere(measure, namespace):
    """Input on numpy and elsewhere: (X, y, params) of each."""
    module = importlib.import_module(namespace)
    options = {}
    if namespace == "array_api_strict":  # a device that can't be mixed with the CPU
        options = {"device": module.Device("device1")}
    X, y, params = make_inputs(measure)

    def move(array):
        return None if array is None else module.asarray(array, **options)

    return (X, y, params), (move(X), move(y), {k: move(v) for k, v in params.items()})


def on_cpu(array):
    """An array of any library as one of numpy."""
    return move_to(array, xp=np, device="cpu")


# ----- 16 bits ------------------------------------------------------------------------


def _as_before_rounding(measure, X32):
    """What the same numbers are in single precision: probabilities sum to 1 there."""
    tags = tags_of(measure)
    if X32 is None or "probabilities" not in (tags.inputs, *tags.requires):
        return X32
    return X32 / X32.sum(-1)[..., None]


@pytest.mark.parametrize("measure", OF_NUMBERS, ids=repr)
def test_numpy_half_precision(measure):
    X, y, params = make_inputs(measure)
    half = [None if v is None else v.astype(np.float16) for v in (X, y)]
    single = [
        _as_before_rounding(measure, None if v is None else v.astype(np.float32))
        for v in half
    ]
    expected = quietly(clone(measure).fit, *single, **params)
    found = quietly(clone(measure).fit, *half, **params)
    assert_allclose(found.statistic_, expected.statistic_, rtol=1e-9)
    score = quietly(found.score, *half, **params)
    assert_allclose(score, quietly(expected.score, *single, **params), rtol=1e-9)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("measure", [m for m in OF_NUMBERS if m in ELSEWHERE], ids=repr)
def test_torch_half_precision(measure, dtype):
    """Numbers of 16 bits are computed with as the same numbers in single precision."""
    _, (X, y, params) = inputs_elsewhere(measure, "torch")
    half = [None if v is None else v.to(getattr(torch, dtype)) for v in (X, y)]
    single = [
        _as_before_rounding(measure, None if v is None else v.to(torch.float32))
        for v in half
    ]
    with config_context(array_api_dispatch=True):
        expected = quietly(clone(measure).fit, *single, **params).statistic_
        found = quietly(clone(measure).fit, *half, **params).statistic_
    assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_half_precision_is_no_excuse_for_other_sums(dtype):
    P = np.full((10, 4), 0.2501, dtype=dtype)
    P[:, 0] += 0.002
    with pytest.raises(ValueError, match="X must be probabilities that sum to 1"):
        KullbackLeibler().fit(P, P)
    with pytest.raises(ValueError, match="X must be probabilities that sum to 1"):
        PredictionDifference().fit(np.stack([P, P], axis=1))


def test_sums_of_half_precision_do_not_overflow():
    """65504 is the largest float16: squares and sums must not be made of them."""
    rng = np.random.default_rng(0)
    X = (300 * rng.normal(size=(3000, 8))).astype(np.float16)
    y = (X[:, ::-1] / 3).astype(np.float16)
    expected = CKA().fit(X.astype(float), y.astype(float)).score_
    assert_allclose(CKA().fit(X, y).score_, expected, rtol=1e-5)


# ----- where results live -------------------------------------------------------------


@pytest.mark.parametrize("namespace", NAMESPACES)
@pytest.mark.parametrize("measure", ELSEWHERE, ids=repr)
def test_fitted_arrays_stay_in_their_library(measure, namespace):
    """Arrays that are as long as the rows or the columns are not moved."""
    here, there = inputs_elsewhere(measure, namespace)
    fitted = quietly(clone(measure).fit, *here[:2], **here[2])
    with config_context(array_api_dispatch=True):
        other = quietly(clone(measure).fit, *there[:2], **there[2])
        kind = type(there[0])
        for name in [n for n in dir(fitted) if n.endswith("_") and n[0] != "_"]:
            values, others = (getattr(m, name, None) for m in (fitted, other))
            if not isinstance(values, tuple):
                values, others = (values,), (others,)
            for value, moved in zip(values, others, strict=True):
                if isinstance(value, np.ndarray) and len(here[0]) in value.shape:
                    assert isinstance(moved, kind), name
                    assert moved.device == there[0].device, name
                    moved = on_cpu(moved)
                    assert_allclose(moved, value, rtol=1e-7, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("measure", ELSEWHERE, ids=repr)
def test_inference_and_matrices_elsewhere(measure):
    """The strict library here, torch too in the general checks' permutations."""
    tags = tags_of(measure)
    if tags.arity == "group" or tags.inputs == "models":
        pytest.skip("compares more, or other things, than two arrays")
    here, there = inputs_elsewhere(measure, "array_api_strict")

    def results(X, y, params):
        matrix = quietly(similarity_matrix, measure, [X, y], **params)
        null = [0.0]
        if tags.paired:
            settings = {"n_permutations": 3, "random_state": 0, "method": "permutation"}
            test = quietly(similarity_test, measure, X, y, **params, **settings)
            null = test.null_distribution
        return np.concatenate([matrix.to_numpy().ravel(), null])

    expected = results(*here)
    with config_context(array_api_dispatch=True):
        assert_allclose(results(*there), expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("namespace", NAMESPACES)
@pytest.mark.parametrize("measure", STREAMS)
def test_streams_elsewhere(measure, namespace):
    here, (X, y, params) = inputs_elsewhere(measure, namespace)
    expected = quietly(clone(measure).fit, *here[:2], **here[2])
    with config_context(array_api_dispatch=True):
        parts = [
            quietly(
                clone(measure).partial_fit,
                X[rows, ...],
                None if y is None else y[rows, ...],
                **{name: values[rows, ...] for name, values in params.items()},
            )
            for rows in (slice(0, 15), slice(15, 40))
        ]
        fitted = parts[0].merge(parts[1])
        assert_allclose(fitted.statistic_, expected.statistic_, rtol=1e-8)
        if hasattr(fitted, "transform"):
            mapped = fitted.transform(X)
            assert isinstance(mapped, type(X))
            assert_allclose(on_cpu(mapped), expected.transform(here[0]), atol=1e-8)


@pytest.mark.parametrize(
    "measure",
    [
        m
        for m in DEFAULTS
        if not tags_of(m).array_api and tags_of(m).inputs == "representation"
    ],
    ids=repr,
)
@pytest.mark.parametrize("namespace", NAMESPACES)
def test_what_only_the_cpu_can_do_takes_other_arrays(measure, namespace):
    here, there = inputs_elsewhere(measure, namespace)
    expected = quietly(clone(measure).fit, *here[:2], **here[2]).statistic_
    with config_context(array_api_dispatch=True):
        found = quietly(clone(measure).fit, *there[:2], **there[2]).statistic_
    assert_allclose(found, expected, rtol=1e-9)
