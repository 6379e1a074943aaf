"""Webhooks: events are written in the transaction of what happened, and posted after it, signed, to
the addresses that staff gave. Knows nothing of shops.

`writing` tells of events, `fanning` makes a delivery to each webhook of them,
`delivering.deliver_due` posts what is due, `services` is what staff do. Apps register the kinds of
their events in a module `webhooks` (see `catalogue`).
"""
