from django.db import migrations, models

# Of all rows in one statement: the ledger is read once.
FROM_THE_LEDGER = """
    UPDATE inventory_inventory AS row SET run_units = ledger.run
    FROM (
        SELECT inventory_id, sum(delta) AS run FROM inventory_stockmovement
        WHERE reason NOT IN ('sold', 'returned') GROUP BY inventory_id
    ) AS ledger
    WHERE row.id = ledger.inventory_id
"""


class Migration(migrations.Migration):
    dependencies = [("inventory", "0008_waiting_list_needs")]

    operations = [
        migrations.AddField(
            model_name="inventory",
            name="run_units",
            field=models.IntegerField(
                db_default=0,
                default=0,
                editable=False,
                help_text="All that came in, without what was damaged, lost, moved or written off.",
                verbose_name="run",
            ),
        ),
        migrations.RunSQL(FROM_THE_LEDGER, migrations.RunSQL.noop),
    ]
