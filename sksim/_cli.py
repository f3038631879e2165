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
    _add_common(demo)
    demo.set_defaults(run=_run_demo)

    compare = commands.add_parser(
        "compare",
        help="compare two files of arrays",
        description="Compare two arrays with the same rows in the same order: "
        "representations (matrices), class labels (vectors) or probabilities. Files "
        "are .npy, .npz, .csv or .parquet.",
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
        help="array of an .npz file; given twice: that of A, then that of B",
    )
    compare.add_argument(
        "--labels", metavar="FILE", help="file of the true labels, for some measures"
    )
    compare.add_argument(
        "--groups",
        metavar="FILE",
        help="file of groups of rows that belong together, for the permutations",
    )
    compare.add_argument("--output", metavar="FILE", help="HTML report to write")
    compare.add_argument("--csv", metavar="FILE", help="table to write as .csv")
    compare.add_argument(
        "--seed", type=int, default=0, help="seed of the permutations (default: 0)"
    )
    _add_common(compare)
    compare.set_defaults(run=_run_compare)
    return parser


def _add_common(parser):
    parser.add_argument(
        "--permutations",
        metavar="N",
        type=_count,
        default=99,
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
        "--time-limit",
        metavar="S",
        type=_seconds,
        default=10.0,
        help="seconds that the permutations of one measure may take, and likewise its "
        "interval; beyond, it gets none (default: %(default)g)",
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


def _seconds(text):
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
        time_limit=min(arguments.time_limit, 1.0 if arguments.quick else 2.0),
        quick=arguments.quick,
        verbose=_verbose(arguments),
        call=arguments.call,
    )


def _run_compare(arguments):
    from sksim._files import read_array
    from sksim.pairwise import compare
    from sksim.report import write_report
    from sksim.report._text import format_table

    keys = arguments.key or [None]
    if len(keys) > 2:
        raise _UsageError("--key may be given twice at most: for A and for B")
    _check_report(arguments.output)
    _check_writable(arguments.csv)
    a = read_array(arguments.a, key=_key_of(arguments.a, keys[0]))
    b = read_array(arguments.b, key=_key_of(arguments.b, keys[-1]))
    labels = _read_vector(arguments.labels, "--labels")
    groups = _read_vector(arguments.groups, "--groups")
    table = compare(
        a,
        b,
        y_true=labels,
        measures=_names(arguments.measures),
        n_permutations=arguments.permutations,
        confidence_level=arguments.confidence,
        groups=groups,
        time_limit=arguments.time_limit,
        random_state=arguments.seed,
        verbose=_verbose(arguments),
    )
    print(f"{arguments.a} {_shape(a)} against {arguments.b} {_shape(b)}")
    print(format_table(table.drop(columns=["compared"])))
    if arguments.csv:
        table.to_csv(arguments.csv, index=False)
    if arguments.output:
        write_report(
            table,
            arguments.output,
            title=f"{arguments.a} against {arguments.b}",
            text=f"Arrays of shapes {_shape(a)} and {_shape(b)}.",
            call=arguments.call,
        )
        print(f"Report: {arguments.output}")


def _names(given):
    """Names, whether they were separated by blanks or by commas."""
    if given is None:
        return None
    return [name for part in given for name in part.split(",") if name]


def _key_of(path, key):
    """--key is for archives: a .npy file beside one needs none."""
    return key if str(path).lower().endswith(".npz") else None


def _read_vector(path, option):
    from sksim._files import read_array

    if path is None:
        return None
    values = read_array(path)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise ValueError(
            f"{option} must hold one value for each row, but {path} has the shape "
            f"{values.shape}."
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
