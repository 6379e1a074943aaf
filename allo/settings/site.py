"""Applications, pages, files, mail and logs."""

from django.core.exceptions import ImproperlyConfigured

from allo.outbox.addresses import BadAddress, checked
from allo.settings.environment import ALLOWED_HOSTS, BASE_DIR, HTTPS, PRODUCTION, STATE_DIR, env

INSTALLED_APPS = [
    "allo",
    "allo.outbox",
    "allo.codes",
    "allo.accounts",
    "allo.site",
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
    "allo.web.watched.ViewMiddleware",
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
    "allo.accounts.signed_out.SignedOutMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

AUTHENTICATION_BACKENDS = [
    "allo.staff.login.PasswordBackend",
    "allo.accounts.backend.CodeBackend",
]

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

FORM_RENDERER = "allo.web.form_renderer.Renderer"

# --- Shared pages ----------------------------------------------------------------------------

# Off, each page is rendered for each request.
SHARED_PAGES = env.bool("SHARED_PAGES", default=True)
# Threads of a web process; at most half of them wait for pages that others render.
WEB_THREADS = env.int("WEB_THREADS", default=16)

# --- Language, time, files --------------------------------------------------------------------

LANGUAGE_CODE = "en"
TIME_ZONE = env.str("TIME_ZONE", default="Asia/Kolkata")
USE_I18N = False
FORMAT_MODULE_PATH = "allo.formats"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = STATE_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Open pages still refer to a picture that was replaced.
REPLACED_PICTURES_DAYS = env.int("REPLACED_PICTURES_DAYS", default=7)
WHITENOISE_MAX_AGE = 3600
WHITENOISE_KEEP_ONLY_HASHED_FILES = True

# Where links in mail lead.
_host = next(iter(ALLOWED_HOSTS), "localhost").lstrip(".")
SITE_URL = env.str("SITE_URL", default=f"{'https' if HTTPS else 'http'}://{_host}").rstrip("/")

# --- Mail -----------------------------------------------------------------------------------

# Without a server mail waits; outside production it is a file, and that is all.
_mail = env.email_url("EMAIL_URL", default="dummymail://")
EMAIL_BACKEND, EMAIL_HOST, EMAIL_PORT = (
    _mail["EMAIL_BACKEND"], _mail["EMAIL_HOST"], _mail["EMAIL_PORT"] or 25,
)  # fmt: skip
if PRODUCTION and not env.str("EMAIL_URL", default=""):
    EMAIL_BACKEND = "allo.outbox.nowhere.NoServer"
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail["EMAIL_HOST_USER"], _mail["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS, EMAIL_USE_SSL = _mail.get("EMAIL_USE_TLS", False), _mail.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("MAIL_FROM", default="allo@localhost")
# The recipients of low-stock mail; none by default.
STAFF_EMAILS = env.list("STAFF_EMAILS", default=[])
for _address in STAFF_EMAILS:
    try:
        checked(_address)
    except BadAddress as _error:
        raise ImproperlyConfigured(f'STAFF_EMAILS has "{_address}". {_error}') from None
# Where each mail is a file as well; it may contain codes and signed links.
MAIL_FOLDER = None if PRODUCTION else STATE_DIR / "mail"
