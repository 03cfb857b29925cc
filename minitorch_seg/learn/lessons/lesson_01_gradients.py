"""Lesson 01: Tensors and gradients.

Time: 55 minutes.  Needs: 00.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="01 Tensors and gradients")

with app.setup:
    import time

    import marimo as mo
    import numpy as np
    from matplotlib.figure import Figure

    import minitorch_seg as ms
    from minitorch_seg import learn
    from minitorch_seg.data.coins import coin_photograph

    F = ms.functional


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    # Tensors and gradients

    **You will be able to** compute a gradient backwards through any chain of operations, say why gradients
    *add up*, and check them with numbers.

    **You need** lesson 00, and the derivative of a function of one variable. The rest is built here.

    ## Why

    <details><summary>From lesson 00: why could no single threshold separate all coins from the
    ground?</summary>

    The ground is brighter at the upper left than some coins at the lower right.

    </details>

    So let the threshold *tilt*: $t = a + b \cdot \text{row} + c \cdot \text{column}$, three numbers instead
    of one. To try 160 values for each would take $160^3 = 4$ million attempts; a network has half a million
    numbers to choose. Trying is hopeless. We need to know for each number **in which direction it should
    change**. That is what the gradient says, and here it finds the tilt in a few steps. The loss, one number,
    is small where $x - t$ is above 0 on coins and below 0 on ground; the 20 sets how sharply. Lesson 05
    derives it.
    """)
    return


@app.function
def tilted(p, row, column):
    return p[0] + p[1] * row + p[2] * column


@app.cell
def _():
    photograph, _mask, _ = coin_photograph()
    x, truth = photograph[::2, ::2] / 255.0, (_mask[::2, ::2] == 1)
    row, column = (np.linspace(0, 1, n) for n in x.shape)
    row, column = row[:, None], column[None, :]
    target = ms.tensor(truth.astype(float))
    p = ms.tensor(np.array([0.45, 0.0, 0.0]), requires_grad=True)
    steps = []
    for _ in range(41):
        found = x > tilted(p.data, row, column)
        loss = F.binary_cross_entropy_with_logits(20 * (x - tilted(p, row, column)), target)
        steps.append((loss.item(), (found & truth).sum() / (found | truth).sum()))
        p.grad = None
        loss.backward()  # all three derivatives at once
        with ms.no_grad():
            p -= 0.05 * p.grad  # a step downhill
    return found, steps, truth, x


@app.cell(hide_code=True)
def _(found, steps, truth, x):
    learn.tiles(
        {
            f"flat threshold, IoU {steps[0][1]:.2f}": x > 0.45,
            f"tilted, after 40 steps, IoU {steps[-1][1]:.2f}": found,
            "truth": truth,
        },
        "Three masks of the coins: the flat threshold takes bright ground for coin, the tilted one "
        "hardly does, and the truth.",
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## By hand

    A loss of one example: $u = x w$, $v = u + b$, $d = v - t$, $L = d^2$, with
    $x = 2$, $w = 3$, $b = -1$, $t = 4$.

    Forward: $u = 6$, $v = 5$, $d = 1$, $L = 1$.

    Backward, beginning at the end, each line from one above:

    | | rule | number |
    |---|---|---|
    | $\partial L / \partial d$ | $2 d$ | 2 |
    | $\partial L / \partial v$ | $\partial L / \partial d \cdot 1$ | 2 |
    | $\partial L / \partial b$ | $\partial L / \partial v \cdot 1$ | 2 |
    | $\partial L / \partial u$ | $\partial L / \partial v \cdot 1$ | 2 |
    | $\partial L / \partial w$ | $\partial L / \partial u \cdot x$ | 4 |
    | $\partial L / \partial x$ | $\partial L / \partial u \cdot w$ | 6 |

    A *tensor* is an array that remembers how it was made, so that it can do this by itself. The drawing
    shows what it remembers; beside each arrow stands $\|g\|$, the size of the gradient that comes back
    along it. Find the numbers of the table:
    """)
    return


@app.cell
def _():
    x_hand, w_hand = ms.tensor(2.0, requires_grad=True), ms.tensor(3.0, requires_grad=True)
    b_hand = ms.tensor(-1.0, requires_grad=True)
    L_hand = (x_hand * w_hand + b_hand - 4.0) ** 2
    drawing = ms.plot.graph(L_hand, names={"x": x_hand, "w": w_hand, "b": b_hand}, norms=True)
    L_hand.backward()
    assert (w_hand.grad.item(), b_hand.grad.item(), x_hand.grad.item()) == (4.0, 2.0, 6.0)
    drawing
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Formula

    Let $L$ be one number, the loss, and $y = f(x)$ a step on the way to it. Call what arrives from behind
    $g = \partial L / \partial y$; it has the shape of $y$. The **chain rule** says what to hand on:

    $$ \frac{\partial L}{\partial x_j} = \sum_i g_i \, \frac{\partial y_i}{\partial x_j} $$

    In words: $x_j$ moves every $y_i$ a little, each $y_i$ moves $L$, and the effects add up. An operator has
    to know two things only: *forward*, $x \mapsto y$, and *backward*, $(g, x) \mapsto \partial L/\partial
    x$. It need not know what stands before it or behind it.

    ## Derivation

    **A value that is used twice.** Let $y = a \cdot b + a$. There are two paths from $a$ to $y$:

    $$ \frac{\partial L}{\partial a} = g \cdot b + g \cdot 1 $$

    The paths add up. In code this is `+=`, and to write `=` there is the most common mistake of all.

    **Broadcasting.** Let $y_{ij} = x_{ij} + b_j$. NumPy hands the same $b_j$ to every row $i$: again a value
    that is used many times. With the chain rule, and $\partial y_{ik} / \partial b_j = 1$ for $k = j$, else
    0:

    $$
    \frac{\partial L}{\partial b_j}
    = \sum_{i,k} g_{ik} \frac{\partial y_{ik}}{\partial b_j} = \sum_i g_{ij}
    $$

    *What broadcasts forward is summed backward.*

    **A product of matrices.** Let $y_{ik} = \sum_j x_{ij} w_{jk}$. Then $\partial y_{ik} / \partial x_{ij} =
    w_{jk}$, so

    $$ \frac{\partial L}{\partial x_{ij}} = \sum_k g_{ik} w_{jk} = (g\, w^\top)_{ij} $$

    and likewise $\partial y_{ik} / \partial w_{jk} = x_{ij}$, so

    $$ \frac{\partial L}{\partial w_{jk}} = \sum_i x_{ij} g_{ik} = (x^\top g)_{jk} $$

    **In which order?** A value may hand on its gradient only when *all* paths to it have been added. So walk
    the graph from the loss backwards, and visit a value after everything that was made from it. This is a
    *topological order*; the order in which the values were made, reversed, is one.

    ## Code

    The whole idea in 25 lines, for single numbers. Each value keeps its parents, and for each of them the
    slope $\partial y / \partial x$.
    """)
    return


