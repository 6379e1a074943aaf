from django.db import migrations


class Migration(migrations.Migration):
    """Made the roles of staff, which `0012_roles_see_webhooks` does now: it needs permissions
    that later migrations declare."""

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("axes", "0010_accessattemptexpiration"),
        ("catalog", "0002_published_products"),
        ("checkout", "0002_contact_by_email"),
        ("inventory", "0002_staff_actions"),
        ("reservations", "0004_staff"),
    ]

    operations = []
