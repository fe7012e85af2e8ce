"""What is shown: the datasets, their metrics, and the charts of three boards."""

from minhu.bi.declared import COUNT, POINTS, RATE, Board, Chart, Dataset, Filter, Metric, Pick
from minhu.bi.metrics import counted, of_days, of_pairs, of_scores, ratio
from minhu.warehouse.dictionary import words

_WORK = (
    counted("intake", "受理量", "Intake", about="当日受理的诉求件。"),
    counted("repeats", "重复件", "Repeats", about="其中与先前诉求重复的。"),
    counted("dispatched", "派单量", "Dispatched", about="主办派单。"),
    counted("closed", "办结量", "Closed"),
    counted("returned", "退单量", "Returned"),
    counted("called_back", "回访量", "Called back"),
    Metric(
        "repeat_rate",
        "重复诉求占比",
        "Share of repeats",
        ratio("sum(repeats)", "sum(intake)"),
        RATE,
        "重复件 ÷ 受理量。",
    ),
    Metric(
        "open_newest",
        "在办量",
        "Open",
        "sum(open) filter (where is_newest)",
        COUNT,
        "数据截至日日末的在办主办派单；存量不能按日相加。",
    ),
    Metric(
        "overdue_newest",
        "逾期在办量",
        "Overdue",
        "sum(overdue) filter (where is_newest)",
        COUNT,
        "数据截至日日末在办且已过时限的主办派单；存量不能按日相加。",
    ),
    Metric(
        "open_mean",
        "日均在办量",
        "Open, mean of days",
        "sum(open)::numeric / nullif(count(distinct day_on), 0)",
        ",.0f",
        "日末在办派单的日均值；按日看即为当日日末。",
    ),
    Metric("reached", "数据截至", "Data as of", "max(day_on) filter (where is_newest)", "", "在办、逾期即为该日日末。"),
)
_COUNTS = (
    *("intake", "repeats", "dispatched", "closed", "closed_on_time", "returned", "reworked", "called_back", "rated"),
    *("satisfied", "open", "overdue"),
)
_AXES = {
    "month": ("月份", "The month of the day."),
    "week": ("周（周一）", "The Monday of its week."),
}
_NEWEST = {"is_newest": ("是否最新一日", "Whether it is the day up to which the data reach.")}
_CATEGORY = {
    "category_zh": ("事项分类", "The category's name."),
    "category_1_zh": ("一级分类", "The first level above it."),
}
_AREA = {
    "area_zh": ("区域", "The area's name."),
    "district_zh": ("区县", "The district that it lies in."),
    "town_zh": ("乡镇街道", "The town or street that it lies in."),
}
_UNIT = {"unit_zh": ("承办单位", "The unit's name then."), "peer_group_zh": ("同类组", "Whom it is compared with.")}
_FEED = {"feed_zh": ("热线", "The hotline's name.")}


def _whole(of: str, *days: str) -> str:
    """All of a mart, with the months of ``days``. Its moments as the clock in the city shows them: tools draw a moment
    with a zone in their own."""
    told = [f"{name}::timestamp as {name}" if name.endswith("_at") or name == "as_of" else name for name in words(of)]
    told += [f"to_char({day}, 'YYYY-MM') as {day.removesuffix('_on')}_month" for day in days]
    return f"select {', '.join(told)}\nfrom mart.{of}"


def _axes(day: str) -> str:
    """Months and weeks as text: an axis of them has a mark for each, which an axis of time has not."""
    return f"to_char({day}, 'YYYY-MM') as month, to_char(date_trunc('week', {day}::timestamp), 'YYYY-MM-DD') as week, "


def _day(grain: str, zh: str, names: str = "", joins: str = "", words: dict | None = None) -> Dataset:
    """`mart.agg_day` of one grain, with names."""
    day = ", ".join(f"day.{name}" for name in _COUNTS)
    sql = (
        f"select day.day_on, {_axes('day.day_on')}{names}{day}, day.day_on = newest.day_on as is_newest\n"
        "from mart.agg_day as day\n"
        "cross join (\n"
        "    select max(day_on) as day_on from mart.agg_day where grain = 'city' and open is not null\n"
        ") as newest\n"
        f"{joins}where day.grain = '{grain}' and day.day_on <= newest.day_on"
    )
    return Dataset(f"{grain}_day", zh, "agg_day", "day_on", _WORK, sql, _NEWEST | _AXES | (words or {}))


