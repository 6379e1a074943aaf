from django.db import migrations


class Migration(migrations.Migration):
    """Let the roles see accounts, which `0014_roles_write_pages` does now: it needs
    permissions that later migrations declare."""

    dependencies = [
        ("allo", "0007_roles_fulfil_orders"),
        ("accounts", "0001_accounts"),
    ]

    operations = []
