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
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["one_line", "request_id"],
        }
    },
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="INFO")},
    # Stripe's SDK writes two lines for each call.
    "loggers": {"axes": {"level": "WARNING"}, "stripe": {"level": "WARNING"}},
}
