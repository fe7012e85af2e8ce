"""Whether a declared format of times can be read by at all. What cannot is refused, with the nearest right spelling.

Declarations are read whenever Airflow parses its DAGs, so no reader is imported here; `minhu feeds check` also tries
each format on a moment (`unread_moment`).
"""

import re
from datetime import UTC, datetime

from minhu.declaration.slips import Wrong

WORDS = ("iso", "cn", "excel", "epoch_s", "epoch_ms")
_LETTERS = {  # of patterns as Java, Excel and databases write them; the longest first
    "yyyy": "%Y",
    "YYYY": "%Y",
    "yy": "%y",
    "MMM": "%b",
    "MM": "%m",
    "M": "%m",
    "dd": "%d",
    "DD": "%d",
    "d": "%d",
    "HH24": "%H",
    "HH": "%H",
    "H": "%H",
    "hh": "%I",
    "h": "%I",
    "MI": "%M",
    "mm": "%M",
    "m": "%M",
    "ss": "%S",
    "SSS": "%3f",
    "SS": "%S",
    "s": "%S",
    "a": "%p",
    "T": "T",
}
_FOREIGN = re.compile("|".join(sorted(_LETTERS, key=len, reverse=True)))
_DIRECTIVE = re.compile(r"%(?:[-_0]?[A-Za-z]|[369]?f|\.[369]?f|:+z|%|)")
_KNOWN = frozenset("YCyqmbBhdeaAwuUWGgVjDxFvHkIlPpMSfRTXrZzcs+tn")
_WHOLE_DAY = frozenset("DxFvcs+")
_YEAR, _DAY_OF_YEAR = frozenset("YyGC"), frozenset("jUWV")
_TIME = frozenset("RTXrcs+")
TRIED = datetime(2026, 10, 21, 15, 4, 5, tzinfo=UTC)
"""A moment of which no two parts are alike."""


def right_format(written: str) -> str:
    """``written``, where it can be read by. Raises Wrong with the nearest right spelling."""
    if written in WORDS:
        return written
    if why := _why_not(written):
        en, zh = why
        near = _nearest(written)
        raise Wrong(
            f"{written!r} reads no time: {en}"
            + (f"; {written} → {near}?" if near else f"; or one of {', '.join(WORDS)}"),
            f"时间格式 {written} 读不出时间：{zh}"
            + (f"：{written} → {near}？" if near else f"；或用 {'、'.join(WORDS)}"),
        )
    return written


def right_formats(written: tuple[str, ...]) -> tuple[str, ...]:
    for one in written:
        right_format(one)
    return written


def _marks(written: str) -> list[str]:
    """The letters of the directives, without what pads them."""
    found = _DIRECTIVE.findall(written)
    return [one[-1] if len(one) > 1 else "" for one in found if one != "%%"]


def _why_not(written: str) -> tuple[str, str] | None:
    """What keeps a pattern from reading a time; None where nothing does."""
    marks = _marks(written)
    has = set(marks)
    if not marks:
        return "it holds no % directive such as %Y-%m-%d", "没有 % 开头的写法，如 %Y-%m-%d"
    if unknown := [mark for mark in marks if mark not in _KNOWN]:
        return f"there is no directive %{unknown[0]}", f"没有 %{unknown[0]} 这种写法"
    if not has & _WHOLE_DAY and not (has & _YEAR and has & {*"mbBh", *_DAY_OF_YEAR}):
        return "it tells no year and month", "没有年和月"
    if "%S.%f" in written or "%f" in re.sub(r"%\.f", "", written):
        return "%f counts billionths of a second; a fraction is %.f", "%f 是十亿分之一秒；小数秒写 %.f"
    if "%:" in written:
        return "a zone is %z, with or without its colon", "时区写 %z，有无冒号都能读"
    if re.search(r"%(?:[STX])Z", written):
        return "a literal Z would be read as the feed's own time", "字面的 Z 会被当作本地时间"
    return _clock_lacks(has)


def _clock_lacks(has: set[str]) -> tuple[str, str] | None:
    twelve, half = bool(has & {*"Il"}), bool(has & {*"pP"})
    if twelve and not half:
        return "twelve hours (%I) need %p for morning or afternoon", "12 小时制（%I）要有上下午（%p）"
    if half and not twelve:
        return "%p goes with twelve hours, %I", "%p 只与 12 小时制（%I）合用"
    if bool(has & {*"HkIl"}) != ("M" in has) and not has & _TIME:
        return "an hour goes with minutes", "时和分要写全"
    if "Z" in has:
        return (
            "%Z reads any word and no zone; leave it out, a zone named behind a time is read",
            "%Z 认不出时区；去掉即可",
        )
    return None


def _nearest(written: str) -> str | None:
    """The pattern that was likely meant, if one is near that can be read by."""
    for mended in _mended(written):
        if mended in WORDS or _why_not(mended) is None:
            return mended
    return None


def _mended(written: str) -> list[str]:
    """Likely meanings, the likeliest first."""
    if "%" not in written:
        folded = written.strip().lower().replace("-", "_")
        word = {"iso8601": "iso", "iso_8601": "iso", "epoch": "epoch_s", "unix": "epoch_s", "timestamp": "epoch_s"}
        letters = re.sub(r"'([^']*)'", r"\1", written)
        return [word.get(folded, folded), _FOREIGN.sub(lambda found: _LETTERS[found[0]], letters)]
    return [
        re.sub(r"\.%f|%f", "%.f", written),
        "iso" if re.search(r"T%.*Z$", written) else written.removesuffix("Z"),
        re.sub(r"%:+z", "%z", written),
        re.sub(r"\s*%Z", "", written),
        re.sub(r"(%-?[HIkl])(?!.*%M)", r"\1:%M", written),
        re.sub(r"%([Il])", lambda found: {"I": "%H", "l": "%k"}[found[1]], written) if "%p" not in written else written,
        re.sub(r"%([Hk])", lambda found: {"H": "%I", "k": "%l"}[found[1]], written),
        f"%Y-%m-%d {written}",
        f"%Y-%m-%d {written} %p",
    ]


def unread_moment(written: str) -> str | None:
    """A moment as ``written`` writes it that ``written`` does not read back; None where it does, or nobody can tell."""
    import polars as pl

    from minhu.feeds import times

    if written in WORDS or any(mark in "CqgvV+sn" for mark in _marks(written)):
        return None
    whole = re.sub(r"%(\.?)([369]?)f", lambda found: found[1] + "0" * int(found[2] or 6), written)
    text = TRIED.strftime(re.sub(r"%[-_0](?=[A-Za-z])", "%", whole))
    read = pl.DataFrame({"text": [text]}).select(times.timestamp(pl.col("text"), (written,), "UTC")).item()
    return text if read is None else None
