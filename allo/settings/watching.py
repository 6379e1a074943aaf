"""Metrics, logs, and where errors are reported."""

import re
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from allo.settings.environment import STATE_DIR, env

# Where the processes of this machine count, in files.
METRICS_DIR = Path(env.str("METRICS_DIR", default="") or STATE_DIR / "metrics")
# With it, others than this machine may read `/metrics`.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
if METRICS_TOKEN and not re.fullmatch(r"[!-~]{20,200}", METRICS_TOKEN):
    raise ImproperlyConfigured(
        "METRICS_TOKEN is a secret: give 20 to 200 letters, digits or signs, without spaces."
    )

# Where errors are reported, by Sentry's protocol: see `allo.reporting`.
SENTRY_DSN = env.str("SENTRY_DSN", default="")
if SENTRY_DSN:
    from sentry_sdk.utils import BadDsn, Dsn

    try:
        Dsn(SENTRY_DSN)
    except (BadDsn, ValueError):
        # Without its text, in which its key would be.
        raise ImproperlyConfigured(
            "SENTRY_DSN is no DSN: give what your server shows, such as https://key@host/1."
        ) from None

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(request_id)s %(name)s: %(message)s"}
    },
    "filters": {
        "one_line": {"()": "allo.logs.OneLine"},
        "request_id": {"()": "allo.logs.WithRequestId"},
    },
    "handlers": {
        # The first: the filters of the other replace words of its records.
        "reporter": {"class": "allo.reporting.Reporter"},
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["one_line", "request_id"],
        },
    },
    "root": {"handlers": ["reporter", "stderr"], "level": env.str("LOG_LEVEL", default="INFO")},
    # Stripe's SDK writes two lines for each call.
    "loggers": {"axes": {"level": "WARNING"}, "stripe": {"level": "WARNING"}},
}
