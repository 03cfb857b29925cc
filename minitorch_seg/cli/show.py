"""`minitorch-seg show OP`: one page about an operator, from the live source.

Formula and derivation (the text of its file in ops/), forward and backward (its Function), the public
function, and each kernel that it calls: the reference (the formula in NumPy), the Numba loops, and with
--kernels the fast ones and those for GPUs.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
import textwrap
from types import ModuleType
from typing import Any

import click

from minitorch_seg.errors import UserError, nearest_name

WIDTH = 100
PLUMBING = ("arguments", "cast", "typed")
NO_KERNELS = ("array", "driver")  # what all of kernels/cuda stands on: a page of an operator leaves it out


@click.command()
@click.argument("operator", metavar="OP")
@click.option("--kernels", is_flag=True, help="Add the fast kernels, the GPU's, and what they share.")
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
    defined = _definitions(ast.parse(source))
    wanted = _reached(name, defined)
    parts = [_title(f"{name}    ({_path(module)})"), inspect.cleandoc(module.__doc__ or "")]
    for heading, names in _sections(name, wanted, defined):
        if names:
            parts += [_title(heading), "\n\n".join(_segment(source, defined[n]) for n in names)]
    text = "\n".join(_segment(source, defined[n]) for n in wanted)
    elsewhere = _from_other_files(defined, wanted, ast.parse(source))
    if elsewhere:
        parts.append(textwrap.fill(f"It calls, from other files: {elsewhere}.", WIDTH))
    for kernel in sorted(set(re.findall(r'dispatch\.get\("(\w+)"[,)]', text))):
        for kernel_module in _kernels(kernel, all_kernels):
            title = _title(f"kernel    ({_path(kernel_module)})")
            parts += [title, inspect.getsource(kernel_module).strip()]
    return "\n\n".join(parts)


def _definitions(tree: ast.Module) -> dict[str, Any]:
    """What a file defines: functions, classes, and names that are assigned (`eq = _compare(...)`)."""
    found: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name):
                found[target.id] = node
    return found


def _sections(name: str, wanted: list[str], defined: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """The parts of a page, each with the names that it prints."""
    classes = [n for n in wanted if isinstance(defined[n], ast.ClassDef)]
    twins = [n for n in wanted if n.endswith("_composed")]
    rest = [n for n in wanted if n not in (*classes, *twins, name)]
    return [
        ("the function", [name] if name in wanted else []),
        ("forward and backward", classes),
        ("the same, composed of simpler operators", twins),
        ("what it uses in this file", rest),
    ]


def _from_other_files(defined: dict[str, Any], wanted: list[str], tree: ast.Module) -> str:
    """What these definitions call from other operators' files, but for conversions and checks."""
    used = {n.id for w in wanted for n in ast.walk(defined[w]) if isinstance(n, ast.Name)}
    found = []
    for node in tree.body:
        *room, file = str(getattr(node, "module", "")).split(".")
        if isinstance(node, ast.ImportFrom) and room[-1:] == ["ops"] and file not in PLUMBING:
            names = [alias.name for alias in node.names if alias.name in used]
            found += [f"{', '.join(names)} (ops/{file}.py)"] if names else []
    return "; ".join(found)


def _kernels(name: str, all_kernels: bool) -> list[ModuleType]:
    """The reference kernel and the Numba loops; with all_kernels the fast and the GPU's, what rooms share."""
    found: dict[str, ModuleType] = {}
    for room in ("reference", "cpu", "fast", "cuda") if all_kernels else ("reference", "cpu"):
        package = f"minitorch_seg.kernels.{room}"
        waiting = [f"{package}.{name}"]
        while waiting:
            path = waiting.pop(0)
            if path not in found and importlib.util.find_spec(path) is not None:
                found[path] = importlib.import_module(path)
                shared = _imported_from(package, found[path]) if all_kernels else []
                waiting += [p for p in shared if p.rpartition(".")[2] not in NO_KERNELS]
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
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
    return "\n".join(source.splitlines()[first - 1 : node.end_lineno])


def _path(module: ModuleType) -> str:
    return module.__name__.replace(".", "/") + ".py"


def _title(text: str) -> str:
    return f"── {text} " + "─" * max(WIDTH - len(text) - 4, 0)
