"""The frame of the benchmarks; no test asserts a time."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from bench import run
from bench.measure import Result, seconds


@pytest.mark.parametrize(
    ("value", "better", "aim", "met"),
    [(30, "higher", 3, True), (29, "higher", 3, False), (5, "lower", 0.5, True), (6, "lower", 0.5, False), (1, "higher", None, None)],
)  # fmt: skip
def test_an_aim_is_met_in_the_direction_that_is_good(value: float, better: str, aim: float, met: bool) -> None:
    assert Result("a", value, "s", "b", 10, better, aim).met is met


def test_work_is_warmed_up_and_repeated() -> None:
    calls: list[int] = []
    assert seconds(lambda: calls.append(1), repeat=3, warm=2) >= 0
    assert len(calls) == 5


def test_results_are_written_with_their_ratio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = ModuleType("bench.sample")
    sample.run = lambda: [Result("甲", 6, "次/秒", "乙", 2, aim=3)]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "bench.sample", sample)
    monkeypatch.setattr(run, "names", lambda: ["sample"])
    assert run.main(["sample", "--json", str(tmp_path / "out.json")]) == 0
    (result,) = json.loads((tmp_path / "out.json").read_text())["results"]
    assert (result["ratio"], result["baseline"]) == (3, "乙")


def test_an_unknown_benchmark_is_refused() -> None:
    with pytest.raises(SystemExit):
        run.main(["nothing"])
