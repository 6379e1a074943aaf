from django.db import migrations

from allo.staff import roles


def apply(apps, schema_editor):
    roles.apply(apps)


class Migration(migrations.Migration):
    # What declares the permissions that `allo.staff.roles` names.
    dependencies = [
        ("allo", "0008_roles_see_accounts"),
        ("accounts", "0002_deleted_accounts"),
    ]

    operations = [migrations.RunPython(apply, migrations.RunPython.noop)]
