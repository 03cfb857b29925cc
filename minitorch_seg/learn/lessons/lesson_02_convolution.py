"""Lesson 02: Convolution forward.

Time: 50 minutes.  Needs: 00.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="02 Convolution forward")

with app.setup:
    import timeit

    import marimo as mo
    import numpy as np

    import minitorch_seg as ms
    from minitorch_seg import learn
    from minitorch_seg.data.coins import coin_photograph

    F = ms.functional


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    # Convolution forward

    **You will be able to** read a convolution formula critically, turn it into loops, tell a *convolution*
    from a *cross-correlation*, and predict the size of the result.

    **You need** lesson 00, and NumPy: indexing, slices, `shape`.

    How this works: run the cells from top to bottom. Where a cell says *your turn*, change it; the line
    below it tells you at once what is right and what is not.

    ## Why

    <details><summary>From lesson 00: a threshold decides by <em>one</em> pixel. Which mistake can it
    therefore not avoid? (think, then open)</summary>

    Two pixels of equal grey always get the same answer, though one lies on a dark coin and the other on
    bright ground. To tell them apart one has to look at their *neighbours*.

    </details>

    Looking at neighbours is what a convolution does. Below, each pixel of the middle picture was computed
    from a 3×3 neighbourhood, by a weighted sum. The ground's slow change from bright to dark is gone, and
    the coins' edges are left. No threshold on single pixels can do that.
    """)
    return


