"""A trace as text for a terminal, in Chinese: numbered like the way that the case went."""

from collections.abc import Iterator
from decimal import Decimal

from minhu.audit.trace import Trace
from minhu.glossary.cases import CLOCK, EVENT_TYPE, LEFT_OUT, LIMIT_KIND, REQUEST_TYPE, UNIT_ROLE, VIOLATION
from minhu.glossary.decided import DECISION, DECISION_STATE, ROW_CHANGE
from minhu.glossary.delivered import BATCH_STATUS, SEVERITY, VERDICT
from minhu.schemes.words import answered, limit, moment


def render_trace(found: Trace) -> str:
    """The whole trace. Every step names the batch and the data row (header not counted) it was read from."""
    lines = [f"工单溯源 {found.feed_code} {found.case_no}（{found.case_id}）"]
    for title, told in sections(found):
        lines += ["", title, *([f"  {line}" for line in told] or ["  无"])]
    return "\n".join(lines) + "\n"


def sections(found: Trace) -> list[tuple[str, list[str]]]:
    """The trace part by part: its title, its lines; a line that belongs to the one before begins with two blanks."""
    return [(title, list(tell(found))) for title, tell in _PARTS]


def _case(found: Trace) -> Iterator[str]:
    if not found.cases:
        yield "尚无构建采用的事实：见下列批次的状态"
    for case in found.cases:
        told = REQUEST_TYPE.said(case["request_type"]) if case["request_type"] else None
        codes = " · ".join(filter(None, (told, case["category_code"], case["area_code"])))
        moments = ("受理", "received_at"), ("首次派单", "first_dispatched_at"), ("办结", "closed_at")
        times = " · ".join(f"{name} {moment(case[column])}" for name, column in moments if case[column])
        yield f"{case['feed_name']} {case['case_no']} · {codes}"
        yield f"  {times}{'' if case['case_id'] != case['root_case_id'] else ' · 事实记于此件'}"
        links = (
            ("转自", case["transferred_from"]),
            ("并入", case["merged_into"]),
            ("重复于", case["repeat_of"]),
            ("剔除原因", LEFT_OUT.said(case["exclusion_reason"]) if case["is_excluded"] else ""),
        )
        if told := " · ".join(f"{name} {value}" for name, value in links if value):
            yield f"  {told}"

    if found.apart:
        months = "、".join(found.apart)
        yield f"接入数据已随 {months} 移出，下列只有其后到达的；接回：minhu months attach {found.apart[0]}"


def _batches(found: Trace) -> Iterator[str]:
    for batch in found.batches:
        kept = {True: "在存", False: "已不在", None: "此处看不到落地区"}[batch["is_landed"]]
        gone = f"（{moment(batch['file_deleted_at'])} 按保存期限删除）" if batch["file_deleted_at"] else ""
        built = f"，构建 {batch['build_id']} 采用" if batch["is_built"] else ""
        yield (
            f"批次 {batch['batch_id']} {batch['feed_code']}/{batch['delivery']} 业务日 {batch['business_date']}："
            f"{BATCH_STATUS.zh(batch['status'])}{built}"
        )
        yield f"  文件 {batch['source_name']}，{batch['source_bytes']} 字节，落地文件{kept}{gone}"
        yield f"  sha256 {batch['source_sha256']}"
        yield (
            f"  收到 {batch['received_rows']} = 入库 {batch['staged_rows']} + 拒收 {batch['rejected_rows']} + 重复 "
            f"{batch['duplicate_rows']} + 不取 {batch['filtered_rows']}；{moment(batch['loaded_at'])} 装载"
        )
        for verdict in batch["verdicts"]:
            who = (
                f"门禁运行 {verdict['quality_run_id']}"
                if verdict["quality_run_id"]
                else f"{verdict['decided_by']} 人工"
            )
            yield f"  {moment(verdict['decided_at'])} {who} {VERDICT.zh(verdict['verdict'])}"
        for rule in batch["failed"]:
            how = "出错" if rule["outcome"] == "errored" else "未通过"
            yield f"  门禁运行 {rule['quality_run_id']}：{rule['rule_id']}（{SEVERITY.zh(rule['severity'])}）{how}"


