"""Loading: once, all or nothing, never over published figures, never into a site with real ones."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.contrib.auth import authenticate
from django.test import RequestFactory

from lvheng.access.models import User, verify_chain
from lvheng.access.roles import Role
from lvheng.core.problem import ProblemError, Severity
from lvheng.core.source import Confidence, Source
from lvheng.demo import services
from lvheng.demo.accounts import CHANGED, accounts
from lvheng.demo.pack import assemble
from lvheng.observations.models import Observation, Posting, SourceDocument, Subject
from lvheng.observations.services import ensure_region, ensure_source
from lvheng.observations.store import Figure, history, record
from lvheng.plan.schema import Plan, load_plan
from tests.demo.mini import write_mini

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Path]:
    """The small city with few statistics and units, so that it loads at once."""
    root = tmp_path_factory.mktemp("city")
    plan, data = write_mini(root, programmes=12)
    file = data / "demo" / "mini.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("count: 90", "count: 24"), encoding="utf-8")
    return plan, data


@pytest.fixture
def site(city: tuple[Plan, Path], settings: LazySettings, catalogue):
    """An empty site whose data folder is the small city's; gives a function that loads it."""
    plan, settings.DATA_FOLDER = city

    def load(**options):
        return services.load_demo(plan, catalogue, **options)

    load.plan = plan
    return load


def test_everything_is_loaded_with_its_history(site, city, catalogue):
    mini_pack = assemble(city[0], catalogue, city[1])
    stages: set[str] = set()
    report = site(progress=lambda stage, done, total: stages.add(stage))
    assert report.new + report.revised == len(mini_pack)
    assert report.posting == Posting.objects.order_by("-number").first().number
    assert stages >= {"生成演示数据", "入库"}
    assert Subject.objects.filter(kind="unit", synthetic=True).count() == len(mini_pack.subjects)
    vintages = history("gdp_constant", mini_pack.city.code, "2023")
    assert [v.vintage for v in vintages] == [1, 2, 3]
    assert [v.posting.title.split("〔")[0] for v in vintages] == [
        "演示数据：初步核算数",
        "演示数据：统计数据",
        "演示数据：普查后修订数",
    ]
    assert verify_chain()[1] is None


def test_everything_is_marked_synthetic(site):
    site()
    assert not Observation.objects.exclude(source__synthetic=True).exists()
    for source in SourceDocument.objects.all():
        assert source.confidence == Confidence.UNKNOWN.value
        assert "演示" in source.document
        assert "演示" in source.note


def test_loading_again_changes_nothing(site, monkeypatch):
    first = site()
    before = (
        Observation.objects.count(),
        Posting.objects.count(),
        Subject.objects.count(),
        SourceDocument.objects.count(),
    )
    monkeypatch.setattr(services, "assemble", lambda *_: pytest.fail("generated again"))
    again = site()
    assert (again.new, again.revised, again.posting, again.problems) == (0, 0, None, [])
    assert again.same == first.new + first.revised
    assert before == (
        Observation.objects.count(),
        Posting.objects.count(),
        Subject.objects.count(),
        SourceDocument.objects.count(),
    )


def test_another_seed_is_told_and_changes_nothing(site):
    site()
    count = Observation.objects.count()
    report = site(seed=7)
    assert [p.severity for p in report.problems] == [Severity.NOTICE]
    assert "种子数7" in report.problems[0].wanted
    assert Observation.objects.count() == count


def _real(plan: Plan, catalogue, kind: str, value: str = "12345.67") -> None:
    for region in plan.regions:
        ensure_region(region.code, region.name, "", region.parent)
    key = ensure_source(Source("统计公报", confidence=Confidence.CONFIRMED))
    figure = Figure("gdp_constant", plan.header.city, "2022", Decimal(value), "亿元", "published", key)
    record([figure], kind=kind, title="公报", by="测试", catalogue=catalogue)


def test_a_published_figure_is_never_overlaid(site, catalogue):
    _real(site.plan, catalogue, "published")
    site()
    (only,) = history("gdp_constant", site.plan.header.city, "2022")
    assert only.value == Decimal("12345.67")
    assert history("gdp_constant", site.plan.header.city, "2021")


