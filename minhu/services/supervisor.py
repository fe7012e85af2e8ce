"""Keeps alive what `minhu up` started: looks every two seconds, and starts again what has ended.

It and the keeper of the house do the same and so keep each other alive; killed together, the next `minhu` command says
so and starts them. Nothing is started after `minhu down`, nor while `up` or `down` is at work. In the foreground it is
what systemd runs (`minhu service install`): it brings all up, and takes all down when it is asked to end.
"""

import logging
import signal
import sys
import threading

import psycopg

from minhu.errors import MinhuError
from minhu.services import control, daemons
from minhu.settings import Settings

EVERY = 2.0
"""Seconds."""
log = logging.getLogger("minhu.supervisor")


def keep_alive(settings: Settings, ends: threading.Event) -> None:
    """Mends until ``ends`` is set. What cannot be started now is tried again, less and less often."""
    daemons.hold_alone()
    failed = ""
    while not ends.wait(EVERY):
        try:
            for name in control.mend(settings):
                log.warning("%s had ended and was started again", name)
            failed = ""
        except (MinhuError, OSError, psycopg.Error) as error:
            said = str(error).partition("\n")[0]
            if said != failed:
                log.warning("cannot mend: %s", said)
            failed = said


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    settings, ends = Settings.from_env(), threading.Event()
    is_in_front = "--foreground" in sys.argv
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ends.set())
    if is_in_front:
        control.up(settings, lambda line: log.info("%s", line), is_supervised=True)
    keep_alive(settings, ends)
    if is_in_front:
        control.down(settings)


if __name__ == "__main__":
    main()
