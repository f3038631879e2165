"""Tests over subjects: of means of numbers of which each has a sign."""

from dataclasses import dataclass

import numpy as np
from scipy import special
from sklearn.utils import check_random_state

from sksim.inference._result import permutation_pvalue
from sksim.inference._step_down import step_down

# What is the same up to rounding ties, at the least within this.
_TIED = 1e-12


def chosen_test(method, n_subjects, level):
    """Signs are flipped where enough of them can be told apart, two-sided.

    With six subjects one p-value in 32 is below .05 (.03 where the level is .05), and
    with five none; from seven on the level was .04 to .05 for models that have nothing
    in common, of which four were compared.

    Parameters
    ----------
    method : {"auto", "sign_flip", "t"}
    n_subjects : int
    level : float
    """
    if method != "auto":
        return method
    return "sign_flip" if 3 * 2.0 ** (1 - n_subjects) <= level * (1 + _TIED) else "t"


@dataclass(frozen=True)
class SubjectTest:
    """Directions that are equally likely if a mean over subjects is 0.

    With numbers d of all subjects, the statistic is the cosine of d and of the vector
    of ones, which grows with Student's t. Under the null hypothesis each subject's
    number could as well have the other sign ("sign_flip"), or, if numbers are normal,
    d points in any direction ("t"): the cosine is then that of d and of any other such
    direction. All columns take the same, so that what they have in common is kept.

    Attributes
    ----------
    method : {"sign_flip", "t"}
    directions : array of shape (n_directions, n_subjects)
        Of unit length.
    exact : bool
        Whether these are all, the vector of ones among them.
    """

    method: str
    directions: np.ndarray
    exact: bool

    @classmethod
    def of(cls, method, n_subjects, n_permutations, random_state):
        """Test with all signs, where these are few, or with random directions."""
        exact = method == "sign_flip" and 2.0**n_subjects <= n_permutations + 1
        rng = check_random_state(random_state)
        if exact:
            numbers = np.arange(2**n_subjects)[:, None]
            found = 1.0 - 2.0 * (numbers >> np.arange(n_subjects) & 1)
        elif method == "sign_flip":
            found = rng.choice([-1.0, 1.0], size=(n_permutations, n_subjects))
        else:
            found = rng.normal(size=(n_permutations, n_subjects))
        found /= np.linalg.norm(found, axis=1, keepdims=True)
        return cls(method, found, exact)

    def pvalues(self, values, *, two_sided, rounding):
        """P-value of each column, and corrected for their number.

        Parameters
        ----------
        values : array of shape (n_subjects, n_columns)
        two_sided : bool
            Else means above 0 are extreme.
        rounding : float
            Difference below which two values are equal.

        Returns
        -------
        pvalues, adjusted : arrays of shape (n_columns,)
            The latter by step-down over all columns (Westfall and Young).
        """
        n_subjects = len(values)
        norms = np.linalg.norm(values, axis=0)
        is_zero = norms <= rounding * np.sqrt(n_subjects)
        lengths = np.where(is_zero, 1.0, norms)
        cosines = np.where(is_zero, 0.0, values / lengths)
        observed = cosines.sum(axis=0) / np.sqrt(n_subjects)
        null = self.directions @ cosines
        if two_sided:
            observed, null = np.abs(observed), np.abs(null)
        units = np.clip(rounding * np.sqrt(n_subjects) / lengths, _TIED, 1.0)
        if self.method == "t":
            pvalues = _of_cosines(observed, n_subjects, two_sided)
        else:
            pvalues = np.array(
                [
                    permutation_pvalue(
                        score, column, "greater", rounding=unit, exact=self.exact
                    )
                    for score, column, unit in zip(observed, null.T, units, strict=True)
                ]
            )
        if len(pvalues) == 1:
            return pvalues, pvalues
        adjusted = step_down(
            observed, list(null.T), pvalues, rounding=units, exact=self.exact
        )
        return pvalues, adjusted


def _of_cosines(cosines, n_subjects, two_sided):
    """P-values of Student's t, which is that of a cosine of so many dimensions."""
    degrees = n_subjects - 1
    with np.errstate(divide="ignore"):
        t = cosines * np.sqrt(degrees / np.maximum(1 - cosines**2, 0))
    return special.stdtr(degrees, -t) * (2 if two_sided else 1)
