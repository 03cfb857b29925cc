"""Autoencoders: the documented objective, tied weights, noise, holes, the divergence, and codes handed on."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg import functional as F
from minitorch_seg.models import ConvAutoencoder, TiedAutoencoder, VariationalAutoencoder
from minitorch_seg.models.autoencoder import Denoising, Inpainting, kl_to_standard_normal

SMALL = {"base_channels": 2, "depth": 2, "code_channels": 3}


def random(*shape, seed=0):
    return ms.tensor(np.random.default_rng(seed).standard_normal(shape))


@pytest.mark.parametrize("size", [(8, 12), (7, 5), (1, 2)])
def test_any_size(size):
    model = ConvAutoencoder(3, 4, **SMALL)
    x = ms.rand(2, 3, *size)
    assert model(x).shape == (2, 4, *size)
    assert model.encode(x).shape == (2, 3, -(-size[0] // 4), -(-size[1] // 4))


def test_all_that_reaches_the_decoder_passes_through_the_code():
    """An image is its code to the decoder: forward is decode(encode(x)), and nothing else."""
    ms.manual_seed(0)
    model = ConvAutoencoder(1, 1, **SMALL).eval()
    x = ms.rand(1, 1, 8, 8)
    np.testing.assert_array_equal(model(x).data, model.decode(model.encode(x)).data)
    model.encode = lambda x: ms.zeros(1, 3, 2, 2)
    np.testing.assert_array_equal(model(x).data, model(x * 0 + 7).data)


def test_the_documented_objective_is_a_sum_over_pixels_and_falls():
    ms.manual_seed(0)
    x = ms.tensor(np.random.default_rng(0).standard_normal((4, 1, 2, 2)).astype(np.float32))
    x = F.interpolate(x, scale_factor=4, mode="nearest")
    model = ConvAutoencoder(1, 1, base_channels=4, depth=1, code_channels=4)
    trainer = ms.Trainer(model, F.reconstruction_loss, ms.optim.Adam(model.parameters(), lr=0.02))
    history = trainer.fit(x, x, batch_size=4, epochs=25, progress=False).history["loss"]
    assert history[-1] < 0.25 * history[0]
    difference = (model(x).data - x.data).astype(np.float64)
    with ms.no_grad():
        found = F.reconstruction_loss(x, model(x)).item()
    assert found == pytest.approx(sum(float(d) ** 2 for d in difference.ravel()), rel=1e-5)


@pytest.mark.parametrize("make", [ConvAutoencoder, VariationalAutoencoder])
def test_gradients_reach_every_parameter(make):
    ms.manual_seed(0)
    model = make(1, 1, **SMALL).double()
    x, rng = random(2, 1, 8, 8), np.random.default_rng(1)

    def objective():
        ms.manual_seed(3)  # the same draws each time
        y = model(x)
        return model.objective(y, x) if make is VariationalAutoencoder else F.reconstruction_loss(x, y)

    objective().backward()
    for name, p in model.named_parameters():
        direction, start, values = rng.standard_normal(p.shape), p.data.copy(), []
        for step in (1e-6, -1e-6):
            p.data = start + step * direction
            with ms.no_grad():
                values.append(objective().item())
        p.data = start
        slope = (values[0] - values[1]) / 2e-6
        assert (p.grad.data * direction).sum() == pytest.approx(slope, rel=2e-4, abs=1e-5), name


# -- tied weights ---------------------------------------------------------------------------------------


def test_tied_decoder_is_the_adjoint_of_the_encoder():
    """⟨W ∗ x, y⟩ = ⟨x, Wᵀ ∗ y⟩, relu and biases left out."""
    ms.manual_seed(0)
    model = TiedAutoencoder(2, base_channels=3, depth=1).double()
    model.down[0].bias.data[:] = 0
    x, y = random(1, 2, 6, 8), random(1, 3, 3, 4, seed=1)
    left = (model.down[0](x) * y).sum().item()
    assert left == pytest.approx((x * model.decode(y)).sum().item(), rel=1e-12)


def test_a_tied_weight_s_gradient_is_the_sum_of_both_uses():
    """The oracle has two weights of equal values, one for each use."""
    ms.manual_seed(0)
    model = TiedAutoencoder(2, base_channels=3, depth=2).double()
    x, u = random(2, 2, 8, 4), random(2, 2, 8, 4, seed=1)
    (model(x) * u).sum().backward()
    down = [ms.tensor(conv.weight.data.copy(), requires_grad=True) for conv in model.down]
    up = [ms.tensor(conv.weight.data.copy(), requires_grad=True) for conv in model.down]
    y = x
    for weight, conv in zip(down, model.down, strict=True):
        y = F.relu(F.conv2d(y, weight, conv.bias.detach(), stride=2, padding=1))
    y = F.relu(F.conv_transpose2d(y, up[1], model.up_bias_1.detach(), stride=2, padding=1))
    y = F.conv_transpose2d(y, up[0], model.up_bias_0.detach(), stride=2, padding=1)
    (y * u).sum().backward()
    for conv, encoder, decoder in zip(model.down, down, up, strict=True):
        both = encoder.grad.data + decoder.grad.data
        np.testing.assert_allclose(conv.weight.grad.data, both, rtol=1e-10, atol=1e-12)
        assert np.abs(encoder.grad.data).max() > 1e-3 and np.abs(decoder.grad.data).max() > 1e-3
    assert len(list(model.parameters())) == 6, "two weights, and two biases for each of them"


def test_tied_gradients_against_differences_and_pytorch():
    ms.manual_seed(1)
    model = TiedAutoencoder(1, base_channels=2, depth=1).double()
    arrays = [random(1, 1, 4, 4).data, model.down[0].weight.data, random(2).data, random(1).data]

    def run(x, weight, b, c, f=F):
        return f.conv_transpose2d(f.relu(f.conv2d(x, weight, b, 2, 1)), weight, c, 2, 1)

    def through_the_model(x, weight, b, c):
        model.down[0]._parameters.update(weight=weight, bias=b)
        model._parameters["up_bias_0"] = c
        return model(x)

    assert ms.gradcheck(through_the_model, arrays, name="tied").compared
    torch = pytest.importorskip("torch")
    expected = run(*(torch.tensor(a) for a in arrays), f=torch.nn.functional)
    np.testing.assert_allclose(
        through_the_model(*map(ms.tensor, arrays)).data, expected.numpy(), rtol=1e-10, atol=1e-12
    )


# -- noise and holes --------------------------------------------------------------------------------------


def test_denoising_shows_noise_and_validates_with_the_same_each_time():
    ms.manual_seed(0)
    wrapped = Denoising(ms.nn.Identity(), sigma=0.5)
    x = ms.ones(64, 1, 16, 16, dtype="float64")
    for mode in (wrapped.train(), wrapped.eval()):
        noise = mode(x).data - 1
        assert abs(noise.mean()) < 0.02 and noise.std() == pytest.approx(0.5, rel=0.03)
    np.testing.assert_array_equal(wrapped(x).data, wrapped(x).data)
    wrapped.train()
    assert not np.array_equal(wrapped(x).data, wrapped(x).data)


def test_validation_does_not_reward_the_best_copier():
    """Of two models, one that copies and one that knows the answer, the second has the lower loss."""
    x = ms.ones(8, 1, 16, 16)

    class Knows(ms.nn.Module):
        def forward(self, x):
            return x * 0 + 1

    for task in (lambda model: Denoising(model, 0.5), lambda model: Inpainting(model, 4, 0.5)):
        copies, knows = (task(model).eval() for model in (ms.nn.Identity(), Knows()))
        assert F.mse_loss(knows(x), x).item() == 0 < F.mse_loss(copies(x), x).item()


def test_inpainting_counts_the_hidden_pixels_alone():
    ms.manual_seed(0)
    shown = []

    class Guess(ms.nn.Module):
        def forward(self, x):
            shown.append(x.data)
            return x * 0 + guess

    guess = random(6, 2, 10, 13, seed=1)
    wrapped, x = Inpainting(Guess(), block=4, ratio=0.4), random(6, 2, 10, 13)
    ms.manual_seed(5)
    m = wrapped.sample_mask(x).data
    ms.manual_seed(5)
    loss = F.reconstruction_loss(x, wrapped(x)).item()
    assert set(np.unique(m)) == {0, 1} and 0.2 < m.mean() < 0.6
    for row in range(0, 10, 4):  # whole cells
        for column in range(0, 13, 4):
            cell = m[:, :, row : row + 4, column : column + 4].reshape(6, -1)
            assert (cell == cell[:, :1]).all()
    np.testing.assert_array_equal(shown[0], x.data * (1 - m))
    assert loss == pytest.approx((((x.data - guess.data) ** 2) * m).sum(), rel=1e-12)
    wrapped.eval()
    np.testing.assert_array_equal(wrapped(x).data, wrapped(x).data)
    assert (wrapped(x).data == x.data).mean() < 0.9


def test_wrong_arguments_are_explained():
    with pytest.raises(ms.ShapeError, match="depth=0"):
        ConvAutoencoder(1, 1, depth=0)
    with pytest.raises(ms.ShapeError, match=r"expected \(N, 3, H, W\)"):
        ConvAutoencoder(3, 3, **SMALL)(ms.zeros(1, 1, 8, 8))
    with pytest.raises(ms.ShapeError, match="multiples of 8"):
        TiedAutoencoder(1)(ms.zeros(1, 1, 8, 9))
    with pytest.raises(ValueError, match="sigma must be 0 or more"):
        Denoising(ms.nn.Identity(), -1.0)
    with pytest.raises(ValueError, match="ratio in 0 … 1"):
        Inpainting(ms.nn.Identity(), 2, 1.5)


# -- the variational form -----------------------------------------------------------------------------------


def test_divergence_is_the_integral_it_stands_for():
    from scipy.integrate import quad
    from scipy.stats import norm

    mean, log_variance = np.array([0.0, 1.3, -0.7]), np.array([0.0, -1.1, 0.8])
    expected = 0.0
    for m, v in zip(mean, log_variance, strict=True):
        p = norm(m, np.exp(v / 2))
        expected += quad(lambda y, p=p: p.pdf(y) * (p.logpdf(y) - norm.logpdf(y)), -12, 12)[0]
    found = kl_to_standard_normal(ms.tensor(mean), ms.tensor(log_variance)).item()
    assert found == pytest.approx(expected, rel=1e-8)
    assert ms.gradcheck(kl_to_standard_normal, [mean, log_variance], order=2).compared


def test_codes_are_drawn_from_the_distribution_and_differentiable():
    ms.manual_seed(0)
    model = VariationalAutoencoder(1, 1, **SMALL)
    mean = ms.full((20000,), 1.5, dtype="float64", requires_grad=True)
    log_variance = ms.full((20000,), -1.0, dtype="float64", requires_grad=True)
    y = model.sample(mean, log_variance)
    assert y.data.mean() == pytest.approx(1.5, abs=0.02)
    assert y.data.std() == pytest.approx(np.exp(-0.5), rel=0.03)
    y.backward(ms.ones(20000, dtype="float64"))
    np.testing.assert_array_equal(mean.grad.data, 1)
    np.testing.assert_allclose(log_variance.grad.data, 0.5 * (y.data - 1.5), rtol=1e-10, atol=1e-13)
    assert model.eval().sample(mean, log_variance) is mean


def test_the_variational_objective_is_both_terms():
    ms.manual_seed(0)
    model = VariationalAutoencoder(2, 2, **SMALL).double().eval()
    x = random(2, 2, 8, 8)
    mean, log_variance = (t.data for t in model.distribution(x))
    kl = 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance).sum()
    error = ((model(x)[0].data - x.data) ** 2).sum()
    assert model.objective(model(x), x, beta=0.5).item() == pytest.approx(error + 0.5 * kl, rel=1e-10)
    assert model.encode(x).shape == (2, 3, 2, 2)


def test_a_variational_autoencoder_trains_by_the_trainer():
    ms.manual_seed(0)
    model = VariationalAutoencoder(1, 1, **SMALL)
    x = np.random.default_rng(0).standard_normal((8, 1, 8, 8)).astype(np.float32)
    trainer = ms.Trainer(model, model.objective, ms.optim.Adam(model.parameters(), lr=0.01))
    history = trainer.fit(x, x, batch_size=4, epochs=8, validation_data=(x, x), progress=False).history
    assert history["loss"][-1] < 0.9 * history["loss"][0] and np.isfinite(history["val_loss"]).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_tied_reconstructions_begin_small(channels):
    """Not far above those of a model that says 0: an error of 1 for normalised images."""
    ms.manual_seed(0)
    x = random(4, channels, 16, 16)
    error = F.mse_loss(TiedAutoencoder(channels, base_channels=16, depth=2).double()(x), x).item()
    assert error < 2.5
