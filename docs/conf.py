"""Sphinx configuration."""

import skflow

project = "skflow"
author = "the skflow developers"
copyright = "2026, the skflow developers"
release = version = skflow.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
]
exclude_patterns = ["_build"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 2
autosummary_generate = True
numpydoc_class_members_toctree = False
numpydoc_show_inherited_class_members = True
numpydoc_show_class_members = True

html_theme = "pydata_sphinx_theme"
html_title = "skflow"
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": False}
