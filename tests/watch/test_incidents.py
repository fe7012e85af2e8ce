"""Faults become incidents and are told: a real mail server and a real web server on loopback, time as it is given."""

import base64
import hashlib
import hmac
import json
import tempfile
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import jwt
import pytest
import yaml
from click.testing import CliRunner

from bench import receivers
from bench.receivers import text
from minhu import database
from minhu.cli import minhu
from minhu.config import sync
from minhu.config.city import City
from minhu.declaration import read_declaration
from minhu.errors import BadDelivery, Refused
from minhu.load import load_delivery
from minhu.notify.web import cut
from minhu.publish import close
from minhu.services.airflow_api import Airflow
from minhu.settings import Settings
from minhu.warehouse.build import build
from minhu.watch import keeper
from minhu.watch.digest import digest, tell_day
from minhu.watch.faults import Fault, faults, short_disks
from minhu.watch.incidents import AGAIN, incidents, look, tell, told
from tests import given
from tests.publish import city as world
from tests.sources.web import Answer, Web

PHONE, NAME = "13912345678", "欧阳明哲"
MISSING = {"due_days": 0, "due_time": "00:00", "grace_minutes": 1}


@pytest.fixture(scope="module")
def post():
    with receivers.mail() as letters:
        yield letters


@pytest.fixture
def letters(post):
    post.taken.clear()
    post.answer = "250 taken"
    return post


def by_mail(letters, name="值班", role="engineer", **more):
    return letters.recipient(name, role, **more)


@pytest.fixture
def city(scratch, tmp_path, letters) -> Settings:
    """Two feeds whose deliveries of yesterday are missing; one person is told by mail."""
    feeds = [declared("h1"), declared("h2")]
    city = scratch(given.config(tmp_path / "config", feeds))
    sync(city)
    notify(city, by_mail(letters))
    return city


def declared(code: str) -> dict:
    source = given.CASES["source"] | {"path": f"{code}/cases_{{date}}.csv"}
    return given.feed(code, deliveries=[given.CASES | {"source": source}], arrival=MISSING)


def notify(city: Settings, *recipients: dict, **terms: object) -> None:
    file = city.config / "city.yml"
    said = yaml.safe_load(file.read_text(encoding="utf-8"))
    said["notify"] = {"recipients": list(recipients), **terms}
    file.write_text(yaml.safe_dump(said, allow_unicode=True), encoding="utf-8")


@pytest.fixture
def now(city) -> datetime:
    return datetime.now(city.zone)


@pytest.fixture
def day(now) -> date:
    return now.date() - timedelta(days=1)


def deliver(city, feed, day, row=None):
    given.case_file(city.drop / feed / f"cases_{day:%Y%m%d}.csv", [row or {}])
    return load_delivery(feed, "cases", day, settings=city)


def test_a_fault_is_told_once_for_each_step_and_closed_when_it_is_mended(city, letters, now, day):
    assert look(city, now) == (2, 0)
    assert look(city, now) == (0, 0), "found again it is the same incident"
    assert tell(city, now) == {"值班": None}
    assert tell(city, now) == {}
    (first,) = letters.taken
    assert first["Subject"] == "【民呼·测试市】未送达 2" and first["To"] == "ops@city.example"
    assert f"h1/cases {day} 未送达" in text(first) and "minhu deliveries waive h1" in text(first)

    assert tell(city, now + timedelta(minutes=239)) == {}
    for minutes, step in ((240, "再次提醒"), (1440, "最后提醒")):
        assert tell(city, now + timedelta(minutes=minutes)) == {"值班": None}
        assert tell(city, now + timedelta(minutes=minutes + 1)) == {}
        assert text(letters.taken[-1]).count(step) == 2
    assert tell(city, now + timedelta(days=9)) == {}, "three times and no more"

    deliver(city, "h1", day)
    assert look(city) == (0, 1)
    assert tell(city) == {"值班": None}
    assert letters.taken[-1]["Subject"].endswith("已消除 1") and "h1/cases" in text(letters.taken[-1])
    assert tell(city) == {} and len(letters.taken) == 4
    assert [one.feed_code for one in incidents(city)] == ["h2"]
    assert len(incidents(city, is_open=False)) == 2
    assert {(one["step"], one["state"]) for one in told(city)} == {
        (step, "sent") for step in ("first", "reminder", "last_time", "solved")
    }


