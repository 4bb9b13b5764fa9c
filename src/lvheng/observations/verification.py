"""复算核对: figures that an authority published, computed again from other published figures.

Cases are data (``data/verification/*.yaml``). Each states the published value, the formula over named inputs (a
number of its own, or a reference to a published observation), the decimals it was published with, the largest
difference that rounding explains, and the sentence that says why. A case that does not come out is shown as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Literal, NoReturn

from pydantic import model_validator

from lvheng.core.formula import exact
from lvheng.core.formula.syntax import WINDOWS, Bands, Name, Node, Param, names, parse
from lvheng.core.formula.units import convert
from lvheng.core.period import Period
from lvheng.core.problem import Place, Problem, ProblemError
from lvheng.core.quantity import rounded, show
from lvheng.core.rulebook import SourceEntry, Title
from lvheng.core.source import Confidence, Source
from lvheng.core.yamlfile import Document, Entry, load, validate
from lvheng.observations.published import Published

Lookup = Callable[[str, str, str, str], tuple[Decimal, str] | None]
"""(indicator, region, period code, item) → published value and its unit, or None."""


class Input(Entry):
    """A named input: ``value`` and ``unit`` of its own, or the observation it is."""

    label: str
    value: Decimal | None = None
    unit: str = ""
    indicator: str = ""
    region: str = ""
    period: str = ""
    item: str = ""

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Input:
        if (self.value is None) == (not self.indicator):
            raise ValueError("输入应为数值，或公开发布的一项数据，二者取一")
        if self.indicator and not (self.region and self.period):
            raise ValueError("引用公开发布的数据须写明地区和期间")
        return self


class Group(Entry):
    """Cases of one kind. ``order`` says where on the page it stands; equal ones follow files and their order there."""

    id: str
    title: Title
    note: str = ""
    order: int = 100


class Case(Entry):
    """One published figure and how to compute it again.

    ``compare``: equal – the computed value against ``published`` within ``tolerance``; at_least_zero and
    below_zero – the published words (``outcome``) say on which side of zero the computed value lies.
    """

    id: str
    group: str
    title: Title
    region: str
    period: str = ""
    compare: Literal["equal", "at_least_zero", "below_zero"] = "equal"
    published: Decimal | None = None
    outcome: str = ""
    unit: str
    places: int
    tolerance: Decimal = Decimal(0)
    formula: str
    inputs: dict[str, Input]
    rounding: str
    source: SourceEntry
    note: str = ""

    @model_validator(mode="after")
    def _something_to_compare_with(self) -> Case:
        if (self.compare == "equal") != (self.published is not None) or (self.compare == "equal") == bool(self.outcome):
            raise ValueError("比较数值的应有published，比较结论的应有outcome")
        return self


class CasesFile(Entry):
    groups: tuple[Group, ...] = ()
    cases: tuple[Case, ...] = ()


@dataclass(frozen=True, slots=True)
class Used:
    """An input with the value it had; None where the observation was not found."""

    name: str
    entry: Input
    value: Decimal | None
    unit: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A case computed. ``value`` is exact, ``shown`` rounded as published; ``agrees`` is None when not computable."""

    case: Case
    inputs: tuple[Used, ...]
    value: Decimal | None
    shown: Decimal | None
    difference: Decimal | None
    agrees: bool | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cases:
    """All groups, and their cases in order."""

    groups: tuple[Group, ...]
    cases: tuple[Case, ...]

    def of(self, group: str) -> list[Case]:
        return [case for case in self.cases if case.group == group]


def load_cases(folder: Path | str) -> Cases:
    """Every case under a folder; raises ProblemError with all faults at file and line.

    Formulas are read and their units checked here for inputs with their own unit; observations are checked
    when the case is computed.
    """
    groups: list[Group] = []
    found: list[tuple[Case, Place]] = []
    problems: list[Problem] = []
    for path in sorted(Path(folder).glob("*.yaml")):
        try:
            document = load(path, shown_as=path.name)
            file = validate(CasesFile, document)
        except ProblemError as error:
            problems += error.problems
            continue
        groups += file.groups
        for i, case in enumerate(file.cases):
            found.append((case, document.place(("cases", i))))
            problems += _faults(case, document, i)
    known = {g.id for g in groups}
    seen: set[str] = set()
    for case, place in found:
        if case.id in seen:
            problems.append(
                Problem("observations.verification.twice", "编号重复", place=place, got=case.id, fix="改正编号。")
            )
        if case.group not in known:
            problems.append(
                Problem(
                    "observations.verification.group", "所属分组不存在", place=place, got=case.group,
                    wanted="、".join(sorted(known)), fix="改正分组。",
                )
            )  # fmt: skip
        seen.add(case.id)
    if problems:
        raise ProblemError(problems)
    return Cases(tuple(sorted(groups, key=lambda g: g.order)), tuple(case for case, _ in found))


