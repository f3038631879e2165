"""Distances and directions to the decision boundaries of two models."""

from dataclasses import dataclass

import numpy as np

from sksim._sklearn_compat import StrOptions
from sksim.arrays._views import View
from sksim.base._tags import SimilarityTags
from sksim.functional._attacking import AttackingSimilarity, refuse_regressors
from sksim.functional._attacks import check_data_range


@dataclass(frozen=True)
class Perturbed(View):
    """A model, the rows, and its own perturbed ones."""

    model: object
    rows: np.ndarray
    perturbed: np.ndarray

    _row_fields = ("rows", "perturbed")


class DecisionDistance(AttackingSimilarity):
    r"""Cosine of how far perturbations move two models' decisions, ModelDiff.

    With rows :math:`x_i`, perturbed ones :math:`\tilde x_i` (those of the first model
    and those of the second) and the cosine distance d,

    .. math:: v_i = d\big(f(x_i), f(\tilde x_i)\big), \qquad
        m(f, f') = \frac{\langle v, v' \rangle}{\|v\| \, \|v'\|} .

    A similarity in [0, 1]: 1 where the same perturbations move both models' outputs,
    in proportion. Outputs are only compared within a model, so that the two may have
    other classes: a model and what was made of it for another task. Not seen is which
    way an output moves.

    Parameters
    ----------
    attack : {"fgsm", "pgd"} or callable, default="fgsm"
        What perturbs the rows, see :class:`AdversarialTransferability`. A callable may
        return any perturbed rows, such as noise.
    eps : float, default=0.3
        Radius of the ball around each row. Not used by callables.
    norm : {"inf", "l2"}, default="inf"
        Norm of the ball.
    n_steps : int, default=10
        Steps of "pgd".
    step_size : float, default=None
        Length of a step of "pgd"; None for 2.5 eps / n_steps.
    data_range : "data", tuple (low, high) or None, default=None
        Where perturbed rows are clipped to. Not used by callables.
    output : {"proba", "score"}, default="proba"
        The outputs: probabilities (of a torch module the softmax of its outputs), or
        scores.

    Attributes
    ----------
    statistic_, similarity_ : float
        Cosine of both models' vectors of distances.
    score_ : float
        The same.
    distances_x_, distances_y_ : array of shape (2 * n_samples,)
        The vectors: how far the outputs move, from each row to the one perturbed
        against the first model, and then to the one perturbed against the second.

    Raises
    ------
    ValueError
        If no perturbation moves a model's output at all, or if a model is a regressor.

    See Also
    --------
    AdversarialTransferability : Counts the errors that such rows provoke.

    Notes
    -----
    Rows are perturbed so that a model leaves the class in ``y_true``; without, the one
    that it predicts itself. Pass ``y_true`` only for models with the same classes.

    References
    ----------
    Y. Li, Z. Zhang, B. Liu, Z. Yang, Y. Liu. ModelDiff: testing-based DNN similarity
    comparison for model reuse detection. ISSTA, 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sksim.functional import DecisionDistance
    >>> X, y = load_iris(return_X_y=True)
    >>> three = LogisticRegression(max_iter=1000).fit(X, y)
    >>> two = LogisticRegression(max_iter=1000).fit(X, y == 2)
    >>> round(DecisionDistance().fit(three, two, X).similarity_, 2)
    0.99
    """

    _same_classes = False

    _parameter_constraints: dict = {
        **AttackingSimilarity._parameter_constraints,
        "output": [StrOptions({"proba", "score"})],
    }

    def __init__(
        self,
        attack="fgsm",
        *,
        eps=0.3,
        norm="inf",
        n_steps=10,
        step_size=None,
        data_range=None,
        output="proba",
    ):
        self.attack = attack
        self.eps = eps
        self.norm = norm
        self.n_steps = n_steps
        self.step_size = step_size
        self.data_range = data_range
        self.output = output

    def _view(self, model, xp, *, data, y_true):
        model.check_width(data)
        refuse_regressors(self, model)
        X = data.values
        labels = model.labels(X) if y_true is None else y_true
        data_range = check_data_range(self.data_range, X)
        return Perturbed(model, X, self._perturb(model, X, labels, data_range))

    def _compare(self, view_x, view_y, xp):
        moves = [self._distances(view, view_x, view_y) for view in (view_x, view_y)]
        norms = [np.linalg.norm(v) for v in moves]
        for view, norm in zip((view_x, view_y), norms, strict=True):
            if norm == 0:
                raise ValueError(
                    f"No perturbation moves the output of {view.model}. Use a larger "
                    "eps, or for a piecewise constant model another attack."
                )
        cosine = np.dot(moves[0] / norms[0], moves[1] / norms[1])
        return cosine, {"distances_x_": moves[0], "distances_y_": moves[1]}

    def _distances(self, view, view_x, view_y):
        """How far one model's outputs move, for both models' perturbations."""
        before = _directions(view.model, view.rows, self.output)
        perturbed = (view_x.perturbed, view_y.perturbed)
        moved = [_directions(view.model, rows, self.output) for rows in perturbed]
        return np.concatenate([_cosine_distances(before, after) for after in moved])

    def _similarity_tags(self):
        return SimilarityTags(
            family="functional",
            orientation="similarity",
            bounds=(0, 1),
            inputs="models",
            requires=("models", "data"),
            view_keywords=("data", "y_true"),
            intervals=(),
            array_api=False,
            complexity="n d, and the attacks",
            reference="Li et al. 2021",
        )


def _directions(model, X, output):
    """Outputs as vectors of length 1."""
    outputs = model.outputs(X, output)
    norms = np.linalg.norm(outputs, axis=1, keepdims=True)
    if not np.all(norms > 0):
        raise ValueError(
            f"The scores of {model} are all zero at a row, so that they have no "
            "direction. Use output='proba'."
        )
    return outputs / norms


def _cosine_distances(A, B):
    """1 - cosine of unit rows, as half a squared difference, which doesn't cancel."""
    return np.sum((A - B) ** 2, axis=1) / 2
