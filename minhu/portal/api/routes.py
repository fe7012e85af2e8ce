"""What can be asked, and told. Every route asks one function of the house; what a login may, the database decides."""

import asyncio
import hashlib
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from psycopg.rows import dict_row
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response

from minhu import assess, database
from minhu.assess.attachments import MOST, Attachment
from minhu.assess.files import FORMS, read_form
from minhu.errors import Refused
from minhu.feeds.posted import TooLarge
from minhu.glossary import cases as of_cases
from minhu.glossary import columns, decided, delivered, law
from minhu.glossary.kind import Kind
from minhu.portal import jobs, posting
from minhu.portal.api.answers import After, Limit, Page, after, one, page, plainly
from minhu.portal.api.calling import Asked, Problem
from minhu.portal.api.shapes import (
    Appeal,
    Batch,
    Checked,
    Credentials,
    Failure,
    Finding,
    Given,
    JobAsked,
    JobWanted,
    Key,
    KeyMade,
    KeyWanted,
    Me,
    Published,
    Recorded,
    Run,
    SchemeInForce,
    Sessions,
    UnitOfCity,
    Words,
)
from minhu.portal.runner import file_of
from minhu.portal.shown import XLSX, saved_as
from minhu.publish import listed, verify
from minhu.publish.close import Release
from minhu.publish.diff import Diff, diff, list_releases
from minhu.publish.life import Case, Life, find_cases, life
from minhu.publish.stored_release import explain_release
from minhu.quality import release_batch
from minhu.quality.last_runs import failures, last_runs
from minhu.schemes.scheme import Scheme
from minhu.scoring.explanation import Explanation
from minhu.warehouse import accounts
from minhu.warehouse.deliveries import Delivery, deliveries
from minhu.warehouse.dictionary import dictionary

FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            XLSX: {"schema": {"type": "string", "format": "binary"}},
        }
    },
    304: {"description": "It is what you have (If-None-Match)."},
}
WRONG: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "content": {"application/problem+json": {}}, "description": told}
    for status, told in (
        (400, "Refused, with why"),
        (401, "No key, or one that has ended"),
        (403, "Not for this group"),
        (404, "There is no such address"),
        (413, "The body is too large"),
        (422, "A part does not fit"),
        (429, "Too many at once"),
        (503, "Try again later"),
    )
}
router = APIRouter(responses=WRONG)

Text = Annotated[str, Path(max_length=200, pattern=r"^[^\x00]+$")]
Period = Annotated[str, Query(max_length=7, pattern=r"^\d{4}(-(\d\d|Q\d))?$", examples=["2026-10"])]
PeriodOf = Annotated[str, Path(max_length=7, pattern=r"^\d{4}(-(\d\d|Q\d))?$", examples=["2026-10"])]
Code = Annotated[str, Query(max_length=100, pattern=r"^[^\x00]+$", examples=["linan"])]
Maybe = Annotated[str | None, Query(max_length=100, pattern=r"^[^\x00]+$")]
Revision = Annotated[int | None, Query(ge=1, le=10_000, description="The newest unless given.", examples=[None])]
Number = Annotated[int, Path(ge=1, le=2**53)]
Subject = Annotated[Literal["appeal", "exclusion", "manual_point", "violation"], Path()]


# Who asks


@router.post("/sessions", tags=["access"], responses={200: {"model": Sessions}})
def sign_in(request: Request, given: Credentials) -> Sessions:
    """Sign in with a login of the database. For a program a key is better: make one with the token of a session."""
    address = request.client.host if request.client else ""
    session = request.app.state.desk.sign_in(given.name, given.password, address, given.code)
    return Sessions(token=session.cookie)


@router.delete("/sessions/current", tags=["access"], status_code=204)
def sign_out(asked: Asked) -> None:
    """End the session that asks."""
    asked.desk.sign_out(asked.session)


@router.get("/me", tags=["access"])
def me(asked: Asked) -> Me:
    """Who asks, and for which units he speaks."""
    person = asked.person
    return Me(login=person.login, group=person.group, units=list(person.units))


@router.get("/keys", tags=["access"], response_model=Page[Key])
def keys(request: Request, asked: Asked) -> Response:
    """The keys that you have made."""
    return page(request, _rows(asked, "select * from portal.own_keys()"), None, None)


@router.post("/keys", tags=["access"], status_code=201)
def make_key(asked: Asked, given: KeyWanted) -> KeyMade:
    """Make a key for a program. It asks as you; it decides nothing unless `may_decide`. Its token is told once."""
    number, token = asked.desk.make_key(asked.session, given.name, given.may_decide, timedelta(days=given.days))
    return KeyMade(key_id=number, token=token)


