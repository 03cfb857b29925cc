"""The drawing at the head of a model's file: the maps that it shows are made, and in the drawn order."""

import importlib
import re

import pytest

import minitorch_seg as ms

SHAPE = re.compile(r"\(([A-Z][^()_]*(?:,[^()_]*)+)\)")  # (N, 2B, H/4, W/4), (W/p, N·H/p, C·p²) and the like


def drawn(module, **letters):
    """The shapes of a file's drawing as data flows through them, with numbers put in.

    A drawing reads like text.  One with arrows upwards (▲) goes down along the first shapes of its lines,
    through its last line, and up again along the last shapes of those lines that have two.  What follows
    itself counts once.
    """
    text = importlib.import_module(f"minitorch_seg.models.{module}").__doc__.split("\n\n")[1]
    lines = [found for line in text.splitlines() if (found := SHAPE.findall(line))]
    flow = [shape for line in lines for shape in line]
    if "▲" in text:
        up = [line[-1] for line in lines[-2::-1] if len(line) > 1]
        flow = [line[0] for line in lines[:-1]] + lines[-1] + up
    return collapsed([numbers(shape, letters) for shape in flow])


def numbers(shape, letters):
    for sign, python in {"·": "*", "²": "**2", "^": "**"}.items():
        shape = shape.replace(sign, python)
    terms = (re.sub(r"(\d)([A-Z])", r"\1*\2", term) for term in shape.split(","))
    return tuple(int(eval(term, {}, letters)) for term in terms)


def collapsed(flow):
    return [shape for shape, before in zip(flow, [None, *flow], strict=False) if shape != before]


def passed_through(y, flow):
    """Of the shapes in `flow`: how many some way from an input to y passes through, in this order.

    Along each edge of the recorded graph: how far its best way has come, counted from the inputs on.
    """
    root = y.gradient_edge()[0]
    best, waiting = {}, [root]

    def after(come, shape):
        return come + (come < len(flow) and flow[come] == shape)

    while waiting:  # a node is counted when all that it was made of are
        node = waiting[-1]
        edges, inputs = getattr(node, "edges", ()), getattr(node, "inputs", ())
        missing = [edge[0] for edge in edges if edge is not None and edge[0] not in best]
        if missing:
            waiting += missing
            continue
        waiting.pop()
        ways = [
            after(best[edge[0]] if edge is not None else 0, given[0])
            for edge, given in zip(edges, inputs, strict=True)
            if given is not None
        ]
        best[node] = max(ways, default=0)
    return after(best[root], y.shape)


def reconstructed(model, x):
    return model.reconstruct(model(x))


def plainly(model, x):
    return model(x)


SIZES = {"N": 2, "C": 1, "H": 64, "W": 128, "B": 5, "K": 3, "S": 23, "P": 10, "k": 4, "D": 7, "U": 7, "Z": 9}
SMALL = {"H": 16, "W": 8}
MODELS = ms.models
CASES = {
    "unet": (lambda: MODELS.UNet(1, 3, base_channels=5), {}, 9),
    "fcn": (lambda: MODELS.FCN(1, 3, base_channels=5), {}, 9),
    "segnet": (lambda: MODELS.SegNet(1, 3, base_channels=5, depth=3), {}, 13),
    "patch_cnn": (lambda: MODELS.PatchCNN(1, 3, 23, base_channels=5, hidden=7), {"H": 23, "W": 23}, 7),
    "renet": (lambda: MODELS.ReNet(1, 7, patch=2), {"p": 2, **SMALL}, 8),
    "reseg": (lambda: MODELS.ReSeg(1, 3, base_channels=5, hidden=7), {}, 9),
    "sequence_rnn": (
        lambda: MODELS.SequenceRNN(1, 3, base_channels=5, depth=2, hidden=7),
        {"F": 10, "T": 8, "d": 2, **SMALL},
        7,
    ),
    "autoencoder": (lambda: MODELS.ConvAutoencoder(1, 3, 5, depth=2, code_channels=9), {}, 8),
    "wnet": (lambda: MODELS.WNet(1, 3, base_channels=2, depth=1), SMALL, 3),
}


@pytest.mark.parametrize("module", CASES)
def test_data_flows_as_drawn(module):
    build, letters, count = CASES[module]
    sizes = SIZES | letters
    x = ms.zeros(2, 1, sizes["H"], sizes["W"])
    x.requires_grad = True
    y = (reconstructed if module == "wnet" else plainly)(build(), x)
    flow = drawn(module, **sizes)
    assert len(flow) == count
    come = passed_through(y, flow)
    assert come == count, f"no way leads on from {flow[come - 1] if come else 'the input'} to {flow[come]}"
    unnoticed = 0
    for place in range(count - 1):  # planted mistakes: two neighbours exchanged
        wrong = collapsed([*flow[:place], flow[place + 1], flow[place], *flow[place + 2 :]])
        unnoticed += len(wrong) == count and passed_through(y, wrong) == count
    # Of a ReNet: the states of both directions, joined, have the shape of what the columns were read from.
    assert unnoticed == (module == "renet")


def test_the_drawing_of_every_model_that_a_user_can_name_is_read():
    classes = [getattr(build, "func", build) for build in ms.models.NAMES.values()]
    assert {made.__module__.rsplit(".", 1)[1] for made in classes} | {"renet"} == set(CASES)
