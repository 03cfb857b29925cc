"""Lesson 11: Autoencoders and segmentation without labels.

Time: 60 minutes.  Needs: 01, 05, 06.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="11 Autoencoders and segmentation without labels")

with app.setup:
    import marimo as mo
    import numpy as np

    import minitorch_seg as ms
    from minitorch_seg import learn
    from minitorch_seg.data.coins import coin_photograph
    from minitorch_seg.unsupervised import as_points, blurred, code_features, kmeans, nearest

    F = ms.functional


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    # Autoencoders and segmentation without labels

    **You will be able to** derive the gradient of an autoencoder whose weights are used twice, say what the
    documented objective asks for and what it does not, and segment photographs, and score that, without
    labels.

    **You need** lessons 01 (used twice, so add), 05 (IoU) and 06 (training).

    ## Why

    <details><summary>From lesson 01: in y = a b + a the number a is used twice. What is its
    gradient?</summary>

    $b + 1$: one part for each use, and the parts add up. Today a whole matrix is used twice.

    </details>

    So far somebody had drawn a mask for each photograph. A network that gives back *its own input* needs
    none. Its **encoder** $E$ makes a *code* of the image, its **decoder** $Q$ makes the image of the code.
    Whoever can give back an image, one reads, has understood it.

    Here is one that gives back everything: its code of a pixel is the 5×5 pixels around it, and its decoder
    returns them. Pixels with similar codes become one segment. The image is a mosaic of brick, grass and
    gravel, so the truth is known exactly.
    """)
    return


