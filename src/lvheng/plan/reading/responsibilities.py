"""Notes of responsibility: bracketed notes, labelled lines, and sentences of the form 由…牵头."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field

from lvheng.core.problem import Place, Problem, Severity
from lvheng.plan.reading.clauses import Placed
from lvheng.plan.reading.model import Responsibility
from lvheng.plan.reading.normalise import Mended

# Words that end a list of bodies and give its role, longest first.
SHARE = "按(?:照)?(?:各自)?(?:职责|职能|任务|责任)?(?:分工|职责|职能)(?:协作|合作|分别)?"
ROLE = re.compile(
    rf"(?P<lead>(?:共同|分别)?(?:{SHARE})?(?:牵头|主办|主责)(?:负责|组织|落实|实施|推进|督导|督办|督促|协调|抓总|统筹)?(?:落实|实施)?)"
    rf"|(?P<cooperate>(?:{SHARE})?(?:积极)?(?:配合|参与|参加|协办|协助|协同|会办|支持)(?:落实|实施|负责)?)"
    rf"|(?P<share>(?:等)?{SHARE}(?:共同)?(?:负责|落实|组织实施|做好|承担|推进)?(?:落实|实施|相关工作)?|分工负责|分别负责|共同负责|共同落实)"
    r"|(?P<implement>为(?:责任|实施|落实|工作)主体|负责(?:组织)?(?:具体)?(?:落实|实施)|(?:具体|组织|抓好)(?:落实|实施)|落实|实施|督促落实|承担)"
    r"|(?P<sole>负总责|负责|主管)"
)
LABEL = re.compile(
    r"〔?(?P<label>(?:(?:市级|省级|区级|县级)?(?:牵头|责任|配合|参加|参与|主办|协办|承办|协同|落实|实施|主管|督导|负责|组织|支持)(?:单位|部门|主体|机构|处室|科室)"
    r"|(?:牵头|配合|主办|协办|责任)(?:领导)?|(?:责任|落实|牵头)(?:及|和|、)(?:配合|参与|参加|责任)(?:单位|部门))(?:〔[^〕]{0,8}〕|（[^）]{0,8}）)?)(?:〕?[：:]|〕)"
)
TIME_LABEL = re.compile(r"〔?(?:完成|办结|时间|整改)(?:时限|时间|期限|节点|要求|进度)?〕?：[^，。；\n]*")
LABEL_ROLE = (("牵头", "lead"), ("主办", "lead"), ("配合", "cooperate"), ("参", "cooperate"), ("协", "cooperate"), ("支持", "cooperate"),
              ("落实", "implement"), ("实施", "implement"))  # fmt: skip
INHERIT = re.compile(
    r"(?:以下|下同|以下各项|以下任务|以下均|各项(?:任务|工作))[^。〕）]{0,60}?(?:不再(?:一一)?列出|不再列|下同|均需|均由|均须)|下同"
)
REMARK = re.compile(
    r"[（〔][^（）〔〕]*(?:下同|不再|[列排][在第首])[^（）〔〕]*[）〕]$"
)  # （列第一位者为牵头单位，下同）
FIRST_LEADS = re.compile(
    r"(?:列|排)(?:在)?(?:第一位|首位|第一)(?:的|者)?(?:单位|部门)?(?:的)?(?:为|是)?(?:牵头|主办)|第一个(?:单位|部门)?为牵头|首位为牵头"
)
LOCAL = re.compile(
    r"^(?:各|沿[江海河]|相关|有关|市辖|县级|地方)[^、]{0,14}(?:人民政府|政府|管委会|管理委员会|[县区市盟旗州]|街道|乡镇)|^[^、]{0,10}(?:经开|开发|高新|新|实验|示范|工业园|产业园|保税|合作|度假|试验|工业|风景名胜|经济|集聚)区管(?:理)?委(?:员)?会$"
)
SET = re.compile(r"^(?:各|有关|相关|市直|省直|市级|其他|中省直|区直|县直|市各).*(?:部门|单位|成员单位)$")
BODY_END = "局委办厅部院会处署行队所社站团校馆台组厂"  # one character that may close the name of a body
BODY = re.compile(
    rf"(?:[{BODY_END}]|政府|公司|中心|集团|单位|部门|机构|支队|大队|委员会|办公室|企业|街道|乡镇|[县区州盟旗]|[^发]展改革委|法院|高校|学校|海关|银行|园区|市|港口|电网|供电|专班)$"
)
GOVERNMENT = re.compile(
    r"(?:(?<![分支])局|委|办|厅|委员会|办公室|总队|支队|供销社|供销合作社|总工会|妇联|残联|科协|工商联)$"
)
LEVEL = re.compile(r"^(?:市(?!场|政[园工公管])|省|县|区(?!域)|州|盟|旗|自治区|自治州|国家|兵团)")
PLACED = re.compile(
    r"^.*(?:供电|电网|海关|铁路)|^(?:国网|国家|中国|中央|人民|人行|民航|海关|团[市省]|各|有关|相关|其他|驻|中|华|全)|^(?!城市|都市)[^局委办厅]{1,6}(?:市(?!场|政)|省|县|区(?!域)|州|海事|海警|电监)"
)
TAIL = re.compile(
    r"(?:等(?:有关|相关|市直|省直|市级|各|多个|\d+个|几个|各有关)*(?:部门|单位|部门和单位|部门、单位|成员单位|企业)?|等)$"
)
LEADING = re.compile(r"^(?:由|请|并由|会同|同时|其中|具体由|以及|并|和|及|各项工作由|本项由)")
JOIN = re.compile(
    r"(?<=[局委办厅部院会处署行队所社政府司心团位门区县市州])(?:和|与|及|以及|会同|联合)(?=[\u4e00-\u9fff])"
)
OPEN = {"（": "）", "〔": "〕"}
NOTE_LIMIT = 900


@dataclass(slots=True)
class Found:
    """A note with its range in the mended text; ``inline`` notes stay part of their sentence."""

    note: Responsibility
    start: int
    end: int
    inline: bool = False


@dataclass(slots=True)
class _Lists:
    lead: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    cooperate: list[str] = field(default_factory=list)
    implement: list[str] = field(default_factory=list)
    open_ended: bool = False
    doubtful: list[str] = field(default_factory=list)


def _outside(text: str, marks: str) -> list[str]:
    """Split at marks that stand outside brackets."""
    parts, depth, last = [], 0, 0
    for i, c in enumerate(text):
        if c in OPEN:
            depth += 1
        elif c in "）〕":
            depth = max(0, depth - 1)
        elif c in marks and not depth:
            parts.append(text[last:i])
            last = i + 1
    parts.append(text[last:])
    return parts


CUT_LOCAL = re.compile(r"^各(?:相关|有关)?[县市区镇乡旗](?:（[县市区、]+）)?$")
LOCAL_TAIL = re.compile(r"^(?:[县市区镇乡]|街道|自治县|（)")
ZONES = re.compile(
    r"^(?P<place>[\u4e00-\u9fff]{2,3})(?P<tail>(?:经济技术|高新技术|经济|高新|工业|产业)(?:产业)?(?:开发|园|新)?区管(?:理)?委(?:员)?会)$"
)


def _shared_tails(parts: list[str]) -> list[str]:
    """各县、区人民政府 is one body; 甲、乙、丙经济开发区管委会 are three of a kind."""
    joined: list[str] = []
    for part in parts:
        if joined and CUT_LOCAL.match(joined[-1]) and LOCAL_TAIL.match(part):
            joined[-1] += "、" + part
            continue
        m = ZONES.match(part)
        if m:
            i = len(joined)
            while i and re.fullmatch(r"[\u4e00-\u9fff]{2,3}", joined[i - 1]) and not BODY.search(joined[i - 1]):
                i -= 1
                joined[i] += m["tail"]
        joined.append(part)
    return joined


def split_bodies(text: str) -> tuple[list[str], bool]:
    """Names of a list of bodies, and whether the list is left open by 等."""
    opened = False
    names: list[str] = []
    for part in _shared_tails(_outside(text, "、，；")):
        for name in JOIN.split(part):
            name = LEADING.sub("", name.strip("。： “”"))
            m = TAIL.search(name)
            if m:
                opened = True
                name = name[: m.start()]
            if name and not FIRST_LEADS.search(name):
                names.append(name)
    return names, opened


def restore_prefix(names: list[str]) -> list[str]:
    """Give 局 and 委 of a list the level that only its first body carries: 市发展改革委、环保局."""
    prefix = ""
    restored = []
    for name in names:
        m = LEVEL.match(name)
        if m and not name.startswith("国家"):
            prefix = "市" if m[0] == "市" else m[0]
        elif prefix and GOVERNMENT.search(name) and not PLACED.match(name) and len(name) <= 16:
            name = prefix + name
        restored.append(name)
    return restored


def _prefixed(lists: _Lists) -> None:
    """Restore the prefix over all roles in the order of the note."""
    for attr in ("lead", "others", "cooperate", "implement"):
        setattr(lists, attr, restore_prefix(getattr(lists, attr)))


def _assign(lists: _Lists, role: str, names: list[str]) -> None:
    getattr(lists, role).extend(n for n in names if n not in getattr(lists, role))


def _read_roles(content: str) -> tuple[_Lists, bool, str]:
    """Bodies by role of one note's words, whether any role word stands in it, and its style."""
    content = _marked(content)
    lists = _Lists()
    pending: list[str] = []
    seen = False
    labelled = ""
    sole: list[list[str]] = []
    share: list[list[str]] = []
    for piece in _outside(content, "，；。"):
        piece = TIME_LABEL.sub("", piece)
        if not piece:
            continue
        label = LABEL.match(piece)
        if label:
            if "领导" in label["label"]:
                continue  # persons, not bodies
            labelled = _label_role(label["label"])
            names, opened = split_bodies(piece[label.end() :])
            lists.open_ended |= opened
            _assign(lists, labelled, names)
            pending, seen = [], True
            continue
        m = _closing_role(piece)
        body_text = piece[: m.start()] if m else piece
        names, opened = split_bodies(body_text)
        lists.open_ended |= opened
        if not m and labelled:
            _assign(lists, labelled, names)  # a label holds until the next one
            continue
        if not m:
            pending += names
            continue
        seen = True
        lists.open_ended |= m[0].startswith("等")
        names = pending + names
        pending = []
        kind = m.lastgroup
        if kind == "lead":
            governments = [n for n in names if LOCAL.match(n)]
            if len(governments) == len(names):
                governments = []
            _assign(lists, "lead", [n for n in names if n not in governments])
            _assign(lists, "implement", governments)
        elif kind in ("cooperate", "implement"):
            _assign(lists, kind, names)
        elif kind == "sole":
            sole.append(names)
        else:
            share.append(names)
    for names in share:
        _assign(lists, "others", names)
    supported = bool(lists.cooperate)
    for names in sole:
        local = all(LOCAL.match(n) or SET.match(n) for n in names)
        alone = len(names) == 1 and not lists.lead and not lists.others and len(sole) == 1
        _assign(lists, "lead" if alone or (supported and not lists.lead and not local) else "others", names)
    if pending:
        _assign(lists, "others", pending)
    if labelled and not lists.lead and lists.cooperate:
        lists.lead, lists.others = lists.others, []  # 责任单位：甲；配合单位：乙
    _prefixed(lists)
    everyone = [*lists.lead, *lists.others, *lists.cooperate, *lists.implement]
    if lists.lead and len(everyone) == 1:
        style = "sole"
    elif lists.lead:
        style = "lead+shared" if lists.others else "lead+support" if lists.cooperate or lists.implement else "lead"
    else:
        style = "shared"
    return lists, seen, style


