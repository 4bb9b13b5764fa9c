"""Minute → hour → day → month, in Narwhals. Shapes and units: see the package; rules: HJ 75/76—2017, HJ 356—2019."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import narwhals as nw

from lvheng.telemetry.validity.parts import Parts, with_derived
from lvheng.telemetry.validity.rules import LARGEST, MICRO, STATES, Rules
from lvheng.telemetry.validity.state import READINGS, corrected

_VALID, _STOP = STATES["valid"], STATES["stop"]
_KEY = ["mn", "code", "data_time"]
_PACKET = ["mn", "data_time"]
RECEIVED = ["recv_time", "journal", "position", "seq"]


def often(values: nw.LazyFrame) -> nw.LazyFrame:
    """Minutes that a device has sent at least three packets of (mn, data_time): only there can a packet sent again come after a
    revision. Every packet has a first row, so that few rows are looked at."""
    first = values.filter((nw.col("cycle") == "minute") & (nw.col("seq") == 0))
    return first.group_by(*_PACKET).agg(n=nw.len()).filter(nw.col("n") > 2).select(*_PACKET)


def last_said(rows: nw.LazyFrame, key: Sequence[str]) -> nw.LazyFrame:
    """Of each key the last reception, where a packet sent again (same QN, text and flag) counts as received when it first was.

    Without a QN nothing tells a packet sent again from a revision back to what was said before: it is taken for a revision.
    """
    none = nw.col("qn") == ""
    rows = rows.with_columns(
        its_journal=nw.when(none).then(nw.col("journal")).otherwise(nw.lit("")),
        its_position=nw.when(none).then(nw.col("position")).otherwise(nw.lit(-1)),
    )
    said = [*key, "qn", "value_text", "flag", "its_journal", "its_position"]
    first = rows.unique(subset=said, keep="first", order_by=RECEIVED)
    return first.unique(subset=list(key), keep="last", order_by=RECEIVED)


def minutes(
    values: nw.LazyFrame,
    series: nw.LazyFrame,
    calendar: nw.LazyFrame,
    rules: Rules,
    late_until: datetime | None = None,
    factors: nw.LazyFrame | None = None,
    weights: Sequence[Parts] = (),
    doubtful: nw.LazyFrame | None = None,
) -> nw.LazyFrame:
    """Lake values of one minute cycle as numbers with a state, each with the flow and oxygen of its minute.

    ``values``: the columns of the lake. ``series``: series, mn, code, kind (value, flow, o2), medium, version, flow_code,
    o2_code. ``calendar``: day (date), day_index. Of each key the last reception within the patch window counts; what came
    later changes nothing, unless it came until ``late_until``. ``factors``: :func:`.state.factors`, where any series is to be corrected.
    ``weights``: :func:`.parts.weights`, series reckoned from what they are made up of.
    ``doubtful``: :func:`often`, None where there is nothing of the kind. Out: series, minute, value, flow, o2 (micro), state.
    """
    on_time = nw.col("recv_time") <= nw.col("data_time") + timedelta(days=rules.patch_days)
    if late_until is not None:
        on_time = on_time | (nw.col("recv_time") <= late_until)
    received = values.filter((nw.col("cycle") == "minute") & (nw.col("suffix") == "Avg")).filter(on_time)
    if doubtful is None:
        rows = received.unique(subset=_KEY, keep="last", order_by=RECEIVED)
    else:
        most = received.join(doubtful, on=_PACKET, how="anti").unique(subset=_KEY, keep="last", order_by=RECEIVED)
        rows = nw.concat([most, last_said(received.join(doubtful, on=_PACKET, how="semi"), _KEY).select(*most.columns)])
    readings = None if factors is None else _readings(rows, series, rules)
    if weights:
        rows = with_derived(rows.select(*_KEY, "day", "value", "flag"), weights, rules)
    rows = rows.join(calendar.select("day", "day_index"), on="day", how="inner").join(
        series.select("series", "mn", "code", "kind", "medium", "version", "flow_code", "o2_code"), on=["mn", "code"], how="inner"
    )  # fmt: skip
    if factors is not None and readings is not None:
        rows = corrected(rows, readings, factors)
    rows = rows.with_columns(
        minute=nw.col("day_index").cast(nw.Int32) * 1440 + _part(nw.col("data_time").dt.hour()) * 60 + _part(nw.col("data_time").dt.minute()),
        state=_state(rules),
        value=_micro(nw.col("value")),
    )  # fmt: skip
    good = rows.filter((nw.col("state") == _VALID) & ~nw.col("value").is_null())
    flow = good.filter(nw.col("kind") == "flow").select("mn", "minute", flow_code="code", flow="value")
    oxygen = good.filter(nw.col("kind") == "o2").select("mn", "minute", o2_code="code", o2="value")
    paired = rows.join(flow, on=["mn", "minute", "flow_code"], how="left").join(
        oxygen, on=["mn", "minute", "o2_code"], how="left"
    )
    dry = (nw.col("medium") == "water") & (nw.col("kind") == "value") & (nw.col("flow") == 0)
    state = nw.when(dry & (nw.col("state") == _VALID)).then(nw.lit(_STOP)).otherwise(nw.col("state"))
    return paired.select("series", "minute", "value", "flow", "o2", state=state.cast(nw.Int8))


def _readings(rows: nw.LazyFrame, series: nw.LazyFrame, rules: Rules) -> nw.LazyFrame:
    """Valid readings of temperature, pressure and humidity: mn, data_time, code, reading."""
    versions = series.select("mn", "version").unique()
    mine = rows.filter(nw.col("code").is_in(list(READINGS.values()))).join(versions, on="mn", how="inner")
    return mine.with_columns(state=_state(rules)).filter(nw.col("state") == _VALID).select(
        "mn", "data_time", "code", reading="value"
    )  # fmt: skip


def _part(number: nw.Expr) -> nw.Expr:
    """Hours and minutes wide enough to reckon with: some engines give them in eight bits."""
    return number.cast(nw.Int32)


def _micro(value: nw.Expr) -> nw.Expr:
    """Nearest integer of millionths; null where missing or beyond what any instrument can mean."""
    whole = (value * MICRO + 0.5).floor().cast(nw.Int64)
    return nw.when(value.abs() <= LARGEST).then(whole)


def _state(rules: Rules) -> nw.Expr:
    """The state of a value by its flag and the device's version; no number is a fault, an unknown letter is unknown."""
    state: nw.Expr = nw.lit(STATES["unknown"])
    for meaning in sorted(set(rules.flags.values())):
        for version in sorted({v for v, _ in rules.flags}):
            letters = sorted(letter for (v, letter), m in rules.flags.items() if (v, m) == (version, meaning))
            if letters:
                here = (nw.col("version") == version) & nw.col("flag").is_in(letters)
                state = nw.when(here).then(nw.lit(STATES[meaning])).otherwise(state)
    broken = nw.col("value").is_null() | (nw.col("value").abs() > LARGEST)
    return nw.when(broken & (state == _VALID)).then(nw.lit(STATES["fault"])).otherwise(state)