@app.function
def patches(image, size=5):
    """All size×size patches of (H, W), one around each pixel, as rows (H·W, size²)."""
    wide = np.pad(image, size // 2, mode="reflect")
    return np.lib.stride_tricks.sliding_window_view(wide, (size, size)).reshape(-1, size * size)


@app.function
def segments(features, K=3):
    """k-means (below): to which of K segments each row belongs; centres from every fifth row."""
    features = features / features.std(axis=0)
    return nearest(features, kmeans(features[::5], K))


@app.function
def named(found, mask):
    """Segments with the names (below) that suit this mask best, as a map, and their mean IoU."""
    classes = ms.metrics.name_segments(found.reshape(mask.shape), mask, 3)
    return classes, ms.metrics.mean_iou(classes, mask, num_classes=3)


@app.cell
def _():
    _textures = ms.data.load("textures")

    def _pairs(samples, chosen):
        return [((samples[i].image[..., 0] - 128.0) / 42, samples[i].mask) for i in chosen]

    train = _pairs(_textures.train, range(0, 120, 10))
    test = _pairs(_textures.test, range(8))
    mosaic, mask = test[0]
    return mask, mosaic, test, train


@app.cell(hide_code=True)
def _(mask, mosaic):
    _code = patches(mosaic)
    _found, _score = named(segments(_code), mask)
    _copied = _code[:, 12].reshape(mask.shape)  # the decoder: the middle of the patch
    assert np.array_equal(_copied, mosaic) and _score < 0.4
    learn.tiles(
        {
            "mosaic": mosaic,
            "truth": mask,
            "reconstruction: error 0": _copied,
            f"its segments: mIoU {_score:.2f}": _found,
        },
        "A mosaic of brick, grass and gravel; the three regions; the same mosaic, reconstructed without any "
        "error; and the segments of the copier's code, speckles everywhere.",
        height=2.3,
    )
    return


@app.cell(hide_code=True)
def _(test):
    _stripes = np.tile(np.arange(96) // 32, (96, 1))
    _copier = np.mean([named(segments(patches(x)), m)[1] for x, m in test[:4]])
    _blind = np.mean([named(_stripes, m)[1] for _, m in test[:4]])
    assert _copier < _blind
    mo.md(f"""
    The best possible reconstruction, and no segmentation: a mean IoU of {_copier:.2f} over four mosaics.
    Three vertical stripes, drawn without a look at the image, reach {_blind:.2f}.
    """)
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## By hand

    A *tied* autoencoder uses one matrix in both halves: the code is $y = W x$, the reconstruction
    $\hat x = W^\top y$. Two pixels $x = (2, 1)$, a code of one number, $W = (\frac12, \frac12)$:

    $$ y = 1.5 \qquad \hat x = (0.75, 0.75) \qquad r = \hat x - x = (-1.25, -0.25) \qquad
       L = \lVert r \rVert^2 = 1.625 $$

    $W$ as decoder, $\hat x = y\, W$, with $y$ taken as given: $2 y r = (-3.75, -0.75)$.

    $W$ as encoder: the code gets $dy = 2\, W r = -1.5$, and so $W$ gets $dy \cdot x = (-3, -1.5)$.

    Together $dW = (-6.75, -2.25)$. Try it: $W = (0.51, 0.5)$ gives $L = 1.5577$, by $0.067$ less, as $-6.75
    \cdot 0.01$ says. Neither part says so alone.
    """)
    return


@app.cell
def _():
    _x, _W = ms.tensor([[2.0, 1.0]]), ms.tensor([[0.5, 0.5]], requires_grad=True)
    _L = F.reconstruction_loss(_x, F.linear(_x, _W) @ _W)
    _L.backward()
    assert _L.item() == 1.625
    assert _W.grad.tolist() == [[-6.75, -2.25]]
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Formula

    The text from which this project grew says: $Q$ is the decoder, $x$ the input image, $y$ the *output
    image*, and

    $$ \min_Q \sum_{x, y} \lVert x - Q(y) \rVert^2 $$

    What is right: a sum of squares over all pixels, and no label in it. It is `F.reconstruction_loss(x,
    x_hat)`. What is open is $y$. There are three readings:

    1. **$y = E(x)$, the code.** This is meant. But a minimum over $Q$ alone leaves $E$ untrained: it has to
       be $\min_{E, Q}$.
    2. **$y$ is the reconstruction**, as "output image" says. Then $Q$ has nothing to do: with $Q(y) = y = x$
       the sum is 0. Vacuous.
    3. **$y$ is the segmentation**, and $Q$ paints the image from it. Now little error asks for segments that
       say much about the image. It is one half of the W-Net (2017), and, as we shall see, k-means.

    What is missing in all three: a bound on $y$. Nothing forbids the copier. Either the code is **narrow**
    ($k$ numbers for $d$ pixels, $k < d$), or the input is spoiled (**denoising**: $E$ sees $x$ with random
    noise, and a copier hands the noise on), or the code is a **choice**, one of $K$.

    The tied autoencoder with any $f$, and its gradient; a sum runs over all rows $x$:

    $$ y = f(W x + b) \qquad \hat x = W^\top y + c \qquad r = \hat x - x $$

    $$ L = \sum \lVert r \rVert^2 \qquad \delta = f'(W x + b) \odot 2\, W r $$

    $$ dW = \sum \big( 2\, y\, r^\top + \delta\, x^\top \big) \qquad db = \sum \delta \qquad dc = \sum 2 r $$

    **k-means** looks for $K$ centres $c_1 \dots c_K$ and a choice $s$ for each row:

    $$ \min_{c,\, s} \sum_i \lVert x_i - c_{s(i)} \rVert^2 $$

    **Naming.** Segments have numbers and no meaning. Let $M[t, s]$ count the pixels of true class $t$ in
    segment $s$. The names $a(s)$ are

    $$ \max_a \sum_s M[a(s), s], \qquad \text{no class twice} $$

    **The soft normalised cut.** $w(u, v) \ge 0$ says how alike the pixels $u$ and $v$ are (0 for distant
    ones), $d(u) = \sum_v w(u, v)$, and $p_j(u)$ is the probability of segment $j$ at $u$:

    $$ J = K - \sum_{j=1}^{K} \frac{p_j^\top w\, p_j}{p_j^\top d} $$

    ## Derivation

    **Two uses, two terms.** Call $W$ in the encoder $W_1$ and in the decoder $W_2$. From $L = \lVert \hat x -
    x \rVert^2$ comes $d\hat x = 2 r$.

    - $\hat x = W_2^\top y + c$, number by number $\hat x_j = \sum_i W_2[i, j]\, y_i + c_j$. So
      $dW_2[i, j] = y_i \cdot 2 r_j$, that is $2\, y\, r^\top$; $dc = 2r$; and $dy = W_2\, 2 r$.
    - $y = f(a)$ with $a = W_1 x + b$. So $\delta = da = f'(a) \odot dy$, $dW_1 = \delta\, x^\top$, $db =
      \delta$.

    Both are one $W$, so $dW = dW_1 + dW_2$.

    **A narrow linear code finds PCA's subspace.** Let all rows have mean 0, $f(a) = a$, no biases, and
    let decoder and encoder be free. All that comes out of the decoder lies in a subspace of at most $k$
    dimensions. Best in it is the projection $P x$ of $x$, and by Pythagoras

    $$ \sum \lVert x - P x \rVert^2 = \sum \lVert x \rVert^2 - \sum \lVert P x \rVert^2 $$

    So make the last sum large. Take $C = \sum x x^\top$, its eigenvectors $v_1, v_2, \dots$ (length 1, at
    right angles) and eigenvalues $\lambda_1 \ge \lambda_2 \ge \dots \ge 0$, so that $C = \sum_i \lambda_i v_i
    v_i^\top$. A projection has $P = P^\top = P P$, hence $\lVert P x \rVert^2 = x^\top P x$, the trace of
    $P x x^\top$. Summed up:

    $$ \sum \lVert P x \rVert^2 = \operatorname{trace}(P\, C) = \sum_i \lambda_i\, v_i^\top P\, v_i =
       \sum_i \lambda_i\, \lVert P v_i \rVert^2 $$

    Each $\lVert P v_i \rVert^2$ lies between 0 and 1, and together they are $\operatorname{trace} P = k$. A
    budget of $k$, at most 1 each: spend it on the $k$ largest $\lambda_i$. Then $P v_i = v_i$ for these. The
    subspace is that of $v_1 \dots v_k$, which is PCA's (no other, if $\lambda_k > \lambda_{k+1}$). The error
    left is the sum of the other $\lambda_i$.

    The *subspace*, not the vectors: with any invertible $T$ the encoder $T E$ and the decoder $Q\, T^{-1}$
    give the same $\hat x$. Tied weights must have $W^\top W = P$; then the rows of $W$ have length 1 and
    stand at right angles, and any rotation of them will do.

    **A choice for a code is k-means.** In reading 3 let $y_i$ be 1 at place $s(i)$, else 0, and let $Q$ be a
    table of colours, $Q(y_i) = c_{s(i)}$. Then the documented objective *is* that of k-means. For fixed
    choices the derivative by $c_j$, $\sum_{s(i) = j} 2 (c_j - x_i)$, is 0 where $c_j$ is the **mean of its
    rows**. For a fixed table each row is best off with the **nearest** centre. In turn, neither step can
    raise the sum.

    **What the normalised cut rewards.** For hard segments $p_j^\top d$ are all weights at the pixels of $j$,
    and $p_j^\top w\, p_j$ those that stay inside. So $J$ sums up the *share* that each segment cuts off. A
    border is cheap if it is **short** or runs between unlike pixels, and a **large** segment has a small
    share. Nobody said that a segment should be a *thing*.

    ## Code

    The formula with plain loops; then the framework, whose gradient is compared with our two terms.
    """)
    return


@app.function
def tied_loops(x, W, b, c):
    """One row x: code, reconstruction and error, with f = tanh."""
    k, d = W.shape
    y, x_hat, L = np.zeros(k), c.copy(), 0.0
    for i in range(k):
        a = b[i]
        for j in range(d):
            a += W[i, j] * x[j]
        y[i] = np.tanh(a)
    for j in range(d):
        for i in range(k):
            x_hat[j] += W[i, j] * y[i]
        L += (x_hat[j] - x[j]) ** 2
    return y, x_hat, L


@app.cell
def _():
    _normal = np.random.default_rng(0).standard_normal
    _x, _W, _b, _c = _normal(5), _normal((2, 5)), _normal(2), _normal(5)
    _y, _x_hat, _L = tied_loops(_x, _W, _b, _c)
    _leaf = ms.tensor(_W, requires_grad=True)
    _code = F.tanh(F.linear(ms.tensor(_x), _leaf, ms.tensor(_b)))
    _loss = F.reconstruction_loss(_x, _code @ _leaf + ms.tensor(_c))
    _loss.backward()
    assert np.isclose(_loss.item(), _L)
    _r = _x_hat - _x
    _decoder, _encoder = 2 * np.outer(_y, _r), np.outer((1 - _y**2) * (2 * _W @ _r), _x)
    assert np.allclose(_leaf.grad.numpy(), _decoder + _encoder)
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    Now a linear tied autoencoder, trained on 5×5 patches of the mosaics with a code of $k = 6$ numbers; and
    PCA's $v_i$, from the singular value decomposition. Are they the same?
    """)
    return


@app.cell
def _(train):
    X = np.concatenate([patches(x)[::40] for x, _ in train])
    middle = X.mean(axis=0)
    X -= middle
    V = np.linalg.svd(X, full_matrices=False)[2]  # rows v_1, v_2, ...
    _W = ms.tensor(np.random.default_rng(0).standard_normal((6, 25)) / 5, requires_grad=True)
    _adam, _rows = ms.optim.Adam([_W], lr=0.03), ms.tensor(X)
    for _ in range(200):
        _loss = F.reconstruction_loss(_rows, F.linear(_rows, _W) @ _W) / len(X)
        _adam.zero_grad()
        _loss.backward()
        _adam.step()
    learned = _W.detach().numpy()
    return V, X, learned, middle


@app.cell
def _(V, X, learned):
    _P = V[:6].T @ V[:6]
    assert not np.allclose(np.abs(learned @ V[:6].T), np.eye(6), atol=0.3), "the vectors are others"
    assert np.allclose(learned.T @ learned, _P, atol=1e-3), "the subspace is the same"
    assert np.allclose(learned @ learned.T, np.eye(6), atol=1e-3), "rows at right angles"
    _lambda = np.linalg.eigvalsh(X.T @ X)[::-1]
    _error = ((X - X @ learned.T @ learned) ** 2).sum()
    assert np.isclose(_error, _lambda[6:].sum(), rtol=1e-3), "what is left are the other eigenvalues"
    return


@app.cell(hide_code=True)
def _(V, learned):
    _tiles = {f"v{_i + 1}": V[_i].reshape(5, 5) for _i in range(6)}
    _tiles |= {f"W, row {_i + 1}": learned[_i].reshape(5, 5) for _i in range(6)}
    learn.tiles(
        _tiles,
        "Above PCA's six strongest patterns of 5×5 pixels: flat, two slopes, then finer ones. Below the six "
        "that the autoencoder learned, each a mixture of them.",
        signed=True,
        rows=2,
        height=1.4,
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    Not one filter is the same, and $W^\top W$ agrees to three digits. A single filter may be an accident.

    ## Picture

    **Error and segmentation.** Two linear codes of the same patches, with PCA's $v_i$ for weights:

    - **A** keeps the 6 strongest directions, the best that 6 linear numbers can do. It loses 12 % of the
      squares.
    - **B** keeps the 19 others, all that A threw away. It loses 88 %.

    What makes grass is not its grey, but how the grey changes. So a pixel is described by how *large* each
    number of the code is around it: its absolute value, blurred. Then k-means.

    **Predict:** which code gives the better segments, `"A"` or `"B"`?
    """)
    return


