"""A wrong shape is refused with the likely fix: a missing batch axis, H, W, C for C, H, W, channels swapped.

Each fix that a message proposes is tried: with it the call is computed.
"""

import pytest

import minitorch_seg as ms

F = ms.functional
z = ms.zeros


def labels(*shape):
    return ms.zeros(*shape, dtype="int64")


#: What was done, words of the fix (divided by |), and the same call with the fix.
MISTAKES = {
    "conv2d, (N, H, W, C)": (
        lambda: F.conv2d(z(2, 8, 9, 3), z(4, 3, 3, 3)),
        "x.permute(0, 3, 1, 2)",
        lambda: F.conv2d(z(2, 8, 9, 3).permute(0, 3, 1, 2), z(4, 3, 3, 3)),
    ),
    "conv2d, (H, W, C)": (
        lambda: F.conv2d(z(8, 9, 3), z(4, 3, 3, 3)),
        "input of shape (8, 9, 3) | x.permute(2, 0, 1)",
        lambda: F.conv2d(z(8, 9, 3).permute(2, 0, 1), z(4, 3, 3, 3)),
    ),
    "conv2d, grey images without channels": (
        lambda: F.conv2d(z(5, 8, 9), z(4, 1, 3, 3)),
        "x.unsqueeze(1)",
        lambda: F.conv2d(z(5, 8, 9).unsqueeze(1), z(4, 1, 3, 3)),
    ),
    "conv2d, one grey image": (
        lambda: F.conv2d(z(8, 9), z(4, 1, 3, 3)),
        "x[None, None]",
        lambda: F.conv2d(z(8, 9)[None, None], z(4, 1, 3, 3)),
    ),
    "conv2d, weight's channels swapped": (
        lambda: F.conv2d(z(2, 3, 8, 8), z(3, 16, 3, 3)),
        "weight.transpose(0, 1)",
        lambda: F.conv2d(z(2, 3, 8, 8), z(3, 16, 3, 3).transpose(0, 1)),
    ),
    "conv_transpose2d, (N, H, W, C)": (
        lambda: F.conv_transpose2d(z(2, 8, 9, 3), z(3, 4, 2, 2)),
        "x.permute(0, 3, 1, 2)",
        lambda: F.conv_transpose2d(z(2, 8, 9, 3).permute(0, 3, 1, 2), z(3, 4, 2, 2)),
    ),
    "conv_transpose2d, (H, W, C)": (
        lambda: F.conv_transpose2d(z(8, 9, 3), z(3, 4, 2, 2)),
        "input of shape (8, 9, 3) | x.permute(2, 0, 1)",
        lambda: F.conv_transpose2d(z(8, 9, 3).permute(2, 0, 1), z(3, 4, 2, 2)),
    ),
    "conv_transpose2d, weight of conv2d": (
        lambda: F.conv_transpose2d(z(2, 3, 8, 8), z(4, 3, 2, 2)),
        "weight.transpose(0, 1)",
        lambda: F.conv_transpose2d(z(2, 3, 8, 8), z(4, 3, 2, 2).transpose(0, 1)),
    ),
    "batch_norm, (N, H, W, C)": (
        lambda: F.batch_norm(z(2, 8, 9, 3), z(3), z(3)),
        "x.permute(0, 3, 1, 2)",
        lambda: F.batch_norm(z(2, 8, 9, 3).permute(0, 3, 1, 2), z(3), z(3)),
    ),
    "batch_norm, one image": (
        lambda: F.batch_norm(z(3, 8, 9), z(3), z(3)),
        "x.unsqueeze(0)",
        lambda: F.batch_norm(z(3, 8, 9).unsqueeze(0), z(3), z(3)),
    ),
    "interpolate, one image": (
        lambda: F.interpolate(z(3, 8, 8), 4),
        "x.unsqueeze(0)",
        lambda: F.interpolate(z(3, 8, 8).unsqueeze(0), 4),
    ),
    "max_pool2d, (N, H, W, C)": (
        lambda: F.max_pool2d(z(2, 64, 64, 3), 4),
        "H, W, C | permute",
        lambda: F.max_pool2d(z(2, 64, 64, 3).permute(0, 3, 1, 2), 4),
    ),
    "linear, a map": (
        lambda: F.linear(z(2, 8, 4, 4), z(10, 128)),
        "x.flatten(1)",
        lambda: F.linear(z(2, 8, 4, 4).flatten(1), z(10, 128)),
    ),
    "linear, weight (in, out)": (
        lambda: F.linear(z(2, 128), z(128, 10)),
        "weight.T",
        lambda: F.linear(z(2, 128), z(128, 10).T),
    ),
    "cross_entropy, (N, H, W, K)": (
        lambda: F.cross_entropy(z(2, 8, 9, 3), labels(2, 8, 9)),
        "input.permute(0, 3, 1, 2)",
        lambda: F.cross_entropy(z(2, 8, 9, 3).permute(0, 3, 1, 2), labels(2, 8, 9)),
    ),
    "cross_entropy, one image": (
        lambda: F.cross_entropy(z(3, 8, 9), labels(8, 9)),
        "input.unsqueeze(0) | target.unsqueeze(0)",
        lambda: F.cross_entropy(z(3, 8, 9).unsqueeze(0), labels(8, 9).unsqueeze(0)),
    ),
    "cross_entropy, target with channels": (
        lambda: F.cross_entropy(z(2, 3, 8, 9), labels(2, 1, 8, 9)),
        "target.squeeze(1)",
        lambda: F.cross_entropy(z(2, 3, 8, 9), labels(2, 1, 8, 9).squeeze(1)),
    ),
    "cross_entropy, one-hot integers": (
        lambda: F.cross_entropy(z(2, 3, 8, 9), labels(2, 3, 8, 9)),
        "one-hot | must be float",
        lambda: F.cross_entropy(z(2, 3, 8, 9), labels(2, 3, 8, 9).float()),
    ),
    "dice_loss, one image": (
        lambda: F.dice_loss(z(3, 8, 9), labels(8, 9)),
        "input.unsqueeze(0) | target.unsqueeze(0)",
        lambda: F.dice_loss(z(3, 8, 9).unsqueeze(0), labels(8, 9).unsqueeze(0)),
    ),
    "dice_loss, (N, H, W, K)": (
        lambda: F.dice_loss(z(2, 8, 9, 3), labels(2, 8, 9)),
        "input.permute(0, 3, 1, 2)",
        lambda: F.dice_loss(z(2, 8, 9, 3).permute(0, 3, 1, 2), labels(2, 8, 9)),
    ),
    "binary_cross_entropy_with_logits, target without channels": (
        lambda: F.binary_cross_entropy_with_logits(z(2, 1, 8, 9), z(2, 8, 9)),
        "target.unsqueeze(1)",
        lambda: F.binary_cross_entropy_with_logits(z(2, 1, 8, 9), z(2, 8, 9).unsqueeze(1)),
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_fix_is_named_and_works(mistake):
    wrong, words, fixed = MISTAKES[mistake]
    with pytest.raises(ms.ShapeError) as caught:
        wrong()
    text = str(caught.value)
    assert text.startswith(f"{mistake.split(',')[0]}: ")
    for word in words.split(" | "):
        assert word in text, f"{word!r} is not said: {text}"
    fixed()
