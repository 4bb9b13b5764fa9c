"""Forms loaded: every name resolved, every expression read, every indicator known, at file and line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import cached_property
from pathlib import Path

from lvheng.core.problem import Place, Problem, ProblemError, stops
from lvheng.core.quantity import compatible, measure
from lvheng.core.rulebook import Loaded, Rulebook, read_entries
from lvheng.filing.forms import expression
from lvheng.filing.forms.entries import Check, Column, FormEntry, Option, Publish, Sheet, Sum
from lvheng.filing.forms.expression import Expression, Ref
from lvheng.filing.forms.options import Options, from_codes, inline, read_lists
from lvheng.observations.catalogue import Catalogue, load_catalogue

_PERIOD = ("year", "quarter", "month")
LONGEST_ITEM = 32  # characters of an item in the store of observations


class Form:
    """One version of a form with its lists; the entry's fields are its own."""

    def __init__(self, item: Loaded[FormEntry], lists: Mapping[str, Options], rulebook: Rulebook):
        self.entry, self.place, self._item = item.entry, item.place, item
        self._lists, self.rulebook = lists, rulebook
        self.id, self.code, self.title = self.entry.form, self.entry.code, self.entry.title
        self.sheets = self.entry.sheets
        self._by_id = {s.sheet: s for s in self.sheets}
        self._columns = {(s.sheet, c.code): c for s in self.sheets for c in s.columns}
        self.checks: list[tuple[Check, Expression, Expression | None]] = []
        self.publishes: list[tuple[Publish, Expression, Expression | None]] = []
        self.sums: list[tuple[Sum, Form, Expression]] = []
        self.required_if: dict[tuple[str, str], Expression] = {}

    def __repr__(self) -> str:
        return f"<Form {self.id} {self.code}>"

    @property
    def frequency(self):
        return self.entry.frequency

    @property
    def version(self) -> str:
        """What a stored filing keeps to name the version it was filed by."""
        return f"{self.id}@{self.entry.valid_from or ''}"

    def due(self, period) -> date:
        """Last day to file for a period."""
        return self.entry.due.of(period)

    def sheet(self, sheet: str) -> Sheet:
        return self._by_id[sheet]

    def has(self, sheet: str, column: str = "") -> bool:
        return (sheet, column) in self._columns if column else sheet in self._by_id

    def column(self, sheet: str, column: str) -> Column:
        return self._columns[sheet, column]

    @cached_property
    def _options(self) -> dict[tuple[str, str], Options]:
        found = {}
        for (sheet, code), column in self._columns.items():
            if isinstance(column.options, str):
                source = self._lists.get(column.options)
                if source is not None and column.level and source.list is not None:
                    source = from_codes(source.list, column.level)
                found[sheet, code] = source or Options(column.options, ())
            else:
                found[sheet, code] = inline(column.options)
        return found

    def options(self, sheet: str, column: str) -> Options:
        """The choices of a column (empty when it has none, or its list is not at hand)."""
        return self._options[sheet, column]

    def keys(self, sheet: Sheet) -> list[str]:
        """The rows that must stand: as listed, or all of the list when ``rows`` is [all]."""
        if sheet.key is None:
            return [""]
        if sheet.key.rows == ("all",):
            return [o.code for o in self.options(sheet.sheet, sheet.key.columns[0])]
        return list(sheet.key.rows)

    def key_name(self, sheet: Sheet, key: str) -> str:
        """A row's key in words."""
        if sheet.key is None or not key:
            return ""
        parts = key.split("|")
        return " ".join(self.options(sheet.sheet, c).name_of(p) for c, p in zip(sheet.key.columns, parts, strict=False))

    def unit(self, sheet: Sheet, column: Column, key: str = "") -> str:
        """The unit of a cell; "@" is the unit of the row's key."""
        if column.unit != "@" or sheet.key is None:
            return "" if column.unit in ("@", "1") else column.unit
        option = self.options(sheet.sheet, sheet.key.columns[0]).get(key.split("|")[0])
        return option.unit if option else ""

    def attribute(self, sheet: Sheet, name: str, key: str, day: date) -> Decimal | None:
        """A number of the row's key from the rulebook, in force on a day."""
        attribute = sheet.key.attributes.get(name) if sheet.key else None
        if attribute is None:
            return None
        version = self.rulebook.find(attribute.rule, day)
        rows = version.rows(**{attribute.by: key.split("|")[0]}) if version else []
        found = rows[0].get(attribute.column) if rows else None
        return found if isinstance(found, Decimal) else None

    def at(self, field: str) -> Place:
        return self._item.at(field)


