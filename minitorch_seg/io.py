"""Files that are either whole or absent: text, JSON, CSV, pictures and weights.

Each writer fills a temporary file in the same folder and renames it (`os.replace` is atomic on one file
system), so that an interruption, a full disk or an error half-way never leaves a broken file, nor damages the
one that was there before. Weights are stored as safetensors: a JSON header and raw bytes, no pickle, the same
keys and values in PyTorch.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from minitorch_seg.errors import DataError, UserError

__all__ = [
    "atomic_file",
    "load_state_dict",
    "read_json",
    "save_state_dict",
    "to_array",
    "to_json",
    "write_csv",
    "write_json",
    "write_png",
    "write_text",
]


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A binary file to write to; it becomes `path` when the block ends well, and vanishes when it does not.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with atomic_file(folder / "a.bin") as file:
    ...     _ = file.write(b"all or nothing")
    >>> [entry.name for entry in folder.iterdir()]
    ['a.bin']
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise UserError(f"cannot write {path}: {error.strerror or error}; choose another place") from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: str | os.PathLike[str], text: str) -> None:
    r"""Write `text` as UTF-8 with Unix line ends.

    A byte of a file name that is not UTF-8 is written as \udcXX; in JSON this is an escape that `read_json`
    turns back.
    """
    with atomic_file(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))


def to_json(value: Any) -> str:
    """`value` as JSON text. NaN, which JSON has no word for, becomes null; NumPy numbers become numbers.

    >>> print(to_json({"iou": np.float32(0.5), "absent": float("nan")}), end="")
    {
      "iou": 0.5,
      "absent": null
    }
    """
    return json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write `value` as `to_json` gives it."""
    write_text(path, to_json(value))


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read a JSON file; a missing or broken one is a `DataError` that names it."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"{path} is not valid JSON ({error})") from error


def write_csv(path: str | os.PathLike[str], header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write a table with one header line; floats keep all their digits, NaN is an empty cell."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    table.writerows([["" if value is None or value != value else value for value in row] for row in rows])
    write_text(path, text.getvalue())


def write_png(path: str | os.PathLike[str], pixels: np.ndarray, palette: np.ndarray | None = None) -> None:
    """Write uint8 `pixels` (H, W), (H, W, 3) or (H, W, 4) as PNG.

    With a `palette` (uint8, K×3) the values stay the indices 0 … K-1, and viewers show them in colour: a
    class map that can be looked at and computed with.
    """
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(pixels, dtype=np.uint8))
    if palette is not None:
        picture.putpalette(np.ascontiguousarray(palette, dtype=np.uint8).tobytes())
    with atomic_file(path) as file:
        picture.save(file, format="PNG", optimize=False)


def to_array(value: Any) -> np.ndarray:
    """The array behind a Tensor (ours or PyTorch's), an array or a number; from a GPU a copy."""
    return np.asarray(value.detach().cpu().numpy() if hasattr(value, "detach") else value)


def save_state_dict(
    path: str | os.PathLike[str], state: Mapping[str, Any], metadata: Mapping[str, str] | None = None
) -> None:
    """Save named tensors as safetensors.

    Every array is made C-contiguous first: safetensors 0.8.0 writes the bytes of transposed, strided or
    broadcast arrays in the wrong order without a word (safetensors issue 825), and 4-D maps are channels-last
    here.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "w.safetensors"
    >>> save_state_dict(path, {"weight": np.arange(6.0).reshape(2, 3).T, "steps": np.int64(7)})
    >>> state = load_state_dict(path)
    >>> state["weight"].tolist(), int(state["steps"])
    ([[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]], 7)
    """
    from safetensors.numpy import save

    arrays = {}
    for name, value in state.items():
        array = to_array(value)
        # ascontiguousarray would turn a 0-d array into a 1-d one.
        arrays[name] = np.ascontiguousarray(array).reshape(array.shape)
    content = save(arrays, metadata=dict(metadata) if metadata else None)
    with atomic_file(path) as file:
        file.write(content)


def load_state_dict(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Load the arrays of a safetensors file, ready for `Module.load_state_dict`."""
    return load_with_metadata(path)[0]


def load_with_metadata(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays of a safetensors file and the strings stored beside them."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except SafetensorError as error:
        raise DataError(
            f"{path} is not a whole safetensors file ({error}); was it cut off while copying?"
        ) from error


def _plain(value: Any) -> Any:
    """`value` in the types that JSON knows."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return os.fspath(value) if isinstance(value, os.PathLike) else value
