"""Formulas in words: names of indicators and rules instead of codes, the signs that officials write."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lvheng.core.formula import syntax as s
from lvheng.core.problem import ProblemError
from lvheng.core.quantity import show

Namer = Callable[[str], str]

DIMENSIONS = {
    "fuel": gettext_lazy("能源品种"), "pollutant": gettext_lazy("污染物"), "industry": gettext_lazy("行业"), "product": gettext_lazy("产品"),
    "item": gettext_lazy("分项"), "sector": gettext_lazy("部门"),
}  # fmt: skip
_SIGNS = {"+": "+", "-": "−", "*": "×", "/": "÷"}
_TIES = {"<": "<", "<=": "≤", ">": ">", ">=": "≥", "==": "=", "!=": "≠"}


@lru_cache(maxsize=2048)
def _tree(text: str) -> s.Node | None:
    try:
        return s.parse(text)
    except ProblemError:
        return None


def spoken(text: str, indicator: Namer, rule: Namer) -> str:
    """A formula as people read it; a text that is no formula is given back as it is.

    ``indicator`` and ``rule`` give the name of a code.
    """
    tree = _tree(text)
    return text if tree is None else _say(tree, indicator, rule)


def _say(node: s.Node, indicator: Namer, rule: Namer) -> str:
    def say(n: s.Node) -> str:
        return _say(n, indicator, rule)

    def inner(n: s.Node) -> str:
        return f"({say(n)})" if isinstance(n, s.Binary | s.Negative | s.If) else say(n)

    match node:
        case s.Number():
            return show(node.value)
        case s.Name():
            return indicator(node.code)
        case s.Param():
            return rule(node.rule)
        case s.Scale():
            return say(node.of)
        case s.Negative():
            return f"−{inner(node.of)}"
        case s.Binary():
            tight = node.op in "*/"
            left = (
                inner(node.left)
                if tight and not (isinstance(node.left, s.Binary) and node.left.op in "*/")
                else say(node.left)
            )
            loose = isinstance(node.right, s.Binary) and node.right.op in "*/"
            right = inner(node.right) if tight or (node.op == "-" and not loose) else say(node.right)
            return f"{left} {_SIGNS[node.op]} {right}"
        case s.Power():
            return f"{inner(node.of)}^{node.exponent}"
        case s.Compare():
            return f"{say(node.left)} {_TIES[node.op]} {say(node.right)}"
        case s.Logic(op="not"):
            return _("非（%s）") % say(node.items[0])
        case s.Logic():
            return (_(" 且 ") if node.op == "and" else _(" 或 ")).join(say(i) for i in node.items)
        case s.Lag(months=12):
            return _("上年同期（%s）") % say(node.of)
        case s.Lag():
            return _("%(months)s个月前（%(of)s）") % {"months": node.months, "of": say(node.of)}
        case s.Base():
            return _("基年（%s）") % say(node.of)
        case s.Ytd():
            return _("当年累计（%s）") % say(node.of)
        case s.Children():
            return _("下级地区合计（%s）") % say(node.of)
        case s.SumOver():
            return _("按%(dimension)s合计（%(of)s）") % {
                "dimension": DIMENSIONS.get(node.dimension, node.dimension),
                "of": say(node.of),
            }
        case s.Coalesce():
            return _("依次取有数的（%s）") % "；".join(say(i) for i in node.items)
        case s.If():
            return _("若%(condition)s则%(then)s，否则%(other)s") % {
                "condition": say(node.condition), "then": say(node.then), "other": say(node.other),
            }  # fmt: skip
        case s.Bands():
            return _("按“%(rule)s”分档（%(of)s）") % {"rule": rule(node.rule), "of": say(node.of)}
        case s.Round():
            return _("保留%(places)s位小数（%(of)s）") % {"places": node.places, "of": say(node.of)}
        case s.Function():
            name = {"min": _("取小"), "max": _("取大"), "abs": _("绝对值"), "ln": "ln", "exp": "exp"}[node.name]
            return f"{name}（{'；'.join(say(i) for i in node.items)}）"
    raise TypeError(f"no words for {type(node).__name__}")
