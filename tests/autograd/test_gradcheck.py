"""The checker is checked: it must pass what is right and catch, and locate, what is wrong."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.examples import examples

RNG = np.random.default_rng(5)


@pytest.mark.parametrize("example", examples(), ids=lambda e: e.operator)
def test_every_operator(example):
    report = ms.gradcheck(
        example.call, example.arrays, order=2 if example.smooth else 1, name=example.operator
    )
    assert report.compared > 0 and report.max_error < 1e-6


def test_every_public_operator_has_an_example():
    from minitorch_seg import functional
    from minitorch_seg.ops.tensor_methods import METHODS

    without_derivative = set(METHODS[next(m for m in METHODS if m.__name__.endswith("comparison"))].split())
    without_derivative |= {
        "argmax",
        "argmin",
        "sum_to_size",
        "expand",
    }  # the last two are broadcast_to and its adjoint
    named = set(functional.__all__) | {n for names in METHODS.values() for n in names.split()}
    assert named - without_derivative - {e.operator for e in examples()} == set()


def wrong(factor=1.0, change=None):
    """y = x² whose backward is mistaken."""

    class Square(ms.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.data * x.data

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            right = 2 * x * grad * factor
            return change(right) if change else right

    return Square.apply


@pytest.mark.parametrize("size", [(3, 4), (40, 60)], ids=["Jacobian", "directions"])
@pytest.mark.parametrize(
    "fn",
    [
        wrong(1.001), wrong(-1), wrong(0), wrong(change=lambda g: g.flip(0)),
        wrong(change=lambda g: g.roll(1, 1)), wrong(change=lambda g: g - g.mean()),
    ],
    ids=["0.1 % off", "sign", "zero", "flipped", "shifted", "mean lost"],
)  # fmt: skip
def test_mistakes_are_caught(fn, size):
    with pytest.raises(ms.GradcheckError, match="Square: "):
        ms.gradcheck(fn, RNG.standard_normal(size))


def test_one_wrong_entry_of_a_large_gradient_is_caught_and_located():
    def spoil(g):
        mask = np.ones(g.shape)
        mask[1, 5] = 1.5
        return g * ms.from_numpy(mask)

    x = RNG.standard_normal((4, 50)) + 3
    with pytest.raises(ms.GradcheckError, match=r"argument 0\[1, 5\]"):
        ms.gradcheck(wrong(change=spoil), x)


def test_the_message_names_operator_argument_index_values_and_steps():
    with pytest.raises(ms.GradcheckError) as caught:
        ms.gradcheck(
            lambda a, b: a + wrong(2.0)(b), [np.array([1.0]), np.array([[3.0]])], name="sum of squares"
        )
    text = str(caught.value)
    assert "sum of squares: d output[0, 0] / d argument 1[0, 0] is 6 by central differences" in text
    assert "backward says 12" in text and "twice too large" in text and text.count("step 1e-") == 4


def test_a_wrong_second_derivative_is_caught():
    class Cube(ms.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.data**3

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return grad * ms.from_numpy(3 * x.data**2)  # right, but cut off from the graph

    assert ms.gradcheck(Cube.apply, RNG.standard_normal(3))
    with pytest.raises(ms.GradcheckError, match="gradient of Cube"):
        ms.gradcheck(Cube.apply, RNG.standard_normal(3), order=2)


def test_kinks_are_reported_and_stepped_aside_from():
    report = ms.gradcheck(lambda x: x.relu(), np.array([0.0, 1.0, -1.0]))
    assert len(report.kinks) == 1 and "argument 0[0]" in report.kinks[0] and "kink" in str(report)
    report = ms.gradcheck(lambda x: x.amax(), np.zeros((30, 60)))
    assert report.kinks


def test_a_kink_near_the_point_is_not_mistaken_for_an_error():
    assert not ms.gradcheck(lambda x: x.relu(), np.array([3e-6, -3e-6, 1.0])).kinks


def test_a_mistake_at_a_smooth_point_is_no_kink():
    with pytest.raises(ms.GradcheckError, match="is 6 by central differences"):
        ms.gradcheck(wrong(0.5), np.array([3.0]))


def test_inputs_changed_in_place_are_noticed():
    def careless(x):
        x.data += 1e-3
        return x * x

    with pytest.raises(ms.GradcheckError, match=r"in place|another result"):
        ms.gradcheck(careless, np.array([1.0, 2.0]))


def test_random_and_infinite_functions_are_refused():
    with pytest.raises(ms.GradcheckError, match="another result"):
        ms.gradcheck(lambda x: ms.functional.dropout(x, 0.5), np.ones(50))
    with pytest.raises(ms.GradcheckError, match="not finite"):
        ms.gradcheck(lambda x: x.log(), np.zeros(2))
    with pytest.raises(ms.GradcheckError, match="float32"):
        ms.gradcheck(lambda x: x.float(), np.ones(2))


def test_your_arrays_are_not_touched_and_float32_is_checked_as_float64():
    x = np.ones(3, np.float32)
    assert ms.gradcheck(lambda t: t * t, x)
    assert x.dtype == np.float32 and x.tolist() == [1, 1, 1]


def test_integer_inputs_and_marked_constants_are_left_alone():
    index = np.array([0, 2])
    assert ms.gradcheck(lambda x, i: x[i], [RNG.standard_normal(3), index])
    constant = ms.tensor(RNG.standard_normal(3))
    x = ms.tensor(RNG.standard_normal(3), requires_grad=True)
    assert ms.gradcheck(lambda a, b: a * b.detach(), [x, constant])
