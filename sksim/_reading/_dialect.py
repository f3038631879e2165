"""How a table of text is written, judged by its first lines.

What they leave in doubt is refused, with the option that decides.
"""

import csv
import re
from dataclasses import dataclass

from sksim._reading._options import ID_NAMES, MISSING, Unreadable, listed

# Lines up to which rows are looked at for the number of their cells.
_MANY = 500
_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "blank"}
_NUMBER = r"[+-]?(\d+{0}?\d*|{0}\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity)"
_IS_NUMBER = {d: re.compile(_NUMBER.format(re.escape(d)), re.I) for d in ".,"}
_AFTER_COMMA = re.compile(r"\d+([eE][+-]?\d+)?")
_WHOLE = re.compile(r"[+-]?\d+")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")
# Ids and classes that are lost as numbers: 007, and more digits than a number has.
_KEPT_AS_TEXT = re.compile(r"[+-]?0\d+|[+-]?\d{16,}")
# What a column of labels is called: else a word may be the first label.
# fmt: off
_LABEL_NAMES = frozenset(
    {
        "label", "labels", "class", "classes", "target", "targets", "y", "y_true",
        "y_pred", "y_test", "y_train", "pred", "preds", "prediction", "predictions",
        "predicted", "output", "outputs", "answer", "answers", "category",
        "categories", "group", "groups", "type", "kind", "species", "value",
        "values", "truth", "true_label", "pred_label", "fold", "split", "cluster",
        "cluster_id", "class_label", "class_name", "label_name", "subject",
        "subjects", "session", "column", "col", "x", "variable", "response",
        "outcome",
    }
)
# fmt: on


@dataclass
class Dialect:
    """How a table is written.

    Attributes
    ----------
    encoding, sep, decimal, quote : str
    skip : int
        Lines before the first row, its header among them.
    names : list of str or None
        Names of the columns, if the file has any.
    width : int
    as_text : tuple of int
        Columns that would lose digits as numbers.
    numeric : tuple of int
        Columns of numbers, as far as the first lines go.
    fractional : tuple of int
        Those of them that have decimals there, so that they are no ids.
    """

    encoding: str
    sep: str
    decimal: str = "."
    quote: str = '"'
    skip: int = 0
    names: list | None = None
    width: int = 1
    as_text: tuple = ()
    numeric: tuple = ()
    fractional: tuple = ()


# ----- the dialect --------------------------------------------------------------------


def dialect_of(lines, encoding, options):
    skip, comment, said = 0, None, None
    while skip < len(lines) and not lines[skip].strip():
        skip += 1
    if match := re.fullmatch(r'"?sep=(.)"?', lines[skip].strip("\ufeff")):
        said = match[1]
        skip += 1
    # what numpy.savetxt writes above the numbers
    n_comments = 0
    while skip + n_comments < len(lines) and lines[skip + n_comments].startswith("#"):
        n_comments += 1
    if 0 < n_comments < len(lines) - skip and _is_comment(lines, skip, n_comments):
        skip += n_comments
        comment = lines[skip - 1].lstrip("# ")
    lines = lines[skip:]
    quote = "'" if _single_quotes(lines) else '"'
    sep = _spelt(options.sep) or said or _separator_of(lines, quote)
    rows = _parsed(lines, sep, quote)
    if not rows:
        raise Unreadable("the table has no rows.")
    dialect = Dialect(encoding, sep, quote=quote, skip=skip)
    dialect.decimal = options.decimal or _decimal_of(rows, sep)
    if dialect.decimal not in (".", ","):
        raise Unreadable("--decimal must be a point or a comma.")
    _set_header(dialect, rows, lines, comment, options)
    body = rows[1:] if dialect.skip > skip else rows
    dialect.as_text = tuple(
        j
        for j in range(dialect.width)
        if any(len(row) > j and _KEPT_AS_TEXT.fullmatch(row[j]) for row in body)
        and all(len(row) > j and _WHOLE.fullmatch(row[j].strip()) for row in body)
    )
    dialect.numeric = tuple(
        j
        for j in range(dialect.width)
        if j not in dialect.as_text and _kind_of_column(body, j, dialect) == "number"
    )
    dialect.fractional = tuple(
        j
        for j in dialect.numeric
        if any(len(row) > j and dialect.decimal in row[j] for row in body)
    )
    return dialect


