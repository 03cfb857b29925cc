import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from minitorch_seg.data.images import MAX_PIXELS, read_header, read_image, read_mask, resize_image
from minitorch_seg.errors import DataError


def raw_png(path, width, height, bits, rows):
    """A grey PNG written byte by byte: Pillow writes neither 2-bit and 4-bit grey nor lies about sizes."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_lossless_formats_give_their_pixels(tmp_path, picture, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(picture).save(path)
    np.testing.assert_array_equal(read_image(path), picture)
    assert read_header(path).size == (9, 7)
    assert read_header(path).channels == 3


def test_jpeg_is_close(tmp_path):
    Image.new("RGB", (16, 8), (200, 100, 50)).save(tmp_path / "a.jpg")
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - (200, 100, 50)).max() <= 3


def test_grey_stays_grey_unless_asked(tmp_path, picture):
    Image.fromarray(picture[..., 0]).save(tmp_path / "g.png")
    assert read_image(tmp_path / "g.png").shape == (9, 7, 1)
    np.testing.assert_array_equal(read_image(tmp_path / "g.png", 3), np.repeat(picture[..., :1], 3, axis=2))


def test_alpha_is_laid_over_black(tmp_path):
    Image.new("RGBA", (2, 2), (200, 100, 50, 128)).save(tmp_path / "a.png")
    np.testing.assert_allclose(read_image(tmp_path / "a.png")[0, 0], [100, 50, 25], atol=1)


def test_palette_image_gives_colours_and_palette_mask_gives_indices(tmp_path):
    image = Image.new("P", (3, 2), 2)
    image.putpalette([0, 0, 0, 255, 0, 0, 10, 20, 30])
    image.save(tmp_path / "p.png")
    assert read_image(tmp_path / "p.png")[0, 0].tolist() == [10, 20, 30]
    assert read_mask(tmp_path / "p.png").tolist() == [[2, 2, 2], [2, 2, 2]]


def test_16_bit_grey_is_stretched_by_its_own_range(tmp_path):
    values = np.linspace(1000, 1999, 4000).reshape(50, 80).astype(np.uint16)  # 12-bit data in 16 bits
    Image.fromarray(values).save(tmp_path / "d.png")
    image = read_image(tmp_path / "d.png")[..., 0]
    assert (image.min(), image.max()) == (0, 255)
    assert (np.diff(image.ravel().astype(int)) >= 0).all()
    np.testing.assert_array_equal(read_mask(tmp_path / "d.png"), values)


def test_constant_and_non_finite_deep_images_are_finite(tmp_path):
    Image.fromarray(np.full((4, 4), 700, np.uint16)).save(tmp_path / "c.png")
    assert (read_image(tmp_path / "c.png") == 0).all()
    strange = np.array([[np.nan, np.inf], [0.25, 0.75]], np.float32)
    Image.fromarray(strange).save(tmp_path / "n.tif")
    assert read_image(tmp_path / "n.tif").dtype == np.uint8
    with pytest.raises(DataError, match="fractions"):
        read_mask(tmp_path / "n.tif")


def test_camera_rotation_is_applied(tmp_path, picture):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side
    Image.fromarray(picture).save(tmp_path / "r.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "r.png"), np.rot90(picture, -1))
    assert read_header(tmp_path / "r.png").size == (7, 9)


def test_masks_of_few_bits_keep_their_stored_values(tmp_path):
    raw_png(tmp_path / "four.png", 4, 1, 4, b"\0\x01\x2f")
    raw_png(tmp_path / "two.png", 4, 1, 2, b"\0\x1b")
    raw_png(tmp_path / "one.png", 8, 1, 1, b"\0\x0f")
    assert read_mask(tmp_path / "four.png").tolist() == [[0, 1, 2, 15]]
    assert read_mask(tmp_path / "two.png").tolist() == [[0, 1, 2, 3]]
    assert read_mask(tmp_path / "one.png").tolist() == [[0, 0, 0, 0, 1, 1, 1, 1]]


def test_mask_of_equal_channels_is_read_and_colours_are_refused(tmp_path, picture):
    Image.fromarray(np.repeat(picture[..., :1], 3, axis=2)).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "grey.png"), picture[..., 0])
    Image.fromarray(picture).save(tmp_path / "colour.png")
    with pytest.raises(DataError, match=r"colour.png: the mask is a colour image; save class indices"):
        read_mask(tmp_path / "colour.png")


def test_jpeg_mask_is_refused_whatever_its_name(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "m.jpg")
    (tmp_path / "m.jpg").rename(tmp_path / "m.png")
    with pytest.raises(DataError, match=r"m.png: a JPEG cannot hold a mask"):
        read_mask(tmp_path / "m.png")


@pytest.mark.parametrize("side", [40_000, 10_000])
def test_png_bomb_is_refused_before_decoding(tmp_path, side, recwarn):
    path = raw_png(tmp_path / "bomb.png", side, side, 8, bytes(1000))
    assert side * side > MAX_PIXELS
    for read in (read_header, read_image, read_mask):
        with pytest.raises(DataError, match=r"bomb.png: the image is too large .* cut it into tiles"):
            read(path)
    assert len(recwarn) == 0


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.7])
def test_truncated_files_give_one_clear_sentence(tmp_path, picture, suffix, share, recwarn):
    path = tmp_path / f"t.{suffix}"
    Image.fromarray(np.tile(picture, (8, 8, 1))).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=rf"t.{suffix}: .*(damaged|not a readable)") as caught:
        read_image(path)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__
    assert "\n" not in str(caught.value)


def test_what_is_no_image(tmp_path):
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(DataError, match="not a readable PNG"):
        read_image(tmp_path / "text.png")
    with pytest.raises(DataError, match="no such file"):
        read_image(tmp_path / "missing.png")
    with pytest.raises(DataError, match=r"a folder, not an image|may not be read"):
        read_image(tmp_path)


def test_tiff_with_pages_is_refused(tmp_path):
    pages = [Image.new("L", (4, 4), i) for i in range(3)]
    pages[0].save(tmp_path / "p.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(DataError, match="3 pages"):
        read_image(tmp_path / "p.tif")


def test_resize_keeps_channels_and_constant_images():
    image = np.full((6, 5, 1), 77, np.uint8)
    assert resize_image(image, (12, 3)).shape == (12, 3, 1)
    assert (resize_image(image, (12, 3)) == 77).all()
    assert resize_image(np.zeros((6, 5, 3), np.uint8), (2, 2)).shape == (2, 2, 3)


def test_damaged_bytes_never_give_another_error(tmp_path, picture):
    """Random bytes of small files are overwritten: the file is read, or refused with one sentence."""
    rng = np.random.default_rng(0)
    refused = 0
    for mode in ("RGB", "L", "P", "F"):
        for kind in ("PNG", "TIFF", "BMP", "JPEG"):
            buffer = io.BytesIO()
            try:
                Image.fromarray(picture).convert(mode).save(buffer, kind)
            except OSError:  # not every format stores every mode
                continue
            for _ in range(20):
                data = bytearray(buffer.getvalue())
                data[int(rng.integers(min(len(data), 150)))] = int(rng.integers(256))
                for read in (read_image, read_mask):
                    try:
                        with warnings.catch_warnings():
                            warnings.simplefilter("ignore")  # Pillow warns of strange tags
                            read("x", data=bytes(data))
                    except DataError as error:
                        refused += 1
                        assert "\n" not in str(error)
    assert refused > 50
