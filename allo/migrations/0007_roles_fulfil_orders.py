from django.db import migrations

from allo.staff import roles


def apply(apps, schema_editor):
    roles.apply(apps)


class Migration(migrations.Migration):
    # What declares the permissions that `allo.staff.roles` names.
    dependencies = [
        ("allo", "0006_roles_see_orders"),
        ("checkout", "0009_orders_are_fulfilled"),
    ]

    operations = [migrations.RunPython(apply, migrations.RunPython.noop)]
