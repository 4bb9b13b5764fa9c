from django.db import migrations, models

from lvheng.access.immutable import AppendOnly

TABLES = [AppendOnly("dual_control_decision"), AppendOnly("dual_control_decisionstep")]


def lift(apps, schema_editor):
    for table in TABLES:
        table.database_backwards("dual_control", schema_editor, None, None)


def lay(apps, schema_editor):
    for table in TABLES:
        table.database_forwards("dual_control", schema_editor, None, None)


class Migration(migrations.Migration):
    """Longer codes, since warnings are also addressed to units.

    SQLite makes a table anew to widen a column, and its triggers go with the old one: they are laid again after.
    """

    dependencies = [
        ("dual_control", "0001_initial"),
    ]

    operations = [
        migrations.RunPython(lift, lay),
        migrations.AlterField(
            model_name="decision",
            name="subject",
            field=models.CharField(help_text="code of the region or unit it is addressed to", max_length=32, verbose_name="对象"),
        ),
        migrations.AlterField(
            model_name="decisionstep",
            name="region",
            field=models.CharField(blank=True, max_length=32, verbose_name="地区或单位"),
        ),
        migrations.RunPython(lay, lift),
    ]  # fmt: skip
