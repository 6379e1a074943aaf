"""The WSGI application: pages, API and admin."""

import os

# Before the other imports, some of which read the settings.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "allo.settings")
# A pool is useful only where many threads share it; Celery and commands keep one connection each.
os.environ.setdefault("DATABASE_POOL_SIZE", os.environ.get("WEB_THREADS", "16"))

# Loads the Celery application, so that tasks queued by pages reach the workers.
import allo.celery  # noqa: F401
from allo.reporting import report_of
from allo.web.pressure import pressure
from allo.web.shared.front import front
from allo.web.watched import watched


def _keep_rooms() -> None:
    # Its models are not loaded before the application is.
    from reservations.room_keeping import Keeper  # noqa: PLC0415

    Keeper().run()


# gunicorn's own errors, which go to no other logger.
report_of("gunicorn.error")
application = watched(pressure.counting(front(), beside=_keep_rooms))
