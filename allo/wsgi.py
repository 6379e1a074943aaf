"""The shop's door for gunicorn: pages, API and admin, on threads."""

import os

from django.core.wsgi import get_wsgi_application

# So that what a page hands over reaches the clock's workers.
import allo.celery  # noqa: F401
from allo.web.bodies import readable

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "allo.settings")
# A pool pays off only where many threads share it; Celery and commands keep one connection each.
os.environ.setdefault("DATABASE_POOL_SIZE", os.environ.get("WEB_THREADS", "16"))

application = readable(get_wsgi_application())
