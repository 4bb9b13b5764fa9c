"""Published tables and the cases that compute them again."""

import shutil
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from lvheng.core.problem import ProblemError
from lvheng.core.source import Confidence
from lvheng.observations.catalogue import load_catalogue
from lvheng.observations.published import load_published, read_published
from lvheng.observations.verification import check, load_cases, present
from lvheng.plan.schema import load_plan

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def catalogue():
    return load_catalogue(ROOT / "rulebook" / "indicators")


@pytest.fixture(scope="module")
def published(catalogue):
    return load_published(ROOT / "data", catalogue)


@pytest.fixture(scope="module")
def figures(published):
    return {row.key: row for row in published.rows()}


@pytest.fixture(scope="module")
def lookup(figures):
    def find(*key):
        row = figures.get(key)
        return (row.value, row.unit) if row else None

    return find


# --- tables ---------------------------------------------------------------------------------------
def test_everything_loads_without_a_problem(catalogue):
    published, problems = read_published(ROOT / "data", catalogue)
    assert problems == []
    assert len(published.tables) >= 18


def test_figures_keep_their_published_digits(figures):
    row = figures["reported_intensity_change", "230000", "2020", ""]
    assert str(row.value) == "-1.70"
    assert row.source.document.startswith("2020年分省")
    assert row.source.confidence is Confidence.CONFIRMED


def test_rows_say_where_they_are_from(figures):
    hainan = figures["reported_intensity_change", "460000", "2007", ""]
    assert hainan.source.url.startswith("https://www.gov.cn/")
    known = figures["reported_intensity_target", "350000", "2016/2020", ""]
    assert known.source.confidence is Confidence.KNOWN_HIGH
    checked = figures["reported_intensity_target", "410000", "2016/2020", ""]
    assert checked.source.confidence is Confidence.CONFIRMED


def test_official_addresses_only(published):
    for row in (*published.rows(), *published.grades()):
        if row.source.url:
            assert ".gov.cn" in row.source.url, row


def test_provincial_bulletin_of_2020(figures):
    rows = [r for key, r in figures.items() if key[0] == "reported_intensity_change" and key[2] == "2020"]
    provinces = [r for r in rows if r.region != "100000"]
    assert len(provinces) == 30
    assert sum(r.value > 0 for r in provinces) == 7
    power = [
        r
        for r in figures.values()
        if r.indicator == "reported_electricity_intensity_change" and r.period.code == "2020"
    ]
    assert sum(r.value > 0 for r in power) == 16


def test_early_warning_counts_of_the_first_half_of_2021(published):
    def counts(dial, scope):
        found = Counter(
            g.outcome for g in published.grades()
            if (g.kind, g.scope, g.dial, g.period.code) == ("warning", scope, dial, "2021H1")
        )  # fmt: skip
        return found["1"], found["2"], found["3"]

    assert counts("intensity", "100000") == (9, 10, 11)
    assert counts("total", "100000") == (8, 5, 17)
    assert counts("intensity", "440000") == (15, 4, 2)
    assert counts("total", "440000") == (10, 8, 3)


def test_regions_agree_with_the_plan(published):
    for region in load_plan(ROOT / "plans" / "fuzhou-145").regions:
        if region.code in published.regions:
            theirs = published.regions[region.code]
            assert (theirs.name, theirs.parent) == (region.name, region.parent)


def test_digest_changes_with_the_data(tmp_path, catalogue):
    copy = tmp_path / "data"
    shutil.copytree(ROOT / "data" / "published", copy / "published")
    shutil.copy(ROOT / "data" / "regions-cn.yaml", copy)
    before = {t.id: t.digest for t in load_published(copy, catalogue).tables}
    table = copy / "published" / "sichuan_2016.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("-9.76", "-9.77"), encoding="utf-8")
    after = {t.id: t.digest for t in load_published(copy, catalogue).tables}
    assert [k for k in before if before[k] != after[k]] == ["sichuan_2016"]


HEAD = """table:
  id: t
  title: {zh: 试表}
  file: t.csv
  source: {document: 公报, confidence: V}
  long: true
"""


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("350000,2020,energy_total,,12,万吨", "计量单位与指标不符"),
        ("350000,2020,energy_total,,一二,万吨标准煤", "不是数字"),
        ("350000,2020,energy_total,,NaN,万吨标准煤", "不是数字"),
        ("350000,去年,energy_total,,12,万吨标准煤", "期间无法识别"),
        ("999999,2020,energy_total,,12,万吨标准煤", "地区不在区划表中"),
        ("350000,2020,energy_totl,,12,万吨标准煤", "指标目录中没有这个指标"),
        ("350000,2020,energy_total,coal,12,万吨标准煤", "分项与指标不符"),
        ("350000,2020,energy_total,,12", "栏数与表头不符"),
    ],
)
def test_faults_name_table_and_row(tmp_path, catalogue, line, message):
    (tmp_path / "published").mkdir()
    shutil.copy(ROOT / "data" / "regions-cn.yaml", tmp_path)
    (tmp_path / "published" / "t.yaml").write_text(HEAD, encoding="utf-8")
    (tmp_path / "published" / "t.csv").write_text(
        "region,period,indicator,item,value,unit\n350000,2019,energy_total,,1,万吨标准煤\n" + line + "\n",
        encoding="utf-8",
    )
    with pytest.raises(ProblemError) as caught:
        load_published(tmp_path, catalogue)
    [problem] = caught.value.problems
    assert message in problem.message
    assert (problem.place.table, problem.place.row) == ("试表", 3)
    assert problem.fix