def _marked(content: str) -> str:
    """甲（牵头）、乙 and 甲牵头、乙配合 written like 甲牵头，乙配合."""
    content = re.sub(r"（(牵头|主办|配合|参与|协办)(?:单位|部门)?）、?", r"\1，", content)
    return re.sub(r"(牵头|主办|配合|参与|参加|协办|负责)、", r"\1，", content)


def _closing_role(piece: str) -> re.Match[str] | None:
    """The role words that close a piece."""
    last = None
    for m in ROLE.finditer(piece):
        if m.end() == len(piece):
            last = m
            break
    return last


def _label_role(label: str) -> str:
    for word, role in LABEL_ROLE:
        if label.startswith(word) or (word in label and label[:2] in ("市级", "省级")):
            return role
    return "others"


def looks_like_bodies(names: list[str]) -> float:
    """Share of names that end as names of bodies do."""
    return sum(1 for n in names if BODY.search(n) and len(n) <= 30) / len(names) if names else 0.0


def _note(content: str, text: str) -> Responsibility | None:
    """Read a note's words; None when they are not a note."""
    main, *rest = _outside(content, "。")
    tail = "。".join(rest)
    inherit = bool(INHERIT.search(content))
    if inherit and INHERIT.search(main) and not _closing_role(main.split("，")[0]):
        pass
    lists, seen, style = _read_roles(main)
    everyone = [*lists.lead, *lists.others, *lists.cooperate, *lists.implement]
    share = looks_like_bodies(everyone)
    if not seen or not everyone or share < 0.6:
        return None
    note = Responsibility(
        lead=lists.lead,
        others=lists.others,
        cooperate=lists.cooperate,
        implement=lists.implement,
        style=style,
        open_ended=lists.open_ended,
        inherit=inherit,
        text=text,
    )
    reasons = []
    if share < 1:
        note.confidence = 0.7
        odd = next(n for n in everyone if not BODY.search(n) or len(n) > 30)
        reasons.append(f"“{odd[:16]}”不像单位名称")
    if tail and not inherit:
        note.confidence = min(note.confidence, 0.8)
        reasons.append("句号后另有说明，请核对")
    if style == "shared":
        reasons.append("未写明牵头单位，按共同负责")
    note.reason = "；".join(reasons) or "单位与分工用语齐全"
    return note


