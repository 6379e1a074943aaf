from django.db import migrations

# Deleting an account would delete what it did. By a trigger, as Django sends the DELETE for accounts
# without any entry, too, which the shop's role would be refused as a whole.
FORWARDS = """
    CREATE FUNCTION admin_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'permission denied: the admin log is append-only'
            USING ERRCODE = 'insufficient_privilege';
    END $$;
    CREATE TRIGGER admin_log_is_append_only BEFORE UPDATE OR DELETE ON django_admin_log
        FOR EACH ROW EXECUTE FUNCTION admin_log_is_append_only();
"""
BACKWARDS = """
    DROP TRIGGER admin_log_is_append_only ON django_admin_log;
    DROP FUNCTION admin_log_is_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("allo", "0001_roles"),
        ("admin", "0003_logentry_add_action_flag_choices"),
    ]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
