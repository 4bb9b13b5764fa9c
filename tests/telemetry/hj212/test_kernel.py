"""The compiled decoder means what the plain one means: on packets.tsv, on generated packets and on mutations.

``LVHENG_MUTATIONS`` sets the number of mutated packets (20,000 by default).
"""

import os
import random
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvheng.telemetry import hj212
from lvheng.telemetry.devices import Device, MemoryRegistry
from lvheng.telemetry.hj212 import kernel
from lvheng.telemetry.ingest import Clock, decode_plain
from lvheng.telemetry.journal import FRAME, REJECT, Block, pack
from lvheng.telemetry.lake import Lake, connect

from .test_packets import ROWS, unescape

pytestmark = pytest.mark.skipif(not kernel.AVAILABLE, reason="numba is not installed: the plain decoder serves alone")

CLOCK = Clock(past=timedelta(days=20000), future=timedelta(days=3000))
NOW = int(datetime(2026, 7, 1).timestamp() * 1e6)  # noqa: DTZ001 any instant will do
CLOSED = MemoryRegistry(
    [
        Device("010000A8900016F000169DC0", "123456"),
        Device("DXCBZ000000005", dialect=hj212.Dialect(codes={"x": "y"})),
        Device("88888880000001"),
    ]
)
OPEN = MemoryRegistry(open_door=True)


def block_of(payloads, kind=FRAME):
    body = b"".join(pack(kind, NOW, 7, p) for p in payloads)
    return Block(100, 144, body, len(payloads))


def test_mixed_tables_can_be_written(tmp_path):
    """Rows of the kernel and of the plain decoder in one table, several systems and days."""
    lake = Lake(tmp_path)
    values, packets, _ = kernel.decode_blocks("g00/00000001", [block_of(GOOD)], OPEN, CLOCK)
    lake.write_values(values, "a")
    lake.write_packets(packets, "a")
    with connect(tmp_path) as db:
        assert db.execute("select count(*) from lake_values").fetchone() == (values.num_rows,)
        assert db.execute("select count(*) from lake_packets").fetchone() == (packets.num_rows,)


def compare(payloads, registry=OPEN, kind=FRAME, clock=CLOCK):
    blocks = [block_of(payloads, kind)]
    plain = decode_plain("g00/00000001", blocks, registry, clock)
    compiled = kernel.decode_blocks("g00/00000001", blocks, registry, clock)
    for a, b, order in zip(plain[:2], compiled[:2], (["position", "seq"], ["position"]), strict=True):
        keys = [(k, "ascending") for k in order]
        rows_a, rows_b = a.sort_by(keys).to_pylist(), b.sort_by(keys).to_pylist()
        if rows_a != rows_b:
            different = next(
                ((x, y) for x, y in zip(rows_a, rows_b, strict=False) if x != y), (len(rows_a), len(rows_b))
            )
            raise AssertionError(different)
    assert plain[2] == compiled[2]
    return plain


GOOD = [unescape(r["packet"]).rstrip(b"\r\n") for r in ROWS]


@pytest.mark.parametrize("registry", [OPEN, CLOSED], ids=["open", "closed"])
@pytest.mark.parametrize("clock", [CLOCK, Clock()], ids=["any", "near"])
def test_equal_on_all_rows(registry, clock):
    compare(GOOD, registry, clock=clock)
    compare(GOOD, registry, clock=clock)  # again with the codes learned meanwhile
    compare(GOOD, registry, REJECT)


def test_several_blocks_keep_their_positions():
    blocks = [block_of(GOOD[:30]), Block(90000, 90044, block_of(GOOD[30:]).body, len(GOOD) - 30)]
    plain = decode_plain("s/1", blocks, OPEN, CLOCK)
    compiled = kernel.decode_blocks("s/1", blocks, OPEN, CLOCK)
    assert sorted(plain[1]["position"].to_pylist()) == sorted(compiled[1]["position"].to_pylist())


def test_the_kernel_itself_decodes_standard_packets():
    """Were everything handed to the plain decoder, equality would prove nothing."""
    calls = []
    original = decode_plain.__globals__["add_record"]
    decode_plain.__globals__["add_record"] = lambda *a: calls.append(a) or original(*a)
    try:
        frame = hj212.upload(
            "2051", st="32", mn="010000A8900016F000169DC0", data_time=datetime(2026, 6, 1), qns=["20260601000000001"],  # noqa: DTZ001
            factors=[("w01018", {"Avg": "40.1", "Min": "39.9", "Max": "41.2", "Flag": "N"}), ("w00000", {"Cou": "10.5"})],
        )[0].rstrip(b"\r\n")  # fmt: skip
        values, packets, _ = kernel.decode_blocks("s/1", [block_of([frame])], CLOSED, CLOCK)
    finally:
        decode_plain.__globals__["add_record"] = original
    assert not calls
    assert [(r["code"], r["suffix"], r["value_text"], r["value"]) for r in values.to_pylist()] == [
        ("w01018", "Avg", "40.1", 40.1),
        ("w01018", "Min", "39.9", 39.9),
        ("w01018", "Max", "41.2", 41.2),
        ("w00000", "Cou", "10.5", 10.5),
    ]
    assert packets["verdict"].to_pylist() == ["findings"]
    assert packets["findings"].to_pylist() == ["flag_absent"]


