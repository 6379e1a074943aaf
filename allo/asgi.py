"""The ASGI application of the live process: event streams and the pages of waiting rooms."""

import os
import resource

# Before the other imports, one of which might read the settings.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "allo.settings")

from django.conf import settings
from django.utils.log import configure_logging

from allo.live.application import Application
from allo.reporting import report_of
from allo.web.address import scope_network

# Open files that are not streams: logs, the Redis subscription, connections being refused.
_spare_files = 100
_files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)

# Django's own set-up would load the models, which this process does without.
configure_logging(settings.LOGGING_CONFIG, settings.LOGGING)
report_of("gunicorn.error")

application = Application(
    redis_url=settings.REDIS_URL,
    origins=settings.LIVE_ALLOW_ORIGINS,
    network_of=scope_network,
    max_clients=min(settings.LIVE_MAX_CLIENTS, _files - _spare_files),
    max_per_network=settings.LIVE_MAX_PER_NETWORK,
)
