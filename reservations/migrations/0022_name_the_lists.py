from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("reservations", "0021_new_rows_know_the_waiting_list")]

    operations = [
        migrations.AlterModelOptions(
            name="listclosure",
            options={
                "default_permissions": (),
                "ordering": ("-pk",),
                "permissions": (("close_list", "Can close and reopen waiting lists"),),
                "verbose_name": "closed waiting list",
                "verbose_name_plural": "waiting lists",
            },
        )
    ]
