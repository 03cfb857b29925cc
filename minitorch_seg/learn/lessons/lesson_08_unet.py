"""Lesson 08: Fully convolutional networks and U-Net.

Time: 60 minutes.  Needs: 03, 04, 05, 06, 07.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="08 Fully convolutional networks and U-Net")

with app.setup:
    import marimo as mo
    import numpy as np

    import minitorch_seg as ms
    from minitorch_seg import learn, nn
    from minitorch_seg.data.coins import coin_photograph
    from minitorch_seg.models.unet import DoubleConv

    F = ms.functional


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    # Fully convolutional networks and U-Net

    **You will be able to** make maps larger again, say what a transposed convolution is and is not, compute
    how far a network sees, and train a U-Net in which every operator is your own.

    **You need** lessons 03 (gradients of convolution), 04 (pooling), 05 (losses, IoU), 06 (training) and 07
    (a classifier at every pixel). Exercise 4 uses your answers to lessons 02 to 06.

    ## Why

    <details><summary>From lesson 07: the classifier saw 20×20 pixels. What would it cost to let it see 40×40
    in the same way?</summary>

    The dense layer has a weight for every place of its last map, so about four times as many weights, and
    as many more products for every pixel.

    </details>

    Pooling is the cheap way to see far: behind four poolings by 2 a 3×3 kernel reaches across 48 pixels. But
    there is then one answer for each block of 16×16 pixels. Let us be generous: suppose that network is
    *perfect*, and says of every block what most of its pixels are.

    **Predict:** which IoU does this perfect network reach for the coins (64×64 pixels, 16×16 blocks)?
    Here is what blocks of 4×4 and of 8×8 allow:
    """)
    return


@app.cell
def _():
    guess_iou = None  # your guess, between 0 and 1
    return (guess_iou,)


@app.cell
def _():
    images, masks = learn.coin_arrays("test")

    def best_of_blocks(size):
        n = 64 // size
        coin = masks.reshape(4, n, size, n, size).mean(axis=(2, 4)) > 0.5
        coin = coin.repeat(size, axis=1).repeat(size, axis=2)
        both, either = coin & (masks == 1), coin | (masks == 1)
        return coin, float(both.sum() / either.sum())

    return best_of_blocks, images, masks


@app.cell(hide_code=True)
def _(best_of_blocks, images, masks):
    _blocks = {n: best_of_blocks(n) for n in (4, 8)}
    learn.tiles(
        {
            "photograph": images[0, 0],
            "truth": masks[0],
            **{f"{n}×{n}: IoU {iou:.2f}": coin[0] for n, (coin, iou) in _blocks.items()},
        },
        "A coin; its mask; and the best possible answers in blocks of 4 and 8 pixels, staircases.",
        height=2.2,
    )
    return


