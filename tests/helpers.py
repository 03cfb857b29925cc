"""What the tests of operators and layers share: one line a case compares with PyTorch, with NumPy or SciPy,
with finite differences, over memory layouts, and asks for a refusal that teaches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.kernels import layout
from tests.kernels.helpers import LAYOUTS, lay_out

TOLERANCE = {"float64": 1e-9, "float32": 2e-5}


class _Library:
    """The names of a library: functional first, then the package itself."""

    def __init__(self, *modules: Any):
        self.modules = modules

    def __getattr__(self, name: str) -> Any:
        for module in self.modules:
            if hasattr(module, name):
                return getattr(module, name)
        raise AttributeError(name)


OURS = _Library(ms.functional, ms)


def theirs() -> _Library:
    """PyTorch under the same names; the test is skipped where it is not installed."""
    torch = pytest.importorskip("torch", reason="PyTorch, the oracle of this test, is not installed")
    torch.set_num_threads(1)
    return _Library(torch.nn.functional, torch)


def draw(specs: Sequence[Any], dtype: str = "float64", seed: int = 0) -> list[np.ndarray]:
    """A shape becomes normal numbers, a float array is converted, anything else stays as it is."""
    rng = np.random.default_rng(seed)
    made = []
    for spec in specs:
        if isinstance(spec, tuple):
            made.append(rng.standard_normal(spec).astype(dtype))
        else:
            array = np.asarray(spec)
            made.append(array.astype(dtype) if array.dtype.kind == "f" else array)
    return made


def as_list(result: Any) -> list[Any]:
    return list(result) if isinstance(result, tuple | list) else [result]


def close(found: Any, expected: Any, what: str = "value", tolerance: float | None = None) -> None:
    """Equal shape and dtype, and equal numbers up to rounding relative to the largest one."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape, f"{what}: shape {found.shape}, expected {expected.shape}"
    assert found.dtype == expected.dtype, f"{what}: dtype {found.dtype}, expected {expected.dtype}"
    if expected.dtype.kind != "f":
        np.testing.assert_array_equal(found, expected, err_msg=what)
        return
    tolerance = TOLERANCE[expected.dtype.name] if tolerance is None else tolerance
    largest = max(1.0, float(np.abs(expected).max(initial=0, where=np.isfinite(expected))))
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * largest, err_msg=what)


def pull_back(outputs: list[Any], tensors: list[Any], cotangents: list[Any], gradient: Callable) -> list[Any]:
    """The gradients of Σ <output, cotangent> for the tensors that require one, by `gradient`."""
    pairs = [(o, c) for o, c in zip(outputs, cotangents, strict=True) if o.requires_grad]
    wanted = [t for t in tensors if t.requires_grad]
    if not pairs or not wanted:
        return []
    return list(gradient([o for o, _ in pairs], wanted, [c for _, c in pairs], allow_unused=True))


