"""Every refusal begins with the name of the operator, and names the argument that is wrong.

Four operators are another one with other arguments; that one speaks for them (SPEAKERS).
"""

import inspect

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.kernels import dispatch

F = ms.functional


@pytest.fixture(autouse=True)
def reference_kernels():
    """What is refused comes to no kernel; the right calls beside it need none that is compiled."""
    with dispatch.use("reference"):
        yield


def zeros(*shape, dtype="float32"):
    return ms.zeros(*shape, dtype=dtype)


SPEAKERS = {
    "jaccard_loss": "tversky_loss",
    "focal_loss": "cross_entropy",
    "reconstruction_loss": "mse_loss",
    "std": "var",
}
MAP = (1, 2, 4, 4)
LABELS = zeros(1, 4, 4, dtype="int64")
PLACES = zeros(*MAP, dtype="int64")

#: A right call of every operator with weights: positional arguments, and those a float type of which matters.
FLOATS = {
    "conv2d": ({"input": MAP, "weight": (2, 2, 1, 1), "bias": (2,)}, {}),
    "conv_transpose2d": ({"input": MAP, "weight": (2, 2, 1, 1), "bias": (2,)}, {}),
    "unfold": ({"input": MAP}, {"kernel_size": 2}),
    "fold": ({"input": (1, 8, 9)}, {"output_size": 4, "kernel_size": 2}),
    "max_pool2d": ({"input": MAP}, {"kernel_size": 2}),
    "max_unpool2d": ({"input": MAP}, {"indices": PLACES, "kernel_size": 1}),
    "avg_pool2d": ({"input": MAP}, {"kernel_size": 2}),
    "adaptive_avg_pool2d": ({"input": MAP}, {"output_size": 2}),
    "interpolate": ({"input": MAP}, {"size": 2}),
    "batch_norm": (
        {"input": MAP, "weight": (2,), "bias": (2,)},
        {"running_mean": None, "running_var": None, "training": True},
    ),
    "layer_norm": ({"input": MAP, "weight": (4,), "bias": (4,)}, {"normalized_shape": 4}),
    "group_norm": ({"input": MAP, "weight": (2,), "bias": (2,)}, {"num_groups": 2}),
    "instance_norm": ({"input": MAP, "weight": (2,), "bias": (2,)}, {}),
    "linear": ({"input": (3, 2), "weight": (4, 2), "bias": (4,)}, {}),
    "rnn": ({"x": (3, 1, 2), "h0": (1, 4), "W_xh": (4, 2), "W_hh": (4, 4), "b_h": (4,)}, {}),
    "gru": (
        {"x": (3, 1, 2), "h0": (1, 4), "W_ih": (12, 2), "W_hh": (12, 4), "b_ih": (12,), "b_hh": (12,)},
        {},
    ),
    "lstm": (
        {
            "x": (3, 1, 2), "h0": (1, 4), "c0": (1, 4),
            "W_ih": (16, 2), "W_hh": (16, 4), "b_ih": (16,), "b_hh": (16,),
        },
        {},
    ),
    "dropout": ({"input": MAP}, {}),
    "dropout2d": ({"input": MAP}, {}),
    "dice_loss": ({"input": MAP}, {"target": LABELS}),
    "jaccard_loss": ({"input": MAP}, {"target": LABELS}),
    "tversky_loss": ({"input": MAP}, {"target": LABELS}),
    "lovasz_softmax": ({"input": MAP}, {"target": LABELS}),
    "focal_loss": ({"input": MAP, "weight": (2,)}, {"target": LABELS}),
    "cross_entropy": ({"input": MAP, "weight": (2,)}, {"target": LABELS}),
    "nll_loss": ({"input": MAP, "weight": (2,)}, {"target": LABELS}),
    "mse_loss": ({"input": MAP, "target": MAP}, {}),
    "l1_loss": ({"input": MAP, "target": MAP}, {}),
    "smooth_l1_loss": ({"input": MAP, "target": MAP}, {}),
    "huber_loss": ({"input": MAP, "target": MAP}, {}),
    "reconstruction_loss": ({"x": MAP, "x_hat": MAP}, {}),
    "binary_cross_entropy": ({"input": MAP, "target": MAP, "weight": MAP}, {}),
    "binary_cross_entropy_with_logits": (
        {"input": MAP, "target": MAP, "weight": MAP, "pos_weight": (4,)},
        {},
    ),
}  # fmt: skip


def call(name, dtypes):
    shapes, others = FLOATS[name]
    return getattr(F, name)(
        **{n: zeros(*s, dtype=dtypes.get(n, "float32")) for n, s in shapes.items()}, **others
    )


