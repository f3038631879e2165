"""Distance of two networks' weights, once their units stand in one order."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np

from sksim._sklearn_compat import Interval, StrOptions
from sksim.arrays._matching import best_assignment
from sksim.arrays._slices import slices
from sksim.arrays._views import View
from sksim.base import BaseModelSimilarity
from sksim.base._tags import SimilarityTags
from sksim.models._weights import (
    Network,
    read_network,
    refuse_no_hidden_units,
    refuse_other_architecture,
)
from sksim.models._wrapped import check_rows
from sksim.structural._unit_orders import UnitOrders

# rows whose activations are held at once
_BATCH = 1024


@dataclass(frozen=True)
class NetworkView(View):
    """A network, the rows its units are watched on, and the seed of the search."""

    network: Network
    seed: int
    rows: np.ndarray | None


class WeightMatching(BaseModelSimilarity):
    r"""Distance of two networks' weights after their units are matched.

    Hidden units of a network may change places without changing what it computes.
    Permutations :math:`P_l` of the second network's units, one for each hidden layer,
    are sought that make its weights and biases :math:`\theta'` the nearest to
    :math:`\theta`, and

    .. math:: m(f, f') = \min_P \lVert \theta - P \theta' \rVert .

    A distance in [0, inf). Invariant to permutations of hidden units, as far as the
    search finds them: for one hidden layer it is exact.

    Parameters
    ----------
    criterion : {"weights", "activations"}, default="weights"
        What is matched: the weights themselves, or what the units say to the rows of
        ``data``, by the sum of products of their activations.
    n_init : int, default=3
        Starts of the search, of which the best counts: the units as they are; matched
        layer by layer from the input on; from the output back; then sweeps in random
        order. A network with one hidden layer needs one.
    random_state : int, RandomState instance or None, default=0
        Seed of the random orders.

    Attributes
    ----------
    statistic_, distance_ : float
        Distance after matching.
    score_ : float
        Minus the distance.
    assignments_ : dict of str to int array
        For each layer of hidden units, ``assignments_[layer][i]`` is the unit of the
        second network that stands at place i of the first.
    matched_model_ : object
        Copy of the second network with its units in the first one's order. The same
        function.
    layer_distances_ : dict of str to float
        The distance within each layer; their squares sum to that of ``distance_``.
    unmatched_distance_ : float
        Distance before.
    objective_ : float
        Sum of the products of all weights and biases after matching.

    Raises
    ------
    ValueError
        If a network has a layer whose units are not known, or no hidden units, or if
        the networks are of two architectures; the message names the layer.

    See Also
    --------
    LossBarrier : Loss on the way from one network to the matched other.
    sksim.inference.independence_test : Whether one network was made from the other.

    Notes
    -----
    A network is a fitted MLPClassifier or MLPRegressor, a torch module that
    ``torch.fx`` can read (linear, convolutional and embedding layers, normalisations,
    residual sums, ``nn.TransformerEncoderLayer``, whose heads are permuted as blocks),
    or a list of matrices of shape (n_inputs, n_outputs), or of pairs (weights, biases).
    Units that are summed, as along a residual stream, have one permutation together.
    Running means and variances move with their units, but are not matched.

    One layer's permutation, with all others fixed, is a linear assignment; sweeps go on
    until no layer gains. Several hidden layers of unrelated networks have many local
    optima. Units that say the same are interchangeable, and their order is arbitrary.
    Signs and scales of units, which tanh and relu networks could change too, stay as
    they are. With ``criterion="activations"`` the layers are matched independently of
    each other, heads by their weights.

    References
    ----------
    S. K. Ainsworth, J. Hayase, S. Srinivasa. Git re-basin: merging models modulo
    permutation symmetries. ICLR, 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.structural import WeightMatching
    >>> rng = np.random.default_rng(0)
    >>> W, b, V = rng.normal(size=(4, 6)), rng.normal(size=6), rng.normal(size=(6, 2))
    >>> order = rng.permutation(6)
    >>> network = [(W, b), (V, None)]
    >>> same = [(W[:, order], b[order]), (V[order], None)]
    >>> measure = WeightMatching().fit(network, same)
    >>> measure.distance_, measure.unmatched_distance_ > 1
    (0.0, True)
    >>> order[measure.assignments_["hidden_1"]]
    array([0, 1, 2, 3, 4, 5])
    """

    _parameter_constraints: dict = {
        "criterion": [StrOptions({"weights", "activations"})],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(self, criterion="weights", *, n_init=3, random_state=0):
        self.criterion = criterion
        self.n_init = n_init
        self.random_state = random_state

    def _check_model(self, model, name):
        network = read_network(model, name)
        refuse_no_hidden_units(network, name)
        if self.criterion == "activations" and network.watch is None:
            raise ValueError(
                f"{name} is a list of weights, of which it is not known what its units "
                "say: use criterion='weights', or pass a network."
            )
        return network

    def _check_data(self, data, y_true):
        if self.criterion == "weights":
            return None, None
        return check_rows(data, self).values, None

    def _view(self, network, xp, *, seed, data=None):
        return NetworkView(network, seed, data)

    def _check_views(self, view_x, view_y):
        refuse_other_architecture(view_x.network, view_y.network)

    def _compare(self, view_x, view_y, xp):
        first, second = view_x.network, view_y.network
        search = UnitOrders(first, second)
        if self.criterion == "weights":
            rng = np.random.default_rng(view_x.seed)
            assignments = search.best(self.n_init, rng)
        else:
            assignments = _by_activations(search, view_x.rows)
        layers, before = {}, 0.0
        for a, b in zip(first.tensors, second.tensors, strict=True):
            if a.counts:
                layers.setdefault(a.layer, 0.0)
                layers[a.layer] += _squared_distance(a.values, b.moved(assignments))
                before += _squared_distance(a.values, b.values)
        names = [units.name for units in first.units]
        return sum(layers.values()) ** 0.5, {
            "assignments_": dict(zip(names, assignments, strict=True)),
            "matched_model_": second.with_values(
                tensor.moved(assignments) for tensor in second.tensors
            ),
            "layer_distances_": {name: s**0.5 for name, s in layers.items()},
            "unmatched_distance_": before**0.5,
            "objective_": search.objective(assignments),
        }

    def _similarity_tags(self):
        needs_data = self.criterion == "activations"
        words = ("data",) if needs_data else ()
        return SimilarityTags(
            family="structural",
            orientation="distance",
            bounds=(0, float("inf")),
            inputs="models",
            requires=("models", "one_architecture", *words),
            view_keywords=("seed", *words),
            paired=False,
            intervals=(),
            deterministic=self.random_state is not None,
            array_api=False,
            complexity="w h + h^3 for w weights, h units in a layer",
            reference="Ainsworth et al. 2023",
        )


def _squared_distance(a, b):
    difference = a - b
    return float(np.vdot(difference, difference))


def _by_activations(search, rows):
    """Orders in which units say the same to rows; of silent ones, by their weights."""
    first, second = search.first, search.second
    gains = [np.zeros((units.size,) * 2) for units in first.units]
    for batch in slices(len(rows), _BATCH):
        both = zip(first.watch(rows[batch]), second.watch(rows[batch]), strict=True)
        for total, (told_x, told_y) in zip(gains, both, strict=True):
            for units_x, units_y in zip(told_x, told_y, strict=True):
                total += units_x.T @ units_y
    assignments = second.unmoved()
    silent = [space for space, total in enumerate(gains) if not total.any()]
    for space, total in enumerate(gains):
        if space not in silent:
            _, assignments[space] = best_assignment(total, xp=np)
    for space in silent:
        _, assignments[space] = best_assignment(search.gains(space, assignments), xp=np)
    return assignments
