import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sksim.models import TorchExtractor, extract_outputs, extract_representations
from sksim.pairwise import compare, similarity_matrix
from sksim.rsm import CKA

torch = pytest.importorskip("torch")
nn = torch.nn


class Network(nn.Module):
    """One activation used twice, in place; dropout; a nested block."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(5, 6)
        self.block = nn.Sequential(nn.Linear(6, 4), nn.Dropout(0.5))
        self.relu = nn.ReLU(inplace=True)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        x = self.relu(self.first(x))
        x = self.relu(self.block(x))
        return self.head(x)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Network()


@pytest.fixture
def X():
    return torch.randn(20, 5, generator=torch.Generator().manual_seed(1))


def state(model):
    hooks = [len(module._forward_hooks) for module in model.modules()]
    return hooks, [module.training for module in model.modules()]


def test_layers_are_those_of_the_forward_pass(network, X):
    layers = extract_representations(network, X)
    names = ["first", "relu", "block.0", "block.1", "relu:2", "output"]
    assert list(layers) == names
    with torch.no_grad():
        first = network.first(X)
        second = network.block[0](first.clamp(min=0))
        output = network.head(second.clamp(min=0))
    # in-place operations that follow don't reach what was kept
    assert_allclose(layers["first"], first)
    assert (layers["first"] < 0).any()
    assert_allclose(layers["relu"], first.clamp(min=0))
    assert_allclose(layers["block.1"], second)
    assert_allclose(layers["relu:2"], second.clamp(min=0))
    assert_allclose(layers["output"], output)
    assert not any(layer.requires_grad for layer in layers.values())


def test_batches_do_not_matter(network, X):
    whole = extract_representations(network, X)
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(X, torch.zeros(20)), batch_size=7
    )
    for layers in (
        extract_representations(network, X, batch_size=3),
        extract_representations(network, loader),
        extract_representations(network, X.numpy().astype(float), batch_size=6),
        extract_representations(network, X.tolist()),
    ):
        assert list(layers) == list(whole)
        for name, layer in layers.items():
            assert_allclose(layer, whole[name], atol=1e-6)


def test_names_and_patterns(network, X):
    assert list(extract_representations(network, X, "block")) == ["block"]
    chosen = extract_representations(network, X, ["output", "block.*"])
    assert list(chosen) == ["block.0", "block.1", "output"]
    assert list(extract_representations(network, X, "relu")) == ["relu", "relu:2"]
    assert "head" in extract_representations(network, X, "head")
    with pytest.raises(ValueError, match="no layer 'tail'.*first, block, block.0"):
        TorchExtractor(network, "tail")


def test_model_is_left_as_it_was(network, X):
    network.train()
    network.block.eval()
    before = state(network)
    extract_representations(network, X)
    assert state(network) == before

    def broken(module, inputs, output):
        raise RuntimeError("broken")

    handle = network.relu.register_forward_hook(broken)
    before = state(network)
    with pytest.raises(RuntimeError, match="broken"):
        extract_representations(network, X)
    assert state(network) == before
    handle.remove()
    with pytest.raises(RuntimeError):
        extract_representations(network, X[:, :3])
    assert sum(state(network)[0]) == 0
    assert torch.is_grad_enabled()


def test_evaluation_mode_makes_it_deterministic(network, X):
    network.train()
    first, second = (extract_representations(network, X) for _ in range(2))
    for name, layer in first.items():
        assert_allclose(layer, second[name], rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_becomes_single(network, X, dtype):
    exact = extract_representations(network, X)
    half = extract_representations(network.to(dtype), X)
    for name, layer in half.items():
        assert layer.dtype == torch.float32
        assert_allclose(layer, exact[name], atol=0.05)
    assert 0 < CKA().fit(half["first"], half["relu:2"]).score_ <= 1


def test_double_precision_is_kept(network, X):
    layers = extract_representations(network.double(), X)
    assert layers["first"].dtype == torch.float64


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 4, batch_first=True)
        self.sequence_first = nn.LSTM(4, 2)
        self.unused = nn.Linear(2, 2)

    def forward(self, x):
        hidden, _ = self.lstm(x)
        last, _ = self.sequence_first(hidden.transpose(0, 1))
        return {"scores": last[-1], "hidden": hidden}


def test_tuples_mappings_and_layers_without_rows():
    model = Recurrent()
    X = torch.randn(6, 5, 3)
    layers = extract_representations(model, X)
    assert {name: tuple(layer.shape) for name, layer in layers.items()} == {
        "lstm": (6, 5, 4),
        "output": (6, 2),
    }
    with pytest.raises(ValueError, match=r"'sequence_first' has no row.*\(5, 6, 2\)"):
        extract_representations(model, X, "sequence_first")
    with pytest.raises(ValueError, match="None of the layers"):
        extract_representations(model, X, "unused")


class WithKeywords(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 4)

    def forward(self, tokens, scale):
        return self.embedding(tokens).mean(dim=1) * scale[:, None]


def test_integer_input_and_batches_of_keywords():
    model = WithKeywords()
    tokens = torch.arange(12).reshape(4, 3) % 10
    batch = {"tokens": tokens, "scale": torch.ones(4)}
    layers = extract_representations(model, iter([batch, batch]))
    assert tuple(layers["embedding"].shape) == (8, 3, 4)
    assert tuple(layers["output"].shape) == (8, 4)


def test_module_without_parameters():
    layers = extract_representations(nn.Flatten(), np.ones((3, 2, 2)))
    assert tuple(layers["output"].shape) == (3, 4)


def test_outputs_are_passed_through_nothing(network, X):
    outputs = extract_outputs(network, X)
    assert list(outputs) == ["outputs"]
    network.eval()
    with torch.no_grad():
        assert_allclose(outputs["outputs"], network(X))


def test_comparisons_of_networks(network, X):
    torch.manual_seed(1)
    other = Network()
    layers = extract_representations(network, X, ["relu", "output"])
    matrix = similarity_matrix(CKA(), layers, extract_representations(other, X))
    assert matrix.shape == (3, 6)
    table = compare(network, other, X, measures="CKA", n_permutations=9)
    assert table.compared[0] == "relu:2"


def test_bad_input(network):
    with pytest.raises(ValueError, match=r"must be a torch.nn.Module"):
        TorchExtractor("model")
    with pytest.raises(ValueError, match="batch_size"):
        TorchExtractor(network, batch_size=0)
    with pytest.raises(ValueError, match="got int"):
        TorchExtractor(network).extract(3)
    with pytest.raises(ValueError, match="no rows"):
        TorchExtractor(network).extract(torch.zeros(0, 5))


def test_progress(network, X, capsys):
    extract_representations(network, X, batch_size=5, verbose=1)
    assert "batches [####" in capsys.readouterr().err


def test_torch_is_not_imported_before_a_module_is_given():
    code = (
        "import sys, sksim.models, sksim.pairwise, sksim.report, sksim.plot\n"
        "assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
