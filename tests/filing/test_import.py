"""The way in: dry run, confirm, undo. A refused file changes nothing."""

from __future__ import annotations

import io
import zipfile

import openpyxl
import pytest
from django.test import Client

from lvheng.core.problem import ProblemError
from lvheng.filing import content, evidence, forms, imports, review, services
from lvheng.filing.models import Filing, FilingVersion, ImportJob, Step
from tests.filing.town import FORM, PERIOD, People, credit_code, purchase


@pytest.fixture
def filing(town: People) -> Filing:
    return services.start(town.enterprise, FORM, credit_code(1), PERIOD)


def workbook(filing: Filing, data: forms.Data) -> bytes:
    """The template filled in as a person would."""
    form = content.form_of(filing)
    book = openpyxl.load_workbook(io.BytesIO(forms.template(form, filing.when, filing.body.name)))
    for sheet in form.sheets:
        page = book[next(n for n in book.sheetnames if sheet.title.zh[:10] in n)]
        head = next(r for r in range(1, 12) if page.cell(r, 1).value and "能源名称" in str(page.cell(r, 1).value))
        titles = {
            str(page.cell(head, c).value).split("（")[0].split("\n")[0].strip("*＊ "): c
            for c in range(1, page.max_column + 1)
            if page.cell(head, c).value
        }
        at = head + 1
        while at < head + 60 and page.cell(at, 1).value in ("能源合计", "total"):
            at += 1
        for row in data[sheet.sheet]:
            line = head + 1 if row.key == "total" else at
            at += row.key != "total"
            for column in sheet.columns:
                value = row.cells.get(column.code)
                if value is not None and column.title.zh in titles:
                    options = form.options(sheet.sheet, column.code)
                    page.cell(line, titles[column.title.zh]).value = (
                        options.name_of(value) if column.type == "option" else float(value)
                    )
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def draft(filing: Filing) -> FilingVersion:
    return FilingVersion.objects.filter(filing=filing).latest("number")


def test_a_dry_run_changes_nothing_and_a_confirmation_everything(town: People, filing: Filing) -> None:
    job = imports.upload(town.enterprise, filing.pk, workbook(filing, purchase()), "三月.xlsx")
    assert job.state == "ready", job.problems
    assert job.summary["counts"]["blocker"] == 0, job.problems
    assert draft(filing).data == {}
    imports.confirm(town.enterprise, filing.pk, job.pk)
    assert content.value_at(draft(filing).data, ("energy", "electricity", "use")) == "1000"
    services.submit(town.enterprise, filing.pk)


def test_the_same_file_again_is_a_no_op_and_says_so(town: People, filing: Filing) -> None:
    raw = workbook(filing, purchase())
    imports.confirm(town.enterprise, filing.pk, imports.upload(town.enterprise, filing.pk, raw, "三月.xlsx").pk)
    edits = draft(filing).edits
    again = imports.upload(town.enterprise, filing.pk, raw, "三月.xlsx")
    assert again.summary["nothing"] is True
    page = Client()
    page.force_login(town.enterprise, backend="django.contrib.auth.backends.ModelBackend")
    assert "确认导入" not in page.get(again.get_absolute_url()).content.decode(), "there is nothing to confirm"
    imports.confirm(town.enterprise, filing.pk, again.pk)
    assert draft(filing).edits == edits
    assert Step.objects.filter(filing=filing, action="import").count() == 1


def test_the_same_figures_in_another_file_are_compared_and_found_the_same(town: People, filing: Filing) -> None:
    imports.confirm(
        town.enterprise,
        filing.pk,
        imports.upload(town.enterprise, filing.pk, workbook(filing, purchase()), "三月.xlsx").pk,
    )
    other = workbook(filing, purchase())
    services.save_draft(town.enterprise, filing.pk, purchase("600"))
    again = imports.upload(town.enterprise, filing.pk, other, "三月.xlsx")
    assert not again.summary["nothing"], "the draft has changed since"
    assert again.summary["changed"] >= 1


def test_undo_puts_back_what_was_there_even_after_submitting(town: People, filing: Filing) -> None:
    services.save_draft(town.enterprise, filing.pk, purchase("500"))
    job = imports.upload(town.enterprise, filing.pk, workbook(filing, purchase()), "三月.xlsx")
    assert job.summary["changed"] >= 1
    imports.confirm(town.enterprise, filing.pk, job.pk)
    services.submit(town.enterprise, filing.pk)
    imports.undo(town.enterprise, filing.pk, job.pk)
    filing.refresh_from_db()
    assert (filing.state, draft(filing).number) == ("draft", 2)
    assert content.value_at(draft(filing).data, ("energy", "electricity", "use")) == "500"


