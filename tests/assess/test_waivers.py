"""Findings of the gates: what opens one, what makes it good, what a waiver does, and when nobody's deciding tells."""

import json
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from minhu import assess, cli, database, quality
from minhu.errors import Refused
from minhu.privacy import access_log
from minhu.publish import access_log_chain
from tests.scenarios.city import login_of

ODD, BAD, TREND = "arrival.category_known", "arrival.control_total", "arrival.trend"
UNRESOLVED, ABSENT, WRONG = "release.units_resolved", "release.feeds_present", "release.points_add_up"
SEVERITY = {
    ODD: "warning",
    BAD: "critical",
    TREND: "info",
    UNRESOLVED: "warning",
    ABSENT: "critical",
    WRONG: "critical",
}
TERMS = (("2020-01-01", 7), ("2099-01-01", 0))


class Gates:
    """Writes what gate runs write, as of so many days ago."""

    def __init__(self, settings, connection):
        self.settings, self._connection = settings, connection

    def sql(self, text, *parameters):
        cursor = self._connection.execute(text, parameters or None)
        return cursor.fetchall() if cursor.description else []

    def run(self, gate, subject, ago, failed, batch_id=None):
        ((run_id,),) = self.sql(
            "insert into audit.quality_run (gate, subject, started_at, finished_at, is_passed) values (%s, %s,"
            " clock_timestamp() - make_interval(days => %s), clock_timestamp(), true) returning quality_run_id",
            gate,
            subject,
            ago,
        )
        whole = "all" if gate == "arrival" else subject.split()[-1]
        for rule, severity in SEVERITY.items():
            if rule.startswith(gate):
                for about in (whole, *([str(batch_id)] if batch_id and rule in failed else [])):
                    self.sql(
                        "insert into audit.quality_result (quality_run_id, rule_id, subject, severity, is_passed)"
                        " values (%s, %s, %s, %s, %s)",
                        *(run_id, rule, about, severity, rule not in failed),
                    )
        return run_id

    def arrival(self, feed, ago, *failed, delivery="cases", day="2026-10-12"):
        """A batch of a feed that fails these rules; its id."""
        status = "held" if BAD in failed else "accepted"
        ((batch_id,),) = self.sql(
            "insert into audit.batch (feed_code, delivery, kind, business_date, source_name, source_sha256,"
            " source_bytes, received_rows, status, reason_code, order_key, started_at) values (%s, %s, 'case', %s, 'f',"
            " gen_random_uuid()::text, 1, 0, %s, 'x', 1, now()) returning batch_id",
            *(feed, delivery, day, status),
        )
        self.sql(
            "insert into audit.batch_verdict (batch_id, verdict, quality_run_id, why) values (%s, %s, %s, 'x')",
            *(batch_id, status, self.run("arrival", day, ago, failed, batch_id)),
        )
        return batch_id

    def release(self, period, ago, *failed):
        self.run("release", f"s1 v1 {period}", ago, failed)

    def open(self, about):
        """rule → (age, waived, escalated) of the findings of a feed or period."""
        return {
            one["rule_id"]: (one["age_days"], one["waiver_id"] is not None, one["is_escalated"])
            for one in assess.listing(self.settings, "findings")
            if about in (one["feed_code"], one["period"])
        }

    def escalated(self, period):
        """How many findings stop the release of a period."""
        return self.sql("select count(*) from audit.escalated_gap('s1', 'v1', %s)", period)[0][0]


@pytest.fixture(scope="module")
def gates(scratch):
    settings = scratch()
    with database.connect(settings, autocommit=True) as connection:
        gates = Gates(settings, connection)
        _fill(gates)
        yield gates


