"""The masked text of one case, for who judges it: asked for with a reason, logged, then read."""

from psycopg.rows import dict_row

from minhu import database
from minhu.privacy.access_log import may_write
from minhu.privacy.line import mask_line
from minhu.settings import Settings


def read_case(settings: Settings, feed_code: str, case_no: str, why: str) -> list[dict]:
    """What the case says: rows of told, at, unit_name, text, batch_id, row_number; record, then events, then callbacks.

    The reading stands in the access log, committed, before the text is asked for. Raises Refused without a reason,
    where there is no such case, and to a login that may not read it.
    """
    with database.connect(settings) as connection:
        may_write(connection)
        asked: dict[str, object] = {"feed_code": feed_code, "case_no": case_no, "why": mask_line(why)}
        access_id = database.act(connection, "audit.ask_for_case", asked)
    with database.connect(settings) as connection, connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute("select * from audit.read_case(%s)", [access_id]).fetchall()
