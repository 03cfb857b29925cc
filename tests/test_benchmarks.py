"""benchmarks/: each study at toy size: results are checked, files are whole; nothing here is about speed."""

import importlib
import json

import pytest

from benchmarks import bench_patch_cnn, other_libraries, run
from minitorch_seg.bench import cases, libraries, measure, process

TOY = ["--shrink", "16", "--seconds", "0", "--threads", "2"]


@pytest.fixture
def here(monkeypatch):
    """Tasks run in this process; what is asked for is written down."""
    asked = []

    def fresh(task, arguments, threads=1, isa="native", **more):
        asked.append((task.split(":")[1], threads, isa, more))
        module, function = task.split(":")
        return json.loads(json.dumps(getattr(importlib.import_module(module), function)(**arguments)))

    monkeypatch.setattr(process, "fresh", fresh)
    monkeypatch.setattr(measure, "LEAST", 1)
    monkeypatch.setattr(measure, "SHORT", 0.0)
    return asked


@pytest.mark.slow
@pytest.mark.parametrize("study", run.STUDIES)
def test_each_study_checks_its_results_and_writes_its_files(study, here, tmp_path, capsys):
    out = tmp_path / "new" / "toy"
    code = run.main([study], [*TOY, "--isa", "avx2", "--out", str(out)])
    found = json.loads((tmp_path / "new" / "toy.json").read_text(encoding="utf-8"))
    failed = [(r["case"], r["contestant"], r["failed"]) for r in found["records"] if "failed" in r]
    others = {library.name for library in other_libraries.here()} - {"scipy"}
    assert [f for f in failed if f[1] not in others] == [] and code == int(bool(failed))
    assert (tmp_path / "new" / "toy.txt").read_text(encoding="utf-8").strip() in capsys.readouterr().out
    assert all((tmp_path / "new" / f"toy-{name}.png").stat().st_size > 5000 for name in ("bars", "roofline"))
    assert {isa for _, _, isa, _ in here} == {"avx2"} and {n for _, n, _, _ in here} == {1, 2}
    groups = {r["group"] for r in found["records"]}
    expected = {
        "conv2d": {"conv 3×3", "other convolutions"},
        "operators": {"operators"},
        "unet": {
            *(g for g in cases.GROUPS if "layers" in g),
            "step",
            "image side",
            "batch",
            "memory",
            "start",
        },
    }
    assert groups == expected[study]
    if study == "unet":
        assert ("steps", 2, "avx2", {"OMP_WAIT_POLICY": "passive"}) in here
        assert sum("NUMBA_CACHE_DIR" in more for *_, more in here) == 2


@pytest.mark.parametrize("library", other_libraries.here(), ids=lambda library: library.name)
def test_other_libraries_compute_the_same(library):
    taken = 0
    for case in (
        cases.convolution(3, 4, 7, batch=2),
        cases.convolution(4, 6, 8, kernel=2, stride=2, batch=2),
        cases.convolution(4, 4, 9, dilation=2, groups=2, batch=1),
    ):
        if library.takes(case):
            (record,) = measure.measure(case, [library], 0.0)
            assert "no usable devices" in record.get("failed", "") or max(record["errors"].values()) < 1e-5
            taken += 1
    assert taken, "it takes part somewhere"


def test_a_mistake_in_another_library_is_found(monkeypatch):
    library = next(library for library in other_libraries.here() if library.name == "scipy")
    right = library._prepare
    monkeypatch.setattr(
        library, "_prepare", lambda *a: lambda: [right(*a)()[0], *[2 * r for r in right(*a)()[1:]]]
    )
    case = cases.convolution(3, 4, 7, batch=1)
    ours, scipy = measure.measure(case, [libraries.Ours(), library], 0.0)
    assert "failed" not in ours and "wrong result" in scipy["failed"]


def test_the_gpu_benchmark_says_what_is_missing(capsys):
    from benchmarks import gpu
    from minitorch_seg.kernels import cuda

    if not cuda.problem():
        pytest.skip("there is a GPU: tests/gpu runs it")
    assert gpu.main([]) == 2
    assert "needs an NVIDIA GPU" in capsys.readouterr().err


def test_the_four_ways_of_patch_cnn_agree(capsys):
    words = ["--size=26", "--image=12", "--base=2", "--hidden=8", "--patches=9", "--turns=1"]
    assert bench_patch_cnn.main(words) == 0
    printed = capsys.readouterr().out
    assert "patches of 26, image 12 × 12" in printed
    assert all(name in printed for name in ("one patch", "64 patches", "convolution", "Fourier"))
    assert bench_patch_cnn.main([*words, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["error of Fourier"] < 1e-5 and len(result["seconds"]) == 4
