"""The CRC of HJ 212 and its look-alikes.

HJ 212's CRC takes the MODBUS table but steps with the *high* byte of the register, so its state is in truth 8 bits:
256 different values, a weak check (swaps of whole 8-byte blocks are never seen). It is no proof of integrity.
With U = T >> 8, U is linear over GF(2) and U^8 is the identity, hence the fold form: XOR all 8-byte blocks
(aligned to the end) into one, then combine eight table look-ups.
"""

from __future__ import annotations


def _table() -> list[int]:
    out = []
    for value in range(256):
        c = value
        for _ in range(8):
            c = (c >> 1) ^ 0xA001 if c & 1 else c >> 1
        out.append(c)
    return out


TABLE = _table()
_U = [t >> 8 for t in TABLE]
POWERS = [list(range(256))]
for _ in range(7):
    POWERS.append([_U[x] for x in POWERS[-1]])
START = [POWERS[n][0xFF] for n in range(8)]
_P0, _P1, _P2, _P3, _P4, _P5, _P6, _P7 = POWERS

POSSIBLE = frozenset(TABLE) | {0xFFFF}
"""The only values a right CRC can take (FFFF for the empty segment)."""


class _Folds(dict[int, tuple[tuple[int, int], ...]]):
    """Number of 8-byte blocks → (shift, mask) of each halving until one block is left; made when first asked for."""

    def __missing__(self, blocks: int) -> tuple[tuple[int, int], ...]:
        steps, left = [], blocks
        while left > 1:
            half = left // 2
            bits = 64 * (left - half)
            steps.append((bits, (1 << bits) - 1))
            left -= half
        self[blocks] = made = tuple(steps)
        return made


_FOLDS = _Folds()
_TEXT = [b"%04X" % value for value in TABLE]


def _state(seg: bytes) -> int:
    """The eight bits that the register comes down to, for at least one byte."""
    n = len(seg)
    half = n >> 4 << 3
    x = int.from_bytes(seg[: n - half], "big") ^ int.from_bytes(seg[n - half :], "big")
    for bits, mask in _FOLDS[(n - half + 7) >> 3]:
        x = (x >> bits) ^ (x & mask)
    return (
        START[(n - 1) & 7]
        ^ (x & 255)
        ^ _P1[(x >> 8) & 255]
        ^ _P2[(x >> 16) & 255]
        ^ _P3[(x >> 24) & 255]
        ^ _P4[(x >> 32) & 255]
        ^ _P5[(x >> 40) & 255]
        ^ _P6[(x >> 48) & 255]
        ^ _P7[x >> 56]
    )


def crc(seg: bytes) -> int:
    """CRC of a segment, exact, by the fold form."""
    return TABLE[_state(seg)] if seg else 0xFFFF


def crc_text(seg: bytes) -> bytes:
    """The CRC as it is sent: four capital hexadecimal digits."""
    return _TEXT[_state(seg)] if seg else b"FFFF"


def crc_table(seg: bytes) -> int:
    """The same CRC, byte by byte as the standard describes it; kept as the reference for tests."""
    c = 0xFFFF
    for b in seg:
        c = TABLE[(c >> 8) ^ b]
    return c


def modbus(seg: bytes) -> int:
    """MODBUS CRC16, which some devices send by a misreading of the standard."""
    c = 0xFFFF
    for b in seg:
        c = (c >> 8) ^ TABLE[(c ^ b) & 255]
    return c


def modbus_swapped(seg: bytes) -> int:
    """MODBUS CRC16 with its bytes swapped."""
    c = modbus(seg)
    return ((c & 255) << 8) | (c >> 8)


VARIANTS = {"hj212": crc, "modbus": modbus, "modbus_swapped": modbus_swapped}


def explain(seg: bytes, sent: int) -> str:
    """Which known variant ``sent`` fits: a key of VARIANTS, or an empty text."""
    return next((name for name, function in VARIANTS.items() if function(seg) == sent), "")
