"""Models given by functions of a batch."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax

from sksim.functional import (
    AdversarialTransferability,
    DecisionDistance,
    Disagreement,
    DoubleFault,
    JensenShannonDivergence,
    SaliencySimilarity,
)
from sksim.models import (
    CallableModel,
    OnnxModel,
    extract_outputs,
    extract_representations,
    input_gradients,
)
from sksim.pairwise import compare, layer_similarity_matrix, similarity_matrix
from sksim.plot import SimilarityMatrixDisplay
from sksim.preprocessing import TokenPooling
from sksim.rsm import CKA

quick = {"n_permutations": 0, "confidence_level": None}
W = np.random.default_rng(0).normal(size=(5, 8))
V = np.random.default_rng(1).normal(size=(8, 3))


def hidden(X):
    return np.maximum(np.asarray(X) @ W, 0)


def logits(X):
    return hidden(X) @ V


@pytest.fixture
def rows():
    X = np.random.default_rng(2).normal(size=(30, 5))
    return X, np.arange(30) % 3


@pytest.fixture
def model():
    return CallableModel(
        lambda X: {"logits": logits(X)}, layers=lambda X: {"hidden": hidden(X)}
    )


def test_layers(model, rows):
    X, _ = rows
    for size in (None, 7):
        layers = extract_representations(model, X, batch_size=size)
        assert list(layers) == ["hidden", "output"]
        assert_allclose(layers["hidden"], hidden(X))
        assert_allclose(layers["output"], logits(X))
    assert list(extract_representations(model, X, "hid*")) == ["hidden"]
    assert list(extract_representations(model, X, "output")) == ["output"]
    with pytest.raises(ValueError, match="no layer 'tail'.*hidden, output"):
        extract_representations(model, X, "tail")


def test_outputs(model, rows):
    X, y = rows
    found = extract_outputs(model, X, batch_size=7)
    assert_array_equal(found["labels"], logits(X).argmax(axis=1))
    assert_allclose(found["probabilities"].sum(axis=1), 1)
    named = CallableModel(logits, classes=["a", "b", "c"])
    assert set(extract_outputs(named, X)) == {"outputs"}
    labels = extract_outputs(named, X, outputs="logits")["labels"]
    assert_array_equal(labels, np.array(["a", "b", "c"])[found["labels"]])
    fault = DoubleFault.from_estimators(named, named, X, np.array(list("abc"))[y])
    assert fault.statistic_ == np.mean(found["labels"] != y)


def test_measures_and_tables(model, rows):
    X, y = rows
    other = CallableModel(lambda X: {"logits": logits(X)[:, ::-1]})
    P, Q = (extract_outputs(m, X)["probabilities"] for m in (model, other))
    expected = JensenShannonDivergence().fit(P, Q).statistic_
    found = JensenShannonDivergence.from_estimators(model, other, X).statistic_
    assert found == pytest.approx(expected)
    table = compare(
        model, other, X, y, measures=["CKA", "functional"], **quick
    ).to_frame()
    table = table.set_index("measure")
    assert table.loc["CKA", "compared"] == "hidden / output"
    value = CKA().fit(hidden(X), logits(X)[:, ::-1]).score_
    assert table.loc["CKA", "value"] == pytest.approx(value)
    assert table.loc["JensenShannonDivergence", "value"] == pytest.approx(expected)
    assert "no layers to be cut at" in table.loc["ModelStitching", "note"]
    for name in ("SaliencySimilarity", "DecisionDistance"):
        assert np.isfinite(table.loc[name, "value"])
    layers = extract_representations(model, X)
    assert similarity_matrix(CKA(), layers).shape == (2, 2)
    display = SimilarityMatrixDisplay.from_estimators("CKA", model, other, X)
    assert display.matrix.shape == (2, 1)


def test_layers_of_two_models_in_one_pass(model, rows):
    X, y = rows
    other = CallableModel(logits)
    batches = [(X[i : i + 10], y[i : i + 10]) for i in (0, 10, 20)]
    for data in (X, batches):
        result = layer_similarity_matrix(CKA(), model, other, data)
        expected = [
            [CKA().fit(hidden(X), logits(X)).score_],
            [CKA().fit(logits(X), logits(X)).score_],
        ]
        assert_allclose(result.scores, expected, rtol=1e-6)


def test_a_bare_function_is_a_model(rows):
    X, _ = rows
    assert_allclose(extract_representations(hidden, X)["output"], hidden(X))
    assert Disagreement.from_estimators(logits, logits, X).distance_ == 0
    both = extract_representations(
        lambda X: {"hidden": hidden(X), "logits": logits(X)}, X
    )
    assert list(both) == ["hidden", "output"]
    assert_allclose(both["output"], logits(X))
    table = compare(hidden, hidden, X, measures="CKA", **quick).to_frame()
    assert table.value[0] == pytest.approx(1)


def test_one_function_of_all_layers(rows):
    X, _ = rows
    model = CallableModel(layers=lambda X: {"hidden": hidden(X), "output": logits(X)})
    assert list(extract_representations(model, X)) == ["hidden", "output"]
    found = extract_outputs(model, X, outputs="logits")
    assert_allclose(found["logits"], logits(X))
    silent = CallableModel(layers=lambda X: {"hidden": hidden(X)})
    assert list(extract_representations(silent, X)) == ["hidden"]
    with pytest.raises(ValueError, match="gives hidden, none of which is its answer"):
        extract_outputs(silent, X)


# ----- batches ------------------------------------------------------------------------


def test_batches_of_all_kinds(rows):
    X, y = rows
    expected = logits(X)
    batches = [(X[i : i + 10], y[i : i + 10]) for i in (0, 10, 20)]
    for data in (X, X.tolist(), batches, iter(batches)):
        assert_allclose(extract_outputs(logits, data)["outputs"], expected)
    table = pd.DataFrame(X, columns=list("abcde"))
    by_name = extract_outputs(lambda X: logits(X[list("abcde")]), table, batch_size=7)
    assert_allclose(by_name["outputs"], expected)
    mapping = extract_outputs(
        lambda batch: logits(batch["X"]), {"X": X, "y": y}, batch_size=7
    )
    assert_allclose(mapping["outputs"], expected)
    two = extract_outputs(lambda a, b: logits(a) + b, [(X, expected, y)])
    assert_allclose(two["outputs"], 2 * expected)
    words = ["one", "three", "eleven"] * 5
    lengths = extract_outputs(lambda batch: np.array([len(w) for w in batch]), words)
    assert_array_equal(lengths["outputs"][:3], [3, 5, 6])


def test_labels_come_with_the_batches(rows):
    X, y = rows
    batches = [(X[i : i + 10], y[i : i + 10]) for i in (0, 10, 20)]
    found = DoubleFault.from_estimators(logits, logits, iter(batches)).statistic_
    assert found == np.mean(logits(X).argmax(axis=1) != y)


def test_torch_and_a_function_get_the_same_batches(rows):
    torch = pytest.importorskip("torch")
    X, y = (torch.as_tensor(array) for array in rows)
    network = torch.nn.Linear(5, 8, bias=False).double()
    network.weight.data = torch.as_tensor(W.T)
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(X, y), batch_size=7, shuffle=True
    )
    half = CallableModel(lambda x: network(x).bfloat16())
    full = CallableModel(lambda x: network(x))
    found = JensenShannonDivergence.from_estimators(
        network, full, loader, outputs="logits"
    )
    assert found.statistic_ == 0
    assert extract_outputs(half, X)["outputs"].dtype == np.float32


def test_functions_of_jax(rows):
    jnp = pytest.importorskip("jax.numpy")
    X, _ = rows

    def network(X):
        h = jnp.maximum(jnp.asarray(X) @ W, 0)
        return {"hidden": h, "logits": h @ V}

    layers = extract_representations(network, X)
    assert_allclose(layers["hidden"], hidden(X), rtol=1e-4, atol=1e-5)
    half = extract_outputs(lambda X: network(X)["logits"].astype(jnp.bfloat16), X)
    assert half["outputs"].dtype == np.float32
    assert Disagreement.from_estimators(network, logits, X).distance_ == 0


# ----- what is refused ----------------------------------------------------------------


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: CallableModel(), "Pass outputs, layers or both"),
        (lambda: CallableModel(W), "outputs must be a function.*ndarray"),
        (lambda: CallableModel(layers=3), "layers must be a function.*int"),
        (lambda: CallableModel(layers=hidden), "must return a mapping.*ndarray"),
        (lambda: CallableModel(lambda X: X[:2]), r"shape \(2, 5\), and no row for"),
        (lambda: CallableModel(lambda X: 1.0), r"'output'.*shape \(\), and no row"),
        (lambda: CallableModel(lambda X: [object()] * 30), "holds object values"),
        (lambda: OnnxModel("nowhere.onnx"), "There is no file|needs onnxruntime"),
    ],
)
def test_what_is_no_model_is_refused(rows, make, message):
    with pytest.raises((ValueError, ImportError), match=message):
        extract_representations(make(), rows[0])


def test_empty_and_uneven_batches_are_refused(rows):
    X, _ = rows
    with pytest.raises(ValueError, match="iterator.*no rows"):
        extract_representations(hidden, iter(()))
    uneven = [X[:10], X[10:, :3]]
    with pytest.raises(ValueError, match="other shapes from batch to batch"):
        extract_representations(lambda X: X, iter(uneven))


def test_representation(model):
    assert repr(CallableModel(logits, layers=hidden)) == (
        "CallableModel(outputs=logits, layers=hidden)"
    )


# ----- layers that are reduced batch by batch -----------------------------------------


def of_tokens(batch):
    """A layer of tokens, and a pooled answer."""
    tokens = W[batch["ids"] % 5]
    counts = batch["attention_mask"][:, :, None]
    return {"tokens": tokens, "output": (tokens * counts).sum(1) / counts.sum(1)}


@pytest.fixture
def sentences():
    rng = np.random.default_rng(0)
    counts = np.arange(6) < rng.integers(1, 7, size=(20, 1))
    ids = rng.integers(0, 5, size=(20, 6))
    return {"ids": ids, "attention_mask": counts.astype(int)}


@pytest.mark.parametrize("wrap", [CallableModel, lambda layers: layers])
def test_layers_are_reduced_batch_by_batch(wrap, sentences):
    model = wrap(of_tokens) if wrap is not CallableModel else wrap(layers=of_tokens)
    counts, whole = sentences["attention_mask"] > 0, of_tokens(sentences)

    def extracted(**options):
        return extract_representations(model, sentences, batch_size=7, **options)

    assert extracted()["tokens"].shape == (20, 6, 8)
    assert_allclose(extracted(reduce="mean")["tokens"], whole["output"])
    unmasked = extracted(reduce="mean", mask=lambda batch: None)["tokens"]
    assert_allclose(unmasked, whole["tokens"].mean(axis=1))
    flat = extracted(reduce="flatten")["tokens"]
    assert_allclose(flat.reshape(20, 6, 8), whole["tokens"] * counts[:, :, None])
    tokens = extracted(reduce={"tokens": "tokens"})
    assert_allclose(tokens["tokens"], whole["tokens"][counts])
    assert tokens["output"].shape == (20, 8)
    first = extracted(layers="tok*", reduce=lambda layer, batch: layer[:, 0])
    assert list(first) == ["tokens"]
    assert_allclose(first["tokens"], whole["tokens"][:, 0])
    few = extract_representations(
        model,
        iter([(sentences, None)]),
        reduce=TokenPooling("last"),
        inputs=lambda batch: batch[0],
        mask=lambda batch: batch[0]["attention_mask"],
    )
    last = counts.sum(axis=1) - 1
    assert_allclose(few["tokens"], whole["tokens"][np.arange(20), last])
    with pytest.raises(ValueError, match="reduce must be one of"):
        extracted(reduce="median")
    with pytest.warns(UserWarning, match="mask is not applied to 1 layers"):
        extracted(reduce="mean", mask=lambda batch: np.ones((len(batch["ids"]), 4)))


# ----- measures that ask models for more than their answers to data -------------------


def smooth(X):
    return np.tanh(np.asarray(X) @ W) @ V


def of_smooth(X):
    """Gradient of each row's largest score."""
    chosen = V[:, smooth(X).argmax(axis=1)].T
    return (chosen * (1 - np.tanh(X @ W) ** 2)) @ W.T


