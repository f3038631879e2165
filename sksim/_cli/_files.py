"""How files are read: the options, and the arrays with their rows in one order."""

import os

from sksim._cli._parser import UsageError, words

_READING = (
    "What is not said is found out. Given once, an option is for all files (--key, "
    "--columns, --drop, --index-col: for A and B); given several times, it is for A, "
    "B, --labels and --groups, in this order."
)


def add_key(parser):
    """Which array of a file with several is meant."""
    parser.add_argument(
        "--key",
        metavar="NAME",
        action="append",
        help="array of a file with several; given twice: that of A, then that of B",
    )


def add_reading(parser, text=_READING):
    """Options that say how files are to be read."""
    group = parser.add_argument_group("how files are read", text)
    for flag, value, text in (
        ("--header", True, "the first row of tables names their columns"),
        ("--no-header", False, "the first row of tables is one of the data"),
    ):
        group.add_argument(
            flag, dest="header", action="append_const", const=value, help=text
        )
    for flag, metavar, text in (
        ("--sep", "CHAR", "what parts cells: a character, or tab or space"),
        ("--decimal", "SIGN", "what decimals come after: a point or a comma"),
        ("--encoding", "NAME", "encoding of text, such as cp1252"),
        ("--index-col", "NAME", "column with the names of the rows, or none"),
    ):
        group.add_argument(flag, metavar=metavar, action="append", help=text)
    for flag, metavar, text in (
        (
            "--columns",
            "NAME",
            "columns to compare; without a header they are 0, 1, ...",
        ),
        ("--drop", "NAME", "columns to leave out"),
        ("--na", "WORD", "what stands for a missing value"),
    ):
        group.add_argument(flag, metavar=metavar, nargs="+", action="append", help=text)
    group.add_argument(
        "--flatten",
        action="store_true",
        help="make one row of all numbers of an input, where arrays have more axes",
    )
    group.add_argument(
        "--pool",
        choices=["mean"],
        help="average over axis 1 of three axes (tokens), or over all axes after the "
        "second of more (places)",
    )


def read(arguments, path, place):
    """Array of the file at a place: those compared, then the labels, then the groups.

    Parameters
    ----------
    arguments : Namespace
    path : str
    place : int
        0 and 1 are A and B; where more files are compared, ``arguments.n_files`` says
        how many.
    """
    from sksim._reading._files import holds_several, read_array

    options = reading_options(arguments, path, place)
    if place < _n_files(arguments):
        options |= {"flatten": arguments.flatten, "pool": arguments.pool}
        if holds_several(path):
            options["key"] = _given(arguments, "key", place, _n_files(arguments))
    return read_array(path, **options)


def reading_options(arguments, path, place):
    """What is said of how the table at a place is read."""
    n_files = _n_files(arguments)
    common = ("header", "sep", "decimal", "encoding", "na")
    of_files = ("index_col", "columns", "drop")
    options = {name: _given(arguments, name, place, n_files + 2) for name in common}
    options |= {name: _given(arguments, name, place, n_files) for name in of_files}
    for name in ("columns", "drop", "na"):
        options[name] = words(options[name])
    return options


def _n_files(arguments):
    return getattr(arguments, "n_files", 2)


def _given(arguments, name, place, n_shared):
    """What an option says of one file: the only value, or that of the file's place."""
    values = getattr(arguments, name, None) or []
    most = _n_files(arguments) + 2
    if len(values) > most:
        flag = name.replace("_", "-")
        which = "A, B" if most == 4 else "each file"
        times = "four" if most == 4 else str(most)
        raise UsageError(
            f"--{flag} may be given {times} times at most: for {which}, --labels and "
            "--groups"
        )
    if len(values) == 1:
        return values[0] if place < n_shared else None
    return values[place] if place < len(values) else None


def read_rows(arguments, path, place):
    """Rows of the file at a place, which are vectors."""
    array = read(arguments, path, place)
    if array.ndim > 2:
        raise ValueError(
            f"{path} has {array.ndim} dimensions ({shape(array)}), where rows are "
            "vectors: --flatten makes one row of all numbers of an input, --pool mean "
            "averages over its tokens or places."
        )
    return array


def aligned(arguments, a, b, labels, groups):
    """Rows in one order, if their files name them; and a remark on what fell out."""
    known = {
        arguments.a: a,
        arguments.b: b,
        arguments.labels: labels,
        arguments.groups: groups,
    }
    named = {path: x for path, x in known.items() if row_names(x) is not None}
    if arguments.join:
        return _joined(arguments, a, b, labels, groups)
    first, *others = named or [None]
    for path in others:
        refuse_other_names(first, named[first], path, named[path])
    return a, b, labels, groups, ""


def row_names(array):
    """Names of the rows that a file gave; a count of the file's rows is none."""
    import pandas as pd

    index = getattr(array, "index", None)
    return None if index is None or isinstance(index, pd.RangeIndex) else index


