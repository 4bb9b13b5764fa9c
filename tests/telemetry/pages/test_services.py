"""Marks, alarms and closed months."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from django.db import DatabaseError, transaction

from lvheng.core.problem import ProblemError
from lvheng.observations.models import Observation
from lvheng.telemetry import register, services
from lvheng.telemetry.lake import VALUES, Lake
from lvheng.telemetry.live import SqliteLive
from lvheng.telemetry.models import Alarm, Factor, Mark, MonthClose, Outlet
from lvheng.telemetry.validity import run
from tests.telemetry.validity.support import START, value, write

pytestmark = pytest.mark.django_db
LOCAL = services.SHANGHAI
JUNE = datetime(2026, 6, 1, tzinfo=LOCAL)


@pytest.fixture
def outlet() -> Outlet:
    o = Outlet.objects.create(
        code="DA001", name="1号锅炉排口", medium="gas", mn="M1", interval=60, o2_reference=Decimal(9)
    )
    for code, name, kind, unit, limit, item in (
        ("a21002", "氮氧化物", "value", "mg/m3", Decimal(50), "nox"),
        ("a00000", "流量", "flow", "m3/s", None, ""),
        ("a19001", "氧含量", "o2", "%", None, ""),
    ):
        Factor.objects.create(outlet=o, code=code, name=name, kind=kind, unit=unit, limit_high=limit, item=item)
    return o


def month(root: Path, days: int = 30, nox: float = 40.0, **special: float) -> Path:
    rows: list[dict[str, Any]] = []
    for n in range(days * 24):
        at = START + timedelta(hours=n)
        if f"gap{n}" in special:
            continue
        x = special.get(f"at{n}", nox + n % 7 * 0.1)
        rows += [value("a21002", at, x), value("a00000", at, 50.0), value("a19001", at, 9.0)]
    return write(root, rows)


def set_mark(outlet: Outlet, **change: Any) -> Mark:
    given: dict[str, Any] = {"kind": "calibration", "begin": JUNE, "end": JUNE + timedelta(hours=2), "reason": "全系统校准", "evidence": "校准记录第12号", "by": "运维",
                             "now": JUNE + timedelta(hours=30)} | change  # fmt: skip
    return services.mark(outlet, given.pop("kind"), given.pop("begin"), given.pop("end"), **given)


def test_a_mark_keeps_who_why_and_proof(outlet: Outlet) -> None:
    made = set_mark(outlet)
    assert (made.by, made.reason, made.evidence) == ("运维", "全系统校准", "校准记录第12号")
    assert made.rule.startswith("telemetry.mark_deadline_hour@2023-01-01")
    table = services.marks_table(JUNE.date(), JUNE.date())
    assert table["effect"].to_pylist() == ["invalid", "invalid"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"now": JUNE + timedelta(hours=36, minutes=1)}, "已过标记期限"),
        ({"evidence": " "}, "缺少证明材料"),
        ({"reason": ""}, "缺少原因"),
        ({"kind": "holiday"}, "没有这种标记"),
        ({"end": JUNE}, "结束时间不晚于开始时间"),
        ({"end": JUNE + timedelta(minutes=90)}, "以整小时为单位"),
        ({"begin": datetime(2022, 6, 1, tzinfo=LOCAL)}, "没有这种标记"),
    ],
)
def test_a_mark_is_refused(outlet: Outlet, change: dict[str, Any], words: str) -> None:
    with pytest.raises(ProblemError, match=words):
        set_mark(outlet, **change)
    assert not Mark.objects.exists()


def test_a_mark_in_time_is_taken_to_the_minute(outlet: Outlet) -> None:
    assert set_mark(outlet, now=JUNE + timedelta(hours=36)).pk


def test_marks_are_append_only_and_withdrawn_with_a_reason(outlet: Outlet) -> None:
    made = set_mark(outlet)
    with pytest.raises(DatabaseError), transaction.atomic():
        Mark.objects.filter(pk=made.pk).update(reason="别的")
    with pytest.raises(ProblemError, match="写明理由"):
        services.withdraw_mark(made, reason="", by="市级")
    services.withdraw_mark(made, reason="逾期未交材料", by="市级")
    assert services.marks_table(JUNE.date(), JUNE.date()).num_rows == 0


@pytest.mark.parametrize("period", ["abc", "2026", "2026-Q1"])
def test_only_a_month_is_closed_and_that_is_said(period: str) -> None:
    with pytest.raises(ProblemError, match="只能按月关账"):
        services.close_month(period, by="市级")


def test_a_month_is_closed_recorded_and_reproduced(
    outlet: Outlet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "rollup_folder", lambda: tmp_path / "rollup")
    monkeypatch.setattr(services.timezone, "now", lambda: datetime(2026, 7, 11, 1, tzinfo=LOCAL))
    lake = month(tmp_path / "lake", gap100=0)
    done = services.close_month("2026-06", by="市级", lake=lake)
    figure = Observation.objects.get(indicator="online_emission")
    table = run.read(tmp_path / "rollup" / "closed" / "2026-06", "months").to_pylist()[0]
    assert Decimal(figure.mantissa).scaleb(-figure.scale) == Decimal(table["mass"]) / 10**6
    assert (figure.quality, figure.item, table["n_substituted"]) == ("substituted", "nox", 1)
    assert len(done.close.partitions) == 30
    assert services.reproduce(done.close, lake) == []
    with pytest.raises(ProblemError, match="已关账"):
        services.close_month("2026-06", by="市级", lake=lake)
    with pytest.raises(DatabaseError), transaction.atomic():
        MonthClose.objects.update(by="别人")
    with pytest.raises(ProblemError, match="已关账"):
        set_mark(outlet)
    write(lake, [value("a21002", START, 1.0, recv_time=START + timedelta(hours=5))])  # a partition is altered
    said = "\n".join(map(str, services.reproduce(done.close, lake)))
    assert "day=2026-06-01" in said
    assert "复算结果与关账时不同" in said


def test_a_month_is_closed_again_with_late_data_and_both_versions_reproduce(
    outlet: Outlet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "rollup_folder", lambda: tmp_path / "rollup")
    monkeypatch.setattr(services.timezone, "now", lambda: datetime(2026, 7, 11, 1, tzinfo=LOCAL))
    lake = month(tmp_path / "lake", gap100=0)
    with pytest.raises(ProblemError, match="没有关账"):
        services.close_again("2026-06", reason="补传", by="市级", lake=lake)
    first = services.close_month("2026-06", by="市级", lake=lake).close
    with pytest.raises(ProblemError, match="写明原因"):
        services.close_again("2026-06", reason=" ", by="市级", lake=lake)
    with pytest.raises(ProblemError, match="与上一版相同"):
        services.close_again("2026-06", reason="补传", by="市级", lake=lake)
    assert not list((tmp_path / "rollup" / "closed").glob("close-*"))
    gap, came = START + timedelta(hours=100), datetime(2026, 7, 20, 9)  # noqa: DTZ001 wall time
    rows = [value(c, gap, x, recv_time=came, journal="late/1") for c, x in (("a21002", 20.0), ("a00000", 50.0), ("a19001", 9.0))]  # fmt: skip
    Lake(lake).write_values(pa.Table.from_pylist(rows, schema=VALUES), "late")
    monkeypatch.setattr(services.timezone, "now", lambda: datetime(2026, 7, 19, 9, tzinfo=LOCAL))
    with pytest.raises(ProblemError, match="与上一版相同"):  # it has not come yet
        services.close_again("2026-06", reason="补传", by="市级", lake=lake)
    monkeypatch.setattr(services.timezone, "now", lambda: datetime(2026, 7, 21, 9, tzinfo=LOCAL))
    second = services.close_again("2026-06", reason="网络中断，企业补传", by="市级", lake=lake).close
    assert (second.version, second.reason) == (2, "网络中断，企业补传")
    figures = list(Observation.objects.filter(indicator="online_emission").order_by("vintage"))
    assert [(f.vintage, f.quality, f.posting_id) for f in figures] == [(1, "substituted", first.posting), (2, "measured", second.posting)]  # fmt: skip
    for close, figure in zip((first, second), figures, strict=True):
        table = run.read(services.closed_folder(close), "months").to_pylist()[0]
        assert figure.value == Decimal(table["mass"]) / 10**6
    Factor.objects.filter(code="a21002").update(ppm=True)  # what is registered since does not count
    monkeypatch.setattr(services.timezone, "now", lambda: datetime(2026, 9, 1, tzinfo=LOCAL))
    for close in MonthClose.objects.all():
        assert services.reproduce(close, lake) == []
    victim = Lake(lake).files("values", START.date(), START.date())[
        0
    ]  # as after its time of keeping, or by another hand
    Lake(lake).store.remove([victim.name])
    with pytest.raises(ProblemError, match="与关账时不同"):
        services.close_again("2026-06", reason="补传", by="市级", lake=lake)
    assert MonthClose.objects.count() == 2


def test_the_registers_switches_reach_the_roll_up(outlet: Outlet, tmp_path: Path) -> None:
    Factor.objects.filter(code="a21002").update(ppm=True, actual=True, wet=True, ambient=Decimal("100.5"), derived=True)
    row = services.series_table().to_pylist()[0]
    assert [row[n] for n in run.OPTIONAL] == [True, True, True, 100_500_000, True]
    assert [services.series_table().to_pylist()[1][n] for n in run.OPTIONAL] == [False, False, False, None, False]
    Factor.objects.update(actual=False, wet=False, derived=False)
    hours, _days = roll(tmp_path, month(tmp_path / "lake", 1, nox=50.0), 1)
    assert round(hours.filter(services.pc.equal(hours["series"], row["series"]))["mean"][0].as_py() / 1e6, 2) == 102.68


def test_a_month_cannot_be_closed_before_its_patch_window(
    outlet: Outlet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services.timezone, "now", lambda: datetime(2026, 7, 10, 23, tzinfo=LOCAL))
    with pytest.raises(ProblemError, match="补传期限未过"):
        services.close_month("2026-06", by="市级", lake=month(tmp_path / "lake", 1))
    assert not MonthClose.objects.exists()


def roll(tmp_path: Path, lake: Path, days: int) -> tuple[Any, Any]:
    last = START.date() + timedelta(days=days - 1)
    services.run.roll_up(
        lake, services.series_table(), START.date(), last, services.rules_on(last), tmp_path / "out", on=services.connect("duckdb"),
        marks=services.marks_table(START.date(), last),
    )  # fmt: skip
    return run.read(tmp_path / "out", "hours"), run.read(tmp_path / "out", "days")


def test_alarms_of_a_roll_up_are_raised_once(outlet: Outlet, tmp_path: Path) -> None:
    special = (
        {"at30": 66.0, "at31": 77.0} | {f"gap{n}": 0.0 for n in (60, 61, 62)} | {f"at{n}": 41.5 for n in range(80, 87)}
    )
    hours, days = roll(tmp_path, month(tmp_path / "lake", 5, **special), 5)
    assert services.raise_alarms(hours, days) == 3
    assert services.raise_alarms(hours, days) == 0
    found = {a.kind: a for a in Alarm.objects.all()}
    over = found["exceedance"]
    assert (over.first, over.last) == (JUNE + timedelta(hours=30), JUNE + timedelta(hours=32))
    assert (over.value, over.limit) == (Decimal(77), Decimal(50))
    assert found["no_data"].last - found["no_data"].first == timedelta(hours=3)
    assert found["constant"].value == Decimal("41.5")


def test_marked_hours_do_not_alarm(outlet: Outlet, tmp_path: Path) -> None:
    begin = JUNE + timedelta(hours=30)
    set_mark(outlet, kind="startup", begin=begin, end=begin + timedelta(hours=1), now=begin + timedelta(hours=2))
    hours, days = roll(tmp_path, month(tmp_path / "lake", 2, at30=99.0), 2)
    assert services.raise_alarms(hours, days) == 0


def test_an_alarm_is_acknowledged_assigned_and_closed(outlet: Outlet) -> None:
    seen = JUNE
    assert services.raise_logger_off({"M1": seen}, JUNE + timedelta(minutes=59)) == 0
    assert services.raise_logger_off({"M1": seen}, JUNE + timedelta(minutes=61)) == 1
    alarm = Alarm.objects.get()
    with pytest.raises(ProblemError, match="不能这样办理"):
        services.take_step(alarm, "closed", by="市级", text="已恢复")
    services.take_step(alarm, "acknowledged", by="市级")
    with pytest.raises(ProblemError, match="交办给谁"):
        services.take_step(alarm, "assigned", by="市级")
    services.take_step(alarm, "assigned", by="市级", to="运维单位")
    with pytest.raises(ProblemError, match="办结须写明"):
        services.take_step(alarm, "closed", by="市级")
    services.take_step(alarm, "closed", by="市级", text="更换通讯模块，已恢复上线")
    assert [s.step for s in alarm.steps.all()] == ["acknowledged", "assigned", "closed"]
    assert Alarm.objects.get().state == "closed"


def test_the_gateways_live_values_say_when_a_logger_was_heard(outlet: Outlet, tmp_path: Path) -> None:
    assert services.last_heard(tmp_path / "none.sqlite") == {}
    live = SqliteLive(tmp_path / "live.sqlite")
    rows = [value("a21002", START, 1.0), value("a21002", START + timedelta(minutes=5), 2.0)]
    live.update(pa.Table.from_pylist(rows, schema=VALUES))
    live.close()
    seen = services.last_heard(tmp_path / "live.sqlite")
    assert seen == {"M1": JUNE + timedelta(minutes=6)}
    assert services.raise_logger_off(seen, JUNE + timedelta(minutes=67)) == 1


def test_a_permit_nearly_used_up_alarms_once(outlet: Outlet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "rollup_folder", lambda: tmp_path / "rollup")
    monkeypatch.setattr(services.timezone, "now", lambda: datetime(2026, 7, 12, tzinfo=LOCAL))
    services.close_month("2026-06", by="市级", lake=month(tmp_path / "lake"))
    factor = outlet.factors.get(code="a21002")
    used = Observation.objects.get(subject__code="DA001", item="nox").value
    assert used is not None
    hours, days = (run.read(tmp_path / "rollup" / "closed" / "2026-06", n) for n in ("hours", "days"))
    for share, new in (("1.12", 0), ("1.10", 1), ("1.10", 0)):
        Factor.objects.filter(pk=factor.pk).update(permitted_kg=round(used * Decimal(share), 3))
        before = Alarm.objects.filter(kind="permit").count()
        services.raise_alarms(hours, days)
        assert Alarm.objects.filter(kind="permit").count() - before == new


@pytest.mark.parametrize(("codes", "derived"), [(("a21003", "a21004"), True), (("a21002", "a21003", "a21004"), False)])
def test_nox_of_a_device_that_sends_its_parts_only_is_registered(codes: tuple[str, ...], derived: bool) -> None:
    made = Outlet.objects.create(code="DA002", name="2号排口", medium="gas", mn="M2")
    assert register.add_factors(made, codes) == 3
    assert made.factors.get(code="a21002").derived is derived