_TO_CATEGORY = "left join mart.dim_category as named on {0}.category_code = named.category_code\n"
_CATEGORY_NAMES = (
    "{0}.category_code, coalesce(named.category_name, {0}.category_code) as category_zh,"
    " coalesce(named.level_1_name, named.category_name, {0}.category_code) as category_1_zh, "
)
_TO_AREA = "left join mart.dim_area as named on {0}.area_code = named.area_code\n"
_AREA_NAMES = (
    "{0}.area_code, coalesce(named.area_name, {0}.area_code) as area_zh, named.district_name as district_zh,"
    " named.town_name as town_zh, "
)


def _rates(grain: str, zh: str, names: str, joins: str, words: dict) -> Dataset:
    """`mart.agg_rate` of one grain, with names."""
    sql = (
        f"select rate.day_on, {_axes('rate.day_on')}{names}rate.scheme_id, rate.pair, rate.numerator,"
        " rate.denominator\n"
        f"from mart.agg_rate as rate\n{joins}where rate.grain = '{grain}'"
    )
    return Dataset(f"{grain}_rate", zh, "agg_rate", "day_on", of_days(), sql, _AXES | words)


_SCORES = (
    Metric("points", "得分合计", "Points", "sum(points)", POINTS),
    Metric("lost_points", "失分合计", "Lost points", "sum(lost_points)", POINTS, "满分减得分。"),
    Metric(
        "points_share",
        "得分率",
        "Share of points",
        ratio("sum(points)", "sum(points_max) filter (where points is not null)"),
        RATE,
        "得分 ÷ 适用指标的满分。",
    ),
    Metric("units", "单位数", "Units", "count(distinct unit_code)", COUNT),
)
_ALL = (
    Dataset(
        "case_wide",
        "诉求件宽表",
        "case_wide",
        "received_on",
        (
            counted("cases", "诉求件数", "Cases", "case_n", "按受理日期。"),
            Metric(
                "repeated_rate",
                "重复诉求占比",
                "Share of repeats",
                ratio("sum(repeated_n)", "sum(repeated_of)"),
                RATE,
                "重复件 ÷ 诉求件，按受理日期。",
            ),
            Metric(
                "closed_rate",
                "已办结占比",
                "Share closed by now",
                ratio("sum(closed_n)", "sum(closed_of)"),
                RATE,
                "已办结 ÷ 未剔除诉求件，按受理日期；不是考核的办结率。",
            ),
        ),
        _whole("case_wide"),
    ),
    Dataset(
        "assignment_wide",
        "派单宽表",
        "assignment_wide",
        "dispatched_on",
        (
            counted("assignments", "派单数", "Assignments", "assignment_n", "按派单日期，主办与协办都计。"),
            Metric(
                "open_assignments",
                "在办派单数",
                "Open assignments",
                "count(*) filter (where is_open)",
                COUNT,
                "尚未终止的派单，主办与协办都计。",
            ),
            *of_pairs("assignment"),
        ),
        _whole("assignment_wide", "on_time_on"),
        {"on_time_month": ("按时办结率计入月份", "The month of the day that the on-time rate counts a duty by.")},
    ),
    Dataset(
        "callback_wide",
        "回访宽表",
        "callback_wide",
        "called_on",
        (
            counted("callbacks", "回访数", "Callbacks", "callback_n", "按回访日期。"),
            *of_pairs("callback"),
        ),
        _whole("callback_wide", "satisfied_on"),
        {"satisfied_month": ("满意率计入月份", "The month of the day that the satisfied rate counts a callback by.")},
    ),
    Dataset("score_wide", "考评宽表", "score_wide", "period_on", (*_SCORES, *of_scores()), _whole("score_wide")),
    Dataset(
        "unit_score",
        "单位得分",
        "score_wide",
        "period_on",
        (
            Metric(
                "score", "百分制得分", "Score of 100", "avg(score_100)", POINTS, "单位得分的平均；单个单位即其得分。"
            ),
            Metric("units", "单位数", "Units", "count(*)", COUNT),
        ),
        "select distinct scheme_id, scheme_zh, period, period_on, period_kind_zh,"
        " case when is_published then '已发布' else '试算' end as standing_zh, revision, unit_code,"
        " unit_zh, peer_group, peer_group_zh, score_100, band, rank_in_group, not_ranked_reason_zh\n"
        "from mart.score_wide",
        {"standing_zh": ("发布状态", "Published, or a score on the way.")},
    ),
    _day("city", "全市每日"),
    _day("category", "分类每日", _CATEGORY_NAMES.format("day"), _TO_CATEGORY.format("day"), _CATEGORY),
    _day("area", "区域每日", _AREA_NAMES.format("day"), _TO_AREA.format("day"), _AREA),
    _day(
        "unit",
        "单位每日",
        "day.unit_code, coalesce(named.unit_name, day.unit_code) as unit_zh, named.peer_group,"
        " coalesce(groups.peer_group_name_zh, named.peer_group) as peer_group_zh, ",
        "left join mart.dim_unit as named on day.unit_key = named.unit_key\n"
        "left join mart.peer_group_name as groups on named.peer_group = groups.peer_group\n",
        _UNIT | {"peer_group": ("同类组代码", "Whom it is compared with.")},
    ),
    _rates(
        "peer_group",
        "同类组计率",
        "rate.peer_group, coalesce(named.peer_group_name_zh, rate.peer_group) as peer_group_zh, ",
        "left join mart.peer_group_name as named on rate.peer_group = named.peer_group\n",
        _UNIT,
    ),
    _rates("category", "分类计率", _CATEGORY_NAMES.format("rate"), _TO_CATEGORY.format("rate"), _CATEGORY),
    _rates("area", "区域计率", _AREA_NAMES.format("rate"), _TO_AREA.format("rate"), _AREA),
    Dataset(
        "freshness",
        "数据新鲜度",
        "freshness",
        None,
        (
            Metric("reach", "数据截至", "Reach", "min(reaches_on)", "", "到得最晚的一路决定。"),
            counted("waiting", "待构建批次", "Waiting batches", "waiting_batches"),
        ),
        "select told.feed_code, coalesce(feeds.feed_name, told.feed_code) as feed_zh, told.fact,"
        " coalesce(word.label_zh, told.fact) as fact_zh, told.reaches_on,"
        " told.built_at::timestamp as built_at, told.waiting_batches, told.waiting_from_on\n"
        "from mart.freshness as told\n"
        "left join mart.dim_feed as feeds on told.feed_code = feeds.feed_code\n"
        "left join mart.dim_code as word on word.vocabulary = 'fact' and told.fact = word.code",
        _FEED | {"fact_zh": ("事实", "What the facts tell of.")},
    ),
    Dataset(
        "feed_quality",
        "数据质量分",
        "feed_quality",
        "month_on",
        (
            Metric("quality_points", "质量得分", "Quality points", "sum(points)", POINTS),
            Metric(
                "quality_share",
                "质量得分率",
                "Share of quality points",
                ratio("sum(points)", "sum(points_max)"),
                RATE,
                "得分 ÷ 满分（每路每月 30 分）。",
            ),
        ),
        "select told.feed_code, coalesce(feeds.feed_name, told.feed_code) as feed_zh, told.month_on,"
        " to_char(told.month_on, 'YYYY-MM') as month, told.part, coalesce(word.label_zh, told.part) as part_zh,"
        " told.through_on, told.points, told.points_max, told.numerator,"
        " told.denominator\nfrom mart.feed_quality as told\n"
        "left join mart.dim_feed as feeds on told.feed_code = feeds.feed_code\n"
        "left join mart.dim_code as word on word.vocabulary = 'part' and told.part = word.code",
        _FEED | {"part_zh": ("评分项", "The part of the score."), "month": _AXES["month"]},
    ),
    Dataset(
        "feed_loss",
        "数据质量失分",
        "feed_quality_loss",
        "month_on",
        (
            Metric("quality_lost", "质量失分", "Lost quality points", "sum(lost_points)", POINTS),
            counted("missed", "缺失数", "Missed"),
        ),
        "select told.feed_code, coalesce(feeds.feed_name, told.feed_code) as feed_zh, told.month_on, told.part,"
        " told.cause, coalesce(word.label_zh, told.cause) as cause_zh, told.delivery, told.business_date,"
        " told.metric, told.missed,"
        " told.lost_points\nfrom mart.feed_quality_loss as told\n"
        "left join mart.dim_feed as feeds on told.feed_code = feeds.feed_code\n"
        "left join mart.dim_code as word on word.vocabulary = 'cause' and told.cause = word.code",
        _FEED | {"cause_zh": ("失分原因", "What cost the points.")},
    ),
)
DATASETS = {one.name: one for one in _ALL}

