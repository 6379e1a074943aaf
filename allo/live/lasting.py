"""What a live process does as long as it runs."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)

AGAIN_SECONDS = 1.0


async def lasting(run: Callable[[], Awaitable[None]]) -> None:
    """Begins again after an error, which is logged: else the streams would stay open and hear
    nothing any more, and nobody would know."""
    while True:
        try:
            await run()
        except Exception:
            logger.exception("a task of the live process begins again")
        await asyncio.sleep(AGAIN_SECONDS)
