"""The loggers of the simulator: what each is, and what it sends. Deterministic by seed; everything is 演示数据."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lvheng.telemetry import hj212
from lvheng.telemetry.devices import Device
from lvheng.telemetry.hj212.encode import Factor

WATER = (("w00000", 12.0), ("w01018", 35.0), ("w21003", 2.1), ("w21011", 0.3), ("w21001", 9.0), ("w01001", 7.4))
GAS = (("a00000", 22.0), ("a34013", 6.0), ("a21026", 18.0), ("a21002", 40.0), ("a19001", 8.5), ("a01012", 75.0))
OLD = {"w00000": "B01", "w01018": "011", "w21003": "060", "w21011": "101", "w21001": "065", "w01001": "001",
       "a00000": "B02", "a34013": "01", "a21026": "02", "a21002": "03", "a19001": "S01", "a01012": "S03"}  # fmt: skip
DIALECTS = ("", "", "", "", "lower_crc", "modbus", "old_codes", "long_time", "trailing", "no_flag", "gbk")


@dataclass(slots=True)
class Logger:
    """One simulated data logger. ``dialect`` names its departure from the standard, '' for none."""

    mn: str
    st: str
    version: int
    dialect: str
    factors: tuple[tuple[str, float], ...]
    seed: int
    password: str = "123456"
    interval: int = 10  # minutes between minute data
    outages: list[tuple[datetime, datetime]] = field(default_factory=list)

    def device(self) -> Device:
        """What the register must know to understand it."""
        dialect = hj212.STANDARD
        if self.dialect == "modbus":
            dialect = hj212.Dialect(name="MODBUS校验", crc="modbus")
        elif self.dialect == "no_flag":
            dialect = hj212.Dialect(name="无标志", acknowledge=True)
        return Device(self.mn, self.password, dialect, st=self.st, version=self.version)

    def out(self, when: datetime) -> bool:
        return any(a <= when < b for a, b in self.outages)

    def value(self, code: str, base: float, when: datetime) -> tuple[float, str]:
        """A value and its flag: a daily wave, noise of the (logger, code, minute), now and then a fault."""
        rng = random.Random(f"{self.seed} {code} {when:%Y%m%d%H%M}")
        wave = 1 + 0.25 * math.sin((when.hour + when.minute / 60) / 24 * 2 * math.pi + self.seed)
        flag = "N"
        chance = rng.random()
        if chance < 0.004:
            flag = rng.choice("DMCTB")
        return max(0.0, base * wave * rng.gauss(1, 0.06)), flag

    def minute(self, when: datetime, *, late: bool = False) -> list[bytes]:
        """The minute upload of the interval that begins at ``when``, as the frames that go over the line."""
        factors = []
        for code, base in self.factors:
            mean, flag = self.value(code, base, when)
            name = OLD[code] if self.dialect == "old_codes" else code
            factors.append(
                (name, {"Min": f"{mean * 0.95:.3f}", "Avg": f"{mean:.3f}", "Max": f"{mean * 1.06:.3f}", "Flag": flag})
            )
        return self._dress("2051", when, factors, late)

    def realtime(self, when: datetime) -> list[bytes]:
        factors = []
        for code, base in self.factors:
            now, flag = self.value(code, base, when)
            factors.append((OLD[code] if self.dialect == "old_codes" else code, {"Rtd": f"{now:.3f}", "Flag": flag}))
        return self._dress("2011", when, factors, False)

    def _dress(self, cn: str, when: datetime, factors: Sequence[Factor], late: bool) -> list[bytes]:
        sent = hj212.make_qn(
            when + timedelta(minutes=self.interval if cn == "2051" else 0, milliseconds=self.seed % 1000)
        )
        frames = hj212.upload(
            cn, st=self.st, mn=self.mn, data_time=when, factors=factors, qns=[sent], pw=self.password,
            version=self.version, ack=True, late=late, variant="modbus" if self.dialect == "modbus" else "hj212",
        )  # fmt: skip
        return [self._distort(f) for f in frames]

    def _distort(self, frame: bytes) -> bytes:
        if self.dialect == "lower_crc":
            return frame[:-6] + frame[-6:-2].lower() + frame[-2:]
        seg = frame[6:-6]
        if self.dialect == "long_time":
            at = seg.index(b"DataTime=") + 23
            seg = seg[:at] + b"000" + seg[at:]
        elif self.dialect == "trailing":
            seg = seg[:-2] + b";&&"
        elif self.dialect == "no_flag":
            head, _, tail = seg.partition(b";Flag=")
            seg = head + tail[tail.index(b";") :]
        elif self.dialect == "gbk":
            seg = seg[:-2] + ";i11001-Info=//演示设备//&&".encode("gb18030")
        else:
            return frame
        return hj212.frame_bytes(seg)


def make_fleet(count: int, seed: int = 1, start: datetime | None = None, hours: int = 24) -> list[Logger]:
    """``count`` loggers; about a third of each version, half water and half gas, one in twenty with an outage."""
    rng = random.Random(seed)
    out = []
    for n in range(count):
        version = (2005, 2017, 2017, 2025)[rng.randrange(4)]
        mn = f"{88000000000000 + n}" if version == 2005 else f"{0xDE0000000000 + n:024X}"
        water = rng.random() < 0.5
        dialect = rng.choice(DIALECTS)
        if dialect == "no_flag" and version != 2005:
            dialect = ""
        logger = Logger(mn, "32" if water else "31", version, dialect, WATER if water else GAS, seed * 100_003 + n)
        if start is not None and rng.random() < 0.05:
            began = start + timedelta(minutes=10 * rng.randrange(max(1, hours * 6)))
            logger.outages.append((began, began + timedelta(minutes=10 * rng.randint(1, 36))))
        out.append(logger)
    return out


def schedule(fleet: list[Logger], start: datetime, end: datetime) -> Iterator[tuple[datetime, Logger, bool]]:
    """Minute uploads in order of time: (interval start, logger, late). What an outage held back comes late, afterwards."""
    held: dict[str, list[datetime]] = {}
    when = start
    while when < end:
        for logger in fleet:
            if logger.out(when):
                held.setdefault(logger.mn, []).append(when)
                continue
            for missed in held.pop(logger.mn, []):
                yield missed, logger, True
            yield when, logger, False
        when += timedelta(minutes=10)
    for logger in fleet:
        for missed in held.pop(logger.mn, []):
            yield missed, logger, True