def refuse_other_names(first, a, path, b):
    """Raise unless the rows of two files go by the same names, in the same order."""
    names, others = row_names(a), row_names(b)
    if names.equals(others):
        return
    shared = min(len(names), len(others))
    agree = [str(x) == str(y) for x, y in zip(names, others, strict=False)]
    if len(names) == len(others) and all(agree):
        return
    where = agree.index(False) if not all(agree) else shared
    shown = [
        repr(index[where]) if where < len(index) else "none"
        for index in (names, others)
    ]
    raise ValueError(
        f"the names of the rows of {first} and {path} agree in {sum(agree)} of "
        f"{max(len(names), len(others))} places; the first that differ are "
        f"{shown[0]} and "
        f"{shown[1]}, in row {where + 1}. --join puts both in one order by these "
        "names, "
        "--index-col none or --drop leaves the names out."
    )


def _joined(arguments, a, b, labels, groups):
    """Rows that A and B both have, by their names, in the order of A."""
    from sksim import align_rows

    for path, array in ((arguments.a, a), (arguments.b, b)):
        if row_names(array) is None:
            raise ValueError(
                f"{path} has no names of rows to --join by: --index-col says which "
                "column holds them."
            )
    extra = [x for x in (labels, groups) if x is not None]
    tables = [x for x in extra if row_names(x) is not None]
    joined = align_rows(a, b, *tables)
    new_a, new_b, *new = joined
    new = iter(new)
    rows = a.index.get_indexer(new_a.index)

    def moved(values, path):
        if values is None:
            return None
        if row_names(values) is not None:
            return next(new)
        if len(values) != len(a):
            raise ValueError(
                f"{path} has {len(values)} rows without names, and {arguments.a} has "
                f"{len(a)}: it must name its rows, or have those of A."
            )
        return values[rows]

    labels, groups = moved(labels, arguments.labels), moved(groups, arguments.groups)
    lost = [len(a) - len(new_a), len(b) - len(new_b)]
    remark = f", joined by names; {lost[0]} and {lost[1]} rows had no partner"
    return new_a, new_b, labels, groups, remark if any(lost) else ", joined by names"


def read_vector(arguments, path, place, option):
    """One value for each row, from the file at a place."""
    if path is None:
        return None
    values = read(arguments, path, place)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0] if not hasattr(values, "iloc") else values.iloc[:, 0]
    if values.ndim != 1:
        raise ValueError(
            f"{option} must hold one value for each row, but {path} has the shape "
            f"{tuple(values.shape)}: choose a column by --columns, its third or fourth."
        )
    return values


def shape(array):
    """The shape of an array in words."""
    return " x ".join(map(str, array.shape))


# ----- many arrays --------------------------------------------------------------------


def as_measure(name):
    """The measure of a name; CKA, debiased, where none is given."""
    from sksim.discovery import check_measure

    if name is None:
        return check_measure("CKA").set_params(debias="rows")
    return check_measure(name)


def read_layers(arguments, path, place, only=None):
    """All arrays of a file by name, or those of some names."""
    from sksim._reading._archives import names_in
    from sksim._reading._files import holds_several, read_array

    options = reading_options(arguments, path, place)
    options |= {"flatten": arguments.flatten, "pool": arguments.pool}
    if not holds_several(path):
        name = os.path.splitext(os.path.basename(path))[0]
        found = {name: read_array(path, **options)}
    else:
        names = names_in(path)
        missing = [name for name in only or () if name not in names]
        if missing:
            raise ValueError(
                f"{path} has no array {missing[0]!r}: it has {', '.join(names)}."
            )
        found = {name: read_array(path, key=name, **options) for name in only or names}
    for name, array in found.items():
        if array.ndim > 2:
            raise ValueError(
                f"{path}: {name} has {array.ndim} dimensions ({shape(array)}): "
                "--flatten or --pool mean makes a matrix of it."
            )
    return found


def short_names(paths):
    """Names of files without folder and ending, where these tell them apart."""
    short = [os.path.splitext(os.path.basename(path))[0] for path in paths]
    if len(set(short)) == len(short):
        return short
    if len(set(paths)) < len(paths):
        twice = next(path for path in paths if paths.count(path) > 1)
        raise UsageError(f"{twice} is given twice")
    return list(paths)


def aligned_files(arguments, paths, arrays, labels):
    """Rows of many files in one order, if they name them; and a remark."""
    from sksim import align_rows

    known = dict(zip([*paths, arguments.labels], [*arrays, labels], strict=True))
    named = {path: x for path, x in known.items() if row_names(x) is not None}
    if not arguments.join:
        first, *others = named or [None]
        for path in others:
            refuse_other_names(first, named[first], path, named[path])
        return arrays, labels, ""
    nameless = [path for path in known if path and path not in named]
    if nameless:
        raise ValueError(
            f"{nameless[0]} has no names of rows to --join by: --index-col says which "
            "column holds them."
        )
    joined = align_rows(*named.values())
    found = dict(zip(named, joined, strict=True))
    remark = f", joined by names; {joined.n_dropped} rows fell out"
    return [found[path] for path in paths], found.get(arguments.labels), remark
