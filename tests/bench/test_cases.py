"""The cases: every operator has some, shapes and counts of operations are right, weights are seeded."""

import numpy as np
import pytest

from minitorch_seg.bench import cases
from minitorch_seg.bench.libraries import Ours
from minitorch_seg.bench.measure import exactly


def test_a_convolution_knows_its_operations_and_its_name():
    case = cases.convolution(4, 6, 9, kernel=3, stride=2, batch=2)
    assert case.name == "3×3 stride 2 4→6 @9"
    exact = exactly(case, "float32")
    assert exact["y"].shape == (2, 6, 5, 5) and list(exact) == ["y", "x", "weight", "bias"]
    assert case.flops == 3 * 2 * exact["y"].size * 4 * 9
    first = cases.convolution(3, 6, 9, fixed=("x",), bias=False)
    assert list(exactly(first, "float32")) == ["y", "weight"] and first.flops == 2 * 2 * 8 * 6 * 81 * 3 * 9


@pytest.mark.parametrize("group", cases.GROUPS)
def test_every_case_runs_and_names_are_unique(group):
    found = cases.GROUPS[group](16)
    for case in found:
        exact = exactly(case, "float32")
        wanted = [name for name in case.inputs if name not in case.fixed]
        assert list(exact) == ["y", *wanted]
        for name in wanted:
            assert exact[name].shape == case.inputs[name] and np.abs(exact[name]).max() > 0
    full = [(case.operator, case.name) for case in cases.GROUPS[group](1)]
    assert len(full) == len(set(full))


def test_the_layers_are_those_of_the_model():
    import minitorch_seg as ms

    with ms.kernels.explain() as calls:
        model = ms.models.UNet(3, 3, 4, 3)
        model(ms.zeros(1, 3, 16, 16))
    called = {c.shapes[:2] for c in calls if c.function in ("conv2d", "conv_transpose2d")}
    layers = {tuple(case.inputs.values())[:2] for case in cases.unet_layers(4, side=16, batch=1)}
    assert layers == called


def test_numbers_are_the_same_in_every_process():
    case = cases.convolutions_3x3(16)[0]
    for name, array in case.arrays("float32")[0].items():
        np.testing.assert_array_equal(array, case.arrays("float32")[0][name])
        assert array.dtype == "float32"


def test_operators_lists_every_operator_with_its_groups():
    found = cases.operators()
    assert found["conv2d"] == ["conv 3×3", "other convolutions"] and found["rnn"] == ["operators"]


def test_algorithms_take_part_only_where_they_differ():
    square, wide = cases.convolution(8, 8, 8), cases.convolution(8, 8, 8, kernel=7)
    pool = next(case for case in cases.other_operators(16) if case.operator == "max_pool2d")
    assert Ours("winograd").takes(square) and not Ours("winograd").takes(wide)
    assert Ours("direct").takes(wide) and not Ours("direct").takes(pool) and Ours("plain").takes(pool)
