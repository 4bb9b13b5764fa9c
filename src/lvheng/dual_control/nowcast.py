"""Nowcast of the growth of energy from what is known early, and its back-test on the view's own history.

What is known is not predicted: energy of 规上工业 is filed monthly and enters as it is; only the rest of the
total is predicted. For the growth of the rest in a quarter three simple ways stand side by side:

用电   growth of electricity outside industry over the months known of the quarter
上季   growth of the rest in the quarter before
累计   growth of the rest in the year so far (in the year before for a first quarter)

The nowcast takes their mean with weights inverse to the mean squared errors of *earlier* quarters, shrunk
towards equal weights (:func:`lvheng.dual_control.outlook.inverse_error_weights`); nothing of the quarter
that is predicted, or after it, enters. The back-test holds it to two baselines of the total (same growth as
last quarter; growth of the year so far) and to the way it replaced, w·g(规上工业) + (1−w)·g(工业以外用电).
Project design (no official method is published), K-m. Growth in per cent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from lvheng.core.period import Kind, Period
from lvheng.dual_control import outlook
from lvheng.observations.view import View

ENERGY = "energy_total"
INDUSTRY_MONTHLY, POWER, POWER_INDUSTRY = "industry_energy", "electricity_total", "electricity_industry"
BY_POWER, BY_LAST, BY_SO_FAR = "用电", "上季", "累计"
COMBINED, EARLY, LAST, SO_FAR = "本系统预测", "先行指标加权", "上季增速", "累计增速"


def amount(view: View, code: str, region: str, year: int, months: int) -> Decimal | None:
    """A cumulative amount; of a whole year the settled yearly figure where there is one."""
    if code not in view.catalogue or not months:
        return None
    settled = view.value(code, region, Period.of_year(year)) if months == 12 else None
    return settled if settled is not None else view.value(code, region, Period(Kind.YTD, year, months))


def growth(now: Decimal | None, before: Decimal | None) -> float | None:
    """Growth in per cent; None where either is not known or the earlier is zero."""
    return float((now / before - 1) * 100) if now is not None and before else None


def growth_of(view: View, code: str, region: str, year: int, months: int) -> float | None:
    """Growth of the first months of a year over the same months of the year before."""
    return growth(*(amount(view, code, region, y, months) for y in (year, year - 1)))


def less(whole: Decimal | None, part: Decimal | None) -> Decimal | None:
    """What is left of the whole; None where nothing is left or either is not known."""
    return whole - part if whole is not None and part is not None and whole > part else None


@dataclass(frozen=True, slots=True)
class Quarter:
    """One quarter of a region's history: growth of the total and of the rest as they came, and what was said before."""

    period: Period
    total: float | None
    rest: float | None
    said: Mapping[str, float]  # of the rest, by way
    nowcast: float | None  # of the total
    baselines: Mapping[str, float | None]


