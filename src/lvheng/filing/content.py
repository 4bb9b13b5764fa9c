"""The forms of this site, and what is filed seen through them: the one place where storage meets the pure forms."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.conf import settings

from lvheng.access.storable import storable
from lvheng.core.period import Kind, Period
from lvheng.core.problem import Problem, ProblemError, Severity
from lvheng.filing import forms
from lvheng.filing.forms import Context, Data, FilingProblem, Form, FormBook
from lvheng.filing.forms.entries import Option
from lvheng.filing.models import UNDER_REVIEW, Answer, Body, Filing, FilingVersion
from lvheng.observations import view


def book() -> FormBook:
    """The forms of the rulebook as their files stand; read again when a file changes."""
    folder = settings.RULEBOOK_FOLDER / "forms"
    stamp = tuple(sorted((str(p), p.stat().st_mtime_ns, p.stat().st_size) for p in folder.rglob("*") if p.is_file()))
    return _book(stamp, tuple(sorted(view.plans())))


@lru_cache(maxsize=2)
def _book(stamp: tuple[tuple[str, int, int], ...], plans: tuple[str, ...]) -> FormBook:
    every = {r.code: r for plan in view.plans().values() for r in plan.regions}
    regions = [Option(code=r.code, name=r.name, name_en=r.name_en) for r in every.values()]
    return forms.load_forms(settings.RULEBOOK_FOLDER / "forms", lists={"regions": regions}, catalogue=view.catalogue())


def form_at(form_id: str, period: Period) -> Form:
    """The form in force for a period; raises ProblemError when there is none, or the period is of another kind."""
    found = book().at(form_id, period.end)
    if period.kind is not found.frequency:
        raise ProblemError(
            Problem(
                "filing.period.kind",
                f"“{found.title}”不按这种期间报送",
                got=period.label,
                wanted=KIND_WORDS[found.frequency],
                fix="改选期间。",
            )
        )
    return found


KIND_WORDS = {
    Kind.YEAR: "年度，如2025年", Kind.HALF: "半年度，如2025年上半年", Kind.QUARTER: "季度，如2025年一季度", Kind.MONTH: "月度，如2025年6月",
    Kind.DAY: "日，如2025年6月30日",
}  # fmt: skip


def form_of(filing: Filing) -> Form:
    return form_at(filing.form, filing.when)


def applies(form: Form, body: Body) -> bool:
    """Whether the body has to file the form."""
    filer = form.entry.filer
    if filer.role == "enterprise":
        if body.kind != "unit":
            return False
        by_energy = not filer.energy_class or body.energy_class in filer.energy_class
        return by_energy and (not filer.discharger or bool(body.discharger_class))
    if filer.role == "county":
        return body.kind == "county"
    return body.kind == "department" and (not filer.body or body.subject.code in filer.body)


def read_json(raw: bytes) -> Any:
    """JSON with all the digits of its numbers; raises ValueError for what is no JSON, NaN and Infinity among it."""
    return json.loads(raw, parse_float=Decimal, parse_constant=_no_number)


def _no_number(text: str) -> None:
    raise ValueError(text)


def digest_of(data: Any) -> str:
    text = json.dumps(storable(data), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.new("sm3", text.encode()).hexdigest()


def is_empty(data: Any) -> bool:
    """Whether stored content holds nothing but blank cells."""
    return not any(v not in (None, "") for rows in (data or {}).values() for row in rows for v in row["cells"].values())


# --- comparisons ------------------------------------------------------------------------------------
def filed(form_id: str, body: Body, period: Period) -> Data | None:
    """What a body filed of a form for a period: what was accepted, else what was submitted; None when nothing."""
    versions = FilingVersion.objects.filter(filing__form=form_id, filing__body=body, filing__period=period.code)
    found = versions.filter(state="accepted").last() or versions.filter(state__in=UNDER_REVIEW).last()
    return forms.load(found.data) if found else None


def context_of(filing: Filing, data: Any = None) -> Context:
    """What the checks compare with: last period, last year, other forms of the body, and answers given.

    An answer was given for a value: for another value in ``data`` (as stored) it no longer counts.
    """
    period, body = filing.when, filing.body
    given = {(a.check_id, a.sheet, a.key, a.column): a for a in Answer.objects.filter(filing=filing, ended_at=None)}
    valid = {k: a.reason for k, a in given.items() if data is None or a.got == value_at(data, k[1:])}
    return Context(
        period=period, subject=figure_subject(body), previous=filed(filing.form, body, period.shift(-1)),
        last_year=filed(filing.form, body, period.lag()) if period.kind is not Kind.YEAR else None,
        other=lambda form_id: filed(form_id, body, period), answers=valid,
    )  # fmt: skip


def figure_subject(body: Body) -> str:
    """Whose figures the body's forms give: its own, or the city's for a department."""
    return view.current().plan.header.city if body.kind == "department" else body.subject.code


def findings(filing: Filing, form: Form, data: Data) -> list[FilingProblem]:
    """Everything the checks have to say about the content."""
    return forms.check(form, data, context_of(filing, forms.dump(data)))


def counts(problems: Sequence[Problem]) -> dict[str, int]:
    """Problems by severity, for the inbox; answered errors apart."""
    found = {"blocker": 0, "error": 0, "warning": 0, "answered": 0}
    for p in problems:
        if getattr(p, "answer", ""):
            found["answered"] += 1
        elif p.severity.value in found:
            found[p.severity.value] += 1
    return found


def open_faults(problems: Sequence[FilingProblem]) -> list[FilingProblem]:
    """What forbids submitting: blockers, and errors without an answer."""
    return [p for p in problems if p.severity is Severity.BLOCKER or (p.severity is Severity.ERROR and not p.answer)]


def latest_period(kind: Kind, today: date) -> Period:
    """The last period of a kind that has ended."""
    return Period.containing(today, kind).shift(-1)


def value_at(data: Any, cell: tuple[str, str, str]) -> str:
    """What stands in a cell of stored content, "" when nothing."""
    sheet, key, column = cell
    row = next((r for r in (data or {}).get(sheet, ()) if r["key"] == key), None)
    return str((row["cells"].get(column) if row else None) or "")[:200]
