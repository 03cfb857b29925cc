"""The wheel: everything that runs is in it, nothing else is, and it works away from the source tree."""

import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import minitorch_seg

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    words = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    result = subprocess.run(words, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    (path,) = out.glob("*.whl")
    return path


def names(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_every_file_of_the_package_is_in_the_wheel_and_no_other(wheel):
    package = ROOT / "minitorch_seg"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "minitorch_seg"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode == 0:
        expected = {name for name in listed.stdout.splitlines() if (ROOT / name).exists()}
    else:  # an unpacked source archive has no git
        expected = {
            path.relative_to(ROOT).as_posix()
            for path in package.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
    assert {name for name in names(wheel) if not name.split("/")[0].endswith(".dist-info")} == expected
    assert "minitorch_seg/data/coins_outlines.txt" in expected


def test_no_picture_is_committed_but_ours():
    """Of the registered sets nothing is: pictures are those of coins, and plots of numbers."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("an unpacked source archive has no git")
    kinds = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg", ".tif", ".npy", ".npz", ".nii.gz", ".ipynb")
    found = {name for name in listed.stdout.splitlines() if name.lower().endswith(kinds)}
    plots = {name for name in found if name.startswith(("benchmarks/results/", "docs/segmentation-"))}
    assert found - plots == {"docs/coins.png"}


def test_the_wheel_is_small_and_says_who_may_use_it(wheel):
    assert wheel.stat().st_size < 4 * 2**20
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [name for name in archive.namelist() if name.endswith("METADATA")]
        fields = Parser().parsestr(archive.read(metadata).decode())
        (licence,) = [name for name in archive.namelist() if name.endswith("licenses/LICENSE")]
        assert "MIT License" in archive.read(licence).decode()
    assert fields["License-Expression"] == "MIT"
    assert fields["Version"] == minitorch_seg.__version__


def test_the_wheel_works_away_from_the_source(wheel, tmp_path):
    """Only the unpacked wheel is on the path; the libraries are those of this environment."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = (
        "import minitorch_seg as ms; print(ms.__file__);"
        "print(len(ms.data.load('coins').train), len(ms.data.load('textures').test));"
        "from minitorch_seg.cli import main; main(['--help'])"
    )
    result = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); {code}"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(str(tmp_path / "site"))
    assert "Commands:" in result.stdout


def test_each_runtime_dependency_is_imported_and_nothing_else_is():
    """What the package imports anywhere is the standard library, itself, or a declared dependency."""
    import ast

    behind = {"skimage": "scikit-image", "scipy": "scikit-image", "PIL": "scikit-image", "llvmlite": "numba"}
    declared = {line.split(">")[0] for line in PROJECT["dependencies"]}
    used = set()
    for path in (ROOT / "minitorch_seg").rglob("*.py"):
        if path.parent.name == "lessons":  # notebooks, for which there is an extra
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            used |= {module.split(".")[0] for module in modules}
    outside = {name for name in used if name not in sys.stdlib_module_names and name != "minitorch_seg"}
    assert {behind.get(name, name) for name in outside} == declared


def test_dependencies_are_floors_not_pins():
    for line in PROJECT["dependencies"]:
        assert ">=" in line and "<" not in line and "==" not in line, line


def readme_commands():
    """The words of every `minitorch-seg ...` that README.md prints in a shell block."""
    import re

    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    lines = [part.strip() for block in blocks for line in block.splitlines() for part in line.split("&&")]
    return [line.split("#")[0].split() for line in lines if line.split("/")[-1].startswith("minitorch-seg")]


@pytest.mark.parametrize("words", readme_commands(), ids=" ".join)
def test_commands_in_the_readme_exist_with_their_options(words):
    from click import Context

    from minitorch_seg.cli import main

    command = main.get_command(Context(main), words[1])
    assert command is not None
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_python_in_the_readme_runs(monkeypatch, capsys):
    import re

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    short = code.replace("epochs=5", "steps=2").replace("num_classes=2", "num_classes=2, base_channels=2")
    assert short.count("steps=2") == 1 and "base_channels" in short
    exec(compile(short, "README.md", "exec"), {})
    assert 0 <= float(capsys.readouterr().out.strip("[]\n ")) <= 1