def _faults(case: Case, document: Document, index: int) -> list[Problem]:
    place = document.place(("cases", index, "formula"))
    try:
        tree = parse(case.formula, place)
        for used in case.inputs.values():
            if used.period:
                Period.parse(used.period)
        if case.period:
            Period.parse(case.period)
    except ProblemError as error:
        return error.problems
    problems = []
    if any(isinstance(node, (*WINDOWS, Param, Bands)) for node in tree.walk()):
        problems.append(
            Problem(
                "observations.verification.window",
                "复算公式只用所列的输入",
                place=place,
                got=case.formula,
                fix="把所需的数列为输入。",
            )
        )
    if names(tree) != set(case.inputs):
        problems.append(
            Problem("observations.verification.inputs", "公式与所列的输入不一致", place=place, got="、".join(sorted(names(tree))), wanted="、".join(case.inputs), fix="逐项对应。")
        )  # fmt: skip
    return problems


def check(case: Case, lookup: Lookup) -> Checked:
    """Compute a case from the published observations that ``lookup`` gives."""
    used = []
    reasons: list[str] = []
    for name, entry in case.inputs.items():
        if entry.value is not None:
            used.append(Used(name, entry, entry.value, entry.unit))
            continue
        found = lookup(entry.indicator, entry.region, Period.parse(entry.period).code, entry.item)
        if found is None:
            reasons.append(f"缺少{entry.label}")
        used.append(Used(name, entry, found[0] if found else None, found[1] if found else entry.unit))
    value: Decimal | None = None
    if not reasons:
        by_name = {u.name: u for u in used}

        def leaf(node: Node) -> Decimal | None:
            assert isinstance(node, Name)
            return by_name[node.code].value

        try:
            tree = convert(
                parse(case.formula), case.unit, variable=lambda name: by_name[name].unit, parameter=_none, bands=_none, place=Place()
            )  # fmt: skip
        except ProblemError as error:
            reasons += [p.message for p in error]
        else:
            value = exact.evaluate(tree, leaf, lambda rule: None, reasons)
    if value is None:
        return Checked(case, tuple(used), None, None, None, None, tuple(reasons))
    shown = rounded(value, case.places)
    if case.compare == "equal":
        assert case.published is not None  # the case was checked when it was read
        difference = value - case.published
        return Checked(case, tuple(used), value, shown, difference, abs(difference) <= case.tolerance, ())
    agrees = value >= 0 if case.compare == "at_least_zero" else value < 0
    return Checked(case, tuple(used), value, shown, None, agrees, ())


def _none(name: str) -> NoReturn:
    raise ProblemError(
        Problem("observations.verification.rule", "复算公式不引用规则库", got=name, fix="把所需的数列为输入。")
    )


# --- for the page -----------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Shown:
    """A computed case as the page shows it; ``inputs`` are (label, value with unit)."""

    id: str
    group: str
    title: Title
    region: str
    period: str
    published: Decimal | None
    published_text: str
    computed: Decimal | None
    computed_text: str
    difference: Decimal | None
    agrees: bool | None
    rule: str
    formula: str
    inputs: tuple[tuple[str, str], ...]
    source: Source
    note: str
    reasons: tuple[str, ...]

    @property
    def confidence(self) -> Confidence:
        return self.source.confidence


@dataclass(frozen=True, slots=True)
class ShownGroup:
    id: str
    title: Title
    note: str
    cases: tuple[Shown, ...]


def present(cases: Cases, published: Published) -> list[ShownGroup]:
    """Every case computed from the published tables, group by group."""
    figures = {row.key: (row.value, row.unit) for row in published.rows()}

    def shown(case: Case) -> Shown:
        checked = check(case, lambda *key: figures.get(key))
        difference = checked.difference
        return Shown(
            case.id, case.group, case.title, published.regions[case.region].name,
            Period.parse(case.period).label if case.period else "",
            case.published, case.outcome if case.published is None else f"{show_as_published(case.published)}{case.unit}",
            checked.shown, "" if checked.shown is None else f"{show(checked.shown, case.places)}{case.unit}",
            None if difference is None else rounded(difference, case.places + 2), checked.agrees,
            case.rounding, case.formula,
            tuple((f"{u.entry.label}（{u.name}）", "" if u.value is None else f"{show_as_published(u.value)}{u.unit}") for u in checked.inputs),
            case.source.source, case.note, checked.reasons,
        )  # fmt: skip

    return [ShownGroup(g.id, g.title, g.note, tuple(map(shown, cases.of(g.id)))) for g in cases.groups]


def show_as_published(value: Decimal) -> str:
    """With the digits it was published with."""
    return show(value, max(0, -int(value.as_tuple().exponent)))


@lru_cache(maxsize=1)
def cases() -> list[ShownGroup]:
    """What the page shows. Reads the data folder once; raises ProblemError with every fault in it."""
    from django.conf import settings  # all else here is pure

    from lvheng.observations.services import published

    return present(load_cases(settings.DATA_FOLDER / "verification"), published())


__all__ = [
    "Case",
    "Cases",
    "Checked",
    "Group",
    "Input",
    "Lookup",
    "Shown",
    "ShownGroup",
    "Used",
    "cases",
    "check",
    "load_cases",
    "present",
]