@pytest.mark.parametrize("name", FLOATS)
def test_a_float_of_another_kind_names_operator_and_argument(name):
    shapes, speaker = FLOATS[name][0], SPEAKERS.get(name, name)
    # of the reconstruction loss, which takes (x, x_hat), the second is mse_loss's input
    said = {"x": "target", "x_hat": "input"} if name == "reconstruction_loss" else {n: n for n in shapes}
    assert call(name, {}) is not None
    call(name, dict.fromkeys(shapes, "float64"))
    for wrong in shapes:
        with pytest.raises(ms.DTypeError) as caught:
            call(name, {wrong: "int64"})
        assert str(caught.value).startswith(f"{speaker}: {said[wrong]} is int64")
        if len(shapes) > 1:
            with pytest.raises(ms.DTypeError) as caught:
                call(name, {wrong: "float64"})
            assert str(caught.value).startswith(f"{speaker}: ")
            assert f"{said[wrong]} float64" in str(caught.value)


#: operator and argument -> (the least number that is allowed, a call with that argument free)
NUMBERS = {
    ("conv2d", "stride"): (1, lambda v: F.conv2d(zeros(*MAP), zeros(2, 2, 2, 2), stride=v)),
    ("conv2d", "dilation"): (1, lambda v: F.conv2d(zeros(*MAP), zeros(2, 2, 2, 2), dilation=v)),
    ("conv2d", "padding"): (0, lambda v: F.conv2d(zeros(*MAP), zeros(2, 2, 2, 2), padding=v)),
    ("conv_transpose2d", "stride"): (
        1, lambda v: F.conv_transpose2d(zeros(*MAP), zeros(2, 2, 2, 2), stride=v)),
    ("conv_transpose2d", "dilation"): (
        1, lambda v: F.conv_transpose2d(zeros(*MAP), zeros(2, 2, 2, 2), dilation=v)),
    ("conv_transpose2d", "padding"): (
        0, lambda v: F.conv_transpose2d(zeros(*MAP), zeros(2, 2, 2, 2), padding=v)),
    ("conv_transpose2d", "output_padding"): (
        0, lambda v: F.conv_transpose2d(zeros(*MAP), zeros(2, 2, 2, 2), output_padding=v)),
    ("max_pool2d", "kernel_size"): (1, lambda v: F.max_pool2d(zeros(*MAP), v)),
    ("max_pool2d", "stride"): (1, lambda v: F.max_pool2d(zeros(*MAP), 2, v)),
    ("max_pool2d", "padding"): (0, lambda v: F.max_pool2d(zeros(*MAP), 2, padding=v)),
    ("max_pool2d", "dilation"): (1, lambda v: F.max_pool2d(zeros(*MAP), 2, dilation=v)),
    ("avg_pool2d", "kernel_size"): (1, lambda v: F.avg_pool2d(zeros(*MAP), v)),
    ("avg_pool2d", "stride"): (1, lambda v: F.avg_pool2d(zeros(*MAP), 2, v)),
    ("avg_pool2d", "padding"): (0, lambda v: F.avg_pool2d(zeros(*MAP), 2, padding=v)),
    ("adaptive_avg_pool2d", "output_size"): (0, lambda v: F.adaptive_avg_pool2d(zeros(*MAP), v)),
    ("max_unpool2d", "kernel_size"): (1, lambda v: F.max_unpool2d(zeros(*MAP), PLACES, v)),
    ("max_unpool2d", "stride"): (1, lambda v: F.max_unpool2d(zeros(*MAP), PLACES, 1, v)),
    ("max_unpool2d", "padding"): (0, lambda v: F.max_unpool2d(zeros(*MAP), PLACES, 1, padding=v)),
    ("unfold", "kernel_size"): (1, lambda v: F.unfold(zeros(*MAP), v)),
    ("unfold", "dilation"): (1, lambda v: F.unfold(zeros(*MAP), 2, dilation=v)),
    ("unfold", "padding"): (0, lambda v: F.unfold(zeros(*MAP), 2, padding=v)),
    ("unfold", "stride"): (1, lambda v: F.unfold(zeros(*MAP), 2, stride=v)),
    ("fold", "output_size"): (1, lambda v: F.fold(zeros(1, 2, 1), v, 1)),
    ("fold", "kernel_size"): (1, lambda v: F.fold(zeros(1, 2, 16), 4, v)),
    ("fold", "dilation"): (1, lambda v: F.fold(zeros(1, 2, 16), 4, 1, dilation=v)),
    ("fold", "padding"): (0, lambda v: F.fold(zeros(1, 2, 16), 4, 1, padding=v)),
    ("fold", "stride"): (1, lambda v: F.fold(zeros(1, 2, 16), 4, 1, stride=v)),
    ("pixel_shuffle", "upscale_factor"): (1, lambda v: F.pixel_shuffle(zeros(1, 4, 2, 2), v)),
    ("pixel_unshuffle", "downscale_factor"): (1, lambda v: F.pixel_unshuffle(zeros(1, 1, 4, 4), v)),
}  # fmt: skip


