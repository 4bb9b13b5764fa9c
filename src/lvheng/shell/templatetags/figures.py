"""How figures and marks appear on a page. These tags are built in: no ``{% load %}`` is needed.

========================================  ==================================================================
``{{ value|figure:2 }}``                  digits: thousands separators, true minus sign, — for missing
``{% figure_of standing %}``              number, unit, period, source mark; — with its reason when missing
``{% amount value unit places period reason=… source=url synthetic=… %}``  the same for any number
``{% state standing.state %}``            shape, word and colour; ``{% state s word=False %}`` shape alone
``{% confidence rule.source %}``          待核 unless confirmed
``{% demo standing.synthetic %}``         演示数据
``{% incomplete standing.complete %}``    不完整
``{% to 'target' t.id %}``                an address that stays in the plan in view
``{% region_link region %}`` ``{% body_link body 'as written' %}``
``{% spark points %}``                    small path of a target as SVG
``{% chart 'path' data title %}``         ECharts figure with its table; see charts.js for the kinds
``{% table table %}``                     a :class:`lvheng.shell.tables.Table`
``{% pages page_obj %}`` ``{% problems list %}`` ``{% nothing title text %}``
``{{ thing|named }}`` ``{{ period|period }}`` ``{{ unit|unit }}`` ``{{ day|day }}`` ``{{ 'word'|word }}``
========================================  ==================================================================
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django import template
from django.http import QueryDict
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

from lvheng.core.period import Period
from lvheng.core.problem import Problem
from lvheng.core.quantity import show
from lvheng.core.source import Confidence
from lvheng.core.tables import plain
from lvheng.plan.rules import State
from lvheng.shell import formulas, rule_tables, words
from lvheng.shell.tables import Table

register = template.Library()


@register.filter
def figure(value: Decimal | None, places: int | None = None) -> str:
    """Thousands separators, a true minus sign, a dash for what is missing."""
    return show(value, places)


register.filter("named", words.name_of)
register.filter("period", words.period_label)
register.filter("unit", words.unit_label)
register.filter("word", words.word)
register.filter("item", words.item_label)
register.filter("number", words.clause_number)
register.filter("place", words.clause_id)
register.filter("bracketed", words.bracketed)
register.filter("deadline", words.deadline_label)
register.filter("why", words.reason_of)
register.filter("validity", words.validity_label)
register.filter("gap", words.gap_of)
register.filter("zh", words.as_written)


@register.filter
def cite(source: Any) -> str:
    return words.as_written(words.cite(source))


@register.filter
def day(value: date | None) -> str:
    return words.date_label(value)


@register.filter
def safe_json(value: Any) -> SafeString:
    """JSON that may stand inside a script element of type application/json."""
    text = json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"))
    return mark_safe(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


@register.filter
def state_key(value: State | None) -> str:
    return value.value if value else "none"


@register.filter
def wants(target: Any, goal: Decimal | None = None) -> str:
    """What a target asks for, in short."""
    return words.goal_words(target, goal)


@register.simple_tag(takes_context=True)
def formula(context: Any, text: str) -> str:
    """A formula with the names of indicators and rules instead of their codes."""
    view = context["sight"].view

    def indicator(code: str) -> str:
        return words.name_of(view.catalogue[code]) if code in view.catalogue else input_word(code)

    def rule(code: str) -> str:
        return words.name_of(view.rulebook.versions(code)[-1]) if code in view.rulebook else code

    return formulas.spoken(text, indicator, rule)


@register.filter
def input_word(name: str) -> str:
    """What a formula of a rule takes: 实测值 for measured."""
    return str(rule_tables.INPUTS.get(name, name))


@register.filter
def measure_word(measure: str) -> str:
    return str(words.MEASURES.get(measure, measure))


@register.filter
def role_word(role: str) -> str:
    return str(words.BODY_ROLES.get(role, role))


# --- marks ----------------------------------------------------------------------------------------
@register.simple_tag
def state(value: State | None, word: bool = True) -> SafeString:
    """Shape, word and colour. Without the word it is still read aloud."""
    if value is None:
        return mark_safe("")
    label = gettext(value.label)
    text = format_html("{}", label) if word else format_html('<span class="unseen">{}</span>', label)
    return format_html(
        '<span class="state state-{}"{}><span class="shape" aria-hidden="true">{}</span>{}</span>',
        value.value, "" if word else format_html(' title="{}"', label), value.mark, text,
    )  # fmt: skip


@register.simple_tag
def confidence(source: Any) -> SafeString:
    """待核 for everything that was not read in the document itself. Takes a source, a code or a Confidence."""
    level = getattr(source, "confidence", source)
    if getattr(source, "synthetic", False):  # marked as such already
        return mark_safe("")
    if level in (None, "") or (level := Confidence(level)).confirmed:
        return mark_safe("")
    return format_html('<span class="badge badge-check" title="{}">{}</span>', gettext(level.label), gettext("待核"))


@register.simple_tag
def demo(synthetic: bool) -> SafeString:
    if not synthetic:
        return mark_safe("")
    return format_html(
        '<span class="badge badge-demo" title="{}">{}</span>',
        gettext("由演示城市生成，不是真实统计数据。"),
        gettext("演示数据"),
    )


@register.simple_tag
def incomplete(complete: bool) -> SafeString:
    if complete:
        return mark_safe("")
    return format_html(
        '<span class="badge badge-part" title="{}">{}</span>', gettext("数据不完整，不作评判。"), gettext("不完整")
    )


@register.simple_tag
def amount(
    value: Decimal | None,
    unit: str = "",
    places: int | None = None,
    period: Period | str | None = None,
    reason: str = "",
    source: str = "",
    synthetic: bool = False,
) -> SafeString:
    """A figure: number, unit, period, source mark, 演示数据. Missing is — with its reason on focus."""
    when = format_html(' <span class="when">{}</span>', words.period_label(period)) if period else ""
    if value is None:
        why = reason or gettext("尚无数据。")
        return format_html(
            '<span class="figure missing"><span class="number" tabindex="0" title="{0}">—<span class="unseen">{0}</span></span>{1}</span>', why, when
        )  # fmt: skip
    sign = words.unit_label(unit)
    return format_html(
        '<span class="figure"><span class="number">{}</span>{}{}{}</span>{}',
        show(value, places),
        format_html(' <span class="unit">{}</span>', sign) if sign else "",
        when,
        format_html(' <a class="source-mark" href="{0}" title="{1}" aria-label="{1}">{2}</a>', source, gettext("看来源和计算过程"), gettext("源")) if source else "",
        format_html(" {}", demo(True)) if synthetic else "",
    )  # fmt: skip


@register.simple_tag(takes_context=True)
def figure_of(context: Any, standing: Any, period: bool = True, source: bool = True, marks: bool = False) -> SafeString:
    """The value of a standing as a figure; the source mark opens the explanation of the target."""
    link = ""
    if source and standing.value is not None:
        link = address(context, "target", standing.target.id) + _region_query(context, standing) + "#why"
    return amount(
        standing.value, standing.unit, standing.places, standing.period if period else None,
        words.reason_of(standing), link, standing.synthetic and marks,
    )  # fmt: skip


def _region_query(context: Any, standing: Any) -> str:
    sight = context.get("sight")
    if not sight or standing.region.code == sight.plan.region_of(standing.target):
        return ""
    return ("&" if sight.chosen else "?") + urlencode({"region": standing.region.code})


# --- addresses --------------------------------------------------------------------------------------
def address(context: Any, name: str, *args: object) -> str:
    """The address of a page in the plan in view."""
    sight = context.get("sight")
    chosen = sight.chosen if sight else ""
    return reverse(name, args=args) + (f"?plan={chosen}" if chosen else "")


@register.simple_tag(takes_context=True)
def to(context: Any, name: str, *args: object, **query: object) -> str:
    url = address(context, name, *args)
    more = urlencode({k: v for k, v in query.items() if v not in (None, "")})
    return url + ("&" if "?" in url else "?") + more if more else url


@register.simple_tag(takes_context=True)
def region_link(context: Any, region: Any) -> SafeString:
    return format_html('<a href="{}">{}</a>', address(context, "region", region.code), words.name_of(region))


@register.simple_tag(takes_context=True)
def body_link(context: Any, body: Any, written: str = "") -> SafeString:
    """A body by its name, or as it is written in the text when the list of bodies does not know it."""
    if body is None:
        return format_html('<span title="{}">{}</span>', gettext("不在单位名录中"), written)
    text = words.name_of(body) if words.english() and body.name_en else (written or body.name)
    return format_html('<a href="{}">{}</a>', address(context, "body", body.code), text)


@register.simple_tag(takes_context=True)
def duties(
    context: Any, roles: Sequence[tuple[str, Sequence[tuple[Any, str]]]], open_ended: bool = False
) -> SafeString:
    """Who does what, as the note at the end of a clause writes it: 〔负责：…；落实：…〕."""
    comma, semicolon, colon = (", ", "; ", ": ") if words.english() else ("、", "；", "：")
    parts = []
    for role, bodies in roles:
        names = format_html_join(comma, "{}", ((body_link(context, body, name),) for body, name in bodies))
        more = gettext("等") if open_ended and role == "shared" else ""
        parts.append(format_html("{}{}{}{}", role_word(role), colon, names, more))
    text = format_html_join(semicolon, "{}", ((p,) for p in parts))
    return format_html("[{}]", text) if words.english() else format_html("〔{}〕", text)


@register.simple_tag(takes_context=True)
def query(context: Any, **changes: object) -> str:
    """The present query string with changes; an empty value removes a part."""
    asked = context["request"].GET.copy() if context.get("request") else QueryDict(mutable=True)
    for name, value in changes.items():
        asked.pop(name, None)
        if value not in (None, ""):
            asked[name] = str(value)
    return "?" + asked.urlencode() if asked else "?"


@register.simple_tag(takes_context=True)
def chosen_query(context: Any, chosen: dict[str, str], **changes: str) -> str:
    """The plan page with what is chosen and a change; choosing the same again removes it."""
    asked = dict(chosen)
    for name, value in changes.items():
        if asked.get(name) == value:
            del asked[name]
        else:
            asked[name] = value
    return to(context, "plan", **asked)


# --- pictures ---------------------------------------------------------------------------------------
@register.simple_tag
def spark(points: Sequence[Any], width: int = 96, height: int = 26) -> SafeString:
    """The path of a target in small: the schedule as a pale line, what was measured as a firm one."""
    known = [float(v) for p in points for v in (p.value, p.schedule, p.forecast) if v is not None]
    if len(points) < 2 or not known:
        return mark_safe("")
    low, high = min(0.0, *known), max(known)
    way = (high - low) or 1.0
    step = (width - 8) / (len(points) - 1)

    def line(values: Sequence[Decimal | None]) -> list[str]:
        return [f"{4 + i * step:.1f},{height - 4 - (float(v) - low) / way * (height - 8):.1f}" for i, v in enumerate(values) if v is not None]  # fmt: skip

    schedule, measured, forecast = (line([getattr(p, n) for p in points]) for n in ("schedule", "value", "forecast"))
    parts = []
    if len(schedule) > 1:
        parts.append(f'<polyline class="spark-schedule" points="{" ".join(schedule)}"/>')
    if len(forecast) > 1:
        parts.append(f'<polyline class="spark-forecast" points="{" ".join(forecast)}"/>')
    if len(measured) > 1:
        parts.append(f'<polyline class="spark-value" points="{" ".join(measured)}"/>')
        x, y = measured[-1].split(",")
        parts.append(f'<circle class="spark-end" cx="{x}" cy="{y}" r="2.4"/>')
    return mark_safe(f'<svg class="spark" width="{width}" height="{height}" viewBox="0 0 {width} {height}" aria-hidden="true" focusable="false">{"".join(parts)}</svg>')  # fmt: skip


@register.simple_tag(takes_context=True)
def chart(context: Any, kind: str, data: dict[str, Any], title: str, table: Any = None, height: str = "") -> SafeString:
    """A chart with its data as JSON (nothing inline runs), its table (a Table, or one rendered) one key away, and its exports."""
    shown = _rendered(context, table) if isinstance(table, Table) else table
    return mark_safe(
        render_to_string(
            "web/_chart.html", {"kind": kind, "data": data, "title": title, "table": shown, "height": height}
        )
    )


@register.simple_tag(takes_context=True)
def table(context: Any, data: Any, **options: Any) -> SafeString:
    """A :class:`lvheng.shell.tables.Table` as HTML."""
    return _rendered(context, data, **options)


def _rendered(context: Any, data: Any, **options: Any) -> SafeString:
    return mark_safe(
        render_to_string("web/_table.html", {"table": data, "sight": context.get("sight"), "request": context.get("request"), **options})
    )  # fmt: skip


@register.simple_tag(takes_context=True)
def export_url(context: Any, data: Any, fmt: str) -> str:
    """Where a table is taken away from: its own address, or this page with what names the table among several."""
    own = data.export_query
    if own.startswith("/"):
        return f"{own}{'&' if '?' in own else '?'}format={fmt}"
    return query(context, **dict(parse_qsl(own.lstrip("?"))), format=fmt, page="")


# --- furniture ----------------------------------------------------------------------------------------
@register.inclusion_tag("web/_problems.html")
def problems(found: Sequence[Problem], mild: bool = False) -> dict[str, Any]:
    """What has to be mended, gravest first; ``mild`` where nothing was refused."""
    return {"problems": sorted(found, key=lambda p: p.severity.rank), "mild": mild}


@register.inclusion_tag("web/_pages.html", takes_context=True)
def pages(context: Any, page: Any) -> dict[str, Any]:
    return {"page": page, "request": context.get("request")}


@register.simple_tag
def nothing(title: str, text: str = "", url: str = "", action: str = "") -> SafeString:
    """What stands where there is nothing yet: what belongs here and how to begin."""
    return format_html(
        '<div class="empty"><p class="empty-title">{}</p>{}{}</div>',
        title,
        format_html("<p>{}</p>", conditional_escape(text)) if text else "",
        format_html('<p><a class="button" href="{}">{}</a></p>', url, action) if url else "",
    )


@register.simple_tag
def room_url(name: str, *args: object) -> str:
    """The address of a room that may not be there yet; empty then."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""


@register.filter
def split_words(text: str) -> list[str]:
    return text.split()


@register.filter
def minus(a: int, b: int) -> int:
    return a - b


@register.filter
def county_query(code: str, standing: Any) -> str:
    """The region of a standing for an address; empty when it is the target's own."""
    return (
        ""
        if standing.target.counties == "none" or code == standing.target.region or standing.region.kind == "city"
        else code
    )


@register.simple_tag(takes_context=True)
def hit_url(context: Any, hit: Any) -> str:
    if hit.kind in ("clause", "task"):  # both stand in a clause, which the subtitle names
        return address(context, "clause", hit.subtitle)
    return address(context, hit.url_name, *hit.url_args)
