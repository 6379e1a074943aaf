"""The Celery application: `celery -A allo.celery worker` and `celery -A allo.celery beat`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "allo.settings")

app = Celery("allo")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
