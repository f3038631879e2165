"""What training on, or merging, has changed of a network's weights."""

import numpy as np
import pandas as pd
from scipy.linalg import svdvals
from sklearn.utils.validation import check_is_fitted

from sksim.base import BaseModelSimilarity
from sksim.base._tags import SimilarityTags
from sksim.models._weights import read_tensors, refuse_other_architecture


class WeightDelta(BaseModelSimilarity):
    r"""Size, direction and rank of the difference of two networks' weights.

    For checkpoints of one run, fine-tunes and merges, whose units are in one order:
    with all weights :math:`\theta` of the first network,

    .. math:: m(f, f') = \frac{\lVert \theta' - \theta \rVert}{\lVert \theta \rVert} ,

    and the same of each layer, with its cosine and the singular values of the
    difference. A distance in [0, inf). Asymmetric: relative to the first network.

    Attributes
    ----------
    statistic_, distance_ : float
        Relative norm of the difference of all weights.
    score_ : float
        Minus the distance.
    layer_distances_ : dict of str to float
        Relative norm of the difference of each layer's weights and biases; nan for a
        layer that is zero in the first network.
    cosines_ : dict of str to float
        Cosine of each layer's weights and biases in both networks; nan where one is
        zero.
    effective_ranks_ : dict of str to float
        Exponential of the entropy of the singular values over their sum: k for k equal
        ones, 0 for no difference.
    spectra_ : dict of str to array
        Singular values of the difference of each layer's matrices, descending. A filter
        counts as a row, a layer without matrices as one column.
    n_weights_ : dict of str to int
        Number of each layer's weights and biases.

    Raises
    ------
    ValueError
        If the networks are of two architectures; the message names the layer. If all
        weights of the first are zero.

    See Also
    --------
    WeightMatching : Puts units in one order first; its ``matched_model_`` can be
        compared.

    Notes
    -----
    A network is a fitted MLPClassifier or MLPRegressor, any torch module, a list of
    weights, or a mapping of names to arrays such as ``module.state_dict()``. Running
    means and variances are left out.

    References
    ----------
    O. Roy, M. Vetterli. The effective rank: a measure of effective dimensionality.
    EUSIPCO, 2007.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.structural import WeightDelta
    >>> rng = np.random.default_rng(0)
    >>> first = {"up": rng.normal(size=(8, 6)), "down": rng.normal(size=(6, 8))}
    >>> low_rank = rng.normal(size=(8, 2)) @ rng.normal(size=(2, 6))
    >>> tuned = {"up": first["up"] + 0.1 * low_rank, "down": first["down"]}
    >>> WeightDelta().fit(first, tuned).to_frame().round(2)
          n_weights  relative_norm  cosine  effective_rank
    up           48           0.14    0.99            1.99
    down         48           0.00    1.00            0.00
    """

    def _check_model(self, model, name):
        return read_tensors(model, name)

    def _view(self, network, xp):
        return network

    def _check_views(self, view_x, view_y):
        refuse_other_architecture(view_x, view_y)
        if not any(tensor.values.any() for tensor in view_x.tensors if tensor.counts):
            raise ValueError(
                "All weights of model_x are zero, so that a difference relative to "
                "them means nothing. Exchange the two, or check that it was trained."
            )

    def _compare(self, view_x, view_y, xp):
        layers = {}
        for a, b in zip(view_x.tensors, view_y.tensors, strict=True):
            if a.counts:
                layers.setdefault(a.layer or a.name, []).append((a, b))
        found = {name: _layer(pairs) for name, pairs in layers.items()}
        squares = np.array([layer["squares"] for layer in found.values()]).sum(axis=0)
        names = {
            "layer_distances_": "relative_norm",
            "cosines_": "cosine",
            "effective_ranks_": "effective_rank",
            "spectra_": "spectrum",
            "n_weights_": "n_weights",
        }
        details = {
            attribute: {name: layer[key] for name, layer in found.items()}
            for attribute, key in names.items()
        }
        return np.sqrt(squares[0] / squares[1]), details

    def to_frame(self) -> pd.DataFrame:
        """Numbers of each layer, in the network's order.

        Returns
        -------
        frame : DataFrame
            One row for each layer, with the columns ``n_weights``, ``relative_norm``,
            ``cosine`` and ``effective_rank``.
        """
        check_is_fitted(self)
        return pd.DataFrame(
            {
                "n_weights": self.n_weights_,
                "relative_norm": self.layer_distances_,
                "cosine": self.cosines_,
                "effective_rank": self.effective_ranks_,
            }
        )

    def _similarity_tags(self):
        return SimilarityTags(
            family="structural",
            orientation="distance",
            bounds=(0, float("inf")),
            symmetric=False,
            inputs="models",
            requires=("models", "one_architecture"),
            paired=False,
            intervals=(),
            array_api=False,
            complexity="w h for w weights, h units in a layer",
            reference="Roy & Vetterli 2007",
        )


def _layer(pairs):
    """Numbers of one layer, of its tensors in both networks."""
    sides = zip(*pairs, strict=True)
    norms = [sum(float(np.sum(t.values**2)) for t in side) for side in sides]
    product = sum(float(np.vdot(a.values, b.values)) for a, b in pairs)
    differences = [b.values - a.values for a, b in pairs]
    squares = sum(float(np.sum(d**2)) for d in differences)
    rows = [d.reshape(len(d), -1) for d in differences if d.ndim > 1]
    rows = rows or [np.concatenate([d.ravel() for d in differences])[:, None]]
    spectrum = np.sort(np.concatenate([svdvals(d) for d in rows]))[::-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.sqrt(np.float64(squares) / norms[0]) if norms[0] else np.nan
        cosine = product / np.sqrt(np.float64(norms[0]) * norms[1])
    return {
        "n_weights": sum(d.size for d in differences),
        "relative_norm": float(relative),
        "cosine": float(np.clip(cosine, -1, 1)),
        "effective_rank": _effective_rank(spectrum),
        "spectrum": spectrum,
        "squares": (squares, norms[0]),
    }


def _effective_rank(spectrum):
    """Exponential of the entropy of singular values over their sum."""
    total = spectrum.sum()
    if total == 0:
        return 0.0
    shares = spectrum[spectrum > 0] / total
    return float(np.exp(-np.sum(shares * np.log(shares))))
