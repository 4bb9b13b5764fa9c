"""Workbench, barometer and decisions on a small city in the store, from draft to replay."""

from __future__ import annotations

import io
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import docx
import pytest
from click.testing import CliRunner
from django.db import DatabaseError, transaction

from lvheng.access.models import User, verify_chain
from lvheng.core.period import Period
from lvheng.core.problem import ProblemError
from lvheng.core.source import Confidence, Source
from lvheng.dual_control import commands, forecast, letters, report, services
from lvheng.dual_control import workbench as bench
from lvheng.dual_control.barometer import Barometer
from lvheng.dual_control.models import Decision
from lvheng.dual_control.rules import Method
from lvheng.energy import data
from lvheng.observations import view as views
from lvheng.observations.services import ensure_source, load_plans
from lvheng.observations.store import Figure, record

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_views")]
LAST = (2023, 2)  # year and quarter of the last figures


def fill(*, without=(), growth="6.5"):
    """Energy, GDP and what the score needs for every county of the first plan, 2020 to the second quarter of 2023."""
    load_plans()
    plan = next(iter(views.plans().values()))
    source = ensure_source(Source("测试数据", confidence=Confidence.KNOWN_LOW), synthetic=True)
    rows = []

    def add(indicator, region, period, value, unit):
        rows.append(Figure(indicator, region, period, Decimal(value), unit, "statistics", source))

    for n, region in enumerate(plan.regions.parts(plan.header.city)):
        energy, gdp = Decimal(100 + 10 * n), Decimal(300 + 37 * n)
        add("gdp_growth_target", region.code, "2021", growth, "%")
        for year in range(2020, LAST[0] + 1):
            quarters = 4 if year < LAST[0] else LAST[1]
            for q in range(1, quarters + 1):
                if (region.code, year, q) in without:
                    continue
                add("energy_total", region.code, f"{year}Q{q}", f"{energy / 4:.4f}", "万吨标准煤")
                add("gdp_constant", region.code, f"{year}Q{q}", f"{gdp / 4:.4f}", "亿元")
            if quarters == 4:
                add("energy_total", region.code, str(year), f"{energy:.4f}", "万吨标准煤")
                add("gdp_constant", region.code, str(year), f"{gdp:.4f}", "亿元")
                add("energy_industry", region.code, str(year), f"{energy * Decimal('0.6'):.4f}", "万吨标准煤")
                add("population", region.code, str(year), 50 + n, "万人")
            energy *= Decimal("1.025") + Decimal(n) / 500
            gdp *= Decimal("1.065")
    record(rows, kind="demo", title="测试", by="测试", catalogue=views.catalogue())
    return views.current()


@pytest.fixture
def view():
    return fill()


@pytest.fixture
def pages(client, settings):
    """A client for pages, without collected static files."""
    settings.STORAGES = {
        **settings.STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }  # fmt: skip
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    return client


def solved(view, **changes):
    target = bench.intensity_target(view)
    settings = replace(bench.defaults(view, target), **changes)
    return target, settings, bench.solve(view, target, settings)


def draft(view, **more):
    return services.draft_decomposition(view, *solved(view), by="甲", **more)


# --- workbench
@pytest.mark.parametrize("method", list(Method))
def test_the_bench_solves_from_the_store(view, method):
    _, settings, found = solved(view, method=method)
    assert found.feasible
    assert found.implied >= settings.target
    assert all(r.incentive - r.target == settings.incentive for r in found.rows)


def test_a_pin_is_kept_and_others_are_solved_again(view):
    code = bench.counted(view)[0].code
    _, settings, found = solved(view, pins={code: Decimal("12.34")})
    assert found.rows[0].target == Decimal("12.34")
    assert found.implied >= settings.target


def test_impossible_growth_is_named_and_nothing_is_solved():
    view = fill(growth="55")
    _, _, found = solved(view)
    assert not found.feasible
    assert {p.code for p in found.problems} == {"dual_control.growth.range"}
    with pytest.raises(ProblemError):
        draft(view)


# --- decomposition as a decision
def test_from_draft_to_force_and_replay(view):
    made = draft(view)
    with pytest.raises(ProblemError):
        services.advance(made, "issued", by="甲", number="榕〔2023〕1号")
    services.advance(made, "consultation", by="甲")
    made = Decision.objects.get()
    county = bench.counted(view)[0]
    services.advance(made, "remark", by="乙", region=county.code, text="建议调低")
    with pytest.raises(ProblemError):
        services.advance(Decision.objects.get(), "issued", by="甲")
    services.advance(Decision.objects.get(), "issued", by="甲", number="榕〔2023〕1号")
    assert services.issued_goals(view.plan.id) == []
    services.advance(Decision.objects.get(), "in_force", by="甲")
    made = Decision.objects.get()
    goals = {g.region: g.value for g in services.issued_goals(view.plan.id)}
    assert goals[county.code] == Decimal(made.outcome["targets"][county.code])
    target = view.plan.target_by_id[made.inputs["target"]]
    assert views.current(view.plan.id).goal(target, county.code) == (goals[county.code], "分解下达")
    assert services.replay(made) == []
    text = "\n".join(p.text for p in docx.Document(io.BytesIO(letters.target_letter(made, view))).paragraphs)
    assert "榕〔2023〕1号" in text
    assert "演示数据" in text
    assert verify_chain()[1] is None


