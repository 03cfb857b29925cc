"""Calls that are right, and thousands that are wrong in one argument, for test_wrong_calls.py.

A right call names its arguments.  An array is changed to other dtypes, shapes and values; an option is given
every value of its kind that a tired author might give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

RNG = np.random.default_rng(0)
NAN, INF = float("nan"), float("inf")

#: Values of an option, by its kind.
VALUES: dict[str, list[Any]] = {
    "int": [
        -2, -1, 0, 1, 2, 3, 1.5, NAN, INF, "x", "same", "valid", None, True, (), (1,), (1, 2), (2, 1), [1, 2],
        (1, -1), (0, 1), (1.5, 1), (1, 2, 3),
    ],
    "float": [-INF, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, NAN, INF, -1, 0, 1, 2, "x", None, (1.0,)],
    "bool": [True, False, None, 0, 1, 2.5, "x"],
    "word": ["mean", "sum", "none", "nearest", "bilinear", "reflect", "replicate", "circular", "constant",
             "zeros", "tanh", "relu", "max", None, 1, True],
    "dim": [-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 1.5, "x", None, True, (), (0,), (0, 1), (0, 0), (1, -1), [0]],
    "widths": [
        (), (1,), (1, 2), (1, 2, 3), (-1, -1), (1, 1, 1, 1), (0, 0, 0, 0), (3, 3, 3, 3), (4, 4, 4, 4),
        (5, 5, 5, 5), (-2, -2, -2, -2), (-3, -3, 0, 0), (1,) * 6, (1,) * 8, (1,) * 10, 1, None, "x",
        (1.5, 1), [1, 1], (-9, 20), (1, -1, 2, -2),
    ],
    "shape": [
        (24,), (-1,), (2, -1), (-1, -1), (5, 5), (0,), (0, -1), (2, 3, 4), (2, 3, 4, 1), (-2,), (2.0, 12),
        "x", None, 24, (), (1, 2, 3, 4), (2, 3, 5), (3, 2, 3, 4), (-1, 2, 3, 4), (2, -1, 4), (True, 24),
    ],
    "dims": [
        (0, 1, 2), (0, 1), (0, 0, 1), (0, 1, 3), (-1, 0, 1), (), (0,), 0, 1, 3, -4, None, "x", (1.5, 0, 1),
        (0, 1, 2, 3), [2, 1, 0], (0, -3, 1), (True, 0, 2),
    ],
    "equation": [
        "ij,jk", "ij,jk->ki", "ij,jk->il", "ij->i", "ij,jk,kl->i", "ii,jk", "ij,ij", "i,jk", "ij;jk", "->",
        "", "ij,jk->iik", "...j,jk->...k", "i j , j k -> i k", "ij,jk->ij->", "IJ,JK->IK", "1j,jk",
        "ij,jk->...", "...,...->...", "...ij,jk->ik",
    ],
    "index": [
        0, 3, 4, -4, -5, 1.5, "x", None, True, (0, 0), (0, 5), (0, 0, 0), slice(0, 2), ..., (..., 0), [0, 1],
        [4], [True, False, True, True], [True], (slice(None), [0, 9]), slice(0, 4, 0), (None, 0),
        ([0, 1], [0, 1]), ([0, 1], [0, 1, 2]), [],
    ],
    "betas": [
        (0.9,), (0.9, 1.0), (-0.1, 0.9), (0.0, 0.0), (1, 0.9), (0, 0.9), None, "x", 0.9, (NAN, 0.9),
        (0.9, 0.9, 0.9), [0.9, 0.99], (True, False),
    ],
}  # fmt: skip


class Option:
    """An option of a right call: its value there, and its kind."""

    def __init__(self, kind: str, value: Any):
        self.kind, self.value = kind, value


Call = Callable[..., Any]
CALLS: dict[str, tuple[Call, dict[str, Any]]] = {}


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def uniform(*shape: int) -> np.ndarray:
    return RNG.uniform(0.1, 0.9, shape).astype(np.float32)


def function(name: str, call: str = "", **arguments: Any) -> None:
    """A function, under its name and, where it is called in several ways, a word more."""

    def called(library: Any, **given: Any) -> Any:
        return getattr(library, name)(**given)

    CALLS[f"{name} {call}".strip()] = (called, arguments)


def method(name: str, x: np.ndarray, *positional: str, call: str = "", **arguments: Any) -> None:
    def called(library: Any, x: Any, **given: Any) -> Any:
        by_place = [given.pop(n) for n in positional]
        return getattr(x, name)(*by_place, **given)

    CALLS[f"Tensor.{name} {call}".strip()] = (called, {"x": x, **arguments})


def module(name: str, x: np.ndarray, call: str = "", **arguments: Any) -> None:
    """Built and called; only the shapes of the results count, because the weights are random."""

    def called(library: Any, x: Any, **given: Any) -> Any:
        result = getattr(library.nn, name)(**given)(x)
        return [
            tuple(r.shape)
            for r in (result if isinstance(result, tuple) else (result,))
            if hasattr(r, "shape")
        ]

    CALLS[f"nn.{name} {call}".strip()] = (called, {"x": x, **arguments})


def optimizer(name: str, **arguments: Any) -> None:
    """The parameter after one step."""

    def called(library: Any, **given: Any) -> Any:
        p = library.tensor(np.array([1.0, -2.0], np.float32))
        p.requires_grad_(True)
        made = getattr(library.optim, name)([p], **given)
        p.grad = (p * 2).detach()
        made.step()
        return p.detach()

    CALLS[f"optim.{name}"] = (called, arguments)


def whole(value: Any) -> Option:
    return Option("int", value)


def real(value: Any) -> Option:
    return Option("float", value)


def switch(value: Any) -> Option:
    return Option("bool", value)


def word(value: Any) -> Option:
    return Option("word", value)


def dim(value: Any) -> Option:
    return Option("dim", value)


# -- functions ------------------------------------------------------------------------------------------
window = {"stride": whole(2), "padding": whole(1)}
function(
    "conv2d",
    input=normal(2, 4, 7, 8),
    weight=normal(6, 2, 3, 3),
    bias=normal(6),
    stride=whole(1),
    padding=whole(1),
    dilation=whole(1),
    groups=whole(2),
)
function(
    "conv_transpose2d",
    input=normal(2, 4, 4, 5),
    weight=normal(4, 3, 3, 3),
    bias=normal(6),
    **window,
    output_padding=whole(1),
    groups=whole(2),
    dilation=whole(1),
)
function(
    "unfold",
    input=normal(2, 3, 6, 7),
    kernel_size=whole(2),
    dilation=whole(1),
    padding=whole(0),
    stride=whole(1),
)
function(
    "fold",
    input=normal(2, 12, 30),
    output_size=whole((6, 7)),
    kernel_size=whole(2),
    dilation=whole(1),
    padding=whole(0),
    stride=whole(1),
)
function(
    "max_pool2d",
    input=normal(2, 3, 6, 7),
    kernel_size=whole(3),
    **window,
    dilation=whole(1),
    ceil_mode=switch(False),
    return_indices=switch(True),
)
function(
    "max_unpool2d",
    input=normal(1, 1, 1, 2),
    indices=np.array([[[[0, 6]]]]),
    kernel_size=whole(2),
    stride=whole(2),
    padding=whole(0),
    output_size=whole((2, 4)),
)
function(
    "avg_pool2d",
    input=normal(2, 3, 6, 7),
    kernel_size=whole(3),
    **window,
    ceil_mode=switch(False),
    count_include_pad=switch(True),
    divisor_override=whole(5),
)
function("adaptive_avg_pool2d", input=normal(2, 3, 6, 7), output_size=whole(3))
function(
    "interpolate",
    "by size",
    input=normal(2, 3, 6, 7),
    size=whole((4, 9)),
    mode=word("bilinear"),
    align_corners=switch(None),
)
function(
    "interpolate",
    "by scale",
    input=normal(2, 3, 6, 7),
    scale_factor=real(1.7),
    mode=word("nearest"),
    align_corners=switch(None),
    recompute_scale_factor=switch(None),
)
function("pixel_shuffle", input=normal(2, 8, 3, 4), upscale_factor=whole(2))
function("pixel_unshuffle", input=normal(2, 2, 4, 6), downscale_factor=whole(2))
for mode in ("constant", "reflect", "replicate", "circular"):
    function(
        "pad",
        mode,
        input=normal(2, 3, 4, 5),
        pad=Option("widths", (1, 2, 0, 1)),
        mode=word(mode),
        value=real(None),
    )
statistics = {"running_mean": normal(3), "running_var": uniform(3)}
affine = {"weight": normal(3), "bias": normal(3)}
for training in (True, False):
    function(
        "batch_norm",
        f"training={training}",
        input=normal(2, 3, 4, 5),
        **statistics,
        **affine,
        training=switch(training),
        momentum=real(0.1),
        eps=real(1e-5),
    )
    function(
        "instance_norm",
        f"own={training}",
        input=normal(2, 3, 4, 5),
        **statistics,
        **affine,
        use_input_stats=switch(training),
        momentum=real(0.1),
        eps=real(1e-5),
    )
function(
    "layer_norm",
    input=normal(2, 3, 4),
    normalized_shape=whole((3, 4)),
    weight=normal(3, 4),
    bias=normal(3, 4),
    eps=real(1e-5),
)
function(
    "group_norm",
    input=normal(2, 4, 3, 3),
    num_groups=whole(2),
    weight=normal(4),
    bias=normal(4),
    eps=real(1e-5),
)
for name in ("dropout", "dropout2d"):
    function(name, input=normal(2, 3, 4, 4), p=real(0.5), training=switch(False))
for name in ("relu", "silu", "logsigmoid", "sigmoid", "tanh"):
    function(name, input=normal(3, 4))
function("leaky_relu", input=normal(3, 4), negative_slope=real(0.1))
function("elu", input=normal(3, 4), alpha=real(1.3))
function("gelu", input=normal(3, 4), approximate=word("tanh"))
function("softplus", input=normal(3, 4), beta=real(2.0), threshold=real(20.0))
function("softmax", input=normal(2, 3, 4), dim=dim(1))
function("log_softmax", input=normal(2, 3, 4), dim=dim(1))
function("linear", input=normal(2, 3, 4), weight=normal(5, 4), bias=normal(5))
reduction = {"reduction": word("mean")}
function("binary_cross_entropy", input=uniform(2, 3), target=uniform(2, 3), weight=uniform(3), **reduction)
function(
    "binary_cross_entropy_with_logits",
    input=normal(2, 3),
    target=uniform(2, 3),
    weight=uniform(3),
    **reduction,
    pos_weight=uniform(3),
)
labels, pixels = np.array([0, 2, 1, 1]), RNG.integers(0, 3, (2, 4, 5))
options = {"ignore_index": whole(-100), **reduction}
for name in ("cross_entropy", "nll_loss"):
    more = {"label_smoothing": real(0.1)} if name == "cross_entropy" else {}
    function(name, input=normal(4, 3), target=labels, weight=uniform(3), **options, **more)
    function(name, "pixels", input=normal(2, 3, 4, 5), target=pixels, weight=uniform(3), **options, **more)
    function(name, "one", input=normal(3), target=np.array(1), **reduction)
function(
    "cross_entropy",
    "probabilities",
    input=normal(2, 3, 4),
    target=uniform(2, 3, 4),
    weight=uniform(3),
    **options,
    label_smoothing=real(0.1),
)
for name in ("mse_loss", "l1_loss", "huber_loss"):
    function(name, input=normal(2, 3), target=normal(2, 3), **reduction, weight=uniform(2, 3))
function("smooth_l1_loss", input=normal(2, 3), target=normal(2, 3), **reduction, beta=real(0.5))
function("huber_loss", "delta", input=normal(2, 3), target=normal(2, 3), **reduction, delta=real(0.5))
function("where", condition=normal(2, 3) > 0, input=normal(2, 3), other=normal(2, 3))
CALLS["einsum"] = (
    lambda library, a, b, equation: library.einsum(equation, a, b),
    {"a": normal(2, 3), "b": normal(3, 4), "equation": Option("equation", "ij,jk->ik")},
)
for name in ("cat", "stack"):
    CALLS[name] = (
        lambda library, a, b, dim, name=name: getattr(library, name)([a, b], dim),
        {"a": normal(2, 3), "b": normal(2, 3), "dim": dim(1)},
    )
CALLS["getitem"] = (lambda library, x, i: x[i], {"x": normal(4, 5), "i": Option("index", 1)})
CALLS["getitem tensor"] = (lambda library, x, i: x[i], {"x": normal(4, 5), "i": np.array([1, 0])})

# -- methods --------------------------------------------------------------------------------------------
for name in (
    "add", "sub", "mul", "div", "floor_divide", "remainder", "maximum", "minimum",
    "eq", "ne", "lt", "le", "gt", "ge",
):  # fmt: skip
    method(name, normal(3, 4), other=normal(3, 4))
for name in ("add", "sub", "mul", "div", "floor_divide", "remainder"):
    method(name, normal(3, 4), call="number", other=real(2.0))
method("pow", uniform(3, 4), exponent=normal(3, 4))
method("pow", RNG.integers(1, 4, (3, 4)), call="integers", exponent=real(2))
for name in ("neg", "exp", "log", "log1p", "sqrt", "abs", "isnan", "isfinite"):
    method(name, uniform(3, 4))
method("clamp", normal(3, 4), min=real(-0.5), max=real(0.5))
method("clamp", normal(3, 4), call="tensors", min=normal(3, 4) * 0.1, max=normal(3, 4) + 1)
for name in ("sum", "mean", "amax", "amin", "logsumexp", "any", "all", "max", "min", "argmax", "argmin"):
    method(name, normal(2, 3, 4), dim=dim(1), keepdim=switch(False))
for name in ("var", "std"):
    method(name, normal(2, 3, 4), dim=dim(1), correction=real(1), keepdim=switch(False))
method("cumsum", normal(2, 3, 4), dim=dim(1))
method("matmul", normal(2, 3, 4), "other", other=normal(2, 4, 5))
method("matmul", normal(4), "other", call="vectors", other=normal(4))
for name in ("reshape", "view"):
    method(name, normal(2, 3, 4), "shape", shape=Option("shape", (6, 4)))
for name in ("expand", "broadcast_to"):
    method(name, normal(2, 1, 4), "shape", shape=Option("shape", (2, 3, 4)))
method("flatten", normal(2, 3, 4), start_dim=dim(0), end_dim=dim(1))
method("permute", normal(2, 3, 4), "dims", dims=Option("dims", (2, 0, 1)))
method("transpose", normal(2, 3, 4), dim0=dim(0), dim1=dim(1))
method("squeeze", normal(2, 1, 4), dim=dim(1))
method("unsqueeze", normal(2, 1, 4), dim=dim(1))
method("split", normal(5, 4), split_size=whole(2), dim=dim(0))
method("chunk", normal(5, 4), chunks=whole(2), dim=dim(0))
method("flip", normal(2, 3, 4), "dims", dims=Option("dims", (0, 2)))
method("roll", normal(2, 3, 4), "shifts", "dims", shifts=whole((1, 2)), dims=Option("dims", (0, 2)))
method("gather", normal(2, 3, 4), dim=dim(1), index=RNG.integers(0, 3, (2, 2, 4)))
method("index_select", normal(2, 3, 4), dim=dim(1), index=np.array([2, 0]))
method("masked_fill", normal(2, 3), mask=normal(2, 3) > 0, value=real(1.0))

# -- modules --------------------------------------------------------------------------------------------
sizes = {"in_channels": whole(4), "out_channels": whole(6), "kernel_size": whole(3)}
module(
    "Conv2d", normal(2, 4, 7, 8), "reflect", **sizes, **window, groups=whole(2), padding_mode=word("reflect")
)
module(
    "Conv2d",
    normal(2, 4, 7, 8),
    **sizes,
    padding=whole("same"),
    dilation=whole(1),
    padding_mode=word("zeros"),
)
module(
    "ConvTranspose2d",
    normal(2, 4, 4, 5),
    **sizes,
    **window,
    output_padding=whole(1),
    groups=whole(2),
    dilation=whole(1),
    padding_mode=word("zeros"),
)
module("Linear", normal(2, 4), in_features=whole(4), out_features=whole(3))
for name, shape in (("1d", (2, 3, 4)), ("2d", (2, 3, 4, 5))):
    for kind in ("Batch", "Instance"):
        module(
            f"{kind}Norm{name}", normal(*shape), num_features=whole(3), eps=real(1e-5), affine=switch(True)
        )
module("LayerNorm", normal(2, 3, 4), normalized_shape=whole((3, 4)), eps=real(1e-5))
module("GroupNorm", normal(2, 4, 5), num_groups=whole(2), num_channels=whole(4), eps=real(1e-5))
module("Dropout", normal(2, 3), p=real(0.3))
for name in ("ZeroPad2d", "ReflectionPad2d", "ReplicationPad2d", "CircularPad2d"):
    module(name, normal(2, 3, 4, 5), padding=Option("widths", (1, 2, 0, 1)))
module("Softmax2d", normal(2, 3, 4, 5))
for name in ("RNN", "GRU", "LSTM"):
    module(
        name,
        normal(4, 2, 3),
        input_size=whole(3),
        hidden_size=whole(5),
        num_layers=whole(2),
        bias=switch(True),
        batch_first=switch(False),
        dropout=real(0.0),
        bidirectional=switch(True),
    )

# -- optimisers -----------------------------------------------------------------------------------------
decay = {"weight_decay": real(0.1), "maximize": switch(False)}
optimizer("SGD", lr=real(0.1), momentum=real(0.9), dampening=real(0.0), nesterov=switch(True), **decay)
for name in ("Adam", "AdamW"):
    optimizer(
        name, lr=real(0.1), betas=Option("betas", (0.9, 0.99)), eps=real(1e-8), amsgrad=switch(True), **decay
    )
optimizer(
    "RMSprop",
    lr=real(0.1),
    alpha=real(0.9),
    eps=real(1e-8),
    momentum=real(0.5),
    centered=switch(False),
    **decay,
)


def changed(a: np.ndarray) -> Iterator[tuple[str, np.ndarray | None]]:
    """The array in other dtypes, in other shapes, with other values."""
    for dtype in ("int64", "int32", "uint8", "bool", "float64"):
        yield dtype, np.abs(a * 3).astype(dtype)
    yield "0-d", np.array(a.ravel()[0])
    yield "None", None
    for d in range(a.ndim):
        yield f"dim {d} missing", np.asarray(np.take(a, 0, d))
        yield f"dim {d} empty", np.take(a, [], d)
        yield f"dim {d} of size 1", np.take(a, [0], d)
        yield f"dim {d} one longer", np.take(a, [*range(a.shape[d]), 0], d)
    yield "one dim more", a[None]
    yield "two dims more", a[None, None]
    for value in (NAN, INF, -0.5, 1.5) if a.dtype.kind == "f" else (-1, 3, 4, 255, 10**12):
        b = a.astype(a.dtype if a.dtype.kind == "f" else np.int64)
        b.flat[0] = value
        yield f"holds {value}", b


def cases(arguments: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(what is changed, the arguments), the right call first."""
    right = {k: v.value if isinstance(v, Option) else v for k, v in arguments.items()}
    yield "right", right
    for name, argument in arguments.items():
        if isinstance(argument, Option):
            for value in VALUES[argument.kind]:
                yield f"{name}={value!r}", {**right, name: value}
        else:
            for what, array in changed(argument):
                yield f"{name}: {what}", {**right, name: array}
    floats = [k for k, v in right.items() if isinstance(v, np.ndarray) and v.dtype.kind == "f"]
    for dtype in ("int64", "uint8", "bool", "float64"):
        yield f"all {dtype}", {**right, **{k: np.abs(right[k] * 3).astype(dtype) for k in floats}}
