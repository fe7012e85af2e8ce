"""What waits for a person, in words: held batches, decisions to confirm, and warnings that nobody has waived."""

from psycopg.rows import dict_row

from minhu import database
from minhu.assess.listing import listing
from minhu.settings import Settings

_HELD = """
select batch_id, feed_code, delivery, business_date, coalesce(reason, reason_code) as reason
from audit.batch
where status = 'held'
order by batch_id
"""


def waiting(settings: Settings) -> str:
    """Each held batch, unconfirmed decision and warning not waived, with the commands that decide; empty when none."""
    with database.connect(settings) as connection, connection.cursor(row_factory=dict_row) as cursor:
        held = cursor.execute(_HELD).fetchall()
    open_warnings = [
        one for one in listing(settings, "findings") if one["severity"] == "warning" and one["waiver_id"] is None
    ]
    lines = [f"扣留的批次：{len(held)}"] if held else []
    lines += [
        "  批次 {batch_id}，{feed_code}/{delivery}，{business_date}：{reason}\n"
        "    minhu quality release {batch_id} --why '…'".format_map(one)
        for one in held
    ]
    unconfirmed = listing(settings, "unconfirmed")
    lines += [f"待他人复核的决定：{len(unconfirmed)}"] if unconfirmed else []
    lines += [
        "  {subject_kind} {subject_id}，{unit_code}：{reason}（{made_by}）\n"
        "    minhu approvals add {subject_kind} {subject_id} --reason '…'".format_map(
            one | {"unit_code": one["unit_code"] or one["case_no"]}
        )
        for one in unconfirmed
    ]
    lines += [f"未处置的警告：{len(open_warnings)}"] if open_warnings else []
    for one in open_warnings:
        about = (
            f"--feed {one['feed_code']}"
            if one["feed_code"]
            else f"--scheme {one['scheme_id']} --period {one['period']}"
        )
        standing = "，已升级，影响发布" if one["is_escalated"] else ""
        lines.append(
            f"  {one['rule_id']}，{one['feed_code'] or one['subject']}：已 {one['age_days']} 天{standing}\n"
            f"    minhu waivers add {one['rule_id']} {about} --until … --reason '…'"
        )
    return "\n".join(lines)
