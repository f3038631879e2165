"""Parts of the overlap of two representations after a rotation."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sksim.alignment import (
    AlignedCosine,
    AngularShapeMetric,
    OrthogonalProcrustes,
    PartialWhiteningShapeMetric,
    PermutationProcrustes,
    SoftMatching,
)

MEASURES = [
    OrthogonalProcrustes(),
    OrthogonalProcrustes(center=False),
    OrthogonalProcrustes(scale=False),
    AngularShapeMetric(),
]


def views(*widths, n=40):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, widths[0])) + 1
    y = np.tanh(X @ rng.normal(size=widths)) + 0.5 * rng.normal(size=(n, widths[1]))
    return X, y


def overlap(measure, X, y):
    """Nuclear norm of the cross-product, over the norms if these are scaled."""
    if measure.center:
        X, y = X - X.mean(axis=0), y - y.mean(axis=0)
    overlap = np.linalg.norm(X.T @ y, "nuc")
    return (
        overlap / (np.linalg.norm(X) * np.linalg.norm(y)) if measure.scale else overlap
    )


@pytest.mark.parametrize("widths", [(5, 4), (4, 60), (60, 50)])
@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_parts_add_up(measure, widths):
    X, y = views(*widths)
    whole = overlap(measure, X, y)
    labels = np.arange(40) % 3
    for by in ("components", "rows", "classes"):
        parts = measure.contributions(X, y, by=by, y_true=labels, with_influence=False)
        parts = parts if by == "components" else parts["part"]
        assert_allclose(parts.to_numpy().sum(), whole, rtol=1e-12)
    rows = measure.contributions(X, y, by="rows")
    if measure.scale and not isinstance(measure, AngularShapeMetric):
        squared = measure.fit(X, y).distance_ ** 2
        assert_allclose(rows["residual"].sum(), squared, rtol=1e-12)
        assert_allclose(1 - squared / 2, whole, rtol=1e-12)


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_removing_a_row_moves_the_distance_as_predicted(measure):
    X, y = views(5, 4)
    X[7] *= 6
    y[7] = -y[7]
    rows = measure.contributions(X, y, by="rows")
    assert rows["residual"].idxmax() == 7
    others = np.delete(np.arange(40), 7)
    whole, without = (measure.fit(X[i], y[i]).statistic_ for i in (slice(None), others))
    assert_allclose(rows["influence"][7], whole - without, rtol=1e-12)


def test_by_hand():
    """Two orthogonal columns, of which y has the first turned and the second halved."""
    X = np.array([[2.0, 0], [-2, 0], [0, 1], [0, -1]])
    y = X @ [[0, -1], [0.5, 0]]
    measure = OrthogonalProcrustes(scale=False)
    parts = measure.contributions(X, y)
    # variances 8 and 2 of X, 8 and 1/2 of y
    assert_allclose(parts, [[8, 0], [0, 1]], atol=1e-12)
    rows = measure.contributions(X, y, by="rows", with_influence=False)
    assert_allclose(rows["part"], [4, 4, 0.5, 0.5])
    assert_allclose(rows["residual"], [0, 0, 0.25, 0.25], atol=1e-12)
    assert list(rows.columns) == ["part", "residual"]
    classes = measure.contributions(X, y, by="classes", y_true=[1, 1, 1, 0])
    assert_allclose(classes["part"], [0.5, 8.5])


def test_components_that_share_nothing_have_no_part():
    """Their place in the map is one of many."""
    x = np.linalg.qr(np.random.default_rng(0).normal(size=(20, 5)))[0]
    x = np.linalg.qr(x - x.mean(axis=0))[0]
    X, y = x[:, [0, 1, 2]] * [3, 2, 1], x[:, [0, 3, 4]] * [3, 2, 1]
    parts = OrthogonalProcrustes().contributions(X, y).to_numpy()
    expected = np.zeros((3, 3))
    expected[0, 0] = 9 / 14
    assert_allclose(parts, expected, atol=1e-12)


def test_measures_that_have_no_such_parts():
    X, y = views(5, 5)
    with pytest.raises(ValueError, match="no parts with debias='rows'.*debias=None"):
        OrthogonalProcrustes(debias="rows").contributions(X, y)
    for measure in (
        AlignedCosine(),
        PartialWhiteningShapeMetric(),
        PermutationProcrustes(),
        SoftMatching(),
    ):
        assert not hasattr(measure, "contributions")
