"""Waiting rooms: the early are let in by lot, the others in order of arrival.

    shop: `join`  →  a signed place  →  live: the room's page  →  a signed ticket  →  shop: `check`

A room is a number with a line of visitors; what they wait for is not known here. It is all in Redis
and all decided there, by Redis's clock, in the scripts of `allo.live.rooms.store`. Every live
process calls `step` a few times a second, so that none of them leads. A place is signed with its
score: if Redis loses the room, the visitors' own contacts build it again.
"""