@app.cell(hide_code=True)
def _(best_of_blocks, guess_iou):
    learn.prediction(
        guess_iou,
        best_of_blocks(16)[1],
        "no training can help: the answer is too coarse for the edges, and these are most of the error.",
        tolerance=0.05,
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    What repairs it: make the map larger again (*up-sampling*), and bring back the edges from the layers
    that still knew them (*skips*).

    ## By hand

    A *transposed convolution* with stride 2. Each number lays the kernel, times itself, onto the result, 2
    apart, and overlaps add. In one dimension, with $x = (1, 2, 3)$ and the kernel $w = (1, 1, 1)$:

    | place in $y$ | 0 | 1 | 2 | 3 | 4 | 5 | 6 |
    |---|---|---|---|---|---|---|---|
    | from 1 | 1 | 1 | 1 | | | | |
    | from 2 | | | 2 | 2 | 2 | | |
    | from 3 | | | | | 3 | 3 | 3 |
    | $y$ | **1** | **1** | **3** | **2** | **5** | **3** | **3** |

    Now apply the *convolution* with the same kernel and stride to $y$: the sums of three, 2 apart, are $1 +
    1 + 3 = 5$, $3 + 2 + 5 = 10$, $5 + 3 + 3 = 11$. We began with $(1, 2, 3)$: it did not come back.
    """)
    return


@app.cell
def _():
    _x, _w = ms.tensor([[[[1.0, 2, 3]]]]), ms.ones(1, 1, 1, 3)
    _y = F.conv_transpose2d(_x, _w, stride=(1, 2))
    assert _y.numpy().tolist() == [[[[1, 1, 3, 2, 5, 3, 3]]]]
    assert F.conv2d(_y, _w, stride=(1, 2)).numpy().tolist() == [[[[5, 10, 11]]]]
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Formula

    The documented text describes a network for segmentation in three steps: *convolution, pooling, dense
    layer*. What is right: this finds *what* is there. What is missing: the way back to the image's size. Of
    *where* it says nothing. A network without the dense layer, of convolutions, poolings and what makes maps
    larger, is *fully convolutional*: it takes images of any size, and answers at every pixel. Three formulas
    are new, written for one dimension; the second goes alike.

    **Transposed convolution**, with stride $s$ and padding $p$, of $x[u]$ with $H$ places:

    $$ y[Y] = \sum_{u, i\,:\; s u + i - p = Y} w[i]\; x[u], \qquad H_{out} = s (H - 1) + k - 2p $$

    **Bilinear up-sampling** by 2 takes both neighbours, by their distance (pixels are squares, and a new one
    has its centre a quarter to the left or to the right of an old one's):

    $$ y[2m] = \tfrac14 x[m - 1] + \tfrac34 x[m] \qquad y[2m + 1] = \tfrac34 x[m] + \tfrac14 x[m + 1] $$

    **Receptive field.** $r$ is how many input pixels in a row one result has seen, $d$ how far apart, in
    input pixels, two neighbouring results look. At first $r = d = 1$. A layer with kernel $k$ and stride $s$
    makes of them

    $$ r \leftarrow r + (k - 1)\, d \qquad d \leftarrow s\, d $$

    **U-Net** (Ronneberger et al., 2015) puts it together. $\downarrow$ is a max pooling, $\uparrow$ a
    transposed convolution, both by 2; *skips* go straight across and are joined to the channels from below.
    A last convolution, 1×1, makes the scores of each pixel:

    ```text
    64×64   image ─ two convolutions ───── skip ─────► join ─ two convolutions ─ scores
                          ↓                             ↑
    32×32           two convolutions ─── skip ──► join ─ two convolutions
                          ↓                        ↑
    16×16           two convolutions ─────────────►┘
    ```

    ## Derivation

    **The adjoint.** A convolution is linear, $y = A x$. From its formula, $y[Y] = \sum_i w[i]\, x[s Y + i -
    p]$, the matrix has the entries

    $$ A[Y, m] = w[m + p - s Y] \quad \text{(0 outside of the kernel)} $$

    Its *transpose* takes a small map to a large one:

    $$ (A^\top x)[m] = \sum_u A[u, m]\; x[u] = \sum_u w[m + p - s u]\; x[u] $$

    With $i = m + p - s u$, that is $s u + i - p = m$: the formula above. It is the sum of lesson 03, there
    called $dx$. So forward here is backward there, and the other way round. $A^\top$ is also called the
    *adjoint* of $A$: with $\langle a, b \rangle$ for the sum of all products $a[m]\, b[m]$, and any $g$ of
    the size of $y$,

    $$ \langle A x, g \rangle = \langle x, A^\top g \rangle $$

    **Not the inverse.** For an inverse $A^\top A$ would have to be the unit matrix. But for $s = 2$ the
    matrix $A$ has about half as many rows as columns (a quarter in two dimensions). Some $x \neq 0$ has
    $A x = 0$. It is gone, and nothing brings it back. The name *deconvolution*, used in many papers, promises
    too much.

    **Bilinear is a transposed convolution.** In the two formulas $x[m]$ is used by $y[2m - 1]$ with
    $\frac14$, by $y[2m]$ with $\frac34$, by $y[2m + 1]$ with $\frac34$ and by $y[2m + 2]$ with $\frac14$. So
    with $w = (\frac14, \frac34, \frac34, \frac14)$, $k = 4$, $s = 2$, and $p = 1$ since it begins one
    before $2m$. Many networks begin with these weights and learn others.

    **Receptive field.** A result of the new layer reads $k$ results of the one before, from the first to
    the last $k - 1$ steps, each $d$ input pixels wide. So it sees $(k - 1)\, d$ more. Two neighbours of
    the new layer are $s$ steps apart.

    ## Code

    First the matrix itself. Column $m$ of $A$ is the convolution of an image that is 1 at $m$ and 0
    elsewhere.
    """)
    return


