"""Lesson 07: A classifier at every pixel.

Time: 55 minutes.  Needs: 02, 04, 05, 06.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="07 A classifier at every pixel")

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
    # A classifier at every pixel

    **You will be able to** say what is wrong with a well-known example of code, turn a classifier of images
    into a segmentation, and prove that a dense layer is a convolution.

    **You need** lessons 02 (convolution), 04 (pooling), 05 (losses) and 06 (training).

    ## Why

    <details><summary>From lesson 05: what does a cross-entropy need from a network, a score or a
    probability?</summary>

    One of the two, but the loss has to know which. From *scores* it takes the softmax (or, for a single
    score, the sigmoid) itself. Given scores where it expects probabilities, it takes logarithms of negative
    numbers, unless somebody clips them.

    </details>

    The text from which this project grew gives one complete example of "image segmentation with a
    convolutional network", in Keras:

    ```python
    model = Sequential([
        Input((224, 224, 3)),
        Conv2D(32, (3, 3), activation='relu'), MaxPooling2D((2, 2)),
        Conv2D(64, (3, 3), activation='relu'), MaxPooling2D((2, 2)),
        Flatten(), Dense(1024, activation='relu'), Dense(1),
    ])
    model.compile(optimizer='adam', loss='binary_crossentropy', metrics=['accuracy'])
    model.fit(x_train, y_train, batch_size=32, epochs=10, validation_data=(x_test, y_test))
    ```

    It is a network, and it learns. But does it segment? It returns **one number for an image**: "coin"
    or "no coin", without a place. We run it as it stands, only smaller: grey patches of 20×20 pixels in
    place of 224×224 in colour, 8 and 16 channels for 32 and 64, 32 dense numbers for 1024. A patch's
    label says whether the pixel in its *middle*, red below, is coin.
    """)
    return


