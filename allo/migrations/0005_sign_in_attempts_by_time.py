from django.db import migrations

# The tables of django-axes have none on the time: lists of one day would read all attempts.
FORWARDS = """
    CREATE INDEX sign_in_attempt_by_time ON axes_accessattempt (attempt_time);
    CREATE INDEX sign_in_by_time ON axes_accesslog (attempt_time);
"""
BACKWARDS = """
    DROP INDEX sign_in_by_time;
    DROP INDEX sign_in_attempt_by_time;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("allo", "0004_roles_see_messages"),
        ("axes", "0010_accessattemptexpiration"),
    ]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
