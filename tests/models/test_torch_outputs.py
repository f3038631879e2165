"""What torch classifiers answer, in the form that measures of outputs take."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression

from sksim import all_measures
from sksim.base._tags import tags_of
from sksim.functional import (
    Disagreement,
    DoubleFault,
    JensenShannonDivergence,
    PerformanceDifference,
    RashomonCapacity,
    TotalVariation,
)
from sksim.models import extract_outputs, extract_representations
from sksim.pairwise import compare

torch = pytest.importorskip("torch")
nn = torch.nn
data = torch.utils.data
quick = {"n_permutations": 0, "confidence_level": None}


class Fixed(nn.Module):
    """Returns what it is given, through a function."""

    def __init__(self, function=lambda x: x):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.fixture
def pair():
    torch.manual_seed(0)
    return [nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)) for _ in "ab"]


@pytest.fixture
def rows():
    generator = torch.Generator().manual_seed(1)
    X = torch.randn(50, 6, generator=generator)
    return X, torch.arange(50) % 3


def softmax(Z):
    E = np.exp(Z - Z.max(axis=1, keepdims=True))
    return E / E.sum(axis=1, keepdims=True)


def outputs_of(network, X):
    with torch.no_grad():
        return network(X).double().numpy()


# ----- by hand ------------------------------------------------------------------------

LOGITS = torch.tensor([[0.0, np.log(3.0)], [np.log(4.0), 0.0]], dtype=torch.float64)


def test_logits_become_probabilities_by_softmax_and_labels_by_the_largest():
    found = extract_outputs(Fixed(), LOGITS, outputs="logits")
    assert_allclose(found["probabilities"], [[0.25, 0.75], [0.8, 0.2]])
    assert_array_equal(found["labels"], [1, 0])
    assert_array_equal(found["logits"], LOGITS)
    assert_array_equal(found["outputs"], LOGITS)
    assert all(isinstance(array, torch.Tensor) for array in found.values())


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_a_single_logit_is_that_of_the_second_class(shape):
    Z = torch.tensor([np.log(3.0), -np.log(4.0)]).reshape(shape)
    found = extract_outputs(Fixed(), Z, outputs="logits", classes=["no", "yes"])
    assert_allclose(found["probabilities"], [[0.25, 0.75], [0.8, 0.2]], rtol=1e-6)
    assert_array_equal(found["labels"], ["yes", "no"])


def test_a_single_probability_is_that_of_the_second_class():
    found = extract_outputs(
        Fixed(), torch.tensor([0.25, 0.75]), outputs="probabilities"
    )
    assert_allclose(found["probabilities"], [[0.75, 0.25], [0.25, 0.75]])
    assert_array_equal(found["labels"], [0, 1])


def test_labels_and_predictions():
    whole = torch.tensor([2, 0])
    found = extract_outputs(Fixed(), whole, outputs="labels", classes=["a", "b", "c"])
    assert_array_equal(found["labels"], ["c", "a"])
    assert set(extract_outputs(Fixed(), whole, outputs="labels")) == {
        "outputs",
        "labels",
    }
    found = extract_outputs(Fixed(), torch.tensor([[1.5], [2]]), outputs="predictions")
    assert_array_equal(found["predictions"], [1.5, 2])
    assert set(extract_outputs(Fixed(), whole)) == {"outputs"}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_probabilities_of_16_bits_sum_to_one(dtype):
    generator = torch.Generator().manual_seed(0)
    P = torch.softmax(3 * torch.randn(200, 10, generator=generator), dim=1).to(dtype)
    assert abs(P.double().sum(dim=1) - 1).max() > 1e-4
    found = extract_outputs(Fixed(), P, outputs="probabilities")["probabilities"]
    assert_allclose(found.sum(dim=1), 1, rtol=1e-12)
    JensenShannonDivergence.from_estimators(
        Fixed(), Fixed(), P, outputs="probabilities"
    )


# ----- measures -----------------------------------------------------------------------


def test_from_estimators(pair, rows):
    X, y = rows
    P, Q = (softmax(outputs_of(network, X)) for network in pair)
    known = {"outputs": "logits"}
    for measure in (JensenShannonDivergence, TotalVariation):
        value = measure.from_estimators(*pair, X, **known).statistic_
        assert value == pytest.approx(measure().fit(P, Q).statistic_)
    a, b = P.argmax(axis=1), Q.argmax(axis=1)
    for measure in (Disagreement, DoubleFault, PerformanceDifference):
        value = measure.from_estimators(*pair, X, y, **known).statistic_
        assert value == measure().fit(a, b, y_true=y).statistic_
    scored = PerformanceDifference.from_estimators(
        *pair, X, y, **known, scoring="neg_log_loss"
    )
    truth = np.arange(50)
    losses = [-np.log(M[truth, y]).mean() for M in (P, Q)]
    assert scored.statistic_ == pytest.approx(abs(losses[0] - losses[1]))
    with pytest.raises(ValueError, match="must be a list of fitted estimators"):
        RashomonCapacity.from_estimators(*pair, X)
    group = RashomonCapacity.from_estimators(pair, X, **known).statistic_
    assert group == pytest.approx(RashomonCapacity().fit([P, Q]).statistic_)


def test_labels_by_the_largest_need_no_word(pair, rows):
    """The largest logit is the largest probability; one column might be either."""
    X, _ = rows
    a, b = (outputs_of(network, X).argmax(axis=1) for network in pair)
    assert Disagreement.from_estimators(*pair, X).distance_ == np.mean(a != b) > 0
    with pytest.raises(ValueError, match="outputs='logits', 'probabilities'"):
        JensenShannonDivergence.from_estimators(*pair, X)
    with pytest.raises(ValueError, match="outputs='logits', 'probabilities'"):
        Disagreement.from_estimators(Fixed(), Fixed(), X[:, :1])


@dataclass
class Output:
    loss: object
    logits: object


@pytest.mark.parametrize(
    "returned", [lambda z: {"loss": z.mean(), "logits": z}, lambda z: Output(z[0], z)]
)
def test_declared_logits_are_logits(returned):
    model = Fixed(returned)
    found = extract_outputs(model, LOGITS)
    assert_allclose(found["probabilities"], [[0.25, 0.75], [0.8, 0.2]])
    measure = JensenShannonDivergence.from_estimators(model, model, LOGITS)
    assert measure.statistic_ == 0
    with pytest.raises(ValueError, match="declares logits"):
        extract_outputs(model, LOGITS, outputs="probabilities")


def test_kinds_and_classes_of_each_model(pair, rows):
    X, y = rows
    names = np.array(["a", "b", "c"])
    other = nn.Sequential(pair[1], nn.Softmax(dim=1))
    turned = Fixed(lambda x: other(x)[:, [2, 0, 1]])
    expected = JensenShannonDivergence.from_estimators(*pair, X, outputs="logits")
    found = JensenShannonDivergence.from_estimators(
        pair[0],
        turned,
        X,
        outputs=["logits", "probabilities"],
        classes=[["a", "b", "c"], ["c", "a", "b"]],
    )
    assert found.statistic_ == pytest.approx(expected.statistic_)
    by_name = DoubleFault.from_estimators(
        pair[0],
        turned,
        X,
        names[y],
        outputs=["logits", "probabilities"],
        classes=[["a", "b", "c"], ["c", "a", "b"]],
    )
    expected = DoubleFault.from_estimators(*pair, X, y, outputs="logits")
    assert by_name.statistic_ == expected.statistic_


def test_a_network_and_an_estimator(pair, rows):
    X, y = rows
    linear = LogisticRegression().fit(X.numpy(), y.numpy())
    found = JensenShannonDivergence.from_estimators(
        pair[0], linear, X.numpy(), outputs="logits"
    )
    P = softmax(outputs_of(pair[0], X))
    expected = JensenShannonDivergence().fit(P, linear.predict_proba(X.numpy()))
    assert found.statistic_ == pytest.approx(expected.statistic_)
    loader = data.DataLoader(data.TensorDataset(X), batch_size=10)
    with pytest.raises(ValueError, match="LogisticRegression can't take"):
        Disagreement.from_estimators(pair[0], linear, loader)


# ----- batches ------------------------------------------------------------------------


def test_a_shuffling_loader_is_gone_through_once(pair, rows):
    X, y = rows
    loader = data.DataLoader(data.TensorDataset(X, y), batch_size=7, shuffle=True)
    same = JensenShannonDivergence.from_estimators(
        pair[0], pair[0], loader, outputs="logits"
    )
    assert same.statistic_ == 0
    for measure in (JensenShannonDivergence, DoubleFault, PerformanceDifference):
        expected = measure.from_estimators(*pair, X, y, outputs="logits").statistic_
        found = measure.from_estimators(*pair, loader, outputs="logits").statistic_
        assert found == pytest.approx(expected)
    with pytest.raises(ValueError, match="RandomSampler.*leave y_true out"):
        DoubleFault.from_estimators(*pair, loader, y)


def test_a_generator_is_enough(pair, rows):
    X, y = rows
    batches = ((X[i : i + 20], y[i : i + 20]) for i in (0, 20, 40))
    found = DoubleFault.from_estimators(*pair, batches).statistic_
    assert found == DoubleFault.from_estimators(*pair, X, y).statistic_
    with pytest.raises(ValueError, match="generator.*no rows"):
        DoubleFault.from_estimators(*pair, batches)


class Named(nn.Module):
    """Takes keywords, returns a loss and logits where it is given labels."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(6, 3)

    def forward(self, features, labels=None):
        logits = self.head(features)
        found = {"logits": logits}
        if labels is None:
            return found
        return {"loss": nn.functional.cross_entropy(logits, labels), **found}


