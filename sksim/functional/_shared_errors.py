"""Which wrong answers models give, and how often they would share them by chance."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from sksim._sklearn_compat import StrOptions
from sksim.arrays._namespace import to_numpy
from sksim.arrays._views import View, some
from sksim.functional._abstentions import (
    ABSTAIN_CONSTRAINT,
    answered,
    table_of_answers,
    terms_of_answers,
)
from sksim.functional._options import OPTIONS_CONSTRAINT, OptionsMixin
from sksim.functional._tags import correctness_tags
from sksim.functional._undefined import UndefinedMixin, replacement_constraint


@dataclass(frozen=True)
class Answers(View):
    """A model's answers, the right ones, and how many each row offers, if known."""

    given: object
    right: object
    is_wrong: object
    n_options: object
    is_answered: object = None

    _row_fields = ("given", "right", "is_wrong", "n_options", "is_answered")


def shared_errors(view_x, view_y, xp):
    """For each row whether both answers are wrong and equal, both wrong, any wrong."""
    both = view_x.is_wrong & view_y.is_wrong
    same = both & (view_x.given == view_y.given)
    terms = [same, both, view_x.is_wrong | view_y.is_wrong]
    if view_x.is_answered is not None:
        by_both = view_x.is_answered & view_y.is_answered
        terms = [each & by_both for each in terms]
    return xp.stack(terms, axis=1)


def of_answered(view_x, view_y, xp, times=None):
    """Views of the rows that both answer, how often these count, and a table."""
    if view_x.is_answered is None:
        return view_x, view_y, times, {}
    views = view_x, view_y
    answers = terms_of_answers(*(to_numpy(v.is_answered, xp=xp) for v in views))
    often = np.ones(len(answers[0]), dtype=np.int64) if times is None else times
    table = table_of_answers(*(int(often @ a) for a in answers), int(often.sum()))
    rows = np.flatnonzero(answers[0])
    view_x, view_y = (some(view, rows) for view in views)
    return view_x, view_y, None if times is None else times[rows], table


def expected_same(view_x, view_y, chance, xp, times=None):
    """Expected number of equal wrong answers among the rows that both get wrong.

    Each row may count a number of ``times``; None: once.
    """
    both = to_numpy(view_x.is_wrong & view_y.is_wrong, xp=xp)
    # how often each row counts that both get wrong
    n_both = both.astype(float) if times is None else both * times
    given = [to_numpy(view.given, xp=xp) for view in (view_x, view_y)]
    right = to_numpy(view_x.right, xp=xp)
    if chance == "marginals":
        return _of_marginals(given, right, n_both, [view_x, view_y], xp, times)
    if view_x.n_options is not None:
        options = to_numpy(view_x.n_options, xp=xp)
        return float(n_both[both] @ (1 / (options[both] - 1)))
    seen = np.unique(np.concatenate([np.unique(labels) for labels in (*given, right)]))
    return float(n_both.sum()) / (len(seen) - 1) if both.any() else 0.0


def _of_marginals(given, right, n_both, views, xp, times):
    """The same where each model errs as often by each answer as it does on a class."""
    labels = np.unique(np.concatenate([np.unique(each) for each in (*given, right)]))
    classes = np.searchsorted(labels, right)
    shares = []
    for answers, view in zip(given, views, strict=True):
        wrong = to_numpy(view.is_wrong, xp=xp)
        cells = classes[wrong], np.searchsorted(labels, answers[wrong])
        n_rows = np.ones(len(cells[0])) if times is None else times[wrong]
        counts = csr_array((n_rows, cells), shape=(len(labels), len(labels)))
        shares.append(counts / np.maximum(counts.sum(axis=1), 1)[:, None])
    same = np.asarray((shares[0] * shares[1]).sum(axis=1)).reshape(-1)
    return float(n_both @ same[classes])


class SharedErrorsMixin(OptionsMixin, UndefinedMixin):
    """Mixin for measures of which wrong answers models share."""

    _undefined_when = "No row is wrong for two models (or for any)"
    _parameter_constraints: dict = {
        "given": [StrOptions({"both", "either"})],
        "chance": [StrOptions({"uniform", "marginals"})],
        "n_options": OPTIONS_CONSTRAINT,
        "abstain": ABSTAIN_CONSTRAINT,
        "replace_undefined_by": replacement_constraint(0, 1),
    }

    def __init__(
        self,
        given="both",
        *,
        chance="uniform",
        n_options=None,
        abstain=None,
        replace_undefined_by=np.nan,
    ):
        self.given = given
        self.chance = chance
        self.n_options = n_options
        self.abstain = abstain
        self.replace_undefined_by = replace_undefined_by

    def _view(self, X, xp, y_true, n_options=None):
        options = self._options_of(X.shape[0], n_options, xp=xp)
        is_wrong = y_true != X
        if self.abstain is None:
            return Answers(X, y_true, is_wrong, options)
        return Answers(X, y_true, is_wrong, options, answered(X, self.abstain, xp))

    def _rate(self, same, both, either):
        total = both if self.given == "both" else either
        return same / total if total else float("nan")

    def _against_chance(self, sums, expected):
        """Details of the counts of equal, joint and any errors and of chance."""
        same, both, either = (int(count) for count in sums)
        rate, chance = (
            self._rate(same, both, either),
            self._rate(expected, both, either),
        )
        kappa = (rate - chance) / (1 - chance) if chance != 1 else float("nan")
        return {
            "kappa_": kappa,
            "chance_": chance,
            "n_same_wrong_": same,
            "n_both_wrong_": both,
            "n_either_wrong_": either,
        }

    def _min_samples(self):
        return 1


def shared_error_tags(**own):
    """Tags of a measure of which wrong answers models share."""
    return correctness_tags(
        view_keywords=("y_true", "n_options"),
        # of another class other answers are wrong
        exchangeable_within="y_true",
        orientation="similarity",
        bounds=(0, 1),
        reference="Kim et al. 2025",
        **own,
    )
