"""The table of foreign errors: every row is raised by a fake and comes out as said, and nobody translates beside it."""

import ast
import builtins
import errno
import http.client
import smtplib
import zipfile
import zlib

import asyncssh
import httpx
import kombu.exceptions
import psycopg
import psycopg_pool
import pymysql
import pytest
import sqlalchemy.exc
from authlib.common.errors import AuthlibBaseError
from joserfc.errors import JoseError

from minhu.errors import BadDeclaration, BadDelivery, NotSignedIn, Refused, Retryable, SourceAway, foreign
from tests.test_house import tracked

GIVEN = {
    "where": "here",
    "user": "reader",
    "file": "key.pem",
    "protocol": "s3",
    "name": "cases.csv",
    "times": 3,
    "driver": "mssql",
    "source": "in/cases.csv",
    "what": "the access log",
    "table": "staging.callback",
    "act": "assess.decide",
    "instead": "ask",
    "seconds": 10.0,
    "rule": "suite: r1",
    "home": ".minhu",
    "city": "h1",
    "data": "data",
    "holders": "KEY",
    "part": "p",
    "made_by": "1.0",
}


def wrapped(kind: str, original: Exception, *, is_gone: bool = False) -> Exception:
    """A driver's error as SQLAlchemy raises it."""
    return getattr(sqlalchemy.exc, kind)("select 's3cr3t'", {}, original, connection_invalidated=is_gone)


def told_by_database(kind: type[psycopg.Error], **diagnosed: str) -> psycopg.Error:
    """An error with what the server says of it."""
    fake = type(kind.__name__, (kind,), {"diag": type("Diagnostic", (), {"column_name": None} | diagnosed)})
    return fake("s3cr3t")


def shut(number: int, name: str | None = "a/b") -> OSError:
    return OSError(number, "why", name)


class AccessForbidden(Exception):
    """As a store's library may name it."""


