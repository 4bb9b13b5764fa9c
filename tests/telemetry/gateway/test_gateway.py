"""The gateway over real sockets on the loopback."""

import asyncio
import errno
import os
import random
from datetime import timedelta

import pytest

from lvheng.telemetry import hj212, journal
from lvheng.telemetry.devices import Device
from lvheng.telemetry.gateway.exchange import first_contact
from lvheng.telemetry.gateway.gaps import ask, minute_interval, missing, pieces
from lvheng.telemetry.gateway.server import Settings
from lvheng.telemetry.hj212.encode import encrypted_frame
from lvheng.telemetry.lake import connect

from .support import DEVICE, MN, Client, decoded, now, running, upload


def stored(tmp_path, kind=journal.FRAME):
    return [
        r.payload
        for path in journal.segments(tmp_path / "journal", "g00")
        for b in journal.read_blocks(path)[0]
        for r in b
        if r.kind == kind
    ]


def test_an_upload_is_stored_before_it_is_acknowledged(tmp_path):
    async def run():
        async with running(tmp_path) as (_gateway, port):
            client = await Client.connect(port)
            frame = upload()
            client.send(frame)
            answer = await client.packet()
            assert (answer.cn, answer.qn, answer.mn, answer.flag) == ("9014", hj212.decode(frame)[0].qn, MN, 4)
            assert answer.verdict == "valid"
            assert stored(tmp_path) == [frame[:-2]]
            await client.close()

    asyncio.run(run())


@pytest.mark.parametrize("version", [2005, 2017, 2025])
def test_answers_follow_the_version(tmp_path, version):
    mn = MN if version > 2005 else "88888880000001"

    async def run():
        async with running(tmp_path, [Device(mn)]) as (_, port):
            client = await Client.connect(port)
            frame = upload(mn=mn, version=version)
            client.send(frame + upload(mn=mn, version=version, ack=False))
            answer = await client.packet()
            assert answer.cn == "9014"
            assert answer.request_qn == hj212.decode(frame)[0].qn
            assert answer.version == {2005: 0, 2017: 1, 2025: 2}[version]
            assert ("QN" in answer.header) is (version > 2005)
            assert await client.silent()
            await client.close()

    asyncio.run(run())


def test_unknown_devices_and_wrong_passwords_are_stored_quarantined_and_not_acknowledged(tmp_path):
    async def run():
        async with running(tmp_path) as (gateway, port):
            client = await Client.connect(port)
            client.send(upload(mn="F" * 24) + upload(pw="000000"))
            assert await client.silent()
            client.send(
                hj212.request("1062", mn="F" * 24, st="32", qn="20260601080000123", params=[("RtdInterval", "30")])
            )
            assert (await client.packet()).param("QnRtn") == "4"
            assert gateway.counts["unknown_device"] == 2
            assert gateway.counts["password"] == 1
            await client.close()

    asyncio.run(run())
    assert len(stored(tmp_path)) == 3
    with connect(decoded(tmp_path)) as db:
        rows = db.execute("select verdict, findings from lake_packets order by position").fetchall()
        assert [(v, f.split(",")[-1]) for v, f in rows] == [
            ("invalid", "unknown_device"),
            ("invalid", "password"),
            ("invalid", "unknown_device"),
        ]
        assert db.execute("select count(*) from lake_values").fetchone() == (0,)


def test_a_clock_years_off_is_acknowledged_and_quarantined(tmp_path):
    async def run():
        async with running(tmp_path) as (_, port):
            client = await Client.connect(port)
            client.send(upload(when=now() - timedelta(days=3000)) + upload(when=now() + timedelta(days=30)) + upload())
            assert [(await client.packet()).cn for _ in range(3)] == ["9014"] * 3
            await client.close()

    asyncio.run(run())
    with connect(decoded(tmp_path)) as db:
        assert db.execute("select count(*) from lake_values").fetchone() == (1,)
        assert db.execute("select count(*) from lake_packets where findings like '%clock%'").fetchone() == (2,)


