"""Plan reading: characters a second, beside a bare pass of the same text through its mending.

Run: ``python bench/plan_reading.py [FILE …]``; without files the invented plans of the tests are read.
The ratio says how many times a bare mending pass (spaces, widths, brackets, lines) the whole reading takes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from lvheng.plan.reading import read_text
from lvheng.plan.reading.normalise import mend
from lvheng.plan.reading.source import load

CASES = Path(__file__).resolve().parents[1] / "tests" / "plan" / "reading" / "cases"
LENGTH = 12_000
ROUNDS = 5


def best(work: Callable[[], object]) -> float:
    """Seconds of the fastest of some rounds."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def sample() -> str:
    """The invented plans one after another, up to the length of an official plan."""
    texts = [yaml.safe_load(path.read_text(encoding="utf-8"))["text"] for path in sorted(CASES.glob("*.yaml"))]
    text = "\n".join(texts)
    return (text * (LENGTH // len(text) + 1))[:LENGTH]


def main() -> None:
    """Print one line a text."""
    texts = {Path(name).name: load(Path(name)) for name in sys.argv[1:]} or {"invented plans": sample()}
    for name, text in texts.items():
        read_text(text, gate=False)
        whole = best(lambda text=text: read_text(text, gate=False))  # type: ignore[misc]
        bare = best(lambda text=text: mend(text))  # type: ignore[misc]
        print(
            f"{name}: {len(text)} characters, {whole:.3f} s, {len(text) / whole:,.0f} characters/s, {whole / bare:.1f} x mending"
        )


if __name__ == "__main__":
    main()