@app.function
def matrix_of(linear, size):
    """The matrix of a linear function from arrays (size) to arrays."""
    columns = []
    for m in np.ndindex(size):
        unit = np.zeros(size)
        unit[m] = 1
        columns.append(linear(unit).ravel())
    return np.array(columns).T


@app.cell
def _():
    _w = ms.tensor(np.random.default_rng(0).standard_normal((1, 1, 3, 3)))
    A = matrix_of(lambda x: F.conv2d(x[None, None], _w, stride=2, padding=1).numpy(), (5, 7))
    _B = matrix_of(lambda x: F.conv_transpose2d(x[None, None], _w, stride=2, padding=1).numpy(), (3, 4))
    assert A.shape == (12, 35)
    assert np.allclose(_B, A.T)
    assert np.linalg.matrix_rank(A.T @ A) <= 12, "35×35 numbers, and at least 23 directions are lost"
    return (A,)


@app.cell(hide_code=True)
def _(A):
    learn.tiles(
        {"A: convolution, 35 pixels to 12": A, "transpose": A.T},
        "The matrix of a convolution with stride 2, mostly white with slanting rows of colour, and beside it "
        "the same matrix on its side.",
        signed=True,
        height=2.2,
    )
    return


@app.cell
def _():
    # Bilinear up-sampling, and the transposed convolution with the weights of the derivation.
    _x = np.random.default_rng(1).standard_normal((1, 1, 5, 6))
    _w = np.array([1.0, 3, 3, 1]) / 4
    _ours = F.conv_transpose2d(_x, ms.tensor(np.outer(_w, _w)[None, None]), stride=2, padding=1).numpy()
    _theirs = F.interpolate(_x, scale_factor=2, mode="bilinear").numpy()
    assert np.allclose(_ours[..., 1:-1, 1:-1], _theirs[..., 1:-1, 1:-1])  # at the border neighbours lack
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    Now a small U-Net, as short as it can be said. (The framework's, `models/unet.py`, is not much longer.)
    `skips=False` replaces what the skips carry by zeros.
    """)
    return


@app.class_definition
class SmallUNet(nn.Module):
    def __init__(self, B=4, skips=True):
        super().__init__()
        widths = [B, 2 * B, 4 * B, 8 * B]
        self.skips, back = skips, widths[2::-1]
        self.down = nn.ModuleList(DoubleConv(a, b) for a, b in zip([1, *widths], widths, strict=False))
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in back)
        self.merge = nn.ModuleList(DoubleConv(2 * w, w) for w in back)
        self.head = nn.Conv2d(B, 2, 1)

    def forward(self, x):
        first, *others = self.down
        x, kept = first(x), []
        for double_conv in others:
            kept.append(x)
            x = double_conv(F.max_pool2d(x, 2))
        for up, merge in zip(self.up, self.merge, strict=True):
            skip = kept.pop()
            x = merge(ms.cat([skip if self.skips else 0 * skip, up(x)], 1))
        return self.head(x)


@app.cell
def _():
    def _trained(skips, steps=40):
        ms.manual_seed(0)
        rng, (x, t) = np.random.default_rng(0), learn.coin_arrays("train")
        model = SmallUNet(skips=skips)
        adam = ms.optim.Adam(model.parameters(), lr=0.01)
        for _ in range(steps):
            chosen = rng.choice(len(x), 8, replace=False)
            loss = F.cross_entropy(model(ms.tensor(x[chosen] - np.float32(0.5))), ms.tensor(t[chosen]))
            adam.zero_grad()
            loss.backward()
            adam.step()
        return model.eval()

    with_skips, without_skips = _trained(True), _trained(False)
    return with_skips, without_skips


@app.cell(hide_code=True)
def _(with_skips, without_skips):
    _x = learn.coin_arrays("train")[0][[40]]

    def _coin(model):
        return F.softmax(model(ms.tensor(_x - np.float32(0.5))), 1).numpy()[0, 1]

    with ms.no_grad():
        _tiles = {"a training crop": _x[0, 0], "without skips": _coin(without_skips)}
        _tiles["with skips"] = _coin(with_skips)
    learn.tiles(
        _tiles,
        "A crop with coins, the blurred probabilities of a network without skips, and the sharper ones of a "
        "network with skips.",
        height=2.4,
    )
    return


@app.cell(hide_code=True)
def _(with_skips, without_skips):
    def _row(name, model):
        return f"| {name} | {learn.coin_iou(model, 'train'):.2f} | {learn.coin_iou(model):.2f} |"

    mo.md(
        "| IoU after 40 steps | coins it learned from | other coins |\n|---|---|---|\n"
        + _row("without skips", without_skips)
        + "\n"
        + _row("with skips", with_skips)
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    On the coins it learned from, the skips bring the edges back. On others, which lie on brighter ground,
    edges are not the trouble after so few steps, and the skips need not win: a finer answer is not yet a
    better judgement.

    ## Picture

    Does a transposed convolution undo a convolution? Here is the photograph, convolved with the mean of
    3×3 pixels and stride 2, and then brought back to its size in two ways. And what
    becomes of a *constant* image? Move the sliders.
    """)
    return


