"""The live server's configuration with one second instead of ten for a request to arrive."""

from allo import gunicorn_live

gunicorn_live.REQUEST_SECONDS = 1
globals().update({n: v for n, v in vars(gunicorn_live).items() if not n.startswith("__")})
