"""The register of green certificates and green-power contracts: list, import, take back, close into the deduction."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from lvheng.access.roles import Owner, Permission, may
from lvheng.core.period import Period
from lvheng.core.problem import Problem, ProblemError
from lvheng.core.quantity import show
from lvheng.energy import certificate_table, services
from lvheng.energy.models import CertificateUse, GreenContract
from lvheng.energy.tabular import read_bytes
from lvheng.filing.forms.guard import inspect
from lvheng.observations import view as views
from lvheng.observations.models import Subject
from lvheng.shell import words
from lvheng.shell.pages import as_of, page, problem_page, respond
from lvheng.shell.sight import Sight, sight_of
from lvheng.shell.tables import Cell, Column, Table, download, wanted_format
from lvheng.shell.templatetags.figures import address

LARGEST = 5_000_000  # bytes of an uploaded table
SHOWN = 2_000


def _denied(request: HttpRequest) -> HttpResponse:
    return problem_page(request, [Problem("energy.certificate.access", "您没有办理绿证登记的权限", fix="使用相应单位的账号登录。")], 403)  # fmt: skip


def _holders(sight: Sight, codes: set[str]) -> dict[str, tuple[str, Owner]]:
    """Code → name and owner of holders that the reader may see."""
    found = {}
    for s in Subject.objects.filter(code__in=codes).select_related("parent"):
        unit = s.kind == "unit"
        owner = Owner(s.parent.code if unit and s.parent else s.code, s.code if unit else "")
        city = s.code == sight.plan.header.city
        if may(sight.actor, Permission.VIEW_UNIT, None if city and not sight.actor.unit else owner):
            region = sight.region(s.code)
            found[s.code] = (words.name_of(region) if region else s.name, owner)
    return found


@page
def certificates(request: HttpRequest) -> HttpResponse:
    """Blocks of certificates and contracts, by holder, year and words; what counts for whom in total."""
    sight = sight_of(request)
    if not may(sight.actor, Permission.VIEW_UNIT):
        return _denied(request)
    return _page(request, sight)


def _page(request: HttpRequest, sight: Sight, problems: list[Problem] | None = None, status: int = 200) -> HttpResponse:
    year = request.GET.get("year", "")
    asked = request.GET.get("holder", "")
    uses = CertificateUse.objects.select_related("release").order_by("-year", "series", "start")
    contracts = GreenContract.objects.order_by("-year", "number")
    if year.isdigit() and len(year) == 4:
        uses, contracts = uses.filter(year=int(year)), contracts.filter(year=int(year))
    if asked:
        below = _within(sight, asked)
        uses, contracts = uses.filter(holder__in=below), contracts.filter(holder__in=below)
    shown, signed = list(uses[:SHOWN]), list(contracts[:SHOWN])
    known = _holders(sight, {u.holder for u in shown} | {c.holder for c in signed})
    claimed = set(GreenContract.objects.values_list("number", flat=True))
    decide = may(sight.actor, Permission.DECIDE)
    columns = [
        Column("series", _("批次")), Column("start", _("起号"), number=True), Column("end", _("止号"), number=True), Column("count", _("张数"), "", 0, True), Column("kwh", _("电量"), "千瓦时", 0, True),
        Column("holder", _("持有者"), wide=True), Column("year", _("年度")), Column("contract", _("随绿电合同")), Column("cross", _("跨省购入")), Column("state", _("状态")),
        Column("recorded", _("登记")),
    ]  # fmt: skip
    rows: list[dict[str, Any]] = []
    free: list[tuple[int, str]] = []
    for use in shown:
        if use.holder not in known:
            continue
        released = getattr(use, "release", None) if hasattr(use, "release") else None
        state = _("已撤回：%s") % released.reason if released else _("随绿电合同，不单独计算") if use.contract and use.contract in claimed else _("使用")  # fmt: skip
        if decide and not released:
            free.append((use.pk, _("%(series)s第%(start)s—%(end)s号") % {"series": use.series, "start": use.start, "end": use.end}))  # fmt: skip
        rows.append({
            "series": use.series, "start": Cell(str(use.start), order=use.start), "end": Cell(str(use.end), order=use.end), "count": use.end - use.start + 1,
            "kwh": (use.end - use.start + 1) * use.kwh_each, "holder": known[use.holder][0], "year": str(use.year), "contract": use.contract,
            "cross": _("是") if use.cross_province else "", "state": state, "recorded": f"{words.date_label(use.recorded_at.date())} {use.recorded_by}",
        })  # fmt: skip
    said = [_("一张绿证只能由一个持有者在一个年度使用一次；随绿电合同交付的绿证，电量计在合同内。")]
    if len(shown) == SHOWN:
        said.append(_("只列前%s条，请按年度或持有者筛选。") % SHOWN)
    table = Table(columns, rows, title=_("绿证使用登记"), notes=[as_of(sight), *said], empty=_("还没有登记绿证。"))
    if fmt := wanted_format(request):
        return download(_contracts(sight, signed, known) if request.GET.get("table") == "contracts" else table, fmt)
    chosen_plan = _closed(sight)
    context = {
        "table": table, "contracts": _contracts(sight, signed, known), "decide": decide, "free": free, "problems": problems or [], "asked": request.GET,
        "regions": [sight.view.city, *sight.view.counties], "closed": chosen_plan, "columns": certificate_table.COLUMNS,
    }  # fmt: skip
    return respond(request, "energy/certificates.html", context, status=status)


def _within(sight: Sight, code: str) -> list[str]:
    """A holder with what counts with it: the units of a county, the counties of the city."""
    parts = [r.code for r in sight.plan.regions.parts(code)] if code == sight.plan.header.city else []
    return [code, *parts, *Subject.objects.filter(kind="unit", parent__code__in=[code, *parts]).values_list("code", flat=True)]  # fmt: skip


def _contracts(sight: Sight, signed: list[GreenContract], known: dict[str, Any]) -> Table:
    columns = [Column("number", _("合同编号")), Column("kwh", _("结算电量"), "千瓦时", 0, True), Column("holder", _("持有者"), wide=True), Column("year", _("年度")), Column("plant", _("电站")), Column("recorded", _("登记"))]  # fmt: skip
    rows = [
        {
            "number": c.number, "kwh": c.kwh, "holder": known[c.holder][0], "year": str(c.year), "plant": c.plant,
            "recorded": f"{words.date_label(c.recorded_at.date())} {c.recorded_by}",
        }
        for c in signed if c.holder in known
    ]  # fmt: skip
    return Table(
        columns, rows, title=_("绿电合同登记"), empty=_("还没有登记绿电合同。"), export_query="?table=contracts"
    )


def _closed(sight: Sight) -> list[tuple[str, Decimal | None, Decimal | None, str]]:
    """By year: what the last close put into the city's account, 万千瓦时 of contracts and certificates."""
    header, city = sight.plan.header, sight.plan.header.city
    last = min(header.last_year, sight.view.today.year)
    return [
        (
            str(y), sight.view.value("contract_power", city, Period.of_year(y)), sight.view.value("certificate_power", city, Period.of_year(y)),
            address({"sight": sight}, "explanation", "nonfossil_deducted", city, str(y)),
        )
        for y in range(header.base_year, last + 1)
    ]  # fmt: skip


