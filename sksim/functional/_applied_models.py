"""What measures share that apply two models to the same rows."""

import numpy as np

from sksim.base import BaseModelSimilarity
from sksim.base._validation import check_label_vector
from sksim.models._wrapped import check_rows, wrap_model


class AppliedModelsSimilarity(BaseModelSimilarity):
    """A measure of two models that are applied to the same rows."""

    # whether labels of one model mean the same to the other
    _same_classes = True

    def _check_model(self, model, name):
        return wrap_model(model, name)

    def _validate_pair(self, X, y, *, reset):
        model_x, model_y, xp = super()._validate_pair(X, y, reset=reset)
        if model_y is None:
            return model_x, None, xp
        widths = model_x.n_features, model_y.n_features
        if None not in widths and widths[0] != widths[1]:
            raise ValueError(
                f"{model_x} takes {widths[0]} features and {model_y} takes "
                f"{widths[1]}: both must take the same rows. Put what selects or "
                "transforms its features in front of a model with make_pipeline."
            )
        if self._same_classes:
            self._check_classes(model_x, model_y)
        return model_x, model_y, xp

    def _check_classes(self, model_x, model_y):
        classes = model_x.classes, model_y.classes
        if all(c is not None for c in classes):
            same_kind = len({c.dtype.kind in "UO" for c in classes}) == 1
            if not same_kind or not np.isin(*classes).any():
                raise ValueError(
                    f"{model_x} and {model_y} have no class in common: "
                    f"{classes[0].tolist()[:5]} and {classes[1].tolist()[:5]}. Encode "
                    "the labels alike, or use DecisionDistance, which compares models "
                    "across label spaces."
                )

    def _check_data(self, data, y_true):
        if y_true is None and "y_true" in self._similarity_tags().requires:
            raise ValueError(
                f"{type(self).__name__} needs the true labels of the rows: pass "
                f"y_true=... to fit and score.{self._without_labels()}"
            )
        rows = check_rows(data, self)
        if y_true is None:
            return rows, None
        y_true = self._check_truth(y_true)
        if len(y_true) != len(rows):
            raise ValueError(
                f"y_true has {len(y_true)} labels for {len(rows)} rows of data: it "
                "must hold one label for each row."
            )
        return rows, y_true

    def _check_truth(self, y_true):
        return np.asarray(check_label_vector(y_true, "y_true", self))

    def _without_labels(self):
        """What to do instead, where the measure also works without labels."""
        return ""
