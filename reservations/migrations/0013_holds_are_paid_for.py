from django.db import migrations, models


# Both columns are added without a rewrite: one is null, the other has a constant default.
class Migration(migrations.Migration):

    dependencies = [
        ('reservations', '0012_staff_actions_by_index'),
    ]

    operations = [
        migrations.AddField(
            model_name='reservation',
            name='paying_since',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='reservation',
            name='window_given',
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
    ]