class FormBook:
    """All versions of all forms."""

    def __init__(self, forms: Iterable[Form], lists: Mapping[str, Options], rulebook: Rulebook, catalogue: Catalogue):
        self.lists, self.rulebook, self.catalogue = lists, rulebook, catalogue
        self._by_id: dict[str, list[Form]] = {}
        for form in forms:
            self._by_id.setdefault(form.id, []).append(form)

    def __iter__(self) -> Iterator[Form]:
        return (form for several in self._by_id.values() for form in several)

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, form: object) -> bool:
        return form in self._by_id

    @property
    def ids(self) -> list[str]:
        return list(self._by_id)

    def at(self, form_id: str, day: date) -> Form:
        """The version in force on a period's last day; raises ProblemError when there is none."""
        for form in self._by_id.get(form_id, ()):
            if form.entry.validity.covers(day):
                return form
        if form_id in self._by_id:
            raise ProblemError(
                Problem("filing.form.not_in_force", f"“{self._by_id[form_id][0].title}”在该日期没有有效版本", got=f"{day.year}年{day.month}月{day.day}日",
                        wanted="；".join(f.entry.validity.label for f in self._by_id[form_id]), fix="核对期间。")
            )  # fmt: skip
        near = difflib.get_close_matches(form_id, self._by_id, 3)
        by_code = [f.id for f in self if f.code == form_id]
        raise ProblemError(
            Problem(
                "filing.form.unknown",
                "没有这张表",
                got=form_id,
                wanted="、".join(by_code or near or self._by_id),
                fix="核对表单编号。",
            )
        )

    def all(self, day: date) -> list[Form]:
        """The forms in force on a day."""
        return [form for form in self if form.entry.validity.covers(day)]


def read_forms(
    folder: Path | str, *, lists: Mapping[str, Iterable[Option]] | None = None, rulebook: Rulebook | None = None,
    catalogue: Catalogue | None = None, base: Path | str | None = None,
) -> tuple[FormBook, list[Problem]]:  # fmt: skip
    """The forms of a folder (or one file) and everything wrong with them.

    ``base`` is the rulebook folder that holds codes/, indicators/ and forms/ (default: the folder that forms lie
    in, two up for a file). ``lists`` adds lists that are no files, such as the plan's regions.
    """
    root = Path(folder)
    top = Path(base) if base is not None else _base(root)
    entries, problems = read_entries(root, FormEntry, "forms")
    codes, more = read_lists([top / "codes", top / "forms" / "lists", *([root / "lists"] if root.is_dir() else [])])
    problems += more
    found: dict[str, Options] = {name: from_codes(c) for name, c in codes.items()}
    found |= {name: Options(name, options) for name, options in (lists or {}).items()}
    if rulebook is None:
        rulebook, more = Rulebook.read(top / "forms" / "rules")
        problems += more
    if catalogue is None:
        catalogue = load_catalogue(top / "indicators")
    forms = [Form(item, found, rulebook) for item in entries if not any(item.entry.faults())]
    book = FormBook(forms, found, rulebook, catalogue)
    for form in forms:
        problems += _resolve(form, book)
    return book, problems


def load_forms(folder: Path | str, **more) -> FormBook:
    """As :func:`read_forms`, but raises ProblemError with every problem when any stops the work."""
    book, problems = read_forms(folder, **more)
    if stops(problems):
        raise ProblemError(problems)
    return book


def _base(root: Path) -> Path:
    """The rulebook folder above a form folder or file: the nearest with indicators/ beside."""
    start = root.resolve()
    for up in (start, *start.parents):
        if (up / "indicators").is_dir():
            return up
    return Path(__file__).resolve().parents[4] / "rulebook"


