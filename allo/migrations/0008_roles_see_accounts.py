from django.db import migrations


class Migration(migrations.Migration):
    """Let the roles see accounts, which `0012_roles_see_webhooks` does now: it needs
    permissions that later migrations declare."""

    dependencies = [
        ("allo", "0007_roles_fulfil_orders"),
        ("accounts", "0001_accounts"),
    ]

    operations = []
