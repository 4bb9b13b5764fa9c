"""Exact quantities with the units of Chinese energy and environment statistics.

``tce`` (吨标准煤) is an energy, 29.307 GJ, so that it converts to GJ and 当量 electricity; the
等价 value of electricity is a rule (a factor by year), never a unit conversion.
百分点 and % are different dimensions: a drop of 20 百分点 is not a drop of 20 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from functools import lru_cache

import pint

from lvheng.core.problem import Problem, ProblemError

# Chinese names are aliases of ASCII units; pint parses "吨标准煤/万元" with them.
_DEFINITIONS = """
yuan = [money]
person_count = [person]
piece = [count]
percentage_point = [percentage_point]
index_point = [index_point]
tce = 29.307e9 * joule
kgce = 0.001 * tce
tCO2 = [carbon_dioxide]
household = [household]
""".strip().splitlines()

_ATOMS = {
    "吨标准煤": "tce", "千克标准煤": "kgce", "公斤标准煤": "kgce", "克标准煤": "(0.001*kgce)",
    "tce": "tce", "kgce": "kgce",
    "吨二氧化碳": "tCO2", "千克二氧化碳": "(0.001*tCO2)", "吨CO2": "tCO2", "tCO2": "tCO2", "kgCO2": "(0.001*tCO2)",
    "元": "yuan", "吨": "tonne", "千克": "kilogram", "公斤": "kilogram", "克": "gram", "毫克": "milligram",
    "t": "tonne", "kg": "kilogram", "g": "gram", "mg": "milligram", "μg": "microgram",
    "千瓦时": "kilowatt_hour", "度": "kilowatt_hour", "兆瓦时": "megawatt_hour", "kWh": "kilowatt_hour",
    "MWh": "megawatt_hour", "千瓦": "kilowatt", "兆瓦": "megawatt", "MW": "megawatt", "kW": "kilowatt",
    "千伏安": "kilovolt_ampere",
    "千焦": "kilojoule", "兆焦": "megajoule", "吉焦": "gigajoule", "百万千焦": "gigajoule",
    "kJ": "kilojoule", "MJ": "megajoule", "GJ": "gigajoule",
    "立方米": "meter**3", "m³": "meter**3", "m3": "meter**3", "升": "liter", "L": "liter",
    "平方米": "meter**2", "m²": "meter**2", "平方公里": "kilometer**2", "平方千米": "kilometer**2",
    "公顷": "hectare", "亩": "(2000/3*meter**2)",
    "公里": "kilometer", "千米": "kilometer", "米": "meter", "km": "kilometer", "m": "meter",
    "小时": "hour", "h": "hour", "日": "day", "天": "day", "d": "day", "年": "year", "a": "year", "月": "month",
    "分钟": "minute", "min": "minute", "秒": "second", "s": "second",
    "人": "person_count", "户": "household", "人次": "person_count",
    "个": "piece", "项": "piece", "家": "piece", "座": "piece", "台": "piece", "辆": "piece", "艘": "piece",
    "套": "piece", "县": "piece", "处": "piece", "条": "piece", "件": "piece", "次": "piece", "名": "piece",
    "所": "piece", "宗": "piece", "点": "piece", "片": "piece", "只": "piece", "头": "piece", "批": "piece",
    "只次": "piece", "标准箱": "piece", "泊位": "piece", "箱": "piece", "起": "piece", "份": "piece",
    "%": "percent", "％": "percent", "‰": "(0.1*percent)", "倍": "dimensionless", "1": "dimensionless",
    "": "dimensionless", "无量纲": "dimensionless", "百分点": "percentage_point", "个百分点": "percentage_point",
    "指数": "index_point", "上年=100": "index_point", "分": "index_point", "ppm": "(1e-6*dimensionless)",
    "蒸吨": "(0.7*megawatt*hour)", "摄氏度": "kelvin", "℃": "kelvin", "Pa": "pascal", "kPa": "kilopascal",
}  # fmt: skip
_SCALES = {
    "百亿": 10**10,
    "亿": 10**8,
    "千万": 10**7,
    "百万": 10**6,
    "十万": 10**5,
    "万": 10**4,
    "千": 10**3,
    "百": 10**2,
}


@lru_cache(maxsize=1)
def registry() -> pint.UnitRegistry:
    """The one pint registry, with rational magnitudes so that conversions stay exact (亩 is 2000/3 m²)."""
    ureg: pint.UnitRegistry = pint.UnitRegistry(non_int_type=Fraction, cache_folder=None)
    for line in _DEFINITIONS:
        ureg.define(line)
    return ureg


def _atom(word: str) -> str | None:
    """The pint expression of one factor of a unit as written, e.g. 万吨标准煤."""
    if word in _ATOMS:
        return _ATOMS[word]
    for name, factor in _SCALES.items():
        if word.startswith(name) and word[len(name) :] in _ATOMS:
            return f"({factor}*{_ATOMS[word[len(name) :]]})"
    return None


@lru_cache(maxsize=4096)
def unit(written: str) -> pint.Quantity:
    """The size of a unit as written, e.g. ``unit("吨标准煤/万元")``; raises ProblemError if unknown."""
    text = written.strip().replace("／", "/").replace("·", "*").replace("•", "*")
    parts = text.split("/")
    pieces = []
    for number, part in enumerate(parts):
        factors = [_atom(word.strip()) for word in part.strip("（）()").split("*")]
        if any(f is None for f in factors):
            raise ProblemError(
                Problem(
                    "core.unit.unknown",
                    "计量单位无法识别",
                    got=written,
                    wanted="如吨标准煤、万吨、万元、万千瓦时、立方米/万元、%、百分点",
                    fix="改用目录中的计量单位，复合单位用“/”“·”连接。",
                )
            )
        joined = "*".join(f for f in factors if f)
        pieces.append(f"({joined})" if number == 0 else f"/({joined})")
    quantity = registry().parse_expression("".join(pieces))
    return quantity if isinstance(quantity, pint.Quantity) else registry().Quantity(Fraction(str(quantity)), "")


Dimension = frozenset[tuple[str, Fraction]]


@lru_cache(maxsize=4096)
def measure(written: str) -> tuple[Dimension, Fraction]:
    """The dimension of a unit and its exact size in base units; raises ProblemError if unknown."""
    base = unit(written).to_base_units()
    powers = frozenset((str(name), Fraction(str(power))) for name, power in base.dimensionality.items())
    return powers, Fraction(base.magnitude)


def dimension(written: str) -> str:
    """The dimension of a unit as a printable, comparable text."""
    return "·".join(f"{name}^{power}" for name, power in sorted(measure(written)[0])) or "1"


def compatible(a: str, b: str) -> bool:
    """Whether values in unit a can be stated in unit b."""
    return measure(a)[0] == measure(b)[0]


def exact(ratio: Fraction) -> Decimal:
    """A rational as Decimal: exact where it ends, else to 34 digits (decimal128)."""
    with localcontext(prec=34):
        return Decimal(ratio.numerator) / Decimal(ratio.denominator)


@lru_cache(maxsize=4096)
def factor(from_unit: str, to_unit: str) -> Decimal:
    """Exact factor: value in from_unit × factor = value in to_unit. Raises ProblemError on mismatch."""
    if from_unit == to_unit:
        return Decimal(1)
    (a_dimension, a_size), (b_dimension, b_size) = measure(from_unit), measure(to_unit)
    if a_dimension != b_dimension:
        raise ProblemError(
            Problem(
                "core.unit.mismatch",
                "计量单位不能换算",
                got=from_unit,
                wanted=f"可换算为{to_unit}的单位",
                fix="核对指标的计量单位；百分点与%不能互换。",
            )
        )
    return exact(a_size / b_size)


@dataclass(frozen=True, slots=True)
class Quantity:
    """An exact number with the unit it was stated in."""

    value: Decimal
    unit: str

    def to(self, other: str) -> Quantity:
        return Quantity(self.value * factor(self.unit, other), other)

    def __add__(self, other: Quantity) -> Quantity:
        return Quantity(self.value + other.to(self.unit).value, self.unit)

    def __sub__(self, other: Quantity) -> Quantity:
        return Quantity(self.value - other.to(self.unit).value, self.unit)

    def __str__(self) -> str:
        return f"{show(self.value)}{self.unit}"


def rounded(value: Decimal, places: int) -> Decimal:
    """四舍五入 to a number of decimal places (half away from zero, the rule of published statistics)."""
    return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def show(value: Decimal | None, places: int | None = None) -> str:
    """For people: thousands separators, a true minus sign, a dash for what is missing."""
    if value is None:
        return "—"
    number = rounded(value, places) if places is not None else value
    text = f"{number:,f}"
    if places is None and "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace("-", "−") if number else text.lstrip("-")
