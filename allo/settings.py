"""Every setting of Allo, read from the environment, each with a safe default.

`docs/settings.md` says what each is for. With no environment at all the services of a
running `make up` are found through the file it leaves in the state folder.
"""

import os
import re
import secrets
import sys
from datetime import timedelta
from pathlib import Path

import environ
from celery.schedules import crontab
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from psycopg import IsolationLevel

from allo.postgresql.parameters import merged

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
STATE_DIR = Path(env.str("STATE_DIR", default=str(BASE_DIR / "var"))).resolve()
_given = "DATABASE_URL" in os.environ
environ.Env.read_env(STATE_DIR / "allo.env", overwrite=False)

# Commands that change the schema connect as its owner. The shop connects as a role with fewer
# rights, and its processes must not know the owner's password.
OWNER_COMMANDS = {"migrate", "prepare", "grant_privileges"}
_owner = len(sys.argv) > 1 and sys.argv[1] in OWNER_COMMANDS
if not _owner:
    os.environ.pop("MIGRATION_DATABASE_URL", None)
elif not _given:
    environ.Env.read_env(STATE_DIR / "owner.env", overwrite=False)

# --- Environment ------------------------------------------------------------

PRODUCTION = env.bool("PRODUCTION", default=False)
DEBUG = env.bool("DEBUG", default=False)
HTTPS = env.bool("HTTPS", default=PRODUCTION)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# Outside production a random key is enough: it cannot leak; a restart ends the sessions.
SECRET_KEY = env.str("SECRET_KEY", default="" if PRODUCTION else secrets.token_urlsafe(50))

if PRODUCTION and (DEBUG or "*" in ALLOWED_HOSTS or len(SECRET_KEY) < 50):
    raise ImproperlyConfigured(
        "PRODUCTION needs a SECRET_KEY of 50 characters or more, named ALLOWED_HOSTS and no DEBUG."
    )

# How many proxies in front add to X-Forwarded-For; 0 ignores that header.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)

# --- The shop's rules (docs/how-it-works.md); 0 switches a limit off ------------------------------

RESERVATION_TTL_SECONDS = env.int("RESERVATION_TTL_SECONDS", default=600)
RESERVATION_MAX_RENEWALS = env.int("RESERVATION_MAX_RENEWALS", default=2)
RESERVATION_MAX_UNITS = env.int("RESERVATION_MAX_UNITS", default=10)
RESERVATION_MAX_LIVE = env.int("RESERVATION_MAX_LIVE", default=5)
RESERVATION_MAX_UNITS_PER_ADDRESS = env.int("RESERVATION_MAX_UNITS_PER_ADDRESS", default=20)
RESERVE_RATE = env.str("RESERVE_RATE", default="30/m")
API_RATE = env.str("API_RATE", default="120/m")
LOGIN_RATE = env.str("LOGIN_RATE", default="30/m")
for _name in ("RESERVE_RATE", "API_RATE", "LOGIN_RATE"):
    _rate = globals()[_name]
    if not re.fullmatch(r"off|[1-9]\d*/[smh]", _rate):
        raise ImproperlyConfigured(f'{_name} is "{_rate}"; give "30/m", "5/s" or "off".')
EXPIRY_SWEEP_SECONDS = min(env.int("EXPIRY_SWEEP_SECONDS", default=10), 60)

# After how long the clock deletes old rows. Sessions are deleted when they expire.
KEEP_KEYS_HOURS = env.int("KEEP_KEYS_HOURS", default=24)
KEEP_SWEEPS_DAYS = env.int("KEEP_SWEEPS_DAYS", default=7)
KEEP_IMPORTS_DAYS = env.int("KEEP_IMPORTS_DAYS", default=30)
KEEP_IMPORT_LINES_DAYS = env.int("KEEP_IMPORT_LINES_DAYS", default=365)
KEEP_SIGN_INS_DAYS = env.int("KEEP_SIGN_INS_DAYS", default=90)
KEEP_AUDITS_DAYS = env.int("KEEP_AUDITS_DAYS", default=365)

# --- Shared pages ----------------------------------------------------------------------------

# Off, each page is rendered for each request.
SHARED_PAGES = env.bool("SHARED_PAGES", default=True)
# Threads of a web process; at most half of them wait for pages that others render.
WEB_THREADS = env.int("WEB_THREADS", default=16)

