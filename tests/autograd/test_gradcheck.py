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
        "floor_divide",
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


def message_of(fn, inputs, **options):
    with pytest.raises(ms.GradcheckError) as caught:
        ms.gradcheck(fn, inputs, **options)
    return str(caught.value)


def test_the_whole_message_of_a_wrong_entry():
    lines = message_of(wrong(2.0), np.array([3.0]), name="square").splitlines()
    assert (
        lines[0] == "square: d output[0] / d argument 0[0] is 6 by central differences, but backward says 12"
    )
    assert lines[1] == "  the argument's value there: 3"
    for line, step in zip(lines[2:6], ("1e-06", "1e-05", "1e-04", "1e-03"), strict=True):
        start, numeric, difference = line.replace(",", ":").split(":")[:3]
        assert start == f"  step {step}"
        assert float(numeric.removeprefix(" numeric ")) == pytest.approx(6, abs=1e-6)
        assert float(difference.removeprefix(" difference ")) == pytest.approx(6, abs=1e-2)
    assert lines[6:] == ["  twice too large"]


@pytest.mark.parametrize(
    "factor, hint",
    [
        (-1, "the sign is turned"),
        (2, "twice too large"),
        (0.5, "half as large as it should be"),
        (0, "the analytic gradient is zero: was a term forgotten, or the graph cut?"),
        (3, None),
        (1.5, None),
    ],
)
def test_the_message_guesses_the_cause(factor, hint):
    last = message_of(wrong(factor), np.array([3.0])).splitlines()[-1].strip()
    assert last == hint if hint else last.startswith("step 1e-03")


def test_a_gradient_where_there_is_none_gets_no_guess():
    text = message_of(lambda x: wrong()(x) - x.detach() * x.detach(), np.array([3.0]))
    assert "is 0 by central differences" in text.replace("-0 by", "0 by") and "backward says 6" in text
    assert text.splitlines()[-1].startswith("  step 1e-03")


def test_the_output_is_numbered_where_there_are_several():
    text = message_of(lambda x: (x * 1, x.sum(), wrong(2.0)(x)), np.array([1.0, 3.0]))
    assert "function: d output 2[0] / d argument 0[0] is 2 " in text
    text = message_of(lambda x: (x * 1, wrong(2.0)(x).sum()), np.array([1.0, 3.0]))
    assert "d output 1[] / d argument 0[0] is 2 " in text
    text = message_of(lambda x: wrong(change=lambda g: g * ms.tensor([1.0, 2.0]))(x), np.array([1.0, 3.0]))
    assert "d output[1] / d argument 0[1] is 6 " in text


def test_a_mistake_along_directions_is_located_with_its_value():
    def spoil(g):
        mask = np.ones(g.shape)
        mask[2, 7] = -1
        return g * ms.from_numpy(mask)

    x = np.arange(40.0).reshape(4, 10) + 1
    text = message_of(wrong(change=spoil), x, max_jacobian=0)
    assert "d <u, output> / d argument 0[2, 7] for a random cotangent u is" in text
    assert "the argument's value there: 28" in text and "the sign is turned" in text
    # where no single entry is wrong enough, the direction itself is reported
    x, options = np.array([1.0, 2.0]), {"max_jacobian": 0, "atol": 1.2, "rtol": 0.0, "directions": 30}
    text = message_of(wrong(change=lambda g: g + 1.0), x, **options)
    assert "<u, J v> for argument 0, random u and v is" in text and "value there" not in text


def test_the_name_of_a_function():
    class Block(ms.nn.Module):
        def forward(self, x):
            return x * x

    def named(x):
        return x * x

    assert str(ms.gradcheck(lambda x: x * x, np.ones(1))).startswith("function: ")
    assert ms.gradcheck(named, np.ones(1)).name == "named"
    assert ms.gradcheck(Block(), np.ones(1)).name == "Block"
    assert ms.gradcheck(wrong(), np.ones(1)).name == "Square"
    assert ms.gradcheck(named, np.ones(1), name="mine").name == "mine"


