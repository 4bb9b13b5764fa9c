"""Screens on injected frauds and on honest outlets, and each on the shape it is meant for."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from lvheng.telemetry.screens import Channel, clipped, cloned, constant, diluted, names, read_values, run_all, running
from lvheng.telemetry.screens.inject import honest, inject, trial

from ..validity.support import BOOK

DAY = date(2026, 6, 1)
VALUES = read_values(BOOK, DAY)
SCREENS = ("F01", "F02", "F06", "F08", "F12")


def test_every_screen_has_a_name_and_a_meaning() -> None:
    assert set(names(BOOK, DAY)) == set(SCREENS)


def test_precision_and_recall_on_injected_frauds() -> None:
    for screen, found in trial(SCREENS, VALUES, seed=11, outlets=90).items():
        assert found.truths == 12, screen
        assert (0 if found.recall is None else found.recall) >= 0.85, (screen, found)
        assert (0 if found.precision is None else found.precision) >= 0.75, (screen, found)
        assert (999 if found.delay is None else found.delay) <= 120, (screen, found)


def test_honest_outlets_raise_few_leads() -> None:
    dice = np.random.default_rng(5)
    leads = run_all([honest(n, dice) for n in range(60)], VALUES)  # 35 days of 60 outlets: 5.8 outlet-years
    assert len(leads) <= 6, leads


def plain(mean: np.ndarray, **more: object) -> Channel:
    n = len(mean)
    base = Channel(1, 24 * 20_000, mean, mean, np.full(n, 12.0), np.full(n, 50.0), np.zeros(n, dtype=bool), 50.0)
    return replace(base, **more)  # type: ignore[arg-type]


def test_coarse_readings_repeat_honestly() -> None:
    dice = np.random.default_rng(1)
    coarse = plain(np.round(dice.normal(5, 0.3, 1000)))  # one digit: the same value most of the time
    assert not constant(coarse, VALUES)
    fine = dice.normal(5, 0.3, 1000)
    fine[500:506] = 5.123
    (lead,) = constant(plain(fine), VALUES)
    assert (lead.first, lead.last, lead.seen["hours"]) == (24 * 20_000 + 500, 24 * 20_000 + 505, 6.0)


def test_a_gap_breaks_a_run() -> None:
    x = np.random.default_rng(1).normal(5, 0.3, 1000)
    x[500:506] = 5.123
    x[503] = np.nan
    assert not constant(plain(x), VALUES)


def test_without_a_limit_nothing_is_clipped() -> None:
    x = np.full(400, 49.5)
    assert not clipped(plain(x, limit=None), VALUES)
    assert clipped(plain(x), VALUES)


def test_oxygen_that_follows_load_is_no_dilution() -> None:
    dice = np.random.default_rng(2)
    load = np.where(np.arange(600) > 400, 0.4, 0.9) + dice.normal(0, 0.03, 600)
    oxygen = 12 - 8 * (load - 0.9) + dice.normal(0, 0.1, 600)
    swing = 0.9 - 0.5 * (np.arange(600) % 48 < 12)  # it idled before, too
    load = np.minimum(load, swing)
    oxygen = 12 - 8 * (load - 0.9) + dice.normal(0, 0.1, 600)
    mean = 40 * (21 - oxygen) / 12
    assert not diluted(plain(mean, oxygen=oxygen, flow=60 * load, converted=np.full(600, 40.0)), VALUES)


def test_a_day_copied_from_another_outlet() -> None:
    dice = np.random.default_rng(3)
    a, b = honest(1, dice), honest(2, dice)
    copy = a.mean.copy()
    source = next(d for d in range(3, 30) if not np.isnan(b.mean[24 * d : 24 * d + 24]).any())
    copy[24 * 33 : 24 * 34] = b.mean[24 * source : 24 * source + 24]
    (lead,) = cloned([replace(a, mean=copy), b], VALUES)
    assert (lead.series, lead.first, lead.seen["series"], lead.seen["day"]) == (1, 24 * 33, 2.0, float(source))


def test_standstill_with_air_is_honest() -> None:
    dice = np.random.default_rng(4)
    c = honest(1, dice)
    assert not running(c, VALUES)
    changed, truth = inject("F12", c, dice)
    assert any(x.first <= truth.last and truth.first <= x.last for x in running(changed, VALUES))


@pytest.mark.parametrize("screen", SCREENS)
def test_nothing_is_found_in_nothing(screen: str) -> None:
    empty = plain(np.full(100, np.nan), oxygen=np.full(100, np.nan), flow=np.full(100, np.nan))
    assert run_all([empty], VALUES) == []
    assert run_all([], VALUES) == []
