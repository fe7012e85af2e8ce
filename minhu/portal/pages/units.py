"""单位: why a unit has its score, from the whole down to the file and row behind each lost point."""

from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import quote, urlencode

from starlette.responses import Response

from minhu import assess
from minhu.errors import Refused
from minhu.portal.asking import Ask, see
from minhu.portal.pages.home import newest
from minhu.publish.compared import Compared, compared
from minhu.publish.life import Case
from minhu.publish.standing import standing
from minhu.publish.stored_release import explain_release
from minhu.scoring import explain
from minhu.scoring.explanation import Cost, Explanation, IndicatorPart

MOST = 20
"""Rows of an indicator that the page opens with."""
DEAREST = 8
BESIDE: dict[str, object] = {
    "appeals": None,
    "may_appeal": False,
    "back": None,
    "closing": None,
    "beside": Compared(),  # of a closing that is not published nothing of the group is told
}
"""What stands beside a score that is neither published nor opened to its unit: nothing."""


@dataclass(frozen=True)
class Step:
    """An indicator in the fall from the full points to the sum: where it begins, where it ends."""

    part: IndicatorPart
    before: Decimal
    after: Decimal


def own(ask: Ask) -> Response:
    """The newest published month of the unit that one speaks for."""
    released = newest(ask)
    if not ask.person.units or not released:
        return see("/scores")
    last = released[0]
    return see(f"/units/{quote(ask.person.units[0])}/{last.period}?{urlencode({'scheme': last.scheme_id})}")


def unit(ask: Ask) -> Response:
    found = _explained(ask)
    appeals = assess.listing(ask.reads, "appeals", period=found.period, unit=found.unit_code)
    back = f"/scores/{found.scheme_id}/{found.period}?{urlencode(_of_view(found))}"
    beside = compared(
        ask.reads,
        found.unit_code,
        found.scheme_id,
        found.period,
        found.revision,
        is_draft=found.revision is None,
    )
    may_appeal = ask.person.group in ("unit", "evaluator")
    return show(ask, found, appeals=appeals, back=back, may_appeal=may_appeal, beside=beside)


def show(ask: Ask, found: Explanation, status: int = 200, **more: object) -> Response:
    """The page of a unit's score, published or not. ``more``: what stands beside it."""
    scored = standing(ask.reads, found.unit_code, found.scheme_id, found.period)
    steps, full = _steps(found)
    costs = [(step.part, cost) for step in steps for cost in step.part.costs]
    middle = next((one.median_100 for one in scored if one.period == found.period), None)
    here = ask.request.url
    return ask.page(
        "unit.html",
        status,
        found=found,
        steps=steps,
        full=full,
        floor=_floor(steps, full),
        lost=sum((step.part.lost or Decimal() for step in steps), Decimal()),
        rows=len(costs),
        dearest=_dearest(costs),
        scored=scored,
        middle=middle,
        only=ask.wanted("indicator"),
        most=MOST,
        rows_of=lambda code: f"{here.path}?{here.include_query_params(indicator=code).query}#{code}",
        case_path=case_path,
        **(BESIDE | more),
    )


def case_path(one: Case | Cost) -> str:
    """The page of a case, of anything that names its hotline and number."""
    return f"/cases/{quote(one.feed_code, safe='')}/{quote(one.case_no, safe='')}"


def _of_view(found: Explanation) -> dict[str, object]:
    kept: dict[str, object] = {"group": found.peer_group}
    return kept | ({"revision": found.revision} if found.revision else {"draft": 1})


def _explained(ask: Ask) -> Explanation:
    code, period, scheme = ask.place("code"), ask.place("period"), ask.wanted("scheme")
    if ask.person.group == "unit" and code not in ask.person.units:
        raise Refused(ask.said("本登录只能看本单位的明细；各单位的得分见考评。"))
    if ask.wanted("draft") is not None:
        return explain(ask.reads, code, period, scheme_id=scheme)
    return explain_release(ask.reads, code, period, revision=ask.number("revision"), scheme_id=scheme)


def _steps(found: Explanation) -> tuple[list[Step], Decimal]:
    """The indicators in the order of the law, each from where the one before it ended; and the points that were due."""
    full = sum((part.points_max for part in found.indicators if part.points is not None), Decimal())
    at, steps = full, []
    for part in found.indicators:
        moved = Decimal() if part.points is None else part.points - part.points_max
        steps.append(Step(part, at, at + moved))
        at = steps[-1].after
    return steps, full


def _floor(steps: list[Step], full: Decimal) -> Decimal:
    """Where the scale of the fall begins: a round number below its lowest end, so that small steps are seen."""
    lowest = min((step.after for step in steps), default=full)
    return max(Decimal(), Decimal(10) * ((lowest - 2) // 10))


def _dearest(costs: list[tuple[IndicatorPart, Cost]]) -> list[tuple[IndicatorPart, Cost]]:
    """The rows that are worth most by themselves; of rows alike one."""
    seen, dearest = set(), []
    worth = [one for one in costs if one[1].marginal]
    for part, cost in sorted(worth, key=lambda one: -(one[1].marginal or 0)):
        if (part.code, cost.marginal) not in seen:
            seen.add((part.code, cost.marginal))
            dearest.append((part, cost))
    return dearest[:DEAREST]
