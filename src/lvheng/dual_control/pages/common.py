"""What the pages of the room share: who may see what, numbers from forms, grades as cells, files."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import quote

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from lvheng.access.roles import Permission, may
from lvheng.core.period import Period
from lvheng.core.problem import Place, Problem, ProblemError
from lvheng.core.quantity import show
from lvheng.core.region import Region
from lvheng.dual_control import workbench as bench
from lvheng.dual_control.early_warning import Standing
from lvheng.energy.warning import Grade, Scheme, quantities
from lvheng.shell import words
from lvheng.shell.context import actor_of
from lvheng.shell.pages import as_of, live, problem_page
from lvheng.shell.sight import NOT_PUBLIC, Sight
from lvheng.shell.tables import Cell

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
T = TypeVar("T")
SHAPES = {0: "●", 1: "▲", 2: "◆", 3: "■"}  # severity: shape beside word and colour


def allowed(permission: Permission) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """Only for those who may; others get a page that says so. Problems become a page that helps."""

    def wrap(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        shown = live(view)

        @wraps(view)
        def run(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            return shown(request, *args, **kwargs) if may(actor_of(request), permission) else refused(request)

        return run

    return wrap


def refused(request: HttpRequest) -> HttpResponse:
    """The page for those who may not."""
    denied = Problem("dual_control.access", "您没有办理此事的权限", wanted=_("相应单位的账号"), fix="登录后再试，或联系系统管理员。")  # fmt: skip
    return problem_page(request, [denied], 403)


def is_open(sight: Sight, code: str) -> bool:
    """Whether the energy figures of a region are for everybody: synthetic or published."""
    base = Period.of_year(sight.plan.header.base_year)
    generated, quality = sight.view.is_synthetic(sight.view.explain("energy_total", code, base))
    return generated or quality == "published"


def sees(sight: Sight, code: str) -> bool:
    return sight.sees(code, open_to_all=is_open(sight, code))


def see_all(sight: Sight) -> None:
    """Raises ProblemError when figures of some county are hidden from the reader."""
    hidden = [r.name for r in bench.counted(sight.view) if not sees(sight, r.code)]
    if hidden:
        raise ProblemError(Problem("dual_control.access", "本页需要各地区未公开的数据，您没有查看权限", got="、".join(hidden[:5]), fix="使用市级账号登录。"))  # fmt: skip


def synthetic(sight: Sight) -> bool:
    """Whether any of the regions' energy figures are synthetic."""
    base = Period.of_year(sight.plan.header.base_year)
    view = sight.view
    return any(view.is_synthetic(view.explain("energy_total", r.code, base))[0] for r in [view.city, *view.counties])


def notes(sight: Sight, *more: str) -> list[str]:
    """Position and day, what else is to be said, and that figures are synthetic, for screen and exports."""
    return [as_of(sight), *more, *([_("演示数据，不是真实统计数据。")] if synthetic(sight) else [])]


def number(given: QueryDict, name: str, title: str, default: Decimal | None = None) -> Decimal | None:
    """A number from a form; raises ProblemError naming the field."""
    raw = given.get(name, "").strip().replace("−", "-").replace("%", "").replace(",", "")
    if not raw:
        return default
    try:
        value = Decimal(raw)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise ProblemError(Problem("dual_control.form.number", f"“{title}”不是数字", place=Place(field=title), got=raw[:20], wanted="数字，如2.5", fix="改正后重试。"))  # fmt: skip
    return value


def year_of(given: QueryDict, years: list[int]) -> int:
    """The year asked for, else the last of those there are (0 for none)."""
    asked = given.get("year", "")
    return int(asked) if asked.isdecimal() and int(asked) in years else max(years, default=0)


def kept(sight: Sight, compute: Callable[[], T], *parts: object) -> T:
    """What is costly to compute, kept while data, rules and the reader's scope stay the same."""
    key = sight.key("dual_control", *parts)
    found: T | None = cache.get(key)
    if found is None:
        found = compute()
        cache.set(key, found, 3600)
    return found


def month_label(period: Period) -> str:
    """1—5月, Jan–May: where the year stands above."""
    return words.period_label(period).replace(f"{period.year}年", "").replace(f" {period.year}", "")


def docx(body: bytes, title: str) -> HttpResponse:
    response = HttpResponse(body, content_type=DOCX)
    response["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(title)}.docx"
    return response


def scheme_note(scheme: Scheme) -> str:
    """What a scheme says, in the language of the page where the rulebook has it."""
    return (words.english() and scheme.note_en) or scheme.note


# --- grades -------------------------------------------------------------------------------------------
def mark(grade: Grade, title: str = "") -> SafeString:
    """Shape, word and colour of a grade."""
    late = "state-far_behind" if grade.severity == 3 else "state-behind" if grade.severity else "state-on_schedule"
    return format_html('<span class="state {}" title="{}"><span class="shape" aria-hidden="true">{}</span>{}</span>', late, title, SHAPES[grade.severity], words.word(grade.label))  # fmt: skip


def why(standing: Standing, dial: str) -> str:
    """The sentence of a standing; in English made anew from the same figures."""
    if not words.english():
        return standing.reason
    reading = standing.reading
    if standing.raw is None or reading.change is None:
        return _("数据不完整，不评级。")
    parts = [moved(reading.change)]
    if reading.target is not None:
        wanted = show(abs(reading.target), 2)
        parts.append((_("要求下降%s%%") if dial == "intensity" else _("增长不超过%s%%")) % wanted)
        gap = quantities(dial, reading.target, reading.change)["gap"]
        parts.append(_("达到要求") if gap <= 0 else _("相差%s个百分点") % show(gap, 2))
    if reading.estimated:
        parts.append(_("测算，不作预警依据"))
    if standing.held and standing.effective is not None:
        parts.append((_("本期为%(now)s，尚未升级，暂按%(held)s") if standing.held == "raise" else _("本期为%(now)s，尚未降级，暂按%(held)s")) % {"now": words.word(standing.raw.label), "held": words.word(standing.effective.label)})  # fmt: skip
    return words.listed(parts, "；") + "."


def moved(change: Decimal) -> str:
    """下降3.10%, 上升1.00%, 持平."""
    amount = show(abs(change), 2)
    if not change:
        return _("持平")
    return (_("下降%s%%") if change < 0 else _("上升%s%%")) % amount


def grade_cell(sight: Sight, standing: Standing | None, code: str, dial: str) -> Cell:
    """The grade of a region and month; incomplete ones are marked as such and never coloured."""
    if not sees(sight, code):
        return Cell(None, reason=words.word(NOT_PUBLIC))
    if standing is None or standing.shown is None:
        why_not = why(standing, dial) if standing else _("尚无数据。")
        return Cell(_("不完整"), html=format_html('<span class="badge badge-part" tabindex="0" title="{}">{}</span>', why_not, _("不完整")))  # fmt: skip
    grade = standing.shown
    label = words.word(grade.label)
    return Cell(_("%s（测算）") % label if standing.reading.estimated else label, html=mark(grade, why(standing, dial)), order=grade.severity)  # fmt: skip


# --- maps ---------------------------------------------------------------------------------------------
def shapes(sight: Sight) -> str:
    """The address of the county boundaries of the plan in view."""
    return reverse("shapes") + (f"?plan={sight.chosen}" if sight.chosen else "")


def shape(region: Region, value: float | None, note: str = "", url: str = "") -> dict[str, Any]:
    """One county on a map."""
    return {
        "code": region.code,
        "name": words.name_of(region),
        "short": region.name_en if words.english() and region.name_en else region.short or region.name,
        "value": value,
        "note": note,
        "url": url,
    }
