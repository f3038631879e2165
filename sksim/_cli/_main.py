"""Which command is meant, and what becomes of what goes wrong in it."""

import argparse
import os
import shlex
import sys
import warnings

from sksim import __version__
from sksim._cli import (
    _compare,
    _demo,
    _explain,
    _gate,
    _layers,
    _matrix,
    _measures,
    _predictions,
)
from sksim._cli._parser import Parser, UsageError, program
from sksim._progress import progress_in_lines

FAILURE = 1
USAGE = 2
INTERRUPTED = 130
_COMMANDS = (
    _compare,
    _predictions,
    _gate,
    _layers,
    _matrix,
    _measures,
    _explain,
    _demo,
)


def main(argv=None):
    """Run the command line.

    Parameters
    ----------
    argv : list of str, default=None
        Arguments; None for those of the process.

    Returns
    -------
    status : int
        0 on success, 1 if the data are wrong, 2 if the command is, 3 if a gate does not
        pass, 130 if interrupted.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    arguments = argparse.Namespace(status=0)
    try:
        with _on_one_line():
            arguments = make_parser().parse_args(argv, arguments)
            arguments.argv = argv
            arguments.call = f"{program()} {shlex.join(argv)}"
            arguments.run(arguments)
        sys.stdout.flush()
    except UsageError as error:
        return _complain(error, USAGE)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # the reader, such as head, has seen enough; keep the interpreter from
        # complaining about it at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        # a user of the command line is owed a sentence, not a stack of frames
        known = isinstance(error, ValueError | OSError | ImportError)
        kind = "" if known else f"{type(error).__name__}: "
        return _complain(f"{kind}{error}", FAILURE)
    return arguments.status


class _on_one_line(warnings.catch_warnings):
    """Warnings without the line of code that they come from; progress in lines."""

    def __enter__(self):
        super().__enter__()
        for category in (UserWarning, RuntimeWarning):
            warnings.filterwarnings("default", category=category)
        warnings.showwarning = lambda message, *where, **how: _say("warning", message)
        self._progress = progress_in_lines(not sys.stderr.isatty())
        self._progress.__enter__()

    def __exit__(self, *exc_info):
        self._progress.__exit__(*exc_info)
        super().__exit__(*exc_info)


def _complain(message, status):
    """One line on standard error, whatever the message contains."""
    _say("error", message)
    return status


def _say(kind, message):
    line = " ".join(str(message).split())
    line = "".join(c if c.isprintable() else "?" for c in line)
    print(f"sksim: {kind}: {line}", file=sys.stderr)


def make_parser():
    """Parser of all commands."""
    parser = Parser(
        prog=program(),
        description="How similar are two models? Measured, and tested against chance.",
    )
    parser.add_argument("--version", action="version", version=f"sksim {__version__}")
    commands = parser.add_subparsers(
        title="commands", dest="command", required=True, metavar="COMMAND"
    )
    for command in _COMMANDS:
        command.add_to(commands)
    return parser
