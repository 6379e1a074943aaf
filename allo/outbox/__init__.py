"""Mail and webhooks that are written in the transaction of their event and sent after it; knows
nothing of shops.

`services.put` writes a message, `sending.send_due` sends what is due. Apps register the kinds of
their mail in a module `mail` (see `kinds`), each with its templates in `templates/mail/`. `hooks`
writes events for webhooks, fans them out, and delivers them.
"""
