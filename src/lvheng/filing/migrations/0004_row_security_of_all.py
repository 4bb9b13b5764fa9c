"""Row security of the rest: remarks, units in the registry, keys, letters and kept answers; the rates are not worth a log."""

from django.db import migrations

OPEN = "coalesce(current_setting('lvheng.scope', true), '') = ''"
OWN = "{column}::text = current_setting('lvheng.person', true)"
POLICIES = {
    "filing_remark": "EXISTS (SELECT 1 FROM filing_filingversion v WHERE v.id = filing_remark.version_id)",
    # counties and departments are no secret
    "filing_body": "kind <> 'unit' OR lvheng_sees(region, (SELECT s.code FROM observations_subject s WHERE s.id = filing_body.subject_id), '')",
    "filing_apitoken": f"{OPEN} OR {OWN.format(column='user_id')}",
    "filing_idempotencykey": f"{OPEN} OR {OWN.format(column='user_id')}",
    "filing_letter": f"{OPEN} OR {OWN.format(column='person_id')}",
    "filing_reminder": f"{OPEN} OR {OWN.format(column='person_id')}",
}


def build(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    for table, seen in POLICIES.items():
        schema_editor.execute(f"CREATE POLICY filing_sight ON {table} USING ({seen}) WITH CHECK ({seen})", params=None)
        schema_editor.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        schema_editor.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    schema_editor.execute("ALTER TABLE filing_apirate SET UNLOGGED")


def unbuild(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    schema_editor.execute("ALTER TABLE filing_apirate SET LOGGED")
    for table in POLICIES:
        schema_editor.execute(f"DROP POLICY IF EXISTS filing_sight ON {table}")
        schema_editor.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        schema_editor.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")


class Migration(migrations.Migration):
    dependencies = [("filing", "0003_reminders_rates_and_jobs"), ("observations", "0001_initial")]
    operations = [migrations.RunPython(build, unbuild)]
