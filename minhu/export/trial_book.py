"""The workbook of a trial (试算): points as formulas over the counts and the terms in force, beside what the engine
reckoned, and where the two differ.

A spreadsheet reckons in floating point, the engine in fractions: what is published is always the engine's. Text that
somebody gave is text and never a formula.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from fractions import Fraction
from io import BytesIO

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_rowcol_to_cell
from xlsxwriter.worksheet import Worksheet

from minhu.export.book import FONTS, FORMATS, ROW, wide_enough
from minhu.export.formula import Formula, least, most, number, rounded
from minhu.export.rule_formula import points, terms_of
from minhu.glossary.law import NOT_RANKED, SCHEME_FIELD, WHEN_EMPTY
from minhu.schemes.arithmetic import SUM_DECIMALS
from minhu.schemes.language.count import PLAIN, QUANTILES
from minhu.schemes.language.functions import Event
from minhu.schemes.language.indicator import Line
from minhu.schemes.lines import ScoredIndicator
from minhu.schemes.period import Period
from minhu.schemes.scheme import Scheme
from minhu.schemes.trial import Trial, TriedUnit
from minhu.schemes.words import scoring_rule

FULL, POINTS, LINE, BY = SCHEME_FIELD.zh("points"), "得分（公式）", "目标或线", "每点（件）分"
TERMS = {"line": LINE, "by": BY} | {one: SCHEME_FIELD.zh(one) for one in ("points", "size", "free", "floor", "cap")}
"""What the numbers of a rule are called."""
TITLES = (
    *("单位", "同类组", "周期", "指标", "代码", "归类", "分子", "分母", "指标值", FULL, LINE, BY),
    *(TERMS[one] for one in ("size", "free", "floor", "cap")),
    *(POINTS, "系统得分", "差", "计分方式", "说明"),
)
AT = {name: column for column, name in enumerate(TITLES)}
WIDTHS = (20, 10, 10, 22, 20, 8, 9, 9, 10, 8, 9, 9, 7, 7, 7, 7, 11, 11, 8, 46, 34)
SUMS = (
    *("单位", "同类组", "周期", "基本分", "适用分值", "全部分值", "加减分", "合计（公式）", "系统合计", "合计差"),
    *("百分制（公式）", "系统百分制", "百分制差", "折合（公式）", "系统折合", "折合差", "档次", "名次", "说明"),
)
SUM_WIDTHS = (20, 10, 10, *[10] * 13, 8, 7, 40)
BASE, CHANGE, APART = "基本分", "加减分", "不适用"
"""Whether a row's points are earned of the scheme's, come on top of them, or do not count for the unit."""
ROWS_SHEET, SUMS_SHEET, NOTES_SHEET = "计分", "合计", "说明"
NOTES = (
    "公布和考核一律以系统得分为准。系统按分数精确计算，只在规定处取整一次；电子表格用浮点数，可能在最后一位上不同。",
    "“差”不为 0 的，公式与系统不一致，已标红：多为恰好在取整的界线上。请以系统得分为准。",
    "没有公式的得分直接写系统的结果，原因见“说明”一栏：合并计分的部分、与同组或往期比较的、否决与封顶。",
    "改动分子、分母或参数，公式随之变化；“系统得分”不变，它是试算那一刻的结果。名次、档次也是。",
    "按名次、按权重等其他算法见办法的文字（计分方式一栏）。先相加再取整的办法，各项得分不取整。",
)


@dataclass(frozen=True)
class _Row:
    """``points``: those that its cell shows."""

    kind: str
    points: float
    full: float


@dataclass(frozen=True)
class _Block:
    """The rows of a unit on the sheet of rows, from row ``first`` on, counted from 0."""

    tried: TriedUnit
    first: int
    rows: Sequence[_Row]

    def sum_of(self, title: str, kind: str) -> Formula:
        """The sum of a column, points or full points, over the unit's rows of a kind."""
        total = sum(row.full if title == FULL else row.points for row in self.rows if row.kind == kind)
        return Formula(f'SUMIFS({self._column(title)},{self._column("归类")},"{kind}")', float(total))

    def _column(self, title: str) -> str:
        ends = (xl_rowcol_to_cell(row, AT[title], True, True) for row in (self.first, self.first + len(self.rows) - 1))
        return f"{ROWS_SHEET}!{':'.join(ends)}"