@app.cell
def _():
    guess_code = None  # your guess, "A" or "B"
    return (guess_code,)


@app.function
def sizes(code, shape=(96, 96)):
    """|y| of each number of the code, blurred with σ = 5: how much of it there is around each pixel."""
    maps = np.abs(code).T.reshape(1, -1, *shape)
    return as_points(blurred(maps, 5.0))


@app.cell
def _(V, middle, test):
    def tried(W, x, m):
        """Share of the squares that is lost, mIoU of the code, mIoU of its sizes."""
        rows = patches(x) - middle
        code = rows @ W.T
        lost = ((rows - code @ W) ** 2).sum() / (rows**2).sum()
        return lost, named(segments(code), m)[1], named(segments(sizes(code)), m)[1]

    codes = {"3 strongest": V[:3], "A: 6 strongest": V[:6], "12 strongest": V[:12], "all 25": V}
    codes |= {"the 25 pixels": np.eye(25), "B: 19 weakest": V[6:]}
    trials = {_name: np.mean([tried(_W, *_pair) for _pair in test], axis=0) for _name, _W in codes.items()}
    return (trials,)


@app.cell(hide_code=True)
def _(guess_code, trials):
    assert trials["B: 19 weakest"][2] > trials["A: 6 strongest"][2] + 0.15
    learn.prediction(
        guess_code,
        "B",
        f"mean IoU {trials['B: 19 weakest'][2]:.2f} against {trials['A: 6 strongest'][2]:.2f}, over eight "
        "mosaics. B cannot give back what the image looks like, and tells brick from grass.",
    )
    return


