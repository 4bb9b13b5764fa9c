"""The view that pages are shown from: nobody waits for figures that others have just posted.

After a posting the next view takes a second or two to make. Until it is ready pages go on showing the
one before, which names the position it is of. Whoever has changed something is never shown a view from
before that change: ``since`` is the last event of the audit chain that the reader has to find included.

:func:`keep_ready` turns this on in the workers of the site. Commands, tests and everything that decides
or records use :func:`.view.current`, which is always of the present.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from datetime import date

from django.db import DatabaseError, connection
from django.utils import timezone

from lvheng.access.models import AuditEvent
from lvheng.core.problem import ProblemError
from lvheng.observations.view import Key, View, files_fingerprint, keyed, present_key

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Kept:
    key: Key
    view: View
    events: int  # the view includes all that the audit chain told up to this event
    seen: tuple[int, str, date]  # last event, files and day at which the key was last found to be the present one


_ready = False
_kept: dict[str, _Kept] = {}
_making: dict[str, threading.Thread] = {}
_guard = threading.Lock()


def last_event() -> int:
    """The number of the last event of the audit chain; 0 before the first. Asked by every request, so by plain SQL."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT MAX(id) FROM {AuditEvent._meta.db_table}")
        return cursor.fetchone()[0] or 0


def _now() -> tuple[int, str, date]:
    """While none of these changes, no view does: postings and decisions are told in the audit chain they commit with."""
    return last_event(), files_fingerprint(), timezone.localdate()


def keep_ready() -> None:
    """From now on serve the view before while the next is made; makes and warms the first one.

    Raises ProblemError on faulty files and DatabaseError without a database; it is on all the same.
    """
    global _ready
    _ready = True
    _renew("")


def view_for(plan_id: str | None = None, since: int = 0) -> View:
    """The view to show to a reader; raises ProblemError on an unknown plan or faulty files."""
    asked = plan_id or ""
    kept = _kept.get(asked)
    if not _ready or kept is None:
        view = keyed(plan_id)[1]
        if _ready:
            _renew_behind(asked)
        return view
    now = _now()
    if now == kept.seen:
        return kept.view
    if present_key(kept.key[0]) == kept.key:
        _kept[asked] = replace(kept, events=now[0], seen=now)
        return kept.view
    _renew_behind(asked)
    return kept.view if since <= kept.events else keyed(plan_id)[1]


def _renew(asked: str) -> None:
    now = _now()  # before the view is made: it may include more, never less
    key, view = keyed(asked or None)
    view.warm()
    _kept[asked] = _Kept(key, view, now[0], now)


def _renew_behind(asked: str) -> None:
    """Make the next view in a thread of its own; one at a time for a plan."""

    def run() -> None:
        try:
            _renew(asked)
        except (ProblemError, DatabaseError) as error:
            logger.error("数据未能更新，页面沿用上一次的：\n%s", error)
        finally:
            connection.close()
            with _guard:
                del _making[asked]

    with _guard:
        if asked not in _making:
            _making[asked] = threading.Thread(target=run, name=f"view {asked}", daemon=True)
            _making[asked].start()
