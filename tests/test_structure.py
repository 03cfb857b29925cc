"""The structure of the house: imports run one way, Numba enters by one door, the reading path stays short."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import minitorch_seg

PACKAGE = Path(minitorch_seg.__file__).parent
#: From first to last: a room may import from rooms of a smaller number only, and from itself.
ROOMS = {
    "errors": 0,
    "locks": 0,
    "kernels": 1,
    "autograd": 1,
    "ops": 2,
    "functional": 3,
    "profiling": 3,
    "examples": 4,
    "nn": 5,
    "optim": 5,
    "io": 6,
    "models": 6,
    "metrics": 6,
    "data": 6,
    "unsupervised": 7,
    "baselines": 8,
    "graph": 7,
    "plot": 8,
    "bench": 9,
    "train": 9,
    "learn": 10,
    "cli": 11,
}
READING_PATH = ["autograd", "ops", "kernels/reference", "kernels/cpu", "nn", "models/unet.py"]
#: Of one kind of model each: read with that model, not before.
GATES = {"ops/gru.py", "kernels/reference/gru.py", "kernels/reference/lstm.py"}
BESIDE_THE_PATH = {"ops/soft_ncut.py", "nn/transfer.py"} | GATES
FILES = sorted(PACKAGE.rglob("*.py"))


def imported_rooms(path):
    """(room, line, name) of every import of this package, wherever it stands in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            if node.module == "minitorch_seg":
                names = [f"minitorch_seg.{a.name}" for a in node.names]
            else:
                names = [node.module]
        elif isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "minitorch_seg" and len(parts) > 1 and parts[1] in ROOMS:
                yield parts[1], node.lineno, name


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_run_one_way(path):
    relative = path.relative_to(PACKAGE).as_posix()
    room = relative.split("/")[0].removesuffix(".py")
    if room in ("__init__", "__main__"):
        return
    assert room in ROOMS, f"{relative} stands in no known room"
    for other, line, name in imported_rooms(path):
        upwards = other != room and ROOMS[other] >= ROOMS[room] and not _siblings(room, other)
        assert not upwards, f"{relative}:{line} imports {name}"


def _siblings(room, other):
    return {room, other} <= {"io", "models", "metrics", "data"}


@pytest.mark.parametrize(
    "library, allowed",
    [
        ("numba", {f"kernels/{n}.py" for n in ("cache", "jit", "waiting", "fast/tile_ir", "cuda/driver")}),
        ("llvmlite", {"kernels/waiting.py", "kernels/fast/tile_ir.py"}),
    ],
)
def test_numba_enters_by_one_door(library, allowed):
    found = set()
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            if any(n.split(".")[0] == library for n in names):
                found.add(path.relative_to(PACKAGE).as_posix())
    assert found <= allowed


def test_import_loads_nothing_heavy():
    heavy = ["numba", "llvmlite", "matplotlib", "scipy", "skimage", "PIL", "torch", "safetensors"]
    code = f"import sys, minitorch_seg; print([m for m in {heavy!r} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def statements(path):
    """Lines of code as Python counts them: statements, however they are wrapped.

    Imports, docstrings and what only type checkers see are not counted.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    hidden = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    seen = [n for n in ast.walk(tree) if n not in hidden]
    uncounted = (ast.Import, ast.ImportFrom)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    found = [n for n in seen if isinstance(n, ast.stmt) and not isinstance(n, uncounted)]
    return len(found) - sum(isinstance(n, documented) and ast.get_docstring(n) is not None for n in seen)


def test_the_reading_path_stays_short():
    files = [
        f
        for part in READING_PATH
        for f in ((PACKAGE / part).rglob("*.py") if "." not in part else [PACKAGE / part])
    ]
    total = sum(statements(f) for f in files if f.relative_to(PACKAGE).as_posix() not in BESIDE_THE_PATH)
    # The design asks for about 4,000; the complete set of operators takes a tenth more, and layers with all
    # of PyTorch's constructors and refusals a little again (fifty classes in nn, 680 statements).
    assert total <= 4600, f"{total} lines of code to read in a weekend"


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_files_can_be_read_in_one_sitting(path):
    limit = 800 if path.parent.name == "lessons" else 500  # a lesson takes an hour, and is mostly prose
    assert path.read_text(encoding="utf-8").count("\n") <= limit
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), (
        "a file opens by saying what it is for"
    )


def test_everything_works_without_numba():
    code = """
import sys
sys.modules["numba"] = None
import minitorch_seg as ms
ms.manual_seed(0)
model = ms.models.UNet(1, 2, base_channels=2, depth=1)
optimizer = ms.optim.AdamW(model.parameters(), lr=0.01)
x, t = ms.rand(2, 1, 6, 5), (ms.rand(2, 6, 5) > 0.5).long()
losses = []
for _ in range(3):
    loss = ms.functional.cross_entropy(model(x), t)
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    losses.append(loss.item())
assert losses[2] < losses[0], losses
print(ms.kernels.dispatch.why("conv2d"))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "Numba cannot be used" in result.stdout
