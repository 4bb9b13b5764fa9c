"""What the gateway must know of a device. The register itself belongs to others: they give a :class:`Registry`.

The gateway reads ``registry.sqlite`` of its data folder through :class:`SqliteRegistry`. Whoever keeps the register (the
outlets of the web side, ``lvheng telemetry register``, the simulator) writes to that file with :meth:`SqliteRegistry.put` and
:meth:`SqliteRegistry.remove`, from any process; every gateway process and the decoder look for changes about every two
seconds, so that a device is taken, changed or refused within seconds and without a restart.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from lvheng.telemetry.hj212 import STANDARD, Dialect


def data_folder() -> Path:
    """The folder of the gateway: ``telemetry`` in LVHENG_HOME, or in ``var`` beside the source."""
    home = os.environ.get("LVHENG_HOME") or Path(__file__).resolve().parents[3] / "var"
    return Path(home).resolve() / "telemetry"


@dataclass(frozen=True, slots=True)
class Device:
    """A known device; an empty password is not checked. ``link`` names a row of the time-out table."""

    mn: str
    password: str = ""
    dialect: Dialect = STANDARD
    link: str = "GPRS"
    st: str = ""
    version: int = 2017


class Registry(Protocol):
    """Looks a device up by the MN it sends (which may be an alias of its own)."""

    def get(self, mn: str) -> Device | None:
        """The device, or None when it is not registered. Called for every packet, so it must be quick."""
        ...

    def refresh(self) -> None:
        """Take notice of changes; called every few seconds."""
        ...


def admitted(device: Device | None, pw: str) -> str:
    """Why a packet is not taken as the device's own: '' when it is, else ``unknown_device`` or ``password``."""
    if device is None:
        return "unknown_device"
    if device.password and pw != device.password:
        return "password"
    return ""


class MemoryRegistry:
    """Devices in memory. ``open_door``: unknown devices are taken in as standard ones (trials only)."""

    def __init__(self, devices: Iterable[Device] = (), *, open_door: bool = False):
        self.devices = {d.mn: d for d in devices}
        self.open_door = open_door

    def get(self, mn: str) -> Device | None:
        device = self.devices.get(mn)
        if device is None and self.open_door:
            return Device(mn)
        return device

    def refresh(self) -> None:
        pass


class SqliteRegistry:
    """Devices in one SQLite file; a lookup is cached until :meth:`refresh` finds that the file has changed."""

    def __init__(self, path: Path, *, open_door: bool = False):
        self.path = Path(path)
        self.open_door = open_door
        self._cache: dict[str, Device | None] = {}
        self._version = 0
        self._db = sqlite3.connect(self.path, timeout=10, isolation_level=None)
        self._db.execute("pragma journal_mode = wal")
        with self._db as db:
            db.execute(
                "create table if not exists device (mn text primary key, password text not null default '',"
                " dialect text not null default '{}', sm4_key blob not null default x'', link text not null default 'GPRS',"
                " st text not null default '', version integer not null default 2017)"
            )

    def put(self, devices: Iterable[Device]) -> None:
        """Add devices, or change what is known of them."""
        rows = [
            (
                d.mn,
                d.password,
                json.dumps(d.dialect.as_dict(), ensure_ascii=False),
                d.dialect.sm4_key,
                d.link,
                d.st,
                d.version,
            )
            for d in devices
        ]
        self._change("insert or replace into device values (?, ?, ?, ?, ?, ?, ?)", rows)

    def remove(self, mns: Iterable[str]) -> None:
        """Forget devices: what they send is from then on that of unknown ones."""
        self._change("delete from device where mn = ?", [(mn,) for mn in mns])

    def _change(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        self._db.execute("begin immediate")
        try:
            self._db.executemany(statement, rows)
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")
        self._cache.clear()

    def all(self) -> list[Device]:
        """Every registered device, by MN."""
        return [_device(row) for row in self._db.execute("select * from device order by mn")]

    def refresh(self) -> None:
        version = self._db.execute("pragma data_version").fetchone()[0]
        if version != self._version:
            self._version = version
            self._cache.clear()

    def close(self) -> None:
        self._db.close()

    def get(self, mn: str) -> Device | None:
        if mn in self._cache:
            return self._cache[mn]
        row = self._db.execute("select * from device where mn = ?", (mn,)).fetchone()
        device = _device(row) if row is not None else Device(mn) if self.open_door else None
        if len(self._cache) > 100_000:
            self._cache.clear()
        self._cache[mn] = device
        return device


def _device(row: tuple[Any, ...]) -> Device:
    dialect = Dialect.from_dict(json.loads(row[2]), row[3])
    return Device(row[0], row[1], STANDARD if dialect == STANDARD else dialect, row[4], row[5], row[6])
