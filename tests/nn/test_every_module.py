"""Every module that PyTorch has too: the same state_dict, both ways; equal values, gradients and buffers."""

import inspect

import numpy as np
import pytest

import minitorch_seg as ms
from tests.helpers import modules_agree, theirs

IMAGE, P = (2, 4, 5, 6), np.array([[0.1, 0.5, 0.9], [0.3, 0.8, 0.2]])
CLASSES, W = np.array([0, 2]), np.array([1.0, 2.0, 0.5], np.float32)
PADS = ["ZeroPad2d", "ReflectionPad2d", "ReplicationPad2d", "CircularPad2d"]


def weight(nn):
    return ms.tensor(W) if nn is ms.nn else theirs().modules[1].tensor(W)


#: (how it is built, the shapes or arrays it is called with, its modes)
CASES = {
    "Sequential": [(lambda nn: nn.Sequential(nn.Linear(3, 2), nn.ReLU()), (2, 3))],
    "ModuleList": [(lambda nn: nn.Sequential(*nn.ModuleList([nn.Linear(3, 2), nn.Tanh()])), (2, 3))],
    "Identity": [(lambda nn: nn.Identity(5, what=True), (2, 3))],
    "Flatten": [(lambda nn: nn.Flatten(1, 2), IMAGE)],
    "Linear": [(lambda nn: nn.Linear(3, 5), (2, 3)), (lambda nn: nn.Linear(3, 5, bias=False), (2, 4, 3))],
    "Conv2d": [
        (lambda nn: nn.Conv2d(4, 6, 3, 2, 1, 1, 2), IMAGE),
        *(
            (lambda nn, m=mode, p=padding: nn.Conv2d(4, 2, (2, 3), 1, p, (1, 2), padding_mode=m), IMAGE)
            for mode in ("zeros", "reflect", "replicate", "circular")
            for padding in (1, (2, 1), "same", "valid")
        ),
        (lambda nn: nn.Conv2d(4, 2, 3, padding=1, padding_mode="reflect"), IMAGE[1:]),
    ],
    "ConvTranspose2d": [
        (lambda nn: nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, 2, True, 1, "zeros"), IMAGE),
        (lambda nn: nn.ConvTranspose2d(4, 2, (3, 2), 3, bias=False, dilation=2), IMAGE[1:]),
    ],
    **{
        f"BatchNorm{d}d": [
            (lambda nn, n=f"BatchNorm{d}d": getattr(nn, n)(4), shape),
            (lambda nn, n=f"BatchNorm{d}d": getattr(nn, n)(4, 1e-3, None, bias=False), shape),
            (lambda nn, n=f"BatchNorm{d}d": getattr(nn, n)(4, affine=False), shape),
            (lambda nn, n=f"BatchNorm{d}d": getattr(nn, n)(4, track_running_stats=False), shape),
        ]
        for d, shape in ((1, (3, 4, 5)), (2, IMAGE))
    },
    **{
        f"InstanceNorm{d}d": [
            (lambda nn, n=f"InstanceNorm{d}d": getattr(nn, n)(4), shape),
            (lambda nn, n=f"InstanceNorm{d}d": getattr(nn, n)(4, affine=True), shape[1:]),
            (lambda nn, n=f"InstanceNorm{d}d": getattr(nn, n)(4, 1e-3, 0.3, True, True, bias=False), shape),
            (lambda nn, n=f"InstanceNorm{d}d": getattr(nn, n)(4, track_running_stats=True), shape),
        ]
        for d, shape in ((1, (3, 4, 5)), (2, IMAGE))
    },
    "LayerNorm": [
        (lambda nn: nn.LayerNorm((5, 6)), IMAGE),
        (lambda nn: nn.LayerNorm(6, 1e-3, bias=False), IMAGE),
        (lambda nn: nn.LayerNorm(6, elementwise_affine=False), IMAGE),
    ],
    "GroupNorm": [
        (lambda nn: nn.GroupNorm(2, 4), IMAGE),
        (lambda nn: nn.GroupNorm(4, 4, 1e-3, bias=False), IMAGE),
        (lambda nn: nn.GroupNorm(1, 4, affine=False), (2, 4, 3)),
    ],
    "RNN": [(lambda nn: nn.RNN(3, 5, 2, "relu", True, True, 0.0, True), (2, 4, 3))],
    "GRU": [(lambda nn: nn.GRU(3, 5, 2, True, True, 0.0, True), (2, 4, 3))],
    "LSTM": [
        (lambda nn: nn.LSTM(3, 5, 2, False, True, 0.0, True), (2, 4, 3)),
        (lambda nn: nn.LSTM(3, 5, 2, True, False, 0.0, True, 2), (4, 2, 3)),
        (lambda nn: nn.LSTM(3, 5, bias=False, proj_size=4), (4, 3)),
    ],
    "Dropout": [(lambda nn: nn.Dropout(0.4, inplace=True), IMAGE, "eval")],
    "Dropout2d": [(lambda nn: nn.Dropout2d(0.4), IMAGE, "eval")],
    "MaxPool2d": [
        (lambda nn: nn.MaxPool2d((2, 3), (1, 2), dilation=2), IMAGE),
        (lambda nn: nn.MaxPool2d(3, 2, 1, 1, False, True), IMAGE),
        (lambda nn: nn.MaxPool2d(2), IMAGE),
    ],
    "MaxUnpool2d": [(lambda nn: nn.MaxUnpool2d(2), (1, 1, 1, 2), np.array([[[[0, 6]]]]))],
    "AvgPool2d": [
        (lambda nn: nn.AvgPool2d(2, divisor_override=3), IMAGE),
        (lambda nn: nn.AvgPool2d(3, 2, 1, True, False), IMAGE),
        (lambda nn: nn.AvgPool2d(2), IMAGE),
    ],
    "AdaptiveAvgPool2d": [(lambda nn: nn.AdaptiveAvgPool2d((3, None)), IMAGE)],
    "Unfold": [(lambda nn: nn.Unfold(2, 1, 1, 2), IMAGE)],
    "Fold": [(lambda nn: nn.Fold((4, 5), (2, 3), 1, 1, 2), (2, 12, 9))],
    "PixelShuffle": [(lambda nn: nn.PixelShuffle(2), IMAGE)],
    "PixelUnshuffle": [(lambda nn: nn.PixelUnshuffle(2), (2, 4, 4, 6))],
    "Upsample": [
        (lambda nn: nn.Upsample(None, 1.7, "bilinear", None, True), IMAGE),
        (lambda nn: nn.Upsample((7, 3)), IMAGE),
    ],
    "UpsamplingNearest2d": [(lambda nn: nn.UpsamplingNearest2d(scale_factor=2), IMAGE)],
    "UpsamplingBilinear2d": [(lambda nn: nn.UpsamplingBilinear2d((7, 9)), IMAGE)],
    **{
        name: [
            (lambda nn, n=name: getattr(nn, n)(2), IMAGE),
            (lambda nn, n=name: getattr(nn, n)((1, 2, 0, 3)), IMAGE[1:]),
        ]
        for name in PADS
    },
    "ConstantPad2d": [(lambda nn: nn.ConstantPad2d((1, -1, 0, 3), 2.5), IMAGE)],
    "ReLU": [(lambda nn: nn.ReLU(inplace=False), IMAGE)],
    "LeakyReLU": [(lambda nn: nn.LeakyReLU(0.2), IMAGE)],
    "ELU": [(lambda nn: nn.ELU(1.3), IMAGE)],
    "GELU": [(lambda nn: nn.GELU(), IMAGE), (lambda nn: nn.GELU("tanh"), IMAGE)],
    "SiLU": [(lambda nn: nn.SiLU(), IMAGE)],
    "Softplus": [(lambda nn: nn.Softplus(2.0, 1.0), IMAGE)],
    "LogSigmoid": [(lambda nn: nn.LogSigmoid(), IMAGE)],
    "Sigmoid": [(lambda nn: nn.Sigmoid(), IMAGE)],
    "Tanh": [(lambda nn: nn.Tanh(), IMAGE)],
    "Softmax": [(lambda nn: nn.Softmax(1), IMAGE)],
    "Softmax2d": [(lambda nn: nn.Softmax2d(), IMAGE), (lambda nn: nn.Softmax2d(), IMAGE[1:])],
    "LogSoftmax": [(lambda nn: nn.LogSoftmax(-1), IMAGE)],
    "CrossEntropyLoss": [
        (lambda nn: nn.CrossEntropyLoss(weight(nn), ignore_index=0, label_smoothing=0.1), (2, 3), CLASSES),
        (lambda nn: nn.CrossEntropyLoss(reduction="sum"), (2, 3), CLASSES),
    ],
    "NLLLoss": [(lambda nn: nn.NLLLoss(weight(nn), ignore_index=0, reduction="sum"), (2, 3), CLASSES)],
    "BCELoss": [(lambda nn: nn.BCELoss(weight(nn), reduction="sum"), P, P[::-1].copy())],
    "BCEWithLogitsLoss": [(lambda nn: nn.BCEWithLogitsLoss(weight(nn), pos_weight=weight(nn)), (2, 3), P)],
    "MSELoss": [(lambda nn: nn.MSELoss(reduction="sum"), (2, 3), P)],
    "L1Loss": [(lambda nn: nn.L1Loss(reduction="none"), (2, 3), P)],
    "SmoothL1Loss": [(lambda nn: nn.SmoothL1Loss(beta=0.3), (2, 3), P)],
    "HuberLoss": [(lambda nn: nn.HuberLoss("sum", 0.3), (2, 3), P)],
}


