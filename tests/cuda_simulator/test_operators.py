"""Every operator of examples.py on the device: values, gradients and gradients of gradients as on the CPU.

And the dot-product test on the device alone: for random u and v, the change of <f(x), u> along v is
<gradient, v>.
"""

import functools

import numpy as np
import pytest

from minitorch_seg import grad, tensor
from minitorch_seg.autograd import Tensor
from minitorch_seg.examples import examples
from minitorch_seg.kernels import dispatch

TOLERANCE = {"float64": 1e-9, "float32": 2e-4}
STEP = 1e-6
COUNT = len(examples())


@functools.cache
def listed(device):
    return examples(device)


def outputs(call, arguments):
    result = call(*arguments)
    found = [r for r in (result if isinstance(result, tuple) else (result,)) if r.dtype.kind == "f"]
    return found


def run(device, number, dtype, second):
    """Values, gradients and gradients of gradients of example `number`, on the host."""
    example = listed(device)[number]
    rng = np.random.default_rng(number)
    arguments = [tensor(a.astype(dtype), requires_grad=True, device=device) for a in example.arrays]
    found = outputs(example.call, arguments)
    cotangents = [tensor(rng.standard_normal(y.shape).astype(dtype), device=device) for y in found]
    first = grad(found, arguments, cotangents, create_graph=second, allow_unused=True)
    results = [*found, *first]
    if second:
        used = [g for g in first if g is not None and g.requires_grad]
        more = [tensor(rng.standard_normal(g.shape).astype(dtype), device=device) for g in used]
        if used:
            results += grad(used, arguments, more, allow_unused=True)
    assert all(r is None or r.device == device for r in results)
    return [None if r is None else r.detach().cpu().numpy() for r in results]


def compare(number, dtype, second):
    on_cpu, on_gpu = run("cpu", number, dtype, second), run("cuda", number, dtype, second)
    for expected, result in zip(on_cpu, on_gpu, strict=True):
        assert (expected is None) == (result is None)
        if expected is not None:
            assert expected.shape == result.shape and expected.dtype == result.dtype
            largest = max(1.0, float(np.abs(expected).max(initial=0.0)))
            np.testing.assert_allclose(result, expected, rtol=0, atol=TOLERANCE[dtype] * largest)


def names():
    return [f"{number}-{example.operator}" for number, example in enumerate(examples())]


@pytest.mark.parametrize("number", range(COUNT), ids=names())
def test_values_and_gradients_are_those_of_the_cpu(number):
    compare(number, "float64", second=listed("cpu")[number].smooth)


@pytest.mark.parametrize("number", [n for n, e in enumerate(examples()) if e.smooth], ids=str)
def test_the_gradient_along_a_direction_is_the_change_along_it(number):
    example, rng = listed("cuda")[number], np.random.default_rng(number)
    moves = [rng.standard_normal(a.shape) for a in example.arrays]

    def moved(step):
        places = [a + step * m for a, m in zip(example.arrays, moves, strict=True)]
        arguments = [tensor(p, requires_grad=True, device="cuda") for p in places]
        return arguments, outputs(example.call, arguments)

    arguments, found = moved(0.0)
    u = [rng.standard_normal(y.shape) for y in found]
    gradients = grad(found, arguments, [tensor(w, device="cuda") for w in u], allow_unused=True)
    analytic = sum(
        float((g.cpu().numpy() * m).sum()) for g, m in zip(gradients, moves, strict=True) if g is not None
    )
    ends = [sum(float((y.detach().cpu().numpy() * w).sum()) for y, w in zip(moved(s)[1], u, strict=True))
            for s in (STEP, -STEP)]  # fmt: skip
    numeric = (ends[0] - ends[1]) / (2 * STEP)
    assert analytic == pytest.approx(numeric, rel=1e-5, abs=1e-6)


SINGLE = ("conv2d", "conv_transpose2d", "batch_norm_relu", "max_pool2d", "softmax", "matmul",
          "interpolate", "rnn", "gelu", "layer_norm", "dropout", "cat", "add", "relu")  # fmt: skip


@pytest.mark.parametrize("number", [n for n, e in enumerate(examples()) if e.operator in SINGLE], ids=str)
def test_float32(number):
    compare(number, "float32", second=False)


def test_the_kernels_say_where_they_ran():
    with dispatch.explain() as calls:
        Tensor(tensor([1.0, -1.0], device="cuda").data).relu()
    assert str(calls) == "relu 2 float32: kernels/cuda/relu.py, because the array lies on the GPU"
