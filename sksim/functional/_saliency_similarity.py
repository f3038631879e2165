"""Whether two models look at the same features."""

from dataclasses import dataclass

import numpy as np

from sksim._sklearn_compat import StrOptions
from sksim.arrays._views import View
from sksim.base._tags import SimilarityTags
from sksim.functional._applied_models import AppliedModelsSimilarity
from sksim.models._gradients import values_and_gradients


@dataclass(frozen=True)
class Saliency(View):
    """Gradients of unit length, row by row, and the rows where there is none."""

    directions: np.ndarray
    is_zero: np.ndarray

    _row_fields = ("directions", "is_zero")


class SaliencySimilarity(AppliedModelsSimilarity):
    r"""Mean cosine of two models' input gradients, their saliency maps.

    With the gradients :math:`g_i, g_i'` of both models' outputs for one class at row i,

    .. math:: m(f, f') = \frac{1}{N} \sum_i
        \frac{\langle |g_i|, |g_i'| \rangle}{\|g_i\| \, \|g_i'\|} ,

    or without the absolute values (``absolute=False``). A similarity in [0, 1], or in
    [-1, 1]: 1 where both models react to the same features in the same proportions.
    It does not see how strong a reaction is, and with absolute values not its sign.

    Parameters
    ----------
    absolute : bool, default=True
        Whether to compare magnitudes only: which features matter, not whether they
        speak for or against the class. Two unrelated models then score well above 0,
        near 2/pi for many features.
    output : {"score", "proba"}, default="score"
        Which output of a class is differentiated, see
        :func:`sksim.models.input_gradients`. For two classes both give the same
        cosines.
    target : {"true", "predicted"}, default="true"
        Whether the class is the true one of each row, the same for both models, or the
        one that each model predicts.

    Attributes
    ----------
    statistic_, similarity_ : float
        Mean cosine.
    score_ : float
        The same.
    row_values_ : array of shape (n_samples,)
        Cosine at each row; nan at the rows that are left out.
    n_zero_gradients_ : int
        Number of rows that are left out, since a model's gradient is zero there.

    Raises
    ------
    ValueError
        If a model is piecewise constant (trees, nearest neighbours), if a class is
        unknown to a model, or if no row has two gradients.

    See Also
    --------
    sksim.models.input_gradients : The gradients themselves.
    AdversarialTransferability : Compares models by where their errors can be provoked.

    Notes
    -----
    Which form the source takes is not certain: the cosine of absolute gradients, row by
    row, is this library's reading of it.

    Gradients of zero occur where a probability is saturated or all units of a network
    are off. Rows with one have no direction; they are left out and counted.

    Regressors are compared by the gradients of their predictions; they need no labels,
    with ``target="predicted"``.

    Saliency depends on the units of the features: compare models on scaled data, with
    the scaling outside of the models, where features are not of one kind.

    References
    ----------
    H. T. Jones, J. M. Springer, G. T. Kenyon, J. S. Moore. If you've trained one you've
    trained them all: inter-architecture similarity increases with robustness. UAI,
    2022.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.svm import SVC
    >>> from sksim.functional import SaliencySimilarity
    >>> X, y = load_iris(return_X_y=True)
    >>> linear = LogisticRegression(max_iter=1000).fit(X, y)
    >>> kernel = SVC().fit(X, y)
    >>> round(SaliencySimilarity().fit(linear, kernel, X, y).similarity_, 2)
    0.91
    """

    _parameter_constraints: dict = {
        "absolute": ["boolean"],
        "output": [StrOptions({"score", "proba"})],
        "target": [StrOptions({"true", "predicted"})],
    }

    def __init__(self, *, absolute=True, output="score", target="true"):
        self.absolute = absolute
        self.output = output
        self.target = target

    def _view(self, model, xp, *, data, y_true):
        model.check_width(data)
        if not model.is_classifier:
            y_true = None
        elif self.target == "predicted":
            y_true = model.labels(data.values)
        output = self.output if model.is_classifier else "score"
        gradients = values_and_gradients(model, data, y_true, output)[1]
        gradients = gradients.reshape(len(data), -1)
        # divide by the largest entry first: squares of tiny gradients underflow
        largest = np.max(np.abs(gradients), axis=1, keepdims=True)
        is_zero = largest[:, 0] == 0
        directions = gradients / np.where(largest > 0, largest, 1)
        norms = np.linalg.norm(directions, axis=1, keepdims=True)
        directions = directions / np.where(norms > 0, norms, 1)
        return Saliency(np.abs(directions) if self.absolute else directions, is_zero)

    def _compare(self, view_x, view_y, xp):
        left_out = view_x.is_zero | view_y.is_zero
        if left_out.all():
            raise ValueError(
                "At every row one of the two models has a gradient of zero, so that "
                "nothing can be compared. For output='proba' use output='score': "
                "saturated probabilities have no gradient. A model that is constant "
                "around all rows can be compared by a decision-based attack "
                "(AdversarialTransferability), or by its labels."
            )
        cosines = np.einsum("ij,ij->i", view_x.directions, view_y.directions)
        cosines[left_out] = np.nan
        return cosines[~left_out].mean(), {
            "row_values_": cosines,
            "n_zero_gradients_": int(left_out.sum()),
        }

    def _without_labels(self):
        return " Or use target='predicted', which needs none."

    def _similarity_tags(self):
        needs_labels = self.target == "true"
        return SimilarityTags(
            family="functional",
            orientation="similarity",
            bounds=(0 if self.absolute else -1, 1),
            inputs="models",
            requires=("models", "data") + (("y_true",) if needs_labels else ()),
            view_keywords=("data", "y_true"),
            intervals=(),
            array_api=False,
            complexity="n d, and the gradients",
            reference="Jones et al. 2022",
        )
