"""From the marts to the file: the same numbers, no citizen's data, and one clear line when it cannot be."""

import csv
import json
import re
from dataclasses import replace
from decimal import Decimal
from io import BytesIO, StringIO
from zipfile import ZipFile

import fastexcel
import pytest

from minhu import database
from minhu.cli import main
from minhu.errors import Refused, Retryable
from minhu.export import FORMATS, Asked, export, read, read_report
from minhu.export.report import wilson
from minhu.scoring import explain
from minhu.settings import Settings
from tests.export.conftest import PHONE

PERIOD = "2026-10"
PHONES = re.compile(r"(?<!\d)1[3-9]\d(?:\d|\*){4}\d{4}(?!\d)")


def rows(settings, query):
    with database.connect(settings) as connection:
        return connection.execute(query).fetchall()


def table(settings, out, name="indicators", **more):
    export(settings, PERIOD, out, Asked("csv", table=name, **more))
    return list(csv.DictReader(StringIO(out.read_bytes().decode("utf-8-sig"))))


def test_the_report_holds_the_numbers_of_the_marts(scored):
    report = read_report(scored, PERIOD)
    scores = {
        unit.code: (group.code, unit.raw_points, unit.score_100, unit.assessed_points, unit.band, unit.reason)
        for group, unit in report.units()
    }
    wanted = rows(
        scored,
        "select unit_code, peer_group, raw_points, score_100, assessed_points, band, not_ranked_reason"
        " from mart.fct_unit_score",
    )
    assert scores == {unit: tuple(values) for unit, *values in wanted} and len(scores) == 13
    counts = {
        (unit.code, one.code): (one.numerator, one.denominator, one.value, one.points, one.wilson_low, one.wilson_high)
        for _, unit in report.units()
        for one in unit.measured
    }
    wanted = rows(
        scored,
        "select unit_code, indicator_code, numerator, denominator, value, points, wilson_low, wilson_high"
        " from mart.fct_unit_indicator",
    )
    assert counts == {(unit, code): tuple(values) for unit, code, *values in wanted}


def test_units_stand_by_band_and_have_a_place_only_where_the_scheme_ranks(scored):
    report = read_report(scored, PERIOD)
    assert report.is_draft and report.kind == "indicative"
    assert [unit.code for unit in report.groups[0].listed] == ["D2", "D3", "D7", "D1", "D6"]
    assert {unit.code: unit.reason for unit in report.groups[0].apart} == {
        "D4": "nothing_due",
        "D5": "no_case",
        "D8": "nothing_due",
    }
    ranks = dict(rows(scored, "select unit_code, rank_in_group from mart.fct_unit_score"))
    assert {unit.code: unit.rank for _, unit in report.units()} == (ranks if report.is_ranked else dict.fromkeys(ranks))


def test_intervals_of_sums_are_those_of_the_warehouse(scored):
    found = rows(
        scored,
        "select distinct numerator, denominator, wilson_low, wilson_high from mart.fct_unit_indicator"
        " where wilson_low is not null",
    )
    assert len(found) > 5
    for numerator, denominator, low, high in found:
        assert wilson(numerator, denominator) == (low, high)
    total = read_report(scored, PERIOD).groups[0].total("close_on_time")
    assert (total.numerator, total.denominator, total.value) == (9, 12, Decimal("75.0000"))


def test_the_evidence_sums_to_the_points_lost(scored, tmp_path):
    lost = {}
    for line in table(scored, tmp_path / "a.csv", "evidence"):
        key = (line["unit_code"], line["indicator_code"])
        lost[key] = lost.get(key, 0) + Decimal(line["lost"])
    wanted = rows(
        scored,
        "select unit_code, indicator_code, points_max - points from mart.fct_unit_indicator where points_max > points",
    )
    assert lost == {(unit, code): points for unit, code, points in wanted}


def test_the_workbook_agrees_with_the_marts_in_sum(scored, tmp_path):
    out = tmp_path / "a.xlsx"
    export(scored, PERIOD, out, Asked("xlsx", units=("D1",)))
    book = fastexcel.read_excel(out)
    assert "单位D1" in book.sheet_names
    for name, group in (("部门", "dept"), ("镇街", "town")):
        lines = book.load_sheet(name, header_row=None, dtypes="string").to_polars().rows()
        head = lines[0].index("按时办结率")
        total = next(line for line in lines if line[1] == "合计")
        [(numerator, denominator, score)] = rows(
            scored,
            "select sum(numerator) filter (where indicator_code = 'close_on_time'),"
            " sum(denominator) filter (where indicator_code = 'close_on_time'),"
            f" (select sum(score_100) from mart.fct_unit_score where peer_group = '{group}')"
            " from mart.fct_unit_indicator join mart.fct_unit_score using (unit_code)"
            f" where peer_group = '{group}'",
        )
        assert (Decimal(total[head]), Decimal(total[head + 1])) == (numerator, denominator)
        scores = [line[lines[0].index("得分（百分制）")] for line in lines[2:-1]]
        assert sum(Decimal(one) for one in scores if one) == score