def test_a_changed_draft_replaces_and_the_old_one_rests(view):
    first = draft(view)
    draft(view, replaces=first)
    with pytest.raises(ProblemError):
        draft(view, replaces=Decision.objects.get(pk=first.pk))
    with pytest.raises(ProblemError):
        services.advance(Decision.objects.get(pk=first.pk), "consultation", by="甲")


def test_later_data_do_not_change_a_replay(view):
    made = draft(view)
    source = ensure_source(Source("更正", confidence=Confidence.KNOWN_LOW), synthetic=True)
    code = bench.counted(view)[0].code
    record(
        [Figure("energy_total", code, "2020", Decimal(999), "万吨标准煤", "statistics", source)],
        kind="correction",
        title="更正",
        by="甲",
    )
    assert services.replay(made) == []


def test_a_replay_finds_an_altered_outcome(view):
    made = draft(view)
    code = next(iter(made.outcome["targets"]))
    made.outcome["targets"][code] = "1.0"  # in memory: the table itself refuses changes
    assert {p.code for p in services.replay(made)} == {"dual_control.replay.differs"}


@pytest.mark.parametrize(
    "attempt", [lambda: Decision.objects.update(title="x"), lambda: Decision.objects.all().delete()]
)
def test_decisions_are_immutable_in_the_database(view, attempt):
    draft(view)
    with pytest.raises(DatabaseError), transaction.atomic():
        attempt()


# --- barometer and warnings
def test_barometer_grades_every_region_and_period(view):
    found = Barometer(view, data.schemes()["national-2021"])
    assert [p.code for p in found.periods][-1] == "2023-06YTD"
    assert {p.part % 3 for p in found.periods if not found.settled(p)} == {1, 2}
    assert len(found.lines) == 1 + len(view.counties)
    last = found.lines[-1].last
    assert last.effective is not None
    assert last.reading.completeness == 100


def test_a_county_missing_a_quarter_is_incomplete_and_so_is_the_city():
    code = next(iter(views.plans().values())).regions.parts(next(iter(views.plans().values())).header.city)[3].code
    view = fill(without={(code, 2023, 2)})
    found = Barometer(view, data.schemes()["national-2021"])
    period = Period.parse("2023-06YTD")
    for region in (code, view.city.code):
        standing = found.line(region).at(period)
        assert standing.effective is None
        assert "数据不完整" in standing.reason
        with pytest.raises(ProblemError) as caught:
            services.draft_warning(found, region, period, by="甲")
        assert caught.value.problems[0].code == "dual_control.warning.incomplete"
    assert not Decision.objects.exists()


def warned(view):
    found = Barometer(view, data.schemes()["national-2021"])
    period = found.periods[-1]
    line = next(line for line in reversed(found.lines) if line.at(period).can_issue)
    return found, line.region.code, period


def test_a_warning_runs_its_course(view):
    found, code, period = warned(view)
    made = services.draft_warning(found, code, period, by="甲")
    assert made.outcome["measures"]
    assert services.replay(made) == []
    with pytest.raises(ProblemError):
        services.draft_warning(found, code, period, by="甲")
    services.advance(made, "issued", by="甲", number="榕警〔2023〕1号")
    made = Decision.objects.get()
    assert made.steps.get(step="issued").due is not None
    with pytest.raises(ProblemError):
        services.advance(made, "closed", by="甲")
    services.advance(made, "receipt", by="乙", region=code)
    services.advance(made, "feedback", by="乙", region=code, text="已制定整改方案")
    services.advance(Decision.objects.get(), "closed", by="甲")
    assert Decision.objects.get().last_step == "closed"
    with pytest.raises(ProblemError):
        services.advance(Decision.objects.get(), "feedback", by="乙", text="再报")
    text = "\n".join(p.text for p in docx.Document(io.BytesIO(letters.warning_notice(made, view))).paragraphs)
    assert "预警等级为" in text


