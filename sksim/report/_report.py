"""One self-contained HTML file of tables and pictures."""

import base64
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path

import pandas as pd

from sksim._results import ResultMixin
from sksim.pairwise._model_comparison import ModelComparison
from sksim.report._comparison import contents_of
from sksim.report._provenance import versions
from sksim.report._svg import heat_map
from sksim.report._tables import contents_of_table
from sksim.report._template import render


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

    Of a comparison of two models the page starts with what it says.

    Parameters
    ----------
    tables : DataFrame or result, or dict of str to any of these
        A result of :func:`sksim.pairwise.compare`, alone or as the first of a dict:
        its verdict, four numbers and a picture, then the measures that contradict the
        verdict, the rows on which the models differ most, all measures, and what it
        takes to cite the numbers and to get them again. Otherwise tables; keys are
        headings. A table with calibrated scores also becomes a picture of them. Results
        with a ``to_frame()``, such as those of
        :func:`sksim.inference.replicate_test`, are tables too.
    path : str or path-like, default=None
        File to write; None only returns the text.
    title : str, default="Similarity of models"
        Heading of the page.
    figures : dict of str to DataFrame or matplotlib Figure, default=None
        Pictures with their captions: a DataFrame, such as that of
        :func:`sksim.pairwise.similarity_matrix`, is drawn as a heat map. The first one
        is the picture of a comparison's first screen.
    text : str, default=""
        A paragraph below the heading.
    call : str, default=None
        The call or command that made the results. None takes it from the tables.

    Returns
    -------
    html : str
        The page.

    Notes
    -----
    Names are escaped, so that nothing in them is taken for HTML. Tables are sorted by a
    click on a heading. On paper everything is open, with all columns.

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
    comparison, tables = _first_comparison(tables)
    # beside the numbers of a first screen, and on their scale
    pictures = [
        _figure(str(caption), figure, unit=comparison is not None and i == 0)
        for i, (caption, figure) in enumerate((figures or {}).items())
    ]
    if comparison is not None:
        figure, pictures = (pictures or [None])[0], pictures[1:]
        comparison = contents_of(comparison, call=call, figure=figure)
        call = None
    tables = {heading: _as_frame(table) for heading, table in tables.items()}
    calls = [call] if call else [t.attrs.get("call") for t in tables.values()]
    page = render(
        "page.html",
        title=title,
        text=text,
        comparison=comparison,
        tables=[contents_of_table(heading, table) for heading, table in tables.items()],
        figures=pictures,
        calls=list(dict.fromkeys(filter(None, calls))),
        now=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        versions=versions(),
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


def _first_comparison(tables):
    """The comparison of two models that comes first, or None, and what follows it."""
    heading, first = next(iter(tables.items()), (None, None))
    if not isinstance(first, ModelComparison):
        return None, tables
    return first, {name: table for name, table in tables.items() if name != heading}


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


# ----- pictures ---------------------------------------------------------------------


def _figure(caption, figure, *, unit):
    """What the page's template names of a picture."""
    if not isinstance(figure, pd.DataFrame):
        return {"caption": caption, "svg": "", "png": _png(figure)}
    direction = _direction(figure)
    caption = f"{caption} ({direction})" if direction else caption
    return {
        "caption": caption,
        "svg": heat_map(figure, caption=caption, unit=unit),
        "png": "",
    }


def _direction(matrix):
    return {
        "similarity": "greater is more similar",
        "distance": "smaller is more similar",
    }.get(matrix.attrs.get("orientation"), "")


def _png(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=144, bbox_inches="tight")
    return base64.b64encode(buffer.getvalue()).decode("ascii")
