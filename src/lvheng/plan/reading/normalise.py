"""Mending a plan text: widths, spaces, brackets, page breaks, traditional characters.

The mended text keeps, for each of its characters, the code point it stands for in the original, so
that everything found later can be marked in the original. Tables keep their cells, parted by tabs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from zhconv import zhconv

from lvheng.core.problem import Place, Problem, Severity

# One character for another: widths, brackets, signs. Square brackets of all makes become 〔〕.
FOLD = {
    **{chr(0xFF10 + i): str(i) for i in range(10)},
    **{chr(0xFF21 + i): chr(65 + i) for i in range(26)},
    **{chr(0xFF41 + i): chr(97 + i) for i in range(26)},
    "％": "%", "﹪": "%", "．": ".", "／": "/", "∕": "/", "＋": "+", "＝": "=", "＞": ">", "＜": "<", "﹥": ">", "﹤": "<",
    "≧": "≥", "≦": "≤", "⩾": "≥", "⩽": "≤", "＆": "&", "＃": "#", "＊": "*", "×": "×",
    "(": "（", ")": "）", "﹙": "（", "﹚": "）", "[": "〔", "]": "〕", "【": "〔", "】": "〕", "［": "〔", "］": "〕", "﹝": "〔", "﹞": "〕",
    "〖": "〔", "〗": "〕",
    ";": "；", ":": "：", "?": "？", "!": "！", "﹐": "，", "﹑": "、", "､": "、", "｡": "。", "︰": "：", "∶": "：",
    "～": "~", "〜": "~", "∼": "~", "–": "-", "－": "-", "−": "-", "‐": "-", "‑": "-", "―": "—", "─": "—", "━": "—", "﹣": "-", "“": "“", "”": "”", "〝": "“", "〞": "”", "「": "“", "」": "”", "『": "“", "』": "”",
    "㎡": "㎡", "﹟": "#",
}  # fmt: skip
FOLD_TABLE = str.maketrans(FOLD)
INVISIBLE = frozenset("\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f\ufffe")
NOTE_TAIL = 300  # of a paragraph, looked at to tell whether the next line goes on
ENDS = frozenset("。；：！？")
NUMERALS = "一二三四五六七八九十百零〇两"

# A line that opens a numbered clause, a labelled line, an annex: it never continues the line before.
OPENING = re.compile(
    rf"(?:第[{NUMERALS}\d]{{1,5}}[章节条编部]|[{NUMERALS}]{{1,4}}[、.]|（[{NUMERALS}]{{1,4}}）|（\d{{1,2}}）|\d{{1,2}}[.、](?!\d)"
    r"|\d{1,2}）|[①-⑳]|附[件表录]|附：|表\d|[——]{1,2}(?![—\d])"
    r"|〔?(?:牵头|责任|配合|参加|参与|主办|协办|承办|协同|落实|实施|完成|主管|督导)(?:单位|部门|主体|时限|时间|领导)?[^，。：]{0,6}：)"
)
TITLE_END = re.compile(
    r"(?:方案|规划|意见|通知|计划|要点|办法|规定|决定|纲要|文件|条例|细则|清单|说明|目录|号|\d日|办公[厅室]|人民政府|〔?试行〕?）?)$"
)
PAGE_NUMBER = re.compile(r"[-—－·\s]*\d{1,4}[-—－·\s]*|第\s*\d{1,4}\s*页(?:[\s,，]*共\s*\d{1,4}\s*页)?")
TABLE_HEAD = re.compile(r"指标|目标值?|项目|名称|任务|类别")
TABLE_COLUMN = re.compile(
    r"(?:19|20)\d\d年?|目标|属性|现状|基期|基准|单位|约束|指标值|年均|累计|增[长速]|降幅|类型|性质|十[一二三四五]五"
)
# A column whose cells name who or where the rows speak of.
SUBJECT_HEAD = re.compile(
    r"^(?:地区|各?[县市区]|.{0,6}（[县市区、]+）.{0,2}|各?设区市|行政区划?|行业|部门|城市|单位名称|企业名称|区域|市州|州市|流域)$"
)
SPACE_GAP = re.compile(r"[ \u3000\xa0]+(?!年|以上|以下|左右|以内|%|）)")  # not inside 2020 年, 90 以上
BORDER = " \t\r\n\u3000\xa0|｜│┃"
CELL_GAP = re.compile(r"\s*[\r\n]+\s*|[ \u3000\xa0]*[\t|｜│┃][ \u3000\xa0]*|[ \u3000\xa0]{2,}")


@dataclass(slots=True)
class Cell:
    """One cell of a table: its mended words and its place in the mended text."""

    text: str
    start: int
    end: int


@dataclass(slots=True)
class Paragraph:
    """A range of the mended text; ``cells`` is filled for a row of a table."""

    start: int
    end: int
    cells: list[Cell] = field(default_factory=list)
    heads_table: bool = False


@dataclass(slots=True)
class Mended:
    """The mended text, and for each of its characters the place in the original."""

    original: str
    text: str
    at: list[int]
    paragraphs: list[Paragraph]
    problems: list[Problem]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The range of the original that the range of the mended text stands for."""
        if start >= end or start >= len(self.at):
            here = self.at[min(start, len(self.at) - 1)] if self.at else 0
            return here, here
        return self.at[start], self.at[min(end, len(self.at)) - 1] + 1


