"""Standard output that a full disk does not stop: what cannot be written is lost, and nobody dies of it.

Airflow's services write their logs there. One that failed to write a line ended in the middle of its work, and a
scheduler then waited for its workers for ever. Tested by `tests/services/test_daemons.py`.
"""

import io
import os
import sys
from contextlib import suppress
from typing import Any


class Lossy(io.RawIOBase):
    """Writes to a descriptor whatever can be written."""

    def __init__(self, descriptor: int):
        self._descriptor = descriptor

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: Any) -> int:
        with suppress(OSError):
            os.write(self._descriptor, data)
        return memoryview(data).nbytes


def install() -> None:
    """From now on what this process prints never fails, nor what its forks print."""
    for name in ("stdout", "stderr"):
        lossy = Lossy(getattr(sys, name).fileno())
        setattr(sys, name, io.TextIOWrapper(lossy, "utf-8", "backslashreplace", write_through=True))
