"""Several people at once, and a process killed in the middle: one wins, the others are told; all or nothing.

Each actor is a process of its own on the demo city, on SQLite and on PostgreSQL alike.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.server import City

PREPARE = """
import os, sys, time, signal
import django; django.setup()
from lvheng.access.models import User
from lvheng.core.problem import ProblemError
from lvheng.filing import imports, review, services, content
from lvheng.filing.models import Filing, FilingVersion, Step
from lvheng.observations.models import Posting, Observation
"""


def start(city: City, code: str) -> subprocess.Popen[str]:
    environment = {**city.environment, "DJANGO_SETTINGS_MODULE": "lvheng.web.settings"}
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", PREPARE + code],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ask(city: City, code: str) -> str:
    process = start(city, code)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out.strip()


def race(city: City, code: str, times: int = 4) -> list[str]:
    """The same code in several processes that begin at one moment; what each printed."""
    wait = "import time\nsys.stdout.write('ready\\n'); sys.stdout.flush(); sys.stdin.readline()\n"
    environment = {**city.environment, "DJANGO_SETTINGS_MODULE": "lvheng.web.settings"}
    processes = [
        subprocess.Popen([sys.executable, "-W", "ignore", "-c", PREPARE + "n = " + str(n) + "\n" + wait + code], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for n in range(times)
    ]  # fmt: skip
    for p in processes:
        assert p.stdout
        p.stdout.readline()
    for p in processes:
        assert p.stdin
        p.stdin.write("go\n")
        p.stdin.flush()
    said = []
    for p in processes:
        out, err = p.communicate(timeout=120)
        assert p.returncode == 0, err
        said.append(out.strip())
    return said


TRY = """
try:
    {act}
    print("won")
except ProblemError as error:
    print(",".join(p.code for p in error))
"""


def test_two_people_accept_at_once_and_one_wins(city: City) -> None:
    pk = ask(city, "print(Filing.objects.filter(state='county_reviewed').first().pk)")
    before = int(ask(city, "print(Posting.objects.count())"))
    act = f"review.pass_on(User.objects.get(username='demo-lead' if n % 2 else 'demo-lead2'), {pk}, 1)"
    said = race(city, "\n".join(("lead = 0", TRY.format(act=act))))
    assert said.count("won") == 1, said
    assert set(said) <= {"won", "filing.review.state"}, said
    assert int(ask(city, "print(Posting.objects.count())")) == before + 1
    assert ask(city, f"print(Step.objects.filter(filing={pk}, action='accept').count())") == "1"


def test_accepting_and_returning_at_once_gives_one_conclusion(city: City) -> None:
    pk = ask(city, "print(Filing.objects.filter(state='county_reviewed').first().pk)")
    act = f"user = User.objects.get(username='demo-lead'); (review.pass_on if n % 2 else review.return_)(user, {pk}, 1, '意见')"
    said = race(city, TRY.format(act=act))
    assert said.count("won") == 1, said
    state = ask(
        city, f"print(Filing.objects.get(pk={pk}).state, FilingVersion.objects.get(filing={pk}, number=1).state)"
    )
    assert state in ("accepted accepted", "returned returned")


def test_beginning_the_same_form_at_once_makes_one_filing_and_no_save_is_lost(city: City) -> None:
    act = """
from lvheng.core.period import Period
unit = User.objects.get(username='demo-enterprise')
f = services.start(unit, 'unit_energy', unit.unit, Period.parse('2026-10'))
"""
    said = race(city, act + "print(f.pk)")
    assert len(set(said)) == 1, said
    pk = said[0]
    ask(city, f"u = User.objects.get(username='demo-enterprise'); services.save_draft(u, {pk}, {{}})")
    lost = race(
        city,
        "unit = User.objects.get(username='demo-enterprise')\n"
        + TRY.format(act=f"services.save_draft(unit, {pk}, {{}}, 1)"),
    )
    assert lost.count("won") == 1, lost
    assert set(lost) <= {"won", "filing.draft.changed"}


@pytest.mark.parametrize("moment", ["review.move", "review._record", "review.note"])
def test_a_process_killed_while_accepting_leaves_nothing_behind(city: City, moment: str) -> None:
    pk = ask(city, "print(Filing.objects.filter(state='county_reviewed').first().pk)")
    snapshot = f"print(Posting.objects.count(), Observation.objects.count(), Step.objects.filter(filing={pk}, action__in=('review', 'accept')).count(), Filing.objects.get(pk={pk}).state)"
    before = ask(city, snapshot)
    victim = start(
        city,
        f"""
true = {moment}
def die(*args, **more):
    if {moment!r} != "review.note" or args[1] == "accept":
        true(*args, **more)
        os.kill(os.getpid(), signal.SIGKILL)
    return true(*args, **more)
{moment} = die
review.pass_on(User.objects.get(username='demo-lead'), {pk}, 1)
""",
    )
    victim.communicate(timeout=120)
    assert victim.returncode == -9
    assert ask(city, snapshot) == before
    assert ask(city, f"review.pass_on(User.objects.get(username='demo-lead'), {pk}, 1); print('won')") == "won"


def test_a_process_killed_while_confirming_an_import_leaves_the_draft_as_it_was(city: City) -> None:
    prepare = """
import json
from lvheng.filing import forms
from lvheng.core.period import Period
u = User.objects.get(username='demo-enterprise')
f = services.start(u, 'energy_conversion', u.unit, Period.parse('2026-10'))
row = [{c.code: None for c in content.form_of(f).sheets[0].columns}]
from lvheng.filing.models import ImportJob
from django.utils import timezone
job = ImportJob.objects.create(filing=f, name='x', digest='', state='ready', data={'a': [{'key': 'k', 'cells': {'b': '1'}}]}, summary={'new': 1, 'changed': 0, 'removed': 0, 'same': 0}, at=timezone.now(), beat=timezone.now(), by='x')
print(f.pk, job.pk)
"""
    pk, job = ask(city, prepare).split()
    victim = start(city, f"""
imports.note = lambda *a: os.kill(os.getpid(), signal.SIGKILL)
imports.confirm(User.objects.get(username='demo-enterprise'), {pk}, {job})
""")  # fmt: skip
    victim.communicate(timeout=120)
    assert victim.returncode == -9
    check = f"from lvheng.filing.models import ImportJob\nprint(FilingVersion.objects.get(filing={pk}).data, ImportJob.objects.get(pk={job}).state)"
    assert ask(city, check) == "{} ready"
    ask(city, f"imports.confirm(User.objects.get(username='demo-enterprise'), {pk}, {job})")
    assert ask(city, check).endswith("confirmed")