def as_workbook(trial: Trial) -> bytes:
    """The workbook. The same trial gives the same bytes."""
    out = BytesIO()
    book = _Book(trial, out)
    sums, rows = book.sheet(SUMS_SHEET, SUMS, SUM_WIDTHS, 3), book.sheet(ROWS_SHEET, TITLES, WIDTHS, 4)
    blocks, at = [], 1
    for tried in trial.units:
        parts = enumerate(tried.scored.indicators, start=at)
        blocks.append(_Block(tried, at, [book.row(rows, row, tried, part) for row, part in parts]))
        at += len(tried.scored.indicators)
    for row, block in enumerate(blocks, start=1):
        book.sum(sums, row, block)
    book.mark(rows, at - 1, ("差",), TITLES)
    book.mark(sums, len(blocks), ("合计差", "百分制差", "折合差"), SUMS)
    book.notes()
    book.close()
    return out.getvalue()


class _Book:
    """The workbook as it is written. Everything that was given goes through ``text`` or ``number``."""

    def __init__(self, trial: Trial, out: BytesIO):
        self.trial, self.scheme = trial, trial.scheme
        self.book = Workbook(out, {"in_memory": True, "default_format_properties": dict(FONTS)})
        created = datetime.combine(self.scheme.valid_from, time())
        name = f"{self.scheme.title} 试算"
        self.book.set_properties({"title": name, "author": "minhu", "created": created})
        self.made: dict[str, Format] = {}

    def look(self, name: str) -> Format:
        if name not in self.made:
            self.made[name] = self.book.add_format(dict(FONTS) | FORMATS[name])
        return self.made[name]

    def sheet(self, name: str, titles: Sequence[str], widths: Sequence[float], frozen: int) -> Worksheet:
        sheet = self.book.add_worksheet(name)
        for column, (title, width) in enumerate(zip(titles, widths, strict=True)):
            wanted = [one.scored.unit for one in self.trial.units] if title == "单位" else []
            sheet.set_column(column, column, wide_enough(wanted, width))
            sheet.write_string(0, column, title, self.look("head"))
        sheet.set_row(0, 2 * ROW)
        sheet.freeze_panes(1, frozen)
        sheet.set_landscape()
        sheet.set_paper(8)
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(0)
        return sheet

    def text(self, sheet: Worksheet, row: int, column: int, text: str | None, look: str = "bare") -> None:
        sheet.write_string(row, column, text or "", self.look(look))

    def number(
        self, sheet: Worksheet, row: int, column: int, value: Decimal | None, look: str = "plain"
    ) -> Formula | None:
        """Writes a number that is given, and returns its cell."""
        if value is None:
            sheet.write_blank(row, column, None, self.look(look))
            return None
        sheet.write_number(row, column, float(value), self.look(look))
        return Formula(xl_rowcol_to_cell(row, column), float(value))

    def formula(self, sheet: Worksheet, row: int, column: int, given: Formula, look: str = "points") -> Formula:
        """Writes a formula with what it comes to, and returns its cell."""
        sheet.write_formula(row, column, f"={given.text}", self.look(look), given.value)
        return Formula(xl_rowcol_to_cell(row, column), given.value)

    # -- a unit and an indicator --------------------------------------------------------------------------------------

    def row(self, sheet: Worksheet, row: int, tried: TriedUnit, part: ScoredIndicator) -> _Row:
        scheme, unit = self.scheme, tried.scored
        line, day = scheme.indicator(part.code), self._day(tried)
        group = scheme.group(unit.peer_group)
        kind = _kind(scheme, tried, part)
        given = (unit.unit, group.name_zh, tried.period, line.name_zh, part.code, kind)
        for column, text in enumerate(given):
            self.text(sheet, row, column, text)
        value = self._value(sheet, row, line, part)
        cells = {}
        for name, term in terms_of(line, line.terms(unit.peer_group, day)).items():
            if cell := self.number(sheet, row, AT[TERMS[name]], term):
                cells[name] = cell
        is_alone = value is not None and not (part.is_empty or part.points is None or scheme.wholes[part.code].is_whole)
        made = points(line, value, cells) if value is not None and is_alone else None
        if made is not None and scheme.rounding.order == "components_first":
            made = rounded(made, scheme.rounding.decimals)
        shown = Formula("", 0.0)
        if made is not None:
            shown = self.formula(sheet, row, AT[POINTS], made)
        elif part.points is not None:
            shown = self.number(sheet, row, AT[POINTS], part.points, "points") or shown
        exact = self.number(sheet, row, AT["系统得分"], part.points, "points")
        if exact is not None:
            self.formula(sheet, row, AT["差"], rounded(shown - exact, SUM_DECIMALS), "plain")
        self.text(sheet, row, AT["计分方式"], scoring_rule(line, unit.peer_group, day))
        self.text(sheet, row, AT["说明"], _why(scheme, line, part, part.code in tried.assumed, made is None))
        return _Row(kind, shown.value, float(part.points_max))

    def _day(self, tried: TriedUnit) -> date:
        return self.scheme.first_day(Period.parse(tried.period))

    def _value(self, sheet: Worksheet, row: int, line: Line, part: ScoredIndicator) -> Formula | None:
        """The value as a formula of its counts where there are any, else as it was given."""
        pooled = part.pooled_numerator is not None
        numerator = self.number(sheet, row, AT["分子"], part.pooled_numerator if pooled else part.numerator)
        denominator = self.number(sheet, row, AT["分母"], part.pooled_denominator if pooled else part.denominator)
        column = AT["指标值"]
        if part.value is None or line.is_whole:
            return self.number(sheet, row, column, part.value)
        if line.is_manual or numerator is None or line.aggregate in QUANTILES:
            return self.number(sheet, row, column, part.value)
        if line.aggregate in PLAIN:
            return self.formula(sheet, row, column, numerator, "plain")
        if denominator is None or not denominator.value:
            return self.number(sheet, row, column, part.value)
        made = numerator / denominator
        if line.scale != 1:
            made = number(line.scale) * numerator / denominator
        decimals = self.scheme.rounding.rate_decimals
        if decimals is not None and line.is_percent:
            made = rounded(made, decimals)
        return self.formula(sheet, row, column, made, "plain")

    # -- a unit -------------------------------------------------------------------------------------------------------

    def sum(self, sheet: Worksheet, row: int, block: _Block) -> None:
        tried, unit = block.tried, block.tried.scored
        group = self.scheme.group(unit.peer_group)
        for column, text in enumerate((unit.unit, group.name_zh, tried.period)):
            self.text(sheet, row, column, text)
        decimals = self.scheme.rounding.decimals
        earned = self.formula(sheet, row, 3, rounded(block.sum_of(POINTS, BASE), SUM_DECIMALS))
        available = self.formula(sheet, row, 4, block.sum_of(FULL, BASE))
        full = self.formula(sheet, row, 5, block.sum_of(FULL, BASE) + block.sum_of(FULL, APART))
        changed = self.formula(sheet, row, 6, rounded(block.sum_of(POINTS, CHANGE), SUM_DECIMALS))
        if unit.raw_points is not None:
            self._beside(sheet, row, 7, rounded(earned + changed, decimals), unit.raw_points)
        has_event = any(self._has_happened(tried, part) for part in unit.indicators)
        if unit.score_100 is not None:
            made = number(100) * (earned / available + changed / full)
            score = rounded(most(number(0), least(number(100), made)), decimals)
            cell = self._beside(sheet, row, 10, None if has_event else score, unit.score_100)
            if unit.assessed_points is not None:
                worth = rounded(number(group.points) * cell / number(100), decimals)
                self._beside(sheet, row, 13, worth, unit.assessed_points)
        self.text(sheet, row, 16, unit.band, "grey")
        self.number(sheet, row, 17, None if unit.rank_in_group is None else Decimal(unit.rank_in_group), "count")
        told = [NOT_RANKED.zh(unit.not_ranked_reason)] if unit.not_ranked_reason else []
        told += ["有否决或封顶事项，百分制为系统结果"] if has_event else []
        self.text(sheet, row, 18, "；".join(told))

    def _beside(self, sheet: Worksheet, row: int, column: int, made: Formula | None, exact: Decimal) -> Formula:
        """A formula, the engine's number beside it, and how they differ; without a formula the engine's alone."""
        if made is not None:
            shown = self.formula(sheet, row, column, made)
        else:
            sheet.write_number(row, column, float(exact), self.look("points"))
            shown = Formula(xl_rowcol_to_cell(row, column), float(exact))
        sheet.write_number(row, column + 1, float(exact), self.look("points"))
        beside = Formula(xl_rowcol_to_cell(row, column + 1), float(exact))
        self.formula(sheet, row, column + 2, rounded(shown - beside, SUM_DECIMALS), "plain")
        return shown

    def _has_happened(self, tried: TriedUnit, part: ScoredIndicator) -> bool:
        line = self.scheme.indicator(part.code)
        value = None if part.value is None else Fraction(part.value)
        terms = line.terms(tried.scored.peer_group, self._day(tried))
        return isinstance(line.scoring, Event) and line.scoring.has_happened(value, terms)

    # -- what is said about it ----------------------------------------------------------------------------------------

    def mark(self, sheet: Worksheet, last: int, titles: Sequence[str], among: Sequence[str]) -> None:
        """What differs, in red; a sheet can be filtered by any column."""
        red = self.book.add_format({"bg_color": "#F8D7D4", "font_color": "#A32A22"})
        for title in titles:
            column = among.index(title)
            sheet.conditional_format(
                1, column, last, column, {"type": "cell", "criteria": "!=", "value": 0, "format": red}
            )
        sheet.autofilter(0, 0, last, len(among) - 1)

    def notes(self) -> None:
        sheet = self.book.add_worksheet(NOTES_SHEET)
        sheet.set_column(0, 0, 100)
        scheme = self.scheme
        told = [f"{scheme.title}（{scheme.scheme_id}，版本 {scheme.scheme_version}）试算", *NOTES, *self.trial.notes]
        for row, text in enumerate(told):
            self.text(sheet, row, 0, text, "text" if row else "bold")

    def close(self) -> None:
        self.book.close()


