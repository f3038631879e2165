"""The published table by one command: ``python -m sksim.evaluation --full``."""

import argparse
import os
import re
import shutil
import sys
import zlib
from pathlib import Path

from sksim import __version__
from sksim._progress import ProgressBar
from sksim.datasets import make_model_zoo
from sksim.datasets._model_zoo import recipe_of
from sksim.datasets._zoo_recipe import KINDS
from sksim.evaluation._evaluate import judged, judges_of, table_of
from sksim.evaluation._table import MeasureTable, joined

# Measures of models are tried with these parts only: they train or attack anew.
_PARTS_OF_MODELS = ("base", "family", "copies")
_SEEDS = {"quick": 5, "full": 10}
_SECONDS = 120.0


def main(argv=None):
    """Judge measures with several kinds of data, and write the table.

    What has been done is kept in ``parts`` under the folder, by recipe and version, and
    is not done again: the command may be stopped at any time.

    Parameters
    ----------
    argv : list of str, default=None
        Arguments; None for those of the process.

    Returns
    -------
    status : int
        0, or 1 if there is nothing that can be judged.
    """
    arguments = _parser().parse_args(argv)
    size = "full" if arguments.full else "quick"
    try:
        tables = [
            table
            for kind in arguments.kinds or KINDS
            for table in _of_kind(kind, size, arguments)
        ]
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    table = joined(tables)
    table.to_csv(arguments.out)
    failed = (table.table["failure"] != "").sum()
    print(
        f"{arguments.out / 'table.csv'}: {table.table['measure'].nunique()} measures, "
        f"{len(table.table)} values, of which {failed} are failures."
    )
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m sksim.evaluation",
        description="Judge measures by models of known kinship. May be stopped, and "
        "goes on where it was.",
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--full", action="store_true", help="39 models for each seed")
    size.add_argument("--quick", action="store_true", help="15 (the default)")
    parser.add_argument(
        "--out", type=Path, default=Path("evaluation"), metavar="FOLDER"
    )
    parser.add_argument(
        "--kinds", nargs="+", choices=KINDS, help="of data; default all"
    )
    parser.add_argument("--seeds", type=int, help="default 5, with --full 10")
    parser.add_argument("--measures", nargs="+", metavar="NAME", help="default all")
    parser.add_argument("--tests", nargs="+", metavar="NAME", help="default all")
    parser.add_argument("--parts", nargs="*", metavar="NAME", help="of the models")
    parser.add_argument("--n-jobs", type=int, default=None)
    parser.add_argument("--data-home", help="where models are stored")
    parser.add_argument(
        "--time-limit",
        type=float,
        default=_SECONDS,
        help="processor seconds of a measure with one kind of data; default "
        f"{_SECONDS:g}",
    )
    parser.add_argument("--quiet", action="store_true")
    return parser


def _of_kind(kind, size, arguments):
    """Tables of all measures with one kind of data: stored ones, and new ones."""
    judges = judges_of(arguments.measures or "all", random_state=0)
    of_models = {k: v for k, v in judges.items() if v.kind == "models"}
    others = {k: v for k, v in judges.items() if v.kind != "models"}
    yield from _with_zoo(kind, size, arguments, others, keep_estimators=False)
    yield from _with_zoo(kind, size, arguments, of_models, keep_estimators=True)


def _with_zoo(kind, size, arguments, judges, *, keep_estimators):
    if not judges:
        return
    parts = _PARTS_OF_MODELS if keep_estimators else arguments.parts
    seeds = arguments.seeds or _SEEDS[size]
    recipe = recipe_of(kind, size, parts, seeds, share_seeds=False, entropy=0)
    folder = _folder_of(arguments, recipe)
    todo = {}
    for label, scores in judges.items():
        if (folder / _file_name(label)).is_dir():
            yield MeasureTable.from_csv(folder / _file_name(label))
        else:
            todo[label] = scores
    if not todo:
        return
    verbose = not arguments.quiet
    zoo = make_model_zoo(
        kind,
        size,
        seeds,
        parts=parts,
        keep_estimators=keep_estimators,
        n_jobs=arguments.n_jobs,
        data_home=arguments.data_home,
        verbose=verbose,
    )
    outcomes = judged(
        zoo,
        todo,
        arguments.tests,
        suite=size,
        on_error="record",
        time_limit=arguments.time_limit,
        n_jobs=arguments.n_jobs,
    )
    with ProgressBar(len(todo), kind, enabled=verbose) as bar:
        for label, outcome in outcomes:
            table = table_of([outcome._replace(matrices={})])
            _store(table, folder / _file_name(label))
            bar.step(label)
            yield table


def _folder_of(arguments, recipe):
    """Where the parts of a setting are: another setting has another folder."""
    setting = repr((recipe["hash"], arguments.tests, arguments.time_limit))
    name = f"{__version__}-{recipe['kind']}-{recipe['size']}-{_crc(setting)}"
    return arguments.out / "parts" / name


def _crc(text):
    return f"{zlib.crc32(text.encode()):08x}"


def _file_name(label):
    """A label as the name of a folder; other labels have other names."""
    short = re.sub(r"\W+", "-", label)[:40]
    return f"{short}-{_crc(label)}"


def _store(table, folder):
    """Write a table so that the folder is there when all of it is."""
    beside = folder.with_name(f"{folder.name}.{os.getpid()}")
    table.to_csv(beside)
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(beside, folder)
