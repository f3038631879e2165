"""Parts of CKA and RSA that add up to them."""

import numpy as np
import pandas as pd
import pytest
from _reference import newer_cases
from numpy.testing import assert_allclose

from sksim.rsm import CKA, RSA

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
SUMS = [
    RSA(metric, comparison)
    for metric in ("sqeuclidean", "correlation", "cosine")
    for comparison in ("pearson", "cosine", "cosine_cov", "corr_cov")
]
LISTS = [
    RSA(),
    RSA("euclidean", "pearson"),
    RSA("euclidean", "corr_cov"),
    RSA("cosine", "rho_a"),
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


@pytest.mark.parametrize("widths", [(5, 4), (60, 4)])
@pytest.mark.parametrize("measure", SUMS + LISTS, ids=repr)
def test_parts_of_correlations_add_up(measure, widths):
    X, y = views(*widths)
    value = measure.fit(X, y).statistic_
    kinds = (
        ("components", "rows", "classes") if measure in SUMS else ("rows", "classes")
    )
    for by in kinds:
        parts = measure.contributions(X, y, by=by, y_true=np.arange(40) % 3)
        parts = parts["part"] if by == "rows" else parts
        assert_allclose(parts.to_numpy().sum(), value, rtol=1e-12, atol=1e-14)


def test_components_of_distances_by_hand():
    """Squared distances along one column of X with those along one of y, as lists."""
    rng = np.random.default_rng(0)
    X, y = (np.linalg.qr(rng.normal(size=(9, 4)))[0] for _ in range(2))
    X, y = (np.linalg.qr(Z - Z.mean(axis=0))[0][:, :3] * [4, 2, 1] for Z in (X, y))
    i, j = np.triu_indices(9, 1)
    D, E = (Z[i] - Z[j] for Z in (X, y))
    D, E = (Z**2 - (Z**2).mean(axis=0) for Z in (D, E))
    norms = np.linalg.norm(D.sum(axis=1)) * np.linalg.norm(E.sum(axis=1))
    parts = RSA("sqeuclidean", "pearson").contributions(X, y)
    assert_allclose(parts, D.T @ E / norms, rtol=1e-10, atol=1e-13)


def test_rows_and_classes_of_a_list_by_hand():
    X, y = views(5, 4)
    i, j = np.triu_indices(40, 1)
    D, E = (np.linalg.norm(Z[i] - Z[j], axis=1) for Z in (X, y))
    D, E = ((Z - Z.mean()) / np.linalg.norm(Z - Z.mean()) for Z in (D, E))
    measure = RSA("euclidean", "pearson")
    parts = measure.contributions(X, y, by="rows")["part"]
    has_row = (i == 3) | (j == 3)
    assert_allclose(parts[3], (D * E)[has_row].sum() / 2)
    labels = np.arange(40) % 2
    parts = measure.contributions(X, y, by="classes", y_true=labels)
    assert_allclose(parts.loc[0, 0], (D * E)[(labels[i] == 0) & (labels[j] == 0)].sum())
    mixed = (D * E)[labels[i] != labels[j]].sum()
    assert_allclose(parts.loc[0, 1] + parts.loc[1, 0], mixed)


def test_pairs_that_do_not_count_have_no_part():
    X, y = views(5, 4)
    counted = np.ones((40, 40), dtype=bool)
    counted[:20, 30:] = counted[30:, :20] = False
    measure = RSA("euclidean", "spearman", pairs=counted)
    labels = np.repeat([0, 1, 2, 3], 10)
    parts = measure.contributions(X, y, by="classes", y_true=labels)
    assert parts.loc[0, 3] == parts.loc[3, 1] == 0
    value = measure.fit(X, y).statistic_
    assert_allclose(parts.to_numpy().sum(), value, rtol=1e-12)


@pytest.mark.parametrize(
    "measure",
    [
        CKA(),
        CKA(debias="rows"),
        CKA("rbf"),
        RSA("sqeuclidean", "pearson"),
        RSA("euclidean", "spearman"),
        RSA("cosine", "corr_cov"),
    ],
    ids=repr,
)
def test_removing_a_row_moves_the_score_as_predicted(measure):
    X, y = views(5, 4)
    X[7] *= 6
    y[7] *= 4
    rows = measure.contributions(X, y, by="rows")
    if measure.get_params().get("kernel") == "linear":
        assert rows["part"].idxmax() == 7
    others = np.delete(np.arange(40), 7)
    whole, without = (measure.fit(X[i], y[i]).statistic_ for i in (slice(None), others))
    assert_allclose(rows["influence"][7], whole - without, rtol=1e-9)


def test_no_influence_is_computed_where_it_is_not_wanted(monkeypatch):
    X, y = views(5, 4)
    monkeypatch.setattr(CKA("rbf")._kind, "of_rows", None)
    rows = CKA("rbf").contributions(X, y, by="rows", with_influence=False)
    assert list(rows.columns) == ["part"]


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


@pytest.mark.parametrize(
    "measure, by, match",
    [
        (RSA("euclidean", "pearson"), "components", "metric='euclidean'"),
        (RSA("sqeuclidean"), "components", "comparison='spearman'"),
        (RSA(comparison="tau_a"), "rows", "not for Kendall's tau"),
        (
            RSA("sqeuclidean", "cosine_cov", sigma_k=np.ones(40)),
            "classes",
            "cosine_cov', sigma_k. Take",
        ),
        (
            RSA("sqeuclidean", "cosine_cov", pairs=np.ones(780, dtype=bool)),
            "rows",
            "pairs are left out",
        ),
    ],
    ids=["metric", "ranks", "tau", "noise", "pairs"],
)
def test_correlations_without_parts(measure, by, match):
    X, y = views(5, 4)
    with pytest.raises(ValueError, match=match):
        measure.contributions(X, y, by=by, y_true=np.arange(40) % 2)


def test_too_many_rows_for_a_matrix_of_pairs(monkeypatch):
    X, y = views(5, 4)
    monkeypatch.setattr("sksim.rsm._contributions.MATRIX_ROWS", 10)
    measure = RSA("sqeuclidean", "pearson")
    with pytest.raises(ValueError, match=r"40 rows are too many.*by='components'"):
        measure.contributions(X, y, by="rows")
    assert measure.contributions(X, y).shape == (5, 4)


def test_rows_go_by_their_names():
    X, y = np.random.default_rng(0).normal(size=(2, 12, 3))
    names = [f"picture {i}" for i in range(12)]
    named = pd.DataFrame(X, index=names)
    parts = CKA().contributions(named, y, by="rows")
    assert list(parts.index) == names
    np.testing.assert_array_equal(parts, CKA().contributions(X, y, by="rows"))
    with pytest.raises(ValueError, match="the same names, in another order"):
        CKA().contributions(named, pd.DataFrame(y, index=names[::-1]), by="rows")
