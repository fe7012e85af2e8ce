"""A limit to how long an exchange with a server may take, wherever in it the server stalls or drips.

Whoever waits for a byte cannot look at a clock: a thread of its own shuts the socket when the time is over, and the one
that waits wakes with an error, or with an end that is none.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Timer


@contextmanager
def deadline(seconds: float, cut: Callable[[], None]) -> Iterator[Event]:
    """Calls ``cut`` once ``seconds`` are over; the event tells that they are."""
    has_passed = Event()

    def over() -> None:
        has_passed.set()
        cut()

    timer = Timer(seconds, over)
    timer.daemon = True
    timer.start()
    try:
        yield has_passed
    finally:
        timer.cancel()


def shut(watched: socket.socket | None) -> None:
    """Ends both directions of a socket; whoever waits on it wakes. Not by TLS, which would wait for the other side."""
    with suppress(OSError):
        if watched is not None:
            socket.socket.shutdown(watched, socket.SHUT_RDWR)
