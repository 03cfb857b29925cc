"""Autoencoders: an encoder that says an image in few numbers, and a decoder that says it back.

    image x (N, C, H, W)                                            Q(y) (N, K, H, W)
      │ two convolutions                                              ▲ 1×1 convolution
    (N, B, H, W)                                                    (N, B, H, W)
      │ max-pool 2, two convolutions                                  ▲ transposed, two convolutions
    (N, 2B, H/2, W/2)                                               (N, 2B, H/2, W/2)
      │ max-pool 2, two convolutions                                  ▲ transposed, two convolutions
    (N, 4B, H/4, W/4) ── 1×1 convolution ─► code y (N, Z, H/4, W/4) ──┘

(here with depth = 2; B = base_channels, Z = code_channels).  The way down is U-Net's, to the name of each
weight; "transposed" is a 2×2 transposed convolution.  There are no bridges, so all that reaches the decoder
has passed through the code.  The source text's objective, with both halves learned:

    min_{E, Q}  Σ_{x,y} ‖x − Q(E(x))‖²                     F.reconstruction_loss

K = C numbers a pixel give an image back; with K classes the decoder's output is a segmentation.

What the network is asked decides what the code must know:

    plain         Q(E(x)) ≈ x                       may copy, as far as the code is wide enough
    denoising     Q(E(x + σε)) ≈ x                  must know what images look like, and noise does not
    inpainting    Q(E(x ⊙ (1 − m))) ≈ x where m = 1  must know what stands beside what
    variational   y ~ N(μ(x), σ²(x)), as near N(0, 1) as the image allows: codes without holes between them

The codes here are maps: Z numbers for each place, not one vector for the image.  So the variational code is
without holes place by place, and a map drawn from N(0, 1) shows nothing that hangs together.  Inpainting has
the squared error alone; Pathak et al. add an adversary and a layer that joins all places.

Tied weights: the decoder's transposed convolutions use the encoder's own weights (`TiedAutoencoder`).  Then W
stands in the graph twice, and its gradient is the sum over both places.

Hinton and Salakhutdinov, 2006; Vincent et al. (denoising), 2008; Pathak et al. (inpainting), 2016; Kingma and
Welling (variational), 2014; Masci et al. (convolutional), 2011.
"""

from __future__ import annotations

import itertools

import numpy as np

from minitorch_seg import functional as F
from minitorch_seg import nn
from minitorch_seg.autograd import Generator, Tensor
from minitorch_seg.errors import ShapeError
from minitorch_seg.models.blocks import (
    DoubleConv,
    begin_as_he,
    check_images,
    check_sizes,
    to_multiple,
    to_size,
)
from minitorch_seg.ops.creation import rand, randn
from minitorch_seg.ops.exponential import exp


class ConvAutoencoder(nn.Module):
    """Images (N, in_channels, H, W) of any size → (N, out_channels, H, W), through a narrow code.

    Args:
        in_channels: C, of the image.
        out_channels: K: in_channels for a reconstruction, the number of classes for a segmentation's logits.
        base_channels: B, the channels of the first level; each level below has twice as many.
        depth: how many times the map is halved.
        code_channels: Z.  Grey images at depth 3 have 64 numbers where the code has Z.

    >>> import minitorch_seg as ms
    >>> model = ms.models.ConvAutoencoder(3, 3, base_channels=4, depth=2, code_channels=5)
    >>> x = ms.zeros(1, 3, 10, 12)
    >>> model.encode(x).shape, model(x).shape
    ((1, 5, 3, 3), (1, 3, 10, 12))
    """

    codes = 1  # how many tensors of Z channels the encoder gives

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        base_channels: int = 16,
        depth: int = 3,
        code_channels: int = 32,
    ):
        super().__init__()
        check_sizes(
            type(self).__name__,
            in_channels=in_channels,
            out_channels=out_channels,
            base_channels=base_channels,
            depth=depth,
            code_channels=code_channels,
        )
        self.in_channels, self.depth = in_channels, depth
        widths = [base_channels * 2**level for level in range(depth + 1)]
        self.down = nn.ModuleList(
            DoubleConv(a, b) for a, b in zip([in_channels, *widths], widths, strict=False)
        )
        self.code = nn.Conv2d(widths[-1], self.codes * code_channels, 1)
        below = [code_channels, *reversed(widths[1:-1])]
        above = list(reversed(widths[:-1]))
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(a, b, 2, stride=2) for a, b in zip(below, above, strict=True)
        )
        self.refine = nn.ModuleList(DoubleConv(width, width) for width in above)
        self.head = nn.Conv2d(base_channels, out_channels, 1)
        begin_as_he(self)

    def encode(self, x: Tensor) -> Tensor:
        """The code E(x): (N, Z, ⌈H/2^depth⌉, ⌈W/2^depth⌉)."""
        x = to_multiple(type(self).__name__, x, self.in_channels, 2**self.depth)
        for level, double_conv in enumerate(self.down):
            x = double_conv(F.max_pool2d(x, 2) if level else x)
        return self.code(x)

    def decode(self, code: Tensor) -> Tensor:
        """Q(code): (N, Z, h, w) → (N, K, h·2^depth, w·2^depth)."""
        for up, refine in zip(self.up, self.refine, strict=True):
            code = refine(up(code))
        return self.head(code)

    def forward(self, x: Tensor) -> Tensor:
        return to_size(self.decode(self.encode(x)), x.shape[2:])


