"""Signals as a queue that can be waited for."""

import select
import signal
import socket
from types import FrameType
from typing import Self

STOP_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


class Stopped(Exception):
    """A signal stops the runner."""


class SignalQueue:
    """Handlers only queue the signal and raise nothing, so no step is interrupted half way."""

    def __enter__(self) -> Self:
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)
        signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, *STOP_SIGNALS):
            # nohup ignores SIGHUP, and it has to stay ignored.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, _already_queued)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        self._sender.close()
        self._receiver.close()

    def wait(self, seconds: float | None) -> set[int]:
        """Wait for a signal (SIGCHLD included); return those that mean stop."""
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
