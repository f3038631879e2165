"""Layers that are reduced within the pass, and the axis that their rows are."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from sksim.models import TorchExtractor, extract_representations
from sksim.preprocessing import SpatialPooling, TokenPooling

torch = pytest.importorskip("torch")
nn = torch.nn


def shapes(layers):
    return {name: tuple(layer.shape) for name, layer in layers.items()}


class Recurrent(nn.Module):
    def __init__(self, batch_first):
        super().__init__()
        torch.manual_seed(0)
        self.batch_first = batch_first
        self.lstm = nn.LSTM(3, 4, batch_first=batch_first)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        if not self.batch_first:
            x = x.transpose(0, 1)
        return self.head(self.lstm(x)[1][0][-1])


@pytest.mark.parametrize("n_rows, n_steps", [(7, 7), (7, 5), (2, 2), (1, 6), (6, 2)])
def test_time_may_be_the_first_axis(n_rows, n_steps):
    X = torch.randn(n_rows, n_steps, 3)
    expected = extract_representations(Recurrent(True), X)
    found = extract_representations(Recurrent(False), X)
    assert shapes(found)["lstm"] == (n_rows, n_steps, 4)
    for name, layer in expected.items():
        assert_allclose(found[name], layer, rtol=1e-5, atol=1e-6)


class Windows(nn.Module):
    """Windows of tokens take the place of rows, in either order."""

    def __init__(self, rows_first=True):
        super().__init__()
        torch.manual_seed(0)
        self.rows_first = rows_first
        self.inside = nn.Linear(3, 4)

    def forward(self, x):
        n = len(x)
        x = x.reshape(n, 5, 2, 3)
        if not self.rows_first:
            x = x.transpose(0, 1)
        x = self.inside(x.reshape(5 * n, 2, 3))
        x = x.reshape(n, 5, 8) if self.rows_first else x.reshape(5, n, 8)
        return x.sum(1 if self.rows_first else 0)


@pytest.mark.parametrize("n_rows", [2, 3, 5, 12])
@pytest.mark.parametrize("rows_first", [True, False])
def test_windows_are_parted_from_rows(rows_first, n_rows):
    X = torch.randn(n_rows, 10, 3)
    model = Windows(rows_first)
    found = extract_representations(model, X, batch_size=6)["inside"]
    with torch.no_grad():
        expected = model.inside(X).reshape(n_rows, 5, 2, 4)
    assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    mean = extract_representations(model, X, reduce="mean")["inside"]
    assert_allclose(mean, expected.mean((1, 2)), rtol=1e-5, atol=1e-6)


class Positions(nn.Module):
    """A layer of places, which no input has a row of."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(9, 3)
        self.places = nn.Embedding(9, 3)
        self.scale = nn.Linear(1, 1)

    def forward(self, tokens):
        self.scale(torch.ones(()).reshape(1))
        x = self.embedding(tokens) + self.places(torch.arange(tokens.shape[1]))
        return x.mean(1)


def test_what_is_left_out_is_said_with_its_reason():
    X = torch.arange(20).reshape(5, 4) % 9
    message = r"Positions .*left out: 'scale' \(no axis .*\(1,\).*'places'"
    with pytest.warns(UserWarning, match=message):
        assert list(extract_representations(Positions(), X)) == ["embedding", "output"]
    with pytest.warns(UserWarning, match="'places'"):
        found = extract_representations(Positions(), X, ["*"])
    assert list(found) == ["embedding", "output"]
    with pytest.raises(ValueError, match="'places' has no row for each of the 5 input"):
        extract_representations(Positions(), X, ["embedding", "places"])
    # as many tokens as rows are no rows either
    with pytest.warns(UserWarning, match="'places'"):
        assert "places" not in extract_representations(Positions(), X[:4])


class ForTen(nn.Module):
    """It takes no other number of rows than ten."""

    def forward(self, x):
        return x.reshape(10, 4) * 2


def test_a_module_that_takes_no_two_rows():
    found = extract_representations(ForTen(), torch.ones(20, 4), batch_size=10)
    assert shapes(found) == {"output": (20, 4)}


# ----- reduced ------------------------------------------------------------------------


