"""The command line around a gateway: register, simulate, verify, rebuild, compact, gaps, dialect."""

import contextlib
import sqlite3
import time
from datetime import timedelta

import pytest
from click.testing import CliRunner

from lvheng.telemetry import hj212, journal
from lvheng.telemetry.commands import commands, telemetry
from lvheng.telemetry.devices import MemoryRegistry, SqliteRegistry
from lvheng.telemetry.gateway.serve import Plan, Service
from lvheng.telemetry.ingest import Decoder
from lvheng.telemetry.journal import FRAME, REJECT, Journal, pack
from lvheng.telemetry.lake import Lake, connect
from lvheng.telemetry.live import SqliteLive
from lvheng.telemetry.simulate import make_fleet
from lvheng.telemetry.simulate.fleet import schedule

from .gateway.support import DEVICE, MN, now, upload


def run(*args):
    return CliRunner().invoke(telemetry, [str(a) for a in args])


@pytest.fixture
def data(tmp_path):
    """A data directory with a registered device and two hours of minute data, 3 intervals missing."""
    assert run("register", MN, "--data", tmp_path, "--password", "123456", "--st", "32").exit_code == 0
    store = Journal(tmp_path / "journal", "g00")
    start = now().replace(minute=0, second=0) - timedelta(hours=3)
    for n in range(12):
        if n not in (4, 5, 8):
            frame = upload(when=start + timedelta(minutes=10 * n), cn="2051", value=f"{n}.5")
            store.commit([pack(FRAME, time.time_ns() // 1000, 1, frame[:-2])] * 2)
    store.close()
    Decoder(tmp_path / "journal", Lake(tmp_path / "lake"), SqliteRegistry(tmp_path / "registry.sqlite")).run()
    return tmp_path


def rows(data):
    with connect(data / "lake") as db:
        return db.execute("select data_time, value_text, received from effective order by all").fetchall()


def test_verify_names_what_is_damaged_and_rebuild_mends_the_lake(data):
    assert run("verify", "--data", data).exit_code == 0
    before = rows(data)
    victim = next((data / "lake").glob("values/**/*.parquet"))
    victim.write_bytes(b"PAR1 broken")
    result = run("verify", "--data", data)
    assert result.exit_code == 1
    assert victim.name in result.output
    assert run("rebuild", "--data", data).exit_code == 0
    assert run("verify", "--data", data).exit_code == 0
    assert rows(data) == before
    (path,) = journal.segments(data / "journal", "g00")
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 3] ^= 4
    path.write_bytes(raw)
    result = run("verify", "--data", data)
    assert result.exit_code == 1
    assert "g00/00000001.lvj" in result.output


def test_rebuild_refuses_while_a_gateway_writes(data):
    store = Journal(data / "journal", "g00")
    result = run("rebuild", "--data", data)
    store.close()
    assert result.exit_code == 1
    assert "另一个网关" in result.output


def test_compact_keeps_every_value(data):
    before = rows(data)
    tomorrow = now().date() + timedelta(days=1)
    assert run("compact", "--data", data, "--before", tomorrow).exit_code == 0
    assert rows(data) == before
    assert len(before) == 9
    assert {r[2] for r in before} == {2}


def test_gaps_are_queued_once(data):
    assert "已排入3条" in run("gaps", "--data", data).output
    assert "已排入0条" in run("gaps", "--data", data).output


def test_a_dialect_is_proposed_from_the_journal_and_accepted(data):
    store = Journal(data / "journal", "g00")
    frames = [upload(n, variant="modbus") for n in range(5)]
    store.commit([pack(REJECT, 1, 1, f[:-2]) for f in frames])
    store.close()
    path = journal.segments(data / "journal", "g00")[-1]
    assert path.exists()
    registry = SqliteRegistry(data / "registry.sqlite")
    assert registry.get(MN).dialect == hj212.STANDARD
    result = run("dialect", MN, "--data", data)
    assert "没有需要登记的偏差" in result.output  # 5 of 23 are not most
    store = Journal(data / "journal", "g00")
    store.commit([pack(REJECT, 1, 1, f[:-2]) for f in frames] * 6)
    store.close()
    result = run("dialect", MN, "--data", data, "--accept")
    assert "MODBUS" in result.output
    registry.refresh()
    assert registry.get(MN).dialect.crc == "modbus"
    registry.close()


def test_the_simulated_fleet_is_the_same_for_a_seed_and_says_late_what_it_missed():
    start = now().replace(minute=0, second=0)
    fleet, again = make_fleet(200, 7, start, 6), make_fleet(200, 7, start, 6)
    assert fleet == again
    assert {g.version for g in fleet} == {2005, 2017, 2025}
    end = start + timedelta(hours=6)
    sent = [(g.mn, when, late) for when, g, late in schedule(fleet, start, end)]
    assert len({(mn, when) for mn, when, _ in sent}) == 200 * 36
    assert any(late for _, _, late in sent)
    for logger in fleet[:40]:
        for frame in logger.minute(start):
            for item in hj212.decode(frame, logger.device().dialect):
                assert isinstance(item, hj212.Packet)
                assert not item.quarantined


def test_simulate_against_a_running_gateway(tmp_path):
    service = Service(Plan(tmp_path, port=0, workers=2))
    port = service.start()
    try:
        command = next(c for c in commands if c.name == "simulate")
        result = CliRunner().invoke(
            command,
            ["--port", str(port), "--devices", "40", "--hours", "1", "--faults", "0.2", "--register", str(tmp_path)],
        )
    finally:
        service.stop()
    assert result.exit_code == 0, result.output
    assert "未应答0个" in result.output
    assert run("verify", "--data", tmp_path).exit_code == 0
    with connect(tmp_path / "lake") as db:
        assert db.execute("select count(distinct (mn, data_time)), max(revisions) from effective").fetchone() == (
            240,
            1,
        )


def test_commands_are_queued_listed_and_refused_in_words(data):
    assert "命令号1" in run("command", MN, "1062", "RtdInterval=30", "--data", data, "--by", "张三").output
    assert "已排队6条" in run("contact", MN, "--data", data).output
    listed = run("commands", "--data", data).output
    assert "提取实时数据间隔" not in listed
    assert "设置实时数据间隔（1062） 待发送" in listed
    for wrong in (["9014"], ["1062", "RtdInterval"], ["1062", "RtdInterval=1;CN=2"]):
        result = run("command", MN, *wrong, "--data", data)
        assert result.exit_code == 1
        assert "必须改正" in result.output
    assert run("command", "nobody", "1062", "--data", data).exit_code == 1


def test_live_values_and_alarms_are_kept(tmp_path):
    store = Journal(tmp_path / "journal", "g00")
    micros = time.time_ns() // 1000
    frames = [upload(0, value="1.5"), upload(60, value="2.5"), upload(30, value="9.5"), upload(0, mn="E" * 24)]
    store.commit([pack(FRAME, micros + n, 1, f[:-2]) for n, f in enumerate(frames)])
    store.close()
    registry, live = MemoryRegistry([DEVICE]), SqliteLive(tmp_path / "live.sqlite")
    Decoder(tmp_path / "journal", Lake(tmp_path / "lake"), registry, live).run()
    live.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "live.sqlite")) as db:
        assert db.execute("select mn, code, value_text, flag from live").fetchall() == [(MN, "w01018", "2.5", "N")]
        assert db.execute("select kind, subject, count from alarm").fetchall() == [("unknown_device", "E" * 24, 1)]


