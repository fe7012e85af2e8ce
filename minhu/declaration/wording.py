"""What a model finds wrong with a value, in English and Chinese: one line for each kind of finding of pydantic."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

from minhu.declaration.slips import Wrong, nearest

_TYPES = {
    "string": ("a text", "文字"),
    "int": ("a whole number", "整数"),
    "float": ("a number", "数"),
    "decimal": ("a number", "数"),
    "bool": ("true or false", "true 或 false"),
    "date": ("a date such as 2026-10-01", "日期，如 2026-10-01"),
    "list": ("a list, one `- ` for each item", "列表，每项以“- ”开头"),
    "tuple": ("a list, one `- ` for each item", "列表，每项以“- ”开头"),
    "dict": ("keys and values", "“键: 值”"),
    "model": ("keys and values", "“键: 值”"),
    "mapping": ("keys and values", "“键: 值”"),
}
_KINDS = {  # a value itself is not shown: it may be a password in the wrong place
    str: ("a text", "文字"),
    int: ("a whole number", "整数"),
    float: ("a number", "数"),
    bool: ("true or false", "是非"),
    list: ("a list", "列表"),
    dict: ("keys and values", "“键: 值”"),
    type(None): ("nothing", "空"),
    date: ("a date", "日期"),
    datetime: ("a time", "时间"),
}
_BOUNDS = {
    "greater_than": ("greater than {gt}", "大于 {gt}"),
    "greater_than_equal": ("at least {ge}", "不小于 {ge}"),
    "less_than": ("less than {lt}", "小于 {lt}"),
    "less_than_equal": ("at most {le}", "不大于 {le}"),
    "string_too_short": ("of at least {min_length} characters", "不少于 {min_length} 个字"),
    "string_too_long": ("of at most {max_length} characters", "不多于 {max_length} 个字"),
    "too_short": ("of at least {min_length} items", "不少于 {min_length} 项"),
    "too_long": ("of at most {max_length} items", "不多于 {max_length} 项"),
    "string_pattern_mismatch": ("written as {pattern}", "符合写法 {pattern}"),
    "decimal_max_places": ("of at most {decimal_places} decimals", "不多于 {decimal_places} 位小数"),
    "decimal_max_digits": ("of at most {max_digits} digits", "不多于 {max_digits} 位数字"),
}


_ABOVE = "可用的见上行"


def worded(kind: str, message: str, context: Mapping, given: object) -> tuple[str, str]:
    """One finding: pydantic's kind, message and context, and the value it is about."""
    if isinstance(wrong := context.get("error"), Wrong):
        return wrong.en, wrong.zh
    if kind in ("literal_error", "union_tag_invalid", "enum"):
        return unknown_word(given, words_of(str(context.get("expected") or context.get("expected_tags"))))
    if kind in ("missing", "union_tag_not_found"):
        return "missing; it is required", "缺这个键，必填"
    if kind in _BOUNDS:
        bounds = {name: f"{bound:g}" if isinstance(bound, float) else bound for name, bound in context.items()}
        en, zh = (words.format_map(bounds) for words in _BOUNDS[kind])
        number = isinstance(given, int | float | Decimal) and not isinstance(given, bool)
        return (f"must be {en}, is {given}", f"应{zh}，现为 {given}") if number else (f"must be {en}", f"应{zh}")
    if (name := re.split(r"_(?:type|parsing|from|attributes)", kind)[0]) in _TYPES:
        en, zh = _TYPES[name]
        is_en, is_zh = _KINDS.get(type(given), ("something else", "别的"))
        return f"must be {en}, is {is_en}", f"应是{zh}，现为{is_zh}"
    said = message.removeprefix("Value error, ")
    return said, f"这里的值不行：{said}"


def unknown_word(given: object, known: Sequence[str]) -> tuple[str, str]:
    """A value that is none of a few."""
    near = next(iter(nearest(str(given), known, cutoff=0.4)), None)
    en, zh = (f"; {near}?", f"；是 {near} 吗？") if near else (".", "。")
    shown = given if isinstance(given, str | int | float) else "this"
    return f"{shown} is no value of this key{en} It may be: {', '.join(known)}", f"这个键没有这个值{zh}{_ABOVE}"


def unknown_key(key: str, near: str | None, allowed: Sequence[str]) -> tuple[str, str]:
    """A key that its place does not have."""
    en, zh = (f"; {key} → {near}?", f"：{key} → {near}？") if near else (".", "。")
    return f"no such key here{en} Allowed: {', '.join(allowed)}", f"这里没有这个键{zh}{_ABOVE}"


def words_of(expected: str) -> list[str]:
    """The words of pydantic's list ``'a', 'b' or 'c'``."""
    return [quoted or bare for quoted, bare in re.findall(r"'([^']*)'|\b(?!or\b)([\w.-]+)", expected)]
