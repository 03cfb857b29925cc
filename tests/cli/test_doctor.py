"""`minitorch-seg doctor --warm`: says what it compiles, and that nothing is to be compiled without Numba."""

from minitorch_seg.kernels import dispatch


def test_all_kernels_are_compiled_in_both_dtypes(cli):
    text = cli("doctor", "--warm").output
    assert "all kernels for float32: compiled" in text and "all kernels for float64: compiled" in text
    assert "not compiled" not in text


def test_reference_kernels_have_nothing_to_compile(cli):
    with dispatch.use("reference"):
        assert "nothing to compile: relu: kernels/reference" in cli("doctor", "--warm").output
