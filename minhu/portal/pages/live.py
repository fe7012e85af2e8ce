"""运行态势: how the city runs, for an engineer's screen or a wall: no case, no text, only counts."""

from starlette.responses import Response

from minhu.portal.asking import Ask
from minhu.warehouse.live import live as counted


def live(ask: Ask) -> Response:
    """On a wall (``wall=1``) it fills the screen and fetches itself anew."""
    return ask.page("live.html", live=counted(ask.reads), is_wall=ask.wanted("wall") is not None)
