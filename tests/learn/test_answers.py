"""Hidden answers that are their own truth, against the framework and its metrics."""

import warnings

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.learn import exercise

F = ms.functional


@pytest.fixture(autouse=True)
def plain_kernels():
    ms.set_kernels("reference")
    yield
    ms.set_kernels("auto")


def cases(name):
    return [(exercise(name).answer, case) for case in exercise(name).cases()]


def test_iou_and_mean_iou_are_those_of_the_metrics():
    for answer, case in cases("00.iou"):
        p, t = (a.astype(int) for a in case.arguments)
        assert answer(*case.arguments) == pytest.approx(ms.metrics.iou(p, t)[1])
    for answer, case in cases("05.mean_iou"):
        found = answer(*case.arguments, **case.options)
        assert found == pytest.approx(ms.metrics.mean_iou(*case.arguments, num_classes=case.options["K"]))


def test_losses_are_the_frameworks():
    for answer, case in cases("05.cross_entropy"):
        z, t = case.arguments
        assert answer(z, t) == pytest.approx(F.cross_entropy(z, ms.tensor(t)).item())
    for answer, case in cases("05.dice_gradient"):
        p, q = case.arguments
        t = ms.tensor(p[None, None], requires_grad=True)
        F.dice_loss(t, ms.tensor(q[None].astype(int)), smooth=0.0, from_logits=False).backward()
        np.testing.assert_allclose(answer(p, q), -t.grad.numpy()[0, 0], rtol=1e-9)


def test_grey_is_the_mean_of_the_colours():
    from skimage.util import img_as_float

    for answer, case in cases("00.grey"):
        (rgb,) = case.arguments
        np.testing.assert_allclose(answer(rgb), 255 * img_as_float(rgb).mean(axis=2))


def test_a_skip_is_cropped_evenly():
    for answer, case in cases("08.join"):
        skip, up = case.arguments
        for axis in (2, 3):  # take from the end, then from the beginning, until it fits
            while skip.shape[axis] > up.shape[axis]:
                from_the_end = (skip.shape[axis] - up.shape[axis]) % 2
                skip = np.delete(skip, -1 if from_the_end else 0, axis)
        np.testing.assert_array_equal(answer(*case.arguments), np.concatenate([skip, up], axis=1))


def test_clipping_is_that_of_the_framework():
    for answer, case in cases("09.clip"):
        tensors = [ms.tensor(g, requires_grad=True) for g in case.arguments]
        for t, g in zip(tensors, case.arguments, strict=True):
            (t * ms.tensor(g)).sum().backward()
        ms.nn.utils.clip_grad_norm_(tensors, case.options["c"])
        for found, t in zip(answer(*case.arguments, **case.options), tensors, strict=True):
            np.testing.assert_allclose(found, t.grad.numpy(), rtol=1e-5)


def test_reading_both_ways_is_that_of_the_frameworks_bidirectional_layer():
    for answer, case in cases("10.both_ways"):
        x, there, back = case.arguments
        layer = ms.nn.RNN(x.shape[2], there.weights[0][1].shape[0], bidirectional=True).double()
        for suffix, reader in (("", there), ("_reverse", back)):
            for name, value in zip(
                ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0"), reader.weights[0], strict=True
            ):
                getattr(layer, name + suffix).data[...] = value
            getattr(layer, "bias_hh_l0" + suffix).data[...] = 0
        np.testing.assert_allclose(answer(x, there, back), layer(ms.tensor(x))[0].detach().numpy())


def test_a_layer_of_sweeps_is_the_models():
    for answer, case in cases("10.renet"):
        x, rows, columns = case.arguments
        layer = ms.models.ReNet(x.shape[1], 2, cell="elman").double()
        for sweep, reader in ((layer.rows, rows), (layer.columns, columns)):
            for rnn, (W_xh, W_hh, b_h) in zip((sweep.there, sweep.back), reader.weights, strict=True):
                rnn.weight_ih_l0.data[...], rnn.weight_hh_l0.data[...] = W_xh, W_hh
                rnn.bias_ih_l0.data[...], rnn.bias_hh_l0.data[...] = b_h, 0
        np.testing.assert_allclose(answer(x, rows, columns), layer(ms.tensor(x)).detach().numpy())


def test_a_step_of_k_means_is_scipys():
    from scipy.cluster.vq import kmeans2

    for answer, case in cases("11.kmeans_step"):
        x, c = case.arguments
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of a centre without points, and lets it stay
            wanted, _ = kmeans2(x, c, iter=1, minit="matrix", missing="warn")
        np.testing.assert_allclose(answer(x, c), wanted)


def test_the_normalised_cut_is_that_of_the_framework():
    answer, rng = exercise("11.normalised_cut").answer, np.random.default_rng(0)
    image, p = rng.standard_normal((1, 2, 3, 4)), rng.uniform(size=(1, 3, 3, 4))
    affinity = ms.ops.soft_ncut.Affinity(image, radius=2)
    w = affinity_matrix(affinity, (3, 4))
    assert answer(w, p.reshape(3, 12)) == pytest.approx(F.soft_ncut_loss(p, affinity).item())


def affinity_matrix(affinity, size):
    columns = [affinity.times(unit.reshape(1, 1, *size)).ravel() for unit in np.eye(size[0] * size[1])]
    return np.array(columns).T