def test_undo_is_refused_once_review_has_started(town: People, filing: Filing) -> None:
    job = imports.upload(town.enterprise, filing.pk, workbook(filing, purchase()), "三月.xlsx")
    imports.confirm(town.enterprise, filing.pk, job.pk)
    services.submit(town.enterprise, filing.pk)
    review.begin(town.county, filing.pk, 1)
    with pytest.raises(ProblemError):
        imports.undo(town.enterprise, filing.pk, job.pk)


def test_a_file_with_blockers_is_refused_and_comes_back_marked(town: People, filing: Filing) -> None:
    job = imports.upload(town.enterprise, filing.pk, workbook(filing, purchase(use_feedstock="5000")), "三月.xlsx")
    assert job.summary["counts"]["blocker"] > 0
    faults = [imports.as_problem(p) for p in job.problems if p["severity"] == "blocker"]
    assert all(p.place.sheet and p.place.cell for p in faults), faults
    with pytest.raises(ProblemError):
        imports.confirm(town.enterprise, filing.pk, job.pk)
    assert draft(filing).data == {}
    book = openpyxl.load_workbook(io.BytesIO(imports.marked(job)))
    assert any(cell.comment for page in book for row in page.iter_rows() for cell in row)


@pytest.mark.parametrize("raw", [b"", b"PK\x03\x04broken", b"\x00" * 5000, b"=1+1\n"])
def test_what_is_no_workbook_is_refused_with_a_reason(town: People, filing: Filing, raw: bytes) -> None:
    job = imports.upload(town.enterprise, filing.pk, raw, "三月.xlsx")
    assert job.problems
    with pytest.raises(ProblemError):
        imports.confirm(town.enterprise, filing.pk, job.pk)
    assert draft(filing).data == {}


def test_a_small_file_that_unpacks_to_hundreds_of_megabytes_is_refused(town: People, filing: Filing) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as bomb:
        bomb.writestr("[Content_Types].xml", "<Types/>")
        with bomb.open("xl/worksheets/sheet1.xml", "w") as sheet:
            for _ in range(200):
                sheet.write(b" " * 2**20)
    assert len(out.getvalue()) < 2**20
    job = imports.upload(town.enterprise, filing.pk, out.getvalue(), "三月.xlsx")
    assert job.state == "failed"
    assert job.problems
    assert draft(filing).data == {}


def test_a_draft_changed_after_the_dry_run_is_not_overwritten(town: People, filing: Filing) -> None:
    job = imports.upload(town.enterprise, filing.pk, workbook(filing, purchase()), "三月.xlsx")
    services.save_draft(town.colleague, filing.pk, purchase("700"))
    with pytest.raises(ProblemError) as error:
        imports.confirm(town.enterprise, filing.pk, job.pk)
    assert {p.code for p in error.value} == {"filing.draft.changed"}


def test_evidence_is_known_by_its_content_and_row_and_file_agree(town: People, filing: Filing) -> None:
    png = bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
    )
    made = evidence.attach(town.enterprise, filing.pk, png, "../../发票.pdf")
    assert (made.kind, made.name) == ("png", "发票.pdf")
    assert evidence.read(made.digest) == png
    evidence.path_of(made.digest).write_bytes(b"other")
    with pytest.raises(ProblemError):
        evidence.read(made.digest)
    evidence.path_of(made.digest).write_bytes(png)
    for raw in (b"MZ\x90\x00", b"<html>", b"%PDF-1.7 no end"):
        with pytest.raises(ProblemError):
            evidence.attach(town.enterprise, filing.pk, raw, "证明.pdf")
    assert filing.attachments.count() == 1


def test_an_interrupted_job_does_not_run_for_ever(town: People, filing: Filing) -> None:
    from datetime import timedelta

    from django.utils import timezone

    job = ImportJob.objects.create(
        filing=filing, name="x", digest="", at=timezone.now(), beat=timezone.now() - timedelta(minutes=5), by="x"
    )
    assert imports.refresh(job).state == "failed"
