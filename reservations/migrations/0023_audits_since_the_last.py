from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('reservations', '0022_name_the_lists'),
    ]

    operations = [
        migrations.AddField(
            model_name='auditrun',
            name='since',
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
