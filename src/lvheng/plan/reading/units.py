"""Units as plans write them: one spelling for each, and the step from 万吨 to 吨."""

from __future__ import annotations

import re
from decimal import Decimal

PERCENT = "%"
POINT = "个百分点"
PERMILLE = "‰"
TIMES = "倍"

# Spelling in texts -> the one spelling kept. Longer spellings are tried first.
SPELLINGS: dict[str, str] = {
    "个百分点": POINT, "百分点": POINT, "%": PERCENT, "‰": PERMILLE, "倍": TIMES,
    "吨标准煤": "吨标准煤", "吨标煤": "吨标准煤", "tce": "吨标准煤", "TCE": "吨标准煤", "千克标准煤": "千克标准煤", "千克标煤": "千克标准煤",
    "公斤标准煤": "千克标准煤", "公斤标煤": "千克标准煤", "kgce": "千克标准煤", "克标准煤": "克标准煤", "克标煤": "克标准煤", "gce": "克标准煤",
    "吨二氧化碳当量": "吨二氧化碳当量", "吨二氧化碳": "吨二氧化碳", "tCO2": "吨二氧化碳", "吨CO2": "吨二氧化碳", "克二氧化碳": "克二氧化碳",
    "吨原煤": "吨原煤", "吨煤": "吨煤", "吨水": "吨水",
    "吨": "吨", "t": "吨", "千克": "千克", "公斤": "千克", "kg": "千克", "克": "克", "g": "克", "毫克": "毫克", "mg": "毫克",
    "微克": "微克", "μg": "微克", "µg": "微克", "ug": "微克",
    "立方米": "立方米", "立方": "立方米", "m³": "立方米", "m3": "立方米", "方": "立方米", "升": "升", "L": "升",
    "平方公里": "平方公里", "平方千米": "平方公里", "km²": "平方公里", "km2": "平方公里", "平方米": "平方米", "㎡": "平方米", "m²": "平方米",
    "m2": "平方米", "公顷": "公顷", "亩": "亩", "公里": "公里", "千米": "公里", "km": "公里", "米": "米", "毫米": "毫米",
    "千瓦时": "千瓦时", "度电": "千瓦时", "kWh": "千瓦时", "kW·h": "千瓦时", "kwh": "千瓦时", "兆瓦时": "兆瓦时", "MWh": "兆瓦时",
    "GWh": "吉瓦时", "千瓦": "千瓦", "kW": "千瓦", "兆瓦": "兆瓦", "MW": "兆瓦", "吉瓦": "吉瓦", "GW": "吉瓦", "千伏安": "千伏安",
    "标准立方米": "标准立方米", "标立方米": "标准立方米", "焦耳": "焦耳", "吉焦": "吉焦", "GJ": "吉焦", "百万千焦": "吉焦",
    "蒸吨": "蒸吨", "蒸吨/小时": "蒸吨/小时", "吨/小时": "吨/小时", "t/h": "吨/小时", "吨级": "吨级", "分贝": "分贝", "摄氏度": "℃", "℃": "℃",
    "元": "元", "美元": "美元", "人次": "人次", "标准箱": "标准箱", "TEU": "标准箱", "吨公里": "吨公里", "人公里": "人公里", "车公里": "车公里",
    "个": "个", "家": "家", "座": "座", "台": "台", "套": "套", "辆": "辆", "艘": "艘", "条": "条", "项": "项", "户": "户", "处": "处",
    "所": "所", "块": "块", "片": "片", "口": "口", "眼": "眼", "头": "头", "只": "只", "株": "株", "万株": "株", "名": "名", "人": "人", "栋": "栋",
    "幢": "幢", "间": "间", "期": "期", "次": "次", "批": "批", "种": "种", "类": "类", "部": "部", "例": "例", "件": "件", "份": "份",
    "天": "天", "小时": "小时", "分钟": "分钟", "日": "日", "年": "年", "月": "月", "分": "分", "位": "位", "千伏": "千伏", "kV": "千伏",
    "盏": "盏", "根": "根", "泊位": "泊位", "床": "床", "支": "支", "对": "对", "宗": "宗", "车次": "车次", "公顷/年": "公顷/年", "标台": "标台",
    "个/公里": "个/公里", "颗": "颗", "重量箱": "重量箱", "换算吨公里": "换算吨公里", "亩次": "亩次", "车道": "车道", "所次": "所次", "蒸吨/时": "蒸吨/小时", "t标准煤": "吨标准煤",
}  # fmt: skip
MAGNITUDES: dict[str, int] = {"万亿": 10**12, "千亿": 10**11, "百亿": 10**10, "十亿": 10**9, "亿": 10**8, "千万": 10**7,
                              "百万": 10**6, "十万": 10**5, "万": 10**4, "千": 10**3, "百": 10**2}  # fmt: skip
