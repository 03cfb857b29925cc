"""Lesson 00: First ten minutes.

Time: 20 minutes.  Needs: nothing.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="00 First ten minutes")

with app.setup:
    import marimo as mo
    import numpy as np
    from matplotlib.figure import Figure

    from minitorch_seg import learn
    from minitorch_seg.data.coins import coin_photograph


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    # First ten minutes

    **You will be able to** cut a photograph into coin and ground, say how good the cut is, and use the
    verdicts of these lessons.

    **You need** Python, and a first acquaintance with NumPy: arrays, `shape`, `mean`. Ten minutes take you
    to a network that beats the threshold, ten more through the exercises.

    ## Why

    *Segmentation* gives each pixel of an image a name. Which pixels are tumour, road, cell? Here the
    question is easy to look at: which pixels are coin? The photograph on the left comes with scikit-image;
    the mask on the right was outlined by hand, coin by coin. It is the *truth* that all attempts are
    measured with.
    """)
    return


@app.cell
def _():
    photograph, _mask, _ = coin_photograph()
    truth = _mask == 1
    learn.tiles(
        {
            f"photograph {photograph.shape}, {photograph.dtype}": photograph,
            f"truth {truth.shape}, {truth.dtype}": truth,
        },
        "A grey photograph of 24 Greek coins in four rows, on ground that is brighter at the upper left; "
        "beside it the mask, white where there is a coin.",
        height=3.4,
    )
    return photograph, truth


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## A threshold

    Coins are brighter than the ground. So say *coin* wherever the grey value is above a number $t$. Move the
    slider and watch the score.

    The score is the **intersection over union**, IoU. Let $P$ be the pixels that you call coin, and $T$ those
    that are coin:

    $$ \mathrm{IoU} = \frac{|P \cap T|}{|P \cup T|} $$

    It is 1 if both are equal, and 0 if they do not meet.

    **Predict:** how high can the IoU get with the best $t$ of all?
    """)
    return


@app.cell
def _():
    guess_best = None  # your guess, between 0 and 1
    return (guess_best,)


@app.cell
def _():
    t = mo.ui.slider(40, 200, value=95, label="threshold t", show_value=True, full_width=True)
    t
    return (t,)


@app.cell
def _(photograph, t, truth):
    found = photograph > t.value
    score = (found & truth).sum() / (found | truth).sum()
    _errors = np.stack([found & ~truth, found & truth, truth & ~found], axis=-1).astype(float)
    _errors[found & truth] = 1.0
    learn.tiles(
        {f"above {t.value}": found, f"errors, IoU {score:.3f}": _errors},
        f"The pixels above {t.value} in white, and the errors: red where ground is called coin, blue "
        f"where a coin is missed. The IoU is {score:.3f}.",
        height=3.2,
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    Red is ground called coin, blue is coin that was missed, white is right. Once you have guessed, the score
    of *every* threshold appears below. The dashed line is the choice of Otsu's method, which looks at the
    grey values alone and never at the truth.
    """)
    return


@app.cell(hide_code=True)
def _(photograph, truth):
    from skimage.filters import threshold_otsu

    thresholds = np.arange(40, 201)
    scores = np.array(
        [((photograph > v) & truth).sum() / ((photograph > v) | truth).sum() for v in thresholds]
    )
    otsu = int(threshold_otsu(photograph))
    return otsu, scores, thresholds


@app.cell(hide_code=True)
def _(guess_best, otsu, scores, thresholds):
    mo.stop(guess_best is None)
    _figure = Figure(figsize=(6.5, 2.8), layout="constrained")
    _axes = _figure.subplots()
    _axes.plot(thresholds, scores)
    _axes.axvline(otsu, color="gray", linestyle="--")
    _axes.annotate(f"Otsu, t = {otsu}", (otsu, 0.35), (otsu - 4, 0.3), ha="right")
    _axes.set(xlabel="threshold t", ylabel="IoU", ylim=(0, 1))
    learn.picture(_figure, f"The IoU over the threshold: it rises to {scores.max():.2f} and falls again.")
    return


