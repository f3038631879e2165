"""Chance-adjusted agreement of what models hold likely, for two models or many."""

from dataclasses import dataclass

import numpy as np

from sksim.arrays._namespace import (
    as_float64,
    device_of,
    row_blocks_of,
    row_inner,
    to_numpy,
)
from sksim.arrays._views import View
from sksim.functional._options import OptionsMixin
from sksim.functional._undefined import UndefinedMixin
from sksim.models._outputs import columns_of

# What double precision says of one less a sum of probabilities near one: means of
# 1 - p of softmax outputs that should be 0 reach 2e-16.
_LEAST_CHANCE_OF_ERROR = 1e-14


@dataclass(frozen=True)
class AnswerProbabilities(View):
    """What a model holds likely, row by row.

    Attributes
    ----------
    rows : array
        Probabilities of the options, or the place of the most probable one.
    error : array of shape (n_samples,)
        Probability of all but the right option.
    spread : array of shape (n_samples,)
        1 / (C - 1) with C the number of options.
    """

    rows: object
    error: object
    spread: object

    _row_fields = ("rows", "error", "spread")

    def disagreement(self, other, xp):
        """Probability that two answers, drawn from each row, are different."""
        if self.rows.ndim == 1:
            return xp.astype(self.rows != other.rows, xp.float64)
        agreement = [
            row_inner(
                as_float64(self.rows[b, :], xp=xp),
                as_float64(other.rows[b, :], xp=xp),
                xp=xp,
            )
            for b in row_blocks_of(self.rows)
        ]
        return 1 - xp.concat(agreement)


class AnswerProbabilitiesMixin(OptionsMixin, UndefinedMixin):
    """Mixin for measures of `AnswerProbabilities`."""

    _undefined_when = "The models can't but agree: they are always right (or wrong)"

    def _view(self, X, xp, y_true, n_options=None, classes=None):
        truth = y_true if isinstance(y_true, np.ndarray) else to_numpy(y_true, xp=xp)
        columns = columns_of(truth, X.shape[1], classes)[0]
        columns = xp.asarray(columns, device=device_of(X))
        options = self._options_of(X.shape[0], n_options, xp=xp)
        if options is None:
            options = np.full(X.shape[0], X.shape[1])
        _refuse_fewer_options(options, X, xp)
        spread = xp.asarray(1 / (options - 1), device=device_of(X))
        if self.discrete:
            answers = xp.argmax(X, axis=1)
            error = xp.astype(answers != columns, xp.float64)
            return AnswerProbabilities(answers, error, spread)
        right = xp.take_along_axis(X, columns[:, None], axis=1)[:, 0]
        return AnswerProbabilities(X, 1 - as_float64(right, xp=xp), spread)

    def _partial_fit(self, X, y, **metadata):
        return super()._partial_fit(X, y, **self._named_by_place(X, metadata))

    def _above_chance(self, disagreement, chance):
        """Kappa, and observed and expected agreement, of mean disagreements."""
        agreed = {
            "observed_agreement_": 1 - disagreement,
            "expected_agreement_": 1 - chance,
        }
        if chance < _LEAST_CHANCE_OF_ERROR:
            return float("nan"), agreed
        return 1 - disagreement / chance, agreed


def disagreement_by_chance(error_x, error_y, spread):
    """Expected disagreement of two models with given mean probabilities of error."""
    return error_x + error_y - error_x * error_y * (1 + spread)


def _refuse_fewer_options(options, X, xp):
    most = int(options.max())
    if most > X.shape[1]:
        raise ValueError(
            f"n_options says {most} on a row, and the outputs have {X.shape[1]} "
            "columns: they need one for each option."
        )
    used = to_numpy(xp.count_nonzero(X, axis=1), xp=xp)
    row = int(np.argmax(used - options))
    if used[row] > options[row]:
        raise ValueError(
            f"n_options says {options[row]} on row {row}, where a model holds "
            f"{used[row]} options possible. Options that a row does not offer must "
            "have probability 0."
        )
