"""How much work a comparison is, counted rather than timed.

The tag ``complexity`` says how many operations on numbers one comparison takes. Divided
by the width of a row it is a number of row operations: one row added to, multiplied by
or compared with another.
"""

import math
import re
from numbers import Integral

from sksim.base._tags import tags_of

_TOKEN = re.compile(r"\s*([a-z]+|\d+(?:\.\d+)?|[+^()])")
# Formulas end where their explanation begins.
_EXPLANATION = re.compile(r",| for | to ")
# Parameters of measures that a formula names by one letter, or a word.
_PARAMETERS = {
    "b": ("batch_size", "n_subsets", "n_draws"),
    "s": ("subset_size",),
    "k": ("n_neighbors", "k"),
    "p": ("n_probes",),
    "steps": ("max_iter",),
}
# What a formula is taken for that can't be read: all pairs of rows.
_UNREADABLE = "n^2 d"


def row_operations(comparison, widths):
    """Row operations of one comparison, as if its views were made for it alone.

    Permutations and intervals keep the views, so that this is the most they take.

    Parameters
    ----------
    comparison : Comparison or GroupComparison
    widths : sequence of int
        Numbers of columns of both sides.

    Returns
    -------
    operations : float
    """
    n_samples = comparison.n_samples
    # a view of more columns than rows is an n x n factor
    width = max(1, min(n_samples, max(widths)))
    formula = _EXPLANATION.split(tags_of(comparison.owner).complexity)[0]
    known = _Terms(comparison.measure, n_samples, width)
    try:
        operations = evaluate(formula, known)
    except ValueError:
        formula, operations = _UNREADABLE, evaluate(_UNREADABLE, known)
    is_wide = {"d", "c"} & set(_TOKEN.findall(formula))
    return operations / width if is_wide else operations


class _Terms:
    """What the letters of a formula stand for."""

    def __init__(self, measure, n_samples, width):
        self.measure = measure
        self.values = {"n": n_samples, "d": width, "c": width, "l": 2}

    def __getitem__(self, name):
        if name in self.values:
            return self.values[name]
        given = [getattr(self.measure, p, None) for p in _PARAMETERS.get(name, ())]
        given = [value for value in given if isinstance(value, Integral)]
        if not given:
            # a number of rounds or of neighbours: tens, whatever it is exactly
            return 10
        # no subset has more rows than there are, no batch either
        return min(given[0], self.values["n"]) if name in ("s", "k") else given[0]


def evaluate(formula, terms):
    """Value of a formula such as "n^2 (d + log n)".

    Parameters
    ----------
    formula : str
    terms : mapping of str to float

    Returns
    -------
    value : float

    Raises
    ------
    ValueError
        If it is no formula.
    """
    tokens = _TOKEN.findall(formula)
    if "".join(tokens) != "".join(formula.split()) or not tokens:
        raise ValueError(f"{formula!r} is no formula.")
    reader = _Reader(tokens, terms)
    value = reader.sum()
    if reader.tokens:
        raise ValueError(f"{formula!r} is no formula.")
    return float(value)


class _Reader:
    """Sums of products of powers; what stands side by side is multiplied."""

    def __init__(self, tokens, terms):
        self.tokens, self.terms = list(tokens), terms

    def sum(self):
        value = self._product()
        while self._takes("+"):
            value += self._product()
        return value

    def _product(self):
        value = self._power()
        while self.tokens and self.tokens[0] not in "+)":
            value *= self._power()
        return value

    def _power(self):
        base = self._atom()
        return base ** self._atom() if self._takes("^") else base

    def _atom(self):
        if not self.tokens:
            raise ValueError("A formula ends too early.")
        token = self.tokens.pop(0)
        if token == "(":
            value = self.sum()
            if not self._takes(")"):
                raise ValueError("A bracket is not closed.")
            return value
        if token == "log":
            return math.log(self._atom() + 1)
        if token.isalpha():
            return self.terms[token]
        if not token[0].isdigit():
            raise ValueError(f"A formula has {token!r} where a number should be.")
        return float(token)

    def _takes(self, token):
        if self.tokens and self.tokens[0] == token:
            return bool(self.tokens.pop(0))
        return False