@app.cell
def _():
    kernel = mo.ui.slider(2, 6, value=5, label="kernel k", show_value=True)
    stride = mo.ui.slider(1, 3, value=2, label="stride s", show_value=True)
    mo.hstack([kernel, stride], justify="start")
    return kernel, stride


@app.cell
def _():
    photograph = coin_photograph()[0][15:155, 5:195] / 255.0
    _w = ms.tensor(np.full((1, 1, 3, 3), 1 / 9))
    _small = F.conv2d(photograph[None, None], _w, stride=2, padding=1)
    _back = F.conv_transpose2d(_small, _w, stride=2, padding=1).numpy()[0, 0]
    _smooth = F.interpolate(_small, scale_factor=2, mode="bilinear").numpy()[0, 0]
    learn.tiles(
        {
            "photograph": photograph[5:50, 25:85],
            "convolved, then transposed": _back[5:50, 25:85],
            "convolved, then bilinear": _smooth[5:50, 25:85],
        },
        "A part of the photograph; the same after a convolution and its transpose, covered by a grid of "
        "bright and dark pixels; and after bilinear up-sampling, blurred but smooth.",
        height=2.2,
    )
    return


@app.cell(hide_code=True)
def _(kernel, stride):
    def _of_ones(k, s):
        return F.conv_transpose2d(ms.ones(1, 1, 6, 9), ms.ones(1, 1, k, k), stride=s).numpy()[0, 0, :11, :14]

    learn.tiles(
        {
            "k = 3, s = 2": _of_ones(3, 2),
            "k = 4, s = 2": _of_ones(4, 2),
            f"yours: k = {kernel.value}, s = {stride.value}": _of_ones(kernel.value, stride.value),
        },
        "Transposed convolutions of a constant image by a constant kernel: a checkerboard of 1, 2 and 4 for "
        "a kernel of 3 with stride 2, and a flat 4 inside for a kernel of 4.",
        numbers=True,
        height=2.4,
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **The surprise:** constant in, constant kernel, and a *checkerboard* comes out. It is lesson 03's picture
    of the windows that see a pixel, now painted into the answer. It vanishes where $s$ divides $k$, as
    for U-Net: 2×2 and a stride of 2. (There nothing overlaps. But four weights that differ still paint a
    pattern: look for it in the answers of the trained networks.)

    How far does one pixel of the answer see? By the formula, with one pooling (depth 1): two convolutions 3×3
    make $r = 5$, the pooling $r = 6$ and $d = 2$, two more convolutions $r = 14$. On the way up each pixel
    comes from one result below, so $r$ stays and $d$ is 1 again; the last two convolutions make $r = 18$. The
    framework can also ask a network: which input pixels change this one?
    """)
    return


@app.cell
def _():
    _fields = {}
    for _depth in (1, 2, 3):
        ms.manual_seed(1)
        _unet = ms.models.UNet(1, 2, base_channels=4, depth=_depth)
        _seen = ms.models.seen(_unet, (1, 160, 160), (80, 80))
        _rows = np.argwhere(_seen)[:, 0]
        _fields[f"depth {_depth}: {np.ptp(_rows) + 1} pixels"] = _seen
    learn.tiles(
        _fields,
        "What one pixel of a U-Net's answer has seen, as white squares: small with one pooling, larger with "
        "two, more than half of the image's width with three.",
        height=2.2,
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Gradient check

    The adjoint in one line, $\langle A x, g \rangle = \langle x, A^\top g \rangle$, and then the checker on
    everything that is new.
    """)
    return


