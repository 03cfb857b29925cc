"""Small generated folders, and a machine without any registered set."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def write_pair(folder: Path, stem: str, image: np.ndarray, mask: np.ndarray) -> None:
    for kind, array in (("images", image), ("masks", mask)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(folder / kind / f"{stem}.png")


@pytest.fixture
def make_folder(tmp_path):
    """make_folder(n, values, size, manifest, split, name) -> a folder of n random RGB images with masks."""

    def make(n=6, values=(0, 1), size=(8, 6), manifest=None, split=None, name="set"):
        folder = tmp_path / name
        rng = np.random.default_rng(0)
        for i in range(n):
            image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
            mask = rng.choice(np.array(values), size).astype(np.uint8 if max(values) < 256 else np.uint16)
            mask.flat[: len(values)] = values
            write_pair(folder, f"i{i}", image, mask)
        for file, content in (("manifest", manifest), ("split", split)):
            if content is not None:
                (folder / f"{file}.json").write_text(json.dumps(content))
        return folder

    return make


@pytest.fixture
def no_sets(tmp_path, monkeypatch):
    """A machine without any registered set; the user's cache is an empty folder."""
    cache = tmp_path / "cache"
    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(cache))
    monkeypatch.delenv("MINITORCH_SEG_DATA", raising=False)
    return cache
