"""Sections of measures' pages on their use, from what the package says of it.

``block(name, tags, paths)`` is the section of a measure, which ``generate.py`` puts on
its page, with the names in braces as links.
"""

import re

from sksim._uses import USES

# The page of the guide that defines the measures of a family, by its label.
GUIDE = {
    "cca": "cca",
    "alignment": "alignment",
    "rsm": "rsm",
    "neighbors": "neighbors",
    "topology": "topology",
    "statistics": "statistics",
    "functional": "functional",
    "structural": "structural",
}
OF_MODELS = "gradients_and_stitching"


def guide_of(tags):
    """Label of the page of the guide that defines a measure."""
    if tags.family == "functional" and tags.inputs == "models":
        return OF_MODELS
    return GUIDE.get(tags.family)


def block(name, tags, paths):
    """Section of a measure's page on its use, with links; empty of unknown measures.

    Parameters
    ----------
    name : str
    tags : SimilarityTags
    paths : dict of str to str
        What each measure is imported by.
    """
    if name not in USES:
        return ""

    def linked(text):
        return re.sub(r"\{(\w+)\}", lambda m: f":class:`~{paths[m[1]]}`", text)

    titles = ("Use it when", "Not when", "Instead take")
    sentences = "\n\n".join(
        f"**{title}** {linked(text)}."
        for title, text in zip(titles, USES[name], strict=True)
    )
    return f"""\
When to use it
--------------

{sentences}

It is defined, beside its relatives, in :ref:`{guide_of(tags)}`; :ref:`which_measure`
goes by questions.
"""
