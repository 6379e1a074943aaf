"""Has the waiting list served soon after units became free for it, from a thread of its own: nobody
who gives units back has to wait for that, and nothing but the database is needed."""

import logging
import os
from collections.abc import Iterable
from threading import Condition, Thread

from django.conf import settings
from django.db import connections
from django.utils.module_loading import import_string

logger = logging.getLogger(__name__)


class Server:
    """The products to be served, and the one thread that serves them; reset in a forked child. If
    it fails, or its process dies, the next sweep serves them."""

    def __init__(self) -> None:
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._products: set[int] = set()
        self._something = Condition()
        self._thread: Thread | None = None

    def add(self, products: Iterable[int]) -> None:
        with self._something:
            self._products.update(products)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="waiting list", daemon=True)
                self._thread.start()
            self._something.notify()

    def _run(self) -> None:
        while True:
            with self._something:
                self._something.wait_for(lambda: self._products)
                products, self._products = self._products, set()
            for product in products:
                self._serve(product)
            connections.close_all()

    def _serve(self, product: int) -> None:
        try:
            import_string(settings.LIST_SERVER)(product)
        except Exception as error:  # any error: the thread has to go on
            logger.warning("a waiting list is left to the sweep: %s", type(error).__name__)


_server = Server()


def serve_soon(products: Iterable[int]) -> None:
    """Call it after the commit. It takes microseconds."""
    _server.add(products)
