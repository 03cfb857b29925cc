"""Lesson 04: Max pooling.

Time: 45 minutes.  Needs: 01, 02.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="04 Max pooling")

with app.setup:
    import marimo as mo
    import numpy as np

    import minitorch_seg as ms
    from minitorch_seg import learn
    from minitorch_seg.data.coins import coin_photograph

    F = ms.functional


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    # Max pooling

    **You will be able to** compute max pooling forward and backward, say what happens at ties and where
    windows overlap, and say what pooling does *not* give.

    **You need** lessons 01 (gradients add up) and 02 (windows, stride, size of the result).

    ## Why

    <details><summary>From lesson 02: how many rows has the result of a 3×3 kernel on H rows, without
    padding, with stride 2?</summary>

    $\lfloor (H - 3) / 2 \rfloor + 1$. Pooling has the same windows, and the same formula.

    </details>

    A 3×3 kernel sees 3×3 pixels; a coin is 50 pixels wide. To see all of a coin, a network makes the
    image smaller. *How* matters. Here are the strong edges of three coins, and three pictures a quarter
    as wide, all on one scale of grey. Taking every fourth pixel loses what stands between: the outlines
    break into dots. The mean keeps them, but faintly, since most of a window is black. The maximum
    keeps them bright, wherever in the window they stood.
    """)
    return


