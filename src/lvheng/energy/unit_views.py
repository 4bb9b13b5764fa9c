"""Pages of units: whose energy is largest, and one unit's account by GB/T 2589."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from lvheng.access.roles import Owner, Permission, may
from lvheng.core.period import Period
from lvheng.core.problem import Problem
from lvheng.energy import data, unit_accounts
from lvheng.energy.accounts import FactorKind, Pair
from lvheng.energy.industries import industry_name
from lvheng.energy.views import chosen_region
from lvheng.observations.models import Observation, Subject
from lvheng.shell import words
from lvheng.shell.pages import as_of, known_or_404, page, problem_page, respond
from lvheng.shell.sight import Sight, sight_of
from lvheng.shell.tables import Cell, Column, Table, download, wanted_format
from lvheng.shell.templatetags.figures import address

SHOWN = 200


def _refused(request: HttpRequest) -> HttpResponse:
    return problem_page(request, [Problem("energy.unit.access", "您没有查看单位数据的权限", fix="登录相应单位或主管部门的账号。")], 403)  # fmt: skip


@page
def units(request: HttpRequest) -> HttpResponse:
    """The units whose data the reader may see, by energy recorded in a year, largest first."""
    sight = sight_of(request)
    actor = sight.actor
    if not may(actor, Permission.VIEW_UNIT):
        return _refused(request)
    if actor.unit:
        only = Subject.objects.filter(kind="unit", code=actor.unit)
        region = ""
    else:
        region = chosen_region(sight, request.GET.get("region", actor.region))
        codes = [r.code for r in sight.plan.regions.parts(region)] if region == sight.plan.header.city else [region]
        only = Subject.objects.filter(kind="unit", parent__code__in=[c for c in codes if may(actor, Permission.VIEW_UNIT, Owner(c))])  # fmt: skip
    years = sorted({int(p[:4]) for p in Observation.objects.filter(indicator="energy_use").values_list("period", flat=True).distinct()}, reverse=True)  # fmt: skip
    asked = request.GET.get("year", "")
    year = int(asked) if asked.isdigit() and int(asked) in years else next((y for y in years if sight.view.value("energy_total", sight.plan.header.city, Period.of_year(y)) is not None), years[0] if years else 0)  # fmt: skip
    rows = (
        Observation.objects.filter(subject__in=only, indicator="energy_use", period__gte=f"{year}-01", period__lte=f"{year}-12", vintage=1, posting_id__lte=sight.view.position)
        .values("subject__code", "subject__name", "subject__industry", "subject__parent__code", "scale").annotate(total=Sum("mantissa"))
    )  # fmt: skip
    sums: dict[str, dict[str, Any]] = {}
    for r in rows:
        entry = sums.setdefault(r["subject__code"], {**r, "tce": Decimal(0)})
        entry["tce"] += Decimal(int(r["total"] or 0)).scaleb(-r["scale"])
    largest = sorted(sums.values(), key=lambda r: (-r["tce"], r["subject__code"]))[:SHOWN]
    columns = [Column("unit", _("单位"), wide=True), Column("region", _("地区")), Column("industry", _("行业"), wide=True), Column("tce", _("首次填报能源消费量（当量值）"), "吨标准煤", 2, True)]  # fmt: skip
    body = [
        {
            "unit": Cell(r["subject__name"], url=address({"sight": sight}, "energy_unit", r["subject__code"])), "region": words.name_of(sight.region(r["subject__parent__code"])),
            "industry": industry_name(r["subject__industry"][:2]), "tce": r["tce"],
        }
        for r in largest
    ]  # fmt: skip
    said = [_("列能耗最大的%s家；账户中以最新版次为准。") % SHOWN] if len(sums) > SHOWN else []
    table = Table(
        columns, body, title=_("%s年用能单位") % year, notes=[as_of(sight), *said], empty=_("没有可查看的单位。")
    )
    if fmt := wanted_format(request):
        return download(table, fmt)
    context = {"heading": _("单位账户"), "lead": _("按GB/T 2589核算，逐行列出实物量、折标系数、当量值和等价值。"), "region_code": region, "regions": [sight.view.city, *sight.view.counties] if not actor.unit else [], "years": years, "year": year, "table": table}  # fmt: skip
    return respond(request, "energy/accounts.html", context)


@page
def unit(request: HttpRequest, code: str) -> HttpResponse:
    """One unit's account of a cumulative period: line by line, the parts of the formula, products, CO₂."""
    sight = sight_of(request)
    subject = known_or_404(Subject.objects.filter(kind="unit", code=code).select_related("parent").first())
    region = subject.parent.code if subject.parent else ""
    if not may(sight.actor, Permission.VIEW_UNIT, Owner(region, code)):
        return _refused(request)
    filed, recorded = unit_accounts.periods(subject)
    options = [(f"f{p.code}", _("%s（205-1、205-2表）") % words.period_label(p)) for p in filed]
    options += [(f"r{p.code}", _("%s（入库数据）") % words.period_label(p)) for p in recorded]
    asked = request.GET.get("period", "")
    if asked not in dict(options):
        asked = options[0][0] if options else ""
    found = None
    if asked:
        period = Period.parse(asked[1:])
        made = unit_accounts.filed if asked[0] == "f" else unit_accounts.recorded
        found = made(subject, period, at=sight.view.position)
    context: dict[str, Any] = {"subject": subject, "region": sight.region(region), "industry": industry_name(subject.industry), "options": options, "asked": asked, "found": found, "heading": subject.name}  # fmt: skip
    if found is None:
        return respond(request, "energy/unit.html", context)
    lines, parts, made_products = _lines(sight, found), _parts(sight, found), _products(sight, found)
    if fmt := wanted_format(request):
        return download(lines, fmt)
    used = sight.view.rulebook.find("energy.electricity_equivalent", found.period.end, region), sight.view.rulebook.find("energy.heat_equivalent", found.period.end, region)  # fmt: skip
    rules = [sight.view.rulebook.find("energy.factors", found.period.end, region), *used, sight.view.rulebook.find("carbon.fuels", found.period.end, region), sight.view.rulebook.find("carbon.electricity", found.period.end, region)]  # fmt: skip
    power = data.power_co2(found.period.year)
    context |= {
        "lines": lines, "parts": parts, "products": made_products, "rules": [r for r in rules if r], "flagged": [r.carrier.name for r in found.account.lines if r.factor_kind is FactorKind.REFERENCE and not r.carrier.secondary and found.filings],
        "problems": [*found.account.problems, *found.co2.problems], "power": power, "filings": [reverse("filing", args=[f]) for f in found.filings],
    }  # fmt: skip
    return respond(request, "energy/unit.html", context)


