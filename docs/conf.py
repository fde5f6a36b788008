"""How Sphinx makes a site of these pages: `make site`."""

from importlib.metadata import version as version_of

project = "mediarip-mqtt"
release = version_of(project)
copyright = "the authors of mediarip-mqtt, Apache-2.0"  # noqa: A001 - Sphinx's name

extensions = ["myst_parser"]
myst_heading_anchors = 3
nitpicky = True
templates_path: list[str] = []
exclude_patterns = ["schemas"]

html_theme = "furo"
html_title = project
html_copy_source = False
html_show_sphinx = False
