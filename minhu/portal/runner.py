"""`python -m minhu.portal.runner [deliveries]`: does the jobs of a lane that wait, one after the other, and ends.

A job is claimed with a secret of this process and kept by saying every few seconds that it is under way; one whose
runner is dead is claimed again. What it computes it computes as `minhu_work`; what it reads for somebody it reads as
him; what is decided he decides, in one last transaction that ends the job with it.
"""

import gc
import logging
import secrets
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import Popen
from typing import TypeVar

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from minhu import database
from minhu.errors import MinhuError, Refused, Retryable
from minhu.portal import jobs
from minhu.portal.desk import Desk
from minhu.settings import Job, Settings

BEATS = 10.0
"""Seconds between two signs of life; after a minute without one a job is another's."""
LOOKS = 2.0
"""Seconds between two looks for jobs that wait; a job that is asked for is told at once."""
LOOKS_AGAIN = 0.2
"""The same while a runner is at work: one that is about to end takes nothing more."""
log = logging.getLogger("minhu.portal.runner")
Tell = Callable[[str], None]


P = TypeVar("P", bound=jobs.Parameters)


@dataclass(frozen=True)
class Held:
    """A job that this process has claimed. ``work``: to compute; ``person``: to read, and to record, as its asker."""

    job: Job
    act: str
    parameters: jobs.Parameters
    work: Settings
    person: Settings

    def asked(self, kind: type[P]) -> P:
        """The parameters, as those of the act that is done."""
        if not isinstance(self.parameters, kind):
            raise TypeError(f"job {self.job.number} is {self.act}, and was given {type(self.parameters).__name__}")
        return self.parameters

    @property
    def folder(self) -> Path:
        return folder_of(self.work)


def folder_of(settings: Settings) -> Path:
    """Where what jobs have written waits for its asker."""
    folder = settings.home / "portal"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def file_of(settings: Settings, result: dict) -> Path:
    """What a job has written, by what it told. Raises Refused where it wrote nothing, or it is gone."""
    name = result.get("file")
    path = folder_of(settings) / str(name)
    if not name or not path.is_file():
        raise Refused("this job has written no file, or it is gone")
    return path


def run_one(desk: Desk, *, is_delivery: bool = False) -> bool:
    """Does the oldest job of its lane that waits; False where there is none."""
    claim = secrets.token_urlsafe(24)
    with database.connect(desk.settings, rows=dict_row) as connection:
        row = connection.execute("select * from portal.claim_job(%s, %s)", [claim, is_delivery]).fetchone()
    if row is None:
        return False
    job = Job(row["job_id"], claim)
    over = threading.Event()
    beating = threading.Thread(target=_beat, args=[desk.settings, job, over], daemon=True)
    beating.start()
    try:
        _do(desk, job, row)
    finally:
        over.set()
        beating.join(1)
    return True


def _do(desk: Desk, job: Job, row: dict) -> None:
    def note(line: str) -> None:
        _say(desk.settings, job, line)

    try:
        held = Held(
            job,
            row["act"],
            jobs.parameters(row["act"], row["parameters"]),
            replace(desk.settings.at_work, job=job),
            desk.asks_for_job(row["asked_by"], job),
        )
        result = DOES[held.act](held, note)
        _end(desk.settings, job, "done", None, result)  # where the act has not ended it already
    except Retryable as error:
        if row["act"] != "deliver":
            _end(desk.settings, job, "refused", str(error), None)
        log.warning("job %s: %s", job.number, error)  # a delivery is claimed again in a minute, up to five times
    except MinhuError as error:
        batch_id = getattr(error, "batch_id", None)
        _end(desk.settings, job, "refused", str(error), {"batch_id": batch_id} if batch_id else None)
    except (psycopg.errors.RaiseException, psycopg.errors.InsufficientPrivilege) as error:
        _end(desk.settings, job, "refused", str(error).partition("\n")[0], None)
    except Exception:
        log.exception("job %s broke", job.number)
        _end(desk.settings, job, "failed", "it broke; the log of the portal has it", None)


def _say(settings: Settings, job: Job, line: str | None) -> None:
    with database.connect(settings) as connection:
        connection.execute("select portal.tell_job(%s, %s, %s)", [job.number, job.claim, line])


def _end(settings: Settings, job: Job, state: str, why: str | None, result: dict | None) -> None:
    told = None if result is None else Jsonb(result)
    with database.connect(settings) as connection:
        connection.execute("select portal.finish_job(%s, %s, %s, %s, %s)", [job.number, job.claim, state, why, told])


def _beat(settings: Settings, job: Job, over: threading.Event) -> None:
    while not over.wait(BEATS):
        try:
            _say(settings, job, None)
        except (MinhuError, psycopg.Error):
            log.warning("job %s: no sign of life could be given", job.number)


# What is done


def _close(held: Held, note: Tell) -> dict:
    from minhu.publish import close

    asked = held.asked(jobs.Close)
    made = close(held.work, asked.period, asked.scheme, is_early=asked.is_early, tell=note)
    return {"closing_id": made.closing_id}


