"""Pre-training: the masks are never looked at, the loss falls, and a U-Net begins with what was learned."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.data import ArrayDataset
from minitorch_seg.unsupervised.pretrain import TASKS, pretrain

TINY = {"base_channels": 2, "depth": 1, "batch_size": 3}


def data(masks):
    images = np.random.default_rng(0).integers(0, 255, (6, 16, 16, 1), dtype=np.uint8)
    images[:, :, 8:] //= 4
    return ArrayDataset.from_arrays(images, masks)


@pytest.mark.parametrize("task", TASKS)
def test_masks_have_no_part_and_seeds_repeat(task):
    zeros, ones = np.zeros((6, 16, 16), int), np.ones((6, 16, 16), int)
    models = [pretrain(data(m), 1, task=task, steps=4, seed=s, **TINY) for m, s in ((zeros, 0), (ones, 0))]
    first, second = ({n: v.numpy() for n, v in model.state_dict().items()} for model in models)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def test_it_learns_and_a_unet_takes_it_over():
    short, long = (pretrain(data(np.zeros((6, 16, 16), int)), 1, steps=n, lr=0.02, **TINY) for n in (1, 80))
    x = ms.tensor(np.stack([s.image for s in data(np.zeros((6, 16, 16), int))]).transpose(0, 3, 1, 2) / 128.0)
    x = x.float() - x.float().mean()
    errors = [ms.functional.mse_loss(model.eval()(x), x).item() for model in (short, long)]
    assert errors[1] < 0.8 * errors[0]
    unet = ms.models.UNet(1, 2, base_channels=2, depth=1)
    ms.nn.utils.transfer(long, unet)
    np.testing.assert_array_equal(unet.down[1][0].weight.data, long.down[1][0].weight.data)
    with pytest.raises(ms.UserError, match="did you mean inpainting"):
        pretrain(data(np.zeros((6, 16, 16), int)), 1, task="inpaint")
