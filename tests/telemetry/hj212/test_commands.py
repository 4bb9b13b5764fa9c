"""Every command of the tables, platform side and device side, in each version that has it."""

import re
from datetime import datetime

import pytest

from lvheng.telemetry import hj212
from lvheng.telemetry.gateway.exchange import available
from lvheng.telemetry.hj212.sm4 import authorization, read_authorization
from lvheng.telemetry.hj212.tables import tables

TOKEN = re.compile(r"(?://.*?//|[^;,])+")
QN = "20260601080000123"
TIME = "20260601080000"
BETWEEN = f"BeginTime={TIME};EndTime=20260601090000"
LAST = f"DataTime={TIME}"
MEANS = f"{LAST};w01018-Cou=3.2,w01018-Min=39.9,w01018-Avg=40.1,w01018-Max=41.2,w01018-Flag=N"

PLATFORM = {
    "1000": "OverTime=5;ReCount=3", "1002": "", "1011": "PolId=w01018", "1012": f"PolId=w01018;SystemTime={TIME}",
    "1014": f"SKCreateTime={TIME};NewSK=0123456789abcdef", "1021": "PolId=011", "1022": "PolId=011", "1031": "", "1032": "",
    "1041": "", "1042": "", "1061": "", "1062": "RtdInterval=30", "1063": "", "1064": "MinInterval=10", "1072": "NewPW=654321",
    "2011": "", "2012": "", "2021": "", "2022": "", "2031": BETWEEN, "2041": BETWEEN, "2051": BETWEEN, "2061": BETWEEN,
    "2071": BETWEEN, "3011": "PolId=w01018", "3012": "PolId=w01018", "3013": "PolId=w01018", "3014": "PolId=w01018", "3015": "",
    "3016": "PolId=w01018;CstartTime=000000;Ctime=2", "3017": "PolId=w01018", "3018": "PolId=w01018", "3019": "PolId=w01018",
    "3020": f"PolId=w01018;InfoId=i11001;{BETWEEN}", "3021": "PolId=w01018;InfoId=i13004;i13004-Info=168.0", "3022": "PolId=w01018",
    "3024": "PolId=w01018", "9013": "", "9014": "",
}  # fmt: skip
DEVICE = {
    "1001": "i23005-Info=A1;i23006-Info=B2;i23007-Info=C3;i23008-Info=D4", "1011": f"PolId=w01018;SystemTime={TIME}", "1013": "PolId=w01018",
    "1021": "PolId=011", "1031": "", "1041": "", "1061": "RtdInterval=30", "1063": "MinInterval=10",
    "2011": f"{LAST};w01018-Rtd=40.1,w01018-Flag=N;w21003-Rtd=1.2,w21003-Flag=D",
    "2013": f"{LAST};w01018-SampleTime={TIME},w01018-CompleteTime={TIME},w01018-SampleType=1,w01018-Avg=40.1,w01018-Flag=N,w01018-Info=//a;b//",
    "2021": f"{LAST};SB1-RS=1;SB2-RS=0", "2031": MEANS, "2041": f"{LAST};SB1-RT=1.1", "2051": MEANS, "2052": f"{LAST};LA-Data=55.5",
    "2061": MEANS, "2062": f"{LAST};w01018-SampleRd=40.0,w01018-StandardValue=40.1,w01018-ResultType=1", "2071": LAST, "2072": LAST,
    "2081": f"{LAST};RestartTime={TIME}", "2111": f"{LAST};a01901-Avg=850.1,a01901-Flag=N", "3015": f"{LAST};VaseNo=1",
    "3017": "PolId=w01018;CstartTime=000000;Ctime=2", "3018": "PolId=w01018;Stime=40", "3019": "PolId=w01018;w01018-SN=00123",
    "3020": f"{LAST};PolId=w01018;i11001-Info=//维护//", "9011": "QnRtn=1", "9012": "ExeRtn=1", "9013": "", "9015": "",
}  # fmt: skip
FORM_ONLY = {"hj212.code_unknown"}  # of codes that came with 2025, whose table is not at hand


def rows():
    for side, examples in (("S", PLATFORM), ("D", DEVICE)):
        for cn, cp in examples.items():
            for version in (2005, 2017, 2025):
                if available(cn, version):
                    yield pytest.param(cn, side, version, cp, b"", id=f"{cn}{side}{version}")
                    if version == 2025 and len(cp) >= 16:  # only 2025 encrypts, and only whole blocks
                        yield pytest.param(cn, side, version, cp, bytes(range(16)), id=f"{cn}{side}{version}sm4")


