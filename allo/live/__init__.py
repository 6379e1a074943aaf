"""Live updates: what changed travels from whoever commits it to every open page.

    publish("product:7")  →  one channel of Redis  →  the live process  →  its event streams

A topic is `kind:id`; nothing here knows what the kinds mean. A page listens to the topics of the
tokens it was given (`allo.live.tokens`), to all of a kind by `kind:*`. Messages say only what
changed: the page asks for its own fresh fragment. A lost one costs at most a poll.
"""

from allo.live.publisher import publish

__all__ = ["publish"]