@lru_cache(maxsize=1)
def _load_characters() -> None:
    """Load the table of characters by its path; by default the library leaves the file open."""
    zhconv.loaddict(str(Path(zhconv.__file__).with_name("zhcdict.json")))


@lru_cache(maxsize=8192)
def _simplified(char: str) -> str:
    _load_characters()
    plain = zhconv.convert(char, "zh-hans")
    return plain if len(plain) == 1 else char


def simplify(text: str) -> tuple[str, int]:
    """The text in simplified characters, character for character, and how many were changed."""
    table = {ord(c): s for c in set(text) if ord(c) > 0x2E7F and (s := _simplified(c)) != c}
    if not table:
        return text, 0
    plain = text.translate(table)
    return plain, sum(a != b for a, b in zip(text, plain, strict=True))


@dataclass(slots=True)
class _Line:
    """One line without its spaces: characters, their places, and how wide it was written."""

    chars: str
    at: list[int]
    raw: str
    start: int
    table: bool = False


def _squeeze(raw: str, start: int) -> tuple[str, list[int]]:
    """Drop all white space and invisible marks of a line, keeping places."""
    kept = [(c, start + i) for i, c in enumerate(raw) if not c.isspace() and c not in INVISIBLE and c >= " "]
    chars = "".join(c for c, _ in kept)
    at = [i for _, i in kept]
    if "," in chars:
        # 1,234 is one number; any other half-width comma is a comma.
        drop = {m.start(1) for m in re.finditer(r"(?<=\d)(,)(?=\d{3}(?!\d))", chars)}
        chars = "".join("，" if c == "," else c for i, c in enumerate(chars) if i not in drop)
        at = [p for i, p in enumerate(at) if i not in drop]
    return chars, at


def _split_cells(raw: str) -> list[tuple[str, int]]:
    """Cells of a table line with their offsets in the line; single spaces part cells only as a last resort."""
    body = raw.strip(BORDER)
    lead = len(raw) - len(raw.lstrip(BORDER))
    for gap in (CELL_GAP, SPACE_GAP):
        cells: list[tuple[str, int]] = []
        last = 0
        for m in gap.finditer(body):
            cells.append((body[last : m.start()], lead + last))
            last = m.end()
        cells.append((body[last:], lead + last))
        if len(cells) > 1:
            return cells
    return [(body, lead)]


FLAT_HEAD = re.compile(
    r"序号|类别|领域|分类|指标(?:名称|类别|类型|属性|值|内容)?|主要指标|项目|(?:计量)?单位|属性|类型|性质|目标值?|规划目标|基期值?|基准值?|现状值?|累计|年均.{0,6}|"
    r"(?:19|20)\d\d年?.{0,6}|“?十[一二三四五六七]五”?.{0,8}"
)
FLAT_NATURE = re.compile(r"约束性?|预期性?|指导性")
FLAT_CELL = 34  # characters of the longest cell


