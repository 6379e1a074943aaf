"""Webhooks: how long an answer may take, and where they may lead."""

from django.core.exceptions import ImproperlyConfigured

from allo.settings.environment import PRODUCTION, env

# Of one try. A worker that takes longer than a minute is taken for dead.
WEBHOOK_TIMEOUT_SECONDS = env.int("WEBHOOK_TIMEOUT_SECONDS", default=10)
if not 1 <= WEBHOOK_TIMEOUT_SECONDS <= 30:
    raise ImproperlyConfigured(
        f"WEBHOOK_TIMEOUT_SECONDS is {WEBHOOK_TIMEOUT_SECONDS}; give 1 to 30."
    )
# Takes also http, and this machine itself.
WEBHOOK_PRIVATE = env.bool("WEBHOOK_PRIVATE", default=False)
if WEBHOOK_PRIVATE and PRODUCTION:
    raise ImproperlyConfigured("WEBHOOK_PRIVATE is for trials: PRODUCTION refuses it.")