@pytest.mark.parametrize("name, argument", NUMBERS, ids=" ".join)
def test_numbers_that_are_too_small_or_no_whole_numbers(name, argument):
    least, free = NUMBERS[name, argument]
    free(least)
    with pytest.raises(ValueError) as caught:
        free(least - 1)
    assert str(caught.value).startswith(f"{name}: ")
    if "shuffle" not in name:
        assert f"{argument} must be at least {least}, found " in str(caught.value)
    with pytest.raises(TypeError) as caught:
        free(1.5)
    assert str(caught.value).startswith(f"{name}: {argument} ") and "1.5" in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "dice_loss", "jaccard_loss", "tversky_loss",
        "focal_loss", "cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits",
    ],
)  # fmt: skip
def test_an_unknown_reduction_names_the_loss(name):
    labels = "target" not in FLOATS[name][0]
    with pytest.raises(ValueError, match=rf"^({name}|{SPEAKERS.get(name)}): reduction '?average'? .*'none'"):
        getattr(F, name)(zeros(*MAP), LABELS if labels else zeros(*MAP), reduction="average")


@pytest.mark.parametrize("name", ["dice_loss", "jaccard_loss", "tversky_loss", "lovasz_softmax"])
def test_maps_and_labels_of_the_overlap_losses(name):
    loss = getattr(F, name)
    assert loss(zeros(1, 1, 4, 4), LABELS.unsqueeze(1)).shape == loss(zeros(*MAP), LABELS).shape == ()
    loss(ms.ones(*MAP), LABELS, from_logits=False)  # 0 and 1 are probabilities
    loss(zeros(*MAP), LABELS, from_logits=False)
    for wrong, words in [
        (lambda: loss(zeros(2, 4), LABELS), r"input has shape \(2, 4\), expected \(N, K, H, W\)"),
        (
            lambda: loss(zeros(*MAP), zeros(1, 4, 5, dtype="int64")),
            r"target has shape \(1, 4, 5\), expected \(1, 4, 4\)",
        ),
        (lambda: loss(zeros(*MAP), zeros(1, 2, 4, 4, dtype="int64")), r"target has shape \(1, 2, 4, 4\)"),
        (lambda: loss(zeros(*MAP), LABELS + 2), "target holds 2, expected 0 … 1"),
        (lambda: loss(zeros(1, 1, 4, 4), LABELS + 2), "target holds 2, expected 0 … 1"),
        (
            lambda: loss(ms.ones(*MAP) * 1.5, LABELS, from_logits=False),
            "must hold probabilities between 0 and 1",
        ),
        (lambda: loss(ms.ones(*MAP) * -0.5, LABELS, from_logits=False), "must hold probabilities"),
    ]:
        with pytest.raises(ValueError, match=f"^{SPEAKERS.get(name, name)}: .*{words}"):
            wrong()
    with pytest.raises(
        TypeError, match=f"^{SPEAKERS.get(name, name)}: target is float32, expected integer class indices"
    ):
        loss(zeros(*MAP), zeros(1, 4, 4))


DIMENSIONS = [
    "softmax", "log_softmax", "any", "all", "sum", "mean", "var", "std", "amax", "amin", "argmax", "argmin",
    "logsumexp", "cumsum", "squeeze", "unsqueeze", "flip", "max", "min", "chunk", "split", "index_select",
    "gather", "permute", "transpose",
]  # fmt: skip


@pytest.mark.parametrize("name", DIMENSIONS)
def test_a_dimension_that_is_not_there_names_the_operator(name):
    x, index = zeros(2, 3), zeros(1, dtype="int64")
    arguments = {
        "chunk": (2, 5), "split": (1, 5), "permute": (0, 5), "transpose": (0, 5),
        "index_select": (5, index), "gather": (5, zeros(1, 1, dtype="int64")),
    }.get(name, (5,))  # fmt: skip
    with pytest.raises(
        IndexError,
        match=rf"^{SPEAKERS.get(name, name)}: dim 5 of a tensor with [23] dimensions: expected -[23] …",
    ):
        getattr(x, name)(*arguments)
    if name == "transpose":
        with pytest.raises(IndexError, match=r"^transpose: dim -3"):
            x.transpose(-3, 0)