# --- Applications -------------------------------------------------------------------------

INSTALLED_APPS = [
    "allo",
    "checkout",
    "reservations",
    "inventory",
    "catalog",
    "template_partials",
    "django_htmx",
    "csp",
    "pgtrigger",
    "axes",
    "allo.staff.apps.StaffConfig",
    "django.contrib.humanize",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.sitemaps",
]

MIDDLEWARE = [
    "allo.web.shared.acts.ActMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # Only for pages. It adds random padding, so that their length reveals nothing of a token
    # (BREACH).
    "django.middleware.gzip.GZipMiddleware",
    "allo.web.policy.ContentPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

AUTHENTICATION_BACKENDS = ["allo.staff.login.PasswordBackend"]

ROOT_URLCONF = "allo.urls"
WSGI_APPLICATION = "allo.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["template_partials.templatetags.partials"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# --- Data ---------------------------------------------------------------------------------

_database_url = env.str("DATABASE_URL", default="postgres:///allo")
SHOP_DATABASE = env.db_url_config(_database_url)
SHOP_ROLE = SHOP_DATABASE["USER"]
# Set only for the owner's commands: see above.
_database = env.db_url_config(env.str("MIGRATION_DATABASE_URL", default="") or _database_url)

LOCK_TIMEOUT_MS = env.int("LOCK_TIMEOUT_MS", default=2000)
TRANSACTION_TIMEOUT_MS = env.int(
    "TRANSACTION_TIMEOUT_MS", default=max(3000, LOCK_TIMEOUT_MS + 1000)
)
if 0 < TRANSACTION_TIMEOUT_MS <= LOCK_TIMEOUT_MS:
    raise ImproperlyConfigured(
        f"TRANSACTION_TIMEOUT_MS is {TRANSACTION_TIMEOUT_MS}: a transaction that waits for a lock,"
        f" for LOCK_TIMEOUT_MS ({LOCK_TIMEOUT_MS}) at the most, needs longer than that."
    )
# By their names in PostgreSQL, in milliseconds. A lock that is not free in time raises `Busy`; a
# client that froze keeps its locks for one transaction timeout at most.
TIMEOUTS = {
    "lock_timeout": LOCK_TIMEOUT_MS,
    "statement_timeout": env.int("STATEMENT_TIMEOUT_MS", default=15000),
    "idle_in_transaction_session_timeout": 10000,
    "transaction_timeout": TRANSACTION_TIMEOUT_MS,
}
_timeouts = TIMEOUTS | ({"statement_timeout": 0, "transaction_timeout": 0} if _owner else {})
_transaction_timeout = _timeouts.pop("transaction_timeout")

_pool_size = env.int("DATABASE_POOL_SIZE", default=0)
_pool = {
    "min_size": 1,
    "max_size": _pool_size,
    # In seconds: how long a caller waits for a connection before it is refused, and how long a lost
    # one is retried before the pool waits for the next caller.
    "timeout": 5,
    "reconnect_timeout": 5,
}
_options = merged(_database.get("OPTIONS", {}), _timeouts)

DATABASES = {
    "default": {
        **_database,
        "ENGINE": "allo.postgresql",
        "CONN_MAX_AGE": 0,
        "OPTIONS": {
            **_options,
            # Under REPEATABLE READ a transaction that waited for a lock would read stale stock.
            "isolation_level": IsolationLevel.READ_COMMITTED,
            # Only the engine binds parameters in the server, where frequent statements are planned
            # once.
            "prepare_threshold": 2,
            # Set after connecting, if the server knows it and DATABASE_URL does not set it.
            "transaction_timeout": (
                None if "transaction_timeout" in _options["options"] else _transaction_timeout
            ),
            **({"pool": _pool} if _pool_size else {}),
        },
    }
}

REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")

# --- Live updates ---------------------------------------------------------------------------

# The live process's address for pages; by default the shop's origin, behind a proxy.
LIVE_URL = env.str("LIVE_URL", default="") or "/live/"
# If it has another origin, only pages of these origins may listen.
LIVE_ALLOW_ORIGINS = env.list("LIVE_ALLOW_ORIGINS", default=[])
# Shops that share a Redis need different channels.
LIVE_CHANNEL = env.str("LIVE_CHANNEL", default="allo.live")
LIVE_MAX_CLIENTS = env.int("LIVE_MAX_CLIENTS", default=10_000)
LIVE_MAX_PER_NETWORK = env.int("LIVE_MAX_PER_NETWORK", default=500)
# What the publisher's thread adds to messages of which that is said.
LIVE_ADDITIONS = "reservations.availability.with_lapses_added"
_live_origin = re.match(r"https?://[^/]+", LIVE_URL)

# --- The clock ------------------------------------------------------------------------------

CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 5,
    "socket_connect_timeout": 5,
    "health_check_interval": 10,
    "retry_on_timeout": True,
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    "expire-due": {
        "task": "reservations.clock.tasks.expire_due",
        "schedule": EXPIRY_SWEEP_SECONDS,
        # A queued sweep is of no use once the next one is queued.
        "options": {"expires": max(EXPIRY_SWEEP_SECONDS - 1, 1)},
    },
    "watch-low-stock": {
        "task": "inventory.tasks.watch_low_stock",
        "schedule": 60,
        "options": {"expires": 59},
    },
    # An upload queues this at once; the schedule is for files whose worker was not running, or
    # died.
    "read-imports": {
        "task": "inventory.tasks.read_imports",
        "schedule": 30,
        "options": {"expires": 29},
    },
    "prune-imports": {"task": "inventory.tasks.prune_imports", "schedule": crontab(minute=27)},
    # A new picture queues this at once; the schedule is for the seed's, and for failed runs.
    "picture-sizes": {
        "task": "catalog.tasks.make_sizes",
        "schedule": 30,
        "options": {"expires": 29},
    },
    "replaced-pictures": {
        "task": "catalog.tasks.remove_replaced_pictures",
        "schedule": crontab(minute=37),
    },
    "prune": {"task": "reservations.clock.tasks.prune", "schedule": crontab(minute=7)},
    "prune-sessions": {"task": "allo.tasks.prune", "schedule": crontab(minute=47)},
    "audit-stock": {
        "task": "reservations.clock.tasks.audit_stock",
        "schedule": crontab(minute=17, hour=3),
    },
}

