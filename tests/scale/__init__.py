"""Servers of PostgreSQL that fail. `make scale` imports this first."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "allo.settings")
