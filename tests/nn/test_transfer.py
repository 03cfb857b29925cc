"""Weights handed from an encoder to a segmentation model, and what is refused."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.models import ConvAutoencoder, ReSeg, UNet
from minitorch_seg.nn.transfer import transfer


def trained(**options):
    ms.manual_seed(1)
    source = ConvAutoencoder(3, 3, **options)
    source(ms.rand(2, 3, 8, 8))  # running statistics leave their start
    return source


def test_the_way_down_is_the_source_s_and_the_rest_is_not():
    source = trained(base_channels=4, depth=2)
    ms.manual_seed(2)
    unet = UNet(3, 5, base_channels=4, depth=2)
    before = {name: value.data.copy() for name, value in unet.state_dict().items()}
    names = transfer(source, unet)
    assert names == [name for name in before if name.startswith("down.")]
    for name, value in unet.state_dict().items():
        expected = source.state_dict()[name].data if name in names else before[name]
        np.testing.assert_array_equal(value.data, expected, err_msg=name)
    assert not np.array_equal(before["down.0.1.running_mean"], unet.down[0][1].running_mean.data)
    x = ms.rand(1, 3, 8, 8)
    np.testing.assert_array_equal(unet.eval().down[0](x).data, source.eval().down[0](x).data)


def test_copies_share_no_memory():
    source, unet = trained(base_channels=4, depth=2), UNet(3, 5, base_channels=4, depth=2)
    transfer(source, unet)
    kept = source.down[0][0].weight.data.copy()
    unet.down[0][0].weight.data += 1
    np.testing.assert_array_equal(source.down[0][0].weight.data, kept)


def test_into_another_name():
    """A ReSeg's last halving is its ReNet's: its front has one level fewer than its depth says."""
    source, reseg = trained(base_channels=4, depth=2), ReSeg(3, 5, base_channels=4, depth=3)
    transfer(source, reseg, into="front")
    np.testing.assert_array_equal(reseg.front[2][3].weight.data, source.down[2][3].weight.data)


@pytest.mark.parametrize(
    "target, arguments, words",
    [
        (
            UNet(3, 2, base_channels=4, depth=3),
            {},
            r"as many levels: ConvAutoencoder\.down has 3, UNet\.down 4",
        ),
        (UNet(3, 2, base_channels=4, depth=1), {}, "the other has not"),
        (UNet(3, 2, base_channels=5, depth=2), {}, r"shape \(5, 3, 3, 3\)"),
        (UNet(1, 2, base_channels=4, depth=2), {}, "same in_channels"),
        (UNet(3, 2, base_channels=4, depth=2), {"part": "dwon"}, "did you mean down"),
        (UNet(3, 2, base_channels=4, depth=2), {"into": "front"}, "its parts: down, up, merge, head"),
    ],
)
def test_mismatches_are_refused_and_nothing_is_copied(target, arguments, words):
    before = {name: value.data.copy() for name, value in target.state_dict().items()}
    with pytest.raises(ms.UserError, match=words):
        transfer(trained(base_channels=4, depth=2), target, **arguments)
    for name, value in target.state_dict().items():
        np.testing.assert_array_equal(value.data, before[name])