ssh = asyncssh
mysql = pymysql.err.OperationalError
SAID = [
    ("sftp", ssh.HostKeyNotVerifiable("s3cr3t"), Refused, "here shows another host key than the declared one: ask"),
    ("sftp", ssh.KeyExchangeFailed("s3cr3t"), Refused, "here shows another host key than the declared one: ask"),
    ("sftp", ssh.PermissionDenied("s3cr3t"), Refused, "here does not let 'reader' in; look at the declared user"),
    ("sftp", ssh.SFTPPermissionDenied("s3cr3t"), Refused, "here: 'reader' may not read there; ask the server's owner"),
    ("sftp", ssh.ConnectionLost("s3cr3t"), SourceAway, "here is away or broke off (ConnectionLost)"),
    ("sftp", TimeoutError("s3cr3t"), SourceAway, "here is away or broke off (TimeoutError)"),
    ("sftp: private key", ssh.KeyImportError("s3cr3t"), Refused, "key.pem cannot be read (KeyImportError)"),
    ("sftp: private key", ssh.KeyEncryptionError("s3cr3t"), Refused, "key.pem cannot be read (KeyEncryptionError)"),
    ("sftp: private key", FileNotFoundError(2, "s3cr3t"), Refused, "key.pem cannot be read (FileNotFoundError)"),
    ("sftp: host key", ssh.KeyImportError("s3cr3t"), Refused, "source.host_key is no public key"),
    ("object", FileNotFoundError("s3cr3t"), Refused, "here: FileNotFoundError: look at the declared url and options"),
    ("object", TypeError("s3cr3t"), Refused, "here: TypeError: look at the declared url and options"),
    ("object", ValueError("s3cr3t"), Refused, "here: ValueError: look at the declared url and options"),
    ("object", AccessForbidden("s3cr3t"), Refused, "here: AccessForbidden: it does not let us in"),
    ("object", RuntimeError("s3cr3t"), SourceAway, "here is away or broke off (RuntimeError)"),
    ("object: backend", ImportError("no s3fs"), Refused, "s3:// needs a package that is not installed here: no s3fs"),
    ("object: backend", ValueError("s3cr3t"), BadDeclaration, "source.url: fsspec knows no s3://"),
    ("done file", FileNotFoundError(2, "s3cr3t"), Retryable, "cases.csv is not there yet: the sender has not finished"),
    ("done file", ssh.SFTPNoSuchFile("s3cr3t"), Retryable, "cases.csv is not there yet: the sender has not finished"),
    ("download", BlockingIOError("s3cr3t"), Retryable, "another load is downloading cases.csv"),
    ("download", FileNotFoundError("s3cr3t"), Retryable, "cases.csv went away while it was downloaded"),
    ("http", httpx.ReadTimeout("s3cr3t"), SourceAway, "here: no answer in time, 3 times"),
    ("http", httpx.RemoteProtocolError("s3cr3t"), SourceAway, "here: the answer broke off, 3 times"),
    ("http", httpx.ConnectError("s3cr3t"), SourceAway, "here: no connection, 3 times"),
    ("send: mail", smtplib.SMTPAuthenticationError(535, b"s3cr3t"), Refused, "here does not let 'reader' in"),
    ("send: mail", smtplib.SMTPNotSupportedError("s3cr3t"), Refused, "here does not offer what is declared"),
    ("send: mail", smtplib.SMTPRecipientsRefused({"s3cr3t": (550, b"")}), Refused, "here takes no mail for the"),
    ("send: mail", smtplib.SMTPSenderRefused(550, b"s3cr3t", "s3cr3t"), Refused, "here takes no mail from the"),
    ("send: mail", TimeoutError("s3cr3t"), Retryable, "here is away or broke off (TimeoutError)"),
    ("send: http", httpx.ConnectError("s3cr3t"), Retryable, "here is away or did not answer in time"),
    ("sql", sqlalchemy.exc.NoSuchModuleError("s3cr3t"), Refused, "there is no driver here for mssql"),
    ("sql", ImportError("s3cr3t"), Refused, "there is no driver here for mssql"),
    (
        "sql",
        wrapped("OperationalError", mysql(1045, "s3cr3t")),
        Refused,
        "OperationalError 1045: it does not let us in",
    ),
    ("sql", wrapped("ProgrammingError", mysql(1205, "s3cr3t")), SourceAway, "here: OperationalError 1205"),
    ("sql", wrapped("OperationalError", mysql(1054, "s3cr3t")), Refused, "OperationalError 1054: look at the declared"),
    ("sql", wrapped("OperationalError", psycopg.errors.AdminShutdown()), SourceAway, "here: AdminShutdown 57P01"),
    ("sql", wrapped("OperationalError", RuntimeError("s3cr3t")), SourceAway, "here: RuntimeError"),
    (
        "sql",
        wrapped("OperationalError", psycopg.errors.ProgramLimitExceeded()),
        Refused,
        "54000: look at the declared query",
    ),
    ("sql", wrapped("InterfaceError", psycopg.InterfaceError("s3cr3t")), SourceAway, "here: InterfaceError"),
    ("sql", wrapped("DBAPIError", psycopg.Error("s3cr3t"), is_gone=True), SourceAway, "here: Error"),
    ("sql", wrapped("DataError", RuntimeError("s3cr3t")), Refused, "RuntimeError: look at the declared query"),
    ("sql", wrapped("ProgrammingError", psycopg.errors.UndefinedTable()), Refused, "UndefinedTable 42P01: look at the"),
    ("delivered file", FileNotFoundError(2, "why"), BadDelivery, "in/cases.csv cannot be read: why"),
    ("delivered file", IsADirectoryError(21, "why"), BadDelivery, "in/cases.csv cannot be read: why"),
    ("delivered file", PermissionError(13, "why"), BadDelivery, "in/cases.csv cannot be read: why"),
    ("landing", shut(errno.ENOSPC), Retryable, "cases.csv cannot be kept in here: why"),
    ("landing", OSError("cut"), Retryable, "cases.csv cannot be kept in here: cut"),
    ("landed file", OSError("s3cr3t"), Retryable, "cases.csv cannot be brought back: OSError"),
    ("landing folder", shut(errno.EROFS), Retryable, "the landing zone here cannot be used: why"),
    ("landing store", FileNotFoundError("s3cr3t"), None, ""),
    ("landing store", RuntimeError("s3cr3t"), Retryable, "the landing zone here cannot be reached: RuntimeError"),
    ("landing store: backend", ImportError("no s3fs"), Refused, "here needs a package that is missing: no s3fs"),
    ("landing store: backend", ValueError("no protocol"), Refused, "MINHU_LANDING: no protocol"),
    ("landing store: backend", OSError("s3cr3t"), Retryable, "the landing zone here cannot be reached: OSError"),
    ("unseal", RuntimeError("No matching keys"), Refused, "cases.csv was encrypted with another key than KEY hold"),
    ("unseal", RuntimeError("cut"), Refused, "cases.csv is damaged: cut; restore it from a backup"),
    ("broker", kombu.exceptions.OperationalError("Authentication required"), Refused, "here does not let us in: look"),
    ("broker", kombu.exceptions.OperationalError("refused\nno more"), Retryable, "here cannot be reached: refused"),
    ("broker", KeyError("No such transport: x"), Refused, "MINHU_BROKER_URL: 'No such transport: x'"),
    ("connect", psycopg_pool.PoolTimeout("none in 10 s"), Retryable, "the access log is busy; try again in a moment"),
    ("unbroken", psycopg.OperationalError("no host"), Retryable, "restarted meanwhile"),
    (
        "session",
        psycopg.errors.ReadOnlySqlTransaction("this server is a standby\nHINT: more"),
        Refused,
        "this server is a standby",
    ),
    (
        "session",
        psycopg.errors.InvalidAuthorizationSpecification("this session is unknown here\nCONTEXT: more"),
        NotSignedIn,
        "this session is unknown here",
    ),
    ("connect", psycopg.OperationalError("no host\nno more"), Retryable, "the access log cannot be reached: no host"),
    (
        "sign in",
        psycopg.OperationalError("it is no\nmore"),
        Refused,
        "the server does not let 'cases.csv' in: it is no",
    ),
    ("sign-on", httpx.ConnectTimeout("s3cr3t"), SourceAway, "the sign-on at here cannot be asked (ConnectTimeout)"),
    ("sign-on", AuthlibBaseError("s3cr3t"), Refused, "the sign-on at here did not say who came (AuthlibBaseError)"),
    ("sign-on", JoseError("s3cr3t"), Refused, "the sign-on at here did not say who came (JoseError)"),
    ("sign-on", ValueError("s3cr3t"), Refused, "the sign-on at here answers what is no OpenID Connect (ValueError)"),
    ("sign-on", KeyError("s3cr3t"), Refused, "the sign-on at here answers what is no OpenID Connect (KeyError)"),
    ("sign-on", TypeError("s3cr3t"), Refused, "the sign-on at here answers what is no OpenID Connect (TypeError)"),
    (
        "sign-on",
        RuntimeError("s3cr3t"),
        Refused,
        "the sign-on at here answers what is no OpenID Connect (RuntimeError)",
    ),
    ("load", psycopg.errors.DiskFull("s3cr3t"), Retryable, "here: the database is away or full (DiskFull 53100)"),
    ("load", psycopg.errors.UniqueViolation("s3cr3t"), Refused, "here: the database does not take it: UniqueViolation"),
    ("load", shut(errno.ENOSPC), Retryable, "here: why; load again when there is room"),
    ("bundle", zipfile.BadZipFile("s3cr3t"), Refused, "key.pem is no bundle, or it is damaged: take it anew"),
    ("bundle", zlib.error("s3cr3t"), Refused, "key.pem is damaged: take it anew"),
    ("bundle", psycopg.errors.NotNullViolation("s3cr3t"), Refused, "key.pem: p does not fit its table (NotNull"),
    ("copy", psycopg.errors.ProgramLimitExceeded("s3cr3t"), Refused, "staging.callback does not take these rows"),
    ("copy", psycopg.OperationalError("s3cr3t"), Retryable, "the database went away while staging.callback was"),
    (
        "copy",
        told_by_database(psycopg.errors.NotNullViolation, column_name="round"),
        Refused,
        "staging.callback does not take these rows: NotNullViolation, column round (23502)",
    ),
    ("copy", psycopg.errors.InvalidTextRepresentation("s3cr3t"), Refused, "InvalidTextRepresentation (22P02)"),
    ("act", told_by_database(psycopg.errors.RaiseException, message_primary="say why"), Refused, "say why"),
    (
        "act",
        psycopg.errors.InsufficientPrivilege("s3cr3t"),
        Refused,
        "the login reader may not do this (assess.decide)",
    ),
    ("act", psycopg.errors.CheckViolation("s3cr3t"), Refused, "what is given does not fit (assess.decide)"),
    ("read citizens' data", told_by_database(psycopg.errors.RaiseException, message_primary="no"), Refused, "no"),
    ("read citizens' data", psycopg.errors.InsufficientPrivilege("s3cr3t"), Refused, "reader reads no citizens' data"),
    ("read citizens' data", psycopg.errors.ReadOnlySqlTransaction("s3cr3t"), Refused, "reader reads no citizens' data"),
    ("read", psycopg.errors.InsufficientPrivilege("s3cr3t"), Refused, "reader does not read the access log; ask"),
    ("compute anew", psycopg.errors.InsufficientPrivilege("s3cr3t"), Refused, "only the owner of the warehouse"),
    ("make login", psycopg.errors.DuplicateObject("s3cr3t"), Refused, "there is a login 'cases.csv' already"),
    (
        "make login",
        psycopg.errors.InsufficientPrivilege("s3cr3t"),
        Refused,
        "user reader may not make or change logins",
    ),
    (
        "join a city",
        told_by_database(psycopg.errors.DuplicateObject),
        Refused,
        "of the city h1 cannot be made here",
    ),
    ("read a city's url", psycopg.ProgrammingError("s3cr3t"), Refused, "that is no URL of a city"),
    ("make database", psycopg.errors.InsufficientPrivilege("s3cr3t"), Refused, "user reader may not make the database"),
    ("wait for loads", psycopg.errors.LockNotAvailable("s3cr3t"), Retryable, "did not end within 10 seconds"),
    ("gate", psycopg.errors.AdminShutdown("s3cr3t"), Retryable, "went away while a gate was judging"),
    ("gate", wrapped("OperationalError", psycopg.OperationalError()), Retryable, "went away while a gate was judging"),
    ("list what failed", psycopg.errors.UndefinedColumn("s3cr3t"), BadDeclaration, "suite: r1: what failed cannot be"),
    ("embedded server", PermissionError(13, "why", "a/b"), Refused, "a/b: permission denied; run as the user"),
    ("embedded server", psycopg.OperationalError("refused\nno more"), Retryable, "refused"),
    ("embedded server", shut(errno.ENOSPC), Retryable, "a/b: why"),
    ("embedded server", shut(errno.ENOTDIR, None), Refused, ".minhu: why"),
    (
        "embedded server: password",
        psycopg.OperationalError("FATAL: password authentication failed for user"),
        Refused,
        "the server of data was made with another password: put",
    ),
    ("airflow", ConnectionRefusedError("refused"), Retryable, "Airflow does not answer at here: refused"),
    ("airflow", http.client.BadStatusLine("cut"), Retryable, "Airflow does not answer at here: cut"),
    ("airflow", ValueError("no JSON"), Retryable, "Airflow does not answer at here: no JSON"),
    ("declaration", FileNotFoundError(2, "why"), BadDeclaration, "key.pem: there is no such file"),
    ("read file", shut(errno.ENOENT), Refused, "key.pem cannot be read: why"),
    ("read text", shut(errno.EISDIR), Refused, "key.pem: cannot be read (why)"),
    ("write file", shut(errno.EROFS), Refused, "cannot write key.pem: why"),
]