def _is_comment(lines, skip, n):
    """Whether lines that begin with # stand above the table and not in its header."""
    first, after = lines[skip + n - 1], lines[skip + n]
    is_last_of_many = not any(line.startswith("#") for line in lines[skip + n :])
    widths = [len(re.split(r"[,;\t|]", line)) for line in (first, after)]
    return is_last_of_many and (first.startswith("# ") or widths[0] != widths[1])


def _spelt(sep):
    """A separator, or its name."""
    names = {"\\t": "\t", "tab": "\t", "space": " ", "blank": " ", "\\s+": " "}
    if sep is None:
        return None
    sep = names.get(sep, sep)
    if len(sep) != 1:
        raise Unreadable(f"--sep must be one character, or tab or space; got {sep!r}.")
    return sep


def _single_quotes(lines):
    """Whether cells are quoted by single quotes, not by double ones."""
    sample = [line for line in lines[:20] if line]
    if not sample or any('"' in line for line in sample):
        return False
    quoted = re.compile(r"(^|[,;\t| ])'[^']*'(?=[,;\t| ]|$)")
    return all(quoted.search(line) for line in sample)


def _parsed(lines, sep, quote):
    """Rows of cells; blank lines have none, and are left out if others have several."""
    if sep == " ":
        lines = [line.strip() for line in lines]
    try:
        rows = list(
            csv.reader(
                lines, delimiter=sep, quotechar=quote, skipinitialspace=sep != "\t"
            )
        )
    except csv.Error as error:
        raise Unreadable(f"not a readable table ({error}).") from error
    return [row for row in rows if row]


def _separator_of(lines, quote):
    """The one character that cuts all lines into the same number of cells."""
    cuts, uneven = {}, {}
    for sep in _SEPARATORS:
        if not any(sep in line.strip(" ") for line in lines):
            continue
        rows = _parsed(lines, sep, quote)
        body = rows[1:] or rows
        widths = {len(row) for row in body}
        width = max(widths, default=1)
        if len(widths) == 1 and width > 1 and len(rows[0]) in (width, width - 1):
            cells = [cell for row in body[:20] for cell in row]
            cuts[sep] = sum(map(is_numeric, cells)) / len(cells), width, rows
        elif width > 1 or len(rows[0]) > 1:
            uneven[sep] = rows
    if not cuts:
        return _no_separator(lines, uneven)
    best = max(cuts, key=lambda sep: (cuts[sep][0], sep != " "))
    share, width, rows = cuts[best]
    rivals = [s for s in cuts if s not in (best, " ") and cuts[s][0] == share]
    if rivals:
        raise Unreadable(
            f"its cells may be parted by {_SEPARATORS[best]} or by "
            f"{_SEPARATORS[rivals[0]]}: say which by --sep."
        )
    if best == " " and share < 1 and not _has_numbers(rows):
        raise Unreadable(
            "its lines hold blanks, which may part cells or words: say so by --sep, "
            "as --sep space or --sep ','."
        )
    if best == "," and width == 2 and _may_be_decimals(rows):
        raise Unreadable(
            "its lines are two whole numbers with a comma between them, or one number "
            "with a decimal comma: say which by --sep , or by --sep ';' --decimal ,."
        )
    return best


def _no_separator(lines, uneven):
    """Where nothing cuts all lines alike: a single column, or a broken table."""
    for sep, rows in uneven.items():
        counts = [len(row) for row in rows]
        is_rule = counts[0] > 1 and 2 * counts.count(counts[0]) >= len(counts)
        if sep != " " and (min(counts) > 1 or is_rule or _has_numbers(rows)):
            where = next(i for i, n in enumerate(counts) if n != counts[0])
            raise Unreadable(
                "not a readable table, corrupt or cut off: its rows differ in length, "
                f"with {counts[0]} cells in row 1 and {counts[where]} in row "
                f"{where + 1}, if cells are parted by {_SEPARATORS[sep]}. Another "
                "separator is given by --sep."
            )
    doubtful = [_SEPARATORS[sep] for sep in uneven if sep != " "]
    if doubtful:
        raise Unreadable(
            f"some of its lines hold a {doubtful[0]}, others do not: say by --sep what "
            "parts cells (any other character, if there is one column)."
        )
    return ","


