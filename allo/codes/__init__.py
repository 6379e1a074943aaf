"""Codes by mail: what proves that somebody reads an address's mail. Knows no accounts and no shop.

`services.ask` writes the mail with a code, `services.prove` compares what was typed. The database
has neither the code nor anything that could be turned back into it: `secret` makes it anew, from a
row's random id and the shop's `SECRET_KEY`, when the mail is made and when a code is compared.
"""
