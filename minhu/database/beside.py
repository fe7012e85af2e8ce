"""What this process does while it waits for the database."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def beside(work: Callable[[], object], name: str) -> Iterator[None]:
    """Does ``work`` in a thread beside the block, and ends with it.

    It prepares what is asked for again later: what it raises is raised there.
    """

    def do() -> None:
        with suppress(Exception):
            work()

    thread = threading.Thread(target=do, name=name)
    thread.start()
    try:
        yield
    finally:
        thread.join()