class Nowcaster:
    """Predictions for the regions of one view, each region's history walked once."""

    def __init__(self, view: View):
        self.view = view
        self._histories: dict[str, list[Quarter]] = {}

    # --- amounts ----------------------------------------------------------------------------------
    def _months(self, code: str, region: str, year: int, first: int, last: int) -> Decimal | None:
        """A monthly indicator over some months of a year; None with a gap."""
        if code not in self.view.catalogue:
            return None
        found = [self.view.value(code, region, Period.of_month(year, m)) for m in range(first, last + 1)]
        return sum((v for v in found if v is not None), Decimal(0)) if None not in found else None

    def _quarter(self, code: str, region: str, year: int, quarter: int) -> Decimal | None:
        return self.view.value(code, region, Period(Kind.QUARTER, year, quarter)) if code in self.view.catalogue else None  # fmt: skip

    def _rest(self, region: str, year: int, quarters: range) -> Decimal | None:
        """The total less 规上工业 over some quarters of a year."""
        out = Decimal(0)
        for q in quarters:
            rest = less(*(self._quarter(code, region, year, q) for code in (ENERGY, INDUSTRY_MONTHLY)))
            if rest is None:
                return None
            out += rest
        return out

    def _rest_growth(self, region: str, year: int, quarters: range) -> float | None:
        return growth(*(self._rest(region, y, quarters) for y in (year, year - 1)))

    def quarter_growth(self, code: str, region: str, year: int, quarter: int) -> float | None:
        """Growth of a quarter over the same quarter of the year before."""
        return growth(*(self._quarter(code, region, y, quarter) for y in (year, year - 1)))

    # --- one quarter ------------------------------------------------------------------------------
    def early_growth(self, region: str, year: int, first: int, last: int) -> tuple[float, float] | None:
        """Growth of 规上工业 energy and of electricity outside industry over months ``first`` to ``last``."""
        industry = growth(*(self._months(INDUSTRY_MONTHLY, region, y, first, last) for y in (year, year - 1)))
        other = growth(
            *(less(*(self._months(c, region, y, first, last) for c in (POWER, POWER_INDUSTRY))) for y in (year, year - 1))
        )  # fmt: skip
        return (industry, other) if industry is not None and other is not None else None

    def early_months(self, region: str, year: int) -> int:
        """Months of the year for which both early indicators are known without a gap."""
        return next((m for m in range(12, 0, -1) if self.early_growth(region, year, 1, m) is not None), 0)

    def industry_share(self, region: str, year: int, quarter: int) -> float | None:
        """Share of 规上工业 in the total of the same quarter of the year before."""
        whole, part = (self._quarter(code, region, year - 1, quarter) for code in (ENERGY, INDUSTRY_MONTHLY))
        return float(part / whole) if whole and part is not None and part < whole else None

    def _said(self, region: str, year: int, quarter: int, other: float | None) -> dict[str, float]:
        before = (year, quarter - 1) if quarter > 1 else (year - 1, 4)
        ways = {
            BY_POWER: other,
            BY_LAST: self._rest_growth(region, before[0], range(before[1], before[1] + 1)),
            BY_SO_FAR: self._rest_growth(region, before[0], range(1, before[1] + 1)),
        }
        return {name: value for name, value in ways.items() if value is not None}

    def _errors(self, region: str, before: Period) -> dict[str, list[float]]:
        out: dict[str, list[float]] = {}
        for q in self._histories.get(region, []):
            if q.period < before and q.rest is not None:
                for name, value in q.said.items():
                    out.setdefault(name, []).append(value - q.rest)
        return out

    def quarter(self, region: str, year: int, quarter: int, months: int = 3) -> float | None:
        """Nowcast of the growth of the total in a quarter of which ``months`` months are known early; None without them."""
        self.history(region)
        return self._quarter_nowcast(region, year, quarter, months)[0]

    def _quarter_nowcast(self, region: str, year: int, quarter: int, months: int) -> tuple[float | None, dict[str, float]]:  # fmt: skip
        first = 3 * quarter - 2
        early = self.early_growth(region, year, first, first + months - 1)
        share = self.industry_share(region, year, quarter)
        said = self._said(region, year, quarter, early[1] if early else None)
        if early is None or share is None:  # without an early sign this would only be the past carried on
            return None, said
        weights = outlook.inverse_error_weights(
            self._errors(region, Period(Kind.QUARTER, year, quarter)), list(said)
        )  # fmt: skip
        rest = sum(weights[name] * value for name, value in said.items())
        return outlook.energy_nowcast(
            {"规上工业": share, "其他": 1 - share}, {"规上工业": early[0], "其他": rest}
        ), said

    # --- history ----------------------------------------------------------------------------------
    def history(self, region: str) -> list[Quarter]:
        """Quarters since the first plan year, oldest first, to the last with a settled total."""
        if region not in self._histories:
            self._histories[region] = out = []
            for year in range(self.view.plan.header.first_year, self.view.today.year + 1):
                for quarter in range(1, 5):
                    nowcast, said = self._quarter_nowcast(region, year, quarter, 3)
                    before = (year, quarter - 1) if quarter > 1 else (year - 1, 4)
                    baselines = {
                        EARLY: self._weighted(region, year, quarter),
                        LAST: self.quarter_growth(ENERGY, region, *before),
                        SO_FAR: growth_of(self.view, ENERGY, region, before[0], 3 * before[1]),
                    }
                    out.append(
                        Quarter(
                            Period(Kind.QUARTER, year, quarter), self.quarter_growth(ENERGY, region, year, quarter),
                            self._rest_growth(region, year, range(quarter, quarter + 1)), said, nowcast, baselines,
                        )
                    )  # fmt: skip
            while out and out[-1].total is None:
                out.pop()
        return self._histories[region]

    def _weighted(self, region: str, year: int, quarter: int) -> float | None:
        """The way this nowcast replaced: early indicators by their shares in the last settled year."""
        share = next(
            (float(part / whole)
             for y in range(year - 1, self.view.plan.header.base_year - 1, -1)
             for whole, part in [[amount(self.view, c, region, y, 12) for c in (ENERGY, INDUSTRY_MONTHLY)]]
             if whole and part is not None and part < whole),
            None,
        )  # fmt: skip
        early = self.early_growth(region, year, 3 * quarter - 2, 3 * quarter)
        return None if share is None or early is None else share * early[0] + (1 - share) * early[1]

    # --- cumulative months ------------------------------------------------------------------------
    def ytd(self, region: str, year: int, months: int) -> float | None:
        """Growth of the first ``months`` months: settled quarters as they are, the others by the nowcast.

        Within a running quarter last year's energy counts by months in equal parts (it is known by quarter only).
        None where a quarter can neither be known nor predicted.
        """
        base = grown = 0.0
        for quarter in range(1, (months + 2) // 3 + 1):
            covered = min(3, months - 3 * (quarter - 1))
            before = self._quarter(ENERGY, region, year - 1, quarter)
            rate = self.quarter_growth(ENERGY, region, year, quarter) if covered == 3 else None
            if rate is None:
                rate = self.quarter(region, year, quarter, covered)
            if not before or rate is None:
                return None
            base += float(before) * covered / 3
            grown += float(before) * covered / 3 * rate / 100
        return grown / base * 100 if base else None


def backtest(nowcaster: Nowcaster, region: str) -> list[outlook.Tested]:
    """The nowcast and what it is held to, over the same quarters; errors in percentage points."""
    history = nowcaster.history(region)
    others = {name: [q.baselines[name] for q in history] for name in (EARLY, LAST, SO_FAR)}
    return outlook.backtest([q.total for q in history], {COMBINED: [q.nowcast for q in history], **others})
