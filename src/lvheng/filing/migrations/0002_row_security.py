"""Row security of filings on PostgreSQL; see lvheng.filing.security. SQLite has none."""

from django.db import migrations

SEES = """
CREATE FUNCTION lvheng_sees(region text, unit text, body text) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT coalesce(current_setting('lvheng.scope', true), '') = ''
    OR (unit <> '' AND 'unit:' || unit = ANY (string_to_array(current_setting('lvheng.scope', true), ',')))
    OR (region <> '' AND 'region:' || region = ANY (string_to_array(current_setting('lvheng.scope', true), ',')))
    OR (body <> '' AND 'body:' || body = ANY (string_to_array(current_setting('lvheng.scope', true), ',')))
$$"""
PARTS = ("filing_filingversion", "filing_step", "filing_attachment", "filing_answer", "filing_extension", "filing_importjob")


def build(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    schema_editor.execute(SEES, params=None)
    own = "lvheng_sees(owner_region, owner_unit, owner_body)"
    schema_editor.execute(f"CREATE POLICY filing_sight ON filing_filing USING ({own}) WITH CHECK ({own})")
    for table in PARTS:
        seen = f"EXISTS (SELECT 1 FROM filing_filing f WHERE f.id = {table}.filing_id)"
        schema_editor.execute(f"CREATE POLICY filing_sight ON {table} USING ({seen}) WITH CHECK ({seen})")
    for table in ("filing_filing", *PARTS):
        schema_editor.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        schema_editor.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def unbuild(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    for table in ("filing_filing", *PARTS):
        schema_editor.execute(f"DROP POLICY IF EXISTS filing_sight ON {table}")
        schema_editor.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        schema_editor.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    schema_editor.execute("DROP FUNCTION IF EXISTS lvheng_sees(text, text, text)")


class Migration(migrations.Migration):
    dependencies = [("filing", "0001_initial")]
    operations = [migrations.RunPython(build, unbuild)]
