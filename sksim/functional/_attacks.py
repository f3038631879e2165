"""Adversarial examples by gradients: FGSM and PGD, in L-infinity and L2 balls."""

from dataclasses import dataclass

import numpy as np

from sksim.models._gradients import values_and_gradients
from sksim.models._wrapped import wrap_model


@dataclass(frozen=True)
class GradientAttack:
    """Steps along the gradient of the loss, within a ball around each row.

    One step of full length is the fast gradient (sign) method, many are projected
    gradient descent. The loss is minus the log-odds of the class: its gradient has the
    direction of the cross-entropy's, but never vanishes. For a model without
    probabilities it is minus the margin of the class.
    """

    eps: float
    norm: str = "inf"
    n_steps: int = 1
    step_size: float | None = None
    data_range: object = None

    def __call__(self, model, X, y):
        """Rows like X that the model shall no longer take for y."""
        model = wrap_model(model)
        output = _loss_output(model)
        low, high = self.data_range or (-np.inf, np.inf)
        step = self.step_size or self._default_step()
        moved = X
        for i in range(self.n_steps):
            gradients = values_and_gradients(model, moved, y, output)[1]
            if i == 0 and not np.any(gradients):
                raise ValueError(
                    f"{model} has a gradient of zero at every row, so that attack="
                    "'fgsm' and 'pgd' lead nowhere. Use a decision-based attack, "
                    "attack=callable."
                )
            moved = moved - step * _unit(gradients, self.norm)
            moved = X + _project(moved - X, self.eps, self.norm)
            moved = np.clip(moved, low, high)
        return moved

    def _default_step(self):
        # many steps can reach the sphere from anywhere inside, and move along it
        return self.eps * (2.5 / self.n_steps if self.n_steps > 1 else 1)


def _loss_output(model):
    has_probabilities = hasattr(model.model, "predict_proba")
    has_probabilities = has_probabilities or model.is_torch or model.is_adapted
    return "log_odds" if has_probabilities else "margin"


def _unit(gradients, norm):
    """Direction of steepest ascent of length 1; zero where there is none."""
    if norm == "inf":
        return np.sign(gradients)
    return gradients / _row_norms(gradients)


def _project(shift, eps, norm):
    if norm == "inf":
        return np.clip(shift, -eps, eps)
    return shift * np.minimum(1, eps / _row_norms(shift))


def _row_norms(array):
    """Euclidean norms of rows, 1 for a row of zeros, ready to divide by."""
    axes = tuple(range(1, array.ndim))
    largest = np.max(np.abs(array), axis=axes, keepdims=True)
    largest = np.where(largest > 0, largest, 1)
    squares = np.sum((array / largest) ** 2, axis=axes, keepdims=True)
    return largest * np.sqrt(np.where(squares > 0, squares, 1))


def check_data_range(data_range, X):
    """Lowest and highest value of each feature that a perturbed row may have."""
    if data_range is None:
        return None
    if isinstance(data_range, str):
        return X.min(axis=0), X.max(axis=0)
    try:
        low, high = (np.asarray(end, dtype=float) for end in data_range)
        valid = bool(np.all(low < high))
        np.broadcast_shapes(low.shape, high.shape, X.shape[1:])
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise ValueError(
            "data_range must be 'data', None, or a pair (low, high) of numbers or of "
            f"one number for each feature, with low < high; got {data_range!r}."
        )
    if np.any(low > X) or np.any(high < X):
        raise ValueError(
            f"Rows of data lie outside of data_range: they reach from {X.min():.3g} to "
            f"{X.max():.3g}. Widen it, or use 'data'."
        )
    return low, high


def apply_attack(attack, model, X, y):
    """Rows that an attack makes of X, checked: attacks may come from anywhere."""
    if len(X) == 0:
        return X
    perturbed = attack(model.model, X.copy(), y)
    if hasattr(perturbed, "detach"):
        perturbed = perturbed.detach().cpu().numpy()
    perturbed = np.asarray(perturbed, dtype=float)
    if perturbed.shape != X.shape or not np.isfinite(perturbed).all():
        raise ValueError(
            f"attack must return finite rows of the shape {X.shape} of those it is "
            f"given; for {model} it returned "
            + (
                f"the shape {perturbed.shape}."
                if perturbed.shape != X.shape
                else "NaN or infinity."
            )
        )
    return perturbed