def test_the_same_figure_twice_is_refused(tmp_path, catalogue):
    (tmp_path / "published").mkdir()
    shutil.copy(ROOT / "data" / "regions-cn.yaml", tmp_path)
    (tmp_path / "published" / "t.yaml").write_text(HEAD, encoding="utf-8")
    row = "350000,2019,energy_total,,1,万吨标准煤\n"
    (tmp_path / "published" / "t.csv").write_text(
        "region,period,indicator,item,value,unit\n" + row + row, encoding="utf-8"
    )
    with pytest.raises(ProblemError) as caught:
        load_published(tmp_path, catalogue)
    assert [p.code for p in caught.value.problems] == ["observations.published.twice"]


# --- verification ---------------------------------------------------------------------------------
# Published figures that do not follow from the published inputs; the page shows them as they are.
DIFFER = {"rate-shaanxi-co2-17", "share-rural-sewage-2022"}
CASES = load_cases(ROOT / "data" / "verification")


def test_there_are_enough_cases_in_every_group():
    assert len(CASES.cases) >= 60
    assert all(CASES.of(group.id) for group in CASES.groups)
    assert sum(case.group == "identity_2020" for case in CASES.cases) == 31


@pytest.mark.parametrize("case", CASES.cases, ids=lambda case: case.id)
def test_published_figures_come_out(case, lookup, published):
    checked = check(case, lookup)
    assert checked.reasons == ()
    assert checked.agrees is (case.id not in DIFFER)
    assert case.region in published.regions
    if case.id in DIFFER:
        assert case.note  # the page must say why


def test_the_page_shows_what_differs_as_it_is(published):
    shown = {case.id: case for group in present(CASES, published) for case in group.cases}
    assert {c.id for c in shown.values() if not c.agrees} == DIFFER
    village = shown["share-rural-sewage-2022"]
    assert (village.published_text, village.computed_text, str(village.difference)) == ("54%", "53.29%", "-0.7062")
    qinghai = shown["progress-qinghai"]
    assert qinghai.inputs[1] == ("五年目标（target）", "−17%")
    hebei = shown["met-2007-130000"]
    assert (hebei.published_text, hebei.computed_text, hebei.difference) == ("未完成", "−0.38百分点", None)


def test_rounding_is_told_with_every_case():
    assert all(case.rounding.endswith("。") for case in CASES.cases)


def test_linear_progress_does_not_come_out(lookup):
    """The logarithmic definition is the published one: the linear ratio misses by far more than rounding."""
    for code in ("progress-qinghai", "progress-henan-2016"):
        case = next(c for c in CASES.cases if c.id == code)
        formula = "cumulative / target" if "cumulative" in case.inputs else "change / target"
        wrong = check(case.model_copy(update={"formula": formula}), lookup)
        assert wrong.agrees is False
        assert abs(wrong.difference) > 1


def test_a_missing_input_makes_the_case_missing(lookup):
    case = CASES.cases[0]
    checked = check(case, lambda *key: None)
    assert checked.value is checked.agrees is None
    assert len(checked.reasons) == len(case.inputs)


def test_a_wrong_unit_is_a_reason_and_no_number():
    case = next(c for c in CASES.cases if c.id == "sum-fujian-2020")
    checked = check(case, lambda indicator, *rest: (Decimal(1), "%" if indicator == "energy_living" else "万吨标准煤"))
    assert checked.value is None
    assert "计量单位不同" in checked.reasons[0]


def test_case_faults_name_file_and_line(tmp_path):
    text = (ROOT / "data" / "verification" / "progress.yaml").read_text(encoding="utf-8")
    (tmp_path / "x.yaml").write_text(
        text.replace("ln(1 + cumulative) / ln(1 + target)", "ln(1 + cumulative) / ln(1 + tarjet)"), encoding="utf-8"
    )
    with pytest.raises(ProblemError) as caught:
        load_cases(tmp_path)
    [problem] = caught.value.problems
    assert problem.code == "observations.verification.inputs"
    assert problem.place.line