# --- resolving --------------------------------------------------------------------------------------
def _resolve(form: Form, book: FormBook) -> list[Problem]:
    problems: list[Problem] = []

    def tell(field: str, code: str, message: str, got: str = "", wanted: str = "", fix: str = "") -> None:
        problems.append(
            Problem(
                f"filing.form.{code}", f"“{form.title}”{message}", place=form.at(field), got=got, wanted=wanted, fix=fix
            )
        )

    def read(kind: str, text: str, sheet: Sheet | None, field: str, what: str, home: Form = form) -> Expression | None:
        if not text:
            return None
        try:
            found = getattr(expression, kind)(text, lambda name: _name(name, home, sheet, book), form.at(field))
        except ProblemError as error:
            problems.extend(_named(p, what) for p in error)
            return None
        for rule in sorted(found.rules):
            if rule not in book.rulebook:
                tell(field, "rule", f"{what}引用的参数不在规则库中", got=rule, fix="核对规则编号。")
        return found

    for sheet in form.sheets:
        for column in sheet.columns:
            if column.unit not in ("", "@"):
                try:
                    measure(column.unit)
                except ProblemError as error:
                    tell(
                        "sheets",
                        "unit",
                        f"“{column.title}”的{error.problems[0].message}",
                        got=column.unit,
                        wanted=error.problems[0].wanted,
                    )
            if (
                isinstance(column.options, str)
                and column.options
                and column.options not in book.lists
                and column.options != "regions"
            ):
                near = difflib.get_close_matches(column.options, book.lists, 3) or list(book.lists)
                tell("sheets", "list", f"“{column.title}”的代码表不存在", got=column.options, wanted="、".join(near))
            if (
                found := read("condition", column.required_if, sheet, "sheets", f"“{column.title}”的必填条件")
            ) is not None:
                form.required_if[sheet.sheet, column.code] = found
        if sheet.key:
            options = form.options(sheet.sheet, sheet.key.columns[0])
            if sheet.key.rows != ("all",) and len(options):
                for key in sheet.key.rows:
                    if key.split("|")[0] not in options:
                        tell("sheets", "row", f"“{sheet.title}”的行不在代码表中", got=key, wanted=options.sample)
            for name, attribute in sheet.key.attributes.items():
                if attribute.rule not in book.rulebook:
                    tell("sheets", "rule", f"“{sheet.title}”的“{name}”引用的规则不在规则库中", got=attribute.rule)
    for check in form.entry.checks:
        if check.sheet and not form.has(check.sheet):
            tell(
                "checks",
                "sheet",
                f"审核关系“{check.check}”的工作表不存在",
                got=check.sheet,
                wanted="、".join(s.sheet for s in form.sheets),
            )
            continue
        sheet_ = form.sheet(check.sheet) if check.sheet else None
        test = read("condition", check.expr, sheet_, "checks", f"审核关系“{check.check}”")
        when = read("condition", check.when, sheet_, "checks", f"审核关系“{check.check}”的适用条件")
        if check.at and not _cell_of(form, sheet_, check.at):
            tell(
                "checks",
                "at",
                f"审核关系“{check.check}”所标的单元格不存在",
                got=check.at,
                wanted="栏目，或工作表.行.栏目",
            )
        if test is not None and (when is not None or not check.when):
            form.checks.append((check, test, when))
    for publish in form.entry.publishes:
        if not form.has(publish.sheet):
            tell(
                "publishes",
                "sheet",
                "发布的工作表不存在",
                got=publish.sheet,
                wanted="、".join(s.sheet for s in form.sheets),
            )
            continue
        sheet_ = form.sheet(publish.sheet)
        gives = read("value", publish.value, sheet_, "publishes", f"指标“{publish.indicator}”的取数")
        where = read("condition", publish.where, sheet_, "publishes", f"指标“{publish.indicator}”的取数条件")
        if publish.indicator not in book.catalogue:
            near = difflib.get_close_matches(publish.indicator, book.catalogue.by_code, 3)
            tell("publishes", "indicator", "发布的指标不在指标目录中", got=publish.indicator, wanted="、".join(near))
            continue
        indicator = book.catalogue[publish.indicator]
        unit = publish.unit or (
            form.column(publish.sheet, publish.value).unit if form.has(publish.sheet, publish.value) else indicator.unit
        )
        if unit == "@" or not _convertible(unit, indicator.unit):
            tell("publishes", "unit", f"指标“{indicator.name}”的计量单位不能换算", got=unit, wanted=indicator.unit)
        if bool(publish.item) != bool(indicator.dimensions):
            tell(
                "publishes",
                "item",
                f"指标“{indicator.name}”的分项与目录不符",
                got=publish.item or "无",
                wanted="、".join(indicator.dimensions) or "无",
            )
        long = sheet_.key is not None and publish.item and form.has(publish.sheet, publish.item)
        if long and form.column(publish.sheet, publish.item).type == "text":
            column = form.column(publish.sheet, publish.item)
            if column.length > LONGEST_ITEM:
                tell(
                    "publishes",
                    "item",
                    f"“{column.title}”作分项，长度超过分项的上限",
                    got=str(column.length),
                    wanted=f"length不大于{LONGEST_ITEM}",
                )
        for name in (publish.item, publish.subject):
            if name and (sheet_.key is None or name not in sheet_.key.columns):
                tell(
                    "publishes",
                    "item",
                    f"指标“{indicator.name}”的分项或地区不是关键栏目",
                    got=name,
                    wanted="、".join(sheet_.key.columns if sheet_.key else ()),
                )
        if gives is not None and (where is not None or not publish.where):
            form.publishes.append((publish, gives, where))
    for entry in form.entry.sums:
        what = f"汇总核对“{entry.sum}”"
        home = next((f for f in book if f.id == entry.form), None)
        if home is None or not home.has(entry.of):
            tell(
                "sums",
                "form",
                f"{what}所加的表或工作表不存在",
                got=f"{entry.form} {entry.of}",
                wanted="、".join(book.ids),
            )
        elif not form.has(entry.sheet, entry.column) or form.sheet(entry.sheet).key is not None:
            tell("sums", "sheet", f"{what}所对的栏目不存在，或不在单行工作表中", got=f"{entry.sheet} {entry.column}")
        elif home.entry.frequency is not form.entry.frequency:
            tell(
                "sums",
                "form",
                f"{what}两表的填报频度不同",
                got=home.entry.frequency.value,
                wanted=form.entry.frequency.value,
            )
        elif entry.indicator and entry.indicator not in {p.indicator for p in home.entry.publishes}:
            tell(
                "sums",
                "indicator",
                f"{what}的指标不由所加的表发布",
                got=entry.indicator,
                wanted="、".join({p.indicator for p in home.entry.publishes}),
            )
        elif (value := read("value", entry.value, home.sheet(entry.of), "sums", what, home)) is not None:
            form.sums.append((entry, home, value))
    return problems


