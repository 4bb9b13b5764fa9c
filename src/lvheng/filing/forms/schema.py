"""The JSON Schema of a form's filing, for the API and its documentation."""

from __future__ import annotations

from typing import Any

from lvheng.filing.forms.book import Form
from lvheng.filing.forms.entries import Column, Sheet


def schema(form: Form) -> dict[str, Any]:
    """JSON Schema (2020-12) of ``{"sheets": {…}}`` as :func:`lvheng.filing.forms.from_json` takes it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{form.code} {form.title}",
        "type": "object",
        "required": ["sheets"],
        "additionalProperties": False,
        "properties": {
            "sheets": {
                "type": "object",
                "additionalProperties": False,
                "required": [s.sheet for s in form.sheets if s.required],
                "properties": {s.sheet: _sheet(form, s) for s in form.sheets},
            }
        },
    }


def _sheet(form: Form, sheet: Sheet) -> dict[str, Any]:
    keys = sheet.key.columns if sheet.key else ()
    row = {
        "type": "object",
        "additionalProperties": False,
        "required": [c.code for c in sheet.columns if c.code in keys or c.required],
        "properties": {c.code: _column(form, sheet, c) for c in sheet.columns},
    }
    if sheet.record:
        return {"title": sheet.title.zh, **row}
    return {"title": sheet.title.zh, "type": "array", "items": row}


def _column(form: Form, sheet: Sheet, column: Column) -> dict[str, Any]:
    out: dict[str, Any] = {"title": column.title.zh}
    if column.help:
        out["description"] = column.help
    if column.unit:
        out["x-unit"] = column.unit
    match column.type:
        case "number" | "integer":
            out["type"] = [column.type, "string", "null"]  # text keeps every digit
            out |= {
                word: float(v)
                for word, v in (("minimum", column.minimum), ("maximum", column.maximum))
                if v is not None
            }
        case "date":
            out |= {"type": ["string", "null"], "format": "date"}
        case "yesno":
            out["type"] = ["boolean", "string", "null"]
        case "option":
            codes = [o.code for o in form.options(sheet.sheet, column.code)]
            out |= {"enum": [*codes, None]} if 0 < len(codes) <= 200 else {"type": ["string", "null"]}
        case _:
            out |= {"type": ["string", "null"], "maxLength": column.length}
    return out
