"""The built site, for the tests that look at it: where its pages lie, and what one has in it."""

import os
from html.parser import HTMLParser
from pathlib import Path

from website import build

#: Another folder with MINITORCH_SEG_SITE; `python -m website.build` fills the usual one.
HTML = Path(os.environ.get("MINITORCH_SEG_SITE", build.HTML))
WHY_NOT = "the site is not built: python -m website.build"
#: What Sphinx adds by itself.
GENERATED = {"genindex.html", "search.html", "_static/webpack-macros.html"}


def is_built():
    return (HTML / "index.html").exists()


def pages():
    """The pages, by their path from the top."""
    found = [path.relative_to(HTML).as_posix() for path in sorted(HTML.rglob("*.html"))]
    return [name for name in found if name not in GENERATED]


class Page(HTMLParser):
    """What a page refers to, what can be referred to in it, and its elements: [(name, attributes), ...]."""

    def __init__(self, path):
        super().__init__()
        self.addresses, self.ids, self.elements = [], set(), []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.elements.append((tag, found))
        self.ids |= {found[name] for name in ("id", "name") if found.get(name)}
        self.addresses += [found[name] for name in ("href", "src") if found.get(name)]
