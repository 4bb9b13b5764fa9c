"""Honest hours and known frauds, to measure the screens: what is injected is known, so precision, recall and delay are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lvheng.telemetry.screens import Channel, Floats, Lead, Values, run_all

Dice = np.random.Generator


@dataclass(frozen=True, slots=True)
class Truth:
    """What was injected: screen, series, hours (``last`` included)."""

    screen: str
    series: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Score:
    """``precision`` of leads, ``recall`` of truths, median ``delay`` in hours from the beginning of the fraud to the hour
    from which the screen could know of it; None where nothing was found or injected."""

    precision: float | None
    recall: float | None
    delay: float | None
    leads: int
    truths: int


def honest(
    series: int, dice: Dice, hours: int = 24 * 35, first: int = 0, limit: float = 50.0, reference: float = 9.0
) -> Channel:
    """A working combustion outlet: load by hour and day with weather-like wander, oxygen against load, noise, a standstill,
    gaps, values rounded as sent. Some sit near their limit and now and then exceed it; some idle at night."""
    t = np.arange(hours)
    load = 0.8 + 0.1 * np.sin(2 * np.pi * (t % 24 - dice.uniform(6, 12)) / 24) - 0.05 * (t // 24 % 7 >= 5)
    load = load + _wander(dice, hours, 0.05)
    oxygen = np.clip(dice.uniform(10, 13) - 6 * (load - 0.8) + _wander(dice, hours, 0.5), 4, 17)
    level = limit * dice.uniform(0.35, 0.92)
    converted = level * np.exp(_wander(dice, hours, 0.08) + dice.normal(0, 0.06, hours))
    mean = np.round(converted * (21 - oxygen) / (21 - reference), 2)
    flow = np.round(dice.uniform(10, 80) * np.clip(load, 0.1, None) * (1 + dice.normal(0, 0.02, hours)), 2)
    stopped = np.zeros(hours, dtype=bool)
    if dice.random() < 0.5:
        a = int(dice.integers(0, hours - 48))
        stopped[a : a + int(dice.integers(8, 48))] = True
    flow[stopped] = np.round(dice.uniform(0, 0.02) * flow[stopped], 2)
    oxygen[stopped] = np.round(dice.normal(20.7, 0.1, int(stopped.sum())), 2)
    mean[stopped] = np.nan
    mean[dice.random(hours) < 0.01] = np.nan
    oxygen = np.round(oxygen, 2)
    return _converted(Channel(series, first, mean, mean, oxygen, flow, stopped, limit), reference)


def _wander(dice: Dice, n: int, size: float) -> Floats:
    steps = dice.normal(0, size * 0.3, n)
    out = np.empty(n)
    at = 0.0
    for i in range(n):
        at = 0.95 * at + steps[i]
        out[i] = at
    return out


def _converted(c: Channel, reference: float) -> Channel:
    return replace(c, converted=c.mean * (21 - reference) / (21 - np.minimum(c.oxygen, 20.0)))


def inject(
    screen: str, c: Channel, dice: Dice, others: Sequence[Channel] = (), reference: float = 9.0
) -> tuple[Channel, Truth]:
    """The channel with one fraud from the middle of its time on, and the truth about it."""
    n = len(c)
    mean, oxygen, flow, stopped = c.mean.copy(), c.oxygen.copy(), c.flow.copy(), c.stopped.copy()
    start = int(dice.integers(n // 2, n - 24 * 10))
    start -= (c.first + start) % 24
    match screen:
        case "F01":
            end = start + int(dice.integers(8, 72))
            mean[start:end] = mean[start] if not np.isnan(mean[start]) else float(np.nanmedian(mean))
            stopped[start:end] = False
        case "F02":
            end = start + 24 * 8
            assert c.limit is not None
            scale = c.limit * 1.02 / float(np.nanmedian(c.converted))  # a plant that would exceed half the time
            raw = c.converted[start:end] * scale
            seen = np.minimum(raw, c.limit * (1 - dice.uniform(0.002, 0.03, end - start)))
            mean[start:end] = np.round(seen * (21 - np.minimum(oxygen[start:end], 20.0)) / (21 - reference), 2)
        case "F06":
            end = start + int(dice.integers(36, 24 * 8))
            share = dice.uniform(0.2, 0.45)  # of air let in
            mean[start:end] = np.round(mean[start:end] * (1 - share), 2)
            oxygen[start:end] = np.round(oxygen[start:end] * (1 - share) + 20.9 * share, 2)
        case "F08":
            end = start + 24
            source = c if not others or dice.random() < 0.5 else others[int(dice.integers(len(others)))]
            back = start - 24 * int(dice.integers(1, 10))
            mean[start:end] = np.round(source.mean[back : back + 24] * (1 + dice.normal(0, 0.0005, 24)), 2)
        case _:
            end = start + int(dice.integers(3, 24))
            working = ~c.stopped
            flow[start:end] = np.where(c.stopped[start:end], np.median(c.flow[working]), flow[start:end])
            oxygen[start:end] = np.where(c.stopped[start:end], np.median(c.oxygen[working]), oxygen[start:end])
            mean[start:end] = np.nan
            stopped[start:end] = True
    changed = _converted(replace(c, mean=mean, oxygen=oxygen, flow=flow, stopped=stopped), reference)
    return changed, Truth(screen, c.series, c.first + start, c.first + end - 1)


def score(screen: str, leads: Sequence[Lead], truths: Sequence[Truth]) -> Score:
    """A lead is right when it overlaps a truth of its screen and series; a truth is found when a lead overlaps it."""
    mine = [x for x in leads if x.screen == screen]
    told = [t for t in truths if t.screen == screen]

    def meet(x: Lead, t: Truth) -> bool:
        return x.series == t.series and x.first <= t.last and t.first <= x.last

    right = sum(any(meet(x, t) for t in told) for x in mine)
    delays = []
    for t in told:
        ends = [max(0, x.known - t.first) for x in mine if meet(x, t)]
        if ends:
            delays.append(min(ends))
    return Score(
        right / len(mine) if mine else None, len(delays) / len(told) if told else None,
        float(np.median(delays)) if delays else None, len(mine), len(told),
    )  # fmt: skip


def trial(
    screens: Sequence[str], values: Values, seed: int = 1, outlets: int = 150, hours: int = 24 * 35
) -> dict[str, Score]:
    """Every screen on ``outlets`` channels of which every third is honest and the others carry one fraud each, in turn."""
    dice = np.random.default_rng(seed)
    clean = [honest(n, dice, hours) for n in range(outlets)]
    mixed, truths = [], []
    for n, c in enumerate(clean):
        if n % 3 == 0:
            mixed.append(c)
            continue
        changed, truth = inject(screens[n % len(screens)], c, dice, clean)
        mixed.append(changed)
        truths.append(truth)
    leads = run_all(mixed, values)
    return {s: score(s, leads, truths) for s in screens}
