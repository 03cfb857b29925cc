"""Lesson 09: Recurrence and back-propagation through time.

Time: 60 minutes.  Needs: 01, 06.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="09 Recurrence and back-propagation through time")

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
    # Recurrence and back-propagation through time

    **You will be able to** write a recurrent network and its gradient, say why gradients vanish or explode,
    and what clipping and truncation do about it, and what they do not.

    **You need** lessons 01 (chain rule, `+=`) and 06 (training).

    ## Why

    <details><summary>From lesson 06: twelve layers with weights of variance 1/n. What happened to the
    numbers, and why did a factor so close to 1 matter?</summary>

    They shrank to a hundredth. Each layer multiplied by about 0.7, and twelve factors of 0.7 make 0.01. A
    recurrent network is such a stack, with as many layers as steps, and *the same* weights in each.

    </details>

    Read each row of a photograph from left to right, one pixel a step, and mark every pixel from the first
    coin on: "there has been a coin in this row". No window can answer that: the coin may lie far back. A
    network needs *memory*. Here one with memory and one without ($W_{hh} = 0$ in the formula below) learn it
    from the same rows.
    """)
    return


@app.function
def as_rows(images):
    """Images (N, 1, H, W) as sequences (W, N·H, 1): one pixel a step, all rows side by side."""
    return np.ascontiguousarray((images[:, 0] - np.float32(0.5)).reshape(-1, 64).T[..., None]) * 4


@app.cell
def _():
    images, masks = learn.coin_arrays("train")
    x_rows, y_rows = as_rows(images), np.maximum.accumulate(masks, axis=2).reshape(-1, 64)

    def fit(memory, H=16, steps=120):
        rng = np.random.default_rng(1)
        shapes, bound = [(H, 1), (H, H), (H,), (2, H), (2,)], 1 / np.sqrt(H)
        first = [rng.uniform(-bound, bound, shape).astype(np.float32) for shape in shapes]
        weights = [ms.tensor(w, requires_grad=True) for w in first]

        def scores(x):
            W_xh, W_hh, b_h, W_hy, b_y = weights
            h = F.rnn(ms.tensor(x), None, W_xh, W_hh * memory, b_h)
            return F.linear(h, W_hy, b_y).permute(1, 2, 0)

        adam = ms.optim.Adam(weights, lr=0.01)
        for _ in range(steps):
            some = rng.choice(x_rows.shape[1], 128, replace=False)
            loss = F.cross_entropy(scores(np.ascontiguousarray(x_rows[:, some])), ms.tensor(y_rows[some]))
            adam.zero_grad()
            loss.backward()
            ms.nn.utils.clip_grad_norm_(weights, 1.0)
            adam.step()
        return scores

    return (fit,)


@app.cell
def _(fit):
    val_images, val_masks = learn.coin_arrays("val")
    truth = np.maximum.accumulate(val_masks, axis=2) == 1
    found = {}
    for _name, _memory in (("without memory", 0.0), ("with memory", 1.0)):
        _scores = fit(_memory)(as_rows(val_images)).detach().numpy()
        found[_name] = _scores.argmax(axis=1).reshape(truth.shape) == 1
    return found, truth, val_images


