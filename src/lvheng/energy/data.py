"""Where the rulebook lies, and what this room reads from it."""

from __future__ import annotations

import os
from datetime import date
from functools import lru_cache
from pathlib import Path

from lvheng.core.rulebook import Rulebook
from lvheng.energy.warning import Scheme, load_schemes
from lvheng.plan.rules import Thresholds


def rulebook_folder() -> Path:
    """``LVHENG_RULEBOOK``, or ``rulebook/`` beside the source."""
    return Path(os.environ.get("LVHENG_RULEBOOK") or Path(__file__).resolve().parents[3] / "rulebook")


@lru_cache(maxsize=4)
def _book(folder: Path) -> Rulebook:
    return Rulebook.load(folder)


def energy_rules(part: str = "") -> Rulebook:
    """The energy rules, or those of one file of them; raises ProblemError with every fault in them.

    A command reads only the files it needs, so that a slip in one does not stop the others.
    """
    return _book(rulebook_folder() / "energy" / (f"{part}.yaml" if part else ""))


def schemes() -> dict[str, Scheme]:
    """Early-warning schemes by id."""
    return load_schemes(rulebook_folder() / "warning")


def thresholds(day: date) -> Thresholds:
    """When a target that lags is far behind, as the rulebook has it on a day."""
    value = energy_rules("progress").at("progress.standing.far_behind_gap_pct", day).value
    assert value is not None  # the entry is checked on load: only U may be empty
    return Thresholds(far_behind_gap_pct=value)
