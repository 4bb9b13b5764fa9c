"""Two people save the same item of a draft at one moment, on SQLite and on PostgreSQL: one wins, the other is told."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.server import City

SCRIPT = """
import json, threading
from pathlib import Path
from django.db import connection
from django.test import Client
from lvheng.access.models import User
from lvheng.plan import drafting
from lvheng.plan.models import PlanDraft

people = [User.objects.get_or_create(username=f"race-{n}", defaults=dict(role="lead", full_name=name))[0] for n, name in enumerate(("甲", "乙"))]
clients = [Client(SERVER_NAME="127.0.0.1") for _ in people]
for client, person in zip(clients, people):
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
clients[0].post("/plan/read/", {"text": Path(TEXT).read_text(encoding="utf-8")})
draft = PlanDraft.objects.latest("pk")
entry = drafting.find(draft.data, "T001")[1]
start, told = threading.Barrier(2), {}

def save(n):
    given = drafting.shown(entry, drafting.TARGET_FIELDS) | {"mark": drafting.mark_of(entry, drafting.TARGET_FIELDS), "value": str(13 + n), "action": "save"}
    start.wait()
    answer = clients[n].post(f"/plan/drafts/{draft.pk}/item/T001/", given)
    told[n] = [answer.status_code, "改动了这一项" in answer.content.decode()]
    connection.close()

threads = [threading.Thread(target=save, args=(n,)) for n in (0, 1)]
[t.start() for t in threads], [t.join() for t in threads]
draft.refresh_from_db()
print(json.dumps([told[0], told[1], drafting.find(draft.data, "T001")[1]["value"], draft.version]))
"""


def test_of_two_saves_at_one_moment_one_wins_and_the_other_is_shown_it(city: City) -> None:
    text = str(Path(__file__).with_name("linjiang.txt"))
    done = city.run("manage", "shell", "--no-imports", "-c", f"TEXT = {text!r}\n{SCRIPT}")
    assert done.returncode == 0, done.stderr
    first, second, value, version = json.loads(done.stdout.splitlines()[-1])
    assert sorted([first, second]) == [[302, False], [422, True]]
    assert value == (13 if first[0] == 302 else 14)
    assert version == 1
