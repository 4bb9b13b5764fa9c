"""One gateway process: frames in, journal, answers out after the sync.

Path of a packet: framer → CRC → pending list → one block of the journal, fdatasync → answers. Decoding is no part of it.
Memory is bounded: pending bytes stop reading on all connections, an unread answer stops reading on its own connection, a
connection's framer holds at most 64 kB, and connections are capped in all and per address.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from lvheng.telemetry import hj212
from lvheng.telemetry.clock import local_time
from lvheng.telemetry.devices import Device, Registry, admitted
from lvheng.telemetry.gateway.exchange import Exchanges
from lvheng.telemetry.hj212.checksum import crc
from lvheng.telemetry.hj212.packet import Peek
from lvheng.telemetry.journal import FRAME, PEER, REJECT, SENT, Journal, pack

log = logging.getLogger("lvheng.gateway")


@dataclass(frozen=True, slots=True)
class Settings:
    """Limits of one process. Times in seconds, sizes in bytes."""

    window: float = 0.010  # group commit: at most this long ...
    batch: int = 4 << 20  # ... or this much
    pending_high: int = 32 << 20  # uncommitted bytes at which reading stops
    pending_low: int = 8 << 20
    connections: int = 12_000
    per_address: int = 12_000
    idle: float = 600.0  # without any byte
    stalled: float = 2.0  # an unfinished frame without new bytes is given up
    unfinished: float = 10.0  # an unfinished frame is given up however it trickles
    junk: int = 1 << 20  # rejected bytes after which a connection that sends no good frame is closed
    retry: float = 1.0  # pause after a failed write
    acknowledge_unknown: bool = field(default_factory=lambda: bool(hj212.tables().gateway["acknowledge_unknown"]))


class Connection(asyncio.Protocol):
    """One device's line. A line may carry several devices (a collecting server in between)."""

    __slots__ = (
        "_paused_for",
        "framer",
        "frames",
        "gateway",
        "junk",
        "last",
        "mns",
        "number",
        "peer",
        "transport",
        "unfinished_since",
    )

    def __init__(self, gateway: Gateway):
        self.gateway = gateway
        self.framer = hj212.Framer()
        self.transport: asyncio.Transport | None = None
        self.mns: set[str] = set()
        self.frames = 0
        self.junk = 0
        self.unfinished_since = 0.0
        self._paused_for: set[str] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        peer = transport.get_extra_info("peername") or ("", 0)
        self.peer = peer[0]
        self.last = time.monotonic()
        gateway = self.gateway
        full = len(gateway.lines) >= gateway.settings.connections
        if full or gateway.addresses[self.peer] >= gateway.settings.per_address:
            gateway.counts["connections_refused"] += 1
            self.number = -1
            transport.abort()
            return
        gateway.addresses[self.peer] += 1
        self.number = gateway.next_number()
        gateway.lines[self.number] = self
        transport.set_write_buffer_limits(high=65536)
        gateway.keep(PEER, self, f"{peer[0]}:{peer[1]}".encode())
        if gateway.holding:
            self.hold("pending")

    def connection_lost(self, exc: Exception | None) -> None:
        gateway = self.gateway
        if self.number < 0:
            return
        self.take(self.framer.close())
        del gateway.lines[self.number]
        gateway.addresses[self.peer] -= 1
        if not gateway.addresses[self.peer]:
            del gateway.addresses[self.peer]
        for mn in self.mns:
            if gateway.by_mn.get(mn) is self:
                del gateway.by_mn[mn]
        self.transport = None

    def data_received(self, data: bytes) -> None:
        if self.number < 0:
            return
        self.last = time.monotonic()
        self.take(self.framer.feed(data))
        if not self.framer.waiting:
            self.unfinished_since = 0.0
        elif not self.unfinished_since:
            self.unfinished_since = self.last

    def take(self, items: Iterable[hj212.Frame | hj212.Reject]) -> None:
        gateway = self.gateway
        for item in items:
            if isinstance(item, hj212.Reject):
                self._rejected(item)
            else:
                self.frames += 1
                gateway.keep(FRAME, self, item.raw, gateway.judge(self, item))

    def _rejected(self, item: hj212.Reject) -> None:
        gateway = self.gateway
        if item.variant:
            device = gateway.registry.get(hj212.peek(item.raw[6:]).mn.decode("utf-8", "replace"))
            if device is not None and device.dialect.crc == item.variant:
                self.take(hj212.Framer(device.dialect).feed(item.raw, final=True))
                return
        gateway.counts["rejected"] += 1
        self.junk += len(item.raw)
        gateway.keep(REJECT, self, item.raw)
        if self.junk > gateway.settings.junk and self.junk > 100 * self.frames:
            gateway.counts["closed_for_junk"] += 1
            self.close()

    def check(self, now: float) -> None:
        """Called about once a second: idle lines are closed, unfinished frames given up."""
        settings = self.gateway.settings
        if now - self.last > settings.idle:
            self.gateway.counts["closed_idle"] += 1
            self.close()
        elif self.unfinished_since and (
            now - self.last > settings.stalled or now - self.unfinished_since > settings.unfinished
        ):
            self.unfinished_since = 0.0
            self.take(self.framer.resync())

    def hold(self, reason: str) -> None:
        if not self._paused_for and self.transport is not None:
            self.transport.pause_reading()
        self._paused_for.add(reason)

    def release(self, reason: str) -> None:
        if reason in self._paused_for:
            self._paused_for.discard(reason)
            if not self._paused_for and self.transport is not None:
                self.transport.resume_reading()

    def pause_writing(self) -> None:
        self.hold("unread")

    def resume_writing(self) -> None:
        self.release("unread")

    def write(self, data: bytes) -> bool:
        if self.transport is None or self.transport.is_closing():
            return False
        self.transport.write(data)
        return True

    def close(self) -> None:
        if self.transport is not None:
            self.transport.abort()


