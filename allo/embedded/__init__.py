"""The runner of `make up`: a private PostgreSQL and Valkey, and the shop's own processes.

It starts before Django is configured, so nothing in here may import Django.
"""
