"""The GB/T 2589 account of a unit: from its accepted 205-1/205-2 filings, or from the figures recorded of it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from lvheng.core.period import Kind, Period
from lvheng.core.problem import Place
from lvheng.energy import data
from lvheng.energy.accounts import Account, Carrier, Line, account
from lvheng.energy.carbon import CO2
from lvheng.energy.unit_table import emissions, emissions_of_tce
from lvheng.filing.forms.data import load, number
from lvheng.filing.models import FilingVersion
from lvheng.observations.models import Observation, Subject

PURCHASE, CONVERSION = "energy_purchase", "energy_conversion"
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class UnitAccount:
    """An account with where it comes from; ``filings`` are those it rests on, empty when it is of recorded figures."""

    period: Period
    account: Account
    co2: CO2
    filings: tuple[int, ...]
    products: list[
        tuple[str, Decimal, str, Decimal | None, Decimal | None]
    ]  # name, output, unit, 当量 and 等价 per unit


def periods(unit: Subject) -> tuple[list[Period], list[Period]]:
    """Cumulative periods with an accepted 205-1, and years and cumulative months with recorded figures; latest first."""
    filed = FilingVersion.objects.filter(
        state="accepted", filing__form=PURCHASE, filing__body__subject=unit
    ).values_list("filing__period", flat=True)
    months = [Period.parse(p) for p in filed]
    recorded = sorted(set(Observation.objects.filter(subject=unit, indicator="energy_use").values_list("period", flat=True)))  # fmt: skip
    by_year: dict[int, int] = {}
    for code in recorded:
        p = Period.parse(code)
        if p.kind is Kind.MONTH:
            by_year[p.year] = max(by_year.get(p.year, 0), p.part)
    whole = [Period.of_year(y) if m == 12 else Period(Kind.YTD, y, m) for y, m in sorted(by_year.items(), reverse=True)]
    return sorted({Period(Kind.YTD, m.year, m.part) for m in months}, key=lambda p: p.end, reverse=True), whole


def _rows(unit: Subject, form: str, month: str, sheet: str) -> tuple[int, list[dict[str, str | None]]]:
    """(filing, rows) of the accepted version of a unit's form; 0 when there is none."""
    version = (
        FilingVersion.objects.filter(
            state="accepted", filing__form=form, filing__body__subject=unit, filing__period=month
        )
        .order_by("-number")
        .select_related("filing")
        .first()
    )
    if version is None:
        return 0, []
    return version.filing_id, [r.cells for r in (load(version.data) or {}).get(sheet, []) if r.cells.get("fuel") not in (None, "", "total")]  # fmt: skip


def filed(unit: Subject, period: Period, *, at: int) -> UnitAccount | None:
    """The account of the cumulative 205-1 and 205-2 of a month; None when no 205-1 is accepted."""
    month = Period.of_month(period.year, period.part).code
    first, purchase = _rows(unit, PURCHASE, month, "energy")
    if not first:
        return None
    second, conversion = _rows(unit, CONVERSION, month, "conversion")
    known = data.carriers(period.year)
    converted = {r["fuel"]: r for r in conversion}
    own = {r["fuel"] for r in purchase}
    lines = []
    for row in [*purchase, *({"fuel": f, "use": "0", "factor": r.get("factor")} for f, r in converted.items() if f not in own)]:  # fmt: skip
        code = row["fuel"] or ""
        if code not in known:
            continue
        more = converted.get(code, {})
        factor = number(row.get("factor"))
        measured, chosen, reason = _factor(known[code], factor)
        lines.append(
            Line(
                code, number(row.get("use")), number(row.get("use_feedstock")) or ZERO, number(more.get("input")) or ZERO,
                number(more.get("output")) or ZERO, number(more.get("recovered")) or ZERO, measured, chosen, reason,
                Place(table="205-1", field=known[code].name),
            )
        )  # fmt: skip
    found = account(lines, known, band_pct=data.measured_band(period.year))
    return UnitAccount(period, found, emissions(lines, known, period.year), tuple(f for f in (first, second) if f), products(unit, period, found, at=at))  # fmt: skip


def _factor(carrier: Carrier, factor: Decimal | None) -> tuple[Decimal | None, Decimal | None, str]:
    """(measured, chosen, reason) of the factor that a line of 205-1 was filed with."""
    if factor is None or (carrier.low == carrier.high == factor):
        return None, None, ""
    if carrier.low != carrier.high and carrier.low <= factor <= carrier.high:
        return None, factor, "205-1表采用折标系数"
    return factor, None, ""


def recorded(unit: Subject, period: Period, *, at: int) -> UnitAccount | None:
    """The account of what is recorded of a unit by month, in tce (当量) by fuel; None when there is nothing.

    The tce were made with the factors filed; 等价 of electricity is put in by the ratio of the year's factors.
    """
    months = [m.code for m in period.months()]
    rows = Observation.objects.filter(
        subject=unit, indicator="energy_use", period__gte=months[0], period__lte=months[-1], posting_id__lte=at
    ).order_by("vintage")
    latest = {(o.period, o.item): o.value for o in rows if len(o.period) == 7}
    if not latest:
        return None
    known = data.carriers(period.year)
    sums: dict[str, Decimal] = {}
    for (_period, item), value in latest.items():
        sums[item] = sums.get(item, ZERO) + (value or ZERO)
    in_tce = {
        code: Carrier(code, c.name, c.group, "吨标准煤", Decimal(1), Decimal(1), None if c.equivalent is None else c.equivalent / c.low, c.co2)
        for code, c in known.items()
    }  # fmt: skip
    lines = [Line(code, amount, place=Place(table="入库数据", field=known[code].name)) for code, amount in sums.items() if code in known]  # fmt: skip
    found = account(lines, in_tce, band_pct=data.measured_band(period.year))
    return UnitAccount(period, found, emissions_of_tce(sums, period.year), (), products(unit, period, found, at=at))


def products(unit: Subject, period: Period, found: Account, *, at: int) -> list[tuple[str, Decimal, str, Decimal | None, Decimal | None]]:  # fmt: skip
    """Products of a complete year with the unit's energy over each; kgce per unit of product.

    The whole of the unit's energy is set against each product, as for a unit that makes one.
    """
    if period.kind is not Kind.YEAR:
        return []
    rows = Observation.objects.filter(subject=unit, indicator="product_output", period=period.code, posting_id__lte=at).order_by("vintage")  # fmt: skip
    latest = {o.item: o for o in rows}
    whole = found.comprehensive
    return [
        (
            o.item, o.value, o.unit, whole.calorific * 1000 / o.value if found.complete else None,
            whole.equivalent * 1000 / o.value if found.complete and whole.equivalent is not None else None,
        )
        for o in latest.values() if o.value
    ]  # fmt: skip
