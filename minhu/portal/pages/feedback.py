"""核对: a closed period that units look at before it is published, each its own, and what they say of it."""

from urllib.parse import quote

from starlette.responses import Response

from minhu import assess
from minhu.assess.files import read_form
from minhu.errors import Refused
from minhu.glossary.decided import ACT, REMARK_STATE
from minhu.portal.asking import Ask, see
from minhu.portal.pages.units import show
from minhu.publish.close import Closing, list_closings
from minhu.publish.diff import list_releases
from minhu.publish.feedback import explain_closing
from minhu.publish.feedback import feedback as looks
from minhu.warehouse.units import unit_names

DECIDES = ("open_feedback", "answer_remark")


def feedback(ask: Ask, problem: str | None = None) -> Response:
    found = looks(ask.reads)
    evaluates = ask.person.group == "evaluator"
    done, remarks = ask.wanted("done"), assess.listing(ask.reads, "remarks")
    return ask.page(
        "feedback.html",
        400 if problem else 200,
        found=found,
        remarks=remarks,
        names=unit_names(ask.reads, [*ask.person.units, *(one["unit_code"] for one in remarks)]),
        openable=_openable(ask, {one.closing_id for one in found}) if evaluates else [],
        outcomes=[code for code in REMARK_STATE if code != "unanswered"],
        problem=problem,
        at=ask.written("remark_id"),
        typed=ask.written("reason") or "",
        done=done if done in ACT else None,
    )


def _openable(ask: Ask, opened_before: set[int]) -> list[Closing]:
    """The newest closing of each period and scheme of which nothing is published, where it is not open already."""
    published = {(one.scheme_id, one.period) for one in list_releases(ask.reads)}
    newest = {
        (one.scheme_id, one.period): one
        for one in sorted(list_closings(ask.reads), key=lambda one: one.closing_id)
        if (one.scheme_id, one.period) not in published
    }
    return [one for one in newest.values() if one.closing_id not in opened_before and one.state != "rejected"]


def decide(ask: Ask) -> Response:
    act = ask.place("act")
    if act not in DECIDES:
        raise Refused(f"nothing of the inbox is called {act!r}")
    try:
        assess.record(ask.acts, act, **read_form(act, ask.texts))
    except Refused as error:
        return feedback(ask, str(error))
    return see(f"/feedback?done={act}")


def unit(ask: Ask) -> Response:
    """A unit's own numbers as they were closed, marked as not published, and what it remarks on them."""
    closing, code, problem = ask.place_number("closing"), ask.place("code"), None
    if ask.request.method == "POST":
        try:
            given = read_form("remark", ask.texts | {"closing_id": str(closing), "unit_code": code})
            assess.record(ask.acts, "remark", **given)
            return see(f"/feedback/{closing}/{quote(code)}?done=remark#remarks")
        except Refused as error:
            problem = str(error)
    told = explain_closing(ask.reads, closing, code)
    of = next((one for one in looks(ask.reads) if one.closing_id == closing), None)
    remarks = assess.listing(ask.reads, "remarks", period=told.period, unit=code)
    return show(
        ask,
        told,
        status=400 if problem else 200,
        closing=closing,
        feedback=of,
        remarks=[one for one in remarks if one["closing_id"] == closing],
        problem=problem,
        typed={**dict(ask.request.query_params), **ask.texts},
        done=ask.wanted("done") == "remark",
    )
