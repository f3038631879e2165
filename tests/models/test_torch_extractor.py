import copy
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.ensemble import RandomForestRegressor

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
        "sequence_first": (6, 5, 2),
        "output": (6, 2),
    }
    with pytest.raises(ValueError, match="'unused' of Recurrent was not called"):
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
    table = compare(network, other, X, measures="CKA", n_permutations=9).to_frame()
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


class Classifier(nn.Module):
    """Answers as transformers do: a loss first, where labels are passed."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(9, 4)
        self.head = nn.Linear(4, 2)
        self.unused = nn.Linear(4, 2)

    def forward(self, input_ids, attention_mask=None, labels=None):
        logits = self.head(self.embedding(input_ids).mean(1))
        loss = {} if labels is None else {"loss": logits.sum()}
        return loss | {"logits": logits}


@pytest.fixture
def tokens():
    ids = torch.randint(0, 9, (8, 5), generator=torch.Generator().manual_seed(0))
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def test_mappings_of_a_tokenizer(tokens):
    model = Classifier()
    expected = extract_representations(model, iter([tokens]))
    assert list(expected) == ["embedding", "output"]
    halves = [
        {k: v[rows] for k, v in tokens.items()} for rows in (slice(3), slice(3, 8))
    ]
    for data in (tokens, tokens | {"labels": None}, halves, tuple(halves)):
        found = extract_representations(model, data, batch_size=3)
        for name, layer in expected.items():
            assert_allclose(found[name], layer, rtol=1e-6)
    with pytest.raises(ValueError, match="one row for each input; their lengths are"):
        extract_representations(model, tokens | {"labels": torch.ones(3)})


def test_a_loss_is_not_the_output(tokens):
    model = Classifier()
    labels = {"labels": torch.zeros(8, dtype=torch.int64)}
    found = extract_representations(model, tokens | labels, "output")["output"]
    assert_allclose(found, extract_representations(model, tokens)["output"])
    module = nn.Sequential(nn.Linear(5, 1), nn.Flatten(0), nn.AdaptiveAvgPool1d(1))
    with pytest.raises(ValueError, match="'output' has no row for each of the 8"):
        extract_representations(Mean(module), torch.zeros(8, 5), "output")


class Mean(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner[0]

    def forward(self, x):
        return self.inner(x).mean()


def test_lists_of_batches(network, X):
    expected = extract_representations(network, X)
    batches = [X[:12], X[12:]]
    with_labels = [(batch, torch.zeros(len(batch))) for batch in batches]
    for data in (batches, with_labels, [[b] for b in batches], [(X, X)]):
        found = extract_representations(network, data)
        for name, layer in expected.items():
            assert_allclose(found[name], layer, rtol=1e-5, atol=1e-6)
    rows = [row.numpy() for row in X]
    assert_allclose(
        extract_representations(network, rows)["output"], expected["output"]
    )
    for data in ((X, X), (X, torch.zeros(20)), [X, torch.zeros(20)]):
        with pytest.raises(ValueError, match=r"may be inputs and labels.*data\[0\]"):
            extract_representations(network, data)
    for data in ([["text"]], {"x": ["a", "b"]}):
        with pytest.raises(ValueError, match="can't be read as numbers.*tokenizer"):
            extract_representations(network, data)
    maps = [torch.zeros(3, 8, 8)] * 2
    with pytest.raises(ValueError, match=r"torch.stack\(data\) .*torch.cat\(data\)"):
        extract_representations(nn.Conv2d(3, 2, 3), maps)


def test_every_layer_that_is_named_must_be_called(tokens):
    with pytest.raises(ValueError, match="'unused' of Classifier was not called"):
        TorchExtractor(Classifier(), ["embedding", "unused"]).extract(tokens)
    found = TorchExtractor(Classifier(), ["embedding", "*"]).extract(tokens)
    assert list(found) == ["embedding", "head", "output"]


def test_batches_padded_to_their_own_length(tokens):
    shorter = {name: values[:, :4] for name, values in tokens.items()}
    with pytest.raises(ValueError, match=r"'embedding' .*\(4, 4\) and \(5, 4\).*Token"):
        extract_representations(Classifier(), [tokens, shorter])


def test_both_models_get_the_same_rows_in_the_same_order(network, X):
    loaders = torch.utils.data.DataLoader, torch.utils.data.TensorDataset(X)
    shuffling = loaders[0](loaders[1], batch_size=8, shuffle=True)
    batches = torch.utils.data.BatchSampler(
        torch.utils.data.RandomSampler(loaders[1]), 8, drop_last=False
    )
    options = {"measures": ["CKA"], "n_permutations": 0, "confidence_level": None}
    in_order = loaders[0](loaders[1], batch_size=8)
    for data in (shuffling, loaders[0](loaders[1], batch_sampler=batches), in_order):
        table = compare(network, network, data, **options).to_frame()
        assert table["value"][0] == pytest.approx(1)
        table = compare(network, copy.deepcopy(network), data, **options).to_frame()
        assert table["value"][0] == pytest.approx(1)
    for data in (iter([X]), list(shuffling)):
        assert compare(network, network, data, **options).to_frame()["value"][
            0
        ] == pytest.approx(1)
    for name in ("y_true", "groups", "strata"):
        with pytest.raises(ValueError, match=f"RandomSampler.* {name} can't be in"):
            compare(
                network, network, shuffling, **{name: np.arange(20)}, **options
            ).to_frame()
    forest = RandomForestRegressor(3, random_state=0).fit(X.numpy(), np.arange(20))
    # estimators take all rows at once, which are gathered from the batches
    expected = compare(network, forest, X, **options).to_frame()["value"][0]
    for data in (shuffling, iter([X]), in_order):
        found = compare(network, forest, data, **options).to_frame()["value"][0]
        assert found == pytest.approx(expected, rel=1e-5)


def test_samplers_of_ones_own_may_draw_too(network, X):
    class Drawn(torch.utils.data.Sampler):
        def __iter__(self):
            return iter(torch.randperm(20).tolist())

        def __len__(self):
            return 20

    loader = torch.utils.data.DataLoader
    forest = RandomForestRegressor(3, random_state=0).fit(X.numpy(), np.arange(20))
    options = {"measures": ["CKA"], "n_permutations": 0, "confidence_level": None}
    expected = compare(network, forest, X, **options).to_frame()["value"][0]
    drawn = compare(network, forest, loader(X, sampler=Drawn()), **options).to_frame()
    assert drawn["value"][0] == pytest.approx(expected, rel=1e-5)
    both = compare(network, network, loader(X, sampler=Drawn()), **options).to_frame()
    assert both["value"][0] == pytest.approx(1)


def test_maps_and_tokens_are_averaged(tokens):
    class Pooled(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(9, 4)

        def forward(self, input_ids, attention_mask):
            return self.embedding(input_ids).sum((1, 2))[:, None]

    torch.manual_seed(0)
    a, b = Pooled(), Pooled()
    tokens["attention_mask"][:4, 3:] = 0
    layers = [
        extract_representations(model, tokens, "embedding", reduce="mean")["embedding"]
        for model in (a, b)
    ]
    options = {"measures": ["CKA"], "n_permutations": 0, "confidence_level": None}
    table = compare(a, b, tokens, **options).to_frame()
    assert table["value"][0] == pytest.approx(CKA().fit(*layers).score_)
