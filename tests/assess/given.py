"""What the tests of acts have at hand: assignments of the scoring city, appeals about them."""

from minhu import database

WHY = {"reason_code": "beyond_duty", "reason": "不属本单位职责"}


def rows(settings, text, *parameters):
    with database.connect(settings) as connection:
        return connection.execute(text, parameters).fetchall()


def own(city, unit, place=0):
    """An assignment of a unit, and its case."""
    found = rows(city, "select assignment_id, case_id from mart.fct_timeliness where unit_code = %s order by 1", unit)
    return found[place]


def appeal(city, unit="D1", place=0, **changes):
    assignment, case = own(city, unit, place)
    return {
        "period": "2026-10",
        "unit_code": unit,
        "case_id": case,
        "assignment_id": assignment,
        "grounds_code": "mis_dispatched",
        "statement": "非本单位职责",
        "evidence_ref": "2026-17",
    } | changes
