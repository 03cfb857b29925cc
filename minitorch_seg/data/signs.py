"""The data set `signs`: traffic signs that we draw ourselves, on photographs.  It is synthetic.

There is no free set of photographed signs with masks that is small enough, so signs are drawn where no sign
stands, and the masks are exact because the geometry is known.  A model that is good here has learned our
drawings; how it does on photographed signs is not known from this.

    class          shape                               face
    warning        triangle, a side below              red rim, white, a black bar
    prohibition    disc                                red ring, white, a red stroke across
    mandatory      disc                                blue, a white arrow upwards
    stop           octagon                             red, white rim and bar

A sign is a function of its plane (u, v): what is inside, and in what colour.  Each pixel of the image asks
at 4×4 places; a place goes back through the homography of a sign that is turned in space to (u, v):

    H = K [r_1 r_2 t]        r: columns of the rotation, t: place in space, K: the camera
    α = share of the 4×4 places inside               mask = class where α > 1/2
    image = α · light · colour + (1 − α) · background,  then blur, noise and JPEG, of the image alone

Background: the registered road images where they are on this machine, each split's own, else photographs that
come with scikit-image, cut in different places.  What is drawn follows from (seed, split, number) alone.
"""

from __future__ import annotations

import functools
import io

import numpy as np

from minitorch_seg.data.dataset import SPLIT_NAMES, Sample, Splits
from minitorch_seg.data.registry import find, load_registered

NOTE = (
    "signs is synthetic: we draw them onto photographs; how a model does on photographed signs is not known"
)
CLASSES = ["background", "warning", "prohibition", "mandatory", "stop"]
SIZE = (80, 128)
COUNTS = {"train": 200, "val": 40, "test": 60}
FINE = 4
RED, WHITE, BLACK, BLUE = (190, 25, 30), (240, 240, 235), (25, 25, 25), (25, 70, 165)


class Signs:
    """Samples that are drawn when they are asked for.

    >>> signs = Signs("test", seed=0)
    >>> len(signs), signs[3].image.shape, signs[3].mask.shape
    (60, (80, 128, 3), (80, 128))
    """

    def __init__(self, split: str, seed: int = 0) -> None:
        self.split, self.seed = split, seed
        self.names = [f"{split}{index:03d}" for index in range(COUNTS[split])]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(f"signs: there is no sample {index} of {len(self)}")
        return draw(self.split, index, self.seed)


def load_signs(seed: int = 0) -> Splits:
    """Train, val and test, with backgrounds that no two of them share."""
    train, val, test = (Signs(split, seed) for split in SPLIT_NAMES)
    return Splits("signs", train, val, test, list(CLASSES), symmetry="none", normalize="dataset", note=NOTE)


@functools.lru_cache(maxsize=512)
def draw(split: str, index: int, seed: int = 0) -> Sample:
    """One image with one to three signs, none over another."""
    counter = [0, 0, index, SPLIT_NAMES.index(split)]
    rng = np.random.Generator(np.random.Philox(key=[seed, 0], counter=counter))
    image = background(split, rng).astype(np.float64)
    mask = np.zeros(SIZE, np.int64)
    for _ in range(int(rng.integers(1, 4))):
        kind = int(rng.integers(1, len(CLASSES)))
        alpha, colours = render(kind, homography(rng))
        light = rng.uniform(0.45, 1.15) + rng.uniform(-0.25, 0.25) * np.linspace(-1, 1, SIZE[1])
        if (mask[alpha > 0] > 0).any():
            continue  # it would hide a part of another, whose mask would then be wrong
        image += alpha[..., np.newaxis] * (light[:, np.newaxis] * colours - image)
        mask[alpha > 0.5] = kind
    pixels = photographed(image, rng)
    pixels.flags.writeable = mask.flags.writeable = False
    return Sample(pixels, mask, f"{split}{index:03d}")


def homography(rng: np.random.Generator) -> np.ndarray:
    """From the plane to pixels (x, y, 1), of a sign tilted by up to 40°, 6 to 17 pixels in radius."""
    tilt, turn = np.deg2rad(rng.uniform(-40, 40, 2))
    roll = np.deg2rad(rng.normal(0, 5))
    rotation = _rotation(2, roll) @ _rotation(1, turn) @ _rotation(0, tilt)
    distance, radius = 4.0, rng.uniform(6, 17)
    centre = rng.uniform((radius, radius), (SIZE[1] - radius, SIZE[0] - radius))
    camera = np.array([[radius * distance, 0, centre[0]], [0, radius * distance, centre[1]], [0, 0, 1]])
    plane = np.stack([rotation[:, 0], rotation[:, 1], [0, 0, distance]], axis=1)
    return camera @ plane


def _rotation(axis: int, angle: float) -> np.ndarray:
    a, b = (k for k in range(3) if k != axis)
    result = np.eye(3)
    result[[a, a, b, b], [a, b, a, b]] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
    return result


