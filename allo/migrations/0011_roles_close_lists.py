from django.db import migrations


class Migration(migrations.Migration):
    """Let the roles close waiting lists, which `0012_roles_see_webhooks` does now: it needs
    permissions that later migrations declare."""

    dependencies = [
        ("allo", "0010_roles_lift_cooldowns"),
        ("reservations", "0020_waiting_list"),
    ]

    operations = []
