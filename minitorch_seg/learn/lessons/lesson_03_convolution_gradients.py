"""Lesson 03: The gradients of convolution.

Time: 60 minutes.  Needs: 01, 02.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="03 The gradients of convolution")

with app.setup:
    import time

    import marimo as mo
    import numpy as np

    import minitorch_seg as ms
    from minitorch_seg import learn
    from minitorch_seg.data.coins import coin_photograph

    F = ms.functional


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    # The gradients of convolution

    **You will be able to** derive what a convolution hands back to its image, its kernel and its bias, write
    it for batches and channels, and recognise the mistakes that look right.

    **You need** lessons 01 (the chain rule, `+=`) and 02 (the formula of `conv2d` and its letters).

    ## Why

    <details><summary>From lesson 01: when is a gradient a <em>sum</em>, and which mistake follows from
    forgetting it?</summary>

    When a value is used more than once: each use is a path to the loss, and paths add up. Writing `=` where
    `+=` belongs keeps the last path only. A kernel's weight is used at *every* place of the image.

    </details>

    In lesson 02 someone chose the kernels: edges, blur. A network chooses its own, and gradients tell it how.
    Here is the smallest case. Somebody filtered the photograph with a secret 3×3 kernel. Only the result
    is known. Begin with random weights, compare, and step downhill:
    """)
    return


