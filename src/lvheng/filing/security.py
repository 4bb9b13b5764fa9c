"""The second wall on PostgreSQL: the database itself shows a unit or a county only its own filings.

While a request of a person who is bounded by a unit or a county runs, the connection carries whose filings may
be seen; policies on the tables hold every query to it. Commands and jobs carry nothing and see all. The wall
stands only where the site connects as a role that is no superuser.
"""

from __future__ import annotations

import threading
from typing import Any

from django.core.signals import request_finished, request_started
from django.db import connection

from lvheng.access.models import User
from lvheng.access.roles import CITYWIDE, Owner, Role

_held = threading.local()


def scope_of(user: User) -> str:
    """``unit:CODE,region:CODE``; empty for those whose sight is not bounded."""
    actor = user.acting
    if actor.role in CITYWIDE or actor.role is Role.ADMINISTRATOR:
        return ""
    owners: tuple[Owner, ...] = (
        Owner(unit=actor.unit) if actor.unit and actor.role is not Role.COUNTY else Owner(region=actor.region),
        *actor.stands_in,
    )
    return (
        ",".join(f"unit:{o.unit}" if o.unit else f"body:{o.body}" if o.body else f"region:{o.region}" for o in owners)
        or "none"
    )


def hold(user: User) -> None:
    """From here to the end of the request the database shows what the person may see."""
    if connection.vendor == "postgresql" and (scope := scope_of(user)):
        _set(scope, str(user.pk))
        _held.on = True


def release(**_: Any) -> None:
    """Let the connection see all again."""
    if getattr(_held, "on", False):
        _held.on = False
        _set("", "")


def _set(scope: str, person: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('lvheng.scope', %s, false), set_config('lvheng.person', %s, false)", [scope, person]
        )


request_started.connect(release, dispatch_uid="filing.release.start")
request_finished.connect(release, dispatch_uid="filing.release.end")
