"""What a scheme is: a published rule set (考核办法) as data, the strict model of one file in ``config/schemes/``.

A scheme says whom it scores (peer groups with the points they carry), over which periods, by which indicators, and
which time limits bind. An **indicator** combines a measure (what is counted), a moment (what puts a row into the
period) and a scoring function (how the count becomes points). ``valid_to`` is the first day without, as in
the register. ``docs/schemes.md`` explains every key to those who write schemes.

A number that no public source gives carries ``example: true``. The version of a scheme is a hash of its content, so a
changed rule can never pass for the one that was published.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from itertools import combinations, pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from minhu.business_date import TIMEZONE
from minhu.declaration import Declared, read_page
from minhu.declaration.judge import judged
from minhu.declaration.slips import Gathered, Wrong, nearest, refuse, slip
from minhu.errors import BadDeclaration
from minhu.feeds.feed import ZoneName
from minhu.schemes.arithmetic import decimals_of
from minhu.schemes.language.indicator import Indicator, Line
from minhu.schemes.language.limits import Limit
from minhu.schemes.language.longer import Longer
from minhu.schemes.language.publication import Band, Publication, Rounding
from minhu.schemes.language.values import Code, Entries, Positive, changes, in_force
from minhu.schemes.period import Period, PeriodKind
from minhu.schemes.sayings import hinted
from minhu.settings import city_timezone

DERIVED = ("is_lower_better", "is_told_by_rows")
"""What follows from an indicator's rule and SQL has to know: said once, here, and handed on with the entry."""

LATER = ("title_en", "name_en", "combine", "compared", "pooled")
"""Keys that the language got after schemes were in use."""

Aggregation = Literal["recomputed", "mean_of_months", "mean_of_quarters"]
PARTS: dict[Aggregation, PeriodKind] = {"mean_of_months": "month", "mean_of_quarters": "quarter"}


def _part(of: Aggregation | Longer) -> PeriodKind | None:
    """The shorter periods that are taken together; None where a longer one is scored from its own rows."""
    return of.of if isinstance(of, Longer) else PARTS.get(of)


class PeerGroup(Declared):
    """Units that are compared with each other. ``points``: what the item weighs in their yearly assessment."""

    code: Code
    name_zh: str
    name_en: str | None = None
    points: Positive
    example: bool = False


class Basis(Declared):
    """Where the scheme is written: title, document number, article, and what was read there."""

    title: str
    number: str | None = None
    article: str | None = None
    note: str | None = None