def _versions(found: Trace) -> Iterator[str]:
    for row in found.versions:
        updated = f"，来源更新于 {moment(row['source_updated_at'])}" if row["source_updated_at"] else ""
        yield f"{_place(row)} {row['feed_code']} {row['case_no']}{updated}：{row['outcome_zh']}"


def _events(found: Trace) -> Iterator[str]:
    for row in found.events:
        who = f" {row['unit_name']}" if row["unit_name"] else ""
        due = f"，期限 {limit(row['due_at'])}" if row["due_at"] else ""
        source = "工单行" if row["is_milestone"] else row["feed_code"]
        yield (
            f"{row['occurred_at']:%Y-%m-%d %H:%M:%S} {EVENT_TYPE.said(row['event_type'])}{who}{due}"
            f"（{source}，{_place(row)}）：{row['outcome_zh']}"
        )


def _assignments(found: Trace) -> Iterator[str]:
    for row in found.assignments:
        role = UNIT_ROLE.zh(row["unit_role"] or "lead")
        unit = f"{row['unit_name'] or '未识别单位'}（{row['unit_code'] or '无代码'}）"
        yield f"{unit}{role} 第 {row['round']} 轮 · {row['assignment_id']}"
        yield f"  派单 {moment(row['dispatched_at'])}（{_place(row, 'dispatch_')}）"
        for limit_of in _LIMITS:
            yield from _limited(row, *limit_of)
        first, moved = row["due_at"], row["extended_due_at"]
        if moved or (first and row["is_limit_unknown"]):
            told = limit(first) if first else "超出工作日历"
            yield f"  原时限 {told}，延期{f'至 {limit(moved)}' if moved else '超出工作日历'}"
        if row["natural_minutes_to_close"] is not None:
            clock = CLOCK.zh(row["clock"])
            yield (
                f"  用时 {row['natural_minutes_to_close']} 分钟，其中工作时间 {row['working_minutes_to_close']} 分钟；"
                f"按{clock}计时"
            )
        yield from _ended(row)


def _ended(row: dict) -> Iterator[str]:
    """What else became of the duty: a close that stood at the limit and was sent back, a void, another in its place."""
    if row["closed_in_time_at"] and row["closed_in_time_at"] != row["closed_at"]:
        yield f"  时限届满时已办结（{moment(row['closed_in_time_at'])}），其后被退回，仍计按时"
    if row["voided_at"]:
        late = "；申请晚于时限，办结仍计逾期" if row["is_late_at_return"] else ""
        yield f"  {moment(row['voided_at'])} 作废：{LEFT_OUT.said(row['void_reason'])}{late}"
    if row["end_reason"] == "superseded":
        by = row["superseded_by_assignment_id"]
        yield f"  {moment(row['ended_at'])} {LEFT_OUT.zh('superseded')}{f' · {by}' if by else ''}"


NO_LIMIT = {False: "无时限", True: LEFT_OUT.zh("limit_unknown")}
"""What stands in the place of a limit, by ``is_limit_unknown``."""

_LIMITS = (
    ("sign", "sign_due_at", "signed_at", "is_signed_on_time", "sign_limit_rule_zh", "sign_"),
    ("contact", "contact_due_at", "contacted_at", "is_contacted_on_time", "contact_limit_rule_zh", None),
    ("close", "due_in_force_at", "closed_at", "is_closed_on_time", "limit_rule_zh", "close_"),
)
"""What is limited, and the columns of its limit, its doing, the verdict, the rule and the row that told it."""


