"""One file that holds everything a training needs to go on as if it had never stopped.

A state is a tree of dicts, lists, numbers, strings and arrays (what `state_dict()` of a model, an optimiser,
a schedule or a generator returns).  Arrays become tensors of a safetensors file, the shape of the tree
becomes JSON in the same file's header: one file, so it is written whole or not at all, and reading it runs no
code, as pickle would.
"""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

from minitorch_seg.errors import DataError
from minitorch_seg.io import load_with_metadata, save_state_dict, to_array

__all__ = ["load_tree", "save_tree"]


def save_tree(path: str | os.PathLike[str], tree: Any) -> None:
    """Write a tree of dicts, lists, tuples, None, bools, numbers, strings, arrays and Tensors.

    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "state.safetensors"
    >>> save_tree(path, {"state": {0: {"step": 3, "exp_avg": np.ones(2)}}, "lr": 0.1, "betas": (0.9, 0.99)})
    >>> load_tree(path)
    {'state': {0: {'step': 3, 'exp_avg': array([1., 1.])}}, 'lr': 0.1, 'betas': (0.9, 0.99)}
    """
    arrays: dict[str, np.ndarray] = {}
    description = json.dumps(_pack(tree, arrays))
    save_state_dict(path, arrays, {"tree": description})


def load_tree(path: str | os.PathLike[str]) -> Any:
    """Read what `save_tree` wrote; Tensors come back as arrays."""
    arrays, metadata = load_with_metadata(path)
    if "tree" not in metadata:
        raise DataError(f"{path} holds weights only, no training state to go on from")
    return _unpack(json.loads(metadata["tree"]), arrays)


def _pack(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """JSON for `value`; arrays are moved to `arrays`, and dict keys keep their type (optimisers use ints)."""
    if isinstance(value, dict):
        return {"dict": [[key, _pack(entry, arrays)] for key, entry in value.items()]}
    if isinstance(value, list):
        return {"list": [_pack(entry, arrays) for entry in value]}
    if isinstance(value, tuple):
        return {"tuple": [_pack(entry, arrays) for entry in value]}
    if isinstance(value, np.ndarray | np.generic) or hasattr(value, "detach"):
        name = f"array{len(arrays)}"
        arrays[name] = to_array(value)
        return {"array": name}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a training state cannot hold {type(value).__name__} objects")


def _unpack(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "array":
        return arrays[content]
    if kind == "dict":
        return {key: _unpack(entry, arrays) for key, entry in content}
    entries = [_unpack(entry, arrays) for entry in content]
    return tuple(entries) if kind == "tuple" else entries
