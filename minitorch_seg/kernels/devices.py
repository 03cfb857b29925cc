"""Where arrays lie: "cpu" (NumPy's memory) or "cuda" (a GPU's), and how they get from one to the other.

The GPU's kernels are imported when the first array is moved there; without them, without Numba or without a
GPU, device "cuda" is refused with the reason.
"""

import importlib
from types import ModuleType
from typing import Any

from minitorch_seg.errors import DeviceError

DEVICES = ("cpu", "cuda")


def is_device(name: object) -> bool:
    """True for "cpu", "cuda", and what begins so, as "cuda:0"."""
    return isinstance(name, str) and name.split(":")[0] in DEVICES


def checked(name: str) -> str:
    """The device's name without a number: "cpu" or "cuda".

    >>> checked("cpu:0")
    'cpu'
    """
    if not is_device(name) or name.partition(":")[2] not in ("", "0"):
        raise DeviceError(f"there is no device {name!r}: use 'cpu' or 'cuda'")
    return name.split(":")[0]


def move(array: Any, device: str) -> Any:
    """`array` on `device`: itself where it lies there already, else a copy."""
    device = checked(device)
    if array.device == device:
        return array
    if device == "cpu":
        return array.to_host()
    if why := problem():
        raise DeviceError(f"device 'cuda' cannot be used: {why}")
    return _room().move(array)


def problem() -> str:
    """Why device "cuda" cannot be used, with the way out; or nothing."""
    room = _room()
    return "the folder kernels/cuda was removed: use device='cpu'" if room is None else room.problem()


def describe() -> list[str]:
    """Driver, device and memory, or what is missing: for `minitorch-seg doctor`."""
    why = problem()
    return [f"not available: {why}"] if why else _room().describe()


def _room() -> Any:
    try:
        module: ModuleType | None = importlib.import_module(f"{__package__}.cuda")
    except ModuleNotFoundError:
        module = None
    return module
