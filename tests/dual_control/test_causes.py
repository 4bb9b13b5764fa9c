"""Causes of the change of energy by industry: exact against the total, and nothing left out in silence."""

from __future__ import annotations

from decimal import Decimal

import pytest

from lvheng.core.problem import ProblemError
from lvheng.core.source import Confidence, Source
from lvheng.dual_control.situation import causes
from lvheng.observations import view as views
from lvheng.observations.services import ensure_source, load_plans
from lvheng.observations.store import Figure, record

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_views")]
# division → energy of two years (万吨标准煤), value added of two years (亿元); 42 appears with its output
DIVISIONS = {"31": ((40, 42), (20, 22)), "26": ((24, 18), (10, 11)), "42": ((0, 6), (0, 3))}


def site(*, without=()):
    load_plans()
    plan = next(iter(views.plans().values()))
    source = ensure_source(Source("测试数据", confidence=Confidence.KNOWN_LOW), synthetic=True)
    region = plan.regions.parts(plan.header.city)[0].code
    rows = [
        Figure("energy_total", region, str(2020 + i), Decimal(100 + 7 * i), "万吨标准煤", "statistics", source)
        for i in range(2)
    ]
    for code, (energy, value) in DIVISIONS.items():
        for i in range(2):
            rows += [
                Figure("industry_energy_division", region, f"{2020 + i}-{m:02d}", Decimal(energy[i]) / 12, "万吨标准煤", "statistics", source, code)
                for m in range(1, 13) if (code, i, m) not in without
            ]  # fmt: skip
            rows.append(Figure("industry_va_division", region, str(2020 + i), Decimal(value[i]), "亿元", "statistics", source, code))  # fmt: skip
    exact = [r for r in rows if r.value is not None]
    record([Figure(f.indicator, f.subject, f.period, round(f.value, 6), f.unit, f.quality, f.source, f.item) for f in exact], kind="demo", title="测试", by="测试", catalogue=views.catalogue())  # fmt: skip
    return views.current(), region


def test_effects_and_the_rest_are_the_change_of_the_total():
    view, region = site()
    found = causes(view, 2021, "industry", region)
    assert found.change == pytest.approx(Decimal(7))
    assert found.apart == pytest.approx(Decimal(5))  # 36 to 41 is not 规上工业
    appeared = next(e for e in found.effects if e.name == "废弃资源综合利用业")
    assert (appeared.activity, appeared.intensity) == (0, 0)
    assert appeared.structure == pytest.approx(Decimal(6))


def test_a_month_that_is_missing_is_named():
    view, region = site(without={("26", 1, 7)})
    with pytest.raises(ProblemError, match="化学原料"):
        causes(view, 2021, "industry", region)
    with pytest.raises(ProblemError, match="没有分行业数据"):
        causes(view, 2021, "industry", view.counties[1].code)