@app.cell
def _():
    _normal = np.random.default_rng(2).standard_normal
    _x, _w, _g = _normal((2, 3, 7, 8)), _normal((4, 3, 3, 2)), _normal((2, 4, 4, 5))
    _forward = F.conv2d(_x, ms.tensor(_w), stride=2, padding=1).numpy()
    _back = F.conv_transpose2d(_g, ms.tensor(_w), stride=2, padding=1).numpy()
    assert np.isclose((_forward * _g).sum(), (_x * _back).sum())
    learn.gradcheck(
        lambda x, w, b: F.conv_transpose2d(x, w, b, stride=(2, 3), padding=1),
        [_normal((2, 2, 3, 4)), _normal((2, 3, 3, 4)), _normal(3)],
        name="conv_transpose2d",
    )
    return


@app.cell
def _():
    _normal = np.random.default_rng(3).standard_normal
    learn.gradcheck(
        lambda x: F.interpolate(x, size=(7, 5), mode="bilinear"), [_normal((1, 2, 4, 3))], name="bilinear"
    )
    return


@app.cell
def _():
    _normal = np.random.default_rng(4).standard_normal

    def _bridge(x, w):
        low = F.conv_transpose2d(F.avg_pool2d(x, 2), w, stride=2)
        return ms.cat([x, low], 1)

    learn.gradcheck(_bridge, [_normal((1, 2, 4, 6)), _normal((2, 2, 2, 2))], name="down, up, and a skip")
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Exercises

    **1.** The transposed convolution of one image $x$ (H, W) by one kernel, with stride $s$ and padding $p$.
    """)
    return


@app.function
def transposed_convolution(x, w, s, p):
    raise NotImplementedError("your turn: lay the kernel down for each number of x; then think of p")


@app.cell
def _():
    learn.check("08.transposed_convolution", transposed_convolution)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("08.transposed_convolution"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **2.** The receptive field behind a row of layers; `kernels` and `strides` are lists, a pooling by 2
    is a kernel of 2 with stride 2.
    """)
    return


@app.function
def receptive_field(kernels, strides):
    raise NotImplementedError("your turn: return r")