@app.cell
def _():
    S = 20
    _images, _masks = learn.coin_arrays("train")
    _rng = np.random.default_rng(0)
    _which = _rng.integers(0, len(_images), 6400)
    _rows, _columns = _rng.integers(0, 64 - S + 1, (2, 6400))
    _places = list(zip(_which, _rows, _columns, strict=True))
    x_train = np.stack([_images[n, :, r : r + S, c : c + S] for n, r, c in _places]) - np.float32(0.5)
    y_train = _masks[_which, _rows + S // 2, _columns + S // 2][:, None].astype(np.float32)
    return S, x_train, y_train


@app.cell(hide_code=True)
def _(x_train, y_train):
    def _with_middle(patch):
        colour = np.repeat(patch[..., None] + 0.5, 3, axis=2)
        colour[len(patch) // 2, len(patch) // 2] = (1, 0.2, 0)
        return colour

    learn.tiles(
        {f"{n}: {'coin' if y_train[n, 0] else 'ground'}": _with_middle(x_train[n, 0]) for n in range(8)},
        "Eight grey patches of 20×20 pixels cut from the photograph, each named coin or ground by its middle "
        "pixel, which is red.",
        height=1.1,
    )
    return


@app.cell
def _(S, x_train, y_train):
    def fit(loss, bias=0.0, steps=150):
        ms.manual_seed(0)
        model = ms.models.PatchCNN(1, 1, size=S, base_channels=8, hidden=32)
        model.head.bias.data[...] = bias
        adam, losses, silent = ms.optim.Adam(model.parameters()), [], []
        for step in range(steps):
            z = model(ms.tensor(x_train[step::steps]))
            value = loss(z, ms.tensor(y_train[step::steps]))
            adam.zero_grad()
            value.backward()
            adam.step()
            losses.append(value.item())
            numbers = z.detach().numpy()
            silent.append(np.mean((numbers < 0) | (numbers > 1)))
        return model, losses, silent

    return (fit,)


@app.cell
def _(fit):
    def as_written(z, t):  # Keras clips what it takes for a probability
        return F.binary_cross_entropy(z.clamp(1e-7, 1 - 1e-7), t)

    written, written_losses, silent = fit(as_written)
    unlucky, unlucky_losses, unlucky_silent = fit(as_written, bias=-3.0)
    repaired, repaired_losses, _ = fit(F.binary_cross_entropy_with_logits, bias=-3.0)
    assert unlucky.head.bias.item() == -3, "not one weight has moved"
    return repaired_losses, silent, unlucky_losses, unlucky_silent, written_losses


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    `Dense(1)` has no sigmoid, so its number $z$ can be anything; `binary_crossentropy` takes it for a
    probability and clips it into $(0, 1)$. Where something was clipped, the slope is 0: such a
    patch hands back *nothing*.

    **Predict:** what share of the patches hands back nothing, in the last 50 of 150 steps? (0 to 1)
    """)
    return


@app.cell
def _():
    guess_silent = None  # your guess, between 0 and 1
    return (guess_silent,)


@app.cell(hide_code=True)
def _(guess_silent, silent, unlucky_silent):
    assert np.mean(silent[-50:]) > 0.6 and min(silent[:10]) == min(unlucky_silent) == 1
    learn.prediction(
        guess_silent,
        round(float(np.mean(silent[-50:])), 2),
        "most patches are outside of (0, 1). Where they are on the right side that does no harm; where they "
        "are on the wrong side nobody ever tells them.",
        tolerance=0.1,
    )
    return


@app.cell(hide_code=True)
def _(repaired_losses, unlucky_losses, written_losses):
    def _row(name, losses):
        first, last = np.mean(losses[:10]), np.mean(losses[-10:])
        return f"| {name} | {first:.2f} | {last:.2f} |"

    mo.md(
        "| loss, mean of ten steps | first | last |\n|---|---|---|\n"
        + "\n".join(
            [
                _row("as written", written_losses),
                _row("as written, the last bias begins at −3", unlucky_losses),
                _row("repaired (loss of scores), the same bias", repaired_losses),
            ]
        )
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **The surprise:** as written it learns all the same, from the few patches that still speak: a
    clipped loss is content once $z > 1$ or $z < 0$ on the right side. That is why such a mistake lives
    long. But it was luck. In the first ten steps *no* patch spoke (so the first two rows begin alike);
    then a few fell into $(0, 1)$, and the rest followed. Where all $z$ begin far on one side, every
    slope stays 0, and *no weight ever moves*. The loss of scores, `binary_cross_entropy_with_logits`,
    has the slope $\mathrm{sigmoid}(z) - t$, which is never 0.

    ## By hand

    A row of pixels, $x = (3, 1, 4, 1, 5, 9)$. The classifier looks at patches of 4: pool by 2, then a dense
    layer with the weights $(1, -1)$.

    - patch 3 1 4 1: maxima 3 and 4, score $3 - 4 = -1$
    - patch 1 4 1 5: maxima 4 and 5, score $-1$
    - patch 4 1 5 9: maxima 4 and 9, score $-5$

    Six maxima, but that of 4 1 was taken twice, in the first patch and in the third. So take the
    maximum of *every* two neighbours once: $m = (3, 4, 4, 5, 9)$. The patch at 0 used $m_0$ and $m_2$,
    that at 1 used $m_1$ and $m_3$, that at 2 used $m_2$ and $m_4$. The scores are $m_Y - m_{Y+2}$: a
    convolution whose two weights stand **2 apart**.
    """)
    return


@app.cell
def _():
    _x = ms.tensor([[[[3.0, 1, 4, 1, 5, 9]]]])
    _m = F.max_pool2d(_x, (1, 2), stride=1)
    _z = F.conv2d(_m, ms.tensor([[[[1.0, -1]]]]), dilation=(1, 2))
    assert _m.numpy().tolist() == [[[[3, 4, 4, 5, 9]]]]
    assert _z.numpy().tolist() == [[[[-1, -1, -5]]]]
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Formula

    What is right in the documented example: convolution, pooling, dense is a sound classifier. What is
    wrong:

    1. One number for an image is a classification. A segmentation needs one for each pixel.
    2. No sigmoid, as we saw. And Keras's `accuracy` cuts at 0.5, where a score has to be cut at 0.
    3. `validation_data` is the *test* set: whoever then chooses the best epoch has learned from the test.
    4. At 224×224×3 the first dense layer has $54 \cdot 54 \cdot 64 \cdot 1024 = 191$ million weights.

    The repair of the first: lay a patch of $S \times S$ around every pixel, and ask the classifier
    about each. In letters: the patch at $(Y, X)$ is $p[i, j] = x[Y + i, X + j]$. Behind the last
    pooling it is a map $a[c, i, j]$ of $C$ channels with $k \times k$ places. `Flatten` puts it in a
    row, and the dense layer with the weights $W$ and the biases $b$, whose results have the numbers
    $o$,

    $$ z[o] = b[o] + \sum_{c, i, j} W[o,\; (c k + i) k + j] \;\, a[c, i, j] $$

    is, with $w[o, c, i, j] = W[o, (c k + i) k + j]$, a convolution with a kernel as large as the map,
    at its only place. (So PyTorch flattens, channel by channel, CHW. Keras goes pixel by pixel, HWC:
    the column is then $(i k + j)\, C + c$.)

    For **all** patches at once, with $d = 1$ to begin with:

    | in the patch | on the whole image |
    |---|---|
    | convolution | the same, with dilation $d$ |
    | pool, stride $s$ | pool, stride 1, dilation $d$; then $d \leftarrow s\, d$ |
    | flatten, dense | convolution $k \times k$, with dilation $d$ |

    ## Derivation

    *Claim.* At every layer there is one map $A$ for the whole image, and the map $a$ of the patch at
    $(Y, X)$ lies in it, $d$ apart:

    $$ a[c, i, j] = A[c,\; Y + d i,\; X + d j] $$

    *At the beginning* $a$ is the patch, $A$ the image, and $d = 1$: true by definition.

    *Convolution.* Suppose it is true before. Then (the sum over channels is left out, it changes
    nothing)

    $$ a'[i, j] = b + \sum_{u, v} w[u, v]\; a[i + u,\; j + v] $$

    $$ = b + \sum_{u, v} w[u, v]\; A[Y + d i + d u,\; X + d j + d v] $$

    which is $A'[Y + d i, X + d j]$ for $A' =$ convolution of $A$ with dilation $d$. True after it.

    *Relu* changes each number by itself. Nothing to prove.

    *Pool, stride $s$.*

    $$ a'[i, j] = \max_{u, v}\; a[s i + u,\; s j + v] $$

    $$ = \max_{u, v}\; A[Y + d s i + d u,\; X + d s j + d v] $$

    With $A' =$ pool of stride 1 and dilation $d$ that is $A'[Y + (d s)\, i,\; X + (d s)\, j]$: true after it,
    with $d s$ for $d$.

    *Dense.* Put the claim into $z[o]$: a convolution of $A$ with $w$ and dilation $d$, at $(Y, X)$.
    $\square$

    Nothing was approximated. What the patches computed again and again is computed once.

    ## Code

    A small classifier: 3×3 convolution $w$, relu, pool 2, dense $v$ (already as $k \times k$). First for one
    patch, then at every place.
    """)
    return


@app.function
def classify(patch, w, v):
    S, k = len(patch), len(v)
    a = np.zeros((S - 2, S - 2))
    for i in range(S - 2):
        for j in range(S - 2):
            a[i, j] = max(0, (patch[i : i + 3, j : j + 3] * w).sum())
    z = 0
    for i in range(k):
        for j in range(k):
            z += v[i, j] * a[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].max()
    return z


@app.function
def sliding_window(x, w, v):
    S = 2 * len(v) + 2
    z = np.zeros((x.shape[0] - S + 1, x.shape[1] - S + 1))
    for Y in range(z.shape[0]):
        for X in range(z.shape[1]):
            z[Y, X] = classify(x[Y : Y + S, X : X + S], w, v)
    return z


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    Exercise 3 asks you for the fast form of this. The framework has both for the documented network:
    `PatchCNN.sliding_window` cuts a patch for each pixel, `PatchCNN.fully_convolutional` uses the table
    above. The proof by equality, on a piece of the photograph, with the trained weights:
    """)
    return


