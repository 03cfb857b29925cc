"""Reads a NIfTI-1 volume (.nii, .nii.gz), as far as the hippocampus set needs it.

The header has 348 bytes; we use: sizeof_hdr (int32 at byte 0, which tells the byte order), dim (8 int16 at
40), datatype (int16 at 70), vox_offset, scl_slope, scl_inter (float32 at 108, 112, 116), magic (4 bytes at
344). The voxels follow with the first axis running fastest.  https://nifti.nimh.nih.gov/nifti-1
"""

from __future__ import annotations

import gzip
import io
import struct
import zlib

import numpy as np

from minitorch_seg.errors import DataError

MAX_BYTES = 256 * 2**20
_DTYPES = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
}


def read_nifti(data: bytes, name: str) -> np.ndarray:
    """The voxels of a volume, with the scale of the header applied.  name: for errors.

    Raises DataError when data is no NIfTI-1 file, is cut short, or unpacks to more than MAX_BYTES.
    """
    if data[:2] == b"\x1f\x8b":
        data = _gunzip(data, name)
    if len(data) < 348:
        raise DataError(
            f"{name}: this is not a NIfTI-1 volume (it has {len(data)} bytes); get the file again."
        )
    order = "<" if struct.unpack_from("<i", data, 0)[0] == 348 else ">"
    if struct.unpack_from(order + "i", data, 0)[0] != 348 or data[344:347] != b"n+1":
        raise DataError(f"{name}: this is not a single-file NIfTI-1 volume; get the file again.")
    dim = struct.unpack_from(order + "8h", data, 40)
    (code,) = struct.unpack_from(order + "h", data, 70)
    offset, slope, intercept = struct.unpack_from(order + "3f", data, 108)
    shape = dim[1 : 1 + dim[0]] if 1 <= dim[0] <= 7 else ()
    if code not in _DTYPES or not shape or min(shape) < 1 or not 348 <= offset <= len(data):
        raise DataError(
            f"{name}: the NIfTI header makes no sense (shape {shape}, type {code}); get the file again."
        )
    dtype = np.dtype(order + _DTYPES[code])
    count = int(np.prod(shape, dtype=object))
    if count * dtype.itemsize > len(data) - int(offset):
        raise DataError(f"{name}: the NIfTI volume is cut short; get the file again.")
    volume = np.frombuffer(data, dtype, count, int(offset)).reshape(shape, order="F")
    if slope not in (0.0, 1.0) or (slope != 0.0 and intercept != 0.0):
        return volume * np.float64(slope) + np.float64(intercept)
    return volume.astype(dtype.newbyteorder("="))


def _gunzip(data: bytes, name: str) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            plain = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name}: the gzip file is damaged ({error}); get the file again.") from None
    if len(plain) > MAX_BYTES:
        raise DataError(
            f"{name}: the volume unpacks to more than {MAX_BYTES >> 20} MiB; it is not one of the set."
        )
    return plain
