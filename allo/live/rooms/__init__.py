"""Waiting rooms. Visitors who come before the opening are let in by lot, later ones in the order of
their arrival.

    shop: `join`  →  a signed place  →  live: the room's page  →  a signed ticket  →  shop: `check`

A room is a number with a line of visitors; this package does not know what they wait for. All of a
room's state is in Redis, and each decision is a script that runs there, by Redis's clock
(`allo.live.rooms.store`). Every live process calls `step` a few times a second, so none has to
lead. A place is signed with its score: if Redis loses the room, the open pages of the visitors
build it again.
"""
