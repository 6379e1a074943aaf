"""The live server's configuration, but it waits a second for a request instead of ten."""

from allo import gunicorn_live

gunicorn_live.REQUEST_SECONDS = 1
globals().update({n: v for n, v in vars(gunicorn_live).items() if not n.startswith("__")})
