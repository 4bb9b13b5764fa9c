"""Joining split packets. Each part has its own QN, so parts belong together by (MN, ST, CN, DataTime, PNUM).

Parts describe themselves and are stored one by one; *complete* is a derived state. A part that never comes is told
after a time-out, never waited for silently.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime

from lvheng.telemetry.hj212.packet import Packet

Key = tuple[Hashable, ...]


@dataclass(slots=True)
class Joined:
    """The parts seen so far of one split packet."""

    key: Key
    parts: dict[int, Packet] = field(default_factory=dict)
    first: float = 0.0
    last: float = 0.0
    repeated: int = 0
    conflicting: int = 0

    @property
    def expected(self) -> int:
        return next(iter(self.parts.values())).pnum or 0

    @property
    def missing(self) -> list[int]:
        return [n for n in range(1, self.expected + 1) if n not in self.parts]

    @property
    def complete(self) -> bool:
        return not self.missing


class Joiner:
    """Collects parts; ``most`` open sets are kept (the oldest is given up first)."""

    def __init__(self, window: float = 60.0, most: int = 4096):
        self.window = window
        self.most = most
        self._open: dict[Key, Joined] = {}

    @staticmethod
    def key(packet: Packet) -> Key:
        when: datetime | str | None = packet.data_time or packet.param("DataTime")
        return packet.mn, packet.st, packet.cn, when, packet.pnum

    def add(self, packet: Packet, now: float) -> Joined | None:
        """The set when this part completes it, else None. A whole packet needs no joining: None."""
        if packet.pnum is None or packet.pno is None:
            return None
        key = self.key(packet)
        joined = self._open.get(key)
        if joined is None:
            joined = self._open[key] = Joined(key, first=now)
        known = joined.parts.get(packet.pno)
        if known is not None:
            if known.values == packet.values:
                joined.repeated += 1
            else:
                joined.conflicting += 1
        joined.parts[packet.pno] = packet
        joined.last = now
        if joined.complete:
            return self._open.pop(key)
        return None

    def expire(self, now: float) -> list[Joined]:
        """Sets whose window has passed, or that are too many: given up with their missing parts named."""
        late = [k for k, j in self._open.items() if now - j.last > self.window]
        late += list(self._open)[: max(0, len(self._open) - len(late) - self.most)]
        return [self._open.pop(k) for k in dict.fromkeys(late)]
