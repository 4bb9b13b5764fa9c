"""First screens of honesty over hours: F01 constant, F02 clipped, F06 dilution, F08 clone, F12 stopped but running.

Pure. A screen yields leads: where and when to look, and what was seen. Names and thresholds are data
(rulebook/telemetry/validity_screens.yaml); codes are those of the benchmark list of injections.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lvheng.core.rulebook import Rulebook

Floats = npt.NDArray[np.float64]
MICRO = 1e6
Values = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Channel:
    """One pollutant's hours without holes: ``first`` hour, and for each hour the values (NaN: none) and whether it stands still.

    ``mean`` and ``converted`` in the unit sent, ``oxygen`` in %, ``flow`` in the unit sent.
    """

    series: int
    first: int
    mean: Floats
    converted: Floats
    oxygen: Floats
    flow: Floats
    stopped: npt.NDArray[np.bool_]
    limit: float | None = None
    code: str = ""

    def __len__(self) -> int:
        return len(self.mean)


@dataclass(frozen=True, slots=True)
class Lead:
    """A suspicion with its window of evidence (hours, ``last`` included), the hour from which it could be known, and what was seen."""

    screen: str
    series: int
    first: int
    last: int
    known: int
    seen: dict[str, float] = field(default_factory=dict)


def read_values(book: Rulebook, day: date) -> dict[str, float]:
    """Thresholds in force on a day."""
    return {str(r["name"]): float(str(r["value"])) for r in book.at("telemetry.screen_values", day).entry.rows}


def names(book: Rulebook, day: date) -> dict[str, tuple[str, str]]:
    """Screen → (name, meaning)."""
    return {str(r["screen"]): (str(r["name"]), str(r["meaning"])) for r in book.at("telemetry.screens", day).entry.rows}


def channels(hours: pa.Table, series: pa.Table) -> list[Channel]:
    """The pollutants of a roll-up's hours (a whole grid) as channels."""
    about = {r["series"]: r for r in series.to_pylist() if r["kind"] == "value"}
    table = hours.sort_by([("series", "ascending"), ("hour", "ascending")])
    key = table["series"].to_numpy()
    stopped = np.array([s == "stop" for s in table["state"].to_pylist()])
    hour = table["hour"].to_numpy()

    def numbers(name: str) -> Floats:
        return np.asarray(table[name].cast(pa.float64()).to_numpy(), dtype=np.float64) / MICRO

    columns = {n: numbers(n) for n in ("mean", "converted", "oxygen", "flow")}
    edges = np.flatnonzero(np.diff(key, prepend=-1))
    out = []
    for start, end in zip(edges, [*edges[1:], len(key)], strict=True):
        one = about.get(int(key[start]))
        if one is not None:
            limit = None if one["limit_high"] is None else one["limit_high"] / MICRO
            parts = {n: c[start:end] for n, c in columns.items()}
            out.append(Channel(int(key[start]), int(hour[start]), stopped=stopped[start:end], limit=limit, code=one["code"], **parts))  # fmt: skip
    return out


def run_all(found: Sequence[Channel], values: Values) -> list[Lead]:
    """Leads of every screen, by series and time."""
    leads = [lead for c in found for screen in (constant, clipped, diluted, running) for lead in screen(c, values)]
    leads += cloned(found, values)
    return sorted(leads, key=lambda x: (x.series, x.first, x.screen))


# --- F01 ------------------------------------------------------------------------------------------