def _bare(content: str) -> Responsibility | None:
    """A bracket that holds nothing but bodies: （市交通运输局、市公安局）."""
    names, opened = split_bodies(content)
    if not names or not LEVEL.match(names[0]) or looks_like_bodies(names) < 1 or len(names[0]) < 4:
        return None
    names = restore_prefix(names)
    note = Responsibility(
        style="sole" if len(names) == 1 else "shared", open_ended=opened, confidence=0.75, reason="只列单位，未写分工"
    )
    note.lead, note.others = (names, []) if len(names) == 1 else ([], names)
    return note


def _separate_local(note: Responsibility) -> None:
    """Local governments that share a flat note are kept apart from the departments."""
    if note.style == "shared" and not note.lead:
        local = [n for n in note.others if LOCAL.match(n) and not SET.match(n)]
        if local and len(local) < len(note.others):
            note.local_governments = local
            note.others = [n for n in note.others if n not in local]


def _bracketed(text: str) -> list[tuple[int, int]]:
    """Outermost bracketed ranges, whichever bracket closes them; a break of paragraph closes them all."""
    ranges: list[tuple[int, int]] = []
    depth, start = 0, 0
    for i, c in enumerate(text):
        if c in OPEN:
            if not depth:
                start = i
            depth += 1
        elif c in "）〕" and depth:
            depth -= 1
            if not depth:
                ranges.append((start, i + 1))
        elif c == "\n" and depth:
            depth = 0
    return ranges


