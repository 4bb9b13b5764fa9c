"""SIGKILL at random moments under load: no acknowledged packet is lost, none is doubled, torn tails are recovered.

``LVHENG_KILLS`` sets the number of kills (5 by default).
"""

import asyncio
import contextlib
import os
import random
import signal
from datetime import timedelta

from lvheng.telemetry import hj212, journal
from lvheng.telemetry.devices import Device, MemoryRegistry, SqliteRegistry
from lvheng.telemetry.gateway.serve import Plan, Service
from lvheng.telemetry.ingest import Decoder
from lvheng.telemetry.lake import Lake, connect

from .support import now

KILLS = int(os.environ.get("LVHENG_KILLS", "5"))
DEVICES = [f"{0xAB0000 + n:024X}" for n in range(40)]
START = now().replace(microsecond=0) - timedelta(days=200)


async def load(port, mn, numbers, ledger, end):
    """Send packets one after another with a few under way, put every acknowledged one into the ledger."""
    while not end.is_set():
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
            continue
        framer, sent = hj212.Framer(), {}
        try:
            while not end.is_set():
                while len(sent) < 8:
                    n = next(numbers)
                    when = START + timedelta(seconds=n)
                    qn = hj212.make_qn(when)
                    sent[qn.encode()] = n
                    writer.write(
                        hj212.upload("2011", st="32", mn=mn, data_time=when, qns=[qn],
                                     factors=[("w01018", {"Rtd": f"{n}.5", "Flag": "N"})])[0]
                    )  # fmt: skip
                data = await asyncio.wait_for(reader.read(65536), 15)
                if not data:
                    break
                for item in framer.feed(data):
                    assert isinstance(item, hj212.Frame)
                    ledger.add((mn, sent.pop(hj212.peek(item.seg).qn)))
        except (OSError, TimeoutError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def test_no_acknowledged_packet_is_lost_or_doubled(tmp_path):
    SqliteRegistry(tmp_path / "registry.sqlite").close()
    registry = SqliteRegistry(tmp_path / "registry.sqlite")
    registry.put([Device(mn, "123456") for mn in DEVICES])
    registry.close()
    service = Service(Plan(tmp_path, port=0, workers=1, contact=False))
    port = service.start()
    rng = random.Random(os.urandom(8))
    ledger: set[tuple[str, int]] = set()

    async def run():
        end = asyncio.Event()
        tasks = [asyncio.create_task(load(port, mn, iter(range(10_000_000)), ledger, end)) for mn in DEVICES]
        killed = 0
        while killed < KILLS:
            await asyncio.sleep(rng.uniform(0.2, 1.2))
            before = len(ledger)
            (pid,) = service.pids()
            decoder = service.decoder_pid()
            if decoder and rng.random() < 0.3:
                os.kill(decoder, signal.SIGKILL)
            os.kill(pid, signal.SIGKILL)
            killed += 1
            await asyncio.to_thread(service.wait_dead, pid)
            await asyncio.to_thread(service.tend)
            for _ in range(600):  # until packets are acknowledged again
                if len(ledger) > before:
                    break
                await asyncio.sleep(0.05)
            assert len(ledger) > before
        end.set()
        done, waiting = await asyncio.wait(tasks, timeout=20)
        assert not waiting
        for task in done:
            task.result()

    try:
        asyncio.run(run())
    finally:
        service.stop()

    assert journal.verify(tmp_path / "journal", "g00") == []
    stored = set()
    for path in journal.segments(tmp_path / "journal", "g00"):
        for block in journal.read_blocks(path)[0]:
            for record in block:
                if record.kind == journal.FRAME:
                    packet = hj212.decode(record.payload)[0]
                    stored.add((packet.mn, int(float(packet.values[0].text))))
    assert ledger <= stored, f"{len(ledger - stored)} acknowledged packets are not in the journal"

    lake = Lake(tmp_path / "lake")
    Decoder(tmp_path / "journal", lake, MemoryRegistry(open_door=True)).run()
    with connect(lake.root) as db:
        rows = db.execute("select mn, value_text from effective").fetchall()
        doubled = db.execute("select count(*) from effective where revisions > 1").fetchone()
    in_lake = {(mn, int(float(text))) for mn, text in rows}
    assert len(rows) == len(in_lake)
    assert ledger <= in_lake, f"{len(ledger - in_lake)} acknowledged packets are not in the lake"
    assert in_lake == stored
    assert doubled == (0,)
    print(f"{KILLS} kills, {len(ledger)} packets acknowledged, {len(stored)} stored")