def test_the_report_counts_and_measures():
    x = np.array([1.0, 2.0, 3.0])
    report = ms.gradcheck(lambda t: t * t, x, directions=4)
    assert report.compared == 9 + 4 and report.kinks == [] and "kink" not in str(report) and report
    assert ms.gradcheck(lambda t: t * t, x, max_jacobian=8, directions=4).compared == 4
    assert ms.gradcheck(lambda t: t * t, x, max_jacobian=9, directions=0).compared == 9
    second = ms.gradcheck(lambda t: t * t, x, directions=4, order=2)  # and Jᵀ(x) u, of x and of u
    assert second.compared == 9 + 4 + 3 * 6 + 2 * 4
    third = ms.gradcheck(lambda t: t * t, x, directions=0, order=3)
    assert third.compared == 9 + 3 * 6 + 6 * 9
    # the error is relative: |a − n| / (1 + |n|), here 10⁻⁴ · 20 / 21
    loose = ms.gradcheck(wrong(1.0001), np.array([10.0]), rtol=1e-3)
    assert loose.max_error == pytest.approx(1e-4 * 20 / 21, rel=1e-3)
    assert "largest error 9.5e-05" in str(loose)


def test_tolerances_are_absolute_and_relative():
    x = np.array([10.0])  # slope 20, wrong by 0.02
    for options in ({"rtol": 2e-3, "atol": 0.0}, {"rtol": 0.0, "atol": 0.03}):
        assert ms.gradcheck(wrong(1.001), x, **options)
    for options in ({"rtol": 5e-4, "atol": 0.0}, {"rtol": 0.0, "atol": 0.01}):
        message_of(wrong(1.001), x, **options)


def test_the_seed_chooses_directions_and_the_second_order_sees_the_options():
    errors = {ms.gradcheck(lambda t: t.exp(), np.ones(3), max_jacobian=0, seed=s).max_error for s in range(3)}
    assert len(errors) == 3
    again = [ms.gradcheck(lambda t: t.exp(), np.ones(3), order=2, seed=5).max_error for _ in range(2)]
    assert again[0] == again[1]
    for options in ({"rtol": 0.0, "atol": 0.5}, {"rtol": 0.5, "atol": 0.0}):

        class Cube(ms.Function):  # its second derivative is lost by a fifth
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x.data**3

            @staticmethod
            def backward(ctx, grad):
                (x,) = ctx.saved_tensors
                lost = 0.2 * 3 * x * x
                return grad * (3 * x * x - lost + lost.detach())

        x = np.array([0.3])
        assert ms.gradcheck(Cube.apply, x, order=2, **options)
        with pytest.raises(ms.GradcheckError, match="gradient of Cube"):
            ms.gradcheck(Cube.apply, x, order=2)


def test_second_order_where_a_gradient_does_not_exist_or_is_constant():
    assert ms.gradcheck(lambda a, b: a * 3, [np.ones(2), np.ones((2, 1))], order=2)
    assert ms.gradcheck(lambda a: (a * a, ms.from_numpy(np.ones(2))), np.ones(2), order=2)
    report = ms.gradcheck(lambda x: x.relu() * x, np.array([0.0, 1.0]), order=2)
    assert report.kinks and "gradient of" not in report.name  # the kink of the slope, found one order later


def test_a_kink_everywhere_is_given_up():
    points = [0.0]

    def kinked_where_it_is_asked(x):
        if x.requires_grad:
            points.append(x.item())
        return (x - points[-1]).relu()

    text = message_of(kinked_where_it_is_asked, np.array([1.0]))
    assert "every point tried is a kink, last: argument 0[0]: left and right derivative differ" in text
    assert len(points) == 6  # five of them


def test_stepping_aside_is_small_and_touches_what_is_checked_only():
    seen = []

    def fn(x, y):
        seen.append((x.data.copy(), y.data.copy()))
        return x.relu() + y

    report = ms.gradcheck(fn, [np.array([0.0, 100.0, -100.0]), ms.from_numpy(np.ones(3))])
    x, y = seen[-1]
    assert len(report.kinks) == 1
    assert 1e-3 * 1e-3 < abs(x[0]) <= 0.0101 and abs(x[1] - 100) <= 1.02 and abs(x[2] + 100) <= 1.02
    assert np.abs(y - 1).max() <= 0.0201


def test_arguments_that_cannot_be_checked():
    with pytest.raises(ValueError, match="gradcheck needs at least one float input"):
        ms.gradcheck(lambda i: i, np.arange(3))
    # an empty result has nothing to compare, and an empty input neither
    assert ms.gradcheck(lambda x: x[:0], np.ones(3)).compared == 0
    assert ms.gradcheck(lambda x, y: x * 2, [np.ones(2), np.ones((0, 3))]).compared > 0