def test_mappings_bring_their_labels(rows):
    X, y = rows
    networks = Named(), Named()
    mapping = {"features": X, "labels": y}
    batches = [{k: v[i : i + 20] for k, v in mapping.items()} for i in (0, 20, 40)]
    a, b = (outputs_of(network.head, X).argmax(axis=1) for network in networks)
    expected = DoubleFault().fit(a, b, y_true=y).statistic_
    for each in (mapping, batches):
        assert DoubleFault.from_estimators(*networks, each).statistic_ == expected


def test_models_are_left_as_they_were(pair, rows):
    pair[0].train()
    Disagreement.from_estimators(*pair, rows[0])
    assert pair[0].training
    assert all(part.training for part in pair[0].modules())
    assert torch.is_grad_enabled()
    with pytest.raises(RuntimeError):
        Disagreement.from_estimators(*pair, rows[0][:, :2])
    assert pair[0].training


# ----- kinds of modules ---------------------------------------------------------------


def exported(network, X):
    rows = torch.export.Dim("rows", min=1, max=100)
    return torch.export.export(network, (X,), dynamic_shapes=({0: rows},))


@pytest.mark.parametrize(
    "make",
    [
        lambda network, X: torch.jit.script(network),
        lambda network, X: torch.jit.trace(network, X),
        lambda network, X: torch.compile(network, backend="eager"),
        lambda network, X: exported(network, X).module(),
        lambda network, X: nn.DataParallel(network),
        lambda network, X: nn.Sequential(network).double(),
    ],
    ids=["scripted", "traced", "compiled", "exported", "parallel", "double"],
)
@pytest.mark.filterwarnings("ignore:.*torch.jit.*")
def test_answers_of_all_kinds_of_modules(pair, rows, make):
    X, y = rows
    network = pair[0].eval()
    P = softmax(outputs_of(network, X))
    model = make(network, X)
    found = extract_outputs(model, X, outputs="logits")
    assert_allclose(found["probabilities"], P, rtol=1e-4)
    table = (
        compare(
            model,
            pair[1],
            X,
            y,
            measures=["functional", "rsm"],
            outputs="logits",
            random_state=0,
            **quick,
        )
        .to_frame()
        .set_index("measure")
    )
    assert table.loc["JensenShannonDivergence", "value"] > 0
    if np.isnan(table.loc["CKA", "value"]):
        assert "CallableModel" in table.loc["CKA", "note"]
        with pytest.raises(ValueError, match="CallableModel"):
            extract_representations(model, X)
    else:
        assert set(extract_representations(model, X)) >= {"output"}


