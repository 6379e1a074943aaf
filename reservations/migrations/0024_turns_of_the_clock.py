from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('reservations', '0023_audits_since_the_last'),
    ]

    operations = [
        migrations.CreateModel(
            name='ClockRun',
            fields=[
                ('task', models.CharField(max_length=100, primary_key=True, serialize=False)),
                ('began_at', models.DateTimeField()),
            ],
            options={
                'default_permissions': (),
            },
        ),
    ]
