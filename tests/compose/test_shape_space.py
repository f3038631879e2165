"""Procrustes means of many models, and their tangent coordinates."""

import itertools

import numpy as np
import pytest
from _reference import newer_cases
from numpy.testing import assert_allclose
from sklearn.cluster import KMeans

from sksim.alignment import OrthogonalProcrustes
from sksim.compose import ShapeSpace


@pytest.mark.parametrize("case, arrays, values", list(newer_cases("procrustes_mean")))
def test_values(case, arrays, values):
    space = ShapeSpace().fit(arrays["X"])
    found = space.mean_squared_distance_
    assert_allclose(found, values["mean_squared_distance"], rtol=1e-6, atol=1e-12)
    distances = values["distances_to_mean"]
    assert_allclose(space.distances_, distances, rtol=1e-6, atol=1e-6)
    gram = space.mean_ @ space.mean_.T
    assert_allclose(gram, values["gram_of_mean"], rtol=1e-5, atol=1e-6)
    # the best member as a mean, and never worse
    assert found <= values["frechet_variance_of_best_member"] + 1e-12
    if case not in ("rotated_copies", "two_models"):  # all members are as good there
        assert space.medoid_ == values["medoid"]


def models(n=6, width=3, noise=0.2, seed=0):
    rng = np.random.default_rng(seed)
    shapes = rng.normal(size=(2, 25, width)) * 2
    groups = np.arange(n) % 2
    rotations = [np.linalg.qr(rng.normal(size=(width, width)))[0] for _ in range(n)]
    rows = [shapes[g] @ Q + 5 for g, Q in zip(groups, rotations, strict=True)]
    return [r + noise * rng.normal(size=r.shape) for r in rows], groups


@pytest.mark.parametrize("scale", [False, True])
def test_distances_are_those_of_procrustes(scale):
    Xs, _ = models()
    space = ShapeSpace(scale=scale).fit(Xs)
    expected = [
        OrthogonalProcrustes(center=False, scale=False).fit(a, space.mean_).distance_
        for a in space.aligned_
    ]
    assert_allclose(space.distances_, expected, rtol=1e-7)
    for a, X in zip(space.aligned_, Xs, strict=True):
        centred = X - X.mean(axis=0)
        norm = np.linalg.norm(centred) if scale else 1
        assert_allclose(a @ a.T, centred @ centred.T / norm**2, atol=1e-9)


def test_tangent_coordinates():
    Xs, groups = models()
    space = ShapeSpace()
    coordinates = space.fit_transform(Xs)
    assert_allclose(coordinates, space.transform(Xs), atol=1e-9)
    assert_allclose(np.linalg.norm(coordinates, axis=1), space.distances_)
    assert_allclose(coordinates.mean(axis=0), 0, atol=1e-9)
    for i, j in ((0, 1), (0, 2)):
        distance = OrthogonalProcrustes(scale=False).fit(Xs[i], Xs[j]).distance_
        assert np.linalg.norm(coordinates[i] - coordinates[j]) >= distance - 1e-9
    labels = KMeans(2, n_init=3, random_state=0).fit_predict(coordinates)
    assert len(set(zip(labels, groups, strict=True))) == 2


def test_narrow_models_are_filled_up():
    Xs, _ = models()
    narrow = [X[:, :2] for X in Xs[:3]] + Xs[3:]
    filled = [np.hstack([X, np.zeros((25, 1))]) for X in narrow[:3]] + Xs[3:]
    space, same = ShapeSpace().fit(narrow), ShapeSpace().fit(filled)
    assert_allclose(space.mean_squared_distance_, same.mean_squared_distance_)
    assert space.mean_.shape == (25, 3)