def test_what_is_mended_before_anybody_heard_of_it_is_not_told(city, letters, now, day):
    look(city, now)
    deliver(city, "h1", day)
    deliver(city, "h2", day)
    look(city)
    assert tell(city) == {} and letters.taken == []


def test_the_same_fault_again_is_another_incident(city, letters, now, day):
    look(city, now)
    tell(city, now)
    for times in (1, 2):
        with database.connect(city) as connection:
            connection.execute("update config.entry set data = data || '{\"due_days\": 9}' where kind = 'arrival'")
        assert look(city) == (0, 2)
        with database.connect(city) as connection:
            connection.execute("update config.entry set data = data || '{\"due_days\": 0}' where kind = 'arrival'")
        assert look(city) == (2, 0)
        tell(city)
        assert len(incidents(city, is_open=False)) == 2 + 2 * times


def test_what_was_late_and_is_missing_was_not_mended(city, letters, now):
    with database.connect(city) as connection:
        connection.execute("update config.entry set data = data || '{\"grace_minutes\": 9000}' where kind = 'arrival'")
    look(city)
    tell(city)
    assert "迟到 2" in letters.taken[-1]["Subject"]
    with database.connect(city) as connection:
        connection.execute("update config.entry set data = data || '{\"grace_minutes\": 1}' where kind = 'arrival'")
    assert look(city) == (2, 2)
    tell(city)
    assert letters.taken[-1]["Subject"].endswith("】未送达 2") and "已消除" not in text(letters.taken[-1])


def test_who_is_told_of_what_follows_role_and_feeds(city, letters, now, day):
    notify(
        city,
        by_mail(letters, "工程师"),
        by_mail(letters, "考评", "evaluator"),
        by_mail(letters, "审计", "auditor"),
        by_mail(letters, "热线二", "owner", feeds=["h2"]),
    )
    given.case_file(city.drop / "h1" / f"cases_{day:%Y%m%d}.csv", [{}]).write_bytes(b"a,b\n1,2\n")
    with pytest.raises(BadDelivery):
        load_delivery("h1", "cases", day, settings=city)
    look(city)
    assert tell(city).keys() == {"工程师", "考评", "审计", "热线二"}
    said = [(letter["Subject"].partition("】")[2]) for letter in letters.taken]
    assert set(said[0].split("，")) == {"未送达 1", "整批拒收 1"}
    assert said[1:] == ["未送达 1", "整批拒收 1", "未送达 1"]
    assert "h1" not in text(letters.taken[3])


def test_in_quiet_hours_only_what_is_urgent_is_told(city, letters, now):
    notify(city, by_mail(letters), quiet=["22:00", "07:00"], reminder_minutes=1000, last_minutes=2000)
    night = now.replace(hour=23, minute=0)
    look(city, night, more=(Fault("disk", "磁盘剩余 1 GB", "扩容", night),))
    tell(city, night)
    assert letters.taken[-1]["Subject"].endswith("】磁盘 1")
    assert tell(city, night + timedelta(hours=7, minutes=59)) == {}
    tell(city, night + timedelta(hours=8))
    assert letters.taken[-1]["Subject"].endswith("】未送达 2")


def test_a_server_that_does_not_take_it_is_asked_again_and_nothing_is_lost_or_doubled(city, letters, now):
    letters.answer = "451 later"
    look(city, now)
    refusal = tell(city, now)["值班"]
    assert refusal and letters.taken == []
    assert {one["state"] for one in told(city)} == {"failed"} and told(city)[0]["error"]
    assert tell(city, now + AGAIN / 2) == {}
    letters.answer = "250 taken"
    assert tell(city, now + AGAIN) == {"值班": None}
    assert len(letters.taken) == 1 and tell(city, now + 2 * AGAIN) == {}
    assert {(one["state"], one["attempts"], one["error"]) for one in told(city)} == {("sent", 2, None)}


