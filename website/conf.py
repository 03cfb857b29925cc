"""Sphinx's settings.  marimo has run the lessons already; no page needs a network."""

import html
import re
from pathlib import Path

project = "minitorch_seg"
author = "the minitorch_seg authors"
copyright = "the minitorch_seg authors; text CC-BY 4.0, code MIT"
language = "en"

extensions = ["myst_nb"]
myst_enable_extensions = ["dollarmath", "amsmath", "attrs_block", "attrs_inline"]
myst_heading_anchors = 3
nb_execution_mode = "off"
nb_render_markdown_format = "myst"
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "pydata_sphinx_theme"
html_title = "minitorch_seg"
html_theme_options = {
    "logo": {"text": "minitorch_seg"},
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": {
        name: ["page-toc"] for name in ("lessons/*", "zh/*", "operators/**", "docs/*", "glossary")
    },
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_nav_level": 1,
    "show_prev_next": True,
    "back_to_top_button": False,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
SIDEBAR = ["sidebar-nav-bs"]
html_sidebars = {"lessons/*": SIDEBAR, "zh/*": SIDEBAR, "operators/**": [], "docs/*": [], "*": []}
html_static_path = ["_static"]
html_css_files = ["katex/katex.min.css", "site.css", "explorers/explorers.css"]
# Classic scripts: a browser refuses modules from file://.  The explorers share common.js and the photograph.
EXPLORERS = sorted(path.name for path in (Path(__file__).parent / "_static" / "explorers").glob("*.js"))
FIRST = ["common.js", "coins.js"]
SCRIPTS = [*FIRST, *(name for name in EXPLORERS if name not in FIRST)]
html_js_files = [
    (name, {"defer": "defer"})
    for name in ["katex/katex.min.js", "site.js", *(f"explorers/{name}" for name in SCRIPTS)]
]
html_context = {"default_mode": "auto"}
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_show_search_summary = False  # it uses fetch(), which file:// refuses
html_math_renderer = "katex"


def _inline(writer, node):
    """A formula in a line: its TeX, which site.js hands to KaTeX."""
    writer.body.append(f'<span class="math">{html.escape(node.astext())}</span>')
    raise _skip()


def _display(writer, node):
    writer.body.append(f'<div class="math">{html.escape(node.astext())}</div>')
    raise _skip()


def _skip():
    from docutils.nodes import SkipNode

    return SkipNode()


def _language(app, pagename, templatename, context, doctree):
    """A translated page says its language: zh/lesson_02_convolution is in Chinese."""
    folder = pagename.partition("/")[0]
    if len(folder) == 2:
        context["language"] = folder


def _neighbours(app, pagename, templatename, context, doctree):
    """The last lesson does not lead on to a translation, nor a translation to what comes after it."""
    for way in ("prev", "next"):
        there = (context.get(way) or {}).get("link", "")
        if len(pagename.partition("/")[0]) == 2 or re.match(r"\.\./[a-z]{2}/", there):
            context[way] = None


def setup(app):
    app.add_html_math_renderer("katex", (_inline, None), (_display, None))
    app.connect("html-page-context", _language)
    app.connect("html-page-context", _neighbours)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
