"""The same lake on this machine's disk and in an object store: written, rolled up, merged, checked, rebuilt."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from lvheng.core.engine import connect as engine
from lvheng.core.problem import ProblemError
from lvheng.telemetry import retention
from lvheng.telemetry.commands import telemetry
from lvheng.telemetry.ingest import Decoder, rebuild
from lvheng.telemetry.lake import Lake, lake_of
from lvheng.telemetry.repair import repair, verify
from lvheng.telemetry.storage import Store
from lvheng.telemetry.validity.run import read, roll_up

from ..validity.support import RULES, series
from .conftest import DAY, LONG_AGO, MN, REGISTRY, decode, effective, journalled, minutes, receptions

SERIES = series(
    {"mn": MN, "code": "w01018", "medium": "water", "flow_code": "w00000", "interval": 10},
    {"mn": MN, "code": "w00000", "medium": "water", "kind": "flow", "flow_code": "w00000", "interval": 10},
)


@pytest.fixture(params=["disk", "s3", "memory"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    if request.param == "disk":
        return Lake(tmp_path / "lake")
    if request.param == "memory":
        return Lake(f"memory://{tmp_path.name}")
    return Lake(f"{request.getfixturevalue('s3')}/{tmp_path.name}")


def rolled(lake: Lake, out: Path, name: str = "duckdb") -> list[object]:
    roll_up(lake.root, SERIES, DAY.date(), DAY.date() + timedelta(days=1), RULES, out, on=engine(name))
    return [read(out, t).to_pylist() for t in ("hours", "days", "months")]


def damaged_byte(lake: Lake, name: str, at: int) -> None:
    data = bytearray(lake.store.read(name))
    data[at % len(data)] ^= 0x10
    lake.store.write(name, bytes(data))


def test_every_place_gives_the_same_tables_through_merging_damage_and_rebuilding(lake: Lake, tmp_path: Path) -> None:
    root = tmp_path / "journal"
    for piece in range(4):
        journalled(root, "g00", minutes(DAY + timedelta(hours=9 * piece), 54), segment_bytes=6000)
        decode(root, lake)
    here = Lake(tmp_path / "plain")
    decode_again = Decoder(root, here, REGISTRY, clock=LONG_AGO, compiled=False)
    # the checkpoint of another lake: its own journal id is the same, its place is not
    decode_again.run()
    expected, tables = receptions(here), rolled(here, tmp_path / "a")
    assert receptions(lake) == expected
    assert len(expected) == 4 * 54 * 2
    assert rolled(lake, tmp_path / "b") == tables
    assert rolled(lake, tmp_path / "p", "polars") == tables
    before = effective(lake)

    files = len(lake.files())
    made = retention.compact(lake, DAY.date() + timedelta(days=2))
    assert made
    assert len(lake.files()) < files
    assert retention.compact(lake, DAY.date() + timedelta(days=2)) == []
    assert (receptions(lake), effective(lake)) == (expected, before)
    assert rolled(lake, tmp_path / "c") == tables
    assert verify(root, lake) == []

    for n, victim in enumerate([lake.files()[0].name, lake.files("packets")[-1].name]):
        damaged_byte(lake, victim, 100 + n)
        assert [p.place.file for p in verify(root, lake)] == [victim]
        done = repair(root, lake, REGISTRY, LONG_AGO)
        assert (done.mended, done.problems) == ([victim], [])
        assert verify(root, lake) == []
    assert (receptions(lake), effective(lake)) == (expected, before)

    lake.store.remove(f.name for f in lake.files())
    assert rebuild(root, lake, REGISTRY, LONG_AGO) == []
    assert (receptions(lake), rolled(lake, tmp_path / "d")) == (expected, tables)


def test_spark_refuses_an_object_store_and_says_what_to_do(s3: str, tmp_path: Path) -> None:
    pytest.importorskip("pyspark")
    from lvheng.core.engine import Spark
    from lvheng.telemetry.validity.run import scan_values

    lake = Lake(f"{s3}/{tmp_path.name}")
    journalled(tmp_path / "journal", "g00", minutes(DAY))
    decode(tmp_path / "journal", lake)
    with pytest.raises(ProblemError, match="--mirror"):
        scan_values(Spark.__new__(Spark), lake.root, DAY.date(), DAY.date())


def test_a_mirror_holds_what_the_lake_holds(s3: str, tmp_path: Path) -> None:
    lake, here = Lake(f"{s3}/{tmp_path.name}"), tmp_path / "mirror"
    journalled(tmp_path / "journal", "g00", minutes(DAY))
    decode(tmp_path / "journal", lake)
    journalled(tmp_path / "journal", "g00", minutes(DAY + timedelta(hours=5)))
    decode(tmp_path / "journal", lake)
    command = ["mirror", "--lake", str(lake.root), "--from", "2026-06-01", "--to", "2026-06-01", "--into", str(here)]
    assert "复制2个文件" in CliRunner().invoke(telemetry, command).output
    lake.compact(DAY.date(), "32")
    assert "复制1个文件，清除过时的2个" in CliRunner().invoke(telemetry, command).output
    assert rolled(Lake(here), tmp_path / "a") == rolled(lake, tmp_path / "b")


def test_a_store_that_is_away_is_said_in_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    journalled(tmp_path / "journal", "g00", minutes(DAY))
    result = CliRunner().invoke(telemetry, ["verify", "--data", str(tmp_path), "--lake", "s3://nowhere/lake"])
    assert result.exit_code == 1
    assert "数据湖无法读写" in result.output
    result = CliRunner().invoke(telemetry, ["verify", "--data", str(tmp_path), "--lake", "gopher://nowhere"])
    assert "不认识的数据湖地址" in result.output


def test_a_write_that_fails_leaves_what_was(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write("a/b.parquet", b"one")
    (tmp_path / "a" / "c.parquet").mkdir()
    with pytest.raises(OSError, match=r"c\.parquet"):
        store.write("a/c.parquet", b"two")
    assert [(f.name, f.size) for f in store.files("a", ".parquet")] == [("a/b.parquet", 3)]


def test_the_gateways_lake_may_be_named_by_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LVHENG_LAKE", raising=False)
    assert lake_of(tmp_path) == tmp_path / "lake"
    monkeypatch.setenv("LVHENG_LAKE", "s3://bucket/lake")
    assert lake_of(tmp_path) == "s3://bucket/lake"


def test_gateways_on_several_machines_share_a_lake(lake: Lake, tmp_path: Path) -> None:
    for n, mn in enumerate([MN, "E" * 24]):
        journalled(tmp_path / f"m{n}", f"north{n}00", minutes(DAY, mn=mn))
        decode(tmp_path / f"m{n}", lake)
    both = receptions(lake)
    assert len(both) == 2 * 24
    lake.compact(DAY.date(), "32")
    # one machine rebuilds its own part; the other's stays
    assert rebuild(tmp_path / "m0", lake, REGISTRY, LONG_AGO) == []
    assert receptions(lake) == both
    # what only the other machine's journal can rebuild is said
    victim = next(f.name for f in lake.files() if "/north100-" in f.name)
    damaged_byte(lake, victim, 50)
    done = repair(tmp_path / "m0", lake, REGISTRY, LONG_AGO)
    assert [p.got for p in done.problems] == ["north100"]
    assert repair(tmp_path / "m1", lake, REGISTRY, LONG_AGO).problems == []
    assert receptions(lake) == both


def test_two_journals_of_one_name_do_not_overwrite_each_other(lake: Lake, tmp_path: Path) -> None:
    journalled(tmp_path / "m0", "g00", minutes(DAY))
    decode(tmp_path / "m0", lake)
    journalled(tmp_path / "m1", "g00", minutes(DAY, mn="E" * 24))
    journalled(tmp_path / "m1", "h00", minutes(DAY, 6, mn="E" * 24))
    second = decode(tmp_path / "m1", lake)
    assert list(second.refused) == ["g00"]
    assert "另取网关名称" in str(second.refused["g00"])
    assert {(r[0], r[14]) for r in receptions(lake)} == {(MN, "g00/00000001"), ("E" * 24, "h00/00000001")}
    assert [p.code for p in rebuild(tmp_path / "m1", lake, REGISTRY, LONG_AGO)] == ["telemetry.lake.stream"]
    assert len(receptions(lake)) == 24 + 12
    # the way out that is told: another name for the journal's folder, and what was acknowledged comes in
    (tmp_path / "m1" / "g00").rename(tmp_path / "m1" / "k00")
    assert decode(tmp_path / "m1", lake).refused == {}
    assert {r[14] for r in receptions(lake)} == {"g00/00000001", "h00/00000001", "k00/00000001"}
    assert verify(tmp_path / "m1", lake) == []


def test_times_are_wall_time_wherever_the_lake_is(lake: Lake, tmp_path: Path) -> None:
    journalled(tmp_path / "journal", "g00", minutes(DAY + timedelta(hours=23, minutes=50), 2))
    decode(tmp_path / "journal", lake)
    got = {(r[3], r[-2]) for r in receptions(lake)}
    assert got == {(d, d.date()) for d in (datetime(2026, 6, 1, 23, 50), datetime(2026, 6, 2))}  # noqa: DTZ001