def test_a_replayed_packet_is_acknowledged_again_and_counted_once(tmp_path):
    async def run():
        async with running(tmp_path) as (_, port):
            client = await Client.connect(port)
            frame = upload()
            for _ in range(3):
                client.send(frame)
                assert (await client.packet()).cn == "9014"
            await client.close()

    asyncio.run(run())
    with connect(decoded(tmp_path)) as db:
        assert db.execute("select count(*), max(received), max(revisions) from effective").fetchone() == (1, 3, 1)


def test_notice_of_a_wrong_clock_gets_the_time(tmp_path):
    async def run():
        async with running(tmp_path) as (_, port):
            client = await Client.connect(port)
            client.send(hj212.request("1013", mn=MN, st="32", qn="20260601080000123", params=[("PolId", "w01018")]))
            assert (await client.packet()).cn == "9013"
            clock = await client.packet()
            assert (clock.cn, clock.param("PolId")) == ("1012", "w01018")
            assert abs(hj212.parse_time(clock.param("SystemTime"))[0] - now()) < timedelta(minutes=1)
            client.send(hj212.request("9015", mn=MN, st="32", qn="20260601080000124", version=2025))
            assert (await client.packet()).cn == "9013"
            await client.close()

    asyncio.run(run())


def test_an_encrypted_upload_is_acknowledged_only_when_its_key_is_known(tmp_path):
    key = bytes(range(16))
    device = Device(MN, "123456", hj212.Dialect(sm4_key=key), version=2025)
    other = Device("F" * 24, "123456")

    async def run():
        async with running(tmp_path, [device, other]) as (_, port):
            client = await Client.connect(port)
            client.send(encrypted_frame(upload(version=2025)[6:-6], key))
            assert (await client.packet()).cn == "9014"
            client.send(encrypted_frame(upload(version=2025, mn="F" * 24)[6:-6], key))
            assert await client.silent()
            await client.close()

    asyncio.run(run())
    with connect(decoded(tmp_path, [device, other])) as db:
        assert db.execute("select mn, value_text from lake_values").fetchall() == [(MN, "40.1")]
        assert db.execute("select count(*) from lake_packets where verdict = 'invalid'").fetchone() == (1,)


def test_a_modbus_device_is_understood_by_its_dialect(tmp_path):
    device = Device(MN, "123456", hj212.Dialect(crc="modbus"))

    async def run():
        async with running(tmp_path, [device]) as (_, port):
            client = await Client.connect(port)
            client.send(upload(variant="modbus"))
            assert (await client.packet()).cn == "9014"
            await client.close()

    asyncio.run(run())
    with connect(decoded(tmp_path, [device])) as db:
        assert db.execute("select value_text from lake_values").fetchall() == [("40.1",)]


def test_hostile_neighbours_do_not_disturb_a_good_device(tmp_path):
    """Random bytes, endless frames, slow senders and many idle lines at once."""
    settings = Settings(stalled=0.3, unfinished=1.0, junk=20_000, connections=400)
    rng = random.Random(3)

    async def noise(port):
        client = await Client.connect(port)
        for _ in range(40):
            client.send(rng.randbytes(2000) + b"##9999" * 50)
            await asyncio.sleep(0.01)
        await client.close()

    async def slow(port):
        client = await Client.connect(port)
        for byte in upload()[:60]:
            client.send(bytes([byte]))
            await asyncio.sleep(0.02)
        await client.close()

    async def run():
        async with running(tmp_path, settings=settings) as (gateway, port):
            idle = [await Client.connect(port) for _ in range(300)]
            bad = [asyncio.create_task(f(port)) for f in (noise, slow) * 4]
            good = await Client.connect(port)
            for n in range(200):
                good.send(upload(n))
                assert (await good.packet()).cn == "9014"
            wrong = upload().replace(b"##0", b"##9", 1)
            good.send(wrong + upload(999))  # the wrong length would wait for 9,000 bytes
            assert (await good.packet()).cn == "9014"
            await asyncio.gather(*bad, return_exceptions=True)
            assert gateway.counts["closed_for_junk"] > 0
            assert all(line.framer.waiting <= 70_000 for line in gateway.lines.values())
            for client in [good, *idle]:
                await client.close()

    asyncio.run(run())
    assert journal.verify(tmp_path / "journal", "g00") == []


