from django.db import migrations, models


class Migration(migrations.Migration):
    """Words for staff only: the table does not change."""

    dependencies = [("reservations", "0009_token_scope_in_words")]

    operations = [
        migrations.AlterField(
            model_name="reservation",
            name="holder",
            field=models.CharField(
                help_text="user:…, visitor:…, anonymous:… or token:…", max_length=80
            ),
        )
    ]
