"""What the gateway must know of a device. The register itself belongs to others: they give a :class:`Registry`.

:class:`SqliteRegistry` is a small file register for a gateway that stands alone, for the simulator and for tests.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lvheng.telemetry.hj212 import STANDARD, Dialect


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

    def get(self, mn: str) -> Device | None: ...

    def refresh(self) -> None:
        """Forget what is cached; called every few seconds."""


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
        with self._db as db:
            db.execute("begin")
            db.executemany(
                "insert or replace into device values (?, ?, ?, ?, ?, ?, ?)",
                [
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
                ],
            )
        self._cache.clear()

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
        if row is not None:
            dialect = Dialect.from_dict(json.loads(row[2]), row[3])
            device: Device | None = Device(row[0], row[1], dialect, row[4], row[5], row[6])
        else:
            device = Device(mn) if self.open_door else None
        if len(self._cache) > 100_000:
            self._cache.clear()
        self._cache[mn] = device
        return device
