"""Lesson 06: Training.

Time: 60 minutes.  Needs: 01, 03, 05.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="06 Training")

with app.setup:
    import marimo as mo
    import numpy as np
    from matplotlib.figure import Figure

    import minitorch_seg as ms
    from minitorch_seg import learn

    F = ms.functional


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    # Training

    **You will be able to** say how large a network's first weights have to be, derive Adam's bias correction
    and the gradient of batch normalisation, and write all three.

    **You need** lessons 01 (chain rule), 03 (convolution) and 05 (the loss). *Variance*, the mean squared
    distance from the mean, should not frighten you.

    ## Why

    <details><summary>From lesson 03: how many products does one result of a 3×3 convolution from C channels
    add up?</summary>

    $9\,C$. Call it $n$. It decides, as we shall see, how large the weights may be.

    </details>

    Twelve convolutions, each followed by a relu, with random weights, are laid on crops of the coins. The
    picture shows the size (root of the mean square) of the numbers after each layer. Only one thing differs:
    the variance of the weights, $1/n$, $2/n$ or $4/n$.
    """)
    return


@app.cell
def _():
    images = learn.coin_arrays("train")[0][:8]
    images = (images - images.mean()) / images.std()

    def sizes(variance, normalised=False, layers=12, channels=16):
        rng, x, found = np.random.default_rng(0), ms.tensor(images), []
        for _ in range(layers):
            n = x.shape[1] * 9
            w = rng.standard_normal((channels, x.shape[1], 3, 3)) * np.sqrt(variance / n)
            x = F.conv2d(x, ms.tensor(w.astype(np.float32)), padding=1)
            x = F.relu(F.batch_norm(x, None, None, training=True) if normalised else x)
            found.append(float(np.sqrt((x.numpy() ** 2).mean())))
        return found

    return (sizes,)


