"""What an auditor takes home: asked for by one, allowed by another, nothing of a citizen in it, and what it proves."""

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import psycopg
import pyrage
import pytest
from click.testing import CliRunner

from minhu import assess, database
from minhu.audit import bundle
from minhu.audit.bundle.contents import MANIFEST, PARTS, SLICED
from minhu.cli import minhu
from minhu.errors import Refused
from minhu.load import load_file
from minhu.privacy import access_log
from minhu.publish import access_log_chain, close, publish, revise
from minhu.schemes.scheme import Scheme
from minhu.settings import Settings
from minhu.warehouse.build import build
from tests import given
from tests.publish import city as world
from tests.publish.city import IN_TIME, LATE, UNWITNESSED, case, deliver, login
from tests.scenarios.city import confirm

MONTH = "2026-10"
PLANTED = {
    "phone": "13912345678",
    "masked phone": "139****5678",
    "name of a caller": "欧阳锦瑟",
    "text": "下水道堵塞致污水倒灌",
    "note": "已请管道公司疏通到位",
    "reason of a callback": "师傅来得太慢",
    "address": "文一西路八百号",
    "name that no register knows": "诸葛云台工作室",
    "reason of a decision": "经查确属他人管线",
    "coordinate": "120.0987",
    "reason in place of a code": "尉迟师傅反映",
}
TEXTED = {
    "主要内容": f"{PLANTED['text']}，联系{PLANTED['name of a caller']} {PLANTED['phone']}",
    "来电号码": PLANTED["phone"],
    "来电人": PLANTED["name of a caller"],
    "经度": PLANTED["coordinate"],
    "备注": PLANTED["note"],
}


def with_repeats(scheme: str) -> str:
    """The scheme, counting repeats in the place of returns."""
    assert scheme.count("code: return_rate") == scheme.count("measure: return_rate") == 1
    for key in ("code", "measure"):
        scheme = scheme.replace(f"{key}: return_rate", f"{key}: repeat_rate")
    return scheme


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory) -> Settings:
    """October, published: a caller who calls twice, an event and a callback with texts, a decision, a transfer."""
    rows = [
        *world.FIRST,
        case(20, "城管局", **LATE, **TEXTED),
        case(21, "城管局", **IN_TIME, **TEXTED, 受理时间="2026-10-12 08:40:00"),
        case(22, PLANTED["name that no register knows"], **LATE, **TEXTED),
        case(23, "城管局", **LATE),
        case(24, "交通局", **LATE),
        case(26, "某单位", **IN_TIME, 来电号码="13600000000"),  # of no unit: no evidence names it
        case(30, "城管局", 受理时间="2026-07-01 08:30:00", 转办时间="2026-07-01 09:00:00", 办理期限="2026-07-10 00:00",
             办结时间="2026-07-02 09:00:00", 来电号码="13700000000"),
    ]  # fmt: skip
    city = world.make(scratch, tmp_path_factory.mktemp("bundle"), rows, scheme=with_repeats)
    events = [
        {"case_no": case(20, "")["工单编号"], "event_type": "URGE", "occurred_at": "2026-10-14 09:00:00",
         "unit_name": "城管局", "note": f"{PLANTED['note']} {PLANTED['phone']}",
         "reason_code": PLANTED["reason in place of a code"]},
        {"case_no": case(24, "")["工单编号"], "event_type": "MERGE", "occurred_at": "2026-10-25 09:00:00",
         "result_code": case(8, "")["工单编号"], "note": ""},
    ]  # fmt: skip
    calls = [
        {"case_no": case(20, "")["工单编号"], "called_at": "2026-10-23 09:00:00", "is_reached": "true",
         "contact_code": "yes", "resolution_code": "unresolved", "satisfaction_scale": "five",
         "satisfaction_code": "dissatisfied", "reason": PLANTED["reason of a callback"]},
        {"case_no": case(1, "")["工单编号"], "called_at": "2026-10-23 10:00:00", "is_reached": "true",
         "contact_code": "yes", "resolution_code": "resolved", "satisfaction_scale": "five",
         "satisfaction_code": "satisfied", "reason": ""},
    ]  # fmt: skip
    for name, told in (("events", events), ("callbacks", calls)):
        path = given.csv_file(city.drop / "h1" / f"{name}.csv", told)
        loaded = load_file("h1", name, path, world.LAST, settings=city)
        assert loaded.rejected == 0
    with database.connect(city) as owner:
        owner.execute("update audit.batch set status = 'accepted'")
        owner.execute("update staging.case_record set address = %s", [PLANTED["address"]])
    build(city)
    return city


