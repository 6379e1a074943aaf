from django.db import migrations


class Migration(migrations.Migration):
    """Gave the roles what they see of orders, which `0012_roles_see_webhooks` does now: it needs
    permissions that later migrations declare."""

    dependencies = [
        ("allo", "0005_sign_in_attempts_by_time"),
        ("checkout", "0005_orders_and_their_money"),
    ]

    operations = []
