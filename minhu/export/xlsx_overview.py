"""The overview of the workbook: units by band and the rates of each group, with a chart of each."""

from typing import Any

from xlsxwriter.worksheet import Worksheet

from minhu.export.book import FONT, Book, counted, head
from minhu.export.report import Measured
from minhu.paper.charts import BAND_COLOURS


def overview(book: Book) -> None:
    report, words = book.report, book.words
    sheet = book.sheet(words("overview"), wide=False, widths=(18, *[11] * 12))
    row = 0
    if not any(group.units for group in report.groups):
        book.put(sheet, row, 0, words("nobody_assessed"), "bare")
        return
    if report.bands:
        row = _bands(book, sheet, row)
    book.put(sheet, row, 0, words("main_indicators"), "bold")
    titles = ("indicator", "peer_group", "numerator", "denominator", "rate", "wilson_low", "wilson_high", "target")
    head(book, sheet, row + 1, [words(title) for title in titles])
    shown = [
        (indicator, group, one)
        for indicator in report.indicators
        for group in report.groups
        if group.units and indicator.is_rate and (one := group.total(indicator.code))
    ]
    first = row + 2
    for row, (indicator, group, one) in enumerate(shown, start=first):
        book.put(sheet, row, 0, indicator.name, "text")
        book.put(sheet, row, 1, group.name, "text")
        for column, (value, look) in enumerate(counted(one, words), start=2):
            book.put(sheet, row, column, value, look)
        book.put(sheet, row, 7, one.target, "percent")
    if shown:
        _rates_chart(book, sheet, first, [(f"{i.name} {group.name}", one) for i, group, one in shown])


def _bands(book: Book, sheet: Worksheet, row: int) -> int:
    """How many units of each group are in each band, and the chart of it; returns the first free row."""
    report, words = book.report, book.words
    groups = [group for group in report.groups if group.units]
    book.put(sheet, row, 0, words("group_scores"), "bold")
    names = [band.name for band in report.bands]
    head(book, sheet, row + 1, [words("peer_group"), *names, words("apart"), words("total")])
    for at, group in enumerate(groups, start=row + 2):
        found = report.in_band(group)
        book.put(sheet, at, 0, group.name, "text")
        for column, name in enumerate(names, start=1):
            book.put(sheet, at, column, found[name], "count")
        book.put(sheet, at, len(names) + 1, len(group.apart), "count")
        book.put(sheet, at, len(names) + 2, len(group.units), "count")
    chart = book.book.add_chart({"type": "bar", "subtype": "stacked"})
    first, last = row + 2, row + 1 + len(groups)
    for column, name in enumerate(names, start=1):
        colour = BAND_COLOURS[(column - 1) % len(BAND_COLOURS)]
        chart.add_series(
            {
                "name": name,
                "categories": [sheet.name, first, 0, last, 0],
                "values": [sheet.name, first, column, last, column],
                "fill": {"color": colour},
                "gap": 60,
                "data_labels": {"value": True, "num_format": "0;;", "font": {"name": FONT}},
            }
        )
    _look(chart, words("chart_bands"))
    chart.set_y_axis({"reverse": True, "num_font": {"name": FONT}})
    chart.set_x_axis({"visible": False, "major_gridlines": {"visible": False}})
    chart.set_size({"width": 640, "height": 120 + 44 * len(groups)})
    sheet.insert_chart(last + 2, 0, chart, {"description": words("chart_bands")})
    return last + 2 + (120 + 44 * len(groups)) // 20 + 2


def _rates_chart(book: Book, sheet: Worksheet, first: int, shown: list[tuple[str, Measured]]) -> None:
    """The rates as bars with their intervals; what only the chart needs stands beside the table, and is not printed."""
    words, last = book.words, first + len(shown) - 1
    sheet.merge_range(first - 1, 9, first - 1, 11, words("reach"), book.format("grey"))
    for row, (name, one) in enumerate(shown, start=first):
        book.put(sheet, row, 11, name, "aside")
        for column, end in ((9, one.wilson_low_pct), (10, one.wilson_high_pct)):
            if one.value is not None and end is not None:
                book.put(sheet, row, column, abs(one.value - end) / 100, "aside")
    sheet.print_area(0, 0, last + 12 + 2 * len(shown), 8)
    chart = book.book.add_chart({"type": "bar"})
    chart.add_series(
        {
            "name": words("rate"),
            "categories": [sheet.name, first, 11, last, 11],
            "values": [sheet.name, first, 4, last, 4],
            "fill": {"color": "#1F4E79"},
            "gap": 50,
            "data_labels": {"value": True, "position": "inside_base", "font": {"color": "#FFFFFF", "name": FONT}},
            "x_error_bars": {
                "type": "custom",
                "minus_values": f"='{sheet.name}'!$J${first + 1}:$J${last + 1}",
                "plus_values": f"='{sheet.name}'!$K${first + 1}:$K${last + 1}",
                "line": {"color": "#B8503F", "width": 1.25},
            },
        }
    )
    _look(chart, words("chart_sheet"))
    chart.set_legend({"none": True})
    chart.set_y_axis({"reverse": True, "num_font": {"name": FONT}})
    chart.set_x_axis({"min": 0, "max": 1, "num_format": "0%", "num_font": {"name": FONT}})
    chart.set_size({"width": 720, "height": 120 + 26 * len(shown)})
    sheet.insert_chart(last + 2, 0, chart, {"description": words("chart_sheet")})


def _look(chart: Any, title: str) -> None:
    chart.set_title({"name": title, "name_font": {"name": FONT, "size": 11, "bold": False}, "overlay": False})
    chart.set_legend({"position": "bottom", "font": {"name": FONT}})
