"""Accounts of shoppers, who sign in with a code by mail and have no password. Staff have Django's
users, with passwords."""