def test_exported_programs_are_not_called(pair, rows):
    program = exported(pair[0], rows[0])
    with pytest.raises(ValueError, match=r"pass program\.module\(\)"):
        extract_outputs(program, rows[0])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_networks_of_16_bits(pair, rows, dtype):
    X, _ = rows
    logits = outputs_of(pair[0], X)
    found = extract_outputs(pair[0].to(dtype), X, outputs="logits")
    assert found["outputs"].dtype == torch.float32
    assert_allclose(found["logits"], logits, atol=0.05)
    assert_allclose(found["probabilities"].sum(dim=1), 1)


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(6, 3), nn.Linear(6, 3)

    def forward(self, x1, x2):
        return self.left(x1) - self.right(x2)


def test_networks_of_two_inputs(rows):
    X, y = rows
    a, b = Two(), Two()
    dataset = data.TensorDataset(X, X.flip(0), y)
    loader = data.DataLoader(dataset, batch_size=7, shuffle=True)
    with torch.no_grad():
        labels = [m(X, X.flip(0)).argmax(dim=1).numpy() for m in (a, b)]
    expected = DoubleFault().fit(*labels, y_true=y).statistic_
    assert DoubleFault.from_estimators(a, b, loader).statistic_ == expected
    table = compare(
        a, b, loader, measures="functional", outputs="logits", **quick
    ).to_frame()
    table = table.set_index("measure")
    assert table.loc["DoubleFault", "value"] == expected
    assert "can't be run on rows in one array" in table.loc["DecisionDistance", "note"]


# ----- compare ------------------------------------------------------------------------