@app.cell(hide_code=True)
def _(V, guess_code, mask, middle, mosaic):
    def _shown(W):
        rows = patches(mosaic) - middle
        code = rows @ W.T
        back = (code @ W + middle)[:, 12].reshape(mask.shape)
        return back, named(segments(sizes(code)), mask)[0]

    (_back_a, _found_a), (_back_b, _found_b) = _shown(V[:6]), _shown(V[6:])
    _tiles = {"mosaic": mosaic, "A gives back": _back_a, "B gives back": _back_b}
    if guess_code is not None:
        _tiles |= {"A's segments": _found_a, "B's segments": _found_b}
    learn.tiles(
        _tiles,
        "The mosaic, nearly the same from code A, and only its finest grain from code B. Once you have "
        "guessed, the segments of both as well.",
        height=2.3,
    )
    return


@app.cell(hide_code=True)
def _(guess_code, trials):
    def _row(name, lost, raw, size):
        last = "guess first" if guess_code is None else f"{size:.2f}"
        return f"| {name} | {100 * lost:.0f} % | {raw:.2f} | {last} |"

    _rows = "\n".join(_row(_name, *_numbers) for _name, _numbers in trials.items())
    mo.md("| code | error | mIoU, k-means on the code | mIoU, on its sizes |\n|---|---|---|---|\n" + _rows)
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **The surprise:** read the table by columns. The error falls from a quarter to nothing, and the segments
    of the code stay below three stripes. Then compare A and B in the last column: the squares of an image
    are mostly slow changes of brightness, which all three photographs share. What tells them apart is fine
    grain. It has few squares, so a narrow code drops it first. And two codes lose *nothing*, all 25 and the
    25 pixels; they differ by a rotation, which the error cannot see. A low reconstruction error does not mean
    a good segmentation, nor a high one a bad one.

    Does a network do better? Convolutions, two poolings, 4 numbers for each 4×4 pixels, from two seeds:
    """)
    return


@app.cell
def _(train):
    def network(seed, steps=50):
        ms.manual_seed(seed)
        rng, images = np.random.default_rng(seed), np.stack([x for x, _ in train])[:, None]
        model = ms.models.ConvAutoencoder(1, 1, base_channels=8, depth=2, code_channels=4)
        adam = ms.optim.Adam(model.parameters(), lr=0.02)
        schedule = ms.optim.lr_scheduler.CosineAnnealingLR(adam, T_max=steps)
        for _ in range(steps):
            top, left = rng.integers(0, 49, 2)
            crops = images[rng.choice(12, 8, replace=False), :, top : top + 48, left : left + 48]
            x = ms.tensor(np.ascontiguousarray(crops, np.float32))
            loss = F.mse_loss(model(x), x)
            adam.zero_grad()
            loss.backward()
            adam.step()
            schedule.step()
        return model.eval()

    networks = [network(seed) for seed in (0, 1)]
    return (networks,)


@app.cell(hide_code=True)
def _(networks, test):
    def _row(number, model):
        x = ms.tensor(np.stack([x for x, _ in test])[:, None].astype(np.float32))
        with ms.no_grad():
            lost = ((model(x) - x) ** 2).sum().item() / (x**2).sum().item()
        codes = [as_points(maps[None]) for maps in code_features(model, x)]
        raw = np.mean([named(segments(y), m)[1] for y, (_, m) in zip(codes, test, strict=True)])
        size = [named(segments(sizes(y - y.mean(0))), m)[1] for y, (_, m) in zip(codes, test, strict=True)]
        return f"| network {number} | {100 * lost:.0f} % | {raw:.2f} | {np.mean(size):.2f} |"

    mo.md(
        "| code | error | mIoU, k-means on the code | mIoU, on its sizes |\n|---|---|---|---|\n"
        + "\n".join(_row(_number + 1, _model) for _number, _model in enumerate(networks))
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    Over five seeds the error was 30 to 42 %, and the mean IoU of the sizes 0.31 to 0.56, in no common order:
    what the code is to be good for, the objective leaves to chance.

    **Names and scores.** Exchange the numbers of two segments, and no loss changes. So none can know which
    segment is grass. For a *score* one takes the best assignment (the Hungarian method finds it in about
    $K^3$ steps; SciPy has it). Labels are used for that and nothing else, and even this is a gift. Let
    leftover segments take the class of most of their pixels, and watch the copier's score:
    """)
    return


