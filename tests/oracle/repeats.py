"""Which case a case repeats: docs/facts.md ("Repeats") and config/README.md read aloud, call after call of each caller.

A caller is the token that the loader wrote; keys that were rotated since are not followed here.
"""

import re
import unicodedata
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from math import cos, hypot, radians

from minhu import assess
from tests.oracle.numbers import exact, half_up
from tests.oracle.register import Register, rows_of
from tests.oracle.staged import Key
from tests.reference.clock import CITY

LEVELS = ("city", "district", "town", "village", "grid")
EARTH = 6_371_009
"""Metres from the centre to the surface."""
HEAD = 200
"""Of longer texts only so many characters are looked at."""


@dataclass(frozen=True)
class Repeat:
    of: Key
    similarity: Decimal | None
    basis: str


class Repeats:
    """``root_of``: the first number of each chain of transfers."""

    def __init__(self, register: Register, cases: dict[Key, dict], root_of: dict[Key, Key]):
        self.cases, self.root_of = cases, root_of
        self.rules = sorted(register.city.get("repeats", []), key=lambda rule: str(rule["valid_from"]))
        categories = {row["category_code"]: row for row in rows_of(register.config / "categories.csv")}
        self.category_path = _paths(categories, "category", lambda row: int(row["category_level"]))
        areas = {row["area_code"]: row for row in rows_of(register.config / "areas.csv")}
        self.area_path = _paths(areas, "area", lambda row: LEVELS.index(row["area_level"]) + 1)
        self.calls: dict[str, list[Key]] = defaultdict(list)
        for number, record in cases.items():
            if record["caller_token"] is not None:
                self.calls[record["caller_token"]].append(number)
        for numbers in self.calls.values():
            numbers.sort(key=self.turn)

    def turn(self, number: Key) -> tuple:
        """The order of a caller's cases: when they were received; of one second, by the case's id."""
        return (self.cases[number]["received_at"], assess.case_id(*number))

    @cached_property
    def found(self) -> dict[Key, Repeat]:
        return {number: found for number in self.cases if (found := self.repeated(number))}

    def repeated(self, number: Key) -> Repeat | None:
        """The latest earlier case that the rule of the day takes for the same."""
        record = self.cases[number]
        rule = self.rule(record)
        if rule is None or record["caller_token"] is None:
            return None
        calls = self.calls[record["caller_token"]]
        place = bisect_right(calls, self.turn(number), key=self.turn) - 1
        for earlier in calls[max(0, place - rule.get("compare_latest", 50)) : place][::-1]:
            if record["received_at"] - self.cases[earlier]["received_at"] > timedelta(days=rule["window_days"]):
                return None
            if self.root_of[earlier] != self.root_of[number] and (found := self.same(rule, number, earlier)):
                return found
        return None

    def rule(self, record: dict) -> dict | None:
        """The rule in force on the day on which a case was received: the latest that had begun, if it still holds."""
        day = str(record["received_at"].astimezone(CITY).date())
        begun = [rule for rule in self.rules if str(rule["valid_from"]) <= day]
        return begun[-1] if begun and (not begun[-1].get("valid_to") or day < str(begun[-1]["valid_to"])) else None

    def same(self, rule: dict, number: Key, earlier: Key) -> Repeat | None:
        later, before = self.cases[number], self.cases[earlier]
        is_same_place, place = self.place(rule, later, before)
        if is_same_place not in {"required": (True,), "if_told": (True, None)}.get(rule["place"], (True, None, False)):
            return None
        is_same_category = self.is_same_category(rule.get("category_level"), later, before)
        similarity = alike(self.said(rule, later), self.said(rule, before))
        is_alike = similarity is not None and similarity >= exact(rule["min_similarity"])
        is_same = {
            "category": is_same_category,
            "text": is_alike,
            "category_or_text": is_same_category or is_alike,
            "category_and_text": is_same_category and is_alike,
        }[rule["matter"]]
        basis = [name for name, held in (("category", is_same_category), ("text", is_alike), (place, place)) if held]
        return Repeat(earlier, similarity, "+".join(basis)) if is_same else None

    def is_same_category(self, level: int | None, later: dict, before: dict) -> bool:
        """Whether both agree down to a level; without one the code itself."""
        one, other = later["category_code"], before["category_code"]
        if one is None or other is None:
            return False
        if level is None:
            return one == other
        return self.category_path(one)[:level] == self.category_path(other)[:level]

    def place(self, rule: dict, later: dict, before: dict) -> tuple[bool | None, str | None]:
        """Whether the places agree, null where not both tell one, and by what: the finest that both tell decides.

        Addresses that differ decide nothing.
        """
        addresses = [letters(even(record["address"] or "")) for record in (later, before)]
        if addresses[0] and addresses[0] == addresses[1]:
            return True, "address"
        positions = [position(record) for record in (later, before)]
        if "within_metres" in rule and None not in positions:
            is_near = metres(*positions) <= rule["within_metres"]
            return is_near, "coordinates" if is_near else None
        level = LEVELS.index(rule.get("area_level", "town")) + 1
        one, other = (
            [code for code in self.area_path(record["area_code"])[:level] if code] if record["area_code"] else []
            for record in (later, before)
        )
        if not one or not other:
            return None, None
        shared = min(len(one), len(other))  # who tells only a district agrees with all of its towns
        is_same = one[:shared] == other[:shared]
        return is_same, "area" if is_same else None

    @staticmethod
    def said(rule: dict, record: dict) -> frozenset[str]:
        """The characters of title and content, each once, without masked numbers and without words of the trade."""
        text = even(" ".join(part for part in (record["title"], record["content"]) if part is not None))
        text = re.sub(r"[0-9a-z]*\*[0-9a-z*]*", "", text)
        words = sorted(map(str, rule.get("filler_words", ())), key=len, reverse=True)
        if words:
            text = re.sub("|".join(map(re.escape, words)), "", text)
        return frozenset(letters(text)[:HEAD])


def alike(one: frozenset[str], other: frozenset[str]) -> Decimal | None:
    """How alike two texts are, to three decimals; null where one of them says nothing."""
    return half_up(Fraction(2 * len(one & other), len(one) + len(other)), 3) if one and other else None


def even(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


def letters(text: str) -> str:
    return "".join(sign for sign in text if re.match(r"[0-9a-z\u3400-\u4dbf\u4e00-\u9fff]", sign))


def position(record: dict) -> tuple[Decimal, Decimal] | None:
    """Longitude and latitude; none where they are nowhere on the earth, or both were rounded to whole degrees."""
    longitude, latitude = record["longitude"], record["latitude"]
    if longitude is None or latitude is None or abs(longitude) > 180 or abs(latitude) > 90:
        return None
    return None if longitude == round(longitude) and latitude == round(latitude) else (longitude, latitude)


def metres(one: tuple, other: tuple) -> float:
    """Of a plane that touches the earth: two places of a city are near enough."""
    east = radians(float(one[0] - other[0])) * cos(radians(float(one[1])))
    return EARTH * hypot(east, radians(float(one[1] - other[1])))


def _paths(rows: dict[str, dict], kind: str, level: Callable[[dict], int]) -> Callable[[str], list[str | None]]:
    """The codes above a code by level, the highest first; one that the register lacks stands for itself."""

    def path(code: str) -> list[str | None]:
        if code not in rows:
            return [code]
        found: list[str | None] = [None] * 5
        while code:
            found[level(rows[code]) - 1] = code
            code = rows[code][f"parent_{kind}_code"]
        return found

    return path