class Gateway:
    """One process: its connections, its journal stream and its share of the commands."""

    def __init__(
        self,
        journal: Journal,
        registry: Registry,
        settings: Settings | None = None,
        exchanges: Exchanges | None = None,
    ):
        self.journal = journal
        self.registry = registry
        self.settings = settings or Settings()
        self.exchanges = exchanges
        if exchanges is not None:
            exchanges.send = self.send
        self.lines: dict[int, Connection] = {}
        self.addresses: Counter[str] = Counter()
        self.by_mn: dict[str, Connection] = {}
        self.counts: Counter[str] = Counter()
        self.holding = False
        self.refusing = ""  # why nothing can be stored just now; '' when all is well
        self._records: list[bytes] = []
        self._answers: list[tuple[Connection, bytes]] = []
        self._late: list[tuple[Connection, hj212.Frame]] = []  # answers and notices to act on once stored
        self._bytes = 0
        self._numbers = int(time.time()) & 0xFFFFF
        self._known: dict[tuple[bytes, bytes], tuple[str, Device | None, str]] = {}  # forgotten twice a second
        self._wake = asyncio.Event()
        self._pool = ThreadPoolExecutor(1, "journal")
        self._server: asyncio.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    def next_number(self) -> int:
        self._numbers = (self._numbers + 1) & 0xFFFFFFFF
        return self._numbers

    # -- intake

    def keep(self, kind: int, line: Connection, payload: bytes, answer: bytes = b"") -> None:
        """Put a record into the next block; ``answer`` leaves after its sync."""
        self._records.append(pack(kind, time.time_ns() // 1000, line.number, payload))
        self._bytes += len(payload) + 17
        if answer:
            self._answers.append((line, answer))
        if not self._wake.is_set():
            self._wake.set()
        if self._bytes > self.settings.pending_high:
            self._hold_all()

    def judge(self, line: Connection, frame: hj212.Frame) -> bytes:
        """The answer that a stored frame gets: b'' when none.

        Unknown devices and wrong passwords are stored and get no 9014 (their requests get 9011 with the reason), unless
        the tables say that unknown ones are to be answered; they are quarantined all the same. A packet whose content is quarantined is acknowledged: it has been received, and sending it again would not mend it.
        """
        self.counts["frames"] += 1
        head = hj212.peek(frame.seg)
        known = self._known.get((head.mn, head.pw))
        if known is None:
            mn = head.mn.decode("utf-8", "replace")
            device = self.registry.get(mn)
            reason = admitted(device, head.pw.decode("utf-8", "replace"))
            if len(self._known) > 100_000:
                self._known.clear()
            self._known[head.mn, head.pw] = (mn, device, reason)
        else:
            mn, device, reason = known
        flag = int(head.flag) if head.flag.isdigit() and len(head.flag) < 4 else -1
        if reason or device is None:
            self.counts[reason] += 1
            command = hj212.tables().commands.get(head.cn.decode("ascii", "replace"))
            if command is not None and command.kind == "request" and flag >= 0 and flag & 1:
                return _answer(head, flag, b"9011", b"QnRtn=4" if reason == "unknown_device" else b"QnRtn=3")
            if device is None and self.settings.acknowledge_unknown and flag >= 0 and flag & 1:
                return _answer(head, flag, b"9014", b"")
            return b""
        if self.by_mn.get(mn) is not line and len(line.mns) < 10_000:
            self.by_mn[mn] = line
            line.mns.add(mn)
        if frame.encrypted and not self._opens(frame, device):
            self.counts["undecipherable"] += 1
            return b""
        cn = head.cn
        if cn[:2] == b"90" or cn == b"1013":
            if cn == b"9015":
                return _answer(head, flag, b"9013", b"") if flag >= 0 and flag & 1 else b""
            self._late.append((line, frame))
            return _answer(head, flag, b"9013", b"") if cn == b"1013" else b""
        if self.exchanges is not None and self.exchanges.active:
            self.exchanges.data(mn, cn.decode("ascii", "replace"), time.time())
        wanted = flag >= 0 and flag & 1
        if device.dialect.acknowledge is not None:
            wanted = device.dialect.acknowledge
        return _answer(head, flag, b"9014", b"") if wanted else b""

    @staticmethod
    def _opens(frame: hj212.Frame, device: Device) -> bool:
        packet = hj212.decode_frame(frame, device.dialect)
        return not (packet.has("sm4_no_key") or packet.has("sm4_wrong_key"))

    # -- storing

    async def _store(self) -> None:
        loop = asyncio.get_running_loop()
        settings = self.settings
        while True:
            await self._wake.wait()
            if self._bytes < settings.batch and not self._stopping:
                await asyncio.sleep(settings.window)
            records, answers, late = self._records, self._answers, self._late
            self._records, self._answers, self._late = [], [], []
            size, self._bytes = self._bytes, 0
            self._wake.clear()
            if records and await self._commit(loop, records):
                self.counts["stored"] += len(records)
                self.counts["stored_bytes"] += size
                self._deliver(answers)
                for line, frame in late:
                    self._act(line, frame)
            if self.holding and self._bytes < settings.pending_low:
                self.holding = False
                for line in list(self.lines.values()):
                    line.release("pending")
            if self._stopping and not self._records:
                return

    async def _commit(self, loop: asyncio.AbstractEventLoop, records: list[bytes]) -> bool:
        """Store one batch. While the disk refuses, nothing is acknowledged, nothing more is read, and the batch waits.

        False only when the gateway is stopped meanwhile: the batch is dropped, and the devices, unanswered, send again.
        """
        while True:
            try:
                await loop.run_in_executor(self._pool, self.journal.commit, records)
            except OSError as error:
                self.counts["refused"] += 1
                if not self.refusing:
                    log.error("原始日志无法写入，已停止接收和应答：%s", error.strerror)
                self.refusing = error.strerror or "写入失败"
                self._hold_all()
                if self._stopping:
                    return False
                await asyncio.sleep(self.settings.retry)
                continue
            if self.refusing:
                log.warning("原始日志恢复写入")
                self.refusing = ""
            return True

    def _hold_all(self) -> None:
        if not self.holding:
            self.holding = True
            for line in self.lines.values():
                line.hold("pending")

    def _deliver(self, answers: list[tuple[Connection, bytes]]) -> None:
        by_line: dict[Connection, list[bytes]] = {}
        for line, answer in answers:
            by_line.setdefault(line, []).append(answer)
        for line, parts in by_line.items():
            line.write(b"".join(parts))
        self.counts["acknowledged"] += len(answers)

    def _act(self, line: Connection, frame: hj212.Frame) -> None:
        """After storing: results of commands, and the clock for who asks."""
        device = self.registry.get(hj212.peek(frame.seg).mn.decode("utf-8", "replace"))
        if device is None:
            return
        packet = hj212.decode_frame(frame, device.dialect)
        now = time.time()
        if packet.cn == "1013":
            when = local_time(int(now * 1e6))
            params = [("PolId", packet.param("PolId"))] if packet.param("PolId") else []
            clock = hj212.request(
                "1012", mn=packet.mn, st=packet.st, qn=hj212.make_qn(when), pw=packet.pw,
                params=[*params, ("SystemTime", f"{when:%Y%m%d%H%M%S}")],
                version={0: 2005, 1: 2017, 2: 2025}.get(packet.version, 2017),
            )  # fmt: skip
            self.keep(SENT, line, clock)
            line.write(clock)
        elif self.exchanges is not None:
            try:
                self.exchanges.answer(packet, now)
            except sqlite3.Error as error:
                self._commands_failed(error)

    def send(self, mn: str, frame: bytes) -> bool:
        """Send a platform's frame to a device that is connected here; it is journalled too."""
        line = self.by_mn.get(mn)
        if line is None or not line.write(frame):
            return False
        self.keep(SENT, line, frame)
        return True

    # -- running

    async def start(self, host: str, port: int, *, reuse_port: bool = False) -> int:
        """Listen; returns the port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self), host, port, reuse_port=reuse_port, backlog=4096
        )
        self._tasks = [loop.create_task(self._store()), loop.create_task(self._tend())]
        return int(self._server.sockets[0].getsockname()[1])

    async def _tend(self) -> None:
        """Once a second: idle lines, unfinished frames, commands."""
        while True:
            await asyncio.sleep(0.5)
            now = time.monotonic()
            self._known.clear()
            for line in list(self.lines.values()):
                line.check(now)
            if self.exchanges is not None and self.by_mn:
                try:
                    self.exchanges.poll(list(self.by_mn), time.time())
                except sqlite3.Error as error:
                    self._commands_failed(error)

    def _commands_failed(self, error: sqlite3.Error) -> None:
        """Commands wait; taking data in goes on."""
        self.counts["command_errors"] += 1
        if self.counts["command_errors"] % 100 == 1:
            log.error("命令库无法读写，命令暂缓：%s", error)

    def broken(self) -> bool:
        """Whether a task that must run has ended: the process should be started anew."""
        return any(task.done() for task in self._tasks)

    async def stop(self) -> None:
        """Take nothing more, store and answer what has come, close."""
        self._stopping = True
        if self._server is not None:
            self._server.close()
        for line in list(self.lines.values()):
            line.hold("stopping")
        self._wake.set()
        if self._tasks:
            await self._tasks[0]
            self._tasks[1].cancel()
            await asyncio.gather(self._tasks[1], return_exceptions=True)
        for line in list(self.lines.values()):
            if line.transport is not None:
                line.transport.close()
        await asyncio.sleep(0)
        if self._server is not None:
            await self._server.wait_closed()
        self._pool.shutdown()
        self.journal.close()


def _answer(head: Peek, flag: int, cn: bytes, cp: bytes) -> bytes:
    """An answer by the version of the packet: 2005 carries the request number in the data area."""
    version = flag >> 2 if flag >= 0 else 0
    if version == 0:
        inside = b";".join(x for x in (b"QN=" + head.qn if head.qn else b"", cp) if x)
        seg = b"ST=91;CN=%s;PW=%s;MN=%s;Flag=0;CP=&&%s&&" % (cn, head.pw, head.mn, inside)
    else:
        stated = 8 if version == 2 else 4
        seg = b"QN=%s;ST=91;CN=%s;PW=%s;MN=%s;Flag=%d;CP=&&%s&&" % (head.qn, cn, head.pw, head.mn, stated, cp)
    return b"##%04d%s%04X\r\n" % (len(seg), seg, crc(seg))