@pytest.mark.parametrize("form", FORMATS)
def test_no_file_holds_a_citizens_data(scored, tmp_path, form):
    out = tmp_path / f"a.{form}"
    asked = Asked(form, table="evidence") if form == "csv" else Asked(form, units=("D1",))
    report = export(scored, PERIOD, out, asked)
    assert "NOa0008" in {cost.case_no for *_, cost in report.costs()}  # the case of whom we know the phone is in it
    content = out.read_bytes()
    if form in ("xlsx", "docx"):
        with ZipFile(BytesIO(content)) as members:
            content = b"".join(members.read(name) for name in members.namelist() if name.endswith(".xml"))
    if form != "pdf":
        text = content.decode("utf-8", "replace")
        assert not PHONES.search(text) and PHONE not in text and "青山湖" not in text and "王某" not in text
    assert not PHONES.search(repr(report)) and "青山湖" not in repr(report)


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_scored_again_alike_is_exported_alike(scored, tmp_path, form):
    first, second = tmp_path / f"1.{form}", tmp_path / f"2.{form}"
    export(scored, PERIOD, first, Asked(form))
    export(scored, PERIOD, second, Asked(form))
    assert first.read_bytes() == second.read_bytes()


def test_the_public_version_has_no_row_and_no_small_count(scored, tmp_path):
    out = tmp_path / "public.json"
    export(scored, PERIOD, out, Asked("json", is_public=True))
    told = json.loads(out.read_text(encoding="utf-8"))
    assert told["is_public"] is True
    cells = [one for group in told["groups"] for unit in group["units"] for one in unit["measured"]]
    assert not any(0 < Decimal(one[name] or 0) < 5 for one in cells for name in ("numerator", "denominator"))
    assert all(one["costs"] is None for one in cells) and any(one["is_suppressed"] for one in cells)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["2026-09"], "2026-09 has not been scored: run `minhu score 2026-09` first"),
        (["2026-9"], "'2026-9' is no period"),
        ([PERIOD, "--scheme", "other"], "2026-10 has not been scored by the scheme other"),
        ([PERIOD, "--unit", "某某局"], "no unit is called '某某局'"),
        ([PERIOD, "--unit", "D1", "--public"], "a public version holds no unit's rows; leave out --unit or --public"),
        ([PERIOD, "--table", "evidence", "--public"], "leave out --table evidence or --public"),
    ],
)
def test_what_cannot_be_exported_is_refused_in_one_line(scored, tmp_path, monkeypatch, capsys, arguments, complaint):
    monkeypatch.setattr(Settings, "from_env", lambda: scored)
    out = tmp_path / "a.csv"
    with pytest.raises(SystemExit) as ended:
        main(["export", *arguments, "--out", str(out)])
    told = capsys.readouterr().err
    assert ended.value.code == 1 and complaint in told and told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_without_a_font_nothing_is_written(scored, tmp_path, monkeypatch):
    monkeypatch.setenv("MINHU_FONT", str(tmp_path / "gone.ttf"))
    for form in ("pdf", "docx"):
        with pytest.raises(Refused, match="there is no such file"):
            export(scored, PERIOD, tmp_path / f"a.{form}", Asked(form))
    assert list(tmp_path.iterdir()) == []


def test_a_score_that_changes_while_it_is_read_is_not_mixed(scored, tmp_path, monkeypatch):
    monkeypatch.setattr(read, "explain", lambda *given, **named: replace(explain(*given, **named), build_id=99))
    with pytest.raises(Retryable, match="scored anew while it was read"):
        export(scored, PERIOD, tmp_path / "a.csv", Asked("csv"))


def test_of_two_schemes_one_must_be_named(scored, tmp_path):
    columns = "period, starts_at, ends_at, as_of, build_id, config_version, scheme_version"
    with database.connect(scored) as connection:
        connection.execute(
            f"insert into mart.score_run (scheme_id, {columns}) select 'other', {columns} from mart.score_run"
        )
        connection.execute(
            "insert into config.entry (kind, key, data, since_version)"
            " select kind, 'other', jsonb_set(data, '{scheme_id}', '\"other\"'), since_version"
            " from config.entry where kind = 'scheme'"
        )
    try:
        with pytest.raises(Refused, match="2026-10 was scored by exam and other; name one with --scheme"):
            read_report(scored, PERIOD)
        assert read_report(scored, PERIOD, "exam").scheme_id == "exam"
    finally:
        with database.connect(scored) as connection:
            connection.execute("delete from mart.score_run where scheme_id = 'other'")
            connection.execute("delete from config.entry where key = 'other'")


def test_a_file_that_cannot_be_written_is_refused_and_leaves_nothing(scored, tmp_path):
    with pytest.raises(Refused, match="there is no folder"):
        export(scored, PERIOD, tmp_path / "gone" / "a.csv", Asked("csv"))
    with pytest.raises(Refused, match="it is a folder"):
        export(scored, PERIOD, tmp_path, Asked("csv"))


def test_the_format_follows_the_name_of_the_file(scored, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Settings, "from_env", lambda: scored)
    out = tmp_path / "通报.pdf"
    with pytest.raises(SystemExit) as ended:
        main(["export", PERIOD, "--out", str(out), "--unit", "D1", "--number", "试〔2026〕10号"])
    assert ended.value.code == 0
    assert out.read_bytes().startswith(b"%PDF-")
    assert capsys.readouterr().out == f"{out}: exam 2026-10, 13 units, draft (未发布·试算)\n"
    with pytest.raises(SystemExit) as ended:
        main(["export", PERIOD, "--out", str(tmp_path / "a.odt")])
    assert ended.value.code == 2 and "name the format with --format" in capsys.readouterr().err
