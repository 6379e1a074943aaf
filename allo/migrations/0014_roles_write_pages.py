from django.db import migrations

from allo.staff import roles


def apply(apps, schema_editor):
    roles.apply(apps)


class Migration(migrations.Migration):
    # What declares the permissions that `allo.staff.roles` names.
    dependencies = [
        ("allo", "0012_roles_see_webhooks"),
        ("site", "0001_pages_of_a_shop"),
    ]

    operations = [migrations.RunPython(apply, migrations.RunPython.noop)]
