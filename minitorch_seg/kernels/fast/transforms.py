"""Winograd's minimal filtering F(4×4, 3×3) and F(2×2, 5×5): its transforms, each a few sums and differences.

Four outputs of a correlation with three taps,  y_i = x_i·w_0 + x_{i+1}·w_1 + x_{i+2}·w_2,  take 12
multiplications when written so.  Six are enough.  Read the numbers as coefficients of polynomials:  the
product of d(t) (4 coefficients) and w(t) (3) has 6 coefficients, and a polynomial with 6 coefficients is
known from its values at 6 points.  Values are multiplied point by point: evaluate d and w at the points 0,
1, −1, 2, −2 and ∞, multiply 6 pairs, interpolate.  The correlation above is the adjoint (the transpose) of
that product, hence

    y = Aᵀ [ (G w) ∘ (Bᵀ x) ]         x: 6 inputs, w: 3 weights, y: 4 outputs, ∘: number by number

         ⎡ 4  0 −5  0  1  0⎤        ⎡ 1/4    0    0  ⎤
         ⎢ 0 −4 −4  1  1  0⎥        ⎢−1/6  −1/6 −1/6 ⎥         ⎡1  1  1  1  1  0⎤
    Bᵀ = ⎢ 0  4 −4 −1  1  0⎥    G = ⎢−1/6   1/6 −1/6 ⎥    Aᵀ = ⎢0  1 −1  2 −2  0⎥
         ⎢ 0 −2 −1  2  1  0⎥        ⎢ 1/24  1/12  1/6⎥         ⎢0  1  1  4  4  0⎥
         ⎢ 0  2 −1 −2  1  0⎥        ⎢ 1/24 −1/12  1/6⎥         ⎣0  1 −1  8 −8  1⎦
         ⎣ 0  4  0 −5  0  1⎦        ⎣  0     0    1  ⎦

A has the points' powers as its columns, (1, t, t², t³); G the same for three coefficients, divided by the
numbers that interpolation divides by, Π_{j≠i}(t_i − t_j) = 4, −6, −6, 24, 24 (for ∞ it is 1).  Bᵀ is the
transpose of what interpolates: the polynomial that is that number at t_i and 0 at the other finite points is
Π_{j≠i}(t − t_j), and its coefficients are row i; for t_i = 1,

    t (t + 1)(t − 2)(t + 2) = −4t − 4t² + t³ + t⁴        (0, −4, −4, 1, 1, 0)

The row of ∞ is the product over all five points, 4t − 5t³ + t⁵.  In two dimensions each matrix is applied to
the columns and to the rows, Y = Aᵀ [(G w Gᵀ) ∘ (Bᵀ X B)] A:  16 outputs for 36 multiplications instead of
144.  With channels, the 36 numbers become 36 matrix products over the channels.

Gradients use the same matrices.  Y depends linearly on w, so with dY = dL/dY

    dL/dw = Gᵀ [ (A dY Aᵀ) ∘ (Bᵀ X B) ] G

Five taps take the same six points: d(t) has 2 coefficients then and w(t) 5, and their product 6 as before.
Bᵀ stays, A keeps the first two of its columns' powers (and the 1 for ∞), G's rows get two more:

                                                              ⎡1  1  1  1  1  0⎤
    G = (1/4, 0, …), −(1, t, t², t³, t⁴)/6 for t = ±1,   Aᵀ = ⎣0  1 −1  2 −2  1⎦
        (1, t, t², t³, t⁴)/24 for t = ±2, (0, …, 1)

A tile then gives 4 outputs for 36 multiplications instead of 100.

Each transform below takes and gives 1-D rows of values: NumPy arrays, or `tile_ir.Vector`s, for which + and −
build machine instructions.

Lavin and Gray, "Fast algorithms for convolutional neural networks", 2016.
"""

from collections.abc import Callable, Sequence
from typing import Any

INPUT, OUTPUT, GRADIENT, WEIGHT, WEIGHT_GRADIENT = range(5)


def input_transform(x0: Any, x1: Any, x2: Any, x3: Any, x4: Any, x5: Any) -> tuple:
    """Bᵀ x: six inputs -> six products' first factors."""
    a, b = x4 - 4.0 * x2, x3 - 4.0 * x1
    c, d = x4 - x2, 2.0 * (x3 - x1)
    return (4.0 * x0 - 5.0 * x2) + x4, a + b, a - b, c + d, c - d, (4.0 * x1 - 5.0 * x3) + x5