def _both(name: str, pair: Pair, why: str) -> dict[str, Any]:
    return {f"{name}": pair.calorific, f"{name}_e": Cell(pair.equivalent, reason=why)}


def _lines(sight: Sight, found: unit_accounts.UnitAccount) -> Table:
    columns = [
        Column("carrier", _("品种")), Column("unit", _("计量单位")), Column("quantity", _("消费量"), "", 2, True), Column("factor", _("折标系数"), "", 4, True), Column("kind", _("系数来源")),
        Column("consumption", _("消费量（当量值）"), "吨标准煤", 2, True), Column("consumption_e", _("消费量（等价值）"), "吨标准煤", 2, True), Column("feedstock", _("其中用于原材料"), "吨标准煤", 2, True),
        Column("conversion_input", _("加工转换投入"), "吨标准煤", 2, True), Column("conversion_output", _("加工转换产出"), "吨标准煤", 2, True), Column("recovered", _("回收利用"), "吨标准煤", 2, True),
        Column("comprehensive", _("综合能源消费量（当量值）"), "吨标准煤", 2, True), Column("comprehensive_e", _("综合能源消费量（等价值）"), "吨标准煤", 2, True),
    ]  # fmt: skip
    why = _("当年等价系数未录入。")
    rows = []
    for r in found.account.lines:
        kind = words.word(r.factor_kind.label) if found.filings else _("已按填报系数折算")
        rows.append({
            "carrier": words.item_label(r.carrier.code), "unit": words.unit_label(r.carrier.unit), "quantity": r.consumption.calorific / r.factor if r.factor else None, "factor": r.factor, "kind": kind,
            **_both("consumption", r.consumption, why), "feedstock": r.feedstock.calorific, "conversion_input": r.conversion_input.calorific, "conversion_output": r.conversion_output.calorific,
            "recovered": r.recovered.calorific, **_both("comprehensive", r.comprehensive, why),
        })  # fmt: skip
    total = found.account.comprehensive
    foot = {"carrier": _("合计"), **_both("comprehensive", total, why)} if found.account.complete else None
    return Table(columns, rows, title=_("分品种核算"), notes=[as_of(sight)], foot=foot, filterable=False)


def _parts(sight: Sight, found: unit_accounts.UnitAccount) -> Table:
    a = found.account
    why = _("当年等价系数未录入。")
    named = (
        (_("终端消费量"), a.final_use), (_("＋加工转换投入"), a.conversion_input), (_("−加工转换产出"), a.conversion_output), (_("−回收利用"), a.recovered),
        (_("＝综合能源消费量"), a.comprehensive), (_("其中：原料用能"), a.feedstock),
    )  # fmt: skip
    columns = [Column("part", _("项目")), Column("calorific", _("当量值"), "吨标准煤", 2, True), Column("equivalent", _("等价值"), "吨标准煤", 2, True)]  # fmt: skip
    rows = [{"part": name, "calorific": Cell(p.calorific if a.complete else None, reason=_("核算不完整，见上列问题。")), "equivalent": Cell(p.equivalent if a.complete else None, reason=why)} for name, p in named]  # fmt: skip
    return Table(columns, rows, title=_("综合能源消费量"), filterable=False, notes=[as_of(sight)], formats=())  # fmt: skip


def _products(sight: Sight, found: unit_accounts.UnitAccount) -> Table | None:
    if not found.products:
        return None
    columns = [Column("product", _("产品")), Column("output", _("产量"), "", 2, True), Column("unit", _("计量单位")), Column("calorific", _("单位产品综合能耗（当量值）"), "千克标准煤", 2, True), Column("equivalent", _("单位产品综合能耗（等价值）"), "千克标准煤", 2, True)]  # fmt: skip
    rows = [{"product": n, "output": o, "unit": words.unit_label(u), "calorific": c, "equivalent": Cell(e, reason=_("当年等价系数未录入。"))} for n, o, u, c, e in found.products]  # fmt: skip
    return Table(columns, rows, title=_("单位产品能耗"), filterable=False, notes=[_("以全单位综合能源消费量除以产量；多产品单位应按产品分摊后另算。")], formats=())  # fmt: skip
