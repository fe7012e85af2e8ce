"""Serves the pages on this machine alone, until asked to end."""

import threading

import uvicorn

from minhu.database.sign_on import Provider
from minhu.portal.app import application
from minhu.portal.desk import Desk
from minhu.portal.runner import keep_running
from minhu.settings import Settings


def serve(settings: Settings, port: int, behind: str | None = None) -> None:
    """The logins of the portal have been made (`Desk.open`). ``behind``: the proxy whose word on the reader counts.

    Raises Refused on a standby.
    """
    Desk(settings).assert_on_primary()
    over = threading.Event()
    threading.Thread(target=keep_running, args=[settings, over], daemon=True).start()
    uvicorn.run(
        application(Desk(settings), Provider.from_env()),
        host="127.0.0.1",
        port=port,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=65,  # longer than readers look at a page: else it closes as they ask for the next
        proxy_headers=behind is not None,
        forwarded_allow_ips=behind,
    )
