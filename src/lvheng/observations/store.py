"""Recording and reading observations.

:func:`record` is the only way in. It checks every figure, finds what is new, revised or the same
as stored, and writes one posting in one transaction, or nothing. Reading is as of a ledger position.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, connection, transaction
from django.db.models import Max
from django.utils import timezone

from lvheng.access.models import append_event, lock_ledger
from lvheng.core.period import Period
from lvheng.core.problem import Place, Problem, ProblemError
from lvheng.core.quantity import compatible
from lvheng.observations.catalogue import Catalogue
from lvheng.observations.models import QUALITIES, Observation, Posting, SourceDocument, Subject

if TYPE_CHECKING:
    import polars

MAX_SCALE, MAX_MANTISSA = 12, 2**63 - 1
_COLUMNS = ("posting_id", "indicator", "subject_id", "period", "item", "mantissa", "scale", "unit", "quality", "vintage", "source_id", "reference")  # fmt: skip
Progress = Callable[[str, int, int], None]  # stage, done, total


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure to record. ``subject`` and ``source`` are codes; value None withdraws the figure."""

    indicator: str
    subject: str
    period: str
    value: Decimal | None
    unit: str
    quality: str
    source: str
    item: str = ""
    reference: str = ""


@dataclass(slots=True)
class Recorded:
    """What a recording did."""

    new: int = 0
    revised: int = 0
    same: int = 0
    posting: int | None = None
    problems: list[Problem] = field(default_factory=list)

    def __str__(self) -> str:
        return f"新增{self.new}条，更正{self.revised}条，相同{self.same}条"


def position() -> int:
    """The present ledger position; 0 before the first posting."""
    return Posting.objects.aggregate(last=Max("number"))["last"] or 0


def exact(value: Decimal) -> tuple[int, int] | None:
    """(mantissa, scale) or None when the number does not fit the store."""
    if not value.is_finite():
        return None
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    mantissa, scale = int("".join(map(str, digits))) * (10**exponent if 0 < exponent <= 30 else 1), max(0, -exponent)
    while scale > MAX_SCALE and mantissa % 10 == 0:
        mantissa, scale = mantissa // 10, scale - 1
    if exponent > 30 or scale > MAX_SCALE or mantissa > MAX_MANTISSA:
        return None
    return (-mantissa if sign else mantissa), scale


def check(
    figures: Sequence[Figure], catalogue: Catalogue | None, subjects: dict[str, int], sources: dict[str, int]
) -> list[Problem]:
    """Problems of figures, before anything is written; at most 200 are listed."""
    problems: list[Problem] = []
    seen: set[tuple[str, str, str, str]] = set()
    periods: dict[str, str] = {}
    units: dict[tuple[str, str], bool] = {}
    for row, f in enumerate(figures, 1):
        if len(problems) >= 200:
            break
        place = Place(table="数据", row=row, field=f"{f.indicator} {f.subject} {f.period}")

        def say(code: str, message: str, _place: Place = place, got: str = "", wanted: str = "", fix: str = "") -> None:
            problems.append(Problem(f"observations.{code}", message, place=_place, got=got, wanted=wanted, fix=fix))

        key = (f.indicator, f.subject, f.period, f.item)
        if key in seen:
            say("key.twice", "同一指标、对象、期间和分项在本批中出现两次", got=" ".join(key), fix="删去重复的一行。")
        seen.add(key)
        if f.subject not in subjects:
            say("subject.unknown", "没有这个统计对象", got=f.subject, fix="先登记该地区或单位。")
        if f.source not in sources:
            say("source.missing", "没有写明来源", got=f.source, fix="先登记来源文件。")
        if f.quality not in QUALITIES:
            say("quality.unknown", "数据性质不在目录中", got=f.quality, wanted="、".join(QUALITIES))
        if f.period not in periods:
            try:
                periods[f.period] = Period.parse(f.period).code
            except ProblemError as error:
                problems.extend(error.problems)
                periods[f.period] = f.period
            else:
                if periods[f.period] != f.period:
                    say("period.code", "期间写法不规范", got=f.period, wanted=periods[f.period], fix="按规范代码填写。")
        if f.value is None and f.quality != "withdrawn":
            say("value.missing", "没有数值；缺数不是零，也不能以空值入库", fix="填写数值；撤回原值时注明“撤回”。")
        elif f.value is not None and exact(f.value) is None:
            say(
                "value.size",
                "数值过大、过细或不是有限数",
                got=str(f.value)[:40],
                wanted=f"不超过18位有效数字、{MAX_SCALE}位小数",
                fix="核对计量单位。",
            )
        if catalogue is not None:
            if f.indicator not in catalogue:
                say(
                    "indicator.unknown",
                    "指标目录中没有这个指标",
                    got=f.indicator,
                    fix="先在rulebook/indicators补录指标。",
                )
                continue
            pair = (f.indicator, f.unit)
            if pair not in units:
                try:
                    units[pair] = compatible(f.unit, catalogue[f.indicator].unit)
                except ProblemError:
                    units[pair] = False
            if not units[pair]:
                say(
                    "unit.mismatch",
                    "计量单位与指标不符",
                    got=f.unit,
                    wanted=catalogue[f.indicator].unit,
                    fix="换算后再录入。",
                )
    return problems


