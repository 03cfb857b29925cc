"""Sweeps: against PyTorch's layers line by line, what they have seen, truncated back-propagation."""

import weakref

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.models.receptive_field import seen
from minitorch_seg.models.recurrent import CELLS, all_states, backward_in_pieces
from minitorch_seg.models.renet import ReNet, Sweep


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def pytorch_layer(torch, cell, there, back):
    """PyTorch's layer that reads both ways, with the weights of our two layers."""
    kind = {"elman": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[cell]
    layer = kind(there.input_size, there.hidden_size, bidirectional=True).double()
    state = {name: torch.tensor(value.data) for name, value in there.state_dict().items()}
    state |= {f"{name}_reverse": torch.tensor(value.data) for name, value in back.state_dict().items()}
    layer.load_state_dict(state)
    return layer


@pytest.mark.parametrize("cell", CELLS)
def test_a_renet_is_pytorch_s_layers_over_single_rows_and_columns(cell):
    """The oracle takes one line after the other, so no permutation of ours can be shared."""
    torch = pytest.importorskip("torch")
    ms.manual_seed(0)
    renet = ReNet(3, 4, patch=2, cell=cell).double()
    x = random(2, 3, 6, 10)
    rows = pytorch_layer(torch, cell, renet.rows.there, renet.rows.back)
    columns = pytorch_layer(torch, cell, renet.columns.there, renet.columns.back)
    theirs = torch.tensor(x, requires_grad=True)
    patches = torch.nn.functional.pixel_unshuffle(theirs, 2)
    swept = torch.stack(
        [torch.stack([rows(image[:, y].T)[0].T for y in range(3)], 1) for image in patches]
    )  # (N, 2U, H, W)
    expected = torch.stack(
        [torch.stack([columns(image[:, :, x].T)[0].T for x in range(5)], 2) for image in swept]
    )
    ours = ms.tensor(x, requires_grad=True)
    found = renet(ours)
    assert found.shape == (2, 8, 3, 5)
    np.testing.assert_allclose(found.data, expected.detach().numpy(), rtol=1e-10, atol=1e-12)
    u = random(*found.shape, seed=1)
    found.backward(ms.tensor(u))
    expected.backward(torch.tensor(u))
    np.testing.assert_allclose(ours.grad.data, theirs.grad.numpy(), rtol=1e-9, atol=1e-12)
    for name, parameter in rows.named_parameters():
        layer = renet.rows.back if name.endswith("_reverse") else renet.rows.there
        gradient = getattr(layer, name.removesuffix("_reverse")).grad
        np.testing.assert_allclose(gradient.data, parameter.grad.numpy(), rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("cell", CELLS)
def test_gradients(cell):
    ms.manual_seed(1)
    sweep = Sweep(2, 3, "height", cell=cell).double()
    names = [name for name, _ in sweep.there.named_parameters()]

    def run(x, *weights):
        for name, weight in zip(names, weights, strict=True):
            sweep.there._parameters[name] = weight
        return sweep(x)

    arrays = [random(1, 2, 4, 3), *(p.data for p in sweep.there.parameters())]
    assert ms.gradcheck(run, arrays, max_jacobian=0, directions=2, name=cell).compared


HEIGHT, WIDTH, PIXEL = 4, 5, (2, 3)
ROWS, COLUMNS = np.indices((HEIGHT, WIDTH))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    "along, both_ways, formula",
    [
        ("width", False, (PIXEL[0] == ROWS) & (PIXEL[1] >= COLUMNS)),
        ("width", True, PIXEL[0] == ROWS),
        ("height", False, (PIXEL[1] == COLUMNS) & (PIXEL[0] >= ROWS)),
        ("height", True, PIXEL[1] == COLUMNS),
    ],
)
def test_a_sweep_has_seen_what_the_formula_says(cell, along, both_ways, formula):
    ms.manual_seed(2)
    sweep = Sweep(2, 3, along, both_ways, cell)
    np.testing.assert_array_equal(seen(sweep, (2, HEIGHT, WIDTH), PIXEL), formula)


@pytest.mark.parametrize("patch", [1, 2])
def test_a_renet_has_seen_everything(patch):
    ms.manual_seed(3)
    renet = ReNet(1, 3, patch)
    assert seen(renet, (1, 6, 8), (2, 0)).all()


@pytest.mark.parametrize("steps", [1, 3, 100])
@pytest.mark.parametrize("both_ways", [False, True])
def test_truncated_gradients_stop_exactly_there(steps, both_ways):
    """h_t, t counted from the end that is read first, reaches back to the last multiple of `steps`."""
    ms.manual_seed(4)
    width = 7
    sweep = Sweep(1, 3, "width", both_ways, "lstm", truncate=steps)
    for t in range(width):
        place = np.arange(width)
        expected = (place >= t // steps * steps) & (place <= t)
        if both_ways:
            mirrored = width - 1 - t
            expected |= (width - 1 - place >= mirrored // steps * steps) & (place >= t)
        np.testing.assert_array_equal(
            seen(sweep, (1, 1, width), (0, t), draws=1)[0], expected, err_msg=f"{t=}"
        )


@pytest.mark.parametrize("cell", CELLS)
def test_truncation_changes_no_value_and_the_gradient_is_that_of_the_pieces(cell):
    """The oracle: each piece alone, its first state a constant."""
    ms.manual_seed(5)
    layer = CELLS[cell](2, 3).double()
    x, u = random(7, 2, 2), random(7, 2, 3, seed=1)
    whole, pieces = all_states(layer, ms.tensor(x)), all_states(layer, ms.tensor(x), 3)
    np.testing.assert_allclose(pieces.data, whole.data, rtol=1e-12)
    pieces.backward(ms.tensor(u))
    found = [p.grad.data.copy() for p in layer.parameters()]
    layer.zero_grad()
    for first in (0, 3, 6):
        with ms.no_grad():
            start = layer(ms.tensor(x[:first]))[1] if first else None
        states, _ = layer(ms.tensor(x[first : first + 3]), start)
        states.backward(ms.tensor(u[first : first + 3]))  # gradients add up over the pieces
    for gradient, p in zip(found, layer.parameters(), strict=True):
        np.testing.assert_allclose(gradient, p.grad.data, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_backward_in_pieces_gives_the_truncated_gradients_and_lets_each_piece_go(cell):
    ms.manual_seed(5)
    front, layer, head = ms.nn.Linear(2, 2).double(), CELLS[cell](2, 3).double(), ms.nn.Linear(3, 1).double()
    x, u = ms.tensor(random(8, 2, 2)), random(8, 2, 1, seed=1)
    parts = [front, layer, head]

    def gradients(total):
        found = [p.grad.data.copy() for part in parts for p in part.parameters()]
        for part in parts:
            part.zero_grad()
        return total, found

    loss = (head(all_states(layer, front(x), 3)) * ms.tensor(u)).sum()
    loss.backward()
    expected = gradients(loss.item())
    alive = []

    def of_a_piece(states, steps):
        alive.append(weakref.ref(states))
        assert sum(ref() is not None for ref in alive) == 1  # the graph of the piece before is gone
        return (head(states) * ms.tensor(u[steps])).sum()

    found = gradients(backward_in_pieces(layer, front(x), of_a_piece, 3))
    assert found[0] == pytest.approx(expected[0], rel=1e-12) and len(alive) == 3
    for a, b in zip(found[1], expected[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_a_lost_detach_would_be_seen(monkeypatch):
    """A planted mistake: the state goes on with its history."""
    monkeypatch.setattr(ms.Tensor, "detach", lambda self: self)
    ms.manual_seed(4)
    with pytest.raises(AssertionError):
        test_truncated_gradients_stop_exactly_there(3, False)


def test_wrong_arguments_are_explained():
    with pytest.raises(ValueError, match="did you mean lstm"):
        Sweep(1, 2, cell="lsmt")
    with pytest.raises(ValueError, match="use 'width' or 'height'"):
        Sweep(1, 2, along="left")
    with pytest.raises(ms.ShapeError, match=r"expected \(N, 3, H, W\)"):
        Sweep(3, 2)(ms.zeros(1, 1, 4, 4))
    with pytest.raises(ms.ShapeError, match="downscale_factor 2"):
        ReNet(1, 2, patch=2)(ms.zeros(1, 1, 4, 5))
    with pytest.raises(ms.ShapeError, match="patch must be at least 1"):
        ReNet(1, 2, patch=0)
    with pytest.raises(ValueError, match="truncate must be at least 1"):
        all_states(ms.nn.RNN(1, 2), ms.zeros(3, 1, 1), 0)
    for build in (Sweep, ReNet, ms.models.SequenceRNN, ms.models.ReSeg):
        for truncate in (0, 2.5):
            with pytest.raises(ValueError, match="truncate must be at least 1"):
                build(1, 2, truncate=truncate)
    with pytest.raises(ValueError, match="reads both ways"):
        all_states(ms.nn.RNN(1, 2, bidirectional=True), ms.zeros(3, 1, 1))
