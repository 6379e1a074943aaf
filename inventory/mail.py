"""The mail that tells staff of stock; its templates are in `templates/mail/`."""

from allo.outbox.kinds import register

register("low_stock")