def test_split_packets_are_joined_by_data_time_and_missing_parts_named(tmp_path):
    when = now() - timedelta(hours=1)
    factors = [(f"a{30000 + n}", {"Avg": "1.5", "Max": "2.5", "Flag": "N"}) for n in range(60)]
    frames = hj212.upload("2051", st="31", mn=MN, data_time=when, factors=factors, qns=[hj212.make_qn(when)])
    assert len(frames) > 2
    store = Journal(tmp_path / "journal", "g00")
    store.commit([pack(FRAME, time.time_ns() // 1000, 1, f[:-2]) for n, f in enumerate(frames) if n != 1])
    store.close()
    lake, registry = Lake(tmp_path / "lake"), MemoryRegistry([DEVICE])
    Decoder(tmp_path / "journal", lake, registry).run()
    with connect(lake.root) as db:
        assert db.execute("select mn, pnum, missing from incomplete").fetchall() == [(MN, len(frames), [2])]
    store = Journal(tmp_path / "journal", "g00")
    store.commit([pack(FRAME, time.time_ns() // 1000, 1, frames[1][:-2])])
    store.close()
    Decoder(tmp_path / "journal", lake, registry).run()
    with connect(lake.root) as db:
        assert db.execute("select count(*) from incomplete").fetchone() == (0,)
        assert db.execute("select count(distinct code) from effective").fetchone() == (60,)