class Scheme(Declared):
    """One assessment scheme."""

    scheme_id: Code = Field(alias="id")
    title: str
    title_en: str | None = None
    legal_basis: Annotated[tuple[Basis, ...], Field(min_length=1)]
    valid_from: date
    valid_to: date | None = None
    timezone: ZoneName = TIMEZONE
    periods: Annotated[dict[PeriodKind, Literal["indicative", "final"]], Field(min_length=1)]
    """What a score of each kind of period is: an indication on the way, or the final one."""
    aggregation: dict[Literal["quarter", "year"], Aggregation | Longer] = Field(default_factory=dict)
    """How a longer period is scored: from its own rows (unless given), or as a mean of the shorter ones."""
    peer_groups: Annotated[tuple[PeerGroup, ...], Field(min_length=1)]
    indicators: Annotated[tuple[Indicator, ...], Field(min_length=1)]
    bands: tuple[Band, ...] = ()
    rounding: Rounding = Rounding()
    publication: Publication = Publication()
    limits: tuple[Limit, ...] = ()

    @model_validator(mode="after")
    def _coherent(self) -> "Scheme":
        for what, codes in (
            ("indicators", [line.code for line in self.lines]),
            ("peer groups", [group.code for group in self.peer_groups]),
            ("names of peer groups", [group.name_zh for group in self.peer_groups]),
        ):
            if len(set(codes)) < len(codes):
                raise Wrong(f"two {what} have the same code", f"有两项代码或名称相同（{what}）")
        if not any(entry.value for indicator in self.indicators for entry in indicator.points):
            raise Wrong(
                "no indicator has points; deductions alone make no score", "没有一项指标有分值；只有扣分不成总分"
            )
        return self

    @model_validator(mode="after")
    def _in_order(self) -> "Scheme":
        if self.bands and self.bands[-1].at_least:
            raise Wrong(
                "the last band must start at 0, so that every score has one", "最后一档要从 0 起，每个分数才都有档"
            )
        if any(upper.at_least <= lower.at_least for upper, lower in pairwise(self.bands)):
            raise Wrong("bands go from the best down", "各档从高到低排列")
        for first, last in (self.dates(), *map(self.dates, self.limits)):
            if last and last <= first:
                raise Wrong(
                    f"valid_to {last} is not after valid_from {first}; it is the first day without",
                    f"valid_to {last} 不晚于 valid_from {first}；它是失效的第一天",
                )
        return self

    @model_validator(mode="after")
    def _aggregates(self) -> "Scheme":
        for kind, of in self.aggregation.items():
            part, named = _part(of), of.code if isinstance(of, Longer) else of
            if kind not in self.periods or part == kind or (part and part not in self.periods):
                raise Wrong(
                    f"aggregation.{kind}: {named} needs the periods {kind} and {part or kind}",
                    f"aggregation.{kind}：{named} 需要周期 {kind} 和 {part or kind}",
                )
            count = {("year", "month"): 12, ("quarter", "month"): 3, ("year", "quarter"): 4}.get((kind, part or kind))
            weights = of.weights if isinstance(of, Longer) else None
            if weights is not None and sorted(weights) != [*range(1, (count or 0) + 1)]:
                raise Wrong(
                    f"aggregation.{kind}.weights: one for each of 1 to {count}",
                    f"aggregation.{kind}.weights：1 到 {count} 每个都要写",
                )
        return self

    @model_validator(mode="after")
    def _says_where_it_applies(self) -> "Scheme":
        for indicator in self.indicators:
            for kind in indicator.periods or ():
                if kind not in self.periods:
                    raise Wrong(
                        f"{indicator.code}: the scheme scores no {kind}", f"{indicator.code}：本办法不按 {kind} 计分"
                    )
            if indicator.periods and any(entry.value for entry in indicator.points):
                raise Wrong(
                    f"{indicator.code}: what applies to some periods alone adds or takes: its points are 0",
                    f"{indicator.code}：只在某些周期适用的是加减分项，分值写 0",
                )
            limit = getattr(indicator.scoring, "band_at_most", None)
            if limit is not None and limit not in [band.name_zh for band in self.bands]:
                raise Wrong(f"{indicator.code}: there is no band {limit!r}", f"{indicator.code}：没有“{limit}”这一档")
        return self

    @model_validator(mode="after")
    def _full_points_are_not_rounded(self) -> "Scheme":
        for indicator in self.indicators if self.rounding.order == "components_first" else ():
            for entry in indicator.points:
                if decimals_of(entry.value.normalize()) > self.rounding.decimals:
                    decimals = self.rounding.decimals
                    raise Wrong(
                        f"{indicator.code}: {entry.value} points are rounded to {decimals} decimals",
                        f"{indicator.code}：{entry.value} 分会被取整到 {decimals} 位小数",
                    )
        return self

    @model_validator(mode="after")
    def _names_its_own_groups(self) -> "Scheme":
        groups = [group.code for group in self.peer_groups]
        for where, entries in self._parameters():
            for named in {group for entry in entries for group in entry.peer_groups or ()} - set(groups):
                raise Wrong(
                    f"{where}: there is no peer group {named!r}; the scheme has {', '.join(groups)}",
                    f"{where}：没有 {named} 这个组；本办法有 {'、'.join(groups)}",
                )
        for indicator in self.lines:
            for named in set(indicator.peer_groups or ()) - set(groups):
                raise Wrong(
                    f"{indicator.code}: there is no peer group {named!r}; it has {', '.join(groups)}",
                    f"{indicator.code}：没有 {named} 这个组；本办法有 {'、'.join(groups)}",
                )
        return self

    @model_validator(mode="after")
    def _every_group_has_its_numbers(self) -> "Scheme":
        for group in (group.code for group in self.peer_groups):
            for indicator in filter(lambda line: line.scores(group), self.lines):
                for name, entries in indicator.parameters.items():
                    if name != "min_n" and in_force(entries, group, self.valid_from) is None:
                        raise Wrong(
                            f"{indicator.code}: {name} has no value for {group} on {self.valid_from}",
                            f"{indicator.code}：{group} 组在 {self.valid_from} 没有 {name} 的数值",
                        )
            if not any(self.points_max(group, day) for day in (self.valid_from, *self.changes)):
                raise Wrong(f"the peer group {group} can earn no points", f"{group} 组得不到分")
        return self

    def _parameters(self) -> Iterable[tuple[str, Entries]]:
        yield "publication.min_n", self.publication.min_n or ()
        for indicator in self.lines:
            for name, entries in indicator.parameters.items():
                yield f"{indicator.code}: {name}", entries

    @cached_property
    def scheme_version(self) -> str:
        """The first 12 hex digits of the sha256 of the content, keys sorted.

        What is not written and what is written as it would be anyway are the same, so that a new key of the language
        changes no version.
        """
        content = self.model_dump(mode="json", exclude_defaults=True)
        text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def changes(self) -> list[date]:
        """The days on which a number of the scheme changes."""
        return changes(entries for _, entries in self._parameters())

    def dates(self, limit: Limit | None = None) -> tuple[date, date | None]:
        """The first day on which the scheme, or one of its limits, is in force, and the first on which it is not."""
        narrower = (limit.valid_from, limit.valid_to) if limit else (None, None)
        return narrower[0] or self.valid_from, narrower[1] or self.valid_to

    @property
    def shortest(self) -> PeriodKind:
        """The shortest kind of period that it scores."""
        return min(self.periods, key=("month", "quarter", "year").index)

    def covers(self, period: Period) -> bool:
        """Whether the scheme scores this kind of period and is in force through all of it.

        The mean of shorter periods needs one of them: a scheme may begin within a year.
        """
        if period.kind not in self.periods:
            return False
        parts = self.parts(period)
        if parts is not None:
            return bool(parts)
        return self._is_in_force_through(period)

    def parts(self, period: Period) -> list[Period] | None:
        """The shorter periods of which one is the mean, as far as the scheme is in force; None where it is not."""
        of = self.made_of(period)
        kind = _part(of) if of else None
        return [part for part in period.parts(kind) if self._is_in_force_through(part)] if kind else None

    def made_of(self, period: Period) -> Aggregation | Longer | None:
        """How the scheme makes a period of shorter ones, if it says."""
        return None if period.kind == "month" else self.aggregation.get(period.kind)

    def weights(self, period: Period) -> dict[str, Fraction]:
        """What each of the shorter periods weighs of which one is the mean, by its name."""
        of, parts = self.made_of(period), self.parts(period) or []
        if not isinstance(of, Longer):
            return {part.text: Fraction(1) for part in parts}
        whole = [part.text for part in period.parts(of.of)]
        told = of.weights or {len(whole): of.last}
        return {part.text: told.get(whole.index(part.text) + 1, Fraction(1)) for part in parts}

    def _is_in_force_through(self, period: Period) -> bool:
        return self.valid_from <= period.first and (self.valid_to is None or period.last < self.valid_to)

    def looks_back_to(self, period: Period) -> date:
        """The first day of which a row can decide what one of the period counts: its month's, quarter's or year's."""
        windows = [one.repeated.within for one in self.lines if one.repeated]
        return min([period.first, *(period.first_of(window) for window in windows)])

    def asks_before(self, period: Period) -> dict[str, list[Period]]:
        """By the code of a line the periods before of which its score asks, the last one first."""
        asked: dict[str, list[Period]] = {}
        for indicator in self.indicators:
            for line in indicator.lines:
                with_what = line.compared or indicator.compared
                if with_what is not None and with_what.is_earlier:
                    asked[line.code] = [period.previous if with_what.to == "previous" else period.year_before]
                elif line.pooled is not None:
                    before = [period]
                    while len(before) <= line.pooled.at_most:
                        before.append(before[-1].previous)
                    asked[line.code] = before[1:]
        return {code: periods for code, periods in asked.items() if self.indicator(code).measure}

    def first_day(self, period: Period) -> date:
        """The day whose numbers hold for a period: its first, or the scheme's, where that begins within it."""
        return max(period.first, self.valid_from)

    def changes_within(self, period: Period) -> date | None:
        """The first day on which a number changes in the middle of a period, so that no one number is its own."""
        return next((day for day in self.changes if period.first < day <= period.last), None)

    def standing(self, period: Period, is_complete: bool) -> Literal["indicative", "final"]:
        """What a score of the period is worth: nothing is final while the period's data are incomplete."""
        return self.periods[period.kind] if is_complete else "indicative"

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """Its indicators in their order, each followed by its parts."""
        return tuple(line for indicator in self.indicators for line in indicator.lines)

    @cached_property
    def wholes(self) -> dict[str, Indicator]:
        """By the code of a line the indicator that it is a part of; one without parts is its own."""
        return {line.code: indicator for indicator in self.indicators for line in indicator.lines}

    def indicator(self, code: str) -> Line:
        """The indicator, or the part of one, that has this code. Raises BadDeclaration."""
        for line in self.lines:
            if line.code == code:
                return line
        offered = ", ".join(line.code for line in self.lines)
        raise BadDeclaration(f"the scheme {self.scheme_id} has no indicator {code!r}; it has {offered}")

    def find_group(self, named: str) -> PeerGroup | None:
        """The peer group of this code or Chinese name."""
        return next((group for group in self.peer_groups if named in (group.code, group.name_zh)), None)

    def group(self, code: str) -> PeerGroup:
        """The peer group of a unit that was scored."""
        return next(group for group in self.peer_groups if code == group.code)

    def points_max(self, peer_group: str, day: date) -> Decimal:
        """The points of all indicators together, for a peer group on a day."""
        scored = [indicator for indicator in self.indicators if indicator.scores(peer_group)]
        return sum((in_force(indicator.points, peer_group, day) or Decimal() for indicator in scored), Decimal())

    @property
    def examples(self) -> list[str]:
        """The parts that stand for something no public source gives, by name."""
        parts: list[Any] = [*self.peer_groups, *self.lines, *self.bands, *self.publication.lists]
        named = [part.name_zh for part in parts if part.example] + [
            limit.text for limit in self.limits if limit.example
        ]
        return [*named, *(["取整"] if self.rounding.example else []), *(["公布"] if self.publication.example else [])]

    def least(self, peer_group: str, day: date) -> Decimal:
        """A unit of which fewer rows were judged is not ranked."""
        return in_force(self.publication.min_n or (), peer_group, day) or Decimal(0)

    def entries(self) -> list[tuple[str, str, dict]]:
        """What SQL reads, as rows (kind, key, data) of ``config.entry``. Lines stand one after the other there, a part
        with the code of what it is a part of."""
        whole = self.model_dump(mode="json") | {"scheme_version": self.scheme_version}
        told = []
        for indicator, data in zip(self.indicators, whole["indicators"], strict=True):
            parts = [part | {"part_of": indicator.code} for part in data.pop("parts")]
            told += [one | self._derived(line) for line, one in zip(indicator.lines, (data, *parts), strict=True)]
        whole["indicators"] = told
        for part in (whole, *whole["peer_groups"], *whole["bands"], *told):
            for name in LATER:
                if part.get(name) is None:  # an entry from before there were such keys is the same entry
                    part.pop(name, None)
        rules = [(number, limit) for number, limit in enumerate(self.limits, start=1)]
        return [
            ("scheme", self.scheme_id, whole),
            *(("limit_rule", f"{self.scheme_id}/{number:03}", self._rule(number, limit)) for number, limit in rules),
        ]

    @staticmethod
    def _derived(line: Line) -> dict[str, Any]:
        return {name: getattr(line, name) for name in DERIVED} | {
            "parameters": {
                name: [entry.model_dump(mode="json") for entry in entries] for name, entries in line.parameters.items()
            }
        }

    @classmethod
    def from_entry(cls, data: dict) -> "Scheme":
        """The scheme that ``entries`` wrote."""
        given = {key: value for key, value in data.items() if key != "scheme_version"}
        wholes: dict[str, dict] = {}
        for told in given["indicators"]:
            line = {key: value for key, value in told.items() if key not in ("parameters", "part_of", *DERIVED)}
            if "part_of" in told:
                wholes[told["part_of"]].setdefault("parts", []).append(line)
            else:
                wholes[told["code"]] = line
        return cls.model_validate(given | {"indicators": list(wholes.values())})

    def _rule(self, number: int, limit: Limit) -> dict:
        first, last = self.dates(limit)
        left_out = {"example"} if limit.returned else {"example", "returned"}
        return limit.model_dump(mode="json", exclude=left_out) | {
            "scheme_id": self.scheme_id,
            "rule_no": number,
            "valid_from": first.isoformat(),
            "valid_to": last and last.isoformat(),
            "is_example": limit.example,
        }


