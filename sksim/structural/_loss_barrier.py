"""Loss on the way from one network to another."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.metrics import get_scorer, get_scorer_names, log_loss
from sklearn.utils import check_array

from sksim._sklearn_compat import Interval, StrOptions
from sksim.arrays._views import View
from sksim.base import BaseModelSimilarity
from sksim.base._readable import as_values, has_dtype, readable
from sksim.base._tags import SimilarityTags
from sksim.base._validation import check_label_vector
from sksim.models._cutting import TorchTail, classes_of_module
from sksim.models._judge import judge
from sksim.models._networks import MLP
from sksim.models._torch import is_torch_module
from sksim.models._weights import (
    Network,
    read_network,
    read_tensors,
    refuse_other_architecture,
)
from sksim.models._wrapped import Rows, check_rows, wrap_model
from sksim.structural._weight_matching import WeightMatching


@dataclass(frozen=True)
class EndView(View):
    """One end of the way: a network, and the rows and labels it is judged by."""

    model: object
    network: Network
    data: Rows
    y_true: np.ndarray


class _LogLoss:
    """Minus the log loss, for any of a model's classes among the labels."""

    def __call__(self, model, X, y_true):
        probabilities = model.predict_proba(X)
        return -log_loss(y_true, probabilities, labels=model.classes_)

    def __repr__(self):
        return "log loss"