def test_no_module_is_missing():
    torch = theirs().modules[1]
    ours = {n for n in ms.nn.__all__ if inspect.isclass(getattr(ms.nn, n)) and hasattr(torch.nn, n)}
    assert set(CASES) == ours - {"Module", "Parameter"}


@pytest.mark.parametrize("name, number", [(n, i) for n, cases in CASES.items() for i in range(len(cases))])
@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_agrees(name, number):
    make, *specs = CASES[name][number]
    modes = [s for s in specs if isinstance(s, str)] or ["train", "eval"]
    modules_agree(make, *(s for s in specs if not isinstance(s, str)), modes=modes)


@pytest.mark.parametrize(
    "module, function, options, arguments",
    [
        ("DiceLoss", "dice_loss", {"ignore_index": 2, "smooth": 0.5, "reduction": "none"}, 2),
        ("JaccardLoss", "jaccard_loss", {"ignore_index": 2, "smooth": 0.5, "reduction": "sum"}, 2),
        ("TverskyLoss", "tversky_loss", {"alpha": 0.3, "beta": 0.6, "smooth": 0.5, "reduction": "none"}, 2),
        ("LovaszSoftmaxLoss", "lovasz_softmax", {"classes": "all", "per_image": True, "ignore_index": 1}, 2),
        ("FocalLoss", "focal_loss", {"gamma": 1.5, "weight": ms.tensor(W), "reduction": "sum"}, 2),
    ],
)
def test_losses_of_our_own_hand_their_options_on(module, function, options, arguments):
    x, target = ms.randn(2, 3, 2, 2), ms.tensor(np.array([[[0, 1], [2, 2]], [[1, 1], [0, 0]]]))
    loss = getattr(ms.nn, module)(**options)
    expected = getattr(ms.functional, function)(x, target, **options)
    np.testing.assert_array_equal(loss(x, target).data, expected.data)
    signature = inspect.signature(getattr(ms.functional, function)).parameters
    assert list(inspect.signature(getattr(ms.nn, module)).parameters) == list(signature)[arguments:]
    assert list(loss.state_dict()) == [n for n in options if n == "weight"]


