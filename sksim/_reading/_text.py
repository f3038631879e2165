"""Tables of text: how they are written is found out, and pandas reads them."""

import codecs
import gzip
import re
import zlib

import numpy as np
import pandas as pd

from sksim._reading._dialect import dialect_of, is_number, is_numeric
from sksim._reading._options import MISSING, Unreadable

# Lines, and characters, that the dialect is judged by: at least _FEW lines, of any
# width.
_MANY, _FEW, _CHARACTERS = 500, 10, 2**14
# A longest line beyond which this is no table.
_LONGEST = 2**26
# Up to this size digits are read as Python does; beyond, up to their last two, as
# pandas does, which takes 2.5 times less (measured: 0.16 against 0.39 s for 20 MB).
_EXACT = 2**20
_ENCODINGS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def read_text(path, options):
    """Table in a text file.

    Parameters
    ----------
    path : Path
    options : Options

    Returns
    -------
    table : DataFrame
        Its columns are counted; cells are numbers, or text as it was written.
    names : list of str or None
        Names of the columns.
    """
    encoding = options.encoding or _encoding_of(path)
    try:
        lines = _first_lines(path, encoding)
    except UnicodeDecodeError:
        encoding = _encoding_of_bytes(path, options)
        lines = _first_lines(path, encoding)
    dialect = dialect_of(lines, encoding, options)
    words = MISSING if options.na is None else {"", *options.na}
    try:
        table = _read(path, dialect, words)
    except UnicodeDecodeError:
        dialect.encoding = _encoding_of_bytes(path, options)
        table = _read(path, dialect, words)
    except Unreadable:
        if not dialect.fractional:
            raise
        dialect.fractional = ()  # not throughout: text is found and named below
        table = _read(path, dialect, words)
    table = _with_text_as_text(table, path, dialect, options)
    if dialect.width == 1:
        table = _without_last_blanks(table, path, dialect)
    if table.empty:
        raise Unreadable("the table has no rows.")
    last = dialect.width - 1
    if last in dialect.numeric and table[last].isna().any():
        _refuse_short_rows(table, path, dialect)
    return table, dialect.names


# ----- bytes and lines ----------------------------------------------------------------


def _open(path):
    return gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")


def _bytes(path, n=-1):
    try:
        with _open(path) as stream:
            return stream.read(n)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Unreadable(f"corrupt: it can't be unpacked ({error}).") from error


def _encoding_of(path):
    """By the mark at the beginning, or by zeros where single bytes have none."""
    start = _bytes(path, 2**12)
    for mark, encoding in _ENCODINGS.items():
        if start.startswith(mark):
            return encoding
    if b"\0" in start:
        places = [start[i::2].count(0) * 4 > len(start) for i in (0, 1)]
        if any(places) and not all(places):
            return "utf-16-be" if places[0] else "utf-16-le"
        raise Unreadable(
            "corrupt, or no text: not a readable table, for it has bytes that are zero."
        )
    return "utf-8"


def _encoding_of_bytes(path, options):
    """Encoding of what is no UTF-8."""
    if options.encoding:
        raise Unreadable(
            f"not written in {options.encoding}: choose another by --encoding."
        )
    content = _bytes(path)
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError:
        text = ""
    words = [word for word in re.findall(r"\w+", text) if not word.isascii()]
    # in western Europe's languages letters with marks stand beside plain ones
    if not words or not all(re.search("[a-zA-Z]", word) for word in words):
        raise Unreadable(
            "not written in UTF-8, and its letters leave it open in what: say so by "
            "--encoding, such as --encoding cp1251."
        )
    return "cp1252"


def _first_lines(path, encoding):
    """The first lines, without their ends."""
    lines, size = [], 0
    try:
        with _open(path) as stream:
            reader = codecs.getreader(encoding)(stream)
            buffer = ""
            while len(lines) < _FEW or (len(lines) < _MANY and size < _CHARACTERS):
                block = reader.read(2**14)
                buffer += block
                *whole, rest = buffer.splitlines(keepends=True) or [""]
                if not block:
                    lines += [*whole, rest] if rest else whole
                    break
                if len(rest) > _LONGEST:
                    raise Unreadable("no table: it has no lines.")
                size += sum(map(len, whole))
                lines += whole
                buffer = rest
    except LookupError as error:
        raise Unreadable(f"unknown encoding {encoding!r}: see --encoding.") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Unreadable(f"corrupt: it can't be unpacked ({error}).") from error
    text = "".join(lines)
    if not text.strip():
        raise Unreadable("the file is empty: not a readable table.")
    if "\0" in text:
        raise Unreadable(
            "corrupt, or no text: not a readable table, for it has bytes that are zero."
        )
    return [line.rstrip("\r\n") for line in lines]


# ----- the table ----------------------------------------------------------------------


def _precision(path):
    """How exactly digits become numbers, where pandas lets one choose."""
    major, minor = map(int, pd.__version__.split(".")[:2])
    if (major, minor) >= (3, 1):
        return {}
    is_small = path.stat().st_size < _EXACT
    return {"float_precision": "round_trip" if is_small else "legacy"}