_KNOWN_AREA = (Filter("district_zh"),)
_OF_MONTHS = (Filter("period_kind_zh", "月"),)
_CHARTS = (
    # 领导驾驶舱
    Chart("intake", "受理量", "trend", "city_day", ("intake",), "day_on", about="逐日受理量，数字为所选时段合计。"),
    Chart("open_now", "在办量", "number", "city_day", ("open_newest",), about="数据截至日日末"),
    Chart("overdue_now", "逾期在办量", "number", "city_day", ("overdue_newest",), about="数据截至日日末，其中已过时限"),
    Chart(
        "on_time",
        "按时办结率（月）",
        "line",
        "peer_group_rate",
        ("on_time_rate",),
        "month",
        about="只计考核办法考评的单位",
    ),
    Chart(
        "satisfied",
        "满意率（月）",
        "line",
        "peer_group_rate",
        ("satisfied_rate", "resolved_rate"),
        "month",
        about="只计考核办法考评的单位",
    ),
    Chart("work", "受理与办结（周）", "bars", "city_day", ("intake", "closed"), "week"),
    Chart("categories", "诉求最多的十类", "ranking", "category_day", ("intake",), "category_zh", limit=10),
    Chart(
        "areas",
        "各区县",
        "table",
        "area_day",
        ("intake", "repeat_rate", "open_newest", "overdue_newest"),
        by=("district_zh",),
        filters=_KNOWN_AREA,
    ),
    Chart(
        "on_time_areas",
        "按时办结率最低的镇街",
        "ranking",
        "area_rate",
        ("on_time_rate",),
        "town_zh",
        filters=(Filter("town_zh"), Filter("pair", "on_time")),
        limit=12,
        upwards=True,
    ),
    # 考评分析
    Chart(
        "scores",
        "单位得分",
        "rows",
        "unit_score",
        columns=(
            "period",
            "peer_group_zh",
            "unit_zh",
            "score_100",
            "band",
            "rank_in_group",
            "not_ranked_reason_zh",
            "standing_zh",
        ),
        order=(("period", False), ("peer_group_zh", True), ("score_100", False)),
        limit=1500,
        shapes=(("score_100", ".2f"), ("rank_in_group", ",d")),
    ),
    Chart(
        "spread",
        "各同类组得分分布",
        "spread",
        "unit_score",
        ("score",),
        by=("peer_group_zh",),
        columns=("unit_zh",),
        filters=(Filter("score_100"), *_OF_MONTHS),
    ),
    Chart(
        "group_on_time",
        "各同类组按时办结率（月）",
        "line",
        "score_wide",
        ("on_time_rate",),
        "period",
        by=("peer_group_zh",),
        filters=_OF_MONTHS,
    ),
    Chart(
        "group_satisfied",
        "各同类组满意率（月）",
        "line",
        "score_wide",
        ("satisfied_rate",),
        "period",
        by=("peer_group_zh",),
        filters=_OF_MONTHS,
    ),
    Chart(
        "heat",
        "指标得分率",
        "heat",
        "score_wide",
        ("points_share",),
        "indicator_zh",
        by=("peer_group_zh",),
        filters=(*_OF_MONTHS, Filter("points_max", 0)),
    ),
    Chart(
        "lost",
        "失分最多的指标",
        "ranking",
        "score_wide",
        ("lost_points",),
        "indicator_zh",
        limit=10,
        filters=_OF_MONTHS,
    ),
    Chart(
        "losers", "失分最多的单位", "ranking", "score_wide", ("lost_points",), "unit_zh", limit=12, filters=_OF_MONTHS
    ),
    Chart(
        "satisfied_categories",
        "满意率最低的分类",
        "ranking",
        "category_rate",
        ("satisfied_rate",),
        "category_1_zh",
        limit=12,
        upwards=True,
        filters=(Filter("category_1_zh"), Filter("pair", "satisfied")),
    ),
    # 数据质量
    Chart(
        "fresh",
        "数据截至",
        "table",
        "freshness",
        ("reach", "waiting"),
        by=("fact_zh",),
        about="每个事实以到得最晚的一路为准。",
    ),
    Chart(
        "feeds",
        "各路质量得分率（最低在前）",
        "ranking",
        "feed_quality",
        ("quality_share",),
        "feed_zh",
        limit=15,
        upwards=True,
    ),
    Chart(
        "quality_months",
        "质量得分率（月）",
        "line",
        "feed_quality",
        ("quality_share",),
        "month",
        by=("part_zh",),
    ),
    Chart("causes", "失分原因", "ranking", "feed_loss", ("quality_lost",), "cause_zh", limit=10),
    Chart(
        "losses",
        "失分明细",
        "rows",
        "feed_loss",
        columns=("month_on", "feed_zh", "delivery", "business_date", "cause_zh", "missed", "lost_points"),
        order=(("lost_points", False), ("month_on", False)),
        limit=1000,
        shapes=(("missed", ",d"), ("lost_points", ".2f")),
    ),
)
CHARTS = {one.name: one for one in _CHARTS}

