"""Reads one image or one mask from a file.  Every image comes in through here, so the limits are here too.

Formats: PNG, JPEG, TIFF, BMP.  The header is read first; more than MAX_PIXELS pixels are refused before
anything is decoded (a "PNG bomb" of a few kilobytes would otherwise ask for gigabytes).

An image becomes uint8 (H, W, C) with C = 1 (grey) or 3 (RGB):
- a palette is resolved to its colours, CMYK and the like become RGB, a camera's rotation tag is applied;
- an alpha channel is laid over black, as the empty parts of map tiles are stored;
- grey with more than 8 bits (16-bit microscopy, float TIFF) is stretched linearly from its own 0.1 and 99.9
  percentile to 0 ... 255, because such files often use only a few of their 16 bits.

A mask becomes int64 (H, W): the values as stored; of a palette PNG the indices, never the colours.
"""

from __future__ import annotations

import io
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from minitorch_seg.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 80_000_000
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
_FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
_DEEP_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
_EXIF_ORIENTATION = 0x0112
_header_lock = threading.Lock()


@dataclass(frozen=True)
class Header:
    """What the header of an image file says.  size: (height, width) as it will be read; channels: 1 or 3."""

    size: tuple[int, int]
    channels: int
    format: str
    mode: str


def read_header(path: str | Path) -> Header:
    """The size and kind of an image, without decoding it.  Raises DataError as read_image does."""
    with _open(Path(path)) as image:
        width, height = image.size
        if _orientation(image) >= 5:  # turned by a quarter
            width, height = height, width
        channels = 1 if _is_grey(image) else 3
        return Header((height, width), channels, image.format or "?", image.mode)


def read_image(path: str | Path, channels: int | None = None, data: bytes | None = None) -> np.ndarray:
    """Read an image as uint8 (H, W, C).  channels: 1 or 3 asks for grey or RGB, None for what is stored.
    data: the bytes of the file, where they do not lie on disk; path then only names them in errors.

    Raises DataError when the file is missing, no image, damaged, or larger than MAX_PIXELS.

    >>> import tempfile; from PIL import Image
    >>> path = Path(tempfile.mkdtemp()) / "a.png"
    >>> Image.new("L", (5, 4), color=7).save(path)
    >>> read_image(path).shape, read_image(path, channels=3).shape
    ((4, 5, 1), (4, 5, 3))
    """
    from PIL import Image, ImageOps

    path = Path(path)
    with _open(path, data) as image:
        turned = _orientation(image) > 1
        _decode(image, path)
        picture: Image.Image = ImageOps.exif_transpose(image) if turned else image
        if picture.mode in _DEEP_MODES:
            array = _stretch(np.asarray(picture))
            picture = Image.fromarray(array)
        else:
            if picture.has_transparency_data:
                colour = picture.convert("RGBA")
                picture = Image.alpha_composite(Image.new("RGBA", colour.size, (0, 0, 0, 255)), colour)
            picture = picture.convert("L" if _is_grey(image) else "RGB")
    if channels is not None:
        picture = picture.convert("L" if channels == 1 else "RGB")
    array = np.array(picture)
    return array[..., np.newaxis] if array.ndim == 2 else array


