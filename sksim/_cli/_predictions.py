"""``sksim predictions A B``: two models' answers, row by row."""

from sksim._cli._answers import add_answers, opened
from sksim._cli._parser import add_json, amount
from sksim._cli._writing import check_writable, filled, print_json


def add_to(commands):
    """The command and its options."""
    parser = commands.add_parser(
        "predictions",
        help="compare two models' predictions, row by row",
        description="How often two models agree, which is right more often, and "
        "whether by more than chance. Files are tables with a column of answers (.csv, "
        ".tsv, .txt, .parquet, .feather, .jsonl), logs of lm-evaluation-harness or "
        "inspect-ai, or folders of these, and arrays of labels (.npy, ...). All "
        "differences are A minus B.",
    )
    parser.add_argument("a", metavar="A", help="predictions of the first model")
    parser.add_argument("b", metavar="B", help="predictions of the second model")
    parser.add_argument(
        "--margin",
        metavar="M",
        type=amount,
        help="the smallest difference that would matter, 0.02 for two points: tests of "
        "equivalence, and that B is not worse",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of random signs (default: 0)"
    )
    parser.add_argument("--csv", metavar="FILE", help="table to write as .csv")
    add_json(parser)
    add_answers(parser)
    parser.set_defaults(run=run)


def run(arguments):
    """Do what is asked."""
    from sksim.pairwise import compare_predictions
    from sksim.report._text import format_table

    check_writable(arguments.csv)
    a, b, known = opened(arguments)
    result = compare_predictions(
        a, b, margin=arguments.margin, random_state=arguments.seed, **known
    )
    table = result.to_frame()
    if arguments.csv:
        table.to_csv(arguments.csv)
    if arguments.json:
        files = {"a": arguments.a, "b": arguments.b}
        said = {"files": files, "sentence": result.sentence()}
        print_json(said | result.to_dict())
        return
    print(f"a: {arguments.a}, b: {arguments.b}")
    print(filled(result.sentence()))
    print()
    print(format_table(_narrow(table)))


def _narrow(table):
    """What of the table fits in a terminal; the file has the rest."""
    names = {"low": "interval_low", "high": "interval_high", "pvalue_holm": "p Holm"}
    wanted = ["n_rows", "accuracy_a", "accuracy_b", "difference", "agreement"]
    wanted += ["low", "high", "pvalue", "pvalue_holm"]
    shown = table[[name for name in wanted if name in table]]
    return shown.rename(columns=names).rename_axis("rows")
