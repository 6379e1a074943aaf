from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0010_most_for_one_customer'),
    ]

    operations = [
        migrations.AddField(
            model_name='product',
            name='opens_at',
            field=models.DateTimeField(blank=True, help_text='Nobody can hold any before this moment.', null=True, verbose_name='opens'),
        ),
    ]