@app.cell
def _(test):
    def _score(K):
        return np.mean([named(segments(patches(x), K), m)[1] for x, m in test[:2]])

    _scores = {_K: _score(_K) for _K in (3, 10, 30, 100)}
    assert _scores[100] > _scores[3] + 0.15
    _columns = " | ".join(map(str, _scores)), " | ".join(f"{_s:.2f}" for _s in _scores.values())
    mo.md(f"| segments K | {_columns[0]} |\n|---|---|---|---|---|\n| mIoU | {_columns[1]} |")
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    With a segment for each pixel it would be 1: such a score comes with its $K$.

    **A low cut.** Three ways to cut the photograph of coins in two: the truth; k-means on grey, which finds
    the coins with an IoU of 0.90; and down the middle. For $w$ we take $e^{-(\Delta / \sigma)^2}$, with
    $\Delta$ the difference of the two greys, times a factor that falls with the distance.

    **Predict:** which of the last two has the lower normalised cut $J$, `"k-means"` or `"middle"`?
    """)
    return


@app.cell
def _():
    guess_cut = None  # your guess, "k-means" or "middle"
    return (guess_cut,)


@app.cell
def _():
    scale = mo.ui.slider(0.05, 0.5, step=0.05, value=0.1, label="σ of the greys", show_value=True)
    scale
    return (scale,)


@app.cell
def _(scale):
    _photograph, _coins, _ = coin_photograph()
    grey, truth = _photograph[90:300, :200] / 255.0, _coins[90:300, :200]
    _points = grey.reshape(-1, 1)
    _bright = nearest(_points, np.sort(kmeans(_points[::7], 2), axis=0)).reshape(truth.shape)
    cuts = {"truth": truth, "k-means": _bright, "middle": np.tile(np.arange(200) // 100, (210, 1))}

    def _ncut(segmentation):
        p = np.stack([segmentation == 0, segmentation == 1])[None].astype(float)
        return F.soft_ncut_loss(p, grey[None, None], color_scale=scale.value).item()

    J = {_name: _ncut(_cut) for _name, _cut in cuts.items()}
    return J, cuts, grey, truth


@app.cell(hide_code=True)
def _(J, guess_cut):
    assert J["middle"] < J["k-means"]
    learn.prediction(
        guess_cut,
        "middle",
        f"{J['middle']:.3f} against {J['k-means']:.3f}. Its border is short and its halves are large; "
        "k-means pays for every speckle.",
    )
    return


@app.cell(hide_code=True)
def _(J, cuts, grey, guess_cut, truth):
    def _title(name):
        iou = ms.metrics.iou(cuts[name], truth)[1]
        return f"{name}: " + ("guess first" if guess_cut is None else f"J = {J[name]:.3f}, IoU {iou:.2f}")

    learn.tiles(
        {"photograph": grey, **{_title(_name): _cut for _name, _cut in cuts.items()}},
        "Coins; their true mask; the mask of k-means, nearly the same with speckles and holes; and a right "
        "half in white, a left one in black.",
        height=2.4,
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    At $\sigma = 0.1$ the truth is lowest, as one would hope. Move $\sigma$ to 0.5, where nearly all greys are
    alike: the middle beats even the truth. A network that has learned to lower $J$ alone may have learned
    to cut the paper in two. W-Net therefore adds reading 3: the segments must also tell what to paint.

    ## Gradient check

    The documented loss through tied weights, and the soft normalised cut.
    """)
    return