@router.delete("/keys/{key_id}", tags=["access"], status_code=204)
def revoke_key(asked: Asked, key_id: Number) -> None:
    """End a key of yours."""
    with database.connect(asked.acts) as connection:
        database.act(connection, "portal.revoke_key", {"key_id": key_id})


# What is published


@router.get("/schemes", tags=["scores"], response_model=Page[SchemeInForce], responses=FILES)
def schemes(request: Request, asked: Asked) -> Response:
    """The assessment schemes in force."""
    query = "select data from config.entry where kind = 'scheme' and until_version is null order by key"
    found = [Scheme.from_entry(row["data"]) for row in _rows(asked, query)]
    told = [
        {
            "scheme_id": scheme.scheme_id,
            "scheme_version": scheme.scheme_version,
            "title": scheme.title,
            "valid_from": scheme.valid_from,
            "valid_to": scheme.valid_to,
            "indicators": [line.code for line in scheme.lines],
        }
        for scheme in found
    ]
    return page(request, told, None, None)


@router.get("/periods", tags=["scores"], response_model=Page[Published], responses=FILES)
def periods(request: Request, asked: Asked) -> Response:
    """What is published: of each scheme and period the newest revision."""
    newest = {(one_of.scheme_id, one_of.period): one_of for one_of in list_releases(asked.reads)}
    names = ("scheme_id", "period", "revision", "published_at", "hash")
    rows = [{name: getattr(told, name) for name in names} for _, told in sorted(newest.items(), reverse=True)]
    return page(request, rows, None, None)


@router.get("/scores", tags=["scores"], response_model=Page[listed.Score], responses=FILES)
def scores(
    request: Request,
    asked: Asked,
    scheme: Code,
    period: Period,
    revision: Revision = None,
    group: Maybe = None,
    limit: Limit = 100,
    following: Annotated[After, Query(alias="after")] = None,
) -> Response:
    """The scores of units, by code."""
    last = after(following, 1)
    release, rows = listed.scores(
        asked.reads,
        listed.Of(scheme, period, revision),
        group=group,
        after=last[0] if last else None,
        most=limit,
    )
    about = f"scores {release.scheme_id} {release.period} revision {release.revision}"
    return page(request, rows, limit, lambda row: (row.unit_code,), log=(asked.acts, about), tag=_tag(release, request))


@router.get("/indicators", tags=["scores"], response_model=Page[listed.Indicator], responses=FILES)
def indicators(
    request: Request,
    asked: Asked,
    scheme: Code,
    period: Period,
    revision: Revision = None,
    unit: Maybe = None,
    indicator: Maybe = None,
    limit: Limit = 100,
    following: Annotated[After, Query(alias="after")] = None,
) -> Response:
    """What units were scored by: counts, value, interval, target, points."""
    last = after(following, 2)
    release, rows = listed.indicators(
        asked.reads,
        listed.Of(scheme, period, revision),
        unit=unit,
        indicator=indicator,
        after=(last[0], last[1]) if last else None,
        most=limit,
    )
    about = f"indicators {release.scheme_id} {release.period} revision {release.revision}"
    return page(
        request,
        rows,
        limit,
        lambda row: (row.unit_code, row.indicator_code),
        log=(asked.acts, about),
        tag=_tag(release, request),
    )


@router.get("/evidence", tags=["scores"], response_model=Page[listed.Evidence], responses=FILES)
def evidence(
    request: Request,
    asked: Asked,
    scheme: Code,
    period: Period,
    unit: Code,
    revision: Revision = None,
    indicator: Maybe = None,
    limit: Limit = 100,
    following: Annotated[After, Query(alias="after")] = None,
) -> Response:
    """The rows that cost a unit points, or count for nobody. A unit reads its own."""
    last = after(following, 3)
    release, rows = listed.evidence(
        asked.reads,
        listed.Of(scheme, period, revision),
        unit,
        indicator=indicator,
        after=(last[0], last[1], last[2]) if last else None,
        most=limit,
    )
    about = f"evidence {release.scheme_id} {release.period} revision {release.revision} {unit}"
    return page(
        request,
        rows,
        limit,
        lambda row: (row.indicator_code, row.subject_kind, row.subject_id),
        log=(asked.acts, about),
    )


@router.get("/releases", tags=["scores"], response_model=Page[Release], responses=FILES)
def releases(request: Request, asked: Asked) -> Response:
    """Every release of every period, the first one first."""
    return page(request, list_releases(asked.reads), None, None)


