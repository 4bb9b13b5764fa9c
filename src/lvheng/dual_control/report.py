"""The energy situation report (节能形势分析): eight sections, tables, charts as pictures, sentences from the figures.

What cannot be computed is said in its place with the reason; estimates are called 测算 wherever they stand.
"""

from __future__ import annotations

from decimal import Decimal

from lvheng.core.period import Kind, Period
from lvheng.core.problem import Problem, ProblemError
from lvheng.core.quantity import show
from lvheng.dual_control import charts, outlook
from lvheng.dual_control.barometer import Barometer
from lvheng.dual_control.charts import AMBER, GREY, Line, bar_chart, line_chart
from lvheng.dual_control.early_warning import Standing
from lvheng.dual_control.forecast import Situation, situation
from lvheng.dual_control.lmdi import Lmdi
from lvheng.dual_control.models import Decision
from lvheng.dual_control.nowcast import INDUSTRY_MONTHLY, POWER, POWER_INDUSTRY, backtest
from lvheng.dual_control.paper import HEAD, Paper
from lvheng.dual_control.situation import causes
from lvheng.dual_control.units import largest_units
from lvheng.dual_control.workbench import PARTS, intensity_target
from lvheng.energy.industries import DIVISION_ENERGY, divisions
from lvheng.energy.rules import growth
from lvheng.energy.warning import Scheme
from lvheng.observations.view import View


def moved(value: float | Decimal | None, places: int = 2) -> str:
    """下降3.10%; 持平 when nothing is left of it at those places."""
    if value is None:
        return "数据不完整"
    number = Decimal(str(value))
    text = show(abs(number), places)
    return "持平" if not Decimal(text.replace(",", "")) else f"{'下降' if number < 0 else '上升'}{text}%"


def grown(value: float | Decimal | None) -> str:
    """增长4.71%: of amounts, where :func:`moved` is of intensities."""
    return moved(value).replace("上升", "增长")


def _show(value: float | Decimal | None, places: int = 2) -> str:
    return show(None if value is None else Decimal(str(value)), places)


def _named(names: list[str], most: int = 20) -> str:
    return "、".join(names[:most]) + ("等" if len(names) > most else "")