def record(
    figures: Iterable[Figure],
    *,
    kind: str,
    title: str,
    by: str,
    catalogue: Catalogue | None = None,
    progress: Progress | None = None,
) -> Recorded:
    """Write figures as one posting; raises ProblemError and changes nothing when any is wrong.

    A figure equal in value, unit, quality and source to the stored one is the same and is not
    written; when all are the same there is no posting. Otherwise it becomes the next vintage.
    """
    rows = list(figures)
    subjects = dict(Subject.objects.values_list("code", "pk"))
    sources = dict(SourceDocument.objects.values_list("key", "pk"))
    if problems := check(rows, catalogue, subjects, sources):
        raise ProblemError(problems)
    report = Recorded()
    with transaction.atomic():
        lock_ledger()
        stored = _latest(rows, subjects)
        number = position() + 1
        fresh: list[tuple[Any, ...]] = []
        digest = hashlib.new("sm3")
        for done, f in enumerate(rows):
            if progress and done % 20_000 == 0:
                progress("核对", done, len(rows))
            mantissa, scale = (exact(f.value) or (0, 0)) if f.value is not None else (None, 0)
            value = (mantissa, scale, f.unit, f.quality, sources[f.source])
            old = stored.get((subjects[f.subject], f.indicator, f.period, f.item))
            if old is not None and old[1:] == value:
                report.same += 1
                continue
            vintage = 1 if old is None else old[0] + 1
            report.new += old is None
            report.revised += old is not None
            row = (
                number,
                f.indicator,
                subjects[f.subject],
                f.period,
                f.item,
                mantissa,
                scale,
                f.unit,
                f.quality,
                vintage,
                sources[f.source],
                f.reference,
            )
            digest.update("\x1f".join(map(str, row[1:])).encode())
            fresh.append(row)
        if fresh:
            report.posting = number
            Posting.objects.create(
                number=number,
                recorded_at=timezone.now(),
                recorded_by=by,
                kind=kind,
                title=title,
                rows=len(fresh),
                digest=digest.hexdigest(),
            )
            _insert(fresh, progress)
            append_event(
                by,
                "数据入库",
                f"过账{number}",
                {"摘要": title, "方式": kind, "行数": len(fresh), "摘要值": digest.hexdigest()},
            )
    return report


