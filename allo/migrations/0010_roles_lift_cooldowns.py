from django.db import migrations

from allo.staff import roles


def apply(apps, schema_editor):
    roles.apply(apps)


class Migration(migrations.Migration):
    # What declares the permissions that `allo.staff.roles` names.
    dependencies = [
        ("allo", "0009_roles_see_deletions"),
        ("reservations", "0019_unpaid_holds_cool_down"),
    ]

    operations = [migrations.RunPython(apply, migrations.RunPython.noop)]
