"""What people decide, close and publish, and what the access log tells of."""

from minhu.glossary.kind import Kind

DECISION = Kind(
    "decision",
    {
        "appeal": ("申诉", "appeal"),
        "appeal_decision": ("申诉", "appeal"),
        "exclusion": ("剔除", "exclusion"),
        "violation": ("效能督查认定", "violation found"),
    },
)
LEDGER_CAUSE = Kind(  # by what a line of a revision's ledger moved
    "ledger_cause",
    {
        "appeal_decision": ("申诉", "appeal"),
        "exclusion": ("剔除", "exclusion"),
        "violation": ("效能督查认定", "violation found"),
        "manual_point": ("人工计分", "points by hand"),
        "batch": ("批次", "batch"),
        "no_row": ("配置、读法、统计截止或其他单位", "configuration, readings, data cut or other units"),
        "sum_rounded": ("合计取整", "rounding of the sum"),
        "row_unchanged": ("本身未变", "itself unchanged"),
    },
)
LEDGER_OUTCOME = Kind(  # what became of a row that counts as it did, where its indicator moved
    "ledger_outcome",
    {"costs_nothing": ("不再扣分", "costs nothing any more"), "costs_now": ("开始扣分", "costs points now")},
)
DECISION_STATE = Kind(
    "decision_state",
    {
        "filed": ("待裁定", "to be decided"),
        "overdue": ("逾期未裁定", "overdue"),
        "granted": ("获准", "granted"),
        "awaits_confirmation": ("待复核", "awaits confirmation"),
        "denied": ("驳回", "denied"),
        "withdrawn": ("撤回", "withdrawn"),
        "awaits_approval": ("待审批", "awaits approval"),
        "approved": ("审批通过", "approved"),
        "rejected": ("审批不通过", "not approved"),
        "next_build": ("待下次构建", "from the next build on"),
        "in_force": ("有效", "in force"),
        "expired": ("已到期", "expired"),
        "revoked": ("已撤销", "revoked"),
    },
)
APPEAL_COLUMN = Kind(  # heads of a list of appeals, beside those of the files that are handed in
    "appeal_column",
    {
        "appeal_id": ("申诉", "Appeal"),
        "state": ("状态", "State"),
        "published_rows": ("明细号", "Rows"),
        "decide_by": ("裁定期限", "Decide by"),
        "from_revision": ("自第几次发布", "From revision"),
        "filed_by": ("提出人", "Filed by"),
        "decided_by": ("裁定人", "Decided by"),
    },
)
EXCLUDED_BY = Kind(
    "excluded_by",
    {"hotline": ("热线", "hotline"), "decision": ("剔除决定", "decision"), "appeal": ("申诉", "appeal")},
)
PUBLISHED = Kind(
    "published",
    {
        "unit_score": ("单位得分", "Scores of units"),
        "unit_indicator": ("单位指标", "Indicators of units"),
        "evidence": ("扣分明细", "Evidence"),
        "scheme": ("考核办法", "schemes"),
        "peer_group": ("同类组", "Peer group"),
        "band": ("档次", "Band"),
        "indicator": ("指标", "Indicator"),
    },
)
WITNESS = Kind(
    "witness",
    {
        "mail": ("邮件", "mail"),
        "webhook": ("接口推送", "webhook"),
        "timestamp": ("时间戳", "time stamp"),
        "bulletin": ("通报末页", "bulletin"),
        "noted": ("所给哈希", "noted hash"),
        "operator": ("运行方登记", "the operator's own list"),
        "unwitnessed": ("没有外部见证", "no witness"),
    },
)
DELIVERY_OUTCOME = Kind(
    "delivery_outcome",
    {
        "delivered": ("已送达", "delivered"),
        "failed": ("未送达", "not delivered"),
        "without": ("无见证发布", "published without a witness"),
    },
)
TESTIMONY = Kind(
    "testimony",
    {
        "agrees": ("一致", "agrees"),
        "differs": ("不一致", "differs"),
        "unheard": ("缺", "missing"),
        "unchecked": ("未核对", "not checked"),
    },
)
ROW_CHANGE = Kind("row_change", {"added": ("新增明细", "row added"), "removed": ("撤去明细", "row removed")})
CONFIG_ENTRY = Kind(
    "config_entry",
    {
        "calendar_day": ("工作日历", "calendar"),
        "unit": ("单位目录", "register of units"),
        "unit_name": ("单位名称", "names of units"),
        "unit_succession": ("单位沿革", "succession of units"),
        "limit_rule": ("时限规则", "limit rules"),
        "scheme": ("考核办法", "schemes"),
        "category": ("诉求分类", "categories"),
        "area": ("区划", "areas"),
        "city": ("城市参数", "parameters of the city"),
        "appeal_term": ("申诉期限", "terms of appeals"),
        "reading": ("读法", "readings of the rules"),
        "feed": ("热线", "hotlines"),
        "delivery": ("交付", "deliveries"),
        "bulletin": ("通报落款", "who issues bulletins"),
        "arrival": ("送达时限", "when deliveries are due"),
    },
)
BY_READING = Kind(  # whether what moved in a revision moved by another reading of the rules
    "by_reading",
    {
        "wholly": ("读法", "by the reading"),
        "partly": ("部分因读法", "partly by the reading"),
        "not": ("非因读法", "not by the reading"),
    },
)
ACT = Kind(  # what a login may call; the name of the function
    "act",
    {
        "file_appeal": ("提出申诉", "file appeals"),
        "withdraw_appeal": ("撤回申诉", "withdraw appeals"),
        "decide_appeal": ("裁定申诉", "decide appeals"),
        "exclude": ("剔除", "exclude"),
        "revoke_exclusion": ("撤销剔除", "revoke exclusions"),
        "enter_violation": ("录入效能问题", "enter violations"),
        "revoke_violation": ("撤销效能问题", "revoke violations"),
        "enter_manual_point": ("录入人工计分", "enter points by hand"),
        "revoke_manual_point": ("撤销人工计分", "revoke points by hand"),
        "open_feedback": ("开放核对", "open periods to units"),
        "remark": ("提出核对意见", "remark on own numbers"),
        "answer_remark": ("答复核对意见", "answer remarks"),
        "approve": ("审批与复核", "approve and confirm"),
        "waive": ("豁免检查", "waive checks"),
        "revoke_waiver": ("撤销豁免", "revoke waivers"),
        "release_batch": ("放行批次", "release batches"),
        "close": ("关账", "close"),
        "publish": ("发布", "publish"),
        "record_delivery": ("登记锚点送达", "record who was sent a hash"),
        "keep_ledger": ("写入修订台账", "keep the ledger of a revision"),
        "log_export": ("登记导出", "record exports"),
        "ask_for_case": ("阅读工单文本", "read the text of a case"),
        "ask_for_bundle": ("申请审计包", "ask for bundles"),
        "allow_bundle": ("准许审计包", "allow bundles"),
        "take_bundle": ("取出审计包", "take bundles"),
        "attach": ("附上材料", "attach documents"),
        "detach": ("删去附件", "remove attachments"),
        "ask_for_attachment": ("取用附件", "take attachments"),
        "post_delivery": ("报送交付", "post deliveries"),
        "open_session": ("开启门户会话", "open sessions of the portal"),
        "end_session": ("结束门户会话", "end sessions of the portal"),
        "make_key": ("生成程序密钥", "make keys for programs"),
        "revoke_key": ("作废程序密钥", "revoke keys for programs"),
        "end_own_session": ("结束本人会话", "end own sessions"),
        "ask_job": ("提出任务", "ask for jobs"),
        "begin_job": ("以任务提出人行事", "act for who asked a job"),
        "claim_job": ("领取任务", "claim jobs"),
        "tell_job": ("报任务进度", "tell how far jobs are"),
        "finish_job": ("结束任务", "end jobs"),
        "enrol_factor": ("登记第二因素", "enrol second factors"),
        "use_step": ("使用验证码", "use codes"),
        "note_failure": ("记录登录失败", "note wrong passwords"),
        "forget_failures": ("清除登录失败", "forget wrong passwords"),
        "begin": ("以门户会话行事", "act in a session of the portal"),
        "describe": ("写列注释", "describe columns"),
        "score_feeds": ("数据质量评分", "score feeds"),
        "hold": ("加内部锁", "take locks of the house"),
        "waive_delivery": ("豁免送达", "waive deliveries"),
        "revoke_delivery_waiver": ("撤销送达豁免", "revoke waivers of deliveries"),
        "seal_access": ("封存访问日志", "seal the access log"),
        "end_sessions_in_the_way": ("终止占锁会话", "end sessions in the way"),
    },
)
SUBJECT_OF_APPROVAL = Kind(
    "subject_of_approval",
    {
        "appeal": ("申诉", "appeal"),
        "exclusion": ("剔除", "exclusion"),
        "violation": ("效能督查认定", "violation found"),
        "manual_point": ("人工计分", "points by hand"),
        "closing": ("关账", "closing"),
    },
)
JOB_ACT = Kind(  # what is asked of a runner of the portal
    "job_act",
    {
        "close": ("关账", "close"),
        "revise": ("修订关账", "close a revision"),
        "publish": ("发布", "publish"),
        "verify": ("重算核验", "verify by computing anew"),
        "export": ("导出", "export"),
        "simulate": ("草案测算", "try a draft scheme"),
        "report": ("审计月报", "monthly audit report"),
        "deliver": ("报送", "delivery"),
    },
)
JOB_STATE = Kind(
    "job_state",
    {
        "waiting": ("等待", "waiting"),
        "running": ("进行中", "running"),
        "done": ("完成", "done"),
        "refused": ("未办成", "not done"),
        "failed": ("出错", "broke"),
    },
)
REMARK_STATE = Kind(
    "remark_state",
    {
        "unanswered": ("待答复", "unanswered"),
        "accepted_remark": ("采纳，将更正", "right, will be mended"),
        "stays_as_it_is": ("已说明，不更正", "explained, stays as it is"),
    },
)
MEDIA_TYPE = Kind(  # what is attached, by its bytes
    "media_type",
    {
        "application/pdf": ("PDF 文件", "PDF"),
        "image/jpeg": ("JPG 图片", "JPG"),
        "image/png": ("PNG 图片", "PNG"),
        "application/ofd": ("OFD 文件", "OFD"),
    },
)
GROUP = Kind(  # who a login belongs to
    "group",
    {
        "evaluator": ("考评", "evaluator"),
        "auditor": ("审计", "auditor"),
        "unit": ("承办单位", "unit"),
        "bi": ("数据分析", "analyst"),
        "engineer": ("数据工程", "engineer"),
        "sender": ("报送", "sender"),
        "signin": ("门户登录", "sign-in of the portal"),
    },
)
SESSION_ENDED = Kind(  # why the keeper ended a session
    "session_ended",
    {
        "holds_locks": ("空闲而占锁", "idle with locks"),
        "blocks": ("阻塞他人", "blocks others"),
        "too_many": ("连接过多", "too many of a group"),
    },
)
ACCESS = Kind(  # what the access log tells of
    "access",
    {
        "landed_file": ("读取落地文件", "landed file read"),
        "rejected_rows": ("读取拒收行", "rejected rows read"),
        "frequent_callers": ("查询高频来电人", "frequent callers read"),
        "case_text": ("阅读工单文本", "text of a case read"),
        "attachment": ("取用附件", "attachment taken"),
        "bundle_request": ("申请审计包", "bundle asked for"),
        "bundle_allowance": ("准许审计包", "bundle allowed"),
        "bundle": ("取出审计包", "bundle taken"),
        "export": ("导出", "export"),
        "owner_session": ("以所有者身份进入", "entered as the owner"),
        "key_export": ("导出密钥", "keys exported"),
        "batch_release": ("放行批次", "batch released"),
        "waiver": ("豁免", "waiver"),
        "waiver_revocation": ("撤销豁免", "waiver revoked"),
        "closing": ("关账", "closing"),
        "revision": ("修订关账", "closing of a revision"),
        "approval": ("审批", "approval"),
        "publication": ("发布", "publication"),
    },
)
