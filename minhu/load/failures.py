"""What fails in a load, foreseen or not: one of our errors with a code, and a row of the account.

What nobody foresaw is told by its kind and place; the way it came stands in ``$MINHU_HOME/logs/failed-loads.log``,
frame by frame and without a word of its message, where a citizen's data may stand.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date, datetime
from pathlib import Path
from traceback import walk_tb
from types import TracebackType

from polars.exceptions import PanicException

from minhu import database
from minhu.errors import BadDeclaration, BadDelivery, MinhuError, Refused, Retryable, SourceAway, Unforeseen, foreign
from minhu.load import batch
from minhu.load.batch import Source
from minhu.privacy.file_names import readable
from minhu.privacy.line import mask_line
from minhu.settings import PROJECT_ROOT, Settings

CAUGHT = (Exception, PanicException)
"""What a load can fail with. A panic of polars is no Exception; whoever stops a load, and Airflow's timeout, passes."""
LOG = "failed-loads.log"
_CODES: tuple[tuple[type[MinhuError], str], ...] = (
    (SourceAway, "SOURCE_AWAY"),
    (Retryable, "NOT_NOW"),
    (BadDeclaration, "BAD_DECLARATION"),
    (Refused, "REFUSED"),
    (MinhuError, "UNFORESEEN"),
)


def record(settings: Settings, source: Source, error: BaseException, replays: int | None = None) -> MinhuError:
    """The failure of a load as our error, after it was written to the account.

    A delivery that was refused stands there as a batch already. ``replays``: the batch that a replay was to stand in
    for. Without a database the log alone has it.
    """
    ours = as_ours(settings, source, error)
    if not (isinstance(ours, BadDelivery) and ours.batch_id):
        outcome = "unreachable" if isinstance(ours, SourceAway) else "failed"
        try:
            with database.connect(settings, autocommit=True) as connection:
                batch.record_attempt(connection, source, outcome, replays, code_of(ours), str(ours))
        except CAUGHT as lost:
            _log(settings, f"{_where(source)} {code_of(ours)}: not in the account, the database is away", lost)
    return ours


def undeclared(settings: Settings, feed_code: str, business_date: date, error: BadDeclaration) -> BadDeclaration:
    """The failure of a whole feed, which nobody can read what to load of, after it was written to the account."""
    words = printable(str(error))
    with database.connect(settings, autocommit=True) as connection:
        batch.record_undeclared(connection, feed_code, business_date, "BAD_DECLARATION", words)
    return BadDeclaration(words)


@contextmanager
def recorded(settings: Settings, source: Source, replays: int | None = None) -> Iterator[None]:
    """Whatever fails within is recorded, and raised as ours."""
    try:
        yield
    except CAUGHT as error:
        ours = record(settings, source, error, replays)
    else:
        return
    raise ours


def code_of(error: MinhuError) -> str:
    """A failure's code: a file's own, else by what is to be done."""
    if isinstance(error, BadDelivery):
        return error.code
    return next(code for kind, code in _CODES if isinstance(error, kind))


def worst(failures: list[MinhuError]) -> MinhuError:
    """The one to raise of several: what may pass is tried again, and the others with it."""
    return next((one for one in failures if isinstance(one, Retryable)), failures[0])


def as_ours(settings: Settings, source: Source, error: BaseException) -> MinhuError:
    """An error as ours, in words that can be printed and show no number of a phone or a person."""
    ours = error if isinstance(error, MinhuError) else foreign.as_ours(error, "load", where=_where(source))
    if ours is None:
        number = secrets.token_hex(4)
        _log(settings, f"{number} {_where(source)}", error)
        kind, place = type(error).__name__, _place(error.__traceback__)
        words = f"broke where nobody foresaw it ({kind} at {place}); {settings.logs / LOG} has it under {number}"
        ours = Unforeseen(f"{_where(source)}: {words}")
    ours.args = (printable(str(ours)),)
    return ours


def printable(words: str) -> str:
    return mask_line(readable(words))


def _where(source: Source) -> str:
    return f"{source.feed.code}/{source.delivery.name} {source.name}".rstrip()


def _log(settings: Settings, what: str, error: BaseException) -> None:
    """Appends the way an error came. A log that cannot be written must not hide what was to be logged."""
    lines = [f"{datetime.now(settings.zone):%Y-%m-%d %H:%M:%S} {what}", *_frames(error)]
    with suppress(OSError):
        settings.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(os.open(settings.logs / LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a") as log:
            log.write("\n".join(lines) + "\n")


def _frames(error: BaseException | None) -> Iterator[str]:
    """Kind and frames of an error and of what led to it, the innermost last."""
    while error is not None:
        yield f"  {type(error).__module__}.{type(error).__name__}"
        yield from (f"    {_at(frame.f_code.co_filename)}:{line}" for frame, line in walk_tb(error.__traceback__))
        error = error.__cause__ or error.__context__


def _place(traceback: TracebackType | None) -> str:
    """The last place of ours that an error passed."""
    passed = ((_at(frame.f_code.co_filename), line) for frame, line in walk_tb(traceback))
    return ([f"{name}:{line}" for name, line in passed if name.startswith("minhu/")] or ["an unknown place"])[-1]


def _at(name: str) -> str:
    path = Path(name)
    return str(path.relative_to(PROJECT_ROOT)) if path.is_relative_to(PROJECT_ROOT) else name
