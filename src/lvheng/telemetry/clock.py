"""Wall time: HJ 212 has no zone, so naive UTC+8 is used throughout."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
_EPOCH = datetime(1970, 1, 1, 8)  # noqa: DTZ001 wall time UTC+8


def local_time(micros: int) -> datetime:
    """Wall time UTC+8 (naive) of microseconds since 1970 UTC."""
    return _EPOCH + timedelta(microseconds=micros)


def instant(hour: int) -> datetime:
    """The beginning of an hour counted from 1970, wall time UTC+8."""
    return datetime(1970, 1, 1, tzinfo=SHANGHAI) + timedelta(hours=hour)
