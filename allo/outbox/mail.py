"""The mail that tells staff of webhooks; its templates are in `templates/mail/`."""

from allo.outbox.kinds import register

register("webhook_paused")
