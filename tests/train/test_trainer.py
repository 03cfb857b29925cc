"""The loop: it learns, it repeats bit for bit, it goes on bit for bit, and it explains what is wrong."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.data import ArrayDataset, DataLoader, transforms
from minitorch_seg.errors import ShapeError, UserError
from minitorch_seg.train import Callback, Trainer
from minitorch_seg.train.losses import SEGMENTATION, build_loss, class_weights
from minitorch_seg.train.state import load_tree, save_tree


def blobs(count=12, size=8, seed=0, ignore=None):
    """Images in which class 1 is bright: (uint8 (N, H, W, 1), int64 (N, H, W))."""
    rng = np.random.default_rng(seed)
    masks = (
        (rng.random((count, size // 4, size // 4)) > 0.5).repeat(4, axis=1).repeat(4, axis=2).astype(np.int64)
    )
    images = np.clip(60 + 120 * masks + rng.normal(0, 20, masks.shape), 0, 255).astype(np.uint8)
    if ignore is not None:
        masks[:, :2] = ignore
    return images[..., np.newaxis], masks


def make(seed=0, metrics=("miou",), total=40, dropout=False, **options):
    ms.manual_seed(seed)
    layers = [ms.nn.Conv2d(1, 4, 3, padding=1), ms.nn.BatchNorm2d(4), ms.nn.ReLU()]
    layers += [ms.nn.Dropout(0.2)] if dropout else []
    model = ms.nn.Sequential(*layers, ms.nn.Conv2d(4, 2, 1))
    optimizer = ms.optim.AdamW(model.parameters(), lr=0.05)
    schedule = ms.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=total)
    return Trainer(model, "cross_entropy+dice_loss", optimizer, metrics, scheduler=schedule, **options)


def floats(images):
    return (images.transpose(0, 3, 1, 2) / np.float32(255)).astype(np.float32)


def test_it_learns_from_arrays_and_returns_a_history():
    images, masks = blobs()
    x, y = floats(images), masks
    history = make().fit(x, y, batch_size=4, epochs=10, validation_data=(x, y), progress=False)
    assert history.epoch == list(range(1, 11))
    assert set(history.history) == {"loss", "miou", "val_loss", "val_miou"}
    assert history.history["val_miou"][-1] > 0.95 > history.history["miou"][0]
    assert history.history["loss"][-1] < history.history["loss"][0] / 2


@pytest.mark.parametrize("clip_norm", [None, 1e-3])
def test_clipped_gradients_bound_the_first_step(clip_norm):
    """With plain gradient descent a step is learning rate times gradient: its length is the clipped norm."""
    images, masks = blobs(4)
    ms.manual_seed(0)
    model = ms.nn.Conv2d(1, 2, 3, padding=1)
    before = [p.data.copy() for p in model.parameters()]
    optimizer = ms.optim.SGD(model.parameters(), lr=1.0)
    trainer = Trainer(model, "cross_entropy", optimizer, clip_norm=clip_norm)
    trainer.fit(floats(images), masks, batch_size=4, progress=False)
    steps = [p.data - b for p, b in zip(model.parameters(), before, strict=True)]
    length = np.sqrt(sum((step.astype(float) ** 2).sum() for step in steps))
    assert length == pytest.approx(1e-3, rel=2e-3) if clip_norm else length > 0.01


def test_a_clip_norm_of_zero_is_refused():
    with pytest.raises(UserError, match="clip_norm must be above 0"):
        Trainer(ms.nn.Linear(1, 1), clip_norm=0)


def test_documented_arguments_of_the_keras_example():
    """fit(x_train, y_train, batch_size=32, epochs=10, validation_data=(x_test, y_test)), one logit an
    answer."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, 3)).astype(np.float32)
    y = (x @ np.array([1.0, -2.0, 0.5]) > 0).astype(np.float32)[:, np.newaxis]
    ms.manual_seed(0)
    model = ms.nn.Linear(3, 1)
    optimizer = ms.optim.Adam(model.parameters(), lr=0.05)
    trainer = Trainer(model, "binary_cross_entropy_with_logits", optimizer, metrics=["accuracy"])
    history = trainer.fit(x, y, batch_size=32, epochs=20, validation_data=(x, y), progress=False)
    logits = trainer.predict(x)
    by_hand = ((logits > 0) == (y > 0.5)).mean()
    assert history.history["val_accuracy"][-1] == by_hand > 0.9
    assert trainer.evaluate(x, y)["accuracy"] == by_hand


