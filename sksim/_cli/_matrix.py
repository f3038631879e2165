"""``sksim matrix FILES``: many models against each other, and where they lie."""

from sksim._cli._files import (
    add_key,
    add_reading,
    aligned_files,
    as_measure,
    read_rows,
    read_vector,
    short_names,
)
from sksim._cli._layers import (
    add_matrix_output,
    add_measure,
    as_document,
    print_matrix,
    print_table,
)
from sksim._cli._parser import UsageError
from sksim._cli._writing import check_writable, print_json


def add_to(commands):
    """The command and its options."""
    parser = commands.add_parser(
        "matrix",
        help="compare many files with each other, and draw a map",
        description="Compare one array of each file with those of all others: the same "
        "rows in the same order. Prints the matrix of scores, of which greater is more "
        "similar.",
    )
    parser.add_argument("files", metavar="FILE", nargs="+", help="two files or more")
    add_measure(parser)
    parser.add_argument(
        "--map",
        action="store_true",
        help="place the models in a plane, by classical scaling: coordinates, and a "
        "picture in the report (three files or more)",
    )
    parser.add_argument(
        "--join",
        action="store_true",
        help="join rows by their names, and leave out what not all files have",
    )
    add_matrix_output(parser)
    add_key(parser)
    add_reading(
        parser,
        "What is not said is found out. Given once, an option is for all files; given "
        "several times, for each in turn, then for --labels.",
    )
    parser.set_defaults(run=run)


def run(arguments):
    """Do what is asked."""
    from sksim.pairwise import similarity_matrix

    paths = arguments.files
    if len(paths) < 2 + arguments.map:
        least = "three" if arguments.map else "two"
        what = "a map" if arguments.map else "a matrix"
        raise UsageError(f"{what} takes {least} files or more, got {len(paths)}")
    arguments.n_files = len(paths)
    check_writable(arguments.csv)
    check_writable(arguments.output)
    measure = as_measure(arguments.measure)
    arrays = [read_rows(arguments, path, i) for i, path in enumerate(paths)]
    labels = read_vector(arguments, arguments.labels, len(paths), "--labels")
    arrays, labels, remark = aligned_files(arguments, paths, arrays, labels)
    layers = dict(zip(short_names(paths), arrays, strict=True))
    if arguments.measure is None:
        measure = _default_for(arrays, measure)
    matrix = similarity_matrix(
        measure, layers, y_true=labels, verbose=int(arguments.progress)
    )
    place = _map_of(matrix) if arguments.map else None
    if arguments.csv:
        matrix.to_csv(arguments.csv)
    if arguments.output:
        _report(arguments, matrix, place, remark)
    if arguments.json:
        print_json(as_document(matrix) | _as_json(place))
        return
    print(f"{len(paths)} files of {len(arrays[0])} rows{remark}")
    print_matrix(matrix, arguments.csv)
    if place is not None:
        print(f"\nMap, with {place.share:.0%} of the squared distances:\n")
        print_table(_coordinates(place))
    if arguments.output:
        print(f"Report: {arguments.output}")


def _default_for(arrays, measure):
    """Labels are compared by how often they differ."""
    if all(array.ndim == 1 and array.dtype.kind in "OUSTib" for array in arrays):
        return as_measure("Disagreement")
    return measure


def _map_of(matrix):
    from sksim.plot import ModelMapDisplay

    return ModelMapDisplay.from_matrix(matrix)


def _coordinates(place):
    import pandas as pd

    return pd.DataFrame(place.coordinates, index=place.names, columns=["x", "y"])


def _as_json(place):
    if place is None:
        return {}
    points = dict(zip(place.names, place.coordinates.tolist(), strict=True))
    return {"map": {"share": place.share, "coordinates": points}}


def _report(arguments, matrix, place, remark):
    from sksim.report import write_report

    name = matrix.attrs["measure"]
    figures, tables = {f"Scores by {name}": matrix}, {}
    if place is not None:
        figures = {"Map: alike models are near each other": _drawn(place), **figures}
        tables = {"Coordinates on the map": _coordinates(place)}
    write_report(
        tables,
        arguments.output,
        title=f"{len(matrix)} models against each other",
        text=f"By {name}{remark}.",
        figures=figures,
        call=arguments.call,
    )


def _drawn(place):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 5), layout="constrained")
    FigureCanvasAgg(figure)
    place.plot(ax=figure.add_subplot())
    return figure