# --- Mail -----------------------------------------------------------------------------------

# By default mail is printed to the log of the process that sends it.
_mail = env.email_url("EMAIL_URL", default="consolemail://")
EMAIL_BACKEND, EMAIL_HOST, EMAIL_PORT = (
    _mail["EMAIL_BACKEND"], _mail["EMAIL_HOST"], _mail["EMAIL_PORT"] or 25,
)  # fmt: skip
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail["EMAIL_HOST_USER"], _mail["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS, EMAIL_USE_SSL = _mail.get("EMAIL_USE_TLS", False), _mail.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("MAIL_FROM", default="allo@localhost")
# The recipients of low-stock mail; none by default.
STAFF_EMAILS = env.list("STAFF_EMAILS", default=[])

# --- Language, time, files --------------------------------------------------------------------

LANGUAGE_CODE = "en"
TIME_ZONE = env.str("TIME_ZONE", default="Asia/Kolkata")
USE_I18N = False
FORMAT_MODULE_PATH = "allo.formats"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = STATE_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_URL = "media/"
MEDIA_ROOT = STATE_DIR / "media"
STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        # A picture's name contains a hash of its content, so the same name is the same picture.
        "OPTIONS": {"allow_overwrite": True},
    },
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# Open pages still refer to a picture that was replaced.
REPLACED_PICTURES_DAYS = env.int("REPLACED_PICTURES_DAYS", default=7)
WHITENOISE_MAX_AGE = 3600
WHITENOISE_KEEP_ONLY_HASHED_FILES = True

# --- Security ---------------------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "media-src": ["blob:"],
        "font-src": [SELF],
        "connect-src": [SELF, *([_live_origin[0]] if _live_origin else [])],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
# With `__Host-` no other subdomain can set it. See `reservations.shop.visitor`.
VISITOR_COOKIE_NAME = "__Host-allo_visitor" if HTTPS else "allo_visitor"
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
# Health probes reach the process directly, not through the HTTPS proxy.
SECURE_REDIRECT_EXEMPT = [r"^(livez|readyz)$"]
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

# --- Logs ---------------------------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "filters": {"one_line": {"()": "allo.logs.OneLine"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["one_line"],
        }
    },
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {"axes": {"level": "WARNING"}},
}