@app.cell(hide_code=True)
def _(found, truth, val_images):
    def _iou(name):
        return (found[name] & truth).sum() / (found[name] | truth).sum()

    assert _iou("with memory") > _iou("without memory") + 0.2
    learn.tiles(
        {
            "photograph": val_images[1, 0],
            "from the first coin on": truth[1],
            **{f"{_name}: IoU {_iou(_name):.2f}": found[_name][1] for _name in found},
        },
        "A coin; the truth, white from the coin's left edge to the right border; a network without memory, "
        "which goes by each pixel's grey and marks most of the ground; one with memory, nearly right.",
        height=2.1,
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## By hand

    One number of state, $f = \mathrm{relu}$, $W_{hh} = \frac12$, $W_{xh} = 1$, $b_h = 0$, $h_0 = 0$, and
    $x = (1, 2, -1)$:

    $$ h_1 = 1 \qquad h_2 = \tfrac12 \cdot 1 + 2 = 2.5 \qquad h_3 = \tfrac12 \cdot 2.5 - 1 = 0.25 $$

    Let the loss be $L = h_3$, and $\delta_t$ the derivative of $L$ by what stands inside of $f$ at step $t$.
    All are positive, so the relu lets everything pass:

    $$ \delta_3 = 1 \qquad \delta_2 = \tfrac12 \cdot 1 = \tfrac12 \qquad \delta_1 = \tfrac12 \cdot \tfrac12 =
       \tfrac14 $$

    $W_{hh}$ was used in every step, each time with the state before: $dW_{hh} = \delta_3 h_2 + \delta_2 h_1 +
    \delta_1 h_0 = 2.5 + 0.5 + 0 = 3$. And $dW_{xh} = \delta_3 x_3 + \delta_2 x_2 + \delta_1 x_1 = -1 + 1 +
    0.25 = 0.25$.
    """)
    return


@app.cell
def _():
    _x = ms.tensor([[[1.0]], [[2.0]], [[-1.0]]])
    _W_xh, _W_hh = ms.tensor([[1.0]], requires_grad=True), ms.tensor([[0.5]], requires_grad=True)
    _h = F.rnn(_x, None, _W_xh, _W_hh, f="relu")
    _h[2].sum().backward()
    assert _h.detach().numpy().ravel().tolist() == [1, 2.5, 0.25]
    assert _W_hh.grad.item() == 3 and _W_xh.grad.item() == 0.25
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Formula

    The text from which this project grew defines the network by

    $$ h_t = f(W_{hh}\, h_{t-1} + W_{xh}\, x_t + b_h) $$

    What is right: all of it. This *is* the recurrence (Elman, 1990), and `F.rnn(x, h0, W_xh, W_hh, b_h, f)`
    keeps its letters. What is missing:

    1. $h_0$. Zeros, if nobody says otherwise.
    2. The output: $y_t = W_{hy}\, h_t + b_y$. Without it there are states, and no answer.
    3. $f$: any differentiable function, mostly tanh.
    4. The order in which an image is read. An image has no first pixel; a row from the left is *our* choice.

    And a word: RNN abbreviates two things. A *recurrent* network (循环, *xúnhuán*) runs along a sequence,
    as here. A *recursive* network (递归, *dìguī*) joins parts along a tree. The formula is recurrent,
    whatever a text calls it.

    **Back-propagation through time.** Let $a_t$ be what stands inside of $f$, $g_t$ the gradient that comes
    to $h_t$ from outside, and $\delta_t = \partial L / \partial a_t$:

    $$ \delta_t = f'(a_t) \odot \big( g_t + W_{hh}^\top\, \delta_{t+1} \big), \qquad \delta_{T+1} = 0 $$

    $$ dW_{hh} = \sum_t \delta_t\, h_{t-1}^\top \qquad dW_{xh} = \sum_t \delta_t\, x_t^\top \qquad
       db_h = \sum_t \delta_t $$

    $$ dx_t = W_{xh}^\top\, \delta_t \qquad dh_0 = W_{hh}^\top\, \delta_1 $$

    ## Derivation

    **Two ways out of a state.** $h_t$ goes to the loss at once (that is $g_t$), and into
    $a_{t+1} = W_{hh} h_t + \dots$. Paths add up (lesson 01):

    $$ \frac{\partial L}{\partial h_t} = g_t + W_{hh}^\top\, \frac{\partial L}{\partial a_{t+1}} = g_t +
       W_{hh}^\top\, \delta_{t+1} $$

    and $h_t = f(a_t)$, number by number, gives $\delta_t = f'(a_t) \odot \partial L / \partial h_t$. For tanh
    $f'(a_t) = 1 - h_t^2$. The last state has no successor: $\delta_{T+1} = 0$.

    **The same weights in every step.** Give each step its own copy $W_{hh}^{(t)}$. Then $a_t = W_{hh}^{(t)}
    h_{t-1} + \dots$, so the copy's gradient is $\delta_t h_{t-1}^\top$. All copies are one matrix, so its
    gradient is the sum. $W_{xh}$ and $b_h$ alike.

    **Vanishing and exploding.** How does a state act on one $k$ steps later? Only through the states between:

    $$ \frac{\partial h_{t+k}}{\partial h_t} = \prod_{i=1}^{k} \mathrm{diag}\big(f'(a_{t+i})\big)\, W_{hh} $$

    (the latest factor at the left). Were it one number $u$, with $f' = 1$, it would be $u^k$: it vanishes
    for $|u| < 1$ and explodes for $|u| > 1$. For matrices the *spectral radius* $\rho$ of $W_{hh}$, the size
    of its largest eigenvalue, takes the place of $|u|$. And tanh has $f' \le 1$: it can only shorten.

    **Clipping** replaces the whole gradient $g$ by

    $$ g \leftarrow \min\Big(1, \frac{c}{\lVert g \rVert}\Big)\; g $$

    A step too long is made shorter; its direction stays. **Truncation** carries $\delta$ back over $k$ steps
    only, and takes what is older as given; the *states* still run on.

    ## Code

    The recurrence as loops, for one sequence: the formula, and nothing else.
    """)
    return


