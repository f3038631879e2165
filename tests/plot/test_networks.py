"""Displays of networks: each batch of a loader goes through all of them."""

import numpy as np
import pytest

from sksim.models import extract_representations
from sksim.pairwise import similarity_matrix
from sksim.plot import (
    ModelMapDisplay,
    PermutationNullDisplay,
    RepresentationDisplay,
    SimilarityMatrixDisplay,
)
from sksim.rsm import CKA

torch = pytest.importorskip("torch")
pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    return [
        torch.nn.Sequential(
            torch.nn.Conv2d(1, width, 3), torch.nn.Tanh(), torch.nn.Conv2d(width, 3, 3)
        )
        for width in (4, 5)
    ]


@pytest.fixture(scope="module")
def images():
    return torch.randn(40, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def test_matrix_of_a_shuffling_loader(networks, images):
    loader = torch.utils.data.DataLoader(images, batch_size=15, shuffle=True)
    display = SimilarityMatrixDisplay.from_estimators(CKA(), *networks, loader)
    layers = [extract_representations(n, images, reduce="mean") for n in networks]
    layers = [{n: v.numpy() for n, v in side.items()} for side in layers]
    expected = similarity_matrix(CKA(), *layers)
    np.testing.assert_allclose(display.matrix, expected, rtol=1e-4)
    itself = SimilarityMatrixDisplay.from_estimators(
        CKA(), networks[0], None, loader, layers=["0", "output"]
    )
    assert list(itself.matrix) == ["0", "output"]
    np.testing.assert_allclose(np.diag(itself.matrix), 1, rtol=1e-5)
    with pytest.raises(ValueError, match="no layer 'x'"):
        SimilarityMatrixDisplay.from_estimators(CKA(), *networks, loader, layers="x")


def test_other_displays_of_a_shuffling_loader(networks, images):
    loader = torch.utils.data.DataLoader(images, batch_size=15, shuffle=True)
    named = {"a": networks[0], "again": networks[0], "b": networks[1]}
    for layer in (None, "0"):
        found = ModelMapDisplay.from_estimators(CKA(), named, loader, layer=layer)
        a, again, b = found.coordinates
        assert np.linalg.norm(a - again) < 0.01 * np.linalg.norm(a - b)
        null = PermutationNullDisplay.from_estimators(
            CKA(), *[networks[0]] * 2, loader, layer=layer, n_permutations=9
        )
        assert null.score == pytest.approx(1, rel=1e-5)
    with pytest.raises(ValueError, match="y_true can't be in"):
        SimilarityMatrixDisplay.from_estimators(
            CKA(), *networks, loader, y_true=np.zeros(40)
        )
    with pytest.raises(ValueError, match="labels can't be in"):
        RepresentationDisplay.from_estimators(*networks, loader, labels=np.zeros(40))
    with pytest.raises(ValueError, match="groups can't be in"):
        PermutationNullDisplay.from_estimators(
            CKA(), *networks, loader, groups=np.zeros(40)
        )