@app.cell(hide_code=True)
def _(guess_best, scores, thresholds):
    learn.prediction(
        guess_best,
        float(scores.max()),
        f"no threshold is better than t = {thresholds[scores.argmax()]}. The bright ground at the upper left "
        "equals the dark coins at the lower right: no single number separates them.",
        tolerance=0.03,
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## The surprise: a score that praises nothing

    Perhaps you would have counted the pixels that are right, the *pixel accuracy*. Look what it says of a
    mask that finds **no coin at all**:
    """)
    return


@app.cell
def _(otsu, photograph, truth):
    masks = {
        "no coin anywhere": np.zeros_like(truth),
        "Otsu's threshold": photograph > otsu,
        "the truth": truth,
    }
    _rows = ["| mask | pixel accuracy | IoU |", "|---|---|---|"]
    for _name, _p in masks.items():
        _accuracy, _iou = (_p == truth).mean(), (_p & truth).sum() / (_p | truth).sum()
        _rows.append(f"| {_name} | {_accuracy:.3f} | {_iou:.3f} |")
    mo.md("\n".join(_rows))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    Two pixels out of three are ground, so whoever says *ground* everywhere is right in two of three. If the
    thing that you look for is small, say a tumour, saying "nothing there" reaches 99 percent. IoU does not
    fall for it.

    Here are four harder questions: cell nuclei, a part of the brain, damaged roads, satellite images. What
    would the pixel accuracy be of whoever names the commonest class everywhere? (They are drawn where they
    are on your machine; `minitorch-seg datasets get nuclei` fetches the first. White pixels do not count.)
    """)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.registered_sets())
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## A network

    Now a small U-Net, from random weights. It sees crops from the right part of the photograph, and is
    scored on four coins at the left edge that it never saw. All of it runs in this package: engine,
    convolutions, training. (The first time its kernels are compiled, half a minute; later it takes two
    seconds.)
    """)
    return


@app.cell
def _():
    model, losses = learn.train_on_coins(steps=60)
    network_iou = learn.coin_iou(model, "test")
    return losses, model, network_iou


@app.cell(hide_code=True)
def _(losses, model, network_iou, otsu):
    from minitorch_seg import no_grad, tensor

    images, _masks = learn.coin_arrays("test")
    model.eval()
    with no_grad():
        _coin = model(tensor(images - np.float32(0.5))).data.argmax(axis=1)
    _cut = images[:, 0] > otsu / 255
    otsu_iou = (_cut & (_masks == 1)).sum() / (_cut | (_masks == 1)).sum()
    learn.tiles(
        {
            "four test coins": np.hstack(images[:, 0]),
            f"Otsu's threshold, IoU {otsu_iou:.2f}": np.hstack(_cut),
            f"U-Net after {len(losses)} steps, IoU {network_iou:.2f}": np.hstack(_coin),
        },
        "Four coins that the training never saw; Otsu's mask of them has many holes and much bright ground; "
        "the network's has whole coins, but for one small hole and a corner of ground.",
        rows=3,
        height=1.3,
    )
    return (otsu_iou,)


@app.cell
def _(network_iou, otsu_iou):
    assert network_iou > otsu_iou
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    How does it do that? It looks at neighbours, and it *learned* how: that is what lessons 01 to 08 are
    about.

    ## Exercises

    Each exercise is a function with a hole. Replace the line `raise ...` by your own; the verdict below
    follows at once. It looks at several cases and tells you what went wrong, so read it: **a wrong answer
    here costs nothing**.

    **1.** Turn your first verdict right: which pixels are brighter than $t$? (One line, and `image > t` is
    an array.)
    """)
    return


@app.function
def threshold(image, t):
    raise NotImplementedError("your turn: True where image is above t")


@app.cell
def _():
    learn.check("00.threshold", threshold)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("00.threshold"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **2.** The score: $|P \cap T| \,/\, |P \cup T|$ of two masks of True and False. In NumPy, `&` is *and*,
    `|` is *or*.
    """)
    return


@app.function
def iou(prediction, truth):
    raise NotImplementedError("your turn: two masks of the same shape, one number")


@app.cell
def _():
    learn.check("00.iou", iou)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("00.iou"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **3. Hunt a bug.** Each lesson has one function that looks right and is not. This one makes a grey image
    out of a colour image, the mean of red, green and blue. Images are mostly of type `uint8`, whole numbers
    from 0 to 255.
    """)
    return


@app.function
def grey(rgb):
    red, green, blue = rgb[:, :, 0], rgb[:, :, 1], rgb[:, :, 2]
    return (red + green + blue) / 3


@app.cell
def _():
    learn.check("00.grey", grey)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("00.grey"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Go further

    - `minitorch-seg learn` lists the lessons and your progress. `minitorch-seg train` trains a larger
      network, and leaves pictures.
    - Which threshold is best for the upper left coin alone, and which for the lower right one?
    - Otsu, *A threshold selection method from gray-level histograms*, 1979: five pages, and still in use.

    Next: **01**, tensors and gradients.
    """)
    return


if __name__ == "__main__":
    app.run()