@app.cell
def _():
    photograph = coin_photograph()[0][15:155, 5:195] / 255.0
    left_right = np.array([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    up_down = left_right.T
    return left_right, photograph, up_down


@app.cell
def _(left_right, photograph, up_down):
    def _filtered(w):
        return F.conv2d(photograph[None, None], ms.tensor(w[None, None])).numpy()[0, 0]

    _edges = np.hypot(_filtered(left_right), _filtered(up_down))
    learn.tiles(
        {"photograph": photograph, "edges: 3×3 sums": _edges, "threshold: single pixels": photograph > 0.45},
        "Three pictures of coins: the photograph, its edges as bright outlines, and a threshold's black "
        "and white result, in which the bright ground at the left is taken for coin.",
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## By hand

    Take a 3×3 image $x$ and a 2×2 kernel $w$:

    $$
    x = \begin{pmatrix} 1 & 2 & 0 \\ 0 & 3 & 1 \\ 4 & 1 & 2 \end{pmatrix}
    \qquad
    w = \begin{pmatrix} 1 & -1 \\ 2 & 0 \end{pmatrix}
    $$

    Lay the kernel on the upper left corner, multiply what lies on each other, add up:

    $$ 1\cdot 1 + (-1)\cdot 2 + 2\cdot 0 + 0\cdot 3 = -1 $$

    Move it one to the right: $1\cdot 2 + (-1)\cdot 0 + 2\cdot 3 + 0\cdot 1 = 8$. Do the two places of the
    second row on paper before you look at the cell.
    """)
    return


@app.cell
def _():
    x_hand = np.array([[1.0, 2.0, 0.0], [0.0, 3.0, 1.0], [4.0, 1.0, 2.0]])
    w_hand = np.array([[1.0, -1.0], [2.0, 0.0]])
    y_hand = np.array(
        [
            [1 * 1 - 1 * 2 + 2 * 0, 1 * 2 - 1 * 0 + 2 * 3],
            [1 * 0 - 1 * 3 + 2 * 4, 1 * 3 - 1 * 1 + 2 * 1],
        ]
    )
    framework = F.conv2d(x_hand[None, None], ms.tensor(w_hand[None, None])).numpy()[0, 0]
    assert (framework == y_hand).all()
    learn.tiles(
        {"image x": x_hand, "kernel w": w_hand, "result y": y_hand},
        "The 3×3 image, the 2×2 kernel and the 2×2 result with rows −1, 8 and 5, 4.",
        signed=True,
        numbers=True,
        height=2.0,
    )
    return w_hand, x_hand, y_hand


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Formula

    The text from which this project grew defines convolution like this:

    $$
    y(x, y) = \sum_{i=0}^{m-1} \sum_{j=0}^{n-1} x(i, j) \cdot w(i, j) \cdot h(x - i,\; y - j)
    $$

    with $x$ the image, $w$ "the weights" and $h$ "the bias of the kernel". Read it slowly. Four things need
    care:

    1. **Letters do double duty.** On the left, $x$ and $y$ are a place; on the right, $x$ is the image, and
       $y$ is the result. From here on the place is $(X, Y)$.
    2. **$m$ and $n$ are not defined.** The image's size, or the kernel's?
    3. **Three factors**, where every textbook has two.
    4. **$h$ is called a bias**, but it is multiplied, not added.

    Do not wave it through: try each reading. First suppose that $m \times n$ is the kernel's size, 3×3. The
    photograph of the coins has 303 · 384 = 116 352 pixels.

    **Predict:** how many of them can change anything in the result? Write your guess into the next cell.
    """)
    return


@app.cell
def _():
    guess_pixels = None  # your guess, a number
    return (guess_pixels,)


@app.cell(hide_code=True)
def _(guess_pixels):
    learn.prediction(
        guess_pixels,
        9,
        "i and j stop at 2, and the image appears as x(i, j) only. The place (X, Y) moves the kernel h, "
        "never the window on the image: all but a 3×3 corner of the photograph is ignored.",
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    So this reading is refuted. Then $m \times n$ must be the **image's** size, and $w$ has a weight for each
    pixel of the image. With $h$ zero outside its own size $k_h \times k_w$ the formula makes sense:

    $$
    \begin{aligned}
    y(X, Y) &= \sum_{i=0}^{m-1} \sum_{j=0}^{n-1} (x \odot w)(i, j) \; h(X - i,\; Y - j) \\
            &= \big( (x \odot w) * h \big)(X, Y)
    \end{aligned}
    $$

    First weigh every pixel, then convolve the product with $h$; the result has
    $(m + k_h - 1) \times (n + k_w - 1)$ places. `F.documented_convolution(x, w, h)` is exactly this. The next
    cell tries it, and then moves the coin by ten pixels.
    """)
    return


@app.cell
def _(photograph):
    _rng = np.random.default_rng(0)
    _coin = photograph[:66, 55:115]
    _w = _rng.uniform(0, 1, _coin.shape)
    _h = np.ones((3, 3)) / 9
    _moved = np.roll(_coin, 10, axis=1)
    first = F.documented_convolution(_coin, _w, _h).numpy()[2:-2, 2:-2]
    second = F.documented_convolution(_moved, _w, _h).numpy()[2:-2, 2:-2]
    difference = second[:, 12:] - np.roll(first, 10, axis=1)[:, 12:]
    learn.tiles(
        {"coin": first, "the same coin, moved": second, "difference after moving back": difference},
        "Two noisy pictures of a coin, the second moved to the right, and their difference, not zero.",
    )
    return (difference,)


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **The surprise:** the same coin, ten pixels further, gives other numbers. The weights $w$ belong to
    *places*, not to *patterns*. A network with such weights has to learn every coin anew at every place. A
    sum that gives a moved result for a moved image is called *shift-equivariant*, and this one is so only
    when $w$ is constant.

    And the "bias"? Let $h$ be one number $b$: then $y = b \cdot (x \odot w)$, a factor. With $h$ constant
    all over the image it is $b \sum x \odot w$. Nothing is ever added.

    **The repair.** Put the weights where they can move: into the kernel. Add the bias.

    $$
    \boxed{\; y(X, Y) = \sum_{i} \sum_{j} x(X + i,\; Y + j) \; w(i, j) + b \;}
    $$

    Now $i, j$ run over the kernel, $(X, Y)$ moves the window on the image, and one $w$ serves all places.
    """)
    return


@app.cell
def _(difference):
    assert np.abs(difference).max() > 0.01  # place-bound weights: not equivariant
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Derivation

    **Convolution or cross-correlation?** The documented form has $h(X - i)$: the kernel runs *backwards*.
    This is the true convolution. With $w \equiv 1$ and in one dimension (the second works alike):

    $$ (x * h)(X) = \sum_{i} x(i)\, h(X - i) $$

    Put $a = X - i$, so $i = X - a$:

    $$ (x * h)(X) = \sum_{a} x(X - a)\, h(a) $$

    Let $k$ be the length of $h$, and turn it round: $w(a') = h(k - 1 - a')$, with $a = k - 1 - a'$:

    $$ (x * h)(X) = \sum_{a'} x\big(X - (k - 1) + a'\big)\, w(a') $$

    The last line is a sum with $+a'$ in both factors, a *cross-correlation*, with the flipped kernel and
    read $k - 1$ places earlier. So the two differ by a flip and a shift, and a network that *learns* its
    kernel does not care. It learns the flipped one. What every framework calls convolution is the
    cross-correlation.

    **Size of the result.** From here on the row comes first, as in NumPy: $Y$ counts rows, $X$ columns. Put
    $p$ zeros around the image (*padding*), and move the window by $s$ (*stride*). The window of row $Y$
    covers the padded rows $sY, \dots, sY + k_h - 1$. The last one must be inside:

    $$ sY + k_h - 1 \le H + 2p - 1 \iff Y \le \frac{H + 2p - k_h}{s} $$

    $Y$ starts at 0, so the number of rows is one more than the largest $Y$:

    $$ H_o = \left\lfloor \frac{H + 2p - k_h}{s} \right\rfloor + 1, \quad W_o \text{ alike.} $$

    **Channels and batches.** A colour image has $C = 3$ values a pixel, a network's maps have more. The sum
    then runs over the channels $c$ too, and there is one kernel for each output channel $o$; $n$ numbers the
    images:

    $$
    \begin{aligned}
    y[n, o, Y, X] = b[o] + \sum_{c, i, j} &w[o, c, i, j] \\
        \cdot\; &x[n, c,\; sY + i - p,\; sX + j - p]
    \end{aligned}
    $$

    These are the letters of `minitorch_seg/ops/conv2d.py`, and of your code below.
    """)
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Code

    The formula for one image, one channel, $s = 1$ and $p = 0$: one loop for each index, and `+=` for each Σ.
    """)
    return


@app.function
def correlate_plain(x, w):
    (H, W), (kh, kw) = x.shape, w.shape
    y = np.zeros((H - kh + 1, W - kw + 1))
    for Y in range(H - kh + 1):
        for X in range(W - kw + 1):
            for i in range(kh):
                for j in range(kw):
                    y[Y, X] += w[i, j] * x[Y + i, X + j]
    return y


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    Exchange the loops: for a fixed $(i, j)$ the weight is one number, and *all* places $(Y, X)$ read the
    image shifted by $(i, j)$. A convolution is a sum of $k_h \cdot k_w$ shifted, weighted images. With
    channels, each of them is a product of matrices: that is how `kernels/reference/conv2d.py` does it, and,
    with blocks that fit the processor, `kernels/fast/`.
    """)
    return


@app.function
def correlate_shifts(x, w):
    (H, W), (kh, kw) = x.shape, w.shape
    Ho, Wo = H - kh + 1, W - kw + 1
    y = np.zeros((Ho, Wo))
    for i in range(kh):
        for j in range(kw):
            y += w[i, j] * x[i : i + Ho, j : j + Wo]
    return y


@app.cell
def _(w_hand, x_hand, y_hand):
    assert (correlate_plain(x_hand, w_hand) == y_hand).all()
    assert (correlate_shifts(x_hand, w_hand) == y_hand).all()
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Picture

    Five kernels on the same coins. Look at each result first and say what the kernel does, then read its
    numbers.
    """)
    return


@app.cell
def _(left_right, photograph, up_down):
    kernels = {
        "mean": np.ones((5, 5)) / 25,
        "left to right": left_right,
        "top to bottom": up_down,
        "sharper": np.array([[0.0, -1.0, 0.0], [-1.0, 5.0, -1.0], [0.0, -1.0, 0.0]]),
        "spots": np.array([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]]),
    }
    learn.tiles(
        {name: correlate_shifts(photograph, w) for name, w in kernels.items()},
        "The coins seen through five kernels: blurred, with vertical edges, with horizontal edges, "
        "sharper, and with fine spots only.",
        height=2.0,
        rows=2,
    )
    return (kernels,)


