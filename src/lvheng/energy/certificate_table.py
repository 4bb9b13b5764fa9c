"""Certificates and green contracts from a table: one row a block of serials, or a contract."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from lvheng.core.problem import Place, Problem, ProblemError, stops
from lvheng.core.quantity import show
from lvheng.energy.deductions import Block, Contract
from lvheng.energy.tabular import Column, Table, read_table

COLUMNS = (
    Column("kind", "类别", ("种类", "类型"), required=False),
    Column("series", "批次", ("绿证批次", "批次号", "系列", "编号前缀"), required=False),
    Column("start", "起号", ("起始编号", "开始编号", "首号"), kind="number", required=False),
    Column("end", "止号", ("终止编号", "结束编号", "末号"), kind="number", required=False),
    Column("holder", "持有者", ("持有单位", "持有者代码", "统一社会信用代码", "地区代码", "使用者", "单位", "地区")),
    Column("year", "年度", ("年份", "使用年度", "年"), kind="number", suffix="年"),
    Column("contract", "绿电合同", ("合同编号", "随绿电合同", "绿电合同编号"), required=False),
    Column(
        "kwh",
        "电量",
        ("电量千瓦时", "结算电量", "合同电量", "电量(千瓦时)", "结算电量(千瓦时)"),
        kind="number",
        required=False,
    ),
    Column("plant", "电站", ("电站名称", "发电企业"), required=False),
    Column("cross_province", "跨省", ("跨省购入", "是否跨省"), required=False),
)
YES, NO = {"是", "1", "Y", "y", "true", "跨省"}, {"", "否", "0", "N", "n", "false", "省内"}
FIRST_YEAR = 2017  # certificates exist since then


def read(path: Path | str) -> tuple[list[Block], list[Contract]]:
    """As :func:`parse`, of a file."""
    return parse(read_table(path, COLUMNS), Path(path).name)


def parse(table: Table, name: str) -> tuple[list[Block], list[Contract]]:
    """Blocks and contracts of a table, each with its place; raises ProblemError with every fault of a row.

    A row with serials is a block of certificates; a row without, with a contract number and kWh, is a contract.
    """
    problems, blocks, contracts = list(table.problems), [], []

    def say(
        code: str, message: str, place: Place, got: object = "", wanted: str = "", fix: str = "改正后重新导入。"
    ) -> None:
        problems.append(
            Problem(f"energy.certificate.{code}", message, place=place, got=str(got), wanted=wanted, fix=fix)
        )

    for row in table.rows:
        if row.unreadable:
            continue
        year = row["year"]
        if year is None or year != int(year) or not FIRST_YEAR <= year <= 2100:
            say(
                "year",
                "年度无法识别",
                row.place_of("year"),
                "" if year is None else show(year),
                f"{FIRST_YEAR}年以后的四位年份",
            )
            continue
        if not row["holder"]:
            say("holder", "缺少持有者", row.place_of("holder"), wanted="地区代码或统一社会信用代码")
            continue
        contract, place = row["contract"] or "", row.place_of("series")
        if row["start"] is not None or row["end"] is not None:
            start, end = row["start"], row["end"] if row["end"] is not None else row["start"]
            if start is None or start != int(start) or end != int(end) or not 1 <= start <= end < 10**15:
                say(
                    "block",
                    "绿证编号区间有误",
                    row.place_of("start"),
                    f"{'' if start is None else show(start)}—{show(end)}",
                    "整数，起号不大于止号，从1起",
                )
                continue
            if not row["series"]:
                say("series", "缺少绿证批次", place, wanted="批次编号")
                continue
            if (row["cross_province"] or "") not in YES | NO:
                say("cross", "是否跨省无法识别", row.place_of("cross_province"), row["cross_province"], "是或否")
                continue
            blocks.append(Block("", row["series"], int(start), int(end), row["holder"], int(year), contract, cross_province=row["cross_province"] in YES, place=place))  # fmt: skip
        elif contract and row["kwh"] is not None:
            if row["kwh"] <= 0 or row["kwh"] != int(row["kwh"]) or row["kwh"] >= Decimal(10) ** 15:
                say(
                    "contract_negative",
                    "绿电合同电量应为正的整数千瓦时",
                    row.place_of("kwh"),
                    show(row["kwh"]),
                    "大于0的整数",
                    "按结算单填写千瓦时数。",
                )
                continue
            contracts.append(
                Contract(contract, row["holder"], int(year), row["kwh"], row["plant"] or "", row.place_of("contract"))
            )
        else:
            say(
                "row",
                "这一行既没有绿证编号，也没有绿电合同和电量",
                place,
                wanted="绿证填批次、起号、止号；绿电合同填合同编号和电量",
            )
    if not table.rows:
        say("no_rows", "表中没有数据行", Place(file=name), fix="在表头下填写数据。")
    if stops(problems):
        raise ProblemError(problems)
    return blocks, contracts
