"""Measurements, not tests. Spawned processes import this first, which sets Django up for them."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "allo.settings")
# What is measured is the engine: every caller is a shopper of an address of its own.
os.environ.setdefault("RESERVATION_MAX_UNITS_PER_ADDRESS", "0")
django.setup()
