"""The shop's rules, see docs/how-it-works.md; 0 switches a limit off."""

import re

from django.core.exceptions import ImproperlyConfigured

from allo.settings.environment import env

RESERVATION_TTL_SECONDS = env.int("RESERVATION_TTL_SECONDS", default=600)
RESERVATION_MAX_RENEWALS = env.int("RESERVATION_MAX_RENEWALS", default=2)
RESERVATION_MAX_UNITS = env.int("RESERVATION_MAX_UNITS", default=10)
RESERVATION_MAX_LIVE = env.int("RESERVATION_MAX_LIVE", default=5)
RESERVATION_MAX_UNITS_PER_ADDRESS = env.int("RESERVATION_MAX_UNITS_PER_ADDRESS", default=20)
# After two holds of a product that ended unpaid, after three, and after more; "off" for none.
_minutes = env.str("RESERVATION_COOL_DOWN_MINUTES", default="5,30,120")
if not re.fullmatch(r"off|[1-9]\d{0,4}(,[1-9]\d{0,4})*", _minutes):
    raise ImproperlyConfigured(
        f'RESERVATION_COOL_DOWN_MINUTES is "{_minutes}"; give minutes, "5,30,120", or "off".'
    )
RESERVATION_COOL_DOWN_MINUTES = [] if _minutes == "off" else [*map(int, _minutes.split(","))]
RESERVATION_UNPAID_PER_HALVING = env.int("RESERVATION_UNPAID_PER_HALVING", default=10)
# How many times as much a /24 or a /56 may hold, and a /48.
RESERVATION_AROUND_FACTORS = env.list("RESERVATION_AROUND_FACTORS", int, default=[4, 16])
if len(RESERVATION_AROUND_FACTORS) != 2 or min(RESERVATION_AROUND_FACTORS) < 0:
    raise ImproperlyConfigured('RESERVATION_AROUND_FACTORS are two numbers, such as "4,16".')
# In percent of what a product has in all warehouses.
RESERVATION_MAX_SHARE = env.int("RESERVATION_MAX_SHARE", default=25)
# How long an offer to somebody on the waiting list lasts, and on the first day after an opening.
OFFER_TTL_SECONDS = env.int("OFFER_TTL_SECONDS", default=3600)
OFFER_TTL_IN_DROP_SECONDS = env.int("OFFER_TTL_IN_DROP_SECONDS", default=900)
WAITING_PER_NETWORK = env.int("WAITING_PER_NETWORK", default=5)
# What serves the waiting list of a product: see `inventory.serving`.
LIST_SERVER = "reservations.waiting.services.serve"
RESERVE_RATE = env.str("RESERVE_RATE", default="30/m")
API_RATE = env.str("API_RATE", default="120/m")
LOGIN_RATE = env.str("LOGIN_RATE", default="30/m")
PAY_RATE = env.str("PAY_RATE", default="30/m")
FIND_ORDER_RATE = env.str("FIND_ORDER_RATE", default="10/h")
CODE_RATE = env.str("CODE_RATE", default="30/h")
for _name in (
    "RESERVE_RATE", "PAY_RATE", "API_RATE", "LOGIN_RATE", "FIND_ORDER_RATE", "CODE_RATE",
):  # fmt: skip
    _rate = globals()[_name]
    if not re.fullmatch(r"off|[1-9]\d*/[smh]", _rate):
        raise ImproperlyConfigured(f'{_name} is "{_rate}"; give "30/m", "5/s" or "off".')
# Before an opening, and after it; the second is 0 for no waiting rooms.
ROOM_OPENS_BEFORE_SECONDS = env.int("ROOM_OPENS_BEFORE_SECONDS", default=1800)
ROOM_LASTS_SECONDS = env.int("ROOM_LASTS_SECONDS", default=3600)
EXPIRY_SWEEP_SECONDS = min(env.int("EXPIRY_SWEEP_SECONDS", default=10), 60)

# After how long the clock deletes old rows. Sessions are deleted when they expire.
KEEP_KEYS_HOURS = env.int("KEEP_KEYS_HOURS", default=24)
KEEP_SWEEPS_DAYS = env.int("KEEP_SWEEPS_DAYS", default=7)
KEEP_IMPORTS_DAYS = env.int("KEEP_IMPORTS_DAYS", default=30)
KEEP_IMPORT_LINES_DAYS = env.int("KEEP_IMPORT_LINES_DAYS", default=365)
KEEP_SIGN_INS_DAYS = env.int("KEEP_SIGN_INS_DAYS", default=90)
KEEP_MESSAGES_DAYS = env.int("KEEP_MESSAGES_DAYS", default=90)
KEEP_EVENTS_DAYS = env.int("KEEP_EVENTS_DAYS", default=30)
KEEP_DROPPED_ORDERS_DAYS = env.int("KEEP_DROPPED_ORDERS_DAYS", default=30)
KEEP_DRAFTS_DAYS = env.int("KEEP_DRAFTS_DAYS", default=30)
KEEP_NETWORKS_DAYS = env.int("KEEP_NETWORKS_DAYS", default=30)
KEEP_UNCONFIRMED_HOURS = env.int("KEEP_UNCONFIRMED_HOURS", default=24)
KEEP_WAITING_DAYS = env.int("KEEP_WAITING_DAYS", default=30)
KEEP_VISITORS_DAYS = env.int("KEEP_VISITORS_DAYS", default=180)
ORDER_RETENTION_YEARS = env.int("ORDER_RETENTION_YEARS", default=8)
# Below these the shop would forget what it still works with.
for _name, _least in {
    # Events are tried for a day.
    "KEEP_EVENTS_DAYS": 2,
    "KEEP_DROPPED_ORDERS_DAYS": 2,
    "KEEP_DRAFTS_DAYS": 2,
    "KEEP_NETWORKS_DAYS": 2,
    "KEEP_VISITORS_DAYS": 2,
    "ORDER_RETENTION_YEARS": 1,
}.items():
    if globals()[_name] < _least:
        raise ImproperlyConfigured(f"{_name} is {globals()[_name]}; give {_least} or more.")
KEEP_AUDITS_DAYS = env.int("KEEP_AUDITS_DAYS", default=365)
# After how long the nightly audit looks at all history again.
AUDIT_WHOLE_DAYS = env.int("AUDIT_WHOLE_DAYS", default=7)
