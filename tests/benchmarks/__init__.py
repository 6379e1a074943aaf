"""Measurements, not tests. Spawned processes import this first, which sets Django up for them."""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "allo.settings")
# To measure the engine alone, every caller is a shopper with an address of its own. Tests that use
# a part of this would pass it on to each shop that they start.
if "pytest" not in sys.modules:
    os.environ.setdefault("RESERVATION_MAX_UNITS_PER_ADDRESS", "0")
    os.environ.setdefault("RESERVATION_MAX_SHARE", "0")
django.setup()
