"""Framing, decoding, encoding, encryption, joining and dialects, as properties."""

from datetime import datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lvheng.telemetry import hj212
from lvheng.telemetry.hj212.encode import encrypted_frame
from lvheng.telemetry.hj212.tables import tables

from .test_packets import ROWS, unescape

MN = "010000A8900016F000169DC0"
WHEN = datetime(2026, 6, 1, 8, 0)  # noqa: DTZ001 wall time
GOOD = [unescape(r["packet"]) for r in ROWS if r["expected"] == "valid"]
number = st.decimals(-9999, 99999, places=2).map(str)
code = st.sampled_from(["w01018", "w21003", "w00000", "a21026", "a34013", "a19001"])


@st.composite
def uploads(draw):
    factors = draw(st.dictionaries(code, st.tuples(number, st.sampled_from("NFMSDCTB")), min_size=1))
    return [(c, {"Rtd": v, "Flag": f}) for c, (v, f) in factors.items()]


@given(st.binary(max_size=300))
def test_the_fold_form_is_the_table_form(data):
    assert hj212.crc(data) == hj212.crc_table(data)


@given(uploads(), st.sampled_from([2005, 2017, 2025]), st.booleans())
def test_what_is_written_is_read(factors, version, ack):
    mn = MN if version > 2005 else "88888880000001"
    (frame,) = hj212.upload(
        "2011", st="32", mn=mn, data_time=WHEN, factors=factors, qns=["20260601080000123"], version=version, ack=ack
    )
    (packet,) = hj212.decode(frame)
    assert packet.verdict in ("valid", "findings")
    assert not [p for p in packet.findings if p.code not in ("hj212.decimals_over", "hj212.unit_suspect")]
    assert packet.data_time == WHEN
    assert packet.wants_answer is ack
    assert [(v.code, v.text, v.number, v.flag) for v in packet.values] == [
        (c, p["Rtd"], float(p["Rtd"]), p["Flag"]) for c, p in factors
    ]


@given(st.binary(max_size=200), st.lists(st.sampled_from(GOOD), max_size=4), st.data())
def test_any_split_of_a_stream_gives_the_same_frames(noise, packets, data):
    stream = noise + b"".join(packets)
    whole = hj212.Framer().feed(stream, final=True)
    framer, pieces, at = hj212.Framer(), [], 0
    while at < len(stream):
        step = data.draw(st.integers(1, 400))
        pieces += framer.feed(stream[at : at + step])
        at += step
    pieces += framer.close()

    def plain(items):
        return [(i.offset, i.raw, isinstance(i, hj212.Frame)) for i in items]

    assert plain(pieces) == plain(whole)


@given(st.binary(max_size=400))
@example(b"##0000FFFF\r\n")
@example(b"##9999" * 20)
def test_every_byte_ends_in_a_frame_a_reject_or_a_line_end(stream):
    items = hj212.Framer().feed(stream, final=True)
    at = 0
    for item in items:
        assert not stream[at : item.offset].strip(b"\r\n")
        assert stream[item.offset : item.offset + len(item.raw)] == item.raw
        at = item.offset + len(item.raw)
    assert not stream[at:].strip(b"\r\n")


@given(st.binary(max_size=300))
def test_parsing_never_raises(seg):
    packet = hj212.parse(seg)
    assert packet.verdict in ("valid", "findings", "invalid")


def test_a_wrong_length_does_not_swallow_the_next_packet():
    broken = GOOD[0].replace(b"##0367", b"##0999")
    items = hj212.decode(broken + GOOD[1] + GOOD[2])
    assert [i.qn for i in items if isinstance(i, hj212.Packet)] == [hj212.decode(g)[0].qn for g in GOOD[1:3]]
    assert items[0].problem.code == "hj212.length_wrong"


def test_a_stalled_frame_is_given_up_on_resync():
    framer = hj212.Framer()
    assert framer.feed(GOOD[0].replace(b"##0367", b"##9999") + GOOD[1]) == []
    reject, frame = framer.resync()
    assert reject.problem.code == "hj212.length_wrong"
    assert frame.raw == GOOD[1].rstrip(b"\r\n")
    assert framer.waiting == 0


def test_the_buffer_is_bounded():
    framer = hj212.Framer()
    for _ in range(100):
        framer.feed(b"##99" * 2000)
        assert framer.waiting <= framer.limit + 8000


@pytest.mark.parametrize("printed", [False, True])
def test_an_encrypted_area_is_read_with_the_device_key(printed):
    key = bytes(range(16))
    factors = [("w01018", {"Rtd": "40.1", "Flag": "N"}), ("w21003", {"Rtd": "1.2", "Flag": "N"})]
    seg = hj212.upload(
        "2011", st="32", mn=MN, data_time=WHEN, factors=factors, qns=["20260601080000123"], version=2025
    )[0][6:-6]
    stream = encrypted_frame(seg, key, printed=printed)
    packet, after = hj212.decode(stream + GOOD[0], hj212.Dialect(sm4_key=key))
    assert [(v.code, v.text) for v in packet.values] == [("w01018", "40.1"), ("w21003", "1.2")]
    assert not packet.quarantined
    assert after.verdict != "invalid"
    (locked, _) = hj212.decode(stream + GOOD[0])
    assert locked.has("sm4_no_key")
    assert locked.verdict == "invalid"
    assert locked.mn == MN
    (wrong, _) = hj212.decode(stream + GOOD[0], hj212.Dialect(sm4_key=b"k" * 16))
    assert wrong.has("sm4_wrong_key")


