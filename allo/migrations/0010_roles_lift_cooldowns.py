from django.db import migrations


class Migration(migrations.Migration):
    """Let the roles lift cool-downs, which `0014_roles_write_pages` does now: it needs
    permissions that later migrations declare."""

    dependencies = [
        ("allo", "0009_roles_see_deletions"),
        ("reservations", "0019_unpaid_holds_cool_down"),
    ]

    operations = []
