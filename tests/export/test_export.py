"""From the marts to the file: the same numbers, no citizen's data, and one clear line when it cannot be."""

import csv
import json
import re
from decimal import Decimal
from io import BytesIO, StringIO
from operator import attrgetter
from zipfile import ZipFile

import fastexcel
import psycopg
import pytest
from psycopg.rows import dict_row

from minhu import database
from minhu.cli import main
from minhu.errors import Refused
from minhu.export import FORMATS, Asked, export, read_report
from minhu.export.report import Person, wilson
from minhu.export.words import Words
from minhu.schemes.period import Period
from minhu.scoring import explain
from minhu.scoring.explain import explain_units
from minhu.scoring.score import stored_runs
from minhu.scoring.stored import Stored
from minhu.settings import Settings
from tests.export.conftest import PHONE
from tests.scoring.city import at

PERIOD = "2026-10"
# not the digits that stand in a hash (hexadecimal) or behind a decimal point by chance
PHONES = re.compile(r"(?<![0-9a-f.])1[3-9]\d(?:\d|\*){4}\d{4}(?![0-9a-f])")


def rows(settings, query):
    with database.connect(settings) as connection:
        return connection.execute(query).fetchall()


def table(settings, out, name="indicators", **more):
    export(settings, PERIOD, out, Asked("csv", table=name, **more))
    return list(csv.DictReader(StringIO(out.read_bytes().decode("utf-8-sig"))))


@pytest.mark.parametrize(
    ("asked", "place", "of"),
    [
        ({"is_draft": True}, "mart.fct_", "true"),
        ({}, "publish.", "revision = 2"),
        ({"revision": 1}, "publish.", "revision = 1"),
    ],
    ids=["the newest score", "what is published", "what was published before"],
)
def test_the_report_holds_the_numbers_of_the_score_or_the_release_asked_for(scored, asked, place, of):
    report = read_report(scored, PERIOD, **asked)
    figures = attrgetter(*"numerator denominator value points wilson_low_pct shrunken_value".split())
    of_unit = attrgetter(*"code raw_points score_100 assessed_points band rank reason listed_on".split())
    scores = {(group.code, *of_unit(unit)) for group, unit in report.units()}
    wanted = rows(
        scored,
        "select peer_group, unit_code, raw_points, score_100, assessed_points, band, rank_in_group, not_ranked_reason,"
        f" listed_on from {place}unit_score where {of}",
    )
    assert scores == set(wanted) and len(scores) == 13
    counts = {(unit.code, one.code, *figures(one)) for _, unit in report.units() for one in unit.measured}
    wanted = rows(
        scored,
        "select unit_code, indicator_code, numerator, denominator, value, points, 100 * wilson_low, shrunken_value"
        f" from {place}unit_indicator where {of}",
    )
    assert counts == set(wanted)
    assert any(one[-1] is not None for one in counts)


def test_what_is_published_is_shown_with_who_stands_for_it_and_what_it_changed(scored):
    report = read_report(scored, PERIOD)
    release = report.release
    told = rows(scored, "select release_id, hash, published_at from publish.release order by 1")
    assert (release.release_id, release.hash, release.published_at) == told[1]
    assert (release.revision, release.why) == (2, "申诉 1 获准")
    assert (release.approved_by, release.closed_by) == (Person("乙某", "考评科"), None)
    assert report.issuer is None
    assert not release.is_replaced and not report.is_draft
    assert [(one.unit_code, str(one.changes[0])) for one in report.diff.units] == [("D1", "百分制得分 53.42 → 70")]
    assert [one.indicator_code for one in report.diff.indicators] == ["close_on_time"]
    assert [(one.change, one.case_no) for one in report.diff.cases] == [("removed", "NOa0008")]
    before = read_report(scored, PERIOD, revision=1)
    assert before.release.is_replaced and before.release.hash == told[0][1] and before.diff is None
    assert "本件为第 1 次发布，已由第 2 次发布取代。" in Words().notices(before)


