"""公平性: of a scored period how much is chance, what decides the order, whose band holds, who stands on an edge.

For evaluators and auditors. Nothing on it moves a point.
"""

import threading
from collections import OrderedDict
from urllib.parse import quote, urlencode

from starlette.responses import Response

from minhu import database
from minhu.portal.asking import Ask, NoPage
from minhu.publish.fairness import fairness as read
from minhu.publish.stored_release import stored_score
from minhu.schemes.period import Period
from minhu.scoring.fairness import Fairness
from minhu.scoring.render_fairness import shaky

READERS = ("evaluator", "auditor")
MOST_KEPT = 8
MOST_UNITS = 50
"""Units of a list that the page shows; the command gives all."""
_kept: "OrderedDict[tuple[object, ...], Fairness]" = OrderedDict()
_alone = threading.Lock()


def path_to(ask: Ask, scheme_id: str, period: str, revision: int | None) -> str | None:
    """Where the report of a score is, for whom it is; ``revision`` null of a draft."""
    if ask.person.group not in READERS:
        return None
    which: dict[str, object] = {"revision": revision} if revision else {"draft": 1}
    return f"/fairness?{urlencode({'scheme': scheme_id, 'period': period, **which})}"


def fairness(ask: Ask) -> Response:
    if ask.person.group not in READERS:
        raise NoPage
    found = _report(ask)
    kept: dict[str, object] = {"revision": found.revision} if found.revision else {"draft": 1}
    return ask.page(
        "fairness.html",
        found=found,
        shaky={group.code: shaky(group) for group in found.groups},
        most=MOST_UNITS,
        back=f"/scores/{found.scheme_id}/{found.period}?{urlencode(kept)}",
        unit_path=lambda code: f"/units/{quote(code)}/{found.period}?{urlencode({'scheme': found.scheme_id, **kept})}",
    )


def _report(ask: Ask) -> Fairness:
    """The report, kept of what does not change: a release, or the score of a run. The database says first, to whoever
    asks, which it is."""
    period, scheme, revision = ask.wanted("period") or "", ask.wanted("scheme"), ask.number("revision")
    is_draft = ask.wanted("draft") is not None
    with database.connect(ask.reads) as connection:
        stored = stored_score(connection, Period.parse(period), scheme, revision=revision, is_draft=is_draft)
        place = connection.info.port, connection.info.dbname
    key = (*place, *stored.key.values(), stored.run.run_no)
    may_keep = stored.revision is not None or stored.run.run_no > 0
    with _alone:
        if may_keep and key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    found = read(ask.reads, period, scheme, revision=revision, is_draft=is_draft)
    with _alone:
        if may_keep:
            _kept[key] = found
        while len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
    return found