@pytest.mark.parametrize("loss", ["binary_cross_entropy_with_logits", "mse_loss"])
def test_arrays_of_float64_and_a_list_of_validation_data(loss):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((8, 3)), rng.integers(0, 2, (8, 1)).astype(np.float64)

    def run(dtype, kind):
        ms.manual_seed(0)
        trainer = Trainer(ms.nn.Linear(3, 1), loss, "sgd")
        data = x.astype(dtype), y.astype(dtype)
        history = trainer.fit(*data, epochs=2, validation_data=kind(data), progress=False)
        return history, trainer.predict(x.astype(dtype))

    (wide, wide_logits), (narrow, logits) = run(np.float64, list), run(np.float32, tuple)
    assert wide == narrow and "val_loss" in wide.history
    np.testing.assert_array_equal(wide_logits, logits)


def test_a_model_of_float64_keeps_its_dtype():
    model = ms.nn.Linear(3, 1)
    for parameter in model.parameters():
        parameter.data = parameter.data.astype(np.float64)
    assert Trainer(model, "mse_loss").predict(np.ones((2, 3))).dtype == np.float64


def test_a_list_of_two_batches_is_a_loader():
    images, masks = blobs(count=8)
    x, y = floats(images), masks
    batches = [(ms.tensor(x[:4]), ms.tensor(y[:4])), (ms.tensor(x[4:]), ms.tensor(y[4:]))]
    history = make().fit(x, y, validation_data=batches, progress=False)
    assert "val_miou" in history.history


def test_loss_is_the_mean_over_examples_also_with_a_small_last_batch():
    images, masks = blobs(count=7)
    x, y = floats(images), masks
    trainer = make(metrics=())
    whole = ms.functional.cross_entropy(ms.tensor(trainer.predict(x)), ms.tensor(y)).item()
    plain = Trainer(trainer.model, "cross_entropy", "sgd")
    assert plain.evaluate(x, y, batch_size=3)["loss"] == pytest.approx(whole, rel=1e-6)


def test_evaluating_changes_nothing():
    images, masks = blobs()
    trainer = make()
    before = {name: value.numpy().copy() for name, value in trainer.model.state_dict().items()}
    trainer.evaluate(floats(images), masks)
    trainer.predict(floats(images))
    for name, value in trainer.model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name], err_msg=name)


def loader(images, masks, seed=3):
    augment = transforms.Compose(
        [transforms.RandomHorizontalFlip(), transforms.RandomRot90(), transforms.Normalize()]
    )
    dataset = ArrayDataset.from_arrays(images, masks)
    return DataLoader(dataset, batch_size=5, shuffle=True, transform=augment, seed=seed)


def weights(trainer):
    return {name: value.numpy() for name, value in trainer.model.state_dict().items()}


