"""Redis and live updates."""

import re

from allo.settings.environment import env

REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")

# The live process's address for pages; by default the shop's origin, behind a proxy.
LIVE_URL = env.str("LIVE_URL", default="") or "/live/"
# Empty if it is the shop's.
_origin = re.match(r"https?://[^/]+", LIVE_URL)
LIVE_ORIGIN = _origin[0] if _origin else ""
# If it has another origin, only pages of these origins may listen.
LIVE_ALLOW_ORIGINS = env.list("LIVE_ALLOW_ORIGINS", default=[])
# Shops that share a Redis need different channels.
LIVE_CHANNEL = env.str("LIVE_CHANNEL", default="allo.live")
LIVE_MAX_CLIENTS = env.int("LIVE_MAX_CLIENTS", default=10_000)
LIVE_MAX_PER_NETWORK = env.int("LIVE_MAX_PER_NETWORK", default=500)
# A network's first places in a waiting room are drawn with everybody's, its next ones behind them.
ROOM_PLACES_PER_NETWORK = env.int("ROOM_PLACES_PER_NETWORK", default=8)
# The function by which the publisher's thread looks up more about messages that have `follow` set.
LIVE_ADDITIONS = "reservations.availability.with_lapses_added"
