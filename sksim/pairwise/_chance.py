"""What may change places for each measure of a table, and its p-values together."""

from dataclasses import dataclass

import numpy as np

from sksim.base._confounder import classes_of_confounder
from sksim.base._readable import is_text
from sksim.base._validation import check_groups
from sksim.inference._step_down import holm, step_down
from sksim.pairwise._measures import first_in_line


class Designs:
    """What changes places under the null hypothesis of each measure.

    Parameters
    ----------
    groups, strata, permute : as of `compare`
    y_true : array-like or None
        Classes, within which measures of outputs are tested unless something else is
        asked for.
    z : array-like or None
        Confounder, within whose classes measures that use it are tested.
    n_samples : int
    seed : int
        Of the orders, the same for all measures of one null hypothesis.
    """

    def __init__(self, groups, strata, permute, y_true, *, z=None, n_samples, seed):
        is_open = is_text(strata) and strata == "auto"
        self.strata = None if is_open else strata
        self.groups, self.permute, self.seed = groups, permute, seed
        self.classes, self.why_not = None, ""
        self.classes_of_z = None
        if is_open and groups is None and permute == "rows":
            self.classes_of_z = classes_of_confounder(z)
            if y_true is not None:
                self.classes, self.why_not = _classes(y_true, n_samples)

    def of(self, tags):
        """Design of a measure's test, the name of its null hypothesis, and a remark.

        Parameters
        ----------
        tags : SimilarityTags
        """
        design = {
            "groups": self.groups,
            "strata": self.strata,
            "permute": self.permute,
            "random_state": self.seed,
        }
        if tags.null == "exchange":
            return design, "models swapped", ""
        if tags.null == "features":
            return design, "features within rows", ""
        if "z" in tags.view_keywords and self.classes_of_z is not None:
            return {**design, "strata": self.classes_of_z}, "rows within z", ""
        if tags.family == "functional":
            if self.classes is not None:
                return {**design, "strata": self.classes}, "rows within classes", ""
            return design, self._name, self.why_not
        return design, self._name, ""

    @property
    def _name(self):
        if self.permute == "shift":
            return "shifts" if self.groups is None else "shifts of groups"
        units = "rows" if self.groups is None else "groups"
        return units if self.strata is None else f"{units} within strata"


def _classes(y_true, n_samples):
    """Class of each row as a number; or None, and why rows change places freely."""
    if getattr(y_true, "ndim", 1) != 1:
        return None, "y_true is not one class for each row"
    try:
        labels, codes = check_groups(y_true, n_samples, name="y_true")
    except (ValueError, TypeError):
        # the measures that use them say what is wrong with them
        return None, "y_true is not one class for each row"
    if labels.dtype.kind == "f" and np.any(labels != np.round(labels)):
        return None, "y_true is continuous"
    sizes = np.bincount(codes)
    if np.sum(sizes == 1) > n_samples / 2:
        return None, "most rows are alone in their class"
    return codes, ""


@dataclass(frozen=True)
class Tested:
    """What a row of the table leaves for the correction of p-values.

    Attributes
    ----------
    measure : BaseSimilarity
    statistic : hashable
        What the measure is a function of: see `statistic_of_two`.
    family : str
        Name of the null hypothesis.
    score, pvalue, rounding : float
    null : array of shape (n_orders,) or None
        Scores under the orders that the family shares; None where the p-value comes
        from somewhere else.
    exact : bool
        Whether these are all orders.
    """

    measure: object
    statistic: object
    family: str
    score: float
    pvalue: float
    rounding: float
    null: np.ndarray | None
    exact: bool


def corrected(labels, tested):
    """Columns ``pvalue_adjusted`` and ``same_as``.

    Parameters
    ----------
    labels : list of str
    tested : list of Tested or None
        None where a row has no p-value.

    Returns
    -------
    adjusted : list of float
    same_as : list of str
    """
    adjusted, same_as = [np.nan] * len(labels), [""] * len(labels)
    places = [i for i, each in enumerate(tested) if each is not None]
    heads = {}
    for k in first_in_line([tested[i].measure for i in places]):
        i = places[k]
        key = tested[i].family, tested[i].statistic
        heads.setdefault(key, i)
        if heads[key] != i:
            same_as[i] = labels[heads[key]]
    for family in {tested[i].family for i in places}:
        members = sorted(i for (name, _), i in heads.items() if name == family)
        for i, p in zip(members, _of_family([tested[i] for i in members]), strict=True):
            adjusted[i] = float(p)
    for i in places:
        adjusted[i] = adjusted[heads[tested[i].family, tested[i].statistic]]
    return adjusted, same_as


def _of_family(members):
    """Corrected p-values of the measures of one null hypothesis."""
    if any(each.null is None for each in members):
        return holm([each.pvalue for each in members])
    return step_down(
        [each.score for each in members],
        [each.null for each in members],
        [each.pvalue for each in members],
        rounding=[each.rounding for each in members],
        exact=members[0].exact,
    )
