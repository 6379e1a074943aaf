from django.db import migrations

from allo.staff import roles


def apply(apps, schema_editor):
    roles.apply(apps)


class Migration(migrations.Migration):
    # What declares the permissions that `allo.staff.roles` names.
    dependencies = [
        ("allo", "0005_sign_in_attempts_by_time"),
        ("checkout", "0005_orders_and_their_money"),
    ]

    operations = [migrations.RunPython(apply, migrations.RunPython.noop)]