def sums(minutes: nw.LazyFrame) -> nw.LazyFrame:
    """The sums of each series and hour: counts, and integer sums over valid minutes.

    Out: series, hour, n, n_valid, n_stop, value, flow, n_flow, o2, n_o2; weight (µg: value × flow × 60 s of minutes that
    have both), n_weight, weight_flow (flow of those minutes).
    """
    valid = nw.col("state") == _VALID
    value, flow = nw.col("value"), nw.col("flow")
    both = valid & ~flow.is_null()
    weight = (value.cast(nw.Float64) * flow.cast(nw.Float64) * 60e-9 + 0.5).floor().cast(nw.Int64)
    frame = minutes.with_columns(
        hour=nw.col("minute") // 60,
        one_valid=nw.when(valid).then(nw.lit(1)).otherwise(nw.lit(0)),
        one_stop=nw.when(nw.col("state") == _STOP).then(nw.lit(1)).otherwise(nw.lit(0)),
        good=nw.when(valid).then(value),
        weight=nw.when(both).then(weight),
        weight_flow=nw.when(both).then(flow),
    )
    return frame.group_by("series", "hour").agg(
        n=nw.len(), n_valid=nw.col("one_valid").sum(), n_stop=nw.col("one_stop").sum(), value=nw.col("good").sum(),
        flow=nw.col("flow").sum(), n_flow=nw.col("flow").count(), o2=nw.col("o2").sum(), n_o2=nw.col("o2").count(),
        weight=nw.col("weight").sum(), n_weight=nw.col("weight").count(), weight_flow=nw.col("weight_flow").sum(),
    )  # fmt: skip