def assert_same_bits(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not():
    images, masks = blobs()

    def run(seed):
        trainer = make(seed, dropout=True)
        history = trainer.fit(loader(images, masks, seed), epochs=3, progress=False)
        return history, weights(trainer)

    (h1, w1), (h2, w2), (h3, _) = run(0), run(0), run(1)
    assert h1 == h2 and h1 != h3
    assert_same_bits(w1, w2)


@pytest.mark.parametrize("stop_at", [1, 3])
def test_a_resumed_training_equals_an_uninterrupted_one_to_the_bit(tmp_path, stop_at):
    """With dropout, augmentation, momentum, a schedule, batch-norm statistics and best weights."""
    images, masks = blobs()
    x_val, y_val = blobs(seed=9)
    arguments = dict(epochs=5, validation_data=(floats(x_val), y_val), keep_best="val_miou", progress=False)
    straight = make(dropout=True)
    expected = straight.fit(loader(images, masks), **arguments)

    class Stop(Callback):
        def on_epoch(self, trainer, logs):
            if trainer.epoch == stop_at:
                save_tree(tmp_path / "state.safetensors", trainer.state_dict())
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(dropout=True).fit(loader(images, masks), callbacks=[Stop()], **arguments)
    again = make(seed=77, dropout=True)  # whatever it was before, the state replaces it
    resumed = again.fit(
        loader(images, masks), resume_from=load_tree(tmp_path / "state.safetensors"), **arguments
    )
    assert resumed == expected
    assert_same_bits(weights(again), weights(straight))
    assert again.best["epoch"] == straight.best["epoch"]


def test_steps_end_in_the_middle_of_an_epoch_and_count_all():
    images, masks = blobs()

    class Count(Callback):
        steps = 0

        def on_begin(self, trainer):
            self.total = trainer.total_steps

        def on_step(self, trainer, logs):
            self.steps += 1

    count, trainer = Count(), make(total=5)
    history = trainer.fit(loader(images, masks), steps=5, callbacks=[count], progress=False)
    assert count.steps == count.total == trainer.step == 5 and len(history) == 2
    assert trainer.scheduler.get_last_lr()[0] == pytest.approx(0, abs=1e-12)


def test_best_weights_are_restored():
    images, masks = blobs()
    trainer = make()
    values = iter([0.3, 0.9, 0.5, 0.9])
    seen = []

    def validate():
        seen.append({name: value.copy() for name, value in weights(trainer).items()})
        return {"score": next(values)}

    trainer.fit(
        loader(images, masks), epochs=4, validation_data=validate, keep_best="val_score", progress=False
    )
    assert trainer.best["epoch"] == 2
    assert_same_bits(weights(trainer), seen[1])


def test_of_a_loss_the_lowest_is_the_best():
    images, masks = blobs()
    trainer, values = make(), iter([0.3, 0.1, 0.5])
    trainer.fit(
        loader(images, masks),
        epochs=3,
        validation_data=lambda: {"loss": next(values)},
        keep_best="val_loss",
        progress=False,
    )
    assert trainer.best["epoch"] == 2 and trainer.best["value"] == 0.1


@pytest.mark.parametrize(
    "keep_best, validation, hint",
    [
        ("val_mIoU", "arrays", "did you mean val_miou"),
        ("val_mIoU", "function", "did you mean val_miou"),
        ("val_miou", None, "did you mean miou"),
    ],
)
def test_a_column_that_does_not_exist_is_named(keep_best, validation, hint):
    images, masks = blobs()
    data = {"arrays": (floats(images), masks), "function": lambda: {"miou": 1.0}, None: None}[validation]
    with pytest.raises(UserError, match=f"keep_best='{keep_best}' is no column of the history; {hint}"):
        make().fit(loader(images, masks), validation_data=data, keep_best=keep_best, progress=False)


def test_validation_every_and_always_at_the_end():
    images, masks = blobs()
    history = make().fit(
        loader(images, masks),
        epochs=5,
        validation_data=lambda: {"x": 1.0},
        validation_every=2,
        progress=False,
    )
    np.testing.assert_array_equal(np.isnan(history.history["val_x"]), [True, False, True, False, False])


def test_ignored_pixels_reach_neither_loss_nor_metric():
    images, masks = blobs(ignore=255)
    other = images.copy()
    x = floats(other)
    trainer = make(metrics=("miou", "pixel_accuracy"), ignore_index=255)
    scored = trainer.evaluate(x, masks)
    logits = trainer.predict(x)
    counted = masks != 255
    assert scored["pixel_accuracy"] == (logits.argmax(axis=1) == masks)[counted].mean()
    F = ms.functional
    inside = ms.tensor(logits[:, :, 2:]), ms.tensor(masks[:, 2:])
    assert scored["loss"] == pytest.approx((F.cross_entropy(*inside) + F.dice_loss(*inside)).item(), rel=1e-5)


def test_a_loss_that_is_not_finite_stops_with_one_sentence():
    images, masks = blobs()
    x = floats(images)
    x[5, 0, 0, 0] = np.nan
    with pytest.raises(
        UserError, match=r"the loss became nan at step \d+; use a smaller learning rate \(--lr\)"
    ):
        make().fit(x, masks, batch_size=4, epochs=2, progress=False)


def test_wrong_names_and_wrong_data_are_explained():
    model = ms.nn.Linear(2, 2)
    with pytest.raises(UserError, match="no metric 'miuo'; did you mean miou"):
        Trainer(model, metrics=["miuo"])
    with pytest.raises(UserError, match="no optimizer 'adamm'; did you mean adam"):
        Trainer(model, optimizer="adamm")
    with pytest.raises(UserError, match="no loss 'cross_entrop'; did you mean cross_entropy"):
        Trainer(model, "dice_loss+cross_entrop")
    trainer = Trainer(model)
    with pytest.raises(ShapeError, match="their first sizes must be equal"):
        trainer.fit(np.zeros((3, 2)), np.zeros(2))
    with pytest.raises(ShapeError, match="so y is needed as well"):
        trainer.fit(np.zeros((3, 2)))
    with pytest.raises(ShapeError, match="used up after the first"):
        trainer.fit(iter([]))


def test_a_data_set_is_loaded_in_batches():
    images, masks = blobs()
    dataset = ArrayDataset.from_arrays(images, masks)
    history = make().fit(
        dataset,
        batch_size=4,
        epochs=2,
        validation_data=dataset,
        transform=transforms.Normalize(),
        progress=False,
    )
    assert len(history) == 2 and "val_miou" in history.history


def test_averaged_weights_are_validated_kept_and_left_behind(tmp_path):
    x = np.random.default_rng(0).standard_normal((32, 2)).astype(np.float32)
    y = (x[:, 0] > x[:, 1]).astype(np.int64)

    def trainer(average):
        ms.manual_seed(0)
        model = ms.nn.Linear(2, 2)
        return Trainer(model, "cross_entropy", ms.optim.SGD(model.parameters(), lr=1.0), average=average)

    class Watch(Callback):
        def __init__(self):
            self.weights = []

        def on_step(self, trainer, logs):
            self.weights.append(trainer.model.weight.data.copy())

    one, watch = trainer(0.8), Watch()
    start = one.model.weight.data.copy()
    options = {"batch_size": 8, "validation_data": (x, y), "progress": False}
    history = one.fit(x, y, epochs=4, callbacks=[watch], **options)
    expected = start
    for t, w in enumerate(watch.weights, start=1):
        keep = min(0.8, (1 + t) / (10 + t))
        expected = keep * expected + (1 - keep) * w
    np.testing.assert_allclose(one.model.weight.data, expected, atol=1e-6)
    assert one.evaluate(x, y)["loss"] == pytest.approx(history.history["val_loss"][-1], rel=1e-5)
    plain = trainer(0.0)
    plain.fit(x, y, epochs=4, **options)
    np.testing.assert_array_equal(plain.model.weight.data, watch.weights[-1])  # the optimiser sees none of it
    # stopped in the middle and gone on: the same bits

    class Keep(Callback):
        def on_epoch(self, trainer, logs):
            if trainer.epoch == 2:
                save_tree(tmp_path / "state", trainer.state_dict())

    trainer(0.8).fit(x, y, epochs=4, callbacks=[Keep()], **options)
    again = trainer(0.8)
    again.fit(x, y, epochs=4, resume_from=load_tree(tmp_path / "state"), **options)
    np.testing.assert_array_equal(again.model.weight.data, one.model.weight.data)


def test_losses_by_name_know_weights_and_smoothing():
    rng = np.random.default_rng(0)
    logits = ms.tensor(rng.standard_normal((2, 3, 4, 5)))
    target = rng.integers(0, 3, (2, 4, 5))
    target[0, 0] = 7
    weight = class_weights(np.array([60, 30, 10]), "sqrt")
    assert (np.array([0.6, 0.3, 0.1]) * weight).sum() == pytest.approx(1) and weight[2] > weight[1] > weight[
        0
    ]
    w = ms.tensor(weight.astype(np.float64))
    loss = build_loss("cross_entropy+lovasz_softmax+focal_loss", 7, weight, 0.1)
    F = ms.functional
    expected = (
        F.cross_entropy(logits, ms.tensor(target), w, ignore_index=7, label_smoothing=0.1).item()
        + F.lovasz_softmax(logits, ms.tensor(target), ignore_index=7).item()
        + F.focal_loss(logits, ms.tensor(target), weight=w, ignore_index=7).item()
    )
    assert loss(logits, ms.tensor(target)).item() == pytest.approx(expected, rel=1e-12)
    for name in SEGMENTATION:
        assert np.isfinite(build_loss(name, 7, weight)(logits, ms.tensor(target)).item())
