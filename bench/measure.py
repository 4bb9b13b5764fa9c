"""What a benchmark gives, and how time is taken."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """One measured figure beside its baseline, both of the same unit and taken in the same run.

    ``better`` says which way is good; ``aim`` is the ratio (figure ÷ baseline) wished for, if any.
    """

    name: str
    value: float
    unit: str
    baseline: str
    baseline_value: float
    better: str = "higher"
    aim: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float:
        return self.value / self.baseline_value

    @property
    def met(self) -> bool | None:
        if self.aim is None:
            return None
        return self.ratio >= self.aim if self.better == "higher" else self.ratio <= self.aim


def seconds(work: Callable[[], object], repeat: int = 5, warm: int = 1) -> float:
    """Median wall-clock seconds of a call, after warming up, without the collector's pauses."""
    for _ in range(warm):
        work()
    taken = []
    enabled = gc.isenabled()
    gc.disable()
    try:
        for _ in range(repeat):
            started = time.perf_counter()
            work()
            taken.append(time.perf_counter() - started)
    finally:
        if enabled:
            gc.enable()
    return statistics.median(taken)