def test_refusals():
    Xs, _ = models()
    with pytest.raises(ValueError, match="Representation 1 has 24 rows"):
        ShapeSpace().fit([Xs[0], Xs[1][:24]])
    with pytest.raises(ValueError, match="got none"):
        ShapeSpace().fit([])
    with pytest.raises(ValueError, match="Representation 0 is constant"):
        ShapeSpace(scale=True).fit([np.ones((25, 3)), Xs[1]])
    space = ShapeSpace().fit(Xs)
    with pytest.raises(ValueError, match="mean is of 25 rows"):
        space.transform([Xs[0][:20]])
    with pytest.raises(ValueError, match="has 4 columns"):
        space.transform([np.hstack([Xs[0], Xs[1][:, :1]])])


# ----- clusters -------------------------------------------------------------------


@pytest.mark.parametrize("case, arrays, values", list(newer_cases("shape_kmeans")))
def test_kmeans_of_the_coordinates(case, arrays, values):
    """Against clusters with a Procrustes mean each, of one public alternation."""
    space = ShapeSpace().fit(arrays["X"])
    n_clusters = values["n_clusters"]
    found = KMeans(n_clusters, n_init=10, random_state=0).fit(
        space.transform(arrays["X"])
    )
    members = [np.flatnonzero(found.labels_ == k) for k in range(n_clusters)]
    inertia = sum(
        np.sum(ShapeSpace().fit(arrays["X"][own]).distances_ ** 2) for own in members
    )
    # rotations to one mean, in place of one for each cluster, fit no better
    assert found.inertia_ >= inertia - 1e-9
    if case == "overlapping":
        least = values["smallest_inertia_found_over_all_partitions"]
        assert least - 1e-9 <= inertia <= values["inertia"] + 1e-9
        return
    together = np.equal.outer(found.labels_, found.labels_)
    assert np.array_equal(together, np.equal.outer(values["labels"], values["labels"]))
    assert_allclose(inertia, values["inertia"], rtol=1e-8)


def test_distances_of_all_pairs():
    Xs, _ = models()
    space = ShapeSpace().fit(Xs)
    found = space.pairwise_distances_
    for i, j in itertools.combinations(range(6), 2):
        expected = OrthogonalProcrustes(scale=False).fit(Xs[i], Xs[j]).distance_
        assert_allclose([found[i, j], found[j, i]], expected, rtol=1e-9)
    assert np.all(np.diag(found) == 0)
    assert space.medoid_ == np.argmin(np.sum(found**2, axis=1))


# ----- regression of a property ---------------------------------------------------


def sizes(*factors, seed=0):
    """Models that are multiples of each other, so that distances are differences."""
    rows = np.random.default_rng(seed).normal(size=(12, 3))
    rows = rows - rows.mean(axis=0)
    rows /= np.linalg.norm(rows)
    return ShapeSpace().fit([factor * rows for factor in factors])


def test_regression_by_hand():
    space = sizes(1, 2, 4, 8)
    # distances 1 3 7 2 6 4, differences 1 1 4 0 3 3
    result = space.regress([0, 1, 1, 4])
    x, y = np.array([1, 3, 7, 2, 6, 4]), np.array([1, 1, 4, 0, 3, 3])
    slope, intercept = np.polyfit(x, y, 1)
    assert_allclose([result.slope, result.intercept], [slope, intercept])
    assert_allclose(result.correlation, np.corrcoef(x, y)[0, 1])
    assert_allclose(result.r_squared, result.correlation**2)
    assert result.null == "all orders of models"
    assert result.n_models == 4
    target = np.array([0, 1, 1, 4])
    pairs = np.triu_indices(4, k=1)
    count = 0
    for order in itertools.permutations(range(4)):
        moved = target[list(order)]
        difference = np.abs(moved[:, None] - moved)[pairs]
        count += np.corrcoef(x, difference)[0, 1] >= result.correlation - 1e-12
    assert_allclose(result.pvalue, count / 24)


def test_regression_of_differences_and_the_other_side():
    space = sizes(1, 2, 4, 8)
    target = np.array([0.0, 1, 1, 4])
    differences = np.abs(target[:, None] - target)
    assert space.regress(differences) == space.regress(target)
    # models that are far apart are of one kind
    against = space.regress(differences.max() - differences)
    assert_allclose(against.slope, -space.regress(target).slope)
    assert against.pvalue > 0.9
    assert space.regress(-differences, alternative="two-sided").pvalue < 0.5


