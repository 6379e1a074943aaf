"""The shop's settings for benchmarks over HTTP: without rate limits."""

import os

from allo.settings import *  # noqa: F403

ROOT_URLCONF = "tests.benchmarks.urls"
AXES_ENABLED = False
RESERVE_RATE = PAY_RATE = API_RATE = LOGIN_RATE = "off"
RESERVATION_MAX_UNITS_PER_ADDRESS = 0
CONTENDER = os.environ.get("BENCH_CONTENDER", "Allo")
# Pages are measured without collecting static files first.
STORAGES = {
    **STORAGES,  # noqa: F405
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
