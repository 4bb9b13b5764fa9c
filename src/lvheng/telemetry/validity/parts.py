"""Concentrations reckoned from their parts, where a logger sends only these: NOx from NO and NO₂.

The parts and their weights are the rule telemetry.gas.derived (HJ 75—2017 appendix A: NOx counts as NO₂). Volume
concentrations (ppm) are added as they are: the molar mass of the whole does the rest. A minute with one part only has no
value; one with an invalid part is as invalid as that part. A minute in which the whole is sent itself keeps what was sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import narwhals as nw
import pyarrow as pa

from lvheng.core.problem import Problem, ProblemError
from lvheng.telemetry.validity.rules import Rules

_AT = ["mn", "data_time"]


@dataclass(frozen=True, slots=True)
class Parts:
    """The devices whose ``code`` is reckoned alike, from two parts (code, weight)."""

    code: str
    mns: tuple[str, ...]
    first: tuple[str, float]
    second: tuple[str, float]


def weights(series: pa.Table, rules: Rules) -> list[Parts]:
    """What is to be reckoned for the series that the register says so of; raises ProblemError where no rule says how."""
    found: dict[tuple[str, bool], list[str]] = {}
    for row in series.to_pylist():
        if row["derived"]:
            found.setdefault((row["code"], bool(row["ppm"])), []).append(row["mn"])
    if unknown := sorted({code for code, _ppm in found} - rules.derived.keys()):
        raise ProblemError(
            Problem("telemetry.rollup.derived", "该因子没有由组分计算的规则", got="、".join(unknown), wanted="、".join(rules.derived),
                    fix="在规则库telemetry.gas.derived中补登，或改正排口登记。")
        )  # fmt: skip
    made = []
    for (code, ppm), mns in sorted(found.items()):
        one, two = ((part, 1.0 if ppm else float(weight)) for part, weight in rules.derived[code])
        made.append(Parts(code, tuple(sorted(mns)), one, two))
    return made


def with_derived(rows: nw.LazyFrame, wanted: Sequence[Parts], rules: Rules) -> nw.LazyFrame:
    """``rows`` (mn, code, data_time, day, value, flag; one of each key) and what is reckoned from them."""
    good = sorted({letter for (_version, letter), meaning in rules.flags.items() if meaning == "valid"})
    frames = [rows]
    for one in wanted:
        mine = rows.filter(nw.col("mn").is_in(list(one.mns)))
        first, second = (mine.filter(nw.col("code") == code) for code, _weight in (one.first, one.second))
        both = first.join(second.select(*_AT, value_2="value", flag_2="flag"), on=_AT, how="inner")
        sent = mine.filter(nw.col("code") == one.code).select(*_AT)
        both = both.join(sent, on=_AT, how="anti")
        flag = nw.when(nw.col("flag").is_in(good)).then(nw.col("flag_2")).otherwise(nw.col("flag"))
        total = nw.col("value") * one.first[1] + nw.col("value_2") * one.second[1]
        frames.append(
            both.select("mn", "data_time", "day", code=nw.lit(one.code), value=total, flag=flag).select(*rows.columns)
        )
    return nw.concat(frames)
