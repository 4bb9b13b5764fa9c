"""Decoding packets: plain Python against the compiled kernel, in one run, on one core.

Packets are synthetic 2017 uploads of 12 factors (about 560 bytes, 25 pairs). ``plain`` is framing, CRC, every check and
the values as objects; ``full parser`` is the same without framing and without the quick way for known shapes;
``plain to Arrow`` and ``kernel to Arrow`` both end in the lake's Arrow tables; ``segment to Arrow`` begins with reading a
journal segment and checking its hashes.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import random
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

from lvheng.telemetry import hj212
from lvheng.telemetry.devices import Device, MemoryRegistry
from lvheng.telemetry.hj212 import kernel
from lvheng.telemetry.ingest import Clock, decode_plain
from lvheng.telemetry.journal import FRAME, Block, Journal, pack, read_blocks, segments

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


def rate(count: int, job, rounds: int = 5) -> tuple[float, float]:  # type: ignore[no-untyped-def]
    """Packets a second of processor time and of the clock, each the best of some rounds."""
    best = [1e9, 1e9]
    for _ in range(rounds):
        began = time.process_time(), time.perf_counter()
        job()
        best = [
            min(b, now - then)
            for b, now, then in zip(best, (time.process_time(), time.perf_counter()), began, strict=True)
        ]
    return count / best[0], count / best[1]


def baseline(frames: list[bytes]) -> None:
    """What telemetry.md calls plain Python: CRC by the fold form, split, dictionary; no check, no number, no object."""
    for frame in frames:
        seg = frame[6:-6]
        if hj212.crc(seg) == int(frame[-6:-2], 16):
            head, _, body = seg.decode().partition("CP=&&")
            dict(x.partition("=")[::2] for x in head.split(";"))
            dict(x.partition("=")[::2] for x in body[:-2].replace(",", ";").split(";"))


def main() -> None:
    parser = argparse.ArgumentParser(description="HJ 212 decoders, plain and compiled")
    parser.add_argument("packets", type=int, nargs="?", default=20000)
    count = parser.parse_args().packets
    frames = packets(count)
    stream = b"".join(frames)
    pieces = [b"".join(frames[n : n + 200]) for n in range(0, count, 200)]
    now = int(datetime(2026, 6, 1, 12).timestamp() * 1e6)  # noqa: DTZ001
    records = [pack(FRAME, now, 1, f[:-2]) for f in frames]
    blocks = [Block(0, 44, b"".join(records), count)]
    registry, clock = MemoryRegistry([Device(f"{n:024X}", "123456") for n in range(2000)]), Clock()
    print(
        f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}; "
        f"{count} packets, {len(stream) / count:.0f} bytes each; of processor time, of the clock"
    )
    gc.freeze()
    results = {
        "split and CRC only": rate(count, lambda: baseline(frames)),
        "framing and CRC": rate(count, lambda: hj212.Framer().feed(stream)),
        "full parser": rate(count, lambda: [hj212.parse(f[6:-6]) and None for f in frames], 2),
        "plain": rate(count, lambda: [len(hj212.decode(piece)) for piece in pieces]),
        "plain to Arrow": rate(count, lambda: decode_plain("s/1", blocks, registry, clock), 1),
    }
    if kernel.AVAILABLE:
        kernel.decode_blocks("s/1", blocks, registry, clock, small=0)  # compiles
        results["kernel to Arrow"] = rate(
            count, lambda: kernel.decode_blocks("s/1", blocks, registry, clock, small=0), 9
        )
        with tempfile.TemporaryDirectory() as folder:
            journal = Journal(Path(folder), "s")
            for n in range(0, count, 1000):  # blocks as group commits make them under load
                journal.commit(records[n : n + 1000])
            path = segments(Path(folder), "s")[0]
            journal.close()
            results["segment to Arrow"] = rate(
                count, lambda: kernel.decode_blocks("s/1", read_blocks(path)[0], registry, clock, small=0), 9
            )
    base = results["plain"][0]
    for name, (processor, wall) in results.items():
        print(f"{name:20s} {processor:12,.0f} {wall:12,.0f} packets/s  {processor / base:6.2f} × plain")


if __name__ == "__main__":
    main()