def hours(minutes: nw.LazyFrame, series: nw.LazyFrame, rules: Rules, levels: Sequence[int] = ()) -> nw.LazyFrame:
    """Hours by the 45-minute rule. ``levels``: series that have no amount (pH): their means are not weighted by flow.

    ``series``: series, kind, medium, interval (minutes a datum stands for), o2_reference (micro % or null).
    Out: series, hour, n, n_valid, n_stop, state (valid, stop, invalid), mean (micro; arithmetic for gas, flow-weighted
    for water with flow), weighted (micro, flow-weighted), converted (micro, at reference oxygen; the mean where none
    is set; null at stand-by), oxygen, flow (micro, mean), volume (millionths of m³ or L … of the flow's unit × s), mass (mg).
    Gas amounts are hour mean × hour flow (HJ 75); water amounts Σ concentration × flow of the minutes.
    """
    frame = sums(minutes).join(
        series.select("series", "kind", "medium", "interval", "o2_reference"), on="series", how="inner"
    )
    need = (
        nw.when(nw.col("medium") == "gas")
        .then(nw.lit(rules.gas_hour_minutes))
        .otherwise(nw.lit(rules.water_hour_minutes))
    )
    # water: minutes without discharge are known to carry nothing; gas: only valid minutes count
    covered = nw.when(nw.col("medium") == "gas").then(nw.col("n_valid")).otherwise(nw.col("n_valid") + nw.col("n_stop"))
    enough = (covered * nw.col("interval") >= need) & (nw.col("n_valid") > 0)
    stopped = nw.col("n_stop") * nw.col("interval") >= need
    state = (
        nw.when(enough)
        .then(nw.lit("valid"))
        .otherwise(nw.when(stopped).then(nw.lit("stop")).otherwise(nw.lit("invalid")))
    )
    frame = frame.with_columns(
        state=state,
        plain=_over(nw.col("value"), nw.col("n_valid")),
        weighted=_over(nw.col("weight") * (1e9 / 60), nw.col("weight_flow")),
        oxygen=_over(nw.col("o2"), nw.col("n_o2")),
        flow=nw.when(nw.col("n_flow") * nw.col("interval") >= need).then(_over(nw.col("flow"), nw.col("n_flow"))),
    )
    amounts = (nw.col("kind") == "value") & _not_in("series", levels)
    by_flow = (nw.col("medium") == "water") & amounts & ~nw.col("weighted").is_null()
    frame = frame.with_columns(mean=nw.when(by_flow).then(nw.col("weighted")).otherwise(nw.col("plain")))
    frame = frame.with_columns(converted=_converted(rules), volume=nw.col("flow") * 3600)
    gas = _round(nw.col("mean").cast(nw.Float64) * nw.col("flow").cast(nw.Float64) * 3600e-12)
    known = (nw.col("n_weight") + nw.col("n_stop")).cast(nw.Float64)
    spread = nw.when(nw.col("n_weight") > 0).then(nw.col("weight").cast(nw.Float64) * 60 / known)  # to a whole hour
    amount = nw.when(nw.col("medium") == "gas").then(gas).otherwise(_round(spread / 1000))
    fine = nw.col("state") == "valid"

    def kept(name: str) -> nw.Expr:
        return nw.when(fine).then(nw.col(name)).alias(name)

    return frame.with_columns(mass=nw.when(amounts & ~nw.col("flow").is_null()).then(amount)).select(
        "series", nw.col("hour").cast(nw.Int32), *(nw.col(c).cast(nw.Int32) for c in ("n", "n_valid", "n_stop")), "state",
        *(kept(c) for c in ("mean", "weighted", "converted")), "oxygen", "flow", "volume", kept("mass"),
    )  # fmt: skip


def _not_in(name: str, these: Sequence[int]) -> nw.Expr:
    return ~nw.col(name).is_in(list(these)) if these else nw.lit(True)


