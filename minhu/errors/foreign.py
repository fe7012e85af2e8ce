"""What others raise, as ours: one table for the database, the servers, the libraries and the operating system.

A section of the table is what was being done when it happened; of its rows the first that fits says which of our errors
comes of it, and what it tells. `told` does so for all that happens within it::

    with foreign.told("sftp", where=where, user=user):
        ...

What no row names passes as it is; so do our own errors. The words of others may hold a secret or a citizen's data: a
row quotes them only where they cannot, and nothing of theirs stands behind our error in a traceback.

Errors are named by the path of their class, so that no library is imported here: what was not imported raised nothing.
"""

import errno
import re
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from minhu.errors import BadDeclaration, BadDelivery, MinhuError, NotSignedIn, Refused, Retryable, SourceAway

Fits = Callable[[Any], bool]


@dataclass(frozen=True)
class Row:
    """``raised``: the class, by its path. ``ours``: what comes of it; None lets it pass. ``fits``: what else must hold.

    ``says`` is a format string over what the caller tells and: ``error`` itself, ``kind`` (the name of its class),
    ``line`` (its first line), ``reason`` (what the operating system says, else the kind), ``words`` (the same, else
    the error's own), ``code`` (see `code_of`, with a blank before it), ``place`` (the file it names, else the ``home``
    given). The field ``code`` is that of a BadDelivery.
    """

    raised: str
    ours: type[MinhuError] | None
    says: str = ""
    fits: Fits = lambda error: True
    code: str = ""


def _code(codes: Collection[int | str]) -> Fits:
    return lambda error: code_of(error) in codes


def _says(words: str) -> Fits:
    return lambda error: words in str(error)


def _named(pattern: str) -> Fits:
    return lambda error: bool(re.search(pattern, type(error).__name__))


def _is_away(error: Any) -> bool:
    """Whether the database is away, full or busy, and not merely against what it was asked."""
    state = getattr(_original(error), "sqlstate", None)
    return bool(AWAY.match(state)) if state else is_a(_original(error), "psycopg.OperationalError")


LET_IN_NOBODY = ("28000", "28P01", "42501", 1044, 1045, 1142, 1143)
"""Of PostgreSQL, of MySQL."""
MYSQL_PASSES = {1040, 1053, 1158, 1159, 1160, 1161, 1203, 1205, 1213, 1226, 1317, 1927, *range(2000, 3000)}
"""Too many connections, a shutdown, a lock, a killed query. From 2000 its client speaks."""
MYSQL = range(1000, 1 << 16)
AWAY = re.compile(r"08|40|53|57|58|55P03")
"""Of PostgreSQL: no connection, a deadlock, a full disk or memory, a shutdown, a failed disk, a lock.
Whatever else it says is about what it was asked, and comes again."""
PASSES = (errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EAGAIN)
"""A disk, a memory or a table that is full."""
GONE = "the warehouse database went away while a gate was judging; nothing was decided"

_OTHER_HOST_KEY = "{where} shows another host key than the declared one: ask its owner before you change it"
_NO_KEY_FILE = "the private key {file} cannot be read ({kind})"
_DATABASE = "{where}: {kind}{code}"
_QUERY = f"{_DATABASE}: look at the declared query"
_NOT_YET = "{name} is not there yet: the sender has not finished"
_NOT_IN_TIME = (
    "loads are running and did not end within {seconds:g} seconds; the key is as it was. Rotate between loads, or wait"
    " longer"
)
CITY_URL = "name it postgresql://LOGIN@HOST:PORT/DATABASE; the password is asked for"
_SIGNED_NOBODY = "the sign-on at {where} did not say who came ({kind})"

