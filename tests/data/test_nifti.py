import gzip
import struct

import numpy as np
import pytest

from minitorch_seg.data import nifti
from minitorch_seg.data.nifti import read_nifti
from minitorch_seg.errors import DataError

CODES = {"u1": 2, "i2": 4, "i4": 8, "f4": 16, "f8": 64, "i1": 256, "u2": 512, "u4": 768}


def encode(volume, order="<", slope=0.0, intercept=0.0, extra=4):
    """A NIfTI-1 file, written from the standard's byte table."""
    code = CODES[volume.dtype.str[1:]]
    header = bytearray(348)
    struct.pack_into(order + "i", header, 0, 348)
    struct.pack_into(order + "8h", header, 40, volume.ndim, *volume.shape, *[1] * (7 - volume.ndim))
    struct.pack_into(order + "hh", header, 70, code, 8 * volume.itemsize)
    struct.pack_into(order + "3f", header, 108, 348 + extra, slope, intercept)
    header[344:348] = b"n+1\0"
    return bytes(header) + bytes(extra) + volume.astype(volume.dtype.newbyteorder(order)).tobytes("F")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("code", CODES)
def test_round_trip(order, code):
    volume = np.random.default_rng(0).integers(0, 100, (3, 4, 5)).astype(code)
    for data in (encode(volume, order), gzip.compress(encode(volume, order))):
        read = read_nifti(data, "v")
        np.testing.assert_array_equal(read, volume)
        assert read.dtype == volume.dtype


def test_scale_is_applied():
    volume = np.arange(8, dtype="i2").reshape(2, 2, 2)
    np.testing.assert_allclose(read_nifti(encode(volume, slope=0.5, intercept=3.0), "v"), 0.5 * volume + 3)
    np.testing.assert_allclose(read_nifti(encode(volume, slope=1.0, intercept=-1.0), "v"), volume - 1)


def test_damaged_volumes(monkeypatch):
    good = encode(np.zeros((4, 4, 4), "i2"))
    packed = gzip.compress(good)
    wrong = {
        "not a NIfTI-1": good[:100],
        "not a single-file": bytes(400),
        "cut short": good[:-1],
        "gzip file is damaged": packed[: len(packed) // 2],
    }
    for says, data in wrong.items():
        with pytest.raises(DataError, match="brain.nii.gz: .*" + says):
            read_nifti(data, "brain.nii.gz")
    for place, value in ((42, -3), (40, 9), (70, 99)):
        broken = bytearray(good)
        struct.pack_into("<h", broken, place, value)
        with pytest.raises(DataError, match="makes no sense"):
            read_nifti(bytes(broken), "v")
    monkeypatch.setattr(nifti, "MAX_BYTES", 100)
    with pytest.raises(DataError, match="unpacks to more"):
        read_nifti(packed, "v")
