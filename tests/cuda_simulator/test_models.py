"""Every model, and every loss of a model's own, on the device: the numbers of the CPU."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.models import (
    FCN,
    ConvAutoencoder,
    Denoising,
    Inpainting,
    PatchCNN,
    ReSeg,
    SegNet,
    SequenceRNN,
    TiedAutoencoder,
    VariationalAutoencoder,
    WNet,
)

SMALL = {"base_channels": 2, "depth": 1}
MODELS = {
    "fcn": lambda: FCN(1, 2, base_channels=1, dropout=0.0),
    "segnet": lambda: SegNet(1, 2, **SMALL),
    "reseg": lambda: ReSeg(1, 2, **SMALL, layers=1),
    "sequence_rnn": lambda: SequenceRNN(1, 2, **SMALL, hidden=1),
    "autoencoder": lambda: ConvAutoencoder(1, 1, **SMALL, code_channels=2),
    "tied": lambda: TiedAutoencoder(1, **SMALL),
    "denoising": lambda: Denoising(ConvAutoencoder(1, 1, **SMALL, code_channels=2)),
    "inpainting": lambda: Inpainting(ConvAutoencoder(1, 1, **SMALL, code_channels=2), block=2),
}


def same_on_both(build, run, size=4):
    ms.manual_seed(0)
    model = build().eval()
    x = ms.randn(1, 1, size, size)
    expected = run(model, x).detach().numpy()
    found = run(model.to("cuda"), x.to("cuda"))
    assert found.device == "cuda"
    np.testing.assert_allclose(found.detach().cpu().numpy(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name == "fcn" else ()) for name in MODELS]
)
def test_a_model_answers_as_on_the_cpu(name):
    same_on_both(MODELS[name], lambda model, x: model(x))


@pytest.mark.parametrize("way", ["segment", "fully_convolutional", "sliding_window"])
def test_patch_cnn(way):
    def build():
        model = PatchCNN(1, 2, size=22 if way == "segment" else 12, base_channels=1, hidden=2)
        model.set_prior(np.array([3, 1]))
        return model

    same_on_both(build, lambda model, x: getattr(model, way)(x[:, :, :3, :3]))


def test_wnet():
    same_on_both(
        lambda: WNet(1, 2, 1, 1, affinity={"radius": 1}), lambda model, x: model.objective(model(x), x)
    )


@pytest.mark.parametrize("reduction", ["image", "batch"])
def test_the_gradient_of_the_soft_cut(reduction):
    def run(layer, x):
        layer.zero_grad()
        p = ms.softmax(layer(x), 1)
        ms.functional.soft_ncut_loss(p, x, radius=1, reduction=reduction).backward()
        return layer.weight.grad

    same_on_both(lambda: ms.nn.Conv2d(1, 2, 1), run)


def test_variational_objective():
    def run(model, x):
        return model.objective(model(x), x)

    build = lambda: VariationalAutoencoder(1, 1, **SMALL, code_channels=2)  # noqa: E731
    same_on_both(build, run)
    model, x = build().to("cuda").train(), ms.randn(1, 1, 4, 4).to("cuda")
    assert np.isfinite(run(model, x).item())  # draws on the device
