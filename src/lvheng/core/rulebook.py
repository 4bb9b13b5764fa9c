"""Rules as data: dated entries with their source, of which the one in force on a day is asked for.

A rule file is YAML with the one top-level key ``rules``, a list of entries (:class:`RuleEntry`). Two versions
of a rule may stand side by side; their days in force must not overlap for the same region. A version
written for a region wins over one for the region above it, and that over the nation (region ``""``).

Rooms read their own dated files (indicators, forms, schemes) with :func:`load_entries`.
"""

from __future__ import annotations

import difflib
import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Decimal, InvalidOperation
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from lvheng.core import quantity, yamlfile
from lvheng.core.problem import Place, Problem, ProblemError, stops
from lvheng.core.region import RegionTree
from lvheng.core.source import Confidence, Source, Validity
from lvheng.core.yamlfile import Document, Entry


def _plain_number(value: object) -> object:
    """Numbers are written as decimal digits; true/false and floats made elsewhere are no numbers."""
    if isinstance(value, bool | float):
        raise ValueError("不是数字")
    return value


Number = Annotated[Decimal, BeforeValidator(_plain_number), Field(allow_inf_nan=False, max_digits=40)]
RuleId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$")]
Day = date  # a field of the same name hides the type
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


class Title(Entry):
    """A name in both languages; Chinese is the source string."""

    zh: str
    en: str = ""

    def __str__(self) -> str:
        return self.zh


class SourceEntry(Entry):
    """A :class:`lvheng.core.source.Source` as written in YAML; the confidence is never left out."""

    document: Annotated[str, StringConstraints(min_length=1)]
    confidence: Confidence
    number: str = ""
    article: str = ""
    issuer: str = ""
    date: Day | None = None
    url: str = ""
    note: str = ""

    @property
    def source(self) -> Source:
        return Source(**{name: getattr(self, name) for name in type(self).model_fields})


