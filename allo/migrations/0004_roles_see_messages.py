from django.db import migrations

from allo.staff import roles


def apply(apps, schema_editor):
    roles.apply(apps)


class Migration(migrations.Migration):
    # What declares the permissions that `allo.staff.roles` names.
    dependencies = [
        ("allo", "0003_admin_log_by_person_and_by_object"),
        ("outbox", "0001_messages"),
        ("reservations", "0012_staff_actions_by_index"),
    ]

    operations = [migrations.RunPython(apply, migrations.RunPython.noop)]