def read_scheme(path: Path) -> Scheme:
    """The scheme declared in ``path``, whatever the file's name. Raises BadDeclaration naming file, line and key."""
    return _read(path, TIMEZONE)


def _read(path: Path, timezone: str) -> Scheme:
    """The scheme of a city in a time zone."""
    page = read_page(path)
    scheme, slips = judged(Scheme, {"timezone": timezone} | page.data, page)
    if scheme is None:
        refuse(hinted(slips, page.data))
        raise AssertionError("what is no model has slips")
    return scheme


def find_scheme(config: Path, named: str) -> Scheme:
    """The scheme of this id in the configuration, or in the file of this path. Raises BadDeclaration."""
    path = Path(named)
    if path.suffix in (".yml", ".yaml") or path.is_file():
        return read_scheme(path)
    declared = config / "schemes" / f"{named}.yml"
    if not declared.is_file():
        known = ", ".join(path.stem for path in sorted((config / "schemes").glob("*.yml")))
        raise BadDeclaration(f"there is no scheme {named!r} in {config / 'schemes'}; it has {known or 'none'}")
    return load_scheme(declared)


def load_scheme(path: Path) -> Scheme:
    """The scheme declared in ``path``, which is named after it. Raises BadDeclaration naming file, line and key."""
    timezone = city_timezone(path.parent.parent)
    scheme = _read(path, timezone)
    if scheme.timezone != timezone:
        en = f"{scheme.timezone}, but the city (city.yml) is in {timezone}: leave the key out"
        zh = f"写的是 {scheme.timezone}，而本市（city.yml）在 {timezone}：去掉这个键"
        raise slip(path, read_page(path).place(("timezone",))[1], "timezone", en, zh)
    if scheme.scheme_id != path.stem:
        en, zh = (
            f"the file of scheme {scheme.scheme_id!r} must be {scheme.scheme_id}.yml",
            f"办法 {scheme.scheme_id} 的文件名应是 {scheme.scheme_id}.yml",
        )
        raise slip(path, read_page(path).place(("id",))[1], "id", en, zh)
    return scheme


