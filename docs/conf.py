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
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "gallery"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 2
autosummary_generate = True
numpydoc_class_members_toctree = False
numpydoc_show_inherited_class_members = True
numpydoc_show_class_members = True

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "examples",
    "abort_on_example_error": True,
    "reference_url": {"skflow": None},
    "doc_module": "skflow",
    "backreferences_dir": "generated/backreferences",
    "show_memory": False,
    "download_all_examples": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "skflow"
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": False}
