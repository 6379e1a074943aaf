"""Live updates: after a commit, what changed is sent to every open page.

    publish("product:7")  →  one channel of Redis  →  the live process  →  its event streams

A topic is `kind:id`; nothing here depends on the kinds. A page subscribes to the topics of its
signed tokens (`allo.live.tokens`), and to all of a kind with `kind:*`. Messages name only the
topics that changed; the page requests its own fragments anew. If one is lost, the next poll
replaces it.
"""

from allo.live.publisher import publish

__all__ = ["publish"]