@pytest.fixture(scope="module")
def people(city) -> dict[str, Settings]:
    return {
        "owner": city,
        "ping": login(city, "b_ping", "evaluator"),
        "gu": login(city, "b_gu", "evaluator"),
        "shen": login(city, "b_shen", "auditor"),
        "wu": login(city, "b_wu", "auditor"),
        "bao": login(city, "b_bao", "bi"),
        "d1": login(city, "b_d1", "unit", unit="U1"),
    }


@pytest.fixture(scope="module")
def released(city, people) -> Settings:
    about = {"feed_code": "h1", "case_no": case(23, "")["工单编号"]}
    assess.record(people["gu"], "exclude", **about, reason_code="beyond_duty", reason=PLANTED["reason of a decision"])
    confirm(people["ping"])
    build(city)
    world.judge(people["ping"], close(city, MONTH))
    publish(city, MONTH, why=UNWITNESSED)
    return city


def allowed(people, **which) -> int:
    asked = bundle.ask(people["shen"], MONTH, why="抽查 2026-31 号", **which)
    assert bundle.allow(people["wu"], asked.request_id, why="方案已批准").state == "allowed"
    return asked.request_id


@pytest.fixture(scope="module")
def taken(released, people, tmp_path_factory) -> bundle.Taken:
    return bundle.take(people["shen"], allowed(people), tmp_path_factory.mktemp("home") / "bundle.zip")


def opened(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def rows(file: Path, part: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(opened(file)[f"{part}.csv"].decode())))


def logged(people) -> list[tuple]:
    return [
        (one["subject"], one["accessed_by"], one["about"], one["why"])
        for one in access_log.entries(people["shen"])
        if one["subject"].startswith("bundle")
    ]


def test_one_asks_another_allows_and_the_log_has_each_step(people, taken):
    steps = logged(people)[:3]
    assert [(subject, by, why) for subject, by, _, why in steps] == [
        ("bundle_request", "b_shen", "抽查 2026-31 号"),
        ("bundle_allowance", "b_wu", "方案已批准"),
        ("bundle", "b_shen", "抽查 2026-31 号"),
    ]
    assert MONTH in steps[0][2] and "b_shen" in steps[1][2] and f"cases {taken.cases}" in steps[2][2]
    assert access_log_chain.check(people["shen"]).is_ok


def test_nobody_takes_what_another_person_has_not_allowed(people, taken, tmp_path):
    out = tmp_path / "no.zip"
    for who in ("ping", "d1"):
        with pytest.raises(Refused, match=r"may not do this"):
            bundle.ask(people[who], MONTH, why="x")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        bundle.ask(people["bao"], MONTH, why="x")
    with pytest.raises(Refused, match="is missing: say it in a few words"):
        bundle.ask(people["shen"], MONTH, why=" ")
    asked = bundle.ask(people["shen"], MONTH, why="x").request_id
    with pytest.raises(Refused, match="is not allowed yet"):
        bundle.take(people["shen"], asked, out)
    with pytest.raises(Refused, match="is yours: another auditor allows it"):
        bundle.allow(people["shen"], asked, why="x")
    with pytest.raises(Refused, match="may not do this"):
        bundle.allow(people["ping"], asked, why="x")
    bundle.allow(people["wu"], asked, why="x")
    with pytest.raises(Refused, match="is allowed already"):
        bundle.allow(people["wu"], asked, why="x")
    with pytest.raises(Refused, match="you asked for no bundle under the number"):
        bundle.take(people["wu"], asked, out)
    with database.connect(people["owner"]) as owner:
        owner.execute("alter table audit.bundle_allowance disable trigger user")
        owner.execute("update audit.bundle_allowance set allowed_at = now() - interval '8 days'")
        owner.execute("alter table audit.bundle_allowance enable trigger user")
    with pytest.raises(Refused, match="for 7 days: ask again"):
        bundle.take(people["shen"], asked, out)
    assert list(tmp_path.iterdir()) == []


READERS = [function for _, function, *_ in SLICED]


