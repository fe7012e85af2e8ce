"""Drafts a declaration from a sample file of unknown origin, with a comment on everything that should be checked.

Nobody's value gets into a draft: it holds names of columns and words of code columns.
"""

import json
import re
from pathlib import Path

from pydantic import TypeAdapter

from minhu.declaration.writing import flow, quoted
from minhu.errors import BadDelivery
from minhu.feeds.canonical import LAYOUTS, SATISFACTION_SCALES
from minhu.feeds.days import default_day
from minhu.feeds.detect import detect_format, shape
from minhu.feeds.feed import Delivery
from minhu.feeds.formats import Format
from minhu.feeds.formats.common import MARKS
from minhu.feeds.formats.read import read
from minhu.feeds.guess import Guess, guess
from minhu.feeds.headers import is_name
from minhu.feeds.names import lexicon
from minhu.glossary.delivered import FEED_ROLE, RECORD

_DELIVERY = {"case": "cases", "event": "events", "callback": "callbacks"}


def draft(file: Path, code: str, config: Path | None = None) -> str:
    """The YAML of a feed ``code`` that loads ``file``, for ``config/feeds/<code>.yml``, with its guesses marked.

    ``config``: the city's folder, whose layouts are learned from. Raises BadDelivery when the file cannot be read or
    has no header.
    """
    format = detect_format(file)
    rows = read(file, TypeAdapter(Format).validate_python(format))
    names = [name for name in rows.columns if name not in MARKS]
    if not all(map(is_name, names)):
        raise BadDelivery("BAD_HEADER", f"{file.name}: {_no_header(format, names)}")
    return _write(code, file.name, format, guess(rows.select(names), lexicon(config)), rows.height)


def _no_header(format: dict, names: list[str]) -> str:
    """Why names of columns are none, with the shapes of those that are values: the rest may be somebody's too."""
    wrong = [shape(name) or "(blank)" for name in names if not is_name(name)][:3]
    if format["type"] not in ("csv", "xlsx"):
        return f"the records' keys are values, not names ({', '.join(wrong)}); ask the sender for named fields"
    line = f"line {format['skip_rows'] + 1}" if "skip_rows" in format else "the first line"
    return f"{line} is not a header of column names, it holds values ({', '.join(wrong)}); add one"


def _write(code: str, file: str, format: dict, found: Guess, rows: int) -> str:
    """The declaration's text. ``file``: the sample's name; its date gives the pattern of later files."""
    lines = [
        f"# 由样本 {_pattern(file)}（{rows} 行）起草。标有“核对”之处都是猜测，改好后先运行 minhu feeds preview。",
        f"code: {code}",
        f"name: {code} # 核对：热线名称",
        'owner: "" # 核对：主管单位',
        f"role: hotline # {'；'.join(f'{code} {word.zh}' for code, word in FEED_ROLE.items())}",
        "group: hotline # 核对：national、utility、platform、district、response",
        'schedule: "0 2 * * *" # 核对：每天几点取数',
        "deliveries:",
        f"  - name: {_DELIVERY[found.kind]}",
        f"    kind: {found.kind} # 核对：看起来是{RECORD.zh(found.kind)}",
        f"    mode: {'append' if found.kind == 'event' else 'upsert'}",
        f"    source: {{type: drop_folder, path: {quoted(f'{code}/{_pattern(file)}')}}} # 核对：来件放在哪里",
        f"    format: {flow(format)}{' # 核对：表头前有几行标题' if 'skip_rows' in format else ''}",
        *_formats(found),
        *([f"    nulls: {_list(found.nulls)}"] if found.nulls else []),
        "    columns:",
        *_columns(found),
        *_milestones(found),
        *_listed("private", found.private, "核对：含姓名、电话、证件号的列，不出装载器"),
        *_listed("known_columns", found.known, "核对：没认出用途的列，原样保留"),
        "    max_rejected_pct: 2",
    ]
    return "\n".join(lines) + "\n"


def _pattern(file: str) -> str:
    """The file's name with {date} for its date; what else in it is a long number gets a star."""
    dated = re.sub(r"(?<!\d)20\d{2}[-_.]?\d{2}[-_.]?\d{2}(?!\d)", "{date}", file, count=1)
    dated = re.sub(r"\d{7,}", "*", dated)
    if "{date}" in dated:
        return dated
    found = re.search(r"(?:\.\w+)?\.gz$|\.\w+$", dated)
    suffixes = found[0] if found else ""
    return f"{dated.removesuffix(suffixes)}_{{date}}{suffixes}"


def _formats(found: Guess) -> list[str]:
    used = tuple(dict.fromkeys(one for formats in found.formats.values() for one in formats))
    if set(used) <= set(Delivery.model_fields["formats"].default):
        return []
    odd = {"%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p"}
    comment = " # 核对：月在前还是日在前" if odd & set(used) else " # 核对：时间的写法"
    return [f"    formats: {_list(used)}{comment}"]


def _columns(found: Guess) -> list[str]:
    lines = []
    for column in LAYOUTS[found.kind]:
        if column.name == "satisfaction_scale" and "satisfaction_code" in found.columns:
            lines.append(f"      satisfaction_scale: {{value: {_scale(found)}}} # 核对：几级评价")
        elif column.name not in found.columns:
            lines += [f"      # {column.name}: 核对：必填，没有找到对应的列"] if column.is_required else []
        else:
            lines += _column(column.name, found)
    return lines


def _column(name: str, found: Guess) -> list[str]:
    source = quoted(found.columns[name])
    words = found.maps.get(name)
    if found.columns[name] in found.days:
        return [f"      {name}: {_of_day(name, None, source)} # 核对：只有日期，{_DAY[default_day(name, None)]}"]
    if not words:
        return [f"      {name}: {source}"]
    lines = [f"      {name}:", f"        from: {source}"]
    mapped = [f"          {quoted(word)}: {quoted(code)}" for word, code in words.items() if code]
    blank = [f"          # {quoted(word)}: 核对：对应哪个代码" for word, code in words.items() if not code]
    return [*lines, *(["        map:"] if mapped else []), *mapped, *blank]


def _scale(found: Guess) -> str:
    codes = {code for code in found.maps.get("satisfaction_code", {}).values() if code}
    return "four" if "neutral" in codes and codes <= {*SATISFACTION_SCALES["four"], "unrated"} else "five"


def _milestones(found: Guess) -> list[str]:
    if not found.milestones:
        return []
    lines = ["    milestones: # 核对：一行工单上带着的办理环节"]
    for event_type, columns in found.milestones.items():
        given = ", ".join(
            f"{name}: {_of_day(name, event_type, quoted(source)) if source in found.days else quoted(source)}"
            for name, source in columns.items()
        )
        meant = {_DAY[default_day(name, event_type)] for name, source in columns.items() if source in found.days}
        comment = f" # 核对：只有日期，{'，'.join(sorted(meant))}" if meant else ""
        lines += [f"      - event_type: {event_type}", f"        columns: {{{given}}}{comment}"]
    return lines


_DAY = {"start": "按当日零时计", "end": "按当日最后一秒计", "over": "按当日24时计"}


def _of_day(name: str, event_type: str | None, source: str) -> str:
    meant = "start" if default_day(name, event_type) == "start" else "end"
    return f"{{from: {source}, day: {meant}}}"


def _listed(key: str, names: list[str], comment: str) -> list[str]:
    return [f"    {key}: # {comment}", *(f"      - {quoted(name)}" for name in names)] if names else []


def _list(items: tuple[str, ...]) -> str:
    return f"[{', '.join(json.dumps(item, ensure_ascii=False) for item in items)}]"
