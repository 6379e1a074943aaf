"""Runs what a live process does as long as it lives."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)

AGAIN_SECONDS = 1.0


async def lasting(run: Callable[[], Awaitable[None]]) -> None:
    """Begins again after an error, which is logged. Otherwise the streams would stay open without
    any message, and nobody would notice."""
    while True:
        try:
            await run()
        except Exception:
            logger.exception("a task of the live process begins again")
        await asyncio.sleep(AGAIN_SECONDS)