class TiedAutoencoder(nn.Module):
    """Images (N, C, H, W) → reconstructions, by strided convolutions and their own transposes.

        y_l = relu(W_l ∗ y_{l−1} + b_l),  l = 1 … depth        x̂_{l−1} = f(W_lᵀ ∗ x̂_l + c_l),  l = depth … 1

    with 4×4 kernels, stride 2 and padding 1, y_0 = x, x̂_depth = y_depth, and f = relu but for the last.
    W_l is one parameter with two uses, hence  dL/dW_l = (dL/dW_l)_encoder + (dL/dW_l)_decoder.

    Args: as ConvAutoencoder; the code has base_channels·2^(depth−1) channels.  H and W are multiples of
    2^depth.

    >>> import minitorch_seg as ms
    >>> ms.models.TiedAutoencoder(3, base_channels=4, depth=2)(ms.zeros(1, 3, 8, 12)).shape
    (1, 3, 8, 12)
    """

    def __init__(self, in_channels: int, base_channels: int = 16, depth: int = 3):
        super().__init__()
        check_sizes("TiedAutoencoder", in_channels=in_channels, base_channels=base_channels, depth=depth)
        self.in_channels, self.depth = in_channels, depth
        widths = [in_channels, *(base_channels * 2**level for level in range(depth))]
        self.down = nn.ModuleList(
            nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in itertools.pairwise(widths)
        )
        for level, width in enumerate(widths[:-1]):  # the decoder has biases of its own only
            self.register_parameter(f"up_bias_{level}", nn.Parameter(np.zeros(width, np.float32)))
        for conv in self.down:
            # Forwards 16·C terms meet in a sum, backwards 4·O: a start between the two, 2/√(16 C · 4 O).
            o, c = conv.weight.shape[:2]
            nn.init.normal_(conv.weight, 0.0, (2 / (64 * c * o) ** 0.5) ** 0.5)

    def encode(self, x: Tensor) -> Tensor:
        """The code y_depth."""
        check_images("TiedAutoencoder", x, self.in_channels)
        if any(side % 2**self.depth for side in x.shape[2:]):
            raise ShapeError(
                f"TiedAutoencoder: input has shape {x.shape}, its sides must be multiples of {2**self.depth}"
            )
        for conv in self.down:
            x = F.relu(conv(x))
        return x

    def decode(self, code: Tensor) -> Tensor:
        """x̂_0."""
        for level in reversed(range(self.depth)):
            bias = getattr(self, f"up_bias_{level}")
            code = F.conv_transpose2d(code, self.down[level].weight, bias, stride=2, padding=1)
            code = F.relu(code) if level else code
        return code

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


