"""Devices by name, and what is said where there is no GPU."""

import pickle
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import DeviceError
from minitorch_seg.kernels import devices

no_gpu = pytest.mark.skipif(not devices.problem(), reason="there is a GPU, or a simulated one")


def test_names():
    assert devices.is_device("cuda:0") and devices.is_device("cpu") and not devices.is_device("float32")
    assert devices.checked("cuda:0") == "cuda"
    for name in ("tpu", "cuda:1", "cpu:x"):
        with pytest.raises(ValueError, match=r"use 'cpu' or 'cuda'"):
            devices.checked(name)


def test_the_cpu_moves_nothing():
    x = np.ones(3)
    assert devices.move(x, "cpu") is x and devices.move(x, "cpu:0") is x
    t = ms.tensor([1.0, 2.0], requires_grad=True)
    assert t.device == "cpu" and t.to("cpu") is t and t.cpu() is t
    assert ms.zeros(2, device="cpu").device == "cpu"


@no_gpu
@pytest.mark.parametrize(
    "call",
    [
        lambda: ms.tensor([1.0], device="cuda"),
        lambda: ms.tensor([1.0]).to("cuda"),
        lambda: ms.rand(3, device="cuda"),
        lambda: ms.nn.Linear(2, 3).to("cuda"),
    ],
)
def test_without_a_gpu_one_sentence_says_what_is_missing(call):
    with pytest.raises(DeviceError, match="device 'cuda' cannot be used: ") as error:
        call()
    assert "pip install" in str(error.value) or "driver" in str(error.value)
    assert "\n" not in str(error.value)


@no_gpu
def test_the_doctor_says_it_too():
    assert devices.describe() == [f"not available: {devices.problem()}"]


def test_without_numba_and_without_the_folder(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "minitorch_seg.kernels.cuda.driver", None)
        assert 'pip install "minitorch_seg[cuda]"' in devices.problem()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "minitorch_seg.kernels.cuda", None)
        assert "kernels/cuda was removed" in devices.problem()


class OnTheGPU:
    """What pickle writes for an array on a GPU."""

    def __reduce__(self):
        return devices.move, (np.ones(3), "cuda")


@no_gpu
def test_what_was_pickled_on_a_gpu_is_refused_elsewhere_in_the_same_sentence():
    with pytest.raises(DeviceError, match="device 'cuda' cannot be used: "):
        pickle.loads(pickle.dumps(OnTheGPU()))


def test_the_extra_brings_the_driver_s_library_and_the_compiler():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    (required,) = project["project"]["optional-dependencies"]["cuda"]
    assert required.startswith("numba-cuda[cu13]")


def test_nothing_of_cuda_is_imported_before_it_is_asked_for():
    code = (
        "import sys, minitorch_seg as ms; ms.nn.Linear(2, 2)(ms.ones(1, 2)).sum().backward(); "
        "print([m for m in sys.modules if m.startswith(('numba.cuda', 'minitorch_seg.kernels.cuda'))])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@no_gpu
@pytest.mark.parametrize("command", [["train"], ["evaluate", "RUN"], ["predict", "RUN", "IMAGE"]], ids=str)
def test_commands_say_it_in_one_sentence(command):
    from click.testing import CliRunner

    from minitorch_seg.cli import main

    result = CliRunner().invoke(main, [*command, "--device", "cuda"])
    assert result.exit_code == 2 and result.output == f"error: --device cuda: {devices.problem()}\n"