TABLE: dict[str, tuple[Row, ...]] = {
    # -- sources of feeds ------------------------------------------------------------------------------------------
    "sftp": (
        Row("asyncssh.HostKeyNotVerifiable", Refused, _OTHER_HOST_KEY),
        Row("asyncssh.KeyExchangeFailed", Refused, _OTHER_HOST_KEY),
        Row(
            "asyncssh.PermissionDenied",
            Refused,
            "{where} does not let {user!r} in; look at the declared user and secret",
        ),
        Row("asyncssh.SFTPPermissionDenied", Refused, "{where}: {user!r} may not read there; ask the server's owner"),
        Row("asyncssh.Error", SourceAway, "{where} is away or broke off ({kind})"),
        Row("builtins.OSError", SourceAway, "{where} is away or broke off ({kind})"),
    ),
    "sftp: private key": (
        Row("asyncssh.KeyImportError", Refused, _NO_KEY_FILE),
        Row("asyncssh.KeyEncryptionError", Refused, _NO_KEY_FILE),
        Row("builtins.OSError", Refused, _NO_KEY_FILE),
    ),
    "sftp: host key": (
        Row(
            "asyncssh.KeyImportError",
            Refused,
            "source.host_key is no public key: write `ssh-ed25519 AAAA…` or `SHA256:…`",
        ),
    ),
    "object": (  # a backend raises whatever its own library does: the name of its error is all there is
        Row("builtins.FileNotFoundError", Refused, "{where}: {kind}: look at the declared url and options"),
        Row("builtins.TypeError", Refused, "{where}: {kind}: look at the declared url and options"),
        Row("builtins.ValueError", Refused, "{where}: {kind}: look at the declared url and options"),
        Row(
            "builtins.Exception",
            Refused,
            "{where}: {kind}: it does not let us in; look at the declared secrets",
            _named("Permission|Credential|Authenti|Authoriz|Forbidden|Signature"),
        ),
        Row("builtins.Exception", SourceAway, "{where} is away or broke off ({kind})"),
    ),
    "object: backend": (
        Row("builtins.ImportError", Refused, "{protocol}:// needs a package that is not installed here: {error}"),
        Row(
            "builtins.ValueError",
            BadDeclaration,
            "source.url: fsspec knows no {protocol}://, but s3, gs, oss, abfs and more",
        ),
    ),
    "done file": (
        Row("builtins.FileNotFoundError", Retryable, _NOT_YET),
        Row("asyncssh.SFTPNoSuchFile", Retryable, _NOT_YET),
    ),
    "download": (
        Row("builtins.BlockingIOError", Retryable, "another load is downloading {name}"),
        Row("builtins.FileNotFoundError", Retryable, "{name} went away while it was downloaded"),
    ),
    "http": (
        Row("httpx.TimeoutException", SourceAway, "{where}: no answer in time, {times} times"),
        Row("httpx.RemoteProtocolError", SourceAway, "{where}: the answer broke off, {times} times"),
        Row("httpx.TransportError", SourceAway, "{where}: no connection, {times} times"),
    ),
    "sql": (
        Row("sqlalchemy.exc.NoSuchModuleError", Refused, "there is no driver here for {driver}"),
        Row("builtins.ImportError", Refused, "there is no driver here for {driver}"),
        Row(
            "sqlalchemy.exc.DBAPIError",
            Refused,
            f"{_DATABASE}: it does not let us in; look at the declared user and secret",
            _code(LET_IN_NOBODY),
        ),
        Row("sqlalchemy.exc.DBAPIError", SourceAway, _DATABASE, _code(MYSQL_PASSES)),
        Row("sqlalchemy.exc.DBAPIError", Refused, _QUERY, _code(MYSQL)),
        Row("sqlalchemy.exc.DBAPIError", SourceAway, _DATABASE, _is_away),
        Row("sqlalchemy.exc.DBAPIError", Refused, _QUERY, lambda error: bool(code_of(error))),
        Row("sqlalchemy.exc.OperationalError", SourceAway, _DATABASE),
        Row("sqlalchemy.exc.InterfaceError", SourceAway, _DATABASE),
        Row("sqlalchemy.exc.DBAPIError", SourceAway, _DATABASE, lambda error: error.connection_invalidated),
        Row("sqlalchemy.exc.DBAPIError", Refused, _QUERY),
    ),
    # -- witnesses of what is published ----------------------------------------------------------------------------
    "send: mail": (
        Row(
            "smtplib.SMTPAuthenticationError",
            Refused,
            "{where} does not let {user!r} in; look at the declared user and secret",
        ),
        Row("smtplib.SMTPNotSupportedError", Refused, "{where} does not offer what is declared; look at `security`"),
        Row("smtplib.SMTPRecipientsRefused", Refused, "{where} takes no mail for the declared addresses"),
        Row("smtplib.SMTPSenderRefused", Refused, "{where} takes no mail from the declared sender"),
        Row("builtins.OSError", Retryable, "{where} is away or broke off ({kind})"),
    ),
    "send: http": (Row("httpx.TransportError", Retryable, "{where} is away or did not answer in time ({kind})"),),
    # -- the landing zone ------------------------------------------------------------------------------------------
    "delivered file": tuple(
        Row(f"builtins.{name}", BadDelivery, "{source} cannot be read: {reason}", code="NO_FILE")
        for name in ("FileNotFoundError", "IsADirectoryError", "PermissionError")
    ),
    "landing": (Row("builtins.OSError", Retryable, "{name} cannot be kept in {where}: {words}"),),
    "landed file": (Row("builtins.OSError", Retryable, "{name} cannot be brought back: {reason}"),),
    "landing folder": (Row("builtins.OSError", Retryable, "the landing zone {where} cannot be used: {reason}"),),
    "landing store": (
        Row("builtins.FileNotFoundError", None),
        Row("builtins.Exception", Retryable, "the landing zone {where} cannot be reached: {kind}"),
    ),
    "landing store: backend": (
        Row("builtins.ImportError", Refused, "the landing zone {where} needs a package that is missing: {error}"),
        Row("builtins.ValueError", Refused, "MINHU_LANDING: {error}"),
        Row("builtins.Exception", Retryable, "the landing zone {where} cannot be reached: {kind}"),
    ),
    "unseal": (
        Row(
            "builtins.Exception",
            Refused,
            "{name} was encrypted with another key than {holders} hold",
            _says("matching keys"),
        ),
        Row(
            "builtins.Exception",
            Refused,
            "{name} is damaged: {error}; restore it from a backup, or ask the sender again",
        ),
    ),
    # -- the broker ------------------------------------------------------------------------------------------------
    "broker": (
        Row(
            "kombu.exceptions.OperationalError",
            Refused,
            "the broker {where} does not let us in: look at MINHU_BROKER_URL",
            lambda error: bool(re.search("(?i)authenti|username-password|access.refused", str(error))),
        ),
        Row("kombu.exceptions.OperationalError", Retryable, "the broker {where} cannot be reached: {line}"),
        Row("builtins.KeyError", Refused, "MINHU_BROKER_URL: {line}"),
    ),
    # -- the warehouse database ------------------------------------------------------------------------------------
    "connect": (
        Row("psycopg_pool.PoolTimeout", Retryable, "{what} is busy; try again in a moment"),
        Row("psycopg.OperationalError", Retryable, "{what} cannot be reached: {line}"),
    ),
    "unbroken": (
        Row(
            "psycopg.OperationalError",
            Retryable,
            "the database was restarted meanwhile: what was computed may lack rows, and nothing was changed; try again",
        ),
    ),
    "session": (
        Row("psycopg.errors.ReadOnlySqlTransaction", Refused, "{line}"),
        Row("psycopg.errors.InvalidAuthorizationSpecification", NotSignedIn, "{line}"),
    ),
    "sign in": (Row("psycopg.OperationalError", Refused, "the server does not let {name!r} in: {line}"),),
    "copy": (  # the server's own words quote the row
        Row(
            "psycopg.Error",
            Retryable,
            "the database went away while {table} was written; load the delivery again",
            _is_away,
        ),
        Row(
            "psycopg.Error",
            Refused,
            "{table} does not take these rows: {kind}, column {error.diag.column_name} ({error.sqlstate})",
            lambda error: bool(error.diag.column_name),
        ),
        Row("psycopg.Error", Refused, "{table} does not take these rows: {kind} ({error.sqlstate})"),
    ),
    "bundle": (
        Row("zipfile.BadZipFile", Refused, "{file} is no bundle, or it is damaged: take it anew"),
        Row("zlib.error", Refused, "{file} is damaged: take it anew"),
        Row(
            "psycopg.Error",
            Refused,
            "{file}: {part} does not fit its table ({kind}{code}): the bundle was altered, or minhu {made_by} made it,"
            " which has other columns",
        ),
    ),
    "load": (
        Row("psycopg.Error", Retryable, "{where}: the database is away or full ({kind}{code}); load again", _is_away),
        Row("psycopg.Error", Refused, "{where}: the database does not take it: {kind}{code}"),
        Row("builtins.OSError", Retryable, "{where}: {reason}; load again when there is room", _code(PASSES)),
    ),
    "act": (  # what a function of ours raises is written for people
        Row("psycopg.errors.RaiseException", Refused, "{error.diag.message_primary}"),
        Row(
            "psycopg.errors.InsufficientPrivilege",
            Refused,
            "the login {user} may not do this ({act}); see `minhu logins list`",
        ),
        Row(  # its DETAIL is the row, with what somebody wrote in it
            "psycopg.errors.CheckViolation",
            Refused,
            "what is given does not fit ({act}): too long, blank or no code of ours",
        ),
    ),
    "read citizens' data": (
        Row("psycopg.errors.RaiseException", Refused, "{error.diag.message_primary}"),
        Row(
            "psycopg.errors.InsufficientPrivilege",
            Refused,
            "the login {user} reads no citizens' data; the loader's own does",
        ),
        Row(
            "psycopg.errors.ReadOnlySqlTransaction",
            Refused,
            "the login {user} reads no citizens' data; the loader's own does",
        ),
    ),
    "read": (Row("psycopg.errors.InsufficientPrivilege", Refused, "the login {user} does not read {what}; {instead}"),),
    "compute anew": (
        Row(
            "psycopg.errors.InsufficientPrivilege",
            Refused,
            "only the owner of the warehouse computes anew; check the hashes with --chain-only",
        ),
    ),
    "make login": (
        Row("psycopg.errors.DuplicateObject", Refused, "there is a login {name!r} already"),
        Row("psycopg.errors.InsufficientPrivilege", Refused, "user {user} may not make or change logins"),
    ),
    "join a city": (Row("psycopg.Error", Refused, "the server of the city {city} cannot be made here: {kind}{code}"),),
    "read a city's url": (
        Row("psycopg.ProgrammingError", Refused, f"that is no URL of a city's warehouse: {CITY_URL}"),
    ),
    "make database": (
        Row(
            "psycopg.errors.InsufficientPrivilege",
            Refused,
            "user {user} may not make the database {name}, which Airflow needs: make it",
        ),
    ),
    "wait for loads": (Row("psycopg.errors.LockNotAvailable", Retryable, _NOT_IN_TIME),),
    "gate": (
        Row("psycopg.Error", Retryable, GONE, _is_away),
        Row("sqlalchemy.exc.DBAPIError", Retryable, GONE, _is_away),
    ),
    "list what failed": (
        Row(
            "psycopg.ProgrammingError",
            BadDeclaration,
            "{rule}: what failed cannot be listed ({kind}); mend meta.rows or the query",
        ),
    ),
    # -- the embedded server, Airflow ------------------------------------------------------------------------------
    "embedded server": (
        Row(
            "builtins.PermissionError",
            Refused,
            "{error.filename}: permission denied; run as the user who began this MINHU_HOME",
        ),
        Row("psycopg.Error", Retryable, "{line}"),
        Row("builtins.OSError", Retryable, "{place}: {error.strerror}", _code(PASSES)),
        Row("builtins.OSError", Refused, "{place}: {error.strerror}"),
    ),
    "embedded server: password": (
        Row(
            "psycopg.OperationalError",
            Refused,
            "the server of {data} was made with another password: put the former secrets/{file} back into MINHU_HOME",
            _says("password authentication failed"),
        ),
    ),
    "airflow": tuple(
        Row(name, Retryable, "Airflow does not answer at {where}: {error}")
        for name in ("builtins.OSError", "http.client.HTTPException", "builtins.ValueError")
    ),
    "sign-on": (
        Row("httpx.HTTPError", SourceAway, "the sign-on at {where} cannot be asked ({kind})"),
        Row("authlib.common.errors.AuthlibBaseError", Refused, _SIGNED_NOBODY),
        Row("joserfc.errors.JoseError", Refused, _SIGNED_NOBODY),
        *(
            Row(f"builtins.{name}", Refused, "the sign-on at {where} answers what is no OpenID Connect ({kind})")
            for name in ("ValueError", "KeyError", "TypeError", "RuntimeError")
        ),
    ),
    # -- files of people -------------------------------------------------------------------------------------------
    "declaration": (Row("builtins.FileNotFoundError", BadDeclaration, "{file}: there is no such file"),),
    "read file": (Row("builtins.OSError", Refused, "{file} cannot be read: {reason}"),),
    "read text": (Row("builtins.OSError", Refused, "{file}: cannot be read ({reason})"),),
    "write file": (Row("builtins.OSError", Refused, "cannot write {file}: {reason}"),),
}


