"""Pages of the regional accounts: the balance, fuels, sectors, industry by division, and what is deducted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from lvheng.access.roles import Permission, may
from lvheng.core.period import Kind, Period
from lvheng.core.problem import Problem, ProblemError
from lvheng.core.rulebook import Version
from lvheng.energy import deduction_accounts
from lvheng.energy import industries as divided
from lvheng.energy import sheet as sheets
from lvheng.energy.deductions import Series
from lvheng.energy.industries import DIVISION_ENERGY, DIVISION_OUTPUT
from lvheng.energy.rules import intensity_change_of_levels
from lvheng.energy.sheet import CO2_GROUPS, CONSUMED, CONVERSION, FINAL, SECTORS, SUPPLY, FuelRow, Sheet
from lvheng.shell import words
from lvheng.shell.pages import as_of, page, respond
from lvheng.shell.sight import NOT_PUBLIC, Sight, sight_of
from lvheng.shell.tables import Cell, Column, Table, download, wanted_format
from lvheng.shell.templatetags.figures import address

TOLERANCE = Decimal(2)  # per cent of what is available; a larger statistical difference is told
EXPLAINED = {
    Series.MEASURED: "energy_intensity", Series.LESS_FEEDSTOCK: "energy_intensity_less_feedstock", Series.LESS_NONFOSSIL: "energy_intensity_assessed",
}  # fmt: skip
MEASURES = ("equivalent", "calorific", "physical")
GROUP_NAMES = {"coal": "煤炭", "oil": "石油", "gas": "天然气", "power": "电力", "heat": "热力", "other": "其他"}


def sees(sight: Sight, region: str) -> bool:
    """Whether the energy figures of a region are shown to the reader: synthetic and published ones are for everybody."""
    base = Period.of_year(sight.plan.header.base_year)
    synthetic, quality = sight.view.is_synthetic(sight.view.explain("energy_total", region, base))
    return sight.sees(region, open_to_all=synthetic or quality == "published")


def synthetic(sight: Sight) -> bool:
    base = Period.of_year(sight.plan.header.base_year)
    return sight.view.is_synthetic(sight.view.explain("energy_total", sight.plan.header.city, base))[0]


def notes(sight: Sight, *more: str) -> list[str]:
    return [as_of(sight), *more, *([_("演示数据，不是真实统计数据。")] if synthetic(sight) else [])]


def explained(sight: Sight, code: str, region: str, period: Period, item: str = "") -> str:
    """The address of the explanation of a figure."""
    url = address({"sight": sight}, "explanation", code, region, period.code)
    return url + (("&" if "?" in url else "?") + urlencode({"item": item}) if item else "")


def chosen_region(sight: Sight, asked: str, *, every: bool = False) -> str:
    """The region asked for (the city by default); raises ProblemError for one that is none or not to be seen."""
    code = asked or sight.plan.header.city
    if every and code == "all":
        return code
    known = {r.code for r in (sight.view.city, *sight.view.counties)}
    if code not in known:
        raise ProblemError(Problem("energy.region.unknown", "没有这个地区", got=code[:20], fix="从列表中选择地区。"))
    if not sees(sight, code):
        raise ProblemError(Problem("energy.access", NOT_PUBLIC, fix="使用有权限的账号登录。"))
    return code


def _year(request: HttpRequest, years: Sequence[int], fallback: int | None = None) -> int:
    asked = request.GET.get("year", "")
    if asked.isdigit() and int(asked) in years:
        return int(asked)
    return fallback if fallback in years else (years[0] if years else 0)  # type: ignore[return-value]


def _known_years(sight: Sight, region: str, years: Sequence[int], code: str = "energy_total") -> list[int]:
    """The years for which a figure is complete, in order, for a chart."""
    return [y for y in sorted(years) if sight.view.value(code, region, Period.of_year(y)) is not None]


def _last_complete(sight: Sight, region: str, years: Sequence[int]) -> int | None:
    return next((y for y in years if sight.view.value("energy_total", region, Period.of_year(y)) is not None), None)


def _rules(sight: Sight, region: str, day: Any, names: Iterable[str]) -> list[Version]:
    found = (sight.view.rulebook.find(n, day, region) for n in names)
    return [v for v in found if v is not None]


def _answer(request: HttpRequest, sight: Sight, region: str, table: Table, **context: Any) -> HttpResponse:
    if fmt := wanted_format(request):
        return download(table, fmt)
    base = {"regions": [sight.view.city, *sight.view.counties], "region_code": region, "table": table, "synthetic": synthetic(sight)}  # fmt: skip
    return respond(request, "energy/accounts.html", {**base, **context})


def _place(sight: Sight, region: str) -> str:
    return words.name_of(sight.plan.regions[region])


def _not_filed() -> str:
    return _("未填报，不以零代替。")


# --- balance --------------------------------------------------------------------------------------
@page
def balance(request: HttpRequest) -> HttpResponse:
    """The energy balance: every carrier and flow, in physical units and in tce by both conventions."""
    sight = sight_of(request)
    region = chosen_region(sight, request.GET.get("region", ""))
    years = sheets.years_of(sight.view)
    year = _year(request, years, _last_complete(sight, region, years))
    measure = request.GET.get("measure", "") if request.GET.get("measure") in MEASURES else MEASURES[0]
    found = Sheet(sight.view, region, year)
    physical = measure == "physical"
    flows = [*SUPPLY, *CONVERSION, *FINAL, "feedstock"]
    columns = [Column("carrier", _("品种")), *([Column("unit", _("计量单位"))] if physical else [])]
    columns += [
        Column(f, words.word(sheets.TITLES[f]), "" if physical else "吨标准煤", None if physical else 0, True)
        for f in flows
    ]
    columns.insert(len(columns) - 1, Column("difference", _("平衡差额"), "" if physical else "吨标准煤", None if physical else 0, True))  # fmt: skip
    columns.insert(len(columns) - 2, Column("used", _("消费总量"), "" if physical else "吨标准煤", None if physical else 0, True))  # fmt: skip

    def row_of(row: FuelRow) -> dict[str, Any]:
        places = (2 if row.carrier.unit == "吨标准煤" else 0) if physical else None
        cells: dict[str, Any] = {
            f: Cell(row.amount(f, measure), url=explained(sight, f"balance_{f}", region, found.period, row.carrier.code), reason=_not_filed(), places=places)
            for f in flows
        }  # fmt: skip
        available, used = row.total(SUPPLY, measure), row.total(CONSUMED, measure)
        off = None if available is None or used is None else available - used
        return cells | {
            "carrier": words.item_label(row.carrier.code), "unit": words.unit_label(row.carrier.unit), "used": Cell(used, reason=_not_filed(), places=places),
            "difference": Cell(off, reason=_not_filed(), places=places),
        }  # fmt: skip

    foot, facts = None, []
    balanced = found.balanced("equivalent" if physical else measure, TOLERANCE)
    if not physical and found.rows:
        foot = {"carrier": _("合计"), **{f: found.sum({f: 1}, measure) for f in flows}, "used": balanced.use, "difference": balanced.difference}  # fmt: skip
    if found.rows:
        ten = Decimal(10_000)
        facts = [
            (_("可供消费量"), None if balanced.available is None else balanced.available / ten, "万吨标准煤", 2, ""),
            (_("能源消费总量"), None if balanced.use is None else balanced.use / ten, "万吨标准煤", 2, explained(sight, "energy_total", region, found.period)),
            (_("平衡差额"), None if balanced.difference is None else balanced.difference / ten, "万吨标准煤", 2, ""),
            (_("平衡差额占可供消费量"), balanced.difference_pct, "%", 2, ""),
            (_("二氧化碳排放量（区域法）"), sight.view.value("co2_energy", region, found.period), "万吨二氧化碳", 2, explained(sight, "co2_energy", region, found.period)),
        ]  # fmt: skip
    names = {"equivalent": _("标准量（等价值）"), "calorific": _("标准量（当量值）"), "physical": _("实物量")}
    title = _("%(region)s%(year)s年能源平衡表：%(measure)s") % {"region": _place(sight, region), "year": year, "measure": names[measure]}  # fmt: skip
    said = [
        _("消费总量＝各部门终端消费量＋加工转换投入−加工转换产出＋损失；平衡差额＝可供消费量−消费总量，如实列出。"),
        _("等价值只更换电力的折标系数，热力等按当量值；标准量＝实物量×所用折标系数。"),
    ]
    table = Table(columns, [row_of(r) for r in found.rows], title=title, notes=notes(sight, *said), foot=foot, empty=_("该地区该年没有能源平衡表。"), filterable=False)  # fmt: skip
    problems = [*balanced.problems, *found.check_total()] if found.rows else []
    rules = _rules(sight, region, found.period.end, ("energy.factors", "energy.electricity_equivalent", "energy.heat_equivalent"))  # fmt: skip
    return _answer(
        request, sight, region, table, heading=_("能源平衡表"), lead=_("实物量和标准量、当量值和等价值并列，平衡差额如实列出。每个数可点开看来源。"), facts=facts, years=years, year=year,
        measure=measure, measures=list(names.items()), problems=problems, rules=rules,
    )  # fmt: skip


# --- fuels ----------------------------------------------------------------------------------------
@page
def fuels(request: HttpRequest) -> HttpResponse:
    """Consumption by carrier in physical units and both conventions, with CO₂ beside it."""
    sight = sight_of(request)
    region = chosen_region(sight, request.GET.get("region", ""))
    years = sheets.years_of(sight.view)
    year = _year(request, years, _last_complete(sight, region, years))
    found = Sheet(sight.view, region, year)
    before = Sheet(sight.view, region, year - 1)
    earlier = {r.carrier.code: r for r in before.rows}
    whole = found.sum(CONSUMED, "equivalent")
    columns = [
        Column("carrier", _("品种")), Column("unit", _("计量单位")), Column("physical", _("消费量"), "", None, True), Column("factor", _("折标系数"), "", 4, True),
        Column("calorific", _("当量值"), "吨标准煤", 0, True), Column("equivalent", _("等价值"), "吨标准煤", 0, True), Column("share", _("占比（等价值）"), "%", 2, True),
        Column("change", _("比上年"), "%", 2, True), Column("feedstock", _("用作原料"), "吨标准煤", 0, True), Column("co2", _("二氧化碳（区域法）"), "吨", 0, True),
    ]  # fmt: skip
    rows = []
    for row in found.rows:
        amount = {m: row.total(CONSUMED, m) for m in MEASURES}
        past = earlier[row.carrier.code].total(CONSUMED, "equivalent") if row.carrier.code in earlier else None
        now = amount["equivalent"]
        places = 2 if row.carrier.unit == "吨标准煤" else 0
        rows.append({
            "carrier": words.item_label(row.carrier.code), "unit": words.unit_label(row.carrier.unit),
            "physical": Cell(amount["physical"], places=places, reason=_not_filed()),
            "factor": Cell(row.factor, url=explained(sight, "balance_factor", region, found.period, row.carrier.code), reason=_not_filed()),
            "calorific": Cell(amount["calorific"], reason=_not_filed()), "equivalent": Cell(now, reason=_("等价系数或数量未录入。")),
            "share": now / whole * 100 if now is not None and whole else None, "change": (now / past - 1) * 100 if now is not None and past else Cell(None, reason=_("上年为零或未填报。")),
            "feedstock": Cell(row.amount("feedstock", "calorific"), url=explained(sight, "balance_feedstock", region, found.period, row.carrier.code), reason=_not_filed()),
            "co2": Cell(found.co2_of(row), reason=_("缺少排放因子或消费量。")),
        })  # fmt: skip
    foot = {
        "carrier": _("合计"), "calorific": found.sum(CONSUMED, "calorific"), "equivalent": Cell(whole, url=explained(sight, "energy_total", region, found.period)),
        "share": Decimal(100) if whole else None, "feedstock": Cell(found.sum({"feedstock": 1}, "calorific"), url=explained(sight, "feedstock_energy", region, found.period)),
        "co2": Cell(found.co2(), url=explained(sight, "co2_energy", region, found.period)),
    }  # fmt: skip
    said = _("二氧化碳按区域法：煤、油、气消费量（不含用作原料）乘因子，电力按净调入电量乘因子；热力的排放计在燃煤处。单位法的排放量不与此相加。")  # fmt: skip
    title = _("%(region)s%(year)s年分品种能源消费量") % {"region": _place(sight, region), "year": year}
    table = Table(columns, rows, title=title, notes=notes(sight, said), foot=foot if rows else None, empty=_("该地区该年没有分品种数据。"), filterable=False)  # fmt: skip
    series: dict[str, list[float | None]] = {}
    past_years = _known_years(sight, region, years)
    for y in past_years:
        of_year = Sheet(sight.view, region, y)
        for group, name in GROUP_NAMES.items():
            chosen = [r for r in of_year.rows if {**CO2_GROUPS, "power": "power", "heat": "heat"}.get(r.carrier.group, "other") == group]  # fmt: skip
            value = of_year.sum(CONSUMED, "equivalent", chosen)
            series.setdefault(name, []).append(None if value is None else round(float(value) / 10_000, 2))
    shown = {n: v for n, v in series.items() if any(v) and n != "热力"}
    chart = {"periods": [str(y) for y in past_years], "unit": words.unit_label("万吨标准煤"), "places": 1, "series": [{"name": words.word(n), "values": v} for n, v in shown.items()], "space": 120}  # fmt: skip
    rules = _rules(sight, region, found.period.end, ("energy.factors", "energy.electricity_equivalent", "carbon.regional.coal", "carbon.regional.oil", "carbon.regional.gas", "carbon.regional.power"))  # fmt: skip
    return _answer(
        request, sight, region, table, heading=_("分品种能源消费"), lead=_("消费总量分品种列出，标准量分当量值、等价值，旁列二氧化碳。"), years=years, year=year, rules=rules,
        chart=chart, chart_title=_("%s历年分品种能源消费量（等价值）") % _place(sight, region),
    )  # fmt: skip


# --- sectors --------------------------------------------------------------------------------------
@page
def sectors(request: HttpRequest) -> HttpResponse:
    """Consumption by the five sectors with their parts, electricity and CO₂."""
    sight = sight_of(request)
    view = sight.view
    region = chosen_region(sight, request.GET.get("region", ""))
    years = sheets.years_of(view)
    year = _year(request, years, _last_complete(sight, region, years))
    found, period = Sheet(view, region, year), Period.of_year(year)

    def energy(part: str, when: Period) -> Decimal | None:
        return view.value(f"energy_{part}", region, when)

    def added(values: Sequence[Decimal | None]) -> Decimal | None:
        return None if any(v is None for v in values) else sum((v for v in values if v is not None), Decimal(0))

    total = added([energy(p, period) for parts in SECTORS.values() for p in parts])
    power = next((r for r in found.rows if r.carrier.group == "power"), None)
    columns = [
        Column("sector", _("部门")), Column("energy", _("能源消费量（等价值）"), "万吨标准煤", 2, True), Column("share", _("占比"), "%", 2, True),
        Column("change", _("比上年"), "%", 2, True), Column("power", _("其中用电量"), "万千瓦时", 0, True), Column("co2", _("二氧化碳（区域法）"), "万吨", 2, True),
    ]  # fmt: skip

    def line(title: str, parts: Sequence[str]) -> dict[str, Any]:
        now, past = added([energy(p, period) for p in parts]), added([energy(p, period.lag()) for p in parts])
        used = [power.total({p: 1} | ({"losses": 1} if p == "industry" else {}), "physical") if power else None for p in parts]  # fmt: skip
        emitted = added([found.co2(p) for p in parts]) if found.rows else None
        return {
            "sector": title, "energy": Cell(now, url=explained(sight, f"energy_{parts[0]}", region, period) if len(parts) == 1 else "", reason=_not_filed()),
            "share": now / total * 100 if now is not None and total else None, "change": Cell((now / past - 1) * 100 if now is not None and past else None, reason=_("上年数缺失。")),
            "power": Cell(added(used), reason=_not_filed()), "co2": Cell(None if emitted is None else emitted / 10_000, reason=_("缺少分品种数据，不能核算。")),
        }  # fmt: skip

    rows = []
    for title, parts in SECTORS.items():
        rows.append(line(words.word(title), parts))
        if len(parts) > 1:
            rows += [line("　" + words.word(sheets.TITLES[p]), (p,)) for p in parts]
    everything = [p for parts in SECTORS.values() for p in parts]
    foot = line(_("合计"), everything)
    foot["energy"] = Cell(total, url=explained(sight, "energy_total", region, period))
    foot["co2"] = Cell(foot["co2"].value, url=explained(sight, "co2_energy", region, period))
    problems = []
    told = view.value("energy_total", region, period)
    if total is not None and told is not None and abs(total - told) > Decimal("0.01"):
        problems.append(Problem("energy.sectors.total", "各部门之和与能源消费总量不符", got=f"{total:.4f}", wanted=f"{told:.4f}万吨标准煤", fix="核对分部门数。"))  # fmt: skip
    counties = _county_table(sight, period) if region == sight.plan.header.city else None
    past_years = _known_years(sight, region, years)
    series = [
        {"name": words.word(title), "values": [None if (v := added([energy(p, Period.of_year(y)) for p in parts])) is None else float(v) for y in past_years]}
        for title, parts in SECTORS.items()
    ]  # fmt: skip
    chart = {"periods": [str(y) for y in past_years], "unit": words.unit_label("万吨标准煤"), "places": 1, "series": series, "space": 120}  # fmt: skip
    title = _("%(region)s%(year)s年分部门能源消费量") % {"region": _place(sight, region), "year": year}
    said = _("工业含加工转换损失和输配损失；净调入电力的排放按各部门用电量分摊，合计等于区域法排放量。")
    table = Table(columns, rows, title=title, notes=notes(sight, said), foot=foot, filterable=False)
    return _answer(
        request, sight, region, table, heading=_("分部门能源消费"), lead=_("第一产业、工业、建筑业、第三产业和居民生活，合计等于能源消费总量。"), years=years, year=year,
        chart=chart, chart_title=_("%s历年分部门能源消费量") % _place(sight, region), problems=problems, more=counties,
    )  # fmt: skip


def _county_table(sight: Sight, period: Period) -> Table:
    """Energy, intensity, electricity intensity and CO₂ of every county beside the city, with the sum over what is counted."""
    codes = {
        "energy": ("energy_total", 2), "intensity": ("energy_intensity", 4), "change": ("energy_intensity_change", 2), "decline": ("energy_intensity_decline", 2),
        "power": ("electricity_intensity", 2), "co2": ("co2_energy", 2), "carbon": ("co2_intensity", 4), "carbon_decline": ("co2_intensity_decline", 2),
    }  # fmt: skip
    catalogue = sight.view.catalogue
    columns = [Column("region", _("地区")), *(Column(k, words.name_of(catalogue[c]), catalogue[c].unit, p, True) for k, (c, p) in codes.items())]  # fmt: skip
    version = sight.view.rulebook.at("energy.intensity.places", sight.plan.header.period.start, sight.plan.header.city)
    places = None if version.value is None else int(version.value)

    said = [_("总量为各县（市、区）之和；强度是比率，不相加。")]
    if places is not None:
        said.append(_("比上年变化由取%s位小数的强度计算。") % places)

    def why(code: str, region: str) -> str:
        return explained(sight, "energy_intensity" if code == "energy_intensity_change" else code, region, period)

    def value(code: str, region: str) -> Decimal | None:
        """The figure; the yearly change from intensities rounded by the rule, as the barometer has it."""
        if code != "energy_intensity_change":
            return sight.view.value(code, region, period)
        e0, g0, e1, g1 = (sight.view.value(c, region, p) for p in (period.lag(), period) for c in ("energy_total", "gdp_constant"))  # fmt: skip
        if e0 is None or g0 is None or e1 is None or g1 is None or not (e0 and g0 and g1):
            return None
        return intensity_change_of_levels(e0, g0, e1, g1, places)

    rows = []
    for region in sight.view.counties:
        shown = sees(sight, region.code)
        rows.append({"region": words.name_of(region)} | {
            k: Cell(value(c, region.code) if shown else None, url=why(c, region.code) if shown else "", reason=_not_filed() if shown else words.word(NOT_PUBLIC))
            for k, (c, _p) in codes.items()
        })  # fmt: skip
    city = sight.plan.header.city
    foot = {"region": words.name_of(sight.view.city)} | {k: Cell(value(c, city), url=why(c, city)) for k, (c, _p) in codes.items()}  # fmt: skip
    return Table(columns, rows, title=_("%s各县（市、区）能耗和排放") % words.period_label(period), notes=said, foot=foot, filterable=False, formats=())  # fmt: skip


# --- industry -------------------------------------------------------------------------------------
@page
def industries(request: HttpRequest) -> HttpResponse:
    """规上工业 by division of GB/T 4754: month, since January or year; energy, change, value added, intensity."""
    sight = sight_of(request)
    view = sight.view
    region = chosen_region(sight, request.GET.get("region", ""))
    base = sight.plan.header.base_year
    span = view.data_years(DIVISION_ENERGY) or (base, base)
    years = list(range(span[1], span[0] - 1, -1))
    year = _year(request, years, next((y for y in years if view.value("industry_energy", region, Period.of_year(y)) is not None), None))  # fmt: skip
    asked = request.GET.get("month", "")
    months = [("", _("全年")), *((f"ytd{m}", _("1—%s月") % m if m > 1 else _("1月")) for m in range(2, 12)), *((str(m), _("%s月") % m) for m in range(1, 13))]  # fmt: skip
    if asked not in {m for m, _n in months}:
        asked = ""
    period = Period.of_year(year) if not asked else Period(Kind.YTD, year, int(asked[3:])) if asked.startswith("ytd") else Period.of_month(year, int(asked))  # fmt: skip
    whole = view.value("industry_energy", region, period)
    annual = period.kind is Kind.YEAR
    emitted = divided.filed_co2(view, region, period)
    columns = [
        Column("code", _("代码")), Column("division", _("行业大类"), wide=True), Column("energy", _("综合能源消费量（等价值）"), "万吨标准煤", 4, True), Column("share", _("占比"), "%", 2, True),
        Column("change", _("同比"), "%", 2, True), *([Column("value", _("增加值（可比价）"), "亿元", 2, True), Column("intensity", _("单位增加值能耗"), "吨标准煤/万元", 4, True), Column("fall", _("强度同比"), "%", 2, True)] if annual else []),
        Column("co2", _("二氧化碳（单位法，已填报单位）"), "吨", 0, True),
    ]  # fmt: skip
    rows = []
    for code, name in divided.divisions(view, region, year):
        now, past = (view.value(DIVISION_ENERGY, region, p, code) for p in (period, period.lag()))
        row: dict[str, Any] = {
            "code": code, "division": name, "energy": Cell(now, url=explained(sight, DIVISION_ENERGY, region, period, code), reason=_not_filed()),
            "share": now / whole * 100 if now is not None and whole else None, "change": Cell((now / past - 1) * 100 if now is not None and past else None, reason=_("上年同期为零或缺失。")),
            "co2": Cell(emitted[code].tons if code in emitted else None, reason=_("没有单位填报，或缺少排放因子。")),
        }  # fmt: skip
        if code in emitted and not emitted[code].complete:
            row["co2"] = Cell(
                None,
                reason=_("部分品种没有缺省排放因子，不完整：%s")
                % "、".join(p.message for p in emitted[code].problems[:2]),
            )
        if annual:
            value, value0 = (view.value(DIVISION_OUTPUT, region, p, code) for p in (period, period.lag()))
            level = now / value if now is not None and value else None
            level0 = past / value0 if past is not None and value0 else None
            row |= {
                "value": Cell(value, url=explained(sight, DIVISION_OUTPUT, region, period, code), reason=_not_filed()), "intensity": Cell(level, reason=_("没有增加值。")),
                "fall": Cell((level / level0 - 1) * 100 if level is not None and level0 else None, reason=_("上年同期为零或缺失。")),
            }  # fmt: skip
        rows.append(row)
    energies = [r["energy"].value for r in rows]
    known = sum((e for e in energies if e is not None), Decimal(0)) if energies and None not in energies else None
    foot: dict[str, Any] = {"code": _("合计"), "energy": Cell(known, url=explained(sight, "industry_energy", region, period)), "share": known / whole * 100 if known is not None and whole else None}  # fmt: skip
    if annual:
        foot |= {"value": Cell(view.value("industry_va", region, period), url=explained(sight, "industry_va", region, period)), "intensity": Cell(view.value("industry_va_intensity", region, period), url=explained(sight, "industry_va_intensity", region, period))}  # fmt: skip
    problems = []
    if known is not None and whole is not None and abs(known - whole) > Decimal("0.001"):
        problems.append(Problem("energy.industries.total", "各行业之和与规上工业能耗不符", got=f"{known:.4f}", wanted=f"{whole:.4f}万吨标准煤", fix="核对分行业数。"))  # fmt: skip
    title = _("%(region)s%(period)s规上工业分行业能耗") % {"region": _place(sight, region), "period": words.period_label(period)}  # fmt: skip
    said = _(
        "行业按GB/T 4754-2017大类。二氧化碳按单位法由已入库的单位填报数核算，未填报的单位不计，故不与区域法相加、不列合计。"
    )
    table = Table(columns, rows, title=title, notes=notes(sight, said), foot=foot if rows else None, empty=_("该地区该期没有分行业数据。"), filterable=False)  # fmt: skip
    largest = sorted(((r["energy"].value or Decimal(0), r["code"], r["division"]) for r in rows), reverse=True)[:4]
    span_years = _known_years(sight, region, years, "industry_energy")
    series = [
        {"name": name, "values": [None if (v := view.value(DIVISION_ENERGY, region, Period.of_year(y), code)) is None else float(v) for y in span_years]}
        for _e, code, name in largest
    ]  # fmt: skip
    chart = {"periods": [str(y) for y in span_years], "unit": words.unit_label("万吨标准煤"), "places": 1, "series": series, "space": 200}  # fmt: skip
    return _answer(
        request, sight, region, table, heading=_("规上工业分行业"), lead=_("按国民经济行业大类，分月、累计和全年。"), years=years, year=year, months=months, month=asked,
        chart=chart, chart_title=_("%s能耗最大的四个行业") % _place(sight, region), problems=problems,
    )  # fmt: skip


# --- deductions -----------------------------------------------------------------------------------
@page
def deductions(request: HttpRequest) -> HttpResponse:
    """Three series side by side, with what is deducted and by which rule of the day, down to the certificates."""
    sight = sight_of(request)
    region = chosen_region(sight, request.GET.get("region", ""), every=True)
    header = sight.plan.header
    codes = [r.code for r in (sight.view.city, *sight.view.counties) if sees(sight, r.code)] if region == "all" else [region]  # fmt: skip
    accounts = {c: deduction_accounts.account(sight.view, c) for c in codes}
    problems = [p for a in accounts.values() for p in a.problems] if region != "all" else []
    columns = [
        Column("region", _("地区")), Column("year", _("年份")), Column("energy", _("能源消费总量"), "万吨标准煤", 2, True), Column("feedstock", _("原料用能"), "万吨标准煤", 2, True),
        Column("physical", _("非化石能源（物理电量等）"), "万吨标准煤", 2, True), Column("certificates", _("绿证绿电（计入）"), "万吨标准煤", 4, True), Column("carve", _("单列项目"), "万吨标准煤", 2, True),
    ]  # fmt: skip
    for s in Series:
        short = {"measured": _("原口径"), "less_feedstock": _("扣原料"), "less_nonfossil": _("扣原料和非化石")}[s.value]
        columns += [Column(f"{s.value}_energy", short, "万吨标准煤", 2, True), Column(f"{s.value}_intensity", _("强度"), "吨标准煤/万元", 4, True), Column(f"{s.value}_decline", _("比基年下降"), "%", 2, True)]  # fmt: skip
    columns += [Column("assessed", _("总量考核口径"), "万吨标准煤", 2, True), *([Column("serials", _("绿证编号"))] if may(sight.actor, Permission.VIEW_UNIT) else [])]  # fmt: skip
    rows = []
    for code, found in accounts.items():
        for y in found.years:
            period = Period.of_year(y.year)
            link = {n: explained(sight, c, code, period) for n, c in (("energy", "energy_total"), ("feedstock", "feedstock_energy"), ("physical", "nonfossil_energy"), ("carve", "listed_project_energy"), ("assessed", "energy_total_assessed"))}  # fmt: skip
            part = found.parts[y.year]
            row: dict[str, Any] = {
                "region": _place(sight, code), "year": str(y.year), "energy": Cell(y.energy, url=link["energy"]), "feedstock": Cell(y.feedstock, url=link["feedstock"], reason=_not_filed()),
                "physical": Cell(part.physical, url=link["physical"], reason=_not_filed()),
                "certificates": Cell(part.certificates, url=explained(sight, "nonfossil_deducted", code, period), reason=part.reason),
                "serials": Cell(_("登记簿"), url=address({"sight": sight}, "certificates") + f"?holder={code}&year={y.year}") if may(sight.actor, Permission.VIEW_UNIT) else "",
                "carve": Cell(part.carve_out, url=link["carve"], reason=_not_filed()), "assessed": Cell(sight.view.value("energy_total_assessed", code, period), url=link["assessed"], reason=_not_filed()),
            }  # fmt: skip
            for s in Series:
                got = found.series[y.year, s]
                why = _("不完整：缺少扣减项数据，不以零代替。")
                # the explained indicators know no carve-out; where there is one the sum stands in the row itself
                level = EXPLAINED[s] if not part.carve_out else ""
                to = {n: explained(sight, level + n, code, period) if level else "" for n in ("", "_decline")}
                row |= {
                    f"{s.value}_energy": Cell(got.energy, reason=why), f"{s.value}_intensity": Cell(got.intensity, url=to[""], reason=why),
                    f"{s.value}_decline": Cell(got.decline, url=to["_decline"], reason=why),
                }  # fmt: skip
            rows.append(row)
    said = [
        _("扣减在基年和目标年同口径进行，地区生产总值不作调整（发改环资〔2022〕803号）。"),
        _("非化石能源物理电量优先；绿证抵扣不超过完成强度目标所需节能量的50%（发改环资〔2024〕113号），超出部分不计。"),
        _("总量考核口径扣除原料用能、2020年以来新增可再生能源（发改运行〔2022〕1258号）和国家单列项目。"),
    ]
    table = Table(columns, rows, title=_("%s能耗强度三种口径") % (_("各地区") if region == "all" else _place(sight, region)), notes=notes(sight, *said), filterable=False)  # fmt: skip
    chart = None
    if region != "all":
        found = accounts[region]
        shown = [y.year for y in found.years]
        series = [
            {"name": {"measured": _("原口径"), "less_feedstock": _("扣原料"), "less_nonfossil": _("扣原料和非化石")}[s.value], "values": [None if (v := found.series[y, s].intensity) is None else round(float(v), 4) for y in shown]}
            for s in Series
        ]  # fmt: skip
        chart = {
            "periods": [str(y) for y in shown],
            "unit": words.unit_label("吨标准煤/万元"),
            "places": 4,
            "series": series,
            "space": 160,
        }
    rules = _rules(sight, header.city, sight.view.today, (f"deduction.{n}" for n in ("feedstock", "renewable_increment", "nonfossil", "certificate_cap", "carve_out", "carve_out_removes_value_added")))  # fmt: skip
    return _answer(
        request, sight, region, table, heading=_("扣减口径"), lead=_("原口径、扣除原料用能、再扣除非化石能源，逐年并列；缺少扣减项的显示不完整。"), all_regions=True, problems=problems,
        chart=chart, chart_title=_("%s能耗强度：三种口径") % ("" if region == "all" else _place(sight, region)), rules=rules,
    )  # fmt: skip
