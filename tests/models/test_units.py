"""Units of torch modules, as their graphs say."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn
from torch.nn import functional as F

from sksim.models._weights import read_network
from sksim.structural import WeightMatching


def randomised(module, seed=0):
    """Double precision, all weights and running statistics random, to be evaluated."""
    generator = torch.Generator().manual_seed(seed)
    module = module.double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.4 * torch.randn(parameter.shape, generator=generator))
        for name, buffer in module.named_buffers():
            if name.endswith("mean"):
                buffer.copy_(torch.randn(buffer.shape, generator=generator))
            if name.endswith("var"):
                buffer.copy_(0.5 + torch.rand(buffer.shape, generator=generator))
    return module


class Block(nn.Module):
    """Residual block with a short cut of its own where the width changes."""

    def __init__(self, before, after, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.short = nn.Sequential()
        if before != after:
            self.short.append(nn.Conv2d(before, after, 1, stride, bias=False))
            self.short.append(nn.BatchNorm2d(after))

    def forward(self, x):
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        out += self.short(x)
        return F.relu(out)


class ResidualNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 1, 1), nn.BatchNorm2d(8))
        self.blocks = nn.Sequential(Block(8, 8), Block(8, 12, 2), Block(12, 12))
        self.head = nn.Linear(12 * 4, 5)

    def forward(self, x):
        x = self.blocks(F.relu(self.stem(x)))
        x = F.adaptive_avg_pool2d(x, 2)
        return self.head(x.view(x.size(0), -1))


class WordNet(nn.Module):
    """Transformer with learnt positions, and a head that reads the mean."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(20, 16)
        self.places = nn.Parameter(torch.zeros(1, 9, 16))
        layer = nn.TransformerEncoderLayer(16, 4, 24, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(
            layer, 2, nn.LayerNorm(16), enable_nested_tensor=False
        )
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        x = self.words(x) + self.places[:, : x.shape[1]]
        return self.head(self.encoder(x).mean(dim=1))


class Gated(nn.Module):
    """Gates, a scale of each unit, patches as a sequence, its first place read."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(1, 6, 2, 2)
        self.scale = nn.Parameter(torch.ones(6))
        self.gate, self.up = nn.Linear(6, 10), nn.Linear(6, 10)
        self.down = nn.Linear(10, 6)
        self.norm = nn.RMSNorm(6)
        self.attention = nn.MultiheadAttention(6, 3, batch_first=True)
        self.head = nn.Linear(6, 2)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = x + self.attention(x, x, x)[0]
        x = x + self.scale * self.down(F.silu(self.gate(x)) * self.up(x))
        return self.head(self.norm(x)[:, 0])


def plain():
    return nn.Sequential(
        nn.Linear(6, 14),
        nn.BatchNorm1d(14),
        nn.PReLU(14),
        nn.Linear(14, 11, bias=False),
        nn.LayerNorm(11),
        nn.Dropout(0.5),
        nn.Linear(11, 3),
    )


def convolutional():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3, groups=4),
        nn.GroupNorm(1, 4),
        nn.ConvTranspose2d(4, 6, 2, 2),
        nn.InstanceNorm2d(6, affine=True),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.BatchNorm1d(6 * 16),
        nn.Linear(6 * 16, 5),
        nn.Tanh(),
        nn.Linear(5, 2),
    )


def over_sequences():
    """Units of each place of a sequence, side by side after flattening."""
    return nn.Sequential(
        nn.Linear(3, 7),
        nn.LayerNorm(7),
        nn.Flatten(),
        nn.Linear(35, 4),
        nn.Linear(4, 2),
    )


class Tied(nn.Module):
    """The same layer twice, so that its inputs and outputs are one space."""

    def __init__(self):
        super().__init__()
        self.first, self.again = nn.Linear(3, 6), nn.Linear(6, 6)
        self.last = nn.Linear(6, 2)

    def forward(self, x):
        x = torch.tanh(self.first(x))
        x = torch.tanh(self.again(x))
        return self.last(torch.tanh(self.again(x)))


def images(*shape):
    return torch.randn(4, *shape, generator=torch.Generator().manual_seed(1)).double()


MODULES = {
    "plain": (plain, images(6), [14, 11]),
    "convolutional": (convolutional, images(1, 8, 8), [4, 6, 5]),
    "sequences": (over_sequences, images(5, 3), [7, 4]),
    "residual": (ResidualNet, images(3, 8, 8), [8, 8, 12, 12, 12]),
    "words": (WordNet, torch.arange(28).reshape(4, 7) % 20, [16, 4, 24, 4, 24]),
    "gated": (Gated, images(1, 6, 4), [6, 3, 10]),
    "tied": (Tied, images(3), [6]),
    "encoder layer": (
        lambda: nn.TransformerEncoderLayer(8, 2, 9, batch_first=True),
        images(5, 8),
        [2, 9],
    ),
}


@pytest.mark.parametrize("name", MODULES)
def test_units_change_places_and_are_put_back(name):
    """Any order of the units is the same function, and matching finds it."""
    make, rows, sizes = MODULES[name]
    module = randomised(make())
    network = read_network(module, "network")
    assert [units.size for units in network.units] == sizes
    rng = np.random.default_rng(2)
    orders = [rng.permutation(size) for size in sizes]
    permuted = network.with_values([t.moved(orders) for t in network.tensors])
    with torch.no_grad():
        expected, found = module(rows), permuted(rows)
    assert_allclose(found, expected, rtol=0, atol=1e-12)
    measure = WeightMatching().fit(module, permuted)
    assert measure.distance_ == 0
    assert measure.unmatched_distance_ > 1
    for order, back in zip(orders, measure.assignments_.values(), strict=True):
        assert_array_equal(order[back], np.arange(len(order)))
    for key, tensor in module.state_dict().items():
        assert torch.equal(measure.matched_model_.state_dict()[key], tensor)


@pytest.mark.parametrize("name", MODULES)
def test_all_weights_have_units(name):
    """An axis as long as a layer is wide belongs to no fixed order by oversight."""
    make, *_ = MODULES[name]
    network = read_network(randomised(make()), "network")
    spaces = {space for t in network.tensors for space in t.axes if space is not None}
    assert spaces == set(range(len(network.units)))
    for tensor in network.tensors:
        for space, length in zip(tensor.axes, tensor.values.shape, strict=True):
            assert space is None or network.units[space].size == length


@pytest.mark.parametrize("name", [n for n in MODULES if n != "words"])
def test_activations_find_a_permuted_copy(name):
    make, rows, sizes = MODULES[name]
    module = randomised(make())
    network = read_network(module, "network")
    rng = np.random.default_rng(2)
    orders = [rng.permutation(size) for size in sizes]
    permuted = network.with_values([t.moved(orders) for t in network.tensors])
    data = rows.repeat(12, *(1,) * (rows.ndim - 1)) + torch.randn(
        48, *rows.shape[1:], generator=torch.Generator().manual_seed(3)
    )
    measure = WeightMatching("activations").fit(module, permuted, data)
    assert measure.distance_ == 0


class OneLayer(nn.Module):
    """What is done between two linear layers."""

    def __init__(self, function, *parts):
        super().__init__()
        self.before, self.after = nn.Linear(4, 6), nn.Linear(6, 2)
        self.parts, self.function = nn.ModuleList(parts), function

    def forward(self, x):
        return self.after(self.function(self.before(x), *self.parts))


def mixing(x, part):
    return part(x)


@pytest.mark.parametrize(
    "module, message",
    [
        (nn.Sequential(nn.Conv1d(4, 6, 1), nn.Conv1d(6, 6, 1, groups=3)), "'1'.*3 gro"),
        (nn.Sequential(nn.Conv1d(4, 6, 1), nn.GroupNorm(2, 6)), "'1'.*2 groups"),
        (nn.Sequential(nn.Linear(4, 6), nn.GRU(6, 6)), "'1'.*is a GRU"),
        (nn.Sequential(nn.Linear(4, 6), nn.GLU()), "'1'.*is a GLU"),
        (nn.Sequential(nn.Linear(4, 6), nn.MaxPool1d(2)), "'1'.*pools along"),
        (nn.Sequential(nn.Conv1d(4, 6, 1), nn.Linear(6, 6)), "'1'.*do not stand on"),
        (OneLayer(lambda x: torch.cat([x[:, :3], x[:, 3:]], 1)), "'getitem'.*picks"),
        (OneLayer(lambda x: torch.cat([x, x], 1)), "'cat'.*mix them"),
        (OneLayer(lambda x: x.roll(1, 1)), "'roll'.*mix them"),
        (OneLayer(lambda x: x.view(2, 3, -1)), "'view'.*reshapes"),
        (OneLayer(lambda x: x if x.sum() > 0 else -x), "torch.fx"),
        (OneLayer(mixing, nn.GRU(6, 6)), "'parts.0'.*is a GRU"),
        (
            OneLayer(mixing, nn.utils.parametrizations.weight_norm(nn.Linear(6, 6))),
            "'parts.0'.*parameters of its own",
        ),
    ],
)
def test_layers_that_are_not_known_are_named(module, message):
    with pytest.raises(ValueError, match=f"(?s)Layer {message}|{message}"):
        read_network(module, "network")


def test_a_layer_in_which_tracing_fails_is_named():
    inner = OneLayer(lambda x: x if x.sum() > 0 else -x)
    with pytest.raises(ValueError, match=r"Layer '0'.*torch\.fx"):
        read_network(nn.Sequential(inner, nn.Linear(2, 2)), "network")


def test_sum_with_the_input_keeps_its_order():
    """What is added to inputs must stand as they do."""

    class AddsInput(nn.Module):
        def __init__(self):
            super().__init__()
            self.up, self.down = nn.Linear(4, 6), nn.Linear(6, 4)
            self.last = nn.Linear(4, 2)

        def forward(self, x):
            return self.last(x + self.down(torch.relu(self.up(x))))

    assert [u.name for u in read_network(AddsInput(), "network").units] == ["up"]


def test_weights_must_be_finite_and_be_there():
    module = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    with torch.no_grad():
        module[2].weight[0, 0] = torch.nan
    with pytest.raises(ValueError, match=r"'2\.weight' of network contains NaN"):
        read_network(module, "network")
    with pytest.raises(ValueError, match="no layer with weights"):
        read_network(nn.Sequential(nn.ReLU()), "network")
