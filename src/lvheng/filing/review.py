"""Use cases of the reviewer: remark on cells, pass on, accept, return. Accepting records the figures in the same transaction."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from lvheng.access.models import User
from lvheng.access.roles import Permission, may
from lvheng.core.problem import Problem, ProblemError
from lvheng.core.source import Confidence, Source
from lvheng.filing import content, forms, rules, sums
from lvheng.filing.forms import FiledFigure, Form
from lvheng.filing.models import UNDER_REVIEW, Extension, Filing, FilingVersion, Remark
from lvheng.filing.services import locked, move, need, note, refuse, within_longest
from lvheng.observations import view
from lvheng.observations.services import ensure_source
from lvheng.observations.store import Figure, record


def turn_of(filing: Filing, form: Form | None = None) -> Permission | None:
    """The permission that the next reviewer needs."""
    return rules.reviewer(filing.state, (form or content.form_of(filing)).entry.reviewers)


def may_review(user: User, filing: Filing) -> bool:
    permission = turn_of(filing)
    return permission is not None and may(user.acting, permission, filing.owner)


def _at_review(user: User, filing_id: int, number: int) -> tuple[Filing, FilingVersion, str]:
    """The filing held for review: right person, right state, the version that the person saw."""
    filing = locked(filing_id)
    if filing.state not in UNDER_REVIEW:
        last = filing.steps.last()
        raise refuse(
            "review.state",
            "这份填报已不在审核中",
            got=f"{filing.state_label}（{last.by} {last.action_label}）" if last else filing.state_label,
            wanted="待审核",
            fix="刷新页面，看已有的结论。",
        )
    turn = turn_of(filing) or Permission.REVIEW_CITY
    if (
        turn is Permission.REVIEW_CITY
        and not may(user.acting, turn)
        and may(user.acting, Permission.REVIEW_COUNTY, filing.owner)
    ):
        last = filing.steps.last()
        raise refuse(
            "review.state",
            "这份填报已报市级审核，县级不再办理",
            got=f"{filing.state_label}（{last.by} {last.action_label}）" if last else filing.state_label,
            wanted="待县级审核",
            fix="刷新页面，看已有的结论。",
        )
    by = need(user, turn, filing.owner)
    version = FilingVersion.objects.select_for_update().get(filing=filing, number=filing.number)
    if version.number != number:
        raise refuse(
            "review.version",
            "填报单位已提交新的一版，您看的是旧版",
            got=f"第{number}版",
            wanted=f"第{version.number}版",
            fix="刷新页面，核对新版后再审核。",
        )
    if version.submitted_by_id == user.pk:
        raise refuse(
            "review.own", "本人提交的填报不能由本人审核", wanted="由其他审核人办理", fix="请本单位其他审核人审核。"
        )
    return filing, version, by


def _begin(filing: Filing, by: str) -> None:
    if filing.review_started_at is None:
        filing.review_started_at, filing.review_started_by = timezone.now(), by
        filing.save(update_fields=["review_started_at", "review_started_by"])
        note(filing, "review", by)


@transaction.atomic
def begin(user: User, filing_id: int, number: int) -> Filing:
    """Begin to review: from now on the filer cannot take it back."""
    filing, _version, by = _at_review(user, filing_id, number)
    _begin(filing, by)
    return filing


@transaction.atomic
def remark(user: User, filing_id: int, number: int, cell: tuple[str, str, str], text: str) -> Remark:
    """Say something on a cell, or on the whole with an empty cell."""
    filing, version, by = _at_review(user, filing_id, number)
    if not text.strip():
        raise refuse("remark.empty", "没有填写意见", fix="写明需要改正或说明什么。")
    form = content.form_of(filing)
    sheet, key, column = cell
    if sheet and not (form.has(sheet) and (not column or form.has(sheet, column))):
        raise refuse("remark.cell", "表中没有这个单元格", got="/".join(cell), fix="在表中点选单元格。")
    _begin(filing, by)
    made = Remark.objects.create(
        version=version, sheet=sheet, key=key[:160], column=column, got=content.value_at(version.data, cell), text=text.strip()[:400], at=timezone.now(), by=by
    )  # fmt: skip
    note(filing, "remark", by, f"{cell_words(form, cell)}：{text.strip()}")
    return made


def cell_words(form: Form, cell: tuple[str, str, str]) -> str:
    """A cell as people name it: 购进消费与库存 原煤 期末库存."""
    sheet, key, column = cell
    if not sheet or not form.has(sheet):
        return "全表"
    entry = form.sheet(sheet)
    title = form.column(sheet, column).title.zh if column and form.has(sheet, column) else ""
    return " ".join(filter(None, (entry.title.zh, form.key_name(entry, key), title)))


@transaction.atomic
def pass_on(user: User, filing_id: int, number: int, text: str = "") -> FilingVersion:
    """Nothing against it: to the city after the county, or accepted by the last reviewer."""
    filing, version, by = _at_review(user, filing_id, number)
    form = content.form_of(filing)
    following = rules.after_review(filing.state, form.entry.reviewers)
    _begin(filing, by)
    if following == "accepted":
        _record(filing, version, form, by)
        move(filing, version, "accepted", posting=version.posting)
        note(filing, "accept", by, text.strip())
    else:
        move(filing, version, following)
        note(filing, "county_review", by, text.strip())
    return version


@transaction.atomic
def return_(user: User, filing_id: int, number: int, text: str = "") -> FilingVersion:
    """Send back with the remarks made; the filer corrects it as a new version."""
    filing, version, by = _at_review(user, filing_id, number)
    count = version.remarks.count()
    if not text.strip() and not count:
        raise refuse("return.reason", "退回需要写明意见", wanted="退回意见，或对单元格的批注", fix="写明需要改正什么。")
    _begin(filing, by)
    move(filing, version, "returned")
    note(filing, "return", by, "；".join(filter(None, [text.strip(), f"批注{count}处" if count else ""])))
    return version


def pass_clean(user: User, chosen: Iterable[tuple[int, int]]) -> tuple[list[int], list[Problem]]:
    """Pass on what has no finding, each in its own transaction; (ids passed, why others were not)."""
    passed, problems = [], []
    for filing_id, number in chosen:
        try:
            found = FilingVersion.objects.select_related("filing").filter(filing_id=filing_id, number=number).first()
            if found is None or risk_of(found) or _differs(found):
                raise refuse(
                    "review.not_clean",
                    "有审核提示的填报须逐份审核",
                    got=f"填报{filing_id}",
                    fix="打开该填报，核对后再接收。",
                )
            pass_on(user, filing_id, number, "批量")
            passed.append(filing_id)
        except ProblemError as error:
            problems += error.problems
    return passed, problems


def _differs(version: FilingVersion) -> bool:
    """Whether a figure is at odds with what was filed below."""
    form = content.form_of(version.filing)
    return bool(form.sums) and any(s.wrong for s in sums.beside(version.filing, form, forms.load(version.data) or {}))


def risk_of(version: FilingVersion) -> int:
    return rules.risk(version.findings, late=version.late, corrected=version.number > 1)


# --- recording ----------------------------------------------------------------------------------------
def figures_of(filing: Filing, version: FilingVersion, form: Form) -> list[FiledFigure]:
    body = filing.body
    previous = content.filed(filing.form, body, filing.when.shift(-1))
    return forms.figures(form, forms.load(version.data) or {}, content.figure_subject(body), filing.when, previous)


def _record(filing: Filing, version: FilingVersion, form: Form, by: str) -> None:
    """Record the figures of an accepted version; figures that an accepted one before gave and this one lacks are withdrawn."""
    source = ensure_source(
        Source(form.title.zh, form.code, f"{filing.body.name} {filing.when.label}", confidence=Confidence.CONFIRMED, note="填报数据，经审核接收"),
        synthetic=filing.body.subject.synthetic,
    )  # fmt: skip
    found = figures_of(filing, version, form)
    rows = [
        Figure(f.indicator, f.subject, f.period, f.value, f.unit, "filed", source, f.item, f"填报{filing.pk} 第{version.number}版 {f.reference}"[:160])
        for f in found
    ]  # fmt: skip
    before = FilingVersion.objects.filter(filing=filing, state="accepted").exclude(pk=version.pk).last()
    if before is not None:
        kept = {(f.indicator, f.subject, f.period, f.item) for f in found}
        rows += [
            Figure(f.indicator, f.subject, f.period, None, f.unit, "withdrawn", source, f.item, f"填报{filing.pk} 第{version.number}版 撤回"[:160])
            for f in figures_of(filing, before, form)
            if (f.indicator, f.subject, f.period, f.item) not in kept
        ]  # fmt: skip
    if rows:
        done = record(
            rows,
            kind="filing",
            title=f"{filing.body.name} {form.title} {filing.when.label} 第{version.number}版"[:200],
            by=by,
            catalogue=view.catalogue(),
        )
        version.posting = done.posting


# --- extensions -----------------------------------------------------------------------------------------
@transaction.atomic
def decide_extension(user: User, extension_id: int, *, granted: bool, text: str = "") -> Extension:
    """Grant or refuse; the body's county decides for its units, the city for the rest."""
    asked = Extension.objects.select_related("filing").filter(pk=extension_id).first()
    if asked is None:
        raise refuse("extension.unknown", "没有这份延期申请", fix="从审核页面进入。")
    filing = locked(asked.filing_id)
    by = need(user, extension_permission(content.form_of(filing)), filing.owner)
    asked = Extension.objects.select_for_update().get(pk=extension_id)
    if asked.state != "asked":
        raise refuse(
            "extension.decided",
            "这份申请已有批复",
            got=f"{asked.decided_by} {asked.get_state_display()}",
            fix="刷新页面。",
        )
    if granted:
        within_longest(filing, asked.until)
    asked.state, asked.decided_at, asked.decided_by, asked.answer = (
        "granted" if granted else "refused",
        timezone.now(),
        by,
        text.strip()[:400],
    )
    asked.save()
    if granted:
        filing.due = asked.until
        filing.save(update_fields=["due"])
    note(filing, "extension_grant" if granted else "extension_refuse", by, text.strip())
    return asked


def extension_permission(form: Form) -> Permission:
    return Permission.REVIEW_COUNTY if "county" in form.entry.reviewers else Permission.REVIEW_CITY


def compared(filing: Filing, version: FilingVersion) -> dict[str, forms.Data | None]:
    """What a reviewer looks at beside the version: the one before, last period, the same period of last year."""
    earlier = (
        FilingVersion.objects.filter(filing=filing, number__lt=version.number)
        .exclude(state__in=("draft", "withdrawn"))
        .last()
    )
    return {
        "version": forms.load(earlier.data) if earlier else None,
        "previous": content.filed(filing.form, filing.body, filing.when.shift(-1)),
        "last_year": content.filed(filing.form, filing.body, filing.when.lag()),
    }
