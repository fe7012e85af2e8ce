"""``city.yml``: whose warehouse this is, its office hours, and what its rules for repeats, patterns and quality are."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise, zip_longest
from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from minhu.business_date import TIMEZONE
from minhu.config.notify import Notify
from minhu.config.witnesses import Witness
from minhu.declaration import Declared
from minhu.declaration.slips import Wrong
from minhu.feeds.arrival import Arrival, BuildTerms
from minhu.feeds.canonical import EventType
from minhu.feeds.feed import Retention, ZoneName

AreaLevel = Literal["city", "district", "town", "village", "grid"]
AREA_LEVELS = get_args(AreaLevel)
Points = Annotated[Decimal, Field(ge=0, le=1000, decimal_places=2)]
ContentMetric = Literal[
    "rejected_pct",
    "duplicate_pct",
    "category_null_pct",
    "request_type_null_pct",
    "area_null_pct",
    "text_null_pct",
    "unknown_category_pct",
    "dispatch_unit_null_pct",
    "outcome_null_pct",
    "unresolved_unit_pct",
]
TimeOfDay = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$")]


class RepeatRule(Declared):
    """When a case is a repeat (重复件): of the same caller, within the window, about the same matter at the same place.

    The rule of the day on which the later case was received decides.
    """

    valid_from: date
    valid_to: date | None = None
    """First day on which it no longer holds; that of the next rule unless given."""
    window_days: Annotated[int, Field(ge=1, le=366)]
    matter: Literal["category", "text", "category_or_text", "category_and_text"]
    """What must be the same or alike."""
    category_level: Annotated[int, Field(ge=1, le=5)] | None = None
    """Level of the category tree down to which both agree; the code itself unless given."""
    min_similarity: Annotated[float, Field(gt=0, le=1)]
    """Texts are alike from here on: 2 × shared characters / (characters of one + characters of the other)."""
    filler_words: tuple[Annotated[str, Field(pattern=r"^[a-z0-9\u4e00-\u9fff]+$")], ...] = ()
    """Words of the trade that say nothing of the matter; left out before texts are compared."""
    place: Literal["ignore", "if_told", "required"]
    """Whether places must agree: never, where both cases tell one, or always."""
    area_level: AreaLevel = "town"
    """Level of the area tree down to which both agree; a case that tells a coarser area agrees with all within it."""
    within_metres: Annotated[int, Field(gt=0)] | None = None
    """Coordinates agree up to here; unless given they are not looked at."""
    compare_latest: Annotated[int, Field(ge=1, le=1000)] = 50
    """A case is compared with so many of its caller's latest earlier ones, so that 400 calls a day stay cheap."""
    example: bool = False


class Readings(Declared):
    """From when on an edition of the readings holds (docs/decisions/scores.md, readings-by-day). The day on which a
    duty opened decides; before the first entry edition 1 holds.
    """

    valid_from: date
    edition: Literal[1, 2]


class Gaming(Declared):
    """From when on a pattern is shown to auditors as worth a look (``audit.gaming_signal``). A month is judged by the
    entry in force on its first day.
    """

    valid_from: date
    min_count: int = Field(ge=1)
    """Fewer rows are no pattern."""
    rated_within_seconds: int = Field(ge=0)
    """A rating so soon after the closing, by somebody who can hardly have known of it."""
    closed_in_one_second: int = Field(ge=2)
    """So many closings of one unit in the same second."""
    low_reach_pct: float = Field(ge=0, le=100)
    """Everybody was satisfied, and fewer than these were reached."""
    last_days: int = Field(ge=1, le=15)
    """The days before a limit, and at the end of a month."""
    last_hours: int = Field(default=4, ge=1)
    """The hours before a limit in which a close that is sent back later was hardly one."""
    jump_factor: float = Field(gt=0)
    """So many times what was usual."""
    reopened_within_days: int = Field(ge=0)
    """Rework so soon after the closing."""
    example: bool = False


