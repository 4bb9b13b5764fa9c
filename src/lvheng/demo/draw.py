"""Random draws and exact division, the same on every machine.

Only the raw output of a counter-based generator (Philox, fixed by its authors) and operations that
IEEE 754 rounds exactly (+ − × ÷, integer sums) are used: no logarithms, powers or library
distributions, whose last bit may differ between platforms and versions. Each subject draws from its
own stream, so that work on one leaves the figures of the others unchanged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Stream:
    """Draws named by a seed and words; the same words give the same draws."""

    def __init__(self, seed: int, *words: object):
        text = "\x1f".join(map(str, (seed, *words)))
        key = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
        self._bits = np.random.Philox(key=key)

    def integers(self, low: int, high: int, size: int | tuple[int, ...]) -> Ints:
        """Integers of [low, high); the bias of the remainder is below 2⁻⁴⁰ for spans below 2²⁴."""
        count = int(np.prod(size))
        raw = np.asarray(self._bits.random_raw(count), dtype=np.uint64)
        return ((raw % np.uint64(high - low)).astype(np.int64) + low).reshape(size)

    def one(self, low: int, high: int) -> int:
        return int(self.integers(low, high, 1)[0])

    def around_one(self, spread: float, size: int | tuple[int, ...]) -> Floats:
        """Factors about 1, bell-shaped, never further than ``spread`` away."""
        shape = (size,) if isinstance(size, int) else size
        sums = self.integers(-1000, 1001, (4, *shape)).sum(axis=0)
        return 1.0 + spread * (sums / 4000.0)

    def skewed(self, size: int, tail: int = 60) -> Floats:
        """Sizes with a long tail, as of enterprises: 1/u, at most ``tail`` times the least."""
        u = self.integers(1, 100_001, size) / 100_000.0
        return 1.0 / (u + 1.0 / tail)

    def pick(self, weights: Sequence[int], size: int) -> Ints:
        """Indexes drawn in proportion to whole-number weights."""
        edges = np.cumsum(np.asarray(weights, dtype=np.int64))
        return np.searchsorted(edges, self.integers(0, int(edges[-1]), size), side="right").astype(np.int64)

    def shuffled(self, count: int) -> list[int]:
        """``range(count)`` in a drawn order."""
        keys = self.integers(0, 1 << 23, count).tolist()
        return sorted(range(count), key=lambda i: (keys[i], i))


def split(total: int, weights: Sequence[float | int]) -> list[int]:
    """``total`` divided in proportion to weights, whole numbers that add up to it (largest remainder)."""
    whole = [int(w * (1 << 24)) for w in weights]
    base = sum(whole)
    if base <= 0:
        raise ValueError("nothing to divide by")
    parts = [total * w // base for w in whole]
    left = total - sum(parts)
    for i in sorted(range(len(whole)), key=lambda i: (-(total * whole[i] % base), i))[:left]:
        parts[i] += 1
    return parts


def seats(total: int, weights: Sequence[float | int]) -> list[int]:
    """As :func:`split` for small numbers of whole things, so that no share falls when the total grows.

    Divisors 1, 3, 5 … (Sainte-Laguë); ties go to the first.
    """
    parts = [0] * len(weights)
    for _ in range(total):
        best = max(range(len(weights)), key=lambda i: (weights[i] / (2 * parts[i] + 1), -i))
        parts[best] += 1
    return parts


def capped(total: int, weights: Sequence[float | int], caps: Sequence[int] | None = None) -> list[int]:
    """As :func:`split`, none above its cap; what is cut off goes to the others. Less than ``total`` only when all are full."""
    found = [0] * len(weights)
    left = total if caps is None else min(total, sum(caps))
    room = [i for i in range(len(weights)) if caps is None or caps[i] > 0]
    while left and room:
        # a share of nothing still takes its part when only such are left
        own = [weights[i] for i in room] if any(weights[i] > 0 for i in room) else [1] * len(room)
        for i, value in zip(room, split(left, own), strict=True):
            taken = value if caps is None else min(value, caps[i] - found[i])
            found[i] += taken
            left -= taken
        room = [i for i in room if caps is None or found[i] < caps[i]]
    return found
