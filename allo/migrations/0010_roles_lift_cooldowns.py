from django.db import migrations


class Migration(migrations.Migration):
    """Let the roles lift cool-downs, which `0012_roles_see_webhooks` does now: it needs
    permissions that later migrations declare."""

    dependencies = [
        ("allo", "0009_roles_see_deletions"),
        ("reservations", "0019_unpaid_holds_cool_down"),
    ]

    operations = []
