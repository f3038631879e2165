"""Files of two models' predictions, and what is known of their rows."""

import os

from sksim._cli._files import add_key, add_reading, reading_options
from sksim._cli._parser import level, words


def add_answers(parser):
    """The files, and options that are about their rows."""
    parser.add_argument(
        "--labels",
        metavar="Y",
        help="true labels: a file, or a column of the tables; a column called target, "
        "truth or y_true is found",
    )
    parser.add_argument(
        "--on",
        metavar="NAME",
        nargs="+",
        help="columns with the ids of the rows, which are joined by them (default: a "
        "column that looks like ids, or the ids of logs; else rows are in order)",
    )
    parser.add_argument(
        "--groups",
        metavar="G",
        nargs="+",
        help="what rows that belong together share: a file, or columns",
    )
    parser.add_argument(
        "--slices",
        metavar="S",
        nargs="+",
        help="columns whose values part the rows, or a file of such columns",
    )
    parser.add_argument(
        "--scores",
        metavar="NAME",
        help="score to compare, such as f1, in place of right and wrong answers; of "
        "logs with several it must be named. Files of one number for each row are "
        "taken for scores",
    )
    parser.add_argument(
        "--allow",
        metavar="WHAT",
        nargs="+",
        default=[],
        help="rows that may be left out: unmatched, duplicates, changed",
    )
    parser.add_argument("--task", help="of logs with several")
    parser.add_argument("--filter", help="of logs with several, such as strict-match")
    parser.add_argument(
        "--confidence",
        metavar="LEVEL",
        type=level,
        default=0.95,
        help="level of the intervals, or bounds (default: %(default)s)",
    )
    add_key(parser)
    add_reading(parser)


def opened(arguments):
    """Both models' predictions, and keywords that say what is known of the rows."""
    a, b = (
        _read(arguments, path, i) for i, path in enumerate((arguments.a, arguments.b))
    )
    return a, b, {
        "y_true": _known(arguments, arguments.labels, 2),
        "groups": _known(arguments, words(arguments.groups), 3),
        "slices": _known(arguments, words(arguments.slices), 3),
        "on": _one_or_all(words(arguments.on)),
        "scores": arguments.scores,
        "allow": words(arguments.allow),
        "confidence_level": arguments.confidence,
    }  # fmt: skip


def _read(arguments, path, place):
    from sksim._reading._logs import read_answers
    from sksim._reading._options import Options

    options = reading_options(arguments, path, place)
    if arguments.on and options["index_col"] is None:
        options["index_col"] = "none"  # ids stay a column, which is named
    key = (arguments.key or [None])[min(place, len(arguments.key or [None]) - 1)]
    return read_answers(
        path,
        Options(key=key if place < 2 else None, **options),
        task=arguments.task,
        filter=arguments.filter,
    )


def _known(arguments, given, place):
    """A file's contents, or the names of columns as they were given."""
    paths = given if isinstance(given, list) else [given]
    if given is None or len(paths) != 1 or not _is_file(paths[0]):
        return _one_or_all(given)
    found = _read(arguments, paths[0], place)
    on = words(arguments.on)
    if on and set(on) <= set(getattr(found, "columns", ())):
        found = found.set_index(on if len(on) > 1 else on[0])
    return found


def _is_file(name):
    """Whether a file is meant, and not a column; one that is not there is refused."""
    from sksim._reading._logs import may_be_read

    return os.path.exists(name) or may_be_read(name)


def _one_or_all(given):
    return given[0] if isinstance(given, list) and len(given) == 1 else given
