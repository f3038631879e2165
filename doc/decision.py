"""Write the page "Which measure should I use?" from the measures' tags.

``write(folder)`` makes ``folder/user_guide/which_measure.rst``. The questions and a few
sentences are written here; which measures an answer leaves over is read from the tags.
``conf.py`` calls it at the start of every build.
"""

import re
from pathlib import Path

import generate
from generate import heading, measures, public_path, similarity_tags
from sksim.pairwise._panels import TASKS, panel_of

# what the tasks of ``compare`` are, in words
DEFAULTS = {
    "same_architecture": "two networks of one architecture, such as two seeds",
    "copy": "a model and its pruned, quantised, tuned or distilled copy",
    "different_kinds": "models of different kinds, such as a forest and a network",
    "recordings": "a model and recordings, or two recordings",
}
# what a user has, and the tags of the measures that take it: each measure is in one
SITUATIONS = {
    "representations of the same inputs, row for row": lambda t: (
        t.inputs == "representation" and t.paired
    ),
    "representations of different inputs": lambda t: (
        t.inputs == "representation" and not t.paired
    ),
    "two models' labels": lambda t: (
        t.inputs == "labels" and t.arity == "pair" and "y_true" not in t.requires
    ),
    "two models' labels, and the true ones": lambda t: (
        t.inputs == "labels" and t.arity == "pair" and "y_true" in t.requires
    ),
    "two models' probabilities": lambda t: (
        t.inputs == "probabilities" and t.arity == "pair"
    ),
    "two models' outputs of any kind": lambda t: (
        t.inputs == "outputs" and t.arity == "pair"
    ),
    "two models' attributions: what their answers rest on": lambda t: (
        t.inputs == "gradients" and t.arity == "pair"
    ),
    "many models' labels, probabilities or attributions": lambda t: t.arity == "group",
    "the models themselves": lambda t: t.inputs == "models",
}
# the largest group of maps first
GROUPS = {
    "AT": "any invertible affine map: the same features, however mixed",
    "ILT": "any invertible linear map, but no shift",
    "OT": "a rotation or reflection: the same geometry",
    "PT": "another order of the columns: the same neurons",
}
METHODS = {
    "bootstrap": "bootstrap over rows",
    "masked_bootstrap": "bootstrap that masks copies",
    "exact": "Clopper and Pearson",
    "wilson": "Wilson",
    "tango": "Tango",
    "newcombe": "Newcombe",
    "gaffke": "Gaffke",
}
POWERS = {1: "the rows", 2: "their square", 3: "their cube"}


def links(condition, *, note=None):
    """Links to the measures whose tags fulfil a condition, by family, or a dash."""
    families = {}
    for _, cls in measures():
        tags = similarity_tags(cls)
        if condition(tags):
            remark = f" ({note(tags)})" if note and note(tags) else ""
            link = f":class:`~{public_path(cls)}`{remark}"
            families.setdefault(tags.family, []).append(link)
    lists = {family: ", ".join(found) for family, found in families.items()}
    if len(lists) > 1:
        return "; ".join(f"*{family}*: {found}" for family, found in lists.items())
    return "".join(lists.values()) or generate.NO


def answers(title, rows):
    """Table of answers with the measures that each leaves over; empty rows go."""
    table = [[title, "Measures"], *(row for row in rows if row[1] != generate.NO)]
    return generate.list_table(table, css_class="decision", header_rows=1)


def compares_rows(tags):
    """Whether representations of the same inputs are compared."""
    return tags.inputs == "representation" and tags.paired


def largest_group(invariances):
    """Code of the largest group of maps among some invariances."""
    return next((code for code in GROUPS if code in invariances), None)


def growth(tags):
    """Exponent of the rows in a measure's cost; None where it does not depend on them.

    >>> from types import SimpleNamespace as Tags
    >>> [growth(Tags(complexity=c)) for c in ("n d^2 + d^3", "n^2 d", "w log w")]
    [1, 2, None]
    """
    powers = re.findall(r"\bn\b(?:\^(\d))?", tags.complexity)
    return max((int(power or 1) for power in powers), default=None)


