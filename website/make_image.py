"""Write the photograph of the explorers, as numbers, into a script: `python make_image.py [PATH]`.

A page opened from a file may not read the pixels of an image file, so the explorers get them as a list.  One
coin of scikit-image's photograph of coins is cut out, 64×64 pixels, and every 2×2 of them are averaged; the
32×32 grey values, whole numbers from 0 to 255, become `explorers.coin` of explorers/common.js.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from minitorch_seg.data.coins import coin_photograph

PATH = Path(__file__).parent / "static" / "explorers" / "coins.js"
TOP, LEFT, SIDE = 161, 184, 64  # the coin with the face seen from the front


def coin() -> np.ndarray:
    """The coin: uint8 (32, 32)."""
    window = coin_photograph()[0][TOP : TOP + SIDE, LEFT : LEFT + SIDE]
    return window.reshape(SIDE // 2, 2, SIDE // 2, 2).mean(axis=(1, 3)).round().astype(np.uint8)


def write(path: str | Path = PATH) -> Path:
    """Write the script, and return where it lies."""
    rows = ",\n".join(str(row).replace(" ", "") for row in coin().tolist())
    Path(path).write_text(
        "// Made by website/make_image.py: a coin of the photograph in scikit-image, 32×32 grey values.\n"
        f"explorers.coin = [\n{rows},\n];\n",
        encoding="utf-8",
    )
    return Path(path)


if __name__ == "__main__":
    print(write(*sys.argv[1:2]))
