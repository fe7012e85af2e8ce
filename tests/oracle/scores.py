"""Points and ranks, in fractions: exact until the one rounding that the scheme names."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from math import ceil

from minhu.schemes.period import Period
from tests.oracle import beside, fairness, wholes
from tests.oracle.answers import weighed
from tests.oracle.decided import Decided
from tests.oracle.entered import Entries
from tests.oracle.functions import FUNCTIONS, has_happened
from tests.oracle.lifecycle import City
from tests.oracle.measures import Row, rows
from tests.oracle.numbers import exact, half_up
from tests.oracle.register import Unit
from tests.reference.clock import CITY

ALREADY_HANDED_OUT = ("received_at", "dispatched_at")
"""An indicator counted by these alone gives no rank."""
OF_OTHERS = ("share", "per_10k", "per")
"""Aggregates whose denominator is no count of the unit's own rows."""
ENOUGH = Fraction(10**9)
"""An entry by hand that ranks is enough, however many rows a scheme asks for."""
PLAIN = ("count", "sum")
"""Aggregates that are the numerator itself."""


def in_force(number: object, group: str, day: date) -> object:
    """Of a number's entries the one for a peer group on a day: one that names the group goes before one for all; of
    those the latest counts. Null where none fits."""
    if not isinstance(number, list) or not number or not isinstance(number[0], dict) or "value" not in number[0]:
        return number
    fitting = [
        entry
        for entry in number
        if str(entry.get("from") or "") <= str(day) and group in (entry.get("peer_groups") or [group])
    ]
    best = max(fitting, key=lambda e: (bool(e.get("peer_groups")), str(e.get("from") or "")), default=None)
    return best and best["value"]


def of_group(indicator: dict, group: str, first_day: date) -> dict | None:
    """An indicator with the numbers in force for a peer group on the first day of a period; null if it scores others
    alone."""
    if group not in indicator.get("peer_groups", [group]):
        return None
    scoring = {name: in_force(number, group, first_day) for name, number in indicator["scoring"].items()}
    told = {name: in_force(number, group, first_day) for name, number in indicator.items()} | {"scoring": scoring}
    if "compared" in told:
        told["compared"] = {name: in_force(number, group, first_day) for name, number in told["compared"].items()}
    if "parts" in told:
        whom = {"peer_groups": indicator["peer_groups"]} if "peer_groups" in indicator else {}
        parts = [of_group({"points": 0} | whom | part, group, first_day) for part in indicator["parts"]]
        told["parts"] = [part for part in parts if part]
    return told


@dataclass
class Span:
    """A period and the moment as of which it is judged."""

    starts: datetime
    ends: datetime
    as_of: datetime

    @classmethod
    def of(cls, period: str, last_day) -> "Span":
        told = Period.parse(period)
        starts = datetime(told.first.year, told.first.month, told.first.day, tzinfo=CITY)
        after = told.last + timedelta(days=1)
        ends = datetime(after.year, after.month, after.day, tzinfo=CITY)
        cut = datetime(last_day.year, last_day.month, last_day.day, tzinfo=CITY) + timedelta(days=1)
        return cls(starts, ends, min(ends, cut))

    def holds(self, moment: str, at: datetime | None) -> bool:
        """A limit that ends at 24:00 of the last day belongs to the period; nothing does that lies after the data."""
        if at is None or at > self.as_of:
            return False
        return self.starts < at <= self.ends if moment == "due_at" else self.starts <= at < self.ends


@dataclass
class Count:
    """What an indicator found of a unit. ``values``: of every row that counts what it adds above."""

    values: list[Fraction] = field(default_factory=list)
    denominator: Fraction = Fraction(0)
    entered: Fraction | None = None
    before: list[tuple[Fraction, Fraction]] = field(default_factory=list)
    """What stood above and below in the periods before that are asked, the last one first."""

    @property
    def numerator(self) -> Fraction:
        return sum(self.values, Fraction(0))


Line = dict[str, object]
Result = tuple[dict[tuple[str, str], Line], dict[str, Line]]
"""By (unit, indicator) the columns of fct_unit_indicator, and by unit those of fct_unit_score."""


