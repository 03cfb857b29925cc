"""Which module computes an operator, why, and what happens without Numba."""

import subprocess
import sys

import pytest

from minitorch_seg.errors import UserError
from minitorch_seg.kernels import dispatch
from tests.kernels.helpers import calls


def run(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout


def test_every_operator_is_called_in_these_tests():
    assert dispatch.operators() == sorted(calls())


def test_numba_is_chosen_unless_the_reference_is_asked_for():
    assert dispatch.get("conv2d").__name__.endswith("kernels.fast.conv2d")
    with dispatch.use("reference"):
        assert dispatch.get("conv2d").__name__.endswith("kernels.reference.conv2d")
        assert "were chosen" in dispatch.explain("conv2d")
        with dispatch.use("cpu"):
            assert dispatch.get("conv2d").__name__.endswith("kernels.cpu.conv2d")
        assert dispatch.get("conv2d").__name__.endswith("kernels.reference.conv2d")
    assert dispatch.explain("conv2d").startswith("conv2d: kernels/fast/conv2d.py, because")
    assert dispatch.explain("softmax") == "softmax: kernels/cpu/softmax.py, because Numba is installed."
    assert dispatch.explain("rnn") == "rnn: kernels/reference/rnn.py, because there is no faster one."


def test_the_choice_is_undone_after_an_error():
    with pytest.raises(RuntimeError), dispatch.use("reference"):
        raise RuntimeError
    assert dispatch.get("softmax").__name__.endswith("kernels.cpu.softmax")


def test_wrong_names_are_named():
    with pytest.raises(UserError, match=r"unknown kernels 'gpu': choose one of 'auto', 'cpu', 'reference'"):
        dispatch.set_kernels("gpu")
    with pytest.raises(UserError, match=r"no kernel named 'conv3d'"):
        dispatch.get("conv3d")


def test_without_numba_the_reference_computes_everything():
    out = run(
        "import sys; sys.modules['numba'] = None\n"
        "from minitorch_seg.kernels import dispatch\n"
        "assert all('reference' in dispatch.get(o).__name__ for o in dispatch.operators())\n"
        "try: dispatch.set_kernels('cpu')\n"
        "except Exception as error: print(error)\n"
        "print(dispatch.explain('conv2d'))"
    )
    assert "need Numba" in out and "Numba cannot be used" in out


def test_dispatch_and_layout_import_neither_numba_nor_scipy():
    out = run(
        "import sys\nfrom minitorch_seg.kernels import dispatch, layout, parallel, sizes\n"
        "print([m for m in ('numba', 'scipy', 'skimage', 'matplotlib') if m in sys.modules])"
    )
    assert out.strip() == "[]"
