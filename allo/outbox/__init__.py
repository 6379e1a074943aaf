"""Mail that is written in the transaction of its event and sent after it; knows nothing of shops.

`services.put` writes a message, `sending.send_due` sends what is due. Apps register the kinds of
their mail in a module `mail` (see `kinds`), each with its templates in `templates/mail/`.
"""