class FeedQuality(Declared):
    """How the data of a feed are scored month by month (``audit.feed_quality``): by the entry in force on a month's
    first day.
    """

    valid_from: date
    completeness_points: Points
    """数据完整: expected deliveries that came."""
    content_points: Points
    """内容完整: cells of the columns in ``content`` that are filled."""
    timeliness_points: Points
    """数据及时: deliveries that came in time."""
    stability_points: Points
    """接口稳定性: calls of the source that were answered with something usable."""
    content: Annotated[tuple[ContentMetric, ...], Field(min_length=1)]
    """Metrics of ``audit.batch_profile``: the share of rows that lack a column, or were rejected."""
    due_days: int = Field(default=1, ge=0)
    due_time: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
    """A delivery is due so many days after its business date, at this time of the city."""


class Bulletin(Declared):
    """Who issues bulletins, and what stands at their end. The entry in force on the day of a publication holds."""

    valid_from: date
    issued_by: Annotated[str, Field(min_length=1)]
    seal_line: str | None = None
    """Where the seal goes, below the issuing body, such as （盖章）; left out, there is no such line."""


class QualityTerms(Declared):
    """What becomes of what the gates find (``audit.open_finding``). The entry in force on the day on which a finding
    first failed decides over it, that of the day on which a waiver is given over the waiver.
    """

    valid_from: date
    escalate_after_days: int = Field(ge=0)
    """A warning that nobody waived stops a release after so many days."""
    waive_at_most_days: int = Field(ge=1)
    """A waiver ends after so many days at the latest."""
    waivable: tuple[Annotated[str, Field(pattern=r"^(arrival|release)\.[a-z_]+$")], ...] = ()
    """Rules of the release gate, critical ones too, that may be waived for single feeds: their query omits those."""
    example: bool = False


class AppealTerms(Declared):
    """Until when appeals are filed and decided, and units look before the publication. For filing the entry in force on
    the day of publication holds, for deciding that of the day of filing, for looking that of the day of opening.
    """

    valid_from: date
    appeal_file_workdays: int | None = Field(default=None, ge=1)
    """A row of the published result is appealed against until 24:00 of this working day after its publication; left
    out, without an end."""
    appeal_decide_workdays: int | None = Field(default=None, ge=1)
    """An appeal is to be decided by 24:00 of this working day after its filing; left out, it has no term."""
    feedback_workdays: int | None = Field(default=None, ge=1)
    """A closed period that is opened to units is with them until 24:00 of this working day after it was opened; left
    out, none is opened."""
    example: bool = False


class PortalTerms(Declared):
    """``second_factor``: the groups whose people show a code of their phone, too; who decides, unless told."""

    second_factor: tuple[Literal["evaluator", "auditor", "unit", "engineer", "bi", "sender"], ...] = ("evaluator",)


class CityRetention(Retention):
    """The city's: for every feed that says nothing else, and for what belongs to none."""

    attachment_days: Annotated[int, Field(ge=1)] | None = None
    """What people attach to appeals and decisions, once it is decided."""


