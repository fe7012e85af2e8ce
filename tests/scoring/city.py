"""A city whose facts are written by hand, so that every expected number can be reckoned on paper."""

from pathlib import Path

from psycopg.types.json import Jsonb

from minhu import database
from minhu.schemes import load_scheme
from minhu.settings import Settings

GIVEN = Path(__file__).parent / "given"


LEVELS = {"very_satisfied": "satisfied", "very_dissatisfied": "dissatisfied"}


def at(moment: str | None) -> str | None:
    """``10-09 16:40`` as a moment of 2026 in Shanghai."""
    return moment and f"2026-{moment}+08"


def _is_on_time(closed: str | None, due: str | None, is_unknown: bool) -> bool | None:
    """Moments written as ``at`` takes them stand in the order of their text."""
    if closed is None or due is None:
        return None
    return closed <= due or (None if is_unknown else False)


class City:
    """Writes facts the way a build would. Every row has a line of its own in one of three source files."""

    def __init__(self, settings: Settings, data_end: str = "2026-10-31"):
        self.rows = 0
        self.connection = database.connect(settings)
        self.run("insert into config.version (city, sha256) values ('test', 'test')")
        self.scheme(GIVEN / "exam.yml")
        for kind in ("case", "event", "callback"):
            self.insert(
                "audit.batch",
                feed_code="h12345",
                delivery=f"{kind}s",
                kind=kind,
                business_date=data_end,
                source_name=f"{kind}s.csv",
                source_sha256=kind,
                source_bytes=1,
                received_rows=0,
                status="accepted",
                order_key=1,
                started_at=at("11-01 02:00"),
            )
        self.run("insert into audit.build (config_version, code_version, status) values (1, 'test', 'succeeded')")
        self.run("insert into audit.build_batch select 1, batch_id, 'take' from audit.batch")
        self.run("insert into mart.dim_feed values ('h12345', '12345 热线', '民生中心', 'hotline', 'x', 'rules')")

    def __enter__(self) -> "City":
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        if kind is None:
            self.connection.commit()
        self.connection.close()

    def run(self, statement: str, parameters: dict | None = None) -> None:
        self.connection.execute(statement, parameters)

    def insert(self, table: str, **values: object) -> None:
        names = ", ".join(values)
        self.run(f"insert into {table} ({names}) values ({', '.join(f'%({name})s' for name in values)})", values)

    def scheme(self, path: Path) -> None:
        for kind, key, data in load_scheme(path).entries():
            self.insert("config.entry", kind=kind, key=key, data=Jsonb(data), since_version=1)

    def next_row(self, letter: str) -> str:
        self.rows += 1
        return f"{letter}{self.rows:04}"

    def unit(self, code: str, group: str, valid_from: str = "2020-01-01", valid_to: str | None = None) -> None:
        self.insert(
            "mart.dim_unit",
            unit_key=f"{code}@{valid_from}",
            unit_code=code,
            unit_name=f"单位{code}",
            unit_kind="department",
            peer_group=group,
            has_24h_duty=False,
            valid_from=valid_from,
            valid_to=valid_to,
        )

    def assignment(
        self,
        unit: str | None,
        *,
        dispatched: str = "10-09 09:00",
        sign_due: str | None = None,
        signed: str | None = None,
        due: str | None = None,
        closed: str | None = None,
        extended: str | None = None,
        is_unknown: bool = False,
        voided: str | None = None,
        role: str = "lead",
        denied: int = 0,
        excluded: str | None = None,
    ) -> str:
        """An assignment and its case; returns the assignment's id, ``a0001`` and so on.

        ``is_unknown``: extended beyond the calendar.
        """
        key = self.next_row("a")
        case = f"k{key}"
        self.insert(
            "mart.fct_case",
            case_id=case,
            feed_code="h12345",
            case_no=f"NO{key}",
            received_at=at(dispatched),
            closed_at=at(closed),
            is_excluded=excluded is not None,
            exclusion_reason=excluded,
            assignment_count=1,
            return_count=0,
            rework_count=0,
            root_case_id=case,
            source_batch_id=1,
            source_row_number=self.rows,
        )
        self.insert(
            "mart.fct_timeliness",
            assignment_id=key,
            case_id=case,
            unit_code=unit,
            unit_role=role,
            round=1,
            dispatched_at=at(dispatched),
            sign_due_at=at(sign_due),
            signed_at=at(signed),
            due_at=at(due),
            extended_due_at=at(extended),
            due_in_force_at=None if is_unknown else at(extended or due),
            closed_at=at(closed),
            closed_in_time_at=at(closed) if _is_on_time(closed, extended or due, is_unknown) else None,
            voided_at=at(voided),
            void_reason=voided and "returned",
            is_late_at_return=False,
            ended_at=at(voided or closed),
            end_reason="returned" if voided else closed and "closed",
            clock="working",
            is_calendar_provisional=is_unknown,
            is_limit_unknown=is_unknown,
            is_closed_on_time=_is_on_time(closed, extended or due, is_unknown),
            return_request_count=denied,
            return_deny_count=denied,
            extension_count=int(extended is not None or is_unknown),
            limit_rule="exam/002" if due else None,
            dispatch_batch_id=2,
            dispatch_row_number=1000 + self.rows,
            sign_batch_id=signed and 2,
            sign_row_number=signed and 2000 + self.rows,
            close_batch_id=closed and 2,
            close_row_number=closed and 3000 + self.rows,
        )
        return key

    def callback(
        self,
        unit: str,
        assignment: str,
        resolution: str | None,
        satisfaction: str | None,
        *,
        called: str = "10-20 10:00",
        reached: bool = True,
        count: int = 1,
    ) -> None:
        for _ in range(count):
            self.insert(
                "mart.fct_satisfaction",
                callback_id=self.next_row("c"),
                assignment_id=assignment,
                case_id=f"k{assignment}",
                unit_code=unit,
                called_at=at(called),
                is_reached=reached,
                resolution_code=resolution,
                satisfaction_scale="five",
                satisfaction_code=satisfaction,
                satisfaction_level=LEVELS.get(satisfaction, satisfaction if satisfaction != "unrated" else None),
                source_batch_id=3,
                source_row_number=self.rows,
            )

    def violation(self, unit: str, assignment: str, code: str, found: str = "10-22 10:00") -> None:
        self.insert(
            "mart.fct_violation",
            violation_id=self.next_row("v"),
            assignment_id=assignment,
            case_id=f"k{assignment}",
            unit_code=unit,
            violation_code=code,
            found_at=at(found),
            source_batch_id=2,
            source_row_number=4000 + self.rows,
        )


