"""The decomposition workbench: what a view knows of the counties, and a solution under given settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from lvheng.core.period import Period
from lvheng.core.problem import Problem, ProblemError, Severity
from lvheng.core.quantity import show
from lvheng.core.region import Region
from lvheng.dual_control import rules as control
from lvheng.dual_control.rules import County, Factor, Method, Scored
from lvheng.observations.view import View
from lvheng.plan.rules import HUNDRED, ONE, equal_annual_rate, exact
from lvheng.plan.schema import Target

# intensity target → (energy or carbon, output)
PARTS = {
    "energy_intensity_decline": ("energy_total", "gdp_constant"),
    "co2_intensity_decline": ("co2_energy", "gdp_constant"),
}


def intensity_target(view: View) -> Target:
    """The plan's cumulative intensity target; raises ProblemError when the plan has none."""
    for target in view.plan.targets:
        if target.indicator in PARTS and target.measure == "cumulative_decline" and target.value is not None:
            return target
    raise ProblemError(
        Problem(
            "dual_control.target.unknown",
            "本方案没有强度下降目标",
            got=view.plan.header.short,
            fix="改选有强度目标的方案。",
        )
    )


@dataclass(slots=True)
class Settings:
    """What a person sets. Growth is the yearly growth of GDP in per cent, by county code; pins by county code."""

    target: Decimal
    method: Method = Method.BANDED
    step: Decimal = Decimal("0.1")
    half_width: Decimal = Decimal("2.5")
    incentive: Decimal = Decimal("0.5")
    growth: dict[str, Decimal] = field(default_factory=dict)
    pins: dict[str, Decimal] = field(default_factory=dict)
    weights: dict[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One county on the bench: its base, growth, score, and what it gets. ``target`` None while infeasible."""

    region: Region
    energy0: Decimal | None
    gdp0: Decimal | None
    growth: Decimal | None
    score: Scored | None
    target: Decimal | None
    incentive: Decimal | None
    yearly: Decimal | None
    weight: Decimal | None
    at: str


@dataclass(frozen=True, slots=True)
class Bench:
    """The bench with its solution; ``implied`` is the city's decline that the rows bring."""

    rows: tuple[Row, ...]
    counties: tuple[County, ...]
    factors: tuple[Factor, ...]
    implied: Decimal | None
    feasible: bool
    problems: tuple[Problem, ...]
    rule_refs: tuple[str, ...]
    places: int


def defaults(view: View, target: Target) -> Settings:
    """Settings as the rulebook has them for the plan's city; growth from what was planned for the first year."""
    start, city = view.plan.header.period.start, view.plan.header.city

    def parameter(name: str) -> Decimal:
        value = view.rulebook.at(f"decomposition.{name}", start, city).value
        assert value is not None
        return value

    assert target.value is not None
    growth = {}
    for region in counted(view):
        planned = view.value("gdp_growth_target", region.code, Period.of_year(view.plan.header.first_year)) if "gdp_growth_target" in view.catalogue else None  # fmt: skip
        if planned is not None:
            growth[region.code] = planned
    weights = {str(r["code"]): Decimal(r["weight"] or 0) for r in factor_rows(view)}
    return Settings(
        target.value,
        half_width=parameter("half_width"),
        incentive=parameter("incentive_addition"),
        growth=growth,
        weights=weights,
    )


def counted(view: View) -> list[Region]:
    """The counties that add up to the city, each once."""
    return view.plan.regions.parts(view.plan.header.city)


def factor_rows(view: View) -> list[dict[str, Any]]:
    return view.rulebook.at("decomposition.factors", view.plan.header.period.start, view.plan.header.city).rows()


def _ratio(view: View, region: str, row: dict[str, Any], base: Period) -> Decimal | None:
    if row["numerator"] not in view.catalogue or (row["denominator"] and row["denominator"] not in view.catalogue):
        return None
    top = view.value(row["numerator"], region, base)
    if not row["denominator"]:
        return top
    below = view.value(row["denominator"], region, base)
    return top / below if top is not None and below else None


def _listed(names: list[str], most: int = 8) -> str:
    return "、".join(names[:most]) + (f"等{len(names)}个地区" if len(names) > most else "")


@exact
def solve(view: View, target: Target, settings: Settings) -> Bench:
    """The bench under the settings: scores, bounds and targets; every gap in the base data is a problem."""
    header = view.plan.header
    base = Period.of_year(target.baseline_year or header.base_year)
    energy_code, output_code = PARTS[target.indicator]
    years = header.years
    problems: list[Problem] = []
    regions = counted(view)
    energy = {r.code: view.value(energy_code, r.code, base) for r in regions}
    gdp = {r.code: view.value(output_code, r.code, base) for r in regions}
    absent = [
        (known, view.catalogue[code].name.zh)
        for known, code in ((energy, energy_code), (gdp, output_code))
        if any(v is None for v in known.values())
    ]
    for known, title in absent:
        names = _listed([r.name for r in regions if known[r.code] is None])
        problems.append(Problem("dual_control.base.missing", f"缺少{base.label}{title}，不能分解", got=names, fix="补录基年数据。"))  # fmt: skip
    if names := _listed([r.name for r in regions if r.code not in settings.growth]):
        problems.append(Problem("dual_control.growth.missing", "没有预期增速，不能分解", got=names, wanted="年均增速，%", fix="填写预期增速。"))  # fmt: skip
    for region in regions:
        given = settings.growth.get(region.code)
        if given is not None and not Decimal(-20) <= given <= Decimal(40):
            problems.append(Problem("dual_control.growth.range", f"“{region.name}”预期增速不合常理", got=show(given), wanted="年均−20%至40%", fix="核对增速，单位为每年百分之几。"))  # fmt: skip
    rows = factor_rows(view)
    values = {r.code: {row["code"]: _ratio(view, r.code, row, base) for row in rows} for r in regions}
    factors = []
    for row in rows:
        weight = settings.weights.get(row["code"], Decimal(0))
        if weight and all(values[r.code][row["code"]] is None for r in regions):
            problems.append(
                Problem(
                    "dual_control.factor.absent",
                    f"“{row['name']}”没有数据，本次未计入",
                    Severity.NOTICE,
                    fix="补录数据后再设权重。",
                )
            )
            weight = Decimal(0)
        factors.append(Factor(row["code"], row["name"], int(row["sign"]), weight))
    scored: dict[str, Scored] = {}
    if settings.method is Method.BANDED:
        found, more = control.score(values, factors)
        problems += more
        scored = {s.code: s for s in found}
    refs = [
        "decomposition.factors",
        "decomposition.bands",
        "decomposition.half_width",
        "decomposition.incentive_addition",
    ]
    versions = [view.rulebook.at(name, header.period.start, header.city) for name in refs]
    places = max(0, *(-int(v.normalize().as_tuple().exponent) for v in (settings.step, settings.incentive, *settings.pins.values())))  # fmt: skip
    counties: list[County] = []
    solution = None
    if not any(p.severity is Severity.BLOCKER for p in problems):
        bands = [
            (None if r["lower"] is None else Decimal(r["lower"]), Decimal(r["points"] or 0)) for r in versions[1].rows()
        ]
        whole = [sum((known[r.code] or Decimal(0) for r in regions), Decimal(0)) for known in (energy, gdp)]
        city_intensity = whole[0] / whole[1]
        for region in regions:
            e, g = energy[region.code], gdp[region.code]
            if e is None or g is None:  # said above
                continue
            offset = control.band_offset(scored[region.code].score, bands) if region.code in scored else Decimal(0)
            counties.append(
                County(
                    region.code, region.name, e, g, g * (ONE + settings.growth[region.code] / HUNDRED) ** years,
                    low=max(Decimal(0), settings.target - settings.half_width), high=settings.target + settings.half_width,
                    offset=offset, potential=e / g / city_intensity if g > 0 else ONE, pin=settings.pins.get(region.code),
                )
            )  # fmt: skip
        solution = control.solve(counties, settings.target, settings.method, step=settings.step)
        problems += solution.problems
    shares = {s.code: s for s in solution.shares} if solution else {}
    feasible = bool(solution and solution.feasible)
    out = []
    for region in regions:
        share = shares.get(region.code)
        value = share.target if share and feasible else None
        out.append(
            Row(
                region, energy[region.code], gdp[region.code], settings.growth.get(region.code), scored.get(region.code),
                value, None if value is None else value + settings.incentive,
                None if value is None or value <= 0 else equal_annual_rate(value, years), share.weight if share else None,
                share.at if share else "",
            )
        )  # fmt: skip
    return Bench(
        tuple(out), tuple(counties), tuple(factors), solution.implied if solution else None, feasible, tuple(problems),
        tuple(v.ref for v in versions), places,
    )  # fmt: skip


# --- tons --------------------------------------------------------------------------------------------
TONS_BY = ("gdp_constant", "energy_total", "energy_industry", "population")  # what tons may be shared out by


@dataclass(frozen=True, slots=True)
class Tons:
    """A target in whole tons shared out; the parts sum exactly to the target (largest remainder)."""

    target: Target
    by: str
    rows: tuple[tuple[Region, Decimal, int], ...]


def tons_targets(view: View) -> list[Target]:
    """The plan's amounts in tons that are shared out to counties."""
    return [
        t
        for t in view.plan.targets
        if t.counties == "share"
        and t.value is not None
        and t.unit in ("吨", "万吨")
        and t.measure == "cumulative_amount"
    ]


def share_tons(view: View, target: Target, by: str) -> Tons:
    """Share out by a base-year figure of the counties; raises ProblemError naming every county without it."""
    base = Period.of_year(view.plan.header.base_year)
    regions = counted(view)
    values = {r.code: view.value(by, r.code, base) if by in view.catalogue else None for r in regions}
    if absent := [r.name for r in regions if values[r.code] is None or (values[r.code] or 0) < 0]:
        raise ProblemError(
            Problem("dual_control.tons.missing", f"缺少{base.label}分配依据，不能分解", got="、".join(absent[:8]), fix="补录后再分解，或换一种依据。")
        )  # fmt: skip
    value = (target.value or Decimal(0)) * (10_000 if target.unit == "万吨" else 1)
    if value != int(value) or value < 0:
        raise ProblemError(
            Problem("dual_control.tons.whole", "目标不是整数吨，不能按整数分解", got=show(value), fix="改用整数吨。")
        )
    shares = [values[r.code] or Decimal(0) for r in regions]
    if not any(shares):
        raise ProblemError(Problem("dual_control.tons.zero", "分配依据合计为零", fix="换一种依据。"))
    parts = control.largest_remainder(int(value), shares)
    return Tons(target, by, tuple((r, s, n) for r, s, n in zip(regions, shares, parts, strict=True)))