def load_schemes(config: Path, in_force: Iterable[str] | None = None) -> tuple[Scheme, ...]:
    """The declared schemes sorted by id, or those ``in_force`` in the city (``schemes`` of ``city.yml``).

    Raises BadDeclaration, also when one in force is not there, or limits of two in force bind on one day. Which of two
    limits binds is decided by their order in a file; between two files there is no order.
    """
    folder = config / "schemes"
    schemes, gathered = {}, Gathered()
    for path in sorted(folder.glob("*.yml")):
        with gathered.slips():
            schemes[path.stem] = load_scheme(path)
    gathered.tell()
    if in_force is None:
        return tuple(schemes.values())
    for named in in_force:
        if named not in schemes:
            en, zh = f"there is no {folder / named}.yml", f"没有 schemes/{named}.yml 这个文件"
            near = next(iter(nearest(named, schemes)), None)
            known = (f"; {near}?", f"；是 {near} 吗？") if near else ("", "")
            city = config / "city.yml"
            line = read_page(city).place(("schemes",))[1] if city.is_file() else 1
            raise slip(city, line, "schemes", en + known[0], zh + known[1])
    chosen = tuple(scheme for name, scheme in schemes.items() if name in set(in_force))
    for one, other in combinations(chosen, 2):
        for limit in one.limits:
            if any(_overlap(one.dates(limit), other.dates(rival)) for rival in other.limits):
                path = folder / f"{other.scheme_id}.yml"
                en = (
                    f"they bind on days on which those of {one.scheme_id}.yml bind; keep limits in one scheme, or end"
                    " one before the other begins"
                )
                zh = f"与 {one.scheme_id}.yml 的时限在同一天都有效；时限只写在一个办法里，或在另一个开始前结束"
                raise slip(path, read_page(path).place(("limits",))[1], "limits", en, zh)
    return chosen


def _overlap(one: tuple[date, date | None], other: tuple[date, date | None]) -> bool:
    return one[0] < (other[1] or date.max) and other[0] < (one[1] or date.max)
