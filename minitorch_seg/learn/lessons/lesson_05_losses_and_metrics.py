"""Lesson 05: Losses and metrics.

Time: 55 minutes.  Needs: 00, 01.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="05 Losses and metrics")

with app.setup:
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
    # Losses and metrics

    **You will be able to** derive the gradient of cross-entropy and of Dice, compute a loss that does not
    overflow, and choose a score that does not deceive you.

    **You need** lessons 00 (IoU) and 01 (chain rule).

    ## Why

    <details><summary>From lesson 01: why can the IoU itself not be trained by gradient descent?</summary>

    It counts pixels. Moving a threshold a little changes no pixel, so its derivative is 0; then a pixel
    changes sides, and it jumps.

    </details>

    So there are two things: a **loss**, smooth, for the training, and a **metric**, for the people. Both can
    deceive. Here are two masks of the same coins. Which one is better?
    """)
    return


@app.cell
def _():
    photograph, _mask, _labels = coin_photograph()
    truth = _mask[90:300, :200] == 1
    image = photograph[90:300, :200] / 255.0
    large = _labels[90:300, :200] == 19  # the large coin at the lower left
    one_coin = truth & large
    # Each coin grown by 7 pixels on every side; lesson 04 says why a maximum does that.
    _one = truth[None, None].astype(float)
    grown = F.max_pool2d(_one, 15, stride=1, padding=7).numpy()[0, 0] > 0
    return grown, image, one_coin, truth


@app.cell(hide_code=True)
def _(grown, image, one_coin):
    learn.tiles(
        {"photograph": image, "A: one coin only": one_coin, "B: all coins, too large": grown},
        "A photograph of coins; mask A has one of them, exactly; mask B has all of them, each too large.",
        height=2.6,
    )
    return