@app.cell
def _():
    photograph = coin_photograph()[0][15:155, 5:195] / 255.0
    secret = np.array([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    image = ms.tensor(photograph[None, None] - photograph.mean())
    known = F.conv2d(image, ms.tensor(secret[None, None]))
    _rng = np.random.default_rng(0)
    w = ms.tensor(_rng.standard_normal((1, 1, 3, 3)), requires_grad=True)
    optimizer = ms.optim.Adam([w], lr=0.1)
    kernels = {}
    for step in range(301):
        loss = ((F.conv2d(image, w) - known) ** 2).mean()
        if step in (0, 30, 100, 300):
            kernels[f"step {step}"] = w.detach().numpy()[0, 0].copy()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return kernels, known, photograph, secret


@app.cell(hide_code=True)
def _(kernels, known, secret):
    assert np.abs(kernels["step 300"] - secret).max() < 0.1
    learn.tiles(
        {"what is known": np.abs(known.numpy()[0, 0])},
        "Edges of coins, made by the secret kernel.",
        height=2.4,
    )
    return


@app.cell(hide_code=True)
def _(kernels, secret):
    learn.tiles(
        {**{_name: _w.round(1) for _name, _w in kernels.items()}, "secret": secret},
        "The kernel at steps 0, 30, 100 and 300, from random numbers to the secret kernel: −1 −2 −1, 0, "
        "1 2 1 by columns.",
        signed=True,
        numbers=True,
        height=2.2,
        rows=2,
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## By hand

    The image and the kernel of lesson 02, and a $g = \partial L / \partial y$ that somebody hands us:

    $$
    x = \begin{pmatrix} 1 & 2 & 0 \\ 0 & 3 & 1 \\ 4 & 1 & 2 \end{pmatrix}
    \qquad
    w = \begin{pmatrix} 1 & -1 \\ 2 & 0 \end{pmatrix}
    \qquad
    g = \begin{pmatrix} 1 & 0 \\ 2 & -1 \end{pmatrix}
    $$

    *The weight* $w[0, 0]$ met the pixels 1, 2, 0, 3, one in each window. Each meeting counts with the $g$ of
    its window: $1 \cdot 1 + 0 \cdot 2 + 2 \cdot 0 + (-1) \cdot 3 = -2$.

    *The pixel* in the middle, $x[1, 1] = 3$, was in all four windows, each time under another weight: under
    $w[1, 1]$ in the first window, $w[1, 0]$ in the second, $w[0, 1]$ in the third, $w[0, 0]$ in the fourth.
    Together: $1 \cdot 0 + 0 \cdot 2 + 2 \cdot (-1) + (-1) \cdot 1 = -3$.

    *The bias* was added to all four: $1 + 0 + 2 - 1 = 2$.
    """)
    return


@app.cell
def _():
    x_hand = ms.tensor([[[[1.0, 2, 0], [0, 3, 1], [4, 1, 2]]]], requires_grad=True)
    w_hand = ms.tensor([[[[1.0, -1], [2, 0]]]], requires_grad=True)
    b_hand = ms.tensor([0.0], requires_grad=True)
    g_hand = ms.tensor([[[[1.0, 0], [2, -1]]]])
    F.conv2d(x_hand, w_hand, b_hand).backward(g_hand)
    assert w_hand.grad[0, 0, 0, 0].item() == -2
    assert x_hand.grad[0, 0, 1, 1].item() == -3
    assert b_hand.grad.item() == 2
    return g_hand, w_hand, x_hand


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Formula

    Compare the first two examples: the windows of the weight run *forward*, (0,0), (0,1), (1,0),
    (1,1), but the pixel met the weights in the order (1,1), (1,0), (0,1), (0,0): *backward*.

    **Predict:** `conv2d` does not flip its kernel. Written as a sum over $g$ around a pixel, does its
    gradient with respect to the *image* flip it? Write "yes" or "no".
    """)
    return


@app.cell
def _():
    guess_flip = None  # your guess, "yes" or "no"
    return (guess_flip,)


@app.cell(hide_code=True)
def _(guess_flip):
    learn.prediction(
        guess_flip,
        "yes",
        "the window that begins one pixel further left sees the pixel under a weight one further right. "
        "So the flip, which every framework leaves out of the forward pass, comes back in the backward "
        "pass.",
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **The surprise:** the true convolution, whose formula this project began with and which no framework
    computes forward, is what every framework computes *backward*.

    The documented text gives no gradients. For its formula, read as in lesson 02, $y = (x \odot w) * h$,
    they are

    $$
    c(i, j) = \sum_{X, Y} g(X, Y)\, h(X - i, Y - j)
    $$

    $$
    \frac{\partial L}{\partial x} = w \odot c, \qquad
    \frac{\partial L}{\partial w} = x \odot c
    $$

    $$
    \frac{\partial L}{\partial h} (u, v) = \sum_{i,j} g(i + u, j + v)\, (x \odot w)(i, j)
    $$

    What is right in it: the image's gradient is $g$ looked at through the kernel. What is wrong stays wrong:
    $\partial L / \partial w$ has one number for each *place* of the image, so what is learned from a coin at
    the left is of no use for a coin at the right. For the repaired formula, `conv2d`, in its letters,

    $$
    y[Y, X] = b + \sum_{i, j} w[i, j]\; x[sY + i - p,\; sX + j - p]
    $$

    the three gradients are

    $$ db = \sum_{Y, X} g[Y, X] $$

    $$ dw[i, j] = \sum_{Y, X} g[Y, X]\; x[sY + i - p,\; sX + j - p] $$

    $$ dx[m, n] = \sum_{Y, X} g[Y, X]\; w[m + p - sY,\; n + p - sX] $$

    where a $w$ outside the kernel counts as 0. $dx$ is short for $\partial L / \partial x$.

    ## Derivation

    The chain rule of lesson 01: sum over all results $y[Y, X]$, each $g$ times a slope.

    **The bias.** $\partial y[Y, X] / \partial b = 1$, everywhere. So $db = \sum g$.

    **The kernel.** In $y[Y, X]$ the weight $w[i, j]$ stands once, times $x[sY + i - p, sX + j - p]$. That
    factor is the slope:

    $$ dw[i, j] = \sum_{Y, X} g[Y, X] \cdot x[sY + i - p,\; sX + j - p] $$

    **The image.** In $y[Y, X]$ the pixel $x[m, n]$ stands under the weight $w[i, j]$ with

    $$ sY + i - p = m \iff i = m + p - sY $$

    $$ sX + j - p = n \iff j = n + p - sX $$

    if there is such a weight, $0 \le i < k_h$ and $0 \le j < k_w$; else not at all. That weight is the slope:

    $$ dx[m, n] = \sum_{Y, X} g[Y, X] \cdot w[m + p - sY,\; n + p - sX] $$

    For $s = 1$ the indices of $w$ run against those of $g$: a true convolution. For $s > 1$ think of $g$ with
    $s - 1$ zeros between its numbers; the sum is then the same. This is the *transposed convolution*.

    **Batches and channels.** All images of a batch share $w[o, c]$, so $dw$ sums over the images too. A pixel
    of channel $c$ goes into every output $o$, so $dx$ sums over $o$.

    **The documented form.** Put $z = x \odot w$, so that $y(X, Y) = \sum_{i,j} z(i, j)\, h(X - i, Y -
    j)$. In $y(X, Y)$ the number $z(i, j)$ stands times $h(X - i, Y - j)$, its slope, so $\partial L /
    \partial z = c$. In $z$ each pixel stands times its weight: the slope is $w$ for $x$, and $x$ for $w$.
    That gives $w \odot c$ and $x \odot c$. Last, $h(u, v)$ meets $z(i, j)$ where $X = i + u$ and $Y = j +
    v$, with the slope $z(i, j)$: the sum over all $(i, j)$ is $\partial L / \partial h$.

    ## Code

    There are two ways to write $dx$. *Scatter*: walk over the results, and let each hand back its share
    along the weights it was made with. *Gather*: walk over the pixels, and let each collect. First both for
    $s = 1$, $p = 0$.
    """)
    return


@app.function
def image_gradient_scatter(g, w, H, W):
    dx = np.zeros((H, W))
    kh, kw = w.shape
    for Y in range(g.shape[0]):
        for X in range(g.shape[1]):
            dx[Y : Y + kh, X : X + kw] += g[Y, X] * w
    return dx


@app.function
def image_gradient_gather(g, w, H, W):
    dx = np.zeros((H, W))
    for m in range(H):
        for n in range(W):
            for Y in range(g.shape[0]):
                for X in range(g.shape[1]):
                    i, j = m - Y, n - X
                    if 0 <= i < w.shape[0] and 0 <= j < w.shape[1]:
                        dx[m, n] += g[Y, X] * w[i, j]
    return dx


@app.cell
def _(g_hand, w_hand, x_hand):
    _g, _w = g_hand.numpy()[0, 0], w_hand.detach().numpy()[0, 0]
    _framework = x_hand.grad.numpy()[0, 0]
    assert (image_gradient_scatter(_g, _w, 3, 3) == _framework).all()
    assert (image_gradient_gather(_g, _w, 3, 3) == _framework).all()
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    Scattering is shorter, but two threads that scatter to one pixel disturb each other. So the framework's
    kernels gather. Its backward is written in operators: `minitorch-seg show conv2d` prints it. The image's
    gradient is `conv_transpose2d`, the kernel's is a correlation of the image with $g$.

    ## Picture

    How much does each pixel matter? Let $g$ and $w$ be all ones. Then $dx$ simply *counts the windows* that
    see a pixel. Move the sliders: which kernel and stride treat all pixels of the middle alike?
    """)
    return


@app.cell
def _():
    kernel = mo.ui.slider(1, 5, value=3, label="kernel k", show_value=True)
    stride = mo.ui.slider(1, 4, value=2, label="stride s", show_value=True)
    mo.hstack([kernel, stride], justify="start")
    return kernel, stride


@app.cell
def _(kernel, stride):
    def _counts(k, s):
        pixels = ms.zeros(1, 1, 13, 19, requires_grad=True)
        F.conv2d(pixels, ms.ones(1, 1, k, k), stride=s).sum().backward()
        return pixels.grad.numpy()[0, 0]

    _chosen = _counts(kernel.value, stride.value)
    learn.tiles(
        {
            "k = 3, s = 1": _counts(3, 1),
            "k = 4, s = 2": _counts(4, 2),
            f"k = {kernel.value}, s = {stride.value}": _chosen,
        },
        "How many windows see each pixel: 9 everywhere in the middle for k = 3, s = 1, and 4 for k = 4, "
        f"s = 2. For k = {kernel.value}, s = {stride.value} the middle has {np.unique(_chosen[5:9, 6:13])}.",
        numbers=True,
        rows=2,
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    Kernels that are no multiple of the stride make a *checkerboard*: some pixels are in fewer windows
    than their neighbours and count less, and the transposed convolution, the same sum, paints the pattern
    into images (lesson 08). And do you recall the floor in lesson 02's formula of the size? For $k = 4$,
    $s = 2$ it leaves out the last row and the last column: no window sees them.

    ## Gradient check

    A convolution is linear in $x$: $y = A x$ for some matrix $A$. Handing back is $A^\top$, and so for any
    $x$ and $g$ the two inner products must agree: $\langle A x, g \rangle = \langle x, A^\top g \rangle$.
    One line checks it. The numeric check then looks at all three gradients with stride, padding and a kernel
    that is not square.
    """)
    return


@app.cell
def _():
    _normal = np.random.default_rng(0).standard_normal
    _x, _w, _g = _normal((2, 3, 7, 8)), _normal((4, 3, 3, 2)), _normal((2, 4, 4, 5))
    _forward = F.conv2d(_x, ms.tensor(_w), stride=2, padding=1)
    _back = F.conv_transpose2d(_g, ms.tensor(_w), stride=2, padding=1)
    assert np.isclose((_forward.numpy() * _g).sum(), (_x * _back.numpy()).sum())
    learn.gradcheck(
        lambda x, w, b: F.conv2d(x, w, b, stride=(2, 3), padding=(1, 2)),
        [_normal((2, 2, 5, 6)), _normal((3, 2, 3, 2)), _normal(3)],
        name="conv2d, stride (2, 3), padding (1, 2)",
    )
    return


@app.cell
def _():
    _normal = np.random.default_rng(1).standard_normal
    learn.gradcheck(
        F.documented_convolution,
        [_normal((3, 4)), _normal((3, 4)), _normal((2, 3))],
        name="documented_convolution",
    )
    return


@app.cell
def _():
    _normal = np.random.default_rng(2).standard_normal
    learn.gradcheck(
        lambda x, w: F.conv_transpose2d(x, w, stride=2, padding=1),
        [_normal((1, 2, 3, 4)), _normal((2, 3, 3, 2))],
        name="conv_transpose2d",
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Exercises

    **1.** The kernel's gradient, for one image and one kernel, with stride $s$ and padding $p$.
    The sum of the derivation, loop by loop. ($w$ is given for its shape.)
    """)
    return


@app.function
def kernel_gradient(g, x, w, s, p):
    raise NotImplementedError("your turn: g (Ho, Wo), x (H, W), w (kh, kw); return dw")


@app.cell
def _():
    learn.check("03.kernel_gradient", kernel_gradient)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("03.kernel_gradient"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **2.** The image's gradient, with stride and padding. Scatter into the *padded* image, then cut the frame
    away.
    """)
    return


@app.function
def image_gradient(g, x, w, s, p):
    raise NotImplementedError("your turn: return dx, of the shape of x")


@app.cell
def _():
    learn.check("03.image_gradient", image_gradient)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("03.image_gradient"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **3.** All three gradients, for $x$ (N, C, H, W) and $w$ (O, C, kh, kw). Two loops, over $i$ and $j$, are
    enough: for fixed $(i, j)$ take the slice of the padded image that this weight saw, as in lesson 02, and
    let `np.einsum` sum over the letters that must go. Once it is right, the cell below trains a network with
    it.
    """)
    return


@app.function
def conv2d_backward(g, x, w, s, p):
    raise NotImplementedError("your turn: return dx, dw, db")


@app.cell
def _():
    verdict = learn.check("03.conv2d_backward", conv2d_backward)
    verdict
    return (verdict,)


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("03.conv2d_backward"))
    return


@app.cell
def _(verdict):
    # Your backward, and the hidden forward of lesson 02, train a small U-Net: no convolution of ours is left.
    mo.stop(not verdict, mo.md("*(A training with your code follows when the verdict is right.)*"))
    with learn.using(conv2d=(learn.exercise("02.conv2d").answer, conv2d_backward)):
        _model, _losses = learn.train_on_coins(steps=10)
    mo.md(f"Trained by your gradients: the loss went from {_losses[0]:.2f} to {_losses[-1]:.2f}.")
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **4. Hunt a bug.** The backward of `np.pad(x, p)`: cut the frame away. It passed for $p = 1$ and $p = 2$.
    """)
    return


@app.function
def pad_backward(g, x, p):
    return g[p:-p, p:-p]


@app.cell
def _():
    learn.check("03.pad_backward", pad_backward)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("03.pad_backward"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Cost

    $dw$ has the same multiplications as the forward pass, only summed differently, and so has $dx$. A
    training step therefore costs about three forward passes. The first layer needs no $dx$: nobody trains
    the photograph.
    """)
    return


