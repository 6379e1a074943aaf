import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

# Each old row gets what its product costs and is called now: nobody knows what it was then. An
# ALTER that rewrites the table has to find them in a constant, but it takes a third of the time of
# an UPDATE of each row, leaves no dead ones, and does not meet the trigger that guards final rows.
FILL = """
    SELECT set_config(name, '0', true) FROM pg_settings
    WHERE name IN ('statement_timeout', 'transaction_timeout');
    DO $$
        DECLARE
            prices jsonb;
            names jsonb;
        BEGIN
            SELECT jsonb_object_agg(row.id, product.price_paise),
                   jsonb_object_agg(row.id, product.name)
                INTO prices, names
                FROM inventory_inventory AS row
                JOIN catalog_product AS product ON product.id = row.product_id;
            EXECUTE format(
                'ALTER TABLE reservations_reservation
                    ALTER unit_paise TYPE integer
                        USING (%L::jsonb -> inventory_id::text)::integer,
                    ALTER name TYPE varchar(80)
                        USING %L::jsonb ->> inventory_id::text',
                prices, names);
        END
    $$
"""


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0002_published_products'),
        ('inventory', '0002_staff_actions'),
        ('reservations', '0006_refusals_name_their_rule'),
    ]

    operations = [
        migrations.AddField(
            model_name='reservation',
            name='unit_paise',
            field=models.PositiveIntegerField(null=True, verbose_name='unit price (paise)'),
        ),
        migrations.AddField(
            model_name='reservation',
            name='name',
            field=models.CharField(max_length=80, null=True),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name='reservation',
            name='unit_paise',
            field=models.PositiveIntegerField(verbose_name='unit price (paise)'),
        ),
        migrations.AlterField(
            model_name='reservation',
            name='name',
            field=models.CharField(max_length=80),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='reservation',
            trigger=pgtrigger.compiler.Trigger(name='price_is_kept', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD."inventory_id" IS DISTINCT FROM (NEW."inventory_id") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."unit_paise" IS DISTINCT FROM (NEW."unit_paise"))', func='RAISE EXCEPTION USING ERRCODE = \'check_violation\', CONSTRAINT = \'price_is_kept\', TABLE = TG_TABLE_NAME, MESSAGE = TG_OP || \' of \' || TG_TABLE_NAME || \' violates "price_is_kept"\';', hash='1896efe7fcac68e293c0668703a47796d7415119', operation='UPDATE OF "inventory_id", "unit_paise", "name"', pgid='pgtrigger_price_is_kept_afcc0', table='reservations_reservation', when='BEFORE')),
        ),
    ]
