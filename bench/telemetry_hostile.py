"""What hostile and idle clients cost the others: acknowledged packets a second with and without them, and the memory.

The hostile ones: idle lines, senders of random bytes and of endless frames, senders of one byte at a time, wrong passwords,
the same packet again and again, whole frames of 9,999 bytes, and packets from the years 1999 and 2099. The ratio is taken against the same load alone in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from lvheng.telemetry import hj212
from lvheng.telemetry.devices import Device, SqliteRegistry
from lvheng.telemetry.gateway.serve import Plan, Service
from telemetry_decode import packets
from telemetry_gateway import _load


def _files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _hostile(port: int, idle: int, ready, end: float) -> None:  # type: ignore[no-untyped-def]
    _files()
    rng = random.Random(1)
    good = packets(10)

    seg = good[0][6:-6]
    attacks = (
        lambda: rng.randbytes(1000),
        lambda: b"##9999" + b"QN=1;" * 50,
        lambda: b"#",
        lambda: hj212.frame_bytes(seg.replace(b"PW=123456", b"PW=000000")),
        lambda: good[1] * 10,
        lambda: hj212.frame_bytes(seg[:-2] + b"x" * (9999 - len(seg)) + b"&&"),
        lambda: hj212.frame_bytes(seg.replace(b"DataTime=2026", b"DataTime=1999")),
        lambda: hj212.frame_bytes(seg.replace(b"DataTime=2026", b"DataTime=2099")),
    )

    async def drink(reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while await reader.read(65536):
                pass

    async def noise(kind: int) -> None:
        while time.time() < end:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                drinking = asyncio.create_task(drink(reader))
                for _ in range(200):
                    if time.time() > end:
                        break
                    writer.write(attacks[kind]())
                    await writer.drain()
                    await asyncio.sleep(0.05)
                writer.close()
                drinking.cancel()

    async def run() -> None:
        lines = []
        for n in range(idle):
            with contextlib.suppress(OSError):
                lines.append(await asyncio.open_connection("127.0.0.1", port, local_addr=(f"127.0.0.{2 + n % 8}", 0)))
        ready.put(len(lines))
        await asyncio.gather(*(noise(n % len(attacks)) for n in range(40)))
        for _, writer in lines:
            writer.close()

    asyncio.run(run())


def _memory(pids: list[int]) -> float:
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return pages * resource.getpagesize() / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description="What idle and hostile connections cost the others")
    parser.add_argument("idle", type=int, nargs="?", default=10_000)
    parser.add_argument("seconds", type=float, nargs="?", default=6.0)
    given = parser.parse_args()
    idle, seconds = given.idle, given.seconds
    frames = packets(20000)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        registry = SqliteRegistry(data / "registry.sqlite")
        registry.put([Device(f"{n:024X}", "123456") for n in range(2000)])
        registry.close()
        service = Service(Plan(data, port=0, workers=1, decode=False, contact=False))
        port = service.start()
        alone, _ = asyncio.run(_load(port, frames, 100, 8, seconds))
        before = _memory(service.pids())
        context = multiprocessing.get_context("spawn")
        ready = context.Queue()
        end = time.time() + 60 + seconds
        bad = context.Process(target=_hostile, args=(port, idle, ready, end))
        bad.start()
        count = ready.get(timeout=60)
        among, waits = asyncio.run(_load(port, frames, 100, 8, seconds))
        after = _memory(service.pids())
        time.sleep(2.5)
        counts = service.counts()
        bad.terminate()
        bad.join()
        service.stop()
    waits.sort()
    print("the gateway counted: " + ", ".join(f"{k} {n:,}" for k, n in sorted(counts.items())))
    print(f"alone              {alone:10,.0f} packets/s, gateway {before:.0f} MiB")
    print(
        f"among {count} idle and 40 hostile lines {among:10,.0f} packets/s = {among / alone:.2f} × alone, "
        f"p99 {waits[int(0.99 * (len(waits) - 1))] * 1000:.0f} ms, gateway {after:.0f} MiB"
    )


if __name__ == "__main__":
    main()