def _over(total: nw.Expr, count: nw.Expr) -> nw.Expr:
    """total ÷ count to the nearest integer, null where there is nothing to divide by."""
    return nw.when(count > 0).then(_round(total.cast(nw.Float64) / count.cast(nw.Float64)))


def _round(value: nw.Expr) -> nw.Expr:
    return (value + 0.5).floor().cast(nw.Int64)


def _converted(rules: Rules) -> nw.Expr:
    """ρ·(21−reference)/(21−oxygen) of hour means; none at stand-by, none without oxygen where a reference is set."""
    air, standby = float(rules.o2_air) * MICRO, int(rules.o2_standby * MICRO)
    reference, oxygen, mean = nw.col("o2_reference"), nw.col("oxygen"), nw.col("mean")
    high = mean.cast(nw.Float64) * (air - reference.cast(nw.Float64)) / (air - oxygen.cast(nw.Float64))
    return nw.when(reference.is_null()).then(mean).otherwise(nw.when(oxygen < standby).then(_round(high)))


def grid(
    hours: nw.LazyFrame, series: nw.LazyFrame, clock: nw.LazyFrame, marks: nw.LazyFrame | None = None
) -> nw.LazyFrame:
    """Every hour of ``clock`` (hour, day, month, quarter) for every series: an hour without data is ``missing``.

    ``marks``: series, hour, effect (stop, not_judged, invalid), one row an hour. Adds day, month, quarter, and ``judged``:
    whether the hour may be held against a limit. Stop hours have mass 0; missing and invalid ones none.
    """
    frame = series.select("series").join(clock.select("hour", "day", "month", "quarter"), how="cross")
    frame = frame.join(hours, on=["series", "hour"], how="left")
    if marks is None:
        frame = frame.with_columns(effect=nw.lit(None, nw.String))
    else:
        frame = frame.join(marks.select("series", "hour", "effect"), on=["series", "hour"], how="left")
    effect = nw.col("effect").fill_null("")
    state = nw.col("state").fill_null("missing")
    state = nw.when(effect == "stop").then(nw.lit("stop")).otherwise(
        nw.when((effect == "invalid") & (state == "valid")).then(nw.lit("invalid")).otherwise(state)
    )  # fmt: skip
    frame = frame.with_columns(state=state, effect=effect)
    fine = nw.col("state") == "valid"
    return frame.with_columns(
        n=nw.col("n").fill_null(0), n_valid=nw.col("n_valid").fill_null(0), n_stop=nw.col("n_stop").fill_null(0),
        mean=nw.when(fine).then(nw.col("mean")), weighted=nw.when(fine).then(nw.col("weighted")),
        converted=nw.when(fine).then(nw.col("converted")),
        mass=nw.when(nw.col("state") == "stop").then(nw.lit(0, nw.Int64)).otherwise(nw.when(fine).then(nw.col("mass"))),
        judged=fine & (effect == ""),
    )  # fmt: skip