class LossBarrier(BaseModelSimilarity):
    r"""How far the loss rises on the straight way from one network to another.

    The units of the second network are put in the first one's order, its weights
    become :math:`\theta'`, and on the way

    .. math:: \theta(t) = (1 - t) \, \theta + t \, \theta', \qquad 0 \le t \le 1,

    the loss L is compared with the line between those of the ends,

    .. math:: m(f, f') = \max_t \, L(\theta(t)) -
        \left( (1 - t) \, L(\theta) + t \, L(\theta') \right) .

    A distance in [0, inf): 0 for networks that are connected by a straight line. It is
    no metric.

    Parameters
    ----------
    scoring : str or callable, default=None
        The loss is minus this score, of a scorer of scikit-learn or of a callable
        ``scoring(model, data, y_true)`` where greater is better. None for the log loss
        of classifiers and the mean squared error of regressors.
    matching : {"weights", "activations"}, WeightMatching or None, default="weights"
        How units are matched first; None for not at all, which any torch module allows.
    n_points : int, default=11
        Points on the way, with both ends.

    Attributes
    ----------
    statistic_, distance_, barrier_ : float
        The barrier.
    score_ : float
        Minus the barrier.
    points_ : array of shape (n_points,)
        Where the loss is computed: t from 0, the first network, to 1, the matched
        second one.
    curve_ : array of shape (n_points,)
        The loss there.
    barrier_at_ : float
        t of the largest rise.
    midpoint_gap_ : float
        The rise at t = 1/2. May be negative.
    matched_model_ : object
        The second network with its units in the first one's order.
    midpoint_model_ : object
        The network at t = 1/2, the mean of both.

    Raises
    ------
    ValueError
        If the networks can't be matched or are of two architectures, or if the scorer
        does not fit them.

    See Also
    --------
    WeightMatching : Matches the units.
    sksim.plot.LossBarrierDisplay : Draws the way.

    Notes
    -----
    Batch normalisations get new means and variances from ``data`` at each point, the
    ends too: those of a mean network are not the means of both networks'. Networks
    without hidden units need no matching.

    A torch module is a classifier where ``y_true`` holds whole numbers, and its outputs
    are logits. ``scoring`` is given an estimator then, with ``predict``,
    ``predict_proba`` and the module itself in its attribute ``module``. A list of
    weights makes no predictions, so that ``scoring`` must be a callable, which is given
    such a list.

    References
    ----------
    J. Frankle, G. K. Dziugaite, D. M. Roy, M. Carbin. Linear mode connectivity and the
    lottery ticket hypothesis. ICML, 2020.

    R. Entezari, H. Sedghi, O. Saukh, B. Neyshabur. The role of permutation invariance
    in linear mode connectivity of neural networks. ICLR, 2022.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neural_network import MLPClassifier
    >>> from sksim.structural import LossBarrier
    >>> X, y = load_iris(return_X_y=True)
    >>> a, b = (
    ...     MLPClassifier((16,), max_iter=2000, random_state=seed).fit(X, y)
    ...     for seed in (0, 1)
    ... )
    >>> matched = LossBarrier().fit(a, b, X, y)
    >>> as_they_are = LossBarrier(matching=None).fit(a, b, X, y)
    >>> matched.barrier_ < as_they_are.barrier_
    True
    """

    _parameter_constraints: dict = {
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "matching": [
            StrOptions({"weights", "activations"}),
            WeightMatching,
            None,
        ],
        "n_points": [Interval(Integral, 2, None, closed="left")],
    }

    def __init__(self, scoring=None, *, matching="weights", n_points=11):
        self.scoring = scoring
        self.matching = matching
        self.n_points = n_points

    def _check_model(self, model, name):
        read = read_tensors if self.matching is None else read_network
        network = read(model, name)
        is_model = is_torch_module(model) or isinstance(model, MLP)
        if not is_model and not callable(self.scoring):
            raise ValueError(
                f"{name} is a {type(model).__name__} of weights, which makes no "
                "predictions: pass the network itself, or a scoring(model, data, "
                "y_true) that is given such weights."
            )
        return model, network

    def _check_data(self, data, y_true):
        if y_true is None:
            raise ValueError(
                "LossBarrier needs the true labels of the rows: pass y_true=... to fit "
                "and score."
            )
        rows = check_rows(data, self)
        if not has_dtype(y_true):
            y_true = as_values(y_true, "y_true")
        if len(np.shape(y_true)) == 2 and np.shape(y_true)[1] > 1:
            with readable(y_true, "y_true"):
                y_true = check_array(y_true, input_name="y_true", estimator=self)
        else:
            y_true = check_label_vector(y_true, "y_true", self, allow_fractions=True)
        if len(y_true) != len(rows):
            raise ValueError(
                f"y_true has {len(y_true)} labels for {len(rows)} rows of data: it "
                "must hold one label for each row."
            )
        return rows, np.asarray(y_true)

    def _view(self, model, xp, *, data, y_true):
        return EndView(*model, data, y_true)

    def _check_views(self, view_x, view_y):
        refuse_other_architecture(view_x.network, view_y.network)
        both = [getattr(view.model, "classes_", None) for view in (view_x, view_y)]
        if all(c is not None for c in both) and not np.array_equal(*both):
            raise ValueError(
                f"model_x has the classes {both[0].tolist()[:5]} and model_y "
                f"{both[1].tolist()[:5]}: there is a way from one to the other only if "
                "their outputs mean the same."
            )

    def _compare(self, view_x, view_y, xp):
        first, second = view_x.network, view_y.network
        orders = self._orders(view_x, view_y)
        score_of = self._judge_of(view_x)

        def network_at(t):
            return first.with_values(_between(first, second, orders, t))

        def loss_at(t):
            return -score_of(network_at(t))

        points = np.linspace(0, 1, self.n_points)
        curve = np.array([loss_at(t) for t in points])
        line = (1 - points) * curve[0] + points * curve[-1]
        # the ends are on the line, whatever rounding says
        rise = np.r_[0.0, (curve - line)[1:-1], 0.0]
        at = int(np.argmax(rise))
        mean_of_ends = (curve[0] + curve[-1]) / 2
        return rise[at], {
            "barrier_": float(rise[at]),
            "points_": points,
            "curve_": curve,
            "barrier_at_": float(points[at]),
            "midpoint_gap_": float(loss_at(0.5) - mean_of_ends),
            "matched_model_": second.with_values(
                t.moved(orders) for t in second.tensors
            ),
            "midpoint_model_": self._refresh(network_at(0.5), view_x),
        }

    def _orders(self, view_x, view_y):
        """Orders of the second network's units."""
        if not view_x.network.units:
            return []
        matching = self.matching
        if isinstance(matching, str):
            matching = WeightMatching(matching)
        matching = clone(matching)
        data = view_x.data if matching.criterion == "activations" else None
        matching.fit(view_x.network, view_y.network, data)
        return list(matching.assignments_.values())

    def _judge_of(self, view):
        """Function from a network on the way to its score."""
        model, rows, y_true = view.model, view.data.values, view.y_true
        wrapped = None
        if isinstance(model, MLP):
            wrapped = wrap_model(model, "model_x")
            wrapped.check_width(view.data)
            rows = wrapped.prepare(rows)
        classes = None
        if is_torch_module(model):
            classes = classes_of_module(model, rows, y_true)

        def score_of(network):
            if is_torch_module(network):
                network = TorchTail(self._refresh(network, view), classes)
            return judge(
                self._scorer_for(network),
                network,
                rows,
                y_true,
                what=f"a {type(model).__name__} on the way",
                hint="Choose a scoring that fits both networks.",
            )

        return score_of

    def _refresh(self, network, view):
        if not is_torch_module(network):
            return network
        from sksim.models._units import refreshed

        return refreshed(network, view.data.values)

    def _scorer_for(self, model):
        if callable(self.scoring):
            return self.scoring
        if self.scoring is not None:
            return get_scorer(self.scoring)
        return _LogLoss() if is_classifier(model) else get_scorer(_SQUARED_ERROR)

    def _similarity_tags(self):
        seed = getattr(self.matching, "random_state", 0)
        return SimilarityTags(
            family="structural",
            orientation="distance",
            bounds=(0, float("inf")),
            inputs="models",
            requires=("models", "one_architecture", "data", "y_true"),
            view_keywords=("data", "y_true"),
            paired=False,
            intervals=(),
            deterministic=seed is not None,
            array_api=False,
            complexity="k n w for w weights, k points",
            reference="Frankle et al. 2020",
        )


_SQUARED_ERROR = "neg_mean_squared_error"


def _between(first, second, orders, t):
    """Weights on the way from the first network to the matched second one.

    Tensor by tensor, in the order of units each time: all at once they would be a third
    copy in double precision.
    """
    for a, b in zip(first.tensors, second.tensors, strict=True):
        yield (1 - t) * a.values + t * b.moved(orders)
