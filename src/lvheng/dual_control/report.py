"""The energy situation report (节能形势分析): eight sections, tables, charts as pictures, sentences from the figures."""

from __future__ import annotations

import io
import math
from decimal import Decimal

from docx.document import Document as Docx
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.shared import Mm

from lvheng.core.period import Kind, Period
from lvheng.core.problem import ProblemError
from lvheng.core.quantity import show
from lvheng.dual_control import outlook
from lvheng.dual_control.barometer import Barometer
from lvheng.dual_control.letters import HEAD, _bytes, _document, _table, _text, _title, line_chart
from lvheng.dual_control.situation import INDUSTRY_MONTHLY, causes, nowcast_backtest, situation
from lvheng.dual_control.units import largest_units
from lvheng.dual_control.workbench import PARTS, counted, intensity_target
from lvheng.energy.warning import Scheme
from lvheng.observations.view import View


def _moved(value: float | Decimal, places: int = 2) -> str:
    number = Decimal(str(value)) if isinstance(value, float) else value
    return f"{'下降' if number < 0 else '上升'}{show(abs(number), places)}%"


def report(view: View, scheme: Scheme, goals: dict[str, Decimal] | None = None) -> bytes:
    """The city's report as docx; what cannot be computed is said in its place, with the reason."""
    doc = _document()
    target, header, city = intensity_target(view), view.plan.header, view.city
    energy, output = PARTS[target.indicator]
    barometer = Barometer(view, scheme, goals)
    last = barometer.periods[-1] if barometer.periods else None
    standing = view.standing(target.id)
    _title(doc, f"{city.name}{last.label if last else header.period.label}节能形势分析")

    def head(text: str) -> None:
        _text(doc, text, font=HEAD)

    head("一、目标完成情况")
    _text(doc, f"{city.name}“{target.title}”目标为{show(target.value)}%。{standing.reason}")
    points = view.path(target.id)
    chart = line_chart(
        [str(p.period.year) for p in points],
        [[None if v is None else float(v) for v in column] for column in ([p.value for p in points], [p.schedule for p in points], [p.forecast for p in points])],
    )  # fmt: skip
    doc.add_picture(io.BytesIO(chart), width=Mm(150))
    _text(doc, f"图1　累计下降（绿线为实绩，灰线为序时，橙线为按现有进度推算，%）　来源：目标{target.id}，第{view.position}次入库", size=10.5, align=WD_ALIGN_PARAGRAPH.CENTER)  # fmt: skip

    head("二、分县（市）区情况")
    rows = []
    for line in barometer.lines:
        s = line.at(last) if last else None
        change = s.reading.change if s else None
        rows.append([line.region.name, "—" if change is None else show(change, 2), "—" if not s or s.reading.target is None else show(-s.reading.target, 2), s.effective.label if s and s.effective else "数据不完整"])  # fmt: skip
    if last:
        graded = [(line.region.name, line.at(last)) for line in barometer.lines[1:]]
        behind = [name for name, s in graded if s and s.effective and s.effective.severity]
        absent = [name for name, s in graded if not s or s.effective is None]
        _text(doc, f"{last.label}，{'、'.join(behind) + '未达到进度要求' if behind else '各地区均达到进度要求'}{'；' + '、'.join(absent) + '数据不完整，不作评判' if absent else ''}。")  # fmt: skip
    _table(doc, ["地区", "强度变化（%）", "进度要求（%）", "预警等级"], rows)

    head("三、分行业和重点单位情况")
    year = (last.year if last else header.first_year) if last is None or last.part == 12 else last.year
    months = last.part if last else 12
    _industry(doc, view, year, months)

    head("四、原因分析")
    settled = next((y for y in range(header.last_year, header.first_year - 1, -1) if view.value(energy, city.code, Period.of_year(y)) is not None), None)  # fmt: skip
    try:
        if settled is None:
            raise ProblemError([])
        effect = causes(view, settled)
        _text(doc, f"{settled}年全市能源消费总量比上年{'增加' if effect.change > 0 else '减少'}{show(abs(effect.change), 2)}万吨标准煤，其中经济增长拉动{show(effect.activity, 2)}万吨标准煤，地区结构影响{show(effect.structure, 2)}万吨标准煤，强度变化影响{show(effect.intensity, 2)}万吨标准煤（LMDI加法分解，三项之和等于增量）。")  # fmt: skip
        _table(doc, ["地区", "增长", "结构", "强度", "合计"], [[e.name, *(show(v, 2) for v in (e.activity, e.structure, e.intensity, e.total))] for e in effect.effects])  # fmt: skip
    except ProblemError as error:
        _text(doc, error.problems[0].message + "。" if error.problems else "全年数据未齐，暂不分解。")

    head("五、预警情况")
    s = barometer.line(city.code).at(last) if last else None
    _text(
        doc,
        f"按{scheme.title.zh}，全市{'为' + s.effective.label if s and s.effective else '数据不完整，不评级'}。{s.reason if s else ''}",
    )

    head("六、形势预测")
    try:
        now = situation(view, city.code)
        good, base, bad = now.cases
        _text(doc, f"据{now.as_of.label}规上工业能耗和用电量测算，能源消费同比{_moved(now.nowcast)}。基准情形下{now.year}年强度{_moved(base.change)}，较好、较差情形分别{_moved(good.change)}、{_moved(bad.change)}；年度要求下降{show(Decimal(str(now.required)), 2)}%，完成概率{show(Decimal(str(now.chance_year * 100)), 0)}%，期末完成概率{show(Decimal(str(now.chance_period * 100)), 0)}%（模拟2万次，种子{now.simulation.seed}）。")  # fmt: skip
        if now.need_rest is not None:
            _text(
                doc,
                f"要完成年度要求，其余{now.basis.months_left}个月能源消费增速应控制在{show(Decimal(str(now.need_rest)), 2)}%以内。",
            )
        tested = nowcast_backtest(view, city.code)
        if tested[0].periods:
            _text(doc, "预测方法回测（逐季，平均绝对误差，百分点）：" + "、".join(f"{t.name}{show(Decimal(str(t.error)), 2)}" for t in tested) + f"，共{tested[0].periods}个季度。以上为预测，不作考核依据。")  # fmt: skip
    except ProblemError as error:
        _text(doc, error.problems[0].message + "。")

    head("七、下一步措施")
    tasks = view.plan.tasks_of(target.clause) or [t for t in view.plan.tasks if t.target == target.id]
    if s and s.effective and s.effective.severity:
        for row in view.rulebook.at("warning.measures", view.today, city.code).rows():
            if row["severity"] == s.effective.severity:
                _text(doc, f"{row['measure']}。")
    for task in tasks[:6]:
        _text(doc, f"{task.title}{'（' + '、'.join(task.bodies) + '）' if task.bodies else ''}。")
    if not tasks and not (s and s.effective and s.effective.severity):
        _text(doc, "按方案既定分工继续推进，密切跟踪落后地区和重点单位。")

    head("八、附表")
    rows = []
    for region in [city, *counted(view)]:
        values = [view.value(code, region.code, Period(Kind.YTD, last.year, last.part) if last and last.part < 12 else Period.of_year(year)) for code in (energy, output)]  # fmt: skip
        rows.append([region.name, *(show(v, 2) for v in values), show(values[0] / values[1], 4) if values[0] is not None and values[1] else "—"])  # fmt: skip
    _table(doc, ["地区", "能源消费（万吨标准煤）", "可比价GDP（亿元）", "强度（吨标准煤/万元）"], rows)
    synthetic = view.is_synthetic(view.explain(energy, city.code, Period.of_year(header.base_year)))[0]
    _text(doc, f"数据截至第{view.position}次入库；预警办法{scheme.ref}。电力按等价值。{'本报告使用演示数据，不得作为正式文件。' if synthetic else ''}", size=10.5, indent=False)  # fmt: skip
    return _bytes(doc)


