"""What measures of streams share: an outcome that waits until it is asked for."""

import warnings
from abc import abstractmethod

from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from sksim.base._tags import tags_of

# set by validation, not by the comparison
_INPUT_ATTRIBUTES = {
    "n_features_in_",
    "feature_names_in_",
    "n_features_y_in_",
    "feature_names_y_in_",
    "n_samples_fit_",
    "n_models_",
    "classes_",
}


def is_streaming(measure):
    """Whether there are ``partial_fit`` and ``merge``; AttributeError says why not."""
    if tags_of(measure).streaming:
        return True
    raise AttributeError(
        f"{measure!r} has no partial_fit and no merge: with these parameters it is no "
        "function of sums over rows, or of counts. Use fit."
    )


class StreamedMixin:
    """Mixin for measures to which rows may come in blocks.

    The comparison waits until its outcome is asked for: a fitted attribute, ``score``
    or ``transform``.
    """

    @abstractmethod
    def _settle(self):
        """Compare what has come, unless that has been done or nothing came."""

    def _forget_outcome(self):
        for name in [name for name in vars(self) if _is_of_outcome(name)]:
            delattr(self, name)

    def _warn_of_fit(self, kept):
        """Say that what ``fit`` has left is no beginning of a stream."""
        if "n_samples_fit_" in vars(self):
            warnings.warn(
                f"{type(self).__name__} was fitted by fit, which keeps no {kept} to "
                "go on from: partial_fit starts anew with these rows. Pass all rows by "
                "partial_fit if they come in blocks.",
                UserWarning,
                stacklevel=4,
            )

    def _score(self, X, y, **metadata):
        check_is_fitted(self)
        self._settle()
        return super()._score(X, y, **metadata)

    def __getattr__(self, name):
        # reached for what is not there: the outcome, where it was not asked for yet
        if _is_of_outcome(name) and "statistic_" not in vars(self):
            try:
                self._settle()
            except ValueError as error:
                # an AttributeError too: a stream without an outcome has no such name
                raise NotFittedError(str(error)) from error
        return object.__getattribute__(self, name)


def _is_of_outcome(name):
    """Whether an attribute comes of the comparison: a fitted one, or the maps."""
    if name == "_maps":
        return True
    is_fitted_attribute = name.endswith("_") and not name.startswith("_")
    return is_fitted_attribute and name not in _INPUT_ATTRIBUTES
