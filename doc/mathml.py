"""Formulas as MathML, which browsers draw themselves.

With MathJax a page needs a script from the network before a formula can be read. The
conversion is that of docutils. What it does not understand is a warning, hence with
``-W`` an error.
"""

import re

from docutils.nodes import SkipNode
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

logger = logging.getLogger(__name__)

SIZE = re.compile(r"\\[bB]igg?(?![A-Za-z])")  # MathML fits brackets to their contents
# the index of a letter with an accent lands under the letter, unless kept apart
ACCENT = re.compile(r"(\\(?:bar|hat|tilde)(?:\{[^{}]*\}| ?[A-Za-z]))(?=[\^_'])")
# a prime, and the exponent that may follow it, which share one raised place
PRIME = re.compile(r"('+)(?:\^(\\[A-Za-z]+|\{[^{}]*\}|[^\s\\{}]))?")


def convert(formula, *, as_block=False):
    r"""MathML of a TeX formula.

    >>> "<mi>′</mi>" in convert("R'")
    True
    >>> convert(r"R'^\top").count("<msup>")
    1
    >>> "<msub>" in convert(r"\hat y_i"), "under" in convert(r"\hat y_i")
    (True, False)
    """
    formula = ACCENT.sub(r"\1{}", SIZE.sub("", formula))
    return tex2mathml(PRIME.sub(raised, formula), as_block=as_block)


def raised(match):
    """Primes and exponent as one exponent."""
    primes, exponent = match.groups(default="")
    return "^{" + r"\prime " * len(primes) + exponent.strip("{}") + "}"


def converted(node, *, as_block):
    """MathML of a node; what can't be converted stays TeX, with a warning."""
    formula = " ".join(node.astext().split())
    try:
        return convert(formula, as_block=as_block)
    except MathError as error:
        logger.warning("formula %r: %s", formula, error, location=node, type="mathml")
        return f"<code>{formula}</code>"


def visit_inline(translator, node):
    """Write a formula within a line."""
    translator.body.append(converted(node, as_block=False))
    raise SkipNode


def visit_block(translator, node):
    """Write a formula on lines of its own, with its number if it has one."""
    translator.body.append(translator.starttag(node, "div", CLASS="math-block"))
    if node["number"]:
        number = get_node_equation_number(translator, node)
        translator.body.append(f'<span class="eqno">({number})</span>')
    translator.body.append(converted(node, as_block=True))
    translator.body.append("</div>")
    raise SkipNode


def setup(app):
    """Offer the renderer as ``html_math_renderer = "mathml"``."""
    app.add_html_math_renderer(
        "mathml",
        inline_renderers=(visit_inline, None),
        block_renderers=(visit_block, None),
    )
    return {"parallel_read_safe": True, "parallel_write_safe": True}
