"""The watch end to end: loggers send over a socket, the decoder fills the lake, rounds of the watch raise what is to be raised."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from lvheng.access.models import User
from lvheng.access.roles import Role
from lvheng.observations.services import load_plans
from lvheng.telemetry import hj212, papers, register, services, watch
from lvheng.telemetry.clock import SHANGHAI
from lvheng.telemetry.devices import Device, SqliteRegistry
from lvheng.telemetry.gateway.exchange import CommandStore, Exchanges
from lvheng.telemetry.gateway.server import Gateway, Settings
from lvheng.telemetry.ingest import Decoder
from lvheng.telemetry.journal import Journal
from lvheng.telemetry.lake import Lake
from lvheng.telemetry.live import SqliteLive
from lvheng.telemetry.models import Alarm, Factor, Lead, Outlet, Watch
from tests.telemetry.gateway.support import Client

pytestmark = pytest.mark.django_db
HALF = timedelta(minutes=30)
Values = dict[str, float]
Frame = tuple[str, str, datetime, Values]  # mn, st, data time, means


@pytest.fixture
def home(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    load_plans()
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}  # fmt: skip
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(services, "data_folder", lambda: tmp_path / "telemetry")
    monkeypatch.setattr(services, "rollup_folder", lambda: tmp_path / "rollup")
    (tmp_path / "telemetry").mkdir()
    return tmp_path


def outlet(code: str, mn: str, medium: str, *factors: tuple[str, str, str, str | None], **more: Any) -> Outlet:
    made = Outlet.objects.create(
        code=code, name=f"{code}排口", medium=medium, mn=mn, interval=30, synthetic=True, **more
    )
    for name, kind, unit, limit in factors:
        Factor.objects.create(
            outlet=made, code=name, name=name, kind=kind, unit=unit, limit_high=limit and Decimal(limit)
        )
    return made


def send(home: Path, frames: Sequence[Frame]) -> int:
    """Frames over a socket into the journal, and from there into lake and live values; returns how many were acknowledged."""
    folder = home / "telemetry"
    registry = SqliteRegistry(folder / "registry.sqlite")

    async def run() -> int:
        store, journal = CommandStore(folder / "commands.sqlite"), Journal(folder / "journal", "g00")
        gateway = Gateway(journal, registry, Settings(), Exchanges(store, registry, lambda mn, frame: False))
        port = await gateway.start("127.0.0.1", 0)
        client = await Client.connect(port)
        known = 0
        for mn, st, at, means in frames:
            factors = [(code, {"Avg": f"{v:.2f}", "Flag": "N"}) for code, v in means.items()]
            client.send(
                hj212.upload("2051", st=st, mn=mn, data_time=at, factors=factors, qns=[hj212.make_qn(at)], pw="123456")[
                    0
                ]
            )
            if registry.get(mn) is not None:
                assert (await client.packet()).cn == "9014"
                known += 1
        await asyncio.sleep(0.2)
        await client.close()
        await gateway.stop()
        store.close()
        return known

    known = asyncio.run(run())
    live = SqliteLive(folder / "live.sqlite")
    Decoder(folder / "journal", Lake(folder / "lake"), registry, live).run()
    live.close()
    registry.close()
    return known


def hours(first: datetime, count: int, mn: str, st: str, means: Callable[[int], Values | None]) -> list[Frame]:
    return [
        (mn, st, first + n * timedelta(hours=1) + k * HALF, given)
        for n in range(count) if (given := means(n)) is not None for k in range(2)
    ]  # fmt: skip


def wobble(n: int) -> float:
    return 20 + n % 5 * 0.31 + n * 0.01


def test_every_kind_of_alarm_is_raised_once_goes_on_recovers_and_is_handled(home: Path, client: Browser) -> None:
    now = timezone.now().astimezone(SHANGHAI).replace(minute=40, second=0, microsecond=0)
    wall = now.replace(tzinfo=None, minute=0)
    yesterday = (wall - timedelta(days=1)).replace(hour=0)
    gas = outlet(
        "G1", "GAS000000000000000000001", "gas", ("a21002", "value", "mg/m3", "50"), ("a00000", "flow", "m3/s", None)
    )
    water = outlet(
        "W1", "WATER0000000000000000001", "water", ("w01018", "value", "mg/L", "50"), ("w00000", "flow", "L/s", None)
    )
    for one in (gas, water):
        register.put(Device(one.mn, "123456", st="31" if one.medium == "gas" else "32"), by="市级")
    start, count = yesterday, int((wall - yesterday) / timedelta(hours=1))
    exceeded, silent, steady = {3, 4}, {8, 9, 10}, range(12, 20)

    def gas_means(n: int) -> Values | None:
        if n in silent:
            return None
        return {"a21002": 66.0 if n in exceeded else 22.0 if n in steady else wobble(n), "a00000": 10.0 + n % 3}

    sent = hours(start, count, gas.mn, "31", gas_means)
    sent += hours(start, count, water.mn, "32", lambda n: {"w01018": 60.0 + n % 4, "w00000": 5.0})
    assert send(home, sent) == len(sent)

    done = watch.round_of("甲", now)
    assert done is not None
    found = {a.kind: a for a in Alarm.objects.filter(outlet=gas)}
    assert set(found) == {"exceedance", "no_data", "constant"}
    assert services.hour_of(found["exceedance"].first) == services.hour_of(start.replace(tzinfo=SHANGHAI)) + 3
    assert (found["exceedance"].last - found["exceedance"].first, found["exceedance"].value) == (timedelta(hours=2), 66)
    assert all(a.recovered == a.last for a in found.values())  # each had ended by then
    day = Alarm.objects.get(outlet=water, kind="exceedance")
    assert day.last - day.first == timedelta(days=1)
    assert day.recovered is None  # the last whole day exceeds

    # the same data again: nothing twice
    again = watch.round_of("甲", now + timedelta(minutes=1))
    assert again is not None
    assert again.alarms == 0
    before = Alarm.objects.count()

    # silent from now on: one alarm that goes on, and the logger is off
    later = now + timedelta(hours=4)
    done = watch.round_of("甲", later)
    assert done is not None
    lasting = Alarm.objects.get(outlet=gas, kind="no_data", recovered=None)
    watch.round_of("甲", later + timedelta(hours=1))
    assert Alarm.objects.filter(outlet=gas, kind="no_data").count() == 2
    lasting.refresh_from_db()
    assert lasting.recovered is None
    assert lasting.last > lasting.first + timedelta(hours=3)
    off = Alarm.objects.get(outlet=gas, kind="logger_off")
    assert off.recovered is None

    # the late data come: the hole of the first day was never there, and the logger is heard again
    late = hours(start + timedelta(hours=8), 3, gas.mn, "31", lambda n: {"a21002": wobble(n + 8), "a00000": 10.0})
    send(home, late)
    watch.round_of("甲", timezone.now() + timedelta(hours=5, minutes=2))
    assert Alarm.objects.get(outlet=gas, kind="no_data", first=found["no_data"].first).recovered is not None
    assert Alarm.objects.count() == before + 4  # two outlets gone silent, two loggers off; nothing else
    assert Alarm.objects.filter(kind="logger_off", outlet=gas, recovered=None).count() <= 1

    # amounts near what is permitted
    Factor.objects.filter(outlet=gas, code="a21002").update(permitted_kg=Decimal("0.5"))
    watch.round_of("甲", later + timedelta(hours=9))
    permit = Alarm.objects.get(outlet=gas, kind="permit")
    assert permit.value is not None
    assert permit.limit == Decimal("0.5")

    # acknowledge, assign, close: who, when, why
    person = User.objects.create_user("lead", full_name="张三", role=Role.LEAD)
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    where = reverse("telemetry_alarm", args=[permit.pk])
    for step in (
        {"step": "acknowledged"},
        {"step": "assigned", "to": "执法支队"},
        {"step": "closed", "text": "已核减生产计划"},
    ):
        assert client.post(where, step).status_code == 302
    page = client.get(where).content.decode()
    assert all(word in page for word in ("已接收", "执法支队", "已核减生产计划", "已办结", "张三"))


def test_one_watch_at_a_time_and_its_faults_are_shown(
    home: Path, client: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    assert watch.take_turn("甲", now)
    assert watch.take_turn("甲", now)
    assert not watch.take_turn("乙", now)
    assert watch.round_of("乙", now) is None
    assert watch.take_turn("乙", now + watch.LEASE)  # the first one died
    watch.give_up("乙")

    def breaks(*_: object) -> None:
        raise OSError("磁盘已满")

    monkeypatch.setattr(watch, "_work", breaks)
    with pytest.raises(OSError, match="磁盘已满"):
        watch.round_of("甲")
    assert "磁盘已满" in Watch.objects.get().fault
    client.force_login(
        User.objects.create_user("lead", role=Role.LEAD), backend="django.contrib.auth.backends.ModelBackend"
    )
    assert "磁盘已满" in client.get(reverse("telemetry_devices")).content.decode()
    monkeypatch.undo()


def test_a_stranger_is_seen_registered_with_one_click_and_taken_in(home: Path, client: Browser) -> None:
    mn = "STRANGER0000000000000001"
    at = timezone.now().astimezone(SHANGHAI).replace(tzinfo=None, minute=0, second=0, microsecond=0) - timedelta(
        hours=3
    )
    frames = hours(at, 2, mn, "31", lambda n: {"a21002": 20.0 + n, "a00000": 10.0, "a19001": 9.0, "a01012": 80.0})
    assert send(home, frames) == 0
    assert [s.mn for s in register.strangers()] == [mn]
    client.force_login(
        User.objects.create_user("ent", role=Role.ENTERPRISE, unit="U1"),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    assert client.post(reverse("telemetry_adopt"), {"mn": mn}).status_code == 403
    client.force_login(
        User.objects.create_user("lead", role=Role.LEAD), backend="django.contrib.auth.backends.ModelBackend"
    )
    assert mn in client.get(reverse("telemetry_devices")).content.decode()
    assert client.post(reverse("telemetry_adopt"), {"mn": mn}).status_code == 302
    made = Outlet.objects.get(mn=mn)
    kinds = {f.code: (f.kind, f.unit) for f in made.factors.all()}
    assert kinds == {"a21002": ("value", "mg/m3"), "a00000": ("flow", "m3/s"), "a19001": ("o2", "%")}
    assert (made.medium, made.interval) == ("gas", 30)
    assert send(home, frames) == len(frames)
    assert register.strangers() == []

    # the register's page changes both sides at once
    given = dict.fromkeys(("unit", "unit_name", "region", "longitude", "latitude", "permit"), "")
    given |= {
        "name": "一号炉",
        "medium": "gas",
        "mn": mn,
        "version": "2017",
        "interval": "30",
        "o2_reference": "9",
        "since": str(at.date()),
    }
    for f in made.factors.all():
        given |= {
            f"f{f.pk}-name": f.name,
            f"f{f.pk}-kind": f.kind,
            f"f{f.pk}-unit": f.unit,
            f"f{f.pk}-limit_high": "30" if f.kind == "value" else "",
        }
    where = reverse("outlet_edit", args=[made.code])
    assert client.get(where).status_code == 200
    assert client.post(where, given).status_code == 302, client.post(where, given).content.decode()
    assert made.factors.get(code="a21002").limit_high == 30
    assert "因子代码" in client.post(where, {**given, "new_codes": "zz"}).content.decode()
    fresh = "STRANGER0000000000000002"
    client.post(where, {**given, "mn": fresh})
    assert {d.mn for d in register.devices()} == {fresh}
    assert client.post(reverse("telemetry_device", args=[fresh]), {"act": "remove"}).status_code == 302
    assert register.devices() == []


def test_a_devices_dialect_is_proposed_and_accepted_by_a_person(home: Path, client: Browser) -> None:
    mn = "DIALECT00000000000000001"
    register.put(Device(mn, "", st="31"), by="市级")
    at = timezone.now().astimezone(SHANGHAI).replace(tzinfo=None, minute=0, second=0, microsecond=0) - timedelta(
        hours=9
    )
    journal = Journal(home / "telemetry" / "journal", "g00")
    from lvheng.telemetry.journal import FRAME, pack

    frames = [
        hj212.upload("2051", st="31", mn=mn, data_time=at + n * HALF, factors=[("a21002", {"Avg": "20.0", "Flag": "N"})],
                     qns=[hj212.make_qn(at + n * HALF)], variant="modbus")[0]
        for n in range(12)
    ]  # fmt: skip
    journal.commit([pack(FRAME, n, 1, f.rstrip(b"\r\n")) for n, f in enumerate(frames)])
    journal.close()
    client.force_login(
        User.objects.create_user("lead", role=Role.LEAD), backend="django.contrib.auth.backends.ModelBackend"
    )
    where = reverse("telemetry_device", args=[mn])
    page = client.get(where).content.decode()
    assert "建议的方言" in page
    assert "modbus" in page
    assert client.post(where, {"act": "accept"}).status_code == 302
    found = register.device(mn)
    assert found is not None
    assert found.dialect.crc == "modbus"
    assert client.post(where, {"act": "standard"}).status_code == 302
    assert register.device(mn).dialect == hj212.STANDARD  # type: ignore[union-attr]


def test_a_lead_is_kept_once_and_decided_with_a_reason(home: Path, client: Browser) -> None:
    wall = timezone.now().astimezone(SHANGHAI).replace(tzinfo=None, minute=0, second=0, microsecond=0)
    start = wall - timedelta(hours=80)
    gas = outlet(
        "G1", "GAS000000000000000000001", "gas", ("a21002", "value", "mg/m3", "50"), ("a00000", "flow", "m3/s", None)
    )
    register.put(Device(gas.mn, "123456", st="31"), by="市级")
    held = range(40, 60)
    send(
        home,
        hours(
            start,
            80,
            gas.mn,
            "31",
            lambda n: {"a21002": 22.0 if n in held else wobble(n) + n % 7, "a00000": 10.0 + n % 3},
        ),
    )
    now = timezone.now()
    watch.round_of("甲", now)
    lead = Lead.objects.get(screen="F01")
    assert services.hour_of(lead.first) == services.hour_of(start.replace(tzinfo=SHANGHAI)) + 40
    watch.round_of("甲", now + timedelta(hours=2))
    assert Lead.objects.filter(screen="F01").count() == 1
    where = reverse("telemetry_lead", args=[lead.pk])
    assert client.post(where, {"verdict": "excluded", "reason": "x"}).status_code == 403
    client.force_login(
        User.objects.create_user("lead", role=Role.LEAD, full_name="张三"),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    assert "没有写明核查情况" in client.post(where, {"verdict": "confirmed", "reason": " "}).content.decode()
    assert client.post(where, {"verdict": "excluded", "reason": "仪表量程切换，附校准记录"}).status_code == 302
    page = client.get(where).content.decode()
    assert all(w in page for w in ("排除", "仪表量程切换", "张三", "恒值"))
    watch.round_of("甲", now + timedelta(hours=3))
    assert Lead.objects.get(screen="F01").state == "excluded"
    assert "恒值" in client.get(reverse("telemetry_leads")).content.decode()


def test_papers_are_due_and_a_mark_without_them_is_set_aside(home: Path, client: Browser) -> None:
    gas = outlet("G1", "GAS000000000000000000001", "gas", ("a21002", "value", "mg/m3", "50"), unit="U1")
    june = datetime(2026, 6, 1, tzinfo=SHANGHAI)
    marks = [
        services.mark(gas, "calibration", june + n * timedelta(hours=3), june + n * timedelta(hours=3) + timedelta(hours=1), reason="校准",
                      evidence="记录", by="企业", now=june + timedelta(hours=20))
        for n in range(2)
    ]  # fmt: skip
    assert papers.due(marks[0]) == datetime(2026, 7, 11, tzinfo=SHANGHAI)
    pdf = b"%PDF-1.4\n%%EOF"
    kept = papers.hand_in(marks[0], "../记录.pdf", pdf, by="企业", now=june + timedelta(days=2))
    assert (kept.name, papers.read(kept)) == ("记录.pdf", pdf)
    for raw, name, at in ((b"MZ", "a.exe", june), (pdf, "a.pdf", papers.due(marks[0]))):
        with pytest.raises(Exception, match=r"文件类型|期限"):
            papers.hand_in(marks[0], name, raw, by="企业", now=at)
    assert papers.expire(papers.due(marks[0]) - timedelta(seconds=1)) == 0
    assert papers.expire(papers.due(marks[0])) == 1
    assert [hasattr(m, "withdrawal") for m in gas.marks.order_by("id")] == [False, True]
    url = reverse("mark_paper_file", args=["G1", kept.pk])
    assert client.get(url).status_code == 403
    client.force_login(
        User.objects.create_user("u1", role=Role.ENTERPRISE, unit="U1"),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    assert client.get(url).content == pdf
    papers.path_of(kept.digest).write_bytes(b"changed")
    assert "损坏" in client.get(url).content.decode()
