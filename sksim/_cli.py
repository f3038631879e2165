"""The command line: ``python -m sksim demo`` and ``python -m sksim compare A B``."""

import argparse
import os
import shlex
import sys

from sksim import __version__

_FAILURE = 1
_USAGE = 2
_INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints fit on one line."""

    def error(self, message):
        raise _UsageError(f"{message} (see {self.prog} --help)")


class _UsageError(Exception):
    """The command line itself is wrong."""


def main(argv=None):
    """Run the command line.

    Parameters
    ----------
    argv : list of str, default=None
        Arguments; None for those of the process.

    Returns
    -------
    status : int
        0 on success, 1 if the data are wrong, 2 if the command is, 130 if interrupted.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    try:
        arguments = _make_parser().parse_args(argv)
        arguments.call = "python -m sksim " + shlex.join(argv)
        arguments.run(arguments)
        sys.stdout.flush()
    except _UsageError as error:
        return _complain(error, _USAGE)
    except KeyboardInterrupt:
        return _complain("interrupted", _INTERRUPTED)
    except BrokenPipeError:
        # the reader, such as head, has seen enough; keep the interpreter from
        # complaining about it at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        # a user of the command line is owed a sentence, not a stack of frames
        known = isinstance(error, ValueError | OSError | ImportError)
        kind = "" if known else f"{type(error).__name__}: "
        return _complain(f"{kind}{error}", _FAILURE)
    return 0


def _complain(message, status):
    """One line on standard error, whatever the message contains."""
    line = " ".join(str(message).split())
    line = "".join(c if c.isprintable() else "?" for c in line)
    print(f"sksim: error: {line}", file=sys.stderr)
    return status


def _make_parser():
    parser = _Parser(
        prog="python -m sksim",
        description="How similar are two models? Measured, and tested against chance.",
    )
    parser.add_argument("--version", action="version", version=f"sksim {__version__}")
    commands = parser.add_subparsers(
        title="commands", dest="command", required=True, metavar="{demo,compare}"
    )
    demo = commands.add_parser(
        "demo",
        help="compare classical and neural models of handwritten digits",
        description="Fit five models of handwritten digits and compare what they "
        "represent and what they answer; needs no data and no network.",
    )
    demo.add_argument(
        "--output",
        metavar="FILE",
        default="sksim-report.html",
        help="HTML report to write (default: %(default)s)",
    )
    demo.add_argument(
        "--quick", action="store_true", help="fewer rows, models and permutations"
    )
    _add_common(demo, n_permutations=199)
    demo.set_defaults(run=_run_demo)

    compare = commands.add_parser(
        "compare",
        help="compare two files of arrays",
        description="Compare two arrays with the same rows in the same order: "
        "representations (matrices), class labels (vectors) or probabilities. Files "
        "are .npy, .npz, .csv, .tsv, .txt (also with .gz), .parquet, .feather, .mat, "
        ".h5, .safetensors or .pt. How tables are written is found out; what stays in "
        "doubt is refused, with the option that decides.",
    )
    compare.add_argument("a", metavar="A", help="file of the first array")
    compare.add_argument("b", metavar="B", help="file of the second array")
    compare.add_argument(
        "--measures",
        metavar="NAME",
        nargs="+",
        help="measures or families, by name, such as CKA or cca (default: all that "
        "apply)",
    )
    compare.add_argument(
        "--key",
        metavar="NAME",
        action="append",
        help="array of a file with several; given twice: that of A, then that of B",
    )
    compare.add_argument(
        "--labels",
        metavar="FILE",
        help="file of the true labels: for some measures, and so that p-values of "
        "outputs are of rows of one class",
    )
    compare.add_argument(
        "--groups",
        metavar="FILE",
        help="file of groups of rows that belong together, for the permutations",
    )
    compare.add_argument(
        "--join",
        action="store_true",
        help="join the rows of A and B by their names, and leave out what only one has",
    )
    _add_reading(compare)
    compare.add_argument("--output", metavar="FILE", help="HTML report to write")
    compare.add_argument("--csv", metavar="FILE", help="table to write as .csv")
    compare.add_argument(
        "--seed", type=int, default=0, help="seed of the permutations (default: 0)"
    )
    _add_common(compare, n_permutations=999)
    compare.set_defaults(run=_run_compare)
    return parser