def is_numeric(cell):
    cell = cell.strip()
    return any(pattern.fullmatch(cell) for pattern in _IS_NUMBER.values()) or (
        cell.lower() in MISSING
    )


def _has_numbers(rows):
    """Whether a column is of numbers from its second row on, wholly."""
    body = rows[1:] or rows
    width = max(map(len, body))
    return any(
        all(len(row) == width and is_number(row[j]) for row in body)
        for j in range(width)
    )


def is_number(cell, decimal=None):
    cell = cell.strip()
    patterns = _IS_NUMBER.values() if decimal is None else (_IS_NUMBER[decimal],)
    return any(pattern.fullmatch(cell) for pattern in patterns)


def _may_be_decimals(rows):
    """Whether two columns may be the two halves of numbers with a decimal comma."""
    first, *body = rows
    body = body or rows
    halves = all(
        _WHOLE.fullmatch(row[0].strip()) and _AFTER_COMMA.fullmatch(row[1])
        for row in body
    )
    return halves and (len(first) < 2 or all(map(is_number, first)))


def _decimal_of(rows, sep):
    """The decimal sign, by the cells that are numbers with one but not the other."""
    cells = [cell.strip() for row in rows[1:] or rows for cell in row]
    commas = [c for c in cells if "," in c and is_number(c, ",")]
    commas += [c for c in cells if _THOUSANDS.fullmatch(c) and c not in commas]
    if not commas:
        return "."
    if any("." in cell and is_number(cell, ".") for cell in cells):
        raise Unreadable(
            "some of its numbers have a point and others a comma: say by --decimal "
            "which of them the decimals follow."
        )
    if all(_THOUSANDS.fullmatch(cell) for cell in commas):
        raise Unreadable(
            f"{commas[0]} may be written with a decimal comma or with a comma between "
            "thousands: say by --decimal , or --decimal . which it is."
        )
    return ","


# ----- the header ---------------------------------------------------------------------


def _set_header(dialect, rows, lines, comment, options):
    """Whether the first row has the columns' names, and which."""
    first, body = rows[0], rows[1:]
    dialect.width = max(len(row) for row in rows[:_MANY])
    is_short = bool(body) and len(first) == dialect.width - 1
    has_header = options.header
    if has_header is None:
        has_header = is_short or _has_header(first, body, lines, dialect)
    if has_header:
        blanks = next(i for i, line in enumerate(lines) if line.strip())
        dialect.skip += blanks + 1
        names = ["", *first] if is_short else list(first)
        dialect.names = [name.strip() for name in names]
    elif comment is not None:
        named = _parsed([comment], dialect.sep, dialect.quote)
        if named and len(named[0]) == dialect.width and dialect.width > 1:
            dialect.names = [name.strip() for name in named[0]]


_DOUBT = (
    "its first row, {0}, may be the columns' names or the first row of the data: say "
    "which by --header or --no-header."
)


def _has_header(first, body, lines, dialect):
    """Whether the first row names the columns; what is in doubt is refused."""
    first = [cell.strip() for cell in first]
    doubt = Unreadable(_DOUBT.format(listed(first)))
    numbers = [j for j, cell in enumerate(first) if is_number(cell, dialect.decimal)]
    if _counts(first):
        if len(first) > 1 and first[0] == "0" and _counts_rows(body):
            raise doubt
        return True
    if not body and len(first) == 1 and not numbers:
        raise Unreadable(f"not a readable table, with one line: {doubt}")
    if not body:
        return len(numbers) < len(first) > 1
    kinds = [_kind_of_column(body, j, dialect) for j in range(len(first))]
    if _only_header_is_quoted(lines, kinds):
        return True
    numeric = [j for j, kind in enumerate(kinds) if kind == "number"]
    if numeric:
        return _heads_numbers(first, body, numeric, numbers, doubt, dialect)
    return _heads_text(first, body, doubt)


def _counts(first):
    """Whether the cells are 0, 1, ..., as pandas counts columns, beside an index."""
    if first[0] == "" or (len(first) > 1 and first[0].lower() in ID_NAMES):
        first = first[1:]
    return bool(first) and first == [str(j) for j in range(len(first))]


