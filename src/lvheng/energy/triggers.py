"""A migration operation: no certificate serial is in use twice, whoever writes. SQLite and PostgreSQL alike."""

from __future__ import annotations

from typing import Any

from django.db.migrations.operations.base import Operation

USE, RELEASE = "energy_certificateuse", "energy_certificaterelease"
_OVERLAP = (
    f'SELECT 1 FROM {USE} u WHERE u.series = NEW.series AND u.start <= NEW."end" AND u."end" >= NEW.start '
    f"AND NOT EXISTS (SELECT 1 FROM {RELEASE} r WHERE r.use_id = u.id)"
)


class NoSerialTwice(Operation):
    """Refuse a block that overlaps another of its series that is not released."""

    reversible = True

    def state_forwards(self, app_label: str, state: Any) -> None:
        return None

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            # the lock makes two writers wait for each other, so that neither misses the other's block
            schema_editor.execute(
                "CREATE OR REPLACE FUNCTION lvheng_serial_twice() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "PERFORM pg_advisory_xact_lock(hashtext('lvheng certificate ' || NEW.series)); "
                f"IF EXISTS ({_OVERLAP}) THEN RAISE EXCEPTION 'serial twice' USING ERRCODE = 'exclusion_violation'; END IF; "
                "RETURN NEW; END $$"
            )
            schema_editor.execute(
                f"CREATE TRIGGER {USE}_once BEFORE INSERT ON {USE} FOR EACH ROW EXECUTE FUNCTION lvheng_serial_twice()"
            )
        else:
            schema_editor.execute(
                f"CREATE TRIGGER {USE}_once BEFORE INSERT ON {USE} WHEN EXISTS ({_OVERLAP}) "
                "BEGIN SELECT RAISE(ABORT, 'serial twice'); END"
            )

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        on = f" ON {USE}" if schema_editor.connection.vendor == "postgresql" else ""
        schema_editor.execute(f"DROP TRIGGER IF EXISTS {USE}_once{on}")

    def describe(self) -> str:
        return "No certificate serial twice"
