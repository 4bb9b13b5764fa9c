"""Reading an official plan text into a draft plan: clauses, targets, rules, responsibilities."""

from __future__ import annotations

from lvheng.plan.reading.model import Clause, Draft, Responsibility, Target, to_plan_dict
from lvheng.plan.reading.read import read_file, read_text

__all__ = ["Clause", "Draft", "Responsibility", "Target", "read_file", "read_text", "to_plan_dict"]