@app.cell
def _():
    photograph = coin_photograph()[0][15:159, 190:382] / 255.0
    left_right = ms.tensor(np.array([[[[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]]]))
    edges = np.abs(F.conv2d(photograph[None, None], left_right).numpy())[:, :, :72, :188]
    edges = np.maximum(edges - 0.6, 0)  # the strong ones alone
    return edges, photograph


@app.cell(hide_code=True)
def _(edges):
    learn.tiles(
        {
            "strong edges": edges[0, 0],
            "every 4th pixel": edges[0, 0, ::4, ::4],
            "mean of 4×4": F.avg_pool2d(edges, 4).numpy()[0, 0],
            "maximum of 4×4": F.max_pool2d(edges, 4).numpy()[0, 0],
        },
        "The strong edges of three coins, bright on black, and three pictures a quarter as wide: in the one "
        "of every fourth pixel the outlines are single dots, in the means they can hardly be seen, in the "
        "maxima they are bright and closed.",
        height=1.6,
        rows=2,
        together=True,
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## By hand

    Windows of 2×2, stride 2, in a 4×4 image: four windows that do not overlap. Each gives its largest
    number.

    $$
    x = \begin{pmatrix} 1 & 3 & 2 & 0 \\ 4 & 2 & 1 & 1 \\ 0 & 1 & 7 & 5 \\ 2 & 0 & 6 & 3 \end{pmatrix}
    \qquad
    y = \begin{pmatrix} 4 & 2 \\ 2 & 7 \end{pmatrix}
    $$

    Now backward. Let the gradient of a loss $L$ by the four results, $g = \partial L / \partial y$, be
    10, 20, 30, 40. Only the winner of a window had an influence, so in $dx = \partial L / \partial x$
    it gets all:

    $$
    dx = \begin{pmatrix} 0 & 0 & 20 & 0 \\ 10 & 0 & 0 & 0 \\ 0 & 0 & 40 & 0 \\ 30 & 0 & 0 & 0 \end{pmatrix}
    $$
    """)
    return


@app.cell
def _():
    _x = [[1.0, 3, 2, 0], [4, 2, 1, 1], [0, 1, 7, 5], [2, 0, 6, 3]]
    x_hand = ms.tensor([[_x]], requires_grad=True)
    y_hand = F.max_pool2d(x_hand, 2)
    y_hand.backward(ms.tensor([[[[10.0, 20], [30, 40]]]]))
    assert y_hand.tolist() == [[[[4, 2], [2, 7]]]]
    _dx = [[0, 0, 20, 0], [10, 0, 0, 0], [0, 0, 40, 0], [30, 0, 0, 0]]
    assert x_hand.grad.tolist() == [[_dx]]
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Formula

    The documented form is

    $$ y(x, y) = \max_{(i, j) \in N(x, y)} x(i, j) $$

    where $N(x, y)$ is a neighbourhood of the place $(x, y)$, and the text promises a *smaller* map. (As in
    lesson 02, $x$ and $y$ are places and images at once.) What is right: the maximum over a neighbourhood.
    What is missing: there is one result for **every** place $(x, y)$, so the map stays as large as it was.
    Taken literally this is a *grey dilation*, which image processing has used since the 1970s: bright things
    grow.
    """)
    return


@app.cell
def _(photograph):
    from scipy.ndimage import maximum_filter

    literal = F.max_pool2d(photograph[None, None], 3, stride=1, padding=1).numpy()[0, 0]
    assert literal.shape == photograph.shape
    assert (literal == maximum_filter(photograph, 3, mode="constant", cval=-np.inf)).all()  # bit for bit
    return (literal,)


@app.cell(hide_code=True)
def _(literal, photograph):
    learn.tiles(
        {
            "photograph": photograph,
            f"documented form, 3×3, {literal.shape}": literal,
            f"with stride 2, {literal[::2, ::2].shape}": literal[::2, ::2],
        },
        "The coins; the same with all bright things grown by a pixel, of the same size; and half as large.",
        height=2.2,
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **The repair.** The smaller map needs a *stride*: keep every $s$-th place. With windows of
    $k \times k$ and the letters of lesson 02, stride $s$ and padding $p$:

    $$
    \boxed{\; y[Y, X] = \max_{0 \le i, j < k} x[sY + i - p,\; sX + j - p] \;}
    $$

    Outside the image stands $-\infty$, so that what is not there never wins. Each channel is pooled by
    itself.

    ## Derivation

    Take a window of two numbers, $y = \max(a, b)$. If $a > b$, then $y = a$ near by, so $\partial y /
    \partial a = 1$ and $\partial y / \partial b = 0$. If $a < b$, the other way round. If $a = b$ there is
    **no derivative**: moving $a$ up raises $y$, moving it down does not.

    At such a *tie* any division $(\lambda, 1 - \lambda)$ of the gradient, with $0 \le \lambda \le 1$,
    is a *sub-gradient*: the plane with these two slopes touches the function and lies nowhere above it.
    One has to be chosen, and PyTorch and this framework choose: **the first in reading order gets
    everything**. Ties do not share.

    Let $(i^*, j^*)$ be the winner in the window of $(Y, X)$. It is the pixel $m = sY + i^* - p$,
    $n = sX + j^* - p$ of the image. The chain rule adds up what a pixel gets from all windows:

    $$
    dx[m, n] = \sum_{Y, X} g[Y, X] \; \big[\, (m, n) \text{ wins } (Y, X) \,\big]
    $$

    where $[\dots]$ is 1 if it is true and 0 if not. Windows that overlap can have the same winner: its
    gradients add up, `+=` once more.

    **Predict:** pixels are whole numbers from 0 to 255. In what share of the 2×2 windows of the
    photograph do two or more pixels tie for the maximum?
    """)
    return


@app.cell
def _():
    guess_ties = None  # your guess, between 0 and 1
    return (guess_ties,)


@app.cell(hide_code=True)
def _(guess_ties, photograph):
    _windows = photograph.reshape(72, 2, 96, 2).transpose(0, 2, 1, 3).reshape(-1, 4)
    ties = float(((_windows == _windows.max(axis=1, keepdims=True)).sum(axis=1) > 1).mean())
    learn.prediction(
        guess_ties,
        round(ties, 3),
        "ties are no rare accident. Neighbours are alike, and behind a relu whole windows are 0. A "
        "backward that hands every one of the equals the full gradient makes gradients out of nothing.",
        tolerance=0.03,
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Code

    The formula as loops, for one image, and the winners beside it: their places are all that backward
    needs.
    """)
    return


@app.function
def pool_plain(x, k, s):
    Ho, Wo = (x.shape[0] - k) // s + 1, (x.shape[1] - k) // s + 1
    y, winners = np.zeros((Ho, Wo)), np.zeros((Ho, Wo, 2), int)
    for Y in range(Ho):
        for X in range(Wo):
            y[Y, X] = -np.inf
            for i in range(k):
                for j in range(k):
                    if x[s * Y + i, s * X + j] > y[Y, X]:  # not >=: the first wins
                        y[Y, X] = x[s * Y + i, s * X + j]
                        winners[Y, X] = s * Y + i, s * X + j
    return y, winners


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    As in lesson 02 the loops can be exchanged: for a fixed $(i, j)$ compare the shifted image with the best
    so far, all places at once. `kernels/reference/max_pool2d.py` does it so.
    """)
    return


@app.function
def pool_shifts(x, k, s):
    Ho, Wo = (x.shape[0] - k) // s + 1, (x.shape[1] - k) // s + 1
    y = np.full((Ho, Wo), -np.inf)
    for i in range(k):
        for j in range(k):
            y = np.maximum(y, x[i : i + s * (Ho - 1) + 1 : s, j : j + s * (Wo - 1) + 1 : s])
    return y


@app.cell
def _(photograph):
    for _k, _s in ((2, 2), (3, 2), (3, 1)):
        _framework = F.max_pool2d(photograph[None, None], _k, _s).numpy()[0, 0]
        assert (pool_plain(photograph, _k, _s)[0] == _framework).all()
        assert (pool_shifts(photograph, _k, _s) == _framework).all()
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Picture

    Where does the gradient go? With $g = 1$ everywhere, $dx$ counts how many windows a pixel wins. Of
    2×2 windows that do not overlap, one pixel in four hears something, and the others nothing. With
    overlap a few bright pixels win several times.
    """)
    return


