"""Indicator tables of plans: rows of 指标 | 2020年 | 2025年 | 属性 become targets."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field

from lvheng.plan.reading import comparators, units
from lvheng.plan.reading.clauses import Placed
from lvheng.plan.reading.comparators import Bound
from lvheng.plan.reading.deadlines import five_year, last_day
from lvheng.plan.reading.model import QUANTITATIVE, Draft, Target
from lvheng.plan.reading.normalise import SUBJECT_HEAD, Cell, Mended, Paragraph
from lvheng.plan.reading.numbers import Number, find_numbers
from lvheng.plan.reading.tasks import read_tasks

NATURE = re.compile(r"约束性|预期性|指导性|约束|预期")
YEAR = re.compile(r"(?:19|20)\d\d")
BASE_HEAD = re.compile(r"现状|基期|基准|实际|完成值|完成情况|现值|基数|初值|上年|当前")
TARGET_HEAD = re.compile(r"目标|规划|计划|指标值|预期|值|年")
UNIT_HEAD = re.compile(r"^(?:计量)?单位$")
NATURE_HEAD = re.compile(r"属性|类型|性质|指标类别")
BODY_HEAD = re.compile(r"责任|牵头|单位（|部门|配合")
NAME_HEAD = re.compile(r"指标|项目|名称|任务|内容|目标名称")
ORDER_HEAD = re.compile(r"^(?:序号|编号|No\.?)$", re.I)
CHANGE_HEAD = re.compile(r"累计|年均|增[长速]|降幅|下降|变化|降低")
DECLARED = re.compile(r"下降|降低|减少|削减|比(?:19|20)\d\d")
TASK_HEAD = re.compile(r"牵头单位|责任单位|牵头部门|责任部门|配合单位|责任主体")
SUM_MARK = re.compile(r"^〔(.+)〕$|^（(.+)）$")
UNIT_IN_NAME = re.compile(r"[（〔](?P<unit>[^（）〔〕]{1,16})[）〕]\s*(?:\d?\*?)$")
SIGN = re.compile(r"^(?P<sign>≥|≤|>=|<=|>|<)")
BINDING_KIND = {"基本": "basic", "激励": "incentive", "奋斗": "incentive", "力争": "incentive"}
BINDING_TAIL = re.compile(r"(?:基本|激励|奋斗|力争)$")
NOT_FILLED = re.compile(r"^[-—/…·]*$")
ORDER = re.compile(r"^(?:\d{1,2}|[一二三四五六七八九十]{1,3}|（[一二三四五六七八九十\d]{1,3}）)[.、]?$")


@dataclass(slots=True)
class Column:
    """What a column holds: name, unit, nature, base, target, change, order, other; and its year."""

    role: str
    year: int | None = None
    head: str = ""
    names_indicator: bool = False  # rows are counties or trades


@dataclass(slots=True)
class Row:
    """Cells of one row after lines of the same row were joined."""

    cells: list[Cell] = field(default_factory=list)


def read_tables(draft: Draft, mended: Mended, placed: list[Placed], plan_year: int | None) -> None:
    """Add the targets of every table of indicators to the draft. Targets with years before the plan are bases."""
    starts = [p.start for p in placed]
    table: list[Paragraph] = []
    for paragraph in [*mended.paragraphs, Paragraph(0, 0)]:
        if paragraph.cells and not paragraph.heads_table and table:
            table.append(paragraph)
            continue
        if table:
            at = bisect_right(starts, table[0].start) - 1
            clause = placed[at].clause.id if at >= 0 else ""
            caption = _caption(mended.text, table[0].start)
            columns = _columns(table[0], draft)
            if any(c.role in ("target", "change") for c in columns) and not any(
                TASK_HEAD.search(c.head) for c in columns
            ):
                _table(draft, mended, table, columns, clause, caption)
            else:
                read_tasks(draft, mended, table, clause, plan_year)
        table = [paragraph] if paragraph.heads_table else []


def _caption(text: str, start: int) -> str:
    """The unit given for the whole table above it (单位：万吨)."""
    m = re.search(r"单位：([^\s，。）]{1,12})[）)]?\s*$", text[max(0, start - 60) : start])
    return m[1] if m else ""


def _second_head(table: list[Paragraph], columns: list[Column], draft: Draft) -> list[Paragraph]:
    """A second line of heads that only gives years takes the place of the column above it."""
    cells = [c for c in table[1].cells if c.text] if len(table) > 1 else []
    if len(cells) < 2 or not all(
        re.fullmatch(r"(?:19|20)\d\d年?(?:（[^）]{1,6}）|目标值?|现状|实际)?", c.text) for c in cells
    ):
        return table
    index = next((i for i, c in enumerate(columns) if c.role in ("target", "base", "change")), None)
    if index is None:
        return table
    years = [int(c.text[:4]) for c in cells]
    columns[index : index + 1] = [
        Column("base" if draft.period and year < draft.period.start else "target", year, cell.text)
        for year, cell in zip(years, cells, strict=True)
    ]
    return [table[0], *table[2:]]


def _columns(head: Paragraph, draft: Draft) -> list[Column]:
    """The roles of a table's columns, from its head."""
    columns: list[Column] = []
    named = False
    by_subject = any(SUBJECT_HEAD.match(cell.text) for cell in head.cells)
    for cell in head.cells:
        words = cell.text
        if by_subject:
            columns.append(_subject_column(words, draft))
            continue
        year_match = YEAR.search(words)
        year = int(year_match[0]) if year_match else None
        if year is None and (m := re.search(r"十([一二三四五六七])五", words)):
            year = five_year(m[1])[1]
        if ORDER_HEAD.match(words):
            columns.append(Column("order", head=words))
        elif UNIT_HEAD.match(words):
            columns.append(Column("unit", head=words))
        elif NATURE_HEAD.search(words) and not year:
            columns.append(Column("nature", head=words))
        elif BODY_HEAD.search(words):
            columns.append(Column("other", head=words))
        elif BASE_HEAD.search(words) and not re.search(r"比", words):
            columns.append(Column("base", year, words))
        elif CHANGE_HEAD.search(words):
            columns.append(Column("change", None if "比" in words else year, words))
        elif year:
            columns.append(Column("target", year, words))
        elif NAME_HEAD.search(words) and not named and not re.search(r"目标值|指标值", words):
            columns.append(Column("name", head=words))
            named = True
        elif TARGET_HEAD.search(words) and named:
            columns.append(Column("target", draft.period.end if draft.period else None, words))
        else:
            columns.append(Column("class" if not named else "other", head=words))
    years = [c.year for c in columns if c.role == "target" and c.year]
    first = draft.period.start if draft.period else None
    if len(years) > 1 or any(c.role == "base" for c in columns):
        for column in columns:
            if column.role == "target" and column.year and first and column.year < first:
                column.role = "base"
    elif len(years) == 1 and first and years[0] < first and any(c.role == "change" for c in columns):
        next(c for c in columns if c.role == "target").role = "base"
    if not any(c.role == "name" for c in columns):
        for column in columns:
            if column.role in ("class", "other"):
                column.role = "name"
                break
    return columns


