"""The one Redis subscription of a live process, and whether it works."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from django.conf import settings
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from allo.live import channel
from allo.live.hub import Hub
from allo.live.message import Message
from allo.redis_client import async_client

logger = logging.getLogger(__name__)

# After so long without a message a PING is sent, and Redis has as long to respond.
SILENCE_SECONDS = 2.0
RETRY_SECONDS = 0.5


Hear = Callable[[list[Message]], None]


async def listen(url: str, hub: Hub, hear: Hear) -> None:
    """Passes on what changes, and to the hub the state of the subscription; runs until it is
    cancelled."""
    while True:
        try:
            await _hear(url, hub, hear)
        except (RedisError, OSError) as error:
            logger.warning("no subscription: %s", type(error).__name__)
        finally:
            hub.down()
        await asyncio.sleep(RETRY_SECONDS)


async def _hear(url: str, hub: Hub, hear: Hear) -> None:
    redis = async_client(url, connect=SILENCE_SECONDS, answer=None)
    async with redis, redis.pubsub() as subscription:
        await subscription.subscribe(settings.LIVE_CHANNEL)
        while True:
            await _next(subscription, hub, hear)


async def _next(subscription: PubSub, hub: Hub, hear: Hear) -> None:
    message = await _message(subscription)
    if message is None:
        await subscription.ping()
        message = await _message(subscription)
    if message is None:
        raise TimeoutError
    if message["type"] == "subscribe":
        hub.up()
    elif message["type"] == "message":
        _pass_on(message["data"], hear)


def _pass_on(sent: bytes, hear: Hear) -> None:
    try:
        messages = channel.unpack(sent)
    except ValueError:
        # During an update, for instance, from a process of another version.
        logger.warning("a message that cannot be read: %r", sent[:100])
    else:
        hear(messages)


async def _message(subscription: PubSub) -> dict[str, Any] | None:
    message: dict[str, Any] | None = await subscription.get_message(timeout=SILENCE_SECONDS)
    return message
