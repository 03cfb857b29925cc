"""`minitorch-seg show OP`: one page about an operator, from the live source.

Formula and derivation (the text of its file in ops/), forward and backward (its Function), the public
function, and each kernel that it calls: the reference (the formula in NumPy), the Numba loops, and with
--kernels the fast ones.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
from types import ModuleType
from typing import Any

import click

from minitorch_seg.errors import UserError, nearest_name

WIDTH = 100


@click.command()
@click.argument("operator", metavar="OP")
@click.option("--kernels", is_flag=True, help="Add the fast kernels, and the loops that kernels share.")
def command(operator: str, kernels: bool) -> None:
    """One page about OP: formula, forward, backward and kernels, from the live source.

    OP is a name from minitorch_seg.functional, a tensor operator (add, sum, reshape, ...), or `list`.
    """
    public = operators()
    if operator == "list":
        click.echo("\n".join(sorted(public)))
        return
    if operator not in public:
        raise UserError(f"there is no operator {operator!r} to show{nearest_name(operator, public)}")
    click.echo(page(operator, public[operator], kernels))


def operators() -> dict[str, Any]:
    """Every operator by name: functional's, and those of tensors."""
    import minitorch_seg as ms
    from minitorch_seg import functional
    from minitorch_seg.ops import reduction
    from minitorch_seg.ops.tensor_methods import METHODS, SIGNS

    found = {n: getattr(module, n) for module, names in METHODS.items() for n in names.split()}
    public = {n: getattr(ms, n) for n in ms.__all__}
    found |= {
        n: f for n, f in public.items() if getattr(f, "__module__", "").startswith("minitorch_seg.ops.")
    }
    found |= {"max": reduction.max, "min": reduction.min}
    found |= {"getitem": SIGNS["__getitem__"], "setitem": SIGNS["__setitem__"]}
    return found | {n: getattr(functional, n) for n in functional.__all__}


def page(name: str, function: Any, all_kernels: bool = False) -> str:
    """The page as text."""
    module = inspect.getmodule(inspect.unwrap(function))
    assert module is not None
    source = inspect.getsource(module)
    tree = ast.parse(source)
    defined = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    parts = [_title(f"{name}    ({_path(module)})"), inspect.cleandoc(module.__doc__ or "")]
    wanted = _reached(name, defined)
    for heading, kind in (("forward and backward", ast.ClassDef), ("functions", ast.FunctionDef)):
        pieces = [
            _segment(source, defined[n]) for n in defined if n in wanted and isinstance(defined[n], kind)
        ]
        if pieces:
            parts += [_title(heading), "\n\n".join(pieces)]
    text = "\n".join(_segment(source, defined[n]) for n in wanted)
    for kernel in sorted(set(re.findall(r'dispatch\.get\("(\w+)"\)', text))):
        for kernel_module in _kernels(kernel, all_kernels):
            title = _title(f"kernel    ({_path(kernel_module)})")
            parts += [title, inspect.getsource(kernel_module).strip()]
    return "\n\n".join(parts)


def _kernels(name: str, all_kernels: bool) -> list[ModuleType]:
    """The reference kernel and the Numba loops; with all_kernels the fast ones, and what a room shares."""
    found: dict[str, ModuleType] = {}
    for room in ("reference", "cpu", "fast") if all_kernels else ("reference", "cpu"):
        package = f"minitorch_seg.kernels.{room}"
        waiting = [f"{package}.{name}"]
        while waiting:
            path = waiting.pop(0)
            if path not in found and importlib.util.find_spec(path) is not None:
                found[path] = importlib.import_module(path)
                waiting += _imported_from(package, found[path]) if all_kernels else []
    return list(found.values())


def _imported_from(package: str, module: ModuleType) -> list[str]:
    """The modules of `package` that a module imports."""
    paths = []
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.ImportFrom) and node.module == package:
            paths += [f"{package}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{package}."):
            paths.append(str(node.module))
    return paths


def _reached(name: str, defined: dict[str, Any]) -> list[str]:
    """The names of this file that `name` leads to, in the file's order."""
    reached, waiting = set(), [name]
    while waiting:
        current = waiting.pop()
        if current in defined and current not in reached:
            reached.add(current)
            waiting += [n.id for n in ast.walk(defined[current]) if isinstance(n, ast.Name)]
    return [n for n in defined if n in reached]


def _segment(source: str, node: Any) -> str:
    first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
    return "\n".join(source.splitlines()[first - 1 : node.end_lineno])


def _path(module: ModuleType) -> str:
    return module.__name__.replace(".", "/") + ".py"


def _title(text: str) -> str:
    return f"── {text} " + "─" * max(WIDTH - len(text) - 4, 0)
