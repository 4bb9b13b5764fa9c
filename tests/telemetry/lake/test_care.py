"""Merging, damage, retention and evidence: nothing is lost, doubled or quietly changed."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from itertools import count
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from lvheng.core.engine import connect as engine
from lvheng.core.problem import ProblemError
from lvheng.telemetry import journal, retention
from lvheng.telemetry.commands import telemetry
from lvheng.telemetry.ingest import rebuild
from lvheng.telemetry.lake import VALUES, Lake
from lvheng.telemetry.repair import repair, verify
from lvheng.telemetry.validity.evidence import compare, digest_of, evidence, late
from lvheng.telemetry.validity.run import read, roll_up

from ..validity.support import BOOK, RULES, value
from .conftest import DAY, LONG_AGO, MN, REGISTRY, decode, effective, journalled, minutes, receptions
from .test_places import SERIES, damaged_byte, rolled

NAMES = count()
PERIODS = retention.read_periods(BOOK, date(2032, 1, 1))


@st.composite
def files(draw: st.DrawFn) -> list[tuple[str, list[dict[str, object]]]]:
    """Files of two streams with repeated, revised, late and twice decoded receptions."""
    made = []
    for n in range(draw(st.integers(1, 6))):
        stream = draw(st.sampled_from(["g00", "h00"]))
        rows = [
            value(
                draw(st.sampled_from(["w01018", "w00000"])), DAY + timedelta(minutes=10 * draw(st.integers(0, 20))),
                draw(st.sampled_from([1.5, 2.5, 7.25])), draw(st.sampled_from("NND")), mn=MN, st="32",
                recv_time=DAY + timedelta(hours=draw(st.integers(1, 400))), journal=f"{stream}/{n:08d}", position=k, seq=0,
            )
            for k in range(draw(st.integers(1, 12)))
        ]  # fmt: skip
        name = f"{stream}-{n:08d}-{0:012d}"
        made.append((name, rows))
        if draw(
            st.booleans()
        ):  # a crash before the checkpoint: the same stretch again, under the same name, and longer
            made.append((name, [*rows, {**rows[-1], "position": 99}]))
    return made


@settings(max_examples=25, deadline=None)
@given(files(), st.integers(0, 5))
def test_merging_at_any_time_changes_no_table(made: list[tuple[str, list[dict[str, object]]]], at: int) -> None:
    plain, merged = (Lake(f"memory://property{next(NAMES)}") for _ in range(2))
    for n, (name, rows) in enumerate(made):
        for lake in (plain, merged):
            lake.write_values(pa.Table.from_pylist(rows, schema=VALUES), name)
        if n == at:
            merged.compact(DAY.date(), "32")
    merged.compact(DAY.date(), "32")
    assert len(merged.files()) <= 2
    assert receptions(merged) == receptions(plain)
    assert effective(merged) == effective(plain)
    rules = RULES.patch_days
    assert evidence(merged.root, DAY.date(), DAY.date(), rules) == evidence(plain.root, DAY.date(), DAY.date(), rules)


def test_merging_that_was_interrupted_is_finished_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, lake = tmp_path / "journal", Lake(tmp_path / "lake")
    for n in range(3):
        journalled(root, "g00", minutes(DAY + timedelta(hours=n), 6))
        decode(root, lake)
    before, names = receptions(lake), [f.name for f in lake.files()]
    with monkeypatch.context() as patch:
        patch.setattr(lake.store, "remove", lambda names: None)  # the crash
        (merged,) = lake.compact(DAY.date(), "32")
    assert [f.name for f in lake.files()] == sorted([*names, merged])
    assert receptions(lake) == before
    assert effective(lake)[0][-2:] == (1, 1)
    assert lake.compact(DAY.date(), "32") == []
    assert [f.name for f in lake.files()] == [merged]
    assert receptions(lake) == before


def test_damage_is_not_merged_into_good_files(tmp_path: Path) -> None:
    root, lake = tmp_path / "journal", Lake(tmp_path / "lake")
    for n in range(2):
        journalled(root, "g00", minutes(DAY + timedelta(hours=n), 6))
        decode(root, lake)
    victim = lake.files()[0].name
    damaged_byte(lake, victim, 77)
    with pytest.raises(ProblemError, match="数据湖文件损坏"):
        lake.compact(DAY.date(), "32")
    assert len(lake.files()) == 2


def test_a_changed_byte_anywhere_in_a_file_is_found_and_mended(tmp_path: Path) -> None:
    root, lake = tmp_path / "journal", Lake(tmp_path / "lake")
    journalled(root, "g00", minutes(DAY))
    decode(root, lake)
    before, (victim,) = receptions(lake), lake.files()
    for at in range(0, victim.size, max(1, victim.size // 40)):
        damaged_byte(lake, victim.name, at)
        assert lake.damaged_names() == [victim.name]
        assert repair(root, lake, REGISTRY, LONG_AGO).mended == [victim.name]
        assert lake.damaged_names() == []
    assert receptions(lake) == before
    for broken in (b"", b"PAR1", lake.store.read(victim.name)[:-9]):
        lake.store.write(victim.name, broken)
        assert repair(root, lake, REGISTRY, LONG_AGO).mended == [victim.name]
    assert receptions(lake) == before


def test_a_torn_tail_is_set_aside_and_damage_before_it_is_named(tmp_path: Path) -> None:
    root, lake = tmp_path / "journal", Lake(tmp_path / "lake")
    journalled(root, "g00", minutes(DAY))
    decode(root, lake)
    (path,) = journal.segments(root, "g00")
    whole = path.read_bytes()
    path.write_bytes(whole + b"LVJB torn")
    (problem,) = verify(root, lake)
    assert problem.place.file == "g00/00000001.lvj"
    assert "9字节" in problem.got
    assert repair(root, lake, REGISTRY, LONG_AGO).mended == ["g00/00000001.lvj"]
    assert path.read_bytes() == whole
    assert path.with_name(f"{path.name}.torn-{len(whole)}").read_bytes() == b"LVJB torn"
    assert verify(root, lake) == []
    data = bytearray(whole)
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert [p.code for p in verify(root, lake)] == ["telemetry.journal.damaged"]
    done = repair(root, lake, REGISTRY, LONG_AGO)
    assert (done.mended, [p.code for p in done.problems]) == ([], ["telemetry.journal.damaged"])
    assert path.read_bytes() == bytes(data)  # evidence stays as it is


def test_a_merged_file_is_rebuilt_from_all_its_segments(tmp_path: Path) -> None:
    root, lake = tmp_path / "journal", Lake(tmp_path / "lake")
    for n in range(4):
        journalled(root, "g00", minutes(DAY + timedelta(hours=4 * n), 20), segment_bytes=3000)
        decode(root, lake)
    assert len(journal.segments(root, "g00")) > 4
    before = receptions(lake)
    (merged,) = lake.compact(DAY.date(), "32")
    journalled(root, "g00", minutes(DAY + timedelta(hours=20), 3), segment_bytes=3000)
    decode(root, lake)
    before = receptions(lake)
    damaged_byte(lake, merged, 500)
    assert repair(root, lake, REGISTRY, LONG_AGO).mended == [merged]
    assert receptions(lake) == before
    journal.segments(root, "g00")[1].unlink()
    (merged,) = (f.name for f in lake.files() if "-to-" in f.name)
    damaged_byte(lake, merged, 500)
    assert "telemetry.lake.unrebuilt" in {p.code for p in repair(root, lake, REGISTRY, LONG_AGO).problems}


def month(tmp_path: Path) -> tuple[Path, Lake]:
    root, lake = tmp_path / "journal", Lake(tmp_path / "lake")
    for day in range(3):
        journalled(root, "g00", minutes(DAY + timedelta(days=day), 144), segment_bytes=20_000)
        decode(root, lake)
    return root, lake


def test_nothing_goes_before_its_time_or_before_its_month_is_closed(tmp_path: Path) -> None:
    root, lake = month(tmp_path)
    before = receptions(lake)
    assert PERIODS.years == {"values": 5, "journal": 5, "energy": 5, "packets": 5}
    assert retention.examine(lake, root, PERIODS, date(2031, 6, 1), {"2026-06"}) == []
    held = retention.examine(lake, root, PERIODS, date(2032, 1, 1), set())
    assert {i.held for i in held if i.what == "values"} == {"该月尚未关账"}
    assert {i.held for i in held if i.what == "journal"} == {"其中数据所属月份尚未关账"}
    assert not any(i.held for i in held if i.what == "packets")
    free = retention.examine(lake, root, PERIODS, date(2031, 6, 2), {"2026-06"})
    assert {(i.what, i.name, i.held) for i in free if i.what != "journal"} == {
        ("values", "values/day=2026-06-01/st=32", ""), ("packets", "packets/day=2026-06-01", ""),
    }  # fmt: skip
    assert receptions(lake) == before


def test_what_is_removed_is_written_down_and_the_chain_still_holds(tmp_path: Path) -> None:
    root, lake = month(tmp_path)
    rest = [r for r in receptions(lake) if r[-2] > DAY.date()]
    numbers = len(journal.segments(root, "g00"))
    items = retention.examine(lake, root, PERIODS, date(2031, 6, 2), {"2026-06"})
    gone = retention.remove(lake, items, PERIODS, datetime(2031, 6, 2, 3))  # noqa: DTZ001
    assert receptions(lake) == rest
    assert 0 < len(journal.segments(root, "g00")) < numbers
    assert verify(root, lake) == []
    (note,) = lake.store.files("retained", ".json")
    told = json.loads(lake.store.read(note.name))
    assert told["rule"] == PERIODS.ref
    assert [i["name"] for i in told["removed"]] == [i.name for i in gone]
    # writing, decoding and rebuilding go on with what is left
    journalled(root, "g00", minutes(DAY + timedelta(days=3), 3))
    decode(root, lake)
    now = receptions(lake)
    assert len(now) == len(rest) + 6
    assert rebuild(root, lake, REGISTRY, LONG_AGO) == []
    assert [r for r in receptions(lake) if r[-2] > DAY.date()] == now
    assert verify(root, lake) == []


def test_the_last_day_of_february_is_kept_to_the_first_of_march() -> None:
    assert retention.due(date(2024, 2, 29), 5) == date(2029, 3, 2)
    assert retention.due(date(2024, 2, 28), 5) == date(2029, 3, 1)


def test_a_segment_not_yet_decoded_stays(tmp_path: Path) -> None:
    root, lake = tmp_path / "journal", Lake(tmp_path / "lake")
    journalled(root, "g00", minutes(DAY, 60), segment_bytes=4000)
    items = retention.examine(lake, root, PERIODS, date(2040, 1, 1), set())
    assert [(i.what, i.held) for i in items] == [("journal", "尚未解入数据湖")]


def test_late_data_make_a_new_version_and_leave_the_closed_one(tmp_path: Path) -> None:
    root, lake, day = tmp_path / "journal", Lake(tmp_path / "lake"), DAY.date()
    journalled(root, "g00", minutes(DAY, 100))
    decode(root, lake)
    closed = evidence(lake.root, day, day, RULES.patch_days)
    tables = rolled(lake, tmp_path / "one")
    assert late(lake.root, day, day, RULES.patch_days) == []
    journalled(root, "g00", minutes(DAY, 144, value="80", delay=12 * 1440))
    decode(root, lake)
    lake.compact(day, "32")
    assert compare(closed, evidence(lake.root, day, day, RULES.patch_days)) == []
    assert rolled(lake, tmp_path / "two") == tables
    assert [(r["code"], r["rows"]) for r in late(lake.root, day, day, RULES.patch_days)] == [
        ("w00000", 144),
        ("w01018", 144),
    ]
    until = DAY + timedelta(days=20)
    roll_up(lake.root, SERIES, day, day, RULES, tmp_path / "new", on=engine("duckdb"), late_until=until)
    assert read(tmp_path / "new", "days").to_pylist() != tables[1][:2]
    assert json.loads((tmp_path / "new" / "rollup.json").read_text())["late_until"] == str(until)
    version = evidence(lake.root, day, day, RULES.patch_days, until)
    assert digest_of(version) != digest_of(closed)
    assert [p.place.file for p in compare(closed, version)] == ["day=2026-06-01/st=32"]


def test_a_value_changed_in_the_lake_is_seen_against_the_evidence(tmp_path: Path) -> None:
    root, lake, day = tmp_path / "journal", Lake(tmp_path / "lake"), DAY.date()
    journalled(root, "g00", minutes(DAY, 30))
    decode(root, lake)
    closed = evidence(lake.root, day, day, RULES.patch_days)
    (file,) = lake.files()
    table = lake.receptions("values", [file])
    texts = table["value_text"].to_pylist()
    texts[3] = "1.0"
    forged = table.set_column(table.column_names.index("value_text"), "value_text", pa.array(texts))
    lake.publish(forged, "values/day=2026-06-01/st=32", file.name.rsplit("/", 1)[1].split(".")[0])
    assert lake.damaged_names() == []  # a whole file, properly named: only the evidence tells
    assert len(compare(closed, evidence(lake.root, day, day, RULES.patch_days))) == 1


def test_commands(tmp_path: Path) -> None:
    _root, lake = month(tmp_path)

    def run(*args: str) -> str:
        return CliRunner().invoke(telemetry, [*args, "--data", str(tmp_path)]).output

    assert "数据湖文件完好" in run("verify")
    damaged_byte(lake, lake.files()[0].name, 60)
    assert lake.files()[0].name in run("verify")
    assert "文件未动" in run("repair")  # the device is not registered in this folder: nothing is taken for mended
    device = run("register", MN, "--st", "32")
    assert "已登记" in device
    assert "修复1处，未能修复0处" in run("repair")
    assert "数据湖文件完好" in run("verify")
    before = receptions(lake)
    assert "已合并为" in run("compact", "--before", "2026-06-05")
    assert receptions(lake) == before
    assert len(lake.files()) == 3
    assert "数据湖已重建" in run("rebuild")
    assert {r[:4] for r in receptions(lake)} == {r[:4] for r in before}


def test_a_file_that_is_gone_is_missed_and_comes_back_from_the_journal(tmp_path: Path) -> None:
    root, lake = month(tmp_path)
    before = receptions(lake)
    lake.store.remove([lake.files()[0].name])
    (problem,) = verify(root, lake)
    assert "缺失" in str(problem)
    done = repair(root, lake, REGISTRY, LONG_AGO)
    assert done.mended
    assert done.problems == []
    lake.store.remove([f.name for f in lake.files()])
    assert verify(root, lake)
    assert repair(root, lake, REGISTRY, LONG_AGO).problems == []
    assert receptions(lake) == before
    assert verify(root, lake) == []


def test_care_looks_at_the_folder_of_this_home_and_says_when_nothing_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "telemetry"
    monkeypatch.setenv("LVHENG_HOME", str(tmp_path))
    for command in ("verify", "repair", "rebuild"):
        result = CliRunner().invoke(telemetry, [command])
        assert result.exit_code == 1
        assert "没有原始日志" in result.output
    assert not home.exists()
    month(home)
    assert "数据齐全" in CliRunner().invoke(telemetry, ["verify"]).output


def test_rebuilding_keeps_what_no_journal_stands_behind(tmp_path: Path) -> None:
    """The demonstration's outlets are written into the lake, and no journal has them: rebuilding must not take them away."""
    root, lake = month(tmp_path)
    invented = lake.receptions("values", lake.files()[:1])
    files = len(lake.files())
    for day in (DAY, DAY + timedelta(days=400)):  # beside real data, and where there are none
        stamp = pa.array([day.date()] * invented.num_rows, VALUES.field("day").type)
        whole = invented.append_column("day", stamp).append_column("st", pa.array(["32"] * invented.num_rows))
        whole = whole.select(VALUES.names).set_column(
            VALUES.names.index("mn"), "mn", pa.array(["DEMO" + "0" * 20] * invented.num_rows)
        )
        lake.write_values(whole.cast(VALUES), "demo")
    assert len(lake.files()) == files + 2
    before = receptions(lake)
    lake.compact((DAY + timedelta(days=400)).date(), "32")
    assert rebuild(root, lake, REGISTRY, LONG_AGO) == []
    assert receptions(lake) == before
    assert repair(root, lake, REGISTRY, LONG_AGO).problems == []
