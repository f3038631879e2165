"""Tables of the page on judged measures, from the data in the folder ``published``.

``python -m sksim.evaluation --full`` makes the data; ``conf.py`` has the directive that
puts a table where the page asks for it.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

import sksim
from generate import similarity_tags
from sksim.pairwise._measures import _FIRST_OF

HERE = Path(__file__).parent / "published"
# Short headings, in the order of the table; tests that nearly all measures pass last.
TESTS = {
    "quality_disagreement": "quality",
    "probe": "probe",
    "recovery_units": "units",
    "recovery_mixed": "mixed",
    "identification": "layers",
    "family": "family",
    "classical": "classical",
    "lineage_distilled": "distilled",
    "lineage_tuned": "tuned",
    "pruning_order": "pruning",
    "monotonicity": "order",
    "null_drift": "drift",
}
KINDS = {"representational": ["layers"], "functional": ["labels", "outputs", "models"]}
CONTROLS = ("PerformanceDifference", "Magnitude", "random")


@cache
def published():
    """Main metrics of all measures, with all kinds of data."""
    table = pd.read_csv(HERE / "table.csv", keep_default_na=False, na_values=[""])
    first = table.groupby(["data", "test"], sort=False)["metric"].transform("first")
    return table[table["metric"] == first]


def values(family):
    """Mean over kinds of data of each test, and its spread, as a table of text.

    Parameters
    ----------
    family : {"representational", "functional"}
    """
    table = published()
    kinds = table["kind"].isin(KINDS[family])
    table = table[kinds | table["measure"].isin(CONTROLS)]
    by = table.groupby(["measure", "test"], sort=False)["value"]
    mean, spread = by.mean(), by.agg(np.ptp)
    complete = by.count() == table["data"].nunique()
    names = sorted(set(table["measure"]) - set(CONTROLS), key=str.lower)
    rows = [["Measure", *TESTS.values()]]
    for name in [*names, *CONTROLS]:
        cells = [
            _value(mean.get((name, test)), spread.get((name, test)))
            if complete.get((name, test), False)
            else "–"
            for test in TESTS
        ]
        if name in CONTROLS or any(cell != "–" for cell in cells):
            rows.append([_named(name), *cells])
    return _list_table(rows)


def ranks(family):
    """Ranks of each test, best first, with the limits that other models could give.

    Parameters
    ----------
    family : {"representational", "functional"}
    """
    table = pd.read_csv(HERE / "ranks.csv")
    table = table[(table["family"] == family) & table["test"].isin(TESTS)]
    rows = [["Test", "First by mean rank over kinds of data (limits of the rank)"]]
    for test, heading in TESTS.items():
        best = table[table["test"] == test].sort_values("rank").head(6)
        if len(best):
            shown = ", ".join(
                f"{_named(row.measure)} {row.rank:.0f} ({row.low:.0f}–{row.high:.0f})"
                for row in best.itertuples()
            )
            rows.append([heading, shown])
    return _list_table(rows)


def _value(mean, spread):
    return f"{mean:.2f} ±{spread / 2:.2f}".replace("0.", ".").replace("-.", "−.")


def _named(name):
    """A link to a measure; parameters and controls are only named."""
    cls = getattr(sksim, name.partition("(")[0], None)
    if cls is None or name == "random":
        return name
    return f":class:`{name} <{cls.__module__.rpartition('.')[0]}.{cls.__name__}>`"


def _list_table(rows):
    lines = [".. list-table::", "   :header-rows: 1", "   :class: judged", ""]
    for row in rows:
        for place, cell in enumerate(row):
            lines.append(f"   {'* -' if place == 0 else '  -'} {cell}")
    return "\n".join(lines)


# Of the way from chance to the best score that unrelated rows may go by being few.
MOST_DRIFT = 0.95
# What finds scale or shape finds families and layers, and recovers no model.
LEAST_RECOVERY = 0.9

# ----- defaults -----------------------------------------------------------------------

# What a measure of representations must find for a task, and of outputs.
OF_REPRESENTATIONS = {
    "same_architecture": (
        *("quality_disagreement", "probe", "identification"),
        *("recovery_units", "recovery_mixed"),
    ),
    "copy": (
        *("lineage_distilled", "lineage_tuned", "pruning_order"),
        *("quality_disagreement", "probe"),
    ),
    "different_kinds": ("classical", "family", "quality_disagreement", "probe"),
    "recordings": ("recovery_units", "recovery_mixed", "quality_disagreement"),
}


def eligible(name):
    """Whether a measure of representations can be a default.

    It compares row by row and in both directions alike, needs nothing that is not at
    hand, has an interval, does not give unrelated rows the best score where they are
    few, and finds the model that noisy units are of.
    """
    cls = getattr(sksim, name, None)
    if cls is None:
        return False
    tags = _tags(name)
    return (
        tags.inputs == "representation"
        and tags.paired
        and tags.symmetric
        and "jackknife" in tags.intervals
        and "y_true" not in tags.requires
        and tags.extra is None
        and _extreme(name, "null_drift", max) < MOST_DRIFT
        and _extreme(name, "recovery_units", min) >= LEAST_RECOVERY
    )


def _extreme(name, test, which):
    """Largest or smallest value of a measure in a test over kinds of data, or nan."""
    table = published()
    rows = table[(table["measure"] == name) & (table["test"] == test)]
    complete = len(rows) == table["data"].nunique() and rows["value"].notna().all()
    return which(rows["value"]) if complete else np.nan


def _tags(name):
    return similarity_tags(getattr(sksim, name))


def mean_ranks(task):
    """Mean rank of each measure of representations in the tests of a task.

    Parameters
    ----------
    task : str

    Returns
    -------
    ranks : Series
        Of measures with a value in each test with each kind of data, best first.
    """
    table = published()
    tests = OF_REPRESENTATIONS[task]
    rows = table[(table["kind"] == "layers") & table["test"].isin(tests)]
    ranks = rows.groupby(["data", "test"])["value"].rank(ascending=False)
    by = ranks.groupby(rows["measure"])
    complete = by.count() == len(tests) * table["data"].nunique()
    return by.mean()[complete].sort_values(kind="stable")


def defaults(task, n=3):
    """The first eligible measures by mean rank, one of each family.

    Measures that are one statistic go by the name of the first of them.

    Parameters
    ----------
    task : str
    n : int

    Returns
    -------
    names : list of str
    """
    found = {}
    for name in mean_ranks(task).index:
        name = _FIRST_OF.get(name, name)
        if eligible(name):
            found.setdefault(_tags(name).family, name)
    return list(found.values())[:n]


# What a measure of outputs must find: which models differ on rows of another kind, and
# how they were made.
OF_OUTPUTS = (
    *("quality_shifted", "family", "classical"),
    *("lineage_distilled", "lineage_tuned", "lineage_pruned50"),
)
# The questions that one measure each answers, and what is true of its tags.
QUESTIONS = {
    "answers": lambda t: t.inputs == "labels" and "y_true" not in t.requires,
    "probabilities": lambda t: (
        t.inputs == "probabilities" and "y_true" not in t.requires
    ),
    "errors": lambda t: t.inputs == "labels" and "y_true" in t.requires,
    "errors, by probabilities": lambda t: (
        t.inputs == "probabilities" and "y_true" in t.requires
    ),
}
# Agreement about errors must not rest on how many there are.
MOST_DRIFT_OF_ERRORS = 0.05
# Values of outputs that differ by less than about their error count as equal.
ROUNDING = 0.05
# Mean ranks that differ by less count as equal, too.
SAME_RANK = 0.5


def defaults_of_outputs():
    """The first eligible measure of each question by mean rank over all tests.

    Returns
    -------
    names : list of str
    """
    table = published()
    is_one = table["kind"].isin(["labels", "outputs"]) & table["test"].isin(OF_OUTPUTS)
    rows = table[is_one]
    found = []
    for question, belongs in QUESTIONS.items():
        limit = MOST_DRIFT_OF_ERRORS if "errors" in question else np.inf
        names = [
            name
            for name in rows["measure"].unique()
            for tags in [_tags(name)]
            if belongs(tags)
            and tags.arity == "pair"
            and tags.symmetric
            and tags.intervals
            and (limit == np.inf or _extreme(name, "null_drift", max) < limit)
        ]
        mine = rows[rows["measure"].isin(names)]
        rounded = (mine["value"] / ROUNDING).round()
        ranks = rounded.groupby([mine["data"], mine["test"]]).rank(ascending=False)
        order = ranks.groupby(mine["measure"]).mean()
        # of equals one with an exact interval, as shares of rows have
        best = order.index[order <= order.min() + SAME_RANK]
        has_exact = [name for name in best if "exact" in _tags(name).intervals]
        found.append([*has_exact, *best][0])
    return found


def table_of_defaults(_):
    """The panel of representations of each task, with mean ranks."""
    rows = [["Task", "Measures of representations (mean rank)"]]
    for task in OF_REPRESENTATIONS:
        ranks = mean_ranks(task)
        shown = ", ".join(f"{_named(n)} ({ranks[n]:.1f})" for n in defaults(task))
        rows.append([task.replace("_", " "), f"{shown}, of {len(ranks)}"])
    return _list_table(rows)


TABLES = {"values": values, "ranks": ranks, "defaults": table_of_defaults}