def test_no_warning_where_none_is_due(view):
    found = Barometer(view, data.schemes()["national-2021"])
    period = found.periods[-1]
    fine = next(
        line.region.code
        for line in found.lines
        if line.at(period).effective and line.at(period).effective.severity == 0
    )
    with pytest.raises(ProblemError) as caught:
        services.draft_warning(found, fine, period, by="甲")
    assert caught.value.problems[0].code == "dual_control.warning.none"


def test_report_says_what_it_cannot_compute(view):
    body = report.report(view, data.schemes()["national-2021"])
    text = "\n".join(p.text for p in docx.Document(io.BytesIO(body)).paragraphs)
    for section in ("一、目标完成情况", "四、原因分析", "八、附表"):
        assert section in text
    assert "缺少月度先行数据" in text
    with pytest.raises(ProblemError):
        forecast.situation(view, view.city.code)


def test_tons_sum_exactly_to_the_target(view):
    (first, *_) = bench.tons_targets(view)
    found = bench.share_tons(view, first, "gdp_constant")
    assert sum(n for _, _, n in found.rows) == first.value
    with pytest.raises(ProblemError):
        bench.share_tons(view, first, "energy_trade")


def test_budgets_follow_the_settled_energy(view):
    made = draft(view)
    code = bench.counted(view)[0].code
    budgets = [Decimal(v) for v in made.outcome["budgets"][code]]
    assert len(budgets) == view.plan.header.years
    row = next(r for r in solved(view)[2].rows if r.region.code == code)
    energy = view.value("energy_total", code, Period.of_year(2021))
    assert abs(budgets[1] - energy * (1 + row.growth / 100) * (1 - row.yearly / 100)) < Decimal("0.01")


def test_a_project_uses_the_room(view):
    code = bench.counted(view)[0].code
    found = forecast.project(view, code, 2022, Decimal(20_000), Decimal(0))
    assert found.effect < 0
    assert found.with_project < found.without
    average = view.value("energy_total", code, Period.of_year(2022)) / view.value(
        "gdp_constant", code, Period.of_year(2022)
    )
    neutral = forecast.project(view, code, 2022, Decimal(1000) * average, Decimal(1000))
    assert abs(neutral.effect) < Decimal("1e-20")
    with pytest.raises(ProblemError):
        forecast.project(view, code, 2022, Decimal(-1), Decimal(0))


# --- commands
def test_replay_from_the_command_line(view):
    made = draft(view)
    out = CliRunner().invoke(commands.replay, [])
    assert out.exit_code == 0
    assert "一致" in out.stdout
    assert isinstance(CliRunner().invoke(commands.replay, [str(made.pk + 1)]).exception, ProblemError)


# --- pages
def login(client, role, region=""):
    user = User.objects.create(username=role + region, role=role, region=region)
    client.force_login(user)


@pytest.mark.parametrize("path", ["barometer/", "barometer/?file=docx", "barometer/?format=xlsx", "workbench/", "workbench/?target=x", "tons/", "tons/?by=population", "outlook/?tce=10000&value_added=5000",  "outlook/", "outlook/report.docx", "decisions/"])  # fmt: skip
def test_pages_answer(view, pages, path):
    login(pages, "lead")
    assert pages.get(f"/energy/{path}").status_code == 200


def test_only_those_who_decide_draft_and_only_those_concerned_see(view, pages):
    found, code, period = warned(view)
    form = {"scheme": "national-2021", "region": code, "period": period.code}
    assert pages.get("/energy/decisions/").status_code == 403
    login(pages, "department")
    assert pages.post("/energy/warning/draft/", form).status_code == 403
    login(pages, "lead")
    assert pages.post("/energy/warning/draft/", form).status_code == 302
    made = Decision.objects.get()
    address = f"/energy/decision/{made.pk}/"
    login(pages, "county", code)
    assert pages.get(address).status_code == 403  # still a draft
    services.advance(made, "issued", by="甲", number="1号")
    assert pages.get(address).status_code == 200
    assert pages.post(address + "step/", {"step": "receipt"}).status_code == 302
    assert pages.post(address + "step/", {"step": "withdrawn", "text": "x"}).status_code == 403
    other = next(r.code for r in bench.counted(view) if r.code != code)
    login(pages, "county", other)
    assert pages.get(address).status_code == 403
    assert found.line(code)


def test_the_workbench_page_drafts(view, pages):
    login(pages, "lead")
    page = pages.get("/energy/workbench/", headers={"HX-Request": "true", "HX-Target": "solution"})
    assert b"<html" not in page.content
    assert pages.post("/energy/workbench/draft/", {"method": "equal"}).status_code == 302
    made = Decision.objects.get()
    assert made.inputs["method"] == "equal"
    assert pages.get(f"/energy/decision/{made.pk}/?replay=1").status_code == 200
    assert pages.get(f"/energy/decision/{made.pk}/document.docx").status_code == 200
