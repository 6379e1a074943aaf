"""Backups: one file with all that a shop cannot do without, and the way back from it."""
