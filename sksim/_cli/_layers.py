"""``sksim layers A B``: all arrays of one file against all of the other."""

from sksim._cli._files import add_reading, as_measure, read_layers, shape
from sksim._cli._parser import add_json, add_progress, words
from sksim._cli._writing import check_writable, print_json

# A wider table is no table in a terminal.
_MOST_COLUMNS = 10


def add_to(commands):
    """The command and its options."""
    parser = commands.add_parser(
        "layers",
        help="compare all layers of one network with all of another",
        description="Compare all arrays in one file with all in another (.npz, .h5, "
        ".mat, .safetensors, .pt; a file of one array is one layer): the same rows in "
        "the same order. Prints the matrix of scores, of which greater is more "
        "similar, and for each layer the one that is most similar.",
    )
    parser.add_argument("a", metavar="A", help="file with the first network's layers")
    parser.add_argument("b", metavar="B", help="file with the second network's layers")
    add_measure(parser)
    parser.add_argument(
        "--layers",
        metavar="NAME",
        nargs="+",
        help="only arrays of these names (default: all)",
    )
    add_matrix_output(parser)
    add_reading(parser, "What is not said is found out.")
    parser.set_defaults(run=run)


def add_measure(parser):
    """Which measure compares."""
    parser.add_argument(
        "--measure",
        metavar="NAME",
        help="measure, such as MutualKNN: see sksim measures (default: CKA, debiased)",
    )
    parser.add_argument(
        "--labels",
        metavar="FILE",
        help="file of the true labels, for measures that use them",
    )


def add_matrix_output(parser):
    """Where a matrix goes."""
    parser.add_argument("--csv", metavar="FILE", help="matrix to write as .csv")
    parser.add_argument("--output", metavar="FILE", help="HTML report to write")
    add_json(parser)
    add_progress(parser)


def run(arguments):
    """Do what is asked."""
    from sksim._cli._files import read_vector
    from sksim.pairwise import similarity_matrix
    from sksim.report import write_report

    check_writable(arguments.csv)
    check_writable(arguments.output)
    measure = as_measure(arguments.measure)
    only = words(arguments.layers)
    Xs, Ys = (
        read_layers(arguments, path, i, only)
        for i, path in enumerate((arguments.a, arguments.b))
    )
    matrix = similarity_matrix(
        measure,
        Xs,
        Ys,
        y_true=read_vector(arguments, arguments.labels, 2, "--labels"),
        verbose=int(arguments.progress),
    )
    best = _most_similar(matrix)
    if arguments.csv:
        matrix.to_csv(arguments.csv)
    name = matrix.attrs["measure"]
    if arguments.output:
        write_report(
            {"The most similar layer of B, for each of A": best},
            arguments.output,
            title=f"Layers of {arguments.a} against {arguments.b}",
            text=f"{len(Xs)} layers of A and {len(Ys)} of B, by {name}.",
            figures={f"Layers of A (rows) and B, by {name}": matrix},
            call=arguments.call,
        )
    if arguments.json:
        print_json(as_document(matrix) | {"most_similar": best["layer of B"].to_dict()})
        return
    for path, layers in ((arguments.a, Xs), (arguments.b, Ys)):
        shapes = ", ".join(f"{key} {shape(x)}" for key, x in layers.items())
        print(f"{path}: {shapes}")
    print_matrix(matrix, arguments.csv)
    print("\nThe most similar layer of B, for each of A:\n")
    print_table(best)
    if arguments.output:
        print(f"Report: {arguments.output}")


def _most_similar(matrix):
    import pandas as pd

    values = matrix.to_numpy()
    places = values.argmax(axis=1)
    return pd.DataFrame(
        {
            "layer of B": matrix.columns[places],
            "its score": values[range(len(values)), places],
        },
        index=matrix.index.rename("layer of A"),
    )


def print_matrix(matrix, csv):
    """A matrix, if it is narrow enough, with its measure."""
    print(f"\n{matrix.attrs['measure']} (greater is more similar):\n")
    if matrix.shape[1] <= _MOST_COLUMNS:
        print_table(matrix)
        return
    where = f"in {csv}" if csv else "written by --csv, --json or --output"
    print(f"{matrix.shape[0]} x {matrix.shape[1]} scores, {where}.")


def print_table(table):
    """A table as text."""
    from sksim.report._text import format_table

    print(format_table(table))


def as_document(matrix):
    """A matrix for JSON."""
    return {
        "measure": matrix.attrs["measure"],
        "rows": [str(name) for name in matrix.index],
        "columns": [str(name) for name in matrix.columns],
        "scores": matrix.to_numpy().tolist(),
    }
