"""One self-contained HTML file of tables and pictures."""

import base64
import io
import math
import platform
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import scipy
import sklearn

from sksim._results import ResultMixin
from sksim.report._bars import bars
from sksim.report._svg import heat_map
from sksim.report._template import render

_HEADINGS = {
    "null_mean": "chance (null mean)",
    "calibrated_score": "calibrated score",
    "pvalue": "p-value",
    "pvalue_adjusted": "p-value, adjusted",
    "same_as": "same as",
    "interval": "interval of the score",
}
_EXPLANATION = (
    "Score: greater is more similar for every measure; of a distance it is minus the "
    "value. Chance: the mean score when rows are paired at random. Calibrated score: "
    "0 at chance, 1 at best. p-value: the share of random pairings that score at "
    "least as high; what was paired at random is in the column null. Adjusted: for the "
    "number of measures with that null."
)
_EXPLANATION_OF_INTERVALS = (
    " Interval: how far the score would vary with other inputs, at a confidence of "
    "{level:g} %."
)

_WORDS = re.compile("(?<=[a-z])(?=[A-Z])")


def write_report(
    tables: pd.DataFrame | ResultMixin | Mapping[str, pd.DataFrame | ResultMixin],
    path: str | PathLike | None = None,
    *,
    title: str = "Similarity of models",
    figures: Mapping[str, object] | None = None,
    text: str = "",
    call: str | None = None,
) -> str:
    """Write results as one HTML file that opens anywhere, without a network.

    Parameters
    ----------
    tables : DataFrame or result, or dict of str to any of these
        Tables, such as those of :func:`sksim.pairwise.compare`; keys are headings. A
        table with calibrated scores also becomes a picture of them. Results with a
        ``to_frame()``, such as those of :func:`sksim.inference.replicate_test`, are
        tables too.
    path : str or path-like, default=None
        File to write; None only returns the text.
    title : str, default="Similarity of models"
        Heading of the page.
    figures : dict of str to DataFrame or matplotlib Figure, default=None
        Pictures with their captions: a DataFrame, such as that of
        :func:`sksim.pairwise.similarity_matrix`, is drawn as a heat map.
    text : str, default=""
        A paragraph below the heading.
    call : str, default=None
        The call or command that made the results. None takes it from the tables.

    Returns
    -------
    html : str
        The page.

    Raises
    ------
    ImportError
        If jinja2 is not installed, which the extra ``report`` brings.

    Notes
    -----
    Names are escaped, so that nothing in them is taken for HTML. Tables are sorted by a
    click on a heading.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.pairwise import compare
    >>> from sksim.report import write_report
    >>> X = np.random.default_rng(0).normal(size=(50, 3))
    >>> html = write_report(compare(X, X**3, measures="CKA", random_state=0))
    >>> html.startswith("<!DOCTYPE html>"), "CKA" in html
    (True, True)
    """
    if _is_table(tables):
        tables = {"Measures": tables}
    _check_contents(tables, figures)
    tables = {heading: _as_frame(table) for heading, table in tables.items()}
    calls = [call] if call else [t.attrs.get("call") for t in tables.values()]
    page = render(
        "page.html",
        title=title,
        text=text,
        tables=[_table(heading, table) for heading, table in tables.items()],
        figures=[_figure(str(k), f) for k, f in (figures or {}).items()],
        calls=list(dict.fromkeys(filter(None, calls))),
        now=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        versions=_versions(),
    )
    html = str(page)
    if path is not None:
        Path(path).write_text(html, encoding="utf-8")
    return html


def _is_table(table):
    """Whether this is a DataFrame, or a result that gives one."""
    return isinstance(table, pd.DataFrame) or (
        isinstance(table, ResultMixin) and hasattr(table, "to_frame")
    )


def _as_frame(table):
    return table if isinstance(table, pd.DataFrame) else table.to_frame()


def _check_contents(tables, figures):
    if not isinstance(tables, Mapping) or not all(map(_is_table, tables.values())):
        raise ValueError(
            "tables must be a DataFrame, a result with to_frame(), or a dict of these, "
            f"got {type(tables).__name__}."
        )
    for caption, figure in (figures or {}).items():
        if not isinstance(figure, pd.DataFrame) and not hasattr(figure, "savefig"):
            raise ValueError(
                f"The figure {caption!r} must be a DataFrame or a matplotlib Figure, "
                f"got {type(figure).__name__}."
            )


# ----- tables -----------------------------------------------------------------------


def _table(heading, table):
    """What the template of a table names."""
    contents = {"heading": heading, "explanation": "", "bars": None}
    if {"measure", "calibrated_score", "pvalue"} <= set(table.columns):
        contents |= {"explanation": _explanation(table), "bars": _bars(table)}
        table = join_limits(table).drop(columns=_empty_words(table))
    elif _has_names(table.index):
        table = join_limits(table.reset_index())
    footnotes, marks = number_notes(table.get("note", []))
    if "note" in table:
        table = table.assign(note=marks) if footnotes else table.drop(columns="note")
    kinds = ["number" if is_number(table[name]) else "text" for name in table.columns]
    return contents | {
        "columns": [
            {"heading": _HEADINGS.get(name, str(name)), "kind": kind}
            for name, kind in zip(table.columns, kinds, strict=True)
        ],
        "rows": [
            [
                _number(value, name) if kind == "number" else _name(value)
                for value, name, kind in zip(row, table.columns, kinds, strict=True)
            ]
            for row in table.itertuples(index=False)
        ],
        "footnotes": footnotes,
    }