class Dated(Entry):
    """Base of every dated entry. ``key`` names the thing that may not be in force twice."""

    valid_from: date | None = None
    valid_to: date | None = None
    region: str = ""

    @property
    def key(self) -> str:
        raise NotImplementedError

    @property
    def validity(self) -> Validity:
        return Validity(self.valid_from, self.valid_to)

    def faults(self) -> Iterable[Fault]:
        """What is wrong in the entry beyond the shape of its fields."""
        if self.valid_from and self.valid_to and self.valid_from > self.valid_to:
            yield Fault("valid_to", "失效日期早于生效日期", got=str(self.valid_to), wanted=f"不早于{self.valid_from}")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in an entry, before its file and line are known."""

    field: str
    message: str
    code: str = "core.rule.invalid"
    got: str = ""
    wanted: str = ""
    fix: str = "按规则文件的写法改正。"


class Band(Entry):
    """One step of a scale: above ``from`` up to and with ``to`` (open when left out)."""

    lower: Number = Field(alias="from")
    upper: Number | None = Field(default=None, alias="to")
    rate: Number


_ROUNDING = {"half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN, "down": ROUND_DOWN, "up": ROUND_UP}


class Rounding(Entry):
    """How a result is rounded: decimal places and 四舍五入 (half_up), 四舍六入五成双 (half_even), 舍去, 进位."""

    places: Annotated[int, Field(ge=-12, le=20)]
    rule: Literal["half_up", "half_even", "down", "up"] = "half_up"

    def apply(self, value: Decimal) -> Decimal:
        return value.quantize(Decimal(1).scaleb(-self.places), rounding=_ROUNDING[self.rule])


class Example(Entry):
    """A worked example, executed by the tests."""

    inputs: dict[str, Number] = {}
    expected: Number
    tolerance: Number = Decimal(0)
    note: str = ""


class RuleEntry(Dated):
    """One dated rule.

    parameter: ``value`` in ``unit`` (null only with confidence U) · table: ``columns`` (name → unit; ``text`` for
    words) and ``rows``, or ``bands`` (bounds in ``unit``, rates in ``rate_unit``) · formula: ``formula`` with
    ``inputs`` (name → unit) and ``unit`` · text: ``text``.
    """

    rule: RuleId
    title: Title
    kind: Literal["parameter", "table", "formula", "text"]
    source: SourceEntry
    value: Number | None = None
    unit: str | None = None
    columns: dict[Name, str] = {}
    rows: list[dict[str, Number | str | None]] = []
    bands: list[Band] = []
    rate_unit: str = "1"
    formula: str = ""
    inputs: dict[Name, str] = {}
    rounding: Rounding | None = None
    example: list[Example] = []
    text: str = ""
    note: str = ""

    @model_validator(mode="before")
    @classmethod
    def _cells(cls, data: Any) -> Any:
        """Cells of number columns are numbers: YAML hands on 1.9003 as text, so that no digit is lost."""
        if not isinstance(data, dict) or not isinstance(data.get("columns"), dict):
            return data
        rows = data.get("rows")
        if not isinstance(rows, list):
            return data
        numbers = {name for name, unit in data["columns"].items() if unit != "text"}
        blank = dict.fromkeys(data["columns"])  # a cell left out is missing, never zero
        return {
            **data,
            "rows": [{**blank, **_with_numbers(row, numbers)} if isinstance(row, dict) else row for row in rows],
        }

    @property
    def key(self) -> str:
        return self.rule

    def faults(self) -> Iterator[Fault]:
        yield from super().faults()
        yield from self._out_of_place()
        yield from self._units()
        if self.kind == "table":
            yield from self._table()
        if self.kind == "formula":
            if not self.formula:
                yield Fault("formula", "公式类规则缺少公式", wanted="公式")
            yield from (
                Fault("example", "算例的输入与公式的输入不一致", got="、".join(e.inputs), wanted="、".join(self.inputs))
                for e in self.example
                if set(e.inputs) != set(self.inputs)
            )
        if self.kind == "text" and not self.text:
            yield Fault("text", "文字类规则缺少正文", wanted="正文")

    def _out_of_place(self) -> Iterator[Fault]:
        """Fields of another kind would be ignored in silence, so they are refused."""
        belongs = {
            "parameter": {"value", "unit"},
            "table": {"columns", "rows", "bands", "unit", "rate_unit"},
            "formula": {"formula", "inputs", "unit", "rounding", "example"},
            "text": {"text"},
        }
        for name in sorted(set().union(*belongs.values()) - belongs[self.kind]):
            if name in self.model_fields_set:
                yield Fault(name, f"“{name}”不属于这一类规则", got=self.kind, fix="删去该项，或改正规则类别。")
        if self.kind == "parameter":
            unknown = self.source.confidence is Confidence.UNKNOWN
            if self.value is None and not unknown:
                yield Fault(
                    "value", "参数没有数值", wanted="数值；原文未见时把握程度填U", fix="补录数值，或将把握程度改为U。"
                )
        if self.kind in ("parameter", "formula") and self.unit is None:
            yield Fault("unit", "缺少计量单位", wanted="计量单位；无量纲填“1”", fix="补上计量单位。")

    def _units(self) -> Iterator[Fault]:
        given = [("unit", self.unit), ("rate_unit", self.rate_unit)]
        given += [("inputs", unit) for unit in self.inputs.values()]
        given += [("columns", unit) for unit in self.columns.values() if unit != "text"]
        for name, unit in given:
            try:
                quantity.measure(unit or "1")
            except ProblemError as error:
                for p in error:
                    yield Fault(name, p.message, p.code, p.got, p.wanted, p.fix)

    def _table(self) -> Iterator[Fault]:
        if bool(self.rows) == bool(self.bands):
            yield Fault("rows", "表格类规则须有且只有“rows”“bands”之一", wanted="rows或bands")
        for n, row in enumerate(self.rows, 1):
            if set(row) != set(self.columns):
                yield Fault(
                    "rows",
                    f"第{n}行的栏目与表头不一致",
                    got="、".join(row),
                    wanted="、".join(self.columns),
                    fix="补齐栏目；没有数的写null。",
                )
            for name, cell in row.items():
                if isinstance(cell, str) and self.columns.get(name, "text") != "text":
                    yield Fault(
                        "rows", f"第{n}行“{name}”不是数字", got=cell, wanted="数字", fix="只写数字，单位写在表头。"
                    )
        for before, after in zip(self.bands, self.bands[1:], strict=False):
            if before.upper != after.lower:
                yield Fault("bands", "分档不衔接", got=str(before.upper), wanted=str(after.lower))
        if any(b.upper is not None and b.upper <= b.lower for b in self.bands):
            yield Fault("bands", "分档的上限不大于下限")
        if self.bands and self.unit is None:
            yield Fault("unit", "缺少分档界限的计量单位", wanted="计量单位", fix="补上计量单位。")


def _with_numbers(row: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """A row with the number cells that read as numbers; others stay for the check to name."""
    found = dict(row)
    for name in names & row.keys():
        if isinstance(row[name], str):
            try:
                number = Decimal(row[name])
            except InvalidOperation:
                continue
            if number.is_finite():
                found[name] = number
    return found


# --- dated files of any room ----------------------------------------------------------------------

D = TypeVar("D", bound=Dated)


@dataclass(frozen=True, slots=True)
class Loaded(Generic[D]):
    """An entry and where it stands."""

    entry: D
    place: Place
    document: Document
    index: int

    def at(self, field: str) -> Place:
        """The place of one field of the entry."""
        top = next(iter(self.document.data))
        return self.document.place((top, self.index, field))


def read_entries(folder: Path | str, model: type[D], top: str) -> tuple[list[Loaded[D]], list[Problem]]:
    """All entries under the key ``top`` of the YAML files in a folder (or one file), and all problems.

    Files whose top-level keys do not include ``top`` belong to others and are passed over.
    """
    root = Path(folder)
    found: list[Loaded[D]] = []
    problems: list[Problem] = []
    if not root.exists():
        return [], [Problem("core.rule.no_folder", "规则文件夹不存在", place=Place(file=str(folder)), fix="核对路径。")]
    paths = [root] if root.is_file() else sorted(p for p in root.rglob("*") if p.suffix in (".yaml", ".yml"))
    for path in paths:
        shown = path.name if root.is_file() else f"{root.name}/{path.relative_to(root).as_posix()}"
        try:
            document = yamlfile.load(path, shown_as=shown)
        except ProblemError as error:
            problems += error.problems
            continue
        if not isinstance(document.data, dict) or top not in document.data:
            if root.is_file():
                problems.append(_misshapen(document, top))
            continue
        entries, more = _entries_of(document, model, top)
        found += entries
        problems += more
    return found, problems + overlaps(found)


def _misshapen(document: Document, top: str) -> Problem:
    return Problem(
        "core.rule.shape", f"文件的顶层应只有“{top}”，其下为列表", place=document.place((top,)),
        wanted=f"{top}: 后接每项一条，以“- ”开头", fix="按样例改正文件结构。",
    )  # fmt: skip


def _entries_of(document: Document, model: type[D], top: str) -> tuple[list[Loaded[D]], list[Problem]]:
    found: list[Loaded[D]] = []
    problems: list[Problem] = []
    values = document.data[top]
    if not isinstance(values, list) or len(document.data) != 1:
        return [], [_misshapen(document, top)]
    for i, value in enumerate(values):
        try:
            entry = yamlfile.validate(model, document, value, (top, i))
        except ProblemError as error:
            problems += error.problems
            continue
        item = Loaded(entry, document.place((top, i)), document, i)
        found.append(item)
        problems += [
            Problem(f.code, f.message, place=item.at(f.field), got=f.got, wanted=f.wanted, fix=f.fix)
            for f in entry.faults()
        ]
    return found, problems


def load_entries(folder: Path | str, model: type[D], top: str) -> list[Loaded[D]]:
    """As :func:`read_entries`, but raises ProblemError with every problem when any stops the work."""
    found, problems = read_entries(folder, model, top)
    if stops(problems):
        raise ProblemError(problems)
    return found


def overlaps(entries: Iterable[Loaded[D]]) -> list[Problem]:
    """One problem for each pair of entries of one key and region that are in force on a same day."""
    groups: dict[tuple[str, str], list[Loaded[D]]] = {}
    for item in entries:
        groups.setdefault((item.entry.key, item.entry.region), []).append(item)
    problems = []
    for (key, _), items in groups.items():
        items.sort(key=lambda e: e.entry.valid_from or date.min)
        for before, after in itertools.pairwise(items):
            if before.entry.validity.overlaps(after.entry.validity):
                problems.append(
                    Problem(
                        "core.rule.overlap", f"“{key}”两个版本的有效期重叠", place=after.place,
                        got=after.entry.validity.label, wanted=f"不与{before.place}的{before.entry.validity.label}重叠",
                        fix="给前一版本填写失效日期，或改正生效日期。",
                    )
                )  # fmt: skip
    return problems


# --- the rulebook ---------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Version:
    """One version of a rule. Keep :attr:`ref` wherever a result is kept."""

    entry: RuleEntry
    place: Place

    @property
    def rule(self) -> str:
        return self.entry.rule

    @property
    def value(self) -> Decimal | None:
        return self.entry.value

    @property
    def unit(self) -> str:
        return self.entry.unit or ""

    @property
    def title(self) -> str:
        return self.entry.title.zh

    @cached_property
    def source(self) -> Source:
        return self.entry.source.source

    @property
    def confidence(self) -> Confidence:
        return self.entry.source.confidence

    @property
    def validity(self) -> Validity:
        return self.entry.validity

    @cached_property
    def fingerprint(self) -> str:
        """Eight hexadecimal digits of the content: any change to the entry changes it."""
        return hashlib.sha256(self.entry.model_dump_json(exclude_defaults=True).encode()).hexdigest()[:8]

    @cached_property
    def ref(self) -> str:
        """``energy.factor.diesel@2021-04-01#1a2b3c4d``; with the region in brackets before @ when for one."""
        region = f"[{self.entry.region}]" if self.entry.region else ""
        start = self.entry.valid_from.isoformat() if self.entry.valid_from else ""
        return f"{self.rule}{region}@{start}#{self.fingerprint}"

    def rows(self, **wanted: object) -> list[dict[str, Decimal | str | None]]:
        """The rows of a table whose cells equal what is asked for."""
        return [row for row in self.entry.rows if all(row.get(k) == v for k, v in wanted.items())]