@app.cell(hide_code=True)
def _():
    _x = ms.randn(8, 16, 64, 64, requires_grad=True)
    _w = ms.randn(16, 16, 3, 3, requires_grad=True)
    for _ in range(2):  # the first time kernels are compiled
        _start = time.perf_counter()
        _y = F.conv2d(_x, _w, padding=1)
        _middle = time.perf_counter()
        _y.backward(_y.detach())
        _end = time.perf_counter()
    mo.md(
        f"| 8 images, 16 to 16 channels, 64×64 | milliseconds |\n|---|---|\n"
        f"| forward | {1000 * (_middle - _start):.1f} |\n| backward, dx and dw | "
        f"{1000 * (_end - _middle):.1f} |"
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Go further

    - A transposed convolution is sometimes called *deconvolution*. Does it undo a convolution? Apply one
      after the other to the photograph with `F.conv2d` and `F.conv_transpose2d`, and look.
    - What is the gradient of the gradient? $dw$ is linear in $g$ and in $x$: which operators differentiate
      it?
    - LeCun et al., 1998, appendix; Dumoulin and Visin, 2016, chapter 4; Odena, Dumoulin and Olah,
      *Deconvolution and checkerboard artifacts*, Distill, 2016.

    Next: **04**, max pooling.
    """)
    return


if __name__ == "__main__":
    app.run()
