"""``sksim gate OLD NEW``: may a new model replace the old one? For CI."""

import argparse
import os
import tomllib

from sksim._cli._answers import add_answers, opened
from sksim._cli._parser import Parser, UsageError, add_json, amount, program, share
from sksim._cli._writing import check_writable, filled, print_json, records_of

NOT_PASSED = 3
_LIMITS = {
    "max_churn": (share, "largest share of rows whose answer changes"),
    "min_agreement": (share, "smallest share of rows with the same answer"),
    "noninferiority": (amount, "largest loss of accuracy, or of the mean score"),
    "max_negative_flips": (
        share,
        "largest share of rows that OLD has right and NEW has wrong",
    ),
    "max_kl": (amount, "largest mean KL divergence of NEW from OLD, in nats"),
    "max_js": (amount, "largest mean JS divergence, in nats"),
}
_DESCRIPTION = (
    "Pass if every limit is shown to hold: if the confidence bound, not the number "
    "that these rows happen to give, meets it, on all rows and in each slice. What "
    "can't be said from so few rows does not pass, and how many would do is said. "
    "Files are those of sksim predictions, and of probabilities: arrays of shape "
    "(rows, classes), or tables with a column for each class. Status 0: passed, 3: not "
    "passed, 1: unusable input, 2: wrong use. Options may be in [tool.sksim.gate] of "
    "pyproject.toml; the command line goes before."
)


def add_to(commands):
    """The command and its options."""
    parser = commands.add_parser(
        "gate",
        help="pass or fail a new model against an old one, for CI",
        description=_DESCRIPTION,
    )
    _fill(parser)
    parser.set_defaults(run=run)


def _fill(parser):
    parser.add_argument("a", metavar="OLD", help="predictions of the old model")
    parser.add_argument("b", metavar="NEW", help="predictions of the new model")
    limits = parser.add_argument_group("limits, of which one or more must be given")
    for name, (kind, text) in _LIMITS.items():
        flag = f"--{name.replace('_', '-')}"
        limits.add_argument(flag, metavar="X", type=kind, help=text)
    parser.add_argument("--junit", metavar="FILE", help="JUnit's XML to write")
    parser.add_argument(
        "--markdown", action="store_true", help="print Markdown, for a comment"
    )
    add_json(parser)
    parser.add_argument(
        "--max-rows",
        metavar="N",
        type=int,
        default=20,
        help="so many of the rows that changed are shown (default: %(default)s)",
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="file with a table [tool.sksim.gate] of these options (default: "
        "pyproject.toml of the current folder, if there is one)",
    )
    add_answers(parser)


def run(arguments):
    """Decide; ``arguments.status`` is the status of the command."""
    given, arguments = arguments, _configured(arguments)
    limits = {name: getattr(arguments, name) for name in _LIMITS}
    if all(limit is None for limit in limits.values()):
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in _LIMITS)
        raise UsageError(f"give one limit or more: {flags} (see sksim gate --help)")
    if arguments.markdown and arguments.json:
        raise UsageError("--markdown and --json are two answers to one question")
    check_writable(arguments.junit)
    from sksim.pairwise import release_gate

    old, new, known = opened(arguments)
    result = release_gate(old, new, **limits, **known)
    if arguments.junit:
        with open(arguments.junit, "w", encoding="utf-8") as file:
            file.write(result.to_junit())
    # before anything is printed: a reader that stops reading changes no outcome
    given.status = 0 if result.passed else NOT_PASSED
    _print(result, arguments)


def _print(result, arguments):
    n_rows = max(arguments.max_rows, 0)
    if arguments.markdown:
        print(result.to_markdown(max_rows=n_rows), end="")
        return
    changed = result.changed.head(n_rows)
    if arguments.json:
        found = {
            "passed": result.passed,
            "sentence": result.sentence(),
            "n_rows": result.n_rows,
            "confidence_level": result.confidence_level,
            "criteria": records_of(result.criteria),
            "n_changed": len(result.changed),
            "changed": records_of(_with_ids(changed)),
            "comparison": result.comparison.to_dict(),
        }
        print_json(found)
        return
    from sksim.report._text import format_table

    print(f"old: {arguments.a}, new: {arguments.b}")
    print(filled(result.sentence()))
    print()
    criteria = result.criteria.astype({"rows_needed": "Int64"})
    print(format_table(criteria.set_index("criterion")))
    if len(changed):
        n_all = len(result.changed)
        count = f"the first {n_rows} of {n_all}" if n_all > n_rows else f"{n_all}"
        print(f"\nRows that changed ({count}):\n")
        print(format_table(_with_ids(changed).set_index(_id_names(changed)[0])))


def _with_ids(changed):
    return changed.reset_index(names=_id_names(changed))


def _id_names(changed):
    taken = set(changed.columns)
    names = [name or "row" for name in changed.index.names]
    return [f"{name} (id)" if name in taken else name for name in names]


# ----- configuration ------------------------------------------------------------------


def _configured(arguments):
    """Arguments with those of a configuration file where the command line has none."""
    path = arguments.config or "pyproject.toml"
    if arguments.config is None and not os.path.isfile(path):
        return arguments
    parser = Parser(prog=f"{program()} gate")
    _fill(parser)
    given = _given(arguments)
    found_there = _table_of(path, parser, is_named=arguments.config is not None)
    table = {name: value for name, value in found_there.items() if name not in given}
    argv = [*arguments.argv[1:], *_as_arguments(table, parser)]
    try:
        found = parser.parse_args(argv)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    found.argv, found.call = arguments.argv, arguments.call
    return found


def _given(arguments):
    """Names of the options that the command line has."""
    parser = Parser(argument_default=argparse.SUPPRESS)
    _fill(parser)
    for action in parser._actions:
        action.default = argparse.SUPPRESS
    return set(vars(parser.parse_args(arguments.argv[1:])))


def _options(parser):
    """Options by name, those that a configuration has no use for left out."""
    return {
        action.dest: action
        for action in parser._actions
        if action.option_strings and action.dest not in ("help", "config")
    }


def _table_of(path, parser, *, is_named):
    """Options in a configuration file; names that are none of ours are refused."""
    try:
        with open(path, "rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        raise UsageError(f"--config {path}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path} is no TOML: {error}") from error
    table = content.get("tool", {}).get("sksim", {}).get("gate")
    if table is None and is_named:
        raise UsageError(f"{path} has no table [tool.sksim.gate]")
    known = _options(parser)
    found = {}
    for name, value in (table or {}).items():
        dest = name.replace("-", "_")
        if dest not in known:
            names = ", ".join(sorted(known))
            raise UsageError(
                f"{path}: [tool.sksim.gate] knows no {name!r}, only {names}"
            )
        found[dest] = value
    return found


def _as_arguments(table, parser):
    """A configuration as a command line, so that it is read in the same way."""
    known, argv = _options(parser), []
    for name, value in table.items():
        action = known[name]
        if isinstance(value, bool):
            argv += _of_switch(name, value, action)
        elif isinstance(value, list) and action.nargs is None:
            argv += [f"{action.option_strings[0]}={one}" for one in value]
        elif isinstance(value, list):
            argv += [action.option_strings[0], *map(str, value)]
        else:
            argv += [f"{action.option_strings[0]}={value}"]
    return argv


def _of_switch(name, value, action):
    if name == "header":
        return ["--header" if value else "--no-header"]
    if action.nargs != 0:
        raise UsageError(f"[tool.sksim.gate]: {name} is no switch, got {value}")
    return [action.option_strings[0]] if value else []