@contextmanager
def told(doing: str, **given: object) -> Iterator[None]:
    """Whatever others raise within is raised as the section ``doing`` of the table says; ``given`` are its words."""
    try:
        yield
    except MinhuError:
        raise
    except Exception as error:
        if (ours := as_ours(error, doing, **given)) is None:
            raise
        raise ours from None


def as_ours(error: BaseException, doing: str, **given: object) -> MinhuError | None:
    """Our error for one of others; None where the section ``doing`` lets it pass."""
    row = row_of(error, doing)
    if row is None or row.ours is None:
        return None
    words = row.says.format_map(_words(error, given) | given)
    return BadDelivery(row.code, words) if row.ours is BadDelivery else row.ours(words)


def row_of(error: BaseException, doing: str) -> Row | None:
    """The row of the section that an error falls under."""
    return next((row for row in TABLE[doing] if is_a(error, row.raised) and row.fits(error)), None)


def is_a(error: BaseException, path: str) -> bool:
    """Whether an error is of the class that ``path`` names."""
    module, _, name = path.rpartition(".")
    return module in sys.modules and isinstance(error, getattr(sys.modules[module], name))


def code_of(error: BaseException) -> int | str | None:
    """The number of the operating system or of MySQL, else the state of the SQL standard.

    PyMySQL tells both, and its classes say less than either.
    """
    original = _original(error)
    first = original.args[0] if original.args else None
    return first if isinstance(first, int) else getattr(original, "sqlstate", None)


def _original(error: BaseException) -> BaseException:
    """What a driver raised, where SQLAlchemy wrapped it."""
    return getattr(error, "orig", None) or error


def _words(error: BaseException, given: dict[str, object]) -> dict[str, object]:
    kind, code = type(_original(error)).__name__, code_of(error)
    reason = getattr(error, "strerror", None)
    return {
        "error": error,
        "kind": kind,
        "line": str(error).partition("\n")[0],
        "reason": reason or kind,
        "words": reason or error,
        "code": f" {code}" if code else "",
        "place": getattr(error, "filename", None) or given.get("home"),
    }