@require_POST
@page
def upload(request: HttpRequest) -> HttpResponse:
    """Import a table of certificates and contracts: all of it, or nothing and every fault shown."""
    sight = sight_of(request)
    if not may(sight.actor, Permission.DECIDE):
        return _denied(request)
    file = request.FILES.get("file")
    try:
        if file is None:
            raise ProblemError(Problem("energy.certificate.file", "没有选择文件", fix="选择xlsx或csv文件后再导入。"))
        if (file.size or 0) > LARGEST:
            raise ProblemError(Problem("energy.certificate.size", "文件过大", got=f"{(file.size or 0) // 1_000_000}兆字节", wanted="不超过5兆字节", fix="分成几个文件导入。"))  # fmt: skip
        content, name = file.read(), str(file.name or "")[-80:]
        if content.strip():
            inspect(content, name)
        blocks, contracts = certificate_table.parse(read_bytes(content, name, certificate_table.COLUMNS), name)
        done, signed = services.register(blocks, contracts, by=sight.actor.name)
    except ProblemError as error:
        return _page(request, sight, error.problems, 400)
    messages.success(request, _("已登记绿证%(blocks)s段（%(kwh)s千瓦时），绿电合同%(contracts)s份；结转后计入扣减。") % {"blocks": done, "contracts": signed, "kwh": show(Decimal(sum(b.kwh for b in blocks)))})  # fmt: skip
    return HttpResponseRedirect(address({"sight": sight}, "certificates"))


@require_POST
@page
def release(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a use back with its reason; the serials may then be used again."""
    sight = sight_of(request)
    if not may(sight.actor, Permission.DECIDE):
        return _denied(request)
    given = request.POST.get("use", "")
    try:
        services.release(int(given) if given.isdigit() else pk, request.POST.get("reason", ""), by=sight.actor.name)
    except ProblemError as error:
        return _page(request, sight, error.problems, 400)
    messages.success(request, _("已撤回，编号可以重新使用；须重新结转。"))
    return HttpResponseRedirect(address({"sight": sight}, "certificates"))


@require_POST
@page
def close(request: HttpRequest) -> HttpResponse:
    """Post what everyone holds into the deduction, region by region and year by year."""
    sight = sight_of(request)
    if not may(sight.actor, Permission.DECIDE):
        return _denied(request)
    done = services.close_certificates(sight.view, by=sight.actor.name, catalogue=views.catalogue())
    messages.success(request, _("已结转：新增%(new)s条，更正%(revised)s条，相同%(same)s条。") % {"new": done.new, "revised": done.revised, "same": done.same})  # fmt: skip
    return HttpResponseRedirect(address({"sight": sight}, "certificates"))