class Report:
    """One report: what it is of, and its sections in order."""

    def __init__(self, view: View, scheme: Scheme, period: Period | None, tolerance: Decimal | None):
        """``period``: cumulative months; None: the last settled ones for which the city is complete.

        Raises ProblemError on a period that the barometer does not have.
        """
        self.view, self.scheme = view, scheme
        self.target, self.header, self.city = intensity_target(view), view.plan.header, view.city
        self.energy, self.output = PARTS[self.target.indicator]
        self.unit = view.catalogue[self.energy].unit
        self.barometer = Barometer(view, scheme, tolerance)
        if period is not None and period not in self.barometer.periods:
            raise ProblemError(Problem("dual_control.report.period", "该期间没有数据，不能编制报告", got=period.label, fix="改选晴雨表已有的期间。"))  # fmt: skip
        self.period = period or self._last()
        self.paper = Paper()

    def _last(self) -> Period | None:
        lines = self.barometer.line(self.city.code).standings
        settled = [s for s in lines if not s.reading.estimated]
        whole = [s for s in settled if s.reading.change is not None]
        return (whole or settled or lines)[-1].reading.period if lines else None

    def bytes(self) -> bytes:
        period = self.period.label if self.period else self.header.period.label
        self.paper.title(f"{self.city.name}{period}节能形势分析")
        for section in (self._targets, self._counties, self._industry, self._causes, self._warnings, self._forecast, self._measures, self._annex):  # fmt: skip
            section()
        if not charts.chinese():
            self.paper.note(charts.FONT_NOTE)
        return self.paper.bytes()

    # --- one to eight -----------------------------------------------------------------------------
    def _level(self, code: str, region: str, period: Period) -> Decimal | None:
        when = Period.of_year(period.year) if period.part == 12 else period
        return self.view.value(code, region, when) if code in self.view.catalogue else None

    def _grown(self, code: str, region: str, period: Period) -> Decimal | None:
        now, before = self._level(code, region, period), self._level(code, region, period.lag())
        return growth(before, now) if now is not None and before else None

    def _standing(self, region: str) -> Standing | None:
        return self.barometer.line(region).at(self.period) if self.period else None

    def _targets(self) -> None:
        paper, view = self.paper, self.view
        paper.head("一、目标完成情况")
        standing = view.standing(self.target.id)
        paper.subhead("（一）规划期目标")
        paper.text(
            f"方案提出，到{self.header.last_year}年{self.target.title}{_show(self.target.value, 1)}%。{standing.reason}"
        )
        points = view.path(self.target.id)
        columns = (("实绩", [p.value for p in points], charts.PINE, False), ("序时进度", [p.schedule for p in points], GREY, False), ("按现有进度推算", [p.forecast for p in points], AMBER, True))  # fmt: skip
        lines = [Line(name, [None if v is None else float(v) for v in values], colour, dashed) for name, values, colour, dashed in columns]  # fmt: skip
        chart = line_chart([str(p.period.year) for p in points], lines, unit="累计下降（%）", axis="年份")
        paper.picture(chart, f"{self.target.title}进度", f"数据来源：指标{self.view.catalogue[self.target.indicator].name.zh}，第{view.position}次入库")  # fmt: skip
        paper.subhead("（二）当期情况")
        if self.period is None:
            paper.text("当期数据尚未入库。")
            return
        s = self._standing(self.city.code)
        energy, output = (self._level(c, self.city.code, self.period) for c in (self.energy, self.output))
        if s is None or s.reading.change is None or s.reading.target is None:
            paper.text(
                f"{self.period.label}，{'；'.join(s.reading.missing) if s else '数据'}缺失，全市结果不完整，不作评定。"
            )
        elif s.reading.estimated:
            paper.text(f"{self.period.label}尚无季度核算数。据规上工业能耗和用电量测算，全市单位地区生产总值能耗同比{moved(s.reading.change)}，年度要求为下降{_show(s.reading.target)}%。")  # fmt: skip
        else:
            growths = [self._grown(c, self.city.code, self.period) for c in (self.energy, self.output)]
            gap = s.reading.target + s.reading.change
            met = "达到年度要求" if gap <= 0 else f"比年度要求少{_show(gap)}个百分点"
            paper.text(
                f"{self.period.label}，全市能源消费总量{_show(energy)}{self.unit}，同比{grown(growths[0])}；地区生产总值{_show(output)}亿元（{self.header.price_base_year}年可比价），同比{grown(growths[1])}；"
                f"单位地区生产总值能耗同比{moved(s.reading.change)}，年度要求为下降{_show(s.reading.target)}%，{met}。"
            )  # fmt: skip
        later = [s.reading.period for s in self.barometer.line(self.city.code).standings if s.reading.period > self.period and s.reading.change is None]  # fmt: skip
        if later:
            absent = [line.region.name for line in self.barometer.lines[1:] if (x := line.at(later[-1])) is not None and x.reading.change is None]  # fmt: skip
            paper.text(f"{later[-1].label}因{_named(absent) or '部分地区'}数据未齐，全市结果不完整，未列入本报告。")

    def _counties(self) -> None:
        paper = self.paper
        paper.head("二、分县（市）区情况")
        if self.period is None:
            paper.text("当期数据尚未入库。")
            return
        found = [(line.region, line.at(self.period)) for line in self.barometer.lines[1:]]
        graded = [(r, s) for r, s in found if s and s.reading.change is not None and s.reading.target is not None]
        met = [r.name for r, s in graded if s.reading.target is not None and s.reading.change is not None and -s.reading.change >= s.reading.target]  # fmt: skip
        rising = [f"{r.name}（{moved(s.reading.change)}）" for r, s in graded if s.reading.change is not None and s.reading.change > 0]  # fmt: skip
        behind = [f"{r.name}（{moved(s.reading.change)}）" for r, s in graded if r.name not in met and s.reading.change is not None and s.reading.change <= 0]  # fmt: skip
        absent = [r.name for r, s in found if s is None or s.reading.change is None or s.reading.target is None]
        estimated = any(s.reading.estimated for _r, s in graded)
        sentence = (
            f"{self.period.label}{'（测算）' if estimated else ''}，{len(graded)}个地区中，{len(met)}个达到年度进度要求"
        )
        if behind:
            sentence += f"；{len(behind)}个下降但未达到要求：{_named(behind)}"
        if rising:
            sentence += f"；{len(rising)}个不降反升：{_named(rising)}"
        if absent:
            sentence += f"；{_named(absent)}数据不完整，不作评定"
        paper.text(sentence + "。")
        chart = bar_chart(
            [(r.short or r.name)[:3] for r, _s in found],
            [None if s is None or s.reading.change is None else float(s.reading.change) for _r, s in found],
            unit="单位地区生产总值能耗同比变化（%）",
            marks=[None if s is None or s.reading.target is None else -float(s.reading.target) for _r, s in found], mark_name="年度要求",
        )  # fmt: skip
        if self.scheme.dial.of == "intensity":
            paper.picture(chart, f"各地区{self.period.label}能耗强度变化", "红线为年度要求；数据不完整的地区留空")
        rows = []
        for line in self.barometer.lines:
            s = line.at(self.period)
            change, wanted = (s.reading.change, s.reading.target) if s else (None, None)
            sign = -1 if self.scheme.dial.of == "intensity" else 1
            rows.append([line.region.name, _show(change), _show(None if wanted is None else sign * wanted), s.shown.label if s and s.shown else "数据不完整"])  # fmt: skip
        paper.table(f"各地区{self.period.label}完成情况", ["地区", "变化（%）", "要求（%）", "等级"], rows)

    def _industry(self) -> None:
        paper, view, city = self.paper, self.view, self.city.code
        paper.head("三、分行业和重点单位情况")
        if self.period is None:
            paper.text("当期数据尚未入库。")
            return
        paper.subhead("（一）规模以上工业")
        now, change = self._level(INDUSTRY_MONTHLY, city, self.period), self._grown(INDUSTRY_MONTHLY, city, self.period)
        if now is None or change is None:
            paper.text(f"{self.period.label}规模以上工业能源消费数据不完整。")
        else:
            paper.text(f"{self.period.label}，规模以上工业能源消费{_show(now)}{self.unit}，同比{grown(change)}。")
        rows = []
        for code, name in divisions(view, city, self.period.year):
            pair = [view.value(DIVISION_ENERGY, city, self._when(p), code) for p in (self.period, self.period.lag())]
            if pair[0] is not None:
                rows.append((pair[0], name, growth(pair[1], pair[0]) if pair[1] else None))
        if rows:
            rows.sort(key=lambda r: -r[0])
            whole = sum((r[0] for r in rows), Decimal(0))
            first = [f"{name}（占{_show(value / whole * 100, 1)}%，同比{grown(g)}）" for value, name, g in rows[:5]]
            paper.text(f"分行业看，能源消费居前的是{'、'.join(first)}。")
            paper.table(f"规模以上工业分行业能源消费（{self.period.label}，前十）", ["行业", f"能源消费（{self.unit}）", "同比（%）", "占比（%）"], [[name, _show(v), _show(g), _show(v / whole * 100, 1)] for v, name, g in rows[:10]], widths=(66, 34, 28, 28))  # fmt: skip
        paper.subhead("（二）重点用能单位")
        months = self.period.part
        found = largest_units(self.period.year, months, at=view.position)
        if not found:
            paper.text("尚无重点用能单位分户数据。")
            return
        whole_ = [u for u in found if u.complete(months)]
        change_of = {c: (d, share) for c, d, share in outlook.contributions({u.code: float(u.before) for u in whole_}, {u.code: float(u.now) for u in whole_}, len(whole_))}  # fmt: skip
        table = []
        for u in found[:10]:
            delta, share = change_of.get(u.code, (None, None))
            table.append([u.name + ("" if u.complete(months) else "（填报不全）"), _show(u.now, 0), _show(delta, 0), _show(share, 1)])  # fmt: skip
        ten = [u for u in found[:10] if u.complete(months)]
        added = sum((u.now - u.before for u in ten), Decimal(0))
        total = sum((u.now - u.before for u in whole_), Decimal(0))
        sentence = f"两年同期填报完整的{len(whole_)}家单位用能比上年同期{'增加' if total > 0 else '减少'}{_show(abs(total), 0)}吨标准煤"
        if ten:
            sentence += f"，其中用能前十单位中填报完整的{len(ten)}家{'增加' if added > 0 else '减少'}{_show(abs(added), 0)}吨标准煤"
        new = [u for u in whole_ if u.new]
        if new:
            sentence += f"；新增用能单位{len(new)}家，用能{_show(sum((u.now for u in new), Decimal(0)), 0)}吨标准煤"
        paper.text(sentence + "。")
        paper.table(f"用能量前十单位（{self.period.label}）", ["单位", "用能（吨标准煤）", "增量（吨标准煤）", "占增量（%）"], table, widths=(72, 30, 30, 24))  # fmt: skip

    def _when(self, period: Period) -> Period:
        return Period.of_year(period.year) if period.part == 12 else period

    def _causes(self) -> None:
        paper, view, city = self.paper, self.view, self.city.code
        paper.head("四、原因分析")
        settled = next((y for y in range(self.header.last_year, self.header.first_year - 1, -1) if view.value(self.energy, city, Period.of_year(y)) is not None), None)  # fmt: skip
        if settled is None:
            paper.text("全年数据未齐，暂不作因素分解。")
            return
        try:
            effect = causes(view, settled)
        except ProblemError as error:
            paper.text(error.problems[0].message + "。")
        else:
            paper.text(
                f"{settled}年全市能源消费总量比上年{'增加' if effect.change > 0 else '减少'}{_show(abs(effect.change))}{self.unit}：经济增长使用能{_pushed(effect.activity, self.unit)}，"
                f"地区结构变化使用能{_pushed(effect.structure, self.unit)}，强度变化使用能{_pushed(effect.intensity, self.unit)}。"
            )  # fmt: skip
            self._effects(f"{settled}年能源消费增量因素分解（分地区）", effect)
        try:
            effect = causes(view, settled, "industry")
        except ProblemError as error:
            paper.text(error.problems[0].message + "。")
        else:
            paper.text(
                f"规模以上工业中，增加值增长使用能{_pushed(effect.activity, self.unit)}，行业结构变化使用能{_pushed(effect.structure, self.unit)}，强度变化使用能{_pushed(effect.intensity, self.unit)}；"
                f"{_extremes(effect)}。"
            )  # fmt: skip
            largest = sorted(effect.effects, key=lambda e: -abs(e.total))[:10]
            self._effects(
                f"{settled}年规模以上工业用能增量因素分解（变化最大的十个行业）", effect, [e.name for e in largest]
            )
        if self.period is not None:
            base = self.barometer.line(city).at(self.period.lag())
            if base is not None and base.reading.change is not None:
                paper.text(f"从基数看，上年同期单位地区生产总值能耗同比{moved(base.reading.change)}。")
            power = [self._grown(c, city, self.period) for c in (POWER, POWER_INDUSTRY)]
            if None not in power:
                paper.text(
                    f"从用电看，{self.period.label}全社会用电量同比{grown(power[0])}，工业用电量同比{grown(power[1])}。"
                )

    def _effects(self, caption: str, effect: Lmdi, only: list[str] | None = None) -> None:
        rows = [[e.name, *(_show(v) for v in (e.activity, e.structure, e.intensity, e.total))] for e in effect.effects if only is None or e.name in only]  # fmt: skip
        rows.append(["合计" if only is None else "全部行业", *(_show(v) for v in (effect.activity, effect.structure, effect.intensity, effect.activity + effect.structure + effect.intensity))])  # fmt: skip
        wide = (56, 25, 25, 25, 25) if only is not None else ()
        self.paper.table(caption, ["地区" if only is None else "行业", "增长", "结构", "强度", "合计"], rows, unit=self.unit, widths=wide, foot=True)  # fmt: skip

    def _warnings(self) -> None:
        paper = self.paper
        paper.head("五、预警情况")
        if self.period is None:
            paper.text("当期数据尚未入库，不评级。")
            return
        lines = self.barometer.lines
        own = lines[0].at(self.period)
        if own is not None and own.shown is not None:
            paper.text(f"按{self.scheme.title.zh}，{self.period.label}全市为{own.shown.label}{'（测算，不作预警依据）' if own.reading.estimated else ''}。{own.reason if not own.reading.estimated else ''}")  # fmt: skip
        else:
            paper.text(f"按{self.scheme.title.zh}，{self.period.label}全市数据不完整，不评级。")
        grades: dict[tuple[int, str], list[str]] = {}
        for line in lines[1:]:
            s = line.at(self.period)
            if s and s.shown:
                grades.setdefault((s.shown.severity, s.shown.label), []).append(line.region.name)
        for (_severity, label), names in sorted(grades.items(), reverse=True):
            paper.text(f"{label}{len(names)}个：{_named(names)}。")
        issued = [d for d in Decision.objects.filter(kind="warning", plan=self.view.plan.id, period=self.period.code).prefetch_related("steps") if d.last_step in ("issued", "closed")]  # fmt: skip
        if issued:
            done = sum(d.last_step == "closed" for d in issued)
            late = sum(d.overdue for d in issued)
            paper.text(
                f"本期已印发预警{len(issued)}件，办结{done}件" + (f"，逾期未反馈{late}件" if late else "") + "。"
            )

    def _forecast(self) -> None:
        paper = self.paper
        paper.head("六、形势预测")
        try:
            now = situation(self.view, self.city.code, nowcaster=self.barometer.nowcaster)
        except ProblemError as error:
            paper.text(error.problems[0].message + "。")
            return
        good, base, bad = now.cases
        paper.text(f"据{now.as_of.label}规模以上工业能耗和用电量测算，全市能源消费同比{grown(now.nowcast)}。基准情形下，{now.year}年单位地区生产总值能耗{moved(base.change)}，较好、较差情形分别{moved(good.change)}、{moved(bad.change)}。")  # fmt: skip
        paper.table(f"{now.year}年三种情形", ["情形", "能源消费增速（%）", "地区生产总值增速（%）", "强度变化（%）"], [[c.name, _show(c.energy_growth), _show(c.gdp_growth), _show(c.change)] for c in now.cases])  # fmt: skip
        paper.text(f"年度要求下降{_show(now.required)}%，完成概率{_show(now.chance_year * 100, 0)}%；到{self.header.last_year}年完成规划期目标的概率{_show(now.chance_period * 100, 0)}%（模拟2万次，随机种子{now.simulation.seed}）。{_pressure(now, self.unit)}")  # fmt: skip
        if len(now.months) > 1:
            lines = [Line("测算", [m.growth for m in now.months], AMBER, True), Line("季末核算", [m.growth if m.settled else None for m in now.months], charts.PINE)]  # fmt: skip
            chart = line_chart([f"1—{m.period.part}月" if m.period.part > 1 else "1月" for m in now.months], lines, unit="能源消费累计同比（%）", axis=f"{now.year}年累计月份")  # fmt: skip
            paper.picture(chart, f"{now.year}年能源消费累计增速")
        tested = backtest(self.barometer.nowcaster, self.city.code)
        if tested[0].periods:
            paper.text(f"预测方法对{tested[0].periods}个季度回测的平均绝对误差（百分点）：" + "、".join(f"{t.name}{_show(t.error)}" for t in tested) + "。以上预测只供研判，不作考核依据。")  # fmt: skip

    def _measures(self) -> None:
        paper, view = self.paper, self.view
        paper.head("七、下一步措施")
        n = 0

        def item(text: str, owners: str) -> None:
            nonlocal n
            n += 1
            paper.text(f"{n}. {text.rstrip('。')}。{f'（{owners}）' if owners else ''}")

        s = self._standing(self.city.code)
        severity = max((x.effective.severity for line in self.barometer.lines if self.period and (x := line.at(self.period)) and x.effective), default=0)  # fmt: skip
        if severity and s is not None:
            behind = [line.region.name for line in self.barometer.lines[1:] if self.period and (x := line.at(self.period)) and x.effective and x.effective.severity == severity]  # fmt: skip
            for row in view.rulebook.at(self.barometer.run.measures, view.today, self.city.code).rows():
                if row["severity"] == severity and behind:
                    item(f"对{_named(behind)}，{row['measure']}", "市节能主管部门")
        for task in (view.plan.tasks_of(self.target.clause) or [t for t in view.plan.tasks if t.target == self.target.id])[:8]:  # fmt: skip
            bodies = task.bodies or [name for _b, name, _role in view.plan.bodies_of(task.clause)][:4]
            item(task.title, "、".join(bodies))
        if not n:
            paper.text("本期没有需要新采取的措施。")

    def _annex(self) -> None:
        paper, view = self.paper, self.view
        paper.head("八、附表")
        if self.period is not None:
            rows = []
            for line in self.barometer.lines:
                code = line.region.code
                energy, output = (self._level(c, code, self.period) for c in (self.energy, self.output))
                intensity = energy / output if energy is not None and output else None
                rows.append([line.region.name, _show(energy), _show(self._grown(self.energy, code, self.period)), _show(output), _show(self._grown(self.output, code, self.period)), _show(intensity, 4)])  # fmt: skip
            paper.table(f"各地区{self.period.label}能源消费和强度", ["地区", f"能源消费（{self.unit}）", "同比（%）", "地区生产总值（亿元）", "同比（%）", "强度（吨标准煤/万元）"], rows)  # fmt: skip
        generated = view.is_synthetic(view.explain(self.energy, self.city.code, Period.of_year(self.header.base_year)))[0]  # fmt: skip
        paper.note(f"数据截至第{view.position}次入库；预警办法{self.scheme.ref}；地区生产总值按{self.header.price_base_year}年可比价；电力按等价值。")  # fmt: skip
        if generated:
            paper.text("演示数据，不得作为正式文件使用。", font=HEAD, size=12, indent=False)


