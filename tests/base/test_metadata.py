"""What is known of the rows travels with them."""

import numpy as np
import pytest
from sklearn.base import clone

from sksim.base import BaseSimilarity, SimilarityTags
from sksim.base._tags import ROW_METADATA
from sksim.inference import (
    similarity_interval,
    similarity_matrix_test,
    similarity_test,
)
from sksim.pairwise import similarity_matrix

OF_ROWS = {
    "y_true": np.repeat([0, 1, 2], 8),
    "n_options": np.tile([2, 4, 5], 8),
    "groups": np.repeat(["a", "b", "c", "d"], 6),
    "strata": np.tile([0, 1], 12),
    "runs": np.tile([0, 1, 2], 8),
    "subjects": np.repeat(np.arange(12), 2),
    "repeats": np.tile(np.arange(8), 3),
    "weights": np.linspace(0.5, 2, 24),
    "z": np.linspace(-1, 1, 24)[:, None],
}


class Weighed(BaseSimilarity):
    """The cosine of rows that are scaled by something that is known of them."""

    def __init__(self, by="weights"):
        self.by = by

    def fit(self, X, y=None, **metadata):
        return self._fit(X, y, **metadata)

    def _view(self, X, xp, **known):
        known = known[self.by]
        if known.dtype.kind in "UO":
            known = np.unique(known, return_inverse=True)[1]
        rows = X * (1 + np.reshape(known, (len(X), -1))[:, :1])
        return rows / np.linalg.norm(rows)

    def _compare(self, view_x, view_y, xp):
        return float(np.sum(view_x * view_y))

    def _similarity_tags(self):
        return SimilarityTags(
            family="rsm",
            orientation="similarity",
            bounds=(-1, 1),
            view_keywords=(self.by,),
            requires=(self.by,),
            complexity="n d",
            reference="-",
        )


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(24, 3))
    return X, X + rng.normal(size=(24, 3))


def by_hand(X, y, known, order=None):
    if known.dtype.kind == "U":
        known = np.unique(known, return_inverse=True)[1]
    gain = 1 + np.reshape(known, (24, -1))[:, :1]
    rows_x, rows_y = X * gain, y * gain
    if order is not None:
        rows_y = rows_y[order]
    return np.sum(rows_x * rows_y) / np.linalg.norm(rows_x) / np.linalg.norm(rows_y)


def test_names_are_all_tried():
    assert set(OF_ROWS) == set(ROW_METADATA)


@pytest.mark.parametrize("name", ROW_METADATA)
def test_metadata_go_with_the_view_of_their_side(pair, name):
    known = OF_ROWS[name]
    measure = Weighed(name)
    assert measure.fit(*pair, **{name: known}).score_ == pytest.approx(
        by_hand(*pair, known)
    )
    result = similarity_test(
        measure, *pair, metadata={name: known}, n_permutations=5, random_state=0
    )
    comparison = clone(measure)._open(*pair, **{name: known})
    orders = [np.random.default_rng(i).permutation(24) for i in range(3)]
    for value, order in zip(comparison.permuted(orders), orders, strict=True):
        assert value == pytest.approx(by_hand(*pair, known, order))
    assert result.score == pytest.approx(by_hand(*pair, known))
    assert np.ptp(result.null_distribution) > 0


@pytest.mark.parametrize("name", ROW_METADATA)
def test_metadata_are_cut_with_the_rows(pair, name):
    known = OF_ROWS[name]
    measure = Weighed(name)
    result = similarity_interval(measure, *pair, metadata={name: known})
    rest = np.delete(np.arange(24), 7)
    refit = measure.fit(*(rows[rest] for rows in pair), **{name: known[rest]}).score_
    if name not in ("groups",):  # codes of text follow the labels that are left
        assert result.replicates[7] == pytest.approx(refit)


@pytest.mark.parametrize("name", ROW_METADATA)
def test_metadata_reach_every_layer(pair, name):
    known = {name: OF_ROWS[name]}
    layers = dict(zip("ab", pair, strict=True))
    matrix = similarity_matrix(Weighed(name), layers, metadata=known)
    assert matrix.loc["a", "b"] == pytest.approx(by_hand(*pair, OF_ROWS[name]))
    result = similarity_matrix_test(
        Weighed(name), layers, metadata=known, n_permutations=5, random_state=0
    )
    assert result.scores[0, 1] == pytest.approx(matrix.loc["a", "b"])


@pytest.mark.parametrize("name", ROW_METADATA)
def test_missing_and_short_metadata_are_refused(pair, name):
    with pytest.raises(ValueError, match=f"{name}=..." if name != "z" else "needs z"):
        Weighed(name).fit(*pair)
    with pytest.raises(ValueError, match="23"):
        Weighed(name).fit(*pair, **{name: OF_ROWS[name][:23]})


def test_bad_metadata_are_refused(pair):
    with pytest.raises(ValueError, match="not below 0"):
        Weighed().fit(*pair, weights=-OF_ROWS["weights"])
    with pytest.raises(ValueError, match="metadata knows y_true, n_options, z"):
        similarity_test(Weighed(), *pair, metadata={"weight": OF_ROWS["weights"]})


def test_what_a_measure_does_not_name_is_dropped(pair):
    known = {name: values for name, values in OF_ROWS.items() if name != "weights"}
    measure = Weighed().fit(*pair, weights=OF_ROWS["weights"], **known)
    assert measure.score_ == pytest.approx(by_hand(*pair, OF_ROWS["weights"]))