@app.function
def rnn_loops(x, h0, W_xh, W_hh, b_h, f=np.tanh):
    T, H = len(x), len(h0)
    states, h = np.zeros((T, H)), h0
    for t in range(T):
        a = b_h.copy()
        for i in range(H):
            for j in range(H):
                a[i] += W_hh[i, j] * h[j]
            for c in range(x.shape[1]):
                a[i] += W_xh[i, c] * x[t, c]
        h = states[t] = f(a)
    return states


@app.cell
def _():
    _normal = np.random.default_rng(0).standard_normal
    _x, _h0, _W_xh, _W_hh, _b_h = _normal((6, 2)), _normal(3), _normal((3, 2)), _normal((3, 3)), _normal(3)
    _framework = F.rnn(_x, _h0, ms.tensor(_W_xh), ms.tensor(_W_hh), ms.tensor(_b_h)).numpy()
    assert np.allclose(rnn_loops(_x, _h0, _W_xh, _W_hh, _b_h), _framework)
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    For many sequences at once the states are *rows* (N, H), and $W_{hh} h$ becomes `h @ W_hh.T`. Next, the
    product of the derivation: how strongly the state $k$ steps ago acts on the present one.
    """)
    return


@app.function
def influence(rho, tanh=True, H=32, T=60):
    """The largest stretch (spectral norm) of dh_{t+k}/dh_t for k = 1 … T."""
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.standard_normal((H, H)))[0]  # all its eigenvalues lie on the unit circle
    W_hh, h, product, norms = rho * turn, np.zeros(H), np.eye(H), []
    for _ in range(T):
        h = np.tanh(W_hh @ h + rng.standard_normal(H) / 2) if tanh else h
        slope = 1 - h**2 if tanh else np.ones(H)
        product = slope[:, None] * W_hh @ product
        norms.append(np.linalg.norm(product, 2))
    return norms


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Picture

    Without tanh (dashed) the spectral radius decides: 0.9 vanishes, 1.1 explodes, and exactly 1 keeps
    everything. Now the same with tanh.

    **Predict:** $\rho = 1$, with tanh. What is left of the influence after 60 steps: `"all"`, `"a tenth"`,
    or `"nearly nothing"`?
    """)
    return


@app.cell
def _():
    guess_left = None  # your guess, "all", "a tenth" or "nearly nothing"
    return (guess_left,)


@app.cell(hide_code=True)
def _(guess_left):
    assert influence(1.0)[-1] < 0.001 < 0.5 < influence(1.5)[-1] < 2 < 500 < influence(2.0)[-1] < 2000
    learn.prediction(
        guess_left,
        "nearly nothing",
        f"a factor of {influence(1.0)[-1]:.0e}. Each step's tanh has a slope below 1, and sixty of them take "
        "their toll.",
    )
    return


@app.cell
def _():
    rho = mo.ui.slider(0.5, 2.0, step=0.1, value=1.2, label="spectral radius ρ", show_value=True)
    rho
    return (rho,)


