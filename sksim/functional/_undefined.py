"""Quotients of zero by zero, handled as scikit-learn's ``cohen_kappa_score`` does."""

import math
import warnings
from numbers import Real

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning

from sksim._sklearn_compat import Interval


def replacement_constraint(low, high):
    """Constraint of the parameter ``replace_undefined_by``; ``high`` may be None."""
    closed = "left" if high is None else "both"
    return [Interval(Real, low, high, closed=closed), np.nan]


class UndefinedMixin:
    """Mixin for measures that are undefined on some inputs.

    Their kernels return nan there. ``fit`` and ``score`` warn, and put the parameter
    ``replace_undefined_by`` in its place; comparisons inside a permutation test put it
    there without a warning each. A measure says by ``_undefined_when`` what happened.
    """

    _undefined_when = ""

    def _value_of(self, outcome):
        statistic = super()._value_of(outcome)
        return self.replace_undefined_by if math.isnan(statistic) else statistic

    def _as_number(self, statistic, tags):
        if not math.isnan(statistic):
            return super()._as_number(statistic, tags)
        self._warn_undefined(
            f"{self._undefined_when}. {type(self).__name__} is undefined and set to "
            "the value defined by the `replace_undefined_by` param, which is set to "
            f"{self.replace_undefined_by}."
        )
        return float(self.replace_undefined_by)

    def _warn_undefined(self, message):
        warnings.warn(message, UndefinedMetricWarning, stacklevel=2)
