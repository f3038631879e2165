"""A score as a loss."""

import math
import os

from sklearn import config_context

from sksim._optional import import_extra
from sksim.base._tags import tags_of
from sksim.discovery import check_measure

try:
    from torch.nn import Module
except ImportError:
    # the class can be imported and documented; making one says what is missing
    Module = object


class SimilarityLoss(Module):
    r"""How far two representations are from the best score, with gradients.

    .. math:: \ell(R, R') = s_{\max} - s(R, R')

    with the score s of a measure and the best it can be: 1 - s for similarities such as
    CKA, the distance itself for distances, -s where similarity has no upper limit
    (HSIC). Minimised where the measure calls two representations the same.

    Parameters
    ----------
    measure : estimator, class or str
        A measure with gradients, which need not be fitted:
        ``sksim.all_measures(differentiable=True)`` lists them.

    temperature : float, default=None
        Of :class:`sksim.neighbors.MutualKNN` and
        :class:`~sksim.neighbors.NeighborJaccard`, which have no gradients without one:
        see their ``score_array``.

    Attributes
    ----------
    measure : BaseSimilarity
        The measure, not fitted.
    best : float
        What scores are subtracted from: the best score, or 0 where there is no limit.

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    ValueError
        If the measure has no gradients with its present parameters.

    See Also
    --------
    sksim.base.BaseSimilarity.score_array : The score, with gradients.

    Notes
    -----
    Each call compares the rows of one batch, so that the value is that of the batch and
    not the mean of values of rows. Of few rows and many columns CKA, CCA and Procrustes
    call anything similar: take ``CKA(debias="rows")``, or large batches. The module has
    no parameters; nothing is learnt but what the representations are made by.

    Gradients go to both representations, and are finite where singular values are equal
    or zero (:ref:`gradients_at_kinks`). One that is to stay, such as a teacher's, is
    passed as ``teacher.detach()``, or made under ``torch.no_grad()``.

    The first call sets the environment variable ``SCIPY_ARRAY_API`` to 1 if it is not
    set, since scikit-learn wants it so before it takes tensors.

    Examples
    --------
    >>> import torch
    >>> from sksim.rsm import CKA
    >>> from sksim.torch import SimilarityLoss
    >>> rng = torch.Generator().manual_seed(0)
    >>> teacher = torch.randn(100, 8, generator=rng)
    >>> student = torch.randn(100, 5, generator=rng, requires_grad=True)
    >>> loss = SimilarityLoss(CKA())
    >>> before = loss(student, teacher)
    >>> before.backward()
    >>> moved = student.detach() - 100 * student.grad
    >>> bool(loss(moved, teacher) < before)
    True
    """

    def __init__(self, measure, *, temperature=None):
        import_extra("torch", extra="torch", needed_by="SimilarityLoss")
        super().__init__()
        self.measure = check_measure(measure, "minimise")
        self.measure._check_gradients(temperature)
        best = tags_of(self.measure).score_bounds[1]
        # known to few measures, whose metadata it would be for all others
        self.options = {} if temperature is None else {"temperature": temperature}
        self.best = best if math.isfinite(best) else 0.0

    def forward(self, X, y, **metadata):
        """Loss of two representations of the same rows.

        Parameters
        ----------
        X : tensor of shape (n_samples, n_features)
            First representation.
        y : tensor of shape (n_samples, n_features_y)
            Second representation of the same rows, on the same device.
        **metadata : dict
            Metadata of the rows, for measures that use them.

        Returns
        -------
        loss : tensor of shape ()
            In the precision of X and on its device.
        """
        X, y = _as_tensor(X, "X"), _as_tensor(y, "y")
        # scikit-learn asks for scipy's own switch before it leaves tensors as they are;
        # scipy reads it when imported, and no tensor reaches scipy here
        os.environ.setdefault("SCIPY_ARRAY_API", "1")
        with config_context(array_api_dispatch=True):
            X_, y_ = map(_of_32_bits, (X, y))
            score = self.measure.score_array(X_, y_, **self.options, **metadata)
        return (self.best - score).to(X.dtype)

    def extra_repr(self):
        """What the module's text says of it.

        Returns
        -------
        text : str
            The measure with its parameters, and the temperature if there is one.
        """
        options = (f"{name}={value!r}" for name, value in self.options.items())
        return ", ".join([repr(self.measure), *options])


def _as_tensor(array, name):
    """The array, if it is a tensor."""
    if not hasattr(array, "requires_grad"):
        raise TypeError(
            f"{name} must be a torch tensor, got {type(array).__name__}: convert it by "
            "torch.as_tensor, or use the measure's fit for arrays."
        )
    return array


def _of_32_bits(tensor):
    """The tensor in single precision, if it has fewer bits; gradients come back."""
    return tensor.float() if tensor.dtype.itemsize < 4 else tensor
