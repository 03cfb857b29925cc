"""The built site, for the tests that look at it: where its pages lie, and what one has in it."""

import os
from html.parser import HTMLParser
from pathlib import Path

from website import build

#: Where .ci/run says, by MINITORCH_SEG_SITE, where the site lies, no test may be left out.
HTML = Path(os.environ.get("MINITORCH_SEG_SITE", build.HTML)).absolute()
WHY_NOT = "the site is not built, or of other sources: python -m website.build"
#: What Sphinx adds by itself.
GENERATED = {"genindex.html", "search.html", "_static/webpack-macros.html"}


def is_built():
    stamp = HTML / build.STAMP
    current = stamp.exists() and stamp.read_text(encoding="utf-8") == build.state()
    return current or "MINITORCH_SEG_SITE" in os.environ


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
