"""A preview as text for a terminal, in Chinese."""

from io import StringIO

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table

from minhu.feeds import door
from minhu.feeds.contract import Drift
from minhu.glossary.delivered import DOOR_REASON, MAPPED_AS, NOTE_EFFECT, PREVIEW
from minhu.load.preview import Preview


def render(preview: Preview) -> str:
    """What would become of the file, the verdict first, then what to mend, then the mapping."""
    parts: list[RenderableType] = [
        f"{preview.feed}/{preview.delivery}  {preview.file}",
        f"结论：{PREVIEW.zh(preview.verdict)}",
        *(f"  {_told(reason)}" for reason in preview.reasons),
        f"识别：{_format(preview.detected)}    声明：{_format(preview.declared)}",
        f"共 {preview.rows} 行：入库 {preview.staged}，重复 {preview.duplicates}，拒收 {_sum(preview.rejected)}"
        + (f"，不取 {preview.filtered}" if preview.filtered else ""),
        *_rejected(preview),
        *_drift(preview.drift),
        *_unknown("未识别的单位（补别名到 units.csv 后重新构建即可）", preview.unknown_units),
        *_unknown("未登记的分类（补到 categories.csv）", preview.unknown_categories),
    ]
    if preview.columns:
        parts += ["", "对照：", _mapping(preview)]
    return _text(*parts)


def _text(*parts: RenderableType) -> str:
    out = StringIO()
    console = Console(file=out, width=118, color_system=None, emoji=False, markup=False, highlight=False)
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, str))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _told(reason: str) -> str:
    code, colon, rest = reason.partition(": ")
    return f"{DOOR_REASON.said(code)}（{code}）{'：' if colon else ''}{rest}"


def _format(given: dict) -> str:
    rest = " ".join(f"{key}={value!r}" for key, value in given.items() if key != "type")
    return f"{given['type']} {rest}".strip()


def _sum(rows: tuple[dict, ...]) -> int:
    return sum(row["rows"] for row in rows)


def _rejected(preview: Preview) -> list[str]:
    lines = []
    for row in preview.rejected:
        first = "、".join(map(str, row["first_rows"]))
        lines.append(f"  拒收 {row['rows']} 行：{row['column']} {DOOR_REASON.zh(row['reason_code'])}，数据行 {first}")
    for note in preview.notes:
        what, effect = DOOR_REASON.said(note["code"]), NOTE_EFFECT.zh(door.EFFECTS.get(note["code"], "taken"))
        lines.append(f"  提示 {note['rows']} 行：{_where(note)} {what}；{effect}")
    return lines


def _where(note: dict) -> str:
    return " = ".join(filter(None, (note.get("column"), note.get("word"))))


def _drift(found: Drift | None) -> list[str]:
    if found is None or found.is_none:
        return ["与约定相比：没有变化"] if found else []
    lines = ["与约定相比："]
    lines += [f"  疑似改名：{row['was']} → {row['now']}（相似度 {row['similarity']:.0%}）" for row in found.renamed]
    lines += [f"  缺少列：{name}" for name in found.missing_columns]
    lines += [f"  新列：{name}" for name in found.new_columns]
    lines += [f"  新代码：{row['column']} = {row['word']}，{row['rows']} 行" for row in found.unknown_codes]
    lines += [f"  时间写法读不出：{row['column']} 形如 {row['shape']}，{row['rows']} 行" for row in found.unread_times]
    lines += [f"  空值：{row['column']} {row['blank_pct']:g}%" for row in found.blank_columns]
    return lines


def _unknown(title: str, rows: tuple[dict, ...], most: int = 15) -> list[str]:
    if not rows:
        return []
    lines = [f"{title}："]
    for row in rows[:most]:
        close = f"，相近：{'、'.join(row['nearest'])}" if row["nearest"] else ""
        lines.append(f"  {row['name']}，{row['rows']} 行{close}")
    return [*lines, *([f"  其余 {len(rows) - most} 个未列出"] if len(rows) > most else [])]


def _mapping(preview: Preview) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("来件列", "本库列", "类型", "说明", "样例（隐私已遮盖：9 数字 A 字母 字 汉字）"):
        table.add_column(title, overflow="fold")
    for row in preview.columns:
        samples = "  ".join(row["samples"])
        note = MAPPED_AS.zh(row["note"]) if row["note"] else ""
        table.add_row(row["source"], row["canonical"] or "", row["type"] or "", note, samples)
    return table
