"""人员与权限: whose each login is and what it comes in by; what each group may read and do. Changed at the terminal."""

from psycopg.rows import dict_row
from starlette.responses import Response

from minhu import database
from minhu.database.logins import rights
from minhu.portal.asking import Ask

DECIDING = ("evaluator",)
"""Whose acts decide over points: who belongs to it signs in with a second factor."""
IN_ORDER = ("evaluator", "unit", "auditor", "engineer", "bi", "sender")


def people(ask: Ask) -> Response:
    with database.connect(ask.reads) as connection, connection.cursor(row_factory=dict_row) as cursor:
        logins = cursor.execute("select * from portal.people()").fetchall()
        units = connection.execute("select unit_code, unit_name from mart.dim_unit where valid_to is null").fetchall()
        groups = [one for one in rights(connection) if one["group"] in {login["belongs_to"] for login in logins}]
    for login in logins:
        login["decides"] = login["belongs_to"] in DECIDING
    logins.sort(key=lambda one: (one["is_of_the_portal"], IN_ORDER.index(one["belongs_to"]), one["login"]))
    groups.sort(key=lambda one: IN_ORDER.index(one["group"]))
    wanted = ask.wanted("group")
    return ask.page(
        "people.html",
        logins=[one for one in logins if wanted in (None, one["belongs_to"])],
        names=dict(units),
        rights=groups,
        wanted=wanted,
    )
