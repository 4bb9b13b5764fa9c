"""Writing HJ 212: the device's uploads and answers, the platform's requests and answers, in all three versions.

Versions are given as 2005, 2017 or 2025. Every function returns complete frames with CRC and line end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from lvheng.telemetry.hj212 import sm4
from lvheng.telemetry.hj212.checksum import VARIANTS
from lvheng.telemetry.hj212.tables import tables

VERSION_BITS = {2005: 0, 2017: 4, 2025: 8}

Factor = tuple[str, Mapping[str, str]]
"""A code and its suffix → text pairs, e.g. ``("w01018", {"Rtd": "40.1", "Flag": "N"})``."""


def make_qn(when: datetime) -> str:
    """The 17-digit number of an exchange, from local time."""
    return when.strftime("%Y%m%d%H%M%S") + f"{when.microsecond // 1000:03d}"


def frame_bytes(seg: bytes, variant: str = "hj212") -> bytes:
    """``##`` + LEN + SEG + CRC + CR LF; ``variant`` other than hj212 imitates a faulty device."""
    if len(seg) > 9999:
        raise ValueError("the length field has four digits")
    return b"##%04d%s%04X\r\n" % (len(seg), seg, VARIANTS[variant](seg))


def segment(
    *,
    st: str,
    cn: str,
    mn: str,
    cp: str = "",
    qn: str = "",
    pw: str = "123456",
    version: int = 2017,
    ack: bool = False,
    part: tuple[int, int] | None = None,
    late: bool = False,
) -> bytes:
    """A plain segment in the field order of its version. ``part`` is (PNUM, PNO)."""
    flag = VERSION_BITS[version] | (2 if part else 0) | (1 if ack else 0)
    fields = [f"QN={qn}"] if qn else []
    parts = [f"PNUM={part[0]}", f"PNO={part[1]}"] if part else []
    if version == 2005:
        fields += parts
    fields += [f"ST={st}", f"CN={cn}", f"PW={pw}", f"MN={mn}", f"Flag={flag}"]
    if version == 2025 and late:
        fields.append("RF=1")
    if version != 2005:
        fields += parts
    return (";".join(fields) + f";CP=&&{cp}&&").encode()


def encrypted_frame(seg: bytes, key: bytes, *, printed: bool = False) -> bytes:
    """A frame whose data area is SM4; LEN and CRC are those of the plain segment."""
    at = seg.index(b"CP=&&") + 5
    cipher = sm4.encrypt_area(seg[at:-2], key)
    area = sm4.literal(cipher) if printed else cipher
    return b"##%04d%s%s&&%04X\r\n" % (len(seg), seg[:at], area, VARIANTS["hj212"](seg))


def _items(factors: Iterable[Factor]) -> list[str]:
    return [",".join(f"{code}-{suffix}={text}" for suffix, text in pairs.items()) for code, pairs in factors]


def upload(
    cn: str,
    *,
    st: str,
    mn: str,
    data_time: datetime | None,
    factors: Sequence[Factor] = (),
    params: Sequence[tuple[str, str]] = (),
    qns: Sequence[str] = (),
    pw: str = "123456",
    version: int = 2017,
    ack: bool = True,
    late: bool = False,
    key: bytes = b"",
    variant: str = "hj212",
    limit: int = 0,
) -> list[bytes]:
    """A device's upload as one frame, or as parts of whole items when it would pass 1024 bytes.

    Each part repeats DataTime and carries its own QN from ``qns`` (the last one serves for the rest).
    """
    most = limit or tables().segment_max
    lead = [f"DataTime={data_time:%Y%m%d%H%M%S}"] if data_time else []
    items = [f"{k}={v}" for k, v in params] + _items(factors)

    def make(cp: list[str], part: tuple[int, int] | None) -> bytes:
        number = min((part[1] if part else 1) - 1, len(qns) - 1) if qns else -1
        return segment(
            st=st, cn=cn, mn=mn, cp=";".join(lead + cp), qn=qns[number] if qns else "", pw=pw, version=version,
            ack=ack, part=part, late=late,
        )  # fmt: skip

    whole = make(items, None)
    segments = [whole]
    if len(whole) > most:
        groups: list[list[str]] = [[]]
        for item in items:
            if groups[-1] and len(make([*groups[-1], item], (9999, 9999))) > most:
                groups.append([])
            groups[-1].append(item)
        if len(groups) > 1:
            segments = [make(group, (len(groups), n)) for n, group in enumerate(groups, 1)]
    return [encrypted_frame(s, key) if key else frame_bytes(s, variant) for s in segments]


def request(
    cn: str,
    *,
    mn: str,
    st: str,
    qn: str = "",
    params: Sequence[tuple[str, str]] = (),
    pw: str = "123456",
    version: int = 2017,
    ack: bool = True,
    key: bytes = b"",
) -> bytes:
    """A platform's request or notice."""
    cp = ";".join(f"{k}={v}" for k, v in params)
    seg = segment(st=st, cn=cn, mn=mn, cp=cp, qn=qn, pw=pw, version=version, ack=ack)
    return encrypted_frame(seg, key) if key else frame_bytes(seg)


def answer(
    cn: str,
    *,
    mn: str,
    qn: str,
    pw: str = "123456",
    version: int = 2017,
    result: str = "",
) -> bytes:
    """9011 (``result`` is QnRtn), 9012 (ExeRtn), 9013, 9014. In 2005 the request number stands in the data area."""
    name = {"9011": "QnRtn", "9012": "ExeRtn"}.get(cn)
    items = [f"{name}={result}"] if name else []
    if version == 2005:
        items.insert(0, f"QN={qn}")
    return frame_bytes(
        segment(st="91", cn=cn, mn=mn, cp=";".join(items), qn="" if version == 2005 else qn, pw=pw, version=version)
    )
