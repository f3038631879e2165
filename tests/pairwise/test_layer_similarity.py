"""Layers of two models in one pass have the numbers of layers at hand."""

import json
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.neural_network import MLPClassifier

from sksim.functional import (
    CohenKappa,
    Disagreement,
    ErrorConsistency,
    JensenShannonDivergence,
    PerformanceDifference,
    RankCorrelation,
)
from sksim.models import extract_representations
from sksim.neighbors import NeighborJaccard
from sksim.pairwise import (
    LayerwiseSimilarity,
    layer_similarity_matrix,
    similarity_matrix,
)
from sksim.report import write_report
from sksim.rsm import CKA, MinibatchCKA

torch = pytest.importorskip("torch")
nn = torch.nn
DEBIASED = CKA(debias="rows")


def conv_net(seed, width=4):
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(2, width, 3),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, 5, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(5 * 16, 3),
    )
    with torch.no_grad():
        net[1].running_mean.normal_()
        net[1].running_var.uniform_(0.5, 2)
    return net


@pytest.fixture(scope="module")
def nets():
    return conv_net(0), conv_net(1, width=6)


@pytest.fixture(scope="module")
def images():
    return torch.randn(103, 2, 8, 8, generator=torch.Generator().manual_seed(2))


def batches_of(X, size=25):
    return [(part,) for part in X.split(size)]


def at_hand(net, X, reduce):
    layers = extract_representations(net, X, reduce=reduce)
    return {name: layer.numpy().astype(float) for name, layer in layers.items()}


def loader_of(X, **options):
    options = {"batch_size": 25} | options
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X), **options)


# ----- the numbers are those of the layers at hand ------


def test_grams_are_partial_fit_of_each_pair(nets, images):
    parts = [images[:25], images[25:50], images[50:]]
    result = layer_similarity_matrix(MinibatchCKA(), *nets, parts)
    layers = [[at_hand(net, X, "flatten") for X in parts] for net in nets]
    assert (result.n_samples, result.n_batches, result.kept) == (103, 3, "grams")
    for i in result.scores.index:
        for j in result.scores.columns:
            pair = MinibatchCKA()
            for a, b in zip(*layers, strict=True):
                pair.partial_fit(a[i], b[j])
            assert result.scores.loc[i, j] == pytest.approx(pair.score_, abs=1e-6)
            error = result.standard_error.loc[i, j]
            assert error == pytest.approx(pair.standard_error_, abs=1e-6)


def test_an_array_is_cut_as_fit_does(nets, images):
    for measure, options in (
        (MinibatchCKA(batch_size=20, random_state=3), {}),
        (MinibatchCKA(random_state=3), {"batch_size": 50}),
    ):
        result = layer_similarity_matrix(measure, *nets, images, **options)
        if options:
            measure = MinibatchCKA(random_state=3, **options)
        layers = [at_hand(net, images, "flatten") for net in nets]
        expected = similarity_matrix(measure, *layers)
        assert_allclose(result.scores, expected, atol=1e-5)
    whole = layer_similarity_matrix(MinibatchCKA(), *nets, images)
    assert_allclose(
        whole.scores, similarity_matrix(DEBIASED, *layers), rtol=0, atol=1e-5
    )
    assert whole.standard_error.isna().all(axis=None)


@pytest.mark.parametrize("keep", ["rows", "moments", "directory"])
@pytest.mark.parametrize("measure", [CKA(), DEBIASED, "OrthogonalProcrustes"], ids=str)
def test_rows_and_moments_are_those_of_all_batches(
    measure, keep, nets, images, tmp_path
):
    kept = tmp_path / "rows" if keep == "directory" else keep
    doubles = [conv_net(seed, width).double() for seed, width in ((0, 4), (1, 6))]
    batches = batches_of(images.double())
    result = layer_similarity_matrix(measure, *doubles, batches, keep=kept)
    layers = [at_hand(net, images.double(), "mean") for net in doubles]
    expected = similarity_matrix(measure, *layers)
    assert_allclose(result.scores, expected, rtol=1e-9, atol=1e-10)
    assert result.scores.attrs == expected.attrs
    assert (result.pvalues is None) == (measure == "OrthogonalProcrustes")
    statistics = layer_similarity_matrix(
        measure,
        *doubles,
        batches,
        keep=keep if keep != "directory" else "rows",
        output="statistic",
    )
    again = similarity_matrix(measure, *layers, output="statistic")
    assert_allclose(statistics.scores, again, rtol=1e-9, atol=1e-10)