@app.cell
def _(kernels):
    choice = mo.ui.dropdown(list(kernels), value="left to right", label="kernel")
    stride = mo.ui.slider(1, 6, value=2, label="stride s", show_value=True)
    padding = mo.ui.slider(0, 6, value=1, label="padding p", show_value=True)
    mo.hstack([choice, stride, padding], justify="start")
    return choice, padding, stride


@app.cell
def _(choice, kernels, padding, photograph, stride):
    _w = kernels[choice.value][None, None]
    _y = F.conv2d(photograph[None, None], ms.tensor(_w), stride=stride.value, padding=padding.value)
    _size = f"{_y.shape[2]}×{_y.shape[3]}"
    learn.tiles(
        {
            f"image {photograph.shape[0]}×{photograph.shape[1]}": photograph,
            f"result {_size}": _y.numpy()[0, 0],
        },
        f"The photograph, and the result of size {_size} for the chosen kernel, stride and padding.",
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **Is padding harmless?** With $p = 1$ and a 3×3 kernel the result has the image's size; frameworks call
    this padding "same". Take an image of nothing but ones, and the kernel that computes the mean of 3×3
    pixels.

    **Predict:** which number stands in the corner of the result?
    """)
    return


@app.cell
def _():
    guess_corner = None  # your guess, a number
    return (guess_corner,)


@app.cell(hide_code=True)
def _(guess_corner):
    _ones = np.ones((1, 1, 6, 9))
    flat = F.conv2d(_ones, ms.tensor(_ones[:, :, :3, :3] / 9), padding="same").numpy()[0, 0]
    learn.prediction(
        guess_corner,
        float(flat[0, 0]),
        "only 4 of the 9 pixels under the kernel are the image's, the other 5 are zeros: 4/9. Nothing in "
        "the image is darker at its border; the padding says so. Lesson 08 shows what networks make of "
        "it.",
        tolerance=0.01,
    )
    return (flat,)


@app.cell(hide_code=True)
def _(flat, guess_corner):
    mo.stop(guess_corner is None)
    learn.tiles(
        {"mean of ones, padding 'same'": flat.round(2)},
        "A rectangle of ones whose mean is 1 inside, 0.67 along the edges and 0.44 in the corners.",
        numbers=True,
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Gradient check

    A convolution is *linear* in the image and in the kernel: twice the kernel gives twice the result. So its
    derivatives are easy, and lesson 03 derives them. That the framework has them right, you can check now.
    The checker moves the numbers a little, each alone where they are few, many at once along random
    directions where they are not. It looks what happens to the result, and compares that with the gradient:
    for a plain call, for stride and padding with a kernel that is not square, and for the documented form.
    """)
    return