@pytest.mark.parametrize("reader", READERS)
def test_a_taking_whose_log_could_be_taken_back_is_not_answered(people, taken, reader):
    read = f"select * from {reader}(%s, 0)"
    asked = allowed(people)
    before = logged(people)
    nothing = pytest.raises(psycopg.errors.RaiseException, match="no bundle was taken under the number")
    with database.connect(people["shen"]) as shen, database.connect(people["wu"]) as wu:
        shen.execute("set transaction read write")
        number = database.one(shen, "select audit.take_bundle(%s)", [asked])[0]
        with nothing, shen.transaction():
            shen.execute(read, [number])
        shen.rollback()
        assert logged(people) == before
        with nothing, wu.transaction():
            wu.execute(read, [taken.entry_id])
        with nothing, shen.transaction():
            shen.execute(read, [None])
        assert shen.execute(read, [taken.entry_id]).fetchall()


def test_two_who_take_at_once_do_not_wait_for_each_other(people, released):
    by_wu = bundle.ask(people["wu"], MONTH, why="x").request_id
    bundle.allow(people["shen"], by_wu, why="x")
    requests = {"shen": allowed(people), "wu": by_wu}
    with database.connect(people["shen"]) as shen, database.connect(people["wu"]) as wu:
        for login, who in ((shen, "shen"), (wu, "wu")):
            login.execute("set transaction read write; set local lock_timeout = '2s'")
            assert database.one(login, "select audit.take_bundle(%s)", [requests[who]])[0]


def test_nothing_of_a_citizen_is_in_it(taken):
    whole = b"".join(opened(taken.file).values()).decode()
    assert {what for what, text in PLANTED.items() if text in whole} == set()
    for record in rows(taken.file, "staging.case_record"):
        assert record["caller_token"].startswith("caller ")


def test_each_planted_thing_is_in_the_warehouse(released):
    """Else the test above would prove nothing."""
    told = world.rows(
        released,
        "select to_jsonb(r)::text from staging.case_record as r"
        " union all select to_jsonb(e)::text from staging.case_event as e"
        " union all select to_jsonb(c)::text from staging.callback as c"
        " union all select to_jsonb(x)::text from assess.exclusion as x",
    )
    whole = "".join(text for (text,) in told)
    hidden_before = {"phone", "name of a caller"}  # masked on their way in, or in a column that never arrives
    assert {what for what, text in PLANTED.items() if text not in whole} <= hidden_before
    tokens = world.rows(released, "select distinct caller_token from staging.case_record")
    assert len(tokens) == 4


def test_callers_are_numbered_anew_and_the_same_one_stays_the_same(released, taken):
    by_case = {row["case_no"][-5:]: row["caller_token"] for row in rows(taken.file, "staging.case_record")}
    assert by_case["00020"] == by_case["00021"] == by_case["00022"] != by_case["00001"]
    whole = b"".join(opened(taken.file).values()).decode()
    for (token,) in world.rows(released, "select distinct caller_token from staging.case_record"):
        assert token not in whole


def test_it_holds_the_cases_of_the_period_and_no_others(taken, released):
    told = {row["case_no"][-5:] for row in rows(taken.file, "staging.case_record")}
    assert "00030" not in told  # of July, done in July
    assert told == {f"{number:05}" for number in (*range(1, 9), *range(20, 25), 26)}
    assert taken.cases == len(told)
    numbers = dict(
        world.rows(released, "select right(case_no, 2), case_id from mart.fct_case where case_no ~ '2[01]$'")
    )
    assert (numbers["21"], numbers["20"]) in {
        (row["case_id"], row["repeat_of_case_id"]) for row in rows(taken.file, "taken.repeat")
    }


def test_whatever_moment_a_duty_has_makes_its_case_one_of_the_period(released):
    """A column that the facts gain later is thought about."""
    ((body,),) = world.rows(released, "select prosrc from pg_proc where proname = 'bundle_select'")
    moments = world.rows(
        released,
        "select attname from pg_attribute where attrelid = 'mart.fct_timeliness'::regclass"
        " and atttypid = 'timestamptz'::regtype and not attisdropped",
    )
    assert len(moments) > 10
    assert [name for (name,) in moments if body.count(f"duty.{name}") != 2] == []