@app.cell(hide_code=True)
def _(grown, one_coin, truth):
    _rows = ["| mask | pixel accuracy | IoU | Dice |", "|---|---|---|---|"]
    for _name, _p in {"A: one coin only": one_coin, "B: all coins, too large": grown}.items():
        _both, _sizes = (_p & truth).sum(), _p.sum() + truth.sum()
        _rows.append(
            f"| {_name} | {(_p == truth).mean():.3f} | {_both / (_sizes - _both):.3f} | "
            f"{2 * _both / _sizes:.3f} |"
        )
    mo.md("\n".join(_rows))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    Pixel accuracy prefers A, which missed all coins but one: most of the picture is ground, and A says
    "ground" nearly everywhere. IoU and Dice ask about the coins alone, and prefer B by far.

    ## By hand

    A network gives each pixel a *score* $z_k$ for every class $k$. Softmax makes probabilities of them:

    $$ p_k = \frac{e^{z_k}}{\sum_j e^{z_j}} $$

    One pixel, three classes, $z = (2, 1, 0)$: $e^z = (7.39, 2.72, 1)$ with the sum $11.11$, so
    $p = (0.665, 0.245, 0.090)$. Let the true class be $t = 0$. The cross-entropy is
    $-\log 0.665 = 0.408$. (The logarithm is that to the base $e$.) And the gradient, as we shall
    derive, is $p$ minus $(1, 0, 0)$: $(-0.335, 0.245, 0.090)$. Gradient descent goes against it: it
    raises the true class's score, and lowers each of the others by as much as that class was believed.
    """)
    return


@app.cell
def _():
    z_hand = ms.tensor(np.array([[2.0, 1.0, 0.0]]), requires_grad=True)
    L_hand = F.cross_entropy(z_hand, ms.tensor([0]))
    L_hand.backward()
    assert round(L_hand.item(), 3) == 0.408
    assert np.allclose(z_hand.grad.numpy(), [[-0.335, 0.245, 0.090]], atol=5e-4)
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Formula

    The documented example trains with *binary cross-entropy* and reports *accuracy*. What is right:
    cross-entropy is a good loss, smooth, with a gradient that never dies as long as the answer is wrong.
    What is wrong: accuracy (you just saw it), and the example feeds the loss numbers that are no
    probabilities; lesson 07 runs it and looks at what happens.

    For $N$ images and $K$ classes the scores $z$ are (N, K, H, W), the true classes $t$ (N, H, W). With
    $M$ the number of all pixels and $p_t[n, Y, X]$ the probability of the class that is true at the
    pixel:

    $$ L = -\frac{1}{M} \sum_{n, Y, X} \log p_{t}[n, Y, X] $$

    *Binary* is the case of two classes with the scores 0 and $z$: softmax gives the second class the
    probability $p = 1 / (1 + e^{-z})$, the sigmoid of lesson 01, and $-\log p_t$ is
    $-t \log p - (1 - t) \log(1 - p)$.

    **Dice** compares sets. With $P$ the pixels predicted and $T$ the true ones, and for comparison the
    IoU:

    $$ \mathrm{Dice} = \frac{2 |P \cap T|}{|P| + |T|} \qquad \mathrm{IoU} = \frac{|P \cap T|}{|P \cup T|} $$

    *Soft* Dice puts a probability $p_i$ for "is pixel $i$ in $P$?", and $q_i$, 0 or 1, for "is it in
    $T$?". The sum of all $p_i q_i$ stands for $|P \cap T|$. It is smooth in $p$:

    $$ D = \frac{2 \sum_i p_i q_i}{\sum_i p_i + \sum_i q_i}, \qquad \text{loss } 1 - D $$

    ## Derivation

    **Cross-entropy of one pixel.** Put softmax into the logarithm:

    $$ L = -\log p_t = -\log \frac{e^{z_t}}{\sum_j e^{z_j}} = \log \sum_j e^{z_j} - z_t $$

    The first term is called *log-sum-exp*. By the chain rule ($\log$ has the derivative 1 over what
    stands in it, and in the sum only $e^{z_k}$ depends on $z_k$) its derivative is the softmax:

    $$ \frac{\partial}{\partial z_k} \log \sum_j e^{z_j} = \frac{e^{z_k}}{\sum_j e^{z_j}} = p_k $$

    That of $z_t$ is 1 for $k = t$, else 0; write $[k = t]$. So

    $$ \frac{\partial L}{\partial z_k} = p_k - [k = t] $$

    and for the mean over $M$ pixels $(p_k - [k = t]) / M$.

    **Without overflow.** $e^{1000}$ is too large for the computer: float64 ends at $e^{709}$, float32 at
    $e^{88}$. But for any $m$

    $$ \log \sum_j e^{z_j} = m + \log \sum_j e^{z_j - m} $$

    (take $e^m$ out of the sum). With $m = \max_j z_j$ all exponents are at most 0, and one of them is 0:
    nothing can overflow, and the sum is at least 1.

    **Dice.** Write $I = \sum p_i q_i$ and $S = \sum p_i + \sum q_i$, so $D = 2I / S$. Then
    $\partial I / \partial p_i = q_i$ and $\partial S / \partial p_i = 1$. By the quotient rule:

    $$ \frac{\partial D}{\partial p_i} = \frac{2 q_i S - 2 I}{S^2} = \frac{2 q_i}{S} - \frac{2 I}{S^2} $$

    The second term is the same for all pixels: a small pressure down on every probability.

    **Predict:** two classes with the scores 1000 and 0. What does `np.exp(z) / np.exp(z).sum()` say for the
    first? Write the word or the number that NumPy prints.
    """)
    return


@app.cell
def _():
    guess_overflow = None  # your guess, for instance "1.0"
    return (guess_overflow,)


@app.cell(hide_code=True)
def _(guess_overflow):
    learn.prediction(
        guess_overflow,
        "nan",
        "e to the 1000 is infinite for the computer, and infinite divided by infinite is not a number. "
        "One such pixel makes the whole loss NaN, and one step later all weights.",
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Code

    The formulas as they stand, for one pixel with loops; then both losses of the framework on the same
    numbers.
    """)
    return


@app.function
def cross_entropy_of_pixel(z, t):
    m = z[0]
    for score in z:
        m = max(m, score)
    total = 0.0
    for score in z:
        total += np.exp(score - m)
    return m + np.log(total) - z[t]


@app.function
def soft_dice(p, q):
    I, S = 0.0, 0.0
    for i in range(len(p)):
        I += p[i] * q[i]
        S += p[i] + q[i]
    return 2 * I / S


@app.cell
def _():
    _rng = np.random.default_rng(0)
    _z, _t = _rng.standard_normal((1, 3, 2, 4)), _rng.integers(0, 3, (1, 2, 4))
    _loops = np.mean(
        [cross_entropy_of_pixel(_z[0, :, Y, X], _t[0, Y, X]) for Y in range(2) for X in range(4)]
    )
    assert np.isclose(_loops, F.cross_entropy(_z, ms.tensor(_t)).item())
    _p, _q = _rng.uniform(size=12), _rng.integers(0, 2, 12)
    _framework = F.dice_loss(
        _p.reshape(1, 1, 3, 4), ms.tensor(_q.reshape(1, 3, 4)), smooth=0.0, from_logits=False
    )
    assert np.isclose(1 - soft_dice(_p, _q), _framework.item())
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Picture

    Left, the probability of coin by a simple model, whose score is brightness minus a threshold, times
    a steepness. In the middle the loss of each pixel; white is a loss of 1 and more. **Confident and
    wrong costs most:** the dark parts of coins shine. Watch them when you make it steeper.
    """)
    return