def test_exact_test_keeps_its_level():
    """Each order of a property in turn: no level is exceeded, by definition."""
    space = sizes(1, 2, 2.5, 7, 9)
    target = np.array([0.3, 1, 4, 1.7, 9])
    orders = itertools.permutations(target)
    pvalues = np.array([space.regress(order).pvalue for order in orders])
    assert len(pvalues) == 120
    for level in (0.05, 0.2, 0.5):
        assert np.mean(pvalues <= level + 1e-9) <= level + 1e-9
    assert np.mean(pvalues <= 0.2 + 1e-9) > 0.15


def test_random_orders_follow_the_seed():
    space = sizes(*range(1, 10))
    target = np.random.default_rng(1).normal(size=9)
    options = {"n_permutations": 99}
    first = space.regress(target, random_state=0, **options)
    assert first == space.regress(target, random_state=0, **options)
    assert first.null == "random orders of models"
    assert 100 * first.pvalue == pytest.approx(round(100 * first.pvalue))
    other = space.regress(target, random_state=1, **options)
    assert other.pvalue != first.pvalue


def test_regression_refuses():
    space = sizes(1, 2, 4, 8)
    with pytest.raises(ValueError, match="three models or more, and 2 were fitted"):
        sizes(1, 2).regress([0, 1])
    with pytest.raises(ValueError, match=r"each of the 4 models .* shape \(3,\)"):
        space.regress([1, 2, 3])
    with pytest.raises(ValueError, match="target is not symmetric"):
        space.regress(np.arange(16.0).reshape(4, 4))
    with pytest.raises(ValueError, match="target differs by the same for all pairs"):
        space.regress([3, 3, 3, 3])
    with pytest.raises(ValueError, match="target contains NaN"):
        space.regress([1, 2, np.nan, 3])
    Xs, _ = models(n=1)
    Q = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    with pytest.raises(ValueError, match="equally far from each other"):
        ShapeSpace().fit([Xs[0], Xs[0] @ Q, Xs[0] @ Q @ Q]).regress([1, 2, 4])


# ----- places in few dimensions ---------------------------------------------------


def test_embedding_keeps_distances_that_fit_and_tells_stress_of_others():
    space = sizes(1, 2, 4, 8)
    result = space.embed(1)
    places = result.coordinates[:, 0]
    assert_allclose(
        np.abs(places[:, None] - places), space.pairwise_distances_, atol=1e-5
    )
    assert result.stress < 1e-6
    Xs, _ = models(n=7, noise=1)
    space = ShapeSpace().fit(Xs)
    result = space.embed()
    assert result.to_frame().shape == (7, 2)
    pairs = np.triu_indices(7, k=1)
    between = result.coordinates[:, None] - result.coordinates
    found = np.linalg.norm(between, axis=2)[pairs]
    meant = space.pairwise_distances_[pairs]
    stress = np.sqrt(np.sum((found - meant) ** 2) / np.sum(found**2))
    assert 0.05 < result.stress < 0.3
    assert_allclose(result.stress, stress, rtol=1e-6)
    # less of it in more dimensions, and no seed
    assert space.embed(3).stress < result.stress
    assert_allclose(space.embed().coordinates, result.coordinates)


def test_embedding_of_copies_and_refusals():
    Xs, _ = models(n=1)
    same = ShapeSpace().fit([Xs[0], Xs[0], Xs[0]]).embed()
    assert np.all(same.coordinates == 0)
    assert same.stress == 0
    with pytest.raises(ValueError, match="takes more than 2 models, and 2 were"):
        ShapeSpace().fit([Xs[0], Xs[0] * 2]).embed(2)
    # two copies and another: one axis is none at all
    three = ShapeSpace().fit([Xs[0], Xs[0], Xs[0] * 2]).embed(2)
    assert three.stress < 1e-6
