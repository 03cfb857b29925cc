"""Random numbers from a counter: Philox4x32-10.

A counter-based generator has no hidden state to advance: number i of a stream is a function of (key, i).  So
any thread can compute any number, a GPU gives the same ones as a CPU, and the state to save is the seed and
the position.

Each block turns a 128-bit counter (c0, c1, c2, c3) into four 32-bit numbers in ten rounds.  A round
multiplies two of the words by constants A and B to 64 bits, and mixes the high halves with the other two
words and the key (k0, k1), which grows by a constant from round to round (^ is exclusive or):

    (c0, c1, c2, c3) → (hi(B c2) ^ c1 ^ k0,  lo(B c2),  hi(A c0) ^ c3 ^ k1,  lo(A c0))

Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minitorch_seg.locks import Lock

_A, _B = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_KEY_STEP = (0x9E3779B9, 0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def philox4x32(counter: np.ndarray, key: tuple[int, int]) -> np.ndarray:
    """Four 32-bit numbers for each 128-bit counter: (n, 4) uint32-valued -> (n, 4) uint32."""
    c0, c1, c2, c3 = (counter[:, i].astype(np.uint64) for i in range(4))
    k0, k1 = key
    for _ in range(10):
        a, b = _A * c0, _B * c2
        c0, c1, c2, c3 = (
            (b >> _HALF) ^ c1 ^ np.uint64(k0),
            b & _LOW,
            (a >> _HALF) ^ c3 ^ np.uint64(k1),
            a & _LOW,
        )
        k0, k1 = (k0 + _KEY_STEP[0]) & 0xFFFFFFFF, (k1 + _KEY_STEP[1]) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=1).astype(np.uint32)


class Generator:
    """A stream of random numbers: the same seed gives the same numbers on every machine and device.

    >>> g = Generator(7)
    >>> a = g.uniform((2, 3)); b = Generator(7).uniform((2, 3))
    >>> bool((a == b).all())
    True
    """

    def __init__(self, seed: int = 0):
        self.manual_seed(seed)
        self._lock = Lock()

    def __getstate__(self) -> dict[str, int]:
        return self.get_state()  # pickled and copied without the lock

    def __setstate__(self, state: dict[str, int]) -> None:
        self._lock = Lock()
        self.set_state(state)

    def manual_seed(self, seed: int) -> Generator:
        """Begin the stream of `seed` (0 … 2⁶⁴ − 1) anew."""
        if not 0 <= int(seed) < 2**64:
            raise ValueError(f"a seed is an integer from 0 to 2**64 - 1, not {seed}")
        self._seed, self._offset = int(seed), 0
        return self

    def get_state(self) -> dict[str, int]:
        """What a checkpoint keeps: the seed and how many blocks were drawn."""
        return {"seed": self._seed, "offset": self._offset}

    def set_state(self, state: dict[str, int]) -> None:
        self._seed, self._offset = int(state["seed"]), int(state["offset"])

    def bits(self, count: int) -> np.ndarray:
        """`count` uniformly distributed uint32 numbers."""
        blocks = -(-count // 4)
        with self._lock:
            first, self._offset = self._offset, self._offset + blocks
        index = np.arange(first, first + blocks, dtype=np.uint64)
        counter = np.zeros((blocks, 4), np.uint64)
        counter[:, 0], counter[:, 1] = index & _LOW, index >> _HALF
        return philox4x32(counter, (self._seed & 0xFFFFFFFF, self._seed >> 32)).reshape(-1)[:count]

    def uniform(
        self, shape: tuple[int, ...], low: float = 0.0, high: float = 1.0, dtype: Any = np.float32
    ) -> np.ndarray:
        """low + (high − low)·u with u in [0, 1), a multiple of 2⁻²⁴ (which float32 holds exactly)."""
        unit = (self.bits(math.prod(shape)) >> np.uint32(8)).astype(np.float64) * 2.0**-24
        return (low + (high - low) * unit).astype(dtype).reshape(shape)

    def normal(
        self, shape: tuple[int, ...], mean: float = 0.0, std: float = 1.0, dtype: Any = np.float32
    ) -> np.ndarray:
        """Normal numbers by Box and Muller (1958): mean + std · √(−2 ln u) · cos(2π v), u in (0, 1]."""
        count = math.prod(shape)
        pairs = self.bits(2 * count).astype(np.float64).reshape(2, count)
        radius = np.sqrt(-2.0 * np.log((pairs[0] + 1.0) * 2.0**-32))
        return (mean + std * radius * np.cos(2.0 * np.pi * 2.0**-32 * pairs[1])).astype(dtype).reshape(shape)

    def permutation(self, n: int) -> np.ndarray:
        """The numbers 0 … n − 1 in random order (by sorting random keys; a tie keeps the order)."""
        return np.argsort(self.bits(n), kind="stable")


default_generator = Generator(0)


def manual_seed(seed: int) -> Generator:
    """Seed the default generator, from which initialisation and dropout draw.

    >>> import minitorch_seg as ms
    >>> _ = ms.manual_seed(1); a = ms.rand(3)
    >>> _ = ms.manual_seed(1); bool((a == ms.rand(3)).all())
    True
    """
    return default_generator.manual_seed(seed)