def needs_many_rows(tags):
    """Whether a measure says nothing where there are as many columns as rows."""
    whitens = "ILT" in tags.invariances | tags.invariances_y
    return whitens or "close_spans" in tags.requires


def same_up_to(code):
    """Measures whose largest group of maps this is, for both views or for one."""

    def is_largest(tags):
        both = tags.invariances & tags.invariances_y
        either = tags.invariances | tags.invariances_y
        return compares_rows(tags) and code in map(largest_group, (both, either))

    def which(tags):
        if code in tags.invariances & tags.invariances_y:
            return None
        return f"of {'X' if code in tags.invariances else 'y'} only"

    return links(is_largest, note=which)


def interval_methods():
    """Sets of methods that give valid intervals, the longest first."""
    found = {tuple(sorted(similarity_tags(cls).intervals)) for _, cls in measures()}
    return sorted(found, key=lambda methods: (-len(methods), methods))


def default():
    """What to take without an answer to any question: the panels of ``compare``."""

    def measure(place):
        return f":class:`~{public_path(type(place[0]))}`"

    rows = [
        [f'{DEFAULTS[task]}: ``task="{task}"``', ", ".join(map(measure, panel))]
        for task, panel in ((task, panel_of(task)) for task in TASKS)
    ]
    table = [["You compare", "Measures, the one that stands for the rest first"], *rows]
    return f"""\
{heading("The default", "-")}
Don't choose: :func:`~sksim.pairwise.compare` has a panel of at most eight measures for
each task, and says in words what they say together.

{generate.list_table(table, css_class="decision", header_rows=1)}
Of these, those that the data allow are computed: without labels there are no errors to
compare. If it has to be **one number**, take for layers of two networks
``CKA(debias="rows")``, for a copy :class:`~sksim.alignment.OrthogonalProcrustes`
beside its chance level, and for answers :class:`~sksim.functional.Disagreement`. Where
a choice comes from, and when to swap a measure, is said in :ref:`judged`; the measures'
pages say when to use them, when not, and what to take instead.
"""


def have():
    """First question: what is there to compare."""
    rows = [[text, links(condition)] for text, condition in SITUATIONS.items()]
    return f"""\
{heading("What do you have?", "-")}
{answers("You have", rows)}
For labels, probabilities and other outputs go on with :ref:`functional`, for models
with :ref:`gradients_and_stitching`, for weights with :ref:`structural`. The next two
questions are about representations of the same inputs.
"""


def differences():
    """Second question: which changes leave a representation the same."""
    rows = [[text, same_up_to(code)] for code, text in GROUPS.items()]

    def sees(code):
        return links(
            lambda t: compares_rows(t) and code not in t.invariances & t.invariances_y
        )

    return f"""\
{heading("Which differences should not count?", "-")}
Two representations are the same for a measure if one becomes the other by

{answers("Map", rows)}
Further down the table a measure sees more and forgives less. A linear read-out undoes
any map of the first row, so take from there if that is what reads the representation.
Where variance matters, because noise is added or distances are taken, take rotations.
Where single neurons mean something, take the order of the columns.

**Scale** counts, so that twice the representation is another one, for {sees("IS")}.

The **mean** counts, so that a constant added to all rows changes the number, for
{sees("TR")}.
"""


def shape():
    """Third question: rows against columns, and what more rows cost."""
    shapes = [
        [
            "many more rows than columns",
            links(lambda t: compares_rows(t) and needs_many_rows(t)),
        ],
        [
            "any number of both",
            links(lambda t: compares_rows(t) and not needs_many_rows(t)),
        ],
    ]
    costs = [
        [text, links(lambda t, p=power: compares_rows(t) and growth(t) == p)]
        for power, text in POWERS.items()
    ]
    return f"""\
{heading("How many rows, against how many columns?", "-")}
{answers("Works with", shapes)}
The first fit anything when there are as many columns as rows, and then say nothing (the
example :ref:`sphx_glr_auto_examples_plot_cca_or_cka_few_rows.py`). The others keep
working; what chance gives grows with the columns for most of them, see
:ref:`inference`.

{answers("Cost grows with", costs)}
"""


