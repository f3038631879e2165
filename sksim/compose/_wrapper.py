"""What the meta-estimators share: a measure that works by another one."""

from dataclasses import replace

from sklearn.base import clone

from sksim._sklearn_compat import HasMethods
from sksim.base import BaseSimilarity
from sksim.base._tags import tags_of


class BaseWrapper(BaseSimilarity):
    """A measure whose views and comparisons are those of ``measure``.

    ``measure_`` is the clone that works; before ``fit`` the parameter itself does.
    """

    _parameter_constraints: dict = {"measure": [HasMethods(["fit", "score", "_view"])]}

    @property
    def _inner(self):
        return getattr(self, "measure_", self.measure)

    def _reset_inner(self):
        self.measure_ = clone(self.measure)

    @property
    def _engine(self):
        return self._inner._engine

    @property
    def _kind(self):
        return self._inner._kind

    @property
    def _views_are_row_wise(self):
        return self._inner._views_are_row_wise

    def _view(self, X, xp, **known):
        return self._inner._view(X, xp, **known)

    def _progress(self):
        return self._inner._progress()

    def _similarity_tags(self):
        """Tags of the inner measure, without invariances, which are not known.

        The wrapper has no ``partial_fit``, even where the inner measure has, no
        gradients, which end at what it does to the rows, and takes no sparse ones.
        """
        return replace(
            tags_of(self.measure),
            invariances=frozenset(),
            invariances_y=frozenset(),
            streaming=False,
            differentiable=False,
            sparse=False,
        )

    def _store_outcome(self):
        """What the inner measure found, as attributes of this one."""
        for name in ("statistic_", "score_", "similarity_", "distance_"):
            if hasattr(self, name):
                delattr(self, name)
            if hasattr(self.measure_, name):
                setattr(self, name, getattr(self.measure_, name))
