"""Sequential and ModuleList."""

from collections import OrderedDict

import minitorch_seg as ms
from tests.helpers import modules_agree


def small(nn):
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Sequential(OrderedDict(up=nn.ConvTranspose2d(4, 3, 2, stride=2), last=nn.Conv2d(3, 2, 1))),
    )


def test_a_small_network():
    net = modules_agree(small, (3, 2, 6, 8))
    assert len(net) == 5 and net[4][1] is net[4].last and isinstance(net[:2], ms.nn.Sequential)
    assert [type(m).__name__ for m in net] == ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d", "Sequential"]
    assert "4.up.weight" in net.state_dict()


def test_module_list():
    layers = ms.nn.ModuleList([ms.nn.Linear(2, 2)]).append(ms.nn.Linear(2, 3))
    assert len(layers) == 2 and layers[1].out_features == 3 and layers[-1] is layers[1]
    assert [n for n, _ in layers.named_parameters()] == ["0.weight", "0.bias", "1.weight", "1.bias"]