ROLE_HINT = re.compile(r"负责|牵头|配合|参与|参加|落实|责任单位|责任部门|主办|协办|协助|分工|实施|承担")


def find_notes(mended: Mended, placed: list[Placed]) -> list[Found]:
    """All notes of a text in order, with the clause each stands in."""
    text = mended.text
    found: list[Found] = []
    for start, end in _bracketed(text):
        if end - start > NOTE_LIMIT or end - start < 5:
            continue
        if ROLE_HINT.search(text, start, end):
            note = _note(text[start + 1 : end - 1], text[start:end])
        else:
            note = _bare(text[start + 1 : end - 1]) if text[end : end + 1] in ("。", "\n", "") else None
        if note:
            found.append(Found(note, start, end))
    covered = [(f.start, f.end) for f in found]
    found.extend(_labelled(mended, covered))
    found.extend(_inline(mended, [(f.start, f.end) for f in found]))
    found.sort(key=lambda f: f.start)
    first_leads = bool(FIRST_LEADS.search(text))
    starts = [p.start for p in placed]
    for i, item in enumerate(found, 1):
        note = item.note
        if first_leads and not note.lead and note.others:
            note.lead, note.others, note.style = note.others[:1], note.others[1:], "lead+shared"
            note.reason = "文中规定列第一位的为牵头单位"
        _separate_local(note)
        note.id = f"R{i:02d}"
        note.span = mended.span(item.start, item.end)
        note.text = mended.original[note.span[0] : note.span[1]]
        at = bisect_right(starts, item.start) - 1
        note.clause = placed[at].clause.id if at >= 0 else ""
    return found