def test_files_of_rows_can_be_read_by_others(nets, images, tmp_path):
    layer_similarity_matrix(CKA(), *nets, batches_of(images), keep=tmp_path / "x")
    index = json.loads((tmp_path / "x" / "layers.json").read_text())
    assert list(index) == ["a", "b"]
    expected = at_hand(nets[1], images, "mean")
    for name, file in index["b"].items():
        assert_allclose(np.load(tmp_path / "x" / file), expected[name], atol=1e-6)
    with pytest.raises(ValueError, match="is not empty. Pass another"):
        layer_similarity_matrix(CKA(), *nets, [(images,)], keep=tmp_path / "x")


def test_rows_become_moments_once_these_are_smaller(nets, images):
    doubles = [net.double() for net in (conv_net(0), conv_net(1))]
    expected = layer_similarity_matrix(
        DEBIASED, *doubles, batches_of(images.double(), 5), keep="rows"
    )
    streamed = LayerwiseSimilarity(DEBIASED, *doubles, layers="[013]")
    kinds = []
    for batch in images.double().split(5):
        streamed.update(batch)
        kinds.append(streamed.result().kept)
    assert kinds[0] == "rows" and kinds[-1] == "moments"
    found = streamed.result().scores
    assert_allclose(found, expected.scores.loc[found.index, found.columns], rtol=1e-9)


def test_any_measure(nets, images):
    measure = NeighborJaccard(5)
    result = layer_similarity_matrix(measure, *nets, batches_of(images))
    layers = [extract_representations(net, images, reduce="mean") for net in nets]
    layers = [{n: v.numpy() for n, v in side.items()} for side in layers]
    assert_allclose(result.scores, similarity_matrix(measure, *layers), atol=0.01)
    assert result.kept == "rows"


def test_sketches(nets, images):
    exact = layer_similarity_matrix(
        DEBIASED, *nets, images, keep="rows", reduce="flatten"
    ).scores
    found = layer_similarity_matrix(
        DEBIASED, *nets, images, sketch=64, reduce="flatten", random_state=0
    )
    assert found.kept == "sketches"
    assert_allclose(found.scores, exact, rtol=0, atol=0.25)
    assert np.abs(found.scores - exact).mean(axis=None) < 0.08
    wide = layer_similarity_matrix(
        CKA(), *nets, images, sketch=1024, reduce="flatten"
    ).scores
    layers = [at_hand(net, images, "flatten") for net in nets]
    assert_allclose(wide, similarity_matrix(CKA(), *layers), atol=1e-5)
    for options, message in [
        ({"measure": CKA(), "sketch": 64}, "use at least 1024, or CKA"),
        ({"measure": MinibatchCKA(), "sketch": 64}, "needs no sketch"),
        ({"measure": DEBIASED, "sketch": 64, "keep": "rows"}, "leave out keep='rows'"),
        ({"measure": DEBIASED, "sketch": 63}, "must be even"),
    ]:
        with pytest.raises(ValueError, match=message):
            LayerwiseSimilarity(model_a=nets[0], **options)


def test_an_offset_costs_no_digits(images):
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Flatten(), nn.Linear(128, 30))
    shifted = nn.Sequential(nn.Flatten(), nn.Linear(128, 30))
    shifted.load_state_dict(plain.state_dict())
    with torch.no_grad():
        shifted[1].bias += 1000
    options = {"layers": "output"}
    small = layer_similarity_matrix(MinibatchCKA(), plain, None, [(images,)], **options)
    for a, b in ((plain, shifted), (shifted, shifted)):
        large = layer_similarity_matrix(MinibatchCKA(), a, b, [(images,)], **options)
        # 1000 + x leaves single precision 1e-4 of x
        assert_allclose(large.scores, small.scores, atol=1e-4)


# ----- one pass -----------------------------------------------------------------------


def test_a_net_against_itself_and_against_its_copy(nets, images):
    copy = conv_net(0)
    loader = loader_of(images, shuffle=True)
    for measure in (MinibatchCKA(), DEBIASED):
        for other in (None, nets[0], copy):
            result = layer_similarity_matrix(measure, nets[0], other, loader)
            assert_allclose(np.diag(result.scores), 1, rtol=1e-5)
            if other is not copy:
                assert_array_equal(result.scores, result.scores.T)
    part = layer_similarity_matrix(
        DEBIASED, nets[0], nets[0], loader, layers="output", layers_b=["0", "output"]
    )
    assert part.scores.shape == (1, 2)
    assert part.scores.loc["output", "output"] == pytest.approx(1, rel=1e-5)


