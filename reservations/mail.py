"""Where the outbox looks for this app's kinds of mail."""

from reservations.waiting import mail as waiting_mail

__all__ = ["waiting_mail"]
