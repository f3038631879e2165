"""``sksim compare A B``: what two files of arrays have in common, and the verdict."""

import textwrap

from sksim._cli._files import (
    add_key,
    add_reading,
    aligned,
    read_rows,
    read_vector,
    shape,
)
from sksim._cli._parser import (
    UsageError,
    add_json,
    add_progress,
    add_tests,
    amount,
    words,
)
from sksim._cli._writing import check_writable, print_json

# named here too, since help is shown without importing the library
TASKS = ("same-architecture", "copy", "different-kinds", "recordings")


def add_to(commands):
    """The command and its options."""
    parser = commands.add_parser(
        "compare",
        help="compare two files of arrays: the verdict, and what it rests on",
        description="Compare two arrays with the same rows in the same order: "
        "representations (matrices), class labels (vectors) or probabilities. A few "
        "measures are shown that suit the task, and what they say together. Files "
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
        help="measures or families, by name, such as CKA or cca (default: a few that "
        "suit the task)",
    )
    parser.add_argument(
        "--all", action="store_true", help="all measures that apply, some eighty"
    )
    parser.add_argument(
        "--task",
        choices=TASKS,
        default="same-architecture",
        help="what A and B are, which chooses the measures (default: %(default)s)",
    )
    parser.add_argument(
        "--margin",
        metavar="M",
        type=amount,
        help="with --labels: by how much less B may be right and still replace A, such "
        "as 0.01",
    )
    add_key(parser)
    parser.add_argument(
        "--labels",
        metavar="FILE",
        help="file of the true labels: accuracies and McNemar's test of labels and "
        "probabilities, measures that need them, and p-values within classes",
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
    add_json(parser)
    add_tests(parser, n_permutations=999)
    add_progress(parser)
    parser.set_defaults(run=run)


def run(arguments):
    """Do what is asked."""
    from sksim.pairwise import compare
    from sksim.report import write_report

    if len(arguments.key or ()) > 2:
        raise UsageError("--key may be given twice at most: for A and for B")
    check_writable(arguments.output)
    check_writable(arguments.csv)
    a = read_rows(arguments, arguments.a, 0)
    b = read_rows(arguments, arguments.b, 1)
    labels = read_vector(arguments, arguments.labels, 2, "--labels")
    groups = read_vector(arguments, arguments.groups, 3, "--groups")
    a, b, labels, groups, joined = aligned(arguments, a, b, labels, groups)
    result = compare(
        a,
        b,
        y_true=labels,
        measures="all" if arguments.all else words(arguments.measures) or "default",
        task=arguments.task.replace("-", "_"),
        margin=arguments.margin,
        n_permutations=arguments.permutations,
        confidence_level=arguments.confidence,
        groups=groups,
        cost_limit=arguments.cost_limit,
        random_state=arguments.seed,
        verbose=int(arguments.progress),
    )
    table = result.to_frame()
    if table["value"].isna().all():
        note = next((note for note in table["note"] if note), "")
        raise ValueError(f"no measure could be computed: {note}")
    # files first: who reads what is printed may stop reading
    if arguments.csv:
        table.to_csv(arguments.csv, index=False)
    if arguments.output:
        write_report(
            result,
            arguments.output,
            title=f"{arguments.a} against {arguments.b}",
            text=f"Arrays of shapes {shape(a)} and {shape(b)}{joined}.",
            call=arguments.call,
        )
    if arguments.json:
        print_json(result.to_dict())
        return
    print(f"{arguments.a} {shape(a)} against {arguments.b} {shape(b)}{joined}\n")
    print_verdict(result)
    if arguments.output:
        print(f"Report: {arguments.output}")


def print_verdict(result):
    """The verdict, and the table that it rests on.

    Parameters
    ----------
    result : ModelComparison
    """
    from sksim.report._text import format_table

    for line in result.verdict.splitlines():
        print(textwrap.fill(line, 100, subsequent_indent="    "))
    if result.predictions is not None and result.predictions.accuracy_a is not None:
        print()
        print(textwrap.fill(result.predictions.sentence(), 100))
    print()
    print(format_table(result.to_frame().drop(columns=["compared"])))
