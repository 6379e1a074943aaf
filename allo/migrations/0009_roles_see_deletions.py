from django.db import migrations


class Migration(migrations.Migration):
    """Let the roles see deletions, which `0012_roles_see_webhooks` does now: it needs
    permissions that later migrations declare."""

    dependencies = [
        ("allo", "0008_roles_see_accounts"),
        ("accounts", "0002_deleted_accounts"),
    ]

    operations = []
