"""The checker: every hidden answer is right, every planted wrong answer is told apart by its own diagnosis,
an empty one is still to be done, and cheats and accidents are explained."""

import html

import numpy as np
import pytest

from minitorch_seg import learn
from minitorch_seg.learn import Case, Exercise, Mistake, Verdict, exercises, judge

ALL = exercises()
PLANTED = [(e, m) for e in ALL for m in e.mistakes]


@pytest.mark.parametrize("each", ALL, ids=lambda e: e.name)
def test_the_hidden_answer_is_right(each):
    verdict = judge(each.answer, each)
    assert verdict.status == "right", verdict.message
    assert len(each.mistakes) >= 3


@pytest.mark.parametrize("each, mistake", PLANTED, ids=lambda v: getattr(v, "name", None) or v.diagnosis)
def test_a_planted_mistake_gets_its_own_diagnosis(each, mistake):
    verdict = judge(mistake.code, each)
    assert (verdict.status, verdict.diagnosis) == ("wrong", mistake.diagnosis), verdict.message
    assert len(verdict.message) > 20


@pytest.mark.parametrize("each", ALL, ids=lambda e: e.name)
def test_cases_are_not_square_and_have_stride_padding_and_overlap(each):
    cases = each.cases()
    images = [a.shape[-2:] for c in cases for a in c.arguments if isinstance(a, np.ndarray) and a.ndim > 1]
    square_by_nature = each.name == "11.name_segments"  # a table of segments by classes
    assert not images or square_by_nature or any(rows != columns for rows, columns in images)
    if "s" in each.parameters():
        kernels = [c.options["k"] if "k" in c.options else c.arguments[-1].shape[-1] for c in cases]
        strides = [c.options["s"] for c in cases]
        assert max(strides) > 1 and any(k > s for k, s in zip(kernels, strides, strict=True))
    if "p" in each.parameters() and "p" in cases[0].options:
        assert any(c.options["p"] > 0 for c in cases)


def test_how_many_wrong_answers_are_told_apart():
    told = [judge(m.code, e).diagnosis == m.diagnosis for e, m in PLANTED]
    print(f"lessons: {sum(told)} of {len(told)} wrong answers told apart, {len(ALL)} exercises")
    assert all(told)


@pytest.mark.parametrize("each", ALL, ids=lambda e: e.name)
def test_the_source_of_an_answer_runs_by_itself(each):
    """What the student sees has to be complete: NumPy and the framework are all that it may use."""
    import minitorch_seg as ms

    names = {"np": np, "ms": ms, "F": ms.functional}
    exec(each.source(), names)
    assert judge(names[each.function], each).status == "right"


def first_given(each):
    return lambda *arguments, **options: (
        arguments[0] if len(each.outputs) == 1 else tuple(arguments[: len(each.outputs)])
    )


@pytest.mark.parametrize("each", ALL, ids=lambda e: e.name)
def test_cheats_are_wrong(each):
    def zeros(*arguments, **options):
        results = each.answer(*arguments, **options)
        found = tuple(0 * np.asarray(r) for r in (results if isinstance(results, tuple) else (results,)))
        return found if len(each.outputs) > 1 else found[0]

    class Agreeable:
        """Says that it equals whatever it is compared with."""

        def __eq__(self, other):
            return True

        def __sub__(self, other):
            return np.zeros(1)

    for cheat in (zeros, first_given(each), lambda *a, **o: None, lambda *a, **o: Agreeable()):
        assert judge(cheat, each).status == "wrong"


# -- one small exercise of our own, for the rest ------------------------------------------------------------


def double(g, x):
    return 2 * g * x


SMALL = Exercise(
    "99.double",
    "the gradient of x²",
    double,
    lambda: [Case("3×3", np.arange(1.0, 10).reshape(3, 3), np.arange(2.0, 20, 2).reshape(3, 3) % 7 + 1)],
    (Mistake("adds", lambda g, x: g + x, "a product, not a sum"),),
    truth=learn.derivative_of(lambda x: x * x, wanted=[0]),
    forward=lambda x: x * x,
)


def changes(g, x):
    g *= 2 * x
    return g


def raises(g, x):
    return g[99] * x


@pytest.mark.parametrize(
    "answer, diagnosis, word",
    [
        (lambda g, x: g + x, "adds", "product"),
        (lambda g, x: g * x, "factor", "0.5 times"),
        (lambda g, x: -2 * g * x, "sign", "sign"),
        (lambda g, x: (2 * g * x).T, "transposed", "transposed"),
        (lambda g, x: (2 * g * x)[::-1], "flipped", "vertical"),
        (lambda g, x: (2 * g * x)[:, ::-1], "flipped", "horizontal"),
        (lambda g, x: (2 * g * x)[::-1, ::-1], "flipped", "both"),
        (lambda g, x: 2 * g * x + 1, "offset", "off by the same 1"),
        (lambda g, x: 0 * x, "zeros", "zero"),
        (lambda g, x: g, "returns what was given", "this is g"),
        (lambda g, x: x, "returns what was given", "this is x"),
        (lambda g, x: x * np.nan, "nan", "9 of 9"),
        (lambda g, x: (2 * g * x)[:2], "shape", "(2, 3)"),
        (lambda g, x: (2 * g * x)[None], "forgot the batch", "sum over them"),
        (lambda g, x: None, "returns nothing", "return"),
        (lambda g, x: "nine", "no array", "array of"),
        (lambda g: g, "raises", "count the arguments"),
        (changes, "changes its inputs", "g is not the same array"),
        (raises, "raises", "g[99] * x"),
        (lambda g, x: exit(), "raises", "ends the program"),
        (7, "no function", "int"),
        (lambda g, x: np.where(g == 5, 0, 2 * g * x), "different", "8 of 9 numbers are right; at [1, 1]"),
    ],
)  # fmt: skip
def test_each_typical_mistake_has_its_words(answer, diagnosis, word):
    verdict = judge(answer, SMALL)
    assert (verdict.status, verdict.diagnosis) == ("wrong", diagnosis), verdict.message
    assert word in verdict.message