def test_connections_are_capped_and_idle_ones_closed(tmp_path):
    async def run():
        async with running(tmp_path, settings=Settings(connections=5, idle=0.4)) as (gateway, port):
            clients = [await Client.connect(port) for _ in range(8)]
            await asyncio.sleep(0.2)
            assert len(gateway.lines) == 5
            assert gateway.counts["connections_refused"] == 3
            await asyncio.sleep(1.5)
            assert not gateway.lines
            for client in clients:
                await client.close()

    asyncio.run(run())


def test_a_client_that_never_reads_is_held_not_buffered(tmp_path):
    async def run():
        async with running(tmp_path) as (gateway, port):
            client = await Client.connect(port)
            client.writer.transport.pause_reading()
            frame = upload()
            for _ in range(400):
                client.send(frame * 100)
                await asyncio.sleep(0)
            await asyncio.sleep(0.5)
            assert all(line.transport.get_write_buffer_size() < 8 << 20 for line in gateway.lines.values())
            other = await Client.connect(port)
            other.send(upload(1))
            assert (await other.packet()).cn == "9014"
            client.writer.transport.abort()
            await other.close()

    asyncio.run(run())


def test_a_full_disk_stops_the_answers_and_loses_nothing(tmp_path, monkeypatch):
    real = os.write
    full = False

    def write(fd, data):
        if full:
            raise OSError(errno.ENOSPC, "设备上没有空间")
        return real(fd, data)

    async def run():
        nonlocal full
        async with running(tmp_path, settings=Settings(retry=0.1)) as (gateway, port):
            client = await Client.connect(port)
            client.send(upload(0))
            assert (await client.packet()).cn == "9014"
            monkeypatch.setattr("lvheng.telemetry.journal.os.write", write)
            full = True
            client.send(upload(1))
            assert await client.silent(0.5)
            assert gateway.refusing == "设备上没有空间"
            full = False
            assert (await client.packet()).cn == "9014"
            assert gateway.refusing == ""
            await client.close()

    asyncio.run(run())
    assert len(stored(tmp_path)) == 2
    assert journal.verify(tmp_path / "journal", "g00") == []


def test_a_command_goes_through_acceptance_data_and_result(tmp_path):
    async def run():
        async with running(tmp_path) as (gateway, port):
            store = gateway.exchanges.store
            number = store.add(
                MN, "2061", st="32", params=[("BeginTime", "20260601000000"), ("EndTime", "20260601030000")]
            )
            client = await Client.connect(port)
            client.send(upload())
            assert (await client.packet()).cn == "9014"
            request = await client.packet()
            assert (request.cn, request.param("BeginTime"), request.flag) == ("2061", "20260601000000", 5)
            client.send(hj212.answer("9011", mn=MN, qn=request.qn, result="1"))
            client.send(upload(5, cn="2061"))
            assert (await client.packet()).cn == "9014"
            assert store.get(number).state == "accepted"
            client.send(hj212.answer("9012", mn=MN, qn=request.qn, result="1"))
            for _ in range(50):
                if store.get(number).state == "done":
                    break
                await asyncio.sleep(0.05)
            assert [state for _, state, _ in store.trail(number)] == ["queued", "sent", "accepted", "done"]
            await client.close()

    asyncio.run(run())
    assert len(stored(tmp_path, journal.SENT)) == 1