class Maps(nn.Module):
    """Maps with channels first, then last, then first again."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.layer_norm = nn.LayerNorm(8)
        self.linear = nn.Linear(8, 6)
        self.gelu = nn.GELU()
        self.back = nn.Identity()

    def forward(self, x):
        x = self.relu(self.norm(self.conv(x)))
        x = self.gelu(self.linear(self.layer_norm(x.permute(0, 2, 3, 1))))
        return self.back(x.permute(0, 3, 1, 2)).mean((2, 3))


# as many places as channels, so that shapes alone do not tell
@pytest.mark.parametrize("size", [(5, 5), (8, 8), (7, 7), (8, 5)])
def test_mean_is_over_places(size):
    X = torch.randn(9, 3, *size)
    whole = extract_representations(Maps(), X)
    for batch_size in (9, 4):
        found = extract_representations(Maps(), X, batch_size=batch_size, reduce="mean")
        for name in ("conv", "norm", "relu", "back"):
            expected = whole[name].mean((2, 3))
            assert_allclose(found[name], expected, rtol=1e-5, atol=1e-6)
        for name in ("layer_norm", "linear", "gelu"):
            expected = whole[name].mean((1, 2))
            assert_allclose(found[name], expected, rtol=1e-5, atol=1e-6)
        assert_allclose(found["output"], whole["output"], rtol=1e-5, atol=1e-6)


def test_layers_before_one_in_place_are_read_before_it():
    X = torch.randn(9, 3, 5, 5)
    for reduce in ("mean", "flatten", None):
        found = extract_representations(Maps(), X, ["norm", "relu"], reduce=reduce)
        assert bool((found["norm"] < 0).any())
        assert not bool((found["relu"] < 0).any())


def test_inputs_are_not_overwritten():
    model = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(3, 2))
    X = torch.randn(8, 3)
    for data in (X.clone(), X.numpy().copy(), [X.clone()]):
        extract_representations(model, data)
        assert_array_equal(data[0] if isinstance(data, list) else data, X)


def test_ways_to_reduce():
    X = torch.randn(9, 3, 5, 5)
    model = Maps()
    whole = extract_representations(model, X)
    maps = whole["conv"]

    def conv(reduce):
        return extract_representations(model, X, "conv", batch_size=4, reduce=reduce)[
            "conv"
        ]

    assert_allclose(conv("flatten"), maps.reshape(9, -1), rtol=1e-5, atol=1e-6)
    tokens = maps.permute(0, 2, 3, 1).reshape(-1, 8)
    assert_allclose(conv("tokens"), tokens, rtol=1e-5, atol=1e-6)
    assert_allclose(conv(SpatialPooling("max")), maps.amax((2, 3)), atol=1e-6)
    assert_allclose(conv({"c*": "mean"}), maps.mean((2, 3)), rtol=1e-5, atol=1e-6)
    assert conv({"x": "mean"}).shape == maps.shape
    assert_allclose(conv(lambda R, batch: R[:, :, 0, 0]), maps[:, :, 0, 0], atol=1e-6)
    pooled = maps.mean((2, 3)).numpy()
    pca = PCA(2).fit(pooled)
    unit = make_pipeline(SpatialPooling(), Normalizer(), pca)
    expected = pca.transform(Normalizer().transform(pooled))
    assert_allclose(conv(unit), expected, rtol=1e-4, atol=1e-5)
    assert_allclose(
        TorchExtractor(model, "conv", reduce="mean").extract(X)["conv"],
        maps.mean((2, 3)),
        rtol=1e-5,
        atol=1e-6,
    )


def test_bad_ways_to_reduce():
    X = torch.randn(9, 3, 5, 5)
    for reduce, message in [
        ("median", "reduce must be one of 'mean', 'flatten', 'tokens'.*got 'median'"),
        (PCA(2), "must be fitted, and there are no rows to fit it to"),
        (make_pipeline(SpatialPooling(), PCA(2)), "must be fitted"),
        ({"conv": 3}, "got 3"),
        (lambda R, batch: R, r"shape \(9, 8, 5, 5\) for the layer 'conv'"),
    ]:
        with pytest.raises(ValueError, match=message):
            extract_representations(Maps(), X, "conv", reduce=reduce)
    with pytest.raises(ValueError, match="mask must be a callable"):
        extract_representations(Maps(), X, mask=torch.ones(9, 5))
    with pytest.raises(ValueError, match="it has no tokens"):
        extract_representations(Maps(), X, "output", reduce="tokens")
    for name in ("reduce", "mask", "inputs"):
        with pytest.raises(ValueError, match=f"{name} is for networks"):
            extract_representations(PCA(2), X, **{name: lambda *batch: batch})


# ----- padding ------------------------------------------------------------------------


class Reader(nn.Module):
    """Each token by itself, so that padding can't reach the others."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(50, 6)
        self.linear = nn.Linear(6, 4)

    def forward(self, input_ids, attention_mask=None):
        return self.linear(self.embedding(input_ids)).amax(1)


