"""RNN: PyTorch's module around the documented recurrence.

Layer k computes h_t = f(W_hh h_{t−1} + W_xh x_t + b_h) with the parameters  W_xh = weight_ih_lk,  W_hh =
weight_hh_lk  and
b_h = bias_ih_lk + bias_hh_lk (two biases, for checkpoints' sake; only their sum matters).  Layer k + 1 reads
what layer k wrote. A bidirectional layer has a second set of parameters, "…_reverse", that reads the
sequence from its end.
"""

from __future__ import annotations

import numpy as np

from minitorch_seg import functional as F
from minitorch_seg.autograd import Tensor
from minitorch_seg.errors import ShapeError
from minitorch_seg.nn import init
from minitorch_seg.nn.module import Module, Parameter
from minitorch_seg.ops.cat import cat, stack


class RNN(Module):
    """Elman network over a sequence.

    Args:
        input_size: C.  hidden_size: H.  num_layers: how many layers lie upon each other.
        nonlinearity: "tanh" or "relu".
        bias: with the two bias vectors.
        batch_first: (N, T, C) in place of (T, N, C); h_0 and h_n stay (layers·directions, N, H).
        dropout: between layers, in training.
        bidirectional: also read backwards; the outputs of both directions are joined.

    Call: rnn(x, h_0=None) → (output (T, N, H·directions), h_n (layers·directions, N, H)).

    >>> import minitorch_seg as ms
    >>> output, h_n = ms.nn.RNN(3, 5)(ms.zeros(7, 2, 3))
    >>> output.shape, h_n.shape
    ((7, 2, 5), (1, 2, 5))
    """

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
        super().__init__()
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"RNN: nonlinearity {nonlinearity!r} is unknown: use 'tanh' or 'relu' "
                f"(functional.rnn takes any f)"
            )
        if min(input_size, hidden_size, num_layers) < 1:
            raise ShapeError(
                f"RNN: sizes must be positive, found {input_size=}, {hidden_size=}, {num_layers=}"
            )
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.nonlinearity, self.bias, self.batch_first = nonlinearity, bias, batch_first
        self.dropout, self.bidirectional = dropout, bidirectional
        directions = 2 if bidirectional else 1
        for suffix in self._suffixes():
            width = input_size if suffix.startswith("l0") else hidden_size * directions
            self.register_parameter(
                f"weight_ih_{suffix}", Parameter(np.empty((hidden_size, width), np.float32))
            )
            self.register_parameter(
                f"weight_hh_{suffix}", Parameter(np.empty((hidden_size, hidden_size), np.float32))
            )
            for name in ("bias_ih", "bias_hh") if bias else ():
                self.register_parameter(f"{name}_{suffix}", Parameter(np.empty(hidden_size, np.float32)))
        for parameter in self.parameters():
            init.default_uniform_(parameter, hidden_size)

    def _suffixes(self) -> list[str]:
        ends = ("", "_reverse") if self.bidirectional else ("",)
        return [f"l{layer}{end}" for layer in range(self.num_layers) for end in ends]

    def forward(self, x: Tensor, h_0: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if x.ndim not in (2, 3) or x.shape[-1] != self.input_size:
            raise ShapeError(
                f"RNN: input has shape {x.shape}, expected (…, {self.input_size}) with two or three "
                f"dimensions"
            )
        single = x.ndim == 2
        if single:
            x = x.unsqueeze(1)
            h_0 = None if h_0 is None else h_0.unsqueeze(1)
        elif self.batch_first:
            x = x.transpose(0, 1)
        if not x.shape[0]:
            raise ShapeError(f"RNN: a sequence needs at least one step, found input {x.shape} (T, N, C)")
        directions = 2 if self.bidirectional else 1
        expected = (self.num_layers * directions, x.shape[1], self.hidden_size)
        if h_0 is not None and h_0.shape != expected:
            raise ShapeError(f"RNN: h_0 has shape {h_0.shape}, expected {expected} (layers·directions, N, H)")
        last = []
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(directions):
                number = layer * directions + direction
                start = None if h_0 is None else h_0[number]
                h = self._run(
                    x.flip(0) if direction else x, start, f"l{layer}{'_reverse' if direction else ''}"
                )
                last.append(h[-1])
                outputs.append(h.flip(0) if direction else h)
            x = outputs[0] if directions == 1 else cat(outputs, 2)
            if self.dropout and layer < self.num_layers - 1:
                x = F.dropout(x, self.dropout, self.training)
        h_n = stack(last)
        if single:
            return x.squeeze(1), h_n.squeeze(1)
        return (x.transpose(0, 1) if self.batch_first else x), h_n

    def _run(self, x: Tensor, h0: Tensor | None, suffix: str) -> Tensor:
        bias = getattr(self, f"bias_ih_{suffix}") + getattr(self, f"bias_hh_{suffix}") if self.bias else None
        return F.rnn(
            x,
            h0,
            getattr(self, f"weight_ih_{suffix}"),
            getattr(self, f"weight_hh_{suffix}"),
            bias,
            self.nonlinearity,
        )

    def extra_repr(self) -> str:
        sizes = f"{self.input_size}, {self.hidden_size}, num_layers={self.num_layers}"
        return f"{sizes}, bidirectional={self.bidirectional}"
