"""Reading energy uploads by a field map that is data (``rulebook/telemetry/energy_upload.yaml``).

The exact message of GB/T 37947 is not confirmed (待核): when its text is at hand the map is changed, not this code.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from lvheng.core.problem import Place, Problem, Severity, stops
from lvheng.telemetry.hj212.tables import load_document

MOST_ITEMS = 10_000
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Item:
    """One value: enterprise, device, item code, cycle, time (start of the interval, UTC+8), the text and its number."""

    enterprise: str
    device: str
    code: str
    cycle: str
    time: datetime
    text: str
    value: Decimal
    carrier: str
    unit: str
    valid: bool


@dataclass(frozen=True, slots=True)
class Upload:
    """What an upload holds. With a BLOCKER nothing is taken; items with problems of their own are left out and named."""

    enterprise: str
    device: str
    items: tuple[Item, ...]
    problems: tuple[Problem, ...]

    @property
    def refused(self) -> bool:
        return stops(self.problems)


class Adapter:
    """A field map, ready to read. ``schema`` defaults to the rulebook's."""

    def __init__(self, schema: dict[str, Any] | None = None):
        self.schema = schema if schema is not None else load_document("energy_upload.yaml")
        self._fields = self.schema["fields"]
        self._patterns = [(re.compile(row["pattern"]), row) for row in self.schema["items"]]

    def read(self, body: bytes) -> Upload:
        """Read one body. Never raises for any bytes."""
        try:
            data = json.loads(body, parse_float=str, parse_int=str, parse_constant=str)
        except (ValueError, RecursionError):
            return Upload("", "", (), (_blocker("json", "报文不是有效的 JSON"),))
        if not isinstance(data, dict):
            return Upload("", "", (), (_blocker("json", "报文应为一个 JSON 对象"),))
        enterprise = _text(_at(data, self._fields["enterprise"]))
        device = _text(_at(data, self._fields["device"]))
        rows = _at(data, self._fields["items"])
        problems = []
        if not enterprise:
            problems.append(_blocker("enterprise", "缺少企业代码", self._fields["enterprise"]))
        if not isinstance(rows, list) or not rows:
            problems.append(_blocker("items", "没有采集数据", self._fields["items"]))
        elif len(rows) > MOST_ITEMS:
            problems.append(_blocker("items", f"采集数据超过{MOST_ITEMS}条", self._fields["items"]))
        if problems or not isinstance(rows, list):
            return Upload(enterprise, device, (), tuple(problems))
        items = []
        for number, row in enumerate(rows, 1):
            item = self._item(row, enterprise, device, number)
            if isinstance(item, Item):
                items.append(item)
            else:
                problems.append(item)
        return Upload(enterprise, device, tuple(items), tuple(problems))

    def kind_of(self, code: str) -> dict[str, str] | None:
        """name, unit, carrier and form of an item code; None for one that the table does not know."""
        return next((row for pattern, row in self._patterns if pattern.match(code)), None)

    def _item(self, row: Any, enterprise: str, device: str, number: int) -> Item | Problem:
        names = self._fields["item"]
        if not isinstance(row, dict):
            return _wrong("item", "采集数据不是对象", number)
        code = _text(_at(row, names["code"]))
        if not code:
            return _wrong("code", "缺少采集项代码", number, names["code"])
        statistic = self.schema["statistics"].get(_text(_at(row, names["statistic"])))
        if statistic is None:
            return _wrong("statistic", "统计周期不在约定的范围", number, names["statistic"])
        when = self._time(_text(_at(row, names["time"])))
        if when is None:
            return _wrong("time", "统计时间无法识别", number, names["time"])
        text = _text(_at(row, names["value"]))
        try:
            value = Decimal(text) if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text) and len(text) <= 32 else None
        except InvalidOperation:
            value = None
        if value is None:
            return _wrong("value", "数值不是十进制数", number, names["value"], text)
        kind = self.kind_of(code) or {}
        flag = _at(row, names["valid"])
        return Item(
            enterprise, device, code, statistic["cycle"], when, text, value, kind.get("carrier", ""), kind.get("unit", ""),
            flag is _MISSING or _text(flag) in ("1", "true", "True", ""),
        )  # fmt: skip

    def _time(self, text: str) -> datetime | None:
        for form in self.schema["times"]:
            try:
                return datetime.strptime(text, form)  # noqa: DTZ007 wall time UTC+8
            except ValueError:
                continue
        return None

    def answer(self, upload: Upload | None, *, busy: bool = False) -> dict[str, str]:
        """The response body: stored, refused (nothing taken) or busy (send again)."""
        names = self.schema["response"]
        if busy or upload is None:
            code, message = names["busy"], "系统繁忙，请稍后重发"
        elif upload.refused:
            code, message = names["refused"], "；".join(p.message for p in upload.problems)
        elif upload.problems:
            places = "、".join(str(p.place.row) for p in upload.problems[:20])
            code, message = names["invalid"], f"已接收{len(upload.items)}条，第{places}条未接收"
        else:
            code, message = names["ok"], f"已接收{len(upload.items)}条"
        return {names["code"]: code, names["message"]: message}


def _at(data: Any, path: str) -> Any:
    for part in path.split("."):
        if not isinstance(data, dict) or part not in data:
            return _MISSING
        data = data[part]
    return data


def _text(value: Any) -> str:
    if value is _MISSING or value is None or isinstance(value, (dict, list)):
        return ""
    return str(value).strip()[:200].encode("utf-8", "replace").decode()  # half a surrogate pair is no text


def _blocker(name: str, message: str, field: str = "") -> Problem:
    return Problem(f"telemetry.energy.{name}", message, place=Place(field=field), fix="请核对上传程序")


def _wrong(name: str, message: str, row: int, field: str = "", got: str = "") -> Problem:
    return Problem(f"telemetry.energy.{name}", message, Severity.ERROR, Place(row=row, field=field), got=got[:40])
