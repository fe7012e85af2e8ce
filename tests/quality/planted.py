"""Batches as a loader leaves them: good ones, and one planted against each rule."""

from minhu import database
from minhu.settings import Settings

DAY = "2026-10-31"
MOBILE, ID_NUMBER = "13812345678", "330106199003078888"

# How rows look that nothing is wrong with: column → SQL expression of n, the row's number.
GOOD = {
    "case": {
        "case_no": "'C' || n",
        "request_type": "'complaint'",
        "category_code": "'0101'",
        "urgency": "'normal'",
        "received_at": "day + time '09:00'",
        "content": "'路灯不亮，请联系138****5678，工单202610310000123456，'"
        " || '坐标121.13800001234，工单号330100202610310002'",
        "caller_masked": "'138****5678'",
        "milestones": """'[{"event_type": "CLOSE", "occurred_at": "2026-10-31T13:81:23.456780Z"}]'""",
        "payload": """'{"序号": "12345678901234567890", "编码": "138", "编码2": "1234", "编码3": "5678"}'""",
    },
    "event": {
        "case_no": "'C' || n",
        "event_type": "'DISPATCH'",
        "occurred_at": "day + time '10:00'",
        "due_at": "day + 3",
        "unit_name": "'城管局'",
        "note": "'已派单'",
        "case_feed_code": "'h1'",
    },
    "callback": {
        "case_no": "'C' || n",
        "called_at": "day + time '11:00'",
        "unit_name": "'城管局'",
        "resolution_code": "'resolved'",
        "satisfaction_scale": "'five'",
        "satisfaction_code": "'satisfied'",
        "reason": "'满意'",
        "case_feed_code": "'h1'",
    },
}
TABLE = {"case": "staging.case_record", "event": "staging.case_event", "callback": "staging.callback"}

# One bad batch per critical rule of the arrival gate, or several where a rule has several ways to fail.
BAD = {
    "arrival.staged_rows": [("case", {"of": {"staged_rows": 11, "received_rows": 11}})],
    "arrival.rejected_rows": [("case", {"rows": 100, "of": {"rejected_rows": 1, "received_rows": 101}})],
    "arrival.control_total": [("callback", {"of": {"control_total": 9}})],
    "arrival.masked_text": [
        ("case", {"content": f"case n when 7 then '请回电{MOBILE}' else '好' end"}),
        ("case", {"address": f"case n when 7 then '证件{ID_NUMBER}' end"}),
        ("case", {"payload": f"""'{{"备用电话": "+86{MOBILE}"}}'"""}),
        ("case", {"milestones": f"""'[{{"event_type": "DISPATCH", "unit_name": "城管局 {MOBILE}"}}]'"""}),
        ("case", {"caller_masked": f"'{MOBILE}'"}),
        ("case", {"channel": f"'{MOBILE}'"}),
        ("event", {"reason_code": f"'{MOBILE}'"}),
        ("event", {"note": f"'机主 {MOBILE}。'"}),
        ("callback", {"reason": f"'{ID_NUMBER[:-1]}x'"}),
    ],
    "arrival.future_rows": [
        ("case", {"received_at": "day + 2"}),
        ("event", {"occurred_at": "case when n < 4 then timestamptz '2027-10-31' else day end", "due_at": "null"}),
    ],
    "arrival.category_present": [("case", {"category_code": "null"})],
    "arrival.dispatch_unit_present": [("event", {"unit_name": "null"})],
    "arrival.callback_outcome_present": [("callback", {"resolution_code": "null", "satisfaction_code": "null"})],
    "arrival.request_type": [("case", {"request_type": f"'{MOBILE}'"})],  # two columns swapped by the sender
    "arrival.urgency": [("case", {"urgency": "case n when 1 then '急' end"})],
    "arrival.event_type": [("event", {"event_type": "'PAIDAN'"})],
    "arrival.resolution_code": [("callback", {"resolution_code": "'solved'"})],
    "arrival.accept_mode": [("case", {"accept_mode": "'电话'"})],
    "arrival.dispatch_source": [("case", {"dispatch_source": "'省派'"})],
    "arrival.unit_role": [("event", {"unit_role": "'主办'"})],
    "arrival.limit_kind": [("event", {"limit_kind": "'办结'"})],
    "arrival.contact_code": [("callback", {"contact_code": "'是'"})],
    "arrival.ends_whole": [("case", {"rows": 100, "of": {"rejected_rows": 1, "received_rows": 101}, "cut_at": 101})],
    "arrival.not_doubled": [("case", {"of": {"duplicate_rows": 10, "received_rows": 20}})],
    "arrival.one_case_a_number": [
        ("case", {"case_no": "'C1'", "title": "'第' || n || '件'"}),
        ("case", {"case_no": "'C' || n / 4", "received_at": "day + time '09:00' + n * interval '1 minute'"}),
    ],
    "arrival.times_legible": [
        ("case", {"of": {"notes": '[{"code": "BAD_TIMESTAMP", "column": "办结时间", "rows": 5, "of": 8}]'}})
    ],
    "arrival.text_legible": [("case", {"content": "case when n < 4 then '璺伅涓嶄寒锛岃澶勭悊銆�' end"})],
    "arrival.no_time_travel": [("event", {"case_no": "'T' || n", "occurred_at": "day - 1"})],
}

