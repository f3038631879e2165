"""Random representations with known answers."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state

from sksim._sklearn_compat import Interval, validate_params
from sksim._typing import RandomState

_COUNT = [Interval(Integral, 1, None, closed="left")]


@validate_params(
    {
        "n_samples": _COUNT,
        "n_features": _COUNT,
        "noise": [Interval(Real, 0, None, closed="left")],
        "rotation": ["boolean"],
        "scale": [Interval(Real, 0, None, closed="neither")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_aligned_pair(
    n_samples: int = 100,
    n_features: int = 10,
    *,
    noise: float = 0.0,
    rotation: bool = True,
    scale: float = 1.0,
    random_state: RandomState | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Two views of which one is the other, rotated, scaled and with noise.

    X is standard normal and

    .. math:: y = s \, (X Q + \sigma E)

    with a random orthogonal map Q and standard normal noise E. Without noise each
    measure that is invariant to orthogonal maps and scaling finds the two equal. With
    noise every canonical correlation tends to :math:`1 / \sqrt{1 + \sigma^2}` for many
    rows.

    Parameters
    ----------
    n_samples : int, default=100
        Number of rows.
    n_features : int, default=10
        Number of columns of both.
    noise : float, default=0
        Standard deviation of the noise.
    rotation : bool, default=True
        Whether Q is a random orthogonal map, or the identity.
    scale : float, default=1
        Factor of y.
    random_state : int, RandomState instance or None, default=None
        Seed.

    Returns
    -------
    X, y : ndarray of shape (n_samples, n_features)
        The two views.

    Examples
    --------
    >>> from sksim.alignment import OrthogonalProcrustes
    >>> from sksim.datasets import make_aligned_pair
    >>> X, y = make_aligned_pair(scale=3, random_state=0)
    >>> OrthogonalProcrustes().fit(X, y).distance_ < 1e-7
    True
    """
    rng = check_random_state(random_state)
    X = rng.normal(size=(n_samples, n_features))
    Q = _random_rotation(n_features, rng) if rotation else np.eye(n_features)
    E = rng.normal(size=X.shape)
    return X, scale * (X @ Q + noise * E)


@validate_params(
    {
        "n_samples": _COUNT,
        "n_features": _COUNT,
        "n_features_y": [*_COUNT, None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_independent_pair(
    n_samples: int = 100,
    n_features: int = 10,
    n_features_y: int | None = None,
    *,
    random_state: RandomState | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Two views that have nothing in common, to see what chance gives.

    Parameters
    ----------
    n_samples : int, default=100
        Number of rows.
    n_features : int, default=10
        Number of columns of X.
    n_features_y : int, default=None
        Number of columns of y; None for as many.
    random_state : int, RandomState instance or None, default=None
        Seed.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        First view, standard normal.
    y : ndarray of shape (n_samples, n_features_y)
        Second view, standard normal and independent of X.

    Examples
    --------
    >>> from sksim.datasets import make_independent_pair
    >>> from sksim.rsm import CKA
    >>> X, y = make_independent_pair(100, 256, random_state=0)
    >>> round(CKA().fit(X, y).score_, 2)
    0.72
    """
    rng = check_random_state(random_state)
    width = n_features if n_features_y is None else n_features_y
    X = rng.normal(size=(n_samples, n_features))
    return X, rng.normal(size=(n_samples, width))


@validate_params(
    {
        "n_samples": _COUNT,
        "n_features": _COUNT,
        "n_layers": _COUNT,
        "correlation": [Interval(Real, 0, 1, closed="both")],
        "n_networks": _COUNT,
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_layer_stack(
    n_samples: int = 200,
    n_features: int = 10,
    n_layers: int = 5,
    *,
    correlation: float = 0.8,
    n_networks: int = 1,
    random_state: RandomState | None = None,
) -> dict[str, np.ndarray] | list[dict[str, np.ndarray]]:
    r"""Layers that forget: each keeps a part of the layer before.

    .. math:: Z_{k+1} = \rho Z_k + \sqrt{1 - \rho^2} \, E_k, \qquad R_k = Z_k Q_k ,

    with standard normal Z and E and random orthogonal maps Q, which every network draws
    anew while all share Z. All canonical correlations of layers i and j tend to
    :math:`\rho^{|i - j|}` for many rows, in one network and between two.

    Parameters
    ----------
    n_samples : int, default=200
        Number of rows.
    n_features : int, default=10
        Number of columns of each layer.
    n_layers : int, default=5
        Number of layers.
    correlation : float, default=0.8
        Correlation of neighbouring layers.
    n_networks : int, default=1
        Number of networks that share their latent layers, up to a rotation of each.
    random_state : int, RandomState instance or None, default=None
        Seed.

    Returns
    -------
    networks : dict of str to ndarray, or list of those
        The layers by name: of one network, or a list of several.

    Examples
    --------
    >>> from sksim.cca import MeanCCA
    >>> from sksim.datasets import make_layer_stack
    >>> from sksim.pairwise import similarity_matrix
    >>> layers = make_layer_stack(5000, 3, n_layers=3, random_state=0)
    >>> similarity_matrix(MeanCCA(), layers).round(1).loc["layer_1"].tolist()
    [1.0, 0.8, 0.6]
    """
    rng = check_random_state(random_state)
    latent = [rng.normal(size=(n_samples, n_features))]
    fresh = (1 - correlation**2) ** 0.5
    for _ in range(n_layers - 1):
        E = rng.normal(size=latent[0].shape)
        latent.append(correlation * latent[-1] + fresh * E)
    networks = [
        {
            f"layer_{k}": Z @ _random_rotation(n_features, rng)
            for k, Z in enumerate(latent, start=1)
        }
        for _ in range(n_networks)
    ]
    return networks if n_networks > 1 else networks[0]


def _random_rotation(n_features, rng):
    """Uniformly distributed orthogonal map."""
    Q, R = np.linalg.qr(rng.normal(size=(n_features, n_features)))
    # without the signs the distribution depends on the QR routine
    return Q * np.sign(np.diag(R))
