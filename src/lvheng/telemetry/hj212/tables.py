"""The tables of HJ 212 as data: read once from ``rulebook/telemetry``.

``load_document`` is the one place that knows where the files lie.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml


def _directory() -> Path:
    """``LVHENG_RULEBOOK`` or the nearest ``rulebook`` directory above this file."""
    if named := os.environ.get("LVHENG_RULEBOOK"):
        return Path(named) / "telemetry"
    for parent in Path(__file__).resolve().parents:
        if (found := parent / "rulebook" / "telemetry").is_dir():
            return found
    raise FileNotFoundError("rulebook/telemetry")


@cache
def load_document(name: str) -> Any:
    """A YAML document (a mapping) or a TSV table (a list of rows) of ``rulebook/telemetry``."""
    path = _directory() / name
    with path.open(encoding="utf-8", newline="") as handle:
        if path.suffix == ".tsv":
            return list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))
        return yaml.safe_load(handle)


@dataclass(frozen=True, slots=True)
class Code:
    """One pollutant code of HJ 212-2017 Appendix B; ``decimals`` is None where the type is not given."""

    code: str
    name: str
    old_code: str
    unit_conc: str
    unit_mass: str
    decimals: int | None


@dataclass(frozen=True, slots=True)
class Command:
    """One command; ``sender`` is S (platform), D (device) or B; ``since``/``until`` are versions or 0."""

    cn: str
    name: str
    sender: str
    kind: str
    cycle: str
    history: bool
    starts: bool
    params: tuple[str, ...]
    since: int
    until: int


def _decimals(dtype: str) -> int | None:
    if not dtype:
        return None
    return int(dtype.partition(".")[2] or 0)


class Tables:
    """Everything the codec looks up, as plain dictionaries and sets."""

    def __init__(self) -> None:
        doc = load_document("hj212.yaml")
        self.codes = {
            row["code"]: Code(
                row["code"], row["name"], row["old_code"], row["unit_conc"], row["unit_mass"], _decimals(row["dtype"])
            )
            for row in load_document("hj212_codes.tsv")
        }
        self.from_old = {c.old_code: c.code for c in self.codes.values() if c.old_code}
        self.decimals = {code: c.decimals for code, c in self.codes.items() if c.decimals is not None}
        self.commands = {
            cn: Command(
                cn,
                row["name"],
                row["from"],
                row["kind"],
                row.get("cycle", ""),
                row.get("history", False),
                row.get("starts", False),
                tuple(row.get("params", ())),
                row.get("since", 0),
                row.get("until", 0),
            )
            for cn, row in doc["commands"]["table"].items()
        }
        self.systems: dict[str, str] = doc["systems"]["names"]
        self.text_systems = frozenset(doc["systems"]["text_values"])
        suffixes = doc["suffixes"]
        self.text_suffixes = frozenset(suffixes["text"])
        self.suffixes = frozenset(suffixes["number"] + suffixes["number_2025"] + suffixes["text"])
        self.seen_suffixes = frozenset(suffixes["seen"])
        self.suffix_by_lower = {s.lower(): s for s in sorted(self.suffixes | self.seen_suffixes)}
        self.suffix_aliases: dict[str, str] = suffixes["aliases"]
        self.params = frozenset(doc["parameters"]["known"])
        self.list_params = frozenset(doc["parameters"]["lists"])
        self.time_params = frozenset(doc["parameters"]["times"])
        self.flags = {int(v): dict(row["letters"]) for v, row in doc["flags"].items()}
        self.qn_rtn: dict[str, str] = doc["answers"]["QnRtn"]
        self.exe_rtn: dict[str, str] = doc["answers"]["ExeRtn"]
        self.segment_max: int = doc["limits"]["segment_max"]["value"]
        self.accepted_max: int = doc["limits"]["accepted_max"]["value"]
        self.rtd_interval: tuple[int, int] = (
            doc["limits"]["rtd_interval"]["min"],
            doc["limits"]["rtd_interval"]["max"],
        )
        self.min_intervals = frozenset(str(n) for n in doc["limits"]["min_interval"]["allowed"])
        self.timeouts = {row["link"]: (row["seconds"], row["resend"]) for row in doc["timeouts"]}
        self.gateway: dict[str, Any] = doc["gateway"]
        self.published_keys = tuple(bytes.fromhex(k) for k in doc["sm4"]["published_keys"])
        self.plausible: dict[str, dict[str, Any]] = doc["plausible"]["ranges"]


@cache
def tables() -> Tables:
    """The tables, read on first use."""
    return Tables()