def test_each_batch_passes_once(images):
    calls = []
    net = conv_net(0)
    net.register_forward_pre_hook(lambda module, inputs: calls.append(len(inputs[0])))
    layer_similarity_matrix(MinibatchCKA(), net, None, batches_of(images, 30))
    assert calls == [2, 30, 30, 30, 13]


def test_layers_before_one_in_place(nets, images):
    result = layer_similarity_matrix(MinibatchCKA(), nets[0], None, images)
    # what an in-place ReLU overwrites would make these two the same
    assert result.scores.loc["1", "2"] < 0.99


@pytest.mark.parametrize("n_last", [1, 2, 3, 4])
def test_small_last_batches_are_joined(nets, images, n_last):
    X = images[: 50 + n_last]
    result = layer_similarity_matrix(MinibatchCKA(), *nets, loader_of(X))
    sizes = [25, 25 + n_last] if n_last < 4 else [25, 25, 4]
    expected = layer_similarity_matrix(
        MinibatchCKA(), *nets, [(part,) for part in X.split(sizes)]
    )
    assert_array_equal(result.scores, expected.scores)
    assert (result.n_samples, result.n_batches) == (len(X), len(sizes))


def test_rows_that_wait(nets, images):
    streamed = LayerwiseSimilarity(MinibatchCKA(), *nets)
    for X in (images[:25], images[25:27]):
        streamed.update(X)
    with pytest.warns(UserWarning, match="The last 2 rows are in no batch"):
        result = streamed.result()
    assert result.n_samples == 25
    assert "last 2 rows" in result.notes[0]
    streamed.update(images[27:50])
    expected = layer_similarity_matrix(MinibatchCKA(), *nets, batches_of(images[:50]))
    assert_allclose(streamed.result().scores, expected.scores, rtol=0, atol=1e-6)


def test_generators_are_used_once(nets, images):
    expected = layer_similarity_matrix(MinibatchCKA(), *nets, batches_of(images))
    generator = (batch for batch in batches_of(images))
    found = layer_similarity_matrix(MinibatchCKA(), *nets, generator)
    assert_array_equal(found.scores, expected.scores)
    with pytest.raises(ValueError, match="no rows: a generator gives its batches once"):
        layer_similarity_matrix(MinibatchCKA(), *nets, generator)


def states(*models):
    return [
        (len(part._forward_hooks), part.training)
        for model in models
        for part in model.modules()
    ]


@pytest.mark.parametrize("n_before", [0, 1, 2])
def test_an_interrupt_leaves_nothing_behind(images, n_before):
    a, b = conv_net(0).train(), conv_net(1).train()
    a[1].eval()
    before = states(a, b)

    class Interrupting(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner, self.count = inner, 0

        def forward(self, x):
            x = self.inner(x)
            if len(x) > 2:
                self.count += 1
            if self.count > n_before:
                raise KeyboardInterrupt
            return x

    broken = Interrupting(b)
    streamed = LayerwiseSimilarity(MinibatchCKA(), a, broken)
    with pytest.raises(KeyboardInterrupt):
        for batch in batches_of(images):
            streamed.update(batch)
    assert states(a, b) == before
    if n_before:
        n_rows = [25, 50][n_before - 1]
        assert streamed.result().n_samples == n_rows
    loss = a(images).square().mean() + b(images).square().mean()
    loss.backward()
    assert a[0].weight.grad.abs().sum() > 0


def test_training_goes_on_between_batches(images):
    net = conv_net(0).train()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    streamed = LayerwiseSimilarity(MinibatchCKA(), net, conv_net(0))
    for batch in batches_of(images[:100]):
        streamed.update(batch)
        assert net.training
        optimizer.zero_grad()
        net(batch[0]).square().mean().backward()
        optimizer.step()
    assert 0 < np.diag(streamed.result().scores).min() < 1


# ----- models of all kinds ------------------------------------------------------------


def test_callables_and_estimators(nets, images):
    def function(batch):
        with torch.no_grad():
            batch = batch[0] if isinstance(batch, tuple) else torch.as_tensor(batch)
            hidden = nets[0][0](batch)
            return {"hidden": hidden, "mean": hidden.mean((2, 3)).numpy()}

    class Adapter:
        def layers_of(self, batch):
            return function(batch)

    expected = layer_similarity_matrix(MinibatchCKA(), *nets, batches_of(images))
    for model in (function, Adapter()):
        result = layer_similarity_matrix(
            MinibatchCKA(), nets[1], model, batches_of(images), layers_b="hidden"
        )
        assert_allclose(
            result.scores["hidden"], expected.scores.T["0"], rtol=0, atol=1e-6
        )
    maps = layer_similarity_matrix(CKA(), function, None, images, reduce="mean")
    assert_allclose(maps.scores, 1, rtol=1e-5)
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 5)), np.arange(60) % 2
    mlp = MLPClassifier((7,), max_iter=20, random_state=0)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        mlp.fit(X, y)
    result = layer_similarity_matrix(CKA(), mlp, None, X)
    layers = extract_representations(mlp, X)
    assert_allclose(result.scores, similarity_matrix(CKA(), layers), rtol=1e-9)


