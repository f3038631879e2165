"""Parts of CKA that add up to it."""

import numpy as np
import pytest
from _reference import newer_cases
from numpy.testing import assert_allclose

from sksim.rsm import CKA

CASES = list(newer_cases("read_out_family"))
MEASURES = [
    CKA(),
    CKA(debias="rows"),
    CKA(debias="both"),
    CKA("rbf"),
    CKA("rbf", debias="rows"),
    CKA("cosine"),
    CKA("laplacian", debias="rows"),
]


def views(*widths, n=40):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, widths[0])) + 1
    y = np.tanh(X @ rng.normal(size=widths)) + 0.5 * rng.normal(size=(n, widths[1]))
    return X, y


@pytest.mark.parametrize("case, arrays, values", CASES)
def test_values_of_two_derivations(case, arrays, values):
    X, y = arrays["X"], arrays["Y"]
    parts = CKA().contributions(X, y).to_numpy()
    assert_allclose(parts.sum(), values["contributions_sum"], rtol=1e-9)
    if values["smallest_relative_gap"] > 1e-6:
        first = np.array(values["contributions_first_four"])
        assert_allclose(parts[:4, :4], first, rtol=1e-8, atol=1e-10)
        assert parts.shape == (values["rank_x"], values["rank_y"])
    rows = CKA().contributions(X, y, by="rows")
    assert_allclose(rows["part"], values["row_parts"], rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("widths", [(5, 4), (60, 4), (60, 50)])
@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_parts_add_up(measure, widths):
    X, y = views(*widths)
    if measure.debias == "both":  # columns that have something in common
        X, y = (Z + 3 * X[:, :1] for Z in (X, y))
    labels = np.arange(40) % 3
    value = measure.fit(X, y).statistic_
    for by in ("components", "rows", "classes"):
        parts = measure.contributions(X, y, by=by, y_true=labels)
        parts = parts["part"] if by == "rows" else parts
        assert_allclose(parts.to_numpy().sum(), value, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("debias", [None, "rows"])
def test_removing_a_row_moves_the_score_as_predicted(debias):
    X, y = views(5, 4)
    X[7] *= 6
    y[7] *= 4
    measure = CKA(debias=debias).fit(X, y)
    rows = measure.contributions(X, y, by="rows")
    assert rows["part"].idxmax() == 7
    others = np.delete(np.arange(40), 7)
    without = CKA(debias=debias).fit(X[others], y[others]).statistic_
    expected = measure.statistic_ - without
    assert_allclose(rows["influence"][7], expected, rtol=1e-9)
    assert "influence" not in CKA("rbf").contributions(X, y, by="rows")


def test_classes():
    """The class that both set apart carries the value."""
    X, y = np.random.default_rng(0).normal(size=(2, 60, 6))
    labels = np.repeat(["a", "b", "c"], 20)
    X[labels == "c", 0] += 8
    y[labels == "c", 1] += 8
    for measure in (CKA(), CKA("rbf"), CKA(debias="rows")):
        parts = measure.contributions(X, y, by="classes", y_true=labels)
        assert list(parts.columns) == list(parts.index) == ["a", "b", "c"]
        assert_allclose(parts, parts.T)
        assert parts.loc["c", "c"] == parts.to_numpy().max()
    K, L = ((v - v.mean(axis=0)) @ (v - v.mean(axis=0)).T for v in (X, y))
    products = K * L / np.linalg.norm(K) / np.linalg.norm(L)
    expected = products[np.ix_(labels == "a", labels == "c")].sum()
    parts = CKA().contributions(X, y, by="classes", y_true=labels)
    assert_allclose(parts.loc["a", "c"], expected, rtol=1e-9)


def test_bad_arguments(monkeypatch):
    X, y = views(5, 4)
    with pytest.raises(ValueError, match="'components', 'rows' or 'classes'"):
        CKA().contributions(X, y, by="columns")
    with pytest.raises(ValueError, match="needs y_true.*40 rows; got none"):
        CKA().contributions(X, y, by="classes")
    monkeypatch.setattr("sksim.rsm._kernels.MATRIX_ROWS", 10)
    with pytest.raises(ValueError, match="40 rows are too many"):
        CKA("rbf").contributions(X, y)
    assert len(CKA("rbf").contributions(X, y, by="rows")) == 40
