"""Sphinx settings of the handbook; the rule, indicator and command pages are made from their sources here."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from generate import write_pages

from lvheng import __version__

project = "绿衡手册"
author = "绿衡项目"
copyright = "绿衡项目，Apache-2.0"  # noqa: A001
release = version = __version__
language = "zh_CN"
extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "绿衡手册"
html_copy_source = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#1f5c4a", "color-brand-content": "#1f5c4a"},
    "dark_css_variables": {"color-brand-primary": "#7fc4ab", "color-brand-content": "#7fc4ab"},
}

write_pages()