texts = st.one_of(
    st.decimals(-99999, 99999, places=3).map(str),
    st.from_regex(r"-?[0-9]{0,20}(\.[0-9]{0,8})?", fullmatch=True),
    st.sampled_from(["", "--", "NaN", "1e5", " 1", "+1", "007", "-0", "-0.0", "9007199254740993", "0.1"]),
)
suffixes = st.sampled_from([*kernel.SUFFIXES, "EFlag", "td", "flag", "Info"])
codes = st.sampled_from(["w01018", "w21003", "a01013", "011", "B01", "SB1", "LA", "i12001", "x", "Nh3-scr", "a19001"])
letters = st.sampled_from(["N", "F", "B", "H", "", "NN", "n"])


@st.composite
def packets(draw):
    items = draw(st.lists(st.tuples(codes, suffixes, texts, letters), max_size=8))
    parts = [f"{c}-{s}={f if s == 'Flag' else t}" for c, s, t, f in items]
    cp = draw(st.sampled_from(["DataTime=20260601080000", "DataTime=20260231080000", "DataTime=2026060108", ""]))
    cp += draw(st.sampled_from([";", ",", ""])) + draw(st.sampled_from([";", ","])).join(parts)
    cp += draw(st.sampled_from(["", "", ";"]))
    seg = hj212.segment(
        st=draw(st.sampled_from(["32", "31", "45", "80", "5"])),
        cn=draw(st.sampled_from(["2011", "2021", "2051", "2061", "2013", "2111", "3020", "9014", "7777"])),
        mn=draw(st.sampled_from(["010000A8900016F000169DC0", "88888880000001", "DXCBZ000000005", "x-1"])),
        qn=draw(st.sampled_from(["20260601080000123", "20261301080000123", "1617936069734", ""])),
        pw=draw(st.sampled_from(["123456", "", "1234567890", "abc"])),
        version=draw(st.sampled_from([2005, 2017, 2025])),
        ack=draw(st.booleans()),
        part=draw(st.sampled_from([None, None, (2, 1), (2, 3)])),
        late=draw(st.booleans()),
        cp=cp,
    )
    if draw(st.booleans()):
        seg = seg.replace(b";Flag=4", b"").replace(b";Flag=0", b"")
    return hj212.frame_bytes(seg[:9000]).rstrip(b"\r\n")


@settings(max_examples=300, deadline=None)
@given(st.lists(packets(), min_size=1, max_size=6), st.sampled_from([OPEN, CLOSED]))
def test_equal_on_generated_packets(payloads, registry):
    compare(payloads, registry)


def mutate(rng, seg):
    """One to three changes of a segment; the frame around it is made right again in most cases."""
    out = bytearray(seg)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(out))
        kind = rng.randrange(5)
        if kind == 0:
            out[at] = rng.choice(b"0123456789.-,;=&NFBT#\r\n/\x00\xe6aZ ")
        elif kind == 1:
            del out[at : at + rng.randint(1, 12)]
        elif kind == 2:
            out[at:at] = rng.choice([b";", b",", b"0", b"-", b".", b"=", b"w01018-Rtd=1.5,", b"Flag=5;", b"&&", b"1e5"])
        elif kind == 3:
            other = rng.randrange(len(out))
            out[at], out[other] = out[other], out[at]
        else:
            out[at] = rng.randrange(256)
        if not out:
            out = bytearray(b"0")
    if rng.random() < 0.9:
        return hj212.frame_bytes(bytes(out[:9999])).rstrip(b"\r\n")
    return b"##%04d" % len(seg) + bytes(out) + b"1C80"


def test_equal_on_mutations():
    """Mutations of packets.tsv and of clean uploads, with the CRC mended so that the parser sees them."""
    rng = random.Random(20260601)
    clean = [
        hj212.upload(
            cn, st=system, mn="010000A8900016F000169DC0", data_time=datetime(2026, 6, 1, 8), qns=["20260601080000123"],  # noqa: DTZ001
            factors=[(c, {"Avg": "40.1", "Min": "39", "Max": "41.25", "Cou": "3.2", "Flag": "N"}) for c in group],
            version=version, late=late,
        )[0][6:-6]
        for cn, system, group in (("2051", "32", ("w01018", "w21003", "w00000")), ("2061", "31", ("a21026", "a01013", "a19001")))
        for version in (2005, 2017, 2025) for late in (False, True)
    ]  # fmt: skip
    sources = clean * 8 + [g[6:-4] for g in GOOD if len(g) > 40]
    left = int(os.environ.get("LVHENG_MUTATIONS", "20000"))
    while left > 0:
        size = min(left, 5000)
        compare([mutate(rng, rng.choice(sources)) for _ in range(size)], rng.choice([OPEN, CLOSED]))
        left -= size