def test_a_draft_is_the_newest_score_though_another_is_published(scored):
    draft = read_report(scored, PERIOD, is_draft=True)
    assert draft.is_draft and draft.kind == "indicative" and draft.diff is None
    assert [unit.code for unit in draft.groups[0].listed] == ["D2", "D3", "D7", "D1", "D6"]
    assert {unit.code: unit.reason for unit in draft.groups[0].apart} == {
        "D4": "nothing_due",
        "D5": "no_case",
        "D8": "nothing_due",
    }
    assert {unit.code: unit.listed_on for _, unit in draft.units() if unit.listed_on} == {
        **dict.fromkeys(("D2", "D3", "M1"), "红榜"),
        "T3": "黑榜",
    }


def test_intervals_of_sums_are_those_of_the_warehouse(scored):
    found = rows(
        scored,
        "select distinct numerator, denominator, 100 * wilson_low, 100 * wilson_high from mart.fct_unit_indicator"
        " where wilson_low is not null",
    )
    assert len(found) > 5
    for numerator, denominator, low, high in found:
        assert wilson(numerator, denominator) == (low, high)
    total = read_report(scored, PERIOD, is_draft=True).groups[0].total("close_on_time")
    assert (total.numerator, total.denominator, total.value) == (9, 12, Decimal("75.0000"))


@pytest.mark.parametrize("revision", [1, 2])
def test_the_evidence_of_a_revision_sums_to_the_points_lost(scored, tmp_path, revision):
    lost = {}
    for line in table(scored, tmp_path / "a.csv", "evidence", revision=revision):
        key = (line["unit_code"], line["indicator_code"])
        lost[key] = lost.get(key, 0) + Decimal(line["lost"])
    wanted = rows(
        scored,
        "select unit_code, indicator_code, points_max - points from publish.unit_indicator where points_max > points"
        f" and revision = {revision}",
    )
    assert lost == {(unit, code): points for unit, code, points in wanted}
    assert (("D1", "close_on_time") in lost) == (revision == 1)


def test_the_evidence_tells_the_clock_and_what_a_row_is_worth(scored, tmp_path):
    lines = table(scored, tmp_path / "a.csv", "evidence", is_draft=True)
    (late,) = [one for one in lines if (one["unit_code"], one["indicator_code"]) == ("D1", "close_on_time")]
    assert (late["marginal"], late["late_working_minutes"], late["case_no"]) == ("11.67", "840", "NOa0008")
    assert late["clock"].startswith("2026-10-09 周五 09:00 派单；5 个工作日，自次日起算；10-10 周六 调休上班；")
    report = export(scored, PERIOD, tmp_path / "a.json", Asked("json", is_draft=True))
    told = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    costs = [
        cost for group in told["groups"] for unit in group["units"] for one in unit["measured"] for cost in one["costs"]
    ]
    assert len(costs) == len(list(report.costs())) == len(lines)
    assert {cost["clock"]["late_working_minutes"] for cost in costs if cost["case_no"] == "NOa0008"} == {840}


def test_any_number_of_units_is_explained_as_each_of_them_is(scored, monkeypatch):
    asked, execute = [], psycopg.Connection.execute

    def noted(self, query, params=None, **more):
        asked.append(query)
        return execute(self, query, params, **more)

    with database.connect(scored) as connection:
        connection.row_factory = dict_row
        stored = Stored.newest(stored_runs(connection, Period.parse(PERIOD))[0])
        units = [unit for (unit,) in rows(scored, "select unit_code from mart.fct_unit_score order by 1")]
        monkeypatch.setattr(psycopg.Connection, "execute", noted)
        found = list(explain_units(connection, stored, units))
        for_all = len(asked)
        (one,) = explain_units(connection, stored, ["D6"])
        assert len(asked) == 2 * for_all and one in found
    assert found == [explain(scored, unit, PERIOD) for unit in units] and len(found) == 13