def _counts_rows(body):
    """Whether the first cells go on from 0: 1, 2, ..."""
    below = [row[0].strip() for row in body]
    return below == [str(i) for i in range(1, len(below) + 1)] and bool(below)


def _kind_of_column(body, j, dialect):
    match = _IS_NUMBER[dialect.decimal].fullmatch
    cells = [row[j].strip() for row in body if len(row) > j]
    numbers = [match(cell) is not None for cell in cells]
    if not any(numbers):
        return "text" if any(cells) else "number"  # an empty column has no words
    if all(numbers):
        return "number"
    others = (c for c, is_number in zip(cells, numbers, strict=True) if not is_number)
    if all(cell.lower() in MISSING for cell in others):
        return "number"
    # a few words among numbers: unusual names of what is missing
    return "number" if 2 * sum(numbers) > len(cells) else "text"


def _only_header_is_quoted(lines, kinds):
    """Whether text is quoted and numbers are not, which tells names of numbers."""
    if "number" not in kinds:
        return False
    lines = [line for line in lines if line.strip()]
    if lines and not lines[0].strip().strip('"'):
        return False  # an empty cell alone, which writers of csv have to quote
    quotes = [line.count('"') for line in lines[:2]]
    return len(quotes) == 2 and quotes[0] == 2 * len(kinds) > quotes[1]


def _heads_numbers(first, body, numeric, numbers, doubt, dialect):
    """The same where some columns are of numbers from the second row on."""
    numbered = [first[j] for j in numeric if j in numbers]
    words = [j for j in numeric if j not in numbers]
    texts = [j for j in words if first[j].lower() not in MISSING]
    if texts and not numbered:
        return True
    is_whole = all(map(_WHOLE.fullmatch, numbered))
    is_whole = is_whole and len(set(numbered)) == len(numbered)
    if is_whole and len(first) > 1 and _heads_index(first, body):
        return True
    if is_whole and numbered == [str(j) for j in range(len(numbered))] and numbered:
        # 0, 1, ... beside words, unless these are classes that come again
        is_sure = any(cell.lower() in _LABEL_NAMES for cell in first)
        is_sure = is_sure or (len(numbered) > 1 and _are_broken(body, numeric))
        if is_sure and not _comes_again(first, body, numeric):
            return True
        raise doubt
    if texts:
        raise doubt
    if words and (not numbered or first[0] == ""):
        raise doubt
    if not is_whole or not (len(numbered) > 1 or len(first) == 1):
        return False
    if _are_broken(body, numeric):
        raise doubt
    values = [int(cell) for cell in numbered]
    if len(values) > 1 and values[0] >= 0 and values == sorted(values):
        raise doubt
    return False


def _are_broken(body, numeric):
    """Whether at least half of the columns of numbers hold others than whole ones."""
    broken = [
        j
        for j in numeric
        if not all(_WHOLE.fullmatch(r[j].strip()) for r in body if len(r) > j)
    ]
    return 2 * len(broken) >= len(numeric)


def _heads_index(first, body):
    """Whether the first cell is what a column of rows' names is called, or is empty."""
    if first[0] == "":
        return all(row[0].strip() for row in body)
    return first[0].lower() in ID_NAMES


def _comes_again(first, body, numeric):
    """Whether a word of the first row stands below it, in its column, once more."""
    return any(
        any(len(row) > j and row[j].strip() == cell for row in body)
        for j, cell in enumerate(first)
        if j not in numeric and cell
    )


def _heads_text(first, body, doubt):
    """The same where all columns are of text."""
    if _comes_again(first, body, ()):
        return False
    known = ID_NAMES | _LABEL_NAMES
    names = [cell for cell in first if cell == "" or cell.lower() in known]
    if names and len(first) > 1:
        return True
    if len(first) > 1:
        raise doubt
    (word,) = first
    if is_number(word):
        raise doubt
    if word.lower() in MISSING | {"true", "false", "yes", "no"}:
        return False
    if names:
        return True
    if {_shape_of(row[0].strip()) for row in body} == {_shape_of(word)}:
        return False
    raise doubt


def _shape_of(word):
    """Where a word has letters and where digits: cat and dog are alike, x0 is not."""
    return re.sub(r"\d", "0", re.sub(r"[^\W\d_]", "a", word))
