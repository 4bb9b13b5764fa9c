"""The pages of the accounts on a small synthetic site: they agree with the figures, hide what is hidden, and close the register."""

from __future__ import annotations

import io
import re
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from python_calamine import CalamineWorkbook

from lvheng.access.models import User
from lvheng.core.period import Period
from lvheng.core.source import Confidence, Source
from lvheng.energy import deduction_accounts, services
from lvheng.energy.deductions import Block, Contract, Series
from lvheng.energy.sheet import BURNT, CONSUMED, FINAL, Sheet
from lvheng.observations import view as views
from lvheng.observations.models import Observation, Subject
from lvheng.observations.services import ensure_source, load_plans
from lvheng.observations.store import Figure, record

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_views")]


@pytest.fixture
def pages(client, settings):
    """A client for pages, without collected static files."""
    settings.STORAGES = {
        **settings.STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }  # fmt: skip
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    return client


def login(client, role):
    client.force_login(User.objects.create(username=role, role=role))


COAL, POWER = "bituminous_coal", "electricity"
FLOWS = {
    COAL: {"inflow": 900, "industry": 500, "living": 100, "conversion_input": 290, "feedstock": 50},
    POWER: {"inflow": 100, "conversion_output": 60, "industry": 100, "living": 50, "losses": 5},
}
FACTORS = {COAL: Decimal("0.7143"), POWER: Decimal("1.229")}
ALL = ("production", "inflow", "outflow", "opening_stock", "closing_stock", "conversion_input", "conversion_output", "losses", *FINAL, "feedstock")  # fmt: skip


@pytest.fixture
def site():
    """Two years of energy, GDP and deductions for every county; a balance of two carriers in the first."""
    load_plans()
    plan = next(iter(views.plans().values()))
    source = ensure_source(Source("测试数据", confidence=Confidence.KNOWN_LOW), synthetic=True)
    rows = []

    def add(code, region, period, value, unit, item=""):
        rows.append(Figure(code, region, period, Decimal(value), unit, "statistics", source, item))

    parts = plan.regions.parts(plan.header.city)
    for region in (*parts, plan.regions[plan.header.city]):
        n = len(parts) if region.code == plan.header.city else 1
        for i, year in enumerate(("2020", "2021")):
            add("energy_total", region.code, year, 100 * n + 5 * n * i, "万吨标准煤")
            add("gdp_constant", region.code, year, 300 * n + 30 * n * i, "亿元")
            add("feedstock_energy", region.code, year, 5 * n, "万吨标准煤")
            add("nonfossil_energy", region.code, year, (10 + i) * n, "万吨标准煤")
            add("listed_project_energy", region.code, year, 0, "万吨标准煤")
            for fuel, factor in FACTORS.items():
                add("balance_factor", region.code, year, factor, "1", fuel)
                for flow in ALL:
                    add(f"balance_{flow}", region.code, year, FLOWS[fuel].get(flow, 0) * n * factor, "吨标准煤", fuel)
    record(rows, kind="demo", title="测试", by="测试", catalogue=views.catalogue())
    return views.current()


def close(view):
    done = services.close_certificates(view, by="测试", catalogue=views.catalogue())
    return done, views.current()


def test_the_sheet_by_hand(site):
    sheet = Sheet(site, site.plan.header.city, 2020)
    n = len(site.plan.regions.parts(site.plan.header.city))
    coal, power = sheet.rows
    assert (coal.carrier.code, coal.total(CONSUMED, "physical")) == (COAL, 890 * n)
    assert coal.total(BURNT, "calorific") == (500 + 100 + 290 - 50) * n * FACTORS[COAL]
    assert power.total(CONSUMED, "physical") == (150 + 5 - 60) * n
    # 等价 puts 2.87 in the place of 1.229 and nothing else
    assert sheet.sum(CONSUMED, "equivalent") == pytest.approx(
        Decimal((890 * Decimal("0.7143") + 95 * Decimal("2.87")) * n)
    )
    found = sheet.balanced("equivalent", Decimal(2))
    assert found.difference == pytest.approx(Decimal((10 * Decimal("0.7143") + 5 * Decimal("2.87")) * n))
    assert [p.code for p in sheet.check_total()] == ["energy.balance.total"]
    # carbon dioxide: of sectors as of carriers, electricity by what is brought in
    assert sheet.co2() == pytest.approx(sum(sheet.co2(s) for s in FINAL))
    factors = sheet.co2_factors
    assert sheet.co2() == pytest.approx(
        Decimal(840 * n) * FACTORS[COAL] * factors["coal"] + 100 * n * 10 * factors["power"]
    )


