"""Which module computes an operator, why, and what happens without Numba."""

import subprocess
import sys

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg import functional as F
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
        assert "were chosen" in dispatch.why("conv2d")
        with dispatch.use("cpu"):
            assert dispatch.get("conv2d").__name__.endswith("kernels.cpu.conv2d")
        assert dispatch.get("conv2d").__name__.endswith("kernels.reference.conv2d")
    assert dispatch.why("conv2d").startswith("conv2d: kernels/fast/conv2d.py, because")
    assert dispatch.why("relu") == "relu: kernels/cpu/relu.py, because Numba is installed."
    with dispatch.use("cpu"):
        assert dispatch.why("rnn") == "rnn: kernels/reference/rnn.py, because there is no faster one."


def test_the_choice_is_undone_after_an_error():
    with pytest.raises(RuntimeError), dispatch.use("reference"):
        raise RuntimeError
    assert dispatch.get("softmax").__name__.endswith("kernels.fast.softmax")


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
        "print(dispatch.why('conv2d'))"
    )
    assert "need Numba" in out and "Numba cannot be used" in out


def test_dispatch_and_layout_import_neither_numba_nor_scipy():
    out = run(
        "import sys\nfrom minitorch_seg.kernels import dispatch, layout, parallel, sizes\n"
        "print([m for m in ('numba', 'scipy', 'skimage', 'matplotlib') if m in sys.modules])"
    )
    assert out.strip() == "[]"


def test_explain_says_which_file_and_algorithm_served_which_shapes_and_why():
    rng = np.random.default_rng(0)
    x, w = (ms.tensor(rng.random(s), requires_grad=True) for s in ((2, 16, 8, 8), (16, 16, 3, 3)))
    with ms.kernels.explain() as calls:
        y = F.max_pool2d(F.conv2d(x, w, padding=1), 2)
        y.sum().backward()
    assert [c.function for c in calls] == [
        "conv2d", "max_pool2d", "max_pool2d_gradient", "conv_transpose2d", "conv2d_weight_gradient"
    ]  # fmt: skip
    convolutions = [c for c in calls if "conv" in c.function]
    assert {c.algorithm for c in convolutions} == {"winograd"}
    assert calls[0].shapes == ((2, 16, 8, 8), (16, 16, 3, 3)) and calls[0].dtype == "float64"
    assert str(calls[0]).startswith(
        "conv2d 2×16×8×8 16×16×3×3 float64: kernels/fast/conv2d.py, winograd, because"
    )
    assert calls[1].algorithm == ""
    F.conv2d(x, w)
    assert len(calls) == 5, "it listens within the with statement only"


def test_explain_counts_equal_calls_and_lets_errors_through():
    x = ms.ones(2, 3)
    with pytest.raises(ms.ShapeError), ms.kernels.explain():
        F.conv2d(x, x)
    with dispatch.use("reference"), ms.kernels.explain() as calls:
        F.relu(F.relu(x))
        F.relu(ms.ones(1, 2))
    assert str(calls).splitlines() == [
        "relu 2×3 float32: kernels/reference/relu.py, because reference kernels were chosen (2 calls)",
        "relu 1×2 float32: kernels/reference/relu.py, because reference kernels were chosen",
    ]
