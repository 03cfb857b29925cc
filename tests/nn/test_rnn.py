"""RNN, GRU, LSTM against torch.nn: layers, directions, batch_first, states, single sequences; refusals."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import ShapeError
from tests.helpers import OURS, close, draw, modules_agree, refuses, theirs

OPTIONS = [
    {},
    {"num_layers": 3},
    {"bidirectional": True},
    {"num_layers": 2, "bidirectional": True, "batch_first": True},
    {"bias": False},
]


@pytest.mark.parametrize("options", [*OPTIONS, {"nonlinearity": "relu", "num_layers": 2}], ids=str)
def test_rnn(options):
    modules_agree(lambda nn: nn.RNN(3, 5, **options), (4, 2, 3), modes=["train"])
    states = options.get("num_layers", 1) * (1 + options.get("bidirectional", False))
    batch = 4 if options.get("batch_first") else 2
    modules_agree(lambda nn: nn.RNN(3, 5, **options), (4, 2, 3), (states, batch, 5), modes=["train"])


@pytest.mark.parametrize("name", ["GRU", "LSTM"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_gated(name, options):
    modules_agree(lambda nn: getattr(nn, name)(3, 5, **options), (4, 2, 3), modes=["train"])


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_single_sequence(name):
    modules_agree(lambda nn: getattr(nn, name)(3, 5, bidirectional=True), (4, 3), modes=["train"])


def test_more_than_nine_layers():
    modules_agree(lambda nn: nn.RNN(3, 4, num_layers=11), (2, 1, 3), modes=["train"], steps=1)


def test_dropout_lies_between_layers_and_only_in_training():
    layer = ms.nn.RNN(3, 5, num_layers=2, dropout=1.0)
    x = ms.randn(4, 2, 3)
    constant, _ = layer(x)
    again, _ = layer(x * 2)
    assert (constant.data == again.data).all()  # the second layer sees nothing
    layer.eval()
    assert (layer(x)[0].data != layer(x * 2)[0].data).any()


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_refuses(name):
    def call(shape, *state):
        return lambda L: getattr(ms.nn if L is OURS else L.nn, name)(3, 5)(L.zeros(shape), *state)

    refuses(ShapeError, f"{name} (4, 2, 2) 3", call((4, 2, 2)))
    refuses(ShapeError, f"{name} (3,)", call((3,)))
    refuses(ShapeError, f"{name} step (0, 2, 3)", call((0, 2, 3)))
    refuses(ShapeError, f"{name} positive num_layers=0", lambda L: getattr(L.nn, name)(3, 5, num_layers=0))


def test_refuses_wrong_states_and_functions():
    with pytest.raises(ShapeError, match=r"h_0.*\(1, 3, 5\).*\(1, 2, 5\)"):
        ms.nn.RNN(3, 5)(ms.zeros(4, 2, 3), ms.zeros(1, 3, 5))
    with pytest.raises(ShapeError, match="c_0"):
        ms.nn.LSTM(3, 5)(ms.zeros(4, 2, 3), (ms.zeros(1, 2, 5), ms.zeros(1, 3, 5)))
    with pytest.raises(ValueError, match="'gelu'"):
        ms.nn.RNN(3, 5, nonlinearity="gelu")


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_gru_from_a_state(options):
    states = options.get("num_layers", 1) * (1 + options.get("bidirectional", False))
    batch = 4 if options.get("batch_first") else 2
    modules_agree(lambda nn: nn.GRU(3, 5, **options), (4, 2, 3), (states, batch, 5), modes=["train"], steps=1)


@pytest.mark.parametrize(
    "options", [{}, {"num_layers": 2, "bidirectional": True, "batch_first": True}], ids=str
)
def test_lstm_from_states(options):
    torch = theirs().modules[1]
    expected, ours = torch.nn.LSTM(3, 5, **options), ms.nn.LSTM(3, 5, **options)
    ours.load_state_dict(expected.state_dict())
    states = options.get("num_layers", 1) * (1 + options.get("bidirectional", False))
    for batch in ((2,), ()):  # a batch, and a single sequence
        x = draw([(*batch, 4, 3) if options.get("batch_first") else (4, *batch, 3)], "float32")[0]
        start = draw([(states, *batch, 5)] * 2, "float32", 1)
        h, last = ours(ms.tensor(x), tuple(ms.tensor(a) for a in start))
        their_h, their_last = expected(torch.tensor(x), tuple(torch.tensor(a) for a in start))
        for f, e in zip((h, *last), (their_h, *their_last), strict=True):
            close(f.data, e.detach().numpy())


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_the_last_states_are_the_ends_of_the_output(name):
    layer = getattr(ms.nn, name)(3, 5, num_layers=2, bidirectional=True)
    output, last = layer(ms.randn(4, 2, 3))
    h_n = last[0] if name == "LSTM" else last
    np.testing.assert_array_equal(output.data[-1, :, :5], h_n.data[2])
    np.testing.assert_array_equal(output.data[0, :, 5:], h_n.data[3])
    empty, _ = layer(ms.zeros(4, 0, 3))
    assert empty.shape == (4, 0, 10)


def test_refuses_a_wrong_number_of_states_and_dropout():
    x, h = ms.zeros(4, 2, 3), ms.zeros(1, 2, 5)
    for start in (h, (h,), (h, h, h)):
        with pytest.raises(ShapeError, match=r"LSTM.*h_0 and c_0"):
            ms.nn.LSTM(3, 5)(x, start)
    with pytest.raises(ShapeError, match=r"GRU.*h_0.*tuple"):
        ms.nn.GRU(3, 5)(x, (h,))
    for size in (-1, 5):
        refuses(ShapeError, f"LSTM proj_size={size}", lambda L, p=size: L.nn.LSTM(3, 5, proj_size=p))
    with pytest.raises(ShapeError, match=r"LSTM: h_0 has shape \(1, 2, 5\), expected \(1, 2, 4\)"):
        ms.nn.LSTM(3, 5, proj_size=4)(x, (h, h))
    for name in ("RNN", "GRU", "LSTM"):
        refuses(ValueError, f"{name} dropout 1.5", lambda L, n=name: getattr(L.nn, n)(3, 5, 2, dropout=1.5))