# Odd, but nothing to hold a batch for: the rule that tells of it, a warning or information.
ODD = {
    "arrival.old_rows": ("case", {"received_at": "day - 400"}),
    "arrival.rejected_share": ("case", {"of": {"rejected_rows": 5, "received_rows": 15}}),
    "arrival.duplicate_share": ("case", {"of": {"duplicate_rows": 5, "received_rows": 15}}),
    "arrival.category_known": ("case", {"category_code": "'9999'"}),
    "arrival.units_resolved": ("event", {"unit_name": "'某某局'"}),
    "arrival.case_feed_known": ("event", {"case_feed_code": "'h9'"}),
    "arrival.coordinates": ("case", {"longitude": "0", "latitude": "0"}),
    "arrival.due_after_event": ("event", {"due_at": "day - 1"}),
    "arrival.satisfaction_code": ("callback", {"satisfaction_code": "'neutral'"}),
    "arrival.attitude_code": ("callback", {"attitude_code": "'neutral'"}),
    "arrival.area_known": ("case", {"area_code": "case when n > 1 then '330102' else '999999' end"}),
    "arrival.time_travel_share": (
        "event",
        {"case_no": "'T' || n", "occurred_at": "case when n < 4 then day - 1 else day + time '10:00' end"},
    ),
    "arrival.delivered_in_time": ("case", {"of": {"loaded_at": "2026-11-03"}}),
}


EMPTY = (
    "set local session_replication_role = replica; "  # what is published refuses to go with the rest
    "truncate audit.batch, audit.quality_run, audit.build, staging.case_record, staging.case_event, staging.callback,"
    " restricted.rejected_row cascade"
)


class Given:
    """Puts rows where a loader, a build or a scoring would."""

    def __init__(self, settings: Settings):
        self.settings = settings

    def sql(self, statement: str, *values: object) -> list[tuple]:
        with database.connect(self.settings) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def batch(
        self,
        kind: str = "case",
        rows: int = 10,
        *,
        of: dict | None = None,
        day: str = DAY,
        feed: str = "h1",
        cut_at: int | None = None,
        **columns: str,
    ) -> int:
        """A loaded batch of ``rows`` rows. ``of`` changes its manifest, ``columns`` its rows.

        ``cut_at`` is the row that was rejected because it had too few fields.
        """
        manifest = {
            "received_rows": rows,
            "staged_rows": rows,
            "status": "loaded",
            "loaded_at": f"{day} 23:59:00+08",
        } | (of or {})
        (batch_id,) = self.sql(
            "insert into audit.batch (feed_code, delivery, kind, business_date, source_name, source_sha256,"
            f" source_bytes, order_key, started_at, {', '.join(manifest)}) values (%s, %s, %s, %s, 'f',"
            f" gen_random_uuid()::text, 1, 1, now(), {', '.join(['%s'] * len(manifest))}) returning batch_id",
            feed,
            kind,  # one delivery of each kind
            kind,
            day,
            *manifest.values(),
        )[0]
        columns = GOOD[kind] | columns
        with database.connect(self.settings) as connection:
            columns = {"row_hash": f"md5('{batch_id} ' || n)"} | columns
            connection.execute(
                f"insert into {TABLE[kind]} (feed_code, batch_id, row_number, {', '.join(columns)})"
                f" select '{feed}', {batch_id}, n, {', '.join(_typed(*item) for item in columns.items())}"
                f" from generate_series(1, {rows}) as n, (select date '{day}' as day)"
            )
            if of and of.get("rejected_rows") == 5:  # the reject that goes with the odd one, not with the bad one
                connection.execute(
                    "insert into restricted.rejected_row (batch_id, row_number, reason_code, raw)"
                    " select %s, 100 + n, 'MISSING_VALUE', '{}' from generate_series(1, 5) as n",
                    [batch_id],
                )
            if cut_at:
                connection.execute(
                    "insert into restricted.rejected_row (batch_id, row_number, reason_code, raw)"
                    " values (%s, %s, 'FIELD_COUNT', '{}')",
                    [batch_id, cut_at],
                )
        return batch_id

    def status(self, batch_id: int) -> str:
        return self.sql("select status from audit.batch where batch_id = %s", batch_id)[0][0]


def _typed(column: str, expression: str) -> str:
    return f"({expression})::jsonb" if column in ("payload", "milestones") else expression
