"""The months between quarters: nowcast, estimates that are never issued, schemes at their limits, yearly plans, units."""

from __future__ import annotations

import io
from decimal import Decimal

import docx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvheng.core.period import Kind, Period
from lvheng.core.problem import ProblemError
from lvheng.core.source import Confidence, Source
from lvheng.dual_control import charts, forecast, letters, nowcast, outlook, report, services, units
from lvheng.dual_control import workbench as bench
from lvheng.dual_control.barometer import Barometer, operation
from lvheng.dual_control.early_warning import Operation, Reading, check_issue, operate
from lvheng.dual_control.models import Decision
from lvheng.dual_control.nowcast import Nowcaster
from lvheng.dual_control.yearly import yearly_plans
from lvheng.energy import data
from lvheng.energy.warning import grade
from lvheng.observations import view as views
from lvheng.observations.models import Subject
from lvheng.observations.services import ensure_source, load_plans
from lvheng.observations.store import Figure, record
from lvheng.plan import rules as progress

SCHEME = "national-2021"


# --- pure ---------------------------------------------------------------------------------------------
@given(
    st.dictionaries(st.sampled_from("abc"), st.lists(st.integers(-5, 5), max_size=5), min_size=1),
    st.integers(1, 6),
)
def test_weights_sum_to_one_and_favour_the_better(errors, prior):
    names = sorted(errors)
    found = outlook.inverse_error_weights(errors, names, prior)
    assert sum(found.values()) == pytest.approx(1)
    assert all(0 <= w <= 1 for w in found.values())


def test_no_history_weighs_alike_and_a_worse_way_less():
    assert outlook.inverse_error_weights({}, ["a", "b"]) == {"a": 0.5, "b": 0.5}
    found = outlook.inverse_error_weights({"a": [1.0, -1.0], "b": [3.0, 3.0]}, ["a", "b"])
    assert found["a"] > 0.5 > found["b"]
    assert found["a"] == pytest.approx((1 / (22 / 6)) / (1 / (22 / 6) + 1 / (38 / 6)))  # common mean 5, prior 4


def test_an_estimated_month_is_graded_but_neither_counts_nor_may_be_issued():
    def reading(month, change, estimated):
        return Reading(Period.parse(f"2023-{month:02d}YTD"), Decimal(change), Decimal(3), Decimal(100), (), estimated)

    run = Operation(raise_after=1, lower_after=2, completeness=Decimal(100))
    rows = [reading(3, "1", False), reading(4, "-5", True), reading(5, "-5", True), reading(6, "-5", False)]
    found = operate(data.schemes()[SCHEME], rows, run)
    assert [s.effective.label if s.effective else None for s in found] == ["一级", None, None, "一级"]
    assert [s.shown.label for s in found] == ["一级", "三级", "三级", "一级"]
    assert found[3].held == "lower"
    assert not found[1].can_issue
    assert check_issue(found[1], "甲县")[0].code == "dual_control.warning.estimated"


@pytest.mark.parametrize(
    ("scheme", "target", "change", "period", "severity", "label"),
    [
        ("national-2020", "3", "-3", "", 0, "三级"),  # exactly on target
        ("national-2020", "3", "-2.7", "", 1, "二级"),  # exactly 10 % short
        ("national-2020", "3", "-2.69", "", 3, "一级"),
        ("national-2021", "3", "-3", "", 0, "三级"),
        ("national-2021", "3", "0", "", 1, "二级"),
        ("national-2021", "3", "0.01", "", 3, "一级"),
        ("hangzhou-125", "3", "-2.7", "H1", 1, "Ⅰ级"),  # gap 0.3
        ("hangzhou-125", "3", "-2", "H1", 2, "Ⅱ级"),
        ("hangzhou-125", "3", "-1", "H1", 2, "Ⅱ级"),  # gap 2 is still orange
        ("hangzhou-125", "3", "-0.99", "H1", 3, "Ⅲ级"),
        ("hangzhou-125", "3", "-2.5", "Q1-3", 2, "Ⅱ级"),  # gap 0.5
        ("hangzhou-125", "3", "-2", "Q1-3", 2, "Ⅱ级"),
        ("hangzhou-125", "3", "-3", "Q1-3", 0, "不预警"),
        ("ratio-2010", "3", "-3", "", 0, "不预警"),
        ("ratio-2010", "3", "-2.7", "", 1, "一级"),
        ("ratio-2010", "3", "-1.5", "", 3, "三级"),
        ("nanjian-2010", "5", "-3", "", 1, "Ⅰ级"),
        ("nanjian-2010", "5", "-2.99", "", 2, "Ⅱ级"),
        ("fuzhou-enterprise", None, "-5", "", 0, "绿色"),
        ("fuzhou-enterprise", None, "0", "", 1, "黄色"),
        ("fuzhou-enterprise", None, "0.01", "", 3, "红色"),
    ],
)
def test_schemes_at_their_limits(scheme, target, change, period, severity, label):
    found = grade(data.schemes()[scheme], Decimal(change), target and Decimal(target), period=period)
    assert (found.severity, found.label) == (severity, label)


