from django.db import migrations


class Migration(migrations.Migration):
    """Let the roles see webhooks, which `0014_roles_write_pages` does now: it needs permissions
    that later migrations declare."""

    dependencies = [
        ("allo", "0011_roles_close_lists"),
        ("outbox", "0002_webhooks"),
    ]

    operations = []