COUNTS = frozenset(
    "个家座台套辆艘条项户处所块片口眼头只株名人栋幢间期次批种类部例件份盏根床支对宗颗天位"
) | {"人次", "车次", "标台", "泊位"}  # fmt: skip
# Units that say what kind of thing it is (a boiler of 35 蒸吨/小时) far oftener than how much of it is wanted.
CHARACTER = frozenset(
    {
        "蒸吨",
        "蒸吨/小时",
        "吨/小时",
        "吨级",
        "千伏",
        "小时",
        "分钟",
        "日",
        "年",
        "月",
        "米",
        "毫米",
        "位",
        "℃",
        "期",
        "批",
        "类",
        "种",
    }
)
RATIOS = frozenset({PERCENT, PERMILLE})

_NAMES = sorted(SPELLINGS, key=len, reverse=True)
_MAG = "|".join(sorted(MAGNITUDES, key=len, reverse=True))
_GOES_ON = {
    "吨水": "(?!泥|产|污|果|稻)",
    "吨煤": "(?!炭|矸|气|电|制|焦|层|粉|泥)",
    "部": "(?!门|委|分|署)",
    "方": "(?!案|面|式)",
    "分": "(?!别|类|散)",
}
_ONE = "|".join(re.escape(name) + _GOES_ON.get(name, "") for name in _NAMES)
_DENOMINATOR = rf"(?:(?:{_MAG})?(?:{_ONE})|百平方公里|百公里|百吨公里|百万换算吨公里|万换算吨公里|标准品|产品|班|人|a|h|d|天|年|日|时)"
UNIT = re.compile(rf"(?P<mag>{_MAG})?(?P<unit>{_ONE})(?P<per>(?:[/·]|每){_DENOMINATOR}){{0,2}}(?P<ji>级)?")
_DENOMINATOR_NAMES = {"h": "小时", "时": "小时", "d": "日", "天": "日", "a": "年"}


def canonical(text: str) -> str:
    """One spelling for a unit: ``12m³/万元`` and ``12 立方米每万元`` have the same unit. Unknown units stay."""
    text = re.sub(r"\s+", "", text).replace("每", "/").replace("／", "/").replace("％", "%")
    if text in SPELLINGS:
        return SPELLINGS[text]
    parts = []
    for i, part in enumerate(text.split("/")):
        m = re.fullmatch(rf"({_MAG})?(.+)", part)
        magnitude, name = (m[1] or "", m[2]) if m else ("", part)
        name = SPELLINGS.get(name, name)
        parts.append(magnitude + (_DENOMINATOR_NAMES.get(name, name) if i else name))
    return "/".join(parts)


def base(value: Decimal, unit: str) -> tuple[Decimal, str]:
    """The value without the unit's magnitude: 5 万吨标准煤 -> 50 000 吨标准煤. Money keeps 元; ratios stay."""
    for name in sorted(MAGNITUDES, key=len, reverse=True):
        if unit.startswith(name) and len(unit) > len(name):
            return value * MAGNITUDES[name], unit[len(name) :]
    return value, unit