@app.cell
def _():
    _normal = np.random.default_rng(1).standard_normal
    learn.gradcheck(
        lambda x, W, b, c: F.reconstruction_loss(x, F.tanh(F.linear(x, W, b)) @ W + c),
        [_normal((3, 5)), _normal((2, 5)), _normal(2), _normal(5)],
        name="tied autoencoder, tanh",
    )
    return


@app.cell
def _():
    _normal = np.random.default_rng(3).standard_normal
    _image = _normal((1, 1, 4, 5))
    learn.gradcheck(
        lambda z: F.soft_ncut_loss(F.softmax(z, 1), _image, radius=2),
        [_normal((1, 3, 4, 5))],
        name="soft normalised cut of a softmax",
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Exercises

    **1.** The gradient of the tied autoencoder with $f = \tanh$, for rows $x$ (n, d), $W$ (k, d). For rows
    $W x$ is written `x @ W.T`, $W^\top y$ is `y @ W`, and $\sum y\, r^\top$ is `y.T @ r`.
    """)
    return


@app.function
def tied_backward(x, W, b, c):
    raise NotImplementedError("your turn: forward first, then return dW, db, dc")


@app.cell
def _():
    verdict = learn.check("11.tied_backward", tied_backward)
    verdict
    return (verdict,)


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("11.tied_backward"))
    return


@app.cell
def _(V, X, verdict):
    # Your gradient trains an autoencoder by Adam, on rows so short that tanh is nearly straight.
    mo.stop(not verdict, mo.md("*(A training with your gradient follows when the verdict is right.)*"))
    _x, _random = X / 8, np.random.default_rng(0).standard_normal((6, 25)) / 10
    _leaves = [ms.tensor(_first, requires_grad=True) for _first in (_random, np.zeros(6), np.zeros(25))]
    _adam = ms.optim.Adam(_leaves, lr=0.03)
    for _ in range(150):
        _arrays = [_leaf.detach().numpy() for _leaf in _leaves]
        for _leaf, _gradient in zip(_leaves, tied_backward(_x, *_arrays), strict=True):
            _leaf.grad = ms.tensor(_gradient / len(_x))
        _adam.step()
    _W, _b, _c = (_leaf.detach().numpy() for _leaf in _leaves)
    _lost = ((np.tanh(_x @ _W.T + _b) @ _W + _c - _x) ** 2).sum() / (_x**2).sum()
    _best = ((_x - _x @ V[:6].T @ V[:6]) ** 2).sum() / (_x**2).sum()
    mo.md(f"By your gradient: {100 * _lost:.1f} % of the squares lost; by PCA's six, {100 * _best:.1f} %.")
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **2.** One step of k-means: each row of $x$ (n, C) goes to its nearest centre, then each centre of $c$
    (K, C) to the mean of its rows. A centre without rows stays. Return the new centres.
    """)
    return


