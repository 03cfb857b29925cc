"""Every page of the built site in Chromium, from file://: nothing missing, nothing fetched, nothing cut off.

Slow, since it opens some two hundred pages: `python -m website.build && pytest -m slow tests/website`.
"""

import pytest

from tests.website.browser import chromium, needs_chromium
from tests.website.site import HTML, WHY_NOT, is_built, pages
from website import build, course

AXE = build.HERE / "node_modules" / "axe-core" / "axe.min.js"
pytestmark = [
    pytest.mark.slow,
    needs_chromium,
    pytest.mark.skipif(not is_built(), reason=WHY_NOT),
]
#: What axe finds in the theme, and is not ours to mend: rule -> why it is let pass.
EXCEPTIONS = {
    "label-content-name-mismatch": "the theme's search button is named Search, and shows Search Ctrl+K",
}
#: axe takes some seconds a page, and pages of one kind are alike but for their text.
LIKE_ALL = ("conv2d", "index", "rnn", "setitem", "tests/test_conv2d")
FOR_AXE = [n for n in pages() if not n.startswith("operators/") or n[10:].removesuffix(".html") in LIKE_ALL]
#: One of each kind: verdicts of all colours and sliders, explorers, code, formulas in text.
IN_THE_DARK = ["index.html", "glossary.html", "operators/conv2d.html"]
IN_THE_DARK += [n for n in pages() if n.startswith(("lessons/lesson_02", "lessons/lesson_08"))]
#: A dollar sign that stands in the text is a formula that nobody has drawn.
LOST = """() => {
  const walk = document.createTreeWalker(document.querySelector("article"), NodeFilter.SHOW_TEXT);
  const found = [];
  while (walk.nextNode()) {
    const inside = walk.currentNode.parentElement.closest("pre, code, script, style, .katex");
    const text = walk.currentNode.data;
    if (!inside && /\\$|\\\\(frac|sum|begin)/.test(text)) found.push(text);
  }
  return found;
}"""
#: What axe complains of: [rule, the first elements], ...
COMPLAINTS = """() => axe.run({ preload: false }).then((found) =>
  found.violations.map((v) => [v.id, v.nodes.slice(0, 4).map((n) => n.html.slice(0, 200))]))"""
#: How far the page is wider than the window, and what sticks out.
TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  const all = [...document.querySelectorAll("body *")];
  const wide = all.filter((e) => e.getBoundingClientRect().right > width + 1);
  return [document.documentElement.scrollWidth, ...wide.slice(0, 5).map((e) => e.outerHTML.slice(0, 120))];
}"""


@pytest.fixture(scope="module")
def context():
    with chromium() as browser:
        yield browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")


@pytest.fixture
def opened(context):
    """A function that opens a page; a complaint of the browser or a request to a network fails the test."""
    complaints, page = [], context.new_page()

    def asked(request):
        if not request.url.startswith(("file:", "data:", "blob:")):
            complaints.append(request.url)

    def open_page(name, scheme="light"):
        page.emulate_media(color_scheme=scheme)
        page.on("request", asked)
        page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        address, _, query = name.partition("?")
        page.goto((HTML / address).as_uri() + (f"?{query}" if query else ""))
        return page

    yield open_page
    page.close()
    assert not complaints


@pytest.mark.parametrize("name", pages())
def test_a_page_is_whole(opened, name):
    page = opened(name)
    assert page.locator(".math").count() == page.locator(".math > .katex, .math > .katex-display").count()
    assert page.locator(".katex-error").count() == 0
    assert page.evaluate(LOST) == []
    page.evaluate("document.querySelectorAll('img').forEach((image) => { image.loading = 'eager'; })")
    for image in page.locator("article img").all():
        assert image.evaluate("(e) => e.decode().then(() => e.naturalWidth)") > 0
        assert len(image.get_attribute("alt") or "") > 20
    assert page.evaluate(TOO_WIDE) == []
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate(TOO_WIDE) == []


SCHEMES = [*((name, "light") for name in FOR_AXE), *((name, "dark") for name in IN_THE_DARK)]


@pytest.mark.parametrize("name, scheme", SCHEMES)
def test_axe_finds_nothing(opened, name, scheme):
    if not AXE.exists():
        pytest.skip("axe-core is not there: npm ci in website/, or python -m website.build")
    page = opened(name, scheme)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate(COMPLAINTS)
    assert [violation for violation in found if violation[0] not in EXCEPTIONS] == []


@pytest.mark.parametrize(
    "word, page_found", [("cross-correlation", "lessons/"), ("lovasz", "operators/lovasz")]
)
def test_search_finds_a_word(opened, word, page_found):
    page = opened(f"search.html?q={word}")
    page.wait_for_selector("#search-results li a", timeout=20_000)
    hrefs = page.locator("#search-results li a").evaluate_all(
        "(all) => all.map((a) => a.getAttribute('href'))"
    )
    assert any(page_found in href for href in hrefs)


@pytest.mark.parametrize("number", sorted(course.EXPLORERS))
def test_explorers_move_by_keyboard(opened, number):
    (name,) = [n for n in pages() if n.startswith(f"lessons/lesson_{number}")]
    page = opened(name)
    for tag in course.explorers(number):
        element = page.locator(tag)
        assert element.count() == 1
        slider = element.locator("input[type=range]:enabled, input[type=number]:enabled").first
        before, value = element.inner_html(), slider.input_value()
        slider.focus()
        page.keyboard.press("ArrowUp")
        if slider.input_value() == value:  # it stood at its end
            page.keyboard.press("ArrowDown")
        assert slider.input_value() != value and element.inner_html() != before, tag


def test_a_hidden_answer_opens(opened):
    page = opened("lessons/lesson_02_convolution.html")
    answer = page.locator("details", has_text="Answer (try first").first
    code = answer.locator("pre").first
    assert not code.is_visible()
    answer.locator("summary").first.click()
    assert code.is_visible() and "def correlate2d" in code.inner_text()


def test_code_of_a_figure_unfolds(opened):
    page = opened("lessons/lesson_02_convolution.html")
    folded = page.locator("details.hide").first
    assert not folded.locator("pre").first.is_visible()
    folded.locator("summary").first.click()
    assert "import minitorch_seg as ms" in folded.locator("pre").first.inner_text()
