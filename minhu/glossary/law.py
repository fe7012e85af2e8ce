"""The law: what a scheme says, and how a unit stands by it."""

from minhu.glossary.kind import Kind

PERIOD = Kind("period", {"month": ("月度", "month"), "quarter": ("季度", "quarter"), "year": ("年度", "year")})
STANDING = Kind("standing", {"indicative": ("参考", "indicative"), "final": ("正式", "final")})
NOT_RANKED = Kind(
    "not_ranked",
    {
        "no_case": ("本期无派单，不参加排名", "no case dispatched in the period"),
        "nothing_due": ("本期无到期事项，不参加排名", "nothing due in the period"),
        "too_few": ("本期件数过少，不参加排名", "too few cases in the period"),
        # over the cities of a province
        "early": ("周期未满即关账，不参加全省排名", "closed before the period was over"),
        "other_scheme": ("各市考核办法不同，不作全省排名", "scored by another scheme than other cities"),
        "one_city": ("仅一市发布，不作全省排名", "no other city has published"),
    },
)
FUNNEL_FLAG = Kind(
    "funnel_flag",
    {
        "low_95": ("低于组内 95% 控制限", "below the group's 95% limit"),
        "high_95": ("高于组内 95% 控制限", "above the group's 95% limit"),
        "low_99_8": ("低于组内 99.8% 控制限", "below the group's 99.8% limit"),
        "high_99_8": ("高于组内 99.8% 控制限", "above the group's 99.8% limit"),
    },
)
VALUE_UNIT = Kind(  # what the value of an indicator is counted in
    "value_unit",
    {
        "percent": ("百分比", "percent"),
        "items": ("件", "items"),
        "minutes": ("分钟", "minutes"),
        "score": ("分", "points"),
        "per_10k": ("每万人", "per 10,000 people"),
    },
)
LIMIT_UNIT = Kind(
    "limit_unit",
    {
        "workday": ("工作日", "working days"),
        "work_hour": ("工作小时", "working hours"),
        "work_minute": ("工作分钟", "working minutes"),
        "day": ("自然日", "days"),
        "hour": ("自然小时", "hours"),
        "minute": ("自然分钟", "minutes"),
    },
)
LIMIT_START = Kind(
    "limit_start",
    {"next_day": ("自次日起算", "from the next day"), "at_once": ("自派单时起算", "from the dispatch")},
)
AGGREGATE = Kind(
    "aggregate",
    {
        "rate": ("比率", "rate"),
        "count": ("件数", "count"),
        "sum": ("合计", "sum"),
        "share": ("占同组比重", "share of the group"),
        "mean": ("平均", "mean"),
        "median": ("中位数", "median"),
        "p90": ("九成位数", "90th percentile"),
        "per_10k": ("每万人", "per 10,000 people"),
    },
)
WHEN_EMPTY = Kind(
    "when_empty",
    {
        "left_out": ("不计入得分，也不计入满分", "left out of points and full points"),
        "full_points": ("按满分计", "full points"),
        "zero": ("按 0 分计", "0 points"),
    },
)
SCORING = Kind(
    "scoring",
    {
        "proportional": ("按比例得分", "in proportion"),
        "linear_deduction": ("按百分点扣分", "a deduction for each percentage point"),
        "per_item_deduction": ("按件扣分", "a deduction for each item"),
        "per_item_bonus": ("按件加分", "a bonus for each item"),
        "steps": ("分级计分", "by steps"),
        "manual": ("人工计分", "by hand"),
    },
)
CHOICE = Kind(  # other values that a scheme chooses from
    "choice",
    {
        "out": ("不计", "out"),
        "in": ("计入", "in"),
        "higher": ("越高越好", "the higher the better"),
        "lower": ("越低越好", "the lower the better"),
        "earned": ("录入得分", "points are entered"),
        "change": ("逐项加减", "changes are entered"),
        "recomputed": ("按全周期重算", "recomputed over the whole period"),
        "mean_of_months": ("各月平均", "mean of the months"),
        "mean_of_quarters": ("各季平均", "mean of the quarters"),
        "half_up": ("四舍五入", "half up"),
        "components_first": ("先逐项取整再相加", "each part first, then the sum"),
        "sum_first": ("先相加再取整", "the sum alone"),
        "every": ("每次", "every"),
        "first": ("首次", "first"),
        "last": ("末次", "last"),
        "best": ("前几名", "best"),
        "worst": ("后几名", "worst"),
        "peer_group": ("同类组内", "within the peer group"),
        "all": ("全部单位", "of all units"),
        "add": ("累加", "added"),
        "replace": ("从原时限起算", "from the first limit"),
        "stands": ("仍计逾期", "the lateness stands"),
        "lifts": ("不计逾期", "the lateness is lifted"),
    },
)
SCHEME_FIELD = Kind(
    "scheme_field",
    {
        "title": ("名称", "title"),
        "title_en": ("英文名称", "title in English"),
        "legal_basis": ("依据", "basis"),
        "valid_from": ("施行日期", "in force from"),
        "valid_to": ("失效日期", "in force until"),
        "timezone": ("时区", "time zone"),
        "periods": ("考核周期", "periods"),
        "aggregation": ("周期汇总", "aggregation"),
        "bands": ("分档", "bands"),
        "rounding": ("取整", "rounding"),
        "publication": ("公布", "publication"),
        "limits": ("时限", "limits"),
        "name_zh": ("名称", "name"),
        "name_en": ("英文名称", "name in English"),
        "measure": ("计数口径", "measure"),
        "moment": ("归期时点", "moment"),
        "aggregate": ("汇总方式", "aggregate"),
        "points": ("分值", "points"),
        "peer_groups": ("适用同类组", "peer groups"),
        "scoring": ("计分方法", "scoring"),
        "when_empty": ("无数据时", "when empty"),
        "support_units": ("协办单位", "support units"),
        "answers": ("回访答复", "answers"),
        "min_n": ("最少件数", "fewest cases"),
        "note": ("说明", "note"),
        "example": ("示例标记", "marked as example"),
        "function": ("计分函数", "function"),
        "target": ("目标", "target"),
        "per_point": ("每百分点扣分", "deduction per percentage point"),
        "floor": ("保底分", "floor"),
        "better": ("方向", "direction"),
        "per_item": ("每件分值", "points per item"),
        "cap": ("上限", "cap"),
        "steps": ("分级表", "steps"),
        "otherwise": ("其余", "otherwise"),
        "entry": ("录入方式", "entry"),
        "number": ("文号", "document no."),
        "article": ("条款", "article"),
        "text": ("内容", "text"),
        "mode": ("方式", "mode"),
        "order": ("次序", "order"),
        "decimals": ("小数位", "decimals"),
        "rate_decimals": ("指标值小数位", "decimals of rates"),
        "ranking": ("公布名次", "places are shown"),
        "shrunken": ("附收缩值", "drawn rates are shown"),
        "lists": ("榜单", "lists"),
        "take": ("取用", "take"),
        "within": ("范围", "within"),
        "weights": ("权重", "weights"),
        "recheck": ("复核后计入", "asked again"),
        "at_least": ("不低于", "at least"),
        "at_most": ("不高于", "at most"),
        "limit_kind": ("环节", "step"),
        "request_types": ("诉求类型", "request types"),
        "urgencies": ("紧急程度", "urgencies"),
        "categories": ("分类", "categories"),
        "linkage_levels": ("联动级别", "linkage levels"),
        "amount": ("数量", "amount"),
        "unit": ("单位", "unit"),
        "starts": ("起算", "starts"),
        "extension": ("延期", "extension"),
        "max_count": ("最多次数", "at most so often"),
        "further": ("再次延期", "further extensions"),
        "ask_before": ("提前申请", "asked so long before"),
        "returned": ("退单", "return"),
        "ask_within": ("申请期限", "asked within"),
        "late": ("逾期后申请", "asked after the limit"),
    },
)
