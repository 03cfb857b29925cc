"""The drawing at the head of a model's file: every shape in it is the shape of a map that the model makes."""

import importlib
import re

import pytest

import minitorch_seg as ms


def drawn(module, **letters):
    """The shapes of a file's drawing, "(N, 2B, H/4, W/4)" and the like, with numbers put in."""
    text = importlib.import_module(f"minitorch_seg.models.{module}").__doc__.split("\n\n")[1]
    found = set()
    for shape in re.findall(r"\((N, [^()]*)\)", text):
        terms = [re.sub(r"(\d)([A-Z])", r"\1*\2", term) for term in shape.split(",")]
        found.add(tuple(int(eval(term, {}, letters)) for term in terms))
    return found


def made(y):
    """The shapes of everything that `y` was computed from, as the recorded graph has them."""
    shapes, waiting, seen = {y.shape}, [y.gradient_edge()[0]], set()
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        shapes |= {given[0] for given in getattr(node, "inputs", ()) if given is not None}
        waiting += [edge[0] for edge in getattr(node, "edges", ()) if edge is not None]
    return shapes


SIZES = {"N": 2, "C": 1, "H": 64, "W": 128, "B": 5, "K": 3, "S": 23, "P": 10, "k": 4, "D": 7, "U": 7, "Z": 9}


@pytest.mark.parametrize(
    "module, build, size, count",
    [
        ("unet", lambda: ms.models.UNet(1, 3, base_channels=5), (64, 128), 6),
        ("fcn", lambda: ms.models.FCN(1, 3, base_channels=5), (64, 128), 9),
        ("segnet", lambda: ms.models.SegNet(1, 3, base_channels=5, depth=3), (64, 128), 8),
        ("patch_cnn", lambda: ms.models.PatchCNN(1, 3, 23, base_channels=5, hidden=7), (23, 23), 7),
        ("reseg", lambda: ms.models.ReSeg(1, 3, base_channels=5, hidden=7), (64, 128), 6),
        ("autoencoder", lambda: ms.models.ConvAutoencoder(1, 3, 5, depth=2, code_channels=9), (64, 128), 6),
    ],
)
def test_every_shape_of_the_drawing_is_made(module, build, size, count):
    x = ms.zeros(2, 1, *size)
    x.requires_grad = True
    shapes = drawn(module, **SIZES)
    assert len(shapes) == count
    missing = shapes - made(build()(x))
    assert not missing
