"""What all results can do: become a dict, and show themselves in a notebook."""

import math
from collections.abc import Mapping
from dataclasses import fields
from html import escape
from typing import Any

import numpy as np
import pandas as pd

_SHOWN_ROWS = 20


class ResultMixin:
    """Mixin of the dataclasses that functions return.

    One that is a table writes ``to_frame``, which is then what notebooks show.
    """

    def to_dict(self) -> dict[str, Any]:
        """All fields as what JSON knows: numbers, strings, lists and dicts.

        Returns
        -------
        fields : dict of str to object
            Arrays are lists, tables dicts of their ``index``, ``columns`` and ``data``,
            an interval a dict of ``low`` and ``high``. A number that is not there
            remains nan, which ``json.dumps`` writes as NaN.
        """
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}

    def _repr_html_(self) -> str:
        """Small table for notebooks."""
        if hasattr(self, "to_frame"):
            table = self.to_frame().to_html(max_rows=_SHOWN_ROWS)
        else:
            shown = {
                f.name: _brief(getattr(self, f.name)) for f in fields(self) if f.repr
            }
            table = pd.Series(shown).to_frame().to_html(header=False)
        return f"<p>{escape(type(self).__name__)}</p>{table}"


def strict(value):
    """A dict of a result, with None for numbers that JSON has no word for."""
    if isinstance(value, dict):
        return {key: strict(item) for key, item in value.items()}
    if isinstance(value, list):
        return [strict(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    is_known = value is None or isinstance(value, bool | int | float | str)
    return value if is_known else str(value)


def p_text(pvalue):
    """A p-value as sentences say it."""
    return "p < 0.001" if pvalue < 0.001 else f"p = {pvalue:.2g}"


class Later:
    """A field of a result whose value may be a function, called when it is asked for.

    Data classes take it for a field without a default.
    """

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, result, owner=None):
        if result is None:
            raise AttributeError(self.name)
        known = vars(result)
        if callable(known[self.name]):
            known[self.name] = known[self.name]()
        return known[self.name]

    def __set__(self, result, value):
        vars(result)[self.name] = value


def _plain(value):
    """A value of a field as what JSON knows."""
    if isinstance(value, ResultMixin):
        return value.to_dict()
    if isinstance(value, pd.DataFrame | pd.Series):
        return _plain(_parts_of(value))
    if hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    is_known = value is None or isinstance(value, bool | int | float | str)
    return value if is_known else str(value)


def _parts_of(table):
    """Index, columns and data, which hold whatever the names are."""
    parts = {"index": list(table.index), "data": table.to_numpy()}
    if isinstance(table, pd.DataFrame):
        parts["columns"] = list(table.columns)
    return parts


def _brief(value):
    """A value of a field as short text."""
    if isinstance(value, tuple):
        return f"({', '.join(map(_brief, value))})"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
