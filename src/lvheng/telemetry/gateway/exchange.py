"""The platform's side (上位机): commands to devices with 9011 → data → 9012, time-outs and re-sends by the tables.

A command is *queued*, *sent*, *accepted* (9011 says 1) and *done* (9012 says 1; for a notice, 9013). It ends otherwise as
*refused* (9011 says another), *failed* (9012 says another) or *timed_out* (every re-send unanswered). Each change is kept
with its time: the trail shows who asked what and what the device said.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lvheng.core.problem import Problem, ProblemError
from lvheng.telemetry import hj212
from lvheng.telemetry.clock import local_time
from lvheng.telemetry.devices import Device, Registry

NOW = "now"
"""A parameter that stands for the moment of sending, so that a clock set late is still set right."""

STATES = {
    "queued": "待发送",
    "sent": "已发送",
    "accepted": "设备已受理",
    "done": "已完成",
    "refused": "设备拒绝",
    "failed": "执行失败",
    "timed_out": "超时未答",
}


AT_ONCE = 200
"""Devices or commands handled in one turn, so that a fleet that comes back at once does not hold up the others."""


@dataclass(slots=True)
class Command:
    """One command of the queue. Times are seconds since 1970 UTC."""

    id: int
    mn: str
    st: str
    cn: str
    params: list[tuple[str, str]]
    state: str
    reason: str
    qn: str
    attempts: int
    created: float
    changed: float
    by: str


class CommandStore:
    """Commands and their trail in one SQLite file, shared by the workers of a gateway."""

    def __init__(self, path: Path):
        self._db = sqlite3.connect(path, timeout=10, isolation_level=None)
        self._db.execute("pragma journal_mode = wal")
        self._db.executescript(
            "create table if not exists command (id integer primary key, mn text not null, st text not null, cn text not null,"
            " params text not null, state text not null, reason text not null default '', qn text not null default '',"
            " attempts integer not null default 0, created real not null, changed real not null, by text not null default '');"
            "create index if not exists command_open on command (state, mn);"
            "create table if not exists trail (command integer not null, at real not null, state text not null,"
            " reason text not null);"
            "create table if not exists contact (mn text primary key, at real not null) without rowid;"
        )

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Several changes as one: all are kept, or none."""
        self._db.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    def contacted(self, mn: str, now: float) -> bool:
        """Note a device's first contact; False when it was noted before, by whichever worker."""
        return bool(self._db.execute("insert or ignore into contact values (?, ?)", (mn, now)).rowcount)

    def add(
        self,
        mn: str,
        cn: str,
        *,
        st: str,
        params: Sequence[tuple[str, str]] = (),
        by: str = "",
        now: float | None = None,
    ) -> int:
        """Queue a command; returns its number. Raises ProblemError for what a platform may not send."""
        must_be_sendable(cn)
        for key, text in params:
            if any(c in text for c in ";,=&#\r\n") or not key.isalnum():
                raise ProblemError(
                    Problem("telemetry.command.parameter", "命令参数含有不允许的字符", got=f"{key}={text}")
                )
        now = time.time() if now is None else now
        cursor = self._db.execute(
            "insert into command (mn, st, cn, params, state, created, changed, by) values (?, ?, ?, ?, 'queued', ?, ?, ?)",
            (mn, st, cn, json.dumps(list(params), ensure_ascii=False), now, now, by),
        )
        number = int(cursor.lastrowid or 0)
        self._db.execute("insert into trail values (?, ?, 'queued', '')", (number, now))
        return number

    def get(self, number: int) -> Command:
        return self._commands("where id = ?", (number,))[0]

    def latest(self, most: int = 20) -> list[Command]:
        """The commands changed last, newest first."""
        return self._commands("order by changed desc, id desc limit ?", (most,))

    def waiting(self, mns: Iterable[str]) -> list[Command]:
        """Open commands of these devices, oldest first."""
        marks = list(mns)
        out = []
        for at in range(0, len(marks), 500):
            part = marks[at : at + 500]
            places = ",".join("?" * len(part))
            out += self._commands(f"where state in ('queued', 'sent', 'accepted') and mn in ({places})", part)
        return sorted(out, key=lambda c: c.id)

    def due(self, mns: Iterable[str], before: float) -> list[Command]:
        """The oldest open command of each of these devices, where it is queued or was last changed before then."""
        marks = list(mns)
        out = []
        for at in range(0, len(marks), 500):
            part = marks[at : at + 500]
            places = ",".join("?" * len(part))
            out += self._commands(
                "where id in (select min(id) from command where state in ('queued', 'sent', 'accepted')"
                f" and mn in ({places}) group by mn) and (state = 'queued' or changed <= ?)",
                [*part, before],
            )
        return sorted(out, key=lambda c: c.id)

    def any_open(self) -> bool:
        row = self._db.execute("select 1 from command where state in ('queued', 'sent', 'accepted') limit 1").fetchone()
        return row is not None

    def similar(self, mn: str, cn: str, params: Sequence[tuple[str, str]], since: float) -> bool:
        """Whether the same was asked of the device since then."""
        row = self._db.execute(
            "select 1 from command where mn = ? and cn = ? and params = ? and created >= ? limit 1",
            (mn, cn, json.dumps(list(params), ensure_ascii=False), since),
        ).fetchone()
        return row is not None

    def change(
        self,
        command: Command,
        state: str,
        reason: str = "",
        *,
        qn: str | None = None,
        attempts: int | None = None,
        now: float,
    ) -> bool:
        """Move a command on, unless another worker has moved it meanwhile."""
        done = self._db.execute(
            "update command set state = ?, reason = ?, qn = ?, attempts = ?, changed = ? where id = ? and state = ?"
            " and changed = ?",
            (
                state,
                reason,
                command.qn if qn is None else qn,
                command.attempts if attempts is None else attempts,
                now,
                command.id,
                command.state,
                command.changed,
            ),
        ).rowcount
        if done:
            self._db.execute("insert into trail values (?, ?, ?, ?)", (command.id, now, state, reason))
        return bool(done)

    def trail(self, number: int) -> list[tuple[float, str, str]]:
        return self._db.execute(
            "select at, state, reason from trail where command = ? order by rowid", (number,)
        ).fetchall()

    def _commands(self, where: str, args: Sequence[object]) -> list[Command]:
        rows = self._db.execute(
            f"select id, mn, st, cn, params, state, reason, qn, attempts, created, changed, by from command {where}",
            args,
        )
        return [Command(r[0], r[1], r[2], r[3], [(k, v) for k, v in json.loads(r[4])], *r[5:]) for r in rows]

    def close(self) -> None:
        self._db.close()