@app.cell
def _():
    window = mo.ui.slider(1, 6, value=3, label="window k", show_value=True)
    stride = mo.ui.slider(1, 6, value=1, label="stride s", show_value=True)
    mo.hstack([window, stride], justify="start")
    return stride, window


@app.cell
def _(photograph, stride, window):
    def wins(k, s):
        pixels = ms.tensor(photograph[None, None, 96:126, 2:42], requires_grad=True)
        F.max_pool2d(pixels, k, s).sum().backward()
        return pixels.grad.numpy()[0, 0]

    learn.tiles(
        {
            "pixels": photograph[96:126, 2:42],
            "wins, k = 2, s = 2": wins(2, 2),
            f"wins, k = {window.value}, s = {stride.value}": wins(window.value, stride.value),
        },
        "Part of a coin, the winners of 2×2 windows as scattered white pixels, and those of the chosen "
        "windows.",
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **Does pooling make a network invariant to shifts**, so that its results stay as they are? It is
    often said: if the coin moves by a pixel, the maximum stays the same. Try it. Pool the photograph,
    move it by **one** pixel, pool again, and count the results that did not change.

    **Predict:** which share of them is unchanged?
    """)
    return


@app.cell
def _():
    guess_unchanged = None  # your guess, between 0 and 1
    return (guess_unchanged,)


@app.cell(hide_code=True)
def _(guess_unchanged, photograph):
    def _pooled(columns):
        return F.max_pool2d(photograph[None, None, :, columns], 2).numpy()[0, 0]

    before, after = _pooled(slice(0, 190)), _pooled(slice(1, 191))
    learn.prediction(
        guess_unchanged,
        round(float((before == after).mean()), 3),
        "the window's edge lies elsewhere now, and in two windows of three another pixel wins. Moved by "
        "two pixels, the stride, the result moves by exactly one: that is equivariance, and only for "
        "multiples of the stride.",
        tolerance=0.1,
    )
    return after, before


@app.cell(hide_code=True)
def _(after, before, guess_unchanged):
    mo.stop(guess_unchanged is None)
    learn.tiles(
        {"pooled": before, "moved by a pixel, pooled": after, "difference": after - before},
        "Two pooled pictures of the coins that look alike, and their difference, in which the outlines "
        "stand out.",
        height=2.2,
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **The surprise:** pooling is neither invariant nor, but for whole strides, equivariant (a moved
    image does not even give the same result, moved). What it buys is a wider view for less work. That a
    network bears shifts, it learns mostly from shifted examples.

    ## Gradient check

    First two ordinary points, with windows that overlap. (The second has too many derivatives to try
    each; six random directions must do.) Then a point where all four pixels are equal. There is no
    derivative there, so nothing can be right or wrong: the checker finds the *kink*, steps aside, and
    says so.
    """)
    return