def test_inplace_is_accepted_and_leaves_the_input():
    x = ms.tensor([-1.0, 2.0])
    for name in ("ReLU", "LeakyReLU", "ELU", "SiLU", "Dropout"):
        module = getattr(ms.nn, name)(inplace=True)
        assert module.inplace is True and (module(x).data != x.data).any()
        assert x.tolist() == [-1.0, 2.0]


def test_options_are_read_at_each_call():
    module = ms.nn.LeakyReLU(0.5)
    module.negative_slope = 0.25
    assert module(ms.tensor([-4.0])).item() == -1.0 and repr(module) == "LeakyReLU(negative_slope=0.25)"


def test_output_size_of_a_transposed_convolution():
    torch = theirs().modules[1]
    x = np.zeros((1, 2, 3, 4), np.float32)
    for size in ((7, 9), (8, 10), (1, 3, 8, 9)):
        found = ms.nn.ConvTranspose2d(2, 3, 3, 2)(ms.tensor(x), output_size=size)
        assert found.shape == torch.nn.ConvTranspose2d(2, 3, 3, 2)(torch.tensor(x), output_size=size).shape
    for size in ((6, 9), (9, 9)):
        with pytest.raises(ValueError, match="output_padding"):
            ms.nn.ConvTranspose2d(2, 3, 3, 2)(ms.tensor(x), size)


def test_refuses_padding_modes():
    for name, mode in (("Conv2d", "mirror"), ("ConvTranspose2d", "reflect")):
        with pytest.raises(ValueError, match=f"{name}: padding_mode '{mode}' is unknown: use zeros"):
            getattr(ms.nn, name)(2, 3, 3, padding_mode=mode)
    with pytest.raises(ValueError, match="'same' needs stride 1"):
        ms.nn.Conv2d(2, 3, 3, 2, "same")
    with pytest.raises(ms.ShapeError, match=r"Softmax2d: input has shape \(2, 3\)"):
        ms.nn.Softmax2d()(ms.zeros(2, 3))
