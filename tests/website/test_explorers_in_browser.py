"""The explorers on a bare page in Chromium: controls by keyboard, phone width, both themes, less motion."""

import re

import pytest

from tests.website.browser import chromium, needs_chromium
from website import make_image

pytestmark = [pytest.mark.slow, needs_chromium]
EXPLORERS = make_image.PATH.parent
TAGS = ["conv-explorer", "pool-explorer", "receptive-field-explorer", "rnn-explorer", "unet-explorer"]
#: The contrast of every piece of text with the first ground that is not transparent, as WCAG defines it.
CONTRASTS = """() => {
  const light = (c) => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number);
    return 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
  };
  const ground = (e) => {
    const colour = getComputedStyle(e).backgroundColor;
    return /, 0\\)$/.test(colour) ? ground(e.parentElement) : colour;
  };
  const found = [];
  for (const e of document.querySelectorAll(".explorer *:not(svg *)")) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) || e.matches(":disabled")) continue;
    const [a, b] = [luminance(getComputedStyle(e).color), luminance(ground(e))];
    found.push([e.outerHTML.slice(0, 80), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def opened(browser, tmp_path):
    """A function that opens a page with the given elements; any complaint of the browser fails the test."""
    complaints, contexts = [], []

    def open_page(*tags, width=900, theme="light", **options):
        make_image.write(tmp_path / "coins.js")
        files = [EXPLORERS / "common.js", tmp_path / "coins.js", *sorted(EXPLORERS.glob("*_explorer.js"))]
        scripts = "".join(f'<script defer src="{path.as_uri()}"></script>' for path in files)
        elements = "".join(f"<{tag}></{tag}>" for tag in tags)
        target = tmp_path / "page.html"
        target.write_text(
            f'<!doctype html><html lang="en" data-theme="{theme}"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width"><title>explorers</title>'
            f'<link rel="stylesheet" href="{(EXPLORERS / "explorers.css").as_uri()}">{scripts}</head>'
            f'<body style="margin: 0">{elements}</body></html>',
            encoding="utf-8",
        )
        contexts.append(browser.new_context(viewport={"width": width, "height": 800}, **options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(target.as_uri())
        page.wait_for_selector(".explorer svg *, .explorer .box", state="attached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


def result(page):
    return page.inner_text("[data-part=result]")


@pytest.mark.parametrize("tag", TAGS)
def test_every_slider_moves_by_keyboard_and_the_result_follows(opened, tag):
    page = opened(tag)
    sliders = page.locator("input[type=range]")
    told = {result(page)}
    for n in range(sliders.count()):
        slider = sliders.nth(n)
        slider.focus()
        assert slider.evaluate("e => getComputedStyle(e).outlineStyle") == "solid", "the focus is not seen"
        seen = []
        for key in ("Home", "ArrowRight", "End", "ArrowLeft"):
            page.keyboard.press(key)
            value, low, high = (float(slider.evaluate(f"e => e.{name}")) for name in ("value", "min", "max"))
            assert low <= value <= high
            shown = page.inner_text(f'[data-value="{slider.get_attribute("name")}"]')
            assert float(shown.replace("−", "-")) == value
            seen.append(value)
            told.add(result(page))
        assert seen[0] < seen[1] <= seen[2] > seen[3] or low == high, f"slider {n} does not move: {seen}"
    choices = page.locator("select")
    for n in range(choices.count()):
        choices.nth(n).focus()
        for _ in range(6):
            page.keyboard.press("ArrowDown")
            told.add(result(page))
    assert len(told) > 4, "the result tells the same whatever is moved"
    assert not any("undefined" in text or "NaN" in text for text in told), told


@pytest.mark.parametrize("tag", TAGS)
def test_tab_reaches_every_control_and_all_have_names(opened, tag):
    page = opened(tag)
    wanted = page.locator("button:enabled, input:enabled, select:enabled, summary").count()
    reached = 0
    for _ in range(wanted):
        page.keyboard.press("Tab")
        reached += page.evaluate("document.activeElement.matches('button, input, select, summary')")
    assert reached == wanted
    unnamed = page.locator("input, select").evaluate_all(
        "all => all.filter(e => !e.closest('label') && !e.ariaLabel).map(e => e.outerHTML)"
    )
    assert not unnamed
    assert page.locator("svg:not([aria-label])").count() == 0
    assert page.get_attribute("[data-part=result]", "role") == "status"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_fit_a_phone_and_can_be_read(opened, theme):
    page = opened(*TAGS, width=360, theme=theme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 50
    assert not [(text, ratio) for text, ratio in contrasts if ratio < 4.5]


def test_the_window_walks_until_it_is_stopped(opened):
    page = opened("conv-explorer")
    before = result(page)
    page.get_by_role("button", name="Move the window").press("Enter")
    page.wait_for_function(
        "before => document.querySelector('[data-part=result]').innerText !== before", arg=before
    )
    assert page.get_attribute("[data-part=result]", "aria-live") == "off"
    page.get_by_role("button", name="Stop the window").press("Enter")
    stopped = result(page)
    page.wait_for_timeout(600)
    assert result(page) == stopped
    assert page.get_attribute("[data-part=result]", "aria-live") == "polite"


def test_with_less_motion_the_window_takes_one_step_a_press(opened):
    page = opened("conv-explorer", reduced_motion="reduce")
    assert result(page).startswith("y[12, 2] = ")
    page.get_by_role("button", name="Next place").press("Enter")
    page.wait_for_timeout(600)
    assert result(page).startswith("y[12, 3] = ")


def test_a_number_of_the_kernel_can_be_written(opened):
    page = opened("conv-explorer")
    pixel = int(page.inner_text(".kernel small >> nth=4").lstrip("· "))  # the kernel's middle is 0
    before = float(re.search(r"= ([−\d.]+)\.", result(page))[1].replace("−", "-"))
    middle = page.get_by_label("w[1, 1]")
    middle.fill("2.5")
    assert f"= {before + 2.5 * pixel:g}.".replace("-", "−") in result(page)
    assert page.input_value("[name=kernel]") == "your own"
    kept = result(page)
    for useless in ("", "1000"):
        middle.fill(useless)
        assert middle.get_attribute("aria-invalid") == "true"
        assert result(page) == kept
    page.select_option("[name=kernel]", "mean")
    page.locator("[name=k]").press("End")
    assert page.locator(".kernel input").count() == 25
    assert page.get_by_label("w[4, 4]").input_value() == "0.04"


def test_the_dilation_is_held_where_the_window_still_fits(opened):
    page = opened("conv-explorer")
    for name, key in (("k", "End"), ("d", "End"), ("H", "Home")):  # 5, 4, 8: 5 pixels, 4 apart, on 8
        page.locator(f"[name={name}]").press(key)
    assert page.input_value("[name=d]") == "1"
    assert "4 × 4 pixels" in result(page)


def test_a_click_on_the_result_moves_the_window(opened):
    page = opened("conv-explorer")
    box = page.locator("[data-part=output]").bounding_box()
    page.mouse.click(box["x"] + 0.99 * box["width"], box["y"] + 0.01 * box["height"])
    assert result(page).startswith("y[0, 29] = ")


def test_layers_can_be_added_and_written(opened):
    page = opened("receptive-field-explorer")
    assert "r = 7 " in result(page)
    page.get_by_role("button", name="Add a layer").press("Enter")
    assert "r = 9 " in result(page)
    page.get_by_label("stride of layer 1").fill("2")
    assert "r = 15 " in result(page) and "d = 2 " in result(page)
    for _ in range(3):
        page.get_by_role("button", name="Remove the last").press("Enter")
    assert page.get_by_role("button", name="Remove the last").is_disabled()
    page.get_by_label("dilation of layer 1").fill("8")
    assert "r = 17 " in result(page) and "only 3 are read" in result(page)


def test_the_widest_network_that_can_be_written_is_still_drawn(opened):
    page = opened("receptive-field-explorer")
    for _ in range(5):
        page.get_by_role("button", name="Add a layer").press("Enter")
    for letter, most in (("kernel", "7"), ("stride", "4"), ("dilation", "8")):
        for n in range(1, 9):
            page.get_by_label(f"{letter} of layer {n}").fill(most)
    assert "r = 1048561 " in result(page)
    assert page.locator("[data-part=picture] rect").count() < 9 * 900  # a point of the screen is drawn once


def test_each_box_of_the_u_net_tells_its_story(opened):
    page = opened("unet-explorer")
    told = set()
    for n in range(page.locator(".box").count()):
        button = page.locator(".box").nth(n)
        button.press("Enter")
        assert button.get_attribute("aria-pressed") == "true"
        assert button.evaluate("e => e === document.activeElement"), "the focus was lost"
        told.add(result(page))
    assert len(told) == page.locator(".box").count() == 18
    assert page.locator("[aria-pressed=true]").count() == 1
    assert "482,466 parameters in all" in page.inner_text("unet-explorer")