def test_a_function_that_changes_its_argument_is_named():
    calls = []

    def careless(x, y):
        calls.append(1)
        if len(calls) == 1:
            y.data[0] += 1.0
        return x * 2

    text = message_of(careless, [np.ones(2), np.ones(2)], name="careless")
    assert text == "careless changes its argument 1 in place: compute into a new array"


def test_a_matrix_in_column_order_keeps_its_order():
    strides = []

    def fn(x):
        strides.append(x.data.strides)
        return x * x

    x = np.asfortranarray(np.ones((3, 4)))
    ms.gradcheck(fn, x)
    assert strides[0] == x.strides


def test_the_step_sizes_forgive_curvature_and_rounding():
    assert ms.gradcheck(lambda x: (300 * x).exp(), np.array([0.01]))  # needs a small step
    assert ms.gradcheck(lambda x: x + 1e6, np.array([0.1]))  # needs a large one


def test_nan_is_named_as_such():
    with pytest.raises(ms.GradcheckError, match="is not finite at this point"):
        ms.gradcheck(lambda x: x.log(), np.array([-1.0]))
    unused = ms.from_numpy(np.array([np.nan]))  # NaN in an argument that is not differentiated is no change
    assert ms.gradcheck(lambda a, b: a * 2, [ms.tensor(np.ones(2), requires_grad=True), unused])


def test_strong_curvature_is_no_kink_and_a_jump_is_measured_against_the_slope():
    def shifted(factor):  # y = factor · x², whose slope at 0 is said to be 1
        class Curve(ms.Function):
            @staticmethod
            def forward(ctx, x):
                return factor * x.data * x.data

            @staticmethod
            def backward(ctx, grad):
                return grad

        return Curve.apply

    for factor in (1.0, 1e4, 1e7):
        assert "is 0 by central differences" in message_of(shifted(factor), np.zeros(1)).replace("-0 ", "0 ")

    def bent(jump):
        return lambda x: 1e4 * x + jump * x.relu()

    assert ms.gradcheck(bent(100.0), np.zeros(1)).kinks
    assert "backward says 10000" in message_of(bent(0.5), np.zeros(1))


def test_a_kink_along_a_direction_only():
    """min(relu(a), relu(b)) at 0 is smooth along both axes, and bent between them."""
    report = ms.gradcheck(lambda x: ms.minimum(x[:1].relu(), x[1:].relu()), np.zeros(2), max_jacobian=0)
    assert "argument 0, along a random direction: left and right derivative differ" in report.kinks[0]


def test_stepping_aside_works_at_one_too():
    for at in (1.0, -1.0):
        assert len(ms.gradcheck(lambda x, a=at: (x - a).relu(), np.array([at])).kinks) == 1


def test_what_is_counted_by_default_with_constants_and_with_directions_alone():
    x = np.array([1.0, 2.0, 3.0])
    assert ms.gradcheck(lambda t: t * t, x).compared == 9 + 6
    assert ms.gradcheck(lambda t: t * t, x, max_jacobian=0, directions=4, order=2).compared == 4 + 2 * 4
    marked = ms.tensor(np.ones(2), requires_grad=True)
    assert ms.gradcheck(lambda a, b: a * b, [marked, np.ones(2)]).compared == 2 * (4 + 6)
    assert ms.gradcheck(lambda a, b: a * b, [marked, ms.tensor(np.ones(2))]).compared == 4 + 6
    assert ms.gradcheck(lambda a, b: a * 2, [np.ones(2), np.ones((0, 3))]).compared == 4 + 6
    assert ms.gradcheck(lambda a: ms.from_numpy(np.ones(3)), np.ones((2, 2))).compared == 12 + 6


def test_the_function_is_named_in_every_refusal():
    def narrow(x):
        return x.float()

    with pytest.raises(ms.GradcheckError, match="narrow turns float64 into float32: keep the input's dtype"):
        ms.gradcheck(narrow, np.ones(2))
    options = {"max_jacobian": 0, "atol": 1.2, "rtol": 0.0, "directions": 30}
    text = message_of(wrong(change=lambda g: g + 1.0), np.array([1.0, 2.0]), **options)
    assert text.startswith("Square: <u, J v> for argument 0")


@pytest.mark.parametrize("returned", [None, 1.5, [None]])
def test_a_function_that_returns_no_tensor_is_refused(returned):
    def forgetful(x):
        return returned

    with pytest.raises(TypeError, match=r"^forgetful must return a tensor, or a tuple of tensors, found"):
        ms.gradcheck(forgetful, np.ones(2))