@app.cell
def _():
    steepness = mo.ui.slider(1, 40, value=10, label="steepness", show_value=True)
    level = mo.ui.slider(0.2, 0.7, step=0.02, value=0.46, label="threshold", show_value=True)
    mo.hstack([steepness, level], justify="start")
    return level, steepness


@app.cell(hide_code=True)
def _(image, level, steepness, truth):
    _score = steepness.value * (image - level.value)
    _z = np.stack([-_score / 2, _score / 2])[None]
    _pixels = F.cross_entropy(_z, ms.tensor(truth[None].astype(np.int64)), reduction="none").numpy()[0]
    learn.tiles(
        {
            "probability of coin": 1 / (1 + np.exp(-_score)),
            f"loss of each pixel, mean {_pixels.mean():.2f}": np.minimum(_pixels, 1),
            "truth": truth,
        },
        f"The probability of coin for each pixel, its loss with the mean {_pixels.mean():.2f}, and the "
        "truth.",
        height=2.6,
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    Do Dice and IoU say the same? For one mask yes: $|P| + |T| = |P \cup T| + |P \cap T|$, and dividing
    Dice above and below by $|P \cup T|$ gives $\mathrm{Dice} = 2 \,\mathrm{IoU} / (1 + \mathrm{IoU})$.
    The more IoU the more Dice: two masks have the same order. For the **mean** over several images the
    question is open. Two models, two images:

    | | IoU on image 1 | IoU on image 2 | mean IoU |
    |---|---|---|---|
    | model A | 1.00 | 0.20 | **0.600** |
    | model B | 0.59 | 0.59 | 0.590 |

    **The surprise:** compute the mean Dice of both. A: $(1 + 0.333) / 2 = 0.667$. B: $0.742$. By mean IoU A
    is better, by mean Dice B. The two means need not rank alike; so say which one you report, *before* you
    look.
    """)
    return


@app.cell(hide_code=True)
def _():
    _iou = np.linspace(0, 1, 101)
    _figure = Figure(figsize=(5.2, 3.0), layout="constrained")
    _axes = _figure.subplots()
    _axes.plot(_iou, 2 * _iou / (1 + _iou))
    _axes.plot([0.2, 1.0], [1 / 3, 1.0], "o--", label=f"A, mean Dice {(1 + 1 / 3) / 2:.3f}")
    _axes.plot([0.6], [(1 + 1 / 3) / 2], "o", color="C1", markerfacecolor="white")
    _axes.plot([0.59], [1.18 / 1.59], "s", label=f"B, mean Dice {1.18 / 1.59:.3f}")
    _axes.set(xlabel="IoU", ylabel="Dice")
    _axes.legend(loc="lower right")
    learn.picture(
        _figure,
        "Dice over IoU is a curve that bends. The middle of A's two points, an open circle, lies a little to "
        "the right of B's point on the curve, and well below it.",
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Gradient check

    Both losses of the framework, with random scores, and once more for scores near 1000, where a
    careless softmax is NaN.
    """)
    return


@app.cell
def _():
    _rng = np.random.default_rng(1)
    _t = ms.tensor(_rng.integers(0, 3, (2, 4, 5)))
    learn.gradcheck(
        lambda z: F.cross_entropy(z, _t), [_rng.standard_normal((2, 3, 4, 5))], name="cross_entropy"
    )
    return


@app.cell
def _():
    _rng = np.random.default_rng(2)
    _t = ms.tensor(_rng.integers(0, 2, (1, 3, 4)))
    learn.gradcheck(
        lambda z: F.cross_entropy(z, _t),
        [1000 + _rng.standard_normal((1, 2, 3, 4))],
        name="cross_entropy near 1000",
    )
    return


