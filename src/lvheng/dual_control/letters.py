"""Letters of dual control as docx: the target letter to the counties, the notice of a warning."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from django.utils.timezone import localdate

from lvheng.core.period import Period
from lvheng.core.quantity import show
from lvheng.dual_control.models import Decision
from lvheng.dual_control.paper import HEAD, Paper, chinese_day
from lvheng.dual_control.workbench import PARTS
from lvheng.observations.view import View
from lvheng.plan.rules import schedule


def _evidence(paper: Paper, decision: Decision, view: View) -> None:
    """What the figures rest on, so that the paper can be traced and replayed."""
    paper.note(f"依据：数据截至第{decision.position}次入库；规则版本{'、'.join(decision.rules)}；决定编号{decision.pk}，摘要值{decision.digest[:16]}。")  # fmt: skip
    if synthetic(decision, view):
        paper.text("演示数据，不得作为正式文件使用。", font=HEAD, size=12, indent=False)


def synthetic(decision: Decision, view: View) -> bool:
    """Whether it rests on generated figures."""
    energy, _ = PARTS["energy_intensity_decline"]
    regions = [decision.region] if decision.kind == "warning" else [r.code for r in view.counties]
    year = Period.of_year(view.plan.header.base_year)
    return any(view.is_synthetic(view.explain(energy, r, year))[0] for r in regions if r)


def _stage(decision: Decision) -> tuple[str, date]:
    issued = next((s for s in decision.steps.all() if s.step == "issued"), None)
    if issued is None:
        return ("（征求意见稿）" if decision.kind == "decomposition" else "（代拟稿）"), localdate(decision.made_at)
    return issued.number, localdate(issued.at)


def _per_cent(text: str | None, places: int | None = None) -> str:
    return "—" if text is None else show(Decimal(text), places)


def target_letter(decision: Decision, view: View) -> bytes:
    """The letter that gives the counties their targets; a draft says so under its title."""
    paper = Paper()
    number, day = _stage(decision)
    target = view.plan.target_by_id[decision.inputs["target"]]
    header, kept, outcome = view.plan.header, decision.inputs, decision.outcome
    places = decision.places
    names = {code: view.plan.regions[code].name for code in outcome["targets"]}
    paper.title(f"关于下达{header.period.label}{target.title}目标的通知", number)
    paper.text("各县（市）区人民政府，高新区管委会：" if any(r.kind == "zone" for r in view.counties) else "各县（市）区人民政府：", indent=False)  # fmt: skip
    paper.text(f"为落实《{header.title}》（{header.number}）提出的“{target.quote}”，现将{header.period.label}各地区目标下达给你们，并就有关事项通知如下。")  # fmt: skip
    paper.head("一、目标")
    paper.text(f"全市目标为下降{_per_cent(kept['city_target'])}%。各地区基本目标、激励目标见表1；按基本目标和各地区预期经济增速测算，全市合成下降{_per_cent(outcome['implied'], 2)}%，不低于全市目标。")  # fmt: skip
    paper.table(
        "各地区目标",
        ["地区", "基本目标", "激励目标", "年均下降", "预期年均增速"],
        [[names[c], _per_cent(v, places), _per_cent(outcome["incentive"][c], places), _per_cent(outcome["yearly"][c], 2), _per_cent(kept["growth"].get(c), 1)] for c, v in outcome["targets"].items()],
        unit="%",
    )  # fmt: skip
    paper.head("二、年度进度")
    years = list(range(header.first_year, header.last_year + 1))
    paper.text(
        "各地区累计下降的年度进度见表2，按等比例年均降幅推算。年度实际完成情况由市节能主管部门会同市统计局核定。"
    )
    paper.table(
        "各地区累计下降年度进度",
        ["地区", *(f"{y}年" for y in years)],
        [[names[c], *(show(schedule(Decimal(v), n + 1, header.years), 2) if Decimal(v) > 0 else "—" for n in range(len(years)))] for c, v in outcome["targets"].items()],
        unit="%",
    )  # fmt: skip
    budgets = outcome.get("budgets", {})
    if budgets:
        paper.head("三、能源消费总量")
        paper.text("各地区年度能源消费总量目标见表3，由上年能源消费量、预期经济增速和年均降幅确定。经济增速超过预期的，按实际增速重新核定；达到激励目标的地区，当期能源消费总量免予考核。")  # fmt: skip
        paper.table(
            "各地区年度能源消费总量目标", ["地区", *(f"{y}年" for y in years)],
            [[names[code], *(show(Decimal(v), 2) for v in row)] for code, row in budgets.items()], unit=view.catalogue[PARTS[target.indicator][0]].unit,
        )  # fmt: skip
    remarks = [s for s in decision.steps.all() if s.step == "remark"]
    if remarks:
        paper.head("四、征求意见情况" if budgets else "三、征求意见情况")
        paper.table(
            "各地区意见",
            ["地区", "意见", "日期"],
            [[names.get(s.region, s.by), s.text, chinese_day(localdate(s.at))] for s in remarks],
            widths=(34, 88, 34),
        )
    paper.sign(header.issuer, day)
    _evidence(paper, decision, view)
    return paper.bytes()


def warning_notice(decision: Decision, view: View) -> bytes:
    """The notice of a warning with its figures, grade, measures and deadline."""
    paper = Paper()
    number, day = _stage(decision)
    scheme, outcome, unit = decision.inputs["scheme"], decision.outcome, decision.unit
    period = Period.parse(decision.period).label
    paper.title(f"关于{decision.title.removesuffix('通知')}的通知", number)
    source = scheme["source"]
    basis = f"《{source['document']}》" + (f"（{source['number']}）" if source.get("number") else "")
    if unit:
        paper.text(f"{unit['name']}：", indent=False)
        paper.text(f"经核算，{period}你单位单位产值能耗{decision.explanation}")
    else:
        region = view.plan.regions[decision.subject]
        paper.text(f"{region.name}{'管委会' if region.kind == 'zone' else '人民政府'}：", indent=False)
        dial = "能源消费总量" if scheme["dial"]["of"] == "total" else "单位地区生产总值能耗"
        paper.text(f"经核算，{period}你地区{dial}{decision.explanation}")
    paper.text(f"依据{basis}，预警等级为{outcome['label']}。现就有关事项通知如下。")
    paper.head("一、应采取的措施")
    for i, measure in enumerate(outcome["measures"], 1):
        until = f"，自本通知印发之日起{measure['days']}日内完成" if measure["days"] else "，自本通知印发之日起执行"
        paper.text(f"（{_numeral(i)}）{measure['measure']}{until}。")
    paper.head("二、反馈要求")
    issued = next((s for s in decision.steps.all() if s.step == "issued"), None)
    when = chinese_day(issued.due) if issued and issued.due else "规定期限"
    paper.text(f"请收到本通知后签收，并于{when}前书面反馈落实情况。整改经核实后办结，预警解除。")
    paper.sign(issued.by if issued else decision.made_by, day)
    _evidence(paper, decision, view)
    return paper.bytes()


def _numeral(n: int) -> str:
    return "一二三四五六七八九十"[n - 1] if n <= 10 else str(n)