@app.class_definition
class Value:
    def __init__(self, number, parents=()):
        self.number, self.parents, self.grad = number, parents, 0.0

    def __add__(self, other):
        return Value(self.number + other.number, [(self, 1.0), (other, 1.0)])

    def __mul__(self, other):
        return Value(self.number * other.number, [(self, other.number), (other, self.number)])

    def backward(self):
        order, seen = [], set()

        def visit(value):
            if id(value) not in seen:
                seen.add(id(value))
                for parent, _ in value.parents:
                    visit(parent)
                order.append(value)  # after everything that it was made from

        visit(self)
        self.grad = 1.0
        for value in reversed(order):
            for parent, slope in value.parents:
                parent.grad += value.grad * slope


@app.cell
def _():
    _a, _b = Value(2.0), Value(5.0)
    _y = _a * _b + _a
    _y.backward()
    assert (_y.number, _a.grad, _b.grad) == (12.0, 6.0, 2.0)
    _s, _t = ms.tensor(2.0, requires_grad=True), ms.tensor(5.0, requires_grad=True)
    (_s * _t + _s).backward()
    assert (_s.grad.item(), _t.grad.item()) == (6.0, 2.0)
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    The framework does the same with arrays (`autograd/backward.py`, `autograd/function.py`). An operator is a
    `Function` with the two halves:
    """)
    return


@app.class_definition
class Square(ms.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.data**2

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        # Is that right?  The gradient check will say.
        return x * g


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Picture

    Left, the loss of the tilted threshold at each step, right its IoU. The loss falls to the end. But look
    closely at the IoU. **The surprise:** it is best long before the loss is. Gradient descent makes small
    what you wrote down as a loss, not what you had in mind. The IoU itself has no useful gradient: it is
    constant until a pixel changes sides, and then it jumps. Lesson 05 is about losses that come closer.
    """)
    return