@app.cell
def _():
    _rng = np.random.default_rng(3)
    _t = ms.tensor(_rng.integers(0, 3, (2, 3, 4)))
    learn.gradcheck(lambda z: F.dice_loss(z, _t), [_rng.standard_normal((2, 3, 3, 4))], name="dice_loss")
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Exercises

    **1.** Cross-entropy of scores $z$ (N, K, H, W) and classes $t$ (N, H, W), the mean over all pixels, safe
    for scores of any size. `np.take_along_axis(z, t[:, None], axis=1)` picks $z_t$ at every pixel.
    """)
    return


@app.function
def cross_entropy(z, t):
    raise NotImplementedError("your turn: return one number")


@app.cell
def _():
    learn.check("05.cross_entropy", cross_entropy)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("05.cross_entropy"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **2.** Its gradient, of the shape of $z$: probability minus truth, over $M$.
    """)
    return


@app.function
def cross_entropy_backward(z, t):
    raise NotImplementedError("your turn: return dz")


@app.cell
def _():
    verdict = learn.check("05.cross_entropy_backward", cross_entropy_backward)
    verdict
    return (verdict,)


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("05.cross_entropy_backward"))
    return


@app.cell
def _(verdict):
    # Your gradient trains a small U-Net (the loss itself is the hidden answer of exercise 1).
    mo.stop(not verdict, mo.md("*(A training with your gradient follows when the verdict is right.)*"))
    with learn.using(cross_entropy=(learn.exercise("05.cross_entropy").answer, cross_entropy_backward)):
        _model, _losses = learn.train_on_coins(steps=40)
    mo.md(f"Trained by your gradient: the IoU on coins that it never saw is {learn.coin_iou(_model):.2f}.")
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **3.** The gradient of soft Dice, $\partial D / \partial p$, for probabilities $p$ and truth $q$ of any
    one shape.
    """)
    return


@app.function
def dice_gradient(p, q):
    raise NotImplementedError("your turn: I, S, and the quotient rule")


@app.cell
def _():
    learn.check("05.dice_gradient", dice_gradient)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("05.dice_gradient"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **4. Hunt a bug.** The mean IoU over $K$ classes. Some classes do not occur in every image; what is their
    score?
    """)
    return


@app.function
def mean_iou(prediction, truth, K):
    total = 0.0
    for k in range(K):
        both = ((prediction == k) & (truth == k)).sum()
        either = ((prediction == k) | (truth == k)).sum()
        total += both / max(either, 1)
    return total / K


@app.cell
def _():
    learn.check("05.mean_iou", mean_iou)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("05.mean_iou"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Cost

    A loss looks at each score a few times, and a network has few classes: beside the convolutions it is
    little. But exponentials are dear, and a careless loss writes the probabilities to memory and reads
    them again. The framework's kernel makes loss and gradient in one pass each.
    """)
    return


@app.cell(hide_code=True)
def _():
    _z, _t = ms.randn(8, 2, 64, 64), (ms.rand(8, 64, 64) > 0.5).long()
    mo.md(
        "| 8 images of 64×64, 2 classes | milliseconds |\n|---|---|\n"
        f"| cross_entropy | {learn.milliseconds(lambda: F.cross_entropy(_z, _t)):.2f} |\n"
        "| log_softmax, then pick | "
        f"{learn.milliseconds(lambda: -F.log_softmax(_z, 1).gather(1, _t.unsqueeze(1)).mean()):.2f} |\n"
        f"| dice_loss | {learn.milliseconds(lambda: F.dice_loss(_z, _t)):.2f} |"
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Go further

    - `minitorch-seg show cross_entropy`, and `dice_loss`, `focal_loss`, `lovasz_softmax`: losses that come
      closer to what is wanted, each with its derivation.
    - The gradient of Dice vanishes for an image without the class ($q = 0$). What does the smoothing $s$ in
      `F.dice_loss` do about it?
    - Milletari, Navab and Ahmadi, *V-Net*, 2016, brought Dice into training. Reinke et al., *Understanding
      metric-related pitfalls in image analysis validation*, 2024, collects the ways in which scores deceive.

    Next: **06**, training.
    """)
    return


if __name__ == "__main__":
    app.run()
