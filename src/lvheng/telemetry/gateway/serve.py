"""``lvheng gateway``: several gateway processes on one port, and one decoder behind them.

A data directory holds ``journal/``, ``lake/``, ``registry.sqlite``, ``commands.sqlite`` and ``live.sqlite``.
"""

from __future__ import annotations

import asyncio
import fcntl
import gc
import json
import logging
import multiprocessing
import os
import resource
import signal
import socket
import sqlite3
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path

from lvheng.telemetry.clock import local_time
from lvheng.telemetry.devices import SqliteRegistry
from lvheng.telemetry.gateway.exchange import CommandStore, Exchanges, must_be_sendable
from lvheng.telemetry.gateway.server import Gateway, Settings
from lvheng.telemetry.hj212 import tables
from lvheng.telemetry.journal import Journal

log = logging.getLogger("lvheng.gateway")
ENDING = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True, slots=True)
class Plan:
    """How a gateway is run. ``name`` begins the names of its journal streams; ``open_door`` takes unknown devices in."""

    data: Path
    host: str = "127.0.0.1"
    port: int = 9212
    workers: int = 1
    name: str = "g"
    open_door: bool = False
    decode: bool = True
    contact: bool = field(default_factory=lambda: bool(tables().gateway["first_contact"]["enabled"]))
    gap_minutes: float = field(default_factory=lambda: float(tables().gateway["gaps"]["every_minutes"]))
    settings: Settings = field(default_factory=Settings)

    @property
    def journal(self) -> Path:
        return self.data / "journal"

    def registry(self) -> SqliteRegistry:
        return SqliteRegistry(self.data / "registry.sqlite", open_door=self.open_door)


def work(plan: Plan, index: int, port: int, ready: Event, parent: int) -> None:
    """One gateway process."""
    _logging()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(_work(plan, index, port, ready, parent))


async def _work(plan: Plan, index: int, port: int, ready: Event, parent: int) -> None:
    stop = asyncio.Event()
    for number in ENDING:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    journal = Journal(plan.journal, f"{plan.name}{index:02d}")
    if journal.recovered:
        log.warning("原始日志%s末尾有%d字节未写完，已另存后截去", journal.stream, journal.recovered)
    if journal.damaged:
        log.error("%s", journal.damaged)
    registry = plan.registry()
    store = CommandStore(plan.data / "commands.sqlite")
    exchanges = Exchanges(store, registry, lambda mn, frame: False, contact=plan.contact)
    gateway = Gateway(journal, registry, plan.settings, exchanges)
    await gateway.start(plan.host, port, reuse_port=True)
    gc.collect()
    gc.freeze()  # what is loaded by now stays: no collection need look at it again
    ready.set()
    state = plan.data / f"state-{plan.name}{index:02d}.json"
    while not stop.is_set() and os.getppid() == parent:
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 2.0)
        if gateway.broken():
            log.critical("网关内部任务已中断，进程退出后将重新启动")
            os._exit(1)  # unanswered packets are sent again; the journal is whole by its blocks
        with suppress(sqlite3.Error):
            registry.refresh()
        with suppress(OSError):
            state.write_text(
                json.dumps(
                    {
                        "at": time.time(),
                        "connections": len(gateway.lines),
                        "devices": len(gateway.by_mn),
                        "refusing": gateway.refusing,
                        "counts": dict(gateway.counts),
                    },
                    ensure_ascii=False,
                )
            )
    await gateway.stop()
    store.close()
    registry.close()


