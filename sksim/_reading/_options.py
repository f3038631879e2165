"""What a caller may say of a file, and the words for what can't be found out."""

from dataclasses import dataclass

# Words that stand for a missing value where numbers are expected.
MISSING = frozenset(
    {"", "na", "n/a", "#n/a", "<na>", "nan", "-nan", "null", "none", "nil", "missing"}
)
# Names of columns that say which row this is, not what it is like.
ID_NAMES = frozenset({"id", "index", "idx", "row", "key", "name"})


class Unreadable(Exception):
    """What is wrong with a file's content."""


@dataclass(frozen=True)
class Options:
    """How a file is to be read; None is found out.

    Attributes
    ----------
    key, sep, decimal, encoding, index_col : str or None
    header : bool or None
    columns, drop, na : list of str or None
    """

    key: str | None = None
    header: bool | None = None
    sep: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    index_col: str | None = None
    columns: list | None = None
    drop: list | None = None
    na: list | None = None


def listed(names, n=5):
    """The first few names, in one line."""
    names = [str(name) for name in names]
    return ", ".join(names[:n]) + (", ..." if len(names) > n else "")
