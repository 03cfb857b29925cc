"""Random small calls of every operator that PyTorch has too, for test_agreement.py.

A family draws one case: the arguments (a shape stands for normal numbers) and `call(library, *tensors)`.
Options are drawn loosely, so that some calls are impossible: those must be refused by both libraries.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.helpers import OURS

Case = tuple[list[Any], Callable[..., Any]]
FAMILIES: dict[str, Callable[[Draw], Case]] = {}


class Draw:
    """Small random numbers, choices, shapes and arrays."""

    def __init__(self, name: str, number: int):
        self.rng = np.random.default_rng([*name.encode(), number])

    def int(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def one(self, *options: Any) -> Any:
        return options[self.int(0, len(options) - 1)]

    def flag(self) -> bool:
        return self.one(True, False)

    def pair(self, low: int, high: int) -> Any:
        """One int or two, as PyTorch takes both."""
        a, b = self.int(low, high), self.int(low, high)
        return self.one(a, (a, b))

    def shape(self, low: int = 1, high: int = 4) -> tuple[int, ...]:
        return tuple(self.int(1, 4) for _ in range(self.int(low, high)))

    def image(self, channels: int | None = None) -> tuple[int, ...]:
        """(N, C, H, W), sometimes without the batch."""
        size = (channels or self.int(1, 4), self.int(3, 8), self.int(3, 8))
        return size if self.int(0, 3) == 0 else (self.one(0, 1, 2, 2), *size)

    def map(self) -> tuple[int, ...]:
        return (self.int(1, 2), self.int(1, 3), self.int(2, 6), self.int(2, 6))

    def between(self, low: float, high: float, *shape: int) -> np.ndarray:
        return self.rng.uniform(low, high, shape)

    def dim(self, shape: tuple[int, ...]) -> int:
        return self.int(-len(shape), len(shape) - 1)

    def dims(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        number = self.int(1, len(shape))
        return tuple(int(d) for d in self.rng.permutation(len(shape))[:number])


def family(function: Callable[[Draw], Case]) -> Callable[[Draw], Case]:
    FAMILIES[function.__name__] = function
    return function


def elementwise(name: str, call: Callable[..., Any], low: float = -3.0, high: float = 3.0) -> None:
    FAMILIES[name] = lambda r: ([np.asarray(r.between(low, high, *r.shape(0, 4)))], call)


# -- convolution, windows, frames -----------------------------------------------------------------------


@family
def conv2d(r: Draw) -> Case:
    groups, kernel = r.one(1, 1, 2, 3), (r.int(1, 3), r.int(1, 3))
    x = r.image(groups * r.int(1, 2))
    weight = (groups * r.int(1, 2), x[-3] // groups, *kernel)
    padding = r.one(r.pair(0, 2), r.pair(0, 2), "same", "valid")
    stride = 1 if padding == "same" else r.pair(1, 3)
    options = {"stride": stride, "padding": padding, "dilation": r.pair(1, 2), "groups": groups}
    if r.flag():
        return [x, weight, weight[:1]], lambda L, x, w, b: L.conv2d(x, w, b, **options)
    return [x, weight], lambda L, x, w: L.conv2d(x, w, **options)


@family
def conv_transpose2d(r: Draw) -> Case:
    groups = r.one(1, 1, 2)
    x = r.image(groups * r.int(1, 2))
    weight = (x[-3], r.int(1, 2), r.int(1, 3), r.int(1, 3))
    stride, dilation = r.pair(1, 3), r.pair(1, 2)
    args = stride, r.pair(0, 1), r.one(0, 0, r.pair(0, 1)), groups, dilation
    bias = (weight[1] * groups,)
    return [x, weight, bias], lambda L, x, w, b: L.conv_transpose2d(x, w, b, *args)


@family
def unfold(r: Draw) -> Case:
    args = r.pair(1, 3), r.pair(1, 2), r.pair(0, 2), r.pair(1, 3)
    return [r.image()], lambda L, x: L.unfold(x, *args)


@family
def fold(r: Draw) -> Case:
    size, kernel, dilation = (r.int(3, 7), r.int(3, 7)), (r.int(1, 3), r.int(1, 3)), r.int(1, 2)
    padding, stride = r.int(0, 1), (r.int(1, 3), r.int(1, 3))
    counts = [
        (n + 2 * padding - dilation * (k - 1) - 1) // s + 1
        for n, k, s in zip(size, kernel, stride, strict=True)
    ]
    columns = (r.int(1, 2) * kernel[0] * kernel[1], max(counts[0] * counts[1], 1))
    x = columns if r.int(0, 3) == 0 else (2, *columns)
    return [x], lambda L, x: L.fold(x, size, kernel, dilation, padding, stride)


@family
def max_pool2d(r: Draw) -> Case:
    args = r.pair(1, 3), r.one(None, r.pair(1, 3)), r.pair(0, 1), r.pair(1, 2), r.flag(), r.flag()
    return [r.image()], lambda L, x: L.max_pool2d(x, *args[:4], ceil_mode=args[4], return_indices=args[5])


@family
def max_unpool2d(r: Draw) -> Case:
    kernel = (r.int(1, 3), r.int(1, 3))
    x = r.image()
    size = r.one(x[-2:], x[-2:], None)

    def call(L: Any, x: Any) -> Any:
        y, places = L.max_pool2d(x, kernel, return_indices=True)
        return L.max_unpool2d(y, places, kernel, output_size=size)

    return [x], call


@family
def avg_pool2d(r: Draw) -> Case:
    args = (
        r.pair(1, 4),
        r.one(None, r.pair(1, 3)),
        r.pair(0, 2),
        r.flag(),
        r.flag(),
        r.one(None, None, 3, -2, 0),
    )
    return [r.image()], lambda L, x: L.avg_pool2d(x, *args)


@family
def adaptive_avg_pool2d(r: Draw) -> Case:
    size = r.one(r.pair(1, 9), (None, r.int(1, 4)), 1)  # 0: PyTorch has a value but no gradient
    return [r.image()], lambda L, x: L.adaptive_avg_pool2d(x, size)


@family
def interpolate(r: Draw) -> Case:
    size = {"size": r.pair(1, 12)}
    factor = {
        "scale_factor": r.one(2, 0.5, float(r.between(0.4, 3.0)), tuple(r.between(0.5, 3.0, 2).tolist()))
    }
    options = r.one(size, factor)
    if "scale_factor" in options and r.flag():
        options["recompute_scale_factor"] = True
    mode = r.one({"mode": "nearest"}, {"mode": "bilinear", "align_corners": r.flag()})
    return [r.map()], lambda L, x: L.interpolate(x, **options, **mode)


@family
def pad(r: Draw) -> Case:
    mode = r.one("constant", "reflect", "replicate", "circular")
    x = r.map() if mode != "constant" else r.shape()
    low = -1 if mode != "circular" or min(x[-2:]) > 3 else 0  # PyTorch lets the frame exceed what a crop left
    widths = [r.int(low, 3) for _ in range(4 if mode != "constant" else 2 * r.int(1, len(x)))]
    value = {"value": 1.5} if mode == "constant" else {}
    return [x], lambda L, x: L.pad(x, widths, mode, **value)


@family
def pixel_shuffle(r: Draw) -> Case:
    n, up = r.one(1, 2, 2, 3), r.flag()
    lead, h, w = r.shape(0, 2), r.int(1, 3), r.int(1, 3)
    if up:
        return [(*lead, n * n * r.int(1, 2), h, w)], lambda L, x: L.pixel_shuffle(x, n)
    return [(*lead, 2, n * h, n * w)], lambda L, x: L.pixel_unshuffle(x, n)


# -- normalisation --------------------------------------------------------------------------------------


@family
def batch_norm(r: Draw) -> Case:
    c = r.int(1, 3)
    x = r.one((r.int(1, 4), c), (r.int(1, 3), c, r.int(1, 4)), (r.int(1, 3), c, r.int(1, 3), r.int(1, 3)))
    training, momentum, eps = r.flag(), r.one(0.1, 0.5, 1.0), r.one(1e-5, 0.1)
    mean, var = r.between(-1, 1, c), r.between(0.5, 2, c)

    def call(L: Any, x: Any, w: Any, b: Any) -> Any:
        running = L.tensor(mean.copy()), L.tensor(var.copy())
        return (L.batch_norm(x, *running, w, b, training, momentum, eps), *running)

    return [x, (c,), (c,)], call


@family
def layer_norm(r: Draw) -> Case:
    x = r.shape()
    shape = x[-r.int(1, len(x)) :]
    eps = r.one(1e-5, 0.1)
    return [x, shape, shape], lambda L, x, w, b: L.layer_norm(x, shape, w, b, eps)


@family
def group_norm(r: Draw) -> Case:
    groups = r.int(1, 3)
    c = groups * r.int(1, 2)
    x = (r.int(1, 3), c, *r.shape(0, 3))
    return [x, (c,), (c,)], lambda L, x, w, b: L.group_norm(x, groups, w, b)


@family
def instance_norm(r: Draw) -> Case:
    c, own = r.int(1, 3), r.flag()
    mean, var = r.between(-1, 1, c), r.between(0.5, 2, c)

    def call(L: Any, x: Any, w: Any, b: Any) -> Any:
        running = L.tensor(mean.copy()), L.tensor(var.copy())
        return (L.instance_norm(x, *running, w, b, own, 0.3), *running)

    return [(r.int(1, 3), c, r.int(1, 3), *r.shape(0, 1)), (c,), (c,)], call


# -- activations ----------------------------------------------------------------------------------------

for _name in ("relu", "silu", "logsigmoid", "sigmoid", "tanh"):
    elementwise(_name, lambda L, x, name=_name: getattr(L, name)(x), -30, 30)
for _name, _low, _high in (
    ("exp", -3, 3),
    ("log", 0.1, 3),
    ("log1p", -0.9, 3),
    ("sqrt", 0.1, 3),
    ("abs", -3, 3),
):
    elementwise(_name, lambda L, x, name=_name: getattr(L, name)(x), _low, _high)


@family
def parametric_activation(r: Draw) -> Case:
    number = float(r.between(0.1, 2.0))
    name, options = r.one(
        ("leaky_relu", {"negative_slope": number}),
        ("elu", {"alpha": number}),
        ("gelu", {"approximate": r.one("none", "tanh")}),
        ("softplus", {"beta": number, "threshold": r.one(20.0, 1.0)}),
    )
    return [r.between(-10, 10, *r.shape())], lambda L, x: getattr(L, name)(x, **options)


@family
def softmax(r: Draw) -> Case:
    x, name = r.shape(), r.one("softmax", "log_softmax")
    dim = r.dim(x)
    return [x], lambda L, x: getattr(L, name)(x, dim)


# -- losses ---------------------------------------------------------------------------------------------


@family
def cross_entropy(r: Draw) -> Case:
    k, reduction, name = r.int(2, 4), r.one("mean", "sum", "none"), r.one("cross_entropy", "nll_loss")
    x = (r.int(1, 3), k, *r.shape(0, 2))
    target = r.rng.integers(0, k, (x[0], *x[2:]))
    ignore = r.one(-100, 0, k - 1)
    options = {"ignore_index": ignore, "reduction": reduction}
    if name == "cross_entropy" and r.flag():
        options["label_smoothing"] = 0.2
    if (target == ignore).all() and reduction == "mean":
        target[...] = (ignore + 1) % k if ignore >= 0 else 0
    if r.flag():
        return [x, target, r.between(0.5, 2, k)], lambda L, x, t, w: getattr(L, name)(
            x, t, w.detach(), **options
        )
    return [x, target], lambda L, x, t: getattr(L, name)(x, t, **options)


@family
def cross_entropy_of_probabilities(r: Draw) -> Case:
    x = (r.int(1, 3), 3, *r.shape(0, 2))
    q = r.between(0, 1, *x)
    options = {"reduction": r.one("mean", "sum", "none"), "label_smoothing": r.one(0.0, 0.3)}
    q = q / q.sum(1, keepdims=True)
    return [x], lambda L, x: L.cross_entropy(x, L.tensor(q), **options)


@family
def binary_cross_entropy(r: Draw) -> Case:
    shape, reduction = r.shape(), r.one("mean", "sum", "none")
    t, w = r.between(0, 1, *shape), r.one(None, r.between(0.5, 2, *shape))
    weight = (lambda L: None) if w is None else (lambda L: L.tensor(w))
    if r.flag():
        return [r.between(0.01, 0.99, *shape)], lambda L, x: L.binary_cross_entropy(
            x, L.tensor(t), weight(L), reduction=reduction
        )
    pos = r.between(0.5, 3, shape[-1])
    return [shape], lambda L, x: L.binary_cross_entropy_with_logits(
        x, L.tensor(t), weight(L), reduction=reduction, pos_weight=L.tensor(pos)
    )


@family
def distance_loss(r: Draw) -> Case:
    shape, reduction, size = r.shape(), r.one("mean", "sum", "none"), float(r.between(0.2, 2.0))
    name, options = r.one(
        ("mse_loss", {}),
        ("l1_loss", {}),
        ("smooth_l1_loss", {"beta": r.one(size, 0.0)}),
        ("huber_loss", {"delta": size}),
    )
    return [shape, shape], lambda L, x, t: getattr(L, name)(x, t, reduction=reduction, **options)


# -- matrices and sequences -----------------------------------------------------------------------------


@family
def matmul(r: Draw) -> Case:
    n, k, m, lead = r.int(1, 3), r.int(1, 3), r.int(1, 3), r.shape(0, 2)
    a = r.one((k,), (n, k), (*lead, n, k))
    b = r.one((k,), (k, m), (*lead, k, m), (*[1] * len(lead), k, m), (r.int(1, 3), m))
    return [a, b], lambda L, a, b: L.matmul(a, b)


@family
def linear(r: Draw) -> Case:
    i, o = r.int(1, 4), r.int(1, 4)
    return [(*r.shape(0, 3), i), (o, i), (o,)], lambda L, x, w, b: L.linear(x, w, b)


@family
def einsum(r: Draw) -> Case:
    size = {c: r.int(1, 3) for c in "abcd"}
    terms = ["".join(r.rng.permutation(list("abcd"))[: r.int(0, 3)]) for _ in range(r.int(1, 3))]
    used = sorted(set("".join(terms)))
    output = "".join(r.rng.permutation(used)[: r.int(0, len(used))])
    lead = r.one((), (), (2,), (1, 3))
    dots = "..." if lead else ""
    equation = ",".join(t + dots for t in terms) + r.one(f"->{dots}{output}", f"->{output}{dots}", "")
    shapes = [(*(size[c] for c in t), *lead) for t in terms]
    return shapes, lambda L, *x: L.einsum(equation, *x)


def recurrent(name: str) -> None:
    def draw(r: Draw) -> Case:
        inputs, hidden = r.int(1, 3), r.int(1, 3)
        options: dict[str, Any] = {"num_layers": r.int(1, 2), "bias": r.flag(), "bidirectional": r.flag()}
        options["batch_first"] = r.flag()
        if name == "RNN":
            options["nonlinearity"] = r.one("tanh", "relu")
        ours = getattr(OURS.nn, name)(inputs, hidden, **options)
        names = [n for n, _ in ours.named_parameters()]
        shapes = [p.shape for _, p in ours.named_parameters()]
        batch = r.one((), (1,), (2,))
        steps = r.int(1, 4)
        x = (*batch, steps, inputs) if options["batch_first"] else (steps, *batch, inputs)
        state = (options["num_layers"] * (1 + options["bidirectional"]), *batch, hidden)
        states = [state] * r.one(0, 2 if name == "LSTM" else 1)

        def call(L: Any, x: Any, *rest: Any) -> Any:
            start = rest[: len(states)]
            args = (x,) if not start else (x, start if name == "LSTM" else start[0])
            given = dict(zip(names, rest[len(states) :], strict=True))
            if L is OURS:
                ours._parameters.update(given)
                result = ours(*args)
            else:
                theirs = getattr(L.nn, name)(inputs, hidden, **options).double()
                result = L.func.functional_call(theirs, given, args)
            output, last = result
            return (output, *last) if name == "LSTM" else (output, last)

        return [x, *states, *shapes], call

    FAMILIES[name] = draw


for _name in ("RNN", "GRU", "LSTM"):
    recurrent(_name)


# -- arithmetic, reductions, shapes, indices ------------------------------------------------------------


@family
def arithmetic(r: Draw) -> Case:
    shape = r.shape(1, 3)
    other = tuple(n if r.int(0, 2) else 1 for n in shape)[r.int(0, len(shape)) :]
    name = r.one("add", "sub", "mul", "div", "remainder", "pow", "maximum", "minimum")
    a, b = r.between(0.3, 3, *shape), np.asarray(r.between(0.3, 3, *other))
    arrays = r.one([a, b], [b, a])
    return arrays, lambda L, a, b: getattr(L, name)(a, b)


@family
def selection(r: Draw) -> Case:
    shape = r.shape()
    mask = r.rng.integers(0, 2, shape).astype(bool)
    low = r.one(None, -0.5)
    calls = (
        lambda L, a, b: L.where(L.tensor(mask), a, b),
        lambda L, a, b: a.masked_fill(L.tensor(mask), 2.0) * b,
        lambda L, a, b: L.clamp(a, low, 0.7) + b,
    )
    return [shape, shape], r.one(*calls)


@family
def reduction(r: Draw) -> Case:
    x, keep = r.shape(), {"keepdim": r.flag()}
    dims = r.one(r.dim(x), r.dims(x))
    name = r.one("sum", "mean", "amax", "amin", "logsumexp", "var", "std", "cumsum", "all")
    if name == "cumsum":
        dim = r.dim(x)
        return [x], lambda L, x: L.cumsum(x, dim)
    if name in ("var", "std"):
        keep["correction"] = 0
        return (
            [x],
            lambda L, x: (
                getattr(L, name)(x * x, dim=dims, **keep) if name == "var" else L.var(x, dim=dims, **keep)
            ),
        )
    if name == "all":
        return [x], lambda L, x: (x.sum(), x.mean(), x.max(), x.min(), x.amax(), x.amin())
    return [x], lambda L, x: getattr(L, name)(x, dims, **keep)


@family
def extremum(r: Draw) -> Case:
    x, keepdim, name = r.shape(), r.flag(), r.one("max", "min")
    dim = r.dim(x)
    return [x], lambda L, x: tuple(getattr(x, name)(dim, keepdim=keepdim))


@family
def reshaping(r: Draw) -> Case:
    x = r.shape(2, 4)
    order = tuple(int(d) for d in r.rng.permutation(len(x)))
    a, b, dims, shift = r.dim(x), r.dim(x), r.dims(x), r.int(-3, 3)
    calls = (
        lambda L, x: x.reshape(-1, x.shape[a]),
        lambda L, x: x.permute(*order),
        lambda L, x: x.transpose(a, b),
        lambda L, x: x.flip(*dims),
        lambda L, x: x.roll(shift, a),
        lambda L, x: x.squeeze(a),
        lambda L, x: x.unsqueeze(a),
        lambda L, x: x.flatten(min(a % x.ndim, b % x.ndim), max(a % x.ndim, b % x.ndim)),
        lambda L, x: x.expand(3, *x.shape),
        lambda L, x: tuple(x.split(2, a)),
        lambda L, x: tuple(x.chunk(2, a)),
        lambda L, x: L.cat([x, x * 2], a),
        lambda L, x: L.stack([x, x * 2], a),
    )
    return [x], r.one(*calls)


@family
def indexing(r: Draw) -> Case:
    x = (r.int(2, 4), r.int(2, 4), r.int(2, 4))
    places = r.rng.integers(0, 2, 3)
    grid = r.rng.integers(0, 2, (2, 2, 2))
    dim, i, mask = r.dim(x), r.int(-2, 1), r.rng.integers(0, 2, x).astype(bool)
    calls = (
        lambda L, x: x[i],
        lambda L, x: x[..., i],
        lambda L, x: x[:, None, ::2],
        lambda L, x: x[1:, i, :-1],
        lambda L, x: x[L.tensor(places)],
        lambda L, x: x[:, L.tensor(places), i],
        lambda L, x: x[L.tensor(places), :, L.tensor(places)],
        lambda L, x: x[L.tensor(mask)],
        lambda L, x: L.gather(x, dim, L.tensor(grid)),
        lambda L, x: L.index_select(x, dim, L.tensor(places)),
    )
    return [x], r.one(*calls)
