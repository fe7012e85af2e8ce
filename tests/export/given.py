"""A small scored city as a report, made by hand."""

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from minhu.export.report import Band, Cost, Group, Indicator, Measured, Person, Release, Report, Unit, totals, wilson
from minhu.publish.diff import Cause, Change, Diff, Moved, MovedCase, UnitLedger
from minhu.publish.ledger import Line
from minhu.scoring.clock_words import Clock

ZONE = ZoneInfo("Asia/Shanghai")
RATE = Indicator("close_on_time", "按时办结率", True, False, note="在时限内办结的比例。")
RETURNS = Indicator("return_rate", "退单率", True, True)
COUNT = Indicator("not_handled", "不处置", False, True)
INDICATORS = (RATE, RETURNS, COUNT)
RELEASE = Release(
    release_id=7,
    revision=2,
    hash="9f2c" * 16,
    published_at=datetime(2026, 11, 5, 9, 30, tzinfo=ZONE),
    newest_revision=2,
    why="补报一批",
    closed_by=Person("甲某", "数据管理科"),
    approved_by=Person("乙某", "考评科"),
)
LATE = Clock(
    dispatched_at=datetime(2026, 10, 9, 10, tzinfo=ZONE),
    counting_zh="5 个工作日，自次日起算",
    clock="working",
    special_days_zh=("10-10 周六 调休上班",),
    extensions=0,
    first_due_at=None,
    due_at=datetime(2026, 10, 16, tzinfo=ZONE),
    until=datetime(2026, 10, 16, 9, 12, tzinfo=ZONE),
    is_open=False,
    late_working_minutes=12,
    late_natural_minutes=552,
    text_zh="2026-10-09 周五 10:00 派单；5 个工作日，自次日起算；10-10 周六 调休上班；"
    "应于 2026-10-15 周四 24:00 前办结；2026-10-16 周五 09:12 办结，逾期 12 个工作分钟（自然时 9 小时 12 分钟）",
)
MOVED_LINE = Line(
    *(
        "D1",
        "close_on_time",
        "按时办结率",
        "batch",
        9,
        "assignment",
        "a1",
        "c1",
        "h12345",
        "NO9",
        "0/1",
        "mis_dispatched",
    ),
    points=Decimal("5.00"),
)
DIFF = Diff(
    scheme_id="exam",
    period="2026-10",
    revision=2,
    base_revision=1,
    why="补报一批",
    is_published=True,
    causes=("新到批次 9：h12345 events 2026-10-31，1 行",),
    ledger=(
        UnitLedger(
            *("D1", "单位D1", Decimal("80.00"), Decimal("85.00"), Decimal("5.00")),
            (Cause("batch", 9, "新到批次 9：h12345 events 2026-10-31，1 行", Decimal("5.00"), (MOVED_LINE,)),),
        ),
    ),
    units=(
        Moved(
            *("D1", "单位D1", None),
            (Change("score_100", "百分制得分", "80.00", "85.00"), Change("band", "档次", "合格", "良好")),
        ),
        Moved("D2", "单位D2", None, (Change("score_100", "百分制得分", "88.00", "88.50"),)),
    ),
    indicators=(Moved("D1", "单位D1", "close_on_time", (Change("numerator", "分子", "17", "18"),)),),
    cases=(MovedCase("added", "D1", "close_on_time", "assignment", "a1", "h12345", "NO9", "mis_dispatched"),),
)


def moment(day: int, hour: int = 9) -> datetime:
    return datetime(2026, 10, day, hour, tzinfo=ZONE)


def rate(code: str, numerator: int, denominator: int, points: str | None = None, **more: object) -> Measured:
    if not denominator:
        return Measured(code, Decimal(0), Decimal(0), None, points_max=Decimal(20), target=Decimal(95))
    low, high = wilson(Decimal(numerator), Decimal(denominator))
    value = round(Decimal(100 * numerator) / denominator, 4)
    given = {"target": Decimal(95), "points_max": Decimal(20), "points": points and Decimal(points)} | more
    return Measured(code, Decimal(numerator), Decimal(denominator), value, low, high, **given)


def count(number: int, points: str = "0.00") -> Measured:
    return Measured(
        "not_handled", Decimal(number), Decimal(0), Decimal(number), points_max=Decimal(0), points=Decimal(points)
    )


