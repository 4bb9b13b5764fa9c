"""The official text and the two layouts written beside it, where the reference stands next to the project."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lvheng.plan.reading import read_text
from lvheng.plan.reading.score import score

REFERENCE = Path(__file__).resolve().parents[4] / "shared" / "reference" / "plan-text"
pytestmark = pytest.mark.skipif(
    not REFERENCE.is_dir(), reason="参考资料 shared/reference/plan-text 不在项目旁边，官方文本的验收未执行"
)


@pytest.mark.parametrize("name", ["fuzhou-2022-127", "F1_lines", "F2_peihe"])
def test_acceptance(name: str) -> None:
    """Quantitative targets, rules and notes all exact; completion items with at most one missed; no false item."""
    draft = read_text((REFERENCE / f"{name}.txt").read_text(encoding="utf-8"))
    gold = json.loads((REFERENCE / f"{name}.gold.json").read_text(encoding="utf-8"))
    parts = score(draft, gold)
    for part in ("quantitative", "rules", "responsibilities"):
        assert parts[part]["missed"] == []
    assert parts["completion"]["found"] >= parts["completion"]["expected"] - 1
    assert [item for part in parts.values() for item in part["false"]] == []
    ids = []
    for clause in gold["clauses"]:
        ids += [clause] if isinstance(clause, str) else [clause["id"], *(c["id"] for c in clause.get("children", []))]
    assert [c.id for c in draft.clauses] == ids


def test_quality_gate_on_damaged_copies() -> None:
    """Copies that lost their signs are refused; a copy in traditional characters reads the same."""
    from lvheng.core.problem import ProblemError

    text = (REFERENCE / "fuzhou-2022-127.txt").read_text(encoding="utf-8")
    for damaged in (text.replace("%", ""), text.replace("的", "的◆"), text.replace("14%", "**%").replace("20%", "**%")):
        with pytest.raises(ProblemError):
            read_text(damaged)
    import zhconv

    traditional = read_text("".join(zhconv.convert(c, "zh-hant") for c in text))
    assert any(p.code == "plan.text.traditional" for p in traditional.problems)
    plain = read_text(text)
    assert [(t.value, t.unit) for t in traditional.targets] == [(t.value, t.unit) for t in plain.targets]