def test_bad_models(nets, images):
    options = {"data": batches_of(images)}
    for model, message in [
        (3, "A model is a torch module, a fitted estimator, or a callable"),
        (lambda batch: batch, "gave a tuple for a batch; it must give a mapping"),
        (lambda batch: {"x": batch[0][:3]}, r"'x' .*\(3, 2, 8, 8\) for a batch of 25"),
    ]:
        with pytest.raises(ValueError, match=message):
            layer_similarity_matrix(MinibatchCKA(), nets[0], model, **options)
    with pytest.raises(ValueError, match="none of the layers 'z'. Its layers are x"):
        layer_similarity_matrix(
            MinibatchCKA(), lambda batch: {"x": batch[0]}, None, layers="z", **options
        )


def test_layers_of_some_batches_only(images):
    class Sometimes(nn.Module):
        def __init__(self):
            super().__init__()
            self.always, self.rarely = nn.Flatten(), nn.Linear(128, 3)

        def forward(self, x):
            many = len(x) > 20
            x = self.always(x)
            return self.rarely(x) * 2 if many else x * 2

    for data in ([images[:25], images[:10]], [images[:10], images[:25]]):
        with pytest.raises(ValueError, match="'rarely'"):
            layer_similarity_matrix(MinibatchCKA(), Sometimes(), None, data)
    data = [images[:25], images[:10]]
    layer_similarity_matrix(MinibatchCKA(), Sometimes(), None, data, layers="always")