@app.cell(hide_code=True)
def _(sizes):
    _figure = Figure(figsize=(6.5, 3.0), layout="constrained")
    _axes = _figure.subplots()
    for _variance in (4, 2, 1):
        _axes.semilogy(range(1, 13), sizes(_variance), "o-", label=f"variance {_variance}/n")
    _axes.set(xlabel="layer", ylabel="size of the numbers")
    _axes.legend()
    learn.picture(
        _figure,
        "Three lines over twelve layers: with variance 4/n the numbers grow to 50, with 1/n they fall to "
        "0.01, with 2/n they stay near 1.",
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    Gradients on their way back meet the same factors: with 1/n and 4/n about $\sqrt 2$ a layer, and after 50
    layers 30 million, too little or too much. The number 2 is no accident.

    ## By hand

    *A step of Adam.* A weight $\theta = 1$ has the gradient $g = 4$; $m = v = 0$, $t = 1$, $\beta_1 = 0.9$,
    $\beta_2 = 0.99$, the step size is $0.1$, and $\varepsilon$ so small that we leave it out:

    $$ m = 0.9 \cdot 0 + 0.1 \cdot 4 = 0.4 $$

    $$ v = 0.99 \cdot 0 + 0.01 \cdot 16 = 0.16 $$

    $$ \hat m = \frac{0.4}{1 - 0.9} = 4 \qquad \hat v = \frac{0.16}{1 - 0.99} = 16 $$

    $$ \theta = 1 - 0.1 \cdot \frac{4}{\sqrt{16}} = 0.9 $$

    **Predict:** suppose the gradient had been 0.004, a thousand times smaller. How long is the first step
    then?
    """)
    return


@app.cell
def _():
    guess_step = None  # your guess, a number
    return (guess_step,)


@app.cell(hide_code=True)
def _(guess_step):
    _theta = ms.tensor([1.0], requires_grad=True, dtype=ms.float64)
    _adam = ms.optim.Adam([_theta], lr=0.1, betas=(0.9, 0.99))
    (0.004 * _theta).sum().backward()
    _adam.step()
    first_step = round(1 - _theta.item(), 4)
    learn.prediction(
        guess_step,
        first_step,
        "just as long. The first step has the length of the step size, whatever the gradient: Adam "
        "divides by the gradient's own size and keeps its sign.",
        tolerance=0.001,
    )
    return


@app.cell
def _():
    _theta = ms.tensor([1.0], requires_grad=True, dtype=ms.float64)
    _adam = ms.optim.Adam([_theta], lr=0.1, betas=(0.9, 0.99))
    (4 * _theta).sum().backward()
    _adam.step()
    assert round(_theta.item(), 6) == 0.9
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **The surprise:** multiply a loss by 1000, and Adam takes the same steps, but for the tiny
    $\varepsilon$. (Plain gradient descent would jump a thousand times as far.) So a loss's factor does
    not matter, and a weight whose gradients are tiny but steady moves as fast as any other.

    ## Formula

    The documented example says `optimizer='adam'` and no more. What is right: it is a sound default. What is
    missing: how the weights begin, how long the steps are, and that a deep network needs its numbers held in
    bounds on the way. Three formulas fill the gap.

    **First weights** (He et al., 2015). Drawn at random with the mean 0 and this variance, where $n$ is
    the number of products in each sum:

    $$ \mathrm{Var}(w) = \frac{2}{n} $$

    **Adam** (Kingma and Ba, 2015). $\theta$ is a weight, $g$ its gradient, $t = 1, 2, \dots$ the step,
    $\mathrm{lr}$ the step size ("learning rate"). $m$ and $v$ are running means of $g$ and of $g^2$;
    $\beta_1$ and $\beta_2$ say how much of the past they keep. A small $\varepsilon$ forbids dividing
    by 0:

    $$ m \leftarrow \beta_1 m + (1 - \beta_1)\, g \qquad v \leftarrow \beta_2 v + (1 - \beta_2)\, g^2 $$

    $$ \hat m = \frac{m}{1 - \beta_1^t} \qquad \hat v = \frac{v}{1 - \beta_2^t} \qquad
       \theta \leftarrow \theta - \mathrm{lr} \, \frac{\hat m}{\sqrt{\hat v} + \varepsilon} $$

    **Batch normalisation** (Ioffe and Szegedy, 2015). For each channel, with $\mu$ and $\sigma^2$ the
    mean and the variance over all $M$ numbers $x$ of the channel in the batch,
    $s = \sqrt{\sigma^2 + \varepsilon}$, and two numbers $\gamma$ and $\beta$ that are trained (this
    $\beta$ is none of Adam's):

    $$ \hat x = \frac{x - \mu}{s} \qquad y = \gamma\, \hat x + \beta $$

    ## Derivation

    **Why a relu.** $\mathrm{relu}(y) = \max(0, y)$ has the slope 1 for $y > 0$ and 0 for $y < 0$; at 0 there
    is none, and one takes 0. The sigmoid of lesson 01 has the slope $p (1 - p)$, which is 1/4 at best. On a
    way back through twelve of them the slopes alone leave at most $(1/4)^{12}$ of a gradient, less than a
    ten-millionth.

    **Why 2.** Let $y = \sum_{i=1}^{n} w_i x_i$ with independent $w_i$ of mean 0. Write $E$ for the mean
    over all such weights, and over the places of the map. Multiply $y^2$ out:

    $$ E[y^2] = \sum_{i, k} E[w_i w_k]\, E[x_i x_k] $$

    For $i \ne k$ the weights are independent, so $E[w_i w_k] = E[w_i]\, E[w_k] = 0$. What is left are
    the $n$ terms with $i = k$, and $E[w_i^2]$ is the variance:

    $$ E[y^2] = n \, \mathrm{Var}(w) \, E[x^2] $$

    $y$ is as often positive as negative, and the relu keeps the positive half: $E[\mathrm{relu}(y)^2] =
    E[y^2] / 2$. That is the $E[x^2]$ of the next layer. It stays the same from layer to layer when $n \,
    \mathrm{Var}(w) / 2 = 1$.

    **Why a bias correction.** Write out $m$ after $t$ steps, from $m = 0$:

    $$ m_t = (1 - \beta_1) \sum_{k=1}^{t} \beta_1^{t-k} g_k $$

    The factors before the $g_k$ add up to a geometric sum:

    $$ (1 - \beta_1) \sum_{k=1}^{t} \beta_1^{t-k}
       = (1 - \beta_1)\, \frac{1 - \beta_1^t}{1 - \beta_1} = 1 - \beta_1^t $$

    So if all $g_k$ have the mean $\bar g$, then $E[m_t] = (1 - \beta_1^t)\, \bar g$. At first this is
    too small, since $m$ began at 0; dividing by $1 - \beta_1^t$ repairs it. $v$ alike.

    **Backward through batch norm.** $dy = g$ arrives. $\beta$ is added everywhere and $\gamma$ multiplies
    $\hat x$, so $d\beta = \sum g$ and $d\gamma = \sum g\, \hat x$. Let $h = \gamma g$ be the gradient of
    $\hat x$. One number $x_i$ goes *three* ways into the results: directly, through $\mu$, and through
    $\sigma^2$.

    - *Directly*, from $\hat x_i = (x_i - \mu) / s$: the part $h_i / s$.
    - *Through* $\mu$, which stands in every $\hat x_j$:

    $$ \frac{\partial L}{\partial \mu} = -\frac{1}{s} \sum_j h_j, \qquad
       \frac{\partial \mu}{\partial x_i} = \frac{1}{M} $$

    - *Through* $\sigma^2$, by which $\hat x_j = (x_j - \mu)\, (\sigma^2 + \varepsilon)^{-1/2}$ has the
      derivative $-\frac{1}{2} (x_j - \mu) / s^3 = -\hat x_j / (2 s^2)$:

    $$ \frac{\partial L}{\partial \sigma^2} = -\frac{1}{2 s^2} \sum_j h_j \hat x_j $$

    $$ \frac{\partial \sigma^2}{\partial x_i} = \frac{2 (x_i - \mu)}{M} = \frac{2 s \hat x_i}{M} $$

    ($\sigma^2$ moves with $\mu$ too, but by $-\frac{2}{M} \sum_j (x_j - \mu) = 0$.) Add the three parts:

    $$ dx_i = \frac{h_i}{s} - \frac{1}{s M} \sum_j h_j - \frac{\hat x_i}{s M} \sum_j h_j \hat x_j $$

    With $h = \gamma g$, and means in place of sums over $M$:

    $$ dx_i = \frac{\gamma}{s} \Big( g_i - \mathrm{mean}(g) - \hat x_i \, \mathrm{mean}(g\, \hat x) \Big) $$

    Whatever is the same for all $x_i$, or proportional to $\hat x$, is taken out of the gradient: to shift
    or to scale $x$ changes nothing behind a normalisation.

    ## Code

    Batch normalisation as a loop over the channels of $x$ (M, C), and the claim just made, in numbers:
    """)
    return


