"""The quick way of the plain decoder gives what the full parser gives, also for packets met for the first time."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvheng.telemetry import hj212
from lvheng.telemetry.hj212 import decoder

from .support import clean_segments, mutate, packets
from .test_packets import ROWS, unescape

SEGMENTS = [i.frame.seg for r in ROWS for i in hj212.decode(unescape(r["packet"])) if isinstance(i, hj212.Packet)]
DIALECTS = [
    hj212.STANDARD,
    hj212.Dialect(codes={"x": "w01018"}, suffixes={"td": "Rtd"}, units={"a01013": "0.001"}),
    hj212.Dialect(quiet=frozenset({"decimals_over", "mn_form", "qn_missing", "flag_absent"}), mn_alias="A1"),
    hj212.Dialect(version=0, segment_max=2000),
]


def same(seg, dialect):
    full = hj212.parse(seg, dialect)
    for _ in range(3):  # the third time at the latest the shape is known
        quick = decoder._decode(seg, dialect)
        for field in ("header", "version", "flag", "pnum", "pno", "late", "data_time", "params", "values", "verdict"):
            assert getattr(quick, field) == getattr(full, field), (field, seg)
        assert list(quick.header) == list(full.header)
        assert sorted(map(str, quick.findings)) == sorted(map(str, full.findings)), seg


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("seg", SEGMENTS, ids=range(len(SEGMENTS)))
def test_equal_on_all_rows(seg, dialect):
    same(seg, dialect)


@settings(max_examples=300, deadline=None)
@given(packets(), st.sampled_from(DIALECTS))
def test_equal_on_generated_packets(frame, dialect):
    same(frame[6:-4], dialect)


def test_equal_on_mutations_of_packets_whose_shape_is_known():
    rng = random.Random(20261122)
    clean = clean_segments()
    for seg in clean:
        same(seg, hj212.STANDARD)
    for _ in range(4000):
        same(mutate(rng, rng.choice(clean))[6:-4], hj212.STANDARD)


def test_clean_packets_take_the_quick_way(monkeypatch):
    """Were everything handed to the full parser, equality would prove nothing."""
    dialect = hj212.Dialect()  # the standard, with a memory of its own
    clean = [s.replace(b"a01013", b"a01014").replace(b"a19001", b"a01012") for s in clean_segments()]
    for seg in clean * 2:
        decoder._decode(seg, dialect)
    monkeypatch.setattr(decoder, "parse", None)
    for seg in clean:
        assert decoder._decode(seg, dialect).values
        changed = seg.replace(b"=40.1,", b"=40.23456,")
        assert decoder._decode(changed, dialect).has("decimals_over")


def test_ever_new_shapes_are_not_compiled_without_end(monkeypatch):
    made = []
    monkeypatch.setattr(decoder, "_Shape", lambda *a: made.append(a) or decoder_shape(*a))
    dialect = hj212.Dialect(name="捣乱")
    for n in range(1000):
        seg = hj212.segment(st="32", cn="2011", mn="A" * 24, qn="20260601080000123",
                            cp=f"DataTime=20260601080000;x{n}-Rtd=1.2,x{n}-Flag=N")  # fmt: skip
        for _ in range(2):
            decoder._decode(seg, dialect)
    assert len(made) <= 100 + 2000 / 50 + 3


decoder_shape = decoder._Shape


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(decoder, "_SHAPES", 8)
    monkeypatch.setattr(decoder, "_HEADS", 8)
    dialect = hj212.Dialect(name="一台设备")
    for n in range(40):
        seg = hj212.segment(
            st="32", cn="2011", mn=f"{n:024X}", qn="20260601080000123",
            cp=f"DataTime=20260601080000;w{n:05d}-Rtd=1.2,w{n:05d}-Flag=N",
        )  # fmt: skip
        same(seg, dialect)
    memory = decoder._memory(dialect)
    assert len(memory.heads) <= 8
    assert len(memory.shapes) <= 8
    assert len(memory.met) <= 32