def test_unused_layers_raise(nets, images):
    class Unused(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Flatten(), nn.Linear(3, 3)

        def forward(self, x):
            return self.used(x)

    with pytest.raises(ValueError, match="'unused' of Unused was not called"):
        layer_similarity_matrix(
            MinibatchCKA(), Unused(), None, [(images,)], layers=["used", "unused"]
        )


class Reader(nn.Module):
    """Tokens with positions, so that there is something to leave out."""

    def __init__(self, seed, width=6):
        super().__init__()
        torch.manual_seed(seed)
        self.embedding = nn.Embedding(50, width)
        self.places = nn.Embedding(20, width)
        self.linear = nn.Linear(width, 4)

    def forward(self, input_ids, attention_mask=None):
        places = self.places(torch.arange(input_ids.shape[1]))
        hidden = self.linear(torch.tanh(self.embedding(input_ids) + places))
        weights = attention_mask[:, :, None]
        return (hidden * weights).sum(1) / weights.sum(1)


def sentences(seed, n_tokens=9):
    rng = np.random.default_rng(0)
    lengths = rng.integers(2, 9, size=40)
    ids = np.random.default_rng(seed).integers(0, 50, size=(40, n_tokens))
    known = rng.integers(0, 50, size=(40, 8))
    counts = np.arange(n_tokens) < lengths[:, None]
    ids[:, :8] = np.where(counts[:, :8], known, ids[:, :8])
    return {
        "input_ids": torch.as_tensor(ids),
        "attention_mask": torch.as_tensor(counts.astype(int)),
        "labels": torch.as_tensor(np.arange(40) % 2),
    }


@pytest.mark.parametrize("measure", [MinibatchCKA(random_state=0), DEBIASED], ids=str)
@pytest.mark.parametrize("reduce", ["mean", "flatten", "tokens"])
def test_padding_may_be_anything(measure, reduce):
    a, b = Reader(0), Reader(1, 5)
    layers = ["embedding", "linear"]
    first, second = (
        layer_similarity_matrix(
            measure, a, b, sentences(seed), reduce=reduce, layers=layers
        )
        for seed in (1, 2)
    )
    assert_array_equal(first.scores, second.scores)
    assert (first.pvalues is None) == (reduce == "tokens")
    if reduce == "tokens":
        data = sentences(1)
        assert first.n_samples == int(data["attention_mask"].sum())


def test_what_is_left_out_is_said():
    with pytest.warns(UserWarning, match="Reader without a row .*'places'"):
        result = layer_similarity_matrix(CKA(), Reader(0), None, sentences(0))
    assert list(result.left_out) == ["places"]
    assert "no axis of its output follows" in result.left_out["places"]


def test_batches_padded_to_their_own_length():
    data = sentences(0, n_tokens=12)
    whole = layer_similarity_matrix(
        DEBIASED, Reader(0), Reader(1), data, layers=["embedding", "linear"]
    )
    batches = [
        {
            name: value[rows] if name == "labels" else value[rows, :n_tokens]
            for name, value in data.items()
        }
        for rows, n_tokens in ((slice(20), 12), (slice(20, 38), 9), (slice(38, 40), 8))
    ]
    parts = layer_similarity_matrix(
        DEBIASED, Reader(0), Reader(1), batches, layers=["embedding", "linear"]
    )
    assert_allclose(parts.scores, whole.scores, rtol=1e-4)
    flat = {"reduce": "flatten", "layers": ["embedding", "linear"]}
    with pytest.raises(
        ValueError, match=r"54 wide in this batch and was 72 before.*mea"
    ):
        layer_similarity_matrix(DEBIASED, Reader(0), Reader(1), batches, **flat)
    with pytest.warns(UserWarning, match="The last 2 rows are in no batch"):
        layer_similarity_matrix(MinibatchCKA(), Reader(0), Reader(1), batches, **flat)


def test_inputs_of_each_model(images):
    torch.manual_seed(0)
    small = nn.Sequential(nn.Flatten(), nn.Linear(32, 3))

    def coarse(batch):
        return nn.functional.avg_pool2d(batch[0], 2)

    net = conv_net(0)
    data = [(images, torch.arange(103) % 3)]
    result = layer_similarity_matrix(
        MinibatchCKA(), net, small, data, inputs=(None, coarse)
    )
    assert result.scores.shape == (7, 2)
    with pytest.raises(ValueError, match="a pair of them, one for each model"):
        layer_similarity_matrix(MinibatchCKA(), net, small, data, inputs=(None,))


# ----- what is kept -------------------------------------------------------------------


def test_what_can_be_kept(nets, images):
    for measure, keep, message in [
        (MinibatchCKA(), "row", "keep must be one of 'auto', 'grams'.*got 'row'"),
        (CKA(), "grams", "MinibatchCKA\\(\\) estimates CKA"),
        (NeighborJaccard(), "moments", "keep='rows'"),
        (CKA("precomputed"), "auto", "CKA compares matrices"),
    ]:
        with pytest.raises(ValueError, match=message):
            layer_similarity_matrix(measure, *nets, [(images,)], keep=keep)


def test_too_much_is_refused_with_the_ways_out(nets, images):
    seen = []
    nets[0].register_forward_pre_hook(lambda module, inputs: seen.append(1))
    for measure, options in [
        (NeighborJaccard(), {"max_memory": 3e4}),
        (CKA(), {"max_memory": 3e4, "keep": "rows"}),
    ]:
        seen.clear()
        with pytest.raises(
            ValueError, match=r"103 rows of 1\d layers take .* GB.*keep="
        ):
            layer_similarity_matrix(measure, *nets, images, batch_size=10, **options)
        assert len(seen) == 2  # as many rows are known to come
    with pytest.raises(ValueError, match="Moments of layers with .* take .*sketch=512"):
        layer_similarity_matrix(CKA(), *nets, images, max_memory=100.0)
    nets[0]._forward_pre_hooks.clear()


@pytest.mark.parametrize("keep", ["grams", "moments", "directory"])
def test_memory_does_not_grow_with_the_rows(keep, tmp_path):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(40, 60), nn.Tanh(), nn.Linear(60, 50))
    measure = MinibatchCKA() if keep == "grams" else CKA()

    def peak(n_batches):
        folder = tmp_path / f"{n_batches}"
        batches = (torch.randn(50, 40) for _ in range(n_batches))
        streamed = LayerwiseSimilarity(
            measure, net, keep=folder if keep == "directory" else keep
        )
        streamed.update(torch.randn(50, 40))
        tracemalloc.start()
        for batch in batches:
            streamed.update(batch)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    # the rows of 90 batches would be 3 MB
    assert peak(100) < peak(10) + 1e5


def test_values_that_are_missing(images):
    class Broken(nn.Module):
        def forward(self, x):
            return x.flatten(1) / (x[:, 0, 0, 0] != 0)[:, None]

    X = images.clone()
    X[3, 0, 0, 0] = 0
    for measure in (MinibatchCKA(), CKA()):
        with pytest.raises(ValueError, match="'output' has values that are nan"):
            layer_similarity_matrix(measure, Broken(), None, X)


