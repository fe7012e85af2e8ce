"""Keeps alive what `minhu up` started: looks every two seconds, and starts again what has ended.

It and the keeper of the house do the same and so keep each other alive; killed together, the next `minhu` command says
so and starts them. Nothing is started after `minhu down`, nor while `up` or `down` is at work. `minhu up --stay`, what
systemd runs (`minhu service install`), keeps alive by itself what it brought up.
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


def asked_to_end() -> threading.Event:
    """Set once this process is asked to end."""
    ends = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ends.set())
    return ends


def main() -> None:
    if sys.argv[1:]:  # a unit of before, which had this module bring all up
        sys.exit("the unit is of an earlier version: minhu service install, then systemctl daemon-reload")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    keep_alive(Settings.from_env(), asked_to_end())


if __name__ == "__main__":
    main()