def counted(row: Row, span: Span, indicator: dict) -> tuple[Fraction | int, int] | None:
    """What a row adds above and below; null where it is not in the period, or not yet."""
    if not span.holds(indicator["moment"], getattr(row, indicator["moment"])):
        return None
    has_happened = row.numerator is not None and (row.occurred_at is None or row.occurred_at <= span.as_of)
    is_awaited = row.is_awaited and indicator.get("aggregate", "rate") == "rate"
    if row.excluded is not None or indicator["code"] in row.spared:
        return None
    if has_happened:
        return row.numerator, 1
    return (0, 1) if is_awaited and row.due_at is not None and row.due_at <= span.as_of else None


class Scoring:
    """Scores the periods of one scheme over the facts of a city."""

    def __init__(self, city: City, decided: Decided, entered: Entries, scheme: dict, last_day: date):
        self.city, self.decided, self.entered, self.scheme, self.last_day = city, decided, entered, scheme, last_day
        self.rounding = {"order": "components_first", "decimals": 2} | scheme.get("rounding", {})
        self.decimals = self.rounding["decimals"]
        self.kept = 12 if self.rounding["order"] == "sum_first" else self.decimals
        self._rows: dict[tuple[str, bool], list[Row]] = {}
        self.score = cache(self._score)

    def _score(self, period: str) -> Result:
        """A period from its own rows, or as the mean of the shorter ones of which the scheme makes it."""
        span, parts = Span.of(period, self.last_day), {part: self.score(part) for part in self.parts(period)}
        kind = Period.parse(period).kind
        units = self.units(span)
        table = {
            group: [told for one in self.scheme["indicators"] if (told := of_group(one, group, self.first_day(span)))]
            for group in {unit.peer_group for unit in units.values()}
        }
        counts = self.counts(period, span, units)
        of_indicator = {
            (code, told["code"]): self.line(told, counts[code, told["code"]], kind)
            for code, unit in units.items()
            for told in table[unit.peer_group]
        }
        self.compare_with_peers(units, table, of_indicator)
        own = {told["code"] for told in self.scheme["indicators"] if "periods" in told or is_event(told)}
        if parts:
            best = {code: self.best(period, parts, code) for code in units}
            for (code, indicator), line in of_indicator.items():
                if indicator not in own:
                    told = {part: lines.get((code, indicator), {}).get("points") for part, (lines, _) in parts.items()}
                    points = self.mean(period, {part: told[part] for part in best[code]})
                    line["points"] = None if points is None else half_up(points, self.kept)
        of_unit = {}
        for code, unit in units.items():
            lines = [(told, of_indicator[code, told["code"]]) for told in table[unit.peer_group]]
            of_unit[code] = self.total([(told, {told["code"]: line}) for told, line in lines])
            if parts:
                scores = {part: parts[part][1].get(code, {}).get("score_100") for part in best[code]}
                hundred = self.mean(period, scores)
                changed = sum(Fraction(line["points"] or 0) for told, line in lines if told["code"] in own)
                if hundred is not None:
                    hundred += 100 * changed / sum(exact(told["points"]) for told, _ in lines)
                    hundred = half_up(min(max(hundred, Fraction(0)), Fraction(100)), self.decimals)
                of_unit[code]["score_100"] = hundred
            of_unit[code]["happened"] = [
                told["scoring"] for told, line in lines if is_event(told) and has_happened(told["scoring"], line["raw"])
            ]
        self.place(span, units, of_unit)
        return of_indicator, of_unit

    def made_of(self, period: str) -> dict:
        """How a longer period is made of shorter ones, as a mapping; empty where it is not."""
        of = self.scheme.get("aggregation", {}).get(Period.parse(period).kind)
        plain = {"mean_of_months": {"of": "month"}, "mean_of_quarters": {"of": "quarter"}}
        return of if isinstance(of, dict) else plain.get(of, {})

    def best(self, period: str, parts: dict[str, Result], unit: str) -> list[str]:
        """The shorter periods of a unit that count: all, or so many of those with the best scores."""
        scores = {part: totals.get(unit, {}).get("score_100") for part, (_, totals) in parts.items()}
        scored = sorted((part for part, score in scores.items() if score is not None), key=lambda p: (-scores[p], p))
        many = self.made_of(period).get("best")
        return list(parts) if many is None else scored[:many]

    def mean(self, period: str, given: dict[str, Decimal | None]) -> Fraction | None:
        """Of what the shorter periods gave, each by its weight; those that gave nothing are left out."""
        of = self.made_of(period)
        whole = [part.text for part in Period.parse(period).parts(of["of"])]
        weights = of.get("weights") or {len(whole): of.get("last", 1)}
        told = [
            (exact(weights.get(whole.index(part) + 1, 1)), Fraction(value))
            for part, value in given.items()
            if value is not None
        ]
        return sum(w * v for w, v in told) / sum(w for w, _ in told) if told else None

    def parts(self, period: str) -> list[str]:
        """The shorter periods of which one is the mean: those that have begun, as far as the scheme is in force."""
        told = Period.parse(period)
        kind = self.made_of(period).get("of")
        since, until = str(self.scheme["valid_from"]), str(self.scheme.get("valid_to") or "9999")
        return [
            part.text
            for part in (told.parts(kind) if kind else [])
            if since <= str(part.first) and str(part.last) < until and part.first <= self.last_day
        ]

    def first_day(self, span: Span) -> date:
        """The day whose numbers hold for a period: its first, or the scheme's, where that begins within it."""
        return max(span.starts.date(), date.fromisoformat(str(self.scheme["valid_from"])))

    def units(self, span: Span) -> dict[str, Unit]:
        """Those of the scheme's peer groups, as the register has them on the last day of the period."""
        groups = {group["code"] for group in self.scheme["peer_groups"]}
        last_day = (span.ends - timedelta(days=1)).date()
        return {
            line.code: line for line in self.city.register.lines if line.holds(last_day) and line.peer_group in groups
        }

    def counts(self, period: str, span: Span, units: dict[str, Unit]) -> dict[tuple[str, str], Count]:
        """What was counted, by unit and indicator; of a share below the whole group's, of a number per 10,000 the
        unit's population."""
        found: dict[tuple[str, str], Count] = defaultdict(Count)
        for indicator in self.scheme["indicators"]:
            code = indicator["code"]
            applies = Period.parse(period).kind in indicator.get("periods", [Period.parse(period).kind])
            for row, above, below in self.adding(indicator, span) if "measure" in indicator and applies else ():
                if row.unit_code in units:
                    found[row.unit_code, code].values.append(Fraction(above))
                    found[row.unit_code, code].denominator += below
            for unit, line in units.items():
                if indicator.get("aggregate") in ("per_10k", "per"):
                    divided_by = getattr(line, indicator.get("denominator", "population"))
                    found[unit, code].denominator = Fraction(divided_by or 0)
                entries = self.entered.get((self.scheme["id"], period, unit, code), [])
                if entries:
                    is_change = indicator["scoring"].get("entry") == "change" or is_event(indicator)
                    found[unit, code].entered = sum(entries, Fraction(0)) if is_change else entries[-1]
            if indicator.get("aggregate") == "share":
                whole: dict[str, Fraction] = defaultdict(Fraction)
                for unit, line in units.items():
                    whole[line.peer_group] += found[unit, code].numerator
                for unit, line in units.items():
                    found[unit, code].denominator = whole[line.peer_group]
        return found

    def adding(self, indicator: dict, span: Span) -> Iterator[tuple[Row, Fraction | int, int]]:
        """The rows of a period with what they add above and below; what happens again within its window adds more."""
        rows = [row for row in self.rows(indicator, span) if self.is_asked_for(row, indicator.get("rows"))]
        again, moment = indicator.get("repeated"), indicator["moment"]
        if not again:
            yield from ((row, *adds) for row in rows if (adds := counted(row, span, indicator)))
            return
        wide = Span(window(span.starts, again["within"]), span.ends, span.as_of)
        seen: Counter[tuple] = Counter()
        rows = [row for row in rows if wide.holds(moment, getattr(row, moment))]
        for row in sorted(rows, key=lambda row: getattr(row, moment)):
            if adds := counted(row, wide, indicator):
                at = getattr(row, moment) - timedelta(microseconds=moment == "due_at")
                place = (row.unit_code, self.sameness(row, again["same"]), window(at, again["within"]))
                seen[place] += adds[0] > 0
                times = exact(again.get("times", 2)) if seen[place] > 1 else 1
                if span.holds(moment, getattr(row, moment)):
                    yield row, adds[0] * times, adds[1]

    @staticmethod
    def sameness(row: Row, same: str) -> object:
        """What of two rows must be the same; what says nothing is the same as nothing else."""
        record = row.record or {}
        if same == "case":
            return id(row.record) if row.record else id(row)
        return record.get({"category": "category_code"}.get(same, same)) or id(row)

    def is_asked_for(self, row: Row, only: dict | None) -> bool:
        """Whether a row's case is among those that an indicator asks for."""
        record, above = row.record or {}, self.city.register.above
        told = {
            "feeds": {record.get("feed_code")},
            "channels": {record.get("channel")},
            "request_types": {record.get("request_type")},
            "urgencies": {record.get("urgency") or "normal"} if record else set(),
            "dispatch_sources": {record.get("dispatch_source")},
            "categories": above("categories", record.get("category_code")),
            "areas": above("areas", record.get("area_code")),
            "confidential": bool(record.get("is_confidential")),
        }
        return all(
            told[key] == asked if key == "confidential" else bool(told[key] & set(asked))
            for key, asked in (only or {}).items()
        )

    def rows(self, indicator: dict, span: Span) -> list[Row]:
        kind = (indicator["measure"], indicator.get("support_units") == "in")
        if kind not in self._rows:
            self._rows[kind] = rows(self.city, self.decided, *kind)
        return (
            weighed(self._rows[kind], indicator["answers"], span.as_of) if "answers" in indicator else self._rows[kind]
        )

    def lines(
        self, indicator: dict, counts: dict[str, Count], held: "Held", kind: str | None = None
    ) -> dict[str, Line]:
        """An item of a unit with its parts, by code: the rows sum to the item's points."""
        if "parts" not in indicator:
            code = indicator["code"]
            return {code: self.line(indicator, counts[code], kind, held.get(code))}
        parts, own = indicator["parts"], Count()
        values = {part["code"]: self.value(part, counts[part["code"]]) for part in parts}
        made = wholes.made(indicator, values) if "combine" in indicator else None
        found = {part["code"]: self.line(part, counts[part["code"]], kind, held.get(part["code"])) for part in parts}
        base = self.line(indicator, own, kind, held.get(indicator["code"]), made)
        base |= {"numerator": None, "denominator": None}
        if indicator["scoring"]["function"] == "together":
            read = {code: self.read(part, values[code], held.get(code)) for part in parts for code in [part["code"]]}
            if all(one is None for one in read.values()):
                for line in found.values():
                    line["points"] = None
                return {indicator["code"]: base} | found
            start, given, kept = wholes.bounded(indicator, wholes.changes(indicator, read))
            base["points"] = half_up(start, self.kept)
            shared = wholes.in_hundredths(half_up(given, self.kept) - base["points"], kept, self.kept)
            for part in parts:
                line = found[part["code"]]
                line["points"] = None if read[part["code"]] is None else shared[part["code"]]
                if part["scoring"]["function"] == "manual":
                    line["value"] = line["points"]
            return {indicator["code"]: base} | found
        lacks = wholes.lacks(indicator, values)
        for code, line in found.items():
            line["points"] = None if values[code] is None or base["points"] is None else Decimal(0)
        if base["raw_read"] is not None and base["points"] < base["points_max"] and sum(lacks.values()):
            lost = base["points"] - base["points_max"]
            shares = {code: Fraction(lost) * one / sum(lacks.values()) for code, one in lacks.items()}
            base["points"] = base["points_max"]
            for code, share in wholes.in_hundredths(lost, shares, self.kept).items():
                found[code]["points"] = None if values[code] is None else share
        return {indicator["code"]: base} | found

    @staticmethod
    def read(indicator: dict, value: Fraction | None, held: "Held | None") -> Fraction | None:
        """What the rule reads of a value."""
        told = indicator.get("compared")
        if not told or value is None:
            return value
        if held is None:
            return None
        return held.place if told["to"] == "group_rank" else beside.read(told, value, held.number)

    def line(
        self,
        indicator: dict,
        count: Count,
        kind: str | None = None,
        held: "Held | None" = None,
        made: Fraction | None = None,
    ) -> Line:
        """An indicator of a unit: counts, value and points. ``made``: the value that its parts make."""
        told, points_max = indicator["scoring"], exact(indicator["points"])
        is_manual, aggregate = told["function"] == "manual", indicator.get("aggregate", "rate")
        aggregate = "count" if is_event(indicator) and "measure" not in indicator else aggregate
        value = made if "parts" in indicator else self.value(indicator, count)
        own, value = value, self.read(indicator, value, held)
        applies = kind is None or kind in indicator.get("periods", [kind])
        if not applies:
            own, value, points = None, None, None
        elif told["function"] in ("together", "weighed"):
            points = None if "parts" not in indicator else self.nothing(indicator, points_max)
        elif value is not None:
            points = FUNCTIONS[told["function"]](told, points_max, value)
        else:
            points = self.nothing(indicator, points_max)
        points = None if points is None else half_up(points, self.kept)
        aggregate = "rate" if "parts" in indicator else aggregate
        shown = points if is_manual else own if aggregate in PLAIN else own and half_up(own, 4)
        above, below, taken = pooled(indicator, count)
        compared = "compared" in indicator and own is not None
        target = told.get("target", 100 if told["function"] == "proportional" else None)
        return {
            "numerator": count.numerator,
            "denominator": count.denominator,
            "is_external_denominator": aggregate in OF_OTHERS,
            "value": None if own is None else shown,
            "reference": half_up(held.number, 4)
            if "compared" in indicator and held and held.number is not None
            else None,
            "compared_value": half_up(value, 4) if compared and value is not None else None,
            "pooled_numerator": above if taken else None,
            "pooled_denominator": below if taken else None,
            "raw_read": value,
            "target": None if target is None else Decimal(str(target)),
            "raw": own,
            "points_max": Decimal(str(indicator["points"])),
            "points": points,
            "wilson_low": None,
            "wilson_high": None,
            "funnel_flag": None,
            "shrunken_value": None,
        }

    def value(self, indicator: dict, count: Count) -> Fraction | None:
        """What a scoring function reads; null where there is nothing to judge, or too little."""
        aggregate = indicator.get("aggregate", "rate")
        if "measure" not in indicator:
            is_change = indicator["scoring"].get("entry") == "change" or is_event(indicator)
            return Fraction(0) if count.entered is None and is_change else count.entered
        above, below, taken = pooled(indicator, count)
        if taken:
            count = Count([above], below)
        if indicator.get("min_n") is not None and count.denominator < exact(indicator["min_n"]):
            return None
        if aggregate in PLAIN:
            return count.numerator
        if aggregate in ("median", "p90"):
            return quantile(count.values, Fraction(1, 2) if aggregate == "median" else Fraction(9, 10))
        if not count.denominator:
            return None
        is_percent = aggregate in ("rate", "share") or "weights" in (indicator.get("answers") or {})
        value = count.numerator * (100 if is_percent else 10_000 if aggregate == "per_10k" else 1) / count.denominator
        decimals = self.rounding.get("rate_decimals")
        return value if decimals is None or not is_percent else Fraction(half_up(value, decimals))

    @staticmethod
    def nothing(indicator: dict, points_max: Fraction) -> Fraction | None:
        """What an indicator gives of which there is nothing to judge."""
        return {"left_out": None, "full_points": points_max, "zero": Fraction(0)}[
            indicator.get("when_empty", "left_out")
        ]

    @staticmethod
    def compare_with_peers(units: dict[str, Unit], table: dict[str, list[dict]], lines: dict) -> None:
        """Interval, funnel and shrunken rate of every rate of which there is something to judge."""
        for group, indicators in table.items():
            for told in rows_of(indicators):
                if told.get("aggregate", "rate") != "rate" or "measure" not in told:
                    continue
                of_group = [
                    lines[unit, told["code"]]
                    for unit, line in units.items()
                    if line.peer_group == group and lines[unit, told["code"]]["denominator"]
                ]
                pairs = [(int(line["numerator"]), int(line["denominator"])) for line in of_group]
                peers = fairness.Peers(pairs) if pairs else None
                for line, pair in zip(of_group, pairs, strict=True):
                    if line["pooled_denominator"]:
                        continue
                    line["wilson_low"], line["wilson_high"] = fairness.wilson(*pair)
                    line["funnel_flag"], line["shrunken_value"] = peers.funnel(*pair), peers.shrunken(*pair)
                for line in (lines[unit, told["code"]] for unit, one in units.items() if one.peer_group == group):
                    if line["pooled_denominator"]:
                        all_rows = int(line["pooled_numerator"]), int(line["pooled_denominator"])
                        line["wilson_low"], line["wilson_high"] = fairness.wilson(*all_rows)

    def total(self, lines: list[tuple[dict, Line]]) -> Line:
        """What does not apply is left out of both sides; deductions and bonuses change the same of every unit.

        ``judged``: how many rows stand behind the indicator that has most of them; null where nothing was judged.
        """
        earned = available = changed = whole = Fraction(0)
        judged: list[Fraction] = []
        for indicator, of_item in lines:
            points_max = exact(indicator["points"])
            whole += points_max
            given = [one["points"] for one in of_item.values() if one["points"] is not None]
            if not given:
                continue
            if points_max:
                earned, available = earned + Fraction(sum(given)), available + points_max
                judged += self.judged(indicator, of_item)
            else:
                changed += Fraction(sum(given))
        hundred = None
        if judged:
            whole = 100 * thirds(earned) / available + 100 * thirds(changed) / whole
            hundred = half_up(min(max(whole, Fraction(0)), Fraction(100)), self.decimals)
        raw = half_up(thirds(earned + changed), self.decimals) if available or changed else None
        return {"raw_points": raw, "score_100": hundred, "judged": max(judged, default=None)}

    @staticmethod
    def judged(indicator: dict, of_item: dict[str, Line]) -> list[Fraction]:
        """How many rows were judged, by each row of an item that says how a unit handled its cases."""
        found = []
        if "combine" in indicator and of_item[indicator["code"]]["raw_read"] is None:
            return found  # parts of what does not apply judge nobody
        for told in rows_of([indicator]):
            line = of_item.get(told["code"])
            if line is None or line["raw"] is None or line["raw_read"] is None or not judges(told):
                continue
            if "measure" not in told:
                found.append(ENOUGH)
            elif rows := line["pooled_denominator"] or line["denominator"]:
                found.append(rows)
        return found

    def band(self, hundred: Decimal, worst: list[str]) -> str | None:
        """The best band that the score reaches and that what happened allows."""
        bands = self.scheme.get("bands", [])
        names = [band["name_zh"] for band in bands]
        reached = [place for place, band in enumerate(bands) if hundred >= exact(band["at_least"])]
        return names[max(reached[0], *map(names.index, worst), 0)] if reached else None

    def place(self, span: Span, units: dict[str, Unit], of_unit: dict[str, Line]) -> None:
        """Band, place and lists of those that are ranked, and of the others the reason why they are not."""
        publication, weights = self.scheme.get("publication", {}), {}
        for group in self.scheme["peer_groups"]:
            weights[group["code"]] = exact(group["points"])
        has_case = {
            one.unit_code
            for matter in self.city.matters.values()
            for one in matter.assignments
            if span.starts <= one.dispatched_at < span.as_of and one.facts["voided_at"] is None
        }
        for code, line in of_unit.items():
            hundred, judged = line["score_100"], line.pop("judged")
            happened = line.pop("happened")
            for one in happened:
                if hundred is not None and one.get("score_at_most") is not None:
                    hundred = min(hundred, half_up(exact(one["score_at_most"]), self.decimals))
            line["score_100"] = hundred
            worst = [one["band_at_most"] for one in happened if one.get("band_at_most")]
            group = line["peer_group"] = units[code].peer_group
            least = in_force(publication.get("min_n"), group, self.first_day(span))
            line["assessed_points"] = None
            line["not_ranked_reason"] = "nothing_due" if code in has_case else "no_case"
            line |= {"band": None, "rank_in_group": None, "listed_on": None}
            if hundred is not None:
                line["assessed_points"] = half_up(weights[group] * Fraction(hundred) / 100, self.decimals)
                line["not_ranked_reason"] = "too_few" if (judged or 0) < exact(least or 0) else None
                if line["not_ranked_reason"] is None:
                    line["band"] = self.band(hundred, worst)
                    is_left_out = any(one.get("ranked") is False for one in happened)
                    line["not_ranked_reason"] = "by_event" if is_left_out else None
        ranked = {code: line for code, line in of_unit.items() if line["not_ranked_reason"] is None}
        listed = [(told["name_zh"], on_list(told, ranked)) for told in publication.get("lists", [])]
        for code, line in ranked.items():
            line["rank_in_group"] = 1 + ahead(line, ranked, "best", "peer_group")
            line["listed_on"] = "、".join(name for name, codes in listed if code in codes) or None