BOARDS = (
    Board(
        "minhu-leader",
        "领导驾驶舱",
        "按时办结率、满意率按考核办法口径：只计考评的单位，剔除已生效，逾期未结计入分母，与考评得分一致；"
        "受理、办结、在办是全市的。"
        "在办、逾期为数据截至日日末存量。",
        (
            (("intake", 4), ("open_now", 4), ("overdue_now", 4)),
            (("on_time", 6), ("satisfied", 6)),
            (("work", 6), ("categories", 6)),
            (("areas", 7), ("on_time_areas", 5)),
            (("fresh", 12),),
        ),
        (Pick("时间"), Pick("区县", "area_day", "district_zh"), Pick("事项分类", "category_day", "category_zh")),
    ),
    Board(
        "minhu-scores",
        "考评分析",
        "已发布的为发布数，未发布的为最近一次试算（发布状态一列标明）。同类组之间不作比较；样本少于最低件数的单位不排名。",
        (
            (("group_on_time", 6), ("group_satisfied", 6)),
            (("heat", 7), ("lost", 5)),
            (("losers", 6), ("spread", 6)),
            (("scores", 12),),
            (("satisfied_categories", 7), ("fresh", 5)),
        ),
        (
            Pick("时间"),
            Pick("考核周期", "score_wide", "period"),
            Pick("同类组", "score_wide", "peer_group_zh"),
            Pick("承办单位", "score_wide", "unit_zh"),
        ),
    ),
    Board(
        "minhu-quality",
        "数据质量",
        "每路每月 30 分：数据完整、内容完整、数据及时、接口稳定性。分数由每次构建计算。",
        (
            (("fresh", 5), ("causes", 7)),
            (("feeds", 6), ("quality_months", 6)),
            (("losses", 12),),
        ),
        (Pick("时间"), Pick("热线", "feed_quality", "feed_zh")),
    ),
)