def decode(plan: Plan, parent: int) -> None:
    """The decoder process: journal → lake → live values; asks for gaps now and then.

    Where several gateways share a folder, one of their decoders works for all and the others stand by.
    """
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    for number in ENDING:
        signal.signal(number, stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    # Only this process needs the columnar libraries; the gateway processes start and restart without them.
    import duckdb

    from lvheng.telemetry.gateway import gaps
    from lvheng.telemetry.ingest import Decoder
    from lvheng.telemetry.lake import Lake, lake_of
    from lvheng.telemetry.live import SqliteLive

    _logging()
    os.nice(5)  # who waits for an answer goes first
    patience = 4  # turns of waiting for a decoder that is about to end, once this one is told to stop
    while (_post := _alone(plan.data)) is None:
        patience -= stopping
        if not patience or os.getppid() != parent:
            os._exit(0)
        time.sleep(0.5)
    gc.freeze()
    registry = plan.registry()
    live = SqliteLive(plan.data / "live.sqlite")
    store = CommandStore(plan.data / "commands.sqlite")
    decoder = Decoder(plan.journal, Lake(lake_of(plan.data)), registry, live)
    next_gaps = time.time() + plan.gap_minutes * 60
    try:
        while not stopping and os.getppid() == parent:
            try:
                moved = decoder.step()
            except (OSError, sqlite3.Error) as error:
                log.error("数据湖无法写入，稍后再试：%s", error)
                moved = 0
                time.sleep(1.0)
            except Exception as error:  # the decoder has logged it in full; the other streams must go on
                log.error("解码未完成，稍后再试：%s", error)
                moved = 0
                time.sleep(1.0)
            registry.refresh()
            now = time.time()
            if now >= next_gaps:
                next_gaps = now + plan.gap_minutes * 60
                here: datetime = local_time(int(now * 1e6))
                try:
                    asked = gaps.ask(lake_of(plan.data), store, registry, here, stamp=now)
                except (OSError, sqlite3.Error, duckdb.Error) as error:
                    log.error("数据缺口检查未完成：%s", error)
                    asked = 0
                if asked:
                    log.info("发现数据缺口，已排入%d条补数请求", asked)
            time.sleep(0.2 if moved > 5000 else 1.0)
        decoder.run()
    finally:
        live.close()
        store.close()
        registry.close()
    os._exit(0)  # all is on disk; the native libraries' teardown would only write noise about itself


def _alone(data: Path) -> int | None:
    """The lock of the one decoder of a folder, or None while another holds it."""
    fd = os.open(data / "decoder.lock", os.O_RDWR | os.O_CREAT, 0o640)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    return fd


class Service:
    """The processes of one gateway: started, watched, restarted when they die, stopped."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self._context = multiprocessing.get_context("spawn")
        self._workers: dict[int, BaseProcess] = {}
        self._ready: dict[int, Event] = {}
        self._decoder: BaseProcess | None = None
        self._socket: socket.socket | None = None
        self.port = 0

    def start(self, timeout: float = 60.0) -> int:
        """Start everything; returns the port when every worker listens.

        Raises ProblemError where the tables name a command of first contact that no platform may send.
        """
        if self.plan.contact:
            for row in tables().gateway["first_contact"]["commands"]:
                must_be_sendable(row["cn"])
        self.plan.data.mkdir(parents=True, exist_ok=True)
        self.plan.registry().close()  # creates the file before several processes would
        CommandStore(self.plan.data / "commands.sqlite").close()
        # Bound but never listening: holds the port for the workers while they come and go.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._socket.bind((self.plan.host, self.plan.port))
        self.port = self._socket.getsockname()[1]
        waits = [self._start_worker(n) for n in range(self.plan.workers)]
        if self.plan.decode:
            self._start_decoder()
        end = time.monotonic() + timeout
        for wait in waits:
            if not wait.wait(max(0.0, end - time.monotonic())):
                self.stop()
                raise TimeoutError("gateway")
        return self.port

    def _start_worker(self, number: int) -> Event:
        ready = self._context.Event()
        process = self._context.Process(
            target=work, args=(self.plan, number, self.port, ready, os.getpid()), name=f"gateway-{number}"
        )
        _begin(process)
        self._workers[number] = process
        self._ready[number] = ready  # kept: its semaphore must live until the process has taken it over
        return ready

    def _start_decoder(self) -> None:
        self._decoder = self._context.Process(target=decode, args=(self.plan, os.getpid()), name="gateway-decoder")
        _begin(self._decoder)

    def pids(self) -> list[int]:
        return [p.pid for p in self._workers.values() if p.pid]

    def decoder_pid(self) -> int:
        return (self._decoder.pid or 0) if self._decoder is not None else 0

    def counts(self) -> Counter[str]:
        """What the workers counted by their last report, in all: frames, acknowledged, unknown_device, refused, …"""
        out: Counter[str] = Counter()
        for n in self._workers:
            with suppress(OSError, ValueError):
                out.update(json.loads((self.plan.data / f"state-{self.plan.name}{n:02d}.json").read_text())["counts"])
        return out

    def wait_dead(self, pid: int, timeout: float = 10.0) -> None:
        """Wait until the process of that id has ended."""
        for process in self._workers.values():
            if process.pid == pid:
                process.join(timeout)

    def tend(self) -> int:
        """Restart what has died; returns how many were restarted."""
        dead = [n for n, p in self._workers.items() if not p.is_alive()]
        for n in dead:
            log.error("网关进程%d已退出，正在重新启动", n)
            self._start_worker(n)
        if self._decoder is not None and not self._decoder.is_alive():
            log.error("解码进程已退出，正在重新启动")
            self._start_decoder()
            dead.append(-1)
        return len(dead)

    def stop(self) -> None:
        """Workers first: what they have acknowledged is then decoded to the end."""
        for process in self._workers.values():
            process.terminate()
        for process in self._workers.values():
            process.join(20)
        if self._decoder is not None:
            self._decoder.terminate()
            self._decoder.join(120)
        if self._socket is not None:
            self._socket.close()


def _begin(process: BaseProcess) -> None:
    """Start a process that hears of its end only when it has its own way to end: told before that, it would die of it and
    leave undecoded what was acknowledged."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _logging() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
