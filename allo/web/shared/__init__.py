"""Finished pages that many visitors share, each at most a second old.

`store` keeps them, by age alone. `keys` decides which requests share one. `front` answers those
before any middleware runs. `holes` marks the personal places of a page, which are rendered for each
visitor with a session while the rest is shared.
"""
