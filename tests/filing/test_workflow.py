"""The way of a filing, from the first cell to the figure in the store. Tests try to leave the way."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from lvheng.access.models import AuditEvent, Delegation, verify_chain
from lvheng.core.problem import ProblemError
from lvheng.filing import content, duties, forms, imports, review, rules, services
from lvheng.filing.models import Answer, Filing, FilingVersion, Remark, Step
from lvheng.observations.models import Observation
from tests.filing.town import FORM, PERIOD, People, credit_code, purchase


def begun(town: People) -> Filing:
    return services.start(town.enterprise, FORM, credit_code(1), PERIOD)


def submitted(town: People, data: forms.Data | None = None) -> Filing:
    filing = begun(town)
    services.save_draft(town.enterprise, filing.pk, data or purchase())
    services.submit(town.enterprise, filing.pk)
    filing.refresh_from_db()
    return filing


def codes(error: pytest.ExceptionInfo[ProblemError]) -> set[str]:
    return {p.code for p in error.value}


def test_a_clean_filing_goes_its_way_and_its_figures_are_recorded(town: People) -> None:
    filing = submitted(town)
    assert filing.state == "submitted"
    review.pass_on(town.county, filing.pk, 1)
    filing.refresh_from_db()
    assert filing.state == "county_reviewed"
    assert not Observation.objects.exists()
    version = review.pass_on(town.lead, filing.pk, 1)
    filing.refresh_from_db()
    assert (filing.state, version.posting) == ("accepted", 1)
    kept = Observation.objects.get(indicator="energy_use", item="electricity")
    assert kept.value == Decimal("307.250")
    assert (kept.subject.code, kept.period, kept.quality, kept.vintage) == (credit_code(1), "2026-03", "filed", 1)
    assert f"填报{filing.pk}" in kept.reference
    assert [s.action for s in filing.steps.all()] == ["start", "submit", "review", "county_review", "accept"]
    assert verify_chain()[1] is None


def test_a_correction_is_a_new_version_and_a_new_vintage(town: People) -> None:
    filing = submitted(town)
    review.pass_on(town.county, filing.pk, 1)
    review.pass_on(town.lead, filing.pk, 1)
    with pytest.raises(ProblemError) as error:
        services.correct(town.enterprise, filing.pk, " ")
    assert codes(error) == {"filing.correct.reason"}
    services.correct(town.enterprise, filing.pk, "电表倍率有误")
    services.save_draft(town.enterprise, filing.pk, purchase("2000"))
    services.submit(town.enterprise, filing.pk)
    assert Observation.objects.count() == 1, "what was accepted stands until the new version is"
    review.pass_on(town.county, filing.pk, 2)
    review.pass_on(town.lead, filing.pk, 2)
    assert list(Observation.objects.order_by("vintage").values_list("vintage", "mantissa", "scale")) == [
        (1, 307250, 3),
        (2, 614500, 3),
    ]
    assert [v.state for v in FilingVersion.objects.filter(filing=filing)] == ["accepted", "accepted"]


def test_a_figure_left_out_of_a_correction_is_withdrawn(town: People) -> None:
    filing = submitted(town)
    review.pass_on(town.county, filing.pk, 1)
    review.pass_on(town.lead, filing.pk, 1)
    services.correct(town.enterprise, filing.pk, "误报")
    empty = {"energy": [forms.Row("total", {"fuel": "total", "standard": "0"})]}
    version = services.save_draft(town.enterprise, filing.pk, empty)
    problems = content.findings(filing, content.form_of(filing), empty)
    for p in content.open_faults(problems):
        services.answer(town.enterprise, filing.pk, p.check, (p.sheet, p.key, p.column), "本月停产")
    if content.open_faults(content.findings(filing, content.form_of(filing), empty)):
        FilingVersion.objects.filter(pk=version.pk).update(nil=True)
    services.submit(town.enterprise, filing.pk)
    review.pass_on(town.county, filing.pk, 2)
    review.pass_on(town.lead, filing.pk, 2)
    assert Observation.objects.latest("vintage").quality == "withdrawn"


def test_blockers_and_unanswered_errors_forbid_submitting(town: People) -> None:
    filing = begun(town)
    services.save_draft(town.enterprise, filing.pk, purchase(closing="5"))
    with pytest.raises(ProblemError) as error:
        services.submit(town.enterprise, filing.pk)
    assert all(p.severity in ("blocker", "error") and p.sheet == "energy" for p in error.value)  # type: ignore[attr-defined]
    filing.refresh_from_db()
    assert filing.state == "draft"
    assert not Step.objects.filter(action="submit").exists()


def test_an_error_may_be_answered_for_its_value_only(town: People) -> None:
    filing = begun(town)
    odd = purchase(amount="60")  # 0.06 yuan a kWh
    services.save_draft(town.enterprise, filing.pk, odd)
    with pytest.raises(ProblemError) as error:
        services.submit(town.enterprise, filing.pk)
    (fault,) = error.value.problems
    assert fault.check == "price"
    with pytest.raises(ProblemError):
        services.answer(town.enterprise, filing.pk, "price", (fault.sheet, fault.key, fault.column), "好")
    services.answer(town.enterprise, filing.pk, "price", (fault.sheet, fault.key, fault.column), "自发自用，只付运维费")
    assert not content.open_faults(content.findings(filing, content.form_of(filing), odd))
    other = purchase(amount="70")
    assert content.open_faults(content.findings(filing, content.form_of(filing), other)), (
        "another value needs another answer"
    )
    services.submit(town.enterprise, filing.pk)
    assert FilingVersion.objects.get(filing=filing).findings["answered"] == 1
    assert Answer.objects.get().by == "enterprise某"


def test_a_return_keeps_remarks_by_cell_and_opens_a_new_version(town: People) -> None:
    filing = submitted(town)
    with pytest.raises(ProblemError) as error:
        review.return_(town.county, filing.pk, 1)
    assert codes(error) == {"filing.return.reason"}
    review.remark(town.county, filing.pk, 1, ("energy", "electricity", "amount"), "与发票不符")
    review.return_(town.county, filing.pk, 1)
    filing.refresh_from_db()
    assert (filing.state, Remark.objects.get().got) == ("returned", "6000")
    services.save_draft(town.enterprise, filing.pk, purchase(amount="6100"))
    version = services.submit(town.enterprise, filing.pk)
    assert version.number == 2
    with pytest.raises(ProblemError) as error:
        review.pass_on(town.county, filing.pk, 1)
    assert codes(error) == {"filing.review.version"}


def test_nobody_reviews_out_of_turn_or_what_it_submitted_itself(town: People) -> None:
    filing = submitted(town)
    for person in (
        town.enterprise,
        town.other_enterprise,
        town.other_county,
        town.department,
        town.auditor,
        town.verifier,
        town.administrator,
    ):
        with pytest.raises(ProblemError) as error:
            review.pass_on(person, filing.pk, 1)
        assert codes(error) == {"filing.access"}
    review.pass_on(town.county, filing.pk, 1)
    # no want of rights: it was passed on already
    with pytest.raises(ProblemError) as error:
        review.pass_on(town.county, filing.pk, 1)
    assert codes(error) == {"filing.review.state"}


def test_nobody_files_for_another_body(town: People) -> None:
    filing = begun(town)
    for name, person in town.every().items():
        if name in ("enterprise", "colleague"):
            continue
        for attempt in (
            lambda p=person: services.start(p, FORM, credit_code(1), PERIOD),
            lambda p=person: services.save_draft(p, filing.pk, purchase()),
            lambda p=person: services.submit(p, filing.pk),
            lambda p=person: imports.upload(p, filing.pk, b"x", "x.xlsx"),
        ):
            with pytest.raises(ProblemError) as error:
                attempt()
            assert codes(error) == {"filing.access"}, name


def test_duties_handed_over_may_be_done_for_those_days_only(town: People) -> None:
    filing = begun(town)
    today = timezone.localdate()
    held = Delegation.objects.create(
        giver=town.enterprise,
        receiver=town.other_enterprise,
        first_day=today,
        last_day=today,
        reason="出差",
        made_by="x",
        made_at=timezone.now(),
    )
    services.save_draft(town.other_enterprise, filing.pk, purchase())
    Delegation.objects.filter(pk=held.pk).update(first_day=date(2020, 1, 1), last_day=date(2020, 1, 2))
    with pytest.raises(ProblemError):
        services.save_draft(town.other_enterprise, filing.pk, purchase())


def test_a_submission_can_be_taken_back_until_review_starts(town: People) -> None:
    filing = submitted(town)
    services.withdraw(town.colleague, filing.pk)
    filing.refresh_from_db()
    assert (filing.state, filing.number) == ("draft", 2)
    services.submit(town.enterprise, filing.pk)
    review.begin(town.county, filing.pk, 2)
    with pytest.raises(ProblemError) as error:
        services.withdraw(town.enterprise, filing.pk)
    assert codes(error) == {"filing.withdraw.late"}


def test_a_draft_changed_by_another_is_not_overwritten(town: People) -> None:
    filing = begun(town)
    seen = services.save_draft(town.enterprise, filing.pk, purchase()).edits
    services.save_draft(town.colleague, filing.pk, purchase("1200"), seen)
    with pytest.raises(ProblemError) as error:
        services.save_draft(town.enterprise, filing.pk, purchase("1300"), seen)
    assert codes(error) == {"filing.draft.changed"}


def test_the_database_refuses_to_change_what_was_submitted(town: People) -> None:
    filing = submitted(town)
    version = FilingVersion.objects.get(filing=filing)
    for change in (
        {"data": {}},
        {"digest": "x"},
        {"number": 9},
        {"state": "draft"},
        {"submitted_at": None},
        {"nil": True},
    ):
        with pytest.raises(DatabaseError, match="sealed"), transaction.atomic():
            FilingVersion.objects.filter(pk=version.pk).update(**change)
    with pytest.raises(DatabaseError), transaction.atomic():
        FilingVersion.objects.filter(pk=version.pk)._raw_delete("default")
    for table in (Step,):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            table.objects.update(text="x")
    FilingVersion.objects.filter(pk=version.pk).update(state="county_reviewed")


def test_one_draft_a_form_body_and_period_by_constraint(town: People) -> None:
    filing = begun(town)
    assert begun(town).pk == filing.pk
    with pytest.raises(IntegrityError), transaction.atomic():
        FilingVersion.objects.create(filing=filing, number=2, form_version="x", made_at=timezone.now(), made_by="x")
    with pytest.raises(IntegrityError), transaction.atomic():
        Filing.objects.create(
            form=FORM, body=filing.body, period=PERIOD.code, due=date(2026, 1, 1), changed_at=timezone.now()
        )


def test_an_extension_moves_the_deadline_when_it_is_granted(town: People) -> None:
    filing = begun(town)
    last = filing.due + timedelta(days=rules.LONGEST_EXTENSION)
    for beyond in (last + timedelta(days=1), date(9999, 12, 31)):
        with pytest.raises(ProblemError) as error:
            services.ask_extension(town.enterprise, filing.pk, beyond, "系统切换")
        assert codes(error) == {"filing.extension.longest"}
    asked = services.ask_extension(town.enterprise, filing.pk, last, "系统切换")
    with pytest.raises(ProblemError):
        review.decide_extension(town.other_county, asked.pk, granted=True)
    review.decide_extension(town.county, asked.pk, granted=True, text="同意")
    filing.refresh_from_db()
    assert filing.due == last
    with pytest.raises(ProblemError):
        services.ask_extension(town.enterprise, filing.pk, last + timedelta(days=1), "counted from the first deadline")


def test_what_no_check_asks_cannot_be_answered(town: People) -> None:
    filing = begun(town)
    services.save_draft(town.enterprise, filing.pk, purchase())
    for check, cell in (("no_such_check", ("", "", "")), ("price", ("energy", "electricity", "amount"))):
        with pytest.raises(ProblemError) as error:
            services.answer(town.enterprise, filing.pk, check, cell, "自发自用，只付运维费")
        assert codes(error) == {"filing.answer.check"}
    assert not filing.answers.exists()


def test_what_is_clean_is_passed_in_bulk_and_the_rest_said(town: People) -> None:
    filing = submitted(town)
    FilingVersion.objects.filter(filing=filing)  # late: its risk is not 0
    passed, problems = review.pass_clean(town.county, [(filing.pk, 1)])
    assert passed == [], "filed after the deadline is looked at one by one"
    assert {p.code for p in problems} == {"filing.review.not_clean"}
    Filing.objects.filter(pk=filing.pk).update(due=date(2099, 1, 1))
    assert review.pass_clean(town.county, [(filing.pk, 1)])[0] == [filing.pk]


def test_everybody_sees_what_waits_for_it(town: People) -> None:
    mine = duties.duties(duties.own_bodies(town.enterprise), date(2026, 4, 8))
    assert {(d.form.id, d.standing) for d in mine if d.period == PERIOD} >= {(FORM, "soon")}
    assert {d.body.subject.code for d in mine} == {credit_code(1)}
    submitted(town)
    assert [w.filing.body.subject.code for w in duties.inbox(town.county)] == [credit_code(1)]
    for person in (town.other_county, town.enterprise, town.auditor, town.administrator):
        assert not duties.inbox(person)
    assert not duties.inbox(town.lead), "the county goes first"


def test_every_step_is_in_the_audit_chain(town: People) -> None:
    filing = submitted(town)
    named = AuditEvent.objects.filter(subject=f"填报{filing.pk}").values_list("action", flat=True)
    assert list(named) == ["填报：开始填报", "填报：提交"]
