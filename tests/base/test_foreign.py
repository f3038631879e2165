"""Arrays of other libraries: a number, or one sentence that says what to do."""

import numpy as np
import pandas as pd
import pytest

from sksim.functional import Disagreement, JensenShannonDivergence, PredictionDifference
from sksim.inference import similarity_test
from sksim.pairwise import compare, similarity_matrix
from sksim.rsm import CKA

torch = pytest.importorskip("torch")
ml_dtypes = pytest.importorskip("ml_dtypes")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 5))
Y = X + RNG.normal(size=X.shape)
P, Q = RNG.dirichlet([1, 1, 1], size=(2, 30))
LABELS = RNG.integers(0, 3, size=30)

CALLS = {
    "fit": lambda m, a, b: m.fit(a, b).score_,
    "score": lambda m, a, b: m.fit(a, b).score(a, b),
    "test": lambda m, a, b: similarity_test(m, a, b, n_permutations=9).score,
    "compare": lambda m, a, b: compare(
        a, b, measures=[m], n_permutations=0, confidence_level=None
    ).to_frame()["score"][0],
    "matrix": lambda m, a, b: similarity_matrix(m, [a, b], output="score").iloc[0, 1],
}


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


NUMBERS = {
    "half": lambda a: a.astype(np.float16),
    "torch half": lambda a: torch.tensor(a).half(),
    "masked": np.ma.array,
    "masked nowhere": lambda a: np.ma.array(a, mask=np.zeros(a.shape, bool)),
    "long": lambda a: a.astype(np.longdouble),
    "read-only": read_only,
    "other bytes": lambda a: a.astype(a.dtype.newbyteorder()),
}
SENTENCES = {
    "bfloat16": (lambda a: torch.tensor(a).bfloat16(), ".float()"),
    "gradients": (lambda a: torch.tensor(a, requires_grad=True), ".detach()"),
    "both": (
        lambda a: torch.tensor(a).bfloat16().requires_grad_(),
        ".detach().float()",
    ),
    "ml_dtypes": (lambda a: a.astype(ml_dtypes.bfloat16), ".astype('float32')"),
    "sparse": (lambda a: torch.tensor(a).to_sparse(), ".to_dense()"),
    "list": (lambda a: list(torch.tensor(a, requires_grad=True)), "[0].detach()"),
    "complex": (lambda a: a.astype(complex), "absolute values"),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", NUMBERS)
@pytest.mark.parametrize(
    ("measure", "a", "b"), [(CKA(), X, Y), (JensenShannonDivergence(), P, Q)]
)
def test_numbers(call, kind, measure, a, b):
    expected = measure.fit(a, b).score_
    for pair in ((NUMBERS[kind](a), b), (a, NUMBERS[kind](b))):
        assert CALLS[call](measure, *pair) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", SENTENCES)
@pytest.mark.parametrize(
    ("measure", "a", "b"), [(CKA(), X, Y), (JensenShannonDivergence(), P, Q)]
)
def test_sentences(call, kind, measure, a, b):
    make, way = SENTENCES[kind]
    for pair in ((make(a), b), (a, make(b))):
        with pytest.raises(ValueError) as error:
            CALLS[call](measure, *pair)
        assert way in str(error.value)


@pytest.mark.parametrize("call", ["fit", "score", "test", "matrix"])
@pytest.mark.parametrize("kind", ["bfloat16", "gradients", "ml_dtypes"])
def test_sentences_about_labels(call, kind):
    make, way = SENTENCES[kind]
    with pytest.raises(ValueError) as error:
        CALLS[call](Disagreement(), make(LABELS * 1.0), LABELS)
    assert way in str(error.value)


def test_sentences_about_groups():
    with pytest.raises(ValueError, match=r"X\.detach\(\)"):
        PredictionDifference().fit(
            torch.tensor(np.stack([P, Q], 1), requires_grad=True)
        )


@pytest.mark.parametrize("call", CALLS)
def test_anndata_is_asked_for_its_matrix(call):
    anndata = pytest.importorskip("anndata")
    data = anndata.AnnData(X, obs=pd.DataFrame(index=[f"cell{i}" for i in range(30)]))
    with pytest.raises(TypeError, match=r"is an AnnData.*\.X"):
        CALLS[call](CKA(), data, Y)


# ----- probabilities ------------------------------------------------------------------


def rounded(digits):
    values = np.round(P, digits)
    off = np.abs(values.sum(1) - 1)
    assert 1e-5 < off.max() <= 0.0101
    return values


BELOW = np.where(P.min() == P, -1e-17, P)
LOGITS = np.log(P)
FLAWS = {
    "one column": (P[:, :1], "pass [1 - p, p]"),
    "one column of scores": (X[:, :1], "apply a sigmoid"),
    "one column of ones": (np.ones((30, 1)), "of one class"),
    "two digits": (rounded(2), "divide the rows by their sums"),
    "three digits": (rounded(3), "divide the rows by their sums"),
    "thirds": (np.full((30, 3), 0.33), "divide the rows by their sums"),
    "just below 0": (BELOW / BELOW.sum(1, keepdims=True), "clip at 0"),
    "per cent": (100 * P, "divide by 100."),
    "rounded per cent": (100 * rounded(2), "divide by 100, and"),
    "logits": (LOGITS, "Apply a softmax"),
    "sigmoids": (RNG.random((30, 3)), "a label of its own"),
    "counts": (RNG.integers(1, 9, (30, 3)) * 1.0, "divide the rows by their sums"),
}


@pytest.mark.parametrize("flaw", FLAWS)
@pytest.mark.parametrize("call", ["fit", "test", "matrix"])
def test_each_flaw_of_probabilities_has_its_sentence(flaw, call):
    values, sentence = FLAWS[flaw]
    for pair in ((values, P), (P, values)):
        if values.shape != P.shape:
            pair = (values, values)
        with pytest.raises(ValueError) as error:
            CALLS[call](JensenShannonDivergence(), *pair)
        assert sentence in str(error.value)
        assert ("softmax" in str(error.value)) == (
            flaw in ("logits", "one column of ones")
        )


def test_the_ways_out_work():
    expected = JensenShannonDivergence().fit(P, Q).score_
    clipped = FLAWS["just below 0"][0].clip(0)
    for values in (
        rounded(3) / rounded(3).sum(-1, keepdims=True),
        clipped,
        FLAWS["per cent"][0] / 100,
    ):
        found = JensenShannonDivergence().fit(values, Q).score_
        assert found == pytest.approx(expected, abs=0.01)


# ----- compare ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "message"),
    [
        (np.where(X > 2, np.nan, X), "missing values"),
        (np.where(X > 2, np.inf, X), "infinite values"),
        (X.astype(str), "text"),
        (X[:1], "a has 1 rows and b has 30"),
        (X[:0], "a has 0 rows and b has 30"),
    ],
)
def test_compare_checks_before_it_measures(a, message, monkeypatch):
    def never(self, *args, **kwargs):
        raise AssertionError("a measure has started")

    monkeypatch.setattr(CKA, "_open", never)
    with pytest.raises(ValueError, match=message):
        compare(a, Y, n_permutations=0, measures="all").to_frame()
    with pytest.raises(ValueError, match="one row|no rows"):
        compare(X[: len(a) % 2], Y[: len(a) % 2], measures="all").to_frame()


def test_compare_reads_probabilities_of_16_bits():
    table = compare(
        P.astype(np.float16), Q, measures=["JensenShannonDivergence"], n_permutations=0
    ).to_frame()
    expected = JensenShannonDivergence().fit(P, Q).score_
    assert table["score"][0] == pytest.approx(expected, abs=1e-3)