def test_the_standards_example_key_is_a_finding():
    seg = hj212.upload(
        "2011", st="32", mn=MN, data_time=WHEN, factors=[("w01018", {"Rtd": "1.5", "Flag": "N"})], version=2025
    )[0][6:-6]
    (packet,) = hj212.decode(encrypted_frame(seg, b"0" * 16))
    assert packet.has("sm4_published_key")
    assert packet.values[0].text == "1.5"


def test_long_uploads_are_split_and_joined_by_data_time():
    factors = [(f"a{30000 + n}", {s: f"{n}.{k}" for k, s in enumerate(("Min", "Avg", "Max"))}) for n in range(60)]
    frames = hj212.upload(
        "2051", st="31", mn=MN, data_time=WHEN, factors=factors, qns=["20260601080000534", "20260601080000535"]
    )
    assert len(frames) > 1
    assert all(len(f) <= 1036 for f in frames)
    packets = [hj212.decode(f)[0] for f in frames]
    joiner = hj212.Joiner()
    results = [joiner.add(p, 0.0) for p in reversed(packets)]
    assert results[:-1] == [None] * (len(frames) - 1)
    assert sum(len(p.values) for p in results[-1].parts.values()) == 180
    assert joiner.add(packets[0], 0.0) is None
    (late,) = joiner.expire(1000.0)
    assert late.missing == list(range(2, len(frames) + 1))


@pytest.mark.parametrize("version", [2005, 2017, 2025])
@pytest.mark.parametrize("cn", sorted(tables().commands))
def test_every_command_is_written_and_read_both_ways(cn, version):
    mn = MN if version > 2005 else "88888880000001"
    command = tables().commands[cn]
    if command.kind == "answer":
        result = {"9011": "1", "9012": "1"}.get(cn, "")
        (packet,) = hj212.decode(hj212.answer(cn, mn=mn, qn="20260601080000123", version=version, result=result))
        assert packet.kind == "answer"
        assert packet.request_qn == "20260601080000123"
        assert packet.verdict == "valid"
        return
    samples = {"PolId": "w01018", "OverTime": "5", "ReCount": "3", "RtdInterval": "30", "MinInterval": "10", "VaseNo": "1",
               "NewPW": "654321", "CstartTime": "000000", "Ctime": "2", "Stime": "40", "InfoId": "i11001", "NewSK": "0" * 32}  # fmt: skip
    params = [(p, samples.get(p, "20260601080000")) for p in command.params]
    (packet,) = hj212.decode(hj212.request(cn, mn=mn, st="32", qn="20260601080000123", params=params, version=version))
    assert packet.cn == cn
    assert dict(packet.params) == dict(params)
    assert {p.code for p in packet.findings} <= {"hj212.cn_version"}


def test_a_dialect_is_proposed_from_what_the_device_sends():
    frames = [
        hj212.upload(
            "2011", st="31", mn="MYHJ0001", data_time=WHEN.replace(minute=n), version=2017, variant="modbus",
            factors=[("02", {"Rtd": "3.5", "Flag": "N"}), ("a01013", {"Rtd": f"-13{n}.5", "Flag": "N"})],
            qns=["2026060108"],
        )[0]
        for n in range(10)
    ]  # fmt: skip
    rejects = [item for f in frames for item in hj212.decode(f)]
    assert all(isinstance(r, hj212.Reject) for r in rejects)
    first = hj212.propose([], rejects)
    assert first.dialect.crc == "modbus"
    packets = [item for f in frames for item in hj212.decode(f, first.dialect)]
    second = hj212.propose(packets)
    assert second.dialect.codes == {"02": "a21026"}
    assert second.dialect.units == {"a01013": "0.001"}
    assert {"mn_form", "qn_form"} <= second.dialect.quiet
    (settled,) = hj212.decode(frames[0], second.dialect)
    assert [(v.code, v.text, v.number) for v in settled.values] == [
        ("a21026", "3.5", 3.5),
        ("a01013", "-130.5", -0.1305),
    ]
    assert {p.code for p in settled.findings} == {"hj212.crc_variant", "hj212.unit_converted"}
    assert hj212.Dialect.from_dict(second.dialect.as_dict()) == second.dialect


