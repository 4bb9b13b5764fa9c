"""Whether what is filed may stand: types, ranges, choices and rows, then the form's own checks.

Whole columns are screened in float64 first; every row that might fail is then looked at exactly, so the screen
never decides. A check that lacks a number does not apply; a number that must be there is asked for by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

import numpy as np

from lvheng.core.codes import credit_code_problem
from lvheng.core.formula.syntax import Name, Node, Param
from lvheng.core.period import Period
from lvheng.core.problem import Place, Severity
from lvheng.core.quantity import show
from lvheng.filing.forms import expression
from lvheng.filing.forms.book import Form, cell_of
from lvheng.filing.forms.data import MAX_DIGITS, Data, Table, number, plain
from lvheng.filing.forms.entries import Check, Column, Sheet
from lvheng.filing.forms.expression import Expression, Ref
from lvheng.filing.forms.options import Options
from lvheng.filing.forms.problems import Collector, FilingProblem

Answers = Mapping[tuple[str, str, str, str], str]  # (check, sheet, key, column) → reason
SLIP = "unit_slip"
PLACES = 6  # decimals that a computed side of a check is shown with at most
FEW = 12  # rows up to which looking at each exactly is quicker than screening
_FORMULA = re.compile(r"[=@]|[+\-][^\d.\s]")
_ERRORS = {"#N/A", "#VALUE!", "#REF!", "#DIV/0!", "#NUM!", "#NAME?", "#NULL!", "#GETTING_DATA", "#SPILL!", "#CALC!"}
_PHONE = re.compile(r"(\+?86[- ]?)?(1[3-9]\d{9}|0\d{2,3}[- ]?\d{7,8}([-—转]\d{1,6})?|\d{7,8}|400[- ]?\d{3}[- ]?\d{4})")


def _nothing(form: str) -> Data | None:
    return None


@dataclass(frozen=True, slots=True)
class Context:
    """What a filing is checked against. ``other`` gives another form's filing of the same subject and day.

    ``previous``/``last_year``: the accepted (else submitted) filings of the period before and of a year before.
    """

    period: Period
    subject: str = ""
    previous: Data | None = None
    last_year: Data | None = None
    other: Callable[[str], Data | None] = _nothing
    answers: Answers = field(default_factory=dict)


def check(form: Form, data: Data, context: Context) -> list[FilingProblem]:
    """Everything wrong with filed data; answered problems come back as notices with the answer."""
    checker = _Checker(form, data, context)
    for sheet in form.sheets:
        checker.rows(sheet)
        for column in sheet.columns:
            checker.column(sheet, column)
            if column.numeric:
                checker.history(sheet, column)
    for rule, test, when in form.checks:
        checker.rule(rule, test, when)
    return [_answered(p, context.answers) for p in checker.problems.list()]


def _answered(problem: FilingProblem, answers: Answers) -> FilingProblem:
    if not problem.check or problem.severity is Severity.BLOCKER:
        return problem
    answer = answers.get((problem.check, problem.sheet, problem.key, problem.column), "")
    return replace(problem, severity=Severity.NOTICE, answer=answer) if answer.strip() else problem


class Values:
    """The cells of this filing and of those it is compared with, by resolved name."""

    def __init__(self, form: Form, data: Data, context: Context):
        self.form, self.context, self.day = form, context, context.period.end
        self._sources: dict[str, Data | None] = {"": data, "prev": context.previous, "last_year": context.last_year}
        self._tables: dict[tuple[str, str], Table] = {}
        self._joins: dict[tuple[str, str, str], np.ndarray] = {}

    def table(self, source: str, sheet: str) -> Table:
        if (source, sheet) not in self._tables:
            if source not in self._sources:
                self._sources[source] = self.context.other(source)
            data = self._sources[source] or {}
            entry = self.form.sheet(sheet) if source in ("", "prev", "last_year") else None
            totals = entry.key.totals if entry is not None and entry.key else ("total",)
            self._tables[source, sheet] = Table(data.get(sheet, []), totals)
        return self._tables[source, sheet]

    def leaf(self, names: Mapping[str, Ref], sheet: Sheet | None, i: int | None) -> expression.Leaf:
        """What a name or parameter is worth in row ``i`` of a sheet (None: in no row)."""
        key = self.table("", sheet.sheet).rows[i].key if sheet is not None and i is not None else ""

        def value(node: Node) -> Decimal | None:
            if isinstance(node, Param):
                return self._parameter(node.rule)
            assert isinstance(node, Name)
            return self._value(names[node.code], sheet, key, i)

        return value

    def _parameter(self, rule: str) -> Decimal | None:
        version = self.form.rulebook.find(rule, self.day)
        return version.value if version else None

    def _value(self, ref: Ref, sheet: Sheet | None, key: str, i: int | None) -> Decimal | None:
        match ref.how:
            case "period":
                return Decimal(
                    {"year": self.day.year, "quarter": (self.day.month + 2) // 3, "month": self.day.month}[ref.column]
                )
            case "key":
                return self.form.attribute(self.form.sheet(ref.sheet), ref.column, key, self.day)
            case "chosen" | "filled":
                text = None if i is None else self.table("", ref.sheet).text(i, ref.column)
                return Decimal(int(text == ref.key if ref.how == "chosen" else text is not None))
        table = self.table(ref.source, ref.sheet)
        if ref.how == "total":
            return table.sum(ref.column)
        if ref.how == "row":
            return table.exact(table.index.get(ref.key), ref.column)
        if i is not None and not ref.source and sheet is not None and ref.sheet == sheet.sheet:
            return table.exact(i, ref.column)
        return table.exact(table.index.get(key, table.index.get("")), ref.column)

    def floats(self, names: Mapping[str, Ref], sheet: Sheet) -> Callable[[Node], np.ndarray]:
        """As :meth:`leaf`, for all rows of a sheet at once and in float64."""
        here = self.table("", sheet.sheet)
        count = len(here.rows)

        def column(node: Node) -> np.ndarray:
            ref = names[node.code] if isinstance(node, Name) else None
            if ref is not None and ref.how == "same":
                table = self.table(ref.source, ref.sheet)
                if not ref.source and ref.sheet == sheet.sheet:
                    return table.floats(ref.column)
                join = self._join(ref, sheet.sheet, table)
                return np.append(table.floats(ref.column), np.nan)[join]
            if ref is not None and ref.how in ("key", "chosen", "filled"):
                found: dict[str, float] = {}
                out = np.empty(count)
                for i, row in enumerate(here.rows):
                    tag = row.key if ref.how == "key" else row.cells.get(ref.column) or ""
                    if tag not in found:
                        exact = self._value(ref, sheet, row.key, i)
                        found[tag] = np.nan if exact is None else float(exact)
                    out[i] = found[tag]
                return out
            exact = (
                self._parameter(node.rule)
                if isinstance(node, Param)
                else self._value(ref, sheet, "", None)
                if ref
                else None
            )
            return np.full(count, np.nan if exact is None else float(exact))

        return column

    def _join(self, ref: Ref, sheet: str, table: Table) -> np.ndarray:
        at = (ref.source, ref.sheet, sheet)
        if at not in self._joins:
            last, alone = len(table.rows), table.index.get("")
            self._joins[at] = np.array(
                [table.index.get(r.key, last if alone is None else alone) for r in self.table("", sheet).rows],
                dtype=np.intp,
            )
        return self._joins[at]


class _Checker:
    def __init__(self, form: Form, data: Data, context: Context):
        self.form, self.context = form, context
        self.problems = Collector()
        self.values = Values(form, data, context)

    def tell(self, code: str, message: str, sheet: Sheet, key: str, column: Column | None, *, severity: Severity = Severity.BLOCKER,
             got: str = "", wanted: str = "", source: str = "", fix: str = "", check: str = "") -> None:  # fmt: skip
        name = self.form.key_name(sheet, key)
        place = Place(sheet=sheet.title.zh, field=" ".join(w for w in (name, column.title.zh if column else "") if w))
        article = source or (column.article if column else "")
        self.problems.add(
            FilingProblem(
                f"filing.{code}",
                message,
                severity,
                place,
                got[:120],
                wanted,
                article,
                fix,
                sheet.sheet,
                key,
                column.code if column else "",
                check,
            )
        )

    # --- rows -------------------------------------------------------------------------------------
    def rows(self, sheet: Sheet) -> None:
        table = self.values.table("", sheet.sheet)
        if sheet.key is None:
            if not table.rows and sheet.required:
                self.tell(
                    "sheet.empty",
                    f"“{sheet.title}”没有填写",
                    sheet,
                    "",
                    None,
                    got="空",
                    wanted="填写本表",
                    fix="按模板填写。",
                )
            return
        wanted = self.form.keys(sheet)
        if not table.rows and sheet.required and not self.form.entry.nil_return:
            self.tell(
                "sheet.empty",
                f"“{sheet.title}”没有填写",
                sheet,
                "",
                self.form.column(sheet.sheet, sheet.key.columns[0]),
                got="没有数据行",
                wanted="至少一行",
                fix="按模板填写。",
            )
            return
        if sheet.required:
            for key in wanted:
                if key not in table.index:
                    name = self.form.key_name(sheet, key)
                    self.tell(
                        "row.missing",
                        f"缺少“{name}”一行",
                        sheet,
                        key,
                        self.form.column(sheet.sheet, sheet.key.columns[0]),
                        got="没有这一行",
                        wanted=f"“{name}”",
                        fix="补上这一行；没有发生的填0。",
                    )
        if sheet.key.fixed:
            allowed = set(wanted)
            column = self.form.column(sheet.sheet, sheet.key.columns[0])
            options = self.form.options(sheet.sheet, column.code)
            for row in table.rows:
                if row.key not in allowed and row.key.split("|")[0] in options:
                    self.tell(
                        "row.extra",
                        "本表没有这一行",
                        sheet,
                        row.key,
                        column,
                        got=self.form.key_name(sheet, row.key),
                        wanted="模板所列各行",
                        fix="删去这一行。",
                    )

    # --- cells ------------------------------------------------------------------------------------
    def column(self, sheet: Sheet, column: Column) -> None:
        table = self.values.table("", sheet.sheet)
        cells = table.column(column.code)
        if not cells:
            return
        self._required(sheet, column, table, cells)
        title = column.title.zh
        if column.numeric:
            self._numbers(sheet, column, table, cells)
            return
        options = self.form.options(sheet.sheet, column.code)
        for key, text in zip((r.key for r in table.rows), cells, strict=True):
            if text is None:
                continue
            if text in _ERRORS or text == "=":
                self._unreadable(sheet, column, key, text)
            elif column.type == "option":
                self._option(sheet, column, key, text, options)
            elif column.type == "yesno":
                if text not in ("0", "1"):
                    self.tell(
                        "cell.yesno",
                        f"“{title}”应填是或否",
                        sheet,
                        key,
                        column,
                        got=text,
                        wanted="是、否",
                        fix="改填是或否。",
                    )
            elif column.type == "date":
                if not _is_date(text):
                    self.tell(
                        "cell.date",
                        f"“{title}”不是日期",
                        sheet,
                        key,
                        column,
                        got=text,
                        wanted="如2024-03-31",
                        fix="按年-月-日填写。",
                    )
            else:
                self._words(sheet, column, key, text)

    def _required(self, sheet: Sheet, column: Column, table: Table, cells: list[str | None]) -> None:
        condition = self.form.required_if.get((sheet.sheet, column.code))
        if not (column.required or condition) or None not in cells:
            return
        totals = sheet.key.totals if sheet.key else ()
        for i, (row, text) in enumerate(zip(table.rows, cells, strict=True)):
            if text is None and row.key not in totals:
                if (
                    not column.required
                    and condition is not None
                    and expression.holds(condition.node, self.values.leaf(condition.refs, sheet, i)) is not True
                ):
                    continue
                wanted = "数字，没有发生的填0" if column.numeric else "填写本栏"
                self.tell(
                    "cell.required",
                    f"“{column.title}”没有填写",
                    sheet,
                    row.key,
                    column,
                    got="空",
                    wanted=wanted,
                    fix="补填。",
                )

    def _numbers(self, sheet: Sheet, column: Column, table: Table, cells: list[str | None]) -> None:
        values = table.floats(column.code)
        if (
            not plain(cells)
            or max((len(c) for c in cells if c), default=0) > MAX_DIGITS
            or int(np.count_nonzero(~np.isnan(values))) != len(cells) - cells.count(None)
        ):
            for row, text in zip(table.rows, cells, strict=True):
                if text is not None and number(text) is None:
                    self._unreadable(sheet, column, row.key, text)
        places = 0 if column.type == "integer" else column.places
        for i in [i for i, c in enumerate(cells) if c and (d := c.find(".")) >= 0 and len(c) - d - 1 > places]:
            exact = number(cells[i])
            if exact is None:
                continue
            key = table.rows[i].key
            if exact == exact.quantize(Decimal(1).scaleb(-places)):
                continue
            if column.type == "integer":
                self.tell(
                    "cell.integer",
                    f"“{column.title}”应为整数",
                    sheet,
                    key,
                    column,
                    got=str(cells[i]),
                    wanted="整数",
                    fix="改填整数。",
                )
            else:
                self.tell(
                    "cell.places",
                    f"“{column.title}”小数多于{places}位",
                    sheet,
                    key,
                    column,
                    severity=Severity.WARNING,
                    got=str(cells[i]),
                    wanted=f"至多{places}位小数",
                    fix="按规定位数四舍五入后填写。",
                    check="places",
                )
        for name, severity in (
            ("minimum", Severity.BLOCKER),
            ("maximum", Severity.BLOCKER),
            ("usual_minimum", Severity.ERROR),
            ("usual_maximum", Severity.ERROR),
        ):
            limit: Decimal | None = getattr(column, name)
            if limit is None:
                continue
            low = name.endswith("minimum")
            bound = float(limit)
            edge = abs(bound) * 1e-12 + 1e-300
            with np.errstate(invalid="ignore"):
                doubtful = np.flatnonzero(values < bound + edge if low else values > bound - edge)
            for i in map(int, doubtful):
                exact = number(cells[i])
                if exact is not None and (exact < limit if low else exact > limit):
                    unit = self.form.unit(sheet, column, table.rows[i].key)
                    usual = name.startswith("usual")
                    wanted = f"不{'小于' if low else '大于'}{show(limit)}{unit}"
                    self.tell(
                        f"cell.{name}", f"“{column.title}”{'超出常见范围，请核对计量单位' if usual else '超出允许范围'}", sheet, table.rows[i].key, column, severity=severity,
                        got=f"{show(exact)}{unit}", wanted=wanted, fix="核对数字和计量单位；属实的请说明原因。" if usual else "改正数字。", check=name if usual else "",
                    )  # fmt: skip

    def _unreadable(self, sheet: Sheet, column: Column, key: str, text: str) -> None:
        title = column.title.zh
        if text in _ERRORS:
            self.tell(
                "cell.error",
                f"“{title}”是错误值",
                sheet,
                key,
                column,
                got=text,
                wanted="数字" if column.numeric else "有效内容",
                fix="改正该单元格的公式，或直接填数。",
            )
        elif text == "=":
            self.tell(
                "cell.uncomputed",
                f"“{title}”的公式没有算出结果",
                sheet,
                key,
                column,
                got="公式",
                wanted="数字",
                fix="用Excel打开文件，保存后再上传；或直接填数。",
            )
        else:
            hint = (
                "只填数字，单位已在表头"
                if re.search(r"[万亿千百]|\d\s*[^\d\s.,%]", text)
                else "改填数字；没有发生的填0"
            )
            self.tell(
                "cell.number",
                f"“{title}”不是数字",
                sheet,
                key,
                column,
                got=text,
                wanted=f"数字（{unit}）" if (unit := self.form.unit(sheet, column, key)) else "数字",
                fix=f"{hint}。",
            )

    def _option(self, sheet: Sheet, column: Column, key: str, text: str, options: Options) -> None:
        if not len(options):
            return
        if text not in options:
            near = options.near(text)
            self.tell(
                "cell.option",
                f"“{column.title}”不在可选范围",
                sheet,
                key,
                column,
                got=text,
                wanted="、".join(near) or options.sample,
                fix="从下拉列表中选择。",
            )
            return
        if column.within and options.list is not None:
            table = self.values.table("", sheet.sheet)
            i = table.index.get(key)
            above = table.text(i, column.within) if i is not None else None
            if above and above in options.list and above not in [c.code for c in options.list.path(text)]:
                upper = self.form.column(sheet.sheet, column.within)
                self.tell(
                    "cell.nesting",
                    f"“{column.title}”不属于所填的“{upper.title}”",
                    sheet,
                    key,
                    column,
                    got=f"{text} {options.name_of(text)}",
                    wanted=f"{above} {options.list[above].name}之内的代码",
                    fix=f"改正“{column.title}”或“{upper.title}”。",
                )

    def _words(self, sheet: Sheet, column: Column, key: str, text: str) -> None:
        title = column.title.zh
        if len(text) > column.length:
            self.tell(
                "cell.length",
                f"“{title}”过长",
                sheet,
                key,
                column,
                got=f"{len(text)}字",
                wanted=f"不超过{column.length}字",
                fix="缩短文字，详细材料作附件上传。",
            )
        if _FORMULA.match(text):
            self.tell(
                "cell.formula",
                f"“{title}”以公式符号开头，导出时按文字处理",
                sheet,
                key,
                column,
                severity=Severity.WARNING,
                got=text,
                wanted="普通文字",
                fix="如不是有意填写，请删去开头的符号。",
                check="formula",
            )
        match column.format:
            case "credit_code":
                if problem := credit_code_problem(text):
                    self.tell(
                        "cell.credit_code",
                        problem.message,
                        sheet,
                        key,
                        column,
                        got=text,
                        wanted=problem.wanted,
                        source=problem.source,
                        fix=problem.fix,
                    )
            case "year":
                if not re.fullmatch(r"(19|20)\d\d", text):
                    self.tell(
                        "cell.year",
                        f"“{title}”应为四位年份",
                        sheet,
                        key,
                        column,
                        got=text,
                        wanted="如2024",
                        fix="改填四位年份。",
                    )
            case "phone":
                if not _PHONE.fullmatch(text):
                    self.tell(
                        "cell.phone",
                        f"“{title}”不是电话号码",
                        sheet,
                        key,
                        column,
                        severity=Severity.ERROR,
                        got=text,
                        wanted="手机或区号-座机号",
                        fix="改正号码。",
                        check="phone",
                    )
            case "region":
                if not re.fullmatch(r"\d{6}(\d{3}|\d{6})?", text):
                    self.tell(
                        "cell.region",
                        f"“{title}”应为行政区划代码",
                        sheet,
                        key,
                        column,
                        got=text,
                        wanted="6位、9位或12位数字",
                        fix="改填代码。",
                    )

    # --- against the past ---------------------------------------------------------------------------
    def history(self, sheet: Sheet, column: Column) -> None:
        """Jumps against last period, and figures ten thousand times off (万 forgotten or written twice)."""
        table, before = self.values.table("", sheet.sheet), self.values.table("prev", sheet.sheet)
        if not table.rows or not before.rows:
            return
        join = self.values._join(Ref("same", sheet.sheet, column.code, "", "prev"), sheet.sheet, before)
        old = np.append(before.floats(column.code), np.nan)[join]
        with np.errstate(all="ignore"):
            ratio = table.floats(column.code) / old
            slipped = (abs(ratio) > 3000) & (abs(ratio) < 30000) | (abs(ratio) < 1 / 3000) & (abs(ratio) > 1 / 30000)
            jumped = (
                abs(ratio - 1) * 100 > float(column.change) * (1 - 1e-9)
                if column.change is not None
                else np.zeros(len(ratio), bool)
            )
        slipped &= column.unit not in ("%", "1", "") and column.type == "number"
        for i in map(int, np.flatnonzero(slipped | jumped)):
            key = table.rows[i].key
            new, past = table.exact(i, column.code), before.exact(before.index.get(key), column.code)
            if new is None or not past:
                continue
            unit = self.form.unit(sheet, column, key)
            got = f"{show(new)}{unit}"
            if slipped[i]:
                self.tell(
                    SLIP,
                    f"“{column.title}”与上期相差约一万倍，疑似计量单位有误",
                    sheet,
                    key,
                    column,
                    severity=Severity.ERROR,
                    got=got,
                    wanted=f"上期{show(past)}{unit}",
                    fix="核对计量单位；属实的请说明原因。",
                    check=SLIP,
                )
            elif column.change is not None and abs(new / past - 1) * 100 > column.change:
                self.tell(
                    "change",
                    f"“{column.title}”比上期变化超过{show(column.change)}%",
                    sheet,
                    key,
                    column,
                    severity=Severity.WARNING,
                    got=got,
                    wanted=f"上期{show(past)}{unit}",
                    fix="核对数字；属实的可说明原因。",
                    check="change",
                )

    # --- the form's own checks ------------------------------------------------------------------------
    def rule(self, rule: Check, test: Expression, when: Expression | None) -> None:
        sheet = self.form.sheet(rule.sheet) if rule.sheet else None
        cell = cell_of(self.form, sheet, rule.at or test.first)
        for i in self._candidates(rule, test, sheet):
            leaf = self.values.leaf(test.refs, sheet, i)
            if when is not None and expression.holds(when.node, self.values.leaf(when.refs, sheet, i)) is not True:
                continue
            why = expression.broken(test.node, leaf, rule.tolerance, rule.relative)
            if why is None:
                continue
            at_sheet, key, column = cell or ((sheet or self.form.sheets[0]).sheet, "", "")
            entry = self.form.sheet(at_sheet)
            if i is not None and not key:
                key = self.values.table("", rule.sheet).rows[i].key
            shown = self.form.column(at_sheet, column) if column else None
            unit = (
                self.form.unit(entry, shown, key)
                if shown and rule.at in ("", column) and _plain_left(test, column)
                else ""
            )
            wanted = f"{why.words}{_short(why.right)}{unit}" + (f"（{rule.wanted}）" if rule.wanted else "")
            self.tell(
                f"check.{rule.check}",
                rule.message.zh,
                entry,
                key,
                shown,
                severity=rule.severity,
                got=f"{_short(why.left)}{unit}",
                wanted=wanted,
                source=rule.source,
                fix=rule.fix or "核对有关栏目；属实的请说明原因。",
                check=rule.check,
            )

    def _candidates(self, rule: Check, test: Expression, sheet: Sheet | None) -> Iterator[int | None]:
        if sheet is None or sheet.record or rule.scope in ("sheet", "form"):
            first = 0 if sheet is not None and sheet.record and self.values.table("", sheet.sheet).rows else None
            return iter([first])
        count = len(self.values.table("", sheet.sheet).rows)
        if count <= FEW:
            return iter(range(count))
        found = expression.suspects(
            test.node, self.values.floats(test.refs, sheet), rule.tolerance, rule.relative, count
        )
        return (int(i) for i in found)


def _short(value: Decimal) -> str:
    """A side of a check for people: a quotient needs no fifty digits."""
    exponent = value.as_tuple().exponent
    return show(value, PLACES if isinstance(exponent, int) and exponent < -PLACES else None)


def _plain_left(test: Expression, column: str) -> bool:
    """Whether the left side is the cell itself, so that its unit may be shown."""
    left = getattr(test.node, "left", None)
    return isinstance(left, Name) and left.code.split(".")[-1] == column


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
