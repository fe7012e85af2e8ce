"""我的账户: one's keys for programs and open sessions, made and ended here."""

from datetime import timedelta

from psycopg.rows import dict_row
from starlette.responses import Response

from minhu import database
from minhu.errors import Refused
from minhu.portal.asking import Ask, see

LASTS = (30, 90, 365)
"""Days that a key may last."""


def account(ask: Ask, token: str | None = None, problem: str | None = None) -> Response:
    """``token``: of a key just made; it is shown this once."""
    with database.connect(ask.reads) as connection, connection.cursor(row_factory=dict_row) as cursor:
        keys = cursor.execute("select * from portal.own_keys()").fetchall()
        sessions = cursor.execute("select * from portal.own_sessions()").fetchall()
    status = 400 if problem else 200
    return ask.page(
        "account.html", status, keys=keys, sessions=sessions, token=token, problem=problem, lasts=LASTS, act="make_key"
    )


def change(ask: Ask) -> Response:
    """Makes a key, ends one, or ends a session, as the form says."""
    act = ask.place("act")
    try:
        match act:
            case "make_key":
                days = int(ask.written("days") or 0)
                if days not in LASTS:
                    raise Refused(f"a key lasts {', '.join(map(str, LASTS))} days")
                may_decide = ask.written("may_decide") is not None
                name = ask.written("name") or ""
                _, token = ask.desk.make_key(ask.session, name, may_decide, timedelta(days=days))
                return account(ask, token)
            case "revoke_key":
                _do(ask, "portal.revoke_key", {"key_id": _number(ask)})
            case "end_own_session":
                _do(ask, "portal.end_own_session", {"session_id": _number(ask)})
            case _:
                raise Refused(f"nothing of the account is called {act!r}")
    except Refused as error:
        return account(ask, problem=str(error))
    return see("/account")


def _do(ask: Ask, act: str, given: dict[str, object]) -> None:
    with database.connect(ask.acts) as connection:
        database.act(connection, act, given)


def _number(ask: Ask) -> int:
    told = ask.written("number") or ""
    if not (told.isascii() and told.isdigit() and len(told) < 18):
        raise Refused("that is no number")
    return int(told)
