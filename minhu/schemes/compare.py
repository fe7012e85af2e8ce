"""Two versions of a scheme compared in words, for those who must agree to a change."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import chain
from typing import TypeVar

from minhu.declaration import Declared
from minhu.glossary.cases import ANSWER, DISPATCH_SOURCE, LIMIT_KIND, REQUEST_TYPE, URGENCY
from minhu.glossary.columns import COLUMN
from minhu.glossary.law import (
    AGGREGATE,
    CHOICE,
    COMBINED,
    COMPARISON,
    DENOMINATOR,
    LIMIT_START,
    LIMIT_UNIT,
    PERIOD,
    REFERENCE,
    SCHEME_FIELD,
    SCORING,
    STANDING,
    STARTS,
    TIES,
    WHEN_EMPTY,
)
from minhu.schemes.language.functions import said
from minhu.schemes.language.indicator import Line
from minhu.schemes.language.values import Entries, Entry, written
from minhu.schemes.scheme import PeerGroup, Scheme

MOMENTS = ("received_at", "dispatched_at", "due_at", "closed_at", "called_at", "occurred_at")
CHOSEN = (
    *(AGGREGATE, ANSWER, CHOICE, DENOMINATOR, DISPATCH_SOURCE, LIMIT_KIND, LIMIT_START, LIMIT_UNIT, PERIOD),
    *(REQUEST_TYPE, SCORING, STANDING, REFERENCE, COMBINED, STARTS),
)
WORDS: dict[object, str] = {
    **{code: kind.zh(code) for kind in (*CHOSEN, URGENCY, WHEN_EMPTY) for code in kind},
    **{code: COLUMN.zh(code) for code in MOMENTS},
    True: "是",
    False: "否",
}
"""What a scheme's values are called, whatever they are values of."""
OWN_WORDS = {"ties": TIES, "told": COMPARISON}
"""Of these a code means something else than elsewhere."""

Part = TypeVar("Part", PeerGroup, Line)


@dataclass(frozen=True)
class Change:
    """One difference. ``where`` is what it is about; ``was`` or ``now`` is null where there is nothing on that side."""

    where: str
    what: str
    was: str | None
    now: str | None

    @property
    def text(self) -> str:
        if self.was is None:
            return f"{self.where}：新增{self.what}（{self.now}）" if self.now else f"{self.where}：新增{self.what}"
        if self.now is None:
            return f"{self.where}：取消{self.what}（{self.was}）" if self.was else f"{self.where}：取消{self.what}"
        return f"{self.where}：{self.what}由 {self.was} 改为 {self.now}"


def compare(old: Scheme, new: Scheme) -> list[Change]:
    """What differs from ``old`` to ``new``, in the order of the file."""
    groups = {group.code: group.name_zh for group in (*old.peer_groups, *new.peer_groups)}
    return [
        *_fields("办法", old, new, groups, leave=("scheme_id", "peer_groups", "indicators")),
        *_listed("同类组", old.peer_groups, new.peer_groups, groups, lambda group: f"{said(group.points)} 分"),
        *_listed("指标", old.lines, new.lines, groups, lambda one: _value("points", one.points, groups)),
    ]


def _listed(
    what: str,
    old: tuple[Part, ...],
    new: tuple[Part, ...],
    groups: dict[str, str],
    summary: Callable[[Part], str | None],
) -> list[Change]:
    before, after = ({one.code: one for one in many} for many in (old, new))
    changes = []
    for code in dict.fromkeys(chain(before, after)):
        was, now = before.get(code), after.get(code)
        where = f"{what}“{next(part.name_zh for part in (now, was) if part)}”"
        if was is None or now is None:
            changes.append(Change(where, what, summary(was) if was else None, summary(now) if now else None))
        else:
            changes += _fields(where, was, now, groups, leave=("code", "scoring", "parts"))
            if isinstance(was, Line) and isinstance(now, Line):
                changes += _scoring(where, was, now, groups)
    return changes + _order(what, before, after)


def _order(what: str, before: dict, after: dict) -> list[Change]:
    """Whether what stayed stands in another order."""
    was, now = ([code for code in before if code in after], [code for code in after if code in before])
    if was == now:
        return []
    stood, stand = ("、".join(of[code].name_zh for code in codes) for of, codes in ((before, was), (after, now)))
    return [Change(what, "顺序", stood, stand)]


def _scoring(where: str, old: Line, new: Line, groups: dict[str, str]) -> list[Change]:
    if old.scoring.function == new.scoring.function:
        return _fields(where, old.scoring, new.scoring, groups)
    told = (SCORING.zh(scoring.function) for scoring in (old.scoring, new.scoring))
    return [Change(where, SCHEME_FIELD.zh("scoring"), *told)]


def _fields(
    where: str, old: Declared, new: Declared, groups: dict[str, str], leave: tuple[str, ...] = ()
) -> list[Change]:
    changes = []
    for name in type(new).model_fields:
        was, now = getattr(old, name, None), getattr(new, name)
        if name in leave or was == now:
            continue
        pair = (_value(name, was, groups), _value(name, now, groups))
        changes.append(Change(where, SCHEME_FIELD.said(name), *pair))
    return changes


def _value(name: str, value: object, groups: dict[str, str]) -> str | None:
    """A value as people say it."""
    match value:
        case None | ():
            return None
        case tuple() if name == "peer_groups":
            return "、".join(groups[code] for code in value)
        case tuple() if isinstance(value[0], Entry):
            return _parameter(value, groups)
        case tuple():
            return "；".join(str(_value(name, one, groups)) for one in value)
        case str() if name in OWN_WORDS:
            return OWN_WORDS[name].zh(value)
        case bool() | str():
            return WORDS.get(value, str(value))
        case dict():
            return "，".join(f"{WORDS.get(key, key)} {_value(key, one, groups)}" for key, one in value.items()) or "无"
        case Declared():
            told = ((SCHEME_FIELD.said(key), _value(key, one, groups)) for key, one in value)
            return "，".join(f"{key} {one}" for key, one in told if one is not None)
        case Decimal():
            return said(value)
        case Fraction():
            return written(value)
    return str(value)


def _parameter(entries: Entries, groups: dict[str, str]) -> str:
    told = []
    for entry in entries:
        whom = "、".join(groups[code] for code in entry.peer_groups or ())
        since = f"{entry.since} 起" if entry.since else ""
        told.append(" ".join(part for part in (whom, since, said(entry.value)) if part))
    return "；".join(told)