def _subject_column(words: str, draft: Draft) -> Column:
    """A column of a table whose rows are counties or trades: its head names the indicator."""
    if SUBJECT_HEAD.match(words):
        return Column("name", head=words)
    year = YEAR.search(words)
    if ORDER_HEAD.match(words) or BODY_HEAD.search(words):
        return Column("other", head=words)
    if BASE_HEAD.search(words) and not re.search(r"比|目标", words):
        return Column("base", int(year[0]) if year else None, words)
    return Column(
        "target", int(year[0]) if year else draft.period.end if draft.period else None, words, names_indicator=True
    )


def _figure(text: str) -> tuple[Number | None, str]:
    """The number of a value cell and the sign before it; 〔18〕 is a total over the period."""
    m = SUM_MARK.match(text)
    inner = next((g for g in m.groups() if g), text) if m else text
    sign = SIGN.match(inner)
    body = inner[sign.end() :] if sign else inner
    numbers = find_numbers(body, [])
    if not numbers:
        return None, ""
    number = numbers[0]
    shift = text.find(body)
    number.start += shift
    number.end += shift
    number.unit_end += shift
    return number, sign["sign"] if sign else ""


def _rows(table: list[Paragraph], columns: list[Column]) -> list[list[Cell | None]]:
    """Rows fitted to the columns; a line with words but without figures goes on with the name of its neighbour."""
    width = len(columns)
    rows: list[list[Cell | None]] = []
    held: Cell | None = None  # words above the row they belong to
    for paragraph in table[1:]:
        cells = [c for c in paragraph.cells if c.text] if len(paragraph.cells) != width else list(paragraph.cells)
        filled = [c for c in cells if c.text]
        if not filled:
            continue
        figures = [c for c in filled if _figure(c.text)[0] and not ORDER.match(c.text)]
        if not figures and len(filled) == 2 and ORDER.match(filled[0].text):
            filled = filled[1:]  # number and name; the figures stand on the next line
        if not figures and len(filled) == 1 and not NATURE.fullmatch(filled[0].text):
            if rows and filled[0] is cells[0] and _tail_of(rows[-1], columns, filled[0].text):
                _extend(rows[-1], columns, filled[0])
            else:
                held = filled[0] if held is None else Cell(held.text + filled[0].text, held.start, filled[0].end)
            continue
        row = _fit(cells, columns)
        if held is not None and len(held.text) > 1:
            index = next((i for i, c in enumerate(columns) if c.role == "name"), 0)
            name = row[index]
            if name is None:
                row[index] = held
            elif name.text[:1] in "（〔）":
                row[index] = Cell(held.text + name.text, held.start, name.end)
        held = None
        rows.append(row)
    return rows


