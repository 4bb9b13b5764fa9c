"""LMDI-I additive decomposition of a change of energy into activity, structure and intensity. Exact sum.

Zero rule (the limits of the logarithmic mean, not a small number put in): a category that appears or
disappears with its output goes wholly to structure; one whose energy alone is or becomes zero goes wholly
to intensity; one that is zero in both years contributes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from lvheng.core.problem import Problem, ProblemError
from lvheng.core.quantity import show
from lvheng.plan.rules import exact

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Category:
    """One county, industry, or county × industry: energy and output of both years (same units, same prices)."""

    name: str
    energy0: Decimal
    energy1: Decimal
    output0: Decimal
    output1: Decimal


@dataclass(frozen=True, slots=True)
class Effect:
    """The three effects of a category, in the unit of energy; they sum to its change."""

    name: str
    activity: Decimal
    structure: Decimal
    intensity: Decimal

    @property
    def total(self) -> Decimal:
        return self.activity + self.structure + self.intensity


@dataclass(frozen=True, slots=True)
class Lmdi:
    """Effects by category and their sums; ``apart`` is change without output (居民生活)."""

    effects: tuple[Effect, ...]
    apart: Decimal

    @property
    def activity(self) -> Decimal:
        return sum((e.activity for e in self.effects), ZERO)

    @property
    def structure(self) -> Decimal:
        return sum((e.structure for e in self.effects), ZERO)

    @property
    def intensity(self) -> Decimal:
        return sum((e.intensity for e in self.effects), ZERO)

    @property
    def change(self) -> Decimal:
        return self.activity + self.structure + self.intensity + self.apart

    def grouped(self, key: Callable[[str], str]) -> list[Effect]:
        """Effects summed by a key of the category's name (by county, by industry)."""
        out: dict[str, Effect] = {}
        for e in self.effects:
            k = key(e.name)
            o = out.get(k, Effect(k, ZERO, ZERO, ZERO))
            out[k] = Effect(k, o.activity + e.activity, o.structure + e.structure, o.intensity + e.intensity)
        return list(out.values())


def _log_mean(a: Decimal, b: Decimal) -> Decimal:
    return a if a == b else (a - b) / (a / b).ln()


@exact
def lmdi(categories: Sequence[Category], living0: Decimal = ZERO, living1: Decimal = ZERO) -> Lmdi:
    """Effects between year 0 and year 1; raises ProblemError on negative input, no output, or energy without output."""
    for c in categories:
        for value, title in (
            (c.energy0, "基期能耗"),
            (c.energy1, "报告期能耗"),
            (c.output0, "基期产出"),
            (c.output1, "报告期产出"),
        ):
            if value < 0:
                raise ProblemError(
                    Problem("dual_control.lmdi.negative", f"“{c.name}”{title}为负数", got=show(value), fix="改正数据。")
                )
        for energy, output in ((c.energy0, c.output0), (c.energy1, c.output1)):
            if energy > 0 and output == 0:
                raise ProblemError(Problem("dual_control.lmdi.no_output", f"“{c.name}”有能耗而无产出，不能分解", got=show(energy), fix="补录产出；居民生活等无产出的能耗单列。"))  # fmt: skip
    total0 = sum((c.output0 for c in categories), ZERO)
    total1 = sum((c.output1 for c in categories), ZERO)
    if total0 <= 0 or total1 <= 0:
        raise ProblemError(Problem("dual_control.lmdi.no_total", "产出合计须为正数", fix="补录产出。"))
    growth = (total1 / total0).ln()
    effects = []
    for c in categories:
        change = c.energy1 - c.energy0
        if c.energy0 == 0 or c.energy1 == 0:
            appears = c.output0 == 0 or c.output1 == 0
            effects.append(Effect(c.name, ZERO, change if appears else ZERO, ZERO if appears else change))
            continue
        weight = _log_mean(c.energy1, c.energy0)
        activity = weight * growth
        structure = weight * ((c.output1 / total1) / (c.output0 / total0)).ln()
        intensity = weight * ((c.energy1 / c.output1) / (c.energy0 / c.output0)).ln()
        effects.append(Effect(c.name, activity, structure, intensity))
    return Lmdi(tuple(effects), living1 - living0)
