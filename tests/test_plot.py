"""Pictures: the right colours at the right places, and no global state."""

import io
import math
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from minitorch_seg import plot
from minitorch_seg.data.palette import palette
from minitorch_seg.errors import ShapeError
from minitorch_seg.train.history import History


def picture(size=(8, 10), channels=1, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*size, channels), dtype=np.uint8)


def test_overlay_tints_classes_and_leaves_the_background():
    image, mask = picture(channels=3), np.zeros((8, 10), np.int64)
    mask[2:4] = 1
    mask[6] = 2
    result = plot.overlay(image, mask, opacity=0.25)
    np.testing.assert_array_equal(result[mask == 0], image[mask == 0])
    for k in (1, 2):
        expected = np.rint(0.75 * image[mask == k] + 0.25 * palette(3)[k])
        np.testing.assert_array_equal(result[mask == k], expected)
    with pytest.raises(ShapeError, match="differ"):
        plot.overlay(image, mask[:4])


def test_errors_are_red_and_uncounted_pixels_grey():
    truth, prediction = np.zeros((2, 8, 10), np.int64)
    prediction[0, 0] = 1
    truth[5, 5] = 255
    prediction[5, 5] = 1
    result = plot.errors(picture(), truth, prediction, ignore_index=255)
    assert tuple(result[0, 0]) == plot.WRONG and tuple(result[5, 5]) == plot.IGNORED
    others = np.ones((8, 10), bool)
    others[0, 0] = others[5, 5] = False
    assert (np.ptp(result[others], axis=-1) == 0).all()  # grey, whatever the image


def test_contours_are_where_the_class_changes():
    from skimage.segmentation import find_boundaries

    mask = np.random.default_rng(0).integers(0, 2, (12, 9)).repeat(3, 0).repeat(3, 1)
    thick = find_boundaries(mask, mode="thick", connectivity=1)
    edge = plot.contours(mask)
    assert edge.any() and (edge <= thick).all()


def rendered(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=60)
    with Image.open(buffer) as image:
        return np.asarray(image.convert("RGB")).reshape(-1, 3)


def test_gallery_shows_every_class_colour_the_errors_and_the_legend():
    truth = np.zeros((8, 10), np.int64)
    truth[:3], truth[5:7], truth[7, 0] = 1, 2, 255
    prediction = np.where(truth == 2, 1, np.where(truth == 255, 0, truth))
    figure = plot.gallery(
        [picture(), picture(channels=3)],
        [truth] * 2,
        [prediction] * 2,
        ["sky", "road", "sign"],
        ignore_index=255,
        names=["a", "b"],
        title="two",
    )
    pixels = {tuple(color) for color in rendered(figure)}
    for color in (*palette(3).tolist(), plot.WRONG, plot.IGNORED):
        assert tuple(color) in pixels
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["sky", "road", "sign", "wrong", "not counted"]
    with pytest.raises(ShapeError, match="at least one"):
        plot.gallery([], [], [], ["a"])


def test_curves_draw_training_and_validation_and_skip_gaps():
    history = History()
    for epoch in range(1, 5):
        history.append(epoch, loss=1 / epoch, miou=0.2 * epoch, val_loss=math.nan if epoch % 2 else 0.5)
    figure = plot.curves(history, "title")
    loss, score = figure.axes
    lines = {line.get_label(): line for line in loss.get_lines()}
    np.testing.assert_array_equal(lines["loss, training"].get_xdata(), [1, 2, 3, 4])
    np.testing.assert_array_equal(lines["loss, validation"].get_xdata(), [2, 4])
    assert [line.get_label() for line in score.get_lines()] == ["mean IoU, training"]


def test_a_dollar_in_a_name_is_a_dollar():
    odd, mask = r"$\nope$ {", np.zeros((4, 4), np.int64)
    figure = plot.gallery([picture((4, 4))], [mask], [mask], [odd, "b"], names=[odd], title=odd)
    assert len(rendered(figure))
    history = History()
    history.append(1, loss=0.5)
    assert len(rendered(plot.curves(history, odd)))


@pytest.mark.parametrize(
    "size, height", [((20, 20), 2.35), ((40, 20), 2.35), ((10, 20), 1.175), ((2, 90), 0.705)]
)
def test_rows_of_a_gallery_are_as_high_as_their_images(size, height):
    """So that no white stands between wide ones."""
    image, mask = np.zeros((*size, 1), np.uint8), np.zeros(size, int)
    figure = plot.gallery([image] * 3, [mask] * 3, [mask] * 3, ["a"])
    assert figure.get_size_inches()[1] == pytest.approx(0.9 + 3 * height)


def test_save_writes_a_whole_png(tmp_path):
    history = History()
    history.append(1, loss=0.5)
    plot.save(plot.curves(history), tmp_path / "c.png")
    with Image.open(tmp_path / "c.png") as image:
        image.load()
    assert [p.name for p in tmp_path.iterdir()] == ["c.png"]


def test_pyplot_is_never_imported():
    code = (
        "import sys, numpy as np; from minitorch_seg import plot;"
        "assert 'matplotlib' not in sys.modules;"
        "z = np.zeros((4, 4), int); plot.gallery([z.astype(np.uint8)], [z], [z], ['a']);"
        "print('matplotlib.figure' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["True", "False"]


def test_decay_draws_a_line_for_each_model_and_ends_it_at_zero(tmp_path):
    norms = {"a": np.array([1.0, 0.1, 0.01]), "b$": np.array([2.0, 0.0, 0.0])}
    figure = plot.decay(norms, "over distance")
    (axes,) = figure.axes
    assert axes.get_yscale() == "log" and [line.get_label() for line in axes.lines] == ["a", "b$"]
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), norms["a"])
    assert np.isnan(axes.lines[1].get_ydata()[1:]).all()
    plot.save(figure, tmp_path / "decay.png")


def test_strengths_are_relative_and_leave_the_unseen_white(tmp_path):
    seen = np.array([[0.0, 4.0], [2.0, 1e-12]])
    figure = plot.strengths({"sweep": seen, "nothing": np.zeros((2, 2))})
    shown = figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(np.ma.filled(shown, np.nan), [[np.nan, 1.0], [0.5, 1e-6]])
    assert np.ma.getmaskarray(figure.axes[1].images[0].get_array()).all()
    plot.save(figure, tmp_path / "strengths.png")
    with pytest.raises(ShapeError, match="no map to draw"):
        plot.strengths({})
