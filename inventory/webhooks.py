"""The kinds of events about stock that webhooks can get."""

from allo.outbox.hooks.catalogue import register

register(
    "stock.low",
    "A product is low in a warehouse: so many units are left as its threshold says, or fewer. Once,"
    " until it is no longer low.",
    {
        "product": "tidal",
        "name": "Tidal",
        "warehouse": "blr-01",
        "total_units": 3,
        "reserved_units": 1,
        "available": 2,
        "low_from": 3,
    },
)
