"""各市: of a province how each city stands, what it published, and who stands where over all of them."""

from starlette.responses import Response

from minhu import database
from minhu.portal.asking import Ask
from minhu.publish.province import province as read


def province(ask: Ask) -> Response:
    with database.connect(ask.reads, at_one_moment=True) as connection:
        found = read(connection, ask.wanted("period"), ask.wanted("group"))
    return ask.page("province.html", province=found)