def against_torch(
    specs: Sequence[Any],
    call: Callable[..., Any],
    *,
    dtypes: Sequence[str] = ("float64", "float32"),
    maps: bool = False,
    gradients: bool = True,
    tolerance: float | None = None,
    seed: int = 0,
) -> None:
    """`call(library, *tensors)` gives the same in both libraries: values, dtypes, shapes, and the
    gradients of all float arguments for a random cotangent.  With `maps` the result must lie
    channels-last in memory.

    float64 is tried with C-contiguous arguments, float32 with channels-last ones that are read-only.
    """
    library = theirs()
    torch = library.modules[1]
    for dtype in dtypes:
        arrays = draw(specs, dtype, seed)
        if dtype == "float32":
            arrays = [lay_out(a, "channels-last") for a in arrays]
        given = [a.copy() for a in arrays]
        for a in arrays:
            a.flags.writeable = dtype != "float32"
        ours = [ms.Tensor(a, requires_grad=gradients and a.dtype.kind == "f") for a in arrays]
        found = as_list(call(OURS, *ours))
        tensors = [torch.tensor(a, requires_grad=gradients and a.dtype.kind == "f") for a in given]
        expected = as_list(call(library, *tensors))
        assert len(found) == len(expected)
        for number, (f, e) in enumerate(zip(found, expected, strict=True)):
            close(f.data, e.detach().numpy(), f"{dtype} output {number}", tolerance)
            if maps:
                assert layout.is_map(f.data), f"the result of strides {f.data.strides} is not channels-last"
        if gradients:
            rng = np.random.default_rng(seed + 1)
            us = [
                rng.standard_normal(f.shape).astype(f.dtype if f.dtype.kind == "f" else dtype) for f in found
            ]
            ours_grads = pull_back(found, ours, us, ms.grad)
            their_grads = pull_back(expected, tensors, [torch.tensor(u) for u in us], torch.autograd.grad)
            for number, (f, e) in enumerate(zip(ours_grads, their_grads, strict=True)):
                assert (f is None) == (e is None), f"{dtype} gradient {number}: {f} and {e}"
                if f is not None:
                    close(f.data, e.numpy(), f"{dtype} gradient {number}", tolerance)
        for number, (a, before) in enumerate(zip(arrays, given, strict=True)):
            np.testing.assert_array_equal(a, before, err_msg=f"argument {number} was changed")


def against_numpy(
    specs: Sequence[Any],
    call: Callable[..., Any],
    oracle: Callable[..., Any],
    *,
    dtypes: Sequence[str] = ("float64", "float32"),
    tolerance: float | None = None,
) -> None:
    """`call(library, *tensors)` gives what `oracle(*arrays)` gives, which knows nothing of this project."""
    for dtype in dtypes:
        arrays = draw(specs, dtype)
        found = as_list(call(OURS, *[ms.Tensor(a) for a in arrays]))
        for f, e in zip(found, as_list(oracle(*arrays)), strict=True):
            close(f.data, np.asarray(e, f.dtype), f"{dtype} value", tolerance)


def differentiable(specs: Sequence[Any], call: Callable[..., Any], order: int = 1, **options: Any) -> None:
    """gradcheck in float64, of first or second order."""
    arrays = draw(specs)
    report = ms.gradcheck(lambda *t: call(OURS, *t), arrays, order=order, name="case", **options)
    assert report.compared > 0


def gradients_agree(specs: Sequence[Any], call: Callable[..., Any]) -> None:
    """The gradient by a kernel is the one in operators, which is there to be differentiated again."""
    tensors = [ms.Tensor(a, True) for a in draw(specs)]
    for y in as_list(call(OURS, *tensors)):
        u = np.random.default_rng(6).standard_normal(y.shape)
        for f, s in zip(
            *(ms.grad(y, tensors, u, retain_graph=True, create_graph=c) for c in (False, True)), strict=True
        ):
            close(f.data, s.data, "the kernel's gradient against the operators'")


def same_in_every_layout(specs: Sequence[Any], call: Callable[..., Any], dtype: str = "float64") -> None:
    """Values and gradients do not depend on how the arguments lie in memory."""

    def run(kind: str) -> list[np.ndarray]:
        tensors = [ms.Tensor(lay_out(a, kind), a.dtype.kind == "f") for a in draw(specs, dtype)]
        outputs = as_list(call(OURS, *tensors))
        rng = np.random.default_rng(1)
        us = [np.asarray(rng.standard_normal(o.shape), dtype) for o in outputs]
        us = [lay_out(u, kind) if u.ndim else u for u in us]
        grads = pull_back(outputs, tensors, us, ms.grad)
        return [t.data for t in [*outputs, *grads] if t is not None]

    expected = run("contiguous")
    for kind in LAYOUTS:
        for f, e in zip(run(kind), expected, strict=True):
            close(f, e, kind)