def labels_and_streams():
    """Fourth and fifth question: true labels, and rows that come bit by bit."""

    def of_representations(tags):
        return tags.inputs == "representation"

    needed = links(lambda t: of_representations(t) and "y_true" in t.requires)
    used = links(
        lambda t: (
            of_representations(t)
            and "y_true" in t.view_keywords
            and "y_true" not in t.requires
        )
    )
    return f"""\
{heading("Are there labels?", "-")}
Measures of representations that need the true labels of the rows (``y_true``):
{needed}. Those that can use them: {used}.

{heading("Do the rows come in a stream?", "-")}
With ``partial_fit``, so that the rows need not be in memory at once:
{links(lambda t: t.streaming)}.
"""


def significance():
    """Sixth question: tests and intervals."""
    tests = [
        [
            "row i of the one has nothing to do with row i of the other",
            links(lambda t: t.paired and t.inputs != "models" and t.null == "rows"),
        ],
        [
            "the two models are interchangeable",
            links(lambda t: t.paired and t.inputs != "models" and t.null == "exchange"),
        ],
        [
            "no test: the rows are not paired, or the models themselves are compared",
            links(lambda t: not t.paired or t.inputs == "models"),
        ],
    ]
    intervals = [
        [
            ", ".join(METHODS.get(method, method) for method in methods) or "none",
            links(lambda t, m=methods: tuple(sorted(t.intervals)) == m),
        ]
        for methods in interval_methods()
    ]
    return f"""\
{heading("Is it more than chance, and how sure is it?", "-")}
The null hypothesis of :func:`~sksim.inference.similarity_test`:

{answers("Null hypothesis", tests)}
The methods of :func:`~sksim.inference.similarity_interval` that are valid:

{answers("Intervals by", intervals)}
"""


def demands():
    """Seventh question: what else is asked of the number."""
    rows = [
        ["satisfy the triangle inequality", links(lambda t: t.metric)],
        ["tell X and y apart", links(lambda t: not t.symmetric)],
        ["apply fitted maps to new rows", links(lambda t: t.score_uses_fit)],
    ]
    return f"""\
{heading("What else must it do?", "-")}
{answers("It must", rows)}
Tensors of PyTorch and others are computed on where they are; they are moved to the CPU
for {links(lambda t: not t.array_api)}.

In code the same questions are keywords of :func:`sksim.all_measures`:

>>> from sksim import all_measures
>>> found = all_measures(
...     inputs="representation", invariances={{"OT"}}, metric=True, score_uses_fit=True
... )
>>> "OrthogonalProcrustes" in dict(found)
True
"""


def decision_page():
    """Which measure to use, as questions whose answers are read from the tags."""
    questions = have, differences, shape, labels_and_streams, significance, demands
    return f"""\
.. _which_measure:

{heading("Which measure should I use?")}
First the default, for whoever has no wish of their own; then seven questions, each with
the measures that an answer leaves over. The lists are read from the measures' tags with
default parameters, and the tests hold measures to their tags. The :ref:`table of
measures <measures>` has all tags side by side.

{default()}
Two rules before the questions. Say first which differences should not count: that
decides more than which measure of a family it is. And report more than one number, of
different kinds: one of what the models represent and one of what they answer, each
beside what chance would give.

{chr(10).join(question() for question in questions)}"""


def write(folder):
    """Write the page under ``folder``."""
    guide = Path(folder) / "user_guide"
    guide.mkdir(exist_ok=True)
    generate.write_if_changed(guide / "which_measure.rst", decision_page())