@router.get("/releases/{scheme}/{period}/diff", tags=["scores"], response_model=Diff)
def changes(request: Request, asked: Asked, scheme: Text, period: PeriodOf, revision: Revision = None) -> Response:
    """What a revision changed, whose points, and by what. Refused of a first revision."""
    return one(request, diff(asked.reads, period, revision, scheme))


@router.get("/verification/{scheme}/{period}", tags=["scores"])
def verification(
    asked: Asked,
    scheme: Text,
    period: PeriodOf,
    revision: Revision = None,
    expect: Annotated[str | None, Query(pattern="^[0-9a-fA-F]{12,64}$", description="A hash that you noted.")] = None,
) -> Checked:
    """Whether the chain of hashes holds, and what witnesses outside say. Nothing is computed anew."""
    found = verify(asked.reads, period, revision, scheme, chain_only=True, expected=expect)
    return Checked(
        is_ok=found.is_ok,
        is_proven=found.is_proven,
        revision=found.release.revision,
        hash=found.release.hash,
        releases=found.releases,
        findings=[str(finding) for finding in found.findings],
        witnesses=[str(witness) for witness in found.witnesses],
        notes=list(found.notes),
    )


# Units and cases


@router.get("/units", tags=["units"], response_model=Page[UnitOfCity], responses=FILES)
def units(
    request: Request,
    asked: Asked,
    group: Maybe = None,
    limit: Limit = 100,
    following: Annotated[After, Query(alias="after")] = None,
) -> Response:
    """The units as they are today, by code."""
    last = after(following, 1)
    given = {"group": group, "after": last[0] if last else None, "most": limit}
    return page(request, _rows(asked, _UNITS, given), limit, lambda row: (row["unit_code"],))


@router.get("/units/{code}/{period}", tags=["units"], response_model=Explanation)
def unit(
    request: Request, asked: Asked, code: Text, period: PeriodOf, scheme: Maybe = None, revision: Revision = None
) -> Response:
    """Why a unit has its published score: indicators, points lost, every row behind them. A unit asks for itself."""
    return one(request, explain_release(asked.reads, code, period, revision=revision, scheme_id=scheme))


@router.get("/cases", tags=["cases"], response_model=Page[Case], responses=FILES)
def cases(
    request: Request,
    asked: Asked,
    number: Annotated[str, Query(min_length=4, max_length=100, pattern=r"^[^\x00]+$", description="or how it begins")],
) -> Response:
    """Cases by number, at most fifty. A unit finds those that it had a turn in."""
    return page(request, find_cases(asked.reads, number), None, None, log=(asked.acts, "cases by number"))


@router.get("/cases/{feed}/{number}", tags=["cases"], response_model=Life)
def case(request: Request, asked: Asked, feed: Text, number: Text) -> Response:
    """The whole life of a case: duties with their clocks, events, callbacks, scores that it touched; no text of it."""
    return one(request, life(asked.reads, feed, number))


# What engineers and auditors ask


@router.get("/feeds", tags=["feeds"], response_model=Page[Delivery], responses=FILES)
def feeds(
    request: Request,
    asked: Asked,
    on: Annotated[date | None, Query(alias="date", description="Business date; yesterday unless given.")] = None,
) -> Response:
    """Where each delivery of a date stands."""
    on = on or datetime.now(asked.reads.zone).date() - timedelta(days=1)
    return page(request, deliveries(asked.reads, on, on), None, None)


@router.get("/feeds/{code}/batches", tags=["feeds"], response_model=Page[Batch], responses=FILES)
def batches(request: Request, asked: Asked, code: Text) -> Response:
    """The last batches of a feed."""
    with database.connect(asked.reads) as connection:
        return page(request, accounts.batches(connection, code), None, None)


@router.get("/quality/runs", tags=["quality"], response_model=Page[Run], responses=FILES)
def runs(request: Request, asked: Asked, limit: Limit = 10) -> Response:
    """The last runs of the gates, the newest first."""
    with database.connect(asked.reads) as connection:
        return page(request, last_runs(connection, limit), None, None)


@router.get("/quality/runs/{number}/failures", tags=["quality"], response_model=Page[Failure], responses=FILES)
def failed(request: Request, asked: Asked, number: Number) -> Response:
    """What did not pass in a run, the severest first."""
    with database.connect(asked.reads) as connection:
        return page(request, failures(connection, number), None, None)


@router.get("/findings", tags=["quality"], response_model=Page[Finding], responses=FILES)
def findings(request: Request, asked: Asked) -> Response:
    """What the gates found and nobody has made good."""
    return page(request, assess.listing(asked.reads, "findings"), None, None)