def twin_agrees(function: Any, *arguments: Any) -> None:
    """A fused function and its twin: values, gradients, and gradients of gradients, for random cotangents."""
    rng = np.random.default_rng(5)

    def run(apply: Callable[..., Any]) -> list[np.ndarray]:
        tensors = [ms.Tensor(a.copy(), True) if _is_float(a) else a for a in arguments]
        wanted = [t for t, a in zip(tensors, arguments, strict=True) if _is_float(a)]
        outputs = [o for o in as_list(apply(*tensors)) if o.requires_grad]
        first = ms.grad(outputs, wanted, us, retain_graph=True)  # the fused gradient
        slow = ms.grad(outputs, wanted, us, create_graph=True)  # the twin's
        for f, s in zip(first, slow, strict=True):
            close(f.data, s.data, "fused gradient against twin's")
        second = pull_back(slow, wanted, vs, ms.grad)
        return [
            *(o.data for o in outputs),
            *(f.data for f in first),
            *(np.zeros(()) if s is None else s.data for s in second),
        ]

    given = [ms.Tensor(a, True) if _is_float(a) else a for a in arguments]
    us = [rng.standard_normal(o.shape) for o in as_list(function.twin(*given)) if o.requires_grad]
    vs = [rng.standard_normal(a.shape) for a in arguments if _is_float(a)]
    for f, t in zip(run(function.apply), run(function.twin), strict=True):
        close(f, t, "fused against twin")


def _is_float(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def refuses(
    error: type[Exception], words: str, call: Callable[[Any], Any], *, torch_too: bool = True
) -> None:
    """`call(library)` raises `error`, whose sentence holds all `words`; PyTorch refuses the same call."""
    with pytest.raises(error) as caught:
        call(OURS)
    missing = [word for word in words.split() if word not in str(caught.value)]
    assert not missing, f"the message does not say {missing}: {caught.value}"
    if torch_too:
        try:
            library = theirs()
        except pytest.skip.Exception:
            return
        with pytest.raises(Exception):  # noqa: B017  (PyTorch has many kinds of them)
            call(library)


def modules_agree(
    make: Callable[[Any], Any], *specs: Any, modes: Sequence[str] = ("train", "eval"), steps: int = 2
) -> Any:
    """`make(nn)` builds a module in both libraries.  PyTorch's state_dict is loaded into ours; then values,
    gradients of inputs and parameters, and buffers agree, in training and in evaluation; and PyTorch
    loads our state_dict back.
    """
    torch = theirs().modules[1]
    torch.manual_seed(0)
    expected, ours = make(torch.nn), make(ms.nn)
    with torch.no_grad():
        for number, p in enumerate(expected.parameters()):
            p.copy_(torch.tensor(draw([tuple(p.shape)], "float32", seed=number)[0] * 0.5))
    assert list(ours.state_dict()) == list(expected.state_dict())
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in expected.named_parameters()]
    ours.load_state_dict(expected.state_dict())
    for mode in modes:
        getattr(ours, mode)()
        getattr(expected, mode)()
        for step in range(steps):
            _compare_modules(ours, expected, draw(specs, "float32", seed=step), torch)
    for name, tensor in expected.state_dict().items():
        close(ours.state_dict()[name].data, tensor.numpy(), f"state {name}")
    expected.load_state_dict({k: torch.tensor(t.data) for k, t in ours.state_dict().items()})
    return ours


def _compare_modules(ours: Any, expected: Any, arrays: list[np.ndarray], torch: Any) -> None:
    xs = [ms.Tensor(a, a.dtype.kind == "f") for a in arrays]
    ts = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    found, wanted = _flat(ours(*xs)), _flat(expected(*ts))
    rng = np.random.default_rng(9)
    for f, e in zip(found, wanted, strict=True):
        close(f.data, e.detach().numpy(), "output")
    us = [rng.standard_normal(f.shape).astype(np.float32) for f in found]
    our_grads = pull_back(found, [*xs, *ours.parameters()], us, ms.grad)
    their_grads = pull_back(
        wanted, [*ts, *expected.parameters()], [torch.tensor(u) for u in us], torch.autograd.grad
    )
    for f, e in zip(our_grads, their_grads, strict=True):
        close(f.data, e.numpy(), "gradient")


def _flat(result: Any) -> list[Any]:
    return [t for part in result for t in _flat(part)] if isinstance(result, tuple) else [result]
