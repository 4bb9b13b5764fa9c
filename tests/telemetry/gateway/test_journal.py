"""The journal: torn tails are cut, damage is named, a full disk loses nothing that was stored."""

import errno
import os
from datetime import timedelta

import pytest

from lvheng.core.problem import ProblemError
from lvheng.telemetry import hj212, journal
from lvheng.telemetry.devices import MemoryRegistry
from lvheng.telemetry.ingest import Decoder, rebuild
from lvheng.telemetry.journal import FRAME, Journal, pack
from lvheng.telemetry.lake import Lake, connect
from lvheng.telemetry.repair import verify

from .support import DEVICE, MN, upload


def written(root, blocks=5, **more):
    with_blocks = Journal(root, "g00", **more)
    for n in range(blocks):
        with_blocks.commit([pack(FRAME, 1_780_000_000_000_000 + n, 1, f"{n}-{k}".encode()) for k in range(3)])
    with_blocks.close()
    return journal.segments(root, "g00")


def payloads(root):
    return [
        r.payload.decode() for path in journal.segments(root, "g00") for b in journal.read_blocks(path)[0] for r in b
    ]


def test_what_is_committed_is_read_in_order(tmp_path):
    written(tmp_path)
    assert payloads(tmp_path) == [f"{n}-{k}" for n in range(5) for k in range(3)]
    assert journal.verify(tmp_path, "g00") == []


@pytest.mark.parametrize("cut", [1, 10, 31, 60, 100])
def test_a_torn_tail_is_cut_and_writing_goes_on(tmp_path, cut):
    (path,) = written(tmp_path)
    os.truncate(path, path.stat().st_size - cut)
    again = Journal(tmp_path, "g00")
    assert again.recovered > 0
    again.commit([pack(FRAME, 1, 1, b"after")])
    again.close()
    assert payloads(tmp_path) == [f"{n}-{k}" for n in range(4) for k in range(3)] + ["after"]
    assert journal.verify(tmp_path, "g00") == []


def test_a_torn_segment_header_is_begun_again(tmp_path):
    first = written(tmp_path, segment_bytes=300)
    assert len(first) > 1
    os.truncate(first[-1], 15)
    again = Journal(tmp_path, "g00", segment_bytes=300)
    again.commit([pack(FRAME, 1, 1, b"after")])
    again.close()
    assert payloads(tmp_path)[-1] == "after"
    assert journal.verify(tmp_path, "g00") == []


def test_damage_in_the_middle_is_named_and_not_cut(tmp_path):
    (path,) = written(tmp_path)
    data = bytearray(path.read_bytes())
    at = data.index(b"2-1")
    data[at] ^= 1
    path.write_bytes(data)
    (problem,) = journal.verify(tmp_path, "g00")
    assert problem.place.file == "g00/00000001.lvj"
    again = Journal(tmp_path, "g00")
    assert again.damaged is not None
    again.commit([pack(FRAME, 1, 1, b"after")])
    again.close()
    assert path.read_bytes() == bytes(data)
    kept = [r.payload.decode() for b in journal.salvage(path) for r in b]
    assert kept == [f"{n}-{k}" for n in (0, 1, 3, 4) for k in range(3)]
    assert len(journal.verify(tmp_path, "g00")) == 1


def test_a_changed_or_missing_segment_breaks_the_chain(tmp_path):
    paths = written(tmp_path, blocks=9, segment_bytes=400)
    assert len(paths) >= 3
    paths[1].unlink()
    assert [p.place.file for p in journal.verify(tmp_path, "g00")] == [f"g00/{paths[2].name}"]


def test_one_stream_has_one_writer(tmp_path):
    first = Journal(tmp_path, "g00")
    with pytest.raises(ProblemError, match="另一个网关"):
        Journal(tmp_path, "g00")
    first.close()
    Journal(tmp_path, "g00").close()


