"""``sksim demo``: models of handwritten digits, without data or network."""

from sksim._cli._parser import add_progress, add_tests
from sksim._cli._writing import check_writable


def add_to(commands):
    """The command and its options."""
    parser = commands.add_parser(
        "demo",
        help="compare classical and neural models of handwritten digits",
        description="Fit five models of handwritten digits and compare what they "
        "represent and what they answer; needs no data and no network.",
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        default="sksim-report.html",
        help="HTML report to write (default: %(default)s)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer rows, models and permutations"
    )
    add_tests(parser, n_permutations=199)
    add_progress(parser)
    parser.set_defaults(run=run)


def run(arguments):
    """Do what is asked."""
    from sksim._demo import run_demo

    check_writable(arguments.output)
    run_demo(
        arguments.output,
        n_permutations=arguments.permutations,
        confidence_level=arguments.confidence,
        cost_limit=arguments.cost_limit,
        quick=arguments.quick,
        verbose=int(arguments.progress),
        call=arguments.call,
    )
