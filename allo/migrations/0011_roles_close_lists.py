from django.db import migrations

from allo.staff import roles


def apply(apps, schema_editor):
    roles.apply(apps)


class Migration(migrations.Migration):
    # What declares the permissions that `allo.staff.roles` names.
    dependencies = [
        ("allo", "0010_roles_lift_cooldowns"),
        ("reservations", "0020_waiting_list"),
    ]

    operations = [migrations.RunPython(apply, migrations.RunPython.noop)]