def test_a_gap_makes_the_sheet_incomplete_never_smaller(site):
    source = ensure_source(Source("测试数据", confidence=Confidence.KNOWN_LOW), synthetic=True)
    city = site.plan.header.city
    record([Figure("balance_losses", city, "2020", None, "吨标准煤", "withdrawn", source, POWER)], kind="demo", title="撤", by="测试", catalogue=views.catalogue())  # fmt: skip
    region = site.plan.regions.parts(city)[0].code
    record([Figure("balance_losses", region, "2020", None, "吨标准煤", "withdrawn", source, POWER)], kind="demo", title="撤", by="测试", catalogue=views.catalogue())  # fmt: skip
    sheet = Sheet(views.current(), region, 2020)
    assert sheet.sum(CONSUMED, "equivalent") is None
    assert sheet.balanced("equivalent", Decimal(2)).difference is None
    assert sheet.co2("industry") is None


def test_the_register_flows_into_the_deduction_once(site):
    city = site.plan.header.city
    county = next(r.code for r in site.plan.regions.parts(city) if site.goal(services.period_target(site), r.code)[0])
    before = deduction_accounts.account(site, city)
    assert before.series[2021, Series.LESS_NONFOSSIL].intensity is None  # not closed: incomplete, not zero
    assert any(p.code == "energy.deduction.incomplete" for p in before.problems)
    Subject.objects.create(code="U", kind="unit", name="甲厂", parent=Subject.objects.get(code=county))
    services.register(
        [Block("", "S", 1, 1000, "U", 2021)], [Contract("G", county, 2021, Decimal(2_000_000))], by="测试"
    )
    done, view = close(site)
    assert view.value("certificate_power", county, Period.of_year(2021)) == 100
    assert view.value("contract_power", county, Period.of_year(2021)) == 200
    assert view.value("certificate_power", city, Period.of_year(2021)) == 100  # the unit's, through its county, once
    assert view.value("certificate_power", city, Period.of_year(2020)) == 0
    found = deduction_accounts.account(view, city)
    assert found.parts[2021].certificates == pytest.approx(Decimal(300) * Decimal("2.87") / 10_000)
    assert found.series[2021, Series.LESS_NONFOSSIL].energy < found.series[2021, Series.LESS_FEEDSTOCK].energy
    assert found.series[2021, Series.LESS_NONFOSSIL].intensity == view.value(
        "energy_intensity_assessed", city, Period.of_year(2021)
    )
    evidence = next(n for n in view.explain("nonfossil_deducted", county, Period.of_year(2021)).leaves() if n.code == "certificate_power")  # fmt: skip
    assert "S第1—1000号" in Observation.objects.get(pk=evidence.payload.observation).reference
    again, _view = close(view)
    assert (again.new, again.revised) == (0, 0)
    services.release(1, "退回", by="测试")
    changed, view = close(views.current())
    assert changed.revised
    assert view.value("certificate_power", county, Period.of_year(2021)) == 0
    assert done.new > 0


