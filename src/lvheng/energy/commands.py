"""``lvheng energy``: progress and grades of published tables."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

import click

from lvheng.access.boot import with_django
from lvheng.core.problem import Problem, ProblemError, Severity
from lvheng.core.quantity import show
from lvheng.energy import data, progress_table, unit_table
from lvheng.energy.warning import Scheme
from lvheng.plan.rules import shown_share, telling


class _Number(click.ParamType):
    name = "数值"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            self.fail(f"“{value}”不是数字", param, ctx)
        if not number.is_finite():
            self.fail(f"“{value}”不是数字", param, ctx)
        return number


def _tell(problems: Iterable[Problem]) -> None:
    for problem in problems:
        click.echo(str(problem), err=True)


@click.group()
def energy() -> None:
    """能耗双控：进度、预警、核算。"""


@energy.command()
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="输出JSON（百分数，四舍五入到6位小数）。")
def progress(table: Path, as_json: bool) -> None:
    """由逐年变化计算累计降幅、目标进度和剩余年均降幅。

    TABLE为CSV或xlsx，列为region（地区）、target_pct（目标降幅，下降为正）、years（规划期年数）、year（年份）、
    change_pct（年度变化，下降为负），一年一行。进度=ln(1−累计降幅)/ln(1−目标)，序时进度=已过年数/总年数，
    超额完成=(累计降幅−目标)/目标，剩余年均降幅为负时表示已达到目标后的余量，期满时为空。
    """
    results, problems = progress_table.progress(table, data.thresholds(date.today()))  # noqa: DTZ011
    _tell(problems)
    if as_json:
        click.echo(json.dumps([r.as_dict() for r in results], ensure_ascii=False, indent=2))
        return
    for r in results:
        span = f"{r.first_year}—{r.last_year}年" if r.done > 1 else f"{r.first_year}年" if r.done else "尚无数据"
        need = "—"
        if r.remaining_per_year is not None:
            need = "已达到" if r.remaining_per_year <= 0 else f"{show(r.remaining_per_year, 2)}%"
        share = "—" if r.progress is None else f"{show(shown_share(r.progress))}%"
        fall, aim = "—", f"{show(r.target)}%"
        if r.cumulative_decline is not None:
            fall, aim = (f"{text}%" for text in telling(r.cumulative_decline, r.target))
        over = "—" if r.over_fulfilment is None else f"{show(r.over_fulfilment, 2)}%"
        click.echo(
            f"{r.state.mark} {r.region}（{span}，目标{aim}）：累计下降{fall}，进度{share}，"
            f"序时{show(r.schedule, 1)}%，超额{over}，剩余年均降幅{need}，{r.state.label}。"
        )


@energy.command()
@click.argument("table", type=click.Path(path_type=Path), required=False)
@click.option("--scheme", "scheme_id", help="预警办法编号，用 --list 查看。")
@click.option("--period", default="", help="时段：H1（上半年）或Q1-3（前三季度），表中有时段列时以表为准。")
@click.option("--tolerance", type=_Number(), help="一、二级分界（百分点），仅用于界限未公布的办法。")
@click.option("--list", "list_schemes", is_flag=True, help="列出全部预警办法。")
@click.option("--json", "as_json", is_flag=True, help="输出JSON。")
def warn(
    table: Path | None, scheme_id: str | None, period: str, tolerance: Decimal | None, list_schemes: bool, as_json: bool
) -> None:
    """按预警办法分级。

    TABLE为CSV或xlsx，列为region（地区）、target_pct（目标降幅，下降为正；总量类为允许增幅）、change_pct（实际变化），
    可有period（时段）。severity为0至3，越大越严重；label、level为当地的等级名称和级数。
    """
    known = data.schemes()
    if list_schemes:
        _list(known, as_json)
        return
    if table is None or scheme_id is None:
        missing = "TABLE" if table is None else "--scheme"
        raise ProblemError(Problem("energy.warning.arguments", "命令缺少参数", wanted=missing, fix="给出表格文件和 --scheme；用 --list 查看全部预警办法。"))  # fmt: skip
    if scheme_id not in known:
        raise ProblemError(
            Problem("energy.warning.unknown_scheme", "没有这个预警办法", got=scheme_id, wanted="、".join(known), fix="用 lvheng energy warn --list 查看。")
        )  # fmt: skip
    results, problems = progress_table.warn(table, known[scheme_id], period=period, tolerance=tolerance)
    _tell(problems)
    if as_json:
        click.echo(json.dumps([r.as_dict() for r in results], ensure_ascii=False, indent=2))
        return
    for r in results:
        click.echo(f"{r.region}{f'（{r.period}）' if r.period else ''}：{r.label}。{r.reason}")


def _list(known: dict[str, Scheme], as_json: bool) -> None:
    if as_json:
        rows = [
            {
                "id": s.scheme, "title": s.title.zh, "dial": s.dial.of, "subject": s.dial.subject,
                "validity": s.validity.label, "source": str(s.source.source), "confidence": s.source.confidence.value,
                "bands": [b.model_dump(mode="json", exclude_none=True) for b in s.bands],
            }
            for s in known.values()
        ]  # fmt: skip
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for s in known.values():
        mark = "" if s.source.confidence.confirmed else f"　{s.source.confidence.label}"
        click.echo(f"{s.scheme}　{s.title.zh}（{s.validity.label}）{mark}\n  依据：{s.source.source}")
        if s.note:
            click.echo(f"  {s.note}")


@energy.command()
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--base-year", type=click.IntRange(1949, 2100), help="基年，默认为表中最早的年份。")
@click.option("--json", "as_json", is_flag=True, help="输出JSON（四舍五入到6位小数）。")
def deduct(table: Path, base_year: int | None, as_json: bool) -> None:
    """三种口径的能耗强度和降幅：原口径，扣除原料用能，扣除原料用能和非化石能源。

    TABLE为CSV或xlsx，列为region（地区）、year（年份）、energy（能源消费总量）、gdp（可比价地区生产总值），
    可有feedstock（原料用能）、nonfossil（非化石能源）、carve_out（单列项目能耗）、price_base（价格基年）。
    扣减在基年和当年同口径进行；缺少扣减项的口径为空。
    """
    series, problems = progress_table.deduct(table, base_year)
    _tell(problems)
    rows: dict[tuple[str, int], dict[str, object]] = {}
    for s in series:
        row = rows.setdefault((s.region, s.year), {"region": s.region, "year": s.year})
        row[f"{s.series.value}_intensity"] = None if s.intensity is None else float(progress_table.round_6(s.intensity))
        row[f"{s.series.value}_decline_pct"] = None if s.decline is None else float(progress_table.round_6(s.decline))
    if as_json:
        click.echo(json.dumps(list(rows.values()), ensure_ascii=False, indent=2))
        return
    for region, year in rows:
        parts = [
            f"{s.series.label}{'—' if s.decline is None else show(s.decline, 2) + '%'}"
            for s in series
            if (s.region, s.year) == (region, year)
        ]
        click.echo(f"{region}{year}年比基年下降：{'，'.join(parts)}。")


@energy.command()
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--year", type=click.IntRange(2008, 2100), required=True, help="核算年份，决定系数的版次。")
@click.option("--json", "as_json", is_flag=True, help="输出JSON。")
def account(table: Path, year: int, as_json: bool) -> None:
    """按GB/T 2589核算一个单位的综合能源消费量，当量值和等价值并列，并列出二氧化碳排放量（单位法）。

    TABLE为CSV或xlsx，一种能源一行，列为carrier（能源品种）、consumption（消费量，含加工转换投入），可有feedstock（用于原材料）、
    conversion_input（加工转换投入）、conversion_output（加工转换产出）、recovered（回收利用）、lhv（实测低位发热量，千焦/千克
    或千焦/立方米）、factor（在参考区间内选定的系数）、reason（理由）。计量单位同205-1。
    """
    found, emitted = unit_table.account_of(table, year)
    _tell([*found.problems, *emitted.problems])
    if not found.complete:
        raise ProblemError([p for p in found.problems if p.severity is Severity.BLOCKER] or found.problems)
    if as_json:
        click.echo(json.dumps(unit_table.as_dict(found, emitted), ensure_ascii=False, indent=2))
        return
    for r in found.lines:
        click.echo(
            f"{r.carrier.name}：系数{show(r.factor, 4)}（{r.factor_kind.label}），消费{show(r.consumption.calorific, 2)}吨标准煤（当量值）"
        )
    both = f"当量值{show(found.comprehensive.calorific, 2)}吨标准煤，等价值{'未能计算' if found.comprehensive.equivalent is None else show(found.comprehensive.equivalent, 2) + '吨标准煤'}"
    click.echo(
        f"综合能源消费量：{both}；二氧化碳（{emitted.method.label}）{show(emitted.tons, 2)}吨{'' if emitted.complete else '（不完整）'}。"
    )


@click.command()
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--by", required=True, help="登记人。")
@with_django
def certificates(table: Path, by: str) -> None:
    """登记绿证使用和绿电合同，全部登记或全不登记。

    TABLE为CSV或xlsx，绿证一行写series（批次）、start（起号）、end（止号）、holder（持有者代码）、year（年度），
    随绿电交付的另写contract（绿电合同）；绿电合同一行写contract、holder、year、kwh（电量，千瓦时），不写编号。
    """
    from lvheng.energy import certificate_table
    from lvheng.energy.services import register

    blocks, contracts = certificate_table.read(table)
    done, signed = register(blocks, contracts, by=by)
    kwh = sum((Decimal(b.kwh) for b in blocks), Decimal(0))
    click.echo(f"已登记绿证{done}段（{show(kwh)}千瓦时），绿电合同{signed}份。")


commands: list[click.Command] = [energy, certificates]
