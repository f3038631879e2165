"""Models as other libraries make them: small, untrained, nothing is downloaded."""

import os

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sksim.functional import Disagreement, DoubleFault, JensenShannonDivergence
from sksim.models import (
    CallableModel,
    KerasModel,
    OnnxModel,
    extract_outputs,
    extract_representations,
)
from sksim.models._callable import as_array
from sksim.pairwise import compare, layer_similarity_matrix
from sksim.rsm import CKA

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("KERAS_BACKEND", "torch")

quick = {"n_permutations": 0, "confidence_level": None}


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 6)).astype(np.float32)
    return X, (X @ rng.normal(size=(6, 3))).argmax(axis=1)


def shapes(arrays):
    return {name: tuple(array.shape) for name, array in arrays.items()}


# ----- ONNX ---------------------------------------------------------------------------

W = np.random.default_rng(1).normal(size=(6, 8)).astype(np.float32)
V = np.random.default_rng(2).normal(size=(8, 3)).astype(np.float32)


def make_graph(*, rows="N", output="logits", opset=17, dtype="FLOAT"):
    """A network of one hidden layer, with some nodes whose results have no rows."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    make, number = onnx.helper, getattr(onnx.TensorProto, dtype)
    kind = onnx.helper.tensor_dtype_to_np_dtype(number)
    constants = [
        onnx.numpy_helper.from_array(array.astype(kind), name)
        for name, array in (("W", W), ("V", V))
    ]
    nodes = [
        make.make_node("MatMul", ["x", "W"], ["sums"]),
        make.make_node("Relu", ["sums"], ["hidden"]),
        make.make_node("Shape", ["hidden"], ["shape"]),
        make.make_node("ReduceSum", ["W"], ["total"], keepdims=1),
        make.make_node("MatMul", ["hidden", "V"], [output]),
    ]
    graph = make.make_graph(
        nodes,
        "network",
        [make.make_tensor_value_info("x", number, [rows, 6])],
        [make.make_tensor_value_info(output, number, [rows, 3])],
        constants,
    )
    opsets = [make.make_opsetid("", opset)]
    return make.make_model(graph, opset_imports=opsets, ir_version=8)


def by_hand(X):
    hidden = np.maximum(X @ W, 0)
    return {"sums": X @ W, "hidden": hidden, "output": hidden @ V}


@pytest.mark.parametrize("opset", [13, 17, 21])
def test_onnx(rows, tmp_path, opset):
    X, y = rows
    graph = make_graph(opset=opset)
    path = tmp_path / "network.onnx"
    path.write_bytes(graph.SerializeToString())
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path))
    in_memory = onnxruntime.InferenceSession(graph.SerializeToString())
    expected = by_hand(X)
    for model in (graph, path, str(path), session, in_memory, OnnxModel(path)):
        layers = extract_representations(model, X, batch_size=20)
        assert list(layers) == ["sums", "hidden", "output"]
        for name, layer in layers.items():
            assert_allclose(layer, expected[name], rtol=1e-4, atol=1e-5)
    result = layer_similarity_matrix(CKA(), path, graph, X)
    pairs = [[CKA().fit(a, b).score_ for b in layers.values()] for a in layers.values()]
    assert_allclose(result.scores, pairs, rtol=1e-5)
    # an output of this name is what it is called
    labels = extract_outputs(path, X)["labels"]
    assert_array_equal(labels, expected["output"].argmax(axis=1))
    table = compare(
        path, graph, X, y, measures=["CKA", "functional"], **quick
    ).to_frame()
    table = table.set_index("measure")
    assert table.loc["CKA", "value"] == pytest.approx(1)
    # what goes into the last layer with weights
    assert table.loc["CKA", "compared"] == "hidden"
    assert list(extract_representations(graph, X, "s*")) == ["sums"]
    first = extract_representations(path, X, "s*", reduce=lambda layer, _: layer[:, :2])
    assert_allclose(first["sums"], expected["sums"][:, :2], rtol=1e-4, atol=1e-5)
    # by differences of answers in single precision
    saliency = table.loc["SaliencySimilarity", "value"]
    assert saliency == pytest.approx(1)
    with pytest.raises(ValueError, match="no layer 'tail'.*sums, hidden, output"):
        extract_representations(graph, X, "tail")
    assert table.loc["JensenShannonDivergence", "value"] == 0
    assert table.loc["DoubleFault", "value"] == np.mean(labels != y)


def test_onnx_of_an_output_without_a_word(rows):
    X, _ = rows
    graph = make_graph(output="y")
    assert set(extract_outputs(graph, X)) == {"outputs"}
    with pytest.raises(ValueError, match="outputs='logits'"):
        JensenShannonDivergence.from_estimators(graph, graph, X)
    named = OnnxModel(graph, classes=["a", "b", "c"])
    labels = extract_outputs(named, X, outputs="logits")["labels"]
    assert set(labels) <= {"a", "b", "c"}


@pytest.mark.parametrize("size", [1, 8])
def test_onnx_for_a_fixed_number_of_rows(rows, size):
    X, _ = rows
    layers = extract_representations(make_graph(rows=size), X[:19])
    expected = by_hand(X[:19])
    assert {"sums", "hidden", "output"} <= set(layers)
    for name, values in expected.items():
        assert_allclose(layers[name], values, rtol=1e-4, atol=1e-5)


def test_onnx_of_other_precision(rows):
    X, _ = rows
    for dtype, precision in (("DOUBLE", 1e-12), ("FLOAT16", 1e-2)):
        layers = extract_representations(make_graph(dtype=dtype), X)
        kind = np.float64 if dtype == "DOUBLE" else np.float32
        assert layers["hidden"].dtype == kind
        X64 = X.astype(np.float64)
        hidden = np.maximum(X64 @ W.astype(np.float64), 0)
        assert_allclose(layers["hidden"], hidden, rtol=precision, atol=10 * precision)


def test_onnx_takes_its_inputs_by_name(rows):
    X, y = rows
    graph = make_graph()
    mapping = {"labels": y, "x": X}
    fault = DoubleFault.from_estimators(graph, graph, mapping).statistic_
    assert fault == np.mean(by_hand(X)["output"].argmax(axis=1) != y)
    with pytest.raises(ValueError, match="takes the inputs x, and a batch has no x"):
        extract_outputs(graph, {"features": X})


def test_onnx_that_can_not_be_run(tmp_path):
    pytest.importorskip("onnxruntime")
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"no network")
    with pytest.raises(ValueError, match="onnxruntime can't run .*broken.onnx"):
        extract_outputs(path, np.zeros((3, 6)))
    with pytest.raises(ValueError, match="There is no file"):
        extract_outputs(tmp_path / "nowhere.onnx", np.zeros((3, 6)))


# ----- Keras --------------------------------------------------------------------------


def test_keras(rows):
    keras = pytest.importorskip("keras")
    X, _ = rows
    dense, layers = keras.layers.Dense, keras.layers
    inner = keras.Sequential(
        [layers.Input((4,)), dense(5, activation="relu", name="first"), dense(4)],
        name="inner",
    )
    twice = dense(4, activation="tanh", name="twice")
    given = keras.Input((6,))
    first = dense(4, name="start")(given)
    last = dense(3, name="head")(inner(twice(layers.Dropout(0.5)(twice(first)))))
    model = keras.Model(given, last)
    found = extract_representations(model, X, batch_size=20)
    names = ["start", "twice", "dropout", "twice:2", "inner.first", "inner", "output"]
    assert list(found) == names
    start = model.get_layer("start")
    weights, biases = (as_array(w.value, w.name) for w in start.weights)
    assert_allclose(found["start"], X @ weights + biases, rtol=1e-4, atol=1e-5)
    for before, name, layer in [
        ("start", "twice", twice),
        ("twice", "twice:2", twice),
        ("twice:2", "inner", inner),
        ("twice:2", "inner.first", inner.layers[0]),
        ("inner", "output", model.get_layer("head")),
    ]:
        after = as_array(layer(found[before]), name)
        assert_allclose(found[name], after, rtol=1e-4, atol=1e-5)
    assert_array_equal(found["dropout"], found["twice"])
    whole = as_array(model(X), "output")
    assert_allclose(extract_outputs(model, X)["outputs"], whole, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("n_channels, height", [(5, 8), (6, 8), (16, 9)])
def test_maps_of_keras_have_their_channels_last(n_channels, height):
    """Of 6 x 6 maps of 6 channels no shape would tell."""
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((height, 8, 3)), layers.Conv2D(n_channels, 3), layers.Flatten()]
    )
    images = np.random.default_rng(0).normal(size=(20, height, 8, 3)).astype("f4")
    (whole, *_), (name, *_) = (
        list(each(extract_representations(model, images)))
        for each in (dict.values, dict.keys)
    )
    assert whole.shape == (20, height - 2, 6, n_channels)
    pooled = extract_representations(model, images, name, 7, reduce="mean")
    assert_allclose(pooled[name], whole.mean(axis=(1, 2)), rtol=1e-5, atol=1e-6)


def test_keras_of_other_kinds(rows):
    keras = pytest.importorskip("keras")
    X, y = rows
    dense = keras.layers.Dense
    sequential = keras.Sequential([dense(5, activation="relu"), dense(3)])
    softened = keras.Sequential([sequential, keras.layers.Softmax()])
    assert shapes(extract_representations(sequential, X)).popitem()[1] == (50, 3)
    assert len(extract_representations(sequential, X)) == 2
    found = JensenShannonDivergence.from_estimators(
        sequential, softened, X, outputs=["logits", "probabilities"]
    )
    assert found.statistic_ == pytest.approx(0, abs=1e-10)
    table = compare(sequential, softened, X, y, measures="CKA", **quick).to_frame()
    assert 0 < table.value[0] <= 1

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.head = dense(3)

        def call(self, x):
            return self.head(x)

    own = Own()
    assert extract_representations(own, X, "output")["output"].shape == (50, 3)
    with pytest.raises(ValueError, match="method of its own.*CallableModel"):
        extract_representations(own, X)
    with pytest.raises(ValueError, match="must be a keras.Model, got ndarray"):
        KerasModel(X)


def test_keras_with_several_inputs(rows):
    keras = pytest.importorskip("keras")
    X, y = rows
    left, right = (keras.Input((3,), name=name) for name in ("left", "right"))
    joined = keras.layers.Concatenate()([left, right])
    model = keras.Model([left, right], keras.layers.Dense(3)(joined))
    expected = extract_outputs(model, [(X[:, :3], X[:, 3:], y)])["outputs"]
    named = {"right": X[:, 3:], "left": X[:, :3]}
    assert_allclose(extract_outputs(model, named)["outputs"], expected)
    assert_allclose(extract_representations(model, named)["output"], expected)
    with pytest.raises(ValueError, match="inputs left, right, and a batch has no left"):
        extract_outputs(model, {"right": X[:, 3:]})
    labels = expected.argmax(axis=1)
    fault = DoubleFault.from_estimators(model, model, [(X[:, :3], X[:, 3:], y)])
    assert fault.statistic_ == np.mean(labels != y)


# ----- native boosters ----------------------------------------------------------------


def test_a_booster_of_xgboost(rows):
    xgboost = pytest.importorskip("xgboost")
    X, y = rows
    matrix = xgboost.DMatrix
    params = {"objective": "multi:softprob", "num_class": 3, "max_depth": 2}
    booster = xgboost.train(params, matrix(X, y), num_boost_round=4)
    model = CallableModel(
        lambda X: {"probabilities": booster.predict(xgboost.DMatrix(X))},
        layers=lambda X: {
            "leaves": booster.predict(xgboost.DMatrix(X), pred_leaf=True)
        },
    )
    estimator = xgboost.XGBClassifier(n_estimators=4, max_depth=2).fit(X, y)
    assert shapes(extract_representations(model, X, batch_size=20)) == {
        "leaves": (50, 12),
        "output": (50, 3),
    }
    assert Disagreement.from_estimators(model, estimator, X).distance_ < 0.2


def test_a_booster_of_lightgbm(rows):
    lightgbm = pytest.importorskip("lightgbm")
    X, y = rows
    params = {"objective": "binary", "verbose": -1, "num_threads": 1}
    booster = lightgbm.train(params, lightgbm.Dataset(X, y > 0), num_boost_round=4)
    model = CallableModel(lambda X: {"probabilities": booster.predict(X)})
    found = extract_outputs(model, X)
    assert_allclose(found["probabilities"][:, 1], booster.predict(X))
    assert_array_equal(found["labels"], booster.predict(X) > 0.5)


def test_a_model_of_catboost_without_its_classes(rows):
    catboost = pytest.importorskip("catboost")
    X, y = rows
    native = catboost.CatBoost(
        {
            "loss_function": "MultiClass",
            "iterations": 4,
            "verbose": 0,
            "allow_writing_files": False,
            "thread_count": 1,
        }
    ).fit(X, y)
    model = CallableModel(
        lambda X: {"logits": native.predict(X, prediction_type="RawFormulaVal")}
    )
    expected = native.predict(X, prediction_type="Probability")
    assert_allclose(extract_outputs(model, X)["probabilities"], expected, rtol=1e-6)


# ----- transformers and timm ----------------------------------------------------------


@pytest.fixture
def bert():
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    config = transformers.BertConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        num_labels=3,
    )

    def make(seed):
        torch.manual_seed(seed)
        return transformers.BertForSequenceClassification(config)

    return make


def tokens(rng, n_rows=12, length=7):
    import torch

    lengths = rng.integers(3, length + 1, size=n_rows)
    mask = torch.as_tensor(np.arange(length) < lengths[:, None]).long()
    ids = torch.as_tensor(rng.integers(1, 50, size=(n_rows, length)))
    return {"input_ids": ids * mask, "attention_mask": mask}


def test_classifiers_of_transformers_declare_their_logits(bert):
    from transformers import BatchEncoding

    rng = np.random.default_rng(0)
    batch = tokens(rng)
    y = rng.integers(3, size=12)
    first, second = bert(0), bert(1)
    import torch

    with torch.no_grad():
        logits = [m.eval()(**batch).logits.numpy() for m in (first, second)]
    first.train()
    labels = [z.argmax(axis=1) for z in logits]
    expected = DoubleFault().fit(*labels, y_true=y).statistic_
    for data in (batch, BatchEncoding(batch)):
        found = DoubleFault.from_estimators(first, second, data, y).statistic_
        assert found == expected
    assert first.training
    labelled = BatchEncoding({**batch, "labels": torch.as_tensor(y)})
    assert DoubleFault.from_estimators(first, second, labelled).statistic_ == expected
    found = extract_outputs(first, labelled)
    assert_allclose(found["logits"], logits[0], rtol=1e-4, atol=1e-6)
    table = (
        compare(first, second, labelled, measures="functional", random_state=0, **quick)
        .to_frame()
        .set_index("measure")
    )
    of_models = table.index[table.note.str.contains("mapping")]
    assert set(of_models) == {
        "AdversarialTransferability",
        "DecisionDistance",
        "ModelStitching",
        "SaliencySimilarity",
    }
    assert table.value.drop(of_models).notna().all()


def test_batches_padded_to_their_own_length(bert):
    """A loader that collates tokens pads each batch to the longest of it."""
    rng = np.random.default_rng(1)
    batches = [tokens(rng, length=length) for length in (4, 9, 6)]
    first, second = bert(0), bert(1)
    found = JensenShannonDivergence.from_estimators(first, second, iter(batches))
    each = [JensenShannonDivergence.from_estimators(first, second, b) for b in batches]
    mean = np.mean([measure.statistic_ for measure in each])
    assert found.statistic_ == pytest.approx(mean)


def test_networks_of_timm():
    timm = pytest.importorskip("timm")
    import torch

    torch.manual_seed(0)
    first, second = (
        timm.create_model("resnet10t", pretrained=False, num_classes=4) for _ in "ab"
    )
    images = torch.randn(6, 3, 32, 32)
    layers = extract_representations(first, images, ["layer1", "global_pool", "output"])
    assert shapes(layers)["output"] == (6, 4)
    assert len(shapes(layers)["layer1"]) == 4
    measure = Disagreement.from_estimators(first, second, images, outputs="logits")
    assert 0 <= measure.distance_ <= 1