@pytest.mark.parametrize("call", ["write", "fdatasync"])
def test_a_refused_write_leaves_no_trace(tmp_path, monkeypatch, call):
    store = Journal(tmp_path, "g00")
    store.commit([pack(FRAME, 1, 1, b"before")])
    real = getattr(os, call)

    def refuse(fd, *rest):
        if call == "write":
            real(fd, bytes(rest[0])[:7])
        raise OSError(errno.ENOSPC, "disk full")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, refuse)
        with pytest.raises(OSError, match="disk full"):
            store.commit([pack(FRAME, 1, 1, b"refused")])
    store.commit([pack(FRAME, 1, 1, b"after")])
    store.close()
    assert payloads(tmp_path) == ["before", "after"]
    assert journal.verify(tmp_path, "g00") == []


def test_a_lost_lake_is_rebuilt_from_the_journal(tmp_path):
    import time

    store = Journal(tmp_path / "journal", "g00", segment_bytes=2000)
    micros = time.time_ns() // 1000
    for n in range(12):
        store.commit([pack(FRAME, micros + n, 1, upload(n * 60, value=f"{n}.5")[:-2])])
    store.close()
    lake, registry = Lake(tmp_path / "lake"), MemoryRegistry([DEVICE])
    Decoder(tmp_path / "journal", lake, registry).run()

    def rows():
        with connect(lake.root) as db:
            return db.execute("select data_time, value_text, value from effective order by all").fetchall()

    before = rows()
    assert len(before) == 12
    victim = next(lake.root.glob("values/**/*.parquet"))
    victim.write_bytes(victim.read_bytes()[:-30])
    assert lake.damaged() == [victim]
    assert rebuild(tmp_path / "journal", lake, registry) == []
    assert lake.damaged() == []
    assert rows() == before


def test_decoding_again_after_a_crash_before_the_checkpoint_doubles_nothing(tmp_path):
    import time

    store = Journal(tmp_path / "journal", "g00")
    lake, registry = Lake(tmp_path / "lake"), MemoryRegistry([DEVICE])
    micros = time.time_ns() // 1000
    for n in range(6):
        store.commit([pack(FRAME, micros + n, 1, upload(n * 60)[:-2])])
        decoder = Decoder(tmp_path / "journal", lake, registry)
        if n % 2 == 0:
            decoder._reach = lambda *a: None  # the crash
        decoder.step()
    store.close()
    with connect(lake.root) as db:
        assert db.execute("select count(*), sum(received), max(revisions) from effective").fetchone() == (6, 6, 1)


def test_duplicates_are_counted_and_revisions_kept(tmp_path):
    import time

    from .support import now

    store = Journal(tmp_path / "journal", "g00")
    lake, registry = Lake(tmp_path / "lake"), MemoryRegistry([DEVICE])
    micros, when = time.time_ns() // 1000, now()

    def send(n, frame):
        store.commit([pack(FRAME, micros + n * 1000, 1, frame[:-2])])
        Decoder(tmp_path / "journal", lake, registry).run()

    for n, value in enumerate(["40.1", "40.1", "39.0", "40.1"]):  # the last is the first packet once more
        send(n, upload(value=value, when=when))

    def state():
        with connect(lake.root) as db:
            return (
                db.execute("select value_text, received, revisions from effective").fetchall(),
                sorted({r[0] for r in db.execute("select value_text from revised").fetchall()}),
            )

    assert state() == ([("39.0", 4, 2)], ["39.0", "40.1"])
    factor = ("w01018", {"Rtd": "40.1", "Flag": "N"})
    later = hj212.make_qn(when + timedelta(seconds=9))  # a packet of its own, not the first sent again
    send(
        4, hj212.upload("2011", st="32", mn=MN, data_time=when, factors=[factor], qns=[later], ack=True, pw="123456")[0]
    )
    store.close()
    assert state() == ([("40.1", 5, 2)], ["39.0", "40.1"])
    lake.compact(when.date(), "32")
    assert len(list(lake.root.glob("values/**/*.parquet"))) == 1
    assert state() == ([("40.1", 5, 2)], ["39.0", "40.1"])