def test_refusal_failure_and_silence_end_a_command(tmp_path):
    async def run():
        async with running(tmp_path, timeouts={"GPRS": (0.6, 1)}) as (gateway, port):
            store = gateway.exchanges.store
            numbers = [store.add(MN, cn, st="32", params=p) for cn, p in (
                ("1062", [("RtdInterval", "30")]), ("3012", [("PolId", "w01018")]), ("2012", []), ("1063", []))]  # fmt: skip
            client = await Client.connect(port)
            client.send(upload())
            await client.packet()
            first = await client.packet()
            client.send(hj212.answer("9011", mn=MN, qn=first.qn, result="3"))
            second = await client.packet()
            client.send(hj212.answer("9011", mn=MN, qn=second.qn, result="1"))
            client.send(hj212.answer("9012", mn=MN, qn=second.qn, result="6"))
            third = await client.packet()
            client.send(hj212.answer("9013", mn=MN, qn=third.qn))
            fourth = await client.packet()
            again = await client.packet()
            assert (fourth.cn, fourth.qn) == (again.cn, again.qn)
            await asyncio.sleep(1.7)
            got = [(store.get(n).state, store.get(n).reason) for n in numbers]
            assert got == [
                ("refused", "密码错误"),
                ("failed", "系统故障"),
                ("done", ""),
                ("timed_out", "发送2次均无应答"),
            ]
            await client.close()

    asyncio.run(run())


CONTACT = ["1012", "1000", "1062", "1064", "2011", "2021"]


def test_first_contact_asks_what_the_standard_asks(tmp_path):
    async def run():
        async with running(tmp_path) as (gateway, _):
            store = gateway.exchanges.store
            numbers = first_contact(store, Device(MN, st="32", link="ADSL"))
            assert [store.get(n).cn for n in numbers] == CONTACT
            assert store.get(numbers[1]).params == [("OverTime", "5"), ("ReCount", "3")]

    asyncio.run(run())


def test_a_registered_device_is_greeted_by_itself_and_only_once(tmp_path):
    """Clock, time-outs and intervals come without being asked for; a line that comes back is not greeted again."""

    async def converse(port, stranger=""):
        client = await Client.connect(port)
        client.send(upload() + (upload(mn=stranger) if stranger else b""))
        assert (await client.packet()).cn == "9014"
        asked = []
        while (request := await asyncio.wait_for(client.packet(), 3)) is not None:
            asked.append(request)
            client.send(hj212.answer("9011", mn=MN, qn=request.qn, result="1"))
            client.send(hj212.answer("9012", mn=MN, qn=request.qn, result="1"))
            if len(asked) == len(CONTACT):
                break
        await client.close()
        return asked

    async def run():
        async with running(tmp_path, contact=True) as (gateway, port):
            asked = await converse(port, stranger="F" * 24)
            assert [r.cn for r in asked] == CONTACT
            assert abs(hj212.parse_time(asked[0].param("SystemTime"))[0] - now()) < timedelta(minutes=1)
            assert {r.mn for r in asked} == {MN}
            store = gateway.exchanges.store
            for _ in range(50):
                if not store.any_open():
                    break
                await asyncio.sleep(0.05)
            assert {c.state for c in store.latest(50)} == {"done"}
            client = await Client.connect(port)
            client.send(upload(1))
            assert (await client.packet()).cn == "9014"
            assert await client.silent(1.5)
            await client.close()

    asyncio.run(run())


def test_a_whole_fleet_is_greeted_in_turns(tmp_path):
    """Many devices at once: each gets every command once, and uploads go on meanwhile."""
    devices = [Device(f"{n:024X}", "123456", st="32") for n in range(450)]

    async def run():
        async with running(tmp_path, devices, contact=True, timeouts={"GPRS": (30.0, 1)}) as (gateway, port):
            client = await Client.connect(port)  # one line for all, as through a collecting server
            for device in devices:
                client.send(upload(mn=device.mn))
            asked, acknowledged = {}, 0
            while sum(map(len, asked.values())) < len(devices):
                packet = await client.packet()
                if packet.cn == "9014":
                    acknowledged += 1
                else:
                    asked.setdefault(packet.mn, []).append(packet.cn)
            assert acknowledged == len(devices)
            assert all(cns == ["1012"] for cns in asked.values())
            assert len(gateway.exchanges.store.waiting([d.mn for d in devices])) == len(CONTACT) * len(devices)
            await client.close()

    asyncio.run(run())