def cost(lost: str, case_no: str = "NO202610090001234") -> Cost:
    return Cost(
        lost=Decimal(lost),
        marginal=Decimal("4.17"),
        marginal_reason=None,
        published_row=None,
        subject_kind="assignment",
        subject_id=f"a-{case_no}",
        feed_code="h12345",
        feed_name="12345 热线",
        case_no=case_no,
        finding="超时 9 小时 12 分钟（自然时）办结",
        rule="5 个工作日内办结",
        received_at=moment(9),
        dispatched_at=moment(9, 10),
        due_at=moment(16, 0),
        occurred_at=moment(16),
        clock=LATE,
        sources=("派单 events.csv 第 12 行", "办结 events.csv 第 40 行"),
    )


def unit(code: str, band: str | None, score: str | None, *measured: Measured, **more: object) -> Unit:
    points = score and Decimal(score)
    given = {"rank": None, "reason": None} | more
    return Unit(code, f"单位{code}", points, points, points and points * 4 / 100, band, measured=measured, **given)


def group(code: str, name: str, *units: Unit) -> Group:
    rules = tuple((one.code, f"{name}的规则：目标 95%") for one in INDICATORS)
    return Group(code, name, Decimal(4), rules, units, totals(INDICATORS, units))


def report(**more: object) -> Report:
    """Two groups; D4 had no case. D1 lost 7.50 points by two rows, D3 was flagged."""
    late = rate("close_on_time", 18, 24, "12.50", costs=(cost("4.00"), replace(cost("3.50", "NO2"), clock=None)))
    departments = group(
        "dept",
        "部门",
        unit("D1", "良好", "85.00", late, rate("return_rate", 0, 24, "20.00"), count(0)),
        unit(
            "D2", "良好", "88.50", rate("close_on_time", 40, 46, "19.00"), rate("return_rate", 6, 60, "18.00"), count(0)
        ),
        unit(
            "D3",
            "合格",
            "61.25",
            rate("close_on_time", 60, 90, "0.00", funnel_flag="low_99_8"),
            rate("return_rate", 7, 70, "18.00"),
            count(5, "-5.00"),
        ),
        unit("D4", None, None, rate("close_on_time", 0, 0), rate("return_rate", 0, 0), count(0), reason="no_case"),
    )
    towns = group(
        "town",
        "镇街",
        unit(
            "T1",
            "优秀",
            "100.00",
            rate("close_on_time", 30, 30, "20.00"),
            rate("return_rate", 0, 31, "20.00"),
            count(0),
        ),
        unit("T2", "良好", "80.00", rate("close_on_time", 6, 7, "8.33"), rate("return_rate", 0, 9, "20.00"), count(0)),
    )
    made = Report(
        scheme_id="exam",
        scheme_version="0123456789ab",
        title="手算考核办法",
        basis=("《手算考核办法》（试〔2026〕1号）",),
        has_examples=False,
        period="2026-10",
        first=date(2026, 10, 1),
        last=date(2026, 10, 31),
        kind="indicative",
        as_of=datetime(2026, 11, 1, tzinfo=ZONE),
        is_complete=True,
        is_stale=False,
        build_id=3,
        config_version=2,
        is_ranked=False,
        is_shrunken=False,
        lists=(),
        bands=tuple(
            Band(name, Decimal(least)) for name, least in (("优秀", 90), ("良好", 80), ("合格", 60), ("不合格", 0))
        ),
        indicators=INDICATORS,
        groups=(departments, towns),
    )
    return replace(made, **more)


def ranked(given: Report) -> Report:
    """The same with places shown."""
    groups = tuple(
        replace(
            group,
            units=tuple(replace(one, rank=None if one.reason else at) for at, one in enumerate(group.units, start=1)),
        )
        for group in given.groups
    )
    return replace(given, groups=groups, is_ranked=True)


def rich(**more: object) -> Report:
    """A second revision by a scheme that shows lists and a second rate."""
    given = report(release=RELEASE, diff=DIFF, lists=("红榜", "黑榜"), is_shrunken=True)
    drawn = {"D1": Decimal("76.5"), "D3": Decimal("67.25")}
    on = {"T1": "红榜", "D3": "黑榜"}

    def seen(one: Unit) -> Unit:
        first, *others = one.measured
        measured = (replace(first, shrunken_value=drawn.get(one.code)), *others)
        return replace(one, measured=measured, listed_on=on.get(one.code))

    groups = tuple(replace(group, units=tuple(map(seen, group.units))) for group in given.groups)
    return replace(given, groups=groups, **more)