def _fill(gates):
    gates.sql("insert into config.version (city, sha256) values ('testcity', 'x')")
    for since, days in TERMS:
        terms = {"valid_from": since, "escalate_after_days": days, "waive_at_most_days": 90, "waivable": [ABSENT]}
        gates.sql(
            "insert into config.entry (kind, key, data, since_version) values ('quality', %s, %s, 1)",
            *(since, json.dumps(terms)),
        )
    gates.sql(
        "insert into config.entry (kind, key, data, since_version) select 'feed', 'f' || n, '{}'::jsonb, 1"
        " from generate_series(1, 9) as n union all select 'scheme', 's1', '{}', 1"
    )
    gates.sql("insert into audit.build (config_version, code_version, status) values (1, 'x', 'succeeded')")
    gates.sql(
        "insert into mart.score_run (scheme_id, scheme_version, period, starts_at, ends_at, as_of, build_id,"
        " config_version) select 's1', 'v1', to_char(first, 'YYYY-MM'), first, first + interval '1 month',"
        " first + interval '1 month', 1, 1"
        " from generate_series(timestamptz '2026-10-01 00:00+08', '2026-11-01 00:00+08', '1 month') as first"
    )
    gates.arrival("f9", 30)  # every rule is known
    gates.release("2026-01", 30)


@pytest.fixture(scope="module")
def ping(gates, people):
    """An evaluator."""
    return people(gates.settings, units={})["ping"]


def today():
    return datetime.now(ZoneInfo("Asia/Shanghai")).date()


def waive(who, rule=ODD, days=30, **given):
    return assess.record(
        who, "waive", rule_id=rule, **{"reason": "已核实", "expires_on": today() + timedelta(days)} | given
    )


def test_a_warning_stays_open_until_the_same_delivery_passes(gates):
    gates.arrival("f1", 20, ODD)
    gates.arrival("f1", 19)
    gates.arrival("f1", 6, ODD, TREND)
    gates.arrival("f1", 1, ODD)
    gates.arrival("f1", 1, delivery="events")
    gates.arrival("f2", 1)
    assert gates.open("f1") == {ODD: (6, False, False)}, "aged from the first failure of this series; info is none"
    gates.arrival("f1", 0)
    assert gates.open("f1") == {}


def test_what_nobody_waives_in_time_stops_the_releases_of_its_days(gates, ping):
    gates.arrival("f3", 7, ODD)
    assert gates.open("f3") == {ODD: (7, False, True)}
    assert (gates.escalated("2026-10"), gates.escalated("2026-11")) == (1, 0)
    assert f"{ODD}，f3：已 7 天，已升级" in assess.waiting(gates.settings)
    made = waive(ping, feed_code="f3")
    assert gates.open("f3") == {ODD: (7, True, False)} and gates.escalated("2026-10") == 0
    assert "f3" not in assess.waiting(gates.settings)
    with pytest.raises(Refused, match=f"waived already, by waiver {made} until"):
        waive(ping, feed_code="f3")
    assess.record(ping, "revoke_waiver", waiver_id=made, reason="问题扩大")
    assert gates.open("f3") == {ODD: (7, False, True)}
    gates.sql(
        "insert into assess.waiver (rule_id, feed_code, reason, expires_on) values (%s, 'f3', 'x', %s)",
        *(ODD, today() - timedelta(1)),
    )
    assert gates.open("f3") == {ODD: (7, False, True)}, "one that has run out waives nothing"
    waive(ping, feed_code="f3", days=0)
    assert gates.open("f3") == {ODD: (7, True, False)}, "it holds on its last day"


def test_a_held_batch_is_released_not_waived(gates, ping):
    batch_id = gates.arrival("f4", 9, BAD)
    gates.arrival("f4", 8)
    assert gates.open("f4") == {BAD: (9, False, False)}, "a good batch after it does not make it good"
    assert f"minhu quality release {batch_id}" in assess.waiting(gates.settings)
    with pytest.raises(Refused, match="a batch that it holds is released"):
        waive(ping, BAD, feed_code="f4")
    quality.release_batch(ping, batch_id, "已核对")
    assert gates.open("f4") == {}
    assert access_log.entries(gates.settings, batch_id=batch_id)[-1]["accessed_by"] == login_of(ping)


