"""Pages of on-line monitoring: what stands on them, who may see and act."""

from __future__ import annotations

import json
import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from django.test import Client
from django.urls import resolve, reverse

from lvheng.access.models import User
from lvheng.access.roles import Role
from lvheng.observations.models import Subject
from lvheng.observations.services import load_plans
from lvheng.telemetry import services
from lvheng.telemetry.device_views import FACTOR_FIELDS, FIELDS
from lvheng.telemetry.lake import VALUES, Lake
from lvheng.telemetry.models import Alarm, Factor, Mark, Outlet
from lvheng.telemetry.views import thin
from tests.telemetry.validity.support import value

from .test_services import JUNE, month

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _plain_static_files(settings: Any) -> None:
    settings.STORAGES = {
        **settings.STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }  # fmt: skip
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)


@pytest.fixture
def outlet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outlet:
    load_plans()
    monkeypatch.setattr(services, "rollup_folder", lambda: tmp_path / "rollup")
    monkeypatch.setattr(services, "lake_folder", lambda: tmp_path / "lake")
    o = Outlet.objects.create(
        code="G1",
        name="一号排口",
        unit="U1",
        medium="gas",
        mn="M1",
        interval=60,
        o2_reference=Decimal(9),
        synthetic=True,
    )
    for code, name, kind, unit, limit in (("a21002", "氮氧化物", "value", "mg/m3", Decimal(50)), ("a00000", "流量", "flow", "m3/s", None), ("a19001", "氧含量", "o2", "%", None)):  # fmt: skip
        Factor.objects.create(outlet=o, code=code, name=name, kind=kind, unit=unit, limit_high=limit)
    month(tmp_path / "lake", 5, at30=66.0)
    services.refresh(date(2026, 6, 1), date(2026, 6, 5))
    return o


def text(client: Client, name: str, *args: object, **query: str) -> str:
    answer = client.get(reverse(name, args=args), query)
    assert answer.status_code == 200, answer.content.decode()[:500]
    return answer.content.decode()


def test_the_list_shows_state_value_and_rates(client: Client, outlet: Outlet) -> None:
    page = text(client, "outlets")
    for word in ("一号排口", "正常", "氮氧化物", "mg/m³", "演示数据", "2026年6月6日0时", "100.00"):
        assert word in page
    assert "没有符合条件的排口" in text(client, "outlets", medium="water")
    assert "一号排口" not in text(client, "outlets", state="over")


def test_an_empty_register_says_how_to_begin(client: Client) -> None:
    load_plans()
    assert "还没有登记排口" in text(client, "outlets")


def test_an_outlets_page_and_its_series(client: Client, outlet: Outlet) -> None:
    page = text(client, "outlet", "G1")
    for word in ("过程线", "疑点线索", "报警", "超标", "标记"):
        assert word in page
    factor = outlet.factors.get(code="a21002")
    data = json.loads(text(client, "outlet_series", "G1", factor.pk))
    assert data["step"] == 1
    assert len(data["high"]) == 120
    assert data["high"][30] == 66.0


