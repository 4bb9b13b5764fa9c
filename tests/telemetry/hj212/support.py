"""Packets for the differential tests: clean ones, generated ones and mutations."""

from datetime import datetime

from hypothesis import strategies as st

from lvheng.telemetry import hj212
from lvheng.telemetry.hj212 import kernel

texts = st.one_of(
    st.decimals(-99999, 99999, places=3).map(str),
    st.from_regex(r"-?[0-9]{0,20}(\.[0-9]{0,8})?", fullmatch=True),
    st.sampled_from(["", "--", "NaN", "1e5", " 1", "+1", "007", "-0", "-0.0", "9007199254740993", "0.1"]),
)
suffixes = st.sampled_from([*kernel.SUFFIXES, "EFlag", "td", "flag", "Info", "Rtd\0", "DayDataX", ""])
codes = st.sampled_from(
    [
        "w01018",
        "w21003",
        "a01013",
        "011",
        "B01",
        "SB1",
        "LA",
        "i12001",
        "x",
        "Nh3-scr",
        "a19001",
        "w01018\0",
        "abcdefgh",
        "abcdefghi",
        "",
    ]
)
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


def clean_segments():
    """Uploads of all versions in which nothing, or only a decimal, is to be told."""
    return [
        hj212.upload(
            cn, st=system, mn="010000A8900016F000169DC0", data_time=datetime(2026, 6, 1, 8), qns=["20260601080000123"],  # noqa: DTZ001
            factors=[(c, {"Avg": "40.1", "Min": "39", "Max": "41.25", "Cou": "3.2", "Flag": "N"}) for c in group],
            version=version, late=late,
        )[0][6:-6]
        for cn, system, group in (("2051", "32", ("w01018", "w21003", "w00000")), ("2061", "31", ("a21026", "a01013", "a19001")))
        for version in (2005, 2017, 2025) for late in (False, True)
    ]  # fmt: skip