def render(kind: int, to_pixels: np.ndarray, fine: int = FINE) -> tuple[np.ndarray, np.ndarray]:
    """α (H, W) and the mean colour of what is inside (H, W, 3) of a sign of class `kind`."""
    share, summed = np.zeros(SIZE), np.zeros((*SIZE, 3))
    rows, columns = _window(to_pixels)
    height, width = rows.stop - rows.start, columns.stop - columns.start
    if height <= 0 or width <= 0:
        return share, summed
    places = (np.arange(fine) + 0.5) / fine - 0.5  # the centre of pixel 0 is 0
    y = (np.arange(rows.start, rows.stop)[:, np.newaxis] + places).ravel()
    x = (np.arange(columns.start, columns.stop)[:, np.newaxis] + places).ravel()
    xs, ys = np.meshgrid(x, y)
    u, v, w = np.einsum("ij,jhw->ihw", np.linalg.inv(to_pixels), np.stack([xs, ys, np.ones_like(xs)]))
    inside, colours = FACES[kind](u / w, v / w)
    weights = inside.astype(np.float64)
    count = weights.reshape(height, fine, width, fine).sum(axis=(1, 3))
    total = (colours * weights[..., np.newaxis]).reshape(height, fine, width, fine, 3).sum(axis=(1, 3))
    share[rows, columns] = count / fine**2
    summed[rows, columns] = total / np.maximum(count, 1)[..., np.newaxis]
    return share, summed


def _window(to_pixels: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns that a sign may reach: all of them lie in |u|, |v| ≤ 1."""
    x, y, w = to_pixels @ np.array([[-1, -1, 1, 1], [-1, 1, -1, 1], [1, 1, 1, 1]])
    ends = zip((y / w, x / w), SIZE, strict=True)
    rows, columns = (slice(max(0, int(at.min()) - 1), min(size, int(at.max()) + 3)) for at, size in ends)
    return rows, columns


Face = tuple[np.ndarray, np.ndarray]


def _painted(*layers: tuple[np.ndarray, tuple[int, int, int]]) -> Face:
    """The first layer is the sign's outline; the later ones are painted over it."""
    colours = np.zeros((*layers[0][0].shape, 3))
    for where, colour in layers:
        colours[where] = colour
    return layers[0][0], colours


def polygon(u: np.ndarray, v: np.ndarray, corners: int, first: float, reach: float = 1.0) -> np.ndarray:
    """Inside a regular polygon; `first`: the angle of one normal; `reach`: distance of the sides."""
    angles = first + 2 * np.pi * np.arange(corners) / corners
    return np.all([u * np.cos(a) + v * np.sin(a) <= reach for a in angles], axis=0)


def _warning(u: np.ndarray, v: np.ndarray) -> Face:
    outer, inner = (polygon(u, v, 3, np.pi / 2, reach) for reach in (0.5, 0.34))
    return _painted((outer, RED), (inner, WHITE), (inner & (abs(u) < 0.08) & (abs(v) < 0.25), BLACK))


def _prohibition(u: np.ndarray, v: np.ndarray) -> Face:
    r = np.hypot(u, v)
    return _painted((r <= 1, RED), (r <= 0.75, WHITE), ((r <= 0.75) & (abs(u - v) < 0.2), RED))


def _mandatory(u: np.ndarray, v: np.ndarray) -> Face:
    arrow = (abs(u) < 0.13) & (v > -0.2) & (v < 0.6) | (v <= -0.1) & (v > -0.6) & (abs(u) < 0.6 * (v + 0.6))
    r = np.hypot(u, v)
    return _painted((r <= 1, BLUE), ((r <= 1) & arrow, WHITE))


def _stop(u: np.ndarray, v: np.ndarray) -> Face:
    outer, inner = (polygon(u, v, 8, 0.0, reach) for reach in (0.92, 0.82))
    return _painted((outer, WHITE), (inner, RED), ((abs(u) < 0.6) & (abs(v) < 0.2), WHITE))


FACES = {1: _warning, 2: _prohibition, 3: _mandatory, 4: _stop}


def background(split: str, rng: np.random.Generator) -> np.ndarray:
    """uint8 (H, W, 3)."""
    if find("road") is not None:
        part = _road().split(split)
        return part[int(rng.integers(len(part)))].image
    photograph = _photographs()[SPLIT_NAMES.index(split)]
    top, left = (int(rng.integers(n - size + 1)) for n, size in zip(photograph.shape, SIZE, strict=False))
    return photograph[top : top + SIZE[0], left : left + SIZE[1]]


@functools.cache
def _road() -> Splits:
    return load_registered("road")


@functools.cache
def _photographs() -> list[np.ndarray]:
    """One for each split, from scikit-image's wheel."""
    from skimage import data

    return [np.asarray(data.astronaut()), np.asarray(data.chelsea()), np.asarray(data.coffee())]


def photographed(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur, noise and JPEG: uint8.  Masks know nothing of it."""
    from PIL import Image
    from scipy.ndimage import gaussian_filter

    soft = gaussian_filter(image, (*[rng.uniform(0, 0.9)] * 2, 0))
    noisy = soft + rng.normal(0, rng.uniform(0, 6), image.shape)
    file = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=int(rng.integers(60, 96)))
    return np.array(Image.open(file))