def output_transform(m0: Any, m1: Any, m2: Any, m3: Any, m4: Any, m5: Any) -> tuple:
    """Aᵀ m: six products -> four outputs."""
    a, b, c, d = m1 + m2, m1 - m2, m3 + m4, m3 - m4
    return m0 + a + c, b + 2.0 * d, a + 4.0 * c, b + 8.0 * d + m5


def output_transform_5(m0: Any, m1: Any, m2: Any, m3: Any, m4: Any, m5: Any) -> tuple:
    """Aᵀ m with five taps: six products -> two outputs."""
    return m0 + (m1 + m2) + (m3 + m4), (m1 - m2) + 2.0 * (m3 - m4) + m5


def gradient_transform(g0: Any, g1: Any, g2: Any, g3: Any) -> tuple:
    """A g: the adjoint of `output_transform`."""
    a, b, c, d = g0 + g2, g1 + g3, g0 + 4.0 * g2, 2.0 * g1 + 8.0 * g3
    return g0, a + b, a - b, c + d, c - d, g3


def gradient_transform_5(g0: Any, g1: Any) -> tuple:
    """A g with five taps: the adjoint of `output_transform_5`."""
    d = 2.0 * g1
    return g0, g0 + g1, g0 - g1, g0 + d, g0 - d, g1


def weight_transform(w0: Any, w1: Any, w2: Any) -> tuple:
    """G w: three weights -> six products' second factors."""
    a, b = (-1 / 6) * (w0 + w2), (1 / 6) * w1
    c, d = (1 / 24) * w0 + (1 / 6) * w2, (1 / 12) * w1
    return (1 / 4) * w0, a - b, a + b, c + d, c - d, w2


def weight_transform_5(w0: Any, w1: Any, w2: Any, w3: Any, w4: Any) -> tuple:
    """G w: five weights -> six products' second factors."""
    a, b = (-1 / 6) * (w0 + w2 + w4), (1 / 6) * (w1 + w3)
    c, d = (1 / 24) * w0 + (1 / 6) * w2 + (2 / 3) * w4, (1 / 12) * w1 + (1 / 3) * w3
    return (1 / 4) * w0, a - b, a + b, c + d, c - d, w4


def weight_gradient_transform(u0: Any, u1: Any, u2: Any, u3: Any, u4: Any, u5: Any) -> tuple:
    """Gᵀ u: the adjoint of `weight_transform`."""
    a, b = (1 / 6) * (u1 + u2), u3 + u4
    return (
        (1 / 4) * u0 - a + (1 / 24) * b,
        (1 / 6) * (u2 - u1) + (1 / 12) * (u3 - u4),
        (1 / 6) * b - a + u5,
    )


def weight_gradient_transform_5(u0: Any, u1: Any, u2: Any, u3: Any, u4: Any, u5: Any) -> tuple:
    """Gᵀ u with five taps: the adjoint of `weight_transform_5`."""
    a, b, c, d = (1 / 6) * (u1 + u2), u3 + u4, (1 / 6) * (u2 - u1), u3 - u4
    return (
        (1 / 4) * u0 - a + (1 / 24) * b,
        c + (1 / 12) * d,
        (1 / 6) * b - a,
        c + (1 / 3) * d,
        (2 / 3) * b - a + u5,
    )


#: For each number of taps, for each kind: the transform, and how many values it takes and gives.
KINDS: dict[int, tuple[tuple[Callable, int, int], ...]] = {
    3: (
        (input_transform, 6, 6),
        (output_transform, 6, 4),
        (gradient_transform, 4, 6),
        (weight_transform, 3, 6),
        (weight_gradient_transform, 6, 3),
    ),
    5: (
        (input_transform, 6, 6),
        (output_transform_5, 6, 2),
        (gradient_transform_5, 2, 6),
        (weight_transform_5, 5, 6),
        (weight_gradient_transform_5, 6, 5),
    ),
}


def on_both_axes(transform: Callable, square: Sequence[Sequence[Any]]) -> list[tuple]:
    """Applies a 1-D transform to the columns of a square of values, then to the rows of what results.

    >>> on_both_axes(output_transform, [[1.0] * 6] * 6)[0][:2]
    (25.0, 0.0)
    """
    columns = [transform(*column) for column in zip(*square, strict=True)]
    return [transform(*row) for row in zip(*columns, strict=True)]
