"""办法: the schemes as they are in force, in words; what another version says otherwise."""

from dataclasses import dataclass
from datetime import date, datetime

from starlette.responses import Response

from minhu.portal.asking import Ask
from minhu.publish.laws import law, laws
from minhu.schemes.compare import compare
from minhu.schemes.scheme import PeerGroup, Scheme
from minhu.schemes.words import scoring_rule


@dataclass(frozen=True)
class Rule:
    """An indicator for a peer group. ``rule``: how it scores, in words; ``is_example``: no public source gives it."""

    name: str
    rule: str
    note: str | None
    is_example: bool


def schemes(ask: Ask) -> Response:
    return ask.page("schemes.html", laws=laws(ask.reads))


def scheme(ask: Ask) -> Response:
    """A version of a scheme; with ``from``, what it says otherwise than that one."""
    one = law(ask.reads, ask.place("scheme"), ask.wanted("version"))
    before = law(ask.reads, one.scheme.scheme_id, ask.wanted("from")) if ask.wanted("from") else None
    day = _day(one.scheme, datetime.now(ask.reads.zone))
    return ask.page(
        "scheme.html",
        law=one,
        scheme=one.scheme,
        day=day,
        by_group=[
            (group, one.scheme.points_max(group.code, day), _rules(one.scheme, group, day))
            for group in one.scheme.peer_groups
        ],
        before=before,
        changes=compare(before.scheme, one.scheme) if before else [],
        versions=laws(ask.reads, one.scheme.scheme_id),
        examples=one.scheme.examples,
    )


def _day(scheme: Scheme, now: datetime) -> date:
    """The day whose numbers are shown: today, where the scheme is in force."""
    today = max(scheme.valid_from, now.date())
    return today if scheme.valid_to is None or today < scheme.valid_to else scheme.valid_from


def _rules(scheme: Scheme, group: PeerGroup, day: date) -> list[Rule]:
    return [
        Rule(one.name_zh, scoring_rule(one, group.code, day), one.note, one.example)
        for one in scheme.lines
        if one.scores(group.code)
    ]