def test_a_site_with_real_figures_refuses(site, catalogue):
    _real(site.plan, catalogue, "filing")
    with pytest.raises(ProblemError, match="已有正式数据"):
        site()
    assert not Subject.objects.filter(kind="unit").exists()
    assert Posting.objects.count() == 1


def test_a_fault_half_way_leaves_nothing(site, monkeypatch):
    real, calls = services.record, []

    def fails_third(*args, **options):
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("disk")
        return real(*args, **options)

    monkeypatch.setattr(services, "record", fails_third)
    with pytest.raises(RuntimeError, match="disk"):
        site()
    assert not Posting.objects.exists()
    assert not Observation.objects.exists()
    assert not Subject.objects.exists()


def test_accounts_need_a_demonstration(site):
    with pytest.raises(ProblemError, match="演示站"):
        services.demo_accounts(site.plan)
    assert not User.objects.exists()
    assert accounts() == []


def test_accounts_can_sign_in_and_are_made_once(site, settings: LazySettings, first_city):
    site()
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    made = services.demo_accounts(first_city)
    assert services.demo_accounts(first_city) == made
    roles = {u.role for u in User.objects.all()}
    assert roles >= {r.value for r in (Role.LEAD, Role.DEPARTMENT, Role.COUNTY, Role.AUDITOR, Role.ADMINISTRATOR)}
    lead = next(a for a in made if a.username == "demo-lead")
    assert authenticate(RequestFactory().post("/"), username=lead.username, password=lead.password)
    assert lead.password not in User.objects.get(username="demo-lead").password
    assert len({a.password for a in made}) == len(made)
    assert [(a["username"], a["password"]) for a in accounts()] == [(a.username, a.password) for a in made]
    assert all(a["title"] for a in accounts())
    assert not User.objects.filter(is_superuser=True).exists()


def test_enterprise_and_county_stand_for_what_is_there(site):
    site()
    made = {a.username: a for a in services.demo_accounts(site.plan)}
    enterprise = User.objects.get(username="demo-enterprise")
    unit = Subject.objects.get(code=enterprise.unit)
    assert unit.synthetic
    assert enterprise.region == unit.parent.code
    assert User.objects.get(username="demo-county").region in {r.code for r in site.plan.regions}
    assert made["demo-enterprise"].name == unit.name[:40]


def test_a_changed_password_stays_and_is_not_printed(site):
    site()
    services.demo_accounts(site.plan)
    user = User.objects.get(username="demo-auditor")
    user.set_password("my own long words 7")
    user.save()
    shown = {a.username: a.password for a in services.demo_accounts(site.plan)}
    assert shown["demo-auditor"] == CHANGED
    assert User.objects.get(username="demo-auditor").check_password("my own long words 7")


def test_behind_https_the_page_shows_no_passwords(site, settings: LazySettings):
    site()
    services.demo_accounts(site.plan)
    assert accounts()
    settings.HTTPS = True
    assert accounts() == []


def test_county_targets_are_kept_on_a_demo_site_only(site, settings: LazySettings, tmp_path):
    settings.HOME = tmp_path / "home"
    assert services.keep_county_targets(site.plan) == 0
    assert not settings.HOME.exists()
    site()
    count = services.keep_county_targets(site.plan)
    file = services.county_targets_file(site.plan)
    stamp = file.stat().st_mtime_ns
    assert services.keep_county_targets(site.plan) == count > 0
    assert file.stat().st_mtime_ns == stamp
    read = load_plan(site.plan.folder, shares=file).county_targets
    assert len(read) == count
    assert all(t.synthetic for t in read)
    assert sum(t.value for t in read) == site.plan.target_by_id["T1"].value


def test_a_plan_with_its_own_county_targets_gets_none(site, settings: LazySettings, tmp_path):
    settings.HOME = tmp_path / "home"
    site()
    own = site.plan.folder / "county_targets.yaml"
    own.write_text("targets: []\n", encoding="utf-8")
    try:
        assert services.keep_county_targets(site.plan) == 0
    finally:
        own.unlink()
