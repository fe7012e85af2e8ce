"""A province over three cities: two on servers of their own and one that is scored by another scheme."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg
import pytest
import sqlalchemy
from click.testing import CliRunner
from psycopg import sql
from psycopg.rows import dict_row

from minhu import database
from minhu.cli import minhu
from minhu.database import embedded, logins, roles
from minhu.database import federation as wrapper
from minhu.errors import Refused
from minhu.glossary.law import NOT_RANKED
from minhu.glossary.watched import CITY
from minhu.publish import close, federation, publish, revise
from minhu.settings import PROJECT_ROOT, Settings
from minhu.warehouse.build import build
from tests.database.test_embedded import installing
from tests.publish import city as world
from tests.publish.city import FIRST, IN_TIME, LATE, UNWITNESSED, case, deliver, judge, login, rows

MONTH = "2026-10"
NINGBO = [
    *(case(number, "城管局", **IN_TIME) for number in range(11, 16)),
    case(16, "城管局", **LATE),
    *(case(number, "交通局", **IN_TIME) for number in range(17, 20)),
]
TELLS = "city release unit_score unit_indicator unit_rank agg_day agg_rate freshness".split()
"""What who reads finds in the province."""


def published(city: Settings, evaluator: str) -> Settings:
    """The city with its month closed by the owner, approved and published by another."""
    who = login(city, evaluator, "evaluator")
    judge(who, close(city, MONTH).closing_id)
    publish(who, MONTH, why=UNWITNESSED)
    return city


@pytest.fixture(scope="module")
def homes() -> Iterator[dict[str, Settings]]:
    """Two servers of their own: of a province and of a city."""
    with installing() as install:
        made = {}
        for name in ("province", "ningbo"):
            home = replace(install(name), config=PROJECT_ROOT / "config")
            with (embedded.start(home).data_dir / "postgresql.conf").open("a") as own:
                own.write("fsync = off\n")
            embedded.stop(home)
            made[name] = home
        yield made


@pytest.fixture(scope="module")
def hangzhou(scratch, tmp_path_factory) -> Settings:
    """On the server of the tests."""
    return published(world.make(scratch, tmp_path_factory.mktemp("hangzhou")), "f_shen")


@pytest.fixture(scope="module")
def ningbo(homes) -> Settings:
    database.migrate(homes["ningbo"])
    made = world.anew(lambda: homes["ningbo"], NINGBO, code="ningbo")
    with database.connect(made, autocommit=True) as owner:
        password = logins.add_login(owner, "f_gu", "evaluator")
    who = replace(made, database_url=entering(database.url(made), "f_gu", password))
    judge(who, close(made, MONTH).closing_id)
    publish(who, MONTH, why=UNWITNESSED)
    return made


def entering(url: str, name: str, password: str | None) -> str:
    bare = sqlalchemy.make_url(database.without_password(url)[0]).set(username=name)
    return bare.set(password=password).render_as_string(hide_password=False) if password else str(bare)


@pytest.fixture(scope="module")
def taizhou(scratch, tmp_path_factory) -> Settings:
    """As the first, but its scheme has another band, under the same name."""
    made = world.make(scratch, tmp_path_factory.mktemp("taizhou"))
    with database.connect(made) as owner:
        owner.execute("update config.version set city = 'taizhou'")
        owner.execute("update config.entry set key = 'taizhou' where kind = 'city'")
    world.named(made.config, "taizhou")
    scheme = made.config / "schemes" / "linan.yml"
    text = scheme.read_text(encoding="utf-8")
    assert text.count("at_least: 80") == 1
    scheme.write_text(text.replace("at_least: 80", "at_least: 75"), encoding="utf-8")
    build(made, full_refresh=True)
    return published(made, "f_lu")


@pytest.fixture(scope="module")
def ways(hangzhou, ningbo, taizhou) -> dict[str, tuple[str, str]]:
    """Where each city is read, and the password."""
    granted = {}
    for code, city in {"testcity": hangzhou, "ningbo": ningbo, "taizhou": taizhou}.items():
        with database.connect(city, autocommit=True) as owner:
            if owner.execute("select from pg_roles where rolname = %s", [f"f_{code}"]).fetchone():
                owner.execute(sql.SQL("drop role {}").format(sql.Identifier(f"f_{code}")))
        password = federation.grant(city, f"f_{code}")
        granted[code] = (entering(database.url(city), f"f_{code}", None), password)
    return granted


@pytest.fixture(scope="module")
def province(homes, ways) -> Settings:
    """It has joined the two cities; before, whatever is refused is refused."""
    home = homes["province"]
    database.migrate(home)
    (url, password), other = ways["testcity"], ways["ningbo"]
    elsewhere = replace(home, database_url=database.url(home))
    with pytest.raises(Refused, match="a superuser of this server says in the database warehouse: create extension"):
        federation.join(elsewhere, "testcity", url, password)
    refused = {
        "does not let the login in": ("testcity", url, "guessed"),
        "is the warehouse of another city .ningbo.": ("testcity", *other),
        "does not answer": ("testcity", "postgresql://x@127.0.0.1:1/warehouse", "x"),
        "the password is asked for": ("testcity", url.replace("f_testcity@", f"f_testcity:{password}@"), password),
        "names no login": ("testcity", "postgresql://127.0.0.1/warehouse", password),
        "options cannot be said": ("testcity", f"{url}?options=-csearch_path%3Dx", password),
        "is no URL": ("testcity", f"warehouse of {password}", password),
        "is no code of a city": ("test city", url, password),
    }
    for why, given in refused.items():
        with pytest.raises(Refused, match=why) as told:
            federation.join(home, *given)
        assert password not in str(told.value) and other[1] not in str(told.value)
    assert federation.cities(home) == [] and servers(home) == []
    for code in ("testcity", "ningbo"):
        assert federation.join(home, code, *ways[code]).trouble is None
    return home


def servers(province: Settings) -> list[tuple]:
    return asked(province, "select srvname from pg_foreign_server order by 1")


def asked(city: Settings, query: str, *given: object) -> list[tuple]:
    with database.connect(city) as owner:
        return owner.execute(query, given).fetchall()


@pytest.fixture(scope="module")
def bi(province) -> Settings:
    return reading(province, "f_fenxi", "bi")


def reading(province: Settings, name: str, group: str) -> Settings:
    with database.connect(province) as owner:
        password = logins.add_login(owner, name, group)
    return replace(province, database_url=entering(database.url(province), name, password))


def test_what_a_city_published_and_counts_by_day_is_told_as_it_is_there(province, bi, hangzhou, ningbo):
    figures = {
        "release": ("publish.release", "release_id, scheme_id, scheme_version, period, revision, row_count, hash"),
        "unit_score": ("publish.unit_score", "unit_code, peer_group, score_100, band, rank_in_group, hash"),
        "unit_indicator": ("publish.unit_indicator", "unit_code, indicator_code, numerator, denominator, points, hash"),
        "agg_rate": ("mart.agg_rate", "grain, day_on, pair, numerator, denominator"),
        "freshness": ("mart.freshness", "feed_code, fact, reaches_on"),
    }
    for code, city in {"testcity": hangzhou, "ningbo": ningbo}.items():
        for view, (table, names) in figures.items():
            here = asked(bi, f"select {names} from province.{view} where city_code = %s order by {names}", code)
            assert here == asked(city, f"select {names} from {table} order by {names}") != []
        days = "day_on, grain, feed_code, unit_code, intake, closed, open from {} where {} order by 1, 2, 3, 4"
        there = asked(city, "select " + days.format("mart.agg_day", "grain !~ '_category$|^feed_request'"))
        assert asked(bi, "select " + days.format("province.agg_day", "city_code = %s"), code) == there != []
        assert {"city", "unit", "request_type"} <= {row[1] for row in there}
    assert asked(bi, "select distinct city_name, unit_name from province.unit_score order by 2") == [
        ("测试市", "交通局"),
        ("测试市", "城管局"),
    ]
    assert asked(bi, "select bool_and(is_hash_proven and is_newest and is_reachable) from province.release") == [
        (True,)
    ]


def test_the_list_tells_how_far_each_city_is(province):
    told = CliRunner().invoke(minhu, ["federation", "list", "--json"], env=environment(province))
    found = {one["city_code"]: one for one in json.loads(told.output)}
    assert list(found) == ["ningbo", "testcity"]
    for one in found.values():
        assert one["is_reachable"] and one["trouble"] is None and one["read_at"]
        assert (one["releases"], one["period"], one["revision"]) == (1, MONTH, 1)
        assert one["reaches_on"] == "2026-10-31"


def environment(home: Settings, **more: str) -> dict[str, str]:
    return {"MINHU_HOME": str(home.home), "MINHU_CONFIG": str(home.config), **more}


def test_places_are_over_both_cities_by_what_each_published(province, bi, hangzhou, ningbo):
    scores = {
        (code, unit): score
        for code, city in {"testcity": hangzhou, "ningbo": ningbo}.items()
        for unit, score in rows(city, "select unit_code, score_100 from publish.unit_score")
    }
    ordered = sorted(scores.values(), reverse=True)
    told = asked(
        bi,
        "select city_code, unit_code, score_100, rank_in_province, ranked_units, ranked_cities, not_ranked_reason"
        " from province.unit_rank",
    )
    assert sorted(told) == sorted(
        (*unit, score, 1 + ordered.index(score), 4, 2, None) for unit, score in scores.items()
    )
    assert len(set(ordered)) > 2, "the units stand apart"


def test_a_city_alone_and_a_period_cut_short_have_no_place(province):
    reasons = "select distinct city_code, rank_in_province, not_ranked_reason from province.unit_rank order by 1"
    with database.connect(province) as owner:
        owner.execute("update province.copied_release set is_early = true where city_code = 'ningbo'")
        assert owner.execute(reasons).fetchall() == [("ningbo", None, "early"), ("testcity", None, "one_city")]
        owner.rollback()
        owner.execute(
            "update province.copied_unit_score set rank_in_group = null, not_ranked_reason = 'too_few'"
            " where city_code = 'ningbo' and unit_code = 'U2'"
        )
        found = "select unit_code, rank_in_province, ranked_units, not_ranked_reason from province.unit_rank"
        told = owner.execute(f"{found} where city_code = 'ningbo' order by 1").fetchall()
        assert told[1] == ("U2", None, None, "too_few") and told[0][2:] == (3, None)
        owner.rollback()
    assert {"early", "one_city", "other_scheme"} <= set(NOT_RANKED)


def test_a_city_that_is_scored_by_another_text_of_the_scheme_has_no_place_beside_the_others(province, ways, bi):
    assert federation.join(province, "taizhou", *ways["taizhou"]).trouble is None
    try:
        told = asked(
            bi,
            "select city_code, not_ranked_reason, count(rank_in_province), max(ranked_cities), min(scheme_id)"
            " from province.unit_rank group by 1, 2 order by 1",
        )
        assert told == [
            ("ningbo", None, 2, 2, "linan"),
            ("taizhou", "other_scheme", 0, None, "linan"),
            ("testcity", None, 2, 2, "linan"),
        ]
    finally:
        federation.leave(province, "taizhou")
    assert asked(province, "select distinct city_code from province.copied_unit_score order by 1") == [
        ("ningbo",),
        ("testcity",),
    ]
    assert servers(province) == [("city_ningbo",), ("city_testcity",)]
    with pytest.raises(Refused, match="no city 'taizhou' here"):
        federation.leave(province, "taizhou")


def test_who_reads_in_the_province_reads_copies_and_no_password(province, bi, ways):
    readers = [bi, *(reading(province, f"f_{group}", group) for group in ("evaluator", "auditor", "engineer"))]
    for who in readers:
        for view in TELLS:
            assert asked(who, f"select count(*) from province.{view}")[0][0] > 0, view
    house = replace(province, login=roles.WORK)
    relations = asked(
        province,
        "select oid::regclass::text from pg_class where relkind = 'f' or relkind = 'r'"
        " and relnamespace = 'province'::regnamespace",
    )
    assert len(relations) > 2 * 15
    for who in (*readers, house):
        for (name,) in relations:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                asked(who, f"select from {name}")
        assert asked(who, "select count(*), count(umoptions) from pg_user_mappings") == [(2, 0)]
    for group in ("unit", "sender", "signin", "province", "portal"):
        may = "select has_schema_privilege(%s, 'province', 'usage')"
        assert asked(province, may, f"minhu_{group}") == [(False,)], group
    log = "".join(file.read_text(errors="replace") for file in (province.home / "postgres" / "log").resolve().iterdir())
    assert "connection authorized" in log
    assert [code for code, (_, password) in ways.items() if password in log] == []


def test_a_province_may_do_in_a_city_nothing_but_read_what_is_given(hangzhou, ways):
    with database.connect(hangzhou) as owner:
        assert wrapper.beyond(owner) == []
        columns = owner.execute(
            "select table_name, column_name from information_schema.columns where table_schema = 'federation'"
        ).fetchall()
    assert len(columns) > 100
    told = re.compile(r"case|caller|assignment|callback_id|subject|title$|content$|address|phone|text|why$|appeal")
    assert {name for _, name in columns if told.search(name)} == {"has_why"}
    url, password = ways["testcity"]
    forbidden = (
        "select from mart.fct_case",
        "select from staging.case_record",
        "select from publish.evidence",
        "select from publish.release",
        "select from assess.appeal",
        "select from config.entry",
        "select from audit.access_log",
        "select publish.digest('x')",
        "create table federation.x ()",
        "create table public.x ()",
        "delete from federation.unit_score",
    )
    with psycopg.connect(entering(url, "f_testcity", password), autocommit=True) as there:
        assert there.execute("select count(*) from unit_score").fetchone() == (2,)
        there.execute("set default_transaction_read_only = off")
        for statement in forbidden:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                there.execute(statement)


def test_a_group_of_provinces_that_may_more_is_told_and_given_to_nobody(hangzhou):
    with database.connect(hangzhou) as owner:
        owner.execute("grant usage on schema mart, staging to minhu_province")
        owner.execute("grant select (case_no) on mart.fct_case to minhu_province")
        owner.execute("grant update on staging.case_record to minhu_province")
        owner.execute("grant minhu_bi to minhu_province")
        found = wrapper.beyond(owner)
        owner.rollback()
    assert {"it reads mart.fct_case", "it changes staging.case_record", "it is a member of minhu_bi"} <= set(found)


def words_of(city: Settings) -> set[str]:
    """What of its cases nobody outside may read: numbers, texts, callers, keys."""
    told: set[str] = set()
    for query in (
        "select case_no, content, title, address, caller_token, caller_masked, row_hash from staging.case_record",
        "select case_id from mart.fct_case",
        "select assignment_id from mart.fct_timeliness",
        "select case_id, subject_id from publish.evidence",
        "select source_name from audit.batch",
    ):
        told |= {str(value) for row in asked(city, query) for value in row if value}
    return told


def everything(city: Settings, where: str) -> Iterator[tuple[str, str]]:
    """Each relation of the schemas that ``where`` names, with all its rows as text."""
    relations = asked(
        city,
        "select pg_class.oid::regclass::text from pg_class inner join pg_namespace on relnamespace = pg_namespace.oid"
        f" where relkind in ('r', 'v', 'f', 'p', 'm') and nspname ~ '{where}' order by 1",
    )
    for (name,) in relations:
        yield name, "\n".join(row for (row,) in asked(city, f"select coalesce(told::text, '') from {name} as told"))


def test_nothing_of_a_case_crosses(province, hangzhou, ningbo):
    words = words_of(hangzhou) | words_of(ningbo)
    assert {case(5, "")["工单编号"], case(16, "")["工单编号"], "路灯不亮", "138****1111"} <= words
    assert len(words) > 3 * (len(FIRST) + len(NINGBO))
    walked = dict(everything(province, "^(province|city_.*|federation|mart|publish|staging)$"))
    assert len([name for name in walked if name.startswith(("city_ningbo.", "city_testcity."))]) == 2 * 15
    assert len(walked["city_ningbo.unit_score"]) > 100
    assert [(name, word) for name, text in walked.items() for word in words if word in text] == []
    at_home = dict(everything(hangzhou, "^(publish|mart)$"))
    found = {name for name, text in at_home.items() for word in words if word in text}
    assert {"publish.evidence", "mart.fct_case", "publish.frozen_row"} <= found, "the same walk finds them in the city"


def test_one_city_is_down_and_the_others_are_read_on(province, bi, ningbo, ways):
    read = dict(asked(bi, "select city_code, read_at from province.city"))
    before = asked(bi, "select * from province.unit_rank order by unit_code, city_code")
    embedded.stop(ningbo)
    try:
        told = CliRunner().invoke(minhu, ["federation", "refresh"], env=environment(province))
        assert told.exit_code == 1
        assert "ningbo 测试市: does not answer; its figures are those of" in told.output
        stands = {
            code: rest
            for code, *rest in asked(
                bi, "select city_code, is_reachable, trouble, read_at, troubled_since from province.city"
            )
        }
        assert stands["ningbo"][:3] == [False, "silent", read["ningbo"]] and stands["ningbo"][3] > read["ningbo"]
        assert stands["testcity"][:2] == [True, None] and stands["testcity"][2] > read["testcity"]
        for view in TELLS[1:]:
            found = asked(bi, f"select city_code, bool_and(is_reachable) from province.{view} group by 1 order by 1")
            assert found == [("ningbo", False), ("testcity", True)], view
        after = asked(bi, "select * from province.unit_rank order by unit_code, city_code")
        assert [row[:-2] for row in after] == [row[:-2] for row in before]
        since = stands["ningbo"][3]
        assert federation.refresh(province, ["ningbo"])[0].troubled_since == since, "since it began"
        assert federation.check(province) == ["ningbo: does not answer"]
        with pytest.raises(Refused, match="does not answer"):
            federation.join(province, "ningbo", *ways["ningbo"])
        assert servers(province) == [("city_ningbo",), ("city_testcity",)], "what there was stays"
    finally:
        embedded.start(ningbo)
    assert [one.trouble for one in federation.refresh(province)] == [None, None]
    assert asked(bi, "select bool_and(is_reachable), max(troubled_since) from province.city") == [(True, None)]
    assert federation.check(province) == []


def test_a_revision_and_what_was_built_meanwhile_come_by_the_next_reading_and_the_reason_stays(province, bi, hangzhou):
    reason = f"工单{case(30, '')['工单编号']}补录"
    taken = "select xmin::text, city_code from province.copied_agg_day where day_on = '2026-10-12' order by 1, 2"
    before = asked(province, taken)
    federation.refresh(province)
    assert asked(province, taken) == before != [], "nothing was built: no day is read again"
    deliver(hangzhou, [case(30, "交通局", **LATE)])
    build(hangzhou)
    evaluator = login(hangzhou, "f_hu", "evaluator")
    judge(evaluator, revise(hangzhou, MONTH, why=reason).closing_id)
    publish(evaluator, MONTH, why=UNWITNESSED)
    assert [one.trouble for one in federation.refresh(province)] == [None, None]
    intake = "select sum(intake) from {} where grain = 'city' and {}"
    assert asked(bi, intake.format("province.agg_day", "city_code = 'testcity'")) == [(len(FIRST) + 1,)]
    assert asked(hangzhou, intake.format("mart.agg_day", "true")) == [(len(FIRST) + 1,)]
    assert asked(
        bi, "select revision, is_newest, has_why, is_hash_proven from province.release where city_code = 'testcity'"
        " order by 1"
    ) == [(1, False, False, True), (2, True, True, False)]  # fmt: skip
    newest = "select unit_code, score_100 from publish.unit_score where revision = 2 order by 1"
    ranked = "select unit_code, score_100 from province.unit_rank where city_code = 'testcity' order by 1"
    assert asked(bi, ranked) == asked(hangzhou, newest)
    for name, text in everything(province, "^(province|city_testcity)$"):
        assert reason not in text and case(30, "")["工单编号"] not in text, name
    assert federation.check(province) == []


def test_a_city_that_took_the_connection_and_fell_silent_is_given_up(province, ningbo, monkeypatch):
    monkeypatch.setattr(federation, "ANSWERS_WITHIN", "1s")
    server = psutil.Process(embedded.status(ningbo).pid)
    processes = [server, *server.children(recursive=True)]
    for process in processes:
        process.suspend()
    try:
        assert [one.trouble for one in federation.refresh(province)] == ["silent", None]
    finally:
        for process in processes:
            process.resume()
    slow = "create view federation.feed as select told.* from federation.as_it_was as told, pg_sleep(9)"
    with database.connect(ningbo) as owner:
        owner.execute("alter view federation.feed rename to as_it_was")
        owner.execute(slow)
        owner.execute("grant select on federation.feed to minhu_province")
    with database.connect(province) as owner:
        owner.execute("update province.joined_city set build_id = null")
    monkeypatch.setattr(federation, "PATIENCE", "500ms")
    try:
        assert federation.refresh(province, ["ningbo"])[0].trouble == "silent"
    finally:
        with database.connect(ningbo) as owner:
            owner.execute("drop view federation.feed")
            owner.execute("alter view federation.as_it_was rename to feed")
    monkeypatch.undo()
    assert federation.refresh(province, ["ningbo"])[0].trouble is None


TAMPERED = {
    "a number": ("unit_score", "score_100", "score_100 + 1", "unit_score 第 1 行：内容被改动"),
    "a name": ("unit_indicator", "unit_code", "'U9'::text", "unit_indicator 第 3 行：内容被改动"),
    "a row left out": ("unit_score", None, "unit_code <> 'U1'", "unit_score 第 1 行缺失或重复"),
    "the last row left out": ("indicator", None, "row_no < 44", "应有 44 行，实有 43 行"),
    "whose period": ("release", "as_of", "as_of + interval '1 day'", "发布记录被改动"),
    "what it rests on": ("release", "inputs", "inputs || '{\"build_id\": 7}'", "输入指纹与所记输入不符"),
    "its evidence": ("release", "evidence_hash", "repeat('0', 64)", "scheme 第 30 行：与上一行的哈希不衔接"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_a_row_that_was_changed_on_its_way_is_refused_and_told(province, taizhou, ways, what):
    table, column, told, fault = TAMPERED[what]
    with tampering(taizhou, table, column, told):
        found = federation.join(province, "taizhou", *ways["taizhou"])
        assert (found.trouble, found.releases, found.is_reachable) == ("changed", 0, True)
        assert fault in found.told, found.told
        assert asked(province, "select count(*) from province.copied_unit_score where city_code = 'taizhou'") == [(0,)]
    assert federation.refresh(province, ["taizhou"])[0].trouble is None
    federation.leave(province, "taizhou")


class tampering:
    """Meanwhile a city gives ``told`` in place of a column, or the rows alone of which it holds."""

    def __init__(self, city: Settings, table: str, column: str | None, told: str):
        self.city, self.table, self.column, self.told = city, table, column, told

    def __enter__(self) -> None:
        with database.connect(self.city) as owner:
            names = database.columns(owner, f"federation.{self.table}")
            listed = ", ".join(f"{self.told} as {name}" if name == self.column else name for name in names)
            kept = "true" if self.column else self.told
            owner.execute(f"alter view federation.{self.table} rename to as_it_was")
            owner.execute(
                f"create view federation.{self.table} as select {listed} from federation.as_it_was where {kept}"
            )
            owner.execute(f"grant select on federation.{self.table} to minhu_province")

    def __exit__(self, *_: object) -> None:
        with database.connect(self.city) as owner:
            owner.execute(f"drop view federation.{self.table}")
            owner.execute(f"alter view federation.as_it_was rename to {self.table}")


def test_a_city_that_rewrites_what_was_read_of_it_is_told_and_what_was_read_stays(province, hangzhou, bi):
    kept = asked(bi, "select unit_code, score_100 from province.unit_score where city_code = 'testcity' order by 1")
    with tampering(hangzhou, "release", "hash", "repeat('a', 64)"):
        (found,) = federation.refresh(province, ["testcity"])
        assert (found.trouble, found.told) == ("rewritten", f"{MONTH} 第 1 次发布")
        assert federation.check(province) == [f"testcity: {CITY['rewritten'].en} ({MONTH} 第 1 次发布)"]
    with tampering(hangzhou, "release", None, "release_id < 0"):
        assert federation.refresh(province, ["testcity"])[0].trouble == "rewritten"
    with tampering(hangzhou, "unit_score", "hash", "repeat('a', 64)"):
        assert federation.check(province) == [
            f"testcity: {MONTH} 第 1 次发布：unit_score 第 1 行：{CITY['rewritten'].zh}"
        ]
    assert federation.refresh(province, ["testcity"])[0].trouble is None
    query = "select unit_code, score_100 from province.unit_score where city_code = 'testcity' order by 1"
    assert asked(bi, query) == kept != []


def test_a_copy_that_somebody_changed_in_the_province_is_told(province):
    with database.connect(province) as owner:
        owner.execute("update province.copied_unit_score set score_100 = 99 where city_code = 'ningbo' and row_no = 2")
        owner.execute("grant usage on foreign server city_ningbo to minhu_bi")
    try:
        *users, fault = federation.check(province)
        assert "minhu_bi may use the server city_ningbo" in users
        assert {one.partition(" ")[2] for one in users} == {"may use the server city_ningbo"}
        assert fault == f"ningbo: {MONTH} 第 1 次发布：unit_score 第 2 行：内容被改动"
    finally:
        with database.connect(province) as owner:
            owner.execute("revoke usage on foreign server city_ningbo from minhu_bi")
            owner.execute("delete from province.joined_city where city_code = 'ningbo'")
            owner.execute(
                "insert into province.joined_city (city_code, city_name, timezone, place)"
                " values ('ningbo', '测试市', 'Asia/Shanghai', 'x')"
            )
        assert federation.refresh(province, ["ningbo"])[0].trouble is None
    assert federation.check(province) == []


@pytest.mark.parametrize(
    ("done", "undone", "trouble"),
    [
        ("alter view federation.unit rename to unit_x", "alter view federation.unit_x rename to unit", "older"),
        ("alter schema federation rename to fed", "alter schema fed rename to federation", "older"),
        ("alter role f_testcity nologin", "alter role f_testcity login", "locked_out"),
        (
            "revoke select on federation.agg_day from minhu_province",
            "grant select on federation.agg_day to minhu_province",
            "locked_out",
        ),
    ],
)
def test_what_keeps_a_city_from_being_read_is_told_by_name(province, hangzhou, done, undone, trouble):
    with database.connect(hangzhou) as owner:
        owner.execute(done)
    with database.connect(province) as owner:
        owner.execute("update province.joined_city set build_id = null")
    try:
        assert federation.refresh(province, ["testcity"])[0].trouble == trouble
    finally:
        with database.connect(hangzhou) as owner:
            owner.execute(undone)
    assert federation.refresh(province, ["testcity"])[0].trouble is None


def test_a_city_of_a_later_version_waits_for_the_province(province, hangzhou):
    with database.connect(hangzhou) as owner:
        owner.execute("alter view federation.feed rename to as_it_was")
        owner.execute("create view federation.feed as select *, 1 as later from federation.as_it_was")
        owner.execute("grant select on federation.feed to minhu_province")
    try:
        (found,) = federation.refresh(province, ["testcity"])
        assert (found.trouble, found.told) == ("newer", "feed: later")
    finally:
        with database.connect(hangzhou) as owner:
            owner.execute("drop view federation.feed")
            owner.execute("alter view federation.as_it_was rename to feed")
    assert federation.refresh(province, ["testcity"])[0].trouble is None


def test_every_column_that_is_published_is_given_and_kept(province, hangzhou):
    """A column that a later migration adds to what is published needs its place in both, or its hashes do not fit."""
    with database.connect(hangzhou) as owner:
        for table in federation.PROVEN:
            whole = set(database.columns(owner, f"publish.{table}"))
            assert whole == set(database.columns(owner, f"federation.{table}")), table
            assert whole == set(database.columns(owner, f"province.copied_{table}", without=["city_code"])), table
        whole = set(database.columns(owner, "publish.release", without=["why"]))
        assert whole == set(database.columns(owner, "federation.release", without=federation.OURS))
        assert whole == set(database.columns(owner, "province.copied_release", without=federation.OURS))


def test_a_release_with_a_reason_is_proven_row_by_row(province):
    """The reason stays in the city; the hash that covers it is remembered, not computed."""
    with database.connect(province, rows=dict_row, autocommit=True) as owner:
        release = owner.execute("select * from province.copied_release where city_code = 'ningbo'").fetchone()
        kept = [*federation._rows(owner, "ningbo", release["release_id"])]

    def faults(**changed: object) -> list[str]:
        return [*federation._faults(release | changed, iter([(table, dict(row)) for table, row in kept]))]

    assert faults() == []
    assert faults(as_of=None) == [f"{MONTH} 第 1 次发布：发布记录被改动"]
    assert faults(as_of=None, has_why=True) == []
    assert faults(has_why=True, row_count=99) == [f"{MONTH} 第 1 次发布：应有 99 行，实有 {release['row_count']} 行"]


def test_a_server_that_logs_whatever_is_said_is_given_no_password(province, ways):
    server = embedded.start(province)
    with psycopg.connect(server.url("warehouse", roles.SUPERUSER), autocommit=True) as superuser:
        superuser.execute("alter role minhu_owner set log_statement = 'all'")
        try:
            with pytest.raises(Refused, match="writes whatever is said into its log"):
                federation.join(province, "testcity", *ways["testcity"])
        finally:
            superuser.execute("alter role minhu_owner reset log_statement")


def test_the_commands(province, ningbo, hangzhou, ways, tmp_path: Path):
    def run(home: Settings, *words: str, **more: str):
        return CliRunner().invoke(minhu, ["federation", *words], env=environment(home, **more))

    granted = run(ningbo, "grant", "f_anew")
    password = re.match(r"f_anew: (\S+)\n", granted.stdout)[1]
    url = re.search(r"join CITY_CODE (\S+)", granted.stderr)[1]
    assert url.startswith("postgresql://f_anew@127.0.0.1:") and password not in granted.stderr
    assert run(ningbo, "check").output == "all is as it should be\n"
    joined = run(province, "join", "ningbo", url, MINHU_CITY_PASSWORD=password)
    assert joined.exit_code == 0 and password not in joined.output
    assert joined.stdout.startswith(
        "ningbo 测试市: read as it is; its data reach to 2026-10-31; newest release 2026-10"
    )
    assert run(province, "refresh", "ningbo").exit_code == 0
    assert run(province, "list").stdout.count("2026-10-31") == 2
    checked = run(province, "check")
    assert (checked.exit_code, checked.stdout) == (0, "all is as it should be\n")
    assert run(province, "leave", "ningbo").stdout == "removed\n"
    assert asked(province, "select count(*) from province.agg_day where city_code = 'ningbo'") == [(0,)]
    assert run(province, "refresh", "nowhere").exit_code == 1
    federation.join(province, "ningbo", *ways["ningbo"])