def read_mask(path: str | Path, data: bytes | None = None) -> np.ndarray:
    """Read a mask as int64 (H, W): the stored values, or a palette's indices.

    Raises DataError as read_image does, and for what cannot hold class indices: JPEG, colours, fractions.
    """
    from PIL import ImageOps

    path = Path(path)
    with _open(path, data) as image:
        if image.format in ("JPEG", "MPO"):
            raise DataError(
                f"{path}: a JPEG cannot hold a mask, its compression changes the values; save the mask "
                "as PNG where it was drawn."
            )
        step, turned = _grey_step(image), _orientation(image) > 1
        _decode(image, path)
        array = np.array(ImageOps.exif_transpose(image) if turned else image)
        if image.mode in ("LA", "PA"):
            array = array[..., 0]
        elif array.ndim == 3:
            array = _single_channel(array[..., :3], path)
    if array.dtype.kind == "f" and (not np.isfinite(array).all() or (array != np.rint(array)).any()):
        raise DataError(f"{path}: a mask holds class indices, this one holds fractions; save whole numbers.")
    return array.astype(np.int64) // step


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bilinear resize of a uint8 image (H, W, C) to size (height, width); smoothed first when it shrinks."""
    from PIL import Image

    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    array = np.asarray(picture.resize((size[1], size[0]), Image.Resampling.BILINEAR))
    return array.reshape(*size, image.shape[2])


def _open(path: Path, data: bytes | None = None) -> Image.Image:
    from PIL import Image, UnidentifiedImageError

    try:
        # What a header deserves is said by us, in one sentence; catch_warnings is not safe between threads.
        with _header_lock, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(path if data is None else io.BytesIO(data), formats=_FORMATS)
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file; check the name.") from None
    except IsADirectoryError:
        raise DataError(f"{path}: this is a folder, not an image; name a file.") from None
    except PermissionError:
        raise DataError(f"{path}: this file may not be read; change its permissions.") from None
    except Image.DecompressionBombError:
        raise DataError(_too_large(path, "far")) from None
    except UnidentifiedImageError:
        raise DataError(
            f"{path}: this is not a readable PNG, JPEG, TIFF or BMP image; replace or remove it."
        ) from None
    except Exception as error:  # a decoder meets damaged headers in many ways (OSError, struct.error, ...)
        raise DataError(f"{path}: the file is damaged ({error}); replace or remove it.") from None
    width, height = image.size
    if width * height > MAX_PIXELS:
        image.close()
        raise DataError(_too_large(path, f"{width}x{height} pixels,"))
    return image


def _too_large(path: Path, how: str) -> str:
    return (
        f"{path}: the image is too large ({how} more than {MAX_PIXELS // 1_000_000} million pixels); "
        "cut it into tiles or scale it down."
    )


def _decode(image: Image.Image, path: Path) -> None:
    try:
        pages = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
        image.load()
    except Exception as error:  # truncated data, bad checksums, broken streams: to each decoder its own
        raise DataError(f"{path}: the file is damaged or cut short ({error}); replace it.") from None
    if pages > 1:
        raise DataError(f"{path}: the TIFF holds {pages} pages; save one page per file.")


def _orientation(image: Image.Image) -> int:
    """The camera's rotation tag, 1 to 8; 1 is upright."""
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # getexif would decode the whole PNG to look for the tag behind the pixels
    try:
        return image.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # a damaged tag is no reason to refuse the pixels
        return 1


def _is_grey(image: Image.Image) -> bool:
    return image.mode in ("1", "L", "LA", "La", *_DEEP_MODES)


def _stretch(array: np.ndarray) -> np.ndarray:
    """Linear from the 0.1 to the 99.9 percentile, to 0 ... 255; a constant image becomes 0."""
    with np.errstate(invalid="ignore"):
        values = np.nan_to_num(array.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = np.percentile(values, (0.1, 99.9))
    if high <= low:  # nearly constant, with a few outliers at most
        low, high = values.min(), max(values.max(), values.min() + 1)
    return np.rint(np.clip((values - low) / (high - low), 0, 1) * 255).astype(np.uint8)


def _single_channel(array: np.ndarray, path: Path) -> np.ndarray:
    if (array == array[..., :1]).all():
        return array[..., 0]
    raise DataError(
        f"{path}: the mask is a colour image; save class indices (0, 1, 2, ...) as a grey or palette PNG, "
        "one index per colour."
    )


def _grey_step(image: Image.Image) -> int:
    """Pillow spreads 2-bit and 4-bit grey PNGs over 0 ... 255; a mask needs the stored values back."""
    tiles = getattr(
        image, "tile", []
    )  # (decoder, extents, offset, stored mode), until the pixels are decoded
    stored = tiles[0][3] if image.format == "PNG" and tiles else ""
    return {"L;2": 85, "L;4": 17}.get(stored, 1)
