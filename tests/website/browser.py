"""Chromium without a network, for the tests that look at pages."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path("/usr/bin/chromium")
#: A mark for tests that need the browser.
needs_chromium = pytest.mark.skipif(
    not CHROMIUM.exists() or find_spec("playwright") is None,
    reason=f"{CHROMIUM}, the browser of these tests, or playwright, which drives it, is not installed",
)
QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


@contextmanager
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=QUIET.split())
        yield browser
        browser.close()
