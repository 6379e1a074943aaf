"""What browsers may load, cookies, passwords, sign-in limits, uploads."""

from datetime import timedelta

from csp.constants import NONE, SELF

from allo.settings.environment import HTTPS, TRUSTED_PROXIES, env
from allo.settings.live import LIVE_ORIGIN
from allo.settings.media import MEDIA_ORIGIN

# The shop itself, and the live process if it has another origin.
_own = [SELF, *filter(None, [LIVE_ORIGIN])]

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", *filter(None, [MEDIA_ORIGIN])],
        "media-src": ["blob:"],
        "font-src": [SELF],
        "connect-src": _own,
        "manifest-src": [SELF],
        # A form leads into the waiting room, and Chromium applies this to redirects as well.
        "form-action": _own,
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
SESSION_ENGINE = "allo.web.sessions"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
# With `__Host-` no other subdomain can set it. See `reservations.shop.visitor`.
VISITOR_COOKIE_NAME = "__Host-allo_visitor" if HTTPS else "allo_visitor"
# Before the number of a waiting room. See `reservations.shop.room`.
PLACE_COOKIE_NAME = "__Host-allo_place_" if HTTPS else "allo_place_"
TICKET_COOKIE_NAME = "__Host-allo_ticket_" if HTTPS else "allo_ticket_"
# See `allo.codes.browser`.
CODE_COOKIE_NAME = "__Host-allo_code" if HTTPS else "allo_code"
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
# Health probes and Prometheus reach the process directly, not through the HTTPS proxy.
SECURE_REDIRECT_EXEMPT = [r"^(livez|readyz|metrics)$"]
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
X_FRAME_OPTIONS = "DENY"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]
LOGIN_URL = "admin:login"

LOGIN_REDIRECT_URL = "admin:index"

# Wrong passwords lock out one name at one network: not the network's other names, nor the same name
# elsewhere. Only many failures, under any names, lock out a whole network.
AXES_FAILURE_LIMIT = 5
LOGIN_MAX_WRONG_PER_NETWORK = env.int("LOGIN_MAX_WRONG_PER_NETWORK", default=20)
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_HANDLER = "allo.staff.login.AttemptHandler"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_CLIENT_IP_CALLABLE = "allo.staff.login.client_address"
AXES_USERNAME_CALLABLE = "allo.staff.login.name"
AXES_LOCKOUT_CALLABLE = "allo.staff.login.locked_out"
# axes stores what was posted, except these.
AXES_SENSITIVE_PARAMETERS = [
    "username", "ip_address", "csrfmiddlewaretoken",
    "password", "old_password", "new_password1", "new_password2",
]  # fmt: skip
AXES_ENABLE_ADMIN = False  # `allo.staff.attempts` shows the attempts, read-only
AXES_VERBOSE = False

# `Cap` first: it drops what exceeds the largest allowed file. See `allo.web.uploads`.
FILE_UPLOAD_HANDLERS = [
    "allo.web.uploads.Cap",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