def _limited(
    row: dict, kind: str, due_at: str, done_at: str, verdict: str, rule: str, step: str | None
) -> Iterator[str]:
    due, done, name = row[due_at], row[done_at], LIMIT_KIND.zh(kind)
    if kind == "close":  # one that stood at the limit is what the verdict rests on, though review sent it back
        done = done or row["closed_in_time_at"]
    is_unknown = kind == "close" and row["is_limit_unknown"]
    if due is None and done is None and not is_unknown:
        return
    told = [f"时限 {limit(due)}" if due else NO_LIMIT[is_unknown], f"{name} {moment(done)}" if done else f"未{name}"]
    told += [{True: "按时", False: "超时", None: "未判"}[row[verdict]]] if due or is_unknown else []
    told += [f"规则：{row[rule]}"] if row[rule] else []
    told += [_place(row, step)] if step and row[f"{step}batch_id"] else []
    yield f"  {name}：{'，'.join(told)}"


def _callbacks(found: Trace) -> Iterator[str]:
    for row in found.callbacks:
        told = answered(row) or "无结果"
        belongs = f"，归于 {row['assignment_id']}" if row["assignment_id"] else ""
        yield (
            f"{moment(row['called_at'])} {row['unit_name'] or ''} {told}（{row['feed_code']}，{_place(row)}）："
            f"{row['outcome_zh']}{belongs}"
        )


def _decisions(found: Trace) -> Iterator[str]:
    for row in found.decisions:
        state = f"（{DECISION_STATE.zh(row['state'])}）" if row["state"] else ""
        about = f" {row['assignment_id']}" if row["assignment_id"] else " 整件"
        which = f"，指标 {'、'.join(row['indicator_codes'])}" if row["indicator_codes"] else ""
        reason = (VIOLATION if row["kind"] == "violation" else LEFT_OUT).said(row["reason_code"])
        yield (
            f"{moment(row['decided_at'])} {DECISION.zh(row['kind'])} {row['decision_id']}{state}：{reason}，"
            f"{row['source']}，{row['decided_by'] or '来源所报'}{about}{which}"
        )


def _indicators(found: Trace) -> Iterator[str]:
    told = None
    for row in found.indicators:
        run = row["period"], row["scheme_id"], row["scheme_version"]
        if run != told:
            yield (
                f"{row['period']} {row['scheme_id']} 版本 {row['scheme_version']}（构建 {row['build_id']}，"
                f"配置 {row['config_version']}）"
            )
            told = run
        counted = (
            f"不计入：{LEFT_OUT.said(row['excluded_reason'])}"
            if row["excluded_reason"]
            else f"计 {_number(row['numerator_value'])}/{_number(row['denominator_value'])}"
        )
        whole = f"全单位 {_number(row['numerator'])}/{_number(row['denominator'])}"
        points = "未得分" if row["points"] is None else f"得 {row['points']}/{_number(row['points_max'])} 分"
        score = "" if row["score_100"] is None else f"，单位得分 {row['score_100']}"
        yield f"  {row['unit_code']} {row['indicator_zh']}：{counted}；{whole}，{points}{score}"


def _published(found: Trace) -> Iterator[str]:
    for row in found.published:
        why = f"（{LEFT_OUT.said(row['excluded_reason'])}）" if row["excluded_reason"] else ""
        yield (
            f"{row['period']} {row['scheme_id']} 第 {row['revision']} 次发布（release {row['release_id']}，"
            f"{moment(row['published_at'])}）{ROW_CHANGE.zh(row['change'])}：{row['unit_code']} "
            f"{row['indicator_code']} {_number(row['numerator_value'])}/{_number(row['denominator_value'])}{why}"
        )
        yield f"  第 {row['row_no']} 行哈希 {row['row_hash']}；发布哈希 {row['hash']}"


def _place(row: dict, step: str = "") -> str:
    return f"批次 {row[f'{step}batch_id']} 第 {row[f'{step}row_number']} 行"


def _number(value: Decimal | None) -> str:
    return "—" if value is None else f"{value.normalize():f}"


_PARTS = (
    ("一、工单", _case),
    ("二、送达文件与批次", _batches),
    ("三、记录版本", _versions),
    ("四、办理事件", _events),
    ("五、派单与时限", _assignments),
    ("六、回访", _callbacks),
    ("七、申诉、剔除与认定", _decisions),
    ("八、指标与得分", _indicators),
    ("九、发布", _published),
)
