import json
from typing import Any

import django.db.models.functions.datetime
from django.db import migrations, models

from allo.outbox.hooks import catalogue

WRITE = """
    WITH event AS (
        INSERT INTO outbox_event (kind, subject, at, data)
        SELECT kind, subject, at, data
        FROM jsonb_to_recordset(%s::jsonb)
            AS told(n int, kind text, subject text, at timestamptz, data jsonb)
        WHERE EXISTS (
            SELECT FROM outbox_webhook AS hook
            WHERE hook.ended_at IS NULL AND told.kind = ANY(hook.kinds)
        )
        ORDER BY told.n
        RETURNING id, kind, subject, at
    )
    INSERT INTO outbox_delivery (event_id, webhook_id, subject, created_at)
    SELECT event.id, hook.id, event.subject, event.at
    FROM event JOIN outbox_webhook AS hook
        ON hook.ended_at IS NULL AND event.kind = ANY(hook.kinds)
    ORDER BY event.id, hook.id
"""


def fan_out_the_rest(apps: Any, schema_editor: Any) -> None:
    """The version before has no use for what was only told. Whoever tells meanwhile waits, and
    fails with all that it did."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("LOCK TABLE outbox_told")
        for told in apps.get_model("outbox", "Told").objects.order_by("pk").iterator():
            events = catalogue.whole(told.told_by, json.loads(told.events))
            numbered = [{"n": n, **event._asdict()} for n, event in enumerate(events)]
            cursor.execute(WRITE, [json.dumps(numbered)])


class Migration(migrations.Migration):
    dependencies = [
        ("outbox", "0002_webhooks"),
    ]

    operations = [
        migrations.CreateModel(
            name="Told",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("told_by", models.CharField(blank=True, default="", max_length=40)),
                ("events", models.TextField()),
            ],
            options={
                "ordering": ("pk",),
                "default_permissions": (),
            },
        ),
        migrations.RunPython(migrations.RunPython.noop, fan_out_the_rest),
    ]