class VariationalAutoencoder(ConvAutoencoder):
    """An autoencoder whose code is a distribution: training draws y = μ(x) + σ(x) ⊙ ε with ε ~ N(0, 1).

    Its objective is an upper bound of −log p(x), up to a constant, for a decoder that means
    p(x | y) = N(Q(y), ½):

        L = ‖x − Q(y)‖² + β KL( N(μ, σ²) ‖ N(0, 1) ),      KL = ½ Σ (μ² + σ² − 1 − log σ²),      β = 1

    Drawn so (the reparametrisation), y is a differentiable function of μ and σ: ∂y/∂μ = 1, ∂y/∂σ = ε.  Drawn
    from N(μ, σ²) as such it would be none.  The encoder gives μ and log σ².

    Args: as ConvAutoencoder.  A call gives what the objective needs, (x̂, μ, log σ²): in training x̂ is made of
    a drawn code, else of μ.  Train it by Trainer(model, model.objective, …).fit(x, x).

    >>> import minitorch_seg as ms
    >>> model = ms.models.VariationalAutoencoder(1, 1, base_channels=2, depth=1, code_channels=3)
    >>> x = ms.zeros(1, 1, 4, 4)
    >>> x_hat, mean, log_variance = model(x)
    >>> x_hat.shape, mean.shape, model.objective(model(x), x).shape
    ((1, 1, 4, 4), (1, 3, 2, 2), ())
    """

    codes = 2

    def distribution(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """μ and log σ² of the code."""
        both = super().encode(x)
        half = both.shape[1] // 2
        return both[:, :half], both[:, half:]

    def encode(self, x: Tensor) -> Tensor:
        """μ(x)."""
        return self.distribution(x)[0]

    def sample(self, mean: Tensor, log_variance: Tensor) -> Tensor:
        """A code y = μ + e^{½ log σ²} ⊙ ε; μ alone outside training."""
        if not self.training:
            return mean
        noise = randn(*mean.shape, dtype=mean.dtype, device=mean.device)
        return mean + exp(0.5 * log_variance) * noise

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[override]
        mean, log_variance = self.distribution(x)
        x_hat = to_size(self.decode(self.sample(mean, log_variance)), x.shape[2:])
        return x_hat, mean, log_variance

    def objective(self, output: tuple[Tensor, Tensor, Tensor], images: Tensor, beta: float = 1.0) -> Tensor:
        """L of what a call gave for these images, summed over the batch."""
        x_hat, mean, log_variance = output
        return F.reconstruction_loss(images, x_hat) + beta * kl_to_standard_normal(mean, log_variance)


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL( N(μ, σ²) ‖ N(0, 1) ) = ½ Σ (μ² + σ² − 1 − log σ²), over all entries.

    Derivation.  E_{y~N(μ,σ²)}[log N(y; μ, σ²) − log N(y; 0, 1)] = E[−½ log σ² − (y − μ)²/2σ² + y²/2], and
    E(y − μ)² = σ², E y² = μ² + σ².

    >>> import minitorch_seg as ms
    >>> kl_to_standard_normal(ms.tensor([2.0, 0.0]), ms.tensor([0.0, 0.0]))
    tensor(2.)
    """
    return 0.5 * (mean * mean + exp(log_variance) - 1.0 - log_variance).sum()


class Denoising(nn.Module):
    """Shows an autoencoder x + σε instead of x.

        Trainer(Denoising(model, 0.3), F.reconstruction_loss, …).fit(x, x)

    trains `model` to min Σ ‖x − Q(E(x + σε))‖².  In evaluation mode the same ε comes back each time, so that
    validation measures the same task, and always equally hard; `autoencoder` is what is used afterwards.

    >>> import minitorch_seg as ms
    >>> Denoising(ms.nn.Identity(), 0.0)(ms.ones(1, 1, 1, 2))
    tensor([[[[1., 1.]]]])
    """

    def __init__(self, autoencoder: nn.Module, sigma: float = 0.3):
        super().__init__()
        if sigma < 0:
            raise ValueError(f"Denoising: sigma must be 0 or more, found {sigma}")
        self.autoencoder, self.sigma = autoencoder, sigma

    def forward(self, x: Tensor) -> Tensor:
        return self.autoencoder(self.corrupt(x, chance(self)))

    def corrupt(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        """x + σε."""
        return x + self.sigma * randn(*x.shape, dtype=x.dtype, device=x.device, generator=generator)


class Inpainting(nn.Module):
    """Hides squares of the image from an autoencoder, and puts back what was not hidden.

        x̃ = x ⊙ (1 − m)        result = m ⊙ Q(E(x̃)) + (1 − m) ⊙ x

    m is 1 on random cells of a grid of block×block pixels, a share `ratio` of them all.  The visible part of
    the result is x itself, so that a loss against x counts the hidden pixels alone: Σ m ⊙ ‖x − Q(E(x̃))‖².
    Hidden pixels are 0, the mean of a normalised image.  In evaluation mode the same m comes back each time;
    `autoencoder` is what is used afterwards.

    >>> import minitorch_seg as ms
    >>> hidden = Inpainting(ms.nn.Identity(), block=2, ratio=1.0)(ms.ones(1, 1, 2, 3))
    >>> hidden.abs().sum().item()
    0.0
    """

    def __init__(self, autoencoder: nn.Module, block: int = 8, ratio: float = 0.25):
        super().__init__()
        if block < 1 or not 0 <= ratio <= 1:
            raise ValueError(
                f"Inpainting: block must be at least 1 and ratio in 0 … 1, found {block}, {ratio}"
            )
        self.autoencoder, self.block, self.ratio = autoencoder, block, ratio

    def forward(self, x: Tensor) -> Tensor:
        m = self.sample_mask(x, chance(self))
        return m * self.autoencoder(x * (1.0 - m)) + (1.0 - m) * x

    def sample_mask(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        """m, (N, 1, H, W)."""
        height, width = x.shape[2:]
        cells = rand(len(x), 1, -(-height // self.block), -(-width // self.block), generator=generator)
        hidden = cells.data < self.ratio
        whole = hidden.repeat(self.block, axis=2).repeat(self.block, axis=3)[:, :, :height, :width]
        return Tensor(np.ascontiguousarray(whole).astype(x.dtype)).to(x.device)


def chance(model: nn.Module) -> Generator | None:
    """Of a model in training the package's own generator (None); else one that begins anew each time."""
    return None if model.training else Generator(0)
