"""The watch: roll-up, alarms, leads and meters kept up to date by themselves, by one process of a site at a time.

``lvheng telemetry watch`` runs :func:`keep_watch`; the gateway starts it. The row of :class:`~lvheng.telemetry.models.Watch` is
the lock, and shows how the last round went. Only outlets whose device is registered with the gateway are watched: others are
not expected to send.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from django.db import close_old_connections
from django.utils import timezone

from lvheng.core.problem import ProblemError
from lvheng.telemetry import papers, register, services
from lvheng.telemetry.clock import SHANGHAI
from lvheng.telemetry.energy_gateway import settle
from lvheng.telemetry.lake import Lake, day_of
from lvheng.telemetry.models import Outlet, Watch

log = logging.getLogger("lvheng.watch")
NAME = "telemetry"
LEASE = timedelta(minutes=20)  # after which another may take over from one that died
BACK = timedelta(days=62)  # older data are settled: months close before


@dataclass(frozen=True, slots=True)
class Round:
    """What a round did."""

    alarms: int
    leads: int
    first: date | None  # the first day that was rolled up again


def take_turn(holder: str, now: datetime | None = None) -> bool:
    """Whether ``holder`` has the watch now; one at a time over all processes and machines of a database."""
    now = now or timezone.now()
    Watch.objects.get_or_create(name=NAME, defaults={"until": now})
    free = Watch.objects.filter(name=NAME, until__lte=now) | Watch.objects.filter(name=NAME, holder=holder)
    return bool(free.update(holder=holder, until=now + LEASE))


def give_up(holder: str, now: datetime | None = None) -> None:
    Watch.objects.filter(name=NAME, holder=holder).update(until=now or timezone.now(), holder="")


def round_of(holder: str, now: datetime | None = None) -> Round | None:
    """One round if it is this holder's turn, else None. A fault is kept in the row and raised again."""
    now = now or timezone.now()
    if not take_turn(holder, now):
        return None
    try:
        before = Watch.objects.get(name=NAME).started
        Watch.objects.filter(name=NAME).update(started=now)
        done = _work(before, now)
    except Exception as error:
        words = (
            "；".join(p.message for p in error)
            if isinstance(error, ProblemError)
            else f"{type(error).__name__}：{error}"
        )
        Watch.objects.filter(name=NAME).update(fault=words[:2000], started=None, finished=timezone.now())
        raise
    finally:
        give_up(holder, now)
    Watch.objects.filter(name=NAME).update(fault="", finished=timezone.now(), alarms=done.alarms, leads=done.leads)
    return done


def _work(before: datetime | None, now: datetime) -> Round:
    local = now.astimezone(SHANGHAI)
    today = local.date()
    mns = set(Outlet.objects.filter(mn__in=register.registered()).values_list("mn", flat=True))
    since = (
        before
        if before is not None and before.astimezone(SHANGHAI).hour == local.hour and now - before < timedelta(hours=1)
        else None
    )
    changed = changed_days(services.lake_folder(), before)
    first = min([d for d in changed if d >= today - BACK], default=None)
    if since is None:
        first = min(first or today, today)  # a new hour may be silent, which nothing in the lake tells
    alarms = leads = 0
    if mns and first is not None:
        done = services.refresh(first, today, mns, now)
        alarms, leads = done.alarms, done.leads
    alarms += services.raise_logger_off({mn: at for mn, at in services.last_heard().items() if mn in mns}, now)
    papers.expire(now)
    settle.settle_changed(changed, now)
    return Round(alarms, leads, first)


def changed_days(lake: Path | str, since: datetime | None) -> list[date]:
    """Days of the lake with files written after ``since`` (None: all days)."""
    files = Lake(lake).files()
    return sorted({day_of(f.name) for f in files if since is None or f.modified >= since.timestamp() - 2})


def keep_watch(every: float, goes_on: Callable[[], bool], tell: Callable[[str], None]) -> None:
    """Rounds until ``goes_on`` says no: at least ``every`` seconds apart, and never busy for more than a quarter of the time."""
    holder = f"{socket.gethostname()} {os.getpid()}"
    while goes_on():
        began = time.monotonic()
        try:
            close_old_connections()
            done = round_of(holder)
            if done is not None and (done.alarms or done.leads):
                tell(f"新报警{done.alarms}条，新疑点{done.leads}条")
        except Exception as error:  # kept in the row and shown; the watch itself goes on
            tell(f"本轮汇总未完成，稍后再试：{error}")
            log.exception("watch")
        rest = max(every, 3 * (time.monotonic() - began))
        end = time.monotonic() + rest
        while goes_on() and time.monotonic() < end:
            time.sleep(0.5)


def state() -> Watch | None:
    """How the watch stands, for pages."""
    return Watch.objects.filter(name=NAME).first()


def overdue(row: Watch | None, now: datetime | None = None) -> bool:
    """Whether no round has come to its end for a while: the watch is not running."""
    now = now or timezone.now()
    return row is None or row.finished is None or now - row.finished > timedelta(minutes=30)
