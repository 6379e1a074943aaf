"""Signals as a queue that can be waited for."""

import select
import signal
import socket
from types import FrameType
from typing import Self

STOP_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


class Stopped(Exception):
    """The runner was asked to stop."""


class SignalQueue:
    """Nothing is ever raised from inside a handler, so no step is torn in the middle."""

    def __enter__(self) -> Self:
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)
        signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, *STOP_SIGNALS):
            # Under nohup a hang-up is ignored, and has to stay so.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, _already_queued)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        self._sender.close()
        self._receiver.close()

    def wait(self, seconds: float | None) -> set[int]:
        """Wait for a signal (a child's end is one); return those that ask to stop."""
        select.select([self._receiver], [], [], seconds)
        try:
            return set(self._receiver.recv(4096)) & STOP_SIGNALS
        except BlockingIOError:
            return set()

    def pause(self, seconds: float | None) -> None:
        if self.wait(seconds):
            raise Stopped


def _already_queued(_number: int, _frame: FrameType | None) -> None:
    pass
