"""The table of measures by tests: values, what they rest on, differences and ranks."""

import itertools
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from scipy import stats

from sksim._results import ResultMixin
from sksim.evaluation._compare_protocols import paired_differences
from sksim.inference._step_down import holm

_KEYS = ["data", "measure", "test", "metric"]
_TABLE, _LEAVE_ONE_OUTS = "table.csv", "leave_one_outs.csv"
# Fewer kinds of data say nothing of data that were not tried.
_LEAST_DATA = 3
_TAIL = 0.025


@dataclass(frozen=True)
class MeasureTable(ResultMixin):
    """Result of :func:`evaluate_measures`: how measures do in all tests.

    Parameters
    ----------
    table : DataFrame
        One row for each kind of data, measure, test and metric: ``value``,
        ``standard_error`` over models, ``low`` and ``high`` (95 %), ``chance``,
        ``n_models``, ``kind`` (what the measure compares: "layers", "labels",
        "outputs", "models" or something else; or "control"), ``seconds`` of the
        comparisons of the test's matrix, and ``failure``: why there is no value, or an
        empty string.
    leave_one_outs : DataFrame
        The values without each model, in long form: ``data``, ``measure``, ``test``,
        ``metric``, ``model``, ``stratum`` and ``value``.
    matrices : dict of tuple to DataFrame
        Scores by (data, measure, name of the matrix); empty if they were not kept.

    See Also
    --------
    evaluate_measures : Makes the table.
    sksim.plot.MeasureRanksDisplay : Draws ranks and values.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.datasets import ModelZoo
    >>> from sksim.evaluation import evaluate_measures
    >>> rng = np.random.default_rng(0)
    >>> common = rng.normal(size=(3, 40, 5))
    >>> levels = np.repeat([0, 50, 100], 4)
    >>> layers = {
    ...     f"m{i}": {"last": common[level // 50] + rng.normal(size=(40, 5))}
    ...     for i, level in enumerate(levels)
    ... }
    >>> records = {"model_id": list(layers), "part": "labels", "level": levels}
    >>> zoo = ModelZoo.from_arrays(records, layers)
    >>> result = evaluate_measures(["CKA", "RSA"], zoo, tests=["labels"])
    >>> result.compare("CKA", "RSA", "labels", "auroc").columns[:3].tolist()
    ['data', 'difference', 'standard_error']
    """

    table: pd.DataFrame
    leave_one_outs: pd.DataFrame
    matrices: dict = field(default_factory=dict, repr=False)

    def to_frame(self) -> pd.DataFrame:
        """Values of the main metric of each test.

        Returns
        -------
        frame : DataFrame of shape (n_measures, n_tests)
            nan where a measure has none.
        """
        return main_metrics(self.table).pivot_table(
            values="value",
            index=["data", "measure"],
            columns="test",
            sort=False,
            dropna=False,
        )

    def compare(
        self,
        a: str,
        b: str,
        test: str,
        metric: str | None = None,
        *,
        resampled_train: float | None = None,
    ) -> pd.DataFrame:
        """Test whether one of two measures does better.

        Parameters
        ----------
        a, b : str
            Names of two measures.
        test : str
            Name of a test that both were tried in.
        metric : str, default=None
            Which metric; None for the main one.
        resampled_train : float, default=None
            Number of rows tested on over that trained on, see :func:`grouping`.

        Returns
        -------
        comparison : DataFrame
            One row for each kind of data: the ``difference`` of a and b, its
            ``standard_error`` by the jackknife over models of both at once, ``t`` with
            ``df`` degrees of freedom, ``pvalue``, and ``pvalue_corrected`` for the
            number of kinds (Holm). With three kinds or more a last row, "all", of the
            mean, whose error is the spread between kinds: measures that are better with
            one kind of data are not with another.

        Raises
        ------
        ValueError
            If a measure has no value in the test with any kind of data.
        """
        rows = []
        for data in self.table["data"].unique():
            values, without, strata = {}, {}, {}
            for measure in (a, b):
                found = self._value(data, measure, test, metric)
                if found is None:
                    break
                values[measure], without[measure], strata[measure] = found
            if len(values) < 2 or not strata[a].equals(strata[b]):
                continue
            table = paired_differences(
                values, without, strata[a], resampled_train=resampled_train
            )
            rows.append({"data": data, **table.iloc[0].drop(["first", "second"])})
        if not rows:
            raise ValueError(
                f"{a!r} and {b!r} have no values in the test {test!r} with the same "
                "models and data: see the column 'failure' of the table."
            )
        table = pd.DataFrame(rows).astype({"df": int})
        tested = table["pvalue"].notna()
        table["pvalue_corrected"] = np.nan
        if tested.any():
            table.loc[tested, "pvalue_corrected"] = holm(table.loc[tested, "pvalue"])
        if len(table) >= _LEAST_DATA:
            table.loc[len(table)] = _over_data(table["difference"])
        return table

    def _value(self, data, measure, test, metric):
        """Value, values without each model, and strata; None if there is none."""
        rows = self.table[
            (self.table["data"] == data)
            & (self.table["measure"] == measure)
            & (self.table["test"] == test)
        ]
        if metric is not None:
            rows = rows[rows["metric"] == metric]
        if not len(rows) or math.isnan(rows["value"].iloc[0]):
            return None
        row = rows.iloc[0]
        long = self.leave_one_outs
        mine = long[np.logical_and.reduce([long[k] == row[k] for k in _KEYS])]
        mine = mine.set_index("model")
        return row["value"], mine["value"], mine["stratum"]

    def ranks(
        self,
        *,
        tests: Sequence[str] | None = None,
        metrics: Sequence[str] | None = None,
        by: str = "test",
        n_draws: int = 1000,
        random_state: int = 0,
    ) -> pd.DataFrame:
        """Ranks of measures, with what they could be with other models.

        Parameters
        ----------
        tests : list of str, default=None
            Which tests; None for all but "null_drift", of which less is better.
        metrics : list of str, default=None
            Which metrics; None for the main one of each test.
        by : {"test", "mean"}, default="test"
            Whether each test has ranks of its own, or the mean over tests is taken. The
            mean says as much as the choice of the tests: it is no verdict.
        n_draws : int, default=1000
            Draws behind the limits.
        random_state : int, default=0
            Seed of the draws.

        Returns
        -------
        ranks : DataFrame
            For each test, metric and ``family`` ("representational" or "functional";
            controls are in both) the ``rank`` of each measure, 1 for the best, the mean
            over kinds of data, with limits ``low`` and ``high`` that 95 % of the draws
            keep, and ``n_tests``. Measures without a value have no rank.

        Raises
        ------
        ValueError
            If there is no such test or metric, or ``by`` is something else.

        Notes
        -----
        Each draw moves all measures and tests by the same models: what leaving out a
        model changes, times a normal number of that model. The limits are given the
        tests and the data.
        """
        if by not in ("test", "mean"):
            raise ValueError(f"by must be 'test' or 'mean', got {by!r}.")
        chosen = self._chosen(tests, metrics)
        draws = self._draws(chosen, n_draws, random_state)
        found = []
        for family, kinds in _FAMILIES.items():
            rows = chosen[chosen["kind"].isin([*kinds, "control"])]
            for _, of_test in rows.groupby(["data", "test", "metric"], sort=False):
                if not of_test["kind"].isin(kinds).any():
                    continue
                ranks = stats.rankdata(-draws[of_test.index], axis=0)
                found += [
                    (family, row.test, row.metric, row.measure, ranks[place])
                    for place, row in enumerate(of_test.itertuples())
                ]
        return _summary_of_ranks(found, by)

    def _chosen(self, tests, metrics):
        """Rows with values, of the tests and metrics that are meant."""
        table = self.table
        for column, wanted in (("test", tests), ("metric", metrics)):
            unknown = set(wanted or ()) - set(table[column])
            if unknown:
                raise ValueError(
                    f"The table has no {column} {sorted(unknown)}, but "
                    f"{sorted(table[column].unique())}."
                )
        if tests is None:
            table = table[table["test"] != "null_drift"]
        else:
            table = table[table["test"].isin(tests)]
        if metrics is None:
            table = main_metrics(table)
        else:
            table = table[table["metric"].isin(metrics)]
        table = table[np.isfinite(table["value"])].reset_index(drop=True)
        if not len(table):
            raise ValueError("No measure has a value in these tests.")
        return table

    def _draws(self, chosen, n_draws, random_state):
        """The values, and values as they could be, in columns."""
        long = self.leave_one_outs
        by_key = dict(iter(long.groupby(_KEYS, sort=False)))
        found = np.empty((len(chosen), n_draws + 1))
        for place, row in chosen.iterrows():
            moved = np.zeros(n_draws)
            mine = by_key.get(tuple(row[_KEYS]))
            if mine is not None and np.isfinite(mine["value"]).all():
                weights = _weights(row["data"], mine["model"], n_draws, random_state)
                moved = _influence(mine) @ weights
            found[place] = row["value"] + np.append(0.0, moved)
        # what is tied in the table stays tied
        return found.round(12)

    def to_csv(self, folder: str | PathLike) -> None:
        """Write the table, and the values without each model, as two CSV files.

        Parameters
        ----------
        folder : path
            Made if it is not there.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.table.to_csv(folder / _TABLE, index=False)
        self.leave_one_outs.to_csv(folder / _LEAVE_ONE_OUTS, index=False)

    @classmethod
    def from_csv(cls, folder: str | PathLike) -> Self:
        """Read what :meth:`to_csv` wrote.

        Parameters
        ----------
        folder : path
            Where the two files are.

        Returns
        -------
        table : MeasureTable
            Without matrices.
        """
        folder = Path(folder)
        text = {"failure": str, "model": str, "stratum": str}
        # an empty failure is no missing one
        tables = [
            pd.read_csv(
                folder / name,
                dtype={k: v for k, v in text.items() if k in header},
                keep_default_na=False,
                na_values={"value": "", "standard_error": "", "low": "", "high": ""}
                | {"chance": "", "seconds": ""},
            )
            for name in (_TABLE, _LEAVE_ONE_OUTS)
            for header in [pd.read_csv(folder / name, nrows=0).columns]
        ]
        return cls(*tables)


_FAMILIES = {
    "representational": ("layers",),
    "functional": ("labels", "outputs", "models"),
}


def main_metrics(table):
    """Rows of the first metric of each test.

    Parameters
    ----------
    table : DataFrame
        As of `MeasureTable`.
    """
    first = table.groupby(["data", "test"], sort=False)["metric"].transform("first")
    return table[table["metric"] == first]


def _over_data(differences):
    """Row of the mean over kinds of data, which are the units."""
    n = len(differences)
    error = float(np.std(differences, ddof=1) / n**0.5)
    t = float(np.mean(differences)) / error if error > 0 else math.nan
    pvalue = 2 * float(stats.t.sf(abs(t), n - 1))
    return {
        "data": "all",
        "difference": float(np.mean(differences)),
        "standard_error": error,
        "t": t,
        "df": n - 1,
        "pvalue": pvalue,
        "pvalue_corrected": pvalue,
    }


def _influence(mine):
    """What each model does to a value, so that the squares sum to the variance."""
    values = mine["value"].to_numpy()
    strata = mine["stratum"].to_numpy()
    found = np.zeros(len(values))
    for stratum in dict.fromkeys(strata):
        of_group = strata == stratum
        n = of_group.sum()
        away = values[of_group] - values[of_group].mean()
        found[of_group] = away * ((n - 1) / n) ** 0.5
    return found


def _weights(data, models, n_draws, random_state):
    """Normal numbers of each model, the same in all tests that it is in."""
    rows = [
        np.random.default_rng(
            (random_state, zlib.crc32(f"{data}/{model}".encode()))
        ).normal(size=n_draws)
        for model in models
    ]
    return np.array(rows)


def _summary_of_ranks(found, by):
    """Mean ranks over kinds of data, and over tests, with limits."""
    keys = ["family", "test", "metric", "measure"]
    groups = {}
    for *names, ranks in found:
        name = (names[0], names[3]) if by == "mean" else tuple(names)
        groups.setdefault(name, []).append((names[1], ranks))
    rows = []
    for name, parts in groups.items():
        mean = np.mean([ranks for _, ranks in parts], axis=0)
        low, high = np.quantile(mean[1:], [_TAIL, 1 - _TAIL])
        columns = ["family", "measure"] if by == "mean" else keys
        rows.append(
            {
                **dict(zip(columns, name, strict=True)),
                "rank": float(mean[0]),
                "low": float(min(low, mean[0])),
                "high": float(max(high, mean[0])),
                "n_tests": len({test for test, _ in parts}),
            }
        )
    order = ["family"] if by == "mean" else ["family", "test", "metric"]
    table = pd.DataFrame(rows)
    return table.sort_values([*order, "rank"], kind="stable", ignore_index=True)


def joined(tables):
    """One table of several.

    Parameters
    ----------
    tables : list of MeasureTable

    Returns
    -------
    table : MeasureTable
    """
    without = [t.leave_one_outs for t in tables]
    # an empty table has no types that pandas could keep
    without = [table for table in without if len(table)] or without[:1]
    return MeasureTable(
        pd.concat([t.table for t in tables], ignore_index=True),
        pd.concat(without, ignore_index=True),
        dict(itertools.chain.from_iterable(t.matrices.items() for t in tables)),
    )
