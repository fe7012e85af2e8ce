"""Shows that long work goes on: a bar on a terminal, a plain line now and then in a log."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SECONDS_BETWEEN_LINES = 5


@contextmanager
def progress(total: int, what: str) -> Iterator[Callable[[str], None]]:
    """Gives a function to call after each of ``total`` steps with the step's name. Writes to stderr."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(what, total=total)
            yield lambda step: bar.update(task, advance=1, description=f"{what}: {step}")
        return
    done, told = 0, time.monotonic()

    def advance(step: str) -> None:
        nonlocal done, told
        done += 1
        if time.monotonic() - told >= SECONDS_BETWEEN_LINES or done == total:
            told = time.monotonic()
            print(f"{what}: {done}/{total} {step}", file=sys.stderr, flush=True)

    yield advance
