"""Encoders of two representations that bring matching rows together."""

from dataclasses import dataclass

import numpy as np

from sksim._optional import import_extra
from sksim.arrays._linalg import numerical_rank, tall_svd, thin_svd
from sksim.arrays._namespace import device_of, move_to, to_numpy

# Of a network: units of the hidden layer, columns of its code where none are given,
# rows of a batch, and step of Adam.
_HIDDEN = 256
_CODE = 64
_BATCH = 256
_STEP = 1e-3


@dataclass(frozen=True)
class LinearEncoder:
    """Rows minus ``mean``, times ``weights``."""

    mean: object
    weights: object

    def __call__(self, rows, xp):
        """Codes of rows."""
        return (rows - self.mean) @ self.weights


def linear_encoders(X, y, *, ridge, n_components, xp):
    """Both encoders in closed form, and the strength of each of their columns.

    Parameters
    ----------
    X, y : array of shape (n_samples, n_features) and (n_samples, n_features_y)
        Rows that match.
    ridge : float
        Share of the mean variance of a side's columns that is added to all directions.
    n_components : int or None
        Most columns of a code.
    xp : module

    Returns
    -------
    encoders : tuple of two LinearEncoder
    strengths : array of shape (n_components,)
        Canonical correlations, shrunk by the ridge.
    """
    sides = [_Whitened.of(rows, ridge, xp) for rows in (X, y)]
    if any(side.scores.shape[1] == 0 for side in sides):
        raise ValueError(
            "One side is constant in the rows that encoders are trained on: what makes "
            "it differ stands in the rows that are left out, of one or few inputs. "
            "Leave those out, or add rows like them."
        )
    U, strengths, Vt = thin_svd(sides[0].scores.T @ sides[1].scores, xp=xp)
    roots = xp.sqrt(strengths)[:n_components]
    directions = U[:, :n_components], Vt.T[:, :n_components]
    encoders = tuple(
        LinearEncoder(side.mean, side.weights @ (found * roots))
        for side, found in zip(sides, directions, strict=True)
    )
    return encoders, strengths[:n_components]


@dataclass(frozen=True)
class _Whitened:
    """Centred rows times ``weights`` times the root of n: ``scores`` of unit length."""

    mean: object
    weights: object
    scores: object

    @classmethod
    def of(cls, rows, ridge, xp):
        mean = xp.mean(rows, axis=0)
        U, s, Vt = tall_svd(rows - mean, xp=xp)
        kept = numerical_rank(s, rows.shape, xp=xp)
        U, s, V = U[:, :kept], s[:kept], Vt[:kept, :].T
        # variances, up to the number of rows, which cancels
        added = ridge * float(xp.sum(s * s)) / rows.shape[1]
        lengths = xp.sqrt(s * s + added)
        n = rows.shape[0]
        return cls(mean, V * (n**0.5 / lengths), U * (s / lengths))


class NetworkEncoder:
    """One half of a trained pair of networks, applied to rows over ``size``."""

    def __init__(self, network, mean, size):
        self.network = network
        self.mean = mean
        self.size = size

    def __call__(self, rows, xp):
        """Codes of rows."""
        torch = _torch()
        there = to_numpy(rows, xp=xp)
        with torch.no_grad():
            codes = self.network(torch.asarray((there - self.mean) / self.size))
        return move_to(codes.numpy(), xp=xp, device=device_of(rows))


def network_encoders(X, y, *, similarity, n_components, temperature, n_epochs, seed):
    """Both encoders as networks of one hidden layer, trained together.

    Parameters
    ----------
    X, y : numpy array of shape (n_samples, n_features) and (n_samples, n_features_y)
        Rows that match.
    similarity : {"cosine", "cka"}
        What is made large: the cosines of pairs over those of other rows, or CKA.
    n_components : int or None
    temperature : float
    n_epochs : int
    seed : int

    Returns
    -------
    encoders : tuple of two NetworkEncoder
    """
    torch = _torch()
    loss = {"cosine": _contrast(temperature), "cka": _minus_cka}[similarity]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoders = tuple(_untrained(rows, n_components or _CODE) for rows in (X, y))
        inputs = [
            torch.asarray((rows - encoder.mean) / encoder.size)
            for rows, encoder in zip((X, y), encoders, strict=True)
        ]
        weights = [w for e in encoders for w in e.network.parameters()]
        optimizer = torch.optim.Adam(weights, lr=_STEP)
        for _ in range(n_epochs):
            # no batch of one row, which has no other to be told from
            n_batches = max(1, len(X) // _BATCH)
            for rows in torch.randperm(len(X)).tensor_split(n_batches):
                optimizer.zero_grad()
                codes = [
                    encoder.network(side[rows])
                    for encoder, side in zip(encoders, inputs, strict=True)
                ]
                loss(*codes).backward()
                optimizer.step()
    return encoders


def _untrained(rows, width):
    torch = _torch()
    mean = rows.mean(axis=0)
    size = np.sqrt(np.mean((rows - mean) ** 2))
    network = torch.nn.Sequential(
        torch.nn.Linear(rows.shape[1], _HIDDEN),
        torch.nn.ReLU(),
        torch.nn.Linear(_HIDDEN, width),
    ).double()
    return NetworkEncoder(network, mean, size if size > 0 else 1.0)


def _contrast(temperature):
    """Loss that is small where each row's code is nearer to its partner's than others.

    In both directions, the cross-entropy of the partner among all rows of the batch.
    """
    functional = _torch().nn.functional

    def loss(a, b):
        cosines = functional.normalize(a) @ functional.normalize(b).T
        own = _torch().arange(len(a))
        sides = (cosines / temperature, cosines.T / temperature)
        return sum(functional.cross_entropy(side, own) for side in sides) / 2

    return loss


def _minus_cka(a, b):
    a, b = a - a.mean(dim=0), b - b.mean(dim=0)
    norms = (a.T @ a).norm() * (b.T @ b).norm()
    return -((a.T @ b) ** 2).sum() / norms


def _torch():
    return import_extra("torch", extra="torch", needed_by="A network as encoder")