class Markdown(PlainTextResponse):
    media_type = "text/markdown"


@router.get("/dictionary", tags=["quality"], response_class=Markdown)
def metric_dictionary(asked: Asked) -> Markdown:
    """What the measures and the columns of `mart` mean, as Markdown."""
    return Markdown(dictionary())


@router.get("/words", tags=["quality"], response_model=Page[Words])
def words(request: Request, asked: Asked) -> Response:
    """What every code is called, in Chinese and English."""
    return page(request, _WORDS, None, None)


# What senders post

OCTETS: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
LONGEST_WAIT = 30
LOOKS = 0.5
"""Seconds between two looks of a sender who waits for his receipt."""


@router.get("/deliveries", tags=["deliveries"], response_model=Page[posting.Offer])
def offers(request: Request, asked: Asked) -> Response:
    """The deliveries that you may post."""
    return page(request, posting.offers(asked.reads), None, None)


@router.post(
    "/deliveries/{feed}/{delivery}",
    tags=["deliveries"],
    status_code=202,
    response_model=posting.Receipt,
    openapi_extra=OCTETS,
)
async def post_delivery(
    request: Request,
    asked: Asked,
    feed: Text,
    delivery: Text,
    business_date: date,
    name: Annotated[str, Query(min_length=1, max_length=100, pattern=r"^[^\x00]+$", examples=["20261031.csv"])],
    rows: Annotated[int | None, Query(ge=0, le=2**53, description="Your count: if it differs, it is held.")] = None,
    trial: Annotated[bool, Query(description="Only tell what a load would do.")] = False,
    wait: Annotated[int, Query(ge=0, le=LONGEST_WAIT, description="Seconds to wait for what comes of it.")] = 0,
) -> Response:
    """Post the file of a delivery as it is, for its business date. The same bytes for the same date are loaded once;
    who hears nothing posts again. `Content-Digest: sha-256=:…:` (RFC 9530) is compared. The receipt tells what came
    of it.
    """
    of = await run_in_threadpool(posting.one_to_post, asked.reads, feed, delivery, business_date)
    await run_in_threadpool(posting.assert_room, asked.reads)
    of.check(int(request.headers.get("content-length", "0")))
    landed = await posting.take(of, asked.desk.settings, request.stream(), request.headers.get("content-digest"))

    def post() -> int:
        return posting.post(asked.acts, of, landed, business_date, name, rows, is_trial=trial)

    number = await run_in_threadpool(post)
    found = await run_in_threadpool(posting.receipt, asked.reads, number)
    for _ in range(int(wait / LOOKS)):
        if found.is_over:
            break
        await asyncio.sleep(LOOKS)
        found = await run_in_threadpool(posting.receipt, asked.reads, number)
    return JSONResponse(plainly(found), 202, {"Location": f"{request.scope['root_path']}/receipts/{number}"})


@router.get("/receipts", tags=["deliveries"], response_model=Page[posting.Receipt])
def receipts(
    request: Request,
    asked: Asked,
    limit: Limit = 100,
    following: Annotated[After, Query(alias="after")] = None,
) -> Response:
    """What became of what you have posted, the newest first."""
    keys = after(following, 1)
    if keys and not (keys[0].isascii() and keys[0].isdecimal() and len(keys[0]) < 17):
        raise Refused("after is the `next` of the page before, as it was told")
    told = posting.receipts(asked.reads, limit, int(keys[0]) if keys else None)
    return page(request, told, limit, lambda last: (str(last.receipt),))


@router.get("/receipts/{number}", tags=["deliveries"], response_model=posting.Receipt)
def receipt(request: Request, asked: Asked, number: Number) -> Response:
    """A receipt of yours: whether it was loaded, which rows were rejected and why."""
    return one(request, posting.receipt(asked.reads, number))


# What people decide


@router.get("/appeals", tags=["decisions"], response_model=Page[Appeal], responses=FILES)
def appeals(request: Request, asked: Asked, period: Maybe = None, unit: Maybe = None, state: Maybe = None) -> Response:
    """The appeals with their states: all of them, or those of your units."""
    told = assess.listing(asked.reads, "appeals", period=period, unit=unit, state=state)
    return page(request, told, None, None, log=(asked.acts, "appeals"))


@router.get("/decisions", tags=["decisions"])
def acts(asked: Asked) -> dict[str, list[str]]:
    """The acts that can be recorded, each with its fields; those that must be given first."""
    return {
        act: [column.name for column in sorted(form, key=lambda column: not column.is_required)]
        for act, form in FORMS.items()
    }


