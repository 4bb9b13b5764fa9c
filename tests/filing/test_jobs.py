"""Imports outlive the process that reads them: a killed reading is taken over or says plainly that it ended; nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import timedelta
from unittest import mock

import pytest
from django.test import Client
from django.utils import timezone

from lvheng.core.problem import ProblemError
from lvheng.filing import evidence, imports, services
from lvheng.filing.models import Filing, FilingVersion, ImportJob
from tests.filing.test_import import workbook
from tests.filing.test_races import PREPARE, ask
from tests.filing.town import FORM, PERIOD, People, credit_code, purchase
from tests.support.server import City, running


@pytest.fixture
def filing(town: People) -> Filing:
    return services.start(town.enterprise, FORM, credit_code(1), PERIOD)


def stopped(filing: Filing, raw: bytes | None, **more: object) -> ImportJob:
    """A job as a killed process leaves it."""
    now = timezone.now()
    given = {"keeper": imports._keeper(), "at": now, "beat": now - imports.SILENT - timedelta(seconds=1), **more}
    digest = evidence.keep(raw) if raw is not None else ""
    return ImportJob.objects.create(filing=filing, name="三月.xlsx", digest=digest, stage="读取", by="x", **given)


def kept(job: ImportJob) -> ImportJob:
    return ImportJob.objects.get(pk=job.pk)


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_stopped_reading_is_taken_over_from_the_kept_file(town: People, filing: Filing) -> None:
    job = stopped(filing, workbook(filing, purchase()))
    assert imports.resume() == 1
    assert (kept(job).state, kept(job).summary["new"], kept(job).attempts) == ("ready", 2, 2)
    assert FilingVersion.objects.get(filing=filing).data == {}, "a dry run writes nothing"
    imports.confirm(town.enterprise, filing.pk, job.pk)
    assert imports.resume() == 0


def test_a_process_that_is_gone_is_known_at_once_and_a_living_one_left_alone(filing: Filing) -> None:
    raw = workbook(filing, purchase())
    mine = stopped(filing, raw, beat=timezone.now())
    assert imports.resume() == 0
    ImportJob.objects.filter(pk=mine.pk).update(keeper=imports._keeper().replace(str(os.getpid()), str(dead_process())))
    assert imports.resume() == 1
    far = stopped(filing, raw, beat=timezone.now(), keeper=f"elsewhere/{dead_process()}")
    assert not imports.adopt(far), "of another machine only silence is known"


def test_looking_at_the_page_takes_it_over_too(town: People, filing: Filing) -> None:
    job = stopped(filing, workbook(filing, purchase()))
    client = Client()
    client.force_login(town.enterprise, backend="django.contrib.auth.backends.ModelBackend")
    assert "待确认" in client.get(job.get_absolute_url()).content.decode()


def test_of_two_that_take_over_one_does(filing: Filing) -> None:
    job = stopped(filing, workbook(filing, purchase()))
    first, second = kept(job), kept(job)
    assert imports.adopt(first)
    assert not imports.adopt(second)


def test_the_one_that_was_taken_over_writes_nothing_more(filing: Filing) -> None:
    job = stopped(filing, workbook(filing, purchase()))
    slow = kept(job)
    assert imports.adopt(kept(job))
    after = kept(job)
    imports._read(slow, b"something else")
    assert kept(job).problems == after.problems
    assert kept(job).state == "ready"


def test_a_file_that_always_kills_is_given_up_and_may_be_read_again(town: People, filing: Filing) -> None:
    job = stopped(filing, workbook(filing, purchase()), attempts=imports.ATTEMPTS)
    assert imports.resume() == 1
    assert kept(job).state == "failed"
    assert "重新处理" in kept(job).problems[0]["fix"]
    for other in (town.lead, town.other_enterprise):
        with pytest.raises(ProblemError):
            imports.again(other, filing.pk, job.pk)
    client = Client()
    client.force_login(town.enterprise, backend="django.contrib.auth.backends.ModelBackend")
    assert "重新处理</button>" in client.get(job.get_absolute_url()).content.decode()
    assert client.post(f"{job.get_absolute_url()}again/").status_code == 302
    assert (kept(job).state, kept(job).attempts) == ("ready", 1)
    with pytest.raises(ProblemError):
        imports.again(town.enterprise, filing.pk, job.pk)


def test_what_was_pasted_or_lost_says_so(town: People, filing: Filing) -> None:
    pasted = stopped(filing, None, origin="paste")
    lost = stopped(filing, b"gone")
    evidence.path_of(lost.digest).unlink()
    assert imports.resume() == 2
    assert (kept(pasted).state, kept(lost).state) == ("failed", "failed")
    assert "没有导入任何内容" in kept(pasted).problems[0]["message"]
    assert "重新上传" in kept(lost).problems[0]["fix"]
    with pytest.raises(ProblemError):
        imports.again(town.enterprise, filing.pk, pasted.pk)


def test_a_system_fault_while_reading_fails_the_job_and_names_the_way_on(town: People, filing: Filing) -> None:
    raw = workbook(filing, purchase())
    with mock.patch("lvheng.filing.forms.read_file", side_effect=MemoryError), pytest.raises(MemoryError):
        imports.upload(town.enterprise, filing.pk, raw, "三月.xlsx")
    job = ImportJob.objects.get()
    assert job.state == "failed"
    assert "重新处理" in job.problems[0]["fix"]
    imports.again(town.enterprise, filing.pk, job.pk)
    assert kept(job).state == "ready"


def test_the_site_finishes_what_a_killed_process_was_reading(city: City) -> None:
    """A process is killed while it reads; the site starts, takes the job over, and the draft was never touched."""
    victim = """
u = User.objects.get(username='demo-enterprise')
from lvheng.core.period import Period
f = services.start(u, 'energy_purchase', u.unit, Period.parse('2026-10'))
from tests.filing.test_import import workbook
from tests.filing.town import purchase
raw = workbook(f, purchase())
before = FilingVersion.objects.get(filing=f, number=f.number).data
from lvheng.filing import forms
print(f.pk, f.number, before == {}, flush=True)
forms.read_file = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
imports.forms = forms
imports.upload(u, f.pk, raw, '十月.xlsx')
"""
    environment = {**city.environment, "DJANGO_SETTINGS_MODULE": "lvheng.web.settings"}
    killed = subprocess.run([sys.executable, "-W", "ignore", "-c", PREPARE + victim], env=environment, capture_output=True, text=True, check=False)  # fmt: skip
    assert killed.returncode == -9, killed.stderr
    pk = killed.stdout.split()[0]
    state = f"from lvheng.filing.models import ImportJob\nj = ImportJob.objects.filter(filing={pk}).latest('pk'); print(j.state, j.attempts)"
    assert ask(city, state) == "running 1"
    content = f"import hashlib\nprint(hashlib.sha256(repr(FilingVersion.objects.filter(filing={pk}).latest('number').data).encode()).hexdigest())"
    before = ask(city, content)
    with running(city, "--workers", "1"):
        end = time.monotonic() + 60
        while (found := ask(city, state)).startswith("running") and time.monotonic() < end:
            time.sleep(1)
    assert found == "ready 2"
    assert ask(city, content) == before
