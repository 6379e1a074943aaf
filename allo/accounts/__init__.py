"""Accounts of shoppers: no passwords, a code by mail. Staff have other ones, with passwords."""