LENGTHS = np.array([3, 7, 1, 5, 7, 2, 4, 4])


def sentences(n_tokens, seed, *, left=False, rows=slice(None)):
    """The same sentences, padded to a length by tokens that are drawn anew."""
    known = np.random.default_rng(0).integers(0, 50, size=(8, 7))
    padding = np.random.default_rng(seed).integers(0, 50, size=(8, n_tokens))
    counts = np.arange(n_tokens) < LENGTHS[:, None]
    ids = np.where(
        counts,
        np.pad(known, ((0, 0), (0, max(0, n_tokens - 7))))[:, :n_tokens],
        padding,
    )
    if left:
        ids, counts = ids[:, ::-1].copy(), counts[:, ::-1].copy()
    return {
        "input_ids": torch.as_tensor(ids[rows]),
        "attention_mask": torch.as_tensor(counts[rows].astype(int)),
    }


def by_hand(data, pool=lambda tokens: tokens.mean(0)):
    with torch.no_grad():
        layer = Reader().embedding(data["input_ids"])
    masks = data["attention_mask"].bool()
    return torch.stack(
        [pool(row[mask]) for row, mask in zip(layer, masks, strict=True)]
    )


@pytest.mark.parametrize("left", [False, True])
def test_padding_does_not_count(left):
    data = sentences(9, 1, left=left)
    ways = {
        "mean": lambda tokens: tokens.mean(0),
        TokenPooling("max"): lambda tokens: tokens.amax(0),
        TokenPooling("first"): lambda tokens: tokens[0],
        TokenPooling("last"): lambda tokens: tokens[-1],
        TokenPooling("mean"): lambda tokens: tokens.mean(0),
    }
    for reduce, pool in ways.items():
        for seed in (1, 2):
            other = sentences(9, seed, left=left)
            found = extract_representations(
                Reader(), other, "embedding", batch_size=3, reduce=reduce
            )["embedding"]
            assert_allclose(found, by_hand(data, pool), rtol=1e-5, atol=1e-6)


def test_batches_padded_to_their_own_length():
    batches = [sentences(9, 1, rows=slice(3)), sentences(7, 2, rows=slice(3, 8))]
    found = extract_representations(Reader(), batches, ["embedding"], reduce="mean")
    assert_allclose(found["embedding"], by_hand(sentences(7, 3)), rtol=1e-5, atol=1e-6)


def test_padding_may_be_anything():
    class Hollow(nn.Module):
        def __init__(self):
            super().__init__()
            self.identity = nn.Identity()

        def forward(self, x):
            return self.identity(x).shape[0] * torch.ones(len(x), 1)

    X = torch.ones(4, 3, 2)
    X[:, 2] = torch.nan
    counts = torch.tensor([[1, 1, 0]] * 4)
    for reduce, expected in (("mean", torch.ones(4, 2)), ("tokens", torch.ones(8, 2))):
        found = extract_representations(
            Hollow(),
            X,
            "identity",
            reduce=reduce,
            mask=lambda batch: counts[: len(batch)],
        )["identity"]
        assert_array_equal(found, expected)
    flat = extract_representations(
        Hollow(), X, "identity", reduce="flatten", mask=lambda batch: counts
    )["identity"]
    assert_array_equal(flat[0], [1, 1, 1, 1, 0, 0])


def test_bad_masks():
    data = sentences(7, 0)
    data["attention_mask"][2] = 0
    with pytest.raises(ValueError, match="Row 2 of a batch has no token that counts"):
        extract_representations(Reader(), data, "embedding", reduce="mean")
    data = sentences(7, 0)
    with pytest.raises(ValueError, match=r"shape \(n_samples, tokens\), got \(8,\)"):
        extract_representations(
            Reader(), data, "embedding", reduce="mean", mask=lambda b: np.ones(8)
        )
    with pytest.warns(
        UserWarning, match=r"not applied to 1 .*'embedding'.*\(8, 7, 6\)"
    ):
        extract_representations(
            Reader(), data, "embedding", reduce="mean", mask=lambda b: np.ones((8, 5))
        )


# ----- what a batch holds -------------------------------------------------------------


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(3, 4), nn.Linear(2, 4)

    def forward(self, x1, x2, scale=1.0):
        return self.first(x1) + self.second(x2) * scale


