"""Statistics of the programmes, of resources and of reductions, from one table of parameters.

Three ways suffice:

amount
    a level or yearly flow of the city, divided over the regions by a weight;
part
    a share of another indicator. What is kept (villages done, berths fitted) only grows: each year's
    increase goes to regions by what they still lack; a flow (tons used) is a share of the year's whole.
    A part is never more than its whole, region by region, unless said so;
level
    a number that is never added up: the city's, and regions about it.

Flows by month or quarter are the year's figure divided; levels move evenly from year-end to year-end.
Frequency, unit and adding-up are the catalogue's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from lvheng.core.period import Kind, Period
from lvheng.core.problem import Place, Problem, ProblemError
from lvheng.demo.city import City, Programme, Row, decimal, whole
from lvheng.demo.draw import capped, seats, split
from lvheng.demo.rows import regional
from lvheng.observations.catalogue import Catalogue, Indicator

SOURCE = "demo.programmes"
Years = dict[str, dict[int, int]]  # region → year → whole units of the last place
Periods = dict[str, dict[Period, int]]
FEW = 2_000  # up to here things kept are given out one by one
SLOW, FAST = 35, 140  # per cent of the common effort, for regions behind and ahead


def rows(city: City, catalogue: Catalogue) -> Iterator[Row]:
    made: dict[tuple[str, str], tuple[Programme, Years, Periods]] = {}
    for entry in city.parameters.programmes:
        indicator = catalogue[entry.indicator]
        years = _years(city, entry, indicator)
        if entry.how == "level":
            yield from _levels(city, entry, indicator, years)
            continue
        whole_ = None
        if entry.how == "amount":
            table = _amount(city, entry, indicator, years)
        else:
            whole_ = made.get((entry.of, entry.item)) or made.get((entry.of, ""))
            if whole_ is None:
                raise _wrong(entry, f"所属总数{entry.of}须列在前面")
            table = _part(city, entry, indicator, years, *whole_[:2])
        inside = whole_[2] if entry.how == "part" and whole_ is not None else None
        periods = {code: dict(_periods(city, entry, indicator, code, row, inside)) for code, row in table.items()}
        made[(entry.indicator, entry.item)] = (entry, table, periods)
        yield from _spread(city, entry, indicator, periods)


def _wrong(entry: Programme, message: str) -> ProblemError:
    return ProblemError(Problem("demo.parameters.programme", message, place=Place(file="data/demo", field=entry.indicator), fix="改正参数文件。"))  # fmt: skip


def _years(city: City, entry: Programme, indicator: Indicator) -> list[int]:
    """The years the parameters speak of; sub-yearly indicators go into the running year."""
    first = entry.from_year or city.years[0]
    last = city.years[-1] if indicator.frequency is Kind.YEAR else city.all_years[-1]
    years = list(range(first, last + 1))
    if len(entry.years) != len(years):
        raise _wrong(entry, f"逐年参数应为{len(years)}个（{first}—{last}年），现为{len(entry.years)}个")
    return years


def _regions(city: City, entry: Programme) -> list[str]:
    return [r.code for r in city.everyone if (r.code in entry.only if entry.only else True)]


def _amount(city: City, entry: Programme, indicator: Indicator, years: Sequence[int]) -> Years:
    totals = [whole(v, entry.places) for v in entry.years]
    if entry.city_only:
        return {city.code: dict(zip(years, totals, strict=True))}
    codes = _regions(city, entry)
    factors = city.stream("programmes", entry.indicator, entry.item).around_one(float(entry.spread), len(codes))
    weights = {c: getattr(city.numbers(c), entry.share) * float(f) for c, f in zip(codes, factors, strict=True)}
    counted = [r.code for r in city.parts if weights.get(r.code)]
    if not counted:
        raise _wrong(entry, "没有一个地区有份额")
    table: Years = {code: {} for code in codes if weights[code]}
    divide = seats if indicator.over_time == "last" and max(totals) <= FEW else split
    for year, total in zip(years, totals, strict=True):
        for code, value in zip(counted, divide(total, [weights[c] for c in counted]), strict=True):
            table[code][year] = value
        own = sum(weights[c] for c in counted)
        for region in city.beside:
            if region.code in table:
                table[region.code][year] = int(total * weights[region.code] / own)
    # A region with nothing in any year does not have the thing at all, and reports nothing of it.
    return {code: row for code, row in table.items() if any(row.values())}


def _part(
    city: City, entry: Programme, indicator: Indicator, years: Sequence[int], of: Programme, total: Years
) -> Years:
    codes = [c for c in total if not entry.only or c in entry.only]
    shift = entry.places - of.places
    wholes = {c: {y: whole(Decimal(total[c][min(y, max(total[c]))]), shift) for y in years} for c in codes}
    if codes == [city.code] or entry.city_only:
        row = wholes.get(city.code) or {y: sum(wholes[c][y] for c in codes) for y in years}
        return {city.code: {y: whole(row[y] * rate / 100, 0) for y, rate in zip(years, entry.years, strict=True)}}
    effort = {c: int(city.numbers(c).effort * 100) for c in codes}
    effort |= dict.fromkeys(entry.behind, SLOW) | dict.fromkeys(entry.ahead, FAST)
    counted = [r.code for r in city.parts if r.code in wholes]
    draws = city.stream("programmes", entry.indicator, entry.item, "part").around_one(float(entry.spread), len(codes))
    own = dict(zip(codes, draws, strict=True))
    table: Years = {c: {} for c in codes}
    before: dict[str, int] = {}
    for year, rate in zip(years, entry.years, strict=True):
        wanted = whole(sum(wholes[c][year] for c in counted) * rate / 100, 0)
        caps = {c: wholes[c][year] for c in codes}
        if not before or indicator.over_time != "last":
            scale = {c: caps[c] * float(own[c]) * (0.6 + 0.4 * effort[c] / 100 if before else 1.0) for c in codes}
            done = _shared(wanted, scale, None if entry.uncapped else caps, counted)
        else:
            kept = {c: min(before[c], caps[c]) for c in codes}
            more = wanted - sum(kept[c] for c in counted)
            if more >= 0:
                room = {c: caps[c] - kept[c] for c in codes}
                weights = {c: room[c] * float(own[c]) * effort[c] / 100 for c in codes}
                step = _shared(more, weights, room, counted)
                done = {c: kept[c] + step[c] for c in codes}
            else:
                step = _shared(-more, {c: kept[c] * float(own[c]) for c in codes}, kept, counted)
                done = {c: kept[c] - step[c] for c in codes}
        for c in codes:
            table[c][year] = done[c]
        before = done
    return table


def _shared(
    total: int, weights: dict[str, float], caps: dict[str, int] | None, counted: Sequence[str]
) -> dict[str, int]:
    """``total`` over the counted regions by weight, none above its cap; the others in proportion."""
    parts = capped(total, [weights[c] for c in counted], None if caps is None else [caps[c] for c in counted])
    found = dict(zip(counted, parts, strict=True))
    base = sum(weights[c] for c in counted)
    for c in weights:
        if c not in found:
            value = int(sum(parts) * weights[c] / base) if base else 0
            found[c] = value if caps is None else min(value, caps[c])
    return found


def _spread(city: City, entry: Programme, indicator: Indicator, periods: Periods) -> Iterator[Row]:
    """Rows at the catalogue's frequency."""

    def reported(code: str, period: Period) -> bool:
        if code in entry.late and period.end > _before_last(city, indicator).end:
            return False
        return period.kind is Kind.YEAR or city.has_reported(code, period)

    if list(periods) == [city.code]:
        for period, value in periods[city.code].items():
            yield Row(
                entry.indicator,
                city.code,
                period.code,
                decimal(value, entry.places),
                indicator.unit,
                SOURCE,
                entry.item,
            )
        return
    yield from regional(
        city, entry.indicator, indicator.unit, entry.places, periods, SOURCE, item=entry.item, reported=reported
    )


