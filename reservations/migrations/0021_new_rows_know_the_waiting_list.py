from django.db import migrations

# A product whose list is waited on gets stock in another warehouse: those units are for the list
# from the row's first moment, before anybody serves it. The text is kept as it was when this was
# written; `reservations.waiting.sql.NEEDED` is what is used later.
CREATE = """
CREATE FUNCTION new_row_knows_the_waiting_list() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.list_needs := coalesce((
        SELECT min(entry.needs) FROM reservations_waitingentry AS entry
        WHERE entry.product_id = NEW.product_id
            AND (entry.warehouse_id IS NULL OR entry.warehouse_id = NEW.warehouse_id)
            AND entry.confirmed_at IS NOT NULL AND entry.offer_id IS NULL
            AND entry.ended_at IS NULL
    ), 0);
    RETURN NEW;
END $$;
CREATE TRIGGER new_row_knows_the_waiting_list BEFORE INSERT ON inventory_inventory
    FOR EACH ROW EXECUTE FUNCTION new_row_knows_the_waiting_list();
"""
DROP = """
DROP TRIGGER new_row_knows_the_waiting_list ON inventory_inventory;
DROP FUNCTION new_row_knows_the_waiting_list();
"""


class Migration(migrations.Migration):
    dependencies = [("reservations", "0020_waiting_list")]

    operations = [migrations.RunSQL(CREATE, DROP)]
