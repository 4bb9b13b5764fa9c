"""Forms as data: read, checked, compared, written and published from one definition. No Django here."""

from lvheng.filing.forms.book import Form, FormBook, load_forms, read_forms
from lvheng.filing.forms.checking import Answers, Context, check
from lvheng.filing.forms.compare import CellChange, Differences, compare
from lvheng.filing.forms.data import Data, Row, dump, load
from lvheng.filing.forms.entries import Column, Option, Sheet
from lvheng.filing.forms.figures import FiledFigure, figures
from lvheng.filing.forms.marking import marked
from lvheng.filing.forms.problems import FilingProblem
from lvheng.filing.forms.reading import Places, Reading, from_json, from_paste, read_file
from lvheng.filing.forms.schema import schema
from lvheng.filing.forms.sums import Balance, balance, filed_value
from lvheng.filing.forms.template import template

__all__ = [
    "Answers",
    "Balance",
    "CellChange",
    "Column",
    "Context",
    "Data",
    "Differences",
    "FiledFigure",
    "FilingProblem",
    "Form",
    "FormBook",
    "Option",
    "Places",
    "Reading",
    "Row",
    "Sheet",
    "balance",
    "check",
    "compare",
    "dump",
    "figures",
    "filed_value",
    "from_json",
    "from_paste",
    "load",
    "load_forms",
    "marked",
    "read_file",
    "read_forms",
    "schema",
    "template",
]
