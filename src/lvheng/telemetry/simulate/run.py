"""Running simulated loggers against a gateway: each on its own line, waiting for 9014 and sending again without one."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lvheng.telemetry import hj212
from lvheng.telemetry.simulate.fleet import Logger, schedule


@dataclass(slots=True)
class Report:
    """What a run did. ``waits`` are seconds from sending to 9014."""

    sent: int = 0
    acknowledged: int = 0
    resent: int = 0
    unanswered: int = 0
    answered_requests: int = 0
    filled: int = 0  # intervals sent again because the platform asked for them
    reconnects: int = 0
    seconds: float = 0.0
    waits: list[float] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        waits = sorted(self.waits)
        return waits[min(len(waits) - 1, int(share * len(waits)))] if waits else 0.0


class Line:
    """One logger's connection: sends a frame, waits for its 9014, answers the platform's requests."""

    def __init__(self, logger: Logger, host: str, port: int, report: Report, *, faults: float = 0.0, seed: int = 0):
        self.logger = logger
        self.host, self.port = host, port
        self.report = report
        self.faults = faults
        self.random = random.Random(seed)
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._framer = hj212.Framer()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._writer is None or self._writer.is_closing() or self._reader is None:
            self._reader, self._writer = await asyncio.open_connection(self.host, self.port)
            self._framer = hj212.Framer()
        return self._reader, self._writer

    async def send(self, frame: bytes, *, timeout: float = 10.0, resend: int = 3) -> bool:
        """Whether the frame was acknowledged."""
        items = hj212.Framer(self.logger.device().dialect).feed(frame, final=True)
        qn = hj212.peek(items[0].seg).qn.decode() if isinstance(items[0], hj212.Frame) else ""
        self.report.sent += 1
        for attempt in range(resend + 1):
            if attempt:
                self.report.resent += 1
            began = time.perf_counter()
            try:
                _, writer = await self._open()
                if self.faults and self.random.random() < self.faults:
                    await self._fault(writer, frame)
                    _, writer = await self._open()
                writer.write(frame)
                await writer.drain()
                if await asyncio.wait_for(self._answered(qn), timeout):
                    self.report.waits.append(time.perf_counter() - began)
                    self.report.acknowledged += 1
                    return True
            except (OSError, TimeoutError):
                pass
            await self.close()
            self.report.reconnects += 1
            await asyncio.sleep(min(1.0, 0.05 * 2**attempt))
        self.report.unanswered += 1
        return False

    async def _fault(self, writer: asyncio.StreamWriter, frame: bytes) -> None:
        """Something that goes wrong on a line: half a frame, noise, a torn line."""
        kind = self.random.randrange(3)
        if kind == 0:
            writer.write(frame[: len(frame) // 2])
        elif kind == 1:
            writer.write(self.random.randbytes(20))
        else:
            writer.write(frame[:30])
            await writer.drain()
            await self.close()

    async def _answered(self, qn: str) -> bool:
        assert self._reader is not None
        while True:
            data = await self._reader.read(65536)
            if not data:
                return False
            for item in self._framer.feed(data):
                if not isinstance(item, hj212.Frame):
                    continue
                packet = hj212.decode_frame(item)
                if packet.cn == "9014" and packet.request_qn == qn:
                    return True
                if packet.kind == "request" and packet.wants_answer:
                    await self._obey(packet)

    async def _obey(self, packet: hj212.Packet) -> None:
        """9011, then the data asked for, then 9012."""
        assert self._writer is not None
        version = {0: 2005, 1: 2017, 2: 2025}.get(packet.version, 2017)
        logger = self.logger
        self._writer.write(hj212.answer("9011", mn=logger.mn, qn=packet.qn, result="1", version=version))
        command = hj212.tables().commands.get(packet.cn)
        if packet.cn == "2051":
            begin, end = (hj212.parse_time(packet.param(k))[0] for k in ("BeginTime", "EndTime"))
            while begin and end and begin <= end:
                self.report.filled += 1
                for frame in logger.minute(begin, late=True):
                    self._writer.write(frame)
                begin += timedelta(minutes=logger.interval)
        if command is None or command.kind != "notice":
            result = "100" if command is not None and command.history and packet.cn != "2051" else "1"  # no such data
            self._writer.write(hj212.answer("9012", mn=logger.mn, qn=packet.qn, result=result, version=version))
        self.report.answered_requests += 1
        await self._writer.drain()

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()
        self._writer = self._reader = None


async def run_fleet(
    fleet: list[Logger],
    host: str,
    port: int,
    start: datetime,
    end: datetime,
    *,
    pace: float = 0.0,
    faults: float = 0.0,
    parallel: int = 500,
    tell: Callable[[int, int], None] | None = None,
) -> Report:
    """Send every minute upload of ``[start, end)``; ``pace`` is seconds of waiting between two intervals.

    ``faults`` is the share of uploads before which the line misbehaves; ``parallel`` uploads are under way at most.
    """
    report = Report()
    lines = {g.mn: Line(g, host, port, report, faults=faults, seed=g.seed) for g in fleet}
    gate = asyncio.Semaphore(parallel)
    began = time.perf_counter()
    steps: dict[datetime, dict[str, list[tuple[datetime, bool]]]] = {}
    clock = start
    for when, logger, late in schedule(fleet, start, end):
        if not late:
            clock = max(clock, when)
        steps.setdefault(clock, {}).setdefault(logger.mn, []).append((when, late))

    async def one(mn: str, work: list[tuple[datetime, bool]]) -> None:
        async with gate:
            for when, late in work:
                for frame in lines[mn].logger.minute(when, late=late):
                    await lines[mn].send(frame)

    for number, work in enumerate(steps.values(), 1):
        await asyncio.gather(*(one(mn, jobs) for mn, jobs in work.items()))
        if tell is not None:
            tell(number, len(steps))
        if pace and number < len(steps):
            await asyncio.sleep(pace)
    for line in lines.values():
        await line.close()
    report.seconds = time.perf_counter() - began
    return report