@app.cell
def _():
    _x = np.random.default_rng(0).standard_normal((1, 2, 5, 6))
    learn.gradcheck(lambda x: F.max_pool2d(x, 3, stride=2, padding=1), [_x], name="max_pool2d, 3×3, stride 2")
    return


@app.cell
def _():
    _x = np.random.default_rng(1).standard_normal((2, 1, 5, 7))
    learn.gradcheck(lambda x: F.max_pool2d(x, (3, 2), stride=1), [_x], name="max_pool2d, (3, 2), stride 1")
    return


@app.cell
def _():
    learn.gradcheck(lambda x: F.max_pool2d(x, 2), [np.ones((1, 1, 2, 2))], name="max_pool2d at a tie")
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Exercises

    **1.** Forward, for $x$ (N, C, H, W), windows $k \times k$, stride $s$, no padding. NumPy can take the
    maximum of all images and channels at once: `axis=(2, 3)`.
    """)
    return


@app.function
def max_pool2d(x, k, s):
    raise NotImplementedError("your turn: return y (N, C, Ho, Wo)")


@app.cell
def _():
    learn.check("04.max_pool2d", max_pool2d)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("04.max_pool2d"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **2.** Backward. `window.argmax()` numbers the pixels of a window in reading order and finds the first of
    equals; `np.unravel_index` turns the number into $(i^*, j^*)$.
    """)
    return


@app.function
def max_pool2d_backward(g, x, k, s):
    raise NotImplementedError("your turn: return dx, of the shape of x")


@app.cell
def _():
    learn.check("04.max_pool2d_backward", max_pool2d_backward)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("04.max_pool2d_backward"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **3. Hunt a bug.** The documented form: the maximum over the neighbourhood of radius $r$, for every
    pixel. Its author tried photographs only.
    """)
    return


@app.function
def dilate(x, r):
    padded = np.pad(x, r)
    y = np.zeros(x.shape)
    for Y in range(y.shape[0]):
        for X in range(y.shape[1]):
            y[Y, X] = padded[Y : Y + 2 * r + 1, X : X + 2 * r + 1].max()
    return y


@app.cell
def _():
    learn.check("04.dilate", dilate)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("04.dilate"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Cost

    $k^2 - 1$ comparisons for each result and no multiplication: pooling is cheap beside a convolution.
    What it saves is the point. After a 2×2 pooling each further convolution has a quarter of the places
    to visit.
    """)
    return


@app.cell(hide_code=True)
def _():
    _x, _w = ms.randn(8, 16, 64, 64), ms.randn(16, 16, 3, 3)
    _small = F.max_pool2d(_x, 2)
    mo.md(
        "| 8 images of 16 channels, 64×64 | milliseconds |\n|---|---|\n"
        f"| max pooling 2×2 | {learn.milliseconds(lambda: F.max_pool2d(_x, 2)):.2f} |\n"
        f"| convolution 3×3 before it | {learn.milliseconds(lambda: F.conv2d(_x, _w, padding=1)):.2f} |\n"
        f"| convolution 3×3 after it | {learn.milliseconds(lambda: F.conv2d(_small, _w, padding=1)):.2f} |"
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Go further

    - `minitorch-seg show max_pool2d`: the framework keeps one small number for each window, the winner's.
      Why is this better than to search again in the backward pass?
    - `F.avg_pool2d` is a convolution. With which kernel? Is max pooling one, too?
    - SegNet keeps the winners' places and puts its numbers back there when it enlarges a map:
      `F.max_unpool2d`.
    - Zhang, *Making convolutional networks shift-invariant again*, 2019, measures what you have just
      measured.

    Next: **05**, losses and metrics.
    """)
    return


if __name__ == "__main__":
    app.run()