@app.cell
def _():
    _normal = np.random.default_rng(1).standard_normal
    learn.gradcheck(F.conv2d, [_normal((1, 2, 4, 5)), _normal((3, 2, 2, 3)), _normal(3)], name="conv2d")
    return


@app.cell
def _():
    _normal = np.random.default_rng(2).standard_normal
    learn.gradcheck(
        lambda x, w, b: F.conv2d(x, w, b, stride=(2, 3), padding=1),
        [_normal((2, 1, 5, 6)), _normal((2, 1, 3, 2)), _normal(2)],
        name="conv2d, stride (2, 3), padding 1",
    )
    return


@app.cell
def _():
    _normal = np.random.default_rng(3).standard_normal
    learn.gradcheck(
        F.documented_convolution,
        [_normal((4, 3)), _normal((4, 3)), _normal((2, 2))],
        name="documented_convolution",
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Exercises

    **1.** The four loops with stride $s$ and padding $p$:
    $y[Y, X] = \sum_{i,j} w[i, j]\, x[sY + i - p,\; sX + j - p]$, and $x = 0$ outside the image.
    `np.pad(x, p)` puts the zeros there. Begin with the size of the result.
    """)
    return


@app.function
def correlate2d(x, w, s, p):
    raise NotImplementedError("your turn: x (H, W), w (kh, kw), stride s, padding p")


@app.cell
def _():
    learn.check("02.correlate2d", correlate2d)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("02.correlate2d"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **2.** The true convolution of full size, $y[Y, X] = \sum_{i,j} x[i, j]\, h[Y - i,\; X - j]$, of
    $(H + k_h - 1) \times (W + k_w - 1)$ places. Loops, or the derivation above: flip, and pad by $k - 1$.
    """)
    return