@app.cell
def _():
    learn.check("08.receptive_field", receptive_field)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("08.receptive_field"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **3. Hunt a bug.** The first U-Net did not pad, so its maps shrank a little with every convolution, on
    all sides, and a skip was larger than what came from below. `join` crops the skip (N, C, H, W) and joins
    the channels, the skip's first. (Where the difference is odd, round down.) It passed wherever the
    sizes were equal.
    """)
    return


@app.function
def join(skip, up):
    H, W = up.shape[2:]
    return np.concatenate([skip[:, :, :H, :W], up], axis=1)


@app.cell
def _():
    learn.check("08.join", join)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("08.join"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **4. All your own.** Call `train()`, and return the losses that it returns, while `learn.using` holds
    *your* operators from lessons 02 to 06 in place of the framework's:

    ```python
    from lesson_02_convolution import conv2d      # your copies lie beside this file
    with learn.using(conv2d=(conv2d, conv2d_backward), max_pool2d=..., ...):
        losses = train()
    ```

    `conv2d`, `max_pool2d` and `relu` are pairs (forward, backward); `cross_entropy` is the pair of lesson
    05; `Adam` is your step of lesson 06. The `relu` you write now: `(x) -> y` and `(g, x) -> dx`. The
    check is a training of three steps, and it does not begin while one operator is still ours.
    """)
    return


@app.function
def train_with_mine(train):
    raise NotImplementedError("your turn: put all five operators in place, call train(), return its losses")


@app.cell
def _():
    verdict = learn.check("08.train_with_mine", train_with_mine)
    verdict
    return (verdict,)


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("08.train_with_mine"))
    return


@app.cell
def _(verdict):
    # The coins, by your operators alone.  (The transposed convolution of the way up is still ours.)
    mo.stop(not verdict, mo.md("*(A U-Net on the coins, by your operators, follows when this is right.)*"))
    _found = []

    def _coins():
        _found.extend(learn.train_on_coins(steps=12, batch_size=2))
        return _found[1]

    train_with_mine(_coins)
    _model, _losses = _found
    mo.md(
        f"Trained by your own operators: the loss went from {_losses[0]:.2f} to {_losses[-1]:.2f} in 12 "
        f"steps, and the coins' IoU is {learn.coin_iou(_model, 'train'):.2f}."
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Cost

    A level down has a quarter of the pixels and twice the channels; a convolution costs (pixels) ×
    (channels in) × (channels out), so every level costs as many products, and holds four times the weights.
    Depth is cheap in time and dear in weights.
    """)
    return


@app.cell(hide_code=True)
def _():
    def _row(depth):
        unet, x = ms.models.UNet(1, 2, base_channels=8, depth=depth), ms.zeros(1, 1, 128, 128)
        weights = sum(p.data.size for p in unet.parameters())
        with ms.no_grad():
            return f"| {depth} | {weights:,} | {learn.milliseconds(lambda: unet(x)):.1f} |"

    mo.md(
        "| depth | weights | milliseconds forward, 128×128 |\n|---|---|---|\n"
        + "\n".join(map(_row, (1, 2, 3)))
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Go further

    - The *effective* receptive field is smaller than $r$: `ms.models.gradient_by_distance` says how strongly
      each distance counts. Where has it fallen to a hundredth?
    - FCN (Long et al.) *adds* the skips, U-Net joins them as channels. What can the one do that the other
      cannot?
    - `models/segnet.py` keeps no maps for the way up, only the *places* of the maxima (lesson 04). What does
      that save?
    - Long, Shelhamer and Darrell, *Fully convolutional networks*, 2015; Ronneberger, Fischer and Brox,
      *U-Net*, 2015; Odena, Dumoulin and Olah, *Deconvolution and checkerboard artifacts*, 2016.

    Next: **09**, recurrence and back-propagation through time.
    """)
    return


if __name__ == "__main__":
    app.run()
