"""Formulas that stand in the rulebook: checked when it loads, computed for given inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache

from lvheng.core.formula import exact
from lvheng.core.formula.spelling import unknown
from lvheng.core.formula.syntax import WINDOWS, Bands, Name, Node, Param, names, parse
from lvheng.core.formula.units import convert
from lvheng.core.problem import Place, Problem, ProblemError
from lvheng.core.rulebook import Band, Loaded, Rulebook, RuleEntry, Version


@dataclass(frozen=True, slots=True)
class Outcome:
    """A computed value (None when missing, with the reasons) and the versions of all rules used."""

    value: Decimal | None
    unit: str
    reasons: tuple[str, ...]
    refs: tuple[str, ...]


def parameter_unit(book: Rulebook, rule: str) -> str:
    """The unit in which formulas see a parameter: that of its latest version. Raises ProblemError."""
    several = book.versions(rule)
    latest = max(several, key=lambda v: v.entry.valid_from or date.min)
    if latest.entry.kind != "parameter":
        raise ProblemError(
            Problem(
                "core.formula.not_parameter", f"“{rule}”不是参数", got=latest.entry.kind, wanted="parameter",
                fix="公式只能引用参数类规则；分档表用bands。",
            )
        )  # fmt: skip
    return latest.unit


def bands_units(book: Rulebook, rule: str) -> tuple[str, str]:
    """The units of the bounds and of the rates of a table of bands. Raises ProblemError."""
    latest = max(book.versions(rule), key=lambda v: v.entry.valid_from or date.min)
    if not latest.entry.bands:
        raise ProblemError(
            Problem(
                "core.formula.no_bands", f"“{rule}”不是分档表", got=latest.entry.kind, fix="改引有bands的表格类规则。"
            )
        )
    return latest.unit, latest.entry.rate_unit


def steps(version: Version, bound: str, rate: str) -> list[Band]:
    """The bands of a version, stated in the given units."""
    from lvheng.core.quantity import factor

    to_bound, to_rate = factor(version.unit, bound), factor(version.entry.rate_unit, rate)
    return [
        Band.model_validate(
            {
                "from": b.lower * to_bound,
                "to": None if b.upper is None else b.upper * to_bound,
                "rate": b.rate * to_rate,
            }
        )
        for b in version.entry.bands
    ]


def compile_rule(book: Rulebook, entry: RuleEntry, place: Place) -> Node:
    """The checked tree of a formula entry; raises ProblemError."""
    tree = parse(entry.formula, place)
    for node in tree.walk():
        if isinstance(node, WINDOWS):
            raise ProblemError(
                Problem(
                    "core.formula.no_window", "规则公式不能跨时期或地区取数", place=place, got=entry.formula,
                    wanted="只用输入、参数和四则运算", fix="把跨时期或地区的数列为输入，或改写在指标目录中。",
                )
            )  # fmt: skip
    tree = convert(
        tree, entry.unit or "1", place=place,
        variable=lambda name: entry.inputs[name] if name in entry.inputs else unknown(name, entry.inputs, "输入"),
        parameter=lambda rule: parameter_unit(book, rule), bands=lambda rule: bands_units(book, rule),
    )  # fmt: skip
    if unused := [name for name in entry.inputs if name not in names(tree)]:
        raise ProblemError(
            Problem(
                "core.formula.unused_input", "公式没有用到所列的输入", place=place, got="、".join(unused),
                fix="删去该输入，或改正公式。",
            )
        )  # fmt: skip
    return tree


def check_rules(book: Rulebook, found: Iterable[Loaded[RuleEntry]]) -> list[Problem]:
    """Every fault of the formulas in the rulebook, and versions of one parameter whose units do not agree."""
    problems: list[Problem] = []
    for item in found:
        entry = item.entry
        try:
            if entry.kind == "formula" and entry.formula and entry.unit is not None:
                compile_rule(book, entry, item.at("formula"))
            if entry.kind == "parameter" and entry.unit is not None:
                _same_unit(book, item)
        except ProblemError as error:
            problems += error.problems
    return problems


def _same_unit(book: Rulebook, item: Loaded[RuleEntry]) -> None:
    from lvheng.core.quantity import measure

    first = next(v for v in book.versions(item.entry.rule))
    try:
        alike = measure(first.unit)[0] == measure(item.entry.unit or "1")[0]
    except ProblemError:
        return  # told already, at the unit itself
    if not alike:
        raise ProblemError(
            Problem(
                "core.rule.unit_changed", f"“{item.entry.rule}”各版本的计量单位不能换算", place=item.at("unit"),
                got=item.entry.unit or "", wanted=f"可换算为{first.unit}的单位（{first.place}）",
                fix="统一各版本的计量单位，或另立规则编号。",
            )
        )  # fmt: skip


@lru_cache(maxsize=1024)
def _compiled(book: Rulebook, version: Version) -> Node:
    return compile_rule(book, version.entry, version.place)


def compute(book: Rulebook, rule: str, day: date, inputs: Mapping[str, Decimal | None], region: str = "") -> Outcome:
    """A formula of the rulebook for given inputs, each in the unit that the entry states.

    Parameters are those in force on ``day`` in ``region``. A missing input makes the result missing.
    Raises ProblemError when the rule is unknown or not in force, or the inputs are not those asked for.
    """
    version = book.at(rule, day, region)
    entry = version.entry
    if entry.kind != "formula" or set(inputs) != set(entry.inputs):
        raise ProblemError(
            Problem(
                "core.rule.inputs", f"“{version.title}”的输入不符", got="、".join(inputs),
                wanted="、".join(entry.inputs) or "公式类规则", fix="按规则所列的输入逐项提供。",
            )
        )  # fmt: skip
    refs, reasons = [version.ref], []

    def leaf(node: Node) -> Decimal | None:
        if isinstance(node, Name):
            value = inputs[node.code]
            if value is None:
                reasons.append(f"缺少{node.code}")
            return value
        assert isinstance(node, Param)
        return parameter(book, node.rule, day, region, refs, reasons)

    def table(wanted: str) -> Sequence[Band] | None:
        found = book.find(wanted, day, region)
        if found is None:
            reasons.append(f"{wanted}在{day}没有有效版本")
            return None
        refs.append(found.ref)
        return steps(found, *bands_units(book, wanted))

    value = exact.evaluate(_compiled(book, version), leaf, table, reasons)
    if value is not None and entry.rounding:
        value = entry.rounding.apply(value)
    return Outcome(value, entry.unit or "1", tuple(reasons), tuple(dict.fromkeys(refs)))


def parameter(book: Rulebook, rule: str, day: date, region: str, refs: list[str], reasons: list[str]) -> Decimal | None:
    """A parameter in the unit formulas see it in; its version is added to ``refs``, or the reason it lacks."""
    from lvheng.core.quantity import factor

    version = book.find(rule, day, region)
    if version is None:
        reasons.append(f"参数{rule}在{day}没有有效版本")
        return None
    refs.append(version.ref)
    if version.value is None:
        reasons.append(f"参数“{version.title}”待录入")
        return None
    return version.value * factor(version.unit, parameter_unit(book, rule))


def check_examples(book: Rulebook) -> list[Problem]:
    """One problem for each worked example that the rule's own formula does not give."""
    problems = []
    for version in book:
        for example in version.entry.example if version.entry.kind == "formula" else ():
            day = version.entry.valid_from or version.entry.valid_to or date.max
            outcome = compute(book, version.rule, day, example.inputs, version.entry.region)
            if outcome.value is None or abs(outcome.value - example.expected) > example.tolerance:
                problems.append(
                    Problem(
                        "core.rule.example", f"“{version.title}”的算例与公式不符", place=version.place,
                        got=str(outcome.value) if outcome.value is not None else "；".join(outcome.reasons),
                        wanted=f"{example.expected}±{example.tolerance}", source=str(version.source),
                        fix="核对原文，改正公式或算例。",
                    )
                )  # fmt: skip
    return problems


__all__ = ["Bands", "Outcome", "check_examples", "check_rules", "compute"]