def test_facts_that_changed_since_never_change_what_a_release_says(scored, tmp_path):
    """A limit that was extended after publication: the published one stays, its arithmetic is not made up."""
    before = table(scored, tmp_path / "a.csv", "evidence", revision=1)
    extend = "update mart.fct_timeliness set due_in_force_at = %s where assignment_id = 'a0008'"
    with database.connect(scored) as connection:
        connection.execute(extend, [at("10-30 00:00")])
        connection.execute(
            "insert into audit.build (config_version, code_version, status) values (1, 'test', 'succeeded')"
        )
    try:
        report = read_report(scored, PERIOD, revision=1, explained=None)
        assert any(notice.startswith("发布之后事实已有更新") for notice in Words().notices(report))
        after = table(scored, tmp_path / "a.csv", "evidence", revision=1)
        told = ("clock", "late_working_minutes", "late_natural_minutes")
        for old, new in zip(before, after, strict=True):
            is_moved = (old["case_no"], old["indicator_code"]) == ("NOa0008", "close_on_time")
            assert new == (old | dict.fromkeys(told, "") if is_moved else old)
    finally:
        with database.connect(scored) as connection:
            connection.execute(extend, [None])
            connection.execute("delete from audit.build where build_id > 1")


def test_the_workbook_agrees_with_the_release_in_sum(scored, tmp_path):
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
            f" (select sum(score_100) from publish.unit_score where revision = 2 and peer_group = '{group}')"
            " from publish.unit_indicator join publish.unit_score using (unit_code, revision)"
            f" where revision = 2 and peer_group = '{group}'",
        )
        assert Decimal(total[head]) == round(numerator / denominator, 6)
        scores = [line[lines[0].index("百分制得分")] for line in lines[2:-1]]
        assert sum(Decimal(one) for one in scores if one) == score


@pytest.mark.parametrize("form", FORMATS)
def test_no_file_holds_a_citizens_data_and_the_same_score_gives_the_same_file(scored, tmp_path, form):
    outs = [tmp_path / f"{at}.{form}" for at in ((1, 2) if form == "json" else (1,))]  # each writer has its own test
    asked = Asked(form, table="evidence", revision=1) if form == "csv" else Asked(form, units=("D1",), revision=1)
    report = next(reversed([export(scored, PERIOD, out, asked) for out in outs]))
    assert "NOa0008" in {cost.case_no for *_, cost in report.costs()}  # the case of whom we know the phone is in it
    content = outs[0].read_bytes()
    assert content == outs[-1].read_bytes()
    if form in ("xlsx", "docx"):
        with ZipFile(BytesIO(content)) as members:
            content = b"".join(members.read(name) for name in members.namelist() if name.endswith(".xml"))
    if form != "pdf":
        text = content.decode("utf-8", "replace")
        assert not PHONES.search(text) and PHONE not in text and "青山湖" not in text and "王某" not in text
        assert "x_reviewer" not in text and ("乙某" in text or form == "csv")
    assert not PHONES.search(repr(report)) and "青山湖" not in repr(report) and "x_reviewer" not in repr(report)


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
        ([PERIOD, "--revision", "3"], "2026-10 has no published revision 3; see `minhu releases list`"),
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
            read_report(scored, PERIOD, is_draft=True)
        assert read_report(scored, PERIOD, "exam", is_draft=True).scheme_id == "exam"
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
    assert capsys.readouterr().out == f"{out}: exam 2026-10, 13 units, revision 2 as published\n"
    with pytest.raises(SystemExit):
        main(["export", PERIOD, "--out", str(tmp_path / "a.csv"), "--draft"])
    assert capsys.readouterr().out == f"{tmp_path / 'a.csv'}: exam 2026-10, 13 units, draft (未发布·试算)\n"
    with pytest.raises(SystemExit) as ended:
        main(["export", PERIOD, "--out", str(out), "--draft", "--revision", "1"])
    assert ended.value.code == 2 and "leave out --revision or --draft" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["export", PERIOD, "--out", str(tmp_path / "a.odt")])
    assert ended.value.code == 2 and "name the format with --format" in capsys.readouterr().err
