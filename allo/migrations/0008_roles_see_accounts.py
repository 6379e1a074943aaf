from django.db import migrations


class Migration(migrations.Migration):
    """Let the roles see accounts, which `0011_roles_close_lists` does now: it needs
    permissions that later migrations declare."""

    dependencies = [
        ("allo", "0007_roles_fulfil_orders"),
        ("accounts", "0001_accounts"),
    ]

    operations = []