def test_what_is_cut_is_kept_and_its_place_is_not_used_again(tmp_path):
    import time

    micros = time.time_ns() // 1000
    root, lake, registry = tmp_path / "journal", Lake(tmp_path / "lake"), MemoryRegistry([DEVICE])

    def journalled(*minutes):
        store = Journal(root, "g00")
        for n in minutes:
            store.commit([pack(FRAME, micros + n, 1, upload(n * 60)[:-2])])
        store.close()
        return store

    journalled(0, 1, 2)
    Decoder(root, lake, registry).run()
    (path,) = journal.segments(root, "g00")
    whole = path.read_bytes()
    os.truncate(path, len(whole) - 40)  # acknowledged and decoded, then cut
    assert [p.code for p in verify(root, lake)][-1] == "telemetry.journal.short"
    again = journalled(3, 4)
    kept = path.read_bytes()
    (aside,) = path.parent.glob("*.torn-*")
    assert again.recovered == len(aside.read_bytes()) > 0
    assert kept + aside.read_bytes() == whole[:-40]
    assert [p.code for p in verify(root, lake)] == ["telemetry.journal.short"]
    Decoder(root, lake, registry).run()
    with connect(lake.root) as db:
        assert db.execute("select count(distinct data_time) from effective").fetchone() == (5,)


def test_a_header_that_is_spoilt_before_good_blocks_is_damage(tmp_path):
    (path,) = written(tmp_path)
    data = bytearray(path.read_bytes())
    data[3] ^= 1
    path.write_bytes(data)
    again = Journal(tmp_path, "g00")
    assert again.damaged is not None
    again.commit([pack(FRAME, 1, 1, b"after")])
    again.close()
    assert path.read_bytes() == bytes(data)
    assert payloads(tmp_path) == ["after"]


def test_a_record_that_breaks_the_decoder_is_quarantined_alone(tmp_path, monkeypatch, caplog):
    import time

    micros = time.time_ns() // 1000
    store = Journal(tmp_path / "journal", "g00")
    store.commit([pack(FRAME, micros + n, 1, upload(n * 60, value=f"{n}.5")[:-2]) for n in range(12)])
    store.close()
    whole = Lake(tmp_path / "whole")
    Decoder(tmp_path / "journal", whole, MemoryRegistry([DEVICE])).run()
    lake = Lake(tmp_path / "lake")
    with monkeypatch.context() as patch:
        from lvheng.telemetry import ingest

        real = ingest.add_frame

        def break_on(batch, raw, *rest):
            if b"=7.5" in raw:
                batch.values["mn"].append("half a row")
                raise AssertionError("a defect")
            return real(batch, raw, *rest)

        patch.setattr(ingest, "add_frame", break_on)
        assert Decoder(tmp_path / "journal", lake, MemoryRegistry([DEVICE])).run() == 12
    assert "已隔离" in caplog.text
    with connect(lake.root) as db:
        assert db.execute("select count(*) from lake_packets where findings = 'undecodable'").fetchone() == (1,)
        rest = db.execute("select data_time, value_text from effective order by all").fetchall()
    with connect(whole.root) as db:
        every = db.execute("select data_time, value_text from effective order by all").fetchall()
    assert rest == [r for r in every if r[1] != "7.5"]
    assert len(rest) == 11


def test_a_stream_that_fails_does_not_stop_the_others(tmp_path, monkeypatch):
    import time

    micros = time.time_ns() // 1000
    for stream in ("g00", "g01"):
        store = Journal(tmp_path / "journal", stream)
        store.commit([pack(FRAME, micros, 1, upload(0)[:-2])])
        store.close()
    decoder = Decoder(tmp_path / "journal", Lake(tmp_path / "lake"), MemoryRegistry([DEVICE]))
    real = decoder._step

    def step(stream):
        if stream == "g00":
            raise ValueError("broken")
        return real(stream)

    monkeypatch.setattr(decoder, "_step", step)
    assert decoder.step() == 1
    with pytest.raises(ValueError, match="broken"):
        decoder.step()
    monkeypatch.undo()
    assert decoder.step() == 1
