"""Whether one model's adversarial examples fool the other."""

import math
from dataclasses import dataclass
from numbers import Real

import numpy as np

from sksim._sklearn_compat import Interval
from sksim.arrays._views import View
from sksim.base._tags import SimilarityTags
from sksim.functional._attacking import AttackingSimilarity, refuse_regressors
from sksim.functional._attacks import check_data_range


@dataclass(frozen=True)
class Attacked(View):
    """A model, the rows it gets right, and its adversarial examples of those."""

    model: object
    labels: np.ndarray
    is_right: np.ndarray
    examples: np.ndarray

    _row_fields = ("labels", "is_right", "examples")


class AdversarialTransferability(AttackingSimilarity):
    r"""How often the examples that fool one model fool the other, SAT.

    Let :math:`X_{ab}` be the rows that both models get right, and x_a, x_b the
    adversarial examples made of row x against f and against f'. With the share of
    crossing errors in percent,

    .. math:: m(f, f') = \log \max \Big\{ \varepsilon_s,\;
        \frac{100}{2 |X_{ab}|} \sum_{x \in X_{ab}}
        1[f(x_b) \ne y] + 1[f'(x_a) \ne y] \Big\} .

    A similarity in [log(floor), log 100] = [-4.605, 4.605]; the lower end means that
    nothing transfers. A model compared with itself gets log 100 only where every attack
    on it succeeds. Depends on the attack and on ``eps``, so that only numbers from one
    setting are comparable; large where both models are simply fragile.

    Parameters
    ----------
    attack : {"fgsm", "pgd"} or callable, default="fgsm"
        One step along the sign of the loss gradient, or ``n_steps`` projected steps
        (without a random start, so that the result is reproducible). A callable gets
        ``(model, X, y)``, rows that the model gets right and their labels, and
        returns perturbed rows: any attack of another library, and for trees and
        nearest neighbours, which have no gradient, a decision-based one.
    eps : float, default=0.3
        Radius of the ball around each row, in units of the data. Not used by callables.
    norm : {"inf", "l2"}, default="inf"
        Norm of the ball. With "l2" the steps follow the gradient itself.
    n_steps : int, default=10
        Steps of "pgd".
    step_size : float, default=None
        Length of a step of "pgd"; None for 2.5 eps / n_steps.
    data_range : "data", tuple (low, high) or None, default=None
        Where perturbed rows are clipped to: the range of each feature in ``data``, or
        given numbers, or one for each feature. Not used by callables.
    floor : float, default=0.01
        :math:`\varepsilon_s`, the least percentage of crossing errors, which keeps the
        logarithm finite.

    Attributes
    ----------
    statistic_, similarity_ : float
        Logarithm of the percentage of crossing errors.
    score_ : float
        The same.
    transfer_rate_x_, transfer_rate_y_ : float
        Share of errors of the first model on examples made against the second, and of
        the second on examples made against the first.
    success_rate_x_, success_rate_y_ : float
        Share of errors of each model on examples made against itself.
    n_both_right_ : int
        Number of rows in :math:`X_{ab}`.

    Raises
    ------
    ValueError
        If no row is right for both models, if a model has no useful gradient and
        ``attack`` is no callable, or if a callable returns other rows than it should.

    See Also
    --------
    DecisionDistance : Compares how far such examples move both models' outputs.
    SaliencySimilarity : Compares the gradients that the attacks follow.

    Notes
    -----
    The source attacks by projected gradient descent: ``attack="pgd"``, with the radius
    and the number of steps that suit the data.

    Only rows that both models get right count, and each model is only attacked on rows
    that it gets right itself. The attacks follow the gradient of the cross-entropy in
    the form of the log-odds of the class, which has the same direction and does not
    vanish where a model is certain. Models without probabilities, such as
    ``LinearSVC``, are attacked by their margin.

    References
    ----------
    J. Hwang, D. Han, B. Heo, S. Park, S. Chun, J.-S. Lee. Similarity of neural
    architectures using adversarial attack transferability. ECCV, 2024,
    arXiv:2210.11407.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.svm import SVC
    >>> from sksim.functional import AdversarialTransferability
    >>> X, y = load_iris(return_X_y=True)
    >>> linear = LogisticRegression(max_iter=1000).fit(X, y)
    >>> kernel = SVC().fit(X, y)
    >>> measure = AdversarialTransferability(eps=0.5).fit(linear, kernel, X, y)
    >>> round(measure.similarity_, 2)
    3.64
    >>> round(measure.transfer_rate_y_, 2), round(measure.success_rate_y_, 2)
    (0.37, 0.37)
    """

    _parameter_constraints: dict = {
        **AttackingSimilarity._parameter_constraints,
        "floor": [Interval(Real, 0, 100, closed="neither")],
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
        floor=0.01,
    ):
        self.attack = attack
        self.eps = eps
        self.norm = norm
        self.n_steps = n_steps
        self.step_size = step_size
        self.data_range = data_range
        self.floor = floor

    def _view(self, model, xp, *, data, y_true):
        model.check_width(data)
        refuse_regressors(self, model)
        X = data.values
        data_range = check_data_range(self.data_range, X)
        is_right = model.labels(X) == y_true
        examples = X.copy()
        examples[is_right] = self._perturb(
            model, X[is_right], y_true[is_right], data_range
        )
        return Attacked(model, y_true, is_right, examples)

    def _compare(self, view_x, view_y, xp):
        both = view_x.is_right & view_y.is_right
        n_both = int(both.sum())
        if n_both == 0:
            right = [int(view.is_right.sum()) for view in (view_x, view_y)]
            raise ValueError(
                f"No row of data is right for both models ({right[0]} and {right[1]} "
                f"of {len(both)} rows are right for each), so that transferability is "
                "undefined. Check that y_true uses the models' labels, or pass more "
                "rows."
            )
        labels = view_x.labels[both]

        def error_rate(view, examples):
            return float(np.mean(view.model.labels(examples[both]) != labels))

        transfer_x = error_rate(view_x, view_y.examples)
        transfer_y = error_rate(view_y, view_x.examples)
        percentage = max(self.floor, 100 * (transfer_x + transfer_y) / 2)
        return math.log(percentage), {
            "transfer_rate_x_": transfer_x,
            "transfer_rate_y_": transfer_y,
            "success_rate_x_": error_rate(view_x, view_x.examples),
            "success_rate_y_": error_rate(view_y, view_y.examples),
            "n_both_right_": n_both,
        }

    def _similarity_tags(self):
        return SimilarityTags(
            family="functional",
            orientation="similarity",
            bounds=(math.log(self.floor), math.log(100)),
            identity=False,
            inputs="models",
            requires=("models", "data", "y_true"),
            view_keywords=("data", "y_true"),
            intervals=(),
            array_api=False,
            complexity="n d, and the attacks",
            reference="Hwang et al. 2022",
        )