def _unflatten(lines: list[_Line], plain: str) -> list[_Line]:
    """Put a table that a web copy gives one cell a line back into rows."""
    result: list[_Line] = []
    i = 0
    while i < len(lines):
        k = i
        while k < len(lines) and k - i < 12 and FLAT_HEAD.fullmatch(lines[k].chars):
            k += 1
        heads = [line.chars for line in lines[i:k]]
        width = len(heads)
        sound = (
            width >= 3 and any(TABLE_HEAD.search(h) for h in heads) and any(re.search(r"\d{4}|目标", h) for h in heads)
        )
        end = k
        while sound and end < len(lines) and len(lines[end].chars) <= FLAT_CELL and not _ends_flat(lines[end].chars):
            end += 1
        rows = _flat_rows(lines[k:end], width, bool(re.search(r"属性|类型|性质", heads[-1]))) if sound else []
        if not rows:
            result.append(lines[i])
            i += 1
            continue
        for group in [lines[i:k], *rows]:
            first, last = group[0], group[-1]
            raw = plain[first.start : last.start + len(last.raw)]
            result.append(_Line("".join(g.chars for g in group), [p for g in group for p in g.at], raw, first.start))
        i = k + sum(map(len, rows))
    return result


def _ends_flat(chars: str) -> bool:
    return (
        any(c in chars for c in "。；")
        or chars.startswith("注")
        or re.match(rf"[{NUMERALS}]{{1,3}}、|（[{NUMERALS}]+）|第.{{1,4}}[章条]|附件|表\d|专栏", chars) is not None
    )


def _flat_rows(cells: list[_Line], width: int, by_nature: bool) -> list[list[_Line]]:
    """Rows of cells: closed by a cell that names the nature, or of equal length."""
    rows: list[list[_Line]] = []
    row: list[_Line] = []
    for cell in cells:
        row.append(cell)
        if (by_nature and FLAT_NATURE.fullmatch(cell.chars)) or (not by_nature and len(row) == width):
            if len(row) > width + 2 or len(row) < 2:
                break
            rows.append(row)
            row = []
    return rows


def _is_head(line: _Line) -> bool:
    """Whether the line heads a table of indicators: short cells, one naming indicators, one a year or property."""
    if len(line.chars) > 90 or any(c in line.chars for c in "。；") or line.chars.count("，") > 1:
        return False
    if not TABLE_COLUMN.search(line.chars):
        return False
    cells = [c.replace(" ", "") for c, _ in _split_cells(line.raw) if c.strip()]
    if len(cells) < 2 or max(map(len, cells)) > 24:
        return False
    named = [c for c in cells if TABLE_HEAD.search(c) or SUBJECT_HEAD.match(c)]
    columns = [c for c in cells if TABLE_COLUMN.search(c)]
    return bool(named) and bool(columns) and (len(cells) > 2 or named != columns)


def _in_table(line: _Line) -> bool:
    """Whether a line under a table's head still belongs to the table."""
    if any(c in line.chars for c in "。") or line.chars.count("，") > 2 or len(line.chars) > 140:
        return False
    cells = [c for c, _ in _split_cells(line.raw) if c.strip()]
    if len(cells) == 1:
        return len(line.chars) <= 24 and not re.match(
            rf"[{NUMERALS}]{{1,3}}、|（[{NUMERALS}]+）|第.{{1,4}}[章条]|附件|注：", line.chars
        )
    return not re.match(rf"[{NUMERALS}]{{1,3}}、|（[{NUMERALS}]+）[^ ]{{2,12}}。", line.chars)


def _mark_tables(lines: list[_Line]) -> set[int]:
    """Mark the lines of tables; returns the indices of their heads."""
    heads: set[int] = set()
    i = 0
    while i < len(lines):
        if _is_head(lines[i]):
            j = i + 1
            tabs = lines[i].raw.strip().count("\t")
            while (
                j < len(lines)
                and (_in_table(lines[j]) or (tabs > 1 and lines[j].raw.count("\t") == tabs))
                and not _is_head(lines[j])
            ):
                j += 1
            rows = sum(1 for line in lines[i + 1 : j] if len(_split_cells(line.raw)) > 1)
            if rows:
                while j > i + 1 and len(_split_cells(lines[j - 1].raw)) == 1 and len(lines[j - 1].chars) > 12:
                    j -= 1
                for line in lines[i:j]:
                    line.table = True
                heads.add(i)
                i = j
                continue
        i += 1
    return heads


def _is_heading(chars: str) -> bool:
    return len(chars) <= 40 and OPENING.match(chars) is not None and not any(c in chars for c in "，。")


def _width(raw: str) -> int:
    """Width of a line as set: full-width characters count two."""
    return sum(1 if c < "\u2000" else 2 for c in raw.rstrip())


