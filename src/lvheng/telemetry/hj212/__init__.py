"""HJ 212 (2005, 2017, 2025) in Python: framing, decoding, encoding.

>>> from lvheng.telemetry import hj212
>>> [p.cn for p in hj212.decode(hj212.request("1062", mn="M" * 14, st="32", params=[("RtdInterval", "30")]))]
['1062']

``Framer`` cuts a stream; ``decode`` reads a whole input; ``decode_frame`` reads one frame; ``upload``, ``request`` and
``answer`` write. A :class:`Dialect` says what one device does differently and ``propose`` learns it from its packets.
"""

from lvheng.telemetry.hj212.checksum import crc, crc_table, modbus, modbus_swapped
from lvheng.telemetry.hj212.decoder import decode, decode_frame
from lvheng.telemetry.hj212.dialect import STANDARD, Dialect, Proposal, propose
from lvheng.telemetry.hj212.encode import answer, frame_bytes, make_qn, request, segment, upload
from lvheng.telemetry.hj212.frame import Frame, Framer, Reject
from lvheng.telemetry.hj212.join import Joined, Joiner
from lvheng.telemetry.hj212.packet import Packet, Value, parse, parse_time, peek
from lvheng.telemetry.hj212.tables import tables

__all__ = [
    "STANDARD",
    "Dialect",
    "Frame",
    "Framer",
    "Joined",
    "Joiner",
    "Packet",
    "Proposal",
    "Reject",
    "Value",
    "answer",
    "crc",
    "crc_table",
    "decode",
    "decode_frame",
    "frame_bytes",
    "make_qn",
    "modbus",
    "modbus_swapped",
    "parse",
    "parse_time",
    "peek",
    "propose",
    "request",
    "segment",
    "tables",
    "upload",
]
