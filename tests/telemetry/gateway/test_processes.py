"""Real processes: several gateways with several workers on one port, one folder and one lake, and a register that changes."""

import asyncio
import contextlib
import time
from datetime import timedelta

import pytest

from lvheng.core.problem import ProblemError
from lvheng.telemetry import hj212, journal
from lvheng.telemetry.devices import Device, SqliteRegistry
from lvheng.telemetry.gateway.exchange import CommandStore
from lvheng.telemetry.gateway.serve import Plan, Service
from lvheng.telemetry.lake import connect
from lvheng.telemetry.simulate.fleet import Logger
from lvheng.telemetry.simulate.run import Line, Report

from .support import Client, now, upload

DEVICES = [f"{0xCD0000 + n:024X}" for n in range(24)]


@contextlib.contextmanager
def gateways(tmp_path, *plans):
    """Services started one after the other on the port of the first."""
    started = []
    try:
        for plan in plans:
            service = Service(Plan(tmp_path, port=started[0].port if started else 0, **plan))
            started.append(service)
            service.start()
        yield started
    finally:
        for service in started:
            service.stop()


def register(tmp_path, *devices):
    registry = SqliteRegistry(tmp_path / "registry.sqlite")
    registry.put(devices)
    registry.close()


def counted(tmp_path):
    with connect(tmp_path / "lake") as db:
        return db.execute("select count(*), count(distinct mn), max(received) from effective").fetchone()


async def send(port, mn, numbers):
    """Uploads over a line of their own, each waited for."""
    client = await Client.connect(port)
    for n in numbers:
        client.send(upload(n, mn=mn))
        assert (await client.packet()).cn == "9014"
    await client.close()


async def all_send(port, numbers):
    await asyncio.gather(*(send(port, mn, numbers) for mn in DEVICES))


def test_two_gateways_share_port_journal_folder_and_lake(tmp_path):
    register(tmp_path, *(Device(mn, "123456", st="32") for mn in DEVICES))
    plan = {"workers": 2, "contact": False}
    with gateways(tmp_path, {"name": "a", **plan}, {"name": "b", **plan}) as (first, second):
        assert first.port == second.port
        # The kernel spreads lines over the workers: enough of them, and every stream gets some.
        asyncio.run(all_send(first.port, range(3)))
        asyncio.run(all_send(first.port, range(3, 6)))
        first.stop()  # with the decoder that worked so far; the other's takes over
        asyncio.run(all_send(second.port, range(6, 9)))
    streams = journal.streams(tmp_path / "journal")
    assert streams == ["a00", "a01", "b00", "b01"]
    assert all(journal.verify(tmp_path / "journal", s) == [] for s in streams)
    sizes = [sum(b.records for p in journal.segments(tmp_path / "journal", s) for b in journal.read_blocks(p)[0]) for s in streams]  # fmt: skip
    assert sum(size > 0 for size in sizes) >= 3, sizes
    assert counted(tmp_path) == (9 * len(DEVICES), len(DEVICES), 1)


def test_told_to_stop_at_once_everything_ends_in_its_own_way(tmp_path):
    """Even a process that is still loading when it is told: what is in the journal by then is decoded."""
    register(tmp_path, *(Device(mn, "123456", st="32") for mn in DEVICES[:2]))
    with gateways(tmp_path, {"contact": False, "decode": False}) as (first,):
        asyncio.run(send(first.port, DEVICES[0], range(3)))
    assert not (tmp_path / "lake").exists()
    service = Service(Plan(tmp_path, port=0, contact=False))
    service.start()
    processes = [*service._workers.values(), service._decoder]
    service.stop()
    assert [p.exitcode for p in processes] == [0, 0]
    assert counted(tmp_path) == (3, 1, 1)