def test_an_empty_answer_is_still_to_be_done():
    def double(g, x):
        raise NotImplementedError("your turn")

    assert judge(double, SMALL) == Verdict("todo", "your turn")
    assert not judge(double, SMALL)


def test_a_right_answer_may_return_its_buffer_again():
    buffer = np.empty((3, 3))

    def reuses(g, x):
        return np.multiply(2 * g, x, out=buffer)

    assert judge(reuses, SMALL)


def test_a_gradient_that_fits_the_case_alone_does_not_pass():
    """It is handed to gradcheck with other cotangents; answers stored for the known cases do not help."""
    (case,) = SMALL.cases()
    stored = double(*case.arguments)
    verdict = judge(lambda g, x: stored.copy(), SMALL)
    assert verdict.diagnosis == "gradcheck" and "central differences" in verdict.message


def test_the_notebook_shows_what_the_terminal_says():
    verdict = Verdict("wrong", "a < b", "order")
    assert "a &lt; b" in verdict._repr_html_() and 'role="status"' in verdict._repr_html_()
    assert str(verdict) == "NOT RIGHT YET: a < b"


def test_the_answer_of_a_prediction_can_be_told_without_a_guess():
    verdict = learn.prediction(..., 0.5, "half of them")
    assert verdict == Verdict("told", "0.5: half of them") and not verdict
    assert 'class="verdict told"' in verdict._repr_html_()


@pytest.mark.parametrize("each", [e for e in ALL if e.planted], ids=lambda e: e.name)
def test_a_hunter_of_bugs_sees_the_hint_only_where_it_is_asked_for(each):
    verdict = judge(each.mistakes[0].code, each)
    before, _, folded = verdict._repr_html_().partition("<details>")
    assert verdict.clue in before and "</details>" in folded
    assert html.escape(verdict.message) in folded and html.escape(verdict.message) not in before
    assert not judge(each.answer, each).clue


def test_unknown_exercises_are_named():
    with pytest.raises(Exception, match=r"did you mean 02\.conv2d"):
        learn.check("02.conv2", lambda: None)


# -- the same mistakes in other words: other code than that which the exercises hold -------------------------


def true_convolution(x, w, s, p):
    """Exercise 02.correlate2d by SciPy, which flips."""
    from scipy.signal import convolve2d

    return convolve2d(np.pad(x, p), w, mode="valid")[::s, ::s]


def channels_overwritten(x, w, b, s, p):
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, w.shape[2:], (2, 3))[:, :, ::s, ::s]
    for c in range(x.shape[1]):
        y = np.einsum("nyxij,oij->noyx", windows[:, c], w[:, c])
    return y + b[:, None, None]


def bias_inside_the_loop(x, w, b, s, p):
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, w.shape[2:], (2, 3))[:, :, ::s, ::s]
    y = 0
    for c in range(x.shape[1]):
        y = y + np.einsum("nyxij,oij->noyx", windows[:, c], w[:, c]) + b[:, None, None]
    return y


def windows_overwrite(g, x, w, s, p):
    dx = np.zeros(np.add(x.shape, 2 * p))
    for Y, X in np.ndindex(g.shape):
        for i, j in np.ndindex(w.shape):
            dx[s * Y + i, s * X + j] = g[Y, X] * w[i, j]
    return dx[p : dx.shape[0] - p, p : dx.shape[1] - p]


def one_hot_forgotten(z, t):
    p = np.exp(z - np.logaddexp.reduce(z, axis=1, keepdims=True))
    return p / t.size


def denominator_constant(p, q):
    return 2 / (p + q).sum() * q


def uncorrected(theta, g, m, v, t, lr, beta1, beta2, eps):
    m, v = m + (1 - beta1) * (g - m), v + (1 - beta2) * (g * g - v)
    return theta - lr * m / (v**0.5 + eps), m, v


@pytest.mark.parametrize(
    "name, answer, diagnosis",
    [
        ("02.correlate2d", true_convolution, "flipped"),
        ("02.conv2d", channels_overwritten, "one channel"),
        ("02.conv2d", bias_inside_the_loop, "bias too often"),
        ("03.image_gradient", windows_overwrite, "= for +="),
        ("05.cross_entropy_backward", one_hot_forgotten, "forgot the truth"),
        ("05.dice_gradient", denominator_constant, "forgot the denominator"),
        ("06.adam_step", uncorrected, "no bias correction"),
    ],
)  # fmt: skip
def test_a_mistake_is_known_by_its_numbers_not_by_its_text(name, answer, diagnosis):
    verdict = judge(answer, learn.exercise(name))
    assert verdict.diagnosis == diagnosis, verdict.message