def test_defaults_are_what_the_signatures_of_pytorch_say():
    torch = pytest.importorskip("torch")
    for name in ("leaky_relu", "elu", "softplus", "layer_norm", "group_norm", "instance_norm", "batch_norm"):
        theirs = getattr(torch.nn.functional, name)
        try:
            expected = inspect.signature(theirs).parameters
        except ValueError:  # written in C++
            continue
        for argument, parameter in inspect.signature(getattr(F, name)).parameters.items():
            if argument in expected and parameter.default is not inspect.Parameter.empty:
                default = expected[argument].default
                assert np.all(parameter.default == default), (
                    f"{name}: {argument}={parameter.default}, {default}"
                )


#: An array of the wrong shape: the name of the argument stands in the sentence.
SHAPES = [
    (name, argument)
    for name, (shapes, _) in FLOATS.items()
    for argument in shapes
    if argument in ("bias", "weight", "h0", "c0") or argument.startswith(("W_", "b_"))
    if not (
        argument == "weight" and name in ("conv2d", "conv_transpose2d", "binary_cross_entropy_with_logits")
    )
    if not (argument == "weight" and name in ("binary_cross_entropy", "linear"))
    if not (argument == "W_hh" and name != "rnn")  # it says how many hidden units there are
]


@pytest.mark.parametrize("name, argument", SHAPES)
def test_an_array_of_the_wrong_shape_is_named(name, argument):
    shapes, others = FLOATS[name]
    wrong = {**shapes, argument: (7, *shapes[argument][1:])}
    if argument == "W_hh":
        wrong[argument] = (4, 5)
    with pytest.raises((ValueError, IndexError)) as caught:
        getattr(F, name)(**{n: zeros(*s) for n, s in wrong.items()}, **others)
    assert str(caught.value).startswith(f"{SPEAKERS.get(name, name)}: ")
    assert argument in str(caught.value) or argument == "weight"


@pytest.mark.parametrize("name", ["running_mean", "running_var"])
def test_running_statistics_of_instance_norm_are_named(name):
    with pytest.raises(ValueError, match=rf"^instance_norm: {name} has shape \(3,\)"):
        F.instance_norm(zeros(*MAP), **{"running_mean": zeros(2), "running_var": ms.ones(2), name: zeros(3)})


IMAGES = [n for n, (s, _) in FLOATS.items() if s.get("input") == MAP and "loss" not in n]


@pytest.mark.parametrize("name", sorted({*IMAGES} - {"batch_norm", "layer_norm", "dropout"} - {"nll_loss"}))
def test_too_few_dimensions_name_the_operator(name):
    if "entropy" in name or name == "lovasz_softmax":
        return
    shapes, others = FLOATS[name]
    others = {**others, "indices": zeros(2, dtype="int64")} if name == "max_unpool2d" else others
    with pytest.raises(ValueError, match=rf"^{name}: .*\(2,\)"):
        getattr(F, name)(**{n: zeros(*((2,) if n == "input" else s)) for n, s in shapes.items()}, **others)


@pytest.mark.parametrize(
    "name, call",
    [
        ("conv2d", lambda: F.conv2d(zeros(*MAP), zeros(2, 2, 5, 5))),
        ("max_pool2d", lambda: F.max_pool2d(zeros(*MAP), 5)),
        ("avg_pool2d", lambda: F.avg_pool2d(zeros(*MAP), 5)),
        ("unfold", lambda: F.unfold(zeros(*MAP), 5)),
        ("fold", lambda: F.fold(zeros(1, 25, 1), 4, 5)),
    ],
)
def test_a_kernel_beyond_the_image_names_the_operator(name, call):
    with pytest.raises(
        ValueError, match=rf"^{name}: the kernel's extent 5 is larger than the padded height 4"
    ):
        call()


def test_other_sizes_name_the_operator():
    for name, call, words in [
        ("interpolate", lambda: F.interpolate(zeros(*MAP), 0), "output size must be at least 1, found 0"),
        ("roll", lambda: ms.roll(zeros(2, 3), 1, 5), "dim 5"),
        ("stack", lambda: ms.stack([zeros(2), zeros(2)], 5), "dim 5"),
        ("cat", lambda: ms.cat([zeros(2), zeros(2)], 5), "dim 5"),
        ("pixel_unshuffle", lambda: F.pixel_unshuffle(zeros(1, 1, 3, 4), 2), "3"),
        ("pixel_unshuffle", lambda: F.pixel_unshuffle(zeros(1, 1, 4, 3), 2), "3"),
        ("avg_pool2d", lambda: F.avg_pool2d(zeros(*MAP), 2, divisor_override=0), "divisor_override"),
        ("gather", lambda: ms.gather(zeros(2, 2), 0, zeros(1, 1)), "index"),
    ]:
        with pytest.raises((ValueError, IndexError, TypeError), match=rf"^{name}: .*{words}"):
            call()
