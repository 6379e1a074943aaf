"""Finished pages that many visitors share, each at most a second old.

`store` keeps them, by age alone. `keys` decides which requests share one. `front` answers those
in front of all middleware. `holes` marks what is personal on a page, so that visitors with a
session get the same finished parts around their own.
"""