@app.cell(hide_code=True)
def _(guess_left, rho):
    _figure = Figure(figsize=(7.5, 3.2), layout="constrained")
    _axes = _figure.subplots()
    _shown = (0.9, 1.1, rho.value) if guess_left is None else (0.9, 1.0, 1.1, rho.value)
    for _number, _rho in enumerate(dict.fromkeys(_shown)):
        _colour = f"C{_number}"
        _axes.semilogy(range(1, 61), influence(_rho, tanh=False), "--", color=_colour)
        _axes.semilogy(range(1, 61), influence(_rho), color=_colour, label=f"ρ = {_rho:.1f}")
    _axes.set(xlabel="steps back, k", ylabel="influence", ylim=(1e-7, 1e5))
    _axes.legend(loc="lower left")
    learn.picture(
        _figure,
        "Influence over steps back, on a logarithmic axis: straight dashed lines without tanh, rising for a "
        "radius above 1 and falling below; with tanh nearly all lines fall.",
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    With tanh even $\rho = 1.2$ forgets. At 1.5 the two happen to be in balance, and after 60 steps the
    influence is still 1 (other weights and inputs have their balance elsewhere). Beyond that it explodes, but
    slowly: at 2.0 it grows to a thousand, and would be $2^{60} \approx 10^{18}$ without tanh. The states run
    into tanh's flat ends, where slopes are small.

    Does **clipping** help against vanishing? Here is $dW_{hh}$ of a loss at the last of 40 steps, step by
    step: the share $\lVert \delta_t h_{t-1}^\top \rVert$ of each, before clipping to a norm of 1 and after.
    """)
    return


@app.function
def shares(rho, H=16, T=40):
    """The part of dW_hh from each step, the last step's first, for L = the sum of the last state."""
    rng = np.random.default_rng(2)
    W_hh = rho * np.linalg.qr(rng.standard_normal((H, H)))[0]
    states = [np.zeros(H)]
    for _ in range(T):
        states.append(np.tanh(W_hh @ states[-1] + rng.standard_normal(H) / 2))
    delta, parts = (1 - states[T] ** 2) * np.ones(H), []
    for t in range(T, 0, -1):
        parts.append(np.outer(delta, states[t - 1]))
        delta = (1 - states[t - 1] ** 2) * (W_hh.T @ delta)
    return np.array(parts)


@app.cell
def _():
    _parts = shares(0.9)[:-1]  # the part of the first step is 0, as h_0 is
    _before = np.linalg.norm(_parts, axis=(1, 2))
    _factor = min(1, 1 / np.linalg.norm(_parts.sum(axis=0)))
    _after = np.linalg.norm(_factor * _parts, axis=(1, 2))
    assert np.allclose(_after / _after[0], _before / _before[0])
    _figure = Figure(figsize=(7.5, 2.8), layout="constrained")
    _axes = _figure.subplots()
    _axes.semilogy(_before, label="before clipping")
    _axes.semilogy(_after, label="after clipping")
    _axes.set(xlabel="steps back from the last", ylabel="share of dW_hh")
    _axes.legend()
    learn.picture(
        _figure,
        "Two parallel, nearly straight lines that fall by many powers of ten over forty steps: clipping has "
        "moved the line down, and changed nothing in its slope.",
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **The surprise:** the lines are *parallel*. Clipping multiplies everything by one number, so the share of
    an early step is as small as before. It guards against exploding, and cures no vanishing. What does: paths
    with a slope near 1, in the gates of an LSTM or GRU, or shorter ways through an image.

    And is the *last step* enough? Then truncation to $k = 1$ would do. Here is how far a truncated $dW_{hh}$
    is from the whole one, in parts of its length:
    """)
    return


@app.cell(hide_code=True)
def _():
    def _error(rho, k):
        parts = shares(rho)
        return np.linalg.norm(parts[k:].sum(axis=0)) / np.linalg.norm(parts.sum(axis=0))

    def _line(rho):
        return f"| {rho} | " + " | ".join(f"{_error(rho, k):.2f}" for k in (1, 3, 10, 30)) + " |"

    assert _error(0.9, 1) > 0.3 and _error(0.9, 30) < 0.01 < _error(2.0, 30)
    _lines = "\n".join(map(_line, (0.9, 1.5, 2.0)))
    mo.md(f"| ρ | k = 1 | k = 3 | k = 10 | k = 30 |\n|---|---|---|---|---|\n{_lines}")
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    Where the network forgets, a few steps are enough; where it remembers, what was cut off is most of it.
    Truncation saves memory, and it teaches nothing that needs more than $k$ steps.
    """)
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Gradient check

    `F.rnn` with tanh, with relu, and with another $f$:
    """)
    return


@app.cell
def _():
    _normal = np.random.default_rng(3).standard_normal
    learn.gradcheck(
        F.rnn,
        [_normal((4, 2, 3)), _normal((2, 2)), _normal((2, 3)), _normal((2, 2)), _normal(2)],
        name="rnn, tanh",
    )
    return


@app.cell
def _():
    _normal = np.random.default_rng(4).standard_normal
    learn.gradcheck(
        lambda x, W_xh, W_hh: F.rnn(x, None, W_xh, W_hh, f="relu"),
        [_normal((3, 1, 2)), _normal((3, 2)), _normal((3, 3))],
        name="rnn, relu, no bias, from zero",
    )
    return


@app.cell
def _():
    _normal = np.random.default_rng(5).standard_normal
    learn.gradcheck(
        lambda x, h0, W_xh, W_hh: F.rnn(x, h0, W_xh, W_hh, f=F.sigmoid),
        [_normal((5, 1)), _normal(2), _normal((2, 1)), _normal((2, 2))],
        name="rnn, sigmoid, a single sequence",
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Exercises

    **1.** The recurrence with tanh for a batch: $x$ (T, N, C), $h_0$ (N, H). Return all states, (T, N, H).
    """)
    return


