"""Configuration of Sphinx: ``python -m sphinx -W -b html doc doc/_build/html``."""

import sys
import warnings
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import generate  # noqa: E402
import sksim  # noqa: E402

project = "sksim"
author = "The sksim developers"
copyright = "the sksim developers, BSD-3-Clause"
version = release = sksim.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "mathml",
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

html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = "sksim"
html_static_path = ["_static"]
html_css_files = ["sksim.css"]
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

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"[\\/]plot_",
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


def setup(app):
    """Connect the generator."""
    app.connect("config-inited", write_pages)