def test_a_finding_on_a_period_is_made_good_by_the_next_run(gates, ping):
    gates.release("2026-10", 9, UNRESOLVED, WRONG)
    assert gates.open("2026-10") == {UNRESOLVED: (9, False, True), WRONG: (9, False, False)}
    before = gates.escalated("2026-10")
    gates.release("2026-10", 1, UNRESOLVED)
    assert gates.open("2026-10") == {UNRESOLVED: (9, False, True)}
    waive(ping, UNRESOLVED, scheme_id="s1", period="2026-10")
    assert gates.open("2026-10") == {UNRESOLVED: (9, True, False)}
    assert gates.escalated("2026-10") == before - 1
    gates.release("2026-10", 0)
    assert gates.open("2026-10") == {}


@pytest.mark.parametrize(
    ("rule", "given", "told"),
    [
        ("arrival.unheard_of", {"feed_code": "f5"}, "no gate has judged by a rule"),
        (WRONG, {"scheme_id": "s1", "period": "2026-10"}, "what it finds is mended, not waived"),
        (TREND, {"feed_code": "f5"}, "only informs"),
        (ODD, {}, "for one feed, or for one scheme and period"),
        (ODD, {"feed_code": "f5", "scheme_id": "s1", "period": "2026-10"}, "for one feed, or for one scheme"),
        (ODD, {"scheme_id": "s1", "period": "2026-10"}, "name the feed"),
        (UNRESOLVED, {"feed_code": "f5"}, "name its scheme and the period"),
        (ODD, {"feed_code": "f99"}, "there is no feed 'f99'"),
        (UNRESOLVED, {"scheme_id": "s2", "period": "2026-10"}, "there is no scheme 's2'"),
        (ODD, {"feed_code": "f5", "reason": " "}, "the reason is missing"),
        (ODD, {"feed_code": "f5", "days": -1}, "missing or over"),
        (ODD, {"feed_code": "f5", "days": 91}, "ends after 90 days at most"),
    ],
)
def test_what_is_no_waiver_is_refused(gates, ping, rule, given, told):
    with pytest.raises(Refused, match=told):
        waive(ping, rule, **given)


def test_a_critical_rule_that_says_so_is_waived_for_a_feed(gates, ping):
    waive(ping, ABSENT, feed_code="f6")
    assert gates.sql("select feed_code, last_on from audit.waived_absence") == [("f6", today() + timedelta(30))]


def test_by_the_command_line_with_login_and_reason_in_the_access_log(gates, ping):
    gates.arrival("f7", 8, ODD)
    environment = {"MINHU_HOME": str(ping.home), "MINHU_DATABASE_URL": ping.database_url}

    def run(*arguments):
        told = CliRunner().invoke(cli.minhu, arguments, env=environment, catch_exceptions=False)
        assert told.exit_code == 0, told.output
        return told.output

    assert "f7" in {one["feed_code"] for one in json.loads(run("findings", "list", "--escalated", "--json"))}
    until = (today() + timedelta(9)).isoformat()
    told = run("waivers", "add", ODD, "--feed", "f7", "--until", until, "--reason", "来电13812345678已核实")
    made = int(told.split()[1])
    assert told == f"waiver {made} holds until {until}\n"
    (listed,) = [one for one in json.loads(run("waivers", "list", "--in-force", "--json")) if one["waiver_id"] == made]
    assert (listed["state"], listed["waived_by"], listed["expires_on"]) == ("in_force", login_of(ping), until)
    assert listed["reason"] == "来电138****5678已核实"
    assert run("waivers", "revoke", str(made), "--reason", "已解决") == f"waiver {made} is revoked\n"
    logged = [
        (one["subject"], one["accessed_by"], one["why"])
        for one in access_log.entries(gates.settings)
        if one["subject"].startswith("waiver")
    ]
    who = login_of(ping)
    assert logged[-2:] == [("waiver", who, "来电138****5678已核实"), ("waiver_revocation", who, "已解决")]
    assert access_log_chain.check(gates.settings).is_ok


def test_the_terms_of_the_day_decide(gates):
    gates.arrival("f8", 0, ODD)
    assert gates.open("f8") == {ODD: (0, False, False)}
    move = "update config.entry set data = data || jsonb_build_object('valid_from', %s::text) where key = '2099-01-01'"
    gates.sql(move, "2021-01-01")
    assert gates.open("f8") == {ODD: (0, False, True)}
    gates.sql(move, "2099-01-01")
