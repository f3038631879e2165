"""What the meta-estimators share: a measure that works by another one."""

from dataclasses import replace

from sklearn.base import clone

from sksim.base import BaseSimilarity
from sksim.utils._sklearn_compat import HasMethods


def _delegated(name):
    """Method of this name of the inner measure."""

    def method(self, *args, **kwargs):
        return getattr(self._inner, name)(*args, **kwargs)

    method.__name__ = name
    method.__doc__ = getattr(BaseSimilarity, name).__doc__
    return method


class BaseWrapper(BaseSimilarity):
    """A measure whose views and comparisons are those of ``measure``.

    ``measure_`` is the clone that works; before ``fit`` the parameter itself answers
    questions about tags.
    """

    _parameter_constraints: dict = {"measure": [HasMethods(["fit", "score", "_view"])]}

    @property
    def _inner(self):
        return getattr(self, "measure_", self.measure)

    def _reset_inner(self):
        self.measure_ = clone(self.measure)

    _view = _delegated("_view")
    _make_view = _delegated("_make_view")
    _compare = _delegated("_compare")
    _permute = _delegated("_permute")
    _prepare_permutations = _delegated("_prepare_permutations")
    _compare_permuted = _delegated("_compare_permuted")
    _compare_many = _delegated("_compare_many")
    _prepare_many = _delegated("_prepare_many")
    _compare_many_permuted = _delegated("_compare_many_permuted")
    _check_views = _delegated("_check_views")
    _draw_seed = _delegated("_draw_seed")
    _min_samples = _delegated("_min_samples")
    _exchange = _delegated("_exchange")
    _exact_pvalue = _delegated("_exact_pvalue")
    _trace_form = _delegated("_trace_form")
    _null_mean = _delegated("_null_mean")
    _subset = _delegated("_subset")
    _leave_one_out = _delegated("_leave_one_out")
    _compare_weighted = _delegated("_compare_weighted")
    _progress = _delegated("_progress")

    def _similarity_tags(self):
        """Tags of the inner measure, without invariances, which are not known.

        The wrapper has no ``partial_fit``, even where the inner measure has.
        """
        return replace(
            self._inner._similarity_tags(),
            invariances=frozenset(),
            invariances_y=frozenset(),
            streaming=False,
        )

    def _store_outcome(self):
        """What the inner measure found, as attributes of this one."""
        for name in ("statistic_", "score_", "similarity_", "distance_"):
            if hasattr(self, name):
                delattr(self, name)
            if hasattr(self.measure_, name):
                setattr(self, name, getattr(self.measure_, name))
        self.n_samples_fit_ = self.measure_.n_samples_fit_
