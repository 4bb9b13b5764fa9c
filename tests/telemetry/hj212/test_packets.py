"""The published, standard and composed packets of packets.tsv, and the standard's vectors.

packets.tsv is a table of facts: each row names the public repository or the standard it comes from, and the verdict
that a receiver should reach (README of the reference: HJ 212 packets, 100 rows).
"""

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from lvheng.telemetry import hj212
from lvheng.telemetry.commands import telemetry
from lvheng.telemetry.decode import EXPECTATIONS, read_packets, unescape

FILE = Path(__file__).parent / "packets.tsv"
ROWS = list(
    csv.DictReader(FILE.read_bytes().decode().removesuffix("\n").split("\n"), delimiter="\t", quoting=csv.QUOTE_NONE)
)


@pytest.mark.parametrize("row", ROWS, ids=[r["n"] for r in ROWS])
def test_every_row_gets_its_expected_verdict(row):
    (reading,) = read_packets(f"packet\texpected\n{row['packet']}\t{row['expected']}\n".encode())
    assert row["expected"] in EXPECTATIONS
    assert reading.agrees, (reading.verdict, [p.code for p in reading.reasons])


def test_json_of_the_command_lists_each_row_with_header_command_and_values():
    result = CliRunner().invoke(telemetry, ["decode", str(FILE), "--json"])
    assert result.exit_code == 0
    listed = json.loads(result.stdout)
    assert [r["n"] for r in listed] == [r["n"] for r in ROWS]
    assert all(r["agrees"] for r in listed)
    first = listed[0]["frames"][0]
    assert first["header"]["MN"] == "010000A8900016F000169DC0"
    assert first["command"]["code"] == "2011"
    assert {"code": "a01006", "suffix": "Rtd", "text": "101.02", "value": 101.02, "flag": "N"}.items() <= next(
        v for v in first["values"] if v["code"] == "a01006"
    ).items()


def test_a_row_that_disagrees_makes_the_command_fail(tmp_path):
    file = tmp_path / "p.tsv"
    file.write_text("packet\texpected\n" + ROWS[0]["packet"] + "\tinvalid\n", encoding="utf-8")
    result = CliRunner().invoke(telemetry, ["decode", str(file)])
    assert result.exit_code == 1
    assert "与预期不符的报文：1" in result.stderr


@pytest.mark.parametrize("content", [b"", b"\xff\xfepacket", b"\x00" * 100, b"n\tpacket\n1\t\n", b"packet\n\xff\n"])
def test_unreadable_files_are_answered_in_words(tmp_path, content):
    file = tmp_path / "p"
    file.write_bytes(content)
    result = CliRunner().invoke(telemetry, ["decode", str(file)])
    assert result.exit_code in (0, 1)
    assert "Traceback" not in result.output


def test_a_missing_file_is_named():
    result = CliRunner().invoke(telemetry, ["decode", "no-such-file"])
    assert result.exit_code == 1
    assert "no-such-file" in result.stderr


def test_raw_bytes_and_lines_give_the_same_packets_as_the_table():
    good = [unescape(r["packet"]) for r in ROWS if r["expected"] == "valid"]
    raw = read_packets(b"".join(good))
    lines = read_packets(b"\n".join(g.rstrip(b"\r\n") for g in good))
    assert len(raw) == len(lines) == len(good)
    assert [r.packets[0].values for r in raw] == [r.packets[0].values for r in lines]


@pytest.mark.parametrize(
    ("segment", "value"),
    [
        (
            b"QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;CP=&&RtdInterval=30&&",
            0x1C80,
        ),
        (b"QN=20240601085857223;ST=32;CN=1011;PW=123456;MN=010000A8900016F000169DC0;Flag=9;CP=&&&&", 0x2200),
        (b"", 0xFFFF),
        (b"\x00", 0x4040),
    ],
)
def test_crc_vectors_of_the_standards(segment, value):
    assert hj212.crc(segment) == hj212.crc_table(segment) == value


def test_sm4_vectors():
    key = bytes.fromhex("0123456789abcdeffedcba9876543210")
    from lvheng.telemetry.hj212.sm4 import decrypt_area, encrypt_area

    assert encrypt_area(key, key).hex() == "681edf34d206965e86b3e94f536e4246"
    assert decrypt_area(encrypt_area(b"a" * 35, key), key) == b"a" * 35
    assert encrypt_area(b"a" * 35, key).endswith(b"aaa")
