"""What hotlines deliver, and what the door, the gates and the builds make of it."""

from minhu.glossary.kind import Kind

RECORD = Kind("record", {"case": ("工单", "cases"), "event": ("办理事件", "events"), "callback": ("回访", "callbacks")})
FEED_ROLE = Kind("feed_role", {"hotline": ("热线与平台", "hotline"), "response": ("承办单位反馈", "response of units")})
LOAD_OUTCOME = Kind(
    "load_outcome",
    {
        "loaded": ("新装载", "loaded"),
        "already_loaded": ("已装载过", "loaded before"),
        "nothing_delivered": ("未送达", "nothing delivered"),
        "held": ("扣留", "held"),
        "unreachable": ("数据源不可达", "source out of reach"),
        "failed": ("装载失败", "load failed"),
    },
)
LOAD_FAILURE = Kind(  # the code of an attempt that failed, where no file was refused
    "load_failure",
    {
        "SOURCE_AWAY": ("数据源不可达，稍后再试", "the source is out of reach; tried again later"),
        "NOT_NOW": ("暂不能装载，稍后再试", "not possible now; tried again later"),
        "REFUSED": ("不能装载，须先更正", "refused until its cause is mended"),
        "BAD_DECLARATION": ("声明有误", "a wrong declaration"),
        "UNFORESEEN": ("程序异常，见装载失败日志", "broke unforeseen; the log of failed loads has it"),
    },
)
BATCH_STATUS = Kind(  # missing: a delivery of which no batch came; failed: the last load of it failed
    "batch_status",
    {
        "loaded": ("待判定", "to be judged"),
        "accepted": ("已放行", "accepted"),
        "held": ("扣留", "held"),
        "refused": ("整批拒收", "refused"),
        "superseded": ("已被取代", "superseded"),
        "missing": ("未送达", "missing"),
        "failed": ("装载失败", "load failed"),
    },
)
DELIVERY_STATE = Kind(  # of a delivery of a date, of which a batch may have come or not
    "delivery_state",
    {
        "expected": ("未到期", "expected"),
        "arrived": ("已到达，未能装载", "arrived, not loaded"),
        "loaded": ("待判定", "to be judged"),
        "accepted": ("已放行", "accepted"),
        "held": ("扣留", "held"),
        "refused": ("整批拒收", "refused"),
        "late": ("迟到", "late"),
        "missing": ("未送达", "missing"),
        "empty": ("当日无件", "nothing that day"),
        "waived": ("已豁免", "waived"),
    },
)
VERDICT = Kind("verdict", {"accepted": ("放行", "accepted"), "held": ("扣留", "held")})
PREVIEW = Kind(
    "preview",
    {
        "load": ("可以入库", "would be loaded"),
        "hold": ("会被扣留，等待放行", "would be held until released"),
        "refuse": ("会被整批拒收", "would be refused"),
    },
)
MAPPED_AS = Kind(
    "mapped_as",
    {
        "private": ("隐私列，不出装载器", "private, stays in the loader"),
        "absent": ("文件中没有此列", "not in the file"),
        "payload": ("原样保留", "kept as it is"),
        "required": ("必填", "required"),
    },
)
DOOR_REASON = Kind(  # why a row or a whole file was set aside, and what was noted of a row that was taken
    "door_reason",
    {
        "FIELD_COUNT": ("列数与表头不符", "another number of columns than the header"),
        "BAD_BYTES": ("含无法识别的字节", "bytes that are no text"),
        "BAD_QUOTE": ("引号不成对", "quotes that do not pair"),
        "BAD_RECORD": ("此行不是一条记录", "a line that is no record"),
        "STRAY_QUOTE": ("多余的引号可能吞掉了下一行", "a stray quote may have swallowed the next record"),
        "TITLE_LINES": ("标题行", "title lines"),
        "FOOTER_LINES": ("表尾行", "footer lines"),
        "BLANK_LINES": ("空行", "blank lines"),
        "OTHER_SHEETS": ("未读取的工作表", "sheets that were not read"),
        "ERROR_CELLS": ("单元格是错误值", "cells with an error"),
        "UNCOMPUTED_CELLS": ("公式没有保存结果", "formulas without a saved result"),
        "MERGED_CELLS": ("合并单元格，已逐行填入", "merged cells, filled in row by row"),
        "WIDE_CELLS": ("跨列合并的单元格", "cells merged over columns"),
        "ROUNDED_NUMBERS": (
            "超过15位的数字已被表格软件改写",
            "numbers of more than 15 digits, rounded by a spreadsheet",
        ),
        "EPOCH_1904": ("日期序号从1904年起算", "serial days that count from 1904"),
        "NO_ROWS": ("没有记录", "no rows"),
        "MISSING_VALUE": ("必填项为空", "a required value is blank"),
        "BAD_TIMESTAMP": ("时间无法识别", "a time that cannot be read"),
        "UNKNOWN_CODE": ("代码不在约定范围", "a code that was not agreed"),
        "TIME_OUT_OF_RANGE": ("时间超出范围（1970—2100年）", "a time before 1970 or after 2100"),
        "TIME_SKIPPED": ("时间在夏令时跳过的一小时内", "a time that the clocks skipped"),
        "BAD_NUMBER": ("数字无法识别或超出范围", "a number that cannot be read or is out of range"),
        "BAD_KEY": ("编号或代码已失真", "a key that lost its shape"),
        "KEY_MENDED": ("编号或代码已清理", "a key that was cleaned"),
        "CLOSE_BEFORE_RECEIPT": ("办结早于受理", "closed before it was received"),
        "UNNAMED_WORD": ("声明中没有的词", "a word that the declaration does not name"),
        "DAY_ONLY": ("只有日期，没有时刻", "a day without a time"),
        "MISSING_COLUMN": ("缺少列", "a column is missing"),
        "NEW_COLUMN": ("出现新列", "a new column"),
        "TOO_MANY_REJECTED": ("拒收行过多", "too many rows rejected"),
        "CONTROL_TOTAL": ("与来件方的行数不符", "another number of rows than the sender counts"),
        "SAME_FILE_OTHER_DATE": ("与他日文件相同", "the file of another day"),
        "SNAPSHOT_SHRANK": ("快照缩水", "the snapshot shrank"),
        "WRONG_ENCODING": ("编码不符", "another encoding"),
        "WRONG_CONTENT_TYPE": ("来件类型不符", "another type of content"),
        "NO_FILE": ("文件无法读取", "the file cannot be read"),
        "EMPTY_FILE": ("空文件", "an empty file"),
        "TOO_LARGE": ("文件过大", "the file is too large"),
        "BAD_HEADER": ("表头不能用", "a header that cannot be used"),
        "UNREADABLE": ("读不出来", "cannot be read"),
        "MISSING_PAGE": ("缺页", "a page is missing"),
        "REPEATED_PAGE": ("页面重复", "a page came twice"),
        "LINK_ASTRAY": ("链接指向投递目录之外", "a link that leads out of the drop folder"),
        "BAD_CURSOR": ("游标无法识别", "a cursor that cannot be read"),
    },
)
NOTE_EFFECT = Kind(  # what becomes of what was noted
    "note_effect",
    {
        "taken": ("照常入库", "loaded all the same"),
        "blanked": ("该项留空，其余照常入库", "left blank, the rest is loaded"),
        "mended": ("清理后照常入库", "cleaned and loaded"),
        "no_rows": ("不是记录，计数后略过", "no records; counted and passed over"),
        "no_close": ("已入库，但事实不认作办结", "loaded, but the facts do not take it for a close"),
        "day_meant": (
            "照常入库：派单按当日起点，其余按当日最后一秒",
            "loaded: a dispatch at the start of its day, all else at its last second",
        ),
    },
)
DOOR_MEND = Kind(  # what the sender or the declaration does about a row that was rejected
    "door_mend",
    {
        "mend_field_count": ("检查引号与分隔符", "look at its quotes and separators"),
        "mend_missing_value": ("请来件方补全", "ask the sender to fill it in"),
        "mend_bad_timestamp": ("把写法加入 formats，或请来件方更正", "declare how it is written, or ask the sender"),
        "mend_time_out_of_range": ("请来件方更正年份", "ask the sender for the right year"),
        "mend_time_skipped": ("核对 timezone，或请来件方更正", "look at timezone, or ask the sender"),
        "mend_unknown_code": ("把该词写入 map", "add the word to the column's map"),
        "mend_bad_number": ("请来件方更正数字", "ask the sender for the right number"),
        "mend_bad_key": ("请来件方把该列按文本导出，一格一个编号", "have the column exported as text, one key a cell"),
    },
)
GATE = Kind("gate", {"arrival": ("入库门禁", "Arrival gate"), "release": ("发布门禁", "Release gate")})
SEVERITY = Kind(
    "severity", {"critical": ("严重", "critical"), "warning": ("警告", "warning"), "info": ("提示", "information")}
)
ON_FAILURE = Kind(
    "on_failure",
    {
        "hold": ("扣留批次", "holds the batch"),
        "stop": ("停止发布", "stops publishing"),
        "report": ("记录并通报", "is recorded and told"),
    },
)
COMPARED_WITH = Kind(
    "compared_with",
    {
        "weekday": ("同一星期日次", "the same weekday"),
        "day_kind": ("同类日", "days of its kind"),
        "recent": ("近期各日", "recent days"),
    },
)
KEPT = Kind(  # what retention deletes
    "kept",
    {
        "landed_file": ("落地文件", "landed file"),
        "rejected_rows": ("拒收行", "rejected rows"),
        "identical_rows": ("重复行", "identical rows"),
    },
)
KEY_USE = Kind("key_use", {"caller": ("来电人令牌", "caller tokens"), "record": ("散列编号", "hashed numbers")})
KEY_STATE = Kind(
    "key_state",
    {"pending": ("待启用", "pending"), "writing": ("写入", "writing"), "retired": ("仅识别", "only recognises")},
)
BUILD_STATUS = Kind(
    "build_status",
    {"running": ("进行中", "running"), "succeeded": ("成功", "succeeded"), "failed": ("失败", "failed")},
)
BUILD_STEP = Kind(
    "build_step",
    {
        "configuration": ("读入配置", "configuration"),
        "statistics": ("统计信息", "statistics"),
        "choose": ("选取批次与工单", "choose batches and cases"),
        "models": ("模型与测试", "models and tests"),
        "apply": ("写入事实", "apply"),
        "counts": ("更新汇总", "counts"),
        "feed_scores": ("数据质量评分", "score feeds"),
        "comments": ("列注释", "comments"),
    },
)
BUILD_ACTION = Kind("build_action", {"take": ("采用", "taken"), "withdraw": ("撤下", "withdrawn")})
ROW_OUTCOME = Kind(  # of a delivered row, whatever it tells
    "row_outcome",
    {
        "counted": ("采用", "counted"),
        "outranked": ("已有更新的版本，不采用", "a newer version counts"),
        "of_older_version": ("随工单的旧版本，不采用", "goes with an older version of its case"),
        "tombstone": ("来源声明该事件已撤回", "withdrawn by its source"),
        "orphan": ("所属工单尚未送达，等待", "waits for its case"),
        "held": ("批次被扣留，未放行，不参与计算", "its batch is held"),
        "loaded": ("批次尚未经门禁判定，不参与计算", "its batch is not judged yet"),
        "superseded": ("批次已被批次 {by} 取代，不参与计算", "its batch was superseded by batch {by}"),
        "unbuilt": ("批次已放行，尚未构建", "its batch is accepted, and not built yet"),
    },
)
VERSION_OUTCOME = Kind(  # of one version of a case record
    "version_outcome",
    {
        "counted": (
            "采用：该工单各版本中最新（先比来源更新时间，再比批次次序，再比行号）",
            "counted: the newest of its case, by update, batch and row",
        ),
        "same": (
            "内容与采用的版本相同（重复送达），以首次送达的行为准",
            "the same as the one that counts, which came first",
        ),
        "older_update": ("来源更新时间早于采用的版本", "updated before the one that counts"),
        "older_batch": ("批次次序早于采用的版本", "of a batch before that of the one that counts"),
        "older_row": ("同批行号在采用的版本之前", "a row before the one that counts"),
        "withdrawn": ("工单已由来源删除", "the case was deleted by its source"),
        "tombstone": ("来源声明该记录已删除", "the source says that the record is deleted"),
        "waits": ("尚无采用的版本", "no version counts yet"),
    },
)
QUALITY_PART = Kind(
    "quality_part",
    {
        "completeness": ("数据完整", "complete data"),
        "content": ("内容完整", "complete content"),
        "timeliness": ("数据及时", "data in time"),
        "stability": ("接口稳定性", "stable interface"),
    },
)
QUALITY_CAUSE = Kind(
    "quality_cause",
    {
        "missing_day": ("未送达", "missing"),
        "empty_column": ("内容为空", "empty content"),
        "rejected_rows": ("拒收行", "rejected rows"),
        "late": ("迟到", "late"),
        "refused": ("整批拒收", "refused"),
        "unreachable": ("数据源不可达", "source out of reach"),
        "nothing_arrived": ("全月无送达", "nothing in the whole month"),
    },
)
QUALITY_METRIC = Kind(
    "quality_metric",
    {
        "rejected_pct": ("拒收", "rejected"),
        "duplicate_pct": ("重复行", "duplicates"),
        "category_null_pct": ("事项分类为空", "no category"),
        "request_type_null_pct": ("诉求类型为空", "no request type"),
        "area_null_pct": ("区域为空", "no area"),
        "text_null_pct": ("标题与内容为空", "neither title nor text"),
        "unknown_category_pct": ("分类代码未登记", "category not registered"),
        "dispatch_unit_null_pct": ("派单单位为空", "dispatched to no unit"),
        "outcome_null_pct": ("回访结果为空", "callback without an outcome"),
        "unresolved_unit_pct": ("单位名称未识别", "unit's name not resolved"),
    },
)
RECONCILED = Kind(  # the counts of audit.reconcile_release
    "reconciled",
    {
        "score_runs": ("评分运行", "score runs"),
        "scored_units": ("评分单位", "scored units"),
        "units_without_indicators": ("无指标的单位", "units without indicators"),
        "indicators_without_score": ("无得分的单位指标", "indicators without a score"),
        "points_sum_gaps": ("指标分之和与总分不符", "points that do not add up"),
        "case_sum_gaps": ("明细之和与指标不符", "rows that do not add up"),
        "unjudged_batches": ("未判定批次", "batches not judged"),
        "unbuilt_batches": ("未构建批次", "batches not built"),
        "held_batches": ("扣留批次", "batches held"),
        "unofficial_days": ("非正式日历日", "days not official"),
        "unresolved_assignments": ("未识别单位的派单", "assignments of no known unit"),
        "days_not_over": ("未到期末的天数", "days before the end"),
    },
)
AUDIT_INPUT = Kind(  # what an audit report was read from
    "audit_input",
    {
        "batches": (
            "批次清单（本月各批次的文件哈希、状态与行数）",
            "list of batches (file hashes, states, rows)",
        ),
        "quality_results": ("质量结果（本月各门禁运行的全部结果）", "quality results (every gate run of the month)"),
        "rules": ("规则台账（各版本）", "register of rules (every version)"),
        "feed_quality": ("热线数据质量分", "data-quality scores of hotlines"),
        "config": ("配置（最新版本）", "configuration (newest version)"),
        "code": ("代码（程序与模型文件）", "code (program and models)"),
        "sample_frame": ("抽样框（框内全部工单的编号）", "sampling frame (ids of its cases)"),
        "sample": ("样本（抽中工单的编号）", "sample (ids of its cases)"),
        "shown": ("本报告所列的全部数据", "all that the report shows"),
        "release_head": ("发布哈希链末端", "end of the chain of releases"),
    },
)
ARRIVED_FOR = Kind(
    "arrived_for",
    {
        "itself": ("本件已移出", "its own rows are out"),
        "others": ("所依据的工单已移出", "rows of cases that it rests on are out"),
    },
)
