from django.db import migrations


class Migration(migrations.Migration):
    """Gave the roles what they do with orders, which `0012_roles_see_webhooks` does now: it needs
    permissions that later migrations declare."""

    dependencies = [
        ("allo", "0006_roles_see_orders"),
        ("checkout", "0009_orders_are_fulfilled"),
    ]

    operations = []