class City(Declared):
    """Whose warehouse this is, and the hours in which its offices work."""

    code: str
    name: str
    timezone: ZoneName = TIMEZONE
    morning: tuple[TimeOfDay, TimeOfDay] = ("09:00", "12:00")
    afternoon: tuple[TimeOfDay, TimeOfDay] = ("13:30", "17:30")
    repeats: tuple[RepeatRule, ...] = ()
    """When a case repeats an earlier one of its caller; on a day without a rule none does."""
    readings: tuple[Readings, ...] = ()
    """How the rules are read, by date."""
    clock_tolerance_minutes: int = Field(default=30, ge=0)
    """Two senders' times of one event, and a deed and its dispatch, differ by no more than this."""
    unit_tells: tuple[EventType, ...] = (
        "SIGN",
        "FIRST_CONTACT",
        "RETURN_REQUEST",
        "EXTEND_REQUEST",
        "REPLY",
        "CLOSE",
    )
    """Events whose time the unit's own system tells best. Of all others the hotline that owns the case does."""
    appeals: tuple[AppealTerms, ...] = ()
    """Until when appeals are filed and decided, by date."""
    schemes: tuple[str, ...] | None = None
    """The schemes that score this city, by id; the other files in ``schemes/`` can be tried and compared. All unless
    given."""
    retention: CityRetention = CityRetention()
    gaming: tuple[Gaming, ...] = ()
    """What auditors are shown, by date."""
    feed_quality: tuple[FeedQuality, ...] = ()
    """How feeds are scored, by date; a month without an entry is not scored."""
    bulletin: tuple[Bulletin, ...] = ()
    """Who issues bulletins, by date; without an entry none is signed by a body."""
    quality: tuple[QualityTerms, ...] = ()
    """What becomes of findings, by date."""
    arrivals: dict[str, Arrival] = Field(default_factory=dict)
    """When deliveries are to come, by the group of their feed, ``"*"`` for all; a declaration says what differs."""
    build: BuildTerms = BuildTerms()
    """When the nightly build begins."""
    pools: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,60}$")], Annotated[int, Field(ge=1)]] = Field(
        default_factory=dict
    )
    """How many loads of a sending system run at once (``pool`` of an arrival)."""
    portal: PortalTerms = PortalTerms()
    """Who needs what to sign in on pages."""
    notify: Notify = Notify()
    """Who is told of faults, and how."""
    witnesses: tuple[Witness, ...] = ()
    """Who outside is sent the hashes of what is published, and keeps them."""
    feeds: dict[Literal["hotline", "response"], int] = Field(default_factory=dict)
    """How many declarations there are to be: `minhu feeds check` tells when one was lost or came unnoticed."""

    def repeat_rules(self) -> dict[str, dict]:
        """The rules as entries of the configuration, by the day from which they hold, each with its end."""
        entries = [rule.model_dump(mode="json", exclude={"example"}) for rule in self.repeats]
        for entry, following in pairwise([*entries, {"valid_from": None}]):
            entry["valid_to"] = entry["valid_to"] or following["valid_from"]
        return {entry["valid_from"]: entry for entry in entries}

    @model_validator(mode="after")
    def _rules_follow_each_other(self) -> "City":
        for rule, following in zip_longest(self.repeats, self.repeats[1:]):
            if rule.valid_to and rule.valid_to <= rule.valid_from:
                raise Wrong(
                    f"repeats: valid_to {rule.valid_to} is not after valid_from {rule.valid_from}",
                    f"重复件规则：valid_to {rule.valid_to} 不晚于 valid_from {rule.valid_from}",
                )
            if following and following.valid_from < (rule.valid_to or rule.valid_from + timedelta(days=1)):
                raise Wrong(
                    f"repeats: the rule from {following.valid_from} begins before the one above it ends",
                    f"重复件规则：{following.valid_from} 起的一条在上一条结束前就开始了",
                )
        return self

    @model_validator(mode="after")
    def _witnesses_are_told_apart(self) -> "City":
        names = [witness.name for witness in self.witnesses]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise Wrong(f"witnesses: {twice[0]} is named twice", f"外部见证：{twice[0]} 写了两次")
        return self

    @model_validator(mode="after")
    def _readings_follow_each_other(self) -> "City":
        for one, following in pairwise(self.readings):
            if following.valid_from <= one.valid_from:
                raise Wrong(
                    f"readings: the entry from {following.valid_from} stands below a later one",
                    f"口径版本：{following.valid_from} 起的一条排在更晚的一条下面",
                )
        return self

    @model_validator(mode="after")
    def _hours_follow_each_other(self) -> "City":
        opens, noon, again, closes = self.morning + self.afternoon
        if not opens < noon <= again < closes:
            raise Wrong(
                f"the office hours {opens}-{noon}, {again}-{closes} do not follow each other in one day",
                f"办公时间 {opens}-{noon}、{again}-{closes} 在一天里前后不接",
            )
        return self