def _industry(doc: Docx, view: View, year: int, months: int) -> None:
    city = view.city.code
    period = Period(Kind.YTD, year, months) if months < 12 else Period.of_year(year)
    now, before = (view.value(INDUSTRY_MONTHLY, city, p) if INDUSTRY_MONTHLY in view.catalogue else None for p in (period, period.lag()))  # fmt: skip
    if now is not None and before:
        _text(
            doc, f"{period.label}，规上工业能源消费{show(now, 2)}万吨标准煤，同比{_moved((now / before - 1) * 100)}。"
        )
    else:
        _text(doc, f"{period.label}规上工业能源消费数据不完整。")
    found = largest_units(year, months, at=view.position)
    if not found:
        _text(doc, "尚无重点用能单位分户数据。")
        return
    whole = [u for u in found if u.complete(months)]
    change = {c: (d, share) for c, d, share in outlook.contributions({u.code: u.before for u in whole}, {u.code: u.now for u in whole}, len(whole))}  # fmt: skip
    shown = []
    for u in found[:10]:
        delta, share = change.get(u.code, (math.nan, math.nan))
        cells = ["—" if math.isnan(x) else show(Decimal(str(x)), places) for x, places in ((delta, 0), (share, 1))]
        shown.append([u.name + ("" if u.complete(months) else "（填报不全）"), show(Decimal(str(u.now)), 0), *cells])
    _table(doc, ["用能量前十单位", "能耗（吨标准煤）", "增量（吨标准煤）", "占增量（%）"], shown)
    _text(doc, f"占增量为占填报完整的{len(whole)}家单位增量合计的比重。", size=10.5)
    new = [u for u in whole if u.new]
    if new:
        _text(doc, f"本年新增用能单位{len(new)}家，用能{show(Decimal(str(sum(u.now for u in new))), 0)}吨标准煤。")