def _tail_of(row: list[Cell | None], columns: list[Column], words: str) -> bool:
    """Whether a lone cell goes on with the name above: a closing bracket, a unit, or the end of a noun."""
    index = next((i for i, c in enumerate(columns) if c.role == "name"), 0)
    name = row[index].text if row[index] else ""  # type: ignore[union-attr]
    if not name:
        return True
    return (
        name.count("（") > name.count("）")
        or words[:1] in "（〔）"
        or not re.search(
            r"(?:率|量|比例|比重|强度|浓度|消耗|排放|能耗|能力|天数|面积|数|占比|）|降低|下降|减少)$", name
        )
    )


def _extend(row: list[Cell | None], columns: list[Column], cell: Cell) -> None:
    index = next((i for i, c in enumerate(columns) if c.role == "name"), 0)
    name = row[index]
    row[index] = Cell(name.text + cell.text, name.start, name.end) if name else cell


def _fit(cells: list[Cell], columns: list[Column]) -> list[Cell | None]:
    """Put the cells of a row under the columns; merged cells of classes and order are missing at the left."""
    width = len(columns)
    if len(cells) == width:
        return list(cells)
    row: list[Cell | None] = [None] * width
    if len(cells) > width:
        # More cells than heads: the spare ones belong to the name.
        index = next((i for i, c in enumerate(columns) if c.role == "name"), 0)
        spare = len(cells) - width
        merged = Cell(
            "".join(c.text for c in cells[index : index + spare + 1]), cells[index].start, cells[index + spare].end
        )
        return [*cells[:index], merged, *cells[index + spare + 1 :]]
    left = list(cells)
    i = width - 1
    j = len(left) - 1
    while i >= 0 and j >= 0:
        role = columns[i].role
        words = left[j].text
        if role in ("order", "class") and i > 0 and j == i:
            row[i] = left[j]
            j -= 1
        elif (
            (role == "nature" and not NATURE.search(words))
            or (
                role in ("target", "base", "change")
                and not (_figure(words)[0] or NOT_FILLED.match(words) or len(words) > 12)
            )
            or (role == "unit" and not _is_unit(words))
            or (role in ("order", "class") and j < i)
        ):
            pass
        else:
            row[i] = left[j]
            j -= 1
        i -= 1
    name = next((k for k, c in enumerate(columns) if c.role == "name"), 0)
    if j >= 0 and row[name] is None:
        row[name] = left[j]
    return row


def _is_unit(words: str) -> bool:
    return (
        bool(units.UNIT.match(words))
        or words in ("%", "-", "—", "/")
        or bool(re.match(r"^[^\d]{1,12}$", words) and "/" in words)
    )


def _table(
    draft: Draft, mended: Mended, table: list[Paragraph], columns: list[Column], clause: str, caption: str
) -> None:
    """Add the targets of one table of indicators."""
    above = ""
    table = _second_head(table, columns, draft)
    for row in _rows(table, columns):
        by_role: dict[str, list[tuple[Column, Cell]]] = {}
        for column, cell in zip(columns, row, strict=False):
            if cell is not None and cell.text:
                by_role.setdefault(column.role, []).append((column, cell))
        if "name" not in by_role:
            continue
        name = by_role["name"][0][1]
        words = re.sub(r"^(?:\d{1,2}[.、]|（\d{1,2}）|[①-⑳]|其中：?|[#*])", "", name.text)
        if re.match(r"^其中", name.text) and above:
            words = f"{above}：{words}"
        else:
            above = words
        unit = next((c.text for _, c in by_role.get("unit", []) if c.text not in ("-", "—", "/")), "")
        m = UNIT_IN_NAME.search(words)
        if m and (_is_unit(m["unit"]) or m["unit"] in ("%", "‰")):
            unit, words = unit or m["unit"], words[: m.start()]
        nature = next((c.text for _, c in by_role.get("nature", []) if NATURE.search(c.text)), "")
        if not nature:
            nature = next((c.text for c in row if c is not None and NATURE.fullmatch(c.text)), "")
        if nature in ("约束", "预期"):
            nature += "性"
        bases = [(col, cell, _figure(cell.text)[0]) for col, cell in by_role.get("base", [])]
        wanted = [(col, cell) for role in ("target", "change") for col, cell in by_role.get(role, [])]
        levels = [pair for pair in wanted if pair[0].role == "target" and _figure(pair[1].text)[0]]
        named = ""
        for column, cell in wanted:
            if column.role == "change" and levels and not DECLARED.search(column.head):
                continue  # the change repeats what the level says
            binding = ""
            if column.names_indicator:
                subject, own, binding = _head_indicator(column.head)
                named = subject or named  # 激励目标 beside …下降基本目标
                subject = named
                target = _target(draft, subject, own or unit or caption, nature, column, cell, [])
            else:
                target = _target(draft, words, unit or caption, nature, column, cell, bases)
            if target is None:
                continue
            if column.names_indicator:
                target.scope, target.binding = words, binding
            number, _ = _figure(cell.text)
            assert number is not None
            first = next(c for c in row if c is not None)
            target.clause = clause
            target.value_span = mended.span(cell.start + number.start, min(cell.start + number.end, cell.end))
            target.span = mended.span(min(name.start, cell.start), cell.end)
            target.anchor = re.sub(r"\s+", " ", mended.original[target.span[0] : target.span[1]])
            target.sentence = "".join(c.text for c in row if c is not None) if first else ""
            draft.targets.append(target)