@app.cell
def _(fit):
    model, losses, _ = fit(F.binary_cross_entropy_with_logits)
    photograph = coin_photograph()[0][15:155, 5:195].astype(np.float32) / 255 - np.float32(0.5)
    piece = ms.tensor(photograph[None, None, :30, :40])
    slow = model.sliding_window(piece).numpy()
    fast = model.fully_convolutional(piece).detach().numpy()
    assert slow.shape == (1, 1, 30, 40)
    assert np.allclose(slow, fast, atol=1e-4)
    return model, photograph, piece


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Picture

    The window moves over the photograph, and where it stands the classifier says how sure it is that the
    middle is coin. Move it. Then look at the map of all places.
    """)
    return


@app.cell
def _(S):
    row = mo.ui.slider(0, 139 - S, value=40, label="row Y", show_value=True)
    column = mo.ui.slider(0, 189 - S, value=62, label="column X", show_value=True)
    mo.hstack([row, column], justify="start")
    return column, row


@app.cell
def _(S, column, model, photograph, row):
    probability = F.sigmoid(model.segment(ms.tensor(photograph[None, None]))).numpy()[0, 0]
    _marked = np.repeat(photograph[..., None] + 0.5, 3, axis=2)
    _Y, _X = row.value, column.value
    for _edge in (0, S - 1):
        _marked[_Y + _edge, _X : _X + S] = _marked[_Y : _Y + S, _X + _edge] = (1, 0.2, 0)
    _patch = photograph[_Y : _Y + S, _X : _X + S] + 0.5
    learn.tiles(
        {
            "the window": _marked,
            f"coin: {probability[_Y + S // 2, _X + S // 2]:.2f}": _patch,
            "every place": probability,
        },
        "The photograph with a red window, the patch in it with its probability, and the map of all "
        "probabilities, in which the coins are white.",
        height=2.3,
    )
    return


@app.cell(hide_code=True)
def _(model):
    _images, _masks = learn.coin_arrays("test")
    _coin = model.segment(ms.tensor(_images - np.float32(0.5))).numpy()[:, 0] > 0
    _both, _either = _coin & (_masks == 1), _coin | (_masks == 1)
    _iou = _both.sum(axis=(1, 2)) / _either.sum(axis=(1, 2))
    learn.tiles(
        {
            **{f"test {n}": _images[n, 0] for n in range(4)},
            **{f"IoU {_iou[n]:.2f}": _coin[n] for n in range(4)},
        },
        "Four test crops with one coin each, and below them what was found: the coins, a little too large, "
        "and in the first crop much of the bright ground as well.",
        height=1.6,
        rows=2,
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    So the documented network does segment, once it is asked at every pixel. It sees 20×20 pixels and nothing
    beyond; on bright ground that is too little. Larger windows cost weights; lesson
    08 finds another way.

    ## Gradient check

    As one chain of operators the classifier is trained on whole images as well, and the dilated pool hands
    back to the right places:
    """)
    return


