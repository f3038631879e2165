"""Validated views of a pair, in the form that permutations want."""

import math
from dataclasses import dataclass

from sklearn.base import BaseEstimator, clone

from sksim.inference._result import rounding_of
from sksim.utils._array_api import device_of, move_to
from sksim.utils._validation import check_labels


@dataclass(frozen=True)
class Pair:
    """Two views of one measure, with what is needed to relabel their rows."""

    measure: object
    view_x: object
    view_y: object
    xp: object
    device: object
    n_samples: int
    rounding: float

    @property
    def tags(self):
        """Tags of the measure."""
        return self.measure._similarity_tags()

    def statistic(self):
        """Statistic of the pair as it stands; refused where it is undefined."""
        value = self.measure._as_number(
            self.measure._statistic(self.view_x, self.view_y, self.xp), self.tags
        )
        if math.isnan(value):
            raise ValueError(
                f"{type(self.measure).__name__} is undefined (nan) for this pair, so "
                "that there is nothing to test."
            )
        return value

    def score(self):
        """The statistic, oriented."""
        return self.tags.orient(self.statistic())

    def index(self, order):
        """Order as an array of the pair's namespace."""
        return move_to(order, xp=self.xp, device=self.device)


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
    return Pair(
        measure, view_x, view_y, xp, device_of(X), n_samples, rounding_of(str(X.dtype))
    )