@app.cell(hide_code=True)
def _(steps):
    _figure = Figure(figsize=(8.5, 2.8), layout="constrained")
    _left, _right = _figure.subplots(1, 2)
    _losses, _scores = np.array(steps).T
    _left.plot(_losses)
    _left.set(xlabel="step", ylabel="loss")
    _right.plot(_scores)
    _right.plot(_scores.argmax(), _scores.max(), "o")
    _right.annotate(
        f"best: {_scores.max():.3f}, step {_scores.argmax()}", (_scores.argmax(), _scores.max() - 0.03)
    )
    _right.set(xlabel="step", ylabel="IoU")
    learn.picture(
        _figure, "The loss falls at every step; the IoU rises, has its best value early, and sinks a little."
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Gradient check

    Whether a gradient is right can be *measured*, without any formula: move $x$ by $h$ to both sides.

    $$ f'(x) \approx \frac{f(x + h) - f(x - h)}{2h} $$

    The smaller $h$, the better? The computer keeps about 16 digits: each number is wrong by a share of up to
    $\varepsilon \approx 10^{-16}$.

    **Predict:** for $f = \exp$ near $x = 1$ and $h = 10^{-k}$, which $k$ of 1 to 15 gives the smallest error?
    """)
    return


@app.cell
def _():
    guess_k = None  # your guess, a whole number from 1 to 15
    return (guess_k,)


@app.cell(hide_code=True)
def _(guess_k):
    learn.prediction(
        guess_k,
        5,
        "up to 10⁻⁵ the error falls with h², the curve's bending. Beyond, f(x+h) and f(x−h) agree in "
        "nearly all digits, their difference is mostly rounding, and dividing by 2h makes it large.",
        tolerance=1,
    )
    return


@app.cell(hide_code=True)
def _(guess_k):
    mo.stop(guess_k is None)
    _k = np.arange(1, 16)
    _x, _h = np.linspace(0.9, 1.1, 101)[:, None], 10.0**-_k
    _errors = np.abs((np.exp(_x + _h) - np.exp(_x - _h)) / (2 * _h) - np.exp(_x)).mean(axis=0)
    _figure = Figure(figsize=(6.5, 2.8), layout="constrained")
    _axes = _figure.subplots()
    _axes.loglog(_h, _errors, "o-")
    _axes.set(xlabel="step h", ylabel="error, mean of 101 points")
    _axes.annotate("bending: e·h²/6", (1e-2, 1e-3), ha="right")
    _axes.annotate("rounding: ε/h", (1e-12, 1e-3))
    learn.picture(_figure, "The error over the step: a valley, lowest at 10 to the −5, rising to both sides.")
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    Now the operator from above. The checker multiplies with a random $g$, since with $g = 1$ many mistakes
    cancel out. Read what it says, then mend the class, and see the verdict turn.
    """)
    return


@app.cell
def _():
    learn.gradcheck(Square.apply, np.array([3.0, -1.0, 0.5]))
    return


@app.cell
def _():
    _normal = np.random.default_rng(0).standard_normal
    learn.gradcheck(
        lambda x, w, b: x @ w + b, [_normal((4, 2)), _normal((2, 3)), _normal(3)], name="x @ w + b"
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Exercises

    **1.** $y = x + b$ with $x$ (N, C) and $b$ (C). Given $g = \partial L / \partial y$, return $\partial L /
    \partial x$ and $\partial L / \partial b$.
    """)
    return


@app.function
def add_backward(g, x, b):
    raise NotImplementedError("your turn: return dx, db")


@app.cell
def _():
    learn.check("01.add_backward", add_backward)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("01.add_backward"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **2.** $y = x w$, a product of matrices, $x$ (N, C) and $w$ (C, K). The shapes alone nearly tell the
    answer.
    """)
    return


@app.function
def matmul_backward(g, x, w):
    raise NotImplementedError("your turn: return dx, dw")


@app.cell
def _():
    learn.check("01.matmul_backward", matmul_backward)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("01.matmul_backward"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **3. Hunt a bug.** The backward of $y = a \cdot b + a$. The author checked it with $b = 0$ and was
    content.
    """)
    return


@app.function
def gate_backward(g, a, b):
    da = g * b  # through the product
    da = g  # through the sum
    db = g * a
    return da, db


@app.cell
def _():
    learn.check("01.gate_backward", gate_backward)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("01.gate_backward"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Cost

    Central differences need two forward passes for *each* number. One backward pass gives all derivatives at
    once, and costs about two forward passes, however many numbers there are. For a small U-Net and four
    images:
    """)
    return


@app.cell(hide_code=True)
def _():
    _model = ms.models.UNet(1, 2, base_channels=4, depth=2)
    _images, _masks = learn.coin_arrays("test")
    _count = sum(parameter.numel() for parameter in _model.parameters())

    def _timed(function):
        start = time.perf_counter()
        return function(), time.perf_counter() - start

    for _ in range(2):  # the first time kernels are compiled
        _loss, _forward = _timed(lambda: F.cross_entropy(_model(ms.tensor(_images)), ms.tensor(_masks)))
        _, _backward = _timed(_loss.backward)
    mo.md(
        f"| a small U-Net | |\n|---|---|\n| numbers to learn | {_count:,} |\n"
        f"| one forward pass | {1000 * _forward:.1f} ms |\n"
        f"| one backward pass | {1000 * _backward:.1f} ms |\n"
        f"| all by central differences | {2 * _count * _forward:,.0f} s |"
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Go further

    - Read `minitorch_seg/autograd/tensor.py`, `function.py` and `backward.py`, in this order: the engine.
    - `ms.grad(..., create_graph=True)` differentiates a gradient again. What is
      $\partial^2 y / \partial a\, \partial b$ of $y = a \cdot b + a$?
    - Rumelhart, Hinton and Williams, *Learning representations by back-propagating errors*, 1986, four pages.
      Baydin et al., *Automatic differentiation in machine learning: a survey*, 2018.

    Next: **02**, convolution forward.
    """)
    return


if __name__ == "__main__":
    app.run()
