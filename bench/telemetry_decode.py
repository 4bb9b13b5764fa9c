"""Decoding packets: plain Python against the compiled kernel, in one run, on one core.

    python bench/telemetry_decode.py [packets]

Packets are synthetic 2017 uploads of 12 factors (about 560 bytes, 25 pairs). ``plain`` is framing, CRC, every check and
the values as objects; ``plain to Arrow`` and ``kernel to Arrow`` both end in the lake's Arrow tables; ``kernel columns``
stops at the kernel's own arrays.
"""

from __future__ import annotations

import platform
import random
import sys
import time
from datetime import datetime, timedelta

from lvheng.telemetry import hj212
from lvheng.telemetry.devices import MemoryRegistry
from lvheng.telemetry.hj212 import kernel
from lvheng.telemetry.ingest import Clock, decode_plain
from lvheng.telemetry.journal import FRAME, Block, pack

CODES = [
    "a34013",
    "a21026",
    "a21002",
    "a21005",
    "a19001",
    "a01011",
    "a01012",
    "a01013",
    "a01014",
    "a00000",
    "a24088",
    "a21001",
]


def packets(count: int) -> list[bytes]:
    rng = random.Random(1)
    start = datetime(2026, 6, 1)  # noqa: DTZ001 wall time
    out = []
    for n in range(count):
        when = start + timedelta(minutes=10 * (n // 2000))
        factors = [
            (c, {"Rtd": f"{rng.uniform(0, 20):.1f}", "ZsRtd": f"{rng.uniform(0, 20):.1f}", "Flag": "N"}
             if c in CODES[:4] else {"Rtd": f"{rng.uniform(0, 20):.1f}", "Flag": "N"})
            for c in CODES
        ]  # fmt: skip
        mn = f"{n % 2000:024X}"
        out += hj212.upload("2011", st="31", mn=mn, data_time=when, factors=factors, qns=[hj212.make_qn(when)])
    return out


def rate(count: int, job, rounds: int = 3) -> float:  # type: ignore[no-untyped-def]
    best = 1e9
    for _ in range(rounds):
        began = time.perf_counter()
        job()
        best = min(best, time.perf_counter() - began)
    return count / best


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20000
    frames = packets(count)
    stream = b"".join(frames)
    pieces = [b"".join(frames[n : n + 500]) for n in range(0, count, 500)]
    now = int(datetime(2026, 6, 1, 12).timestamp() * 1e6)  # noqa: DTZ001
    body = b"".join(pack(FRAME, now, 1, f[:-2]) for f in frames)
    blocks = [Block(0, 44, body, count)]
    registry, clock = MemoryRegistry(open_door=True), Clock()
    print(
        f"{platform.processor() or platform.machine()}, Python {platform.python_version()}; {count} packets, {len(stream) / count:.0f} bytes each"
    )
    results = {
        "framing and CRC": rate(count, lambda: hj212.Framer().feed(stream)),
        "plain": rate(count, lambda: [len(hj212.decode(piece)) for piece in pieces]),
        "plain to Arrow": rate(count, lambda: decode_plain("s/1", blocks, registry, clock), 1),
    }
    if kernel.AVAILABLE:
        kernel.decode_blocks("s/1", blocks, registry, clock)  # compiles
        results["kernel to Arrow"] = rate(count, lambda: kernel.decode_blocks("s/1", blocks, registry, clock), 5)
    base = results["plain"]
    for name, value in results.items():
        print(f"{name:18s} {value:12,.0f} packets/s  {value / base:6.2f} × plain")


if __name__ == "__main__":
    main()
