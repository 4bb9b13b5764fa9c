"""Workbooks broken at random, through storage from upload to commit: never a traceback, never a part of a file.

``LVHENG_MUTATIONS=1000`` for the long run, ``LVHENG_MUTATIONS_FROM`` for other seeds, ``LVHENG_MUTATIONS_KIND`` for
one kind of file.
"""

from __future__ import annotations

import os

import pytest

from lvheng.core.problem import ProblemError, Severity, stops
from lvheng.filing import content, imports, services
from lvheng.filing.models import Filing, FilingVersion, ImportJob, Step
from lvheng.observations.models import Observation
from tests.filing.forms.test_mutations import mutate
from tests.filing.town import FORM, PERIOD, People, credit_code, purchase

COUNT = int(os.environ.get("LVHENG_MUTATIONS", "60"))
ONLY = os.environ.get("LVHENG_MUTATIONS_KIND", "")  # xlsx, csv or xls; all by default
FIRST = int(os.environ.get("LVHENG_MUTATIONS_FROM", "100000"))
BLOCKS = 6

pytestmark = pytest.mark.django_db


@pytest.fixture
def filing(town: People) -> Filing:
    it = services.start(town.enterprise, FORM, credit_code(1), PERIOD)
    services.save_draft(town.enterprise, it.pk, purchase())
    return it


def standing(filing: Filing) -> tuple[object, ...]:
    """All of the filing that a refused file must leave as it is."""
    version = FilingVersion.objects.filter(filing=filing).latest("number")
    steps = Step.objects.filter(filing=filing).count()
    return version.pk, version.data, version.digest, version.edits, version.state, steps, Observation.objects.count()


@pytest.mark.parametrize("block", range(BLOCKS))
def test_a_file_goes_in_whole_or_not_at_all_and_says_where_it_is_wrong(
    block: int, town: People, filing: Filing
) -> None:
    for seed in range(FIRST + block, FIRST + COUNT, BLOCKS):
        raw, name = mutate(seed, ONLY)
        before = standing(filing)
        job = imports.upload(town.enterprise, filing.pk, raw, name)
        job.refresh_from_db()
        assert standing(filing) == before, f"{seed}: a dry run changed something"
        assert job.state in ("ready", "failed"), seed
        problems = [imports.as_problem(p) for p in job.problems]
        for p in problems:
            assert p.message, seed
            assert p.place.file == name, (seed, p)
            assert p.place.cell or p.code.startswith("filing.file."), (seed, p)
        refused = job.state == "failed" or stops(problems)
        assert not refused or any(p.severity is Severity.BLOCKER for p in problems), f"{seed}: refused without a reason"
        if refused:
            with pytest.raises(ProblemError):
                imports.confirm(town.enterprise, filing.pk, job.pk)
            assert standing(filing) == before, f"{seed}: a refused file changed something"
            if seed % 7 == 0 and name.endswith(".xlsx"):
                assert_marked(job)
            continue
        data = job.data
        imports.confirm(town.enterprise, filing.pk, job.pk)
        version = FilingVersion.objects.filter(filing=filing).latest("number")
        if not job.summary["nothing"]:
            assert version.data == data, f"{seed}: not all of the file is in the draft"
            assert version.digest == content.digest_of(data)
            assert version.edits == before[3] + 1
            imports.undo(town.enterprise, filing.pk, job.pk)
            assert standing(filing)[1:3] == before[1:3], f"{seed}: undoing left something"
        services.save_draft(town.enterprise, filing.pk, purchase())
    assert ImportJob.objects.filter(filing=filing, state="running").count() == 0


def assert_marked(job: ImportJob) -> None:
    """The workbook comes back, or it is said why not."""
    said: list[str] = []
    try:
        imports.marked(job)
    except ProblemError as error:
        said = [p.message for p in error.problems]
    assert all(said)