@dataclass
class HeldAgainst:
    """What a value is held against, or its place among others."""

    number: Fraction | None = None
    place: Fraction | None = None


Held = dict[str, HeldAgainst]
"""By code of a line."""


def rows_of(indicators: list[dict]) -> Iterator[dict]:
    """Indicators, each followed by its parts."""
    for one in indicators:
        yield one
        yield from one.get("parts", [])


def pooled(indicator: dict, count: Count) -> tuple[Fraction, Fraction, int]:
    """Few rows with those of the periods before, the last one first, until there are enough; and how many it took."""
    above, below, taken = count.numerator, count.denominator, 0
    told = indicator.get("pooled")
    while told and below < told["below"] and taken < min(told["at_most"], len(count.before)):
        above, below = above + count.before[taken][0], below + count.before[taken][1]
        taken += 1
    return above, below, taken


def window(at: datetime, within: str) -> datetime:
    """When the month, quarter or year of a moment began, in the city."""
    day = at.astimezone(CITY).date()
    month = {"month": day.month, "quarter": 3 * ((day.month - 1) // 3) + 1, "year": 1}[within]
    return datetime(day.year, month, 1, tzinfo=CITY)


def judges(indicator: dict) -> bool:
    """Whether it says how a unit handled its cases: intake, shares and points by hand do not, unless the scheme lets
    those rank."""
    if "measure" not in indicator:
        return bool(indicator.get("ranks"))
    return indicator["moment"] not in ALREADY_HANDED_OUT and indicator.get("aggregate", "rate") not in OF_OTHERS


def is_event(indicator: dict) -> bool:
    return indicator["scoring"]["function"] == "event"


def on_list(told: dict, ranked: dict[str, Line]) -> set[str]:
    """So many of the best or the worst, of each group or of all. Who share the last place stand on it together."""
    within = told.get("within", "peer_group")
    return {code for code, line in ranked.items() if ahead(line, ranked, told["take"], within) < told["count"]}


def ahead(line: Line, ranked: dict[str, Line], take: str, within: str) -> int:
    """How many are better (or worse) than a unit, of its group or of all."""
    own = line["score_100"]
    pool = [
        other["score_100"] for other in ranked.values() if within == "all" or other["peer_group"] == line["peer_group"]
    ]
    return sum(score > own if take == "best" else score < own for score in pool)


def thirds(points: Fraction) -> Fraction:
    """Three thirds that were cut after the twelfth decimal are one."""
    return Fraction(half_up(points, 9))


def quantile(values: list[Fraction], share: Fraction) -> Fraction | None:
    """The first of the values, by size, that so large a share of them does not exceed; the median of 1 to 4 is 2."""
    return sorted(values)[ceil(share * len(values)) - 1] if values else None
