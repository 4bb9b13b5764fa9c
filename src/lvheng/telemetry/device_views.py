"""Pages of the register: devices, those that send without being registered, and outlets with their factors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.forms import modelform_factory
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from lvheng.access.models import append_event
from lvheng.access.roles import Permission, may
from lvheng.core.problem import Place, Problem, ProblemError
from lvheng.observations import view
from lvheng.shell import words
from lvheng.shell.context import actor_of
from lvheng.shell.pages import live, problem_page, respond
from lvheng.shell.sight import sight_of
from lvheng.shell.tables import Cell, Column, Table, download, wanted_format
from lvheng.shell.templatetags.figures import address
from lvheng.telemetry import hj212, register, services, watch
from lvheng.telemetry.clock import SHANGHAI
from lvheng.telemetry.devices import Device
from lvheng.telemetry.models import MEDIA, Factor, Outlet
from lvheng.telemetry.views import denied, may_register

VERSIONS = (2005, 2017, 2025)
AMBIENT = (50, 110)  # kPa: from the highest places where people live to the highest pressures measured
FIELDS = [
    "code", "name", "unit", "unit_name", "region", "medium", "longitude", "latitude", "mn", "version", "interval", "o2_reference", "permit", "since",
]  # fmt: skip
FACTOR_FIELDS = [
    "name",
    "kind",
    "unit",
    "limit_low",
    "limit_high",
    "permitted_kg",
    "item",
    "ppm",
    "actual",
    "wet",
    "ambient",
    "derived",
]


def _time(at: Any) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}" if at else ""


@live
def devices(request: HttpRequest) -> HttpResponse:
    """Registered devices with when they were last heard, and strangers to be registered."""
    sight, actor = sight_of(request), actor_of(request)
    if not may(actor, Permission.VIEW_INTERNAL):
        return denied(request)
    heard, outlets = services.last_heard(), {o.mn: o for o in Outlet.objects.all()}
    found = register.devices()
    rows = [
        {
            "mn": Cell(d.mn, url=address({"sight": sight}, "telemetry_device", d.mn)),
            "outlet": Cell(o.name, url=address({"sight": sight}, "outlet", o.code)) if (o := outlets.get(d.mn)) else Cell("", text=_("未关联排口")),
            "version": str(d.version), "st": d.st, "dialect": words.word(d.dialect.name), "password": _("核对") if d.password else _("不核对"),
            "heard": _time(heard.get(d.mn)) or _("未收到"),
        }
        for d in found
    ]  # fmt: skip
    columns = [
        Column("mn", _("设备编号")), Column("outlet", _("排口")), Column("heard", _("最近报文")), Column("version", _("协议版本")), Column("st", _("系统编码")),
        Column("dialect", _("方言")), Column("password", _("访问密码")),
    ]  # fmt: skip
    table = Table(columns, rows, title=_("在线监测设备"), name=_("在线监测设备"), empty=_("还没有登记设备。"))
    if fmt := wanted_format(request):
        return download(table, fmt)
    pages = Paginator(rows, 100).get_page(request.GET.get("page"))
    table.rows = list(pages)
    return respond(
        request, "telemetry/devices.html",
        {
            "table": table, "page": pages, "strangers": [(s, _time(s.first), _time(s.last)) for s in register.strangers()[:100]],
            "allowed": may_register(actor), "watch": watch.state(), "overdue": watch.overdue(watch.state()), "versions": VERSIONS,
            "without": [o for o in outlets.values() if not o.synthetic and o.mn not in {d.mn for d in found}][:100],
        },
    )  # fmt: skip


@require_POST
def adopt(request: HttpRequest) -> HttpResponse:
    """Register a stranger with one click."""
    actor = actor_of(request)
    if not may_register(actor):
        return denied(request)
    mn = request.POST.get("mn", "")
    try:
        unplaced = register.device(mn) is not None and not Outlet.objects.filter(mn=mn).exists()
        if not unplaced and mn not in {s.mn for s in register.strangers()}:
            raise ProblemError(
                Problem("telemetry.device.stranger", "没有这台未登记设备", got=mn[:40], fix="刷新页面后再试。")
            )
        outlet = register.adopt(mn, by=actor.name)
    except ProblemError as error:
        return problem_page(request, error.problems)
    messages.success(request, _("已登记，网关几秒内开始接收。请补填排口名称、地区、限值。"))
    return HttpResponseRedirect(reverse("outlet_edit", args=[outlet.code]))


@live
def device(request: HttpRequest, mn: str) -> HttpResponse:
    """One device: how it is registered, the dialect it seems to speak; POST changes, accepts or removes."""
    actor = actor_of(request)
    if not may(actor, Permission.VIEW_INTERNAL):
        return denied(request)
    found = register.device(mn)
    if request.method == "POST":
        if not may_register(actor):
            return denied(request)
        try:
            _change(mn, found, request.POST, by=actor.name)
        except ProblemError as error:
            return problem_page(request, error.problems)
        messages.success(request, _("已更改，网关几秒内生效。"))
        gone = request.POST.get("act") == "remove"
        return HttpResponseRedirect(reverse("telemetry_devices") if gone else reverse("telemetry_device", args=[mn]))
    if found is None:
        raise ProblemError(Problem("telemetry.device.unknown", "没有登记这台设备", got=mn[:40]))
    proposed = register.proposal(mn)
    changes = [] if proposed is None else [(k, v) for k, v in proposed.dialect.as_dict().items() if v != hj212.STANDARD.as_dict()[k] and k != "name"]  # fmt: skip
    present = [(k, v) for k, v in found.dialect.as_dict().items() if v != hj212.STANDARD.as_dict()[k] and k != "name"]
    return respond(
        request, "telemetry/device.html",
        {
            "device": found, "proposed": proposed, "changes": [(words.word(DIALECT[k]), v) for k, v in changes], "present": [(words.word(DIALECT[k]), v) for k, v in present],
            "outlet": Outlet.objects.filter(mn=mn).first(), "allowed": may_register(actor), "versions": VERSIONS, "links": sorted(hj212.tables().timeouts),
            "heard": _time(services.last_heard().get(mn)), "systems": hj212.tables().systems.items(),
        },
    )  # fmt: skip


DIALECT = {
    "crc": "校验算法", "segment_max": "数据段最长", "version": "按此版本判读", "codes": "代码对照", "suffixes": "后缀对照", "units": "单位换算",
    "mn_alias": "设备编号别名", "sm4_literal": "密文写法", "acknowledge": "是否应答", "quiet": "已知的习惯",
}  # fmt: skip


def _change(mn: str, found: Device | None, given: Any, *, by: str) -> None:
    match given.get("act", ""):
        case "accept":
            register.accept(mn, by=by)
        case "standard" if found is not None:
            register.put(
                replace(found, dialect=replace(hj212.STANDARD, sm4_key=found.dialect.sm4_key)),
                by=by,
                action="恢复标准方言",
            )
        case "remove":
            register.remove(mn, by=by)
        case "save":
            version = int(given["version"]) if given.get("version", "") in map(str, VERSIONS) else 2017
            link = given.get("link", "") if given.get("link", "") in hj212.tables().timeouts else "GPRS"
            st = given.get("st", "") if given.get("st", "") in hj212.tables().systems else ""
            password = "" if given.get("open") else given.get("password", "") or (found.password if found else "")
            base = found or Device(mn)
            register.put(
                replace(base, password=password, version=version, link=link, st=st),
                by=by,
                action="更改设备" if found else "登记设备",
            )
        case other:
            raise ProblemError(Problem("telemetry.device.act", "没有这种办理", got=str(other)[:20]))


@require_POST
def device_new(request: HttpRequest) -> HttpResponse:
    """Register a device before it sends."""
    actor = actor_of(request)
    if not may_register(actor):
        return denied(request)
    mn = request.POST.get("mn", "").strip()
    try:
        if register.device(mn) is not None:
            raise ProblemError(Problem("telemetry.device.twice", "这台设备已登记", got=mn[:40]))
        _change(mn, None, {**request.POST.dict(), "act": "save"}, by=actor.name)
    except ProblemError as error:
        return problem_page(request, error.problems)
    messages.success(request, _("已登记，网关几秒内开始接收。"))
    return HttpResponseRedirect(reverse("telemetry_device", args=[mn]))


# --- outlets --------------------------------------------------------------------------------------
class OutletForm(modelform_factory(Outlet, fields=FIELDS)):  # type: ignore[misc]
    """An outlet as its permit has it."""

    code = forms.SlugField(label=gettext_lazy("排口编号"), max_length=32)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            del self.fields["code"]  # stands in addresses and in the ledger
        regions = [(r.code, words.name_of(r)) for r in view.current().plan.regions]
        self.fields["region"].widget = forms.Select(choices=[("", "—"), *regions])
        self.fields["since"].widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})


class FactorForm(modelform_factory(Factor, fields=FACTOR_FIELDS)):  # type: ignore[misc]
    """A factor: its limits, and what the logger sends of it uncorrected, for which there must be a rule."""

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean()
        rules, code = services.rules_on(services.timezone.localdate()), self.instance.code
        if given.get("ppm") and code not in rules.molar:
            self.add_error("ppm", _("该因子没有分子量，不能由ppm换算。"))
        if given.get("derived") and code not in rules.derived:
            self.add_error("derived", _("该因子没有由组分计算的规则。"))
        pressure = given.get("ambient")
        if pressure is not None and not AMBIENT[0] <= pressure <= AMBIENT[1]:
            self.add_error(
                "ambient", _("大气压应在%(low)s至%(high)s千帕之间。") % {"low": AMBIENT[0], "high": AMBIENT[1]}
            )
        return given


def _problems(*given: Any) -> list[Problem]:
    return [
        Problem("telemetry.outlet.field", str(error), place=Place(field=str(f.fields[name].label if name in f.fields else "")), fix="改正后重新保存。")
        for f in given for name, errors in f.errors.items() for error in errors
    ]  # fmt: skip


@live
def outlet_edit(request: HttpRequest, code: str = "") -> HttpResponse:
    """A new outlet, or one with its factors; saved as a whole or not at all."""
    actor = actor_of(request)
    found = get_object_or_404(Outlet, code=code) if code else None
    if not may_register(actor, found):
        return denied(request)
    before = found.mn if found else ""
    factors = list(found.factors.all()) if found else []
    data = request.POST if request.method == "POST" else None
    form = OutletForm(data, instance=found)
    parts = [FactorForm(data, instance=f, prefix=f"f{f.pk}") for f in factors]
    if data is not None:
        text = data.get("new_codes", "")
        wanted = tuple(c for c in text.replace("，", " ").replace("、", " ").replace(",", " ").split() if c)
        problems = _problems(form, *parts)
        if unknown := [c for c in wanted if c not in hj212.tables().codes]:
            problems.append(Problem("telemetry.outlet.code", "没有这个因子代码", got="、".join(unknown)[:80], wanted="如 a21002、w01018", fix="按 HJ 212 附录的代码填写。"))  # fmt: skip
        if problems:
            return problem_page(request, problems)
        with transaction.atomic():
            saved = form.save()
            for part in parts:
                part.save()
            register.add_factors(saved, wanted)
            append_event(
                actor.name, "更改排口" if found else "登记排口", saved.code,
                {n: str(getattr(saved, n)) for n in FIELDS} | {f.code: {n: str(getattr(f, n)) for n in FACTOR_FIELDS} for f in factors},
            )  # fmt: skip
        if found:
            register.follow(before, saved, by=actor.name)
        try:
            if register.device(saved.mn) is None and not saved.synthetic:
                register.put(
                    Device(saved.mn, st="31" if saved.medium == "gas" else "32", version=saved.version), by=actor.name
                )
        except ProblemError as error:
            return problem_page(request, error.problems)
        messages.success(request, _("已保存，网关几秒内生效。"))
        return HttpResponseRedirect(reverse("outlet", args=[saved.code]))
    return respond(
        request, "telemetry/outlet_edit.html",
        {"form": form, "outlet": found, "parts": list(zip(factors, parts, strict=True)), "media": MEDIA, "labels": FACTOR_FIELDS},
    )  # fmt: skip
