"""待办: what waits for whoever looks, and what he enters: each act in place, with a reason, as himself.

A form names an act of `assess`; its fields are those of `minhu.assess.files`. Whether this person may do it, and
whether what he saw still stands, the database says.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

from starlette.datastructures import UploadFile
from starlette.responses import Response

from minhu import assess
from minhu.assess.attachments import MOST, SUBJECTS, Attachment
from minhu.assess.blank_sheet import ONE_OF
from minhu.assess.files import FORMS, LAYOUTS, Column, read_form
from minhu.errors import Refused
from minhu.glossary.cases import LEFT_OUT
from minhu.glossary.columns import HANDED_IN
from minhu.glossary.decided import ACT
from minhu.portal.asking import Ask, see
from minhu.publish.close import Closing, list_closings
from minhu.publish.diff import Diff, show_closing
from minhu.quality import list_held, release_batch
from minhu.warehouse.units import unit_names

ENTERS = {
    "evaluator": ("exclude", "enter_manual_point", "enter_violation", "waive", "file_appeal"),
    "unit": ("file_appeal",),
}
"""What each group enters: a page of its own for each."""
DECIDES = ("approve", "decide_appeal", "withdraw_appeal", "release_batch")
TEXTS = 100_000
"""Bytes of the fields of an act: a letter of Chinese takes nine of them."""
LONG = ("statement", "reason")
OPEN = ("filed", "overdue")
KINDS_OF_DAYS = {"expires_on": "date", "found_at": "datetime-local", "dispatched_at": "datetime-local"}


@dataclass(frozen=True)
class Inbox:
    """``closings``: those that await approval, each with what it changes and whether this person may approve it."""

    closings: list[tuple[Closing, Diff | None]] = field(default_factory=list)
    appeals: list[dict] = field(default_factory=list)
    unconfirmed: list[dict] = field(default_factory=list)
    held: list[dict] = field(default_factory=list)
    findings: list[dict] = field(default_factory=list)
    decided: list[dict] = field(default_factory=list)

    @property
    def anchors(self) -> set[str]:
        """The cards of the page, by their names: what another has decided meanwhile has none any more."""
        return {
            *(f"closing-{closing.closing_id}" for closing, _ in self.closings),
            *(f"appeal-{one['appeal_id']}" for one in self.appeals),
            *(f"{one['subject_kind']}-{one['subject_id']}" for one in self.unconfirmed),
            *(f"batch-{one['batch_id']}" for one in self.held),
        }


def gather(ask: Ask) -> Inbox:
    appeals = assess.listing(ask.reads, "appeals")
    pending = [one for one in appeals if one["state"] in OPEN]
    decided = sorted((one for one in appeals if one["state"] not in OPEN), key=lambda one: -one["appeal_id"])[:20]
    if ask.person.group != "evaluator":
        return Inbox(appeals=pending, decided=decided)
    awaiting = [one for one in list_closings(ask.reads) if one.state == "awaits_approval"]
    newest = {(one.scheme_id, one.period): one for one in sorted(awaiting, key=lambda one: one.closing_id)}
    return Inbox(
        closings=[show_closing(ask.reads, one.closing_id) for one in newest.values()],
        appeals=pending,
        unconfirmed=assess.listing(ask.reads, "unconfirmed"),
        held=list_held(ask.reads),
        findings=[
            one
            for one in assess.listing(ask.reads, "findings")
            if one["severity"] == "warning" and one["waiver_id"] is None
        ],
        decided=decided,
    )


def _attached(ask: Ask, found: Inbox) -> dict[tuple[str, int], list[Attachment]]:
    """What is attached to what stands there, by its kind and number."""
    subjects = [("appeal", one["appeal_id"]) for one in (*found.appeals, *found.decided)]
    subjects += [(one["subject_kind"], int(one["subject_id"])) for one in found.unconfirmed]
    told: dict[tuple[str, int], list[Attachment]] = {}
    for one in assess.attachments(ask.reads, subjects) if subjects else ():
        told.setdefault((one.subject_kind, one.subject_id), []).append(one)
    return told


def _units(found: Inbox) -> Iterator[str | None]:
    for one in (*found.appeals, *found.decided, *found.unconfirmed):
        yield one["unit_code"]


def inbox(ask: Ask, problem: str | None = None, at: str | None = None) -> Response:
    done, found = ask.wanted("done"), gather(ask)
    at = at or ask.written("at")
    return ask.page(
        "inbox.html",
        400 if problem else 200,
        found=found,
        names=unit_names(ask.reads, _units(found)),
        attached_to=_attached(ask, found),
        problem=problem,
        at=at if at in found.anchors else None,
        typed=dict(ask.form),
        done=done if done in ACT else None,
        enters=[(act, getattr(ACT[act], ask.lang)) for act in ENTERS.get(ask.person.group, ())],
        now=datetime.now(ask.reads.zone),
        reasons=[(code, getattr(word, ask.lang)) for code, word in LEFT_OUT.items()],
    )


def decide(ask: Ask) -> Response:
    """Does what a form of the inbox asks for; where it is refused the page comes back with why and what was typed."""
    act = ask.place("act")
    if act not in DECIDES:
        raise Refused(f"nothing of the inbox is called {act!r}")
    try:
        given = read_form(act, _fields(ask))
        if act == "release_batch":
            release_batch(ask.acts, int(str(given["batch_id"])), str(given["reason"]))
        else:
            assess.record(ask.acts, act, **given)
    except Refused as error:
        return inbox(ask, str(error))
    return see(f"/inbox?done={act}#{quote(ask.written('at') or '')}")


def enter(ask: Ask) -> Response:
    """The page of an act with its fields; entered, it leads back to the inbox."""
    act, problem = ask.place("act"), None
    if act not in ENTERS.get(ask.person.group, ()):
        raise Refused(f"nothing is entered by the name of {act!r} here")
    if ask.request.method == "POST":
        try:
            given, files = _fields(ask), files_of(ask) if act in SUBJECTS else []
            if files and "evidence_ref" in {one.name for one in FORMS[act]} and not given.get("evidence_ref"):
                given["evidence_ref"] = ask.said("见附件")
            assess.record_attached(ask.acts, act, read_form(act, given), files)
            return see(f"/inbox?done={act}")
        except Refused as error:
            problem = str(error)
    typed = {**dict(ask.request.query_params), **_fields(ask)}
    columns = [one for one in FORMS[act] if one.name not in _HIDDEN.get(ask.person.group, ())]
    return ask.page(
        "enter.html",
        400 if problem else 200,
        act=act,
        title=getattr(ACT[act], ask.lang),
        fields=[_field(ask, one, typed) for one in columns],
        problem=problem,
        takes_files=act in LAYOUTS,
        takes_attachments=act in SUBJECTS,
    )


_HIDDEN = {"unit": ("unit_code", "assignment_id")}
"""What a unit need not say: it speaks for itself."""


def most(ask: Ask) -> int:
    """Bytes of a form of an act: those of what is attached."""
    return 3 * MOST if ask.place("act") in SUBJECTS else TEXTS


def files_of(ask: Ask) -> list[tuple[str, bytes]]:
    """Names and bytes of what a form attaches. A field of files that was left empty brings none."""
    sent = [one for one in ask.form.getlist("attachment") if isinstance(one, UploadFile) and one.filename]
    return [(str(one.filename), one.file.read(MOST + 1)) for one in sent]


@dataclass(frozen=True)
class Field:
    name: str
    label: str
    kind: str
    is_required: bool
    value: str
    options: list[tuple[str, str]]


def _field(ask: Ask, column: Column, typed: dict[str, str]) -> Field:
    kind = ONE_OF.get(column.name)
    options = [(code, getattr(word, ask.lang)) for code, word in kind.items()] if kind else []
    shape = "choice" if options else "long" if column.name in LONG else KINDS_OF_DAYS.get(column.name, "text")
    label = getattr(HANDED_IN[column.name], ask.lang)
    return Field(column.name, label, shape, column.is_required, typed.get(column.name, ""), options)


def _fields(ask: Ask) -> dict[str, str]:
    return {name: value.replace("T", " ") if name in KINDS_OF_DAYS else value for name, value in ask.texts.items()}
