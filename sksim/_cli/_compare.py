"""``sksim compare A B``: two files of arrays, by many measures."""

from sksim._cli._files import (
    add_key,
    add_reading,
    aligned,
    read_rows,
    read_vector,
    shape,
)
from sksim._cli._parser import UsageError, add_progress, add_tests, words
from sksim._cli._writing import check_report, check_writable


def add_to(commands):
    """The command and its options."""
    parser = commands.add_parser(
        "compare",
        help="compare two files of arrays",
        description="Compare two arrays with the same rows in the same order: "
        "representations (matrices), class labels (vectors) or probabilities. Files "
        "are .npy, .npz, .csv, .tsv, .txt (also with .gz), .parquet, .feather, .mat, "
        ".h5, .safetensors or .pt. How tables are written is found out; what stays in "
        "doubt is refused, with the option that decides.",
    )
    parser.add_argument("a", metavar="A", help="file of the first array")
    parser.add_argument("b", metavar="B", help="file of the second array")
    parser.add_argument(
        "--measures",
        metavar="NAME",
        nargs="+",
        help="measures or families, by name, such as CKA or cca (default: all that "
        "apply)",
    )
    add_key(parser)
    parser.add_argument(
        "--labels",
        metavar="FILE",
        help="file of the true labels: for some measures, and so that p-values of "
        "outputs are of rows of one class",
    )
    parser.add_argument(
        "--groups",
        metavar="FILE",
        help="file of groups of rows that belong together, for the permutations",
    )
    parser.add_argument(
        "--join",
        action="store_true",
        help="join the rows of A and B by their names, and leave out what only one has",
    )
    add_reading(parser)
    parser.add_argument("--output", metavar="FILE", help="HTML report to write")
    parser.add_argument("--csv", metavar="FILE", help="table to write as .csv")
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the permutations (default: 0)"
    )
    add_tests(parser, n_permutations=999)
    add_progress(parser)
    parser.set_defaults(run=run)


def run(arguments):
    """Do what is asked."""
    from sksim.pairwise import compare
    from sksim.report import write_report
    from sksim.report._text import format_table

    if len(arguments.key or ()) > 2:
        raise UsageError("--key may be given twice at most: for A and for B")
    check_report(arguments.output)
    check_writable(arguments.csv)
    a = read_rows(arguments, arguments.a, 0)
    b = read_rows(arguments, arguments.b, 1)
    labels = read_vector(arguments, arguments.labels, 2, "--labels")
    groups = read_vector(arguments, arguments.groups, 3, "--groups")
    a, b, labels, groups, joined = aligned(arguments, a, b, labels, groups)
    table = compare(
        a,
        b,
        y_true=labels,
        measures=words(arguments.measures),
        n_permutations=arguments.permutations,
        confidence_level=arguments.confidence,
        groups=groups,
        cost_limit=arguments.cost_limit,
        random_state=arguments.seed,
        verbose=int(arguments.progress),
    )
    if table["value"].isna().all():
        note = next((note for note in table["note"] if note), "")
        raise ValueError(f"no measure could be computed: {note}")
    print(f"{arguments.a} {shape(a)} against {arguments.b} {shape(b)}{joined}")
    print(format_table(table.drop(columns=["compared"])))
    if arguments.csv:
        table.to_csv(arguments.csv, index=False)
    if arguments.output:
        write_report(
            table,
            arguments.output,
            title=f"{arguments.a} against {arguments.b}",
            text=f"Arrays of shapes {shape(a)} and {shape(b)}{joined}.",
            call=arguments.call,
        )
        print(f"Report: {arguments.output}")
