"""What a measure with maps may leave to its mixin."""

from dataclasses import dataclass

import numpy as np
from numpy.testing import assert_allclose

from sksim.base import AlignmentMixin, BaseSimilarity, SimilarityTags, View


@dataclass(frozen=True)
class Moved(View):
    rows: object
    mean: object

    _row_fields = ("rows",)


class Shift(AlignmentMixin, BaseSimilarity):
    """The mean distance after y's mean was given to X; a number, without details."""

    _lands_in_y = True

    def _view(self, X, xp):
        mean = xp.mean(X, axis=0)
        return Moved(X - mean, mean)

    def _compare(self, view_x, view_y, xp):
        return xp.mean(xp.abs(view_x.rows - view_y.rows))

    def _fit_maps(self, view_x, view_y, xp):
        assert view_x.rows is None
        axes = xp.eye(len(view_x.mean))
        return axes, axes, xp.ones(len(view_x.mean))

    def _transform_x(self, X, xp):
        return X - self.x_mean_ + self.y_mean_

    def _transform_y(self, y, xp):
        return y

    @property
    def _n_features_out(self):
        return self.n_features_y_in_

    def _similarity_tags(self):
        return SimilarityTags(
            family="alignment",
            orientation="distance",
            bounds=(0, float("inf")),
            complexity="n d",
            reference="-",
        )


def test_compare_may_return_a_number():
    X = np.random.default_rng(0).normal(size=(20, 3))
    fitted = Shift().fit(X, X + 5)
    assert_allclose(fitted.statistic_, 0, atol=1e-12)
    assert_allclose(fitted.transform(X), X + 5)
    assert fitted.x_rotations_.shape == (3, 3)
