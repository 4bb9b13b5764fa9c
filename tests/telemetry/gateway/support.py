"""A gateway inside the test's own loop, and a small client."""

import asyncio
import contextlib
from datetime import datetime, timedelta

from lvheng.telemetry import hj212
from lvheng.telemetry.clock import local_time
from lvheng.telemetry.devices import Device, MemoryRegistry
from lvheng.telemetry.gateway.exchange import CommandStore, Exchanges
from lvheng.telemetry.gateway.server import Gateway, Settings
from lvheng.telemetry.ingest import Decoder
from lvheng.telemetry.journal import Journal
from lvheng.telemetry.lake import Lake

MN = "010000A8900016F000169DC0"
DEVICE = Device(MN, "123456", st="32")


def now():
    import time

    return local_time(time.time_ns() // 1000).replace(microsecond=0)


def upload(n=0, *, mn=MN, value="40.1", when=None, version=2017, ack=True, pw="123456", cn="2011", **more):
    when = when or now() - timedelta(hours=1) + timedelta(seconds=n)
    qn = hj212.make_qn(when) if version > 2005 or ack else ""
    return hj212.upload(
        cn, st="32", mn=mn, data_time=when, factors=[("w01018", {"Rtd": value, "Flag": "N"})], qns=[qn], version=version,
        ack=ack, pw=pw, **more,
    )[0]  # fmt: skip


@contextlib.asynccontextmanager
async def running(tmp_path, devices=(DEVICE,), settings=None, timeouts=None, contact=False, **more):
    journal = Journal(tmp_path / "journal", "g00", **more)
    registry = MemoryRegistry(devices)
    store = CommandStore(tmp_path / "commands.sqlite")
    exchanges = Exchanges(store, registry, lambda mn, frame: False, timeouts=timeouts, contact=contact)
    gateway = Gateway(journal, registry, settings or Settings(), exchanges)
    port = await gateway.start("127.0.0.1", 0)
    try:
        yield gateway, port
    finally:
        await gateway.stop()
        store.close()


class Client:
    """Sends bytes, reads packets."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.framer = hj212.Framer()
        self.ready = []

    @classmethod
    async def connect(cls, port):
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    def send(self, data):
        self.writer.write(data)

    async def packet(self, timeout=10):
        while not self.ready:
            data = await asyncio.wait_for(self.reader.read(65536), timeout)
            if not data:
                return None
            self.ready += [hj212.decode_frame(f) for f in self.framer.feed(data) if isinstance(f, hj212.Frame)]
        return self.ready.pop(0)

    async def silent(self, timeout=0.3):
        """Whether nothing comes for a while."""
        try:
            return await self.packet(timeout) is None
        except TimeoutError:
            return True

    async def close(self):
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


def decoded(tmp_path, devices=(DEVICE,)):
    """Everything of the journal in a lake; the lake's path."""
    lake = Lake(tmp_path / "lake")
    Decoder(tmp_path / "journal", lake, MemoryRegistry(devices)).run()
    return lake.root


__all__ = ["DEVICE", "MN", "Client", "datetime", "decoded", "now", "running", "upload"]