def test_two_workers_send_a_command_once(tmp_path):
    """The store decides which of two workers sends: the other finds it claimed."""
    from lvheng.telemetry.devices import MemoryRegistry
    from lvheng.telemetry.gateway.exchange import CommandStore, Exchanges

    sent = []
    stores = [CommandStore(tmp_path / "commands.sqlite") for _ in range(2)]
    workers = [
        Exchanges(store, MemoryRegistry([DEVICE]), lambda mn, frame: sent.append(frame) or True, contact=True)
        for store in stores
    ]
    for n in range(4):
        for worker in workers:
            worker.poll([MN], 1000.0 + n)
    assert [hj212.decode(f)[0].cn for f in sent] == ["1012"]
    assert len(stores[0].waiting([MN])) == len(CONTACT)


def test_unknown_devices_are_answered_only_where_the_policy_says_so(tmp_path):
    async def run():
        async with running(tmp_path, settings=Settings(acknowledge_unknown=True)) as (_, port):
            client = await Client.connect(port)
            client.send(upload(mn="F" * 24))
            assert (await client.packet()).cn == "9014"
            client.send(upload(pw="000000"))
            assert await client.silent()
            await client.close()

    asyncio.run(run())
    with connect(decoded(tmp_path)) as db:
        assert db.execute("select distinct verdict from lake_packets").fetchall() == [("invalid",)]


def test_the_interval_of_minute_data_is_learned_from_them():
    start = now().replace(minute=0, second=0)
    for minutes in (1, 5, 10, 15):
        times = [start + n * timedelta(minutes=minutes) for n in range(20) if n not in (7, 8, 13)]
        assert minute_interval(times) == timedelta(minutes=minutes)
    assert minute_interval([start]) == timedelta(minutes=10)
    assert minute_interval([start + n * timedelta(minutes=7) for n in range(9)]) == timedelta(minutes=10)


def test_gaps_are_found_and_asked_for_once(tmp_path):
    hour = timedelta(hours=1)
    start = now().replace(minute=0, second=0) - 20 * hour
    times = [start + n * hour for n in range(18) if n not in (3, 4, 9)]
    assert missing(times, start, start + 18 * hour, hour) == [
        (start + 3 * hour, start + 4 * hour),
        (start + 9 * hour, start + 9 * hour),
    ]
    assert pieces((start, start + 4 * hour), hour, 2) == [
        (start, start + hour),
        (start + 2 * hour, start + 3 * hour),
        (start + 4 * hour, start + 4 * hour),
    ]

    async def run():
        async with running(tmp_path) as (gateway, port):
            client = await Client.connect(port)
            for when in times:
                client.send(upload(when=when, cn="2061"))
                await client.packet()
            await client.close()
            root = decoded(tmp_path)
            store, registry = gateway.exchanges.store, gateway.registry
            moment = start + 20 * hour
            assert ask(root, store, registry, moment, stamp=1000.0) == 2
            assert ask(root, store, registry, moment, stamp=1001.0) == 0
            queued = store.waiting([MN])
            assert [(c.cn, c.params[0][1], c.params[1][1]) for c in queued] == [
                ("2061", f"{a:%Y%m%d%H%M%S}", f"{b:%Y%m%d%H%M%S}")
                for a, b in ((times[2] + hour, times[2] + 2 * hour), (times[6] + hour, times[6] + hour))
            ]

    asyncio.run(run())
