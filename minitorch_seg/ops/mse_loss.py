"""mse_loss and reconstruction_loss: squared differences.

    mse              ℓ = (x − t)², then mean, sum or none        dL/dx = 2 g (x − t)
    reconstruction   L = Σ_{x,y} ‖x − Q(y)‖²                     dL/dx̂ = 2 (x̂ − x)

x is the input, t the target and g = dL/dℓ: 1 for the sum, 1/n for the mean over n numbers.

The second line is the source text's objective of an autoencoder: x is the image, y its code and Q the
decoder, so Q(y) is the reconstruction x̂; the sum runs over all pixels, ‖·‖² over the channels.  It is
mse_loss with reduction="sum", under the name the source text gives it.
"""

from __future__ import annotations

from typing import Any

from minitorch_seg.autograd import Tensor
from minitorch_seg.ops.loss_reduction import difference, reduce_loss, weighted
from minitorch_seg.ops.typed import typed


@typed
def mse_loss(input: Any, target: Any, *, reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """(input − target)², elementwise, reduced.

    Args:
        input, target: of one shape and dtype.
        reduction: "mean", "sum" or "none".
        weight: w of the input's shape; the losses are w ℓ, their mean is Σ w ℓ / Σ w.

    Returns: one number, or with "none" the input's shape.

    Raises: ShapeError unless the shapes agree; ValueError for another reduction; DTypeError unless all
        operands are float32 or all float64.

    >>> import minitorch_seg as ms
    >>> ms.functional.mse_loss(ms.tensor([1.0, 2.0]), ms.tensor([0.0, 0.0]))
    tensor(2.5)
    """
    d = difference("mse_loss", input, target, reduction)
    return reduce_loss(weighted("mse_loss", d * d, weight), reduction, weight)


def reconstruction_loss(x: Any, x_hat: Any) -> Tensor:
    """Σ ‖x − x̂‖² over all pixels and channels: the source text's objective, with x̂ = Q(y).

    Args:
        x: the image, of any shape.
        x_hat: its reconstruction, of the same shape and dtype.

    Returns: one number.

    Raises: ShapeError unless the shapes agree; DTypeError unless all operands are float32 or all float64.

    >>> import minitorch_seg as ms
    >>> ms.functional.reconstruction_loss(ms.tensor([1.0, 2.0]), ms.tensor([0.0, 0.0]))
    tensor(5.)
    """
    return mse_loss(x_hat, x, reduction="sum")
