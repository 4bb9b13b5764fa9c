"""The gate before reading: texts that lost signs or figures, hold junk, or are no plan."""

from __future__ import annotations

import re

from lvheng.core.problem import Place, Problem, Severity
from lvheng.plan.reading.normalise import Mended

HAN = re.compile(r"[\u4e00-\u9fff]")
# Where a percentage must follow: a rate or a change, then a bare figure, then the end of the phrase.
BARE_RATE = re.compile(
    r"(?:率|比例|比重|占比|能耗|排放(?:总)?量|排放|强度|浓度|增加值能耗|消耗)(?:分别)?(?:比|较)?(?:\d{4}年)?(?:分别)?"
    r"(?:达到?|提高到|提高至|为|超过|不低于|控制在|降低到?|降至|下降到?|减少|提高|降低|稳定在|保持在)(?!0(?![.\d]))\d+(?:\.\d+)?(?:以上|以下|以内|左右)?(?!、[\d.、和]+[^\d.、和，。；）])(?=[，。；、）]|$)"
    r"|(?:下降|降低|减少|提高)\d{1,2}(?:\.\d+)?(?:以上|左右)?(?=[，。；）])",
    re.M,
)
RATE = re.compile(r"(?:率|比例|比重|占比|下降|降低|减少|提高)[^，。；]{0,12}?\d+(?:\.\d+)?(?:%|‰|个百分点)")
BLANK = re.compile(
    r"(?:达到?|下降|降低|减少|提高|控制在|不低于|超过|新增|完成|建成|到|约|为|较|比)(?:约)?(?:[*×_＿□○●xX]{2,}|[*□]|X(?=[%万亿吨家个座公]))|[*×□_]{2,}(?=[%年月万亿吨家个座公元辆]|个百分点)"
)
JUNK = re.compile(r"(?<=[\u4e00-\u9fff])[*#@$|\\`{}■□◆◇★☆●○▲△▼※→←↑↓♦♣♠♥¤§¨©®°±¿½]{1,3}(?=[\u4e00-\u9fff])")
PINYIN = re.compile(r"(?<=[\u4e00-\u9fff])[a-zāáǎàōóǒòēéěèīíǐìūúǔùǖǘǚǜü]{1,6}(?=[\u4e00-\u9fff])")
KNOWN_LATIN = re.compile(r"(?:m|t|g|km|kw|kwh|app|pm|d|h|a|co|p|v|mw|kg|mg|tce|m³|e|i|o|w|x|b|c|ii|iii)$")
ANNOTATED = re.compile(r"(?<=[\u4e00-\u9fff])（[a-zāáǎàōóǒòēéěèīíǐìūúǔùǖǘǚǜü]{1,6}）(?=[\u4e00-\u9fff])")
BROKEN = re.compile(r"[\ufffd\ue000-\uf8ff]|锟斤拷|烫烫烫|？{4,}|(?:Ã.|â€.)")
PLAN_WORDS = re.compile(
    r"目标|任务|方案|规划|计划|措施|工程|负责|牵头|落实|推进|节能|减排|排放|污染|治理|能耗|能源|生态|环境|绿色|低碳|单位|整治|用水|行动|实施|建设"
)
MIN_HAN = 40


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def check(mended: Mended, name: str = "") -> list[Problem]:
    """Problems of a mended text: blockers where reading would give wrong figures, warnings elsewhere."""
    text = mended.text
    problems: list[Problem] = []

    def report(code: str, message: str, severity: Severity, where: list[re.Match[str]], **more: str) -> None:
        first = where[0] if where else None
        start, end = mended.span(first.start(), max(first.end(), first.start() + 1)) if first else (0, 0)
        place = (
            Place(file=name, line=_line(mended.original, start), start=start, end=end) if first else Place(file=name)
        )
        got = "、".join(dict.fromkeys(_around(text, m) for m in where[:3]))
        problems.append(Problem(f"plan.text.{code}", message, severity, place, got=got, **more))

    han = len(HAN.findall(text))
    if han < MIN_HAN:
        problems.append(Problem("plan.text.too_short", "文字过少，不是方案正文", place=Place(file=name), got=f"{han} 个汉字",
                                wanted="方案全文", fix="请导入方案全文；扫描件请先做文字识别"))  # fmt: skip
        return problems
    broken = list(BROKEN.finditer(text))
    if broken:
        share = len(broken) / len(text)
        report("broken", f"文本有乱码（{len(broken)}处）", Severity.BLOCKER if share > 0.01 else Severity.WARNING, broken,
               fix="请从公布网页重新复制，或另存为 UTF-8 编码")  # fmt: skip
    words = len(PLAN_WORDS.findall(text))
    if words < max(3, han // 400):
        problems.append(Problem("plan.text.not_a_plan", "文本不像节能减排类方案：几乎没有目标、任务、分工用语", place=Place(file=name),
                                got=text[:30].replace("\n", " "), wanted="节能减排、污染防治等工作方案正文", fix="请确认选对了文件"))  # fmt: skip
    bare = list(BARE_RATE.finditer(text))
    rates = len(RATE.findall(text))
    if bare:
        lost = len(bare) >= 3 and len(bare) > rates
        report(
            "percent_lost",
            f"疑似丢失百分号：{len(bare)}处比率或降幅没有单位" if not lost else f"文本丢失了百分号：{len(bare)}处比率或降幅没有单位",
            Severity.BLOCKER if lost else Severity.WARNING, bare, wanted="数字后有“%”或“个百分点”", fix="请从公布的原文重新复制，或逐处补上单位",
        )  # fmt: skip
    blank = list(BLANK.finditer(text))
    if blank:
        report("blanked", f"有{len(blank)}处数字被遮盖或留空", Severity.BLOCKER if len(blank) >= 3 else Severity.ERROR, blank,
               wanted="公布的数字", fix="请使用数字完整的文本；未下达的指标请在方案文件中标为待下达")  # fmt: skip
    junk = list(JUNK.finditer(text))
    latin = [m for m in PINYIN.finditer(text) if not KNOWN_LATIN.match(m[0])]
    for found, what in ((junk, "符号"), ([*latin, *ANNOTATED.finditer(text)], "拼音或字母")):
        if len(found) >= 3:
            heavy = len(found) >= max(10, han * 0.005) or len(found) > han * 0.02
            report("junk", f"汉字之间夹有多余的{what}（{len(found)}处）", Severity.BLOCKER if heavy else Severity.WARNING, found,
                   fix="请从公布的原文重新复制")  # fmt: skip
    return problems


def _around(text: str, m: re.Match[str]) -> str:
    return text[max(0, m.start() - 6) : m.end() + 6].replace("\n", " ").replace("\t", " ")