def _kind(scheme: Scheme, tried: TriedUnit, part: ScoredIndicator) -> str:
    """What a row's points are to the unit; a part goes with its item."""
    whole = scheme.wholes[part.code]
    mine = [one for one in tried.scored.indicators if one.code in {line.code for line in whole.lines}]
    if not mine[0].points_max:
        return CHANGE
    return BASE if any(one.points is not None for one in mine) else APART


def _why(scheme: Scheme, line: Line, part: ScoredIndicator, is_assumed: bool, is_number: bool) -> str:
    def told() -> Iterator[str]:
        if is_assumed and not line.is_whole:
            yield "未给出数据"
        if part.is_empty and not line.is_whole:
            yield f"无可评事项：{WHEN_EMPTY.zh(line.when_empty)}"
        if part.pooled_numerator is not None:
            yield "分子分母含往期合并的件数"
        if is_number and part.points is not None and not part.is_empty:
            yield f"没有公式，为系统结果：{_reason(scheme, line)}"

    return "；".join(told())


def _reason(scheme: Scheme, line: Line) -> str:
    if line.is_event:
        return "否决与封顶不给分"
    if scheme.wholes[line.code].is_whole:
        return "合并计分"
    return "与同组或往期比较" if line.compared is not None else "这种算法写不成公式"