def _before_last(city: City, indicator: Indicator) -> Period:
    """The last period that a late region has reported."""
    if indicator.frequency is Kind.YEAR:
        return Period.of_year(city.years[-1] - 1)
    return city.last_month.shift(-6)


def _periods(
    city: City, entry: Programme, indicator: Indicator, code: str, row: dict[int, int], of: Periods | None
) -> Iterator[tuple[Period, int]]:
    """A region's years at the catalogue's frequency; ``of`` are the periods of the whole that this is a part of."""
    kind = indicator.frequency
    if kind is Kind.YEAR:
        yield from ((Period.of_year(y), v) for y, v in row.items())
        return
    n = kind.per_year or 1
    draws = city.stream("season", entry.indicator, entry.item, code).around_one(0.02 if of else 0.1, (len(row), n))
    previous = next(iter(row.values()))
    for (year, value), factors in zip(row.items(), draws, strict=True):
        periods = [Period(kind, year, k) for k in range(1, n + 1)]
        if indicator.over_time != "sum":
            values = [previous + (value - previous) * k // n for k in range(1, n + 1)]
        elif of is not None and code in of:
            # the share moves on within the year, and no month has more than its whole
            wholes = [of[code].get(p, 0) for p in periods]
            drift = 0.5 * (value - previous) / max(value, 1)
            lean = [1 + drift * ((k + 0.5) / n - 0.5) for k in range(n)]
            known = [w or max(wholes) for w in wholes]  # months to come, as large as any
            weights = [w * x * float(f) for w, x, f in zip(known, lean, factors, strict=True)]
            values = capped(value, weights, None if entry.uncapped else known)
        else:
            values = split(value, [float(f) for f in factors])
        yield from ((p, v) for p, v in zip(periods, values, strict=True) if p.end <= city.last_month.end)
        previous = value


def _levels(city: City, entry: Programme, indicator: Indicator, years: Sequence[int]) -> Iterator[Row]:
    steps = max(0, whole(entry.spread, entry.places))
    for code in [city.code, *([] if entry.city_only else _regions(city, entry))]:
        own = city.stream("programmes", entry.indicator, code).one(-steps, steps + 1) if code != city.code else 0
        for year, value in zip(years, entry.years, strict=True):
            figure = decimal(whole(value, entry.places) + own, entry.places)
            yield Row(entry.indicator, code, Period.of_year(year).code, figure, indicator.unit, SOURCE, entry.item)