def test_total_dial_at_its_limits():
    for change, label in (("4", "三级"), ("4.4", "二级"), ("4.41", "一级")):
        assert grade(data.schemes()["national-2020-total"], Decimal(change), Decimal(4)).label == label
    for change, label in (("4", "三级"), ("5", "二级"), ("5.01", "一级")):
        found = grade(data.schemes()["national-2021-total"], Decimal(change), Decimal(4), tolerance=Decimal(1))
        assert found.label == label


def test_charts_are_pictures_with_or_without_data():
    lines = [charts.Line("实绩", [1.0, None, -3.0]), charts.Line("推算", [None, None, None], charts.AMBER, True)]
    for png in (
        charts.line_chart(["1月", "2月", "3月"], lines, unit="%", axis="月份"),
        charts.line_chart([], [], unit="%", axis="月份"),
        charts.bar_chart(["甲", "乙"], [None, 0.0], unit="%", marks=[-3.0, -3.0], mark_name="要求"),
        charts.bar_chart(["甲"], [1e9], unit="%"),
    ):
        assert png.startswith(b"\x89PNG")


# --- from the store -----------------------------------------------------------------------------------
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_views")]


def fill(last=(2023, 8), gap=()):
    """A town whose rest of the total grows 2 % a year, with industry 5 % and electricity outside industry 2 %; months to ``last``."""
    load_plans()
    plan = next(iter(views.plans().values()))
    source = ensure_source(Source("测试数据", confidence=Confidence.KNOWN_LOW), synthetic=True)
    rows = []
    for region in plan.regions.parts(plan.header.city):
        for year in range(2020, last[0] + 1):
            months = 12 if year < last[0] else last[1]
            grown = {
                n: Decimal(str(f)) ** (year - 2020) for n, f in (("industry", 1.05), ("rest", 1.02), ("gdp", 1.06))
            }
            for m in range(1, months + 1):
                if (region.code, year, m) in gap:
                    continue
                for code, value, unit in (
                    ("industry_energy", 6 * grown["industry"], "万吨标准煤"),
                    ("electricity_industry", 3 * grown["industry"], "亿千瓦时"),
                    ("electricity_total", 3 * grown["industry"] + 2 * grown["rest"], "亿千瓦时"),
                ):
                    rows.append(
                        Figure(code, region.code, f"{year}-{m:02d}", round(value, 6), unit, "statistics", source)
                    )
            for q in range(1, months // 3 + 1):
                total = 3 * (6 * grown["industry"] + 4 * grown["rest"])
                rows.append(Figure("energy_total", region.code, f"{year}Q{q}", round(total, 6), "万吨标准煤", "statistics", source))  # fmt: skip
                rows.append(Figure("gdp_constant", region.code, f"{year}Q{q}", round(90 * grown["gdp"], 6), "亿元", "statistics", source))  # fmt: skip
            if months == 12:
                rows.append(Figure("energy_total", region.code, str(year), round(12 * (6 * grown["industry"] + 4 * grown["rest"]), 6), "万吨标准煤", "statistics", source))  # fmt: skip
                rows.append(Figure("gdp_constant", region.code, str(year), round(360 * grown["gdp"], 6), "亿元", "statistics", source))  # fmt: skip
                rows.append(
                    Figure("gdp_growth_target", region.code, str(year + 1), Decimal(6), "%", "statistics", source)
                )
    record(rows, kind="demo", title="测试", by="测试", catalogue=views.catalogue())
    return views.current()


def test_the_nowcast_is_exact_where_nothing_changes_pace():
    view = fill()
    found = Nowcaster(view)
    code = bench.counted(view)[0].code
    share = found.industry_share(code, 2023, 3)
    assert found.quarter(code, 2023, 3, 2) == pytest.approx(share * 5 + (1 - share) * 2, abs=1e-4)
    assert found.ytd(code, 2023, 8) == pytest.approx(share * 5 + (1 - share) * 2, abs=1e-4)
    assert found.early_months(code, 2023) == 8
    assert found.quarter(code, 2023, 4) is None
    (own, *_others) = nowcast.backtest(found, code)
    assert own.error == pytest.approx(0, abs=1e-3)


def test_nothing_later_enters_a_prediction():
    """The same quarters predicted from a shorter store come out the same."""
    long, code = fill((2023, 12)), None
    code = bench.counted(long)[0].code
    before = {q.period: q.nowcast for q in Nowcaster(long).history(code) if q.period.year < 2023}
    source = ensure_source(Source("更正", confidence=Confidence.KNOWN_LOW), synthetic=True)
    record(
        [Figure("energy_total", code, "2023Q4", Decimal(99), "万吨标准煤", "statistics", source)],
        kind="correction", title="更正", by="测试", catalogue=views.catalogue(),
    )  # fmt: skip
    after = {q.period: q.nowcast for q in Nowcaster(views.current()).history(code) if q.period.year < 2023}
    assert after == before


def test_every_month_is_shown_and_only_quarter_ends_may_be_issued():
    view = fill()
    found = Barometer(view, data.schemes()[SCHEME])
    assert [p.part for p in found.periods if p.year == 2023] == list(range(1, 9))
    code = bench.counted(view)[0].code
    august = found.line(code).at(Period(Kind.YTD, 2023, 8))
    assert august.reading.estimated
    assert august.effective is None
    with pytest.raises(ProblemError) as caught:
        services.draft_warning(found, code, Period(Kind.YTD, 2023, 8), by="甲")
    assert {p.code for p in caught.value} == {"dual_control.warning.estimated"}
    assert found.line(code).at(Period(Kind.YTD, 2023, 6)).effective is not None


def test_a_gap_in_a_month_makes_that_months_estimate_incomplete():
    plan = next(iter(views.plans().values()))
    code = plan.regions.parts(plan.header.city)[2].code
    view = fill(gap={(code, 2023, 7)})
    found = Barometer(view, data.schemes()[SCHEME])
    assert found.line(code).at(Period(Kind.YTD, 2023, 7)).shown is None
    assert found.line(view.city.code).at(Period(Kind.YTD, 2023, 7)).shown is None
    assert found.line(code).at(Period(Kind.YTD, 2023, 6)).shown is not None


def test_schemes_of_elsewhere_or_out_of_force_only_compare():
    view = fill()
    for name in ("national-2020", "hangzhou-125"):
        found = Barometer(view, data.schemes()[name])
        with pytest.raises(ProblemError) as caught:
            services.draft_warning(found, bench.counted(view)[0].code, Period(Kind.YTD, 2023, 6), by="甲")
        assert {p.code for p in caught.value} == {"dual_control.warning.not_in_force"}


def test_every_scheme_says_how_it_is_run():
    view = fill()
    for name in data.schemes():
        run, ref = operation(view, name, view.today)
        assert run.completeness == 100
        assert ref.startswith("warning.operation")
        assert run.measures in view.rulebook
    with pytest.raises(ProblemError):
        Barometer(view, data.schemes()["national-2021-total"])  # its threshold is unknown


def test_situation_and_report():
    view = fill()
    now = forecast.situation(view, view.city.code)
    assert (now.year, now.as_of.part, len(now.months)) == (2023, 8, 8)
    assert [m.settled for m in now.months] == [False, False, True, False, False, True, False, False]
    assert now.need_month is not None
    assert now.need_month > 0
    again = forecast.situation(view, view.city.code)
    assert again.chance_period == now.chance_period
    for period in (None, Period(Kind.YTD, 2023, 8), Period(Kind.YTD, 2022, 12)):
        paper = docx.Document(io.BytesIO(report.report(view, data.schemes()[SCHEME], period)))
        text = "\n".join(p.text for p in paper.paragraphs)
        assert [s for s in "一二三四五六七八" if f"{s}、" in text] == list("一二三四五六七八")
        assert ("测算" in text.split("二、")[0]) == (period is not None and period.part == 8)
        assert len(paper.inline_shapes) >= 2
    with pytest.raises(ProblemError):
        report.report(view, data.schemes()[SCHEME], Period(Kind.YTD, 2024, 3))


def test_yearly_plans_reset_exempt_and_add_up():
    view = fill((2023, 12))
    target = bench.intensity_target(view)
    codes = [r.code for r in bench.counted(view)]
    goal = dict.fromkeys(codes, Decimal(14))
    plans = yearly_plans(view, target, goal, dict.fromkeys(codes, Decimal("14.5")), dict.fromkeys(codes, Decimal(5)))
    one = [p for p in plans if p.region.code == codes[0]]
    assert [p.year for p in one] == [2021, 2022, 2023, 2024, 2025]
    first = one[0]
    rate = progress.equal_annual_rate(Decimal(14), 5)
    base = view.value("energy_total", codes[0], Period.of_year(2020))
    assert round(first.budget.planned, 12) == round(base * Decimal("1.05") * (1 - rate / 100), 12)
    assert round(first.budget.reset, 6) == round(base * Decimal("1.06") * (1 - rate / 100), 6)  # grew 6 %, not 5 %
    assert first.due == rate
    assert first.done < rate  # the town falls by 2.2 % a year
    assert first.need > rate
    assert not first.budget.exempt
    assert first.over
    assert one[-1].done is None
    assert one[-1].budget is not None  # from the budget of the year before
    easy = yearly_plans(view, target, dict.fromkeys(codes, Decimal(5)), dict.fromkeys(codes, Decimal(6)), dict.fromkeys(codes, Decimal(5)))  # fmt: skip
    assert easy[0].budget.exempt
    assert not easy[0].over


# --- units --------------------------------------------------------------------------------------------
UNITS = {"91350102AAAA000011": ("1.0", "1.0"), "91350102AAAA000022": ("0.95", "1.0"), "91350102AAAA000033": ("1.02", "1.0"), "91350102AAAA000044": ("100", "1.0")}  # fmt: skip


def unit_figures(view, *, without=()):
    county = bench.counted(view)[0].code
    source = ensure_source(Source("单位填报", confidence=Confidence.KNOWN_LOW), synthetic=True)
    rows = []
    for code, (energy, output) in UNITS.items():
        Subject.objects.create(code=code, kind="unit", name=f"单位{code[-2:]}", parent=Subject.objects.get(code=county))
        for year in (2021, 2022):
            for m in range(1, 13):
                if (code, year, m) in without:
                    continue
                factor = Decimal(energy) if year == 2022 else Decimal(1)
                for item, value in (("electricity", "100.25"), ("diesel", "10.5")):
                    rows.append(Figure("energy_use", code, f"{year}-{m:02d}", Decimal(value) * factor, "吨标准煤", "filed", source, item=item))  # fmt: skip
            rows.append(Figure("industry_output", code, str(year), Decimal(5000) * (Decimal(output) if year == 2022 else 1), "万元", "filed", source))  # fmt: skip
    record(rows, kind="demo", title="单位", by="测试", catalogue=views.catalogue())
    return views.current(), county


def test_colours_of_units_and_a_warning_to_one():
    view, county = unit_figures(fill((2021, 12)), without={("91350102AAAA000011", 2022, 5)})
    scheme = services.unit_scheme(view)
    found = {s.unit.code[-2:]: s for s in units.unit_standings(scheme, 2022, 12, at=view.position, limit=Decimal(50))}
    assert {k: s.grade.label if s.grade else None for k, s in found.items()} == {"11": None, "22": "绿色", "33": "红色", "44": None}  # fmt: skip
    assert found["33"].change == 2
    assert found["11"].unit.months_now == 11
    assert "核对" in found["44"].reason
    year = Period.of_year(2022)
    for code, problem in (("11", "incomplete"), ("22", "none"), ("44", "incomplete")):
        with pytest.raises(ProblemError) as caught:
            services.draft_unit_warning(view, scheme, f"91350102AAAA0000{code}", year, by="甲")
        assert {p.code for p in caught.value} == {f"dual_control.warning.{problem}"}
    made = services.draft_unit_warning(view, scheme, "91350102AAAA000033", year, by="甲")
    assert (made.subject, made.region) == ("91350102AAAA000033", county)
    assert [m["code"] for m in made.outcome["measures"]] == ["rectify", "report", "audit"]
    assert services.replay(made) == []
    with pytest.raises(ProblemError):
        services.draft_unit_warning(view, scheme, "91350102AAAA000033", year, by="甲")
    services.advance(made, "issued", by="市节能办", number="1号")
    text = "\n".join(p.text for p in docx.Document(io.BytesIO(letters.warning_notice(Decision.objects.get(), view))).paragraphs)  # fmt: skip
    assert "上升2.00%" in text
    assert "强制性能源审计" in text
    services.advance(made, "receipt", by="乙", region=made.subject)
    with pytest.raises(ProblemError):
        services.advance(made, "receipt", by="乙", region=made.subject)


def test_a_target_not_issued_is_only_tried():
    fill((2021, 12))
    view = views.current("fuzhou-155-carbon")
    target = bench.intensity_target(view)
    assert target.not_issued
    found = bench.solve(view, target, bench.defaults(view, target))
    assert not found.feasible
    assert len(found.problems) <= 8  # what is missing is said once, not once a county
    with pytest.raises(ProblemError):
        services.draft_decomposition(view, target, bench.defaults(view, target), found, by="甲")
