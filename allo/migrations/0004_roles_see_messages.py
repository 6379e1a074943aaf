from django.db import migrations


class Migration(migrations.Migration):
    """Gave the roles what they see of mail, which `0012_roles_see_webhooks` does now: it needs
    permissions that later migrations declare."""

    dependencies = [
        ("allo", "0003_admin_log_by_person_and_by_object"),
        ("outbox", "0001_messages"),
        ("reservations", "0012_staff_actions_by_index"),
    ]

    operations = []
