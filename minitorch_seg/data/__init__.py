"""Images and masks: sets by name or folder, loaders, joint transforms, checks.

    from minitorch_seg import data
    splits = data.load("coins")
    loader = data.DataLoader(splits.train, batch_size=8, shuffle=True, transform=data.transforms.Normalize())

Names are imported when they are first used, so that `import minitorch_seg.data` stays quick.
"""

from importlib import import_module
from typing import Any

_HOME = {
    "load": "catalogue",
    "NAMES": "catalogue",
    "status": "catalogue",
    "contact_sheet": "catalogue",
    "Sample": "dataset",
    "Dataset": "dataset",
    "ArrayDataset": "dataset",
    "Splits": "dataset",
    "SegmentationFolder": "folder",
    "DataLoader": "loader",
    "PatchLoader": "patches",
    "check_folder": "check",
    "Report": "check",
    "get": "install",
    "verify": "registry",
    "find": "registry",
    "REGISTERED": "registry",
    "read_image": "images",
    "read_mask": "images",
    "colourise": "palette",
}
_MODULES = ("check", "palette", "registry", "transforms")

__all__ = sorted([*_HOME, *_MODULES])


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
