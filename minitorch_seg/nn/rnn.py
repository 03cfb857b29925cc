"""RNN, GRU, LSTM: PyTorch's modules around the recurrences.

Layer k of an RNN computes  h_t = f(W_hh h_{t−1} + W_xh x_t + b_h)  with the parameters

    W_xh = weight_ih_lk        W_hh = weight_hh_lk        b_h = bias_ih_lk + bias_hh_lk

(two biases, for checkpoints' sake; only their sum matters).  The gates of a GRU and of an LSTM lie on top of
each other in the same parameters, and a GRU needs both biases (ops/gru.py).  Layer k + 1 reads what layer k
wrote.  A bidirectional layer has a second set of parameters, "…_reverse", that reads the sequence from its
end.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from minitorch_seg import functional as F
from minitorch_seg.autograd import Tensor
from minitorch_seg.errors import ShapeError, explained_sizes
from minitorch_seg.nn import init
from minitorch_seg.nn.module import Module, Parameter
from minitorch_seg.ops.cat import cat, stack
from minitorch_seg.ops.typed import typed


class Recurrent(Module):
    """What the three have in common: parameters, layers, directions, batch_first.

    A subclass says how many `gates` lie in a weight, how many `states` a step hands on (h, and c for the
    LSTM), and runs one direction of one layer.
    """

    gates = 1
    states = 1

    @explained_sizes("a recurrent layer")
    @typed
    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
    ):
        super().__init__()
        if min(input_size, hidden_size, num_layers) < 1 or not 0 <= proj_size < hidden_size:
            raise ShapeError(
                f"{type(self).__name__}: sizes must be positive, proj_size less than hidden_size, "
                f"found {input_size=}, {hidden_size=}, {num_layers=}, {proj_size=}"
            )
        if isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise ValueError(
                f"{type(self).__name__}: dropout is a probability between 0 and 1, found {dropout}"
            )
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, dropout
        self.bidirectional, self.directions = bidirectional, 2 if bidirectional else 1
        self.proj_size, self.output_size = proj_size, proj_size or hidden_size
        rows = self.gates * hidden_size
        for layer, end in itertools.product(range(num_layers), ("", "_reverse")[: self.directions]):
            width = self.output_size * self.directions if layer else input_size
            shapes: dict[str, tuple[int, ...] | None] = {
                "weight_ih": (rows, width),
                "weight_hh": (rows, self.output_size),
                "bias_ih": (rows,) if bias else None,
                "bias_hh": (rows,) if bias else None,
                "weight_hr": (proj_size, hidden_size) if proj_size else None,
            }
            for name, shape in shapes.items():
                parameter = None if shape is None else Parameter(np.empty(shape, np.float32))
                self.register_parameter(f"{name}_l{layer}{end}", parameter)
        for parameter in self.parameters():
            init.default_uniform_(parameter, hidden_size)

    def _weights(self, suffix: str) -> list[Any]:
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
        return [getattr(self, f"{name}_{suffix}") for name in names]

    def _run(self, x: Tensor, start: list[Tensor | None], suffix: str) -> tuple[Tensor, list[Tensor]]:
        """One direction of one layer: all h (T, N, H), and the last states (N, H)."""
        raise NotImplementedError(f"{type(self).__name__} defines no recurrence")

    def _initial(self, given: Any, batch: int, single: bool) -> list[Tensor | None]:
        states = [None] * self.states if given is None else [given] if self.states == 1 else list(given)
        names = ("h_0", "c_0")[: self.states]
        if len(states) != self.states or not all(s is None or isinstance(s, Tensor) for s in states):
            found = [getattr(s, "shape", type(s).__name__) for s in states]
            raise ShapeError(
                f"{type(self).__name__}: the initial state must be {' and '.join(names)}, "
                f"{self.states} in number, found {found}"
            )
        states = [s.unsqueeze(1) if single and s is not None else s for s in states]
        sizes = self.output_size, self.hidden_size  # of h and of c
        for name, state, size in zip(names, states, sizes, strict=False):
            expected = self.num_layers * self.directions, batch, size
            if state is not None and state.shape != expected:
                raise ShapeError(
                    f"{type(self).__name__}: {name} has shape {state.shape}, "
                    f"expected {expected} (layers·directions, N, H)"
                )
        return states

    def forward(self, input: Tensor, hx: Any = None) -> tuple[Tensor, Any]:
        name, x = type(self).__name__, input
        if x.ndim not in (2, 3) or x.shape[-1] != self.input_size:
            raise ShapeError(
                f"{name}: input has shape {x.shape}, expected (…, {self.input_size}) "
                "with two or three dimensions"
            )
        single = x.ndim == 2
        if single:
            x = x.unsqueeze(1)
        elif self.batch_first:
            x = x.transpose(0, 1)
        if not x.shape[0]:
            raise ShapeError(f"{name}: a sequence needs at least one step, found input {x.shape} (T, N, C)")
        states = self._initial(hx, x.shape[1], single)
        last: list[list[Tensor]] = []
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(self.directions):
                start = [None if s is None else s[len(last)] for s in states]
                sequence = x.flip(0) if direction else x
                h, final = self._run(sequence, start, f"l{layer}{'_reverse' if direction else ''}")
                outputs.append(h.flip(0) if direction else h)
                last.append(final)
            x = outputs[0] if len(outputs) == 1 else cat(outputs, 2)
            if self.dropout and layer < self.num_layers - 1:
                x = F.dropout(x, self.dropout, self.training)
        finals = [stack([final[i] for final in last]) for i in range(self.states)]
        if single:
            x, finals = x.squeeze(1), [f.squeeze(1) for f in finals]
        elif self.batch_first:
            x = x.transpose(0, 1)
        return x, finals[0] if self.states == 1 else tuple(finals)

    def extra_repr(self) -> str:
        sizes = f"{self.input_size}, {self.hidden_size}, num_layers={self.num_layers}"
        return f"{sizes}, bidirectional={self.bidirectional}"


class RNN(Recurrent):
    """Elman network over a sequence.

    Args:
        input_size: C.
        hidden_size: H.
        num_layers: how many layers lie upon each other.
        nonlinearity: "tanh" or "relu".
        bias: with the two bias vectors.
        batch_first: (N, T, C) in place of (T, N, C); h_0 and h_n stay (layers·directions, N, H).
        dropout: between layers, in training.
        bidirectional: also read backwards; the outputs of both directions are joined.

    Call: rnn(input, hx=None), hx being h_0 → (output (T, N, H·directions), h_n (layers·directions, N, H)).

    >>> import minitorch_seg as ms
    >>> output, h_n = ms.nn.RNN(3, 5)(ms.zeros(7, 2, 3))
    >>> output.shape, h_n.shape
    ((7, 2, 5), (1, 2, 5))
    """

    @typed
    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ):
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional)
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"RNN: nonlinearity {nonlinearity!r} is unknown: "
                "use 'tanh' or 'relu' (functional.rnn takes any f)"
            )
        self.nonlinearity = nonlinearity

    def _run(self, x: Tensor, start: list[Tensor | None], suffix: str) -> tuple[Tensor, list[Tensor]]:
        w_ih, w_hh, b_ih, b_hh, _ = self._weights(suffix)
        bias = b_ih + b_hh if self.bias else None
        h = F.rnn(x, start[0], w_ih, w_hh, bias, self.nonlinearity)
        return h, [h[-1]]


class GRU(Recurrent):
    """Gated recurrent units over a sequence; arguments and call as RNN, without nonlinearity.

    >>> import minitorch_seg as ms
    >>> output, h_n = ms.nn.GRU(3, 5, num_layers=2, batch_first=True)(ms.zeros(2, 7, 3))
    >>> output.shape, h_n.shape
    ((2, 7, 5), (2, 2, 5))
    """

    gates = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ):
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional)

    def _run(self, x: Tensor, start: list[Tensor | None], suffix: str) -> tuple[Tensor, list[Tensor]]:
        h = F.gru(x, start[0], *self._weights(suffix)[:4])
        return h, [h[-1]]


class LSTM(Recurrent):
    """Long short-term memory over a sequence; arguments as RNN, without nonlinearity, and proj_size.

    Where proj_size is not 0, each h has so many numbers only: W_hr (o ⊙ tanh(c)), W_hr = weight_hr_lk.

    Call: lstm(input, hx=None), hx being (h_0, c_0) → (output, (h_n, c_n)), shapes as RNN.

    >>> import minitorch_seg as ms
    >>> output, (h_n, c_n) = ms.nn.LSTM(3, 5, bidirectional=True)(ms.zeros(7, 2, 3))
    >>> output.shape, c_n.shape
    ((7, 2, 10), (2, 2, 5))
    """

    gates = 4
    states = 2

    def _run(self, x: Tensor, start: list[Tensor | None], suffix: str) -> tuple[Tensor, list[Tensor]]:
        h, c = F.lstm(x, start[0], start[1], *self._weights(suffix))
        return h, [h[-1], c]
