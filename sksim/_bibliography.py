"""Sources of measures as BibTeX."""

import re
import unicodedata
from functools import cache
from importlib import resources

from sksim.base._tags import tags_of

_ENTRY = re.compile(r"^@\w+\{(\w+),\n.*?^\}\n", flags=re.MULTILINE | re.DOTALL)
_OWN = """@software{{sksim,
  author = {{The sksim developers}},
  title = {{{{sksim: how similar are two models?}}}},
  version = {{{version}}},
  year = {{2026}},
}}
"""


def bibtex_of(measures):
    """Entries of the papers that define measures, each once, and of sksim.

    Parameters
    ----------
    measures : iterable of BaseSimilarity
        Those without a source known here, such as measures of one's own, have none.

    Returns
    -------
    entries : str
    """
    from sksim import __version__

    known = _entries()
    keys = dict.fromkeys(key_of(tags_of(measure).reference) for measure in measures)
    found = [known[key] for key in sorted(keys) if key in known]
    return "\n".join([*found, _OWN.format(version=__version__)])


def key_of(reference):
    """Key of a short reference: "Bland & Altman 1986" is blandaltman1986."""
    plain = unicodedata.normalize("NFKD", reference.lower())
    plain = plain.replace(" et al.", "").replace(" and ", " ")
    return "".join(c for c in plain if c.isascii() and c.isalnum())


@cache
def _entries():
    text = resources.files("sksim").joinpath("_references.bib").read_text("utf-8")
    return {match[1]: match[0] for match in _ENTRY.finditer(text)}