def test_a_long_series_keeps_its_peaks_and_gaps() -> None:
    x = np.sin(np.arange(50_000) / 50)
    x[12_345] = 9.0
    x[20_000:21_000] = np.nan
    step, low, high = thin(x, 2000)
    assert step == 25
    assert len(low) == len(high) == 2000
    assert max(v for v in high if v is not None) == 9.0
    assert high[20_000 // 25 + 1] is None


def test_real_outlets_are_not_for_everybody(client: Client, outlet: Outlet) -> None:
    Outlet.objects.update(synthetic=False)
    assert "一号排口" not in text(client, "outlets")
    answer = client.get(reverse("outlet", args=["G1"]))
    assert "尚未公开" in answer.content.decode()
    pk = outlet.factors.first().pk  # type: ignore[union-attr]
    assert client.get(reverse("outlet_series", args=["G1", pk])).status_code == 403
    assert client.get(reverse("telemetry_alarm", args=[Alarm.objects.first().pk])).status_code == 403  # type: ignore[union-attr]


def test_only_its_own_people_mark_an_outlet(client: Client, outlet: Outlet) -> None:
    begin = JUNE + timedelta(hours=1)
    given = {
        "kind": "calibration",
        "begin": f"{begin:%Y-%m-%dT%H:00}",
        "end": f"{begin + timedelta(hours=2):%Y-%m-%dT%H:00}",
        "reason": "校准",
        "evidence": "记录",
    }
    where = reverse("outlet_mark", args=["G1"])
    assert client.post(where, given).status_code == 403
    person = User.objects.create_user("u1", role=Role.ENTERPRISE, unit="U1")
    client.force_login(person)
    answer = client.post(where, given)
    assert "已过标记期限" in answer.content.decode()
    assert "时间无法识别" in client.post(where, {**given, "begin": "昨天"}).content.decode()
    assert not Mark.objects.exists()


def test_a_lead_department_handles_an_alarm(client: Client, outlet: Outlet) -> None:
    alarm = Alarm.objects.get(kind="exceedance")
    where = reverse("telemetry_alarm", args=[alarm.pk])
    assert client.post(where, {"step": "acknowledged"}).status_code == 403
    client.force_login(User.objects.create_user("lead", role=Role.LEAD))
    assert client.post(where, {"step": "acknowledged"}).status_code == 302
    assert "办结须写明" in client.post(where, {"step": "closed"}).content.decode()
    assert "已接收" in text(client, "telemetry_alarm", alarm.pk)
    assert "超标" in text(client, "telemetry_alarms")


def test_a_stretch_of_a_series_is_drawn_finer(client: Client, outlet: Outlet) -> None:
    factor = outlet.factors.get(code="a21002")
    whole = json.loads(text(client, "outlet_series", "G1", factor.pk))
    first = whole["start"] // 3_600_000
    part = json.loads(
        text(client, "outlet_series", "G1", factor.pk, **{"from": str(first + 29), "to": str(first + 31)})
    )
    assert part["high"] == whole["high"][29:32]
    assert [first + 30, first + 31, "over"] in part["spans"]


def test_a_series_without_roll_up_is_empty(client: Client, outlet: Outlet) -> None:
    (services.rollup_folder() / "hours.parquet").unlink()
    factor = outlet.factors.get(code="a21002")
    assert json.loads(text(client, "outlet_series", "G1", factor.pk))["high"] == []


def test_rates_and_months_are_shown_and_a_month_is_closed_from_the_page(client: Client, outlet: Outlet) -> None:
    assert "100.00" in text(client, "telemetry_rates")
    assert client.get(reverse("telemetry_closes")).status_code == 403
    client.force_login(
        User.objects.create_user("audit", role=Role.AUDITOR), backend="django.contrib.auth.backends.ModelBackend"
    )
    assert "可以关账" in text(client, "telemetry_closes")
    act = reverse("telemetry_close_act", args=["2026-06"])
    assert client.post(act, {"act": "close"}).status_code == 403
    client.force_login(
        User.objects.create_user("lead", role=Role.LEAD), backend="django.contrib.auth.backends.ModelBackend"
    )
    assert client.post(act, {"act": "close"}).status_code == 302
    assert "数据湖分区" in text(client, "telemetry_close", "2026-06")
    assert client.post(act, {"act": "again"}, follow=True).status_code == 200
    assert "已关账" in text(client, "telemetry_closes")
    assert "已关账" in client.post(act, {"act": "close"}).content.decode()
    assert client.post(act, {"act": "reclose"}).content.decode().count("写明原因") >= 1
    assert "与上一版相同" in client.post(act, {"act": "reclose", "reason": "补传"}).content.decode()
    # a value of the closed month that came after its window
    late = datetime(2026, 6, 6, 3)  # noqa: DTZ001 wall time
    rows = [value(c, late, x, recv_time=datetime(2026, 8, 1)) for c, x in (("a21002", 20.0), ("a00000", 50.0), ("a19001", 9.0))]  # noqa: DTZ001 # fmt: skip
    Lake(services.lake_folder()).write_values(pa.Table.from_pylist(rows, schema=VALUES), "late")
    assert client.post(act, {"act": "reclose", "reason": "网络中断"}).status_code == 302
    page = text(client, "telemetry_close", "2026-06")
    assert "网络中断" in page
    assert "第1版" in page
    assert "网络中断" not in text(client, "telemetry_close", "2026-06", version="1").split("<dl")[1]
    for version in ("1", "2"):
        answer = client.post(act, {"act": "again", "version": version}, follow=True).content.decode()
        assert "完全一致" in answer
    client.force_login(
        User.objects.create_user("audit2", role=Role.AUDITOR), backend="django.contrib.auth.backends.ModelBackend"
    )
    assert client.post(act, {"act": "reclose", "reason": "补传"}).status_code == 403


@pytest.mark.parametrize("role", list(Role))
def test_the_tabs_are_those_that_a_role_may_open(client: Client, outlet: Outlet, role: Role) -> None:
    if role is not Role.PUBLIC:
        person = User.objects.create_user("who", role=role, unit="U1" if role is Role.ENTERPRISE else "")
        client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    Subject.objects.create(code="U1", kind="unit", name="一厂")
    nav = text(client, "outlets").split('<nav class="rooms subrooms"')[1].split("</nav>")[0]
    links = re.findall(r'href="([^"]+)"', nav)
    assert len(links) >= 4
    for link in links:
        assert client.get(link).status_code == 200, link
    names = {resolve(link.split("?")[0]).url_name for link in links}
    others = {"telemetry_devices", "telemetry_closes", "telemetry_energy"}
    for name in others - names:
        assert client.get(reverse(name)).status_code == 403
    assert 'aria-current="page"' in nav


def test_what_a_logger_sends_uncorrected_is_registered_on_the_page(client: Client, outlet: Outlet) -> None:
    client.force_login(
        User.objects.create_user("lead", role=Role.LEAD), backend="django.contrib.auth.backends.ModelBackend"
    )
    where = reverse("outlet_edit", args=["G1"])
    page = text(client, "outlet_edit", "G1")
    for label in ("上传体积浓度（ppm）", "上传工况值", "上传湿基值", "当地大气压（千帕）", "由组分计算"):
        assert label in page
    outlet.refresh_from_db()
    sent: dict[str, Any] = {
        n: v for n in FIELDS if n != "code" and (v := getattr(outlet, n)) not in (None, "")
    }  # fmt: skip
    sent["mn"] = "M00001"
    for f in outlet.factors.all():
        sent |= {f"f{f.pk}-{n}": v for n in FACTOR_FIELDS if (v := getattr(f, n)) not in (None, "", False)}
    nox, flow = outlet.factors.get(code="a21002"), outlet.factors.get(code="a00000")
    assert "没有分子量" in client.post(where, {**sent, f"f{flow.pk}-ppm": "on"}).content.decode()
    assert "没有由组分计算" in client.post(where, {**sent, f"f{flow.pk}-derived": "on"}).content.decode()
    assert "千帕之间" in client.post(where, {**sent, f"f{nox.pk}-ambient": "1013"}).content.decode()
    given = {f"f{nox.pk}-ppm": "on", f"f{nox.pk}-actual": "on", f"f{nox.pk}-ambient": "100.5"}
    assert client.post(where, {**sent, **given}).status_code == 302
    nox.refresh_from_db()
    assert (nox.ppm, nox.actual, nox.wet, nox.ambient, nox.derived) == (True, True, False, Decimal("100.5"), False)


def test_what_a_missing_hour_of_ph_is_taken_to_have_been_is_shown(
    client: Client, outlet: Outlet, tmp_path: Path
) -> None:
    o = Outlet.objects.create(code="W1", name="二号排口", medium="water", mn="M2", interval=60, synthetic=True)
    Factor.objects.create(outlet=o, code="w01001", name="pH值", unit="1")
    start = datetime(2026, 6, 1)  # noqa: DTZ001 wall time
    rows = [value("w01001", start + timedelta(hours=n), 7.0 + n / 100, st="32", mn="M2") for n in range(48) if n != 30]
    Lake(services.lake_folder()).write_values(pa.Table.from_pylist(rows, schema=VALUES), "water")
    services.refresh(date(2026, 6, 1), date(2026, 6, 2))
    page = text(client, "outlet", "W1")
    assert "替代值" in page
    assert "7.290" in page
    assert "替代值" not in text(client, "outlet", "G1")