def test_certificates_count_up_to_half_of_the_saving_needed(site):
    county = next(r.code for r in site.plan.regions.parts(site.plan.header.city) if site.goal(services.period_target(site), r.code)[0])  # fmt: skip
    services.register([Block("", "S", 1, 10**9, county, 2021)], [], by="测试")
    _done, view = close(site)
    goal = site.goal(services.period_target(site), county)[0]
    saving = Decimal(330) * Decimal(100) / 300 * goal / 100
    assert deduction_accounts.account(view, county).parts[2021].certificates == pytest.approx(saving / 2)


@pytest.mark.parametrize("path", ["balance/", "balance/?measure=physical", "balance/?measure=calorific&year=2020", "fuels/", "sectors/", "industries/", "industries/?month=ytd3", "deductions/", "deductions/?region=all"])  # fmt: skip
def test_pages_answer_everybody_where_figures_are_synthetic(site, pages, path):
    answer = pages.get(f"/energy-accounts/{path}")
    assert answer.status_code == 200
    assert "演示数据" in answer.content.decode()


def test_a_table_goes_to_a_workbook(site, pages):
    body = pages.get("/energy-accounts/balance/?format=xlsx&year=2020").content
    rows = CalamineWorkbook.from_filelike(io.BytesIO(body)).get_sheet_by_index(0).to_python()
    assert any("一般烟煤" in str(r[0]) for r in rows)


def test_bad_addresses_help(site, pages):
    assert pages.get("/energy-accounts/balance/?region=nowhere").status_code == 404
    assert pages.get("/energy-accounts/balance/?year=abc&measure=x").status_code == 200
    assert pages.get("/energy-accounts/unit/none/").status_code == 404


def test_units_and_certificates_are_for_those_who_may(site, pages):
    for path in ("units/", "certificates/"):
        assert pages.get(f"/energy-accounts/{path}").status_code == 403
    login(pages, "department")
    assert pages.get("/energy-accounts/units/").status_code == 200
    assert pages.get("/energy-accounts/certificates/").status_code == 200
    assert pages.post("/energy-accounts/certificates/close/").status_code == 403
    assert pages.post("/energy-accounts/certificates/import/").status_code == 403


def test_an_import_is_all_or_nothing_with_every_fault_placed(site, pages):
    login(pages, "lead")
    county = site.plan.regions.parts(site.plan.header.city)[0].code

    def send(text, name="证.csv"):
        return pages.post("/energy-accounts/certificates/import/", {"file": SimpleUploadedFile(name, text.encode())})

    head = "批次,起号,止号,持有者,年度,绿电合同,电量,是否跨省\n"
    bad = send(head + f"A,1,10,{county},2021,,,是\nA,5,8,{county},2022,,,\n")
    assert bad.status_code == 400
    assert "绿证重复使用" in bad.content.decode()
    for row, words in (
        (f"A,9,1,{county},2021,,,", "编号区间有误"), ("A,1,2,不存在,2021,,,", "持有者不在"), (f"A,1,2,{county},年,,,", "年度"),
        (f",,,{county},2021,G,-5,", "电量"), (f",,,{county},2021,,,", "既没有"), (f"A,1,2,{county},2021,,,也许", "跨省"),
    ):  # fmt: skip
        answer = send(head + row + "\n")
        assert answer.status_code == 400, row
        assert words in answer.content.decode(), row
    assert send("").status_code == 400
    assert send("%PDF-1.4", "x.xlsx").status_code == 400
    assert pages.post("/energy-accounts/certificates/import/").status_code == 400
    assert send(head + f"A,1,10,{county},2021,,,是\n,,,{county},2021,G-1,5000,\n").status_code == 302
    shown = pages.get("/energy-accounts/certificates/").content.decode()
    assert "G-1" in shown
    assert pages.post("/energy-accounts/certificates/close/").status_code == 302
    choice = re.search(r'<select id="use".*?<option value="(\d+)"', shown, re.S)
    assert choice
    held = choice[1]
    assert pages.post(f"/energy-accounts/certificates/{held}/release/", {"reason": ""}).status_code == 400
    assert pages.post(f"/energy-accounts/certificates/{held}/release/", {"reason": "登记有误"}).status_code == 302