@app.function
def normalise(x, gamma, beta, eps):
    y = np.zeros(x.shape)
    for c in range(x.shape[1]):
        mu = x[:, c].mean()
        s = np.sqrt(((x[:, c] - mu) ** 2).mean() + eps)
        y[:, c] = gamma[c] * (x[:, c] - mu) / s + beta[c]
    return y


@app.cell
def _():
    _normal = np.random.default_rng(0).standard_normal
    _x, _gamma, _beta = _normal((6, 3)), _normal(3), _normal(3)
    _tensors = ms.tensor(_gamma), ms.tensor(_beta)
    _framework = F.batch_norm(_x, None, None, *_tensors, training=True).numpy()
    assert np.allclose(normalise(_x, _gamma, _beta, 1e-5), _framework)
    _moved = normalise(100 * _x + 7, _gamma, _beta, 0)
    assert np.allclose(_moved, normalise(_x, _gamma, _beta, 0))  # no difference
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    Plain gradient descent and Adam on a valley, $L(a, b) = a^2 + 50\, b^2$, steep in one direction and
    flat in the other. `descend` walks by any rule; `momenta` is Adam's, and remembers $m$ and $v$
    between its steps.
    """)
    return


@app.function
def descend(step, steps=60):
    """The path of (a, b) from (-4, 0.6) for a rule step(theta, g, t) -> theta."""
    theta, path = np.array([-4.0, 0.6]), []
    for t in range(1, steps + 1):
        path.append(theta)
        g = np.array([2 * theta[0], 100 * theta[1]])
        theta = step(theta, g, t)
    return np.array(path)


@app.function
def momenta(lr, beta1=0.9, beta2=0.99):
    m, v = np.zeros(2), np.zeros(2)

    def step(theta, g, t):
        nonlocal m, v
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
        return theta - lr * m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + 1e-8)

    return step


@app.cell
def _():
    _theta = ms.tensor(np.array([-4.0, 0.6]), requires_grad=True)
    _adam, _path = ms.optim.Adam([_theta], lr=0.3, betas=(0.9, 0.99)), []
    for _ in range(60):
        _path.append(_theta.detach().numpy().copy())
        _adam.zero_grad()
        (_theta[0] ** 2 + 50 * _theta[1] ** 2).backward()
        _adam.step()
    assert np.allclose(_path, descend(momenta(0.3)))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Picture

    The slider is the step size of plain descent. Too small, and it creeps along the flat direction.
    Above 0.02 it leaps out of the steep one: there a step makes
    $b - \mathrm{lr} \cdot 100\, b = (1 - 100\, \mathrm{lr})\, b$ of $b$, and for $\mathrm{lr} > 0.02$
    that factor is below $-1$. No choice is good for both. Adam measures each direction by itself.
    """)
    return


