"""Live updates: after a commit, what changed is sent to every open page.

    publish_events(events)  →  one channel of Redis  →  the live process  →  its event streams

A topic is `kind:id`; nothing here depends on the kinds. A page subscribes to the topics of its
signed tokens (`allo.live.tokens`). A message about stock carries its numbers, and pages request
nothing; of any other change it names the topic, and pages request their own parts anew. If a
message is lost, the next poll replaces it.
"""

from allo.live.publisher import publish

__all__ = ["publish"]