def _read(path, dialect, missing, **options):
    words = sorted({w for word in missing for w in (word, word.upper(), word.title())})
    words += ["NaN", "-NaN"] if "nan" in words else []
    numeric = [j for j in dialect.numeric if "dtype" not in options]
    are_all = len(numeric) == dialect.width
    if are_all and len(dialect.fractional) == dialect.width:
        # of one kind throughout, so that pandas may read part by part, in 0.8 of the
        # time; elsewhere it would take whole numbers of two parts for fractions
        options = {"dtype": float, "low_memory": True, **options}
    try:
        return pd.read_csv(
            path,
            sep=r"\s+" if dialect.sep == " " else dialect.sep,
            decimal=dialect.decimal,
            quotechar=dialect.quote,
            encoding=dialect.encoding,
            header=None,
            names=range(dialect.width),
            index_col=False,
            skiprows=dialect.skip,
            skipinitialspace=dialect.sep != "\t",
            skip_blank_lines=dialect.width > 1,
            keep_default_na=False,
            na_values=words if are_all else dict.fromkeys(numeric, words),
            na_filter=bool(numeric),
            **_precision(path),
            **{
                "dtype": dict.fromkeys(dialect.as_text, object),
                "low_memory": False,
                **options,
            },
        )
    except UnicodeDecodeError:
        raise
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Unreadable(f"corrupt: it can't be unpacked ({error}).") from error
    except pd.errors.EmptyDataError as error:
        raise Unreadable("the table has no rows.") from error
    except (ValueError, OSError, UnicodeError) as error:
        raise Unreadable(
            f"not a readable table ({error}); another separator is given by --sep."
        ) from error


def _with_text_as_text(table, path, dialect, options):
    """Columns that are no numbers after all as they were written."""
    numeric = set(dialect.numeric)
    texts = [
        j
        for j, dtype in enumerate(table.dtypes)
        if dtype.kind == "b" or (dtype.kind == "O" and j in numeric)
    ]
    is_doubtful = dialect.width == 1 and options.na is None and not texts
    if is_doubtful and _may_be_classes(table[0]):
        texts = [0]
    if not texts:
        return _without_given(table, dialect, options)
    written = _read(path, dialect, (), usecols=texts, dtype=object)
    if is_doubtful:
        _refuse_classes_or_missing(written[0])
        return table
    for j in texts:
        if j in dialect.numeric and table[j].dtype.kind == "O":
            _refuse_words(written[j], (dialect.names or table.columns)[j], dialect)
        table[j] = written[j]
    return _without_given(table, dialect, options)


def _refuse_words(column, name, dialect):
    """Raise about text in a column that is of numbers, as far as its first rows go."""
    is_word = [not is_numeric(cell) for cell in column]
    if any(is_word):
        row = is_word.index(True)
        words = set(column[is_word])
        say = f"--na {column[row]!r}" if len(words) < 4 else "--na"
        comma = " Decimals after a comma: --decimal ,." if "," in column[row] else ""
        raise Unreadable(
            f"the columns {name} hold text among numbers ({column[row]!r:.40} in row "
            f"{row + 1}): say by {say} if it stands for a missing value, or leave the "
            f"column out by --drop {name}.{comma}"
        )


def _may_be_classes(column):
    """Whether words among whole numbers were taken for missing values."""
    if column.dtype.kind != "f" or not column.isna().any():
        return False
    known = column.dropna()
    return bool((known == known.round()).all())


def _refuse_classes_or_missing(column):
    words = [w for w in column.str.strip() if w and not is_number(w)]
    if words:
        raise Unreadable(
            f"its column is of whole numbers and of {words[0]!r}, which may be a class "
            f"or a missing value: say --na {words[0]} if it is missing, or give all "
            "classes names."
        )


def _without_given(table, dialect, options):
    """Columns of text without the words that were said to be missing values."""
    for j in table.columns if options.na else ():
        column = table[j]
        if column.dtype.kind == "O":
            words = column.str.strip()
            column = column.mask(words.isin(options.na), None)
            table[j] = column
    return table


def _without_last_blanks(table, path, dialect):
    """A column without the empty lines at the end of its file."""
    column = table[0]
    if not len(column) or not (pd.isna(column.iloc[-1]) or column.iloc[-1] == ""):
        return table
    text = _bytes(path).decode(dialect.encoding)
    n_blank = 0
    for line in reversed(text.splitlines()):
        if line.strip():
            break
        n_blank += 1
    table = table.iloc[: len(table) - n_blank]
    values = table[0]
    if n_blank and values.dtype.kind == "f" and (values == values.round()).all():
        return values.astype(np.int64).to_frame() if _fits(values) else table
    return table


def _fits(values):
    return bool((values.abs() < 2.0**53).all())


def _refuse_short_rows(table, path, dialect):
    """Raise if cells are missing since rows were cut off, not left empty."""
    width, sep = dialect.width, dialect.sep
    if width == 1:
        return
    content = _bytes(path)
    n_seps = len(table) * (width - 1)
    is_of_bytes = not dialect.encoding.startswith(("utf-16", "utf-32"))
    if sep != " " and is_of_bytes:
        start = 0
        for _ in range(dialect.skip):
            start = content.find(b"\n", start) + 1
        # a third of the time of bytes.count, for 25 MB 6 ms
        codes = np.frombuffer(content, dtype=np.uint8)[start:]
        if np.count_nonzero(codes == ord(sep)) >= n_seps:
            return
    content = content.decode(dialect.encoding)
    for i, line in enumerate(content.splitlines()):
        if i < dialect.skip or not line.strip():
            continue
        n = len(line.split()) if sep == " " else line.count(sep) + 1
        if n < width:
            raise Unreadable(
                f"corrupt, or cut off: line {i + 1} has {n} cells, where others have "
                f"{width}."
            )