class Rulebook:
    """All versions of all rules, and which is in force."""

    def __init__(self, versions: Iterable[Version] = (), regions: RegionTree | None = None):
        self.regions = regions
        self._by_rule: dict[str, list[Version]] = {}
        for version in versions:
            self._by_rule.setdefault(version.rule, []).append(version)
        for several in self._by_rule.values():
            several.sort(key=lambda v: (v.entry.region, v.entry.valid_from or date.min))

    # --- reading ------------------------------------------------------------------------------
    @classmethod
    def read(cls, folder: Path | str, regions: RegionTree | None = None) -> tuple[Rulebook, list[Problem]]:
        """The rulebook of a folder and every problem in it (file and line)."""
        from lvheng.core.formula.rules import check_rules  # the formula package knows the rulebook

        found, problems = read_entries(folder, RuleEntry, "rules")
        book = cls((Version(item.entry, item.place) for item in found), regions)
        return book, problems + check_rules(book, found)

    @classmethod
    def load(cls, folder: Path | str, regions: RegionTree | None = None) -> Rulebook:
        """As :meth:`read`, but raises ProblemError with all problems when any stops the work."""
        book, problems = cls.read(folder, regions)
        if stops(problems):
            raise ProblemError(problems)
        return book

    # --- asking -------------------------------------------------------------------------------
    def at(self, rule: str, day: date, region: str = "") -> Version:
        """The version in force on a day for a region; raises ProblemError saying when there is one."""
        version = self.find(rule, day, region)
        if version is not None:
            return version
        several = self.versions(rule)
        here = [v for v in several if v.entry.region in self.above(region)]
        raise ProblemError(
            Problem(
                "core.rule.not_in_force", f"“{several[0].title}”（{rule}）在该日期没有有效版本",
                got=f"{day.year}年{day.month}月{day.day}日",
                wanted="；".join(v.validity.label for v in here) or "该规则只适用于其他地区",
                fix="核对日期，或在规则文件中补录该时期的版本及其依据。",
            )
        )  # fmt: skip

    def find(self, rule: str, day: date, region: str = "") -> Version | None:
        """As :meth:`at`, but None when no version is in force; raises ProblemError on an unknown rule."""
        several = self.versions(rule)
        for code in self.above(region):
            for version in several:
                if version.entry.region == code and version.validity.covers(day):
                    return version
        return None

    def versions(self, rule: str) -> Sequence[Version]:
        """All versions, by region and first day; raises ProblemError on an unknown rule."""
        try:
            return self._by_rule[rule]
        except KeyError:
            near = difflib.get_close_matches(rule, self._by_rule, 3)
            raise ProblemError(
                Problem(
                    "core.rule.unknown", "规则库中没有这条规则", got=rule, wanted="、".join(near),
                    fix=f"是否应为“{near[0]}”？" if near else "核对规则编号，或补录该规则。",
                )
            ) from None  # fmt: skip

    def above(self, region: str) -> list[str]:
        """The region, what it belongs to, and last the nation: the order in which a version is sought."""
        chain: list[str] = []
        code = region
        if self.regions is not None:
            while code and code in self.regions:
                chain.append(code)
                code = self.regions[code].parent
        top = chain[-1] if chain else region
        chain = chain or [region]
        if len(top) == 6 and top.isdigit():  # GB/T 2260: county, city, province
            chain += [up for up in (f"{top[:4]}00", f"{top[:2]}0000") if up not in chain]
        return [c for c in chain if c] + [""]

    def by_ref(self, ref: str) -> Version:
        """The version that a kept result names; raises ProblemError when it is gone or was altered."""
        for version in self._by_rule.get(ref.split("@")[0].split("[")[0], []):
            if version.ref == ref:
                return version
        raise ProblemError(
            Problem(
                "core.rule.altered", "结果所用的规则版本已不在规则库中，或内容已改动", got=ref,
                fix="从版本库中恢复当时的规则文件，再行复算。",
            )
        )  # fmt: skip

    def search(self, text: str) -> list[Version]:
        """Versions whose id, titles, source or note hold every word asked for."""
        words = text.lower().split()

        def hay(v: Version) -> str:
            e = v.entry
            return " ".join([e.rule, e.title.zh, e.title.en, str(v.source), e.note, e.source.note, e.text]).lower()

        return [v for v in self if all(word in hay(v) for word in words)]

    def __contains__(self, rule: object) -> bool:
        return rule in self._by_rule

    def __iter__(self) -> Iterator[Version]:
        return (v for several in self._by_rule.values() for v in several)

    def __len__(self) -> int:
        return sum(map(len, self._by_rule.values()))

    @property
    def rules(self) -> list[str]:
        return list(self._by_rule)

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits of the whole rulebook."""
        return hashlib.sha256("\n".join(sorted(v.ref for v in self)).encode()).hexdigest()[:16]


def describe(entry: RuleEntry) -> dict[str, Any]:
    """Plain values of an entry for JSON and pages; what was left out in the file stays out."""
    return entry.model_dump(mode="json", exclude_unset=True, by_alias=True)
