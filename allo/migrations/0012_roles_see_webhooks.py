from django.db import migrations

from allo.staff import roles


def apply(apps, schema_editor):
    roles.apply(apps)


class Migration(migrations.Migration):
    # What declares the permissions that `allo.staff.roles` names.
    dependencies = [
        ("allo", "0011_roles_close_lists"),
        ("outbox", "0002_webhooks"),
    ]

    operations = [migrations.RunPython(apply, migrations.RunPython.noop)]