def constant(c: Channel, v: Values) -> list[Lead]:
    """F01: runs of equal valid hours longer than the channel's own resolution lets one expect.

    With p the chance that two of its hours are equal, a run of k happens about n·p^(k−1) times.
    """
    at = np.flatnonzero(~np.isnan(c.mean))
    if len(at) < 2:
        return []
    x = c.mean[at]
    equal = (np.diff(x) == 0) & (np.diff(at) == 1)
    starts = np.flatnonzero(np.concatenate([[True], ~equal]))
    lengths = np.diff(np.append(starts, len(x)))
    runs = x[starts]  # a run counts once: a held value must not make itself likely
    _, counts = np.unique(runs, return_counts=True)
    by_value = float(np.sum((counts / len(runs)) ** 2)) - 1 / len(runs)
    blocks = [float(equal[n : n + 24].mean()) for n in range(0, len(equal), 24)]  # the usual day, whatever one day did
    p = min(0.95, max(1e-6, by_value, float(np.median(blocks))))
    least = max(v["f01_hours"], 1 + np.log(v["f01_chance"] / len(x)) / np.log(p))
    return [
        Lead("F01", c.series, c.first + int(at[s]), c.first + int(at[s + n - 1]), c.first + int(at[s + int(np.ceil(least)) - 1]), {"hours": float(n), "value": float(x[s])})
        for s, n in zip(starts, lengths, strict=True)
        if n >= least
    ]  # fmt: skip


# --- F02 ------------------------------------------------------------------------------------------