def _extremes(effect: Lmdi) -> str:
    """The industries whose intensity saved and added most, if any did."""
    best, worst = (f(effect.effects, key=lambda e: e.intensity) for f in (min, max))
    parts = []
    if best.intensity < 0:
        parts.append(f"强度变化减少用能最多的是{best.name}（{show(-best.intensity, 2)}万吨标准煤）")
    if worst.intensity > 0:
        parts.append(f"增加用能最多的是{worst.name}（{show(worst.intensity, 2)}万吨标准煤）")
    return "，".join(parts) or "各行业强度没有变化"


def _pushed(value: Decimal, unit: str) -> str:
    return f"{'增加' if value > 0 else '减少'}{show(abs(value), 2)}{unit}"


def _pressure(now: Situation, unit: str) -> str:
    """What the months left must bring, in growth and in energy a month."""
    if now.need_rest is None:
        return ""
    left = f"，月均不超过{_show(now.need_month)}{unit}" if now.need_month is not None else ""
    return f"要完成年度要求，其余{now.basis.months_left}个月能源消费增速应控制在{_show(now.need_rest)}%以内{left}。"


def report(view: View, scheme: Scheme, period: Period | None = None, tolerance: Decimal | None = None) -> bytes:
    """The city's report as docx. ``period``: cumulative months of the barometer; raises ProblemError on another."""
    if period is not None and period.kind is not Kind.YTD:
        raise ProblemError(
            Problem("dual_control.report.period", "报告按累计月份编制", got=period.label, fix="改选累计月份。")
        )
    return Report(view, scheme, period, tolerance).bytes()
