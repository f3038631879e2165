"""Similarity by encoders that were trained on rows that match."""

import hashlib
from dataclasses import dataclass
from functools import partial
from numbers import Integral, Real

import numpy as np

from sksim._sklearn_compat import Interval, StrOptions
from sksim.alignment._encoders import linear_encoders, network_encoders
from sksim.arrays._linalg import centered, refuse_constant
from sksim.arrays._matching import index_array
from sksim.arrays._namespace import (
    as_float64,
    device_of,
    inner,
    number,
    row_inner,
    row_sum_of_squares,
    take,
    to_numpy,
)
from sksim.arrays._views import View
from sksim.base import AlignmentMixin, BaseSimilarity
from sksim.base._tags import SimilarityTags


@dataclass(frozen=True)
class FoldedRows(View):
    """Centred rows over ``scale``; ``folds`` numbers the fold of each place.

    ``seed`` is what networks are started with.
    """

    rows: object
    mean: object
    scale: float
    folds: object
    seed: int

    _row_fields = ("rows",)


class ContraSim(AlignmentMixin, BaseSimilarity):
    r"""ContraSim: similarity of rows after encoders learned which rows match.

    An encoder of each side, f and g, is trained on pairs of rows to bring partners
    together and all others apart. The similarity of other rows is the mean cosine of
    their codes,

    .. math:: m(R, R') = \frac1N \sum_i
        \frac{\langle f(R_i), g(R'_i) \rangle}
        {\lVert f(R_i) \rVert \lVert g(R'_i) \rVert} .

    A similarity in [-1, 1], 0 by chance. No row is ever judged by encoders that were
    trained on it: ``statistic_`` is cross-fitted. With linear encoders invariant to
    orthogonal maps, translation and isotropic scaling, and without a ridge to all
    invertible linear maps.

    Parameters
    ----------
    encoder : {"linear", "network"}, default="linear"
        "linear": in closed form, by numpy alone. "network": one hidden layer for each
        side, trained by PyTorch, as in the original.
    similarity : {"cosine", "cka"}, default="cosine"
        "cka": linear CKA of the codes in place of the mean cosine (DeepCKA), in [0, 1]
        and above 0 by chance. A network is then trained to maximise CKA; linear
        encoders are the same for both.
    n_components : int, default=None
        Most columns of a code; None for all of linear encoders, and 64 of networks.
    ridge : float, default=1
        Of linear encoders: how much is added to the variance of all directions, in
        units of the mean variance of that side's columns. 0 for none.
    n_folds : int, default=5
        Parts of the rows, each judged by encoders that were trained on the others.
    temperature : float, default=0.1
        Of a network trained on cosines: which differences of these count.
    n_epochs : int, default=50
        Of a network: how often each row is seen.
    random_state : int, RandomState instance or None, default=None
        Which rows come into which fold, and the weights that a network starts with.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Mean cosine, or CKA, over all folds.
    similarities_ : array of shape (n_samples,)
        Cosine of each row; not with ``similarity="cka"``.
    fold_scores_ : array of shape (n_folds,)
        The similarity in each fold.
    x_mean_, y_mean_ : array of shape (n_features,) and (n_features_y,)
        Training means.
    x_rotations_, y_rotations_ : array of shape (n_features, k) and (n_features_y, k)
        Weights of the linear encoders of all rows.
    singular_values_ : array of shape (k,)
        How strongly each column of the codes is shared, from 0 to 1.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If a representation is constant, if there are not two rows in each fold, or if
        ``score`` is given some of the rows of ``fit`` among others.
    ImportError
        For networks, if PyTorch is not installed.

    See Also
    --------
    sksim.cca.MeanSquaredCCA : The canonical correlations, of the rows they were
        fitted to.
    LinearRegressionSimilarity : What of y a map from X explains.
    sksim.rsm.CKA : Without anything learned.

    Notes
    -----
    Use it where it is known which rows match: to tell whether two models hold the same
    information in whatever coordinates, or to find partners, as captions of images.
    Don't use it to ask how alike two geometries are, which encoders undo; take
    OrthogonalProcrustes or CKA instead. Nor for rows that are not independent, such as
    frames of one film, whose neighbours are in other folds.

    Compare values of one ridge: a larger one leaves the strongest directions, which
    agree the best. With 1 the partner was the nearest code for the largest share of
    rows, or for .01 less, of .01, .1, .3, 1, 3 and 10 in five sets (200 to 1000 rows of
    50 to 200 columns with spectra of 1/k and 1/k^2 and noise: 1, .98, 1, .73 and 1).

    The linear encoders minimise the spectral form of the contrastive loss

    .. math:: -2 \, \mathbb{E} \langle f(x), g(y) \rangle
        + \mathbb{E} \langle f(x), g(y') \rangle^2 ,

    of partners x, y and of unrelated x, y', to whose second term a ridge is added. With
    :math:`P \rho Q^\top` the singular values of the whitened cross-covariance, they are
    :math:`f(x) = \rho^{1/2} P^\top \Sigma_x^{-1/2} (x - \mu_x)`, and g alike: canonical
    variates, weighed by the roots of their correlations. A network minimises the
    cross-entropy of each row's partner among the rows of its batch. The original trains
    one encoder for representations of one width; here each side has its own.

    ``score(X, y)`` of new rows applies encoders that were trained on all rows of
    ``fit``. Given exactly the rows of ``fit``, in their order, it is ``score_``, which
    is cross-fitted; given some of them, it refuses. ``transform`` gives codes.
    Each order of the rows is encoded anew, in O(n d^2) for each fold: choose
    ``n_permutations`` with care. Nonlinear encoders without PyTorch are linear ones of
    nonlinear features, :class:`~sksim.compose.TransformedViews` with scikit-learn's
    ``Nystroem``.

    References
    ----------
    A. Rahamim, Y. Belinkov. ContraSim: analyzing neural representations based on
    contrastive learning. NAACL, 2024, arXiv:2303.16992.

    J. Z. HaoChen, C. Wei, A. Gaidon, T. Ma. Provable guarantees for self-supervised
    deep learning with spectral contrastive loss. NeurIPS, 2021, arXiv:2106.04156.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.alignment import ContraSim
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 5))
    >>> y = X @ rng.normal(size=(5, 8)) + 0.1 * rng.normal(size=(300, 8))
    >>> measure = ContraSim(random_state=0).fit(X[:200], y[:200])
    >>> round(measure.score_, 2), round(measure.score(X[200:], y[200:]), 2)
    (0.97, 0.97)
    >>> unrelated = rng.normal(size=(200, 8))
    >>> abs(ContraSim(random_state=0).fit(X[:200], unrelated).score_) < 0.15
    True
    """

    _parameter_constraints: dict = {
        "encoder": [StrOptions({"linear", "network"})],
        "similarity": [StrOptions({"cosine", "cka"})],
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "ridge": [Interval(Real, 0, None, closed="left")],
        "n_folds": [Interval(Integral, 2, None, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "n_epochs": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        encoder="linear",
        *,
        similarity="cosine",
        n_components=None,
        ridge=1.0,
        n_folds=5,
        temperature=0.1,
        n_epochs=50,
        random_state=None,
    ):
        self.encoder = encoder
        self.similarity = similarity
        self.n_components = n_components
        self.ridge = ridge
        self.n_folds = n_folds
        self.temperature = temperature
        self.n_epochs = n_epochs
        self.random_state = random_state

    @property
    def _is_linear(self):
        return self.encoder == "linear"

    def _min_samples(self):
        # two rows of each fold, for a CKA
        return 2 * self.n_folds

    def _view(self, X, xp, role, seed=None):
        rows, mean, scale, squared_norm = centered(as_float64(X, xp=xp), xp=xp)
        refuse_constant(squared_norm, role)
        order = np.random.default_rng(seed).permutation(X.shape[0])
        return FoldedRows(rows, mean, scale, order % self.n_folds, seed)

    def _compare(self, view_x, view_y, xp):
        scores, cosines = [], []
        for fold in range(self.n_folds):
            is_test = view_x.folds == fold
            training, test = (
                [_rows_of(view, places, xp) for view in (view_x, view_y)]
                for places in map(np.flatnonzero, (~is_test, is_test))
            )
            encoders, _ = self._trained(*training, view_x.seed + fold, xp)
            codes = [e(rows, xp) for e, rows in zip(encoders, test, strict=True)]
            if self.similarity == "cka":
                scores.append(_cka(*codes, xp=xp))
                continue
            cosines.append(_cosines(*codes, xp=xp))
            scores.append(xp.mean(cosines[-1]))
        fold_scores = xp.stack(scores)
        if self.similarity == "cka":
            return xp.mean(fold_scores), {"fold_scores_": fold_scores}
        # back from the order of the folds
        order = np.argsort(np.argsort(view_x.folds, kind="stable"))
        cosines = xp.concat(cosines)
        places = index_array(order, like=cosines, xp=xp)
        cosines = take(cosines, places, xp=xp)
        details = {"fold_scores_": fold_scores, "similarities_": cosines}
        return xp.mean(cosines), details

    def _trained(self, X, y, seed, xp):
        """Encoders of both sides, and the strengths of linear ones."""
        if self._is_linear:
            options = {"ridge": self.ridge, "n_components": self.n_components}
            return linear_encoders(X, y, xp=xp, **options)
        train = partial(
            network_encoders,
            similarity=self.similarity,
            n_components=self.n_components,
            temperature=self.temperature,
            n_epochs=self.n_epochs,
            seed=seed,
        )
        return train(*(to_numpy(rows, xp=xp) for rows in (X, y))), None

    def _keep_outcome(self, comparison):
        super()._keep_outcome(comparison)
        views = comparison.view_x, comparison.view_y
        xp = comparison.xp
        rows, seed = (view.rows for view in views), views[0].seed + self.n_folds
        self._encoders, self._strengths = self._trained(*rows, seed, xp)
        self._scales = tuple(view.scale for view in views)
        self._seen = _digests(*comparison.rows.arrays, xp)

    def _fit_maps(self, view_x, view_y, xp):
        if not self._is_linear:
            raise AttributeError(
                "Rotations and singular values are those of linear encoders: take "
                "encoder='linear', or transform for the codes of networks."
            )
        weights = (
            encoder.weights * (1.0 / scale)
            for encoder, scale in zip(self._encoders, self._scales, strict=True)
        )
        return *weights, self._strengths

    def _codes(self, rows, side, xp):
        """Codes of new rows of the first (0) or the second side."""
        mean = (self.x_mean_, self.y_mean_)[side]
        centred = (as_float64(rows, xp=xp) - mean) * (1.0 / self._scales[side])
        return self._encoders[side](centred, xp)

    def _transform_x(self, X, xp):
        return self._codes(X, 0, xp)

    def _transform_y(self, y, xp):
        return self._codes(y, 1, xp)

    @property
    def _n_features_out(self):
        if self._is_linear:
            return self._strengths.shape[0]
        return self._encoders[0].network[-1].out_features

    def _evaluate(self, X, y, xp):
        digests = _digests(X, y, xp)
        if digests == self._seen:
            return self.statistic_
        self._refuse_seen(digests)
        codes = self._codes(X, 0, xp), self._codes(y, 1, xp)
        if self.similarity == "cka":
            return _cka(*codes, xp=xp)
        return xp.mean(_cosines(*codes, xp=xp))

    def _refuse_seen(self, digests):
        seen = set(self._seen)
        known = [place for place, digest in enumerate(digests) if digest in seen]
        if known:
            raise ValueError(
                f"{len(known)} of the {len(digests)} rows of X and y (the first in "
                f"place {known[0]}) are rows that the encoders were trained on, so "
                "that they would score too high. Leave them out; score() without data "
                "is cross-fitted, and so is score(X, y) of exactly the rows of fit."
            )

    def _similarity_tags(self):
        linear = {"PT", "OT", "IS", "TR"}
        if self.ridge == 0:
            linear |= {"ILT", "AT"}
        return SimilarityTags(
            family="alignment",
            orientation="similarity",
            bounds=(0, 1) if self.similarity == "cka" else (-1, 1),
            symmetric=self._is_linear,
            identity=self._is_linear,
            invariances=linear if self._is_linear else {"IS", "TR"},
            view_keywords=("role", "seed"),
            # other folds of each part of the rows: too much noise for a jackknife
            intervals=("subsample",),
            deterministic=False,
            array_api=self._is_linear,
            score_uses_fit=True,
            complexity="n d^2",
            extra=None if self._is_linear else "torch",
            reference="Rahamim and Belinkov 2024",
        )


def _rows_of(view, places, xp):
    return take(view.rows, index_array(places, like=view.rows, xp=xp), xp=xp)


def _cosines(a, b, *, xp):
    """Cosine of each row with its partner, 0 where one of them is zero."""
    squares = row_sum_of_squares(a, xp=xp) * row_sum_of_squares(b, xp=xp)
    norms = xp.sqrt(squares)
    products = row_inner(a, b, xp=xp)
    ones = xp.ones_like(norms)
    return xp.where(norms > 0, products / xp.where(norms > 0, norms, ones), 0 * ones)


def _cka(a, b, *, xp):
    """Linear CKA, 0 where one side's codes are all alike."""
    a, b = a - xp.mean(a, axis=0), b - xp.mean(b, axis=0)
    product, *own = a.T @ b, a.T @ a, b.T @ b
    norms = [number(inner(gram, gram, xp=xp)) ** 0.5 for gram in own]
    found = inner(product, product, xp=xp)
    scale = norms[0] * norms[1]
    return xp.asarray(
        number(found) / scale if scale > 0 else 0.0,
        dtype=product.dtype,
        device=device_of(product),
    )


def _digests(X, y, xp):
    """What each pair of rows is known by."""
    pairs = np.hstack([to_numpy(rows, xp=xp).astype(np.float64) for rows in (X, y)])
    # a zero has no sign
    pairs = np.ascontiguousarray(pairs + 0.0)
    return [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in pairs]
