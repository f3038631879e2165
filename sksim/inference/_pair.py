"""Validated views of a pair, in the form that permutations want."""

import math
from dataclasses import dataclass

from sklearn.base import BaseEstimator, clone

from sksim.inference._result import rounding_of
from sksim.utils._array_api import device_of, is_numpy, move_to
from sksim.utils._validation import check_labels


@dataclass(frozen=True, kw_only=True)
class _Views:
    """Views of one measure, and where their arrays live."""

    measure: object
    xp: object
    device: object
    n_samples: int
    rounding: float

    @property
    def tags(self):
        """Tags of the measure."""
        return self.measure._similarity_tags()

    def statistic(self):
        """Statistic of the views as they stand; refused where it is undefined."""
        value = self.measure._as_number(self._raw_statistic(), self.tags)
        if math.isnan(value):
            raise ValueError(
                f"{type(self.measure).__name__} is undefined (nan) on this input, so "
                "that there is nothing to infer."
            )
        return value

    def index(self, order):
        """Order, or mask, of rows as an array of the views' namespace."""
        if is_numpy(self.xp):
            return order
        return move_to(order, xp=self.xp, device=self.device)


@dataclass(frozen=True, kw_only=True)
class Pair(_Views):
    """Views of two representations, or of two models' outputs."""

    view_x: object
    view_y: object

    @property
    def both(self):
        """Both views."""
        return self.view_x, self.view_y

    def _raw_statistic(self):
        return self.measure._statistic(self.view_x, self.view_y, self.xp)


@dataclass(frozen=True, kw_only=True)
class Group(_Views):
    """Views of many models' outputs."""

    views: list

    def _raw_statistic(self):
        return self.measure._group_statistic(self.views, self.xp)


def check_measure(measure, purpose):
    """Clone of a measure with valid parameters; anything else is refused.

    Parameters
    ----------
    measure : object
    purpose : str
        What the measure is wanted for, for the message.
    """
    if not isinstance(measure, BaseEstimator) or not hasattr(
        measure, "_similarity_tags"
    ):
        hint = " Pass an instance: add brackets." if isinstance(measure, type) else ""
        raise ValueError(
            f"measure must be a similarity measure, such as CKA(), to {purpose}; got "
            f"{measure!r}.{hint}"
        )
    measure = clone(measure)
    measure._validate_params()
    return measure


def refuse_unpaired(measure, purpose="a permutation test"):
    """Raise unless permuting rows means something to the measure."""
    tags = measure._similarity_tags()
    name = type(measure).__name__
    if tags.inputs == "models":
        raise ValueError(
            f"{name} compares models, not rows of two representations, so that "
            f"{purpose} over rows does not apply."
        )
    if not tags.paired:
        raise ValueError(
            f"{name} compares the representations as wholes (paired=False): the order "
            f"of rows does not change it, so that {purpose} would always return p = 1. "
            "Use a measure with paired=True."
        )


def make_pair(measure, X, y, y_true=None):
    """Validate X and y and make their views, once.

    Parameters
    ----------
    measure : BaseSimilarity
        Changed: pass a clone.
    X, y : array-like
    y_true : array-like, default=None

    Returns
    -------
    pair : Pair
    """
    X, y, xp = measure._validate_pair(X, y, reset=True)
    n_samples = X.shape[0]
    y_true = check_labels(measure, y_true, n_samples=n_samples, xp=xp, like=X)
    measure.n_samples_fit_ = n_samples
    view_x, view_y = measure._views(X, y, xp, y_true=y_true)
    measure._check_views(view_x, view_y)
    return Pair(view_x=view_x, view_y=view_y, **_setting(measure, X, xp))


def make_group(measure, X, y=None, y_true=None):
    """Validate many models' outputs and make their views, once.

    Parameters
    ----------
    measure : BaseGroupSimilarity
        Changed: pass a clone.
    X : array-like of shape (n_samples, n_models) or (n_samples, n_models, n_classes)
    y, y_true : array-like, default=None

    Returns
    -------
    group : Group
    """
    models, xp = measure._validate_group(X, y, reset=True)
    first = models[0]
    y_true = check_labels(measure, y_true, n_samples=first.shape[0], xp=xp, like=first)
    views = measure._group_views(models, xp, y_true=y_true)
    return Group(views=views, **_setting(measure, first, xp))


def trace_form(pair):
    """`TraceForm` of a pair's statistic, or None if it has no such form."""
    return pair.measure._trace_form(pair.view_x, pair.view_y, pair.xp)


def _setting(measure, array, xp):
    return {
        "measure": measure,
        "xp": xp,
        "device": device_of(array),
        "n_samples": array.shape[0],
        "rounding": rounding_of(str(array.dtype)),
    }
