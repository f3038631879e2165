"""Parsers whose complaints are one line, and the options that commands share."""

import argparse
import os
import sys


class UsageError(Exception):
    """The command line itself is wrong."""


class Parser(argparse.ArgumentParser):
    """A parser whose complaints fit on one line."""

    def error(self, message):
        raise UsageError(f"{message} (see {self.prog} --help)")


def program():
    """What this program was called by."""
    name = os.path.basename(sys.argv[0]) if sys.argv else ""
    return "sksim" if name.startswith("sksim") else "python -m sksim"


# ----- kinds of values ----------------------------------------------------------------


def count(text):
    """A whole number from 0 on."""
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise argparse.ArgumentTypeError(f"must be a number from 0 on, got {text!r}")
    return number


def level_or_none(text):
    """A level of confidence, or None where 0 asks for no intervals."""
    number = _number(text)
    if not 0 <= number < 1:
        raise argparse.ArgumentTypeError(
            f"must be a number from 0 to below 1, such as 0.95, got {text!r}"
        )
    return number or None


def level(text):
    """A level of confidence."""
    number = _number(text)
    if not 0.5 < number < 1:
        raise argparse.ArgumentTypeError(
            f"must be a number between 0.5 and 1, such as 0.95, got {text!r}"
        )
    return number


def share(text):
    """A share of rows that is neither none nor all."""
    number = _number(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(
            f"must be a share between 0 and 1, such as 0.02 for 2 %, got {text!r}"
        )
    return number


def amount(text):
    """A number above 0."""
    number = _number(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number above 0, got {text!r}")
    return number


def _number(text):
    try:
        return float(text)
    except ValueError:
        return -1.0


# ----- options ------------------------------------------------------------------------


def add_progress(parser):
    """Whether progress is shown."""
    parser.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="show progress on standard error: a bar on a terminal, elsewhere a line "
        "every few seconds",
    )


def add_json(parser):
    """Whether the result is printed for programs."""
    parser.add_argument(
        "--json",
        action="store_true",
        help="print the result as JSON and nothing else; null where there is no number",
    )


def add_tests(parser, *, n_permutations):
    """What p-values and intervals rest on."""
    parser.add_argument(
        "--permutations",
        metavar="N",
        type=count,
        default=n_permutations,
        help="permutations behind each p-value; 0 for none (default: %(default)s)",
    )
    parser.add_argument(
        "--confidence",
        metavar="LEVEL",
        type=level_or_none,
        default=0.95,
        help="level of the intervals; 0 for none (default: %(default)s)",
    )
    parser.add_argument(
        "--cost-limit",
        metavar="N",
        type=amount,
        default=1e10,
        help="row operations that the permutations of one measure may take, and "
        "likewise its interval; beyond, it gets none (default: %(default)g)",
    )


def words(given):
    """Names, whether they were separated by blanks or by commas."""
    if given is None:
        return None
    return [name for part in given for name in part.split(",") if name]