def clipped(c: Channel, v: Values) -> list[Lead]:
    """F02: in a window many hours just below the limit, more than in the band below that, and next to none above."""
    if c.limit is None:
        return []
    width, near = int(v["f02_window"]), v["f02_near"]
    y = c.converted / c.limit
    hits: list[Hit] = []
    for start in range(0, max(1, len(y) - width // 2), width // 4):
        part = y[start : start + width]
        below = int(np.sum((part >= 1 - near) & (part <= 1)))
        under = int(np.sum((part >= 1 - 2 * near) & (part < 1 - near)))
        above = int(np.sum(part > 1))
        if below >= v["f02_least"] and below > 1.5 * under and above <= v["f02_above"] * below:
            inside = np.flatnonzero((part >= 1 - near) & (part <= 1))
            hits.append((start + int(inside[0]), start + int(inside[-1]), start + len(part) - 1, {"below": below, "under": under, "above": above}))  # fmt: skip
    return [Lead("F02", c.series, c.first + a, c.first + b, c.first + k, seen) for a, b, k, seen in _merged(hits)]


# --- F06 ------------------------------------------------------------------------------------------


def diluted(c: Channel, v: Values) -> list[Lead]:
    """F06: oxygen above what its own past gives for the flow, measured concentration down, the converted one no higher.

    Oxygen rises by itself when a plant idles; so it is held against the flow by a line through the past hours, and the
    rise must stand out from the scatter of that line.
    """
    width, past = int(v["f06_window"]), int(v["f06_baseline"])
    if np.isnan(c.oxygen).all() or len(c) < past + width:
        return []
    hits: list[Hit] = []
    held: slice | None = None  # the past from before a suspicion stays while it lasts
    for start in range(past, len(c) - width + 1, width // 2):
        base = held or slice(start - past, start)
        seen = _rise(c, base, slice(start, start + width), v["f06_scatter"])
        if seen is not None and seen["oxygen"] >= v["f06_oxygen"] and seen["drop"] >= v["f06_drop"] and seen["converted"] <= v["f06_converted"]:  # fmt: skip
            held = base
            hits.append((start, start + width - 1, start + width - 1, seen))
        else:
            held = None
    return [Lead("F06", c.series, c.first + a, c.first + b, c.first + k, seen) for a, b, k, seen in _merged(hits)]


def _rise(c: Channel, past: slice, now: slice, scatter: float) -> dict[str, float] | None:
    """How far oxygen lies above the past's line on flow (less ``scatter`` times its spread), the drop of the measured and the
    ratio of the converted concentration; None without enough hours of work."""
    good = ~(np.isnan(c.oxygen) | np.isnan(c.mean) | np.isnan(c.flow) | c.stopped)
    a, b = (np.flatnonzero(good[w]) + w.start for w in (past, now))
    if len(a) * 2 < past.stop - past.start or len(b) * 2 < now.stop - now.start:
        return None
    flow = c.flow[a]
    spread = float(np.var(flow))
    slope = float(np.cov(flow, c.oxygen[a])[0, 1]) / spread if spread > 0 else 0.0
    rest = c.oxygen[a] - slope * flow
    level = float(np.median(rest))
    sigma = 1.4826 * float(np.median(np.abs(rest - level)))
    above = float(np.median(c.oxygen[b] - slope * c.flow[b])) - level
    before = float(np.median(c.mean[a]))
    if above < scatter * sigma or before <= 0:
        return None
    return {
        "oxygen": above, "drop": 1 - float(np.median(c.mean[b])) / before,
        "converted": float(np.nanmedian(c.converted[b])) / float(np.nanmedian(c.converted[a])),
    }  # fmt: skip


# --- F08 ------------------------------------------------------------------------------------------


def cloned(found: Sequence[Channel], v: Values) -> list[Lead]:
    """F08: a day's shape that matches an earlier day of the same pollutant, at the outlet or another, almost to the last digit."""
    return [
        lead for code in sorted({c.code for c in found}) for lead in _alike([c for c in found if c.code == code], v)
    ]


def _alike(found: Sequence[Channel], v: Values) -> list[Lead]:
    days: list[tuple[int, int, Floats]] = []
    for c in found:
        offset = -c.first % 24
        for start in range(offset, len(c) - 23, 24):
            day = c.mean[start : start + 24]
            good = ~np.isnan(day)
            if good.sum() < v["f08_hours"]:
                continue
            filled = np.where(good, day, np.nanmean(day))
            spread = filled - filled.mean()
            size = float(np.linalg.norm(spread))
            if (
                size > 1e-3 * abs(float(filled.mean())) and len(np.unique(filled)) > v["f08_hours"] / 2
            ):  # constant days are F01's
                days.append((c.series, c.first + start, spread / size))
    if len(days) < 2:
        return []
    days.sort(key=lambda d: (d[1], d[0]))
    x = np.array([d[2] for d in days], dtype=np.float32)
    leads = []
    for start in range(0, len(x), 2048):
        alike = x[start : start + 2048] @ x.T
        for i, j in zip(*np.nonzero(alike > v["f08_alike"]), strict=True):
            here = start + int(i)
            if j < here:
                series, first, _ = days[here]
                leads.append(Lead("F08", series, first, first + 23, first + 23, {"series": float(days[j][0]), "day": float(days[j][1] // 24), "alike": float(alike[i, j])}))  # fmt: skip
    best: dict[tuple[int, int], Lead] = {}
    for lead in leads:
        key = (lead.series, lead.first)
        if key not in best or lead.seen["alike"] > best[key].seen["alike"]:
            best[key] = lead
    return list(best.values())


# --- F12 ------------------------------------------------------------------------------------------


def running(c: Channel, v: Values) -> list[Lead]:
    """F12: hours marked or flagged as standstill while gas flows as in work and oxygen is not that of air."""
    usual = c.flow[~c.stopped & ~np.isnan(c.flow)]
    if not len(usual):
        return []
    flowing = c.flow > v["f12_flow"] * float(np.median(usual))
    burning = np.isnan(c.oxygen) | (c.oxygen < v["f12_oxygen"])
    odd = c.stopped & flowing & burning
    edges = np.flatnonzero(np.diff(np.concatenate([[False], odd, [False]]).astype(np.int8)))
    return [
        Lead("F12", c.series, c.first + int(a), c.first + int(b) - 1, c.first + int(a + v["f12_hours"]) - 1, {"hours": float(b - a), "flow": float(np.nanmedian(c.flow[a:b]))})
        for a, b in zip(edges[::2], edges[1::2], strict=True)
        if b - a >= v["f12_hours"]
    ]  # fmt: skip


Hit = tuple[int, int, int, dict[str, float]]  # first, last, known, seen


def _merged(hits: Iterable[Hit]) -> list[Hit]:
    """Overlapping or touching windows as one, known and seen as the first of them."""
    out: list[Hit] = []
    for first, last, known, seen in hits:
        if out and first <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(last, out[-1][1]), *out[-1][2:])
        else:
            out.append((first, last, known, seen))
    return out