def _empty_words(table):
    """Columns of words of which none is said."""
    words = [name for name in ("null", "same_as") if name in table]
    return [name for name in words if not table[name].astype(bool).any()]


def number_notes(notes):
    """Different notes in order, and for each row the number of its own.

    Parameters
    ----------
    notes : iterable of str
        Empty where there is none.

    Returns
    -------
    footnotes : list of str
    marks : list of str
        "[1]", "[2]", ..., or empty.
    """
    notes = ["" if pd.isna(note) else note for note in notes]
    footnotes = list(dict.fromkeys(filter(None, notes)))
    return footnotes, [f"[{footnotes.index(n) + 1}]" if n else "" for n in notes]


def _explanation(table):
    level = table.attrs.get("confidence_level")
    if level is None:
        return _EXPLANATION
    return _EXPLANATION + _EXPLANATION_OF_INTERVALS.format(level=100 * level)


def join_limits(table):
    """One column of pairs in place of two columns of limits.

    Parameters
    ----------
    table : DataFrame
        Of :func:`sksim.pairwise.compare`; without any limits, their columns go.
    """
    if not {"interval_low", "interval_high"} <= set(table.columns):
        return table
    pairs = [*zip(table["interval_low"], table["interval_high"], strict=True)]
    place = table.columns.get_loc("interval_low")
    joined = table.drop(columns=["interval_low", "interval_high"])
    if table["interval_low"].notna().any():
        joined.insert(place, "interval", pairs)
    return joined


def _has_names(index):
    return not isinstance(index, pd.RangeIndex)


def _bars(table):
    """Picture of the calibrated scores, as far as there are any."""
    drawn = table[np.isfinite(table["calibrated_score"])]
    if drawn.empty:
        return None
    notes = [
        f"{row.calibrated_score:.2f}, p = {format_pvalue(row.pvalue)}"
        for row in drawn.itertuples()
    ]
    limits = _calibrated_limits(drawn)
    caption = "Calibrated scores: how far from chance to the best possible"
    return {
        "caption": caption if limits is None else f"{caption}, with intervals",
        "picture": bars(
            drawn["measure"], drawn["calibrated_score"], notes=notes, limits=limits
        ),
    }


def _calibrated_limits(table):
    """Limits of the calibrated scores, or None where there are no intervals."""
    if "interval_low" not in table or table["interval_low"].isna().all():
        return None
    # a calibrated score is linear in the score: (score - chance) / (best - chance)
    best = (table["score"] - table["null_mean"]) / table["calibrated_score"]
    ends = [
        (table[name] - table["null_mean"]) / best
        for name in ("interval_low", "interval_high")
    ]
    return [*zip(*ends, strict=True)]


def _number(value, name):
    key = value[0] if name == "interval" else value
    exact = "" if pd.isna(key) else repr(float(key))
    return {"css": "number", "key": exact, "words": [format_number(value, name)]}


def _name(value):
    shown = "" if value is None or value is pd.NA else str(value)
    return {"css": "name", "key": shown, "words": _WORDS.split(shown)}


def is_number(column):
    """Whether a column holds numbers, or intervals of numbers."""
    return column.name == "interval" or pd.api.types.is_numeric_dtype(column)


def format_number(value, name=""):
    """A number as people read it: a column's name says what it is.

    Parameters
    ----------
    value : float or pair of float
    name : str, default=""
        "interval", p-values and "seconds" have formats of their own.
    """
    if name == "interval":
        return format_interval(*value)
    if pd.isna(value):
        return "–"
    if name.startswith("pvalue"):
        return format_pvalue(value)
    if isinstance(value, bool | np.bool_ | int | np.integer):
        return str(value)
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if name == "seconds":
        return f"{value:.3f}"
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.2e}"
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:.0f}"


def format_interval(low, high):
    """Limits with digits enough to tell them apart, and no more."""
    if pd.isna(low):
        return "–"
    largest = max(abs(low), abs(high))
    digits = ".1f" if largest >= 100 else ".3f"
    if not 1e-3 <= largest < 1e5:
        digits = ".0e"
    return f"[{low:{digits}}, {high:{digits}}]"


def format_pvalue(value):
    """A p-value with the digits that permutations can give."""
    if pd.isna(value):
        return "–"
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"


# ----- pictures ---------------------------------------------------------------------


def _figure(caption, figure):
    """What the page's template names of a picture."""
    if not isinstance(figure, pd.DataFrame):
        return {"caption": caption, "svg": "", "png": _png(figure)}
    direction = _direction(figure)
    caption = f"{caption} ({direction})" if direction else caption
    return {"caption": caption, "svg": heat_map(figure, caption=caption), "png": ""}


def _direction(matrix):
    return {
        "similarity": "greater is more similar",
        "distance": "smaller is more similar",
    }.get(matrix.attrs.get("orientation"), "")


def _png(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=144, bbox_inches="tight")
    return base64.b64encode(buffer.getvalue()).decode("ascii")


# ----- how it was made ----------------------------------------------------------------


def _versions():
    from sksim import __version__

    versions = {
        "sksim": __version__,
        "Python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
        "pandas": pd.__version__,
        "joblib": joblib.__version__,
    }
    return [f"{name} {version}" for name, version in versions.items()]