def _revise(held: Held, note: Tell) -> dict:
    from minhu.publish import revise

    asked = held.asked(jobs.Revise)
    made = revise(held.work, asked.period, asked.scheme, why=asked.why, tell=note)
    return {"closing_id": made.closing_id}


def _publish(held: Held, note: Tell) -> dict:
    from minhu.publish import publish

    asked = held.asked(jobs.Publish)
    made = publish(held.work, asked.period, asked.scheme, why=asked.why, tell=note)
    return {"release_id": made.release_id}


def _verify(held: Held, note: Tell) -> dict:
    from minhu.publish import verify

    asked = held.asked(jobs.Verify)
    found = verify(replace(held.work, job=None), asked.period, asked.revision, asked.scheme, tell=note)
    return {
        "is_ok": found.is_ok,
        "is_proven": found.is_proven,
        "findings": [str(one) for one in found.findings],
        "differences": None if found.differences is None else [str(one) for one in found.differences],
        "changed_inputs": list(found.changed_inputs),
        "notes": list(found.notes),
    }


def _export(held: Held, note: Tell) -> dict:
    from minhu.export import Asked, export

    asked = held.asked(jobs.Export)
    out = held.folder / f"{held.job.number}.{asked.form}"
    note("写文件")
    how = Asked(asked.form, revision=asked.revision, is_draft=asked.is_draft)
    export(held.person, asked.period, out, how, asked.scheme)
    out.chmod(0o600)
    return {"file": out.name, "name": f"{asked.period}-{asked.scheme}.{asked.form}"}


def _simulate(held: Held, note: Tell) -> dict:
    from minhu.schemes import read_scheme
    from minhu.scoring import what_if

    asked = held.asked(jobs.Simulate)
    draft = held.folder / f"{held.job.number}.yml"
    draft.touch(mode=0o600)
    draft.write_text(asked.draft, encoding="utf-8")
    try:
        note("按草案测算")
        found = what_if(replace(held.work, job=None), asked.scheme, read_scheme(draft), asked.period)
    finally:
        draft.unlink(missing_ok=True)
    return found.as_json()


def _report(held: Held, note: Tell) -> dict:
    from minhu.audit.report import write_report

    asked = held.asked(jobs.Report)
    note("写审计月报")
    place = held.folder / f"report-{held.job.number}"
    place.mkdir(mode=0o700, exist_ok=True)
    written = write_report(held.person, asked.month, place)
    file = next(one for one in written.files if one.suffix == f".{asked.form}")
    out = held.folder / f"{held.job.number}.{asked.form}"
    file.replace(out)
    for other in place.iterdir():
        other.unlink()
    place.rmdir()
    return {"file": out.name, "name": file.name}


def _deliver(held: Held, note: Tell) -> dict:
    from minhu.load.push import receive_landed, summary, try_landed

    asked = held.asked(jobs.Deliver)
    note("试读" if asked.is_trial else "载入")
    if asked.is_trial:
        return {"trial": summary(try_landed(held.work, asked.feed, asked.delivery, asked.sha256, asked.name))}
    of = asked.feed, asked.delivery, asked.sha256, asked.business_date
    made = receive_landed(held.work, *of, asked.rows, asked.name)
    return {"outcome": made.outcome, "batch_id": made.batch_id}


DOES: dict[str, Callable[[Held, Tell], dict]] = {
    "close": _close,
    "revise": _revise,
    "publish": _publish,
    "verify": _verify,
    "export": _export,
    "simulate": _simulate,
    "report": _report,
    "deliver": _deliver,
}


# The runner


LANES = (False, True)
"""Whether what is posted is loaded: beside what takes long, never behind it."""


def keep_running(settings: Settings, over: threading.Event) -> None:
    """Starts a runner of a lane whenever a job waits there and none of this process's is at work, until ``over``."""
    running: dict[bool, Popen[bytes]] = {}
    while not over.is_set():
        try:
            with database.connect(settings, autocommit=True) as connection:
                connection.execute("listen minhu_jobs")
                while not over.is_set():
                    for is_delivery in LANES:
                        _start(connection, running, is_delivery)
                    is_busy = any(one.poll() is None for one in running.values())
                    next(connection.notifies(timeout=LOOKS_AGAIN if is_busy else LOOKS, stop_after=1), None)
        except (MinhuError, psycopg.Error):
            over.wait(LOOKS)  # the database is away


def _start(connection: psycopg.Connection, running: dict[bool, Popen[bytes]], is_delivery: bool) -> None:
    if is_delivery in running and running[is_delivery].poll() is None:
        return
    if database.one(connection, "select portal.job_waits(%s)", [is_delivery])[0]:
        lane = ["deliveries"] if is_delivery else []
        running[is_delivery] = Popen([sys.executable, "-m", "minhu.portal.runner", *lane])


def main() -> None:
    gc.set_threshold(50_000)  # a workbook of a large city is made of millions of small things that stay
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    desk, is_delivery = Desk(Settings.from_env()), sys.argv[1:] == ["deliveries"]
    while run_one(desk, is_delivery=is_delivery):
        pass


if __name__ == "__main__":
    main()
