"""Gradients of scores: right where there are any, and finite everywhere."""

import warnings

import array_api_compat.torch
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import config_context

from sksim import all_measures
from sksim.alignment import AngularShapeMetric, OrthogonalProcrustes
from sksim.cca import MeanCCA, MeanSquaredCCA
from sksim.rsm import GULP, RSA, NormalizedBures

torch = pytest.importorskip("torch")

from sksim.arrays._linalg import polar_factor  # noqa: E402

DIFFERENTIABLE = [cls() for _, cls in all_measures(differentiable=True)]
VARIANTS = [
    RSA(metric, comparison)
    for metric in ("correlation", "euclidean", "sqeuclidean", "cosine")
    for comparison in ("pearson", "cosine")
] + [OrthogonalProcrustes(scale=False), GULP(ridge=1e-4)]
MEASURES = DIFFERENTIABLE + VARIANTS
OF_SINGULAR_VALUES = [
    OrthogonalProcrustes(),
    OrthogonalProcrustes(scale=False),
    AngularShapeMetric(),
    NormalizedBures(),
    MeanCCA(),
]
OF_SPACES = [MeanCCA(), MeanSquaredCCA()]


@pytest.fixture(autouse=True)
def _tensors():
    with config_context(array_api_dispatch=True), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The representations have ranks")
        yield


def gradients(measure, *arrays):
    """Score, and its gradients by both representations."""
    leaves = [torch.as_tensor(a).clone().requires_grad_() for a in arrays]
    score = measure.score_array(*leaves)
    return score, torch.autograd.grad(score, leaves)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


SHAPES = {"tall": ((14, 4), (14, 3)), "wide": ((6, 9), (6, 4)), "wider": ((6, 9),) * 2}


@pytest.mark.parametrize("shapes", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_gradcheck(measure, shapes):
    if type(measure).__name__ == "LinearRegressionSimilarity" and shapes[0][1] > 6:
        pytest.skip("a map of more columns than rows fits anything")
    X, y = (draw(*shape, seed=i).requires_grad_() for i, shape in enumerate(shapes))
    assert torch.autograd.gradcheck(measure.score_array, (X, y))


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_value_is_that_of_fit(measure):
    X, y = draw(20, 4), draw(20, 3, seed=1)
    score, _ = gradients(measure, X, y)
    assert score.ndim == 0
    with config_context(array_api_dispatch=False):
        expected = measure.fit(X.numpy(), y.numpy()).score_
    assert_allclose(score.detach(), expected, rtol=1e-10)


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_gradients_are_finite_at_equal_and_zero_singular_values(measure):
    X, y = draw(20, 4), draw(20, 3, seed=1)
    spread = torch.linalg.qr(X - X.mean(0))[0]  # all singular values are equal
    flat = X @ torch.diag(torch.tensor([1.0, 1.0, 0.0, 0.0])).double()
    alike = X.clone()
    alike[1] = alike[0]
    cases = [(spread, spread), (spread, spread[:, :3]), (flat, y), (flat, flat)]
    cases += [(X, X), (alike, y), (alike, alike), (spread[:, :2], spread[:, 2:])]
    for pair in cases:
        for gradient in gradients(measure, *pair)[1]:
            assert torch.isfinite(gradient).all()


def test_polar_factor_of_equal_zero_and_small_values():
    Q = torch.linalg.qr(draw(5, 5))[0]
    W = torch.linalg.qr(draw(7, 5, seed=1))[0]
    for values in ([1, 1, 1, 1, 1], [3, 1, 1, 0, 0], [1, 1e-3, 1e-6, 1e-9, 0], [0] * 5):
        s = torch.tensor(values).double()
        for M in ((Q * s) @ W.T, (W * s) @ Q.T):
            kept = (s > 0).double()
            expected = (Q * kept) @ W.T
            expected = expected if M.shape[0] == 5 else expected.T
            found = polar_factor(M, xp=array_api_compat.torch)
            assert_allclose(found, expected, atol=1e-6)
            assert_allclose((M * found).sum(), s.sum(), atol=1e-12)


def test_gradient_of_bures_by_hand():
    """One column each: the absolute cosine, of columns that are centred."""
    X = torch.tensor([[1.0], [-1.0], [0.0]]).double()
    y = torch.tensor([[1.0], [0.0], [-1.0]]).double()
    score, (of_x, _) = gradients(NormalizedBures(), X, y)
    assert_allclose(score.detach(), 0.5)
    # (y / |y| - cos x / |x|) / |x|, with both norms the root of 2
    assert_allclose(of_x[:, 0], [0.25, 0.25, -0.5], atol=1e-12)


@pytest.mark.parametrize("measure", OF_SPACES, ids=repr)
def test_spaces_of_a_rank_move_within_what_they_are_made_of(measure):
    """A copy of a column changes neither the value nor what others' gradients say."""
    X, y = draw(20, 3), draw(20, 2, seed=1)
    score, (of_x, of_y) = gradients(measure, X, y)
    doubled, (of_twice, of_other) = gradients(measure, torch.hstack([X, X]), y)
    assert_allclose(doubled.detach(), score.detach(), rtol=1e-10)
    assert_allclose(of_twice[:, :3] + of_twice[:, 3:], of_x, atol=1e-10)
    assert_allclose(of_other, of_y, atol=1e-10)


@pytest.mark.parametrize("measure", OF_SINGULAR_VALUES, ids=repr)
def test_nothing_to_gain_at_the_best_score(measure):
    X = draw(20, 4)
    turned = X @ torch.linalg.qr(draw(4, 4, seed=1))[0]
    for gradient in gradients(measure, X, turned)[1]:
        # a distance has a kink here, and less than its slope of 1 is a subgradient
        assert torch.linalg.norm(gradient) < 1 + 1e-9
    for gradient in gradients(measure, X, X)[1]:
        assert torch.linalg.norm(gradient) < 1 + 1e-9


@pytest.mark.parametrize(
    "measure",
    [RSA(), OrthogonalProcrustes(debias="rows"), GULP(ridge=0), GULP(ridge=1e-8)],
    ids=repr,
)
def test_refused_without_gradients(measure):
    with pytest.raises(ValueError, match="has no gradients"):
        measure.score_array(draw(20, 4), draw(20, 3))


def test_steps_of_single_precision_are_those_of_double():
    X, y = draw(200, 6), draw(200, 5, seed=1)
    for measure in OF_SINGULAR_VALUES + [RSA("cosine", "pearson"), GULP()]:
        expected = gradients(measure, X, y)[1]
        for found, sought in zip(
            gradients(measure, X.float(), y.float())[1], expected, strict=True
        ):
            assert found.dtype == torch.float32
            size = np.max(np.abs(sought.numpy()))
            assert_allclose(found, sought, atol=1e-4 * size)
