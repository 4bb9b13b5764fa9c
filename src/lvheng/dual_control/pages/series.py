"""The three series of energy intensity side by side: as measured, less feedstock, less feedstock and non-fossil."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from lvheng.core.period import Period
from lvheng.dual_control.pages.common import notes, sees, synthetic
from lvheng.energy.deductions import Series, Year, check, three_series
from lvheng.shell import words
from lvheng.shell.pages import page, respond
from lvheng.shell.sight import sight_of
from lvheng.shell.tables import Cell, Column, Table, download, wanted_format


@page
def series(request: HttpRequest) -> HttpResponse:
    """Three series side by side: as measured, less feedstock, less feedstock and non-fossil."""
    sight = sight_of(request)
    view, header = sight.view, sight.plan.header
    years = []
    codes = {
        "energy": "energy_total",
        "gdp": "gdp_constant",
        "feedstock": "feedstock_energy",
        "nonfossil": "nonfossil_energy",
    }
    for region in [view.city, *view.counties]:
        if not sees(sight, region.code):
            continue
        for year in range(header.base_year, header.last_year + 1):
            values = {
                k: view.value(c, region.code, Period.of_year(year)) if c in view.catalogue else None
                for k, c in codes.items()
            }
            carved = (
                view.value("listed_project_energy", region.code, Period.of_year(year))
                if "listed_project_energy" in view.catalogue
                else None
            )
            if values["energy"] is not None:
                years.append(
                    Year(
                        region.code, year, values["energy"], values["gdp"], values["feedstock"], values["nonfossil"],
                        carve_out=carved or Decimal(0), price_base=header.price_base_year,
                    )
                )  # fmt: skip
    found = check(years)
    table = {(s.region, s.year, s.series): s for s in three_series(years, header.base_year)}
    columns = [Column("region", _("地区")), Column("year", _("年份"))]
    for s in Series:
        columns += [Column(f"{s.value}_energy", words.word(s.label), _("万吨标准煤"), 2, True), Column(f"{s.value}_intensity", _("强度"), _("吨标准煤/万元"), 4, True), Column(f"{s.value}_decline", _("比基年下降"), "%", 2, True)]  # fmt: skip
    rows = []
    chosen = request.GET.get("region", header.city)
    for y in years:
        if chosen not in ("all", y.region):
            continue
        row: dict[str, Any] = {"region": words.name_of(sight.plan.regions[y.region]), "year": str(y.year)}
        for s in Series:
            got = table[y.region, y.year, s]
            why = _("缺少扣减项数据，不以零代替。")
            row |= {
                f"{s.value}_energy": Cell(got.energy, reason=why),
                f"{s.value}_intensity": Cell(got.intensity, reason=why),
                f"{s.value}_decline": Cell(got.decline, reason=why),
            }
        rows.append(row)
    made = Table(columns, rows, title=_("能耗强度三种口径"), notes=notes(sight, _("扣减在基年和目标年同口径进行，地区生产总值不作调整（发改环资〔2022〕803号）。")), filterable=False)  # fmt: skip
    if fmt := wanted_format(request):
        return download(made, fmt)
    rules = [
        view.rulebook.at(f"deduction.{n}", view.today, header.city)
        for n in ("feedstock", "renewable_increment", "nonfossil", "certificate_cap", "carve_out")
    ]
    context = {
        "table": made,
        "problems": found,
        "chosen": chosen,
        "regions": [view.city, *view.counties],
        "rules": rules,
    }
    return respond(request, "dual_control/series.html", {**context, "synthetic": synthetic(sight)})