def test_a_device_is_taken_in_and_shut_out_without_a_restart(tmp_path):
    register(tmp_path, Device(DEVICES[0], "123456", st="32"))

    async def acknowledged(port, **more):
        client = await Client.connect(port)
        client.send(upload(mn=DEVICES[1], **more))
        quiet = await client.silent(0.5)
        await client.close()
        return not quiet

    async def until(port, wanted, **more):
        end = time.monotonic() + 30
        while await acknowledged(port, **more) is not wanted:
            assert time.monotonic() < end
            await asyncio.sleep(0.2)

    with gateways(tmp_path, {"contact": False, "workers": 2}) as (service,):
        asyncio.run(until(service.port, False))
        register(tmp_path, Device(DEVICES[1], "123456", st="32"))
        asyncio.run(until(service.port, True))
        register(tmp_path, Device(DEVICES[1], "654321", st="32"))
        asyncio.run(until(service.port, True, pw="654321"))
        asyncio.run(until(service.port, False))
        registry = SqliteRegistry(tmp_path / "registry.sqlite")
        registry.remove([DEVICES[1]])
        assert [d.mn for d in registry.all()] == [DEVICES[0]]
        registry.close()
        asyncio.run(until(service.port, False, pw="654321"))
        counts = service.counts()
        assert counts["unknown_device"] > 0
        assert counts["password"] > 0


@pytest.mark.parametrize("version", [2005, 2017, 2025])
def test_an_outage_is_noticed_asked_for_and_filled(tmp_path, version):
    """A logger misses an hour of minute data: the gateway sees it, asks for it (2051), and the lake is whole."""
    mn = "88888880000001" if version == 2005 else DEVICES[0]
    logger = Logger(mn, "32", version, "", (("w01018", 35.0), ("w21003", 2.1)), 7)
    register(tmp_path, logger.device())
    here = now()
    end = here.replace(minute=here.minute // 10 * 10, second=0) - timedelta(minutes=10)
    times = [end - n * timedelta(minutes=10) for n in range(18, -1, -1)]
    missed = times[5:11]

    async def run(port):
        report = Report()
        line = Line(logger, "127.0.0.1", port, report)
        for when in times:
            if when not in missed:
                for frame in logger.minute(when):
                    assert await line.send(frame)
        extra = end
        while report.filled < len(missed):  # the line stays up: requests come while it waits for its answers
            extra += timedelta(seconds=1)
            assert extra < end + timedelta(seconds=60)
            for frame in logger.realtime(extra):
                assert await line.send(frame)
            await asyncio.sleep(0.5)
        await line.close()
        return report

    with gateways(tmp_path, {"gap_minutes": 0.03}) as (service,):
        report = asyncio.run(run(service.port))
    assert report.filled == len(missed)
    with connect(tmp_path / "lake") as db:
        have = db.execute(
            "select distinct data_time from effective where cycle = 'minute' and code = 'w01018' order by 1"
        ).fetchall()
        late = db.execute("select count(distinct data_time) from effective where cycle = 'minute' and late").fetchone()
    assert [t for (t,) in have] == times
    assert late == (len(missed) if version == 2025 else 0,)  # only 2025 can mark late data
    store = CommandStore(tmp_path / "commands.sqlite")
    asked = [c for c in store.latest(50) if c.by == "补数"]
    greeted = [c for c in store.latest(50) if c.by == "首次连接"]
    store.close()
    assert [(c.cn, c.state) for c in asked] == [("2051", "done")]
    assert asked[0].params == [("BeginTime", f"{missed[0]:%Y%m%d%H%M%S}"), ("EndTime", f"{missed[-1]:%Y%m%d%H%M%S}")]
    assert {c.state for c in greeted} <= {"done", "sent", "queued"}
    assert hj212.tables().gateway["first_contact"]["enabled"] is bool(greeted)


def test_a_policy_that_cannot_be_followed_is_told_before_anything_starts(tmp_path, monkeypatch):
    monkeypatch.setitem(hj212.tables().gateway["first_contact"], "commands", [{"cn": "9014"}])
    with pytest.raises(ProblemError) as told:
        Service(Plan(tmp_path, port=0)).start()
    assert [p.code for p in told.value.problems] == ["telemetry.command.unknown"]
