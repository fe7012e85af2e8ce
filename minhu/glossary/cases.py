"""Cases and what happens to them, in the words of the field."""

from minhu.glossary.kind import Kind

REQUEST_TYPE = Kind(
    "request_type",
    {
        "consult": ("咨询", "enquiry"),
        "help": ("求助", "request for help"),
        "suggest": ("建议", "suggestion"),
        "complaint": ("投诉", "complaint"),
        "report": ("举报", "report of a wrong"),
        "praise": ("表扬", "praise"),
        "invalid": ("无效", "invalid"),
        "other": ("其他", "other"),
    },
)
URGENCY = Kind(
    "urgency", {"normal": ("一般", "normal"), "urgent": ("急办", "urgent"), "emergency": ("紧急", "emergency")}
)
DISPATCH_SOURCE = Kind(
    "dispatch_source",
    {
        "nation": ("国家平台", "national platform"),
        "province": ("省级平台", "provincial platform"),
        "city": ("市级平台", "city hotline"),
        "county": ("区县平台", "county platform"),
        "department": ("部门热线", "hotline of a department"),
        "other": ("其他", "other"),
    },
)
"""派单来源: who handed the request on to those who handle it. Schemes judge some sources alone (省派工单)."""
ACCEPT_MODE = Kind(
    "accept_mode",
    {
        "direct": ("直办", "answered directly"),
        "dispatched": ("派单", "dispatched"),
        "transferred": ("转其他热线", "passed to another hotline"),
        "rejected": ("不予受理", "not accepted"),
    },
)
EVENT_TYPE = Kind(
    "event_type",
    {
        "ACCEPT": ("受理", "accepted"),
        "DIRECT": ("直办", "answered directly"),
        "TRANSFER_EMERGENCY": ("转紧急热线", "passed to an emergency line"),
        "REJECT_INTAKE": ("不予受理", "not accepted"),
        "DISPATCH": ("派单", "dispatched"),
        "SIGN": ("签收", "signed"),
        "RETURN_REQUEST": ("申请退单", "return asked for"),
        "RETURN_GRANT": ("准予退单", "return granted"),
        "RETURN_DENY": ("驳回退单", "return denied"),
        "REDISPATCH": ("改派", "redispatched"),
        "DESIGNATE": ("指定承办", "designated"),
        "ADD_UNIT": ("加派", "unit added"),
        "COUNTERSIGN": ("会办", "handled jointly"),
        "FIRST_CONTACT": ("先行联系", "first contact"),
        "EXTEND_REQUEST": ("申请延期", "extension asked for"),
        "EXTEND_GRANT": ("准予延期", "extension granted"),
        "EXTEND_DENY": ("驳回延期", "extension denied"),
        "URGE": ("催办", "urged"),
        "SUPERVISE": ("督办", "put under supervision"),
        "REPLY": ("答复", "replied"),
        "CLOSE": ("办结", "closed"),
        "REVIEW_PASS": ("审核通过", "passed review"),
        "REVIEW_BACK": ("审核退回", "sent back by review"),
        "CALLBACK": ("回访", "called back"),
        "RATE": ("评价", "rated"),
        "REWORK": ("重办", "rework"),
        "TERMINATE": ("终止办理", "terminated"),
        "MERGE": ("并单", "merged"),
        "ARCHIVE": ("归档", "archived"),
        "APPEAL": ("申诉", "appealed"),
        "EXCLUDE_GRANT": ("准予剔除", "exclusion granted"),
        "EXCLUDE_DENY": ("不予剔除", "exclusion denied"),
        "VIOLATION": ("效能督查认定", "violation found"),
    },
)
UNIT_ROLE = Kind("unit_role", {"lead": ("主办", "lead"), "support": ("协办", "support")})
LIMIT_KIND = Kind(
    "limit_kind", {"sign": ("签收", "signing"), "contact": ("先行联系", "first contact"), "close": ("办结", "closing")}
)
CLOCK = Kind("clock", {"working": ("工作时间", "working time"), "natural": ("自然时间", "natural time")})
REACH = Kind(
    "reach",
    {"reached": ("接通", "reached"), "refused": ("拒访", "would not answer"), "unreachable": ("未接通", "not reached")},
)
ANSWER = Kind(  # to the three questions of a callback: contacted, resolved, satisfied
    "answer",
    {
        "yes": ("已联系", "contacted"),
        "no": ("未联系", "not contacted"),
        "resolved": ("实际解决", "resolved"),
        "explained": ("解释说明", "explained"),
        "unresolved": ("未解决", "unresolved"),
        "very_satisfied": ("非常满意", "very satisfied"),
        "satisfied": ("满意", "satisfied"),
        "basically_satisfied": ("基本满意", "basically satisfied"),
        "neutral": ("一般", "neutral"),
        "dissatisfied": ("不满意", "dissatisfied"),
        "very_dissatisfied": ("非常不满意", "very dissatisfied"),
        "unrated": ("未评价", "not rated"),
    },
)
VIOLATION = Kind(
    "violation",
    {
        "not_handled": ("不处置", "not handled"),
        "late_handling": ("逾期处置", "handled late"),
        "improper_handling": ("处置不当", "handled improperly"),
    },
)
LEFT_OUT = Kind(  # why a row counts 0 of 0; hotlines and evaluators add codes of their own
    "left_out",
    {
        "returned": ("退单", "returned"),
        "merged": ("并单", "merged"),
        "terminated": ("终止办理", "terminated"),
        "transferred_emergency": ("转紧急热线", "passed to an emergency line"),
        "rejected_intake": ("不予受理", "not accepted"),
        "voided": ("派单已作废", "voided"),
        "support_unit": ("协办单位", "support unit"),
        "not_reached": ("未接通", "not reached"),
        "unrated": ("未评价", "not rated"),
        "not_weighed": ("答复不计分", "answer without weight"),
        "not_the_first": ("非首次回访", "not the first callback"),
        "not_the_last": ("非末次回访", "not the last callback"),
        "rechecked": ("复核后不计", "not confirmed when asked again"),
        "recheck_due": ("待复核", "to be asked again"),
        "limit_unknown": ("时限未知", "limit unknown"),
        "superseded": ("责任已由后一派单接替", "another assignment took its place"),
        "statutory_channel": ("法定渠道办理", "statutory channel"),
        "repeat_without_new_facts": ("重复诉求无新事实", "repeat without new facts"),
        "beyond_duty": ("超出职责范围", "beyond duty"),
        "mis_dispatched": ("错派", "dispatched to the wrong unit"),
    },
)
TEXT_OF_CASE = Kind(  # where a text of a case was written, beside its events
    "text_of_case", {"title": ("标题", "title"), "content": ("内容", "content"), "callback": ("回访", "callback")}
)
TIME_PRECISION = Kind("time_precision", {"day": ("只到日", "to the day")})
LOST_REASON = Kind(  # audit.event_version.lost_reason, and the anomalies that take an event off a clock
    "lost_reason",
    {
        "corrected": ("报送方已更正", "corrected by the sender"),
        "retracted": ("报送方已撤回", "withdrawn by the sender"),
        "source_of_record": ("以权威来源所报为准", "the source of record says otherwise"),
        "after_end": ("责任已终止", "the duty had ended"),
        "after_void": ("派单已作废", "the assignment was void"),
        "before_dispatch": ("早于派单", "before the dispatch"),
        "closed_again": ("以首次有效办结为准", "the first close that stands counts"),
        "extension_asked_late": ("申请时已过时限", "asked after the limit"),
        "extension_request_not_told": ("准予时已过时限，未报申请", "granted after the limit, no request was told"),
        "review_back_before_close": ("尚未办结", "not closed yet"),
    },
)
ANOMALY = Kind(  # what was made of an event that the life-cycle does not allow
    "anomaly",
    {
        "after_end": ("不计：责任已由后一派单接替", "not counted: another assignment had taken its place"),
        "after_void": ("不计：派单作废后的动作不归于任何单位", "not counted: acts after the assignment was void"),
        "before_dispatch": ("不计：签收、联系、办结、退单须在派单之后", "not counted: it must follow the dispatch"),
        "closed_again": ("不计：以首次未被审核退回的办结为准", "not counted: the first close not sent back stands"),
        "dispatched_again": (
            "不另开派单：该单位手中的派单及其时限不变",
            "opens nothing: what the unit has keeps its clock and its limit",
        ),
        "dispatched_after_end": (
            "新派单另计时限；终结只作废当时未结的派单",
            "a new assignment with a limit of its own; the end voids what was open then",
        ),
        "extension_asked_late": ("不计：申请时已过的时限不变", "not counted: a limit that has passed stays"),
        "extension_request_not_told": (
            "不计：准予时已过时限，未报在时限前申请",
            "not counted: nobody told that it was asked for before the limit passed",
        ),
        "lead_over_open_lead": (
            "前后两个主办各计时限，直至各自终止",
            "both leads have their limits, each until its duty ends",
        ),
        "merge_target_unknown": (
            "与其他并单一样作废未结派单；并入的工单不详",
            "voids what is open, as every merge; the other case is not known",
        ),
        "return_after_close": ("退单仍使派单作废", "the return voids the assignment all the same"),
        "return_after_designation": ("无效：派单不变，时限照计", "void: the assignment and its limit stand"),
        "return_request_not_told": (
            "退单仍使派单作废；未报何时申请",
            "the return voids the assignment; nobody told when it was asked for",
        ),
        "returned_outside_window": (
            "退单仍使派单作废；申请已过退单期限",
            "the return voids the assignment; it was asked for outside its window",
        ),
        "review_back_before_close": ("不计：以其后的办结为准", "not counted: the close after it stands"),
        "sign_after_close": ("签收按其时刻计，办结不变", "signed when it says; the close stands"),
        "unit_never_dispatched": (
            "不计：该单位在此工单上没有派单",
            "not counted: the case was never dispatched to the unit",
        ),
    },
)
GRAIN = Kind(  # what a row of mart.agg_day, or of agg_rate, counts by
    "grain",
    {
        "city": ("全市", "city"),
        "feed": ("热线", "feed"),
        "request_type": ("诉求类型", "request type"),
        "category": ("诉求分类", "category"),
        "area": ("区划", "area"),
        "unit": ("承办单位", "unit"),
        "feed_request_type": ("热线×诉求类型", "feed by request type"),
        "unit_category": ("承办单位×一级分类", "unit by top category"),
        "area_category": ("区划×一级分类", "area by top category"),
        "peer_group": ("同类组", "peer group"),
    },
)
FACT = Kind(  # what the facts of a row of mart.freshness tell of
    "fact",
    {
        "fct_case": ("诉求件", "cases"),
        "fct_timeliness": ("派单时效", "timeliness"),
        "fct_satisfaction": ("回访满意度", "satisfaction"),
        "fct_violation": ("督查认定", "violations"),
        "fct_event": ("办理事件", "events"),
    },
)
SUBJECT = Kind(  # what a counted row is about
    "subject",
    {
        "assignment": ("派单", "assignment"),
        "callback": ("回访", "callback"),
        "violation": ("效能督查认定", "violation found"),
        "feed": ("热线", "hotline"),
        "manual_point": ("人工计分", "points by hand"),
    },
)
SUCCESSION = Kind(
    "succession", {"renamed": ("更名", "renamed"), "merged": ("合并", "merged"), "split": ("拆分", "split")}
)
NAME_RESOLUTION = Kind(
    "name_resolution",
    {
        "register": ("单位目录", "the register"),
        "other_years": ("他年名称", "its name in other years"),
        "successor": ("承接单位", "who carries its work on"),
        "predecessor": ("前身单位", "the unit before it"),
        "before_merger": ("合并前单位", "one of those merged"),
        "ended_split": ("已拆分", "split up"),
        "ended": ("已撤销", "ended"),
    },
)
GAMING_SIGNAL = Kind(
    "gaming_signal",
    {
        "rated_at_once": ("办结后即刻评价", "rated as soon as closed"),
        "closed_at_once": ("同一秒批量办结", "many closed in one second"),
        "all_satisfied_few_reached": ("接通率低而满意率百分之百", "few reached, all satisfied"),
        "explained_in_the_last_days": ("月末解释说明骤增", "many explained at the month's end"),
        "excluded_in_the_last_days": ("月末剔除骤增", "many excluded at the month's end"),
        "returned_in_the_last_days": ("月末退单骤增", "many returned at the month's end"),
        "returned_before_the_limit": ("到期前集中退单", "many returned just before the limit"),
        "closed_late_then_sent_back": ("到期前数小时办结后被退回或重办", "closed in the last hours, then sent back"),
        "closed_then_reopened": ("办结后又被退回或重办", "closed, then sent back or reworked"),
    },
)
CALENDAR_STATUS = Kind(  # whether the State Council has settled the day
    "calendar_status", {"official": ("已公布", "official"), "provisional": ("待公布", "provisional")}
)