@app.cell
def _():
    _normal = np.random.default_rng(0).standard_normal

    def _everywhere(x, w, v):
        a = F.max_pool2d(F.relu(F.conv2d(x, w)), 2, stride=1)
        return F.conv2d(a, v, dilation=2)

    learn.gradcheck(
        _everywhere,
        [_normal((2, 1, 9, 8)), _normal((2, 1, 3, 3)), _normal((3, 2, 2, 2))],
        name="the classifier at every pixel",
    )
    return


@app.cell
def _():
    _normal = np.random.default_rng(1).standard_normal
    learn.gradcheck(
        lambda x: F.max_pool2d(x, 2, stride=1, dilation=2), [_normal((1, 2, 5, 6))], name="dilated pool"
    )
    return


@app.cell
def _():
    learn.gradcheck(
        F.binary_cross_entropy_with_logits,
        [np.array([[-30.0], [0.5], [2.0]]), np.array([[1.0], [0.0], [1.0]])],
        name="binary_cross_entropy_with_logits",
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Exercises

    **1.** The weights of a dense layer, $W$ with one row for each of the $D$ results, as a kernel
    (D, C, k, k); `order` is `"CHW"` or `"HWC"`.
    """)
    return


@app.function
def dense_as_kernel(W, C, k, order):
    raise NotImplementedError("your turn: return w of shape (D, C, k, k)")


@app.cell
def _():
    learn.check("07.dense_as_kernel", dense_as_kernel)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("07.dense_as_kernel"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **2.** Max pooling without steps: a window of $k \times k$ numbers that stand $d$ apart, at every place
    where it fits.
    """)
    return


