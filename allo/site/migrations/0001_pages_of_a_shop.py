import django.db.models.functions.datetime
from django.db import migrations, models

import allo.web.names
from allo.site.first_words import FIRST_WORDS


def write_first_words(apps, schema_editor):
    page = apps.get_model("site", "Page")
    page.objects.bulk_create(
        page(slug=slug, title=title, body=body) for slug, (title, body) in FIRST_WORDS.items()
    )


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Page",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("slug", models.SlugField(choices=[("about", "About"), ("delivery", "Delivery"), ("returns", "Returns"), ("questions", "Questions"), ("contact", "Contact"), ("terms", "Terms")], editable=False, unique=True, verbose_name="address")),
                ("title", models.CharField(max_length=80, validators=[allo.web.names.name_is_visible])),
                ("body", models.TextField(help_text="In Markdown: ## for a heading, - for a list, [words](address) for a link. HTML is shown as it is written.", max_length=20000, verbose_name="text")),
                ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
            ],
            options={
                "ordering": ("pk",),
                "default_permissions": ("view", "change"),
                "constraints": [models.CheckConstraint(condition=models.Q(("slug__in", ["about", "delivery", "returns", "questions", "contact", "terms"])), name="page_of_every_shop")],
            },
        ),
        migrations.RunPython(write_first_words, migrations.RunPython.noop),
    ]