def _head_indicator(head: str) -> tuple[str, str, str]:
    """Indicator, unit and binding that a column's head names: “十三五”能耗强度降低目标（%）, 激励目标."""
    unit = ""
    m = UNIT_IN_NAME.search(head)
    if m:
        unit, head = m["unit"], head[: m.start()]
    head = re.sub(r"^(?:“?十[一二三四五六七]五”?(?:期间|时期)?|(?:19|20)\d\d年)|(?:控制)?(?:目标值?|指标)$", "", head)
    m = BINDING_TAIL.search(head)
    binding = BINDING_KIND[m[0]] if m else ""
    return head[: m.start()] if m else head, unit, binding


def _target(
    draft: Draft,
    name: str,
    unit: str,
    nature: str,
    column: Column,
    cell: Cell,
    bases: list[tuple[Column, Cell, Number | None]],
) -> Target | None:
    """One value cell as a target; None when the cell holds no number."""
    number, sign = _figure(cell.text)
    if number is None:
        return None
    suffix, suffix_word, _ = comparators.after(cell.text, number.unit_end)
    bound = Bound(0)
    bracketed = bool(SUM_MARK.match(cell.text))
    if sign:
        bound.comparator = {"≥": "ge", ">=": "ge", "≤": "le", "<=": "le", ">": "gt", "<": "lt"}[sign]
        bound.words.append(sign)
    lead = comparators.before(cell.text, number.start)
    if lead.comparator or lead.change:
        lead.comparator = lead.comparator or bound.comparator
        bound = lead
    written = units.canonical(number.unit or unit)
    change = comparators.DECLINE_NOUN.search(name) or comparators.GROWTH_NOUN.search(name)
    subject = name
    if column.role == "change" and not change:
        falls = number.value < 0 or re.search(r"降|减", column.head) or comparators.SMALL.search(name)
        bound.change = "down" if falls else "up"
        if not number.unit:
            written = "%"
    elif bracketed and not change and written in units.RATIOS and comparators.SMALL.search(name):
        bound.change = "down"
    value = number.value
    if value < 0 and (bound.change == "down" or change):
        value = -value
    elif value < 0 and not bound.change and written in units.RATIOS and comparators.SMALL.search(name):
        bound.change, value = "down", -value
    saved = re.search(r"减排量|削减量|节能量", column.head)
    comparator, direction, measure, remarks = comparators.decide(bound, suffix, saved[0] if saved else subject, written)
    if re.search(r"年均(?:增|下降|降低|提高|减|递)", column.head + name):
        measure = "annual_rate"
    year = column.year or (draft.period.end if draft.period else None)
    target = Target(kind=QUANTITATIVE, indicator=name, value=value, value_upper=number.upper, unit=written, unit_written=written, comparator=comparator,
                    comparator_words=bound.text(suffix_word), direction=direction, measure=measure, nature=nature, value_written=True,
                    confidence=0.9 if not remarks else 0.8)  # fmt: skip
    target.value_base, target.unit_base = units.base(value, written)
    if year:
        target.deadline, target.deadline_words = last_day(year), column.head
    base = next(((c, cell_, n) for c, cell_, n in bases if c.year or n), None)
    if base:
        target.baseline_year = base[0].year or (draft.period.base_year if draft.period else None)
        if base[2] is not None:
            target.baseline_value = base[1].text
    in_name = re.search(r"比((?:19|20)\d\d)年", f"{name}\n{column.head}")
    if in_name:
        target.baseline_year = int(in_name[1])
    elif target.baseline_year is None and measure == "cumulative_decline" and draft.period and (bracketed or change):
        target.baseline_year = draft.period.base_year
    target.reason = "；".join(["由指标表读取", *remarks, *([] if written else ["未写单位"])])
    if not written:
        target.confidence = 0.6
    return target