def test_as_many_inputs_as_the_module_needs():
    x1, x2, y = torch.randn(8, 3), torch.randn(8, 2), torch.arange(8)
    model = TwoInputs()
    with torch.no_grad():
        expected = model(x1, x2)
    for batch in ((x1, x2, y), (x1, x2), {"x1": x1, "x2": x2, "labels": y}):
        found = extract_representations(model, [batch])["output"]
        assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    chosen = extract_representations(
        model, iter([(y, x2, x1)]), inputs=lambda batch: (batch[2], batch[1])
    )
    assert_allclose(chosen["output"], expected, rtol=1e-5, atol=1e-6)
    named = extract_representations(
        model,
        iter([(y, x2, x1)]),
        inputs=lambda batch: {"x2": batch[1], "x1": batch[2]},
    )
    assert_allclose(named["output"], expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="key 'index'.*takes x1, x2, scale.*inputs="):
        extract_representations(model, [{"x1": x1, "x2": x2, "index": y}])


def test_layers_of_some_batches_only():
    class Sometimes(nn.Module):
        def __init__(self):
            super().__init__()
            self.always, self.rarely = nn.Linear(3, 3), nn.Linear(3, 3)

        def forward(self, x):
            x = self.always(x)
            return self.rarely(x) * 2 if bool((abs(x) > 1e6).any()) else x * 2

    X = torch.ones(6, 3)
    batches = [X, X * 1e9]
    for data in (batches, batches[::-1]):
        with pytest.raises(
            ValueError, match="layer 'rarely' of Sometimes .*some batch"
        ):
            extract_representations(Sometimes(), data)
        assert "always" in extract_representations(Sometimes(), data, "always")


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_modules_inside_others():
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    X = torch.randn(8, 3)
    expected = extract_representations(net, X)
    for outer in (nn.DataParallel(net), torch.compile(net, backend="eager")):
        assert shapes(extract_representations(outer, X)) == shapes(expected)
    attention = nn.MultiheadAttention(4, 2, batch_first=True)

    class Attending(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = attention
            self.linear = nn.utils.parametrizations.weight_norm(nn.Linear(4, 2))

        def forward(self, x):
            return self.linear(self.attention(x, x, x)[0]).sum(1)

    found = extract_representations(Attending(), torch.randn(8, 5, 4))
    assert shapes(found) == {
        "attention": (8, 5, 4),
        "linear": (8, 5, 2),
        "output": (8, 2),
    }
    scripted = torch.jit.trace(net, X)
    with pytest.raises(ValueError, match="scripted or traced.*layers='output'"):
        extract_representations(scripted, X)
    output = extract_representations(scripted, X, "output")["output"]
    assert_allclose(output, expected["output"])


def test_random_numbers_are_those_without_the_small_pass():
    class Noisy(nn.Module):
        def forward(self, x):
            return x + torch.randn_like(x)

    X = torch.zeros(8, 3)
    torch.manual_seed(3)
    expected = torch.randn(8, 3)
    torch.manual_seed(3)
    assert_array_equal(extract_representations(Noisy(), X)["output"], expected)


def test_a_list_of_unequal_batches_is_one_of_batches():
    model, X = Maps(), torch.randn(9, 3, 5, 5)
    expected = extract_representations(model, X, reduce="mean")
    found = extract_representations(model, list(X.split(4)), reduce="mean")
    for name, layer in expected.items():
        assert_allclose(found[name], layer, rtol=1e-5, atol=1e-6)


class TwoAnswers(nn.Module):
    """The last module makes what is not, or not first, among the answers."""

    def __init__(self, kind):
        super().__init__()
        torch.manual_seed(0)
        self.hidden, self.pooler = nn.Linear(3, 4), nn.Linear(4, 2)
        self.kind = kind

    def forward(self, x):
        hidden = self.hidden(x)
        pooled = self.pooler(hidden)
        if self.kind == "loss":
            return pooled.mean(), pooled
        return (hidden, pooled) if self.kind == "hidden first" else (pooled, hidden)


@pytest.mark.parametrize(
    "kind, names",
    [
        ("hidden first", ["hidden", "pooler", "output"]),
        ("pooled first", ["hidden", "output"]),
        ("loss", ["hidden", "output"]),
    ],
)
def test_which_answer_is_the_output(kind, names):
    X = torch.randn(6, 3)
    model = TwoAnswers(kind)
    with torch.no_grad():
        hidden = model.hidden(X)
        pooled = model.pooler(hidden)
    found = extract_representations(model, X, batch_size=4)
    assert list(found) == names
    expected = hidden if kind == "hidden first" else pooled
    assert_allclose(found["output"], expected, rtol=1e-5, atol=1e-6)
    only = extract_representations(model, X, "output")["output"]
    assert_allclose(only, expected, rtol=1e-5, atol=1e-6)
