"""The list of kernels: names, modules, and the estimate on paper that stands beside each."""

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest

pytest.importorskip("numba")
pytest.importorskip("minitorch_seg.kernels.cuda", reason="without kernels/cuda")

from minitorch_seg.kernels import cuda
from minitorch_seg.kernels.cuda import catalogue, elementwise

MODULES = sorted(module.name for module in pkgutil.iter_modules(cuda.__path__))


def test_names_are_unique_and_the_signature_has_one_type_for_each_argument():
    for name in MODULES:
        kernels = list(getattr(importlib.import_module(f"{cuda.__name__}.{name}"), "variants", lambda: [])())
        assert len({kernel.name for kernel in kernels}) == len(kernels) or name == "catalogue"
        for kernel in kernels:
            assert len(kernel.signature) == kernel.function.__code__.co_argcount, kernel.name


def _of_kernels():
    """The files that hold a kernel; those made from a text are elementwise.py's."""
    places = {kernel.function.__code__.co_filename for kernel in catalogue.variants()}
    return sorted({Path(elementwise.__file__ if p.startswith("<") else p) for p in places})


@pytest.mark.parametrize("path", _of_kernels(), ids=lambda path: path.stem)
def test_operations_bytes_and_the_limit_on_two_gpus_are_written_down(path):
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    for word in ("H100", "laptop", "byte", "limit"):
        assert word in text.replace("Limit", "limit"), f"{path.name} says nothing of: {word}"
    assert "operation" in text or "flops" in text


@pytest.mark.parametrize("name", MODULES)
def test_kernels_are_listed(name):
    """A module that makes a Kernel lists it, or it would be proved by no test."""
    module = importlib.import_module(f"{cuda.__name__}.{name}")
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    made = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "Kernel"]
    assert not made or hasattr(module, "variants")
