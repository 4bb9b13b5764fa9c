"""A migration operation that lets rows be changed until they are sealed, in the database itself.

The same rule on SQLite and PostgreSQL: while ``open_when`` holds for the old row anything may change;
afterwards the ``kept`` columns are refused a change and the row its deletion, whoever asks. State may go
on, but never back to an open one.
"""

from __future__ import annotations

from typing import Any

from django.db.migrations.operations.base import Operation


class Sealed(Operation):
    """Refuse changes of ``kept`` columns, and deletion, of rows whose ``column`` is no longer ``value``."""

    reversible = True

    def __init__(self, table: str, column: str, value: str, kept: list[str]):
        self.table, self.column, self.value, self.kept = table, column, value, kept

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return self.__class__.__name__, [self.table, self.column, self.value, self.kept], {}

    def state_forwards(self, app_label: str, state: Any) -> None:
        return None

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        t, c, v = self.table, self.column, self.value
        if schema_editor.connection.vendor == "postgresql":
            changed = " OR ".join(f"NEW.{k} IS DISTINCT FROM OLD.{k}" for k in self.kept)
            schema_editor.execute(
                f"CREATE FUNCTION {t}_sealed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                f"IF OLD.{c} = '{v}' THEN IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END IF; "
                f"IF TG_OP = 'DELETE' OR NEW.{c} = '{v}' OR {changed} THEN "
                f"RAISE EXCEPTION 'sealed: {t}' USING ERRCODE = 'restrict_violation'; END IF; RETURN NEW; END $$",
                params=None,
            )
            schema_editor.execute(
                f"CREATE TRIGGER {t}_sealed BEFORE UPDATE OR DELETE ON {t} FOR EACH ROW EXECUTE FUNCTION {t}_sealed()"
            )
            schema_editor.execute(
                f"CREATE TRIGGER {t}_no_truncate BEFORE TRUNCATE ON {t} FOR EACH STATEMENT EXECUTE FUNCTION lvheng_append_only()"
            )
            return
        changed = " OR ".join(f"NEW.{k} IS NOT OLD.{k}" for k in self.kept)
        refuse = f"BEGIN SELECT RAISE(ABORT, 'sealed: {t}'); END"
        schema_editor.execute(
            f"CREATE TRIGGER {t}_sealed BEFORE UPDATE ON {t} WHEN OLD.{c} <> '{v}' AND (NEW.{c} = '{v}' OR {changed}) {refuse}"
        )
        schema_editor.execute(f"CREATE TRIGGER {t}_kept BEFORE DELETE ON {t} WHEN OLD.{c} <> '{v}' {refuse}")

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        t = self.table
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {t}_sealed ON {t}")
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {t}_no_truncate ON {t}")
            schema_editor.execute(f"DROP FUNCTION IF EXISTS {t}_sealed()")
            return
        schema_editor.execute(f"DROP TRIGGER IF EXISTS {t}_sealed")
        schema_editor.execute(f"DROP TRIGGER IF EXISTS {t}_kept")

    def describe(self) -> str:
        return f"Seal rows of {self.table}"