def _joins(before: str, last: _Line, line: _Line, wrapped: int, opening: bool) -> bool:
    """Whether a line goes on from the paragraph before it (a break inside a sentence)."""
    if not before or OPENING.match(line.chars):
        return False
    end = before[-1]
    if end in ENDS:
        return False
    if end in "，、（〔“《及和与的":
        return True
    if opening and len(before) < 40 and len(line.chars) <= 20 and TITLE_END.search(line.chars):
        # A title set in two lines.
        return "“" in before or "关于" in before if not TITLE_END.search(before) else False
    if before.count("（") + before.count("〔") > before.count("）") + before.count("〕"):
        return True
    if _is_heading(before) or (len(before) < 60 and TITLE_END.search(before)):
        return False
    if wrapped:
        indented = line.raw[:2] in ("\u3000\u3000", "  ") or line.raw[:1] == "\t"
        return _width(last.raw) >= wrapped * 0.85 and not (indented and end in "）〕”")
    return len(last.chars) >= 15 and end not in "）〕”》"


def _wrap_width(lines: list[_Line]) -> int:
    """Width of hard-wrapped lines, 0 when lines are paragraphs."""
    long = [line for line in lines if len(line.chars) >= 12 and not line.table]
    if len(long) < 8:
        return 0
    broken = sum(1 for line in long if line.chars[-1] not in "。；：！？）〕”")
    width = sorted(_width(line.raw) for line in long)[int(len(long) * 0.9)]
    return width if broken > 0.35 * len(long) and width <= 140 else 0


def mend(original: str) -> Mended:
    """Mend a text. Linear in its length; never raises on any text."""
    problems: list[Problem] = []
    folded = original.translate(FOLD_TABLE)
    plain, changed = simplify(folded)
    if changed > 20 and changed > 0.05 * len(plain.strip()):
        first = next(i for i, (a, b) in enumerate(zip(folded, plain, strict=True)) if a != b)
        problems.append(
            Problem(
                "plan.text.traditional",
                f"文本为繁体字，已逐字转为简体后读取（共{changed}字）",
                Severity.NOTICE,
                Place(start=first, end=first + 1),
                fix="请以公布的简体文本核对",
            )
        )
    lines: list[_Line] = []
    offset = 0
    for raw in re.split(r"(?<=[\n\r\f\v\x1c-\x1e\x85\u2028\u2029])", plain):
        chars, at = _squeeze(raw, offset)
        if chars:
            lines.append(_Line(chars, at, raw.rstrip("\r\n\f\v"), offset))
        offset += len(raw)
    lines = _unflatten(lines, plain)
    lines = [line for line in lines if len(line.chars) >= 14 or not PAGE_NUMBER.fullmatch(line.chars)]
    heads = _mark_tables(lines)
    wrapped = _wrap_width(lines)

    text: list[str] = []
    places: list[int] = []
    paragraphs: list[Paragraph] = []
    size = 0
    before = ""
    last: _Line = _Line("", [], "", 0)
    for number, line in enumerate(lines):
        if line.table:
            start = size
            cells: list[Cell] = []
            for raw_cell, inner in _split_cells(line.raw):
                chars, at = _squeeze(raw_cell, line.start + inner)
                if cells:
                    text.append("\t")
                    places.append(at[0] if at else line.start + inner)
                    size += 1
                text.append(chars)
                places.extend(at)
                cells.append(Cell(chars, size, size + len(chars)))
                size += len(chars)
            paragraphs.append(Paragraph(start, size, cells, number in heads))
            before = ""
        else:
            if paragraphs and before and _joins(before, last, line, wrapped, len(paragraphs) < 12):
                # Take the paragraph's closing newline back.
                text.pop()
                places.pop()
                size -= 1
                text.append(line.chars)
                places.extend(line.at)
                size += len(line.chars)
                paragraphs[-1].end = size
                before = (before + line.chars)[-NOTE_TAIL:]
            else:
                text.append(line.chars)
                places.extend(line.at)
                paragraphs.append(Paragraph(size, size + len(line.chars)))
                size += len(line.chars)
                before = line.chars
            last = line
        text.append("\n")
        places.append(places[-1] if places else 0)
        size += 1
    return Mended(original, "".join(text), places, paragraphs, problems)