@router.post("/decisions/{act}", tags=["decisions"], status_code=201)
def decide(asked: Asked, act: Text, given: Given) -> Recorded:
    """Record an act as yourself: file or decide an appeal, exclude, confirm, release a batch. See GET /decisions."""
    if act not in FORMS:
        raise Refused(f"nothing is recorded by the name of {act!r}; there are {', '.join(FORMS)}")
    fields = read_form(act, given.fields)
    if act == "release_batch":
        number = int(str(fields["batch_id"]))
        release_batch(asked.acts, number, str(fields["reason"]))
    else:
        number = assess.record(asked.acts, act, **fields)
    return Recorded(act=act, number=number)


@router.get("/attachments/{subject}/{number}", tags=["decisions"], response_model=Page[Attachment])
def attachments(request: Request, asked: Asked, subject: Subject, number: Number) -> Response:
    """What is attached to an appeal or a decision, without its content."""
    return page(request, assess.attachments(asked.reads, [(subject, number)]), None, None)


@router.post("/attachments/{subject}/{number}", tags=["decisions"], status_code=201, openapi_extra=OCTETS)
async def attach(
    request: Request,
    asked: Asked,
    subject: Subject,
    number: Number,
    name: Annotated[str, Query(min_length=1, max_length=200, pattern=r"^[^\x00]+$", examples=["证明.pdf"])],
) -> Recorded:
    """Attach a PDF, JPG, PNG or OFD of up to 10 MB to an appeal or a decision that waits: the body is the file."""
    await run_in_threadpool(lambda: asked.person)  # nobody's body is kept in memory
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MOST:
            raise TooLarge(f"an attachment has up to {MOST >> 20} MB")
    files = [(name, bytes(content))]
    [made] = await run_in_threadpool(assess.attach, asked.acts, subject, number, files)
    return Recorded(act="attach", number=made)


@router.get(
    "/attachments/{number}",
    tags=["decisions"],
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
def attachment(asked: Asked, number: Number) -> Response:
    """The content of an attachment; that you took it stands in the access log."""
    name, content = assess.take(asked.acts, number)
    headers = {"Content-Disposition": saved_as(name)}
    return Response(content, media_type="application/octet-stream", headers=headers)


# What takes long


@router.get("/jobs", tags=["jobs"], response_model=Page[jobs.Job])
def own_jobs(request: Request, asked: Asked) -> Response:
    """Your jobs, the newest first."""
    return page(request, jobs.own(asked.reads), None, None)


@router.get("/jobs/{number}", tags=["jobs"], response_model=jobs.Job)
def job(request: Request, asked: Asked, number: Number) -> Response:
    """A job of yours: how far it is, what came of it."""
    return one(request, jobs.one(asked.reads, number))


@router.get(
    "/jobs/{number}/file",
    tags=["jobs"],
    response_class=FileResponse,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
def job_file(asked: Asked, number: Number) -> Response:
    """What a job of yours has written."""
    told = jobs.one(asked.reads, number).result or {}
    return FileResponse(file_of(asked.desk.settings, told), filename=str(told.get("name")))


@router.post("/jobs/{act}", tags=["jobs"], status_code=202)
def ask_job(asked: Asked, act: Text, given: JobWanted) -> JobAsked:
    """Ask for what takes long: close, revise, publish, verify, export, simulate, report."""
    return JobAsked(job_id=jobs.ask(asked.acts, act, given.parameters, given.key))


def _rows(asked: Asked, query: str, given: dict[str, Any] | None = None) -> list[dict]:
    with database.connect(asked.reads) as connection, connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode(), given).fetchall()


def _tag(release: Release, request: Request) -> str:
    """What a list of a release rests on: its hash, and which rows of it were asked for."""
    return f"{release.hash[:16]}-{hashlib.sha256(request.url.query.encode()).hexdigest()[:8]}"


_UNITS = """
select unit_code, unit_name, unit_kind, peer_group, valid_from, valid_to
from mart.dim_unit
where
    valid_from <= current_date
    and (valid_to is null or valid_to > current_date)
    and (%(group)s::text is null or peer_group = %(group)s)
    and (%(after)s::text is null or unit_code > %(after)s)
order by unit_code
limit %(most)s
"""

_WORDS = [
    {"kind": kind.name, "words": {code: word._asdict() for code, word in kind.items()}}
    for module in (of_cases, columns, decided, delivered, law)
    for kind in vars(module).values()
    if isinstance(kind, Kind)
]