def _latest(rows: Sequence[Figure], subjects: dict[str, int]) -> dict[tuple[int, str, str, str], tuple[Any, ...]]:
    """Key → (vintage, mantissa, scale, unit, quality, source) of the latest stored vintage."""
    names = {f.indicator for f in rows}
    keys = {subjects[f.subject] for f in rows}
    query = Observation.objects.filter(indicator__in=names)
    if len(keys) <= 400:
        query = query.filter(subject__in=keys)
    found: dict[tuple[int, str, str, str], tuple[Any, ...]] = {}
    columns = (
        "subject_id",
        "indicator",
        "period",
        "item",
        "vintage",
        "mantissa",
        "scale",
        "unit",
        "quality",
        "source_id",
    )
    for row in query.order_by("vintage").values_list(*columns).iterator(chunk_size=20_000):
        found[row[:4]] = row[4:]
    return found


def _insert(rows: list[tuple[Any, ...]], progress: Progress | None, chunk: int = 20_000) -> None:
    """Many rows at once: COPY on PostgreSQL, executemany on SQLite."""
    table = Observation._meta.db_table
    names = ", ".join(_COLUMNS)
    with connection.cursor() as cursor:
        for start in range(0, len(rows), chunk):
            part = rows[start : start + chunk]
            if connection.vendor == "postgresql":
                with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                    for row in part:
                        copy.write_row(row)
            else:
                marks = ", ".join(["%s"] * len(_COLUMNS))
                cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", part)
            if progress:
                progress("入库", min(start + chunk, len(rows)), len(rows))


def read(
    at: int | None = None,
    *,
    indicators: Iterable[str] | None = None,
    subject_kinds: Iterable[str] | None = None,
    history: bool = False,
) -> polars.DataFrame:
    """Observations as of a position, latest vintages only unless history is asked for.

    Columns: id, posting, indicator, subject (code), period, item, mantissa, scale, value (float64),
    unit, quality, vintage. Withdrawn figures are absent from the latest view.
    """
    import polars as pl

    where, args = ["o.posting_id <= %s"], [at if at is not None else position()]
    if indicators is not None:
        names = list(indicators)
        where.append(f"o.indicator IN ({', '.join(['%s'] * len(names))})" if names else "1 = 0")
        args += names  # type: ignore[arg-type]
    if subject_kinds is not None:
        kinds = list(subject_kinds)
        where.append(f"s.kind IN ({', '.join(['%s'] * len(kinds))})")
        args += kinds  # type: ignore[arg-type]
    sql = (
        "SELECT o.id, o.posting_id, o.indicator, s.code, o.period, o.item, o.mantissa, o.scale, o.unit, o.quality, o.vintage "
        f"FROM {Observation._meta.db_table} o JOIN {Subject._meta.db_table} s ON s.id = o.subject_id WHERE {' AND '.join(where)}"
    )
    schema = {
        "id": pl.Int64, "posting": pl.Int64, "indicator": pl.String, "subject": pl.String, "period": pl.String, "item": pl.String,
        "mantissa": pl.Int64, "scale": pl.Int16, "unit": pl.String, "quality": pl.String, "vintage": pl.Int32,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(sql, args)
        table = pl.DataFrame(cursor.fetchall(), schema=schema, orient="row")
    if not history:
        key = ["indicator", "subject", "period", "item"]
        table = (
            table.sort("vintage").unique(key, keep="last", maintain_order=True).filter(pl.col("mantissa").is_not_null())
        )
    power = pl.lit(10.0).pow(pl.col("scale").cast(pl.Float64))
    return table.with_columns(value=pl.col("mantissa").cast(pl.Float64) / power)


def history(indicator: str, subject: str, period: str, item: str = "") -> list[Observation]:
    """All vintages of one figure, first to last."""
    return list(
        Observation.objects.filter(indicator=indicator, subject__code=subject, period=period, item=item)
        .select_related("posting", "source", "subject")
        .order_by("vintage")
    )


def refuse_edit(error: DatabaseError) -> Problem:
    """What the database's refusal to change a recorded row means to a person."""
    return Problem(
        "observations.append_only",
        "已入库的数据不能改动或删除",
        got=str(error).splitlines()[0][:80],
        wanted="更正以新版次入库",
        fix="录入更正值，原值保留为历史版次。",
    )