@app.function
def convolve2d(x, h):
    raise NotImplementedError("your turn: x (H, W), h (kh, kw)")


@app.cell
def _():
    learn.check("02.convolve2d", convolve2d)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("02.convolve2d"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **3.** What a network uses: images $x$ (N, C, H, W), kernels $w$ (O, C, kh, kw), bias $b$ (O). Take the
    shifts rather than seven loops, and this very function can train a U-Net in lesson 08. For a fixed $(i,
    j)$, `np.einsum("oc,ncyx->noyx", w[:, :, i, j], shifted)` sums over the channels.
    """)
    return


@app.function
def conv2d(x, w, b, s, p):
    raise NotImplementedError("your turn: x (N, C, H, W), w (O, C, kh, kw), b (O,)")


@app.cell
def _():
    learn.check("02.conv2d", conv2d)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("02.conv2d"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **4. Hunt a bug.** This function promises a result of the image's size, for kernels with odd sides. Its
    author tried 3×3 and 5×5 kernels, and all was well. Find the input that breaks it, then mend it.
    """)
    return


@app.function
def same_size(x, w):
    kh, kw = w.shape
    padded = np.pad(x, kh // 2)
    y = np.zeros(x.shape)
    for Y in range(y.shape[0]):
        for X in range(y.shape[1]):
            y[Y, X] = (padded[Y : Y + kh, X : X + kw] * w).sum()
    return y


@app.cell
def _():
    learn.check("02.same_size", same_size)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("02.same_size"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Cost

    Each of the $N \cdot O \cdot H_o \cdot W_o$ results needs $C \cdot k_h \cdot k_w$ multiplications. A
    layer from 32 to 32 channels with a 3×3 kernel on a 224×224 image takes $32 \cdot 224 \cdot 224 \cdot 32
    \cdot 9 \approx 462$ million. Python's loops manage a few million a second. Here are the three ways, on
    the coins' photograph, and on 32 channels of its size. With one channel the shifts win: the framework's
    preparations take longer than the sum. With 32 they pay.
    """)
    return


@app.cell(hide_code=True)
def _(left_right, photograph):
    def _milliseconds(way, *arguments):  # the best of five: the first time kernels are compiled
        return 1000 * min(timeit.repeat(lambda: way(*arguments), number=1, repeat=5))

    _shifts, _b = learn.exercise("02.conv2d").answer, np.zeros(32)  # your exercise 3
    _maps = np.random.default_rng(0).standard_normal((1, 32, *photograph.shape))
    _kernels = np.random.default_rng(1).standard_normal((32, 32, 3, 3))
    _one = ms.tensor(photograph[None, None]), ms.tensor(left_right[None, None])
    _rows = [
        ("loops", f"{_milliseconds(correlate_plain, photograph, left_right):.0f}", "1024 times as long"),
        (
            "shifted images",
            f"{_milliseconds(correlate_shifts, photograph, left_right):.2f}",
            f"{_milliseconds(_shifts, _maps, _kernels, _b, 1, 0):.0f}",
        ),
        (
            "the framework",
            f"{_milliseconds(F.conv2d, *_one):.2f}",
            f"{_milliseconds(F.conv2d, ms.tensor(_maps), ms.tensor(_kernels)):.0f}",
        ),
    ]
    _head = "| milliseconds | 1 channel | 32 to 32 channels |\n|---|---|---|\n"
    mo.md(_head + "\n".join(f"| {' | '.join(row)} |" for row in _rows))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Go further

    - `minitorch-seg show conv2d` prints the operator as the framework has it: formula, forward, backward,
      kernels.
    - Why is $x * h = h * x$, though a cross-correlation has no such rule? (Look at the substitution $a = X -
      i$.)
    - A 5×5 mean equals two means one after the other, 5×1 and 1×5. How many multiplications does that save?
    - Dumoulin and Visin, *A guide to convolution arithmetic for deep learning*, 2016, draws every case of
      stride and padding. LeCun et al., *Gradient-based learning applied to document recognition*, 1998, is
      where learned kernels began to read.

    Next: **03**, the gradients of convolution.
    """)
    return


if __name__ == "__main__":
    app.run()
