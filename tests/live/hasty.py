"""The live server's configuration with one second for a request to arrive, and for a stream to take
what it is sent."""

from allo import gunicorn_live
from allo.live import application, hub

gunicorn_live.REQUEST_SECONDS = 1
hub.STUCK_SECONDS = 1.0
application.HEARTBEAT_SECONDS = 2
globals().update({n: v for n, v in vars(gunicorn_live).items() if not n.startswith("__")})