def test_every_column_of_staging_travels_or_is_left_out(taken):
    manifest = json.loads(opened(taken.file)[MANIFEST])
    told = {part["name"]: set(part["left_out"]) for part in manifest["parts"]}
    needed = {
        "staging.case_record": "feed_code case_no upstream_feed_code upstream_case_no request_type category_code"
        " urgency received_at caller_token milestones source_updated_at batch_id row_number row_hash is_deleted"
        " is_confidential dispatch_source",
        "staging.case_event": "case_feed_code case_no source_event_no event_type occurred_at occurred_precision"
        " unit_name unit_role due_at limit_kind result_code reason_code feed_code batch_id row_number row_hash"
        " is_deleted",
        "staging.callback": "case_feed_code case_no unit_name round called_at is_reached reach_code contact_code"
        " resolution_code satisfaction_scale satisfaction_code attitude_code feed_code batch_id row_number row_hash"
        " is_deleted",
    }
    columns = {part["name"]: set(part["columns"]) for part in manifest["parts"]}
    for name, travels in needed.items():
        assert columns[name] == told[name] | set(travels.split()), name


def test_channels_and_areas_travel_where_the_scheme_counts_only_rows_of_some(released, taken):
    rows = """update config.entry set data = jsonb_set(data, '{indicators,0,rows}', %s) where kind = 'scheme'"""
    asks = "select audit.bundle_asks(max(request_id), 'areas'), audit.bundle_asks(max(request_id), 'channels')"
    with database.connect(released) as owner:
        owner.execute("set local session_replication_role = replica")
        asked = f"{asks} from audit.bundle_request"
        assert owner.execute(asked).fetchone() == (False, False)
        owner.execute(rows, ['{"areas": ["330112"], "channels": null}'])
        assert owner.execute(asked).fetchone() == (True, False)
        owner.execute(rows, ['{"areas": null, "channels": ["电话"]}'])
        assert owner.execute(asked).fetchone() == (False, True)
        owner.rollback()


def test_the_manifest_names_what_is_taken_and_what_is_left_out(taken):
    manifest = json.loads(opened(taken.file)[MANIFEST])
    assert {one["what"]: one["mark"] for one in manifest["taken"]}["repeat_of_case_id"] == "taken, not recomputed"
    parts = {part["name"]: part for part in manifest["parts"]}
    assert set(parts) == {part.table for part in PARTS} | {part.table for part in SLICED}
    assert {"title", "content", "address", "caller_masked", "payload"} <= set(parts["staging.case_record"]["left_out"])
    for name, part in parts.items():
        held = rows(taken.file, name)
        assert len(held) == part["rows"], name
        for column in part["left_out"]:
            assert {row.get(column, "") for row in held} <= {"", "—", "[]"}, (name, column)


def test_an_untouched_one_agrees(taken, released):
    found = bundle.verify_bundle(released, taken.file)
    assert found.is_ok, bundle.render_bundle_verification(found)
    assert found.differences == () and found.notes == ()
    assert "照录未重算  重复件的认定" in bundle.render_bundle_verification(found)


