"""Work in advance: what an iterator gives is made in a thread of its own, a few items before it is asked for."""

from collections.abc import Generator, Iterable
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

Item = TypeVar("Item")
_DONE = object()
_PATIENCE = 0.1


def ahead(items: Iterable[Item], depth: int = 1) -> Generator[Item, None, None]:
    """The same items in the same order; up to ``depth`` of them are ready before they are asked for.

    An exception comes up where its item would have. Whoever stops early closes the iterator, which ends the thread.
    """
    ready: Queue = Queue(depth)
    is_over = Event()

    def offer(given: object) -> bool:
        while not is_over.is_set():
            try:
                ready.put(given, timeout=_PATIENCE)
                return True
            except Full:
                continue
        return False

    def work() -> None:
        outcome: object = _DONE
        try:
            for item in items:
                if not offer(item):
                    break
        except BaseException as error:  # raised again where the items are used
            outcome = _Failure(error)
        finally:
            if close := getattr(items, "close", None):
                close()
        offer(outcome)

    thread = Thread(target=work, name="ahead", daemon=True)
    thread.start()
    try:
        while (given := ready.get()) is not _DONE:
            if isinstance(given, _Failure):
                raise given.error
            yield given
    finally:
        is_over.set()
        thread.join()


class _Failure:
    def __init__(self, error: BaseException):
        self.error = error
