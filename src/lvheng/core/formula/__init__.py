"""Formulas as data: read, unit-checked, computed number by number or over whole tables.

``Model`` holds variables and checks them; :mod:`lvheng.core.frame` computes tables and
:mod:`lvheng.core.explain` single numbers with their reasons.
"""

from lvheng.core.formula.model import Formula, Model, OverRegions, OverTime, Variable, shift_period
from lvheng.core.formula.rules import Outcome, check_examples, compute
from lvheng.core.formula.syntax import Node, names, parse, rules

__all__ = [
    "Formula",
    "Model",
    "Node",
    "Outcome",
    "OverRegions",
    "OverTime",
    "Variable",
    "check_examples",
    "compute",
    "names",
    "parse",
    "rules",
    "shift_period",
]
