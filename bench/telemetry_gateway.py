"""End to end: packets acknowledged a second after fdatasync, with field decoding behind, client on the same cores.

The client sends ready-made 2017 uploads of 12 factors (about 546 bytes), keeps a number of them under way on each line and
measures from sending to 9014. The baseline in the same run is the same load against a server that frames, checks the CRC and
answers without storing anything: the ratio is the price of durability and of decoding.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import platform
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from lvheng.telemetry import hj212
from lvheng.telemetry.devices import Device, SqliteRegistry
from lvheng.telemetry.gateway.serve import Plan, Service
from lvheng.telemetry.gateway.server import _answer
from lvheng.telemetry.lake import connect
from telemetry_decode import packets


class Load(asyncio.Protocol):
    """One line of the client: keeps ``window`` packets under way; waits are drawn for every 16th packet."""

    def __init__(self, frames: list[bytes], window: int, end: float, waits: list[float]):
        self.frames, self.window, self.end, self.waits = frames, window, end, waits
        self.next = 0
        self.acknowledged = 0
        self.sent_at: deque[float] = deque()
        self.rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.push(self.window)

    def push(self, n: int) -> None:
        now = time.perf_counter()
        if now > self.end:
            return
        batch = [self.frames[(self.next + k) % len(self.frames)] for k in range(n)]
        self.next += n
        self.sent_at.extend([now] * n)
        self.transport.write(b"".join(batch))  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        data = self.rest + data
        n = data.count(b"\r\n")
        self.rest = data[data.rfind(b"\n") + 1 :]
        now = time.perf_counter()
        for k in range(n):
            began = self.sent_at.popleft()
            if k % 16 == 0:
                self.waits.append(now - began)
        self.acknowledged += n
        self.push(n)


async def _load(
    port: int, frames: list[bytes], connections: int, window: int, seconds: float
) -> tuple[float, list[float]]:
    loop = asyncio.get_running_loop()
    waits: list[float] = []
    end = time.perf_counter() + seconds
    share = max(1, len(frames) // connections)
    lines = []
    for n in range(connections):
        own = frames[n * share : (n + 1) * share] or frames[:share]
        _, line = await loop.create_connection(lambda own=own: Load(own, window, end, waits), "127.0.0.1", port)
        lines.append(line)
    began = time.perf_counter()
    before = sum(x.acknowledged for x in lines)
    await asyncio.sleep(max(0.1, end - time.perf_counter()))
    rate = (sum(x.acknowledged for x in lines) - before) / (time.perf_counter() - began)
    await asyncio.sleep(0.5)
    for line in lines:
        line.transport.close()  # type: ignore[attr-defined]
    return rate, waits


class Echo(asyncio.Protocol):
    """The baseline: frames and answers, stores nothing."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.framer = transport, hj212.Framer()

    def data_received(self, data: bytes) -> None:
        out = [
            _answer(hj212.peek(f.seg), 5, b"9014", b"") for f in self.framer.feed(data) if isinstance(f, hj212.Frame)
        ]
        self.transport.write(b"".join(out))  # type: ignore[attr-defined]


def _echo(pipe) -> None:  # type: ignore[no-untyped-def]
    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0, backlog=4096)
        pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.sleep(3600)

    asyncio.run(run())


def _processor(pids: list[int]) -> float:
    """Seconds of processor time that these processes have used."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def _tell(name: str, rate: float, waits: list[float], base: float) -> None:
    waits.sort()
    p50, p99 = (waits[int(q * (len(waits) - 1))] * 1000 if waits else 0.0 for q in (0.5, 0.99))
    print(f"{name:28s} {rate:10,.0f} packets/s  p50 {p50:7.1f} ms  p99 {p99:7.1f} ms  {rate / base:5.2f} × baseline")


def main() -> None:
    parser = argparse.ArgumentParser(description="Packets acknowledged a second, end to end")
    parser.add_argument("connections", type=int, nargs="?", default=500)
    parser.add_argument("window", type=int, nargs="?", default=8, help="packets under way on each connection")
    parser.add_argument("seconds", type=int, nargs="?", default=8)
    parser.add_argument("workers", type=int, nargs="?", default=1)
    given = parser.parse_args()
    connections, window, seconds, workers = given.connections, given.window, given.seconds, given.workers
    frames = packets(20000)
    here, there = multiprocessing.get_context("spawn").Pipe()
    echo = multiprocessing.get_context("spawn").Process(target=_echo, args=(there,), daemon=True)
    echo.start()
    base, waits = asyncio.run(_load(here.recv(), frames, connections, window, seconds))
    echo.terminate()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}; "
          f"{connections} lines × {window} under way, {workers} worker(s) and a decoder")  # fmt: skip
    _tell("no storage (baseline)", base, waits, base)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        registry = SqliteRegistry(data / "registry.sqlite")
        registry.put([Device(f"{n:024X}", "123456") for n in range(2000)])
        registry.close()
        service = Service(Plan(data, port=0, workers=workers, contact=False))
        port = service.start()
        before = _processor(service.pids()), _processor([service.decoder_pid()])
        rate, waits = asyncio.run(_load(port, frames, connections, window, seconds))
        worker, decoder = (
            b - a
            for a, b in zip(before, (_processor(service.pids()), _processor([service.decoder_pid()])), strict=True)
        )
        _tell("stored, decoded behind", rate, waits, base)
        began = time.perf_counter()
        service.stop()
        with connect(data / "lake") as db:
            rows, done = db.execute(
                "select (select count(*) from lake_values), (select count(*) from lake_packets)"
            ).fetchone() or (0, 0)
        print(
            f"processor time of the workers {worker:.1f} s = {done / max(worker, 0.01):,.0f} packets a second of one core, "
            f"of the decoder meanwhile {decoder:.1f} s"
        )
        print(
            f"decoder finished {time.perf_counter() - began:.1f} s after the load: {done:,} packets, {rows:,} values in the lake"
        )


if __name__ == "__main__":
    main()