def _add_reading(parser):
    """Options that say how files are to be read."""
    group = parser.add_argument_group(
        "how files are read",
        "What is not said is found out. Given once, an option is for all files (--key, "
        "--columns, --drop, --index-col: for A and B); given several times, it is for "
        "A, B, --labels and --groups, in this order.",
    )
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


def _add_common(parser, *, n_permutations):
    parser.add_argument(
        "--permutations",
        metavar="N",
        type=_count,
        default=n_permutations,
        help="permutations behind each p-value; 0 for none (default: %(default)s)",
    )
    parser.add_argument(
        "--confidence",
        metavar="LEVEL",
        type=_level,
        default=0.95,
        help="level of the intervals; 0 for none (default: %(default)s)",
    )
    parser.add_argument(
        "--cost-limit",
        metavar="N",
        type=_cost,
        default=1e10,
        help="row operations that the permutations of one measure may take, and "
        "likewise its interval; beyond, it gets none (default: %(default)g)",
    )
    parser.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="show progress on standard error (default: on a terminal)",
    )


def _count(text):
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise argparse.ArgumentTypeError(f"must be a number from 0 on, got {text!r}")
    return number


def _level(text):
    """A level of confidence, or None where 0 asks for no intervals."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1:
        raise argparse.ArgumentTypeError(
            f"must be a number from 0 to below 1, such as 0.95, got {text!r}"
        )
    return number or None


def _cost(text):
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not number > 0:
        raise argparse.ArgumentTypeError(f"must be a number above 0, got {text!r}")
    return number


def _verbose(arguments):
    if arguments.progress is None:
        return int(sys.stderr.isatty())
    return int(arguments.progress)


def _run_demo(arguments):
    from sksim._demo import run_demo

    _check_report(arguments.output)
    run_demo(
        arguments.output,
        n_permutations=arguments.permutations,
        confidence_level=arguments.confidence,
        cost_limit=arguments.cost_limit,
        quick=arguments.quick,
        verbose=_verbose(arguments),
        call=arguments.call,
    )


def _run_compare(arguments):
    from sksim.pairwise import compare
    from sksim.report import write_report
    from sksim.report._text import format_table

    if len(arguments.key or ()) > 2:
        raise _UsageError("--key may be given twice at most: for A and for B")
    _check_report(arguments.output)
    _check_writable(arguments.csv)
    a = _read_rows(arguments, arguments.a, 0)
    b = _read_rows(arguments, arguments.b, 1)
    labels = _read_vector(arguments, arguments.labels, 2, "--labels")
    groups = _read_vector(arguments, arguments.groups, 3, "--groups")
    a, b, labels, groups, joined = _aligned(arguments, a, b, labels, groups)
    result = compare(
        a,
        b,
        y_true=labels,
        measures=_names(arguments.measures) or "all",
        n_permutations=arguments.permutations,
        confidence_level=arguments.confidence,
        groups=groups,
        cost_limit=arguments.cost_limit,
        random_state=arguments.seed,
        verbose=_verbose(arguments),
    )
    table = result.to_frame()
    if table["value"].isna().all():
        note = next((note for note in table["note"] if note), "")
        raise ValueError(f"no measure could be computed: {note}")
    print(f"{arguments.a} {_shape(a)} against {arguments.b} {_shape(b)}{joined}")
    print(format_table(table.drop(columns=["compared"])))
    if arguments.csv:
        table.to_csv(arguments.csv, index=False)
    if arguments.output:
        write_report(
            table,
            arguments.output,
            title=f"{arguments.a} against {arguments.b}",
            text=f"Arrays of shapes {_shape(a)} and {_shape(b)}{joined}.",
            call=arguments.call,
        )
        print(f"Report: {arguments.output}")


# ----- files --------------------------------------------------------------------------


def _read(arguments, path, place):
    """Array of the file at a place: A, B, the labels or the groups."""
    from sksim._reading._files import holds_several, read_array

    common = ("header", "sep", "decimal", "encoding", "na")
    of_pair = ("index_col", "columns", "drop")
    options = {name: _given(arguments, name, place, 4) for name in common}
    options |= {name: _given(arguments, name, place, 2) for name in of_pair}
    if holds_several(path) and place < 2:
        options["key"] = _given(arguments, "key", place, 2)
    for name in ("columns", "drop", "na"):
        options[name] = _names(options[name])
    if place < 2:
        options |= {"flatten": arguments.flatten, "pool": arguments.pool}
    return read_array(path, **options)


def _given(arguments, name, place, n_shared):
    """What an option says of one file: the only value, or that of the file's place."""
    values = getattr(arguments, name) or []
    if len(values) > 4:
        flag = name.replace("_", "-")
        raise _UsageError(
            f"--{flag} may be given four times at most: for A, B, --labels and --groups"
        )
    if len(values) == 1:
        return values[0] if place < n_shared else None
    return values[place] if place < len(values) else None