@app.cell
def _():
    lr = mo.ui.slider(
        0.001, 0.021, step=0.001, value=0.018, label="step size of plain descent", show_value=True
    )
    lr
    return (lr,)


@app.cell(hide_code=True)
def _(lr):
    _figure = Figure(figsize=(7.5, 3.0), layout="constrained")
    _axes = _figure.subplots()
    _a, _b = np.meshgrid(np.linspace(-4.5, 1.5, 200), np.linspace(-0.9, 0.9, 200))
    _axes.contour(_a, _b, _a**2 + 50 * _b**2, levels=[0.2, 1, 3, 7, 14, 25], colors="lightgray")
    _plain = descend(lambda theta, g, t: theta - lr.value * g)
    _axes.plot(
        *_plain.T,
        ".-",
        label=f"plain, {lr.value:.3f}: ends at L = {_plain[-1, 0] ** 2 + 50 * _plain[-1, 1] ** 2:.2g}",
    )
    _adam = descend(momenta(0.3))
    _axes.plot(
        *_adam.T, ".-", label=f"Adam, 0.3: ends at L = {_adam[-1, 0] ** 2 + 50 * _adam[-1, 1] ** 2:.2g}"
    )
    _axes.set(xlabel="a", ylabel="b", xlim=(-4.5, 1.5), ylim=(-0.9, 0.9))
    _axes.legend(loc="lower right")
    learn.picture(
        _figure,
        "Two paths into a long valley: plain descent zigzags across it and stops on the way, Adam swings "
        "through it in wide curves and ends near the lowest point.",
    )
    return


@app.cell(hide_code=True)
def _(sizes):
    _rows = [
        f"| {variance}/n | {sizes(variance)[-1]:.3g} | {sizes(variance, normalised=True)[-1]:.3g} |"
        for variance in (4, 2, 1)
    ]
    mo.md(
        "And the twelve layers of the beginning, with a batch norm before each relu. The size of the last "
        "layer's numbers:\n\n"
        "| variance of the weights | as above | with batch norm |\n|---|---|---|\n"
        + "\n".join(_rows)
        + "\n\nBehind a normalisation the size of the weights does not matter: that is what it is for."
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Gradient check

    The framework's batch norm, over a batch of images; and the relu. At 0 the relu has a kink, and the
    checker steps aside.
    """)
    return


@app.cell
def _():
    _normal = np.random.default_rng(0).standard_normal
    learn.gradcheck(
        lambda x, gamma, beta: F.batch_norm(x, None, None, gamma, beta, training=True),
        [_normal((3, 2, 2, 3)), _normal(2), _normal(2)],
        name="batch_norm",
    )
    return


@app.cell
def _():
    _normal = np.random.default_rng(1).standard_normal
    learn.gradcheck(
        lambda x, gamma, beta: F.relu(F.batch_norm(x, None, None, gamma, beta, training=True, eps=0.1)),
        [_normal((4, 3, 2, 2)), _normal(3), _normal(3)],
        name="batch_norm, then relu",
    )
    return


@app.cell
def _():
    learn.gradcheck(F.relu, np.array([[-1.0, 0.0, 2.0]]), name="relu")
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Exercises

    **1.** One step of Adam. Return the new $\theta$, and $m$ and $v$ as they go on, *not* corrected.
    """)
    return