@app.function
def rnn(x, h0, W_xh, W_hh, b_h):
    raise NotImplementedError("your turn: one loop, over t; return h_1 ... h_T")


@app.cell
def _():
    learn.check("09.rnn", rnn)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("09.rnn"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **2.** Back-propagation through time. $g$ (T, N, H) holds all $g_t$, and $h$ (T, N, H) the states of
    exercise 1. States are rows, so $W_{hh}^\top \delta$ becomes `delta @ W_hh`, and $\delta\, h^\top$, summed
    over the batch, `delta.T @ h`.
    """)
    return


@app.function
def rnn_backward(g, x, h, h0, W_xh, W_hh):
    raise NotImplementedError("your turn: from the last step on; return dx, dh0, dW_xh, dW_hh, db_h")


@app.cell
def _():
    learn.check("09.rnn_backward", rnn_backward)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("09.rnn_backward"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **3.** Clip two gradients of any shapes *together* to a norm of at most $c$. (What if both are zero?)
    """)
    return


@app.function
def clip(g1, g2, c):
    raise NotImplementedError("your turn: return the two, shortened")


@app.cell
def _():
    learn.check("09.clip", clip)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("09.clip"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **4. Hunt a bug.** For truncation a long sequence is read in pieces of $k$ steps (here with one number of
    state, weights $w$ and $u$). The states must be those of reading it in one go. It passed for all
    sequences of up to $k$ steps.
    """)
    return


@app.function
def read_in_pieces(x, h0, w, u, k):
    states = []
    for first in range(0, len(x), k):
        h = h0
        for x_t in x[first : first + k]:
            h = np.tanh(u * h + w * x_t)
            states.append(h)
    return np.array(states)


@app.cell
def _():
    learn.check("09.read_in_pieces", read_in_pieces)
    return


@app.cell(hide_code=True)
def _():
    mo.md(learn.answer("09.read_in_pieces"))
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Cost

    A step costs $N H (C + H)$ products forward and twice that backward, little beside a convolution. But the
    steps wait for each other. And all $T$ states are kept for the way back; truncation to $k$ steps keeps
    $k$. Here the number of products is the same in all three rows:
    """)
    return


@app.cell(hide_code=True)
def _():
    def _row(T, N):
        x, W_xh = ms.randn(T, N, 16), ms.randn(16, 16, requires_grad=True)
        W_hh = (ms.randn(16, 16) / 8).requires_grad_(True)

        def there_and_back():
            h = F.rnn(x, None, W_xh, W_hh)
            h.backward(h.detach())

        there = learn.milliseconds(lambda: F.rnn(x, None, W_xh, W_hh))
        both = learn.milliseconds(there_and_back)
        return f"| {T} steps, {N} sequences | {there:.2f} | {both:.2f} |"

    mo.md(
        "| 16 numbers, 16 states; milliseconds | forward | forward and backward |\n|---|---|---|\n"
        + "\n".join(_row(T, 16384 // T) for T in (16, 128, 1024))
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    One core does one thing after the other anyway, so 1024 steps that wait cost it about as much as 16. Where
    thousands of threads could work at once, on a GPU, the last row has work for 16 sequences at a time.

    ## Go further

    - Begin $W_{hh}$ as the unit matrix, with relu (Le et al., 2015). What is $\rho$, and what are the slopes?
    - `models/sequence_rnn.py` reads an image as a sequence, with truncation; `F.lstm` and `F.gru` have gates.
      Which factor takes the place of $\mathrm{diag}(f') W_{hh}$ there?
    - Our rows were read from the left. What can a network that reads both ways know more?
    - Elman, *Finding structure in time*, 1990; Werbos, *Backpropagation through time*, 1990; Bengio, Simard
      and Frasconi, *Learning long-term dependencies with gradient descent is difficult*, 1994; Pascanu,
      Mikolov and Bengio, *On the difficulty of training recurrent neural networks*, 2013.

    Next: **10**, sweeps over an image.
    """)
    return


if __name__ == "__main__":
    app.run()
