"""The explorers' arithmetic, run by node, against the framework: conv2d, pooling, fields, an RNN, a U-Net."""

import json
import shutil
import subprocess

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.learn.exercises import e08
from website import make_image

F = ms.functional
EXPLORERS = make_image.PATH.parent
#: Calls functions of a file by name: [[name, arguments], ...] comes in, the results go out.
CALLS = """
const file = require(process.argv[1]);
const calls = JSON.parse(require("fs").readFileSync(0, "utf-8"));
console.log(JSON.stringify(calls.map(([name, args]) => file[name](...args))));
"""


def node(name, calls):
    """The results of calls [(function, *arguments), ...] of static/explorers/<name>.js."""
    if shutil.which("node") is None:
        pytest.skip("node, which runs the explorers' arithmetic, is not installed")
    done = subprocess.run(
        ["node", "-e", CALLS, str(EXPLORERS / f"{name}.js")],
        input=json.dumps([[call[0], list(call[1:])] for call in calls]),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def cases(count, seed, **ranges):
    """`count` dictionaries of whole numbers, each from its range (both ends included)."""
    rng = np.random.default_rng(seed)
    return [
        {name: int(rng.integers(low, high + 1)) for name, (low, high) in ranges.items()} for _ in range(count)
    ]


def test_the_photograph_is_a_script_of_whole_numbers(tmp_path):
    path = make_image.write(tmp_path / "coins.js")
    text = path.read_text(encoding="utf-8")
    rows = json.loads(text.split("explorers.coin = ")[1].rstrip(";\n").replace(",\n]", "]"))
    coin = np.array(rows)
    assert coin.shape == (32, 32) and coin.min() >= 0 and coin.max() <= 255
    assert coin[8:24, 8:24].mean() > coin[:, :2].mean() + 50, "no bright coin in the middle of dark ground"


def test_numbers_are_written_as_in_mathematics():
    calls = [("text", -0.5), ("text", 1 / 9), ("text", -0.0001), ("text", 327), ("text", 2.25, 1)]
    assert node("common", calls) == ["−0.5", "0.111", "0", "327", "2.3"]
    calls = [("power", n) for n in (0, 1, 0.0123, 4.1e-7, 123456, 0.5, 2.0**30)]
    assert node("common", calls) == ["0", "1", "0.0123", "4.1 · 10⁻⁷", "1.2 · 10⁵", "0.5", "1.1 · 10⁹"]


def test_letters_can_be_read_on_every_grey():
    def luminance(grey):
        return grey / 255 / 12.92 if grey <= 10 else ((grey / 255 + 0.055) / 1.055) ** 2.4

    for grey, ink in enumerate(node("common", [("ink", grey) for grey in range(256)])):
        dark, light = sorted([luminance(grey), {"#000": 0.0, "#fff": 1.0}[ink]])
        assert (light + 0.05) / (dark + 0.05) >= 4.5, f"{ink} on {grey}"


def test_convolutions_are_conv2d():
    rng = np.random.default_rng(0)
    chosen = [
        case
        for case in cases(
            120, 1, H=(5, 9), W=(5, 9), k=(1, 5), s=(1, 3), p=(0, 3), d=(1, 3), Y=(0, 0), X=(0, 0)
        )
        if case["d"] * (case["k"] - 1) < min(case["H"], case["W"]) + 2 * case["p"]
    ]
    assert len(chosen) > 60
    x = [rng.integers(0, 256, (case["H"], case["W"])) for case in chosen]
    w = [rng.integers(-9, 10, (case["k"], case["k"])) for case in chosen]
    steps = [(case["s"], case["p"], case["d"]) for case in chosen]
    calls = [("convolve", a.tolist(), b.tolist(), *step) for a, b, step in zip(x, w, steps, strict=True)]
    for found, a, b, (s, p, d) in zip(node("conv_explorer", calls), x, w, steps, strict=True):
        expected = F.conv2d(
            a[None, None] * 1.0, ms.tensor(b[None, None] * 1.0), stride=s, padding=p, dilation=d
        )
        assert np.array_equal(found, expected.numpy()[0, 0])


def test_the_largest_dilation_is_the_last_that_conv2d_takes():
    chosen = cases(40, 2, H=(5, 12), k=(2, 5), p=(0, 2))
    found = node("conv_explorer", [("largestDilation", *case.values()) for case in chosen])
    for case, d in zip(chosen, found, strict=True):
        x, w = ms.zeros(1, 1, case["H"], case["H"]), ms.zeros(1, 1, case["k"], case["k"])
        assert d >= 1
        F.conv2d(x, w, padding=case["p"], dilation=d)
        with pytest.raises(ms.errors.ShapeError):
            F.conv2d(x, w, padding=case["p"], dilation=d + 1)


def test_the_sum_written_out_names_the_pixels_of_the_window():
    x = np.arange(30).reshape(5, 6).tolist()
    w = [[1, 2], [3, 4]]
    (products,) = node("conv_explorer", [("terms", x, w, 2, 1, 3, 1, 1)])  # s = 2, p = 1, d = 3, Y = X = 1
    assert [(t["row"], t["column"], t["pixel"]) for t in products] == [
        (1, 1, 7), (1, 4, 10), (4, 1, 25), (4, 4, 28),
    ]  # fmt: skip
    assert [t["weight"] for t in products] == [1, 2, 3, 4]
    ((first, *_),) = node("conv_explorer", [("terms", x, w, 2, 1, 3, 0, 0)])
    assert (first["row"], first["column"], first["pixel"]) == (-1, -1, 0)


def test_another_kernel_size_keeps_the_upper_left_numbers():
    found = node(
        "conv_explorer",
        [("resized", [[1, 2], [3, 4]], 3), ("resized", [[1, 2], [3, 4]], 1), ("meanKernel", 2)],
    )
    assert found == [[[1, 2, 0], [3, 4, 0], [0, 0, 0]], [[1]], [[0.25, 0.25], [0.25, 0.25]]]


@pytest.mark.parametrize("kind, operator", [("maximum", F.max_pool2d), ("average", F.avg_pool2d)])
def test_pooling_and_its_gradient_are_the_framework_s(kind, operator):
    rng = np.random.default_rng(3)
    calls, expected = [], []
    for case in cases(50, 4, H=(4, 9), W=(4, 9), k=(1, 4), s=(1, 5)):
        k, s = case["k"], case["s"]
        # few different numbers: most windows have a tie
        x = ms.tensor(rng.integers(0, 4, (1, 1, case["H"], case["W"])) * 1.0, requires_grad=True)
        y = operator(x, k, s)
        g = rng.integers(-5, 6, y.shape) * 1.0
        y.backward(ms.tensor(g))
        numbers = x.detach().numpy()
        calls += [
            ("pool", kind, numbers[0, 0].tolist(), k, s),
            ("backward", kind, numbers[0, 0].tolist(), k, s, g[0, 0].tolist()),
        ]
        expected += [y.detach().numpy()[0, 0], x.grad.numpy()[0, 0]]
    for found, array in zip(node("pool_explorer", calls), expected, strict=True):
        np.testing.assert_allclose(found, array, rtol=0, atol=1e-12)


def test_fields_follow_the_recursion_of_lesson_08():
    rng = np.random.default_rng(5)
    nets = [
        [{"k": int(rng.integers(1, 6)), "s": int(rng.integers(1, 4)), "a": 1} for _ in range(n)]
        for n in range(1, 7)
    ]
    for layers, found in zip(
        nets, node("receptive_field_explorer", [("fields", net) for net in nets]), strict=True
    ):
        kernels, strides = [layer["k"] for layer in layers], [layer["s"] for layer in layers]
        assert found[-1]["r"] == e08.receptive_field(kernels, strides)
        assert found[-1]["d"] == np.prod(strides)


def test_fields_are_what_a_network_has_seen():
    rng = np.random.default_rng(6)
    for _ in range(8):
        layers = [
            {"k": int(rng.integers(1, 5)), "s": int(rng.integers(1, 3)), "a": int(rng.integers(1, 4))}
            for _ in range(3)
        ]
        fields, used = node("receptive_field_explorer", [("fields", layers), ("used", layers)])
        model = ms.nn.Sequential(
            *(
                ms.nn.Conv2d(1, 1, (1, layer["k"]), stride=(1, layer["s"]), dilation=(1, layer["a"]))
                for layer in layers
            )
        )
        r = fields[-1]["r"]
        seen = np.flatnonzero(ms.models.seen(model, (1, 1, r + 4), (0, 0))[0])
        assert used[0] == seen.tolist()
        assert r == seen[-1] - seen[0] + 1


ACTIVATIONS = {"tanh": "tanh", "relu": "relu", "none, f(a) = a": lambda a: a * 1.0}
W_XH = np.array([[1.0], [-0.5]])


def last_state(x, h0, W, f):
    """h_T of F.rnn, for inputs x (T), from h0 (2)."""
    return F.rnn(x[:, None], h0, ms.tensor(W_XH), W, f=ACTIVATIONS[f])[-1]


@pytest.mark.parametrize("f", ACTIVATIONS)
@pytest.mark.parametrize("rho", [0.0, 0.7, 1.3])
def test_the_recurrence_and_its_gradients_are_f_rnn_s(f, rho):
    rng = np.random.default_rng(7)
    T, k = 9, 4
    x = rng.standard_normal(T)
    (W,) = node("rnn_explorer", [("recurrentMatrix", rho)])
    assert np.abs(np.linalg.eigvals(W)).max() == pytest.approx(rho)
    (h,) = node("rnn_explorer", [("states", x.tolist(), W, f)])
    calls = [("influence", h, W, f), ("weightGradient", h, W, f, T), ("weightGradient", h, W, f, k)]
    norms, whole, truncated = node("rnn_explorer", calls)

    W = ms.tensor(np.array(W, float), requires_grad=True)
    states = F.rnn(x[:, None], np.zeros(2), ms.tensor(W_XH), W, f=ACTIVATIONS[f])
    np.testing.assert_allclose(h[1:], states.detach().numpy(), atol=1e-12)
    (expected,) = ms.grad(states[-1].sum(), [W])
    np.testing.assert_allclose(whole, expected.numpy(), atol=1e-12)
    (expected,) = ms.grad(last_state(x[T - k :], np.array(h[T - k], float), W, f).sum(), [W])
    np.testing.assert_allclose(truncated, expected.numpy(), atol=1e-12)
    for t in range(T):
        J = ms.jacobian(
            lambda h_t, t=t: last_state(x[t:], h_t, W.detach(), f), ms.tensor(np.array(h[t], float))
        )
        assert norms[t] == pytest.approx(np.linalg.norm(J.numpy(), 2), abs=1e-12)
    assert norms[T] == 1


def test_the_parts_of_the_gradient_are_what_each_step_adds():
    x = np.random.default_rng(8).standard_normal(7).tolist()
    (W,) = node("rnn_explorer", [("recurrentMatrix", 0.9)])
    (h,) = node("rnn_explorer", [("states", x, W, "tanh")])
    calls = [("weightGradient", h, W, "tanh", k) for k in range(8)]
    *sums, parts, missing = node(
        "rnn_explorer", [*calls, ("parts", h, W, "tanh"), ("missing", h, W, "tanh", 3)]
    )
    sums = np.array(sums)  # of the last k steps, k = 0 … 7
    added = np.linalg.norm(np.diff(sums, axis=0), axis=(1, 2))[::-1]
    np.testing.assert_allclose(parts, added, atol=1e-12)
    assert missing == pytest.approx(np.linalg.norm(sums[7] - sums[3]) / np.linalg.norm(sums[7]))


def shapes_of(model, image):
    """What comes out of each module of a U-Net that has a box: {name: (C, H, W)}."""
    found = {}

    def recorded(name, forward):
        def run(x):
            y = forward(x)
            found[name] = y.shape[1:]
            return y

        return run

    for name, module in model.named_modules():
        if name == "head" or name.rpartition(".")[0] in ("down", "up", "merge"):
            module.forward = recorded(name, module.forward)
    with ms.no_grad():
        scores = model.eval()(image)
    return found, scores.shape[1:]


def test_the_boxes_are_those_of_the_u_net():
    chosen = cases(6, 9, depth=(0, 3), B=(2, 5), side=(9, 40), C=(1, 3), K=(1, 4))
    calls = [call for case in chosen for call in (("boxes", case), ("parameters", case))]
    results = iter(node("unet_explorer", calls))
    for case in chosen:
        boxes, total = {box["name"]: box for box in next(results)}, next(results)
        model = ms.models.UNet(case["C"], case["K"], base_channels=case["B"], depth=case["depth"])
        sizes = {name: p.data.size for name, p in model.named_parameters()}
        assert total == sum(sizes.values())
        shapes, scores = shapes_of(model, ms.zeros(1, case["C"], case["side"], case["side"]))
        assert boxes["head"]["shape"] == list(scores)
        for name, shape in shapes.items():
            assert boxes[name]["parameters"] == sum(
                n for p, n in sizes.items() if p.startswith(f"{name}.")
            ), name
            if name != "head":  # its scores are cropped
                assert boxes[name]["shape"] == list(shape), name
        without = {"image", "pool", "skip"}
        assert {name for name in boxes if name.split(".")[0] not in without} == set(shapes)
        for level in range(case["depth"]):
            assert boxes[f"skip.{level}"]["shape"] == list(shapes[f"down.{level}"])


def test_the_written_sums_are_the_parameter_counts():
    (boxes,) = node("unet_explorer", [("boxes", {"depth": 3, "B": 12, "side": 50, "C": 3, "K": 5})])
    sums = {box["name"]: box["sum"] for box in boxes if box["parameters"]}
    assert len(sums) == 4 + 3 + 3 + 1
    for box in boxes:
        if box["parameters"]:
            assert eval(box["sum"].replace("·", "*")) == box["parameters"], box["name"]