def altered(file: Path, out: Path, changes: dict[str, Callable[[list[dict]], list[dict]]], honest: set[str]) -> Path:
    """The bundle with other rows. Of the parts named in ``honest`` the manifest still says what it said."""
    parts = opened(file)
    manifest = json.loads(parts[MANIFEST])
    for name, change in changes.items():
        text = io.StringIO(parts[f"{name}.csv"].decode())
        reader = csv.reader(text)
        head, *lines = reader
        # csv tells no null from an empty text: an unquoted cell stays as it is, since none of these is empty on purpose
        kept = change([dict(zip(head, line, strict=True)) for line in lines])
        assert kept != [dict(zip(head, line, strict=True)) for line in lines], name
        put = io.StringIO()
        writer = csv.DictWriter(put, head, lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
        parts[f"{name}.csv"] = put.getvalue().encode()
        if name not in honest:
            (part,) = [one for one in manifest["parts"] if one["name"] == name]
            part |= {"rows": len(kept), "sha256": hashlib.sha256(parts[f"{name}.csv"]).hexdigest()}
    parts[MANIFEST] = json.dumps(manifest).encode()
    with zipfile.ZipFile(out, "w") as packed:
        for name, content in parts.items():
            packed.writestr(name, content)
    return out


def test_altered_rows_are_told_to_the_row(taken, released, tmp_path):
    """A version of a fact, a score, a decision, what was taken: whoever has the bundle may write its manifest, too."""
    no = {number: case(number, "")["工单编号"] for number in (5, 21, 23)}
    ((repeats,),) = world.rows(released, "select case_id from mart.fct_case where case_no = %s", no[21])

    def in_time(records):
        return [
            row | {"milestones": row["milestones"].replace("2026-10-21", "2026-10-14")}
            if row["case_no"] == no[5]
            else row
            for row in records
        ]

    def one_more(scores):
        return [row | {"raw_points": "99.99"} if row["unit_code"] == "U2" else row for row in scores]

    changes = {
        "staging.case_record": in_time,
        "publish.unit_score": one_more,
        "assess.exclusion": lambda made: [],
        "taken.repeat": lambda given: [row for row in given if row["case_id"] != repeats],
    }
    file = altered(taken.file, tmp_path / "altered.zip", changes, {"assess.exclusion"})
    found = bundle.verify_bundle(released, file)
    assert not found.is_ok
    assert [one.partition("：")[0] for one in found.damaged] == ["assess.exclusion"]
    assert [str(one) for one in found.findings] == [
        "2026-10 第 1 次发布（release 1）：publish.unit_score 第 2 行：内容被改动（U2）"
    ]
    assert found.changed_inputs == ("exclusion 1：包内没有",)
    told = {(one.table, one.unit_code, one.indicator_code, one.case) for one in found.differences}
    assert ("evidence", "U1", "close_on_time", f"h1 {no[5]}") in told
    assert ("evidence", "U1", "close_on_time", f"h1 {no[23]}") in told
    assert ("unit_indicator", "U1", "close_on_time", None) in told
    assert ("unit_score", "U2", None, None) in told
    assert ("evidence", "U1", "repeat_rate", f"h1 {no[21]}") in told
    # What others are worth beside an altered row moves with it; of them nothing else is told.
    altered_cases = {None, *(f"h1 {number}" for number in no.values())}
    of_others = {one.column for one in found.differences if one.case not in altered_cases}
    assert of_others <= {"lost_points", "marginal_points"}
    assert f"U1 close_on_time 工单 h1 {no[5]} " in bundle.render_bundle_verification(found)


@pytest.mark.long
def test_a_result_that_was_revised_since_agrees_with_its_own_revision(released, people, tmp_path):
    """Late data, a decision, another alias since: the facts are those of a later build. Encrypted to one auditor."""
    july = {"受理时间": "2026-07-01 08:30:00", "转办时间": "2026-07-01 09:00:00", "办理期限": "2026-07-10 00:00"}
    july |= {"办结时间": "2026-07-02 09:00:00", "来电号码": "13600000000"}
    moved = case(26, "某单位", **july)
    deliver(released, [case(40, "交通局", **LATE), case(6, "城管局", **IN_TIME), case(20, "城管局", **IN_TIME), moved])
    build(released)
    file = bundle.take(people["shen"], allowed(people), tmp_path / "before.zip").file
    held = {row["case_no"] for row in rows(file, "staging.case_record")}
    assert moved["工单编号"] in held  # the facts say July now; the release has it in October
    assert case(40, "")["工单编号"] not in held
    about = {"feed_code": "h1", "case_no": case(8, "")["工单编号"]}
    assess.record(people["gu"], "exclude", **about, reason_code="beyond_duty", reason="x")
    confirm(people["ping"])
    register = released.config / "units.csv"
    register.write_text(
        register.read_text(encoding="utf-8").replace("市城管局", f"市城管局;{PLANTED['name that no register knows']}"),
        encoding="utf-8",
    )
    build(released)
    world.judge(people["ping"], revise(released, MONTH, why="补报"))
    publish(released, MONTH, why=UNWITNESSED)
    identity = pyrage.x25519.Identity.generate()
    key = tmp_path / "key"
    key.write_text(f"# mine\n{identity}\n", encoding="utf-8")
    results = {}
    for revision in (1, 2):
        out = tmp_path / f"{revision}.age"
        to = str(identity.to_public())
        done = bundle.take(people["shen"], allowed(people, revision=revision), out, recipient=to)
        assert done.is_encrypted and out.read_bytes().startswith(b"age-encryption.org/v1")
        assert hashlib.sha256(out.read_bytes()).hexdigest() == done.sha256
        results[revision] = bundle.verify_bundle(released, out, key=key)
        assert results[revision].is_ok, bundle.render_bundle_verification(results[revision])
        assert results[revision].release.revision == revision
    assert [len(found.notes) for found in results.values()] == [1, 0]
    other = tmp_path / "other"
    other.write_text(str(pyrage.x25519.Identity.generate()), encoding="utf-8")
    with pytest.raises(Refused, match=r"is encrypted: name the file with your age secret key, --key FILE"):
        bundle.verify_bundle(released, out)
    with pytest.raises(Refused, match=r"2\.age was encrypted with another key than .*other hold"):
        bundle.verify_bundle(released, out, key=other)
    with pytest.raises(Refused, match="is no age public key"):
        bundle.take(people["shen"], 1, tmp_path / "x", recipient="age1x")


def test_a_mean_of_shorter_periods_has_no_bundle(released, people, monkeypatch):
    monkeypatch.setattr(Scheme, "parts", lambda scheme, period: [period])
    with pytest.raises(Refused, match="is the mean of shorter periods, which rest on the cases: ask for those"):
        bundle.ask(people["shen"], MONTH, why="x")


def test_what_is_no_bundle_is_refused_in_words(released, taken, tmp_path):
    with pytest.raises(Refused, match=r"nowhere\.zip cannot be read"):
        bundle.verify_bundle(released, tmp_path / "nowhere.zip")
    (tmp_path / "text.zip").write_text("x" * 100)
    with pytest.raises(Refused, match=r"text\.zip is no bundle, or it is damaged"):
        bundle.verify_bundle(released, tmp_path / "text.zip")
    (tmp_path / "half.zip").write_bytes(taken.file.read_bytes()[:-2000])
    with pytest.raises(Refused, match=r"half\.zip is no bundle, or it is damaged"):
        bundle.verify_bundle(released, tmp_path / "half.zip")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as packed:
        packed.writestr("x", "x")
    with pytest.raises(Refused, match=r"other\.zip is no bundle: it has no manifest"):
        bundle.verify_bundle(released, tmp_path / "other.zip")
    columns = {"assess.exclusion": lambda made: [row | {"decided_at": "yesterday, late"} for row in made]}
    odd = altered(taken.file, tmp_path / "odd.zip", columns, set())
    with pytest.raises(Refused, match=r"odd\.zip: assess\.exclusion does not fit its table"):
        bundle.verify_bundle(released, odd)


def test_the_command_line_tells_and_its_exit_codes_are_those_of_verify(released, taken, monkeypatch, people, tmp_path):
    def run(who: str, *line: str):
        for name, value in (("HOME", people[who].home), ("CONFIG", people[who].config)):
            monkeypatch.setenv(f"MINHU_{name}", str(value))
        monkeypatch.setenv("MINHU_DATABASE_URL", people[who].database_url)
        return CliRunner().invoke(minhu, line)

    asked = json.loads(run("shen", "audit", "bundle", MONTH, "--why", "x", "--json").stdout)[0]
    assert asked["state"] == "awaits_another"
    number = str(asked["request_id"])
    assert (
        json.loads(run("wu", "audit", "bundle", "--allow", number, "--why", "x", "--json").stdout)[0]["state"]
        == "allowed"
    )
    out = tmp_path / "bundle.zip"
    done = run("shen", "audit", "bundle", "--take", number, "--out", str(out))
    assert done.exit_code == 0 and "staging.case_record" in done.stderr and "文件哈希" in done.stdout
    assert out.stat().st_mode & 0o777 == 0o600
    listed = json.loads(run("wu", "audit", "bundle", MONTH, "--json").stdout)
    assert [one["taken"] for one in listed if one["request_id"] == int(number)] == [1]
    by_another = MONTH, "--allow", "1", "--why", "x"
    for line in (("--take", number), ("--out", "x"), ("--why", "x"), (MONTH, "--to", "age1"), by_another):
        assert run("shen", "audit", "bundle", *line).exit_code == 2, line
    monkeypatch.setenv("MINHU_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")  # it needs no warehouse
    wrong = CliRunner().invoke(minhu, ["verify", "--bundle", str(out), "--expect", "0" * 12, "--json"])
    assert wrong.exit_code == 1 and not json.loads(wrong.stdout)["is_ok"]
    assert json.loads(wrong.stdout)["differences"] == []
    for line in (("--bundle", "x", MONTH), (MONTH, "--key", "x")):
        assert CliRunner().invoke(minhu, ["verify", *line]).exit_code == 2