@app.function
def adam_step(theta, g, m, v, t, lr, beta1, beta2, eps):
    raise NotImplementedError("your turn: return theta, m, v")


@app.cell
def _():
    verdict = learn.check("06.adam_step", adam_step)
    verdict
    return (verdict,)


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("06.adam_step"))
    return


@app.cell
def _(verdict):
    # Your Adam trains a small U-Net.
    mo.stop(not verdict, mo.md("*(A training with your Adam follows when the verdict is right.)*"))
    with learn.using(Adam=adam_step):
        _model, _losses = learn.train_on_coins(steps=40)
    mo.md(f"Trained by your Adam: the loss went from {_losses[0]:.2f} to {_losses[-1]:.2f}.")
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **2.** The gradient of batch norm, for $x$ (M, C): $M$ numbers in each of $C$ channels, so `axis=0`
    everywhere. Return $dx$, $d\gamma$ and $d\beta$. ($\beta$ itself is not needed.)
    """)
    return


@app.function
def batch_norm_backward(g, x, gamma, eps):
    raise NotImplementedError("your turn: return dx, dgamma, dbeta")


@app.cell
def _():
    learn.check("06.batch_norm_backward", batch_norm_backward)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("06.batch_norm_backward"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **3. Hunt a bug.** Batch norm for images (N, C, H, W). Its author tried one image at a time.
    """)
    return


@app.function
def batch_norm(x, gamma, beta, eps):
    mean = x.mean(axis=(2, 3), keepdims=True)
    variance = x.var(axis=(2, 3), keepdims=True)
    x_hat = (x - mean) / np.sqrt(variance + eps)
    return gamma[:, None, None] * x_hat + beta[:, None, None]


@app.cell
def _():
    learn.check("06.batch_norm", batch_norm)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("06.batch_norm"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Cost

    Adam keeps two numbers for each weight, so a training needs four times the memory of the weights:
    $\theta$, $g$, $m$, $v$. Batch norm reads its map twice forward and twice backward, and does little with
    it: it is bound by memory, not by arithmetic. The framework therefore runs batch norm and relu as one
    operator.
    """)
    return


@app.cell(hide_code=True)
def _():
    _x, _one, _zero = ms.randn(8, 16, 64, 64), ms.ones(16), ms.zeros(16)
    _both = learn.milliseconds(lambda: F.relu(F.batch_norm(_x, None, None, _one, _zero, training=True)))
    _fused = learn.milliseconds(lambda: F.batch_norm_relu(_x, None, None, _one, _zero, training=True))
    mo.md(
        "| 8 images of 16 channels, 64×64 | milliseconds |\n|---|---|\n"
        f"| batch_norm, then relu | {_both:.2f} |\n| batch_norm_relu | {_fused:.2f} |"
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Go further

    - `minitorch-seg show batch_norm`; `optim/adam.py` is 130 lines, and its formula is your exercise 1.
    - In training the mean is that of the batch, afterwards a running one. What goes wrong with a batch of
      one image?
    - AdamW takes weight decay out of $g$. Why does it make a difference that Adam divides by $\sqrt{\hat v}$?
    - He et al., *Delving deep into rectifiers*, 2015; Kingma and Ba, *Adam*, 2015; Ioffe and Szegedy, *Batch
      normalization*, 2015.

    Next: **07**, a classifier at every pixel.
    """)
    return


if __name__ == "__main__":
    app.run()