class Exchanges:
    """Drives the open commands of the devices that are connected here. ``send`` gives False when it cannot."""

    def __init__(
        self,
        store: CommandStore,
        registry: Registry,
        send: Callable[[str, bytes], bool],
        *,
        execution: float = 300.0,
        timeouts: dict[str, tuple[float, int]] | None = None,
        contact: bool = False,
    ):
        self.store = store
        self.registry = registry
        self.send = send
        self.execution = execution  # seconds without data or result after which an accepted command is given up
        self.timeouts = timeouts or {k: (float(s), n) for k, (s, n) in hj212.tables().timeouts.items()}
        self.contact = contact  # whether devices seen for the first time are sent the commands of a first contact
        self._greeted: set[str] = set()
        self.active = False  # whether any command was open at the last poll
        self._data_seen: dict[tuple[str, str], float] = {}

    def poll(self, connected: Iterable[str], now: float) -> None:
        """Send what is queued, send again what is unanswered, give up what is overdue. One command a device at a time."""
        mns = list(connected)
        if self.contact:
            self._greet(mns, now)
        self.active = self.store.any_open()
        if not self.active:
            return
        due = self.store.due(mns, now - min(s for s, _ in self.timeouts.values()))
        if not due:
            return
        frames: list[tuple[str, bytes]] = []
        with self.store.batch():
            for command in due[:AT_ONCE]:
                device = self.registry.get(command.mn)
                if device is None:
                    continue
                seconds, resend = self.timeouts.get(device.link, (10.0, 3))
                if command.state == "queued":
                    frames += self._claim(command, device, hj212.make_qn(local_time(int(now * 1e6))), now)
                elif command.state == "sent" and now - command.changed >= seconds:
                    if command.attempts > resend:
                        self.store.change(command, "timed_out", f"发送{command.attempts}次均无应答", now=now)
                    else:
                        frames += self._claim(command, device, command.qn, now)
                elif command.state == "accepted":
                    last = max(command.changed, self._data_seen.get((command.mn, command.cn), 0.0))
                    if now - last >= self.execution:
                        self.store.change(command, "timed_out", "设备受理后没有返回结果", now=now)
        for mn, frame in frames:
            self.send(mn, frame)

    def _claim(self, command: Command, device: Device, qn: str, now: float) -> list[tuple[str, bytes]]:
        """The frame to send, once the store says that this worker sends it."""
        if not self.store.change(command, "sent", qn=qn, attempts=command.attempts + 1, now=now):
            return []
        here = f"{local_time(int(now * 1e6)):%Y%m%d%H%M%S}"
        frame = hj212.request(
            command.cn, mn=command.mn, st=command.st, qn=qn, pw=device.password or "123456", version=device.version,
            params=[(k, here if v == NOW else v) for k, v in command.params],
            key=device.dialect.sm4_key if device.version == 2025 else b"",
        )  # fmt: skip
        return [(command.mn, frame)]

    def _greet(self, connected: Iterable[str], now: float) -> None:
        """Queue the commands of a first contact for registered devices that were never seen before."""
        new = [mn for mn in connected if mn not in self._greeted][:AT_ONCE]
        if not new:
            return
        with self.store.batch():
            for mn in new:
                device = self.registry.get(mn)
                if device is not None and self.store.contacted(mn, now):
                    first_contact(self.store, device, now)
        if len(self._greeted) > 100_000:
            self._greeted.clear()
        self._greeted.update(new)

    def data(self, mn: str, cn: str, now: float) -> None:
        """A device sent data of that command: an accepted history request is alive."""
        if len(self._data_seen) > 100_000:
            self._data_seen.clear()
        self._data_seen[mn, cn] = now

    def answer(self, packet: hj212.Packet, now: float) -> str:
        """Take a 9011, 9012 or 9013; returns the new state, or '' when it belongs to no open command."""
        command = next((c for c in self.store.waiting([packet.mn]) if c.qn and c.qn == packet.request_qn), None)
        if command is None:
            return ""
        table = hj212.tables()
        state, reason = "", ""
        if packet.cn == "9011" and command.state == "sent":
            code = packet.param("QnRtn")
            state, reason = ("accepted", "") if code == "1" else ("refused", table.qn_rtn.get(code, f"应答码{code}"))
        elif packet.cn == "9012":
            code = packet.param("ExeRtn")
            state, reason = ("done", "") if code == "1" else ("failed", table.exe_rtn.get(code, f"结果码{code}"))
        elif packet.cn == "9013" and table.commands[command.cn].kind == "notice":
            state = "done"
        if state and self.store.change(command, state, reason, now=now):
            return state
        return ""


def first_contact(store: CommandStore, device: Device, now: float | None = None) -> list[int]:
    """Queue the commands of a first contact (HJ 212-2017 6.7), as the tables list them; returns their numbers."""
    table = hj212.tables()
    seconds, resend = table.timeouts.get(device.link, (10, 3))
    words = {"timeout": str(seconds), "resend": str(resend)}
    return [
        store.add(
            device.mn, row["cn"], st=device.st or "91", by="首次连接", now=now,
            params=[(k, words.get(v, v)) for k, v in row.get("params", {}).items()],
        )
        for row in table.gateway["first_contact"]["commands"]
        if available(row["cn"], device.version)
    ]  # fmt: skip


def must_be_sendable(cn: str) -> None:
    """Raise ProblemError where a command is not one that a platform sends."""
    command = hj212.tables().commands.get(cn)
    if command is None or command.sender == "D" or command.kind in ("answer", "upload"):
        raise ProblemError(Problem("telemetry.command.unknown", "该命令不能由平台下发", got=cn, fix="请核对命令编号"))


def available(cn: str, version: int) -> bool:
    """Whether a version of the standard (2005, 2017, 2025) knows a command."""
    command = hj212.tables().commands[cn]
    return command.since <= version <= (command.until or 9999)
