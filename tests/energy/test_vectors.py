"""Every published or recomputed example of tests/cases/vectors_energy.yaml, computed by the product."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from lvheng.dual_control import lmdi as lmdi_rules
from lvheng.dual_control import rules as control
from lvheng.energy import carbon, data, deductions
from lvheng.energy import rules as energy
from lvheng.energy.warning import grade, quantities
from lvheng.plan import rules

CASES = yaml.load(
    (Path(__file__).parents[1] / "cases" / "vectors_energy.yaml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader
)


def dec(value):
    if isinstance(value, list):
        return [dec(v) for v in value]
    return Decimal(value)


def cumulative(i):
    if "cumulative_decline_pct" in i:
        return dec(i["cumulative_decline_pct"])
    return rules.cumulative_decline(dec(i.get("yearly_change_pct") or i["changes_pct"]))


def share(i):
    return rules.progress_share(cumulative(i), dec(i["target_pct"]))


def need(i):
    if "years_left" in i:
        return rules.remaining_per_year(dec(i["target_pct"]), cumulative(i), int(i["years_left"]))
    return rules.remaining(dec(i["target_pct"]), cumulative(i))


def decline_after_feedstock(i):
    years = [
        deductions.Year("x", t, dec(i[f"E{t}"]), dec(i[f"G{t}"]), dec(i.get(f"F{t}", "0")), Decimal(0)) for t in (0, 1)
    ]
    series = deductions.Series.LESS_FEEDSTOCK if "F0" in i else deductions.Series.MEASURED
    return next(s.decline for s in deductions.three_series(years, 0) if s.year == 1 and s.series is series)


def budget(i):
    growth = dec(i.get("growth_target_pct") or i["growth_pct"])
    actual = dec(i["growth_actual_pct"]) if "growth_actual_pct" in i else None
    return control.total_budget(dec(i["E0"]), growth, dec(i["r_pct"]), actual)


def implied(i):
    counties = [
        control.County(str(n), str(n), e, g0, g1, Decimal(0), Decimal(50))
        for n, (e, g0, g1) in enumerate(zip(dec(i["E0"]), dec(i["G0"]), dec(i["G5"]), strict=True))
    ]
    return control.implied_decline(counties, dec(i["t_pct"]))


def decompose(i):
    rows = zip(dec(i["E0"]), dec(i["E1"]), dec(i["G0"]), dec(i["G1"]), strict=True)
    found = lmdi_rules.lmdi(
        [lmdi_rules.Category(str(n), *row) for n, row in enumerate(rows)], Decimal(150), Decimal(165)
    )
    assert found.apart == 15
    return {
        "activity": found.activity, "structure": found.structure, "intensity": found.intensity,
        "sum": found.change - found.apart,
    }  # fmt: skip


def certificate(i):
    saving = deductions.saving_needed(dec(i["gdp_2025"]), dec(i["I_0"]), dec(i["target_pct"]))
    return deductions.certificate_deduction(dec(i["cert_tce"]), saving, data.energy_rules("deductions").versions("deduction.certificate_cap")[0].value)  # fmt: skip


def national_2021(i):
    return grade(data.schemes()["national-2021"], dec(i["change_pct"]), dec(i["required_decline_pct"])).level


def national_2020(i):
    return grade(data.schemes()["national-2020"], -dec(i["actual_decline_pct"]), dec(i["target_decline_pct"])).level


def hangzhou(i):
    found = grade(data.schemes()["hangzhou-125"], Decimal(0), dec(i["gap_points"]), period=i["period"])
    assert quantities("intensity", dec(i["gap_points"]), Decimal(0))["gap"] == dec(i["gap_points"])
    return found.colour


def ratio(i):
    return grade(data.schemes()["ratio-2010"], -dec(i["completion_pct"]), Decimal(100)).colour


def three_colours(i):
    return grade(data.schemes()["fuzhou-enterprise"], dec(i["change_pct"])).colour


RULES = {
    "tce-coef": lambda i: energy.coefficient(dec(i["lhv_kj_per_kg"])),
    "tce-diesel": lambda i: dec(i["quantity_t"]) * dec(i["k"]),
    "identity-": lambda i: energy.gdp_growth(dec(i["energy_growth_pct"]), dec(i["intensity_change_pct"])),
    "beijing-2014-implied-gdp-growth": lambda i: energy.gdp_growth(dec(i["energy_growth_pct"]), dec(i["intensity_change_pct"])),
    "beijing-2014-implied-gdp": lambda i: dec(i["energy_10kt_tce"]) / dec(i["intensity_tce_per_10k_yuan"]),
    "energy-growth-fujian-2020": lambda i: energy.energy_growth(dec(i["gdp_growth_pct"]), dec(i["intensity_change_pct"])),
    "energy-growth-fujian-2021": lambda i: energy.growth(dec(i["e0_10kt_tce"]), dec(i["e1_10kt_tce"])),
    "cumulative-": cumulative,
    "national-145-closing": cumulative,
    "progress-": share,
    "schedule-share": lambda i: rules.time_schedule(int(i["n"]), int(i["N"])),
    "schedule-14": lambda i: [rules.schedule(dec(i["target_pct"]), n, 5) for n in range(1, 6)],
    "remaining-": need,
    "yearly-": lambda i: rules.equal_annual_rate(dec(i["target_pct"]), int(i["years"])),
    "shenzhen-levels": lambda i: rules.decline_between(dec(i["level0"]), dec(i["level1"])),
    "overfulfil-": lambda i: rules.over_fulfilment(cumulative(i), dec(i["target_pct"])),
    "feedstock-": decline_after_feedstock,
    "renewable-increment": lambda i: deductions.renewable_increment(dec(i["R_t_10k_kwh"]), dec(i["R_2020_10k_kwh"]), dec(i["c_tce_per_10k_kwh"])),
    "certificate-cap": certificate,
    "total-target": budget,
    "incentive-exemption": lambda i: deductions.total_exempt(dec(i["decline_pct"]), dec(i["incentive_target_pct"])),
    "decomposition-": implied,
    "warning-2021-": national_2021,
    "warning-2020-": national_2020,
    "warning-hangzhou": hangzhou,
    "warning-ratio": ratio,
    "warning-fuzhou": three_colours,
    "target-ratio": lambda i: energy.completion_rate(dec(i["target_change_pct"]), dec(i["actual_change_pct"])),
    "veto-2007": lambda i: "完成" if energy.year_met(dec(i["target_change_pct"]), dec(i["actual_change_pct"])) else "未完成",
    "power-co2-2023": lambda i: carbon.enterprise([], {}, dec(i["mwh"]) * 1000, dec(i["factor_t_per_mwh"])).tons,
    "power-co2-2022": lambda i: dec(i["factor_2023"]) / dec(i["ratio"]),
    "lmdi": decompose,
}  # fmt: skip
PUBLISHED = {"warning-2021h1-fujian", "warning-2021h1-counts"}  # grades as data, see test_published_grades


def rule_of(case_id: str):
    return max((p for p in RULES if case_id.startswith(p)), key=len)


@pytest.mark.parametrize("case", [c for c in CASES if c["id"] not in PUBLISHED], ids=lambda c: c["id"])
def test_vector(case):
    got = RULES[rule_of(case["id"])](case["inputs"])
    expected, tolerance = case["expected"], Decimal(case["tolerance"])
    if isinstance(expected, dict):
        assert got.keys() == expected.keys()
        pairs = [(got[k], expected[k]) for k in expected]
    elif isinstance(expected, list):
        pairs = list(zip(got, expected, strict=True))
    else:
        pairs = [(got, expected)]
    for value, wanted in pairs:
        if isinstance(value, Decimal):
            assert abs(value - Decimal(wanted)) <= tolerance
        else:
            assert str(value).lower() == wanted
    for name, wrong in case.get("wrong", {}).items():
        assert isinstance(got, Decimal), name
        assert abs(got - Decimal(wrong)) > tolerance


def test_every_vector_has_a_rule():
    assert len(CASES) == 81
    for case in CASES:
        if case["id"] not in PUBLISHED:
            rule_of(case["id"])


def test_published_grades():
    """发改办环资〔2021〕629号: 9/10/11 provinces by intensity, 8/5/17 by total, and each level is one of the scheme's."""
    with (Path(__file__).parents[1] / "cases" / "early_warning_2021h1.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    by_id = {c["id"]: c for c in CASES}
    for kind, scheme in (("intensity", "national-2021"), ("total", "national-2021-total")):
        levels = [int(r["level"]) for r in rows if r["kind"] == kind]
        assert [levels.count(n) for n in (1, 2, 3)] == [
            int(n) for n in by_id["warning-2021h1-counts"]["expected"][kind]
        ]
        bands = {b.level: b for b in data.schemes()[scheme].bands}
        assert set(levels) == set(bands)
        assert [bands[n].label for n in (1, 2, 3)] == ["一级", "二级", "三级"]
        assert bands[1].severity > bands[2].severity > bands[3].severity == 0
        fujian = next(int(r["level"]) for r in rows if r["kind"] == kind and r["region"] == "福建")
        assert fujian == int(by_id["warning-2021h1-fujian"]["expected"][kind])
