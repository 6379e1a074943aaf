from django.db import migrations

# Django's own table has neither: the front page and an object's history would read all of it.
FORWARDS = """
    CREATE INDEX admin_log_by_person ON django_admin_log (user_id, action_time DESC);
    CREATE INDEX admin_log_by_object ON django_admin_log (content_type_id, object_id, action_time);
"""
BACKWARDS = """
    DROP INDEX admin_log_by_object;
    DROP INDEX admin_log_by_person;
"""


class Migration(migrations.Migration):
    dependencies = [("allo", "0002_admin_log_is_append_only")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