def test_the_examples_cover_both_sides_of_the_table():
    table = tables().commands
    assert {cn for cn, c in table.items() if c.sender in ("S", "B")} <= set(PLATFORM)
    assert {cn for cn, c in table.items() if c.sender in ("D", "B")} <= set(DEVICE)
    assert all(table[cn].sender in ("S", "B") for cn in PLATFORM)
    assert all(table[cn].sender in ("D", "B") or table[cn].kind == "both" for cn in DEVICE)


@pytest.mark.parametrize(("cn", "side", "version", "cp", "key"), list(rows()))
def test_a_command_comes_back_as_it_was_sent(cn, side, version, cp, key):
    """By the encoder and back: header, kind, parameters and values; encrypted too where the version knows it."""
    mn = "010000A8900016F000169DC0" if version > 2005 else "88888880000001"
    dialect = hj212.Dialect(sm4_key=key) if key else hj212.STANDARD
    command = tables().commands[cn]
    pairs = [p.partition("=")[::2] for p in TOKEN.findall(cp)]
    params = [(k, v) for k, v in pairs if "-" not in k]
    items: dict[str, dict[str, str]] = {}
    for k, v in pairs:
        if "-" in k:
            code, _, suffix = k.rpartition("-")
            items.setdefault(code, {})[suffix] = v
    if command.kind == "answer":
        frame = hj212.answer(cn, mn=mn, qn=QN, version=version, result=cp[-1:])
    elif side == "S" and not items:
        frame = hj212.request(cn, mn=mn, st="32", qn=QN, params=params, version=version, key=key)
    else:
        when = datetime(2026, 6, 1, 8) if params[:1] == [("DataTime", TIME)] else None  # noqa: DTZ001 wall time
        (frame,) = hj212.upload(
            cn, st="32", mn=mn, data_time=when, params=params[1:] if when else params, factors=list(items.items()),
            qns=[QN], version=version, key=key,
        )  # fmt: skip
    (packet,) = hj212.decode(frame, dialect)
    assert {p.code for p in packet.findings} - FORM_ONLY == ({"hj212.sm4"} if key else set())
    assert (packet.cn, packet.mn, packet.request_qn) == (cn, mn, QN)
    assert packet.version == {2005: 0, 2017: 1, 2025: 2}[version]
    if command.kind == "both":
        assert packet.kind == {"S": "request", "D": "upload"}[side] or not cp or cp.startswith("PolId=011")
    else:
        assert packet.kind == command.kind
    assert [p for p in packet.params if p[0] != "QN"] == params
    read: dict[str, dict[str, str]] = {}
    for v in packet.values:
        read.setdefault(v.code_sent, {})[v.suffix] = v.text
        if v.flag:
            read[v.code_sent]["Flag"] = v.flag
    assert read == items


@pytest.mark.parametrize("flag", range(12))
def test_the_version_follows_from_the_flag(flag):
    parts = "PNUM=2;PNO=1;" if flag & 2 else ""
    head = f"QN={QN};{parts if flag < 4 else ''}ST=32;CN=2011;PW=123456;MN={'8' * 14 if flag < 4 else 'A' * 24};Flag={flag};"
    seg = f"{head}{parts if flag >= 4 else ''}CP=&&{LAST};w01018-Rtd=40.1,w01018-Flag=N&&"
    (packet,) = hj212.decode(hj212.frame_bytes(seg.encode()))
    assert packet.verdict == "valid"
    assert packet.version == flag // 4
    assert packet.wants_answer is bool(flag & 1)
    assert (packet.pnum, packet.pno) == ((2, 1) if flag & 2 else (None, None))


def test_the_header_of_appendix_h():
    """The vector of the reference, and that another key or a changed text is refused."""
    key = b"msbE74gsiSHSEh5e"
    text = authorization("testuser", "AezF0nZRs4kypuGO", key)
    assert text == "LG/m7lsFU/taig+vbQsDJXy4NGAaE2j2lplPwhZM7iM="
    assert read_authorization(text, key) == ("testuser", "AezF0nZRs4kypuGO")
    assert read_authorization(authorization("用户", "a:b", key), key) == ("用户", "a:b")
    for wrong in ("", "x", text[:-4], text[:-2] + "==", "YWJj" * 4):
        assert read_authorization(wrong, key) is None
    assert read_authorization(text, b"0" * 16) is None
    with pytest.raises(ValueError, match="colon"):
        authorization("a:b", "c", key)
