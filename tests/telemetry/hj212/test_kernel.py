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

from .support import clean_segments, mutate, packets
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
    values, packets, _ = kernel.decode_blocks("g00/00000001", [block_of(GOOD)], OPEN, CLOCK, small=0)
    lake.write_values(values, "a")
    lake.write_packets(packets, "a")
    with connect(tmp_path) as db:
        assert db.execute("select count(*) from lake_values").fetchone() == (values.num_rows,)
        assert db.execute("select count(*) from lake_packets").fetchone() == (packets.num_rows,)


def compare(payloads, registry=OPEN, kind=FRAME, clock=CLOCK):
    blocks = [block_of(payloads, kind)]
    plain = decode_plain("g00/00000001", blocks, registry, clock)
    compiled = kernel.decode_blocks("g00/00000001", blocks, registry, clock, small=0)
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
    compiled = kernel.decode_blocks("s/1", blocks, OPEN, CLOCK, small=0)
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
        values, packets, _ = kernel.decode_blocks("s/1", [block_of([frame])], CLOSED, CLOCK, small=0)
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


@settings(max_examples=300, deadline=None)
@given(st.lists(packets(), min_size=1, max_size=6), st.sampled_from([OPEN, CLOSED]))
def test_equal_on_generated_packets(payloads, registry):
    compare(payloads, registry)


def test_equal_on_mutations():
    """Mutations of packets.tsv and of clean uploads, with the CRC mended so that the parser sees them."""
    rng = random.Random(20260601)
    clean = clean_segments()
    sources = clean * 8 + [g[6:-4] for g in GOOD if len(g) > 40]
    left = int(os.environ.get("LVHENG_MUTATIONS", "20000"))
    while left > 0:
        size = min(left, 5000)
        compare([mutate(rng, rng.choice(sources)) for _ in range(size)], rng.choice([OPEN, CLOSED]))
        left -= size


def framed(seg):
    return b"##%04d%s%04X" % (len(seg), seg, hj212.crc(seg))


HEAD = b"QN=20260601000000001;ST=32;CN=2051;PW=123456;MN=010000A8900016F000169DC0;Flag=%d;CP=&&"


@pytest.mark.parametrize("flag", [1, 5, 9])
def test_numbers_wider_than_the_standards_are_rejected_alike(flag):
    texts = ["9" * 400, "9" * 15, "9" * 14, "9" * 14 + ".99", "9" * 14 + ".999", "-" + "9" * 15, "1" + "0" * 14, "+" + "9" * 20,
             "0." + "1" * 30, "00000000000000040.1", "-" + "9" * 14 + ".5"]  # fmt: skip
    frames = [
        framed(
            HEAD % flag
            + b"DataTime=20260601000000;w01018-Avg=%s,w01018-Flag=N;w00000-Cou=%s&&" % (t.encode(), u.encode())
        )
        for t in ("40.1", *texts)
        for u in ("10.5", *texts)
    ]
    for _ in range(3):  # the quick way needs to have met the shape
        values, found, _ = compare(frames)
    for row in values.to_pylist():
        digits = row["value_text"].lstrip("+-0").partition(".")[0]
        assert (row["value"] is None) == (len(digits) > 14), row
        assert row["value"] is None or abs(row["value"]) <= 1e14
    (wide,) = hj212.decode(frames[1] + b"\r\n")
    assert wide.has("value_rejected")
    assert "value_rejected" in found["findings"].to_pylist()[1]


def test_a_cipher_whose_crc_is_that_of_its_plain_text_is_no_plain_text():
    from lvheng.telemetry.hj212 import sm4

    key = b"0123456789abcdef"
    head = HEAD % 9
    n, frames, plains = 0, [], []
    while len(frames) < 3:
        plain = head + b"DataTime=20260601000000;w01018-Avg=%d.%d,w01018-Flag=N&&" % divmod(n, 10)
        n += 1
        cipher = head + sm4.encrypt_area(plain[len(head) : -2], key) + b"&&"
        if hj212.crc(cipher) == hj212.crc(plain):
            frames.append(framed(cipher))
            plains.append(plain)
    known = MemoryRegistry([Device("010000A8900016F000169DC0", dialect=hj212.Dialect(sm4_key=key))])
    values, found, _ = compare(frames, known)
    assert [f"w01018-Avg={t}".encode() in p for t, p in zip(values["value_text"].to_pylist(), plains, strict=True)] == [
        True
    ] * 3
    assert found["findings"].to_pylist() == ["sm4"] * 3
    values, found, _ = compare(frames)
    assert values.num_rows == 0
    assert found["verdict"].to_pylist() == ["invalid"] * 3


def test_chinese_in_a_packet_of_2025_is_plain_text():
    area = "DataTime=20260601000000;w01018-Avg=40.1,w01018-Flag=N;i11001-Info=//中文\t说明//".encode("gbk")
    values, found, _ = compare([framed(HEAD % 9 + area + b"&&")])
    assert "40.1" in values["value_text"].to_pylist()
    assert "text_gbk" in found["findings"].to_pylist()[0]
    assert "sm4" not in found["findings"].to_pylist()[0]