def days(hours: nw.LazyFrame, series: nw.LazyFrame, rules: Rules) -> nw.LazyFrame:
    """Days of a :func:`grid` whose amounts are filled: 20 valid hours for gas, 75 % of the data due for water.

    Out: series, day, month, quarter, n_valid, n_stop, n_received, n_judged, state, mean, converted (micro), volume, mass
    (mg; null when an hour could not be filled), n_substituted, n_unfilled.
    """
    fine = nw.col("state") == "valid"
    both = fine & ~nw.col("mass").is_null() & ~nw.col("volume").is_null()
    frame = hours.join(series.select("series", "kind", "medium"), on="series", how="inner").with_columns(
        own_mass=nw.when(both).then(nw.col("mass")), own_volume=nw.when(both).then(nw.col("volume"))
    )
    frame = frame.group_by("series", "kind", "medium", "day", "month", "quarter").agg(
        n_valid=_count(fine), n_stop=_count(nw.col("state") == "stop"), n_received=_count(nw.col("n") > 0),
        n_judged=_count(nw.col("judged")), total=nw.col("mean").sum(), n_converted=nw.col("converted").count(),
        converted=nw.col("converted").sum(), volume=nw.col("volume").sum(), own_mass=nw.col("own_mass").sum(),
        own_volume=nw.col("own_volume").sum(), filled=nw.col("amount").sum(), n_hours=nw.len(), n_filled=nw.col("amount").count(),
        n_substituted=_count(nw.col("basis") == "substituted"),
    )  # fmt: skip
    need = nw.when(nw.col("medium") == "gas").then(nw.lit(rules.gas_day_hours)).otherwise(nw.lit(rules.water_day_hours))
    water = (nw.col("medium") == "water") & (nw.col("kind") == "value") & (nw.col("own_volume") > 0)
    weighted = _over(nw.col("own_mass") * 1e12, nw.col("own_volume"))
    mean = nw.when(water).then(weighted).otherwise(_over(nw.col("total"), nw.col("n_valid")))
    # hours of standstill are not due: a plant that ran half a day needs its share of the rest
    due = nw.col("n_hours") - nw.col("n_stop")
    enough = nw.when(nw.col("medium") == "gas").then(nw.col("n_valid") >= need).otherwise(
        (nw.col("n_valid") * 24 >= need * due) & (nw.col("n_valid") > 0)
    )  # fmt: skip
    stopped = nw.col("n_stop") >= nw.col("n_hours")
    state = nw.when(enough).then(nw.lit("valid")).otherwise(
        nw.when(stopped).then(nw.lit("stop")).otherwise(nw.lit("invalid"))
    )  # fmt: skip
    return frame.select(
        "series", "day", "month", "quarter", "n_hours", "n_valid", "n_stop", "n_received", "n_judged", "n_substituted",
        n_unfilled=nw.col("n_hours") - nw.col("n_filled"), state=state, mean=nw.when(enough).then(mean),
        converted=nw.when(enough).then(_over(nw.col("converted"), nw.col("n_converted"))), volume="volume",
        mass=nw.when(nw.col("n_hours") == nw.col("n_filled")).then(nw.col("filled")),
    )  # fmt: skip


def months(days: nw.LazyFrame, series: nw.LazyFrame, rules: Rules) -> nw.LazyFrame:
    """Months: 25 valid days (23 in February) for gas, 75 % for water.

    Out: series, month, days, n_valid (days), n_stop (days), hours due, received and valid, n_substituted, n_unfilled, state,
    mean (micro, of valid days), mass (mg; null when an hour could not be filled).
    """
    frame = (
        days.join(series.select("series", "kind", "medium"), on="series", how="inner")
        .with_columns(fine=nw.when(nw.col("state") == "valid").then(nw.lit(1)).otherwise(nw.lit(0)))
        .group_by("series", "medium", "month")
        .agg(
            days=nw.len(), n_valid=nw.col("fine").sum(), n_stop=_count(nw.col("state") == "stop"), total=nw.col("mean").sum(),
            hours=nw.col("n_hours").sum(), stop_hours=nw.col("n_stop").sum(), received=nw.col("n_received").sum(),
            valid=nw.col("n_valid").sum(), judged=nw.col("n_judged").sum(), n_substituted=nw.col("n_substituted").sum(),
            n_unfilled=nw.col("n_unfilled").sum(), filled=nw.col("mass").sum(), n_filled=nw.col("mass").count(),
        )
    )  # fmt: skip
    february = nw.col("month") % 12 == 1
    gas = nw.when(february).then(nw.lit(rules.gas_month_days_february)).otherwise(nw.lit(rules.gas_month_days))
    share = nw.col("n_valid") * 100 >= nw.col("days") * int(rules.water_month_share)
    enough = (
        nw.when(nw.col("medium") == "gas").then(nw.col("n_valid") >= gas).otherwise(share & (nw.col("n_valid") > 0))
    )
    state = nw.when(enough).then(nw.lit("valid")).otherwise(
        nw.when(nw.col("n_stop") == nw.col("days")).then(nw.lit("stop")).otherwise(nw.lit("invalid"))
    )  # fmt: skip
    return frame.select(
        "series", "month", "days", "n_valid", "n_stop", "hours", "stop_hours", "received", "valid", "judged", "n_substituted",
        "n_unfilled", state=state, mean=_over(nw.col("total"), nw.col("n_valid")),
        mass=nw.when(nw.col("n_filled") == nw.col("days")).then(nw.col("filled")),
    )  # fmt: skip


def _count(condition: nw.Expr) -> nw.Expr:
    return nw.when(condition).then(nw.lit(1)).otherwise(nw.lit(0)).sum()
