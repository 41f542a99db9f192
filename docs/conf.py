"""Sphinx: pages by hand in Markdown, the reference from docstrings, nests and waves by `_ext`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import bitweight

project = "bitweight"
author = "the bitweight authors"
project_copyright = "the bitweight authors, Apache-2.0"
version = release = bitweight.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "nests",
    "public",
    "timing",
]
exclude_patterns = ["_build", "examples"]
templates_path = ["_templates"]
nitpicky = False

# What docstrings put in single backticks is a link where there is something to link to.
default_role = "py:obj"
autosummary_generate = True
autosummary_ignore_module_all = False
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 88
add_module_names = False
napoleon_google_docstring = False
# Attributes sections tell of ports and fields that are documented as members too.
napoleon_use_ivar = True
napoleon_use_rtype = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"bitweight {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