@pytest.mark.parametrize(
    ("doing", "raised", "ours", "says"), SAID, ids=[f"{doing} {type(error).__name__}" for doing, error, _, _ in SAID]
)
def test_what_others_raise_is_told_as_the_table_says(doing, raised, ours, says):
    with pytest.raises(ours or type(raised)) as found, foreign.told(doing, **GIVEN):
        raise raised
    if ours is None:
        assert found.value is raised
        return
    assert type(found.value) is ours and says in str(found.value)
    assert "s3cr3t" not in str(found.value)
    assert found.value.__suppress_context__, "what others say stands behind ours in no traceback"
    if ours is BadDelivery:
        assert found.value.code == "NO_FILE"


def test_every_row_of_the_table_is_raised_above():
    raised = {foreign.row_of(error, doing) for doing, error, _, _ in SAID}
    assert [(doing, row.raised) for doing, rows in foreign.TABLE.items() for row in rows if row not in raised] == []


def test_what_no_row_names_and_our_own_errors_pass():
    own = BadDelivery("NO_FILE", "gone")
    for error in (own, KeyError("a"), asyncssh.SFTPNoSuchFile("a")):
        with pytest.raises(type(error)) as found, foreign.told("http", **GIVEN):
            raise error
        assert found.value is error


def test_nobody_tells_of_foreign_errors_beside_the_table():
    found = [
        f"{path.name}:{handler.lineno}"
        for path in tracked("minhu/**.py")
        for handler in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(handler, ast.ExceptHandler) and handler.type and is_foreign(handler.type) and raises_ours(handler)
    ]
    assert found == []


def is_foreign(caught: ast.expr) -> bool:
    """Whether an except clause names an error of a server, a database, a client of them or the operating system."""
    names = {ast.unparse(one) for one in (caught.elts if isinstance(caught, ast.Tuple) else [caught])}
    if names & {"zipfile.BadZipFile"}:
        return False  # bytes in memory that are read as a file
    return any(
        name.startswith(("psycopg.", "httpx.", "asyncssh.", "sqlalchemy.exc.", "exc.DBAPI"))
        or issubclass(getattr(builtins, name, int), OSError)
        for name in names
    )


def raises_ours(handler: ast.ExceptHandler) -> bool:
    ours = {"Refused", "Retryable", "SourceAway", "BadDelivery", "BadDeclaration"}
    called = [one.exc.func for one in ast.walk(handler) if isinstance(one, ast.Raise) and isinstance(one.exc, ast.Call)]
    return any(ast.unparse(func) in ours for func in called)