def test_constant_layers(images):
    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.zero = nn.Flatten()

        def forward(self, x):
            return self.zero(x * 0) + x.flatten(1)

    with pytest.warns(UserWarning, match="never varied have no score: zero"):
        result = layer_similarity_matrix(MinibatchCKA(), Constant(), None, images)
    assert np.isnan(result.scores.loc["zero"]).all()
    assert result.scores.loc["output", "output"] == pytest.approx(1)


def test_sorted_batches_are_noticed(nets, images):
    labels = torch.arange(103) // 25
    mixed = torch.arange(103) % 4
    data = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(images, labels), batch_size=25
    )
    with pytest.warns(UserWarning, match="data are sorted.*shuffle=True"):
        result = layer_similarity_matrix(MinibatchCKA(), *nets, data)
    assert "sorted" in result.notes[0]
    for y in (mixed, labels * 0):
        layer_similarity_matrix(MinibatchCKA(), *nets, [(images, y)] * 2)
    layer_similarity_matrix(CKA(), *nets, data)  # to which the order is nothing


# ----- measures of outputs ------------------------------------------------------------


@pytest.fixture
def classifiers():
    torch.manual_seed(0)
    return nn.Linear(5, 3), nn.Linear(5, 3).double()


@pytest.fixture
def labelled():
    torch.manual_seed(1)
    return torch.randn(103, 5), torch.randint(0, 3, (103,))


OF_OUTPUTS = [
    Disagreement(),
    CohenKappa(),
    ErrorConsistency(),
    JensenShannonDivergence(),
    RankCorrelation(),
    PerformanceDifference(),
]


@pytest.mark.parametrize("measure", OF_OUTPUTS, ids=str)
def test_outputs_are_compared_in_the_same_pass(measure, classifiers, labelled):
    X, y = labelled
    expected = type(measure).from_estimators(
        *classifiers, X, y.numpy(), outputs="logits"
    )
    shuffling = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(X, y), batch_size=20, shuffle=True
    )
    options = {"outputs": "logits"}
    for data, given in (
        (shuffling, {}),
        (X, {"y_true": y.numpy(), "batch_size": 30}),
        ([(X, y * 0)], {"y_true": lambda batch: y}),
    ):
        result = layer_similarity_matrix(
            measure, *classifiers, data, **options, **given
        )
        assert result.kept == "outputs"
        assert result.n_samples == 103
        # an order of summation of its own, in single precision of one model
        assert result.scores.iloc[0, 0] == pytest.approx(expected.score_, abs=1e-8)
    statistic = layer_similarity_matrix(
        measure, *classifiers, shuffling, output="statistic", **options
    )
    assert statistic.scores.iloc[0, 0] == pytest.approx(expected.statistic_, abs=1e-8)


def test_parts_of_outputs(classifiers, labelled, tmp_path):
    X, y = labelled
    batches = [(X[:50], y[:50]), (X[50:], y[50:])]
    whole = layer_similarity_matrix(
        CohenKappa(), *classifiers, batches, outputs="logits"
    ).scores
    parts = []
    for batch in batches:
        part = LayerwiseSimilarity(CohenKappa(), *classifiers, outputs="logits")
        part.update(batch)
        parts.append(part)
    empty = LayerwiseSimilarity(CohenKappa(), *classifiers, outputs="logits")
    total = empty.merge(parts[0]).merge(parts[1])
    assert_array_equal(total.result().scores, whole)
    file = {"checkpoint": tmp_path / "x", "checkpoint_seconds": 0}
    with pytest.raises(Stop):
        layer_similarity_matrix(
            CohenKappa(), *classifiers, stopping(batches, 1), outputs="logits", **file
        )
    again = layer_similarity_matrix(
        CohenKappa(), *classifiers, batches, outputs="logits", **file
    )
    assert_array_equal(again.scores, whole)


def test_bad_calls_for_outputs(classifiers, labelled):
    X = labelled[0]
    for options, message in [
        ({"layers": "output"}, "layers is for measures of representations"),
        ({"reduce": "mean"}, "reduce is for measures of representations"),
        ({"keep": "rows"}, "keep is for measures of representations"),
        ({"n_permutations": 9}, "n_permutations is for measures of representations"),
        ({"measure": "FleissKappa"}, "FleissKappa compares groups of models"),
        ({"measure": CKA()}, r"for measures of outputs, not for CKA\(\)"),
    ]:
        call = {"measure": Disagreement(), "outputs": "logits"} | options
        with pytest.raises(ValueError, match=message):
            LayerwiseSimilarity(call.pop("measure"), *classifiers, **call)
    with pytest.raises(ValueError, match="say which by outputs='logits'"):
        layer_similarity_matrix(JensenShannonDivergence(), *classifiers, X)
    with pytest.raises(ValueError, match="No batch has passed yet"):
        LayerwiseSimilarity(Disagreement(), *classifiers).result()
    with pytest.raises(ValueError, match="no rows"):
        layer_similarity_matrix(Disagreement(), *classifiers, iter([]))


