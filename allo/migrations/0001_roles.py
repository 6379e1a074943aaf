from django.db import migrations

from allo.staff import roles


def apply(apps, schema_editor):
    roles.apply(apps)


class Migration(migrations.Migration):
    # What declares the permissions that `allo.staff.roles` names.
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("axes", "0010_accessattemptexpiration"),
        ("catalog", "0002_published_products"),
        ("checkout", "0002_contact_by_email"),
        ("inventory", "0002_staff_actions"),
        ("reservations", "0004_staff"),
    ]

    operations = [migrations.RunPython(apply, migrations.RunPython.noop)]
