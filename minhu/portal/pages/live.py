"""运行态势: how the city runs, for an engineer's screen or a wall: no case, no text, only counts."""

from dataclasses import replace

from starlette.responses import Response

from minhu import database
from minhu.portal.asking import Ask
from minhu.publish.province import is_joined
from minhu.warehouse.live import live as counted
from minhu.warehouse.live import without_small

AREAS_ON_WALL = 24


def live(ask: Ask) -> Response:
    """On a wall (``wall=1``) it fills the screen and fetches itself anew; who passes by sees no small cell."""
    found, is_wall = counted(ask.reads), ask.wanted("wall") is not None
    if found and is_wall:
        fullest = sorted(found.areas, key=lambda one: one.intake or 0, reverse=True)[:AREAS_ON_WALL]
        found = replace(found, areas=tuple(fullest))
    if found and (is_wall or ask.person.is_outside):
        found = without_small(found)
    with database.connect(ask.reads) as connection:
        has_cities = not is_wall and is_joined(connection)
    return ask.page("live.html", live=found, is_wall=is_wall, has_cities=has_cities)