GOOD = {"sign_due": "10-10 18:00", "signed": "10-09 10:00", "due": "10-16 00:00", "closed": "10-14 09:00"}
LATE = GOOD | {"signed": "10-11 09:00", "closed": "10-16 09:12"}


def fill(city: City) -> None:
    """October 2026 in a small city. What each unit gets for it is reckoned in ``test_score.py``."""
    for unit in ("D1", "D2", "D3", "D4", "D5", "D6", "D7", "D8"):
        city.unit(unit, "dept")
    for unit in ("T1", "T2", "T3", "T4"):
        city.unit(unit, "town")
    city.unit("X1", "elsewhere")
    city.unit("M1", "dept", valid_to="2026-10-15")
    city.unit("M1", "town", valid_from="2026-10-15")
    city.assignment("X1", **LATE)
    city.assignment(None, **LATE)  # a name that no unit bears: counts against nobody

    # D1: 6 of 7 signed on time, 5 of 6 closed on time, the seventh not due before November; no callback
    for _ in range(5):
        city.assignment("D1", **GOOD)
    city.assignment("D1", **GOOD | {"closed": "10-20 09:00"})
    city.assignment("D1", **GOOD | {"signed": "10-12 09:00", "due": "11-06 00:00", "closed": None})

    # D2, D3: everything well: they share the first rank
    for unit in ("D2", "D3"):
        well = city.assignment(unit, **GOOD)
        city.callback(unit, well, "resolved", "very_satisfied")

    # D4: has a case, nothing of it due in October. D5 has none.
    city.assignment("D4", dispatched="10-30 10:00", sign_due="11-02 18:00", due="11-07 00:00")

    # D6: nothing on time (one still open), one return denied, one callback and that a bad one
    bad = city.assignment("D6", **LATE)
    city.assignment("D6", **LATE | {"signed": None, "closed": None}, denied=2)
    city.callback("D6", bad, "unresolved", "very_dissatisfied")

    # D7: late rows that count against nobody, and an extension; 解释说明 is a rated answer but no solution
    city.assignment("D7", **LATE, voided="10-12 09:00", denied=1)
    city.assignment("D7", **LATE, excluded="statutory_channel")
    city.assignment("D7", **LATE, role="support")
    city.assignment("D7", **GOOD | {"closed": "10-20 09:00"}, extended="10-23 00:00")
    told = city.assignment("D7", **GOOD)
    city.callback("D7", told, "explained", "basically_satisfied")
    city.callback("D7", told, "unrated", "unrated")
    city.callback("D7", told, None, None, reached=False)

    # D8: its only case is excluded
    city.assignment("D8", **LATE, excluded="repeat_without_new_facts")

    # T1: well, but four violations; three of a kind run into the cap
    found = city.assignment("T1", **GOOD)
    for _ in range(3):
        city.violation("T1", found, "not_handled")
    city.violation("T1", found, "improper_handling")

    # T2: one violation over an old case, nothing else; the second was found before the period
    old = city.assignment("T2", dispatched="08-03 09:00", due="08-11 00:00", closed="08-10 09:00")
    city.violation("T2", old, "not_handled")
    city.violation("T2", old, "not_handled", found="09-30 23:59")

    # T3: the edges of the period. Due at 24:00 of 31 October and closed: October. Due at 24:00 of 30 September: not.
    # Closed after the period's end, due within: late. Closed in October, due in November: not yet in the period.
    edges = {"dispatched": "09-25 09:00"}
    city.assignment("T3", **edges, due="11-01 00:00", closed="10-31 20:00")
    city.assignment("T3", **edges, due="10-01 00:00")
    ended = city.assignment("T3", **edges, due="10-30 00:00", closed="11-03 09:00")
    city.assignment("T3", **edges, due="11-05 00:00", closed="10-20 09:00")
    city.callback("T3", ended, "resolved", "satisfied", called="11-02 10:00")

    # T4: 3 of 16 resolved is 5.625 of 30 points: a half goes up
    asked = city.assignment("T4", dispatched="09-20 09:00", due="09-28 00:00", closed="09-27 09:00")
    city.callback("T4", asked, "resolved", "satisfied", count=3)
    city.callback("T4", asked, "unresolved", "neutral", count=13)

    # M1 moved from the departments to the towns on 15 October
    city.assignment("M1", **GOOD)
