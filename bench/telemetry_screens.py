"""The screens of honesty on injected data: precision, recall and delay of each.

python -m bench.telemetry_screens
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from lvheng.core.rulebook import Rulebook
from lvheng.telemetry.screens import read_values
from lvheng.telemetry.screens.inject import trial

SCREENS = ("F01", "F02", "F06", "F08", "F12")


def main() -> None:
    values = read_values(Rulebook.load(Path(__file__).parents[1] / "rulebook" / "telemetry"), date(2026, 6, 1))
    for seed in (1, 2, 3):
        for screen, s in trial(SCREENS, values, seed).items():
            print(f"seed {seed} {screen}: precision {s.precision} recall {s.recall} delay {s.delay} h ({s.leads} leads, {s.truths} frauds)")  # fmt: skip


if __name__ == "__main__":
    main()
