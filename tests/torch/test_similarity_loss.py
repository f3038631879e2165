"""The score as a loss of PyTorch."""

import os
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sksim.alignment import LinearRegressionSimilarity
from sksim.neighbors import MutualKNN
from sksim.rsm import CKA, HSIC

torch = pytest.importorskip("torch")

from sksim.torch import SimilarityLoss  # noqa: E402


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 5))
    return X, X[:, :3] + rng.normal(size=(40, 3))


@pytest.mark.parametrize("measure", [CKA(), CKA("rbf"), LinearRegressionSimilarity()])
def test_is_what_the_best_score_is_more_than_the_score(rows, measure):
    loss = SimilarityLoss(measure)
    assert_allclose(
        float(loss(*map(torch.tensor, rows))), 1 - measure.fit(*rows).score_, rtol=1e-9
    )
    assert loss.best == 1


def test_is_minus_a_score_without_limit(rows):
    loss = SimilarityLoss(HSIC)
    assert_allclose(float(loss(*map(torch.tensor, rows))), -HSIC().fit(*rows).score_)


def test_gradients_go_to_one_side_or_to_both(rows):
    X, y = (torch.tensor(array, requires_grad=True) for array in rows)
    SimilarityLoss("CKA")(X, y.detach()).backward()
    alone = X.grad.clone()
    assert y.grad is None
    X.grad = None
    SimilarityLoss("CKA")(X, y).backward()
    assert_allclose(X.grad, alone)
    assert y.grad.abs().sum() > 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_keeps_the_precision(rows, dtype):
    X, y = (torch.tensor(array, dtype=dtype) for array in rows)
    X.requires_grad_()
    loss = SimilarityLoss(CKA())(X, y)
    loss.backward()
    assert loss.dtype == X.grad.dtype == dtype
    assert loss.ndim == 0
    expected = 1 - CKA().fit(*(a.detach().double().numpy() for a in (X, y))).score_
    assert_allclose(float(loss.detach()), expected, rtol=2 * torch.finfo(dtype).eps)


def test_descent_aligns_a_student():
    torch.manual_seed(0)
    teacher = torch.randn(64, 6)
    student = torch.nn.Sequential(torch.nn.Linear(6, 6), torch.nn.Tanh())
    loss = SimilarityLoss(CKA(debias="rows"))
    optimizer = torch.optim.Adam(student.parameters(), lr=0.02)
    values = []
    for _ in range(60):
        optimizer.zero_grad()
        values.append(loss(student(teacher), teacher))
        values[-1].backward()
        optimizer.step()
    assert values[-1] < 0.3 * values[0]


def test_text_names_the_measure():
    assert "CKA(debias='rows')" in repr(SimilarityLoss(CKA(debias="rows")))
    assert not list(SimilarityLoss(CKA()).parameters())


def test_refusals(rows):
    with pytest.raises(ValueError, match="MutualKNN has no gradients without a temp"):
        SimilarityLoss(MutualKNN())
    with pytest.raises(ValueError, match="measure must be a similarity measure"):
        SimilarityLoss(torch.nn.MSELoss())
    X = torch.tensor(rows[0])
    with pytest.raises(TypeError, match="y must be a torch tensor, got ndarray"):
        SimilarityLoss(CKA())(X, rows[1])
    with pytest.raises(ValueError, match="constant"):
        SimilarityLoss(CKA())(X, torch.ones(40, 3))


def run(code, **environment):
    kept = {k: v for k, v in os.environ.items() if k != "SCIPY_ARRAY_API"}
    path = os.pathsep.join(map(os.path.abspath, sys.path))
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**kept, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_needs_no_environment():
    code = """
import torch
from sksim import CKA, SimilarityLoss
X = torch.arange(12.0).reshape(4, 3).sin()
print(float(SimilarityLoss(CKA())(X, X)) < 1e-6)
"""
    assert run(code) == ["True"]


def test_without_torch_a_sentence_says_what_is_missing():
    code = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Refuse())
from sksim.torch import SimilarityLoss
try:
    SimilarityLoss("CKA")
except ImportError as error:
    print(error)
"""
    assert "'sksim[torch]'." in run(code)


def test_torch_is_imported_with_the_loss_alone():
    code = "import sys, sksim, sksim.torch; sksim.CKA(); print('torch' in sys.modules)"
    assert run(code) == ["False"]