def _labelled(mended: Mended, covered: list[tuple[int, int]]) -> list[Found]:
    """Notes written as labelled lines: 牵头单位：… 责任单位：…; neighbouring lines make one note."""
    text = mended.text
    found: list[Found] = []
    lists: _Lists | None = None
    start = end = 0

    def close() -> None:
        nonlocal lists
        if lists and (lists.lead or lists.others or lists.cooperate or lists.implement):
            _prefixed(lists)
            everyone = [*lists.lead, *lists.others, *lists.cooperate, *lists.implement]
            if not lists.lead and len(everyone) == 1 and lists.others and not SET.match(everyone[0]):
                lists.lead, lists.others = lists.others, []
            if not lists.lead and lists.cooperate and lists.others:
                lists.lead, lists.others = lists.others, []
            style = "sole" if lists.lead and len(everyone) == 1 else "lead+shared" if lists.lead else "shared"
            share = looks_like_bodies(everyone)
            note = Responsibility(
                lead=lists.lead, others=lists.others, cooperate=lists.cooperate, implement=lists.implement,
                style=style, open_ended=lists.open_ended, confidence=0.95 if share == 1 else 0.7,
                reason="按行首标注读取" if share == 1 else "按行首标注读取；有的名称不像单位",
            )  # fmt: skip
            found.append(Found(note, start, end))
        lists = None

    for paragraph in mended.paragraphs:
        if paragraph.cells:
            close()
            continue
        position = paragraph.start
        body = text[paragraph.start : paragraph.end]
        matches = [m for m in LABEL.finditer(body) if not any(a <= position + m.start() < b for a, b in covered)]
        if not matches or (matches[0].start() > 0 and body[matches[0].start() - 1] not in "。；）〕"):
            if not TIME_LABEL.fullmatch(body):
                close()
            continue
        if matches[0].start() > 0:
            close()
        for i, m in enumerate(matches):
            stop = matches[i + 1].start() if i + 1 < len(matches) else len(body)
            words = body[m.end() : stop]
            words = re.split(r"。|〔?(?:完成|办结)(?:时限|时间|期限)", words)[0].rstrip("；，。〔")
            if "领导" in m["label"]:
                continue  # persons, not bodies
            words = _marked(REMARK.sub("", words)).rstrip("，")
            role = _label_role(m["label"])
            if role == "others" and _closing_role(re.split(r"[，；]", words)[0]):
                close()
                note = _note(words, words)
                if note:
                    begin = position + m.start()
                    found.append(Found(note, begin, position + m.end() + len(words)))
                continue
            if lists is not None and role == "lead" and (lists.lead or lists.others):
                close()
            if lists is None:
                lists, start = _Lists(), position + m.start()
            names, opened = split_bodies(words)
            lists.open_ended |= opened
            _assign(lists, role, names)
            end = position + m.end() + len(words)
    close()
    return found


INLINE = re.compile(
    r"(?:^|[，。；：])(?P<bodies>(?:由|请)[^，。；]{2,120}?)(?P<role>牵头(?:负责|落实|组织实施|组织)?)(?=[，。；]|$)"
    r"|(?:^|[，。；：])由(?P<by>[市省县区州][^，。；]{2,120}?)(?:负责(?:组织实施|落实|实施)?|组织实施)(?=[，。；]|$)"
    r"|(?<=。)(?P<plain>[市省县区][^，。；：]{2,120}?)(?:牵头(?:负责|落实)?|按职责分工负责|负责(?:落实)?)(?=[，。；]|$)",
    re.M,
)


def _inline(mended: Mended, covered: list[tuple[int, int]]) -> list[Found]:
    """Sentences of the form 由甲牵头，乙、丙配合 in the running text."""
    text = mended.text
    found: list[Found] = []
    for m in INLINE.finditer(text):
        group = m.lastgroup if m.lastgroup != "role" else "bodies"
        named = group in ("plain", "by")
        start = m.start(group or 0)
        if named and looks_like_bodies(split_bodies(m[group or 0])[0]) < 1:
            continue
        if any(a <= start < b for a, b in covered):
            continue
        stop = min((p for p in (text.find("。", m.end()), text.find("\n", m.end())) if p >= 0), default=len(text))
        words = text[start : min(stop, start + NOTE_LIMIT)]
        pieces = _outside(words, "，；")
        kept = [pieces[0]]
        for piece in pieces[1:]:
            names, _ = split_bodies(ROLE.sub("", piece))
            if looks_like_bodies(names) < 0.6:
                break
            kept.append(piece)
        content = words[: sum(map(len, kept)) + len(kept) - 1]
        note = _note(content, content)
        if note and (note.lead or named):
            note.confidence, note.reason = 0.8, "由正文句子读取"
            found.append(Found(note, start, start + len(content), inline=True))
    return found


def match_bodies(found: list[Found], known: Mapping[str, str]) -> list[Problem]:
    """Report the bodies that a canonical list (name as written -> canonical name) does not hold."""
    problems: list[Problem] = []
    told: set[str] = set()
    names = set(known) | set(known.values())
    for item in found:
        for name in item.note.bodies():
            if name not in names and name not in told and not SET.match(name):
                told.add(name)
                problems.append(
                    Problem(
                        "plan.body.unknown",
                        f"单位“{name}”不在单位名录中",
                        Severity.WARNING,
                        Place(start=item.note.span[0], end=item.note.span[1], field=item.note.clause),
                        got=name,
                        wanted="名录中的单位名称或其简称",
                        fix="请在单位名录中增加该单位或其简称，或改正文本",
                    )
                )
    return problems
