"""Configuration of Sphinx: ``python -m sphinx -W -b html doc doc/_build/html``."""

import importlib.util
import re
import sys
import warnings
from pathlib import Path

from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import decision  # noqa: E402
import generate  # noqa: E402
import judged  # noqa: E402
import sksim  # noqa: E402

project = "sksim"
author = "The sksim developers"
copyright = "the sksim developers, BSD-3-Clause"
version = release = sksim.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "mathml",
    "matplotlib.sphinxext.plot_directive",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "user_guide/_*.rst"]
source_suffix = {".rst": "restructuredtext"}
default_role = "literal"

# pages of objects are written by generate.py, not by autosummary
autosummary_generate = False
autodoc_typehints = "none"
numpydoc_show_class_members = False

# figures of the guide: scripts in figures/, run by the build
plot_basedir = str(HERE / "figures")
plot_formats = ["svg"]
plot_html_show_formats = False
plot_html_show_source_link = False
plot_rcparams = {
    "figure.figsize": (6.8, 2.7),
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.markersize": 3.5,
}
plot_apply_rcparams = True

html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = "sksim"
html_static_path = ["_static"]
html_css_files = ["sksim.css"]
html_js_files = ["copy.js"]
html_show_sourcelink = False
html_theme_options = {
    "navbar_align": "left",
    "navbar_persistent": ["search-button"],
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"measures": [], "whats_new": [], "install": []}

# an example of packages that are not installed is left out; CI has all
IGNORED = r"__init__\.py"
if not all(importlib.util.find_spec(name) for name in ("magika", "onnx")):
    IGNORED += r"|plot_onnx_perturbed\.py"

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"[\\/]plot_",
    "ignore_pattern": IGNORED,
    "backreferences_dir": "auto_examples/backreferences",
    "doc_module": ("sksim",),
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
    "matplotlib_animations": False,
}
# a gallery script runs in a loop of figures, which is no fault of its own
warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")


def write_pages(app, config):
    """Generate the reference before Sphinx looks for sources."""
    generate.write(HERE)
    decision.write(HERE)


class FamilyTable(SphinxDirective):
    """Table of a family's measures from their tags: ``.. family-table:: cca``."""

    required_arguments = 1
    option_spec = {"inputs": directives.unchanged, "arity": directives.unchanged}

    def run(self):
        """Parse the generated table where the directive stands."""
        text = generate.family_table(
            self.arguments[0],
            inputs=tuple(self.options.get("inputs", "").split()),
            arity=self.options.get("arity"),
            labels=generate.bibliography_labels(HERE),
        )
        return self.parse_text_to_nodes(text)


class Examples(SphinxDirective):
    """Section of the gallery, without scripts whose packages are not installed."""

    has_content = True

    def run(self):
        """Parse a gallery of the scripts where the directive stands."""
        kept = [name for name in self.content if not re.search(IGNORED, name)]
        lines = "".join(f"   ../examples/{name}\n" for name in kept if name)
        return self.parse_text_to_nodes(f".. minigallery::\n\n{lines}")


class JudgedTable(SphinxDirective):
    """Table of judged measures: ``.. judged-table:: values representational``."""

    required_arguments = 2

    def run(self):
        """Parse the generated table where the directive stands."""
        table, family = self.arguments
        return self.parse_text_to_nodes(judged.TABLES[table](family))


def setup(app):
    """Connect the generator."""
    app.add_directive("family-table", FamilyTable)
    app.add_directive("examples", Examples)
    app.add_directive("judged-table", JudgedTable)
    app.connect("config-inited", write_pages)
