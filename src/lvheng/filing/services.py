"""Use cases of the filer: start, fill in, import, answer, submit, take back. One function and one transaction each.

Every function takes the person who acts, asks :func:`lvheng.access.roles.may`, locks the filing, and appends to
the history and the audit chain. What cannot be done raises ProblemError and changes nothing.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from lvheng.access.models import User, append_event
from lvheng.access.roles import Owner, Permission, may
from lvheng.core.period import Period
from lvheng.core.problem import Problem, ProblemError
from lvheng.filing import content, forms, rules
from lvheng.filing.models import Answer, Attachment, Body, Extension, Filing, FilingVersion, step
from lvheng.filing.rules import REOPENED


# --- what all use cases share -------------------------------------------------------------------------
def refuse(code: str, message: str, *, got: str = "", wanted: str = "", fix: str = "") -> ProblemError:
    return ProblemError(Problem(f"filing.{code}", message, got=got, wanted=wanted, fix=fix))


def need(user: User, permission: Permission, owner: Owner | None = None) -> str:
    """The name of the person, or ProblemError when it may not."""
    actor = user.acting
    if not may(actor, permission, owner):
        raise refuse(
            "access",
            "您没有办理此事的权限",
            wanted="该单位经办人或相应审核单位的账号",
            fix="核对登录的账号；需要代办的，请由本人移交。",
        )
    return actor.name


def locked(filing_id: int) -> Filing:
    """The filing, held until the end of the transaction."""
    found = Filing.objects.select_for_update(of=("self",)).select_related("body__subject").filter(pk=filing_id).first()
    if found is None:
        raise refuse("unknown", "没有这份填报", got=str(filing_id), fix="从“填报”页面进入。")
    return found


def name_of(filing: Filing) -> str:
    return f"{filing.body.name} {content.form_of(filing).title} {filing.when.label}"


def move(filing: Filing, version: FilingVersion, state: str, **more: Any) -> None:
    """Set the state of the version and the filing together."""
    version.state = filing.state = state
    filing.number, filing.changed_at = version.number, timezone.now()
    for field, value in more.items():
        setattr(version, field, value)
    version.save(update_fields=["state", *more])
    filing.save(update_fields=["state", "number", "changed_at", "review_started_at", "review_started_by", "due"])


def note(filing: Filing, action: str, by: str, text: str = "") -> None:
    """One line of history and one event of the audit chain."""
    done = step(filing, action, by, text)
    append_event(by, f"填报：{done.action_label}", f"填报{filing.pk}", {"版次": filing.number, "说明": text[:200]})


def draft_of(filing: Filing, by: str) -> FilingVersion:
    """The draft; after a return or a withdrawal a new version with the old content. ProblemError when under review or accepted."""
    if filing.state == "draft":
        return FilingVersion.objects.select_for_update().get(filing=filing, state="draft")
    if filing.state in REOPENED:
        return new_version(filing, by)
    raise refuse(
        "sealed",
        "这份填报已提交，内容不能再改",
        got=filing.state_label,
        wanted="草稿或已退回的填报",
        fix="审核开始前可撤回提交；接收后需要更正的，用“更正”另报一版。",
    )


def new_version(filing: Filing, by: str, data: Any = None) -> FilingVersion:
    last = FilingVersion.objects.filter(filing=filing).last()
    assert last is not None
    given = last.data if data is None else data
    version = FilingVersion.objects.create(
        filing=filing, number=last.number + 1, form_version=content.form_of(filing).version, data=given, digest=content.digest_of(given),
        origin=last.origin, made_at=timezone.now(), made_by=by,
    )  # fmt: skip
    filing.review_started_at, filing.review_started_by = None, ""
    move(filing, version, "draft")
    return version


# --- starting and filling in ----------------------------------------------------------------------------
@transaction.atomic
def start(user: User, form_id: str, body_code: str, period: Period, today: date | None = None) -> Filing:
    """The filing of a form for a body and period, begun when there is none yet."""
    body = Body.objects.select_related("subject").filter(subject__code=body_code).first()
    if body is None:
        raise refuse("body.unknown", "单位名录中没有这个单位", got=body_code, fix="先在单位名录登记。")
    by = need(user, Permission.FILE, body.owner)
    form = content.form_at(form_id, period)
    if not content.applies(form, body):
        raise refuse(
            "form.not_yours", f"“{body.name}”不报这张表", got=f"{form.code} {form.title}", fix="从“我的报表”选择。"
        )
    if period.end >= (today or timezone.localdate()):
        raise refuse(
            "period.open",
            "这一期还没有结束，不能填报",
            got=period.label,
            wanted="已经结束的期间",
            fix="期间结束后再填报。",
        )
    if found := Filing.objects.filter(form=form_id, body=body, period=period.code).first():
        return found
    now, owner = timezone.now(), body.owner
    try:
        with transaction.atomic():
            filing = Filing.objects.create(
                form=form_id, body=body, period=period.code, due=form.due(period), changed_at=now, owner_region=owner.region,
                owner_unit=owner.unit, owner_body=owner.body,
            )  # fmt: skip
            FilingVersion.objects.create(
                filing=filing,
                number=1,
                form_version=form.version,
                data={},
                digest=content.digest_of({}),
                made_at=now,
                made_by=by,
            )
    except IntegrityError:  # another person of the body began it at the same moment
        return Filing.objects.get(form=form_id, body=body, period=period.code)
    note(filing, "start", by)
    return filing


@transaction.atomic
def save_draft(
    user: User, filing_id: int, data: forms.Data, edits: int | None = None, origin: str = "grid"
) -> FilingVersion:
    """Put content into the draft. ``edits`` is the count the person saw: a draft changed since is not overwritten."""
    filing = locked(filing_id)
    by = need(user, Permission.FILE, filing.owner)
    version = draft_of(filing, by)
    if edits is not None and edits != version.edits and version.number == filing.number and version.edits > 0:
        raise refuse(
            "draft.changed",
            "这份草稿已由他人改动，您的改动没有保存",
            got=f"第{version.edits}次保存",
            wanted=f"第{edits}次保存",
            fix="复制您的改动，刷新页面后再填。",
        )
    _put(version, forms.dump(data), origin)
    _touch(filing)
    return version


def _put(version: FilingVersion, data: Any, origin: str) -> None:
    version.data, version.digest, version.origin, version.nil = data, content.digest_of(data), origin, False
    version.edits += 1
    version.save(update_fields=["data", "digest", "origin", "edits", "nil"])


def _touch(filing: Filing) -> None:
    filing.changed_at = timezone.now()
    filing.save(update_fields=["changed_at"])


@transaction.atomic
def file_nil(user: User, filing_id: int, reason: str) -> FilingVersion:
    """Say that there is nothing to report: an empty version with a reason, to be submitted like any other."""
    filing = locked(filing_id)
    by = need(user, Permission.FILE, filing.owner)
    form = content.form_of(filing)
    if not form.entry.nil_return:
        raise refuse("nil.not_allowed", f"“{form.title}”不能作零报告", fix="按表填报；确无数据的栏目留空并说明。")
    if not reason.strip():
        raise refuse("nil.reason", "零报告需要写明理由", wanted="本期没有数据的原因", fix="填写理由后再报。")
    version = draft_of(filing, by)
    _put(version, {}, "nil")
    version.nil, version.note = True, reason.strip()[:400]
    version.save(update_fields=["nil", "note"])
    note(filing, "nil", by, reason.strip())
    _touch(filing)
    return version


# --- submitting and taking back ---------------------------------------------------------------------------
@transaction.atomic
def submit(user: User, filing_id: int, remark: str = "", edits: int | None = None) -> FilingVersion:
    """Seal the draft and hand it to the reviewer. Blockers and unanswered errors forbid it."""
    filing = locked(filing_id)
    by = need(user, Permission.FILE, filing.owner)
    if filing.state != "draft":
        raise refuse(
            "submit.state",
            "这份填报不是草稿，没有可提交的内容",
            got=filing.state_label,
            wanted="草稿",
            fix="刷新页面，看它现在的状态。",
        )
    version = draft_of(filing, by)
    if edits is not None and edits != version.edits:
        raise refuse(
            "draft.changed",
            "提交前草稿又有改动，没有提交",
            got=f"第{version.edits}次保存",
            wanted=f"第{edits}次保存",
            fix="刷新页面核对后再提交。",
        )
    form = content.form_of(filing)
    found: list[forms.FilingProblem] = []
    if not version.nil:
        if content.is_empty(version.data):
            raise refuse(
                "submit.empty",
                "草稿没有内容，不能提交",
                wanted="填写数据，或作零报告",
                fix="填写后再提交；本期确无数据的，用“零报告”。",
            )
        found = content.findings(filing, form, forms.load(version.data) or {})
        if faults := content.open_faults(found):
            raise ProblemError(faults)
    now = timezone.now()
    version.findings, version.form_version = content.counts(found), form.version
    if remark.strip():
        version.note = remark.strip()[:400]
    version.submitted_at, version.submitted_by = now, user
    version.save(update_fields=["findings", "form_version", "note", "submitted_at", "submitted_by"])
    filing.review_started_at, filing.review_started_by = None, ""
    move(filing, version, "submitted")
    days = (timezone.localdate(now) - filing.due).days
    note(filing, "submit", by, "；".join(filter(None, [f"逾期{days}日" if days > 0 else "", version.note])))
    return version


@transaction.atomic
def withdraw(user: User, filing_id: int) -> FilingVersion:
    """Take a submission back while nobody has begun to review it; its content becomes a new draft."""
    filing = locked(filing_id)
    by = need(user, Permission.FILE, filing.owner)
    _take_back(filing)
    note(filing, "withdraw", by)
    return new_version(filing, by)


def _take_back(filing: Filing) -> None:
    if filing.state != "submitted" or filing.review_started_at is not None:
        got = f"{filing.review_started_by}已开始审核" if filing.review_started_at else filing.state_label
        raise refuse(
            "withdraw.late",
            "审核已经开始，或已有结论，不能撤回",
            got=got,
            wanted="已提交而未开始审核",
            fix="请审核单位退回后更正。",
        )
    move(filing, FilingVersion.objects.get(filing=filing, number=filing.number), "withdrawn")


@transaction.atomic
def correct(user: User, filing_id: int, reason: str) -> FilingVersion:
    """Open a new version of what was accepted or returned. What was accepted stands until the new one is."""
    filing = locked(filing_id)
    by = need(user, Permission.FILE, filing.owner)
    if filing.state not in ("accepted", *REOPENED):
        raise refuse(
            "correct.state",
            "这份填报现在不能更正",
            got=filing.state_label,
            wanted="已接收、已退回或已撤回",
            fix="草稿可直接修改；审核中的请先撤回。",
        )
    if filing.state == "accepted" and not reason.strip():
        raise refuse("correct.reason", "更正已接收的数据需要写明原因", fix="填写更正原因。")
    version = new_version(filing, by)
    note(filing, "correct", by, reason.strip())
    return version


# --- answers, evidence, extensions ------------------------------------------------------------------------
@transaction.atomic
def answer(
    user: User, filing_id: int, check: str, cell: tuple[str, str, str], reason: str, evidence: int | None = None
) -> Answer:
    """Say why a check does not hold here. It counts for this value: another value needs another answer."""
    filing = locked(filing_id)
    by = need(user, Permission.FILE, filing.owner)
    if len(reason.strip()) < 4:
        raise refuse(
            "answer.reason", "理由过短", got=reason.strip(), wanted="说明原因，不少于4个字", fix="写清原因后再保存。"
        )
    version = draft_of(filing, by)
    if not _is_asked(filing, version, check, cell):
        raise refuse(
            "answer.check", "现有内容没有这条审核提示，不需要说明", got=check[:40], wanted="审核提示中列出的事项", fix="刷新页面，对列出的提示作说明。"
        )  # fmt: skip
    proof = None
    if evidence is not None and (proof := Attachment.objects.filter(filing=filing, pk=evidence).first()) is None:
        raise refuse("answer.evidence", "没有这个附件", fix="先上传附件。")
    sheet, key, column = cell
    Answer.objects.filter(filing=filing, check_id=check, sheet=sheet, key=key, column=column, ended_at=None).update(
        ended_at=timezone.now(), ended_by=by
    )
    made = Answer.objects.create(
        filing=filing, check_id=check[:120], sheet=sheet, key=key, column=column, got=content.value_at(version.data, cell), reason=reason.strip()[:400],
        evidence=proof, at=timezone.now(), by=by,
    )  # fmt: skip
    note(filing, "answer", by, reason.strip())
    return made


def _is_asked(filing: Filing, version: FilingVersion, check: str, cell: tuple[str, str, str]) -> bool:
    """Whether the checks have this to say about the draft, answered already or not."""
    found = content.findings(filing, content.form_of(filing), forms.load(version.data) or {})
    return any((p.check, p.sheet, p.key, p.column) == (check, *cell) for p in found if p.check)


@transaction.atomic
def end_answer(user: User, filing_id: int, answer_id: int) -> None:
    filing = locked(filing_id)
    by = need(user, Permission.FILE, filing.owner)
    draft_of(filing, by)
    if not Answer.objects.filter(filing=filing, pk=answer_id, ended_at=None).update(
        ended_at=timezone.now(), ended_by=by
    ):
        raise refuse("answer.unknown", "没有这条说明，或已撤销", fix="刷新页面。")
    note(filing, "answer_end", by)


@transaction.atomic
def ask_extension(user: User, filing_id: int, until: date, reason: str) -> Extension:
    filing = locked(filing_id)
    by = need(user, Permission.FILE, filing.owner)
    if filing.state in ("accepted", "submitted", "county_reviewed"):
        raise refuse("extension.state", "这份填报已提交，不需要延期", got=filing.state_label)
    if until <= filing.due:
        raise refuse(
            "extension.until",
            "延期日期应在原期限之后",
            got=f"{until:%Y-%m-%d}",
            wanted=f"晚于{filing.due:%Y-%m-%d}",
            fix="改选日期。",
        )
    within_longest(filing, until)
    if not reason.strip():
        raise refuse("extension.reason", "申请延期需要写明事由", fix="填写事由。")
    if filing.extensions.filter(state="asked").exists():
        raise refuse("extension.twice", "已有一份延期申请待批", fix="等待批复。")
    made = Extension.objects.create(
        filing=filing, until=until, reason=reason.strip()[:400], asked_at=timezone.now(), asked_by=by
    )
    note(filing, "extension_ask", by, f"申请延至{until:%Y年%-m月%-d日}：{reason.strip()}")
    return made


def within_longest(filing: Filing, until: date) -> None:
    """Raises ProblemError for a deadline beyond what may be granted, however often it is asked for."""
    last = rules.latest_extension(content.form_of(filing).due(filing.when))
    if until > last:
        raise refuse(
            "extension.longest", "延期过长", got=f"{until:%Y-%m-%d}", wanted=f"不晚于{last:%Y-%m-%d}（原报送期限后{rules.LONGEST_EXTENSION}天）", fix="改选日期。"
        )  # fmt: skip