# ----- parts, and going on ------------------------------------------------------------


@pytest.mark.parametrize(
    "measure, keep",
    [(MinibatchCKA(), "auto"), (CKA(), "rows"), (DEBIASED, "moments")],
    ids=str,
)
def test_parts_of_several_processes(measure, keep, nets, images):
    batches = batches_of(images.double()[:100], 20)
    doubles = [conv_net(seed, width).double() for seed, width in ((0, 4), (1, 6))]
    for models in (doubles, (doubles[0], None)):
        whole = layer_similarity_matrix(measure, *models, batches, keep=keep)
        parts = []
        for some in (batches[:2], batches[2:3], batches[3:]):
            part = LayerwiseSimilarity(measure, *models, keep=keep)
            for batch in some:
                part.update(batch)
            # as it is sent by one process and read by another
            sent = LayerwiseSimilarity(measure, *models, keep=keep)
            parts.append(sent.resume(part.state()))
        total, *others = parts
        before = others[0].result().scores
        for other in others:
            total.merge(other)
        assert_allclose(total.result().scores, whole.scores, rtol=1e-9)
        assert total.result().n_samples == 100
        assert_array_equal(others[0].result().scores, before)
    with pytest.raises(ValueError, match="Parts of one measure can be merged"):
        total.merge(LayerwiseSimilarity("MeanCCA", *models))


class Stop(Exception):
    pass


def stopping(batches, after):
    for number, batch in enumerate(batches):
        if number == after:
            raise Stop
        yield batch


KEPT = [
    (MinibatchCKA(), {}),
    (MinibatchCKA("rbf"), {}),
    (CKA(), {"keep": "rows"}),
    (CKA(), {"keep": "directory"}),
    (DEBIASED, {"keep": "moments"}),
    (DEBIASED, {"layers": "[013]"}),
    (DEBIASED, {"sketch": 64, "reduce": "flatten", "random_state": 0}),
]


@pytest.mark.parametrize("after", [1, 3, 5])
@pytest.mark.parametrize("measure, options", KEPT, ids=str)
def test_going_on_gives_the_same_bit_by_bit(
    measure, options, after, nets, images, tmp_path
):
    batches = batches_of(images[:102], 17)
    first, second = (
        options | ({"keep": tmp_path / name} if "directory" in options.values() else {})
        for name in ("a", "b")
    )
    whole = layer_similarity_matrix(measure, *nets, batches, **first)
    file = {"checkpoint": tmp_path / "x.npz", "checkpoint_seconds": 0}
    with pytest.raises(Stop):
        layer_similarity_matrix(
            measure, *nets, stopping(batches, after), **second, **file
        )
    seen = []
    hook = nets[0].register_forward_pre_hook(lambda m, inputs: seen.append(inputs))
    again = layer_similarity_matrix(measure, *nets, batches, **second, **file)
    hook.remove()
    # those that were read do not pass again; a small pass comes before the others
    assert len(seen) == 1 + len(batches) - (after - 1)
    assert_array_equal(again.scores, whole.scores)
    assert (again.n_samples, again.kept) == (whole.n_samples, whole.kept)
    if whole.pvalues is not None:
        assert_array_equal(again.pvalues, whole.pvalues)
        assert_array_equal(again.standard_error, whole.standard_error)
    finished = layer_similarity_matrix(measure, *nets, iter(batches), **second, **file)
    assert_array_equal(finished.scores, whole.scores)
    assert sorted(p.name for p in tmp_path.glob("x*")) == ["x.npz"]


