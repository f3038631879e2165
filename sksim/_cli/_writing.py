"""What commands print and write; that it can be is found out before the work."""

import json
import os
import textwrap

from sksim._results import strict


def print_json(value):
    """One JSON document on standard output, which any parser takes."""
    print(json.dumps(strict(value), allow_nan=False, indent=2))


def filled(text):
    """A sentence in lines as wide as the tables."""
    return textwrap.fill(text, 100, break_on_hyphens=False)


def records_of(table):
    """Rows of a table as dicts, for JSON."""
    return [
        {str(name): value for name, value in row.items()}
        for row in table.astype(object).to_dict(orient="records")
    ]


def check_writable(path):
    """Raise if a file can't be written."""
    if path is None:
        return
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise ValueError(f"{path} can't be written: there is no folder {folder}.")
    if os.path.isdir(path):
        raise ValueError(f"{path} can't be written: it is a folder.")
    target = path if os.path.exists(path) else folder
    if not os.access(target, os.W_OK):
        raise ValueError(f"{path} can't be written: permission denied.")