def test_gradients_are_differences_of_answers(rows):
    X, _ = rows
    model = CallableModel(lambda X: {"logits": smooth(X)})
    assert_allclose(input_gradients(model, X), of_smooth(X), rtol=1e-7, atol=1e-9)
    single = CallableModel(lambda X: {"logits": smooth(X).astype(np.float32)})
    gradients = input_gradients(single, X.astype(np.float32))
    largest = np.abs(of_smooth(X)).max()
    assert_allclose(gradients, of_smooth(X), rtol=0, atol=1e-4 * largest)
    images = X.reshape(30, 1, 5)
    of_images = CallableModel(lambda X: {"logits": smooth(X[:, 0])})
    assert_allclose(input_gradients(of_images, images)[:, 0], of_smooth(X), atol=1e-7)
    # logarithms of probabilities are logits less one number for each row
    known = CallableModel(lambda X: {"probabilities": softmax(smooth(X), axis=1)})
    for output in ("proba", "log_proba", "log_odds", "margin"):
        both = [input_gradients(each, X, output=output) for each in (model, known)]
        assert_allclose(*both, rtol=1e-6, atol=1e-8)


def test_models_of_other_libraries_are_attacked_alike(rows):
    torch = pytest.importorskip("torch")
    X, _ = rows
    networks, models = [], []
    for seed, width in ((0, 8), (1, 6)):
        torch.manual_seed(seed)
        parts = [torch.nn.Linear(5, width), torch.nn.Tanh(), torch.nn.Linear(width, 3)]
        network = torch.nn.Sequential(*parts).double()
        networks.append(network)
        models.append(CallableModel(lambda X, f=network: {"logits": f(X)}))
    data = torch.as_tensor(X)
    y = networks[0](data).argmax(dim=1).numpy()
    for measure in (SaliencySimilarity, AdversarialTransferability, DecisionDistance):
        expected = measure().fit(*networks, data, y).score_
        # a function gets tensors where tensors were given
        for pair in (models, (networks[0], models[1])):
            score = measure().fit(*pair, data, y).score_
            assert score == pytest.approx(expected, rel=1e-6)