def _convertible(unit: str, other: str) -> bool:
    try:
        return compatible(unit, other)
    except ProblemError:  # no unit at all: told with the column
        return False


def _named(problem: Problem, what: str) -> Problem:
    return replace(problem, message=f"{what}：{problem.message}")


def _cell_of(form: Form, sheet: Sheet | None, at: str) -> tuple[str, str, str] | None:
    """(sheet, key, column) that ``at`` names; key "" for the row in hand."""
    words = at.split(".")
    if len(words) == 1 and sheet is not None and form.has(sheet.sheet, words[0]):
        return sheet.sheet, "", words[0]
    if len(words) == 2 and form.has(words[0], words[1]):
        return words[0], "", words[1]
    if len(words) == 3 and form.has(words[0], words[2]):
        return words[0], words[1], words[2]
    return None


def _name(name: str, form: Form, sheet: Sheet | None, book: FormBook) -> Ref | str:
    """A name in an expression as a Ref, or what is wrong with it."""
    words = name.split(".")
    if words[0] == "period":
        return (
            Ref("period", column=words[1])
            if len(words) == 2 and words[1] in _PERIOD
            else "只可用period.year、period.quarter、period.month"
        )
    if words[0] == "key":
        good = sheet is not None and sheet.key is not None and len(words) == 2 and words[1] in sheet.key.attributes
        return Ref("key", sheet.sheet, words[1]) if good and sheet else "中的关键字属性没有定义"
    if words[0] in ("chosen", "filled"):
        if sheet is None or len(words) != (3 if words[0] == "chosen" else 2) or not form.has(sheet.sheet, words[1]):
            return "中没有这个栏目"
        if words[0] == "chosen" and words[2] not in form.options(sheet.sheet, words[1]):
            return "中没有这个选项"
        return Ref(words[0], sheet.sheet, words[1], words[2] if words[0] == "chosen" else "")
    source, home = "", form
    if words[0] in ("prev", "last_year"):
        source, words = words[0], words[1:]
    elif words[0] == "other":
        if len(words) < 4 or words[1] not in book:
            return "中没有这张表"
        home = next(iter(f for f in book if f.id == words[1]))
        source, words = words[1], words[2:]
        if not home.has(words[0]):
            return "中没有这个工作表"
    place = sheet
    if len(words) > 1 and home.has(words[0]):
        place, words = home.sheet(words[0]), words[1:]
    if place is None:
        return "须写明工作表"
    how, key = "same", ""
    if words[0] == "total":
        how, words = "total", words[1:]
    elif words[0] == "row" and len(words) == 3:
        how, key, words = "row", words[1], words[2:]
    if len(words) != 1 or not home.has(place.sheet, words[0]):
        return "中没有这个栏目"
    if not home.column(place.sheet, words[0]).numeric and home.column(place.sheet, words[0]).type != "yesno":
        return "中的栏目不是数字"
    return Ref(how, place.sheet, words[0], key, source)


def cell_of(form: Form, sheet: Sheet | None, at: str) -> tuple[str, str, str] | None:
    """(sheet, key, column) of the cell a check is shown at; key "" for the row in hand."""
    return _cell_of(form, sheet, at)


__all__ = ["Form", "FormBook", "cell_of", "load_forms", "read_forms"]
