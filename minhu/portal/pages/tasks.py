"""任务: what takes long, asked for here; how far it is; what came of it."""

import asyncio
import secrets
from collections.abc import AsyncIterator

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse

from minhu import database
from minhu.errors import MinhuError, Refused
from minhu.portal import jobs
from minhu.portal.asking import Ask, desk_of, see, session_of
from minhu.portal.runner import file_of
from minhu.portal.shown import saved_as

EVERY = 1.0
"""Seconds between two looks at the row of a job, of each browser that watches it."""
LONGEST = 120
"""Looks of one stream; the browser opens another."""
BOXES = ("is_early", "is_draft")
NUMBERS = ("revision",)


def tasks(ask: Ask, problem: str | None = None) -> Response:
    with database.connect(ask.reads) as connection:
        scored = connection.execute("select distinct period, scheme_id from mart.score_run").fetchall()
    return ask.page(
        "tasks.html",
        400 if problem else 200,
        jobs=jobs.own(ask.reads),
        problem=problem,
        key=secrets.token_urlsafe(12),
        periods=sorted({period for period, _ in scored}, reverse=True),
        schemes=sorted({scheme for _, scheme in scored}),
    )


def task(ask: Ask) -> Response:
    return ask.page("task.html", job=jobs.one(ask.reads, _number(ask)))


def start(ask: Ask) -> Response:
    """Asks for a job as its form says; sent twice the same form asks for one."""
    act = ask.place("act")
    try:
        shape = jobs.ACTS.get(act, jobs.Parameters)
        given: dict[str, object] = {name: ask.written(name) for name in shape.model_fields}
        given |= {name: ask.written(name) is not None for name in BOXES if name in given}
        given |= {name: int(str(given[name])) for name in NUMBERS if str(given.get(name) or "").isdecimal()}
        number = jobs.ask(ask.acts, act, given, ask.written("key") or secrets.token_urlsafe(16))
    except Refused as error:
        return tasks(ask, str(error))
    return see(f"/jobs/{number}")


def file(ask: Ask) -> Response:
    """What a job of one's own has written."""
    told = jobs.one(ask.reads, _number(ask)).result or {}
    path = file_of(ask.desk.settings, told)
    return FileResponse(path, headers={"Content-Disposition": saved_as(str(told.get("name") or path.name))})


async def events(request: Request) -> Response:
    """How far a job is, as server-sent events: each look takes a connection and gives it back."""
    desk, session = desk_of(request), session_of(request)
    number = int(request.path_params["number"])

    def look() -> tuple[str, bool]:
        job = jobs.one(desk.asks(session), number)
        return jobs.told(job), job.is_over

    async def stream() -> AsyncIterator[str]:
        before = ""
        for _ in range(LONGEST):
            try:
                told, is_over = await run_in_threadpool(look)
            except MinhuError:
                return
            if told != before:
                yield f"data: {told}\n\n"
                before = told
            if is_over:
                return
            await asyncio.sleep(EVERY)

    await run_in_threadpool(look)  # whose job it is not, hears so
    return StreamingResponse(stream(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


def _number(ask: Ask) -> int:
    return ask.place_number("number")
