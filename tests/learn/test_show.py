"""Pictures: they are PNG, carry their text, and lay out any number of images."""

import base64
import re

import numpy as np
import pytest

from minitorch_seg import learn
from minitorch_seg.data import registry


@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("signed", [False, True])
def test_tiles_show_every_image(rows, signed):
    images = {f"image {i}": np.eye(2 + i) - 0.0 for i in range(3)}
    found = learn.tiles(images, 'three "small" pictures', rows=rows, signed=signed, numbers=True)
    html = found._repr_html_()
    (data,) = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    assert base64.b64decode(data) == found.png and found.png.startswith(b"\x89PNG")
    assert 'alt="three &quot;small&quot; pictures"' in html and str(found) == f"[picture: {found.alt}]"


def test_registered_sets_are_drawn_where_they_are(monkeypatch):
    if all(registry.find(name) is None for name in registry.REGISTERED):
        pytest.skip("no registered set is on this machine")
    drawn = learn.registered_sets()
    for name in registry.REGISTERED:
        assert (f"{name}: " in drawn) == (registry.find(name) is not None)
    monkeypatch.setattr(registry, "find", lambda name: None)
    assert "<img" not in learn.registered_sets() and "minitorch-seg datasets" in learn.registered_sets()


def test_colour_and_constant_images():
    assert learn.tiles({"colour": np.ones((3, 4, 3)), "flat": np.zeros((2, 2))}, "two pictures").png