def test_a_sender_that_died_is_followed_by_one_message_under_the_same_key(city, letters, now, monkeypatch):
    look(city, now)
    with monkeypatch.context() as patch:
        patch.setattr("minhu.watch.incidents.send", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            tell(city, now)
    assert {one["state"] for one in told(city)} == {"sending"}
    assert tell(city, now) == {}, "it may still be on its way"
    assert tell(city, now + AGAIN) == {"值班": None}
    key = letters.taken[0]["Message-ID"]
    with database.connect(city) as connection:
        connection.execute(
            "update audit.incident_told set state = 'sending'"
        )  # it was sent, and nobody wrote that down
    tell(city, now + 3 * AGAIN)
    assert letters.taken[1]["Message-ID"] == key


def test_whose_sender_died_before_the_fault_was_mended_hears_that_it_is(city, letters, now, day, monkeypatch):
    """Nobody knows whether the first word arrived; nothing stays on its way for ever."""
    look(city, now)
    with monkeypatch.context() as patch:
        patch.setattr("minhu.watch.incidents.send", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            tell(city, now)
    with database.connect(city) as connection:
        connection.execute("update audit.incident set closed_at = clock_timestamp()")
    assert tell(city, now) == {}, "it may still be on its way"
    assert tell(city, now + AGAIN) == {"值班": None}
    assert "已消除" in letters.taken[0].get_content()
    told_of = {(one["step"], one["state"]) for one in told(city)}
    assert told_of == {("first", "failed"), ("solved", "sent")}
    assert all("是否送达不明" in one["error"] for one in told(city) if one["step"] == "first")
    assert tell(city, now + 3 * AGAIN) == {}


def test_the_digest_comes_once_each_morning(city, letters, now, day):
    deliver(city, "h1", day)
    look(city)
    morning = now.replace(hour=8, minute=29)
    assert tell_day(city, morning) == {}
    assert tell_day(city, morning + timedelta(minutes=1)) == {"值班": None}
    assert tell_day(city, morning + timedelta(minutes=30)) == {}
    (letter,) = letters.taken
    assert letter["Subject"] == f"【民呼·测试市】{now:%m-%d} 日报"
    said = text(letter)
    assert f"业务日期 {day} 的送达：应到 2，待判定 1，未送达 1" in said and "未到：h2/cases" in said
    assert "收到 1 行，入库 1" in said and "未消除的事件：未送达 1" in said
    assert digest(city, morning + timedelta(minutes=1)) == said.strip()
    assert tell_day(city, morning + timedelta(hours=13)) == {}, "at night nobody wants the morning's"


def test_group_chats_get_the_form_and_the_signature_that_their_bots_ask_for(city, letters, now, monkeypatch):
    recipients = [
        {"name": kind, "role": "engineer", "by": {"type": kind, "address": f"bot_{kind}", "secret": "bot_key"}}
        for kind in ("dingtalk", "feishu")
    ]
    recipients.append({"name": "wecom", "role": "engineer", "by": {"type": "wecom", "address": "bot_wecom"}})
    hook = {"type": "webhook", "secret": "bot_key"}
    with Web() as web:
        web.answer = [Answer({"errcode": 0}), Answer({"code": 0}), Answer({"errcode": 0}), Answer({})]
        recipients.append({"name": "程序", "role": "engineer", "by": hook | {"url": f"{web.url}/incidents"}})
        notify(city, *recipients)
        monkeypatch.setenv("MINHU_SECRET_BOT_KEY", "Schluessel-77")
        for kind in ("dingtalk", "feishu", "wecom"):
            monkeypatch.setenv(f"MINHU_SECRET_BOT_{kind.upper()}", f"{web.url}/{kind}?token=Geheim-12")
        look(city, now)
        assert tell(city, now) == dict.fromkeys(["dingtalk", "feishu", "wecom", "程序"])
        ding, feishu, wecom, program = web.asked
    body = json.loads(ding.body)
    assert body["msgtype"] == "markdown" and "未送达 2" in body["markdown"]["title"]
    signed = f"{ding.params['timestamp']}\nSchluessel-77".encode()
    wanted = base64.b64encode(hmac.new(b"Schluessel-77", signed, hashlib.sha256).digest()).decode()
    assert ding.params["sign"] == wanted and ding.params["token"] == "Geheim-12"
    body = json.loads(feishu.body)
    signed = f"{body['timestamp']}\nSchluessel-77".encode()
    assert body["sign"] == base64.b64encode(hmac.new(signed, b"", hashlib.sha256).digest()).decode()
    assert body["msg_type"] == "text" and "h1/cases" in body["content"]["text"]
    assert "h2/cases" in json.loads(wecom.body)["markdown"]["content"]
    told_it = json.loads(program.body)
    assert {one["feed_code"] for one in told_it["incidents"]} == {"h1", "h2"} and told_it["key"]
    assert {one["step"] for one in told_it["incidents"]} == {"first"}


def test_a_bot_that_refuses_is_told_without_its_address(city, letters, now, monkeypatch):
    notify(city, {"name": "群", "role": "engineer", "by": {"type": "wecom", "address": "bot"}})
    with Web() as web:
        web.answer = [Answer({"errcode": 93000, "errmsg": "invalid webhook url"})]
        monkeypatch.setenv("MINHU_SECRET_BOT", f"{web.url}/send?key=Geheim-12")
        look(city, now)
        refusal = tell(city, now)["群"]
    assert "93000" in refusal.words and "Geheim-12" not in refusal.words
    refusal = tell(city, now + AGAIN)["群"]
    assert "away" in refusal.words and "Geheim-12" not in refusal.words
    assert "Geheim-12" not in json.dumps(told(city), default=str)


def test_long_messages_are_cut_at_a_line_and_say_so():
    assert cut("a\nb", 100) == "a\nb"
    short = cut("\n".join(f"{number} 未送达" for number in range(999)), 4000)
    assert len(short.encode()) <= 4000 and short.endswith("行未列出，见 minhu incidents list")
    assert int(short.rpartition("另有 ")[2].partition(" 行")[0]) + len(short.splitlines()) - 1 == 999


def test_nothing_of_a_citizen_is_in_any_message_or_row(city, letters, now, day):
    row = {"来电号码": PHONE, "主要内容": f"{NAME}反映，电话{PHONE}", "受理时间": "不是时间"}
    with pytest.raises(BadDelivery, match="BAD_TIMESTAMP"):
        deliver(city, "h1", day, row)
    look(city)
    tell(city)
    said = "\n".join(map(text, letters.taken)) + digest(city)
    with database.connect(city) as connection:
        said += str(connection.execute("select * from audit.incident").fetchall())
    assert "整批拒收" in said and PHONE not in said and NAME not in said and PHONE[-8:] not in said


def test_a_build_that_failed_and_what_waits_for_approval_are_faults(city, now):
    with database.connect(city) as connection:
        connection.execute(
            "insert into audit.build (config_version, code_version, status, started_at, finished_at)"
            " select max(config_version), 'x', 'failed', now(), now() from config.version"
        )
    look(city, now)
    kinds = {one.kind: one for one in incidents(city)}
    assert kinds["build_failed"].is_urgent and "没有成功的构建" in kinds["build_failed"].what
    with database.connect(city) as connection:
        connection.execute(
            "insert into audit.build (config_version, code_version, status, started_at, finished_at)"
            " select max(config_version), 'x', 'succeeded', now(), now() from config.version"
        )
    look(city)
    assert "build_failed" not in {one.kind for one in incidents(city)}


def test_a_load_that_is_tried_again_by_itself_is_a_fault_when_it_does_not_mend(city, day, now):
    now = now.replace(hour=12)  # forty minutes on it is the same day
    given.case_file(city.drop / "h1" / f"cases_{day:%Y%m%d}.csv", [{}])
    with database.connect(city) as connection:
        connection.execute(
            "insert into audit.attempt (feed_code, delivery, business_date, source_name, outcome, reason_code, reason,"
            " attempted_at) select 'h1', 'cases', %s, 'h1/cases.csv', 'failed', 'NOT_NOW', 'the server is away',"
            " %s + minutes * interval '1 minute' from unnest(array[0, 10, 20, 35]) as minutes",
            [day, now],
        )

    def found(minutes):
        with database.connect(city) as connection:
            at = now + timedelta(minutes=minutes)
            return {one.kind for one in faults(connection, city, at) if one.feed_code == "h1"}

    assert found(20) == set()
    assert found(40) == {"arrived"}


def test_a_batch_that_no_build_took_for_a_day_is_a_fault(city, day):
    deliver(city, "h1", day)
    look(city)
    assert "not_built" not in {one.kind for one in incidents(city)}
    with database.connect(city) as connection:
        connection.execute("update audit.batch set loaded_at = loaded_at - interval '27 hours'")
    look(city)
    (one,) = [one for one in incidents(city) if one.kind == "not_built"]
    assert one.what.startswith("1 个可构建的批次")


def test_what_came_in_time_and_is_not_built_by_the_declared_hour_is_a_fault(city, day):
    deliver(city, "h1", day)
    with database.connect(city) as connection:
        [at] = database.one(connection, "select max(loaded_at) from audit.batch")
    after = at.astimezone(city.zone) + timedelta(days=1)

    def found(clock):
        with database.connect(city) as connection:
            return [one.what for one in faults(connection, city, after.replace(hour=clock)) if one.kind == "build_late"]

    assert found(8) == []
    assert found(9) == ["06:00 前到达的 1 个批次，09:00 仍未构建"]
    with database.connect(city) as connection:
        connection.execute("update audit.batch set loaded_at = %s", [after.replace(hour=7)])
    assert found(9) == []  # it came after the cut-off: the next build is not late


def test_a_clock_a_full_disk_and_a_calendar_that_ends_are_faults(city, letters, now, monkeypatch):
    monkeypatch.setattr("minhu.watch.faults.here", lambda: datetime.now(UTC) + timedelta(seconds=90))
    monkeypatch.setattr("minhu.watch.faults.FREE_GB", 10**6)
    with database.connect(city) as connection:
        connection.execute("delete from mart.dim_date where date_on > %s", [now.date() + timedelta(days=3)])
    look(city)
    tell(city)
    said = text(letters.taken[0])
    assert "相差 90 秒" in said or "相差 89 秒" in said
    assert "剩余" in said and said.index("磁盘") < said.index("未送达"), "urgent ones first"
    kinds = {one.kind for one in incidents(city)}
    assert {"clock_off", "disk"} <= kinds


def test_a_full_disk_of_the_logs_is_told_though_the_home_has_room(city, letters, monkeypatch):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        city.logs.symlink_to(elsewhere)
        room = {city.logs: SimpleNamespace(total=1000, free=100), city.home: SimpleNamespace(total=1e13, free=1e12)}
        monkeypatch.setattr("minhu.watch.faults.shutil.disk_usage", room.__getitem__)
        assert short_disks(city) == []
        room[city.logs].free = 99
        look(city)
        assert [one.subject.split()[-1] for one in incidents(city) if one.kind == "disk"] == [str(city.logs)]
        room[city.logs].free = 100
        look(city)
        assert "disk" not in {one.kind for one in incidents(city)}


def test_what_is_built_after_a_closing_is_told_and_changes_it_not(scratch, tmp_path, letters):
    october = world.make(scratch, tmp_path)
    notify(october, by_mail(letters, role="evaluator"))
    world.login(october, "i_shen", "evaluator")
    closed = close(october, "2026-10")
    look(october)
    assert "closing_outdated" not in {one.kind for one in incidents(october)}
    world.deliver(october, [world.case(1, "城管局", **world.LATE), world.case(77, "交通局")], world.LAST)
    build(october)
    look(october)
    (one,) = [one for one in incidents(october) if one.kind == "closing_outdated"]
    assert "1 个批次涉及该周期的 2 件工单" in one.what and one.subject == f"closing {closed.closing_id}"
    tell(october)
    assert "关账后有新数据" in letters.taken[0]["Subject"] and "minhu revise" in text(letters.taken[0])
    assert read_closing_hash(october, closed.closing_id) == closed.content_hash
    look(october)
    close(october, "2026-10")  # anew, on the newest data
    look(october)
    assert "closing_outdated" not in {one.kind for one in incidents(october)}


def read_closing_hash(city, closing_id):
    with database.connect(city) as connection:
        return database.one(connection, "select content_hash from publish.closing where closing_id = %s", [closing_id])[
            0
        ]


def test_the_keeper_looks_and_tells_and_a_silent_scheduler_is_one_of_the_faults(city, letters, monkeypatch):
    heard = datetime.now(UTC) - timedelta(minutes=9)
    silent = {
        "scheduler": ("healthy", heard),
        "triggerer": ("healthy", datetime.now(UTC)),
        "metadatabase": ("healthy", None),
    }
    failed = {"warehouse": ("r1", heard)}
    told_by = {"health": lambda _: silent, "queued": lambda *_: [], "failed": lambda *_: failed}
    airflow = type("A", (), told_by)
    monkeypatch.setattr("minhu.watch.keeper.services.airflow", lambda _: airflow())
    begun = keeper.once(city)
    assert begun[:2] == ["incidents: 3 opened, 0 closed", "incidents to 值班: sent"]
    assert "Airflow 的 scheduler 没有响应" in text(letters.taken[0])
    silent["scheduler"] = ("healthy", datetime.now(UTC))
    assert keeper.once(city)[0] == "incidents: 1 opened, 1 closed"
    assert {one.kind for one in incidents(city)} == {"missing", "run_failed"}
    silent["scheduler"] = ("unhealthy", heard)
    assert keeper.once(city)[0] == "incidents: 1 opened, 0 closed", "what cannot be asked for now is not mended"


def test_that_airflow_lets_the_keeper_in_no_longer_keeps_no_other_fault_from_being_told(city, letters, monkeypatch):
    def refuse(*_):
        raise Refused("Airflow answered 403: Invalid JWT token")

    monkeypatch.setattr("minhu.watch.keeper.services.airflow", lambda _: type("A", (), {"health": refuse})())
    assert keeper.once(city)[0] == "incidents: 3 opened, 0 closed"
    assert {one.kind for one in incidents(city)} == {"missing", "airflow_silent"}


def test_a_token_is_good_for_a_server_whose_clock_is_behind():
    claims = jwt.decode(Airflow("http://127.0.0.1:1", "k" * 64)._token(), options={"verify_signature": False})
    behind = datetime.now(UTC).timestamp() - 90
    assert max(claims["iat"], claims["nbf"]) <= behind < claims["exp"]


def test_what_stands_on_another_machine_is_closed_there(city, now, tmp_path):
    full = Fault("disk", "剩余 1 GB", "扩容", now, subject="/data")
    look(city, now, more=(full,))
    other = replace(city, home=tmp_path / "other")
    other.home.mkdir()
    assert look(other, now) == (0, 0) and look(other, now, more=(full,)) == (1, 0)
    assert look(city, now) == (0, 1)
    (left,) = [one for one in incidents(city) if one.kind == "disk"]
    assert str(other.home) in left.subject


def test_a_portal_is_linked_where_there_is_one(city, letters, now, monkeypatch):
    monkeypatch.setenv("MINHU_PORTAL_URL", "https://minhu.city.example/")
    look(city, now)
    tell(city, now)
    assert "https://minhu.city.example/incidents" in text(letters.taken[0])


def test_the_commands(city, letters, now):
    env = {"HOME": city.home, "CONFIG": city.config, "DROP": city.drop, "DATABASE_URL": city.database_url}
    env = {f"MINHU_{name}": str(value) for name, value in env.items()}

    def said(*command):
        done = CliRunner().invoke(minhu, ["incidents", *command], env=env)
        assert done.exit_code == 0, done.output
        return done.output

    assert "2 opened" in said("look") and "nothing new" in said("look")
    assert "未送达" in said("list") and '"feed_code": "h1"' in said("list", "--json")
    assert "值班" in said("told") and "应到 2" in said("digest")
    assert "值班: 已送达" in said("probe")
    letters.answer = "550 no"
    done = CliRunner().invoke(minhu, ["incidents", "probe"], env=env)
    assert done.exit_code == 1 and "值班: " in done.output


def test_a_slip_in_the_declaration_is_told_with_its_place(city, letters):
    notify(city, by_mail(letters, "甲", "owner"))
    with pytest.raises(Exception, match=r"recipients\.0.*name them|recipients.*feeds"):
        read_declaration(City, city.config / "city.yml")