def test_going_on_with_other_things_is_refused(nets, images, tmp_path):
    batches = batches_of(images, 17)
    file = {"checkpoint": tmp_path / "x", "checkpoint_seconds": 0}
    layer_similarity_matrix(MinibatchCKA(), *nets, batches[:3], **file)
    swapped = [batches[1], batches[0], *batches[2:]]
    for data in (batches[::-1], swapped, [*batches[:2], (batches[2][0] + 1,)]):
        with pytest.raises(ValueError, match="first 3 batches are not those.*shuffle"):
            layer_similarity_matrix(MinibatchCKA(), *nets, data, **file)
    with pytest.raises(ValueError, match="data has 2 batches.*made after 3"):
        layer_similarity_matrix(MinibatchCKA(), *nets, batches[:2], **file)
    for options, message in [
        ({"measure": CKA()}, r"made with measure MinibatchCKA\(\), and it is CKA\(\)"),
        ({"model_b": conv_net(5, 6)}, "made with models"),
        ({"reduce": "mean"}, "made with reduce 'flatten', and it is 'mean'"),
    ]:
        call = {"measure": MinibatchCKA(), "model_a": nets[0], "model_b": nets[1]}
        with pytest.raises(ValueError, match=message):
            layer_similarity_matrix(**call | options, data=batches, **file)
    half = (tmp_path / "x").read_bytes()[:3000]
    for content in (b"no checkpoint", half, b""):
        (tmp_path / "y").write_bytes(content)
        with pytest.raises(ValueError, match="is no checkpoint of layer_similarity"):
            layer_similarity_matrix(
                MinibatchCKA(), *nets, batches, checkpoint=tmp_path / "y"
            )


def test_going_on_with_an_array(nets, images, tmp_path):
    """The order that was drawn is kept, too."""
    file = {"checkpoint": tmp_path / "x", "checkpoint_seconds": 0, "batch_size": 20}
    first = layer_similarity_matrix(MinibatchCKA(), *nets, images, **file)
    again = layer_similarity_matrix(MinibatchCKA(), *nets, images, **file)
    assert_array_equal(first.scores, again.scores)


# ----- results ------------------------------------------------------------------------


def test_result(nets, images):
    result = layer_similarity_matrix(MinibatchCKA(), *nets, batches_of(images))
    frame = result.to_frame()
    assert list(frame) == ["x", "y", "score", "standard_error", "z_score", "pvalue"]
    assert len(frame) == 49
    cell = frame[(frame["x"] == "3") & (frame["y"] == "output")].iloc[0]
    assert cell["score"] == result.scores.loc["3", "output"]
    assert cell["pvalue"] == result.pvalues.loc["3", "output"]
    assert list(result.scores.index) == ["0", "1", "2", "3", "4", "5", "output"]
    assert isinstance(result.scores, pd.DataFrame)
    json.dumps(result.to_dict())
    pytest.importorskip("matplotlib")
    display = result.plot()
    assert display.im_.get_array().shape == (7, 7)
    assert display.pvalues is not None
    rows = layer_similarity_matrix(CKA(), *nets, images)
    assert list(rows.to_frame()) == list(frame)
    neighbours = layer_similarity_matrix("NeighborJaccard", *nets, images)
    assert list(neighbours.to_frame()) == ["x", "y", "score"]
    assert neighbours.plot().pvalues is None


def test_progress(nets, images, capsys):
    layer_similarity_matrix(MinibatchCKA(), *nets, batches_of(images), verbose=1)
    assert "batches [####" in capsys.readouterr().err
    generator = iter(batches_of(images))
    layer_similarity_matrix(MinibatchCKA(), *nets, generator, verbose=1)
    assert "5 batches in 00:0" in capsys.readouterr().err


def test_report(nets, images):
    result = layer_similarity_matrix(MinibatchCKA(), *nets, images)
    html = write_report({"Pairs": result.to_frame()}, figures={"Layers": result.scores})
    assert "z_score" in html and "<svg" in html


def test_no_batches(nets, images):
    with pytest.raises(ValueError, match="No batch has passed yet"):
        LayerwiseSimilarity(MinibatchCKA(), *nets).result()
    with pytest.raises(ValueError, match="3 rows, but a batch needs at least 4"):
        layer_similarity_matrix(MinibatchCKA(), *nets, images[:3])
    with pytest.raises(ValueError, match="output must be"):
        LayerwiseSimilarity(MinibatchCKA(), *nets, output="pvalue")
    loader = loader_of(images, shuffle=True)
    with pytest.raises(ValueError, match="RandomSampler, and y_true an array"):
        layer_similarity_matrix(CKA(), *nets, loader, y_true=np.zeros(103))


@pytest.mark.slow
def test_pvalues_of_independent_nets_are_uniform():
    pvalues = []
    for seed in range(300):
        torch.manual_seed(seed)
        a, b = nn.Linear(6, 9), nn.Linear(6, 9)
        pairs = torch.randn(60, 2, 6)
        result = layer_similarity_matrix(
            MinibatchCKA(),
            a,
            b,
            iter(pairs.split(20)),
            inputs=(lambda x: x[:, 0], lambda x: x[:, 1]),
        )
        pvalues.append(result.pvalues.iloc[0, 0])
    assert stats.kstest(pvalues, "uniform").pvalue > 0.01
