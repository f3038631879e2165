"""``sksim measures``: what there is."""

from sksim._cli._explain import INPUTS, summary_of
from sksim._cli._parser import add_json, words
from sksim._cli._writing import print_json


def add_to(commands):
    """The command and its options."""
    parser = commands.add_parser(
        "measures",
        help="list the measures",
        description="List all measures, or those of some families: what each compares, "
        "and what it is in one line. sksim explain NAME says more.",
    )
    parser.add_argument(
        "--family",
        metavar="NAME",
        nargs="+",
        help="families, such as cca or functional (default: all)",
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments):
    """Do what is asked."""
    from sksim.base._tags import tags_of
    from sksim.discovery import FAMILIES, all_measures

    wanted = words(arguments.family) or list(FAMILIES)
    unknown = [family for family in wanted if family not in FAMILIES]
    if unknown:
        raise ValueError(
            f"there is no family {unknown[0]!r}: there are {', '.join(FAMILIES)}."
        )
    found = [
        {
            "measure": name,
            "family": tags.family,
            "compares": tags.inputs,
            "of": tags.arity,
            "direction": tags.orientation,
            "summary": summary_of(cls),
        }
        for family in wanted
        for name, cls in all_measures(family=family)
        for tags in [tags_of(cls())]
    ]
    if arguments.json:
        print_json(found)
        return
    width = max(len(row["measure"]) for row in found)
    for family in dict.fromkeys(row["family"] for row in found):
        print(f"{family}:")
        for row in found:
            if row["family"] == family:
                what = INPUTS[row["compares"]] if row["of"] == "pair" else "many models"
                print(f"  {row['measure']:{width}}  {what:15}  {row['summary']}")
    print(f"{len(found)} measures; sksim explain NAME says more of one.")
