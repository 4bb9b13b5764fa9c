"""Journals and lakes for tests: on this machine's disk, and in an object store that speaks S3 on loopback."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from lvheng.telemetry import hj212
from lvheng.telemetry.devices import Device, MemoryRegistry
from lvheng.telemetry.ingest import Clock, Decoder
from lvheng.telemetry.journal import FRAME, Journal, pack
from lvheng.telemetry.lake import Lake, connect

LONG_AGO = Clock(past=timedelta(days=40_000))
MN = "F" * 24
DAY = datetime(2026, 6, 1)  # noqa: DTZ001 wall time
REGISTRY = MemoryRegistry([Device(MN, "", st="32"), Device("E" * 24, "", st="32")])


def journalled(root: Path, stream: str, frames: list[tuple[datetime, bytes]], segment_bytes: int = 256 << 20) -> None:
    """Append frames received at given wall times (UTC+8), a block each."""
    store = Journal(root, stream, segment_bytes=segment_bytes)
    zone = timedelta(hours=8)
    for n, (at, frame) in enumerate(frames):
        micros = int((at - zone - datetime(1970, 1, 1)).total_seconds() * 1e6) + n  # noqa: DTZ001 wall time
        store.commit([pack(FRAME, micros, 1, frame[:-2])])
    store.close()


def minutes(
    day: datetime, count: int = 12, value: str = "40", mn: str = MN, delay: float = 11
) -> list[tuple[datetime, bytes]]:
    """Ten-minute uploads of COD and flow from a moment on, each received ``delay`` minutes after its interval began."""
    out = []
    for n in range(count):
        t = day + timedelta(minutes=10 * n)
        factors = [("w01018", {"Avg": f"{value}.{n}", "Flag": "N"}), ("w00000", {"Avg": f"{5 + n % 3}.5", "Flag": "N"})]
        frames = hj212.upload("2051", st="32", mn=mn, data_time=t, factors=factors, qns=[hj212.make_qn(t)])
        out.append((t + timedelta(minutes=delay), frames[0]))
    return out


def decode(root: Path, lake: Lake) -> Decoder:
    decoder = Decoder(root, lake, REGISTRY, clock=LONG_AGO)
    decoder.run()
    return decoder


def receptions(lake: Lake) -> list[tuple[object, ...]]:
    """Every reception in the lake, once."""
    with connect(lake.root) as db:
        return db.execute("select distinct * from lake_values order by all").fetchall()


def effective(lake: Lake) -> list[tuple[object, ...]]:
    with connect(lake.root) as db:
        return db.execute("select * from effective order by all").fetchall()
