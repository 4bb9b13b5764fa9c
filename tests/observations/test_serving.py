"""Pages do not wait for a view that is being made, tell truthfully which one they show, and show a person's own change."""

from __future__ import annotations

import json

import pytest

from tests.support.server import City

PREPARE = """
import json, threading
from decimal import Decimal
from lvheng.observations import serving, view
from lvheng.observations.models import SourceDocument
from lvheng.observations.store import Figure, position, record

serving.keep_ready()
look = serving.view_for()
used = look.model.needs([t.indicator for t in look.plan.targets if t.indicator in look.catalogue])
free = next(i for i in look.catalogue if i.observed and i.code not in used and not i.dimensions and i.frequency.value == "year")
source = SourceDocument.objects.order_by("pk").first().key

def post():
    value = look.value(free.code, look.plan.header.city, view.Period.of_year(2019)) or Decimal(0)
    figure = Figure(free.code, look.plan.header.city, "2019", value + position(), free.unit, "statistics", source)
    return record([figure], kind="correction", title="试", by="试", catalogue=look.catalogue).posting

held, begun = threading.Event(), threading.Event()
read = view.View._read
def slow(self):
    begun.set()
    assert held.wait(60)
    return read(self)
"""
WHILE_MADE = """
view.View._read = slow
posted = post()
first = serving.view_for()                      # starts the making of the next view ...
assert begun.wait(60)
again = [serving.view_for() for _ in range(5)]  # ... which stands still, holding the lock
makers = len(serving._making)
held.set()
for maker in list(serving._making.values()):
    maker.join()
after = serving.view_for()
print(json.dumps([look.position, posted, first is look, all(v is look for v in again), makers, after.position]))
"""
OWN = """
view.View._read = slow
posted, event, shown = post(), serving.last_event(), []
person = threading.Thread(target=lambda: shown.append(serving.view_for(since=event).position))
person.start()
assert begun.wait(60)
other = serving.view_for().position             # a visitor meanwhile
waiting = person.is_alive()
held.set()
person.join()
for maker in list(serving._making.values()):
    maker.join()
print(json.dumps([look.position, posted, other, waiting, shown]))
"""


def told(city: City, script: str) -> list:
    done = city.run("manage", "shell", "--no-imports", "-c", PREPARE + script)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_view_before_is_shown_until_the_next_one_is_ready(city: City) -> None:
    before, posted, same, all_same, makers, after = told(city, WHILE_MADE)
    assert posted == before + 1
    assert same
    assert all_same
    assert makers == 1
    assert after == posted


def test_who_changed_something_waits_for_its_result_and_nobody_else_does(city: City) -> None:
    before, posted, other, waiting, shown = told(city, OWN)
    assert other == before
    assert waiting
    assert shown == [posted]


@pytest.mark.django_db
def test_outside_the_workers_the_view_is_always_of_the_present(monkeypatch: pytest.MonkeyPatch) -> None:
    from lvheng.observations import serving, view

    monkeypatch.setattr(serving, "_ready", False)
    assert serving.view_for() is view.current()