def test_what_answers_are_is_asked_for(rows):
    X, y = rows
    silent = CallableModel(smooth)
    with pytest.raises(ValueError, match="does not say what its answers are, logits"):
        DecisionDistance().fit(silent, silent, X)
    said = compare(
        silent, silent, X, y, measures="DecisionDistance", outputs="logits", **quick
    ).to_frame()
    assert said.loc[0, "value"] == pytest.approx(1)
    labels = CallableModel(lambda X: {"labels": smooth(X).argmax(axis=1)})
    for measure in (DecisionDistance(), SaliencySimilarity()):
        with pytest.raises(ValueError, match="answers labels, which change by jumps"):
            measure.fit(labels, labels, X, y)

    def shifted(model, X, y):
        return X + 1

    predicted = smooth(X).argmax(axis=1)
    transfer = AdversarialTransferability(attack=shifted)
    model = CallableModel(lambda X: {"logits": smooth(X)})
    transfer.fit(labels, model, X, predicted)
    moved = np.mean(smooth(X + 1).argmax(axis=1) != predicted)
    assert transfer.transfer_rate_x_ == transfer.transfer_rate_y_ == moved
    target = CallableModel(lambda X: {"predictions": smooth(X)[:, 0]})
    with pytest.raises(ValueError, match="is a regressor and no classifier"):
        DecisionDistance().fit(target, target, X)
    saliency = SaliencySimilarity().fit(target, target, X, y)
    assert saliency.score_ == pytest.approx(1)
    wide = np.zeros((4, 5000))
    flat = CallableModel(lambda X: {"logits": X[:, :3]})
    with pytest.raises(ValueError, match="20000 for each row of 5000 numbers"):
        input_gradients(flat, wide)