def _read_rows(arguments, path, place):
    array = _read(arguments, path, place)
    if array.ndim > 2:
        raise ValueError(
            f"{path} has {array.ndim} dimensions ({_shape(array)}), where rows are "
            "vectors: --flatten makes one row of all numbers of an input, --pool mean "
            "averages over its tokens or places."
        )
    return array


def _aligned(arguments, a, b, labels, groups):
    """Rows in one order, if their files name them; and a remark on what fell out."""
    known = {
        arguments.a: a,
        arguments.b: b,
        arguments.labels: labels,
        arguments.groups: groups,
    }
    named = {path: x for path, x in known.items() if _row_names(x) is not None}
    if arguments.join:
        return _joined(arguments, a, b, labels, groups)
    first, *others = named or [None]
    for path in others:
        _refuse_other_names(first, named[first], path, named[path])
    return a, b, labels, groups, ""


def _row_names(array):
    """Names of the rows that a file gave; a count of the file's rows is none."""
    import pandas as pd

    index = getattr(array, "index", None)
    return None if index is None or isinstance(index, pd.RangeIndex) else index


def _refuse_other_names(first, a, path, b):
    names, others = _row_names(a), _row_names(b)
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
        if _row_names(array) is None:
            raise ValueError(
                f"{path} has no names of rows to --join by: --index-col says which "
                "column holds them."
            )
    extra = [x for x in (labels, groups) if x is not None]
    tables = [x for x in extra if _row_names(x) is not None]
    joined = align_rows(a, b, *tables)
    new_a, new_b, *new = joined
    new = iter(new)
    rows = a.index.get_indexer(new_a.index)

    def moved(values, path):
        if values is None:
            return None
        if _row_names(values) is not None:
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


def _names(given):
    """Names, whether they were separated by blanks or by commas."""
    if given is None:
        return None
    return [name for part in given for name in part.split(",") if name]


def _read_vector(arguments, path, place, option):
    if path is None:
        return None
    values = _read(arguments, path, place)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0] if not hasattr(values, "iloc") else values.iloc[:, 0]
    if values.ndim != 1:
        raise ValueError(
            f"{option} must hold one value for each row, but {path} has the shape "
            f"{tuple(values.shape)}: choose a column by --columns, its third or fourth."
        )
    return values


def _shape(array):
    return " x ".join(map(str, array.shape))


def _check_report(path):
    """Fail before the work rather than after it."""
    from sksim.report._template import environment

    _check_writable(path)
    if path is not None:
        environment()


def _check_writable(path):
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
