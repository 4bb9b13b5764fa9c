"""A really full disk: a small tmpfs under the journal."""

import asyncio
import subprocess

import pytest

from lvheng.telemetry import hj212, journal
from lvheng.telemetry.gateway.server import Settings

from .support import Client, running, upload


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "journal"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=False, capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(
            f"no small tmpfs can be mounted here, so a really full disk is NOT proven: {mounted.stderr.strip()}"
        )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_refuses_says_so_and_goes_on_when_there_is_room(tmp_path, small_disk, caplog):
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * 700_000)

    async def run():
        async with running(tmp_path, settings=Settings(retry=0.1)) as (gateway, port):
            client = await Client.connect(port)
            acknowledged, n = set(), 0
            while n < 20_000 and not gateway.refusing:
                for _ in range(20):
                    client.send(upload(n))
                    n += 1
                while len(acknowledged) < n:
                    try:
                        acknowledged.add((await client.packet(0.5)).qn)
                    except TimeoutError:
                        break
            assert gateway.refusing
            assert len(acknowledged) < n
            assert await client.silent(0.5)
            filler.unlink()
            while len(acknowledged) < n:
                acknowledged.add((await client.packet(20)).qn)
            assert not gateway.refusing
            await client.close()
            return acknowledged

    acknowledged = asyncio.run(run())
    assert any("停止接收和应答" in m for m in caplog.messages)
    stored = [
        hj212.decode(r.payload)[0].qn
        for path in journal.segments(small_disk, "g00")
        for b in journal.read_blocks(path)[0]
        for r in b
        if r.kind == journal.FRAME
    ]
    assert sorted(stored) == sorted(acknowledged)
    assert journal.verify(small_disk, "g00") == []