@app.function
def pool_everywhere(x, k, d):
    raise NotImplementedError("your turn: x (H, W); how many places has a window of d (k - 1) + 1?")


@app.cell
def _():
    learn.check("07.pool_everywhere", pool_everywhere)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("07.pool_everywhere"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **3.** `sliding_window` from above without cutting a patch: the same numbers from three or four operators
    on the whole image. $x$ is (H, W), $w$ 3×3 and $v$ $k \times k$; use `F.conv2d`, `F.relu` and
    `F.max_pool2d`, or plain NumPy.
    """)
    return


@app.function
def classify_everywhere(x, w, v):
    raise NotImplementedError("your turn: return an array, of the shape of sliding_window(x, w, v)")


@app.cell
def _():
    verdict = learn.check("07.classify_everywhere", classify_everywhere)
    verdict
    return (verdict,)


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("07.classify_everywhere"))
    return


@app.cell
def _(verdict):
    # Your form against the loops, on noise: how much faster?
    mo.stop(not verdict, mo.md("*(A race against the loops follows when the verdict is right.)*"))
    _normal = np.random.default_rng(2).standard_normal
    _x, _w, _v = _normal((40, 50)), _normal((3, 3)), _normal((3, 3))
    _start = time.perf_counter()
    _slow = sliding_window(_x, _w, _v)
    _middle = time.perf_counter()
    _fast = classify_everywhere(_x, _w, _v)
    _end = time.perf_counter()
    assert np.allclose(_slow, _fast)
    mo.md(f"Loops: {_middle - _start:.2f} s. Yours: {1000 * (_end - _middle):.1f} ms, the same numbers.")
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **4. Hunt a bug.** Every pixel shall have a patch in which it is number $S // 2$, so the image is first
    framed by its own edge. It passed for $S = 3$ and $S = 5$.
    """)
    return


@app.function
def frame(x, S):
    return np.pad(x, S // 2, mode="edge")


@app.cell
def _():
    learn.check("07.frame", frame)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("07.frame"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Cost

    Patch by patch, each of the image's $H W$ pixels costs a whole network. In one piece each number of
    each map is computed once. A number behind the first convolution lies in up to $(S - 2)^2$ patches,
    so this layer becomes that much cheaper; the dense layer does not, since it has another patch each
    time.
    """)
    return


@app.cell(hide_code=True)
def _(model, piece):
    mo.md(
        "| 30×40 pixels, patches of 20×20 | milliseconds |\n|---|---|\n"
        f"| a patch for each pixel | {learn.milliseconds(lambda: model.sliding_window(piece)):.1f} |\n"
        f"| the whole image at once | {learn.milliseconds(lambda: model.fully_convolutional(piece)):.1f} |"
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Go further

    - `models/patch_cnn.py` begins with the table of this lesson. `ms.models.PatchCNN(3, 1, size=224)` is the
      documented network; training it takes 6 GB.
    - `ms.data.PatchLoader` shows every class equally often, though ground is more frequent than coin. How
      should the scores be corrected afterwards? (`PatchCNN.set_prior`, by Bayes' rule.)
    - Instead of dilating, one can run the network with its strides several times, on shifted images, and put
      the answers together: *shift and stitch*. Why does it give the same numbers? How many runs does it take
      with two pools?
    - Ciresan et al., *Deep neural networks segment neuronal membranes*, 2012; Sermanet et al., *OverFeat*,
      2014; Giusti et al., *Fast image scanning with deep max-pooling networks*, 2013.

    Next: **08**, fully convolutional networks and U-Net.
    """)
    return


if __name__ == "__main__":
    app.run()
