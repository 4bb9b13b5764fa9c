"""Daily jobs and other work that the serving site does by itself, without cron.

A room registers what it needs in its ``AppConfig.ready``; each worker of ``lvheng serve`` calls :func:`start`. Of all workers,
and all machines on one database, the first to claim a day's job runs it; a claim whose process died is taken over.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial

from django.db import DatabaseError, IntegrityError, close_old_connections, transaction
from django.utils import timezone

from lvheng.access.models import DailyRun
from lvheng.core.problem import ProblemError

EVERY = 30  # seconds between looks
HOUR = 8  # local; nobody is written to at night
ABANDONED = timedelta(minutes=30)  # an unfinished claim older than this belonged to a process that died

_daily: dict[str, Callable[[date], str]] = {}
_often: dict[str, Callable[[], object]] = {}
_log = logging.getLogger("lvheng")


def register(name: str, job: Callable[[date], str]) -> None:
    """Run once a day; the job may be run again after a crash and says in words what it did."""
    _daily[name] = job


def register_often(name: str, job: Callable[[], object]) -> None:
    """Run at the start of each worker and every half minute."""
    _often[name] = job


def start() -> threading.Thread:
    """Begin looking, in a thread that ends with the process."""
    thread = threading.Thread(target=_loop, name="daily", daemon=True)
    thread.start()
    return thread


def _loop() -> None:
    wait = threading.Event()
    while True:
        look()
        wait.wait(EVERY)


def look() -> None:
    """One look: what is due is done. Nothing that goes wrong in a job stops the others or the site."""
    for name, often in _often.items():
        _guarded(name, often)
    if timezone.localtime().hour >= HOUR:
        for name in _daily:
            _guarded(name, partial(run, name, timezone.localdate()))
    close_old_connections()


def _guarded(name: str, job: Callable[[], object]) -> None:
    try:
        job()
    except (DatabaseError, ProblemError, OSError) as error:
        _log.warning("%s：%s", name, error)
    except Exception:
        _log.exception("%s", name)


def run(name: str, day: date) -> bool:
    """Run the day's job unless it was run or is running; says whether this process ran it."""
    claim = _claim(name, day)
    if claim is None:
        return False
    outcome = _daily[name](day)
    DailyRun.objects.filter(pk=claim.pk).update(finished_at=timezone.now(), outcome=outcome[:200])
    return True


def _claim(name: str, day: date) -> DailyRun | None:
    now = timezone.now()
    found = DailyRun.objects.filter(name=name, day=day).first()
    if found is None:
        try:
            with transaction.atomic():
                return DailyRun.objects.create(name=name, day=day, started_at=now)
        except IntegrityError:
            return None
    if found.finished_at is not None or now - found.started_at < ABANDONED:
        return None
    taken = DailyRun.objects.filter(pk=found.pk, started_at=found.started_at, finished_at=None).update(started_at=now)
    return found if taken else None