@app.function
def kmeans_step(x, c):
    raise NotImplementedError("your turn: assign, then move; leave c itself as it is")


@app.cell
def _():
    learn.check("11.kmeans_step", kmeans_step)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("11.kmeans_step"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **3.** The soft normalised cut from the matrix $w$ (n, n) of all weights, and $p$ (K, n).
    """)
    return


@app.function
def normalised_cut(w, p):
    raise NotImplementedError("your turn: degrees first; return J")


@app.cell
def _():
    learn.check("11.normalised_cut", normalised_cut)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("11.normalised_cut"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **4. Hunt a bug.** Names for $K$ segments, from the counts $M$ (K, K) of the formula. It passed wherever
    each segment had a class that was clearly its own. (With $K$ small you may try everything.)
    """)
    return


@app.function
def name_segments(M):
    left, a = M.astype(float), np.zeros(len(M), int)
    for _ in range(len(M)):
        t, s = np.unravel_index(left.argmax(), left.shape)
        a[s] = t
        left[t, :] = left[:, s] = -1
    return a


@app.cell
def _():
    learn.check("11.name_segments", name_segments)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("11.name_segments"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Cost

    A linear code costs $2 k d$ products a row, there and back; a step of k-means $n K C$ for $n$ rows of $C$
    numbers. The normalised cut has $n^2$ weights in principle, with a radius of 5 only 80 a pixel.
    """)
    return


@app.cell(hide_code=True)
def _():
    _normal = np.random.default_rng(4).standard_normal
    _x, _W, _c = _normal((96 * 96, 25)), _normal((6, 25)), _normal((3, 25))
    _p, _image = np.full((1, 3, 96, 96), 1 / 3), _normal((1, 1, 96, 96))
    mo.md(
        "| a mosaic of 96×96 pixels | milliseconds |\n|---|---|\n"
        f"| linear code of 6 numbers, there and back | {learn.milliseconds(lambda: _x @ _W.T @ _W):.2f} |\n"
        f"| nearest of 3 centres | {learn.milliseconds(lambda: nearest(_x, _c)):.2f} |\n"
        f"| soft normalised cut, radius 5 | {learn.milliseconds(lambda: F.soft_ncut_loss(_p, _image)):.2f} |"
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Go further

    - Code B was found with the truth in view. What would an honest choice between A and B, without labels,
      have to look like?
    - Noise forbids the copier. What does it do to the weak directions, all that code B has? (Let $\hat x =
      D\,(x + \sigma \varepsilon)$, $\varepsilon$ of mean 0 and variance 1, and take the mean of the error.)
    - `minitorch-seg train --model wnet` joins cut and painting; `models/wnet.py` says where the cut errs.
    - `unsupervised.pretrain` lets an autoencoder begin a U-Net. How would you test whether that helped?
    - Baldi and Hornik, *Neural networks and principal component analysis*, 1989; Vincent et al., *Denoising
      autoencoders*, 2008; Shi and Malik, *Normalized cuts and image segmentation*, 2000; Xia and Kulis,
      *W-Net*, 2017; Kuhn, *The Hungarian method*, 1955.

    <details><summary>What noise does (the second question)</summary>

    The mean is $\sum \lVert x - D x \rVert^2 + n \sigma^2 \sum_{i, j} D_{ij}^2$ for $n$ rows. It is lowest
    where $D v_i = \lambda_i v_i / (\lambda_i + n \sigma^2)$: weak directions are shrunk to nearly nothing.

    </details>
    """)
    return


if __name__ == "__main__":
    app.run()