def test_habits_aliases_and_long_packets_are_proposed_and_then_quiet():
    """Times of 17 digits, a trailing semicolon, a suffix of its own, more than 1024 bytes: one proposal settles all."""
    many = ";".join(f"w{n:05d}-Rtd=1.5,w{n:05d}-Flag=N" for n in range(21000, 21040))
    frames = [
        hj212.frame_bytes(
            hj212.segment(
                st="32", cn="2011", mn=MN, qn="20260601080000123",
                cp=f"DataTime=2026060108{n:02d}00000;LA-td=5{n}.5,LA-Flag=N;{many};",
            )
        )
        for n in range(10)
    ]  # fmt: skip
    proposal = hj212.propose([p for f in frames for p in hj212.decode(f)], name="样例")
    assert proposal.packets == 10
    assert proposal.dialect.suffixes == {"td": "Rtd"}
    assert proposal.dialect.segment_max == 9999
    assert {"time_form", "empty_item"} <= proposal.dialect.quiet
    assert any("td→Rtd" in reason for reason in proposal.reasons)
    (before,) = hj212.decode(frames[3])
    assert before.quarantined  # not split, though its version could have been
    (after,) = hj212.decode(frames[3], proposal.dialect)
    assert not after.quarantined
    assert (after.values[0].code, after.values[0].suffix, after.values[0].text) == ("LA", "Rtd", "53.5")
    assert after.data_time == datetime(2026, 6, 1, 8, 3)  # noqa: DTZ001 wall time
    assert {p.code for p in after.findings} <= {"hj212.suffix_alias", "hj212.code_unknown"}


def test_a_device_may_go_by_another_name_and_version():
    dialect = hj212.Dialect(mn_alias="010000A8900016F000169DC1", version=0)
    frame = hj212.upload(
        "2011", st="32", mn=MN, data_time=WHEN, factors=[("011", {"Rtd": "40.1", "Flag": "P"})], qns=["20260601080000123"]
    )[0]  # fmt: skip
    (packet,) = hj212.decode(frame, dialect)
    assert packet.mn == "010000A8900016F000169DC1"
    assert [(v.code, v.flag) for v in packet.values] == [("w01018", "P")]  # a letter of 2005
    assert not packet.has("flag_unknown")
    assert hj212.decode(frame)[0].has("flag_unknown")


@given(
    st.permutations(["QN=20260601080000123", "ST=32", "CN=2011", "PW=123456", f"MN={MN}", "Flag=7", "PNUM=2", "PNO=1"])
)
def test_the_order_of_the_header_is_tolerated_and_told(fields):
    seg = ";".join(fields) + ";CP=&&DataTime=20260601080000;w01018-Rtd=40.1,w01018-Flag=N&&"
    (packet,) = hj212.decode(hj212.frame_bytes(seg.encode()))
    usual = ["QN", "ST", "CN", "PW", "MN", "Flag", "PNUM", "PNO"]
    assert {k: packet.header[k] for k in usual} == dict(x.split("=") for x in fields)
    assert (packet.qn, packet.pnum, packet.pno, packet.values[0].number) == ("20260601080000123", 2, 1, 40.1)
    assert packet.has("header_order") is (list(packet.header) != usual)
    assert {p.code for p in packet.findings} <= {"hj212.header_order"}


def test_a_conforming_device_needs_no_dialect():
    packets = [hj212.decode(f)[0] for f in hj212.upload(
        "2011", st="32", mn=MN, data_time=WHEN, factors=[("w01018", {"Rtd": "40.1", "Flag": "N"})], qns=["20260601080000123"]
    )]  # fmt: skip
    assert hj212.propose(packets * 10) is None


def test_one_value_that_is_no_number_does_not_spoil_the_others():
    (packet,) = hj212.decode(
        hj212.frame_bytes(
            hj212.segment(
                st="32", cn="2011", mn=MN, qn="20260601080000123",
                cp="DataTime=20260601080000;w01018-Rtd=--,w01018-Flag=D;w21003-Rtd=1.2,w21003-Flag=N",
            )
        )
    )  # fmt: skip
    assert [(v.code, v.number, v.flag) for v in packet.values] == [("w01018", None, "D"), ("w21003", 1.2, "N")]
    assert packet.has("value_rejected")
    assert packet.verdict == "findings"


@settings(max_examples=30)
@given(st.sampled_from(GOOD), st.data())
def test_a_changed_byte_is_always_noticed_by_the_crc(packet, data):
    at = data.draw(st.integers(6, len(packet) - 7))
    new = data.draw(st.integers(0, 255).filter(lambda b: b != packet[at]))
    changed = packet[:at] + bytes([new]) + packet[at + 1 :]
    frames = [i for i in hj212.Framer().feed(changed, final=True) if isinstance(i, hj212.Frame) and not i.encrypted]
    assert all(f.raw != changed.rstrip(b"\r\n") for f in frames)


@pytest.mark.parametrize("row", ROWS, ids=[r["n"] for r in ROWS])
def test_the_quick_look_sees_what_the_parser_sees(row):
    for item in hj212.decode(unescape(row["packet"])):
        if isinstance(item, hj212.Packet):
            head = hj212.peek(item.frame.seg)
            seen = tuple(x.decode() for x in head)
            assert seen == tuple(item.header.get(k, "") for k in ("QN", "ST", "CN", "PW", "MN", "Flag"))