# neither attributions nor sets of labels are answers of classifiers
FUNCTIONAL = {
    name
    for name, cls in all_measures(family="functional")
    if tags_of(cls()).inputs != "gradients"
    and "label_sets" not in tags_of(cls()).requires
}


@pytest.mark.parametrize("is_loader", [False, True])
def test_the_whole_family_has_its_numbers(pair, rows, is_loader):
    X, y = rows
    args = X, y
    if is_loader:
        loader = data.DataLoader(data.TensorDataset(X, y), batch_size=7, shuffle=True)
        args = (loader,)
    table = (
        compare(
            *pair,
            *args,
            measures="functional",
            outputs="logits",
            random_state=0,
            **quick,
        )
        .to_frame()
        .set_index("measure")
    )
    assert set(table.index) == FUNCTIONAL
    assert table.value.notna().all()
    for measure in (Disagreement, JensenShannonDivergence, DoubleFault):
        expected = measure.from_estimators(*pair, X, y, outputs="logits").statistic_
        assert table.loc[measure.__name__, "value"] == pytest.approx(expected)


def test_measures_without_a_number_have_a_reason(pair, rows):
    table = (
        compare(*pair, *rows, measures="functional", **quick)
        .to_frame()
        .set_index("measure")
    )
    assert set(table.index) == FUNCTIONAL
    assert table.loc["Disagreement", "value"] > 0
    missing = table[table.value.isna()]
    assert "JensenShannonDivergence" in missing.index
    assert missing.note.str.contains("outputs='logits'").all()
    softened = [nn.Sequential(network, nn.Softmax(dim=1)) for network in pair]
    table = (
        compare(
            *softened, rows[0], measures="functional", outputs="probabilities", **quick
        )
        .to_frame()
        .set_index("measure")
    )
    assert set(table.index) == FUNCTIONAL
    assert "true labels" in table.loc["DoubleFault", "note"]
    assert "returns something else" in table.loc["SaliencySimilarity", "note"]
    with pytest.raises(ValueError, match="must be one of"):
        compare(*pair, *rows, measures="CKA", outputs="logit", **quick).to_frame()


def test_representations_are_not_asked_for_in_vain(rows):
    """A model without layers is compared by its outputs."""
    models = Fixed(), Fixed()
    assert (
        compare(*models, rows[0], measures=["Disagreement"], **quick)
        .to_frame()
        .value[0]
        == 0
    )
    mapping = {"features": rows[0], "labels": rows[1]}
    table = compare(
        Named(), Named(), mapping, measures="functional", **quick
    ).to_frame()
    table = table.set_index("measure")
    assert table.loc["DoubleFault", "value"] >= 0
    assert "data is a mapping" in table.loc["SaliencySimilarity", "note"]


# ----- what is refused ----------------------------------------------------------------


@pytest.mark.parametrize(
    "options, message",
    [
        ({"outputs": "softmax"}, "must be one of .*got 'softmax'"),
        ({"outputs": ["logits"]}, "1 entries for 2 models"),
        ({"outputs": "labels"}, "labels are one whole number"),
        ({"outputs": "probabilities"}, "row 0 holds .*sum to 1"),
        ({"outputs": "predictions"}, "are predictions, which have no probabilities"),
        ({"outputs": "logits", "classes": ["a", "b"]}, "2 entries, .*6 columns"),
        ({"outputs": "logits", "classes": [[0, 1]]}, "1 entries for 2 models"),
    ],
)
def test_wrong_words_are_refused(rows, options, message):
    with pytest.raises(ValueError, match=message):
        JensenShannonDivergence.from_estimators(Fixed(), Fixed(), rows[0], **options)


def test_wrong_outputs_are_refused(rows, pair):
    X, y = rows
    X = X.clone()
    with pytest.raises(ValueError, match=r"shape \(50, 2, 3\).*CallableModel"):
        extract_outputs(Fixed(), X.reshape(50, 2, 3), outputs="logits")
    X[7, 2] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity in row 7"):
        extract_outputs(Fixed(), X, outputs="logits")
    with pytest.raises(ValueError, match=r"y_true has the classes \[1, 2, 3\].*0 to 2"):
        DoubleFault.from_estimators(*pair, rows[0], y + 1)
    with pytest.raises(ValueError, match="labels 0 to 2, but classes has 2 entries"):
        extract_outputs(Fixed(), y, outputs="labels", classes=["a", "b"])
    linear = LogisticRegression().fit(rows[0].numpy(), y.numpy())
    with pytest.raises(ValueError, match="say it themselves"):
        Disagreement.from_estimators(linear, linear, rows[0], outputs="labels")
    with pytest.raises(ValueError, match="says it itself"):
        extract_outputs(linear, rows[0], outputs="labels")
